//! Metadata: the fields of nshead, by what nova uses them for.

use std::ops::ControlFlow;

use metaprotocol_core::{DecodeError, Frame, Key, KeyInfo, Limits, Value, Visit};

use crate::nshead::{HEADER_LEN, Part, decimal, header};

/// The keys that are always known. Their positions are their numbers in [`Key`].
pub static KEYS: [KeyInfo; 7] = [
    KeyInfo::read("method", "the method called, by its index"),
    KeyInfo::write("method_index", "the position of the method in the only service of the server, from 0").number(),
    KeyInfo::write("log_id", "the caller's number for its log").number(),
    KeyInfo::read("compress_type", "how the body is compressed: 0 not, 1 snappy").number(),
    KeyInfo::write("nshead_id", "the id of the header, which nova does not use").number(),
    KeyInfo::read("nshead_version", "the version of the header; its lowest bit is set if the body is compressed")
        .number(),
    KeyInfo::write("provider", "the name of the sender, which nova does not use"),
];

/// Resolves a key.
pub fn key(name: &str) -> Key {
    let id = KEYS.iter().position(|known| known.name == name).map_or(Key::DYNAMIC, |at| at as u16);
    Key { name: name.into(), id }
}

/// The field of the header that a key reads and writes.
pub fn part(name: &str) -> Option<Part> {
    Some(match name {
        "method_index" => Part::Reserved,
        "log_id" => Part::LogId,
        "nshead_id" => Part::Id,
        "nshead_version" => Part::Version,
        "provider" => Part::Provider,
        _ => return None,
    })
}

fn value<'a>(header: &'a [u8; HEADER_LEN], name: &str) -> Option<Value<'a>> {
    match name {
        "method" => decimal(Part::Reserved.value(header)),
        "compress_type" => match Part::Version.value(header) {
            Some(Value::UInt(version)) => Some(Value::Int((version & 1) as i64)),
            _ => None,
        },
        name => part(name)?.value(header),
    }
}

pub fn field<'a>(frame: Frame<'a>, key: &Key, _limits: &Limits) -> Result<Option<Value<'a>>, DecodeError> {
    Ok(value(header(frame.bytes)?, &key.name))
}

pub fn fields<'a>(frame: Frame<'a>, _limits: &Limits, visit: &mut Visit<'_, 'a>) -> Result<(), DecodeError> {
    let header = header(frame.bytes)?;
    let _ended = KEYS.iter().try_for_each(|key| match value(header, &key.name) {
        Some(value) => visit(&key.name, value),
        None => ControlFlow::Continue(()),
    });
    Ok(())
}
