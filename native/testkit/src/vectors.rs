//! Vectors: `NNN-name.bin`, bytes of one direction of a connection, and `NNN-name.json`, what must be found in them.
//!
//! ```text
//! origin     where the bytes come from
//! direction  client_to_server or server_to_client
//! frames     kind, request_id (opaque ones in hexadecimal), stream_id if there is one, header_len, frame_len, every field
//! error      the code and the stream offset of the error behind the frames, if there is one
//! missing    at least how many bytes the frame under way needs, if the bytes end within one
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Detection, EncodeError, Kind, Limits, RequestId, Value};
use serde_json::{Value as Json, json};

use crate::{
    Bound, CLIENT, Decoded, OwnedFrame, SERVER, Sample, back_to_back, cut_short, decode, exceeded_by_one, exercise,
    fields, same_however_cut, survives_garbage, survives_mutations,
};

/// How many streams are made of the vectors of a codec by chance.
const MUTATIONS: usize = 30_000;
const GARBAGE: usize = 10_000;

/// Bytes, and what must be found in them.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The bytes; their name is the file's.
    pub sample: Sample,
    /// `frames`, and `error` or `missing`.
    pub expected: Json,
}

/// The files with this extension in a folder, by name.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The vectors of a folder, by name.
///
/// # Panics
/// If a file is missing, or does not say where its bytes are from and which way they go.
#[must_use]
pub fn vectors(folder: impl AsRef<Path>) -> Vec<Vector> {
    let vector = |path: PathBuf| {
        let name = stem(&path);
        let told = read(&path.with_extension("json"));
        let mut expected: Json = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let mut text = |key: &str| match expected.as_object_mut().and_then(|object| object.remove(key)) {
            Some(Json::String(text)) if !text.is_empty() => text,
            other => panic!("the {key} of {name} is {other:?}"),
        };
        text("origin");
        let direction = match text("direction").as_str() {
            "client_to_server" => CLIENT,
            "server_to_client" => SERVER,
            other => panic!("the direction of {name} is {other}"),
        };
        let stream = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Vector { sample: Sample::new(name, direction, stream), expected }
    };
    files(folder.as_ref(), "bin").into_iter().map(vector).collect()
}

/// What a decoder gave, in the words of a vector.
fn described(codec: &dyn AnyCodec, decoded: &Decoded) -> Json {
    let frame = |frame: &OwnedFrame| {
        let fields: serde_json::Map<String, Json> = fields(codec, frame.frame())
            .into_iter()
            .map(|(key, value)| match value {
                Value::Str(text) => (key, json!(text)),
                Value::Int(number) => (key, json!(number)),
                Value::UInt(number) => (key, json!(number)),
            })
            .collect();
        let request_id = match frame.head.request_id {
            RequestId::None => Json::Null,
            RequestId::Int(id) => json!(id),
            RequestId::Bytes { at, len } => {
                let id = &frame.bytes[at as usize..][..len as usize];
                json!(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        };
        let mut told = json!({
            "kind": frame.head.kind.name(),
            "request_id": request_id,
            "header_len": frame.head.header_len,
            "frame_len": frame.head.frame_len,
            "fields": fields,
        });
        if let Some(id) = frame.head.stream_id {
            told["stream_id"] = json!(id);
        }
        told
    };
    let mut described = json!({ "frames": decoded.frames.iter().map(frame).collect::<Vec<Json>>() });
    if let Some(error) = decoded.failure {
        described["error"] = json!({ "code": error.reason.code(), "offset": error.offset });
    }
    if decoded.missing > 0 {
        described["missing"] = json!(decoded.missing);
    }
    described
}

/// Everything that must be true of a codec and of its folder of at least `least` vectors: what each decodes to, that it
/// does so however it is cut, cut short and repeated, what each verb makes of each frame, that limits hold, that the front
/// of a stream is recognised, that requests are answered, and that mutations and garbage do no harm.
///
/// # Panics
/// If anything is not so.
pub fn check_vectors(codec: &Arc<dyn AnyCodec>, folder: impl AsRef<Path>, least: usize) {
    let vectors = vectors(folder);
    assert!(vectors.len() >= least, "only {} vectors", vectors.len());
    let limits = Limits::default();
    for Vector { sample, expected } in &vectors {
        let decoded = decode(codec, sample.direction, &sample.stream);
        assert_eq!(described(codec.as_ref(), &decoded), *expected, "{}", sample.name);
        same_however_cut(codec, limits, sample);
        cut_short(codec, limits, sample);
        back_to_back(codec, limits, sample);
        exercise(codec, limits, sample, &[]);
        if let Some(first) = decoded.frames.first() {
            let alone = Sample { stream: first.bytes.clone(), ..sample.clone() };
            exceeded_by_one(codec, &alone, Bound::FrameLen, first.bytes.len() as u32);
            if first.head.header_len > 0 {
                exceeded_by_one(codec, &alone, Bound::HeaderLen, first.head.header_len);
            }
            recognised(codec.as_ref(), &alone);
        }
    }
    let samples: Vec<Sample> = vectors.into_iter().map(|vector| vector.sample).collect();
    requests_are_answered(codec, &samples);
    survives_mutations(codec, &samples, MUTATIONS);
    survives_garbage(codec, &samples, GARBAGE);
}

/// The more of a frame is in, the surer the codec is that it is its own. One that says no before it has seen a byte has
/// nothing to be recognised by, and says so of everything.
fn recognised(codec: &dyn AnyCodec, sample: &Sample) {
    if codec.detect(sample.direction, &[]) == Detection::No {
        assert_eq!(
            codec.detect(sample.direction, &sample.stream),
            Detection::No,
            "{} of an unmarked protocol",
            sample.name
        );
        return;
    }
    let mut sure = false;
    for len in 0..=sample.stream.len() {
        let found = codec.detect(sample.direction, &sample.stream[..len]);
        let wavers = found == Detection::No || sure && found != Detection::Yes;
        assert!(!wavers, "{} bytes of {} are told as {found:?}", len, sample.name);
        sure = found == Detection::Yes;
    }
}

/// One-way messages get no answer; of the requests, and of the heartbeats if the protocol has them, some do. A protocol
/// without error replies refuses them all.
fn requests_are_answered(codec: &Arc<dyn AnyCodec>, samples: &[Sample]) {
    let error = metaprotocol_core::Reply::Error(metaprotocol_core::ErrorType::Unspecified, "no");
    let (mut asked, mut answered, mut refused, mut beats) = (0, 0, 0, 0);
    for sample in samples {
        for frame in decode(codec, sample.direction, &sample.stream).frames {
            let reply = codec.reply(frame.frame(), error);
            match frame.head.kind {
                Kind::Request => {
                    asked += 1;
                    answered += usize::from(matches!(reply, Ok(Some(_))));
                    refused += usize::from(matches!(reply, Err(EncodeError::NoReply { .. })));
                    assert_ne!(reply, Ok(None), "a request in {} gets no answer", sample.name);
                }
                Kind::Oneway => assert_eq!(reply, Ok(None), "a one-way message in {}", sample.name),
                Kind::Heartbeat => {
                    let beat = codec.reply(frame.frame(), metaprotocol_core::Reply::Heartbeat);
                    beats += usize::from(matches!(beat, Ok(Some(_))));
                }
                _ => {}
            }
        }
    }
    assert!(answered > 0 || refused == asked, "none of {asked} requests is answered");
    assert_eq!(beats > 0, codec.info().heartbeats, "heartbeats are answered");
}
