//! What a command tells of itself.

use std::borrow::Cow;
use std::cell::OnceCell;

use metaprotocol_core::{DecodeError, Frame, Value};

use crate::command::{Argument, Arguments, argument_at, name_before, quote};
use crate::fields::{
    ACCESS, ALL_KEYS, ARG_COUNT, CHANNEL, COMMAND, FLAGS, HASH_TAG, KEY, KEY_COUNT, PATTERN, SLOT, SUBCOMMAND, number,
    text,
};
use crate::keys::{Positions, hash_tag, slot};
use crate::table::{self, Entry};
use crate::wire::{self, Form};

/// The verb: whether a command ties its client to its connection; so does one that the table does not know.
pub(crate) fn binds(frame: Frame<'_>) -> bool {
    let form = wire::form(frame.head.variant).filter(|form| form.is_command());
    // Nearly all are told by their name alone, which ends where the header does.
    let name = name_before(frame.bytes, frame.head.header_len as usize).filter(|_| form == Some(Form::Command));
    if let Some(command) = name.and_then(table::command).filter(|command| !command.has_subcommands) {
        return !command.is_free;
    }
    let Some(Ok(request)) = form.map(|form| Request::open(frame.bytes, form)) else { return true };
    // What clients say of themselves when they have connected is shown to people and has no other effect.
    let is_introduction = request.name.eq_ignore_ascii_case(b"CLIENT")
        && matches!(request.argument(1), Ok(Some(what)) if what.value.eq_ignore_ascii_case(b"SETINFO"));
    !is_introduction && !matches!(request.entry(), Ok(Some(entry)) if entry.is_free)
}

/// The first key of a command, where it is the argument behind the name and all there: of nearly all that have keys.
pub(crate) fn first_key(frame: Frame<'_>) -> Option<&[u8]> {
    let at = frame.head.header_len as usize;
    let command = name_before(frame.bytes, at).and_then(table::command)?;
    if command.key_first && !command.has_subcommands { argument_at(frame.bytes, at) } else { None }
}

/// A command with its name read; the rest is read as it is asked for.
pub(crate) struct Request<'a> {
    arguments: Arguments<'a>,
    name: Cow<'a, [u8]>,
    /// Of the command itself.
    command: Option<&'static Entry>,
    /// Of the subcommand, or of the command if it has none.
    entry: OnceCell<Option<&'static Entry>>,
    positions: OnceCell<Positions>,
}

impl<'a> Request<'a> {
    /// Of a frame that is a command.
    pub(crate) fn open(bytes: &'a [u8], form: Form) -> Result<Self, DecodeError> {
        let arguments = match form {
            Form::Inline => Arguments::of_line(bytes),
            _ => Arguments::of_array(bytes)?,
        };
        let name = match arguments.clone().next().transpose()? {
            Some(argument) => argument.value,
            None => Cow::Borrowed(&[][..]),
        };
        let command = table::command(&name);
        Ok(Self { arguments, name, command, entry: OnceCell::new(), positions: OnceCell::new() })
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(crate) fn arguments(&self) -> Arguments<'a> {
        self.arguments.clone()
    }

    /// The argument at a position, the name being the first.
    pub(crate) fn argument(&self, at: usize) -> Result<Option<Argument<'a>>, DecodeError> {
        self.arguments.clone().nth(at).transpose()
    }

    fn entry(&self) -> Result<Option<&'static Entry>, DecodeError> {
        if let Some(entry) = self.entry.get() {
            return Ok(*entry);
        }
        let entry = match self.command {
            Some(command) if command.has_subcommands => {
                let sub = self.argument(1)?.and_then(|sub| table::subcommand(&self.name, &sub.value));
                sub.or(Some(command))
            }
            other => other,
        };
        Ok(*self.entry.get_or_init(|| entry))
    }

    /// Where the keys are; nowhere in a command that the table does not know.
    pub(crate) fn positions(&self) -> Result<Positions, DecodeError> {
        if let Some(positions) = self.positions.get() {
            return Ok(*positions);
        }
        let positions = match self.entry()? {
            Some(entry) => Positions::of(entry, &self.arguments, false)?,
            None => Positions::default(),
        };
        Ok(*self.positions.get_or_init(|| positions))
    }

    /// The key with this number, in the order of the arguments.
    pub(crate) fn key(&self, number: usize) -> Result<Option<Argument<'a>>, DecodeError> {
        let positions = self.positions()?;
        if number == 0 {
            return match positions.first() {
                Some(at) => self.argument(at),
                None => Ok(None),
            };
        }
        if number >= positions.count() {
            return Ok(None);
        }
        self.arguments
            .clone()
            .enumerate()
            .filter(|(at, _)| positions.contain(*at))
            .nth(number)
            .map(|(_, key)| key)
            .transpose()
    }

    /// All keys in one text, as a line takes them.
    fn keys(&self) -> Result<Option<Value<'a>>, DecodeError> {
        let positions = self.positions()?;
        let mut all: Option<Cow<'a, [u8]>> = None;
        for (_, key) in self.arguments.clone().enumerate().filter(|(at, _)| positions.contain(*at)) {
            let key = match key?.value {
                Cow::Borrowed(key) => quote(key),
                Cow::Owned(key) => Cow::Owned(quote(&key).into_owned()),
            };
            all = Some(match all {
                None => key,
                Some(before) => {
                    let mut joined = before.into_owned();
                    joined.push(b' ');
                    joined.extend_from_slice(&key);
                    Cow::Owned(joined)
                }
            });
        }
        Ok(all.map(text))
    }

    /// What decides the node of a cluster: the first key, or the channel of sharded pub/sub.
    fn hashed(&self) -> Result<Option<Argument<'a>>, DecodeError> {
        if let Some(key) = self.key(0)? {
            return Ok(Some(key));
        }
        match self.entry()? {
            Some(entry) if !entry.specs.is_empty() => match Positions::of(entry, &self.arguments, true)?.first() {
                Some(at) => self.argument(at),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// A built-in field.
    pub(crate) fn field(&self, id: u16) -> Result<Option<Value<'a>>, DecodeError> {
        Ok(match id {
            COMMAND => Some(match self.command {
                Some(command) => Value::str(&command.name),
                None => text(Cow::Owned(self.name.to_ascii_uppercase())),
            }),
            SUBCOMMAND => match self.command {
                Some(command) if command.has_subcommands => match self.entry()? {
                    Some(entry) if !entry.has_subcommands => Some(Value::str(&entry.name)),
                    _ => self.argument(1)?.map(|sub| text(Cow::Owned(sub.value.to_ascii_uppercase()))),
                },
                _ => None,
            },
            KEY => self.key(0)?.map(|key| text(key.value)),
            ALL_KEYS => self.keys()?,
            KEY_COUNT => match self.command {
                Some(_) => Some(number(self.positions()?.count())),
                None => None,
            },
            HASH_TAG => match self.hashed()? {
                Some(Argument { value: Cow::Borrowed(key), .. }) => hash_tag(key).map(|tag| text(Cow::Borrowed(tag))),
                Some(Argument { value: Cow::Owned(key), .. }) => {
                    hash_tag(&key).map(|tag| text(Cow::Owned(tag.to_vec())))
                }
                None => None,
            },
            SLOT => self.hashed()?.map(|key| Value::UInt(slot(&key.value).into())),
            ARG_COUNT => Some(number(self.arguments.total().saturating_sub(1))),
            ACCESS => self.entry()?.and_then(Entry::access).map(Value::str),
            FLAGS => self.entry()?.map(|entry| Value::str(entry.flags)).filter(|flags| *flags != Value::str("")),
            CHANNEL | PATTERN => match self.command {
                // PUBSUB itself has subcommands, and asks about channels.
                Some(command) if command.has_flag("pubsub") && !command.has_subcommands => {
                    let is_pattern = matches!(&*command.name, "PSUBSCRIBE" | "PUNSUBSCRIBE");
                    let wanted = (id == PATTERN) == is_pattern;
                    if wanted { self.argument(1)?.map(|channel| text(channel.value)) } else { None }
                }
                _ => None,
            },
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use metaprotocol_core::{Codec, Direction, Key, Limits, Split};

    use super::*;
    use crate::Redis;

    #[test]
    fn the_first_key_is_the_first_of_all_keys() {
        let key = Key { name: "key".into(), id: KEY };
        let mut quick = 0;
        for name in table::names() {
            for count in 1..6 {
                let mut bytes = format!("*{count}\r\n${}\r\n", name.len()).into_bytes();
                bytes.extend_from_slice(name);
                bytes.extend_from_slice(b"\r\n");
                (1..count)
                    .for_each(|number| bytes.extend_from_slice(format!("$2\r\n{}{number}\r\n", number % 2).as_bytes()));
                let split = Redis.split(&mut Redis.state(), Direction::ClientToServer, &Limits::default(), &bytes);
                let Ok(Split::Head(head)) = split else { panic!("{bytes:?}") };
                let frame = Frame { head, bytes: &bytes };
                let request = Request::open(&bytes, Form::Command).unwrap();
                let told = Redis.field(frame, &key, &Limits::default()).unwrap();
                assert_eq!(told, request.field(KEY).unwrap(), "{} with {count}", String::from_utf8_lossy(name));
                quick += usize::from(first_key(frame).is_some());
            }
        }
        assert!(quick > 400, "{quick}");
    }
}
