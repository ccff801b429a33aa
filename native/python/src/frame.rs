//! `Frame` and its metadata, as Python sees them. Everything but the head is made when asked for.

use std::ops::ControlFlow;

use metaprotocol_core as core;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString};

use crate::chunk::{Chunk, Memory, Speaker};
use crate::model::{self, DirectionArg};
use crate::{errors, model::Head, model::Limits};

/// What only frames of Python codecs carry.
struct Extra {
    id_bytes: Option<Py<PyBytes>>,
    fields: PyOnceLock<Py<PyDict>>,
}

/// One whole protocol message. Its bytes are views; it keeps their owner alive.
///
/// The memory of up to 4096 dropped ones is kept: those of a read full of small frames are so many that Python's allocator
/// would get pages for them from the system, and give them back, with every read.
#[pyclass(frozen, freelist = 4096, module = "metaprotocol")]
pub struct Frame {
    pub chunk: Py<Chunk>,
    /// Offset of the frame's first byte in the chunk.
    pub at: usize,
    pub head: core::Head,
    extra: Option<Box<Extra>>,
    /// The request that this response answers.
    pub request: PyOnceLock<Py<Frame>>,
}

impl Frame {
    /// A frame of a native codec.
    pub fn new(chunk: Py<Chunk>, at: usize, head: core::Head) -> Self {
        Self { chunk, at, head, extra: None, request: PyOnceLock::new() }
    }

    /// A frame of a native codec as an object that the garbage collector passes over.
    ///
    /// PyO3 has every object tracked, though a frame shows the collector nothing but its type; walking all of them, again
    /// and again as more are made, took a quarter of the time that making them takes.
    #[inline]
    pub fn object(py: Python<'_>, chunk: Py<Chunk>, at: usize, head: core::Head) -> PyResult<Bound<'_, Self>> {
        let frame = Bound::new(py, Self::new(chunk, at, head))?;
        // SAFETY: a live object of a type that the collector knows. Its deallocator untracks it too, which may be done twice.
        unsafe { ffi::PyObject_GC_UnTrack(frame.as_ptr().cast()) };
        Ok(frame)
    }

    /// The frame as the core sees it.
    pub fn view(&self) -> core::Frame<'_> {
        let bytes = self.chunk.get().memory.bytes().get(self.at..).unwrap_or_default();
        core::Frame::new(self.head, bytes).unwrap_or(core::Frame { head: self.head, bytes })
    }

    /// Offset of the first byte in the stream.
    pub fn stream_offset(&self) -> u64 {
        self.chunk.get().offset + self.at as u64
    }

    /// A memoryview of part of the frame.
    pub fn part<'py>(&self, py: Python<'py>, from: usize, to: usize) -> PyResult<Bound<'py, PyAny>> {
        self.chunk.get().view(py, self.at + from, self.at + to)
    }

    fn decode_error(&self, py: Python<'_>, codec: &dyn core::AnyCodec, error: &core::DecodeError) -> PyErr {
        let direction = Some(self.chunk.get().direction);
        errors::decode_error_in(py, &codec.info().name, direction, error, self.view().bytes, self.stream_offset())
    }

    /// One metadata value, or `None`.
    pub fn field<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        let chunk = this.chunk.get();
        match &chunk.speaker {
            Speaker::Native(codec, _) => {
                let key = codec.key(key.to_str()?);
                match codec.field(this.view(), &key, &chunk.limits) {
                    Ok(value) => value.map(|value| to_python(py, &value)).transpose(),
                    Err(error) => Err(this.decode_error(py, codec.as_ref(), &error)),
                }
            }
            Speaker::Python(codec) => match codec.bind(py).call_method1("field", (slf, key))? {
                value if value.is_none() => Ok(None),
                value => Ok(Some(value)),
            },
        }
    }

    /// All metadata, as a dictionary of its own.
    pub fn fields<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let (py, this) = (slf.py(), slf.get());
        let chunk = this.chunk.get();
        match &chunk.speaker {
            Speaker::Native(codec, _) => {
                let fields = PyDict::new(py);
                let mut result = Ok(());
                let walked = codec.fields(this.view(), &chunk.limits, &mut |key, value| {
                    result = to_python(py, &value).and_then(|value| fields.set_item(key, value));
                    if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                result?;
                match walked {
                    Ok(()) => Ok(fields),
                    Err(error) => Err(this.decode_error(py, codec.as_ref(), &error)),
                }
            }
            Speaker::Python(codec) => {
                let make = || -> PyResult<Py<PyDict>> {
                    let fields = codec.bind(py).call_method1("fields", (slf,))?;
                    let mapping = fields
                        .cast::<PyMapping>()
                        .map_err(|_| PyTypeError::new_err("Codec.fields must return a mapping of str to str or int"))?;
                    let dict = PyDict::new(py);
                    dict.update(mapping)?;
                    Ok(dict.unbind())
                };
                match &this.extra {
                    Some(extra) => Ok(extra.fields.get_or_try_init(py, make)?.bind(py).clone()),
                    None => Ok(make()?.into_bound(py)),
                }
            }
        }
    }
}

/// A metadata value as Python has it.
pub fn to_python<'py>(py: Python<'py>, value: &core::Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        core::Value::Str(text) => PyString::new(py, text).into_any(),
        core::Value::Int(number) => number.into_pyobject(py)?.into_any(),
        core::Value::UInt(number) => number.into_pyobject(py)?.into_any(),
    })
}

#[pymethods]
impl Frame {
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        model::kind(py, self.head.kind)
    }

    #[getter]
    pub fn request_id<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(id) = self.extra.as_ref().and_then(|extra| extra.id_bytes.as_ref()) {
            return Ok(Some(id.bind(py).clone().into_any()));
        }
        match self.head.request_id {
            core::RequestId::None => Ok(None),
            core::RequestId::Int(id) => Ok(Some(id.into_pyobject(py)?.into_any())),
            core::RequestId::Bytes { at, len } => {
                let at = at as usize;
                let id = self.view().bytes.get(at..at + len as usize).unwrap_or_default();
                Ok(Some(PyBytes::new(py, id).into_any()))
            }
        }
    }

    #[getter]
    fn stream_id(&self) -> Option<u64> {
        self.head.stream_id
    }

    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, 0, self.head.frame_len)
    }

    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, 0, self.head.header_len as usize)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.part(py, self.head.header_len as usize, self.head.frame_len)
    }

    #[getter]
    fn offset(&self) -> u64 {
        self.stream_offset()
    }

    #[getter]
    fn direction<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        model::direction(py, self.chunk.get().direction)
    }

    #[getter]
    fn codec<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.chunk.get().speaker.object(py)
    }

    #[getter]
    fn metadata(slf: Bound<'_, Self>) -> Metadata {
        Metadata { frame: slf.unbind(), whole: PyOnceLock::new() }
    }

    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Frame>> {
        self.request.get(py).map(|request| request.bind(py).clone())
    }

    fn __len__(&self) -> usize {
        self.head.frame_len
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.view().bytes)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (py, this) = (slf.py(), slf.get());
        let mut text =
            format!("<Frame {} {}", this.chunk.get().speaker.name(py)?, this.head.kind.name().to_uppercase());
        if let Some(id) = this.request_id(py)? {
            text.push_str(&format!(" id={}", id.repr()?));
        }
        if let Some(id) = this.head.stream_id {
            text.push_str(&format!(" stream={id}"));
        }
        text.push_str(&format!(", {} bytes at {}", this.head.frame_len, this.stream_offset()));
        // A repr must not fail on a frame whose body is broken: that is when it is wanted most.
        match Self::fields(slf) {
            Ok(fields) => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index == 8 {
                        text.push_str(&format!(" … {} more", fields.len() - index));
                        break;
                    }
                    text.push_str(if index == 0 { ": " } else { " " });
                    text.push_str(&format!("{key}={}", value.repr()?));
                }
            }
            Err(error) => text.push_str(&format!(", malformed: {}", error.value(py))),
        }
        text.push('>');
        Ok(text)
    }
}

#[pymethods]
impl Chunk {
    /// For connections of Python codecs: bytes that frames will point into.
    #[new]
    fn for_python(
        codec: Py<PyAny>,
        data: &Bound<'_, PyAny>,
        direction: DirectionArg,
        limits: &Bound<'_, Limits>,
        offset: u64,
    ) -> PyResult<Self> {
        Ok(Self::new(Memory::borrow(data)?, Speaker::Python(codec), direction.0, limits.get().0, offset))
    }

    /// The frame at `at`, as `split` described it.
    fn frame(slf: Bound<'_, Self>, at: usize, head: &Bound<'_, Head>) -> PyResult<Frame> {
        let py = slf.py();
        let head = head.get();
        if at.checked_add(head.head.frame_len).is_none_or(|end| end > slf.get().memory.bytes().len()) {
            return Err(pyo3::exceptions::PyValueError::new_err("the frame runs over the end of its chunk"));
        }
        let extra = Extra { id_bytes: head.id_bytes.as_ref().map(|id| id.clone_ref(py)), fields: PyOnceLock::new() };
        Ok(Frame { chunk: slf.unbind(), at, head: head.head, extra: Some(Box::new(extra)), request: PyOnceLock::new() })
    }

    /// A view of part of the bytes.
    #[pyo3(signature = (from_, to))]
    fn slice<'py>(&self, py: Python<'py>, from_: usize, to: usize) -> PyResult<Bound<'py, PyAny>> {
        self.view(py, from_, to)
    }

    /// Remembers which request a response answers.
    #[staticmethod]
    fn link(response: &Bound<'_, Frame>, request: Py<Frame>) {
        // A frame is linked once; a second request for it would be the connection's error, and the first stays.
        let _already = response.get().request.set(response.py(), request);
    }
}

/// The named values of a frame: a read-only mapping. Looking one up reads no more of the frame than it takes.
#[pyclass(frozen, module = "metaprotocol")]
pub struct Metadata {
    frame: Py<Frame>,
    /// All values, once somebody asked for them: `dict(metadata)` asks for the keys, then for the value of each. A key
    /// that is no UTF-8 on the wire is found by the name it is shown under only here.
    whole: PyOnceLock<Py<PyDict>>,
}

impl Metadata {
    fn whole<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let whole = self.whole.get_or_try_init(py, || Frame::fields(self.frame.bind(py)).map(Bound::unbind))?;
        Ok(whole.bind(py))
    }

    fn find<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(name) = key.cast::<PyString>() else { return Ok(None) };
        if let Some(whole) = self.whole.get(py)
            && let Some(value) = whole.bind(py).get_item(name)?
        {
            return Ok(Some(value));
        }
        Frame::field(self.frame.bind(py), name)
    }
}

#[pymethods]
impl Metadata {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.find(py, key)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.find(py, key)?.or(default))
    }

    fn __contains__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        Ok(self.find(py, key)?.is_some())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.whole(py)?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.whole(py)?.as_any().try_iter()?.into_any())
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("keys")
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("values")
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("items")
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(mapping) = other.cast::<PyMapping>() else { return Ok(false) };
        let theirs = PyDict::new(py);
        theirs.update(mapping)?;
        self.whole(py)?.eq(theirs)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Metadata({})", self.whole(py)?.repr()?))
    }
}
