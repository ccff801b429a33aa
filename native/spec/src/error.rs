//! What is wrong with a description, where, and what to do.

use std::fmt;

/// A place in the text, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pos {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Pos {
    /// The place so many characters further on the same line.
    pub(crate) const fn plus(self, characters: usize) -> Self {
        Self { line: self.line, column: self.column.saturating_add(characters as u32) }
    }
}

/// One mistake in a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The file, as it was named.
    pub path: String,
    /// Where in it.
    pub pos: Pos,
    /// The part of the description, from its root: `header.extend_str.len`. Empty for the file as a whole.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.path, self.pos.line, self.pos.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}; {}", self.reason, self.fix)
    }
}

/// Every mistake found, in the order of the text; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecErrors(pub Vec<SpecError>);

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// Collects mistakes, so that one run shows all that do not follow from each other.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<SpecError>,
    /// Names whose definitions are wrong: whatever uses one is not wrong because of it.
    broken: Vec<String>,
    /// True if so much is missing that no name can be said to be unknown.
    blind: bool,
    /// How many there were, those that nobody needs to read included.
    count: usize,
}

/// More mistakes than anybody reads.
const MOST: usize = 20;

impl Problems {
    pub fn add(&mut self, pos: Pos, field: &str, reason: impl Into<String>, fix: impl Into<String>) {
        self.count += 1;
        if self.found.len() < MOST {
            let (field, reason, fix) = (field.to_owned(), reason.into(), fix.into());
            self.found.push(SpecError { path: String::new(), pos, field, reason, fix });
        }
    }

    /// A name that nothing defines. Nothing is noted if a definition was meant to: that it is wrong is known already.
    pub fn unknown(&mut self, name: &str, pos: Pos, field: &str, reason: impl Into<String>, fix: impl Into<String>) {
        let meant = |broken: &String| {
            name.strip_prefix(broken.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.blind || self.broken.iter().any(meant) {
            self.count += 1;
        } else {
            self.add(pos, field, reason, fix);
        }
    }

    /// How many mistakes there are, with those that follow from others.
    pub fn count(&self) -> usize {
        self.count
    }

    /// This name is defined, and its definition is wrong.
    pub fn broken(&mut self, name: &str) {
        self.broken.push(name.to_owned());
    }

    /// The definitions of names cannot be read at all.
    pub fn blind(&mut self) {
        self.blind = true;
    }

    /// Whether a name's definition is wrong, or could not be read.
    pub fn is_broken(&self, name: &str) -> bool {
        self.blind || self.broken.iter().any(|broken| broken == name)
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn into_errors(mut self, path: &str) -> SpecErrors {
        for error in &mut self.found {
            path.clone_into(&mut error.path);
        }
        self.found.sort_by_key(|error| (error.pos.line, error.pos.column));
        SpecErrors(self.found)
    }
}

/// `did you mean "…"?` with the known name that looks most like this one, or the list of names if none does.
pub(crate) fn suggest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|candidate| {
            // The last word of a longer name is as good as the name but for a slip.
            let last = candidate.rsplit('.').next() == Some(name);
            (if last { 1 } else { distance(name, candidate) }, *candidate)
        })
        .filter(|(far, candidate)| *far <= slips(name, candidate))
        .min_by_key(|(far, _)| *far);
    match near {
        Some((_, candidate)) => format!("did you mean {candidate:?}?"),
        None if known.is_empty() => "nothing has a name here yet".to_owned(),
        None => format!("known here: {}", list(&known)),
    }
}

/// How far apart two names are that may well be one with a slip in it.
fn slips(name: &str, candidate: &str) -> usize {
    1 + candidate.len().max(name.len()) / 4
}

/// Whether a name looks like this one with a slip in it.
pub(crate) fn near(name: &str, known: &str) -> bool {
    distance(name, known) <= slips(name, known)
}

/// Names for a sentence, shortened.
pub(crate) fn list(names: &[&str]) -> String {
    let shown = names.get(..24).unwrap_or(names).join(", ");
    if names.len() > 24 { format!("{shown}, …") } else { shown }
}

/// How many letters to add, drop or change; names are short, and longer ones are never near.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (j, right) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            before = (diagonal + usize::from(left != *right)).min(above + 1).min(before + 1);
            next.push(before);
            diagonal = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
