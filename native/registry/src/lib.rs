//! The one list of built-in codecs, by name, and how to find the one that a stream speaks.
//!
//! To add a protocol: its crate as a dependency, and one line in [`built_in`].
#![forbid(unsafe_code)]

use std::sync::{Arc, LazyLock};

use metaprotocol_core::{AnyCodec, Detection, Direction};

static CODECS: LazyLock<Vec<Arc<dyn AnyCodec>>> = LazyLock::new(built_in);

fn built_in() -> Vec<Arc<dyn AnyCodec>> {
    vec![Arc::new(metaprotocol_dubbo::Dubbo), Arc::new(metaprotocol_thrift::Thrift)]
}

/// All built-in codecs, in a fixed order.
#[must_use]
pub fn codecs() -> &'static [Arc<dyn AnyCodec>] {
    &CODECS
}

/// The codec with this name or alias (`dubbo`, `aeraki.meta_protocol.codec.dubbo`), in any case of letters.
#[must_use]
pub fn find(name: &str) -> Option<Arc<dyn AnyCodec>> {
    codecs().iter().find(|codec| answers_to(codec.as_ref(), name)).map(Arc::clone)
}

fn answers_to(codec: &dyn AnyCodec, name: &str) -> bool {
    let info = codec.info();
    info.name.eq_ignore_ascii_case(name) || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
}

/// What the first bytes of a stream say about its protocol.
#[derive(Clone)]
pub enum Detected {
    /// Exactly one codec claims it.
    Codec(Arc<dyn AnyCodec>),
    /// No codec claims it yet, but more bytes could settle it.
    NeedMore,
    /// No codec can read it, or several claim it and it would be a guess.
    Nobody,
}

/// Asks every built-in codec whether the front of a stream looks like its own.
///
/// A single claim wins at once, even while another codec is still undecided: [`Detection::Yes`] means that no other
/// built-in protocol starts so.
#[must_use]
pub fn detect(direction: Direction, prefix: &[u8]) -> Detected {
    detect_among(codecs(), direction, prefix)
}

/// As [`detect`], among these codecs only.
#[must_use]
pub fn detect_among(codecs: &[Arc<dyn AnyCodec>], direction: Direction, prefix: &[u8]) -> Detected {
    let mut claimed = None;
    let mut open = false;
    for codec in codecs {
        match codec.detect(direction, prefix) {
            Detection::Yes if claimed.is_some() => return Detected::Nobody,
            Detection::Yes => claimed = Some(codec),
            Detection::NeedMore => open = true,
            Detection::No => {}
        }
    }
    match claimed {
        Some(codec) => Detected::Codec(Arc::clone(codec)),
        None if open => Detected::NeedMore,
        None => Detected::Nobody,
    }
}
