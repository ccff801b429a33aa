//! Walks over values without reading them, to find where an unframed message ends.
//!
//! Resumable: a walker keeps its offset and an explicit stack of the structs and containers it is inside, never deeper
//! than `Limits::max_nesting`, so a walk that runs out of bytes goes on where it stopped and deep nesting cannot exhaust
//! the thread's stack. Strings, and containers whose elements all have one length, are stepped over by arithmetic; the
//! offset may then lie beyond the bytes at hand. Each step takes at least one byte of input, hence work is linear.

use metaprotocol_core::{DecodeError, Reason};

use crate::window::{Stop, Window, unzigzag};
use crate::wire::Type;

/// What a walk may cross.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Where the frame ends, or has to at the latest.
    pub(crate) end: usize,
    /// The longest frame accepted; what claims more is told by how much.
    pub(crate) max_len: u64,
    pub(crate) max_nesting: u32,
}

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walked {
    /// Everything it set out for ends at this offset, and is in.
    End(usize),
    /// At least this many more bytes are needed.
    Need(usize),
}

/// A struct or container the walk is inside.
#[derive(Clone, Copy, Debug)]
enum Level {
    Struct,
    /// A list or set.
    Elements {
        of: Type,
        left: u32,
    },
    /// A map before a key, or at its end.
    Key {
        key: Type,
        value: Type,
        left: u32,
    },
    /// A map before a value.
    Value {
        key: Type,
        value: Type,
        left: u32,
    },
}

/// A value measured: where it ends, or where its inside begins.
struct Measured {
    to: usize,
    open: Option<Level>,
    /// Bytes that must follow `to` for what it opens.
    claim: usize,
}

/// A field's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) id: i16,
    pub(crate) ty: Type,
    /// Compact writes a bool within the field's head.
    pub(crate) inline_bool: Option<bool>,
    pub(crate) value_at: usize,
}

/// Reads a field's head, or `None` and the offset behind it for the end of the struct. `previous` is the id of the field
/// before, from which compact counts.
pub(crate) fn read_field(mut window: Window<'_>, compact: bool, previous: i16) -> Result<Result<Field, usize>, Stop> {
    let at = window.at;
    let first = window.u8("field type")?;
    if first == 0 {
        return Ok(Err(window.at));
    }
    let nibble = if compact { first & 0x0f } else { first };
    let ty = if compact { Type::from_compact(nibble) } else { Type::from_binary(nibble) };
    let Some(ty) = ty else {
        return Err(Reason::BadValue { field: "field type", value: nibble.into() }.at(at).into());
    };
    let id = if !compact {
        i16::from_be_bytes(window.array("field id")?)
    } else if first >> 4 != 0 {
        previous.wrapping_add((first >> 4).into())
    } else {
        let id_at = window.at;
        let id = unzigzag(window.varint::<32>("field id")?);
        i16::try_from(id).map_err(|_| Stop::Broken(Reason::BadValue { field: "field id", value: id }.at(id_at)))?
    };
    let inline_bool = (compact && ty == Type::Bool).then_some(nibble == 1);
    Ok(Ok(Field { id, ty, inline_bool, value_at: window.at }))
}

/// The type of a container's elements. An empty container may leave it unset.
fn element_type(byte: u8, compact: bool, count: usize, at: usize) -> Result<Type, Stop> {
    let ty = if compact { Type::from_compact(byte) } else { Type::from_binary(byte) };
    match ty {
        Some(ty) => Ok(ty),
        // Nothing is read as this type.
        None if count == 0 => Ok(Type::Byte),
        None => Err(Reason::BadValue { field: "element type", value: byte.into() }.at(at).into()),
    }
}

/// Steps over one value, or into it.
fn measure(mut window: Window<'_>, compact: bool, ty: Type) -> Result<Measured, Stop> {
    let start = window.at;
    let closed = |to: usize| Ok(Measured { to, open: None, claim: 0 });
    if let Some(len) = ty.fixed_len(compact) {
        return closed(start.saturating_add(len));
    }
    match ty {
        Type::Binary => {
            let len = if compact { window.varint_length("string length")? } else { window.length("string length")? };
            closed(window.at.saturating_add(len))
        }
        Type::Struct => Ok(Measured { to: start, open: Some(Level::Struct), claim: 1 }),
        Type::List | Type::Set => {
            let (byte, count) = if compact {
                let first = window.u8("element type")?;
                let short = usize::from(first >> 4);
                let count = if short == 15 { window.varint_length("element count")? } else { short };
                (first & 0x0f, count)
            } else {
                (window.u8("element type")?, window.length("element count")?)
            };
            let of = element_type(byte, compact, count, start)?;
            match of.fixed_len(compact) {
                Some(len) => closed(window.at.saturating_add(count.saturating_mul(len))),
                None if count == 0 => closed(window.at),
                None => Ok(Measured {
                    to: window.at,
                    open: Some(Level::Elements { of, left: count as u32 }),
                    claim: count.saturating_mul(of.min_len(compact)),
                }),
            }
        }
        Type::Map => {
            let (types_at, key, value, count) = if compact {
                let count = window.varint_length("element count")?;
                if count == 0 {
                    return closed(window.at);
                }
                let types_at = window.at;
                let types = window.u8("element type")?;
                (types_at, types >> 4, types & 0x0f, count)
            } else {
                let [key, value] = window.array("element type")?;
                (start, key, value, window.length("element count")?)
            };
            let key = element_type(key, compact, count, types_at)?;
            let value = element_type(value, compact, count, if compact { types_at } else { types_at + 1 })?;
            match (key.fixed_len(compact), value.fixed_len(compact)) {
                (Some(key), Some(value)) => closed(window.at.saturating_add(count.saturating_mul(key + value))),
                _ if count == 0 => closed(window.at),
                _ => Ok(Measured {
                    to: window.at,
                    open: Some(Level::Key { key, value, left: count as u32 }),
                    claim: count.saturating_mul(key.min_len(compact) + value.min_len(compact)),
                }),
            }
        }
        // Only compact numbers are left: binary ones have a fixed length.
        Type::I64 => {
            window.varint::<64>("number")?;
            closed(window.at)
        }
        _ => {
            window.varint::<32>("number")?;
            closed(window.at)
        }
    }
}

/// A walk over values, which can stop and go on.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    at: usize,
    stack: Vec<Level>,
    /// Structs, fields and elements looked at, to prove that work is linear.
    #[cfg(test)]
    pub(crate) steps: u64,
}

impl Walker {
    /// Sets out over the struct at `at`. What a former walk allocated is used again.
    pub(crate) fn start(&mut self, at: usize) {
        self.at = at;
        self.stack.clear();
        self.stack.push(Level::Struct);
    }

    /// Goes on over `buf`, which begins with the same bytes as before.
    pub(crate) fn run(&mut self, buf: &[u8], compact: bool, bounds: Bounds) -> Result<Walked, DecodeError> {
        match self.advance(buf, compact, bounds) {
            Ok(()) if self.at <= buf.len() => Ok(Walked::End(self.at)),
            Ok(()) => Ok(Walked::Need(self.at - buf.len())),
            Err(Stop::Need(more)) => Ok(Walked::Need(more)),
            Err(Stop::Broken(error)) => Err(error),
        }
    }

    fn advance(&mut self, buf: &[u8], compact: bool, bounds: Bounds) -> Result<(), Stop> {
        // Each turn takes at least a byte, opens what must hold one, or closes a level that a former turn opened.
        while let Some(level) = self.stack.last().copied() {
            if matches!(level, Level::Elements { left: 0, .. } | Level::Key { left: 0, .. }) {
                self.stack.pop();
                continue;
            }
            let window = Window::new(buf, self.at, bounds.end);
            // What is open needs at least one more byte: a struct its stop, a container its next element.
            window.require(1, "value")?;
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let (ty, value_at) = match level {
                Level::Struct => match read_field(window, compact, 0)? {
                    Err(end) => {
                        self.at = end;
                        self.stack.pop();
                        continue;
                    }
                    Ok(field) if field.inline_bool.is_some() => {
                        self.at = field.value_at;
                        continue;
                    }
                    Ok(field) => (field.ty, field.value_at),
                },
                Level::Elements { of, .. } => (of, self.at),
                Level::Key { key, .. } => (key, self.at),
                Level::Value { value, .. } => (value, self.at),
            };
            let measured = measure(Window::new(buf, value_at, bounds.end), compact, ty)?;
            let claimed = measured.to.saturating_add(measured.claim);
            if claimed as u64 > bounds.max_len {
                let reason =
                    Reason::LimitExceeded { limit: "max_frame_len", value: claimed as u64, max: bounds.max_len };
                return Err(reason.at(value_at).into());
            }
            if claimed > bounds.end {
                return Err(Reason::UnexpectedEnd { field: "value" }.at(value_at).into());
            }
            self.at = measured.to;
            self.count_down();
            if let Some(open) = measured.open {
                self.open(open, value_at, bounds)?;
            }
        }
        Ok(())
    }

    /// Notes that the innermost level's next value is dealt with.
    fn count_down(&mut self) {
        let Some(level) = self.stack.last_mut() else { return };
        match *level {
            Level::Struct => {}
            Level::Elements { of, left } => *level = Level::Elements { of, left: left.saturating_sub(1) },
            Level::Key { key, value, left } => *level = Level::Value { key, value, left },
            Level::Value { key, value, left } => *level = Level::Key { key, value, left: left.saturating_sub(1) },
        }
    }

    fn open(&mut self, level: Level, at: usize, bounds: Bounds) -> Result<(), Stop> {
        let depth = self.stack.len() as u64 + 1;
        if depth > bounds.max_nesting.into() {
            let reason = Reason::LimitExceeded { limit: "max_nesting", value: depth, max: bounds.max_nesting.into() };
            return Err(reason.at(at).into());
        }
        self.stack.push(level);
        Ok(())
    }
}

/// Where the value of a field within a complete buffer ends.
pub(crate) fn skip(buf: &[u8], field: Field, compact: bool, max_nesting: u32) -> Result<usize, DecodeError> {
    if field.inline_bool.is_some() {
        return Ok(field.value_at);
    }
    let bounds = Bounds { end: buf.len(), max_len: u64::MAX, max_nesting };
    let window = Window::whole(buf, field.value_at);
    let measured = measure(window, compact, field.ty).map_err(|stop| stop.complete(buf.len()))?;
    let mut walker = Walker { at: measured.to, ..Walker::default() };
    if let Some(open) = measured.open {
        walker.open(open, field.value_at, bounds).map_err(|stop| stop.complete(buf.len()))?;
    }
    match walker.run(buf, compact, bounds)? {
        Walked::End(end) => Ok(end),
        Walked::Need(_) => Err(Reason::UnexpectedEnd { field: "value" }.at(field.value_at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Bounds = Bounds { end: 1 << 26, max_len: 1 << 26, max_nesting: 64 };

    /// Walks `bytes` byte by byte; the end, the steps taken, and the calls made.
    fn walk_bytewise(bytes: &[u8], compact: bool) -> (usize, u64, u64) {
        let mut walker = Walker::default();
        walker.start(0);
        let mut calls = 0;
        let mut have = 0;
        loop {
            calls += 1;
            match walker.run(&bytes[..have], compact, LIMITS).expect("a sound struct") {
                Walked::End(end) => return (end, walker.steps, calls),
                Walked::Need(more) => {
                    assert!(have + more <= bytes.len(), "asked for bytes behind the struct");
                    have += 1;
                }
            }
        }
    }

    /// A list of `count` strings of `len` bytes as field 1, and a stop.
    fn strings(count: u32, len: u32) -> Vec<u8> {
        let mut out = vec![15, 0, 1, 11];
        out.extend_from_slice(&count.to_be_bytes());
        for _ in 0..count {
            out.extend_from_slice(&len.to_be_bytes());
            out.extend(std::iter::repeat_n(b'x', len as usize));
        }
        out.push(0);
        out
    }

    #[test]
    fn byte_by_byte_costs_no_more_steps_than_at_once() {
        for (count, len) in [(1, 100_000), (100, 1000), (10_000, 10), (30_000, 0)] {
            let bytes = strings(count, len);
            let (end, steps, _) = walk_bytewise(&bytes, false);
            assert_eq!(end, bytes.len());
            // The list, its strings, the stop.
            assert_eq!(steps, u64::from(count) + 2 + partial_reads(count));
            let mut walker = Walker::default();
            walker.start(0);
            assert_eq!(walker.run(&bytes, false, LIMITS), Ok(Walked::End(bytes.len())));
            assert_eq!(walker.steps, u64::from(count) + 2);
        }
    }

    /// Byte by byte, a length of 4 bytes is tried with 1, 2 and 3 of them too, the list's head of 8 with 1 to 7.
    fn partial_reads(count: u32) -> u64 {
        7 + 3 * u64::from(count)
    }

    #[test]
    fn fixed_length_elements_are_one_step() {
        let count = 1_000_000_u32;
        let mut bytes = vec![15, 0, 1, 10];
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.resize(8 + 8 * count as usize, 7);
        bytes.push(0);
        let mut walker = Walker::default();
        walker.start(0);
        assert_eq!(walker.run(&bytes, false, LIMITS), Ok(Walked::End(bytes.len())));
        assert_eq!(walker.steps, 2);
        // The arithmetic goes beyond the bytes at hand: the need is told at once, and nothing is walked again.
        walker.start(0);
        assert_eq!(walker.run(&bytes[..8], false, LIMITS), Ok(Walked::Need(bytes.len() - 8)));
    }

    #[test]
    fn varints_are_not_read_again_from_the_start_of_their_list() {
        let count = 5000_usize;
        let mut bytes = vec![0x19, 0xf6];
        metaprotocol_core::protobuf::push_varint(&mut bytes, count as u64);
        for _ in 0..count {
            bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0x01]);
        }
        bytes.push(0);
        let (end, steps, calls) = walk_bytewise(&bytes, true);
        assert_eq!(end, bytes.len());
        assert!(steps <= bytes.len() as u64 + 8, "{steps} steps for {} bytes", bytes.len());
        assert_eq!(calls, bytes.len() as u64 + 1);
    }

    #[test]
    fn a_walk_used_again_allocates_nothing_new() {
        let mut walker = Walker::default();
        let nested = [[12, 0, 1].repeat(60), vec![0; 61]].concat();
        walker.start(0);
        assert_eq!(walker.run(&nested, false, LIMITS), Ok(Walked::End(nested.len())));
        let capacity = walker.stack.capacity();
        walker.start(0);
        assert_eq!(walker.run(&nested, false, LIMITS), Ok(Walked::End(nested.len())));
        assert_eq!(walker.stack.capacity(), capacity);
    }
}
