//! The walker of Hessian 2 values.

use metaprotocol_dubbo::hessian::{Event, Reader, Text, TypeName, describe, skip, write_str};

use crate::limits;
use crate::script::Script;

/// Bytes that a walk may hold for each byte of input: a class definition of three bytes takes the most.
const MEMORY_PER_BYTE: u64 = 128;
const MEMORY: u64 = 4096;

/// Runs an input.
pub fn check(input: &[u8]) {
    let mut script = Script::new(input);
    let limits = limits(script.byte());
    let start = usize::from(script.byte() & 7);
    let bytes = script.rest();

    let mut result = Ok(0);
    let info = allocation_counter::measure(|| result = skip(bytes, start, &limits));
    let bound = MEMORY + MEMORY_PER_BYTE * bytes.len() as u64;
    assert!(info.bytes_max <= bound, "{} bytes held for {}", info.bytes_max, bytes.len());
    assert_eq!(describe(bytes, start, &limits).map(|(_, end)| end), result);
    assert_eq!(walk(bytes, start, &limits), result);

    let end = match result {
        Ok(end) => end,
        Err(error) => {
            assert!(error.offset <= bytes.len() as u64, "{error} is beyond the end");
            return;
        }
    };
    assert!(end > start && end <= bytes.len());
    for tail in [&b"Z"[..], b"\xff\0\x80ZN"] {
        assert_eq!(skip(&[&bytes[..end], tail].concat(), start, &limits), Ok(end), "the end depends on what follows");
    }
    // Every prefix of a short value, some of a long one.
    for cut in (start.min(end)..end).rev().step_by(1 + (end - start) / 64) {
        assert!(skip(&bytes[..cut], start, &limits).is_err(), "a value without its end at {cut}");
    }
}

/// Walks event by event, and looks at everything that an event gives.
fn walk(
    bytes: &[u8],
    start: usize,
    limits: &metaprotocol_core::Limits,
) -> Result<usize, metaprotocol_core::DecodeError> {
    let mut reader = Reader::new(bytes, start, limits);
    let mut events = 0_usize;
    loop {
        let (at, counts, depth) = (reader.at(), reader.counts(), reader.depth());
        let event = reader.next()?;
        events += 1;
        let read = reader.at() - at;
        assert!(reader.at() <= bytes.len() && (read > 0 || matches!(event, Event::End)), "{event:?} of {read} bytes");
        assert!(reader.depth() <= limits.max_nesting as usize);
        let opened = matches!(event, Event::List { .. } | Event::Map { .. } | Event::Object { .. });
        assert_eq!(reader.depth(), depth + usize::from(opened) - usize::from(matches!(event, Event::End)));
        let after = reader.counts();
        assert_eq!(after.containers, counts.containers + u32::from(opened));
        assert!(after.types >= counts.types && after.definitions >= counts.definitions);
        let used = reader.take_used();
        assert!(used.containers <= after.containers && used.types <= after.types);
        assert!(used.definitions <= after.definitions);
        // Two events a byte: what opens a container of no members, and its end.
        assert!(events <= 2 * (reader.at() - start) + 1, "{events} events of {} bytes", reader.at() - start);
        match event {
            Event::Text(text) => check_text(&text, read),
            Event::Binary(binary) => assert!(binary.to_bytes().len() < read),
            Event::Reference(number) => assert!(number < after.containers),
            Event::Object { definition } => {
                let definition = reader.definition(definition).expect("a definition that was passed");
                check_text(&definition.name, bytes.len());
                // Objects may be many and their definition long: the names are read in `describe`.
                if events < 16 {
                    assert_eq!(definition.fields().count(), definition.field_count as usize);
                }
            }
            Event::List { type_name: Some(TypeName::Named(name)), .. }
            | Event::Map { type_name: Some(TypeName::Named(name)) } => check_text(&name, read),
            _ => {}
        }
        if let Some(value) = event.to_value() {
            assert!(value.to_text().len() <= 32 + 3 * read);
        }
        if reader.depth() == 0 {
            return Ok(reader.at());
        }
    }
}

/// A string of `read` bytes with its codes.
fn check_text(text: &Text<'_>, read: usize) {
    let string = text.to_str();
    assert!(string.len() <= 3 * read);
    assert!(text.is(&string));
    let mut written = Vec::new();
    write_str(&mut written, &string);
    let mut reader = Reader::new(&written, 0, &metaprotocol_core::Limits::default());
    let again = reader.string("string").expect("a string that we wrote").expect("not null");
    assert_eq!((again.to_str(), reader.at()), (string, written.len()));
}
