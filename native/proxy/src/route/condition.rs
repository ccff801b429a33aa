//! What must hold for one value of a message.

use regex::Regex;

use super::pattern;
use crate::config;
use crate::error::ConfigError;

/// A matcher, compiled.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The position of the field.
    pub field: u32,
    test: Test,
    invert: bool,
    missing_as_empty: bool,
}

#[derive(Clone, Debug)]
enum Test {
    /// Any value at all.
    Any,
    Exact(Text),
    Prefix(Text),
    Suffix(Text),
    Contains(Text),
    Pattern(Regex),
    Range(i64, i64),
    Present(bool),
}

#[derive(Clone, Debug)]
struct Text {
    text: Box<str>,
    ignore_case: bool,
}

impl Text {
    fn new(text: &config::Text) -> Self {
        Self { text: text.text.as_str().into(), ignore_case: text.ignore_case }
    }

    #[inline]
    fn is(&self, value: Option<&[u8]>) -> bool {
        let text = self.text.as_bytes();
        value.is_some_and(|value| if self.ignore_case { value.eq_ignore_ascii_case(text) } else { value == text })
    }
}

/// The text that a value must be equal to, byte for byte, if that is all a matcher says. Such matchers are looked up.
pub fn exact(matcher: &config::Matcher) -> Option<&str> {
    match &matcher.test {
        config::Test::Exact(text) if !matcher.invert && !text.ignore_case => {
            (!text.text.is_empty() || text.strict_empty && !matcher.missing_as_empty).then_some(&text.text)
        }
        _ => None,
    }
}

impl Condition {
    /// Compiles a matcher of the field at a position.
    pub fn new(matcher: &config::Matcher, field: u32) -> Result<Self, ConfigError> {
        let test = match &matcher.test {
            config::Test::Exact(text) if text.text.is_empty() && !text.strict_empty => Test::Any,
            config::Test::Exact(text) => Test::Exact(Text::new(text)),
            config::Test::Prefix(text) => Test::Prefix(Text::new(text)),
            config::Test::Suffix(text) => Test::Suffix(Text::new(text)),
            config::Test::Contains(text) => Test::Contains(Text::new(text)),
            config::Test::Regex(regex) => {
                Test::Pattern(pattern::whole(regex).map_err(|message| ConfigError::new("test", message))?)
            }
            config::Test::Range(start, end) => Test::Range(*start, *end),
            config::Test::Present(present) => Test::Present(*present),
        };
        Ok(Self { field, test, invert: matcher.invert, missing_as_empty: matcher.missing_as_empty })
    }

    /// True if it holds for a value, or for the lack of one.
    pub fn holds(&self, value: Option<&str>) -> bool {
        match value.or(self.missing_as_empty.then_some("")) {
            Some(value) => self.test.holds(value) != self.invert,
            // An absent key has no value that a test could fail for, so only `present` can be inverted.
            None => matches!(self.test, Test::Present(present) if present == self.invert),
        }
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        match self {
            Self::Any => true,
            Self::Exact(text) => text.is(Some(bytes)),
            Self::Prefix(text) => text.is(bytes.get(..text.text.len())),
            Self::Suffix(text) => text.is(bytes.len().checked_sub(text.text.len()).and_then(|at| bytes.get(at..))),
            Self::Contains(text) if !text.ignore_case => value.contains(&*text.text),
            Self::Contains(text) => {
                text.text.is_empty() || bytes.windows(text.text.len()).any(|window| text.is(Some(window)))
            }
            Self::Pattern(regex) => regex.is_match(value),
            Self::Range(start, end) => number(value).is_some_and(|number| *start <= number && number < *end),
            Self::Present(present) => *present,
        }
    }
}

/// A decimal number as Envoy reads one: a sign and white space around it are allowed.
fn number(value: &str) -> Option<i64> {
    value.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).parse().ok()
}
