//! What TCP does to streams, and what the assembler makes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

mod common;

use std::time::Duration;

use common::{CLIENT, Log, MS, SERVER, Tcp, assemble, assemble_timed, request, response};
use metaprotocol_capture::{Assembler, Direction, Limits, LinkType};

const TO_SERVER: Direction = Direction::ClientToServer;
const TO_CLIENT: Direction = Direction::ServerToClient;

fn run(segments: &[Tcp]) -> (Log, metaprotocol_capture::Stats) {
    assemble(&Limits::default(), segments)
}

/// SYN, SYN+ACK, ACK: the streams begin at 101 and 501.
fn handshake() -> Vec<Tcp> {
    vec![request(100, b"").syn(), response(500, b"").syn().ack(101), request(101, b"").ack(501)]
}

fn after_handshake(segments: &[Tcp]) -> (Log, metaprotocol_capture::Stats) {
    run(&[&handshake()[..], segments].concat())
}

#[test]
fn a_whole_connection() {
    let (log, stats) = after_handshake(&[
        request(101, b"ping").ack(501),
        response(501, b"pong").ack(105),
        request(105, b"").ack(505).fin(),
        response(505, b"").ack(106).fin(),
        request(106, b"").ack(506),
    ]);
    assert_eq!(log.all(), "0 opened, 0> ping, 0< pong, 0> end, 0< end, 0 closed fin");
    let (client, server) = log.endpoints[0];
    assert_eq!((client.port, server.port), (CLIENT.1, SERVER.1));
    assert_eq!(client.to_string(), "10.0.0.1:40000");
    assert_eq!(stats.tcp_segments, 8);
    assert_eq!(stats.stream_bytes, 8);
    assert_eq!((stats.gaps, stats.open_flows, stats.stored_bytes), (0, 0, 0));
}

#[test]
fn half_close_lets_the_other_side_go_on() {
    let (log, _) = after_handshake(&[
        request(101, b"all").fin(),
        response(501, b"an").ack(105),
        response(503, b"swer").ack(105),
        response(507, b"").fin(),
    ]);
    assert_eq!(log.all(), "0 opened, 0> all, 0> end, 0< an, 0< swer, 0< end, 0 closed fin");
}

#[test]
fn data_with_the_fin_and_fin_before_data() {
    let (log, stats) = after_handshake(&[request(104, b"def").fin(), request(101, b"abc")]);
    assert_eq!(log.middle(), "0> abc, 0> def, 0> end");
    assert_eq!(stats.out_of_order, 1);
}

#[test]
fn a_bare_fin_waits_for_what_is_before_it() {
    let (log, _) = after_handshake(&[request(104, b"").fin(), request(101, b"abc")]);
    assert_eq!(log.middle(), "0> abc, 0> end");
}

#[test]
fn out_of_order_and_retransmitted() {
    let (log, stats) = after_handshake(&[
        request(104, b"def"),
        request(107, b"ghi"),
        request(104, b"def"),
        request(101, b"abc"),
        request(101, b"abc"),
        request(110, b"jkl"),
    ]);
    assert_eq!(log.middle(), "0> abc, 0> def, 0> ghi, 0> jkl");
    assert_eq!(stats.out_of_order, 3);
    assert_eq!(stats.retransmitted_segments, 2);
    assert_eq!(stats.retransmitted_bytes, 6);
    assert_eq!(stats.stored_bytes, 0);
    assert!(stats.stored_bytes_peak > 0);
    // The data keeps the time of its own packet.
    assert_eq!(log.timestamps[1..5], [6 * MS, 3 * MS, 4 * MS, 8 * MS]);
}

#[test]
fn overlaps_first_wins() {
    // Against delivered data.
    let (log, stats) = after_handshake(&[request(101, b"abcd"), request(103, b"XXef")]);
    assert_eq!(log.middle(), "0> abcd, 0> ef");
    assert_eq!((stats.overlaps, stats.retransmitted_bytes), (1, 2));
    // Against stored data: the late one fills the holes only.
    let (log, stats) =
        after_handshake(&[request(103, b"cd"), request(107, b"gh"), request(102, b"XXXXXXXX"), request(101, b"a")]);
    assert_eq!(log.stream(0, TO_SERVER), "aXcdXXghX");
    assert_eq!((stats.overlaps, stats.retransmitted_bytes), (1, 4));
    // The hole at the front is filled by more than it needs.
    let (log, _) = after_handshake(&[request(104, b"def"), request(101, b"abcXXXg")]);
    assert_eq!(log.stream(0, TO_SERVER), "abcdefg");
}

#[test]
fn keep_alive_probes_are_no_data() {
    let (log, stats) =
        after_handshake(&[request(101, b"abc"), request(103, b"\0"), request(103, b""), request(104, b"def")]);
    assert_eq!(log.middle(), "0> abc, 0> def");
    assert_eq!((stats.keep_alives, stats.retransmitted_segments), (1, 0));
}

#[test]
fn sequence_numbers_wrap() {
    let start = u32::MAX - 2;
    let (log, _) = run(&[
        request(start.wrapping_sub(1), b"").syn(),
        request(start, b"ab"),
        request(start.wrapping_add(4), b"ef"),
        request(start.wrapping_add(2), b"cd"),
        request(start.wrapping_add(6), b"gh"),
    ]);
    assert_eq!(log.middle(), "0> ab, 0> cd, 0> ef, 0> gh");
}

#[test]
fn data_on_the_syn() {
    let (log, _) = run(&[
        request(100, b"fast").syn(),
        response(500, b"").syn().ack(105),
        request(105, b" open"),
        // Sent again by a client whose server did not take it.
        request(101, b"fast open"),
    ]);
    assert_eq!(log.middle(), "0> fast, 0>  open");
}

#[test]
fn repeated_syn_is_the_same_connection() {
    let (log, stats) = run(&[
        request(100, b"").syn(),
        request(100, b"").syn(),
        response(500, b"").syn().ack(101),
        response(500, b"").syn().ack(101),
        request(101, b"x"),
        request(100, b"").syn(),
    ]);
    assert_eq!(log.all(), "0 opened, 0> x, 0 closed end_of_capture");
    assert_eq!(stats.flows, 1);
}

#[test]
fn answer_captured_before_the_syn() {
    let (log, _) = run(&[response(500, b"").syn().ack(101), request(100, b"").syn(), request(101, b"x")]);
    assert_eq!(log.all(), "0 opened, 0> x, 0 closed end_of_capture");
    assert_eq!(log.endpoints[0].0.port, CLIENT.1);
}

#[test]
fn both_sides_open_at_once() {
    let (log, _) = run(&[request(100, b"").syn(), response(500, b"").syn(), request(101, b"a"), response(501, b"b")]);
    assert_eq!(log.middle(), "0> a, 0< b");
}

#[test]
fn port_reuse_opens_a_new_flow() {
    let (log, stats) = after_handshake(&[
        request(101, b"old"),
        request(9000, b"").syn(),
        response(7000, b"").syn().ack(9001),
        request(9001, b"new"),
    ]);
    assert_eq!(log.all(), "0 opened, 0> old, 0 closed replaced, 1 opened, 1> new, 1 closed end_of_capture");
    assert_eq!(stats.flows, 2);
    // Also after a proper end, while the old flow still lingers.
    let (log, stats) = after_handshake(&[
        request(101, b"old").rst(),
        request(101, b"late"),
        request(9000, b"").syn(),
        request(9001, b"new"),
    ]);
    assert_eq!(log.all(), "0 opened, 0 closed rst, 1 opened, 1> new, 1 closed end_of_capture");
    assert_eq!(stats.after_close_bytes, 4);
}

#[test]
fn port_reuse_without_its_syn() {
    let far = 101u32.wrapping_add(0x6000_0000);
    let (log, stats) = after_handshake(&[
        request(101, b"old"),
        request(far, b"one "),
        request(104, b"still"),
        request(far + 4, b"two "),
        request(far + 8, b"three"),
    ]);
    // One stray is lost for certainty; the next that follows on from it proves the new connection.
    assert_eq!(
        log.all(),
        "0 opened, 0> old, 0> still, 0 closed replaced, 1 opened midstream, 1> two , 1> three, 1 closed end_of_capture"
    );
    assert_eq!(stats.strays, 2);
    assert_eq!(stats.tcp_segments, 8);
}

#[test]
fn midstream_roles() {
    let who = |source, destination| {
        let (log, _) = run(&[request(1, b"x").ports(source, destination)]);
        assert_eq!(log.lines[0], "0 opened midstream");
        log.endpoints[0].0.port
    };
    assert_eq!(who(80, 5000), 5000, "a well-known port is the server's");
    assert_eq!(who(5000, 80), 5000);
    assert_eq!(who(20_880, 40_000), 40_000, "an ephemeral port is the client's");
    assert_eq!(who(40_000, 20_880), 40_000);
    assert_eq!(who(40_000, 50_000), 40_000, "else who speaks first");
    assert_eq!(who(50_000, 40_000), 50_000);
}

#[test]
fn midstream_goes_on_from_what_was_acknowledged() {
    // The response that the request acknowledges up to 505 is only in part in the capture.
    let (log, stats) = run(&[request(101, b"ask").ack(505), response(503, b"XXanswer").ack(104)]);
    assert_eq!(log.middle(), "0> ask, 0< answer");
    assert_eq!(stats.gaps, 0);
}

#[test]
fn acknowledgements_alone_open_no_flow() {
    let (log, stats) =
        run(&[request(1, b"").ack(1), request(1, b"").fin(), request(1, b"").rst(), request(1, b"why").rst()]);
    assert_eq!(log.all(), "");
    assert_eq!((stats.flows, stats.tcp_segments), (0, 4));
}

#[test]
fn a_gap_is_given_up_when_the_receiver_has_it() {
    let (log, stats) = after_handshake(&[
        request(101, b"abc"),
        request(107, b"ghi"),
        // Acknowledges only what came before the gap.
        response(501, b"").ack(104),
        response(501, b"").ack(110),
        response(501, b"ok").ack(110),
        request(110, b"jkl"),
    ]);
    // Within the grace nothing happens: the missing segment might be behind the acknowledgement in the capture.
    assert_eq!(log.middle(), "0> abc, 0< ok, 0> gap 3, 0> ghi, 0> jkl", "at the end of the capture at the latest");
    assert_eq!((stats.gaps, stats.gap_bytes), (1, 3));

    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.extend([
        (MS, request(107, b"ghi")),
        (2 * MS, response(501, b"").ack(110)),
        (20 * MS, request(110, b"jkl")),
        (21 * MS, response(501, b"ok").ack(113)),
    ]);
    let (log, _) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(log.middle(), "0> gap 6, 0> ghi, 0> jkl, 0< ok");
    // The gap has the time of the data behind it.
    assert_eq!(log.timestamps[1], MS);
}

#[test]
fn an_acknowledgement_captured_too_early_loses_nothing() {
    let (log, stats) = after_handshake(&[
        request(101, b"abc"),
        request(107, b"ghi"),
        response(501, b"").ack(110),
        request(104, b"def"),
    ]);
    assert_eq!(log.middle(), "0> abc, 0> def, 0> ghi");
    assert_eq!(stats.gaps, 0);
}

#[test]
fn the_grace_counts_from_the_first_acknowledgement() {
    let start = 1000 * MS;
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (start, one)).collect();
    segments.extend([
        (start + MS, request(107, b"ghi")),
        (start + 2 * MS, response(501, b"").ack(110)),
        (start + 11 * MS, response(501, b"early").ack(110)),
        (start + 12 * MS, response(506, b"late").ack(110)),
        (start + 13 * MS, request(1, b"x").ports(50_000, 80)),
    ]);
    let (log, _) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(log.middle(), "0< early, 0< late, 0> gap 6, 0> ghi, 1> x");
    // Without the late one the gap is given up at the end of the capture only.
    segments.remove(6);
    let (log, _) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(log.middle(), "0< early, 1> x, 0> gap 6, 0> ghi");
}

#[test]
fn an_acknowledgement_within_the_gap_is_not_enough() {
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.extend([
        (MS, request(107, b"ghi")),
        (2 * MS, response(501, b"").ack(103)),
        (50 * MS, response(501, b"").ack(103)),
        (60 * MS, request(101, b"abcdef")),
    ]);
    let (log, _) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(log.middle(), "0> abcdef, 0> ghi");
}

#[test]
fn a_gap_is_given_up_after_the_time_limit() {
    let limits = Limits::default();
    let late = 31_000 * MS;
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.extend([
        (MS, request(104, b"def")),
        // Another flow moves the clock.
        (late, request(1, b"x").ports(50_000, 80)),
        (late + MS, request(101, b"abc")),
        (late + 2 * MS, request(107, b"ghi")),
    ]);
    let (log, stats) = assemble_timed(&limits, &segments);
    assert_eq!(log.middle(), "0> gap 3, 0> def, 1> x, 0> ghi");
    assert_eq!(stats.retransmitted_bytes, 3);
}

#[test]
fn progress_puts_the_time_limit_off() {
    // A forged segment far ahead must not make the stream jump while it is getting on.
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.push((MS, request(101 + 1_000_000, b"forged")));
    for at in 0..100u32 {
        segments.push((u64::from(at) * 1000 * MS, request(101 + at, b"x")));
    }
    let (log, stats) = assemble_timed(&Limits::default(), &segments);
    assert!(log.stream(0, TO_SERVER).starts_with(&"x".repeat(100)));
    assert_eq!(stats.gaps, 1, "at the end of the capture");
}

#[test]
fn gaps_at_the_end() {
    for (segments, expected) in [
        (vec![request(104, b"def"), request(110, b"").fin()], "0> gap 3, 0> def, 0> gap 3, 0> end"),
        (vec![request(104, b"def"), response(501, b"").rst()], "0> gap 3, 0> def"),
        (vec![request(104, b"def"), request(9000, b"").syn()], "0> gap 3, 0> def"),
    ] {
        let (log, _) = after_handshake(&segments);
        assert_eq!(log.middle(), expected);
    }
}

#[test]
fn nothing_follows_the_end() {
    let (log, stats) = after_handshake(&[
        request(101, b"abc").fin(),
        request(101, b"abc"),
        request(105, b"more"),
        response(501, b"x"),
        // Stored before the end is known, and beyond it.
        response(504, b"cdXXX"),
        response(506, b"").fin(),
        response(502, b"ab"),
    ]);
    assert_eq!(log.middle(), "0> abc, 0> end, 0< x, 0< ab, 0< cd, 0< end");
    assert_eq!(stats.after_close_bytes, 4 + 3);
    assert_eq!(stats.retransmitted_bytes, 3);
    assert_eq!(stats.stored_bytes, 0);
}

#[test]
fn idle_flows_are_closed() {
    let hour = 3_600_000 * MS;
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.extend([
        (MS, request(101, b"a")),
        (hour - MS, response(501, b"b")),
        (2 * hour, request(1, b"x").ports(50_000, 80)),
        (2 * hour + MS, request(102, b"c")),
    ]);
    let (log, _) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(
        log.all(),
        "0 opened, 0> a, 0< b, 0 closed idle, 1 opened midstream, 1> x, 2 opened midstream, 2> c, \
         1 closed end_of_capture, 2 closed end_of_capture"
    );
}

#[test]
fn a_connection_that_goes_on_after_a_stray_reset_is_found_again() {
    let mut segments: Vec<_> = handshake().into_iter().map(|one| (0, one)).collect();
    segments.push((MS, response(501, b"").rst()));
    for at in 0..12u32 {
        segments.push((u64::from(at) * 1000 * MS + 2 * MS, request(101 + at, b"x")));
    }
    let (log, stats) = assemble_timed(&Limits::default(), &segments);
    assert_eq!(log.all(), "0 opened, 0 closed rst, 1 opened midstream, 1> x, 1> x, 1 closed end_of_capture");
    assert_eq!(stats.after_close_bytes, 10);
}

#[test]
fn too_many_flows() {
    let mut limits = Limits::default();
    limits.flows = 2;
    let flow = |port| request(1, b"x").ports(port, 80);
    let (log, stats) = assemble(&limits, &[flow(40_001), flow(40_002), flow(40_001), flow(40_003)]);
    assert_eq!(
        log.all(),
        "0 opened midstream, 0> x, 1 opened midstream, 1> x, 1 closed evicted, 2 opened midstream, 2> x, \
         0 closed end_of_capture, 2 closed end_of_capture"
    );
    assert_eq!(stats.evicted, 1);
    // Closed flows go first.
    let (log, stats) = assemble(&limits, &[flow(40_001), flow(40_002), flow(40_002).rst(), flow(40_003)]);
    assert!(!log.all().contains("evicted"));
    assert_eq!(stats.evicted, 0);
}

#[test]
fn too_much_early_data_in_one_stream() {
    let mut limits = Limits::default();
    limits.stream_bytes = 10_000;
    let mut segments = handshake();
    for at in 0..100u32 {
        segments.push(request(201 + at * 1000, &[b'x'; 1000]));
    }
    let (log, stats) = assemble(&limits, &segments);
    assert_eq!(stats.gaps, 1);
    assert_eq!(stats.over_limit, 1);
    assert_eq!(stats.stream_bytes, 100_000);
    assert!(stats.stored_bytes_peak <= 10_000 + 1_096);
    assert!(log.middle().starts_with("0> gap 100, "));
}

#[test]
fn too_much_early_data_in_all() {
    let mut limits = Limits::default();
    limits.total_bytes = 50_000;
    let mut segments = Vec::new();
    for port in 40_000..40_200 {
        segments.push(request(100, b"").syn().ports(port, 80));
        segments.push(request(201, &[b'x'; 1000]).ports(port, 80));
    }
    let (log, stats) = assemble(&limits, &segments);
    assert!(stats.stored_bytes_peak <= 50_000 + 1_096);
    assert_eq!(stats.stored_bytes, 0);
    assert_eq!((stats.gaps, stats.over_limit), (200, 200 - 45));
    // The one that waited longest goes first.
    assert!(log.middle().starts_with("0> gap 100, "));
}

#[test]
fn tiny_segments_count_with_their_overhead() {
    let mut limits = Limits::default();
    limits.stream_bytes = 100_000;
    let mut segments = handshake();
    for at in 0..5_000u32 {
        segments.push(request(201 + at * 2, b"x"));
    }
    let (_, stats) = assemble(&limits, &segments);
    assert!(stats.stored_bytes_peak <= 100_200);
    assert_eq!(stats.stream_bytes, 5_000);
    assert_eq!(stats.gaps, 5_000);
}

#[test]
fn cut_segments_are_gaps() {
    let mut log = Log::default();
    let mut assembler = Assembler::new(&Limits::default());
    let mut give = |tcp: Tcp, captured: usize| {
        let packet = tcp.ipv4();
        assembler.packet(LinkType::RawIp, 0, &packet[..captured], packet.len(), &mut log);
    };
    give(request(100, b"").syn(), 40);
    give(request(101, b"abcdef"), 40 + 3);
    give(request(107, b"ghi"), 43);
    // Headers only, and out of order.
    give(request(112, b"lm"), 40);
    give(request(110, b"jk"), 41);
    // The options are cut too, but there are none to miss.
    give(request(114, b"no"), 40);
    // Repeats what is known, captured and not, and goes on.
    give(request(110, b"jklmnopqr"), 43);
    // Its end, not captured, reaches beyond the end of the stream.
    give(request(122, b"vwxyz"), 41);
    give(request(124, b"").fin(), 40);
    give(request(119, b"stu"), 43);
    assembler.finish(&mut log);
    assert_eq!(
        log.middle(),
        "0> abc, 0> gap 3, 0> ghi, 0> j, 0> gap 1, 0> gap 2, 0> gap 2, 0> gap 3, 0> stu, 0> v, 0> gap 1, 0> end"
    );
    assert_eq!(assembler.stats().truncated, 6);
}

#[test]
fn the_two_directions_of_one_capture_do_not_mix() {
    let (log, _) =
        after_handshake(&[request(101, b"q1"), response(501, b"r1"), request(103, b"q2"), response(503, b"r2")]);
    assert_eq!(log.stream(0, TO_SERVER), "q1q2");
    assert_eq!(log.stream(0, TO_CLIENT), "r1r2");
}

#[test]
fn a_connection_to_itself_is_survived() {
    let mut tcp = request(1, b"x");
    tcp.destination = tcp.source;
    let (log, _) = run(&[tcp.clone(), tcp]);
    assert_eq!(log.middle(), "0> x");
}

#[test]
fn zero_limits_are_survived() {
    let mut limits = Limits::default();
    limits.flows = 0;
    limits.stream_bytes = 0;
    limits.total_bytes = 0;
    limits.datagrams = 0;
    limits.idle_timeout = Duration::ZERO;
    limits.linger = Duration::ZERO;
    limits.gap_timeout = Duration::ZERO;
    limits.ack_grace = Duration::ZERO;
    let mut segments = handshake();
    segments.extend([request(104, b"def"), request(101, b"abc"), request(107, b"g")]);
    let (log, stats) = assemble(&limits, &segments);
    // Each packet makes the flow idle for the next.
    assert!(log.all().contains("closed idle"));
    assert_eq!(stats.stored_bytes, 0);
}
