//! How connections end.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, simple, until, with};

/// A host that takes its time.
fn slow(ms: u64) -> Host {
    Host::new("thrift", move |peer, _, bytes| {
        thread::sleep(Duration::from_millis(ms));
        peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes)));
    })
}

#[test]
fn a_client_that_has_sent_its_last_gets_all_its_answers() {
    let host = slow(5);
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    // Two of them wait for their turn, since their ids are taken.
    let ids = [1, 2, 3, 3, 1];
    client.send(&ids.map(|id| thrift_call(id, format!("{id}").as_bytes())).concat()).finish();
    for id in ids {
        let frame = client.frame();
        assert_eq!((thrift_id(&frame), thrift_text(&frame)), (id, id.to_string().as_bytes()));
    }
    client.ended_cleanly();
}

#[test]
fn a_client_that_ends_within_a_frame_gets_the_answers_before_it() {
    let host = slow(20);
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.send(&[&thrift_call(1, b"whole")[..], &thrift_call(2, b"half")[..20]].concat()).finish();
    assert_eq!(thrift_text(&client.frame()), b"whole");
    client.ended_cleanly();
    assert_eq!((host.count(), rig.listener("bad_request")), (1, 1));
    rig.client("thrift").finish().ended_cleanly();
    assert_eq!(rig.listener("bad_request"), 1);
}

#[test]
fn a_host_that_ends_within_an_answer_is_a_reset() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.send(&thrift_answer(thrift_id(bytes), b"half")[..20]);
        let _ = peer.socket.shutdown(Shutdown::Write);
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    for id in 1..=3 {
        assert!(client.call(id, "x").contains("remote connection failure"));
    }
    assert_eq!(rig.listener("upstream_reset"), 3);
}

#[test]
fn a_host_that_closes_between_calls_costs_none() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.send(&thrift_answer(thrift_id(bytes), b"x"));
        peer.close();
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    for id in 1..=10 {
        assert_eq!(client.call(id, "x"), "x");
        rig.until_cluster("c", "upstream_cx_active", 0);
    }
    assert_eq!((rig.cluster("c", "upstream_cx_destroy_remote"), rig.listener("upstream_reset")), (10, 0));
}

#[test]
fn idle_clients_are_closed_and_busy_ones_are_not() {
    let host = slow(150);
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "idle_timeout": 60 } } })));
    let mut busy = rig.client("thrift");
    busy.send(&thrift_call(1, b"x"));
    let began = Instant::now();
    rig.client("thrift").ended_cleanly();
    assert!(began.elapsed() >= Duration::from_millis(60));
    // Within a frame one is idle, too.
    rig.client("thrift").send(&thrift_call(1, b"half")[..20]).ended_cleanly();
    assert_eq!(thrift_text(&busy.frame()), b"x");
    busy.ended_cleanly();
    assert_eq!(rig.listener("idle_timeout"), 3);
}

/// Sends bytes, some at a time, until the connection is closed; true if all of them could be sent.
fn crawl(client: &mut Client, bytes: &[u8], step: usize) -> bool {
    bytes.chunks(step).all(|part| {
        thread::sleep(Duration::from_millis(10));
        client.socket.write_all(part).is_ok()
    })
}

#[test]
fn who_crawls_is_idle_and_who_is_only_slow_is_not() {
    let host = Host::thrift("");
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "idle_timeout": 60 } } })));
    for (len, begin) in [(10_000, 1), (1_000_000, 1), (1_000_000, 100)] {
        let mut client = rig.client("thrift");
        // Between two frames bytes are welcome at any time.
        assert!(crawl(&mut client, &thrift_call(1, b"x"), 20));
        assert_eq!(thrift_text(&client.frame()), b"x");
        let call = thrift_call(2, &vec![b'x'; len]);
        client.socket.write_all(&call[..begin]).unwrap();
        assert!(!crawl(&mut client, &call[begin..1000], 1), "{len}");
    }
    rig.until_listener("idle_timeout", 3);
    let mut client = rig.client("thrift");
    let text = vec![b'x'; 100_000];
    assert!(crawl(&mut client, &thrift_call(1, &text), 4096));
    assert_eq!(thrift_text(&client.frame()), text);
    client.ended_cleanly();
    assert_eq!(rig.listener("idle_timeout"), 4);
}

#[test]
fn who_takes_none_of_its_answers_is_idle() {
    let host = Host::thrift("");
    let changes = json!({ "listeners": { "l": { "idle_timeout": 60, "buffer_limit": 65536 } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    let mut client = rig.client("thrift");
    client.socket.set_nonblocking(true).unwrap();
    let call = thrift_call(1, &vec![b'x'; 50_000]);
    let mut left = call.as_slice();
    until("it is closed", || {
        match client.socket.write(left) {
            Ok(len) => left = &left[len..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return true,
        }
        if left.is_empty() {
            left = &call;
        }
        false
    });
    assert_eq!(rig.listener("idle_timeout"), 1);
}

#[test]
fn who_is_to_leave_must_get_on_with_its_frame() {
    let host = Host::thrift("");
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "max_connection_age": 60 } } })));
    let mut client = rig.client("thrift");
    assert!(!crawl(&mut client, &thrift_call(2, &vec![b'x'; 100_000])[..3000], 1));
}

#[test]
fn idle_connections_to_hosts_are_closed() {
    let host = slow(80);
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "clusters": { "c": { "idle_timeout": 40 } } })));
    let mut client = rig.client("thrift");
    assert_eq!(client.call(1, "x"), "x");
    rig.until_cluster("c", "upstream_cx_idle_timeout", 1);
    assert_eq!(client.call(2, "x"), "x");
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
}

#[test]
fn old_clients_get_their_answers_and_leave() {
    let host = slow(1);
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "max_connection_age": 60 } } })));
    let idle = rig.client("thrift");
    let mut answered = 0;
    let mut client = rig.client("thrift");
    // Whatever is sent before the end is seen is answered, or was never read.
    for id in 1.. {
        client.send(&thrift_call(id, b"x"));
        match client.next() {
            Some((_, frame)) => assert_eq!(thrift_id(&frame), id),
            None => break,
        }
        answered += 1;
    }
    assert!(answered > 1);
    let mut idle = idle;
    idle.ended_cleanly();
    rig.until_listener("max_connection_age", 2);
    assert_eq!(rig.listener("response_success"), answered);
}

/// By which Dubbo's servers say that they take no more requests.
const READ_ONLY: &[u8] = b"\xda\xbb\xa2\0\0\0\0\0\0\0\0\0\0\0\0\x02\x01R";

#[test]
fn nothing_more_is_asked_by_a_connection_whose_host_says_goodbye() {
    let host = Host::new("dubbo", |peer, _, bytes| {
        peer.kept.push(dubbo_answer(dubbo_id(bytes), "x"));
        if peer.kept.len() == 2 {
            peer.send(&[READ_ONLY, &peer.kept.concat()].concat());
        }
    });
    let rig = Rig::simple("dubbo", &[&host]);
    let mut client = rig.client("dubbo");
    for round in 0..3 {
        let ids = [2 * round, 2 * round + 1];
        client.send(&ids.map(|id| dubbo_call(DUBBO_REQUEST, id, "x")).concat());
        assert_eq!(ids.map(|_| client.frame()), ids.map(|id| dubbo_answer(id, "x")));
        until("the connection is closed", || host.open.load(Ordering::SeqCst) == 0);
    }
    assert_eq!(host.accepted.load(Ordering::SeqCst), 3);
}

#[test]
fn others_are_asked_while_a_host_leaves() {
    let leaving = Host::new("dubbo", |peer, _, bytes| {
        peer.send(&[READ_ONLY, &dubbo_answer(dubbo_id(bytes), "leaving")].concat());
    });
    let stays = Host::new("dubbo", |peer, _, bytes| peer.send(&dubbo_answer(dubbo_id(bytes), "stays")));
    let rig = Rig::simple("dubbo", &[&leaving, &stays]);
    let mut client = rig.client("dubbo");
    for id in 0..40 {
        client.send(&dubbo_call(DUBBO_REQUEST, id, "x"));
        client.frame();
    }
    assert_eq!((leaving.count(), stays.count()), (1, 39));
}

#[test]
fn who_shuts_down_finishes_what_is_under_way() {
    let host = slow(60);
    let mut rig = Rig::simple("thrift", &[&host]);
    let address = rig.address();
    let mut idle = rig.client("thrift");
    let mut busy = rig.client("thrift");
    busy.send(&thrift_call(1, b"x"));
    host.until_got(1);
    // It has connected and asked, and the proxy may not have looked.
    let mut fresh = rig.client("thrift");
    fresh.send(&thrift_call(2, b"y"));
    let reader = thread::spawn(move || {
        let began = Instant::now();
        idle.ended_cleanly();
        let soon = began.elapsed();
        assert_eq!(thrift_text(&busy.frame()), b"x");
        busy.ended_cleanly();
        assert_eq!(thrift_text(&fresh.frame()), b"y");
        fresh.ended_cleanly();
        soon
    });
    let began = Instant::now();
    assert!(rig.shut_down(Duration::from_secs(5)));
    assert!(began.elapsed() < Duration::from_secs(4));
    let soon = reader.join().unwrap();
    // When it has paused for a second, and not when the time is over.
    assert!(soon < Duration::from_secs(2), "{soon:?}");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn shutting_down_takes_no_longer_than_it_may() {
    let host = Host::new("thrift", |_, _, _| ());
    let mut rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.send(&thrift_call(1, b"never"));
    host.until_got(1);
    let began = Instant::now();
    assert!(!rig.shut_down(Duration::from_millis(50)));
    let took = began.elapsed();
    assert!((50..250).contains(&took.as_millis()), "{took:?}");
    client.ended();
}

#[test]
fn starting_and_stopping_is_quick() {
    let host = slow(0);
    let began = Instant::now();
    for _ in 0..5 {
        let rig = Rig::simple("thrift", &[&host]);
        assert_eq!(rig.client("thrift").call(1, "x"), "x");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn clients_that_never_read_do_not_hold_up_others_for_ever() {
    let host = Host::new("thrift", |peer, _, bytes| {
        let len = if thrift_text(bytes) == b"much" { 3 << 20 } else { 1 };
        peer.send(&thrift_answer(thrift_id(bytes), &vec![b'x'; len]));
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "buffer_limit": 10_000 } } })));
    let mut deaf = rig.client("thrift");
    for id in 1..=4 {
        deaf.send(&thrift_call(id, b"much"));
    }
    until("the host is held up", || rig.cluster("c", "upstream_flow_control_paused_reading") > 0);
    // Others ask by another connection.
    let mut other = rig.client("thrift");
    assert_eq!(other.call(9, "little"), "x");
    assert_eq!((rig.cluster("c", "upstream_cx_active"), rig.listener("downstream_cx_active")), (2, 2));
    // It is closed although it has no idle timeout.
    rig.until_listener("downstream_cx_active", 1);
    assert!(rig.listener("cx_destroy_local_with_active_rq") > 0);
}

#[test]
fn of_clients_that_never_read_each_is_waited_for_at_the_same_time() {
    const DEAF: u32 = 20;
    let host = Host::new("thrift", |peer, _, bytes| {
        let len = if thrift_text(bytes) == b"much" { 60_000 } else { 1 };
        peer.send(&thrift_answer(thrift_id(bytes), &vec![b'x'; len]));
    });
    let changes = json!({
        "listeners": { "l": { "buffer_limit": 10_000 } },
        "clusters": { "c": { "thresholds":
            { "max_connections": 1, "max_pending": 99_999, "max_requests": 99_999, "max_retries": 3 } } },
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), changes));
    // What its socket takes, and some more; all is under way before the first one holds up the connection.
    let calls: Vec<u8> = (1..=200).flat_map(|id| thrift_call(id, b"much")).collect();
    let deaf: Vec<Client> = (0..DEAF)
        .map(|_| {
            let mut client = rig.client("thrift");
            client.send(&calls);
            client
        })
        .collect();
    until("the host is held up", || rig.cluster("c", "upstream_flow_control_paused_reading") > 0);
    let began = Instant::now();
    // There is no other connection.
    assert_eq!(rig.client("thrift").call(9, "little"), "x");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(deaf);
}

#[test]
fn an_answer_later_than_the_idle_timeout_is_no_reason_to_close() {
    let host = slow(25);
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "idle_timeout": 20 } } })));
    let mut client = rig.client("thrift");
    for id in 1..=60 {
        assert_eq!(client.call(id, "x"), "x");
    }
}
