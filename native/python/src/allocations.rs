//! How often the native core allocates: what `metaprotocol bench` reports.
//!
//! While nobody counts, an allocation costs one load of a flag that no core writes to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

/// The system's allocator, watched.
struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// How many calls of `count_allocations` run now, on all threads.
static COUNTING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Allocations of this thread and their bytes, while anybody counts.
    static COUNTED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

#[inline]
fn note(size: usize) {
    if COUNTING.load(Ordering::Relaxed) != 0 {
        count(size);
    }
}

#[cold]
fn count(size: usize) {
    // A thread that is ending has lost its counter already; nobody will ask for it.
    let _ = COUNTED.try_with(|counted| {
        let (count, bytes) = counted.get();
        counted.set((count + 1, bytes + size as u64));
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        // SAFETY: `ptr` came from the system's allocator, with this layout; the caller keeps the rest of the contract.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from the system's allocator, with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Ends the counting, also when the call raises.
struct Count;

impl Count {
    fn begin() -> Self {
        COUNTING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        COUNTING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls `call()`, and gives its result, how often this thread allocated natively within, and how many bytes.
#[pyfunction]
pub fn count_allocations<'py>(call: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, u64, u64)> {
    let _count = Count::begin();
    let before = COUNTED.with(Cell::get);
    let result = call.call0()?;
    let after = COUNTED.with(Cell::get);
    Ok((result, after.0 - before.0, after.1 - before.1))
}
