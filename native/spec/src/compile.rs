//! From YAML to a program: the description as a whole, and what its fields are used for.

use std::borrow::Cow;

use metaprotocol_core::{ErrorType, FirstSpeaker, Info, KeyInfo, Kind, PairBy, Sharing, intern};

use crate::error::{Problems, SpecErrors, near, suggest};
use crate::expr::{self, Binary, Expr};
use crate::fast::Fast;
use crate::layout::{Compiler, Region, join};
use crate::model::{
    Check, Content, Detect, Entry, Field, FieldId, Format, KeySpec, KindRule, Length, Mapping, Order, Piece, Place,
    Program, ReplyPiece, ReplySpec, Rules, Setting, Shape, Source, Ty, Word,
};
use crate::yaml::{self, Node, Yaml};

const VERSION: i128 = 1;

/// The error types by the names that descriptions use.
pub(crate) const ERROR_TYPES: [(&str, ErrorType); 10] = [
    ("route_not_found", ErrorType::RouteNotFound),
    ("cluster_not_found", ErrorType::ClusterNotFound),
    ("no_healthy_upstream", ErrorType::NoHealthyUpstream),
    ("bad_response", ErrorType::BadResponse),
    ("unspecified", ErrorType::Unspecified),
    ("over_limit", ErrorType::OverLimit),
    ("timeout", ErrorType::Timeout),
    ("upstream_reset", ErrorType::UpstreamReset),
    ("denied", ErrorType::Denied),
    ("bad_request", ErrorType::BadRequest),
];

const TOP: [&str; 20] = [
    "metaprotocol",
    "name",
    "aliases",
    "summary",
    "byte_order",
    "limits",
    "parameters",
    "header",
    "frame",
    "trailer",
    "request_id",
    "stream_id",
    "kind",
    "pair_by",
    "sharing",
    "first_speaker",
    "metadata",
    "reply",
    "detect",
    "about",
];

fn kinds() -> [(&'static str, Kind); 10] {
    Kind::ALL.map(|kind| (kind.name(), kind))
}

/// Compiles a text; `given` are values for its parameters.
pub(crate) fn compile(text: &str, path: &str, given: &[(String, String)]) -> Result<Program, SpecErrors> {
    let mut problems = Problems::default();
    let Some(root) = yaml::parse(text, &mut problems) else { return Err(problems.into_errors(path)) };
    let mut compiler = Compiler {
        problems,
        fields: Vec::new(),
        items: Vec::new(),
        peeks: Vec::new(),
        trailer: Vec::new(),
        slots: 0,
        order: Order::Big,
        offset: Some(0),
        constants: Vec::new(),
        frame: false,
        written: Vec::new(),
        conditions: Vec::new(),
    };
    match compiler.program(&root, given) {
        Some(program) if compiler.problems.is_empty() => Ok(program),
        _ => {
            if compiler.problems.is_empty() {
                compiler.add(root.pos, "", "the description cannot be compiled", "compare it with the reference");
            }
            Err(compiler.problems.into_errors(path))
        }
    }
}

impl Compiler {
    fn program(&mut self, root: &Node, given: &[(String, String)]) -> Option<Program> {
        self.mapping(root, "", &TOP)?;
        self.version(root);
        let name = self.codec_name(root);
        let aliases = self.aliases(root);
        let summary = root.get("summary").and_then(|node| self.text(node, "summary")).unwrap_or_default();
        if let Some(order) = root.get("byte_order") {
            let orders = [("big", Order::Big), ("little", Order::Little)];
            self.order = self.choice(order, "byte_order", &orders).unwrap_or(Order::Big);
        }
        // A list of fields that is not one, or has a slip in its own name, leaves all names without a definition.
        let lists = ["header", "trailer"].into_iter().filter_map(|list| root.get(list));
        let unread = lists.into_iter().any(|list| !matches!(list.yaml, Yaml::Seq(_)));
        if unread || ["header", "trailer", "parameters"].iter().any(|list| misspelt(root, list)) {
            self.problems.blind();
        }
        self.parameters(root, given);
        let max_frame_len = self.limits(root);
        self.layout(root);
        let least_after = self.finish_items();
        let length = self.length(root);
        self.frame = true;
        let header_len = self.offset;
        let request_id = root.get("request_id").and_then(|node| self.field(node, "request_id"));
        self.check_id(root, "request_id", request_id, true);
        let stream_id = root.get("stream_id").and_then(|node| self.field(node, "stream_id"));
        self.check_id(root, "stream_id", stream_id, false);
        let (kinds, kind_field) = self.kinds(root);
        let pair_by = self.pairing(root, request_id, stream_id);
        let sharing = match root.get("sharing") {
            Some(node) => self.choice(
                node,
                "sharing",
                &[("multiplexed", Sharing::Multiplexed), ("pipelined", Sharing::Pipelined), ("bound", Sharing::Bound)],
            ),
            None => None,
        }
        .unwrap_or(match pair_by {
            PairBy::Id | PairBy::Stream => Sharing::Multiplexed,
            PairBy::Order => Sharing::Pipelined,
            PairBy::None => Sharing::Bound,
        });
        let first_speaker = root
            .get("first_speaker")
            .and_then(|node| {
                let sides = [("client", FirstSpeaker::Client), ("server", FirstSpeaker::Server)];
                self.choice(node, "first_speaker", &sides)
            })
            .unwrap_or(FirstSpeaker::Client);
        if let Some(length) = &length {
            self.derive(length);
        }
        let (entries, keys) = self.metadata(root);
        let (errors, heartbeats) = self.replies(root, length.as_ref());
        let answers = !heartbeats.is_empty() && kinds.iter().any(|rule| rule.kind == Kind::Heartbeat);
        let detect = self.detect(root);
        let (name, length) = (name?, length?);
        let open_keys = entries.iter().any(|entry| matches!(entry, Entry::Spread { writable: true, .. }));
        let least_header = least_after;
        let key_names: Vec<Box<str>> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Key(key) => Some(key.name.clone()),
                Entry::Spread { .. } => None,
            })
            .collect();
        let mut program = Program {
            info: Info {
                name: Cow::Owned(name),
                aliases: Cow::Owned(aliases),
                summary: Cow::Owned(summary),
                pair_by,
                sharing,
                first_speaker,
                heartbeats: answers,
                min_header_len: least_header.max(1),
                keys: Cow::Owned(keys),
                open_keys,
            },
            fields: std::mem::take(&mut self.fields),
            items: std::mem::take(&mut self.items),
            peeks: std::mem::take(&mut self.peeks),
            trailer_len: self.trailer.first().map_or(0, |item| item.back),
            trailer: std::mem::take(&mut self.trailer),
            length,
            max_frame_len,
            request_id,
            stream_id,
            kind_label: "kind",
            kinds,
            kind_field,
            entries,
            errors,
            heartbeats,
            detect,
            whole: false,
            free_id: false,
            slots: self.slots,
            header_len,
            least_header,
            rules: self.rules(root),
            fast: None,
            key_names: key_names.into(),
        };
        if let Some(label) =
            kind_field.and_then(|field| program.fields.get(usize::from(field))).map(|field| field.label)
        {
            program.kind_label = label;
        }
        needs(&mut program);
        program.fast = Fast::of(&program);
        Some(program)
    }

    /// The rules as they are written.
    fn rules(&self, root: &Node) -> Rules {
        let scalar = |node: &Node, key: &str| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let frame = root.get("frame").and_then(Node::entries).and_then(|entries| entries.first());
        let kinds = match root.get("kind").map(|node| &node.yaml) {
            Some(Yaml::Seq(rules)) => rules
                .iter()
                .filter_map(|rule| {
                    let is = scalar(rule, "is")?;
                    Some((scalar(rule, "when"), kinds().into_iter().find(|(name, _)| *name == is)?.1))
                })
                .collect(),
            Some(Yaml::Map(_)) => {
                let field = root.get("kind").and_then(|node| scalar(node, "field")).unwrap_or_default();
                let values = root.get("kind").and_then(|node| node.get("values")).and_then(Node::entries);
                let rule = |entry: &yaml::Entry| {
                    let is = entry.value.scalar()?;
                    let kind = kinds().into_iter().find(|(name, _)| *name == is)?.1;
                    Some((Some(format!("{field} == {}", entry.key)), kind))
                };
                values.unwrap_or_default().iter().filter_map(rule).collect()
            }
            Some(Yaml::Scalar(is)) => {
                kinds().into_iter().filter(|(name, _)| name == is).map(|(_, kind)| (None, kind)).collect()
            }
            None => vec![(Some("direction == client_to_server".to_owned()), Kind::Request), (None, Kind::Response)],
        };
        Rules {
            frame: frame.map_or_else(Default::default, |entry| {
                (entry.key.clone(), entry.value.scalar().unwrap_or_default().to_owned())
            }),
            kinds,
            items: self.written.clone(),
        }
    }

    fn version(&mut self, root: &Node) {
        match root.get("metaprotocol") {
            None if misspelt(root, "metaprotocol") => {}
            None => {
                let fix = "add metaprotocol: 1, the version of this language";
                self.add(root.pos, "metaprotocol", "the version is missing", fix);
            }
            Some(node) => {
                if let Some(version) = self.int(node, "metaprotocol")
                    && version != VERSION
                {
                    let fix = "write 1, or use a newer metaprotocol";
                    self.add(node.pos, "metaprotocol", format!("version {version} is not known here"), fix);
                }
            }
        }
    }

    fn codec_name(&mut self, root: &Node) -> Option<String> {
        let Some(node) = root.get("name") else {
            if !misspelt(root, "name") {
                self.add(root.pos, "name", "the protocol has no name", "add name: followed by one lower-case word");
            }
            return None;
        };
        let name = self.word(node, "name", "qza")?;
        let good = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !good {
            let lower = name.to_ascii_lowercase().replace(|other: char| !other.is_ascii_alphanumeric(), "");
            let fix = format!("one word of lower-case letters and digits, such as {lower:?}");
            self.add(node.pos, "name", format!("{name:?} cannot be the name of a protocol"), fix);
            return None;
        }
        Some(name.to_owned())
    }

    fn aliases(&mut self, root: &Node) -> Vec<Cow<'static, str>> {
        let Some(node) = root.get("aliases") else { return Vec::new() };
        let Yaml::Seq(names) = &node.yaml else {
            self.add(node.pos, "aliases", format!("{} where a list is expected", node.kind()), "write [one, two]");
            return Vec::new();
        };
        names.iter().filter_map(|name| Some(Cow::Owned(self.word(name, "aliases", "other.name")?.to_owned()))).collect()
    }

    fn parameters(&mut self, root: &Node, given: &[(String, String)]) {
        let entries = root.get("parameters").map_or(&[][..], |node| {
            if node.entries().is_none() {
                let fix = "write {length_width: {default: 4, in: [2, 4]}}";
                self.add(node.pos, "parameters", format!("{} where a mapping is expected", node.kind()), fix);
            }
            node.entries().unwrap_or_default()
        });
        for entry in entries {
            let path = join("parameters", &entry.key);
            if self.mapping(&entry.value, &path, &["default", "in", "about"]).is_none() {
                continue;
            }
            let Some(default) = entry.value.get("default") else {
                self.add(entry.pos, &path, "no default", "add default: followed by a number");
                continue;
            };
            let Some(mut value) = self.int(default, &path) else { continue };
            if let Some((_, text)) = given.iter().find(|(name, _)| *name == entry.key) {
                match expr::number(text) {
                    Some(number) => value = number,
                    None => self.add(entry.pos, &path, format!("given {text:?}, not a number"), "give a number"),
                }
            }
            if let Some(Node { yaml: Yaml::Seq(allowed), .. }) = entry.value.get("in") {
                let allowed: Vec<i128> = allowed.iter().filter_map(|node| self.int(node, &path)).collect();
                if !allowed.contains(&value) {
                    let fix = format!("use one of {allowed:?}");
                    self.add(entry.pos, &path, format!("{value} is not allowed"), fix);
                }
            }
            self.constants.push((entry.key.clone(), value));
        }
        for entry in entries {
            if !self.constants.iter().any(|(known, _)| *known == entry.key) {
                self.problems.broken(&entry.key);
            }
        }
        for (name, _) in given {
            if !self.constants.iter().any(|(known, _)| known == name) {
                let fix = suggest(name, self.constants.iter().map(|(known, _)| known.as_str()));
                self.add(root.pos, "parameters", format!("there is no parameter {name:?}"), fix);
            }
        }
    }

    fn limits(&mut self, root: &Node) -> u64 {
        let Some(node) = root.get("limits") else { return u64::MAX };
        if self.mapping(node, "limits", &["max_frame_len"]).is_none() {
            return u64::MAX;
        }
        let Some(node) = node.get("max_frame_len") else { return u64::MAX };
        let text = node.scalar().unwrap_or_default();
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let (digits, shift) =
            units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
        let bytes = expr::number(digits.trim()).and_then(|value| u64::try_from(value << shift).ok());
        match bytes {
            Some(bytes) if bytes > 0 => bytes,
            _ => {
                self.add(
                    node.pos,
                    "limits.max_frame_len",
                    format!("{text:?} is no size"),
                    "write 16MiB, 64KiB or bytes",
                );
                u64::MAX
            }
        }
    }

    fn layout(&mut self, root: &Node) {
        for (name, region) in [("header", Region::Header), ("trailer", Region::Trailer)] {
            let Some(node) = root.get(name) else { continue };
            let Yaml::Seq(items) = &node.yaml else {
                let fix = "write - {name: version, type: u8}";
                self.add(node.pos, name, format!("{} where a list of fields is expected", node.kind()), fix);
                continue;
            };
            for (index, item) in items.iter().enumerate() {
                self.item(item, region, "", None, index);
            }
        }
        let mut back = 0;
        for item in self.trailer.iter_mut().rev() {
            back += item.len;
            item.back = back;
        }
        let places: Vec<(FieldId, u32)> = self.trailer.iter().map(|item| (item.field, item.back)).collect();
        for (index, (id, back)) in places.iter().enumerate() {
            let next = places.get(index + 1).map_or(self.fields.len(), |(next, _)| usize::from(*next));
            // A field's bits are declared right behind it.
            for field in self.fields.get_mut(usize::from(*id)..next).unwrap_or_default() {
                if let Place::Trailer { len, .. } = field.place {
                    field.place = Place::Trailer { back: *back, len };
                }
            }
        }
    }

    /// How many bytes follow each item at least; returns the least header.
    fn finish_items(&mut self) -> u32 {
        let mut after: u32 = 0;
        for item in self.items.iter_mut().rev() {
            item.least_after = after;
            if item.when.is_none() {
                after = after.saturating_add(item.shape.least());
            }
        }
        after
    }

    fn length(&mut self, root: &Node) -> Option<Length> {
        let Some(node) = root.get("frame") else {
            let fix = "add frame: {length: …}, {body: …}, {delimiter: …} or {fixed: …}";
            if !misspelt(root, "frame") {
                self.add(root.pos, "frame", "how long is a frame?", fix);
            }
            return None;
        };
        let known = ["length", "body", "delimiter", "fixed"];
        let entries = self.mapping(node, "frame", &known)?;
        let [entry] = entries else {
            let fix = "give exactly one of length, body, delimiter and fixed";
            self.add(node.pos, "frame", format!("{} rules for the length", entries.len()), fix);
            return None;
        };
        let path = join("frame", &entry.key);
        match entry.key.as_str() {
            "length" => {
                let expr = self.expr(&entry.value, &path)?;
                let inverse = self.inverse(&expr);
                Some(Length::Total { expr, inverse })
            }
            "body" => {
                let expr = self.expr(&entry.value, &path)?;
                let inverse = self.inverse(&expr);
                Some(Length::Body { expr, inverse })
            }
            "delimiter" => {
                let end = self.terminator(&entry.value, &path)?;
                if !self.trailer.is_empty() || !self.peeks.is_empty() {
                    let fix = "the delimiter is what ends a frame; remove the trailer and fields with peek: true";
                    self.add(entry.pos, &path, "a delimiter besides a trailer", fix);
                    return None;
                }
                Some(Length::Delimiter(end))
            }
            "fixed" => {
                let value = self.int(&entry.value, &path)?;
                match u32::try_from(value).ok().filter(|len| *len > 0) {
                    Some(len) => Some(Length::Fixed(len)),
                    None => {
                        self.add(entry.value.pos, &path, format!("a frame of {value} bytes"), "give at least 1");
                        None
                    }
                }
            }
            _ => None,
        }
    }

    fn check_id(&mut self, root: &Node, key: &str, id: Option<FieldId>, bytes: bool) {
        let (Some(node), Some(field)) = (root.get(key), id.and_then(|id| self.of(id))) else { return };
        let fits = field.ty.is_int() || bytes && field.ty.is_text();
        if !fits {
            let what = if bytes { "an integer, bytes or a string" } else { "an integer" };
            let reason = format!("{:?} cannot be an id", field.name);
            self.add(node.pos, key, reason, format!("name a field that is {what}"));
        }
    }

    fn kinds(&mut self, root: &Node) -> (Vec<KindRule>, Option<FieldId>) {
        let from_client = || Expr::Binary(Binary::Eq, Box::new(Expr::Direction), Box::new(Expr::Const(0)));
        let Some(node) = root.get("kind") else {
            let rules = vec![
                KindRule { when: Some(from_client()), kind: Kind::Request },
                KindRule { when: None, kind: Kind::Response },
            ];
            return (rules, None);
        };
        match &node.yaml {
            Yaml::Scalar(_) => {
                let kind = self.choice(node, "kind", &kinds());
                (kind.map(|kind| KindRule { when: None, kind }).into_iter().collect(), None)
            }
            Yaml::Map(_) => {
                if self.mapping(node, "kind", &["field", "values"]).is_none() {
                    return (Vec::new(), None);
                }
                let field = node.get("field").and_then(|node| self.field(node, "kind.field"));
                let values = node.get("values").and_then(Node::entries).unwrap_or_default();
                if node.get("field").is_none() || values.is_empty() {
                    let fix = "write {field: type, values: {1: request, 2: response}}, or a list of rules";
                    self.add(node.pos, "kind", "no field, or no values", fix);
                    return (Vec::new(), None);
                }
                let mut rules = Vec::new();
                for entry in values {
                    let path = join("kind.values", &entry.key);
                    let Some(value) = expr::number(&entry.key) else {
                        self.add(entry.pos, &path, format!("{:?} is not an integer", entry.key), "write 1 or 0x01");
                        continue;
                    };
                    let Some(kind) = self.choice(&entry.value, &path, &kinds()) else { continue };
                    let Some(field) = field else { continue };
                    let (left, right) = (Box::new(Expr::Int(field)), Box::new(Expr::Const(value)));
                    rules.push(KindRule { when: Some(Expr::Binary(Binary::Eq, left, right)), kind });
                }
                (rules, field)
            }
            Yaml::Seq(items) => {
                let mut rules = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = format!("kind[{index}]");
                    if self.mapping(item, &path, &["when", "is"]).is_none() {
                        continue;
                    }
                    let Some(is) = item.get("is") else {
                        self.add(item.pos, &path, "a rule without is", "add is: request");
                        continue;
                    };
                    let Some(kind) = self.choice(is, &join(&path, "is"), &kinds()) else { continue };
                    let when = match item.get("when") {
                        Some(when) => match self.expr(when, &join(&path, "when")) {
                            Some(when) => Some(when),
                            None => continue,
                        },
                        None => None,
                    };
                    if rules.last().is_some_and(|rule: &KindRule| rule.when.is_none()) {
                        let fix = "move it before the rule without when, which is always true";
                        self.add(item.pos, &path, "this rule is never reached", fix);
                    }
                    rules.push(KindRule { when, kind });
                }
                (rules, None)
            }
        }
    }

    fn pairing(&mut self, root: &Node, request_id: Option<FieldId>, stream_id: Option<FieldId>) -> PairBy {
        let Some(node) = root.get("pair_by") else {
            return if request_id.is_some() {
                PairBy::Id
            } else if stream_id.is_some() {
                PairBy::Stream
            } else {
                PairBy::Order
            };
        };
        let ways = [("id", PairBy::Id), ("order", PairBy::Order), ("stream", PairBy::Stream), ("none", PairBy::None)];
        let by = self.choice(node, "pair_by", &ways).unwrap_or(PairBy::None);
        if by == PairBy::Id && root.get("request_id").is_none() {
            self.add(node.pos, "pair_by", "pairs by an id that frames do not have", "add request_id: some_field");
        }
        if by == PairBy::Stream && root.get("stream_id").is_none() {
            self.add(node.pos, "pair_by", "pairs by a stream that frames do not have", "add stream_id: some_field");
        }
        by
    }

    /// Marks the fields that lengths set.
    fn derive(&mut self, length: &Length) {
        let mut terms: Vec<FieldId> = Vec::new();
        let mut note = |expr: &Expr| expr.fields(&mut |field| terms.push(field));
        for item in &self.items {
            match &item.shape {
                Shape::Sized { len, .. } => note(len),
                Shape::Array { count, .. } => note(count),
                _ => {}
            }
        }
        if let Length::Total { expr, .. } | Length::Body { expr, .. } = length {
            note(expr);
        }
        for term in terms {
            if let Some(field) = self.fields.get_mut(usize::from(term)) {
                field.derived = true;
            }
        }
    }

    fn metadata(&mut self, root: &Node) -> (Vec<Entry>, Vec<KeyInfo>) {
        let Some(node) = root.get("metadata") else { return (Vec::new(), Vec::new()) };
        let Some(entries) = node.entries() else {
            let fix = "write key: field, or key: {value: expression, …}";
            self.add(node.pos, "metadata", format!("{} where a mapping is expected", node.kind()), fix);
            return (Vec::new(), Vec::new());
        };
        let mut found = Vec::new();
        let mut keys: Vec<KeyInfo> = Vec::new();
        for entry in entries {
            let path = join("metadata", &entry.key);
            if entry.key == "*" {
                self.spreads(&entry.value, &path, &mut found);
            } else if let Some((key, info)) = self.key(entry, &path, &keys) {
                keys.push(info);
                found.push(Entry::Key(key));
            } else {
                self.problems.broken(&entry.key);
            }
        }
        (found, keys)
    }

    fn spreads(&mut self, node: &Node, path: &str, found: &mut Vec<Entry>) {
        let (value, writable) = if node.entries().is_some() {
            if self.mapping(node, path, &["value", "write", "about"]).is_none() {
                return;
            }
            let Some(value) = node.get("value") else {
                self.add(node.pos, path, "no value", "add value: the name of a map");
                return;
            };
            (value, node.get("write").and_then(|node| self.boolean(node, path)).unwrap_or(false))
        } else {
            (node, false)
        };
        let names = match &value.yaml {
            Yaml::Seq(names) => names.iter().collect(),
            _ => vec![value],
        };
        for name in names {
            let Some(id) = self.field(name, path) else { continue };
            if !self.is_open(id) {
                let fix = "name a field of type map, or a part of type map";
                self.add(name.pos, path, "only open maps can be spread", fix);
                continue;
            }
            if writable && let Err((reason, fix)) = self.writable(id) {
                self.add(name.pos, path, reason, fix);
                continue;
            }
            found.push(Entry::Spread { field: id, writable });
        }
    }

    /// True for maps, and parts that are maps.
    fn is_open(&self, id: FieldId) -> bool {
        let Some(field) = self.of(id) else { return false };
        let Some(item) = field.item.and_then(|item| self.items.get(usize::from(item))) else { return false };
        match field.part {
            Some(part) => item.content.parts().get(usize::from(part)).is_some_and(|part| part.open),
            None => matches!(item.content, Content::Map { .. }),
        }
    }

    /// Whether a field can be set, or why not and what to do.
    fn writable(&self, id: FieldId) -> Result<(), (String, String)> {
        let Some(field) = self.of(id) else { return Ok(()) };
        let name = &field.name;
        if field.derived {
            let reason = format!("{name:?} follows from the rest of the frame");
            return Err((reason, "remove write: true; it is set whenever it has to be".to_owned()));
        }
        if field.peek {
            return Err((format!("{name:?} is not part of the header"), "remove write: true".to_owned()));
        }
        if matches!(field.ty, Ty::Float { .. }) || (field.ty == Ty::Parts && !self.is_open(id)) {
            let fix = "integers, texts, bytes and maps can be written";
            return Err((format!("{name:?} is of a type that cannot be written"), fix.to_owned()));
        }
        let used = self.items.iter().any(|item| {
            let mut found = false;
            if let Some(when) = &item.when {
                when.fields(&mut |other| found |= other == id);
            }
            found
        });
        if used {
            let reason = format!("the layout depends on {name:?} (when:)");
            return Err((reason, "remove write: true: other fields would have to come or go".to_owned()));
        }
        let Some(item) = field.item.and_then(|item| self.items.get(usize::from(item))) else { return Ok(()) };
        if field.part.is_some() && !matches!(item.content, Content::Tlv { .. } | Content::Protobuf(_)) {
            let fix = "parts of tlv and protobuf can be written";
            return Err((format!("{name:?} lies in a container that is only read"), fix.to_owned()));
        }
        let fixed = matches!(&item.shape, Shape::Fixed(_)) && field.part.is_none() && field.ty != Ty::Parts;
        let invertible = match &item.shape {
            Shape::Sized { inverse, .. } => inverse.is_some(),
            Shape::Array { inverse, .. } => inverse.is_some(),
            _ => true,
        };
        if !invertible {
            let reason = format!("the length of {name:?} cannot be solved for its fields");
            return Err((reason, "make it a sum of fields times numbers, or remove write: true".to_owned()));
        }
        if matches!(item.shape, Shape::Array { .. }) && !matches!(item.content, Content::Map { .. }) {
            return Err((format!("{name:?} is an array"), "remove write: true".to_owned()));
        }
        if matches!(item.shape, Shape::Fixed(_)) && !fixed {
            let reason = format!("{name:?} has a fixed length, and what is in it has not");
            return Err((reason, "remove write: true".to_owned()));
        }
        Ok(())
    }

    fn key(&mut self, entry: &yaml::Entry, path: &str, before: &[KeyInfo]) -> Option<(KeySpec, KeyInfo)> {
        let node = &entry.value;
        let detailed = node.entries().is_some();
        if detailed {
            let known = ["value", "text", "format", "map", "default", "when", "write", "about"];
            self.mapping(node, path, &known)?;
        }
        let inner = |key: &str| if detailed { node.get(key) } else { None };
        let source = match (inner("value"), inner("text")) {
            (Some(value), None) => self.source(value, &join(path, "value"))?,
            (None, Some(text)) => Source::Text(self.template(text, &join(path, "text"), before)?),
            (None, None) if !detailed => self.source(node, path)?,
            _ => {
                self.add(node.pos, path, "either value or text, and only one", "add value: some_field");
                return None;
            }
        };
        let formats = [
            ("ipv4", Format::Ipv4),
            ("ipv6", Format::Ipv6),
            ("hex", Format::Hex),
            ("text", Format::Text),
            ("bool", Format::Bool),
        ];
        let format = match inner("format") {
            Some(node) => self.choice(node, &join(path, "format"), &formats)?,
            None => Format::Auto,
        };
        let map = match inner("map") {
            Some(map) => Some(self.words(map, inner("default"), &join(path, "map"))?),
            None => {
                if let Some(default) = inner("default") {
                    self.add(default.pos, path, "a default without a map", "add map: {1: one}, or remove default");
                    return None;
                }
                None
            }
        };
        let when = match inner("when") {
            Some(when) => Some(self.expr(when, &join(path, "when"))?),
            None => None,
        };
        let write = match inner("write") {
            Some(write) => self.boolean(write, &join(path, "write"))?,
            None => false,
        };
        if write {
            let at = inner("write").map_or(node.pos, |node| node.pos);
            let path = join(path, "write");
            let Source::Field(id) = source else {
                self.add(at, &path, "only a field itself can be written", "give the key the field's plain value");
                return None;
            };
            if let Err((reason, fix)) = self.writable(id) {
                self.add(at, &path, reason, fix);
                return None;
            }
        }
        let about = match inner("about").and_then(Node::scalar) {
            Some(about) => about.to_owned(),
            None => match source {
                Source::Field(id) => self.of(id).map_or_else(String::new, |field| field.about.to_string()),
                _ => String::new(),
            },
        };
        let int = match &source {
            Source::Field(id) => self.of(*id).is_some_and(|field| field.ty.is_int()),
            Source::Expr(_) => true,
            Source::Text(_) => false,
        };
        if matches!(format, Format::Ipv4 | Format::Bool) && !int && map.is_none() {
            let bytes = matches!(source, Source::Field(id) if self.of(id).is_some_and(|field| field.ty == Ty::Bytes));
            if !bytes || format == Format::Bool {
                self.add(
                    node.pos,
                    &join(path, "format"),
                    "this format is for numbers",
                    "use an integer, or format: hex",
                );
                return None;
            }
        }
        let number = match &map {
            None => int && format == Format::Auto,
            Some(map) => {
                let words = map.words.iter().map(|(_, word)| word).chain(&map.default);
                int && words.into_iter().all(|word| matches!(word, Word::Int(_)))
            }
        };
        let info = KeyInfo { name: Cow::Owned(entry.key.clone()), about: Cow::Owned(about), writable: write, number };
        Some((KeySpec { name: entry.key.as_str().into(), when, source, format, map, writable: write }, info))
    }

    fn source(&mut self, node: &Node, path: &str) -> Option<Source> {
        let text = node.scalar().unwrap_or_default();
        if let Some(at) = self.fields.iter().position(|field| *field.name == *text) {
            if self.fields.get(at).is_some_and(|field| field.ty == Ty::Parts) {
                let array =
                    self.fields.get(at).and_then(|field| field.item).and_then(|item| self.items.get(usize::from(item)));
                let scalars = array.is_some_and(|item| {
                    matches!((&item.shape, &item.content), (Shape::Array { element, .. }, Content::Plain) if element.len() == 1)
                });
                if !scalars {
                    let fix = "name a part of it, or spread it with \"*\"";
                    self.add(node.text_pos, path, format!("{text:?} is a container, not a value"), fix);
                    return None;
                }
            }
            return Some(Source::Field(at as FieldId));
        }
        self.expr(node, path).map(Source::Expr)
    }

    /// Text with `{names}` of keys and fields.
    fn template(&mut self, node: &Node, path: &str, keys: &[KeyInfo]) -> Option<Vec<Piece>> {
        let text = self.text(node, path)?;
        let mut pieces = Vec::new();
        for piece in split_template(&text) {
            match piece {
                Ok(literal) => pieces.push(Piece::Literal(literal.into())),
                Err((at, name)) => {
                    if let Some(key) = keys.iter().position(|key| key.name == name) {
                        pieces.push(Piece::Key(key as u16));
                    } else if let Some(id) = self.fields.iter().position(|field| *field.name == *name) {
                        pieces.push(Piece::Value(Source::Field(id as FieldId)));
                    } else {
                        let known =
                            keys.iter().map(|key| &*key.name).chain(self.fields.iter().map(|field| &*field.name));
                        let fix = suggest(&name, known);
                        let reason = format!("neither a key above nor a field is called {name:?}");
                        self.problems.unknown(&name, node.text_pos.plus(at), path, reason, fix);
                        return None;
                    }
                }
            }
        }
        Some(pieces)
    }

    fn words(&mut self, node: &Node, default: Option<&Node>, path: &str) -> Option<Mapping> {
        let Some(entries) = node.entries() else {
            self.add(node.pos, path, format!("{} where a mapping is expected", node.kind()), "write {1: one, 2: two}");
            return None;
        };
        let mut words = Vec::new();
        for entry in entries {
            let Some(value) = expr::number(&entry.key) else {
                self.add(entry.pos, path, format!("{:?} is not an integer", entry.key), "map numbers: {1: one}");
                return None;
            };
            words.push((value, self.mapped(&entry.value, path)?));
        }
        let default = match default {
            Some(default) => Some(self.mapped(default, path)?),
            None => None,
        };
        Some(Mapping { words, default })
    }

    fn mapped(&mut self, node: &Node, path: &str) -> Option<Word> {
        let text = self.text(node, path)?;
        let number = expr::number(&text).filter(|_| !node.quoted).and_then(|value| i64::try_from(value).ok());
        Some(number.map_or_else(|| Word::Text(intern(&text)), Word::Int))
    }

    fn replies(&mut self, root: &Node, length: Option<&Length>) -> (Vec<ReplySpec>, Vec<ReplySpec>) {
        let Some(node) = root.get("reply") else { return (Vec::new(), Vec::new()) };
        if self.mapping(node, "reply", &["error", "heartbeat"]).is_none() {
            return (Vec::new(), Vec::new());
        }
        let mut rules = |key: &str| {
            let path = join("reply", key);
            match node.get(key) {
                None => Vec::new(),
                Some(Node { yaml: Yaml::Seq(rules), .. }) => {
                    let rule = |(index, rule)| self.reply(rule, &format!("{path}[{index}]"), key == "error", length);
                    rules.iter().enumerate().filter_map(rule).collect()
                }
                Some(rule) => self.reply(rule, &path, key == "error", length).into_iter().collect(),
            }
        };
        (rules("error"), rules("heartbeat"))
    }

    fn reply(&mut self, node: &Node, path: &str, error: bool, length: Option<&Length>) -> Option<ReplySpec> {
        let known: &[&str] =
            if error { &["copy", "set", "body", "codes", "when"] } else { &["copy", "set", "body", "when"] };
        self.mapping(node, path, known)?;
        let copy = match node.get("copy") {
            Some(copy) => self.choice(copy, &join(path, "copy"), &[("header", true), ("none", false)])?,
            None => true,
        };
        let when = match node.get("when") {
            Some(when) => Some(self.expr(when, &join(path, "when"))?),
            None => None,
        };
        let (mut codes, mut default_code) = (Vec::new(), None);
        let codes_node = node.get("codes");
        if let Some(codes_node) = codes_node {
            let path = join(path, "codes");
            let names: Vec<&str> = ERROR_TYPES.iter().map(|(name, _)| *name).chain(["default"]).collect();
            for entry in self.mapping(codes_node, &path, &names)? {
                let path = join(&path, &entry.key);
                let code = self.int(&entry.value, &path)?;
                let code = i64::try_from(code).ok()?;
                match ERROR_TYPES.iter().find(|(name, _)| *name == entry.key) {
                    Some((_, error)) => codes.push((*error, code)),
                    None => default_code = Some(code),
                }
            }
        }
        let mut set: Vec<(FieldId, Setting)> = Vec::new();
        if let Some(set_node) = node.get("set") {
            let path = join(path, "set");
            let names: Vec<String> = self.fields.iter().map(|field| field.name.to_string()).collect();
            let meant = set_node.entries().unwrap_or_default().iter().map(|entry| entry.key.as_str());
            let meant = meant.filter(|name| self.problems.is_broken(name));
            let names: Vec<&str> = names.iter().map(String::as_str).chain(meant).collect();
            for entry in self.mapping(set_node, &path, &names).unwrap_or_default() {
                let path = join(&path, &entry.key);
                let Some(id) = self.fields.iter().position(|field| *field.name == *entry.key) else { continue };
                let id = id as FieldId;
                let (ty, label, derived) = match self.of(id) {
                    Some(field) => (field.ty, field.label, field.derived),
                    None => continue,
                };
                if derived {
                    let fix = "remove it; lengths, constants and checksums are set by themselves";
                    self.add(entry.pos, &path, format!("{label:?} follows from the rest of the frame"), fix);
                    continue;
                }
                if let Err((reason, fix)) = self.settable(id) {
                    self.add(entry.pos, &path, reason, fix);
                    continue;
                }
                let setting = if ty.is_int() {
                    let Some(expr) = self.expr_in(&entry.value, &path, error) else { continue };
                    Setting::Int(expr)
                } else {
                    let Some(pieces) = self.reply_text(&entry.value, &path, error) else { continue };
                    Setting::Text(pieces)
                };
                set.push((id, setting));
            }
        }
        let body = match node.get("body") {
            Some(body) => self.reply_text(body, &join(path, "body"), error)?,
            None => Vec::new(),
        };
        let uses_code = set.iter().any(|(_, setting)| match setting {
            Setting::Int(expr) => uses_code(expr),
            Setting::Text(pieces) => pieces.iter().any(|piece| matches!(piece, ReplyPiece::Code)),
        }) || body.iter().any(|piece| matches!(piece, ReplyPiece::Code));
        if uses_code && codes_node.is_none() {
            self.add(node.pos, path, "error.code is used, and there are no codes", "add codes: {default: 1}");
        }
        let solved = match length {
            Some(Length::Total { inverse, .. } | Length::Body { inverse, .. }) => inverse.is_some(),
            Some(Length::Delimiter(_)) => true,
            Some(Length::Fixed(_)) | None => true,
        };
        if !solved {
            let fix = "write the length as a sum of fields times numbers, or remove the reply";
            self.add(
                node.pos,
                path,
                "the length of a reply cannot be written: frame.length cannot be solved for its fields",
                fix,
            );
        }
        Some(ReplySpec { copy, when, set, body, codes, default_code })
    }

    /// Whether a reply can set a field.
    fn settable(&self, id: FieldId) -> Result<(), (String, String)> {
        match self.writable(id) {
            // A reply is laid out anew, so it may well decide what the layout depends on.
            Err((reason, _)) if reason.starts_with("the layout depends") => Ok(()),
            Ok(()) if self.is_open(id) => {
                Err(("an open map cannot be set in a reply".to_owned(), "remove it; it is empty or copied".to_owned()))
            }
            other => other,
        }
    }

    fn reply_text(&mut self, node: &Node, path: &str, error: bool) -> Option<Vec<ReplyPiece>> {
        let text = self.text(node, path)?;
        if text.starts_with("0x") && !node.quoted {
            let fix = "write the bytes as a text in double quotes, with \\x escapes up to 7f";
            self.add(node.pos, path, "hexadecimal bytes in a reply", fix);
            return None;
        }
        let mut pieces = Vec::new();
        for piece in split_template(&text) {
            pieces.push(match piece {
                Ok(literal) => ReplyPiece::Literal(literal.into()),
                Err((_, name)) if name == "error.message" && error => ReplyPiece::Message,
                Err((_, name)) if name == "error.code" && error => ReplyPiece::Code,
                Err((at, name)) => match self.fields.iter().position(|field| *field.name == *name) {
                    Some(id) if self.fields.get(id).is_some_and(|field| field.ty.is_int() || field.ty.is_text()) => {
                        ReplyPiece::Field(id as FieldId)
                    }
                    _ => {
                        let names = self.fields.iter().map(|field| &*field.name).chain(["error.message", "error.code"]);
                        let fix = suggest(&name, names);
                        let reason = format!("unknown field {name:?}");
                        self.problems.unknown(&name, node.text_pos.plus(at), path, reason, fix);
                        return None;
                    }
                },
            });
        }
        Some(pieces)
    }

    fn detect(&mut self, root: &Node) -> Detect {
        // Only what the first bytes must be counts: two of them at least, and four must be in.
        let fixed = self.items.iter().filter_map(|item| {
            let at = item.offset.filter(|_| item.when.is_none())?;
            match &item.check {
                Some(Check::Const(bytes)) => Some((at + bytes.len() as u32, bytes.len())),
                Some(Check::In(allowed)) => Some((at + allowed.first().map_or(0, |bytes| bytes.len()) as u32, 0)),
                _ => None,
            }
        });
        let (front, magic) = fixed.fold((0, 0), |(front, magic), (end, bytes)| (front.max(end), magic + bytes));
        let default = if magic >= 2 { Detect::Checks { front: front.max(4) } } else { Detect::Never };
        match root.get("detect") {
            None => default,
            Some(node) if node.scalar() == Some("never") => Detect::Never,
            Some(node) if node.entries().is_some() => {
                if self.mapping(node, "detect", &["when"]).is_none() {
                    return Detect::Never;
                }
                let when = node.get("when").and_then(|node| self.expr(node, "detect.when"));
                when.map_or(Detect::Never, Detect::When)
            }
            Some(node) => {
                let fix = "write never, or {when: expression}; without detect: the constants of the header decide";
                self.add(node.pos, "detect", "this is no rule", fix);
                Detect::Never
            }
        }
    }
}

/// True if a key is not there, and one that nobody knows looks like it: that is told already.
fn misspelt(root: &Node, key: &str) -> bool {
    let mut unknown = root.entries().unwrap_or_default().iter().filter(|entry| !TOP.contains(&entry.key.as_str()));
    root.get(key).is_none() && unknown.any(|entry| near(&entry.key, key))
}

fn uses_code(expr: &Expr) -> bool {
    match expr {
        Expr::Code => true,
        Expr::Unary(_, operand) => uses_code(operand),
        Expr::Binary(_, left, right) => uses_code(left) || uses_code(right),
        Expr::Choice(condition, then, otherwise) => uses_code(condition) || uses_code(then) || uses_code(otherwise),
        _ => false,
    }
}

/// Pieces of a template: literal text, or the name in braces with its place in characters. Doubled braces are braces.
fn split_template(text: &str) -> Vec<Result<String, (usize, String)>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '{' | '}' if characters.peek().is_some_and(|(_, next)| *next == character) => {
                literal.push(character);
                characters.next();
            }
            '{' => {
                if !literal.is_empty() {
                    pieces.push(Ok(std::mem::take(&mut literal)));
                }
                let name: String = characters.by_ref().map(|(_, next)| next).take_while(|next| *next != '}').collect();
                pieces.push(Err((at + 1, name.trim().to_owned())));
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        pieces.push(Ok(literal));
    }
    pieces
}

/// Whether the request id may be anything without a change elsewhere; `layout` is what the layout reads.
fn free_id(program: &Program, id: FieldId, layout: &[FieldId]) -> bool {
    let field = |id: FieldId| program.fields.get(usize::from(id));
    let Some(Field { ty: Ty::Int { .. }, bits: None, part: None, peek: false, item: Some(item), .. }) = field(id)
    else {
        return false;
    };
    let own = program.items.get(usize::from(*item));
    let plain = own.is_some_and(|item| {
        matches!(item.shape, Shape::Fixed(_)) && item.check.is_none() && matches!(item.content, Content::Plain)
    });
    // Its bits are fields of the same item.
    let read = layout.iter().any(|read| field(*read).is_some_and(|field| field.item == Some(*item)));
    let summed = program.items.iter().any(|item| item.checksum.is_some())
        || program.trailer.iter().any(|item| item.checksum.is_some());
    // Bytes of a line must not make another end of it.
    plain && !read && !summed && !matches!(program.length, Length::Delimiter(_))
}

/// What `split` must see: the parts that it reads, and whether it needs the whole frame.
fn needs(program: &mut Program) {
    let mut read: Vec<FieldId> = program.request_id.into_iter().chain(program.stream_id).collect();
    let ids = read.len();
    let mut note = |expr: &Expr| expr.fields(&mut |field| read.push(field));
    for item in program.items.iter().chain(&program.peeks) {
        item.when.as_ref().map(&mut note);
        item.content.parts().iter().filter_map(|part| part.when.as_ref()).for_each(&mut note);
        match &item.shape {
            Shape::Sized { len, .. } => note(len),
            Shape::Array { count, .. } => note(count),
            _ => {}
        }
        if let Some(Check::True(expr)) = &item.check {
            note(expr);
        }
    }
    match &program.length {
        Length::Total { expr, .. } | Length::Body { expr, .. } => note(expr),
        Length::Delimiter(_) | Length::Fixed(_) => {}
    }
    let layout: Vec<FieldId> = read.iter().skip(ids).copied().collect();
    program.free_id = program.request_id.is_some_and(|id| free_id(program, id, &layout));
    let mut note = |expr: &Expr| expr.fields(&mut |field| read.push(field));
    for rule in &program.kinds {
        rule.when.as_ref().map(&mut note);
    }
    if let Detect::When(expr) = &program.detect {
        note(expr);
    }
    let mut whole = program.trailer.iter().any(|item| item.verify && item.check.is_some())
        || program.trailer.iter().filter_map(|item| item.checksum.as_ref()).any(|checksum| checksum.verify)
        || program.items.iter().filter_map(|item| item.checksum.as_ref()).any(|sum| sum.verify && sum.needs_body());
    for id in read {
        let Some(Field { place, item, part, .. }) = program.fields.get(usize::from(id)) else { continue };
        whole |= matches!(place, Place::Trailer { .. });
        if part.is_some()
            && let Some(item) = item.and_then(|item| program.items.get_mut(usize::from(item)))
        {
            item.deep = true;
        }
    }
    program.whole = whole;
}
