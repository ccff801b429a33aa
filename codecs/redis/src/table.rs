//! What a server says of its commands: flags, and where their keys stand.
//!
//! `commands.tsv` is the answer of a server to COMMAND, dated in its first line; `commands.py` writes it and describes its
//! columns. It is read once, when the first command is looked up.

use std::sync::LazyLock;

use hashbrown::HashTable;

const TEXT: &str = include_str!("commands.tsv");

/// Entries by their names, in any case. All are known beforehand, so a plain hash of few instructions will do.
type Named = HashTable<(Box<[u8]>, Entry)>;

struct Table {
    commands: Named,
    /// By both names, with a bar between.
    subcommands: Named,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { commands: Named::new(), subcommands: Named::new() };
    // A command comes before its subcommands.
    for (name, entry) in TEXT.lines().filter_map(Entry::read) {
        let of_container = name.iter().position(|byte| *byte == b'|');
        if let Some(container) = of_container.and_then(|bar| name.get(..bar)) {
            let named = table.commands.find_mut(hash(container), |(name, _)| name.eq_ignore_ascii_case(container));
            if let Some((_, entry)) = named {
                entry.has_subcommands = true;
            }
        }
        let place = if of_container.is_some() { &mut table.subcommands } else { &mut table.commands };
        place.insert_unique(hash(&name), (name, entry), |(name, _)| hash(name));
    }
    table
});

/// FNV-1a of the name in small letters, its upper half mixed in where the table looks.
fn hash(name: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = name.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte | 0x20)).wrapping_mul(PRIME));
    hash ^ hash >> 32
}

fn find(table: &'static Named, wanted: &[u8]) -> Option<&'static Entry> {
    // Names are short: byte by byte is quicker than what is made for long ones.
    let same =
        |name: &[u8]| name.len() == wanted.len() && name.iter().zip(wanted).all(|(a, b)| *a == b.to_ascii_lowercase());
    table.find(hash(wanted), |(name, _)| same(name)).map(|(_, entry)| entry)
}

/// Longest name of a subcommand, with that of its command.
const MAX_NAME_LEN: usize = 64;

/// What a command does with the keys that a specification finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// They are channels.
    NoKey,
}

/// Where a specification begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At this position.
    Index(usize),
    /// Behind this word, which is searched from this position on.
    Keyword(&'static str, usize),
    /// Behind this word, which is searched from so far before the end backwards.
    KeywordBackwards(&'static str, usize),
}

/// Which arguments are keys from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Find {
    /// Up to a position counted from the beginning, or from the end if negative; of what is left only a part.
    Range { last: isize, step: usize, limit: usize },
    /// As many as an argument says.
    Count { at: usize, first: usize, step: usize },
}

/// Where some of the keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) access: Access,
    pub(crate) begin: Begin,
    pub(crate) find: Find,
}

/// A command or subcommand.
#[derive(Debug)]
pub(crate) struct Entry {
    /// In capitals; of a subcommand, the part behind the bar.
    pub(crate) name: Box<str>,
    pub(crate) arity: isize,
    /// As the server says them, with commas between.
    pub(crate) flags: &'static str,
    pub(crate) specs: Vec<Spec>,
    pub(crate) has_subcommands: bool,
    /// Its first argument, if there is one, is its first key.
    pub(crate) key_first: bool,
    /// It leaves nothing on its connection, and does not wait there for what others do.
    pub(crate) is_free: bool,
}

/// Commands besides those that read and write keys that leave nothing on their connection. Scripts hold up the whole server
/// while they run, whoever asks for them.
const FREE: [&str; 8] = ["echo", "eval", "evalsha", "fcall", "ping", "publish", "spublish", "time"];

impl Entry {
    /// A line of the table, but no comment.
    fn read(line: &'static str) -> Option<(Box<[u8]>, Self)> {
        let mut columns = line.split('\t');
        let (name, arity, flags) = (columns.next()?, columns.next()?, columns.next()?);
        let specs = columns.nth(3)?;
        let own = name.rsplit('|').next()?.to_ascii_uppercase().into();
        let specs: Vec<Spec> = specs.split(';').filter_map(spec).collect();
        let key_first = matches!(
            specs.first(),
            Some(Spec {
                access: Access::Read | Access::Write,
                begin: Begin::Index(1),
                find: Find::Range { last: 0, .. }
            })
        );
        let has = |wanted| flags.split(',').any(|flag| flag == wanted);
        let is_free = FREE.contains(&name) || (has("readonly") || has("write")) && !has("blocking");
        Some((
            name.as_bytes().into(),
            Self { name: own, arity: arity.parse().ok()?, flags, specs, has_subcommands: false, key_first, is_free },
        ))
    }

    pub(crate) fn has_flag(&self, wanted: &str) -> bool {
        self.flags.split(',').any(|flag| flag == wanted)
    }

    /// `read` or `write`; a command that does neither with keys, and is not said to write, has none.
    pub(crate) fn access(&self) -> Option<&'static str> {
        let keys = |access| self.specs.iter().any(|spec| spec.access == access);
        if self.has_flag("write") || keys(Access::Write) {
            Some("write")
        } else if self.has_flag("readonly") || keys(Access::Read) {
            Some("read")
        } else {
            None
        }
    }

    /// True if so many arguments, the name among them, are not too few and not too many.
    pub(crate) fn takes(&self, count: usize) -> bool {
        if self.arity < 0 { count >= self.arity.unsigned_abs() } else { count == self.arity.unsigned_abs() }
    }
}

/// A specification; `None` for those that do not say where the keys are.
fn spec(text: &'static str) -> Option<Spec> {
    let mut parts = text.split(' ');
    let (flags, begin, find) = (parts.next()?, parts.next()?, parts.next()?);
    let access = match flags.split(',').next()? {
        _ if flags.split(',').any(|flag| flag == "not_key") => Access::NoKey,
        "RO" => Access::Read,
        _ => Access::Write,
    };
    let mut numbers = begin.split(':');
    let begin = match (numbers.next()?, numbers.next()?, numbers.next()) {
        ("index", at, None) => Begin::Index(at.parse().ok()?),
        ("keyword", word, Some(from)) => match from.strip_prefix('-') {
            Some(from) => Begin::KeywordBackwards(word, from.parse().ok()?),
            None => Begin::Keyword(word, from.parse().ok()?),
        },
        _ => return None,
    };
    let mut numbers = find.split(':');
    let (kind, a, b, c) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    let find = match kind {
        "range" => Find::Range { last: a.parse().ok()?, step: b.parse().ok()?, limit: c.parse().ok()? },
        "keynum" => Find::Count { at: a.parse().ok()?, first: b.parse().ok()?, step: c.parse().ok()? },
        _ => return None,
    };
    Some(Spec { access, begin, find })
}

/// The command of this name, in any case.
pub(crate) fn command(name: &[u8]) -> Option<&'static Entry> {
    find(&TABLE.commands, name)
}

/// The subcommand of these names, in any case.
pub(crate) fn subcommand(name: &[u8], sub: &[u8]) -> Option<&'static Entry> {
    let mut both = [0; MAX_NAME_LEN];
    let both = both.get_mut(..name.len() + 1 + sub.len())?;
    let (front, back) = both.split_at_mut_checked(name.len() + 1)?;
    front.get_mut(..name.len())?.copy_from_slice(name);
    *front.last_mut()? = b'|';
    back.copy_from_slice(sub);
    find(&TABLE.subcommands, both)
}

/// True if the name of a command begins so, in any case.
pub(crate) fn begins(front: &[u8]) -> bool {
    let alike = |name: &[u8]| name.get(..front.len()).is_some_and(|name| name.eq_ignore_ascii_case(front));
    TABLE.commands.iter().any(|(name, _)| alike(name))
}

/// The names of all commands.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static [u8]> {
    TABLE.commands.iter().map(|(name, _)| &**name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let lines = TEXT.lines().filter(|line| !line.starts_with('#')).count();
        assert!(TEXT.starts_with("# COMMAND of Redis "), "the first line says which server, and when");
        let Table { commands, subcommands } = &*TABLE;
        assert!(commands.len() > 200 && subcommands.len() > 90, "{} and {}", commands.len(), subcommands.len());
        assert_eq!(commands.len() + subcommands.len(), lines, "every line is a command, each of its own name");
        let longest = subcommands.iter().map(|(name, _)| name.len()).max();
        assert!(longest.is_some_and(|len| len < MAX_NAME_LEN), "{longest:?}");
    }

    #[test]
    fn every_specification_is_read_but_those_that_say_nothing() {
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            let told = line.split('\t').nth(6).unwrap_or_default();
            let told = told.split(';').filter(|spec| !spec.is_empty() && !spec.ends_with("unknown")).count();
            let (name, entry) = Entry::read(line).unwrap();
            assert_eq!(entry.specs.len(), told, "{}", String::from_utf8_lossy(&name));
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(command(b"gEt").map(|entry| (&*entry.name, entry.arity)), Some(("GET", 2)));
        assert_eq!(subcommand(b"CONFIG", b"get").map(|entry| &*entry.name), Some("GET"));
        assert!(command(b"config|get").is_none());
        assert!(command(b"nobody").is_none());
        assert!(command(&[b'x'; 65]).is_none());
        assert!(subcommand(&[b'x'; 32], &[b'x'; 32]).is_none());
        let access = |name: &[u8]| command(name).and_then(Entry::access);
        let expected = [Some("read"), Some("write"), Some("write"), Some("read"), None, None];
        assert_eq!([&b"GET"[..], b"SET", b"EVAL", b"EVAL_RO", b"PING", b"SPUBLISH"].map(access), expected);
    }
}
