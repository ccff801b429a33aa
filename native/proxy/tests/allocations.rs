//! A pick allocates nothing.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use metaprotocol_proxy::balance::{HostSet, Picker};
use serde_json::{Value, json};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator as it came; counting neither allocates nor fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as for this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as for this call; `alloc` had it from there.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn picks_of(cluster: Value, weights: [u32; 3]) -> u64 {
    let host = |(port, weight)| json!({"address": format!("127.0.0.1:{port}"), "weight": weight});
    let hosts: Vec<Value> = (1..).zip(weights).map(host).collect();
    let hosts = json!({"priorities": [
        [{"place": ["", "A", ""], "hosts": hosts}, {"place": ["", "B", ""], "hosts": [host((8, 1))]}],
        [{"hosts": [host((9, 1))]}],
    ]});
    let set = HostSet::new(&from(cluster), &from(hosts), None, 1, 0).unwrap();
    let set = Arc::new(set);
    set.checked(&set.members()[0].host, false, 0);
    set.checked(&set.members()[1].host, false, 0);
    let mut picker = Picker::new(set, 1);
    assert!(picker.pick(None, 0).is_some());
    let before = ALLOCATIONS.get();
    for hash in 0..1000 {
        assert!(picker.pick((hash % 2 == 0).then_some(hash), hash).is_some());
        assert!(picker.pick_again(None, hash, 3, |_| true).is_some());
    }
    ALLOCATIONS.get() - before
}

fn from<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

#[test]
fn picks_allocate_nothing() {
    let before = ALLOCATIONS.get();
    drop(Box::new(before));
    assert!(ALLOCATIONS.get() > before, "the test counts");
    let zone = json!({"zone_aware": {"place": ["", "A", ""], "min_cluster_size": 1, "peers": [
        {"place": ["", "A", ""], "all": 9, "healthy": 9}, {"place": ["", "B", ""], "all": 1, "healthy": 1},
    ]}});
    for balance in [
        json!("round_robin"),
        json!("random"),
        json!({"least_request": {"choices": 2, "active_request_bias": 1.5}}),
        json!({"ring_hash": {"min_size": 1024, "max_size": 4096, "murmur": false}}),
        json!({"maglev": {"table_size": 251}}),
    ] {
        for localities in [json!("ignored"), json!("weighted"), zone.clone()] {
            for weights in [[1, 1, 1], [1, 2, 3]] {
                let slow = json!({"window": 100_000, "aggression": 2.0, "min_weight_percent": 10.0});
                let cluster = json!({"balance": balance, "localities": localities});
                assert_eq!(picks_of(cluster, weights), 0, "{balance} {localities}");
                let cluster = json!({"balance": balance, "localities": localities, "slow_start": slow});
                assert_eq!(picks_of(cluster, weights), 0, "{balance} {localities}, slowly");
            }
        }
    }
}
