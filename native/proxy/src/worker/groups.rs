//! Listeners and clusters as a worker has them, and how they follow the configuration.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use mio::net::TcpListener;

use super::clients::PATIENCE;
use super::upstream::Role;
use super::ways::{Hosts, Picked, Routes};
use super::{Counts, Due, Id, Pool, Worker};
use crate::balance::{Host, Picker};
use crate::cluster::Cluster;
use crate::config::RouteTable;
use crate::route::{Extra, Table};
use crate::snapshot::{Dialect, Listener, Snapshot};
use crate::stats::{ClusterStats, ListenerCounts};

/// The metadata key under which routes see what users call the protocol.
const APPLICATION_PROTOCOL: &str = "x-meta-protocol-application-protocol";

pub type ByName = HashMap<Arc<str>, usize, foldhash::fast::RandomState>;
/// A codec, and its routes if there are any yet.
pub type Resolved = (Arc<dyn AnyCodec>, Option<Rc<Routes>>);
/// Requests that a worker takes at a time from the bound that holds for all workers, and at most this part of all: what it has
/// taken and does not need, others lack until its round is over.
const LOAN: u32 = 32;
const LOAN_PART: u32 = 16;

/// A listener.
pub struct Local {
    pub listener: Arc<Listener>,
    pub tables: Vec<Resolved>,
    /// Codecs that the listener had before and that clients still speak, and their tables of the present routes.
    older: Vec<Older>,
    /// What every message has that comes by it.
    pub extra: Vec<Extra<'static>>,
    /// The socket, until it accepts no more.
    pub socket: Option<TcpListener>,
    /// When accepting is tried again, in milliseconds, if the system had no more to give.
    pub again: u64,
    pub counts: Arc<ListenerCounts>,
    pub clients: usize,
}

impl Local {
    pub fn new(
        listener: &Arc<Listener>,
        tables: Vec<Resolved>,
        socket: TcpListener,
        counts: Arc<ListenerCounts>,
    ) -> Self {
        let extra = vec![(APPLICATION_PROTOCOL.into(), listener.config.application_protocol.clone().into())];
        let listener = Arc::clone(listener);
        Self { listener, tables, older: Vec::new(), extra, socket: Some(socket), again: 0, counts, clients: 0 }
    }

    /// Takes another configuration, or looks up its clusters anew. Clients keep the codecs that they began with.
    fn follow(&mut self, listener: Option<&Arc<Listener>>, snapshot: &Snapshot, by_name: &ByName) {
        if let Some(listener) = listener.filter(|listener| !Arc::ptr_eq(listener, &self.listener)) {
            let replaced = std::mem::replace(&mut self.listener, Arc::clone(listener));
            for dialect in &replaced.dialects {
                self.older.push(Older { codec: Arc::clone(&dialect.codec), routes: None, table: None });
            }
        }
        // Also where only clusters came or went.
        self.tables = resolved(&self.listener, by_name);
        if self.older.is_empty() {
            return;
        }
        let dialects = &self.listener.dialects;
        // Another one than this has it as long as a client, or a connection to a host, speaks it.
        self.older.retain(|older| {
            Arc::strong_count(&older.codec) > 1
                && !dialects.iter().any(|dialect| Arc::ptr_eq(&dialect.codec, &older.codec))
        });
        let routes = snapshot.routes.get(&self.listener.config.routes);
        for older in &mut self.older {
            if older.routes.as_ref().map(Arc::as_ptr) != routes.map(Arc::as_ptr) || older.table.is_none() {
                older.routes = routes.map(Arc::clone);
                let table = routes.map(|routes| Table::compile(routes, older.codec.as_ref()));
                // Routes that the old codec cannot have are those of the new one alone.
                older.table = table.and_then(Result::ok).map(Arc::new);
            }
            let table = older.table.as_ref().map(|table| resolve(table, by_name));
            self.tables.push((Arc::clone(&older.codec), table));
        }
    }

    /// The routes of a codec, if there are any yet.
    pub fn routes(&self, codec: &Arc<dyn AnyCodec>) -> Option<&Rc<Routes>> {
        let same = |(own, _): &&Resolved| Arc::ptr_eq(own, codec);
        self.tables.iter().find(same)?.1.as_ref()
    }
}

/// The tables of a listener's codecs.
pub fn resolved(listener: &Listener, by_name: &ByName) -> Vec<Resolved> {
    let table = |dialect: &Dialect| dialect.table.as_ref().map(|table| resolve(table, by_name));
    listener.dialects.iter().map(|dialect| (Arc::clone(&dialect.codec), table(dialect))).collect()
}

fn resolve(table: &Arc<Table>, by_name: &ByName) -> Rc<Routes> {
    let groups = table.clusters().iter().map(|name| by_name.get(name).copied()).collect();
    Rc::new(Routes { table: Arc::clone(table), groups })
}

/// A codec that an update has replaced.
struct Older {
    codec: Arc<dyn AnyCodec>,
    /// The routes that its table was made of.
    routes: Option<Arc<RouteTable>>,
    table: Option<Arc<Table>>,
}

/// A connection that a request has gone by: one that clients share, with this codec, by its address in memory, and dialect.
#[derive(Clone, Copy)]
pub struct Recent {
    pub codec: usize,
    pub dialect: u32,
    pub id: Id,
}

/// A cluster.
pub struct Group {
    pub cluster: Arc<Cluster>,
    /// False once it is no longer configured; what is under way is finished.
    pub alive: bool,
    pub picker: Picker,
    /// The set that it picks from.
    set: Rc<Hosts>,
    /// Requests that this worker may still enter of those that it took from the bound for all, until the round is over.
    loan: u32,
    /// It stands in the worker's list of those with a loan.
    lent: bool,
    /// Connections that clients share, those of them that have room for more requests, or had when they were last asked.
    pub pools: HashMap<Pool, Vec<Id>, foldhash::fast::RandomState>,
    /// The connection of the last request to each member of the set.
    pub recent: Vec<Recent>,
    /// Hosts that clients were redirected from.
    pub originals: HashMap<SocketAddr, Arc<Host>>,
    /// Connections of every kind.
    pub connections: usize,
    pub stats: Arc<ClusterStats>,
}

impl Group {
    /// How many requests may be under way on a connection that clients share.
    #[inline]
    pub fn most_in_flight(&self) -> u32 {
        self.cluster.config.max_in_flight_per_connection.min((1 << 20) - 1)
    }

    /// The host of a message, as [`Picker::pick`] has it.
    #[inline]
    pub fn pick(&mut self, hash: Option<u64>, now: u64) -> Option<Picked> {
        let member = self.picker.pick_member(hash, now)?;
        Some(Picked::Member(Rc::clone(&self.set), member))
    }

    /// Takes up one more request, if there are fewer than may be.
    #[inline]
    pub fn enter(&mut self, at: usize, lenders: &mut Vec<usize>) -> bool {
        if self.loan == 0 {
            let most = self.cluster.config.thresholds.max_requests;
            self.loan = self.cluster.gauges.requests.take((most / LOAN_PART).clamp(1, LOAN), most);
            if self.loan == 0 {
                return false;
            }
            self.lend(at, lenders);
        }
        self.loan -= 1;
        true
    }

    /// Gives a request back.
    #[inline]
    pub fn leave(&mut self, at: usize, lenders: &mut Vec<usize>) {
        self.loan += 1;
        self.lend(at, lenders);
    }

    #[inline]
    fn lend(&mut self, at: usize, lenders: &mut Vec<usize>) {
        if !std::mem::replace(&mut self.lent, true) {
            lenders.push(at);
        }
    }
}

impl Worker {
    /// Gives back what was not needed of the bounds for all workers.
    pub(super) fn pay_back(&mut self) {
        while let Some(at) = self.lenders.pop() {
            let Some(own) = self.groups.get_mut(at) else { continue };
            own.lent = false;
            own.cluster.gauges.requests.give_back(std::mem::take(&mut own.loan));
        }
    }

    /// Takes a new configuration. Connections stay; those of what is gone are closed when nothing is under way on them.
    pub(super) fn adopt(&mut self, snapshot: &Snapshot) {
        let mut moved = Vec::new();
        for (name, cluster) in &snapshot.clusters {
            let known = self.by_name.get(name).copied();
            let Some((at, group)) = known.and_then(|at| Some((at, self.groups.get_mut(at)?))) else {
                self.add_group(name, cluster);
                continue;
            };
            if !Arc::ptr_eq(&group.cluster, cluster) {
                if !Arc::ptr_eq(&group.cluster.hosts, &cluster.hosts) {
                    group.picker.replace(Arc::clone(&cluster.hosts));
                    group.set = Rc::new(Hosts(Arc::clone(&cluster.hosts)));
                    group.recent.clear();
                    moved.push(at);
                }
                let swept = group.cluster.config.outliers.is_some();
                group.cluster = Arc::clone(cluster);
                if !swept {
                    self.sweep(at);
                }
            }
        }
        let gone: Vec<(Arc<str>, usize)> = self
            .by_name
            .iter()
            .filter(|(name, _)| !snapshot.clusters.contains_key(*name))
            .map(|(name, at)| (Arc::clone(name), *at))
            .collect();
        for (name, at) in gone {
            self.by_name.remove(&name);
            if let Some(group) = self.groups.get_mut(at) {
                group.alive = false;
            }
            moved.push(at);
        }
        for at in moved {
            self.leave_hosts(at);
            self.bury(at);
        }
        let closed: Vec<usize> = self
            .listeners
            .iter()
            .filter(|(_, local)| local.socket.is_some() && !snapshot.listeners.contains_key(&local.listener.name))
            .map(|(at, _)| at)
            .collect();
        for at in closed {
            self.close_listener(at, PATIENCE);
        }
        for (_, local) in &mut self.listeners {
            local.follow(snapshot.listeners.get(&local.listener.name), snapshot, &self.by_name);
        }
    }

    fn add_group(&mut self, name: &Arc<str>, cluster: &Arc<Cluster>) {
        let stats = Arc::new(ClusterStats::default());
        let _ = self.report.send(Counts::Cluster(Arc::clone(name), Arc::clone(&stats)));
        let seed = self.random.next();
        let at = self.groups.insert(Group {
            cluster: Arc::clone(cluster),
            alive: true,
            picker: Picker::new(Arc::clone(&cluster.hosts), seed),
            set: Rc::new(Hosts(Arc::clone(&cluster.hosts))),
            loan: 0,
            lent: false,
            pools: HashMap::default(),
            recent: Vec::new(),
            originals: HashMap::new(),
            connections: 0,
            stats,
        });
        self.by_name.insert(Arc::clone(name), at);
        self.sweep(at);
    }

    /// Takes hosts back that were left out for long enough.
    pub(super) fn sweep(&mut self, at: usize) {
        let Some(group) = self.groups.get(at) else { return };
        let Some(outliers) = &group.cluster.config.outliers else { return };
        group.cluster.hosts.sweep(self.now);
        self.timers.set(self.now + outliers.interval.max(1), Due::Sweep(at));
    }

    /// Forgets hosts that clients were redirected from and that nobody has a connection to any more.
    pub(super) fn forget_originals(&mut self, at: usize) {
        let Some(group) = self.groups.get_mut(at) else { return };
        prune(&mut group.originals);
        if !group.originals.is_empty() {
            self.timers.set(self.now + group.cluster.config.cleanup_interval.max(1), Due::Originals(at));
        }
    }

    /// Gives up connections to hosts that are no longer in their cluster, as soon as nothing is under way on them; those that
    /// clients have for themselves when they ask again.
    fn leave_hosts(&mut self, at: usize) {
        let Some(group) = self.groups.get(at) else { return };
        let mut left = Vec::new();
        for (number, host) in self.hosts.iter_mut().filter(|(_, host)| host.group == at) {
            let stays = group.alive
                && (group.cluster.config.original_dst || group.cluster.hosts.member(host.host.address).is_some());
            match host.role {
                Role::Bound(owner, _) => {
                    host.leaving = !stays;
                    let owner = self.clients.get_mut(owner.at as usize).filter(|client| client.serial == owner.serial);
                    if let Some(client) = owner {
                        client.leaving |= !stays;
                    }
                }
                Role::Shared(_) if !stays => {
                    host.draining = true;
                    left.push(Id { at: number as u32, serial: host.serial });
                }
                Role::Shared(_) => {}
            }
        }
        for id in left {
            self.retire(id);
        }
    }

    /// Forgets a cluster that is gone, and whose last connection is closed.
    pub(super) fn bury(&mut self, at: usize) {
        if self.groups.get(at).is_some_and(|group| !group.alive && group.connections == 0) {
            // Its place may be another's before the round is over.
            self.lenders.retain(|other| *other != at);
            self.groups.remove(at);
        }
    }
}

/// Keeps the hosts that somebody else has.
fn prune(hosts: &mut HashMap<SocketAddr, Arc<Host>>) {
    hosts.retain(|_, host| Arc::strong_count(host) > 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_nobody_has_are_forgotten() {
        let host = |port: u16| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            (address, Arc::new(Host::new(address, 1, 0)))
        };
        let mut hosts: HashMap<_, _> = (1..=100).map(host).collect();
        let used: Vec<_> = hosts.values().filter(|host| host.address.port() % 10 == 0).map(Arc::clone).collect();
        prune(&mut hosts);
        assert_eq!((hosts.len(), hosts.values().all(|host| host.address.port() % 10 == 0)), (10, true));
        drop(used);
        prune(&mut hosts);
        assert!(hosts.is_empty());
    }
}
