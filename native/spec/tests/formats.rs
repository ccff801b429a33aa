//! Descriptions, and the same formats by hand: both say the same of all frames and of what chance makes of them.

#![allow(clippy::expect_used, reason = "a test may panic")]

mod by_hand;
mod common;

use std::sync::Arc;

use by_hand::{FORMATS, reference, request};
use common::described;
use metaprotocol_core::{AnyCodec, Limits, Split};
use metaprotocol_testkit::{CLIENT, SERVER};

/// Where a frame ends and what it is, or how the answer begins otherwise.
fn said(codec: &dyn AnyCodec, direction: metaprotocol_core::Direction, buf: &[u8]) -> String {
    match codec.split(direction, &Limits::default(), buf) {
        Ok(Split::Head(head)) => format!("{head:?}"),
        Ok(Split::Need(more)) => format!("{more} more"),
        Err(error) => error.reason.code().to_owned(),
    }
}

#[test]
fn a_description_says_what_the_codec_by_hand_says() {
    for name in FORMATS {
        let (yaml, hand): (Arc<dyn AnyCodec>, _) = (Arc::new(described(name)), reference(name).expect("a format"));
        let mut heads = 0;
        for body_len in [0, 3, 200] {
            let frame = request(name, body_len);
            for cut in 1..=frame.len() {
                let front = &frame[..cut];
                assert_eq!(said(yaml.as_ref(), CLIENT, front), said(hand.as_ref(), CLIENT, front), "{name} {cut}");
            }
            for at in 0..frame.len().min(80) {
                for value in 0..=255 {
                    let mut other = frame.clone();
                    other[at] = value;
                    for direction in [CLIENT, SERVER] {
                        let (yaml, hand) =
                            (said(yaml.as_ref(), direction, &other), said(hand.as_ref(), direction, &other));
                        assert_eq!(yaml, hand, "{name}: {value:#x} at {at}: {other:x?}");
                        heads += usize::from(yaml.starts_with("Head"));
                    }
                }
            }
        }
        assert!(heads > 1000, "{name}: {heads}");
    }
}
