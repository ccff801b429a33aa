//! Splits frames of a given size again and again, for `bench/instructions.py`, which counts instructions under callgrind.
//!
//! `split PROTOCOL BODY_LEN ROUNDS`: each round feeds one buffer of 64 frames to a new connection. A protocol may be followed
//! by '-' and a frame of its own. It may also be a file with a description, whose name tells which frames it takes.

use std::hint::black_box;
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction, Fed, Limits};

fn codec(protocol: &str) -> Option<Arc<dyn AnyCodec>> {
    if !protocol.ends_with(".yaml") {
        return metaprotocol_registry::find(protocol.split('-').next()?);
    }
    let text = std::fs::read_to_string(protocol).ok()?;
    metaprotocol_spec::compile(&text, protocol).ok().map(|codec| Arc::new(codec) as Arc<dyn AnyCodec>)
}

/// A frame; where requests wait by their ids, those of a connection differ.
fn frame(protocol: &str, body_len: usize, id: u32) -> Vec<u8> {
    let body = vec![b'x'; body_len];
    match protocol {
        "thrift" => {
            let mut message = b"\x80\x01\x00\x01\x00\x00\x00\x08sayHello\x00\x00\x00\x07\x0b\x00\x01".to_vec();
            message.extend_from_slice(&(body_len as u32).to_be_bytes());
            message.extend_from_slice(&body);
            message.push(0);
            [&(message.len() as u32).to_be_bytes()[..], &message].concat()
        }
        "brpc" => {
            let meta = b"\x0a\x1f\x0a\x13example.EchoService\x12\x08sayHello\x18\x00\x20\x07";
            let sizes = [(meta.len() + body_len) as u32, meta.len() as u32].map(u32::to_be_bytes).concat();
            [&b"PRPC"[..], &sizes, meta, &body].concat()
        }
        // Fetch, version 12; Produce, version 9, acks=-1.
        "kafka" | "kafka-produce" => {
            let (front, rest) = match protocol {
                "kafka" => ([0, 1, 0, 12], &b"\xff\xff\xff\xff"[..]),
                _ => ([0, 0, 0, 9], &b"\0\xff\xff\0\0\x05\xdc"[..]),
            };
            let header = [&front[..], &id.to_be_bytes(), b"\0\x08producer\0"].concat();
            let len = (header.len() + rest.len() + body_len) as u32;
            [&len.to_be_bytes()[..], &header, rest, &body].concat()
        }
        "redis" => {
            [format!("*3\r\n$3\r\nSET\r\n$8\r\nuser:100\r\n${body_len}\r\n").as_bytes(), &body, b"\r\n"].concat()
        }
        "redis-reply" => [format!("${body_len}\r\n").as_bytes(), &body, b"\r\n"].concat(),
        "trpc" => {
            let message =
                b"\x18\x07\x20\xe8\x07\x2a\x13trpc.app.client.svc\x32\x1ctrpc.test.helloworld.Greeter\x3a\x26\
                /trpc.test.helloworld.Greeter/SayHello\x4a\x11\x0a\x08app-user\x12\x05alice";
            let total = (16 + message.len() + body_len) as u32;
            let fixed = [&b"\x09\x30\0\0"[..], &total.to_be_bytes(), &(message.len() as u16).to_be_bytes()].concat();
            [&fixed[..], b"\0\0\0\x07\x01\0", message, &body].concat()
        }
        "qza" => {
            let len = (106 + body_len) as u32;
            let mut header = vec![0; 106];
            header[5..7].copy_from_slice(&(len as u16).to_be_bytes());
            header[103..105].copy_from_slice(&((len >> 16) as u16).to_be_bytes());
            [header, body].concat()
        }
        "zork" => [&b"{\x12\0\x01\0"[..], &(body_len as u16).to_le_bytes(), &body, b"}"].concat(),
        _ => {
            let header = [0xda, 0xbb, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 7];
            [&header[..], &(body_len as u32).to_be_bytes(), &body].concat()
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(protocol), Some(body_len), Some(rounds)) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: split PROTOCOL BODY_LEN ROUNDS");
        std::process::exit(2);
    };
    let (Some(codec), Ok(body_len), Ok(rounds)) = (codec(&protocol), body_len.parse(), rounds.parse::<u32>()) else {
        eprintln!("split: no such protocol, or not a number");
        std::process::exit(2);
    };
    let buffer: Vec<u8> = (0..64).flat_map(|id| frame(&protocol, body_len, id)).collect();
    let direction = if protocol.ends_with("-reply") { Direction::ServerToClient } else { Direction::ClientToServer };
    let mut fed = Fed::default();
    for _ in 0..rounds {
        let mut connection = Arc::clone(&codec).connect(Limits::default());
        if connection.feed(direction, black_box(&buffer), &mut fed).is_err() || fed.frames.len() != 64 {
            eprintln!("split: the frames were not split");
            std::process::exit(1);
        }
    }
}
