/* Where a Smile value ends (specification 1.0.7), for bytes that come in pieces. Tokens say how long they are, or end
 * at a mark; two bits of state are enough between them: whether the container is a map, and whether a name comes next.
 * References are not followed.
 *
 * A token that has not come whole is looked at again from its first byte, but for the texts that end at a mark and may
 * be long: of those, the splitter remembers how far it has looked (in left[0], left[1]). */
#include "frame/plain/plain.h"

#include <string.h>

#include "codec/smile/smile.h"

enum { VINT_MAX = 10 };

static int bad(const char **why, const char *what) {
    *why = what;
    return WEIR_ECORRUPT;
}

/* The number of seven bits in a byte at @at, six in the last. Return: its bytes; 0: not all there; -1: too long. */
static int vint(const unsigned char *at, size_t size, uint64_t *ret) {
    uint64_t value = 0;
    for (size_t i = 0; i < size && i < VINT_MAX; i++) {
        if (at[i] & 0x80) {
            *ret = value << 6 | (at[i] & 0x3f);
            return (int)i + 1;
        }
        value = value << 7 | at[i];
    }
    return size < VINT_MAX ? 0 : -1;
}

/* A token of @before bytes, then a size, then so many bytes, in septets or not. Steps over it. */
static int sized(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, size_t before, int is_raw,
                 const char **why) {
    uint64_t count;
    if (size < before)
        return WEIR_EAGAIN;
    int used = vint(at + before, size - before, &count);
    if (used < 0)
        return bad(why, "a size of too many bytes");
    if (used == 0)
        return WEIR_EAGAIN;
    if (count > splitter->size_max)
        return WEIR_ETOOBIG;
    splitter->scanned += before + (size_t)used + (size_t)(is_raw ? count : weir_smile_packed_size(count));
    return WEIR_OK;
}

static int fixed(struct weir_plain_splitter *splitter, size_t count) {
    splitter->scanned += count;
    return WEIR_OK;
}

/* A number behind @before bytes, whose value does not matter. */
static int number(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, const char **why) {
    uint64_t ignored;
    int used = vint(at + 1, size - 1, &ignored);
    if (used < 0)
        return bad(why, "a number of too many bytes");
    if (used == 0)
        return WEIR_EAGAIN;
    return fixed(splitter, 1 + (size_t)used);
}

/* A text up to its mark. */
static int marked(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size) {
    uint64_t *token = &splitter->left[0], *seen = &splitter->left[1];
    if (*token != splitter->scanned + 1) { /* another text than the last time */
        *token = splitter->scanned + 1;
        *seen = 1;
    }
    const unsigned char *mark = memchr(at + *seen, SMILE_TEXT_END, size - (size_t)*seen);
    *seen = size;
    if (!mark)
        return splitter->scanned + size > splitter->size_max ? WEIR_ETOOBIG : WEIR_EAGAIN;
    *token = 0;
    return fixed(splitter, (size_t)(mark - at) + 1);
}

static int decimal(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, const char **why) {
    uint64_t scale;
    int used = vint(at + 1, size - 1, &scale);
    if (used < 0)
        return bad(why, "a scale of too many bytes");
    return used == 0 ? WEIR_EAGAIN : sized(splitter, at, size, 1 + (size_t)used, 0, why);
}

static int name(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, const char **why) {
    unsigned char token = *at;
    if (token == SMILE_EMPTY || (token >= SMILE_NAME_SHARED && token < SMILE_NAME_ASCII))
        return fixed(splitter, 1);
    if (token >= SMILE_NAME_SHARED_LONG && token < SMILE_NAME_LONG)
        return fixed(splitter, 2);
    if (token == SMILE_NAME_LONG)
        return marked(splitter, at, size);
    if (token >= SMILE_NAME_ASCII && token < SMILE_NAME_UNICODE)
        return fixed(splitter, 2 + (size_t)(token & 0x3f));
    if (token >= SMILE_NAME_UNICODE && token < SMILE_ARRAY)
        return fixed(splitter, 3 + (size_t)(token & 0x3f));
    return bad(why, "a token that is no name");
}

static int scalar(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, const char **why) {
    unsigned char token = *at;
    switch (token) {
    case SMILE_INT32:
    case SMILE_INT64: return number(splitter, at, size, why);
    case SMILE_BIGINT:
    case SMILE_BINARY: return sized(splitter, at, size, 1, 0, why);
    case SMILE_FLOAT32: return fixed(splitter, 6);
    case SMILE_FLOAT64: return fixed(splitter, 11);
    case SMILE_DECIMAL: return decimal(splitter, at, size, why);
    case SMILE_LONG_ASCII:
    case SMILE_LONG_UNICODE: return marked(splitter, at, size);
    case SMILE_RAW: return sized(splitter, at, size, 1, 1, why);
    default: break;
    }
    if ((token >= SMILE_SHARED_VALUE && token <= SMILE_TRUE) || (token >= SMILE_SMALL_INT && token < SMILE_LONG_ASCII))
        return fixed(splitter, 1);
    if (token >= SMILE_ASCII && token < SMILE_UNICODE)
        return fixed(splitter, 2 + (size_t)(token & 0x3f));
    if (token >= SMILE_UNICODE && token < SMILE_SMALL_INT)
        return fixed(splitter, 3 + (size_t)(token & 0x3f));
    if (token >= SMILE_SHARED_VALUE_LONG && token < 0xf0)
        return fixed(splitter, 2);
    return bad(why, "a token that is no value");
}

static int is_map(const struct weir_plain_splitter *splitter) {
    uint32_t top = splitter->depth - 1;
    return splitter->depth > 0 && (splitter->maps[top / 64] >> top % 64 & 1);
}

static int open_container(struct weir_plain_splitter *splitter, int opens_map, const char **why) {
    uint32_t top = splitter->depth;
    if (top == WEIR_PLAIN_DEPTH_MAX)
        return bad(why, "containers lie too deep inside each other");
    uint64_t bit = UINT64_C(1) << top % 64;
    splitter->maps[top / 64] = opens_map ? splitter->maps[top / 64] | bit : splitter->maps[top / 64] & ~bit;
    splitter->depth++;
    splitter->wants_name = opens_map;
    return fixed(splitter, 1);
}

static int close_container(struct weir_plain_splitter *splitter, int closes_map, const char **why) {
    if (splitter->depth == 0 || is_map(splitter) != closes_map)
        return bad(why, "an end of a container that is not open");
    splitter->depth--;
    splitter->wants_name = is_map(splitter);
    return fixed(splitter, 1);
}

/* One token. *ret_is_value: a value has ended with it. */
static int token(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, int *ret_is_value,
                 const char **why) {
    int status;
    *ret_is_value = 0;
    if (splitter->wants_name && *at != SMILE_MAP_END) {
        status = name(splitter, at, size, why);
        splitter->wants_name = status != WEIR_OK;
        return status;
    }
    if (*at == SMILE_ARRAY || *at == SMILE_MAP)
        return open_container(splitter, *at == SMILE_MAP, why);
    *ret_is_value = 1;
    if (*at == SMILE_MAP_END && !splitter->wants_name)
        return bad(why, "a map that ends behind a name");
    if (*at == SMILE_ARRAY_END || *at == SMILE_MAP_END)
        return close_container(splitter, *at == SMILE_MAP_END, why);
    status = scalar(splitter, at, size, why);
    if (status == WEIR_OK)
        splitter->wants_name = is_map(splitter);
    return status;
}

/* Step over headers. Return: WEIR_OK also when there is none. */
static int headers(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, const char **why) {
    while (splitter->scanned < size && bytes[splitter->scanned] == ':') {
        size_t left = size - splitter->scanned;
        if (memcmp(bytes + splitter->scanned, ":)\n", left < 3 ? left : 3) != 0)
            return bad(why, "a header that is none");
        if (left < SMILE_HEADER_SIZE)
            return WEIR_EAGAIN;
        splitter->scanned += SMILE_HEADER_SIZE;
    }
    return splitter->scanned < size ? WEIR_OK : WEIR_EAGAIN;
}

int weir_plain_scan_smile(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size,
                          const char **why) {
    int is_value = 0, status = WEIR_OK;
    if (splitter->scanned == 0)
        splitter->left[0] = 0;
    if (splitter->depth == 0 && splitter->scanned < size)
        status = headers(splitter, bytes, size, why);
    while (status == WEIR_OK) {
        size_t before = splitter->scanned;
        if (before > splitter->size_max)
            return WEIR_ETOOBIG;
        if (before >= size)
            return WEIR_EAGAIN;
        status = token(splitter, bytes + before, size - before, &is_value, why);
        if (status != WEIR_OK || !is_value || splitter->depth > 0)
            continue;
        if (splitter->scanned <= size)
            return WEIR_OK;
        splitter->scanned = before; /* the last token, a root value that has not come whole */
        return WEIR_EAGAIN;
    }
    return status;
}
