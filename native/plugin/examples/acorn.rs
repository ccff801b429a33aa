//! The acorn codec of the documentation, as a plugin.
#![allow(missing_docs, reason = "an example exports one symbol")]

#[path = "../../core/tests/acorn.rs"]
mod codec;

metaprotocol_plugin_sdk::export_codecs!(codec::Acorn);
