/* Libraries that must not load: one of them for each value of CASE. */
#include <metaprotocol_codec.h>
#include <string.h>

static int32_t split(const metaprotocol_codec *codec, void *state, uint32_t direction, const metaprotocol_limits *limits,
                     const uint8_t *buf, size_t len, metaprotocol_split *out) {
    (void)codec, (void)state, (void)direction, (void)limits, (void)buf, (void)len, (void)out;
    return 0;
}

static void *state_new(const metaprotocol_codec *codec) {
    (void)codec;
    return 0;
}

static metaprotocol_codec codec = {.abi_version = 1, .struct_size = sizeof(metaprotocol_codec), .name = "bad", .split = split};
static metaprotocol_codec other = {.abi_version = 1, .struct_size = sizeof(metaprotocol_codec), .name = "bad", .split = split};
static metaprotocol_key keys[] = {{"one", "the first", 0, 0, {0}}, {"one", "the second", 0, 0, {0}}};
static const char *aliases[100];
static char unaligned[sizeof(metaprotocol_codec) + 16];

#ifdef LIST
const metaprotocol_codec *const *metaprotocol_codecs_v1(void) {
    static const metaprotocol_codec *codecs[300] = {&codec};
    switch (LIST) {
    case 1: codec.abi_version = 7; break;
    case 2: codec.struct_size = 16; break;
    case 3: codec.split = 0; break;
    case 4: codec.name = 0; break;
    case 5: codec.name = "Bad"; break;
    case 6: codec.name = "two words"; break;
    case 7: codec.name = ""; break;
    case 8: codec.name = "caf\xc3\xa9"; break;
    case 9: codec.name = "a-name-that-goes-on-and-on-as-if-somebody-had-forgotten-the-NUL-at-its-end"; break;
    case 10: codec.summary = "\xff\xfe"; break;
    case 11: codec.pair_by = 4; break;
    case 12: codec.sharing = 3; break;
    case 13: codec.first_speaker = 2; break;
    case 14: codec.key_count = 2; break;
    case 15: codec.key_count = 2, codec.keys = keys; break;
    case 16: codec.key_count = 1000000, codec.keys = keys; break;
    case 17: codec.state_new = state_new; break;
    case 18: codec.min_header_len = 0x7fffffff; break;
    case 19:
        for (int at = 0; at < 100; at++) aliases[at] = "other";
        codec.aliases = aliases;
        break;
    case 20: return 0;
    case 21: codecs[0] = 0; break;
    case 22: codecs[1] = &other; break;
    case 23:
        memcpy(unaligned + 3, &codec, sizeof codec);
        codecs[0] = (const metaprotocol_codec *)(unaligned + 3);
        break;
    case 24:
        for (int at = 0; at < 300; at++) {
            static metaprotocol_codec many[300];
            static char names[300][8];
            many[at] = codec;
            memcpy(names[at], "many", 5);
            names[at][4] = (char)('a' + at / 26), names[at][5] = (char)('a' + at % 26);
            many[at].name = names[at];
            codecs[at] = &many[at];
        }
        break;
    case 25: codec.key_count = 1, codec.keys = keys, keys[0].name = 0; break;
    }
    return codecs;
}
#else
const metaprotocol_codec *const *another_symbol(void) {
    (void)split, (void)state_new, (void)other, (void)keys, (void)aliases, (void)unaligned;
    return (const metaprotocol_codec *const *)&codec;
}
#endif
