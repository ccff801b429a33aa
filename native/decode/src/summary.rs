//! What was seen, in numbers: calls and latencies by method, and what could not be decoded.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hdrhistogram::Histogram;
use std::hash::BuildHasher;

use crate::json;

/// Methods counted apart. Names come from peers; beyond this many they are counted together.
const METHODS_MAX: usize = 4096;
/// Longest service and method name counted apart, in bytes together.
const NAME_MAX: usize = 1024;
/// Latencies are kept to two digits: 1 % is below what a capture's clock is worth.
const DIGITS: u8 = 2;

/// Numbers of one method.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) protocol: u16,
    pub(crate) service: Box<str>,
    pub(crate) method: Box<str>,
    /// `,"service":"…","method":"…"`, as rows show it.
    pub(crate) json: Box<[u8]>,
    counts: Counts,
    latency: Option<Latency>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    calls: u64,
    errors: u64,
    unanswered: u64,
    oneways: u64,
    request_bytes: u64,
    response_bytes: u64,
}

/// Which method a request is of.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// Counted apart, at this index.
    Known(u32),
    /// Counted with others; the name is kept for the row.
    Other(Box<OtherName>),
}

#[derive(Clone, Debug)]
pub(crate) struct OtherName {
    pub(crate) protocol: u16,
    pub(crate) service: Box<str>,
    pub(crate) method: Box<str>,
    pub(crate) json: Box<[u8]>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        let Self { calls, errors, unanswered, oneways, request_bytes, response_bytes, .. } = other;
        self.calls += calls;
        self.errors += errors;
        self.unanswered += unanswered;
        self.oneways += oneways;
        self.request_bytes += request_bytes;
        self.response_bytes += response_bytes;
    }
}

/// Latencies, and the exact ends of their range.
#[derive(Debug)]
struct Latency {
    histogram: Histogram<u32>,
    min_ns: u64,
    max_ns: u64,
}

impl Latency {
    fn record(place: &mut Option<Self>, nanos: u64) {
        if place.is_none() {
            *place = Histogram::new(DIGITS).ok().map(|histogram| Self { histogram, min_ns: nanos, max_ns: nanos });
        }
        if let Some(latency) = place {
            latency.min_ns = latency.min_ns.min(nanos);
            latency.max_ns = latency.max_ns.max(nanos);
            // Grows as needed; a latency of centuries would be refused, and counts as the longest so far.
            if latency.histogram.record(nanos).is_err() {
                latency.histogram.saturating_record(nanos);
            }
        }
    }

    fn add(place: &mut Option<Self>, other: Option<&Self>) {
        let Some(other) = other else { return };
        match place {
            None => {
                let (histogram, min_ns, max_ns) = (other.histogram.clone(), other.min_ns, other.max_ns);
                *place = Some(Self { histogram, min_ns, max_ns });
            }
            Some(latency) => {
                latency.min_ns = latency.min_ns.min(other.min_ns);
                latency.max_ns = latency.max_ns.max(other.max_ns);
                // Both grow by themselves, so that neither is too small for the other.
                let _ = latency.histogram.add(&other.histogram);
            }
        }
    }

    /// In nanoseconds.
    fn at(&self, quantile: f64) -> u64 {
        // The histogram answers with the end of a bucket, which may lie beyond all values.
        self.histogram.value_at_quantile(quantile).clamp(self.min_ns, self.max_ns)
    }
}

/// What one call adds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Answered { latency_ns: Option<u64>, error: bool },
    Unanswered,
    Oneway,
}

/// The methods, found by name without making one.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    all: Vec<Method>,
    index: HashTable<u32>,
    hasher: RandomState,
    last: u32,
    /// By protocol: the methods that are not counted apart.
    others: Vec<(u16, Counts, Option<Latency>)>,
}

fn names_json(service: &str, method: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(32 + service.len() + method.len());
    for (key, value) in [("service", service), ("method", method)] {
        if !value.is_empty() {
            out.push(b',');
            json::string(&mut out, key);
            out.push(b':');
            json::string(&mut out, value);
        }
    }
    out.into_boxed_slice()
}

impl Methods {
    /// The method with these names; a new one is entered.
    pub(crate) fn name(&mut self, protocol: u16, service: &str, method: &str) -> Name {
        let is = |entry: &Method| entry.protocol == protocol && *entry.method == *method && *entry.service == *service;
        // Calls come in runs of one method.
        if self.all.get(self.last as usize).is_some_and(is) {
            return Name::Known(self.last);
        }
        let hash = self.hasher.hash_one((protocol, service, method));
        if let Some(found) = self.index.find(hash, |index| self.all.get(*index as usize).is_some_and(is)) {
            self.last = *found;
            return Name::Known(*found);
        }
        if self.all.len() >= METHODS_MAX || service.len() + method.len() > NAME_MAX {
            return Name::Other(Box::new(OtherName {
                protocol,
                service: service.into(),
                method: method.into(),
                json: names_json(service, method),
            }));
        }
        let number = self.all.len() as u32;
        self.all.push(Method {
            protocol,
            service: service.into(),
            method: method.into(),
            json: names_json(service, method),
            counts: Counts::default(),
            latency: None,
        });
        let (all, hasher) = (&self.all, &self.hasher);
        self.index.insert_unique(hash, number, |index| {
            all.get(*index as usize)
                .map_or(0, |entry| hasher.hash_one((entry.protocol, &*entry.service, &*entry.method)))
        });
        self.last = number;
        Name::Known(number)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Method> {
        self.all.get(index as usize)
    }

    /// Counts a call.
    pub(crate) fn count(&mut self, name: &Name, outcome: Outcome, request_bytes: u64, response_bytes: u64) {
        let Some((counts, latency)) = self.place(name) else { return };
        counts.request_bytes += request_bytes;
        counts.response_bytes += response_bytes;
        match outcome {
            Outcome::Oneway => counts.oneways += 1,
            Outcome::Unanswered => {
                counts.calls += 1;
                counts.unanswered += 1;
            }
            Outcome::Answered { latency_ns, error } => {
                counts.calls += 1;
                counts.errors += u64::from(error);
                if let Some(nanos) = latency_ns {
                    Latency::record(latency, nanos);
                }
            }
        }
    }

    /// Where a method is counted.
    fn place(&mut self, name: &Name) -> Option<(&mut Counts, &mut Option<Latency>)> {
        match name {
            Name::Known(index) => {
                self.all.get_mut(*index as usize).map(|method| (&mut method.counts, &mut method.latency))
            }
            Name::Other(name) => self.others(name.protocol),
        }
    }

    fn others(&mut self, protocol: u16) -> Option<(&mut Counts, &mut Option<Latency>)> {
        let at = self.others.iter().position(|other| other.0 == protocol).unwrap_or_else(|| {
            self.others.push((protocol, Counts::default(), None));
            self.others.len() - 1
        });
        self.others.get_mut(at).map(|(_, counts, latency)| (counts, latency))
    }

    /// Adds what another table has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for method in &other.all {
            let name = self.name(method.protocol, &method.service, &method.method);
            if let Some((counts, latency)) = self.place(&name) {
                counts.add(&method.counts);
                Latency::add(latency, method.latency.as_ref());
            }
        }
        for (protocol, more, waits) in &other.others {
            if let Some((counts, latency)) = self.others(*protocol) {
                counts.add(more);
                Latency::add(latency, waits.as_ref());
            }
        }
    }

    /// Appends a JSON array of all methods, most called first.
    pub(crate) fn write(&self, out: &mut Vec<u8>, protocol_name: impl Fn(u16) -> String) {
        let mut order: Vec<&Method> =
            self.all.iter().filter(|method| method.counts.calls + method.counts.oneways > 0).collect();
        order.sort_by_key(|method| {
            let calls = method.counts.calls + method.counts.oneways;
            (std::cmp::Reverse(calls), method.protocol, &method.service, &method.method)
        });
        out.push(b'[');
        let mut first = true;
        let rows = order.iter().map(|entry| (entry.protocol, &*entry.json, &entry.counts, &entry.latency)).chain(
            self.others
                .iter()
                .map(|(protocol, counts, latency)| (*protocol, &b",\"method\":\"(others)\""[..], counts, latency)),
        );
        for (protocol, names, counts, latency) in rows {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"protocol\":");
            json::string(out, &protocol_name(protocol));
            out.extend_from_slice(names);
            for (key, number) in [
                ("calls", counts.calls),
                ("errors", counts.errors),
                ("unanswered", counts.unanswered),
                ("oneways", counts.oneways),
                ("request_bytes", counts.request_bytes),
                ("response_bytes", counts.response_bytes),
            ] {
                number_field(out, key, number);
            }
            if let Some(latency) = latency {
                out.extend_from_slice(b",\"latency_ms\":{\"min\":");
                json::millis(out, latency.min_ns);
                for (key, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    json::millis(out, latency.at(quantile));
                }
                out.extend_from_slice(b",\"max\":");
                json::millis(out, latency.max_ns);
                out.push(b'}');
            }
            out.push(b'}');
        }
        out.push(b']');
    }
}

/// Appends `,"key":number`.
pub(crate) fn number_field(out: &mut Vec<u8>, key: &str, number: u64) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    json::integer(out, number);
}

/// Numbers of the whole input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Rows that met the conditions.
    pub(crate) rows: u64,
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) oneways: u64,
    pub(crate) unanswered: u64,
    pub(crate) unasked: u64,
    pub(crate) heartbeats: u64,
    pub(crate) other_frames: u64,
    /// Frames that are broken, in their framing or inside.
    pub(crate) malformed: u64,
    /// Frames of which bytes are missing.
    pub(crate) incomplete: u64,
    /// Places where the capture lacks bytes of a recognised stream.
    pub(crate) gaps: u64,
    pub(crate) gap_bytes: u64,
    /// Bytes of recognised streams that belong to no frame.
    pub(crate) skipped_bytes: u64,
    pub(crate) streams: u64,
    /// Streams that carried bytes which no codec wanted.
    pub(crate) unrecognised_streams: u64,
    pub(crate) unrecognised_bytes: u64,
    /// Rows whose metadata was left out or cut, because too much of it was waiting for responses.
    pub(crate) cut_metadata: u64,
}

/// Every total once, so that none is forgotten in a sum or in the output.
macro_rules! totals {
    ($($name:ident)*) => {
        impl Totals {
            pub(crate) fn fields(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }

            pub(crate) fn add(&mut self, other: &Self) {
                let Self { $($name),* } = other;
                $(self.$name += $name;)*
            }
        }
    };
}

totals! {
    rows calls errors oneways unanswered unasked heartbeats other_frames malformed incomplete gaps gap_bytes
    skipped_bytes streams unrecognised_streams unrecognised_bytes cut_metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(methods: &Methods) -> String {
        let mut out = Vec::new();
        methods.write(&mut out, |protocol| format!("p{protocol}"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn methods_are_counted_apart() {
        let mut methods = Methods::default();
        for nanos in 1..=100_u64 {
            let name = methods.name(1, "a.B", "ping");
            methods.count(&name, Outcome::Answered { latency_ns: Some(nanos * 1_000_000), error: nanos == 7 }, 10, 20);
        }
        let name = methods.name(1, "a.B", "pong");
        methods.count(&name, Outcome::Oneway, 5, 0);
        let name = methods.name(2, "a.B", "ping");
        methods.count(&name, Outcome::Unanswered, 5, 0);
        let text = written(&methods);
        assert!(
            text.starts_with(
                "[{\"protocol\":\"p1\",\"service\":\"a.B\",\"method\":\"ping\",\"calls\":100,\"errors\":1,\
                 \"unanswered\":0,\"oneways\":0,\"request_bytes\":1000,\"response_bytes\":2000,\
                 \"latency_ms\":{\"min\":1,\"p50\":50.",
            ),
            "{text}"
        );
        assert!(
            text.contains("\"max\":100}},{\"protocol\":\"p1\",\"service\":\"a.B\",\"method\":\"pong\",\"calls\":0")
        );
        assert!(text.contains(
            "{\"protocol\":\"p2\",\"service\":\"a.B\",\"method\":\"ping\",\"calls\":1,\"errors\":0,\"unanswered\":1"
        ));
    }

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let mut methods = Methods::default();
        for number in 0..METHODS_MAX + 10 {
            let name = methods.name(0, "s", &number.to_string());
            methods.count(&name, Outcome::Oneway, 1, 0);
        }
        let long = "x".repeat(NAME_MAX + 1);
        let name = methods.name(0, "", &long);
        assert!(matches!(&name, Name::Other(other) if *other.method == *long));
        methods.count(&name, Outcome::Answered { latency_ns: Some(1), error: false }, 1, 0);
        assert_eq!(methods.all.len(), METHODS_MAX);
        assert!(
            written(&methods)
                .contains("\"method\":\"(others)\",\"calls\":1,\"errors\":0,\"unanswered\":0,\"oneways\":10")
        );
        assert!(matches!(methods.name(0, "s", "17"), Name::Known(17)));
    }
}
