//! What is asked and answered: requests that carry a stamp, answers that echo it, and how they are told from all others.
//!
//! A payload is its stamp in 16 hexadecimal digits, then letters of an endless text from a place that the stamp chooses.
//! So an answer that belongs to another request, on whatever connection, differs in its first bytes, and one that was put
//! together from two differs further on.
//!
//! | protocol | request | answer |
//! |---|---|---|
//! | thrift | framed, strict binary: call of `echo(1: string)` | reply with the argument as its result |
//! | dubbo | Hessian 2: `bench.Echo.echo(String)` | status 20, the argument as its value |
//! | redis | even stamps: `SET key payload`; odd: `GET key` | `+OK`; the payload that belongs to the key |

use std::sync::{Arc, LazyLock};

use metaprotocol_core::{AnyCodec, Frame, Key, Kind, Limits, RequestId, Value};

/// Digits of a stamp, and the shortest payload.
pub const STAMP_LEN: usize = 16;
/// The longest payload: what one Hessian chunk can hold.
pub const MAX_PAYLOAD: usize = 65_535;
/// Stamps choose among this many places in the text. A prime, so that it has nothing in common with any stride.
const PLACES: u64 = 251;

static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..MAX_PAYLOAD + PLACES as usize)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b'a' + (state % 26) as u8
        })
        .collect()
});

/// The letters behind the stamp of a payload of `len` bytes.
fn letters(stamp: u64, len: usize) -> &'static [u8] {
    let at = (stamp % PLACES) as usize;
    &TEXT[at..at + len.clamp(STAMP_LEN, MAX_PAYLOAD) - STAMP_LEN]
}

fn digits(stamp: u64) -> [u8; STAMP_LEN] {
    std::array::from_fn(|at| b"0123456789abcdef"[(stamp >> (60 - 4 * at)) as usize & 15])
}

fn push_payload(out: &mut Vec<u8>, stamp: u64, len: usize) {
    out.extend_from_slice(&digits(stamp));
    out.extend_from_slice(letters(stamp, len));
}

fn is_payload(bytes: &[u8], stamp: u64, len: usize) -> bool {
    bytes.split_at_checked(STAMP_LEN).is_some_and(|(front, rest)| front == digits(stamp) && rest == letters(stamp, len))
}

/// One request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id, in protocols that have ids.
    pub id: u32,
    /// What nobody else asks.
    pub stamp: u64,
    /// Bytes of its payload, from [`STAMP_LEN`] to [`MAX_PAYLOAD`].
    pub payload_len: usize,
}

/// A protocol that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Apache Thrift, framed, strict binary.
    Thrift,
    /// Dubbo 2 with Hessian 2.
    Dubbo,
    /// RESP 2.
    Redis,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Thrift, Self::Dubbo, Self::Redis];

    /// The codec's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thrift => "thrift",
            Self::Dubbo => "dubbo",
            Self::Redis => "redis",
        }
    }

    /// The protocol of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// The library's codec for it.
    #[must_use]
    pub fn codec(self) -> Arc<dyn AnyCodec> {
        match metaprotocol_registry::find(self.name()) {
            Some(codec) => codec,
            None => unreachable!("{} is built in", self.name()),
        }
    }

    /// Appends a request.
    pub fn ask(self, asked: Asked, out: &mut Vec<u8>) {
        match self {
            Self::Thrift => thrift::ask(asked, out),
            Self::Dubbo => dubbo::ask(asked, out),
            Self::Redis => redis::ask(asked, out),
        }
    }

    /// Appends the answer to a request; nothing for what nobody answers.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn answer(self, codec: &dyn AnyCodec, request: Frame<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Self::Thrift => thrift::answer(request, out),
            Self::Dubbo => dubbo::answer(codec, request, out),
            Self::Redis => redis::answer(codec, request, out),
        }
    }

    /// Whether an answer is the one to this request, to the byte.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(self, answer: Frame<'_>, asked: Asked) -> Result<(), &'static str> {
        match answer.head.kind {
            Kind::Response => {}
            Kind::Error => return Err("an error for an answer"),
            _ => return Err("no answer but some other frame"),
        }
        if self != Self::Redis && answer.head.request_id != RequestId::Int(asked.id.into()) {
            return Err("the answer has another id than its request");
        }
        let same = match self {
            Self::Thrift => thrift::is_answer(answer, asked),
            Self::Dubbo => dubbo::is_answer(answer, asked),
            Self::Redis => redis::is_answer(answer, asked),
        };
        if same { Ok(()) } else { Err("the answer's content is not that of its request") }
    }
}

/// `i32 frame length | 80 01 00 type | i32 4 "echo" | i32 id | 0b i16 field | i32 length | payload | 00`
mod thrift {
    use super::{Asked, Frame, Kind, is_payload, push_payload};

    const CALL: [u8; 12] = *b"\x80\x01\0\x01\0\0\0\x04echo";
    const STRICT_AT: usize = 4;
    const TYPE_AT: usize = 7;
    const REPLY: u8 = 2;
    const ARGUMENT: [u8; 3] = [0x0b, 0, 1];
    const RESULT: [u8; 3] = [0x0b, 0, 0];
    /// All that stands around a payload, but the frame's length.
    const AROUND: usize = CALL.len() + 4 + ARGUMENT.len() + 4 + 1;

    pub(super) fn ask(asked: Asked, out: &mut Vec<u8>) {
        let len = asked.payload_len;
        out.extend_from_slice(&((AROUND + len) as u32).to_be_bytes());
        out.extend_from_slice(&CALL);
        out.extend_from_slice(&asked.id.to_be_bytes());
        out.extend_from_slice(&ARGUMENT);
        out.extend_from_slice(&(len as u32).to_be_bytes());
        push_payload(out, asked.stamp, len);
        out.push(0);
    }

    /// The call itself, its type and the number of its first field changed.
    pub(super) fn answer(request: Frame<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        if request.head.kind == Kind::Oneway {
            return Ok(());
        }
        if request.bytes.get(STRICT_AT..STRICT_AT + 2) != Some(&CALL[..2]) {
            return Err("not framed strict binary");
        }
        let start = out.len();
        out.extend_from_slice(request.bytes);
        let reply = &mut out[start..];
        reply[TYPE_AT] = REPLY;
        // The type of the first field and its number; a struct without fields ends with the byte 0 at once.
        if let Some([1..=u8::MAX, upper, lower, ..]) = reply.get_mut(request.head.header_len as usize..) {
            (*upper, *lower) = (0, 0);
        }
        Ok(())
    }

    pub(super) fn is_answer(answer: Frame<'_>, asked: Asked) -> bool {
        let rest = answer.body().strip_prefix(&RESULT).and_then(|body| body.strip_suffix(&[0]));
        let payload = rest.and_then(|rest| rest.strip_prefix(&(asked.payload_len as u32).to_be_bytes()));
        payload.is_some_and(|payload| is_payload(payload, asked.stamp, asked.payload_len))
    }
}

/// `DABB flags status | i64 id | i32 length | body`, as the README of the codec draws it.
mod dubbo {
    use super::{
        AnyCodec, Asked, Frame, Key, Kind, LazyLock, Limits, Protocol, RequestId, Value, is_payload, push_payload,
    };

    static ARGUMENT: LazyLock<Key> = LazyLock::new(|| Protocol::Dubbo.codec().key("arg.0"));

    /// A two-way request in Hessian 2.
    const REQUEST: [u8; 4] = [0xda, 0xbb, 0xc2, 0];
    /// A response in Hessian 2, status 20.
    const RESPONSE: [u8; 4] = [0xda, 0xbb, 0x02, 20];
    const BEFORE: &[u8] = b"\x052.0.2\x0abench.Echo\x050.0.0\x04echo\x12Ljava/lang/String;";
    const BEHIND: &[u8] = b"H\x04path\x0abench.Echo\x09interface\x0abench.Echo\x07version\x050.0.0Z";
    /// The integer 1 in Hessian: a value follows.
    const VALUE: u8 = 0x91;

    /// How Hessian begins a string of so many characters, each of one byte.
    fn string(len: usize) -> ([u8; 3], usize) {
        let [upper, lower] = (len as u16).to_be_bytes();
        match len {
            0..32 => ([lower, 0, 0], 1),
            32..1024 => ([0x30 + upper, lower, 0], 2),
            _ => ([b'S', upper, lower], 3),
        }
    }

    fn push(out: &mut Vec<u8>, magic: [u8; 4], id: u64, len: usize) {
        out.extend_from_slice(&magic);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&(len as u32).to_be_bytes());
    }

    pub(super) fn ask(asked: Asked, out: &mut Vec<u8>) {
        let (string, used) = string(asked.payload_len);
        push(out, REQUEST, asked.id.into(), BEFORE.len() + used + asked.payload_len + BEHIND.len());
        out.extend_from_slice(BEFORE);
        out.extend_from_slice(&string[..used]);
        push_payload(out, asked.stamp, asked.payload_len);
        out.extend_from_slice(BEHIND);
    }

    pub(super) fn answer(codec: &dyn AnyCodec, request: Frame<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let RequestId::Int(id) = request.head.request_id else { return Err("a request without an id") };
        match request.head.kind {
            Kind::Request => {}
            Kind::Oneway | Kind::Control => return Ok(()),
            _ => return Err("neither a request nor one-way"),
        }
        let argument = codec.field(request, &ARGUMENT, &Limits::default()).map_err(|_| "a broken body")?;
        let Some(Value::Str(text)) = argument else { return Err("the first argument is no string") };
        if text.len() > super::MAX_PAYLOAD || !text.is_ascii() {
            return Err("the first argument is too long, or not ASCII");
        }
        let (string, used) = string(text.len());
        push(out, RESPONSE, id, 1 + used + text.len());
        out.push(VALUE);
        out.extend_from_slice(&string[..used]);
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    pub(super) fn is_answer(answer: Frame<'_>, asked: Asked) -> bool {
        let (string, used) = string(asked.payload_len);
        let rest = answer.body().strip_prefix(&[VALUE]);
        let payload = rest.and_then(|rest| rest.strip_prefix(&string[..used]));
        payload.is_some_and(|payload| is_payload(payload, asked.stamp, asked.payload_len))
    }
}

/// Keys say what belongs to them: `bench:<5 digits of the payload's length>:<stamp>`.
mod redis {
    use super::{
        AnyCodec, Asked, Frame, Key, Kind, LazyLock, Limits, Protocol, STAMP_LEN, Value, digits, is_payload,
        push_payload,
    };

    static COMMAND: LazyLock<Key> = LazyLock::new(|| Protocol::Redis.codec().key("command"));
    static KEY: LazyLock<Key> = LazyLock::new(|| Protocol::Redis.codec().key("key"));
    static STORED: LazyLock<Key> = LazyLock::new(|| Protocol::Redis.codec().key("arg.2"));

    const PREFIX: &[u8] = b"bench:";
    const KEY_LEN: usize = PREFIX.len() + 5 + 1 + STAMP_LEN;
    const OK: &[u8] = b"+OK\r\n";
    const NULL: &[u8] = b"$-1\r\n";

    const fn is_set(stamp: u64) -> bool {
        stamp.is_multiple_of(2)
    }

    fn push_number(out: &mut Vec<u8>, number: usize, width: usize) {
        let digits: [u8; 5] = std::array::from_fn(|at| b'0' + (number / [10_000, 1000, 100, 10, 1][at] % 10) as u8);
        let short = digits.iter().position(|&digit| digit != b'0').unwrap_or(4);
        out.extend_from_slice(&digits[short.min(5 - width)..]);
    }

    fn push_key(out: &mut Vec<u8>, stamp: u64, len: usize) {
        out.extend_from_slice(PREFIX);
        push_number(out, len, 5);
        out.push(b':');
        out.extend_from_slice(&digits(stamp));
    }

    /// Stamp and length of the payload that belongs to a key.
    fn belongs(key: &str) -> Option<(u64, usize)> {
        let (len, stamp) = key.strip_prefix("bench:")?.split_once(':')?;
        let len = len.parse().ok().filter(|len| (STAMP_LEN..=super::MAX_PAYLOAD).contains(len))?;
        Some((u64::from_str_radix(stamp, 16).ok()?, len))
    }

    fn push_bulk(out: &mut Vec<u8>, stamp: u64, len: usize) {
        out.push(b'$');
        push_number(out, len, 1);
        out.extend_from_slice(b"\r\n");
        push_payload(out, stamp, len);
        out.extend_from_slice(b"\r\n");
    }

    pub(super) fn ask(asked: Asked, out: &mut Vec<u8>) {
        let set = is_set(asked.stamp);
        out.extend_from_slice(if set { b"*3\r\n$3\r\nSET\r\n$" } else { b"*2\r\n$3\r\nGET\r\n$" });
        push_number(out, KEY_LEN, 1);
        out.extend_from_slice(b"\r\n");
        push_key(out, asked.stamp, asked.payload_len);
        out.extend_from_slice(b"\r\n");
        if set {
            push_bulk(out, asked.stamp, asked.payload_len);
        }
    }

    /// `SET` of a key of ours is refused with any value but its own; other keys are always set and never there.
    pub(super) fn answer(codec: &dyn AnyCodec, request: Frame<'_>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match request.head.kind {
            Kind::Request => {}
            Kind::Oneway | Kind::Control => return Ok(()),
            _ => return Err("not a command"),
        }
        let field = |key: &Key| codec.field(request, key, &Limits::default()).map_err(|_| "a broken command");
        let text = |value| match value {
            Some(Value::Str(text)) => Ok(text),
            _ => Err("a word is missing, or no text"),
        };
        let command = text(field(&COMMAND)?)?;
        let ours = |key: Option<Value<'_>>| key.and_then(|key| belongs(&key.to_text()));
        if command.eq_ignore_ascii_case("get") {
            match ours(field(&KEY)?) {
                Some((stamp, len)) => push_bulk(out, stamp, len),
                None => out.extend_from_slice(NULL),
            }
        } else if command.eq_ignore_ascii_case("set") {
            let value = text(field(&STORED)?)?;
            let right = ours(field(&KEY)?).is_none_or(|(stamp, len)| is_payload(value.as_bytes(), stamp, len));
            out.extend_from_slice(if right { OK } else { b"-ERR the value is not the key's\r\n" });
        } else if command.eq_ignore_ascii_case("ping") {
            out.extend_from_slice(b"+PONG\r\n");
        } else {
            out.extend_from_slice(b"-ERR unknown command\r\n");
        }
        Ok(())
    }

    pub(super) fn is_answer(answer: Frame<'_>, asked: Asked) -> bool {
        if is_set(asked.stamp) {
            return answer.bytes == OK;
        }
        let mut front = Vec::with_capacity(8);
        front.push(b'$');
        push_number(&mut front, asked.payload_len, 1);
        front.extend_from_slice(b"\r\n");
        let rest = answer.bytes.strip_prefix(&*front).and_then(|rest| rest.strip_suffix(b"\r\n"));
        rest.is_some_and(|payload| is_payload(payload, asked.stamp, asked.payload_len))
    }
}
