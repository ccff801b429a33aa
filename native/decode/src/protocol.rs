//! What the decoder asks of one codec: which metadata keys name the service, the method and the error.

use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Key, PairBy};

use crate::condition::{Condition, Target};
use crate::metadata::fingerprint;

/// Metadata keys that name the service, best first.
pub const SERVICE_KEYS: [&str; 4] = ["interface", "service", "path", "topic"];
/// Metadata keys that name the method, best first. A Thrift `method` may carry its service, `method_name` never does.
pub const METHOD_KEYS: [&str; 4] = ["method_name", "method", "command", "api_name"];
/// Metadata key of responses that names the class of what was thrown.
pub const ERROR_CLASS_KEYS: [&str; 3] = ["exception", "error", "error_code"];
/// Metadata keys of responses that tell an error in words; a response has one of them.
pub const ERROR_MESSAGE_KEYS: [&str; 3] = ["exception_message", "error_message", "error_text"];

/// Metadata key of responses that tells an error which the framing takes for a success, and its value then.
pub const REPLY_TYPE_KEYS: [&str; 1] = ["reply_type"];
/// What [`REPLY_TYPE_KEYS`] says of an error.
pub const FAILED: &str = "error";

/// What a metadata key is for in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Service,
    Method,
    ErrorClass,
    ErrorMessage,
    ReplyType,
}

/// A codec and the keys that it was asked to resolve, once.
pub(crate) struct Protocol {
    pub(crate) codec: Arc<dyn AnyCodec>,
    pub(crate) name: String,
    pub(crate) pair_by: PairBy,
    pub(crate) service: Option<Key>,
    pub(crate) method: Option<Key>,
    pub(crate) error_class: Option<Key>,
    pub(crate) error_messages: Vec<Key>,
    pub(crate) reply_type: Option<Key>,
    /// The keys above, with their fingerprints.
    roles: Vec<(u32, Box<str>, Role)>,
    /// The keys of metadata conditions, by the number of the condition.
    pub(crate) conditions: Vec<Option<Key>>,
    /// The keys that were chosen to be shown.
    pub(crate) chosen: Vec<Key>,
}

impl Protocol {
    pub(crate) fn new(codec: &Arc<dyn AnyCodec>, conditions: &[Condition], chosen: &[String]) -> Self {
        let info = codec.info();
        let known = |names: &'static [&'static str]| {
            names.iter().filter(|name| info.keys.iter().any(|key| key.name == **name)).map(|name| codec.key(name))
        };
        let role = |names, role| known(names).map(move |key: Key| (fingerprint(&key.name), key.name, role));
        let roles = role(&SERVICE_KEYS, Role::Service)
            .take(1)
            .chain(role(&METHOD_KEYS, Role::Method).take(1))
            .chain(role(&ERROR_CLASS_KEYS, Role::ErrorClass).take(1))
            .chain(role(&ERROR_MESSAGE_KEYS, Role::ErrorMessage))
            .chain(role(&REPLY_TYPE_KEYS, Role::ReplyType).take(1))
            .collect();
        Self {
            roles,
            name: info.name.to_string(),
            pair_by: info.pair_by,
            service: known(&SERVICE_KEYS).next(),
            method: known(&METHOD_KEYS).next(),
            error_class: known(&ERROR_CLASS_KEYS).next(),
            error_messages: known(&ERROR_MESSAGE_KEYS).collect(),
            reply_type: known(&REPLY_TYPE_KEYS).next(),
            conditions: conditions
                .iter()
                .map(|condition| match &condition.target {
                    Target::Metadata(name) => Some(codec.key(name)),
                    _ => None,
                })
                .collect(),
            chosen: chosen.iter().map(|name| codec.key(name)).collect(),
            codec: Arc::clone(codec),
        }
    }

    /// What a metadata key is for, if it is for anything.
    pub(crate) fn role(&self, print: u32, name: &str) -> Option<Role> {
        self.roles.iter().find(|(known, key, _)| *known == print && **key == *name).map(|(_, _, role)| *role)
    }
}
