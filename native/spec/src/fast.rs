//! `split` in the fast way: a program that is made for it when a description is compiled.
//!
//! The fields at fixed places, with which most headers begin, are each a load of eight bytes, a shift and a mask. What the
//! conditions come to is worked out beforehand for each value of the byte that most of them read and for each direction, so
//! that a frame pays for what is still open then. What varies behind them is a list of steps ([`crate::steps`]), which is
//! worked out beforehand in the same way, and puts only what `split` reads later into registers.
//!
//! It answers only where all is well and all is in; everything else is the walk's to say, so that there is one place that
//! knows errors.

use std::cell::RefCell;

use metaprotocol_core::{Direction, Head, Kind, Limits, RequestId};

use crate::checksum::{Checksum, Edge};
use crate::expr::{Binary, Expr, NoValue, Unary, binary};
use crate::model::{Affine, Check, Content, FieldId, Length, Order, Place, Program, Shape, Ty};
use crate::parts::find;
use crate::steps::{Piece, Run, Step, extended, steps};
use crate::view::{View, unsigned};
use crate::walk::EAGER;

/// What the steps found, and what else is known of a frame but for its first bytes.
pub(crate) const REGISTERS: usize = 16;
pub(crate) type Registers = [u64; REGISTERS];

/// What may be known of a frame beyond its first bytes.
pub(crate) trait Beyond {
    fn registers(&self) -> Option<&Registers>;
}

impl Beyond for Registers {
    #[inline(always)]
    fn registers(&self) -> Option<&Registers> {
        Some(self)
    }
}

/// Nothing is: nothing varies.
impl Beyond for () {
    #[inline(always)]
    fn registers(&self) -> Option<&Registers> {
        None
    }
}

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The bytes behind the header.
    Peek,
    /// The number in a slot.
    Value(u16),
    /// Where a slot is; see [`place`].
    Place(u16),
    HeaderLen,
    FrameLen,
    Direction,
    /// What is looked at once, and at once.
    Scratch,
}

/// A place in a register: offset, length, and a bit that tells that there is one.
#[inline]
pub(crate) fn place(at: usize, len: usize) -> Option<u64> {
    let (at, len) = (u32::try_from(at).ok()?, u32::try_from(len).ok()?);
    (len < 1 << 31).then_some(u64::from(at) | u64::from(len) << 32 | 1 << 63)
}

/// Bytes of one load.
const WORD: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Where the eight bytes begin, or the number of a register.
    at: u32,
    register: bool,
    big: bool,
    shift: u32,
    /// The bits of the value, and its highest if that is its sign.
    mask: u64,
    sign: u64,
    /// How many bits there are above the value.
    unused: u32,
    signed: bool,
}

impl Load {
    /// True if its greater half reads as negative.
    const fn wide(&self) -> bool {
        self.unused == 0 && !self.signed
    }

    #[inline(always)]
    fn get(&self, header: &[u8], registers: &impl Beyond) -> i64 {
        let word = if let (true, Some(registers)) = (self.register, registers.registers()) {
            registers.get(self.at as usize).copied().unwrap_or(0)
        } else {
            let at = self.at as usize;
            let Some(word) = header.get(at..at + WORD).and_then(|word| word.first_chunk::<WORD>()) else { return 0 };
            let word = u64::from_le_bytes(*word);
            if self.big { word.swap_bytes() } else { word }
        };
        (((word >> self.shift) & self.mask) ^ self.sign).wrapping_sub(self.sign).cast_signed()
    }

    /// The one byte it reads, if it is one.
    fn byte(&self) -> Option<u32> {
        let bits = 64 - self.unused;
        let (low, high) = (self.shift / 8, (self.shift + bits - 1) / 8);
        let at = if self.big { self.at + 7 - low } else { self.at + low };
        (low == high && !self.register).then_some(at)
    }
}

/// Whether some bits of a load are within a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    load: Load,
    mask: i64,
    low: i64,
    /// How much greater the greatest is.
    span: u64,
    negated: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bool {
    Test(Test),
    /// One of these values, which are below 256.
    Among(Load, [u64; 4], bool),
    /// From this side.
    From(Direction),
    All(Vec<Bool>),
    Any(Vec<Bool>),
    /// Anything else that always has a value: whether it is zero, and whether it must be.
    Term(Term, bool),
}

pub(crate) const TRUE: Bool = Bool::All(Vec::new());
pub(crate) const FALSE: Bool = Bool::Any(Vec::new());

/// An expression over loads, where nothing simpler will do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    Const(i128),
    Load(Load),
    Unary(Unary, Box<Term>),
    Binary(Binary, Box<Term>, Box<Term>),
    Choice(Box<[Term; 3]>),
}

impl Term {
    fn size(&self) -> usize {
        1 + match self {
            Self::Const(_) | Self::Load(_) => 0,
            Self::Unary(_, operand) => operand.size(),
            Self::Binary(_, left, right) => left.size() + right.size(),
            Self::Choice(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    fn eval(&self, header: &[u8], registers: &impl Beyond) -> Result<i128, NoValue> {
        Ok(match self {
            Self::Const(value) => *value,
            Self::Load(load) => {
                let value = load.get(header, registers);
                if load.wide() { value.cast_unsigned().into() } else { value.into() }
            }
            Self::Unary(operator, operand) => {
                let value = operand.eval(header, registers)?;
                match operator {
                    Unary::Minus => value.checked_neg().ok_or(NoValue)?,
                    Unary::Not => i128::from(value == 0),
                    Unary::Invert => !value,
                }
            }
            Self::Binary(operator @ (Binary::Both | Binary::Either), left, right) => {
                let left = left.eval(header, registers)? != 0;
                let open = left == (*operator == Binary::Both);
                i128::from(if open { right.eval(header, registers)? != 0 } else { left })
            }
            Self::Binary(operator, left, right) => {
                binary(*operator, left.eval(header, registers)?, right.eval(header, registers)?)?
            }
            Self::Choice(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                let chosen = if condition.eval(header, registers)? != 0 { then } else { otherwise };
                chosen.eval(header, registers)?
            }
        })
    }
}

/// How many bits the value of an expression takes; `None` if it may have no value.
fn bits(expr: &Expr) -> Option<u32> {
    let bits = match expr {
        Expr::Const(value) => 129 - value.unsigned_abs().leading_zeros(),
        Expr::Unary(Unary::Not, operand) => bits(operand).map(|_| 1)?,
        Expr::Unary(_, operand) => bits(operand)? + 1,
        Expr::Choice(condition, then, otherwise) => bits(condition).and(bits(then)?.max(bits(otherwise)?).into())?,
        Expr::Binary(operator, left, right) => {
            let (left, right_bits) = (bits(left)?, bits(right)?);
            match (operator, right.as_ref()) {
                (Binary::Add | Binary::Sub, _) => left.max(right_bits) + 1,
                (Binary::Mul, _) => left + right_bits,
                (Binary::Div | Binary::Rem, Expr::Const(by)) if *by > 0 => left,
                (Binary::Shl, Expr::Const(by @ 0..=63)) => left + *by as u32,
                (Binary::Shr, Expr::Const(0..=63)) => left,
                (Binary::Div | Binary::Rem | Binary::Shl | Binary::Shr, _) => return None,
                (Binary::And | Binary::Or | Binary::Xor, _) => left.max(right_bits),
                _ => 1,
            }
        }
        _ => 65,
    };
    (bits <= 126).then_some(bits)
}

/// A number of bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    /// A field as it is, and a constant, which is most lengths.
    Load(Load, i64),
    Sum(Sum),
    Term(Term),
}

impl Number {
    pub fn size(&self) -> usize {
        match self {
            Self::Load(..) => 1,
            Self::Sum(sum) => 1 + sum.terms.len(),
            Self::Term(term) => term.size(),
        }
    }

    fn of(mut sum: Sum) -> Self {
        match (sum.terms.pop(), sum.terms.as_slice()) {
            (Some((load, 1)), []) => Self::Load(load, sum.constant),
            (last, _) => {
                sum.terms.extend(last);
                Self::Sum(sum)
            }
        }
    }

    /// Both together, where each is a sum that is never negative.
    fn and(self, other: Self) -> Option<Self> {
        let terms = |number| match number {
            Self::Load(load, constant) => Some((vec![(load, 1)], constant)),
            Self::Sum(Sum { terms, constant }) => Some((terms, constant)),
            Self::Term(_) => None,
        };
        let ((mut all, constant), (more, other)) = (terms(self)?, terms(other)?);
        all.extend(more);
        (constant >= 0 && other >= 0 && all.len() <= 4 && constant + other < 1 << 40)
            .then(|| Self::of(Sum { terms: all, constant: constant + other }))
    }

    #[inline(always)]
    pub fn get(&self, header: &[u8], registers: &impl Beyond) -> Option<usize> {
        match self {
            Self::Load(load, constant) => {
                let value = load.get(header, registers);
                let small = value.cast_unsigned() >> 40 == 0;
                usize::try_from(value.wrapping_add(*constant)).ok().filter(|_| small)
            }
            Self::Sum(sum) => sum.get(header, registers),
            Self::Term(term) => term.eval(header, registers).ok().and_then(|value| usize::try_from(value).ok()),
        }
    }
}

/// A sum of loads with factors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sum {
    terms: Vec<(Load, i64)>,
    constant: i64,
}

impl Sum {
    /// The value, if nothing in it is negative, or so large that the sum could overflow.
    #[inline(always)]
    fn get(&self, header: &[u8], registers: &impl Beyond) -> Option<usize> {
        let mut sum = self.constant;
        for (load, factor) in &self.terms {
            let value = load.get(header, registers);
            if value.cast_unsigned() >> 40 != 0 {
                return None;
            }
            sum += value * factor;
        }
        usize::try_from(sum).ok()
    }
}

/// Bytes that must be there: where eight of them begin, which of their bits count, and what those are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: u32,
    mask: u64,
    wanted: u64,
}

impl Mark {
    /// An equality as one comparison of the bytes as they lie.
    fn of(condition: &Bool) -> Option<Self> {
        let Bool::Test(Test { load, mask: -1, low, span: 0, negated: false }) = condition else { return None };
        if load.register || load.signed {
            return None;
        }
        let bits = (u64::MAX >> load.unused) << load.shift;
        let value =
            low.cast_unsigned().checked_shl(load.shift).filter(|value| value >> load.shift == low.cast_unsigned())?;
        let (mask, wanted) = if load.big { (bits.swap_bytes(), value.swap_bytes()) } else { (bits, value) };
        (value & !bits == 0).then_some(Self { at: load.at, mask, wanted })
    }

    #[inline(always)]
    fn holds(&self, header: &[u8]) -> bool {
        let word = header.get(self.at as usize..).and_then(|rest| rest.first_chunk::<WORD>());
        word.is_some_and(|word| u64::from_le_bytes(*word) & self.mask == self.wanted)
    }
}

/// What is open once the deciding byte and the direction are known.
#[derive(Debug, PartialEq)]
struct Rest {
    marks: Vec<Mark>,
    checks: Vec<Bool>,
    /// The kind, if nothing is open about it and nothing has to be looked at.
    kind: Option<Kind>,
    /// Whether to look behind the header.
    peek: Bool,
    kinds: Vec<(Bool, Kind)>,
    /// Which steps lead through what varies; `None` if there is nothing to do but to measure.
    steps: Option<u16>,
    /// How many bytes stand behind those at fixed places, where there are no steps but something varies.
    more: Option<Number>,
}

impl Rest {
    #[inline(never)]
    fn checked(&self, header: &[u8]) -> bool {
        self.checks.iter().all(|check| check.holds(header, &()))
    }
}

/// Most conditions and parts of lengths: each is worked out for each value of a byte, twice.
const MAX_SIZE: usize = 512;

const NOTHING: Registers = [0; REGISTERS];

#[derive(Debug)]
pub(crate) struct Fast {
    /// Bytes of the fields at fixed places, and as many as are loaded for them.
    front: usize,
    window: usize,
    steps: Vec<Vec<Step>>,
    length: Measure,
    max_frame_len: u64,
    /// The bytes behind the header that are looked at: how many, and how.
    peek: Option<(usize, Order, bool)>,
    /// The byte that decides, and which rest each of its values leaves, from the client and from the server.
    byte: usize,
    table: Box<[[u16; 256]; 2]>,
    rests: Vec<Rest>,
    request_id: Id,
    stream_id: Option<(Load, Option<Load>)>,
    trailer_len: usize,
    /// Constants of the trailer: where, counted from the end, and what.
    trailer: Vec<(usize, Box<[u8]>)>,
    sums: Vec<(FieldId, Checksum)>,
    whole: bool,
    /// True if anything asks for more than the bytes of a frame.
    informed: bool,
    /// True if not, and a frame's length is in numbers and nothing behind the header is looked at but a peek.
    plain: bool,
    always: Always,
}

/// How long a frame is.
#[derive(Debug)]
enum Measure {
    Total(Number),
    Body(Number),
    Line(Box<[u8]>),
}

/// Registers that are filled for every frame.
#[derive(Debug)]
struct Always {
    peek: Option<usize>,
    direction: Option<usize>,
    header_len: Option<usize>,
    frame_len: Option<usize>,
}

#[derive(Debug)]
enum Id {
    None,
    /// The number, and whether the frame has one at all.
    Int(Load, Option<Load>),
    Bytes {
        at: u32,
        len: u32,
    },
    /// In a register, as [`place`] packs it.
    Place(u32),
}

/// What the parts of [`Fast`] are made from.
pub(crate) struct Maker<'p> {
    pub program: &'p Program,
    front: u32,
    window: u32,
    held: RefCell<Vec<Held>>,
}

impl Maker<'_> {
    /// The register that holds something.
    pub fn register(&self, what: Held) -> Option<usize> {
        let mut held = self.held.borrow_mut();
        held.iter().position(|known| *known == what).or_else(|| {
            held.push(what);
            (held.len() <= REGISTERS).then_some(held.len() - 1)
        })
    }

    /// The same, if anything reads it.
    pub fn held(&self, what: Held) -> Option<usize> {
        self.held.borrow().iter().position(|known| *known == what)
    }

    /// The load of an integer field; the eight bytes stay within the header.
    fn load(&self, id: FieldId) -> Option<Load> {
        let field = self.program.fields.get(usize::from(id))?;
        let (signed, order, len) = match field.ty {
            Ty::Int { signed, order } => (signed, order, None),
            Ty::Varint { zigzag } => (zigzag, Order::Little, Some(8)),
            Ty::Twos => (true, Order::Little, Some(8)),
            _ => return None,
        };
        let known = |item: &crate::model::Item| match item.shape {
            Shape::Fixed(len) if field.part.is_none() && len <= 8 => Some(len),
            _ => None,
        };
        if field.peek {
            let len = known(self.program.peeks.first()?)?;
            return Some(held(self.register(Held::Peek)?, len, signed, field.bits));
        }
        match field.place {
            Place::Fixed { at, len } if at + len <= self.front => {
                Some(load(at, len, signed, order == Order::Big, field.bits, self.window))
            }
            Place::Slot(slot) => {
                let item = self.program.items.get(usize::from(field.item?))?;
                let len = len.or_else(|| known(item)).unwrap_or(8);
                Some(held(self.register(Held::Value(slot))?, len, signed, field.bits))
            }
            Place::Fixed { .. } | Place::Trailer { .. } => None,
        }
    }

    /// Where a field is, if its place varies.
    fn place(&self, id: FieldId) -> Option<u32> {
        match self.program.fields.get(usize::from(id))?.place {
            Place::Slot(slot) => self.register(Held::Place(slot)).map(|at| at as u32),
            Place::Fixed { .. } | Place::Trailer { .. } => None,
        }
    }

    fn term(&self, expr: &Expr) -> Option<Term> {
        let always = |what| Some(Term::Load(held(self.register(what)?, 8, true, None)));
        let fixed = |id: FieldId| match self.program.fields.get(usize::from(id))?.place {
            Place::Fixed { len, .. } => Some(i128::from(len)),
            Place::Slot(_) | Place::Trailer { .. } => None,
        };
        Some(match expr {
            Expr::Const(value) => Term::Const(*value),
            Expr::Int(id) => Term::Load(self.load(*id)?),
            Expr::Len(id) => match fixed(*id) {
                Some(len) => Term::Const(len),
                None => Term::Load(held(self.place(*id)? as usize, 8, false, Some((32, 31)))),
            },
            Expr::Present(id) => match fixed(*id) {
                Some(_) => Term::Const(1),
                None => Term::Load(present(self.place(*id)?)),
            },
            Expr::Direction => always(Held::Direction)?,
            Expr::HeaderLen => always(Held::HeaderLen)?,
            Expr::FrameLen => always(Held::FrameLen)?,
            Expr::Code | Expr::Same(..) => return None,
            Expr::Unary(operator, operand) => Term::Unary(*operator, Box::new(self.term(operand)?)),
            Expr::Binary(operator, left, right) => {
                Term::Binary(*operator, Box::new(self.term(left)?), Box::new(self.term(right)?))
            }
            Expr::Choice(condition, then, otherwise) => {
                Term::Choice(Box::new([self.term(condition)?, self.term(then)?, self.term(otherwise)?]))
            }
        })
    }

    pub fn number(&self, expr: &Expr) -> Option<Number> {
        let sum = expr.affine().and_then(|affine| self.sum(&affine));
        sum.map(Number::of).or_else(|| self.term(expr).map(Number::Term))
    }

    /// The number of a field that is an id.
    fn own(&self, id: FieldId) -> Option<Load> {
        self.load(id).filter(|_| !self.program.fields.get(usize::from(id)).is_some_and(|field| field.peek))
    }

    /// What tells whether a frame has a field, if it may lack it.
    fn presence(&self, id: FieldId) -> Option<Option<Load>> {
        let field = self.program.fields.get(usize::from(id))?;
        if let Place::Fixed { .. } = field.place {
            return Some(None);
        }
        let item = self.program.items.get(usize::from(field.item?))?;
        if field.part.is_none() && item.when.is_none() {
            return Some(None);
        }
        Some(Some(present(self.place(id)?)))
    }

    fn request_id(&self, id: FieldId) -> Option<Id> {
        let field = self.program.fields.get(usize::from(id))?;
        if !field.ty.is_int() {
            return match field.place {
                Place::Fixed { at, len } => Some(Id::Bytes { at, len }),
                Place::Slot(_) => self.place(id).filter(|_| !field.peek).map(Id::Place),
                Place::Trailer { .. } => None,
            };
        }
        // A number that a message of protobuf leaves out is 0, so only the message counts.
        let item = field.item.and_then(|item| self.program.items.get(usize::from(item)));
        let message = item.filter(|item| field.part.is_some() && matches!(item.content, Content::Protobuf(_)));
        let whose = message.map_or(id, |item| item.field);
        Some(Id::Int(self.own(id)?, self.presence(whose)?))
    }

    /// Whether a register is one of some constants of at most eight bytes.
    pub fn one_of(at: usize, allowed: &[Box<[u8]>]) -> Bool {
        any(allowed.iter().map(|bytes| {
            let load = held(at, bytes.len() as u32, false, None);
            Bool::Test(Test { load, mask: -1, low: number(bytes), span: 0, negated: false })
        }))
    }

    fn masked(&self, expr: &Expr) -> Option<(Load, i64)> {
        let (id, mask) = match expr {
            Expr::Int(id) => (id, -1),
            Expr::Binary(Binary::And, left, right) => match (left.as_ref(), right.as_ref()) {
                (Expr::Int(id), Expr::Const(mask)) | (Expr::Const(mask), Expr::Int(id)) => {
                    (id, i64::try_from(*mask).ok()?)
                }
                _ => return None,
            },
            _ => return None,
        };
        Some((self.load(*id)?, mask))
    }

    fn test(&self, operator: Binary, left: &Expr, right: &Expr) -> Option<Bool> {
        let (operator, expr, value) = match (left, right) {
            (expr, Expr::Const(value)) => (operator, expr, *value),
            (Expr::Const(value), expr) => {
                let turned = match operator {
                    Binary::Lt => Binary::Gt,
                    Binary::Le => Binary::Ge,
                    Binary::Gt => Binary::Lt,
                    Binary::Ge => Binary::Le,
                    same => same,
                };
                (turned, expr, *value)
            }
            _ => return None,
        };
        let value = i64::try_from(value).ok()?;
        if let Expr::Direction = expr {
            let side = match (operator, value) {
                (Binary::Eq, 0) | (Binary::Ne, 1) => Direction::ClientToServer,
                (Binary::Eq, 1) | (Binary::Ne, 0) => Direction::ServerToClient,
                _ => return None,
            };
            return Some(Bool::From(side));
        }
        let (load, mask) = self.masked(expr)?;
        // The greater half of unsigned 64 bits reads as negative.
        if load.wide() && (mask == -1 && !matches!(operator, Binary::Eq | Binary::Ne) || mask < -1 || value < 0) {
            return None;
        }
        let (low, high, negated) = match operator {
            Binary::Eq => (value, value, false),
            Binary::Ne => (value, value, true),
            Binary::Lt => (value, i64::MAX, true),
            Binary::Le => (i64::MIN, value, false),
            Binary::Gt => (i64::MIN, value, true),
            Binary::Ge => (value, i64::MAX, false),
            _ => return None,
        };
        Some(Bool::Test(Test { load, mask, low, span: high.wrapping_sub(low).cast_unsigned(), negated }))
    }

    pub fn boolean(&self, expr: &Expr) -> Option<Bool> {
        Some(match expr {
            Expr::Const(value) => {
                if *value != 0 {
                    TRUE
                } else {
                    FALSE
                }
            }
            Expr::Unary(Unary::Not, operand) => not(self.boolean(operand)?),
            Expr::Binary(Binary::Both, left, right) => all([self.boolean(left)?, self.boolean(right)?]),
            Expr::Binary(Binary::Either, left, right) => any([self.boolean(left)?, self.boolean(right)?]),
            other => {
                let test = match other {
                    Expr::Binary(operator, left, right) if operator.compares() => self.test(*operator, left, right),
                    other => self.test(Binary::Ne, other, &Expr::Const(0)),
                };
                match test {
                    Some(test) => test,
                    None => {
                        bits(other)?;
                        Bool::Term(self.term(other)?, true)
                    }
                }
            }
        })
    }

    fn check(&self, check: &Check, at: u32, checks: &mut Vec<Bool>) -> Option<()> {
        let equal = |at: u32, bytes: &[u8]| {
            let load = load(at, bytes.len() as u32, false, true, None, self.window);
            Bool::Test(Test { load, mask: -1, low: number(bytes), span: 0, negated: false })
        };
        match check {
            Check::Const(bytes) => {
                for (index, chunk) in bytes.chunks(WORD).enumerate() {
                    checks.push(equal(at + (index * WORD) as u32, chunk));
                }
            }
            Check::In(allowed) => {
                if allowed.first()?.len() > WORD {
                    return None;
                }
                checks.push(any(allowed.iter().map(|bytes| equal(at, bytes))));
            }
            Check::True(expr) => checks.push(self.boolean(expr)?),
        }
        Some(())
    }

    fn sum(&self, affine: &Affine) -> Option<Sum> {
        let mut terms = Vec::new();
        for (id, factor) in &affine.terms {
            let load = self.load(*id)?;
            // So small that no sum of them overflows.
            let factor = i64::try_from(*factor).ok().filter(|factor| *factor < 1 << 20)?;
            if terms.len() >= 4 {
                return None;
            }
            terms.push((load, factor));
        }
        let constant = i64::try_from(affine.constant).ok().filter(|value| value.abs() < 1 << 40)?;
        Some(Sum { terms, constant })
    }
}

fn all(parts: impl IntoIterator<Item = Bool>) -> Bool {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            part if part == FALSE => return FALSE,
            Bool::All(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    single(flat, Bool::All)
}

/// Alternatives; several values of one field become one step.
fn any(parts: impl IntoIterator<Item = Bool>) -> Bool {
    let mut flat: Vec<Bool> = Vec::new();
    for part in parts {
        match part {
            part if part == TRUE => return TRUE,
            Bool::Any(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    let mut merged: Vec<Bool> = Vec::new();
    for part in flat {
        let set = match &part {
            Bool::Test(Test { load, mask: -1, low: value @ 0..=255, span: 0, negated: false }) => {
                let mut set = [0; 4];
                if let Some(word) = set.get_mut((value / 64) as usize) {
                    *word = 1_u64 << (value % 64);
                }
                Some((*load, set))
            }
            Bool::Among(load, set, false) => Some((*load, *set)),
            _ => None,
        };
        let Some((load, set)) = set else {
            merged.push(part);
            continue;
        };
        let known = merged.iter_mut().find_map(|known| match known {
            Bool::Among(other, known, false) if *other == load => Some(known),
            _ => None,
        });
        match known {
            Some(known) => known.iter_mut().zip(set).for_each(|(known, set)| *known |= set),
            None => merged.push(Bool::Among(load, set, false)),
        }
    }
    single(merged, Bool::Any)
}

fn single(mut parts: Vec<Bool>, many: impl Fn(Vec<Bool>) -> Bool) -> Bool {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            many(parts)
        }
        (_, None) => many(parts),
    }
}

fn not(condition: Bool) -> Bool {
    match condition {
        Bool::Test(test) => Bool::Test(Test { negated: !test.negated, ..test }),
        Bool::Among(load, set, negated) => Bool::Among(load, set, !negated),
        Bool::From(side) => Bool::From(side.reverse()),
        Bool::Term(term, wanted) => Bool::Term(term, !wanted),
        Bool::All(parts) => any(parts.into_iter().map(not)),
        Bool::Any(parts) => all(parts.into_iter().map(not)),
    }
}

fn load(at: u32, len: u32, signed: bool, big: bool, bits: Option<(u8, u8)>, window: u32) -> Load {
    // The last bytes of a header are loaded with those before them.
    let from = at.min(window.saturating_sub(WORD as u32));
    let below = if big { 8 * (from + WORD as u32).saturating_sub(at + len) } else { 8 * (at - from) };
    let (low, count) = bits.map_or((0, 8 * len), |(low, count)| (u32::from(low), u32::from(count)));
    let signed = signed && bits.is_none();
    let unused = 64 - count;
    let sign = if signed { 1 << (count - 1) } else { 0 };
    Load { at: from, register: false, big, shift: below + low, mask: u64::MAX >> unused, sign, unused, signed }
}

/// All that some steps do, if all they do is to add lengths.
fn lengths(steps: &[Step]) -> Option<Number> {
    steps.iter().try_fold(Number::Sum(Sum { terms: Vec::new(), constant: 0 }), |all, step| match step {
        Step::Skip(len) => all.and(Number::Sum(Sum { terms: Vec::new(), constant: i64::from(*len) })),
        Step::Sized(number) => all.and(number.clone()),
        _ => None,
    })
}

/// A number in a register.
fn held(at: usize, len: u32, signed: bool, bits: Option<(u8, u8)>) -> Load {
    let (low, count) = match bits {
        Some((low, count)) => (u32::from(low), u32::from(count)),
        // Registers hold numbers with their sign.
        None => (0, if signed { 64 } else { 8 * len }),
    };
    let signed = signed && bits.is_none();
    let unused = 64 - count;
    let sign = if signed { 1 << 63 } else { 0 };
    Load { at: at as u32, register: true, big: false, shift: low, mask: u64::MAX >> unused, sign, unused, signed }
}

/// Whether a register says where something is.
fn present(at: u32) -> Load {
    held(at as usize, 8, false, Some((63, 1)))
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)).cast_signed()
}

impl Fast {
    /// The fast way through a program, if it has one.
    pub fn of(program: &Program) -> Option<Self> {
        let fixed = |item: &&crate::model::Item| {
            item.offset.is_some() && item.when.is_none() && !item.deep && matches!(item.shape, Shape::Fixed(_))
        };
        let count = program.items.iter().take_while(fixed).count();
        let front =
            program.items.iter().take(count).try_fold(0_u32, |all, item| all.checked_add(item.shape.least()))?;
        if program.peeks.len() > 1 || front > 1 << 16 {
            return None;
        }
        let window = front.max(WORD as u32);
        let maker = Maker { program, front, window, held: RefCell::new(Vec::new()) };
        let mut checks = Vec::new();
        for item in program.items.iter().take(count) {
            if let Some(check) = &item.check {
                maker.check(check, item.offset?, &mut checks)?;
            }
        }
        let pieces: Vec<Piece<'_>> =
            program.items.iter().skip(count).map(|item| Piece::new(item, &maker)).collect::<Option<_>>()?;
        let length = match &program.length {
            Length::Total { expr, .. } => Measure::Total(maker.number(expr)?),
            Length::Body { expr, .. } => Measure::Body(maker.number(expr)?),
            Length::Fixed(len) => Measure::Total(Number::Sum(Sum { terms: Vec::new(), constant: i64::from(*len) })),
            Length::Delimiter(end) => Measure::Line(end.clone()),
        };
        let (mut peek, mut peek_when) = (None, FALSE);
        if let Some(item) = program.peeks.first() {
            let Shape::Fixed(len @ 1..=8) = item.shape else { return None };
            if item.check.is_some() {
                return None;
            }
            let (order, signed) = match program.fields.get(usize::from(item.field))?.ty {
                Ty::Int { signed, order } => (order, signed),
                _ => (Order::Big, false),
            };
            peek = Some((len as usize, order, signed));
            peek_when = match &item.when {
                Some(when) => maker.boolean(when)?,
                None => TRUE,
            };
        }
        let mut kinds = Vec::new();
        for rule in &program.kinds {
            kinds.push((rule.when.as_ref().map_or(Some(TRUE), |when| maker.boolean(when))?, rule.kind));
        }
        let request_id = match program.request_id {
            None => Id::None,
            Some(id) => maker.request_id(id)?,
        };
        let stream_id = match program.stream_id {
            None => None,
            Some(id) => Some((maker.own(id)?, maker.presence(id)?)),
        };
        let mut trailer = Vec::new();
        for item in &program.trailer {
            match &item.check {
                Some(Check::Const(bytes)) if item.verify => trailer.push((item.back as usize, bytes.clone())),
                Some(_) if item.verify => return None,
                _ => {}
            }
        }
        let sums = sums(program)?;
        let all = checks.iter().chain([&peek_when]).chain(kinds.iter().map(|(when, _)| when));
        if all.map(Bool::size).sum::<usize>() + pieces.iter().map(Piece::size).sum::<usize>() > MAX_SIZE {
            return None;
        }
        let (byte, table, mut rests) = tabled(&checks, &peek_when, &kinds, &pieces, &maker);
        let always = Always {
            peek: maker.held(Held::Peek),
            direction: maker.held(Held::Direction),
            header_len: maker.held(Held::HeaderLen),
            frame_len: maker.held(Held::FrameLen),
        };
        let mut all_steps: Vec<Vec<Step>> = Vec::new();
        let plain = !matches!(length, Measure::Line(_))
            && sums.is_empty()
            && maker.held.borrow().iter().all(|held| *held == Held::Peek);
        for (rest, steps) in &mut rests {
            if plain && steps.is_empty() {
                continue;
            }
            if plain && let Some(more) = lengths(steps) {
                rest.more = Some(more);
                continue;
            }
            let at = all_steps.iter().position(|known| known == steps).unwrap_or_else(|| {
                all_steps.push(std::mem::take(steps));
                all_steps.len() - 1
            });
            rest.steps = Some(at as u16);
        }
        if maker.held.borrow().len() > REGISTERS {
            return None;
        }
        let informed = always.direction.or(always.header_len).or(always.frame_len).is_some();
        Some(Self {
            plain: !informed && !matches!(length, Measure::Line(_)) && sums.is_empty() && !program.whole,
            front: front as usize,
            window: window as usize,
            steps: all_steps,
            length,
            max_frame_len: program.max_frame_len,
            peek,
            byte,
            table,
            rests: rests.into_iter().map(|(rest, _)| rest).collect(),
            request_id,
            stream_id,
            trailer_len: program.trailer_len as usize,
            trailer,
            sums,
            whole: program.whole,
            informed,
            always,
        })
    }

    /// The head of a frame with which all is well; `None` leaves the answer to the walk.
    #[inline(always)]
    pub fn split(&self, program: &Program, direction: Direction, limits: &Limits, buf: &[u8]) -> Option<Head> {
        let padded: [u8; WORD];
        let header = match buf.get(..self.window) {
            Some(header) => header,
            None => {
                padded = widened(buf.get(self.front..).and(Some(buf))?);
                &padded
            }
        };
        let byte = usize::from(*header.get(self.byte)?);
        let rest = self.rests.get(usize::from(*self.table.get(direction as usize)?.get(byte)?))?;
        if !rest.marks.iter().all(|mark| mark.holds(header)) || !(rest.checks.is_empty() || rest.checked(header)) {
            return None;
        }
        match rest.steps {
            None => {
                let mut header_len = self.front;
                if let Some(more) = &rest.more {
                    header_len += more.get(header, &())?;
                    if header_len > buf.len() || header_len > limits.max_header_len as usize {
                        return None;
                    }
                }
                let frame_len = self.frame_len(limits, header, header_len, &())?;
                if self.whole && !self.ends(buf.get(..frame_len)?) {
                    return None;
                }
                let kind = match rest.kind {
                    Some(kind) => kind,
                    None if self.peek.is_none() => {
                        rest.kinds.iter().find(|(when, _)| when.holds(header, &())).map(|(_, kind)| *kind)?
                    }
                    None => self.kind(rest, header, header_len, frame_len, buf)?,
                };
                self.head(kind, direction, header, &(), header_len, frame_len)
            }
            Some(steps) => {
                let steps = self.steps.get(usize::from(steps))?;
                if self.plain {
                    self.vary::<true>(program, rest, steps, direction, limits, header, buf)
                } else {
                    self.vary::<false>(program, rest, steps, direction, limits, header, buf)
                }
            }
        }
    }

    /// The head of a frame of which parts vary; if `PLAIN`, its length is in numbers and nothing asks for the whole frame.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "what the fast way knows already")]
    fn vary<const PLAIN: bool>(
        &self,
        program: &Program,
        rest: &Rest,
        steps: &[Step],
        direction: Direction,
        limits: &Limits,
        header: &[u8],
        buf: &[u8],
    ) -> Option<Head> {
        let mut registers = NOTHING;
        if !PLAIN && self.informed {
            put(&mut registers, self.always.direction, direction as u64);
        }
        let (mut line, mut end) = (buf, 0);
        if !PLAIN && let Measure::Line(delimiter) = &self.length {
            line = buf.get(..find(buf.get(..EAGER).unwrap_or(buf), delimiter)?)?;
            end = delimiter.len();
            if line.len() < self.front {
                return None;
            }
        }
        let mut run = Run { header, buf: line, limits, bounded: end > 0, registers: &mut registers };
        let header_len = run.steps(steps, self.front)?;
        // Every length in the header is compared with this by the walk, one after another.
        if header_len > limits.max_header_len as usize {
            return None;
        }
        let frame_len =
            if end > 0 { line.len() + end } else { self.frame_len(limits, header, header_len, &registers)? };
        if frame_len as u64 > self.max_frame_len.min(limits.max_frame_len) {
            return None;
        }
        if !PLAIN && self.whole && !self.ends(buf.get(..frame_len)?) {
            return None;
        }
        if !PLAIN && self.informed {
            put(&mut registers, self.always.header_len, header_len as u64);
            put(&mut registers, self.always.frame_len, frame_len as u64);
        }
        if !PLAIN && !self.sums.is_empty() && !self.sound(program, direction, buf, header_len, frame_len) {
            return None;
        }
        let kind = match rest.kind {
            Some(kind) => kind,
            None => {
                if self.peek.is_some() {
                    self.look(rest, header, &mut registers, header_len, frame_len, buf)?;
                }
                rest.kinds.iter().find(|(when, _)| when.holds(header, &registers)).map(|(_, kind)| *kind)?
            }
        };
        self.head(kind, direction, header, &registers, header_len, frame_len)
    }

    /// Puts the bytes behind the header into their register, where there are some.
    #[inline(never)]
    fn look(
        &self,
        rest: &Rest,
        header: &[u8],
        registers: &mut Registers,
        header_len: usize,
        frame_len: usize,
        buf: &[u8],
    ) -> Option<()> {
        let (len, order, signed) = self.peek?;
        if rest.peek.holds(header, registers) && header_len + self.trailer_len + len <= frame_len {
            let bytes = buf.get(header_len..header_len + len)?;
            put(registers, self.always.peek, extended(unsigned(bytes, order), len, signed));
        }
        Some(())
    }

    #[inline(always)]
    fn frame_len(&self, limits: &Limits, header: &[u8], header_len: usize, registers: &impl Beyond) -> Option<usize> {
        let least = header_len + self.trailer_len;
        let frame_len = match &self.length {
            Measure::Total(number) => number.get(header, registers)?,
            Measure::Body(number) => number.get(header, registers)?.checked_add(least)?,
            Measure::Line(_) => return None,
        };
        let fits = frame_len >= least.max(1) && frame_len as u64 <= self.max_frame_len.min(limits.max_frame_len);
        fits.then_some(frame_len)
    }

    #[inline(always)]
    fn head(
        &self,
        kind: Kind,
        direction: Direction,
        header: &[u8],
        registers: &impl Beyond,
        header_len: usize,
        frame_len: usize,
    ) -> Option<Head> {
        let there = |present: &Option<Load>| present.as_ref().is_none_or(|load| load.get(header, registers) != 0);
        Some(Head {
            kind,
            request_id: match &self.request_id {
                Id::None => RequestId::None,
                Id::Int(load, present) => {
                    if there(present) {
                        RequestId::Int(load.get(header, registers).cast_unsigned())
                    } else {
                        RequestId::None
                    }
                }
                Id::Bytes { at, len } => RequestId::Bytes { at: *at, len: *len },
                Id::Place(at) => {
                    let place = registers.registers().and_then(|all| all.get(*at as usize)).copied().unwrap_or(0);
                    if place == 0 {
                        RequestId::None
                    } else {
                        RequestId::Bytes { at: place as u32, len: (place >> 32) as u32 & 0x7fff_ffff }
                    }
                }
            },
            stream_id: self
                .stream_id
                .as_ref()
                .filter(|(_, present)| there(present))
                .map(|(load, _)| load.get(header, registers).cast_unsigned()),
            header_len: header_len as u32,
            frame_len,
            variant: direction as u32,
        })
    }

    /// Whether the checksums are right.
    #[inline(never)]
    fn sound(&self, program: &Program, direction: Direction, buf: &[u8], header_len: usize, frame_len: usize) -> bool {
        let view = View { fields: &program.fields, buf, slots: &[], direction, header_len, frame_len, code: 0 };
        self.sums.iter().all(|(field, checksum)| {
            let found = view.int(*field).map(|found| found as u64);
            found.is_some() && checksum.value(*field, &view, self.trailer_len) == found
        })
    }

    /// Whether a whole frame ends as it must.
    #[inline(never)]
    fn ends(&self, frame: &[u8]) -> bool {
        self.trailer.iter().all(|(back, bytes)| {
            frame.len().checked_sub(*back).and_then(|at| frame.get(at..)).is_some_and(|end| end.starts_with(bytes))
        })
    }

    /// The kind of a frame in which nothing varies, where the bytes behind the header have a say in it.
    #[inline(never)]
    fn kind(&self, rest: &Rest, header: &[u8], header_len: usize, frame_len: usize, buf: &[u8]) -> Option<Kind> {
        let mut registers = NOTHING;
        self.look(rest, header, &mut registers, header_len, frame_len, buf)?;
        rest.kinds.iter().find(|(when, _)| when.holds(header, &registers)).map(|(_, kind)| *kind)
    }
}

#[inline(always)]
fn put(registers: &mut Registers, at: Option<usize>, value: u64) {
    if let Some(register) = at.and_then(|at| registers.get_mut(at)) {
        *register = value;
    }
}

/// The checksums that are looked at; `None` if where they are, or what they cover, is not known beforehand.
fn sums(program: &Program) -> Option<Vec<(FieldId, Checksum)>> {
    let header = program.items.iter().map(|item| (item.field, item.checksum.as_ref()));
    let trailer = program.trailer.iter().map(|item| (item.field, item.checksum.as_ref()));
    let all = header.chain(trailer).filter_map(|(field, sum)| Some((field, sum.filter(|sum| sum.verify)?)));
    let mut found = Vec::new();
    for (id, sum) in all {
        let place = |id: FieldId| program.fields.get(usize::from(id)).map(|field| field.place);
        let own = place(id)?;
        let known = |edge: Edge| match edge {
            Edge::Field(field) => match place(field) {
                Some(Place::Fixed { .. }) => true,
                // A checksum of the header does not wait for the trailer.
                Some(Place::Trailer { .. }) => matches!(own, Place::Trailer { .. }),
                _ => false,
            },
            _ => true,
        };
        if matches!(own, Place::Slot(_)) || !known(sum.from) || !known(sum.to) {
            return None;
        }
        found.push((id, *sum));
    }
    Some(found)
}

/// Up to eight bytes, and zeros behind them.
#[inline]
fn widened(bytes: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    word
}

type Table = Box<[[u16; 256]; 2]>;

/// What is left of the conditions for each value of the byte that most of them read, and the steps that are left then.
fn tabled(
    checks: &[Bool],
    peek: &Bool,
    kinds: &[(Bool, Kind)],
    pieces: &[Piece<'_>],
    maker: &Maker<'_>,
) -> (usize, Table, Vec<(Rest, Vec<Step>)>) {
    let mut reads = Vec::new();
    let varying = pieces.iter().flat_map(Piece::conditions);
    for condition in checks.iter().chain([peek]).chain(kinds.iter().map(|(when, _)| when)).chain(varying) {
        condition.bytes(&mut reads);
    }
    let often = |byte: &u32| reads.iter().filter(|other| *other == byte).count();
    let byte = reads.iter().copied().filter(|byte| *byte < maker.front).max_by_key(often).unwrap_or(0);
    let mut rests: Vec<(Rest, Vec<Step>)> = Vec::new();
    // Most values of the byte leave the same steps.
    let mut seen: Vec<(Vec<Bool>, Vec<Step>)> = Vec::new();
    let mut table = Box::new([[0; 256]; 2]);
    let sides = [Direction::ClientToServer, Direction::ServerToClient];
    for (direction, row) in sides.into_iter().zip(table.iter_mut()) {
        for (value, entry) in row.iter_mut().enumerate() {
            let known = Known { byte, value: value as u8, direction };
            let mut left = Vec::new();
            for (when, kind) in kinds {
                let when = when.given(&known);
                if when == FALSE {
                    continue;
                }
                let last = when == TRUE;
                left.push((when, *kind));
                if last {
                    break;
                }
            }
            let open: Vec<Bool> =
                checks.iter().map(|check| check.given(&known)).filter(|check| *check != TRUE).collect();
            let marks = open.iter().filter_map(Mark::of).collect();
            let checks = open.into_iter().filter(|check| Mark::of(check).is_none()).collect();
            let peek = peek.given(&known);
            let kind = left.first().filter(|(when, _)| *when == TRUE && peek == FALSE).map(|(_, kind)| *kind);
            let open: Vec<Bool> = pieces.iter().flat_map(Piece::conditions).map(|when| when.given(&known)).collect();
            let steps = match seen.iter().find(|(key, _)| *key == open) {
                Some((_, steps)) => steps.clone(),
                None => {
                    let steps = steps(pieces, maker, &known);
                    seen.push((open, steps.clone()));
                    steps
                }
            };
            let rest = (Rest { marks, checks, kind, peek, kinds: left, steps: None, more: None }, steps);
            let at = rests.iter().position(|known| *known == rest).unwrap_or_else(|| {
                rests.push(rest);
                rests.len() - 1
            });
            *entry = at as u16;
        }
    }
    (byte as usize, table, rests)
}

/// What is known of a frame.
pub(crate) struct Known {
    byte: u32,
    value: u8,
    direction: Direction,
}

impl Known {
    /// Bytes that a load of the known byte reads as it does in a frame.
    fn header(&self, load: &Load) -> Vec<u8> {
        let mut header = vec![0; load.at as usize + WORD];
        if let Some(byte) = header.get_mut(self.byte as usize) {
            *byte = self.value;
        }
        header
    }
}

impl Bool {
    /// How many conditions it is made of.
    pub fn size(&self) -> usize {
        1 + match self {
            Self::Test(_) | Self::Among(..) | Self::From(_) => 0,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Term(term, _) => term.size(),
        }
    }

    /// Notes every byte that is read by itself.
    fn bytes(&self, found: &mut Vec<u32>) {
        match self {
            Self::Test(Test { load, .. }) | Self::Among(load, ..) => found.extend(load.byte()),
            Self::From(_) | Self::Term(..) => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.bytes(found)),
        }
    }

    /// What is left of it when something is known.
    pub fn given(&self, known: &Known) -> Self {
        match self {
            Self::From(side) => {
                if *side == known.direction {
                    TRUE
                } else {
                    FALSE
                }
            }
            Self::Test(Test { load, .. }) | Self::Among(load, ..) if load.byte() == Some(known.byte) => {
                if self.holds(&known.header(load), &()) { TRUE } else { FALSE }
            }
            Self::Test(_) | Self::Among(..) | Self::Term(..) => self.clone(),
            Self::All(parts) => all(parts.iter().map(|part| part.given(known))),
            Self::Any(parts) => any(parts.iter().map(|part| part.given(known))),
        }
    }

    #[inline(always)]
    pub fn holds(&self, header: &[u8], registers: &impl Beyond) -> bool {
        match self {
            Self::Test(test) => test.holds(header, registers),
            Self::All(parts) if parts.is_empty() => true,
            Self::Any(parts) if parts.is_empty() => false,
            other => other.combined(header, registers),
        }
    }

    fn combined(&self, header: &[u8], registers: &impl Beyond) -> bool {
        match self {
            Self::Test(test) => test.holds(header, registers),
            Self::Among(load, set, negated) => {
                let found = load.get(header, registers);
                let within = u8::try_from(found).is_ok_and(|found| {
                    set.get(usize::from(found / 64)).is_some_and(|word| word >> (found % 64) & 1 == 1)
                });
                within != *negated
            }
            // Every direction is known before a frame is seen.
            Self::From(_) => false,
            Self::All(parts) => parts.iter().all(|part| part.combined(header, registers)),
            Self::Any(parts) => parts.iter().any(|part| part.combined(header, registers)),
            Self::Term(term, wanted) => term.eval(header, registers).is_ok_and(|value| (value != 0) == *wanted),
        }
    }
}

impl Test {
    #[inline(always)]
    fn holds(&self, header: &[u8], registers: &impl Beyond) -> bool {
        let found = self.load.get(header, registers) & self.mask;
        (found.wrapping_sub(self.low).cast_unsigned() <= self.span) != self.negated
    }
}
