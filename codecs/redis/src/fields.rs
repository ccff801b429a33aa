//! Metadata on demand.

use std::borrow::Cow;

use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Limits, Value, Visit, lossy};

use crate::replies;
use crate::requests::{Request, first_key};
use crate::wire::{self, Form};

macro_rules! keys {
    ($($id:ident = $number:literal, $info:expr;)*) => {
        $(pub(crate) const $id: u16 = $number;)*
        /// The built-in keys; each key's id is its place.
        pub(crate) const KEYS: &[KeyInfo] = &[$($info),*];
    };
}

keys! {
    MESSAGE_TYPE = 0, KeyInfo::read("message_type", "what the frame is: command, inline, reply, push, monitor, replicated …");
    COMMAND = 1, KeyInfo::read("command", "name of the command, in capitals");
    SUBCOMMAND = 2, KeyInfo::read("subcommand", "name of the subcommand, in capitals");
    KEY = 3, KeyInfo::write("key", "first key of the command; of an invalidation, the first key that changed");
    ALL_KEYS = 4, KeyInfo::read("keys", "all keys, with blanks between, in quotes where they must be");
    KEY_COUNT = 5, KeyInfo::read("key_count", "number of keys").number();
    HASH_TAG = 6, KeyInfo::read("hash_tag", "part of the first key between { and }, by which keys live together");
    SLOT = 7, KeyInfo::read("slot", "slot of the first key in a cluster; of MOVED and ASK, the slot they name").number();
    ARG_COUNT = 8, KeyInfo::read("arg_count", "number of arguments behind the command's name").number();
    ACCESS = 9, KeyInfo::read("access", "read or write, if the command does either");
    FLAGS = 10, KeyInfo::read("flags", "what the server's table says of the command: write, blocking, pubsub …");
    CHANNEL = 11, KeyInfo::read("channel", "channel of a message or of a subscription");
    PATTERN = 12, KeyInfo::read("pattern", "pattern of a message or of a subscription");
    DB = 13, KeyInfo::read("db", "database that the connection's last SELECT chose").number();
    REPLY_TYPE = 14, KeyInfo::read("reply_type", "type of a reply or push: simple_string, error, integer, array, null …");
    LENGTH = 15, KeyInfo::read("length", "bytes of a string, or elements of an aggregate (of a map, pairs)").number();
    VALUE = 16, KeyInfo::read("value", "value of a reply of up to 4096 bytes that is no aggregate");
    ERROR_CODE = 17, KeyInfo::read("error_code", "first word of an error: ERR, WRONGTYPE, MOVED, NOAUTH …");
    ERROR_MESSAGE = 18, KeyInfo::read("error_message", "text of an error behind its code");
    REDIRECT = 19, KeyInfo::read("redirect", "of MOVED and ASK: host and port of the node to ask");
    PUSH_TYPE = 20, KeyInfo::read("push", "what a push tells: message, subscribe, invalidate …");
    SUBSCRIPTIONS = 21, KeyInfo::read("subscriptions", "of a subscription's confirmation: how many there are now").number();
}

/// Prefixes of the keys that name an argument or a key by its number, or an element of a reply by its place.
pub(crate) const ARG_PREFIX: &str = "arg.";
pub(crate) const KEY_PREFIX: &str = "key.";
const VALUE_PREFIX: &str = "value.";
/// The value of a reply of any length.
const FULL_VALUE: &str = "full_value";

/// The built-in key of this name.
pub(crate) fn key_id(name: &str) -> Option<u16> {
    KEYS.iter().position(|key| key.name == name).map(|at| at as u16)
}

/// Text; what is not UTF-8 in it reads as U+FFFD.
pub(crate) fn text(bytes: Cow<'_, [u8]>) -> Value<'_> {
    Value::Str(match bytes {
        Cow::Borrowed(bytes) => lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}

/// A count as a value.
pub(crate) fn number(count: usize) -> Value<'static> {
    Value::UInt(count as u64)
}

/// What every frame can be asked for.
fn common(frame: Frame<'_>, form: Form, id: u16) -> Option<Value<'static>> {
    match id {
        MESSAGE_TYPE => Some(Value::str(form.name())),
        DB => wire::database(frame.head.variant).map(|database| Value::UInt(database.into())),
        _ => None,
    }
}

/// The verb: one field.
pub(crate) fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let Some(form) = wire::form(frame.head.variant) else { return Ok(None) };
    if let Some(value) = common(frame, form, key.id) {
        return Ok(Some(value));
    }
    if form.is_command() {
        if key.id == KEY
            && form == Form::Command
            && let Some(key) = first_key(frame)
        {
            return Ok(Some(text(Cow::Borrowed(key))));
        }
        let request = Request::open(frame.bytes, form)?;
        if key.id != Key::DYNAMIC {
            return request.field(key.id);
        }
        if let Some(at) = numbered(&key.name, ARG_PREFIX) {
            return Ok(request.argument(at)?.map(|argument| text(argument.value)));
        }
        return match numbered(&key.name, KEY_PREFIX) {
            Some(at) => Ok(request.key(at)?.map(|key| text(key.value))),
            None => Ok(None),
        };
    }
    if key.id != Key::DYNAMIC {
        return replies::field(frame.bytes, form, key.id, limits);
    }
    if &*key.name == FULL_VALUE {
        return replies::full_value(frame.bytes, form, limits);
    }
    match key.name.strip_prefix(VALUE_PREFIX) {
        Some(path) => replies::value_at_path(frame.bytes, form, path, limits),
        None => Ok(None),
    }
}

/// The number behind a prefix.
pub(crate) fn numbered(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// The verb: all fields, in the order of the table.
pub(crate) fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let Some(form) = wire::form(frame.head.variant) else { return Ok(()) };
    let request = if form.is_command() { Some(Request::open(frame.bytes, form)?) } else { None };
    for (id, key) in KEYS.iter().enumerate() {
        let id = id as u16;
        let value = match (common(frame, form, id), &request) {
            (Some(value), _) => Some(value),
            (None, Some(request)) => request.field(id)?,
            (None, None) => replies::field(frame.bytes, form, id, limits)?,
        };
        if let Some(value) = value
            && visit(&key.name, value).is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}
