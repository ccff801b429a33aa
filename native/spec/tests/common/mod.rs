//! What these tests share.

#![allow(dead_code, clippy::expect_used, reason = "each test uses its part, and may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use metaprotocol_spec::{SpecCodec, SpecErrors, compile};

/// The folder of a codec.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../codecs").join(name)
}

/// The codec of a folder, with values for its parameters.
pub fn spec(name: &str, parameters: &str) -> SpecCodec {
    let path = folder(name).join(format!("{name}.yaml"));
    let text = fs::read_to_string(&path).expect("a description");
    compile(&text, &format!("{name}.yaml{parameters}")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// As [`spec`], behind a pointer.
pub fn codec(name: &str, parameters: &str) -> Arc<dyn AnyCodec> {
    Arc::new(spec(name, parameters))
}

/// A description that is right.
#[track_caller]
pub fn made(text: &str) -> Arc<dyn AnyCodec> {
    Arc::new(typed(text))
}

/// As [`made`], with its type.
#[track_caller]
pub fn typed(text: &str) -> SpecCodec {
    compile(text, "test.yaml").unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The mistakes of a description.
#[track_caller]
pub fn mistakes(text: &str) -> SpecErrors {
    match compile(text, "test.yaml") {
        Ok(_) => panic!("no mistake found in\n{text}"),
        Err(errors) => errors,
    }
}
