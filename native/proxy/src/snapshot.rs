//! The configuration in effect: immutable, and made anew from the last one by each update.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metaprotocol_core::{AnyCodec, Limits};

use crate::balance::HostSet;
use crate::cluster::Cluster;
use crate::config::{self, Update};
use crate::error::ConfigError;
use crate::filter::{Filter, Filters};
use crate::route::Table;

/// How codecs are found by the names that listeners give them.
pub type Codecs = dyn Fn(&str) -> Result<Arc<dyn AnyCodec>, String> + Send + Sync;

/// What is made for a configuration, by others.
pub struct Makers {
    /// Codecs.
    pub codecs: Box<Codecs>,
    /// Filters.
    pub filters: Box<Filters>,
}

/// All that is configured.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How many workers there are.
    pub workers: usize,
    /// Listeners by name.
    pub listeners: BTreeMap<Arc<str>, Arc<Listener>>,
    /// Clusters by name.
    pub clusters: BTreeMap<Arc<str>, Arc<Cluster>>,
    /// Route tables by name, as they were given.
    pub routes: BTreeMap<String, Arc<config::RouteTable>>,
}

/// A listener with all it needs.
pub struct Listener {
    /// Its name.
    pub name: Arc<str>,
    /// What it was configured to be.
    pub config: config::Listener,
    /// The codecs that are spoken here, each with its routes.
    pub dialects: Vec<Dialect>,
    /// What messages pass before they are routed, and answers before they are handed on.
    pub filters: Vec<Arc<dyn Filter>>,
    /// For its decoders.
    pub limits: Limits,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A codec of a listener.
#[derive(Clone)]
pub struct Dialect {
    /// The codec.
    pub codec: Arc<dyn AnyCodec>,
    /// Its routes; `None` while the table that the listener names is not there.
    pub table: Option<Arc<Table>>,
}

impl Snapshot {
    /// The snapshot after an update; `now` is in milliseconds, as everywhere.
    ///
    /// # Errors
    /// [`ConfigError`] if something in the update cannot be used; nothing of it counts then.
    pub fn updated(&self, update: Update, makers: &Makers, now: u64) -> Result<Self, ConfigError> {
        let mut next = self.clone();
        let mut stale = BTreeSet::new();
        for (name, table) in update.routes {
            match table {
                Some(table) => next.routes.insert(name.clone(), Arc::new(table)),
                None => next.routes.remove(&name),
            };
            stale.insert(name);
        }
        for (name, config) in update.clusters {
            let name: Arc<str> = name.into();
            match config {
                Some(config) => {
                    let cluster =
                        next.cluster(&name, config, now).map_err(|error| error.within(&format!("clusters.{name}")))?;
                    next.clusters.insert(name, Arc::new(cluster));
                }
                None => {
                    next.clusters.remove(&name);
                }
            }
        }
        for (name, hosts) in update.hosts {
            let path = format!("hosts.{name}");
            let Some(old) = next.clusters.get(name.as_str()) else {
                return Err(ConfigError::new(path, "there is no such cluster"));
            };
            let set = HostSet::new(&old.config, &hosts, Some(&old.hosts), self.workers, now)
                .map_err(|error| error.within(&path))?;
            let cluster = Cluster {
                name: Arc::clone(&old.name),
                config: old.config.clone(),
                given: hosts,
                hosts: Arc::new(set),
                gauges: Arc::clone(&old.gauges),
            };
            next.clusters.insert(Arc::clone(&cluster.name), Arc::new(cluster));
        }
        for (name, config) in update.listeners {
            let name: Arc<str> = name.into();
            match config {
                Some(config) => {
                    let listener = next
                        .listener(&name, config, makers)
                        .map_err(|error| error.within(&format!("listeners.{name}")))?;
                    next.listeners.insert(name, Arc::new(listener));
                }
                None => {
                    next.listeners.remove(&name);
                }
            }
        }
        let affected: Vec<_> = next
            .listeners
            .values()
            .filter(|listener| stale.contains(&listener.config.routes))
            .map(Arc::clone)
            .collect();
        for listener in affected {
            let dialects = listener.dialects.iter().map(|dialect| next.dialect(&listener.config, &dialect.codec));
            let dialects = dialects.collect::<Result<_, _>>()?;
            let name = Arc::clone(&listener.name);
            let (config, filters) = (listener.config.clone(), listener.filters.clone());
            let renewed = Listener { name, config, dialects, filters, limits: listener.limits };
            next.listeners.insert(Arc::clone(&listener.name), Arc::new(renewed));
        }
        Ok(next)
    }

    fn cluster(&self, name: &Arc<str>, config: config::Cluster, now: u64) -> Result<Cluster, ConfigError> {
        let old = self.clusters.get(name);
        let given = config.hosts.clone().or_else(|| old.map(|old| old.given.clone())).unwrap_or_default();
        let set = HostSet::new(&config, &given, old.map(|old| old.hosts.as_ref()), self.workers, now)?;
        let gauges = old.map_or_else(Arc::default, |old| Arc::clone(&old.gauges));
        Ok(Cluster { name: Arc::clone(name), config, given, hosts: Arc::new(set), gauges })
    }

    fn listener(&self, name: &Arc<str>, config: config::Listener, makers: &Makers) -> Result<Listener, ConfigError> {
        if config.codecs.is_empty() && config.unknown_to.is_none() {
            return Err(ConfigError::new("codecs", "name a codec, or with `unknown_to` a cluster for plain TCP"));
        }
        let mut dialects = Vec::new();
        for (at, codec) in config.codecs.iter().enumerate() {
            let codec = (makers.codecs)(codec).map_err(|error| ConfigError::new(format!("codecs[{at}]"), error))?;
            dialects.push(self.dialect(&config, &codec)?);
        }
        let mut filters = Vec::new();
        for (at, filter) in config.filters.iter().enumerate() {
            let made = (makers.filters)(filter).map_err(|error| ConfigError::new(format!("filters[{at}]"), error))?;
            filters.push(made);
        }
        let mut limits = Limits::default();
        if let Some(max) = config.max_frame_len {
            limits.max_frame_len = max;
        }
        Ok(Listener { name: Arc::clone(name), config, dialects, filters, limits })
    }

    fn dialect(&self, config: &config::Listener, codec: &Arc<dyn AnyCodec>) -> Result<Dialect, ConfigError> {
        let compile = |table: &Arc<config::RouteTable>| {
            Table::compile(table, codec.as_ref())
                .map(Arc::new)
                .map_err(|error| error.within(&format!("routes.{}", config.routes)))
        };
        let table = self.routes.get(&config.routes).map(compile).transpose()?;
        Ok(Dialect { codec: Arc::clone(codec), table })
    }
}
