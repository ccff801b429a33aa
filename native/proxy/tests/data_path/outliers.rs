//! Hosts that are left out for what they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::common::message::*;
use crate::common::{Host, Rig, simple, with};

/// An exception of Thrift of this type.
fn exception(id: u32, kind: u8) -> Vec<u8> {
    let mut body = vec![0x80, 1, 0, 3, 0, 0, 0, 4];
    body.extend(b"ping");
    body.extend(id.to_be_bytes());
    body.extend([8, 0, 2, 0, 0, 0, kind, 0]);
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// How many of fifty calls an ill host of two gets, by the exceptions that it answers with.
fn asked(kind: u8) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let ill = Host::new("thrift", move |peer, _, bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        peer.send(&exception(thrift_id(bytes), kind));
    });
    let well = Host::thrift("");
    let outliers = json!({
        "consecutive_failures": 3, "interval": 60_000, "base_ejection_time": 60_000, "max_ejection_time": 60_000,
        "max_ejection_percent": 100,
    });
    let rig =
        Rig::new(with(simple("thrift", &[&ill, &well]), json!({ "clusters": { "c": { "outliers": outliers } } })));
    let mut client = rig.client("thrift");
    for id in 1..=50 {
        client.send(&thrift_call(id, b"x"));
        assert_eq!(thrift_id(&client.frame()), id);
    }
    assert_eq!(rig.listener("response_business_exception"), count.load(Ordering::SeqCst) as u64);
    count.load(Ordering::SeqCst)
}

#[test]
fn hosts_that_say_they_are_unwell_are_left_out() {
    assert_eq!(asked(6), 3);
}

#[test]
fn hosts_whose_application_refuses_are_not() {
    assert_eq!(asked(1), 25);
}

#[test]
fn redis_that_loads_is_left_out_and_one_that_knows_no_command_is_not() {
    for (answer, most) in [("-LOADING Redis is loading\r\n", 3), ("-ERR unknown command\r\n", 10)] {
        let ill = Host::new("redis", move |peer, _, _| peer.send(answer.as_bytes()));
        let well = Host::new("redis", |peer, _, _| peer.send(b"+OK\r\n"));
        let outliers = json!({
            "consecutive_failures": 3, "interval": 60_000, "base_ejection_time": 60_000, "max_ejection_time": 60_000,
            "max_ejection_percent": 100,
        });
        let update = json!({ "clusters": { "c": { "outliers": outliers } } });
        let rig = Rig::new(with(simple("redis", &[&ill, &well]), update));
        for _ in 0..20 {
            let mut client = rig.client("redis");
            client.send(&redis(&["GET", "x"])).frame();
        }
        assert_eq!(ill.count(), most, "{answer}");
    }
}
