//! Which arguments of a command are keys, and where in a cluster they live.

use metaprotocol_core::DecodeError;

use crate::command::Arguments;
use crate::table::{Access, Begin, Entry, Find, Spec};
use crate::wire::integer_value;

/// Most specifications that one command has.
const MAX_RANGES: usize = 4;
/// Hash slots of a cluster.
const SLOTS: u16 = 16384;

/// Positions of arguments: from `first` to `last`, every `step`th.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    first: usize,
    last: usize,
    step: usize,
}

/// Positions of keys among the arguments of a command, the name being argument 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Positions {
    ranges: [Range; MAX_RANGES],
    len: usize,
}

impl Positions {
    /// Of the keys, or of the channels that belong to a slot.
    pub(crate) fn of(entry: &Entry, arguments: &Arguments<'_>, channels: bool) -> Result<Self, DecodeError> {
        let mut found = Self::default();
        let wanted = |spec: &&Spec| (spec.access == Access::NoKey) == channels;
        let mut specs = entry.specs.iter().filter(wanted);
        if channels {
            specs.try_for_each(|spec| found.add(spec, arguments))?;
            return Ok(found);
        }
        match &*entry.name {
            "SORT" => {
                specs.try_for_each(|spec| found.add(spec, arguments))?;
                found.add_sort_destination(arguments)?;
            }
            "MIGRATE" => found.add_migrated(arguments)?,
            _ => specs.try_for_each(|spec| found.add(spec, arguments))?,
        }
        Ok(found)
    }

    fn push(&mut self, first: usize, last: usize, step: usize, count: usize) {
        // Servers refuse a command whose keys would lie beyond its arguments.
        if let Some(range) = self.ranges.get_mut(self.len)
            && first > 0
            && first <= last
            && last < count
        {
            *range = Range { first, last, step: step.max(1) };
            self.len += 1;
        }
    }

    fn add(&mut self, spec: &Spec, arguments: &Arguments<'_>) -> Result<(), DecodeError> {
        let begin = match spec.begin {
            Begin::Index(at) => Some(at),
            Begin::Keyword(word, from) => find(arguments, word, from)?,
            Begin::KeywordBackwards(word, back) => find_last(arguments, word, back)?,
        };
        let Some(begin) = begin else { return Ok(()) };
        match spec.find {
            Find::Range { last, step, limit } => {
                let back = last.unsigned_abs();
                let count = arguments.total();
                let last = match (last, limit) {
                    (0.., _) => begin + back,
                    (_, 2..) => (begin + count.saturating_sub(begin) / limit).saturating_sub(back),
                    _ => count.saturating_sub(back),
                };
                self.push(begin, last, step, count);
            }
            Find::Count { at, first, step } => {
                let Some(told) = arguments.clone().nth(begin + at).transpose()? else { return Ok(()) };
                let told = integer_value(&told.value).and_then(|told| usize::try_from(told).ok()).unwrap_or(0);
                if told > 0 {
                    let first = begin + first;
                    let last = first.saturating_add((told - 1).saturating_mul(step));
                    self.push(first, last, step, arguments.total());
                }
            }
        }
        Ok(())
    }

    /// `SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA] [STORE destination]`: the table
    /// cannot say where the destination is. The last STORE counts.
    fn add_sort_destination(&mut self, arguments: &Arguments<'_>) -> Result<(), DecodeError> {
        let (mut at, mut destination) = (2, None);
        let mut rest = arguments.clone().skip(2);
        while let Some(word) = rest.next().transpose()? {
            let is = |name: &str| word.value.eq_ignore_ascii_case(name.as_bytes());
            let takes = if is("LIMIT") {
                2
            } else if is("BY") || is("GET") || is("STORE") {
                1
            } else {
                0
            };
            if is("STORE") {
                destination = Some(at + 1);
            }
            for _ in 0..takes {
                rest.next().transpose()?;
            }
            at += 1 + takes;
        }
        if let Some(at) = destination {
            self.push(at, at, 1, arguments.total());
        }
        Ok(())
    }

    /// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password] [KEYS key …]`: there are
    /// keys behind KEYS only if the key is empty, and words behind AUTH are none of these.
    fn add_migrated(&mut self, arguments: &Arguments<'_>) -> Result<(), DecodeError> {
        const KEY: usize = 3;
        const OPTIONS: usize = 6;
        let count = arguments.total();
        let Some(key) = arguments.clone().nth(KEY).transpose()? else { return Ok(()) };
        if !key.value.is_empty() {
            self.push(KEY, KEY, 1, count);
            return Ok(());
        }
        let mut at = OPTIONS;
        let mut rest = arguments.clone().skip(OPTIONS);
        while let Some(word) = rest.next().transpose()? {
            let is = |name: &str| word.value.eq_ignore_ascii_case(name.as_bytes());
            if is("KEYS") {
                self.push(at + 1, count.saturating_sub(1), 1, count);
                break;
            }
            let takes = if is("AUTH2") { 2 } else { usize::from(is("AUTH")) };
            for _ in 0..takes {
                rest.next().transpose()?;
            }
            at += 1 + takes;
        }
        Ok(())
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> usize {
        self.ranges.iter().take(self.len).map(|range| (range.last - range.first) / range.step + 1).sum()
    }

    /// The position of the first key as the command has them.
    pub(crate) fn first(&self) -> Option<usize> {
        self.ranges.iter().take(self.len).map(|range| range.first).min()
    }

    /// True if the argument at this position is a key.
    pub(crate) fn contain(&self, at: usize) -> bool {
        self.ranges
            .iter()
            .take(self.len)
            .any(|range| (range.first..=range.last).contains(&at) && (at - range.first).is_multiple_of(range.step))
    }
}

/// The position behind the first `word` from `from` on. The last argument is not looked at: nothing comes behind it.
fn find(arguments: &Arguments<'_>, word: &str, from: usize) -> Result<Option<usize>, DecodeError> {
    let count = arguments.total();
    for (at, argument) in arguments.clone().enumerate().skip(from).take_while(|(at, _)| at + 1 < count) {
        if argument?.value.eq_ignore_ascii_case(word.as_bytes()) {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

/// The position behind the last `word` that is at least `back` before the end.
fn find_last(arguments: &Arguments<'_>, word: &str, back: usize) -> Result<Option<usize>, DecodeError> {
    let count = arguments.total();
    let mut found = None;
    for (at, argument) in arguments.clone().enumerate().skip(1).take_while(|(at, _)| at + back <= count) {
        if argument?.value.eq_ignore_ascii_case(word.as_bytes()) {
            found = Some(at + 1);
        }
    }
    Ok(found)
}

/// The part of a key between the first `{` and the next `}`, if there is anything between them: what is hashed instead of
/// the key, so that keys with the same tag live together.
pub(crate) fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')? + 1;
    let rest = key.get(open..)?;
    let len = rest.iter().position(|byte| *byte == b'}')?;
    if len == 0 { None } else { rest.get(..len) }
}

/// The slot of a key in a cluster: CRC-16/XMODEM of its hash tag, or of all of it, modulo 16384.
pub(crate) fn slot(key: &[u8]) -> u16 {
    let hashed = hash_tag(key).unwrap_or(key);
    let crc = hashed.iter().fold(0_u16, |crc, byte| {
        let at = usize::from(crc.to_be_bytes()[0] ^ byte);
        crc << 8 ^ CRC.get(at).copied().unwrap_or_default()
    });
    crc % SLOTS
}

/// Polynomial x^16 + x^12 + x^5 + 1, highest bit first.
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    /// What CLUSTER KEYSLOT of Redis 7.0.15 says.
    const TOLD: [(&[u8], u16); 8] = [
        (b"", 0),
        (b"foo", 12182),
        (b"bar", 5061),
        (b"123456789", 12739),
        (b"{user1000}.following", 3443),
        (b"user1000", 3443),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
    ];

    #[test]
    fn slots_are_those_of_a_server() {
        for (key, expected) in TOLD {
            assert_eq!(slot(key), expected, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn only_a_closed_tag_with_something_in_it_counts() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"a{b}c", Some(b"b")),
            (b"a{}c", None),
            (b"a{b", None),
            (b"a}b{c", None),
            (b"{a}{b}", Some(b"a")),
            (b"a{{b}}", Some(b"{b")),
        ];
        for (key, tag) in cases {
            assert_eq!(hash_tag(key), tag, "{}", String::from_utf8_lossy(key));
        }
    }

    /// The positions of the keys of a line.
    fn keys(line: &str) -> Vec<usize> {
        let arguments = Arguments::of_line(line.as_bytes());
        let mut words = line.split(' ');
        let (name, sub) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let entry = table::subcommand(name.as_bytes(), sub.as_bytes()).or(table::command(name.as_bytes())).unwrap();
        let positions = Positions::of(entry, &arguments, false).unwrap();
        let found: Vec<usize> = (0..line.split(' ').count()).filter(|at| positions.contain(*at)).collect();
        assert_eq!(positions.count(), found.len(), "{line}");
        assert_eq!(positions.first(), found.first().copied(), "{line}");
        found
    }

    #[test]
    fn keys_stand_where_a_server_says() {
        let cases: [(&str, &[usize]); 34] = [
            ("PING", &[]),
            ("GET k", &[1]),
            ("GET", &[]),
            ("DEL a b c", &[1, 2, 3]),
            ("MSET a 1 b 2", &[1, 3]),
            ("BLPOP a b 0", &[1, 2]),
            ("BITOP AND d a b", &[2, 3, 4]),
            ("RENAME a b", &[1, 2]),
            ("OBJECT ENCODING k", &[2]),
            ("MEMORY USAGE k SAMPLES 5", &[2]),
            ("EVAL s 2 a b c", &[3, 4]),
            ("EVAL s 0 a", &[]),
            ("EVAL s 9 a", &[]),
            ("EVAL s -1 a", &[]),
            ("EVAL s x a", &[]),
            ("FCALL f 1 a b", &[3]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", &[1, 3, 4]),
            ("ZUNION 2 a b WITHSCORES", &[2, 3]),
            ("LMPOP 2 a b LEFT", &[2, 3]),
            ("BLMPOP 0 1 a LEFT", &[3]),
            ("XREAD COUNT 2 STREAMS a b 0 0", &[4, 5]),
            ("XREADGROUP GROUP streams c STREAMS a >", &[5]),
            ("XREAD COUNT 2 STREAMS", &[]),
            ("SORT k BY w_* LIMIT 0 9 GET STORE GET # ALPHA STORE d", &[1, 13]),
            ("SORT k STORE a STORE b", &[1, 5]),
            ("SORT k BY STORE", &[1]),
            ("SORT_RO k BY STORE", &[1]),
            ("MIGRATE h 1 k 0 9", &[3]),
            ("MIGRATE h 1 \"\" 0 9 COPY KEYS a b", &[8, 9]),
            ("MIGRATE h 1 \"\" 0 9 AUTH KEYS KEYS a", &[9]),
            ("MIGRATE h 1 k 0 9 KEYS a", &[3]),
            ("GEORADIUS k 1 2 3 m STORE d", &[1, 7]),
            ("GEORADIUS k 1 2 3 m STOREDIST d", &[1, 7]),
            ("SPUBLISH c m", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(keys(line), expected, "{line}");
        }
    }
}
