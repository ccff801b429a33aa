//! Checksums over a part of the frame.

use crc::{Algorithm, Crc, Table};

use crate::model::FieldId;
use crate::view::View;

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Start,
    Field(FieldId),
    /// The end of the header.
    Body,
    /// The end of the body.
    Trailer,
    End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Checksum {
    pub method: &'static Method,
    pub from: Edge,
    pub to: Edge,
    /// True if the checksum's own bytes are left out of what it covers; otherwise they count as zeros.
    pub skip_own: bool,
    pub verify: bool,
}

/// A way to add up.
pub(crate) struct Method {
    pub name: &'static str,
    /// How many bits the sum has.
    pub bits: u32,
    sum: fn(&mut dyn Iterator<Item = &[u8]>) -> u64,
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! crcs {
    ($($name:literal $bits:literal $type:ty: $algorithm:ident;)*) => {
        &[$(Method { name: $name, bits: $bits, sum: |parts| {
            static ALGORITHM: Algorithm<$type> = crc::$algorithm;
            static TABLE: Crc<$type, Table<16>> = Crc::<$type, Table<16>>::new(&ALGORITHM);
            let mut digest = TABLE.digest();
            parts.for_each(|part| digest.update(part));
            u64::from(digest.finalize())
        } }),*]
    };
}

static CRCS: &[Method] = crcs! {
    "crc8" 8 u8: CRC_8_SMBUS;
    "crc16_arc" 16 u16: CRC_16_ARC;
    "crc16_modbus" 16 u16: CRC_16_MODBUS;
    "crc16_ccitt_false" 16 u16: CRC_16_IBM_3740;
    "crc16_xmodem" 16 u16: CRC_16_XMODEM;
    "crc16_kermit" 16 u16: CRC_16_KERMIT;
    "crc16_x25" 16 u16: CRC_16_IBM_SDLC;
    "crc32" 32 u32: CRC_32_ISO_HDLC;
    "crc32c" 32 u32: CRC_32_ISCSI;
};

static SUMS: &[Method] = &[
    Method { name: "adler32", bits: 32, sum: adler32 },
    Method { name: "sum8", bits: 8, sum: |parts| sum(parts) & 0xff },
    Method { name: "sum16", bits: 16, sum: |parts| sum(parts) & 0xffff },
    Method { name: "sum32", bits: 32, sum: |parts| sum(parts) & 0xffff_ffff },
    Method { name: "xor8", bits: 8, sum: |parts| u64::from(parts.flatten().fold(0, |sum: u8, byte| sum ^ byte)) },
];

/// Every way there is.
pub(crate) fn methods() -> impl Iterator<Item = &'static Method> {
    CRCS.iter().chain(SUMS)
}

fn sum(parts: &mut dyn Iterator<Item = &[u8]>) -> u64 {
    parts.flatten().fold(0, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

fn adler32(parts: &mut dyn Iterator<Item = &[u8]>) -> u64 {
    /// How many bytes can be added before 32 bits overflow.
    const RUN: usize = 5552;
    const PRIME: u32 = 65521;
    let (mut a, mut b) = (1_u32, 0_u32);
    for part in parts {
        for run in part.chunks(RUN) {
            for byte in run {
                a += u32::from(*byte);
                b += a;
            }
            a %= PRIME;
            b %= PRIME;
        }
    }
    u64::from(b << 16 | a)
}

impl Checksum {
    fn edge(edge: Edge, view: &View<'_>, trailer_len: usize) -> Option<usize> {
        match edge {
            Edge::Start => Some(0),
            Edge::Field(field) => view.slot(field).map(|slot| slot.at as usize),
            Edge::Body => Some(view.header_len),
            Edge::Trailer => view.frame_len.checked_sub(trailer_len),
            Edge::End => Some(view.frame_len),
        }
    }

    /// What the field `own` must say; `None` if the frame lacks it or what it covers.
    pub fn value(&self, own: FieldId, view: &View<'_>, trailer_len: usize) -> Option<u64> {
        const ZEROS: [u8; 8] = [0; 8];
        let from = Self::edge(self.from, view, trailer_len)?;
        let to = Self::edge(self.to, view, trailer_len)?.max(from);
        let slot = view.slot(own)?;
        let (own, after) = (slot.at as usize, slot.at as usize + slot.len as usize);
        let within = from <= own && after <= to;
        let parts = if within {
            let zeros = if self.skip_own { &[] } else { ZEROS.get(..slot.len as usize)? };
            [view.buf.get(from..own)?, zeros, view.buf.get(after..to)?]
        } else {
            [view.buf.get(from..to)?, &[], &[]]
        };
        Some((self.method.sum)(&mut parts.into_iter()))
    }

    /// True if bytes behind the header are covered.
    pub const fn needs_body(&self) -> bool {
        matches!(self.to, Edge::Trailer | Edge::End) || matches!(self.from, Edge::Trailer | Edge::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogue() {
        // "123456789" through each, as the catalogue of parametrised CRC algorithms and the RFCs have it.
        let expected = [
            ("crc8", 0xf4),
            ("crc16_arc", 0xbb3d),
            ("crc16_modbus", 0x4b37),
            ("crc16_ccitt_false", 0x29b1),
            ("crc16_xmodem", 0x31c3),
            ("crc16_kermit", 0x2189),
            ("crc16_x25", 0x906e),
            ("crc32", 0xcbf4_3926),
            ("crc32c", 0xe306_9283),
            ("adler32", 0x091e_01de),
            ("sum8", 0xdd),
            ("sum16", 0x1dd),
            ("sum32", 0x1dd),
            ("xor8", 0x31),
        ];
        let found: Vec<(&str, u64)> = methods()
            .map(|method| (method.name, (method.sum)(&mut [b"1234".as_slice(), b"", b"56789"].into_iter())))
            .collect();
        assert_eq!(found, expected);
    }
}
