/*
 * The C ABI of metaprotocol codecs, version 1.
 *
 * A codec is one `metaprotocol_codec`: what the protocol is, and functions that read and write its bytes. It reaches
 * its host in one of two ways:
 *
 *   - a shared library exports METAPROTOCOL_CODECS_SYMBOL, a function that returns its codecs (see the end of this
 *     file), and the host is given the library's path;
 *   - a Python module holds a PyCapsule of the name METAPROTOCOL_CAPSULE_NAME around the address of one codec, and offers
 *     it as an entry point of the group `metaprotocol.codecs`.
 *
 * The words are those of the Rust and Python API (Frame, Kind, Head, split, fields, rewrite, reply, detect), and so are
 * the numbers of the enums.
 *
 * The contract in short
 * ---------------------
 * Threads.   The host calls any function from any thread, several at a time, and never holds Python's GIL for it: no
 *            function may touch Python objects. One state belongs to one connection; it is used by one thread at a time,
 *            but not always by the same one.
 * Memory.    What the host passes is valid until the function returns, and must not be written to, except through `out`
 *            and `error` pointers. What a codec passes to `visit` or a sink is copied or checked before that call
 *            returns. The table, and all that it points to, must stay as it is for as long as the process lives.
 * Strings    of the table and of errors end in NUL and are UTF-8; those of errors must stay valid until the same thread
 *            calls the codec again, and are at most 256 bytes: string literals. Errors name what the protocol's
 *            documentation names; never put bytes from the wire into them, the host keeps every different one.
 *            All other text is a pointer and a length in bytes, and does not end in NUL.
 * Any bytes. Whatever the bytes are, functions return, read nothing outside of `len` bytes, and keep no more than a
 *            connection's state. The same bytes give the same frames however they are cut.
 * Callbacks. `visit`, `borrow` and `write` are to be called by the thread, and before the return, of the function that was
 *            given them.
 * Unwinding. No function may leave by a C++ exception or longjmp: the host cannot prevent that from ending the process.
 *            Nor can it interrupt a function that does not return.
 * Mistakes   that the host can see (a result that is not in its enum, lengths that cannot be, a view outside of the frame)
 *            are reported as errors of the codec: `Reason::InvalidCodec` in Rust, `InvalidCodec` in Python.
 *
 * Versions
 * --------
 * `abi_version` changes when anything here changes its meaning; a host refuses versions that it does not know. Within a
 * version the only change is that functions are appended to `metaprotocol_codec`; `struct_size` tells which a codec has.
 * A host takes the missing ones for NULL and ignores those that it does not know. All other structs stay as they are.
 *
 * C99 and C++98 with <stdint.h>.
 */
#ifndef METAPROTOCOL_CODEC_H
#define METAPROTOCOL_CODEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define METAPROTOCOL_ABI_VERSION 1u
#define METAPROTOCOL_CAPSULE_NAME "metaprotocol.codec.v1"
#define METAPROTOCOL_CODECS_SYMBOL "metaprotocol_codecs_v1"

/* Which way bytes travel. The client is the side that opened the connection. */
enum {
    METAPROTOCOL_CLIENT_TO_SERVER = 0,
    METAPROTOCOL_SERVER_TO_CLIENT = 1
};

/* What a frame is for. */
enum {
    METAPROTOCOL_REQUEST = 0,           /* expects exactly one response */
    METAPROTOCOL_RESPONSE = 1,          /* answers a request */
    METAPROTOCOL_ONEWAY = 2,            /* a request that nobody answers */
    METAPROTOCOL_STREAM_OPEN = 3,       /* opens a stream of frames that share a stream id */
    METAPROTOCOL_STREAM_DATA = 4,
    METAPROTOCOL_STREAM_HALF_CLOSE = 5, /* one side has finished sending */
    METAPROTOCOL_STREAM_CLOSE = 6,
    METAPROTOCOL_HEARTBEAT = 7,         /* keeps a connection alive; the peer or a proxy answers */
    METAPROTOCOL_ERROR = 8,             /* answers a request with an error that the frame itself states */
    METAPROTOCOL_CONTROL = 9            /* handshakes and notices about the connection */
};

/* How responses find their requests. */
enum {
    METAPROTOCOL_PAIR_BY_ID = 0,
    METAPROTOCOL_PAIR_BY_ORDER = 1,
    METAPROTOCOL_PAIR_BY_STREAM = 2,
    METAPROTOCOL_PAIR_BY_NONE = 3
};

/* How many clients one upstream connection can serve. */
enum {
    METAPROTOCOL_MULTIPLEXED = 0, /* many at once: ids can be rewritten */
    METAPROTOCOL_PIPELINED = 1,   /* many, one after another: answers come in order */
    METAPROTOCOL_BOUND = 2        /* one: the connection holds state of its client */
};

/* Who sends the first bytes. */
enum {
    METAPROTOCOL_CLIENT_FIRST = 0,
    METAPROTOCOL_SERVER_FIRST = 1
};

/* Bounds on what a peer may make us hold or walk. The host compares frame_len and header_len with them itself. */
typedef struct metaprotocol_limits {
    uint64_t max_frame_len;
    uint32_t max_header_len;
    uint32_t max_nesting;     /* deepest nesting of values that a walk follows */
    uint32_t max_field_count; /* most fields read from one frame */
    uint32_t max_in_flight;
} metaprotocol_limits;

/* How a head names its request. */
enum {
    METAPROTOCOL_ID_NONE = 0,
    METAPROTOCOL_ID_INT = 1,  /* `request_id`; signed ids are sign-extended to 64 bits */
    METAPROTOCOL_ID_BYTES = 2 /* `id_len` bytes at `id_at` in the frame */
};

/* All that is known of a frame once its header is in. The host passes it to `split` filled with zeros. */
typedef struct metaprotocol_head {
    uint64_t frame_len;    /* bytes of the whole frame, header included; at least 1 and at least header_len */
    uint64_t request_id;
    uint64_t stream_id;
    uint32_t header_len;   /* bytes from the start of the frame to the start of its body */
    uint32_t id_at;
    uint32_t id_len;
    uint32_t variant;      /* a note for the codec's own other functions; nobody else reads it */
    uint8_t kind;          /* METAPROTOCOL_REQUEST ... */
    uint8_t id_type;       /* METAPROTOCOL_ID_... */
    uint8_t has_stream_id; /* 0 or 1 */
    uint8_t reserved[5];
} metaprotocol_head;

/* One whole frame: its `len` bytes, and what `split` said of it. */
typedef struct metaprotocol_frame {
    const uint8_t *bytes;
    uint64_t len;
    metaprotocol_head head;
} metaprotocol_frame;

/* Why bytes are not the protocol, and which members of `metaprotocol_error` say more. */
enum {
    METAPROTOCOL_BAD_MAGIC = 1,       /* expected, found */
    METAPROTOCOL_BAD_LENGTH = 2,      /* name, found: a length that no message can have */
    METAPROTOCOL_BAD_VALUE = 3,       /* name, found: a value that the protocol does not define */
    METAPROTOCOL_BAD_ENCODING = 4,    /* name: not encoded as the protocol demands */
    METAPROTOCOL_UNEXPECTED_END = 5,  /* name: runs over the end of its frame */
    METAPROTOCOL_UNSUPPORTED = 6,     /* name, found: valid, but not read by this codec */
    METAPROTOCOL_WRONG_DIRECTION = 7, /* name: what only the other side may send */
    METAPROTOCOL_LIMIT_EXCEEDED = 8,  /* name: the member of metaprotocol_limits; found, expected: the most allowed */
    METAPROTOCOL_BAD_CHECKSUM = 9,    /* name, found, expected: what the bytes add up to */
    METAPROTOCOL_CUSTOM = 10,         /* code, name: the whole message for people */
    METAPROTOCOL_FAILED = 11          /* name: the codec failed; its author's fault, not the peer's */
};

typedef struct metaprotocol_error {
    uint32_t reason; /* METAPROTOCOL_BAD_MAGIC ... */
    uint32_t reserved;
    uint64_t offset; /* bytes from the start of the buffer (split) or of the frame; no further than its end */
    uint64_t found;  /* signed values in two's complement */
    uint64_t expected;
    const char *name; /* the field as the protocol's documentation names it */
    const char *code; /* a stable snake_case word, for METAPROTOCOL_CUSTOM */
} metaprotocol_error;

/* What `split` returns. */
enum {
    METAPROTOCOL_SPLIT_HEAD = 1, /* a frame begins here; `head` says what it is. Its body may be incomplete */
    METAPROTOCOL_SPLIT_NEED = 2, /* at least `need` more bytes, and the frame is no shorter than that */
    METAPROTOCOL_SPLIT_ERROR = 3 /* `error` says why the bytes are not the protocol */
};

typedef struct metaprotocol_split {
    metaprotocol_head head;
    uint64_t need;
    metaprotocol_error error;
} metaprotocol_split;

/* What a metadata value is. */
enum {
    METAPROTOCOL_VIEW = 1, /* text: `len` bytes at offset `number` of the frame. Costs no copy */
    METAPROTOCOL_TEXT = 2, /* text: `len` bytes at `text`, copied before `visit` returns */
    METAPROTOCOL_INT = 3,  /* `number` as int64_t */
    METAPROTOCOL_UINT = 4  /* `number` */
};
/* Text that is not UTF-8 is shown with U+FFFD in place of what is wrong. */

typedef struct metaprotocol_value {
    uint32_t type; /* METAPROTOCOL_VIEW ... */
    uint32_t reserved;
    uint64_t number;
    const char *text;
    uint64_t len;
} metaprotocol_value;

/*
 * Takes one field. If it returns anything but 0 the walk is over: return METAPROTOCOL_OK without another visit. `key` is
 * copied or compared before it returns.
 */
typedef int32_t (*metaprotocol_visit)(void *visitor, const char *key, size_t key_len, const metaprotocol_value *value);

/* What to change in a frame. Everything that is not named must stay byte for byte as it is. */
typedef struct metaprotocol_edit {
    const char *key;
    size_t key_len;
    uint32_t key_id; /* the key's position in `keys`; METAPROTOCOL_NO_KEY if it is not among them */
    uint32_t remove; /* 1: remove the field, ignore `value`. 0: add or replace it */
    metaprotocol_value value; /* METAPROTOCOL_TEXT, METAPROTOCOL_INT or METAPROTOCOL_UINT */
} metaprotocol_edit;

#define METAPROTOCOL_NO_KEY 0xffffu

typedef struct metaprotocol_edits {
    const metaprotocol_edit *edits; /* removals first, then the rest in order; a key that comes again wins */
    size_t edit_count;
    uint64_t request_id; /* the new id, if has_request_id */
    uint32_t has_request_id;
    uint32_t reserved;
} metaprotocol_edits;

/*
 * Takes the bytes that `rewrite` and `reply` make, piece after piece. `borrow` is a run of the original frame, which is not
 * copied; `write` copies. If one returns anything but 0, give up: return METAPROTOCOL_OK, the host knows why.
 */
typedef struct metaprotocol_sink {
    void *sink; /* the first argument of both */
    int32_t (*borrow)(void *sink, uint64_t offset, uint64_t len);
    int32_t (*write)(void *sink, const void *bytes, size_t len);
} metaprotocol_sink;

/* Why a frame cannot be written as asked. */
enum {
    METAPROTOCOL_NOT_WRITABLE = 1,   /* edit, text: why not, and what could be done */
    METAPROTOCOL_VALUE_REFUSED = 2,  /* edit, text: what the field takes ("at most 255 bytes") */
    METAPROTOCOL_TOO_LONG = 3,       /* len: of the frame as it would be; max: the most its length fields can say */
    METAPROTOCOL_MALFORMED = 4,      /* malformed: the frame is broken where the edit goes */
    METAPROTOCOL_NO_REPLY = 5        /* text: why no such reply can be made */
};

/* `edit` of a metaprotocol_encode_error about the new request id. */
#define METAPROTOCOL_EDIT_REQUEST_ID 0xffffffffu

typedef struct metaprotocol_encode_error {
    uint32_t kind; /* METAPROTOCOL_NOT_WRITABLE ... */
    uint32_t edit; /* the position in `edits`, or METAPROTOCOL_EDIT_REQUEST_ID */
    uint64_t len;
    uint64_t max;
    const char *text;
    metaprotocol_error malformed;
} metaprotocol_encode_error;

/* Why a request is answered locally: the `what` of `reply`. */
enum {
    METAPROTOCOL_ROUTE_NOT_FOUND = 0,
    METAPROTOCOL_CLUSTER_NOT_FOUND = 1,
    METAPROTOCOL_NO_HEALTHY_UPSTREAM = 2,
    METAPROTOCOL_BAD_RESPONSE = 3,
    METAPROTOCOL_UNSPECIFIED = 4,
    METAPROTOCOL_OVER_LIMIT = 5,
    METAPROTOCOL_TIMEOUT = 6,
    METAPROTOCOL_UPSTREAM_RESET = 7,
    METAPROTOCOL_DENIED = 8,
    METAPROTOCOL_BAD_REQUEST = 9,
    METAPROTOCOL_ANSWER_HEARTBEAT = 1000 /* not an error: the answer to a heartbeat */
};

/* What `fields`, `field`, `rewrite` and `reply` return. */
enum {
    METAPROTOCOL_OK = 0,
    METAPROTOCOL_FAIL = 1,      /* `error` says why */
    METAPROTOCOL_NO_ANSWER = 2  /* `reply` only: this request is not answered (one-way) */
};

/* What `detect` returns. */
enum {
    METAPROTOCOL_YES = 0, /* no other protocol starts like this */
    METAPROTOCOL_NO = 1,
    METAPROTOCOL_NEED_MORE = 2 /* too early to tell */
};

/* A metadata key that a codec always knows. */
typedef struct metaprotocol_key {
    const char *name;  /* as users write it in rules */
    const char *about; /* what it holds, in one line */
    uint8_t writable;  /* 1 if `rewrite` can set it */
    uint8_t number;    /* 1 if its values are numbers: tables give it an integer column */
    uint8_t reserved[6];
} metaprotocol_key;

/* A protocol. Set what is not said here to 0; functions that are not REQUIRED may be NULL. */
typedef struct metaprotocol_codec {
    uint32_t abi_version; /* METAPROTOCOL_ABI_VERSION */
    uint32_t struct_size; /* sizeof(metaprotocol_codec) */
    void *context;        /* the codec's own; the host does not look at it */

    /* What it is. Read once, when the codec is loaded. */
    const char *name;           /* REQUIRED: one lower-case word of at most 64 bytes */
    const char *summary;        /* what it reads, in one line; may be NULL */
    const char *const *aliases; /* other names, ended by NULL; may be NULL */
    const metaprotocol_key *keys;
    uint32_t key_count;
    uint32_t min_header_len; /* bytes of the shortest header: a hint for buffers, 1 if unknown */
    uint8_t pair_by;         /* METAPROTOCOL_PAIR_BY_... */
    uint8_t sharing;         /* METAPROTOCOL_MULTIPLEXED ... */
    uint8_t first_speaker;   /* METAPROTOCOL_CLIENT_FIRST ... */
    uint8_t heartbeats;      /* 1 if the protocol has heartbeats that `reply` can answer */
    uint8_t open_keys;       /* 1 if `rewrite` can set keys besides `keys` */
    uint8_t reserved[3];

    /*
     * What one connection remembers, for both directions; `split` gets it. Both or neither. `state_new` may return NULL,
     * `state_free` is not called for NULL.
     */
    void *(*state_new)(const struct metaprotocol_codec *codec);
    void (*state_free)(const struct metaprotocol_codec *codec, void *state);

    /*
     * REQUIRED. Where does the frame at the front of `buf` end, and what is it? Reads the header only, and allocates
     * nothing. `len` is never 0. After METAPROTOCOL_SPLIT_NEED the next call for this direction sees the same bytes
     * and more behind them, so a codec that has to walk a body remembers in `state` how far it came; after
     * METAPROTOCOL_SPLIT_HEAD the next call starts at the following frame. Never ask for bytes that do not belong to the
     * frame. If one more byte could change the answer, ask for it. `state` is NULL if there is no `state_new`.
     */
    int32_t (*split)(const struct metaprotocol_codec *codec, void *state, uint32_t direction,
                     const metaprotocol_limits *limits, const uint8_t *buf, size_t len, metaprotocol_split *out);

    /*
     * Visits every field of a frame, in the frame's order; a key that comes again replaces the earlier value. NULL: frames
     * have no fields. On METAPROTOCOL_FAIL the fields visited before stand.
     */
    int32_t (*fields)(const struct metaprotocol_codec *codec, const metaprotocol_frame *frame,
                      const metaprotocol_limits *limits, metaprotocol_visit visit, void *visitor,
                      metaprotocol_error *error);

    /*
     * Visits one field, if the frame has it, and reads no more of the frame than that takes. `key_id` is the key's position
     * in `keys`, or METAPROTOCOL_NO_KEY, and then `key` is to be searched for. NULL: the host walks `fields`.
     */
    int32_t (*field)(const struct metaprotocol_codec *codec, const metaprotocol_frame *frame,
                     const metaprotocol_limits *limits, uint32_t key_id, const char *key, size_t key_len,
                     metaprotocol_visit visit, void *visitor, metaprotocol_error *error);

    /* The frame with edits; at least one. NULL: nothing can be written. Frames without edits never get here. */
    int32_t (*rewrite)(const struct metaprotocol_codec *codec, const metaprotocol_frame *frame,
                       const metaprotocol_edits *edits, const metaprotocol_limits *limits, const metaprotocol_sink *sink,
                       metaprotocol_encode_error *error);

    /*
     * The bytes of an answer made locally, with the request's id: an error with a message for people, or the answer to a
     * heartbeat. NULL: no reply can be made. `borrow` takes runs of the request.
     */
    int32_t (*reply)(const struct metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what,
                     const char *message, size_t message_len, const metaprotocol_sink *sink,
                     metaprotocol_encode_error *error);

    /* Does the front of a stream look like this protocol? `len` may be 0. NULL: no. */
    int32_t (*detect)(const struct metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix, size_t len);
} metaprotocol_codec;

/*
 * What a shared library exports under METAPROTOCOL_CODECS_SYMBOL: a function that returns the addresses of its codecs,
 * ended by NULL. It is called once for each time that the library is opened; libraries are never unloaded.
 *
 *     METAPROTOCOL_EXPORT const metaprotocol_codec *const *metaprotocol_codecs_v1(void) { return my_codecs; }
 */
#if defined(__GNUC__)
#define METAPROTOCOL_EXPORT __attribute__((visibility("default")))
#else
#define METAPROTOCOL_EXPORT
#endif
METAPROTOCOL_EXPORT const metaprotocol_codec *const *metaprotocol_codecs_v1(void);

/* Conveniences for codecs. */

/* `return metaprotocol_need(out, 3);` in split. */
static inline int32_t metaprotocol_need(metaprotocol_split *out, uint64_t need) {
    out->need = need;
    return METAPROTOCOL_SPLIT_NEED;
}

/* Fills an error in. Returns METAPROTOCOL_FAIL; `split` returns METAPROTOCOL_SPLIT_ERROR instead. */
static inline int32_t metaprotocol_fail(metaprotocol_error *error, uint32_t reason, uint64_t offset, const char *name,
                                        uint64_t found, uint64_t expected) {
    error->reason = reason;
    error->offset = offset;
    error->found = found;
    error->expected = expected;
    error->name = name;
    error->code = 0;
    return METAPROTOCOL_FAIL;
}

/* The same for an error of rewrite or reply about the edit at position `edit`, or about none. */
static inline int32_t metaprotocol_refuse(metaprotocol_encode_error *error, uint32_t kind, uint32_t edit,
                                          const char *text) {
    error->kind = kind;
    error->edit = edit;
    error->text = text;
    return METAPROTOCOL_FAIL;
}

/* Visits a text that stands in the frame. Returns what `visit` says. */
static inline int32_t metaprotocol_visit_view(metaprotocol_visit visit, void *visitor, const char *key, size_t key_len,
                                              uint64_t offset, uint64_t len) {
    metaprotocol_value value;
    value.type = METAPROTOCOL_VIEW;
    value.reserved = 0;
    value.number = offset;
    value.text = 0;
    value.len = len;
    return visit(visitor, key, key_len, &value);
}

/* Visits a number: METAPROTOCOL_INT or METAPROTOCOL_UINT. Returns what `visit` says. */
static inline int32_t metaprotocol_visit_number(metaprotocol_visit visit, void *visitor, const char *key, size_t key_len,
                                                uint32_t type, uint64_t number) {
    metaprotocol_value value;
    value.type = type;
    value.reserved = 0;
    value.number = number;
    value.text = 0;
    value.len = 0;
    return visit(visitor, key, key_len, &value);
}

#ifdef __cplusplus
}
#endif

#endif
