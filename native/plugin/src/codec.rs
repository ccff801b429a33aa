//! A plugin as a [`Codec`].

use std::borrow::Cow;
use std::ffi::c_void;
use std::fmt;
use std::ops::ControlFlow;

use metaprotocol_core::{
    Codec, DecodeError, Detection, Direction, Edits, EncodeError, Frame, Info, Key, Limits, Reply, Segments, Split,
    Value, Visit,
};

use crate::sink::Sink;
use crate::walk::Walk;
use crate::{LoadError, abi, checked, info};

/// A codec behind the C ABI.
pub struct PluginCodec {
    /// The table itself, which plugins get back as the first argument.
    address: *const abi::Codec,
    /// What it holds.
    table: abi::Codec,
    split: abi::SplitFn,
    info: Info,
}

// SAFETY: the ABI has the table stay as it is for good, and its functions be called from any thread.
unsafe impl Send for PluginCodec {}
// SAFETY: as above, several at a time.
unsafe impl Sync for PluginCodec {}

/// What a plugin remembers of one connection.
pub struct State {
    codec: *const abi::Codec,
    state: *mut c_void,
    free: Option<abi::StateFree>,
    /// Where `split` puts its answers; too large to be cleared for each frame.
    out: abi::Split,
}

// SAFETY: the ABI has a state be used by one thread at a time, any of them; `out` holds strings that are read right after
// the call that set them.
unsafe impl Send for State {}

impl Drop for State {
    fn drop(&mut self) {
        if let (Some(free), false) = (self.free, self.state.is_null()) {
            // SAFETY: `state_new` of the same codec made it, and it is given back once.
            unsafe { free(self.codec, self.state) }
        }
    }
}

impl fmt::Debug for PluginCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginCodec").field("name", &self.info.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl PluginCodec {
    /// The codec of a table; `origin` is where it comes from, for errors.
    ///
    /// # Errors
    /// [`LoadError`] if the table is of another version, or says what cannot be.
    ///
    /// # Safety
    /// `table` is null, or points to a `metaprotocol_codec` of the size that it says, which keeps to the contract of its header
    /// and stays as it is for as long as the process lives.
    pub unsafe fn from_table(table: *const abi::Codec, origin: &str) -> Result<Self, LoadError> {
        let fail = |what| LoadError::new(origin, what);
        // SAFETY: the caller's promise.
        let copied = unsafe { info::table(table) }.map_err(fail)?;
        let info = info::info(&copied).map_err(fail)?;
        let Some(split) = copied.split else { return Err(fail("split is NULL".into())) };
        Ok(Self { address: table, table: copied, split, info })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    fn key_id(&self, name: &str) -> u32 {
        self.info.keys.iter().position(|key| key.name == name).map_or(abi::NO_KEY, |at| at as u32)
    }

    fn walk<'a>(
        &self,
        fields: abi::FieldsFn,
        frame: Frame<'a>,
        limits: &Limits,
        visit: &mut Visit<'_, 'a>,
    ) -> Result<(), DecodeError> {
        let mut error = abi::Error::EMPTY;
        let mut walk = Walk::new(frame.bytes, visit, limits, self.info.keys.len());
        let (visit, visitor) = walk.visitor();
        let (frame, limits) = (checked::frame(frame), checked::limits(limits));
        // SAFETY: a function of the ABI; all that it gets is valid until it returns.
        let status =
            unsafe { fields(self.address, &raw const frame, &raw const limits, visit, visitor, &raw mut error) };
        walk.end(status, &error)
    }

    fn raw_edits<'e>(&self, edits: &'e Edits<'_>) -> Vec<(&'e str, abi::Edit)> {
        let raw = |key: &'e str, remove: bool, value: abi::Value| {
            let edit = abi::Edit {
                key: key.as_ptr().cast(),
                key_len: key.len(),
                key_id: self.key_id(key),
                remove: remove.into(),
                value,
            };
            (key, edit)
        };
        let removed = edits.remove.iter().map(|key| raw(key, true, no_value()));
        removed.chain(edits.set.iter().map(|(key, value)| raw(key, false, raw_value(value)))).collect()
    }
}

fn no_value() -> abi::Value {
    abi::Value { r#type: abi::TEXT, reserved: 0, number: 0, text: c"".as_ptr(), len: 0 }
}

fn raw_value(value: &Value<'_>) -> abi::Value {
    match value {
        Value::Str(text) => abi::Value { text: text.as_ptr().cast(), len: text.len() as u64, ..no_value() },
        Value::Int(number) => abi::Value { r#type: abi::INT, number: number.cast_unsigned(), ..no_value() },
        Value::UInt(number) => abi::Value { r#type: abi::UINT, number: *number, ..no_value() },
    }
}

/// The error that a plugin filled in for these edits of a frame of `len` bytes.
fn encode_error(raw: &abi::EncodeError, edits: &[&str], len: usize) -> EncodeError {
    // SAFETY: the ABI has strings of errors end in NUL and stay until the next call of this thread.
    let text = unsafe { checked::c_text(raw.text, 256) };
    let key = match raw.edit {
        abi::EDIT_REQUEST_ID => Some("request_id"),
        at => edits.get(at as usize).copied(),
    };
    let why = text.map(|text| Cow::Owned(String::from_utf8_lossy(text).into_owned()));
    match (raw.kind, key, why) {
        (abi::NOT_WRITABLE, Some(key), Some(why)) => EncodeError::NotWritable { key: key.to_owned(), why },
        (abi::VALUE_REFUSED, Some(key), Some(expected)) => EncodeError::BadValue { key: key.to_owned(), expected },
        (abi::TOO_LONG, ..) => EncodeError::TooLong { len: raw.len, max: raw.max },
        (abi::MALFORMED, ..) => checked::error(&raw.malformed, len).into(),
        (abi::NO_REPLY, _, Some(why)) => EncodeError::NoReply { why },
        (abi::NOT_WRITABLE | abi::VALUE_REFUSED | abi::NO_REPLY, ..) => {
            checked::fault("an error names no edit that there is, or lacks its text").into()
        }
        _ => checked::fault("an error has a kind that is not in the ABI").into(),
    }
}

impl Codec for PluginCodec {
    type State = State;

    fn info(&self) -> &Info {
        &self.info
    }

    fn state(&self) -> State {
        // SAFETY: a function of the ABI, on its own table.
        let state = self.table.state_new.map_or(std::ptr::null_mut(), |new| unsafe { new(self.address) });
        let out = abi::Split { head: abi::Head::default(), need: 0, error: abi::Error::EMPTY };
        State { codec: self.address, state, free: self.table.state_free, out }
    }

    #[inline]
    fn split(
        &self,
        state: &mut State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        let out = &mut state.out;
        out.head = abi::Head::default();
        out.need = 0;
        out.error.reason = 0;
        let limits = checked::limits(limits);
        // SAFETY: a function of the ABI; all that it gets is valid until it returns, and the state is its own.
        let status = unsafe {
            (self.split)(
                self.address,
                state.state,
                direction as u32,
                &raw const limits,
                buf.as_ptr(),
                buf.len(),
                &raw mut *out,
            )
        };
        checked::split(status, out, buf.len())
    }

    fn key(&self, name: &str) -> Key {
        Key { name: name.into(), id: self.key_id(name) as u16 }
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        let mut found = None;
        let Some(field) = self.table.field else {
            let Some(fields) = self.table.fields else { return Ok(None) };
            self.walk(fields, frame, limits, &mut |name, value| {
                if *name == *key.name {
                    found = Some(value);
                }
                ControlFlow::Continue(())
            })?;
            return Ok(found);
        };
        let mut visit = |_: &str, value| {
            found = Some(value);
            ControlFlow::Continue(())
        };
        let mut error = abi::Error::EMPTY;
        let mut walk = Walk::new(frame.bytes, &mut visit, limits, self.info.keys.len());
        let (visit, visitor) = walk.visitor();
        let (frame, limits) = (checked::frame(frame), checked::limits(limits));
        // SAFETY: a function of the ABI; all that it gets is valid until it returns.
        let status = unsafe {
            field(
                self.address,
                &raw const frame,
                &raw const limits,
                key.id.into(),
                key.name.as_ptr().cast(),
                key.name.len(),
                visit,
                visitor,
                &raw mut error,
            )
        };
        walk.end(status, &error)?;
        Ok(found)
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        self.table.fields.map_or(Ok(()), |fields| self.walk(fields, frame, limits, visit))
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        if edits.is_empty() {
            return Ok(vec![Cow::Borrowed(frame.bytes)]);
        }
        let (keys, list): (Vec<&str>, Vec<abi::Edit>) = self.raw_edits(edits).into_iter().unzip();
        let Some(rewrite) = self.table.rewrite else {
            let key = keys.first().copied().unwrap_or("request_id").to_owned();
            return Err(EncodeError::NotWritable { key, why: "this codec does not rewrite frames".into() });
        };
        let raw = abi::Edits {
            edits: list.as_ptr(),
            edit_count: list.len(),
            request_id: edits.request_id.unwrap_or_default(),
            has_request_id: edits.request_id.is_some().into(),
            reserved: 0,
        };
        let mut sink = Sink::new(frame.bytes, limits.max_frame_len);
        let (raw_sink, raw_frame, raw_limits) = (sink.raw(), checked::frame(frame), checked::limits(limits));
        let mut error = abi::EncodeError::EMPTY;
        // SAFETY: a function of the ABI; all that it gets is valid until it returns.
        let status = unsafe {
            rewrite(
                self.address,
                &raw const raw_frame,
                &raw const raw,
                &raw const raw_limits,
                &raw const raw_sink,
                &raw mut error,
            )
        };
        match status {
            abi::OK => sink.end(),
            abi::FAIL => Err(encode_error(&error, &keys, frame.bytes.len())),
            _ => Err(checked::fault("rewrite returned a number that is not in the ABI").into()),
        }
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        let Some(function) = self.table.reply else {
            return Err(EncodeError::NoReply { why: "this codec makes no replies".into() });
        };
        let (what, message) = match reply {
            Reply::Error(error, message) => (error as u32, message),
            Reply::Heartbeat => (abi::ANSWER_HEARTBEAT, ""),
        };
        let mut sink = Sink::new(request.bytes, Limits::default().max_frame_len);
        let (raw_sink, raw_frame) = (sink.raw(), checked::frame(request));
        let mut error = abi::EncodeError::EMPTY;
        // SAFETY: a function of the ABI; all that it gets is valid until it returns.
        let status = unsafe {
            function(
                self.address,
                &raw const raw_frame,
                what,
                message.as_ptr().cast(),
                message.len(),
                &raw const raw_sink,
                &raw mut error,
            )
        };
        match status {
            abi::OK => Ok(Some(sink.end()?.concat())),
            abi::NO_ANSWER => Ok(None),
            abi::FAIL => Err(encode_error(&error, &[], request.bytes.len())),
            _ => Err(checked::fault("reply returned a number that is not in the ABI").into()),
        }
    }

    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        let Some(detect) = self.table.detect else { return Detection::No };
        // SAFETY: a function of the ABI; the bytes are valid until it returns.
        match unsafe { detect(self.address, direction as u32, prefix.as_ptr(), prefix.len()) } {
            abi::YES => Detection::Yes,
            abi::NEED_MORE => Detection::NeedMore,
            // Also for what is not in the ABI: there is no place for an error here.
            _ => Detection::No,
        }
    }
}
