//! TLS is handed on as opaque control frames, whatever protocol was expected.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, EncodeError, ErrorType, Head, Kind, Limits, Reply};
use metaprotocol_testkit::{
    CLIENT, SERVER, Sample, decode, feed, feed_to, fields, new_id, rewrite, same_however_cut, set,
};

/// Begins with a length of any value: TLS cannot be told from it.
const BLIND: &str = "qza";

fn codecs() -> impl Iterator<Item = &'static Arc<dyn AnyCodec>> {
    metaprotocol_registry::codecs().iter().filter(|codec| codec.info().name != BLIND)
}

fn record(ty: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&[ty, 3, 3], &length[..], payload].concat()
}

/// A handshake, a change of ciphers, data, an alert.
fn stream() -> Vec<u8> {
    [record(22, &[1; 70]), record(20, &[1]), record(23, &[0xa5; 300]), record(21, &[0; 26])].concat()
}

#[test]
fn tls_is_control_frames() {
    for codec in codecs() {
        let name = &codec.info().name;
        for direction in [CLIENT, SERVER] {
            let sample = Sample::new(format!("TLS as {name}"), direction, stream());
            let decoded = same_however_cut(codec, Limits::default(), &sample);
            assert_eq!((decoded.failure, decoded.missing), (None, 0), "{name}");
            let lens: Vec<_> = decoded.frames.iter().map(|frame| frame.head.frame_len).collect();
            assert_eq!(lens, [75, 6, 305, 31], "{name}");
            for frame in &decoded.frames {
                let (codec, frame) = (codec.as_ref(), frame.frame());
                assert_eq!((frame.head.kind, frame.head.variant), (Kind::Control, Head::OPAQUE), "{name}");
                assert!(fields(codec, frame).is_empty(), "{name}");
                assert_eq!(rewrite(codec, frame, &set(&[])).as_deref(), Ok(frame.bytes), "{name}");
                for edits in [set(&[("method", "x")]), new_id(1)] {
                    let refused = rewrite(codec, frame, &edits);
                    assert!(matches!(refused, Err(EncodeError::NotWritable { .. })), "{name}: {refused:?}");
                }
                let reply = codec.reply(frame, Reply::Error(ErrorType::Unspecified, "no"));
                assert!(matches!(reply, Err(EncodeError::NoReply { .. })), "{name}: {reply:?}");
            }
        }
    }
}

#[test]
fn what_follows_must_be_tls() {
    for codec in codecs() {
        let name = &codec.info().name;
        let decoded = decode(codec, CLIENT, &[record(22, b"hello"), b"GET / HTTP/1.1\r\n\r\n".to_vec()].concat());
        assert_eq!(decoded.frames.len(), 1, "{name}");
        let failure = decoded.failure.map(|error| (error.reason.code(), error.offset));
        assert_eq!(failure, Some(("bad_encoding", 10)), "{name}");
    }
}

#[test]
fn records_are_held_to_the_limits() {
    for codec in codecs() {
        for (max_frame_len, frames) in [(305, 4), (304, 2)] {
            let limits = Limits { max_frame_len, ..Limits::default() };
            for step in [1, 1000] {
                let decoded = feed(codec, CLIENT, limits, &stream(), std::iter::repeat(step));
                let code = decoded.failure.map(|error| error.reason.code());
                let expected = (frames < 4).then_some("limit_exceeded");
                assert_eq!((decoded.frames.len(), code), (frames, expected), "{}", codec.info().name);
            }
        }
    }
}

#[test]
fn data_does_not_begin_a_stream() {
    for codec in codecs() {
        let decoded = decode(codec, CLIENT, &record(23, &[0xa5; 300]));
        assert!(decoded.frames.iter().all(|frame| !frame.head.is_opaque()), "{}", codec.info().name);
    }
}

#[test]
fn nothing_else_comes_before() {
    let dubbo = metaprotocol_registry::find("dubbo").expect("a built-in codec");
    let response = [0xda, 0xbb, 0x02, 0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x91, 0x90];
    let sample = Sample::new("TLS behind a frame", SERVER, [&response[..], &stream()].concat());
    let decoded = same_however_cut(&dubbo, Limits::default(), &sample);
    let failure = decoded.failure.map(|error| (error.reason.code(), error.offset));
    assert_eq!((decoded.frames.len(), failure), (1, Some(("bad_magic", 18))));
}

#[test]
fn each_direction_stands_alone() {
    let dubbo = metaprotocol_registry::find("dubbo").expect("a built-in codec");
    let mut connection = Arc::clone(&dubbo).connect(Limits::default());
    assert_eq!(feed_to(connection.as_mut(), CLIENT, &stream(), []).frames.len(), 4);
    let response = [0xda, 0xbb, 0x02, 0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x91, 0x90];
    let plain = feed_to(connection.as_mut(), SERVER, &response, []);
    assert_eq!(plain.frames.iter().map(|frame| frame.head.kind).collect::<Vec<_>>(), [Kind::Response]);
}
