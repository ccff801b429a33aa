//! Values as a flat run of events.

use std::borrow::Cow;

use metaprotocol_core::{Cursor, DecodeError, Limits, Reason, Value};

use super::text::{Binary, Text, is_binary, is_text};
use super::{END, MAP, NULL, TYPED_MAP};

/// One step of a walk. A container is followed by its members and then by [`Event::End`].
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// A floating point number.
    Double(f64),
    /// Milliseconds since 1970-01-01 UTC.
    Date(i64),
    /// A string.
    Text(Text<'a>),
    /// A run of bytes.
    Binary(Binary<'a>),
    /// A list; its values follow.
    List {
        /// What it is a list of, if it says so.
        type_name: Option<TypeName<'a>>,
        /// How many values follow, if it says so.
        len: Option<u32>,
    },
    /// A map; its keys and values follow in turn.
    Map {
        /// Its class, if it says so.
        type_name: Option<TypeName<'a>>,
    },
    /// An object; as many values follow as its definition has fields.
    Object {
        /// Number of the definition, for [`Reader::definition`].
        definition: u32,
    },
    /// The list, map or object of this number, counted from the first of the message.
    Reference(u32),
    /// The end of the innermost container.
    End,
}

impl<'a> Event<'a> {
    /// The event as a metadata value: text and numbers as they are, dates as milliseconds, `true`, `false` and floating
    /// point numbers as text; `None` for null, binaries, containers and references.
    #[must_use]
    pub fn to_value(&self) -> Option<Value<'a>> {
        Some(match *self {
            Self::Text(text) => Value::Str(text.to_str()),
            Self::Int(number) => Value::Int(number.into()),
            Self::Long(number) | Self::Date(number) => Value::Int(number),
            Self::Bool(true) => Value::str("true"),
            Self::Bool(false) => Value::str("false"),
            Self::Double(number) => Value::Str(Cow::Owned(format!("{number:?}"))),
            Self::Null
            | Self::Binary(_)
            | Self::List { .. }
            | Self::Map { .. }
            | Self::Object { .. }
            | Self::Reference(_)
            | Self::End => return None,
        })
    }
}

/// The type of a list or map.
#[derive(Clone, Copy, Debug)]
pub enum TypeName<'a> {
    /// Its name, which also takes the next number.
    Named(Text<'a>),
    /// The name that has this number, counted from the first of the message.
    Numbered(u32),
}

/// A class definition: a name and the names of the fields.
#[derive(Clone, Copy, Debug)]
pub struct Definition<'a> {
    /// The class.
    pub name: Text<'a>,
    /// How many values an object of it has.
    pub field_count: u32,
    fields: &'a [u8],
}

impl<'a> Definition<'a> {
    /// The names of the fields, in the order of the values.
    pub fn fields(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.fields, 0);
        std::iter::from_fn(move || Text::read(&mut cursor, FIELD_NAME).ok())
    }
}

/// How many things that can be referred to by number a reader has passed, or the highest number referred to plus one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists, maps and objects.
    pub containers: u32,
    /// Names of types of lists and maps.
    pub types: u32,
    /// Class definitions.
    pub definitions: u32,
}

/// What is still to come of an open container.
#[derive(Clone, Copy, Debug)]
enum Open {
    Values(u32),
    ListUntilEnd,
    MapKey,
    MapValue,
}

/// Walks over values, one [`Event`] at a time. It allocates for containers in containers and for class definitions only.
#[derive(Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    limits: Limits,
    /// The innermost open container.
    open: Option<Open>,
    /// Those around it, the outermost first.
    around: Vec<Open>,
    definitions: Vec<Definition<'a>>,
    containers: u32,
    types: u32,
    used: Counts,
}

const VALUE: &str = "value";
const STRING: &str = "string";
const BINARY: &str = "binary";
const TYPE: &str = "type";
const LIST_LEN: &str = "list length";
const REFERENCE: &str = "reference";
const DEFINITION: &str = "class definition";
const FIELD_COUNT: &str = "field count";
const FIELD_NAME: &str = "field name";

impl<'a> Reader<'a> {
    /// A reader of the values from offset `at` of `bytes` on. Offsets in its errors count from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], at: usize, limits: &Limits) -> Self {
        Self {
            cursor: Cursor::new(bytes, at),
            limits: *limits,
            open: None,
            around: Vec::new(),
            definitions: Vec::new(),
            containers: 0,
            types: 0,
            used: Counts { containers: 0, types: 0, definitions: 0 },
        }
    }

    /// Offset of the next event.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.cursor.at()
    }

    /// The byte at the next event, if there is one.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.cursor.peek()
    }

    /// How many containers are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.around.len() + self.open.is_some() as usize
    }

    /// A class definition that has been passed.
    #[must_use]
    pub fn definition(&self, number: u32) -> Option<Definition<'a>> {
        self.definitions.get(number as usize).copied()
    }

    /// How many things that can be referred to have been passed.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts { containers: self.containers, types: self.types, definitions: self.definitions.len() as u32 }
    }

    /// The highest numbers referred to since the last call, each plus one; 0 where nothing was referred to.
    pub const fn take_used(&mut self) -> Counts {
        std::mem::replace(&mut self.used, Counts { containers: 0, types: 0, definitions: 0 })
    }

    /// Moves over one value of any shape.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let depth = self.depth();
        self.next()?;
        self.leave(depth)
    }

    /// Reads on until no more than `depth` containers are open.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn leave(&mut self, depth: usize) -> Result<(), DecodeError> {
        while self.depth() > depth {
            self.next()?;
        }
        Ok(())
    }

    /// The next key and value of an open map and the offset of the value, if both are short strings of ASCII, as nearly
    /// all attachments are. Else the reader stays where it is.
    #[inline]
    pub(crate) fn short_entry(&mut self) -> Option<(Text<'a>, usize, Text<'a>)> {
        if !matches!(self.open, Some(Open::MapKey)) {
            return None;
        }
        let rest = self.cursor.rest();
        let (key, key_len) = Text::short(rest)?;
        let (value, value_len) = Text::short(rest.get(key_len..)?)?;
        let value_at = self.at() + key_len;
        self.cursor.skip(key_len + value_len).ok()?;
        Some((key, value_at, value))
    }

    /// A string, or `None` for null; `field` names it in errors.
    ///
    /// # Errors
    /// [`DecodeError`] if something else stands there, or it is broken or incomplete.
    #[inline]
    pub fn string(&mut self, field: &'static str) -> Result<Option<Text<'a>>, DecodeError> {
        if self.peek() == Some(NULL) {
            self.cursor.u8().map_err(|short| short.within(field))?;
            return Ok(None);
        }
        Text::read(&mut self.cursor, field).map(Some)
    }

    /// An int; `field` names it in errors.
    ///
    /// # Errors
    /// [`DecodeError`] if something else stands there, or it is incomplete.
    #[inline]
    pub fn int(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        let at = self.at();
        let code = self.cursor.u8().map_err(|short| short.within(field))?;
        match code {
            0x80..=0xbf | 0xc0..=0xcf | 0xd0..=0xd7 | b'I' => self.int_after(code, field),
            _ => Err(Reason::BadEncoding { field }.at(at)),
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are no value, end within it, refer to what has not been, or go over the limits.
    #[allow(clippy::should_implement_trait, reason = "an error ends the walk, which Iterator cannot say")]
    #[inline]
    pub fn next(&mut self) -> Result<Event<'a>, DecodeError> {
        if let Some(top) = &mut self.open {
            match top {
                Open::Values(0) => {
                    self.open = self.around.pop();
                    return Ok(Event::End);
                }
                Open::Values(left) => *left -= 1,
                Open::MapValue => *top = Open::MapKey,
                Open::ListUntilEnd | Open::MapKey if self.cursor.peek() == Some(END) => {
                    self.cursor.u8().map_err(|short| short.within(VALUE))?;
                    self.open = self.around.pop();
                    return Ok(Event::End);
                }
                Open::ListUntilEnd => {}
                Open::MapKey => *top = Open::MapValue,
            }
        }
        self.value()
    }

    fn value(&mut self) -> Result<Event<'a>, DecodeError> {
        let mut at = self.at();
        let mut code = self.peek().ok_or(Reason::UnexpectedEnd { field: VALUE }.at(at))?;
        // A definition stands before the value that first needs it, perhaps behind others.
        while code == b'C' {
            self.define()?;
            at = self.at();
            code = self.peek().ok_or(Reason::UnexpectedEnd { field: VALUE }.at(at))?;
        }
        if is_text(code) {
            return Text::read(&mut self.cursor, STRING).map(Event::Text);
        }
        if is_binary(code) {
            return Binary::read(&mut self.cursor, BINARY).map(Event::Binary);
        }
        self.cursor.u8().map_err(|short| short.within(VALUE))?;
        Ok(match code {
            NULL => Event::Null,
            b'T' => Event::Bool(true),
            b'F' => Event::Bool(false),
            0x80..=0xbf | 0xc0..=0xcf | 0xd0..=0xd7 | b'I' => Event::Int(self.int_after(code, VALUE)?),
            0xd8..=0xef => Event::Long(i64::from(code) - 0xe0),
            0xf0..=0xff => Event::Long((i64::from(code) - 0xf8) << 8 | i64::from(self.byte()?)),
            0x38..=0x3f => Event::Long((i64::from(code) - 0x3c) << 16 | i64::from(self.two_bytes()?)),
            0x59 => Event::Long(self.four_bytes()?.into()),
            b'L' => Event::Long(self.eight_bytes()?),
            0x5b => Event::Double(0.0),
            0x5c => Event::Double(1.0),
            0x5d => Event::Double(i8::from_be_bytes([self.byte()?]).into()),
            0x5e => Event::Double(i16::from_be_bytes(self.two_bytes()?.to_be_bytes()).into()),
            0x5f => Event::Double(f64::from(self.four_bytes()?) * 0.001),
            b'D' => Event::Double(f64::from_bits(self.eight_bytes()?.cast_unsigned())),
            0x4a => Event::Date(self.eight_bytes()?),
            0x4b => Event::Date(i64::from(self.four_bytes()?) * 60_000),
            b'U' | 0x57 => {
                let type_name = if code == b'U' { Some(self.type_name()?) } else { None };
                self.enter(at, Open::ListUntilEnd)?;
                Event::List { type_name, len: None }
            }
            b'V' | 0x58 | 0x70..=0x7f => {
                let type_name = if matches!(code, b'V' | 0x70..=0x77) { Some(self.type_name()?) } else { None };
                let len = match code {
                    0x70..=0x7f => u32::from(code & 7),
                    _ => self.count(LIST_LEN, "list")?,
                };
                self.enter(at, Open::Values(len))?;
                Event::List { type_name, len: Some(len) }
            }
            MAP | TYPED_MAP => {
                let type_name = if code == TYPED_MAP { Some(self.type_name()?) } else { None };
                self.enter(at, Open::MapKey)?;
                Event::Map { type_name }
            }
            b'O' | 0x60..=0x6f => {
                let number = if code == b'O' { self.int(DEFINITION)? } else { i32::from(code - 0x60) };
                let definition =
                    u32::try_from(number).ok().and_then(|number| self.definition(number).map(|found| (number, found)));
                let Some((number, definition)) = definition else {
                    return Err(Reason::BadValue { field: DEFINITION, value: number.into() }.at(at));
                };
                self.used.definitions = self.used.definitions.max(number + 1);
                self.enter(at, Open::Values(definition.field_count))?;
                Event::Object { definition: number }
            }
            b'Q' => {
                let number = self.int(REFERENCE)?;
                match u32::try_from(number) {
                    Ok(known) if known < self.containers => {
                        self.used.containers = self.used.containers.max(known + 1);
                        Event::Reference(known)
                    }
                    _ => return Err(Reason::BadValue { field: REFERENCE, value: number.into() }.at(at)),
                }
            }
            _ => return Err(Reason::BadValue { field: "value code", value: code.into() }.at(at)),
        })
    }

    /// Opens a container whose code stands at `at`.
    fn enter(&mut self, at: usize, open: Open) -> Result<(), DecodeError> {
        let depth = self.depth() as u64 + 1;
        let max = u64::from(self.limits.max_nesting);
        if depth > max {
            return Err(Reason::LimitExceeded { limit: "max_nesting", value: depth, max }.at(at));
        }
        self.containers += 1;
        self.around.extend(self.open.replace(open));
        Ok(())
    }

    fn define(&mut self) -> Result<(), DecodeError> {
        let at = self.at();
        let max = u64::from(self.limits.max_field_count);
        let number = self.definitions.len() as u64 + 1;
        if number > max {
            return Err(Reason::LimitExceeded { limit: "max_field_count", value: number, max }.at(at));
        }
        self.cursor.u8().map_err(|short| short.within(DEFINITION))?;
        let name = Text::read(&mut self.cursor, "class name")?;
        let field_count = self.count(FIELD_COUNT, DEFINITION)?;
        let rest = self.cursor.rest();
        let start = self.at();
        for _ in 0..field_count {
            Text::read(&mut self.cursor, FIELD_NAME)?;
        }
        let fields = rest.get(..self.at() - start).unwrap_or(rest);
        self.definitions.push(Definition { name, field_count, fields });
        Ok(())
    }

    fn type_name(&mut self) -> Result<TypeName<'a>, DecodeError> {
        let at = self.at();
        if self.peek().is_some_and(is_text) {
            let name = Text::read(&mut self.cursor, TYPE)?;
            self.types += 1;
            return Ok(TypeName::Named(name));
        }
        let number = self.int(TYPE)?;
        match u32::try_from(number) {
            Ok(known) if known < self.types => {
                self.used.types = self.used.types.max(known + 1);
                Ok(TypeName::Numbered(known))
            }
            _ => Err(Reason::BadValue { field: TYPE, value: number.into() }.at(at)),
        }
    }

    /// A number of things that follow. Each takes a byte at least, so more than there are bytes cannot be.
    fn count(&mut self, field: &'static str, of: &'static str) -> Result<u32, DecodeError> {
        let at = self.at();
        let number = self.int(field)?;
        match u32::try_from(number) {
            Err(_) => Err(Reason::BadLength { field, value: number.into() }.at(at)),
            Ok(count) if count as usize > self.cursor.left() => Err(Reason::UnexpectedEnd { field: of }.at(at)),
            Ok(count) => Ok(count),
        }
    }

    /// The rest of an int whose code has been read.
    #[inline]
    fn int_after(&mut self, code: u8, field: &'static str) -> Result<i32, DecodeError> {
        let value = match code {
            0x80..=0xbf => Ok(i32::from(code) - 0x90),
            0xc0..=0xcf => self.cursor.u8().map(|low| (i32::from(code) - 0xc8) << 8 | i32::from(low)),
            0xd0..=0xd7 => self.cursor.u16_be().map(|low| (i32::from(code) - 0xd4) << 16 | i32::from(low)),
            _ => self.cursor.i32_be(),
        };
        value.map_err(|short| short.within(field))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.cursor.u8().map_err(|short| short.within(VALUE))
    }

    fn two_bytes(&mut self) -> Result<u16, DecodeError> {
        self.cursor.u16_be().map_err(|short| short.within(VALUE))
    }

    fn four_bytes(&mut self) -> Result<i32, DecodeError> {
        self.cursor.i32_be().map_err(|short| short.within(VALUE))
    }

    fn eight_bytes(&mut self) -> Result<i64, DecodeError> {
        self.cursor.i64_be().map_err(|short| short.within(VALUE))
    }
}
