//! Names that are read from codec descriptions and plugins, and live as long as the process, like those of built-in codecs.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The most different names that are kept, and the longest. Descriptions name tens of fields; whoever compiles more of them
/// than this (a fuzzer) reads "a field" in their errors.
const MAX_NAMES: usize = 1 << 16;
const MAX_LEN: usize = 256;

static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// The same text, for as long as the process lives; equal texts share their memory. For names of fields in errors, which
/// are `Copy` and so cannot own a text. Not for text from the wire.
#[must_use]
pub fn intern(name: &str) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    if names.len() >= MAX_NAMES || name.len() > MAX_LEN {
        return "a field";
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_kept_once_and_the_rest_is_bounded() {
        assert!(std::ptr::eq(intern("pack_len"), intern(["pack_", "len"].concat().as_str())));
        assert_ne!(intern("pack_len"), intern("pack_flow"));
        assert_eq!(intern(&"x".repeat(MAX_LEN + 1)), "a field");
    }
}
