//! Captured streams through codecs: paired, filtered and summarised call records.
