//! Protocols that have codecs of their own, described in YAML: both must say the same.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::described;
use metaprotocol_core::{AnyCodec, Codec, ErrorType, Head, Limits, Reply, RequestId, Split};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_testkit::{
    CLIENT, Decoded, SERVER, Sample, Vector, back_to_back, captures, cut_short, decode, error_reply, exercise, field,
    rewrite, same_however_cut, set, survives_garbage, survives_mutations, vectors, whole,
};
use metaprotocol_trpc::Trpc;

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

fn trpcs() -> (Arc<dyn AnyCodec>, Arc<dyn AnyCodec>) {
    (Arc::new(described("trpc")), Arc::new(Trpc))
}

/// Compares what the description gives with what the codec gives, frame for frame. Lengths that do not fit each other or the
/// limits the codec refuses at once, where the description waits for the header or does not look; and a description reads all
/// 64 bits of a number that protobuf cuts to 32.
fn alike(mut found: Decoded, told: Decoded, about: &str) {
    for frame in &mut found.frames {
        if let RequestId::Int(id) = &mut frame.head.request_id {
            *id &= 0xffff_ffff;
        }
    }
    let ((mut heads, error, missing), told) = (plain(found), plain(told));
    if matches!(told.1, Some(("bad_length" | "limit_exceeded", _))) {
        heads.truncate(told.0.len());
        assert_eq!(heads, told.0, "{about}");
    } else {
        assert_eq!((heads, error, missing > 0), (told.0, told.1, told.2 > 0), "{about}");
    }
}

#[test]
fn trpc_captures_are_split_alike() {
    let (ours, theirs) = trpcs();
    let mut frames = 0;
    for capture in captures(root("tests/captures/trpc"), 6) {
        for conversation in capture.conversations.values() {
            for direction in [CLIENT, SERVER] {
                let stream = conversation.stream(direction);
                let found = decode(&ours, direction, &stream);
                frames += found.frames.len();
                alike(found, decode(&theirs, direction, &stream), &conversation.name);
            }
        }
    }
    assert!(frames > 300, "only {frames} frames");
}

#[test]
fn trpc_vectors_are_split_alike() {
    let (ours, theirs) = trpcs();
    let samples: Vec<Sample> = vectors(root("codecs/trpc/vectors")).into_iter().map(|vector| vector.sample).collect();
    for sample in &samples {
        for direction in [CLIENT, SERVER] {
            let [found, told] = [&ours, &theirs].map(|codec| decode(codec, direction, &sample.stream));
            alike(found, told, &sample.name);
        }
        same_however_cut(&ours, Limits::default(), sample);
        cut_short(&ours, Limits::default(), sample);
        back_to_back(&ours, Limits::default(), sample);
        exercise(&ours, Limits::default(), sample, &[5]);
    }
    survives_mutations(&ours, &samples, 10_000);
    survives_garbage(&ours, &samples, 3_000);
}

/// Every byte of every frame of the vectors set to every value that matters: the same answer.
#[test]
fn every_trpc_frame_is_read_alike() {
    let (ours, theirs) = trpcs();
    let mut frames = 0;
    for vector in vectors(root("codecs/trpc/vectors")) {
        for at in 0..vector.sample.stream.len() {
            for value in [0, 1, 2, 4, 5, 8, 0x10, 0x18, 0x2a, 0x7f, 0x80, 0xff] {
                let mut stream = vector.sample.stream.clone();
                stream[at] = value;
                for direction in [CLIENT, SERVER] {
                    let [found, told] = [&ours, &theirs].map(|codec| decode(codec, direction, &stream));
                    frames += found.frames.len();
                    alike(found, told, &format!("{}: {stream:x?}", vector.sample.name));
                }
            }
        }
    }
    assert!(frames > 10_000, "only {frames} frames");
}

#[test]
fn trpc_is_read_and_rewritten_alike() {
    let (ours, theirs) = trpcs();
    let edits = set(&[("version", "v10"), ("x-user", "é"), ("app-user", "bob")]);
    let keys = ["caller", "callee", "func", "timeout", "app-user", "app-seen"];
    let mut rewritten = 0;
    for Vector { sample, .. } in vectors(root("codecs/trpc/vectors")) {
        let frames = |codec: &Arc<dyn AnyCodec>| decode(codec, sample.direction, &sample.stream).frames;
        for (one, other) in frames(&ours).iter().zip(&frames(&theirs)) {
            // A description reads only what it names, as it stands.
            if other.head.stream_id.is_some()
                || sample.name.contains("every-field")
                || sample.name.contains("the-last-counts")
            {
                continue;
            }
            for key in keys {
                // What was left out is 0, or no text.
                let told = |codec: &Arc<dyn AnyCodec>, frame| {
                    let value = field(codec.as_ref(), frame, key).map(|value| value.to_text().into_owned());
                    value.filter(|text| text != "0").unwrap_or_default()
                };
                assert_eq!(told(&ours, one.frame()), told(&theirs, other.frame()), "{key} of {}", sample.name);
            }
            let made =
                |codec: &Arc<dyn AnyCodec>, frame| rewrite(codec.as_ref(), frame, &edits).expect("a rewritten frame");
            assert_eq!(made(&ours, one.frame()), made(&theirs, other.frame()), "{}", sample.name);
            rewritten += 1;
        }
    }
    assert!(rewritten > 8, "only {rewritten}");
}

#[test]
fn trpc_refuses_alike() {
    let (ours, _) = trpcs();
    // The description answers as the old codec does: version 0, `func_ret` as `ret`. Only the stream's refusal is the codec's.
    let refusal = hex("093000000000002000100000000000001801200b280b32086e6f20726f757465");
    let refused = hex("093001010000001e0000000000640000120c080b12086e6f20726f757465");
    let frames = vectors(root("codecs/trpc/vectors"));
    let first = |name: &str| frames.iter().find(|vector| vector.sample.name.ends_with(name)).expect("a vector");
    for (name, expected) in [("-request", refusal), ("-stream", refused)] {
        let decoded = decode(&ours, CLIENT, &first(name).sample.stream);
        let answer = error_reply(ours.as_ref(), decoded.frames[0].frame(), ErrorType::RouteNotFound, "no route");
        assert_eq!(answer, Ok(Some(expected)), "{name}");
    }
}

#[test]
fn dubbo_heartbeats_are_answered_alike() {
    let (ours, theirs) = dubbos();
    let beat = hex("dabbe2000000000000000002000000014e");
    let answer = |codec: &dyn AnyCodec| codec.reply(whole(codec, CLIENT, &beat), Reply::Heartbeat);
    assert_eq!(answer(ours.as_ref()), answer(theirs.as_ref()));
    assert_eq!(answer(ours.as_ref()), Ok(Some(hex("dabb22140000000000000002000000014e"))));
}
