//! Metadata: from the header for nothing, from the body as far as a key lies.
//!
//! The method, versions and types of a request stand at its front and are read without a look at the arguments.
//! Attachments lie behind the arguments, which are walked, not built, when a key among them is asked for. The interface
//! and the path are among them: a string at the front names the one or the other, depending on the client, and
//! providers go by the attachments.

use std::borrow::Cow;
use std::ops::ControlFlow;

use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Limits, Reason, Value, Visit};

use crate::body::{self, Attachments, Entries};
use crate::hessian::{Event, Reader, Text};
use crate::wire::{HESSIAN2, Header, OK, serialization_name};

/// The keys that are always known. Their positions are their numbers in [`Key`].
pub static KEYS: [KeyInfo; 17] = [
    KeyInfo::write("interface", "the interface called: the attachment, else the name before the method"),
    KeyInfo::write("method", "the method called"),
    KeyInfo::write("group", "the service group, an attachment"),
    KeyInfo::write("version", "the service version, an attachment"),
    KeyInfo::write("path", "the path the provider looks up: the attachment, else the name before the method"),
    KeyInfo::write("service_version", "the service version, as it stands before the method"),
    KeyInfo::write("dubbo_version", "the protocol version of the client"),
    KeyInfo::read("param_types", "the types of the parameters, as a JVM descriptor"),
    KeyInfo::read("param_count", "how many parameters there are").number(),
    KeyInfo::read("serialization", "how the body is written: hessian2, fastjson2 ..."),
    KeyInfo::read("two_way", "1 if the client waits for a response").number(),
    KeyInfo::read("event", "1 for frames about the connection").number(),
    KeyInfo::read("status", "the status of a response; 20 is ok").number(),
    KeyInfo::read("result_type", "0 exception, 1 value, 2 null; 3 to 5 the same with attachments").number(),
    KeyInfo::read("exception", "the class of the exception thrown"),
    KeyInfo::read("exception_message", "the message of the exception thrown"),
    KeyInfo::read("error_message", "the message of a response whose status is not ok"),
];

/// The number of `interface`, which `rewrite` has to know.
pub const INTERFACE: u16 = 0;
const METHOD: u16 = 1;
const GROUP: u16 = 2;
const VERSION: u16 = 3;
/// The number of `path`, which `rewrite` has to know.
pub const PATH: u16 = 4;
const SERVICE_VERSION: u16 = 5;
const DUBBO_VERSION: u16 = 6;
const PARAM_TYPES: u16 = 7;
const PARAM_COUNT: u16 = 8;
const SERIALIZATION: u16 = 9;
const TWO_WAY: u16 = 10;
const EVENT: u16 = 11;
const STATUS: u16 = 12;
const RESULT_TYPE: u16 = 13;
const EXCEPTION: u16 = 14;
const EXCEPTION_MESSAGE: u16 = 15;
const ERROR_MESSAGE: u16 = 16;

/// Argument n has the key number `ARGUMENTS + n`. A JVM method has at most 255.
const ARGUMENTS: u16 = 0x1000;
const MAX_ARGUMENT: u16 = 254;

/// Where a key is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among the strings at the front of a request.
    String(usize),
    /// Among the attachments.
    Attachment,
    /// In the header, or computed.
    Fixed,
}

/// Where the key of this number is found.
pub const fn place(id: u16) -> Place {
    match id {
        DUBBO_VERSION => Place::String(body::DUBBO_VERSION),
        SERVICE_VERSION => Place::String(body::SERVICE_VERSION),
        METHOD => Place::String(body::METHOD),
        INTERFACE | PATH | GROUP | VERSION | Key::DYNAMIC => Place::Attachment,
        _ => Place::Fixed,
    }
}

/// Resolves a key: one of [`KEYS`], `arg.N`, or an attachment.
pub fn key(name: &str) -> Key {
    Key { name: name.into(), id: id_of(name) }
}

/// The attachment of this name in a request.
pub fn request_attachment<'a>(frame: Frame<'a>, name: &str, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let mut reader = body::reader(frame.bytes, limits);
    body::string_at(&mut reader, body::METHOD)?;
    body::skip_arguments(&mut reader)?;
    attachment(&mut reader, name, limits)
}

/// The number of a key.
pub fn id_of(name: &str) -> u16 {
    if let Some(known) = KEYS.iter().position(|known| known.name == name) {
        return known as u16;
    }
    match name.strip_prefix("arg.") {
        // Only the number's own spelling: `arg.01` and `arg.+1` are attachments.
        Some(digits) => match digits.parse::<u16>() {
            Ok(number) if number <= MAX_ARGUMENT && (digits == "0" || !digits.starts_with(['0', '+'])) => {
                ARGUMENTS + number
            }
            _ => Key::DYNAMIC,
        },
        None => Key::DYNAMIC,
    }
}

/// The header of a frame; only frames that no `split` made can lack it.
pub fn header(frame: Frame<'_>) -> Result<Header, DecodeError> {
    Header::of(frame.bytes).ok_or(Reason::UnexpectedEnd { field: "header" }.at(0))
}

/// True if the body is a call or its answer, in Hessian 2.
const fn is_readable(header: Header) -> bool {
    header.serialization() == HESSIAN2 && !header.is_event()
}

fn serialization(header: Header) -> Value<'static> {
    let id = header.serialization();
    serialization_name(id).map_or_else(|| Value::Str(Cow::Owned(id.to_string())), Value::str)
}

fn text_value(text: Text<'_>) -> Value<'_> {
    Value::Str(text.to_str())
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    let header = header(frame)?;
    match key.id {
        SERIALIZATION => return Ok(Some(serialization(header))),
        EVENT => return Ok(Some(Value::Int(header.is_event().into()))),
        TWO_WAY => return Ok(header.is_request().then(|| Value::Int(header.is_two_way().into()))),
        STATUS => return Ok((!header.is_request()).then(|| Value::Int(header.status.into()))),
        _ if !is_readable(header) => return Ok(None),
        _ => {}
    }
    let mut reader = body::reader(frame.bytes, limits);
    if header.is_request() {
        request_field(&mut reader, key, limits)
    } else {
        response_field(&mut reader, header, key, limits)
    }
}

fn request_field<'a>(reader: &mut Reader<'a>, key: &Key, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    if let Place::String(place) = place(key.id) {
        return Ok(body::string_at(reader, place)?.map(text_value));
    }
    match key.id {
        PARAM_TYPES => Ok(body::string_at(reader, body::TYPES)?.map(text_value)),
        PARAM_COUNT => {
            body::string_at(reader, body::METHOD)?;
            Ok(Some(Value::Int(body::param_types(reader)?.1.into())))
        }
        INTERFACE | PATH | GROUP | VERSION | Key::DYNAMIC => {
            let service = body::string_at(reader, body::SERVICE)?;
            body::string(reader, body::SERVICE_VERSION)?;
            body::string(reader, body::METHOD)?;
            body::skip_arguments(reader)?;
            let fallback = if matches!(key.id, INTERFACE | PATH) { service } else { None };
            Ok(attachment(reader, &key.name, limits)?.or_else(|| fallback.map(text_value)))
        }
        argument @ ARGUMENTS.. => {
            body::string_at(reader, body::METHOD)?;
            let (_, count) = body::param_types(reader)?;
            let number = argument - ARGUMENTS;
            if u32::from(number) >= count {
                return Ok(None);
            }
            for _ in 0..number {
                reader.skip()?;
            }
            Ok(reader.next()?.to_value())
        }
        _ => Ok(None),
    }
}

fn response_field<'a>(
    reader: &mut Reader<'a>,
    header: Header,
    key: &Key,
    limits: &Limits,
) -> Result<Option<Value<'a>>, DecodeError> {
    if header.status != OK {
        return if key.id == ERROR_MESSAGE { Ok(error_message(reader)?.map(text_value)) } else { Ok(None) };
    }
    if !matches!(place(key.id), Place::Attachment) && !matches!(key.id, RESULT_TYPE | EXCEPTION | EXCEPTION_MESSAGE) {
        return Ok(None);
    }
    let result_type = body::result_type(reader)?;
    match key.id {
        RESULT_TYPE => Ok(Some(Value::Int(result_type.into()))),
        EXCEPTION | EXCEPTION_MESSAGE if !body::is_exception(result_type) => Ok(None),
        EXCEPTION => Ok(body::throwable(reader)?.class.map(text_value)),
        EXCEPTION_MESSAGE => Ok(body::throwable(reader)?.message.map(text_value)),
        _ if !body::has_attachments(result_type) => Ok(None),
        _ => {
            if body::has_value(result_type) {
                reader.skip()?;
            }
            attachment(reader, &key.name, limits)
        }
    }
}

/// The message of a response whose status is not ok. Proxies of old put an int before it.
fn error_message<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, DecodeError> {
    if reader.peek().is_none() {
        return Ok(None);
    }
    Ok(match reader.next()? {
        Event::Text(text) => Some(text),
        Event::Int(_) if reader.peek().is_some() => match reader.next()? {
            Event::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    })
}

/// The attachment of this name, if it is a string, number or the like; of several the last.
fn attachment<'a>(reader: &mut Reader<'a>, name: &str, limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    if body::attachments(reader)? != Attachments::Map {
        return Ok(None);
    }
    let mut found = None;
    let mut entries = Entries::new(reader, limits);
    while let Some(entry) = entries.next(reader)? {
        if entry.key.is_some_and(|key| key.is(name))
            && let Some(value) = entry.value.to_value()
        {
            found = Some(value);
        }
    }
    Ok(found)
}

/// Why a walk over all fields ends early.
enum Stop {
    Asked,
    Broken(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Broken(error)
    }
}

/// A walk over all fields of a frame.
struct Walk<'w, 'v, 'a> {
    limits: &'w Limits,
    visit: &'w mut Visit<'v, 'a>,
}

pub fn fields<'a>(frame: Frame<'a>, limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let header = header(frame)?;
    let mut walk = Walk { limits, visit };
    match walk.all(frame, header) {
        Ok(()) | Err(Stop::Asked) => Ok(()),
        Err(Stop::Broken(error)) => Err(error),
    }
}

impl<'a> Walk<'_, '_, 'a> {
    fn give(&mut self, id: u16, value: Value<'a>) -> Result<(), Stop> {
        let name = KEYS.get(usize::from(id)).map_or("", |key| key.name.as_ref());
        self.give_named(name, value)
    }

    fn give_text(&mut self, id: u16, text: Option<Text<'a>>) -> Result<(), Stop> {
        text.map_or(Ok(()), |text| self.give(id, text_value(text)))
    }

    fn give_named(&mut self, name: &str, value: Value<'a>) -> Result<(), Stop> {
        match (self.visit)(name, value) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Asked),
        }
    }

    fn all(&mut self, frame: Frame<'a>, header: Header) -> Result<(), Stop> {
        self.give(SERIALIZATION, serialization(header))?;
        self.give(EVENT, Value::Int(header.is_event().into()))?;
        if header.is_request() {
            self.give(TWO_WAY, Value::Int(header.is_two_way().into()))?;
        } else {
            self.give(STATUS, Value::Int(header.status.into()))?;
        }
        if !is_readable(header) {
            return Ok(());
        }
        let mut reader = body::reader(frame.bytes, self.limits);
        if header.is_request() { self.request(&mut reader) } else { self.response(&mut reader, header) }
    }

    fn request(&mut self, reader: &mut Reader<'a>) -> Result<(), Stop> {
        let version = body::string(reader, body::DUBBO_VERSION)?;
        self.give_text(DUBBO_VERSION, version)?;
        let service = body::string(reader, body::SERVICE)?;
        self.give_text(PATH, service)?;
        self.give_text(INTERFACE, service)?;
        let version = body::string(reader, body::SERVICE_VERSION)?;
        self.give_text(SERVICE_VERSION, version)?;
        let method = body::string(reader, body::METHOD)?;
        self.give_text(METHOD, method)?;
        let (types, count) = body::param_types(reader)?;
        self.give_text(PARAM_TYPES, types)?;
        self.give(PARAM_COUNT, Value::Int(count.into()))?;
        for _ in 0..count {
            reader.skip()?;
        }
        self.attachments(reader)
    }

    fn response(&mut self, reader: &mut Reader<'a>, header: Header) -> Result<(), Stop> {
        if header.status != OK {
            let message = error_message(reader)?;
            return self.give_text(ERROR_MESSAGE, message);
        }
        let result_type = body::result_type(reader)?;
        self.give(RESULT_TYPE, Value::Int(result_type.into()))?;
        if body::is_exception(result_type) {
            let thrown = body::throwable(reader)?;
            self.give_text(EXCEPTION, thrown.class)?;
            self.give_text(EXCEPTION_MESSAGE, thrown.message)?;
        } else if body::has_value(result_type) && body::has_attachments(result_type) {
            reader.skip()?;
        }
        if body::has_attachments(result_type) { self.attachments(reader) } else { Ok(()) }
    }

    /// Attachments under their own names, save those that would hide what the frame itself says.
    fn attachments(&mut self, reader: &mut Reader<'a>) -> Result<(), Stop> {
        if body::attachments(reader)? != Attachments::Map {
            return Ok(());
        }
        let mut entries = Entries::new(reader, self.limits);
        while let Some(entry) = entries.next(reader)? {
            let Some(key) = entry.key else { continue };
            let Some(value) = entry.value.to_value() else { continue };
            let name = key.to_str();
            if place(id_of(&name)) == Place::Attachment {
                self.give_named(&name, value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_numbers_are_positions_in_the_table() {
        let numbers = [
            ("interface", INTERFACE),
            ("method", METHOD),
            ("group", GROUP),
            ("version", VERSION),
            ("path", PATH),
            ("service_version", SERVICE_VERSION),
            ("dubbo_version", DUBBO_VERSION),
            ("param_types", PARAM_TYPES),
            ("param_count", PARAM_COUNT),
            ("serialization", SERIALIZATION),
            ("two_way", TWO_WAY),
            ("event", EVENT),
            ("status", STATUS),
            ("result_type", RESULT_TYPE),
            ("exception", EXCEPTION),
            ("exception_message", EXCEPTION_MESSAGE),
            ("error_message", ERROR_MESSAGE),
        ];
        assert_eq!(numbers.len(), KEYS.len());
        for (name, number) in numbers {
            assert_eq!(id_of(name), number, "{name}");
        }
    }

    #[test]
    fn arguments_have_one_spelling() {
        assert_eq!(id_of("arg.0"), ARGUMENTS);
        assert_eq!(id_of("arg.254"), ARGUMENTS + 254);
        for attachment in ["arg.255", "arg.01", "arg.+1", "arg.", "arg.x", "arg.70000", "args"] {
            assert_eq!(id_of(attachment), Key::DYNAMIC, "{attachment}");
        }
    }
}
