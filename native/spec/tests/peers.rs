//! Protocols that have codecs of their own, described in YAML: both must say the same.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::described;
use metaprotocol_core::{AnyCodec, Codec, Direction, ErrorType, Head, Kind, Limits, Reply, RequestId, Split};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_testkit::{
    CLIENT, Decoded, SERVER, Sample, back_to_back, captures, cut_short, decode, error_reply, exercise, field, rewrite,
    same_however_cut, set, string, survives_garbage, survives_mutations, vectors, whole,
};

fn root(path: &str) -> String {
    format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Offsets and heads, code and offset of the error, bytes missing.
type Plain = (Vec<(u64, Head)>, Option<(&'static str, u64)>, usize);

/// Frames and errors, without the notes that codecs leave for themselves.
fn plain(mut decoded: Decoded) -> Plain {
    let heads = decoded.frames.drain(..).map(|frame| (frame.offset, Head { variant: 0, ..frame.head })).collect();
    (heads, decoded.failure.map(|error| (error.reason.code(), error.offset)), decoded.missing)
}

fn dubbos() -> (Arc<dyn AnyCodec>, Arc<dyn AnyCodec>) {
    (Arc::new(described("dubbo")), Arc::new(Dubbo))
}

#[test]
fn dubbo_captures_are_split_alike() {
    let (ours, theirs) = dubbos();
    let mut frames = 0;
    for capture in captures(root("tests/captures/dubbo"), 20) {
        for conversation in capture.conversations.values() {
            for direction in [CLIENT, SERVER] {
                let stream = conversation.stream(direction);
                let found = plain(decode(&ours, direction, &stream));
                frames += found.0.len();
                assert_eq!(found, plain(decode(&theirs, direction, &stream)), "{}", conversation.name);
            }
        }
    }
    assert!(frames > 500, "only {frames} frames");
}

#[test]
fn dubbo_vectors_are_split_alike() {
    let (ours, theirs) = dubbos();
    let samples: Vec<Sample> = vectors(root("codecs/dubbo/vectors")).into_iter().map(|vector| vector.sample).collect();
    for sample in &samples {
        let found = plain(decode(&ours, sample.direction, &sample.stream));
        assert_eq!(found, plain(decode(&theirs, sample.direction, &sample.stream)), "{}", sample.name);
        same_however_cut(&ours, Limits::default(), sample);
        cut_short(&ours, Limits::default(), sample);
        back_to_back(&ours, Limits::default(), sample);
        exercise(&ours, Limits::default(), sample, &[]);
    }
    survives_mutations(&ours, &samples, 10_000);
    survives_garbage(&ours, &samples, 5_000);
}

/// Any header at all, byte by byte: the same answer, or an error of the same kind at the same place.
#[test]
fn every_dubbo_header_is_read_alike() {
    let ours = described("dubbo");
    let mut seen = std::collections::HashSet::new();
    for flags in 0..=255 {
        for status in [0, 20, 25, 30, 31, 35, 36, 40, 50, 60, 70, 80, 90, 100, 101, 255] {
            for (length, first) in
                [(0, 0), (1, b'N'), (1, 0), (1, 1), (2, 0x90), (2, 0x93), (2, 0x94), (-1, 0), (i32::MAX, 0)]
            {
                let mut bytes = vec![0xda, 0xbb, flags, status, 1, 2, 3, 4, 5, 6, 7, 8];
                bytes.extend(length.to_be_bytes());
                bytes.extend([first, 0]);
                for len in 1..=bytes.len() {
                    let bytes = &bytes[..len];
                    let limits = Limits::default();
                    let mut state = Codec::state(&ours);
                    let found = Codec::split(&ours, &mut state, CLIENT, &limits, bytes);
                    let told = Codec::split(&Dubbo, &mut (), CLIENT, &limits, bytes);
                    match (found, told) {
                        (Ok(Split::Head(found)), Ok(Split::Head(told))) => {
                            seen.insert(told.kind);
                            assert_eq!(found, told, "{bytes:x?}");
                        }
                        (Ok(found), Ok(told)) => assert_eq!(found, told, "{bytes:x?}"),
                        (Err(found), Err(told)) => {
                            let what = |error: metaprotocol_core::DecodeError| (error.reason.code(), error.offset);
                            assert_eq!(what(found), what(told), "{bytes:x?}");
                        }
                        (found, told) => panic!("{found:?} is not {told:?} for {bytes:x?}"),
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("hexadecimal"))
        .collect()
}

const UNARY: &str = "09300000000000870073000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e7465
    73742e68656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f53617948656c6c
    6f4a110a086170702d757365721205616c6963650a026869";
const MUTATED: &str = "09300000000000970083000000010100180120e8072a13747270632e6170702e636c69656e742e737663321c747270632e74
    6573742e68656c6c6f776f726c642e477265657465723a262f747270632e746573742e68656c6c6f776f726c642e477265657465722f53617948656c
    6c6f4a110a086170702d757365721205616c6963654a0e0a0776657273696f6e12037631300a026869";
const REFUSAL: &str = "093000000000002000100000000000001801200b280b32086e6f20726f757465";
const INIT: &str =
    "093001010000006d00000000006401000a570a13747270632e6170702e636c69656e742e737663121c747270632e746573742e6865
    6c6c6f776f726c642e477265657465721a222f747270632e746573742e68656c6c6f776f726c642e477265657465722f4368617418ffff03";
const DATA: &str = "093001020000001400000000006401000a026869";
const CLOSE: &str = "09300104000000100000000000640100";
const RESET: &str = "093001040000001b00000000006401000801101f1a057265736574";
const REFUSED_STREAM: &str = "093001010000001e0000000000640000120c080b12086e6f20726f757465";

fn trpc_frame(text: &str, direction: Direction, kind: Kind, id: RequestId, stream: u64, header_len: u32) -> Vec<u8> {
    let bytes = hex(text);
    let head = whole(&described("trpc"), direction, &bytes).head;
    let variant = direction as u32;
    let frame_len = bytes.len();
    assert_eq!(head, Head { kind, request_id: id, stream_id: Some(stream), header_len, frame_len, variant });
    bytes
}

#[test]
fn trpc_examples_to_the_byte() {
    let codec = described("trpc");
    let unary = trpc_frame(UNARY, CLIENT, Kind::Request, RequestId::Int(1), 1, 131);
    let mutated = trpc_frame(MUTATED, CLIENT, Kind::Request, RequestId::Int(1), 1, 147);
    let refusal = trpc_frame(REFUSAL, SERVER, Kind::Error, RequestId::Int(1), 0, 32);
    let init = trpc_frame(INIT, CLIENT, Kind::StreamOpen, RequestId::None, 100, 109);
    trpc_frame(DATA, CLIENT, Kind::StreamData, RequestId::None, 100, 16);
    trpc_frame(CLOSE, CLIENT, Kind::StreamHalfClose, RequestId::None, 100, 16);
    let reset = trpc_frame(RESET, SERVER, Kind::StreamClose, RequestId::None, 100, 27);
    let refused = trpc_frame(REFUSED_STREAM, SERVER, Kind::Error, RequestId::None, 100, 30);

    let request = whole(&codec, CLIENT, &unary);
    for (key, value) in [
        ("caller", "trpc.app.client.svc"),
        ("callee", "trpc.test.helloworld.Greeter"),
        ("func", "/trpc.test.helloworld.Greeter/SayHello"),
        ("app-user", "alice"),
    ] {
        assert_eq!(field(&codec, request, key), Some(string(value)), "{key}");
    }
    assert_eq!(field(&codec, request, "timeout").expect("a timeout").to_text(), "1000");
    assert_eq!(field(&codec, whole(&codec, SERVER, &reset), "close_msg"), Some(string("reset")));
    let stream = whole(&codec, CLIENT, &init);
    assert_eq!(field(&codec, stream, "stream_func"), Some(string("/trpc.test.helloworld.Greeter/Chat")));
    assert_eq!(field(&codec, stream, "window").expect("a window").to_text(), "65535");
    assert_eq!(rewrite(&codec, request, &set(&[("version", "v10")])), Ok(mutated));
    let no_route = |frame| error_reply(&codec, frame, ErrorType::RouteNotFound, "no route");
    assert_eq!(no_route(request), Ok(Some(refusal)));
    assert_eq!(no_route(stream), Ok(Some(refused)));
}

#[test]
fn trpc_however_cut_and_mutated() {
    let codec: Arc<dyn AnyCodec> = Arc::new(described("trpc"));
    let one = |name: &str, direction, texts: &[&str]| {
        Sample::new(name, direction, texts.iter().flat_map(|text| hex(text)).collect::<Vec<u8>>())
    };
    let samples = [
        one("client", CLIENT, &[UNARY, INIT, DATA, CLOSE, MUTATED]),
        one("server", SERVER, &[REFUSAL, REFUSED_STREAM, DATA, RESET]),
    ];
    for sample in &samples {
        same_however_cut(&codec, Limits::default(), sample);
        cut_short(&codec, Limits::default(), sample);
        exercise(&codec, Limits::default(), sample, &[5]);
    }
    survives_mutations(&codec, &samples, 10_000);
    survives_garbage(&codec, &samples, 3_000);
}

#[test]
fn dubbo_heartbeats_are_answered_alike() {
    let (ours, theirs) = dubbos();
    let beat = hex("dabbe2000000000000000002000000014e");
    let answer = |codec: &dyn AnyCodec| codec.reply(whole(codec, CLIENT, &beat), Reply::Heartbeat);
    assert_eq!(answer(ours.as_ref()), answer(theirs.as_ref()));
    assert_eq!(answer(ours.as_ref()), Ok(Some(hex("dabb22140000000000000002000000014e"))));
}
