//! What each part of the language does.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{made, typed};
use metaprotocol_core::{
    AnyCodec, Detection, Direction, EncodeError, ErrorType, Kind, Limits, PairBy, Reason, Reply, RequestId, Sharing,
    Split, Value,
};
use metaprotocol_testkit::{
    CLIENT, SERVER, Sample, back_to_back, cut_short, decode, error_reply, exercise, feed, field, fields, new_id,
    remove, rewrite, same_however_cut, set, split_calls, string, survives_garbage, survives_mutations, whole,
};

/// A description with this header, whose frames are the header and no more unless `frame` says otherwise.
fn header(fields: &str, rest: &str) -> String {
    let frame = if rest.contains("frame:") { "" } else { ", frame: {body: 0}" };
    format!("{{metaprotocol: 1, name: test, header: [{fields}]{frame}{rest}}}")
}

/// Everything that holds for any codec, with these bytes.
fn holds(text: &str, direction: Direction, stream: &[u8]) {
    let codec = made(text);
    let sample = Sample::new("sample", direction, stream);
    same_however_cut(&codec, Limits::default(), &sample);
    cut_short(&codec, Limits::default(), &sample);
    back_to_back(&codec, Limits::default(), &sample);
    exercise(&codec, Limits::default(), &sample, &[3]);
    survives_mutations(&codec, std::slice::from_ref(&sample), 800);
    survives_garbage(&codec, std::slice::from_ref(&sample), 200);
}

/// The value of the key `x`, which is the field `x` unless the description says otherwise.
fn x(fields_text: &str, bytes: &[u8]) -> String {
    let text = header(fields_text, ", metadata: {x: x}");
    holds(&text, CLIENT, bytes);
    let codec = typed(&text);
    field(&codec, whole(&codec, CLIENT, bytes), "x").map_or("absent".to_owned(), |value| value.to_text().into_owned())
}

#[test]
fn every_type_of_field() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("{name: x, type: u8}", &[200], "200"),
        ("{name: x, type: i8}", &[200], "-56"),
        ("{name: x, type: u16}", &[1, 2], "258"),
        ("{name: x, type: u16le}", &[1, 2], "513"),
        ("{name: x, type: u16, byte_order: little}", &[1, 2], "513"),
        ("{name: x, type: i16}", &[0xff, 0xfe], "-2"),
        ("{name: x, type: u24}", &[1, 0, 0], "65536"),
        ("{name: x, type: i24le}", &[0xff, 0xff, 0xff], "-1"),
        ("{name: x, type: u32be}", &[0xff; 4], "4294967295"),
        ("{name: x, type: u48}", &[1, 0, 0, 0, 0, 0], "1099511627776"),
        ("{name: x, type: u64}", &[0xff; 8], "18446744073709551615"),
        ("{name: x, type: i64}", &[0xff; 8], "-1"),
        ("{name: x, type: f32}", &[0x3f, 0xc0, 0, 0], "1.5"),
        ("{name: x, type: f64}", &[0xc0, 0, 0, 0, 0, 0, 0, 0], "-2"),
        ("{name: x, type: varint}", &[0xac, 0x02], "300"),
        ("{name: x, type: zigzag}", &[0x03], "-2"),
        ("{name: x, type: bytes, len: 3}", &[1, 2, 0xff], "0102ff"),
        ("{name: x, type: string, len: 4}", b"ab\0\0", "ab"),
        ("{name: x, type: string, len: 4, padding: 0x20}", b"ab  ", "ab"),
        ("{name: n, type: u8}, {name: x, type: string, len: n}", b"\x02ab", "ab"),
        ("{name: n, type: u8}, {name: x, type: string, len: n * 2 - 1}", b"\x02abc", "abc"),
        ("{name: x, type: string, len_type: u16}", b"\0\x02ab", "ab"),
        ("{name: x, type: string, len_type: u16le}", b"\x02\0ab", "ab"),
        ("{name: x, type: string, len_type: varint}", b"\x02ab", "ab"),
        ("{name: x, type: string, terminated: nul}", b"ab\0", "ab"),
        ("{name: x, type: string, terminated: \"\\r\\n\"}", b"a\rb\r\n", "a\rb"),
        ("{name: f, type: u8, bits: {x: 3-5}}", &[0b0010_1000], "5"),
        ("{name: f, type: u16, bits: {x: 15}}", &[0x80, 0], "1"),
        ("{name: f, type: u16le, bits: {x: 15}}", &[0, 0x80], "1"),
        ("{name: v, type: u8}, {name: x, type: u8, when: v >= 2}", &[2, 9], "9"),
        ("{name: v, type: u8}, {name: x, type: u8, when: v >= 2}", &[1], "absent"),
        (
            "{name: p, type: struct, fields: [{name: a, type: u8}, {name: q, type: struct, fields: [{name: b, type: u8}]}]}, {name: x, type: bytes, len: p.a + p.q.b}",
            b"\x01\x01zz",
            "7a7a",
        ),
        ("{name: n, type: u8}, {name: x, type: array, count: n, items: {type: u16}}", b"\x02\0\x01\0\x02", "1,2"),
        (
            "{name: n, type: u8}, {name: x, type: array, count: n, items: {type: string, len_type: u8}}",
            b"\x03\x01a\0\x02bc",
            "a,,bc",
        ),
        ("{name: x, type: array, count: 2, items: {type: varint}}", b"\xac\x02\x01", "300,1"),
    ];
    for (fields, bytes, value) in cases {
        assert_eq!(x(fields, bytes), *value, "{fields}");
    }
}

#[test]
fn arrays_of_structs_are_walked() {
    let text = header(
        "{name: n, type: u8}, {name: a, type: array, count: n, items: {type: struct, fields: [
           {name: k, type: string, len_type: u8}, {name: v, type: u16}]}}, {name: x, type: u8}",
        ", metadata: {x: x}",
    );
    let bytes = b"\x02\x01a\0\x01\x02bc\0\x02\x09";
    holds(&text, CLIENT, bytes);
    let codec = typed(&text);
    assert_eq!(field(&codec, whole(&codec, CLIENT, bytes), "x"), Some(Value::Int(9)));
    // Byte by byte, each element is walked once: the number of calls grows with the bytes, and work with it.
    let many = [&[200][..], &b"\x01a\0\x01".repeat(200), &[9]].concat();
    assert!(split_calls(typed(&text), &Sample::new("many", CLIENT, many)) <= 802);
    let huge = made(&header("{name: n, type: u32}, {name: a, type: array, count: n, items: {type: u8}}", ""));
    let error = decode(&huge, CLIENT, &[0xff; 4]).failure.expect("a limit");
    assert!(matches!(error.reason, Reason::LimitExceeded { limit: "max_field_count", .. }), "{error}");
}

const CONTAINERS: &str = "{name: n, type: u8}";

#[test]
fn lists_of_tags() {
    let text = header(
        &format!(
            "{CONTAINERS}, {{name: o, type: tlv, len: n, tag: u8, length: u8, fields: {{7: {{name: user, type: string}}, 9: {{name: level, type: uint}}}}}}"
        ),
        ", metadata: {user: {value: o.user, write: true}, level: {value: o.level, write: true}}",
    );
    let bytes = b"\x0b\x01\x01?\x07\x02me\x09\x02\x01\0";
    holds(&text, CLIENT, bytes);
    let codec = typed(&text);
    let frame = whole(&codec, CLIENT, bytes);
    assert_eq!(field(&codec, frame, "user"), Some(string("me")));
    assert_eq!(field(&codec, frame, "level"), Some(Value::Int(256)));
    assert_eq!(
        rewrite(&codec, frame, &set(&[("user", "alice")])),
        Ok(b"\x0e\x01\x01?\x07\x05alice\x09\x02\x01\0".to_vec())
    );
    assert_eq!(rewrite(&codec, frame, &set(&[("level", "2")])), Ok(b"\x0b\x01\x01?\x07\x02me\x09\x02\0\x02".to_vec()));
}

#[test]
fn open_maps() {
    let text = header(
        &format!(
            "{CONTAINERS}, {{name: m, type: map, len: n, key: {{type: string, len_type: u8}}, value: {{type: string, len_type: u8}}}}"
        ),
        ", frame: {length: n + 1}, metadata: {\"*\": {value: m, write: true}}",
    );
    let bytes = b"\x08\x01a\x01b\x01c\x01d";
    holds(&text, CLIENT, bytes);
    let codec = typed(&text);
    let frame = whole(&codec, CLIENT, bytes);
    let expected = [("a", "b"), ("c", "d")].map(|(key, value)| (key.to_owned(), string(value)));
    assert_eq!(fields(&codec, frame), expected.into_iter().collect());
    assert_eq!(rewrite(&codec, frame, &set(&[("a", "xyz")])), Ok(b"\x0a\x01a\x03xyz\x01c\x01d".to_vec()));
    assert_eq!(rewrite(&codec, frame, &set(&[("e", "f")])), Ok(b"\x0c\x01a\x01b\x01c\x01d\x01e\x01f".to_vec()));
    assert_eq!(rewrite(&codec, frame, &remove(&["a", "nothing"])), Ok(b"\x04\x01c\x01d".to_vec()));
    let long = "x".repeat(250);
    assert!(matches!(rewrite(&codec, frame, &set(&[("e", &long)])), Err(EncodeError::TooLong { max: 255 | 256, .. })));
    let counted = header(
        "{name: n, type: u8}, {name: m, type: map, count: n, key: {type: string, terminated: nul}, value: {type: u16}}",
        ", metadata: {\"*\": {value: m, write: true}}",
    );
    let bytes = b"\x02a\0\0\x01b\0\0\x02";
    holds(&counted, CLIENT, bytes);
    let codec = typed(&counted);
    let frame = whole(&codec, CLIENT, bytes);
    assert_eq!(rewrite(&codec, frame, &set(&[("c", "3")])), Ok(b"\x03a\0\0\x01b\0\0\x02c\0\0\x03".to_vec()));
    assert!(matches!(rewrite(&codec, frame, &set(&[("c", "x")])), Err(EncodeError::BadValue { .. })));
}

#[test]
fn messages_of_protobuf() {
    let text = header(
        &format!(
            "{CONTAINERS}, {{name: p, type: protobuf, len: n, fields: {{id: {{path: 1, type: uint}}, deep: {{path: 2.1, type: string}}, less: {{path: 3, type: zigzag}}, neg: {{path: 4, type: int}}, fix: {{path: 5, type: fixed32}}, all: {{path: 6, type: map}}}}}}"
        ),
        ", request_id: p.id, metadata: {deep: {value: p.deep, write: true}, less: p.less, neg: p.neg, fix: p.fix, \"*\": {value: p.all, write: true}}",
    );
    let message = b"\x08\x07\x12\x04\x0a\x02hi\x18\x03\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x2d\x01\0\0\0\x32\x06\x0a\x01a\x12\x01b\x7a\x01?";
    let bytes = [&[message.len() as u8][..], message].concat();
    holds(&text, CLIENT, &bytes);
    let codec = typed(&text);
    let frame = whole(&codec, CLIENT, &bytes);
    assert_eq!(frame.head.request_id, RequestId::Int(7));
    for (key, value) in [("deep", "hi"), ("less", "-2"), ("neg", "-1"), ("fix", "1"), ("a", "b")] {
        assert_eq!(field(&codec, frame, key).expect(key).to_text(), value, "{key}");
    }
    let edited = rewrite(&codec, frame, &set(&[("deep", "there")])).expect("an edit");
    let edited = whole(&codec, CLIENT, &edited);
    assert_eq!(field(&codec, edited, "deep"), Some(string("there")));
    assert_eq!(field(&codec, edited, "a"), Some(string("b")));
    let renumbered = rewrite(&codec, frame, &new_id(300)).expect("an id of two bytes");
    assert_eq!(renumbered.len(), bytes.len() + 1);
    assert_eq!(whole(&codec, CLIENT, &renumbered).head.request_id, RequestId::Int(300));
}

#[test]
fn structs_of_jce() {
    let text = header(
        &format!(
            "{CONTAINERS}, {{name: j, type: jce, len: n, fields: {{seq: {{path: 0.6, type: int}}, to: {{path: 7.2, type: string}}, cmd: {{path: 0.1, type: int}}}}}}"
        ),
        ", request_id: j.seq, metadata: {to: j.to, cmd: j.cmd}",
    );
    // {0: struct {1: 0x99 as i16, 6: 258 as i32}, 1: list [1, 2], 2: map {"k": struct {}}, 3: simple list, 7: struct {2: "go"}}
    let jce = b"\x0a\x11\0\x99\x62\0\0\x01\x02\x0b\x19\x00\x02\x00\x01\x00\x02\x28\x00\x01\x06\x01k\x1a\x0b\x3d\x00\x00\x02zz\x7a\x26\x02go\x0b";
    let bytes = [&[jce.len() as u8][..], jce].concat();
    holds(&text, CLIENT, &bytes);
    let codec = typed(&text);
    let frame = whole(&codec, CLIENT, &bytes);
    assert_eq!(frame.head.request_id, RequestId::Int(258));
    assert_eq!(field(&codec, frame, "to"), Some(string("go")));
    assert_eq!(field(&codec, frame, "cmd"), Some(Value::Int(0x99)));
    let bomb = header("{name: j, type: jce, len: 4000, fields: {a: {path: 1, type: int}}}", ", request_id: j.a");
    let error = decode(&made(&bomb), CLIENT, &[0x0a; 4000]).failure.expect("a limit");
    assert!(matches!(error.reason, Reason::LimitExceeded { limit: "max_nesting", .. }), "{error}");
}

#[test]
fn objects_of_json() {
    let text = header(
        &format!(
            "{CONTAINERS}, {{name: j, type: json, len: n, fields: {{method: {{path: method, type: string}}, id: {{path: a.id, type: int}}, meta: {{path: meta, type: map}}}}}}"
        ),
        ", request_id: j.id, metadata: {method: j.method, \"*\": j.meta}",
    );
    let json = br#"{"x":[1,{"y":null}],"a":{"id":42},"meta":{"k":"v\"\u00e9","n":7,"no":null},"method":"say\n"}"#;
    let bytes = [&[json.len() as u8][..], json].concat();
    holds(&text, CLIENT, &bytes);
    let codec = typed(&text);
    let frame = whole(&codec, CLIENT, &bytes);
    assert_eq!(frame.head.request_id, RequestId::Int(42));
    assert_eq!(field(&codec, frame, "method"), Some(string("say\n")));
    assert_eq!(field(&codec, frame, "k"), Some(string("v\"é")));
    assert_eq!(field(&codec, frame, "n"), Some(Value::Int(7)));
    let bomb = header("{name: j, type: json, len: 4000, fields: {a: {path: a, type: int}}}", ", request_id: j.a");
    let error = decode(&made(&bomb), CLIENT, &[b'['; 4000]).failure.expect("a limit");
    assert!(matches!(error.reason, Reason::LimitExceeded { limit: "max_nesting", .. }), "{error}");
}

#[test]
fn every_checksum_is_verified_and_follows() {
    let checksums = [
        ("crc8", 1),
        ("crc16_arc", 2),
        ("crc16_modbus", 2),
        ("crc16_ccitt_false", 2),
        ("crc16_xmodem", 2),
        ("crc16_kermit", 2),
        ("crc16_x25", 2),
        ("crc32", 4),
        ("crc32c", 4),
        ("adler32", 4),
        ("sum8", 1),
        ("sum16", 2),
        ("sum32", 4),
        ("xor8", 1),
    ];
    for (name, width) in checksums {
        let text = format!(
            "{{metaprotocol: 1, name: test, request_id: id, header: [{{name: id, type: u16}}, {{name: n, type: u8}}],
               frame: {{body: n}}, trailer: [{{name: sum, type: u{}, checksum: {{algorithm: {name}, over: start..sum}}}}],
               reply: {{error: {{body: \"{{error.message}}\"}}}}}}",
            8 * width
        );
        let codec = typed(&text);
        // An empty reply writes what a sender would; its own checks prove it.
        let seed =
            metaprotocol_spec::compile(&text.replace("over: start..sum", "over: start..sum, verify: false"), "t")
                .expect("text");
        let request = [&[0, 7, 0][..], &vec![0; width]].concat();
        let made = error_reply(&seed, whole(&seed, CLIENT, &request), ErrorType::Timeout, "late")
            .expect("a reply")
            .expect("an answer");
        let frame = whole(&codec, SERVER, &made);
        assert_eq!(frame.head.frame_len, 7 + width, "{name}");
        holds(&text, SERVER, &made);
        let renumbered = rewrite(&codec, frame, &new_id(8)).expect("an id");
        assert_eq!(whole(&codec, SERVER, &renumbered).head.request_id, RequestId::Int(8), "{name}");
        let mut damaged = made.clone();
        damaged[4] ^= 1;
        let error = codec.split(SERVER, &Limits::default(), &damaged).expect_err("damage");
        assert!(matches!(error.reason, Reason::BadChecksum { field: "sum", .. }), "{name}: {error}");
        assert_eq!(error.offset, 7, "{name}");
    }
}

#[test]
fn checksums_in_a_header() {
    let text = "{metaprotocol: 1, name: test, request_id: id, frame: {body: n}, header: [{name: id, type: u16},
      {name: sum, type: u16, checksum: {algorithm: sum16, over: header, own: OWN}}, {name: n, type: u8}]}";
    for own in ["zero", "skip"] {
        let text = text.replace("OWN", own);
        let bytes = [1, 2, 0, 5, 2, b'a', b'b'];
        holds(&text, CLIENT, &bytes);
        let codec = typed(&text);
        assert_eq!(
            rewrite(&codec, whole(&codec, CLIENT, &bytes), &new_id(0x0203)),
            Ok(vec![2, 3, 0, 7, 2, b'a', b'b'])
        );
        let error = codec.split(CLIENT, &Limits::default(), &[1, 2, 0, 6, 2]).expect_err("a wrong sum");
        assert_eq!(error, Reason::BadChecksum { field: "sum", expected: 5, found: 6 }.at(2));
    }
}

#[test]
fn lengths_delimited_and_fixed() {
    let lines = "{metaprotocol: 1, name: test, header: [{name: verb, type: string, terminated: \" \"}, {name: arg, type: string, terminated: \" \"}],
      frame: {delimiter: \"\\r\\n\"}, metadata: {verb: {value: verb, write: true}, arg: arg}, pair_by: order, reply: {error: {copy: none, set: {verb: ERR}, body: \"{error.message}\"}}}";
    let stream = b"GET key one\r\nPING\r\n\r\nSET a\r\n";
    holds(lines, CLIENT, stream);
    let codec = made(lines);
    let found = decode(&codec, CLIENT, stream);
    let lens: Vec<usize> = found.frames.iter().map(|frame| frame.bytes.len()).collect();
    assert_eq!(lens, [13, 6, 2, 7]);
    assert_eq!(field(codec.as_ref(), found.frames[1].frame(), "verb"), Some(string("PING")));
    assert_eq!(
        rewrite(codec.as_ref(), found.frames[0].frame(), &set(&[("verb", "PUT")])),
        Ok(b"PUT key one\r\n".to_vec())
    );
    assert!(rewrite(codec.as_ref(), found.frames[0].frame(), &set(&[("verb", "P\r\nUT")])).is_err());
    let long = feed(&codec, CLIENT, Limits { max_frame_len: 10, ..Limits::default() }, &[b'x'; 40], [3, 3, 3]);
    assert_eq!(long.failure, Some(Reason::LimitExceeded { limit: "max_frame_len", value: 11, max: 10 }.at(0)));

    let fixed = "{metaprotocol: 1, name: test, header: [{name: a, type: u8}], frame: {fixed: 4}}";
    holds(fixed, CLIENT, b"abcdefgh");
    assert_eq!(decode(&made(fixed), CLIENT, b"abcdefgh").frames.len(), 2);
}

#[test]
fn kinds_ids_pairing_and_direction() {
    let text = "{metaprotocol: 1, name: test, frame: {fixed: 4}, header: [{name: type, type: u8}, {name: id, type: bytes, len: 3}],
      request_id: id, kind: {field: type, values: {1: request, 2: response, 3: error, 4: heartbeat, 5: oneway}},
      reply: {error: {set: {type: 3}}, heartbeat: {set: {type: 4}}}}";
    holds(text, CLIENT, b"\x01abc\x04abc\x05abc");
    let codec = typed(text);
    let kind = |bytes: &[u8]| whole(&codec, CLIENT, bytes).head.kind;
    assert_eq!(kind(b"\x01abc"), Kind::Request);
    assert_eq!(kind(b"\x05abc"), Kind::Oneway);
    assert_eq!(whole(&codec, CLIENT, b"\x01abc").head.request_id, RequestId::Bytes { at: 1, len: 3 });
    let error = codec.split(CLIENT, &Limits::default(), b"\x09abc").expect_err("no kind");
    assert_eq!(error, Reason::BadValue { field: "type", value: 9 }.at(0));
    let reply = |bytes: &[u8], reply| codec.reply(whole(&codec, CLIENT, bytes), reply);
    assert_eq!(reply(b"\x01abc", Reply::Error(ErrorType::Denied, "")), Ok(Some(b"\x03abc".to_vec())));
    assert_eq!(reply(b"\x04abc", Reply::Heartbeat), Ok(Some(b"\x04abc".to_vec())));
    assert_eq!(reply(b"\x05abc", Reply::Error(ErrorType::Denied, "")), Ok(None));
    assert!(codec.info().heartbeats);

    let pairing = |rest: &str| {
        let text =
            format!("{{metaprotocol: 1, name: test, frame: {{fixed: 4}}, header: [{{name: id, type: u32}}]{rest}}}");
        let codec = typed(&text);
        (codec.info().pair_by, codec.info().sharing)
    };
    assert_eq!(pairing(""), (PairBy::Order, Sharing::Pipelined));
    assert_eq!(pairing(", request_id: id"), (PairBy::Id, Sharing::Multiplexed));
    assert_eq!(pairing(", stream_id: id"), (PairBy::Stream, Sharing::Multiplexed));
    assert_eq!(pairing(", pair_by: none"), (PairBy::None, Sharing::Bound));
    assert_eq!(pairing(", pair_by: order, sharing: bound"), (PairBy::Order, Sharing::Bound));
}

#[test]
fn formats_maps_and_templates() {
    let text = "{metaprotocol: 1, name: test, frame: {body: 0}, header: [{name: ip, type: u32}, {name: raw, type: bytes, len: 4}, {name: m, type: u8}, {name: t, type: string, len: 2}],
      metadata: {ip: {value: ip, format: ipv4, write: true}, raw_ip: {value: raw, format: ipv4}, raw: {value: raw, write: true}, hex: {value: m, format: hex},
        name: {value: m, map: {1: one, 2: two}, default: other, write: true}, flag: {value: m == 2, format: bool}, both: {text: \"{name}/{t}{{}}\"},
        sum: m + 1, size: frame_len, text: {value: t, write: true}}}";
    let bytes = b"\x7f\0\0\x01\x0a\0\0\x02\x02ab";
    holds(text, CLIENT, bytes);
    let codec = typed(text);
    let frame = whole(&codec, CLIENT, bytes);
    for (key, value) in [
        ("ip", "127.0.0.1"),
        ("raw_ip", "10.0.0.2"),
        ("raw", "0a000002"),
        ("hex", "0x2"),
        ("name", "two"),
        ("flag", "true"),
        ("both", "two/ab{}"),
        ("sum", "3"),
        ("size", "11"),
        ("text", "ab"),
    ] {
        assert_eq!(field(&codec, frame, key).expect(key).to_text(), value, "{key}");
    }
    let edits = set(&[("ip", "1.2.3.4"), ("raw", "ffffffff"), ("name", "one"), ("text", "x")]);
    assert_eq!(rewrite(&codec, frame, &edits), Ok(b"\x01\x02\x03\x04\xff\xff\xff\xff\x01x\0".to_vec()));
    for (key, value) in [("ip", "x"), ("raw", "ff"), ("name", "three"), ("text", "xyz"), ("sum", "3"), ("free", "1")] {
        assert!(rewrite(&codec, frame, &set(&[(key, value)])).is_err(), "{key}");
    }
    let number = |key: &str| codec.info().keys.iter().find(|known| known.name == key).expect(key).number;
    assert_eq!(["ip", "sum", "size", "name", "flag"].map(number), [false, true, true, false, false]);
}

#[test]
fn arithmetic_is_checked() {
    let text =
        |len: &str| header("{name: a, type: u64}, {name: b, type: u8}", &format!(", frame: {{length: \"{len}\"}}"));
    let bytes = [&[0xff; 8][..], &[0]].concat();
    for len in ["a * a * a", "a << 63 << 63", "a / b", "a % b", "1 << (b + 64)", "-a", "a + 1", "b - 1"] {
        let found = decode(&made(&text(len)), CLIENT, &bytes);
        let code = found.failure.map(|error| error.reason.code());
        assert!(matches!(code, Some("bad_length" | "limit_exceeded")), "{len}: {code:?}");
    }
    let value = |expr: &str| {
        let text = header("{name: a, type: u8}", &format!(", metadata: {{x: {{value: \"{expr}\"}}}}"));
        let codec = typed(&text);
        field(&codec, whole(&codec, CLIENT, &[6]), "x").expect(expr).to_text().into_owned()
    };
    for (expr, expected) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("a & 4 == 4", "1"),
        ("a | 1", "7"),
        ("a ^ 2", "4"),
        ("~a & 0xff", "249"),
        ("!a", "0"),
        ("-a", "-6"),
        ("a > 5 ? 10 : 20", "10"),
        ("a >> 1", "3"),
        ("a << 2", "24"),
        ("a % 4", "2"),
        ("a / 4", "1"),
        ("a == 6 && a != 7", "1"),
        ("a < 6 || a >= 6", "1"),
        ("'A'", "65"),
        ("1_000", "1000"),
        ("len(a)", "1"),
        ("present(a)", "1"),
        ("direction == client_to_server", "1"),
    ] {
        assert_eq!(value(expr), expected, "{expr}");
    }
}

#[test]
fn texts_compare() {
    let text = header(
        "{name: m, type: string, len: 4}",
        r#", kind: [{when: 'm == "PING"', is: heartbeat}, {when: 'm != "DATA"', is: control}, {is: request}]"#,
    );
    let codec = typed(&text);
    let kind = |bytes: &[u8]| whole(&codec, CLIENT, bytes).head.kind;
    assert_eq!([kind(b"PING"), kind(b"DATA"), kind(b"nope")], [Kind::Heartbeat, Kind::Request, Kind::Control]);
}

#[test]
fn the_first_wrong_byte_is_an_error_at_once() {
    let codec = made(&header(
        "{name: m, type: bytes, len: 4, const: \"PRPC\"}, {name: v, type: u16, in: [1, 258]}, {name: rest, type: u32}",
        "",
    ));
    let error = |bytes: &[u8]| codec.split(CLIENT, &Limits::default(), bytes).err();
    assert_eq!(error(b"PRP"), None);
    assert_eq!(error(b"PX"), Some(Reason::BadMagic { expected: 0x5052, found: 0x5058 }.at(0)));
    assert_eq!(error(b"PXPC\0\x01aaaa"), error(b"PX"));
    assert_eq!(error(b"PRPC\x02"), Some(Reason::BadValue { field: "v", value: 2 }.at(4)));
    assert_eq!(error(b"PRPC\x00\x05"), Some(Reason::BadValue { field: "v", value: 5 }.at(4)));
    assert_eq!(codec.split(CLIENT, &Limits::default(), b"PRPC\x01"), Ok(Split::Need(5)));
    assert_eq!(codec.detect(CLIENT, b"PRP"), Detection::NeedMore);
    assert_eq!(codec.detect(CLIENT, b"PRPC\0\x01"), Detection::Yes);
    assert_eq!(codec.detect(CLIENT, b"PRPC\x03"), Detection::No);
}

#[test]
fn lengths_of_lengths_settle() {
    // The varint in front counts the bytes behind it; writing makes it longer.
    let text = "{metaprotocol: 1, name: test, frame: {body: n}, header: [{name: n, type: varint}, {name: id, type: u16}], request_id: id,
      reply: {error: {body: \"{error.message}\"}}}";
    let bytes = b"\x03\0\x01abc";
    holds(text, CLIENT, bytes);
    let codec = typed(text);
    let message = "m".repeat(300);
    let reply = error_reply(&codec, whole(&codec, CLIENT, bytes), ErrorType::Timeout, &message)
        .expect("a reply")
        .expect("an answer");
    assert_eq!(&reply[..4], b"\xac\x02\0\x01");
}

#[test]
fn a_search_goes_on_where_it_stopped() {
    let text = "{metaprotocol: 1, name: test, header: [], frame: {delimiter: \"\\n\"}}";
    let line = [vec![b'x'; 1 << 20], vec![b'\n']].concat();
    let start = std::time::Instant::now();
    let codec = made(text);
    let found = metaprotocol_testkit::advance(&codec, CLIENT, Limits::default(), &line, std::iter::repeat(16));
    assert_eq!(found.frames.len(), 1);
    // 65 thousand calls that each looked at everything would take minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// A description with a field of every kind.
const EVERYTHING: &str = "\
metaprotocol: 1
name: everything
header:
  - {name: flags, type: u8, bits: {high: 7, low: 0-2}}
  - {name: point, type: struct, when: high == 1, fields: [{name: x, type: i16}, {name: y, type: u16le}]}
  - {name: count, type: u8}
  - {name: list, type: array, count: count, items: {type: u16}}
  - {name: topic, type: string, len_type: u16le}
  - {name: note, type: string, len_type: varint}
  - {name: verb, type: string, terminated: nul}
  - {name: map, type: map, count: count, key: {type: string, len_type: u8}, value: {type: string, len_type: u8}}
  - {name: meta, type: protobuf, len_type: u8, fields: {b: {path: 2, type: string}, a: {path: 1, type: uint}}}
  - {name: body_len, type: varint}
  - {name: mark, type: u8, peek: true}
frame: {body: body_len}
trailer: [{name: etx, type: u8, const: 0x7d}]
";

#[test]
fn a_dissection_tells_each_field_with_its_place_and_value() {
    let codec = typed(EVERYTHING);
    let bytes =
        b"\x83\xff\xff\x02\x00\x01\x00\x05\x03\x00abc\x02hiGET\0\x01k\x01v\x05\x08\x07\x12\x01z\x02\x09\x08\x7d";
    let places = codec.dissect(Direction::ClientToServer, &Limits::default(), bytes);
    let told: Vec<_> =
        places.iter().map(|place| (place.name.as_str(), place.at.clone(), place.inner, place.value.as_str())).collect();
    let expected = [
        ("flags", 0..1, false, "131"),
        ("high", 0..1, true, "1"),
        ("low", 0..1, true, "3"),
        ("point.x", 1..3, false, "-1"),
        ("point.y", 3..5, false, "2"),
        ("count", 5..6, false, "1"),
        ("list", 6..8, false, "5"),
        ("len(topic)", 8..10, false, "3"),
        ("topic", 10..13, false, "abc"),
        ("len(note)", 13..14, false, "2"),
        ("note", 14..16, false, "hi"),
        ("verb", 16..19, false, "GET"),
        ("end(verb)", 19..20, false, "00"),
        ("map", 20..24, false, ""),
        ("map[k]", 20..24, true, "v"),
        ("len(meta)", 24..25, false, "5"),
        ("meta", 25..30, false, ""),
        ("meta.a", 26..27, true, "7"),
        ("meta.b", 29..30, true, "z"),
        ("body_len", 30..31, false, "2"),
        ("mark", 31..32, false, "9"),
        ("etx", 33..34, false, "125"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        places.iter().map(|place| place.region.name()).rev().take(3).collect::<Vec<_>>(),
        ["trailer", "body", "header"]
    );
}

#[test]
fn a_dissection_of_a_front_or_of_damage_is_part_of_the_whole() {
    let codec = typed(EVERYTHING);
    let bytes =
        b"\x83\xff\xff\x02\x00\x01\x00\x05\x03\x00abc\x02hiGET\0\x01k\x01v\x05\x08\x07\x12\x01z\x02\x09\x08\x7d";
    let (way, limits) = (Direction::ClientToServer, Limits::default());
    let whole = codec.dissect(way, &limits, bytes);
    for cut in 0..bytes.len() {
        let front = codec.dissect(way, &limits, &bytes[..cut]);
        assert!(front.iter().all(|place| place.at.end <= cut && whole.contains(place)), "{cut}: {front:?}");
    }
    for at in 0..bytes.len() {
        for wrong in 0..=255 {
            let mut damaged = bytes.to_vec();
            damaged[at] = wrong;
            let places = codec.dissect(way, &limits, &damaged);
            assert!(places.iter().all(|place| place.at.end <= damaged.len()));
        }
    }
}

#[test]
fn a_layout_has_the_conditions_that_are_left_to_frames() {
    let layout = typed(EVERYTHING).layout();
    assert_eq!(layout.matches(r#""when":"high == 1""#).count(), 2, "{layout}");
    let fixed = common::spec("awesomerpc", "?length_width=2").layout();
    assert!(!fixed.contains("length_width"), "{fixed}");
}
