# cython: language_level=3, freethreading_compatible=True
"""The acorn protocol. The layout is drawn in README.md; change it here, there and in samples/ together.

What runs on wire data is `noexcept nogil`: no Python object, no GIL. Python is there to make the capsule, once.
"""

from libc.string cimport memcpy

from metaprotocol.codec_abi cimport *

cdef enum:
    MAGIC = 0xac0f
    TYPE_AT = 2
    TOPIC_LEN_AT = 3
    ID_AT = 4
    BODY_LEN_AT = 8
    HEADER_LEN = 12

cdef enum:
    REQUEST = 1
    RESPONSE = 2
    ERROR = 3
    PING = 4
    PONG = 5

cdef enum:
    TOPIC = 0  # the key's position in `keys`


cdef uint32_t read_u32(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef void write_u32(uint8_t *at, uint32_t number) noexcept nogil:
    cdef int byte
    for byte in range(4):
        at[byte] = <uint8_t>(number >> (24 - 8 * byte))


cdef uint8_t magic(size_t at) noexcept nogil:
    """A byte of the magic."""
    return MAGIC >> 8 if at == 0 else MAGIC & 0xff


cdef int32_t split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                   const uint8_t *buf, size_t count, metaprotocol_split *out) noexcept nogil:
    """Where does the frame at the front of the buffer end, and what is it?"""
    cdef size_t at
    for at in range(2):
        if at < count and buf[at] != magic(at):
            metaprotocol_fail(&out.error, METAPROTOCOL_BAD_MAGIC, at, NULL, buf[at], magic(at))
            return METAPROTOCOL_SPLIT_ERROR
    if count > TYPE_AT and not REQUEST <= buf[TYPE_AT] <= PONG:
        metaprotocol_fail(&out.error, METAPROTOCOL_BAD_VALUE, TYPE_AT, "type", buf[TYPE_AT], 0)
        return METAPROTOCOL_SPLIT_ERROR
    if count < HEADER_LEN:
        return metaprotocol_need(out, HEADER_LEN - count)
    cdef uint8_t type_ = buf[TYPE_AT]
    if type_ == REQUEST:
        out.head.kind = METAPROTOCOL_REQUEST
    elif type_ == RESPONSE:
        out.head.kind = METAPROTOCOL_RESPONSE
    elif type_ == ERROR:
        out.head.kind = METAPROTOCOL_ERROR
    else:
        out.head.kind = METAPROTOCOL_HEARTBEAT
    out.head.id_type = METAPROTOCOL_ID_INT
    out.head.request_id = read_u32(buf + ID_AT)
    out.head.header_len = HEADER_LEN + buf[TOPIC_LEN_AT]
    # The host compares it with its limits before anything waits for so many bytes.
    out.head.frame_len = <uint64_t>out.head.header_len + read_u32(buf + BODY_LEN_AT)
    return METAPROTOCOL_SPLIT_HEAD


cdef int32_t fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                    metaprotocol_visit visit, void *visitor, metaprotocol_error *error) noexcept nogil:
    """What are the values of its metadata? As views: nothing is copied."""
    if frame.head.header_len > HEADER_LEN:
        metaprotocol_visit_view(visit, visitor, "topic", 5, HEADER_LEN, frame.head.header_len - HEADER_LEN)
    return METAPROTOCOL_OK


cdef int32_t rewrite(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_edits *edits,
                     const metaprotocol_limits *limits, const metaprotocol_sink *sink,
                     metaprotocol_encode_error *error) noexcept nogil:
    """What is the frame with these edits?"""
    cdef uint8_t[HEADER_LEN] header
    cdef const void *topic = frame.bytes + HEADER_LEN
    cdef size_t topic_len = frame.head.header_len - HEADER_LEN
    cdef uint32_t at
    cdef const metaprotocol_edit *edit
    for at in range(<uint32_t>edits.edit_count):
        edit = &edits.edits[at]
        if edit.remove:
            if edit.key_id == TOPIC:
                topic_len = 0
        elif edit.key_id != TOPIC:
            return metaprotocol_refuse(error, METAPROTOCOL_NOT_WRITABLE, at, "the only key is topic")
        elif edit.value.type != METAPROTOCOL_TEXT or not 0 < edit.value.len < 256:
            return metaprotocol_refuse(
                error, METAPROTOCOL_VALUE_REFUSED, at, "a text of 1 to 255 bytes; remove it to have none")
        else:
            topic = edit.value.text
            topic_len = edit.value.len
    memcpy(header, frame.bytes, HEADER_LEN)
    header[TOPIC_LEN_AT] = <uint8_t>topic_len
    if edits.has_request_id:
        if edits.request_id >> 32:
            return metaprotocol_refuse(
                error, METAPROTOCOL_VALUE_REFUSED, METAPROTOCOL_EDIT_REQUEST_ID, "an id of 32 bits")
        write_u32(header + ID_AT, <uint32_t>edits.request_id)
    # The body is borrowed: it goes out from where it is.
    sink.write(sink.sink, header, HEADER_LEN)
    sink.write(sink.sink, topic, topic_len)
    sink.borrow(sink.sink, frame.head.header_len, frame.len - frame.head.header_len)
    return METAPROTOCOL_OK


cdef int32_t reply(const metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what,
                   const char *message, size_t message_len, const metaprotocol_sink *sink,
                   metaprotocol_encode_error *error) noexcept nogil:
    """What are the bytes of an answer made here?"""
    cdef uint8_t[HEADER_LEN] header
    cdef bint heartbeat = what == METAPROTOCOL_ANSWER_HEARTBEAT
    if request.bytes[TYPE_AT] != (PING if heartbeat else REQUEST):
        return metaprotocol_refuse(
            error, METAPROTOCOL_NO_REPLY, 0, "requests are answered with errors, pings with pongs")
    if heartbeat:
        message_len = 0
    memcpy(header, request.bytes, HEADER_LEN)
    header[TYPE_AT] = PONG if heartbeat else ERROR
    header[TOPIC_LEN_AT] = 0
    write_u32(header + BODY_LEN_AT, <uint32_t>message_len)
    sink.write(sink.sink, header, HEADER_LEN)
    sink.write(sink.sink, message, message_len)
    return METAPROTOCOL_OK


cdef int32_t detect(const metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix,
                    size_t count) noexcept nogil:
    """Does the front of this stream look like mine?"""
    cdef size_t at
    for at in range(2):
        if at < count and prefix[at] != magic(at):
            return METAPROTOCOL_NO
    if count <= TYPE_AT:
        return METAPROTOCOL_NEED_MORE
    return METAPROTOCOL_YES if REQUEST <= prefix[TYPE_AT] <= PONG else METAPROTOCOL_NO


# Globals of the module: hosts use them for as long as the process lives.
cdef metaprotocol_key[1] KEYS
cdef metaprotocol_codec CODEC

KEYS[TOPIC].name = "topic"
KEYS[TOPIC].about = "what the message is about"
KEYS[TOPIC].writable = True

CODEC.name = "acorn"
CODEC.summary = "acorn, a protocol of our own"
CODEC.keys = KEYS
CODEC.key_count = 1
CODEC.min_header_len = HEADER_LEN
CODEC.pair_by = METAPROTOCOL_PAIR_BY_ID
CODEC.sharing = METAPROTOCOL_MULTIPLEXED
CODEC.heartbeats = True
CODEC.split = split
CODEC.fields = fields
CODEC.rewrite = rewrite
CODEC.reply = reply
CODEC.detect = detect

codec = codec_capsule(&CODEC)
