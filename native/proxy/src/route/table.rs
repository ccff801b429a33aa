//! Route tables: compiled once, searched for every message.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use metaprotocol_core::{AnyCodec, DecodeError};

use super::build::{Builder, NONE, Node, Tree};
use super::condition::{self, Condition};
use super::names::Fields;
use super::{Cluster, Field, HashPolicy, Message, Mirror, Route, Sets, Target, Weighted};
use crate::config;
use crate::error::ConfigError;

/// Routes for the messages of one codec, in the order in which they are tried.
///
/// Threads can share a table. Those that work with clones of it share no memory that regular expressions work in, and so
/// never wait for each other; the routes themselves are the same.
#[derive(Clone, Debug)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    fields: Vec<Field>,
    clusters: Vec<Arc<str>>,
    tree: Tree,
}

impl Table {
    /// Compiles a configuration for the messages of a codec. A key means the one that the codec knows by this name, or by
    /// this name in another case of letters; else a field of the message that has this very name.
    ///
    /// # Errors
    /// [`ConfigError`] with a path like `routes[3].match[0].test`: a regular expression that cannot be used, weights that
    /// add up to 0, a key or a cluster without a name.
    pub fn compile(config: &config::RouteTable, codec: &dyn AnyCodec) -> Result<Self, ConfigError> {
        let mut compiler =
            Compiler { fields: Fields::new(codec), clusters: Clusters::default(), builder: Builder::default() };
        let mut routes = Vec::with_capacity(config.routes.len());
        for (number, route) in config.routes.iter().enumerate() {
            let route = compiler.matchers(number, route).and_then(|()| compiler.route(number, route));
            routes.push(Arc::new(route.map_err(|error| error.within(&format!("routes[{number}]")))?));
        }
        let Compiler { fields, clusters, builder } = compiler;
        Ok(Self { routes, fields: fields.into_vec(), clusters: clusters.names, tree: builder.finish() })
    }

    /// The first route that matches.
    ///
    /// Fields are read in the order in which the routes need them: none that only routes behind the one that is found would
    /// have needed.
    ///
    /// # Errors
    /// [`DecodeError`] if a field that decides cannot be read: the frame is broken, or not all of it is there yet (with the
    /// reason `UnexpectedEnd`).
    pub fn find(&self, message: &mut Message<'_, '_>) -> Result<Option<&Arc<Route>>, DecodeError> {
        let mut starts = self.tree.starts.iter().copied();
        let mut at = starts.next().unwrap_or(NONE);
        let mut start = starts.next().unwrap_or(NONE);
        message.scratch.pending.clear();
        while let Some(node) = self.tree.nodes.get(at as usize) {
            let next = match node {
                Node::Route { route, conditions, next } => {
                    if self.hold(conditions, message)? {
                        return Ok(self.routes.get(*route as usize));
                    }
                    *next
                }
                Node::Only { field, text, then } => match self.text(*field, message)? {
                    Some(value) if *value == **text => *then,
                    _ => NONE,
                },
                Node::Branch { field } => self.text(*field, message)?.map_or(NONE, |value| self.tree.then(at, value)),
            };
            // The least of all nodes that are left is what trying the routes in order would come to next.
            let pending = &mut message.scratch.pending;
            let least = pending.peek().map_or(NONE, |node| node.0);
            if next < start && next < least {
                at = next;
            } else if start < least {
                if next != NONE {
                    pending.push(Reverse(next));
                }
                at = start;
                start = starts.next().unwrap_or(NONE);
            } else {
                let Some(mut top) = pending.peek_mut() else { break };
                if next == NONE {
                    PeekMut::pop(top);
                } else {
                    *top = Reverse(next);
                }
                at = least;
            }
        }
        Ok(None)
    }

    fn hold(&self, conditions: &Range<u32>, message: &mut Message<'_, '_>) -> Result<bool, DecodeError> {
        let conditions = self.tree.conditions.get(conditions.start as usize..conditions.end as usize);
        for condition in conditions.unwrap_or_default() {
            if !condition.holds(self.text(condition.field, message)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[inline]
    fn text<'m>(&self, field: u32, message: &'m mut Message<'_, '_>) -> Result<Option<&'m str>, DecodeError> {
        self.fields.get(field as usize).map_or(Ok(None), |field| message.text(field))
    }

    /// True if `find` gives the same answer for every message, without reading any: the first route matches all, or there
    /// is none.
    #[must_use]
    pub fn is_trivial(&self) -> bool {
        let first = self.tree.starts.first().and_then(|start| self.tree.nodes.get(*start as usize));
        first.is_none_or(|node| matches!(node, Node::Route { conditions, .. } if conditions.is_empty()))
    }

    /// All routes, in order.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The clusters that the routes name, each once: those of a [`Cluster`]'s number.
    #[must_use]
    pub fn clusters(&self) -> &[Arc<str>] {
        &self.clusters
    }
}

#[derive(Default)]
struct Clusters {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
}

impl Clusters {
    fn named(&mut self, name: &str) -> Result<Cluster, ConfigError> {
        if name.is_empty() {
            return Err(ConfigError::new("", "is empty; it must be the name of a cluster"));
        }
        let Self { names, numbers } = self;
        let number = numbers.get(name).copied().unwrap_or_else(|| {
            names.push(name.into());
            let number = names.len() - 1;
            numbers.insert(Arc::clone(&names[number]), number);
            number
        });
        Ok(Cluster { name: Arc::clone(&names[number]), number })
    }
}

struct Compiler<'c> {
    fields: Fields<'c>,
    clusters: Clusters,
    builder: Builder,
}

/// The results of all items, an error with the place of its item in the list.
fn each<'c, T: 'c, R, C: FromIterator<R>>(
    list: &str,
    items: impl IntoIterator<Item = &'c T>,
    mut compile: impl FnMut(&'c T) -> Result<R, ConfigError>,
) -> Result<C, ConfigError> {
    let at = |(at, item)| compile(item).map_err(|error| error.within(&format!("{list}[{at}]")));
    items.into_iter().enumerate().map(at).collect()
}

impl Compiler<'_> {
    fn matchers(&mut self, number: usize, route: &config::Route) -> Result<(), ConfigError> {
        let mut texts: Vec<(u32, &str)> = Vec::new();
        let mut conditions = Vec::new();
        each::<_, _, ()>("match", &route.matchers, |matcher| {
            let slot = self.fields.slot(&matcher.key).map_err(|error| error.within("key"))?;
            match condition::exact(matcher) {
                Some(text) if texts.iter().all(|(other, _)| *other != slot) => texts.push((slot, text)),
                _ => conditions.push(Condition::new(matcher, slot)?),
            }
            Ok(())
        })?;
        self.builder.add(number as u32, texts, conditions);
        Ok(())
    }

    fn route(&mut self, number: usize, route: &config::Route) -> Result<Route, ConfigError> {
        Ok(Route {
            number,
            name: route.name.as_str().into(),
            target: self.target(&route.to).map_err(|error| error.within("to"))?,
            timeout: route.timeout.map(Duration::from_millis),
            hash: HashPolicy { fields: each("hash", &route.hash, |name| self.fields.field(name).cloned())? },
            mirrors: each("mirrors", &route.mirrors, |mirror| {
                let cluster = self.clusters.named(&mirror.cluster).map_err(|error| error.within("cluster"))?;
                Ok(Mirror { cluster, of_million: mirror.of_million })
            })?,
            request_set: self.sets("request_set", &route.request_set)?,
            response_set: self.sets("response_set", &route.response_set)?,
            filters: route.filters.clone(),
        })
    }

    fn target(&mut self, target: &config::Target) -> Result<Target, ConfigError> {
        match target {
            config::Target::Cluster(name) => {
                self.clusters.named(name).map(Target::Cluster).map_err(|error| error.within("cluster"))
            }
            config::Target::Key(name) => {
                self.fields.field(name).cloned().map(Target::Key).map_err(|error| error.within("key"))
            }
            config::Target::Weighted(weights) => {
                let clusters: Vec<_> =
                    each("weighted", weights, |(name, weight)| Ok((self.clusters.named(name)?, *weight)))?;
                let message = "the weights add up to 0; give at least one cluster a weight";
                Weighted::new(clusters).map(Target::Weighted).ok_or_else(|| ConfigError::new("weighted", message))
            }
        }
    }

    fn sets(&self, list: &str, sets: &[(String, String)]) -> Result<Sets, ConfigError> {
        let set = |(name, value): &(String, String)| Ok((self.fields.key(name)?.name, value.as_str().into()));
        Ok(Sets { fields: each(list, sets, set)? })
    }
}
