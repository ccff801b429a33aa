//! Reading fields where the walk found them.

use metaprotocol_core::{Cursor, Direction, protobuf};

use crate::model::{Field, FieldId, Order, Place, Slot, Ty};

/// A frame, or the front of one, and where its fields are.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    pub fields: &'v [Field],
    pub buf: &'v [u8],
    pub slots: &'v [Slot],
    pub direction: Direction,
    pub header_len: usize,
    pub frame_len: usize,
    /// The code of the error that a reply states.
    pub code: i128,
}

impl<'v> View<'v> {
    pub fn field(&self, id: FieldId) -> Option<&'v Field> {
        self.fields.get(usize::from(id))
    }

    /// Where a field is, if the frame has it.
    pub fn slot(&self, id: FieldId) -> Option<Slot> {
        let slot = match self.field(id)?.place {
            Place::Fixed { at, len } => Slot { at, len },
            Place::Slot(number) => *self.slots.get(usize::from(number))?,
            Place::Trailer { back, len } => {
                Slot { at: u32::try_from(self.frame_len.checked_sub(back as usize)?).ok()?, len }
            }
        };
        (slot != Slot::ABSENT).then_some(slot)
    }

    pub fn bytes(&self, id: FieldId) -> Option<&'v [u8]> {
        let Slot { at, len } = self.slot(id)?;
        self.buf.get(at as usize..(at as usize).checked_add(len as usize)?)
    }

    /// The value of an integer field.
    pub fn int(&self, id: FieldId) -> Option<i128> {
        let field = self.field(id)?;
        let value = decode(field.ty, self.bytes(id)?)?;
        Some(match field.bits {
            Some((low, count)) => (value >> low) & ((1 << count) - 1),
            None => value,
        })
    }

    /// The bytes of a text field, without its padding.
    pub fn text(&self, id: FieldId) -> Option<&'v [u8]> {
        let bytes = self.bytes(id)?;
        Some(match self.field(id)?.ty {
            Ty::Text { padding: Some(padding) } => bytes.split(|byte| *byte == padding).next().unwrap_or(bytes),
            _ => bytes,
        })
    }
}

/// An integer of 0 to 8 bytes.
#[inline]
pub(crate) fn unsigned(bytes: &[u8], order: Order) -> u64 {
    let mut raw = [0; 8];
    let len = bytes.len().min(8);
    match order {
        Order::Big => {
            if let (Some(target), Some(source)) = (raw.get_mut(8 - len..), bytes.get(..len)) {
                target.copy_from_slice(source);
            }
            u64::from_be_bytes(raw)
        }
        Order::Little => {
            if let (Some(target), Some(source)) = (raw.get_mut(..len), bytes.get(..len)) {
                target.copy_from_slice(source);
            }
            u64::from_le_bytes(raw)
        }
    }
}

/// The value that bytes are in a type of integers.
pub(crate) fn decode(ty: Ty, bytes: &[u8]) -> Option<i128> {
    Some(match ty {
        Ty::Int { signed, order } => {
            let value = unsigned(bytes, order);
            let unused = 64 - 8 * bytes.len().min(8) as u32;
            if signed && unused < 64 {
                i128::from((value << unused).cast_signed() >> unused)
            } else {
                i128::from(value)
            }
        }
        Ty::Varint { zigzag } => {
            let value = Cursor::new(bytes, 0).varint(10).ok()?;
            if zigzag { i128::from((value >> 1).cast_signed() ^ -(value & 1).cast_signed()) } else { i128::from(value) }
        }
        Ty::Twos => i128::from(Cursor::new(bytes, 0).varint(10).ok()?.cast_signed()),
        Ty::Digits => i128::from(std::str::from_utf8(bytes).ok()?.parse::<i64>().ok()?),
        _ => return None,
    })
}

/// The bytes of an integer in a type, `len` of them if the type has a width; `None` if it does not fit.
pub(crate) fn encode(ty: Ty, value: i128, len: usize) -> Option<Vec<u8>> {
    match ty {
        Ty::Int { signed, order } => {
            let bits = 8 * len.min(8) as u32;
            let (min, max) = range(signed, bits);
            if value < min || value > max {
                return None;
            }
            let raw = value as u64;
            Some(match order {
                Order::Big => raw.to_be_bytes().get(8 - len.min(8)..)?.to_vec(),
                Order::Little => raw.to_le_bytes().get(..len.min(8))?.to_vec(),
            })
        }
        Ty::Varint { zigzag } => {
            let raw = if zigzag {
                let value = i64::try_from(value).ok()?;
                ((value << 1) ^ (value >> 63)).cast_unsigned()
            } else {
                u64::try_from(value).ok()?
            };
            Some(varint(raw))
        }
        Ty::Twos => Some(varint(i64::try_from(value).ok()?.cast_unsigned())),
        _ => None,
    }
}

/// The least and the greatest integer of so many bits.
pub(crate) const fn range(signed: bool, bits: u32) -> (i128, i128) {
    if bits == 0 {
        (0, 0)
    } else if signed {
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    } else {
        (0, (1 << bits) - 1)
    }
}

pub(crate) fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    protobuf::push_varint(&mut bytes, value);
    bytes
}
