//! Filters written in Python: messages wait in a queue until threads of Python have looked at them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metaprotocol_core::{AnyCodec, Direction, ErrorType, Head, Limits};
use metaprotocol_proxy::filter::{Filter, Seen, Ticket, Verdict};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::chunk::{Chunk, Memory, Speaker};
use crate::codec::NativeCodec;
use crate::frame::Frame;

/// Messages that may wait for Python; further ones are refused.
const WAITING: usize = 4096;

/// Messages that wait for threads of Python.
#[derive(Default)]
pub struct Jobs {
    state: Mutex<(VecDeque<Waiting>, bool)>,
    more: Condvar,
}

struct Waiting {
    since: Instant,
    response: bool,
    codec: Arc<dyn AnyCodec>,
    head: Head,
    bytes: Vec<u8>,
    listener: String,
    route: Option<String>,
    ticket: Ticket,
}

impl Jobs {
    fn add(&self, waiting: Waiting) -> Option<Waiting> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 || state.0.len() >= WAITING {
            return Some(waiting);
        }
        state.0.push_back(waiting);
        drop(state);
        self.more.notify_one();
        None
    }

    /// No more messages come: who waits for one gets none.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = true;
        // Each is refused as its ticket goes.
        let left = std::mem::take(&mut state.0);
        drop(state);
        drop(left);
        self.more.notify_all();
    }

    fn next(&self, timeout: Duration) -> Result<Option<Waiting>, ()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = |state: &mut (VecDeque<Waiting>, bool)| state.0.is_empty() && !state.1;
        let (mut state, _) =
            self.more.wait_timeout_while(state, timeout, empty).unwrap_or_else(PoisonError::into_inner);
        match state.0.pop_front() {
            Some(waiting) => Ok(Some(waiting)),
            None if state.1 => Err(()),
            None => Ok(None),
        }
    }

    /// The next message, as Python sees it; `None` after a time without one.
    ///
    /// # Errors
    /// `RuntimeError` once no more will come.
    pub fn job(&self, py: Python<'_>, timeout: Duration) -> PyResult<Option<FilterJob>> {
        let waiting =
            py.detach(|| self.next(timeout)).map_err(|()| PyRuntimeError::new_err("the proxy was stopped"))?;
        let Some(waiting) = waiting else { return Ok(None) };
        let direction = if waiting.response { Direction::ServerToClient } else { Direction::ClientToServer };
        let codec = Py::new(py, NativeCodec { codec: Arc::clone(&waiting.codec), source: None })?;
        let memory = Memory::borrow(PyBytes::new(py, &waiting.bytes).as_any())?;
        let speaker = Speaker::Native(waiting.codec, codec.clone_ref(py));
        let chunk = Py::new(py, Chunk::new(memory, speaker, direction, Limits::default(), 0))?;
        Ok(Some(FilterJob {
            waited: waiting.since.elapsed().as_secs_f64(),
            response: waiting.response,
            codec,
            frame: Frame::object(py, chunk, 0, waiting.head)?.unbind(),
            listener: waiting.listener,
            route: waiting.route,
            ticket: Mutex::new(Some(waiting.ticket)),
        }))
    }
}

/// A filter of one listener that is written in Python.
pub struct PyFilter {
    /// Whether it wants to see answers.
    pub responses: bool,
    /// Where its messages wait.
    pub jobs: Arc<Jobs>,
}

impl PyFilter {
    fn submit(&self, message: &Seen<'_>, response: bool) -> Verdict {
        let refused = self.jobs.add(Waiting {
            since: Instant::now(),
            response,
            codec: Arc::clone(message.codec),
            head: message.frame.head,
            bytes: message.frame.bytes.to_vec(),
            listener: message.listener.to_owned(),
            route: message.route.map(|route| route.name.to_string()),
            ticket: message.ticket(),
        });
        if let Some(refused) = refused {
            refused.ticket.answer(Verdict::Refuse(ErrorType::OverLimit, "too many messages wait for a filter".into()));
        }
        Verdict::Wait
    }
}

impl Filter for PyFilter {
    fn sees_responses(&self) -> bool {
        self.responses
    }

    fn request(&self, message: &Seen<'_>) -> Verdict {
        self.submit(message, false)
    }

    fn response(&self, message: &Seen<'_>) -> Verdict {
        self.submit(message, true)
    }
}

/// A message that waits for a filter written in Python. It is answered once; one that is dropped is refused.
#[pyclass(module = "metaprotocol._native", frozen)]
pub struct FilterJob {
    #[pyo3(get)]
    waited: f64,
    #[pyo3(get)]
    response: bool,
    #[pyo3(get)]
    codec: Py<NativeCodec>,
    #[pyo3(get)]
    frame: Py<Frame>,
    #[pyo3(get)]
    listener: String,
    #[pyo3(get)]
    route: Option<String>,
    ticket: Mutex<Option<Ticket>>,
}

impl FilterJob {
    fn answer(&self, verdict: Verdict) -> PyResult<()> {
        let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
        ticket.ok_or_else(|| PyRuntimeError::new_err("the message was answered already"))?.answer(verdict);
        Ok(())
    }
}

#[pymethods]
impl FilterJob {
    fn go(&self) -> PyResult<()> {
        self.answer(Verdict::Go)
    }

    fn change(&self, set: Vec<(String, String)>, remove: Vec<String>) -> PyResult<()> {
        self.answer(Verdict::Change { set, remove })
    }

    fn refuse(&self, error: u8, message: String) -> PyResult<()> {
        let error = ErrorType::ALL.get(usize::from(error)).copied();
        let error = error.ok_or_else(|| PyValueError::new_err("that is no ErrorType"))?;
        self.answer(Verdict::Refuse(error, message))
    }
}
