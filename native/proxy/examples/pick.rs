//! Picks hosts, to count what a pick costs: `valgrind --tool=callgrind target/release/examples/pick round_robin 10 1000000`
//! (policy, hosts, picks; then `weighted` for weights that differ).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use metaprotocol_proxy::balance::{HostSet, Picker};
use serde_json::json;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [policy, hosts, picks, rest @ ..] = args.as_slice() else {
        eprintln!("usage: pick POLICY HOSTS PICKS [weighted]");
        std::process::exit(2);
    };
    let balance = match policy.as_str() {
        "least_request" => json!({"least_request": {"choices": 2, "active_request_bias": 1.0}}),
        "ring_hash" => json!({"ring_hash": {"min_size": 1024, "max_size": 8_388_608, "murmur": false}}),
        "maglev" => json!({"maglev": {"table_size": 65537}}),
        other => json!(other),
    };
    let weight = |port: u32| if rest.is_empty() { 1 } else { 1 + port % 3 };
    let hosts: u32 = hosts.parse().unwrap();
    let hosts: Vec<_> = (1..=hosts)
        .map(|port| json!({"address": format!("127.0.0.{}:{}", port >> 16, port & 0xffff), "weight": weight(port)}))
        .collect();
    let cluster = serde_json::from_value(json!({"balance": balance})).unwrap();
    let hosts = serde_json::from_value(json!({"priorities": [[{"hosts": hosts}]]})).unwrap();
    let mut picker = Picker::new(Arc::new(HostSet::new(&cluster, &hosts, None, 1, 0).unwrap()), 1);
    let picks: u64 = picks.parse().unwrap();
    let started = std::time::Instant::now();
    let mut ports = 0;
    for pick in 0..picks {
        let hash = pick.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ports += picker.pick(Some(hash), 0).map_or(0, |host| u64::from(host.address.port()));
    }
    let nanoseconds = started.elapsed().as_nanos() as f64 / picks as f64;
    println!("{nanoseconds:.1} ns a pick; the mean port is {}", ports / picks.max(1));
}
