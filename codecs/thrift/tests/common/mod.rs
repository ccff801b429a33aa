//! What the tests share: an encoder of its own to hold the codec against.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Direction};
use metaprotocol_testkit::{CLIENT, SERVER, Sample};
use metaprotocol_thrift::Thrift;

pub fn thrift() -> Arc<dyn AnyCodec> {
    Arc::new(Thrift)
}

/// A value of every shape, with what the encoders need to write it.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Bool(bool),
    Byte(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Uuid([u8; 16]),
    Binary(Vec<u8>),
    Struct(Vec<(i16, Item)>),
    /// A list or a set, with the type of its elements.
    Elements {
        set: bool,
        of: Shape,
        items: Vec<Item>,
    },
    Map {
        key: Shape,
        value: Shape,
        pairs: Vec<(Item, Item)>,
    },
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Uuid,
    Binary,
    Struct(Vec<(i16, Shape)>),
    Elements { set: bool, of: Box<Shape> },
    Map { key: Box<Shape>, value: Box<Shape> },
}

impl Shape {
    const fn binary(&self) -> u8 {
        match self {
            Self::Bool => 2,
            Self::Byte => 3,
            Self::Double => 4,
            Self::I16 => 6,
            Self::I32 => 8,
            Self::I64 => 10,
            Self::Binary => 11,
            Self::Struct(_) => 12,
            Self::Map { .. } => 13,
            Self::Elements { set: true, .. } => 14,
            Self::Elements { set: false, .. } => 15,
            Self::Uuid => 16,
        }
    }

    const fn compact(&self) -> u8 {
        match self {
            Self::Bool => 1,
            Self::Byte => 3,
            Self::I16 => 4,
            Self::I32 => 5,
            Self::I64 => 6,
            Self::Double => 7,
            Self::Binary => 8,
            Self::Elements { set: false, .. } => 9,
            Self::Elements { set: true, .. } => 10,
            Self::Map { .. } => 11,
            Self::Struct(_) => 12,
            Self::Uuid => 13,
        }
    }
}

impl Item {
    fn shape(&self) -> Shape {
        match self {
            Self::Bool(_) => Shape::Bool,
            Self::Byte(_) => Shape::Byte,
            Self::I16(_) => Shape::I16,
            Self::I32(_) => Shape::I32,
            Self::I64(_) => Shape::I64,
            Self::Double(_) => Shape::Double,
            Self::Uuid(_) => Shape::Uuid,
            Self::Binary(_) => Shape::Binary,
            Self::Struct(_) => Shape::Struct(Vec::new()),
            Self::Elements { set, of, .. } => Shape::Elements { set: *set, of: Box::new(of.clone()) },
            Self::Map { key, value, .. } => Shape::Map { key: Box::new(key.clone()), value: Box::new(value.clone()) },
        }
    }

    fn binary(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.push((*value).into()),
            Self::Byte(value) => out.extend(value.to_be_bytes()),
            Self::I16(value) => out.extend(value.to_be_bytes()),
            Self::I32(value) => out.extend(value.to_be_bytes()),
            Self::I64(value) => out.extend(value.to_be_bytes()),
            Self::Double(value) => out.extend(value.to_be_bytes()),
            Self::Uuid(value) => out.extend(value),
            Self::Binary(value) => {
                out.extend((value.len() as u32).to_be_bytes());
                out.extend(value);
            }
            Self::Struct(fields) => {
                for (id, item) in fields {
                    out.push(item.shape().binary());
                    out.extend(id.to_be_bytes());
                    item.binary(out);
                }
                out.push(0);
            }
            Self::Elements { of, items, .. } => {
                out.push(of.binary());
                out.extend((items.len() as u32).to_be_bytes());
                items.iter().for_each(|item| item.binary(out));
            }
            Self::Map { key, value, pairs } => {
                out.extend([key.binary(), value.binary()]);
                out.extend((pairs.len() as u32).to_be_bytes());
                for (key, value) in pairs {
                    key.binary(out);
                    value.binary(out);
                }
            }
        }
    }

    fn compact(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.push(if *value { 1 } else { 2 }),
            Self::Byte(value) => out.extend(value.to_be_bytes()),
            Self::I16(value) => varint(out, zigzag((*value).into())),
            Self::I32(value) => varint(out, zigzag((*value).into())),
            Self::I64(value) => varint(out, zigzag(*value)),
            Self::Double(value) => out.extend(value.to_le_bytes()),
            Self::Uuid(value) => out.extend(value),
            Self::Binary(value) => {
                varint(out, value.len() as u64);
                out.extend(value);
            }
            Self::Struct(fields) => {
                let mut previous = 0_i16;
                for (id, item) in fields {
                    let ty = match item {
                        Self::Bool(false) => 2,
                        item => item.shape().compact(),
                    };
                    let delta = i32::from(*id) - i32::from(previous);
                    if (1..=15).contains(&delta) {
                        out.push((delta as u8) << 4 | ty);
                    } else {
                        out.push(ty);
                        varint(out, zigzag((*id).into()));
                    }
                    if !matches!(item, Self::Bool(_)) {
                        item.compact(out);
                    }
                    previous = *id;
                }
                out.push(0);
            }
            Self::Elements { of, items, .. } => {
                if items.len() < 15 {
                    out.push((items.len() as u8) << 4 | of.compact());
                } else {
                    out.push(0xf0 | of.compact());
                    varint(out, items.len() as u64);
                }
                items.iter().for_each(|item| item.compact(out));
            }
            Self::Map { key, value, pairs } => {
                varint(out, pairs.len() as u64);
                if !pairs.is_empty() {
                    out.push(key.compact() << 4 | value.compact());
                }
                for (key, value) in pairs {
                    key.compact(out);
                    value.compact(out);
                }
            }
        }
    }
}

pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let bits = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(bits);
            return;
        }
        out.push(bits | 0x80);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Binary,
    Old,
    Compact,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    Unframed,
    Framed,
    Header { headers: Vec<(String, String)>, zlib: bool, sequence_id: i32 },
}

/// A message and what stands around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub transport: Transport,
    pub protocol: Protocol,
    pub message_type: u8,
    pub name: String,
    pub sequence_id: i32,
    pub fields: Vec<(i16, Item)>,
}

impl Message {
    /// A framed binary call with one string.
    pub fn hello() -> Self {
        Self {
            transport: Transport::Framed,
            protocol: Protocol::Binary,
            message_type: 1,
            name: "sayHello".to_owned(),
            sequence_id: 1,
            fields: vec![(1, Item::Binary(b"aeraki".to_vec()))],
        }
    }

    pub fn with_headers(headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Self { transport: Transport::Header { headers, zlib: false, sequence_id: 1 }, ..Self::hello() }
    }

    pub fn direction(&self) -> Direction {
        if matches!(self.message_type, 1 | 4) { CLIENT } else { SERVER }
    }

    /// A connection's messages.
    pub fn sample(messages: &[Self]) -> Sample {
        let stream: Vec<u8> = messages.iter().flat_map(Self::bytes).collect();
        Sample::new(format!("{messages:?}"), messages[0].direction(), stream)
    }

    /// The struct.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let body = Item::Struct(self.fields.clone());
        if self.protocol == Protocol::Compact {
            body.compact(&mut out)
        } else {
            body.binary(&mut out)
        }
        out
    }

    /// The message without its transport.
    pub fn payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let name = self.name.as_bytes();
        match self.protocol {
            Protocol::Binary => {
                out.extend([0x80, 0x01, 0x00, self.message_type]);
                out.extend((name.len() as u32).to_be_bytes());
                out.extend(name);
                out.extend(self.sequence_id.to_be_bytes());
            }
            Protocol::Old => {
                out.extend((name.len() as u32).to_be_bytes());
                out.extend(name);
                out.push(self.message_type);
                out.extend(self.sequence_id.to_be_bytes());
            }
            Protocol::Compact => {
                out.extend([0x82, self.message_type << 5 | 1]);
                varint(&mut out, (self.sequence_id as u32).into());
                varint(&mut out, name.len() as u64);
                out.extend(name);
            }
        }
        out.extend(self.body());
        out
    }

    pub fn bytes(&self) -> Vec<u8> {
        let payload = self.payload();
        match &self.transport {
            Transport::Unframed => payload,
            Transport::Framed => framed(&payload),
            Transport::Header { headers, zlib, sequence_id } => {
                let mut data = vec![if self.protocol == Protocol::Compact { 2 } else { 0 }];
                data.extend(if *zlib { &[1, 1][..] } else { &[0] });
                if !headers.is_empty() {
                    data.push(1);
                    varint(&mut data, headers.len() as u64);
                    for text in headers.iter().flat_map(|(key, value)| [key, value]) {
                        varint(&mut data, text.len() as u64);
                        data.extend(text.as_bytes());
                    }
                }
                let payload = if *zlib { deflate(&payload) } else { payload };
                header_frame(*sequence_id, &data, &payload)
            }
        }
    }
}

pub fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// A THeader frame with this header data, padded here.
pub fn header_frame(sequence_id: i32, data: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(4), 0);
    let mut out = vec![0x0f, 0xff, 0, 0];
    out.extend(sequence_id.to_be_bytes());
    out.extend(((data.len() / 4) as u16).to_be_bytes());
    out.extend(data);
    out.extend(payload);
    framed(&out)
}

/// A zlib stream of one stored block after the other: not compressed, but valid, and made without the codec's library.
pub fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let chunks: Vec<&[u8]> = payload.chunks(0xffff).collect();
    for (index, chunk) in chunks.iter().enumerate() {
        out.push((index + 1 == chunks.len()).into());
        out.extend((chunk.len() as u16).to_le_bytes());
        out.extend((!(chunk.len() as u16)).to_le_bytes());
        out.extend(*chunk);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in payload {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}
