//! `split` allocates nothing per frame, and is not asked more often for longer ones.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{Item, Message, Protocol, Shape, Transport};
use metaprotocol_core::{AnyCodec, Frame, Limits};
use metaprotocol_testkit::{CLIENT, allocations, split_allocations, split_calls, whole};
use metaprotocol_thrift::Thrift;

fn messages() -> Vec<Message> {
    let headers = vec![("x-user".to_owned(), "alice".to_owned())];
    let nested = Item::Elements {
        set: false,
        of: Shape::Struct(Vec::new()),
        items: vec![Item::Struct(vec![(1, Item::Binary(b"deep".to_vec()))]); 3],
    };
    [
        Transport::Unframed,
        Transport::Framed,
        Transport::Header { headers: headers.clone(), zlib: false, sequence_id: 1 },
        Transport::Header { headers, zlib: true, sequence_id: 1 },
    ]
    .into_iter()
    .flat_map(|transport| {
        [Protocol::Binary, Protocol::Old, Protocol::Compact].map(|protocol| Message {
            transport: transport.clone(),
            protocol,
            fields: vec![(1, nested.clone())],
            ..Message::hello()
        })
    })
    .collect()
}

#[test]
fn split_allocates_nothing_once_a_connection_is_warm() {
    for message in messages() {
        // The first unframed or compressed message makes what the connection keeps.
        let kept = match message.transport {
            Transport::Unframed => 1,
            Transport::Header { zlib: true, .. } => 2,
            _ => 0,
        };
        let used = split_allocations(&Thrift, &Message::sample(&[message]));
        assert!(used.first <= kept && used.warm == 0 && used.frames == 1, "{used:?}");
    }
}

#[test]
fn a_message_of_any_length_costs_few_calls_of_split() {
    for message in messages() {
        let fields = vec![(1, Item::Binary(vec![7; 100_000])), (2, Item::I32(1))];
        let asked = split_calls(Thrift, &Message::sample(&[Message { fields, ..message.clone() }]));
        assert!(asked <= 40, "{asked} calls for {:?} {:?}", message.transport, message.protocol);
    }
}

#[test]
fn a_look_up_allocates_nothing() {
    for message in messages() {
        if matches!(message.transport, Transport::Header { zlib: true, .. }) {
            continue;
        }
        let bytes = message.bytes();
        let frame: Frame<'_> = whole(&Thrift, CLIENT, &bytes);
        for key in ["method", "service", "seq_id", "message_type", "x-user", "arg.2", "transport"] {
            let key = AnyCodec::key(&Thrift, key);
            let used = allocations(|| {
                AnyCodec::field(&Thrift, frame, &key, &Limits::default()).expect("a readable frame");
            });
            // The argument lies behind one that has to be walked over.
            let walk = u64::from(&*key.name == "arg.2");
            assert!(used <= walk, "{used} allocations for {key:?} of {message:?}");
        }
    }
}
