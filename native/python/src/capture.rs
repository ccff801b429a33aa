//! Captures as streams (`metaprotocol-capture`): buffers in, events out. What `metaprotocol.captures` stands on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use metaprotocol_capture::{Capture, Event, FormatError, Limits};
use metaprotocol_decode::{Condition as Inner, ERROR_CLASS_KEYS, ERROR_MESSAGE_KEYS};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};

use crate::errors;

/// Adds the classes of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CaptureReader>()?;
    module.add_class::<Condition>()?;
    module.add_function(wrap_pyfunction!(is_capture, module)?)?;
    module.add("SERVICE_KEYS", metaprotocol_decode::SERVICE_KEYS)?;
    module.add("METHOD_KEYS", metaprotocol_decode::METHOD_KEYS)?;
    module.add("ERROR_KEYS", [&ERROR_CLASS_KEYS[..], &ERROR_MESSAGE_KEYS[..]].concat())?;
    let [reply_type] = metaprotocol_decode::REPLY_TYPE_KEYS;
    module.add("REPLY_TYPE_FAILED", (reply_type, metaprotocol_decode::FAILED))
}

/// The bytes of a capture in, what happened on its connections out.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct CaptureReader(Mutex<Capture>);

impl CaptureReader {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Capture> {
        // The reader is plain data: after a panic elsewhere it can still be read.
        self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

fn capture_error(py: Python<'_>, error: &FormatError) -> PyErr {
    errors::capture_error(py, error.kind.code(), error.to_string(), Some(error.offset))
}

/// Appends an event as a tuple that begins with its name.
fn append(into: &Bound<'_, PyList>, event: Event<'_>) -> PyResult<()> {
    match event {
        Event::Opened { flow, timestamp_ns } => into.append((
            "opened",
            flow.id.get(),
            timestamp_ns,
            flow.client.to_string(),
            flow.server.to_string(),
            flow.midstream,
        )),
        Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
            into.append(("data", flow.id.get(), timestamp_ns, direction as u8, offset, PyBytes::new(into.py(), bytes)))
        }
        Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
            into.append(("gap", flow.id.get(), timestamp_ns, direction as u8, offset, missing))
        }
        Event::HalfClosed { flow, direction, timestamp_ns } => {
            into.append(("half_closed", flow.id.get(), timestamp_ns, direction as u8))
        }
        Event::Closed { flow, timestamp_ns, reason } => {
            into.append(("closed", flow.id.get(), timestamp_ns, reason.as_str()))
        }
        // Of what a later version of the reassembly may tell besides, this one knows no name.
        _ => Ok(()),
    }
}

#[pymethods]
impl CaptureReader {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Capture::new(&Limits::default())))
    }

    /// Takes the next bytes of the file and appends what they tell to a list.
    fn push(&self, data: &Bound<'_, PyBytes>, into: &Bound<'_, PyList>) -> PyResult<()> {
        let mut appended = Ok(());
        let pushed = self.lock(data.py()).push(data.as_bytes(), &mut |event: Event<'_>| {
            if appended.is_ok() {
                appended = append(into, event);
            }
        });
        appended?;
        pushed.map_err(|error| capture_error(data.py(), &error))
    }

    /// Ends the file; gives the offset of the record that was cut, if one was.
    fn finish(&self, into: &Bound<'_, PyList>) -> PyResult<Option<u64>> {
        let mut appended = Ok(());
        let finished = self.lock(into.py()).finish(&mut |event: Event<'_>| {
            if appended.is_ok() {
                appended = append(into, event);
            }
        });
        appended?;
        finished.map(|tail| tail.map(|tail| tail.offset)).map_err(|error| capture_error(into.py(), &error))
    }
}

/// A filter: `method=sayHello`.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct Condition(Inner);

#[pymethods]
impl Condition {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        Inner::parse(text).map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// What it looks at.
    #[getter]
    fn key(&self) -> &str {
        self.0.key()
    }

    /// Whether a value, or its absence, meets it.
    #[pyo3(signature = (value))]
    fn met_by(&self, value: Option<&str>) -> bool {
        self.0.met_by(value)
    }
}

/// Whether a file that begins so is a capture.
#[pyfunction]
fn is_capture(front: &[u8]) -> bool {
    metaprotocol_capture::is_capture(front)
}
