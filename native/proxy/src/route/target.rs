//! What a route says about the messages that match it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metaprotocol_core::{DecodeError, Edits, Value};
use xxhash_rust::xxh64::Xxh64;

use super::{Field, Message};

/// A route, as a [`Table`](super::Table) has compiled it.
#[derive(Debug)]
pub struct Route {
    /// Its position in the table, from 0.
    pub number: usize,
    /// A name for people.
    pub name: Box<str>,
    /// Where messages go.
    pub target: Target,
    /// How long until a request is answered with an error.
    pub timeout: Option<Duration>,
    /// What picks the host, in clusters that hash.
    pub hash: HashPolicy,
    /// Clusters that get a copy.
    pub mirrors: Box<[Mirror]>,
    /// Fields of requests to set.
    pub request_set: Sets,
    /// Fields of responses to set.
    pub response_set: Sets,
    /// What filters read for this route, by the filter's name.
    pub filters: BTreeMap<String, serde_json::Value>,
}

/// A cluster that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: Arc<str>,
    /// Its position in [`Table::clusters`](super::Table::clusters), by which it is found without a look at its name.
    pub number: usize,
}

/// The cluster of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen<'r> {
    /// One that the configuration names.
    Known(&'r Cluster),
    /// One that the message names, which need not exist.
    Named(Cow<'r, str>),
}

impl Chosen<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(cluster) => &cluster.name,
            Self::Named(name) => name,
        }
    }
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// One cluster.
    Cluster(Cluster),
    /// Each gets its share.
    Weighted(Weighted),
    /// The cluster that a metadata key names.
    Key(Field),
}

impl Target {
    /// The cluster of a message, and `None` if it is to name one and does not. A `random` number decides between weighted ones.
    ///
    /// # Errors
    /// [`DecodeError`] if the field that names the cluster cannot be read.
    #[inline(always)]
    pub fn cluster<'r, 'f: 'r>(
        &'r self,
        message: &mut Message<'f, '_>,
        random: impl FnOnce() -> u64,
    ) -> Result<Option<Chosen<'r>>, DecodeError> {
        match self {
            Self::Cluster(cluster) => Ok(Some(Chosen::Known(cluster))),
            Self::Weighted(weighted) => Ok(weighted.pick(random()).map(Chosen::Known)),
            Self::Key(field) => Ok(message.own_text(field)?.map(Chosen::Named)),
        }
    }
}

/// Clusters that share the messages of a route.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Each cluster with the end of its interval, which begins where that of the one before ends.
    ends: Box<[(u64, Cluster)]>,
    total: u64,
}

impl Weighted {
    /// Clusters with weights, or `None` if the weights add up to 0.
    pub(super) fn new(clusters: impl IntoIterator<Item = (Cluster, u32)>) -> Option<Self> {
        let mut total = 0;
        let ends = clusters.into_iter().map(|(cluster, weight)| {
            total += u64::from(weight);
            (total, cluster)
        });
        let ends = ends.collect();
        (total > 0).then_some(Self { ends, total })
    }

    /// The cluster in whose interval `random`, modulo the sum of all weights, lies; intervals are in the order of the list.
    #[must_use]
    pub fn pick(&self, random: u64) -> Option<&Cluster> {
        let at = random % self.total;
        self.ends.iter().find(|(end, _)| at < *end).map(|(_, cluster)| cluster)
    }
}

/// A copy of messages to another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The cluster.
    pub cluster: Cluster,
    /// How many of a million messages.
    pub of_million: u32,
}

impl Mirror {
    /// True if a message is copied, given a number drawn for it.
    #[must_use]
    pub const fn takes(&self, random: u64) -> bool {
        random % 1_000_000 < self.of_million as u64
    }
}

/// The fields whose values pick a host.
#[derive(Clone, Debug, Default)]
pub struct HashPolicy {
    pub(super) fields: Box<[Field]>,
}

impl HashPolicy {
    /// True if there is none: any host will do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The hash of a message, and `None` without a policy: xxHash64 with seed 0 of the bytes of all values, one after
    /// another without anything between, in ascending order of their bytes. A field that the message lacks is empty. So
    /// with one field it is the hash of its value, and the order in which fields are configured is of no effect.
    ///
    /// # Errors
    /// [`DecodeError`] if a field cannot be read.
    #[inline]
    pub fn hash(&self, message: &mut Message<'_, '_>) -> Result<Option<u64>, DecodeError> {
        if self.fields.is_empty() { Ok(None) } else { self.digest(message).map(Some) }
    }

    fn digest(&self, message: &mut Message<'_, '_>) -> Result<u64, DecodeError> {
        let mut hasher = Xxh64::new(0);
        message.sorted(&self.fields, |text| hasher.update(text.as_bytes()))?;
        Ok(hasher.digest())
    }
}

/// Fields to set, and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    pub(super) fields: Box<[(Box<str>, Box<str>)]>,
}

impl Sets {
    /// True if nothing is to set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds them to edits, behind what is there: of two values for a field the later one stays.
    pub fn add_to<'r>(&'r self, edits: &mut Edits<'r>) {
        edits.set.extend(self.fields.iter().map(|(name, value)| (&**name, Value::str(value))));
    }
}
