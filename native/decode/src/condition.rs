//! Filters: `method=sayHello`, `status!=20`, `interface~^com\.acme\.`, `latency_ms>100`.

use std::fmt;

use regex::Regex;

/// What a condition looks at: a column of the row, or a metadata key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Kind,
    Outcome,
    Protocol,
    Connection,
    Client,
    Server,
    Direction,
    RequestId,
    Service,
    Method,
    LatencyMs,
    RequestBytes,
    ResponseBytes,
    Error,
    /// Found in the request's metadata, or else in the response's.
    Metadata(String),
}

impl Target {
    fn of(key: &str) -> Self {
        match key {
            "kind" => Self::Kind,
            "outcome" => Self::Outcome,
            "protocol" => Self::Protocol,
            "connection" => Self::Connection,
            "client" => Self::Client,
            "server" => Self::Server,
            "direction" => Self::Direction,
            "request_id" => Self::RequestId,
            "service" => Self::Service,
            "method" => Self::Method,
            "latency_ms" => Self::LatencyMs,
            "request_bytes" => Self::RequestBytes,
            "response_bytes" => Self::ResponseBytes,
            "error" => Self::Error,
            _ => Self::Metadata(key.to_owned()),
        }
    }

    /// True for what is known as soon as the request is.
    pub(crate) fn known_early(&self) -> bool {
        matches!(
            self,
            Self::Protocol
                | Self::Connection
                | Self::Client
                | Self::Server
                | Self::Direction
                | Self::RequestId
                | Self::Service
                | Self::Method
                | Self::RequestBytes
        )
    }
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    IsNot(String),
    Matches(Regex),
    MatchesNot(Regex),
    Less(f64),
    AtMost(f64),
    More(f64),
    AtLeast(f64),
}

/// One filter. A value that is missing meets `!=` and `!~`, and nothing else.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(crate) target: Target,
    key: Box<str>,
    test: Test,
}

/// A condition that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// The condition as it was written.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "condition {:?}: {}; expected KEY=VALUE, KEY!=VALUE, KEY~REGEX, KEY!~REGEX, or KEY<NUMBER with <, <=, > or >=",
            self.text, self.why
        )
    }
}

impl std::error::Error for ConditionError {}

impl Condition {
    /// Reads a condition. The key ends at the first operator character.
    ///
    /// # Errors
    /// [`ConditionError`] if there is no key or operator, or the regex or number after it is none.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let wrong = |why: String| ConditionError { text: text.to_owned(), why };
        let at = text.find(['=', '!', '~', '<', '>']).ok_or_else(|| wrong("there is no operator".to_owned()))?;
        let (key, rest) = text.split_at(at);
        let key = key.trim();
        if key.is_empty() {
            return Err(wrong("there is no key before the operator".to_owned()));
        }
        let regex = |pattern: &str| {
            Regex::new(pattern).map_err(|error| wrong(format!("{pattern:?} is no regular expression: {error}")))
        };
        let number =
            |digits: &str| digits.trim().parse::<f64>().map_err(|_| wrong(format!("{:?} is no number", digits.trim())));
        let test = if let Some(value) = rest.strip_prefix("!=") {
            Test::IsNot(value.to_owned())
        } else if let Some(pattern) = rest.strip_prefix("!~") {
            Test::MatchesNot(regex(pattern)?)
        } else if let Some(value) = rest.strip_prefix('=') {
            Test::Is(value.to_owned())
        } else if let Some(pattern) = rest.strip_prefix('~') {
            Test::Matches(regex(pattern)?)
        } else if let Some(value) = rest.strip_prefix("<=") {
            Test::AtMost(number(value)?)
        } else if let Some(value) = rest.strip_prefix(">=") {
            Test::AtLeast(number(value)?)
        } else if let Some(value) = rest.strip_prefix('<') {
            Test::Less(number(value)?)
        } else if let Some(value) = rest.strip_prefix('>') {
            Test::More(number(value)?)
        } else {
            return Err(wrong("\"!\" must be followed by \"=\" or \"~\"".to_owned()));
        };
        Ok(Self { target: Target::of(key), key: key.into(), test })
    }

    /// What it looks at, as it was written: a column of the row, or a metadata key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether a value, or its absence, meets the condition.
    #[must_use]
    pub fn met_by(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return matches!(self.test, Test::IsNot(_) | Test::MatchesNot(_));
        };
        match &self.test {
            Test::Is(wanted) => value == wanted,
            Test::IsNot(unwanted) => value != unwanted,
            Test::Matches(regex) => regex.is_match(value),
            Test::MatchesNot(regex) => !regex.is_match(value),
            Test::Less(_) | Test::AtMost(_) | Test::More(_) | Test::AtLeast(_) => {
                value.parse().is_ok_and(|number| self.met_by_number(number))
            }
        }
    }

    fn met_by_number(&self, number: f64) -> bool {
        match self.test {
            Test::Less(bound) => number < bound,
            Test::AtMost(bound) => number <= bound,
            Test::More(bound) => number > bound,
            Test::AtLeast(bound) => number >= bound,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(condition: &str, value: Option<&str>) -> bool {
        Condition::parse(condition).unwrap().met_by(value)
    }

    #[test]
    fn operators_compare_as_they_read() {
        assert!(met("method=sayHello", Some("sayHello")));
        assert!(!met("method=sayHello", Some("sayHello2")));
        assert!(met("note=a=b", Some("a=b")));
        assert!(met("status!=20", Some("70")));
        assert!(!met("status!=20", Some("20")));
        assert!(met(r"interface~^com\.acme", Some("com.acme.Greeter")));
        assert!(!met(r"interface!~^com\.acme", Some("com.acme.Greeter")));
        assert!(met("latency_ms>10", Some("10.5")));
        assert!(!met("latency_ms>10", Some("10")));
        assert!(met("latency_ms>=10", Some("10")));
        assert!(met("latency_ms<10", Some("9.99")));
        assert!(met("latency_ms<=10", Some("10")));
        assert!(!met("latency_ms<10", Some("fast")));
    }

    #[test]
    fn what_is_missing_meets_only_the_negations() {
        for condition in ["k=v", "k~.*", "k<1", "k>=0"] {
            assert!(!met(condition, None), "{condition}");
        }
        assert!(met("k!=v", None));
        assert!(met("k!~v", None));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, why) in [
            ("method", "there is no operator"),
            ("=x", "there is no key"),
            ("a~(", "no regular expression"),
            ("a<fast", "\"fast\" is no number"),
            ("a!b", "must be followed"),
        ] {
            let error = Condition::parse(text).unwrap_err();
            assert!(error.why.contains(why), "{text}: {error}");
        }
    }
}
