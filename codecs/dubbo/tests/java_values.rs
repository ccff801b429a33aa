//! The walk against Java: values that Dubbo's own Hessian wrote and read back (`vectors/hessian2-java.jsonl`, written by
//! `tests/captures/record_dubbo.py --vectors`).

#![allow(clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use metaprotocol_core::{Limits, Reason};
use metaprotocol_dubbo::hessian::{Event, Reader};
use metaprotocol_testkit::parse_json;
use serde_json::{Value as Json, json};

struct Vector {
    name: String,
    bytes: Vec<u8>,
    values: usize,
    /// What Java read back; `None` where it cannot read what it wrote.
    read: Option<Vec<Json>>,
}

fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/hessian2-java.jsonl");
    let text = fs::read_to_string(path).expect("the vectors");
    text.lines()
        .map(|line| {
            let told = parse_json(line);
            let hex = told["hex"].as_str().expect("hex");
            Vector {
                name: format!("{} by {}", told["name"], told["dubbo"]),
                bytes: (0..hex.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
                    .collect(),
                values: told["values"].as_u64().expect("a count") as usize,
                read: told["json"].as_array().cloned(),
            }
        })
        .collect()
}

#[test]
fn every_value_ends_where_java_ended_it() {
    let vectors = vectors();
    assert!(vectors.len() > 200, "only {}", vectors.len());
    for vector in &vectors {
        let limits = Limits::default();
        let mut reader = Reader::new(&vector.bytes, 0, &limits);
        for _ in 0..vector.values {
            reader.skip().unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        }
        assert_eq!(reader.at(), vector.bytes.len(), "{}", vector.name);
    }
}

#[test]
fn no_value_ends_early() {
    for vector in vectors() {
        let limits = Limits::default();
        // A long run of plain bytes is cut alike everywhere; its ends are enough.
        let len = vector.bytes.len();
        for cut in (0..len).filter(|cut| *cut < 300 || len - cut < 300) {
            let mut reader = Reader::new(&vector.bytes[..cut], 0, &limits);
            let error = (0..vector.values).find_map(|_| reader.skip().err());
            let reason = error.unwrap_or_else(|| panic!("{} cut at {cut}: a value", vector.name)).reason;
            assert!(matches!(reason, Reason::UnexpectedEnd { .. }), "{} cut at {cut}: {reason:?}", vector.name);
        }
    }
}

/// The next value in the words of the vectors.
enum Told {
    Value(Json),
    /// They have no words for it that a walk knows.
    Wordless,
    /// The end of the container around.
    End,
}

fn told(reader: &mut Reader<'_>) -> Told {
    let value = match reader.next().expect("a value") {
        Event::Null => Some(Json::Null),
        Event::Bool(value) => Some(json!(value)),
        Event::Int(value) => Some(json!(value)),
        Event::Long(value) => Some(json!(value)),
        Event::Double(value) if value.is_finite() => Some(json!(value)),
        Event::Double(value) if value.is_nan() => Some(json!({ "$number": "NaN" })),
        Event::Double(value) => Some(json!({ "$number": if value > 0.0 { "Infinity" } else { "-Infinity" } })),
        Event::Date(value) => Some(json!({ "$date": value })),
        Event::Text(text) => Some(json!(text.to_str())),
        Event::Binary(binary) => {
            let hex: String = binary.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            Some(json!({ "$bytes": hex }))
        }
        Event::List { .. } => members(reader).map(Json::Array),
        Event::Map { .. } => members(reader).map(|members| {
            let text = |key: &Json| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            Json::Object(members.chunks(2).map(|pair| (text(&pair[0]), pair[1].clone())).collect())
        }),
        Event::Object { definition } => {
            let definition = reader.definition(definition).expect("a definition");
            let names = definition.fields().map(|name| name.to_str().into_owned());
            let members = members(reader);
            match definition.name.to_str().as_ref() {
                "metaprotocol.peer.Color" => members.map(|members| members[0].clone()),
                class @ ("metaprotocol.peer.Person" | "metaprotocol.peer.Address") => members.map(|members| {
                    let class = ("$class".to_owned(), json!(class));
                    Json::Object(names.zip(members).chain([class]).collect())
                }),
                _ => None,
            }
        }
        Event::Reference(_) => None,
        Event::End => return Told::End,
    };
    value.map_or(Told::Wordless, Told::Value)
}

/// The members of the container just entered, if there are words for all; reads to its end either way.
fn members(reader: &mut Reader<'_>) -> Option<Vec<Json>> {
    let mut all = Some(Vec::new());
    loop {
        match told(reader) {
            Told::Value(value) => {
                if let Some(members) = &mut all {
                    members.push(value);
                }
            }
            Told::Wordless => all = None,
            Told::End => return all,
        }
    }
}

/// True if `found` is what Java told; long strings and bytes are told by their length.
fn same(found: &Json, told: &Json) -> bool {
    let length = |tag: &str| told[tag]["length"].as_u64();
    if let (Some(length), Some(text)) = (length("$string"), found.as_str()) {
        return text.encode_utf16().count() as u64 == length;
    }
    if let (Some(length), Some(hex)) = (length("$bytes"), found["$bytes"].as_str()) {
        return hex.len() as u64 == 2 * length;
    }
    found == told
}

#[test]
fn values_are_what_java_read_back() {
    let (mut compared, mut wordless) = (0, Vec::new());
    for vector in vectors() {
        let Some(read) = &vector.read else { continue };
        let limits = Limits::default();
        let mut reader = Reader::new(&vector.bytes, 0, &limits);
        for value in read {
            match told(&mut reader) {
                Told::Value(found) => {
                    assert!(same(&found, value), "{}: {found} is not {value}", vector.name);
                    compared += 1;
                }
                Told::Wordless => wordless.push(vector.name.clone()),
                Told::End => panic!("{}: no value but an end", vector.name),
            }
        }
    }
    assert!(compared > 180, "only {compared} values compared, none of {wordless:?}");
}
