//! What is no Redis, what is too much, and that neither costs anything.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{command, redis, words};
use metaprotocol_core::{AnyCodec, DecodeError, Detection, Direction, Limits, Reason};
use metaprotocol_redis::Redis;
use metaprotocol_testkit::{Bound, CLIENT, SERVER, Sample, decode, exceeded_by_one, feed, held};

fn error(direction: Direction, stream: &[u8]) -> DecodeError {
    let decoded = decode(&redis(), direction, stream);
    decoded.failure.unwrap_or_else(|| panic!("no error in {}: {decoded:?}", stream.escape_ascii()))
}

#[test]
fn every_error_names_its_place() {
    let limit = |limit, value, max, at| Reason::LimitExceeded { limit, value, max }.at(at);
    let frame = |value, at| limit("max_frame_len", value, 64 << 20, at);
    let encoding = |field, at| Reason::BadEncoding { field }.at(at);
    let length = |field, value, at| Reason::BadLength { field, value }.at(at);
    let magic =
        |expected: u8, found: u8, at| Reason::BadMagic { expected: expected.into(), found: found.into() }.at(at);
    let a_reply = |at| Reason::WrongDirection { what: "a reply" }.at(at);
    let server: Vec<(&[u8], DecodeError)> = vec![
        (b"*1000000000\r\n", frame(3_000_000_013, 1)),
        (b"%1000000000\r\n", frame(6_000_000_013, 1)),
        (b"|1000000000\r\n", frame(6_000_000_013, 1)),
        (b">1000000000\r\n", frame(3_000_000_013, 1)),
        (b"*1\r\n~1000000000\r\n", frame(3_000_000_017, 5)),
        (b"*999999999999999999\r\n", frame(3_000_000_000_000_000_018, 1)),
        (b"%999999999999999999\r\n", frame(6_000_000_000_000_000_015, 1)),
        (b"$2147483648\r\n", frame(2_147_483_663, 13)),
        (b"!2147483648\r\n", frame(2_147_483_663, 13)),
        (b"=2147483648\r\n", frame(2_147_483_663, 13)),
        (b"$?\r\n;2147483648\r\n", frame(2_147_483_667, 17)),
        (b"$9999999999999999999\r\n", encoding("bulk string length", 19)),
        (b"$-2\r\n", length("bulk string length", -2, 1)),
        (b"*-2\r\n", length("array length", -2, 1)),
        (b"*-9999\r\n", length("array length", -9999, 1)),
        (b"%-1\r\n", encoding("map length", 1)),
        (b"~-1\r\n", encoding("set length", 1)),
        (b">-1\r\n", encoding("push length", 1)),
        (b">?\r\n", encoding("push length", 1)),
        (b"|?\r\n", encoding("attribute length", 1)),
        (b"!-1\r\n", encoding("bulk error length", 1)),
        (b"=?\r\n", encoding("verbatim string length", 1)),
        (b"$-0\r\n", encoding("bulk string length", 1)),
        (b"$+1\r\n", encoding("bulk string length", 1)),
        (b"$ 1\r\n", encoding("bulk string length", 1)),
        (b"$00\r\n", encoding("bulk string length", 2)),
        (b"$1\n\r", encoding("bulk string length", 2)),
        (b"$1\r\r", encoding("bulk string length", 3)),
        (b"$1\r\nab\r\n", encoding("end of bulk string", 5)),
        (b"*1\r\n$1\r\na\n\n", encoding("end of bulk string", 9)),
        (b"=3\r\ntxt\r\n", encoding("format of verbatim string", 4)),
        (b"=4\r\ntext\r\n", encoding("format of verbatim string", 7)),
        (b":\r\n", encoding("integer", 1)),
        (b":-\r\n", encoding("integer", 2)),
        (b":1 \r\n", encoding("integer", 2)),
        (b":99999999999999999999999999999999\r\n", encoding("integer", 1)),
        (b":-9223372036854775809\r\n", encoding("integer", 1)),
        (b",\r\n", encoding("double", 1)),
        (b",1.5x\r\n", encoding("double", 4)),
        (b",infinity\r\n", encoding("double", 7)),
        (b",1e\r\n", encoding("double", 3)),
        (b"#x\r\n", encoding("boolean", 1)),
        (b"#true\r\n", encoding("boolean", 2)),
        (b"_x\r\n", encoding("null", 1)),
        (b"(12a\r\n", encoding("big number", 3)),
        (b"(-\r\n", encoding("big number", 2)),
        (b"+a\rb\r\n", encoding("simple string", 3)),
        (b"-a\nb\r\n", encoding("error", 2)),
        (b";1\r\na\r\n", magic(b'+', b';', 0)),
        (b".\r\n", magic(b'+', b'.', 0)),
        (b"*1\r\n.\r\n", magic(b'+', b'.', 4)),
        (b"%?\r\n:1\r\n.\r\n", magic(b'+', b'.', 8)),
        (b"$?\r\n:1\r\n", magic(b';', b':', 4)),
        (b"\0\0\0\0", magic(b'+', 0, 0)),
        (b"\n", magic(b'+', b'\n', 0)),
    ];
    for (stream, expected) in server {
        assert_eq!(error(SERVER, stream), expected, "{}", stream.escape_ascii());
    }
    let client: Vec<(&[u8], DecodeError)> = vec![
        (b"*1000000000\r\n", frame(6_000_000_013, 1)),
        (b"*-1\r\n", a_reply(1)),
        (b"*?\r\n", a_reply(1)),
        (b"*-2\r\n", length("number of arguments", -2, 1)),
        (b"*1\r\n$-1\r\n", a_reply(5)),
        (b"*2\r\n$1\r\na\r\n$-1\r\n", a_reply(12)),
        (b"*1\r\n*1\r\n", a_reply(4)),
        (b"*1\r\n_\r\n_\r\n", a_reply(4)),
        (b"*1\r\nPING\r\n", magic(b'$', b'P', 4)),
        (b"%1\r\n", a_reply(0)),
        (b"*2\r\n$3\r\nSET\r\n$2147483647\r\n", frame(2_147_483_675, 26)),
        (b"*1\r\n$65536\r\n", limit("max_header_len", 65_550, 65_536, 5)),
        (b"GET k\x01\r\n", encoding("inline command", 5)),
        (b"SET k 'v' w\"x\r\n", encoding("quotes of inline command", 11)),
        (b"SET k \"v\"w\r\n", encoding("quotes of inline command", 6)),
        (b"Host: example.org\r\n", magic(b'*', b':', 4)),
        (b"GET /x HTTP/1.0\r\n", magic(b'*', b'G', 0)),
        (b"post x\r\n", magic(b'*', b'p', 0)),
        (b"1 2\r\n", magic(b'*', b'1', 0)),
        (b"GET\0\r\n", magic(b'*', 0, 3)),
    ];
    for (stream, expected) in client {
        assert_eq!(error(CLIENT, stream), expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn the_first_byte_that_cannot_be_right_is_an_error() {
    for (direction, stream) in [
        (SERVER, &b"$1x"[..]),
        (SERVER, b":1x"),
        (SERVER, b"#x"),
        (SERVER, b"H"),
        (SERVER, b"+a\n"),
        (CLIENT, b"Host:"),
        (CLIENT, b"*1\r\nx"),
        (CLIENT, b"GET \x02"),
        (CLIENT, b"\x80"),
    ] {
        assert_eq!(error(direction, stream).offset, stream.len() as u64 - 1, "{}", stream.escape_ascii());
    }
}

#[test]
fn nesting_bombs_of_a_million_levels() {
    for level in [&b"*1\r\n"[..], b"%1\r\n+a\r\n", b"~1\r\n", b"*?\r\n", b"|1\r\n+a\r\n"] {
        let found = error(SERVER, &level.repeat(1_000_000));
        assert!(
            matches!(found.reason, Reason::LimitExceeded { limit: "max_nesting", value: 257, max: 256 }),
            "{found} in levels of {}",
            level.escape_ascii()
        );
        assert_eq!(found.offset, 256 * level.len() as u64);
    }
}

#[test]
fn nothing_is_allocated_for_what_a_length_claims() {
    let claims: [(Direction, &[u8]); 9] = [
        (SERVER, b"$60000000\r\nx"),
        (SERVER, b"*20000000\r\n:1\r\n"),
        (SERVER, b"%10000000\r\n:1\r\n"),
        (SERVER, b"|1\r\n+a\r\n*20000000\r\n"),
        (SERVER, b"$?\r\n;60000000\r\nx"),
        (CLIENT, b"*10000000\r\n$3\r\nDEL\r\n$1\r\n"),
        (CLIENT, b"*2\r\n$3\r\nGET\r\n$60000000\r\nx"),
        (CLIENT, b"*1\r\n$65000\r\nx"),
        (CLIENT, b"SET k "),
    ];
    for (direction, claim) in claims {
        let (bytes, result) = held(&redis(), Limits::default(), &Sample::new("a claim", direction, claim));
        assert!(result.frames.is_empty() && result.failure.is_none() && result.missing > 0, "{result:?}");
        assert!(bytes < 4096, "{bytes} bytes for {}", claim.escape_ascii());
    }
}

#[test]
fn as_much_as_the_limits_pass() {
    let nested = Sample::new("nested", SERVER, &b"*1\r\n%1\r\n+a\r\n*?\r\n:1\r\n.\r\n"[..]);
    exceeded_by_one(&redis(), &nested, Bound::Nesting, 3);
    let long = Sample::new("long", SERVER, &b"*2\r\n$5\r\nhello\r\n:1\r\n"[..]);
    exceeded_by_one(&redis(), &long, Bound::FrameLen, 19);
    let name = Sample::new("a name", CLIENT, words("ABCDEFG k"));
    exceeded_by_one(&redis(), &name, Bound::HeaderLen, 17);
    // A line as long as a server takes it, and one byte more.
    let line = |len: usize| [&b"SET k "[..], &vec![b'x'; len - 7], b"\n"].concat();
    assert_eq!(decode(&redis(), CLIENT, &line(65536)).frames.len(), 1);
    assert_eq!(error(CLIENT, &line(65537)).reason.code(), "limit_exceeded");
}

#[test]
fn long_strings_are_handed_on_before_they_are_in() {
    let long = vec![b'x'; 5000];
    for (direction, stream) in [
        (CLIENT, command(&[&b"SET"[..], b"k", &long])),
        (SERVER, [b"$5000\r\n", &long[..], b"\r\n"].concat()),
        (SERVER, [b"*2\r\n:1\r\n$5000\r\n", &long[..], b"\r\n"].concat()),
    ] {
        let head = AnyCodec::split(&Redis, direction, &Limits::default(), &stream[..stream.len() - 5000]);
        let known = matches!(head, Ok(metaprotocol_core::Split::Head(head)) if head.frame_len == stream.len());
        assert!(known, "{head:?}");
        // Where it ends follows from its length alone, however it comes.
        let mut broken = stream.clone();
        broken.truncate(stream.len() - 2);
        broken.extend_from_slice(b"??");
        for step in [1, 100, 10_000] {
            let decoded = feed(&redis(), direction, Limits::default(), &broken, std::iter::repeat(step));
            assert_eq!((decoded.frames.len(), decoded.failure), (1, None));
        }
    }
}

#[test]
fn who_is_recognised() {
    let (yes, no, more) = (Detection::Yes, Detection::No, Detection::NeedMore);
    let cases: Vec<(Direction, &[u8], Detection)> = vec![
        (CLIENT, b"", more),
        (CLIENT, b"*", more),
        (CLIENT, b"*1\r\n$4\r\nPI", more),
        (CLIENT, b"*1\r\n$4\r\nPING", more),
        (CLIENT, b"*1\r\n$4\r\nPING\r\n", yes),
        (CLIENT, b"*1\r\n$4\r\nPINK\r\n", no),
        (CLIENT, b"*2\r\n$8\r\nJSON.GET\r\n", yes),
        (CLIENT, b"*2\r\n$3\r\nget\r\n", yes),
        (CLIENT, b"*2\r\n$3\r\nget__", no),
        (CLIENT, b"*0\r\n", more),
        (CLIENT, b"*2\r\n:1\r\n", no),
        (CLIENT, b"*2\r\n$9999\r\n", no),
        (CLIENT, b"PI", more),
        (CLIENT, b"PING\r\n", more),
        (CLIENT, b"PING\r\nDBSIZE\r\n", yes),
        (CLIENT, b"PING\r\n\r\n*1\r\n$4\r\nPING\r\n", yes),
        (CLIENT, b"SYNC\r\n", yes),
        (CLIENT, b"CONFIG GET x\r\n", yes),
        (CLIENT, b"CONFIG WHAT x\r\n", no),
        (CLIENT, b"DBSIZE now\r\n", no),
        (CLIENT, b"GET / HTTP/1.1\r\n", no),
        (CLIENT, b"POST", no),
        (CLIENT, b"the", no),
        (CLIENT, b"EHLO", no),
        (CLIENT, b"\r\n", no),
        (CLIENT, b"\x16", no),
        (CLIENT, b"\x80\x01", no),
        (SERVER, b"", more),
        (SERVER, b"+", more),
        (SERVER, b"+OK", more),
        (SERVER, b"+OK\r\n", yes),
        (SERVER, b"+OK POP3 server ready\r\n", no),
        (SERVER, b"+FULLRESYNC abc 0\r\n", yes),
        (SERVER, b"-ERR unknown command\r\n", yes),
        (SERVER, b"-err\r\n", no),
        (SERVER, b"- \r\n", no),
        (SERVER, b":12\r\n", yes),
        (SERVER, b":x", no),
        (SERVER, b"$5\r\n", yes),
        (SERVER, b"$-1\r\n", yes),
        (SERVER, b"$99999999999\r\n", no),
        (SERVER, b"*2\r\n", more),
        (SERVER, b"*2\r\n:", yes),
        (SERVER, b"*2\r\nx", no),
        (SERVER, b"*0\r\n", yes),
        (SERVER, b"%7\r\n$", yes),
        (SERVER, b"_\r\n", yes),
        (SERVER, b"#t\r\n", yes),
        (SERVER, b"GET", no),
        (SERVER, b"HTTP/1.1", no),
        (SERVER, b"\0\0\0\x20", no),
        (SERVER, b"220 mail ESMTP\r\n", no),
        (SERVER, b"{\"a\":1}", no),
    ];
    for (direction, prefix, expected) in cases {
        assert_eq!(AnyCodec::detect(&Redis, direction, prefix), expected, "{}", prefix.escape_ascii());
    }
    // Words that many have do not keep anybody waiting for ever.
    assert_eq!(AnyCodec::detect(&Redis, CLIENT, &b"get some-key\r\n".repeat(100)), no);
    assert_eq!(AnyCodec::detect(&Redis, CLIENT, &[&b"SET k "[..], &[b'x'; 2000]].concat()), no);
    assert_eq!(AnyCodec::detect(&Redis, SERVER, &[&b"-E"[..], &[b'E'; 2000]].concat()), no);
}
