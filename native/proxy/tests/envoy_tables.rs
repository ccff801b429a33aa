//! Rings and Maglev tables are those of a real Envoy (1.40.0), which `envoy_tables.py` had made and wrote down.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use metaprotocol_proxy::balance::{HostSet, Picker};
use metaprotocol_proxy::config::{Cluster, Hosts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    cluster: Cluster,
    hosts: Hosts,
    table: Table,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Table {
    /// The address of each slot.
    Maglev(Vec<String>),
    /// Each point, and what its host is hashed by.
    Ring(Vec<(u64, String)>),
}

#[test]
fn tables_are_those_of_a_real_envoy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("envoy_tables.json")).unwrap();
    let (mut slots, mut points) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        let set = Arc::new(HostSet::new(&case.cluster, &case.hosts, None, 1, 0).unwrap());
        let mut picker = Picker::new(set.clone(), 1);
        let mut address = |hash: u64| picker.pick(Some(hash), 0).unwrap().address;
        match &case.table {
            Table::Maglev(table) => {
                for (hash, expected) in (0..).zip(table) {
                    assert_eq!(address(hash).to_string(), *expected, "case {number}, slot {hash}");
                    slots += 1;
                }
            }
            Table::Ring(table) => {
                for (index, (point, expected)) in table.iter().enumerate() {
                    // Up to its point a host has the ring from behind the point before.
                    let begins = index.checked_sub(1).map_or(0, |before| table[before].0 + 1);
                    for hash in [begins, *point] {
                        let key = &set.member(address(hash)).unwrap().hash_key;
                        assert_eq!(key, expected, "case {number}, hash {hash}");
                    }
                    points += 1;
                }
                let key = &set.member(address(u64::MAX)).unwrap().hash_key;
                assert_eq!(*key, table[0].1, "case {number}, behind the last point");
            }
        }
    }
    assert!(slots > 1000 && points > 1000, "{slots} slots and {points} points were compared");
}
