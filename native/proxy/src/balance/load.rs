//! How much of the traffic each priority gets.

/// How the hosts of one priority fare. What counts towards health is hosts, or their weights where those are to count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    /// All hosts.
    pub hosts: u64,
    /// Those which are healthy, and those which are degraded.
    pub healthy_hosts: u64,
    pub degraded_hosts: u64,
    /// What counts, of all, of the healthy and of the degraded ones.
    pub total: u64,
    pub healthy: u64,
    pub degraded: u64,
}

/// The shares of the priorities in percent, together 100, and which of them use all of their hosts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loads {
    pub healthy: Vec<u32>,
    pub degraded: Vec<u32>,
    pub panic: Vec<bool>,
}

/// The shares, as Envoy's `LoadBalancerBase` has them (`recalculatePerPriorityState`, `recalculatePerPriorityPanic`,
/// `recalculateLoadInTotalPanic` in load_balancer_impl.cc): in whole percents, each rounded down, the rest to the first.
/// `overprovisioning` and `panic_threshold` are in percent.
pub(super) fn loads(levels: &[Level], overprovisioning: u32, panic_threshold: u32) -> Loads {
    let availability = |part: u64, total: u64| {
        let worth = (u128::from(overprovisioning) * u128::from(part)).checked_div(u128::from(total));
        worth.unwrap_or(0).min(100) as u32
    };
    let health: Vec<u32> = levels.iter().map(|level| availability(level.healthy, level.total)).collect();
    let degraded: Vec<u32> = levels.iter().map(|level| availability(level.degraded, level.total)).collect();
    let available = health.iter().chain(&degraded).sum::<u32>().min(100);

    let mut loads = Loads { healthy: vec![0; levels.len()], degraded: vec![0; levels.len()], panic: Vec::new() };
    if available > 0 {
        let rest = share(&mut loads.healthy, &health, 100, available);
        let rest = share(&mut loads.degraded, &degraded, rest, available);
        if let Some(first) = health.iter().position(|&part| part > 0) {
            loads.healthy[first] += rest;
        } else if let Some(first) = degraded.iter().position(|&part| part > 0) {
            loads.degraded[first] += rest;
        }
    } else if let Some(first) = loads.healthy.first_mut() {
        *first = 100;
    }

    // With enough hosts in all priorities together, none panics, however bad it looks in one.
    let panics = |level: &Level| {
        let usable = (level.healthy_hosts + level.degraded_hosts) as f64;
        let percent = if level.hosts == 0 { 0.0 } else { 100.0 * usable / level.hosts as f64 };
        available < 100 && percent < f64::from(panic_threshold)
    };
    loads.panic = levels.iter().map(panics).collect();
    let hosts: u64 = levels.iter().map(|level| level.hosts).sum();
    if hosts > 0 && loads.panic.iter().all(|&panic| panic) {
        // All panic: traffic goes by the number of hosts, whatever their health.
        for (load, level) in loads.healthy.iter_mut().zip(levels) {
            *load = (100 * level.hosts / hosts) as u32;
        }
        loads.degraded.fill(0);
        let rest = 100 - loads.healthy.iter().sum::<u32>();
        if let Some(first) = levels.iter().position(|level| level.hosts > 0) {
            loads.healthy[first] += rest;
        }
    }
    loads
}

/// Gives each priority what it can bear of `load`, and answers with what is left.
fn share(loads: &mut [u32], availability: &[u32], mut load: u32, available: u32) -> u32 {
    for (share, part) in loads.iter_mut().zip(availability) {
        *share = load.min(part * 100 / available);
        load -= *share;
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All hosts, healthy ones and degraded ones of each priority.
    fn of(levels: &[[u64; 3]]) -> Loads {
        with(levels, 140, 50)
    }

    fn with(levels: &[[u64; 3]], overprovisioning: u32, panic_threshold: u32) -> Loads {
        let level = |&[hosts, healthy, degraded]: &[u64; 3]| Level {
            hosts,
            healthy_hosts: healthy,
            degraded_hosts: degraded,
            total: hosts,
            healthy,
            degraded,
        };
        let levels: Vec<_> = levels.iter().map(level).collect();
        loads(&levels, overprovisioning, panic_threshold)
    }

    fn loads_are(loads: &Loads, healthy: &[u32], degraded: &[u32], panic: bool) {
        assert_eq!(loads.healthy, healthy);
        assert_eq!(loads.degraded, degraded);
        assert!(loads.panic.iter().all(|&other| other == panic), "{loads:?}");
    }

    // The figures are those of Envoy's test/extensions/load_balancing_policies/common/load_balancer_impl_base_test.cc.

    /// Its test GentleFailover.
    #[test]
    fn traffic_fails_over_gently() {
        loads_are(&of(&[[1, 1, 0], [1, 1, 0]]), &[100, 0], &[0, 0], false);
        loads_are(&of(&[[2, 1, 0], [2, 1, 0]]), &[70, 30], &[0, 0], false);
        loads_are(&of(&[[4, 1, 0], [2, 2, 0]]), &[35, 65], &[0, 0], false);
        loads_are(&of(&[[4, 1, 0], [4, 1, 0]]), &[50, 50], &[0, 0], true);
    }

    /// Its test GentleFailoverWithExtraLevels.
    #[test]
    fn traffic_fails_over_through_three_priorities() {
        loads_are(&of(&[[2, 1, 0], [2, 1, 0], [2, 1, 0]]), &[70, 30, 0], &[0, 0, 0], false);
        assert_eq!(of(&[[4, 1, 0], [4, 1, 0], [4, 1, 0]]).healthy, [35, 35, 30]);
        loads_are(&of(&[[5, 1, 0], [5, 1, 0], [5, 1, 0]]), &[34, 33, 33], &[0, 0, 0], true);
        loads_are(&of(&[[5, 0, 0], [5, 0, 0], [5, 4, 0]]), &[0, 0, 100], &[0, 0, 0], false);
        loads_are(&of(&[[5, 0, 5], [5, 2, 2], [5, 2, 0]]), &[0, 56, 44], &[0, 0, 0], false);
        let spilled = of(&[[5, 0, 1], [5, 0, 5], [5, 1, 0]]);
        assert_eq!((spilled.healthy, spilled.degraded), (vec![0, 0, 28], vec![28, 44, 0]));
    }

    /// Its tests PrioritySelection and GentleFailoverWithExtraLevels.
    #[test]
    fn in_total_panic_traffic_goes_by_the_number_of_hosts() {
        loads_are(&of(&[[1, 0, 0], [2, 0, 0]]), &[34, 66], &[0, 0], true);
        loads_are(&of(&[[5, 0, 0], [5, 0, 0], [5, 2, 0]]), &[34, 33, 33], &[0, 0, 0], true);
        loads_are(&of(&[[5, 0, 0], [3, 0, 0], [2, 0, 0]]), &[50, 30, 20], &[0, 0, 0], true);
        loads_are(&of(&[[5, 0, 0], [6, 2, 0], [3, 1, 0]]), &[37, 42, 21], &[0, 0, 0], true);
        loads_are(&of(&[[5, 0, 0], [5, 0, 2], [5, 0, 1]]), &[34, 33, 33], &[0, 0, 0], true);
        loads_are(&of(&[[0, 0, 0], [6, 0, 0], [3, 0, 0]]), &[0, 67, 33], &[0, 0, 0], true);
    }

    #[test]
    fn without_panic_the_first_priority_stands_for_all_that_are_down() {
        loads_are(&with(&[[5, 0, 0], [5, 0, 2], [5, 0, 1]], 140, 0), &[0, 0, 0], &[0, 67, 33], false);
        loads_are(&with(&[[1, 0, 0], [1, 0, 0]], 140, 0), &[100, 0], &[0, 0], false);
    }

    /// Its tests OverProvisioningFactor, WeightedPriorityHealth and WeightedPriorityHealthDegraded.
    #[test]
    fn overprovisioning_and_weights_count() {
        assert_eq!(with(&[[4, 2, 0], [4, 2, 0]], 140, 50).healthy, [70, 30]);
        assert_eq!(with(&[[4, 2, 0], [4, 2, 0]], 100, 50).healthy, [50, 50]);
        let weighted = [
            Level { hosts: 4, healthy_hosts: 1, degraded_hosts: 1, total: 10, healthy: 4, degraded: 3 },
            Level { hosts: 2, healthy_hosts: 1, degraded_hosts: 1, total: 10, healthy: 1, degraded: 9 },
        ];
        let loads = loads(&weighted, 100, 50);
        assert_eq!((loads.healthy, loads.degraded), (vec![40, 10], vec![30, 20]));
    }

    #[test]
    fn no_hosts_and_no_priorities_are_borne() {
        assert_eq!(of(&[]), Loads::default());
        assert_eq!(of(&[[0, 0, 0]]).healthy, [100]);
    }
}
