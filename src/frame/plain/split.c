/* Splitting a stream of plain messages. JSON messages end at a newline, BSON documents begin with their size, and those
 * of CBOR and Smile must be walked through, token by token (scan_cbor.c, scan_smile.c).
 *
 * What must stay true: every call that does not say EAGAIN uses at least one byte, so that a loop over it ends; nothing
 * is looked at twice but the few bytes of a token that had not come whole. After garbage only JSON knows for certain
 * where to go on. The others look for bytes that a message of this library begins with: the map, whose first key is
 * "seq". */
#include "frame/plain/plain.h"

#include <string.h>

#include "base/error.h"

/* ---- names ---- */

static const struct {
    const char *name;
    int framing;
} names[] = {{"weir", WEIR_FRAMING_FRAMES},
             {"jsonl", WEIR_FRAMING_JSON},
             {"cborseq", WEIR_FRAMING_CBOR},
             {"smile", WEIR_FRAMING_SMILE},
             {"bson", WEIR_FRAMING_BSON},
             /* further extensions */
             {"ndjson", WEIR_FRAMING_JSON},
             {"json", WEIR_FRAMING_JSON},
             {"cbor", WEIR_FRAMING_CBOR}};
enum { FRAMING_COUNT = 5, NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static int name_find(const char *name, size_t size, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0)
            return names[i].framing;
    return -1;
}

int weir_framing_find(const char *name, size_t size) {
    return name_find(name, size, FRAMING_COUNT);
}

const char *weir_framing_name(int framing) {
    for (size_t i = 0; i < FRAMING_COUNT; i++)
        if (names[i].framing == framing)
            return names[i].name;
    return "?";
}

int weir_framing_of_path(const char *path, int is_value) {
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    if (dot && !is_value && strcmp(dot, ".json") == 0)
        return -1;
    return dot ? name_find(dot + 1, strlen(dot + 1), NAME_COUNT) : -1;
}

/* ---- messages that may begin here ---- */

enum { BSON_SIZE_MIN = 5, BSON_SEQ_SIZE = 9, CBOR_SEQ_SIZE = 5, SMILE_HEADER = 4 };

static uint32_t bson_size(const unsigned char *bytes) {
    uint32_t size;
    memcpy(&size, bytes, sizeof(size));
    return size;
}

/* A map of 1 to 23 pairs, or one without a count, whose first key is the text "seq". */
static int is_cbor_message(const unsigned char *bytes) {
    return ((*bytes >= 0xa1 && *bytes <= 0xb7) || *bytes == 0xbf) && memcmp(bytes + 1, "\x63seq", 4) == 0;
}

static int is_bson_message(const unsigned char *bytes, size_t size_max) {
    uint32_t size = bson_size(bytes);
    return size >= BSON_SIZE_MIN && size <= size_max && (bytes[4] == 0x10 || bytes[4] == 0x12) &&
           memcmp(bytes + 5, "seq", 4) == 0;
}

/* Bytes that tell whether a message begins. */
static size_t tell_size(int framing) {
    switch (framing) {
    case WEIR_FRAMING_CBOR: return CBOR_SEQ_SIZE;
    case WEIR_FRAMING_SMILE: return SMILE_HEADER;
    case WEIR_FRAMING_BSON: return BSON_SEQ_SIZE;
    default: return 1;
    }
}

static int is_message(const struct weir_plain_splitter *splitter, const unsigned char *bytes) {
    switch (splitter->framing) {
    case WEIR_FRAMING_CBOR: return is_cbor_message(bytes);
    case WEIR_FRAMING_SMILE: return memcmp(bytes, ":)\n", 3) == 0 && bytes[3] >> 4 == 0;
    case WEIR_FRAMING_BSON: return is_bson_message(bytes, splitter->size_max);
    default: return *bytes == '\n';
    }
}

/* ---- where a message ends ---- */

static int scan_json(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, int is_end) {
    const unsigned char *newline =
        size > splitter->scanned ? memchr(bytes + splitter->scanned, '\n', size - splitter->scanned) : NULL;
    splitter->scanned = newline ? (size_t)(newline - bytes) : size;
    if (splitter->scanned > splitter->size_max)
        return WEIR_ETOOBIG;
    return newline || is_end ? WEIR_OK : WEIR_EAGAIN;
}

static int scan_bson(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, const char **why) {
    if (size < 4)
        return WEIR_EAGAIN;
    uint32_t needed = bson_size(bytes);
    if (needed < BSON_SIZE_MIN || needed > INT32_MAX) {
        *why = "a BSON document cannot have this size";
        return WEIR_ECORRUPT;
    }
    if (needed > splitter->size_max)
        return WEIR_ETOOBIG;
    if (size < needed)
        return WEIR_EAGAIN;
    splitter->scanned = needed;
    if (bytes[needed - 1] == 0)
        return WEIR_OK;
    *why = "a BSON document does not end in a zero byte";
    return WEIR_ECORRUPT;
}

static int scan(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, int is_end,
                const char **why) {
    int status;
    switch (splitter->framing) {
    case WEIR_FRAMING_JSON: return scan_json(splitter, bytes, size, is_end);
    case WEIR_FRAMING_CBOR: status = weir_plain_scan_cbor(splitter, bytes, size, why); break;
    case WEIR_FRAMING_SMILE: status = weir_plain_scan_smile(splitter, bytes, size, why); break;
    default: status = scan_bson(splitter, bytes, size, why); break;
    }
    if (status != WEIR_EAGAIN || !is_end)
        return status;
    *why = "the last message is cut off";
    return WEIR_ECORRUPT;
}

/* ---- the splitter ---- */

void weir_plain_splitter_init(struct weir_plain_splitter *splitter, int framing, size_t size_max) {
    *splitter = (struct weir_plain_splitter){.framing = framing, .size_max = size_max};
}

void weir_plain_splitter_again(struct weir_plain_splitter *splitter) {
    splitter->scanned = 0;
    splitter->depth = 0;
    splitter->wants_name = 0;
}

/* Bytes before a message that mean nothing: blanks in JSON, the end marks of Smile. */
static size_t blanks(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size) {
    size_t at = 0;
    if (splitter->framing == WEIR_FRAMING_SMILE) {
        while (at < size && bytes[at] == 0xff)
            at++;
        return at;
    }
    if (splitter->framing != WEIR_FRAMING_JSON)
        return 0;
    for (; at < size && memchr(" \t\r\n", bytes[at], 4); at++)
        splitter->lines += bytes[at] == '\n';
    return at;
}

/* Step over garbage to the next message. Return: WEIR_EAGAIN when none has come yet. */
static int find_again(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, int is_end,
                      size_t *skip) {
    size_t need = tell_size(splitter->framing);
    for (*skip = 0; size - *skip >= need; ++*skip) {
        if (!is_message(splitter, bytes + *skip))
            continue;
        splitter->is_lost = 0;
        return WEIR_OK;
    }
    if (is_end)
        *skip = size;
    return WEIR_EAGAIN;
}

static int give_up(struct weir_plain_splitter *splitter, int status, const unsigned char *bytes, size_t size,
                   struct weir_plain_piece *ret, const char *why, weir_error *err) {
    /* A line that is there as a whole is no reason to look for the next. */
    if (splitter->framing == WEIR_FRAMING_JSON && splitter->scanned < size) {
        ret->used = ret->skip + splitter->scanned;
    } else {
        splitter->is_lost = 1;
        ret->used = ret->skip + (splitter->framing == WEIR_FRAMING_JSON ? size : 1);
    }
    (void)bytes;
    weir_plain_splitter_again(splitter);
    if (status == WEIR_ETOOBIG)
        return weir_fail(err, status, "%s %llu is over the limit of %zu bytes; raise max= in the address",
                         splitter->framing == WEIR_FRAMING_JSON ? "line" : "message",
                         (unsigned long long)splitter->number, splitter->size_max);
    return weir_fail(err, status, "message %llu is garbage: %s", (unsigned long long)splitter->number, why);
}

int weir_plain_split(struct weir_plain_splitter *splitter, const unsigned char *bytes, size_t size, int is_end,
                     struct weir_plain_piece *ret, weir_error *err) {
    const char *why = "";
    *ret = (struct weir_plain_piece){0};
    if (splitter->is_lost && find_again(splitter, bytes, size, is_end, &ret->skip) != WEIR_OK) {
        ret->used = ret->skip;
        return WEIR_EAGAIN;
    }
    if (splitter->scanned == 0)
        ret->skip += blanks(splitter, bytes + ret->skip, size - ret->skip);
    bytes += ret->skip;
    size -= ret->skip;
    if (size == 0) {
        ret->used = ret->skip;
        return WEIR_EAGAIN;
    }
    int status = scan(splitter, bytes, size, is_end, &why);
    ret->used = ret->skip;
    if (status == WEIR_EAGAIN)
        return status;
    splitter->number = splitter->framing == WEIR_FRAMING_JSON ? splitter->lines + 1 : splitter->number + 1;
    if (status != WEIR_OK)
        return give_up(splitter, status, bytes, size, ret, why, err);
    ret->size = splitter->scanned;
    ret->used = ret->skip + ret->size;
    if (splitter->framing == WEIR_FRAMING_JSON && ret->size < size) {
        ret->used++;
        splitter->lines++;
    }
    weir_plain_splitter_again(splitter);
    return WEIR_OK;
}
