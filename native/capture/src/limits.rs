//! The bounds on memory and patience.

use std::time::Duration;

/// What a capture may cost. Whatever is given up because of a limit is counted in [`Stats`](crate::Stats) and, where it
/// is stream data, reported as a gap.
///
/// Worst case with the defaults: about 64 MiB stored early data, 16 MiB IP fragments, 1 MiB record, 40 MiB flow table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of early data stored for one direction of one flow, bookkeeping included. Beyond, its first gap is given
    /// up. Default 8 MiB.
    pub stream_bytes: usize,
    /// Bytes of early data stored for all flows together. Beyond, the direction that has waited longest is given up.
    /// Default 64 MiB.
    pub total_bytes: usize,
    /// Flows kept, the recently closed included. Beyond, the oldest closed, else the least recently active flow goes.
    /// Default 65,536; at least 1.
    pub flows: usize,
    /// IP datagrams being put together from fragments, 64 KiB at most each. Beyond, the oldest goes. Default 256; 0
    /// drops all fragments.
    pub datagrams: usize,
    /// Longest packet record of a file in bytes; a longer one is taken as corruption. Default 1 MiB.
    pub record_bytes: usize,
    /// A flow without packets for so long, in capture time, is closed. Default one hour.
    pub idle_timeout: Duration,
    /// A closed flow is remembered for so long, so that stray retransmissions do not open it again. Default 10 s.
    pub linger: Duration,
    /// A direction that waits for missing bytes for so long, without getting on, gives the gap up. IP fragments are
    /// dropped after the same time. Default 30 s.
    pub gap_timeout: Duration,
    /// A gap whose end the receiver has acknowledged is given up after so long. More than zero, because a capture may
    /// hold an acknowledgement before the data it is for. Default 10 ms.
    pub ack_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_bytes: 8 << 20,
            total_bytes: 64 << 20,
            flows: 1 << 16,
            datagrams: 256,
            record_bytes: 1 << 20,
            idle_timeout: Duration::from_secs(3600),
            linger: Duration::from_secs(10),
            gap_timeout: Duration::from_secs(30),
            ack_grace: Duration::from_millis(10),
        }
    }
}

/// [`Limits`] as the hot path wants them: times in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) stream_bytes: usize,
    pub(crate) total_bytes: usize,
    pub(crate) flows: usize,
    pub(crate) idle_ns: u64,
    pub(crate) linger_ns: u64,
    pub(crate) gap_ns: u64,
    pub(crate) ack_grace_ns: u64,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            stream_bytes: limits.stream_bytes,
            total_bytes: limits.total_bytes,
            // Slots are u32, and the topmost number marks the end of a list.
            flows: limits.flows.clamp(1, u32::MAX as usize - 1),
            idle_ns: nanos(limits.idle_timeout),
            linger_ns: nanos(limits.linger),
            gap_ns: nanos(limits.gap_timeout),
            ack_grace_ns: nanos(limits.ack_grace),
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
