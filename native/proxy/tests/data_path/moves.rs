//! What a host never got goes to another one.

use std::collections::HashSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use metaprotocol_core::{Kind, RequestId};
use serde_json::{Value, json};

use super::errors::{blackhole, nobody};
use super::long::{MIB, text};
use crate::common::message::*;
use crate::common::{Host, Rig, hosts, read, simple, until, with};

/// One cluster of these addresses, all of which are tried however often they fail.
fn among(codec: &str, addresses: &[SocketAddr], cluster: Value) -> Rig {
    let own = json!({ "hosts": hosts(addresses), "connect_timeout": 30 });
    Rig::new(with(
        with(simple(codec, &[]), json!({ "clusters": { "c": own } })),
        json!({ "clusters": { "c": cluster } }),
    ))
}

#[test]
fn requests_for_a_host_that_cannot_be_reached_go_to_another_one_once() {
    let (silent, _kept) = blackhole();
    for out in [nobody(), silent] {
        let host = Host::thrift("host ");
        let rig = among("thrift", &[out, host.address], json!({}));
        let mut client = rig.client("thrift");
        for round in 0..4 {
            let ids = round * 50 + 1..=round * 50 + 50;
            client.send(&ids.clone().map(|id| thrift_call(id, id.to_string().as_bytes())).collect::<Vec<_>>().concat());
            let mut answers: Vec<u32> = ids
                .clone()
                .map(|_| {
                    let frame = client.frame();
                    assert_eq!(thrift_text(&frame), format!("host {}", thrift_id(&frame)).as_bytes());
                    thrift_id(&frame)
                })
                .collect();
            answers.sort_unstable();
            assert_eq!(answers, ids.collect::<Vec<_>>());
        }
        assert_eq!(host.count(), 200);
        assert_eq!(rig.listener("local_response_business_exception"), 0);
        assert_eq!(rig.listener("request"), 200);
        assert_eq!(rig.cluster("c", "upstream_rq_total"), 200);
        assert_eq!(rig.cluster("c", "upstream_rq_moved"), 100);
        // A connection that has room serves them.
        assert_eq!(host.accepted.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_request_is_moved_a_few_times_and_never_to_the_same_host() {
    let all: Vec<SocketAddr> = (0..6).map(|_| nobody()).collect();
    let rig = among("thrift", &all, json!({}));
    let mut client = rig.client("thrift");
    client.send(&thrift_call(1, b"x"));
    assert!(contains(&client.frame(), "the host could not be reached"));
    assert_eq!((rig.cluster("c", "upstream_cx_connect_fail"), rig.cluster("c", "upstream_rq_moved")), (4, 3));
    let two = &all[..2];
    rig.update(json!({ "hosts": { "c": hosts(two) } }));
    client.send(&thrift_call(2, b"x"));
    assert!(contains(&client.frame(), "the host could not be reached"));
    assert_eq!((rig.cluster("c", "upstream_cx_connect_fail"), rig.cluster("c", "upstream_rq_moved")), (6, 4));
}

#[test]
fn the_balancer_may_hardly_ever_pick_the_host_that_works() {
    let host = Host::thrift("");
    let weighted = json!({ "priorities": [[{ "hosts": [
        { "address": nobody().to_string(), "weight": 100_000 }, { "address": host.address.to_string(), "weight": 1 },
    ] }]] });
    let rig = among("thrift", &[], json!({ "hosts": weighted }));
    let mut client = rig.client("thrift");
    for id in 1..=20 {
        assert_eq!(client.call(id, "x"), "x");
    }
}

#[test]
fn a_moved_request_is_late_when_it_would_have_been() {
    let host = Host::new("thrift", |_, _, _| ());
    let routes = json!({ "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 100 }] } });
    let update = json!({ "routes": routes, "clusters": { "c": { "hosts": hosts(&[nobody(), host.address]) } } });
    let rig = Rig::new(with(simple("thrift", &[]), update));
    let mut client = rig.client("thrift");
    let began = std::time::Instant::now();
    client.send(&[thrift_call(1, b"x"), thrift_call(2, b"x")].concat());
    for _ in 0..2 {
        assert!(contains(&client.frame(), "no answer in time"));
    }
    assert!(began.elapsed().as_millis() < 1000);
    assert_eq!((host.count(), rig.cluster("c", "upstream_rq_moved")), (2, 1));
}

#[test]
fn routes_that_change_messages_change_them_once_and_answers_too() {
    let host = Host::new("dubbo", |peer, _, bytes| peer.send(&dubbo_answer(dubbo_id(bytes), &dubbo_text(bytes))));
    let routes = json!({ "r": { "routes": [{
        "to": { "cluster": "c" }, "request_set": [["zone", "bb"]], "response_set": [["from", "here"]],
    }] } });
    let update = json!({ "routes": routes, "clusters": { "c": { "hosts": hosts(&[nobody(), host.address]) } } });
    let rig = Rig::new(with(simple("dubbo", &[]), update));
    let mut client = rig.client("dubbo");
    for id in 1..=4 {
        client.send(&dubbo_call(DUBBO_REQUEST, id, &format!("text {id}")));
        let answer = client.frame();
        assert!(dubbo_id(&answer) == id && contains(&answer, &format!("text {id}")) && contains(&answer, "here"));
    }
    assert!(host.frames().iter().all(|frame| contains(frame, "bb") && !contains(frame, "\u{1}a")));
    assert!(rig.cluster("c", "upstream_rq_moved") >= 2);
}

#[test]
fn one_way_messages_are_moved_once() {
    let host = Host::thrift("");
    let rig = among("thrift", &[nobody(), host.address], json!({}));
    let mut client = rig.client("thrift");
    let ids = 1..=20;
    client.send(&ids.clone().map(|id| thrift_oneway(id, b"x")).collect::<Vec<_>>().concat());
    host.until_got(20);
    let mut got: Vec<u32> = host.frames().iter().map(|frame| thrift_id(frame)).collect();
    got.sort_unstable();
    assert_eq!(got, ids.collect::<Vec<_>>());
    assert_eq!((rig.cluster("c", "upstream_rq_moved"), rig.cluster("c", "upstream_rq_lost")), (10, 0));
    rig.update(json!({ "hosts": { "c": hosts(&[nobody(), nobody()]) } }));
    client.send(&thrift_oneway(21, b"x"));
    rig.until_cluster("c", "upstream_rq_lost", 1);
    assert_eq!(rig.cluster("c", "upstream_rq_moved"), 11);
}

#[test]
fn what_was_sent_in_part_is_told_and_what_was_not_is_moved() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let stuck = Host::raw(move |peer, _| {
        let _ = wait.lock().unwrap().recv_timeout(crate::common::PATIENCE);
        peer.reset();
    });
    let host = Host::new("thrift", |peer, head, bytes| {
        if head.kind == Kind::Request {
            peer.send(&thrift_answer(thrift_id(bytes), &bytes[20..24]));
        }
    });
    // A limit so high that the client is not made to wait.
    let update = json!({ "listeners": { "l": { "buffer_limit": 100 * MIB } } });
    let rig = Rig::new(with(simple("thrift", &[&stuck]), update));
    let mut client = rig.client("thrift");
    let count = 400;
    let text = vec![b'x'; 60_000];
    let writer = {
        let mut socket = client.socket.try_clone().unwrap();
        let frames: Vec<Vec<u8>> = (1..=count)
            .map(|id| if id % 10 == 0 { thrift_oneway(id, &text) } else { thrift_call(id, &text) })
            .collect();
        std::thread::spawn(move || socket.write_all(&frames.concat()).unwrap())
    };
    rig.until_listener("request", u64::from(count));
    writer.join().unwrap();
    rig.update(json!({ "hosts": { "c": hosts(&[stuck.address, host.address]) } }));
    go.send(()).unwrap();
    let (mut answered, mut told) = (HashSet::new(), HashSet::new());
    for _ in 0..count - count / 10 {
        let frame = client.frame();
        let place = if contains(&frame, "remote connection failure") { &mut told } else { &mut answered };
        assert!(place.insert(thrift_id(&frame)));
    }
    assert!(answered.is_disjoint(&told) && !answered.is_empty() && !told.is_empty());
    let first = answered.iter().min().unwrap();
    assert!(told.iter().all(|id| id < first), "they were sent in their order");
    let oneways = (1..=count).filter(|id| id % 10 == 0 && id > first).count();
    host.until_got(answered.len() + oneways);
    assert_eq!(host.count(), answered.len() + oneways);
    assert!(!host.frames().iter().any(|frame| frame == b"GARBAGE"));
    assert_eq!(rig.cluster("c", "upstream_rq_moved"), host.count() as u64);
    drop(stuck);
}

#[test]
fn clients_whose_answers_come_in_order_are_moved_with_all_they_have_asked() {
    let (silent, _kept) = blackhole();
    // The first command goes by a connection of the client's own, the second one by one that others use, too.
    for (out, command) in [(nobody(), "WATCH"), (silent, "WATCH"), (nobody(), "GET"), (silent, "GET")] {
        let host = Host::new("redis", |peer, _, bytes| {
            let key = String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned();
            peer.send(&redis_text(&key));
        });
        let rig = among("redis", &[out, host.address], json!({}));
        for _ in 0..4 {
            let mut client = rig.client("redis");
            let keys: Vec<String> = (0..50).map(|key| key.to_string()).collect();
            client.send(&keys.iter().map(|key| redis(&[command, key])).collect::<Vec<_>>().concat());
            for key in &keys {
                assert_eq!(client.frame(), redis_text(key));
            }
            client.send(&redis(&[command, "again"]));
            assert_eq!(client.frame(), redis_text("again"));
        }
        assert_eq!((host.count(), rig.cluster("c", "upstream_rq_total")), (204, 204));
        assert!(rig.cluster("c", "upstream_rq_moved") >= 2);
    }
    let rig = among("redis", &[nobody(), nobody(), nobody(), nobody(), nobody(), nobody()], json!({}));
    let mut client = rig.client("redis");
    client.send(&[redis(&["WATCH", "1"]), redis(&["WATCH", "2"])].concat());
    for _ in 0..2 {
        assert!(contains(&client.frame(), "the host could not be reached"));
    }
    client.ended();
    assert_eq!(rig.cluster("c", "upstream_cx_connect_fail"), 4);
}

#[test]
fn what_is_moved_keeps_the_order_of_its_client() {
    let echo = |ms: u64| {
        Host::new("redis", move |peer, _, bytes| {
            std::thread::sleep(std::time::Duration::from_millis(ms));
            let key = String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned();
            peer.send(&redis_text(&key));
        })
    };
    let (slow, quick) = (echo(5), echo(0));
    let rig = among("redis", &[nobody(), slow.address, quick.address], json!({}));
    for _ in 0..6 {
        let mut client = rig.client("redis");
        let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
        client.send(&keys.iter().map(|key| redis(&["GET", key])).collect::<Vec<_>>().concat());
        for key in &keys {
            assert_eq!(client.frame(), redis_text(key));
        }
    }
    assert!(rig.cluster("c", "upstream_rq_moved") >= 20);
}

#[test]
fn what_is_moved_keeps_to_the_bound_of_its_new_connection() {
    // What another client has under way there already: both clients have room there, but not together; none has.
    for before in [1, 3] {
        let waiting = Arc::new(Mutex::new(Vec::new()));
        let host = Host::new("redis", {
            let waiting = Arc::clone(&waiting);
            move |peer, _, bytes| {
                waiting.lock().unwrap().push((peer.number, peer.socket.try_clone().unwrap(), redis_key(bytes)));
            }
        });
        let (silent, _kept) = blackhole();
        let bound = json!({ "connect_timeout": 300, "max_in_flight_per_connection": 4 });
        let rig = among("redis", &[host.address], bound);
        let mut first = rig.client("redis");
        let get = |key: &str| redis(&["GET", key]);
        let before: Vec<String> = (0..before).map(|key| format!("first {key}")).collect();
        first.send(&before.iter().map(|key| get(key)).collect::<Vec<_>>().concat());
        host.until_got(before.len());
        // From here on all go to the other one.
        let weighted = json!({ "priorities": [[{ "hosts": [
            { "address": silent.to_string(), "weight": 100_000 }, { "address": host.address.to_string(), "weight": 1 },
        ] }]] });
        rig.update(json!({ "hosts": { "c": weighted } }));
        let mut clients = [("a", rig.client("redis")), ("b", rig.client("redis"))];
        let mut asked = before.len() as u64;
        for key in ["1", "2"] {
            for (name, client) in &mut clients {
                client.send(&get(&format!("{name} {key}")));
                asked += 1;
                rig.until_cluster("c", "upstream_rq_total", asked);
            }
        }
        host.until_got(before.len() + 4);
        assert_eq!(rig.cluster("c", "upstream_rq_moved"), 4);
        // What had too little room for two still takes one.
        let mut last = rig.client("redis");
        last.send(&get("last"));
        host.until_got(before.len() + 5);
        let mut unanswered = [0; 2];
        for (number, ..) in waiting.lock().unwrap().iter() {
            unanswered[*number] += 1;
        }
        assert!(unanswered.iter().all(|count| *count <= 4), "{unanswered:?}");
        for (_, socket, key) in waiting.lock().unwrap().iter_mut() {
            socket.write_all(&redis_text(key)).unwrap();
        }
        for key in &before {
            assert_eq!(first.frame(), redis_text(key));
        }
        for (name, client) in &mut clients {
            for key in ["1", "2"] {
                assert_eq!(client.frame(), redis_text(&format!("{name} {key}")));
            }
        }
        assert_eq!(last.frame(), redis_text("last"));
    }
}

#[test]
fn long_messages_move_while_they_come() {
    let (silent, _kept) = blackhole();
    for out in [nobody(), silent] {
        let host = Host::new("thrift", |peer, head, bytes| {
            if head.kind == Kind::Request {
                peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes)));
            }
        });
        let rig = among("thrift", &[out, host.address], json!({}));
        let mut client = rig.client("thrift");
        for id in 1..=4 {
            let (mut socket, call) = (client.socket.try_clone().unwrap(), thrift_call(id, &text(3 * MIB)));
            let oneway = thrift_oneway(id + 100, &text(2 * MIB));
            let writer = std::thread::spawn(move || {
                socket.write_all(&call).unwrap();
                socket.write_all(&oneway).unwrap();
            });
            let answer = client.frame();
            assert!(thrift_id(&answer) == id && thrift_text(&answer) == text(3 * MIB));
            writer.join().unwrap();
        }
        host.until_got(8);
        assert!(!host.frames().iter().any(|frame| frame == b"GARBAGE"));
        assert!(rig.cluster("c", "upstream_rq_moved") >= 4);
        assert_eq!(rig.cluster("c", "upstream_rq_lost"), 0);
        assert_eq!(rig.listener("local_response_business_exception"), 0);

        let redis_host = Host::new("redis", |peer, _, _| peer.send(b"+OK\r\n"));
        let rig = among("redis", &[out, redis_host.address], json!({}));
        for _ in 0..2 {
            let mut client = rig.client("redis");
            let value = "v".repeat(3 * MIB);
            client.send(&redis(&["SET", "k", &value]));
            assert_eq!(client.frame(), b"+OK\r\n");
        }
        assert!(rig.cluster("c", "upstream_rq_moved") >= 1);
    }
}

#[test]
fn streams_move_before_their_host_has_heard_of_them() {
    let host = Host::new("trpc", |peer, head, bytes| match (head.kind, head.request_id) {
        (Kind::StreamOpen, _) => peer.send(&trpc_opened(1)),
        (Kind::StreamData, _) => peer.send(bytes),
        (Kind::Request, RequestId::Int(id)) => peer.send(&trpc_answer(id, "host")),
        _ => {}
    });
    let rig = among("trpc", &[nobody(), host.address], json!({}));
    for _ in 0..2 {
        let mut client = rig.client("trpc");
        client.send(&[trpc_open(1, "/a.B/Chat"), trpc_data(1, "x"), trpc_data(1, "y")].concat());
        assert_eq!(
            [client.frame(), client.frame(), client.frame()],
            [trpc_opened(1), trpc_data(1, "x"), trpc_data(1, "y")]
        );
        client.send(&trpc_call(9, "/a.B/Get", "?"));
        assert_eq!(client.frame(), trpc_answer(9, "host"));
    }
    assert_eq!(rig.listener("local_response_business_exception"), 0);
}

#[test]
fn plain_connections_move_too() {
    let host = Host::raw(|peer, _| {
        let mut chunk = [0; 100];
        while let Some(len) = read(&mut peer.socket, &mut chunk) {
            peer.send(&chunk[..len]);
        }
    });
    let rig = among("thrift", &[nobody(), host.address], json!({}));
    rig.update(
        json!({ "listeners": { "l": with(crate::common::listener(&["thrift"]), json!({ "unknown_to": "c" })) } }),
    );
    for _ in 0..4 {
        let mut client = rig.client("thrift");
        client.socket.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert_eq!(client.exactly(16), b"GET / HTTP/1.1\r\n");
    }
    assert!(rig.cluster("c", "upstream_rq_moved") >= 2);
    // Who accepts and closes has said what it has to say.
    let closes = Host::raw(|peer, _| peer.close());
    rig.update(json!({ "hosts": { "c": hosts(&[closes.address]) } }));
    let mut client = rig.client("thrift");
    client.socket.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    client.ended();
    until("it was told", || closes.accepted.load(Ordering::SeqCst) == 1);
}
