//! The header and the Rust declarations are one: each size, offset and number, as a C compiler sees them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::offset_of;
use std::process::Command;

use metaprotocol_core::{Detection, Direction, ErrorType, FirstSpeaker, Kind, PairBy, Sharing};
use metaprotocol_plugin::abi;

mod common;

type Numbers = BTreeMap<String, i64>;

macro_rules! structs {
    ($numbers:ident, $source:ident; $($rust:ident $c:literal { $($field:ident),* };)*) => {$(
        $numbers.insert(concat!("sizeof ", $c).into(), size_of::<abi::$rust>() as i64);
        let _ = writeln!($source, "printf(\"sizeof {0} %zu\\n\", sizeof({0}));", $c);
        let mut end = 0;
        $(
            let name = stringify!($field).trim_start_matches("r#");
            let at = offset_of!(abi::$rust, $field);
            assert!(at >= end, "{}.{name} is out of order", $c);
            end = at + 1;
            $numbers.insert(format!("{}.{name}", $c), at as i64);
            let _ = writeln!($source, "printf(\"{0}.{name} %zu\\n\", offsetof({0}, {name}));", $c);
        )*
        // Does not compile if a field is not listed.
        let _ = |all: abi::$rust| { let abi::$rust { $($field: _),* } = all; };
        assert!(size_of::<abi::$rust>() >= end);
    )*};
}

macro_rules! constants {
    ($numbers:ident; $($name:ident),*) => {$(
        $numbers.insert(concat!("METAPROTOCOL_", stringify!($name)).into(), abi::$name as i64);
    )*};
}

/// The numbers of the enums, which are those of the core.
fn enums(numbers: &mut Numbers) {
    let mut add = |name: &str, number: i64| numbers.insert(format!("METAPROTOCOL_{}", name.to_uppercase()), number);
    for way in [Direction::ClientToServer, Direction::ServerToClient] {
        add(way.name(), way as i64);
    }
    for kind in Kind::ALL {
        add(kind.name(), kind as i64);
    }
    for by in [PairBy::Id, PairBy::Order, PairBy::Stream, PairBy::None] {
        add(&format!("pair_by_{}", by.name()), by as i64);
    }
    for sharing in [Sharing::Multiplexed, Sharing::Pipelined, Sharing::Bound] {
        add(sharing.name(), sharing as i64);
    }
    for first in [FirstSpeaker::Client, FirstSpeaker::Server] {
        add(&format!("{}_first", first.name()), first as i64);
    }
    for error in ErrorType::ALL {
        let name = format!("{error:?}");
        let snake: String =
            name.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain([c])).skip(1).collect();
        add(&snake, error as i64);
    }
    for (name, detection) in [("yes", Detection::Yes), ("no", Detection::No), ("need_more", Detection::NeedMore)] {
        add(name, detection as i64);
    }
}

#[test]
fn they_agree() {
    let mut numbers = Numbers::new();
    let mut source = String::from("#include <stdio.h>\n#include \"metaprotocol_codec.h\"\nint main(void) {\n");
    structs! { numbers, source;
        Limits "metaprotocol_limits" { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight };
        Head "metaprotocol_head" {
            frame_len, request_id, stream_id, header_len, id_at, id_len, variant, kind, id_type, has_stream_id, reserved
        };
        Frame "metaprotocol_frame" { bytes, len, head };
        Error "metaprotocol_error" { reason, reserved, offset, found, expected, name, code };
        Split "metaprotocol_split" { head, need, error };
        Value "metaprotocol_value" { r#type, reserved, number, text, len };
        Edit "metaprotocol_edit" { key, key_len, key_id, remove, value };
        Edits "metaprotocol_edits" { edits, edit_count, request_id, has_request_id, reserved };
        Sink "metaprotocol_sink" { sink, borrow, write };
        EncodeError "metaprotocol_encode_error" { kind, edit, len, max, text, malformed };
        Key "metaprotocol_key" { name, about, writable, number, reserved };
        Codec "metaprotocol_codec" {
            abi_version, struct_size, context, name, summary, aliases, keys, key_count, min_header_len, pair_by, sharing,
            first_speaker, heartbeats, open_keys, reserved, state_new, state_free, split, fields, field, rewrite, reply,
            detect
        };
    }
    constants! { numbers;
        ABI_VERSION, ID_NONE, ID_INT, ID_BYTES, BAD_MAGIC, BAD_LENGTH, BAD_VALUE, BAD_ENCODING, UNEXPECTED_END,
        UNSUPPORTED, WRONG_DIRECTION, LIMIT_EXCEEDED, BAD_CHECKSUM, CUSTOM, FAILED, SPLIT_HEAD, SPLIT_NEED, SPLIT_ERROR,
        VIEW, TEXT, INT, UINT, NO_KEY, NOT_WRITABLE, VALUE_REFUSED, TOO_LONG, MALFORMED, NO_REPLY, EDIT_REQUEST_ID,
        ANSWER_HEARTBEAT, OK, FAIL, NO_ANSWER
    }
    enums(&mut numbers);
    for name in numbers.keys().filter(|name| name.starts_with("METAPROTOCOL_")) {
        let _ = writeln!(source, "printf(\"{name} %lld\\n\", (long long){name});");
    }
    source.push_str("puts(METAPROTOCOL_CAPSULE_NAME); puts(METAPROTOCOL_CODECS_SYMBOL); return 0; }\n");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("layout.c");
    std::fs::write(&file, source).unwrap();
    let program = common::cc(&file, "layout", &[]);
    let output = String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap();
    let mut lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.pop(), abi::CODECS_SYMBOL.to_str().ok());
    assert_eq!(lines.pop(), abi::CAPSULE_NAME.to_str().ok());
    let in_c: Numbers = lines
        .into_iter()
        .map(|line| line.rsplit_once(' ').map(|(name, number)| (name.into(), number.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(in_c, numbers);

    // Every number of the header was compared.
    let header = std::fs::read_to_string(common::root().join("include/metaprotocol_codec.h")).unwrap();
    let told = header.lines().filter_map(|line| line.trim().strip_prefix("METAPROTOCOL_")?.split_once(" = "));
    let names: Vec<_> = told.map(|(name, _)| format!("METAPROTOCOL_{name}")).collect();
    assert!(names.len() > 50);
    for name in names {
        assert!(numbers.contains_key(&name), "{name} is not compared");
    }
}
