//! A value as one line of text, for tests against other readers and for people.

use std::fmt::Write;

use metaprotocol_core::{DecodeError, Limits};

use super::{Event, Reader, Text, TypeName};

/// What is written before and after the next member of an open container.
enum Open<'a> {
    List { first: bool },
    Map { first: bool, key: bool },
    Object { names: Vec<Text<'a>>, next: usize },
}

/// The value at offset `at` of `bytes` as text, and the offset of its end.
///
/// ```text
/// null  true  1 (int)  1L (long)  1.5 (double)  date(1000)  "text"  bytes(0a0b)
/// [1, 2]  java.util.Stack[1]  {"key": 1}  java.util.TreeMap{"key": 1}  a.Person(name="x", age=1)  #0 (reference)
/// ```
///
/// Types are named also where the message gives their number only.
///
/// # Errors
/// As [`super::skip`].
pub fn describe(bytes: &[u8], at: usize, limits: &Limits) -> Result<(String, usize), DecodeError> {
    let mut reader = Reader::new(bytes, at, limits);
    let mut out = String::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut types: Vec<Text<'_>> = Vec::new();
    loop {
        let event = reader.next()?;
        if !matches!(event, Event::End) {
            lead(&mut out, open.last_mut());
        }
        match event {
            Event::Null => out.push_str("null"),
            Event::Bool(value) => write_to(&mut out, format_args!("{value}")),
            Event::Int(value) => write_to(&mut out, format_args!("{value}")),
            Event::Long(value) => write_to(&mut out, format_args!("{value}L")),
            Event::Double(value) => write_to(&mut out, format_args!("{value:?}")),
            Event::Date(value) => write_to(&mut out, format_args!("date({value})")),
            Event::Text(text) => quote(&mut out, &text.to_str()),
            Event::Binary(binary) => {
                out.push_str("bytes(");
                for byte in binary.to_bytes().iter() {
                    write_to(&mut out, format_args!("{byte:02x}"));
                }
                out.push(')');
            }
            Event::Reference(number) => write_to(&mut out, format_args!("#{number}")),
            Event::List { type_name, .. } => {
                name(&mut out, &mut types, type_name);
                out.push('[');
                open.push(Open::List { first: true });
            }
            Event::Map { type_name } => {
                name(&mut out, &mut types, type_name);
                out.push('{');
                open.push(Open::Map { first: true, key: true });
            }
            Event::Object { definition } => {
                let definition = reader.definition(definition);
                let names = definition.map(|definition| definition.fields().collect()).unwrap_or_default();
                if let Some(definition) = definition {
                    out.push_str(&definition.name.to_str());
                }
                out.push('(');
                open.push(Open::Object { names, next: 0 });
            }
            Event::End => out.push(match open.pop() {
                Some(Open::List { .. }) => ']',
                Some(Open::Map { .. }) => '}',
                Some(Open::Object { .. }) | None => ')',
            }),
        }
        if reader.depth() == 0 {
            return Ok((out, reader.at()));
        }
    }
}

/// What stands before a member of a container.
fn lead(out: &mut String, open: Option<&mut Open<'_>>) {
    match open {
        None => {}
        Some(Open::List { first }) => separate(out, first),
        Some(Open::Map { first, key }) => {
            if *key {
                separate(out, first)
            } else {
                out.push_str(": ")
            }
            *key = !*key;
        }
        Some(Open::Object { names, next }) => {
            if *next > 0 {
                out.push_str(", ");
            }
            if let Some(name) = names.get(*next) {
                out.push_str(&name.to_str());
            }
            out.push('=');
            *next += 1;
        }
    }
}

fn separate(out: &mut String, first: &mut bool) {
    if !std::mem::replace(first, false) {
        out.push_str(", ");
    }
}

fn name<'a>(out: &mut String, types: &mut Vec<Text<'a>>, type_name: Option<TypeName<'a>>) {
    match type_name {
        None => {}
        Some(TypeName::Named(text)) => {
            types.push(text);
            out.push_str(&text.to_str());
        }
        Some(TypeName::Numbered(number)) => {
            if let Some(text) = types.get(number as usize) {
                out.push_str(&text.to_str());
            }
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => write_to(out, format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn write_to(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(arguments);
}
