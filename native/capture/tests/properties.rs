//! What must hold for any input. The recording sink of `common` asserts with each event that the events of a stream
//! tile it, that nothing follows an end, and that slots are not shared.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

mod common;

use common::{Log, MS, PCAP, Pcapng, Tcp, assemble, read, read_in_chunks, request, response};
use metaprotocol_capture::{Assembler, Capture, Direction, Limits, LinkType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A way to send a stream: cuts, repeats, overlaps and order.
#[derive(Clone, Debug)]
struct Sending {
    stream: Vec<u8>,
    initial: u32,
    /// Segments as (begin, end) in any order; together they cover the stream.
    segments: Vec<(usize, usize)>,
}

fn sending() -> impl Strategy<Value = Sending> {
    let initial = prop_oneof![any::<u32>(), (u32::MAX - 2000)..=u32::MAX];
    (vec(any::<u8>(), 1..2000), initial, vec(any::<Index>(), 0..20), vec((any::<Index>(), any::<Index>()), 0..10))
        .prop_flat_map(|(stream, initial, cuts, extra)| {
            let len = stream.len();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(len)).collect();
            cuts.extend([0, len]);
            cuts.sort_unstable();
            cuts.dedup();
            let mut segments: Vec<_> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
            segments.extend(extra.iter().filter_map(|(one, other)| {
                let (one, other) = (one.index(len), other.index(len));
                (one != other).then(|| (one.min(other), one.max(other)))
            }));
            (Just(stream), Just(initial), Just(segments).prop_shuffle())
        })
        .prop_map(|(stream, initial, segments)| Sending { stream, initial, segments })
}

impl Sending {
    fn packet(&self, make: fn(u32, &[u8]) -> Tcp, (begin, end): (usize, usize)) -> Tcp {
        let sequence = self.initial.wrapping_add(1 + begin as u32);
        make(sequence, &self.stream[begin..end])
    }

    fn fin(&self, make: fn(u32, &[u8]) -> Tcp) -> Tcp {
        make(self.initial.wrapping_add(1 + self.stream.len() as u32), b"").fin()
    }
}

/// A segment from a small world, so that segments meet.
fn any_segment() -> impl Strategy<Value = Tcp> {
    (
        any::<bool>(),
        40_000u16..40_004,
        prop_oneof![8 => 0u32..64, 1 => any::<u32>()],
        proptest::option::of(prop_oneof![8 => 0u32..64, 1 => any::<u32>()]),
        prop_oneof![
            12 => Just((false, false, false)),
            3 => Just((true, false, false)),
            2 => Just((false, true, false)),
            1 => Just((false, false, true)),
            1 => any::<(bool, bool, bool)>(),
        ],
        vec(any::<u8>(), 0..16),
    )
        .prop_map(|(up, port, sequence, ack, (syn, fin, rst), payload)| {
            let mut tcp = if up {
                request(sequence, &payload).ports(port, 80)
            } else {
                response(sequence, &payload).ports(80, port)
            };
            tcp.acknowledgment = ack;
            (tcp.syn, tcp.fin, tcp.rst) = (syn, fin, rst);
            tcp
        })
}

fn any_link() -> impl Strategy<Value = LinkType> {
    prop_oneof![
        Just(LinkType::Ethernet),
        Just(LinkType::Loopback),
        Just(LinkType::LinuxCooked),
        Just(LinkType::LinuxCooked2),
        Just(LinkType::RawIp),
    ]
}

/// A small file of either format.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), any::<bool>(), vec(any_segment(), 0..12)).prop_map(|(ng, big_endian, segments)| {
        let frames: Vec<_> = segments.iter().map(Tcp::frame).collect();
        if !ng {
            return common::Pcap { big_endian, ..PCAP }.file(&frames);
        }
        let ng = Pcapng { big_endian };
        let mut file = [ng.section(), ng.interface(1, 0, &[(9, &[9])])].concat();
        for (at, frame) in frames.iter().enumerate() {
            file.extend(ng.enhanced(0, at as u64, frame, frame.len()));
            if at % 3 == 0 {
                file.extend(ng.block(77, &frame[..at]));
            }
        }
        file
    })
}

proptest! {
    /// Cut, repeated, overlapping and in any order: both streams come out as they were sent.
    #[test]
    fn streams_come_out_as_sent(up in sending(), down in sending(), order in any::<u64>()) {
        let mut packets = vec![
            request(up.initial, b"").syn(),
            response(down.initial, b"").syn().ack(up.initial.wrapping_add(1)),
        ];
        let mut ups = up.segments.iter();
        let mut downs = down.segments.iter();
        for turn in 0.. {
            let (first, second) = if order >> (turn % 64) & 1 == 0 {
                (ups.next().map(|one| up.packet(request, *one)), None)
            } else {
                (None, downs.next().map(|one| down.packet(response, *one)))
            };
            packets.extend(first.into_iter().chain(second));
            if ups.len() + downs.len() == 0 || turn > 500 {
                break;
            }
        }
        packets.extend(ups.map(|one| up.packet(request, *one)));
        packets.extend(downs.map(|one| down.packet(response, *one)));
        // The end may come before what it ends.
        let at = 2 + order as usize % (packets.len() - 1);
        packets.insert(at, up.fin(request));
        packets.push(down.fin(response));

        let (log, stats) = assemble(&Limits::default(), &packets);
        prop_assert_eq!(&log.streams[0][Direction::ClientToServer as usize], &up.stream);
        prop_assert_eq!(&log.streams[0][Direction::ServerToClient as usize], &down.stream);
        prop_assert_eq!((stats.gaps, stats.stored_bytes, stats.flows), (0, 0, 1));
        prop_assert_eq!(log.lines.last().map(String::as_str), Some("0 closed fin"));
        prop_assert_eq!(stats.stream_bytes, (up.stream.len() + down.stream.len()) as u64);
    }

    /// What the capture lacks is a gap, and all else is given.
    #[test]
    fn losses_are_gaps(sent in sending(), lost in vec(any::<bool>(), 40)) {
        let mut packets = vec![request(sent.initial, b"").syn()];
        let mut expected = vec![b'.'; sent.stream.len()];
        for (segment, lost) in sent.segments.iter().zip(lost) {
            if !lost {
                packets.push(sent.packet(request, *segment));
                expected[segment.0..segment.1].copy_from_slice(&sent.stream[segment.0..segment.1]);
            }
        }
        packets.push(sent.fin(request));
        let (log, stats) = assemble(&Limits::default(), &packets);
        let missing = sent.stream.len() as u64 - stats.stream_bytes;
        prop_assert_eq!(stats.gap_bytes, missing);
        prop_assert_eq!(&log.streams[0][0], &expected);
    }

    /// The same file gives the same events, however it is cut.
    #[test]
    fn chunks_do_not_matter(file in any_file(), chunk_len in 1usize..200) {
        let (whole, stats, end) = read(&file);
        let (cut, cut_stats, cut_end) = read_in_chunks(&file, chunk_len);
        prop_assert_eq!(whole.lines, cut.lines);
        prop_assert_eq!(whole.timestamps, cut.timestamps);
        prop_assert_eq!(stats, cut_stats);
        prop_assert_eq!(end, Ok(None));
        prop_assert_eq!(cut_end, Ok(None));
    }

    /// A damaged file gives events, a warning or an error, and the same ones however it is cut.
    #[test]
    fn damage_is_survived(
        file in any_file(),
        damage in vec((any::<Index>(), any::<u8>()), 1..8),
        end in any::<Index>(),
        chunk_len in 1usize..200,
    ) {
        let mut file = file;
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(end.index(file.len() + 1));
        let (whole, stats, end) = read(&file);
        let (cut, cut_stats, cut_end) = read_in_chunks(&file, chunk_len);
        prop_assert_eq!(whole.lines, cut.lines);
        prop_assert_eq!(stats, cut_stats);
        prop_assert_eq!(end, cut_end);
        prop_assert_eq!((stats.open_flows, stats.stored_bytes), (0, 0));
    }

    /// Noise, bare and behind each kind of header.
    #[test]
    fn noise_is_survived(noise in vec(any::<u8>(), 0..500), link in any_link()) {
        let ng = Pcapng { big_endian: true };
        for start in [vec![], PCAP.header(), ng.section(), [ng.section(), ng.interface(1, 0, &[])].concat()] {
            let (_, stats, _) = read(&[&start[..], &noise].concat());
            prop_assert_eq!((stats.open_flows, stats.stored_bytes), (0, 0));
        }
        let mut log = Log::default();
        let mut assembler = Assembler::new(&Limits::default());
        assembler.packet(link, 0, &noise, noise.len(), &mut log);
        let mut likely = noise;
        for (at, byte) in [(0, 0x45), (9, 6), (12, 8), (13, 0), (14, 0x45), (23, 6), (32, 0x50), (46, 0x50)] {
            if let Some(place) = likely.get_mut(at) {
                *place = byte;
            }
            assembler.packet(link, 0, &likely, 2 * likely.len(), &mut log);
        }
        assembler.finish(&mut log);
    }

    /// Any segments, with limits so low that all are met: the rules hold, and so do the limits.
    #[test]
    fn limits_hold(
        segments in vec((any_segment(), 0u64..3), 0..200),
        flows in 1usize..4,
        stream_bytes in 0usize..1000,
        total_bytes in 0usize..1000,
    ) {
        let mut limits = Limits::default();
        limits.flows = flows;
        limits.stream_bytes = stream_bytes;
        limits.total_bytes = total_bytes;
        limits.linger = std::time::Duration::from_millis(20);
        limits.gap_timeout = std::time::Duration::from_millis(30);
        limits.idle_timeout = std::time::Duration::from_millis(100);
        let mut log = Log::default();
        let mut assembler = Assembler::new(&limits);
        let mut now = 0;
        // One segment is stored before room is made for it: 16 bytes, at most in every other place of them.
        let most = total_bytes + 16 + 9 * 96;
        for (segment, pause) in segments {
            now += pause * pause * pause * pause * MS;
            let packet = segment.ipv4();
            assembler.packet(LinkType::RawIp, now, &packet, packet.len(), &mut log);
            let stats = assembler.stats();
            prop_assert!(stats.open_flows <= flows as u64);
            prop_assert!(stats.stored_bytes <= total_bytes as u64);
            prop_assert!(stats.stored_bytes_peak <= most as u64);
        }
        assembler.finish(&mut log);
        let stats = assembler.stats();
        prop_assert_eq!((stats.open_flows, stats.stored_bytes), (0, 0));
        let closed = log.lines.iter().filter(|line| line.contains(" closed ")).count();
        prop_assert_eq!(closed as u64, stats.flows);
    }
}

/// Many megabytes, many flows at a time, losses and disorder: memory stays, and every byte is accounted for.
#[test]
fn a_long_capture_takes_no_more_memory_than_a_short_one() {
    const FLOWS: u16 = 50;
    const ROUNDS: u32 = 400;
    const LEN: u32 = 1000;
    let mut limits = Limits::default();
    limits.stream_bytes = 64 << 10;
    limits.total_bytes = 1 << 20;
    let mut capture = Capture::new(&limits);
    let mut sums = [0u64; 2];
    let mut sink = |event: metaprotocol_capture::Event<'_>| match event {
        metaprotocol_capture::Event::Data { bytes, .. } => sums[0] += bytes.len() as u64,
        metaprotocol_capture::Event::Gap { missing, .. } => sums[1] += missing,
        _ => {}
    };
    capture.push(&PCAP.header(), &mut sink).unwrap();
    let mut file_len = 24u64;
    let mut lost = 0;
    for round in 0..ROUNDS {
        let mut chunk = Vec::new();
        for flow in 0..FLOWS {
            let now = u64::from(round) * MS;
            let mut send = |sequence: u32, payload: &[u8], syn: bool| {
                let mut tcp = request(sequence, payload).ports(40_000 + flow, 80);
                tcp.syn = syn;
                let frame = tcp.frame();
                chunk.extend(PCAP.record(now, &frame, frame.len()));
            };
            if round == 0 {
                send(0, b"", true);
            }
            let begin = 1 + 2 * round * LEN;
            let payload = [flow as u8; LEN as usize];
            if (round + u32::from(flow)) % 37 == 5 {
                lost += u64::from(LEN);
                send(begin + LEN, &payload, false);
            } else {
                send(begin + LEN, &payload, false);
                send(begin, &payload, false);
            }
        }
        file_len += chunk.len() as u64;
        capture.push(&chunk, &mut sink).unwrap();
    }
    assert_eq!(capture.finish(&mut sink), Ok(None));
    let stats = *capture.stats();
    assert!(file_len > 40 << 20);
    assert_eq!(capture.offset(), file_len);
    assert_eq!(sums, [stats.stream_bytes, stats.gap_bytes]);
    assert_eq!(sums[1], lost);
    assert_eq!(sums[0] + sums[1], u64::from(FLOWS) * u64::from(ROUNDS) * u64::from(2 * LEN));
    assert!(stats.over_limit > 0);
    assert!(stats.stored_bytes_peak <= (1 << 20) + 2_000);
}
