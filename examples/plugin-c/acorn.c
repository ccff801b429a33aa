/*
 * Acorn as a compiled plugin, the smallest useful one. The same protocol in Python: docs/tutorial/first-codec.md.
 *
 *  0    2      3             4            8             12       12+n
 *  +----+------+-------------+------------+-------------+--------+------
 *  | AC | type | n = topic's | request id | body length | topic  | body      all numbers big-endian
 *  |    |      | length      |            |             |        |
 *  +----+------+-------------+------------+-------------+--------+------
 *         1 request, 2 response, 3 error, 4 ping, 5 pong
 */
#include <metaprotocol_codec.h>
#include <string.h>

enum { HEADER_LEN = 12, TYPE_AT = 2, ID_AT = 4, BODY_LEN_AT = 8 };
enum { REQUEST = 1, RESPONSE, ERROR, PING, PONG };

static const uint8_t KINDS[] = {0, METAPROTOCOL_REQUEST, METAPROTOCOL_RESPONSE, METAPROTOCOL_ERROR,
                                METAPROTOCOL_HEARTBEAT, METAPROTOCOL_HEARTBEAT};
static const metaprotocol_key KEYS[] = {{"topic", "what the message is about", 1, 0, {0}}};
static const char *const PINGS_AND_REQUESTS = "requests are answered with errors, pings with pongs";

static uint32_t read_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t number) {
    for (int byte = 0; byte < 4; byte++) at[byte] = (uint8_t)(number >> (24 - 8 * byte));
}

static int32_t acorn_split(const metaprotocol_codec *codec, void *state, uint32_t direction,
                           const metaprotocol_limits *limits, const uint8_t *buf, size_t len, metaprotocol_split *out) {
    (void)codec, (void)state, (void)direction, (void)limits;
    for (size_t at = 0; at < 2 && at < len; at++) {
        if (buf[at] != "AC"[at]) {
            metaprotocol_fail(&out->error, METAPROTOCOL_BAD_MAGIC, at, NULL, buf[at], (uint8_t)"AC"[at]);
            return METAPROTOCOL_SPLIT_ERROR;
        }
    }
    if (len < HEADER_LEN) return metaprotocol_need(out, HEADER_LEN - len);
    uint8_t type = buf[TYPE_AT];
    if (type < REQUEST || type > PONG) {
        metaprotocol_fail(&out->error, METAPROTOCOL_BAD_VALUE, TYPE_AT, "type", type, 0);
        return METAPROTOCOL_SPLIT_ERROR;
    }
    out->head.kind = KINDS[type];
    out->head.id_type = METAPROTOCOL_ID_INT;
    out->head.request_id = read_u32(buf + ID_AT);
    out->head.header_len = HEADER_LEN + buf[3];
    /* The host compares it with its limits before anything waits for so many bytes. */
    out->head.frame_len = (uint64_t)out->head.header_len + read_u32(buf + BODY_LEN_AT);
    return METAPROTOCOL_SPLIT_HEAD;
}

static int32_t acorn_fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame,
                            const metaprotocol_limits *limits, metaprotocol_visit visit, void *visitor,
                            metaprotocol_error *error) {
    (void)codec, (void)limits, (void)error;
    if (frame->head.header_len > HEADER_LEN)
        metaprotocol_visit_view(visit, visitor, "topic", 5, HEADER_LEN, frame->head.header_len - HEADER_LEN);
    return METAPROTOCOL_OK;
}

static int32_t acorn_rewrite(const metaprotocol_codec *codec, const metaprotocol_frame *frame,
                             const metaprotocol_edits *edits, const metaprotocol_limits *limits,
                             const metaprotocol_sink *sink, metaprotocol_encode_error *error) {
    (void)codec, (void)limits;
    uint8_t header[HEADER_LEN];
    const uint8_t *topic = frame->bytes + HEADER_LEN;
    uint64_t topic_len = frame->head.header_len - HEADER_LEN;
    char digits[24];

    for (size_t at = 0; at < edits->edit_count; at++) {
        const metaprotocol_edit *edit = &edits->edits[at];
        if (edit->remove) {
            if (edit->key_id == 0) topic_len = 0;
            continue;
        }
        if (edit->key_id != 0)
            return metaprotocol_refuse(error, METAPROTOCOL_NOT_WRITABLE, (uint32_t)at,
                                       "an acorn has a topic and nothing else");
        topic = (const uint8_t *)edit->value.text;
        topic_len = edit->value.len;
        if (edit->value.type != METAPROTOCOL_TEXT) { /* a number, in decimal digits */
            int negative = edit->value.type == METAPROTOCOL_INT && (int64_t)edit->value.number < 0;
            uint64_t rest = negative ? 0 - edit->value.number : edit->value.number;
            char *first = digits + sizeof digits;
            do *--first = (char)('0' + rest % 10); while (rest /= 10);
            if (negative) *--first = '-';
            topic = (const uint8_t *)first;
            topic_len = (uint64_t)(digits + sizeof digits - first);
        }
        if (topic_len > 255)
            return metaprotocol_refuse(error, METAPROTOCOL_VALUE_REFUSED, (uint32_t)at, "at most 255 bytes");
    }
    memcpy(header, frame->bytes, HEADER_LEN);
    header[3] = (uint8_t)topic_len;
    if (edits->has_request_id) {
        if (edits->request_id > UINT32_MAX)
            return metaprotocol_refuse(error, METAPROTOCOL_VALUE_REFUSED, METAPROTOCOL_EDIT_REQUEST_ID,
                                       "an id of 32 bits");
        write_u32(header + ID_AT, (uint32_t)edits->request_id);
    }
    /* The body is borrowed: it goes out from where it is. */
    sink->write(sink->sink, header, HEADER_LEN);
    sink->write(sink->sink, topic, (size_t)topic_len);
    sink->borrow(sink->sink, frame->head.header_len, frame->len - frame->head.header_len);
    return METAPROTOCOL_OK;
}

static int32_t acorn_reply(const metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what,
                           const char *message, size_t message_len, const metaprotocol_sink *sink,
                           metaprotocol_encode_error *error) {
    (void)codec;
    uint8_t header[HEADER_LEN] = {'A', 'C'};
    int heartbeat = what == METAPROTOCOL_ANSWER_HEARTBEAT;

    if (heartbeat ? request->bytes[TYPE_AT] != PING : request->bytes[TYPE_AT] != REQUEST)
        return metaprotocol_refuse(error, METAPROTOCOL_NO_REPLY, 0, PINGS_AND_REQUESTS);
    header[TYPE_AT] = heartbeat ? PONG : ERROR;
    memcpy(header + ID_AT, request->bytes + ID_AT, 4);
    if (heartbeat) message_len = 0;
    write_u32(header + BODY_LEN_AT, (uint32_t)message_len);
    sink->write(sink->sink, header, HEADER_LEN);
    sink->write(sink->sink, message, message_len);
    return METAPROTOCOL_OK;
}

static int32_t acorn_detect(const metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix, size_t len) {
    (void)codec, (void)direction;
    if (memcmp(prefix, "AC", len < 2 ? len : 2) != 0) return METAPROTOCOL_NO;
    return len < 2 ? METAPROTOCOL_NEED_MORE : METAPROTOCOL_YES;
}

static const metaprotocol_codec ACORN = {
    .abi_version = METAPROTOCOL_ABI_VERSION,
    .struct_size = sizeof(metaprotocol_codec),
    .name = "acorn",
    .summary = "Acorn, our own protocol",
    .keys = KEYS,
    .key_count = 1,
    .min_header_len = HEADER_LEN,
    .pair_by = METAPROTOCOL_PAIR_BY_ID,
    .sharing = METAPROTOCOL_MULTIPLEXED,
    .heartbeats = 1,
    .split = acorn_split,
    .fields = acorn_fields,
    .rewrite = acorn_rewrite,
    .reply = acorn_reply,
    .detect = acorn_detect,
};

const metaprotocol_codec *const *metaprotocol_codecs_v1(void) {
    static const metaprotocol_codec *const codecs[] = {&ACORN, NULL};
    return codecs;
}
