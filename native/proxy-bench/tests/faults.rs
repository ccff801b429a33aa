//! Hosts misbehave as they are told to, and what asks them accounts for every request.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metaprotocol_proxy_bench::press::{self, Account, Plan};
use metaprotocol_proxy_bench::protocol::Protocol;
use metaprotocol_proxy_bench::unruly::{self, Hosts, Mode, Reins};

fn hosts(protocol: Protocol, count: u8) -> (Vec<SocketAddr>, Reins) {
    let addresses: Vec<_> = (0..count).map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).collect();
    let (hosts, reins) = Hosts::new(protocol, &addresses, 7).unwrap();
    let addresses = hosts.addresses();
    std::thread::spawn(move || hosts.run());
    (addresses, reins)
}

fn plan(protocol: Protocol, target: SocketAddr) -> Plan {
    Plan {
        protocol,
        target,
        connections: 3,
        in_flight: 4,
        payload_len: 64,
        rate: Some(3000.0),
        requests: 100,
        turnover: None,
        patience: Duration::from_secs(10),
    }
}

/// Requests that go on until they are stopped.
struct Pressing(Arc<AtomicBool>, JoinHandle<Account>);

impl Pressing {
    fn new(plan: Plan) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&enough);
        Self(enough, std::thread::spawn(move || press::run(&plan, &over, |_| {}).unwrap()))
    }

    fn stop(self) -> Account {
        self.0.store(true, Ordering::Relaxed);
        let account = self.1.join().unwrap();
        let known = account.right + account.refused + account.wrong + account.cut + account.lost;
        assert_eq!(known, account.asked, "{account:?}");
        account
    }
}

fn asked(reins: &Reins) -> u64 {
    reins.tell(None, None).unwrap()["hosts"][0]["asked"].as_u64().unwrap()
}

fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn who_is_well_answers_all() {
    for protocol in Protocol::ALL {
        let (addresses, reins) = hosts(protocol, 1);
        let account = Pressing::new(Plan { turnover: Some(10), ..plan(protocol, addresses[0]) }).stop();
        assert_eq!((account.right, account.closed, account.unopened), (account.asked, 0, 0), "{account:?}");
        assert!(account.asked >= 100 && account.opened >= 9);
        let counts = reins.tell(None, None).unwrap();
        assert_eq!((&counts["bad"], &counts["hosts"][0]["answered"]), (&0.into(), &account.asked.into()));
    }
}

#[test]
fn late_and_slow_answers_are_right() {
    for protocol in Protocol::ALL {
        for mode in [Mode::Hang, Mode::Deaf, Mode::Slow] {
            let (addresses, reins) = hosts(protocol, 1);
            let pressing = Pressing::new(plan(protocol, addresses[0]));
            until(|| asked(&reins) > 20);
            reins.tell(Some(0), Some(mode)).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            // What comes late keeps its order, whatever follows.
            for mode in [Mode::Slow, Mode::Well] {
                reins.tell(None, Some(mode)).unwrap();
                until(|| asked(&reins) > 40);
            }
            let account = pressing.stop();
            assert_eq!((account.right, account.closed), (account.asked, 0), "{mode:?} {account:?}");
            assert!(mode == Mode::Slow || account.longest > Duration::from_millis(50), "{mode:?} {account:?}");
        }
    }
}

#[test]
fn connections_that_end_are_counted_and_replaced() {
    for protocol in Protocol::ALL {
        for mode in [Mode::Reset, Mode::HalfClose, Mode::Cut, Mode::Dead, Mode::Garbage] {
            let (addresses, reins) = hosts(protocol, 1);
            let pressing = Pressing::new(plan(protocol, addresses[0]));
            until(|| asked(&reins) > 20);
            reins.tell(Some(0), Some(mode)).unwrap();
            if mode == Mode::Garbage {
                let before = asked(&reins);
                until(|| asked(&reins) > before + 500);
            } else {
                std::thread::sleep(Duration::from_millis(50));
            }
            reins.tell(Some(0), Some(Mode::Well)).unwrap();
            let before = asked(&reins);
            until(|| asked(&reins) > before + 50);
            let account = pressing.stop();
            assert_eq!((account.wrong, account.lost, account.refused), (0, 0, 0), "{mode:?} {account:?}");
            assert!(account.closed > 0 && account.right > 70, "{mode:?} {account:?}");
            assert_eq!(account.unopened > 0, mode == Mode::Dead, "{mode:?} {account:?}");
            let strange = mode == Mode::Garbage && protocol != Protocol::Redis;
            assert_eq!(account.unasked > 0, strange, "{mode:?} {account:?}");
        }
    }
}

#[test]
fn what_never_comes_is_lost() {
    let (addresses, reins) = hosts(Protocol::Thrift, 2);
    reins.tell(Some(1), Some(Mode::Hang)).unwrap();
    let patience = Duration::from_millis(50);
    let account = Pressing::new(Plan { requests: 5, patience, ..plan(Protocol::Thrift, addresses[1]) }).stop();
    assert!(account.lost >= 5 && account.right == 0, "{account:?}");
}

#[test]
fn orders_are_understood_or_refused() {
    assert_eq!(unruly::order(""), Ok((None, None)));
    assert_eq!(unruly::order("3 half-close"), Ok((Some(3), Some(Mode::HalfClose))));
    assert_eq!(unruly::order("* dead"), Ok((None, Some(Mode::Dead))));
    for wrong in ["3", "x well", "1 ill", "1 well now"] {
        assert!(unruly::order(wrong).is_err(), "{wrong}");
    }
}
