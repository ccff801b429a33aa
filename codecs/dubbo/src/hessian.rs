//! A reader of Hessian 2 values, and a writer of strings.
//!
//! It follows the *Hessian 2.0 Serialization Protocol* (Caucho, draft of 2007) as Apache Dubbo's `hessian-lite` speaks it.
//! [`Reader`] gives one [`Event`] at a time and builds no objects; nesting lies on a bounded stack of its own, never on the
//! thread's; every length is compared with the bytes at hand before it is believed; work is linear in the input, whatever
//! it claims.
//!
//! ```text
//!  00-1f string, short        42    binary, last chunk   51    reference to a container  60-6f object, definition 0-15
//!  20-2f binary, short        43    class definition     52    string, chunk             70-77 list, typed, short
//!  30-33 string, to 1023      44    double               53    string, last chunk        78-7f list, short
//!  34-37 binary, to 1023      46    false                54    true                      80-bf int, 1 byte
//!  38-3f long, 3 bytes        48    map                  55    list, typed, variable     c0-cf int, 2 bytes
//!  41    binary, chunk        49    int                  56    list, typed               d0-d7 int, 3 bytes
//!  4a    date, milliseconds   4c    long                 57    list, variable            d8-ef long, 1 byte
//!  4b    date, minutes        4d    map, typed           58    list                      f0-ff long, 2 bytes
//!  4e    null                 4f    object               59    long, 4 bytes             5a    end of list or map
//!  5b-5f double: 0, 1, 1 byte, 2 bytes, 4 bytes in thousandths          40 45 47 50 undefined
//! ```
//!
//! The length of a string counts characters. Java counts UTF-16 units and writes each half of a surrogate pair as three
//! bytes of its own; other writers (C++, Python) write a character beyond U+FFFF as the four bytes of UTF-8 and count it
//! once. Both read correctly here, as four-byte sequences never come from Java. What is written here is Java's form.

mod describe;
mod reader;
mod text;
mod write;

pub use describe::describe;
pub use reader::{Counts, Definition, Event, Reader, TypeName};
pub use text::{Binary, Text};
pub use write::write_str;

use metaprotocol_core::{DecodeError, Limits};

/// The code of null.
pub const NULL: u8 = b'N';
/// The code of an untyped map.
pub const MAP: u8 = b'H';
/// The code of a typed map.
pub const TYPED_MAP: u8 = b'M';
/// The code that ends maps and variable lists.
pub const END: u8 = b'Z';

/// Moves over one value of any shape that starts at offset `at` of `bytes`; returns the offset of its end.
///
/// # Errors
/// [`DecodeError`] with an offset into `bytes` if the value is broken, ends early, or is nested deeper than
/// `limits.max_nesting`.
pub fn skip(bytes: &[u8], at: usize, limits: &Limits) -> Result<usize, DecodeError> {
    let mut reader = Reader::new(bytes, at, limits);
    reader.skip()?;
    Ok(reader.at())
}
