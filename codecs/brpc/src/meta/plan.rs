//! What a caller wants changed, sorted by what it is of.

use std::borrow::Cow;

use metaprotocol_core::{DecodeError, Edits, EncodeError, Key, KeyInfo, Value, protobuf};

use super::{Path, Slot, Splice, Table, User};

/// Edits sorted by what they are of.
#[derive(Debug)]
pub struct Plan<'e> {
    /// Of keys with a slot: what to set it to, `None` to take it away.
    fields: Vec<(&'static KeyInfo, &'static Slot, Option<&'e Value<'e>>)>,
    /// Of users' fields.
    users: Vec<(&'e str, Option<Cow<'e, str>>)>,
}

impl<'e> Plan<'e> {
    /// The edits of a frame of this kind; `required` are keys that cannot be taken away, and `has` tells of a key whether
    /// the frame has it.
    ///
    /// # Errors
    /// [`EncodeError::NotWritable`] for keys that frames of the kind lack or that can only be read, and what `has` says.
    pub fn new(
        table: &'static Table,
        on: u8,
        required: &[&str],
        edits: &'e Edits<'e>,
        has: &dyn Fn(&Key) -> Result<bool, DecodeError>,
    ) -> Result<Self, EncodeError> {
        let mut plan = Self { fields: Vec::new(), users: Vec::new() };
        for &name in &edits.remove {
            let id = table.id(name);
            let Some(key) = table.keys.get(usize::from(id)) else {
                plan.user(name, None);
                continue;
            };
            // What is set as well is not taken away.
            let path = |id| table.slot(id, on).map(|slot| slot.path);
            if edits.set.iter().any(|(set, _)| path(table.id(set)).is_some_and(|set| path(id) == Some(set))) {
                continue;
            }
            if !has(&table.key(name))? {
                continue;
            }
            let slot = match table.slot(id, on) {
                Some(slot) if key.writable => slot,
                _ => return Err(not_writable(name, READ_ONLY)),
            };
            if required.contains(&name) {
                return Err(not_writable(name, "it is required; set it to another value instead"));
            }
            plan.field(key, slot, None);
        }
        for (name, value) in &edits.set {
            let id = table.id(name);
            match (table.keys.get(usize::from(id)), table.slot(id, on)) {
                (None, _) => plan.user(name, Some(value.to_text())),
                (Some(key), Some(slot)) if key.writable => plan.field(key, slot, Some(value)),
                (Some(key), None) if key.writable => {
                    return Err(not_writable(name, "frames of this kind do not carry it"));
                }
                (Some(_), _) => return Err(not_writable(name, READ_ONLY)),
            }
        }
        Ok(plan)
    }

    fn field(&mut self, key: &'static KeyInfo, slot: &'static Slot, value: Option<&'e Value<'e>>) {
        self.fields.retain(|(_, earlier, _)| earlier.path != slot.path);
        self.fields.push((key, slot, value));
    }

    fn user(&mut self, name: &'e str, value: Option<Cow<'e, str>>) {
        self.users.retain(|(earlier, _)| *earlier != name);
        self.users.push((name, value));
    }

    /// True if the field of this path is to be set.
    #[must_use]
    pub fn sets(&self, path: Path) -> bool {
        self.fields.iter().any(|(_, slot, value)| slot.path == path && value.is_some())
    }

    /// Makes the edits of keys with a slot.
    ///
    /// # Errors
    /// [`EncodeError::BadValue`] for a value that its field cannot hold, [`EncodeError::Malformed`] if the message cannot
    /// be read.
    pub fn apply(&self, splice: &mut Splice<'_>) -> Result<(), EncodeError> {
        for (key, slot, value) in &self.fields {
            match value {
                Some(value) => {
                    splice.set(slot.path, slot.read_as, slot.read_as.encode(slot.path.number, &key.name, value)?)?;
                }
                None => splice.remove(slot.path, slot.read_as)?,
            }
        }
        Ok(())
    }

    /// True if fields of users are edited.
    #[must_use]
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Makes the edits of users' fields, which a message holds in `users`; those it lacks are added at a path.
    ///
    /// # Errors
    /// [`EncodeError::Malformed`] if the message cannot be read.
    pub fn apply_users<'a>(
        &self,
        splice: &mut Splice<'a>,
        users: &[User<'a>],
        add_at: Path,
    ) -> Result<(), EncodeError> {
        for (name, value) in &self.users {
            let all = users.iter().filter(|user| user.key == name.as_bytes());
            match (value, all.clone().next_back()) {
                (None, _) => {
                    all.for_each(|user| splice.replace(user.parent, user.field.at..user.field.end, Vec::new()));
                }
                (Some(value), Some(last)) => splice.set_entry(last.parent, &last.field, value)?,
                (Some(value), None) => {
                    let mut content = Vec::with_capacity(name.len() + value.len() + 8);
                    protobuf::push_bytes(&mut content, 1, name.as_bytes());
                    protobuf::push_bytes(&mut content, 2, value.as_bytes());
                    let mut entry = Vec::with_capacity(content.len() + 4);
                    protobuf::push_bytes(&mut entry, add_at.number, &content);
                    splice.add(add_at.parent, &entry)?;
                }
            }
        }
        Ok(())
    }

    /// Refuses users' fields, in messages that have none.
    ///
    /// # Errors
    /// [`EncodeError::NotWritable`] if one is to be set.
    pub fn refuse_users(&self) -> Result<(), EncodeError> {
        match self.users.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(not_writable(name, "such frames have no place for fields of their users")),
            None => Ok(()),
        }
    }
}

const READ_ONLY: &str = "it follows from the rest of the frame, or says how to read it, and can only be read";

/// The refusal of an edit.
#[must_use]
pub fn not_writable(key: &str, why: &'static str) -> EncodeError {
    EncodeError::NotWritable { key: key.to_owned(), why: why.into() }
}
