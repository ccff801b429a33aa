//! The end of unframed Thrift messages.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Fed, Frame, Kind, Limits, Split};
use metaprotocol_thrift::Thrift;

use crate::script::Script;
use crate::{is_in, limits};

const CLIENT: Direction = Direction::ClientToServer;

/// The heads of a call of `m`.
const HEADS: [&[u8]; 3] = [b"\x80\x01\0\x01\0\0\0\x01m\0\0\0\x07", b"\0\0\0\x01m\x01\0\0\0\x07", b"\x82\x21\x07\x01m"];

fn split(limits: &Limits, bytes: &[u8]) -> Result<Split, metaprotocol_core::DecodeError> {
    AnyCodec::split(&Thrift, CLIENT, limits, bytes)
}

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let head = HEADS[usize::from(script.byte()) % HEADS.len()];
    let limits = limits(script.byte());
    let bytes = [head, script.rest()].concat();
    let whole = split(&limits, &bytes);
    let end = match whole {
        Ok(Split::Head(head)) => head.frame_len,
        Ok(Split::Need(more)) => {
            assert!(more > 0 && (bytes.len() + more) as u64 <= limits.max_frame_len);
            return;
        }
        Err(error) => {
            assert!(is_in(&error, bytes.len()), "{error} is beyond the end");
            return;
        }
    };
    assert!(end > head.len() && end <= bytes.len(), "an end at {end} of {}", bytes.len());

    assert_eq!(split(&limits, &bytes[..end]), whole);
    assert_eq!(split(&limits, &[&bytes[..end], b"\xff\x0c\0"].concat()), whole, "the end depends on what follows");
    for cut in (1..end).rev().step_by(1 + end / 64) {
        match split(&limits, &bytes[..cut]) {
            Ok(Split::Need(more)) => assert!(more <= end - cut, "{more} bytes needed where {} lack", end - cut),
            other => panic!("{other:?} at {cut} of {end}"),
        }
    }

    let mut connection = Arc::new(Thrift).connect(limits);
    let mut fed = Fed::default();
    for (at, byte) in bytes[..end].iter().enumerate() {
        connection.feed(CLIENT, std::slice::from_ref(byte), &mut fed).expect("as in one piece");
        let frames = usize::from(fed.carried.is_some()) + fed.frames.len();
        assert_eq!(frames, usize::from(at + 1 == end), "a frame at {at} of {end}");
    }

    let Ok(Split::Head(head)) = whole else { unreachable!() };
    assert_eq!(head.kind, Kind::Request);
    let frame = Frame::new(head, &bytes).expect("its bytes are in");
    for id in [-1_i16, 0, 1, 2, 3, 7, 300] {
        let key = AnyCodec::key(&Thrift, &format!("arg.{id}"));
        let found = AnyCodec::field(&Thrift, frame, &key, &limits);
        assert!(found.is_ok(), "field {id} of a message that was walked: {found:?}");
    }
}
