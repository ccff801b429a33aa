/*
 * A plugin with one fault, for the fuzzer to find: -DFAULT=1 reads beyond the end, 2 gives up, 3 never comes back, 0 is right.
 *
 *  0   1      2             3      3+n
 *  F   type   n = length    body
 */
#include <metaprotocol_codec.h>
#include <stdlib.h>

enum { HEADER_LEN = 3 };

static int32_t split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                     const uint8_t *buf, size_t len, metaprotocol_split *out) {
    (void)codec, (void)state, (void)direction, (void)limits;
    if (buf[0] != 'F') {
        metaprotocol_fail(&out->error, METAPROTOCOL_BAD_MAGIC, 0, NULL, buf[0], 'F');
        return METAPROTOCOL_SPLIT_ERROR;
    }
    if (len < HEADER_LEN) return metaprotocol_need(out, HEADER_LEN - len);
    if (FAULT == 2 && buf[1] == 0x40) abort();
    for (volatile int turns = 0; FAULT == 3 && buf[1] == 0x40; turns++) {
    }
    out->head.kind = METAPROTOCOL_ONEWAY;
    out->head.header_len = HEADER_LEN;
    out->head.frame_len = HEADER_LEN + buf[2];
    return METAPROTOCOL_SPLIT_HEAD;
}

static int32_t fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                      metaprotocol_visit visit, void *visitor, metaprotocol_error *error) {
    (void)codec, (void)limits, (void)error;
    uint64_t sum = 0;
    /* The first byte of the body says how many there are, and who believes it reads on. */
    uint64_t count = frame->len > HEADER_LEN ? frame->bytes[HEADER_LEN] : 0;
    for (uint64_t at = 0; at < count && (FAULT == 1 || HEADER_LEN + at < frame->len); at++)
        sum += frame->bytes[HEADER_LEN + at];
    metaprotocol_visit_number(visit, visitor, "sum", 3, METAPROTOCOL_UINT, sum);
    return METAPROTOCOL_OK;
}

static const metaprotocol_key KEYS[] = {{"sum", "of the bytes", 0, 1, {0}}};
static const metaprotocol_codec FAULTY = {
    .abi_version = METAPROTOCOL_ABI_VERSION,
    .struct_size = sizeof(metaprotocol_codec),
    .name = "faulty",
    .keys = KEYS,
    .key_count = 1,
    .min_header_len = HEADER_LEN,
    .pair_by = METAPROTOCOL_PAIR_BY_NONE,
    .split = split,
    .fields = fields,
};
static const metaprotocol_codec *const CODECS[] = {&FAULTY, NULL};

const metaprotocol_codec *const *metaprotocol_codecs_v1(void) { return CODECS; }
