//! Libraries to load: compiled here, or by cargo.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use metaprotocol_core::AnyCodec;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a C file with the system's compiler.
pub fn cc(source: &Path, output: &str, options: &[&str]) -> PathBuf {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(output);
    let include = root().join("include");
    let status = Command::new("cc")
        .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(include)
        .args(options)
        .arg("-o")
        .args([&output, source])
        .status()
        .expect("a C compiler");
    assert!(status.success(), "{} does not compile", source.display());
    output
}

/// The C example.
pub fn acorn_in_c(output: &str) -> PathBuf {
    cc(&root().join("../../examples/plugin-c/acorn.c"), output, &["-shared", "-fPIC", "-fvisibility=hidden"])
}

/// A `cdylib` among the examples of this crate, which cargo builds before the tests.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let built = test.parent().and_then(Path::parent).expect("a target directory").join("examples");
    built.join(format!("lib{name}.so"))
}

/// The only codec of a library.
pub fn only(path: &Path) -> Arc<dyn AnyCodec> {
    let mut codecs = metaprotocol_plugin::open(path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(codecs.len(), 1);
    Arc::new(codecs.remove(0))
}
