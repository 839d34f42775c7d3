/* What the codec benchmark's driver and its adapters say to each other.
 *
 * An adapter is a shared object of its own, loaded with dlopen so that two libraries which export the same names
 * (libcbor and TinyCBOR do) never meet. It exports one array, `bench_peers`, ended by an entry without a name: one
 * entry for each codec the library speaks. An entry is measured on every input; an operation it does not have is
 * NULL.
 *
 * Fairness is the adapter's duty: the library's fastest documented way, its parser, pool or buffer made once in
 * `open` and used again, nothing but the library's own work inside an operation. What a library needs to encode is
 * made in `open` too: its own document where it has one, else the flat events of the input, which cost next to
 * nothing to step through. */
#ifndef BENCH_CODEC_H
#define BENCH_CODEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bench_codec { BENCH_JSON, BENCH_CBOR, BENCH_BSON, BENCH_SMILE, BENCH_CODEC_COUNT };

enum bench_op {
    BENCH_DECODE, /* to a document, or where there is none (the peer's note says so) pulling every value once */
    BENCH_WALK,   /* to a document, then every value looked at once; or a library's own iteration over the bytes */
    BENCH_ENCODE, /* into memory that is used again */
    BENCH_OP_COUNT
};

enum bench_kind { BENCH_NULL, BENCH_BOOL, BENCH_I64, BENCH_F64, BENCH_TEXT, BENCH_ARRAY, BENCH_MAP, BENCH_END };

/* One step through a document: a value, with its key where it stands in a map, or the end of the innermost
 * container. */
struct bench_event {
    uint32_t kind; /* enum bench_kind */
    uint32_t key_size;
    const char *key;
    union {
        int64_t i64; /* BENCH_I64; BENCH_BOOL: 0 or 1 */
        double f64;
        struct {
            const char *data;
            size_t size;
        } text;
        size_t count; /* BENCH_ARRAY: items; BENCH_MAP: pairs */
    } as;
};

struct bench_bytes {
    unsigned char *data; /* NULL when weir has no such codec yet; 64 readable bytes follow the content */
    size_t size;
};

enum { BENCH_PADDING = 64, BENCH_DEPTH_MAX = 32 };

struct bench_input {
    const char *name;
    struct bench_bytes bytes[BENCH_CODEC_COUNT];
    const struct bench_event *events;
    size_t event_count;
    size_t value_count; /* values in it, keys not counted */
    size_t size_max;    /* no peer's encoding is larger */
};

struct bench_peer {
    const char *name; /* "yyjson"; NULL ends the array */
    const char *note; /* what a reader must know: "pull walk, no document" */
    enum bench_codec codec;
    const char *(*version)(void);
    /* The library's own state for one input; NULL when it cannot take it. */
    void *(*open)(const struct bench_input *input);
    void (*close)(void *state);
    /* Each does the work once and gives back how much that was, which the driver compares: for BENCH_WALK, and for a
     * pull walk, the values it saw; for other decoding the bytes it took. 0 means that it failed. */
    size_t (*ops[BENCH_OP_COUNT])(void *state);
    /* What the last BENCH_ENCODE wrote: the driver decodes it again and compares. */
    const void *(*output)(void *state, size_t *ret_size);
};

extern const struct bench_peer bench_peers[] __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
