//! Streams that were encrypted: TLS records, told from the protocol that was expected, so that they can be handed on.
//!
//! A record, as RFC 8446 section 5.1 has it: type u8 (20 change_cipher_spec, 21 alert, 22 handshake, 23
//! application_data, 24 heartbeat), version u16 (3, 0 to 4), length u16 big-endian, then as many bytes, at most 2^14 + 2048.

use crate::{Head, Kind, RequestId, Split};

/// Type, version and length of a record.
const RECORD_HEADER_LEN: usize = 5;
/// Longest record of TLS 1.2 and before; later ones are shorter.
const MAX_RECORD_LEN: u16 = (1 << 14) + 2048;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;

/// The record at the front of `buf`, or `None` if it is none. A stream `begins` with a handshake, or with an alert that refuses one.
pub(crate) fn record(buf: &[u8], begins: bool) -> Option<Split> {
    let types = if begins { ALERT..=HANDSHAKE } else { CHANGE_CIPHER_SPEC..=HEARTBEAT };
    let plausible = |at: usize, byte: u8| match at {
        0 => types.contains(&byte),
        1 => byte == 3,
        2 => byte <= 4,
        _ => true,
    };
    if !buf.iter().take(RECORD_HEADER_LEN).enumerate().all(|(at, byte)| plausible(at, *byte)) {
        return None;
    }
    let Some([_, _, _, length @ ..]) = buf.first_chunk::<RECORD_HEADER_LEN>() else {
        return Some(Split::Need(RECORD_HEADER_LEN - buf.len()));
    };
    let length = u16::from_be_bytes(*length);
    (1..=MAX_RECORD_LEN).contains(&length).then_some(Split::Head(Head {
        kind: Kind::Control,
        request_id: RequestId::None,
        stream_id: None,
        header_len: RECORD_HEADER_LEN as u32,
        frame_len: RECORD_HEADER_LEN + usize::from(length),
        variant: Head::OPAQUE,
    }))
}
