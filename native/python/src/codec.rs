//! Native codecs as Python objects.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use metaprotocol_core as core;
use metaprotocol_plugin::{LoadError, PluginCodec, abi};
use metaprotocol_spec::SpecCodec;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyCapsuleMethods, PyDict, PyInt, PyList, PyMapping, PyString};

use crate::chunk::{Chunk, Memory, Speaker};
use crate::connection::Connection;
use crate::errors;
use crate::frame::Frame;
use crate::model::{self, DirectionArg, ErrorTypeArg, Head, Limits, NeedMore};

/// A codec of the native core. Immutable and shared: use it from any thread.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct NativeCodec {
    pub codec: Arc<dyn core::AnyCodec>,
    /// Where `metaprotocol.load_codec` finds it again; none for those that have their name everywhere.
    pub source: Option<String>,
}

/// One object for each built-in codec.
#[pyfunction]
pub fn builtin_codecs() -> Vec<NativeCodec> {
    let all = metaprotocol_registry::codecs().iter();
    all.map(|codec| NativeCodec { codec: Arc::clone(codec), source: None }).collect()
}

fn invalid(py: Python<'_>, error: &LoadError) -> PyErr {
    errors::invalid_codec(py, &error.to_string())
}

/// The codecs of a compiled plugin.
#[pyfunction]
pub fn open_library(py: Python<'_>, path: PathBuf) -> PyResult<Vec<NativeCodec>> {
    // Initialisers of a library may take their time, and may want the GIL.
    let codecs = py.detach(|| metaprotocol_plugin::open(&path)).map_err(|error| invalid(py, &error))?;
    // Other processes may stand in another directory.
    let path = path.canonicalize().unwrap_or(path);
    let alone = codecs.len() == 1;
    let source = |name: &str| if alone { path.display().to_string() } else { format!("{}:{name}", path.display()) };
    let native = |codec: PluginCodec| NativeCodec { source: Some(source(codec.name())), codec: Arc::new(codec) };
    Ok(codecs.into_iter().map(native).collect())
}

/// The codec in a capsule that a Python module of a compiled plugin holds.
#[pyfunction]
#[pyo3(signature = (capsule, source=None))]
pub fn codec_from_capsule(capsule: &Bound<'_, PyCapsule>, source: Option<String>) -> PyResult<NativeCodec> {
    let py = capsule.py();
    let origin = source.clone().unwrap_or_else(|| "a capsule".to_owned());
    let table = capsule.pointer_checked(Some(abi::CAPSULE_NAME)).map_err(|_| {
        errors::invalid_codec(
            py,
            &format!("{origin}: the capsule must have the name {:?}", abi::CAPSULE_NAME.to_string_lossy()),
        )
    })?;
    // SAFETY: a capsule of this name holds a table that keeps to the contract of the header.
    let codec = unsafe { PluginCodec::from_table(table.as_ptr().cast_const().cast(), &origin) };
    let codec = codec.map_err(|error| invalid(py, &error))?;
    // The table may be the capsule's own, and codecs have no owner that would know when it is no longer used.
    std::mem::forget(capsule.clone());
    Ok(NativeCodec { codec: Arc::new(codec), source })
}

/// The codec that a YAML description makes. `path` names it in errors.
#[pyfunction]
pub fn compile_codec(py: Python<'_>, text: &str, path: &str) -> PyResult<NativeCodec> {
    match metaprotocol_spec::compile(text, path) {
        Ok(codec) => Ok(NativeCodec { codec: Arc::new(codec), source: Some(path.to_owned()) }),
        Err(problems) => Err(errors::spec_errors(py, &problems)),
    }
}

/// What a YAML description says, as JSON: the layout, the rules, the keys, the replies.
#[pyfunction]
pub fn describe_codec(py: Python<'_>, text: &str, path: &str) -> PyResult<String> {
    metaprotocol_spec::describe(text, path).map_err(|problems| errors::spec_errors(py, &problems))
}

/// The bytes of a hex text.
#[pyfunction]
pub fn read_hex<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyBytes>> {
    match metaprotocol_decode::read_hex(text.as_bytes()) {
        Ok(bytes) => Ok(PyBytes::new(py, &bytes)),
        Err(error) => Err(PyValueError::new_err(error.to_string())),
    }
}

/// Name, type, first byte, length, whether it lies within the field before it, region, value.
type Place = (String, String, usize, usize, bool, &'static str, String);

fn limits_or_default(limits: Option<&Bound<'_, Limits>>) -> core::Limits {
    limits.map(|limits| limits.get().0).unwrap_or_default()
}

impl NativeCodec {
    fn described(&self) -> Option<&SpecCodec> {
        self.codec.as_any().downcast_ref()
    }

    fn name_str(&self) -> &str {
        &self.codec.info().name
    }

    /// The frame's bytes, if the frame is this codec's.
    fn own<'a>(&self, frame: &'a Bound<'_, Frame>) -> PyResult<core::Frame<'a>> {
        match &frame.get().chunk.get().speaker {
            Speaker::Native(codec, _) if Arc::ptr_eq(codec, &self.codec) => Ok(frame.get().view()),
            other => Err(PyValueError::new_err(format!(
                "this is a frame of {}, not of {}; use frame.codec",
                other.name(frame.py())?,
                self.name_str()
            ))),
        }
    }

    fn encode_error(&self, frame: &Bound<'_, Frame>, error: &core::EncodeError) -> PyErr {
        let this = frame.get();
        let direction = Some(this.chunk.get().direction);
        errors::encode_error(frame.py(), self.name_str(), direction, error, this.view().bytes, this.stream_offset())
    }
}

#[pymethods]
impl NativeCodec {
    #[getter]
    fn name(&self) -> &str {
        self.name_str()
    }

    #[getter]
    fn aliases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
        pyo3::types::PyTuple::new(py, self.codec.info().aliases.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
    }

    #[getter]
    fn summary(&self) -> &str {
        &self.codec.info().summary
    }

    #[getter]
    fn pair_by<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        model::pair_by(py, self.codec.info().pair_by)
    }

    #[getter]
    fn sharing<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        model::sharing(py, self.codec.info().sharing)
    }

    #[getter]
    fn first_speaker<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        model::first_speaker(py, self.codec.info().first_speaker)
    }

    #[getter]
    fn heartbeats(&self) -> bool {
        self.codec.info().heartbeats
    }

    #[getter]
    fn min_header_len(&self) -> u32 {
        self.codec.info().min_header_len
    }

    #[getter]
    fn open_keys(&self) -> bool {
        self.codec.info().open_keys
    }

    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
        let class = py.import("metaprotocol._model")?.getattr("KeyInfo")?;
        let keys = self.codec.info().keys.iter();
        let keys: Vec<_> = keys
            .map(|key| class.call1((key.name.as_ref(), key.about.as_ref(), key.writable, key.number)))
            .collect::<PyResult<_>>()?;
        pyo3::types::PyTuple::new(py, keys)
    }

    #[pyo3(signature = (*, limits=None))]
    fn connection(slf: &Bound<'_, Self>, limits: Option<&Bound<'_, Limits>>) -> Connection {
        Connection::new(slf, limits_or_default(limits))
    }

    #[pyo3(signature = (buffer, *, direction=DirectionArg(core::Direction::ClientToServer), limits=None))]
    fn split<'py>(
        &self,
        buffer: &Bound<'py, PyAny>,
        direction: DirectionArg,
        limits: Option<&Bound<'py, Limits>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = buffer.py();
        let memory = Memory::borrow(buffer)?;
        match self.codec.split(direction.0, &limits_or_default(limits), memory.bytes()) {
            Ok(core::Split::Head(head)) => {
                let id_bytes = match head.request_id {
                    core::RequestId::Bytes { at, len } => {
                        let at = at as usize;
                        memory.bytes().get(at..at + len as usize).map(|id| PyBytes::new(py, id).unbind())
                    }
                    _ => None,
                };
                Ok(Bound::new(py, Head { head, id_bytes })?.into_any())
            }
            Ok(core::Split::Need(more)) => Ok(Bound::new(py, NeedMore::new(more.max(1))?)?.into_any()),
            Err(error) => {
                Err(errors::decode_error_in(py, self.name_str(), Some(direction.0), &error, memory.bytes(), 0))
            }
        }
    }

    #[pyo3(signature = (data, *, direction=None, limits=None))]
    fn decode(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        direction: Option<DirectionArg>,
        limits: Option<&Bound<'_, Limits>>,
    ) -> PyResult<Frame> {
        let py = slf.py();
        let this = slf.get();
        let memory = Memory::borrow(data)?;
        let limits = limits_or_default(limits);
        let bytes = memory.bytes();
        let mut way = direction.map_or(core::Direction::ClientToServer, |direction| direction.0);
        let mut split = this.codec.split(way, &limits, bytes);
        if direction.is_none()
            && matches!(split, Err(core::DecodeError { reason: core::Reason::WrongDirection { .. }, .. }))
        {
            way = way.reverse();
            split = this.codec.split(way, &limits, bytes);
        }
        let fail = |error: core::DecodeError| {
            errors::decode_error_in(py, this.name_str(), direction.map(|way| way.0), &error, bytes, 0)
        };
        let missing = match split.map_err(fail)? {
            core::Split::Need(more) => more.max(1),
            core::Split::Head(head) if head.frame_len > bytes.len() => head.frame_len - bytes.len(),
            core::Split::Head(head) if head.frame_len < bytes.len() => {
                let count = (bytes.len() - head.frame_len) as u64;
                return Err(fail(core::Reason::TrailingBytes { count }.at(head.frame_len)));
            }
            core::Split::Head(head) => {
                let speaker = Speaker::Native(Arc::clone(&this.codec), slf.clone().unbind());
                let chunk = Py::new(py, Chunk::new(memory, speaker, way, limits, 0))?;
                return Ok(Frame::new(chunk, 0, head));
            }
        };
        Err(errors::incomplete(py, this.name_str(), missing, bytes.len(), 0))
    }

    fn field<'py>(&self, frame: &Bound<'py, Frame>, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.own(frame)?;
        Frame::field(frame, key)
    }

    fn fields<'py>(&self, frame: &Bound<'py, Frame>) -> PyResult<Bound<'py, PyDict>> {
        self.own(frame)?;
        Frame::fields(frame)
    }

    #[pyo3(signature = (frame, *, set=None, remove=None, request_id=None))]
    fn rewrite<'py>(
        &self,
        frame: &Bound<'py, Frame>,
        set: Option<&Bound<'py, PyMapping>>,
        remove: Option<&Bound<'py, PyAny>>,
        request_id: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = frame.py();
        let view = self.own(frame)?;
        let mut texts: Vec<(String, core::Value<'static>)> = Vec::new();
        let items = match set {
            None => None,
            Some(set) => {
                let items = PyDict::new(py);
                items.update(set)?;
                Some(items)
            }
        };
        for (key, value) in items.iter().flatten() {
            let value = if let Ok(text) = value.cast::<PyString>() {
                core::Value::Str(Cow::Owned(text.to_str()?.to_owned()))
            } else if let (Ok(_), Ok(number)) = (value.cast::<PyInt>(), value.extract::<i64>()) {
                core::Value::Int(number)
            } else if let (Ok(_), Ok(number)) = (value.cast::<PyInt>(), value.extract::<u64>()) {
                core::Value::UInt(number)
            } else {
                return Err(PyTypeError::new_err(format!("{key}: values are str or int of 64 bits, not {value:?}")));
            };
            texts.push((key.extract()?, value));
        }
        let remove: Vec<String> = match remove {
            None => Vec::new(),
            Some(text) if text.is_instance_of::<PyString>() => {
                return Err(PyTypeError::new_err("remove takes several keys, such as a list; a single str is not one"));
            }
            Some(keys) => keys.try_iter()?.map(|key| key?.extract()).collect::<PyResult<_>>()?,
        };
        let edits = core::Edits {
            set: texts.iter().map(|(key, value)| (key.as_str(), value.clone())).collect(),
            remove: remove.iter().map(String::as_str).collect(),
            request_id: request_id.as_ref().map(model::integer_id).transpose()?,
        };
        let this = frame.get();
        let result = PyList::empty(py);
        if edits.is_empty() {
            result.append(this.part(py, 0, view.bytes.len())?)?;
            return Ok(result);
        }
        let segments = self
            .codec
            .rewrite(view, &edits, &this.chunk.get().limits)
            .map_err(|error| self.encode_error(frame, &error))?;
        for segment in segments {
            match segment {
                Cow::Borrowed(bytes) => {
                    // A codec may also borrow constants of its own; only bytes of the frame can be shared with Python.
                    let from = (bytes.as_ptr() as usize).wrapping_sub(view.bytes.as_ptr() as usize);
                    if from <= view.bytes.len() && bytes.len() <= view.bytes.len() - from {
                        result.append(this.part(py, from, from + bytes.len())?)?;
                    } else {
                        result.append(PyBytes::new(py, bytes))?;
                    }
                }
                Cow::Owned(bytes) => result.append(PyBytes::new(py, &bytes))?,
            }
        }
        Ok(result)
    }

    #[pyo3(signature = (request, error=None, message=""))]
    fn reply<'py>(
        &self,
        request: &Bound<'py, Frame>,
        error: Option<ErrorTypeArg>,
        message: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = request.py();
        let reply = error.map_or(core::Reply::Heartbeat, |error| core::Reply::Error(error.0, message));
        match self.codec.reply(self.own(request)?, reply) {
            Ok(bytes) => Ok(bytes.map(|bytes| PyBytes::new(py, &bytes))),
            Err(error) => Err(self.encode_error(request, &error)),
        }
    }

    #[pyo3(signature = (prefix, *, direction=DirectionArg(core::Direction::ClientToServer)))]
    fn detect<'py>(&self, prefix: &Bound<'py, PyAny>, direction: DirectionArg) -> PyResult<Bound<'py, PyAny>> {
        let memory = Memory::borrow(prefix)?;
        model::detection(prefix.py(), self.codec.detect(direction.0, memory.bytes()))
    }

    /// The layout as JSON, for codecs that a description makes.
    fn layout(&self) -> Option<String> {
        self.described().map(SpecCodec::layout)
    }

    /// Where the fields of a frame are, for codecs that a description makes.
    #[pyo3(signature = (data, *, direction=DirectionArg(core::Direction::ClientToServer), limits=None))]
    fn dissect(
        &self,
        data: &Bound<'_, PyAny>,
        direction: DirectionArg,
        limits: Option<&Bound<'_, Limits>>,
    ) -> PyResult<Option<Vec<Place>>> {
        let Some(codec) = self.described() else { return Ok(None) };
        let memory = Memory::borrow(data)?;
        let places = codec.dissect(direction.0, &limits_or_default(limits), memory.bytes()).into_iter().map(|place| {
            let (at, len) = (place.at.start, place.at.len());
            (place.name, place.type_name, at, len, place.inner, place.region.name(), place.value)
        });
        Ok(Some(places.collect()))
    }

    fn __repr__(&self) -> String {
        format!("<metaprotocol codec {}>", self.name_str())
    }

    /// Built-in codecs are found by name wherever the package is, others by what they were made from; that is how they
    /// travel to other processes.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (&str,))> {
        let (finder, name) = match &self.source {
            Some(source) => ("load_codec", source.as_str()),
            None => ("get_codec", self.name_str()),
        };
        Ok((py.import("metaprotocol")?.getattr(finder)?, (name,)))
    }
}
