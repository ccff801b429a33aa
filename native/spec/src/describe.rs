//! A description as JSON, for people's tools: what is where, and which rules hold.

use std::fmt::Write as _;

use crate::checksum::Checksum;
use crate::compile::ERROR_TYPES;
use crate::model::{Check, Detect, Entry, Field, Place, Program, ReplySpec, Source};

/// Writes JSON, value by value.
#[derive(Default)]
struct Json {
    text: String,
}

impl Json {
    fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                control if control < ' ' => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(control));
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }

    fn separate(&mut self) {
        if !self.text.ends_with(['{', '[', ':']) && !self.text.is_empty() {
            self.text.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.string(key);
        self.text.push(':');
    }

    fn pair(&mut self, key: &str, text: &str) {
        self.key(key);
        self.string(text);
    }

    /// Left out if there is none.
    fn number(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(key);
            self.text.push_str(&number.to_string());
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.text.push_str(if flag { "true" } else { "false" });
    }

    fn list<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.key(key);
        self.text.push('[');
        for item in items {
            self.separate();
            each(self, item);
        }
        self.text.push(']');
    }

    fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.text.push('{');
        fill(self);
        self.text.push('}');
    }
}

/// What a field must be, for people.
fn notes(program: &Program, field: &Field, check: Option<&Check>, checksum: Option<&Checksum>) -> Vec<String> {
    let hex = |bytes: &[u8]| format!("0x{}", crate::fields::hex(bytes));
    let mut notes = Vec::new();
    match check {
        Some(Check::Const(bytes)) => notes.push(format!("always {}", hex(bytes))),
        Some(Check::In(allowed)) => {
            let allowed: Vec<String> = allowed.iter().map(|bytes| hex(bytes)).collect();
            notes.push(format!("one of {}", allowed.join(", ")));
        }
        Some(Check::True(_)) => notes.push("checked".to_owned()),
        None => {}
    }
    if let Some(checksum) = checksum {
        let verified = if checksum.verify { "" } else { ", not verified" };
        notes.push(format!("{}{verified}", checksum.method.name));
    }
    for (what, id) in [("request id", program.request_id), ("stream id", program.stream_id)] {
        let is = id.and_then(|id| program.fields.get(usize::from(id))).is_some_and(|other| other.name == field.name);
        if is {
            notes.push(what.to_owned());
        }
    }
    if field.peek {
        notes.push("behind the header".to_owned());
    }
    notes
}

fn field(json: &mut Json, program: &Program, field: &Field) {
    let item = field.item.and_then(|item| program.items.get(usize::from(item)));
    let own = item.filter(|item| program.fields.get(usize::from(item.field)).is_some_and(|own| own.name == field.name));
    let trailer = program
        .trailer
        .iter()
        .find(|item| program.fields.get(usize::from(item.field)).is_some_and(|own| own.name == field.name));
    let written = field.item.and_then(|item| program.rules.items.get(usize::from(item)));
    json.pair("name", &field.name);
    json.pair("type", &field.type_name);
    if !field.about.is_empty() {
        json.pair("about", &field.about);
    }
    json.pair("region", if trailer.is_some() { "trailer" } else { "header" });
    match field.place {
        Place::Fixed { at, len } => {
            json.number("offset", Some(at.into()));
            json.number("width", Some(len.into()));
        }
        Place::Trailer { back, len } => {
            json.number("from_end", Some(back.into()));
            json.number("width", Some(len.into()));
        }
        Place::Slot(_) => {
            let fixed = own.and_then(|item| match item.shape {
                crate::model::Shape::Fixed(len) => Some(len.into()),
                _ => None,
            });
            json.number("offset", own.and_then(|item| item.offset).map(u64::from));
            json.number("width", fixed);
        }
    }
    if let Some((low, count)) = field.bits {
        json.key("bits");
        json.object(|json| {
            json.number("low", Some(low.into()));
            json.number("count", Some(count.into()));
        });
    }
    if let (Some((len, when)), Some(_)) = (written, own) {
        if let Some(len) = len {
            json.pair("length", len);
        }
        if let Some(when) = when {
            json.pair("when", when);
        }
    }
    if let Some(part) = field.part.and_then(|part| item?.content.parts().get(usize::from(part))) {
        let steps = part.path.iter().map(u32::to_string).chain(part.names.iter().map(ToString::to_string));
        json.pair("path", &steps.collect::<Vec<_>>().join("."));
    }
    let check = own.and_then(|item| item.check.as_ref()).or_else(|| trailer?.check.as_ref());
    let checksum = own.and_then(|item| item.checksum.as_ref()).or_else(|| trailer?.checksum.as_ref());
    json.list("notes", notes(program, field, check, checksum), |json, note| json.string(&note));
}

fn replies(json: &mut Json, program: &Program, key: &str, specs: &[ReplySpec]) {
    json.list(key, specs, |json, spec| {
        json.object(|json| {
            json.flag("copies_header", spec.copy);
            let set = spec.set.iter().filter_map(|(id, _)| program.fields.get(usize::from(*id)));
            json.list("sets", set, |json, field| json.string(&field.name));
            json.key("codes");
            json.object(|json| {
                for (name, error) in ERROR_TYPES {
                    let own = spec.codes.iter().find(|(known, _)| *known == error).map(|(_, code)| *code);
                    if let Some(code) = own.or(spec.default_code) {
                        json.key(name);
                        json.text.push_str(&code.to_string());
                    }
                }
            });
        });
    });
}

pub(crate) fn describe(program: &Program) -> String {
    let mut json = Json::default();
    let info = &program.info;
    json.object(|json| {
        json.pair("name", &info.name);
        json.list("aliases", info.aliases.iter(), |json, alias| json.string(alias));
        json.pair("summary", &info.summary);
        json.pair("pair_by", info.pair_by.name());
        json.pair("sharing", info.sharing.name());
        json.pair("first_speaker", info.first_speaker.name());
        json.number("header_len", program.header_len.map(u64::from));
        json.number("least_header_len", Some(program.least_header.into()));
        json.number("trailer_len", Some(program.trailer_len.into()));
        json.number("max_frame_len", Some(program.max_frame_len).filter(|max| *max != u64::MAX));
        json.flag("needs_whole_frame", program.whole);
        json.flag("fast", program.fast.is_some());
        json.key("frame");
        json.object(|json| json.pair(&program.rules.frame.0, &program.rules.frame.1));
        json.list("fields", &program.fields, |json, described| json.object(|json| field(json, program, described)));
        json.list("kinds", &program.rules.kinds, |json, (when, kind)| {
            json.object(|json| {
                json.pair("is", kind.name());
                if let Some(when) = when {
                    json.pair("when", when);
                }
            });
        });
        json.list("keys", info.keys.iter(), |json, key| {
            json.object(|json| {
                json.pair("name", &key.name);
                json.pair("about", &key.about);
                json.flag("writable", key.writable);
                json.flag("number", key.number);
                let source = program.entries.iter().find_map(|entry| match entry {
                    Entry::Key(spec) if *spec.name == *key.name => Some(&spec.source),
                    _ => None,
                });
                if let Some(Source::Field(id)) = source
                    && let Some(field) = program.fields.get(usize::from(*id))
                {
                    json.pair("field", &field.name);
                }
            });
        });
        json.flag("open_keys", info.open_keys);
        json.key("replies");
        json.object(|json| {
            replies(json, program, "error", &program.errors);
            replies(json, program, "heartbeat", &program.heartbeats);
        });
        json.pair(
            "detect",
            match program.detect {
                Detect::Never => "never",
                Detect::Checks { .. } => "constants",
                Detect::When(_) => "condition",
            },
        );
    });
    json.text
}
