//! Where answers come in order and hosts are picked by a hash: a client waits for several hosts at once, and gets what they
//! answer in the order of its requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::message::*;
use crate::common::{Client, Host, Rig, simple, until, with};

const NAMES: [&str; 3] = ["one", "two", "three"];

fn get(key: &str) -> Vec<u8> {
    redis(&["GET", key])
}

fn ask(client: &mut Client, key: &str) -> String {
    String::from_utf8_lossy(client.send(&get(key)).frame().as_slice()).into_owned()
}

/// A host that answers with its name and the key, once `may` lets it.
fn named(name: &'static str, may: impl Fn(&str) + Send + Sync + 'static) -> Host {
    Host::new("redis", move |peer, _, bytes| {
        let key = redis_key(bytes);
        may(&key);
        peer.send(&redis_text(&format!("{name} {key}")));
    })
}

/// A proxy that shards by key, and some keys by the names of the hosts that have them.
fn sharded(hosts: &[&Host], more: Value) -> (Rig, HashMap<&'static str, Vec<String>>) {
    let route = json!({ "routes": [{ "to": { "cluster": "c" }, "hash": ["key"] }] });
    let update =
        json!({ "routes": { "r": route }, "clusters": { "c": { "balance": { "maglev": { "table_size": 251 } } } } });
    let rig = Rig::new(with(with(simple("redis", hosts), update), more));
    let mut keys: HashMap<&str, Vec<String>> = HashMap::new();
    let mut client = rig.client("redis");
    for number in 0..120 {
        let key = format!("k{number}");
        let answer = ask(&mut client, &key);
        let name = NAMES.into_iter().find(|name| answer.contains(&format!("{name} "))).expect("the name of a host");
        keys.entry(name).or_default().push(key);
    }
    assert!(NAMES.iter().take(hosts.len()).all(|name| keys[name].len() > 10), "{keys:?}");
    (rig, keys)
}

/// Waits until it is so, as hosts do.
fn wait(flag: &AtomicBool) {
    for _ in 0..5000 {
        if flag.load(Ordering::Acquire) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Hosts, the first of which answers its keys only while the gate is open.
fn gated(gate: &Arc<AtomicBool>) -> [Host; 2] {
    let gate = Arc::clone(gate);
    [named("one", move |_| wait(&gate)), named("two", |_| ())]
}

#[test]
fn a_pipeline_is_with_all_its_hosts_at_once() {
    let gate = Arc::new(AtomicBool::new(true));
    let hosts = gated(&gate);
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], json!({}));
    gate.store(false, Ordering::Release);
    let (one, two) = (&keys["one"], &keys["two"]);
    let mut client = rig.client("redis");
    let before = hosts[1].count();
    client.send(&[get(&one[0]), get(&two[0]), get(&two[1]), get(&one[1]), get(&two[2])].concat());
    // The second has them while the first thinks.
    hosts[1].until_got(before + 3);
    // Others are not held up.
    let mut other = rig.client("redis");
    assert!(ask(&mut other, &two[3]).contains(&format!("two {}", two[3])));
    gate.store(true, Ordering::Release);
    for (name, key) in [("one", &one[0]), ("two", &two[0]), ("two", &two[1]), ("one", &one[1]), ("two", &two[2])] {
        assert_eq!(client.frame(), redis_text(&format!("{name} {key}")));
    }
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 2);
}

#[test]
fn every_client_gets_its_answers_in_its_order() {
    let slow =
        |number: u64| move |key: &str| thread::sleep(Duration::from_micros(number * (key.len() as u64 % 3) * 40));
    let hosts = [named("one", slow(1)), named("two", slow(3)), named("three", slow(7))];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1], &hosts[2]], json!({}));
    let all: Vec<(&str, &String)> = keys.iter().flat_map(|(name, keys)| keys.iter().map(|key| (*name, key))).collect();
    thread::scope(|scope| {
        for number in 0..8 {
            let (rig, all) = (&rig, &all);
            scope.spawn(move || {
                let mut client = rig.client("redis");
                for round in 0..20 {
                    let count = 1 + (round * 7 + number * 3) % 50;
                    let asked: Vec<_> = (0..count).map(|at| all[(at * 31 + round * 17 + number) % all.len()]).collect();
                    client.send(&asked.iter().map(|(_, key)| get(key)).collect::<Vec<_>>().concat());
                    for (name, key) in asked {
                        assert_eq!(client.frame(), redis_text(&format!("{name} {key}")));
                    }
                }
            });
        }
    });
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 3);
}

#[test]
fn errors_stand_where_their_answers_would() {
    let dies = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dies);
    let lost = Host::new("redis", move |peer, _, bytes| {
        if flag.load(Ordering::Acquire) {
            return peer.close();
        }
        peer.send(&redis_text(&format!("one {}", redis_key(bytes))));
    });
    let hosts = [lost, named("two", |_| thread::sleep(Duration::from_millis(5))), named("three", |_| ())];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1], &hosts[2]], json!({}));
    dies.store(true, Ordering::Release);
    let order = ["two", "one", "three", "one", "two", "three", "one", "two"];
    let asked: Vec<_> = order.iter().enumerate().map(|(at, name)| (*name, &keys[name][at])).collect();
    let mut client = rig.client("redis");
    for _ in 0..3 {
        client.send(&asked.iter().map(|(_, key)| get(key)).collect::<Vec<_>>().concat());
        for (name, key) in &asked {
            let answer = client.frame();
            match *name {
                "one" => {
                    assert!(contains(&answer, "remote connection failure"), "{}", String::from_utf8_lossy(&answer))
                }
                name => assert_eq!(answer, redis_text(&format!("{name} {key}"))),
            }
        }
    }
}

#[test]
fn what_is_late_is_told_in_its_place() {
    let gate = Arc::new(AtomicBool::new(true));
    let hosts = gated(&gate);
    let timeout =
        json!({ "routes": { "r": { "routes": [{ "to": { "cluster": "c" }, "hash": ["key"], "timeout": 300 }] } } });
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], timeout);
    gate.store(false, Ordering::Release);
    let (one, two) = (&keys["one"], &keys["two"]);
    let mut client = rig.client("redis");
    client.send(&[get(&two[0]), get(&one[0]), get(&two[1]), get(&one[1]), get(&two[2])].concat());
    assert_eq!(client.frame(), redis_text(&format!("two {}", two[0])));
    assert!(contains(&client.frame(), "no answer in time"));
    assert_eq!(client.frame(), redis_text(&format!("two {}", two[1])));
    assert!(contains(&client.frame(), "no answer in time"));
    assert_eq!(client.frame(), redis_text(&format!("two {}", two[2])));
    gate.store(true, Ordering::Release);
    assert!(ask(&mut client, &one[2]).contains(&format!("one {}", one[2])));
}

#[test]
fn long_answers_wait_for_their_turn() {
    const LEN: usize = 3 << 20;
    let gate = Arc::new(AtomicBool::new(true));
    let first = Arc::clone(&gate);
    let long = |name: &'static str, may: Box<dyn Fn() + Send + Sync>| {
        Host::new("redis", move |peer, head, bytes| {
            let key = redis_key(bytes);
            may();
            let fill = if head.frame_len > 100 { "v".repeat(LEN) } else { String::new() };
            peer.send(&redis_text(&format!("{name} {key}{fill}")));
        })
    };
    let hosts = [long("one", Box::new(move || wait(&first))), long("two", Box::new(|| ()))];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], json!({}));
    let (one, two) = (&keys["one"], &keys["two"]);
    // The rest of the command has no meaning for these hosts but that it is longer.
    let much = |key: &str| redis(&["GET", key, &"x".repeat(100)]);
    for early in [0, 50] {
        gate.store(false, Ordering::Release);
        let mut client = rig.client("redis");
        client.send(&[get(&one[0]), much(&two[0]), get(&one[1]), much(&one[2]), get(&two[1]), much(&two[2])].concat());
        thread::sleep(Duration::from_millis(early));
        gate.store(true, Ordering::Release);
        let fill = "v".repeat(LEN);
        let expected = [("one", &one[0], ""), ("two", &two[0], &*fill), ("one", &one[1], ""), ("one", &one[2], &*fill)];
        for (name, key, fill) in expected.into_iter().chain([("two", &two[1], ""), ("two", &two[2], &*fill)]) {
            assert!(client.frame() == redis_text(&format!("{name} {key}{fill}")), "{name} {key}");
        }
    }
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 2);
}

#[test]
fn a_client_with_too_much_that_came_early_asks_no_more() {
    let gate = Arc::new(AtomicBool::new(true));
    let first = Arc::clone(&gate);
    let big = Host::new("redis", |peer, _, bytes| {
        peer.send(&redis_text(&format!("two {}{}", redis_key(bytes), "v".repeat(5000))))
    });
    let hosts = [named("one", move |_| wait(&first)), big];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], json!({ "listeners": { "l": { "buffer_limit": 20_000 } } }));
    gate.store(false, Ordering::Release);
    let (one, two) = (&keys["one"], &keys["two"]);
    let mut client = rig.client("redis");
    let before = hosts[1].count();
    client.send(&get(&one[0]));
    for at in 0..40 {
        client.send(&get(&two[at % two.len()]));
        thread::sleep(Duration::from_millis(2));
    }
    let asked = hosts[1].count() - before;
    assert!((4..20).contains(&asked), "{asked}");
    gate.store(true, Ordering::Release);
    assert_eq!(client.frame(), redis_text(&format!("one {}", one[0])));
    for at in 0..40 {
        assert!(contains(&client.frame(), &format!("two {}", two[at % two.len()])));
    }
}

#[test]
fn what_a_lost_host_never_got_goes_elsewhere_and_keeps_its_place() {
    let hosts =
        [named("one", |_| ()), named("two", |_| ()), named("three", |_| thread::sleep(Duration::from_millis(5)))];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1], &hosts[2]], json!({}));
    let [one, two, three] = hosts;
    // Nobody listens there any more, and the connection is gone.
    drop(one);
    until("its connection is gone", || rig.cluster("c", "upstream_cx_active") == 2);
    let order = ["three", "one", "two", "one", "three", "one", "two", "one"];
    let asked: Vec<_> = order.iter().enumerate().map(|(at, name)| (*name, &keys[name][at])).collect();
    let mut client = rig.client("redis");
    for _ in 0..3 {
        client.send(&asked.iter().map(|(_, key)| get(key)).collect::<Vec<_>>().concat());
        for (name, key) in &asked {
            let answer = String::from_utf8_lossy(&client.frame()).into_owned();
            assert!(answer.contains(&format!(" {key}\r\n")), "{answer}, not {key}");
            assert!(*name == "one" || answer.contains(&format!("{name} ")), "{answer}, not of {name}");
        }
    }
    assert_eq!((two.count() > 0, three.count() > 0, rig.cluster("c", "upstream_rq_moved") > 0), (true, true, true));
}

#[test]
fn a_client_that_leaves_is_forgotten_everywhere() {
    let gate = Arc::new(AtomicBool::new(true));
    let hosts = gated(&gate);
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], json!({}));
    gate.store(false, Ordering::Release);
    let (one, two) = (&keys["one"], &keys["two"]);
    let mut client = rig.client("redis");
    let before = (hosts[0].count(), hosts[1].count());
    client.send(&[get(&one[0]), get(&two[0]), get(&one[1]), get(&two[1])].concat());
    hosts[0].until_got(before.0 + 1);
    hosts[1].until_got(before.1 + 2);
    crate::common::reset(&client.socket);
    drop(client);
    until("it is gone", || rig.listener("downstream_cx_active") == 0);
    gate.store(true, Ordering::Release);
    let mut other = rig.client("redis");
    for (name, key) in [("one", &one[2]), ("two", &two[2])] {
        assert!(ask(&mut other, key).contains(&format!("{name} {key}")));
    }
    assert_eq!(rig.cluster("c", "upstream_cx_total"), 2);
}

#[test]
fn who_is_tied_to_a_host_is_told_what_belongs_to_another() {
    let hosts = [named("one", |_| ()), named("two", |_| ())];
    let (rig, keys) = sharded(&[&hosts[0], &hosts[1]], json!({}));
    for tie in ["SELECT", "WATCH"] {
        let mut client = rig.client("redis");
        client.send(&redis(&[tie, &keys["one"][0]]));
        // One command has a key, the other is where messages without one go.
        let tied = if contains(&client.frame(), "one ") { 0 } else { 1 };
        let (own, others) = (&keys[NAMES[tied]], &keys[NAMES[1 - tied]]);
        let before = hosts[1 - tied].count();
        assert!(ask(&mut client, &own[1]).contains(NAMES[tied]));
        client.send(&[get(&own[2]), get(&others[0]), get(&own[3])].concat());
        assert!(contains(&client.frame(), NAMES[tied]));
        assert!(contains(&client.frame(), "by its hash this belongs to another host"), "{tie}");
        assert!(client.next().is_none(), "{tie}: what is said behind it goes nowhere");
        assert_eq!(hosts[1 - tied].count(), before);
    }
    // What leaves nothing there does not tie it.
    let mut client = rig.client("redis");
    for name in ["one", "two", "two", "one"] {
        let key = &keys[name][5];
        client.send(&redis(&["BLPOP", key, "1"]));
        assert_eq!(client.frame(), redis_text(&format!("{name} {key}")));
        assert!(ask(&mut client, &keys["two"][6]).contains("two "));
    }
}
