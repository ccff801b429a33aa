//! Answers made on the spot: a header like the request's, or one of zeros, with what the description sets.

use std::borrow::Cow;

use metaprotocol_core::{EncodeError, ErrorType, Frame, Kind, Limits, Reply, Split};

use crate::SpecCodec;
use crate::draft::{Draft, New, ranges};
use crate::fields::{self, direction};
use crate::model::{Check, FieldId, Item, Length, Program, ReplyPiece, ReplySpec, Setting, Shape, Slot};
use crate::view::View;
use crate::walk::{Stop, Walk};

type Outcome<T> = Result<T, EncodeError>;

fn no_reply<T>(why: impl Into<Cow<'static, str>>) -> Outcome<T> {
    Err(EncodeError::NoReply { why: why.into() })
}

pub(crate) fn reply(codec: &SpecCodec, request: Frame<'_>, reply: Reply<'_>) -> Outcome<Option<Vec<u8>>> {
    let program = &codec.program;
    let (spec, error) = match (request.head.kind, reply) {
        (Kind::Oneway, Reply::Error(..)) => return Ok(None),
        (Kind::Request | Kind::StreamOpen, Reply::Error(error, message)) => match &program.error {
            Some(spec) => (spec, Some((error, message))),
            None => return no_reply("the protocol has no error replies; close the connection instead"),
        },
        (Kind::Heartbeat, Reply::Heartbeat) => match &program.heartbeat {
            Some(spec) => (spec, None),
            None => return no_reply("the protocol does not say how heartbeats are answered"),
        },
        (Kind::Heartbeat, Reply::Error(..)) => {
            return no_reply("a heartbeat is answered by a heartbeat, not by an error");
        }
        (_, Reply::Heartbeat) => return no_reply("this is not a heartbeat"),
        (_, Reply::Error(..)) => return no_reply("this is not a request"),
    };
    let code = match error {
        Some((error, _)) => code(spec, error)?,
        None => 0,
    };
    let limits = Limits::default();
    let way = direction(&request.head);
    let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
    let mut view = fields::read(program, &mut slots, way, request.head, request.bytes, &limits, true)?;
    view.code = code.into();
    if spec.when.as_ref().is_some_and(|when| !when.holds(&view)) {
        return Ok(None);
    }
    let message = error.map_or("", |(_, message)| message);
    let bytes = made(program, spec, &view, request, code, message)?;
    let back = way.reverse();
    match metaprotocol_core::AnyCodec::split(codec, back, &limits, &bytes) {
        Ok(Split::Head(head)) if head.frame_len == bytes.len() => {
            let fits = if error.is_some() { head.kind.is_response() } else { head.kind == Kind::Heartbeat };
            if fits {
                Ok(Some(bytes))
            } else {
                no_reply("the reply of its description is not a response by its own rules")
            }
        }
        Ok(_) => no_reply("the reply of its description is not exactly one frame"),
        Err(error) => no_reply(format!("the reply of its description is not a frame: {error}")),
    }
}

fn code(spec: &ReplySpec, error: ErrorType) -> Outcome<i64> {
    let own = spec.codes.iter().find(|(known, _)| *known == error).map(|(_, code)| *code);
    match own.or(spec.default_code) {
        Some(code) => Ok(code),
        None if spec.codes.is_empty() => Ok(0),
        None => no_reply("its description has no code for this error, and no default"),
    }
}

fn made(
    program: &Program,
    spec: &ReplySpec,
    view: &View<'_>,
    request: Frame<'_>,
    code: i64,
    message: &str,
) -> Outcome<Vec<u8>> {
    let mut draft = Draft::new(program, view.direction.reverse());
    let copies = ranges(program, view);
    for (index, (item, copy)) in program.items.iter().zip(copies).enumerate() {
        if let Some(when) = &item.when {
            let front = draft.header();
            let limits = Limits::default();
            let mut slots = vec![Slot::ABSENT; usize::from(program.slots)];
            let mut walk = Walk {
                program,
                buf: &front,
                direction: draft.direction,
                limits: &limits,
                slots: &mut slots,
                bounded: true,
                deep: true,
            };
            if let Err(Stop::Error(error)) = walk.front(index) {
                return no_reply(format!("the reply of its description is not a frame: {error}"));
            }
            let view = View {
                fields: &program.fields,
                buf: &front,
                slots: &slots,
                direction: draft.direction,
                header_len: front.len(),
                frame_len: front.len(),
                code: 0,
            };
            if !when.holds(&view) {
                draft.items.push(None);
                continue;
            }
        }
        let copied = copy.filter(|_| spec.copy).and_then(|range| request.bytes.get(range));
        draft.items.push(Some(match copied {
            Some(bytes) => Cow::Owned(bytes.to_vec()),
            None => {
                // What is empty here must not be as long as the request says.
                if let Shape::Sized { .. } | Shape::Array { .. } = item.shape {
                    draft.changed.insert(index, 0);
                }
                Cow::Owned(blank(item))
            }
        }));
        for (id, setting) in &spec.set {
            if item_of(program, *id) == Some(index) {
                let key = program.fields.get(usize::from(*id)).map_or("", |field| field.label);
                let new = match setting {
                    Setting::Int(expr) => match expr.eval(view) {
                        Ok(value) => New::Int(value),
                        Err(_) => return no_reply("a value of the reply cannot be computed from this request"),
                    },
                    Setting::Text(pieces) => New::Bytes(text(pieces, view, code, message)),
                };
                draft.set(*id, &new, key)?;
            }
        }
    }
    let mut body = text(&spec.body, view, code, message);
    if let Length::Delimiter(end) = &program.length {
        body.extend_from_slice(end);
    }
    draft.lengths(body.len())?;
    let mut trailer = Vec::new();
    for item in &program.trailer {
        match &item.check {
            Some(Check::Const(bytes)) => trailer.extend_from_slice(bytes),
            Some(Check::In(allowed)) => trailer.extend_from_slice(allowed.first().map_or(&[][..], |bytes| bytes)),
            _ => trailer.resize(trailer.len() + item.len as usize, 0),
        }
    }
    let (header, trailer) = draft.sealed(&body, &trailer)?;
    Ok([header, body, trailer].concat())
}

fn item_of(program: &Program, id: FieldId) -> Option<usize> {
    program.fields.get(usize::from(id)).and_then(|field| field.item).map(usize::from)
}

/// An item of zeros, or of what it must be.
fn blank(item: &Item) -> Vec<u8> {
    match (&item.check, &item.shape) {
        (Some(Check::Const(bytes)), _) => bytes.to_vec(),
        (Some(Check::In(allowed)), _) => allowed.first().map_or_else(Vec::new, |bytes| bytes.to_vec()),
        (_, Shape::Terminated(end)) => end.to_vec(),
        (_, shape) => vec![0; shape.least() as usize],
    }
}

fn text(pieces: &[ReplyPiece], view: &View<'_>, code: i64, message: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            ReplyPiece::Literal(literal) => bytes.extend_from_slice(literal.as_bytes()),
            ReplyPiece::Message => bytes.extend_from_slice(message.as_bytes()),
            ReplyPiece::Code => bytes.extend_from_slice(code.to_string().as_bytes()),
            ReplyPiece::Field(id) => match view.int(*id) {
                Some(value) => bytes.extend_from_slice(value.to_string().as_bytes()),
                None => bytes.extend_from_slice(view.text(*id).unwrap_or_default()),
            },
        }
    }
    bytes
}
