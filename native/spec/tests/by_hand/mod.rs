//! `split` of the formats in `tests/descriptions`, by hand: what a description is measured against and compared with. Each
//! makes the checks that its description asks for, answers for partial frames included; the other verbs are left out. tRPC's
//! is the codec that is built in.

#![allow(dead_code, reason = "each user takes its part")]

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use metaprotocol_core::{
    AnyCodec, Codec, Cursor, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info,
    Key, Kind, Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Short, Split, Value, VarintError, Visit,
};
use metaprotocol_trpc::Trpc;

type Answer = Result<Split, DecodeError>;

/// A format by hand.
pub trait Format: Send + Sync + 'static {
    fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Answer;
}

/// The codec of a format; it can only split.
struct ByHand<F> {
    info: Info,
    format: PhantomData<F>,
}

impl<F: Format> Codec for ByHand<F> {
    type State = ();

    fn info(&self) -> &Info {
        &self.info
    }

    fn state(&self) -> Self::State {}

    fn split(&self, _: &mut (), direction: Direction, limits: &Limits, buf: &[u8]) -> Answer {
        F::split(direction, limits, buf)
    }

    fn field<'a>(&self, _: Frame<'a>, _: &Key, _: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(None)
    }

    fn fields<'a>(&self, _: Frame<'a>, _: &Limits, _: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, _: &Edits<'_>, _: &Limits) -> Result<Segments<'a>, EncodeError> {
        Ok(vec![Cow::Borrowed(frame.bytes)])
    }

    fn reply(&self, _: Frame<'_>, _: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(None)
    }

    fn detect(&self, _: Direction, _: &[u8]) -> Detection {
        Detection::No
    }
}

/// The codec of a format, under a name.
pub fn codec<F: Format>(name: &'static str, _: F) -> impl Codec {
    let info = Info {
        name: Cow::Borrowed(name),
        aliases: Cow::Borrowed(&[]),
        summary: Cow::Borrowed(""),
        pair_by: PairBy::Id,
        sharing: Sharing::Multiplexed,
        first_speaker: FirstSpeaker::Client,
        heartbeats: false,
        min_header_len: 1,
        keys: Cow::Borrowed(&[]),
        open_keys: false,
    };
    ByHand { info, format: PhantomData::<F> }
}

/// The formats by the names of their descriptions.
pub const FORMATS: [&str; 6] = ["acorn", "acornmid", "courier", "trpc", "varints", "tlv"];

/// The codec of a format, by hand.
pub fn reference(name: &str) -> Option<Arc<dyn AnyCodec>> {
    Some(match name {
        "acorn" => Arc::new(codec("acorn", Acorn)),
        "acornmid" => Arc::new(codec("acornmid", AcornMid)),
        "courier" => Arc::new(codec("courier", Courier)),
        "trpc" => Arc::new(Trpc),
        "varints" => Arc::new(codec("varints", Varints)),
        "tlv" => Arc::new(codec("tlv", Tlv)),
        _ => return None,
    })
}

/// A request with `body_len` bytes of body.
pub fn request(name: &str, body_len: usize) -> Vec<u8> {
    let body = vec![b'x'; body_len];
    let len = body_len as u32;
    match name {
        "acorn" => [&b"AC\x01\x07\0\0\0\x09"[..], &len.to_be_bytes(), b"weather", &body].concat(),
        "acornmid" => [&b"AC\x01\0\0\0\x09\x07weather"[..], &len.to_be_bytes(), &body].concat(),
        "courier" => {
            [&b"CR\x01\0\0\0\0\x07\0\x0b"[..], &(body_len as u16).to_be_bytes(), b"orders/list", &body].concat()
        }
        "trpc" => {
            let message: &[u8] = b"\x18\x87\x01\x20\xe8\x07\x2a\x0ctrpc.app.one\x32\x0ctrpc.app.two\x3a\x0a/greet.Say\
                                   \x4a\x08\x0a\x01k\x12\x03val\x50\x00";
            let total = (16 + message.len() + body_len) as u32;
            let head = [&b"\x09\x30\0\0"[..], &total.to_be_bytes(), &(message.len() as u16).to_be_bytes()].concat();
            [&head[..], &[0; 6], message, &body].concat()
        }
        "varints" => {
            let mut frame = b"\x56\x00\xac\x02\x0b".to_vec();
            frame.extend_from_slice(b"orders/list");
            let mut left = body_len;
            while left > 127 {
                frame.push(left as u8 | 0x80);
                left >>= 7;
            }
            frame.push(left as u8);
            frame.extend_from_slice(&body);
            frame
        }
        _ => {
            let options = b"\x01\x04\0\0\0\x2a\x02\x06orders\x04\x01\0\x09\x02hi";
            [&b"TL"[..], &(options.len() as u16).to_be_bytes(), &len.to_be_bytes(), options, &body].concat()
        }
    }
}

/// What is in of a constant must be its beginning.
fn magic(wanted: &[u8], buf: &[u8]) -> Result<(), DecodeError> {
    for (at, (expected, found)) in wanted.iter().zip(buf).enumerate() {
        if expected != found {
            return Err(Reason::BadMagic { expected: (*expected).into(), found: (*found).into() }.at(at));
        }
    }
    Ok(())
}

fn bad(field: &'static str, value: u64, at: usize) -> DecodeError {
    Reason::BadValue { field, value: value as i64 }.at(at)
}

fn head(kind: Kind, id: u64, header_len: usize, frame_len: usize, direction: Direction) -> Answer {
    Ok(Split::Head(Head {
        kind,
        request_id: RequestId::Int(id),
        stream_id: None,
        header_len: header_len as u32,
        frame_len,
        variant: direction as u32,
    }))
}

const fn acorn_kind(ty: u8, pong: bool) -> Result<Kind, ()> {
    Ok(match ty {
        1 => Kind::Request,
        2 => Kind::Response,
        3 => Kind::Error,
        4 => Kind::Heartbeat,
        5 if pong => Kind::Heartbeat,
        _ => return Err(()),
    })
}

/// As its description.
pub struct Acorn;

impl Format for Acorn {
    fn split(direction: Direction, _: &Limits, buf: &[u8]) -> Answer {
        magic(b"AC", buf)?;
        let Some(&[_, _, ty, n, i0, i1, i2, i3, l0, l1, l2, l3]) = buf.first_chunk() else {
            return Ok(Split::Need(12 - buf.len()));
        };
        let kind = acorn_kind(ty, true).map_err(|()| bad("type", ty.into(), 2))?;
        let header_len = 12 + usize::from(n);
        if buf.len() < header_len {
            return Ok(Split::Need(header_len - buf.len()));
        }
        let body_len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        head(kind, u32::from_be_bytes([i0, i1, i2, i3]).into(), header_len, header_len + body_len, direction)
    }
}

/// As its description.
pub struct AcornMid;

impl Format for AcornMid {
    fn split(direction: Direction, _: &Limits, buf: &[u8]) -> Answer {
        magic(b"AC", buf)?;
        let Some(&[_, _, ty, i0, i1, i2, i3, n]) = buf.first_chunk() else { return Ok(Split::Need(12 - buf.len())) };
        let kind = acorn_kind(ty, false).map_err(|()| bad("type", ty.into(), 2))?;
        let at = 8 + usize::from(n);
        let Some(&len) = buf.get(at..).and_then(|rest| rest.first_chunk()) else {
            return Ok(Split::Need(at + 4 - buf.len()));
        };
        let header_len = at + 4;
        let frame_len = header_len + u32::from_be_bytes(len) as usize;
        head(kind, u32::from_be_bytes([i0, i1, i2, i3]).into(), header_len, frame_len, direction)
    }
}

/// As its description.
pub struct Courier;

impl Format for Courier {
    fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Answer {
        magic(b"CR", buf)?;
        let Some(&[_, _, ty, flags, t0, t1, t2, t3, n0, n1, l0, l1]) = buf.first_chunk() else {
            return Ok(Split::Need(12 - buf.len()));
        };
        let kind = match (ty, flags & 1) {
            (1, 1) => Kind::Oneway,
            (1, _) => Kind::Request,
            (2, _) => Kind::Response,
            (3, _) => Kind::Error,
            (4 | 5, _) => Kind::Heartbeat,
            _ => return Err(bad("type", ty.into(), 2)),
        };
        let header_len = 12 + usize::from(u16::from_be_bytes([n0, n1]));
        if header_len > limits.max_header_len as usize {
            let max = limits.max_header_len.into();
            return Err(Reason::LimitExceeded { limit: "max_header_len", value: header_len as u64, max }.at(12));
        }
        if buf.len() < header_len {
            return Ok(Split::Need(header_len - buf.len()));
        }
        let frame_len = header_len + usize::from(u16::from_be_bytes([l0, l1]));
        head(kind, u32::from_be_bytes([t0, t1, t2, t3]).into(), header_len, frame_len, direction)
    }
}

/// A varint of the header that need not be in yet, or how many bytes are lacking.
fn partial(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Result<u64, usize>, DecodeError> {
    match cursor.varint(10) {
        Ok(value) => Ok(Ok(value)),
        Err(VarintError::Short(Short { missing, .. })) => Ok(Err(missing)),
        Err(error) => Err(error.within(field)),
    }
}

/// As its description.
pub struct Varints;

impl Format for Varints {
    fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Answer {
        magic(b"\x56", buf)?;
        let mut cursor = Cursor::new(buf, 1);
        let Ok(ty) = cursor.u8() else { return Ok(Split::Need(4)) };
        let kind = match ty {
            0 => Kind::Request,
            1 => Kind::Response,
            2 => Kind::Error,
            3 => Kind::Oneway,
            _ => return Err(bad("type", ty.into(), 1)),
        };
        let id = match partial(&mut cursor, "id")? {
            Ok(id) => id,
            Err(missing) => return Ok(Split::Need(missing + 2)),
        };
        let at = cursor.at();
        let method = match partial(&mut cursor, "method")? {
            Ok(len) => len,
            Err(missing) => return Ok(Split::Need(missing + 1)),
        };
        let max = u64::from(limits.max_header_len);
        let end = method.saturating_add(cursor.at() as u64);
        if end > max {
            return Err(Reason::LimitExceeded { limit: "max_header_len", value: end, max }.at(at));
        }
        if let Err(short) = cursor.skip(method as usize) {
            return Ok(Split::Need(short.missing + 1));
        }
        let at = cursor.at();
        let body_len = match partial(&mut cursor, "body_len")? {
            Ok(len) => len,
            Err(missing) => return Ok(Split::Need(missing)),
        };
        let header_len = cursor.at();
        let frame_len = body_len.saturating_add(header_len as u64);
        if frame_len > limits.max_frame_len {
            let max = limits.max_frame_len;
            return Err(Reason::LimitExceeded { limit: "max_frame_len", value: frame_len, max }.at(at));
        }
        head(kind, id, header_len, frame_len as usize, direction)
    }
}

/// As its description.
pub struct Tlv;

impl Format for Tlv {
    fn split(direction: Direction, limits: &Limits, buf: &[u8]) -> Answer {
        magic(b"TL", buf)?;
        let Some(&[_, _, n0, n1, l0, l1, l2, l3]) = buf.first_chunk() else { return Ok(Split::Need(8 - buf.len())) };
        let header_len = 8 + usize::from(u16::from_be_bytes([n0, n1]));
        if header_len > limits.max_header_len as usize {
            let max = limits.max_header_len.into();
            return Err(Reason::LimitExceeded { limit: "max_header_len", value: header_len as u64, max }.at(8));
        }
        let Some(options) = buf.get(..header_len) else { return Ok(Split::Need(header_len - buf.len())) };
        let mut cursor = Cursor::new(options, 8);
        let (mut id, mut status, mut reply) = (None, 0, 0);
        while cursor.left() > 0 {
            let [tag, len] = cursor.array().map_err(|short| short.within("opts"))?;
            let len_at = cursor.at() - 1;
            let Ok(value) = cursor.take(len.into()) else {
                return Err(Reason::BadLength { field: "opts", value: len.into() }.at(len_at));
            };
            let number = || match value.len() {
                0..=8 => Ok(value.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))),
                len => Err(Reason::BadLength { field: "opts", value: len as i64 }.at(0)),
            };
            match tag {
                1 => id = Some(number()?),
                3 => status = number()?,
                4 => reply = number()?,
                _ => {}
            }
        }
        let kind = match (reply, status) {
            (0, _) => Kind::Request,
            (_, 0) => Kind::Response,
            _ => Kind::Error,
        };
        Ok(Split::Head(Head {
            kind,
            request_id: id.map_or(RequestId::None, RequestId::Int),
            stream_id: None,
            header_len: header_len as u32,
            frame_len: header_len + u32::from_be_bytes([l0, l1, l2, l3]) as usize,
            variant: direction as u32,
        }))
    }
}
