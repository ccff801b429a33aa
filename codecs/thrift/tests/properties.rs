//! What holds for every message and every stream of bytes.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{Item, Message, Protocol, Shape, Transport, thrift};
use metaprotocol_core::{AnyCodec, Edits, ErrorType, Frame, Head, Kind, Limits, RequestId, Split, Value};
use metaprotocol_testkit::{
    CLIENT, OwnedFrame, SERVER, Sample, cut_short, error_reply, exercise, exercise_frame, feed_to, field, fields,
    rewrite, string, whole,
};
use metaprotocol_thrift::Thrift;
use proptest::collection::vec;
use proptest::prelude::*;

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Bool),
        Just(Shape::Byte),
        Just(Shape::I16),
        Just(Shape::I32),
        Just(Shape::I64),
        Just(Shape::Double),
        Just(Shape::Uuid),
        Just(Shape::Binary),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec((any::<i16>(), inner.clone()), 0..4).prop_map(Shape::Struct),
            (any::<bool>(), inner.clone()).prop_map(|(set, of)| Shape::Elements { set, of: Box::new(of) }),
            (inner.clone(), inner).prop_map(|(key, value)| Shape::Map { key: Box::new(key), value: Box::new(value) }),
        ]
    })
}

fn item(shape: &Shape) -> BoxedStrategy<Item> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Item::Bool).boxed(),
        Shape::Byte => any::<i8>().prop_map(Item::Byte).boxed(),
        Shape::I16 => any::<i16>().prop_map(Item::I16).boxed(),
        Shape::I32 => any::<i32>().prop_map(Item::I32).boxed(),
        Shape::I64 => any::<i64>().prop_map(Item::I64).boxed(),
        Shape::Double => any::<f64>().prop_map(Item::Double).boxed(),
        Shape::Uuid => any::<[u8; 16]>().prop_map(Item::Uuid).boxed(),
        Shape::Binary => vec(any::<u8>(), 0..20).prop_map(Item::Binary).boxed(),
        Shape::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|(id, shape)| (Just(*id), item(shape))).collect();
            fields.prop_map(Item::Struct).boxed()
        }
        Shape::Elements { set, of } => {
            let (set, of) = (*set, (**of).clone());
            // Sizes on both sides of compact's short form.
            vec(item(&of), 0..18).prop_map(move |items| Item::Elements { set, of: of.clone(), items }).boxed()
        }
        Shape::Map { key, value } => {
            let (key, value) = ((**key).clone(), (**value).clone());
            vec((item(&key), item(&value)), 0..4)
                .prop_map(move |pairs| Item::Map { key: key.clone(), value: value.clone(), pairs })
                .boxed()
        }
    }
}

fn body() -> impl Strategy<Value = Vec<(i16, Item)>> {
    vec(any::<i16>().prop_flat_map(|id| shape().prop_flat_map(move |shape| (Just(id), item(&shape)))), 0..4)
}

fn header_name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,12}".prop_filter("not a built-in key", |name| {
        AnyCodec::key(&Thrift, &name.to_ascii_lowercase()).id == metaprotocol_core::Key::DYNAMIC
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::Unframed),
        Just(Transport::Framed),
        (vec((header_name(), "\\PC{0,20}"), 0..4), any::<bool>(), any::<i32>())
            .prop_map(|(headers, zlib, sequence_id)| Transport::Header { headers, zlib, sequence_id }),
    ]
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Binary), Just(Protocol::Old), Just(Protocol::Compact)]
}

fn name() -> impl Strategy<Value = String> {
    "([A-Za-z]{1,10}:)?[A-Za-z_][A-Za-z0-9_.]{0,40}"
}

/// A connection's messages: one transport and protocol, one direction.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    (transport(), protocol(), any::<bool>()).prop_flat_map(|(transport, protocol, client)| {
        let message_type = if client { prop_oneof![Just(1_u8), Just(4)] } else { prop_oneof![Just(2_u8), Just(3)] };
        let message =
            (message_type, name(), any::<i32>(), body()).prop_map(move |(message_type, name, sequence_id, fields)| {
                Message { transport: transport.clone(), protocol, message_type, name, sequence_id, fields }
            });
        vec(message, 1..4)
    })
}

fn message() -> impl Strategy<Value = Message> {
    messages().prop_map(|mut messages| messages.remove(0))
}

fn kind(message_type: u8) -> Kind {
    [Kind::Request, Kind::Response, Kind::Error, Kind::Oneway][usize::from(message_type) - 1]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_the_same_however_they_are_cut(messages in messages(), cuts in vec(1_usize..40, 0..6)) {
        let decoded = exercise(&thrift(), Limits::default(), &Message::sample(&messages), &cuts);
        prop_assert_eq!(decoded.failure, None);
        prop_assert_eq!(decoded.missing, 0);
        prop_assert_eq!(decoded.frames.len(), messages.len());
        let mut offset = 0;
        for (found, message) in decoded.frames.iter().zip(&messages) {
            let OwnedFrame { offset: at, head, bytes } = found;
            prop_assert_eq!(*at, offset);
            prop_assert_eq!(bytes, &message.bytes());
            prop_assert_eq!(head.kind, kind(message.message_type));
            prop_assert_eq!(head.request_id, RequestId::Int(i64::from(message.sequence_id) as u64));
            let frame = found.frame();
            prop_assert_eq!(field(&Thrift, frame, "method"), Some(string(&message.name)));
            if !matches!(message.transport, Transport::Header { zlib: true, .. }) {
                prop_assert_eq!(frame.body(), &message.body());
            }
            offset += bytes.len() as u64;
        }
    }

    #[test]
    fn a_truncated_message_is_no_frame(message in message()) {
        cut_short(&thrift(), Limits::default(), &Message::sample(&[message]));
    }

    #[test]
    fn random_bytes_never_panic(stream in vec(any::<u8>(), 0..300), cuts in vec(1_usize..9, 0..4)) {
        for direction in [CLIENT, SERVER] {
            let sample = Sample::new(format!("{stream:x?}"), direction, stream.clone());
            exercise(&thrift(), Limits::default(), &sample, &cuts);
        }
    }

    #[test]
    fn mutated_bytes_never_panic(
        messages in messages(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cuts in vec(1_usize..40, 0..4),
        small in any::<bool>(),
    ) {
        let mut sample = Message::sample(&messages);
        for (at, byte) in changes {
            let at = at.index(sample.stream.len());
            sample.stream[at] = byte;
        }
        let small_limits = Limits { max_nesting: 3, max_field_count: 2, ..Limits::default() };
        let limits = if small { small_limits } else { Limits::default() };
        exercise(&thrift(), limits, &sample, &cuts);
    }

    #[test]
    fn a_frame_of_any_head_never_panics(
        bytes in vec(any::<u8>(), 0..200),
        kind in prop::sample::select(Kind::ALL.to_vec()),
        variant in any::<u32>(),
        header_len in 0_u32..250,
    ) {
        let head = Head {
            kind,
            request_id: RequestId::Int(1),
            stream_id: None,
            header_len,
            frame_len: bytes.len(),
            variant,
        };
        if let Some(frame) = Frame::new(head, &bytes) {
            exercise_frame(&Thrift, frame, &Limits::default());
        }
    }

    #[test]
    fn the_walker_ends_where_the_struct_does(message in message(), tail in vec(any::<u8>(), 0..20)) {
        let message = Message { transport: Transport::Unframed, ..message };
        let bytes = message.bytes();
        let stream = [bytes.clone(), tail].concat();
        let split = AnyCodec::split(&Thrift, message.direction(), &Limits::default(), &stream);
        let Ok(Split::Head(head)) = split else { panic!("{split:?}") };
        prop_assert_eq!(head.frame_len, bytes.len());
    }

    #[test]
    fn a_look_up_walks_over_everything_before(message in message(), last in any::<i64>()) {
        let mut message = message;
        message.fields.retain(|(id, _)| *id != 321);
        message.fields.push((321, Item::I64(last)));
        let bytes = message.bytes();
        prop_assert_eq!(field(&Thrift, whole(&Thrift, message.direction(), &bytes), "arg.321"), Some(Value::Int(last)));
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else(
        message in message(),
        id in any::<i32>(),
        new_name in name(),
        header in (header_name(), "\\PC{0,30}"),
        change in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let bytes = message.bytes();
        let frame = whole(&Thrift, message.direction(), &bytes);
        let (with_id, with_name, with_header, with_removal) = change;
        let mut edits = Edits::default();
        let mut expected = message.clone();
        if with_id {
            edits.request_id = Some(i64::from(id) as u64);
            expected.sequence_id = id;
        }
        if with_name {
            edits.set.push(("method", Value::str(&new_name)));
            expected.name = new_name.clone();
        }
        if let Transport::Header { headers, sequence_id, .. } = &mut expected.transport {
            if *sequence_id == message.sequence_id {
                *sequence_id = expected.sequence_id;
            }
            let removed = headers.first().map(|(name, _)| name.clone());
            if let (true, Some(removed)) = (with_removal, &removed) {
                headers.retain(|(name, _)| !name.eq_ignore_ascii_case(removed));
            }
            if with_header {
                let (name, value) = &header;
                match headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
                    Some(at) => {
                        headers[at].1.clone_from(value);
                        let mut index = 0;
                        headers.retain(|(known, _)| {
                            index += 1;
                            index <= at + 1 || !known.eq_ignore_ascii_case(name)
                        });
                    }
                    None => headers.push(header.clone()),
                }
                edits.set.push((name, Value::str(value)));
            }
        }
        let first = match &message.transport {
            Transport::Header { headers, .. } => headers.first().map(|(name, _)| name.clone()),
            _ => None,
        };
        if let (true, Some(first)) = (with_removal, &first) {
            // A header that is removed and set is set.
            if with_header && first.eq_ignore_ascii_case(&header.0) {
                return Ok(());
            }
            edits.remove.push(first);
        }
        let edited = rewrite(&Thrift, frame, &edits).expect("an edit");
        let same_name = message.name == expected.name && message.sequence_id == expected.sequence_id;
        if matches!(message.transport, Transport::Header { zlib: true, .. }) && !same_name {
            // Compressed anew: other bytes for the same message.
            let decoded = whole(&Thrift, message.direction(), &edited);
            let wanted = expected.bytes();
            prop_assert_eq!(fields(&Thrift, decoded), fields(&Thrift, whole(&Thrift, message.direction(), &wanted)));
            // All of the THeader but the frame's length.
            prop_assert_eq!(&decoded.header()[4..], &whole(&Thrift, message.direction(), &wanted).header()[4..]);
        } else {
            prop_assert_eq!(edited, expected.bytes());
        }
    }

    #[test]
    fn a_reply_is_an_error_with_the_id_of_its_request(message in message(), about in "\\PC{0,40}") {
        let message = Message { message_type: 1, ..message };
        let bytes = message.bytes();
        let reply = error_reply(&Thrift, whole(&Thrift, CLIENT, &bytes), ErrorType::RouteNotFound, &about).expect("a reply");
        let reply = reply.expect("a reply");
        // On the request's own connection, where the transport is known.
        let mut connection = thrift().connect(Limits::default());
        prop_assert_eq!(feed_to(connection.as_mut(), CLIENT, &bytes, []).failure, None);
        let decoded = feed_to(connection.as_mut(), SERVER, &reply, []);
        prop_assert_eq!(decoded.failure, None);
        prop_assert_eq!(decoded.frames.len(), 1);
        let frame = decoded.frames[0].frame();
        prop_assert_eq!(frame.head.kind, Kind::Error);
        prop_assert_eq!(frame.head.request_id, RequestId::Int(i64::from(message.sequence_id) as u64));
        let name = message.name.split_once(':').map_or(&*message.name, |(_, method)| method);
        prop_assert_eq!(field(&Thrift, frame, "method"), Some(string(name)));
        prop_assert_eq!(field(&Thrift, frame, "exception_message"), Some(string(&about)));
    }
}
