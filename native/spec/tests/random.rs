//! Random descriptions and random frames of theirs: every one is split the same however it is cut, every verb holds, and
//! the fast way says what the walk says.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{made, typed};
use metaprotocol_core::{AnyCodec, Limits, Split};
use metaprotocol_testkit::{
    CLIENT, SERVER, Sample, back_to_back, cut_short, decode, exercise, same_however_cut, survives_mutations,
};

/// Random numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| 1 + self.below(250) as u8).collect()
    }
}

type Maker = Box<dyn Fn(&mut Chance) -> Vec<u8>>;

/// A field of the header: its text, and how its bytes are made.
struct Made {
    text: String,
    bytes: Maker,
}

fn field(chance: &mut Chance, index: usize, last_flag: Option<usize>) -> Made {
    let width = 1 + chance.below(8);
    let sizes = ["u8", "u16", "u24", "u32", "u40", "u48", "u56", "u64"];
    let name = format!("f{index}");
    let order = if chance.below(2) == 0 { "big" } else { "little" };
    match (chance.below(9), last_flag) {
        (0, _) => {
            let magic = chance.bytes(width);
            let hex: String = magic.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = format!("{{name: {name}, type: bytes, len: {width}, const: 0x{hex}}}");
            Made { text, bytes: Box::new(move |_| magic.clone()) }
        }
        (1, _) => Made {
            text: format!("{{name: {name}, type: bytes, len_type: u16, byte_order: {order}}}"),
            bytes: {
                let big = order == "big";
                Box::new(move |chance| {
                    let len = chance.below(20);
                    let prefix = if big { (len as u16).to_be_bytes() } else { (len as u16).to_le_bytes() };
                    [&prefix[..], &chance.bytes(len)].concat()
                })
            },
        },
        (2, _) => Made {
            text: format!("{{name: {name}, type: string, terminated: nul}}"),
            bytes: Box::new(|chance| {
                let len = chance.below(12);
                [chance.bytes(len), vec![0]].concat()
            }),
        },
        (3, _) => Made {
            text: format!("{{name: {name}, type: varint}}"),
            bytes: Box::new(|chance| if chance.below(2) == 0 { vec![5] } else { vec![0x85, 0x92, 1] }),
        },
        (4, _) => Made {
            text: format!("{{name: {name}, type: array, count: 3, items: {{type: string, len_type: u8}}}}"),
            bytes: Box::new(|chance| {
                let mut bytes = Vec::new();
                for _ in 0..3 {
                    let len = chance.below(5);
                    bytes.push(len as u8);
                    bytes.extend(chance.bytes(len));
                }
                bytes
            }),
        },
        (5, Some(flag)) => Made {
            text: format!("{{name: {name}, type: bytes, len: \"f{flag} % 16 + 1\"}}"),
            // Made when the flag is known.
            bytes: Box::new(|_| Vec::new()),
        },
        (6, _) => Made {
            text: format!("{{name: {name}, type: u8, bits: {{g{index}: 0-3}}}}"),
            bytes: Box::new(|chance| chance.bytes(1)),
        },
        _ => Made {
            text: format!("{{name: {name}, type: {}, byte_order: {order}}}", sizes[width - 1]),
            bytes: Box::new(move |chance| chance.bytes(width)),
        },
    }
}

fn round(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut fields: Vec<Made> = Vec::new();
    let mut flag = None;
    // Which field says how long which other one is.
    let mut depends: Vec<(usize, usize)> = Vec::new();
    for index in 0..1 + chance.below(7) {
        let made = field(&mut chance, index, flag);
        if made.text.contains("% 16") {
            depends.push((index, flag.expect("a field before")));
        } else if made.text.contains("type: u8,") {
            flag = Some(index);
        }
        fields.push(made);
    }
    let id = fields.len();
    let texts: Vec<&str> = fields.iter().map(|field| field.text.as_str()).collect();
    let trailer = match chance.below(3) {
        0 => "",
        1 => ", trailer: [{name: end, type: u8, const: 0x7d}]",
        _ => ", trailer: [{name: sum, type: u32, checksum: {algorithm: crc32c, over: start..sum, verify: VERIFY}}]",
    };
    let description = |verify: &str| {
        format!(
            "{{metaprotocol: 1, name: random, request_id: f{id}, frame: {{body: n}}{},
               header: [{}, {{name: f{id}, type: u32}}, {{name: n, type: u16}}],
               metadata: {{id: {{value: f{id}, write: true}}, first: {{value: {}}}}},
               reply: {{error: {{set: {{}}, body: \"{{error.message}}\"}}}}}}",
            trailer.replace("VERIFY", verify),
            texts.join(", "),
            if fields[0].text.contains("type: array") || fields[0].text.contains("bits") { "n" } else { "f0" },
        )
    };
    let lenient = made(&description("false"));
    let codec: Arc<dyn AnyCodec> = made(&description("true"));
    let mut stream = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let piece = match depends.iter().find(|(own, _)| *own == index) {
                Some((_, flag)) => {
                    let len = usize::from(pieces[*flag][0]) % 16 + 1;
                    chance.bytes(len)
                }
                None => (field.bytes)(&mut chance),
            };
            pieces.push(piece);
        }
        let len = chance.below(30);
        let body = chance.bytes(len);
        let mut frame = [pieces.concat(), chance.bytes(4), (len as u16).to_be_bytes().to_vec(), body].concat();
        if trailer.contains("0x7d") {
            frame.push(0x7d);
        } else if trailer.contains("crc32c") {
            // The codec that does not verify makes the sum: changing the id to what it is writes all anew.
            frame.extend([0; 4]);
            let head = metaprotocol_testkit::whole(lenient.as_ref(), CLIENT, &frame);
            let metaprotocol_core::RequestId::Int(id) = head.head.request_id else { panic!("no id") };
            frame = metaprotocol_testkit::rewrite(lenient.as_ref(), head, &metaprotocol_testkit::new_id(id))
                .expect("a sum");
        }
        stream.extend(frame);
    }
    let sample = Sample::new(format!("seed {seed}: {}", description("true")), CLIENT, stream);
    let found = decode(&codec, CLIENT, &sample.stream);
    assert_eq!((found.failure, found.end()), (None, sample.stream.len() as u64), "{}", sample.name);
    same_however_cut(&codec, Limits::default(), &sample);
    cut_short(&codec, Limits::default(), &sample);
    back_to_back(&codec, Limits::default(), &sample);
    exercise(&codec, Limits::default(), &sample, &[1, 5]);
    survives_mutations(&codec, std::slice::from_ref(&sample), 40);
}

#[test]
fn random_frames_of_random_descriptions() {
    (1..=250).for_each(round);
}

/// An expression over the fields so far.
fn expression(chance: &mut Chance, numbers: &[String]) -> String {
    let Some(name) = (!numbers.is_empty()).then(|| &numbers[chance.below(numbers.len())]) else {
        return chance.below(4).to_string();
    };
    let value = chance.below(4);
    match chance.below(12) {
        0 => format!("{name} & 3"),
        1 => format!("{name} * {value} + 1"),
        2 => format!("{name} - {value}"),
        3 => format!("{name} % 5"),
        4 => format!("{name} >> 1"),
        5 => format!("{name} == {value} ? 1 : {name}"),
        6 => format!("direction == client_to_server ? {name} : {value}"),
        7 => format!("{name} / (({name} & 1) + 1)"),
        8 => format!("~{name} & 3"),
        9 => value.to_string(),
        _ => name.clone(),
    }
}

fn condition(chance: &mut Chance, numbers: &[String], fields: &[String]) -> String {
    let value = chance.below(4);
    let name = if numbers.is_empty() { "direction".to_owned() } else { numbers[chance.below(numbers.len())].clone() };
    match chance.below(10) {
        0 => format!("{name} != {value}"),
        1 => format!("{name} < {value} || direction == server_to_client"),
        2 => format!("!({name} >= {value}) && {name} != 1"),
        3 => format!("{name} & 1"),
        4 if !fields.is_empty() => format!("present({})", fields[chance.below(fields.len())]),
        5 if !fields.is_empty() => format!("len({}) > {value}", fields[chance.below(fields.len())]),
        6 => format!("{} > {value}", expression(chance, numbers)),
        7 => format!("{name} - 1 >= 0"),
        _ => format!("{name} <= {value}"),
    }
}

/// A description out of everything that the fast way knows, and some of what it leaves to the walk.
fn description(chance: &mut Chance) -> String {
    let (mut numbers, mut fields): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut header = Vec::new();
    let sizes = ["u8", "u16", "u24", "u8", "u32le", "i8", "i16le", "u64", "u8"];
    for index in 0..1 + chance.below(8) {
        let name = format!("f{index}");
        let when = if chance.below(4) == 0 {
            format!(", when: '{}'", condition(chance, &numbers, &fields))
        } else {
            String::new()
        };
        let (text, number): (String, Vec<String>) = match chance.below(17) {
            0 => ("type: varint".into(), vec![name.clone()]),
            1 => ("type: zigzag".into(), vec![name.clone()]),
            2 => (format!("type: string, len_type: {}", ["u8", "u16le", "varint"][chance.below(3)]), vec![]),
            3 => (format!("type: string, terminated: {}", ["nul", "0x0102"][chance.below(2)]), vec![]),
            4 => (format!("type: bytes, len: '{}'", expression(chance, &numbers)), vec![]),
            5 => {
                let items = ["u16", "varint"][chance.below(2)];
                (format!("type: array, count: '{}', items: {{type: {items}}}", expression(chance, &numbers)), vec![])
            }
            6 => ("type: array, count: 2, items: {type: string, len_type: u8}".into(), vec![]),
            7 => {
                let fields = format!(
                    "1: {{name: a, type: uint}}, 2: {{name: b, type: int, when: '{}'}}, 3: {{name: c, type: string}}",
                    condition(chance, &numbers, &fields)
                );
                let size = ["u8", "u16"][chance.below(2)];
                (
                    format!("type: tlv, len_type: u8, tag: {size}, length: u8, fields: {{{fields}}}"),
                    vec![format!("{name}.a"), format!("{name}.b")],
                )
            }
            8 => (
                "type: protobuf, len_type: u8, fields: {a: {path: 1, type: uint}, b: {path: 2.1, type: int}, \
                 c: {path: 2, type: string}, d: {path: 3, type: sfixed32}, m: {path: 2.2, type: map}, \
                 e: {path: 1, type: zigzag}}"
                    .into(),
                ["a", "b", "d", "e"].map(|part| format!("{name}.{part}")).to_vec(),
            ),
            9 => (
                format!("type: u8, bits: {{g{index}: 0-1, h{index}: 2}}"),
                vec![name.clone(), format!("g{index}"), format!("h{index}")],
            ),
            10 => (format!("type: u8, in: [0, 1, 2, {}]", chance.below(9)), vec![name.clone()]),
            11 => (format!("type: u8, check: '{name} < 4'"), vec![name.clone()]),
            12 => ("type: u16, in: [0, 1, 256, 258]".into(), vec![name.clone()]),
            _ => (format!("type: {}", sizes[chance.below(sizes.len())]), vec![name.clone()]),
        };
        let array = text.contains("array");
        header.push(format!("{{name: {name}, {text}{when}}}"));
        numbers.extend(number);
        if !array {
            fields.push(name);
        }
    }
    let peek = if chance.below(4) == 0 {
        let when = format!("when: '{}', ", condition(chance, &numbers, &fields));
        header.push(format!("{{name: p, {when}type: u8, peek: true}}"));
        true
    } else {
        false
    };
    let trailer = match chance.below(6) {
        0 if !peek => ", trailer: [{name: end, type: u8, in: [0, 1, 2, 3]}]",
        1 => ", trailer: [{name: end, type: u16, const: 0x0101}]",
        _ => "",
    };
    let frame = match chance.below(6) {
        0 if trailer.is_empty() && !peek => "{delimiter: 0x0103}".to_owned(),
        1 => "{fixed: 24}".to_owned(),
        2 => format!("{{length: '({}) + 12'}}", expression(chance, &numbers)),
        _ => format!("{{body: '{}'}}", expression(chance, &numbers)),
    };
    let mut kinds: Vec<String> = (0..chance.below(4))
        .map(|index| {
            let mut when = condition(chance, &numbers, &fields);
            if chance.below(3) == 0 {
                when = format!("body_len > {} && ({when})", chance.below(4));
            }
            format!("{{when: '{when}', is: {}}}", ["request", "oneway", "error"][index % 3])
        })
        .collect();
    if peek {
        kinds.push("{when: 'p == 2', is: heartbeat}".into());
    }
    kinds.push("{is: response}".into());
    let id = match chance.below(3) {
        0 if !numbers.is_empty() => format!(", request_id: {}", numbers[chance.below(numbers.len())]),
        1 if !fields.is_empty() => format!(", request_id: {}", fields[chance.below(fields.len())]),
        _ => String::new(),
    };
    let stream = if chance.below(3) == 0 && !numbers.is_empty() {
        format!(", stream_id: {}", numbers[chance.below(numbers.len())])
    } else {
        String::new()
    };
    format!(
        "{{metaprotocol: 1, name: random, frame: {frame}{trailer}{id}{stream}, kind: [{}], header: [{}]}}",
        kinds.join(", "),
        header.join(", ")
    )
}

#[test]
fn the_fast_way_says_what_the_walk_says() {
    let mut chance = Chance(0x5eed);
    let tight = Limits { max_frame_len: 40, max_header_len: 20, max_field_count: 3, ..Limits::default() };
    let (mut made, mut fast_ways, mut quick, mut heads) = (0, 0, 0, 0);
    for _ in 0..3000 {
        let text = description(&mut chance);
        // Not every one makes sense: containers are no ids, and some conditions read what comes later.
        let Ok(fast) = metaprotocol_spec::compile(&text, "random.yaml") else { continue };
        let plain = typed(&text).without_fast_way();
        made += 1;
        fast_ways += usize::from(fast.has_fast_way());
        for round in 0..60 {
            let len = chance.below(70);
            let top = [3, 4, 6, 256][round % 4];
            let mut bytes: Vec<u8> = (0..len).map(|_| chance.below(top) as u8).collect();
            if round % 7 == 0 && !bytes.is_empty() {
                let at = chance.below(bytes.len());
                bytes[at] = chance.below(256) as u8;
            }
            for (direction, limits) in [(CLIENT, Limits::default()), (SERVER, Limits::default()), (CLIENT, tight)] {
                let wanted = AnyCodec::split(&plain, direction, &limits, &bytes);
                let found = AnyCodec::split(&fast, direction, &limits, &bytes);
                assert_eq!(found, wanted, "{text}\n{direction:?} {bytes:x?}");
                if let Ok(Split::Head(_)) = wanted {
                    heads += 1;
                    quick += usize::from(fast.takes_fast_way(direction, &limits, &bytes));
                }
            }
        }
    }
    assert!(made > 1000 && fast_ways * 10 > made * 8, "{fast_ways} of {made} have a fast way");
    assert!(heads > 20_000 && quick * 10 > heads * 8, "{quick} of {heads} heads were found in the fast way");
}

#[test]
fn a_tag_of_protobuf_with_too_many_bytes_is_refused_in_both_ways() {
    let text = "{metaprotocol: 1, name: tags, frame: {body: m.n}, kind: [{is: request}],
        header: [{name: m, type: protobuf, len_type: u8, fields: {n: {path: 1, type: uint}}}]}";
    for (tag, fits) in [(&[0x88, 0x80, 0x80, 0x80, 0][..], true), (&[0x88, 0x80, 0x80, 0x80, 0x80, 0][..], false)] {
        let bytes = [&[tag.len() as u8 + 1][..], tag, b"\x01!"].concat();
        let found = AnyCodec::split(&typed(text), CLIENT, &Limits::default(), &bytes);
        assert_eq!(found, AnyCodec::split(&typed(text).without_fast_way(), CLIENT, &Limits::default(), &bytes));
        assert_eq!(found.is_ok(), fits, "{bytes:x?}: {found:?}");
    }
}
