//! From a packet to its TCP segment: link headers, VLAN tags, IP, TCP.
//!
//! Lengths: the payload ends where the IP header says, so Ethernet padding falls off. Where that is behind the captured
//! bytes (snap length), the rest is reported as missing. An IP length of 0 means "see the link layer": the capture was
//! made before the network card cut a large segment (TSO, GRO, BIG TCP).

use std::net::IpAddr;

use etherparse::{
    IpFragOffset, IpNumber, Ipv6ExtensionSlice, LaxIpv4Slice, LaxIpv6Slice, TcpHeader, TcpHeaderSlice, ip_number,
};

/// What the first bytes of a packet are. Numbers are those of the tcpdump.org list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// Ethernet II, VLAN tags (802.1Q, QinQ) included (1).
    Ethernet,
    /// BSD loopback: an address family of 4 bytes in some byte order (0, 108).
    Loopback,
    /// Linux cooked capture, version 1: 16 bytes (113).
    LinuxCooked,
    /// Linux cooked capture, version 2: 20 bytes (276).
    LinuxCooked2,
    /// IP at once, of either version (12, 14, 101, 228, 229).
    RawIp,
}

impl LinkType {
    /// The link type of a number in a capture file; `None` if it is not supported.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            113 => Some(Self::LinuxCooked),
            276 => Some(Self::LinuxCooked2),
            12 | 14 | 101 | 228 | 229 => Some(Self::RawIp),
            _ => None,
        }
    }
}

const ETHERNET_TYPE_AT: usize = 12;
const COOKED_PROTOCOL_AT: usize = 14;
const COOKED2_PROTOCOL_AT: usize = 0;
const COOKED2_LEN: usize = 20;
const LOOPBACK_LEN: usize = 4;

const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and two that were used for QinQ before it.
const ETHER_TYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
const VLAN_TAG_LEN: usize = 4;

const FAMILY_IPV4: u32 = 2;
/// AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
const FAMILIES_IPV6: [u32; 4] = [10, 24, 28, 30];

/// One TCP segment.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) payload: &'a [u8],
    /// Payload bytes behind `payload` that were not captured.
    pub(crate) missing: u32,
}

/// What tells the fragments of one IP datagram from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DatagramId {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
    pub(crate) protocol: IpNumber,
}

/// One fragment of an IP datagram.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) id: DatagramId,
    pub(crate) offset: IpFragOffset,
    pub(crate) more: bool,
    pub(crate) payload: &'a [u8],
    /// The capture lacks its end.
    pub(crate) cut: bool,
}

/// What a packet turned out to be.
#[derive(Debug)]
pub(crate) enum Packet<'a> {
    Tcp(Segment<'a>),
    Fragment(Fragment<'a>),
    NonIp,
    NonTcp,
    Malformed,
}

enum Version {
    V4,
    V6,
}

/// Looks into a packet of which `data` was captured and `wire_len` bytes were on the wire.
#[inline]
pub(crate) fn parse(link: LinkType, data: &[u8], wire_len: usize) -> Packet<'_> {
    let (at, version) = match link {
        LinkType::Ethernet => match ether_type(data, ETHERNET_TYPE_AT) {
            Ok(found) => found,
            Err(packet) => return packet,
        },
        LinkType::LinuxCooked => match ether_type(data, COOKED_PROTOCOL_AT) {
            Ok(found) => found,
            Err(packet) => return packet,
        },
        LinkType::LinuxCooked2 => match u16_at(data, COOKED2_PROTOCOL_AT) {
            Some(ETHER_TYPE_IPV4) => (COOKED2_LEN, Version::V4),
            Some(ETHER_TYPE_IPV6) => (COOKED2_LEN, Version::V6),
            Some(tag) if ETHER_TYPES_VLAN.contains(&tag) => {
                // The tag's own ether type is the second half of the 4 bytes behind the header.
                match ether_type(data, COOKED2_LEN + 2) {
                    Ok(found) => found,
                    Err(packet) => return packet,
                }
            }
            Some(_) => return Packet::NonIp,
            None => return Packet::Malformed,
        },
        LinkType::Loopback => match data.first_chunk::<LOOPBACK_LEN>() {
            Some(&family) => {
                let (little, big) = (u32::from_le_bytes(family), u32::from_be_bytes(family));
                if little == FAMILY_IPV4 || big == FAMILY_IPV4 {
                    (LOOPBACK_LEN, Version::V4)
                } else if FAMILIES_IPV6.contains(&little) || FAMILIES_IPV6.contains(&big) {
                    (LOOPBACK_LEN, Version::V6)
                } else {
                    return Packet::NonIp;
                }
            }
            None => return Packet::Malformed,
        },
        LinkType::RawIp => match data.first().map(|first| first >> 4) {
            Some(4) => (0, Version::V4),
            Some(6) => (0, Version::V6),
            Some(_) => return Packet::NonIp,
            None => return Packet::Malformed,
        },
    };
    let Some(ip) = data.get(at..) else {
        return Packet::Malformed;
    };
    let wire_len = wire_len.saturating_sub(at).max(ip.len());
    match version {
        Version::V4 => ipv4(ip, wire_len),
        Version::V6 => ipv6(ip, wire_len),
    }
}

/// The ether type at a place, VLAN tags stepped over; gives where the IP header begins.
#[inline]
fn ether_type(data: &[u8], mut at: usize) -> Result<(usize, Version), Packet<'_>> {
    loop {
        match u16_at(data, at) {
            Some(ETHER_TYPE_IPV4) => return Ok((at + 2, Version::V4)),
            Some(ETHER_TYPE_IPV6) => return Ok((at + 2, Version::V6)),
            // Each turn takes 4 bytes of the packet.
            Some(tag) if ETHER_TYPES_VLAN.contains(&tag) => at += VLAN_TAG_LEN,
            Some(_) => return Err(Packet::NonIp),
            None => return Err(Packet::Malformed),
        }
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn ipv4(data: &[u8], wire_len: usize) -> Packet<'_> {
    let Ok((ip, stop)) = LaxIpv4Slice::from_slice(data) else {
        return Packet::Malformed;
    };
    let header = ip.header();
    let claimed = match usize::from(header.total_len()) {
        0 => wire_len,
        len if len < header.slice().len() => return Packet::Malformed,
        len => len,
    };
    let payload = ip.payload();
    let (source, destination) = (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()));
    if payload.fragmented {
        return Packet::Fragment(Fragment {
            id: DatagramId {
                source,
                destination,
                identification: u32::from(header.identification()),
                protocol: payload.ip_number,
            },
            offset: header.fragments_offset(),
            more: header.more_fragments(),
            payload: payload.payload,
            cut: payload.incomplete,
        });
    }
    if stop.is_some() {
        return Packet::Malformed;
    }
    if payload.ip_number != ip_number::TCP {
        return Packet::NonTcp;
    }
    let headers = data.len().min(claimed) - payload.payload.len();
    tcp(source, destination, payload.payload, claimed - headers)
}

fn ipv6(data: &[u8], wire_len: usize) -> Packet<'_> {
    let Ok((ip, stop)) = LaxIpv6Slice::from_slice(data) else {
        return Packet::Malformed;
    };
    let header = ip.header();
    let claimed = match usize::from(header.payload_length()) {
        0 => wire_len,
        len => header.slice().len() + len,
    };
    let payload = ip.payload();
    let (source, destination) = (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr()));
    if payload.fragmented {
        let fragment = ip.extensions().clone().into_iter().find_map(|extension| match extension {
            Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment.to_header()),
            _ => None,
        });
        return match fragment {
            // Another extension behind the fragment header would be looked for in the middle of the data.
            Some(fragment) if fragment.next_header == payload.ip_number && stop.is_none() => {
                Packet::Fragment(Fragment {
                    id: DatagramId {
                        source,
                        destination,
                        identification: fragment.identification,
                        protocol: payload.ip_number,
                    },
                    offset: fragment.fragment_offset,
                    more: fragment.more_fragments,
                    payload: payload.payload,
                    cut: payload.incomplete,
                })
            }
            _ => Packet::Malformed,
        };
    }
    if stop.is_some() {
        return Packet::Malformed;
    }
    if payload.ip_number != ip_number::TCP {
        return Packet::NonTcp;
    }
    let headers = data.len().min(claimed) - payload.payload.len();
    tcp(source, destination, payload.payload, claimed - headers)
}

/// A TCP segment of which `data` was captured and `wire_len` bytes were on the wire.
#[inline]
pub(crate) fn tcp(source: IpAddr, destination: IpAddr, data: &[u8], wire_len: usize) -> Packet<'_> {
    // A snap length may cut the options off; nothing here needs them, so zeros stand in.
    let mut padded = [0; TcpHeader::MAX_LEN];
    let header = match TcpHeaderSlice::from_slice(data) {
        Ok(header) => header,
        Err(_) if data.len() < TcpHeader::MIN_LEN || data.len() >= TcpHeader::MAX_LEN => {
            return Packet::Malformed;
        }
        Err(_) => {
            padded[..data.len()].copy_from_slice(data);
            match TcpHeaderSlice::from_slice(&padded) {
                Ok(header) => header,
                Err(_) => return Packet::Malformed,
            }
        }
    };
    let header_len = header.slice().len();
    let Some(payload_len) = wire_len.checked_sub(header_len) else {
        return Packet::Malformed;
    };
    let payload = data.get(header_len..).unwrap_or_default();
    let Ok(missing) = u32::try_from(payload_len - payload.len()) else {
        return Packet::Malformed;
    };
    Packet::Tcp(Segment {
        source,
        destination,
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        sequence: header.sequence_number(),
        acknowledgment: header.ack().then(|| header.acknowledgment_number()),
        syn: header.syn(),
        fin: header.fin(),
        rst: header.rst(),
        payload,
        missing,
    })
}
