//! Several protocols on one port, and what is none of them.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::message::*;
use crate::common::{Client, Host, Rig, codec, hosts_of, listener, read, until, with};

struct Port {
    rig: Rig,
    _hosts: Vec<Host>,
}

/// A port of three codecs; anything else goes to a host that echoes behind `plain `, if it may.
fn port(changes: serde_json::Value) -> Port {
    let thrift = Host::thrift("thrift ");
    let dubbo = Host::new("dubbo", |peer, _, bytes| peer.send(&dubbo_answer(dubbo_id(bytes), &dubbo_text(bytes))));
    let redis = Host::new("redis", |peer, _, _| peer.send(&redis_text("redis")));
    let plain = Host::raw(|peer, _| {
        let mut chunk = vec![0; 4096];
        let mut all = b"plain ".to_vec();
        while let Some(len) = read(&mut peer.socket, &mut chunk) {
            all.extend(&chunk[..len]);
        }
        // Only when the client has said its last.
        peer.send(&all);
    });
    let key = |key: &str| json!([{ "key": key, "test": { "present": true } }]);
    let rig = Rig::new(json!({
        "listeners": { "l": with(listener(&["thrift", "dubbo", "redis"]), changes) },
        "routes": { "r": { "routes": [
            { "match": key("interface"), "to": { "cluster": "dubbo" } },
            { "match": key("command"), "to": { "cluster": "redis" } },
            { "to": { "cluster": "thrift" } },
        ] } },
        "clusters": {
            "thrift": { "hosts": hosts_of(&[&thrift]) }, "dubbo": { "hosts": hosts_of(&[&dubbo]) },
            "redis": { "hosts": hosts_of(&[&redis]) }, "plain": { "hosts": hosts_of(&[&plain]) },
        },
    }));
    Port { rig, _hosts: vec![thrift, dubbo, redis, plain] }
}

#[test]
fn each_codec_is_found_also_byte_by_byte() {
    let Port { rig, _hosts } = &port(json!({}));
    let asked = [
        ("thrift", thrift_call(1, b"x"), thrift_answer(1, b"thrift x")),
        ("dubbo", dubbo_call(DUBBO_REQUEST, 1, "x"), dubbo_answer(1, "x")),
        ("redis", redis(&["GET", "x"]), redis_text("redis")),
    ];
    for (name, call, answer) in &asked {
        let mut whole = rig.client(name);
        assert_eq!(whole.send(call).frame(), *answer);
        let mut slow = rig.client(name);
        call.iter().for_each(|byte| slow.socket.write_all(&[*byte]).unwrap());
        assert_eq!(slow.frame(), *answer);
    }
    assert_eq!((rig.listener("detected"), rig.listener("detect_failed")), (6, 0));
}

#[test]
fn what_no_codec_wants_is_closed() {
    let Port { rig, _hosts } = &port(json!({ "detect_timeout": 50 }));
    let mut client = rig.client("thrift");
    client.send(b"GET / HTTP/1.1\r\n").ended_cleanly();
    // Who says nothing, or too little, is closed in time.
    let began = Instant::now();
    rig.client("thrift").ended_cleanly();
    rig.client("dubbo").send(&[0xda]).ended_cleanly();
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!((rig.listener("detected"), rig.listener("detect_failed")), (0, 3));
}

#[test]
fn what_no_codec_wants_passes_as_it_is_and_each_way_may_end_first() {
    let Port { rig, _hosts } = &port(json!({ "unknown_to": "plain" }));
    let mut client = rig.client("thrift");
    client.socket.write_all(b"GET ").unwrap();
    client.socket.write_all(b"/ HTTP/1.1\r\n").unwrap();
    client.finish();
    let mut all = Vec::new();
    client.socket.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"plain GET / HTTP/1.1\r\n");
    // So little that no codec could tell, and then the end.
    let mut client = rig.client("thrift");
    client.socket.write_all(&[0xda]).unwrap();
    client.finish();
    all.clear();
    client.socket.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"plain \xda");
    assert_eq!(rig.listener("detect_failed"), 2);
}

#[test]
fn plain_tcp_passes_where_no_codec_is_spoken_and_where_one_is() {
    for codecs in [&[][..], &["dubbo"]] {
        let host = Host::raw(|peer, _| {
            peer.send(b"hello ");
            // The host says its last at once, and listens on.
            let _ = peer.socket.shutdown(std::net::Shutdown::Write);
            let mut chunk = vec![0; 4096];
            while let Some(len) = read(&mut peer.socket, &mut chunk) {
                peer.kept.push(chunk[..len].to_vec());
            }
        });
        let rig = Rig::new(json!({
            "listeners": { "l": with(listener(codecs), json!({ "unknown_to": "c", "detect_timeout": 20 })) },
            "clusters": { "c": { "hosts": hosts_of(&[&host]) } },
        }));
        let mut client = Client::new(rig.address(), codec("dubbo"));
        let mut all = Vec::new();
        client.socket.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"hello ");
        // The other way is still open.
        for _ in 0..10 {
            client.socket.write_all(&[b'x'; 1000]).unwrap();
        }
        rig.until_cluster("c", "upstream_cx_tx_bytes_total", 10_000);
        assert_eq!(rig.listener("downstream_cx_active"), 1);
        client.finish();
        rig.until_listener("downstream_cx_active", 0);
    }
}

#[test]
fn megabytes_of_plain_tcp_come_whole_however_slowly_they_are_read() {
    let host = Host::raw(|peer, _| {
        let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| (at / 7) as u8).collect();
        peer.send(&bytes);
    });
    let rig = Rig::new(json!({
        "listeners": { "l": with(listener(&[]), json!({ "unknown_to": "c", "buffer_limit": 50_000 })) },
        "clusters": { "c": { "hosts": hosts_of(&[&host]) } },
    }));
    let mut client = Client::new(rig.address(), codec("dubbo"));
    until("the host is made to wait", || rig.cluster("c", "upstream_flow_control_paused_reading") > 0);
    let mut all = Vec::new();
    client.socket.read_to_end(&mut all).unwrap();
    assert!(all.len() == 20_000_000 && all.iter().enumerate().all(|(at, byte)| *byte == (at as u32 / 7) as u8));
}

#[test]
fn tls_on_the_port_of_a_codec_that_clients_share_ends_the_connection() {
    let host = Host::thrift("");
    let rig = Rig::simple("thrift", &[&host]);
    let hello = [&[0x16, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3][..], &[7; 54]].concat();
    rig.client("thrift").send(&hello).ended();
    assert_eq!(rig.listener("request_decoding_error"), 1);
}
