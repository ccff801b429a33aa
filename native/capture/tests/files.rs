//! File formats: headers, byte orders, time units, cuts and corruption.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

mod common;

use std::io::{self, Read};

use common::{Log, PCAP, Pcap, Pcapng, read, read_in_chunks, request};
use metaprotocol_capture::{Capture, Error, FormatErrorKind, Limits, Reader, Tail, is_capture};

fn two_packets() -> [Vec<u8>; 2] {
    [request(1, b"ab").frame(), request(3, b"cd").frame()]
}

#[test]
fn pcap_in_both_byte_orders_and_time_units() {
    for big_endian in [false, true] {
        for nanos in [false, true] {
            let pcap = Pcap { big_endian, nanos, link: 1 };
            let mut file = pcap.header();
            let packet = request(1, b"ab").frame();
            file.extend(pcap.record(1_700_000_000_123_456_789, &packet, packet.len()));
            assert!(is_capture(&file));
            let (log, stats, end) = read(&file);
            assert_eq!(log.middle(), "0> ab");
            assert_eq!(end, Ok(None));
            assert_eq!(stats.packet_bytes, packet.len() as u64);
            let expected = if nanos { 1_700_000_000_123_456_789 } else { 1_700_000_000_123_456_000 };
            assert_eq!(log.timestamps, [expected; 3]);
        }
    }
}

#[test]
fn pcap_of_old_red_hat_kernels() {
    let mut file = PCAP.header();
    file[..4].copy_from_slice(&0xa1b2_cd34u32.to_le_bytes());
    for packet in two_packets() {
        let record = PCAP.record(0, &packet, packet.len());
        file.extend(&record[..16]);
        file.extend([0; 8]);
        file.extend(&record[16..]);
    }
    let (log, _, end) = read(&file);
    assert_eq!(log.middle(), "0> ab, 0> cd");
    assert_eq!(end, Ok(None));
}

#[test]
fn check_sequence_flags_in_the_link_type_are_no_link_type() {
    let mut file = PCAP.file(&two_packets());
    file[20..24].copy_from_slice(&0x5400_0001u32.to_le_bytes());
    assert_eq!(read(&file).0.middle(), "0> ab, 0> cd");
}

#[test]
fn pcapng_in_both_byte_orders() {
    for big_endian in [false, true] {
        let ng = Pcapng { big_endian };
        let [one, two] = two_packets();
        let offset = if big_endian { 100i64.to_be_bytes() } else { 100i64.to_le_bytes() };
        let file = [
            ng.section(),
            // Microseconds; nanoseconds and 100 s later; 2^-10 s; picoseconds.
            ng.interface(1, 0, &[(2, b"eth0")]),
            ng.interface(1, 0, &[(9, &[9]), (14, &offset)]),
            ng.interface(1, 0, &[(9, &[0x8a])]),
            ng.interface(1, 0, &[(9, &[12])]),
            ng.enhanced(0, 2_000_000, &one, one.len()),
            ng.enhanced(1, 7, &two, two.len()),
            ng.enhanced(2, 2048, &request(5, b"ef").frame(), 56),
            ng.enhanced(3, 1_500_000_000_000, &request(7, b"gh").frame(), 56),
        ]
        .concat();
        assert!(is_capture(&file));
        let (log, stats, end) = read(&file);
        assert_eq!(log.middle(), "0> ab, 0> cd, 0> ef, 0> gh");
        assert_eq!(log.timestamps[1..5], [2_000_000_000, 100_000_000_007, 2_000_000_000, 1_500_000_000]);
        assert_eq!(end, Ok(None));
        assert_eq!(stats.skipped_blocks, 0);
    }
}

#[test]
fn pcapng_sections_forget_interfaces_and_byte_order() {
    let (little, big) = (Pcapng { big_endian: false }, Pcapng { big_endian: true });
    let [one, _] = two_packets();
    let file = [
        little.section(),
        little.interface(1, 0, &[]),
        little.enhanced(0, 1, &one, one.len()),
        big.section(),
        big.interface(101, 0, &[]),
        big.enhanced(0, 2, &request(3, b"cd").ipv4(), 42),
    ]
    .concat();
    assert_eq!(read(&file).0.middle(), "0> ab, 0> cd");

    let file =
        [little.section(), little.interface(1, 0, &[]), big.section(), big.enhanced(0, 2, &one, one.len())].concat();
    let error = read(&file).2.unwrap_err();
    assert_eq!(error.kind, FormatErrorKind::UnknownInterface { index: 0, known: 0 });
    assert_eq!(error.offset, 28 + 20 + 28);
}

#[test]
fn pcapng_simple_packets_and_unknown_blocks() {
    let ng = Pcapng { big_endian: false };
    let [one, two] = two_packets();
    let file = [
        ng.section(),
        // Name resolution before any interface.
        ng.block(4, &[0; 8]),
        ng.interface(1, 57, &[]),
        ng.simple(&one, one.len()),
        // Larger than any record may be: passed over, not stored.
        ng.block(0x0bad, &vec![0; 3 << 20]),
        ng.simple(&two, two.len()),
        // Cut to the snap length of 57 bytes, one of padding: 3 of 5 payload bytes are there.
        ng.simple(&request(5, b"efgXX").frame()[..57], 59),
    ]
    .concat();
    for chunk_len in [file.len(), 1000, 1] {
        let (log, stats, end) = read_in_chunks(&file, chunk_len);
        assert_eq!(log.middle(), "0> ab, 0> cd, 0> efg, 0> gap 2");
        assert_eq!(stats.skipped_blocks, 2);
        assert_eq!(end, Ok(None));
    }
}

#[test]
fn packets_of_unsupported_interfaces_are_counted() {
    let ng = Pcapng { big_endian: false };
    let [one, two] = two_packets();
    let file = [
        ng.section(),
        ng.interface(105, 0, &[]),
        ng.interface(1, 0, &[]),
        ng.enhanced(0, 0, &one, one.len()),
        ng.enhanced(1, 0, &two, two.len()),
    ]
    .concat();
    let (log, stats, _) = read(&file);
    assert_eq!(log.middle(), "0> cd");
    assert_eq!((stats.packets, stats.unsupported_link, stats.unsupported_link_type), (2, 1, Some(105)));
}

#[test]
fn a_cut_last_record_is_a_warning() {
    let whole = PCAP.file(&two_packets());
    let second_at = (whole.len() - 16 - 56) as u64;
    let cases = [
        (whole.len() - 1, Some((second_at, 16 + 56))),
        (second_at as usize + 16, Some((second_at, 16 + 56))),
        (second_at as usize + 15, Some((second_at, 16))),
        (second_at as usize + 3, Some((second_at, 16))),
        (second_at as usize, None),
    ];
    for (len, expected) in cases {
        let expected = expected.map(|(offset, need)| Tail { offset, have: len as u64 - offset, need });
        for chunk_len in [len, 1] {
            let (log, _, end) = read_in_chunks(&whole[..len], chunk_len);
            assert_eq!(log.middle(), "0> ab");
            assert_eq!(end, Ok(expected));
        }
    }

    let ng = Pcapng { big_endian: false };
    let file = [ng.section(), ng.block(0x0bad, &[0; 100])].concat();
    let end = read_in_chunks(&file[..28 + 50], 7).2;
    let tail = Tail { offset: 28, have: 50, need: 112 };
    assert_eq!(end, Ok(Some(tail)));
}

#[test]
fn the_way_of_cutting_does_not_matter() {
    let ng = Pcapng { big_endian: true };
    let [one, two] = two_packets();
    let files = [
        PCAP.file(&two_packets()),
        [
            ng.section(),
            ng.interface(1, 0, &[]),
            ng.enhanced(0, 0, &one, one.len()),
            ng.block(5, &[0; 12]),
            ng.enhanced(0, 0, &two, two.len()),
        ]
        .concat(),
    ];
    for file in files {
        let (whole, stats, _) = read(&file);
        for chunk_len in 1..file.len() {
            let (log, other, end) = read_in_chunks(&file, chunk_len);
            assert_eq!(log.lines, whole.lines);
            assert_eq!(other, stats);
            assert_eq!(end, Ok(None));
        }
    }
}

#[test]
fn what_is_no_capture() {
    let code = |file: &[u8]| read(file).2.unwrap_err().kind.code();
    assert_eq!(code(b""), "capture.short_header");
    assert_eq!(code(b"\xd4\xc3"), "capture.short_header");
    assert_eq!(code(&PCAP.header()[..23]), "capture.short_header");
    assert_eq!(code(&Pcapng { big_endian: false }.section()[..20]), "capture.short_header");
    assert_eq!(code(b"GET / HTTP/1.1"), "capture.not_a_capture");
    assert_eq!(code(&[0x1f, 0x8b, 8, 0]), "capture.compressed");
    assert_eq!(code(&[0x28, 0xb5, 0x2f, 0xfd]), "capture.compressed");
    assert_eq!(code(b"\xfd7zXZ\0"), "capture.compressed");
    assert_eq!(code(&Pcap { link: 147, ..PCAP }.header()), "capture.unsupported_link_type");
    for prefix in [&b""[..], b"\xd4\xc3\xb2", b"\xda\xbb\x02\x00"] {
        assert!(!is_capture(prefix));
    }
    let text = read(b"GET / HTTP/1.1").2.unwrap_err().to_string();
    assert!(text.starts_with("at file offset 0: not a pcap or pcapng file: it begins with 47 45 54 20"));
}

#[test]
fn corruption_is_told_with_its_place() {
    let mut file = PCAP.file(&two_packets());
    let second_at = file.len() - 16 - 56;
    file[second_at + 8..second_at + 12].copy_from_slice(&0xffff_ffffu32.to_le_bytes());
    let (log, _, end) = read(&file);
    assert_eq!(log.all(), "0 opened midstream, 0> ab, 0 closed end_of_capture");
    let error = end.unwrap_err();
    assert_eq!(error.offset, second_at as u64);
    assert_eq!(error.kind, FormatErrorKind::RecordTooLong { len: 0xffff_ffff, limit: 1 << 20 });

    let ng = Pcapng { big_endian: false };
    let [one, _] = two_packets();
    let start = [ng.section(), ng.interface(1, 0, &[])].concat();
    let code = |block: &[u8]| {
        let file = [&start[..], block].concat();
        let error = read(&file).2.unwrap_err();
        assert_eq!(error.offset, start.len() as u64);
        error.kind.code()
    };
    let good = ng.enhanced(0, 0, &one, one.len());
    let with = |at: usize, number: u32| {
        let mut block = good.clone();
        block[at..at + 4].copy_from_slice(&number.to_le_bytes());
        block
    };
    assert_eq!(code(&with(4, 8)), "capture.block_too_short");
    assert_eq!(code(&with(4, 2 << 20)), "capture.record_too_long");
    assert_eq!(code(&with(8, 1)), "capture.unknown_interface");
    // Captured length beyond the block, and two lengths that differ.
    assert_eq!(code(&with(20, 100)), "capture.bad_block");
    assert_eq!(code(&with(20, u32::MAX)), "capture.bad_block");
    assert_eq!(code(&with(good.len() - 4, 16)), "capture.bad_block");
    assert_eq!(code(&ng.block(6, &[0; 4])), "capture.bad_block");
    assert_eq!(code(&ng.block(3, &[])), "capture.bad_block");
    assert_eq!(code(&ng.block(1, &[])), "capture.bad_block");
    assert_eq!(code(&ng.block(0x0a0d_0d0a, &[0; 16])), "capture.bad_block");

    let mut many = ng.section();
    for _ in 0..=65_536 {
        many.extend(ng.interface(1, 0, &[]));
    }
    assert_eq!(read(&many).2.unwrap_err().kind.code(), "capture.too_many_interfaces");
}

#[test]
fn an_error_is_final() {
    let mut log = Log::default();
    let mut capture = Capture::new(&Limits::default());
    let first = capture.push(b"nonsense", &mut log).unwrap_err();
    assert_eq!(capture.push(&PCAP.header(), &mut log), Err(first));
    assert_eq!(capture.finish(&mut log), Err(first));
}

/// A file that somebody is still writing.
struct Growing<'a> {
    file: &'a [u8],
    written: usize,
    at: usize,
}

impl Read for Growing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (&self.file[self.at..self.written]).read(buffer)?;
        self.at += len;
        Ok(len)
    }
}

#[test]
fn a_growing_file_is_followed() {
    let file = PCAP.file(&two_packets());
    let mut log = Log::default();
    let source = Growing { file: &file, written: 0, at: 0 };
    let mut reader = Reader::new(source, Limits::default());
    assert_eq!(reader.read_available(&mut log).unwrap(), 0);
    for written in 1..=file.len() {
        reader.source_mut().written = written;
        assert_eq!(reader.read_available(&mut log).unwrap(), 1);
        let seen = log.middle();
        let first_done = written >= 24 + 16 + 56;
        let expected = match (first_done, written == file.len()) {
            (false, _) => "",
            (true, false) => "0> ab",
            (true, true) => "0> ab, 0> cd",
        };
        assert_eq!(seen, expected);
    }
    assert_eq!(reader.offset(), file.len() as u64);
    assert_eq!(reader.finish(&mut log), Ok(None));
    assert_eq!(reader.stats().packets, 2);
}

#[test]
fn a_failing_source_is_an_io_error() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(match self.0 {
                1 => io::ErrorKind::Interrupted.into(),
                _ => io::Error::other("disk on fire"),
            })
        }
    }
    let mut reader = Reader::new(Failing(0), Limits::default());
    let error = reader.read_available(&mut Log::default()).unwrap_err();
    assert!(matches!(error, Error::Io(_)));
    assert_eq!(error.to_string(), "cannot read the capture: disk on fire");
    assert_eq!(reader.source().0, 2);
}
