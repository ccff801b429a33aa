//! Random Hessian 2 values, their bytes in every form that the wire allows, and their description, both made without the
//! reader.

use proptest::collection::vec;
use proptest::prelude::*;

/// A value and the choices of its writer.
#[derive(Clone, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    /// The number, and how many forms above the shortest one that fits is taken.
    Int(i32, u8),
    Long(i64, u8),
    Double(f64),
    /// Doubles in the forms of 1, 2 and 4 bytes.
    DoubleByte(i8),
    DoubleShort(i16),
    DoubleThousandths(i32),
    DateMillis(i64),
    DateMinutes(i32),
    Text(Written),
    Binary(Vec<u8>, Vec<usize>, u8),
    List(Typed, Vec<Node>, ListForm),
    Map(Typed, Vec<(Node, Node)>),
    /// One of several classes with as many fields as there are values.
    Object(u8, Vec<Node>, bool),
    /// One of the containers so far.
    Reference(usize),
}

/// A string: where it is cut into chunks (in characters), whether surrogates are written each by itself as Java does, and
/// how many forms above the shortest the last chunk takes.
#[derive(Clone, Debug)]
pub struct Written {
    pub text: String,
    pub cuts: Vec<usize>,
    pub java: bool,
    pub form: u8,
}

/// Which of a few types a list or map has, and whether its name is written again.
#[derive(Clone, Debug)]
pub struct Typed(Option<(u8, bool)>);

#[derive(Clone, Copy, Debug)]
pub enum ListForm {
    Short,
    Fixed,
    Variable,
}

pub fn written() -> impl Strategy<Value = Written> {
    let text = prop_oneof![
        4 => vec(b' '..=b'~', 0..40).prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
        2 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => (vec(any::<char>(), 1..4), 300..1100_usize).prop_map(|(unit, times)| String::from_iter(unit).repeat(times)),
    ];
    (text, vec(0..40_usize, 0..3), any::<bool>(), 0..3_u8).prop_map(|(text, cuts, java, form)| Written {
        text,
        cuts,
        java,
        form,
    })
}

fn typed() -> impl Strategy<Value = Typed> {
    proptest::option::of((0..5_u8, any::<bool>())).prop_map(Typed)
}

pub fn node() -> impl Strategy<Value = Node> {
    let number = || prop_oneof![any::<i32>(), -300_000..300_000, -3000..3000, -20..50_i32];
    let leaf = prop_oneof![
        Just(Node::Null),
        any::<bool>().prop_map(Node::Bool),
        (number(), 0..4_u8).prop_map(|(value, form)| Node::Int(value, form)),
        (prop_oneof![any::<i64>(), number().prop_map(i64::from)], 0..5_u8)
            .prop_map(|(value, form)| Node::Long(value, form)),
        any::<f64>().prop_map(Node::Double),
        prop_oneof![Just(0.0), Just(1.0)].prop_map(Node::Double),
        any::<i8>().prop_map(Node::DoubleByte),
        any::<i16>().prop_map(Node::DoubleShort),
        any::<i32>().prop_map(Node::DoubleThousandths),
        any::<i64>().prop_map(Node::DateMillis),
        any::<i32>().prop_map(Node::DateMinutes),
        written().prop_map(Node::Text),
        (vec(any::<u8>(), 0..60), vec(0..30_usize, 0..3), 0..3_u8)
            .prop_map(|(bytes, cuts, form)| Node::Binary(bytes, cuts, form)),
        any::<usize>().prop_map(Node::Reference),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        let form = prop_oneof![Just(ListForm::Short), Just(ListForm::Fixed), Just(ListForm::Variable)];
        prop_oneof![
            (typed(), vec(inner.clone(), 0..9), form).prop_map(|(typed, items, form)| Node::List(typed, items, form)),
            (typed(), vec((inner.clone(), inner.clone()), 0..5)).prop_map(|(typed, entries)| Node::Map(typed, entries)),
            (0..6_u8, vec(inner, 0..4), any::<bool>())
                .prop_map(|(class, fields, far)| Node::Object(class, fields, far)),
        ]
    })
}

/// Writes values one after another, with the numbering of one message.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    /// As `hessian::describe` would have it.
    pub described: String,
    types: Vec<String>,
    classes: Vec<String>,
    containers: usize,
}

impl Writer {
    /// A writer that goes on behind these bytes.
    pub fn behind(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), ..Self::default() }
    }

    fn put(&mut self, code: u8, tail: &[u8]) {
        self.bytes.push(code);
        self.bytes.extend_from_slice(tail);
    }

    fn say(&mut self, text: &str) {
        self.described.push_str(text);
    }

    pub fn value(&mut self, node: &Node) {
        match node {
            Node::Null => {
                self.put(b'N', &[]);
                self.say("null");
            }
            Node::Bool(value) => {
                self.put(if *value { b'T' } else { b'F' }, &[]);
                self.say(&value.to_string());
            }
            Node::Int(value, form) => {
                self.int(*value, *form);
                self.say(&value.to_string());
            }
            Node::Long(value, form) => {
                self.long(*value, *form);
                self.say(&format!("{value}L"));
            }
            Node::Double(value) => {
                if value.to_bits() == 0 {
                    self.put(0x5b, &[]);
                } else if *value == 1.0 {
                    self.put(0x5c, &[]);
                } else {
                    self.put(b'D', &value.to_be_bytes());
                }
                self.say(&format!("{value:?}"));
            }
            Node::DoubleByte(value) => {
                self.put(0x5d, &value.to_be_bytes());
                self.say(&format!("{:?}", f64::from(*value)));
            }
            Node::DoubleShort(value) => {
                self.put(0x5e, &value.to_be_bytes());
                self.say(&format!("{:?}", f64::from(*value)));
            }
            Node::DoubleThousandths(value) => {
                self.put(0x5f, &value.to_be_bytes());
                self.say(&format!("{:?}", 0.001 * f64::from(*value)));
            }
            Node::DateMillis(value) => {
                self.put(0x4a, &value.to_be_bytes());
                self.say(&format!("date({value})"));
            }
            Node::DateMinutes(value) => {
                self.put(0x4b, &value.to_be_bytes());
                self.say(&format!("date({})", i64::from(*value) * 60_000));
            }
            Node::Text(written) => {
                self.text(written);
                self.quote(&written.text);
            }
            Node::Binary(bytes, cuts, form) => self.binary(bytes, cuts, *form),
            Node::List(typed, items, form) => self.list(typed, items, *form),
            Node::Map(typed, entries) => {
                self.put(if typed.0.is_some() { b'M' } else { b'H' }, &[]);
                self.type_name(typed);
                self.containers += 1;
                self.say("{");
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.say(if index > 0 { ", " } else { "" });
                    self.value(key);
                    self.say(": ");
                    self.value(value);
                }
                self.put(b'Z', &[]);
                self.say("}");
            }
            Node::Object(class, fields, far) => self.object(*class, fields, *far),
            Node::Reference(pick) => match pick.checked_rem(self.containers) {
                Some(number) => {
                    self.put(b'Q', &[]);
                    self.int(number as i32, 0);
                    self.say(&format!("#{number}"));
                }
                None => self.value(&Node::Null),
            },
        }
    }

    fn int(&mut self, value: i32, form: u8) {
        let shortest = match value {
            -0x10..=0x2f => 0,
            -0x800..=0x7ff => 1,
            -0x40000..=0x3ffff => 2,
            _ => 3,
        };
        match (shortest + form).min(3) {
            0 => self.put((value + 0x90) as u8, &[]),
            1 => self.put((0xc8 + (value >> 8)) as u8, &[value as u8]),
            2 => self.put((0xd4 + (value >> 16)) as u8, &[(value >> 8) as u8, value as u8]),
            _ => self.put(b'I', &value.to_be_bytes()),
        }
    }

    fn long(&mut self, value: i64, form: u8) {
        let shortest = match value {
            -8..=15 => 0,
            -0x800..=0x7ff => 1,
            -0x40000..=0x3ffff => 2,
            _ if i32::try_from(value).is_ok() => 3,
            _ => 4,
        };
        match (shortest + form).min(4) {
            0 => self.put((value + 0xe0) as u8, &[]),
            1 => self.put((0xf8 + (value >> 8)) as u8, &[value as u8]),
            2 => self.put((0x3c + (value >> 16)) as u8, &[(value >> 8) as u8, value as u8]),
            3 => self.put(0x59, &(value as i32).to_be_bytes()),
            _ => self.put(b'L', &value.to_be_bytes()),
        }
    }

    pub fn text(&mut self, written: &Written) {
        // Each character as its bytes and the number it counts for.
        let characters: Vec<(Vec<u8>, usize)> = written
            .text
            .chars()
            .map(|character| match character.encode_utf16(&mut [0; 2]) {
                [high, low] if written.java => {
                    let half = |unit: u16| [0xed, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8];
                    ([half(*high), half(*low)].concat(), 2)
                }
                _ => (character.to_string().into_bytes(), 1),
            })
            .collect();
        let mut rest = characters.as_slice();
        for cut in &written.cuts {
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            rest = tail;
            let count = chunk.iter().map(|(_, count)| count).sum::<usize>() as u16;
            self.put(b'R', &count.to_be_bytes());
            self.bytes.extend(chunk.iter().flat_map(|(bytes, _)| bytes));
        }
        let count = rest.iter().map(|(_, count)| count).sum::<usize>() as u16;
        let [high, low] = count.to_be_bytes();
        let shortest = match count {
            0..=0x1f => 0,
            0x20..=0x3ff => 1,
            _ => 2,
        };
        match (shortest + written.form).min(2) {
            0 => self.put(low, &[]),
            1 => self.put(0x30 + high, &[low]),
            _ => self.put(b'S', &[high, low]),
        }
        self.bytes.extend(rest.iter().flat_map(|(bytes, _)| bytes));
    }

    fn plain(&mut self, text: &str) {
        self.text(&Written { text: text.to_owned(), cuts: vec![], java: true, form: 0 });
    }

    fn quote(&mut self, text: &str) {
        let escaped: String = text.chars().map(escape).collect();
        self.say(&format!("\"{escaped}\""));
    }

    fn binary(&mut self, bytes: &[u8], cuts: &[usize], form: u8) {
        let mut rest = bytes;
        for cut in cuts {
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            rest = tail;
            self.put(b'A', &(chunk.len() as u16).to_be_bytes());
            self.bytes.extend_from_slice(chunk);
        }
        let [high, low] = (rest.len() as u16).to_be_bytes();
        let shortest = u8::from(rest.len() > 15);
        match (shortest + form).min(2) {
            0 => self.put(0x20 + low, &[]),
            1 => self.put(0x34 + high, &[low]),
            _ => self.put(b'B', &[high, low]),
        }
        self.bytes.extend_from_slice(rest);
        self.say("bytes(");
        for byte in bytes {
            self.say(&format!("{byte:02x}"));
        }
        self.say(")");
    }

    fn type_name(&mut self, typed: &Typed) {
        let Some((pick, again)) = typed.0 else { return };
        let name = format!("type.{pick}");
        match self.types.iter().position(|known| *known == name) {
            Some(number) if !again => self.int(number as i32, pick % 3),
            _ => {
                self.plain(&name);
                self.types.push(name.clone());
            }
        }
        self.say(&name);
    }

    fn list(&mut self, typed: &Typed, items: &[Node], form: ListForm) {
        let is_typed = typed.0.is_some();
        let form = if items.len() > 7 && matches!(form, ListForm::Short) { ListForm::Fixed } else { form };
        match form {
            ListForm::Short => self.put(if is_typed { 0x70 } else { 0x78 } + items.len() as u8, &[]),
            ListForm::Fixed => self.put(if is_typed { b'V' } else { 0x58 }, &[]),
            ListForm::Variable => self.put(if is_typed { b'U' } else { 0x57 }, &[]),
        }
        self.type_name(typed);
        if matches!(form, ListForm::Fixed) {
            self.int(items.len() as i32, 0);
        }
        self.containers += 1;
        self.say("[");
        for (index, item) in items.iter().enumerate() {
            self.say(if index > 0 { ", " } else { "" });
            self.value(item);
        }
        self.say("]");
        if matches!(form, ListForm::Variable) {
            self.put(b'Z', &[]);
        }
    }

    fn object(&mut self, class: u8, fields: &[Node], far: bool) {
        let name = format!("class.{class}.{}", fields.len());
        let number = self.classes.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.put(b'C', &[]);
            self.plain(&name);
            self.int(fields.len() as i32, 0);
            for index in 0..fields.len() {
                self.plain(&format!("field{index}"));
            }
            self.classes.push(name.clone());
            self.classes.len() - 1
        });
        if far || number > 15 {
            self.put(b'O', &[]);
            self.int(number as i32, 0);
        } else {
            self.put(0x60 + number as u8, &[]);
        }
        self.containers += 1;
        self.say(&name);
        self.say("(");
        for (index, field) in fields.iter().enumerate() {
            self.say(if index > 0 { ", " } else { "" });
            self.say(&format!("field{index}="));
            self.value(field);
        }
        self.say(")");
    }
}

fn escape(character: char) -> String {
    match character {
        '\\' | '"' => format!("\\{character}"),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        control if control < ' ' => format!("\\u{:04x}", control as u32),
        other => other.to_string(),
    }
}

/// No type at all.
pub const fn untyped() -> Typed {
    Typed(None)
}
