//! Captures made by hand, and a protocol that does what the real ones cannot be made to do.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key,
    KeyInfo, Kind, Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit,
};
use metaprotocol_decode::{Decoder, Options};
use serde_json::Value as Json;

pub const CLIENT_PORT: u16 = 40_000;
pub const SERVER_PORT: u16 = 20_880;

/// A pcap file of TCP segments over raw IPv4.
pub struct Pcap {
    pub bytes: Vec<u8>,
    pub micros: u64,
}

/// One TCP connection in a [`Pcap`]: keeps the sequence numbers.
pub struct Tcp {
    pub client_port: u16,
    pub seq: [u32; 2],
}

impl Pcap {
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 0x40000, 101] {
            // Version 2.4 is two 16-bit fields.
            if word == 0x0002_0004 {
                bytes.extend_from_slice(&2_u16.to_le_bytes());
                bytes.extend_from_slice(&4_u16.to_le_bytes());
            } else {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        Self { bytes, micros: 1_700_000_000_000_000 }
    }

    /// Takes the file so far, for streaming.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn packet(&mut self, tcp: &Tcp, from_client: bool, flags: u8, payload: &[u8]) {
        let (source, target) =
            if from_client { (tcp.client_port, SERVER_PORT) } else { (SERVER_PORT, tcp.client_port) };
        let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let (from, to) = if from_client { (client, server) } else { (server, client) };
        let len = 40 + payload.len();
        let mut packet = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 0, 0x40, 0, 64, 6, 0, 0];
        packet.extend_from_slice(&from);
        packet.extend_from_slice(&to);
        packet.extend_from_slice(&source.to_be_bytes());
        packet.extend_from_slice(&target.to_be_bytes());
        packet.extend_from_slice(&tcp.seq[usize::from(!from_client)].to_be_bytes());
        packet.extend_from_slice(&tcp.seq[usize::from(from_client)].to_be_bytes());
        packet.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(payload);
        self.micros += 1000;
        for word in [
            (self.micros / 1_000_000) as u32,
            (self.micros % 1_000_000) as u32,
            packet.len() as u32,
            packet.len() as u32,
        ] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes.extend_from_slice(&packet);
    }

    /// Opens a connection with its handshake.
    pub fn open(&mut self, client_port: u16) -> Tcp {
        let mut tcp = Tcp { client_port, seq: [1000, 5000] };
        self.packet(&tcp, true, 0x02, &[]);
        tcp.seq[0] += 1;
        self.packet(&tcp, false, 0x12, &[]);
        tcp.seq[1] += 1;
        self.packet(&tcp, true, 0x10, &[]);
        tcp
    }

    /// A connection whose beginning the capture lacks.
    pub fn midstream(client_port: u16) -> Tcp {
        Tcp { client_port, seq: [70_000, 90_000] }
    }

    /// Sends bytes in segments of at most 1400.
    pub fn send(&mut self, tcp: &mut Tcp, from_client: bool, payload: &[u8]) {
        for segment in payload.chunks(1400) {
            self.packet(tcp, from_client, 0x18, segment);
            self.lose(tcp, from_client, segment.len());
        }
    }

    /// Bytes that were sent and are not in the capture.
    pub fn lose(&mut self, tcp: &mut Tcp, from_client: bool, len: usize) {
        let seq = &mut tcp.seq[usize::from(!from_client)];
        *seq = seq.wrapping_add(len as u32);
    }

    /// A side acknowledges what it got, twice and some time apart: what the capture lacks of it will not come any more.
    pub fn settle(&mut self, tcp: &Tcp, by_client: bool) {
        self.packet(tcp, by_client, 0x10, &[]);
        self.micros += 100_000;
        self.packet(tcp, by_client, 0x10, &[]);
    }

    /// Both sides end in good order.
    pub fn close(&mut self, tcp: &mut Tcp) {
        self.packet(tcp, true, 0x11, &[]);
        tcp.seq[0] += 1;
        self.packet(tcp, false, 0x11, &[]);
        tcp.seq[1] += 1;
        self.packet(tcp, true, 0x10, &[]);
    }
}

/// A short Hessian 2 string.
fn hessian(text: &str) -> Vec<u8> {
    let len = text.chars().count();
    let mut out = if len < 32 { vec![len as u8] } else { vec![0x53, (len >> 8) as u8, len as u8] };
    out.extend_from_slice(text.as_bytes());
    out
}

fn dubbo(flags: u8, status: u8, id: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xda, 0xbb, flags, status];
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// A Dubbo request with one string argument.
pub fn request(id: u64, method: &str, argument: &str, attachments: &[(&str, &str)]) -> Vec<u8> {
    request_with_flags(0xc2, id, method, argument, attachments)
}

pub fn oneway(id: u64, method: &str) -> Vec<u8> {
    request_with_flags(0x82, id, method, "x", &[])
}

fn request_with_flags(flags: u8, id: u64, method: &str, argument: &str, attachments: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for text in ["2.0.2", "demo.Greeter", "0.0.0", method, "Ljava/lang/String;", argument] {
        body.extend(hessian(text));
    }
    body.push(b'H');
    for (key, value) in attachments {
        body.extend(hessian(key));
        body.extend(hessian(value));
    }
    body.push(b'Z');
    dubbo(flags, 0, id, &body)
}

/// A Dubbo response with a string.
pub fn response(id: u64, value: &str) -> Vec<u8> {
    let mut body = vec![0x91];
    body.extend(hessian(value));
    dubbo(0x02, 20, id, &body)
}

/// A Dubbo response whose status tells an error.
pub fn failure(id: u64, status: u8, message: &str) -> Vec<u8> {
    dubbo(0x02, status, id, &hessian(message))
}

/// What came out of a decoder.
pub struct Decoded {
    pub rows: Vec<Json>,
    pub summary: Json,
    pub json: Vec<u8>,
}

impl Decoded {
    pub fn total(&self, key: &str) -> u64 {
        self.summary[key].as_u64().unwrap_or_else(|| panic!("the summary has no {key}: {}", self.summary))
    }

    pub fn kinds(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row["kind"].as_str().unwrap()).collect()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Json> {
        self.rows.iter().filter(|row| row["kind"] == kind).collect()
    }
}

pub fn rows_of(json: &[u8]) -> Vec<Json> {
    let text = std::str::from_utf8(json).expect("rows are UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

/// Decodes a whole file, pushed in chunks.
pub fn decode_in(mut decoder: Decoder, file: &[u8], chunk: usize) -> Decoded {
    let mut json = Vec::new();
    for piece in file.chunks(chunk) {
        decoder.push(piece).expect("the input is readable");
        json.extend_from_slice(decoder.json());
        decoder.clear_json();
    }
    decoder.finish().expect("the input is whole");
    json.extend_from_slice(decoder.json());
    let summary = serde_json::from_slice(&decoder.summary()).expect("the summary is JSON");
    Decoded { rows: rows_of(&json), summary, json }
}

pub fn decode(options: Options, file: &[u8]) -> Decoded {
    decode_in(Decoder::new(options).expect("the options make sense"), file, 256 << 10)
}

/// `?text\n` asks and `!text\n` answers, in order; `text` is `key=value,key=value…`, and `method` names the method.
pub struct Lines {
    info: Info,
}

impl Lines {
    pub fn codec() -> Arc<dyn AnyCodec> {
        Arc::new(Self {
            info: Info {
                name: Cow::Borrowed("lines"),
                aliases: Cow::Borrowed(&[Cow::Borrowed("lines.alias")]),
                summary: Cow::Borrowed("questions and answers"),
                pair_by: PairBy::Order,
                sharing: Sharing::Pipelined,
                first_speaker: FirstSpeaker::Client,
                heartbeats: false,
                min_header_len: 1,
                keys: Cow::Owned(vec![KeyInfo::read("method", "the method")]),
                open_keys: true,
            },
        })
    }
}

fn pairs<'a>(frame: Frame<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let text = frame.bytes.get(1..frame.bytes.len() - 1).unwrap_or_default();
    std::str::from_utf8(text).unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='))
}

impl Codec for Lines {
    type State = ();

    fn info(&self) -> &Info {
        &self.info
    }

    fn state(&self) {}

    fn split(&self, _state: &mut (), _: Direction, _: &Limits, buf: &[u8]) -> Result<Split, DecodeError> {
        let kind = match buf.first() {
            Some(b'?') => Kind::Request,
            Some(b'!') => Kind::Response,
            other => {
                let found = u64::from(other.copied().unwrap_or(0));
                return Err(Reason::BadMagic { expected: b'?'.into(), found }.at(0));
            }
        };
        Ok(match buf.iter().position(|byte| *byte == b'\n') {
            None => Split::Need(1),
            Some(end) => Split::Head(Head {
                kind,
                request_id: RequestId::None,
                stream_id: None,
                header_len: 1,
                frame_len: end + 1,
                variant: 0,
            }),
        })
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(pairs(frame).filter(|(name, _)| *name == &*key.name).last().map(|(_, value)| value.into()))
    }

    fn fields<'a>(&self, frame: Frame<'a>, _: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        for (key, value) in pairs(frame) {
            if let ControlFlow::Break(()) = visit(key, value.into()) {
                break;
            }
        }
        Ok(())
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, _: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        Ok(vec![Cow::Borrowed(frame.bytes)])
    }

    fn reply(&self, _: Frame<'_>, _: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(None)
    }

    fn detect(&self, _: Direction, prefix: &[u8]) -> Detection {
        match prefix.first() {
            Some(b'?' | b'!') => Detection::Yes,
            Some(_) => Detection::No,
            None => Detection::NeedMore,
        }
    }
}
