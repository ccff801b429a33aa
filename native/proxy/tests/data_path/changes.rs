//! The configuration changes under traffic.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use crate::common::message::*;
use crate::common::{Client, Host, Rig, codec, hosts_of, listener, simple, until, with};

/// Clients that call as fast as they can, and check each answer.
struct Traffic {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// `right` tells whether the answer to a text may be this.
    fn new(rig: &Rig, clients: u32, right: fn(&str, &str) -> bool) -> Self {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let address = rig.address();
        let one = |number: u32| {
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            thread::spawn(move || {
                let mut client = Client::new(address, codec("thrift"));
                let mut id = 0;
                while !stop.load(Ordering::Relaxed) {
                    let texts = [0, 1, 2].map(|turn| format!("{number} {id} {turn}"));
                    let batch = [0, 1, 2].map(|turn| thrift_call(id + turn, texts[turn as usize].as_bytes()));
                    client.send(&batch.concat());
                    let mut seen = [false; 3];
                    for _ in 0..3 {
                        let frame = client.frame();
                        let turn = (thrift_id(&frame) - id) as usize;
                        let answer = String::from_utf8_lossy(thrift_text(&frame)).into_owned();
                        assert!(right(&texts[turn], &answer), "{:?} for {:?}", answer, texts[turn]);
                        assert!(!std::mem::replace(&mut seen[turn], true));
                    }
                    id += 3;
                    calls.fetch_add(3, Ordering::Relaxed);
                }
            })
        };
        let threads = (0..clients).map(one).collect();
        Self { stop, calls, threads }
    }

    /// Waits until so many calls more are answered.
    fn more(&self, calls: u64) {
        let from = self.calls.load(Ordering::Relaxed);
        until("calls are answered", || {
            let failed = self.threads.iter().any(JoinHandle::is_finished);
            failed || self.calls.load(Ordering::Relaxed) >= from + calls
        });
    }

    #[track_caller]
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("every answer was right");
        }
    }
}

#[test]
fn five_hundred_updates_cost_no_answer() {
    // BUG-9
    let (one, two) = (Host::thrift("one "), Host::thrift("two "));
    let base = with(simple("thrift", &[&one]), json!({ "clusters": { "d": { "hosts": hosts_of(&[&two]) } } }));
    let rig = Rig::new(base);
    let traffic =
        Traffic::new(&rig, 6, |text, answer| answer.strip_prefix("one ").or(answer.strip_prefix("two ")) == Some(text));
    for number in 0..500_u32 {
        let weights = json!([["c", number % 100], ["d", 100 - number % 100]]);
        let to = if number % 2 == 0 { json!({ "weighted": weights }) } else { json!({ "cluster": "c" }) };
        let mut update = json!({ "routes": { "r": { "routes": [{ "to": to, "timeout": 5000 + number }] } } });
        if number % 7 == 0 {
            update["clusters"] = json!({ "d": { "connect_timeout": 1000 + number } });
        }
        rig.update(update);
        if number % 10 == 0 {
            traffic.more(10);
        }
    }
    traffic.end();
    assert!(one.count() > 0 && two.count() > 0);
    assert_eq!(rig.listener("local_response_business_exception"), 0);
}

#[test]
fn hosts_that_come_and_go_cost_no_answer() {
    let all: Vec<Host> = (0..4).map(|_| Host::thrift("")).collect();
    let rig = Rig::simple("thrift", &[&all[0]]);
    let traffic = Traffic::new(&rig, 6, |text, answer| text == answer);
    for number in 0..100 {
        let there: Vec<&Host> = (0..1 + number % 3).map(|more| &all[(number + more) % 4]).collect();
        rig.update(json!({ "hosts": { "c": hosts_of(&there) } }));
        traffic.more(10);
    }
    rig.update(json!({ "hosts": { "c": hosts_of(&[&all[1]]) } }));
    traffic.more(10);
    for (number, host) in all.iter().enumerate() {
        let expected = usize::from(number == 1);
        until("those that are gone have no connection", || host.open.load(Ordering::SeqCst) == expected);
        assert!(host.count() > 0);
    }
    traffic.end();
    assert_eq!(rig.listener("local_response_business_exception"), 0);
}

#[test]
fn clusters_that_come_and_go_cost_no_answer_that_was_asked() {
    let (one, two) = (Host::thrift("one "), Host::thrift("two "));
    let rig = Rig::simple("thrift", &[&one]);
    let traffic =
        Traffic::new(&rig, 4, |text, answer| answer.strip_prefix("one ").or(answer.strip_prefix("two ")) == Some(text));
    for number in 0..60 {
        let name = format!("d{}", number % 3);
        rig.update(json!({
            "clusters": { name.as_str(): { "hosts": hosts_of(&[&two]) } },
            "routes": { "r": { "routes": [{ "to": { "cluster": name } }] } },
        }));
        traffic.more(5);
        rig.update(json!({
            "clusters": { name.as_str(): null },
            "routes": { "r": { "routes": [{ "to": { "cluster": "c" } }] } },
        }));
        traffic.more(5);
    }
    traffic.end();
    until("the other cluster's connections are closed", || two.open.load(Ordering::SeqCst) == 0);
    assert_eq!(rig.listener("local_response_business_exception"), 0);
}

#[test]
fn a_host_that_is_removed_finishes_what_it_has() {
    let (first, second) = (
        Host::new("thrift", |peer, _, bytes| {
            // The answer comes when a second connection shows that the host is out.
            peer.kept.push(bytes.to_vec());
            thread::sleep(std::time::Duration::from_millis(100));
            peer.send(&thrift_answer(thrift_id(bytes), b"first"));
        }),
        Host::thrift("second "),
    );
    let rig = Rig::simple("thrift", &[&first]);
    let mut client = rig.client("thrift");
    client.send(&thrift_call(1, b"x"));
    first.until_got(1);
    rig.update(json!({ "hosts": { "c": hosts_of(&[&second]) } }));
    let mut other = rig.client("thrift");
    until("new ones go elsewhere", || other.call(2, "y") == "second y");
    assert_eq!(thrift_text(&client.frame()), b"first");
    until("it has no connection then", || first.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn listeners_come_move_and_go() {
    let host = Host::new("thrift", |peer, _, bytes| {
        if thrift_text(bytes) == b"slow" {
            thread::sleep(std::time::Duration::from_millis(100));
        }
        peer.send(&thrift_answer(thrift_id(bytes), thrift_text(bytes)));
    });
    let rig = Rig::simple("thrift", &[&host]);
    let first = rig.address();
    let mut client = rig.client("thrift");
    assert_eq!(client.call(1, "x"), "x");
    rig.update(json!({ "listeners": { "m": listener(&["thrift"]) } }));
    assert_eq!(Client::new(rig.address_of("m"), codec("thrift")).call(1, "x"), "x");
    // A change of anything but the address costs nothing.
    rig.update(json!({ "listeners": { "l": with(listener(&["thrift"]), json!({ "idle_timeout": 60_000 })) } }));
    assert_eq!((rig.address(), client.call(2, "x")), (first, "x".to_owned()));
    // A move: who is there gets what was asked, and leaves.
    client.send(&thrift_call(3, b"slow"));
    host.until_got(4);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rig.update(json!({ "listeners": { "l": with(listener(&["thrift"]), json!({ "address": free.to_string() })) } }));
    assert_eq!(rig.address(), free);
    assert_eq!(rig.client("thrift").call(1, "x"), "x");
    assert_eq!(thrift_text(&client.frame()), b"slow");
    client.ended_cleanly();
    until("the old address refuses", || std::net::TcpStream::connect(first).is_err());
    rig.update(json!({ "listeners": { "l": null, "m": null } }));
    until("the new one too", || std::net::TcpStream::connect(free).is_err());
    assert_eq!(rig.proxy.addresses().len(), 0);
}

#[test]
fn who_asked_before_a_listener_went_is_answered() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    // They are connected by the system, and the proxy has not looked at them.
    for _ in 0..20 {
        let mut clients: Vec<Client> = (0..8).map(|_| rig.client("thrift")).collect();
        clients.iter_mut().for_each(|client| client.socket.write_all(&thrift_call(1, b"x")).unwrap());
        rig.update(json!({ "listeners": { "l": null } }));
        for client in &mut clients {
            assert_eq!(thrift_text(&client.frame()), b"x");
            client.ended_cleanly();
        }
        rig.update(json!({ "listeners": { "l": listener(&["thrift"]) } }));
    }
}

#[test]
fn an_update_that_cannot_be_used_changes_nothing() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let wrong: Value = json!({
        "routes": { "r": { "routes": [] } },
        "listeners": { "x": with(listener(&["thrift"]), json!({ "address": "nowhere" })) },
    });
    let error = rig.proxy.update(serde_json::from_value(wrong).unwrap()).unwrap_err();
    assert_eq!(error.path, "listeners.x.address");
    assert_eq!(rig.client("thrift").call(1, "x"), "x");
}

#[test]
fn what_is_configured_is_counted_at_once() {
    let rig = Rig::with(
        2,
        Box::new(|name| metaprotocol_registry::find(name).ok_or("no such codec".to_owned())),
        simple("thrift", &[]),
    );
    let listeners = rig.proxy.listener_stats();
    assert!(listeners.values().all(|(totals, _)| totals.get("request") == Some(&0)) && listeners.len() == 1);
    assert_eq!(rig.proxy.cluster_stats().keys().map(|name| &**name).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn clients_keep_their_codec_when_an_update_brings_another_one_and_follow_new_routes() {
    let host = |name: &'static str| {
        Host::raw(move |peer, _| {
            peer.send(b"hello\n");
            let mut chunk = [0; 100];
            while let Some(len) = crate::common::read(&mut peer.socket, &mut chunk) {
                peer.send(&[name.as_bytes(), &chunk[..len]].concat());
            }
        })
    };
    let (one, two) = (host("one "), host("two "));
    let base = with(simple("greeting", &[&one]), json!({ "clusters": { "d": { "hosts": hosts_of(&[&two]) } } }));
    // Each time it is asked for, it is another one.
    let rig = Rig::with(1, Box::new(|_| Ok(Arc::new(super::bound::Greeting::new()))), base);
    let mut client = Client::new(rig.address(), Arc::new(super::bound::Greeting::new()));
    assert_eq!(client.frame(), b"hello\n");
    assert_eq!(client.send(b"first\n").frame(), b"one first\n");
    for number in 1..=3 {
        rig.update(
            json!({ "listeners": { "l": with(listener(&["greeting"]), json!({ "idle_timeout": 60_000 + number })) } }),
        );
        assert_eq!(client.send(b"again\n").frame(), b"one again\n");
    }
    rig.update(json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "d" } }] } } }));
    assert_eq!(client.send(b"then\n").frame(), b"hello\n");
    assert_eq!(client.frame(), b"two then\n");
    assert_eq!(rig.listener("route_not_found"), 0);
}

/// A host of Redis that says its name, and how much of a transaction it has.
fn store(name: &'static str) -> Host {
    Host::new("redis", move |peer, _, bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match text.split("\r\n").nth(2) {
            Some("GET") => peer.send(&redis_text(name)),
            Some("EXEC") => peer.send(&[b"*1\r\n", redis_text(name).as_slice()].concat()),
            Some("SUBSCRIBE") => peer.send(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"),
            Some("UNSUBSCRIBE") => peer.send(b"*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n"),
            _ => peer.send(b"+OK\r\n"),
        }
    })
}

#[test]
fn clients_with_their_own_connections_leave_a_host_that_is_gone_when_nothing_ties_them() {
    let (one, two) = (store("one"), store("two"));
    let rig = Rig::simple("redis", &[&one]);
    let get = || redis(&["GET", "x"]);
    let mut free = rig.client("redis");
    let mut selected = rig.client("redis");
    let mut within = rig.client("redis");
    let mut subscribed = rig.client("redis");
    for client in [&mut free, &mut selected, &mut within, &mut subscribed] {
        assert_eq!(client.send(&get()).frame(), redis_text("one"));
    }
    selected.send(&redis(&["SELECT", "1"])).frame();
    within.send(&redis(&["MULTI"])).frame();
    subscribed.send(&redis(&["SUBSCRIBE", "c"])).frame();
    rig.update(json!({ "hosts": { "c": hosts_of(&[&two]) } }));
    assert_eq!(free.send(&get()).frame(), redis_text("two"));
    until("its connection is closed", || one.open.load(Ordering::SeqCst) == 3);
    assert_eq!(selected.send(&get()).frame(), redis_text("one"));
    within.send(&redis(&["GET", "x"])).frame();
    assert_eq!(within.send(&redis(&["EXEC"])).frame(), [b"*1\r\n", redis_text("one").as_slice()].concat());
    assert_eq!(within.send(&get()).frame(), redis_text("two"));
    subscribed.send(&redis(&["UNSUBSCRIBE", "c"])).frame();
    assert_eq!(subscribed.send(&get()).frame(), redis_text("two"));
    until("only what is tied is left", || one.open.load(Ordering::SeqCst) == 1);
    // A pipeline moves as a whole, and back again when the first host is there alone.
    free.send(&[get(), get(), get()].concat());
    (0..3).for_each(|_| assert_eq!(free.frame(), redis_text("two")));
    rig.update(json!({ "hosts": { "c": hosts_of(&[&one]) } }));
    free.send(&[get(), get(), get()].concat());
    (0..3).for_each(|_| assert_eq!(free.frame(), redis_text("one")));
    assert_eq!(selected.send(&get()).frame(), redis_text("one"));
    assert_eq!(rig.listener("local_response_business_exception"), 0);
}

#[test]
fn what_is_under_way_stays_with_a_host_that_is_gone() {
    let slow = Host::new("redis", |peer, _, bytes| {
        thread::sleep(std::time::Duration::from_millis(50));
        let key = String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned();
        peer.send(&redis_text(&key));
    });
    let two = store("two");
    let rig = Rig::simple("redis", &[&slow]);
    let mut client = rig.client("redis");
    client.send(&[redis(&["GET", "1"]), redis(&["GET", "2"])].concat());
    slow.until_got(1);
    rig.update(json!({ "hosts": { "c": hosts_of(&[&two]) } }));
    client.send(&redis(&["GET", "3"]));
    for key in ["1", "2", "3"] {
        assert_eq!(client.frame(), redis_text(key));
    }
    assert_eq!(client.send(&redis(&["GET", "4"])).frame(), redis_text("two"));
}

#[test]
fn streams_stay_with_a_host_that_is_gone_until_they_are_over() {
    let host = |name: &'static str| {
        Host::new("trpc", move |peer, head, bytes| match head.kind {
            metaprotocol_core::Kind::StreamOpen => peer.send(&trpc_opened(1)),
            metaprotocol_core::Kind::StreamData => peer.send(&[bytes, trpc_data(1, name).as_slice()].concat()),
            metaprotocol_core::Kind::StreamHalfClose => peer.send(&trpc_close(1, false)),
            _ => {}
        })
    };
    let (one, two) = (host("one"), host("two"));
    let rig = Rig::simple("trpc", &[&one]);
    let mut client = rig.client("trpc");
    for (name, gone) in [("one", true), ("two", false)] {
        assert_eq!(client.send(&trpc_open(1, "/a.B/Chat")).frame(), trpc_opened(1));
        if gone {
            rig.update(json!({ "hosts": { "c": hosts_of(&[&two]) } }));
        }
        client.send(&trpc_data(1, "x"));
        assert_eq!([client.frame(), client.frame()], [trpc_data(1, "x"), trpc_data(1, name)]);
        assert_eq!(client.send(&trpc_close(1, false)).frame(), trpc_close(1, false));
    }
    until("the first is left", || one.open.load(Ordering::SeqCst) == 0);
}
