//! Codecs written in Python behind the core's contract, so that what runs native codecs runs them too.
//!
//! Each verb attaches to the interpreter for one call. Bytes are copied into Python objects: a view of borrowed memory
//! could be kept beyond the call. Of the bytes at hand `split` is shown the front first and more only if it asks for more,
//! so that a chunk of many frames is not copied once for each of them.
//!
//! What a codec raises besides `DecodeError` and `EncodeError`, and what it returns against its contract, ends the stream
//! with [`Reason::InvalidCodec`] and is kept in [`Failures`] for whoever shows it. What must stop the program
//! (`KeyboardInterrupt`) is kept apart; until somebody takes it no verb calls Python again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use metaprotocol_core::{
    AnyCodec, Codec, DecodeError, Detection, Direction, Edits, EncodeError, FirstSpeaker, Frame, Head, Info, Key,
    KeyInfo, Limits, PairBy, Reason, Reply, RequestId, Segments, Sharing, Split, Value, Visit, intern,
};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyMemoryView, PyString};
use pyo3::{PyTraverseError, PyVisit, intern as interned};

use crate::chunk::{Chunk, Memory, Speaker};
use crate::codec::NativeCodec;
use crate::{errors, frame, model};

/// Bytes that `split` is shown at first, and by how much more if it asks: headers are shorter, and this costs less to copy
/// than Python takes for the call.
const FIRST_LOOK: usize = 1 << 10;
const MORE: usize = 4;
/// Exceptions kept of one codec; the others are counted.
const KEPT: usize = 8;
/// The most different texts of errors that are kept for ever, of each sort, and the longest, in bytes. They may hold values
/// from the wire; the errors of the core are `Copy` and cannot own them. Beyond, an error is told by its code alone.
const TEXTS_MAX: usize = 1 << 10;
const TEXT_LEN: usize = 200;

/// What a codec raised or did against its contract.
pub struct Failed {
    /// The codec's name.
    pub name: String,
    /// How many times.
    pub count: u64,
    /// The first of it.
    pub exceptions: Vec<Py<pyo3::exceptions::PyBaseException>>,
}

/// What the codecs of one decoder raised or did against their contract, until somebody takes it.
#[derive(Default)]
pub struct Failures {
    failed: Mutex<Vec<Failed>>,
    interrupt: Mutex<Option<Py<pyo3::exceptions::PyBaseException>>>,
    interrupted: AtomicBool,
}

/// Plain data, and nobody runs Python with it locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Failures {
    /// Keeps an exception; gives what the stream's error says of it.
    fn keep(&self, py: Python<'_>, name: &str, verb: &str, error: PyErr) -> &'static str {
        let kind = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
        let stops = !error.is_instance_of::<PyException>(py);
        let exception = error.into_value(py);
        // Dropped, and so perhaps destroyed by code in Python, after the locks.
        let _spare = if stops {
            let before = lock(&self.interrupt).replace(exception);
            self.interrupted.store(true, Ordering::Release);
            before
        } else {
            self.count(name, exception)
        };
        NAMES.keep(&format!("{verb} raised {kind}")).unwrap_or("it raised an exception")
    }

    fn count(
        &self,
        name: &str,
        exception: Py<pyo3::exceptions::PyBaseException>,
    ) -> Option<Py<pyo3::exceptions::PyBaseException>> {
        let mut failed = lock(&self.failed);
        let Some(known) = failed.iter_mut().find(|known| known.name == name) else {
            failed.push(Failed { name: name.to_owned(), count: 1, exceptions: vec![exception] });
            return None;
        };
        known.count += 1;
        if known.exceptions.len() < KEPT {
            known.exceptions.push(exception);
            return None;
        }
        Some(exception)
    }

    /// What was kept since the last call.
    pub fn take(&self) -> Vec<Failed> {
        std::mem::take(&mut *lock(&self.failed))
    }

    /// Raises what must stop the program, once.
    pub fn check(&self, py: Python<'_>) -> PyResult<()> {
        if !self.interrupted.load(Ordering::Acquire) {
            return Ok(());
        }
        let taken = lock(&self.interrupt).take();
        self.interrupted.store(false, Ordering::Release);
        taken.map_or(Ok(()), |exception| Err(PyErr::from_value(exception.into_bound(py).into_any())))
    }

    /// For the garbage collector: a traceback leads to the callers of a decoder, which may hold the decoder.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Who has it locked is not done with it: then it is not garbage.
        let Ok(failed) = self.failed.try_lock() else { return Ok(()) };
        for exception in failed.iter().flat_map(|failed| &failed.exceptions) {
            visit.call(exception)?;
        }
        Ok(())
    }
}

/// Texts that live as long as the process, as the errors of the core need them. Bounded in number and length.
#[derive(Default)]
struct Texts(Mutex<HashSet<&'static str>>);

/// What codecs say is wrong with bytes.
static REASONS: LazyLock<Texts> = LazyLock::new(Texts::default);
/// Codes of reasons, and what was raised in which verb: as many as codecs are written, unless one makes them up. Apart, so
/// that what comes from the wire takes no place from them.
static NAMES: LazyLock<Texts> = LazyLock::new(Texts::default);

impl Texts {
    /// The text, cut to its bound; `None` if there are too many already.
    fn keep(&self, text: &str) -> Option<&'static str> {
        let mut end = text.len().min(TEXT_LEN);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let shown = text.get(..end).unwrap_or_default();
        let mut texts = lock(&self.0);
        if let Some(known) = texts.get(shown) {
            return Some(known);
        }
        if texts.len() >= TEXTS_MAX {
            return None;
        }
        let kept = intern(shown);
        texts.insert(kept);
        Some(kept)
    }
}

/// The codec behind a Python object: a native one itself, one written in Python behind [`PyCodec`].
///
/// # Errors
/// `TypeError` if it is neither; what its attributes raise.
pub fn any_codec(object: &Bound<'_, PyAny>, failures: &Arc<Failures>) -> PyResult<(Arc<dyn AnyCodec>, bool)> {
    if let Ok(native) = object.cast::<NativeCodec>() {
        return Ok((Arc::clone(&native.get().codec), false));
    }
    let class = object.py().import("metaprotocol.codec")?.getattr("Codec")?;
    if !object.is_instance(&class)? {
        return Err(PyTypeError::new_err(format!("codecs must be instances of metaprotocol.Codec, not {object:?}")));
    }
    Ok((Arc::new(PyCodec::new(object, Arc::clone(failures))?), true))
}

/// The native face of a codec: what decoders and proxies run. What a codec written in Python raises is told by
/// `InvalidCodec` alone.
#[pyfunction]
pub fn bridge(codec: &Bound<'_, PyAny>) -> PyResult<NativeCodec> {
    any_codec(codec, &Arc::default()).map(|(codec, _)| NativeCodec { codec, source: None })
}

/// A codec written in Python.
pub struct PyCodec {
    object: Py<PyAny>,
    info: Info,
    failures: Arc<Failures>,
}

/// What one connection remembers.
pub struct State {
    /// What `new_state` returned; `None` if it failed.
    object: Option<Py<PyAny>>,
    /// The limits as Python knows them, made once.
    limits: Option<Py<model::Limits>>,
    /// By direction: bytes that `split` has been shown in vain.
    seen: [usize; 2],
}

impl PyCodec {
    /// # Errors
    /// What the object's attributes raise, or an error if they are not what `metaprotocol.Codec` says.
    pub fn new(object: &Bound<'_, PyAny>, failures: Arc<Failures>) -> PyResult<Self> {
        Ok(Self { object: object.clone().unbind(), info: info(object)?, failures })
    }

    /// Calls Python. `None` if there is no interpreter any more, or the program is being stopped.
    fn attached<T>(&self, act: impl FnOnce(Python<'_>) -> T) -> Option<T> {
        if self.failures.interrupted.load(Ordering::Acquire) {
            return None;
        }
        Python::try_attach(act)
    }

    fn call<T>(&self, verb: &str, act: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, DecodeError> {
        let called = self.attached(|py| act(py).map_err(|error| self.decode_error(py, verb, error)));
        called.unwrap_or(Err(STOPPED))
    }

    fn decode_error(&self, py: Python<'_>, verb: &str, error: PyErr) -> DecodeError {
        let known = match errors::is_decode_error(py, &error) {
            Ok(true) => told(error.value(py)),
            Ok(false) => Err(error),
            Err(failed) => Err(failed),
        };
        known.unwrap_or_else(|error| self.failed(py, verb, error))
    }

    #[cold]
    fn failed(&self, py: Python<'_>, verb: &str, error: PyErr) -> DecodeError {
        Reason::InvalidCodec { what: self.failures.keep(py, &self.info.name, verb, error) }.at(0)
    }

    /// `edits` names what was to be done, for errors that do not say which key they are about.
    fn encode<T>(
        &self,
        verb: &str,
        edits: Option<&Edits<'_>>,
        act: impl FnOnce(Python<'_>) -> PyResult<T>,
    ) -> Result<T, EncodeError> {
        let called = self.attached(|py| {
            act(py).map_err(|error| match errors::is_encode_error(py, &error) {
                Ok(true) => refused(error.value(py), edits).unwrap_or_else(|error| self.failed(py, verb, error).into()),
                Ok(false) => self.decode_error(py, verb, error).into(),
                Err(failed) => self.failed(py, verb, failed).into(),
            })
        });
        called.unwrap_or(Err(EncodeError::Malformed(STOPPED)))
    }

    /// A frame of its own bytes, as the codec's verbs take it. It stands at offset 0, whatever its place in the stream, so
    /// that offsets in errors count from the frame's first byte.
    fn frame<'py>(
        &self,
        py: Python<'py>,
        frame: Frame<'_>,
        limits: &Limits,
    ) -> PyResult<(Bound<'py, frame::Frame>, Bound<'py, PyBytes>)> {
        let bytes = PyBytes::new(py, frame.bytes);
        let speaker = Speaker::Python(self.object.clone_ref(py));
        let direction = if frame.head.variant == Direction::ServerToClient as u32 {
            Direction::ServerToClient
        } else {
            Direction::ClientToServer
        };
        let chunk = Chunk::new(Memory::borrow(&bytes)?, speaker, direction, *limits, 0);
        Ok((Bound::new(py, frame::Frame::new(Py::new(py, chunk)?, 0, frame.head))?, bytes))
    }

    /// Asks for the frame at the front of `buf`, showing more of it as long as the codec wants more.
    fn ask(
        &self,
        py: Python<'_>,
        state: &mut State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> PyResult<Split> {
        let known = state.limits.as_ref().filter(|known| known.get().0 == *limits);
        let limits = match known {
            Some(known) => known.clone_ref(py),
            None => state.limits.insert(Py::new(py, model::Limits(*limits))?).clone_ref(py),
        };
        let options = PyDict::new(py);
        options.set_item(interned!(py, "direction"), model::direction(py, direction)?)?;
        options.set_item(interned!(py, "limits"), limits)?;
        options.set_item(interned!(py, "state"), &state.object)?;
        let seen = &mut state.seen[direction as usize];
        let mut shown = FIRST_LOOK.max(*seen).min(buf.len());
        loop {
            let bytes = PyBytes::new(py, buf.get(..shown).unwrap_or(buf));
            let view = PyMemoryView::from(&bytes)?;
            let answer = self.object.bind(py).call_method(interned!(py, "split"), (view,), Some(&options))?;
            if let Ok(head) = answer.cast::<model::Head>() {
                *seen = 0;
                return self.head(head.get(), &bytes, direction).map(Split::Head);
            }
            let Ok(need) = answer.cast::<model::NeedMore>() else {
                return Err(self.broken(py, &format!("split returned {answer:?}; it must return a Head or NeedMore")));
            };
            let wanted = shown.saturating_add(need.get().at_least());
            if wanted > buf.len() {
                *seen = buf.len();
                return Ok(Split::Need(wanted - buf.len()));
            }
            shown = wanted.max(shown.saturating_mul(MORE)).min(buf.len());
        }
    }

    fn head(&self, head: &model::Head, bytes: &Bound<'_, PyBytes>, direction: Direction) -> PyResult<Head> {
        let py = bytes.py();
        let request_id = match &head.id_bytes {
            None => head.head.request_id,
            Some(id) => {
                // Python looks for it in linear time, whatever a peer has chosen.
                let at: isize = bytes.call_method1(interned!(py, "find"), (id, 0, head.head.frame_len))?.extract()?;
                let len = id.as_bytes(py).len();
                match (u32::try_from(at), u32::try_from(len)) {
                    (Ok(at), Ok(len)) => RequestId::Bytes { at, len },
                    _ => {
                        let id = id.bind(py);
                        return Err(self.broken(
                            py,
                            &format!(
                                "split gave the request_id {id:?}, which the frame's header does not hold; \
                                      an id of bytes must stand there as it is, or be an integer"
                            ),
                        ));
                    }
                }
            }
        };
        Ok(Head { request_id, variant: direction as u32, ..head.head })
    }

    /// Something that the contract forbids, as the exception that says so.
    fn broken(&self, py: Python<'_>, what: &str) -> PyErr {
        let class = self.object.bind(py).get_type();
        let class = class.name().map_or_else(|_| self.info.name.to_string(), |name| name.to_string());
        errors::invalid_codec(py, &format!("{class}.{what}"))
    }

    fn value(&self, value: &Bound<'_, PyAny>, key: &str) -> PyResult<Value<'static>> {
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Value::Str(Cow::Owned(text.to_string_lossy().into_owned())));
        }
        if value.is_instance_of::<PyInt>() {
            if let Ok(number) = value.extract::<i64>() {
                return Ok(Value::Int(number));
            }
            if let Ok(number) = value.extract::<u64>() {
                return Ok(Value::UInt(number));
            }
        }
        Err(self.broken(value.py(), &format!("fields gave {key} = {value:?}; values are str, or int of 64 bits")))
    }
}

const STOPPED: DecodeError =
    DecodeError { reason: Reason::InvalidCodec { what: "it was stopped with the program" }, offset: 0 };

impl Codec for PyCodec {
    type State = State;

    fn info(&self) -> &Info {
        &self.info
    }

    fn state(&self) -> State {
        let made = self.call("new_state", |py| self.object.call_method0(py, interned!(py, "new_state")));
        State { object: made.ok(), limits: None, seen: [0; 2] }
    }

    fn split(
        &self,
        state: &mut State,
        direction: Direction,
        limits: &Limits,
        buf: &[u8],
    ) -> Result<Split, DecodeError> {
        if state.object.is_none() {
            return Err(Reason::InvalidCodec { what: "new_state failed" }.at(0));
        }
        self.call("split", |py| self.ask(py, state, direction, limits, buf))
    }

    fn field<'a>(&self, frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
        self.call("field", |py| {
            let (frame, _) = self.frame(py, frame, limits)?;
            let value = self.object.bind(py).call_method1(interned!(py, "field"), (frame, &*key.name))?;
            if value.is_none() { Ok(None) } else { self.value(&value, &key.name).map(Some) }
        })
    }

    fn fields<'a>(&self, frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
        self.call("fields", |py| {
            let (frame, _) = self.frame(py, frame, limits)?;
            for (key, value) in frame::Frame::fields(&frame)? {
                let Ok(key) = key.cast::<PyString>() else {
                    return Err(self.broken(py, &format!("fields gave the key {key:?}; keys are str")));
                };
                let key = key.to_string_lossy();
                let value = self.value(&value, &key)?;
                if visit(&key, value) == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn rewrite<'a>(&self, frame: Frame<'a>, edits: &Edits<'_>, limits: &Limits) -> Result<Segments<'a>, EncodeError> {
        self.encode("rewrite", Some(edits), |py| {
            let (object, bytes) = self.frame(py, frame, limits)?;
            let options = PyDict::new(py);
            let set = PyDict::new(py);
            for (key, value) in &edits.set {
                set.set_item(key, frame::to_python(py, value)?)?;
            }
            options.set_item(interned!(py, "set"), set)?;
            options.set_item(interned!(py, "remove"), PyList::new(py, &edits.remove)?)?;
            options.set_item(interned!(py, "request_id"), edits.request_id)?;
            let pieces = self.object.bind(py).call_method(interned!(py, "rewrite"), (object,), Some(&options))?;
            let ours = bytes.as_bytes();
            let mut segments = Segments::new();
            for piece in pieces.try_iter()? {
                let memory = Memory::borrow(&piece?)?;
                let piece = memory.bytes();
                let from = (piece.as_ptr() as usize).wrapping_sub(ours.as_ptr() as usize);
                // A view of the copy that the codec was given stands for the same bytes of the frame.
                let same = from.checked_add(piece.len()).and_then(|to| frame.bytes.get(from..to));
                segments.push(match same {
                    Some(same) => Cow::Borrowed(same),
                    None => Cow::Owned(piece.to_vec()),
                });
            }
            Ok(segments)
        })
    }

    fn reply(&self, request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
        self.encode("reply", None, |py| {
            let (request, _) = self.frame(py, request, &Limits::default())?;
            let (error, message) = match reply {
                Reply::Heartbeat => (None, ""),
                Reply::Error(error, message) => (Some(model::error_type(py, error)?), message),
            };
            let answer = self.object.bind(py).call_method1(interned!(py, "reply"), (request, error, message))?;
            if answer.is_none() { Ok(None) } else { Ok(Some(Memory::borrow(&answer)?.bytes().to_vec())) }
        })
    }

    /// A codec that fails here is not the stream's.
    fn detect(&self, direction: Direction, prefix: &[u8]) -> Detection {
        let said = self.call("detect", |py| {
            let view = PyMemoryView::from(&PyBytes::new(py, prefix))?;
            let options = PyDict::new(py);
            options.set_item(interned!(py, "direction"), model::direction(py, direction)?)?;
            let said = self.object.bind(py).call_method(interned!(py, "detect"), (view,), Some(&options))?;
            let number = said.cast::<PyInt>().ok().and_then(|number| number.extract::<usize>().ok());
            let all = [Detection::Yes, Detection::No, Detection::NeedMore];
            number.and_then(|number| all.get(number)).copied().ok_or_else(|| {
                self.broken(py, &format!("detect returned {said:?}; it must return a member of Detection"))
            })
        });
        said.unwrap_or(Detection::No)
    }
}

/// A `DecodeError` of Python as one of the core. Only what carries numbers has a reason of its own there.
fn told(error: &Bound<'_, PyAny>) -> PyResult<DecodeError> {
    let offset = error.getattr("offset")?.extract::<u64>()?;
    let code: PyBackedStr = error.getattr("code")?.extract()?;
    let limits = ["max_frame_len", "max_header_len", "max_nesting", "max_field_count", "max_in_flight"];
    if let Ok(limit) = error.getattr("limit")
        && let Some(limit) =
            limit.extract::<PyBackedStr>().ok().and_then(|name| limits.into_iter().find(|known| **known == *name))
        && let (Ok(value), Ok(max)) = (error.getattr("value")?.extract(), error.getattr("maximum")?.extract())
    {
        return Ok(DecodeError { reason: Reason::LimitExceeded { limit, value, max }, offset });
    }
    let code = NAMES.keep(&code).unwrap_or("other");
    let what: PyBackedStr = error.getattr("reason")?.extract()?;
    Ok(DecodeError { reason: Reason::Custom { code, what: REASONS.keep(&what).unwrap_or(code) }, offset })
}

/// An `EncodeError` of Python as one of the core.
fn refused(error: &Bound<'_, PyAny>, edits: Option<&Edits<'_>>) -> PyResult<EncodeError> {
    let why: String = error.getattr("reason")?.extract()?;
    let Some(edits) = edits else { return Ok(EncodeError::NoReply { why: why.into() }) };
    let key: Option<String> = error.getattr("key")?.extract()?;
    let key = key.unwrap_or_else(|| {
        let mut keys: Vec<&str> = edits.set.iter().map(|(key, _)| *key).chain(edits.remove.iter().copied()).collect();
        keys.extend(edits.request_id.map(|_| "request_id"));
        keys.join(", ")
    });
    Ok(EncodeError::NotWritable { key, why: why.into() })
}

/// What a codec says of itself, read once.
fn info(codec: &Bound<'_, PyAny>) -> PyResult<Info> {
    fn member<T: Copy>(codec: &Bound<'_, PyAny>, name: &str, all: &[T]) -> PyResult<T> {
        let value = codec.getattr(name)?;
        let number = value.extract::<usize>().ok();
        number.and_then(|number| all.get(number)).copied().ok_or_else(|| {
            errors::invalid_codec(codec.py(), &format!("{name} is {value:?}, which is no member of its enum"))
        })
    }
    let texts = |name: &str| -> PyResult<Vec<Cow<'static, str>>> {
        codec.getattr(name)?.try_iter()?.map(|text| Ok(Cow::Owned(text?.extract::<String>()?))).collect()
    };
    let keys = codec.getattr("keys")?.try_iter()?.map(|key| {
        let (name, about, writable, number): (String, String, bool, bool) = key?.extract()?;
        Ok(KeyInfo { name: name.into(), about: about.into(), writable, number })
    });
    Ok(Info {
        name: Cow::Owned(codec.getattr("name")?.extract()?),
        aliases: texts("aliases")?.into(),
        summary: Cow::Owned(codec.getattr("summary")?.extract()?),
        pair_by: member(codec, "pair_by", &[PairBy::Id, PairBy::Order, PairBy::Stream, PairBy::None])?,
        sharing: member(codec, "sharing", &[Sharing::Multiplexed, Sharing::Pipelined, Sharing::Bound])?,
        first_speaker: member(codec, "first_speaker", &[FirstSpeaker::Client, FirstSpeaker::Server])?,
        heartbeats: codec.getattr("heartbeats")?.extract()?,
        min_header_len: codec.getattr("min_header_len")?.extract()?,
        keys: keys.collect::<PyResult<Vec<_>>>()?.into(),
        open_keys: codec.getattr("open_keys")?.extract()?,
    })
}
