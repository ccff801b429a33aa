//! Counters: written by one worker each, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread writes and all may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it. Only the thread that owns it may.
    #[inline]
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// Takes from it, down to 0 at least; for gauges.
    #[inline]
    pub fn sub(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).saturating_sub(by), Ordering::Relaxed);
    }

    /// What it says now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A histogram of times in milliseconds, in the buckets that Envoy gives Prometheus.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS.len() + 1],
    sum_us: Counter,
}

/// Upper bounds of the buckets, in milliseconds.
pub const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// The same in microseconds.
const BOUNDS_US: [u64; BOUNDS.len()] = {
    let mut bounds = [0; BOUNDS.len()];
    let mut at = 0;
    while at < BOUNDS.len() {
        bounds[at] = (BOUNDS[at] * 1000.0) as u64;
        at += 1;
    }
    bounds
};

impl Histogram {
    /// Notes a time in microseconds.
    #[inline]
    pub fn record(&self, us: u64) {
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(1);
        }
        self.sum_us.add(us);
    }

    /// How many there are in each bucket, and the sum in microseconds.
    #[must_use]
    pub fn read(&self) -> ([u64; BOUNDS.len() + 1], u64) {
        (std::array::from_fn(|at| self.buckets.get(at).map_or(0, Counter::get)), self.sum_us.get())
    }
}

/// Makes a struct of counters that can be listed by name.
macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$about])* pub $field: Counter),+ }

        impl $name {
            /// Every counter with its name.
            pub fn each(&self, show: &mut dyn FnMut(&'static str, u64)) {
                $(show(stringify!($field), self.$field.get());)+
            }
        }
    };
}

counters! {
    /// What one worker counts of one listener. Names are MetaProtocol Proxy's where it has them.
    ListenerStats {
        /// Connections accepted.
        downstream_cx_total,
        /// Connections that are open.
        downstream_cx_active,
        /// Bytes received from clients.
        downstream_cx_rx_bytes_total,
        /// Bytes sent to clients.
        downstream_cx_tx_bytes_total,
        /// Connections closed since nothing came or went for too long, or a frame took too long.
        idle_timeout,
        /// Connections closed since they were too old.
        max_connection_age,
        /// Connections that no codec wanted.
        detect_failed,
        /// Connections whose codec was found by their first bytes.
        detected,
        /// Requests and one-way messages.
        request,
        /// Requests that are answered.
        request_twoway,
        /// Messages that nobody answers.
        request_oneway,
        /// Streams that were opened.
        request_stream,
        /// Heartbeats.
        request_event,
        /// Requests under way.
        request_active,
        /// Messages of clients that could be read.
        request_decoding_success,
        /// Streams of clients that could not be read on.
        request_decoding_error,
        /// Edits of a route that a message could not take.
        request_mutation_error,
        /// Answers handed on.
        response,
        /// Answers that say success.
        response_success,
        /// Answers that tell an error.
        response_error,
        /// Answers that are an exception of the application.
        response_business_exception,
        /// Messages of hosts that could be read.
        response_decoding_success,
        /// Streams of hosts that could not be read on.
        response_decoding_error,
        /// Edits of a route that an answer could not take.
        response_mutation_error,
        /// Requests whose answer nobody is there to get, since the client has gone.
        response_error_caused_connection_close,
        /// Error replies made here.
        local_response_business_exception,
        /// Errors that the protocol could not say: the connection was closed.
        local_response_error,
        /// Heartbeats answered here.
        local_response_success,
        /// Errors because no route matched.
        route_not_found,
        /// Errors because there is no such cluster.
        cluster_not_found,
        /// Errors because no host could be used.
        no_healthy_upstream,
        /// Errors because a bound was reached.
        over_limit,
        /// Errors because no answer came in time.
        request_timeout,
        /// Errors because the host closed the connection, or could not be reached.
        upstream_reset,
        /// Errors because the host sent what is not the protocol.
        bad_response,
        /// Errors because the client sent what is not the protocol.
        bad_request,
        /// Errors of other kinds.
        unspecified_error,
        /// Requests that filters refused.
        denied,
        /// Requests whose connection was closed by the proxy before they were answered.
        cx_destroy_local_with_active_rq,
        /// Requests whose client closed before they were answered.
        cx_destroy_remote_with_active_rq,
        /// Times that a client was made to wait since what it sends could not be passed on.
        downstream_flow_control_paused_reading,
        /// Copies sent to mirrors.
        mirrored,
    }
}

counters! {
    /// What one worker counts of one cluster. Names are Envoy's.
    ClusterStats {
        /// Connections opened.
        upstream_cx_total,
        /// Connections that are open or being opened.
        upstream_cx_active,
        /// Connections that could not be opened.
        upstream_cx_connect_fail,
        /// Connections that were not open in time.
        upstream_cx_connect_timeout,
        /// Connections refused since there are too many.
        upstream_cx_overflow,
        /// Connections closed after their last request.
        upstream_cx_max_requests,
        /// Connections closed since nothing was asked for too long.
        upstream_cx_idle_timeout,
        /// Connections closed by the host.
        upstream_cx_destroy_remote,
        /// Connections closed by the host with requests under way.
        upstream_cx_destroy_remote_with_active_rq,
        /// Streams of hosts that could not be read on.
        upstream_cx_protocol_error,
        /// Bytes received from hosts.
        upstream_cx_rx_bytes_total,
        /// Bytes sent to hosts.
        upstream_cx_tx_bytes_total,
        /// Requests sent.
        upstream_rq_total,
        /// Requests under way.
        upstream_rq_active,
        /// Requests that waited for a connection.
        upstream_rq_pending_total,
        /// Requests refused since too many are under way or wait.
        upstream_rq_pending_overflow,
        /// Requests that went to another host since not a byte of them could be sent to the first; a connection that one
        /// client has for itself counts as one where no request waits on it.
        upstream_rq_moved,
        /// One-way messages of which not a byte could be sent to any host.
        upstream_rq_lost,
        /// Requests that were not answered in time.
        upstream_rq_timeout,
        /// Requests whose answer no client waits for any more.
        upstream_rq_cancelled,
        /// Answers that nothing asked for.
        upstream_rq_unmatched,
        /// Times that a host was made to wait since its client reads slowly.
        upstream_flow_control_paused_reading,
        /// Messages for the cluster while it is in maintenance.
        upstream_rq_maintenance_mode,
        /// Messages for which no host could be used.
        upstream_cx_none_healthy,
    }
}

/// All that one worker counts of one listener.
#[derive(Debug, Default)]
pub struct ListenerCounts {
    /// The counters.
    pub counters: ListenerStats,
    /// How long requests took.
    pub request_time_ms: Histogram,
}
