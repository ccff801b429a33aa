//! Regular expressions as Envoy's users write them: in RE2's syntax, for the whole value.
//!
//! The `regex` crate descends from RE2 and reads almost the same. What RE2 reads otherwise is written anew: `\d`, `\s`, `\w`
//! and `\b` know ASCII only, `\Q...\E` is literal, `\012` is octal, a brace that
//! repeats nothing is text, and `[`, `&`, `~` have no meaning within a class. Of RE2
//! only `\C` (one byte of a character) is refused.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// The most bytes that one expression may take, compiled, and as much again for each thread that runs it. Enough for
/// alternatives of thousands of names.
const MAX_LEN: usize = 1 << 20;

/// An expression that matches whole values; else what is wrong with it.
pub fn whole(pattern: &str) -> Result<Regex, String> {
    let ours = translate(pattern);
    // On its own first: a `)` too many would close the group around it.
    compile(&ours).and_then(|_| compile(&format!("\\A(?:{ours})\\z")))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(MAX_LEN).dfa_size_limit(MAX_LEN).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!(
                "the regular expression takes more than {MAX_LEN} bytes when it is compiled; repeat less, or split it"
            )
        }
        other => format!("is no regular expression in RE2's syntax: {other}"),
    })
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(&mut chars, false, &mut out),
            '[' => class(&mut chars, &mut out),
            '{' if !repeats(chars.clone()) => out.push_str(r"\{"),
            _ => out.push(c),
        }
    }
    out
}

/// True if the rest of a repetition follows an opening brace: `2}`, `2,}` or `2,3}`. Else RE2 reads the brace as text.
fn repeats(mut chars: Peekable<Chars<'_>>) -> bool {
    let mut digits = 0;
    while chars.next_if(char::is_ascii_digit).is_some() {
        digits += 1;
    }
    if chars.next_if_eq(&',').is_some() {
        while chars.next_if(char::is_ascii_digit).is_some() {}
    }
    digits > 0 && chars.next() == Some('}')
}

/// What follows a backslash.
fn escape(chars: &mut Peekable<Chars<'_>>, in_class: bool, out: &mut String) {
    let Some(c) = chars.next() else { return out.push('\\') };
    let members = match c.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        _ => "",
    };
    match c {
        'd' | 's' | 'w' if in_class => out.push_str(members),
        'd' | 's' | 'w' => out.extend(["[", members, "]"]),
        'D' | 'S' | 'W' => out.extend(["[^", members, "]"]),
        'b' | 'B' if !in_class => out.extend([r"(?-u:\", c.encode_utf8(&mut [0; 4]), ")"]),
        'Q' if !in_class => {
            let mut literal = String::new();
            while let Some(c) = chars.next() {
                if c == '\\' && chars.next_if_eq(&'E').is_some() {
                    break;
                }
                literal.push(c);
            }
            out.push_str(&regex::escape(&literal));
        }
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            let mut digits = 1;
            while digits < 3
                && let Some(digit) = chars.peek().and_then(|c| c.to_digit(8))
            {
                chars.next();
                code = code * 8 + digit;
                digits += 1;
            }
            // A single digit other than 0 is a reference to a group, which neither has: its error says so.
            let _ = if digits == 1 && c != '0' { write!(out, "\\{c}") } else { write!(out, "\\x{{{code:x}}}") };
        }
        'p' | 'P' | 'x' if chars.peek() == Some(&'{') => {
            out.extend(['\\', c]);
            to(chars, '}', out);
        }
        _ => out.extend(['\\', c]),
    }
}

/// Copies up to a character and with it.
fn to(chars: &mut Peekable<Chars<'_>>, last: char, out: &mut String) {
    for c in chars {
        out.push(c);
        if c == last {
            break;
        }
    }
}

/// A class, whose opening bracket has been read.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A closing bracket at the front is a member.
    if chars.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    while let Some(c) = chars.next() {
        match c {
            ']' => return out.push(']'),
            '\\' => escape(chars, true, out),
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                to(chars, ']', out);
            }
            '[' | '&' | '~' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_values_match() {
        for (pattern, yes, no) in [
            ("a|ab", &["a", "ab"][..], &["abc", "b", ""][..]),
            ("", &[""], &["a"]),
            ("say.*", &["say", "sayHello"], &["xsay", "say\n"]),
            ("(?s)say.*", &["say\n"], &["xsay"]),
            ("(?i)get|put", &["GET", "Put"], &["gets"]),
            ("^a$", &["a"], &["a\n", "aa"]),
            (r"\d+", &["123"], &["\u{663}", "1a"]),
            (r"[\d.]+", &["1.2"], &["\u{663}"]),
            (r"\D", &["a", "\u{663}"], &["1"]),
            (r"[^\D]", &["1"], &["a"]),
            (r"[\D]", &["a"], &["1"]),
            (r"\w+\s\S", &["a_1 x"], &["\u{e4} x", "a\u{b}x"]),
            (r"\bx\b.*", &["x", "x y", "x\u{e4}"], &["xy"]),
            (r"a\B.", &["ab"], &["a."]),
            (r"\Qa.b\E+", &["a.b", "a.bb"], &["axb"]),
            (r"\Qa|\x", &["a|\\x"], &["a"]),
            (r"\0\012\101", &["\0\nA"], &["0"]),
            (r"\x41\x{42}", &["AB"], &["ab"]),
            (r"[[a&&b~]", &["[", "a", "&", "b", "~"], &["c"]),
            (r"[]a]", &["]", "a"], &["b"]),
            (r"[^]a]", &["b"], &["]"]),
            (r"[[:digit:]x]+", &["1x"], &["y", ":"]),
            (r"[[:^digit:]]", &["x"], &["1"]),
            (r"\pL\p{Greek}", &["a\u{3b1}"], &["aa"]),
            (r"(?P<name>a)(?:b)", &["ab"], &["a"]),
            (r"a{2,3}?", &["aa", "aaa"], &["a"]),
            ("a{2", &["a{2"], &["aa"]),
            ("{a}{,2}", &["{a}{,2}"], &["a"]),
            (r"\p{Lu}{2}\x{42}{1}", &["AAB"], &["AB"]),
        ] {
            let regex = whole(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            for value in yes {
                assert!(regex.is_match(value), "{pattern} should match {value:?}");
            }
            for value in no {
                assert!(!regex.is_match(value), "{pattern} should not match {value:?}");
            }
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in
            ["a)(b", "(a", "*", r"(a)\1", "[a", r"\C", "(?=a)", "(?!a)", r"a\", r"\Z", "[z-a]", r"\p{", r"\x{4"]
        {
            let regex = whole(pattern);
            assert!(regex.is_err(), "{pattern} was read as {regex:?}");
        }
        let error = whole("(x{1000}){1000}").unwrap_err();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
}
