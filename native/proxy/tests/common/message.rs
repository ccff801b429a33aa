//! Messages, as short as they can be.

/// A framed message of Thrift's binary protocol, with one text in field 1.
fn thrift(kind: u8, id: u32, text: &[u8]) -> Vec<u8> {
    thrift_to(kind, "ping", id, text)
}

pub fn thrift_to(kind: u8, method: &str, id: u32, text: &[u8]) -> Vec<u8> {
    let mut body = vec![0x80, 1, 0, kind];
    body.extend((method.len() as u32).to_be_bytes());
    body.extend(method.as_bytes());
    body.extend(id.to_be_bytes());
    body.extend([11, 0, 1]);
    body.extend((text.len() as u32).to_be_bytes());
    body.extend(text);
    body.push(0);
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

pub fn thrift_call(id: u32, text: &[u8]) -> Vec<u8> {
    thrift(1, id, text)
}

pub fn thrift_answer(id: u32, text: &[u8]) -> Vec<u8> {
    thrift(2, id, text)
}

pub fn thrift_oneway(id: u32, text: &[u8]) -> Vec<u8> {
    thrift(4, id, text)
}

fn name_len(frame: &[u8]) -> usize {
    u32::from_be_bytes(frame[8..12].try_into().unwrap()) as usize
}

pub fn thrift_id(frame: &[u8]) -> u32 {
    let at = 12 + name_len(frame);
    u32::from_be_bytes(frame[at..at + 4].try_into().unwrap())
}

/// The text of field 1: of a call, of an answer, or of an exception.
pub fn thrift_text(frame: &[u8]) -> &[u8] {
    let at = 19 + name_len(frame);
    let len = u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()) as usize;
    &frame[at + 4..at + 4 + len]
}

/// A text in Hessian 2.
fn hessian(text: &str) -> Vec<u8> {
    let mut bytes = match text.len() {
        len @ 0..32 => vec![len as u8],
        len @ 32..1024 => vec![0x30 | (len >> 8) as u8, len as u8],
        len => vec![b'S', (len >> 8) as u8, len as u8],
    };
    bytes.extend(text.as_bytes());
    bytes
}

pub fn dubbo(flags: u8, status: u8, id: u64, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[0xda, 0xbb, flags, status][..], &id.to_be_bytes(), &len, body].concat()
}

pub const DUBBO_REQUEST: u8 = 0xc2;
pub const DUBBO_ONEWAY: u8 = 0x82;
pub const DUBBO_ANSWER: u8 = 2;

/// A call of `greet(String)` of `a.Greeter`.
pub fn dubbo_call(flags: u8, id: u64, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for text in ["2.0.2", "a.Greeter", "1.0.0", "greet", "Ljava/lang/String;", text] {
        body.extend(hessian(text));
    }
    body.push(b'H');
    body.extend([hessian("zone"), hessian("a")].concat());
    body.push(b'Z');
    dubbo(flags, 0, id, &body)
}

/// A text as the result, with attachments.
pub fn dubbo_answer(id: u64, text: &str) -> Vec<u8> {
    let body = [&[0x94][..], &hessian(text), b"H", &hessian("from"), &hessian("host"), b"Z"].concat();
    dubbo(DUBBO_ANSWER, 20, id, &body)
}

pub fn dubbo_id(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[4..12].try_into().unwrap())
}

/// The last text of a call.
pub fn dubbo_text(frame: &[u8]) -> String {
    let from = frame.windows(18).position(|part| part == b"Ljava/lang/String;").unwrap() + 18;
    let len = usize::from(frame[from]);
    String::from_utf8_lossy(&frame[from + 1..from + 1 + len]).into_owned()
}

pub fn contains(frame: &[u8], text: &str) -> bool {
    frame.windows(text.len()).any(|part| part == text.as_bytes())
}

/// A command of Redis.
pub fn redis(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

/// The first argument of a command of Redis.
pub fn redis_key(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split("\r\n").nth(4).unwrap_or_default().to_owned()
}

/// A bulk string of Redis.
pub fn redis_text(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn trpc_fixed(data_type: u8, stream_type: u8, message_len: u16, stream: u32, rest: &[u8]) -> Vec<u8> {
    let total = (16 + rest.len() as u32).to_be_bytes();
    let mut bytes = vec![0x09, 0x30, data_type, stream_type];
    bytes.extend(total);
    bytes.extend(message_len.to_be_bytes());
    bytes.extend(stream.to_be_bytes());
    bytes.extend([1, 0]);
    bytes.extend(rest);
    bytes
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
}

fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// A unary call of tRPC.
pub fn trpc_call(id: u8, function: &str, body: &str) -> Vec<u8> {
    let header = [&[0x18, id][..], &field(7, function.as_bytes())].concat();
    trpc_fixed(0, 0, header.len() as u16, 0, &[&header, body.as_bytes()].concat())
}

/// The answer to it; ids as they are, up to five bytes of varint.
pub fn trpc_answer(id: u64, body: &str) -> Vec<u8> {
    let header = [&[0x18][..], &varint(id)].concat();
    trpc_fixed(0, 0, header.len() as u16, id as u32, &[&header, body.as_bytes()].concat())
}

pub fn trpc_open(stream: u32, function: &str) -> Vec<u8> {
    trpc_fixed(1, 1, 0, stream, &field(1, &field(3, function.as_bytes())))
}

/// The answer to INIT that accepts the stream.
pub fn trpc_opened(stream: u32) -> Vec<u8> {
    trpc_fixed(1, 1, 0, stream, &field(2, &[]))
}

pub fn trpc_data(stream: u32, bytes: &str) -> Vec<u8> {
    trpc_fixed(1, 2, 0, stream, bytes.as_bytes())
}

/// The end of one direction, or with `reset` of the whole.
pub fn trpc_close(stream: u32, reset: bool) -> Vec<u8> {
    trpc_fixed(1, 4, 0, stream, if reset { &[8, 1] } else { &[] })
}

fn brpc(magic: &[u8; 4], meta: &[u8], body: &str) -> Vec<u8> {
    let all = (meta.len() + body.len()) as u32;
    [&magic[..], &all.to_be_bytes(), &(meta.len() as u32).to_be_bytes(), meta, body.as_bytes()].concat()
}

/// What the meta of a bRPC call says of the sender's stream.
fn brpc_settings(stream: Option<u8>) -> Vec<u8> {
    stream.map_or(Vec::new(), |stream| field(8, &[8, stream]))
}

/// A call of bRPC; with a stream one that opens it, by the client's id.
pub fn brpc_call(id: u8, method: &str, stream: Option<u8>) -> Vec<u8> {
    let request = field(1, &[field(1, b"a.B"), field(2, method.as_bytes())].concat());
    brpc(b"PRPC", &[&request[..], &[0x20, id], &brpc_settings(stream)].concat(), "")
}

/// The answer to it, with the server's id of the stream.
pub fn brpc_answer(id: u64, stream: Option<u8>, body: &str) -> Vec<u8> {
    brpc(b"PRPC", &[&field(2, &[])[..], &[0x20], &varint(id), &brpc_settings(stream)].concat(), body)
}

/// Data of a stream, by the ids that its receiver and its sender have for it.
pub fn brpc_data(to: u8, from: u8, body: &str) -> Vec<u8> {
    brpc(b"STRM", &[8, to, 16, from, 24, 3], body)
}
