/* Where a CBOR item ends (RFC 8949), for bytes that come in pieces. A stack holds how many items each container still
 * needs; a string is stepped over without being looked at. What is well-formed ends where a decoder would end it; what
 * is not is left to the decoder where its end is known all the same. */
#include "frame/plain/plain.h"

#include <string.h>

enum { INDEFINITE = 31, BREAK = 0xff };
/* What stands in left[] for containers and strings without a count: above any count that is let in. */
static const uint64_t ENDLESS_ARRAY = UINT64_MAX, ENDLESS_KEY = UINT64_MAX - 1, ENDLESS_VALUE = UINT64_MAX - 2,
                      ENDLESS_BYTES = UINT64_MAX - 3, ENDLESS_TEXT = UINT64_MAX - 4;

static int push(struct weir_plain_splitter *splitter, uint64_t left, const char **why) {
    if (splitter->depth == WEIR_PLAIN_DEPTH_MAX) {
        *why = "containers lie too deep inside each other";
        return WEIR_ECORRUPT;
    }
    splitter->left[splitter->depth++] = left;
    return WEIR_OK;
}

/* An item has ended, and with it the containers that it was the last of. */
static void item_end(struct weir_plain_splitter *splitter) {
    while (splitter->depth > 0) {
        uint64_t *left = &splitter->left[splitter->depth - 1];
        if (*left == ENDLESS_KEY || *left == ENDLESS_VALUE) {
            *left = *left == ENDLESS_KEY ? ENDLESS_VALUE : ENDLESS_KEY;
            return;
        }
        if (*left >= ENDLESS_TEXT || --*left > 0)
            return;
        splitter->depth--;
    }
}

/* The argument of a head of @size bytes. */
static uint64_t argument(const unsigned char *head, size_t size) {
    uint64_t value = size == 1 ? *head & 31 : 0;
    for (size_t i = 1; i < size; i++)
        value = value << 8 | head[i];
    return value;
}

static int head_size(unsigned info) {
    return info < 24 ? 1 : info < 28 ? 1 + (1 << (info - 24)) : info == INDEFINITE ? 1 : 0;
}

static int break_take(struct weir_plain_splitter *splitter, const char **why) {
    uint64_t left = splitter->depth ? splitter->left[splitter->depth - 1] : 0;
    if (left < ENDLESS_TEXT || left == ENDLESS_VALUE) {
        *why = "a break where none may be";
        return WEIR_ECORRUPT;
    }
    splitter->depth--;
    item_end(splitter);
    return WEIR_OK;
}

static int endless_begin(struct weir_plain_splitter *splitter, unsigned major, const char **why) {
    switch (major) {
    case 2: return push(splitter, ENDLESS_BYTES, why);
    case 3: return push(splitter, ENDLESS_TEXT, why);
    case 4: return push(splitter, ENDLESS_ARRAY, why);
    case 5: return push(splitter, ENDLESS_KEY, why);
    case 7: return break_take(splitter, why);
    default: *why = "a number without an end"; return WEIR_ECORRUPT;
    }
}

/* Strings, containers and tags with a count; the head is used already. */
static int counted_begin(struct weir_plain_splitter *splitter, unsigned major, uint64_t count, const char **why) {
    if (major == 6)
        return push(splitter, 1, why);
    if (count > splitter->size_max)
        return WEIR_ETOOBIG;
    if (major == 2 || major == 3) {
        splitter->scanned += (size_t)count;
        item_end(splitter);
        return WEIR_OK;
    }
    if (count == 0) {
        item_end(splitter);
        return WEIR_OK;
    }
    return push(splitter, major == 5 ? 2 * count : count, why);
}

/* Chunks of a string without a length are strings of its kind with one. */
static int may_stand(const struct weir_plain_splitter *splitter, unsigned char head) {
    uint64_t left = splitter->depth ? splitter->left[splitter->depth - 1] : 0;
    if ((left != ENDLESS_BYTES && left != ENDLESS_TEXT) || head == BREAK)
        return 1;
    return head >> 5 == (left == ENDLESS_BYTES ? 2 : 3) && (head & 31) != INDEFINITE;
}

static int token(struct weir_plain_splitter *splitter, const unsigned char *at, size_t size, const char **why) {
    unsigned major = *at >> 5, info = *at & 31;
    size_t head = (size_t)head_size(info);
    if (head == 0 || !may_stand(splitter, *at)) {
        *why = head == 0 ? "reserved additional information" : "a chunk of another kind than its string";
        return WEIR_ECORRUPT;
    }
    if (size < head)
        return WEIR_EAGAIN;
    splitter->scanned += head;
    if (info == INDEFINITE)
        return endless_begin(splitter, major, why);
    if (major >= 2 && major <= 6)
        return counted_begin(splitter, major, argument(at, head), why);
    item_end(splitter);
    return WEIR_OK;
}

int weir_plain_scan_cbor(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size,
                         const char **why) {
    for (;;) {
        if (splitter->scanned > splitter->size_max)
            return WEIR_ETOOBIG;
        if (splitter->scanned > 0 && splitter->depth == 0)
            return splitter->scanned <= size ? WEIR_OK : WEIR_EAGAIN;
        if (splitter->scanned >= size)
            return WEIR_EAGAIN;
        int status = token(splitter, bytes + splitter->scanned, size - splitter->scanned, why);
        if (status != WEIR_OK)
            return status;
    }
}
