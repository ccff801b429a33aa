//! Copies of messages.

use serde_json::json;

use crate::common::message::*;
use crate::common::{Host, Rig, hosts, hosts_of, simple, until, with};

fn mirrored(host: &Host, mirror: &Host) -> Rig {
    let update = json!({
        "clusters": { "m": { "hosts": hosts_of(&[mirror]) } },
        "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 400, "mirrors": [{ "cluster": "m" }] }] } },
    });
    Rig::new(with(simple("thrift", &[host]), update))
}

#[test]
fn mirrors_get_copies_and_their_answers_go_nowhere() {
    let (host, mirror) = (Host::thrift("host "), Host::thrift("mirror "));
    let rig = mirrored(&host, &mirror);
    let mut client = rig.client("thrift");
    for id in 1..=20 {
        assert_eq!(client.call(id, "x"), "host x");
    }
    client.send(&thrift_oneway(21, b"y"));
    mirror.until_got(21);
    host.until_got(21);
    assert!(mirror.frames().iter().all(|frame| matches!(thrift_text(frame), b"x" | b"y")));
    until("copies are counted", || rig.listener("mirrored") == 21);
}

#[test]
fn mirrors_that_do_ill_harm_nobody() {
    // BUG-11
    let host = Host::thrift("");
    let ill: [fn(&mut crate::common::Peer, &[u8]); 5] = [
        |peer, _| peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        |peer, _| peer.reset(),
        |peer, _| peer.close(),
        |peer, bytes| peer.send(&thrift_answer(thrift_id(bytes) ^ 7, b"x")),
        |peer, bytes| {
            peer.send(&thrift_answer(thrift_id(bytes), b"x")[..9]);
            peer.close();
        },
    ];
    for act in ill {
        let mirror = Host::new("thrift", move |peer, _, bytes| act(peer, bytes));
        let rig = mirrored(&host, &mirror);
        let mut client = rig.client("thrift");
        for id in 1..=20 {
            assert_eq!(client.call(id, "fine"), "fine");
        }
        mirror.until_got(1);
        drop(client);
    }
}

#[test]
fn mirrors_that_never_answer_are_given_up() {
    let (host, mirror) = (Host::thrift(""), Host::new("thrift", |_, _, _| ()));
    let update = json!({
        "clusters": { "m": { "hosts": hosts_of(&[&mirror]) } },
        "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 50, "mirrors": [{ "cluster": "m" }] }] } },
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), update));
    let mut client = rig.client("thrift");
    for id in 1..=20 {
        assert_eq!(client.call(id, "x"), "x");
    }
    mirror.until_got(20);
    rig.until_cluster("m", "upstream_rq_timeout", 20);
    assert_eq!(rig.listener("request_timeout"), 0);
}

#[test]
fn mirrors_that_are_down_or_unknown_or_only_get_a_share() {
    let host = Host::thrift("");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let some = Host::thrift("");
    let update = json!({
        "clusters": { "down": { "hosts": hosts(&[nobody]) }, "empty": {}, "some": { "hosts": hosts_of(&[&some]) } },
        "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "mirrors": [
            { "cluster": "down" }, { "cluster": "empty" }, { "cluster": "unknown" },
            { "cluster": "some", "of_million": 500_000 },
        ] }] } },
    });
    let rig = Rig::new(with(simple("thrift", &[&host]), update));
    let mut client = rig.client("thrift");
    for id in 1..=200 {
        assert_eq!(client.call(id, "x"), "x");
    }
    assert!((50..150).contains(&some.count()), "{}", some.count());
}
