//! Which host of a cluster a message goes to.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metaprotocol_proxy::balance::{Counts, Host, HostSet, Member, Outcome, Picker, Usable};
use metaprotocol_proxy::config::{Cluster, Hosts};
use serde_json::{Value, json};

fn cluster(json: Value) -> Cluster {
    serde_json::from_value(json).unwrap()
}

fn hosts(json: Value) -> Hosts {
    serde_json::from_value(json).unwrap()
}

/// Priorities that each have one locality, of hosts at ports of 127.0.0.1, each with what else there is to say.
fn at(priorities: &[&[(u16, Value)]]) -> Value {
    let host = |(port, more): &(u16, Value)| {
        let mut host = json!({"address": format!("127.0.0.1:{port}")});
        host.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        host
    };
    let priority = |hosts: &&[(u16, Value)]| json!([{"hosts": hosts.iter().map(host).collect::<Vec<_>>()}]);
    json!({"priorities": priorities.iter().map(priority).collect::<Vec<_>>()})
}

/// One priority with so many hosts from port 1 on.
fn ports(count: u16) -> Value {
    at(&[&(1..=count).map(|port| (port, json!({}))).collect::<Vec<_>>()])
}

fn weights(weights: &[u32]) -> Value {
    at(&[&(1..).zip(weights).map(|(port, weight)| (port, json!({"weight": weight}))).collect::<Vec<_>>()])
}

fn healths(priorities: &[&str]) -> Value {
    let mut port = 0;
    let mut host = |health| {
        port += 1;
        let health = match health {
            'h' => "healthy",
            'd' => "degraded",
            'u' => "unhealthy",
            _ => "draining",
        };
        (port, json!({"health": health}))
    };
    let priorities: Vec<Vec<_>> = priorities.iter().map(|hosts| hosts.chars().map(&mut host).collect()).collect();
    at(&priorities.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Zones by name, each with its weight and its hosts' healths, in one priority.
fn zones(zones: &[(&str, u32, &str)]) -> Value {
    let mut port = 0;
    let mut host = |health| {
        port += 1;
        json!({"address": format!("127.0.0.1:{port}"), "health": if health == 'h' { "healthy" } else { "unhealthy" }})
    };
    let mut locality = |&(zone, weight, hosts): &(&str, u32, &str)| json!({"place": ["", zone, ""], "weight": weight, "hosts": hosts.chars().map(&mut host).collect::<Vec<_>>()});
    json!({"priorities": [zones.iter().map(&mut locality).collect::<Vec<_>>()]})
}

fn set(cluster_json: Value, hosts_json: Value) -> Arc<HostSet> {
    Arc::new(HostSet::new(&cluster(cluster_json), &hosts(hosts_json), None, 1, 0).unwrap())
}

fn picker(cluster: Value, hosts: Value) -> Picker {
    Picker::new(set(cluster, hosts), 7)
}

fn port(picker: &mut Picker, hash: Option<u64>, now: u64) -> Option<u16> {
    picker.pick(hash, now).map(|host| host.address.port())
}

/// How often each port is picked.
fn counts(picker: &mut Picker, picks: u32) -> HashMap<u16, u32> {
    counts_at(picker, picks, 0)
}

fn counts_at(picker: &mut Picker, picks: u32, now: u64) -> HashMap<u16, u32> {
    let mut counts = HashMap::new();
    for _ in 0..picks {
        *counts.entry(port(picker, None, now).unwrap()).or_insert(0) += 1;
    }
    counts
}

/// The counts of ports are near these, and no other port was picked.
#[track_caller]
fn near(counts: &HashMap<u16, u32>, expected: &[(u16, u32)], bound: u32) {
    let total: u32 = expected.iter().map(|port| port.1).sum();
    assert_eq!(counts.values().sum::<u32>(), total, "{counts:?}");
    for (port, count) in expected {
        assert!(counts.get(port).copied().unwrap_or(0).abs_diff(*count) <= bound, "{counts:?}, not {expected:?}");
    }
}

fn host(set: &HostSet, port: u16) -> &Arc<Host> {
    &set.member(format!("127.0.0.1:{port}").parse().unwrap()).unwrap().host
}

fn round_robin() -> Value {
    json!({"balance": "round_robin"})
}

fn least_request(bias: f64) -> Value {
    json!({"balance": {"least_request": {"choices": 2, "active_request_bias": bias}}})
}

fn random() -> Value {
    json!({"balance": "random"})
}

fn ring_hash() -> Value {
    json!({"balance": {"ring_hash": {"min_size": 1024, "max_size": 8_388_608, "murmur": false}}})
}

fn maglev() -> Value {
    json!({"balance": {"maglev": {"table_size": 65537}}})
}

fn with(mut cluster: Value, key: &str, value: Value) -> Value {
    cluster[key] = value;
    cluster
}

mod policies {
    use super::*;

    #[test]
    fn round_robin_takes_one_after_another() {
        let mut picker = picker(round_robin(), ports(5));
        let first: Vec<_> = (0..5).map(|_| port(&mut picker, None, 0)).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4, 5].map(Some));
        for expected in first.iter().cycle().take(50) {
            assert_eq!(port(&mut picker, None, 0), *expected);
        }
    }

    #[test]
    fn workers_begin_at_different_hosts() {
        let set = set(round_robin(), ports(10));
        let first: std::collections::BTreeSet<_> =
            (0..40).map(|seed| port(&mut Picker::new(set.clone(), seed), None, 0)).collect();
        assert!(first.len() > 5, "{first:?}");
    }

    #[test]
    fn round_robin_heeds_weights() {
        near(&counts(&mut picker(round_robin(), weights(&[1, 2, 7])), 1000), &[(1, 100), (2, 200), (3, 700)], 1);
    }

    #[test]
    fn random_takes_any_whatever_its_weight() {
        let counts = counts(&mut picker(random(), weights(&[1, 2, 7])), 9000);
        near(&counts, &[(1, 3000), (2, 3000), (3, 3000)], 200);
    }

    #[test]
    fn least_request_takes_the_better_of_two() {
        let mut picker = picker(least_request(1.0), ports(2));
        host(picker.set(), 1).of_worker(0).active.add(5);
        host(picker.set(), 2).of_worker(0).active.add(4);
        // The worse one only if it is drawn twice.
        near(&counts(&mut picker, 4000), &[(1, 1000), (2, 3000)], 150);
    }

    #[test]
    fn least_request_counts_those_of_all_workers() {
        let set = HostSet::new(&cluster(least_request(1.0)), &hosts(ports(2)), None, 2, 0).unwrap();
        let mut picker = Picker::new(Arc::new(set), 7);
        host(picker.set(), 1).of_worker(0).active.add(4);
        host(picker.set(), 2).of_worker(0).active.add(2);
        host(picker.set(), 2).of_worker(1).active.add(3);
        near(&counts(&mut picker, 4000), &[(1, 3000), (2, 1000)], 150);
        host(picker.set(), 1).of_worker(1).active.add(2);
        near(&counts(&mut picker, 4000), &[(1, 1000), (2, 3000)], 150);
    }

    #[test]
    fn least_request_with_weights_counts_requests_against_them() {
        let mut by_requests = picker(least_request(1.0), weights(&[3, 6]));
        host(by_requests.set(), 2).of_worker(0).active.add(5);
        near(&counts(&mut by_requests, 400), &[(1, 300), (2, 100)], 2);
        let mut squared = picker(least_request(2.0), weights(&[1, 4]));
        host(squared.set(), 2).of_worker(0).active.add(1);
        near(&counts(&mut squared, 400), &[(1, 200), (2, 200)], 2);
        let mut by_weight_only = picker(least_request(0.0), weights(&[1, 3]));
        host(by_weight_only.set(), 2).of_worker(0).active.add(100);
        near(&counts(&mut by_weight_only, 400), &[(1, 100), (2, 300)], 2);
    }

    #[test]
    fn the_most_loaded_host_has_its_turn_some_day() {
        let mut picker = picker(least_request(300.0), weights(&[1, 2]));
        host(picker.set(), 1).of_worker(0).active.add(1_000_000);
        near(&counts(&mut picker, 100), &[(1, 0), (2, 100)], 1);
        host(picker.set(), 1).of_worker(0).active.sub(1_000_000);
        assert!(port(&mut picker, None, 0).is_some());
    }

    #[test]
    fn without_hosts_there_is_none() {
        for cluster in [round_robin(), least_request(1.0), random(), ring_hash(), maglev()] {
            assert_eq!(port(&mut picker(cluster.clone(), json!({"priorities": []})), Some(1), 0), None);
            assert_eq!(port(&mut picker(cluster.clone(), json!({"priorities": [[]]})), Some(1), 0), None);
            assert_eq!(port(&mut picker(cluster, json!({"priorities": [[{"hosts": []}], []]})), None, 0), None);
        }
    }

    #[test]
    fn hashes_stick_to_their_hosts() {
        for cluster in [ring_hash(), maglev()] {
            let set = set(cluster, ports(10));
            let (mut one, mut other) = (Picker::new(set.clone(), 1), Picker::new(set, 2));
            for hash in (0..1000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                assert_eq!(port(&mut one, Some(hash), 0), port(&mut other, Some(hash), 5));
            }
        }
    }

    #[test]
    fn without_a_hash_messages_go_to_any() {
        for cluster in [ring_hash(), maglev()] {
            let counts = counts(&mut picker(cluster, ports(4)), 4000);
            assert!(counts.len() == 4 && counts.values().all(|&count| count > 500), "{counts:?}");
        }
    }

    #[test]
    fn hosts_that_fail_leave_their_hashes_to_others_and_get_them_back() {
        let hashes: Vec<u64> = (0..2000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        for cluster in [ring_hash(), maglev()] {
            let mut picker = picker(cluster, ports(10));
            let set = picker.set().clone();
            let mut all = || hashes.iter().map(|&hash| port(&mut picker, Some(hash), 0).unwrap()).collect::<Vec<_>>();
            let before = all();
            set.checked(host(&set, 3), false, 0);
            let without = all();
            assert!(!without.contains(&3));
            let moved = before.iter().zip(&without).filter(|(one, other)| **one != 3 && one != other).count();
            assert!(moved < 200, "{moved} of others moved");
            set.checked(host(&set, 3), true, 0);
            assert_eq!(all(), before);
        }
    }

    /// Envoy's maglev_lb_test.cc, test Basic, and ring_hash_lb_test.cc, test Basic, through all of it.
    #[test]
    fn tables_are_those_of_envoy() {
        let six: Vec<_> = (90..96).map(|port| (port, json!({}))).collect();
        let mut table = picker(json!({"balance": {"maglev": {"table_size": 7}}}), at(&[&six]));
        let slots: Vec<_> = (0..7).map(|hash| port(&mut table, Some(hash), 0).unwrap()).collect();
        assert_eq!(slots, [92, 94, 90, 91, 95, 90, 93]);
        let small = json!({"balance": {"ring_hash": {"min_size": 12, "max_size": 8_388_608, "murmur": false}}});
        let mut ring = picker(small, at(&[&six]));
        for (hash, expected) in [(0, 94), (3_551_244_743_356_806_947, 95), (3_551_244_743_356_806_948, 93)] {
            assert_eq!(port(&mut ring, Some(hash), 0), Some(expected));
        }
    }

    #[test]
    fn hash_keys_stand_for_addresses() {
        let keyed: Vec<_> = (90..96).map(|port| (port, json!({"hash_key": port.to_string()}))).collect();
        let mut table = picker(json!({"balance": {"maglev": {"table_size": 7}}}), at(&[&keyed]));
        let slots: Vec<_> = (0..7).map(|hash| port(&mut table, Some(hash), 0).unwrap()).collect();
        assert_eq!(slots, [92, 95, 90, 93, 94, 91, 90]);
    }

    #[test]
    fn a_host_that_is_unwanted_is_picked_again() {
        let mut rounds = picker(round_robin(), ports(2));
        for _ in 0..10 {
            let chosen = rounds.pick_again(None, 0, 2, |host| host.address.port() == 1).unwrap();
            assert_eq!(chosen.address.port(), 2);
        }
        // Envoy's maglev_lb_test.cc, test BasicWithRetryHostPredicate.
        let six: Vec<_> = (90..96).map(|port| (port, json!({}))).collect();
        let mut table = picker(json!({"balance": {"maglev": {"table_size": 7}}}), at(&[&six]));
        let mut pick = |attempts, unwanted: fn(&Host) -> bool| {
            table.pick_again(Some(10), 0, attempts, unwanted).map(|host| host.address.port())
        };
        assert_eq!(pick(3, |_| false), Some(91));
        assert_eq!(pick(3, |host| host.address.port() == 91), Some(90));
        assert_eq!(pick(3, |_| true), Some(95));
        assert_eq!(pick(0, |_| true), Some(91));
    }
}

mod priorities {
    use super::*;

    #[test]
    fn traffic_fails_over_as_health_falls() {
        near(&counts(&mut picker(round_robin(), healths(&["hh", "hh"])), 100), &[(1, 50), (2, 50)], 0);
        let counts = counts(&mut picker(round_robin(), healths(&["hu", "hh"])), 10_000);
        near(&counts, &[(1, 7000), (3, 1500), (4, 1500)], 300);
        near(&super::counts(&mut picker(round_robin(), healths(&["uu", "h"])), 100), &[(3, 100)], 0);
    }

    #[test]
    fn hosts_count_by_weight_in_the_health_if_asked() {
        let mut weighted =
            at(&[&[(1, json!({"weight": 6})), (2, json!({"weight": 4, "health": "unhealthy"}))], &[(3, json!({}))]]);
        weighted["overprovisioning"] = json!(100);
        near(&counts(&mut picker(round_robin(), weighted.clone()), 10_000), &[(1, 5000), (3, 5000)], 300);
        weighted["weighted_health"] = json!(true);
        near(&counts(&mut picker(round_robin(), weighted), 10_000), &[(1, 6000), (3, 4000)], 300);
    }

    #[test]
    fn degraded_hosts_are_used_where_healthy_ones_are_too_few() {
        near(&counts(&mut picker(round_robin(), healths(&["hhhd"])), 300), &[(1, 100), (2, 100), (3, 100)], 0);
        let counts = counts(&mut picker(round_robin(), healths(&["hdd"])), 10_000);
        near(&counts, &[(1, 4600), (2, 2700), (3, 2700)], 300);
        near(&super::counts(&mut picker(round_robin(), healths(&["du"])), 10), &[(1, 10)], 0);
    }

    #[test]
    fn tables_use_degraded_hosts_where_there_are_no_others() {
        for cluster in [ring_hash(), maglev()] {
            assert_eq!(counts(&mut picker(cluster.clone(), healths(&["hd"])), 500), HashMap::from([(1, 500)]));
            assert_eq!(counts(&mut picker(cluster, healths(&["uddd"])), 500).len(), 3);
        }
    }

    #[test]
    fn hashes_choose_priorities_too() {
        let mut picker = picker(ring_hash(), healths(&["hu", "h"]));
        // Envoy's ring_hash_lb_test.cc, test BasicFailover.
        assert_eq!(port(&mut picker, Some(69), 0), Some(1));
        assert_eq!(port(&mut picker, Some(71), 0), Some(3));
    }

    #[test]
    fn draining_hosts_get_nothing() {
        near(&counts(&mut picker(round_robin(), healths(&["hxh"])), 100), &[(1, 50), (3, 50)], 0);
    }

    #[test]
    fn in_panic_all_hosts_are_used() {
        for cluster in [round_robin(), least_request(1.0), random(), ring_hash(), maglev()] {
            let mut picker = picker(cluster, healths(&["huuu"]));
            assert_eq!(counts(&mut picker, 1000).len(), 4);
            assert_eq!(picker.counts().healthy_panic, 1000);
        }
    }

    #[test]
    fn without_panic_there_may_be_no_host() {
        for cluster in [round_robin(), least_request(1.0), random(), ring_hash(), maglev()] {
            let calm = with(cluster, "panic_threshold", json!(0.0));
            assert_eq!(port(&mut picker(calm.clone(), healths(&["uux", "u"])), None, 0), None);
            let mut one = picker(calm, healths(&["huuu"]));
            assert_eq!((counts(&mut one, 10), one.counts().healthy_panic), (HashMap::from([(1, 10)]), 0));
        }
    }

    #[test]
    fn in_panic_traffic_can_fail_instead() {
        let zone = json!({"zone_aware": {"place": ["", "A", ""], "peers": [], "fail_on_panic": true}});
        let cluster = with(round_robin(), "localities", zone);
        assert_eq!(port(&mut picker(cluster.clone(), healths(&["huuu"])), None, 0), None);
        assert!(port(&mut picker(cluster, healths(&["huh"])), None, 0).is_some());
    }
}

mod localities {
    use super::*;

    fn weighted() -> Value {
        with(round_robin(), "localities", json!("weighted"))
    }

    #[test]
    fn localities_share_by_their_weights() {
        let mut picker = picker(weighted(), zones(&[("A", 1, "h"), ("B", 3, "hh"), ("C", 0, "h")]));
        near(&counts(&mut picker, 800), &[(1, 200), (2, 300), (3, 300)], 2);
    }

    #[test]
    fn a_locality_gets_less_the_fewer_of_its_hosts_are_there() {
        // Two thirds of 140 % are still enough for all of its weight, a third is not.
        let mut two_thirds = picker(weighted(), zones(&[("A", 1, "hhhu"), ("B", 1, "hhh")]));
        near(&counts(&mut two_thirds, 600), &[(1, 100), (2, 100), (3, 100), (5, 100), (6, 100), (7, 100)], 2);
        let mut half = picker(weighted(), zones(&[("A", 1, "hu"), ("B", 1, "h")]));
        near(&counts(&mut half, 1700), &[(1, 700), (3, 1000)], 2);
    }

    #[test]
    fn without_any_weight_localities_are_not_told_apart_except_in_tables() {
        let none = zones(&[("A", 0, "h"), ("B", 0, "h")]);
        near(&counts(&mut picker(weighted(), none.clone()), 100), &[(1, 50), (2, 50)], 0);
        let table = with(maglev(), "localities", json!("weighted"));
        assert_eq!(port(&mut picker(table, none), Some(7), 0), None);
    }

    #[test]
    fn a_locality_named_twice_is_one() {
        let mut picker = picker(weighted(), zones(&[("A", 9, "h"), ("B", 1, "hh"), ("A", 1, "h")]));
        near(&counts(&mut picker, 400), &[(1, 100), (2, 100), (3, 100), (4, 100)], 2);
    }

    #[test]
    fn tables_share_by_localities_weights() {
        let cluster = json!({"balance": {"maglev": {"table_size": 17}}, "localities": "weighted"});
        let hosts = json!({"priorities": [[
            {"place": ["", "A", ""], "hosts": [{"address": "127.0.0.1:90"}]},
            {"place": ["", "B", ""], "hosts": [{"address": "127.0.0.1:91", "weight": 2}]},
        ]]});
        let mut picker = picker(cluster, hosts);
        // Envoy's maglev_lb_test.cc, test LocalityWeightedSameLocalityWeights.
        let slots: Vec<_> = (0..17).map(|hash| port(&mut picker, Some(hash), 0).unwrap() - 90).collect();
        assert_eq!(slots, [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
    }

    fn zone_aware(peers: &[(&str, u64, u64)], routing_enabled: u32) -> Value {
        let peers: Vec<_> = peers
            .iter()
            .map(|(zone, all, healthy)| json!({"place": ["", zone, ""], "all": all, "healthy": healthy}))
            .collect();
        let zone = json!({"zone_aware": {
            "place": ["", "A", ""], "peers": peers, "min_cluster_size": 2, "routing_enabled": routing_enabled
        }});
        with(round_robin(), "localities", zone)
    }

    #[test]
    fn traffic_stays_in_the_zone_that_can_bear_it() {
        let mut picker = picker(
            zone_aware(&[("A", 1, 1), ("B", 1, 1)], 100),
            zones(&[("B", 1, "h"), ("A", 1, "hh"), ("C", 1, "h")]),
        );
        near(&counts(&mut picker, 100), &[(2, 50), (3, 50)], 0);
        assert_eq!(picker.counts(), Counts { zone_routing_all_directly: 100, ..Counts::default() });
    }

    /// The zones of Envoy's round_robin_lb_test.cc, test ZoneAwareResidualsMismatched.
    #[test]
    fn what_the_zone_cannot_bear_goes_to_others() {
        let peers = [("A", 2, 2), ("B", 2, 2), ("C", 1, 1), ("D", 1, 1)];
        let hosts = zones(&[("A", 1, "h"), ("C", 1, "hhh"), ("D", 1, "hhh"), ("E", 1, "h")]);
        let mut picker = picker(zone_aware(&peers, 100), hosts);
        let counts = counts(&mut picker, 30_000);
        let other = 30_000.0 * 0.625 / 5418.0;
        let third = (2084.0 * other / 3.0) as u32;
        assert!(counts[&1].abs_diff(11_250) < 400, "{counts:?}");
        assert!((2..8).all(|port| counts[&port].abs_diff(third) < 300), "{counts:?}");
        assert!(counts[&8].abs_diff((1250.0 * other) as u32) < 300, "{counts:?}");
        let sampled = picker.counts();
        assert_eq!(sampled.zone_routing_sampled + sampled.zone_routing_cross_zone, 30_000);
        assert_eq!(sampled.zone_routing_sampled, u64::from(counts[&1]));
    }

    #[test]
    fn zones_are_not_told_apart_without_reason() {
        let hosts = zones(&[("A", 1, "h"), ("B", 1, "h")]);
        for (why, cluster) in [
            ("no proxies are known", zone_aware(&[], 100)),
            ("it is switched off", zone_aware(&[("A", 1, 1), ("B", 1, 1)], 0)),
            ("proxies panic", zone_aware(&[("A", 1, 0), ("B", 2, 1)], 100)),
        ] {
            near(&counts(&mut picker(cluster, hosts.clone()), 100), &[(1, 50), (2, 50)], 0);
            println!("{why}");
        }
        let half = zone_aware(&[("A", 1, 1), ("B", 1, 1)], 50);
        near(&counts(&mut picker(half, hosts.clone()), 10_000), &[(1, 7500), (2, 2500)], 300);
    }
}

mod health {
    use super::*;

    fn failing(more: Value) -> Value {
        let mut outliers = json!({
            "consecutive_failures": 3, "interval": 1000, "base_ejection_time": 5000, "max_ejection_time": 12_000,
            "max_ejection_percent": 50
        });
        outliers.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(round_robin(), "outliers", outliers)
    }

    fn fail(set: &HostSet, port: u16, outcome: Outcome, times: u32, now: u64) {
        for _ in 0..times {
            set.report(host(set, port), outcome, now);
        }
    }

    fn read(counter: &std::sync::atomic::AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    #[test]
    fn a_host_that_fails_in_a_row_is_left_out_for_a_while() {
        let mut picker = picker(failing(json!({})), ports(4));
        let set = picker.set().clone();
        assert_eq!(counts(&mut picker, 40).len(), 4);
        fail(&set, 2, Outcome::Failure, 2, 10);
        set.report(host(&set, 2), Outcome::Success, 10);
        fail(&set, 2, Outcome::Failure, 2, 10);
        assert_eq!(counts(&mut picker, 40).len(), 4, "not in a row");
        set.report(host(&set, 2), Outcome::Connected, 10);
        fail(&set, 2, Outcome::Timeout, 1, 10);
        assert!(host(&set, 2).ejected());
        assert_eq!(set.ejected(), 1);
        near(&counts(&mut picker, 30), &[(1, 10), (3, 10), (4, 10)], 0);
        set.sweep(5000);
        assert!(host(&set, 2).ejected(), "its time is not over");
        set.sweep(5999);
        assert!(host(&set, 2).ejected(), "it is not looked so often");
        set.sweep(6000);
        assert!(!host(&set, 2).ejected());
        assert_eq!(counts(&mut picker, 40).len(), 4);
        let ejections = set.ejections();
        assert_eq!(read(&ejections.enforced_total), 1);
        assert_eq!(read(&ejections.detected_consecutive_5xx), 1);
        assert_eq!(read(&ejections.enforced_consecutive_5xx), 1);
    }

    #[test]
    fn it_is_left_out_the_longer_the_more_often_until_it_is_good_again() {
        let set = set(failing(json!({})), ports(4));
        let mut now = 0;
        let mut time = || {
            fail(&set, 1, Outcome::Failure, 3, now);
            let began = now;
            while host(&set, 1).ejected() {
                now += 500;
                set.sweep(now);
            }
            now - began
        };
        assert_eq!([time(), time(), time(), time()], [5000, 10_000, 12_000, 12_000]);
        // Four intervals without ejection take away what four times added; sweeps began with its return.
        for _ in 0..4 {
            now += 1000;
            set.sweep(now);
        }
        fail(&set, 1, Outcome::Failure, 3, now);
        set.sweep(now + 4999);
        assert!(host(&set, 1).ejected());
        set.sweep(now + 5999);
        assert!(!host(&set, 1).ejected());
    }

    #[test]
    fn no_more_are_left_out_than_the_bound() {
        let set = set(failing(json!({})), ports(4));
        for port in 1..=4 {
            fail(&set, port, Outcome::Failure, 3, 0);
        }
        assert_eq!(set.ejected(), 2);
        assert_eq!(read(&set.ejections().overflow), 2);
        assert_eq!(read(&set.ejections().detected_consecutive_5xx), 4);
        // It is counted from anew, and left out when another is back.
        fail(&set, 3, Outcome::Failure, 2, 0);
        set.sweep(5000);
        assert_eq!(set.ejected(), 0);
        fail(&set, 3, Outcome::Failure, 1, 5000);
        assert!(host(&set, 3).ejected());
    }

    #[test]
    fn one_may_be_left_out_whatever_the_bound() {
        let none = set(failing(json!({"max_ejection_percent": 10})), ports(2));
        fail(&none, 1, Outcome::Failure, 3, 0);
        assert_eq!(none.ejected(), 0);
        let one = set(failing(json!({"max_ejection_percent": 10, "always_one": true})), ports(2));
        fail(&one, 1, Outcome::Failure, 3, 0);
        fail(&one, 2, Outcome::Failure, 3, 0);
        assert_eq!(one.ejected(), 1);
    }

    #[test]
    fn failures_to_connect_count_by_themselves_if_asked() {
        let set = set(failing(json!({"consecutive_local_failures": 2})), ports(4));
        fail(&set, 1, Outcome::Failure, 2, 0);
        fail(&set, 1, Outcome::ConnectFailed, 1, 0);
        assert!(!host(&set, 1).ejected());
        set.report(host(&set, 1), Outcome::Connected, 0);
        fail(&set, 1, Outcome::Timeout, 1, 0);
        assert!(!host(&set, 1).ejected());
        fail(&set, 1, Outcome::ConnectFailed, 1, 0);
        assert!(host(&set, 1).ejected());
        let ejections = set.ejections();
        assert_eq!(read(&ejections.detected_consecutive_local_origin_failure), 1);
        assert_eq!(read(&ejections.enforced_consecutive_local_origin_failure), 1);
        assert_eq!(read(&ejections.detected_consecutive_5xx), 0);
    }

    #[test]
    fn without_outlier_detection_failures_are_not_heeded() {
        let set = set(round_robin(), ports(2));
        fail(&set, 1, Outcome::Failure, 100, 0);
        set.sweep(1_000_000);
        assert_eq!(set.ejected(), 0);
        let never = super::set(failing(json!({"consecutive_failures": 0})), ports(2));
        fail(&never, 1, Outcome::Failure, 100, 0);
        assert_eq!(never.ejected(), 0);
    }

    #[test]
    fn a_failed_check_takes_a_host_out_and_a_good_one_brings_it_back() {
        let mut picker = picker(failing(json!({})), ports(3));
        let set = picker.set().clone();
        set.checked(host(&set, 1), false, 0);
        assert!(host(&set, 1).check_failed());
        near(&counts(&mut picker, 20), &[(2, 10), (3, 10)], 0);
        let generation = set.generation();
        set.checked(host(&set, 1), false, 1);
        set.checked(host(&set, 2), true, 1);
        assert_eq!(set.generation(), generation, "nothing changed");
        set.checked(host(&set, 1), true, 2);
        assert_eq!(counts(&mut picker, 30).len(), 3);
        fail(&set, 1, Outcome::Failure, 3, 2);
        assert!(host(&set, 1).ejected());
        set.checked(host(&set, 1), true, 3);
        assert!(!host(&set, 1).ejected(), "a good check takes it back at once");
    }

    #[test]
    fn what_is_known_of_a_host_stays_with_its_address() {
        let first = set(failing(json!({})), ports(4));
        host(&first, 1).of_worker(0).active.add(3);
        fail(&first, 2, Outcome::Failure, 3, 0);
        let next = at(&[&[(2, json!({})), (1, json!({"weight": 5, "health": "degraded"})), (9, json!({}))]]);
        let cluster = cluster(failing(json!({})));
        let second = Arc::new(HostSet::new(&cluster, &hosts(next), Some(&first), 1, 700).unwrap());
        assert!(Arc::ptr_eq(host(&first, 1), host(&second, 1)));
        assert_eq!((host(&second, 1).added_at, host(&second, 9).added_at), (0, 700));
        assert_eq!(first.member(host(&first, 1).address).unwrap().usable(), Usable::Yes, "the old set is as it was");
        let usable: Vec<_> = second.members().iter().map(Member::usable).collect();
        assert_eq!(usable, [Usable::No, Usable::Degraded, Usable::Yes]);
        // What is reported to the one is heeded by the other, whichever a worker still has.
        let (mut old, mut new) = (Picker::new(first.clone(), 1), Picker::new(second.clone(), 1));
        counts(&mut old, 1);
        counts(&mut new, 1);
        second.checked(host(&second, 1), false, 800);
        assert!(!counts(&mut old, 100).contains_key(&1));
        first.sweep(5000);
        assert!(counts_at(&mut new, 100, 5000).contains_key(&2));
    }

    #[test]
    fn a_host_that_is_gone_is_not_left_out() {
        let first = set(failing(json!({})), ports(4));
        let gone = host(&first, 4).clone();
        let second = HostSet::new(&cluster(failing(json!({}))), &hosts(ports(3)), Some(&first), 1, 0).unwrap();
        for _ in 0..3 {
            second.report(&gone, Outcome::Failure, 0);
        }
        assert!(!gone.ejected());
    }

    #[test]
    fn a_picker_goes_on_with_another_set() {
        let mut picker = picker(round_robin(), healths(&["u"]));
        counts(&mut picker, 10);
        picker.replace(set(round_robin(), ports(3)));
        near(&counts(&mut picker, 30), &[(1, 10), (2, 10), (3, 10)], 0);
        assert_eq!(picker.counts().healthy_panic, 10);
    }

    #[test]
    fn workers_pick_while_hosts_come_and_go() {
        let set = set(with(maglev(), "panic_threshold", json!(0.0)), ports(4));
        std::thread::scope(|scope| {
            for seed in 0..2 {
                let mut picker = Picker::new(set.clone(), seed);
                scope.spawn(move || (0..200_000).for_each(|hash| assert!(picker.pick(Some(hash), 0).is_some())));
            }
            for round in 0..100_u16 {
                set.checked(host(&set, 1 + round % 3), round / 3 % 2 == 1, 0);
            }
        });
        let mut picker = Picker::new(set.clone(), 1);
        for member in set.members() {
            set.checked(&member.host, member.host.address.port() == 2, 0);
        }
        assert_eq!(counts(&mut picker, 10), HashMap::from([(2, 10)]));
    }
}

mod slow_start {
    use super::*;

    fn slowly(cluster: Value, aggression: f64, min_weight_percent: f64) -> Value {
        let slow = json!({"window": 10_000, "aggression": aggression, "min_weight_percent": min_weight_percent});
        with(cluster, "slow_start", slow)
    }

    /// Port 1 is there since 0, port 2 since 100,000.
    fn grown(cluster_json: Value, hosts_json: Value) -> Picker {
        let first = set(cluster_json.clone(), ports(1));
        let set = HostSet::new(&cluster(cluster_json), &hosts(hosts_json), Some(&first), 1, 100_000).unwrap();
        Picker::new(Arc::new(set), 3)
    }

    #[test]
    fn the_weight_of_a_new_host_grows() {
        for (aggression, after, share) in [
            (1.0, 0, 0.1),
            (1.0, 500, 0.1),
            (1.0, 2500, 0.25),
            (1.0, 5000, 0.5),
            (1.0, 10_000, 1.0),
            (2.0, 2500, 0.5),
            (0.5, 5000, 0.25),
        ] {
            for cluster in [round_robin(), least_request(1.0)] {
                let mut picker = grown(slowly(cluster.clone(), aggression, 10.0), ports(2));
                let counts = counts_at(&mut picker, 10_000, 100_000 + after);
                let expected = (10_000.0 * share / (1.0 + share)) as u32;
                // Without slow start least request takes two at random.
                let bound = if after == 10_000 { 200 } else { 2 };
                assert!(counts[&2].abs_diff(expected) <= bound, "{aggression}, {after}: {counts:?}, not {expected}");
            }
        }
    }

    #[test]
    fn when_it_is_over_hosts_take_turns_again() {
        let mut picker = grown(slowly(round_robin(), 1.0, 10.0), ports(2));
        counts_at(&mut picker, 100, 100_000);
        near(&counts_at(&mut picker, 100, 110_000), &[(1, 50), (2, 50)], 0);
    }

    #[test]
    fn tables_and_random_picks_have_no_slow_start() {
        near(&counts_at(&mut grown(slowly(random(), 1.0, 10.0), ports(2)), 1000, 100_000), &[(1, 500), (2, 500)], 80);
        let share = counts_at(&mut grown(slowly(maglev(), 1.0, 10.0), ports(2)), 1000, 100_000)[&2];
        assert!(share > 400, "{share}");
    }

    #[test]
    fn a_host_is_led_in_again_when_it_passes_its_check() {
        let mut picker = picker(slowly(round_robin(), 1.0, 10.0), ports(2));
        let set = picker.set().clone();
        near(&counts_at(&mut picker, 100, 50_000), &[(1, 50), (2, 50)], 0);
        set.checked(host(&set, 2), false, 50_000);
        set.checked(host(&set, 2), true, 60_000);
        near(&counts_at(&mut picker, 1100, 60_001), &[(1, 1000), (2, 100)], 2);
    }

    #[test]
    fn the_least_start_is_borne() {
        let mut picker = grown(slowly(round_robin(), 0.001, 0.0), ports(2));
        near(&counts_at(&mut picker, 100, 100_000), &[(1, 100), (2, 0)], 1);
        near(&counts_at(&mut picker, 100, 110_000), &[(1, 50), (2, 50)], 0);
    }
}

mod configuration {
    use super::*;

    fn error(cluster_json: Value, hosts_json: Value) -> String {
        HostSet::new(&cluster(cluster_json), &hosts(hosts_json), None, 1, 0).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_said_with_its_path() {
        let slow = |value| with(round_robin(), "slow_start", value);
        let outliers = |base, max, interval| {
            let outliers = json!({"consecutive_failures": 5, "interval": interval, "base_ejection_time": base,
                "max_ejection_time": max, "max_ejection_percent": 10});
            with(round_robin(), "outliers", outliers)
        };
        let ring = |min, max| json!({"balance": {"ring_hash": {"min_size": min, "max_size": max, "murmur": false}}});
        let wrong = [
            (json!({"balance": {"maglev": {"table_size": 8}}}), "balance.maglev.table_size: 8 is not a prime"),
            (json!({"balance": {"maglev": {"table_size": 5_000_077}}}), "balance.maglev.table_size: 5000077 is not"),
            (ring(20, 10), "balance.ring_hash: sizes from 20 to 10"),
            (ring(0, 10), "balance.ring_hash: sizes from 0"),
            (ring(1, 8_388_609), "balance.ring_hash: sizes from 1 to 8388609"),
            (
                json!({"balance": {"least_request": {"choices": 1, "active_request_bias": 1.0}}}),
                "balance.least_request.choices: 1 is not a choice",
            ),
            (least_request(-1.0), "balance.least_request.active_request_bias: -1 is not"),
            (with(round_robin(), "panic_threshold", json!(101.0)), "panic_threshold: 101 is not"),
            (slow(json!({"window": 0, "aggression": 1.0, "min_weight_percent": 10.0})), "slow_start.window: 0 ms"),
            (slow(json!({"window": 1, "aggression": 0.0, "min_weight_percent": 10.0})), "slow_start.aggression: 0 is"),
            (
                slow(json!({"window": 1, "aggression": 1.0, "min_weight_percent": 110.0})),
                "slow_start.min_weight_percent: 110",
            ),
            (outliers(5, 4, 1), "outliers.max_ejection_time: 4 ms is less"),
            (outliers(5, 5, 0), "outliers: interval and base_ejection_time"),
        ];
        for (cluster, message) in wrong {
            let error = error(cluster, ports(1));
            assert!(error.starts_with(message), "{error}");
        }
        let wrong = [
            (
                json!({"priorities": [[], [{"hosts": []}, {"hosts": [{"address": "1.2.3.4:5"}, {"address": "there"}]}]]}),
                "hosts.priorities[1][1].hosts[1].address: \"there\" is not an address",
            ),
            (weights(&[1, 0]), "hosts.priorities[0][0].hosts[1].weight: 0 is not a weight"),
            (weights(&[1, u32::MAX]), "hosts.priorities[0]: the weights of its hosts are 4294967296 together"),
            (
                zones(&[("A", 1, "h"), ("B", u32::MAX, "h")]),
                "hosts.priorities[0]: the weights of its localities are 4294967296",
            ),
            (json!({"priorities": [], "overprovisioning": 0}), "hosts.overprovisioning: 0 percent"),
        ];
        for (hosts, message) in wrong {
            let error = error(round_robin(), hosts);
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn an_address_counts_once() {
        let twice = at(&[&[(1, json!({})), (1, json!({"weight": 9})), (2, json!({}))], &[(2, json!({}))]]);
        let mut picker = picker(round_robin(), twice);
        assert_eq!(picker.set().members().len(), 2);
        near(&counts(&mut picker, 100), &[(1, 50), (2, 50)], 0);
    }

    #[test]
    fn addresses_may_be_of_either_kind() {
        let hosts = json!({"priorities": [[{"hosts": [{"address": "[::1]:80", "hostname": "there"}]}]]});
        let set = set(round_robin(), hosts);
        let member = &set.members()[0];
        assert_eq!((member.hash_key.as_str(), member.hostname.as_str(), member.priority), ("[::1]:80", "there", 0));
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(round_robin()),
            Just(least_request(1.0)),
            Just(random()),
            Just(json!({"balance": {"ring_hash": {"min_size": 64, "max_size": 256, "murmur": true}}})),
            Just(json!({"balance": {"maglev": {"table_size": 251}}})),
        ]
    }

    fn localities() -> impl Strategy<Value = Value> {
        let zone = json!({"zone_aware": {
            "place": ["", "1", ""], "min_cluster_size": 1,
            "peers": [{"place": ["", "0", ""], "all": 2, "healthy": 2}, {"place": ["", "1", ""], "all": 3, "healthy": 3}],
        }});
        prop_oneof![Just(json!("ignored")), Just(json!("weighted")), Just(zone)]
    }

    /// Up to three priorities of up to three localities of up to three hosts, by weight and health.
    fn places() -> impl Strategy<Value = Value> {
        let host = (1..5_u32, prop_oneof![Just("healthy"), Just("degraded"), Just("unhealthy"), Just("draining")]);
        let locality = (1..4_u32, prop::collection::vec(host, 0..4));
        let priority = prop::collection::vec(locality, 0..4);
        prop::collection::vec(priority, 0..4).prop_map(|priorities| {
            let mut port = 0;
            let mut all = Vec::new();
            for localities in priorities {
                let mut priority = Vec::new();
                for (zone, (weight, hosts)) in localities.into_iter().enumerate() {
                    let hosts: Vec<_> = hosts
                        .into_iter()
                        .map(|(weight, health)| {
                            port += 1;
                            json!({"address": format!("127.0.0.1:{port}"), "weight": weight, "health": health})
                        })
                        .collect();
                    priority.push(json!({"place": ["", zone.to_string(), ""], "weight": weight, "hosts": hosts}));
                }
                all.push(json!(priority));
            }
            json!({"priorities": all})
        })
    }

    proptest! {
        #[test]
        fn who_is_picked_is_usable_unless_in_panic(
            policy in policy(), localities in localities(), places in places(), threshold in prop_oneof![Just(0.0), Just(50.0)],
            seed: u64, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
        ) {
            let cluster = with(with(policy, "localities", localities), "panic_threshold", json!(threshold));
            let mut picker = picker(cluster, places);
            picker.replace(picker.set().clone());
            let set = picker.set().clone();
            for change in std::iter::once(None).chain(changes.iter().map(Some)) {
                if let (Some((index, good)), false) = (change, set.members().is_empty()) {
                    set.checked(&index.get(set.members()).host, *good, 0);
                }
                let some = set.members().iter().any(|member| member.usable() != Usable::No);
                for pick in 0..40_u64 {
                    let hash = (pick % 2 == 0).then(|| seed.wrapping_mul(pick + 1));
                    let panics = picker.counts().healthy_panic;
                    let address = picker.pick(hash, 0).map(|host| host.address);
                    let panic = picker.counts().healthy_panic > panics;
                    prop_assert!(threshold > 0.0 || !panic);
                    match address.and_then(|address| set.member(address)) {
                        Some(member) => prop_assert!(panic || member.usable() != Usable::No),
                        None => prop_assert!(!some && (threshold == 0.0 || set.members().is_empty())),
                    }
                }
            }
        }

        #[test]
        fn weights_are_kept_over_long_runs(chosen in prop::collection::vec(1..100_u32, 1..20), seed: u64) {
            let mut picker = Picker::new(set(round_robin(), weights(&chosen)), seed);
            let sum: u32 = chosen.iter().sum();
            let counts = counts(&mut picker, 20 * sum);
            for (port, weight) in (1..).zip(&chosen) {
                let count = counts.get(&port).copied().unwrap_or(0);
                prop_assert!(count.abs_diff(20 * weight) <= 2, "{port}: {count}, not {}", 20 * weight);
            }
        }
    }
}
