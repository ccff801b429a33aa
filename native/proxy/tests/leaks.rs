//! Alone in its process, since it counts what the process has: when a proxy has stopped, no thread and no file is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken expectation is a failed test")]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::message::*;
use common::{Host, Rig, until};

fn left() -> (usize, usize) {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

#[test]
fn a_proxy_leaves_nothing_behind() {
    let before = left();
    {
        let host = Host::thrift("");
        let with_host = left();
        for round in 0..3 {
            let began = Instant::now();
            let mut rig = Rig::simple("thrift", &[&host]);
            let started = began.elapsed();
            let mut clients: Vec<_> = (0..200).map(|_| rig.client("thrift")).collect();
            for client in &mut clients {
                assert_eq!(client.call(1, "x"), "x");
            }
            // Some leave before, each in its way.
            for (number, client) in clients.iter_mut().enumerate().take(100) {
                match number % 3 {
                    0 => client.send(&thrift_call(2, b"x")).finish().frame().clear(),
                    1 => common::reset(&client.socket),
                    _ => drop(client.socket.shutdown(std::net::Shutdown::Both)),
                }
            }
            clients.drain(..100);
            if round == 0 {
                drop(clients);
                rig.quiet();
                // Connections that are gone hold no file.
                until("only sockets in use are open", || left().1 <= with_host.1 + 8);
            }
            let began = Instant::now();
            if round == 2 {
                assert!(rig.shut_down(Duration::from_secs(5)));
            } else {
                rig.stop();
            }
            let stopped = began.elapsed();
            // Clients that have just been busy may ask once more before they are closed.
            let pause = if round == 2 { Duration::from_secs(1) } else { Duration::ZERO };
            assert!(started + stopped < pause + Duration::from_millis(200), "{started:?} {stopped:?}");
        }
    }
    until("all is as it was", || left() == before);
}
