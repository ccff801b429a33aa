//! Where answers come in order: clients that leave nothing on a connection share it, and each gets its own answers in its
//! own order.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, hosts_of, simple, until, with};

fn ask(client: &mut Client, bytes: &[u8]) -> Vec<u8> {
    client.send(bytes);
    client.frame()
}

/// Answers with the first argument.
fn echo() -> Host {
    Host::new("redis", |peer, _, bytes| peer.send(&redis_text(&redis_key(bytes))))
}

#[test]
fn clients_share_a_connection_and_get_their_own_answers() {
    let host = echo();
    let rig = Rig::simple("redis", &[&host]);
    let mut clients: Vec<_> = (0..20).map(|_| rig.client("redis")).collect();
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            let asked = (0..=number % 4).map(|at| redis(&["GET", &format!("{round}.{number}.{at}")]));
            client.send(&asked.collect::<Vec<_>>().concat());
        }
        for (number, client) in clients.iter_mut().enumerate() {
            for at in 0..=number % 4 {
                assert_eq!(client.frame(), redis_text(&format!("{round}.{number}.{at}")));
            }
        }
    }
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 1);
}

#[test]
fn who_leaves_something_on_a_connection_has_one_for_itself() {
    let host = echo();
    let rig = Rig::simple("redis", &[&host]);
    let mut other = rig.client("redis");
    assert_eq!(ask(&mut other, &redis(&["GET", "other"])), redis_text("other"));
    for (number, tie) in ["SELECT", "MULTI", "AUTH", "WATCH", "BLPOP", "CLIENT", "NOSUCHCOMMAND"].iter().enumerate() {
        let mut client = rig.client("redis");
        // What it asked before is answered before.
        client.send(&[redis(&["GET", "a"]), redis(&[tie, "b"]), redis(&["GET", "c"])].concat());
        assert_eq!([client.frame(), client.frame(), client.frame()], ["a", "b", "c"].map(redis_text), "{tie}");
        assert_eq!(rig.cluster("c", "upstream_cx_total"), 2 + number as u64, "{tie}");
        assert_eq!(ask(&mut other, &redis(&["GET", "other"])), redis_text("other"));
    }
}

#[test]
fn answers_of_several_hosts_keep_the_order_of_the_requests() {
    let slow = Host::new("redis", |peer, _, bytes| {
        std::thread::sleep(Duration::from_millis(20));
        peer.send(&redis_text(&redis_key(bytes)));
    });
    let quick = echo();
    let to = |prefix: &str, cluster: &str| json!({ "match": [{ "key": "key", "test": { "prefix": { "text": prefix } } }], "to": { "cluster": cluster } });
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&quick]) } },
        "routes": { "r": { "routes": [to("a", "c"), to("b", "d")] } },
    });
    let rig = Rig::new(with(simple("redis", &[&slow]), update));
    let mut client = rig.client("redis");
    let keys = ["a1", "b1", "a2", "x", "a3", "a4", "b2", "b3", "x", "a5"];
    client.send(&keys.map(|key| redis(&["GET", key])).concat());
    for key in keys {
        match key {
            "x" => assert!(contains(&client.frame(), "no route matches")),
            key => assert_eq!(client.frame(), redis_text(key)),
        }
    }
    assert_eq!((slow.count(), quick.count()), (5, 3));
}

#[test]
fn a_lost_host_answers_every_client_in_order_and_ends_none() {
    let host = Host::new("redis", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        match peer.kept.len() {
            6 => peer.close(),
            _ if ["0", "again"].contains(&&*redis_key(bytes)) => peer.send(&redis_text(&redis_key(bytes))),
            _ => {}
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let (mut one, mut two) = (rig.client("redis"), rig.client("redis"));
    assert_eq!(ask(&mut one, &redis(&["GET", "0"])), redis_text("0"));
    one.send(&[redis(&["GET", "1"]), redis(&["GET", "2"])].concat());
    host.until_got(3);
    two.send(&["3", "4", "5"].map(|key| redis(&["GET", key])).concat());
    for (client, count) in [(&mut one, 2), (&mut two, 3)] {
        for _ in 0..count {
            assert!(contains(&client.frame(), "remote connection failure"));
        }
    }
    for client in [&mut one, &mut two] {
        assert_eq!(ask(client, &redis(&["GET", "again"])), redis_text("again"));
    }
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 2);
}

#[test]
fn what_comes_too_late_is_nobodys_answer() {
    let host = Host::new("redis", |peer, _, bytes| {
        if redis_key(bytes) == "slow" {
            std::thread::sleep(Duration::from_millis(150));
        }
        peer.send(&redis_text(&redis_key(bytes)));
    });
    let timeout = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 60 }] } } });
    let rig = Rig::new(with(simple("redis", &[&host]), timeout));
    let (mut one, mut two) = (rig.client("redis"), rig.client("redis"));
    one.send(&[redis(&["GET", "slow"]), redis(&["GET", "behind"])].concat());
    host.until_got(1);
    // By the same connection, behind what is slow.
    two.send(&redis(&["GET", "two"]));
    for (client, count) in [(&mut one, 2), (&mut two, 1)] {
        for _ in 0..count {
            assert!(contains(&client.frame(), "no answer in time"));
        }
    }
    // Who comes later does not wait behind it.
    for client in [&mut one, &mut two] {
        assert_eq!(ask(client, &redis(&["GET", "after"])), redis_text("after"));
    }
    until("the answers have come", || rig.cluster("c", "upstream_cx_active") == 1);
    assert_eq!(rig.cluster("c", "upstream_rq_timeout"), 3);
}

#[test]
fn an_answer_that_nobody_has_asked_for_ends_the_connection() {
    let host = Host::new("redis", |peer, _, bytes| peer.send(&redis_text(&redis_key(bytes)).repeat(2)));
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    for key in ["1", "2", "3"] {
        assert_eq!(ask(&mut client, &redis(&["GET", key])), redis_text(key));
    }
    assert_eq!(rig.cluster("c", "upstream_cx_protocol_error"), 3);
}

#[test]
fn long_values_go_both_ways_beside_others() {
    const LEN: usize = 3 << 20;
    let host = Host::new("redis", |peer, _, bytes| match bytes.len() {
        LEN.. => peer.send(b"+OK\r\n"),
        _ if redis_key(bytes) == "long" => peer.send(&redis_text(&"v".repeat(LEN))),
        _ => peer.send(&redis_text(&redis_key(bytes))),
    });
    let rig = Rig::simple("redis", &[&host]);
    let (mut one, mut two, mut other) = (rig.client("redis"), rig.client("redis"), rig.client("redis"));
    one.send(&[redis(&["GET", "long"]), redis(&["GET", "a"])].concat());
    two.send(&[redis(&["GET", "long"]), redis(&["GET", "b"])].concat());
    other.send(&redis(&["GET", "c"]));
    for (client, last) in [(&mut one, "a"), (&mut two, "b")] {
        assert_eq!(client.frame(), redis_text(&"v".repeat(LEN)));
        assert_eq!(client.frame(), redis_text(last));
    }
    assert_eq!(other.frame(), redis_text("c"));
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 1);
    let sent = [redis(&["GET", "first"]), redis(&["SET", "k", &"v".repeat(LEN)]), redis(&["GET", "last"])].concat();
    let mut socket = one.socket.try_clone().unwrap();
    let writer = std::thread::spawn(move || socket.write_all(&sent).unwrap());
    assert_eq!(one.frame(), redis_text("first"));
    assert_eq!(one.frame(), b"+OK\r\n");
    assert_eq!(one.frame(), redis_text("last"));
    writer.join().unwrap();
}

#[test]
fn a_client_that_leaves_takes_no_answer_of_others() {
    let host = Host::new("redis", |peer, _, bytes| {
        peer.kept.push(redis_text(&redis_key(bytes)));
        if peer.kept.len() == 2 {
            peer.send(&peer.kept.concat());
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let (mut one, mut two) = (rig.client("redis"), rig.client("redis"));
    one.send(&redis(&["GET", "one"]));
    host.until_got(1);
    crate::common::reset(&one.socket);
    drop(one);
    until("it is gone", || rig.cluster("c", "upstream_rq_cancelled") == 1);
    assert_eq!(ask(&mut two, &redis(&["GET", "two"])), redis_text("two"));
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 1);
}
