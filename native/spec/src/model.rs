//! A description, checked and resolved: what the compiler makes and the verbs run.

use std::sync::Arc;

use metaprotocol_core::{ErrorType, Info, Kind};

use crate::checksum::Checksum;
use crate::expr::Expr;

/// Most fields of a description, named parts of containers included.
pub(crate) const MAX_FIELDS: usize = 256;

/// Number of a field.
pub(crate) type FieldId = u16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

/// How the bytes of a field are read. Lengths are the slot's to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// 1 to 8 bytes; as many as the slot says.
    Int { signed: bool, order: Order },
    /// 4 or 8 bytes.
    Float { order: Order },
    /// Raw bytes; shown in hexadecimal.
    Bytes,
    /// Text; of a fixed length, it ends at its first padding byte.
    Text { padding: Option<u8> },
    /// Base 128, least significant group first.
    Varint { zigzag: bool },
    /// A varint of protobuf, negative numbers in two's complement.
    Twos,
    /// A number in JSON.
    Digits,
    /// A string in JSON: what stands between the quotes.
    Escaped,
    /// Parts of its own: a container, an array.
    Parts,
}

impl Ty {
    pub const fn is_int(self) -> bool {
        matches!(self, Self::Int { .. } | Self::Varint { .. } | Self::Twos | Self::Digits)
    }

    pub const fn is_text(self) -> bool {
        matches!(self, Self::Bytes | Self::Text { .. } | Self::Escaped)
    }
}

/// Where a field lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Always here.
    Fixed { at: u32, len: u32 },
    /// Where the walk found it.
    Slot(u16),
    /// So many bytes before the end of the frame.
    Trailer { back: u32, len: u32 },
}

/// Where the walk found a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub at: u32,
    pub len: u32,
}

impl Slot {
    pub const ABSENT: Self = Self { at: u32::MAX, len: 0 };
}

/// Anything with a name.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// As the description writes it, parts joined with dots.
    pub name: Box<str>,
    /// The same for errors, which cannot own a text.
    pub label: &'static str,
    pub about: Box<str>,
    /// The type as the description writes it.
    pub type_name: Box<str>,
    pub ty: Ty,
    pub place: Place,
    /// A part of an integer: the lowest bit, and how many.
    pub bits: Option<(u8, u8)>,
    /// Which item of the header holds it; `None` for the trailer.
    pub item: Option<u16>,
    /// Which part of that item it is, if it is a container.
    pub part: Option<u16>,
    /// True if the walk of `split` may stop before it is read.
    pub peek: bool,
    /// True if another field, the length of the frame or a checksum says what it must be.
    pub derived: bool,
}

/// What must be true of a field.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// These bytes.
    Const(Box<[u8]>),
    /// One of these, all of the same length.
    In(Vec<Box<[u8]>>),
    /// Not zero.
    True(Expr),
}

/// How far a field reaches.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Fixed(u32),
    Sized {
        len: Expr,
        inverse: Option<Affine>,
    },
    /// Behind an integer of so many bytes that says how long it is.
    Prefixed {
        width: u8,
        order: Order,
    },
    /// Behind a varint that says how long it is.
    VarintPrefixed,
    Terminated(Box<[u8]>),
    Varint,
    Array {
        count: Expr,
        element: Vec<Shape>,
        /// The type of elements that are single values.
        ty: Ty,
        inverse: Option<Affine>,
    },
}

impl Shape {
    /// The fewest bytes it takes.
    pub fn least(&self) -> u32 {
        match self {
            Self::Fixed(len) => *len,
            Self::Prefixed { width, .. } => u32::from(*width),
            Self::Terminated(end) => end.len() as u32,
            Self::Varint | Self::VarintPrefixed => 1,
            Self::Sized { .. } | Self::Array { .. } => 0,
        }
    }
}

/// What a field holds besides itself.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Plain,
    Tlv { tag: (u8, Order), length: (u8, Order), parts: Vec<Part> },
    Map { key: Box<Shape>, value: Box<Shape>, value_ty: Ty },
    Protobuf(Vec<Part>),
    Jce(Vec<Part>),
    Json(Vec<Part>),
}

impl Content {
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::Tlv { parts, .. } | Self::Protobuf(parts) | Self::Jce(parts) | Self::Json(parts) => parts,
            Self::Plain | Self::Map { .. } => &[],
        }
    }
}

/// Most named parts of one container: their conditions are bits of a word.
pub(crate) const MAX_PARTS: usize = 64;

/// A named part of a container.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub field: FieldId,
    /// Field numbers or tags from the outside in; empty in JSON.
    pub path: Vec<u32>,
    /// Names from the outside in, in JSON.
    pub names: Vec<Box<str>>,
    /// True for a map of protobuf, or an object of JSON: keys of the frame's own.
    pub open: bool,
    /// Where it is to be found at all.
    pub when: Option<Expr>,
}

/// One piece of the header, in wire order.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub field: FieldId,
    pub when: Option<Expr>,
    pub shape: Shape,
    pub content: Content,
    pub check: Option<Check>,
    /// Offset, if nothing before it varies.
    pub offset: Option<u32>,
    /// Fewest bytes of the header behind it.
    pub least_after: u32,
    /// True if `split` needs its parts.
    pub deep: bool,
    pub checksum: Option<Checksum>,
}

/// One piece of the trailer.
#[derive(Clone, Debug)]
pub(crate) struct TrailerItem {
    pub field: FieldId,
    /// Bytes from its first to the end of the frame.
    pub back: u32,
    pub len: u32,
    pub check: Option<Check>,
    pub verify: bool,
    pub checksum: Option<Checksum>,
}

/// A sum of fields with factors, which can be solved for the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    /// Field and factor.
    pub terms: Vec<(FieldId, i128)>,
    pub constant: i128,
}

/// How long a frame is.
#[derive(Clone, Debug)]
pub(crate) enum Length {
    /// The whole frame.
    Total {
        expr: Expr,
        inverse: Option<Affine>,
    },
    /// The bytes between header and trailer.
    Body {
        expr: Expr,
        inverse: Option<Affine>,
    },
    Delimiter(Box<[u8]>),
    Fixed(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct KindRule {
    pub when: Option<Expr>,
    pub kind: Kind,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Auto,
    Ipv4,
    Ipv6,
    Hex,
    Text,
    Bool,
}

/// What a value is called.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Int(i64),
    Text(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub words: Vec<(i128, Word)>,
    /// For all others; `None` gives the value itself.
    pub default: Option<Word>,
}

/// Literal text and values, one after another.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Literal(Box<str>),
    Key(u16),
    Value(Source),
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Field(FieldId),
    Expr(Expr),
    Text(Vec<Piece>),
}

/// A metadata key.
#[derive(Clone, Debug)]
pub(crate) struct KeySpec {
    pub name: Box<str>,
    pub when: Option<Expr>,
    pub source: Source,
    pub format: Format,
    pub map: Option<Mapping>,
    pub writable: bool,
}

/// One line of the metadata, in order.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Key(KeySpec),
    /// All keys of this open map.
    Spread {
        field: FieldId,
        writable: bool,
    },
}

/// What a field of a reply is set to.
#[derive(Clone, Debug)]
pub(crate) enum Setting {
    Int(Expr),
    Text(Vec<ReplyPiece>),
}

#[derive(Clone, Debug)]
pub(crate) enum ReplyPiece {
    Literal(Box<str>),
    Message,
    Code,
    Field(FieldId),
}

#[derive(Clone, Debug)]
pub(crate) struct ReplySpec {
    /// False to begin with zeros instead of the request.
    pub copy: bool,
    pub when: Option<Expr>,
    pub set: Vec<(FieldId, Setting)>,
    pub body: Vec<ReplyPiece>,
    pub codes: Vec<(ErrorType, i64)>,
    pub default_code: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Detect {
    Never,
    /// The checks of the header at fixed places, in a front of so many bytes.
    Checks {
        front: u32,
    },
    When(Expr),
}

/// Rules as they are written, for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub frame: (String, String),
    /// Condition and kind.
    pub kinds: Vec<(Option<String>, Kind)>,
    /// How long each item of the header is, and when it is there.
    pub items: Vec<(Option<String>, Option<String>)>,
}

/// A whole description.
#[derive(Debug)]
pub(crate) struct Program {
    pub info: Info,
    pub fields: Vec<Field>,
    pub items: Vec<Item>,
    pub peeks: Vec<Item>,
    pub trailer: Vec<TrailerItem>,
    pub trailer_len: u32,
    pub length: Length,
    pub max_frame_len: u64,
    pub request_id: Option<FieldId>,
    pub stream_id: Option<FieldId>,
    pub kinds: Vec<KindRule>,
    pub kind_label: &'static str,
    pub kind_field: Option<FieldId>,
    pub entries: Vec<Entry>,
    /// The first whose condition holds is what answers.
    pub errors: Vec<ReplySpec>,
    pub heartbeats: Vec<ReplySpec>,
    pub detect: Detect,
    /// True if `split` must see the whole frame before it can answer.
    pub whole: bool,
    /// True if the request id is a number of fixed length that neither the layout nor a checksum depends on.
    pub free_id: bool,
    /// How many slots the walk fills.
    pub slots: u16,
    /// Offset of the header's end, if nothing in it varies.
    pub header_len: Option<u32>,
    pub least_header: u32,
    /// The rules as the description writes them: for the length of a frame, and the kinds.
    pub rules: Rules,
    pub fast: Option<crate::fast::Fast>,
    /// The key's names, for look-ups.
    pub key_names: Arc<[Box<str>]>,
}
