//! The keys of a codec, found by the numbers of their fields.

use std::ops::ControlFlow;

use metaprotocol_core::protobuf::{Field, LEN};
use metaprotocol_core::{DecodeError, Key, KeyInfo, Limits, Reason, Value, Visit, lossy};

use super::message::entry;
use super::{Message, Parent, Slot};

/// The keys of a codec and where they are found.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The keys; the position of each is its number in [`Key`].
    pub keys: &'static [KeyInfo],
    /// As many lists of the fields that a key is found in. It is empty if the codec computes the key.
    pub slots: &'static [&'static [Slot]],
    /// The fields that hold users' own keys and values.
    pub users: &'static [Slot],
}

/// Makes a [`Table`] of the fields of users, and of pairs of a key and its slots.
#[macro_export]
macro_rules! table {
    (users: [$($user:expr),*]; $($key:expr => [$($slot:expr),*]),+ $(,)?) => {
        $crate::meta::Table { keys: &[$($key),+], slots: &[$(&[$($slot),*]),+], users: &[$($user),*] }
    };
}

impl Table {
    /// The number of a key, [`Key::DYNAMIC`] if the table lacks it.
    #[must_use]
    pub fn id(&self, name: &str) -> u16 {
        self.keys.iter().position(|known| known.name == name).map_or(Key::DYNAMIC, |at| at as u16)
    }

    /// Resolves a key.
    #[must_use]
    pub fn key(&self, name: &str) -> Key {
        Key { name: name.into(), id: self.id(name) }
    }

    /// Where frames of these kinds have the key of this number.
    #[must_use]
    pub fn slot(&self, id: u16, on: u8) -> Option<&'static Slot> {
        self.slots.get(usize::from(id))?.iter().find(|slot| slot.on & on != 0)
    }

    /// The value of the key of this number in a message of frames of these kinds.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read.
    #[inline]
    pub fn value<'a>(&self, id: u16, on: u8, message: Message<'a>) -> Result<Option<Value<'a>>, DecodeError> {
        self.slot(id, on).map_or(Ok(None), |slot| slot.value(message))
    }

    /// The value of a user's field, the last of its name.
    ///
    /// # Errors
    /// [`DecodeError`] if the message cannot be read, or has more of them than the limits allow.
    pub fn user<'a>(
        &self,
        name: &str,
        on: u8,
        message: Message<'a>,
        limits: &Limits,
    ) -> Result<Option<Value<'a>>, DecodeError> {
        let mut found = None;
        self.each_user(on, message, limits, &mut |user| {
            if user.key == name.as_bytes() {
                found = Some(Value::text(user.value));
            }
        })?;
        Ok(found)
    }

    /// Every field that holds a user's own, in the frame's order.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn users<'a>(&self, on: u8, message: Message<'a>, limits: &Limits) -> Result<Vec<User<'a>>, DecodeError> {
        let mut users = Vec::new();
        self.each_user(on, message, limits, &mut |user| users.push(user))?;
        Ok(users)
    }

    fn each_user<'a>(
        &self,
        on: u8,
        message: Message<'a>,
        limits: &Limits,
        show: &mut dyn FnMut(User<'a>),
    ) -> Result<(), DecodeError> {
        let mut count = 0;
        self.each(on, message, &mut |parent, field| {
            if let Some(message) = self.holds_user(on, parent.as_ref(), &field, message, &mut count, limits)? {
                let (key, value) = entry(message)?;
                show(User { parent, field, key, value });
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The message of a user's field, if this is one; counts them.
    fn holds_user<'a>(
        &self,
        on: u8,
        parent: Option<&Field<'a>>,
        field: &Field<'a>,
        message: Message<'a>,
        count: &mut u32,
        limits: &Limits,
    ) -> Result<Option<Message<'a>>, DecodeError> {
        if !self.users.iter().any(|slot| slot.holds(on, parent, field)) {
            return Ok(None);
        }
        *count += 1;
        if *count > limits.max_field_count {
            let (value, max) = ((*count).into(), limits.max_field_count.into());
            return Err(Reason::LimitExceeded { limit: "max_field_count", value, max }.at(field.at));
        }
        Ok(Some(message.inner(field)))
    }

    /// The nested messages of this number, as far as there is something to be found in them.
    fn parent(&self, on: u8, number: u32) -> Option<Parent> {
        let mut slots = self.slots.iter().copied().flatten().chain(self.users);
        slots
            .find(|slot| slot.on & on != 0 && slot.path.parent.number() == number && number != 0)
            .map(|slot| slot.path.parent)
    }

    /// Shows every field of a message and of what it nests, in its order, with the field that nests it.
    fn each<'a>(
        &self,
        on: u8,
        message: Message<'a>,
        show: &mut dyn FnMut(Option<Field<'a>>, Field<'a>) -> Result<ControlFlow<()>, DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut cursor = message.cursor();
        // A bit for each of the repeated messages of which only the first counts.
        let mut seen = 0_u64;
        while let Some(field) = message.next(&mut cursor)? {
            if show(None, field)?.is_break() {
                return Ok(());
            }
            let bit = 1_u64.checked_shl(field.number).unwrap_or(0);
            match if field.wire == LEN { self.parent(on, field.number) } else { None } {
                None => continue,
                Some(Parent::First(_)) if seen & bit != 0 => continue,
                Some(_) => seen |= bit,
            }
            let inner = message.inner(&field);
            let mut cursor = inner.cursor();
            while let Some(nested) = inner.next(&mut cursor)? {
                if show(Some(field), nested)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Visits every key of a message and every field of its users, in the frame's order. A key of the protocol's own hides
    /// a user's of the same name. Tells whether the visitor wants to see more.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn walk<'a>(
        &self,
        on: u8,
        message: Message<'a>,
        limits: &Limits,
        visit: &mut Visit<'_, 'a>,
    ) -> Result<ControlFlow<()>, DecodeError> {
        let (mut count, mut flow) = (0, ControlFlow::Continue(()));
        self.each(on, message, &mut |parent, field| {
            flow = self.show(on, parent.as_ref(), &field, visit);
            if flow.is_continue()
                && let Some(message) = self.holds_user(on, parent.as_ref(), &field, message, &mut count, limits)?
            {
                let (key, value) = entry(message)?;
                let key = lossy(key);
                if self.id(&key) == Key::DYNAMIC {
                    flow = visit(&key, Value::text(value));
                }
            }
            Ok(flow)
        })?;
        Ok(flow)
    }

    /// Visits the keys that a field holds.
    fn show<'a>(
        &self,
        on: u8,
        parent: Option<&Field<'a>>,
        field: &Field<'a>,
        visit: &mut Visit<'_, 'a>,
    ) -> ControlFlow<()> {
        for (key, slots) in self.keys.iter().zip(self.slots) {
            for slot in *slots {
                if slot.holds(on, parent, field) {
                    visit(&key.name, slot.read_as.value(field))?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// A field that holds a user's own key and value.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The field that nests it.
    pub parent: Option<Field<'a>>,
    /// The field itself.
    pub field: Field<'a>,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}
