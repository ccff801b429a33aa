//! What becomes of messages on their way.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use metaprotocol_core::{Direction, Kind, RequestId};
use metaprotocol_testkit::{CLIENT, decode, vectors};
use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, codec, simple, with};

fn dubbo_host() -> Host {
    Host::new("dubbo", |peer, head, bytes| {
        if head.kind == Kind::Request {
            peer.send(&dubbo_answer(dubbo_id(bytes), &dubbo_text(bytes)));
        }
    })
}

#[test]
fn fields_are_set_in_requests_and_in_answers() {
    // BUG-2
    let routes = json!({ "routes": { "r": { "routes": [{
        "to": { "cluster": "c" }, "request_set": [["lane", "blue"]], "response_set": [["seen-by", "proxy"]],
    }] } } });
    let host = dubbo_host();
    let rig = Rig::new(with(simple("dubbo", &[&host]), routes.clone()));
    let mut client = rig.client("dubbo");
    for id in [1_u64, u64::MAX, 7 << 40] {
        let answer = client.send(&dubbo_call(DUBBO_REQUEST, id, "hello")).frame();
        assert_eq!(dubbo_id(&answer), id);
        assert!(contains(&answer, "hello") && contains(&answer, "seen-by") && contains(&answer, "from"));
    }
    let field = |name: &str, bytes: &[u8], direction, key| {
        let codec = codec(name);
        let head = metaprotocol_testkit::head(codec.as_ref(), direction, bytes);
        let frame = metaprotocol_core::Frame { head, bytes };
        metaprotocol_testkit::field(codec.as_ref(), frame, key)
    };
    assert!(host.frames().iter().all(|frame| {
        field("dubbo", frame, CLIENT, "lane") == Some(metaprotocol_core::Value::str("blue"))
            && field("dubbo", frame, CLIENT, "zone") == Some(metaprotocol_core::Value::str("a"))
    }));
    let host = Host::new("trpc", |peer, head, _| {
        let RequestId::Int(id) = head.request_id else { panic!("a call without an id") };
        peer.send(&trpc_answer(id, "body"));
    });
    let rig = Rig::new(with(simple("trpc", &[&host]), routes));
    let answer = rig.client("trpc").send(&trpc_call(9, "/a.B/C", "question")).frame();
    let seen = field("trpc", &answer, Direction::ServerToClient, "seen-by");
    assert_eq!(seen, Some(metaprotocol_core::Value::str("proxy")));
    assert!(answer.ends_with(b"body"));
    let got = &host.frames()[0];
    assert_eq!(field("trpc", got, CLIENT, "lane"), Some(metaprotocol_core::Value::str("blue")));
    assert!(got.ends_with(b"question"));
}

#[test]
fn one_way_messages_arrive() {
    // BUG-3
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.send(&[thrift_oneway(5, b"one"), thrift_call(6, b"call"), thrift_oneway(7, b"two")].concat());
    assert_eq!(thrift_text(&client.frame()), b"call");
    client.finish().ended_cleanly();
    host.until_got(3);
    assert_eq!(host.frames()[0], thrift_oneway(5, b"one"));
    assert_eq!((rig.listener("request_oneway"), rig.listener("request_twoway")), (2, 1));
    let host = dubbo_host();
    let rig = Rig::simple("dubbo", &[&host]);
    let mut client = rig.client("dubbo");
    client.send(&dubbo_call(DUBBO_ONEWAY, 5, "one")).finish().ended_cleanly();
    host.until_got(1);
    assert_eq!(host.frames()[0], dubbo_call(DUBBO_ONEWAY, 5, "one"));
}

#[test]
fn results_of_every_shape_pass_as_they_are() {
    // Items 14 and 15 of the defects.
    const RESULTS: [&[u8]; 9] = [
        b"\x94\x05hello\x48\x01k\x01v\x5a",
        b"\x91\x05hello",
        b"\x91\x49\x00\x01\x00\x00",
        b"\x91\x48\x01a\x91\x5a",
        b"\x92",
        b"\x95\x48\x5a",
        b"\x90\x43\x13java.lang.Exception\x92\x01m\x01c\x60\x03bad\x4e",
        b"\x93\x43\x13java.lang.Exception\x92\x01m\x01c\x60\x03bad\x4e\x48\x5a",
        b"\x91\x23\x00\x01\x02",
    ];
    let host = Host::new("dubbo", |peer, _, bytes| {
        let id = dubbo_id(bytes);
        let number: usize = dubbo_text(bytes).parse().unwrap();
        let answer = dubbo(DUBBO_ANSWER, 20, id, RESULTS[number]);
        // In two parts, and each in another read.
        peer.send(&answer[..9 + number]);
        std::thread::sleep(std::time::Duration::from_millis(2));
        peer.send(&answer[9 + number..]);
    });
    let rig = Rig::simple("dubbo", &[&host]);
    let mut client = rig.client("dubbo");
    for (number, result) in RESULTS.iter().enumerate() {
        let id = 1000 + number as u64;
        let answer = client.send(&dubbo_call(DUBBO_REQUEST, id, &number.to_string())).frame();
        assert_eq!(answer, dubbo(DUBBO_ANSWER, 20, id, result), "result {number}");
    }
}

#[test]
fn heartbeats_are_answered_where_they_come_and_answers_to_them_are_not() {
    let heartbeat = |flags, status, id| dubbo(flags, status, id, b"N");
    let host = Host::new("dubbo", move |peer, head, bytes| match head.kind {
        Kind::Request => {
            // Its own heartbeat, an answer to one that nobody sent, and the answer in one read.
            let answer = dubbo_answer(dubbo_id(bytes), "x");
            peer.send(&[heartbeat(0xe2, 0, 77), heartbeat(0x22, 20, 78), answer].concat());
        }
        _ => peer.kept.push(bytes.to_vec()),
    });
    let rig = Rig::simple("dubbo", &[&host]);
    let mut client = rig.client("dubbo");
    client.send(&heartbeat(0xe2, 0, 5));
    let answer = client.frame();
    assert_eq!((answer[2] & 0xe0, answer[3], dubbo_id(&answer)), (0x20, 20, 5));
    client.send(&[heartbeat(0x22, 20, 6), dubbo_call(DUBBO_REQUEST, 9, "x")].concat());
    assert_eq!(client.frame(), dubbo_answer(9, "x"));
    host.until_got(2);
    let got = host.frames();
    assert_eq!((got[1][2] & 0xe0, got[1][3], dubbo_id(&got[1])), (0x20, 20, 77));
    client.send(&dubbo_call(DUBBO_REQUEST, 10, "x"));
    assert_eq!(client.frame(), dubbo_answer(10, "x"));
    host.until_got(4);
    client.finish().ended_cleanly();
    assert_eq!(host.count(), 4, "only the call, the answer to its heartbeat, and both again");
}

#[test]
fn a_request_may_come_byte_by_byte_and_its_answer_too() {
    // BUG-5
    let host = Host::new("thrift", |peer, _, bytes| {
        for byte in thrift_answer(thrift_id(bytes), thrift_text(bytes)) {
            peer.send(&[byte]);
        }
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    for byte in [thrift_call(1, b"one"), thrift_call(2, b"two")].concat() {
        client.send(&[byte]);
    }
    let mut texts = [client.frame(), client.frame()].map(|frame| thrift_text(&frame).to_vec());
    texts.sort();
    assert_eq!(texts, [b"one", b"two"]);
}

#[test]
fn a_request_may_be_cut_anywhere() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let address = rig.address();
    let two = [thrift_call(1, b"one"), thrift_call(2, b"two")].concat();
    let mut clients: Vec<_> = (1..two.len()).map(|_| Client::new(address, codec("thrift"))).collect();
    for (cut, client) in clients.iter_mut().enumerate() {
        client.send(&two[..=cut]);
    }
    // All of them have been read when this is answered.
    assert_eq!(rig.client("thrift").call(3, "x"), "x");
    for (cut, client) in clients.iter_mut().enumerate() {
        client.send(&two[cut + 1..]);
        let mut texts = [client.frame(), client.frame()].map(|frame| thrift_text(&frame).to_vec());
        texts.sort();
        assert_eq!(texts, [b"one", b"two"]);
    }
}

#[test]
fn every_codecs_requests_reach_the_host_as_they_are_but_for_their_ids() {
    for codec in metaprotocol_registry::codecs() {
        let name = codec.info().name.to_string();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(&name).join("vectors");
        let host = Host::new(&name, |_, _, _| ());
        let rig = Rig::simple(&name, &[&host]);
        for vector in vectors(folder).into_iter().filter(|vector| vector.sample.direction == CLIENT) {
            let decoded = decode(codec, CLIENT, &vector.sample.stream);
            let calls = |kind| matches!(kind, Kind::Request | Kind::Oneway);
            if decoded.failure.is_some() || !decoded.frames.iter().all(|frame| calls(frame.head.kind)) {
                continue;
            }
            let what = format!("{name} {}", vector.sample.name);
            let before = host.count();
            let mut client = Client::new(rig.address(), Arc::clone(codec));
            // By single bytes, as far as it is short.
            let (slow, fast) = vector.sample.stream.split_at(vector.sample.stream.len().min(300));
            slow.iter().for_each(|byte| client.socket.write_all(&[*byte]).unwrap());
            client.socket.write_all(fast).unwrap();
            // Equal ids wait for each other, and are never answered.
            let mut ids = Vec::new();
            let mut expected = Vec::new();
            for frame in &decoded.frames {
                let RequestId::Int(id) = frame.head.request_id else {
                    expected.push(frame);
                    continue;
                };
                let waits = frame.head.kind == Kind::Request && ids.contains(&id);
                if waits && metaprotocol_core::Sharing::Bound != codec.info().sharing {
                    break;
                }
                ids.push(id);
                expected.push(frame);
            }
            host.until_got(before + expected.len());
            for (frame, got) in expected.into_iter().zip(&host.frames()[before..]) {
                if frame.bytes == *got {
                    continue;
                }
                let head = metaprotocol_testkit::head(codec.as_ref(), CLIENT, got);
                // The id may be written where there was none.
                let same = metaprotocol_testkit::new_id(1);
                let frame_of = metaprotocol_core::Frame { head, bytes: got };
                let found = metaprotocol_testkit::rewrite(codec.as_ref(), frame_of, &same).unwrap();
                let expected = metaprotocol_testkit::rewrite(codec.as_ref(), frame.frame(), &same);
                assert_eq!(found, expected.unwrap(), "{what}");
            }
            crate::common::reset(&client.socket);
        }
    }
}
