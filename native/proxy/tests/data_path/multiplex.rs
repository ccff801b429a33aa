//! Many clients on few connections.

use std::sync::atomic::Ordering;
use std::thread;

use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, simple, until, with};

/// A host that answers batches of so many calls, the last one first.
fn backwards(batch: usize) -> Host {
    Host::new("thrift", move |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == batch {
            let calls = std::mem::take(&mut peer.kept);
            let answers = calls.iter().rev().map(|call| thrift_answer(thrift_id(call), thrift_text(call)));
            peer.send(&answers.collect::<Vec<_>>().concat());
        }
    })
}

#[test]
fn fifty_clients_share_a_connection_and_get_their_own_answers_in_any_order() {
    let host = backwards(50);
    let rig = Rig::simple("thrift", &[&host]);
    let address = rig.address();
    let threads: Vec<_> = (0..50)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::new(address, crate::common::codec("thrift"));
                for round in 0..20 {
                    let text = format!("client {number} round {round}");
                    assert_eq!(client.call(round * 7, &text), text);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((host.accepted.load(Ordering::SeqCst), rig.cluster("c", "upstream_cx_total")), (1, 1));
    assert_eq!((host.count(), rig.listener("response_success")), (1000, 1000));
}

#[test]
fn a_connection_with_enough_under_way_is_given_a_second_one() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == 4 {
            for call in std::mem::take(&mut peer.kept) {
                peer.send(&thrift_answer(thrift_id(&call), thrift_text(&call)));
            }
        }
    });
    let rig = Rig::new(with(
        simple("thrift", &[&host]),
        json!({ "clusters": { "c": { "max_in_flight_per_connection": 4 } } }),
    ));
    let mut client = rig.client("thrift");
    let calls: Vec<_> = (1..=12).map(|id| thrift_call(id, format!("{id}").as_bytes())).collect();
    client.send(&calls.concat());
    for _ in 0..12 {
        let frame = client.frame();
        assert_eq!(thrift_text(&frame), thrift_id(&frame).to_string().as_bytes());
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 3);
}

#[test]
fn a_connection_that_had_its_requests_is_closed_and_none_is_lost() {
    let host = Host::thrift("");
    let rig = Rig::new(with(
        simple("thrift", &[&host]),
        json!({ "clusters": { "c": { "max_requests_per_connection": 5 } } }),
    ));
    let mut client = rig.client("thrift");
    let calls: Vec<_> = (1..=23).map(|id| thrift_call(id, format!("{id}").as_bytes())).collect();
    client.send(&calls.concat());
    for _ in 0..23 {
        let frame = client.frame();
        assert_eq!(thrift_text(&frame), thrift_id(&frame).to_string().as_bytes());
    }
    assert_eq!((host.accepted.load(Ordering::SeqCst), rig.cluster("c", "upstream_cx_max_requests")), (5, 4));
    until("those that are done are closed", || host.open.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_connection_is_closed_after_its_last_request_also_if_that_is_never_answered() {
    let host = Host::new("thrift", |_, _, _| ());
    let changes = json!({
        "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 20 }] } },
        "clusters": { "c": { "max_requests_per_connection": 1 } },
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    let mut client = rig.client("thrift");
    assert!(client.call(1, "x").contains("no answer in time"));
    until("it is closed", || host.open.load(Ordering::SeqCst) == 0 && host.accepted.load(Ordering::SeqCst) == 1);
    assert!(client.call(2, "x").contains("no answer in time"));
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn equal_ids_on_one_connection_are_answered_in_their_order() {
    // BUG-7
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    let calls: Vec<_> = (0..10).map(|number| thrift_call(number % 2, format!("{number}").as_bytes())).collect();
    client.send(&calls.concat());
    for number in 0..10 {
        let frame = client.frame();
        assert_eq!((thrift_id(&frame), thrift_text(&frame)), (number % 2, number.to_string().as_bytes()));
    }
}

#[test]
fn ids_may_wrap_and_fall() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    let ids = [0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0, 1, 9, 8, 7, 8];
    let calls: Vec<_> = ids.iter().map(|id| thrift_call(*id, format!("{id}").as_bytes())).collect();
    client.send(&calls.concat());
    let mut found = Vec::new();
    for _ in ids {
        let frame = client.frame();
        assert_eq!(thrift_text(&frame), thrift_id(&frame).to_string().as_bytes());
        found.push(thrift_id(&frame));
    }
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn an_answer_that_nobody_asked_for_reaches_nobody() {
    // BUG-4
    let host = Host::new("thrift", |peer, _, bytes| {
        let id = thrift_id(bytes);
        let unknown = thrift_answer(id ^ 0x4000_0000, b"nobody's");
        let beyond = thrift_answer(id + 1, b"nobody's");
        let own = thrift_answer(id, b"own");
        peer.send(&[&unknown[..], &beyond, &own, &own].concat());
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    for id in 1..=3 {
        assert_eq!(client.call(id, "x"), "own");
    }
    client.finish().ended_cleanly();
    rig.until_cluster("c", "upstream_rq_unmatched", 9);
}

#[test]
fn an_answer_too_late_is_nobody_elses() {
    // The first call is answered when there have been so many others that their ids would have come round.
    let host = Host::new("thrift", |peer, _, bytes| {
        if thrift_text(bytes) == b"first" {
            peer.kept.push(bytes.to_vec());
            return;
        }
        if thrift_text(bytes) == b"last" {
            let first = peer.kept[0].clone();
            peer.send(&thrift_answer(thrift_id(&first), b"of the first"));
        }
        peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes)));
    });
    let changes = json!({ "routes": { "r": { "routes": [
        { "match": [{ "key": "method", "test": { "exact": { "text": "hurry" } } }], "to": { "cluster": "c" }, "timeout": 10 },
        { "to": { "cluster": "c" } },
    ] } }, "clusters": { "c": {
        "thresholds": { "max_connections": 9, "max_pending": 9999, "max_requests": 9999, "max_retries": 0 },
        "max_in_flight_per_connection": 9999,
    } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    let mut client = rig.client("thrift");
    client.send(&thrift_to(1, "hurry", 1, b"first"));
    assert!(contains(&client.frame(), "no answer in time"));
    let call: Vec<u8> = (2..2050).flat_map(|id| thrift_call(id, b"between")).collect();
    client.send(&call);
    (2..2050).for_each(|_| assert_eq!(thrift_text(&client.frame()), b"between"));
    for id in 3000..3003 {
        assert_eq!(client.call(id, "last"), "last");
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_client_that_leaves_frees_what_it_had_asked_for() {
    // BUG-6
    let host = Host::new("thrift", |peer, _, bytes| {
        if thrift_text(bytes) == b"never" {
            peer.kept.push(bytes.to_vec());
            return;
        }
        for call in std::mem::take(&mut peer.kept) {
            peer.send(&thrift_answer(thrift_id(&call), b"too late"));
        }
        peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes)));
    });
    let rig = Rig::simple("thrift", &[&host]);
    // Who has only sent its last byte still waits.
    let mut finished = rig.client("thrift");
    finished.send(&[thrift_call(1, b"never"), thrift_call(2, b"never")].concat()).finish();
    host.until_got(2);
    let mut leaving = rig.client("thrift");
    leaving.send(&thrift_call(1, b"never"));
    host.until_got(3);
    crate::common::reset(&leaving.socket);
    drop(leaving);
    rig.until_cluster("c", "upstream_rq_cancelled", 1);
    let mut client = rig.client("thrift");
    for id in 1..=10 {
        assert_eq!(client.call(id, "mine"), "mine");
    }
    assert_eq!([finished.frame(), finished.frame()].map(|frame| thrift_text(&frame).to_vec()), [b"too late"; 2]);
    finished.ended_cleanly();
    drop(client);
    rig.quiet();
    assert_eq!(rig.cluster("c", "upstream_rq_unmatched"), 0);
}

#[test]
fn hosts_that_never_answer_clients_that_leave_do_not_fill_up() {
    let host = Host::new("thrift", |_, _, _| ());
    let changes = json!({ "clusters": { "c": {
        "max_in_flight_per_connection": 4,
        "thresholds": { "max_connections": 9, "max_pending": 9, "max_requests": 2, "max_retries": 0 },
    } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    for number in 1..=20 {
        let mut client = rig.client("thrift");
        client.send(&thrift_call(1, b"never"));
        host.until_got(number);
        crate::common::reset(&client.socket);
        drop(client);
        rig.until_cluster("c", "upstream_rq_cancelled", number as u64);
    }
    // Whatever is not answered takes a place on its connection, so connections change.
    assert!((2..=10).contains(&host.accepted.load(Ordering::SeqCst)), "{:?}", host.accepted);
    until("those that are full are closed", || host.open.load(Ordering::SeqCst) <= 1);
}

#[test]
fn two_workers_serve_alike() {
    let host = Host::thrift("");
    let rig = Rig::with(
        2,
        Box::new(|name| metaprotocol_registry::find(name).ok_or("no such codec".to_owned())),
        simple("thrift", &[&host]),
    );
    let mut clients: Vec<_> = (0..32).map(|_| rig.client("thrift")).collect();
    for round in 0..5 {
        for client in &mut clients {
            client.send(&thrift_call(round, b"x"));
        }
        for client in &mut clients {
            assert_eq!(thrift_id(&client.frame()), round);
        }
    }
    let connections = host.accepted.load(Ordering::SeqCst);
    assert!((1..=2).contains(&connections), "{connections}");
}

#[test]
fn ids_of_one_byte_are_shared_too() {
    let text = r"
metaprotocol: 1
name: tiny
byte_order: big
header:
  - {name: id, type: u8}
  - {name: code, type: u8}
  - {name: len, type: u16}
frame: {body: len}
request_id: id
pair_by: id
sharing: multiplexed
reply:
  error:
    set: {code: error.code}
    codes: {default: 9}
";
    let tiny: std::sync::Arc<dyn metaprotocol_core::AnyCodec> =
        std::sync::Arc::new(metaprotocol_spec::compile(text, "tiny.yaml").unwrap());
    let own = std::sync::Arc::clone(&tiny);
    let host = Host::with_codec(std::sync::Arc::clone(&tiny), |peer, _, bytes| peer.send(bytes));
    let rig = Rig::with(1, Box::new(move |_| Ok(std::sync::Arc::clone(&own))), simple("tiny", &[&host]));
    let mut clients = [0; 5].map(|_| Client::new(rig.address(), std::sync::Arc::clone(&tiny)));
    for round in 0..20 {
        for (number, client) in (0..).zip(&mut clients) {
            client.send(&[200 + round, 0, 0, 1, number, 201 + round, 0, 0, 1, number]);
        }
        for (number, client) in (0..).zip(&mut clients) {
            assert_eq!(client.frame(), [200 + round, 0, 0, 1, number]);
            assert_eq!(client.frame(), [201 + round, 0, 0, 1, number]);
        }
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 1);
}

#[test]
fn connections_that_have_room_again_are_used_again() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let host = Host::new("thrift", move |peer, _, bytes| {
        if peer.number == 0 {
            wait.lock().unwrap().recv_timeout(crate::common::PATIENCE).unwrap();
        }
        peer.send(&thrift_answer(thrift_id(bytes), b"x"));
    });
    let one = json!({ "clusters": { "c": { "max_in_flight_per_connection": 1 } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), one));
    let (mut slow, mut fast) = (rig.client("thrift"), rig.client("thrift"));
    slow.send(&thrift_call(1, b"x"));
    host.until_got(1);
    for id in 1..=20 {
        assert_eq!(fast.call(id, "x"), "x");
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
    go.send(()).unwrap();
    slow.frame();
    // Both are free: two calls at once need no third one, and the first is as good as the second.
    for id in 2..=20 {
        // The second call may find the first connection free again.
        go.send(()).unwrap();
        go.send(()).unwrap();
        slow.send(&thrift_call(id, b"x"));
        fast.send(&thrift_call(id, b"x"));
        slow.frame();
        fast.frame();
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
}
