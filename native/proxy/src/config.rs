//! Configuration as Python hands it over: JSON that is already checked against Envoy's messages, in terms of this crate.
//!
//! An [`Update`] changes what it names and leaves the rest; `null` takes a thing away. All of one update takes effect at
//! once. Times are in milliseconds, sizes in bytes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A change of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Listeners by name.
    #[serde(default)]
    pub listeners: BTreeMap<String, Option<Listener>>,
    /// Clusters by name. A cluster keeps its hosts, and what is known of their health, unless `hosts` is given.
    #[serde(default)]
    pub clusters: BTreeMap<String, Option<Cluster>>,
    /// Hosts of clusters that exist, by the cluster's name.
    #[serde(default)]
    pub hosts: BTreeMap<String, Hosts>,
    /// Route tables by name.
    #[serde(default)]
    pub routes: BTreeMap<String, Option<RouteTable>>,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `host:port`; port 0 takes a free one.
    pub address: String,
    /// The codecs spoken here, by name with parameters. More than one: the first bytes of a connection decide.
    pub codecs: Vec<String>,
    /// The name of the route table.
    pub routes: String,
    /// `meta_protocol.<application_protocol>.<stat_prefix>.` is in front of the names of its counters.
    pub stat_prefix: String,
    /// The name users gave the protocol, which routes see as `x-meta-protocol-application-protocol`.
    pub application_protocol: String,
    /// A connection without frames under way and without bytes for so long is closed. So is one that takes none of its
    /// answers for so long, and one whose next frame is not whole by then, with a second more for each KiB that has come.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
    /// A connection so old takes no more requests, and is closed when those under way are done.
    #[serde(default)]
    pub max_connection_age: Option<u64>,
    /// How many bytes a connection may hold in each direction before its peer is made to wait.
    #[serde(default = "buffer_limit")]
    pub buffer_limit: usize,
    /// The longest frame.
    #[serde(default)]
    pub max_frame_len: Option<u64>,
    /// How long to wait for the bytes that tell which codec it is.
    #[serde(default = "detect_timeout")]
    pub detect_timeout: u64,
    /// How many bytes to look at for it.
    #[serde(default = "detect_len")]
    pub detect_len: usize,
    /// The cluster that gets connections which no codec wants, as plain TCP; without one they are closed.
    #[serde(default)]
    pub unknown_to: Option<String>,
    /// The filters before the router, in order.
    #[serde(default)]
    pub filters: Vec<FilterConfig>,
}

/// A filter by its registered name, and its configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterConfig {
    /// Such as `aeraki.meta_protocol.filters.local_ratelimit`.
    pub name: String,
    /// What the filter itself reads.
    #[serde(default)]
    pub config: serde_json::Value,
}

const fn buffer_limit() -> usize {
    1 << 20
}

const fn detect_timeout() -> u64 {
    5000
}

const fn detect_len() -> usize {
    4096
}

/// Routes in the order in which they are tried: the first that matches wins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// The routes.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// All of them must match; none matches every message.
    #[serde(default, rename = "match")]
    pub matchers: Vec<Matcher>,
    /// Where messages go.
    pub to: Target,
    /// How long until a request is answered with an error.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// Metadata keys whose values pick the host, in clusters that hash.
    #[serde(default)]
    pub hash: Vec<String>,
    /// Clusters that get a copy.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// Fields of requests to set.
    #[serde(default)]
    pub request_set: Vec<(String, String)>,
    /// Fields of responses to set.
    #[serde(default)]
    pub response_set: Vec<(String, String)>,
    /// What filters read for this route, by the filter's name.
    #[serde(default)]
    pub filters: BTreeMap<String, serde_json::Value>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// One cluster.
    Cluster(String),
    /// Each gets its share.
    Weighted(Vec<(String, u32)>),
    /// The cluster that a metadata key names.
    Key(String),
}

/// A copy of messages to another cluster, whose answers are dropped.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The cluster.
    pub cluster: String,
    /// How many of a million messages.
    #[serde(default = "million")]
    pub of_million: u32,
}

const fn million() -> u32 {
    1_000_000
}

/// A test of one metadata value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// The metadata key.
    pub key: String,
    /// The test.
    pub test: Test,
    /// True if the test must fail. Where the key is absent, only `present` heeds it.
    #[serde(default)]
    pub invert: bool,
    /// True if an absent key is tested as an empty text.
    #[serde(default)]
    pub missing_as_empty: bool,
}

/// The test of a value, as text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// Equal to it. An empty text matches any value (Envoy's `exact_match`).
    Exact(Text),
    /// Begins with it.
    Prefix(Text),
    /// Ends with it.
    Suffix(Text),
    /// Has it somewhere.
    Contains(Text),
    /// Matches as a whole, in RE2's syntax.
    Regex(String),
    /// A decimal number from the first to below the second.
    Range(i64, i64),
    /// Is there, or is not.
    Present(bool),
}

/// A text to compare with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The text.
    pub text: String,
    /// True if letters of ASCII are compared whatever their case.
    #[serde(default)]
    pub ignore_case: bool,
    /// True if an empty text is only equal to an empty value (Envoy's `string_match`).
    #[serde(default)]
    pub strict_empty: bool,
}

/// Hosts that do the same.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// How hosts are picked.
    #[serde(default)]
    pub balance: Balance,
    /// How long to wait for a connection.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: u64,
    /// Where connections go: to `hosts`, or to where the client wanted to go before it was redirected.
    #[serde(default)]
    pub original_dst: bool,
    /// How often hosts that clients were redirected from are forgotten if nobody is connected to them.
    #[serde(default = "cleanup_interval")]
    pub cleanup_interval: u64,
    /// The hosts, if they change with the cluster.
    #[serde(default)]
    pub hosts: Option<Hosts>,
    /// Bounds of the cluster, for each worker together.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Most requests under way on one connection that many clients share; a further one opens another connection.
    #[serde(default = "in_flight")]
    pub max_in_flight_per_connection: u32,
    /// A connection is closed after so many requests.
    #[serde(default)]
    pub max_requests_per_connection: Option<u64>,
    /// A connection without requests for so long is closed.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
    /// Below this share of healthy and degraded hosts in a priority, in percent, all of it are used; 0 for never. It is
    /// rounded to a whole number.
    #[serde(default = "panic_threshold")]
    pub panic_threshold: f64,
    /// How hosts that fail are left out for a while.
    #[serde(default)]
    pub outliers: Option<Outliers>,
    /// For so long the weight of a new host grows to its own, in round robin and least request.
    #[serde(default)]
    pub slow_start: Option<SlowStart>,
    /// Which localities get the traffic.
    #[serde(default)]
    pub localities: Localities,
    /// True if messages for a cluster are refused at once.
    #[serde(default)]
    pub maintenance: bool,
}

const fn connect_timeout() -> u64 {
    5000
}

const fn cleanup_interval() -> u64 {
    5000
}

const fn in_flight() -> u32 {
    1024
}

const fn panic_threshold() -> f64 {
    50.0
}

/// How a host is picked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Balance {
    /// One after another, by weight.
    #[default]
    RoundRobin,
    /// The one with fewest requests of some picked at random.
    LeastRequest {
        /// How many are picked.
        choices: u32,
        /// How much requests count against a weight, where weights differ.
        active_request_bias: f64,
    },
    /// At random.
    Random,
    /// By a hash on a ring (ketama).
    RingHash {
        /// Least points of the ring.
        min_size: u64,
        /// Most points.
        max_size: u64,
        /// True for MurmurHash2, else xxHash64.
        murmur: bool,
    },
    /// By a hash in a table.
    Maglev {
        /// Its size, a prime.
        table_size: u64,
    },
}

/// How localities share the traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Localities {
    /// They are not told apart.
    #[default]
    Ignored,
    /// By their weights, as far as their hosts are usable.
    Weighted,
    /// The proxy's own first, as far as its share of hosts goes; of priority 0, and not where hashes pick.
    ZoneAware(ZoneAware),
}

/// How much of the traffic stays where the proxy is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneAware {
    /// Where the proxy is: region, zone and sub-zone.
    pub place: [String; 3],
    /// Where the proxies like this one are, itself included (Envoy's local cluster). With fewer than two places, or none
    /// at `place`, localities are not told apart.
    pub peers: Vec<Peers>,
    /// With fewer healthy hosts than this, localities are not told apart.
    #[serde(default = "min_cluster_size")]
    pub min_cluster_size: u64,
    /// How many of a hundred messages heed localities.
    #[serde(default = "hundred")]
    pub routing_enabled: u32,
    /// True if messages are refused below the panic threshold, where otherwise all hosts are used.
    #[serde(default)]
    pub fail_on_panic: bool,
}

const fn min_cluster_size() -> u64 {
    6
}

const fn hundred() -> u32 {
    100
}

/// The proxies of one place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// Region, zone and sub-zone.
    pub place: [String; 3],
    /// How many there are.
    pub all: u64,
    /// How many of them are healthy.
    pub healthy: u64,
}

/// Bounds; beyond them requests are answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Most connections.
    pub max_connections: u32,
    /// Most requests that wait for a connection.
    pub max_pending: u32,
    /// Most requests under way.
    pub max_requests: u32,
    /// Most requests that are tried again.
    pub max_retries: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { max_connections: 1024, max_pending: 1024, max_requests: 1024, max_retries: 3 }
    }
}

/// When hosts are left out, and for how long.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outliers {
    /// After so many failures in a row; 0 for never.
    pub consecutive_failures: u32,
    /// After so many failures to connect, or to be in time, in a row, which then don't count as the other failures do; 0
    /// for never. Without it they count alike (Envoy's `split_external_local_origin_errors`).
    #[serde(default)]
    pub consecutive_local_failures: Option<u32>,
    /// How often it is looked whether hosts may come back.
    pub interval: u64,
    /// How long a host is left out the first time; it grows with each.
    pub base_ejection_time: u64,
    /// The most it grows to.
    pub max_ejection_time: u64,
    /// Most hosts left out at a time, in percent.
    pub max_ejection_percent: u32,
    /// True if one host may be left out whatever the percentage.
    #[serde(default)]
    pub always_one: bool,
}

/// How a new host is led in.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowStart {
    /// For how long.
    pub window: u64,
    /// The exponent of growth: 1 is linear.
    pub aggression: f64,
    /// The least share of its weight, in percent.
    pub min_weight_percent: f64,
}

/// The hosts of a cluster, by priority from 0 on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// Each a list of localities.
    pub priorities: Vec<Vec<Locality>>,
    /// The share of healthy hosts is worth so many percent of itself: with 140 a priority with 72 % of its hosts healthy
    /// gets all of its traffic.
    #[serde(default = "overprovisioning")]
    pub overprovisioning: u32,
    /// True if hosts count by their weights in the health of a priority.
    #[serde(default)]
    pub weighted_health: bool,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { priorities: Vec::new(), overprovisioning: overprovisioning(), weighted_health: false }
    }
}

const fn overprovisioning() -> u32 {
    140
}

/// Hosts of one place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locality {
    /// Its region, zone and sub-zone.
    #[serde(default)]
    pub place: [String; 3],
    /// Its weight, where localities are weighted; 0 for no traffic.
    #[serde(default = "one")]
    pub weight: u32,
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// `ip:port`.
    pub address: String,
    /// The name it was resolved from.
    #[serde(default)]
    pub hostname: String,
    /// Its weight, at least 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// What is known of its health.
    #[serde(default)]
    pub health: Health,
    /// What it is hashed by, instead of its address: its metadata `envoy.lb` `hash_key`, or its hostname in clusters that
    /// hash by hostnames. An empty one counts as none.
    #[serde(default)]
    pub hash_key: Option<String>,
}

const fn one() -> u32 {
    1
}

/// What discovery or an active check says of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It can be used.
    #[default]
    Healthy,
    /// It is used if there are too few others.
    Degraded,
    /// It is not used.
    Unhealthy,
    /// It gets no new requests; those under way are finished.
    Draining,
}
