//! Long frames of clients that have connections of their own.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use metaprotocol_core::{Kind, RequestId};
use serde_json::json;

use super::long::{MIB, counting, text, write_until_blocked};
use crate::common::message::*;
use crate::common::{Host, PATIENCE, Peer, Rig, hosts_of, read, simple, until, with};

/// A command that sets a key to so many bytes, which differ at every place.
fn set(key: &str, len: usize) -> Vec<u8> {
    [format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n${len}\r\n").as_bytes(), &text(len), b"\r\n"].concat()
}

/// Those bytes as an answer.
fn value(len: usize) -> Vec<u8> {
    [format!("${len}\r\n").as_bytes(), &text(len), b"\r\n"].concat()
}

/// Redis whose values are as long as their key says in MiB, or 3 bytes; the rest of a long one waits for `go`.
fn store(go: Receiver<()>) -> Host {
    let go = Mutex::new(go);
    Host::new("redis", move |peer, _, bytes| {
        let words: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').skip(2).step_by(2).take(2).collect();
        match words.as_slice() {
            [b"GET\r", [digit @ b'1'..=b'9', ..]] => {
                let answer = value(usize::from(digit - b'0') * MIB);
                peer.send(&answer[..MIB / 2]);
                go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                peer.send(&answer[MIB / 2..]);
            }
            [b"GET\r", ..] => peer.send(&redis_text("abc")),
            [b"SET\r", ..] => peer.send(b"+OK\r\n"),
            other => panic!("{other:?}"),
        }
    })
}

/// As much as is written at a time while somebody reads.
fn write(client: &crate::common::Client, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let mut socket = client.socket.try_clone().unwrap();
    std::thread::spawn(move || socket.write_all(&bytes).unwrap())
}

#[test]
fn the_host_sees_the_beginning_before_the_client_has_sent_the_end() {
    let seen = Arc::new(AtomicUsize::new(0));
    let command = set("k", 2 * MIB);
    let whole = command.len();
    let host = counting(&seen, move |peer, all| {
        if all == whole {
            peer.send(b"+OK\r\n");
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    for part in command.chunks(500_000) {
        let before = seen.load(Ordering::SeqCst);
        client.socket.write_all(part).unwrap();
        until("the host sees it", || seen.load(Ordering::SeqCst) == before + part.len());
    }
    assert_eq!(client.frame(), b"+OK\r\n");
    rig.until_listener("request_decoding_success", 1);
}

#[test]
fn the_client_sees_the_beginning_before_the_host_has_sent_the_end() {
    let (go, wait) = channel();
    let host = store(wait);
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    // What is behind it in the pipeline comes behind it.
    client.socket.write_all(&[redis(&["GET", "2"]), redis(&["GET", "x"]), redis(&["GET", "1"])].concat()).unwrap();
    let mut all = client.exactly(MIB / 2);
    go.send(()).unwrap();
    all.extend(client.exactly(value(2 * MIB).len() - MIB / 2));
    assert!(all == value(2 * MIB));
    assert_eq!(client.frame(), redis_text("abc"));
    go.send(()).unwrap();
    assert!(client.frame() == value(MIB));
    assert_eq!(rig.listener("response_success"), 3);
}

#[test]
fn long_frames_of_every_length_pass_both_ways_and_keep_their_order() {
    let echo = Host::new("redis", |peer, _, bytes| peer.send(&value(bytes.len())));
    let rig = Rig::simple("redis", &[&echo]);
    let mut client = rig.client("redis");
    let lens = [10, 60_000, 65_400, 65_500, 65_536, 65_600, 130_000, 5, MIB, 3, 3 * MIB + 7, 1];
    let commands = lens.map(|len| set("k", len));
    let writer = write(&client, commands.concat());
    for command in commands {
        assert!(client.frame() == value(command.len()), "{} bytes", command.len());
    }
    writer.join().unwrap();
    assert_eq!(rig.listener("request_decoding_success"), lens.len() as u64);
}

#[test]
fn a_long_frame_waits_for_answers_of_another_cluster_and_is_not_read_meanwhile() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let slow = Host::new("redis", move |peer, _, _| {
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        peer.send(&redis_text("slow"));
    });
    let (_go, never) = channel();
    let other = store(never);
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&other]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "key", "test": { "prefix": { "text": "b" } } }], "to": { "cluster": "d" } },
            { "match": [{ "key": "key", "test": { "prefix": { "text": "x" } } }], "to": { "cluster": "nowhere" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("redis", &[&slow]), update));
    let mut client = rig.client("redis");
    let mut before = 0;
    for key in ["b", "x", "b"] {
        let commands = [redis(&["GET", "a"]), set(key, 20 * MIB)].concat();
        // What is refused is answered before its end is read.
        until("what came before is read", || rig.listener("downstream_cx_rx_bytes_total") == before);
        let at = write_until_blocked(&mut client.socket, &commands);
        // How much lies in the system's buffers is not the proxy's doing; with luck it is all.
        std::thread::sleep(Duration::from_millis(20));
        let read = rig.listener("downstream_cx_rx_bytes_total") - before;
        assert!(read <= 2 << 16, "{read} bytes are held");
        go.send(()).unwrap();
        let writer = write(&client, commands[at..].to_vec());
        assert_eq!(client.frame(), redis_text("slow"));
        let answer = client.frame();
        if key == "x" {
            assert!(contains(&answer, "cluster is not known"));
        } else {
            assert_eq!(answer, b"+OK\r\n");
        }
        writer.join().unwrap();
        before += commands.len() as u64;
    }
    // The decoder of each connection knows what was asked by it.
    client.send(&redis(&["GET", "b"]));
    assert_eq!(client.frame(), redis_text("abc"));
}

#[test]
fn nothing_comes_between_the_parts_of_a_long_answer() {
    let (go, wait) = channel();
    let long = store(wait);
    let (push, pushes) = channel::<Vec<u8>>();
    let pushes = Mutex::new(pushes);
    let message = |len: usize| [b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n".as_slice(), &value(len)].concat();
    let pushing = Host::new("redis", move |peer, _, _| {
        peer.send(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
        while let Ok(message) = pushes.lock().unwrap().recv_timeout(PATIENCE) {
            peer.send(&message);
        }
    });
    let update = json!({
        "clusters": { "d": { "hosts": hosts_of(&[&long]) } },
        "routes": { "r": { "routes": [
            { "match": [{ "key": "command", "test": { "exact": { "text": "GET" } } }], "to": { "cluster": "d" } },
            { "to": { "cluster": "c" } },
        ] } },
    });
    let rig = Rig::new(with(simple("redis", &[&pushing]), update));
    let mut client = rig.client("redis");
    client.send(&redis(&["SUBSCRIBE", "c"]));
    assert!(contains(&client.frame(), "subscribe"));
    client.socket.write_all(&redis(&["GET", "1"])).unwrap();
    let mut all = client.exactly(MIB / 2);
    let before = rig.cluster("c", "upstream_cx_rx_bytes_total");
    let sent = [message(5), message(MIB), message(6)].concat();
    push.send(sent.clone()).unwrap();
    // The long message waits, however much of it came with the first read, and with it what comes behind it.
    let first = message(5).len() as u64;
    until("messages have come", || rig.cluster("c", "upstream_cx_rx_bytes_total") > before + first);
    std::thread::sleep(Duration::from_millis(20));
    let read = rig.cluster("c", "upstream_cx_rx_bytes_total") - before;
    assert!(read < sent.len() as u64, "{read} of {} are held", sent.len());
    go.send(()).unwrap();
    all.extend(client.exactly(value(MIB).len() - MIB / 2));
    assert!(all == value(MIB));
    assert!(client.exactly(sent.len()) == sent);
    drop(push);
}

#[test]
fn a_slow_client_makes_its_host_wait_within_bounds() {
    let sent = Arc::new(AtomicUsize::new(0));
    let host = Host::raw({
        let sent = Arc::clone(&sent);
        move |peer, _| {
            let mut chunk = vec![0; 4096];
            let _ = read(&mut peer.socket, &mut chunk);
            for part in value(20 * MIB).chunks(16 << 10) {
                peer.send(part);
                sent.fetch_add(part.len(), Ordering::SeqCst);
            }
            let _ = read(&mut peer.socket, &mut chunk);
        }
    });
    let rig = Rig::new(with(simple("redis", &[&host]), json!({ "listeners": { "l": { "buffer_limit": 100_000 } } })));
    let mut client = rig.client("redis");
    client.socket.write_all(&redis(&["GET", "x"])).unwrap();
    until("the host is made to wait", || rig.cluster("c", "upstream_flow_control_paused_reading") > 0);
    let (read, written) =
        (rig.cluster("c", "upstream_cx_rx_bytes_total"), rig.listener("downstream_cx_tx_bytes_total"));
    assert!(read - written <= 100_000 + (2 << 16), "{} bytes are held", read - written);
    assert!(sent.load(Ordering::SeqCst) < 20 * MIB, "the host is not made to wait");
    assert!(client.exactly(value(20 * MIB).len()) == value(20 * MIB));
}

#[test]
fn a_slow_host_makes_its_client_wait_within_bounds() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let command = set("k", 20 * MIB);
    let whole = command.len();
    let host = Host::raw(move |peer, _| {
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        let mut all = vec![0; whole];
        peer.socket.read_exact(&mut all).unwrap();
        assert!(all == set("k", 20 * MIB));
        peer.send(b"+OK\r\n");
        let _ = read(&mut peer.socket, &mut all);
    });
    let rig = Rig::new(with(simple("redis", &[&host]), json!({ "listeners": { "l": { "buffer_limit": 100_000 } } })));
    let mut client = rig.client("redis");
    let at = write_until_blocked(&mut client.socket, &command);
    assert!(at < whole, "the client is not made to wait");
    let (read, written) =
        (rig.listener("downstream_cx_rx_bytes_total"), rig.cluster("c", "upstream_cx_tx_bytes_total"));
    assert!(read - written <= 100_000 + (3 << 16), "{} bytes are held", read - written);
    assert!(rig.listener("downstream_flow_control_paused_reading") > 0);
    go.send(()).unwrap();
    client.socket.write_all(&command[at..]).unwrap();
    assert_eq!(client.frame(), b"+OK\r\n");
}

#[test]
fn a_client_that_goes_midway_has_asked_what_it_had_asked() {
    for graceful in [true, false] {
        let seen = Arc::new(AtomicUsize::new(0));
        let before = redis(&["WATCH", "n"]);
        let len = before.len();
        let host = counting(&seen, move |peer, all| {
            if all > len && peer.kept.is_empty() {
                peer.kept.push(Vec::new());
                peer.send(b":1\r\n");
            }
        });
        let rig = Rig::simple("redis", &[&host]);
        let mut client = rig.client("redis");
        client.socket.write_all(&[before, set("k", 2 * MIB)[..MIB].to_vec()].concat()).unwrap();
        assert_eq!(client.frame(), b":1\r\n");
        until("the host has the beginning", || seen.load(Ordering::SeqCst) == len + MIB);
        if graceful {
            // The host sees the end and closes.
            client.finish();
            assert!(contains(&client.frame(), "remote connection failure"));
            client.ended();
            assert_eq!(rig.listener("request_decoding_error"), 1);
        } else {
            crate::common::reset(&client.socket);
            drop(client);
        }
        until("its connection is closed", || host.open.load(Ordering::SeqCst) == 0);
    }
}

#[test]
fn a_host_that_goes_midway_ends_its_client() {
    let seen = Arc::new(AtomicUsize::new(0));
    let host = counting(&seen, |peer, all| {
        if all > MIB / 2 {
            peer.reset();
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    client.socket.write_all(&set("k", 2 * MIB)[..MIB]).unwrap();
    assert!(contains(&client.frame(), "remote connection failure"));
    client.ended();
}

#[test]
fn a_host_that_goes_within_a_long_answer_ends_its_client_and_frees_what_waits() {
    for act in [Peer::reset as fn(&mut Peer), Peer::close] {
        let host = Host::new("redis", move |peer, _, _| {
            if peer.kept.is_empty() {
                peer.kept.push(Vec::new());
                peer.send(&value(MIB)[..MIB / 2]);
                std::thread::sleep(Duration::from_millis(20));
                act(peer);
            }
        });
        let rig = Rig::simple("redis", &[&host]);
        let mut client = rig.client("redis");
        client.socket.write_all(&["1", "2", "3"].map(|key| redis(&["GET", key])).concat()).unwrap();
        let mut rest = Vec::new();
        let _ = client.socket.read_to_end(&mut rest);
        assert!(value(MIB)[..MIB / 2].starts_with(&rest));
    }
}

#[test]
fn what_a_client_leaves_behind_within_a_long_answer_is_closed() {
    let host = Host::raw(|peer, _| {
        let mut chunk = [0; 100];
        let _ = read(&mut peer.socket, &mut chunk);
        let answer = value(20 * MIB);
        for part in answer.chunks(16 << 10) {
            peer.send(part);
        }
    });
    let rig = Rig::simple("redis", &[&host]);
    let mut client = rig.client("redis");
    client.socket.write_all(&redis(&["GET", "x"])).unwrap();
    client.exactly(MIB);
    drop(client);
    until("its connection is closed", || host.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_long_request_that_is_late_ends_its_client() {
    let host = Host::new("redis", |_, _, _| ());
    let routes = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 30 }] } } });
    let rig = Rig::new(with(simple("redis", &[&host]), routes));
    let mut client = rig.client("redis");
    client.socket.write_all(&set("k", MIB)[..MIB / 2]).unwrap();
    assert!(contains(&client.frame(), "no answer in time"));
    client.ended();
    until("its connection is closed", || host.open.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_request_that_is_late_behind_a_long_answer_ends_its_client() {
    let (go, never) = channel();
    let host = store(never);
    let routes = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "timeout": 100 }] } } });
    let rig = Rig::new(with(simple("redis", &[&host]), routes));
    let mut client = rig.client("redis");
    client.socket.write_all(&[redis(&["GET", "1"]), redis(&["GET", "x"])].concat()).unwrap();
    let mut all = Vec::new();
    let _ = client.socket.read_to_end(&mut all);
    assert!(all == value(MIB)[..MIB / 2], "nothing comes behind the beginning");
    rig.until_listener("downstream_cx_active", 0);
    go.send(()).unwrap();
}

/// A Produce of Kafka in version 3 for no topic, which says that it is so long.
fn produce(id: u32, acks: i16, len: usize) -> Vec<u8> {
    let mut bytes = [&[0, 0, 0, 3][..], &id.to_be_bytes(), &[0, 1, b'c', 0xff, 0xff]].concat();
    bytes.extend(acks.to_be_bytes());
    bytes.extend(1000_u32.to_be_bytes());
    bytes.extend(text(len));
    [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat()
}

#[test]
fn kafka_passes_long_messages_on_and_changes_those_that_a_route_changes() {
    for (set, name) in [(json!([]), "c"), (json!([["client_id", "changed"]]), "changed")] {
        let host = Host::new("kafka", |peer, head, _| {
            let RequestId::Int(id) = head.request_id else { panic!("a request without an id") };
            if head.kind == Kind::Request {
                let id = (id as u32).to_be_bytes();
                peer.send(&[&(4 + MIB as u32).to_be_bytes()[..], &id, &text(MIB)].concat());
            }
        });
        let routes = json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "request_set": set }] } } });
        let rig = Rig::new(with(simple("kafka", &[&host]), routes));
        let mut client = rig.client("kafka");
        for (id, acks) in [(1, 1), (2, 0), (3, 1)] {
            let writer = write(&client, produce(id, acks, 2 * MIB));
            if acks == 1 {
                let all = client.exactly(8 + MIB);
                assert!(all[4..8] == id.to_be_bytes() && all[8..] == text(MIB));
            }
            writer.join().unwrap();
        }
        host.until_got(3);
        assert_eq!(rig.listener("request_oneway"), 1);
        for (id, frame) in (1_u32..).zip(host.frames()) {
            assert!(frame[8..12] == id.to_be_bytes() && frame.ends_with(&text(2 * MIB)));
            assert!(contains(&frame[12..40], name));
        }
    }
}

#[test]
fn streams_of_trpc_open_and_go_on_by_long_frames() {
    let host = Host::new("trpc", |peer, head, bytes| match head.kind {
        Kind::StreamOpen => peer.send(&trpc_opened(1)),
        Kind::StreamData => peer.send(bytes),
        _ => {}
    });
    let rig = Rig::simple("trpc", &[&host]);
    let mut client = rig.client("trpc");
    let long = "x".repeat(3 * MIB);
    client.send(&trpc_open(1, "/a.B/Chat"));
    assert_eq!(client.frame(), trpc_opened(1));
    let data = trpc_data(1, &long);
    let writer = write(&client, [data.clone(), trpc_data(1, "short"), trpc_data(7, &long), data.clone()].concat());
    assert!(client.frame() == data);
    assert_eq!(client.frame(), trpc_data(1, "short"));
    // What is of no stream is dropped.
    assert!(client.frame() == data);
    writer.join().unwrap();
    let _ = client.socket.shutdown(Shutdown::Write);
    client.ended_cleanly();
}
