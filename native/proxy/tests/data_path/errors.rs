//! What clients are told when there is no answer.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metaprotocol_core::{AnyCodec, Direction, ErrorType, Kind, Limits, PairBy, Reply, Sharing};
use metaprotocol_testkit::{CLIENT, OwnedFrame, decode, vectors};
use serde_json::{Value, json};

use crate::common::message::*;
use crate::common::{Client, Host, Peer, Rig, hosts, hosts_of, simple, until, with};

/// The first request of a codec's vectors.
fn request(codec: &Arc<dyn AnyCodec>) -> OwnedFrame {
    let name = codec.info().name.as_ref();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name).join("vectors");
    let samples = vectors(folder).into_iter().map(|vector| vector.sample).filter(|sample| sample.direction == CLIENT);
    let mut frames = samples.flat_map(|sample| decode(codec, CLIENT, &sample.stream).frames);
    frames.find(|frame| frame.offset == 0 && frame.head.kind == Kind::Request).expect("a request")
}

fn shares(codec: &dyn AnyCodec) -> bool {
    codec.info().sharing != Sharing::Bound && codec.info().pair_by == PairBy::Id
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An address where connections are never accepted, as long as what comes with it lives.
pub fn blackhole() -> (SocketAddr, (socket2::Socket, Vec<TcpStream>)) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(one) = TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        waiting.push(one);
        assert!(waiting.len() < 100, "the system accepts all");
    }
    (address, (socket, waiting))
}

/// A client is told this, by this error of its codec; where the codec cannot say it, the connection ends.
fn told(codec: &Arc<dyn AnyCodec>, update: Value, error: ErrorType, text: &str, kept: bool) {
    let name = codec.info().name.to_string();
    let asked = request(codec);
    let what = format!("{name}: {text}");
    let rig = Rig::new(update);
    let mut client = Client::new(rig.address(), Arc::clone(codec));
    match codec.reply(asked.frame(), Reply::Error(error, text)) {
        Ok(Some(reply)) => {
            for _ in 0..if kept { 2 } else { 1 } {
                client.send(&asked.bytes);
                assert_eq!(client.next().expect(&what).1, reply, "{what}");
            }
            if !kept {
                client.ended();
            }
            assert_eq!(rig.listener("local_response_business_exception"), if kept { 2 } else { 1 }, "{what}");
        }
        Ok(None) => panic!("{name} answers no request"),
        Err(_) => {
            client.send(&asked.bytes).ended_cleanly();
            assert_eq!(rig.listener("local_response_error"), 1, "{what}");
        }
    }
}

/// Whether a client goes on behind such an error: it has no connection for itself.
fn goes_on(codec: &Arc<dyn AnyCodec>) -> bool {
    shares(codec.as_ref()) || codec.info().pair_by == PairBy::Order && !codec.binds(request(codec).frame())
}

fn each(check: impl Fn(&Arc<dyn AnyCodec>, &str)) {
    for codec in metaprotocol_registry::codecs() {
        check(codec, &codec.info().name);
    }
}

#[test]
fn errors_of_routing_are_told_by_every_codec() {
    // BUG-1
    each(|codec, name| {
        let none = "meta protocol router: no route matches";
        let base = simple(name, &[]);
        let without_routes = json!({ "listeners": base["listeners"], "clusters": base["clusters"] });
        told(codec, without_routes.clone(), ErrorType::RouteNotFound, none, true);
        let never = json!({ "routes": { "r": { "routes": [
            { "match": [{ "key": "nothing", "test": { "present": true } }], "to": { "cluster": "c" } },
        ] } } });
        told(codec, with(base.clone(), never), ErrorType::RouteNotFound, none, true);
        let unknown = "meta protocol router: the route's cluster is not known";
        let other = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "x" } }] } } });
        told(codec, with(base.clone(), other), ErrorType::ClusterNotFound, unknown, true);
        let nobody = "meta protocol router: no healthy upstream";
        told(codec, base.clone(), ErrorType::NoHealthyUpstream, nobody, true);
        let maintained = "meta protocol router: the cluster is in maintenance mode";
        let closed = json!({ "clusters": { "c": { "maintenance": true } } });
        told(codec, with(base, closed), ErrorType::NoHealthyUpstream, maintained, true);
    });
}

#[test]
fn errors_of_connecting_are_told_by_every_codec() {
    let refused = nobody();
    let (silent, _kept) = blackhole();
    each(|codec, name| {
        let to = |address| {
            with(
                simple(name, &[]),
                json!({ "clusters": { "c": {
            "hosts": hosts(&[address]), "connect_timeout": 30, "panic_threshold": 0.0,
        } } }),
            )
        };
        let error = ErrorType::UpstreamReset;
        let text = "meta protocol upstream request: the host could not be reached";
        told(codec, to(refused), error, text, goes_on(codec));
        let text = "meta protocol upstream request: the host could not be reached in time";
        told(codec, to(silent), error, text, goes_on(codec));
    });
}

#[test]
fn errors_of_bounds_are_told_by_every_codec() {
    let (silent, _kept) = blackhole();
    each(|codec, name| {
        let bounded = |thresholds: Value| {
            let mut all = json!({ "max_connections": 9, "max_pending": 9, "max_requests": 9, "max_retries": 0 });
            all.as_object_mut().unwrap().extend(thresholds.as_object().unwrap().clone());
            let cluster = json!({ "c": { "hosts": hosts(&[silent]), "thresholds": all } });
            with(simple(name, &[]), json!({ "clusters": cluster }))
        };
        let error = ErrorType::OverLimit;
        let many = "meta protocol upstream request: too many requests";
        told(codec, bounded(json!({ "max_requests": 0 })), error, many, true);
        told(codec, bounded(json!({ "max_pending": 0 })), error, many, true);
        let connections = "meta protocol upstream request: too many connections";
        told(codec, bounded(json!({ "max_connections": 0 })), error, connections, true);
    });
}

#[test]
fn errors_of_hosts_are_told_by_every_codec() {
    each(|codec, name| {
        let host_that = |act: fn(&mut Peer)| Host::new(name, move |peer, _, _| act(peer));
        let shared = goes_on(codec);
        let lost = "meta protocol upstream request: remote connection failure";
        for act in [Peer::reset as fn(&mut Peer), Peer::close] {
            let host = host_that(act);
            told(codec, simple(name, &[&host]), ErrorType::UpstreamReset, lost, shared);
        }
        let silent = host_that(|_| ());
        let timeout = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 20 }] } } });
        let late = "meta protocol upstream request: no answer in time";
        told(codec, with(simple(name, &[&silent]), timeout), ErrorType::Timeout, late, shared);
        let garbage = [0xff; 64];
        if codec.split(Direction::ServerToClient, &Limits::default(), &garbage).is_err() {
            let host = host_that(|peer| peer.send(&[0xff; 64]));
            let text = "meta protocol upstream request: the answer is not of the protocol";
            told(codec, simple(name, &[&host]), ErrorType::BadResponse, text, shared);
        }
    });
}

#[test]
fn the_error_that_a_protocol_cannot_say_ends_the_connection_behind_what_was_under_way() {
    // A request of ZORK for a market, and its answer.
    let message =
        |market: u8, text: &str| [&[0x7b, 18, 0, market, 0, text.len() as u8, 0][..], text.as_bytes(), b"}"].concat();
    let host = Host::new("zork", {
        let answer = message(1, "answer");
        move |peer, _, _| {
            peer.kept.push(Vec::new());
            // The second request has been read by the proxy when the third part of the first is here.
            if peer.kept.len() == 2 {
                peer.send(&[&answer[..], &answer].concat());
            }
        }
    });
    let routes = json!({ "routes": { "r": { "routes": [
        { "match": [{ "key": "market", "test": { "exact": { "text": "1" } } }], "to": { "cluster": "c" } },
    ] } } });
    let rig = Rig::new(with(simple("zork", &[&host]), routes));
    let mut client = rig.client("zork");
    client.send(&[message(1, "a"), message(1, "b"), message(3, "nowhere"), message(1, "never")].concat());
    assert_eq!([client.frame(), client.frame()], [message(1, "answer"), message(1, "answer")]);
    client.ended_cleanly();
    assert_eq!((host.count(), rig.listener("route_not_found")), (2, 1));
}

#[test]
fn an_error_does_not_overtake_the_answers_before_it() {
    let host = Host::new("redis", |peer, _, _| {
        peer.kept.push(Vec::new());
        if peer.kept.len() == 2 {
            peer.send(&[redis_text("one"), redis_text("two")].concat());
        } else if peer.kept.len() > 2 {
            peer.send(&redis_text("three"));
        }
    });
    let routes = json!({ "routes": { "r": { "routes": [
        { "match": [{ "key": "key", "test": { "prefix": { "text": "a" } } }], "to": { "cluster": "c" } },
    ] } } });
    let rig = Rig::new(with(simple("redis", &[&host]), routes));
    let mut client = rig.client("redis");
    let pipeline = [["GET", "a1"], ["GET", "a2"], ["GET", "b"], ["GET", "a3"]].map(|words| redis(&words));
    client.send(&pipeline.concat());
    let answers = [client.frame(), client.frame(), client.frame(), client.frame()];
    assert_eq!(answers[..2], [redis_text("one"), redis_text("two")]);
    assert!(answers[2].starts_with(b"-ERR"), "{answers:?}");
    assert_eq!(answers[3], redis_text("three"));
}

#[test]
fn what_goes_beyond_a_bound_is_told_and_the_rest_is_answered() {
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == 3 {
            for call in std::mem::take(&mut peer.kept) {
                peer.send(&thrift_answer(thrift_id(&call), thrift_text(&call)));
            }
        }
    });
    let thresholds = json!({ "max_connections": 9, "max_pending": 9, "max_requests": 3, "max_retries": 0 });
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "clusters": { "c": { "thresholds": thresholds } } })));
    let mut client = rig.client("thrift");
    for id in 1..=5 {
        client.send(&thrift_call(id, format!("text {id}").as_bytes()));
    }
    let mut answers: Vec<_> = (0..5).map(|_| client.frame()).map(|frame| (thrift_id(&frame), frame)).collect();
    answers.sort();
    for (id, frame) in answers {
        let own = format!("text {id}");
        let expected = if id > 3 { "meta protocol upstream request: too many requests" } else { &own };
        assert_eq!(String::from_utf8_lossy(thrift_text(&frame)), expected);
    }
    // The bound counts what is under way, so there is room again.
    for id in 6..=8 {
        client.send(&thrift_call(id, b"again"));
    }
    (0..3).for_each(|_| assert_eq!(thrift_text(&client.frame()), b"again"));
    assert_eq!(rig.listener("over_limit"), 2);
}

#[test]
fn garbage_from_a_client_ends_its_connection_behind_what_it_had_asked() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let mut client = rig.client("thrift");
    client.send(&[&thrift_call(1, b"good")[..], b"GET / HTTP/1.1\r\n\r\n"].concat());
    assert_eq!(thrift_text(&client.frame()), b"good");
    client.ended();
    assert_eq!((rig.listener("request_decoding_error"), rig.listener("bad_request")), (1, 1));
}

#[test]
fn a_length_beyond_the_limit_ends_the_connection_at_once() {
    for (name, frame) in [
        ("thrift", [&[0x7f, 0xff, 0xff, 0xff][..], &thrift_call(1, b"x")[4..]].concat()),
        ("dubbo", dubbo(DUBBO_REQUEST, 0, 1, &[]).iter().copied().take(12).chain([0x7f; 4]).collect()),
        ("trpc", [&[0x09, 0x30, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 2, 0, 0, 0, 0, 1, 0][..], &[0x18, 1]].concat()),
    ] {
        let host = Host::new(name, |_, _, _| ());
        let rig = Rig::simple(name, &[&host]);
        let mut client = rig.client(name);
        client.send(&frame).ended();
        assert_eq!((rig.listener("request_decoding_error"), host.count()), (1, 0), "{name}");
    }
    let host = Host::new("thrift", |peer, _, _| peer.send(&[0x7f, 0xff, 0xff, 0xff, 0x80, 1, 0, 2]));
    let rig = Rig::simple("thrift", &[&host]);
    let answer = rig.client("thrift").call(1, "x");
    assert!(answer.contains("not of the protocol"), "{answer}");
    until("it is counted", || rig.cluster("c", "upstream_cx_protocol_error") == 1);
    // What the listener allows is what counts.
    let host = Host::thrift("");
    let rig = Rig::new(with(simple("thrift", &[&host]), json!({ "listeners": { "l": { "max_frame_len": 100 } } })));
    assert_eq!(rig.client("thrift").call(1, "short"), "short");
    rig.client("thrift").send(&thrift_call(2, &[b'x'; 100])).ended();
}

#[test]
fn clients_of_a_lost_host_get_one_error_each() {
    // BUG-7
    let host = Host::new("thrift", |peer, _, bytes| {
        peer.kept.push(bytes.to_vec());
        if peer.kept.len() == 40 {
            peer.reset();
        }
    });
    let rig = Rig::simple("thrift", &[&host]);
    let mut clients: Vec<Client> = (0..20).map(|_| rig.client("thrift")).collect();
    for client in &mut clients {
        client.send(&[thrift_call(1, b"a"), thrift_call(2, b"b")].concat());
    }
    for client in &mut clients {
        let mut ids = [client.frame(), client.frame()].map(|frame| {
            assert!(contains(&frame, "remote connection failure"));
            thrift_id(&frame)
        });
        ids.sort_unstable();
        assert_eq!(ids, [1, 2]);
        client.finish().ended_cleanly();
    }
    assert_eq!(
        (rig.listener("upstream_reset"), rig.cluster("c", "upstream_cx_destroy_remote_with_active_rq")),
        (40, 1)
    );
}

#[test]
fn a_message_that_cannot_take_what_the_route_sets_goes_on_as_it_is() {
    let host = Host::thrift("");
    let routes = json!({ "routes": { "r": { "routes": [{
        "to": { "cluster": "c" }, "request_set": [["zone", "a"]], "response_set": [["zone", "a"]],
    }] } } });
    let rig = Rig::new(with(simple("thrift", &[&host]), routes));
    assert_eq!(rig.client("thrift").call(7, "as it is"), "as it is");
    assert_eq!((rig.listener("request_mutation_error"), rig.listener("response_mutation_error")), (1, 1));
    let got = host.frames();
    assert_eq!(got.len(), 1);
    assert_eq!(thrift_text(&got[0]), b"as it is");
}

#[test]
fn routes_that_come_later_are_found() {
    let host = Host::thrift("");
    let rig = Rig::new(json!({
        "listeners": simple("thrift", &[])["listeners"], "clusters": { "c": { "hosts": hosts_of(&[&host]) } },
    }));
    let mut client = rig.client("thrift");
    assert!(client.call(1, "x").contains("no route"));
    rig.update(json!({ "routes": simple("thrift", &[])["routes"] }));
    until("the route is there", || client.call(2, "x") == "x");
}
