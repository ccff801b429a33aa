//! The layout of Hessian 2 bodies, as positions of a [`Reader`].
//!
//! ```text
//! request   dubbo version · service name · service version · method · parameter types · one value each · attachments
//! response  status 20: result type · value or throwable (types 0 1 3 4) · attachments (types 3 4 5)
//!           any other: message
//! ```

use metaprotocol_core::{DecodeError, Limits, Reason};

use crate::hessian::{Event, NULL, Reader, Text};
use crate::wire::{HEADER_LEN, result};

/// The strings that a request starts with, as errors name them.
const STRINGS: [&str; 5] = ["dubbo version", "service name", "service version", "method name", PARAM_TYPES];
const PARAM_TYPES: &str = "parameter types";

/// Place of the Dubbo version among the strings of a request.
pub const DUBBO_VERSION: usize = 0;
/// Place of the service's name: its interface or its path, depending on the client.
pub const SERVICE: usize = 1;
/// Place of the service version.
pub const SERVICE_VERSION: usize = 2;
/// Place of the method.
pub const METHOD: usize = 3;
/// Place of the parameter types.
pub const TYPES: usize = 4;

/// A reader at the start of a frame's body.
pub const fn reader<'a>(frame: &'a [u8], limits: &Limits) -> Reader<'a> {
    Reader::new(frame, HEADER_LEN, limits)
}

/// The next string of a request, which is the one of this place.
#[inline]
pub fn string<'a>(reader: &mut Reader<'a>, place: usize) -> Result<Option<Text<'a>>, DecodeError> {
    reader.string(STRINGS.get(place).copied().unwrap_or(PARAM_TYPES))
}

/// The string of this place, from the start of a request's body.
#[inline]
pub fn string_at<'a>(reader: &mut Reader<'a>, place: usize) -> Result<Option<Text<'a>>, DecodeError> {
    for before in 0..place {
        string(reader, before)?;
    }
    string(reader, place)
}

/// Reads the last of a request's strings, the parameter types; returns them and how many they are.
pub fn param_types<'a>(reader: &mut Reader<'a>) -> Result<(Option<Text<'a>>, u32), DecodeError> {
    let at = reader.at();
    let types = string(reader, TYPES)?;
    let count = match types {
        Some(types) => types
            .as_bytes()
            .map_or_else(|| count_params(types.to_str().as_bytes()), count_params)
            .ok_or(Reason::BadEncoding { field: PARAM_TYPES }.at(at))?,
        None => 0,
    };
    Ok((types, count))
}

/// The number of types in a descriptor as the JVM writes it (`Ljava/lang/String;I[J`); `None` if it is none.
fn count_params(descriptor: &[u8]) -> Option<u32> {
    let mut count = 0;
    let mut rest = descriptor;
    while let Some((&letter, tail)) = rest.split_first() {
        rest = match letter {
            b'[' => {
                // An array of nothing is no type.
                if tail.is_empty() {
                    return None;
                }
                tail
            }
            b'V' | b'Z' | b'B' | b'C' | b'D' | b'F' | b'I' | b'J' | b'S' => {
                count += 1;
                tail
            }
            b'L' => {
                count += 1;
                let end = tail.iter().position(|&byte| byte == b';')?;
                tail.get(end + 1..)?
            }
            _ => return None,
        };
    }
    Some(count)
}

/// From the parameter types of a request to its attachments.
pub fn skip_arguments(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let (_, count) = param_types(reader)?;
    for _ in 0..count {
        reader.skip()?;
    }
    Ok(())
}

/// The result type at the start of a response's body.
pub fn result_type(reader: &mut Reader<'_>) -> Result<i32, DecodeError> {
    const FIELD: &str = "result type";
    let at = reader.at();
    match reader.int(FIELD)? {
        known @ result::EXCEPTION..=result::NULL_WITH_ATTACHMENTS => Ok(known),
        value => Err(Reason::BadValue { field: FIELD, value: value.into() }.at(at)),
    }
}

/// True if a value or throwable follows the result type.
pub const fn has_value(result_type: i32) -> bool {
    !matches!(result_type, result::NULL | result::NULL_WITH_ATTACHMENTS)
}

/// True if a throwable follows the result type.
pub const fn is_exception(result_type: i32) -> bool {
    matches!(result_type, result::EXCEPTION | result::EXCEPTION_WITH_ATTACHMENTS)
}

/// True if attachments follow the value.
pub const fn has_attachments(result_type: i32) -> bool {
    result_type >= result::EXCEPTION_WITH_ATTACHMENTS
}

/// The class of a throwable and its own message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throwable<'a> {
    /// The name of its class.
    pub class: Option<Text<'a>>,
    /// `Throwable.detailMessage`; or the whole value, where a server without exceptions sent a string.
    pub message: Option<Text<'a>>,
}

/// Moves over a throwable, and tells what it is.
pub fn throwable<'a>(reader: &mut Reader<'a>) -> Result<Throwable<'a>, DecodeError> {
    const MESSAGE: &str = "detailMessage";
    use crate::hessian::TypeName;

    let outside = reader.depth();
    let mut found = Throwable::default();
    match reader.next()? {
        Event::Text(text) => found.message = Some(text),
        Event::Object { definition } => {
            let inside = reader.depth();
            if let Some(definition) = reader.definition(definition) {
                found.class = Some(definition.name);
                // A subclass may hide the field behind one of its own; the first that holds text is the nearest.
                for name in definition.fields() {
                    if let (Event::Text(text), None) = (reader.next()?, found.message)
                        && name.is(MESSAGE)
                    {
                        found.message = Some(text);
                    }
                    reader.leave(inside)?;
                }
            }
        }
        Event::Map { type_name } => {
            let inside = reader.depth();
            if let Some(TypeName::Named(name)) = type_name {
                found.class = Some(name);
            }
            loop {
                let key = reader.next()?;
                if matches!(key, Event::End) {
                    break;
                }
                reader.leave(inside)?;
                if let (Event::Text(key), Event::Text(text), None) = (key, reader.next()?, found.message)
                    && key.is(MESSAGE)
                {
                    found.message = Some(text);
                }
                reader.leave(inside)?;
            }
        }
        _ => {}
    }
    reader.leave(outside)?;
    Ok(found)
}

/// What stands where attachments belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachments {
    /// A map, now open.
    Map,
    /// Null.
    Null,
    /// Nothing: the body ends here.
    Missing,
    /// A value of another shape, which counts as no attachments.
    Other,
}

/// Opens the attachments.
pub fn attachments(reader: &mut Reader<'_>) -> Result<Attachments, DecodeError> {
    Ok(match reader.peek() {
        None => Attachments::Missing,
        Some(NULL) => Attachments::Null,
        Some(_) => match reader.next()? {
            Event::Map { .. } => Attachments::Map,
            _ => Attachments::Other,
        },
    })
}

/// One attachment and its place.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Offset of the key.
    pub at: usize,
    /// The key; `None` if it is no string.
    pub key: Option<Text<'a>>,
    /// Offset of the value.
    pub value_at: usize,
    /// The value, or the first event of it.
    pub value: Event<'a>,
    /// Offset of the end of the value.
    pub end: usize,
}

/// The entries of an open map of attachments, at most `max`.
pub struct Entries {
    depth: usize,
    count: u32,
    max: u32,
}

impl Entries {
    /// For the map that `reader` has just opened.
    pub const fn new(reader: &Reader<'_>, limits: &Limits) -> Self {
        Self { depth: reader.depth(), count: 0, max: limits.max_field_count }
    }

    /// The next entry, or `None` behind the end of the map.
    #[inline]
    pub fn next<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Option<Entry<'a>>, DecodeError> {
        let at = reader.at();
        if let Some((key, value_at, value)) = reader.short_entry() {
            self.count(at)?;
            let (key, value) = (Some(key), Event::Text(value));
            return Ok(Some(Entry { at, key, value_at, value, end: reader.at() }));
        }
        let key = match reader.next()? {
            Event::End => return Ok(None),
            Event::Text(key) => Some(key),
            _ => {
                reader.leave(self.depth)?;
                None
            }
        };
        self.count(at)?;
        let value_at = reader.at();
        let value = reader.next()?;
        reader.leave(self.depth)?;
        Ok(Some(Entry { at, key, value_at, value, end: reader.at() }))
    }

    /// Counts the entry at offset `at`.
    fn count(&mut self, at: usize) -> Result<(), DecodeError> {
        self.count += 1;
        if self.count > self.max {
            let (value, max) = (self.count.into(), self.max.into());
            return Err(Reason::LimitExceeded { limit: "max_field_count", value, max }.at(at));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_as_the_jvm_writes_them() {
        let cases = [
            ("", Some(0)),
            ("Ljava/lang/String;", Some(1)),
            ("VZBCDFIJS", Some(9)),
            ("[I[[Ljava/util/Map;J", Some(3)),
            ("Ljava/lang/String", None),
            ("I[", None),
            ("X", None),
            ("java.lang.String", None),
        ];
        for (descriptor, count) in cases {
            assert_eq!(count_params(descriptor.as_bytes()), count, "{descriptor}");
        }
    }
}
