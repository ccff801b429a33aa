//! Tables in which a hash finds its host: rings (ketama) and Maglev, entry for entry as Envoy makes them.

use xxhash_rust::xxh64::xxh64;

/// The seed with which libstdc++ hashes strings.
const STD_HASH_SEED: u64 = 0xc70f_6907;

/// A host as a table sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Its place in the set of hosts.
    pub host: u32,
    /// What it is hashed by.
    pub key: &'a str,
    /// Its weight: as configured, and of [`normalized`] entries its part of all weights, which are 1 together.
    pub weight: f64,
}

/// Hosts with their weights made parts of 1: each group has its part by its own weight, and shares it among its hosts by
/// theirs (Envoy's `normalizeHostWeights` and `normalizeLocalityWeights`). Groups of weight 0 are left out.
pub(super) fn normalized<'a>(groups: &[(u32, Vec<Entry<'a>>)]) -> Vec<Entry<'a>> {
    let all: f64 = groups.iter().map(|group| f64::from(group.0)).sum();
    let mut entries = Vec::new();
    for (weight, hosts) in groups.iter().filter(|group| group.0 > 0) {
        let part = f64::from(*weight) / all;
        // Of whole numbers below 2^32 together: exact.
        let sum: f64 = hosts.iter().map(|host| host.weight).sum();
        entries.extend(hosts.iter().map(|host| Entry { weight: host.weight * part / sum, ..*host }));
    }
    entries
}

/// Where a hash finds its host.
#[derive(Debug)]
pub(super) enum Table {
    Ring(Ring),
    Maglev(Maglev),
}

impl Table {
    /// The host of a hash. A later `attempt` than 0 leads to others, as far as the table has it so.
    pub fn find(&self, hash: u64, attempt: u32) -> Option<u32> {
        match self {
            Self::Ring(ring) => ring.find(hash, attempt),
            Self::Maglev(maglev) => maglev.find(hash, attempt),
        }
    }
}

/// Points on a ring, each of a host; a hash belongs to the next point.
#[derive(Debug)]
pub(super) struct Ring {
    points: Box<[u64]>,
    hosts: Box<[u32]>,
}

impl Ring {
    /// Envoy's `RingHashLoadBalancer::Ring`: the lightest host gets a whole number of points, the others in proportion,
    /// point i of a host at the hash of `<key>_<i>`.
    pub fn new(entries: &[Entry], min_size: u64, max_size: u64, murmur: bool) -> Self {
        let lightest = entries.iter().map(|entry| entry.weight).fold(1.0, f64::min);
        let scale = ((lightest * min_size as f64).ceil() / lightest).min(max_size as f64);
        let (mut current, mut target) = (0.0_f64, 0.0_f64);
        let mut points = Vec::with_capacity(scale.ceil() as usize);
        let mut key = String::new();
        for entry in entries {
            target += scale * entry.weight;
            let mut number = 0;
            while current < target {
                key.clear();
                key.push_str(entry.key);
                key.push('_');
                key.push_str(&number.to_string());
                let point = if murmur { murmur_hash2(key.as_bytes(), STD_HASH_SEED) } else { xxh64(key.as_bytes(), 0) };
                points.push((point, entry.host));
                number += 1;
                current += 1.0;
            }
        }
        points.sort_by_key(|point| point.0);
        Self {
            points: points.iter().map(|point| point.0).collect(),
            hosts: points.iter().map(|point| point.1).collect(),
        }
    }

    fn find(&self, hash: u64, attempt: u32) -> Option<u32> {
        // Past the last point the ring begins again.
        let next = self.points.partition_point(|&point| point < hash);
        self.hosts.get((next + attempt as usize).checked_rem(self.points.len())?).copied()
    }
}

/// A table of hosts (Maglev: A Fast and Reliable Software Network Load Balancer, section 3.4, with weights).
#[derive(Debug)]
pub(super) struct Maglev {
    /// One slot if there is one host only.
    slots: Box<[u32]>,
}

impl Maglev {
    /// Envoy's `MaglevTable`. `size` is a prime.
    pub fn new(entries: &[Entry], size: u64) -> Self {
        /// The slots a host would like to have, in its order, and how far it got.
        struct Wish {
            host: u32,
            weight: f64,
            target: f64,
            slot: u64,
            skip: u64,
        }
        if let [only] = entries {
            return Self { slots: Box::new([only.host]) };
        }
        let heaviest = entries.iter().map(|entry| entry.weight).fold(0.0, f64::max);
        // Sorted by key, so that the table does not depend on the order in which discovery named the hosts.
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by_key(|entry| entry.key);
        let wish = |entry: &&Entry| Wish {
            host: entry.host,
            weight: entry.weight,
            target: 0.0,
            slot: xxh64(entry.key.as_bytes(), 0) % size,
            skip: xxh64(entry.key.as_bytes(), 1) % (size - 1) + 1,
        };
        let mut wishes: Vec<Wish> = sorted.iter().map(wish).collect();
        const FREE: u32 = u32::MAX;
        let mut slots = vec![FREE; if wishes.is_empty() { 0 } else { size as usize }];
        let mut free = slots.len();
        let mut round = 0.0;
        while free > 0 {
            round += 1.0;
            for wish in &mut wishes {
                if free == 0 {
                    break;
                }
                // The heaviest is served in every round, one of a third of its weight in every third.
                if round * wish.weight < wish.target {
                    continue;
                }
                wish.target += heaviest;
                while slots[wish.slot as usize] != FREE {
                    wish.slot = (wish.slot + wish.skip) % size;
                }
                slots[wish.slot as usize] = wish.host;
                free -= 1;
            }
        }
        Self { slots: slots.into() }
    }

    fn find(&self, mut hash: u64, attempt: u32) -> Option<u32> {
        if attempt > 0 {
            hash ^= (!0 - u64::from(attempt)).wrapping_add(1);
        }
        self.slots.get(hash.checked_rem(self.slots.len() as u64)? as usize).copied()
    }
}

/// MurmurHash2 with 64 bits as libstdc++ has it (`_Hash_bytes` in hash_bytes.cc), and Envoy with it.
fn murmur_hash2(bytes: &[u8], seed: u64) -> u64 {
    const MUL: u64 = 0xc6a4_a793_5bd1_e995;
    let mix = |value: u64| value ^ (value >> 47);
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MUL);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash ^= mix(u64::from_le_bytes(*word).wrapping_mul(MUL)).wrapping_mul(MUL);
        hash = hash.wrapping_mul(MUL);
    }
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        hash = hash.wrapping_mul(MUL);
    }
    mix(mix(hash).wrapping_mul(MUL))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected tables are those of Envoy's test/extensions/load_balancing_policies/ring_hash/ring_hash_lb_test.cc and
    // .../maglev/maglev_lb_test.cc; the tests have the names there.

    fn addresses(ports: impl Iterator<Item = u32>) -> Vec<String> {
        ports.map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// One group of hosts with these keys and weights.
    fn hosts<'a>(keys: &'a [String], weights: &[u32]) -> Vec<Entry<'a>> {
        let entry = |((host, key), &weight): ((u32, &'a String), &u32)| Entry { host, key, weight: weight.into() };
        (0..).zip(keys).zip(weights).map(entry).collect()
    }

    fn equal(keys: &[String]) -> Vec<Entry<'_>> {
        normalized(&[(1, hosts(keys, &vec![1; keys.len()]))])
    }

    /// Localities with their weights, each of one or more hosts with theirs.
    fn localities<'a>(keys: &'a [String], localities: &[(u32, &[u32])]) -> Vec<Entry<'a>> {
        let mut all = (0..).zip(keys);
        let mut groups = Vec::new();
        for (weight, hosts) in localities {
            let members = all.by_ref().take(hosts.len()).zip(*hosts);
            let entry = |((host, key), &weight): ((u32, &'a String), &u32)| Entry { host, key, weight: weight.into() };
            groups.push((*weight, members.map(entry).collect()));
        }
        normalized(&groups)
    }

    fn ring(entries: &[Entry], min_size: u64, max_size: u64) -> Ring {
        Ring::new(entries, min_size, max_size, false)
    }

    fn points(ring: &Ring) -> Vec<(u32, u64)> {
        ring.hosts.iter().copied().zip(ring.points.iter().copied()).collect()
    }

    /// How many of so many hashes, evenly spread, each host gets.
    fn hits(ring: &Ring, hashes: u64, hosts: usize) -> Vec<u32> {
        let mut counts = vec![0; hosts];
        for hash in 0..hashes {
            counts[ring.find(hash * (u64::MAX / hashes), 0).unwrap() as usize] += 1;
        }
        counts
    }

    const MAX: u64 = 8 << 20;

    #[test]
    fn ring_basic() {
        let keys = addresses(90..96);
        let ring = ring(&equal(&keys), 12, MAX);
        let expected = [
            (4, 833437586790550860),
            (2, 928266305478181108),
            (0, 1033482794131418490),
            (5, 3551244743356806947),
            (3, 3851675632748031481),
            (1, 5583722120771150861),
            (1, 6311230543546372928),
            (3, 7700377290971790572),
            (5, 13144177310400110813),
            (2, 13444792449719432967),
            (4, 15516499411664133160),
            (0, 16117243373044804889),
        ];
        assert_eq!(points(&ring), expected);
        for (hash, host) in [(0, 4), (u64::MAX, 4), (3551244743356806947, 5), (3551244743356806948, 3)] {
            assert_eq!(ring.find(hash, 0), Some(host), "{hash}");
        }
        assert_eq!(ring.find(16117243373044804880, 0), Some(0));
    }

    #[test]
    fn ring_basic_with_murmur2() {
        let keys = addresses(80..86);
        let ring = Ring::new(&equal(&keys), 12, MAX, true);
        let expected = [
            (5, 1358027074129602068),
            (3, 4361834613929391114),
            (4, 7224494972555149682),
            (1, 7701421856454313576),
            (2, 8649315368077433379),
            (4, 8739448859063030639),
            (1, 9887544217113020895),
            (2, 10150910876324007731),
            (3, 15168472011420622455),
            (0, 15427156902705414897),
            (5, 16375050414328759093),
            (0, 17613279263364193813),
        ];
        assert_eq!(points(&ring), expected);
        assert_eq!(ring.find(1358027074129602069, 0), Some(3));
        assert_eq!(ring.find(10150910876324007730, 0), Some(2));
    }

    /// Envoy's test/common/common/hash_test.cc.
    #[test]
    fn murmur2_is_that_of_libstdcxx() {
        let vectors = [
            ("foo", 9631199822919835226),
            ("bar", 11474628671133349555),
            ("foo\nbar", 16306510975912980159),
            ("lyft", 12847078931730529320),
            ("", 6142509188972423790),
        ];
        for (text, hash) in vectors {
            assert_eq!(murmur_hash2(text.as_bytes(), STD_HASH_SEED), hash, "{text:?}");
        }
    }

    /// BasicWithHostname and BasicWithMetadataHashKey: the same ring by other keys than addresses.
    #[test]
    fn ring_basic_with_hash_key() {
        let keys: Vec<String> = (90..96).map(|key| key.to_string()).collect();
        let expected = [
            (5, 1975508444536362413),
            (5, 2376063919839173711),
            (3, 2386806903309390596),
            (4, 6749904478991551885),
            (3, 6803900775736438537),
            (2, 7225015537174310577),
            (0, 8787465352164086522),
            (2, 11282020843382717940),
            (1, 13723418369486627818),
            (0, 13776502110861797421),
            (1, 14338313586354474791),
            (4, 15364271037087512980),
        ];
        assert_eq!(points(&ring(&equal(&keys), 12, MAX)), expected);
    }

    #[test]
    fn ring_basic_with_retry_host_predicate() {
        let keys = addresses(90..96);
        let ring = ring(&equal(&keys), 12, MAX);
        assert_eq!([0, 1, 2, 13].map(|attempt| ring.find(0, attempt)), [Some(4), Some(2), Some(0), Some(2)]);
    }

    #[test]
    fn ring_uneven_hosts() {
        let expected =
            [(0, 5454692015285649509), (1, 7859399908942313493), (0, 13838424394637650569), (1, 16064866803292627174)];
        assert_eq!(points(&ring(&equal(&addresses(80..82)), 3, MAX)), expected);
        let expected =
            [(0, 7859399908942313493), (1, 8241336090459785962), (1, 12882406409176325258), (0, 16064866803292627174)];
        assert_eq!(points(&ring(&equal(&addresses(81..83)), 3, MAX)), expected);
    }

    /// HostWeightedTinyRing and LocalityWeightedTinyRing.
    #[test]
    fn ring_weighted_tiny() {
        let keys = addresses(90..94);
        let by_host = normalized(&[(1, hosts(&keys, &[1, 2, 3]))]);
        let by_locality = localities(&keys, &[(1, &[1]), (2, &[1]), (3, &[1]), (0, &[1])]);
        let expected = [
            (2, 928266305478181108),
            (2, 4443673547860492590),
            (1, 5583722120771150861),
            (1, 6311230543546372928),
            (2, 13444792449719432967),
            (0, 16117243373044804889),
        ];
        assert_eq!(points(&ring(&by_host, 6, 6)), expected);
        assert_eq!(points(&ring(&by_locality, 6, 6)), expected);
    }

    /// HostWeightedLargeRing and LocalityWeightedLargeRing.
    #[test]
    fn ring_weighted_large() {
        let keys = addresses(90..94);
        let by_host = ring(&normalized(&[(1, hosts(&keys, &[1, 2, 3]))]), 6144, MAX);
        assert_eq!(by_host.points.len(), 6144);
        assert_eq!(hits(&by_host, 6000, 3), [987, 1932, 3081]);
        let by_locality = localities(&keys, &[(1, &[1]), (2, &[1]), (3, &[1]), (0, &[1])]);
        assert_eq!(hits(&ring(&by_locality, 6144, MAX), 6000, 4), [987, 1932, 3081, 0]);
    }

    /// HostAndLocalityWeightedTinyRing and HostAndLocalityWeightedLargeRing.
    #[test]
    fn ring_host_and_locality_weighted() {
        let keys = addresses(90..94);
        let entries = localities(&keys, &[(1, &[1, 2]), (2, &[1, 2])]);
        let expected = [
            (2, 928266305478181108),
            (3, 3851675632748031481),
            (1, 5583722120771150861),
            (1, 6311230543546372928),
            (3, 7700377290971790572),
            (3, 12559126875973811811),
            (2, 13444792449719432967),
            (3, 13784988426630141778),
            (0, 16117243373044804889),
        ];
        assert_eq!(points(&ring(&entries, 9, 9)), expected);
        let large = ring(&entries, 9216, MAX);
        assert_eq!(large.points.len(), 9216);
        assert_eq!(hits(&large, 9000, 4), [924, 2009, 2053, 4014]);
    }

    #[test]
    fn ring_zero_locality_weights() {
        let keys = addresses(90..92);
        let ring = ring(&localities(&keys, &[(0, &[1]), (0, &[1])]), 1024, MAX);
        assert_eq!(ring.find(7, 0), None);
    }

    #[test]
    fn ring_small_fractional_scale() {
        let counts = hits(&ring(&equal(&addresses(90..94)), 2, 2), 1024, 4);
        assert_eq!(counts.iter().filter(|&&count| count == 0).count(), 2);
    }

    #[test]
    fn ring_large_fractional_scale() {
        let keys = addresses(90..92);
        let ring = ring(&equal(&keys), 1023, 1023);
        assert_eq!(ring.hosts.iter().filter(|&&host| host == 0).count(), 512);
        assert_eq!(hits(&ring, 1023, 2), [526, 497]);
    }

    #[test]
    fn ring_lopsided_weight_small_scale() {
        let keys = addresses(0..1024);
        let ring = ring(&localities(&keys, &[(127, &[1]), (1, &[1; 1023])]), 1024, 1024);
        assert_eq!(ring.points.len(), 1024);
        assert_eq!(ring.hosts.iter().filter(|&&host| host == 0).count(), 1016);
        let expected = [
            (11664790346325243808, 1),
            (15894554872961148518, 128),
            (13958138884277627155, 256),
            (15803774069438192949, 384),
            (3829253010855396576, 512),
            (17918147347826565154, 640),
            (6442769608292299103, 768),
            (5881074926069334434, 896),
        ];
        for (hash, host) in expected {
            assert_eq!(ring.find(hash, 0), Some(host), "{hash}");
        }
    }

    #[test]
    fn maglev_no_host_and_single_host() {
        assert_eq!(Maglev::new(&[], 7).find(3, 0), None);
        let keys = addresses(90..91);
        let maglev = Maglev::new(&equal(&keys), 7);
        assert!((0..5).all(|hash| maglev.find(hash, 0) == Some(0)));
        assert_eq!(maglev.find(3, 1), Some(0));
    }

    /// Basic and BasicStability.
    #[test]
    fn maglev_basic() {
        let keys = addresses(90..96);
        let mut entries = equal(&keys);
        assert_eq!(*Maglev::new(&entries, 7).slots, [2, 4, 0, 1, 5, 0, 3]);
        entries.reverse();
        entries.swap(1, 4);
        assert_eq!(*Maglev::new(&entries, 7).slots, [2, 4, 0, 1, 5, 0, 3]);
    }

    /// BasicWithHostName and BasicWithMetadataHashKey.
    #[test]
    fn maglev_basic_with_hash_key() {
        let keys: Vec<String> = (90..96).map(|key| key.to_string()).collect();
        assert_eq!(*Maglev::new(&equal(&keys), 7).slots, [2, 5, 0, 3, 4, 1, 0]);
    }

    #[test]
    fn maglev_basic_with_retry_host_predicate() {
        let keys = addresses(90..96);
        let maglev = Maglev::new(&equal(&keys), 7);
        assert_eq!([0, 1, 2].map(|attempt| maglev.find(10, attempt)), [Some(1), Some(0), Some(5)]);
    }

    #[test]
    fn maglev_weighted() {
        let keys = addresses(90..92);
        let maglev = Maglev::new(&normalized(&[(1, hosts(&keys, &[1, 2]))]), 17);
        assert_eq!(*maglev.slots, [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]);
    }

    /// LocalityWeightedSameLocalityWeights and LocalityWeightedDifferentLocalityWeights.
    #[test]
    fn maglev_locality_weighted() {
        let keys = addresses(90..92);
        let maglev = Maglev::new(&localities(&keys, &[(1, &[1]), (1, &[2])]), 17);
        assert_eq!(*maglev.slots, [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
        let keys = ["127.0.0.1:90", "127.0.0.1:92", "127.0.0.1:91"].map(str::to_owned);
        let maglev = Maglev::new(&localities(&keys, &[(8, &[1]), (0, &[3]), (2, &[2])]), 17);
        assert_eq!(*maglev.slots, [2, 0, 0, 0, 0, 0, 2, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn maglev_locality_weighted_all_zero() {
        let keys = addresses(90..91);
        assert_eq!(Maglev::new(&localities(&keys, &[(0, &[1])]), 17).find(0, 0), None);
    }

    #[test]
    fn maglev_locality_weighted_lopsided() {
        let keys = addresses(0..1024);
        let maglev = Maglev::new(&localities(&keys, &[(127, &[1]), (1, &[1; 1023])]), 65537);
        let mut counts = [0; 1024];
        for &host in &maglev.slots {
            counts[host as usize] += 1;
        }
        assert_eq!(counts[0], 65537 - 1023);
        assert!(counts[1..].iter().all(|&count| count == 1));
    }
}
