//! Makes packets and capture files, and records what comes out.

use std::fmt::Write as _;

use etherparse::{IpNumber, PacketBuilder, TcpHeader};
use metaprotocol_capture::{
    Assembler, Capture, Direction, Endpoint, Event, FormatError, Limits, LinkType, Sink, Stats, Tail,
};

pub const MS: u64 = 1_000_000;
pub const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
pub const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 20_880);

/// A TCP segment to be.
#[derive(Clone, Debug)]
pub struct Tcp {
    pub source: ([u8; 4], u16),
    pub destination: ([u8; 4], u16),
    pub sequence: u32,
    pub acknowledgment: Option<u32>,
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub payload: Vec<u8>,
}

/// From the client to the server.
pub fn request(sequence: u32, payload: &[u8]) -> Tcp {
    Tcp {
        source: CLIENT,
        destination: SERVER,
        sequence,
        acknowledgment: None,
        syn: false,
        fin: false,
        rst: false,
        payload: payload.to_vec(),
    }
}

/// From the server to the client.
pub fn response(sequence: u32, payload: &[u8]) -> Tcp {
    Tcp { source: SERVER, destination: CLIENT, ..request(sequence, payload) }
}

impl Tcp {
    pub fn syn(mut self) -> Self {
        self.syn = true;
        self
    }

    pub fn fin(mut self) -> Self {
        self.fin = true;
        self
    }

    pub fn rst(mut self) -> Self {
        self.rst = true;
        self
    }

    pub fn ack(mut self, acknowledgment: u32) -> Self {
        self.acknowledgment = Some(acknowledgment);
        self
    }

    pub fn ports(mut self, source: u16, destination: u16) -> Self {
        self.source.1 = source;
        self.destination.1 = destination;
        self
    }

    pub fn header(&self) -> TcpHeader {
        let mut header = TcpHeader::new(self.source.1, self.destination.1, self.sequence, 65_000);
        header.syn = self.syn;
        header.fin = self.fin;
        header.rst = self.rst;
        header.ack = self.acknowledgment.is_some();
        header.acknowledgment_number = self.acknowledgment.unwrap_or(0);
        header
    }

    /// TCP header and payload.
    pub fn segment(&self) -> Vec<u8> {
        [&self.header().to_bytes()[..], &self.payload].concat()
    }

    /// IPv4 packet.
    pub fn ipv4(&self) -> Vec<u8> {
        let builder = PacketBuilder::ipv4(self.source.0, self.destination.0, 64).tcp_header(self.header());
        let mut packet = Vec::with_capacity(builder.size(self.payload.len()));
        builder.write(&mut packet, &self.payload).unwrap();
        packet
    }

    /// IPv6 packet; the addresses are those of IPv4 behind `2001:db8::`.
    pub fn ipv6(&self) -> Vec<u8> {
        let builder =
            PacketBuilder::ipv6(ipv6_of(self.source.0), ipv6_of(self.destination.0), 64).tcp_header(self.header());
        let mut packet = Vec::with_capacity(builder.size(self.payload.len()));
        builder.write(&mut packet, &self.payload).unwrap();
        packet
    }

    /// Ethernet frame with IPv4.
    pub fn frame(&self) -> Vec<u8> {
        ethernet(&[], 0x0800, &self.ipv4())
    }
}

pub fn ipv6_of(addr: [u8; 4]) -> [u8; 16] {
    let mut whole = [0; 16];
    whole[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    whole[12..].copy_from_slice(&addr);
    whole
}

/// An Ethernet frame with VLAN tags of these ether types.
pub fn ethernet(tags: &[u16], ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(packet);
    frame
}

/// An IPv4 packet with any payload; fragment offset in bytes.
pub fn ipv4_raw(protocol: IpNumber, identification: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = etherparse::Ipv4Header::new(payload.len() as u16, 64, protocol, CLIENT.0, SERVER.0).unwrap();
    header.identification = identification;
    header.more_fragments = more;
    header.dont_fragment = false;
    header.fragment_offset = etherparse::IpFragOffset::try_new((offset / 8) as u16).unwrap();
    [&header.to_bytes()[..], payload].concat()
}

/// A kind of pcap file.
#[derive(Clone, Copy, Debug)]
pub struct Pcap {
    pub big_endian: bool,
    pub nanos: bool,
    pub link: u32,
}

pub const PCAP: Pcap = Pcap { big_endian: false, nanos: true, link: 1 };

impl Pcap {
    pub fn u32(self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u16(self, number: u16) -> [u8; 2] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn header(self) -> Vec<u8> {
        let magic = if self.nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut file = self.u32(magic).to_vec();
        file.extend(self.u16(2));
        file.extend(self.u16(4));
        file.extend([0; 8]);
        file.extend(self.u32(262_144));
        file.extend(self.u32(self.link));
        file
    }

    pub fn record(self, timestamp_ns: u64, packet: &[u8], wire_len: usize) -> Vec<u8> {
        let fraction = timestamp_ns % 1_000_000_000 / if self.nanos { 1 } else { 1000 };
        let mut record = self.u32((timestamp_ns / 1_000_000_000) as u32).to_vec();
        record.extend(self.u32(fraction as u32));
        record.extend(self.u32(packet.len() as u32));
        record.extend(self.u32(wire_len as u32));
        record.extend(packet);
        record
    }

    /// A file of these packets, one a millisecond, from second 1 on.
    pub fn file<P: AsRef<[u8]>>(self, packets: &[P]) -> Vec<u8> {
        let mut file = self.header();
        for (at, packet) in packets.iter().enumerate() {
            let packet = packet.as_ref();
            file.extend(self.record(1_000_000_000 + at as u64 * MS, packet, packet.len()));
        }
        file
    }
}

/// Writes pcapng blocks.
#[derive(Clone, Copy, Debug)]
pub struct Pcapng {
    pub big_endian: bool,
}

impl Pcapng {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn block(self, kind: u32, content: &[u8]) -> Vec<u8> {
        let padded = content.len().next_multiple_of(4);
        let len = self.u32(12 + padded as u32);
        let mut block = self.u32(kind).to_vec();
        block.extend(len);
        block.extend(content);
        block.resize(8 + padded, 0);
        block.extend(len);
        block
    }

    pub fn section(self) -> Vec<u8> {
        let mut content = self.u32(0x1a2b_3c4d).to_vec();
        content.extend(self.u16(1));
        content.extend(self.u16(0));
        content.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &content)
    }

    /// Options are (code, value).
    pub fn interface(self, link: u16, snap_len: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut content = self.u16(link).to_vec();
        content.extend([0, 0]);
        content.extend(self.u32(snap_len));
        self.options(&mut content, options);
        self.block(1, &content)
    }

    fn options(self, content: &mut Vec<u8>, options: &[(u16, &[u8])]) {
        for (code, value) in options {
            content.extend(self.u16(*code));
            content.extend(self.u16(value.len() as u16));
            content.extend(*value);
            content.resize(content.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            content.extend([0; 4]);
        }
    }

    pub fn enhanced(self, interface: u32, ticks: u64, packet: &[u8], wire_len: usize) -> Vec<u8> {
        let mut content = self.u32(interface).to_vec();
        content.extend(self.u32((ticks >> 32) as u32));
        content.extend(self.u32(ticks as u32));
        content.extend(self.u32(packet.len() as u32));
        content.extend(self.u32(wire_len as u32));
        content.extend(packet);
        content.resize(content.len().next_multiple_of(4), 0);
        // A comment, so that options are walked over.
        self.options(&mut content, &[(1, b"x")]);
        self.block(6, &content)
    }

    pub fn simple(self, packet: &[u8], wire_len: usize) -> Vec<u8> {
        let mut content = self.u32(wire_len as u32).to_vec();
        content.extend(packet);
        self.block(3, &content)
    }
}

/// Keeps events as text, one a line, and each stream's bytes with gaps as `.`.
#[derive(Debug, Default)]
pub struct Log {
    pub lines: Vec<String>,
    /// By flow number and direction; gaps above 1 MiB are left out.
    pub streams: Vec<[Vec<u8>; 2]>,
    pub endpoints: Vec<(Endpoint, Endpoint)>,
    pub timestamps: Vec<u64>,
    /// The flow in each slot: every event is checked against the promises of the crate.
    open: Vec<Option<u64>>,
    ended: Vec<[bool; 2]>,
    positions: Vec<[u64; 2]>,
}

impl Log {
    /// The events without `opened` and `closed`, in one line.
    pub fn middle(&self) -> String {
        let lines: Vec<_> = self
            .lines
            .iter()
            .filter(|line| !line.contains(" opened") && !line.contains(" closed"))
            .map(String::as_str)
            .collect();
        lines.join(", ")
    }

    pub fn all(&self) -> String {
        self.lines.join(", ")
    }

    pub fn stream(&self, flow: usize, direction: Direction) -> String {
        self.streams[flow][direction as usize].escape_ascii().to_string()
    }
}

impl Sink for Log {
    fn event(&mut self, event: Event<'_>) {
        let mut line = String::new();
        match event {
            Event::Opened { flow, timestamp_ns } => {
                assert_eq!(flow.id.get() as usize, self.streams.len(), "flows count up from 0");
                let slot = flow.slot as usize;
                self.open.resize(self.open.len().max(slot + 1), None);
                assert_eq!(self.open[slot], None, "the slot is in use");
                self.open[slot] = Some(flow.id.get());
                self.streams.push(Default::default());
                self.ended.push([false; 2]);
                self.positions.push([0; 2]);
                self.endpoints.push((flow.client, flow.server));
                self.timestamps.push(timestamp_ns);
                write!(line, "{} opened", flow.id).unwrap();
                if flow.midstream {
                    line.push_str(" midstream");
                }
            }
            Event::Data { flow, direction, timestamp_ns, offset, bytes } => {
                assert!(!bytes.is_empty());
                let id = flow.id.get() as usize;
                assert_eq!(self.open[flow.slot as usize], Some(flow.id.get()));
                assert!(!self.ended[id][direction as usize], "data after the end");
                let position = &mut self.positions[id][direction as usize];
                assert_eq!(offset, *position, "events tile the stream");
                *position += bytes.len() as u64;
                self.streams[id][direction as usize].extend(bytes);
                self.timestamps.push(timestamp_ns);
                write!(line, "{id}{} {}", arrow(direction), bytes.escape_ascii()).unwrap();
            }
            Event::Gap { flow, direction, timestamp_ns, offset, missing } => {
                assert!(missing > 0);
                let id = flow.id.get() as usize;
                assert_eq!(self.open[flow.slot as usize], Some(flow.id.get()));
                assert!(!self.ended[id][direction as usize], "gap after the end");
                let position = &mut self.positions[id][direction as usize];
                assert_eq!(offset, *position, "events tile the stream");
                *position += missing;
                let stream = &mut self.streams[id][direction as usize];
                if missing <= 1 << 20 {
                    stream.resize(stream.len() + missing as usize, b'.');
                }
                self.timestamps.push(timestamp_ns);
                write!(line, "{id}{} gap {missing}", arrow(direction)).unwrap();
            }
            Event::HalfClosed { flow, direction, timestamp_ns } => {
                let ended = &mut self.ended[flow.id.get() as usize][direction as usize];
                assert!(!*ended, "ended twice");
                *ended = true;
                self.timestamps.push(timestamp_ns);
                write!(line, "{}{} end", flow.id, arrow(direction)).unwrap();
            }
            Event::Closed { flow, timestamp_ns, reason } => {
                assert_eq!(self.open[flow.slot as usize].take(), Some(flow.id.get()));
                self.timestamps.push(timestamp_ns);
                write!(line, "{} closed {}", flow.id, reason.as_str()).unwrap();
            }
            _ => unreachable!("a new event"),
        }
        self.lines.push(line);
    }
}

fn arrow(direction: Direction) -> char {
    match direction {
        Direction::ClientToServer => '>',
        Direction::ServerToClient => '<',
    }
}

/// Runs a whole file through, and ends it.
pub fn read(file: &[u8]) -> (Log, Stats, Result<Option<Tail>, FormatError>) {
    read_in_chunks(file, file.len().max(1))
}

/// The same in chunks of one length.
pub fn read_in_chunks(file: &[u8], chunk_len: usize) -> (Log, Stats, Result<Option<Tail>, FormatError>) {
    let mut log = Log::default();
    let mut capture = Capture::new(&Limits::default());
    for chunk in file.chunks(chunk_len) {
        if capture.push(chunk, &mut log).is_err() {
            break;
        }
    }
    let end = capture.finish(&mut log);
    (log, *capture.stats(), end)
}

/// Runs TCP segments through an assembler, one a millisecond, and ends it.
pub fn assemble(limits: &Limits, segments: &[Tcp]) -> (Log, Stats) {
    let timed: Vec<_> = segments.iter().enumerate().map(|(at, segment)| (at as u64 * MS, segment.clone())).collect();
    assemble_timed(limits, &timed)
}

/// The same with times in nanoseconds.
pub fn assemble_timed(limits: &Limits, segments: &[(u64, Tcp)]) -> (Log, Stats) {
    let mut log = Log::default();
    let mut assembler = Assembler::new(limits);
    for (timestamp_ns, segment) in segments {
        let packet = segment.ipv4();
        assembler.packet(LinkType::RawIp, *timestamp_ns, &packet, packet.len(), &mut log);
    }
    assembler.finish(&mut log);
    (log, *assembler.stats())
}
