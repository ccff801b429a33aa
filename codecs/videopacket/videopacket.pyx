# cython: language_level=3, freethreading_compatible=True, cdivision=True
"""VideoPacket, Tencent Video's service protocol, as a compiled plugin: module `metaprotocol._videopacket`.

    0    1         5        6         7          9     10        16                    L-1
    STX  length L  version  reserved  command's  ctrl  zeros     VideoCommHeader, JCE  ETX
    26   u32       u8       u8        copy, u16  u8    6 bytes   fields of a struct    28      all numbers big-endian

The header names its fields by tags, so nothing in it stands at a fixed offset: every look-up walks the JCE fields before
the one it wants, and skips the business body (tag 3) by its length. The walk is a loop with a stack of its own, bounded by
`max_nesting`; it moves forward with every step, and each length and count is compared with the bytes at hand first.

Whether a packet ends in ETX can only be told when all of it is in, and a packet that does not has lost its framing: so
`split` asks for the whole packet (2 MiB at most) before it tells a head. No Python object is touched but to make the
capsules at the end.
"""

from libc.stdint cimport INT32_MAX, INT32_MIN
from libc.stdlib cimport calloc
from libc.string cimport memcpy, strlen

from metaprotocol.codec_abi cimport *

cdef enum:
    STX = 0x26
    ETX = 0x28
    LENGTH_AT = 1
    RESERVED_AT = 6
    COMMAND_COPY_AT = 7
    JCE_AT = 16
    MIN_LEN = 17
    MAX_LEN = 2097152
    # Bytes that settle whose stream it is: the fixed header, the head of BasicInfo, and that of its first field.
    DETECT_LEN = 18

# JCE types.
cdef enum:
    INT8 = 0
    INT16 = 1
    INT32 = 2
    INT64 = 3
    FLOAT = 4
    DOUBLE = 5
    STRING1 = 6
    STRING4 = 7
    MAP = 8
    LIST = 9
    STRUCT_BEGIN = 10
    STRUCT_END = 11
    ZERO = 12
    SIMPLE_LIST = 13

# Tags of VideoCommHeader, and of the structs in it that are read.
cdef enum:
    BASIC_INFO = 0
    ACCESS_INFO = 1
    BODY = 3
    HTTP_DATA = 5
    SERVER_ROUTE = 7

    REQ_UIN = 0
    COMMAND = 1
    SERVICE_TYPE = 2
    VERSION = 3
    RESULT = 4
    CALLER_ID = 5
    SEQ_ID = 6
    SUB_CMD = 7
    BODY_FLAG = 8

    CLIENT_IP = 2
    SERVICE_NAME = 5
    FUNC_NAME = 8
    FROM_INFO = 11
    QUA_INFO = 16
    GUID = 17
    FLAG = 19

    QUA_VERSION_NAME = 0
    QUA_PLATFORM = 4
    QUA_CHANNEL_ID = 9

    HTTP_REQUEST = 0
    HTTP_URL = 2
    HTTP_HOST = 5

    FROM_SERVER = 0
    FROM_SET = 1
    TO_SERVER = 2
    TO_SET = 3
    ROUTE_FUNC = 4
    ROUTE_FROM_FUNC = 5

# Result codes.
cdef enum:
    RESULT_FAILURE = 1
    RESULT_PROXY_TIMEOUT = 3
    RESULT_INTERFACE_OVER_RATE = 4
    RESULT_FORBIDDEN = 5
    RESULT_DELIVERY_FAILED = 8

# Keys, by their position in KEYS; those of bodies follow.
cdef enum:
    KEY_COMMAND
    KEY_SEQ_ID
    KEY_REQ_UIN
    KEY_SERVICE_TYPE
    KEY_VERSION
    KEY_RESULT
    KEY_CALLER_ID
    KEY_SUB_CMD
    KEY_BODY_FLAG
    KEY_CLIENT_IP
    KEY_SERVICE_NAME
    KEY_FUNC_NAME
    KEY_FROM_INFO
    KEY_APP_VERSION
    KEY_PLATFORM
    KEY_CHANNEL_ID
    KEY_GUID
    KEY_DYE_FLAG
    KEY_URL
    KEY_HOST
    KEY_FROM_SERVER
    KEY_FROM_SET
    KEY_TO_SERVER
    KEY_TO_SET
    KEY_FUNC
    KEY_FROM_FUNC
    KEY_OPERATION
    FIXED_KEYS
    ALL_KEYS = 0x10000

cdef enum:
    MAX_DEPTH = 1024
    MAX_PATCHES = 32
    IN_STRUCT = -1
    FAILED = -1
    ABSENT = 0
    FOUND = 1


# Reading JCE ----------------------------------------------------------------------------------------------------------

cdef struct Reader:
    const uint8_t *bytes
    size_t at
    size_t end
    size_t field            # where the field that was found last begins
    uint32_t max_nesting
    metaprotocol_error *error


cdef int fail(Reader *r, uint32_t reason, size_t at, const char *name, uint64_t found) noexcept nogil:
    metaprotocol_fail(r.error, reason, at, name, found, 0)
    return FAILED


cdef int lacks(Reader *r, const char *what) noexcept nogil:
    """A required field is not there."""
    fail(r, METAPROTOCOL_CUSTOM, r.at, what, 0)
    r.error.code = "missing_field"
    return FAILED


cdef inline uint64_t unsigned(const uint8_t *bytes, size_t count) noexcept nogil:
    cdef uint64_t value = 0
    cdef size_t at
    for at in range(count):
        value = value << 8 | bytes[at]
    return value


cdef inline int head(Reader *r, uint32_t *tag, uint32_t *kind) noexcept nogil:
    """The head of the next field."""
    cdef size_t start = r.at
    if start >= r.end:
        return fail(r, METAPROTOCOL_UNEXPECTED_END, start, "JCE field", 0)
    kind[0] = r.bytes[start] & 0x0f
    tag[0] = r.bytes[start] >> 4
    r.at = start + 1
    if tag[0] == 15:
        if r.at >= r.end:
            return fail(r, METAPROTOCOL_UNEXPECTED_END, start, "JCE tag", 0)
        tag[0] = r.bytes[r.at]
        r.at += 1
    if kind[0] > SIMPLE_LIST:
        return fail(r, METAPROTOCOL_BAD_VALUE, start, "JCE type", kind[0])
    return 0


cdef inline int over(Reader *r, size_t count, const char *name) noexcept nogil:
    """Moves over bytes."""
    if count > r.end - r.at:
        return fail(r, METAPROTOCOL_UNEXPECTED_END, r.at, name, 0)
    r.at += count
    return 0


cdef inline int integer(Reader *r, uint32_t kind, uint32_t widest, int64_t *value, const char *name) noexcept nogil:
    """An integer of this type or a smaller one: writers shrink them."""
    cdef size_t start = r.at
    cdef size_t count
    value[0] = 0
    if kind == ZERO:
        return 0
    if kind > widest:
        return fail(r, METAPROTOCOL_BAD_ENCODING, start - 1, name, 0)
    count = <size_t>1 << kind
    if over(r, count, name) < 0:
        return FAILED
    # Sign-extended: shifted up to the top, and down again as a signed number.
    value[0] = <int64_t>(unsigned(r.bytes + start, count) << (64 - 8 * count)) >> (64 - 8 * count)
    return 0


cdef inline int text(Reader *r, uint32_t kind, size_t *at, size_t *count, const char *name) noexcept nogil:
    """Where a string stands."""
    cdef size_t width
    if kind == STRING1:
        width = 1
    elif kind == STRING4:
        width = 4
    else:
        return fail(r, METAPROTOCOL_BAD_ENCODING, r.at - 1, name, 0)
    if over(r, width, name) < 0:
        return FAILED
    count[0] = unsigned(r.bytes + r.at - width, width)
    at[0] = r.at
    return over(r, count[0], name)


cdef int counted(Reader *r, size_t smallest, int64_t *count) noexcept nogil:
    """The number of elements, each of at least as many bytes."""
    cdef uint32_t tag = 0
    cdef uint32_t kind = 0
    cdef size_t start = r.at
    if head(r, &tag, &kind) < 0 or integer(r, kind, INT32, count, "JCE count") < 0:
        return FAILED
    if tag != 0:
        return fail(r, METAPROTOCOL_BAD_VALUE, start, "tag of a JCE count", tag)
    if count[0] < 0:
        return fail(r, METAPROTOCOL_BAD_LENGTH, start, "JCE count", <uint64_t>count[0])
    if <uint64_t>count[0] > (r.end - r.at) // smallest:
        return fail(r, METAPROTOCOL_UNEXPECTED_END, start, "JCE count", 0)
    return 0


cdef int skip(Reader *r, uint32_t kind) noexcept nogil:
    """Moves over a value of any type. Each turn reads at least one byte, or ends a container that did."""
    cdef int64_t left[MAX_DEPTH]  # of each container that is open: fields to come
    cdef uint32_t depth = 0
    cdef uint32_t tag = 0
    cdef size_t at = 0
    cdef size_t count = 0
    cdef int64_t length = 0
    while True:
        if kind <= INT64:
            if over(r, <size_t>1 << kind, "JCE integer") < 0:
                return FAILED
        elif kind == FLOAT or kind == DOUBLE:
            if over(r, 4 if kind == FLOAT else 8, "JCE float") < 0:
                return FAILED
        elif kind == STRING1 or kind == STRING4:
            if text(r, kind, &at, &count, "JCE string") < 0:
                return FAILED
        elif kind == SIMPLE_LIST:
            at = r.at
            if head(r, &tag, &kind) < 0:
                return FAILED
            if kind != INT8:
                return fail(r, METAPROTOCOL_BAD_VALUE, at, "type of a JCE simple list", kind)
            if counted(r, 1, &length) < 0 or over(r, <size_t>length, "JCE simple list") < 0:
                return FAILED
        elif kind == STRUCT_END:
            return fail(r, METAPROTOCOL_BAD_VALUE, r.at - 1, "JCE struct end without a struct; the type", kind)
        elif kind != ZERO:  # a container
            if depth >= r.max_nesting:
                metaprotocol_fail(r.error, METAPROTOCOL_LIMIT_EXCEEDED, r.at - 1, "max_nesting", depth + 1, r.max_nesting)
                return FAILED
            if depth == MAX_DEPTH:
                return fail(r, METAPROTOCOL_UNSUPPORTED, r.at - 1, "JCE nesting deeper than", MAX_DEPTH)
            left[depth] = IN_STRUCT
            if kind == MAP:
                if counted(r, 2, &left[depth]) < 0:
                    return FAILED
                left[depth] *= 2  # a key and a value each
            elif kind == LIST and counted(r, 1, &left[depth]) < 0:
                return FAILED
            depth += 1
        # On to the next field of the innermost container that has one.
        while depth > 0:
            if left[depth - 1] == 0:
                depth -= 1
                continue
            if head(r, &tag, &kind) < 0:
                return FAILED
            if left[depth - 1] != IN_STRUCT:
                left[depth - 1] -= 1
                break
            if kind != STRUCT_END:
                break
            depth -= 1
        else:
            return 0


cdef int find(Reader *r, uint32_t wanted, uint32_t *kind) noexcept nogil:
    """FOUND: the reader stands behind the head of the field. ABSENT: it stands before the first field that comes later.

    As JCE readers do: fields with smaller tags are skipped, and one out of order is not seen.
    """
    cdef uint32_t tag = 0
    while r.at < r.end:
        r.field = r.at
        if head(r, &tag, kind) < 0:
            return FAILED
        if kind[0] == STRUCT_END or tag > wanted:
            r.at = r.field
            return ABSENT
        if tag == wanted:
            return FOUND
        if skip(r, kind[0]) < 0:
            return FAILED
    return ABSENT


cdef int enter(Reader *r, uint32_t wanted, const char *name) noexcept nogil:
    """FOUND: the reader stands within the struct."""
    cdef uint32_t kind = 0
    cdef int found = find(r, wanted, &kind)
    if found == FOUND and kind != STRUCT_BEGIN:
        return fail(r, METAPROTOCOL_BAD_ENCODING, r.field, name, 0)
    return found


cdef int leave(Reader *r) noexcept nogil:
    """Moves behind the end of the struct that was entered."""
    cdef uint32_t tag = 0
    cdef uint32_t kind = 0
    while True:
        if head(r, &tag, &kind) < 0:
            return FAILED
        if kind == STRUCT_END:
            return 0
        if skip(r, kind) < 0:
            return FAILED


cdef inline int required(Reader *r, uint32_t tag, uint32_t widest, int64_t *value, const char *name,
                         const char *missing) noexcept nogil:
    """An integer that every struct of its type has."""
    cdef uint32_t kind = 0
    cdef int found = find(r, tag, &kind)
    if found == ABSENT:
        return lacks(r, missing)
    if found == FAILED:
        return FAILED
    return integer(r, kind, widest, value, name)


cdef struct BasicInfo:
    int64_t req_uin
    int64_t command
    int64_t service_type
    int64_t version
    int64_t result
    int64_t caller_id
    int64_t seq_id


cdef int basic_info(Reader *r, BasicInfo *basic) noexcept nogil:
    """The required fields; the reader stands behind them, within the struct."""
    cdef int found = enter(r, BASIC_INFO, "BasicInfo")
    if found == ABSENT:
        return lacks(r, "the packet lacks BasicInfo")
    if (found == FAILED
            or required(r, REQ_UIN, INT64, &basic.req_uin, "ReqUin", "BasicInfo lacks ReqUin") < 0
            or required(r, COMMAND, INT16, &basic.command, "Command", "BasicInfo lacks Command") < 0
            or required(r, SERVICE_TYPE, INT8, &basic.service_type, "ServiceType", "BasicInfo lacks ServiceType") < 0
            or required(r, VERSION, INT8, &basic.version, "version", "BasicInfo lacks version") < 0
            or required(r, RESULT, INT32, &basic.result, "Result", "BasicInfo lacks Result") < 0
            or required(r, CALLER_ID, INT32, &basic.caller_id, "CallerID", "BasicInfo lacks CallerID") < 0
            or required(r, SEQ_ID, INT64, &basic.seq_id, "SeqId", "BasicInfo lacks SeqId") < 0):
        return FAILED
    basic.command &= 0xffff
    return 0


cdef int access_info(Reader *r) noexcept nogil:
    """Enters the other struct that every packet has."""
    cdef int found = enter(r, ACCESS_INFO, "AccessInfo")
    if found == ABSENT:
        return lacks(r, "the packet lacks AccessInfo")
    return 0 if found == FOUND else FAILED


cdef inline Reader reader_of(const uint8_t *bytes, size_t count, const metaprotocol_limits *limits,
                             metaprotocol_error *error) noexcept nogil:
    """A reader of the header in a packet of this length, which ends in ETX."""
    cdef Reader r
    r.bytes = bytes
    r.at = JCE_AT
    r.end = count - 1
    r.field = JCE_AT
    r.max_nesting = limits.max_nesting
    r.error = error
    return r


# What a codec is told besides ------------------------------------------------------------------------------------------

cdef struct Rule:
    uint32_t command
    uint32_t tag
    uint32_t key  # position among the keys


cdef struct Options:
    bint old_results
    size_t rule_count
    Rule *rules


# split, detect ------------------------------------------------------------------------------------------------------------

cdef int32_t vp_split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                      const uint8_t *buf, size_t count, metaprotocol_split *out) noexcept nogil:
    cdef size_t length
    cdef Reader r
    cdef BasicInfo basic
    if buf[0] != STX:
        metaprotocol_fail(&out.error, METAPROTOCOL_BAD_MAGIC, 0, NULL, buf[0], STX)
        return METAPROTOCOL_SPLIT_ERROR
    if count < LENGTH_AT + 4:
        return metaprotocol_need(out, LENGTH_AT + 4 - count)
    length = unsigned(buf + LENGTH_AT, 4)
    if length < MIN_LEN or length > MAX_LEN:
        metaprotocol_fail(&out.error, METAPROTOCOL_BAD_LENGTH, LENGTH_AT, "packet length", length, 0)
        return METAPROTOCOL_SPLIT_ERROR
    if count < length:
        return metaprotocol_need(out, length - count)
    if buf[length - 1] != ETX:
        metaprotocol_fail(&out.error, METAPROTOCOL_BAD_MAGIC, length - 1, NULL, buf[length - 1], ETX)
        return METAPROTOCOL_SPLIT_ERROR
    r = reader_of(buf, length, limits, &out.error)
    if basic_info(&r, &basic) < 0 or leave(&r) < 0 or access_info(&r) < 0:
        return METAPROTOCOL_SPLIT_ERROR
    out.head.frame_len = length
    out.head.header_len = JCE_AT
    if direction == METAPROTOCOL_CLIENT_TO_SERVER:
        out.head.kind = METAPROTOCOL_REQUEST
    else:
        out.head.kind = METAPROTOCOL_RESPONSE if basic.result == 0 else METAPROTOCOL_ERROR
    # Clients that send 0 do not number their requests.
    if basic.seq_id != 0:
        out.head.id_type = METAPROTOCOL_ID_INT
        out.head.request_id = <uint64_t>basic.seq_id
    return METAPROTOCOL_SPLIT_HEAD


cdef int32_t vp_detect(const metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix,
                       size_t count) noexcept nogil:
    cdef uint64_t length
    cdef uint8_t first
    if count > 0 and prefix[0] != STX:
        return METAPROTOCOL_NO
    # The length has 22 bits at most: its first bytes tell.
    if (count > 1 and prefix[1] != 0) or (count > 2 and prefix[2] > MAX_LEN >> 16):
        return METAPROTOCOL_NO
    if count >= LENGTH_AT + 4:
        length = unsigned(prefix + LENGTH_AT, 4)
        if length < MIN_LEN or length > MAX_LEN:
            return METAPROTOCOL_NO
        if count >= length and prefix[length - 1] != ETX:
            return METAPROTOCOL_NO
    if count > JCE_AT and prefix[JCE_AT] != (BASIC_INFO << 4 | STRUCT_BEGIN):
        return METAPROTOCOL_NO
    if count < DETECT_LEN:
        return METAPROTOCOL_NEED_MORE
    first = prefix[JCE_AT + 1]
    return METAPROTOCOL_YES if first <= INT64 or first == ZERO else METAPROTOCOL_NO


# fields -----------------------------------------------------------------------------------------------------------------

cdef struct Walk:
    Reader r
    const metaprotocol_codec *codec
    uint32_t wanted  # ALL_KEYS, or the only key
    metaprotocol_visit visit
    void *visitor
    bint over        # the visitor has what it wants


cdef inline bint wants(Walk *w, uint32_t key) noexcept nogil:
    return w.wanted == ALL_KEYS or w.wanted == key


cdef int tell(Walk *w, uint32_t key, int32_t stop) noexcept nogil:
    w.over = stop != 0 or w.wanted == key
    return 0


cdef int tell_number(Walk *w, uint32_t key, int64_t value) noexcept nogil:
    cdef const char *name = w.codec.keys[key].name
    if not wants(w, key) or w.over:
        return 0
    return tell(w, key, metaprotocol_visit_number(
        w.visit, w.visitor, name, strlen(name), METAPROTOCOL_INT, <uint64_t>value))


cdef int tell_text(Walk *w, uint32_t key, const char *value, size_t count) noexcept nogil:
    cdef const char *name = w.codec.keys[key].name
    cdef metaprotocol_value told
    if not wants(w, key) or w.over:
        return 0
    told.type = METAPROTOCOL_TEXT
    told.number = 0
    told.text = value
    told.len = count
    return tell(w, key, w.visit(w.visitor, name, strlen(name), &told))


cdef int tell_view(Walk *w, uint32_t key, size_t at, size_t count) noexcept nogil:
    cdef const char *name = w.codec.keys[key].name
    if not wants(w, key) or w.over:
        return 0
    return tell(w, key, metaprotocol_visit_view(w.visit, w.visitor, name, strlen(name), at, count))


cdef int number_field(Walk *w, uint32_t tag, uint32_t key, uint32_t widest) noexcept nogil:
    """Tells an optional integer."""
    cdef uint32_t kind = 0
    cdef int64_t value = 0
    cdef int found
    if not wants(w, key) or w.over:
        return 0
    found = find(&w.r, tag, &kind)
    if found != FOUND:
        return found
    if integer(&w.r, kind, widest, &value, w.codec.keys[key].name) < 0:
        return FAILED
    return tell_number(w, key, value)


cdef int text_field(Walk *w, uint32_t tag, uint32_t key) noexcept nogil:
    """Tells an optional string."""
    cdef uint32_t kind = 0
    cdef size_t at = 0
    cdef size_t count = 0
    cdef int found
    if not wants(w, key) or w.over:
        return 0
    found = find(&w.r, tag, &kind)
    if found != FOUND:
        return found
    if text(&w.r, kind, &at, &count, w.codec.keys[key].name) < 0:
        return FAILED
    return tell_view(w, key, at, count)


cdef size_t decimal(int64_t number, char *out) noexcept nogil:
    """The decimal digits of a number that is not negative."""
    cdef char digits[24]
    cdef size_t count = 0
    cdef size_t at
    while True:
        digits[count] = <char>(c'0' + number % 10)
        number //= 10
        count += 1
        if number == 0:
            break
    for at in range(count):
        out[at] = digits[count - 1 - at]
    return count


cdef int tell_basic(Walk *w, BasicInfo *basic) noexcept nogil:
    cdef char digits[24]
    cdef size_t count
    if basic_info(&w.r, basic) < 0:
        return FAILED
    count = decimal(basic.command, digits)
    tell_text(w, KEY_COMMAND, digits, count)
    tell_number(w, KEY_SEQ_ID, basic.seq_id)
    tell_number(w, KEY_REQ_UIN, basic.req_uin)
    tell_number(w, KEY_SERVICE_TYPE, basic.service_type)
    tell_number(w, KEY_VERSION, basic.version)
    tell_number(w, KEY_RESULT, basic.result)
    tell_number(w, KEY_CALLER_ID, basic.caller_id)
    if number_field(w, SUB_CMD, KEY_SUB_CMD, INT32) < 0 or number_field(w, BODY_FLAG, KEY_BODY_FLAG, INT32) < 0:
        return FAILED
    return 0 if w.over else leave(&w.r)


cdef int tell_access(Walk *w) noexcept nogil:
    cdef int found
    if (access_info(&w.r) < 0
            or number_field(w, CLIENT_IP, KEY_CLIENT_IP, INT64) < 0
            or text_field(w, SERVICE_NAME, KEY_SERVICE_NAME) < 0
            or text_field(w, FUNC_NAME, KEY_FUNC_NAME) < 0
            or text_field(w, FROM_INFO, KEY_FROM_INFO) < 0):
        return FAILED
    if not w.over and (w.wanted == ALL_KEYS or KEY_APP_VERSION <= w.wanted <= KEY_CHANNEL_ID):
        found = enter(&w.r, QUA_INFO, "QUAInfo")
        if found == FAILED:
            return FAILED
        if found == FOUND:
            if (text_field(w, QUA_VERSION_NAME, KEY_APP_VERSION) < 0
                    or number_field(w, QUA_PLATFORM, KEY_PLATFORM, INT32) < 0
                    or text_field(w, QUA_CHANNEL_ID, KEY_CHANNEL_ID) < 0
                    or (not w.over and leave(&w.r) < 0)):
                return FAILED
    if text_field(w, GUID, KEY_GUID) < 0 or number_field(w, FLAG, KEY_DYE_FLAG, INT32) < 0:
        return FAILED
    return 0 if w.over else leave(&w.r)


cdef int tell_body(Walk *w, BasicInfo *basic) noexcept nogil:
    """The fields of the body that a rule names for this command, if they are strings or integers."""
    cdef const Options *options = <const Options *>w.codec.context
    cdef uint32_t kind = 0
    cdef size_t at = 0
    cdef size_t count = 0
    cdef size_t number
    cdef int64_t value = 0
    cdef int found
    cdef Reader body
    cdef const Rule *rule
    cdef bint opened = False
    for number in range(options.rule_count):
        rule = &options.rules[number]
        if rule.command != <uint32_t>basic.command or not wants(w, rule.key) or w.over:
            continue
        if not opened:
            found = find(&w.r, BODY, &kind)
            if found != FOUND:
                return found
            if text(&w.r, kind, &at, &count, "body") < 0:
                return FAILED
            body = w.r
            body.at = at
            body.end = at + count
            opened = True
        # Rules of a command are in the order of their tags, as the fields are.
        found = find(&body, rule.tag, &kind)
        if found == FAILED:
            return FAILED
        if found == FOUND:
            if kind == STRING1 or kind == STRING4:
                if text(&body, kind, &at, &count, "body field") < 0:
                    return FAILED
                tell_view(w, rule.key, at, count)
            elif kind <= INT64 or kind == ZERO:
                if integer(&body, kind, INT64, &value, "body field") < 0:
                    return FAILED
                tell_number(w, rule.key, value)
            elif skip(&body, kind) < 0:
                return FAILED
    return 0


cdef int tell_http(Walk *w) noexcept nogil:
    cdef int found = enter(&w.r, HTTP_DATA, "HttpData")
    if found != FOUND:
        return found
    found = enter(&w.r, HTTP_REQUEST, "HttpRequest")
    if found == FAILED:
        return FAILED
    if found == FOUND:
        if (text_field(w, HTTP_URL, KEY_URL) < 0
                or text_field(w, HTTP_HOST, KEY_HOST) < 0
                or (not w.over and leave(&w.r) < 0)):
            return FAILED
    return 0 if w.over else leave(&w.r)


cdef int tell_route(Walk *w, BasicInfo *basic) noexcept nogil:
    """ServerRoute, and the operation's name, which is that of the route if there is one."""
    cdef char name[512]
    cdef uint32_t kind = 0
    cdef uint32_t digit
    cdef size_t server = 0
    cdef size_t server_len = 0
    cdef size_t func = 0
    cdef size_t func_len = 0
    cdef size_t count
    cdef size_t shift
    cdef int found = enter(&w.r, SERVER_ROUTE, "ServerRoute")
    cdef Reader named = w.r
    if found == FAILED:
        return FAILED
    if found == FOUND:
        if (text_field(w, FROM_SERVER, KEY_FROM_SERVER) < 0
                or number_field(w, FROM_SET, KEY_FROM_SET, INT32) < 0
                or text_field(w, TO_SERVER, KEY_TO_SERVER) < 0
                or number_field(w, TO_SET, KEY_TO_SET, INT32) < 0
                or text_field(w, ROUTE_FUNC, KEY_FUNC) < 0
                or text_field(w, ROUTE_FROM_FUNC, KEY_FROM_FUNC) < 0
                or (not w.over and leave(&w.r) < 0)):
            return FAILED
        if w.over or not wants(w, KEY_OPERATION):
            return 0
        found = find(&named, TO_SERVER, &kind)
        if found == FAILED or (found == FOUND and text(&named, kind, &server, &server_len, "to_server") < 0):
            return FAILED
        found = find(&named, ROUTE_FUNC, &kind)
        if found == FAILED or (found == FOUND and text(&named, kind, &func, &func_len, "func") < 0):
            return FAILED
    if not wants(w, KEY_OPERATION) or w.over:
        return 0
    # Names of services are short; a longer one is a name all the same, but no operation to count by.
    if server_len > 0 and server_len + 1 + func_len <= sizeof(name):
        memcpy(name, w.r.bytes + server, server_len)
        name[server_len] = c'/'
        memcpy(name + server_len + 1, w.r.bytes + func, func_len)
        return tell_text(w, KEY_OPERATION, name, server_len + 1 + func_len)
    memcpy(name, "cmd_0x", 6)
    count = 6
    for shift in range(4):
        digit = <uint32_t>(basic.command >> (12 - 4 * shift)) & 0x0f
        if digit or count > 6 or shift == 3:
            name[count] = <char>(c'0' + digit if digit < 10 else c'a' + digit - 10)
            count += 1
    return tell_text(w, KEY_OPERATION, name, count)


cdef int32_t look(Walk *w, bint is_request) noexcept nogil:
    """All fields, or the way to one: what lies behind it is not read."""
    cdef BasicInfo basic
    cdef uint32_t wanted = w.wanted
    cdef uint32_t tag = 0
    cdef uint32_t kind = 0
    if tell_basic(w, &basic) < 0:
        return METAPROTOCOL_FAIL
    if w.over or wanted <= KEY_BODY_FLAG:
        return METAPROTOCOL_OK
    if wanted == ALL_KEYS or wanted <= KEY_DYE_FLAG:
        if tell_access(w) < 0:
            return METAPROTOCOL_FAIL
        if w.over or wanted != ALL_KEYS:
            return METAPROTOCOL_OK
    # Bodies of responses are other structs.
    if wanted >= FIXED_KEYS and is_request and tell_body(w, &basic) < 0:
        return METAPROTOCOL_FAIL
    if w.over or FIXED_KEYS <= wanted != ALL_KEYS:
        return METAPROTOCOL_OK
    if (wanted == ALL_KEYS or wanted <= KEY_HOST) and tell_http(w) < 0:
        return METAPROTOCOL_FAIL
    if w.over or (wanted <= KEY_HOST):
        return METAPROTOCOL_OK
    if tell_route(w, &basic) < 0:
        return METAPROTOCOL_FAIL
    # The rest must be readable too.
    while wanted == ALL_KEYS and not w.over and w.r.at < w.r.end:
        if head(&w.r, &tag, &kind) < 0 or skip(&w.r, kind) < 0:
            return METAPROTOCOL_FAIL
    return METAPROTOCOL_OK


cdef int32_t vp_field(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                      uint32_t key_id, const char *key, size_t key_len, metaprotocol_visit visit, void *visitor,
                      metaprotocol_error *error) noexcept nogil:
    cdef Walk w
    # A frame that `split` did not make.
    if frame.len < MIN_LEN:
        metaprotocol_fail(error, METAPROTOCOL_UNEXPECTED_END, frame.len, "packet header", 0, 0)
        return METAPROTOCOL_FAIL
    if key_id == METAPROTOCOL_NO_KEY:
        return METAPROTOCOL_OK
    w.r = reader_of(frame.bytes, frame.len, limits, error)
    w.codec = codec
    w.wanted = key_id
    w.visit = visit
    w.visitor = visitor
    w.over = False
    return look(&w, frame.head.kind == METAPROTOCOL_REQUEST)


cdef int32_t vp_fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                       metaprotocol_visit visit, void *visitor, metaprotocol_error *error) noexcept nogil:
    return vp_field(codec, frame, limits, ALL_KEYS, NULL, 0, visit, visitor, error)


# rewrite ---------------------------------------------------------------------------------------------------------------

cdef struct Patch:
    size_t at        # in the frame
    size_t old_len   # bytes of the frame that it replaces
    uint8_t new[16]
    size_t new_len
    const void *tail
    size_t tail_len


cdef struct Wish:
    bint is_set
    bint is_removed
    uint32_t edit    # its position among the edits
    int64_t number
    const char *text
    size_t text_len
    char digits[24]


cdef struct Plan:
    Reader r
    Patch patches[MAX_PATCHES]
    size_t count
    Wish wishes[FIXED_KEYS]
    Wish request_id


cdef Patch *patch(Plan *p, size_t at, size_t old_len) noexcept nogil:
    # There are fewer writable fields than places.
    cdef Patch *new = &p.patches[p.count]
    p.count += 1
    new.at = at
    new.old_len = old_len
    new.new_len = 0
    new.tail = NULL
    new.tail_len = 0
    return new


cdef void put(Patch *patch, uint64_t value, size_t count) noexcept nogil:
    cdef size_t at
    for at in range(count):
        patch.new[patch.new_len + at] = <uint8_t>(value >> 8 * (count - 1 - at))
    patch.new_len += count


cdef void put_head(Patch *patch, uint32_t tag, uint32_t kind) noexcept nogil:
    if tag < 15:
        put(patch, tag << 4 | kind, 1)
    else:
        put(patch, (0xf0 | kind) << 8 | tag, 2)


cdef void put_integer(Patch *patch, uint32_t tag, int64_t value) noexcept nogil:
    """In the smallest type that holds it, as all writers do."""
    cdef uint32_t kind = INT64
    if value == 0:
        put_head(patch, tag, ZERO)
        return
    if -128 <= value < 128:
        kind = INT8
    elif -32768 <= value < 32768:
        kind = INT16
    elif INT32_MIN <= value <= INT32_MAX:
        kind = INT32
    put_head(patch, tag, kind)
    put(patch, <uint64_t>value, <size_t>1 << kind)


cdef void put_text(Patch *patch, uint32_t tag, const void *text, size_t count) noexcept nogil:
    put_head(patch, tag, STRING1 if count < 256 else STRING4)
    put(patch, count, 1 if count < 256 else 4)
    patch.tail = text
    patch.tail_len = count


cdef int replace(Plan *p, uint32_t tag, const Wish *wish, bint is_text) noexcept nogil:
    """Plans one field of the struct that the reader is in: replaced, removed, or added where its tag belongs."""
    cdef uint32_t kind = 0
    cdef size_t old_len = 0
    cdef Patch *new
    cdef int found
    if not wish.is_set and not wish.is_removed:
        return 0
    found = find(&p.r, tag, &kind)
    if found == FAILED:
        return FAILED
    if found == FOUND:
        if skip(&p.r, kind) < 0:
            return FAILED
        old_len = p.r.at - p.r.field
    elif wish.is_removed:
        return 0
    new = patch(p, p.r.at - old_len, old_len)
    if wish.is_set:
        if is_text:
            put_text(new, tag, wish.text, wish.text_len)
        else:
            put_integer(new, tag, wish.number)
    return 0


cdef bint parse(const metaprotocol_value *value, int64_t least, int64_t most, int64_t *number) noexcept nogil:
    """A number, or its decimal digits."""
    cdef size_t at = 0
    cdef bint negative
    if value.type == METAPROTOCOL_UINT and value.number > <uint64_t>most:
        return False
    if value.type != METAPROTOCOL_TEXT:
        number[0] = <int64_t>value.number
        return least <= number[0] <= most
    negative = value.len > 0 and value.text[0] == c'-'
    at = 1 if negative else 0
    # Longer than any number of 32 bits.
    if value.len == at or value.len > 12:
        return False
    number[0] = 0
    while at < value.len:
        if not c'0' <= value.text[at] <= c'9':
            return False
        number[0] = number[0] * 10 + (value.text[at] - c'0')
        at += 1
    if negative:
        number[0] = -number[0]
    return least <= number[0] <= most


cdef size_t signed_decimal(const metaprotocol_value *value, char *out) noexcept nogil:
    """The digits of a number of an edit."""
    cdef uint64_t number = value.number
    cdef char digits[24]
    cdef size_t count = 0
    cdef size_t length = 0
    cdef bint negative = value.type == METAPROTOCOL_INT and <int64_t>number < 0
    if negative:
        number = 0 - number
        out[0] = c'-'
        length = 1
    while True:
        digits[count] = <char>(c'0' + number % 10)
        number //= 10
        count += 1
        if number == 0:
            break
    while count > 0:
        count -= 1
        out[length] = digits[count]
        length += 1
    return length


cdef int32_t wish(Plan *p, const metaprotocol_codec *codec, const metaprotocol_edit *edit, uint32_t number,
                  metaprotocol_encode_error *error) noexcept nogil:
    """Notes one edit; a later one of the same key takes its place."""
    cdef uint32_t key = edit.key_id
    cdef int64_t least = INT32_MIN
    cdef int64_t most = INT32_MAX
    cdef Wish *wanted
    if key == METAPROTOCOL_NO_KEY:
        if edit.remove:
            return METAPROTOCOL_OK  # no packet has it
        return metaprotocol_refuse(error, METAPROTOCOL_NOT_WRITABLE, number, "a packet has no place for other keys")
    if not codec.keys[key].writable:
        return metaprotocol_refuse(
            error, METAPROTOCOL_NOT_WRITABLE, number,
            "it is read-only; give a new request_id" if key == KEY_SEQ_ID else "it is read-only")
    wanted = &p.wishes[key]
    wanted.edit = number
    wanted.is_removed = edit.remove != 0
    wanted.is_set = not wanted.is_removed
    if edit.remove:
        if key == KEY_COMMAND or key == KEY_RESULT:
            return metaprotocol_refuse(
                error, METAPROTOCOL_NOT_WRITABLE, number, "every packet must have it; set another value")
        return METAPROTOCOL_OK
    if codec.keys[key].number or key == KEY_COMMAND:
        if key == KEY_COMMAND:
            least = 0
            most = 65535
        if not parse(&edit.value, least, most, &wanted.number):
            return metaprotocol_refuse(
                error, METAPROTOCOL_VALUE_REFUSED, number,
                "a number from 0 to 65535" if key == KEY_COMMAND else "a number of 32 bits")
        return METAPROTOCOL_OK
    if edit.value.type == METAPROTOCOL_TEXT:
        wanted.text = edit.value.text
        wanted.text_len = edit.value.len
    else:
        wanted.text_len = signed_decimal(&edit.value, wanted.digits)
        wanted.text = wanted.digits
    return METAPROTOCOL_OK


cdef int plan_basic(Plan *p) noexcept nogil:
    cdef Wish *command = &p.wishes[KEY_COMMAND]
    cdef Patch *copy
    cdef BasicInfo basic
    cdef Reader start = p.r
    if basic_info(&p.r, &basic) < 0:
        return FAILED
    p.r = start
    if command.is_set:
        # Some writers repeat the command in the fixed header, some leave zeros there.
        if unsigned(p.r.bytes + COMMAND_COPY_AT, 2) != 0:
            copy = patch(p, COMMAND_COPY_AT, 2)
            put(copy, <uint64_t>command.number, 2)
        command.number = <int64_t>(<uint64_t>command.number << 48) >> 48
    if (enter(&p.r, BASIC_INFO, "BasicInfo") < 0
            or replace(p, COMMAND, command, False) < 0
            or replace(p, RESULT, &p.wishes[KEY_RESULT], False) < 0
            or replace(p, SEQ_ID, &p.request_id, False) < 0
            or replace(p, SUB_CMD, &p.wishes[KEY_SUB_CMD], False) < 0):
        return FAILED
    return leave(&p.r)


cdef int plan_rest(Plan *p) noexcept nogil:
    cdef int found
    cdef bint opens
    if (access_info(&p.r) < 0
            or replace(p, SERVICE_NAME, &p.wishes[KEY_SERVICE_NAME], True) < 0
            or replace(p, FUNC_NAME, &p.wishes[KEY_FUNC_NAME], True) < 0
            or replace(p, FROM_INFO, &p.wishes[KEY_FROM_INFO], True) < 0
            or replace(p, GUID, &p.wishes[KEY_GUID], True) < 0
            or leave(&p.r) < 0):
        return FAILED
    opens = (p.wishes[KEY_FROM_SERVER].is_set or p.wishes[KEY_TO_SERVER].is_set
             or p.wishes[KEY_FUNC].is_set or p.wishes[KEY_FROM_FUNC].is_set)
    if not opens and not (p.wishes[KEY_FROM_SERVER].is_removed or p.wishes[KEY_TO_SERVER].is_removed
                          or p.wishes[KEY_FUNC].is_removed or p.wishes[KEY_FROM_FUNC].is_removed):
        return 0
    found = enter(&p.r, SERVER_ROUTE, "ServerRoute")
    if found == FAILED:
        return FAILED
    if found == ABSENT:
        if not opens:
            return 0
        # A whole new struct stands here: nothing of what follows belongs to it.
        p.r.end = p.r.at
        put_head(patch(p, p.r.at, 0), SERVER_ROUTE, STRUCT_BEGIN)
    if (replace(p, FROM_SERVER, &p.wishes[KEY_FROM_SERVER], True) < 0
            or replace(p, TO_SERVER, &p.wishes[KEY_TO_SERVER], True) < 0
            or replace(p, ROUTE_FUNC, &p.wishes[KEY_FUNC], True) < 0
            or replace(p, ROUTE_FROM_FUNC, &p.wishes[KEY_FROM_FUNC], True) < 0):
        return FAILED
    if found == ABSENT:
        put_head(patch(p, p.r.at, 0), 0, STRUCT_END)
    return 0


cdef void pour(Plan *p, size_t length, const metaprotocol_sink *sink) noexcept nogil:
    """The frame with its patches; all but them is borrowed."""
    cdef size_t at = 0
    cdef size_t number
    cdef const Patch *patch
    for number in range(p.count):
        patch = &p.patches[number]
        if sink.borrow(sink.sink, at, patch.at - at) != 0 or sink.write(sink.sink, patch.new, patch.new_len) != 0:
            return
        if patch.tail_len > 0 and sink.write(sink.sink, patch.tail, patch.tail_len) != 0:
            return
        at = patch.at + patch.old_len
    sink.borrow(sink.sink, at, length - at)


cdef int32_t vp_rewrite(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_edits *edits,
                        const metaprotocol_limits *limits, const metaprotocol_sink *sink,
                        metaprotocol_encode_error *error) noexcept nogil:
    cdef Plan p
    cdef size_t number
    cdef uint64_t length
    cdef Patch *patched
    for number in range(<size_t>FIXED_KEYS):
        p.wishes[number].is_set = False
        p.wishes[number].is_removed = False
    p.request_id.is_removed = False
    p.request_id.is_set = edits.has_request_id != 0
    p.request_id.number = <int64_t>edits.request_id
    p.count = 0
    if edits.has_request_id and edits.request_id == 0:
        return metaprotocol_refuse(
            error, METAPROTOCOL_VALUE_REFUSED, METAPROTOCOL_EDIT_REQUEST_ID, "any id but 0, which says that there is none")
    for number in range(edits.edit_count):
        if wish(&p, codec, &edits.edits[number], <uint32_t>number, error) != METAPROTOCOL_OK:
            return METAPROTOCOL_FAIL
    error.kind = METAPROTOCOL_MALFORMED
    if frame.len < MIN_LEN:
        return metaprotocol_fail(
            &error.malformed, METAPROTOCOL_UNEXPECTED_END, frame.len, "packet header", 0, 0)
    p.r = reader_of(frame.bytes, frame.len, limits, &error.malformed)
    patched = patch(&p, LENGTH_AT, 4)
    if plan_basic(&p) < 0 or plan_rest(&p) < 0:
        return METAPROTOCOL_FAIL
    length = frame.len
    for number in range(1, p.count):
        length += p.patches[number].new_len + p.patches[number].tail_len
        length -= p.patches[number].old_len
    if length > MAX_LEN:
        error.kind = METAPROTOCOL_TOO_LONG
        error.len = length
        error.max = MAX_LEN
        return METAPROTOCOL_FAIL
    put(patched, length, 4)
    pour(&p, frame.len, sink)
    return METAPROTOCOL_OK


# reply -----------------------------------------------------------------------------------------------------------------

cdef int64_t result_of(uint32_t what, bint old) noexcept nogil:
    """The Result that says why."""
    if old:
        return RESULT_FORBIDDEN if what == METAPROTOCOL_OVER_LIMIT else RESULT_FAILURE
    if what == METAPROTOCOL_ROUTE_NOT_FOUND:
        return RESULT_DELIVERY_FAILED
    if what == METAPROTOCOL_OVER_LIMIT:
        return RESULT_INTERFACE_OVER_RATE
    if what == METAPROTOCOL_TIMEOUT:
        return RESULT_PROXY_TIMEOUT
    return RESULT_FAILURE


cdef int32_t vp_reply(const metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what,
                      const char *message, size_t message_len, const metaprotocol_sink *sink,
                      metaprotocol_encode_error *error) noexcept nogil:
    """BasicInfo of the request with a Result, and the other parts that every packet has, empty. There is no place for words."""
    cdef const Options *options = <const Options *>codec.context
    cdef uint8_t[7] rest = [ACCESS_INFO << 4 | STRUCT_BEGIN, STRUCT_END, 0x29, 0x0c, 0x36, 0x00, ETX]
    cdef metaprotocol_limits limits
    cdef Plan p
    cdef BasicInfo basic
    cdef Wish result
    cdef Patch *patched
    cdef Patch *copy
    cdef size_t end
    if request.head.kind != METAPROTOCOL_REQUEST or what == METAPROTOCOL_ANSWER_HEARTBEAT:
        return metaprotocol_refuse(error, METAPROTOCOL_NO_REPLY, 0, "requests are answered with errors, and nothing else is")
    error.kind = METAPROTOCOL_MALFORMED
    if request.len < MIN_LEN:
        return metaprotocol_fail(
            &error.malformed, METAPROTOCOL_UNEXPECTED_END, request.len, "packet header", 0, 0)
    limits.max_nesting = MAX_DEPTH
    p.r = reader_of(request.bytes, request.len, &limits, &error.malformed)
    p.count = 0
    result.is_set = True
    result.is_removed = False
    result.number = result_of(what, options.old_results)
    patched = patch(&p, LENGTH_AT, 4)
    copy = patch(&p, COMMAND_COPY_AT, 2)
    if basic_info(&p.r, &basic) < 0:
        return METAPROTOCOL_FAIL
    p.r.at = JCE_AT
    if (enter(&p.r, BASIC_INFO, "BasicInfo") < 0 or replace(&p, RESULT, &result, False) < 0 or leave(&p.r) < 0):
        return METAPROTOCOL_FAIL
    end = p.r.at
    put(patched, end + p.patches[2].new_len - p.patches[2].old_len + sizeof(rest), 4)
    put(copy, <uint64_t>basic.command, 2)
    pour(&p, end, sink)
    sink.write(sink.sink, rest, sizeof(rest))
    return METAPROTOCOL_OK


# The tables -------------------------------------------------------------------------------------------------------------

cdef metaprotocol_key KEYS[FIXED_KEYS]
cdef const char *ALIASES[2]
cdef list _kept = []  # texts that tables point to


cdef void key(uint32_t at, const char *name, const char *about, bint writable, bint number) noexcept:
    KEYS[at].name = name
    KEYS[at].about = about
    KEYS[at].writable = writable
    KEYS[at].number = number


key(KEY_COMMAND, "command", "the command, in decimal", True, False)
key(KEY_SEQ_ID, "seq_id", "the number of the request; 0 if the client does not number them", False, True)
key(KEY_REQ_UIN, "req_uin", "the user; 2112 is nobody who is logged in", False, True)
key(KEY_SERVICE_TYPE, "service_type", "the type of the service", False, True)
key(KEY_VERSION, "version", "the version of BasicInfo", False, True)
key(KEY_RESULT, "result", "0 is success; anything else in a response is an error", True, True)
key(KEY_CALLER_ID, "caller_id", "who calls", False, True)
key(KEY_SUB_CMD, "sub_cmd", "the command below the command", True, True)
key(KEY_BODY_FLAG, "body_flag", "1 for merged commands, 2 for requests that may be sent again", False, True)
key(KEY_CLIENT_IP, "client_ip", "the client's IPv4 address as a number", False, True)
key(KEY_SERVICE_NAME, "service_name", "the service that is called, as AccessInfo has it", True, False)
key(KEY_FUNC_NAME, "func_name", "the function that is called, as AccessInfo has it", True, False)
key(KEY_FROM_INFO, "from_info", "where the request comes from", True, False)
key(KEY_APP_VERSION, "app_version", "the version of the app", False, False)
key(KEY_PLATFORM, "platform", "the platform of the app", False, True)
key(KEY_CHANNEL_ID, "channel_id", "the channel that the app was installed from", False, False)
key(KEY_GUID, "guid", "the device", True, False)
key(KEY_DYE_FLAG, "dye_flag", "1 for dyed requests", False, True)
key(KEY_URL, "url", "the URL of the HTTP request that became this one", False, False)
key(KEY_HOST, "host", "the host of that HTTP request", False, False)
key(KEY_FROM_SERVER, "from_server", "the server that calls", True, False)
key(KEY_FROM_SET, "from_set", "the set of the server that calls", False, True)
key(KEY_TO_SERVER, "to_server", "the server that is called", True, False)
key(KEY_TO_SET, "to_set", "the set of the server that is called", False, True)
key(KEY_FUNC, "func", "the function that is called", True, False)
key(KEY_FROM_FUNC, "from_func", "the function that calls", True, False)
key(KEY_OPERATION, "operation", "to_server/func, or cmd_0x and the command where there is no route", False, False)

ALIASES[0] = "aeraki.meta_protocol.codec.videopacket"
ALIASES[1] = NULL


def capsule(*, str name="videopacket", dict body=None, bint old_results=False):
    """A capsule with a VideoPacket codec of your own, for an entry point or for `metaprotocol.load_codec("module:attribute")`.

    Args:
        name: The codec's name. Only `videopacket` has the alias of MetaProtocol Proxy.
        body: Which fields of a request's body become metadata: for each command, tags and the keys they go by. The
            default is that of MetaProtocol Proxy, `{24608: {0: "channelId", 1: "scene"}}`.
        old_results: Whether error replies carry the results of MetaProtocol Proxy, 5 for OVER_LIMIT and 1 for everything
            else.

    Raises:
        ValueError: If a command is no number of 16 bits, or a tag none of 8.
    """
    if body is None:
        body = {24608: {0: "channelId", 1: "scene"}}
    cdef list rules = []
    cdef list names = []
    for command, tags in sorted(body.items()):
        for tag, label in sorted(tags.items()):
            if not 0 <= command <= 65535 or not 0 <= tag <= 255:
                raise ValueError(f"body: commands have 16 bits and tags 8, got command {command} and tag {tag}")
            if label not in names:
                names.append(label)
            rules.append((command, tag, FIXED_KEYS + names.index(label)))
    # Never freed: hosts use a codec for as long as the process lives.
    cdef metaprotocol_codec *codec = <metaprotocol_codec *>calloc(1, sizeof(metaprotocol_codec))
    cdef Options *options = <Options *>calloc(1, sizeof(Options))
    cdef metaprotocol_key *keys = <metaprotocol_key *>calloc(FIXED_KEYS + len(names), sizeof(metaprotocol_key))
    cdef Rule *list_of = <Rule *>calloc(len(rules) + 1, sizeof(Rule))
    if codec == NULL or options == NULL or keys == NULL or list_of == NULL:
        raise MemoryError
    cdef size_t at
    for at, (command, tag, position) in enumerate(rules):
        list_of[at].command = command
        list_of[at].tag = tag
        list_of[at].key = position
    options.old_results = old_results
    options.rules = list_of
    options.rule_count = len(rules)
    memcpy(keys, KEYS, sizeof(KEYS))
    cdef bytes label_bytes
    for at, label in enumerate(names):
        label_bytes = label.encode()
        _kept.append(label_bytes)
        keys[FIXED_KEYS + at].name = label_bytes
        keys[FIXED_KEYS + at].about = "a field of the body of a request"
    cdef bytes name_bytes = name.encode()
    _kept.append(name_bytes)
    codec.context = options
    codec.name = name_bytes
    codec.summary = "VideoPacket, Tencent Video's service protocol, with JCE headers"
    codec.aliases = ALIASES if name == "videopacket" else NULL
    codec.keys = keys
    codec.key_count = FIXED_KEYS + len(names)
    codec.min_header_len = JCE_AT
    codec.pair_by = METAPROTOCOL_PAIR_BY_ID
    codec.sharing = METAPROTOCOL_MULTIPLEXED
    codec.split = vp_split
    codec.fields = vp_fields
    codec.field = vp_field
    codec.rewrite = vp_rewrite
    codec.reply = vp_reply
    codec.detect = vp_detect
    return codec_capsule(codec)


codec = capsule()
