//! The captures of real peers: every call that the peers say they made is a row, with what they say of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use common::{Decoded, decode, decode_in};
use metaprotocol_decode::{ColumnData, Decoder, Options, Output};
use serde_json::Value as Json;

/// The captures of a protocol: name, file, and what the peers tell.
fn captures(protocol: &str) -> Vec<(String, Vec<u8>, Json)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/captures").join(protocol);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pcap") {
            let told = parse(&fs::read_to_string(path.with_extension("json")).unwrap());
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap(), told));
        }
    }
    assert!(!found.is_empty(), "no captures in {}", folder.display());
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Java's strings may hold half a surrogate pair, which no Rust string can; arguments are not compared here.
fn parse(text: &str) -> Json {
    let mut kept = String::with_capacity(text.len());
    let mut parts = text.split("\\ud");
    kept.push_str(parts.next().unwrap());
    for part in parts {
        kept.push('?');
        kept.push_str(&part[3..]);
    }
    serde_json::from_str(&kept).unwrap()
}

fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

fn undamaged(name: &str, decoded: &Decoded) {
    for key in ["malformed", "incomplete", "gaps", "skipped_bytes", "unasked", "cut_metadata"] {
        assert_eq!(decoded.total(key), 0, "{key} in {name}");
    }
}

#[test]
fn dubbo_frames_are_the_calls_that_the_peers_tell() {
    for (name, file, told) in captures("dubbo") {
        let decoded = decode(Options::default(), &file);
        undamaged(&name, &decoded);
        let frames = told["frames"].as_array().unwrap();
        let flags = |frame: &Json| frame["flags"].as_u64().unwrap();
        let len = |frame: &Json| frame["body_len"].as_u64().unwrap() + 16;
        let mut wanted = BTreeMap::new();
        let key = |frame: &Json| (frame["client_port"].as_u64().unwrap(), frame["id"].as_i64().unwrap());
        for frame in frames.iter().filter(|frame| flags(frame) & 0x20 == 0 && flags(frame) & 0xc0 == 0xc0) {
            wanted.insert(key(frame), (len(frame), None));
        }
        for frame in frames.iter().filter(|frame| flags(frame) & 0xa0 == 0) {
            wanted.get_mut(&key(frame)).unwrap().1 = Some(len(frame));
        }
        let port = |row: &Json| row["client"].as_str().unwrap().rsplit_once(':').unwrap().1.parse::<u64>().unwrap();
        let seen: BTreeMap<_, _> = decoded
            .rows
            .iter()
            .filter(|row| row["kind"] == "call" || row["kind"] == "request")
            .map(|row| {
                let sizes = (row["request_bytes"].as_u64().unwrap(), row["response_bytes"].as_u64());
                ((port(row), row["request_id"].as_i64().unwrap()), sizes)
            })
            .collect();
        assert_eq!(seen, wanted, "{name}");
        let events = frames.iter().filter(|frame| flags(frame) & 0x20 != 0).count() as u64;
        assert_eq!(decoded.total("heartbeats") + decoded.total("other_frames"), events, "{name}");

        if told["serialization"] != "hessian2" {
            assert!(decoded.rows.iter().all(|row| row["method"].is_null()), "{name}: opaque bodies have no names");
            continue;
        }
        // What clients were told of their calls, where the call was made at all.
        let outcome = |ok: bool| if ok { "ok" } else { "error" };
        let told = told["calls"].as_array().unwrap();
        let methods = |rows: &[Json], ok: bool| {
            let rows = rows.iter().filter(|row| row["kind"] == "call" && row["outcome"] == outcome(ok));
            count(rows.map(|row| (row["service"].as_str().unwrap().to_owned(), row["method"].to_string())))
        };
        let wanted = count(
            told.iter()
                .filter(|call| call["ok"] == true && call["one_way"] == false)
                .map(|call| (call["interface"].as_str().unwrap().to_owned(), call["method"].to_string())),
        );
        // A client that gives up before the answer comes, or does not like it, has seen less than the wire.
        for (method, calls) in &wanted {
            assert!(methods(&decoded.rows, true).get(method) >= Some(calls), "{name}: {method:?}");
        }
        let oneways = told.iter().filter(|call| call["one_way"] == true).count() as u64;
        assert_eq!(decoded.total("oneways"), oneways, "{name}");
    }
}

#[test]
fn thrift_frames_are_the_calls_that_the_peers_tell() {
    for (name, file, told) in captures("thrift") {
        let decoded = decode(Options::default(), &file);
        if told["protocol"] == "json" {
            assert_eq!(decoded.total("unrecognised_streams"), 1, "{name}");
            assert!(decoded.rows.is_empty(), "{name}");
            continue;
        }
        undamaged(&name, &decoded);
        let multiplexed = told["multiplexed"] == true;
        let wanted = count(told["calls"].as_array().unwrap().iter().map(|call| {
            let outcome = match call["reply"].as_str() {
                Some("reply") if call["outcome"] == "declared" => "error",
                Some("reply") => "ok",
                Some(_) => "error",
                None if call["message_type"] == "oneway" => "",
                None => "unanswered",
            };
            let service = if multiplexed { call["service"].as_str().unwrap() } else { "" };
            let id = call["seq_id"].as_i64().unwrap();
            (service.to_owned(), call["method"].as_str().unwrap().to_owned(), id, outcome.to_owned())
        }));
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let seen = count(decoded.rows.iter().map(|row| {
            (text(&row["service"]), text(&row["method"]), row["request_id"].as_i64().unwrap(), text(&row["outcome"]))
        }));
        assert_eq!(seen, wanted, "{name}");
        for row in decoded.of_kind("call") {
            assert_eq!(row["metadata"]["transport"], told["transport"], "{name}");
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_rows() {
    for protocol in ["dubbo", "thrift"] {
        for (name, file, _) in captures(protocol).into_iter().filter(|(_, file, _)| file.len() < 40_000) {
            let whole = decode(Options::default(), &file);
            for chunk in [1, 7, 1000] {
                let cut = decode_in(Decoder::new(Options::default()).unwrap(), &file, chunk);
                assert!(whole.json == cut.json, "{name} in chunks of {chunk}");
                assert_eq!(whole.summary, cut.summary, "{name} in chunks of {chunk}");
            }
        }
    }
}

#[test]
fn a_named_protocol_gives_the_same_rows_as_a_recognised_one() {
    for protocol in ["dubbo", "thrift"] {
        for (name, file, _) in captures(protocol) {
            let recognised = decode(Options::default(), &file);
            let named = decode(Options { protocol: Some(protocol.to_owned()), ..Options::default() }, &file);
            assert!(recognised.json == named.json, "{name}");
        }
        let other = if protocol == "dubbo" { "thrift" } else { "dubbo" };
        for (name, file, _) in captures(protocol) {
            let right = decode(Options::default(), &file);
            let wrong = decode(Options { protocol: Some(other.to_owned()), ..Options::default() }, &file);
            assert_eq!(wrong.total("rows"), 0, "{name} as {other}");
            // Streams without a byte are of no protocol, known or unknown.
            let spoken = right.summary["streams_by_protocol"][protocol].as_u64().unwrap_or(0);
            assert_eq!(wrong.total("unrecognised_streams"), spoken + right.total("unrecognised_streams"), "{name}");
        }
    }
}

#[test]
fn columns_hold_what_the_json_lines_hold() {
    for (name, file, _) in captures("dubbo") {
        let rows = decode(Options::default(), &file).rows;
        let mut decoder = Decoder::new(Options { output: Output::Columns, ..Options::default() }).unwrap();
        decoder.push(&file).unwrap();
        decoder.finish().unwrap();
        let table = decoder.take_columns();
        assert_eq!(table.rows, rows.len(), "{name}");
        for column in &table.columns {
            assert_eq!(column.valid.len(), rows.len(), "{name}: {}", column.name);
            for (at, row) in rows.iter().enumerate() {
                let (key, json) = match column.name.as_str() {
                    // Times and latencies are in other units; they are compared in another test.
                    "time" | "latency_ns" => continue,
                    key => (key, &row[key]),
                };
                let value = match &column.data {
                    _ if !column.valid[at] => Json::Null,
                    ColumnData::Int(values) | ColumnData::Time(values) => values[at].into(),
                    ColumnData::Text { offsets, bytes } => {
                        let text = &bytes[offsets[at] as usize..offsets[at + 1] as usize];
                        let text = std::str::from_utf8(text).unwrap();
                        match key {
                            "metadata" | "response_metadata" => serde_json::from_str(text).unwrap(),
                            "request_id" => text.parse::<i64>().unwrap().into(),
                            _ => text.into(),
                        }
                    }
                };
                assert_eq!(&value, json, "{name}: {key} of row {at}");
            }
        }
        assert_eq!(decoder.take_columns().rows, 0);
    }
}
