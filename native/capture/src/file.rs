//! Cuts a capture file into packet records.
//!
//! pcap: a header of 24 bytes, then records of a header (16 bytes) and a packet; the magic number tells byte order and
//! the unit of time. pcapng: blocks of type (u32), length (u32), content, length again; a section header block sets the
//! byte order for what follows and forgets the interfaces of the section before.
//!
//! `pcap-parser` reads the records; this module asks it only once a whole record is in and its length is within the
//! limit, so that its "incomplete" can only mean a contradiction. Blocks without packets are skipped by their length
//! alone, however long, without being buffered.

use pcap_parser::{EPB_MAGIC, InterfaceDescriptionBlock, PcapHeader};
use pcap_parser::{
    IDB_MAGIC, LegacyPcapBlock, OptionCode, SHB_MAGIC, SPB_MAGIC, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header, parse_sectionheaderblock,
    parse_simplepacketblock_be, parse_simplepacketblock_le,
};

use crate::error::FormatErrorKind;
use crate::packet::LinkType;

const MAGIC_LEN: usize = 4;
const PCAP_HEADER_LEN: usize = 24;
const PCAP_RECORD_HEADER_LEN: usize = 16;
/// The "modified" format of old Red Hat kernels has 8 bytes more in each record header.
const PCAP_MODIFIED_RECORD_HEADER_LEN: usize = 24;
const PCAP_CAPTURED_LEN_AT: usize = 8;
/// The bits of the header's link type that are the type; those above tell of frame check sequences.
const PCAP_LINK_TYPE_MASK: u32 = 0x03ff_ffff;

const BLOCK_HEADER_LEN: usize = 8;
const BLOCK_MIN_LEN: u32 = 12;
const BYTE_ORDER_MAGIC_AT: usize = 8;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACES_MAX: usize = 65_536;

const NS_PER_S: u64 = 1_000_000_000;

/// Does a file that begins so look like a capture (pcap or pcapng)? Four bytes are enough; fewer give `false`.
#[must_use]
pub fn is_capture(prefix: &[u8]) -> bool {
    matches!(word(prefix, 0), Some(magic) if Magic::of(magic).is_some())
}

enum Magic {
    Pcap,
    Pcapng,
}

impl Magic {
    fn of(bytes: [u8; 4]) -> Option<Self> {
        match u32::from_be_bytes(bytes) {
            SHB_MAGIC => Some(Self::Pcapng),
            0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0x34cd_b2a1 => Some(Self::Pcap),
            _ => None,
        }
    }
}

/// One packet as the file has it.
pub(crate) struct Record<'a> {
    /// `None` if the link type is not supported.
    pub(crate) link: Option<LinkType>,
    pub(crate) link_number: u32,
    /// `None` where the format has no timestamp (simple packet blocks).
    pub(crate) timestamp_ns: Option<u64>,
    pub(crate) data: &'a [u8],
    pub(crate) original_len: u32,
}

/// What stands at the front of the data.
pub(crate) enum Step<'a> {
    /// Nothing whole: ask again with at least so many bytes. Never more than the record or block at the front has.
    Need(usize),
    /// Nothing of interest for so many bytes, which may be more than there are; the first header or block if `header`.
    Skip { len: u64, header: bool },
    /// A packet, and the length of its record.
    Packet(usize, Record<'a>),
}

/// The state of the file layer between records.
#[derive(Debug)]
pub(crate) struct FileDecoder {
    format: Format,
    record_limit: usize,
}

#[derive(Debug)]
enum Format {
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

#[derive(Debug)]
struct Pcap {
    order: PcapOrder,
    ns_per_fraction: u64,
    link: LinkType,
    link_number: u32,
}

#[derive(Clone, Copy, Debug)]
enum PcapOrder {
    Little,
    Big,
    Modified,
}

#[derive(Debug)]
struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    link: Option<LinkType>,
    link_number: u32,
    /// 0: unlimited.
    snap_len: u32,
    unit: TimeUnit,
    offset_ns: i64,
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug)]
enum TimeUnit {
    /// So many nanoseconds to a tick.
    Nanos(u64),
    /// So many ticks to a nanosecond.
    PerNano(u64),
    /// 2 to the so-many-th ticks to a second.
    Binary(u32),
}

impl TimeUnit {
    /// From `if_tsresol`: a negative power of 10, or of 2 if the highest bit is set.
    fn new(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            Self::Binary(power)
        } else if power <= 9 {
            Self::Nanos(10u64.pow(9 - power))
        } else {
            // Beyond 10^19 ticks to a nanosecond every tick is 0 ns.
            Self::PerNano(10u64.checked_pow(power - 9).unwrap_or(u64::MAX))
        }
    }

    fn nanos(self, ticks: u64) -> u64 {
        match self {
            Self::Nanos(ns) => ticks.saturating_mul(ns),
            Self::PerNano(ticks_per_ns) => ticks / ticks_per_ns,
            Self::Binary(power) => {
                let scaled = u128::from(ticks) * u128::from(NS_PER_S);
                u64::try_from(scaled >> power).unwrap_or(u64::MAX)
            }
        }
    }
}

impl FileDecoder {
    pub(crate) fn new(record_limit: usize) -> Self {
        Self { format: Format::Unknown, record_limit }
    }

    /// The file header has been read.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.format, Format::Unknown)
    }

    /// Looks at the front of `data`, which must begin where the last step ended.
    #[inline]
    pub(crate) fn step<'a>(&mut self, data: &'a [u8]) -> Result<Step<'a>, FormatErrorKind> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.step(data, self.record_limit),
            Format::Pcapng(pcapng) => pcapng.step(data, self.record_limit),
            Format::Unknown => self.open(data),
        }
    }

    fn open<'a>(&mut self, data: &'a [u8]) -> Result<Step<'a>, FormatErrorKind> {
        let Some(magic) = word(data, 0) else {
            return Ok(Step::Need(MAGIC_LEN));
        };
        match Magic::of(magic) {
            Some(Magic::Pcap) => {
                if data.len() < PCAP_HEADER_LEN {
                    return Ok(Step::Need(PCAP_HEADER_LEN));
                }
                let Ok((_, header)) = parse_pcap_header(data) else {
                    return Err(FormatErrorKind::NotACapture { magic });
                };
                self.format = Format::Pcap(Pcap::new(&header)?);
                Ok(Step::Skip { len: PCAP_HEADER_LEN as u64, header: true })
            }
            Some(Magic::Pcapng) => {
                let mut pcapng = Pcapng { big_endian: false, interfaces: Vec::new() };
                let step = pcapng.step(data, self.record_limit)?;
                if matches!(step, Step::Skip { .. }) {
                    self.format = Format::Pcapng(pcapng);
                }
                Ok(step)
            }
            None => Err(match magic {
                [0x1f, 0x8b, ..] => FormatErrorKind::Compressed { with: "gzip" },
                [0x28, 0xb5, 0x2f, 0xfd] => FormatErrorKind::Compressed { with: "zstd" },
                [0xfd, b'7', b'z', b'X'] => FormatErrorKind::Compressed { with: "xz" },
                _ => FormatErrorKind::NotACapture { magic },
            }),
        }
    }
}

impl Pcap {
    fn new(header: &PcapHeader) -> Result<Self, FormatErrorKind> {
        let link_number = header.network.0.cast_unsigned() & PCAP_LINK_TYPE_MASK;
        let link = LinkType::from_number(link_number)
            .ok_or(FormatErrorKind::UnsupportedLinkType { link_type: link_number })?;
        Ok(Self {
            order: if header.is_modified_format() {
                PcapOrder::Modified
            } else if header.is_bigendian() {
                PcapOrder::Big
            } else {
                PcapOrder::Little
            },
            ns_per_fraction: if header.is_nanosecond_precision() { 1 } else { 1000 },
            link,
            link_number,
        })
    }

    fn step<'a>(&self, data: &'a [u8], limit: usize) -> Result<Step<'a>, FormatErrorKind> {
        let header_len = match self.order {
            PcapOrder::Modified => PCAP_MODIFIED_RECORD_HEADER_LEN,
            PcapOrder::Little | PcapOrder::Big => PCAP_RECORD_HEADER_LEN,
        };
        let captured = match word(data, PCAP_CAPTURED_LEN_AT) {
            Some(captured) if data.len() >= header_len => captured,
            _ => return Ok(Step::Need(header_len)),
        };
        let captured = match self.order {
            PcapOrder::Big => u32::from_be_bytes(captured),
            PcapOrder::Little | PcapOrder::Modified => u32::from_le_bytes(captured),
        };
        if captured as usize > limit {
            return Err(FormatErrorKind::RecordTooLong { len: u64::from(captured), limit: limit as u64 });
        }
        let len = header_len + captured as usize;
        if data.len() < len {
            return Ok(Step::Need(len));
        }
        let parsed = match self.order {
            PcapOrder::Little => parse_pcap_frame(data),
            PcapOrder::Big => parse_pcap_frame_be(data),
            PcapOrder::Modified => parse_pcap_frame_modified(data),
        };
        let Ok((_, LegacyPcapBlock { ts_sec, ts_usec, origlen, data, .. })) = parsed else {
            return Ok(Step::Need(len));
        };
        Ok(Step::Packet(
            len,
            Record {
                link: Some(self.link),
                link_number: self.link_number,
                timestamp_ns: Some(u64::from(ts_sec) * NS_PER_S + u64::from(ts_usec) * self.ns_per_fraction),
                data,
                original_len: origlen,
            },
        ))
    }
}

impl Pcapng {
    fn step<'a>(&mut self, data: &'a [u8], limit: usize) -> Result<Step<'a>, FormatErrorKind> {
        let (Some(kind), Some(len_bytes)) = (word(data, 0), word(data, 4)) else {
            return Ok(Step::Need(BLOCK_HEADER_LEN));
        };
        // The magic of a section header reads the same in both byte orders.
        let section = u32::from_be_bytes(kind) == SHB_MAGIC;
        if section {
            let Some(order) = word(data, BYTE_ORDER_MAGIC_AT) else {
                return Ok(Step::Need(BYTE_ORDER_MAGIC_AT + 4));
            };
            self.big_endian = match u32::from_le_bytes(order) {
                BYTE_ORDER_MAGIC => false,
                swapped if swapped.swap_bytes() == BYTE_ORDER_MAGIC => true,
                _ => {
                    return Err(FormatErrorKind::BadBlock { block: "section header" });
                }
            };
        }
        let kind = self.number(kind);
        let block_len = self.number(len_bytes);
        if block_len < BLOCK_MIN_LEN {
            return Err(FormatErrorKind::BlockTooShort { len: block_len, min: BLOCK_MIN_LEN });
        }
        if !matches!(kind, SHB_MAGIC | IDB_MAGIC | EPB_MAGIC | SPB_MAGIC) {
            return Ok(Step::Skip { len: u64::from(block_len), header: false });
        }
        let len = block_len as usize;
        if len > limit {
            return Err(FormatErrorKind::RecordTooLong { len: u64::from(block_len), limit: limit as u64 });
        }
        let Some(block) = data.get(..len) else {
            return Ok(Step::Need(len));
        };
        match kind {
            EPB_MAGIC => self.enhanced_packet(block),
            SPB_MAGIC => self.simple_packet(block),
            IDB_MAGIC => self.interface(block),
            _ => {
                if parse_sectionheaderblock(block).is_err() {
                    return Err(FormatErrorKind::BadBlock { block: "section header" });
                }
                self.interfaces.clear();
                Ok(Step::Skip { len: u64::from(block_len), header: true })
            }
        }
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn interface_of(&self, index: u32) -> Result<&Interface, FormatErrorKind> {
        self.interfaces.get(index as usize).ok_or(FormatErrorKind::UnknownInterface {
            index,
            // No more than INTERFACES_MAX.
            known: self.interfaces.len() as u32,
        })
    }

    fn enhanced_packet<'a>(&self, block: &'a [u8]) -> Result<Step<'a>, FormatErrorKind> {
        let bad = FormatErrorKind::BadBlock { block: "enhanced packet" };
        let parsed =
            if self.big_endian { parse_enhancedpacketblock_be(block) } else { parse_enhancedpacketblock_le(block) };
        let Ok((_, packet)) = parsed else {
            return Err(bad);
        };
        let interface = self.interface_of(packet.if_id)?;
        let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        Ok(Step::Packet(
            block.len(),
            Record {
                link: interface.link,
                link_number: interface.link_number,
                timestamp_ns: Some(interface.unit.nanos(ticks).saturating_add_signed(interface.offset_ns)),
                data: packet.data.get(..packet.caplen as usize).ok_or(bad)?,
                original_len: packet.origlen,
            },
        ))
    }

    /// A simple packet belongs to the first interface; its captured length is implied.
    fn simple_packet<'a>(&self, block: &'a [u8]) -> Result<Step<'a>, FormatErrorKind> {
        let parsed =
            if self.big_endian { parse_simplepacketblock_be(block) } else { parse_simplepacketblock_le(block) };
        let Ok((_, packet)) = parsed else {
            return Err(FormatErrorKind::BadBlock { block: "simple packet" });
        };
        let interface = self.interface_of(0)?;
        let snapped = match interface.snap_len {
            0 => packet.origlen,
            snap_len => packet.origlen.min(snap_len),
        };
        Ok(Step::Packet(
            block.len(),
            Record {
                link: interface.link,
                link_number: interface.link_number,
                timestamp_ns: None,
                data: &packet.data[..packet.data.len().min(snapped as usize)],
                original_len: packet.origlen,
            },
        ))
    }

    fn interface<'a>(&mut self, block: &[u8]) -> Result<Step<'a>, FormatErrorKind> {
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let Ok((_, description)) = parsed else {
            return Err(FormatErrorKind::BadBlock { block: "interface description" });
        };
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(FormatErrorKind::TooManyInterfaces { limit: INTERFACES_MAX as u32 });
        }
        let link_number = description.linktype.0.cast_unsigned();
        self.interfaces.push(Interface {
            link: LinkType::from_number(link_number),
            link_number,
            snap_len: description.snaplen,
            unit: TimeUnit::new(description.if_tsresol),
            offset_ns: self.time_offset_s(&description).saturating_mul(NS_PER_S as i64),
        });
        Ok(Step::Skip { len: block.len() as u64, header: true })
    }

    /// Seconds to add to each timestamp. Read here because `pcap-parser` takes the option as little-endian always.
    fn time_offset_s(&self, description: &InterfaceDescriptionBlock<'_>) -> i64 {
        description
            .options
            .iter()
            .find(|option| option.code == OptionCode::IfTsoffset)
            .and_then(|option| option.as_bytes().ok())
            .and_then(|value| <[u8; 8]>::try_from(value).ok())
            .map_or(0, |value| if self.big_endian { i64::from_be_bytes(value) } else { i64::from_le_bytes(value) })
    }
}

/// Four bytes at a place, if they are there.
#[inline]
fn word(data: &[u8], at: usize) -> Option<[u8; 4]> {
    data.get(at..)?.first_chunk().copied()
}
