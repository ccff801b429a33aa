//! The hosts of a cluster, and which of them are in use.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::hashing::{Entry, Maglev, Ring, Table, normalized};
use super::load::{Level, loads};
use super::outlier::Ejections;
use super::zone::{Zones, peers_panic, zones};
use super::{Host, Member, Usable};
use crate::config::{self, Balance, Cluster, Hosts, Localities, Outliers, SlowStart};
use crate::error::ConfigError;

/// The hosts of a cluster as discovery has them, with all that is the same for every worker.
#[derive(Debug)]
pub struct HostSet {
    pub(super) members: Vec<Member>,
    by_address: HashMap<SocketAddr, usize>,
    priorities: Vec<Priority>,
    pub(super) balance: Balance,
    pub(super) localities: Localities,
    panic_threshold: u32,
    overprovisioning: u32,
    weighted_health: bool,
    slow_start: Option<SlowStart>,
    pub(super) outliers: Option<Outliers>,
    pub(super) shared: Arc<Shared>,
    view: Mutex<Arc<View>>,
}

/// What stays while sets of the same cluster follow each other.
#[derive(Debug)]
pub(super) struct Shared {
    /// How many workers count requests of its hosts.
    workers: usize,
    /// Changes with the health of any host.
    generation: AtomicU64,
    /// When it was last looked whether hosts may come back. Who changes the health of a host holds it.
    pub swept: Mutex<u64>,
    pub ejections: Ejections,
}

#[derive(Debug)]
struct Priority {
    members: Range<usize>,
    /// Its localities that have hosts, the proxy's own first, if it is known, then by place.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    place: [String; 3],
    weight: u32,
    members: Vec<u32>,
}

/// Which hosts are in use, for one state of their health.
#[derive(Debug)]
pub(super) struct View {
    pub generation: u64,
    /// Until when some host is led in.
    pub warm_until: u64,
    pub lists: Vec<List>,
    /// In the order in which a number from 1 to 100 finds its share.
    pub shares: Vec<Share>,
    /// The hosts and the table of each priority that has one, to be used again for the same hosts.
    tables: Vec<Option<(Vec<u32>, Arc<Table>)>>,
}

/// Hosts that take turns.
#[derive(Debug)]
pub(super) struct List {
    pub hosts: Vec<u32>,
    /// True if their weights are equal.
    pub equal: bool,
}

/// A share of the traffic.
#[derive(Debug)]
pub(super) struct Share {
    /// It ends with this percentage.
    pub upto: u32,
    pub panic: bool,
    pub to: To,
}

#[derive(Debug)]
pub(super) enum To {
    Nobody,
    /// By its place in the lists.
    List(usize),
    /// Lists with weights.
    Places(Vec<(usize, f64)>),
    /// Lists by zone, and the one of all zones.
    Zones {
        all: usize,
        lists: Vec<usize>,
        zones: Zones,
        enabled: u64,
    },
    Table(Arc<Table>),
}

impl HostSet {
    /// The set of `hosts` for so many workers, which keeps what is known of those that were in the `previous` set of the same
    /// cluster and for as many. An address that comes more than once counts the first time only. The previous set is not
    /// changed.
    ///
    /// # Errors
    /// With the path within the cluster, if an address is none, a number is out of its range, or a table's size is no prime.
    pub fn new(
        cluster: &Cluster,
        hosts: &Hosts,
        previous: Option<&Self>,
        workers: usize,
        now: u64,
    ) -> Result<Self, ConfigError> {
        check(cluster, hosts)?;
        let mut set = Self {
            members: Vec::new(),
            by_address: HashMap::new(),
            priorities: Vec::new(),
            balance: cluster.balance.clone(),
            localities: cluster.localities.clone(),
            panic_threshold: cluster.panic_threshold.round() as u32,
            overprovisioning: hosts.overprovisioning,
            weighted_health: hosts.weighted_health,
            slow_start: cluster.slow_start,
            outliers: cluster.outliers.clone(),
            shared: previous.map_or_else(|| Arc::new(Shared::new(workers, now)), |previous| previous.shared.clone()),
            view: Mutex::new(Arc::new(View::default())),
        };
        for (priority, localities) in hosts.priorities.iter().enumerate() {
            let first = set.members.len();
            let mut places: Vec<Place> = Vec::new();
            for (number, locality) in localities.iter().enumerate() {
                let mut members = Vec::new();
                for (index, host) in locality.hosts.iter().enumerate() {
                    let path = || format!("hosts.priorities[{priority}][{number}].hosts[{index}]");
                    members.extend(set.add(priority, locality, host, previous, now, path)?);
                }
                if members.is_empty() {
                    continue;
                }
                if let Some(same) = places.iter_mut().find(|place| place.place == locality.place) {
                    same.weight = locality.weight;
                    same.members.extend(members);
                } else {
                    places.push(Place { place: locality.place.clone(), weight: locality.weight, members });
                }
            }
            let own = |place: &Place| match &set.localities {
                Localities::ZoneAware(zone) => place.place == zone.place,
                Localities::Ignored | Localities::Weighted => false,
            };
            // The order is Envoy's: it decides which hosts get the odd points of a ring.
            places.sort_by(|one, other| own(other).cmp(&own(one)).then_with(|| one.place.cmp(&other.place)));
            check_weights(&set.members, &places, priority)?;
            set.priorities.push(Priority { members: first..set.members.len(), places });
        }
        let view = set.build(set.generation(), None);
        set.view = Mutex::new(Arc::new(view));
        Ok(set)
    }

    fn add(
        &mut self,
        priority: usize,
        locality: &config::Locality,
        host: &config::Host,
        previous: Option<&Self>,
        now: u64,
        path: impl Fn() -> String,
    ) -> Result<Option<u32>, ConfigError> {
        let address: SocketAddr = host.address.parse().map_err(|_| {
            ConfigError::new(
                format!("{}.address", path()),
                format!("{:?} is not an address such as 127.0.0.1:80 or [::1]:80", host.address),
            )
        })?;
        if host.weight == 0 {
            return Err(ConfigError::new(format!("{}.weight", path()), "0 is not a weight: take the host out instead"));
        }
        if self.by_address.contains_key(&address) {
            return Ok(None);
        }
        let index = self.members.len();
        let known = previous.and_then(|previous| previous.member(address));
        self.by_address.insert(address, index);
        self.members.push(Member {
            host: known
                .map_or_else(|| Arc::new(Host::new(address, self.shared.workers, now)), |known| known.host.clone()),
            priority,
            place: locality.place.clone(),
            hostname: host.hostname.clone(),
            weight: host.weight,
            health: host.health,
            hash_key: host.hash_key.clone().filter(|key| !key.is_empty()).unwrap_or_else(|| address.to_string()),
        });
        Ok(u32::try_from(index).ok())
    }

    /// True if hashes pick its hosts.
    #[must_use]
    #[inline]
    pub const fn hashes(&self) -> bool {
        matches!(self.balance, Balance::RingHash { .. } | Balance::Maglev { .. })
    }

    /// The hosts, by priority and as discovery names them.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The host at an address.
    #[must_use]
    pub fn member(&self, address: SocketAddr) -> Option<&Member> {
        self.by_address.get(&address).and_then(|&index| self.members.get(index))
    }

    /// Changes with the health of any host of the cluster.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Tells all pickers that the health of a host has changed.
    pub(super) fn changed(&self) {
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    /// How the hosts are used now.
    pub(super) fn view(&self) -> Arc<View> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        self.follow(&mut view);
        view.clone()
    }

    /// The same, unless another worker is just finding it out.
    pub(super) fn view_unless_busy(&self) -> Option<Arc<View>> {
        let mut view = match self.view.try_lock() {
            Ok(view) => view,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.follow(&mut view);
        Some(view.clone())
    }

    fn follow(&self, view: &mut Arc<View>) {
        let generation = self.generation();
        if view.generation != generation {
            *view = Arc::new(self.build(generation, Some(view)));
        }
    }

    /// The part of its weight that a host has while it is led in (Envoy's `applySlowStartFactor`).
    pub(super) fn warmth(&self, member: &Member, now: u64) -> f64 {
        let Some(slow) = self.slow_start else { return 1.0 };
        let elapsed = now.saturating_sub(member.host.warm_since.load(Ordering::Relaxed));
        if elapsed >= slow.window || member.usable() != Usable::Yes {
            return 1.0;
        }
        let part = elapsed.max(1) as f64 / slow.window as f64;
        part.powf(1.0 / slow.aggression).max(slow.min_weight_percent / 100.0)
    }

    fn build(&self, generation: u64, old: Option<&View>) -> View {
        let usable: Vec<Usable> = self.members.iter().map(Member::usable).collect();
        let levels: Vec<Level> = self.priorities.iter().map(|priority| self.level(priority, &usable)).collect();
        let loads = loads(&levels, self.overprovisioning, self.panic_threshold);
        let mut builder = Builder {
            set: self,
            usable,
            old,
            view: View {
                generation,
                warm_until: self.warm_until(),
                lists: Vec::new(),
                shares: Vec::new(),
                tables: self.priorities.iter().map(|_| None).collect(),
            },
        };
        let mut upto = 0;
        for (wanted, part) in [(Usable::Yes, &loads.healthy), (Usable::Degraded, &loads.degraded)] {
            for ((index, &load), &panic) in part.iter().enumerate().zip(&loads.panic) {
                if load > 0 {
                    upto += load;
                    let to = builder.to(index, wanted, panic);
                    builder.view.shares.push(Share { upto, panic, to });
                }
            }
        }
        builder.view
    }

    fn level(&self, priority: &Priority, usable: &[Usable]) -> Level {
        let mut level = Level::default();
        let members = priority.members.clone();
        for (member, usable) in self.members.iter().zip(usable).take(members.end).skip(members.start) {
            let worth = if self.weighted_health { member.weight.into() } else { 1 };
            level.hosts += 1;
            level.total += worth;
            match usable {
                Usable::Yes => {
                    level.healthy_hosts += 1;
                    level.healthy += worth;
                }
                Usable::Degraded => {
                    level.degraded_hosts += 1;
                    level.degraded += worth;
                }
                Usable::No => {}
            }
        }
        level
    }

    fn warm_until(&self) -> u64 {
        let Some(slow) = self.slow_start else { return 0 };
        let since = self.members.iter().map(|member| member.host.warm_since.load(Ordering::Relaxed)).max();
        since.map_or(0, |since| since.saturating_add(slow.window))
    }
}

impl Shared {
    fn new(workers: usize, now: u64) -> Self {
        Self { workers, generation: AtomicU64::new(0), swept: Mutex::new(now), ejections: Ejections::default() }
    }
}

impl Default for View {
    /// Of a set without hosts.
    fn default() -> Self {
        Self { generation: 0, warm_until: 0, lists: Vec::new(), shares: Vec::new(), tables: Vec::new() }
    }
}

/// A view as it is made.
struct Builder<'a> {
    set: &'a HostSet,
    usable: Vec<Usable>,
    old: Option<&'a View>,
    view: View,
}

impl Builder<'_> {
    /// Where the share of a priority's healthy or degraded hosts goes.
    fn to(&mut self, index: usize, wanted: Usable, panic: bool) -> To {
        let set = self.set;
        let Some(priority) = set.priorities.get(index) else { return To::Nobody };
        let fails = matches!(&set.localities, Localities::ZoneAware(zone) if zone.fail_on_panic);
        match &set.balance {
            Balance::RingHash { .. } | Balance::Maglev { .. } => self.table(index, priority, panic),
            _ if panic && fails => To::Nobody,
            _ if panic => self.list(priority.members.clone().map(|member| member as u32).collect()),
            Balance::RoundRobin | Balance::LeastRequest { .. } | Balance::Random => match &set.localities {
                Localities::Ignored => self.all(priority, wanted),
                Localities::Weighted => self.weighted(priority, wanted),
                Localities::ZoneAware(config) if index == 0 => self.zones(config, priority, wanted),
                Localities::ZoneAware(_) => self.all(priority, wanted),
            },
        }
    }

    fn are(&self, members: impl Iterator<Item = u32>, wanted: Usable) -> Vec<u32> {
        members.filter(|&member| self.usable.get(member as usize) == Some(&wanted)).collect()
    }

    fn of(&self, priority: &Priority, wanted: Usable) -> Vec<u32> {
        self.are(priority.members.clone().map(|member| member as u32), wanted)
    }

    fn push(&mut self, hosts: Vec<u32>) -> usize {
        let mut weights = hosts.iter().map(|&host| self.set.members.get(host as usize).map(|member| member.weight));
        let first = weights.next();
        let equal = weights.all(|weight| Some(weight) == first);
        self.view.lists.push(List { hosts, equal });
        self.view.lists.len() - 1
    }

    fn list(&mut self, hosts: Vec<u32>) -> To {
        To::List(self.push(hosts))
    }

    fn all(&mut self, priority: &Priority, wanted: Usable) -> To {
        let hosts = self.of(priority, wanted);
        self.list(hosts)
    }

    /// Localities by their weights, as far as their hosts are there (Envoy's `effectiveLocalityWeight`).
    fn weighted(&mut self, priority: &Priority, wanted: Usable) -> To {
        let mut places = Vec::new();
        for place in &priority.places {
            let hosts = self.are(place.members.iter().copied(), wanted);
            let available = hosts.len() as f64 / place.members.len() as f64;
            let weight = f64::from(place.weight) * (f64::from(self.set.overprovisioning) / 100.0 * available).min(1.0);
            if weight > 0.0 {
                places.push((self.push(hosts), weight));
            }
        }
        if places.is_empty() { self.all(priority, wanted) } else { To::Places(places) }
    }

    fn zones(&mut self, config: &config::ZoneAware, priority: &Priority, wanted: Usable) -> To {
        let healthy = |place: &Place| self.are(place.members.iter().copied(), Usable::Yes).len() as u64;
        let hosts: Vec<_> = priority.places.iter().map(|place| (&place.place, healthy(place))).collect();
        let Some(zones) = zones(config, &hosts) else { return self.all(priority, wanted) };
        if peers_panic(config, self.set.panic_threshold) {
            return if config.fail_on_panic { To::Nobody } else { self.all(priority, wanted) };
        }
        let all = self.of(priority, wanted);
        let all = self.push(all);
        let mut lists = Vec::new();
        for place in &priority.places {
            let hosts = self.are(place.members.iter().copied(), wanted);
            lists.push(self.push(hosts));
        }
        To::Zones { all, lists, zones, enabled: config.routing_enabled.into() }
    }

    /// The table of a priority: of its healthy hosts, of the degraded ones if there are no others, or of all in panic.
    fn table(&mut self, index: usize, priority: &Priority, panic: bool) -> To {
        let mut hosts: Vec<u32> = priority.members.clone().map(|member| member as u32).collect();
        if !panic {
            hosts = self.of(priority, Usable::Yes);
            if hosts.is_empty() {
                hosts = self.of(priority, Usable::Degraded);
            }
        }
        let made =
            |view: &View| view.tables.get(index).and_then(Option::as_ref).filter(|made| made.0 == hosts).cloned();
        let made = made(&self.view).or_else(|| self.old.and_then(made));
        let table = made.map_or_else(|| Arc::new(self.make(priority, &hosts)), |made| made.1);
        if let Some(slot) = self.view.tables.get_mut(index) {
            *slot = Some((hosts, table.clone()));
        }
        To::Table(table)
    }

    fn make(&self, priority: &Priority, hosts: &[u32]) -> Table {
        let member = |&host: &u32| {
            let member = self.set.members.get(host as usize)?;
            Some(Entry { host, key: &member.hash_key, weight: member.weight.into() })
        };
        let groups: Vec<_> = match self.set.localities {
            Localities::Weighted => {
                // Both are in the order of members.
                let within = |place: &Place| {
                    let chosen = place.members.iter().filter(|member| hosts.binary_search(member).is_ok());
                    (place.weight, chosen.filter_map(member).collect())
                };
                priority.places.iter().map(within).collect()
            }
            Localities::Ignored | Localities::ZoneAware(_) => vec![(1, hosts.iter().filter_map(member).collect())],
        };
        let entries = normalized(&groups);
        match self.set.balance {
            Balance::RingHash { min_size, max_size, murmur } => {
                Table::Ring(Ring::new(&entries, min_size, max_size, murmur))
            }
            Balance::Maglev { table_size } => Table::Maglev(Maglev::new(&entries, table_size)),
            Balance::RoundRobin | Balance::LeastRequest { .. } | Balance::Random => Table::Maglev(Maglev::new(&[], 2)),
        }
    }
}

/// The most points of a ring, and the largest Maglev table, as in Envoy's messages.
const MAX_RING: u64 = 8_388_608;
const MAX_MAGLEV: u64 = 5_000_011;

fn check(cluster: &Cluster, hosts: &Hosts) -> Result<(), ConfigError> {
    let wrong = |path: &str, message: String| Err(ConfigError::new(path, message));
    match cluster.balance {
        Balance::LeastRequest { choices, .. } if choices < 2 => {
            return wrong("balance.least_request.choices", format!("{choices} is not a choice: it must be 2 or more"));
        }
        Balance::LeastRequest { active_request_bias: bias, .. } if !(bias >= 0.0 && bias.is_finite()) => {
            return wrong("balance.least_request.active_request_bias", format!("{bias} is not 0 or more"));
        }
        Balance::RingHash { min_size, max_size, .. } if min_size > max_size || min_size == 0 || max_size > MAX_RING => {
            let message =
                format!("sizes from {min_size} to {max_size}: they must be from 1 to {MAX_RING}, least first");
            return wrong("balance.ring_hash", message);
        }
        Balance::Maglev { table_size } if table_size > MAX_MAGLEV || !is_prime(table_size) => {
            let message = format!("{table_size} is not a prime up to {MAX_MAGLEV}, such as 65537");
            return wrong("balance.maglev.table_size", message);
        }
        _ => {}
    }
    if !(0.0..=100.0).contains(&cluster.panic_threshold) {
        return wrong("panic_threshold", format!("{} is not a percentage from 0 to 100", cluster.panic_threshold));
    }
    if let Some(slow) = cluster.slow_start {
        if slow.window == 0 {
            return wrong("slow_start.window", "0 ms: leave slow_start out instead".to_owned());
        }
        if !(slow.aggression > 0.0 && slow.aggression.is_finite()) {
            return wrong("slow_start.aggression", format!("{} is not above 0", slow.aggression));
        }
        if !(0.0..=100.0).contains(&slow.min_weight_percent) {
            let message = format!("{} is not a percentage from 0 to 100", slow.min_weight_percent);
            return wrong("slow_start.min_weight_percent", message);
        }
    }
    if let Some(outliers) = &cluster.outliers {
        if outliers.interval == 0 || outliers.base_ejection_time == 0 {
            return wrong("outliers", "interval and base_ejection_time must be above 0 ms".to_owned());
        }
        if outliers.max_ejection_time < outliers.base_ejection_time {
            let message = format!(
                "{} ms is less than base_ejection_time, {} ms",
                outliers.max_ejection_time, outliers.base_ejection_time
            );
            return wrong("outliers.max_ejection_time", message);
        }
    }
    if hosts.overprovisioning == 0 {
        return wrong("hosts.overprovisioning", "0 percent: it must be 1 or more, 100 for none".to_owned());
    }
    Ok(())
}

/// Envoy's bounds: what is summed up fits 32 bits.
fn check_weights(members: &[Member], places: &[Place], priority: usize) -> Result<(), ConfigError> {
    let hosts = places.iter().flat_map(|place| &place.members);
    let hosts: u64 = hosts.filter_map(|&host| members.get(host as usize)).map(|member| u64::from(member.weight)).sum();
    let localities: u64 = places.iter().map(|place| u64::from(place.weight)).sum();
    for (what, sum) in [("hosts", hosts), ("localities", localities)] {
        if sum > u64::from(u32::MAX) {
            let message = format!("the weights of its {what} are {sum} together, which is more than {}", u32::MAX);
            return Err(ConfigError::new(format!("hosts.priorities[{priority}]"), message));
        }
    }
    Ok(())
}

fn is_prime(number: u64) -> bool {
    number > 1 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}
