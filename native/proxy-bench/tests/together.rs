//! The tools with one another: right answers count, every other answer is an error.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metaprotocol_core::{Direction, Frame, Kind, Limits, Split};
use metaprotocol_proxy_bench::load::{Plan, Report};
use metaprotocol_proxy_bench::protocol::{Asked, MAX_PAYLOAD, Protocol, STAMP_LEN};
use metaprotocol_proxy_bench::{forward, hold, load, mux, serve};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server whose answers `lie` may change: it sees the number of the answer and its bytes.
fn server(
    protocol: Protocol,
    mut lie: impl FnMut(u64, &mut Vec<u8>) -> Result<(), &'static str> + Send + 'static,
) -> SocketAddr {
    let (listener, address) = listener();
    std::thread::spawn(move || {
        let (codec, mut number, mut answer) = (protocol.codec(), 0, Vec::new());
        serve::serve(listener, &codec, |request: Frame<'_>, out: &mut Vec<u8>| {
            answer.clear();
            protocol.answer(&*codec, request, &mut answer)?;
            lie(number, &mut answer)?;
            number += 1;
            out.extend_from_slice(&answer);
            Ok(())
        })
    });
    address
}

fn honest(protocol: Protocol) -> SocketAddr {
    server(protocol, |_, _| Ok(()))
}

fn run(protocol: Protocol, target: SocketAddr, connections: usize, in_flight: usize, payload_len: usize) -> Report {
    let warm_up = Duration::from_millis(20);
    let duration = Duration::from_millis(100);
    let watch = Some(std::process::id());
    load::run(&Plan { protocol, target, connections, in_flight, payload_len, warm_up, duration, watch }).unwrap()
}

#[track_caller]
fn all_right(report: &Report) {
    assert_eq!((report.errors, &report.first_error), (0, &None));
    assert!(report.requests > 0);
    assert_eq!(report.requests, report.latency.len());
    assert!(report.cpu.is_some());
}

#[test]
fn every_answer_of_an_honest_server_is_right() {
    for protocol in Protocol::ALL {
        let target = honest(protocol);
        for (connections, in_flight) in [(1, 1), (1, 16), (8, 3)] {
            for payload_len in [STAMP_LEN, 31, 32, 1023, 1024, 4096, MAX_PAYLOAD] {
                all_right(&run(protocol, target, connections, in_flight, payload_len));
            }
        }
    }
}

#[test]
fn forwarders_change_nothing() {
    for protocol in Protocol::ALL {
        let server = honest(protocol);
        let (plain, plain_at) = listener();
        std::thread::spawn(move || forward::forward(plain, server));
        let (shared, shared_at) = listener();
        std::thread::spawn(move || mux::mux(shared, server, protocol));
        for payload_len in [128, MAX_PAYLOAD] {
            all_right(&run(protocol, plain_at, 8, 16, payload_len));
            all_right(&run(protocol, shared_at, 8, 16, payload_len));
        }
    }
}

/// The frame that `bytes` are, if they are exactly one.
fn frame<'a>(protocol: Protocol, direction: Direction, bytes: &'a [u8]) -> Option<Frame<'a>> {
    match protocol.codec().split(direction, &Limits::default(), bytes) {
        Ok(Split::Head(head)) => Frame::new(head, bytes).filter(|frame| frame.bytes.len() == bytes.len()),
        _ => None,
    }
}

#[test]
fn a_changed_answer_is_found_wherever_it_differs() {
    for protocol in Protocol::ALL {
        let asked = Asked { id: 7, stamp: 7, payload_len: 64 };
        let (mut request, mut answer) = (Vec::new(), Vec::new());
        protocol.ask(asked, &mut request);
        let request = frame(protocol, Direction::ClientToServer, &request).unwrap();
        protocol.answer(&*protocol.codec(), request, &mut answer).unwrap();
        let right = frame(protocol, Direction::ServerToClient, &answer).unwrap();
        assert_eq!(protocol.verify(right, asked), Ok(()));
        for other in [9, asked.stamp + 2 * 251].map(|stamp| Asked { stamp, ..asked }) {
            assert!(protocol.verify(right, other).is_err());
        }
        assert!(protocol.verify(right, Asked { payload_len: 65, ..asked }).is_err());
        let mut seen = 0;
        for at in 0..answer.len() {
            let mut changed = answer.clone();
            changed[at] ^= 1;
            // What is no frame any more is found by the decoder.
            let Some(frame) = frame(protocol, Direction::ServerToClient, &changed) else { continue };
            seen += 1;
            // Thrift and Dubbo have bits and names in an answer's header that say nothing about the request.
            let header = at < frame.head.header_len as usize && protocol != Protocol::Redis;
            assert!(protocol.verify(frame, asked).is_err() || header, "{} byte {at}", protocol.name());
        }
        assert!(seen >= asked.payload_len, "{}: {seen}", protocol.name());
    }
}

#[test]
fn a_lying_server_is_found_out() {
    for protocol in Protocol::ALL {
        // Answers that changed places between connections: the ids are the same there, the contents are not.
        let mut last = Vec::new();
        let target = server(protocol, move |number, answer| {
            let own = answer.clone();
            if number % 10 == 9 {
                answer.clone_from(&last);
            }
            last = own;
            Ok(())
        });
        let report = run(protocol, target, 4, 1, 64);
        assert!(report.errors > 0, "{}: answers of others were taken", protocol.name());

        // One wrong letter in a hundred answers.
        static LIES: AtomicU64 = AtomicU64::new(0);
        LIES.store(0, Ordering::Relaxed);
        let target = server(protocol, |number, answer| {
            if number % 100 == 99 && answer.len() > 64 {
                let at = answer.len() - 8;
                answer[at] ^= 1;
                LIES.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let report = run(protocol, target, 3, 5, 64);
        assert_eq!(report.errors, LIES.load(Ordering::Relaxed), "{}", protocol.name());
        assert!(report.errors > 0 && report.requests > report.errors);
        assert!(report.first_error.unwrap().contains("content"), "{}", protocol.name());
    }
}

#[test]
fn ids_count_too() {
    let target = server(Protocol::Dubbo, |number, answer| {
        if number % 50 == 49 {
            answer[4] = 1; // far above all that were asked
        }
        Ok(())
    });
    let report = run(Protocol::Dubbo, target, 2, 2, 64);
    assert!(report.first_error.unwrap().contains("an answer that nobody waits for"));
}

#[test]
fn errors_lost_answers_and_broken_connections_count() {
    let target = server(Protocol::Redis, |number, answer| {
        if number == 100 {
            answer.splice(.., *b"-ERR busy\r\n");
        }
        Ok(())
    });
    let report = run(Protocol::Redis, target, 1, 2, 64);
    assert_eq!(report.errors, 1);
    assert!(report.first_error.unwrap().contains("an error for an answer"));

    let target = server(Protocol::Thrift, |number, answer| {
        if number == 100 {
            answer.clear();
        }
        Ok(())
    });
    let report = run(Protocol::Thrift, target, 2, 2, 64);
    assert_eq!(report.errors, 1);
    assert!(report.first_error.unwrap().contains("no answer came, with 1 requests in flight"));

    let target = server(Protocol::Thrift, |number, _| if number < 100 { Ok(()) } else { Err("enough") });
    let start = Instant::now();
    let report = run(Protocol::Thrift, target, 2, 3, 64);
    assert_eq!(report.errors, 6, "{:?}", report.first_error);
    assert!(start.elapsed() < Duration::from_secs(1), "nobody is left to wait for");

    let target = server(Protocol::Dubbo, |_, answer| {
        answer[0] = b'?';
        Ok(())
    });
    let report = run(Protocol::Dubbo, target, 1, 4, 64);
    assert_eq!((report.requests, report.errors), (0, 4));
}

#[test]
fn one_way_calls_have_no_answer() {
    let (mut request, mut out) = (Vec::new(), Vec::new());
    Protocol::Thrift.ask(Asked { id: 1, stamp: 1, payload_len: 16 }, &mut request);
    request[7] = 4;
    let oneway = frame(Protocol::Thrift, Direction::ClientToServer, &request).unwrap();
    assert_eq!(oneway.head.kind, Kind::Oneway);
    Protocol::Thrift.answer(&*Protocol::Thrift.codec(), oneway, &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn held_connections_wait_for_the_server_and_are_verified() {
    let (free, target) = listener();
    drop(free);
    let patience = Duration::from_millis(50);
    assert!(hold::open(Protocol::Redis, target, 1, 64, patience).is_err());
    let late = std::thread::spawn(move || hold::open(Protocol::Redis, target, 20, 64, Duration::from_secs(10)));
    std::thread::sleep(Duration::from_millis(20));
    let listener = TcpListener::bind(target).unwrap();
    std::thread::spawn(move || {
        let codec = Protocol::Redis.codec();
        serve::serve(listener, &codec, |request, out| Protocol::Redis.answer(&*codec, request, out))
    });
    assert_eq!(late.join().unwrap().unwrap().len(), 20);

    let liar = server(Protocol::Thrift, |_, answer| {
        answer.truncate(0);
        answer.extend_from_slice(b"\0\0\0\x11\x80\x01\0\x02\0\0\0\x04echo\0\0\0\x01\0");
        Ok(())
    });
    assert!(hold::open(Protocol::Thrift, liar, 1, 64, patience).is_err());
}
