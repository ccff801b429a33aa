//! `split` for headers that begin with fields at fixed places, which are most: every field is a load of eight bytes, a shift
//! and a mask. What the conditions come to is worked out beforehand for each value of the byte that most of them read and for
//! each direction, so that a frame pays for what is still open then. Fields of variable length may follow, if nothing that
//! `split` needs depends on what is in them.
//!
//! It answers only where all is well and all is in; everything else is the walk's to say, so that there is one place that
//! knows errors.

use metaprotocol_core::{Direction, Head, Kind, Limits, RequestId};

use crate::expr::{Binary, Expr, Unary};
use crate::model::{Affine, Check, Content, FieldId, Length, Order, Place, Program, Shape, Ty};
use crate::view::unsigned;

/// Bytes of one load.
const WORD: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    /// Where the eight bytes begin.
    at: u32,
    /// True if they are those behind the header.
    peek: bool,
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
    #[inline(always)]
    fn get(&self, header: &[u8]) -> i64 {
        let Some(word) = header.get(self.at as usize..).and_then(|rest| rest.first_chunk::<WORD>()) else { return 0 };
        let word = u64::from_le_bytes(*word);
        let word = if self.big { word.swap_bytes() } else { word };
        (((word >> self.shift) & self.mask) ^ self.sign).wrapping_sub(self.sign).cast_signed()
    }

    /// The one byte it reads, if it is one.
    fn byte(&self) -> Option<u32> {
        let bits = 64 - self.unused;
        let (low, high) = (self.shift / 8, (self.shift + bits - 1) / 8);
        let at = if self.big { self.at + 7 - low } else { self.at + low };
        (low == high && !self.peek).then_some(at)
    }
}

/// Whether some bits of a load are within a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Test {
    load: Load,
    mask: i64,
    low: i64,
    /// How much greater the greatest is.
    span: u64,
    negated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bool {
    Test(Test),
    /// One of these values, which are below 256.
    Among(Load, [u64; 4], bool),
    /// From this side.
    From(Direction),
    All(Vec<Bool>),
    Any(Vec<Bool>),
}

const TRUE: Bool = Bool::All(Vec::new());
const FALSE: Bool = Bool::Any(Vec::new());

/// What follows the fields at fixed places.
#[derive(Debug)]
enum Tail {
    Fixed(usize),
    Sized(Sum),
    Prefixed(usize, Order),
}

/// A sum of loads with factors.
#[derive(Debug)]
struct Sum {
    terms: Vec<(Load, i64)>,
    constant: i64,
}

impl Sum {
    /// The value, if nothing in it is negative.
    #[inline(always)]
    fn get(&self, header: &[u8]) -> Option<usize> {
        let mut sum = self.constant;
        for (load, factor) in &self.terms {
            let value = load.get(header);
            if value < 0 {
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
        if load.peek || load.signed {
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
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    marks: Vec<Mark>,
    checks: Vec<Bool>,
    /// The kind, if nothing is open about it and nothing has to be looked at.
    kind: Option<Kind>,
    /// Whether to look behind the header.
    peek: Bool,
    kinds: Vec<(Bool, Kind)>,
}

impl Rest {
    #[inline(never)]
    fn checked(&self, header: &[u8]) -> bool {
        self.checks.iter().all(|check| check.holds(header, &[]))
    }
}

#[derive(Debug)]
pub(crate) struct Fast {
    /// Bytes of the fields at fixed places.
    front: usize,
    tail: Vec<Tail>,
    length: Sum,
    /// True if the length is that of the body.
    of_body: bool,
    max_frame_len: u64,
    peek: usize,
    /// The byte that decides, and which rest each of its values leaves, from the client and from the server.
    byte: usize,
    table: Box<[[u16; 256]; 2]>,
    rests: Vec<Rest>,
    request_id: Id,
    stream_id: Option<Load>,
    trailer_len: usize,
    /// Constants of the trailer: where, counted from the end, and what.
    trailer: Vec<(usize, Box<[u8]>)>,
    whole: bool,
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
        let Ty::Int { signed, order } = field.ty else { return None };
        let big = order == Order::Big;
        if field.peek {
            let Shape::Fixed(len) = self.program.peeks.first()?.shape else { return None };
            return Some(Load { peek: true, ..load(0, len, signed, big, field.bits, WORD as u32) });
        }
        let Place::Fixed { at, len } = field.place else { return None };
        Some(load(at, len, signed, big, field.bits, self.window))
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
        let load = self.load(*id)?;
        // The greater half of unsigned 64 bits would read as negative.
        (load.unused > 0 || load.signed).then_some((load, mask))
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

    fn boolean(&self, expr: &Expr) -> Option<Bool> {
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
            Expr::Binary(
                operator @ (Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge),
                left,
                right,
            ) => self.test(*operator, left, right)?,
            other => self.test(Binary::Ne, other, &Expr::Const(0))?,
        })
    }

    fn check(&self, check: &Check, at: u32, checks: &mut Vec<Bool>) -> Option<()> {
        let equal = |at: u32, bytes: &[u8]| {
            let load = load(at, bytes.len() as u32, false, true, None, self.window);
            let low = bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)).cast_signed();
            Bool::Test(Test { load, mask: -1, low, span: 0, negated: false })
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
            let load = self.load(*id).filter(|load| !load.peek)?;
            // So small that no sum of them overflows.
            let factor = i64::try_from(*factor).ok().filter(|factor| *factor < 1 << 20)?;
            if load.unused < 24 || terms.len() >= 4 {
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
    Load { at: from, peek: false, big, shift: below + low, mask: u64::MAX >> unused, sign, unused, signed }
}

impl Fast {
    /// The fast way through a program, if it has one.
    pub fn of(program: &Program) -> Option<Self> {
        let fixed = |item: &&crate::model::Item| {
            item.offset.is_some() && item.when.is_none() && matches!(item.shape, Shape::Fixed(_))
        };
        let count = program.items.iter().take_while(fixed).count();
        let front: u32 = program.items.iter().take(count).map(|item| item.shape.least()).sum();
        let summed = program.items.iter().any(|item| item.checksum.is_some() || item.deep)
            || program.trailer.iter().any(|item| item.checksum.is_some());
        if summed || program.peeks.len() > 1 || front > 1 << 16 {
            return None;
        }
        let maker = Maker { program, window: front.max(WORD as u32) };
        let mut checks = Vec::new();
        for item in program.items.iter().take(count) {
            if let Some(check) = &item.check {
                maker.check(check, item.offset?, &mut checks)?;
            }
        }
        let mut tail = Vec::new();
        for item in program.items.iter().skip(count) {
            if item.when.is_some() || item.check.is_some() {
                return None;
            }
            tail.push(match &item.shape {
                Shape::Fixed(len) => Tail::Fixed(*len as usize),
                Shape::Sized { inverse, .. } => Tail::Sized(maker.sum(inverse.as_ref()?)?),
                Shape::Prefixed { width, order } => Tail::Prefixed(usize::from(*width), *order),
                _ => return None,
            });
        }
        let (length, of_body) = match &program.length {
            Length::Total { inverse, .. } => (maker.sum(inverse.as_ref()?)?, false),
            Length::Body { inverse, .. } => (maker.sum(inverse.as_ref()?)?, true),
            Length::Fixed(len) => (Sum { terms: Vec::new(), constant: i64::from(*len) }, false),
            Length::Delimiter(_) => return None,
        };
        let (mut peek, mut peek_when) = (0, FALSE);
        if let Some(item) = program.peeks.first() {
            let Shape::Fixed(len @ 1..=7) = item.shape else { return None };
            if item.check.is_some() {
                return None;
            }
            peek = len as usize;
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
            Some(id) => match (program.fields.get(usize::from(id))?.place, maker.load(id)) {
                (_, Some(load)) if !load.peek => Id::Int(load),
                (Place::Fixed { at, len }, None) => Id::Bytes { at, len },
                _ => return None,
            },
        };
        let stream_id = match program.stream_id {
            None => None,
            Some(id) => Some(maker.load(id).filter(|load| !load.peek)?),
        };
        let mut trailer = Vec::new();
        for item in &program.trailer {
            match &item.check {
                Some(Check::Const(bytes)) if item.verify => trailer.push((item.back as usize, bytes.clone())),
                Some(_) if item.verify => return None,
                _ => {}
            }
        }
        if program.items.iter().any(|item| matches!(item.content, Content::Map { .. }) && item.when.is_some()) {
            return None;
        }
        let (byte, table, rests) = tabled(&checks, &peek_when, &kinds, front as usize);
        Some(Self {
            front: front as usize,
            tail,
            length,
            of_body,
            max_frame_len: program.max_frame_len,
            peek,
            byte,
            table,
            rests,
            request_id,
            stream_id,
            trailer_len: program.trailer_len as usize,
            trailer,
            whole: program.whole,
        })
    }

    /// The head of a frame with which all is well; `None` leaves the answer to the walk.
    #[inline]
    pub fn split(&self, direction: Direction, limits: &Limits, buf: &[u8]) -> Option<Head> {
        let padded: [u8; WORD];
        let mut header = buf.get(..self.front)?;
        if self.front < WORD {
            padded = widened(header);
            header = &padded;
        }
        let byte = usize::from(*header.get(self.byte)?);
        let rest = self.rests.get(usize::from(*self.table.get(direction as usize)?.get(byte)?))?;
        if !rest.marks.iter().all(|mark| mark.holds(header)) || !(rest.checks.is_empty() || rest.checked(header)) {
            return None;
        }
        let header_len = if self.tail.is_empty() { self.front } else { self.header_len(header, limits, buf)? };
        let least = header_len + self.trailer_len;
        let mut frame_len = self.length.get(header)?;
        if self.of_body {
            frame_len += least;
        }
        if frame_len < least.max(1) || frame_len as u64 > self.max_frame_len.min(limits.max_frame_len) {
            return None;
        }
        if self.whole && !self.ends(buf.get(..frame_len)?) {
            return None;
        }
        let kind = match rest.kind {
            Some(kind) => kind,
            None => self.kind(rest, header, header_len, frame_len, buf)?,
        };
        Some(Head {
            kind,
            request_id: match &self.request_id {
                Id::None => RequestId::None,
                Id::Int(load) => RequestId::Int(load.get(header).cast_unsigned()),
                Id::Bytes { at, len } => RequestId::Bytes { at: *at, len: *len },
            },
            stream_id: self.stream_id.as_ref().map(|load| load.get(header).cast_unsigned()),
            header_len: header_len as u32,
            frame_len,
            variant: direction as u32,
        })
    }

    /// Whether a whole frame ends as it must.
    #[inline(never)]
    fn ends(&self, frame: &[u8]) -> bool {
        self.trailer.iter().all(|(back, bytes)| {
            frame.len().checked_sub(*back).and_then(|at| frame.get(at..)).is_some_and(|end| end.starts_with(bytes))
        })
    }

    /// The kind, where the deciding byte leaves it open.
    #[inline(never)]
    fn kind(&self, rest: &Rest, header: &[u8], header_len: usize, frame_len: usize, buf: &[u8]) -> Option<Kind> {
        let mut peeked = [0; WORD];
        if rest.peek.holds(header, &[]) && header_len + self.trailer_len + self.peek <= frame_len {
            peeked = widened(buf.get(header_len..header_len + self.peek)?);
        }
        rest.kinds.iter().find(|(when, _)| when.holds(header, &peeked)).map(|(_, kind)| *kind)
    }

    /// The length of a header of which parts vary.
    #[inline(never)]
    fn header_len(&self, header: &[u8], limits: &Limits, buf: &[u8]) -> Option<usize> {
        let mut at = self.front;
        for part in &self.tail {
            at += match part {
                Tail::Fixed(len) => *len,
                Tail::Sized(sum) => sum.get(header)?,
                Tail::Prefixed(width, order) => {
                    let prefix = buf.get(at..at + width)?;
                    width + usize::try_from(unsigned(prefix, *order)).ok()?
                }
            };
            // Also keeps the next sum from overflowing.
            if at > buf.len() || at > limits.max_header_len as usize {
                return None;
            }
        }
        Some(at)
    }
}

/// Up to eight bytes, and zeros behind them.
#[inline]
fn widened(bytes: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    word
}

type Table = Box<[[u16; 256]; 2]>;

/// What is left of the conditions for each value of the byte that most of them read.
fn tabled(checks: &[Bool], peek: &Bool, kinds: &[(Bool, Kind)], front: usize) -> (usize, Table, Vec<Rest>) {
    let mut reads = Vec::new();
    for condition in checks.iter().chain([peek]).chain(kinds.iter().map(|(when, _)| when)) {
        condition.bytes(&mut reads);
    }
    let often = |byte: &u32| reads.iter().filter(|other| *other == byte).count();
    let byte = reads.iter().copied().filter(|byte| (*byte as usize) < front).max_by_key(often).unwrap_or(0);
    let mut rests: Vec<Rest> = Vec::new();
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
            let rest = Rest { marks, checks, kind, peek, kinds: left };
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
struct Known {
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
    /// Notes every byte that is read by itself.
    fn bytes(&self, found: &mut Vec<u32>) {
        match self {
            Self::Test(Test { load, .. }) | Self::Among(load, ..) => found.extend(load.byte()),
            Self::From(_) => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.bytes(found)),
        }
    }

    /// What is left of it when something is known.
    fn given(&self, known: &Known) -> Self {
        match self {
            Self::From(side) => {
                if *side == known.direction {
                    TRUE
                } else {
                    FALSE
                }
            }
            Self::Test(Test { load, .. }) | Self::Among(load, ..) if load.byte() == Some(known.byte) => {
                if self.holds(&known.header(load), &[]) { TRUE } else { FALSE }
            }
            Self::Test(_) | Self::Among(..) => self.clone(),
            Self::All(parts) => all(parts.iter().map(|part| part.given(known))),
            Self::Any(parts) => any(parts.iter().map(|part| part.given(known))),
        }
    }

    #[inline(always)]
    fn holds(&self, header: &[u8], peeked: &[u8]) -> bool {
        match self {
            Self::Test(test) => test.holds(header, peeked),
            Self::All(parts) if parts.is_empty() => true,
            Self::Any(parts) if parts.is_empty() => false,
            other => other.combined(header, peeked),
        }
    }

    fn combined(&self, header: &[u8], peeked: &[u8]) -> bool {
        match self {
            Self::Test(test) => test.holds(header, peeked),
            Self::Among(load, set, negated) => {
                let found = load.get(if load.peek { peeked } else { header });
                let within = u8::try_from(found).is_ok_and(|found| {
                    set.get(usize::from(found / 64)).is_some_and(|word| word >> (found % 64) & 1 == 1)
                });
                within != *negated
            }
            // Every direction is known before a frame is seen.
            Self::From(_) => false,
            Self::All(parts) => parts.iter().all(|part| part.combined(header, peeked)),
            Self::Any(parts) => parts.iter().any(|part| part.combined(header, peeked)),
        }
    }
}

impl Test {
    #[inline(always)]
    fn holds(&self, header: &[u8], peeked: &[u8]) -> bool {
        let found = self.load.get(if self.load.peek { peeked } else { header }) & self.mask;
        (found.wrapping_sub(self.low).cast_unsigned() <= self.span) != self.negated
    }
}
