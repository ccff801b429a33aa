//! `split` and the look-up of what routes need allocate nothing.

mod common;

use common::{frame, map, request, response, whole};
use metaprotocol_core::{AnyCodec, Codec, Limits, Split};
use metaprotocol_dubbo::Dubbo;
use metaprotocol_testkit::{Allocations, CLIENT, SERVER, Sample, allocations, split_allocations};

#[test]
fn split_allocates_nothing() {
    let stream = [
        request(1, "", &map(&[("a", "1")])),
        response(1, b"\x91\x05hello"),
        response(2, b"\x90N"),
        frame(0xe2, 0, 2, b"N"),
        frame(0xa2, 0, 3, b"\x01R"),
        frame(0x02, 60, 4, b"\x08no route"),
        frame(0xc6, 0, 5, b"\"2.0.2\"\n"),
    ]
    .concat();
    let used = split_allocations(&Dubbo, &Sample::new("every kind", CLIENT, stream.clone()));
    assert_eq!(used, Allocations { frames: 7, first: 0, warm: 0 });
    // Neither do the answers that are no frame.
    let limits = Limits::default();
    let used = allocations(|| {
        assert!(matches!(Codec::split(&Dubbo, &mut (), CLIENT, &limits, &stream[..9]), Ok(Split::Need(7))));
        assert!(Codec::split(&Dubbo, &mut (), SERVER, &limits, b"\xda\xbc").is_err());
    });
    assert_eq!(used, 0);
}

#[test]
fn looking_up_what_routes_need_allocates_nothing() {
    let call = request(1, "Ljava/lang/String;J", &[b"\x05hello\xe1".as_slice(), &map(&[("group", "g")])].concat());
    let frame = whole(&call);
    let limits = Limits::default();
    let keys = ["interface", "path", "method", "group", "param_count", "serialization", "status", "arg.1"]
        .map(|name| AnyCodec::key(&Dubbo, name));
    let used = allocations(|| {
        for key in &keys {
            assert!(Codec::field(&Dubbo, frame, key, &limits).is_ok());
        }
    });
    assert_eq!(used, 0);
}
