//! Descriptions of protocols: as texts, and as the codecs they make.

use std::sync::{Arc, OnceLock};

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, Frame, Info, Key, Limits, Reply, Segments,
    Split, Value, Visit,
};
use metaprotocol_spec::{SpecCodec, SpecState, compile as compiled};

use crate::layout::{self, DESCRIPTIONS};
use crate::{is_in, limits, stream};

/// Bytes that compiling may hold for each byte of the text, and besides.
const MEMORY_PER_BYTE: u64 = 1 << 10;
const MEMORY: u64 = 16 << 20;
/// A header of fields that each say how long the next is takes a call of `split` for each of them.
const CALLS: usize = 16;

/// A codec that may be shared.
#[derive(Clone)]
struct Shared(Arc<SpecCodec>);

impl Codec for Shared {
    type State = SpecState;

    fn info(&self) -> &Info {
        Codec::info(&*self.0)
    }

    fn state(&self) -> SpecState {
        self.0.state()
    }

    fn split(
        &self,
        state: &mut SpecState,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        Codec::split(&*self.0, state, direction, limits, buf)
    }

    fn key(&self, name: &str) -> Key {
        Codec::key(&*self.0, name)
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        Codec::field(&*self.0, frame, key, limits)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        Codec::fields(&*self.0, frame, limits, visit)
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        Codec::rewrite(&*self.0, frame, edits, limits)
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        Codec::reply(&*self.0, request, reply)
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        Codec::detect(&*self.0, direction, prefix)
    }
}

/// The fast way of `fast` says what the walk of `plain` says.
fn agree(fast: &SpecCodec, plain: &SpecCodec, number: u8, bytes: &[u8]) {
    for direction in [Direction::ClientToServer, Direction::ServerToClient] {
        let found = AnyCodec::split(fast, direction, &limits(number), bytes);
        let wanted = AnyCodec::split(plain, direction, &limits(number), bytes);
        assert_eq!(found, wanted, "the fast way and the walk differ");
        if let Err(error) = found {
            assert!(is_in(&error, bytes.len()), "{error} is beyond the end");
        }
    }
}

/// Runs an input: a text, and behind a byte 0xff the beginning of a stream for what it describes.
pub fn compile(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0xff).unwrap_or(input.len());
    let (text, bytes) = input.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(compiled(text, "fuzz.yaml")));
    let bound = MEMORY + MEMORY_PER_BYTE * text.len() as u64;
    assert!(info.bytes_max <= bound, "{} bytes held for a text of {}", info.bytes_max, text.len());
    match made {
        Some(Ok(codec)) => {
            assert!(metaprotocol_spec::describe(text, "fuzz.yaml").is_ok(), "it cannot be shown");
            let Ok(plain) = compiled(text, "fuzz.yaml") else { panic!("not the same a second time") };
            let plain = plain.without_fast_way();
            if let Some((_, bytes)) = bytes.split_first()
                && let Some((number, bytes)) = bytes.split_first()
                && !bytes.is_empty()
            {
                agree(&codec, &plain, *number, bytes);
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    let Ok(Split::Head(head)) = AnyCodec::split(&codec, direction, &limits(*number), bytes) else {
                        continue;
                    };
                    if let Some(frame) = Frame::new(head, bytes) {
                        verbs(&codec, frame, &limits(*number));
                    }
                }
            }
        }
        Some(Err(problems)) => assert!(!problems.to_string().is_empty(), "refused without a reason"),
        None => {}
    }
}

/// Whatever the verbs say of a frame, they say it.
fn verbs(codec: &SpecCodec, frame: Frame<'_>, limits: &Limits) {
    let _ = AnyCodec::fields(codec, frame, limits, &mut |_, _| std::ops::ControlFlow::Continue(()));
    let same = AnyCodec::rewrite(codec, frame, &Edits::default(), limits).expect("nothing is to be written");
    assert_eq!(same.concat(), frame.bytes, "no edits, yet other bytes");
    let edits = Edits { request_id: Some(1), ..Edits::default() };
    let _ = AnyCodec::rewrite(codec, frame, &edits, limits);
    let _ = AnyCodec::reply(codec, frame, Reply::Heartbeat);
    let _ = AnyCodec::reply(codec, frame, Reply::Error(metaprotocol_core::ErrorType::Timeout, "no"));
    let _ = AnyCodec::detect(codec, Direction::ClientToServer, frame.bytes);
}

/// Runs an input: which description, and a conversation as `*_stream` takes it.
pub fn conversation(input: &[u8]) {
    static CODECS: OnceLock<Vec<(Arc<SpecCodec>, SpecCodec)>> = OnceLock::new();
    let codecs = CODECS.get_or_init(|| {
        let make = |text| compiled(text, "fuzz.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        DESCRIPTIONS.iter().map(|(_, text)| (Arc::new(make(text)), make(text).without_fast_way())).collect()
    });
    let Some((number, input)) = input.split_first() else { return };
    let (codec, plain) = &codecs[usize::from(*number) % codecs.len()];
    if let Some(bytes) = input.get(layout::STREAM..)
        && !bytes.is_empty()
    {
        agree(codec, plain, input[0] >> 1, bytes);
    }
    stream::check_within(Shared(Arc::clone(codec)), input, CALLS);
}
