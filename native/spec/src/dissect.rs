//! A frame field by field, for people: what lies where, and what it holds. Not for speed.

use std::ops::{ControlFlow, Range};

use metaprotocol_core::{Direction, Limits};

use crate::fields::{hex, int_value, listed, plain, spread};
use crate::model::{Content, Field, FieldId, Item, Order, Program, Shape, Slot, Ty};
use crate::view::View;
use crate::walk::{Mark, Walk};

/// The part of a frame that a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// In front of the body.
    Header,
    /// A part of the body that is looked at.
    Body,
    /// Behind the body.
    Trailer,
}

impl Region {
    /// The name that people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
            Self::Trailer => "trailer",
        }
    }
}

/// One field where a frame has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The field's name; `len(name)` for a length in front of one, `end(name)` for what ends one, `name[key]` for the
    /// entry of a map.
    pub name: String,
    /// The type as the description writes it.
    pub type_name: String,
    /// The bytes, from the front of the frame on.
    pub at: Range<usize>,
    /// True if it lies within the field before it: bits of an integer, parts of a container.
    pub inner: bool,
    /// Where it belongs.
    pub region: Region,
    /// The value, for people: numbers in decimal, bytes in hexadecimal.
    pub value: String,
}

pub(crate) fn dissect(
    program: &Program,
    slots: &mut [Slot],
    direction: Direction,
    limits: &Limits,
    bytes: &[u8],
) -> Vec<Place> {
    let mut walk = Walk { program, buf: bytes, direction, limits, slots, bounded: false, deep: true };
    // Whatever ends the walk, what it found until then is in the slots; the trailer is found from the frame's end only.
    let (header_len, frame_len) = match walk.split(&mut Mark::NONE.clone()) {
        Ok(head) => (head.header_len as usize, head.frame_len),
        Err(_) => walk.measure(&mut Mark::NONE.clone()).unwrap_or((bytes.len(), 0)),
    };
    let buf = bytes.get(..frame_len).filter(|frame| !frame.is_empty()).unwrap_or(bytes);
    let view = View { fields: &program.fields, buf, slots, direction, header_len, frame_len, code: 0 };
    let mut dissection = Dissection { program, view, limits, found: Vec::new() };
    for item in &program.items {
        dissection.item(item);
    }
    for item in &program.peeks {
        dissection.field(item.field, Region::Body);
    }
    if frame_len > 0 {
        for item in &program.trailer {
            dissection.field(item.field, Region::Trailer);
        }
    }
    dissection.found
}

struct Dissection<'d> {
    program: &'d Program,
    view: View<'d>,
    limits: &'d Limits,
    found: Vec<Place>,
}

impl Dissection<'_> {
    fn name(&self, id: FieldId) -> &str {
        self.view.field(id).map_or("", |field| &field.name)
    }

    /// The field, if all of it is there.
    fn at(&self, id: FieldId) -> Option<Range<usize>> {
        let slot = self.view.slot(id)?;
        let at = slot.at as usize..(slot.at as usize).checked_add(slot.len as usize)?;
        self.view.buf.get(at.clone()).map(|_| at)
    }

    fn push(&mut self, name: String, type_name: &str, at: Range<usize>, inner: bool, region: Region, value: String) {
        self.found.push(Place { name, type_name: type_name.to_owned(), at, inner, region, value });
    }

    fn item(&mut self, item: &Item) {
        let Some(at) = self.at(item.field) else { return };
        let of = |what: &str, name: &str| format!("{what}({name})");
        let before = match &item.shape {
            Shape::Prefixed { width, .. } => usize::from(*width),
            // As many bytes as a length of this size takes at least: none is written longer but by mistake.
            Shape::VarintPrefixed => self.varint_before(at.start, at.len()),
            _ => 0,
        };
        if let Some(start) = at.start.checked_sub(before).filter(|_| before > 0) {
            let type_name = match &item.shape {
                Shape::Prefixed { width, order } => {
                    format!("u{}{}", 8 * width, if *order == Order::Little && *width > 1 { "le" } else { "" })
                }
                _ => "varint".to_owned(),
            };
            let value = at.len().to_string();
            self.push(of("len", self.name(item.field)), &type_name, start..at.start, false, Region::Header, value);
        }
        self.field(item.field, Region::Header);
        self.parts(item, &at);
        if let Shape::Terminated(end) = &item.shape
            && let Some(bytes) = self.view.buf.get(at.end..at.end + end.len()).filter(|bytes| *bytes == &**end)
        {
            let value = hex(bytes);
            self.push(
                of("end", self.name(item.field)),
                "bytes",
                at.end..at.end + end.len(),
                false,
                Region::Header,
                value,
            );
        }
    }

    /// How many bytes the varint takes that ends here and says so much.
    fn varint_before(&self, end: usize, value: usize) -> usize {
        let reads = |width: &usize| {
            let bytes = end.checked_sub(*width).and_then(|start| self.view.buf.get(start..end)).unwrap_or_default();
            let whole = bytes
                .split_last()
                .is_some_and(|(last, others)| last & 0x80 == 0 && others.iter().all(|byte| byte & 0x80 != 0));
            whole && crate::view::decode(Ty::Varint { zigzag: false }, bytes) == Some(value as i128)
        };
        (1..=10).find(reads).unwrap_or(0)
    }

    /// A field, and its bits behind it.
    fn field(&mut self, id: FieldId, region: Region) {
        let program = self.program;
        let (Some(field), Some(at)) = (self.view.field(id), self.at(id)) else { return };
        let value = self.value(id, field, at.clone());
        let (name, type_name) = (field.name.to_string(), field.type_name.to_string());
        self.push(name, &type_name, at.clone(), false, region, value);
        // Bits are declared right behind their field.
        let bits =
            program.fields.iter().enumerate().skip(usize::from(id) + 1).take_while(|(_, bits)| bits.bits.is_some());
        for (bits_id, bits) in bits {
            let value = self.view.int(bits_id as FieldId).map_or_else(String::new, |value| value.to_string());
            self.push(bits.name.to_string(), &bits.type_name, at.clone(), true, region, value);
        }
    }

    fn value(&self, id: FieldId, field: &Field, at: Range<usize>) -> String {
        let bytes = self.view.buf.get(at).unwrap_or_default();
        match field.ty {
            Ty::Parts => listed(self.program, field.item, bytes).unwrap_or_default(),
            ty if ty.is_int() => {
                self.view.int(id).map_or_else(String::new, |value| int_value(value).to_text().into_owned())
            }
            ty => plain(ty, bytes).to_text().into_owned(),
        }
    }

    /// What lies in a container.
    fn parts(&mut self, item: &Item, at: &Range<usize>) {
        if let Content::Map { .. } = item.content {
            self.entries(item.field);
            return;
        }
        let mut ids: Vec<(usize, FieldId)> = item
            .content
            .parts()
            .iter()
            .filter_map(|part| Some((self.at(part.field)?.start, part.field)))
            .filter(|(start, _)| at.contains(start) || *start == at.end)
            .collect();
        ids.sort_by_key(|(start, _)| *start);
        for (_, id) in ids {
            let (Some(field), Some(at)) = (self.view.field(id), self.at(id)) else { continue };
            let value = self.value(id, field, at.clone());
            let (name, type_name) = (field.name.to_string(), field.type_name.to_string());
            let open = field.ty == Ty::Parts;
            self.push(name, &type_name, at, true, Region::Header, value);
            if open {
                self.entries(id);
            }
        }
    }

    /// The entries of an open map, as far as they can be read.
    fn entries(&mut self, id: FieldId) {
        let mut found = Vec::new();
        let name = self.name(id).to_owned();
        // An error is the frame's, and told with it.
        let _ = spread(self.program, id, &self.view, self.view.buf, self.limits, &mut |entry| {
            let value = plain(entry.ty, entry.value).to_text().into_owned();
            found.push((format!("{name}[{}]", entry.key), entry.at, value));
            ControlFlow::Continue(())
        });
        for (name, at, value) in found {
            self.push(name, "entry", at, true, Region::Header, value);
        }
    }
}
