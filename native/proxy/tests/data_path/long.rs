//! Frames too long to wait for.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::common::message::*;
use crate::common::{Host, PATIENCE, Peer, Rig, hosts_of, read, simple, until, with};

pub const MIB: usize = 1 << 20;

/// Text that differs at every place.
pub fn text(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A host that counts the bytes it reads, and answers when it has all of the long frame.
pub fn counting(seen: &Arc<AtomicUsize>, act: impl Fn(&mut Peer, usize) + Send + Sync + 'static) -> Host {
    let seen = Arc::clone(seen);
    Host::raw(move |peer, _| {
        let (mut chunk, mut all) = (vec![0; 64 << 10], 0);
        while let Some(len) = read(&mut peer.socket, &mut chunk) {
            all += len;
            seen.fetch_add(len, Ordering::SeqCst);
            act(peer, all);
            if peer.over {
                return;
            }
        }
    })
}

/// Writes as much as the other side takes before it has been silent for a while.
pub fn write_until_blocked(socket: &mut TcpStream, bytes: &[u8]) -> usize {
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut at = 0;
    while at < bytes.len() {
        match socket.write(&bytes[at..]) {
            Ok(len) => at += len,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
    }
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    at
}

#[test]
fn long_requests_and_answers_come_whole() {
    let echo = Host::new("thrift", |peer, _, bytes| peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes))));
    let rig = Rig::simple("thrift", &[&echo]);
    let mut client = rig.client("thrift");
    for (id, len) in [(1, 60_000), (2, 65_500), (3, 65_536), (4, MIB), (5, 8 * MIB + 3), (6, 10)] {
        let text = text(len);
        let writer = {
            let (mut socket, call) = (client.socket.try_clone().unwrap(), thrift_call(id, &text));
            std::thread::spawn(move || socket.write_all(&call).unwrap())
        };
        let frame = client.frame();
        assert!(thrift_id(&frame) == id && thrift_text(&frame) == text, "{len} bytes");
        writer.join().unwrap();
    }
    // Among short ones, which need not wait.
    let calls = [thrift_call(7, b"a"), thrift_call(8, &text(MIB)), thrift_call(9, b"b"), thrift_call(8, b"c")].concat();
    let mut socket = client.socket.try_clone().unwrap();
    let writer = std::thread::spawn(move || socket.write_all(&calls).unwrap());
    let mut answers: Vec<(u32, usize)> =
        (0..4).map(|_| client.frame()).map(|frame| (thrift_id(&frame), thrift_text(&frame).len())).collect();
    writer.join().unwrap();
    answers.sort_unstable();
    assert_eq!(answers, [(7, 1), (8, 1), (8, MIB), (9, 1)]);
}

#[test]
fn dubbo_passes_on_a_long_body_before_its_end_has_come() {
    let seen = Arc::new(AtomicUsize::new(0));
    // A string in parts, as Hessian writes long ones; the first part is as long as its length can say.
    let mut call = dubbo_call(DUBBO_REQUEST, 77, "x");
    let at = call.windows(18).position(|part| part == b"Ljava/lang/String;").unwrap() + 18;
    let body = [&[b'S', 0xff, 0xff][..], &[b'y'; 65_535]].concat();
    call.splice(at..at + 2, [b"R\xff\xff".as_slice(), &[b'z'; 65_535], b"R\xff\xff", &[b'z'; 65_535], &body].concat());
    let len = (call.len() as u32 - 16).to_be_bytes();
    call[12..16].copy_from_slice(&len);
    let whole = call.len();
    let host = counting(&seen, move |peer, all| {
        if all == whole {
            peer.send(&dubbo_answer(77, "thanks"));
        }
    });
    let rig = Rig::simple("dubbo", &[&host]);
    let mut client = rig.client("dubbo");
    client.socket.write_all(&call[..150_000]).unwrap();
    until("the host sees the beginning", || seen.load(Ordering::SeqCst) >= 149_000);
    client.socket.write_all(&call[150_000..]).unwrap();
    assert_eq!(client.frame(), dubbo_answer(77, "thanks"));
}

#[test]
fn the_host_sees_the_beginning_before_the_client_has_sent_the_end() {
    let seen = Arc::new(AtomicUsize::new(0));
    let call = thrift_call(5, &text(2 * MIB));
    let whole = call.len();
    let host = counting(&seen, move |peer, all| {
        if all == whole {
            peer.send(&thrift_answer(5, b"thanks"));
        }
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    for part in call.chunks(500_000) {
        let before = seen.load(Ordering::SeqCst);
        client.socket.write_all(part).unwrap();
        until("the host sees it", || seen.load(Ordering::SeqCst) == before + part.len());
    }
    assert_eq!(thrift_text(&client.frame()), b"thanks");
}

#[test]
fn the_client_sees_the_beginning_before_the_host_has_sent_the_end() {
    let answer = thrift_answer(0, &text(2 * MIB));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let host = Host::new("thrift", move |peer, _, bytes| {
        let mut answer = answer.clone();
        answer[16..20].copy_from_slice(&bytes[16..20]);
        peer.send(&answer[..MIB]);
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        peer.send(&answer[MIB..]);
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.socket.write_all(&thrift_call(5, b"x")).unwrap();
    let mut all = client.exactly(MIB);
    go.send(()).unwrap();
    all.extend(client.exactly(thrift_answer(5, &text(2 * MIB)).len() - MIB));
    assert!(all == thrift_answer(5, &text(2 * MIB)));
}

#[test]
fn an_answer_may_come_while_the_request_is_being_sent() {
    let seen = Arc::new(AtomicUsize::new(0));
    let call = thrift_call(5, &text(2 * MIB));
    let whole = call.len();
    let host = counting(&seen, move |peer, all| {
        if peer.kept.is_empty() {
            peer.kept.push(Vec::new());
            peer.send(&thrift_answer(5, b"early"));
        }
        if all == whole + thrift_call(6, b"x").len() {
            // The same connection serves again: its ids are changed now.
            peer.kept.push(Vec::new());
        }
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.socket.write_all(&call[..MIB]).unwrap();
    assert_eq!(thrift_text(&client.frame()), b"early");
    client.socket.write_all(&call[MIB..]).unwrap();
    until("all of it has come", || seen.load(Ordering::SeqCst) == whole);
    client.socket.write_all(&thrift_call(6, b"x")).unwrap();
    until("the next one too", || seen.load(Ordering::SeqCst) == whole + thrift_call(6, b"x").len());
    assert_eq!(host.accepted.load(Ordering::SeqCst), 1);
    crate::common::reset(&client.socket);
}

#[test]
fn a_client_that_goes_midway_costs_only_its_own_connection() {
    for graceful in [true, false] {
        let host = Host::new("thrift", |peer, _, bytes| peer.send(&thrift_answer(thrift_id(bytes), b"x")));
        let rig = Rig::simple("thrift", &[&host]);
        let mut other = rig.client("thrift");
        assert_eq!(other.call(1, "x"), "x");
        let mut client = rig.client("thrift");
        client.socket.write_all(&thrift_call(5, &text(2 * MIB))[..MIB]).unwrap();
        until("it is on its way", || rig.cluster("c", "upstream_cx_tx_bytes_total") > MIB as u64 / 2);
        if graceful {
            client.finish();
            // What it has not finished is no request; it may be told so.
            while client.next().is_some() {}
        } else {
            crate::common::reset(&client.socket);
            drop(client);
        }
        rig.until_listener("downstream_cx_active", 1);
        for id in 2..10 {
            assert_eq!(other.call(id, "x"), "x");
        }
        assert!(!host.frames().iter().any(|frame| frame == b"GARBAGE"));
    }
}

#[test]
fn a_host_that_goes_midway_is_told_once_and_the_connection_is_kept() {
    let host = Host::raw(|peer, _| {
        let mut chunk = vec![0; 4096];
        let _ = read(&mut peer.socket, &mut chunk);
        let again = thrift_call(6, b"again");
        if chunk[3] == again[3] {
            peer.send(&thrift_answer(thrift_id(&chunk[..again.len()]), b"again"));
            let _ = read(&mut peer.socket, &mut chunk);
        }
        peer.reset();
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.socket.write_all(&thrift_call(5, &text(2 * MIB))).unwrap();
    let frame = client.frame();
    assert_eq!(thrift_id(&frame), 5);
    assert!(contains(&frame, "remote connection failure"));
    assert_eq!(client.call(6, "again"), "again");
}

#[test]
fn a_host_that_goes_within_a_long_answer_ends_its_client() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.send(&thrift_answer(thrift_id(bytes), &text(MIB))[..MIB / 2]);
        peer.close();
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.send(&thrift_call(1, b"x"));
    client.ended();
}

#[test]
fn a_long_answer_is_finished_by_a_connection_that_takes_no_more_requests() {
    let host = Host::new("thrift", |peer, _, bytes| peer.send(&thrift_answer(thrift_id(bytes), &text(4 * MIB))));
    let changes = json!({ "clusters": { "c": { "max_requests_per_connection": 1, "idle_timeout": 20 } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    let mut client = rig.client("thrift");
    for id in 1..=2 {
        client.send(&thrift_call(id, b"x"));
        until("it is on its way", || rig.listener("downstream_cx_tx_bytes_total") > 100_000 * u64::from(id));
        if id == 1 {
            // The client is slower than the timeout of idle connections.
            std::thread::sleep(Duration::from_millis(60));
        }
        assert!(thrift_text(&client.frame()) == text(4 * MIB));
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
    until("both are closed", || host.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn nothing_comes_between_the_parts_of_a_long_answer() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = Host::new("thrift", move |peer, _, bytes| {
        let answer = thrift_answer(thrift_id(bytes), &text(MIB));
        peer.send(&answer[..MIB / 2]);
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        peer.send(&answer[MIB / 2..]);
    });
    let fast = Host::new("thrift", |peer, _, bytes| {
        let len = if thrift_text(bytes) == b"much" { MIB } else { 5 };
        peer.send(&thrift_answer(thrift_id(bytes), &text(len)));
    });
    let routes = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&fast]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "method", "test": { "exact": { "text": "fast" } } }], "to": { "cluster": "d" } },
            { "match": [{ "key": "method", "test": { "exact": { "text": "none" } } }], "to": { "cluster": "x" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("thrift", &[&slow]), routes));
    let mut client = rig.client("thrift");
    client.send(&thrift_call(1, b"x"));
    rig.until_cluster("c", "upstream_cx_rx_bytes_total", (MIB / 2) as u64);
    let others = [("fast", "little"), ("fast", "much"), ("none", "x"), ("fast", "much")];
    for (id, (method, text)) in (2..).zip(others) {
        client.send(&thrift_to(1, method, id, text.as_bytes()));
    }
    // It says its last, and still gets everything.
    client.finish();
    fast.until_got(3);
    rig.until_listener("cluster_not_found", 1);
    go.send(()).unwrap();
    let mut lens = Vec::new();
    for _ in 0..5 {
        let frame = client.frame();
        let own = thrift_text(&frame).to_vec();
        if thrift_id(&frame) != 4 {
            assert!(own == text(own.len()), "{}", thrift_id(&frame));
        }
        lens.push((thrift_id(&frame), own.len()));
    }
    assert_eq!(lens[0], (1, MIB));
    lens.sort_unstable();
    assert_eq!((lens[1], lens[2], lens[4]), ((2, 5), (3, MIB), (5, MIB)));
    client.ended_cleanly();
}

#[test]
fn a_slow_client_makes_its_host_wait_within_bounds() {
    let sent = Arc::new(AtomicUsize::new(0));
    let host = Host::raw({
        let sent = Arc::clone(&sent);
        move |peer, _| {
            let mut chunk = vec![0; 4096];
            let _ = read(&mut peer.socket, &mut chunk);
            let mut answer = thrift_answer(0, &text(20 * MIB));
            answer[16..20].copy_from_slice(&chunk[16..20]);
            for part in answer.chunks(16 << 10) {
                peer.send(part);
                sent.fetch_add(part.len(), Ordering::SeqCst);
            }
            let _ = read(&mut peer.socket, &mut chunk);
        }
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "buffer_limit": 100_000 } } })));
    let mut client = rig.client("thrift");
    client.socket.write_all(&thrift_call(5, b"x")).unwrap();
    until("the host is made to wait", || rig.cluster("c", "upstream_flow_control_paused_reading") > 0);
    let passed =
        |rig: &Rig| (rig.cluster("c", "upstream_cx_rx_bytes_total"), rig.listener("downstream_cx_tx_bytes_total"));
    let (read, written) = passed(&rig);
    assert!(read - written <= 100_000 + (2 << 16), "{} bytes are held", read - written);
    assert!(sent.load(Ordering::SeqCst) < 20 * MIB, "the host is not made to wait");
    assert!(client.exactly(thrift_answer(5, &text(20 * MIB)).len()) == thrift_answer(5, &text(20 * MIB)));
}

#[test]
fn a_slow_host_makes_its_client_wait_within_bounds() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let call = thrift_call(5, &text(20 * MIB));
    let whole = call.len();
    let host = Host::raw(move |peer, _| {
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        let mut all = vec![0; whole];
        peer.socket.read_exact(&mut all).unwrap();
        assert!(all == thrift_call(5, &text(20 * MIB)));
        peer.send(&thrift_answer(5, b"at last"));
        let _ = peer.socket.shutdown(Shutdown::Write);
        let _ = read(&mut peer.socket, &mut all);
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "buffer_limit": 100_000 } } })));
    let mut client = rig.client("thrift");
    let at = write_until_blocked(&mut client.socket, &call);
    assert!(at < whole, "the client is not made to wait");
    let (read, written) =
        (rig.listener("downstream_cx_rx_bytes_total"), rig.cluster("c", "upstream_cx_tx_bytes_total"));
    assert!(read - written <= 100_000 + (3 << 16), "{} bytes are held", read - written);
    assert!(rig.listener("downstream_flow_control_paused_reading") > 0);
    go.send(()).unwrap();
    client.socket.write_all(&call[at..]).unwrap();
    assert_eq!(thrift_text(&client.frame()), b"at last");
}

#[test]
fn a_long_request_beyond_a_bound_is_refused_and_the_connection_is_kept() {
    let host = Host::thrift("");
    let thresholds = json!({ "max_connections": 9, "max_pending": 9, "max_requests": 0, "max_retries": 0 });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "clusters": { "c": { "thresholds": thresholds } } })));
    let mut client = rig.client("thrift");
    for id in 1..=2 {
        client.socket.write_all(&thrift_call(id, &text(MIB))).unwrap();
        assert!(contains(&client.frame(), "too many requests"));
    }
    rig.update(json!({ "clusters": { "c": {} } }));
    let pending = json!({ "max_connections": 9, "max_pending": 0, "max_requests": 9, "max_retries": 0 });
    rig.update(json!({ "clusters": { "c": { "thresholds": pending } } }));
    rig.until_listener("over_limit", 2);
    rig.update(json!({ "clusters": { "c": {} } }));
    until("the bound is gone", || client.call(3, "short") == "short");
    client.socket.write_all(&thrift_call(4, &text(MIB))).unwrap();
    assert!(thrift_text(&client.frame()) == text(MIB));
    assert_eq!(host.frames().iter().filter(|frame| *frame == b"GARBAGE").count(), 0);
}

#[test]
fn a_long_request_goes_among_others_where_it_can_have_no_connection_alone() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == 2 {
            for call in std::mem::take(&mut peer.kept) {
                peer.send(&thrift_answer(thrift_id(&call), &thrift_text(&call)[..1]));
            }
        }
    });
    let thresholds = json!({ "max_connections": 1, "max_pending": 9, "max_requests": 9, "max_retries": 0 });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "clusters": { "c": { "thresholds": thresholds } } })));
    let (mut one, mut two) = (rig.client("thrift"), rig.client("thrift"));
    one.send(&thrift_call(1, b"x"));
    host.until_got(1);
    two.send(&thrift_call(1, &text(MIB)));
    assert_eq!(thrift_text(&one.frame()), b"x");
    assert_eq!(thrift_text(&two.frame()), &text(1));
}

#[test]
fn a_late_answer_is_not_taken_for_that_of_a_long_request() {
    let host = Host::new("thrift", |peer, _, bytes| {
        if thrift_text(bytes) == b"first" {
            peer.kept.push(bytes.to_vec());
            return;
        }
        for first in std::mem::take(&mut peer.kept) {
            peer.send(&thrift_answer(thrift_id(&first), b"of the first"));
        }
        peer.send(&thrift_answer(thrift_id(bytes), b"of the long one"));
    });
    let routes = json!({ "routes": { "r": { "routes": [
        { "match": [{ "key": "method", "test": { "exact": { "text": "hurry" } } }], "to": { "cluster": "c" }, "timeout": 10 },
        { "to": { "cluster": "c" } },
    ] } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), routes));
    let mut client = rig.client("thrift");
    client.send(&thrift_to(1, "hurry", 0, b"first"));
    assert!(contains(&client.frame(), "no answer in time"));
    client.send(&thrift_call(0, &text(MIB)));
    assert_eq!(thrift_text(&client.frame()), b"of the long one");
}

#[test]
fn a_long_request_that_is_late_is_told_and_its_rest_goes_nowhere() {
    let seen = Arc::new(AtomicUsize::new(0));
    let host = counting(&seen, |_, _| ());
    let routes = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 30 }] } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), routes));
    let mut client = rig.client("thrift");
    let call = thrift_call(1, &text(MIB));
    client.socket.write_all(&call[..MIB / 2]).unwrap();
    assert!(contains(&client.frame(), "no answer in time"));
    until("its connection is closed", || host.open.load(Ordering::SeqCst) == 0);
    client.socket.write_all(&call[MIB / 2..]).unwrap();
    client.socket.write_all(&thrift_call(2, b"x")).unwrap();
    let frame = client.frame();
    assert_eq!(thrift_id(&frame), 2);
    assert!(contains(&frame, "no answer in time"));
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn long_values_of_redis_pass() {
    let host = Host::new("redis", |peer, _, bytes| {
        let len = bytes.len();
        peer.send(
            &[format!("${len}\r\n").as_bytes(), &text(len).iter().map(|byte| byte | 0x80).collect::<Vec<_>>(), b"\r\n"]
                .concat(),
        );
    });
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    let value = String::from_utf8(vec![b'v'; 3 * MIB]).unwrap();
    let call = redis(&["SET", "k", &value]);
    client.send(&call);
    assert!(client.frame().len() > call.len());
}
