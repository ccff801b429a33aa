//! Streams of tRPC and of bRPC.

use metaprotocol_core::{Kind, RequestId};
use serde_json::json;

use crate::common::message::*;
use crate::common::{Host, Rig, hosts_of, simple, with};

/// A host that accepts streams, echoes their data and ends them as the client does; calls are answered with their own name.
fn echo(name: &'static str) -> Host {
    Host::new("trpc", move |peer, head, bytes| match (head.kind, head.stream_id) {
        (Kind::StreamOpen, Some(id)) => peer.send(&trpc_opened(id as u32)),
        (Kind::StreamData, _) => peer.send(bytes),
        (Kind::StreamHalfClose, Some(id)) => {
            peer.send(&[trpc_data(id as u32, name), trpc_close(id as u32, false)].concat());
        }
        (Kind::Request, _) => {
            let RequestId::Int(id) = head.request_id else { panic!("a call without an id") };
            peer.send(&trpc_answer(id, name));
        }
        _ => {}
    })
}

#[test]
fn streams_go_both_ways_with_calls_between() {
    let host = echo("host");
    let rig = Rig::simple("trpc", &[&host]);
    let mut client = rig.client("trpc");
    // All before any connection is there.
    client.send(
        &[
            trpc_open(1, "/a.B/Chat"),
            trpc_data(1, "first"),
            trpc_call(8, "/a.B/Get", "?"),
            trpc_open(3, "/a.B/Chat"),
            trpc_data(3, "third"),
            trpc_data(1, "second"),
            trpc_close(1, false),
            trpc_close(3, false),
        ]
        .concat(),
    );
    let mut streams = std::collections::BTreeMap::<u64, Vec<Vec<u8>>>::new();
    let mut answers = Vec::new();
    for _ in 0..10 {
        let (head, bytes) = client.next().expect("a frame");
        match head.stream_id {
            Some(id) => streams.entry(id).or_default().push(bytes),
            None => answers.push(bytes),
        }
    }
    assert_eq!(answers, [trpc_answer(8, "host")]);
    let first =
        [trpc_opened(1), trpc_data(1, "first"), trpc_data(1, "second"), trpc_data(1, "host"), trpc_close(1, false)];
    assert_eq!(streams[&1], first);
    assert_eq!(streams[&3], [trpc_opened(3), trpc_data(3, "third"), trpc_data(3, "host"), trpc_close(3, false)]);
    client.finish().ended_cleanly();
    assert_eq!(rig.listener("request_stream"), 2);
}

#[test]
fn streams_to_two_clusters_stay_apart() {
    let (one, two) = (echo("one"), echo("two"));
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&two]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "method", "test": { "exact": { "text": "Two" } } }], "to": { "cluster": "d" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("trpc", &[&one]), update));
    let mut client = rig.client("trpc");
    client.send(&trpc_open(1, "/a.B/One"));
    assert_eq!(client.frame(), trpc_opened(1));
    client.send(&trpc_open(2, "/a.B/Two"));
    assert_eq!(client.frame(), trpc_opened(2));
    for (stream, host) in [(1, "one"), (2, "two")] {
        client.send(&trpc_data(stream, "x"));
        assert_eq!(client.frame(), trpc_data(stream, "x"));
        client.send(&trpc_close(stream, false));
        assert_eq!([client.frame(), client.frame()], [trpc_data(stream, host), trpc_close(stream, false)]);
    }
    assert_eq!((one.count(), two.count()), (3, 3));
}

#[test]
fn a_stream_whose_host_is_lost_is_closed_behind_the_calls_under_way() {
    let lost = Host::new("trpc", |peer, head, bytes| match head.kind {
        Kind::StreamOpen => peer.send(&trpc_opened(1)),
        _ if contains(bytes, "die") => peer.reset(),
        _ => peer.send(bytes),
    });
    let slow = Host::new("trpc", |peer, head, _| {
        let RequestId::Int(id) = head.request_id else { panic!("a call without an id") };
        std::thread::sleep(std::time::Duration::from_millis(50));
        peer.send(&trpc_answer(id, "slow"));
    });
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&slow]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "method", "test": { "exact": { "text": "Slow" } } }], "to": { "cluster": "d" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("trpc", &[&lost]), update));
    let mut client = rig.client("trpc");
    client.send(&[trpc_open(1, "/a.B/Chat"), trpc_data(1, "x")].concat());
    assert_eq!([client.frame(), client.frame()], [trpc_opened(1), trpc_data(1, "x")]);
    client.send(&[trpc_call(8, "/a.B/Slow", "?"), trpc_data(1, "die")].concat());
    let (head, _) = client.next().expect("a frame that closes the stream");
    assert_eq!((head.kind, head.stream_id), (Kind::StreamClose, Some(1)));
    assert_eq!(client.frame(), trpc_answer(8, "slow"));
    client.ended_cleanly();
}

#[test]
fn a_stream_that_goes_nowhere_is_refused_and_its_data_harm_nobody() {
    let host = echo("host");
    let routes = json!({ "routes": { "r": { "routes": [
        { "match": [{ "key": "method", "test": { "exact": { "text": "Chat" } } }], "to": { "cluster": "c" } },
    ] } } });
    let rig = Rig::new(with(simple("trpc", &[&host]), routes));
    let mut client = rig.client("trpc");
    client.send(&trpc_open(1, "/a.B/Chat"));
    assert_eq!(client.frame(), trpc_opened(1));
    client.send(&[trpc_open(2, "/a.B/Nowhere"), trpc_data(2, "lost"), trpc_data(1, "x")].concat());
    let (head, _) = client.next().expect("an INIT that refuses it");
    assert_eq!((head.kind, head.stream_id), (Kind::Error, Some(2)));
    assert_eq!(client.frame(), trpc_data(1, "x"));
    assert!(!host.frames().iter().any(|frame| contains(frame, "lost")));
}

#[test]
fn a_stream_of_a_client_that_leaves_ends_at_the_host() {
    let host = echo("host");
    let rig = Rig::simple("trpc", &[&host]);
    let mut client = rig.client("trpc");
    client.send(&trpc_open(1, "/a.B/Chat"));
    assert_eq!(client.frame(), trpc_opened(1));
    client.finish().ended_cleanly();
    crate::common::until("its connection is closed", || host.open.load(std::sync::atomic::Ordering::SeqCst) == 0);
}

/// A host of bRPC that accepts streams, answers their data with its name and the data, and calls with its name.
fn brpc_host(name: &'static str) -> Host {
    Host::new("brpc", move |peer, head, bytes| match (head.kind, head.request_id) {
        // It has its own ids for streams: the next one after the client's.
        (Kind::StreamOpen, RequestId::Int(id)) => {
            peer.send(&brpc_answer(id, head.stream_id.map(|stream| stream as u8 + 1), name));
        }
        (Kind::StreamData, _) => {
            let own = head.stream_id.expect("the receiver's id") as u8;
            let data = String::from_utf8_lossy(&bytes[head.header_len as usize..]);
            peer.send(&brpc_data(own - 1, own, &format!("{name} {data}")));
        }
        (Kind::Request, RequestId::Int(id)) => peer.send(&brpc_answer(id, None, name)),
        _ => panic!("{head:?}"),
    })
}

#[test]
fn streams_that_their_client_does_not_name_are_with_one_cluster() {
    let (one, two) = (brpc_host("one"), brpc_host("two"));
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&two]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "method", "test": { "exact": { "text": "Two" } } }], "to": { "cluster": "d" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("brpc", &[&one]), update));
    let mut client = rig.client("brpc");
    assert_eq!(client.send(&brpc_call(1, "One", Some(10))).frame(), brpc_answer(1, Some(11), "one"));
    for round in 0..2 {
        client.send(&[brpc_call(2, "Two", Some(20)), brpc_data(11, 10, "first")].concat());
        let (head, refused) = client.next().expect("an answer");
        assert_eq!((head.kind, head.request_id), (Kind::Error, RequestId::Int(2)));
        assert!(contains(&refused, "this connection has streams to another cluster"));
        assert_eq!(client.frame(), brpc_data(10, 11, "one first"));
        // Calls go where they belong, and more streams to where the first one is.
        assert_eq!(client.send(&brpc_call(3, "Two", None)).frame(), brpc_answer(3, None, "two"));
        let (own, theirs) = (30 + round * 2, 31 + round * 2);
        assert_eq!(client.send(&brpc_call(4, "One", Some(own))).frame(), brpc_answer(4, Some(theirs), "one"));
        assert_eq!(client.send(&brpc_data(theirs, own, "more")).frame(), brpc_data(own, theirs, "one more"));
    }
    // Another connection is free to have its own there.
    let mut other = rig.client("brpc");
    assert_eq!(other.send(&brpc_call(1, "Two", Some(40))).frame(), brpc_answer(1, Some(41), "two"));
    assert_eq!(other.send(&brpc_data(41, 40, "x")).frame(), brpc_data(40, 41, "two x"));
    assert_eq!((one.count(), two.count(), rig.listener("request_stream")), (7, 4, 6));
}

#[test]
fn streams_that_their_client_does_not_name_outlive_the_place_of_their_host_in_its_cluster() {
    let (one, two) = (brpc_host("one"), brpc_host("two"));
    let rig = Rig::simple("brpc", &[&one]);
    let mut client = rig.client("brpc");
    assert_eq!(client.send(&brpc_call(1, "One", Some(10))).frame(), brpc_answer(1, Some(11), "one"));
    rig.update(json!({ "hosts": { "c": hosts_of(&[&two]) } }));
    for _ in 0..2 {
        assert_eq!(client.send(&brpc_data(11, 10, "more")).frame(), brpc_data(10, 11, "one more"));
        assert_eq!(client.send(&brpc_call(2, "One", None)).frame(), brpc_answer(2, None, "two"));
    }
}
