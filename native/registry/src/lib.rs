//! The one list of built-in codecs, by name, and how to find the one that a stream speaks.
//!
//! To add a protocol: its crate as a dependency, and one line in [`built_in`]; or its description, and a line in
//! [`DESCRIBED`].
#![forbid(unsafe_code)]

use std::sync::{Arc, LazyLock};

use metaprotocol_core::{AnyCodec, Direction};
pub use metaprotocol_core::{Detected, detect_among};

static CODECS: LazyLock<Vec<Arc<dyn AnyCodec>>> = LazyLock::new(built_in);

fn built_in() -> Vec<Arc<dyn AnyCodec>> {
    let mut codecs: Vec<Arc<dyn AnyCodec>> = vec![
        Arc::new(metaprotocol_brpc::Brpc),
        Arc::new(metaprotocol_dubbo::Dubbo),
        Arc::new(metaprotocol_hulu::Hulu),
        Arc::new(metaprotocol_kafka::Kafka),
        Arc::new(metaprotocol_nova::Nova),
        Arc::new(metaprotocol_public::Public),
        Arc::new(metaprotocol_redis::Redis),
        Arc::new(metaprotocol_sofa::Sofa),
        Arc::new(metaprotocol_thrift::Thrift),
        Arc::new(metaprotocol_trpc::Trpc),
    ];
    for (file, text) in DESCRIBED {
        match metaprotocol_spec::compile(text, file) {
            Ok(codec) => codecs.push(Arc::new(codec)),
            // They are part of the program, and a test compiles each.
            Err(errors) => unreachable!("{errors}"),
        }
    }
    codecs
}

/// The descriptions that are built in: their files, and what is in them.
const DESCRIBED: [(&str, &str); 3] = [
    ("awesomerpc.yaml", include_str!("../../../codecs/awesomerpc/awesomerpc.yaml")),
    ("qza.yaml", include_str!("../../../codecs/qza/qza.yaml")),
    ("zork.yaml", include_str!("../../../codecs/zork/zork.yaml")),
];

/// All built-in codecs, in a fixed order.
#[must_use]
pub fn codecs() -> &'static [Arc<dyn AnyCodec>] {
    &CODECS
}

/// The built-in codec with this name or alias (`dubbo`, `aeraki.meta_protocol.codec.dubbo`), in any case of letters.
#[must_use]
pub fn find(name: &str) -> Option<Arc<dyn AnyCodec>> {
    find_among(codecs(), name).map(Arc::clone)
}

/// As [`find`], among these codecs only.
#[must_use]
pub fn find_among<'c>(codecs: &'c [Arc<dyn AnyCodec>], name: &str) -> Option<&'c Arc<dyn AnyCodec>> {
    codecs.iter().find(|codec| {
        let info = codec.info();
        info.name.eq_ignore_ascii_case(name) || info.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// Asks every built-in codec whether the front of a stream looks like its own. The position is that in [`codecs`].
///
/// As [`detect_among`] decides.
#[must_use]
pub fn detect(direction: Direction, prefix: &[u8]) -> Detected {
    detect_among(codecs().iter().map(AsRef::as_ref), direction, prefix)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codecs_go_by_name_and_alias_in_any_case() {
        for codec in codecs() {
            let info = codec.info();
            for name in [&*info.name].into_iter().chain(info.aliases.iter().map(|alias| &**alias)) {
                for name in [name.to_owned(), name.to_uppercase()] {
                    assert_eq!(find(&name).map(|found| found.info().name.clone()), Some(info.name.clone()), "{name}");
                }
            }
        }
        assert!(find("nobody").is_none());
    }

    #[test]
    fn names_are_lower_case_words_and_belong_to_one_codec() {
        let mut seen = HashSet::new();
        for codec in codecs() {
            let info = codec.info();
            assert!(info.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{}", info.name);
            for name in [&*info.name].into_iter().chain(info.aliases.iter().map(|alias| &**alias)) {
                assert!(seen.insert(name.to_owned()), "{name} is taken twice");
            }
            let keys: HashSet<_> = info.keys.iter().map(|key| &key.name).collect();
            assert_eq!(keys.len(), info.keys.len(), "{} has a key twice", info.name);
        }
        assert!(!seen.is_empty());
    }

    #[test]
    fn every_description_is_a_codec_of_the_name_of_its_file() {
        for (file, _) in DESCRIBED {
            let name = file.strip_suffix(".yaml").unwrap();
            assert!(find(name).is_some_and(|codec| codec.info().name == name), "{file}");
        }
    }

    #[test]
    fn one_claim_wins_and_two_are_nobodys() {
        let at = |name: &str| codecs().iter().position(|codec| codec.info().name == name).unwrap();
        let direction = Direction::ClientToServer;
        let dubbo = [0xda, 0xbb, 0xe2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0x4e];
        assert_eq!(detect(direction, &dubbo), Detected::Codec(at("dubbo")));
        let thrift = b"\0\0\0\x11\x80\x01\0\x01\0\0\0\x04ping\0\0\0\0\0";
        assert_eq!(detect(direction, thrift), Detected::Codec(at("thrift")));
        assert_eq!(detect(direction, b"GET / HTTP/1.1\r\n"), Detected::Nobody);
        assert_eq!(detect(direction, &[0xda]), Detected::NeedMore);
        assert_eq!(detect(direction, &[]), Detected::NeedMore);
        let twice = codecs().iter().chain(codecs()).map(AsRef::as_ref);
        assert_eq!(detect_among(twice, direction, &dubbo), Detected::Nobody);
        assert_eq!(detect_among(std::iter::empty(), direction, &dubbo), Detected::Nobody);
    }
}
