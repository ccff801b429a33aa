//! Captures made by hand: damage, floods, filters and limits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{CLIENT_PORT, Decoded, Lines, Pcap, decode, decode_in, failure, oneway, request, response, rows_of};
use metaprotocol_core::{Direction, Limits};
use metaprotocol_decode::{ColumnData, Condition, Decoder, Error, Format, Metadata, Options, OptionsError, Output};
use proptest::prelude::*;

const CLIENT: bool = true;
const SERVER: bool = false;

/// Three calls, of which the second fails, and a one-way.
fn small() -> Vec<u8> {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.send(&mut tcp, CLIENT, &request(1, "sayHello", "a", &[("user", "alice"), ("group", "blue")]));
    pcap.send(&mut tcp, SERVER, &response(1, "Hello a"));
    pcap.send(&mut tcp, CLIENT, &request(2, "sayHello", "b", &[("user", "bob")]));
    pcap.send(&mut tcp, CLIENT, &request(3, "add", "c", &[]));
    pcap.send(&mut tcp, SERVER, &response(3, "42"));
    pcap.send(&mut tcp, SERVER, &failure(2, 60, "no such service"));
    pcap.send(&mut tcp, CLIENT, &oneway(4, "notify"));
    pcap.close(&mut tcp);
    pcap.bytes
}

fn wanting(conditions: &[&str]) -> Options {
    let conditions = conditions.iter().map(|text| Condition::parse(text).unwrap()).collect();
    Options { conditions, ..Options::default() }
}

fn ids(decoded: &Decoded) -> Vec<i64> {
    decoded.rows.iter().map(|row| row["request_id"].as_i64().unwrap()).collect()
}

#[test]
fn a_row_tells_all_of_a_call() {
    let decoded = decode(Options::default(), &small());
    assert_eq!(decoded.kinds(), ["call", "call", "call", "oneway"]);
    let wanted: serde_json::Value = serde_json::json!({
        "kind": "call", "time": "2023-11-14T22:13:20.004000000Z", "protocol": "dubbo", "connection": 0,
        "client": "10.0.0.1:40000", "server": "10.0.0.2:20880", "direction": "client_to_server", "request_id": 1,
        "service": "demo.Greeter", "method": "sayHello", "outcome": "ok", "latency_ms": 1,
        "request_bytes": request(1, "sayHello", "a", &[("user", "alice"), ("group", "blue")]).len(),
        "response_bytes": response(1, "Hello a").len(), "offset": 0, "response_offset": 0,
        "metadata": {
            "serialization": "hessian2", "event": 0, "two_way": 1, "dubbo_version": "2.0.2", "path": "demo.Greeter",
            "service_version": "0.0.0", "method": "sayHello", "param_types": "Ljava/lang/String;", "param_count": 1,
            "interface": "demo.Greeter", "user": "alice", "group": "blue",
        },
        "response_metadata": {"serialization": "hessian2", "event": 0, "status": 20, "result_type": 1},
    });
    assert_eq!(decoded.rows[0], wanted);
    let failed = &decoded.rows[2];
    assert_eq!((&failed["request_id"], &failed["outcome"]), (&2.into(), &"error".into()));
    assert_eq!((&failed["error"], &failed["latency_ms"]), (&"no such service".into(), &3.into()));
    assert_eq!(failed["response_metadata"]["status"], 60);
}

#[test]
fn the_summary_counts_by_method() {
    let decoded = decode(Options { output: Output::None, ..Options::default() }, &small());
    assert!(decoded.rows.is_empty());
    for (key, number) in [("rows", 4), ("calls", 3), ("errors", 1), ("oneways", 1), ("unanswered", 0), ("streams", 1)] {
        assert_eq!(decoded.total(key), number, "{key}");
    }
    let hello = &decoded.summary["methods"][0];
    assert_eq!(hello["method"], "sayHello");
    assert_eq!((&hello["calls"], &hello["errors"]), (&2.into(), &1.into()));
    assert_eq!((&hello["latency_ms"]["min"], &hello["latency_ms"]["max"]), (&1.into(), &3.into()));
    assert_eq!(decoded.summary["streams_by_protocol"], serde_json::json!({"dubbo": 1}));
}

#[test]
fn conditions_choose_rows() {
    for (conditions, wanted) in [
        (&["method=sayHello"][..], &[1, 2][..]),
        (&["method!=sayHello"], &[3, 4]),
        (&["user=bob"], &[2]),
        (&["user!=bob"], &[1, 3, 4]),
        (&["user~^(alice|bob)$"], &[1, 2]),
        (&["user!~ali"], &[3, 2, 4]),
        (&["method=sayHello", "user=alice"], &[1]),
        (&["outcome=error"], &[2]),
        (&["outcome=ok"], &[1, 3]),
        (&["outcome!=ok"], &[2, 4]),
        (&["error~no such"], &[2]),
        (&["error!~no such"], &[1, 3, 4]),
        (&["status=20"], &[1, 3]),
        (&["status=60"], &[2]),
        (&["status>20"], &[2]),
        (&["latency_ms>=3"], &[2]),
        (&["latency_ms<3"], &[1, 3]),
        (&["kind=oneway"], &[4]),
        (&["service=demo.Greeter", "protocol=dubbo", "connection=0"], &[1, 3, 2, 4]),
        (&["server~:20880$", "client=10.0.0.1:40000"], &[1, 3, 2, 4]),
        (&["direction=server_to_client"], &[]),
        (&["request_id>=3"], &[3, 4]),
        (&["response_bytes>30"], &[2]),
        (&["request_bytes>0"], &[1, 3, 2, 4]),
        (&["interface=demo.Greeter", "two_way=1"], &[1, 3, 2]),
        (&["no_such_key=1"], &[]),
    ] {
        let decoded = decode(wanting(conditions), &small());
        let mut seen = ids(&decoded);
        let mut wanted = wanted.to_vec();
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted, "{conditions:?}");
        assert_eq!(decoded.total("rows"), wanted.len() as u64, "{conditions:?}: the summary counts what is shown");
        assert_eq!(decoded.total("unasked"), 0, "{conditions:?}: a response to a rejected request is no stray");
        // Without rows the same are counted.
        let counted = decode(Options { output: Output::None, ..wanting(conditions) }, &small());
        assert_eq!(counted.summary, decoded.summary, "{conditions:?}");
    }
}

#[test]
fn chosen_keys_are_shown_and_no_others() {
    let keys = vec!["user".to_owned(), "status".to_owned()];
    let options = Options { metadata: Metadata::Keys(keys.clone()), ..Options::default() };
    let decoded = decode(options, &small());
    assert_eq!(decoded.rows[0]["metadata"], serde_json::json!({"user": "alice"}));
    assert_eq!(decoded.rows[0]["response_metadata"], serde_json::json!({"status": 20}));
    assert_eq!(decoded.rows[0]["method"], "sayHello");
    assert_eq!(decoded.rows[2]["error"], "no such service");
    assert_eq!(decoded.rows[3].get("metadata"), None, "a one-way without the keys");

    let options = Options { metadata: Metadata::None, ..Options::default() };
    let without = decode(options, &small());
    assert_eq!(without.rows[0].get("metadata"), None);
    assert_eq!(without.rows[2]["error"], "no such service");

    let options = Options { metadata: Metadata::Keys(keys), output: Output::Columns, ..Options::default() };
    let mut decoder = Decoder::new(options).unwrap();
    decoder.push(&small()).unwrap();
    decoder.finish().unwrap();
    assert_eq!(decoder.column_rows(), 4);
    let table = decoder.take_columns();
    let [.., user, status] = table.columns.as_slice() else { panic!("the chosen keys are the last columns") };
    assert_eq!((user.name.as_str(), status.name.as_str()), ("user", "status"));
    assert_eq!(user.valid, [true, false, true, false]);
    assert_eq!(user.data, ColumnData::Text { offsets: vec![0, 5, 5, 8, 8], bytes: b"alicebob".to_vec() });
    assert_eq!(status.data, ColumnData::Text { offsets: vec![0, 2, 4, 6, 6], bytes: b"202060".to_vec() });
    let named = |name: &str| table.columns.iter().find(|column| column.name == name).unwrap();
    assert_eq!(named("latency_ns").data, ColumnData::Int(vec![1_000_000, 1_000_000, 3_000_000, 0]));
    assert_eq!(named("latency_ns").valid, [true, true, true, false]);
    let ColumnData::Time(times) = &named("time").data else { panic!("times are times") };
    assert_eq!(times[0], 1_700_000_000_004_000_000);
}

#[test]
fn rows_stop_at_the_limit() {
    let options = Options { max_rows: Some(2), ..Options::default() };
    let decoded = decode(options, &small());
    assert_eq!(decoded.rows.len(), 2);
    assert_eq!(decoded.total("rows"), 2);
    let mut decoder = Decoder::new(Options { max_rows: Some(1), ..Options::default() }).unwrap();
    let file = small();
    decoder.push(&file[..file.len() / 2]).unwrap();
    assert!(decoder.done());
    decoder.push(&[0xff; 100]).expect("nothing more is read");
    decoder.finish().expect("nor checked");
}

#[test]
fn a_gap_in_a_body_costs_that_frame_only() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    let long = request(1, "long", &"x".repeat(9000), &[]);
    pcap.send(&mut tcp, CLIENT, &long[..2800]);
    pcap.lose(&mut tcp, CLIENT, 1400);
    pcap.send(&mut tcp, CLIENT, &long[4200..]);
    pcap.send(&mut tcp, CLIENT, &request(2, "next", "b", &[]));
    pcap.send(&mut tcp, SERVER, &response(1, "a"));
    pcap.send(&mut tcp, SERVER, &response(2, "b"));
    pcap.close(&mut tcp);
    let decoded = decode(Options::default(), &pcap.bytes);
    assert_eq!(decoded.of_kind("gap").len(), 1, "{:?}", decoded.rows);
    let gap = decoded.of_kind("gap")[0];
    assert_eq!((&gap["offset"], &gap["missing_bytes"]), (&2800.into(), &1400.into()));
    assert_eq!(decoded.of_kind("incomplete").len(), 1, "{:?}", decoded.rows);
    let incomplete = decoded.of_kind("incomplete")[0];
    assert_eq!(incomplete["offset"], 0);
    assert_eq!(incomplete["missing_bytes"], long.len() - 2800);
    let call = decoded.of_kind("call")[0];
    assert_eq!((&call["method"], &call["offset"]), (&"next".into(), &long.len().into()));
    assert_eq!(call["latency_ms"], 2, "though the request was held back until after the response");
    let lone = decoded.of_kind("response")[0];
    assert_eq!((&lone["request_id"], &lone["outcome"]), (&1.into(), &"ok".into()));
    assert_eq!(decoded.rows.len(), 4, "{:?}", decoded.kinds());
    for (key, number) in [("gaps", 1), ("gap_bytes", 1400), ("incomplete", 1), ("malformed", 0), ("unasked", 1)] {
        assert_eq!(decoded.total(key), number, "{key}");
    }
    assert_eq!(decoded.total("skipped_bytes"), 2800, "what had come of the frame; the rest was passed over");
}

#[test]
fn conditions_hold_for_requests_that_come_late() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.lose(&mut tcp, CLIENT, 20);
    pcap.send(&mut tcp, CLIENT, &request(1, "sayHello", "a", &[("user", "alice")]));
    pcap.send(&mut tcp, CLIENT, &request(2, "add", "b", &[]));
    pcap.send(&mut tcp, SERVER, &failure(1, 60, "no such service"));
    pcap.send(&mut tcp, SERVER, &response(2, "b"));
    pcap.close(&mut tcp);
    for (condition, wanted) in [
        ("kind=call", &[1, 2][..]),
        ("method=sayHello", &[1]),
        ("service=demo.Greeter", &[1, 2]),
        ("user=alice", &[1]),
        ("user!=alice", &[2]),
        ("status=60", &[1]),
        ("outcome=ok", &[2]),
        ("error~such", &[1]),
        ("latency_ms>=2", &[1, 2]),
        ("request_bytes<50", &[]),
    ] {
        let options = Options { protocol: Some("dubbo".to_owned()), ..wanting(&[condition, "kind!=gap"]) };
        let decoded = decode(options, &pcap.bytes);
        assert_eq!(ids(&decoded), wanted, "{condition}");
        assert_eq!(decoded.total("calls"), wanted.len() as u64, "{condition}");
    }
}

#[test]
fn a_gap_over_several_frames_is_left_at_the_next_one() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    let frames: Vec<_> = (0..40).map(|id| request(id, "m", &"y".repeat(100), &[])).collect();
    let stream = frames.concat();
    let len = frames[0].len();
    // From within frame 2 into frame 20, of which the last 50 bytes are there.
    let (from, to) = (2 * len + 30, 21 * len - 50);
    pcap.send(&mut tcp, CLIENT, &stream[..from]);
    pcap.lose(&mut tcp, CLIENT, to - from);
    pcap.send(&mut tcp, CLIENT, &stream[to..]);
    for id in 0..40 {
        pcap.send(&mut tcp, SERVER, &response(id, "z"));
    }
    pcap.close(&mut tcp);
    let decoded = decode(Options::default(), &pcap.bytes);
    let calls: Vec<_> = decoded.of_kind("call").iter().map(|row| row["request_id"].as_i64().unwrap()).collect();
    assert_eq!(calls, (0..2).chain(21..40).collect::<Vec<_>>());
    assert_eq!(decoded.total("unasked"), 19);
    assert_eq!((decoded.total("gaps"), decoded.total("gap_bytes")), (1, (to - from) as u64));
    assert_eq!(decoded.total("skipped_bytes"), 30 + 50);
    let offsets: Vec<_> = decoded.of_kind("call").iter().map(|row| row["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets[2], (21 * len) as u64);
}

#[test]
fn a_broken_frame_is_a_row_and_the_next_one_is_found() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.send(&mut tcp, CLIENT, &request(1, "first", "a", &[]));
    let mut stream = vec![0x77; 333];
    stream.extend(request(2, "second", "b", &[]));
    pcap.send(&mut tcp, CLIENT, &stream);
    pcap.send(&mut tcp, CLIENT, &request(3, "third", "c", &[]));
    for id in 1..4 {
        pcap.send(&mut tcp, SERVER, &response(id, "z"));
    }
    pcap.close(&mut tcp);
    let decoded = decode(Options::default(), &pcap.bytes);
    assert_eq!(decoded.kinds(), ["malformed", "call", "call", "call"]);
    let broken = &decoded.rows[0];
    assert_eq!(broken["reason"], "bad_magic");
    assert_eq!(broken["offset"], request(1, "first", "a", &[]).len());
    assert!(broken["broken"].as_str().unwrap().contains("magic"), "{broken}");
    assert_eq!((decoded.total("malformed"), decoded.total("skipped_bytes")), (1, 333));
    assert_eq!(decoded.rows[2]["method"], "second");
}

#[test]
fn a_body_that_cannot_be_read_is_told_in_its_row() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    let mut frame = request(1, "first", "a", &[]);
    let end = frame.len() - 2;
    frame[end] = 0x51; // A reference to nothing, where the attachments begin.
    pcap.send(&mut tcp, CLIENT, &frame);
    pcap.send(&mut tcp, SERVER, &response(1, "a"));
    let decoded = decode(Options::default(), &pcap.bytes);
    assert_eq!(decoded.kinds(), ["call"]);
    assert_eq!(decoded.rows[0]["method"], "first");
    assert!(decoded.rows[0]["broken"].is_string(), "{}", decoded.rows[0]);
    assert_eq!(decoded.total("malformed"), 1);
}

#[test]
fn the_end_of_the_capture_leaves_frames_and_requests_open() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.send(&mut tcp, CLIENT, &request(1, "first", "a", &[]));
    let cut = request(2, "second", "b", &[]);
    pcap.send(&mut tcp, CLIENT, &cut[..20]);
    let decoded = decode(Options::default(), &pcap.bytes);
    assert_eq!(decoded.kinds(), ["incomplete", "request"]);
    assert_eq!(decoded.rows[0]["missing_bytes"], cut.len() - 20);
    assert_eq!((&decoded.rows[1]["outcome"], &decoded.rows[1]["method"]), (&"unanswered".into(), &"first".into()));
    assert_eq!((decoded.total("unanswered"), decoded.total("incomplete")), (1, 1));
    assert_eq!(decoded.summary["methods"][0]["unanswered"], 1);
}

#[test]
fn a_capture_from_the_middle_begins_at_the_next_frame() {
    for (name, ports) in [("well-known", CLIENT_PORT), ("guessed wrong", 2000)] {
        let mut pcap = Pcap::new();
        let mut tcp = Pcap::midstream(ports);
        let first = request(1, "first", "a", &[("user", "alice")]);
        pcap.send(&mut tcp, CLIENT, &first[40..]);
        pcap.send(&mut tcp, SERVER, &response(1, "a"));
        pcap.send(&mut tcp, CLIENT, &request(2, "second", "b", &[]));
        pcap.send(&mut tcp, SERVER, &response(2, "b"));
        let decoded = decode(Options::default(), &pcap.bytes);
        let calls = decoded.of_kind("call");
        assert_eq!(calls.len(), 1, "{name}: {:?}", decoded.rows);
        assert_eq!(calls[0]["method"], "second", "{name}");
        assert_eq!(decoded.total("malformed"), 0, "{name}");
    }
}

#[test]
fn streams_that_nobody_wants_are_counted_and_not_kept() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    let page = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 100_000]].concat();
    pcap.send(&mut tcp, CLIENT, b"GET / HTTP/1.1\r\nhost: example\r\n\r\n");
    pcap.send(&mut tcp, SERVER, &page);
    let mut decoder = Decoder::new(Options::default()).unwrap();
    decoder.push(&pcap.bytes).unwrap();
    assert_eq!(decoder.retained_bytes(), 0);
    decoder.finish().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&decoder.summary()).unwrap();
    assert_eq!(summary["unrecognised_streams"], 1);
    assert_eq!(summary["unrecognised_bytes"], 33 + page.len());
    assert!(decoder.json().is_empty());
}

#[test]
fn memory_is_bounded_by_open_streams_not_by_the_capture() {
    let limits = Limits { max_in_flight: 50, ..Limits::default() };
    let mut decoder = Decoder::new(Options { limits, ..Options::default() }).unwrap();
    let mut pcap = Pcap::new();
    // One client that is never answered, one that is, and one that dribbles an unknown protocol.
    let mut silent = pcap.open(1);
    let mut lively = pcap.open(2);
    let mut strange = pcap.open(3);
    let mut most = 0;
    let mut rows = 0;
    for id in 0..20_000 {
        pcap.send(&mut silent, CLIENT, &request(id, "lost", "a", &[("k", &"v".repeat(100))]));
        pcap.send(&mut lively, CLIENT, &request(id, "kept", "a", &[]));
        pcap.send(&mut lively, SERVER, &response(id, "b"));
        pcap.send(&mut strange, CLIENT, &[0x80]);
        let file = pcap.take();
        decoder.push(&file).unwrap();
        rows += decoder.json().iter().filter(|byte| **byte == b'\n').count();
        decoder.clear_json();
        most = most.max(decoder.retained_bytes());
        assert!(decoder.in_flight() <= 50);
    }
    // Fifty requests with some 500 bytes of metadata each, and 4 KiB of the strange stream.
    assert!((10_000..40_000).contains(&most), "{most} bytes were kept");
    assert_eq!(rows, 20_000 + 20_000 - 50);
    decoder.finish().unwrap();
    assert_eq!(decoder.in_flight(), 0);
    assert_eq!(decoder.retained_bytes(), 0);
}

#[test]
fn metadata_that_waits_is_bounded_for_all_streams_together() {
    let mut decoder = Decoder::new(Options::default()).unwrap();
    let mut pcap = Pcap::new();
    let big = "v".repeat(30_000);
    let attachments: Vec<_> = ["a", "b", "c", "d"].iter().map(|key| (*key, big.as_str())).collect();
    let mut connections = Vec::new();
    for port in 1..=8 {
        connections.push(pcap.open(port));
    }
    // 8 × 100 requests of 120 kB would be 96 MB.
    for id in 0..100 {
        for tcp in &mut connections {
            pcap.send(tcp, CLIENT, &request(id, "big", "a", &attachments));
            decoder.push(&pcap.take()).unwrap();
        }
    }
    assert!(decoder.retained_bytes() <= 65 << 20, "{} bytes are kept", decoder.retained_bytes());
    assert_eq!(decoder.in_flight(), 800);
    for id in 0..100 {
        for tcp in &mut connections {
            pcap.send(tcp, SERVER, &response(id, "b"));
        }
    }
    decoder.push(&pcap.take()).unwrap();
    decoder.finish().unwrap();
    let rows = rows_of(decoder.json());
    assert_eq!(rows.len(), 800);
    let cut = rows.iter().filter(|row| row["metadata_cut"] == true).count();
    assert!((100..400).contains(&cut), "{cut} rows are cut");
    assert!(rows.iter().all(|row| row["method"] == "big" && row["outcome"] == "ok"));
    let summary: serde_json::Value = serde_json::from_slice(&decoder.summary()).unwrap();
    assert_eq!(summary["cut_metadata"], cut);
}

#[test]
fn a_long_value_is_cut_between_characters() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.send(&mut tcp, CLIENT, &request(1, "big", "a", &[("k", &"é".repeat(60_000))]));
    pcap.send(&mut tcp, SERVER, &response(1, "b"));
    let decoded = decode(Options::default(), &pcap.bytes);
    let value = decoded.rows[0]["metadata"]["k"].as_str().unwrap();
    assert_eq!(value.chars().count(), (64 << 10) / 2 + 1);
    assert!(value.ends_with("é…"));
    assert_eq!(decoded.rows[0]["metadata_cut"], true);
}

#[test]
fn raw_and_hex_input_is_one_direction() {
    let frames = [request(1, "a", "x", &[]), oneway(2, "b")].concat();
    let hex: String = frames.iter().map(|byte| format!("{byte:02x}")).collect();
    for (format, input) in [(Format::Auto, frames.as_slice()), (Format::Raw, &frames), (Format::Hex, hex.as_bytes())] {
        for protocol in [None, Some("dubbo".to_owned())] {
            let options = Options { format, protocol, ..Options::default() };
            let decoded = decode_in(Decoder::new(options).unwrap(), input, 10);
            assert_eq!(decoded.kinds(), ["request", "oneway"], "{format:?}");
            let first = &decoded.rows[0];
            assert_eq!(first["method"], "a");
            for absent in ["time", "client", "server", "outcome", "latency_ms"] {
                assert_eq!(first.get(absent), None, "{absent}");
            }
            assert_eq!(decoded.total("unanswered"), 0, "nobody could have seen an answer");
        }
    }
    let decoded = decode(Options { format: Format::Auto, ..Options::default() }, hex.as_bytes());
    assert_eq!(decoded.summary["format"], "hex");
    let options = Options { direction: Some(Direction::ServerToClient), ..Options::default() };
    let decoded = decode(options, &failure(7, 60, "no"));
    assert_eq!(decoded.kinds(), ["error"]);
    assert_eq!((&decoded.rows[0]["outcome"], &decoded.rows[0]["error"]), (&"error".into(), &"no".into()));
    assert_eq!(decoded.rows[0]["direction"], "server_to_client");
}

#[test]
fn raw_bytes_of_a_named_protocol_are_shown_as_broken() {
    let options = Options { protocol: Some("dubbo".to_owned()), format: Format::Raw, ..Options::default() };
    let decoded = decode(options, b"GET / HTTP/1.1");
    assert_eq!(decoded.kinds(), ["malformed"]);
    assert_eq!((&decoded.rows[0]["reason"], &decoded.rows[0]["offset"]), (&"bad_magic".into(), &0.into()));
    assert_eq!(decoded.total("skipped_bytes"), 14);
    let decoded = decode(Options { format: Format::Raw, ..Options::default() }, b"GET / HTTP/1.1");
    assert!(decoded.rows.is_empty());
    assert_eq!(decoded.total("unrecognised_streams"), 1);
}

#[test]
fn errors_say_where_and_rows_before_them_stand() {
    let mut file = small();
    file.extend_from_slice(&[0xff; 16]);
    let mut decoder = Decoder::new(Options::default()).unwrap();
    let error = decoder.push(&file).unwrap_err();
    assert_eq!(error.offset(), Some(small().len() as u64));
    assert_eq!(error.code(), "capture.record_too_long");
    assert_eq!(decoder.push(b"more"), Err(error.clone()));
    assert_eq!(decoder.finish(), Err(error));
    assert_eq!(rows_of(decoder.json()).len(), 4);

    let mut decoder = Decoder::new(Options { format: Format::Capture, ..Options::default() }).unwrap();
    assert!(matches!(decoder.push(b"GET / HTTP/1.1\r\n and so on").unwrap_err(), Error::Capture(_)));
    let mut decoder = Decoder::new(Options { format: Format::Hex, ..Options::default() }).unwrap();
    decoder.push(b"dabb\nxyz\n").unwrap_err();
    assert_eq!(decoder.finish().unwrap_err().code(), "hex.bad_digit");
    let mut cut = small();
    cut.truncate(cut.len() - 3);
    let decoded = decode(Options::default(), &cut);
    assert_eq!(decoded.rows.len(), 4);
    assert!(decoded.summary["cut_record_offset"].is_u64(), "{}", decoded.summary);
}

#[test]
fn any_number_of_threads_gives_the_same_rows_in_the_same_order() {
    let mut pcap = Pcap::new();
    let mut connections: Vec<_> = (1..=23).map(|port| pcap.open(port)).collect();
    let mut flip = 0_u64;
    for id in 0..200 {
        for tcp in &mut connections {
            // Some connections pause, some lose bytes, some are not answered at once.
            flip = flip.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match flip >> 60 {
                0 => pcap.lose(tcp, CLIENT, 100),
                1 => {}
                2 => pcap.send(tcp, CLIENT, &[0xff; 30]),
                _ => {
                    pcap.send(tcp, CLIENT, &request(id, &format!("m{}", flip >> 61), "a", &[("k", "v")]));
                    pcap.send(tcp, SERVER, &response(id, &"b".repeat((flip >> 50) as usize % 500)));
                }
            }
        }
    }
    for tcp in connections.iter_mut().take(10) {
        pcap.close(tcp);
    }
    assert!(pcap.bytes.len() > 1 << 20, "long enough to be handed over, {} bytes", pcap.bytes.len());
    for conditions in [&[][..], &["method~m[0-3]", "kind=call"]] {
        for output in [Output::Json, Output::None] {
            let options = Options { output, threads: 1, ..wanting(conditions) };
            let alone = decode(options.clone(), &pcap.bytes);
            assert!(output == Output::None || alone.rows.len() > 1000);
            for (threads, chunk) in [(2, 256 << 10), (2, 70_000), (3, 1 << 20), (5, 100_000), (3, 1000)] {
                let decoder = Decoder::new(Options { threads, ..options.clone() }).unwrap();
                let together = decode_in(decoder, &pcap.bytes, chunk);
                assert!(alone.json == together.json, "{threads} threads, chunks of {chunk}");
                assert_eq!(alone.summary, together.summary, "{threads} threads, chunks of {chunk}");
            }
        }
    }
}

#[test]
fn flush_brings_the_rows_of_a_long_push() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    for id in 0..2000 {
        pcap.send(&mut tcp, CLIENT, &request(id, "m", "a", &[]));
        pcap.send(&mut tcp, SERVER, &response(id, "b"));
    }
    let mut decoder = Decoder::new(Options { threads: 2, ..Options::default() }).unwrap();
    decoder.push(&pcap.bytes).unwrap();
    decoder.flush();
    assert_eq!(rows_of(decoder.json()).len(), 2000);
    decoder.clear_json();
    decoder.push(&pcap.bytes[24..]).unwrap();
    // Asking for numbers waits, too; the same packets again are retransmissions.
    let summary: serde_json::Value = serde_json::from_slice(&decoder.summary()).unwrap();
    assert_eq!(summary["calls"], 2000);
    assert_eq!(summary["retransmitted_segments"], 4000);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let error = Decoder::new(Options { protocol: Some("htpp".to_owned()), ..Options::default() }).err().unwrap();
    let there: Vec<_> = metaprotocol_registry::codecs().iter().map(|codec| codec.info().name.to_string()).collect();
    assert_eq!(error.to_string(), format!("there is no codec \"htpp\"; there are: {}", there.join(", ")));
    let many = vec![Condition::parse("a=b").unwrap(); 65];
    let error = Decoder::new(Options { conditions: many, ..Options::default() }).err().unwrap();
    assert_eq!(error, OptionsError::TooManyConditions { count: 65 });
    let most = vec![Condition::parse("method!=b").unwrap(); 64];
    let decoded = decode(Options { conditions: most, ..Options::default() }, &small());
    assert_eq!(decoded.rows.len(), 4);
}

fn lines(options: Options) -> Decoder {
    Decoder::with_codecs(options, &[Lines::codec()]).unwrap()
}

#[test]
fn answers_in_order_are_not_paired_over_a_loss() {
    let mut pcap = Pcap::new();
    let mut tcp = pcap.open(CLIENT_PORT);
    pcap.send(&mut tcp, CLIENT, b"?method=a\n?method=b\n?method=c\n");
    pcap.send(&mut tcp, SERVER, b"!1\n");
    pcap.lose(&mut tcp, SERVER, 3);
    pcap.send(&mut tcp, SERVER, b"!3\n");
    pcap.settle(&tcp, CLIENT);
    pcap.send(&mut tcp, CLIENT, b"?method=d\n");
    pcap.send(&mut tcp, SERVER, b"!4\n");
    pcap.close(&mut tcp);
    let decoded = decode_in(lines(Options::default()), &pcap.bytes, 1 << 20);
    let told: Vec<_> =
        decoded.rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["method"].as_str().unwrap_or(""))).collect();
    assert_eq!(
        told,
        [("call", "a"), ("gap", ""), ("request", "b"), ("request", "c"), ("response", ""), ("call", "d")],
        "the answer behind the gap may be of b or of c"
    );
}

#[test]
fn a_key_that_comes_again_replaces_the_earlier_value() {
    for count in [2, 20, 33, 34, 500] {
        let mut text = String::from("?");
        for number in 0..count {
            text += &format!("k{number}=old,k0={number},");
        }
        text += "method=m,k1=new\n";
        let options = Options { format: Format::Raw, ..Options::default() };
        let decoded = decode_in(lines(options), text.as_bytes(), 1 << 20);
        let json = std::str::from_utf8(&decoded.json).unwrap();
        let metadata = &decoded.rows[0]["metadata"];
        assert_eq!(metadata["k0"], (count - 1).to_string());
        assert_eq!(metadata["k1"], "new");
        assert_eq!(metadata.as_object().unwrap().len(), count + 1);
        for key in ["k0", "k1", "method"] {
            assert_eq!(json.matches(&format!("\"{key}\":")).count(), 1 + usize::from(key == "method"), "{key}");
        }
    }
}

#[test]
fn names_and_values_are_escaped() {
    let options = Options { format: Format::Raw, ..Options::default() };
    let decoded = decode_in(lines(options), "?method=\"a\"\\,k\t\"=\u{1}\u{1b}[31mé\n".as_bytes(), 1 << 20);
    assert_eq!(decoded.rows[0]["method"], "\"a\"\\");
    assert_eq!(decoded.rows[0]["metadata"]["k\t\""], "\u{1}\u{1b}[31mé");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever bytes travel, every row is JSON, and every byte of a recognised stream is accounted for.
    #[test]
    fn any_bytes_give_rows_and_are_accounted_for(
        pieces in prop::collection::vec((any::<bool>(), piece()), 1..12),
        chunk in 1_usize..2000,
    ) {
        let mut pcap = Pcap::new();
        let mut tcp = pcap.open(CLIENT_PORT);
        let mut sent = 0;
        for (from_client, bytes) in &pieces {
            pcap.send(&mut tcp, *from_client, bytes);
            sent += bytes.len() as u64;
        }
        pcap.close(&mut tcp);
        let whole = decode(Options::default(), &pcap.bytes);
        let cut = decode_in(Decoder::new(Options::default()).unwrap(), &pcap.bytes, chunk);
        prop_assert!(whole.json == cut.json);
        let framed: u64 = whole
            .rows
            .iter()
            .flat_map(|row| [&row["request_bytes"], &row["response_bytes"]])
            .filter_map(serde_json::Value::as_u64)
            .sum();
        let skipped = whole.total("skipped_bytes") + whole.total("unrecognised_bytes");
        prop_assert_eq!(framed + skipped, sent, "{:?}", whole.rows);
    }

    /// The same with bytes missing anywhere.
    #[test]
    fn any_loss_is_accounted_for(lost in prop::collection::vec(any::<bool>(), 30), seed in 0_u8..255) {
        let mut pcap = Pcap::new();
        let mut tcp = pcap.open(CLIENT_PORT);
        let mut stream = Vec::new();
        for id in 0..30 {
            stream.extend(request(id, "m", &"q".repeat(usize::from(seed) + id as usize * 3), &[]));
        }
        for (piece, lost) in stream.chunks(stream.len().div_ceil(30)).zip(&lost) {
            if *lost {
                pcap.lose(&mut tcp, CLIENT, piece.len());
            } else {
                pcap.send(&mut tcp, CLIENT, piece);
            }
        }
        pcap.close(&mut tcp);
        let options = Options { protocol: Some("dubbo".to_owned()), ..Options::default() };
        let decoded = decode(options, &pcap.bytes);
        for row in decoded.of_kind("request") {
            let id = row["request_id"].as_u64().unwrap();
            let len = request(id, "m", &"q".repeat(usize::from(seed) + id as usize * 3), &[]).len();
            prop_assert_eq!(row["request_bytes"].as_u64(), Some(len as u64));
        }
        prop_assert_eq!(decoded.total("malformed"), 0);
    }
}

/// A frame, a broken frame, or noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let frame = (0_u64..4, "[a-z]{1,8}", ".{0,40}").prop_map(|(id, method, text)| request(id, &method, &text, &[]));
    let answer = (0_u64..4, ".{0,40}").prop_map(|(id, text)| response(id, &text));
    let broken = (0_u64..4, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(id, at, byte)| {
        let mut frame = request(id, "m", "x", &[]);
        let at = at.index(frame.len());
        frame[at] = byte;
        frame
    });
    let noise = prop::collection::vec(any::<u8>(), 1..200);
    prop_oneof![3 => frame, 3 => answer, 2 => broken, 1 => noise]
}
