//! PyO3 bindings: the extension module `metaprotocol._native`. Thin: it converts, owns memory and locks; what bytes mean
//! is decided in `native/core` and `codecs/*`. The public contract is documented in `src/metaprotocol/_native.pyi`.

mod allocations;
mod arrow;
mod batch;
mod block;
mod capture;
mod chunk;
mod codec;
mod connection;
mod decode;
mod errors;
mod filter;
mod frame;
mod guard;
mod model;
mod proxy;
mod pycodec;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The extension module. It holds no state that the GIL would have to guard: shared objects are immutable or locked.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<batch::Column>()?;
    module.add_class::<batch::FrameBatch>()?;
    module.add_class::<block::Block>()?;
    module.add_class::<block::Tail>()?;
    module.add_class::<chunk::Chunk>()?;
    module.add_class::<codec::NativeCodec>()?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<filter::FilterJob>()?;
    module.add_class::<frame::Frame>()?;
    module.add_class::<frame::Metadata>()?;
    module.add_class::<guard::GuardedBuffer>()?;
    module.add_class::<model::Head>()?;
    module.add_class::<model::Limits>()?;
    module.add_class::<model::NeedMore>()?;
    module.add_class::<proxy::Proxy>()?;
    capture::register(module)?;
    decode::register(module)?;
    module.add_function(wrap_pyfunction!(allocations::count_allocations, module)?)?;
    module.add_function(wrap_pyfunction!(codec::builtin_codecs, module)?)?;
    module.add_function(wrap_pyfunction!(pycodec::bridge, module)?)?;
    module.add_function(wrap_pyfunction!(codec::compile_codec, module)?)?;
    module.add_function(wrap_pyfunction!(codec::describe_codec, module)?)?;
    module.add_function(wrap_pyfunction!(codec::codec_from_capsule, module)?)?;
    module.add_function(wrap_pyfunction!(codec::open_library, module)?)?;
    module.add_function(wrap_pyfunction!(codec::read_hex, module)?)?;
    module.add_function(wrap_pyfunction!(proxy::xxh64, module)?)?;
    module.add("HISTOGRAM_BOUNDS_MS", PyTuple::new(module.py(), metaprotocol_proxy::stats::BOUNDS)?)?;
    Ok(())
}
