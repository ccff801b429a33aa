//! The message behind nshead: `PublicPbrpcRequest` and `PublicPbrpcResponse` of `public_pbrpc_meta.proto`.
//!
//! ```text
//! request   1 RequestHead   from_host 1 · content_type 2 · connection 3 · charset 4 · accept_charset 5 · create_time 6 ·
//!                           log_id 7 · compress_type 8
//!           2 RequestBody   version 1 · charset 2 · service 3 · method_id 4 · id 5 · serialized_request 6
//! response  1 ResponseHead  code 1 (sint32) · text 2 · from_host 3 · compress_type 4
//!           2 ResponseBody  serialized_response 1 · version 2 · error 3 · id 4
//! ```
//!
//! Bodies may come again, but no writer does that, and readers look at the first.

/// Number of the head.
pub const HEAD: u32 = 1;
/// Number of the bodies.
pub const BODY: u32 = 2;

/// Numbers in `RequestBody`.
pub mod request {
    /// The version of the client, a text.
    pub const VERSION: u32 = 1;
    /// The service called, a text.
    pub const SERVICE: u32 = 3;
    /// The position of the method in the service.
    pub const METHOD_ID: u32 = 4;
    /// The request's id, `uint64`.
    pub const ID: u32 = 5;
}

/// Numbers in `ResponseHead`.
pub mod head {
    /// 0 is success, `sint32`.
    pub const CODE: u32 = 1;
    /// What failed, or `success`.
    pub const TEXT: u32 = 2;
}

/// Numbers in `ResponseBody`.
pub mod response {
    /// The version of the client, echoed.
    pub const VERSION: u32 = 2;
    /// The request's id, `uint64`.
    pub const ID: u32 = 4;
}
