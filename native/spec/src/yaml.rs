//! YAML with the place of everything. What could make a short text large (anchors, aliases), or its meaning depend on the
//! reader (tags), is refused; so is a key that comes twice, which most readers take silently.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::error::{Pos, Problems};

/// Longest text, deepest nesting and most nodes of a description.
const MAX_TEXT: usize = 256 << 10;
const MAX_DEPTH: usize = 24;
const MAX_NODES: usize = 20_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Scalar(String),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub pos: Pos,
    /// Where the text of a scalar begins: behind its quote, if it has one.
    pub text_pos: Pos,
    /// True for text in quotes, which is never a number or a word of the language.
    pub quoted: bool,
    pub yaml: Yaml,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub pos: Pos,
    pub value: Node,
}

impl Node {
    pub fn scalar(&self) -> Option<&str> {
        match &self.yaml {
            Yaml::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.yaml {
            Yaml::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// What it is, for a message.
    pub const fn kind(&self) -> &'static str {
        match self.yaml {
            Yaml::Scalar(_) => "a single value",
            Yaml::Seq(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }
}

/// A collection that is still open.
enum Open {
    Seq(Pos, Vec<Node>),
    Map(Pos, Vec<Entry>, Option<(String, Pos)>),
}

fn pos(span: &Span) -> Pos {
    Pos { line: span.start.line() as u32, column: span.start.col() as u32 + 1 }
}

/// The one document of a text, or `None` with the problem noted.
pub(crate) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let start = Pos { line: 1, column: 1 };
    if text.len() > MAX_TEXT {
        problems.add(start, "", format!("the file has {} bytes", text.len()), "a description has at most 256 KiB");
        return None;
    }
    if let Some(at) = text.find(|character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t')) {
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
        problems.add(Pos { line, column }, "", "a control character", "write it as an escape in double quotes");
        return None;
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let marker = error.marker();
                let pos = Pos { line: marker.line().max(1) as u32, column: marker.col() as u32 + 1 };
                problems.add(pos, "", format!("this is not YAML: {}", error.info()), "check indentation and quotes");
                return None;
            }
        };
        let at = pos(&span);
        nodes += 1;
        if nodes > MAX_NODES || open.len() > MAX_DEPTH {
            problems.add(at, "", "the description is too large or too deeply nested", "describe less in one file");
            return None;
        }
        let done = match event {
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if anchor != 0 =>
            {
                return refused(problems, at, "an anchor");
            }
            Event::Alias(_) => return refused(problems, at, "an alias"),
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return refused(problems, at, "a tag");
            }
            Event::Scalar(text, style, ..) => {
                let quoted = style != ScalarStyle::Plain;
                let text_pos = if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
                    at.plus(1)
                } else {
                    at
                };
                Some(Node { pos: at, text_pos, quoted, yaml: Yaml::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(..) => {
                open.push(Open::Seq(at, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(at, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Seq(at, items)) => {
                    Some(Node { pos: at, text_pos: at, quoted: false, yaml: Yaml::Seq(items) })
                }
                Some(Open::Map(at, entries, _)) => {
                    Some(Node { pos: at, text_pos: at, quoted: false, yaml: Yaml::Map(entries) })
                }
                None => None,
            },
            Event::DocumentStart(_) if root.is_some() => {
                problems.add(at, "", "a second document", "a file describes one protocol");
                return None;
            }
            _ => None,
        };
        let Some(node) = done else { continue };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::Seq(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match key.take() {
                Some((key, pos)) => entries.push(Entry { key, pos, value: node }),
                None => {
                    let Yaml::Scalar(name) = node.yaml else {
                        problems.add(node.pos, "", "a key that is not a single word", "write key: value");
                        return None;
                    };
                    if let Some(first) = entries.iter().find(|entry| entry.key == name) {
                        let fix = format!("it stands in line {} already; remove one", first.pos.line);
                        problems.add(node.pos, &name, "this key comes twice", fix);
                        return None;
                    }
                    *key = Some((name, node.pos));
                }
            },
        }
    }
    if root.is_none() {
        problems.add(start, "", "the file is empty", "begin with `metaprotocol: 1` and `name: …`");
    }
    root
}

fn refused(problems: &mut Problems, at: Pos, what: &str) -> Option<Node> {
    problems.add(at, "", format!("{what} of YAML, which descriptions do not use"), "write the value out");
    None
}
