# The C ABI of codecs for `cimport`, and what a module of a compiled plugin needs to offer one. `metaprotocol_codec.h` says what
# each name means; compile with `metaprotocol.get_include()` among the include directories.
#
#     from metaprotocol.codec_abi cimport *
#
# Functions of a codec are `noexcept nogil`: they run without the GIL, on any thread, and have no way to raise.

from cpython.pycapsule cimport PyCapsule_New
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "metaprotocol_codec.h" nogil:
    const uint32_t METAPROTOCOL_ABI_VERSION
    const char *METAPROTOCOL_CAPSULE_NAME

    enum:
        METAPROTOCOL_CLIENT_TO_SERVER
        METAPROTOCOL_SERVER_TO_CLIENT

    enum:
        METAPROTOCOL_REQUEST
        METAPROTOCOL_RESPONSE
        METAPROTOCOL_ONEWAY
        METAPROTOCOL_STREAM_OPEN
        METAPROTOCOL_STREAM_DATA
        METAPROTOCOL_STREAM_HALF_CLOSE
        METAPROTOCOL_STREAM_CLOSE
        METAPROTOCOL_HEARTBEAT
        METAPROTOCOL_ERROR
        METAPROTOCOL_CONTROL

    enum:
        METAPROTOCOL_PAIR_BY_ID
        METAPROTOCOL_PAIR_BY_ORDER
        METAPROTOCOL_PAIR_BY_STREAM
        METAPROTOCOL_PAIR_BY_NONE

    enum:
        METAPROTOCOL_MULTIPLEXED
        METAPROTOCOL_PIPELINED
        METAPROTOCOL_BOUND

    enum:
        METAPROTOCOL_CLIENT_FIRST
        METAPROTOCOL_SERVER_FIRST

    ctypedef struct metaprotocol_limits:
        uint64_t max_frame_len
        uint32_t max_header_len
        uint32_t max_nesting
        uint32_t max_field_count
        uint32_t max_in_flight

    enum:
        METAPROTOCOL_ID_NONE
        METAPROTOCOL_ID_INT
        METAPROTOCOL_ID_BYTES

    ctypedef struct metaprotocol_head:
        uint64_t frame_len
        uint64_t request_id
        uint64_t stream_id
        uint32_t header_len
        uint32_t id_at
        uint32_t id_len
        uint32_t variant
        uint8_t kind
        uint8_t id_type
        uint8_t has_stream_id

    ctypedef struct metaprotocol_frame:
        const uint8_t *bytes
        uint64_t len
        metaprotocol_head head

    enum:
        METAPROTOCOL_BAD_MAGIC
        METAPROTOCOL_BAD_LENGTH
        METAPROTOCOL_BAD_VALUE
        METAPROTOCOL_BAD_ENCODING
        METAPROTOCOL_UNEXPECTED_END
        METAPROTOCOL_UNSUPPORTED
        METAPROTOCOL_WRONG_DIRECTION
        METAPROTOCOL_LIMIT_EXCEEDED
        METAPROTOCOL_BAD_CHECKSUM
        METAPROTOCOL_CUSTOM
        METAPROTOCOL_FAILED

    ctypedef struct metaprotocol_error:
        uint32_t reason
        uint64_t offset
        uint64_t found
        uint64_t expected
        const char *name
        const char *code

    enum:
        METAPROTOCOL_SPLIT_HEAD
        METAPROTOCOL_SPLIT_NEED
        METAPROTOCOL_SPLIT_ERROR

    ctypedef struct metaprotocol_split:
        metaprotocol_head head
        uint64_t need
        metaprotocol_error error

    enum:
        METAPROTOCOL_VIEW
        METAPROTOCOL_TEXT
        METAPROTOCOL_INT
        METAPROTOCOL_UINT

    ctypedef struct metaprotocol_value:
        uint32_t type
        uint64_t number
        const char *text
        uint64_t len

    ctypedef int32_t (*metaprotocol_visit)(
        void *visitor, const char *key, size_t key_len, const metaprotocol_value *value) noexcept nogil

    const uint32_t METAPROTOCOL_NO_KEY

    ctypedef struct metaprotocol_edit:
        const char *key
        size_t key_len
        uint32_t key_id
        uint32_t remove
        metaprotocol_value value

    ctypedef struct metaprotocol_edits:
        const metaprotocol_edit *edits
        size_t edit_count
        uint64_t request_id
        uint32_t has_request_id

    ctypedef struct metaprotocol_sink:
        void *sink
        int32_t (*borrow)(void *sink, uint64_t offset, uint64_t len) noexcept nogil
        int32_t (*write)(void *sink, const void *bytes, size_t len) noexcept nogil

    enum:
        METAPROTOCOL_NOT_WRITABLE
        METAPROTOCOL_VALUE_REFUSED
        METAPROTOCOL_TOO_LONG
        METAPROTOCOL_MALFORMED
        METAPROTOCOL_NO_REPLY

    const uint32_t METAPROTOCOL_EDIT_REQUEST_ID

    ctypedef struct metaprotocol_encode_error:
        uint32_t kind
        uint32_t edit
        uint64_t len
        uint64_t max
        const char *text
        metaprotocol_error malformed

    enum:
        METAPROTOCOL_ROUTE_NOT_FOUND
        METAPROTOCOL_CLUSTER_NOT_FOUND
        METAPROTOCOL_NO_HEALTHY_UPSTREAM
        METAPROTOCOL_BAD_RESPONSE
        METAPROTOCOL_UNSPECIFIED
        METAPROTOCOL_OVER_LIMIT
        METAPROTOCOL_TIMEOUT
        METAPROTOCOL_UPSTREAM_RESET
        METAPROTOCOL_DENIED
        METAPROTOCOL_BAD_REQUEST
        METAPROTOCOL_ANSWER_HEARTBEAT

    enum:
        METAPROTOCOL_OK
        METAPROTOCOL_FAIL
        METAPROTOCOL_NO_ANSWER

    enum:
        METAPROTOCOL_YES
        METAPROTOCOL_NO
        METAPROTOCOL_NEED_MORE

    ctypedef struct metaprotocol_key:
        const char *name
        const char *about
        uint8_t writable
        uint8_t number

    ctypedef struct metaprotocol_codec:
        uint32_t abi_version
        uint32_t struct_size
        void *context
        const char *name
        const char *summary
        const char *const *aliases
        const metaprotocol_key *keys
        uint32_t key_count
        uint32_t min_header_len
        uint8_t pair_by
        uint8_t sharing
        uint8_t first_speaker
        uint8_t heartbeats
        uint8_t open_keys
        void *(*state_new)(const metaprotocol_codec *codec) noexcept nogil
        void (*state_free)(const metaprotocol_codec *codec, void *state) noexcept nogil
        int32_t (*split)(
            const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
            const uint8_t *buf, size_t len, metaprotocol_split *out) noexcept nogil
        int32_t (*fields)(
            const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
            metaprotocol_visit visit, void *visitor, metaprotocol_error *error) noexcept nogil
        int32_t (*field)(
            const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
            uint32_t key_id, const char *key, size_t key_len, metaprotocol_visit visit, void *visitor,
            metaprotocol_error *error) noexcept nogil
        int32_t (*rewrite)(
            const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_edits *edits,
            const metaprotocol_limits *limits, const metaprotocol_sink *sink,
            metaprotocol_encode_error *error) noexcept nogil
        int32_t (*reply)(
            const metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what, const char *message,
            size_t message_len, const metaprotocol_sink *sink, metaprotocol_encode_error *error) noexcept nogil
        int32_t (*detect)(
            const metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix, size_t len) noexcept nogil

    int32_t metaprotocol_need(metaprotocol_split *out, uint64_t need)
    int32_t metaprotocol_fail(
        metaprotocol_error *error, uint32_t reason, uint64_t offset, const char *name, uint64_t found, uint64_t expected)
    int32_t metaprotocol_refuse(metaprotocol_encode_error *error, uint32_t kind, uint32_t edit, const char *text)
    int32_t metaprotocol_visit_view(
        metaprotocol_visit visit, void *visitor, const char *key, size_t key_len, uint64_t offset, uint64_t len)
    int32_t metaprotocol_visit_number(
        metaprotocol_visit visit, void *visitor, const char *key, size_t key_len, uint32_t type, uint64_t number)


cdef inline object codec_capsule(metaprotocol_codec *codec):
    """The capsule that an entry point of the group `metaprotocol.codecs` names. The codec must be a global of the module:
    hosts use it for as long as the process lives."""
    codec.abi_version = METAPROTOCOL_ABI_VERSION
    codec.struct_size = sizeof(metaprotocol_codec)
    return PyCapsule_New(codec, METAPROTOCOL_CAPSULE_NAME, NULL)
