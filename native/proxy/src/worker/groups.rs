//! Listeners and clusters as a worker has them, and how they follow the configuration.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use metaprotocol_core::AnyCodec;
use mio::net::TcpListener;

use super::clients::PATIENCE;
use super::{Counts, Due, Id, Pool, Worker};
use crate::balance::{Host, Picker};
use crate::cluster::Cluster;
use crate::route::{Extra, Table};
use crate::snapshot::{Listener, Snapshot};
use crate::stats::{ClusterStats, ListenerCounts};

/// The metadata key under which routes see what users call the protocol.
const APPLICATION_PROTOCOL: &str = "x-meta-protocol-application-protocol";

pub type ByName = HashMap<Arc<str>, usize, foldhash::fast::RandomState>;
/// A table, and for each cluster that it names the position of it.
pub type Resolved = (Arc<dyn AnyCodec>, Option<(Arc<Table>, Vec<Option<usize>>)>);

/// A listener.
pub struct Local {
    pub listener: Arc<Listener>,
    pub tables: Vec<Resolved>,
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
        Self { listener: Arc::clone(listener), tables, extra, socket: Some(socket), again: 0, counts, clients: 0 }
    }

    /// The routes of a codec, if there are any yet.
    pub fn table(&self, codec: &Arc<dyn AnyCodec>) -> Option<(&Table, &[Option<usize>])> {
        let same = |(own, _): &&Resolved| Arc::ptr_eq(own, codec);
        let (_, table) = self.tables.iter().find(same)?;
        table.as_ref().map(|(table, groups)| (table.as_ref(), groups.as_slice()))
    }
}

/// The tables of a listener's codecs.
pub fn resolved(listener: &Listener, by_name: &ByName) -> Vec<Resolved> {
    let group = |name: &Arc<str>| by_name.get(name).copied();
    let resolve = |table: &Arc<Table>| (Arc::clone(table), table.clusters().iter().map(group).collect());
    listener.dialects.iter().map(|dialect| (Arc::clone(&dialect.codec), dialect.table.as_ref().map(resolve))).collect()
}

/// A cluster.
pub struct Group {
    pub cluster: Arc<Cluster>,
    /// False once it is no longer configured; what is under way is finished.
    pub alive: bool,
    pub picker: Picker,
    /// Connections that clients share.
    pub pools: HashMap<Pool, Vec<Id>, foldhash::fast::RandomState>,
    /// Hosts that clients were redirected from.
    pub originals: HashMap<SocketAddr, Arc<Host>>,
    /// Connections of every kind.
    pub connections: usize,
    pub stats: Arc<ClusterStats>,
}

impl Worker {
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
            if let Some(listener) = snapshot.listeners.get(&local.listener.name) {
                local.listener = Arc::clone(listener);
            }
            // Also where only clusters came or went.
            local.tables = resolved(&local.listener, &self.by_name);
        }
    }

    fn add_group(&mut self, name: &Arc<str>, cluster: &Arc<Cluster>) {
        let stats = Arc::new(ClusterStats::default());
        let _ = self.report.send(Counts::Cluster(Arc::clone(name), Arc::clone(&stats)));
        let seed = self.random();
        let at = self.groups.insert(Group {
            cluster: Arc::clone(cluster),
            alive: true,
            picker: Picker::new(Arc::clone(&cluster.hosts), seed),
            pools: HashMap::default(),
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

    /// Gives up connections to hosts that are no longer in their cluster, as soon as nothing is under way on them.
    fn leave_hosts(&mut self, at: usize) {
        let Some(group) = self.groups.get(at) else { return };
        let mut left = Vec::new();
        for id in group.pools.values().flatten() {
            let Some(host) = self.hosts.get_mut(id.at as usize).filter(|host| host.serial == id.serial) else {
                continue;
            };
            let stays = group.alive
                && (group.cluster.config.original_dst || group.cluster.hosts.member(host.host.address).is_some());
            if stays {
                continue;
            }
            host.draining = true;
            left.push(*id);
        }
        for id in left {
            self.retire(id);
        }
    }

    /// Forgets a cluster that is gone, and whose last connection is closed.
    pub(super) fn bury(&mut self, at: usize) {
        if self.groups.get(at).is_some_and(|group| !group.alive && group.connections == 0) {
            self.groups.remove(at);
        }
    }
}
