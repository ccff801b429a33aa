//! How inputs begin: the bytes that say how the rest is used. Shared with `seed`, which writes such inputs.

/// Pieces that a stream is cut into, over and over; one byte each.
pub const STREAM_CUTS: usize = 7;
/// Turns of a conversation whose length is told, in two bytes each; one more takes the rest.
pub const STREAM_TURNS: usize = 4;
/// Before a conversation: limits and first direction, pieces, turns.
pub const STREAM: usize = 1 + STREAM_CUTS + 2 * STREAM_TURNS;

/// Edits of a frame, three bytes each: what, which key, which value.
pub const EDITS: usize = 3;
/// Before what depends on the protocol: edits, new id, limits.
pub const CHOICES: usize = 3 * EDITS + 2;
/// Before a frame of a bRPC port, or what follows its header: protocol, how it is made, length of the meta, direction.
pub const BRPC_VERBS: usize = CHOICES + 4;
/// The protocols of a bRPC port by the first byte of a conversation of `brpc_stream`.
pub const BRPC_PROTOCOLS: [&str; 5] = ["brpc", "hulu", "sofa", "nova", "public"];
/// Before a Dubbo frame, or a body: how it is made, flags, status.
pub const DUBBO_VERBS: usize = CHOICES + 3;
/// Before a Kafka frame, or a body: how it is made, API key, version.
pub const KAFKA_VERBS: usize = CHOICES + 3;
/// Before a Redis frame, or arguments: how it is made, array or line, name.
pub const REDIS_VERBS: usize = CHOICES + 3;
/// Before a Thrift frame, or a struct: how it is made, transport and protocol, type, name, id, length of info headers.
pub const THRIFT_VERBS: usize = CHOICES + 6;
/// Before a tRPC frame, or what follows its fixed header: how it is made, length of the message, direction.
pub const TRPC_VERBS: usize = CHOICES + 3;

/// Before a struct: protocol (strict, old, compact), limits.
pub const THRIFT_WALK: usize = 2;
/// Before values: limits, offset of the first.
pub const HESSIAN: usize = 2;

/// Pieces that a file is cut into, over and over; one byte each.
pub const CAPTURE_CUTS: usize = 4;
/// Before a file: limits, pieces.
pub const CAPTURE: usize = 1 + CAPTURE_CUTS;

macro_rules! description {
    ($name:literal, $path:literal) => {
        ($name, include_str!(concat!("../../../", $path)))
    };
}

/// The descriptions that `spec_stream` chooses from by its first byte, each with the name of what it describes.
pub const DESCRIPTIONS: [(&str, &str); 10] = [
    description!("dubbo", "native/spec/tests/descriptions/dubbo.yaml"),
    description!("trpc", "native/spec/tests/descriptions/trpc.yaml"),
    description!("acorn", "native/spec/tests/descriptions/acorn.yaml"),
    description!("acornmid", "native/spec/tests/descriptions/acornmid.yaml"),
    description!("courier", "native/spec/tests/descriptions/courier.yaml"),
    description!("varints", "native/spec/tests/descriptions/varints.yaml"),
    description!("tlv", "native/spec/tests/descriptions/tlv.yaml"),
    description!("awesomerpc", "codecs/awesomerpc/awesomerpc.yaml"),
    description!("qza", "codecs/qza/qza.yaml"),
    description!("zork", "codecs/zork/zork.yaml"),
];
