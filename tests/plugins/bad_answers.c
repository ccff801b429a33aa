/*
 * Codecs of one protocol, each with one mistake, named by it. A frame: its length in one byte, itself included; type, which is
 * the key; the rest. The codec "fine" has none.
 */
#include <metaprotocol_codec.h>
#include <string.h>

#define MISTAKES(X)                                                                                                    \
    X(fine) X(split_no_result) X(split_need_0) X(split_need_all) X(split_kind) X(split_frame_len_0)                    \
    X(split_header_longer) X(split_frame_len_max) X(split_id_outside) X(split_id_wraps) X(split_id_type)               \
    X(error_reason) X(error_nameless) X(error_beyond) X(error_limit) X(error_code) X(error_codeless) X(error_endless)  \
    X(error_failed) X(fields_view_outside) X(fields_view_wraps) X(fields_text_null) X(fields_type) X(fields_key_null)  \
    X(fields_value_null) X(fields_endless) X(fields_no_result) X(fields_never_stops) X(fields_beyond)                  \
    X(rewrite_borrow_outside) X(rewrite_borrow_wraps) X(rewrite_write_null) X(rewrite_endless)                         \
    X(rewrite_endless_borrow) X(rewrite_nothing) X(rewrite_no_result) X(rewrite_no_edit) X(rewrite_textless)           \
    X(rewrite_kind) X(rewrite_crumbs) X(reply_no_result) X(reply_endless) X(reply_nothing) X(detect_no_result)         \
    X(nothing_but_split)

#define AS_NUMBER(name) name,
#define AS_NAME(name) #name,
enum { MISTAKES(AS_NUMBER) COUNT };
static const char *const NAMES[] = {MISTAKES(AS_NAME)};
static int numbers[COUNT];

static int mistake_of(const metaprotocol_codec *codec) { return *(const int *)codec->context; }

static int32_t split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                     const uint8_t *buf, size_t len, metaprotocol_split *out) {
    (void)state, (void)direction, (void)limits, (void)len;
    static char endless[1000];
    metaprotocol_error *error = &out->error;
    out->head.frame_len = buf[0];
    out->head.header_len = 1;
    switch (mistake_of(codec)) {
    case split_no_result: return 17;
    case split_need_0: return metaprotocol_need(out, 0);
    case split_need_all: return metaprotocol_need(out, UINT64_MAX);
    case split_kind: out->head.kind = 10; break;
    case split_frame_len_0: out->head.frame_len = 0; break;
    case split_header_longer: out->head.header_len = buf[0] + 1; break;
    case split_frame_len_max: out->head.frame_len = UINT64_MAX; break;
    case split_id_outside: out->head.id_type = 2, out->head.id_at = 3, out->head.id_len = buf[0]; break;
    case split_id_wraps: out->head.id_type = 2, out->head.id_at = UINT32_MAX, out->head.id_len = UINT32_MAX; break;
    case split_id_type: out->head.id_type = 3; break;
    case error_reason: error->reason = 99; return METAPROTOCOL_SPLIT_ERROR;
    case error_nameless: error->reason = METAPROTOCOL_BAD_VALUE, error->name = 0; return METAPROTOCOL_SPLIT_ERROR;
    case error_beyond: metaprotocol_fail(error, METAPROTOCOL_BAD_MAGIC, len + 1, 0, 1, 2); return METAPROTOCOL_SPLIT_ERROR;
    case error_limit:
        metaprotocol_fail(error, METAPROTOCOL_LIMIT_EXCEEDED, 0, "max_patience", 1, 2);
        return METAPROTOCOL_SPLIT_ERROR;
    case error_code:
        metaprotocol_fail(error, METAPROTOCOL_CUSTOM, 0, "words", 0, 0);
        error->code = "Not A Code";
        return METAPROTOCOL_SPLIT_ERROR;
    case error_codeless: metaprotocol_fail(error, METAPROTOCOL_CUSTOM, 0, "words", 0, 0); return METAPROTOCOL_SPLIT_ERROR;
    case error_endless:
        memset(endless, 'x', sizeof endless);
        metaprotocol_fail(error, METAPROTOCOL_BAD_ENCODING, 0, endless, 0, 0);
        return METAPROTOCOL_SPLIT_ERROR;
    case error_failed:
        metaprotocol_fail(error, METAPROTOCOL_FAILED, 0, "out of acorns", 0, 0);
        return METAPROTOCOL_SPLIT_ERROR;
    }
    return METAPROTOCOL_SPLIT_HEAD;
}

static int32_t fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                      metaprotocol_visit visit, void *visitor, metaprotocol_error *error) {
    (void)limits;
    metaprotocol_value value = {METAPROTOCOL_VIEW, 0, 1, 0, 1};
    switch (mistake_of(codec)) {
    case fields_view_outside: value.len = frame->len; break;
    case fields_view_wraps: value.number = UINT64_MAX; break;
    case fields_text_null: value.type = METAPROTOCOL_TEXT; break;
    case fields_type: value.type = 5; break;
    case fields_key_null: visit(visitor, 0, 4, &value); return METAPROTOCOL_OK;
    case fields_value_null: visit(visitor, "type", 4, 0); return METAPROTOCOL_OK;
    case fields_endless: while (visit(visitor, "type", 4, &value) == 0) {} return METAPROTOCOL_OK;
    case fields_no_result: return 3;
    case fields_never_stops:
        for (int again = 0; again < 1000000; again++) visit(visitor, "type", 4, &value);
        return METAPROTOCOL_OK;
    case fields_beyond: return metaprotocol_fail(error, METAPROTOCOL_BAD_ENCODING, frame->len + 1, "type", 0, 0);
    }
    visit(visitor, "type", 4, &value);
    return METAPROTOCOL_OK;
}

static int32_t rewrite(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_edits *edits,
                       const metaprotocol_limits *limits, const metaprotocol_sink *sink,
                       metaprotocol_encode_error *error) {
    (void)edits, (void)limits;
    switch (mistake_of(codec)) {
    case rewrite_borrow_outside: sink->borrow(sink->sink, 1, frame->len); return METAPROTOCOL_OK;
    case rewrite_borrow_wraps: sink->borrow(sink->sink, UINT64_MAX, 2); return METAPROTOCOL_OK;
    case rewrite_write_null: sink->write(sink->sink, 0, 5); return METAPROTOCOL_OK;
    case rewrite_endless: while (sink->write(sink->sink, "0123456789abcdef", 16) == 0) {} return METAPROTOCOL_OK;
    case rewrite_endless_borrow: while (sink->borrow(sink->sink, 0, frame->len) == 0) {} return METAPROTOCOL_OK;
    case rewrite_nothing: sink->write(sink->sink, "", 0); return METAPROTOCOL_OK;
    case rewrite_no_result: return -1;
    case rewrite_no_edit: return metaprotocol_refuse(error, METAPROTOCOL_NOT_WRITABLE, 77, "no");
    case rewrite_textless: return metaprotocol_refuse(error, METAPROTOCOL_NOT_WRITABLE, 0, 0);
    case rewrite_kind: return metaprotocol_refuse(error, 9, 0, "no");
    case rewrite_crumbs:
        for (int again = 0; again < 5000; again++) {
            sink->borrow(sink->sink, 1, 1);
            sink->write(sink->sink, "-", 1);
        }
        return METAPROTOCOL_OK;
    }
    sink->borrow(sink->sink, 0, frame->len);
    return METAPROTOCOL_OK;
}

static int32_t reply(const metaprotocol_codec *codec, const metaprotocol_frame *request, uint32_t what,
                     const char *message, size_t message_len, const metaprotocol_sink *sink,
                     metaprotocol_encode_error *error) {
    (void)request, (void)what, (void)error;
    switch (mistake_of(codec)) {
    case reply_no_result: return 3;
    case reply_endless: while (sink->write(sink->sink, message, message_len) == 0) {} return METAPROTOCOL_OK;
    case reply_nothing: return METAPROTOCOL_OK;
    }
    sink->write(sink->sink, "\2x", 2);
    return METAPROTOCOL_OK;
}

static int32_t detect(const metaprotocol_codec *codec, uint32_t direction, const uint8_t *prefix, size_t len) {
    (void)direction, (void)prefix, (void)len;
    return mistake_of(codec) == detect_no_result ? 42 : METAPROTOCOL_YES;
}

METAPROTOCOL_EXPORT const metaprotocol_codec *const *metaprotocol_codecs_v1(void) {
    static metaprotocol_codec codecs[COUNT];
    static const metaprotocol_codec *list[COUNT + 1];
    for (int number = 0; number < COUNT; number++) {
        metaprotocol_codec *codec = &codecs[number];
        numbers[number] = number;
        codec->abi_version = METAPROTOCOL_ABI_VERSION;
        codec->struct_size = sizeof *codec;
        codec->context = &numbers[number];
        codec->name = NAMES[number];
        codec->split = split;
        if (number != nothing_but_split) {
            codec->fields = fields;
            codec->rewrite = rewrite;
            codec->reply = reply;
            codec->detect = detect;
        }
        list[number] = codec;
    }
    return list;
}
