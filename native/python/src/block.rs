//! Memory that the decoder owns and Python sees through the buffer protocol.

use std::ffi::c_int;
use std::ptr::NonNull;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

/// A fixed piece of memory. Frames hold read-only views of its front; the kernel writes behind them through a [`Tail`].
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct Block {
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory belongs to the block alone and lives as long as it. Bytes that frames can see are not written again:
// `Inbox` (connection.rs) lets a `Tail` begin behind the last byte that was received.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// Takes over the bytes, all of them readable.
    pub fn new(bytes: Box<[u8]>) -> Self {
        let len = bytes.len();
        let ptr = NonNull::from(Box::leak(bytes)).cast::<u8>();
        Self { ptr, len }
    }

    /// Zeroed memory; large blocks come from the system untouched.
    pub fn zeroed(len: usize) -> Self {
        Self::new(vec![0; len].into_boxed_slice())
    }

    /// The first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let slice = std::ptr::slice_from_raw_parts_mut(self.ptr.as_ptr(), self.len);
        // SAFETY: made by `Box::leak` in `new` with this pointer and length, and dropped once.
        drop(unsafe { Box::from_raw(slice) });
    }
}

#[pymethods]
impl Block {
    // SAFETY: Python calls this slot with a valid view; the block outlives it because the view owns a reference.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        // SAFETY: pointer and length describe the block's memory, which lives as long as `slf`.
        unsafe { fill(view, slf.as_any(), this.ptr.as_ptr(), this.len, true, flags) }
    }
}

/// The free end of a [`Block`], for one read from the kernel.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct Tail {
    block: Py<Block>,
    from: usize,
}

impl Tail {
    /// The bytes of the block from `from` on.
    pub fn new(block: Py<Block>, from: usize) -> Self {
        Self { block, from }
    }
}

#[pymethods]
impl Tail {
    // SAFETY: Python calls this slot with a valid view; the tail owns the block, and the view owns the tail.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        let block = this.block.get();
        let from = this.from.min(block.len);
        // SAFETY: `from` is within the block, which lives as long as `slf`.
        unsafe { fill(view, slf.as_any(), block.ptr.as_ptr().add(from), block.len - from, false, flags) }
    }
}

/// Fills a buffer view of plain bytes.
///
/// # Safety
/// `view` is valid, and `ptr` points to `len` bytes that live as long as `owner`.
pub unsafe fn fill(
    view: *mut ffi::Py_buffer,
    owner: &Bound<'_, PyAny>,
    ptr: *mut u8,
    len: usize,
    readonly: bool,
    flags: c_int,
) -> PyResult<()> {
    let len = isize::try_from(len).map_err(|_| PyBufferError::new_err("buffer is longer than Python can address"))?;
    // SAFETY: by this function's contract.
    let status = unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), ptr.cast(), len, c_int::from(readonly), flags) };
    if status == 0 { Ok(()) } else { Err(PyErr::fetch(owner.py())) }
}
