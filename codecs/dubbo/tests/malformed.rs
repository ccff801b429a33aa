//! Bad input, each with its error at its place, at once and without believing what a length claims.

mod common;

use common::{dubbo, fields, frame, map, request, response, text, try_field, whole};
use metaprotocol_core::{AnyCodec, DecodeError, Frame, Limits, Reason, Split};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_dubbo::hessian::{describe, skip};
use metaprotocol_dubbo::wire::{HESSIAN2, Header, OK, REQUEST, STATUSES, TWO_WAY};
use metaprotocol_testkit::{
    Bound, CLIENT, Decoded, Fields, SERVER, Sample, decode, exceeded_by_one, feed, feed_to, held, string,
};

const TWO_WAY_REQUEST: u8 = REQUEST | TWO_WAY | HESSIAN2;

/// All fields of a frame within limits; those before an error too.
fn try_fields(frame: Frame<'_>, limits: &Limits) -> (Fields, Result<(), DecodeError>) {
    metaprotocol_testkit::try_fields(&Dubbo, frame, limits)
}

fn split(bytes: &[u8]) -> Result<Split, DecodeError> {
    AnyCodec::split(&Dubbo, CLIENT, &Limits::default(), bytes)
}

fn header(flags: u8, status: u8, body_len: u32) -> Vec<u8> {
    Header { flags, status, request_id: 1 }.to_bytes(body_len).to_vec()
}

#[test]
fn headers_that_cannot_be_are_refused_at_their_place() {
    let max = Limits::default().max_frame_len;
    let over = |len: u64| Reason::LimitExceeded { limit: "max_frame_len", value: len, max }.at(12);
    let mut wrong_magic = header(TWO_WAY_REQUEST, 0, 0);
    wrong_magic[1] = 0xbc;
    let cases = [
        (b"GET / HTTP/1.1\r\n".to_vec(), Reason::BadMagic { expected: 0xda, found: 0x47 }.at(0)),
        (wrong_magic, Reason::BadMagic { expected: 0xdabb, found: 0xdabc }.at(0)),
        (vec![0; 16], Reason::BadMagic { expected: 0xda, found: 0 }.at(0)),
        (header(HESSIAN2, 0, 1), Reason::BadValue { field: "status", value: 0 }.at(3)),
        (header(HESSIAN2, 21, 1), Reason::BadValue { field: "status", value: 21 }.at(3)),
        (header(HESSIAN2, 148, 1), Reason::BadValue { field: "status", value: 148 }.at(3)),
        (header(TWO_WAY_REQUEST, 0, u32::MAX), Reason::BadLength { field: "body length", value: -1 }.at(12)),
        (
            header(TWO_WAY_REQUEST, 0, 0x8000_0000),
            Reason::BadLength { field: "body length", value: i32::MIN.into() }.at(12),
        ),
        (header(TWO_WAY_REQUEST, 0, 0x7fff_ffff), over(0x7fff_ffff + 16)),
        (header(TWO_WAY_REQUEST, 0, max as u32 - 15), over(max + 1)),
        // An event and a response with status ok ask for a byte of their body; not before their length is checked.
        (header(0xe2, 0, 0x7fff_ffff), over(0x7fff_ffff + 16)),
        (header(HESSIAN2, OK, 0x7fff_ffff), over(0x7fff_ffff + 16)),
    ];
    for (bytes, error) in cases {
        assert_eq!(split(&bytes), Err(error), "{bytes:x?}");
        // However few bytes are in, the error is the same or not there yet.
        for len in 1..bytes.len() {
            match split(&bytes[..len]) {
                Ok(Split::Need(more)) => assert_eq!(more, 16 - len),
                other => assert_eq!(other, Err(error), "{bytes:x?} cut at {len}"),
            }
        }
    }
}

#[test]
fn a_wrong_magic_is_known_from_the_first_byte() {
    assert!(matches!(split(b"G"), Err(DecodeError { reason: Reason::BadMagic { .. }, offset: 0 })));
    assert!(matches!(split(b"\xda\xbc"), Err(DecodeError { reason: Reason::BadMagic { .. }, offset: 0 })));
    assert_eq!(split(b"\xda"), Ok(Split::Need(15)));
    assert_eq!(split(b"\xda\xbb"), Ok(Split::Need(14)));
}

#[test]
fn every_status_of_dubbo_passes_and_no_other() {
    for status in 0..=u8::MAX {
        let known = STATUSES.iter().any(|(number, _)| *number == status);
        assert_eq!(split(&header(HESSIAN2, status, 0)).is_ok(), known, "status {status}");
        // The status byte of a request means nothing.
        assert!(split(&header(TWO_WAY_REQUEST, status, 0)).is_ok());
    }
}

#[test]
fn a_frame_may_be_as_long_as_the_limit_and_no_longer() {
    let limits = Limits { max_frame_len: 100, ..Limits::default() };
    let fits = frame(TWO_WAY_REQUEST, 0, 1, &[0; 84]);
    assert_eq!(feed(&dubbo(), CLIENT, limits, &fits, []).frames.len(), 1);
    let over = frame(TWO_WAY_REQUEST, 0, 1, &[0; 85]);
    let error = Reason::LimitExceeded { limit: "max_frame_len", value: 101, max: 100 }.at(12);
    assert_eq!(feed(&dubbo(), CLIENT, limits, &over, []).failure, Some(error));
}

#[test]
fn a_negative_length_is_refused_whatever_the_limit() {
    let limits = Limits { max_frame_len: u64::MAX, ..Limits::default() };
    let negative = AnyCodec::split(&Dubbo, CLIENT, &limits, &header(TWO_WAY_REQUEST, 0, u32::MAX));
    assert_eq!(negative, Err(Reason::BadLength { field: "body length", value: -1 }.at(12)));
    assert!(AnyCodec::split(&Dubbo, CLIENT, &limits, &header(TWO_WAY_REQUEST, 0, 0x7fff_ffff)).is_ok());
}

#[test]
fn a_claimed_length_is_not_held_in_memory() {
    let limits = Limits { max_frame_len: 1 << 40, ..Limits::default() };
    let claims_two_gigabytes = Sample::new("a claim", CLIENT, header(TWO_WAY_REQUEST, 0, 0x7fff_ffff));
    let (bytes, decoded) = held(&dubbo(), limits, &claims_two_gigabytes);
    assert!(bytes < 4096, "{bytes} bytes");
    assert_eq!(decoded, Decoded { missing: 0x7fff_ffff, ..Decoded::default() });
}

#[test]
fn a_header_alone_is_a_frame_without_body() {
    let empty = frame(TWO_WAY_REQUEST, 0, 1, &[]);
    assert_eq!(decode(&dubbo(), CLIENT, &empty).frames.len(), 1);
    // Its fields end with those of the header.
    let (found, result) = try_fields(whole(&empty), &Limits::default());
    assert_eq!(result, Err(Reason::UnexpectedEnd { field: "dubbo version" }.at(16)));
    assert_eq!(found.len(), 3);
    let empty = frame(HESSIAN2, OK, 1, &[]);
    let (_, result) = try_fields(whole(&empty), &Limits::default());
    assert_eq!(result, Err(Reason::UnexpectedEnd { field: "result type" }.at(16)));
    // An error status may come without a message.
    assert_eq!(fields(&frame(HESSIAN2, 40, 1, &[])).get("error_message"), None);
}

#[test]
fn a_poisoned_direction_stays_so_and_the_other_goes_on() {
    let mut connection = dubbo().connect(Limits::default());
    let connection = connection.as_mut();
    let good = response(1, b"\x92");
    let first = feed_to(connection, SERVER, &[good.as_slice(), b"oops"].concat(), []);
    assert_eq!(first.frames.len(), 1);
    let error = Reason::BadMagic { expected: 0xda, found: 0x6f }.at(17);
    assert_eq!(first.failure, Some(error));
    let again = feed_to(connection, SERVER, &good, []);
    assert_eq!((again.frames.len(), again.failure), (0, Some(error)));
    let other = feed_to(connection, CLIENT, &request(1, "", b"HZ"), []);
    assert_eq!((other.frames.len(), other.failure), (1, None));
}

#[test]
fn both_directions_carry_requests_and_responses() {
    // A provider calls its consumer back on the consumer's connection, so neither is a mistake.
    for direction in [CLIENT, SERVER] {
        let stream = [request(1, "", b"HZ"), response(2, b"\x92")].concat();
        let decoded = decode(&dubbo(), direction, &stream);
        assert_eq!((decoded.frames.len(), decoded.failure), (2, None));
    }
}

#[test]
fn broken_bodies_say_what_is_broken_and_where() {
    let start = request(1, "", b"").len();
    let one = request(1, "I", b"").len();
    let types_at = start - 1;
    let cases: [(Vec<u8>, &str, Reason, usize); 20] = [
        (request(1, "", b"H\x01"), "x", Reason::UnexpectedEnd { field: "string" }, start + 1),
        (request(1, "", b"H\x01k"), "x", Reason::UnexpectedEnd { field: "value" }, start + 3),
        (request(1, "", b"H\x01k\x01v"), "x", Reason::UnexpectedEnd { field: "value" }, start + 5),
        (request(1, "", b"H\x01kZ"), "x", Reason::BadValue { field: "value code", value: 0x5a }, start + 3),
        (request(1, "", b"H\x01k\x40Z"), "x", Reason::BadValue { field: "value code", value: 0x40 }, start + 3),
        (request(1, "", b"H\x01\x80\x90Z"), "x", Reason::BadEncoding { field: "string" }, start + 2),
        (request(1, "X", b"HZ"), "x", Reason::BadEncoding { field: "parameter types" }, types_at),
        (request(1, "I", b""), "x", Reason::UnexpectedEnd { field: "value" }, one),
        (request(1, "I", b"Z"), "x", Reason::BadValue { field: "value code", value: 0x5a }, one),
        (request(1, "I", b"I\x00\x00"), "x", Reason::UnexpectedEnd { field: "value" }, one + 1),
        (request(1, "I", b"\x79"), "x", Reason::UnexpectedEnd { field: "value" }, one + 1),
        (request(1, "I", b"XI\x7f\xff\xff\xff"), "x", Reason::UnexpectedEnd { field: "list" }, one + 1),
        (request(1, "I", b"XI\xff\xff\xff\xff"), "x", Reason::BadLength { field: "list length", value: -1 }, one + 1),
        (request(1, "I", b"XN"), "x", Reason::BadEncoding { field: "list length" }, one + 1),
        (request(1, "I", b"V\x90\x90"), "x", Reason::BadValue { field: "type", value: 0 }, one + 1),
        (request(1, "I", b"Q\x90"), "x", Reason::BadValue { field: "reference", value: 0 }, one),
        (request(1, "I", b"Q\x8f"), "x", Reason::BadValue { field: "reference", value: -1 }, one),
        (request(1, "I", b"\x60"), "x", Reason::BadValue { field: "class definition", value: 0 }, one),
        (
            request(1, "I", b"C\x01aI\x7f\xff\xff\xff"),
            "x",
            Reason::UnexpectedEnd { field: "class definition" },
            one + 3,
        ),
        (request(1, "I", b"B\xff\xff\x00"), "x", Reason::UnexpectedEnd { field: "binary" }, one),
    ];
    for (bytes, key, reason, offset) in cases {
        assert_eq!(try_field(&bytes, key), Err(reason.at(offset)), "{bytes:x?}");
        let (found, result) = try_fields(whole(&bytes), &Limits::default());
        assert_eq!(result, Err(reason.at(offset)), "{bytes:x?}");
        // What stands before the broken place is still told, and found by itself.
        assert_eq!(found.get("method"), Some(&string("f")));
        assert_eq!(try_field(&bytes, "method"), Ok(Some(string("f"))));
    }
    let unknown_type = response(1, b"\x96");
    assert_eq!(
        try_field(&unknown_type, "result_type"),
        Err(Reason::BadValue { field: "result type", value: 6 }.at(16))
    );
    let no_type = response(1, b"\x05hello");
    assert_eq!(try_field(&no_type, "result_type"), Err(Reason::BadEncoding { field: "result type" }.at(16)));
}

#[test]
fn a_nesting_bomb_is_refused_at_the_limit_wherever_it_hides() {
    const DEEP: usize = 1_000_000;
    let max = u64::from(Limits::default().max_nesting);
    let too_deep = Reason::LimitExceeded { limit: "max_nesting", value: max + 1, max };
    for code in [b'\x79', b'W', b'H'] {
        // A map nests in its key as well as in its value.
        let bomb = vec![code; DEEP];
        assert_eq!(skip(&bomb, 0, &Limits::default()), Err(too_deep.at(max as usize)));
        assert_eq!(describe(&bomb, 0, &Limits::default()).unwrap_err(), too_deep.at(max as usize));
        let argument = request(1, "I", &bomb);
        assert!(matches!(try_field(&argument, "interface"), Err(error) if error.reason == too_deep));
        assert_eq!(try_field(&argument, "method"), Ok(Some(string("f"))));
        let attachment = request(1, "", &[b"H\x01k", bomb.as_slice()].concat());
        assert!(matches!(try_field(&attachment, "x"), Err(error) if error.reason == too_deep));
        let thrown = response(1, &[b"\x90", bomb.as_slice()].concat());
        assert!(matches!(try_fields(whole(&thrown), &Limits::default()).1, Err(error) if error.reason == too_deep));
    }
    // With the limit raised, depth costs heap, never the thread's stack.
    let limits = Limits { max_nesting: u32::MAX, ..Limits::default() };
    let deep = [vec![0x79; DEEP], vec![b'N']].concat();
    assert_eq!(skip(&deep, 0, &limits), Ok(deep.len()));
    assert_eq!(describe(&deep, 0, &limits).expect("a value").0.len(), 2 * DEEP + 4);
    let open = vec![0x79; DEEP];
    assert_eq!(skip(&open, 0, &limits), Err(Reason::UnexpectedEnd { field: "value" }.at(DEEP)));
}

#[test]
fn nesting_as_deep_as_the_limit_passes() {
    let limits = Limits { max_nesting: 3, ..Limits::default() };
    let argument = request(1, "I", b"\x79\x79\x79NHZ");
    exceeded_by_one(&dubbo(), &Sample::new("lists of lists", CLIENT, argument), Bound::Nesting, 3);
    assert_eq!(skip(b"\x79\x79\x79N", 0, &limits), Ok(4));
    assert_eq!(
        skip(b"\x79\x79\x79\x78", 0, &limits),
        Err(Reason::LimitExceeded { limit: "max_nesting", value: 4, max: 3 }.at(3))
    );
}

#[test]
fn attachments_and_definitions_are_counted_against_the_limit() {
    let limits = Limits { max_field_count: 2, ..Limits::default() };
    let two = request(1, "", &map(&[("a", "1"), ("b", "2")]));
    assert_eq!(try_fields(whole(&two), &limits).1, Ok(()));
    let three = request(1, "", &map(&[("a", "1"), ("b", "2"), ("c", "3")]));
    exceeded_by_one(&dubbo(), &Sample::new("three attachments", CLIENT, three.clone()), Bound::FieldCount, 3);
    let at = three.len() - 5;
    assert_eq!(
        try_fields(whole(&three), &limits).1,
        Err(Reason::LimitExceeded { limit: "max_field_count", value: 3, max: 2 }.at(at))
    );
    let definition = [b"C".as_slice(), &text("a"), b"\x90"].concat();
    let definitions = [definition.repeat(3), b"N".to_vec()].concat();
    assert_eq!(
        skip(&definitions, 0, &limits),
        Err(Reason::LimitExceeded { limit: "max_field_count", value: 3, max: 2 }.at(8))
    );
    assert_eq!(skip(&[definition.repeat(2), b"N".to_vec()].concat(), 0, &limits), Ok(9));
}

#[test]
fn a_definition_without_a_value_behind_it_is_broken() {
    assert_eq!(skip(b"C\x01a\x90", 0, &Limits::default()), Err(Reason::UnexpectedEnd { field: "value" }.at(4)));
    assert_eq!(
        skip(b"WC\x01a\x90Z", 0, &Limits::default()),
        Err(Reason::BadValue { field: "value code", value: 0x5a }.at(5))
    );
}
