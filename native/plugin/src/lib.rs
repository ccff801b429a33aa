//! The host of compiled plugins: a codec behind the C ABI of `include/metaprotocol_codec.h` is a
//! [`Codec`](metaprotocol_core::Codec) like any other, and nothing that it answers is believed before it is checked.
//!
//! * [`open`] loads a shared library, [`PluginCodec::from_table`] takes a table that a Python capsule holds.
//! * What a plugin does wrong is `Reason::InvalidCodec`: results that are not in their enum, lengths that cannot be, views
//!   outside of the frame, walks and frames without end.
//! * What a host in the same process cannot prevent, the header says: wild pointers, C++ exceptions, functions that do
//!   not return.
//!
//! Libraries are never unloaded. Codecs are shared by threads, states and frames that may outlive any owner, and a plugin
//! may have left thread-local destructors behind; a library costs an address range, once.

mod checked;
mod codec;
mod info;
mod load;
mod sink;
mod walk;

pub use codec::{PluginCodec, State};
pub use load::{LoadError, open};
pub use metaprotocol_plugin_sdk::abi;
