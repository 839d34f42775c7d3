/* CBOR (RFC 8949) in words: a head, what it says, and what stands in it. Any number of items may follow each other
 * (RFC 8742).
 *
 * A level is an array, a map, a tag, or a string of indefinite length; left counts the items it still expects, of a
 * map keys and values both. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

enum major { UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, OTHER };
enum { BREAK = 0xff, INFO_INDEFINITE = 31 };
enum { INDEFINITE = 1 /* level flag */ };
#define UNTIL_BREAK UINT64_MAX

/* ---- tags by name ---- */

static const struct {
    uint64_t number;
    const char *name;
} tags[] = {
    {0, "a date and time as text"},
    {1, "a time in seconds since 1970"},
    {2, "a big integer"},
    {3, "a negative big integer, -1 minus what the bytes say"},
    {4, "a decimal: [exponent, digits], digits x 10^exponent"},
    {5, "a binary fraction: [exponent, digits], digits x 2^exponent"},
    {21, "in JSON it would be base64url"},
    {22, "in JSON it would be base64"},
    {23, "in JSON it would be hexadecimal"},
    {24, "bytes that are CBOR themselves"},
    {32, "a URI"},
    {33, "base64url as text"},
    {34, "base64 as text"},
    {35, "a regular expression"},
    {36, "a MIME message"},
    {37, "a UUID"},
    {40, "an array of numbers with its shape: [sizes, numbers], the last index moves fastest"},
    {41, "an array whose items are all of one type"},
    {68, "array of uint8, clamped"},
    {76, "reserved"},
    {80, "array of float16, big-endian"},
    {83, "array of float128, big-endian"},
    {84, "array of float16, little-endian"},
    {87, "array of float128, little-endian"},
    {100, "a date in days since 1970"},
    {258, "a set"},
    {1001, "a time as a map: 1 seconds, -9 nanoseconds"},
    {1004, "a date as text"},
    {1040, "an array of numbers with its shape: [sizes, numbers], the first index moves fastest"},
    {55799, "what follows is CBOR; a mark for the beginning of files"},
};

/* The element type of a typed array's tag, RFC 8746: 010 f s e ll; 0 for those without one here. */
static uint32_t element_of(uint64_t tag, int *is_big_endian) {
    uint32_t bits = (uint32_t)(tag - 64), width = bits & 3;
    if (tag < 64 || tag > 87)
        return 0;
    *is_big_endian = !(bits & 4);
    if (bits & 16)
        return width == 1 ? WEIR_F32 : width == 2 ? WEIR_F64 : 0;
    if (width == 0 && bits & 4)
        return 0;
    return (bits & 8 ? WEIR_I8 : WEIR_U8) + width;
}

static const char *element_name(uint32_t element) {
    static const char *const names[] = {"?",     "uint8", "uint16", "uint32",  "uint64", "int8",
                                        "int16", "int32", "int64",  "float32", "float64"};
    return names[element <= WEIR_F64 ? element : 0];
}

static void tag_note(struct dump *dump, uint64_t number) {
    int is_big_endian = 0;
    uint32_t element = element_of(number, &is_big_endian);
    if (element && weir_element_size(element) == 1)
        dump_note(dump, "array of %s", element_name(element));
    else if (element)
        dump_note(dump, "array of %s, %s-endian", element_name(element), is_big_endian ? "big" : "little");
    else if (number >> 32 == 0x77656972) /* "weir" */
        dump_note(dump, "a BSON type, 0x%02" PRIx64, number & 0xffff);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (tags[i].number == number)
            dump_note(dump, "%s", tags[i].name);
}

/* ---- heads ---- */

struct head {
    unsigned major;
    unsigned info;
    size_t size;
    uint64_t n;
    int is_indefinite;
};

/* Read the head at dump->at. Return: WEIR_OK, or the failure noted. */
static int head_read(struct dump *dump, struct head *head) {
    const unsigned char *at = dump->data + dump->at;
    *head = (struct head){.major = *at >> 5, .info = *at & 31, .size = 1};
    head->n = head->info;
    if (head->info < 24 || head->major == OTHER)
        return WEIR_OK;
    if (head->info == INFO_INDEFINITE && head->major >= BYTES && head->major <= MAP) {
        head->is_indefinite = 1;
        return WEIR_OK;
    }
    if (head->info > 27)
        return dump_wrong(dump, dump->at, "", "byte %02x: the length code %u of its low 5 bits is reserved", *at,
                          head->info);
    size_t width = (size_t)1 << (head->info - 24);
    if (dump_left(dump) - 1 < width) {
        static const char *const names[] = {"an integer", "a negative integer", "bytes", "text", "an array", "a map",
                                            "a tag"};
        char begun[80];
        snprintf(begun, sizeof(begun), "the head of %s, whose %s is in the next %zu byte%s", names[head->major],
                 head->major <= NEGATIVE || head->major == TAG ? "number" : "length", width, dump_s(width));
        return dump_cut(dump, begun);
    }
    head->n = dump_load(at + 1, width, 1);
    head->size = 1 + width;
    static const uint64_t shorter[] = {23, UINT8_MAX, UINT16_MAX, UINT32_MAX};
    if (head->n <= shorter[head->info - 24])
        dump_note(dump, "in more bytes than needed");
    return WEIR_OK;
}

/* ---- strings ---- */

/* The number of the typed-array tag directly around the next item, or 0. */
static uint64_t tag_around(struct dump *dump) {
    struct dump_level *top = dump_top(dump);
    return top && top->kind == TAG ? top->number : UINT64_MAX;
}

static struct dump_value bytes_value(struct dump *dump, const unsigned char *data, size_t size) {
    int is_big_endian = 0;
    uint64_t tag = tag_around(dump);
    uint32_t element = tag == UINT64_MAX ? 0 : element_of(tag, &is_big_endian);
    if (tag == 2 || tag == 3)
        return dump_big(dump, data, size, tag == 3, tag == 3);
    if (!element || size % weir_element_size(element) != 0)
        return dump_bytes(data, size);
    size_t count = size / weir_element_size(element);
    dump_note(dump, "%zu x %s", count, element_name(element));
    return dump_numbers(dump, element, is_big_endian, data, size);
}

/* A string of definite length whose head has been read. @chunk: "" or "chunk: ". */
static int string(struct dump *dump, const struct head *head, const char *chunk) {
    char words[64];
    const unsigned char *data = dump->data + dump->at + head->size;
    size_t left = dump_left(dump) - head->size;
    int is_text = head->major == TEXT;
    snprintf(words, sizeof(words), is_text ? "%stext of %" PRIu64 " byte%s" : "%s%" PRIu64 " byte%s", chunk, head->n,
             dump_s(head->n));
    if (head->n > left) {
        dump_note(dump, "%zu of them are here", left);
        return dump_cut(dump, words);
    }
    size_t size = (size_t)head->n, valid = is_text ? dump_utf8(data, size) : size;
    if (valid < size)
        return dump_wrong(dump, dump->at + head->size + valid, words, "a text that is not UTF-8");
    dump_put(dump, head->size + size, is_text ? dump_text(data, size) : bytes_value(dump, data, size), "%s", words);
    return WEIR_OK;
}

/* An item is complete: count it off, and end what is complete with it. */
static void item_end(struct dump *dump) {
    struct dump_level *top;
    while ((top = dump_top(dump)) != NULL && (top->kind == ARRAY || top->kind == MAP || top->kind == TAG)) {
        if (top->left == UNTIL_BREAK) {
            top->number++;
            return;
        }
        if (--top->left > 0)
            return;
        dump->level_count--;
    }
}

/* The next chunk, or the break, of a string of indefinite length. */
static int chunk(struct dump *dump, struct dump_level *level) {
    struct head head;
    unsigned byte = dump->data[dump->at];
    if (byte == BREAK) {
        dump->level_count--;
        dump_put(dump, 1, dump_no_value, "break: the %s ends", level->kind == TEXT ? "text" : "string of bytes");
        item_end(dump);
        return WEIR_OK;
    }
    if (byte >> 5 != level->kind || (byte & 31) == INFO_INDEFINITE)
        return dump_wrong(dump, dump->at, "", "byte %02x where a chunk of %s with its length, or the break ff, is due",
                          byte, level->kind == TEXT ? "text" : "bytes");
    if (head_read(dump, &head) != WEIR_OK)
        return dump->status;
    return string(dump, &head, "chunk: ");
}

/* ---- items ---- */

static int container(struct dump *dump, const struct head *head) {
    int is_map = head->major == MAP;
    size_t left = dump_left(dump) - head->size;
    const char *name = is_map ? "map" : "array";
    if (head->is_indefinite) {
        dump_put(dump, 1, dump_no_value, "%s, until a break", name);
    } else {
        if (head->n > left >> is_map)
            dump_note(dump, "more than the %zu byte%s that follow%s can be", left, dump_s(left), left == 1 ? "s" : "");
        dump_put(dump, head->size, dump_no_value, "%s of %" PRIu64 " %s%s", name, head->n, is_map ? "pair" : "item",
                 dump_s(head->n));
    }
    if (!head->is_indefinite && head->n == 0) {
        item_end(dump);
        return WEIR_OK;
    }
    struct dump_level *level = dump_push(dump, (uint8_t)head->major);
    if (!level)
        return dump->status;
    level->flags = head->is_indefinite ? INDEFINITE : 0;
    level->left = head->is_indefinite                       ? UNTIL_BREAK
                  : is_map && head->n < UNTIL_BREAK / 2 - 1 ? head->n * 2
                  : head->n < UNTIL_BREAK - 1               ? head->n
                                                            : UNTIL_BREAK - 1;
    return WEIR_OK;
}

static int break_item(struct dump *dump) {
    struct dump_level *top = dump_top(dump);
    if (!top || !(top->flags & INDEFINITE))
        return dump_wrong(dump, dump->at, "", "a break where an item is due");
    if (top->kind == MAP && top->number % 2 != 0)
        return dump_wrong(dump, dump->at, "", "a break where the value of a key is due");
    uint64_t count = top->kind == MAP ? top->number / 2 : top->number;
    const char *name = top->kind == MAP ? "map" : "array", *item = top->kind == MAP ? "pair" : "item";
    dump->level_count--;
    dump_put(dump, 1, dump_no_value, "break: the %s ends, with %" PRIu64 " %s%s", name, count, item, dump_s(count));
    item_end(dump);
    return WEIR_OK;
}

static int simple_item(struct dump *dump, unsigned info) {
    static const char *const names[] = {"false", "true", "null", "undefined"};
    if (info < 20) {
        dump_put(dump, 1, dump_u64(dump, info), "simple value, of no known meaning,");
    } else if (info < 22) {
        dump_put(dump, 1, dump_json_text(names[info - 20], strlen(names[info - 20])), "bool");
    } else if (info < 24) {
        dump_put(dump, 1, dump_no_value, "%s", names[info - 20]);
    } else if (info == 24) {
        if (dump_left(dump) < 2)
            return dump_cut(dump, "a simple value");
        unsigned number = dump->data[dump->at + 1];
        if (number < 32)
            return dump_wrong(dump, dump->at + 1, "a simple value", "a simple value below 32 in two bytes");
        dump_put(dump, 2, dump_u64(dump, number), "simple value, of no known meaning,");
    } else {
        return dump_wrong(dump, dump->at, "", "byte %02x: 28 to 30 in its low 5 bits are reserved", 0xe0 | info);
    }
    item_end(dump);
    return WEIR_OK;
}

static void time_note(struct dump *dump, double seconds) {
    char text[40];
    if (tag_around(dump) == 1 && seconds > -1e12 && seconds < 1e12 &&
        *dump_time_text((int64_t)seconds - (seconds < (double)(int64_t)seconds), 0, 0, text))
        dump_note(dump, "%s", text);
}

static int float_item(struct dump *dump, unsigned info) {
    size_t width = (size_t)1 << (info - 24);
    char words[16];
    snprintf(words, sizeof(words), "float%zu", width * 8);
    if (dump_left(dump) - 1 < width)
        return dump_cut(dump, words);
    uint64_t bits = dump_load(dump->data + dump->at + 1, width, 1);
    uint32_t bits32 = (uint32_t)bits;
    float single;
    double number;
    memcpy(&single, &bits32, sizeof(single));
    memcpy(&number, &bits, sizeof(number));
    number = width == 8 ? number : width == 4 ? (double)single : dump_half(bits32);
    time_note(dump, number);
    dump_put(dump, 1 + width, width == 4 ? dump_f32(dump, single) : dump_f64(dump, number), "%s", words);
    item_end(dump);
    return WEIR_OK;
}

static int integer(struct dump *dump, const struct head *head) {
    if (head->major == UINT)
        time_note(dump, (double)head->n);
    else
        time_note(dump, -1.0 - (double)head->n);
    if (head->major == UINT)
        dump_put(dump, head->size, dump_u64(dump, head->n), "integer");
    else if (head->n <= INT64_MAX)
        dump_put(dump, head->size, dump_i64(dump, -1 - (int64_t)head->n), "integer");
    else
        dump_put(dump, head->size, dump_big(dump, dump->data + dump->at + 1, 8, 1, 1), "integer");
    item_end(dump);
    return WEIR_OK;
}

/* A tag, or the beginning of a string in chunks: what follows is inside. */
static int opening(struct dump *dump, const struct head *head) {
    if (head->major == TAG) {
        tag_note(dump, head->n);
        dump_put(dump, head->size, dump_no_value, "tag %" PRIu64, head->n);
    } else {
        dump_put(dump, 1, dump_no_value, "%s in chunks, until a break", head->major == TEXT ? "text" : "bytes");
    }
    struct dump_level *level = dump_push(dump, (uint8_t)head->major);
    if (!level)
        return dump->status;
    level->left = 1;
    level->number = head->n;
    return WEIR_OK;
}

static int item(struct dump *dump) {
    struct head head;
    struct dump_level *top = dump_top(dump);
    if (top && top->kind == MAP)
        dump->role = (top->left == UNTIL_BREAK ? top->number % 2 == 0 : top->left % 2 == 0) ? DUMP_KEY : DUMP_ITEM;
    if (dump->data[dump->at] == BREAK)
        return break_item(dump);
    if (head_read(dump, &head) != WEIR_OK)
        return dump->status;
    switch (head.major) {
    case UINT:
    case NEGATIVE: return integer(dump, &head);
    case BYTES:
    case TEXT:
        if (head.is_indefinite)
            return opening(dump, &head);
        if (string(dump, &head, "") != WEIR_OK)
            return dump->status;
        item_end(dump);
        return WEIR_OK;
    case ARRAY:
    case MAP: return container(dump, &head);
    case TAG: return opening(dump, &head);
    default: return head.info >= 25 && head.info <= 27 ? float_item(dump, head.info) : simple_item(dump, head.info);
    }
}

/* What the bytes end inside of. */
static const char *open_name(const struct dump_level *level) {
    switch (level->kind) {
    case TAG: return "a tag, whose content is due";
    case MAP: return "a map";
    case ARRAY: return "an array";
    default: return "a string in chunks";
    }
}

static int run(struct dump *dump) {
    size_t base = dump->level_count, items = 0;
    dump->codec = "cbor";
    while (!dump_is_done(dump)) {
        struct dump_level *top = dump->level_count > base ? dump_top(dump) : NULL;
        if (dump->at == dump->end)
            return top ? dump_cut(dump, open_name(top)) : dump->status;
        if (!top && dump_is_more(dump, items++))
            return dump->status;
        if (top && (top->kind == TEXT || top->kind == BYTES)) {
            chunk(dump, top);
        } else {
            item(dump);
        }
    }
    return dump->status;
}

const struct dump_format dump_cbor = {"cbor", run};
