//! Bytes that end where readable memory ends.

use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyOSError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::block;
use crate::chunk::Memory;

/// Mappings that are not in use, for the next buffer of their size: a fuzzer makes several with each input, and asking the
/// system for each would be most of its work.
static SPARE: Mutex<Vec<Mapping>> = Mutex::new(Vec::new());
const MOST_SPARE: usize = 16;

/// Open pages with a closed one behind them.
struct Mapping {
    base: NonNull<libc::c_void>,
    /// Bytes of the open pages.
    open: usize,
    /// Bytes of the closed one.
    page: usize,
}

// SAFETY: an address and two numbers; whoever has the mapping is the only one who has it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// A mapping with room for `len` bytes in its open pages.
    fn with_room(len: usize) -> io::Result<Self> {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
            .map_err(|_| io::Error::other("the size of a page is unknown"))?;
        let open = len.div_ceil(page).max(1) * page;
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = spare.iter().position(|mapping| mapping.open == open) {
            return Ok(spare.swap_remove(at));
        }
        drop(spare);
        Self::new(open, page)
    }

    fn new(open: usize, page: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new private mapping, wherever the system likes.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), open + page, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base).ok_or_else(|| io::Error::other("the system mapped address 0"))?;
        // From here on the mapping is undone by `unmap`, whatever happens.
        let mapping = Self { base, open, page };
        // SAFETY: the last page of a mapping that nobody else knows yet.
        let closed = unsafe { libc::mprotect(base.as_ptr().byte_add(open), page, libc::PROT_NONE) };
        if closed == 0 {
            return Ok(mapping);
        }
        let error = io::Error::last_os_error();
        mapping.unmap();
        Err(error)
    }

    fn unmap(self) {
        // SAFETY: exactly what `new` mapped, and nobody else has it.
        unsafe { libc::munmap(self.base.as_ptr(), self.open + self.page) };
    }
}

/// A copy of some bytes whose last byte is the last before a page that nobody may touch: who reads one byte too many gets
/// SIGSEGV there and then. For tests of codecs.
#[pyclass(frozen, module = "metaprotocol._native")]
pub struct GuardedBuffer {
    /// Taken out when the buffer is dropped, not before.
    mapping: Option<Mapping>,
    ptr: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is written before the buffer is shared, and never while it is.
unsafe impl Send for GuardedBuffer {}
// SAFETY: as above.
unsafe impl Sync for GuardedBuffer {}

impl GuardedBuffer {
    fn of(bytes: &[u8]) -> io::Result<Self> {
        let mapping = Mapping::with_room(bytes.len())?;
        // SAFETY: the bytes fit into the open pages, end where those end, and nobody else sees them yet.
        let ptr = unsafe {
            let ptr = mapping.base.cast::<u8>().add(mapping.open - bytes.len());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), ptr.as_ptr(), bytes.len());
            ptr
        };
        Ok(Self { mapping: Some(mapping), ptr, len: bytes.len() })
    }
}

impl Drop for GuardedBuffer {
    fn drop(&mut self) {
        // Views of the buffer own a reference to it, so none is left.
        let Some(mapping) = self.mapping.take() else { return };
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push(mapping);
        } else {
            drop(spare);
            mapping.unmap();
        }
    }
}

#[pymethods]
impl GuardedBuffer {
    #[new]
    fn new(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let memory = Memory::borrow(data)?;
        Self::of(memory.bytes()).map_err(|error| PyOSError::new_err(format!("no guarded memory: {error}")))
    }

    fn __len__(&self) -> usize {
        self.len
    }

    // SAFETY: Python calls this slot with a valid view; the memory outlives it because the view owns a reference.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        // SAFETY: pointer and length describe the end of the open pages, which live as long as `slf`.
        unsafe { block::fill(view, slf.as_any(), this.ptr.as_ptr(), this.len, true, flags) }
    }
}
