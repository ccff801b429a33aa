//! Names of metadata keys, resolved once.

use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use metaprotocol_core::{AnyCodec, Key};

use crate::error::ConfigError;

/// A metadata key that a [`Table`](super::Table) reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the codec resolved it.
    pub key: Key,
    /// Its position among the table's fields.
    pub(super) slot: u32,
    /// The table, so that a message which meets another one (a new configuration) does not mix them up.
    pub(super) table: u64,
}

/// The key that users mean by a name: one that the codec knows by it, or by it in another case of letters, as Envoy does not
/// tell cases apart; else a field of the frame that has this very name.
pub fn resolve(codec: &dyn AnyCodec, name: &str) -> Key {
    let known = &codec.info().keys;
    let exact = known.iter().find(|key| key.name == name);
    match exact.or_else(|| known.iter().find(|key| key.name.eq_ignore_ascii_case(name))) {
        Some(key) => codec.key(&key.name),
        None => codec.key(name),
    }
}

/// The fields of a table, each once, in the order in which its routes name them first.
pub struct Fields<'c> {
    codec: &'c dyn AnyCodec,
    table: u64,
    slots: HashMap<Key, u32, foldhash::fast::RandomState>,
    fields: Vec<Field>,
}

impl<'c> Fields<'c> {
    pub fn new(codec: &'c dyn AnyCodec) -> Self {
        static TABLES: AtomicU64 = AtomicU64::new(1);
        let table = TABLES.fetch_add(1, Ordering::Relaxed);
        Self { codec, table, slots: HashMap::default(), fields: Vec::new() }
    }

    /// The field that a name in the configuration means.
    pub fn field(&mut self, name: &str) -> Result<&Field, ConfigError> {
        let slot = self.slot(name)?;
        Ok(&self.fields[slot as usize])
    }

    /// The position of that field.
    pub fn slot(&mut self, name: &str) -> Result<u32, ConfigError> {
        let key = self.key(name)?;
        let slot = self.fields.len() as u32;
        let Self { table, slots, fields, .. } = self;
        Ok(*slots.entry(key).or_insert_with_key(|key| {
            fields.push(Field { key: key.clone(), slot, table: *table });
            slot
        }))
    }

    /// The key alone, which is not read.
    pub fn key(&self, name: &str) -> Result<Key, ConfigError> {
        if name.is_empty() {
            return Err(ConfigError::new("", "is empty; it must be the name of a metadata key"));
        }
        Ok(resolve(self.codec, name))
    }

    pub fn into_vec(self) -> Vec<Field> {
        self.fields
    }
}
