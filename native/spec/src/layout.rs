//! The layout of a frame: reads the fields of header and trailer, checks them, and resolves their names.

use metaprotocol_core::intern;

use crate::checksum::{Checksum, Edge, methods};
use crate::error::{Pos, Problems, list, suggest};
use crate::expr::{self, Expr, Scope};
use crate::model::{
    Affine, Check, Content, Field, FieldId, Item, MAX_FIELDS, MAX_PARTS, Order, Part, Place, Shape, TrailerItem, Ty,
};
use crate::parts::MAX_PATH;
use crate::view::{encode, range};
use crate::yaml::{self, Node, Yaml};

const INTEGERS: [&str; 16] =
    ["u8", "u16", "u24", "u32", "u40", "u48", "u56", "u64", "i8", "i16", "i24", "i32", "i40", "i48", "i56", "i64"];
const OTHER_TYPES: [&str; 12] =
    ["f32", "f64", "bytes", "string", "varint", "zigzag", "struct", "array", "tlv", "map", "protobuf", "jce"];

/// The bytes of a text that stands for bytes: `0x…` in hexadecimal, anything else as it is.
pub(crate) fn literal(text: &str, quoted: bool) -> Option<Vec<u8>> {
    let hex = text.strip_prefix("0x").filter(|_| !quoted);
    let Some(hex) = hex else { return Some(text.as_bytes().to_vec()) };
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b'_').collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

/// The type of an integer by its name: width, sign, and byte order if the name says it.
fn integer(name: &str) -> Option<(u8, bool, Option<Order>)> {
    let (base, order) = if let Some(base) = name.strip_suffix("le") {
        (base, Some(Order::Little))
    } else if let Some(base) = name.strip_suffix("be") {
        (base, Some(Order::Big))
    } else {
        (name, None)
    };
    let at = INTEGERS.iter().position(|known| *known == base)?;
    Some(((at % 8 + 1) as u8, at >= 8, order))
}

/// What one item of the header may say besides its type.
const COMMON: [&str; 8] = ["name", "type", "about", "when", "const", "in", "check", "byte_order"];

/// A description that is being read.
pub(crate) struct Compiler {
    pub problems: Problems,
    pub fields: Vec<Field>,
    pub items: Vec<Item>,
    pub peeks: Vec<Item>,
    pub trailer: Vec<TrailerItem>,
    pub slots: u16,
    pub order: Order,
    /// Where the next item begins, while that is fixed.
    pub offset: Option<u32>,
    pub constants: Vec<(String, i128)>,
    /// True once the length of the frame is known.
    pub frame: bool,
    /// How long each item of the header is, and when it is there, as it is written.
    pub written: Vec<(Option<String>, Option<String>)>,
    /// The conditions of the item that is being read and of the structs around it, as they are written.
    pub conditions: Vec<String>,
}

/// Where an item is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    Header,
    Trailer,
}

impl Compiler {
    pub fn add(&mut self, pos: Pos, path: &str, reason: impl Into<String>, fix: impl Into<String>) {
        self.problems.add(pos, path, reason, fix);
    }

    /// Checks that a node is a mapping of known keys.
    pub fn mapping<'n>(&mut self, node: &'n Node, path: &str, known: &[&str]) -> Option<&'n [yaml::Entry]> {
        let Some(entries) = node.entries() else {
            let fix = format!("write key: value, with the keys {}", list(known));
            self.add(node.pos, path, format!("{} where a mapping is expected", node.kind()), fix);
            return None;
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let fix = suggest(&entry.key, known.iter().copied());
                self.add(entry.pos, &join(path, &entry.key), format!("unknown key {:?}", entry.key), fix);
            }
        }
        Some(entries)
    }

    pub fn word<'n>(&mut self, node: &'n Node, path: &str, example: &str) -> Option<&'n str> {
        let word = node.scalar().filter(|word| !word.is_empty());
        if word.is_none() {
            let what = if node.scalar().is_some() { "nothing" } else { node.kind() };
            self.add(node.pos, path, format!("{what} where a word is expected"), format!("such as {example}"));
        }
        word
    }

    pub fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = node.scalar().map(str::to_owned);
        if text.is_none() {
            self.add(node.pos, path, format!("{} where a text is expected", node.kind()), "write it in quotes");
        }
        text
    }

    pub fn int(&mut self, node: &Node, path: &str) -> Option<i128> {
        let value = node.scalar().and_then(|text| match text.as_bytes() {
            [byte] if node.quoted => Some(i128::from(*byte)),
            _ => expr::number(text),
        });
        if value.is_none() {
            let what = node.scalar().map_or_else(|| node.kind().to_owned(), |text| format!("{text:?}"));
            let fix = "write 10, 0x0a or one character in quotes";
            self.add(node.pos, path, format!("{what} is not an integer"), fix);
        }
        value
    }

    pub fn boolean(&mut self, node: &Node, path: &str) -> Option<bool> {
        match node.scalar() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                self.add(node.pos, path, "neither true nor false", "write true or false");
                None
            }
        }
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, node: &Node, path: &str, choices: &[(&str, T)]) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let example = names().next().unwrap_or_default();
        let word = self.word(node, path, example)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let fix = suggest(word, names());
            self.add(node.pos, path, format!("{word:?} is not known here"), fix);
        }
        found
    }

    pub fn expr_in(&mut self, node: &Node, path: &str, reply: bool) -> Option<Expr> {
        let text = self.word(node, path, "a number or an expression over fields")?;
        if node.quoted && text.len() == 1 && !text.starts_with(|first: char| first.is_alphanumeric() || first == '_') {
            return Some(Expr::Const(text.bytes().next().unwrap_or_default().into()));
        }
        let scope = Scope { fields: &self.fields, constants: &self.constants, frame: self.frame, reply };
        expr::parse(text, node.text_pos, path, &scope, &mut self.problems)
    }

    pub fn expr(&mut self, node: &Node, path: &str) -> Option<Expr> {
        self.expr_in(node, path, false)
    }

    /// A field by its name.
    pub fn field(&mut self, node: &Node, path: &str) -> Option<FieldId> {
        let name = self.word(node, path, "the name of a field")?;
        let scope = Scope { fields: &self.fields, constants: &self.constants, frame: self.frame, reply: false };
        let found = scope.find(name);
        if found.is_none() {
            let fix = suggest(name, self.fields.iter().map(|field| &*field.name));
            self.problems.unknown(name, node.text_pos, path, format!("unknown field {name:?}"), fix);
        }
        found
    }

    pub fn of(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(usize::from(id))
    }

    fn slot(&mut self) -> Place {
        let slot = self.slots;
        self.slots = self.slots.saturating_add(1);
        Place::Slot(slot)
    }

    #[allow(clippy::too_many_arguments, reason = "each says another thing of a field")]
    fn declare(
        &mut self,
        pos: Pos,
        path: &str,
        name: &str,
        about: &str,
        type_name: &str,
        ty: Ty,
        place: Place,
    ) -> Option<FieldId> {
        if self.fields.iter().any(|field| &*field.name == name) {
            let fix = "give one of them another name";
            self.add(pos, path, format!("there is a field {name:?} already"), fix);
            return None;
        }
        if self.fields.len() >= MAX_FIELDS {
            self.add(pos, path, "too many fields", format!("a description has at most {MAX_FIELDS}"));
            return None;
        }
        self.fields.push(Field {
            name: name.into(),
            label: intern(name),
            about: about.into(),
            type_name: type_name.into(),
            ty,
            place,
            bits: None,
            item: None,
            part: None,
            peek: false,
            derived: false,
        });
        Some((self.fields.len() - 1) as FieldId)
    }

    fn name(&mut self, node: &Node, path: &str, prefix: &str) -> Option<String> {
        let Some(name_node) = node.get("name") else {
            self.add(node.pos, path, "a field without a name", "add name: some_word");
            return None;
        };
        let name = self.word(name_node, path, "pack_len")?;
        let simple = name.len() <= 64
            && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !simple || matches!(name, "direction" | "client_to_server" | "server_to_client" | "error") {
            let fix = if simple {
                "this word has a meaning of its own; take another"
            } else {
                "letters, digits and _, not beginning with a digit"
            };
            self.add(name_node.pos, path, format!("{name:?} cannot be the name of a field"), fix);
            return None;
        }
        Some(if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") })
    }

    /// One entry of the header or trailer, or of a struct in it. What it names counts as defined, be it right or wrong.
    pub fn item(&mut self, node: &Node, region: Region, prefix: &str, outer: Option<&Expr>, index: usize) {
        let before = self.problems.count();
        self.defined(node, region, prefix, outer, index);
        if self.problems.count() == before {
            return;
        }
        let name = node.get("name").and_then(Node::scalar);
        let bits = node.get("bits").and_then(Node::entries).unwrap_or_default().iter().map(|bit| bit.key.as_str());
        // The name may stand behind a key with a slip in it.
        let misnamed = node.entries().unwrap_or_default().iter().filter(|_| name.is_none());
        let names =
            name.into_iter().chain(bits).chain(node.scalar()).chain(misnamed.filter_map(|entry| entry.value.scalar()));
        for name in names {
            let full = if prefix.is_empty() { name.to_owned() } else { join(prefix, name) };
            self.problems.broken(&full);
        }
    }

    fn defined(&mut self, node: &Node, region: Region, prefix: &str, outer: Option<&Expr>, index: usize) {
        let root = if region == Region::Header { "header" } else { "trailer" };
        let unnamed = format!("{root}[{index}]");
        if node.entries().is_none() {
            let fix = "write {name: version, type: u8}";
            self.add(node.pos, &unnamed, format!("{} where a field is expected", node.kind()), fix);
            return;
        }
        let Some(name) = self.name(node, &unnamed, prefix) else { return };
        let path = format!("{root}.{name}");
        let Some(type_node) = node.get("type") else {
            self.add(node.pos, &path, "no type", "add type: u32, or bytes, string, struct …");
            return;
        };
        let Some(type_name) = self.word(type_node, &path, "u32") else { return };
        let type_name = type_name.to_owned();
        let when = match node.get("when") {
            Some(when) => match self.expr(when, &format!("{path}.when")) {
                Some(when) => Some(when),
                None => return,
            },
            None => None,
        };
        let depth = self.conditions.len();
        if let (Some(expr), Some(text)) = (&when, node.get("when").and_then(Node::scalar))
            && !matches!(expr, Expr::Const(_))
        {
            self.conditions.push(text.to_owned());
        }
        let when = match (outer, when) {
            (Some(outer), Some(Expr::Const(value))) if value != 0 => Some(outer.clone()),
            (Some(outer), Some(when)) => {
                Some(Expr::Binary(expr::Binary::Both, Box::new(outer.clone()), Box::new(when)))
            }
            (Some(outer), None) => Some(outer.clone()),
            (None, when) => when,
        };
        let when = match when {
            // Decided by a parameter.
            Some(Expr::Const(0)) => return,
            Some(Expr::Const(_)) => None,
            when => when,
        };
        if type_name == "struct" {
            self.mapping(node, &path, &["name", "type", "about", "when", "fields"]);
            let Some(Node { yaml: Yaml::Seq(parts), .. }) = node.get("fields") else {
                self.add(node.pos, &path, "a struct without fields", "add fields: [{name: x, type: u32}, …]");
                self.conditions.truncate(depth);
                return;
            };
            for (index, part) in parts.iter().enumerate() {
                self.item(part, region, &name, when.as_ref(), index);
            }
        } else {
            self.leaf(node, region, &name, &path, &type_name, type_node.pos, when);
        }
        self.conditions.truncate(depth);
    }

    fn byte_order(&mut self, node: &Node, path: &str) -> Order {
        match node.get("byte_order") {
            Some(order) => self
                .choice(order, &format!("{path}.byte_order"), &[("big", Order::Big), ("little", Order::Little)])
                .unwrap_or(self.order),
            None => self.order,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "each says another thing of a field")]
    fn leaf(
        &mut self,
        node: &Node,
        region: Region,
        name: &str,
        path: &str,
        type_name: &str,
        type_pos: Pos,
        when: Option<Expr>,
    ) {
        let order = self.byte_order(node, path);
        let mut allowed: Vec<&str> = COMMON.to_vec();
        let sizes: &[&str] = &["len", "len_type", "terminated"];
        let mut content_of = None;
        let (ty, shape) = if let Some((width, signed, own_order)) = integer(type_name) {
            allowed.extend(["bits", "checksum", "verify", "peek"]);
            (Ty::Int { signed, order: own_order.unwrap_or(order) }, Some(Shape::Fixed(width.into())))
        } else {
            match type_name {
                "f32" | "f64" => {
                    allowed.push("peek");
                    (Ty::Float { order }, Some(Shape::Fixed(if type_name == "f32" { 4 } else { 8 })))
                }
                "varint" | "zigzag" => (Ty::Varint { zigzag: type_name == "zigzag" }, Some(Shape::Varint)),
                "bytes" => {
                    allowed.extend(sizes);
                    allowed.extend(["peek", "verify"]);
                    (Ty::Bytes, None)
                }
                "string" => {
                    allowed.extend(sizes);
                    allowed.extend(["padding", "verify"]);
                    (Ty::Text { padding: None }, None)
                }
                "array" => {
                    allowed.extend(["count", "items"]);
                    (Ty::Parts, None)
                }
                "map" => {
                    allowed.extend(sizes);
                    allowed.extend(["count", "key", "value"]);
                    content_of = Some("map");
                    (Ty::Parts, None)
                }
                "tlv" | "protobuf" | "jce" | "json" => {
                    allowed.extend(sizes);
                    allowed.push("fields");
                    if type_name == "tlv" {
                        allowed.extend(["tag", "length"]);
                    }
                    content_of = Some(type_name);
                    (Ty::Parts, None)
                }
                _ => {
                    let fix = suggest(type_name, INTEGERS.iter().chain(&OTHER_TYPES).copied().chain(["json"]));
                    self.add(type_pos, path, format!("unknown type {type_name:?}"), fix);
                    return;
                }
            }
        };
        self.mapping(node, path, &allowed);
        let content = match content_of {
            None => Content::Plain,
            Some("map") => match self.map(node, path, order) {
                Some(content) => content,
                None => return,
            },
            Some("tlv") => {
                let mut width = |key: &str, default: u8| match node.get(key) {
                    Some(width) => self.int_type(width, &format!("{path}.{key}"), order),
                    None => Some((default, order)),
                };
                match (width("tag", 1), width("length", 1)) {
                    (Some(tag), Some(length)) => Content::Tlv { tag, length, parts: Vec::new() },
                    _ => return,
                }
            }
            Some("protobuf") => Content::Protobuf(Vec::new()),
            Some("jce") => Content::Jce(Vec::new()),
            Some(_) => Content::Json(Vec::new()),
        };
        let shape = match shape {
            Some(shape) => shape,
            None => match self.size(node, path, type_name, order, &content) {
                Some(shape) => shape,
                None => return,
            },
        };
        let ty = match (ty, node.get("padding"), &shape) {
            (Ty::Text { .. }, Some(padding), Shape::Fixed(_) | Shape::Sized { .. }) => {
                let value = self.int(padding, &format!("{path}.padding"));
                Ty::Text { padding: value.and_then(|value| u8::try_from(value).ok()) }
            }
            (Ty::Text { .. }, Some(padding), _) => {
                let fix = "remove it, or give the text a len";
                self.add(padding.pos, path, "padding of a text that is as long as it needs", fix);
                return;
            }
            (Ty::Text { .. }, None, Shape::Fixed(_)) => Ty::Text { padding: Some(0) },
            (ty, ..) => ty,
        };
        let about = node.get("about").and_then(Node::scalar).unwrap_or_default();
        let peek = match node.get("peek") {
            Some(peek) => self.boolean(peek, &format!("{path}.peek")).unwrap_or(false),
            None => false,
        };
        if !peek && !self.peeks.is_empty() && region == Region::Header {
            let fix = "move it before the fields with peek: true, or give it peek: true";
            self.add(node.pos, path, "a field of the header behind one that is only peeked at", fix);
            return;
        }
        let length = match &shape {
            Shape::Fixed(len) => Some(*len),
            _ => None,
        };
        let place = match (region, length, self.offset) {
            (Region::Trailer, Some(len), _) => Place::Trailer { back: 0, len },
            (Region::Trailer, None, _) => {
                let fix = "give it a fixed length; what varies belongs into the header or the body";
                self.add(node.pos, path, "a field of the trailer that can have different lengths", fix);
                return;
            }
            (Region::Header, Some(len), Some(at)) if when.is_none() && !peek && content_of.is_none() => {
                Place::Fixed { at, len }
            }
            _ => self.slot(),
        };
        if region == Region::Trailer && (when.is_some() || peek) {
            let fix = "remove it: the trailer is the same in every frame";
            self.add(node.pos, path, "a condition in the trailer", fix);
            return;
        }
        let Some(id) = self.declare(node.pos, path, name, about, type_name, ty, place) else { return };
        let item_index = self.items.len() as u16;
        let check = self.checked(node, path, ty, length, id);
        let checksum = node.get("checksum").and_then(|node| self.checksum(node, path, id, length));
        let verify = match node.get("verify") {
            Some(verify) => self.boolean(verify, &format!("{path}.verify")).unwrap_or(true),
            None => true,
        };
        if let Some(field) = self.fields.get_mut(usize::from(id)) {
            field.item = (region == Region::Header && !peek).then_some(item_index);
            field.peek = peek;
            field.derived = checksum.is_some() || matches!(check, Some(Check::Const(_)));
        }
        if let Some(bits) = node.get("bits") {
            self.bits(bits, path, name, id, length.unwrap_or(0));
        }
        if region == Region::Trailer {
            let len = length.unwrap_or(0);
            self.trailer.push(TrailerItem { field: id, back: 0, len, check, verify, checksum });
            return;
        }
        let mut item = Item {
            field: id,
            when: when.clone(),
            shape,
            content,
            check: check.filter(|_| verify),
            offset: self.offset,
            least_after: 0,
            deep: false,
            checksum,
        };
        if peek {
            if !matches!(item.shape, Shape::Fixed(_)) {
                self.add(
                    node.pos,
                    path,
                    "only fields of a fixed length can be peeked at",
                    "give it a len, or remove peek",
                );
            }
            self.peeks.push(item);
            return;
        }
        if let Some(fields) = node.get("fields") {
            let parts = self.parts(fields, path, name, &item.content, item_index);
            match &mut item.content {
                Content::Tlv { parts: found, .. }
                | Content::Protobuf(found)
                | Content::Jce(found)
                | Content::Json(found) => *found = parts,
                Content::Plain | Content::Map { .. } => {}
            }
        }
        self.offset = match (length, &when, self.offset) {
            (Some(len), None, Some(at)) => at.checked_add(len),
            _ => None,
        };
        let written = |key: &str| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let len = ["len", "count"].into_iter().find_map(written);
        let len = len.or_else(|| written("len_type").map(|width| format!("{width} in front")));
        let len = len.or_else(|| written("terminated").map(|end| format!("up to {end:?}")));
        let when = match self.conditions.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" && ")),
        };
        self.written.push((len, when));
        self.items.push(item);
    }

    fn int_type(&mut self, node: &Node, path: &str, order: Order) -> Option<(u8, Order)> {
        let name = self.word(node, path, "u16")?;
        match integer(name) {
            Some((width, false, own)) => Some((width, own.unwrap_or(order))),
            _ => {
                self.add(node.pos, path, format!("{name:?} is not an unsigned integer type"), "write u8, u16, u32 …");
                None
            }
        }
    }

    /// How far a field of variable length reaches.
    fn size(&mut self, node: &Node, path: &str, type_name: &str, order: Order, content: &Content) -> Option<Shape> {
        if let Some(count) = node.get("count") {
            let count = self.expr(count, &format!("{path}.count"))?;
            let (element, ty) = match content {
                Content::Map { key, value, .. } => (vec![(**key).clone(), (**value).clone()], Ty::Parts),
                _ => {
                    let Some(items) = node.get("items") else {
                        self.add(node.pos, path, "an array without items", "add items: {type: u16}");
                        return None;
                    };
                    self.element(items, &format!("{path}.items"), order, 0)?
                }
            };
            if element.iter().map(Shape::least).sum::<u32>() == 0 {
                self.add(node.pos, path, "elements without any byte", "an element takes at least one byte");
                return None;
            }
            let inverse = self.inverse(&count);
            return Some(Shape::Array { count, element, ty, inverse });
        }
        if type_name == "array" {
            self.add(node.pos, path, "an array without a count", "add count: n, a number or an expression");
            return None;
        }
        let given: Vec<&str> =
            ["len", "len_type", "terminated"].into_iter().filter(|key| node.get(key).is_some()).collect();
        match given.as_slice() {
            ["len"] => {
                let len_node = node.get("len")?;
                let len = self.expr(len_node, &format!("{path}.len"))?;
                if let Expr::Const(value) = len {
                    let Some(value) = u32::try_from(value).ok().filter(|len| *len <= 1 << 20) else {
                        let fix = "from 0 to 1048576 bytes";
                        self.add(len_node.pos, &format!("{path}.len"), format!("a length of {value}"), fix);
                        return None;
                    };
                    return Some(Shape::Fixed(value));
                }
                let inverse = self.inverse(&len);
                Some(Shape::Sized { len, inverse })
            }
            ["len_type"] => {
                let len_type = node.get("len_type")?;
                if len_type.scalar() == Some("varint") {
                    return Some(Shape::VarintPrefixed);
                }
                let (width, order) = self.int_type(len_type, &format!("{path}.len_type"), order)?;
                Some(Shape::Prefixed { width, order })
            }
            ["terminated"] => {
                let end = node.get("terminated")?;
                Some(Shape::Terminated(self.terminator(end, &format!("{path}.terminated"))?))
            }
            [] => {
                let fix = "add len: 4 or an expression, len_type: u16 (a length in front), or terminated: nul";
                self.add(node.pos, path, format!("how long is this {type_name}?"), fix);
                None
            }
            several => {
                self.add(node.pos, path, format!("{} at once", several.join(" and ")), "keep one of them");
                None
            }
        }
    }

    /// Solves a length for its fields, which become the length's to set.
    pub fn inverse(&mut self, expr: &Expr) -> Option<Affine> {
        let inverse = expr.affine()?;
        let plain = inverse.terms.iter().all(|(id, _)| {
            self.of(*id).is_some_and(|field| field.bits.is_none() && field.part.is_none() && field.item.is_some())
        });
        plain.then_some(inverse)
    }

    pub fn terminator(&mut self, node: &Node, path: &str) -> Option<Box<[u8]>> {
        let text = self.word(node, path, "nul or \"\\r\\n\"")?;
        if text == "nul" && !node.quoted {
            return Some(Box::new([0]));
        }
        match literal(text, node.quoted) {
            Some(bytes) if (1..=16).contains(&bytes.len()) => Some(bytes.into()),
            _ => {
                let fix = "write nul, a text in double quotes, or 0x0d0a";
                self.add(node.pos, path, format!("{text:?} cannot end anything"), fix);
                None
            }
        }
    }

    /// The shapes of one element of an array, or of one side of a map, and its type.
    fn element(&mut self, node: &Node, path: &str, order: Order, depth: usize) -> Option<(Vec<Shape>, Ty)> {
        let known = ["type", "len", "len_type", "terminated", "fields", "name", "about", "byte_order"];
        self.mapping(node, path, &known)?;
        let Some(type_node) = node.get("type") else {
            self.add(node.pos, path, "no type", "add type: u16");
            return None;
        };
        let type_name = self.word(type_node, path, "u16")?.to_owned();
        let order = match node.get("byte_order") {
            Some(_) => self.byte_order(node, path),
            None => order,
        };
        if let Some((width, signed, own)) = integer(&type_name) {
            let ty = Ty::Int { signed, order: own.unwrap_or(order) };
            return Some((vec![Shape::Fixed(width.into())], ty));
        }
        match type_name.as_str() {
            "f32" => Some((vec![Shape::Fixed(4)], Ty::Float { order })),
            "f64" => Some((vec![Shape::Fixed(8)], Ty::Float { order })),
            "varint" | "zigzag" => Some((vec![Shape::Varint], Ty::Varint { zigzag: type_name == "zigzag" })),
            "bytes" | "string" => {
                let shape = self.size(node, path, &type_name, order, &Content::Plain)?;
                if let Shape::Sized { .. } = shape {
                    let fix = "inside an element, a length is a number or stands in front (len_type)";
                    self.add(node.pos, path, "a length that depends on fields outside of the element", fix);
                    return None;
                }
                let ty = if type_name == "bytes" { Ty::Bytes } else { Ty::Text { padding: None } };
                Some((vec![shape], ty))
            }
            "struct" if depth < 4 => {
                let Some(Node { yaml: Yaml::Seq(parts), .. }) = node.get("fields") else {
                    self.add(node.pos, path, "a struct without fields", "add fields: [{name: x, type: u32}, …]");
                    return None;
                };
                let mut shapes = Vec::new();
                for part in parts {
                    shapes.extend(self.element(part, path, order, depth + 1)?.0);
                }
                Some((shapes, Ty::Parts))
            }
            _ => {
                let known = INTEGERS.iter().chain(&["f32", "f64", "bytes", "string", "varint", "zigzag", "struct"]);
                let fix = suggest(&type_name, known.copied());
                self.add(type_node.pos, path, format!("{type_name:?} cannot be an element"), fix);
                None
            }
        }
    }

    fn map(&mut self, node: &Node, path: &str, order: Order) -> Option<Content> {
        let mut side = |name: &str| -> Option<(Shape, Ty)> {
            let path = format!("{path}.{name}");
            let Some(side) = node.get(name) else {
                self.add(
                    node.pos,
                    &path,
                    format!("a map without {name}"),
                    format!("add {name}: {{type: string, len_type: u16}}"),
                );
                return None;
            };
            let (shapes, ty) = self.element(side, &path, order, 4)?;
            let mut shapes = shapes.into_iter();
            match (shapes.next(), shapes.next()) {
                (Some(shape), None) => Some((shape, ty)),
                _ => None,
            }
        };
        let (key, key_ty) = side("key")?;
        let (value, value_ty) = side("value")?;
        if !key_ty.is_text() {
            self.add(node.pos, &format!("{path}.key"), "keys that are not texts", "use type: string or bytes");
            return None;
        }
        Some(Content::Map { key: Box::new(key), value: Box::new(value), value_ty })
    }

    fn bits(&mut self, node: &Node, path: &str, name: &str, parent: FieldId, width: u32) {
        let path = format!("{path}.bits");
        let Some(entries) = node.entries() else {
            self.add(node.pos, &path, "not a mapping of names to bits", "write {twoway: 6, id: 0-4}");
            return;
        };
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            let Some(text) = self.word(&entry.value, &path, "6 or 0-4").map(str::to_owned) else { continue };
            let (low, high) = text.split_once('-').unwrap_or((&text, &text));
            let bound = |text: &str| text.trim().parse::<u8>().ok().filter(|bit| u32::from(*bit) < 8 * width);
            let (Some(low), Some(high)) = (bound(low), bound(high)) else {
                let last = (8 * width).saturating_sub(1);
                let fix = format!("write a bit such as 6, or a range such as 0-4; bits here are 0 (lowest) to {last}");
                self.add(entry.value.pos, &path, format!("{text:?} is not a bit of {name}"), fix);
                continue;
            };
            if low > high {
                let fix = format!("write {high}-{low}: the low bit first");
                self.add(entry.value.pos, &path, "a range that ends before it begins", fix);
                continue;
            }
            let Some(field) = self.of(parent).cloned() else { return };
            let Ty::Int { order, .. } = field.ty else { return };
            // The flags of a header go by their own names: there is hardly a second field with bits.
            let ty = Ty::Int { signed: false, order };
            let known = self.fields.iter().any(|known| *known.name == *entry.key);
            let full = if known || name.contains('.') { format!("{name}.{}", entry.key) } else { entry.key.clone() };
            let type_name = if low == high { format!("bit {low}") } else { format!("bits {low}-{high}") };
            if let Some(id) = self.declare(entry.pos, &path, &full, "", &type_name, ty, field.place)
                && let Some(bits) = self.fields.get_mut(usize::from(id))
            {
                bits.bits = Some((low, high - low + 1));
                bits.item = field.item;
                bits.peek = field.peek;
            }
        }
    }

    /// `const`, `in` and `check` of a field.
    fn checked(&mut self, node: &Node, path: &str, ty: Ty, len: Option<u32>, id: FieldId) -> Option<Check> {
        let given: Vec<&str> = ["const", "in", "check"].into_iter().filter(|key| node.get(key).is_some()).collect();
        if let [first, second, ..] = given.as_slice() {
            self.add(node.pos, path, format!("{first} and {second} at once"), "keep one of them");
            return None;
        }
        match *given.first()? {
            "check" => self.expr(node.get("check")?, &format!("{path}.check")).map(Check::True),
            "const" => {
                let path = format!("{path}.const");
                let bytes = self.constant(node.get("const")?, &path, ty, len)?;
                if let Ty::Varint { .. } = ty {
                    let value = crate::view::decode(ty, &bytes)?;
                    let (left, right) = (Box::new(Expr::Int(id)), Box::new(Expr::Const(value)));
                    return Some(Check::True(Expr::Binary(expr::Binary::Eq, left, right)));
                }
                Some(Check::Const(bytes.into()))
            }
            _ => {
                let path = format!("{path}.in");
                let list = node.get("in")?;
                let Yaml::Seq(values) = &list.yaml else {
                    self.add(list.pos, &path, format!("{} where a list is expected", list.kind()), "write [0, 1]");
                    return None;
                };
                let found: Option<Vec<Box<[u8]>>> =
                    values.iter().map(|value| self.constant(value, &path, ty, len).map(Into::into)).collect();
                let found = found?;
                if found.is_empty() || matches!(ty, Ty::Varint { .. }) {
                    let fix = "list the values it may have; for a varint write check: x == 1 || x == 2";
                    self.add(list.pos, &path, "a list that allows nothing here", fix);
                    return None;
                }
                Some(Check::In(found))
            }
        }
    }

    /// The bytes of a constant of a type.
    fn constant(&mut self, node: &Node, path: &str, ty: Ty, len: Option<u32>) -> Option<Vec<u8>> {
        if ty.is_int() {
            let value = self.int(node, path)?;
            let bytes = encode(ty, value, len.unwrap_or(8) as usize);
            if bytes.is_none() {
                let (min, max) = range(matches!(ty, Ty::Int { signed: true, .. }), 8 * len.unwrap_or(8));
                self.add(node.pos, path, format!("{value} does not fit"), format!("from {min} to {max}"));
            }
            return bytes;
        }
        let text = self.word(node, path, "0xdabb or \"PRPC\"")?;
        let bytes = if ty.is_text() { literal(text, node.quoted) } else { None };
        match (bytes, len) {
            (Some(bytes), Some(len)) if bytes.len() == len as usize => Some(bytes),
            (Some(bytes), Some(len)) => {
                let fix = format!("give {len} bytes, or set len: {}", bytes.len());
                self.add(node.pos, path, format!("a constant of {} bytes in a field of {len}", bytes.len()), fix);
                None
            }
            _ => {
                let fix = "constants are integers, texts and bytes of a fixed length";
                self.add(node.pos, path, "a constant that this field cannot have", fix);
                None
            }
        }
    }

    fn checksum(&mut self, node: &Node, path: &str, own: FieldId, len: Option<u32>) -> Option<Checksum> {
        let path = format!("{path}.checksum");
        self.mapping(node, &path, &["algorithm", "over", "own", "verify"])?;
        let Some(algorithm) = node.get("algorithm") else {
            self.add(node.pos, &path, "no algorithm", "add algorithm: crc32");
            return None;
        };
        let name = self.word(algorithm, &path, "crc32")?;
        let Some(method) = methods().find(|method| method.name == name) else {
            let fix = suggest(name, methods().map(|method| method.name));
            self.add(algorithm.pos, &format!("{path}.algorithm"), format!("unknown algorithm {name:?}"), fix);
            return None;
        };
        if len.unwrap_or(0) * 8 < method.bits {
            let fix = format!("{} has {} bits: use type: u{}", method.name, method.bits, method.bits);
            self.add(node.pos, &path, "the field is too small for it", fix);
            return None;
        }
        let (from, to) = match node.get("over") {
            None => {
                self.add(node.pos, &path, "what does it cover?", "add over: header, body, frame, or start..crc");
                return None;
            }
            Some(over) => {
                let path = format!("{path}.over");
                let text = self.word(over, &path, "frame")?;
                match text {
                    "header" => (Edge::Start, Edge::Body),
                    "body" => (Edge::Body, Edge::Trailer),
                    "frame" => (Edge::Start, Edge::End),
                    _ => {
                        let Some((from, to)) = text.split_once("..") else {
                            let fix = "write header, body, frame, or two edges such as start..crc";
                            self.add(over.pos, &path, format!("{text:?} is no part of a frame"), fix);
                            return None;
                        };
                        let mut edge = |text: &str| match text.trim() {
                            "start" | "0" => Some(Edge::Start),
                            "body" => Some(Edge::Body),
                            "trailer" => Some(Edge::Trailer),
                            "end" => Some(Edge::End),
                            name => {
                                let found = self.fields.iter().position(|field| &*field.name == name);
                                if found.is_none() {
                                    let known = ["start", "body", "trailer", "end"].into_iter();
                                    let names = self.fields.iter().map(|field| &*field.name).chain(known);
                                    let fix = suggest(name, names);
                                    self.problems.unknown(name, over.pos, &path, format!("unknown edge {name:?}"), fix);
                                }
                                found.map(|at| Edge::Field(at as FieldId))
                            }
                        };
                        (edge(from)?, edge(to)?)
                    }
                }
            }
        };
        let skip_own = match node.get("own") {
            Some(how) => self.choice(how, &format!("{path}.own"), &[("zero", false), ("skip", true)])?,
            None => false,
        };
        let verify = match node.get("verify") {
            Some(verify) => self.boolean(verify, &format!("{path}.verify"))?,
            None => true,
        };
        let _ = own;
        Some(Checksum { method, from, to, skip_own, verify })
    }

    /// The named parts of a container.
    fn parts(&mut self, node: &Node, path: &str, name: &str, content: &Content, item: u16) -> Vec<Part> {
        let mut found: Vec<Part> = Vec::new();
        let Some(entries) = node.entries() else {
            let fix = "write {service: {path: 1, type: string}}";
            self.add(node.pos, &format!("{path}.fields"), format!("{} where a mapping is expected", node.kind()), fix);
            return found;
        };
        for entry in entries {
            let path = format!("{path}.fields.{}", entry.key);
            let known = ["name", "path", "type", "about", "byte_order", "when"];
            if self.mapping(&entry.value, &path, &known).is_none() {
                continue;
            }
            // Tags of a TLV list are the keys; elsewhere the keys are names, and the path is said.
            let by_tag = matches!(content, Content::Tlv { .. });
            let (own_name, place) = if by_tag {
                let Some(name) = self.name(&entry.value, &path, "") else { continue };
                (name, Some(entry.key.clone()))
            } else {
                (entry.key.clone(), entry.value.get("path").and_then(Node::scalar).map(str::to_owned))
            };
            let Some(place) = place else {
                self.add(entry.pos, &path, "no path", "add path: the number of the field, or numbers such as 1.5");
                continue;
            };
            let mut numbers = Vec::new();
            let mut names: Vec<Box<str>> = Vec::new();
            let mut wrong = false;
            for step in place.split('.') {
                match (content, expr::number(step).and_then(|number| u32::try_from(number).ok())) {
                    (Content::Json(_), _) => names.push(step.into()),
                    (_, Some(number)) => numbers.push(number),
                    (_, None) => {
                        let fix = "numbers joined by dots, such as 1.5";
                        self.add(entry.pos, &path, format!("{place:?} is not a path here"), fix);
                        wrong = true;
                        break;
                    }
                }
            }
            let steps = numbers.len() + names.len();
            if wrong {
                continue;
            }
            if steps != place.split('.').count() || steps > MAX_PATH || (by_tag && steps != 1) {
                let fix = format!("at most {MAX_PATH} steps, and one in a list of tags");
                self.add(entry.pos, &path, format!("{place:?} leads nowhere"), fix);
                continue;
            }
            let Some(type_node) = entry.value.get("type") else {
                self.add(entry.pos, &path, "no type", "add type: string");
                continue;
            };
            let Some(type_name) = self.word(type_node, &path, "string").map(str::to_owned) else { continue };
            let order = self.byte_order(&entry.value, &path);
            let Some((ty, open)) = part_type(content, &type_name, order) else {
                let known = part_types(content);
                let fix = suggest(&type_name, known.iter().copied());
                self.add(type_node.pos, &path, format!("type {type_name:?} is not read from such a container"), fix);
                continue;
            };
            let when = match entry.value.get("when") {
                Some(when) => match self.expr(when, &join(&path, "when")) {
                    Some(when) => Some(when),
                    None => continue,
                },
                None => None,
            };
            if found.len() >= MAX_PARTS {
                self.add(entry.pos, &path, "too many parts", format!("a container has at most {MAX_PARTS}"));
                break;
            }
            let full = format!("{name}.{own_name}");
            let about = entry.value.get("about").and_then(Node::scalar).unwrap_or_default().to_owned();
            let slot = self.slot();
            let Some(id) = self.declare(entry.pos, &path, &full, &about, &type_name, ty, slot) else { continue };
            if let Some(field) = self.fields.get_mut(usize::from(id)) {
                field.item = Some(item);
                field.part = Some(found.len() as u16);
            }
            found.push(Part { field: id, path: numbers, names, open, when });
        }
        found
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

const fn part_types(content: &Content) -> &'static [&'static str] {
    match content {
        Content::Tlv { .. } => &["string", "bytes", "uint", "int"],
        Content::Protobuf(_) => &[
            "string", "bytes", "uint", "int", "zigzag", "bool", "fixed32", "fixed64", "sfixed32", "sfixed64", "float",
            "double", "map",
        ],
        Content::Jce(_) => &["string", "bytes", "int"],
        Content::Json(_) => &["string", "int", "map"],
        Content::Plain | Content::Map { .. } => &[],
    }
}

/// How a part of a container is read, and whether it is an open map.
fn part_type(content: &Content, name: &str, order: Order) -> Option<(Ty, bool)> {
    if !part_types(content).contains(&name) {
        return None;
    }
    let fixed = |signed| Ty::Int { signed, order: Order::Little };
    Some(match (content, name) {
        (_, "map") => (Ty::Parts, true),
        (Content::Json(_), "string") => (Ty::Escaped, false),
        (Content::Json(_), _) => (Ty::Digits, false),
        (_, "string") => (Ty::Text { padding: None }, false),
        (_, "bytes") => (Ty::Bytes, false),
        (Content::Tlv { .. }, _) => (Ty::Int { signed: name == "int", order }, false),
        (Content::Jce(_), _) => (Ty::Int { signed: true, order: Order::Big }, false),
        (_, "uint" | "bool") => (Ty::Varint { zigzag: false }, false),
        (_, "int") => (Ty::Twos, false),
        (_, "zigzag") => (Ty::Varint { zigzag: true }, false),
        (_, "fixed32" | "fixed64") => (fixed(false), false),
        (_, "sfixed32" | "sfixed64") => (fixed(true), false),
        _ => (Ty::Float { order: Order::Little }, false),
    })
}
