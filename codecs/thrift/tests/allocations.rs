//! `split` allocates nothing per frame.
#![allow(clippy::expect_used, reason = "a broken expectation is a failed test")]

mod common;

use common::{CLIENT, Item, Message, Protocol, Shape, Transport};
use metaprotocol_core::{AnyCodec, Codec, Frame, Limits, Split};
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
        let bytes = message.bytes();
        let limits = Limits::default();
        let mut state = Codec::state(&Thrift);
        let split = |state: &mut _| match Codec::split(&Thrift, state, CLIENT, &limits, &bytes) {
            Ok(Split::Head(head)) => assert_eq!(head.frame_len, bytes.len()),
            other => panic!("{other:?} for {message:?}"),
        };
        // The first unframed or compressed message makes what the connection keeps.
        let first = allocation_counter::measure(|| split(&mut state));
        let kept = match message.transport {
            Transport::Unframed => 1,
            Transport::Header { zlib: true, .. } => 2,
            _ => 0,
        };
        assert!(first.count_total <= kept, "{} allocations at first for {message:?}", first.count_total);
        let more = allocation_counter::measure(|| (0..1000).for_each(|_| split(&mut state)));
        assert_eq!(more.count_total, 0, "{message:?}");
    }
}

#[test]
fn a_look_up_allocates_nothing() {
    for message in messages() {
        if matches!(message.transport, Transport::Header { zlib: true, .. }) {
            continue;
        }
        let bytes = message.bytes();
        let frame: Frame<'_> = common::whole(CLIENT, &bytes);
        for key in ["method", "service", "seq_id", "message_type", "x-user", "arg.2", "transport"] {
            let key = AnyCodec::key(&Thrift, key);
            let info = allocation_counter::measure(|| {
                AnyCodec::field(&Thrift, frame, &key, &Limits::default()).expect("a readable frame");
            });
            // The argument lies behind one that has to be walked over.
            let walk = u64::from(&*key.name == "arg.2");
            assert!(info.count_total <= walk, "{} allocations for {key:?} of {message:?}", info.count_total);
        }
    }
}
