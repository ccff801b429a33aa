//! The declarations of `native/plugin/include/metaprotocol_codec.h`, which documents them; names without their prefix. A
//! test of `metaprotocol-plugin` compares sizes, offsets and numbers with the header.
#![allow(missing_docs, reason = "the header documents them; a second text would drift from it")]

use std::ffi::{c_char, c_void};

pub const ABI_VERSION: u32 = 1;
pub const CAPSULE_NAME: &std::ffi::CStr = c"metaprotocol.codec.v1";
pub const CODECS_SYMBOL: &std::ffi::CStr = c"metaprotocol_codecs_v1";

pub const ID_NONE: u8 = 0;
pub const ID_INT: u8 = 1;
pub const ID_BYTES: u8 = 2;

pub const BAD_MAGIC: u32 = 1;
pub const BAD_LENGTH: u32 = 2;
pub const BAD_VALUE: u32 = 3;
pub const BAD_ENCODING: u32 = 4;
pub const UNEXPECTED_END: u32 = 5;
pub const UNSUPPORTED: u32 = 6;
pub const WRONG_DIRECTION: u32 = 7;
pub const LIMIT_EXCEEDED: u32 = 8;
pub const BAD_CHECKSUM: u32 = 9;
pub const CUSTOM: u32 = 10;
pub const FAILED: u32 = 11;

pub const SPLIT_HEAD: i32 = 1;
pub const SPLIT_NEED: i32 = 2;
pub const SPLIT_ERROR: i32 = 3;

pub const VIEW: u32 = 1;
pub const TEXT: u32 = 2;
pub const INT: u32 = 3;
pub const UINT: u32 = 4;

pub const NO_KEY: u32 = 0xffff;

pub const NOT_WRITABLE: u32 = 1;
pub const VALUE_REFUSED: u32 = 2;
pub const TOO_LONG: u32 = 3;
pub const MALFORMED: u32 = 4;
pub const NO_REPLY: u32 = 5;
pub const EDIT_REQUEST_ID: u32 = 0xffff_ffff;

pub const ANSWER_HEARTBEAT: u32 = 1000;

pub const OK: i32 = 0;
pub const FAIL: i32 = 1;
pub const NO_ANSWER: i32 = 2;

pub const YES: i32 = 0;
pub const NO: i32 = 1;
pub const NEED_MORE: i32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_frame_len: u64,
    pub max_header_len: u32,
    pub max_nesting: u32,
    pub max_field_count: u32,
    pub max_in_flight: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    pub frame_len: u64,
    pub request_id: u64,
    pub stream_id: u64,
    pub header_len: u32,
    pub id_at: u32,
    pub id_len: u32,
    pub variant: u32,
    pub kind: u8,
    pub id_type: u8,
    pub has_stream_id: u8,
    pub reserved: [u8; 5],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub bytes: *const u8,
    pub len: u64,
    pub head: Head,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Error {
    pub reason: u32,
    pub reserved: u32,
    pub offset: u64,
    pub found: u64,
    pub expected: u64,
    pub name: *const c_char,
    pub code: *const c_char,
}

impl Error {
    pub const EMPTY: Self = Self {
        reason: 0,
        reserved: 0,
        offset: 0,
        found: 0,
        expected: 0,
        name: std::ptr::null(),
        code: std::ptr::null(),
    };
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Split {
    pub head: Head,
    pub need: u64,
    pub error: Error,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub r#type: u32,
    pub reserved: u32,
    pub number: u64,
    pub text: *const c_char,
    pub len: u64,
}

pub type Visit =
    unsafe extern "C" fn(visitor: *mut c_void, key: *const c_char, key_len: usize, value: *const Value) -> i32;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    pub key: *const c_char,
    pub key_len: usize,
    pub key_id: u32,
    pub remove: u32,
    pub value: Value,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Edits {
    pub edits: *const Edit,
    pub edit_count: usize,
    pub request_id: u64,
    pub has_request_id: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sink {
    pub sink: *mut c_void,
    pub borrow: unsafe extern "C" fn(sink: *mut c_void, offset: u64, len: u64) -> i32,
    pub write: unsafe extern "C" fn(sink: *mut c_void, bytes: *const c_void, len: usize) -> i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EncodeError {
    pub kind: u32,
    pub edit: u32,
    pub len: u64,
    pub max: u64,
    pub text: *const c_char,
    pub malformed: Error,
}

impl EncodeError {
    pub const EMPTY: Self = Self { kind: 0, edit: 0, len: 0, max: 0, text: std::ptr::null(), malformed: Error::EMPTY };
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: *const c_char,
    pub about: *const c_char,
    pub writable: u8,
    pub number: u8,
    pub reserved: [u8; 6],
}

pub type StateNew = unsafe extern "C" fn(codec: *const Codec) -> *mut c_void;
pub type StateFree = unsafe extern "C" fn(codec: *const Codec, state: *mut c_void);
pub type SplitFn = unsafe extern "C" fn(
    codec: *const Codec,
    state: *mut c_void,
    direction: u32,
    limits: *const Limits,
    buf: *const u8,
    len: usize,
    out: *mut Split,
) -> i32;
pub type FieldsFn = unsafe extern "C" fn(
    codec: *const Codec,
    frame: *const Frame,
    limits: *const Limits,
    visit: Visit,
    visitor: *mut c_void,
    error: *mut Error,
) -> i32;
pub type FieldFn = unsafe extern "C" fn(
    codec: *const Codec,
    frame: *const Frame,
    limits: *const Limits,
    key_id: u32,
    key: *const c_char,
    key_len: usize,
    visit: Visit,
    visitor: *mut c_void,
    error: *mut Error,
) -> i32;
pub type RewriteFn = unsafe extern "C" fn(
    codec: *const Codec,
    frame: *const Frame,
    edits: *const Edits,
    limits: *const Limits,
    sink: *const Sink,
    error: *mut EncodeError,
) -> i32;
pub type ReplyFn = unsafe extern "C" fn(
    codec: *const Codec,
    request: *const Frame,
    what: u32,
    message: *const c_char,
    message_len: usize,
    sink: *const Sink,
    error: *mut EncodeError,
) -> i32;
pub type DetectFn = unsafe extern "C" fn(codec: *const Codec, direction: u32, prefix: *const u8, len: usize) -> i32;
pub type CodecsFn = unsafe extern "C" fn() -> *const *const Codec;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    pub abi_version: u32,
    pub struct_size: u32,
    pub context: *mut c_void,
    pub name: *const c_char,
    pub summary: *const c_char,
    pub aliases: *const *const c_char,
    pub keys: *const Key,
    pub key_count: u32,
    pub min_header_len: u32,
    pub pair_by: u8,
    pub sharing: u8,
    pub first_speaker: u8,
    pub heartbeats: u8,
    pub open_keys: u8,
    pub reserved: [u8; 3],
    pub state_new: Option<StateNew>,
    pub state_free: Option<StateFree>,
    pub split: Option<SplitFn>,
    pub fields: Option<FieldsFn>,
    pub field: Option<FieldFn>,
    pub rewrite: Option<RewriteFn>,
    pub reply: Option<ReplyFn>,
    pub detect: Option<DetectFn>,
}
