/* A codec that looks whether its thread holds Python's GIL. A frame: 8 bytes, of which the last 4 are the id. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <metaprotocol_codec.h>

static int (*holds_gil)(void);
static const metaprotocol_key KEYS[] = {{"gil", "1 if split was called with the GIL", 0, 1, {0}},
                                        {"seen", "frames of this connection before", 0, 1, {0}}};

typedef struct {
    uint32_t seen;
} connection;

static connection connections[64];
static int used[64];

static void *state_new(const metaprotocol_codec *codec) {
    (void)codec;
    for (int at = 0; at < 64; at++) {
        if (__sync_bool_compare_and_swap(&used[at], 0, 1)) {
            connections[at].seen = 0;
            return &connections[at];
        }
    }
    return 0;
}

static void state_free(const metaprotocol_codec *codec, void *state) {
    (void)codec;
    __sync_lock_release(&used[(connection *)state - connections]);
}

static int32_t split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                     const uint8_t *buf, size_t len, metaprotocol_split *out) {
    (void)codec, (void)direction, (void)limits;
    connection *mine = state;
    if (!mine) {
        metaprotocol_fail(&out->error, METAPROTOCOL_FAILED, 0, "too many connections", 0, 0);
        return METAPROTOCOL_SPLIT_ERROR;
    }
    if (len < 8) return metaprotocol_need(out, 8 - len);
    out->head.frame_len = 8;
    out->head.header_len = 8;
    out->head.id_type = METAPROTOCOL_ID_BYTES;
    out->head.id_at = 4;
    out->head.id_len = 4;
    out->head.variant = mine->seen++ << 1 | (uint32_t)holds_gil();
    (void)buf;
    return METAPROTOCOL_SPLIT_HEAD;
}

static int32_t fields(const metaprotocol_codec *codec, const metaprotocol_frame *frame, const metaprotocol_limits *limits,
                      metaprotocol_visit visit, void *visitor, metaprotocol_error *error) {
    (void)codec, (void)limits, (void)error;
    if (metaprotocol_visit_number(visit, visitor, "gil", 3, METAPROTOCOL_UINT, frame->head.variant & 1)) return 0;
    metaprotocol_visit_number(visit, visitor, "seen", 4, METAPROTOCOL_UINT, frame->head.variant >> 1);
    return METAPROTOCOL_OK;
}

METAPROTOCOL_EXPORT const metaprotocol_codec *const *metaprotocol_codecs_v1(void) {
    static const metaprotocol_codec codec = {
        .abi_version = METAPROTOCOL_ABI_VERSION, .struct_size = sizeof(metaprotocol_codec), .name = "gil",
        .keys = KEYS, .key_count = 2, .state_new = state_new, .state_free = state_free, .split = split, .fields = fields};
    static const metaprotocol_codec *const codecs[] = {&codec, 0};
    *(void **)&holds_gil = dlsym(RTLD_DEFAULT, "PyGILState_Check");
    return codecs;
}
