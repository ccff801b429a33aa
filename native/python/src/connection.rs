//! One TCP connection of a native codec, as Python sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metaprotocol_core as core;
use metaprotocol_core::Id;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyList, PyMemoryView};

use crate::batch::FrameBatch;
use crate::block::{Block, Tail};
use crate::chunk::{Chunk, Memory, Speaker};
use crate::codec::NativeCodec;
use crate::errors;
use crate::frame::Frame;
use crate::model::{self, DirectionArg, Limits};

/// From this many bytes on, other Python threads may run while a chunk is split: about 20 µs of work, far more than
/// giving the GIL away and taking it back costs.
const DETACH_FROM: usize = 64 << 10;
/// A receive buffer: a large read, and small enough to have one for each of many connections.
const BLOCK_LEN: usize = 64 << 10;
/// Bytes of requests that wait for a response, per direction, beyond which the oldest are forgotten: who feeds one
/// direction only must not keep its stream in memory.
const MAX_WAITING_LEN: usize = 16 << 20;
/// Free space below which a read is not worth the system call.
const MIN_READ: usize = 4 << 10;

/// The receive buffer of one direction. Unconsumed bytes stand at `start..filled`.
#[derive(Default)]
struct Inbox {
    block: Option<Py<Block>>,
    start: usize,
    filled: usize,
}

impl Inbox {
    /// Makes room for a read behind the bytes that are in; `missing` is what the frame under way still needs.
    fn make_room(&mut self, py: Python<'_>, missing: usize) -> PyResult<Py<Block>> {
        let partial = self.filled - self.start;
        if let Some(block) = &self.block {
            let free = block.get().len() - self.filled;
            if free >= MIN_READ.max(missing.min(BLOCK_LEN)) {
                return Ok(block.clone_ref(py));
            }
            // SAFETY: the pointer is a live object that we hold.
            let references = unsafe { pyo3::ffi::Py_REFCNT(block.as_ptr()) };
            // Nobody else sees the block: move the rest to its front and use it again.
            if references == 1 && block.get().len() - partial >= MIN_READ.max(missing.min(BLOCK_LEN)) {
                let base = block.get().as_ptr();
                // SAFETY: both ranges lie within the block (`start <= filled <= len`); `copy` allows overlap. No view of
                // the block exists, ours is the only reference, and the inbox is locked.
                unsafe { std::ptr::copy(base.add(self.start), base, partial) };
                self.start = 0;
                self.filled = partial;
                return Ok(block.clone_ref(py));
            }
        }
        // Room for the rest of the frame, but never more than doubles what has really come.
        let room = missing.max(MIN_READ).min(partial.max(BLOCK_LEN));
        let block = Py::new(py, Block::zeroed((partial + room).max(BLOCK_LEN)))?;
        if let Some(old) = &self.block {
            // SAFETY: the source range lies within the old block, the target within the new one, which is longer than
            // `partial`; they are different allocations.
            unsafe {
                std::ptr::copy_nonoverlapping(old.get().as_ptr().add(self.start), block.get().as_ptr(), partial);
            }
        }
        self.start = 0;
        self.filled = partial;
        self.block = Some(block.clone_ref(py));
        Ok(block)
    }
}

/// The requests of a direction that wait for a response, and the bytes of their frames.
struct Waiting {
    requests: core::Pairing<Py<Frame>>,
    bytes: usize,
}

impl Waiting {
    fn new(max: usize) -> Self {
        Self { requests: core::Pairing::new(max), bytes: 0 }
    }

    #[inline]
    fn ask(&mut self, id: Id, frame: Py<Frame>) {
        self.bytes += frame.get().head.frame_len;
        let forgotten = self.requests.ask(id, frame);
        self.bytes -= forgotten.map_or(0, |frame| frame.get().head.frame_len);
        while self.bytes > MAX_WAITING_LEN && self.requests.len() > 1 {
            self.bytes -= self.requests.forget().map_or(0, |frame| frame.get().head.frame_len);
        }
    }

    fn answer(&mut self, id: &Id) -> Option<Py<Frame>> {
        let request = self.requests.answer(id)?;
        self.bytes -= request.get().head.frame_len;
        Some(request)
    }
}

struct Inner {
    connection: Box<dyn core::Connection>,
    fed: core::Fed,
    inboxes: [Inbox; 2],
    waiting: [Waiting; 2],
    eof: [bool; 2],
}

/// The decoder of one connection. May be shared between threads; calls take turns.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct Connection {
    codec: Arc<dyn core::AnyCodec>,
    object: Py<NativeCodec>,
    limits: core::Limits,
    inner: Mutex<Inner>,
}

impl Connection {
    /// A connection that has seen no byte yet.
    pub fn new(codec: &Bound<'_, NativeCodec>, limits: core::Limits) -> Self {
        let native = Arc::clone(&codec.get().codec);
        let in_flight = limits.max_in_flight as usize;
        let inner = Inner {
            connection: Arc::clone(&native).connect(limits),
            fed: core::Fed::default(),
            inboxes: Default::default(),
            waiting: [Waiting::new(in_flight), Waiting::new(in_flight)],
            eof: [false; 2],
        };
        Self { codec: native, object: codec.clone().unbind(), limits, inner: Mutex::new(inner) }
    }

    fn lock<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Inner> {
        // The state behind the lock stays whole: no code of ours panics while it is half changed.
        self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> &str {
        &self.codec.info().name
    }

    fn chunk(&self, py: Python<'_>, memory: Memory, direction: core::Direction, offset: u64) -> PyResult<Py<Chunk>> {
        let speaker = Speaker::Native(Arc::clone(&self.codec), self.object.clone_ref(py));
        Py::new(py, Chunk::new(memory, speaker, direction, self.limits, offset))
    }

    /// Splits a chunk, without the GIL if it is long.
    fn split(
        &self,
        py: Python<'_>,
        inner: &mut Inner,
        direction: core::Direction,
        memory: &Memory,
    ) -> PyResult<Result<(), Box<core::Failure>>> {
        let slot = direction as usize;
        if inner.eof[slot] {
            return Err(ended(direction));
        }
        if inner.inboxes[slot].filled > inner.inboxes[slot].start {
            return Err(PyValueError::new_err(
                "feed() and get_buffer()/buffer_updated() cannot be mixed: part of a frame waits in the buffer",
            ));
        }
        let bytes = memory.bytes();
        let Inner { connection, fed, .. } = inner;
        Ok(if bytes.len() >= DETACH_FROM {
            py.detach(|| connection.feed(direction, bytes, fed))
        } else {
            connection.feed(direction, bytes, fed)
        })
    }

    /// The frames; with an error behind them, they go with it.
    fn deliver<'py>(
        &self,
        py: Python<'py>,
        frames: Bound<'py, PyList>,
        result: Result<(), Box<core::Failure>>,
    ) -> PyResult<Bound<'py, PyList>> {
        match result {
            Ok(()) => Ok(frames),
            Err(failure) => Err(errors::failure(py, self.name(), &failure, Some(frames.into_any().unbind()))),
        }
    }

    /// Frame objects for what was split, paired.
    fn frames<'py>(
        &self,
        py: Python<'py>,
        inner: &mut Inner,
        direction: core::Direction,
        carried: Option<core::Carried>,
        chunk: Option<&Py<Chunk>>,
        placed: &[core::Placed],
    ) -> PyResult<Bound<'py, PyList>> {
        let mut frames = Vec::with_capacity(placed.len() + usize::from(carried.is_some()));
        if let Some(carried) = carried {
            let chunk = self.chunk(py, Memory::own(py, carried.bytes)?, direction, carried.offset)?;
            frames.push(Frame::object(py, chunk, 0, carried.head)?);
        }
        if let Some(chunk) = chunk {
            for frame in placed {
                frames.push(Frame::object(py, chunk.clone_ref(py), frame.at, frame.head)?);
            }
        }
        let by = self.codec.info().pair_by;
        if by != core::PairBy::None {
            for frame in &frames {
                remember(inner, by, direction, frame);
            }
        }
        PyList::new(py, frames)
    }
}

fn ended(direction: core::Direction) -> PyErr {
    PyValueError::new_err(format!("{} was ended with eof(): no bytes can follow", direction.name()))
}

/// Links a response to its request; remembers a request.
#[inline]
fn remember(inner: &mut Inner, by: core::PairBy, direction: core::Direction, frame: &Bound<'_, Frame>) {
    let this = frame.get();
    match this.head.kind {
        core::Kind::Request | core::Kind::StreamOpen => {
            if let Some(id) = Id::of(&this.view(), by) {
                inner.waiting[direction as usize].ask(id, frame.clone().unbind());
            }
        }
        core::Kind::Response | core::Kind::Error => {
            let waiting = &mut inner.waiting[direction.reverse() as usize];
            // Who reads one direction only has nothing to look up.
            if !waiting.requests.is_idle()
                && let Some(id) = Id::of(&this.view(), by)
                && let Some(request) = waiting.answer(&id)
            {
                // Just made, so nothing is linked to it yet.
                let _fresh = this.request.set(frame.py(), request);
            }
        }
        _ => {}
    }
}

#[pymethods]
impl Connection {
    #[getter]
    fn codec(&self, py: Python<'_>) -> Py<NativeCodec> {
        self.object.clone_ref(py)
    }

    #[getter]
    fn limits(&self) -> Limits {
        Limits(self.limits)
    }

    fn feed<'py>(
        &self,
        py: Python<'py>,
        direction: DirectionArg,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let direction = direction.0;
        let memory = Memory::borrow(data)?;
        let mut inner = self.lock(py);
        let result = self.split(py, &mut inner, direction, &memory)?;
        let carried = inner.fed.carried.take();
        let placed = std::mem::take(&mut inner.fed.frames);
        let chunk = match placed.is_empty() {
            true => None,
            false => Some(self.chunk(py, memory, direction, inner.fed.chunk_offset)?),
        };
        let frames = self.frames(py, &mut inner, direction, carried, chunk.as_ref(), &placed);
        inner.fed.frames = placed;
        self.deliver(py, frames?, result)
    }

    #[pyo3(signature = (direction, data, *, columns=Vec::new()))]
    fn feed_batch<'py>(
        &self,
        py: Python<'py>,
        direction: DirectionArg,
        data: &Bound<'py, PyAny>,
        columns: Vec<String>,
    ) -> PyResult<Bound<'py, FrameBatch>> {
        let direction = direction.0;
        let memory = Memory::borrow(data)?;
        let mut inner = self.lock(py);
        let result = self.split(py, &mut inner, direction, &memory)?;
        let carried = inner.fed.carried.take();
        let placed = std::mem::take(&mut inner.fed.frames);
        let offset = inner.fed.chunk_offset;
        // The next batch is likely to hold as many frames: ask for the room at once.
        inner.fed.frames = Vec::with_capacity(placed.len());
        drop(inner);
        let chunk = self.chunk(py, memory, direction, offset)?;
        let carried = match carried {
            Some(carried) => {
                let chunk = self.chunk(py, Memory::own(py, carried.bytes)?, direction, carried.offset)?;
                Some((chunk, carried.head))
            }
            None => None,
        };
        let batch = Bound::new(py, FrameBatch::new(py, &self.codec, chunk, carried, placed, &columns)?)?;
        match result {
            Ok(()) => Ok(batch),
            Err(failure) => Err(errors::failure(py, self.name(), &failure, Some(batch.into_any().unbind()))),
        }
    }

    #[pyo3(signature = (direction, sizehint=-1))]
    fn get_buffer<'py>(
        &self,
        py: Python<'py>,
        direction: DirectionArg,
        sizehint: isize,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let mut inner = self.lock(py);
        let slot = direction.0 as usize;
        let missing = inner.connection.missing(direction.0);
        let inbox = &mut inner.inboxes[slot];
        if missing > 0 && inbox.filled == inbox.start {
            return Err(PyValueError::new_err(
                "feed() and get_buffer()/buffer_updated() cannot be mixed: part of a frame was fed",
            ));
        }
        let wanted = missing.max(usize::try_from(sizehint).unwrap_or(0).min(BLOCK_LEN));
        let block = inbox.make_room(py, wanted)?;
        let tail = Bound::new(py, Tail::new(block, inbox.filled))?;
        PyMemoryView::from(tail.as_any())
    }

    fn buffer_updated<'py>(
        &self,
        py: Python<'py>,
        direction: DirectionArg,
        nbytes: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let direction = direction.0;
        let slot = direction as usize;
        let mut inner = self.lock(py);
        let Some(block) = inner.inboxes[slot].block.as_ref().map(|block| block.bind(py).clone()) else {
            return Err(PyValueError::new_err("buffer_updated() without get_buffer()"));
        };
        if inner.eof[slot] {
            return Err(ended(direction));
        }
        let inbox = &mut inner.inboxes[slot];
        if nbytes > block.get().len() - inbox.filled {
            return Err(PyValueError::new_err(format!(
                "buffer_updated({nbytes}): the buffer had room for {} bytes",
                block.get().len() - inbox.filled
            )));
        }
        inbox.filled += nbytes;
        let memory = Memory::of_block(&block, inbox.start, inbox.filled);
        let offset = inner.connection.offset(direction);
        let mut placed = std::mem::take(&mut inner.fed.frames);
        placed.clear();
        let connection = &mut inner.connection;
        let bytes = memory.bytes();
        let result = if bytes.len() >= DETACH_FROM {
            py.detach(|| connection.advance(direction, bytes, &mut placed))
        } else {
            connection.advance(direction, bytes, &mut placed)
        };
        let inbox = &mut inner.inboxes[slot];
        if let Ok(consumed) = &result {
            inbox.start += consumed;
        }
        let chunk = match placed.is_empty() {
            true => None,
            false => Some(self.chunk(py, memory, direction, offset)?),
        };
        let frames = self.frames(py, &mut inner, direction, None, chunk.as_ref(), &placed);
        inner.fed.frames = placed;
        self.deliver(py, frames?, result.map(|_| ()))
    }

    fn pair<'py>(&self, py: Python<'py>, response: &Bound<'py, Frame>) -> Option<Bound<'py, Frame>> {
        let this = response.get();
        if let Some(request) = this.request.get(py) {
            return Some(request.bind(py).clone());
        }
        if !this.head.kind.is_response() {
            return None;
        }
        let direction = this.chunk.get().direction;
        remember(&mut self.lock(py), self.codec.info().pair_by, direction, response);
        this.request.get(py).map(|request| request.bind(py).clone())
    }

    fn eof(&self, py: Python<'_>, direction: DirectionArg) -> PyResult<()> {
        let direction = direction.0;
        let mut inner = self.lock(py);
        if let Some(failure) = inner.connection.failure(direction) {
            return Err(errors::failure(py, self.name(), failure, None));
        }
        inner.eof[direction as usize] = true;
        match inner.connection.missing(direction) {
            0 => Ok(()),
            missing => {
                let have = inner.connection.received(direction);
                Err(errors::incomplete(py, self.name(), missing, have, inner.connection.offset(direction)))
            }
        }
    }

    fn missing(&self, py: Python<'_>, direction: DirectionArg) -> usize {
        self.lock(py).connection.missing(direction.0)
    }

    fn offset(&self, py: Python<'_>, direction: DirectionArg) -> u64 {
        self.lock(py).connection.offset(direction.0)
    }

    fn head<'py>(&self, py: Python<'py>, direction: DirectionArg) -> Option<model::Head> {
        let (head, _) = self.lock(py).connection.unfinished(direction.0)?;
        Some(model::Head { head, id_bytes: None })
    }

    #[getter]
    fn in_flight(&self, py: Python<'_>) -> usize {
        let inner = self.lock(py);
        inner.waiting.iter().map(|waiting| waiting.requests.len()).sum()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let inner = self.lock(py);
        format!(
            "<metaprotocol {} connection, client to server at {}, server to client at {}>",
            self.name(),
            inner.connection.offset(core::Direction::ClientToServer),
            inner.connection.offset(core::Direction::ServerToClient),
        )
    }
}
