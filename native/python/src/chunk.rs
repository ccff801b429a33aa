//! A run of received bytes that frames are views of, and who must stay alive for it.

use std::sync::Arc;

use metaprotocol_core as core;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView};

use crate::block::Block;
use crate::codec::NativeCodec;

/// Whose frames these are.
pub enum Speaker {
    /// A codec of the native core, and its Python object.
    Native(Arc<dyn core::AnyCodec>, Py<NativeCodec>),
    /// A codec written in Python.
    Python(Py<PyAny>),
}

impl Speaker {
    /// The same codec once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Native(codec, object) => Self::Native(Arc::clone(codec), object.clone_ref(py)),
            Self::Python(object) => Self::Python(object.clone_ref(py)),
        }
    }

    /// The codec as Python knows it.
    pub fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match self {
            Self::Native(_, object) => object.bind(py).clone().into_any(),
            Self::Python(object) => object.bind(py).clone(),
        }
    }

    /// The protocol's name.
    pub fn name(&self, py: Python<'_>) -> PyResult<String> {
        match self {
            Self::Native(codec, _) => Ok(codec.info().name.to_string()),
            Self::Python(object) => object.bind(py).getattr("name")?.extract(),
        }
    }
}

/// Bytes and their owner.
pub struct Memory {
    ptr: *const u8,
    len: usize,
    /// An object whose buffer starts `skip` bytes before `ptr`.
    owner: Py<PyAny>,
    skip: usize,
    /// Keeps the owner from moving or releasing its memory.
    _pin: Option<PyBuffer<u8>>,
}

// SAFETY: the pointer is only read, and what it points to is kept by `owner` (immutable, or pinned by `_pin`).
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Borrows from an object of the caller: `bytes` and other read-only buffers are referenced. A writable buffer could
    /// change under the frames, so it is copied once.
    pub fn borrow(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = data.cast_exact::<PyBytes>() {
            return Ok(Self::of_bytes(bytes));
        }
        let buffer = PyBuffer::<u8>::get(data).map_err(|error| {
            let py = data.py();
            if error.is_instance_of::<PyBufferError>(py) || error.is_instance_of::<PyTypeError>(py) {
                PyTypeError::new_err(format!(
                    "expected bytes or another buffer of single bytes, not {}",
                    data.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string())
                ))
            } else {
                error
            }
        })?;
        if !buffer.is_c_contiguous() {
            return Err(PyBufferError::new_err(
                "expected a contiguous buffer: the bytes of a stream follow each other",
            ));
        }
        if !buffer.readonly() {
            let copy =
                PyBytes::new_with(data.py(), buffer.len_bytes(), |target| buffer.copy_to_slice(data.py(), target))?;
            return Ok(Self::of_bytes(&copy));
        }
        Ok(Self {
            ptr: buffer.buf_ptr().cast_const().cast(),
            len: buffer.len_bytes(),
            owner: data.clone().unbind(),
            skip: 0,
            _pin: Some(buffer),
        })
    }

    fn of_bytes(bytes: &Bound<'_, PyBytes>) -> Self {
        let slice = bytes.as_bytes();
        Self { ptr: slice.as_ptr(), len: slice.len(), owner: bytes.clone().into_any().unbind(), skip: 0, _pin: None }
    }

    /// Bytes that we put together ourselves.
    pub fn own(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Self> {
        let block = Bound::new(py, Block::new(bytes.into_boxed_slice()))?;
        let (ptr, len) = (block.get().as_ptr().cast_const(), block.get().len());
        Ok(Self { ptr, len, owner: block.into_any().unbind(), skip: 0, _pin: None })
    }

    /// A filled part of a block.
    pub fn of_block(block: &Bound<'_, Block>, from: usize, to: usize) -> Self {
        let (from, to) = (from.min(to), to.min(block.get().len()));
        // SAFETY: `from` is within the block.
        let ptr = unsafe { block.get().as_ptr().add(from) };
        Self { ptr, len: to - from, owner: block.clone().into_any().unbind(), skip: from, _pin: None }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `owner` keeps `len` bytes at `ptr` alive and unchanged (see the constructors).
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }
}

/// Bytes that frames point into, with all that the frames have in common.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct Chunk {
    pub memory: Memory,
    pub speaker: Speaker,
    pub direction: core::Direction,
    pub limits: core::Limits,
    /// Offset of the first byte in its stream.
    pub offset: u64,
    view: PyOnceLock<Py<PyMemoryView>>,
}

impl Chunk {
    /// A chunk that nobody has looked at yet.
    pub fn new(
        memory: Memory,
        speaker: Speaker,
        direction: core::Direction,
        limits: core::Limits,
        offset: u64,
    ) -> Self {
        Self { memory, speaker, direction, limits, offset, view: PyOnceLock::new() }
    }

    /// A read-only view of part of the bytes; it keeps the owner alive.
    pub fn view<'py>(&self, py: Python<'py>, from: usize, to: usize) -> PyResult<Bound<'py, PyAny>> {
        let base = self.view.get_or_try_init(py, || -> PyResult<_> {
            let view = PyMemoryView::from(self.memory.owner.bind(py))?;
            let view =
                if view.getattr("readonly")?.is_truthy()? { view.into_any() } else { view.call_method0("toreadonly")? };
            Ok(view.cast_into::<PyMemoryView>()?.unbind())
        })?;
        let skip = self.memory.skip;
        let (from, to) = (from.min(to), to.min(self.memory.len));
        // SAFETY: `base` is a live memoryview; slicing clamps to its length. The result is a new reference or an error.
        unsafe {
            let slice = ffi::PySequence_GetSlice(base.as_ptr(), (skip + from) as isize, (skip + to) as isize);
            Bound::from_owned_ptr_or_err(py, slice)
        }
    }
}
