//! The vectors of this folder, whole and cut at every place.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{CLIENT, Decoded, SERVER, feed, owned, try_fields};
use metaprotocol_core::{AnyCodec, Frame, Limits, RequestId, Value};
use metaprotocol_dubbo::Dubbo;
use serde_json::{Value as Json, json};

fn vectors() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of vectors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    paths.sort();
    paths
}

/// What a decoder gave, in the words of a vector's expectations.
fn described(decoded: &Decoded) -> Json {
    let limits = Limits::default();
    let frames: Vec<Json> = decoded
        .frames
        .iter()
        .map(|(_, head, bytes)| {
            let frame = Frame::new(*head, bytes).expect("a frame");
            let (fields, result) = try_fields(frame, &limits);
            assert_eq!(result, Ok(()));
            for (key, value) in &fields {
                let single = AnyCodec::field(&Dubbo, frame, &AnyCodec::key(&Dubbo, key), &limits).expect("a field");
                assert_eq!(single.map(owned).as_ref(), Some(value), "{key} looked up by itself");
            }
            let fields: serde_json::Map<String, Json> = fields
                .into_iter()
                .map(|(key, value)| match value {
                    Value::Str(text) => (key, json!(text)),
                    Value::Int(number) => (key, json!(number)),
                    Value::UInt(number) => (key, json!(number)),
                })
                .collect();
            let RequestId::Int(request_id) = head.request_id else { panic!("no request id") };
            json!({
                "kind": head.kind.name(),
                "request_id": request_id,
                "header_len": head.header_len,
                "frame_len": head.frame_len,
                "fields": fields,
            })
        })
        .collect();
    let mut described = json!({ "frames": frames });
    if let Some((error, _)) = decoded.failure {
        described["error"] = json!({ "code": error.reason.code(), "offset": error.offset });
    }
    if decoded.missing > 0 {
        described["missing"] = json!(decoded.missing);
    }
    described
}

#[test]
fn every_vector_decodes_as_expected_however_it_is_cut() {
    let paths = vectors();
    assert!(paths.len() >= 21, "only {} vectors", paths.len());
    for path in paths {
        let stream = fs::read(&path).expect("a vector");
        let mut expected: Json =
            serde_json::from_slice(&fs::read(path.with_extension("json")).expect("its expectations")).expect("JSON");
        let object = expected.as_object_mut().expect("an object");
        let origin = object.remove("origin").expect("an origin");
        assert!(origin.as_str().is_some_and(|origin| !origin.is_empty()));
        let direction = match object.remove("direction").expect("a direction").as_str() {
            Some("client_to_server") => CLIENT,
            Some("server_to_client") => SERVER,
            other => panic!("{other:?} is no direction"),
        };
        let whole = feed(&stream, direction, Limits::default(), []);
        assert_eq!(described(&whole), expected, "{}", path.display());
        for cut in 1..stream.len() {
            assert_eq!(feed(&stream, direction, Limits::default(), [cut]), whole, "{} cut at {cut}", path.display());
        }
        assert_eq!(
            feed(&stream, direction, Limits::default(), std::iter::repeat(1)),
            whole,
            "{} byte by byte",
            path.display()
        );
    }
}
