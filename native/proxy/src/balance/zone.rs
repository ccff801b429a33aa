//! How much of the traffic stays in the proxy's own zone.

use crate::config::ZoneAware;

/// Where messages go that heed zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zones {
    /// All to the proxy's own zone.
    Own,
    /// Of 10,000 messages so many to the proxy's own zone, the others by the spare capacity of the zones, which is summed
    /// up from zone to zone.
    Spread { own: u64, spare: Vec<u64> },
}

/// The zones' parts, or nothing if zones are not to be told apart. `hosts` are how many healthy hosts each zone has, with
/// its place; the proxy's own, if it has hosts at all, is the first. Envoy's `regenerateLocalityRoutingStructures`.
pub(super) fn zones(config: &ZoneAware, hosts: &[(&[String; 3], u64)]) -> Option<Zones> {
    let healthy: u64 = hosts.iter().map(|zone| zone.1).sum();
    let peers = || config.peers.iter().filter(|peers| peers.all > 0);
    if hosts.len() < 2
        || peers().count() < 2
        || !peers().any(|peers| peers.place == config.place)
        || healthy < config.min_cluster_size
    {
        return None;
    }
    let healthy_peers: u64 = peers().map(|peers| peers.healthy).sum();
    let share = |part: u64, of: u64| (10_000 * part).checked_div(of).unwrap_or(0);
    let percentages = hosts.iter().map(|&(place, count)| {
        if count == 0 {
            return (0, 0);
        }
        let here: u64 = peers().filter(|peers| peers.place == *place).map(|peers| peers.healthy).sum();
        (share(here, healthy_peers), share(count, healthy))
    });
    let (mut own, mut spare) = (0, Vec::with_capacity(hosts.len()));
    for ((place, _), (proxies, upstream)) in hosts.iter().zip(percentages) {
        let before = spare.last().copied().unwrap_or(0);
        if **place != config.place {
            spare.push(before + upstream.saturating_sub(proxies));
        } else if upstream > 0 && upstream >= proxies {
            return Some(Zones::Own);
        } else {
            own = share(upstream, proxies);
            spare.push(before);
        }
    }
    Some(Zones::Spread { own, spare })
}

/// True if so few proxies are healthy that their places say nothing.
pub(super) fn peers_panic(config: &ZoneAware, panic_threshold: u32) -> bool {
    let all: u64 = config.peers.iter().map(|peers| peers.all).sum();
    let healthy: u64 = config.peers.iter().map(|peers| peers.healthy).sum();
    let percent = if all == 0 { 0.0 } else { 100.0 * healthy as f64 / all as f64 };
    percent < f64::from(panic_threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Peers;

    fn place(zone: &str) -> [String; 3] {
        [String::new(), zone.to_owned(), String::new()]
    }

    fn config(own: &str, peers: &[(&str, u64)]) -> ZoneAware {
        let peers = peers.iter().map(|&(zone, all)| Peers { place: place(zone), all, healthy: all }).collect();
        ZoneAware { place: place(own), peers, min_cluster_size: 2, routing_enabled: 100, fail_on_panic: false }
    }

    fn of(config: &ZoneAware, hosts: &[(&str, u64)]) -> Option<Zones> {
        let places: Vec<_> = hosts.iter().map(|(zone, count)| (place(zone), *count)).collect();
        zones(config, &places.iter().map(|(place, count)| (place, *count)).collect::<Vec<_>>())
    }

    // The figures are those of Envoy's round_robin_lb_test.cc, tests ZoneAwareZonesMismatched and
    // ZoneAwareResidualsMismatched, and of comments in load_balancer_impl.cc.

    #[test]
    fn all_stays_where_there_are_hosts_enough() {
        assert_eq!(of(&config("A", &[("A", 1), ("B", 1)]), &[("A", 1), ("C", 1)]), Some(Zones::Own));
    }

    #[test]
    fn a_zone_without_hosts_sends_to_those_with_spare_ones() {
        let zones = of(&config("B", &[("A", 1), ("B", 1)]), &[("A", 1), ("C", 1)]);
        assert_eq!(zones, Some(Zones::Spread { own: 0, spare: vec![0, 5000] }));
    }

    #[test]
    fn what_the_own_zone_cannot_bear_goes_by_spare_capacity() {
        let config = config("A", &[("A", 2), ("B", 2), ("C", 1), ("D", 1)]);
        let zones = of(&config, &[("A", 1), ("C", 3), ("D", 3), ("E", 1)]);
        assert_eq!(zones, Some(Zones::Spread { own: 3750, spare: vec![0, 2084, 4168, 5418] }));
    }

    #[test]
    fn with_too_little_to_go_by_zones_are_not_told_apart() {
        let peers = [("A", 1), ("B", 1)];
        assert_eq!(of(&config("A", &peers), &[("A", 5)]), None, "one zone");
        assert_eq!(of(&config("A", &[("A", 1)]), &[("A", 1), ("B", 1)]), None, "proxies in one zone");
        assert_eq!(of(&config("C", &peers), &[("A", 1), ("C", 1)]), None, "no proxy here");
        let few = ZoneAware { min_cluster_size: 3, ..config("A", &peers) };
        assert_eq!(of(&few, &[("A", 1), ("B", 1)]), None, "few hosts");
    }

    #[test]
    fn proxies_panic_below_the_threshold() {
        let mut config = config("A", &[("A", 2), ("B", 2)]);
        assert!(!peers_panic(&config, 50));
        config.peers[0].healthy = 0;
        assert!(!peers_panic(&config, 50));
        config.peers[1].healthy = 1;
        assert!(peers_panic(&config, 50));
    }
}
