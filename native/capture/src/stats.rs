//! What was seen, in numbers.

/// Counters since the beginning of the capture. Every packet is counted in `packets` and, if it is no TCP segment, in
/// one of `unsupported_link`, `non_ip`, `non_tcp`, `malformed` or `fragments`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Packet records.
    pub packets: u64,
    /// Captured bytes in those records.
    pub packet_bytes: u64,
    /// TCP segments, those from reassembled fragments included.
    pub tcp_segments: u64,
    /// Packets of interfaces whose link type is not supported.
    pub unsupported_link: u64,
    /// The first link type that was not supported.
    pub unsupported_link_type: Option<u32>,
    /// Packets that carry neither IPv4 nor IPv6 (ARP and the like).
    pub non_ip: u64,
    /// IP packets that carry no TCP.
    pub non_tcp: u64,
    /// Packets whose headers contradict themselves, or are cut too short to be of use.
    pub malformed: u64,
    /// TCP segments whose end is not in the capture (snap length).
    pub truncated: u64,
    /// IP fragments.
    pub fragments: u64,
    /// IP datagrams put together from fragments.
    pub datagrams: u64,
    /// IP fragments that were dropped: contradictory, cut, too old or over the limit.
    pub fragments_dropped: u64,
    /// File blocks that hold no packets, or are of an unknown type (pcapng).
    pub skipped_blocks: u64,
    /// Payload bytes given to the sink.
    pub stream_bytes: u64,
    /// Segments that brought nothing new.
    pub retransmitted_segments: u64,
    /// Payload bytes that had been given, stored or given up before, whole segments and overlapping parts alike.
    pub retransmitted_bytes: u64,
    /// Segments that overlap with others only in part.
    pub overlaps: u64,
    /// TCP keep-alive probes.
    pub keep_alives: u64,
    /// Segments that came too early and were stored.
    pub out_of_order: u64,
    /// Gaps reported.
    pub gaps: u64,
    /// Bytes missing in them.
    pub gap_bytes: u64,
    /// Segments too far from the sequence number expected to belong to the stream.
    pub strays: u64,
    /// Payload bytes that came after the end of their flow or direction.
    pub after_close_bytes: u64,
    /// Flows opened.
    pub flows: u64,
    /// Flows given up because of [`Limits::flows`](crate::Limits::flows).
    pub evicted: u64,
    /// Times that early data was given up because of [`Limits::stream_bytes`](crate::Limits::stream_bytes) or
    /// [`Limits::total_bytes`](crate::Limits::total_bytes).
    pub over_limit: u64,
    /// Bytes of early data stored now, bookkeeping included.
    pub stored_bytes: u64,
    /// The most that `stored_bytes` has been.
    pub stored_bytes_peak: u64,
    /// Flows open now.
    pub open_flows: u64,
}
