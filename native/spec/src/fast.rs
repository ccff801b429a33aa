//! `split` for headers in which nothing varies, which are most: every field is a load of eight bytes, a shift and a mask at
//! a place known beforehand. It answers only where all is well and all is in; everything else is the walk's to say, so that
//! there is one place that knows errors.

use metaprotocol_core::{Direction, Head, Kind, Limits, RequestId};

use crate::expr::{Binary, Expr, Unary};
use crate::model::{Check, FieldId, Length, Place, Program, Shape, Ty};

/// Bytes of one load.
const WORD: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Load {
    /// Where the eight bytes begin.
    at: u32,
    big: bool,
    shift: u32,
    /// How many bits to throw away above the value.
    unused: u32,
    signed: bool,
}

impl Load {
    #[inline(always)]
    fn get(&self, header: &[u8]) -> i64 {
        let Some(word) = header.get(self.at as usize..).and_then(|rest| rest.first_chunk::<WORD>()) else { return 0 };
        let word = if self.big { u64::from_be_bytes(*word) } else { u64::from_le_bytes(*word) };
        let high = (word >> self.shift) << self.unused;
        if self.signed { high.cast_signed() >> self.unused } else { (high >> self.unused).cast_signed() }
    }
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Load(Load),
    /// A load of which only these bits count.
    Masked(Load, i64),
    /// The byte or integer behind the header; 0 if it is not there.
    Peek,
    Direction,
}

#[derive(Clone, Debug)]
enum Bool {
    Test(Operand, Binary, i64),
    /// One of these values, which are below 256.
    Among(Operand, [u64; 4]),
    All(Vec<Bool>),
    Any(Vec<Bool>),
    Not(Box<Bool>),
}

#[derive(Debug)]
pub(crate) struct Fast {
    header_len: usize,
    checks: Vec<Bool>,
    terms: Vec<(Load, i64)>,
    constant: i64,
    max_frame_len: u64,
    peek: Option<Peek>,
    /// The kind for each value of the one byte that decides, from the client and from the server.
    table: Option<(u32, Box<[[Option<Kind>; 256]; 2]>)>,
    kinds: Vec<(Option<Bool>, Kind)>,
    request_id: Id,
    stream_id: Option<Load>,
    trailer_len: usize,
    /// Constants of the trailer: where, counted from the end, and what.
    trailer: Vec<(usize, Box<[u8]>)>,
    whole: bool,
}

#[derive(Debug)]
struct Peek {
    when: Option<Bool>,
    len: usize,
    load: Load,
}

#[derive(Debug)]
enum Id {
    None,
    Int(Load),
    Bytes { at: u32, len: u32 },
}

/// What the parts of [`Fast`] are made from.
struct Maker<'p> {
    program: &'p Program,
    window: u32,
}

impl Maker<'_> {
    /// The load of a field of the header; the eight bytes stay within it.
    fn load(&self, id: FieldId) -> Option<Load> {
        let field = self.program.fields.get(usize::from(id))?;
        let (Place::Fixed { at, len }, Ty::Int { signed, order }) = (field.place, field.ty) else { return None };
        Some(load(at, len, signed, order == crate::model::Order::Big, field.bits, self.window))
    }

    fn operand(&self, expr: &Expr) -> Option<Operand> {
        match expr {
            Expr::Direction => Some(Operand::Direction),
            Expr::Int(id) if self.program.fields.get(usize::from(*id))?.peek => {
                let field = self.program.fields.get(usize::from(*id))?;
                (field.bits.is_none() && self.program.peeks.first()?.field == *id).then_some(Operand::Peek)
            }
            Expr::Int(id) => self.load(*id).map(Operand::Load),
            Expr::Binary(Binary::And, left, right) => match (left.as_ref(), right.as_ref()) {
                (Expr::Int(id), Expr::Const(mask)) | (Expr::Const(mask), Expr::Int(id)) => {
                    Some(Operand::Masked(self.load(*id)?, i64::try_from(*mask).ok()?))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// True if the operand can be the greater half of 64 bits, which reads as negative here.
    fn is_wide(operand: Operand) -> bool {
        matches!(operand, Operand::Load(load) | Operand::Masked(load, _) if load.unused == 0 && !load.signed)
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
        let operand = self.operand(expr)?;
        if Self::is_wide(operand) {
            return None;
        }
        Some(Bool::Test(operand, operator, i64::try_from(value).ok()?))
    }

    fn boolean(&self, expr: &Expr) -> Option<Bool> {
        Some(match expr {
            Expr::Const(value) => {
                if *value != 0 {
                    Bool::All(Vec::new())
                } else {
                    Bool::Any(Vec::new())
                }
            }
            Expr::Unary(Unary::Not, operand) => Bool::Not(Box::new(self.boolean(operand)?)),
            Expr::Binary(Binary::Both, left, right) => {
                let mut all = Vec::new();
                for side in [left, right] {
                    match self.boolean(side)? {
                        Bool::All(inner) => all.extend(inner),
                        other => all.push(other),
                    }
                }
                Bool::All(all)
            }
            Expr::Binary(Binary::Either, left, right) => {
                let mut any = Vec::new();
                for side in [left, right] {
                    match self.boolean(side)? {
                        Bool::Any(inner) => any.extend(inner),
                        other => any.push(other),
                    }
                }
                among(any)
            }
            Expr::Binary(
                operator @ (Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge),
                left,
                right,
            ) => self.test(*operator, left, right)?,
            other => {
                let operand = self.operand(other)?;
                Bool::Test(operand, Binary::Ne, 0)
            }
        })
    }

    fn check(&self, check: &Check, at: u32) -> Option<Vec<Bool>> {
        let equal = |bytes: &[u8], at: u32| {
            bytes
                .chunks(WORD)
                .enumerate()
                .map(move |(index, chunk)| (at + (index * WORD) as u32, chunk.to_vec()))
                .collect::<Vec<_>>()
        };
        match check {
            Check::Const(bytes) => Some(
                equal(bytes, at)
                    .into_iter()
                    .map(|(at, chunk)| {
                        let load = load(at, chunk.len() as u32, false, true, None, self.window);
                        let value = chunk.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
                        Bool::Test(Operand::Load(load), Binary::Eq, value.cast_signed())
                    })
                    .collect(),
            ),
            Check::In(allowed) => {
                let len = allowed.first()?.len();
                if len > WORD {
                    return None;
                }
                let load = load(at, len as u32, false, true, None, self.window);
                let tests = allowed.iter().map(|bytes| {
                    let value = bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
                    Bool::Test(Operand::Load(load), Binary::Eq, value.cast_signed())
                });
                Some(vec![among(tests.collect())])
            }
            Check::True(expr) => Some(vec![self.boolean(expr)?]),
        }
    }
}

/// Alternatives; values of one field in one step.
fn among(any: Vec<Bool>) -> Bool {
    let mut set = [0_u64; 4];
    let mut common: Option<Load> = None;
    for test in &any {
        let Bool::Test(Operand::Load(load), Binary::Eq, value @ 0..=255) = test else { return Bool::Any(any) };
        let same = common.is_none_or(|common| {
            (common.at, common.shift, common.unused, common.big, common.signed)
                == (load.at, load.shift, load.unused, load.big, load.signed)
        });
        if !same {
            return Bool::Any(any);
        }
        common = Some(*load);
        if let Some(word) = set.get_mut((value / 64) as usize) {
            *word |= 1 << (value % 64);
        }
    }
    match common {
        Some(load) => Bool::Among(Operand::Load(load), set),
        None => Bool::Any(any),
    }
}

fn load(at: u32, len: u32, signed: bool, big: bool, bits: Option<(u8, u8)>, window: u32) -> Load {
    // The last bytes of a header are loaded with those before them.
    let from = at.min(window.saturating_sub(WORD as u32));
    let below = if big { 8 * (from + WORD as u32).saturating_sub(at + len) } else { 8 * (at - from) };
    let (low, count) = bits.map_or((0, 8 * len), |(low, count)| (u32::from(low), u32::from(count)));
    Load { at: from, big, shift: below + low, unused: 64 - count, signed: signed && bits.is_none() }
}

impl Fast {
    /// The fast way through a program, if it has one.
    pub fn of(program: &Program) -> Option<Self> {
        let header_len = program.header_len?;
        let plain = program.items.iter().all(|item| {
            item.when.is_none() && matches!(item.shape, Shape::Fixed(_)) && item.checksum.is_none() && !item.deep
        });
        if !plain || program.peeks.len() > 1 || program.trailer.iter().any(|item| item.checksum.is_some()) {
            return None;
        }
        let maker = Maker { program, window: header_len.max(WORD as u32) };
        let mut checks = Vec::new();
        for item in &program.items {
            if let Some(check) = &item.check {
                checks.extend(maker.check(check, item.offset?)?);
            }
        }
        let least = i64::from(header_len) + i64::from(program.trailer_len);
        let (inverse, constant) = match &program.length {
            Length::Total { inverse, .. } => (inverse.clone()?, 0),
            Length::Body { inverse, .. } => (inverse.clone()?, least),
            Length::Fixed(len) => (crate::model::Affine { terms: Vec::new(), constant: 0 }, i64::from(*len)),
            Length::Delimiter(_) => return None,
        };
        let mut terms = Vec::new();
        for (id, factor) in &inverse.terms {
            let load = maker.load(*id)?;
            // So small that no sum of them overflows.
            let factor = i64::try_from(*factor).ok().filter(|factor| *factor < 1 << 24)?;
            if load.unused < 24 || terms.len() > 8 {
                return None;
            }
            terms.push((load, factor));
        }
        let constant = constant + i64::try_from(inverse.constant).ok().filter(|value| value.abs() < 1 << 40)?;
        let peek = match program.peeks.first() {
            None => None,
            Some(item) => {
                let field = program.fields.get(usize::from(item.field))?;
                let (Shape::Fixed(len @ 1..=8), Ty::Int { signed, order }) = (&item.shape, field.ty) else {
                    return None;
                };
                if item.check.is_some() || *len == 8 {
                    return None;
                }
                let when = match &item.when {
                    Some(when) => Some(maker.boolean(when)?),
                    None => None,
                };
                // Loaded from a copy of its own.
                let load = load(0, *len, signed, order == crate::model::Order::Big, None, WORD as u32);
                Some(Peek { when, len: *len as usize, load })
            }
        };
        let mut kinds = Vec::new();
        for rule in &program.kinds {
            let when = match &rule.when {
                Some(when) => Some(maker.boolean(when)?),
                None => None,
            };
            kinds.push((when, rule.kind));
        }
        let request_id = match program.request_id {
            None => Id::None,
            Some(id) => match (program.fields.get(usize::from(id))?.place, maker.load(id)) {
                (_, Some(load)) => Id::Int(load),
                (Place::Fixed { at, len }, None) => Id::Bytes { at, len },
                _ => return None,
            },
        };
        let stream_id = match program.stream_id {
            None => None,
            Some(id) => Some(maker.load(id)?),
        };
        let mut trailer = Vec::new();
        for item in &program.trailer {
            match &item.check {
                Some(Check::Const(bytes)) if item.verify => trailer.push((item.back as usize, bytes.clone())),
                Some(_) if item.verify => return None,
                _ => {}
            }
        }
        let mut fast = Self {
            header_len: header_len as usize,
            checks,
            terms,
            constant,
            max_frame_len: program.max_frame_len,
            peek,
            table: None,
            kinds,
            request_id,
            stream_id,
            trailer_len: program.trailer_len as usize,
            trailer,
            whole: program.whole,
        };
        fast.table = fast.tabled();
        Some(fast)
    }

    /// If one byte of the header and the direction decide the kind: the answers for all of its values.
    fn tabled(&self) -> Option<(u32, Box<[[Option<Kind>; 256]; 2]>)> {
        let mut byte = None;
        for (when, _) in &self.kinds {
            if let Some(when) = when {
                one_byte(when, &mut byte)?;
            }
        }
        let at = byte.unwrap_or(0);
        if at as usize >= self.header_len {
            return None;
        }
        let mut table = Box::new([[None; 256]; 2]);
        let mut header = vec![0; self.header_len.max(WORD)];
        for (direction, kinds) in
            [Direction::ClientToServer, Direction::ServerToClient].into_iter().zip(table.iter_mut())
        {
            for (value, kind) in kinds.iter_mut().enumerate() {
                if let Some(byte) = header.get_mut(at as usize) {
                    *byte = value as u8;
                }
                *kind = self.decide(&header, direction, 0);
            }
        }
        Some((at, table))
    }

    #[inline]
    fn decide(&self, header: &[u8], direction: Direction, peek: i64) -> Option<Kind> {
        let rule =
            self.kinds.iter().find(|(when, _)| when.as_ref().is_none_or(|when| when.holds(header, direction, peek)));
        rule.map(|(_, kind)| *kind)
    }

    /// The head of a frame with which all is well; `None` leaves the answer to the walk.
    #[inline]
    pub fn split(&self, direction: Direction, limits: &Limits, buf: &[u8]) -> Option<Head> {
        let short: [u8; WORD];
        let mut header = buf.get(..self.header_len)?;
        if self.header_len < WORD {
            let mut padded = [0; WORD];
            padded.get_mut(..self.header_len)?.copy_from_slice(header);
            short = padded;
            header = &short;
        }
        if !self.checks.iter().all(|check| check.holds(header, direction, 0)) {
            return None;
        }
        let mut len = self.constant;
        for (load, factor) in &self.terms {
            let value = load.get(header);
            if value < 0 {
                return None;
            }
            len += value * factor;
        }
        if len < (self.header_len + self.trailer_len).max(1) as i64
            || len as u64 > self.max_frame_len.min(limits.max_frame_len)
        {
            return None;
        }
        let frame_len = len as usize;
        if self.whole {
            let frame = buf.get(..frame_len)?;
            for (back, bytes) in &self.trailer {
                if !frame.get(frame_len - back..)?.starts_with(bytes) {
                    return None;
                }
            }
        }
        let mut peeked = 0;
        if let Some(peek) = &self.peek
            && peek.when.as_ref().is_none_or(|when| when.holds(header, direction, 0))
            && self.header_len + peek.len + self.trailer_len <= frame_len
        {
            let mut word = [0; WORD];
            let bytes = buf.get(self.header_len..self.header_len + peek.len)?;
            word.get_mut(..peek.len)?.copy_from_slice(bytes);
            peeked = peek.load.get(&word);
        }
        let kind = match &self.table {
            Some((at, table)) => {
                let byte = usize::from(*header.get(*at as usize)?);
                (*table.get(direction as usize)?.get(byte)?)?
            }
            None => self.decide(header, direction, peeked)?,
        };
        Some(Head {
            kind,
            request_id: match &self.request_id {
                Id::None => RequestId::None,
                Id::Int(load) => RequestId::Int(load.get(header).cast_unsigned()),
                Id::Bytes { at, len } => RequestId::Bytes { at: *at, len: *len },
            },
            stream_id: self.stream_id.as_ref().map(|load| load.get(header).cast_unsigned()),
            header_len: self.header_len as u32,
            frame_len,
            variant: direction as u32,
        })
    }
}

/// Notes the byte that a condition reads; `None` if it reads more than one byte, or what is behind the header.
fn one_byte(when: &Bool, byte: &mut Option<u32>) -> Option<()> {
    match when {
        Bool::Test(operand, ..) | Bool::Among(operand, _) => match operand {
            Operand::Direction => Some(()),
            Operand::Peek => None,
            Operand::Load(load) | Operand::Masked(load, _) => {
                let bits = 64 - load.unused;
                let (low, high) = (load.shift / 8, (load.shift + bits - 1) / 8);
                let at = if load.big { load.at + 7 - low } else { load.at + low };
                let same = low == high && byte.is_none_or(|known| known == at);
                *byte = Some(at);
                same.then_some(())
            }
        },
        Bool::All(all) | Bool::Any(all) => all.iter().try_for_each(|inner| one_byte(inner, byte)),
        Bool::Not(inner) => one_byte(inner, byte),
    }
}

impl Operand {
    #[inline(always)]
    fn get(&self, header: &[u8], direction: Direction, peek: i64) -> i64 {
        match self {
            Self::Load(load) => load.get(header),
            Self::Masked(load, mask) => load.get(header) & mask,
            Self::Peek => peek,
            Self::Direction => direction as i64,
        }
    }
}

impl Bool {
    #[inline]
    fn holds(&self, header: &[u8], direction: Direction, peek: i64) -> bool {
        match self {
            Self::Test(operand, operator, value) => {
                let found = operand.get(header, direction, peek);
                match operator {
                    Binary::Eq => found == *value,
                    Binary::Ne => found != *value,
                    Binary::Lt => found < *value,
                    Binary::Le => found <= *value,
                    Binary::Gt => found > *value,
                    _ => found >= *value,
                }
            }
            Self::Among(operand, set) => {
                let found = operand.get(header, direction, peek);
                u8::try_from(found).is_ok_and(|found| {
                    set.get(usize::from(found / 64)).is_some_and(|word| word >> (found % 64) & 1 == 1)
                })
            }
            Self::All(all) => all.iter().all(|inner| inner.holds(header, direction, peek)),
            Self::Any(any) => any.iter().any(|inner| inner.holds(header, direction, peek)),
            Self::Not(inner) => !inner.holds(header, direction, peek),
        }
    }
}
