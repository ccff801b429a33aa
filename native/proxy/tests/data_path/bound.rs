//! Clients that have connections of their own.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key, Kind,
    Limits, PairBy, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};
use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, hosts_of, read, simple, until, with};

/// A host of Redis that answers as a test needs it.
fn redis_host(name: &'static str) -> Host {
    Host::new("redis", move |peer, _, bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let words: Vec<&str> = text.split("\r\n").skip(2).step_by(2).collect();
        match words.as_slice() {
            ["GET", key, ..] => peer.send(&redis_text(&format!("{name}:{key}"))),
            ["MULTI", ..] => peer.send(b"+OK\r\n"),
            ["INCR", ..] => peer.send(b"+QUEUED\r\n"),
            ["EXEC", ..] => peer.send(b"*1\r\n:1\r\n"),
            ["SUBSCRIBE", channel, ..] => {
                let push =
                    |kind: &str, last: &str| format!("*3\r\n${}\r\n{kind}\r\n$1\r\n{channel}\r\n{last}", kind.len());
                peer.send(push("subscribe", ":1\r\n").as_bytes());
                peer.send(push("message", "$2\r\nhi\r\n").as_bytes());
                peer.send(push("message", "$2\r\nho\r\n").as_bytes());
            }
            ["PUBLISH", ..] => {}
            other => panic!("{other:?}"),
        }
    })
}

fn by_prefix(one: &Host, two: &Host) -> Rig {
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[two]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "key", "test": { "prefix": { "text": "b" } } }], "to": { "cluster": "d" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    Rig::new(with(simple("redis", &[one]), update))
}

#[test]
fn pipelines_transactions_and_pushes_pass_through() {
    let host = redis_host("one");
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    let keys: Vec<_> = (0..100).map(|number| redis(&["GET", &number.to_string()])).collect();
    client.send(&keys.concat());
    (0..100).for_each(|number| assert_eq!(client.frame(), redis_text(&format!("one:{number}"))));
    client.send(&[redis(&["MULTI"]), redis(&["INCR", "n"]), redis(&["EXEC"])].concat());
    for answer in [&b"+OK\r\n"[..], b"+QUEUED\r\n", b"*1\r\n:1\r\n"] {
        assert_eq!(client.frame(), answer);
    }
    client.send(&redis(&["SUBSCRIBE", "c"]));
    for kind in ["subscribe", "message", "message"] {
        assert!(contains(&client.frame(), kind));
    }
    let mut other = rig.client("redis");
    assert_eq!(other.send(&redis(&["GET", "x"])).frame(), redis_text("one:x"));
    assert_eq!(host.accepted.load(Ordering::SeqCst), 2);
    drop(client);
    until("only the other's connection is open", || host.open.load(Ordering::SeqCst) == 1);
}

#[test]
fn answers_of_two_clusters_keep_their_order() {
    let slow = Host::new("redis", |peer, _, bytes| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        let key = String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned();
        peer.send(&redis_text(&format!("one:{key}")));
    });
    let fast = redis_host("two");
    let rig = by_prefix(&slow, &fast);
    let mut client = rig.client("redis");
    let keys = ["a1", "b1", "b2", "a2", "a3", "b3", "a4"];
    client.send(&keys.map(|key| redis(&["GET", key])).concat());
    for key in keys {
        let host = if key.starts_with('a') { "one" } else { "two" };
        assert_eq!(client.frame(), redis_text(&format!("{host}:{key}")));
    }
    assert_eq!((slow.count(), fast.count()), (4, 3));
}

#[test]
fn pushes_of_a_cluster_pass_while_another_one_is_asked() {
    let (one, two) = (redis_host("one"), redis_host("two"));
    let rig = by_prefix(&one, &two);
    let mut client = rig.client("redis");
    client.send(&[redis(&["GET", "b"]), redis(&["GET", "a"]), redis(&["GET", "b"]), redis(&["GET", "a"])].concat());
    for host in ["two:b", "one:a", "two:b", "one:a"] {
        assert_eq!(client.frame(), redis_text(host));
    }
    client.send(&redis(&["SUBSCRIBE", "c"]));
    (0..3).for_each(|_| assert!(contains(&client.frame(), "\r\nc\r\n")));
}

#[test]
fn a_lost_host_answers_all_that_waits_and_ends_the_client() {
    let host = Host::new("redis", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == 3 {
            peer.send(&redis_text("first"));
            peer.reset();
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    client.send(&["1", "2", "3"].map(|key| redis(&["WATCH", key])).concat());
    let mut answers = Vec::new();
    while let Some((_, bytes)) = client.next() {
        answers.push(bytes);
    }
    // The reset may overtake the first answer; errors never do.
    assert_eq!(answers.len(), 3);
    assert!(answers[1..].iter().all(|answer| answer.starts_with(b"-ERR")), "{answers:?}");
}

#[test]
fn a_cluster_that_closes_with_nothing_under_way_costs_no_answer_of_another_one() {
    let closes = Host::new("redis", |peer, _, _| {
        peer.send(&redis_text("two"));
        peer.close();
    });
    let slow = Host::new("redis", |peer, _, _| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        peer.send(&redis_text("one"));
    });
    let rig = by_prefix(&slow, &closes);
    let mut client = rig.client("redis");
    client.send(&[redis(&["WATCH", "b"]), redis(&["WATCH", "a"])].concat());
    assert_eq!([client.frame(), client.frame()], [redis_text("two"), redis_text("one")]);
    client.ended_cleanly();
}

#[test]
fn a_client_that_leaves_frees_what_it_had_asked_for() {
    let host = redis_host("one");
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    client.send(&[redis(&["PUBLISH", "a", "b"]), redis(&["PUBLISH", "a", "b"])].concat());
    host.until_got(2);
    crate::common::reset(&client.socket);
    drop(client);
    rig.quiet();
    assert_eq!(rig.cluster("c", "upstream_rq_cancelled"), 2);
}

#[test]
fn a_bound_on_requests_lets_a_pipeline_wait_and_keeps_its_order() {
    let host = redis_host("one");
    let thresholds = json!({ "max_connections": 9, "max_pending": 9, "max_requests": 2, "max_retries": 0 });
    let rig = Rig::new(with(simple("redis", &[&host]), json!({ "clusters": { "c": { "thresholds": thresholds } } })));
    let mut client = rig.client("redis");
    let keys: Vec<_> = (0..9).map(|number| redis(&["GET", &number.to_string()])).collect();
    client.send(&keys.concat());
    (0..9).for_each(|number| assert_eq!(client.frame(), redis_text(&format!("one:{number}"))));
}

/// A request of Kafka: its header in version 1.
fn kafka(api: u16, version: u16, id: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(api.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend([0, 1, b'c']);
    bytes.extend(body);
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

fn kafka_answer(id: u32, body: &[u8]) -> Vec<u8> {
    [&(4 + body.len() as u32).to_be_bytes()[..], &id.to_be_bytes(), body].concat()
}

/// A Produce in version 3 for no topic: no transactional id, acks, timeout, no topics.
fn produce(id: u32, acks: i16) -> Vec<u8> {
    let body = [&[0xff, 0xff][..], &acks.to_be_bytes(), &1000_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    kafka(0, 3, id, &body)
}

#[test]
fn kafka_pairs_by_its_ids_and_a_produce_without_acks_waits_for_nothing() {
    let host = Host::new("kafka", |peer, head, _| {
        let RequestId::Int(id) = head.request_id else { panic!("a request without an id") };
        match head.kind {
            Kind::Request if id == 1 => peer.send(&kafka_answer(1, &[0, 0, 0, 0, 0, 0])),
            Kind::Request => peer.send(&kafka_answer(id as u32, &[0; 8])),
            _ => {}
        }
    });
    let rig = Rig::simple("kafka", &[&host]);
    let mut client = rig.client("kafka");
    client.send(&kafka(18, 0, 1, &[]));
    assert_eq!(client.frame(), kafka_answer(1, &[0, 0, 0, 0, 0, 0]));
    client.send(&[produce(2, 0), produce(3, 1), produce(4, 0)].concat());
    assert_eq!(client.frame(), kafka_answer(3, &[0; 8]));
    host.until_got(4);
    assert_eq!(rig.listener("request_oneway"), 2);
}

#[test]
fn a_refusal_does_not_overtake_an_answer_of_kafka() {
    let host = Host::new("kafka", |peer, _, _| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        peer.send(&kafka_answer(1, &[0, 0, 0, 0, 0, 0]));
    });
    let asks = json!([{ "key": "api_name", "test": { "exact": { "text": "ApiVersions" } } }]);
    let routes = json!({ "routes": { "r": { "routes": [{ "match": asks, "to": { "cluster": "c" } }] } } });
    let rig = Rig::new(with(simple("kafka", &[&host]), routes));
    let mut client = rig.client("kafka");
    // FindCoordinator of the group g.
    client.send(&[kafka(18, 0, 1, &[]), kafka(10, 0, 2, b"\0\x01g")].concat());
    assert_eq!([client.frame(), client.frame()].map(|frame| frame[7]), [1, 2]);
}

#[test]
fn what_a_client_sent_before_it_left_still_arrives() {
    let host = Host::new("kafka", |_, _, _| ());
    let rig = Rig::simple("kafka", &[&host]);
    // Its connection is not even open when it has left.
    for round in 1..=20 {
        rig.client("kafka").send(&produce(1, 0)).finish().ended_cleanly();
        host.until_got(round);
    }
    until("all are closed", || host.open.load(Ordering::SeqCst) == 0);
}

/// A protocol whose servers greet: lines.
pub struct Greeting(Info);

impl Greeting {
    pub fn new() -> Self {
        Self(Info {
            name: "greeting".into(),
            aliases: [].as_slice().into(),
            summary: "lines".into(),
            pair_by: PairBy::Order,
            sharing: Sharing::Bound,
            first_speaker: FirstSpeaker::Server,
            heartbeats: false,
            min_header_len: 1,
            keys: [].as_slice().into(),
            open_keys: false,
        })
    }
}

impl Codec for Greeting {
    type State = bool;

    fn info(&self) -> &Info {
        &self.0
    }

    fn state(&self) -> bool {
        false
    }

    fn split(&self, greeted: &mut bool, way: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        let Some(end) = buf.iter().position(|byte| *byte == b'\n') else { return Ok(Split::Need(1)) };
        let kind = match way {
            Direction::ClientToServer => Kind::Request,
            Direction::ServerToClient if std::mem::replace(greeted, true) => Kind::Response,
            Direction::ServerToClient => Kind::Control,
        };
        let frame_len = end + 1;
        Ok(Split::Head(Head {
            kind,
            request_id: RequestId::None,
            stream_id: None,
            header_len: 0,
            frame_len,
            variant: 0,
        }))
    }

    fn field<'a>(&self, _: Frame<'a>, _: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(None)
    }

    fn fields<'a>(&self, _: Frame<'a>, _: &Limits, _: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, _: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        Ok(vec![frame.bytes.into()])
    }

    fn reply(&self, _: Frame<'_>, _: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Err(EncodeError::NoReply { why: "it has no errors".into() })
    }

    fn detect(&self, _: Direction, _: &[u8]) -> Detection {
        Detection::No
    }
}

#[test]
fn a_server_may_speak_first() {
    let host = Host::raw(|peer, _| {
        peer.send(b"hello\n");
        let mut chunk = [0; 100];
        while let Some(len) = read(&mut peer.socket, &mut chunk) {
            peer.send(&chunk[..len]);
        }
    });
    let greeting: Arc<dyn AnyCodec> = Arc::new(Greeting::new());
    let own = Arc::clone(&greeting);
    let rig = Rig::with(1, Box::new(move |_| Ok(Arc::clone(&own))), simple("greeting", &[&host]));
    let mut client = Client::new(rig.address(), Arc::clone(&greeting));
    assert_eq!(client.frame(), b"hello\n");
    client.send(b"one\ntwo\n");
    assert_eq!([client.frame(), client.frame()], [b"one\n", b"two\n"]);
    client.finish().ended_cleanly();
    // Without a host there is nothing to say.
    rig.update(json!({ "clusters": { "c": { "hosts": { "priorities": [] } } } }));
    let mut byte = [0];
    until("who connects then is told to go", || {
        let mut client = Client::new(rig.address(), Arc::clone(&greeting));
        client.socket.read(&mut byte).is_ok_and(|len| len == 0)
    });
}
