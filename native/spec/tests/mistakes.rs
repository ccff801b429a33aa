//! Each kind of mistake in a description: where it is, what is wrong, what to do.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{folder, mistakes};
use metaprotocol_spec::{Pos, compile, describe};

/// A description that is right, line by line, for others to be wrong in one.
const GOOD: [&str; 9] = [
    "metaprotocol: 1",
    "name: acorn",
    "header:",
    "  - {name: magic, type: u16, const: 0xdabb}",
    "  - {name: id, type: u32}",
    "  - {name: topic_len, type: u16}",
    "  - {name: topic, type: string, len: topic_len}",
    "frame: {body: 4 * topic_len}",
    "request_id: id",
];

/// [`GOOD`] with other lines in the place of one, counted from 1; 10 adds behind the last.
fn with(line: usize, text: &str) -> String {
    let mut lines: Vec<&str> = GOOD.to_vec();
    if line > lines.len() {
        lines.push(text)
    } else {
        lines[line - 1] = text
    }
    lines.join("\n")
}

/// The line to be replaced and by what, the place, the field, and parts of the reason and the fix.
type Case = (usize, &'static str, (u32, u32), &'static str, &'static str, &'static str);

#[test]
fn each_kind_of_mistake_has_its_place_its_reason_and_its_fix() {
    assert!(compile(&GOOD.join("\n"), "test.yaml").is_ok());
    let cases: &[Case] = &[
        (1, "", (2, 1), "metaprotocol", "the version is missing", "add metaprotocol: 1"),
        (1, "metaprotocol: 2", (1, 15), "metaprotocol", "version 2 is not known", "use a newer"),
        (1, "metaprotocol: one", (1, 15), "metaprotocol", "\"one\" is not an integer", "write 10"),
        (2, "", (1, 1), "name", "has no name", "one lower-case word"),
        (2, "name: My-Acorn", (2, 7), "name", "cannot be the name", "\"myacorn\""),
        (2, "name: [a]", (2, 7), "name", "a list where a word is expected", "such as qza"),
        (2, "naem: acorn", (2, 1), "naem", "unknown key \"naem\"", "did you mean \"name\"?"),
        (3, "header: {}\nx:", (3, 9), "header", "a mapping where a list of fields", "- {name: version"),
        (4, "  - magic", (4, 5), "header[0]", "a single value where a field is expected", "{name: version, type: u8}"),
        (4, "  - {type: u16}", (4, 5), "header[0]", "without a name", "add name:"),
        (
            4,
            "  - {name: a b, type: u16}",
            (4, 12),
            "header[0]",
            "cannot be the name of a field",
            "letters, digits and _",
        ),
        (4, "  - {name: direction, type: u16}", (4, 12), "header[0]", "cannot be the name", "take another"),
        (4, "  - {name: magic}", (4, 5), "header.magic", "no type", "add type:"),
        (4, "  - {name: magic, type: u17}", (4, 25), "header.magic", "unknown type \"u17\"", "did you mean \"u16\"?"),
        (4, "  - {name: magic, type: u16, konst: 1}", (4, 30), "header.magic.konst", "unknown key", "\"const\""),
        (
            4,
            "  - {name: magic, type: u8, const: 256}",
            (4, 36),
            "header.magic.const",
            "256 does not fit",
            "from 0 to 255",
        ),
        (
            4,
            "  - {name: magic, type: bytes, len: 2, const: abc}",
            (4, 47),
            "header.magic.const",
            "3 bytes in a field of 2",
            "set len: 3",
        ),
        (
            4,
            "  - {name: magic, type: u8, const: 1, in: [1]}",
            (4, 5),
            "header.magic",
            "const and in at once",
            "keep one",
        ),
        (
            4,
            "  - {name: magic, type: u8, in: 1}",
            (4, 33),
            "header.magic.in",
            "a single value where a list",
            "write [0, 1]",
        ),
        (4, "  - {name: magic, type: u8, in: []}", (4, 33), "header.magic.in", "allows nothing", "list the values"),
        (
            4,
            "  - {name: magic, type: u16, byte_order: middle}",
            (4, 42),
            "header.magic.byte_order",
            "\"middle\"",
            "known here: big, little",
        ),
        (
            5,
            "  - {name: magic, type: u32}",
            (5, 5),
            "header.magic",
            "there is a field \"magic\" already",
            "another name",
        ),
        (
            6,
            "  - {name: topic_len, type: u16, bits: {a: 16}}",
            (6, 44),
            "header.topic_len.bits.a",
            "\"16\" is not a bit",
            "0 (lowest) to 15",
        ),
        (
            6,
            "  - {name: topic_len, type: u16, bits: {a: 4-2}}",
            (6, 44),
            "header.topic_len.bits.a",
            "ends before it begins",
            "write 2-4",
        ),
        (
            6,
            "  - {name: topic_len, type: u16, bits: 7}",
            (6, 40),
            "header.topic_len.bits",
            "not a mapping",
            "{twoway: 6",
        ),
        (7, "  - {name: topic, type: string}", (7, 5), "header.topic", "how long is this string?", "len_type: u16"),
        (
            7,
            "  - {name: topic, type: string, len: 1, len_type: u8}",
            (7, 5),
            "header.topic",
            "len and len_type at once",
            "keep one",
        ),
        (
            7,
            "  - {name: topic, type: string, len: topic_ln}",
            (7, 38),
            "header.topic.len",
            "unknown field \"topic_ln\"",
            "did you mean \"topic_len\"?",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"1 + topic\"}",
            (7, 43),
            "header.topic.len",
            "unknown field \"topic\"",
            "topic_len",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"1 +\"}",
            (7, 42),
            "header.topic.len",
            "the end where a value is expected",
            "write a number",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"(1\"}",
            (7, 41),
            "header.topic.len",
            "the end where \")\" is expected",
            "add \")\"",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"1 2\"}",
            (7, 41),
            "header.topic.len",
            "the number 2 behind a complete",
            "operator",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"1 # 2\"}",
            (7, 41),
            "header.topic.len",
            "'#' means nothing here",
            "operators are",
        ),
        (
            7,
            "  - {name: topic, type: string, len: 0x1g}",
            (7, 38),
            "header.topic.len",
            "\"0x1g\" is not a number",
            "write 10",
        ),
        (
            7,
            "  - {name: topic, type: string, len: \"'ab'\"}",
            (7, 39),
            "header.topic.len",
            "one ASCII character",
            "double quotes",
        ),
        (
            7,
            "  - {name: topic, type: string, len: 2000000}",
            (7, 38),
            "header.topic.len",
            "a length of 2000000",
            "1048576",
        ),
        (
            7,
            "  - {name: topic, type: string, terminated: \"\"}",
            (7, 45),
            "header.topic.terminated",
            "nothing where a word",
            "nul",
        ),
        (
            7,
            "  - {name: topic, type: string, len_type: i8}",
            (7, 43),
            "header.topic.len_type",
            "not an unsigned integer type",
            "u8, u16",
        ),
        (
            7,
            "  - {name: topic, type: string, len_type: u8, padding: 0}",
            (7, 56),
            "header.topic",
            "padding",
            "remove it",
        ),
        (7, "  - {name: topic, type: array}", (7, 5), "header.topic", "an array without a count", "add count"),
        (7, "  - {name: topic, type: array, count: 2}", (7, 5), "header.topic", "an array without items", "add items"),
        (
            7,
            "  - {name: topic, type: array, count: 2, items: {type: bytes, len: 0}}",
            (7, 5),
            "header.topic",
            "without any byte",
            "at least one",
        ),
        (
            7,
            "  - {name: topic, type: array, count: 2, items: {type: map}}",
            (7, 56),
            "header.topic.items",
            "cannot be an element",
            "known here",
        ),
        (
            7,
            "  - {name: topic, type: map, len: 2, value: {type: u8}}",
            (7, 5),
            "header.topic.key",
            "a map without key",
            "add key",
        ),
        (
            7,
            "  - {name: topic, type: map, len: 2, key: {type: u8}, value: {type: u8}}",
            (7, 5),
            "header.topic.key",
            "not texts",
            "string",
        ),
        (7, "  - {name: topic, type: struct}", (7, 5), "header.topic", "a struct without fields", "add fields"),
        (
            7,
            "  - {name: topic, type: protobuf, len: 4, fields: {a: {type: string}}}",
            (7, 52),
            "header.topic.fields.a",
            "no path",
            "add path",
        ),
        (
            7,
            "  - {name: topic, type: protobuf, len: 4, fields: {a: {path: x, type: string}}}",
            (7, 52),
            "header.topic.fields.a",
            "\"x\" is not a path",
            "numbers joined",
        ),
        (
            7,
            "  - {name: topic, type: protobuf, len: 4, fields: {a: {path: 1, type: text}}}",
            (7, 71),
            "header.topic.fields.a",
            "type \"text\"",
            "known here: string",
        ),
        (
            7,
            "  - {name: topic, type: u32, checksum: {algorithm: crc33, over: header}}",
            (7, 52),
            "header.topic.checksum.algorithm",
            "\"crc33\"",
            "did you mean \"crc32\"?",
        ),
        (
            7,
            "  - {name: topic, type: u16, checksum: {algorithm: crc32, over: header}}",
            (7, 40),
            "header.topic.checksum",
            "too small",
            "type: u32",
        ),
        (
            7,
            "  - {name: topic, type: u32, checksum: {algorithm: crc32}}",
            (7, 40),
            "header.topic.checksum",
            "what does it cover?",
            "add over",
        ),
        (
            7,
            "  - {name: topic, type: u32, checksum: {algorithm: crc32, over: start..idd}}",
            (7, 65),
            "header.topic.checksum.over",
            "unknown edge \"idd\"",
            "did you mean \"id\"?",
        ),
        (
            7,
            "  - {name: topic, type: u32, peek: true}\n  - {name: more, type: u8}",
            (8, 5),
            "header.more",
            "behind one that is only peeked at",
            "move it",
        ),
        (
            7,
            "  - {name: topic, type: u32, when: \"id ==\"}",
            (7, 42),
            "header.topic.when",
            "the end where a value",
            "write a number",
        ),
        (8, "", (1, 1), "frame", "how long is a frame?", "add frame"),
        (8, "frame: {length: 4, fixed: 4}", (8, 8), "frame", "2 rules for the length", "exactly one"),
        (8, "frame: {fixed: 0}", (8, 16), "frame.fixed", "a frame of 0 bytes", "at least 1"),
        (8, "frame: {body: topic}", (8, 15), "frame.body", "a text where a number is expected", "len(field)"),
        (9, "request_id: idd", (9, 13), "request_id", "unknown field \"idd\"", "did you mean \"id\"?"),
        (9, "stream_id: topic", (9, 12), "stream_id", "cannot be an id", "an integer"),
        (9, "pair_by: id", (9, 10), "pair_by", "an id that frames do not have", "add request_id"),
        (10, "sharing: multiplex", (10, 10), "sharing", "\"multiplex\"", "did you mean \"multiplexed\"?"),
        (10, "first_speaker: anyone", (10, 16), "first_speaker", "\"anyone\"", "client, server"),
        (10, "kind: reqest", (10, 7), "kind", "\"reqest\"", "did you mean \"request\"?"),
        (10, "kind: [{when: id}]", (10, 8), "kind[0]", "without is", "add is"),
        (10, "kind: [{is: request}, {is: response}]", (10, 23), "kind[1]", "never reached", "move it"),
        (
            10,
            "kind: {field: id, values: {x: request}}",
            (10, 28),
            "kind.values.x",
            "\"x\" is not an integer",
            "write 1",
        ),
        (10, "limits: {max_frame_len: 16MB}", (10, 25), "limits.max_frame_len", "\"16MB\" is no size", "16MiB"),
        (10, "byte_order: big-endian", (10, 13), "byte_order", "\"big-endian\"", "big, little"),
        (10, "aliases: other", (10, 10), "aliases", "where a list is expected", "[one, two]"),
        (10, "metadata: {a: idd}", (10, 15), "metadata.a", "unknown field \"idd\"", "did you mean \"id\"?"),
        (10, "metadata: {a: {text: \"{idd}\"}}", (10, 24), "metadata.a.text", "called \"idd\"", "did you mean \"id\"?"),
        (
            10,
            "metadata: {a: {value: id, write: yes}}",
            (10, 34),
            "metadata.a.write",
            "neither true nor false",
            "true or false",
        ),
        (
            10,
            "metadata: {a: {value: id + 1, write: true}}",
            (10, 38),
            "metadata.a.write",
            "only a field itself",
            "plain value",
        ),
        (
            10,
            "metadata: {a: {value: topic_len, write: true}}",
            (10, 41),
            "metadata.a.write",
            "follows from the rest",
            "remove write",
        ),
        (
            10,
            "metadata: {a: {value: id, format: ip}}",
            (10, 35),
            "metadata.a.format",
            "\"ip\"",
            "did you mean \"ipv4\"?",
        ),
        (10, "metadata: {a: {value: id, default: 3}}", (10, 36), "metadata.a", "a default without a map", "add map"),
        (
            10,
            "metadata: {a: {value: id, map: {x: y}}}",
            (10, 33),
            "metadata.a.map",
            "\"x\" is not an integer",
            "map numbers",
        ),
        (10, "metadata: {\"*\": topic}", (10, 17), "metadata.*", "only open maps", "type map"),
        (
            10,
            "reply: {error: {set: {idd: 1}}}",
            (10, 23),
            "reply.error.set.idd",
            "unknown key \"idd\"",
            "did you mean \"id\"?",
        ),
        (
            10,
            "reply: {error: {set: {topic_len: 1}}}",
            (10, 23),
            "reply.error.set.topic_len",
            "follows from the rest",
            "by themselves",
        ),
        (10, "reply: {error: {set: {id: error.code}}}", (10, 16), "reply.error", "there are no codes", "add codes"),
        (
            10,
            "reply: {error: {codes: {no_route: 1}}}",
            (10, 25),
            "reply.error.codes.no_route",
            "unknown key",
            "known here: route_not_found",
        ),
        (
            10,
            "reply: {error: {body: \"{message}\"}}",
            (10, 25),
            "reply.error.body",
            "unknown field \"message\"",
            "did you mean \"error.message\"?",
        ),
        (
            10,
            "trailer: [{name: t, type: string, len_type: u8}]",
            (10, 11),
            "trailer.t",
            "different lengths",
            "fixed length",
        ),
        (
            10,
            "trailer: [{name: t, type: u8, when: id}]",
            (10, 11),
            "trailer.t",
            "a condition in the trailer",
            "remove it",
        ),
        (10, "detect: maybe", (10, 9), "detect", "this is no rule", "never"),
        (10, "parameters: {width: {in: [1]}}", (10, 14), "parameters.width", "no default", "add default"),
        (
            10,
            "parameters: {width: {default: 3, in: [1]}}",
            (10, 14),
            "parameters.width",
            "3 is not allowed",
            "use one of [1]",
        ),
        (10, "summary: *x", (10, 10), "", "not YAML", "check"),
        (10, "summary: &x y", (10, 10), "", "an anchor", "write the value out"),
        (10, "summary: !!str y", (10, 10), "", "a tag", "write the value out"),
        (10, "name: again", (10, 1), "name", "comes twice", "line 2"),
        (10, "summary: [", (10, 11), "", "not YAML", "check"),
    ];
    let mut wrong = Vec::new();
    for (line, text, (at_line, column), field, reason, fix) in cases {
        let text = with(*line, text);
        let errors = mistakes(&text);
        let place = Pos { line: *at_line, column: *column };
        let found = errors.0.iter().find(|error| {
            // Where YAML itself breaks off is the parser's to say.
            let placed = error.pos == place || reason.contains("not YAML");
            placed && error.field == *field && error.reason.contains(reason) && error.fix.contains(fix)
        });
        match found {
            None => wrong.push(format!("{place:?}: {field}: {reason}; {fix} is not among\n{errors}\nin\n{text}")),
            Some(found) => {
                let place = format!("test.yaml:{}:{}: ", found.pos.line, found.pos.column);
                assert!(found.to_string().starts_with(&place), "{found}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn mistakes_that_do_not_follow_from_each_other_are_all_told() {
    let text = "metaprotocol: 1\nname: Bad\nheader:\n  - {name: a, type: u9}\n  - {name: b, type: u8, oops: 1}\nframe: {fixed: x}\n";
    let errors = mistakes(text);
    let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["name", "header.a", "header.b.oops", "frame.fixed"]);
}

#[test]
fn parameters_are_checked_against_what_the_description_allows() {
    let text = fs::read_to_string(folder("awesomerpc").join("awesomerpc.yaml")).expect("a description");
    let wrong = |path: &str| compile(&text, path).err().map(|errors| errors.0[0].reason.clone());
    assert_eq!(wrong("a.yaml?length_width=2"), None);
    assert_eq!(wrong("a.yaml?length_width=3").as_deref(), Some("3 is not allowed"));
    assert_eq!(wrong("a.yaml?length_width=x").as_deref(), Some("given \"x\", not a number"));
    assert_eq!(wrong("a.yaml?width=2").as_deref(), Some("there is no parameter \"width\""));
}

/// Random damage to real descriptions: an error or a codec, never a panic, and in bounded time.
#[test]
fn no_text_makes_the_compiler_fail() {
    let mut seed = 0x5eed_u64;
    let mut next = |end: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % end.max(1)
    };
    let read =
        |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("a description");
    let texts = [
        read("../../codecs/qza/qza.yaml"),
        read("../../codecs/zork/zork.yaml"),
        read("../../codecs/awesomerpc/awesomerpc.yaml"),
        read("tests/descriptions/dubbo.yaml"),
        read("tests/descriptions/trpc.yaml"),
    ];
    let bits = [
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "  ",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "\"",
        "'",
        "0x",
        "9999999999999999999",
        "é",
        "\u{0}",
        "#",
        "? ",
        "%",
        "<<",
    ];
    for round in 0..3000 {
        let mut text: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len());
            match next(4) {
                0 => drop(text.drain(at..(at + 1 + next(12)).min(text.len()))),
                1 => drop(text.splice(at..at, bits[next(bits.len())].chars())),
                2 => {
                    let from = next(text.len());
                    let piece: Vec<char> = text[from..(from + next(60)).min(text.len())].to_vec();
                    drop(text.splice(at..at, piece));
                }
                _ => text.truncate(at.max(10)),
            }
        }
        let text: String = text.into_iter().collect();
        let _ = describe(&text, "mutated.yaml");
    }
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(50_000),
        "- ".repeat(100_000),
        "a: &a [*a]\n".repeat(1000),
        format!("metaprotocol: 1\nname: a\nframe: {{length: \"{}1\"}}", "(".repeat(4000)),
        format!("metaprotocol: 1\nname: a\nframe: {{length: \"{}1\"}}", "-".repeat(4000)),
        format!("metaprotocol: 1\nname: a\nframe: {{length: \"{}1\"}}", "1 ? 1 : ".repeat(500)),
        "x".repeat(1 << 20),
    ] {
        assert!(compile(&text, "bomb.yaml").is_err());
    }
}

/// What is told of a description, in short: line and reason of each mistake.
fn told(text: &str) -> Vec<(u32, String)> {
    mistakes(text).0.into_iter().map(|error| (error.pos.line, error.reason)).collect()
}

#[test]
fn a_mistake_is_told_once_and_not_where_its_name_is_used() {
    const WHOLE: &str = "\
metaprotocol: 1
name: acorn
parameters: {wide: {default: 4}}
header:
  - {name: route_len, type: u16}
  - {name: flags, type: u8, bits: {two_way: 7}}
  - {name: route, type: string, len: route_len, when: wide == 4}
  - {name: meta, type: protobuf, len: route_len, fields: {id: {path: 1, type: uint}}}
  - {name: id, type: u32}
  - {name: sum, type: u16, checksum: {algorithm: crc16_arc, over: start..id}}
frame: {length: 4 * route_len}
request_id: id
kind: {field: flags, values: {1: request, 2: response}}
metadata:
  route: route
  way: {value: two_way}
  operation: {text: \"{route}/{route_len}/{way}\"}
  meta: meta.id
reply:
  error: {set: {id: 1, route: \"\"}, body: \"{route}\"}
";
    assert!(compile(WHOLE, "test.yaml").is_ok());
    let cases = [
        ("route_len, type: u16", "route_len, type: u17", 5, "unknown type \"u17\""),
        ("route_len, type: u16", "route_len, type: u16, const: 70000", 5, "70000 does not fit"),
        ("{name: route_len, type: u16}", "{nmae: route_len, type: u16}", 5, "a field without a name"),
        ("{name: route_len, type: u16}", "{name: route_len}", 5, "no type"),
        ("{name: route_len, type: u16}", "route_len", 5, "a single value where a field is expected"),
        ("type: u8, bits", "type: uint8, bits", 6, "unknown type \"uint8\""),
        ("{two_way: 7}", "{two_way: 8}", 6, "\"8\" is not a bit of flags"),
        ("string, len: route_len", "string", 7, "how long is this string?"),
        ("string, len: route_len", "string, len: route_lne", 7, "unknown field \"route_lne\""),
        ("protobuf, len", "protobuf, lenn: 4, len", 8, "unknown key \"lenn\""),
        ("path: 1, type: uint", "path: 1, type: u8", 8, "type \"u8\" is not read from such a container"),
        ("path: 1, type: uint", "path: x, type: uint", 8, "\"x\" is not a path here"),
        ("id, type: u32", "id, type: u33", 9, "unknown type \"u33\""),
        ("parameters: {wide: {default: 4}}", "parametres: {wide: {default: 4}}", 3, "unknown key \"parametres\""),
        ("{default: 4}", "{}", 3, "no default"),
        ("header:", "haeder:", 4, "unknown key \"haeder\""),
        ("frame:", "frmae:", 11, "unknown key \"frmae\""),
        ("name: acorn", "naem: acorn", 2, "unknown key \"naem\""),
        ("way: {value: two_way}", "way: {value: tow_way}", 16, "unknown field \"tow_way\""),
        ("way: {value: two_way}", "way: {}", 16, "either value or text, and only one"),
    ];
    for (right, wrong, line, reason) in cases {
        assert_eq!(WHOLE.matches(right).count(), 1, "{right}");
        assert_eq!(told(&WHOLE.replace(right, wrong)), [(line, reason.to_owned())], "{wrong}");
    }
}

#[test]
fn what_a_broken_name_hides_is_only_that_name() {
    let text = "metaprotocol: 1\nname: a\nheader:\n  - {name: a_len, type: u17}\n  - {name: b, type: bytes, len: a_len}\n\
                frame: {length: a_len + c_len}\nrequest_id: d\nmetadata: {b: b, e: nothing}\n";
    let lines: Vec<u32> = told(text).into_iter().map(|(line, _)| line).collect();
    // The length of a frame stops at its first unknown name, which is the broken one.
    assert_eq!(lines, [4, 7, 8]);
}
