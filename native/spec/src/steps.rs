//! The steps of the fast way ([`crate::fast`]) through what varies in a header: made once for each case that the first bytes
//! tell apart, each knowing beforehand where its numbers go, and what of a container is looked for.

use metaprotocol_core::{Cursor, DecodeError, Limits, Reason, protobuf};

use crate::fast::{Bool, FALSE, Held, Known, Maker, Number, Registers, TRUE, place};
use crate::model::{Check, Content, Field, FieldId, Item, Order, Part, Place, Program, Shape, Ty};
use crate::parts::find;
use crate::view::unsigned;
use crate::walk::EAGER;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// An integer of so many bytes, behind some that nobody asks for.
    Take {
        skip: u32,
        len: u8,
        order: Order,
        signed: bool,
        to: u8,
    },
    Skip(u32),
    Sized(Number),
    Prefixed(u8, Order),
    VarintPrefixed,
    Varint {
        zigzag: bool,
        to: Option<u8>,
    },
    Terminated(Box<[u8]>),
    /// So many times so many bytes.
    Block(Number, usize),
    Repeat(Number, Vec<Step>),
    /// Notes where the last field is.
    Place(u8),
    /// Puts the bytes of the last field into a register.
    Number(u8),
    /// The last field is these bytes.
    Same(Box<[u8]>),
    Check(Bool),
    /// Leaves out so many steps if it is not so.
    Unless(Bool, usize),
    Protobuf(Box<Message>),
    Tlv(Box<Tags>),
    /// Only the walk knows.
    Walk,
}

/// Where the value of a part goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    ty: Ty,
    value: Option<u8>,
    place: Option<u8>,
}

/// What is looked for in a message of protobuf.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    /// A bit for each number that is looked for, numbers taken modulo 64.
    wanted: u64,
    fields: Vec<(u32, Leaf)>,
    inner: Vec<(u32, Message)>,
    /// The register of each number that is looked for, if nothing but numbers is, and all are below 16.
    numbers: Option<[u8; 16]>,
}

/// No register.
const NOWHERE: u8 = u8::MAX;

/// What is looked for in a list of tags.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tags {
    tag: (u8, Order),
    length: (u8, Order),
    wanted: u64,
    parts: Vec<(u64, Leaf)>,
}

/// An item of the header, with everything about it that the frame's first bytes may decide.
pub(crate) struct Piece<'p> {
    item: &'p Item,
    pub when: Bool,
    /// How long it is, or how many elements it has.
    count: Option<Number>,
    check: Option<Bool>,
    parts: Vec<Bool>,
}

impl<'p> Piece<'p> {
    pub fn new(item: &'p Item, maker: &Maker<'_>) -> Option<Self> {
        let sure = |when: &Option<crate::expr::Expr>| when.as_ref().map_or(Some(TRUE), |when| maker.boolean(when));
        Some(Self {
            item,
            when: sure(&item.when)?,
            count: match &item.shape {
                Shape::Sized { len: expr, .. } | Shape::Array { count: expr, .. } => Some(maker.number(expr)?),
                _ => None,
            },
            check: match &item.check {
                Some(Check::True(expr)) => Some(maker.boolean(expr)?),
                _ => None,
            },
            parts: if item.deep {
                item.content.parts().iter().map(|part| sure(&part.when)).collect::<Option<_>>()?
            } else {
                Vec::new()
            },
        })
    }

    /// How much there is to work out.
    pub fn size(&self) -> usize {
        self.conditions().map(Bool::size).sum::<usize>() + self.count.as_ref().map_or(1, Number::size)
    }

    /// Everything that a byte or the direction may decide.
    pub fn conditions(&self) -> impl Iterator<Item = &Bool> {
        std::iter::once(&self.when).chain(&self.check).chain(&self.parts)
    }
}

/// Steps in the making.
struct Steps<'m> {
    maker: &'m Maker<'m>,
    done: Vec<Step>,
    /// Bytes of fields that nobody asks for.
    skip: u32,
}

/// The steps through some pieces, as far as `known` leaves them open.
pub(crate) fn steps(pieces: &[Piece<'_>], maker: &Maker<'_>, known: &Known) -> Vec<Step> {
    let mut steps = Steps { maker, done: Vec::new(), skip: 0 };
    for piece in pieces {
        match piece.when.given(known) {
            when if when == FALSE => {}
            when if when == TRUE => steps.piece(piece, known),
            when => {
                steps.flush();
                let mut inner = Steps { maker, done: Vec::new(), skip: 0 };
                inner.piece(piece, known);
                inner.flush();
                if !inner.done.is_empty() {
                    steps.done.push(Step::Unless(when, inner.done.len()));
                    steps.done.extend(inner.done);
                }
            }
        }
    }
    steps.flush();
    steps.done
}

impl Steps<'_> {
    fn flush(&mut self) {
        if self.skip > 0 {
            self.done.push(Step::Skip(std::mem::take(&mut self.skip)));
        }
    }

    fn push(&mut self, step: Step) {
        self.flush();
        self.done.push(step);
    }

    fn leaf(&self, program: &Program, id: FieldId) -> Option<Leaf> {
        let Field { ty, place: Place::Slot(slot), .. } = *program.fields.get(usize::from(id))? else { return None };
        let at = |held| self.maker.held(held).map(|at| at as u8);
        Some(Leaf { ty, value: at(Held::Value(slot)), place: at(Held::Place(slot)) })
    }

    fn piece(&mut self, piece: &Piece<'_>, known: &Known) {
        let item = piece.item;
        let program = self.maker.program;
        let own = self.leaf(program, item.field);
        let value = own.as_ref().and_then(|leaf| leaf.value);
        let noted = own.as_ref().and_then(|leaf| leaf.place);
        let seen = noted.is_some() || item.deep || matches!(&item.check, Some(Check::Const(_) | Check::In(_)));
        match (&item.shape, own.as_ref().map(|leaf| leaf.ty), &piece.count) {
            (Shape::Fixed(len), Some(Ty::Int { signed, order }), _) if value.is_some() && *len <= 8 => {
                let skip = std::mem::take(&mut self.skip);
                self.done.push(Step::Take { skip, len: *len as u8, order, signed, to: value.unwrap_or(0) });
            }
            (Shape::Fixed(len), ..) if seen => self.push(Step::Skip(*len)),
            (Shape::Fixed(len), ..) => match self.skip.checked_add(*len) {
                Some(skip) => self.skip = skip,
                None => self.push(Step::Walk),
            },
            (Shape::Sized { .. }, _, Some(len)) => self.push(Step::Sized(len.clone())),
            (Shape::Array { element, .. }, _, Some(count)) => {
                let step = match elements(element) {
                    Some((len, inner)) if inner.is_empty() => Step::Block(count.clone(), len),
                    Some((_, inner)) => Step::Repeat(count.clone(), inner),
                    None => Step::Walk,
                };
                self.push(step);
            }
            (shape, ty, _) => {
                let zigzag = ty == Some(Ty::Varint { zigzag: true });
                self.push(single(shape, zigzag, value).unwrap_or(Step::Walk));
            }
        }
        if let Some(to) = noted {
            self.push(Step::Place(to));
        }
        match (&item.check, &piece.check) {
            (Some(Check::Const(bytes)), _) => self.same(std::slice::from_ref(bytes)),
            (Some(Check::In(allowed)), _) => self.same(allowed),
            (_, Some(check)) => match check.given(known) {
                check if check == TRUE => {}
                check => self.push(Step::Check(check)),
            },
            _ => {}
        }
        if item.deep {
            let when: Vec<Bool> = piece.parts.iter().map(|when| when.given(known)).collect();
            let open = when.iter().any(|when| *when != TRUE && *when != FALSE);
            let parts = item.content.parts().iter().zip(&when).filter(|(_, when)| **when == TRUE).map(|(part, _)| part);
            let step = match &item.content {
                _ if open => Step::Walk,
                Content::Protobuf(_) => Step::Protobuf(Box::new(self.message(program, parts))),
                Content::Tlv { tag, length, .. } => Step::Tlv(Box::new(self.tags(program, *tag, *length, parts))),
                _ => Step::Walk,
            };
            self.push(step);
        }
    }

    /// The last field is one of these.
    fn same(&mut self, allowed: &[Box<[u8]>]) {
        let long = allowed.iter().any(|bytes| bytes.len() > 8 || bytes.is_empty());
        match (allowed, self.maker.register(Held::Scratch)) {
            (_, Some(to)) if !long => {
                self.push(Step::Number(to as u8));
                self.done.push(Step::Check(Maker::one_of(to, allowed)));
            }
            ([bytes], _) => self.push(Step::Same(bytes.clone())),
            _ => self.push(Step::Walk),
        }
    }

    fn message<'i>(&self, program: &Program, parts: impl Iterator<Item = &'i Part>) -> Message {
        let mut root = Message::default();
        for part in parts {
            let Some((last, way)) = part.path.split_last() else { continue };
            let mut message = &mut root;
            for number in way {
                message = message.inside(*number);
            }
            if let Some(leaf) = self.leaf(program, part.field)
                && !part.open
                && (leaf.value.is_some() || leaf.place.is_some())
            {
                message.wanted |= 1 << (last % 64);
                message.fields.push((*last, leaf));
            }
        }
        root.numbers = root.only_numbers();
        root
    }

    fn tags<'i>(
        &self,
        program: &Program,
        tag: (u8, Order),
        length: (u8, Order),
        parts: impl Iterator<Item = &'i Part>,
    ) -> Tags {
        let mut tags = Tags { tag, length, wanted: 0, parts: Vec::new() };
        for part in parts {
            if let (Some(number), Some(leaf)) = (part.path.first(), self.leaf(program, part.field))
                && (leaf.ty.is_int() || leaf.place.is_some())
            {
                tags.wanted |= 1 << (number % 64);
                tags.parts.push((u64::from(*number), leaf));
            }
        }
        tags
    }
}

impl Message {
    fn inside(&mut self, number: u32) -> &mut Self {
        self.wanted |= 1 << (number % 64);
        let at = self.inner.iter().position(|(known, _)| *known == number).unwrap_or_else(|| {
            self.inner.push((number, Self::default()));
            self.inner.len() - 1
        });
        &mut self.inner[at].1
    }

    fn only_numbers(&self) -> Option<[u8; 16]> {
        let mut registers = [NOWHERE; 16];
        for (number, leaf) in &self.fields {
            let register = registers.get_mut(*number as usize)?;
            let plain = matches!(leaf.ty, Ty::Varint { zigzag: false } | Ty::Twos) && leaf.place.is_none();
            if !plain || *register != NOWHERE {
                return None;
            }
            *register = leaf.value?;
        }
        self.inner.is_empty().then_some(registers)
    }
}

/// The step over a field of variable length, as its shape alone has it.
fn single(shape: &Shape, zigzag: bool, value: Option<u8>) -> Option<Step> {
    Some(match shape {
        Shape::Prefixed { width, order } => Step::Prefixed(*width, *order),
        Shape::VarintPrefixed => Step::VarintPrefixed,
        Shape::Varint => Step::Varint { zigzag, to: value },
        Shape::Terminated(end) => Step::Terminated(end.clone()),
        Shape::Fixed(len) => Step::Skip(*len),
        Shape::Sized { .. } | Shape::Array { .. } => return None,
    })
}

/// The bytes of an element, or the steps through one whose length varies.
fn elements(element: &[Shape]) -> Option<(usize, Vec<Step>)> {
    if element.iter().all(|shape| matches!(shape, Shape::Fixed(_))) {
        return Some((element.iter().map(|shape| shape.least() as usize).sum(), Vec::new()));
    }
    Some((0, element.iter().map(|shape| single(shape, false, None)).collect::<Option<_>>()?))
}

/// An integer of 1 to 8 bytes, with one bounds check where eight bytes are in.
#[inline(always)]
fn integer(buf: &[u8], at: usize, len: usize, order: Order) -> Option<u64> {
    if len == 1 {
        return buf.get(at).map(|byte| u64::from(*byte));
    }
    let end = at + len;
    let unused = 8 * (8 - len as u32);
    match buf.get(end.wrapping_sub(8)..end).and_then(<[u8]>::first_chunk) {
        Some(word) => Some(match order {
            Order::Big => u64::from_be_bytes(*word) & (u64::MAX >> unused),
            Order::Little => u64::from_le_bytes(*word) >> unused,
        }),
        None => short(buf, at, end, order),
    }
}

#[cold]
#[inline(never)]
fn short(buf: &[u8], at: usize, end: usize, order: Order) -> Option<u64> {
    buf.get(at..end).map(|bytes| unsigned(bytes, order))
}

/// A varint, most of which are short.
#[inline(always)]
fn varint(buf: &[u8], at: &mut usize) -> Option<u64> {
    let first = *buf.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(first.into());
    }
    let second = *buf.get(*at + 1)?;
    if second < 0x80 {
        *at += 2;
        return Some(u64::from(first & 0x7f) | u64::from(second) << 7);
    }
    long(buf, at)
}

#[inline(never)]
fn long(buf: &[u8], at: &mut usize) -> Option<u64> {
    let mut cursor = Cursor::new(buf, *at);
    let value = cursor.varint(10).ok()?;
    *at = cursor.at();
    Some(value)
}

pub(crate) const fn extended(value: u64, len: usize, signed: bool) -> u64 {
    if !signed || len == 0 || len >= 8 {
        return value;
    }
    let unused = 64 - 8 * len as u32;
    ((value << unused).cast_signed() >> unused).cast_unsigned()
}

const fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

/// A walk through the steps of one frame.
pub(crate) struct Run<'r> {
    /// The first bytes of the header.
    pub header: &'r [u8],
    pub buf: &'r [u8],
    pub limits: &'r Limits,
    /// True if `buf` ends with the header: its last text may end there, too.
    pub bounded: bool,
    pub registers: &'r mut Registers,
}

impl Run<'_> {
    #[inline(always)]
    fn put(&mut self, to: u8, value: u64) {
        if let Some(register) = self.registers.get_mut(usize::from(to)) {
            *register = value;
        }
    }

    /// Where the steps lead to; `None` if not all is well, or not all is in.
    #[inline(always)]
    pub fn steps(&mut self, steps: &[Step], mut at: usize) -> Option<usize> {
        let buf = self.buf;
        let (mut from, mut len) = (at, 0);
        let mut rest = steps.iter();
        while let Some(step) = rest.next() {
            match step {
                Step::Take { skip, len: width, order, signed, to } => {
                    from = at + *skip as usize;
                    len = usize::from(*width);
                    let value = integer(buf, from, len, *order)?;
                    at = from + len;
                    self.put(*to, extended(value, len, *signed));
                }
                Step::Skip(by) => {
                    from = at;
                    len = *by as usize;
                    at += len;
                }
                Step::Sized(sum) => {
                    from = at;
                    len = sum.get(self.header, self.registers)?;
                    at = at.checked_add(len)?;
                }
                Step::Prefixed(width, order) => {
                    let width = usize::from(*width);
                    from = at + width;
                    len = usize::try_from(integer(buf, at, width, *order)?).ok()?;
                    at = from.checked_add(len)?;
                }
                Step::VarintPrefixed => {
                    let prefix = varint(buf, &mut at)?;
                    from = at;
                    len = usize::try_from(prefix).ok()?;
                    at = at.checked_add(len)?;
                }
                Step::Varint { zigzag, to } => {
                    from = at;
                    let value = varint(buf, &mut at)?;
                    len = at - from;
                    if let Some(to) = to {
                        self.put(*to, if *zigzag { unzigzag(value) } else { value });
                    }
                }
                Step::Terminated(end) => {
                    from = at;
                    let text = buf.get(at..)?;
                    let text = text.get(..EAGER).unwrap_or(text);
                    (len, at) = match find(text, end) {
                        Some(found) => (found, at + found + end.len()),
                        None if self.bounded && text.len() < EAGER => (text.len(), buf.len()),
                        None => return None,
                    };
                }
                Step::Block(..) | Step::Repeat(..) => {
                    from = at;
                    at = self.elements(step, at)?;
                    len = at - from;
                }
                Step::Place(to) => self.put(*to, place(from, len)?),
                Step::Number(to) => {
                    let value = integer(buf, from, len, Order::Big)?;
                    self.put(*to, value);
                }
                Step::Same(bytes) => {
                    if buf.get(from..from + len)? != &**bytes {
                        return None;
                    }
                }
                Step::Check(check) => {
                    if !check.holds(self.header, self.registers) {
                        return None;
                    }
                }
                Step::Unless(condition, steps) => {
                    if !condition.holds(self.header, self.registers) {
                        rest.nth(steps - 1);
                    }
                }
                Step::Protobuf(message) => self.message(message, buf.get(..at)?, from)?,
                Step::Tlv(tags) => self.tags(tags, buf.get(..at)?, from)?,
                Step::Walk => return None,
            }
            if at > buf.len() {
                return None;
            }
        }
        Some(at)
    }

    /// Where an array ends.
    #[inline(never)]
    fn elements(&mut self, array: &Step, mut at: usize) -> Option<usize> {
        let (Step::Block(count, _) | Step::Repeat(count, _)) = array else { return None };
        let count = count.get(self.header, self.registers)?;
        if count as u64 > self.limits.max_field_count.into() {
            return None;
        }
        match array {
            Step::Block(_, each) => at.checked_add(count.checked_mul(*each)?),
            Step::Repeat(_, steps) => {
                for _ in 0..count {
                    at = self.element(steps, at)?;
                }
                Some(at)
            }
            _ => None,
        }
    }

    /// Where an element ends.
    fn element(&self, steps: &[Step], mut at: usize) -> Option<usize> {
        let buf = self.buf;
        for step in steps {
            at = match step {
                Step::Skip(len) => at + *len as usize,
                Step::Prefixed(width, order) => {
                    let width = usize::from(*width);
                    (at + width).checked_add(usize::try_from(integer(buf, at, width, *order)?).ok()?)?
                }
                Step::VarintPrefixed => {
                    let len = varint(buf, &mut at)?;
                    at.checked_add(usize::try_from(len).ok()?)?
                }
                Step::Varint { .. } => {
                    varint(buf, &mut at)?;
                    at
                }
                Step::Terminated(end) => {
                    let text = buf.get(at..)?;
                    at + find(text.get(..EAGER).unwrap_or(text), end)? + end.len()
                }
                _ => return None,
            };
            if at > buf.len() {
                return None;
            }
        }
        Some(at)
    }

    #[inline(always)]
    fn note(&mut self, leaf: &Leaf, value: u64, from: usize, len: usize) -> Option<()> {
        if let Some(to) = leaf.value {
            self.put(to, value);
        }
        if let Some(to) = leaf.place {
            self.put(to, place(from, len)?);
        }
        Some(())
    }

    /// A message of protobuf, which ends where `buf` ends.
    fn message(&mut self, message: &Message, buf: &[u8], at: usize) -> Option<()> {
        // What it is called is of no use: the walk tells what is wrong.
        const BROKEN: DecodeError = Reason::BadEncoding { field: "" }.at(0);
        if let Some(registers) = &message.numbers
            && self.numbers(registers, buf.get(at..)?)
        {
            return Some(());
        }
        let visited = protobuf::each(buf, at, "", |field| {
            if message.wanted >> (field.number & 63) & 1 == 1 {
                return self.part(message, buf, &field).ok_or(BROKEN);
            }
            Ok(())
        });
        visited.ok()
    }

    /// The numbers of a plain message. If it is not one, some may be in their registers, where those that are read again
    /// come.
    ///
    /// A call of its own, so that the loop within has the registers of the machine to itself.
    #[inline(never)]
    fn numbers(&mut self, registers: &[u8; 16], message: &[u8]) -> bool {
        protobuf::plain_numbers(message, |number, value| {
            if let Some(to) = registers.get(number) {
                self.put(*to, value);
            }
        })
    }

    /// A field of a message that is looked for, or has a number like one.
    fn part(&mut self, message: &Message, buf: &[u8], field: &protobuf::Field<'_>) -> Option<()> {
        let (from, end) = (field.value_at, field.end);
        for (wanted, leaf) in &message.fields {
            if *wanted != field.number {
                continue;
            }
            let value = match (field.wire, leaf.ty) {
                (protobuf::VARINT, Ty::Varint { zigzag: true }) => unzigzag(field.value),
                (protobuf::VARINT, Ty::Varint { .. } | Ty::Twos) => field.value,
                (protobuf::LEN, Ty::Bytes | Ty::Text { .. }) => 0,
                (protobuf::I64 | protobuf::I32, Ty::Int { signed, order }) => {
                    extended(integer(buf, from, end - from, order)?, end - from, signed)
                }
                (protobuf::I64 | protobuf::I32, Ty::Float { .. }) => 0,
                // A field of another type is an unknown field.
                _ => continue,
            };
            self.note(leaf, value, from, end - from)?;
        }
        if field.wire == protobuf::LEN {
            for (wanted, inner) in &message.inner {
                if *wanted == field.number {
                    self.message(inner, buf.get(..end)?, from)?;
                }
            }
        }
        Some(())
    }

    /// A list of tags, which ends where `buf` ends.
    fn tags(&mut self, tags: &Tags, buf: &[u8], mut at: usize) -> Option<()> {
        let (tag_width, len_width) = (usize::from(tags.tag.0), usize::from(tags.length.0));
        if tag_width == 1 && len_width == 1 {
            while let [tag, len, rest @ ..] = buf.get(at..)? {
                let (from, len) = (at + 2, usize::from(*len));
                if len > rest.len() {
                    return None;
                }
                at = from + len;
                self.tagged(tags, (*tag).into(), buf, from, len)?;
            }
            return (at == buf.len()).then_some(());
        }
        while at < buf.len() {
            let tag = integer(buf, at, tag_width, tags.tag.1)?;
            let len = usize::try_from(integer(buf, at + tag_width, len_width, tags.length.1)?).ok()?;
            let from = at + tag_width + len_width;
            at = from.checked_add(len)?;
            if at > buf.len() {
                return None;
            }
            self.tagged(tags, tag, buf, from, len)?;
        }
        Some(())
    }

    /// The value of a tag, if it is looked for.
    #[inline(always)]
    fn tagged(&mut self, tags: &Tags, tag: u64, buf: &[u8], from: usize, len: usize) -> Option<()> {
        if tags.wanted >> (tag & 63) & 1 == 0 {
            return Some(());
        }
        for (_, leaf) in tags.parts.iter().filter(|(wanted, _)| *wanted == tag) {
            let value = match leaf.ty {
                Ty::Int { .. } if len == 0 => 0,
                Ty::Int { signed, order } if len <= 8 => extended(integer(buf, from, len, order)?, len, signed),
                Ty::Int { .. } => return None,
                _ => 0,
            };
            self.note(leaf, value, from, len)?;
        }
        Some(())
    }
}
