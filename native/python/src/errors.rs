//! The one place where Rust errors become Python exceptions. The classes are defined in Python (`metaprotocol.errors`).

use metaprotocol_core::{DecodeError, Direction, EncodeError, Failure, Reason};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyType};

fn class<'py>(py: Python<'py>, cell: &'static PyOnceLock<Py<PyType>>, name: &str) -> PyResult<&'py Bound<'py, PyType>> {
    cell.import(py, "metaprotocol.errors", name)
}

/// Bytes that are not the protocol: `DecodeError`, or `LimitExceeded` below it. A codec that is to blame itself:
/// `InvalidCodec`.
///
/// `excerpt` are bytes around the place, the first of them at `excerpt_offset`. `frames` is what was complete before it.
pub fn decode_error(
    py: Python<'_>,
    protocol: &str,
    direction: Option<Direction>,
    error: &DecodeError,
    excerpt: &[u8],
    excerpt_offset: u64,
    frames: Option<Py<PyAny>>,
) -> PyErr {
    static DECODE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static LIMIT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if let Reason::InvalidCodec { .. } = error.reason {
        return invalid_codec(py, &format!("{protocol}: {error}"));
    }
    let make = || -> PyResult<Bound<'_, PyAny>> {
        let kwargs = PyDict::new(py);
        kwargs.set_item("protocol", protocol)?;
        kwargs.set_item("direction", direction.map(|direction| direction as u8))?;
        kwargs.set_item("offset", error.offset)?;
        kwargs.set_item("code", error.reason.code())?;
        kwargs.set_item("reason", error.reason.to_string())?;
        kwargs.set_item("excerpt", PyBytes::new(py, excerpt))?;
        kwargs.set_item("excerpt_offset", excerpt_offset)?;
        if let Some(frames) = frames {
            kwargs.set_item("frames", frames)?;
        }
        let class = if let Reason::LimitExceeded { limit, value, max } = error.reason {
            kwargs.set_item("limit", limit)?;
            kwargs.set_item("value", value)?;
            kwargs.set_item("maximum", max)?;
            class(py, &LIMIT, "LimitExceeded")?
        } else {
            class(py, &DECODE, "DecodeError")?
        };
        class.call((), Some(&kwargs))
    };
    match make() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// True for `DecodeError` and what is below it.
pub fn is_decode_error(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    static DECODE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(error.is_instance(py, class(py, &DECODE, "DecodeError")?))
}

/// True for `EncodeError` and what is below it.
pub fn is_encode_error(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    static ENCODE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(error.is_instance(py, class(py, &ENCODE, "EncodeError")?))
}

/// A codec that cannot be loaded, or does not fulfil its contract: `InvalidCodec`.
pub fn invalid_codec(py: Python<'_>, message: &str) -> PyErr {
    static INVALID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match class(py, &INVALID, "InvalidCodec").and_then(|class| class.call1((message,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A poisoned direction.
pub fn failure(py: Python<'_>, protocol: &str, failure: &Failure, frames: Option<Py<PyAny>>) -> PyErr {
    decode_error(
        py,
        protocol,
        Some(failure.direction),
        &failure.error,
        &failure.excerpt,
        failure.excerpt_offset,
        frames,
    )
}

/// An error in bytes that are at hand: `bytes` starts `base` bytes into its stream.
pub fn decode_error_in(
    py: Python<'_>,
    protocol: &str,
    direction: Option<Direction>,
    error: &DecodeError,
    bytes: &[u8],
    base: u64,
) -> PyErr {
    let place = usize::try_from(error.offset).unwrap_or(usize::MAX).min(bytes.len());
    let from = place.saturating_sub(16);
    let to = (place + 48).min(bytes.len());
    let excerpt = bytes.get(from..to).unwrap_or_default();
    decode_error(py, protocol, direction, &error.rebased(base), excerpt, base + from as u64, None)
}

/// An edit or reply that cannot be made: `EncodeError`; a frame that is broken where the edit goes: `DecodeError`.
pub fn encode_error(
    py: Python<'_>,
    protocol: &str,
    direction: Option<Direction>,
    error: &EncodeError,
    bytes: &[u8],
    base: u64,
) -> PyErr {
    static ENCODE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let key = match error {
        EncodeError::Malformed(error) => return decode_error_in(py, protocol, direction, error, bytes, base),
        EncodeError::NotWritable { key, .. } | EncodeError::BadValue { key, .. } => Some(key.as_str()),
        _ => None,
    };
    let make = || class(py, &ENCODE, "EncodeError")?.call1((protocol, error.to_string(), key));
    match make() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A description with mistakes: `CodecSpecError`, the first of them with the others behind it.
pub fn spec_errors(py: Python<'_>, problems: &metaprotocol_spec::SpecErrors) -> PyErr {
    static SPEC: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let make = || -> PyResult<Bound<'_, PyAny>> {
        let class = class(py, &SPEC, "CodecSpecError")?;
        let mut errors = Vec::with_capacity(problems.0.len());
        for problem in &problems.0 {
            let (line, column) = (problem.pos.line, problem.pos.column);
            let arguments = (&problem.path, line, column, &problem.field, &problem.reason, &problem.fix);
            errors.push(class.call1(arguments)?);
        }
        let mut errors = errors.into_iter();
        let first = match errors.next() {
            Some(first) => first,
            None => class.call1(("", 0, 0, "", "the description cannot be compiled", ""))?,
        };
        first.setattr("others", pyo3::types::PyTuple::new(py, errors)?)?;
        Ok(first)
    };
    match make() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A frame that is not complete: `IncompleteFrame`.
pub fn incomplete(py: Python<'_>, protocol: &str, missing: usize, have: usize, offset: u64) -> PyErr {
    static INCOMPLETE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match class(py, &INCOMPLETE, "IncompleteFrame").and_then(|class| class.call1((protocol, missing, have, offset))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A capture that cannot be read, or no further: `CaptureError`.
pub fn capture_error(py: Python<'_>, code: &str, message: String, offset: Option<u64>) -> PyErr {
    static CAPTURE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match class(py, &CAPTURE, "CaptureError").and_then(|class| class.call1((code, message, offset))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
