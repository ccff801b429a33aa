//! Small value classes, and the way to Python's enums (defined in `metaprotocol._model`).

use metaprotocol_core as core;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyInt, PyTuple};

/// The members of an enum of `metaprotocol._model`, by number.
fn members<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyTuple>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyTuple>> {
    cell.get_or_try_init(py, || {
        let class = py.import("metaprotocol._model")?.getattr(name)?;
        Ok(py.get_type::<PyTuple>().call1((class,))?.cast_into::<PyTuple>()?.unbind())
    })
    .map(|tuple| tuple.bind(py))
}

macro_rules! enum_members {
    ($($function:ident $type:ty, $name:literal;)*) => {$(
        #[doc = concat!("The member of Python's `", $name, "`.")]
        pub fn $function(py: Python<'_>, value: $type) -> PyResult<Bound<'_, PyAny>> {
            static MEMBERS: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
            members(py, &MEMBERS, $name)?.get_item(value as usize)
        }
    )*};
}

enum_members! {
    kind core::Kind, "Kind";
    direction core::Direction, "Direction";
    detection core::Detection, "Detection";
    error_type core::ErrorType, "ErrorType";
    pair_by core::PairBy, "PairBy";
    sharing core::Sharing, "Sharing";
    first_speaker core::FirstSpeaker, "FirstSpeaker";
}

/// A direction given from Python: a `Direction`, or its number.
#[derive(Clone, Copy)]
pub struct DirectionArg(pub core::Direction);

impl<'py> FromPyObject<'_, 'py> for DirectionArg {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.cast::<PyInt>().ok().and_then(|number| number.extract::<u8>().ok()) {
            Some(0) => Ok(Self(core::Direction::ClientToServer)),
            Some(1) => Ok(Self(core::Direction::ServerToClient)),
            _ => Err(PyValueError::new_err(format!(
                "direction must be Direction.CLIENT_TO_SERVER or Direction.SERVER_TO_CLIENT, not {}",
                value.repr()?
            ))),
        }
    }
}

/// An `ErrorType` given from Python.
pub struct ErrorTypeArg(pub core::ErrorType);

impl<'py> FromPyObject<'_, 'py> for ErrorTypeArg {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = value.cast::<PyInt>().ok().and_then(|number| number.extract::<usize>().ok());
        number.and_then(|number| core::ErrorType::ALL.get(number)).map(|kind| Self(*kind)).ok_or_else(|| {
            PyValueError::new_err(format!(
                "error must be a member of ErrorType, or None to answer a heartbeat, not {value:?}"
            ))
        })
    }
}

/// A kind given from Python: a `Kind`, or its number.
pub struct KindArg(pub core::Kind);

impl<'py> FromPyObject<'_, 'py> for KindArg {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = value.cast::<PyInt>().ok().and_then(|number| number.extract::<usize>().ok());
        number
            .and_then(|number| core::Kind::ALL.get(number))
            .map(|kind| Self(*kind))
            .ok_or_else(|| PyValueError::new_err(format!("kind must be a member of Kind, not {value:?}")))
    }
}

/// Bounds on what a peer may make us hold or walk.
#[pyclass(frozen, eq, from_py_object, module = "metaprotocol")]
#[derive(Clone, PartialEq, Eq)]
pub struct Limits(pub core::Limits);

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (*, max_frame_len=None, max_header_len=None, max_nesting=None, max_field_count=None, max_in_flight=None))]
    fn new(
        max_frame_len: Option<u64>,
        max_header_len: Option<u32>,
        max_nesting: Option<u32>,
        max_field_count: Option<u32>,
        max_in_flight: Option<u32>,
    ) -> Self {
        let default = core::Limits::default();
        Self(core::Limits {
            max_frame_len: max_frame_len.unwrap_or(default.max_frame_len),
            max_header_len: max_header_len.unwrap_or(default.max_header_len),
            max_nesting: max_nesting.unwrap_or(default.max_nesting),
            max_field_count: max_field_count.unwrap_or(default.max_field_count),
            max_in_flight: max_in_flight.unwrap_or(default.max_in_flight),
        })
    }

    #[getter]
    fn max_frame_len(&self) -> u64 {
        self.0.max_frame_len
    }

    #[getter]
    fn max_header_len(&self) -> u32 {
        self.0.max_header_len
    }

    #[getter]
    fn max_nesting(&self) -> u32 {
        self.0.max_nesting
    }

    #[getter]
    fn max_field_count(&self) -> u32 {
        self.0.max_field_count
    }

    #[getter]
    fn max_in_flight(&self) -> u32 {
        self.0.max_in_flight
    }

    fn __hash__(&self) -> u64 {
        self.0.max_frame_len
            ^ (u64::from(self.0.max_header_len) << 32)
            ^ (u64::from(self.0.max_nesting) << 16)
            ^ u64::from(self.0.max_in_flight ^ self.0.max_field_count)
    }

    fn __repr__(&self) -> String {
        let core::Limits { max_frame_len, max_header_len, max_nesting, max_field_count, max_in_flight } = self.0;
        format!(
            "Limits(max_frame_len={max_frame_len}, max_header_len={max_header_len}, max_nesting={max_nesting}, \
             max_field_count={max_field_count}, max_in_flight={max_in_flight})"
        )
    }
}

/// The answer of `split` for a frame whose header is not complete.
#[pyclass(frozen, eq, module = "metaprotocol")]
#[derive(PartialEq, Eq)]
pub struct NeedMore {
    /// Bytes wanted, at least.
    #[pyo3(get)]
    at_least: usize,
}

impl NeedMore {
    /// Bytes wanted, at least.
    pub const fn at_least(&self) -> usize {
        self.at_least
    }
}

#[pymethods]
impl NeedMore {
    #[new]
    #[pyo3(signature = (at_least=1))]
    pub fn new(at_least: usize) -> PyResult<Self> {
        if at_least == 0 {
            return Err(PyValueError::new_err(
                "NeedMore.at_least must be 1 or more: a frame that needs nothing is there",
            ));
        }
        Ok(Self { at_least })
    }

    fn __hash__(&self) -> usize {
        self.at_least
    }

    fn __repr__(&self) -> String {
        format!("NeedMore({})", self.at_least)
    }
}

/// What `split` says of a frame.
#[pyclass(frozen, module = "metaprotocol")]
pub struct Head {
    pub head: core::Head,
    /// The id of protocols whose ids are bytes.
    pub id_bytes: Option<Py<PyBytes>>,
}

#[pymethods]
impl Head {
    #[new]
    #[pyo3(signature = (kind, frame_len, *, header_len=0, request_id=None, stream_id=None))]
    fn new(
        kind: KindArg,
        frame_len: usize,
        header_len: u32,
        request_id: Option<Bound<'_, PyAny>>,
        stream_id: Option<u64>,
    ) -> PyResult<Self> {
        if frame_len == 0 || (header_len as usize) > frame_len {
            return Err(PyValueError::new_err(format!(
                "frame_len must be at least 1 and no less than header_len: got frame_len={frame_len}, header_len={header_len}"
            )));
        }
        let mut id_bytes = None;
        let request_id = match request_id {
            None => core::RequestId::None,
            Some(value) => match value.cast::<PyBytes>() {
                Ok(bytes) => {
                    id_bytes = Some(bytes.clone().unbind());
                    core::RequestId::None
                }
                Err(_) => core::RequestId::Int(integer_id(&value)?),
            },
        };
        let head = core::Head { kind: kind.0, request_id, stream_id, header_len, frame_len, variant: 0 };
        Ok(Self { head, id_bytes })
    }

    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        kind(py, self.head.kind)
    }

    #[getter]
    fn frame_len(&self) -> usize {
        self.head.frame_len
    }

    #[getter]
    fn header_len(&self) -> u32 {
        self.head.header_len
    }

    #[getter]
    fn request_id<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match (&self.id_bytes, self.head.request_id) {
            (Some(bytes), _) => Ok(Some(bytes.bind(py).clone().into_any())),
            (None, core::RequestId::Int(id)) => Ok(Some(id.into_pyobject(py)?.into_any())),
            (None, _) => Ok(None),
        }
    }

    #[getter]
    fn stream_id(&self) -> Option<u64> {
        self.head.stream_id
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let id = match self.request_id(py)? {
            Some(id) => format!(", request_id={}", id.repr()?),
            None => String::new(),
        };
        let stream = self.head.stream_id.map_or(String::new(), |id| format!(", stream_id={id}"));
        Ok(format!(
            "Head(Kind.{}, frame_len={}, header_len={}{id}{stream})",
            self.head.kind.name().to_uppercase(),
            self.head.frame_len,
            self.head.header_len,
        ))
    }
}

/// An integer id from Python: unsigned, or negative and then sign-extended to 64 bits.
pub fn integer_id(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    if let Ok(id) = value.extract::<u64>() {
        return Ok(id);
    }
    value.extract::<i64>().map(i64::cast_unsigned).map_err(|_| {
        PyValueError::new_err("request_id must be an integer of 64 bits, or bytes where the protocol has such ids")
    })
}
