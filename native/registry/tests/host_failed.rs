//! Which error answers say that the server is unwell, and which are its application's.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::path::PathBuf;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Edits, ErrorType, Frame, Kind, Reply, Value};
use metaprotocol_testkit::{CLIENT, OwnedFrame, SERVER, Sample, decode, vectors};

fn codec(name: &str) -> Arc<dyn AnyCodec> {
    metaprotocol_registry::find(name).expect(name)
}

/// Frames of the client's side of a codec's vectors that are requests.
fn request(codec: &Arc<dyn AnyCodec>) -> OwnedFrame {
    let name = codec.info().name.as_ref();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name).join("vectors");
    let samples = vectors(folder).into_iter().map(|vector| vector.sample).filter(|sample| sample.direction == CLIENT);
    let mut frames = samples.flat_map(|sample| decode(codec, CLIENT, &sample.stream).frames);
    frames.find(|frame| frame.offset == 0 && frame.head.kind == Kind::Request).expect("a request")
}

/// The only frame of a server's stream.
fn answer(codec: &Arc<dyn AnyCodec>, bytes: Vec<u8>) -> OwnedFrame {
    let sample = Sample::new("an answer".to_owned(), SERVER, bytes);
    decode(codec, SERVER, &sample.stream).frames.into_iter().next().expect("a frame")
}

fn error(codec: &Arc<dyn AnyCodec>) -> OwnedFrame {
    let reply = codec.reply(request(codec).frame(), Reply::Error(ErrorType::BadRequest, "x"));
    answer(codec, reply.expect("a reply").expect("an answer"))
}

/// An error answer with other numbers in it.
fn with(codec: &Arc<dyn AnyCodec>, set: &[(&str, i64)]) -> OwnedFrame {
    let error = error(codec);
    let set = set.iter().map(|(key, number)| (*key, Value::Int(*number))).collect();
    let edits = Edits { set, ..Edits::default() };
    let limits = metaprotocol_core::Limits::default();
    let changed = codec.rewrite(error.frame(), &edits, &limits).expect("a place for the number").concat();
    answer(codec, changed)
}

/// Those of these numbers that are the server's own failures.
fn own(name: &str, key: &str, numbers: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let codec = codec(name);
    let failed = |number: &i64| {
        let frame = with(&codec, &[(key, *number)]);
        assert_eq!(frame.head.kind, Kind::Error, "{name} {number}");
        codec.host_failed(frame.frame())
    };
    numbers.into_iter().filter(failed).collect()
}

#[test]
fn codes_of_brpc_and_its_relatives() {
    for name in ["brpc", "hulu", "public", "sofa"] {
        let all = (1..20).chain(1000..1020).chain(2000..2010).chain([-1, 77_777]);
        assert_eq!(own(name, "error_code", all), [1011, 2001, 2003, 2004], "{name}");
    }
}

#[test]
fn return_codes_of_trpc() {
    assert_eq!(own("trpc", "ret", (1..200).chain([999])), [21, 22, 31]);
    let codec = codec("trpc");
    assert!(!codec.host_failed(with(&codec, &[("ret", 0), ("func_ret", 31)]).frame()));
}

#[test]
fn statuses_and_exceptions_of_dubbo() {
    let codec = codec("dubbo");
    let mut bytes = error(&codec).bytes;
    let mut failed = Vec::new();
    for status in [30, 31, 40, 50, 60, 70, 80, 90, 100] {
        bytes[3] = status;
        let frame = answer(&codec, bytes.clone());
        assert_eq!(frame.head.kind, Kind::Error);
        if codec.host_failed(frame.frame()) {
            failed.push(status);
        }
    }
    assert_eq!(failed, [31, 80, 100]);
    // An exception as the result of a call.
    bytes = [&[0xda, 0xbb, 2, 20][..], &7_u64.to_be_bytes(), &2_u32.to_be_bytes(), b"\x90N"].concat();
    let frame = answer(&codec, bytes);
    assert_eq!(frame.head.kind, Kind::Error);
    assert!(!codec.host_failed(frame.frame()));
}

#[test]
fn exceptions_of_thrift() {
    let codec = codec("thrift");
    let failed = |kind: &u8| {
        let body = [&[0x80, 1, 0, 3, 0, 0, 0, 1, b'm', 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, *kind, 0][..]].concat();
        let frame = answer(&codec, [&(body.len() as u32).to_be_bytes()[..], &body].concat());
        assert_eq!(frame.head.kind, Kind::Error);
        codec.host_failed(frame.frame())
    };
    assert_eq!((0..20).filter(failed).collect::<Vec<_>>(), [6, 11, 12]);
}

#[test]
fn errors_of_redis() {
    let codec = codec("redis");
    let failed = |line: &str| {
        let frame = answer(&codec, format!("-{line}\r\n").into_bytes());
        assert_eq!(frame.head.kind, Kind::Error);
        codec.host_failed(frame.frame())
    };
    assert!(failed("LOADING Redis is loading the dataset in memory") && failed("MASTERDOWN Link with MASTER is down"));
    assert!(
        failed("CLUSTERDOWN The cluster is down") && failed("OOM command not allowed when used memory > 'maxmemory'.")
    );
    for line in
        ["ERR unknown command", "WRONGTYPE Operation", "MOVED 1 a:1", "NOAUTH Authentication required.", "LOADINGS"]
    {
        assert!(!failed(line), "{line}");
    }
}

#[test]
fn what_is_no_error_or_cannot_tell_blames_nobody() {
    for codec in metaprotocol_registry::codecs() {
        let name = codec.info().name.as_ref();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name).join("vectors");
        for sample in vectors(folder).into_iter().map(|vector| vector.sample) {
            for frame in decode(codec, sample.direction, &sample.stream).frames {
                let frame: Frame<'_> = frame.frame();
                assert!(frame.head.kind == Kind::Error || !codec.host_failed(frame), "{name}: {:?}", frame.head);
            }
        }
    }
}
