//! Link types, VLANs, IP lengths, extension headers and fragments.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

mod common;

use common::{Log, MS, Pcap, ethernet, ipv4_raw, read, request};
use etherparse::ip_number;
use metaprotocol_capture::{Assembler, Limits, LinkType, Stats};

/// Runs packets through, one a millisecond, and ends it.
fn run<P: AsRef<[u8]>>(link: LinkType, packets: &[P]) -> (Log, Stats) {
    let mut log = Log::default();
    let mut assembler = Assembler::new(&Limits::default());
    for (at, packet) in packets.iter().enumerate() {
        let packet = packet.as_ref();
        assembler.packet(link, at as u64 * MS, packet, packet.len(), &mut log);
    }
    assembler.finish(&mut log);
    (log, *assembler.stats())
}

fn middle<P: AsRef<[u8]>>(link: LinkType, packets: &[P]) -> String {
    run(link, packets).0.middle()
}

#[test]
fn every_link_type_in_a_file() {
    let (v4, v6) = (request(1, b"four").ipv4(), request(1, b"six").ipv6());
    let loopback = |family: [u8; 4], packet: &[u8]| [&family[..], packet].concat();
    let cooked = |ether_type: u16, packet: &[u8]| {
        let mut whole = vec![0; 14];
        whole.extend(ether_type.to_be_bytes());
        whole.extend(packet);
        whole
    };
    let cooked2 = |ether_type: u16, packet: &[u8]| {
        let mut whole = ether_type.to_be_bytes().to_vec();
        whole.extend([0; 18]);
        whole.extend(packet);
        whole
    };
    let cases = [
        (1, ethernet(&[], 0x0800, &v4), ethernet(&[], 0x86dd, &v6)),
        (1, ethernet(&[0x8100], 0x0800, &v4), ethernet(&[0x88a8, 0x8100], 0x86dd, &v6)),
        (1, ethernet(&[0x9100, 0x8100, 0x8100], 0x0800, &v4), ethernet(&[0x9200], 0x86dd, &v6)),
        (0, loopback([2, 0, 0, 0], &v4), loopback([30, 0, 0, 0], &v6)),
        (0, loopback([0, 0, 0, 2], &v4), loopback([0, 0, 0, 24], &v6)),
        (108, loopback([0, 0, 0, 2], &v4), loopback([0, 0, 0, 28], &v6)),
        (113, cooked(0x0800, &v4), cooked(0x86dd, &v6)),
        (
            113,
            cooked(0x8100, &[&[0, 1, 8, 0][..], &v4].concat()),
            cooked(0x8100, &[&[0, 1, 0x86, 0xdd][..], &v6].concat()),
        ),
        (276, cooked2(0x0800, &v4), cooked2(0x86dd, &v6)),
        (
            276,
            cooked2(0x8100, &[&[0, 1, 8, 0][..], &v4].concat()),
            cooked2(0x8100, &[&[0, 1, 0x86, 0xdd][..], &v6].concat()),
        ),
        (101, v4.clone(), v6.clone()),
        (12, v4.clone(), v6.clone()),
        (14, v4.clone(), v6.clone()),
        (228, v4.clone(), v4.clone()),
        (229, v6.clone(), v6.clone()),
    ];
    for (link, four, six) in cases {
        let pcap = Pcap { big_endian: false, nanos: false, link };
        let (log, stats, end) = read(&pcap.file(&[four, six]));
        let expected = match link {
            228 => "0> four",
            229 => "0> six",
            _ => "0> four, 1> six",
        };
        assert_eq!(log.middle(), expected, "link type {link}");
        assert_eq!(stats.tcp_segments, 2, "link type {link}");
        assert_eq!(end, Ok(None));
    }
}

#[test]
fn addresses_of_both_families() {
    let (log, _) = run(LinkType::RawIp, &[request(1, b"a").ipv4(), request(1, b"b").ipv6()]);
    assert_eq!(log.endpoints[0].0.to_string(), "10.0.0.1:40000");
    assert_eq!(log.endpoints[1].1.to_string(), "[2001:db8::a00:2]:20880");
}

#[test]
fn other_traffic_is_counted() {
    let udp = ipv4_raw(ip_number::UDP, 0, 0, false, &[0; 8]);
    let (log, stats) = run(
        LinkType::Ethernet,
        &[
            ethernet(&[], 0x0806, &[0; 28]),
            ethernet(&[0x8100], 0x88cc, &[0; 28]),
            // A length instead of a type: 802.3.
            ethernet(&[], 0x0026, &[0; 38]),
            ethernet(&[], 0x0800, &udp),
            ethernet(&[], 0x0800, &[0x45; 10]),
            ethernet(&[], 0x86dd, &[0x60; 39]),
            vec![0; 13],
        ],
    );
    assert_eq!(log.all(), "");
    assert_eq!((stats.packets, stats.non_ip), (7, 3));
    assert_eq!((stats.non_tcp, stats.malformed), (1, 3));
    for link in [LinkType::Loopback, LinkType::LinuxCooked2] {
        let (_, stats) = run(link, &[vec![7; 64], vec![0; 1]]);
        assert_eq!((stats.non_ip, stats.malformed), (1, 1));
    }
    let (_, stats) = run(LinkType::RawIp, &[vec![0x70; 64], vec![]]);
    assert_eq!((stats.non_ip, stats.malformed), (1, 1));
}

#[test]
fn ethernet_padding_is_no_payload() {
    let mut short = request(1, b"").fin().frame();
    short.resize(60, 0xee);
    let mut data = request(1, b"ab").frame();
    data.resize(64, 0xee);
    let (log, stats) = run(LinkType::Ethernet, &[data, short, request(3, b"cd").frame()]);
    // The FIN comes with an old sequence number and ends nothing.
    assert_eq!(log.middle(), "0> ab, 0> cd");
    assert_eq!(stats.gaps, 0);
}

#[test]
fn lengths_left_to_the_network_card() {
    let mut v4 = request(1, &[b'x'; 3000]).ipv4();
    v4[2..4].fill(0);
    let mut v6 = request(1, &[b'y'; 3000]).ipv6();
    v6[4..6].fill(0);
    let (log, stats) = run(LinkType::RawIp, &[&v4, &v6]);
    assert_eq!(log.streams[0][0].len(), 3000);
    assert_eq!(log.streams[1][0].len(), 3000);
    assert_eq!(stats.gaps, 0);
    // Cut as well: what is missing follows from the length on the wire.
    let mut log = Log::default();
    let mut assembler = Assembler::new(&Limits::default());
    assembler.packet(LinkType::RawIp, 0, &v4[..140], v4.len(), &mut log);
    assembler.packet(LinkType::RawIp, 0, &v6[..160], v6.len(), &mut log);
    assembler.finish(&mut log);
    let x = "x".repeat(100);
    let y = "y".repeat(100);
    assert_eq!(log.middle(), format!("0> {x}, 0> gap 2900, 1> {y}, 1> gap 2900"));
}

#[test]
fn options_of_ipv4_and_tcp() {
    let segment = {
        let mut header = request(1, b"").header();
        header.set_options_raw(&[1; 40]).unwrap();
        [&header.to_bytes()[..], b"ab"].concat()
    };
    let mut packet = ipv4_raw(ip_number::TCP, 0, 0, false, &segment);
    // Four bytes of IP options.
    packet.splice(20..20, [1; 4]);
    packet[0] = 0x46;
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    assert_eq!(middle(LinkType::RawIp, &[&packet]), "0> ab");
    // The snap length falls into the TCP options.
    let mut log = Log::default();
    let mut assembler = Assembler::new(&Limits::default());
    assembler.packet(LinkType::RawIp, 0, &packet[..24 + 30], packet.len(), &mut log);
    assembler.packet(LinkType::RawIp, 0, &packet[..24 + 19], packet.len(), &mut log);
    assembler.finish(&mut log);
    assert_eq!(log.middle(), "0> gap 2");
    assert_eq!(assembler.stats().malformed, 1);
}

#[test]
fn ipv6_extension_headers() {
    let plain = request(1, b"ab").ipv6();
    let segment = &plain[40..];
    // Hop-by-hop, routing, destination options, an atomic fragment: each names the next.
    let chain: [(u8, usize); 4] = [(0, 8), (43, 16), (60, 8), (44, 8)];
    let mut extensions = Vec::new();
    for (at, (_, len)) in chain.iter().enumerate() {
        let next = chain.get(at + 1).map_or(6, |(number, _)| *number);
        let mut extension = vec![0; *len];
        extension[0] = next;
        if chain[at].0 != 44 {
            extension[1] = (*len / 8 - 1) as u8;
        }
        extensions.extend(extension);
    }
    let mut packet = plain[..40].to_vec();
    packet[6] = 0;
    let payload_len = (extensions.len() + segment.len()) as u16;
    packet[4..6].copy_from_slice(&payload_len.to_be_bytes());
    packet.extend(&extensions);
    packet.extend(segment);
    assert_eq!(middle(LinkType::RawIp, &[&packet]), "0> ab");
    // Cut within the extensions.
    let (_, stats) = run(LinkType::RawIp, &[&packet[..50]]);
    assert_eq!(stats.malformed, 1);
}

#[test]
fn lengths_that_contradict_each_other() {
    let mut short_total = request(1, b"ab").ipv4();
    short_total[2..4].copy_from_slice(&19u16.to_be_bytes());
    let mut no_room_for_tcp = request(1, b"ab").ipv4();
    no_room_for_tcp[2..4].copy_from_slice(&39u16.to_be_bytes());
    let mut long_tcp_header = request(1, b"ab").ipv4();
    long_tcp_header[20 + 12] = 0xf0;
    let mut short_tcp_header = request(1, b"ab").ipv4();
    short_tcp_header[20 + 12] = 0x40;
    let mut version = request(1, b"ab").ipv4();
    version[0] = 0x65;
    let (log, stats) = run(
        LinkType::Ethernet,
        &[
            ethernet(&[], 0x0800, &short_total),
            ethernet(&[], 0x0800, &no_room_for_tcp),
            ethernet(&[], 0x0800, &long_tcp_header),
            ethernet(&[], 0x0800, &short_tcp_header),
            ethernet(&[], 0x0800, &version),
        ],
    );
    assert_eq!(log.all(), "");
    assert_eq!(stats.malformed, 5);
}

fn fragments(payload: &[u8], len: usize, identification: u16) -> Vec<Vec<u8>> {
    let segment = request(1, payload).segment();
    segment
        .chunks(len)
        .enumerate()
        .map(|(at, part)| {
            let more = (at + 1) * len < segment.len();
            ipv4_raw(ip_number::TCP, identification, at * len, more, part)
        })
        .collect()
}

#[test]
fn ipv4_fragments_in_any_order() {
    let packets = fragments(b"abcdefghijklmnopqrst", 8, 7);
    assert_eq!(packets.len(), 5);
    for start in 0..5 {
        let mut turned = packets.clone();
        turned.rotate_left(start);
        let (log, stats) = run(LinkType::RawIp, &turned);
        assert_eq!(log.middle(), "0> abcdefghijklmnopqrst");
        assert_eq!((stats.fragments, stats.datagrams), (5, 1));
        assert_eq!((stats.fragments_dropped, stats.tcp_segments), (0, 1));
    }
    // Two datagrams at once are told apart by their identification.
    let others = fragments(b"ABCDEFGHIJKLMNOPQRST", 8, 8);
    let mixed: Vec<_> = packets.iter().zip(&others).flat_map(|(a, b)| [a, b]).collect();
    let (log, stats) = run(LinkType::RawIp, &mixed);
    assert_eq!(log.middle(), "0> abcdefghijklmnopqrst");
    assert_eq!((stats.datagrams, stats.retransmitted_bytes), (2, 20));
}

#[test]
fn ipv6_fragments() {
    let plain = request(1, b"abcdefgh").ipv6();
    let (header, segment) = plain.split_at(40);
    let fragment = |offset: usize, more: bool| {
        let end = if more { offset + 16 } else { segment.len() };
        let mut packet = header.to_vec();
        packet[6] = 44;
        let len = (8 + end - offset) as u16;
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        packet.extend([6, 0]);
        packet.extend((offset as u16 | u16::from(more)).to_be_bytes());
        packet.extend(99u32.to_be_bytes());
        packet.extend(&segment[offset..end]);
        packet
    };
    let (log, stats) = run(LinkType::RawIp, &[fragment(16, false), fragment(0, true)]);
    assert_eq!(log.middle(), "0> abcdefgh");
    assert_eq!((stats.fragments, stats.datagrams), (2, 1));
    // A header behind the fragment header cannot be told from data in all but the first.
    let mut options_behind = fragment(16, false);
    options_behind[40] = 60;
    options_behind[48..50].copy_from_slice(&[6, 0]);
    let (_, stats) = run(LinkType::RawIp, &[options_behind]);
    assert_eq!((stats.fragments, stats.malformed), (0, 1));
}

#[test]
fn fragments_that_come_to_nothing() {
    let mut packets = fragments(b"abcdefghijklmnopqrst", 8, 7);
    packets.pop();
    let (log, stats) = run(LinkType::RawIp, &packets);
    assert_eq!((log.all().as_str(), stats.fragments_dropped), ("", 4));

    // Not a multiple of eight bytes.
    let odd = ipv4_raw(ip_number::TCP, 7, 0, true, &[0; 9]);
    let (_, stats) = run(LinkType::RawIp, &[odd]);
    assert_eq!(stats.fragments_dropped, 1);

    // Cut by the snap length.
    let whole = fragments(&[0; 100], 64, 7);
    let (_, stats) = run(LinkType::RawIp, &[&whole[0], &whole[1][..whole[1].len() - 8]]);
    assert_eq!((stats.datagrams, stats.fragments_dropped), (0, 2));

    // More datagrams than allowed.
    let first: Vec<_> = (0..300).map(|id| fragments(&[0; 100], 64, id)[0].clone()).collect();
    let mut log = Log::default();
    let mut assembler = Assembler::new(&Limits::default());
    for packet in &first {
        assembler.packet(LinkType::RawIp, 0, packet, packet.len(), &mut log);
    }
    assert_eq!(assembler.stats().fragments_dropped, 300 - 256);
    // And too old.
    assembler.packet(LinkType::RawIp, 31_000 * MS, &first[0], first[0].len(), &mut log);
    assert_eq!(assembler.stats().fragments_dropped, 300);
}
