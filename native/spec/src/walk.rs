//! Walking a header in wire order: where its fields are, whether they may be so, and how long the frame is.
//!
//! One walk serves all verbs. It stops at the first field that is not complete, or at the first byte that cannot be right,
//! whichever comes first in the header, so that the answer does not depend on how the stream was cut.

use metaprotocol_core::{
    Cursor, DecodeError, Direction, Head, Kind, Limits, Reason, RequestId, Short, Split, VarintError,
};

use crate::checksum::Checksum;
use crate::expr::{Expr, NoValue};
use crate::model::{Check, Content, Field, FieldId, Item, Length, Place, Program, Shape, Slot, TrailerItem};
use crate::parts::{Finder, find};
use crate::view::{View, unsigned};

/// Why a walk did not reach the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// So many more bytes are needed, at least.
    Need(usize),
    Error(DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Error(error)
    }
}

/// How far a search or a walk over an array came, so that the next call need not begin again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Which item; `NOWHERE` if none, `FRAME` for the delimiter of the frame.
    item: u16,
    iteration: u32,
    at: u32,
}

/// So many bytes of a line are looked at again when more come.
pub(crate) const EAGER: usize = 256;

const NOWHERE: u16 = u16::MAX;
const FRAME: u16 = u16::MAX - 1;

impl Mark {
    pub const NONE: Self = Self { item: NOWHERE, iteration: 0, at: 0 };

    /// True if a walk has got somewhere, and goes on from there.
    pub const fn is_set(&self) -> bool {
        self.item != NOWHERE
    }
}

/// Where an item lies: its content, and where the next one begins.
struct Extent {
    at: usize,
    len: usize,
    next: usize,
}

pub(crate) struct Walk<'w> {
    pub program: &'w Program,
    pub buf: &'w [u8],
    pub direction: Direction,
    pub limits: &'w Limits,
    pub slots: &'w mut [Slot],
    /// True if the header cannot go beyond `buf`: bytes that are lacking are an error.
    pub bounded: bool,
    /// True to find the parts of all containers, not only of those that `split` needs.
    pub deep: bool,
}

impl Walk<'_> {
    fn view(&self, header_len: usize, frame_len: usize) -> View<'_> {
        View {
            fields: &self.program.fields,
            buf: self.buf,
            slots: self.slots,
            direction: self.direction,
            header_len,
            frame_len,
            code: 0,
        }
    }

    fn label(&self, field: FieldId) -> &'static str {
        self.program.fields.get(usize::from(field)).map_or("a field", |field| field.label)
    }

    /// Too few bytes: `total` of them from the front of the frame are needed.
    fn short(&self, field: FieldId, at: usize, total: usize) -> Stop {
        if self.bounded {
            return Reason::UnexpectedEnd { field: self.label(field) }.at(at.min(self.buf.len())).into();
        }
        Stop::Need(total.saturating_sub(self.buf.len()).max(1))
    }

    fn no_value(&self, field: FieldId, at: usize) -> DecodeError {
        Reason::BadValue { field: self.label(field), value: 0 }.at(at)
    }

    /// The length of the header, whose fields are in their slots then.
    pub fn header(&mut self, mark: &mut Mark) -> Result<usize, Stop> {
        let mut at = 0;
        for (index, item) in self.program.items.iter().enumerate() {
            at = self.item(index, item, at, mark)?;
        }
        Ok(at)
    }

    /// As [`Self::header`], for the first items only.
    pub fn front(&mut self, items: usize) -> Result<usize, Stop> {
        let mut at = 0;
        for (index, item) in self.program.items.iter().enumerate().take(items) {
            at = self.item(index, item, at, &mut Mark::NONE.clone())?;
        }
        Ok(at)
    }

    fn item(&mut self, index: usize, item: &Item, at: usize, mark: &mut Mark) -> Result<usize, Stop> {
        if let Some(when) = &item.when {
            match when.eval(&self.view(at, 0)) {
                Ok(0) => return Ok(at),
                Ok(_) => {}
                Err(NoValue) => return Err(self.no_value(item.field, at).into()),
            }
        }
        let extent = self.extent(index, item, at, mark)?;
        self.take(item, at, &extent)?;
        Ok(extent.next)
    }

    /// Notes where an item is, and checks it.
    fn take(&mut self, item: &Item, at: usize, extent: &Extent) -> Result<(), Stop> {
        if let Some(Field { place: Place::Slot(number), .. }) = self.program.fields.get(usize::from(item.field))
            && let Some(slot) = self.slots.get_mut(usize::from(*number))
        {
            *slot = Slot { at: extent.at as u32, len: extent.len as u32 };
        }
        if let Some(check) = &item.check {
            let bytes = self.buf.get(extent.at..extent.at + extent.len).unwrap_or_default();
            self.check(check, item.field, at, bytes)?;
        }
        if (item.deep || self.deep) && !matches!(item.content, Content::Plain | Content::Map { .. }) {
            let program = self.program;
            let label = self.label(item.field);
            let mut wanted = u64::MAX;
            for (index, part) in item.content.parts().iter().enumerate() {
                if part.when.as_ref().is_some_and(|when| !when.holds(&self.view(at, 0))) {
                    wanted &= !(1 << index);
                }
            }
            let (fields, limits) = (&program.fields, self.limits);
            let mut finder = Finder { fields, label, limits, slots: self.slots, wanted };
            finder.find(&item.content, self.buf, extent.at..extent.at + extent.len)?;
        }
        Ok(())
    }

    /// Whether these bytes, which may be a field's first only, are what they must be.
    fn check(&self, check: &Check, field: FieldId, at: usize, bytes: &[u8]) -> Result<(), DecodeError> {
        match check {
            Check::Const(wanted) => {
                let Some(wrong) = wanted.iter().zip(bytes).position(|(wanted, found)| wanted != found) else {
                    return Ok(());
                };
                // As far as both agree and one byte more, so that it does not matter how many bytes are in.
                let from = wrong.saturating_sub(7);
                let number = |bytes: &[u8]| {
                    bytes.get(from..=wrong).unwrap_or_default().iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
                };
                Err(Reason::BadMagic { expected: number(wanted), found: number(bytes) }.at(at))
            }
            Check::In(allowed) => {
                let wrong = (1..=bytes.len()).find(|len| {
                    let front = bytes.get(..*len).unwrap_or_default();
                    !allowed.iter().any(|wanted| wanted.starts_with(front))
                });
                let Some(wrong) = wrong else { return Ok(()) };
                let full = allowed.first().is_some_and(|wanted| wanted.len() == wrong);
                let front = bytes.get(..wrong).unwrap_or_default();
                let ty = self.program.fields.get(usize::from(field)).map(|field| field.ty);
                let value = match ty.filter(|_| full).and_then(|ty| crate::view::decode(ty, front)) {
                    Some(value) => value as i64,
                    None => front.iter().fold(0, |all: i64, byte| all << 8 | i64::from(*byte)),
                };
                Err(Reason::BadValue { field: self.label(field), value }.at(at))
            }
            Check::True(expr) => {
                let view = self.view(at, 0);
                if expr.holds(&view) {
                    return Ok(());
                }
                let value = view.int(field).map_or(0, |value| value as i64);
                Err(Reason::BadValue { field: self.label(field), value }.at(at))
            }
        }
    }

    /// A length that a peer claims, as bytes behind `at`.
    fn claimed(&self, field: FieldId, at: usize, len: Result<i128, NoValue>) -> Result<usize, DecodeError> {
        let bad = |value| Reason::BadLength { field: self.label(field), value }.at(at);
        let len = len.map_err(|NoValue| bad(i64::MAX))?;
        if len < 0 {
            return Err(bad(i64::try_from(len).unwrap_or(i64::MIN)));
        }
        let end = len + at as i128;
        let max = u64::from(self.limits.max_header_len);
        if end > i128::from(max) {
            let value = u64::try_from(end).unwrap_or(u64::MAX);
            return Err(Reason::LimitExceeded { limit: "max_header_len", value, max }.at(at));
        }
        Ok(len as usize)
    }

    fn extent(&self, index: usize, item: &Item, at: usize, mark: &mut Mark) -> Result<Extent, Stop> {
        let after = item.least_after as usize;
        match &item.shape {
            Shape::Array { count, element, .. } => {
                let count = self.claimed_count(item.field, at, count.eval(&self.view(at, 0)))?;
                let least: u64 = element.iter().map(|shape| u64::from(shape.least())).sum();
                self.claimed(item.field, at, Ok(i128::from(count) * i128::from(least)))?;
                let (mut next, from) =
                    if usize::from(mark.item) == index { (mark.at as usize, mark.iteration) } else { (at, 0) };
                for iteration in from..count {
                    let start = next;
                    let rest = after + (u64::from(count - iteration - 1) * least) as usize;
                    for shape in element {
                        match self.shape(shape, item, next, rest, &mut Mark::NONE.clone(), index) {
                            Ok(extent) => next = extent.next,
                            Err(stop) => {
                                *mark = Mark { item: index as u16, iteration, at: start as u32 };
                                return Err(stop);
                            }
                        }
                    }
                }
                self.claimed(item.field, at, Ok((next - at) as i128))?;
                Ok(Extent { at, len: next - at, next })
            }
            shape => match self.shape(shape, item, at, after, mark, index) {
                Err(Stop::Need(more)) => {
                    // What is in must be a beginning of what must be there.
                    if let (Shape::Fixed(_), Some(check @ (Check::Const(_) | Check::In(_)))) = (shape, &item.check) {
                        self.check(check, item.field, at, self.buf.get(at..).unwrap_or_default())?;
                    }
                    Err(Stop::Need(more))
                }
                other => other,
            },
        }
    }

    fn claimed_count(&self, field: FieldId, at: usize, count: Result<i128, NoValue>) -> Result<u32, DecodeError> {
        let bad = |value| Reason::BadLength { field: self.label(field), value }.at(at);
        let count = count.map_err(|NoValue| bad(i64::MAX))?;
        if count < 0 {
            return Err(bad(i64::try_from(count).unwrap_or(i64::MIN)));
        }
        let max = self.limits.max_field_count;
        let value = u64::try_from(count).unwrap_or(u64::MAX);
        if value > u64::from(max) {
            return Err(Reason::LimitExceeded { limit: "max_field_count", value, max: max.into() }.at(at));
        }
        Ok(value as u32)
    }

    fn shape(
        &self,
        shape: &Shape,
        item: &Item,
        at: usize,
        after: usize,
        mark: &mut Mark,
        index: usize,
    ) -> Result<Extent, Stop> {
        let field = item.field;
        let have = self.buf.len();
        let (start, len) = match shape {
            Shape::Fixed(len) => (at, *len as usize),
            Shape::Sized { len, .. } => (at, self.claimed(field, at, len.eval(&self.view(at, 0)))?),
            Shape::Prefixed { width, order } => {
                let start = at + usize::from(*width);
                let Some(prefix) = self.buf.get(at..start) else { return Err(self.short(field, at, start + after)) };
                (start, self.claimed(field, at, Ok(unsigned(prefix, *order).into()))?)
            }
            Shape::VarintPrefixed => {
                let (len, start) = self.varint(field, at, after)?;
                (start, self.claimed(field, at, Ok(len.into()))?)
            }
            Shape::Varint => {
                let (_, next) = self.varint(field, at, after)?;
                return Ok(Extent { at, len: next - at, next });
            }
            Shape::Terminated(end) => {
                let known = if usize::from(mark.item) == index { mark.at as usize } else { at };
                let max = self.limits.max_header_len as usize;
                let rest = self.buf.get(known..have.min(max.max(known))).unwrap_or_default();
                if let Some(found) = find(rest, end) {
                    let len = known + found - at;
                    return Ok(Extent { at, len, next: at + len + end.len() });
                }
                if self.bounded && have <= max {
                    // The end of the frame ends its last text, too.
                    return Ok(Extent { at, len: have - at.min(have), next: have.max(at) });
                }
                if have >= max {
                    let max = max as u64;
                    return Err(Reason::LimitExceeded { limit: "max_header_len", value: max + 1, max }.at(at).into());
                }
                let seen = have.saturating_sub(end.len() - 1).max(known);
                *mark = Mark { item: index as u16, iteration: 0, at: seen as u32 };
                return Err(Stop::Need(1 + after));
            }
            Shape::Array { .. } => (at, 0),
        };
        let next = start + len;
        if have < next {
            return Err(self.short(field, at, next + after));
        }
        Ok(Extent { at: start, len, next })
    }

    fn varint(&self, field: FieldId, at: usize, after: usize) -> Result<(u64, usize), Stop> {
        let mut cursor = Cursor::new(self.buf, at);
        match cursor.varint(10) {
            Ok(value) => Ok((value, cursor.at())),
            Err(VarintError::Short(Short { at: end, .. })) => Err(self.short(field, at, end + 1 + after)),
            Err(error) => Err(error.within(self.label(field)).into()),
        }
    }

    /// The length of the header and of the frame.
    pub fn measure(&mut self, mark: &mut Mark) -> Result<(usize, usize), Stop> {
        let program = self.program;
        if let Length::Delimiter(end) = &program.length {
            return self.delimited(end, mark);
        }
        let header_len = self.header(mark)?;
        let trailer_len = program.trailer_len as usize;
        let (total, expr) = match &program.length {
            Length::Total { expr, .. } => (expr.eval(&self.view(header_len, 0)), Some(expr)),
            Length::Body { expr, .. } => {
                let body = expr.eval(&self.view(header_len, 0));
                let fixed = (header_len + trailer_len) as i128;
                (body.map(|body| if body < 0 { body } else { body + fixed }), Some(expr))
            }
            Length::Fixed(len) => (Ok(i128::from(*len)), None),
            Length::Delimiter(_) => (Err(NoValue), None),
        };
        let total = total
            .map_err(|NoValue| Reason::BadLength { field: "frame length", value: i64::MAX }.at(self.place_of(expr)))?;
        let least = header_len + trailer_len;
        if total < (least as i128).max(1) {
            let value = i64::try_from(total).unwrap_or(i64::MIN);
            return Err(Reason::BadLength { field: "frame length", value }.at(self.place_of(expr)).into());
        }
        let max = self.max_frame_len();
        if total > i128::from(max) {
            let value = u64::try_from(total).unwrap_or(u64::MAX);
            return Err(Reason::LimitExceeded { limit: "max_frame_len", value, max }.at(self.place_of(expr)).into());
        }
        Ok((header_len, total as usize))
    }

    fn max_frame_len(&self) -> u64 {
        self.program.max_frame_len.min(self.limits.max_frame_len)
    }

    /// Where the length of the frame stands: the first field that its expression reads.
    fn place_of(&self, expr: Option<&Expr>) -> usize {
        let mut place = None;
        if let Some(expr) = expr {
            let view = self.view(0, 0);
            expr.fields(&mut |field| place = place.or_else(|| view.slot(field).map(|slot| slot.at as usize)));
        }
        place.unwrap_or(0)
    }

    fn delimited(&mut self, end: &[u8], mark: &mut Mark) -> Result<(usize, usize), Stop> {
        let whole = self.buf;
        let max = usize::try_from(self.max_frame_len()).unwrap_or(usize::MAX);
        let known = if mark.item == FRAME { mark.at as usize } else { 0 };
        let searched = whole.get(known..whole.len().min(max)).unwrap_or_default();
        let Some(found) = find(searched, end) else {
            let seen = whole.len().saturating_sub(end.len() - 1);
            // A long line is not walked again with each byte that comes, but once more before it is refused.
            if whole.len() <= EAGER || mark.item != FRAME || whole.len() >= max {
                // Bytes that cannot be a delimiter's first are the header's.
                self.buf = whole.get(..seen.min(max)).unwrap_or_default();
                let walked = self.header(&mut Mark::NONE.clone());
                self.buf = whole;
                if let Err(Stop::Error(error)) = walked {
                    return Err(error.into());
                }
            }
            if whole.len() >= max {
                let max = max as u64;
                return Err(Reason::LimitExceeded { limit: "max_frame_len", value: max + 1, max }.at(0).into());
            }
            *mark = Mark { item: FRAME, iteration: 0, at: u32::try_from(seen).unwrap_or(0) };
            return Err(Stop::Need(1));
        };
        let line = known + found;
        self.buf = whole.get(..line).unwrap_or_default();
        self.bounded = true;
        let header_len = self.header(&mut Mark::NONE.clone());
        self.buf = whole;
        self.bounded = false;
        Ok((header_len?, line + end.len()))
    }

    /// A whole answer.
    pub fn split(&mut self, mark: &mut Mark) -> Result<Head, Stop> {
        let program = self.program;
        let (header_len, frame_len) = self.measure(mark)?;
        for item in &program.items {
            if let Some(checksum) = &item.checksum
                && checksum.verify
                && !checksum.needs_body()
            {
                self.verify(checksum, item.field, header_len, frame_len)?;
            }
        }
        if program.whole {
            if self.buf.len() < frame_len {
                return Err(Stop::Need(frame_len - self.buf.len()));
            }
            self.behind(header_len, frame_len)?;
        }
        self.peek(header_len, frame_len)?;
        let view = self.view(header_len, frame_len);
        let kind = self.kind(&view)?;
        let request_id = match program.request_id {
            None => RequestId::None,
            Some(id) if view.field(id).is_some_and(|field| field.ty.is_int()) => {
                view.int(id).or_else(|| self.zero(id, &view)).map_or(RequestId::None, |id| RequestId::Int(id as u64))
            }
            Some(id) => view.slot(id).map_or(RequestId::None, |slot| RequestId::Bytes { at: slot.at, len: slot.len }),
        };
        Ok(Head {
            kind,
            request_id,
            stream_id: program.stream_id.and_then(|id| view.int(id)).map(|id| id as u64),
            header_len: header_len as u32,
            frame_len,
            variant: self.direction as u32,
        })
    }

    /// 0 for a number that a message of protobuf leaves out, which is how it writes 0.
    fn zero(&self, id: FieldId, view: &View<'_>) -> Option<i128> {
        let field = view.field(id)?;
        field.part?;
        let item = self.program.items.get(usize::from(field.item?))?;
        (matches!(item.content, Content::Protobuf(_)) && view.slot(item.field).is_some()).then_some(0)
    }

    fn kind(&self, view: &View<'_>) -> Result<Kind, DecodeError> {
        let program = self.program;
        for rule in &program.kinds {
            if rule.when.as_ref().is_none_or(|when| when.holds(view)) {
                return Ok(rule.kind);
            }
        }
        let place = program.kind_field.and_then(|field| view.slot(field)).map_or(0, |slot| slot.at as usize);
        let value = program.kind_field.and_then(|field| view.int(field)).map_or(0, |value| value as i64);
        Err(Reason::BadValue { field: program.kind_label, value }.at(place))
    }

    /// Fields that lie behind the header, and tell what the frame is.
    pub fn peek(&mut self, header_len: usize, frame_len: usize) -> Result<(), Stop> {
        let program = self.program;
        let mut at = header_len;
        for item in &program.peeks {
            if let Some(when) = &item.when
                && !when.holds(&self.view(header_len, frame_len))
            {
                continue;
            }
            let Shape::Fixed(len) = item.shape else { continue };
            let len = len as usize;
            if at + len > frame_len - (program.trailer_len as usize).min(frame_len) {
                // The frame ends before it.
                break;
            }
            if self.buf.len() < at + len {
                return Err(self.short(item.field, at, at + len));
            }
            self.take(item, at, &Extent { at, len, next: at + len })?;
            at += len;
        }
        Ok(())
    }

    /// The trailer, and the checksums that cover more than the header; all of the frame is in.
    fn behind(&mut self, header_len: usize, frame_len: usize) -> Result<(), DecodeError> {
        let program = self.program;
        for TrailerItem { field, back, len, check, verify, .. } in &program.trailer {
            let at = frame_len - (*back as usize).min(frame_len);
            if let (Some(check), true) = (check, verify) {
                let bytes = self.buf.get(at..at + *len as usize).unwrap_or_default();
                if let Check::True(expr) = check {
                    let view = self.view(header_len, frame_len);
                    if !expr.holds(&view) {
                        let value = view.int(*field).map_or(0, |value| value as i64);
                        return Err(Reason::BadValue { field: self.label(*field), value }.at(at));
                    }
                } else {
                    self.check(check, *field, at, bytes)?;
                }
            }
        }
        let header = program.items.iter().filter_map(|item| Some((item.field, item.checksum.as_ref()?)));
        let trailer = program.trailer.iter().filter_map(|item| Some((item.field, item.checksum.as_ref()?)));
        for (field, checksum) in header.filter(|(_, checksum)| checksum.needs_body()).chain(trailer) {
            if checksum.verify {
                self.verify(checksum, field, header_len, frame_len)?;
            }
        }
        Ok(())
    }

    fn verify(
        &self,
        checksum: &Checksum,
        field: FieldId,
        header_len: usize,
        frame_len: usize,
    ) -> Result<(), DecodeError> {
        let view = self.view(header_len, frame_len);
        let Some(found) = view.int(field) else { return Ok(()) };
        let Some(expected) = checksum.value(field, &view, self.program.trailer_len as usize) else { return Ok(()) };
        let found = found as u64;
        if found == expected {
            return Ok(());
        }
        let at = view.slot(field).map_or(0, |slot| slot.at as usize);
        Err(Reason::BadChecksum { field: self.label(field), expected, found }.at(at))
    }
}

impl From<Stop> for Result<Split, DecodeError> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Need(more) => Ok(Split::Need(more)),
            Stop::Error(error) => Err(error),
        }
    }
}
