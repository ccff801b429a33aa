//! A worker's own position among the hosts.

use std::sync::Arc;

use super::edf::Edf;
use super::random::Random;
use super::set::{HostSet, Share, To, View};
use super::zone::Zones;
use super::{Host, Usable};
use crate::config::Balance;

/// Picks hosts for one worker. It is cheap to make: its turns come with the first pick.
#[derive(Debug)]
pub struct Picker {
    set: Arc<HostSet>,
    view: Arc<View>,
    /// The generation that the turns are of.
    seen: u64,
    /// True if weights grow, so that turns go by weight even where all weights are equal.
    warming: bool,
    /// The hosts, if all there is to do is to take one after another, and who is next. Else there are none.
    rounds: Vec<u32>,
    round: usize,
    /// One for each list of the view.
    turns: Vec<Turn>,
    /// One for each share of the view whose localities take turns.
    places: Vec<Option<Edf>>,
    random: Random,
    counts: Counts,
}

/// Who is next of a list.
#[derive(Debug)]
enum Turn {
    /// The one at this place, then the one after.
    Next(usize),
    /// By weight.
    Edf(Edf),
    /// Any.
    Any,
    /// The one with fewest requests of so many.
    Least(u32),
}

/// Picks of one worker, in Envoy's names without `lb_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Picks in panic.
    pub healthy_panic: u64,
    /// Picks in the proxy's own zone, where it can bear all.
    pub zone_routing_all_directly: u64,
    /// Picks in the proxy's own zone, where it can bear a part.
    pub zone_routing_sampled: u64,
    /// Picks in other zones.
    pub zone_routing_cross_zone: u64,
    /// Of these, those for which no zone had capacity to spare.
    pub zone_no_capacity_left: u64,
}

/// No weight is less, so that a host with very many requests, or a very new one, has its turn some day.
const LEAST_WEIGHT: f64 = 1e-9;

/// At most so many turns were taken when a worker begins.
const TURNS: u64 = 1 << 20;

impl Picker {
    /// A picker that begins anywhere, as the seed says.
    #[must_use]
    pub fn new(set: Arc<HostSet>, seed: u64) -> Self {
        Self {
            view: set.view(),
            set,
            seen: u64::MAX,
            warming: false,
            rounds: Vec::new(),
            round: 0,
            turns: Vec::new(),
            places: Vec::new(),
            random: Random::new(seed),
            counts: Counts::default(),
        }
    }

    /// Goes on with another set, and keeps its counts.
    pub fn replace(&mut self, set: Arc<HostSet>) {
        self.view = set.view();
        self.set = set;
        self.seen = u64::MAX;
    }

    /// The set it picks from.
    #[must_use]
    pub fn set(&self) -> &Arc<HostSet> {
        &self.set
    }

    /// What it counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The host of the next message, if there is one. Where hashes pick, a message without one goes to any host; elsewhere
    /// hashes are not heeded.
    #[inline]
    pub fn pick(&mut self, hash: Option<u64>, now: u64) -> Option<&Arc<Host>> {
        let index = self.pick_member(hash, now)?;
        self.set.members.get(index).map(|member| &member.host)
    }

    /// As [`Picker::pick`]: its place among the members of the set.
    #[inline]
    pub fn pick_member(&mut self, hash: Option<u64>, now: u64) -> Option<usize> {
        self.next(hash, now, 0).map(|index| index as usize)
    }

    /// The host of a message, picked again up to `attempts` times in all for as long as `unwanted` says so of it; the last
    /// one, if it is of all of them (Envoy's host selection with retry predicates).
    pub fn pick_again(
        &mut self,
        hash: Option<u64>,
        now: u64,
        attempts: u32,
        mut unwanted: impl FnMut(&Host) -> bool,
    ) -> Option<&Arc<Host>> {
        // Without a hash all attempts have the same random one, so that they go on from the same place of a table.
        let hash = hash.unwrap_or_else(|| self.random.next());
        let mut index = self.next(Some(hash), now, 0)?;
        for attempt in 1..attempts {
            if !self.set.members.get(index as usize).is_some_and(|member| unwanted(&member.host)) {
                break;
            }
            index = self.next(Some(hash), now, attempt)?;
        }
        self.set.members.get(index as usize).map(|member| &member.host)
    }

    #[inline]
    fn next(&mut self, hash: Option<u64>, now: u64, attempt: u32) -> Option<u32> {
        if self.seen == self.set.generation()
            && let Some(host) = self.next_round()
        {
            return Some(host);
        }
        self.decide(hash, now, attempt)
    }

    #[inline]
    fn next_round(&mut self) -> Option<u32> {
        let host = self.rounds.get(self.round).copied()?;
        self.round = if self.round + 1 == self.rounds.len() { 0 } else { self.round + 1 };
        Some(host)
    }

    #[inline(never)]
    fn decide(&mut self, hash: Option<u64>, now: u64, attempt: u32) -> Option<u32> {
        if self.seen != self.set.generation() || self.warming && now >= self.view.warm_until {
            self.follow(now);
            if let Some(host) = self.next_round() {
                return Some(host);
            }
        }
        let Self { set, view, turns, places, random, counts, warming, .. } = self;
        let by_hash = set.hashes();
        let hash = if by_hash { hash.unwrap_or_else(|| random.next()) } else { 0 };
        let number = if view.shares.len() == 1 {
            0
        } else {
            let percent = (if by_hash { hash } else { random.next() } % 100) as u32 + 1;
            view.shares.iter().position(|share| percent <= share.upto)?
        };
        let share = view.shares.get(number)?;
        if share.panic {
            counts.healthy_panic += 1;
        }
        let list = match &share.to {
            To::List(list) => *list,
            To::Table(table) => return table.find(hash, attempt),
            To::Nobody => return None,
            To::Places(lists) => {
                let weight = |place| lists.get(place).map_or(1.0, |list: &(usize, f64)| list.1);
                let place = places.get_mut(number)?.as_mut()?.next(weight)?;
                lists.get(place)?.0
            }
            To::Zones { all, enabled, .. } if *enabled < 100 && random.below(100) >= *enabled => *all,
            To::Zones { all, lists, zones, .. } => {
                let zone = zone(zones, lists.len(), random, counts);
                let list = lists.get(zone)?;
                // None of the wanted state there, but elsewhere.
                if view.lists.get(*list)?.hosts.is_empty() { *all } else { *list }
            }
        };
        let hosts = &view.lists.get(list)?.hosts;
        match turns.get_mut(list)? {
            Turn::Next(next) => {
                let host = hosts.get(*next).copied();
                *next = if *next + 1 >= hosts.len() { 0 } else { *next + 1 };
                host
            }
            Turn::Edf(edf) => {
                let weight = |index| hosts.get(index).map_or(1.0, |&host| weight(set, host, now, *warming));
                hosts.get(edf.next(weight)?).copied()
            }
            Turn::Any => hosts.get(random.below(hosts.len() as u64) as usize).copied(),
            Turn::Least(choices) => least(set, hosts, *choices, random),
        }
    }

    /// Takes up what has changed.
    #[cold]
    fn follow(&mut self, now: u64) {
        // While another worker finds it out, the old view does: it is a matter of a millisecond.
        if let Some(view) = self.set.view_unless_busy() {
            self.view = view;
        }
        let warming = now < self.view.warm_until;
        if self.seen == self.view.generation && self.warming == warming {
            return;
        }
        self.seen = self.view.generation;
        self.warming = warming;
        let Self { set, view, turns, places, random, .. } = self;
        turns.clear();
        for list in &view.lists {
            let hosts = &list.hosts;
            turns.push(match set.balance {
                _ if hosts.len() < 2 => Turn::Next(0),
                Balance::Random => Turn::Any,
                Balance::LeastRequest { choices, .. } if list.equal && !warming => Turn::Least(choices),
                Balance::RoundRobin if list.equal && !warming => Turn::Next(random.below(hosts.len() as u64) as usize),
                _ => {
                    let weights: Vec<f64> = hosts.iter().map(|&host| weight(set, host, now, warming)).collect();
                    Turn::Edf(Edf::new(&weights, random.below(TURNS) as u32))
                }
            });
        }
        places.clear();
        for share in &view.shares {
            let To::Places(lists) = &share.to else {
                places.push(None);
                continue;
            };
            let weights: Vec<f64> = lists.iter().map(|list| list.1).collect();
            places.push(Some(Edf::new(&weights, random.below(TURNS) as u32)));
        }
        self.rounds.clear();
        if let ([Share { panic: false, to: To::List(list), .. }], false) = (view.shares.as_slice(), warming)
            && let (Some(list), Some(Turn::Next(next))) = (view.lists.get(*list), turns.get(*list))
        {
            self.rounds.extend(&list.hosts);
            self.round = *next;
        }
    }
}

/// The host with fewest requests of so many, taken at random.
fn least(set: &HostSet, hosts: &[u32], choices: u32, random: &mut Random) -> Option<u32> {
    let mut best = None;
    for _ in 0..choices {
        let host = *hosts.get(random.below(hosts.len() as u64) as usize)?;
        let requests = set.members.get(host as usize)?.host.active();
        if best.is_none_or(|(fewest, _)| requests < fewest) {
            best = Some((requests, host));
        }
    }
    best.map(|(_, host)| host)
}

/// The weight of a host now: less the more requests it has, where those count, and the newer it is.
fn weight(set: &HostSet, host: u32, now: u64, warming: bool) -> f64 {
    let Some(member) = set.members.get(host as usize) else { return LEAST_WEIGHT };
    let mut weight = f64::from(member.weight);
    if let Balance::LeastRequest { active_request_bias: bias, .. } = set.balance {
        let requests = member.host.active() as f64 + 1.0;
        weight /= if bias == 1.0 { requests } else { requests.powf(bias) };
    }
    if warming && member.usable() == Usable::Yes {
        weight *= set.warmth(member, now);
    }
    weight.max(LEAST_WEIGHT)
}

/// The zone of a message (Envoy's `tryChooseLocalLocalityHosts`).
fn zone(zones: &Zones, count: usize, random: &mut Random, counts: &mut Counts) -> usize {
    let (own, spare) = match zones {
        Zones::Own => {
            counts.zone_routing_all_directly += 1;
            return 0;
        }
        Zones::Spread { own, spare } => (*own, spare),
    };
    if random.below(10_000) < own {
        counts.zone_routing_sampled += 1;
        return 0;
    }
    counts.zone_routing_cross_zone += 1;
    match spare.last() {
        Some(&capacity) if capacity > 0 => {
            let number = random.below(capacity);
            spare.partition_point(|&upto| upto <= number)
        }
        _ => {
            counts.zone_no_capacity_left += 1;
            random.below(count as u64) as usize
        }
    }
}
