//! Routes the same frames again and again, for `bench/instructions.py`, which counts instructions under callgrind.
//!
//! `routes WAY ROUTES ROUNDS`: each round routes 64 frames, whose routes are spread over the table, and what it prints is how
//! many found theirs. The ways: `method` compares the method of Thrift calls with one text a route, `prefix` its beginning;
//! `both` compares the interface and the method of Dubbo calls; `read-method` and `read-both` have no routes, and read
//! those fields only.

#![allow(clippy::expect_used, reason = "a tool for the bench")]

use std::hint::black_box;

use metaprotocol_core::{Direction, Frame, Key, Limits, Split};
use metaprotocol_proxy::config::RouteTable;
use metaprotocol_proxy::route::{Message, Scratch, Table};
use serde_json::{Value, json};

const FRAMES: usize = 64;

fn method(number: usize) -> String {
    format!("sayHello{number:05}")
}

fn interface(number: usize) -> String {
    format!("org.apache.dubbo.samples.Service{number:05}")
}

/// A call that takes the route of this number.
fn frame(way: &str, number: usize) -> Vec<u8> {
    let method = method(number);
    if way.ends_with("both") {
        let interface = interface(number);
        let mut body = Vec::new();
        for text in ["2.0.2", &interface, "1.0.0", &method, ""] {
            string(&mut body, text);
        }
        body.push(b'H');
        for text in ["path", &interface, "interface", &interface, "version", "1.0.0", "timeout", "1000"] {
            string(&mut body, text);
        }
        body.push(b'Z');
        let header = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07";
        return [&header[..], &(body.len() as u32).to_be_bytes(), &body].concat();
    }
    let mut message = b"\x80\x01\0\x01".to_vec();
    message.extend_from_slice(&(method.len() as u32).to_be_bytes());
    message.extend_from_slice(method.as_bytes());
    message.extend_from_slice(b"\0\0\0\x07\0");
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

/// A string of ASCII in Hessian 2.
fn string(body: &mut Vec<u8>, text: &str) {
    match text.len() {
        len @ ..32 => body.push(len as u8),
        len => body.extend([0x30 + (len >> 8) as u8, len as u8]),
    }
    body.extend_from_slice(text.as_bytes());
}

fn route(way: &str, number: usize) -> Value {
    let exact = |key: &str, text: String| json!({"key": key, "test": {"exact": {"text": text}}});
    let matchers = match way {
        "method" => json!([exact("method", method(number))]),
        "prefix" => json!([{"key": "method", "test": {"prefix": {"text": method(number)}}}]),
        _ => json!([exact("interface", interface(number)), exact("method", method(number))]),
    };
    json!({"match": matchers, "to": {"cluster": format!("cluster{number}")}})
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, routes, rounds] = arguments.as_slice() else {
        eprintln!("usage: routes method|prefix|both|read-method|read-both ROUTES ROUNDS");
        std::process::exit(2);
    };
    let routes: usize = routes.parse().expect("a number of routes");
    let rounds: u32 = rounds.parse().expect("a number of rounds");
    let codec = metaprotocol_registry::find(if way.ends_with("both") { "dubbo" } else { "thrift" }).expect("a codec");
    let limits = Limits::default();
    let frames: Vec<_> = (0..FRAMES).map(|at| frame(way, at * routes / FRAMES)).collect();
    let frames: Vec<_> = frames
        .iter()
        .map(|bytes| match codec.split(Direction::ClientToServer, &limits, bytes) {
            Ok(Split::Head(head)) => Frame::new(head, bytes).expect("a whole frame"),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut found = 0;
    if way.starts_with("read") {
        let names: &[&str] = if way.ends_with("both") { &["interface", "method"] } else { &["method"] };
        let keys: Vec<Key> = names.iter().map(|name| codec.key(name)).collect();
        for _ in 0..rounds {
            for frame in black_box(&frames) {
                let read = |key| matches!(codec.field(*frame, key, &limits), Ok(Some(_)));
                found += usize::from(keys.iter().all(read));
            }
        }
    } else {
        let config = json!({"routes": (0..routes).map(|number| route(way, number)).collect::<Vec<_>>()});
        let config: RouteTable = serde_json::from_value(config).expect("a configuration");
        let table = Table::compile(&config, &*codec).expect("a table");
        let mut scratch = Scratch::default();
        for _ in 0..rounds {
            for (at, frame) in black_box(&frames).iter().enumerate() {
                let mut message = Message::new(&*codec, *frame, &limits, &[], &mut scratch);
                let route = table.find(&mut message).expect("a readable frame");
                found += usize::from(route.is_some_and(|route| route.number == at * routes / FRAMES));
            }
        }
    }
    println!("{found}");
}
