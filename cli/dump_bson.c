/* BSON 1.1 in words: sizes, the type and name of each element, its value. Any number of documents may follow each
 * other.
 *
 * A level is a document, an array (a document whose names are indices), or a code with scope around its scope; end is
 * the NUL that its size points at, so that nothing inside may reach beyond. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

enum { DOCUMENT = 1, ARRAY, SCOPE };
enum { IS_CUT = 1 /* level flag: its size is more than there is */ };
enum { DOCUMENT_MIN = 5, STRING_MIN = 5, OBJECT_ID_SIZE = 12, DECIMAL_SIZE = 16 };

static const char *type_name(unsigned type) {
    static const char *const names[] = {
        NULL,    "float64",   "text",  "document",   "array",     "binary", "undefined", "ObjectId",
        "bool",  "time",      "null",  "regex",      "DBPointer", "code",   "symbol",    "code with scope",
        "int32", "timestamp", "int64", "decimal128",
    };
    if (type == 0x7f)
        return "max key";
    if (type == 0xff)
        return "min key";
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

static size_t inner_end(struct dump *dump) {
    return dump_top(dump)->end;
}

/* The innermost document ends before what is @begun is complete. */
static int cut(struct dump *dump, const char *begun) {
    if (dump_top(dump)->flags & IS_CUT)
        return dump_cut(dump, begun);
    return dump_wrong(dump, inner_end(dump), begun, "the document ends inside %s", begun);
}

/* ---- texts ---- */

/* A text with its length before it, which may reach up to @end: said as one token. */
static int string(struct dump *dump, size_t end, const char *name) {
    const unsigned char *data = dump->data + dump->at;
    char begun[48];
    snprintf(begun, sizeof(begun), "a %s", name);
    if (end - dump->at < STRING_MIN)
        return cut(dump, begun);
    uint64_t size = dump_load(data, 4, 0);
    int is_cut = dump_top(dump)->flags & IS_CUT;
    if (size < 1 || (size > end - dump->at - 4 && (!is_cut || size > INT32_MAX)))
        return dump_wrong(dump, dump->at, begun, "a %s of %" PRId32 " bytes, where 1 to %zu fit", name, (int32_t)size,
                          end - dump->at - 4);
    if (size > end - dump->at - 4)
        return dump_cut(dump, begun);
    if (data[4 + size - 1] != 0)
        return dump_wrong(dump, dump->at + 4 + (size_t)size - 1, begun, "byte %02x where the NUL that ends a %s is due",
                          data[4 + size - 1], name);
    size_t length = (size_t)size - 1, valid = dump_utf8(data + 4, length);
    if (valid < length)
        return dump_wrong(dump, dump->at + 4 + valid, begun, "a text that is not UTF-8");
    dump_note(dump, "length %" PRIu64 " with the NUL", size);
    dump_put(dump, 4 + (size_t)size, dump_text(data + 4, length), "%s of %zu byte%s", name, length, dump_s(length));
    return WEIR_OK;
}

/* A text up to a NUL. */
static int c_string(struct dump *dump, const char *name) {
    const unsigned char *data = dump->data + dump->at;
    char begun[48];
    snprintf(begun, sizeof(begun), "a %s", name);
    size_t end = inner_end(dump);
    const unsigned char *nul = dump->at < end ? memchr(data, 0, end - dump->at) : NULL;
    if (!nul)
        return cut(dump, begun);
    size_t size = (size_t)(nul - data), valid = dump_utf8(data, size);
    if (valid < size)
        return dump_wrong(dump, dump->at + valid, begun, "a text that is not UTF-8");
    dump_note(dump, "up to a NUL");
    dump_put(dump, size + 1, dump_text(data, size), "%s", name);
    return WEIR_OK;
}

/* ---- documents ---- */

/* Begin the document at dump->at, which may reach up to @end. Return: WEIR_OK, or the failure noted. */
static int document(struct dump *dump, uint8_t kind, size_t end, int is_root) {
    static const char *const names[] = {"", "document", "array", "scope"};
    const unsigned char *data = dump->data + dump->at;
    int is_cut = is_root || dump_top(dump)->flags & IS_CUT;
    if (end - dump->at < (is_root ? 4 : DOCUMENT_MIN))
        return is_root ? dump_cut(dump, "the size of a document") : cut(dump, "a document");
    uint64_t size = dump_load(data, 4, 0);
    int is_beyond = size > end - dump->at;
    if (size < DOCUMENT_MIN || (is_beyond && (!is_cut || size > INT32_MAX)))
        return dump_wrong(dump, dump->at, "", "a document of %" PRId32 " bytes, where %d to %zu fit", (int32_t)size,
                          DOCUMENT_MIN, end - dump->at);
    if (is_beyond)
        dump_note(dump, "more than the %zu that are here", end - dump->at);
    size_t start = dump->at;
    dump_put(dump, 4, dump_no_value, "%s of %" PRIu64 " bytes", names[kind], size);
    struct dump_level *level = dump_push(dump, kind);
    if (!level)
        return dump->status;
    level->end = is_beyond ? end : start + (size_t)size - 1;
    level->flags = is_beyond ? IS_CUT : 0;
    return WEIR_OK;
}

static int document_end(struct dump *dump) {
    static const char *const names[] = {"", "document", "array", "scope"};
    struct dump_level *top = dump_top(dump);
    uint64_t count = top->number;
    uint8_t kind = top->kind;
    unsigned byte = dump->at < dump->end ? dump->data[dump->at] : 0;
    if (top->flags & IS_CUT && dump->at == dump->end)
        return dump_cut(dump, kind == ARRAY ? "an array" : "a document");
    if (byte != 0)
        return dump_wrong(dump, dump->at, "", "byte %02x where the NUL that ends a document is due", byte);
    dump->level_count--;
    dump_put(dump, 1, dump_no_value, "end of the %s, with %" PRIu64 " element%s", names[kind], count, dump_s(count));
    return WEIR_OK;
}

/* ---- values ---- */

static const char *subtype_name(unsigned subtype) {
    static const char *const names[] = {"generic", "function",  "old generic", "old UUID",  "UUID",
                                        "MD5",     "encrypted", "column",      "sensitive", "vector"};
    return subtype < sizeof(names) / sizeof(names[0]) ? names[subtype] : subtype >= 0x80 ? "user's own" : "unknown";
}

/* What the bytes of a vector are; those that are none stay bytes. */
static struct dump_value vector_value(struct dump *dump, const unsigned char *data, size_t size) {
    uint32_t element = size < 2 ? 0 : data[0] == 0x03 ? WEIR_I8 : data[0] == 0x27 ? WEIR_F32 : 0;
    if (!element || data[1] != 0 || (size - 2) % weir_element_size(element) != 0)
        return dump_bytes(data, size);
    size_t count = (size - 2) / weir_element_size(element);
    dump_note(dump, "%zu x %s, behind their type and padding", count, element == WEIR_I8 ? "int8" : "float32");
    return dump_numbers(dump, element, 0, data + 2, size - 2);
}

static int binary(struct dump *dump, size_t end) {
    const unsigned char *data = dump->data + dump->at;
    if (end - dump->at < 5)
        return cut(dump, "binary");
    uint64_t size = dump_load(data, 4, 0);
    unsigned subtype = data[4];
    if (size > end - dump->at - 5 && (!(dump_top(dump)->flags & IS_CUT) || size > INT32_MAX))
        return dump_wrong(dump, dump->at, "", "binary of %" PRId32 " bytes, where up to %zu fit", (int32_t)size,
                          end - dump->at - 5);
    if (size > end - dump->at - 5)
        return dump_cut(dump, "binary");
    size_t head = 5, count = (size_t)size;
    if (subtype == 2 && (count < 4 || dump_load(data + 5, 4, 0) != count - 4))
        return dump_wrong(dump, dump->at + 5, "binary",
                          "binary of subtype 2 has its length, less 4, once more before its bytes");
    if (subtype == 2) {
        head += 4;
        count -= 4;
    }
    dump_put(dump, 4, dump_u64(dump, size), "length");
    dump_put(dump, 1, dump_no_value, "subtype %u: %s", subtype, subtype_name(subtype));
    if (subtype == 2)
        dump_put(dump, 4, dump_u64(dump, count), "length once more");
    if (count == 0)
        return WEIR_OK;
    struct dump_value value = subtype == 9 ? vector_value(dump, data + head, count) : dump_bytes(data + head, count);
    dump_put(dump, count, value, "%zu byte%s", count, dump_s(count));
    return WEIR_OK;
}

static void object_id(struct dump *dump) {
    const unsigned char *data = dump->data + dump->at;
    char text[40];
    dump_note(dump, "made %s", dump_time_text((int64_t)dump_load(data, 4, 1), 0, 0, text));
    dump_put(dump, OBJECT_ID_SIZE, dump_bytes(data, OBJECT_ID_SIZE), "ObjectId");
}

/* IEEE 754-2008 decimal128, binary encoding: sign, 14 bits of exponent, 113 of digits. */
static void decimal(struct dump *dump) {
    enum { BIAS = 6176 };
    const unsigned char *data = dump->data + dump->at;
    uint64_t high = dump_load(data + 8, 8, 0);
    int is_negative = high >> 63 != 0;
    unsigned combination = high >> 58 & 31;
    unsigned char digits[DECIMAL_SIZE];
    char text[DUMP_WORDS_MAX];
    if (combination >= 30) {
        const char *sign = is_negative ? "-" : "";
        dump_put(dump, DECIMAL_SIZE,
                 dump_word(dump, "%s%s", combination == 31 ? "" : sign, combination == 31 ? "NaN" : "Infinity"),
                 "decimal128");
        return;
    }
    for (int i = 0; i < DECIMAL_SIZE; i++)
        digits[i] = data[DECIMAL_SIZE - 1 - i];
    int is_large = combination >= 24; /* a coefficient that is not canonical, and means 0 */
    int exponent = (int)(is_large ? high >> 47 & 0x3fff : high >> 49 & 0x3fff) - BIAS;
    digits[0] = 0;
    digits[1] &= 1;
    if (is_large)
        memset(digits, 0, sizeof(digits));
    struct dump_value value = dump_big(dump, digits, sizeof(digits), is_negative, 0);
    snprintf(text, sizeof(text), "%.*se%d", (int)value.size, value.data, exponent);
    dump_put(dump, DECIMAL_SIZE, dump_word(dump, "%s", text), "decimal128");
}

/* A value of a fixed size. */
static int fixed(struct dump *dump, unsigned type, size_t end) {
    static const unsigned char sizes[] = {
        [0x01] = 8, [0x07] = 12, [0x08] = 1, [0x09] = 8, [0x10] = 4, [0x11] = 8, [0x12] = 8, [0x13] = 16};
    const unsigned char *data = dump->data + dump->at;
    char begun[32], text[40];
    snprintf(begun, sizeof(begun), "the %s", type_name(type));
    if (end - dump->at < sizes[type])
        return cut(dump, begun);
    uint64_t bits = dump_load(data, sizes[type] < 8 ? sizes[type] : 8, 0);
    double number;
    memcpy(&number, &bits, sizeof(number));
    switch (type) {
    case 0x01: dump_put(dump, 8, dump_f64(dump, number), "float64"); break;
    case 0x07: object_id(dump); break;
    case 0x08:
        if (bits > 1)
            return dump_wrong(dump, dump->at, "", "byte %02x: a bool is 00 or 01", *data);
        dump_put(dump, 1, dump_json_text(bits ? "true" : "false", bits ? 4 : 5), "bool");
        break;
    case 0x09: {
        int64_t ms = (int64_t)bits, seconds = ms / 1000 - (ms % 1000 < 0);
        if (*dump_time_text(seconds, (uint32_t)(ms - seconds * 1000) * 1000000u, 3, text))
            dump_note(dump, "%s", text);
        dump_put(dump, 8, dump_i64(dump, ms), "time in ms since 1970:");
        break;
    }
    case 0x10: dump_put(dump, 4, dump_i64(dump, (int32_t)(uint32_t)bits), "int32"); break;
    case 0x11:
        dump_note(dump, "count %" PRIu32 ", then seconds: %s", (uint32_t)bits,
                  dump_time_text((int64_t)(bits >> 32), 0, 0, text));
        dump_put(dump, 8, dump_u64(dump, bits), "timestamp");
        break;
    case 0x12: dump_put(dump, 8, dump_i64(dump, (int64_t)bits), "int64"); break;
    default: decimal(dump);
    }
    return WEIR_OK;
}

static int code_with_scope(struct dump *dump, size_t end) {
    enum { MIN = 4 + STRING_MIN + DOCUMENT_MIN };
    int is_cut = dump_top(dump)->flags & IS_CUT;
    if (end - dump->at < MIN)
        return cut(dump, "a code with scope");
    size_t start = dump->at;
    uint64_t size = dump_load(dump->data + dump->at, 4, 0);
    if (size < MIN || (size > end - dump->at && (!is_cut || size > INT32_MAX)))
        return dump_wrong(dump, dump->at, "", "a code with scope of %" PRId32 " bytes, where %d to %zu fit",
                          (int32_t)size, MIN, end - dump->at);
    if (size > end - dump->at)
        return dump_cut(dump, "a code with scope");
    dump_put(dump, 4, dump_no_value, "code with scope of %" PRIu64 " byte%s", size, dump_s(size));
    size_t after = start + (size_t)size;
    if (string(dump, after - DOCUMENT_MIN, "code") != WEIR_OK)
        return dump->status;
    if (dump_load(dump->data + dump->at, 4, 0) != after - dump->at)
        return dump_wrong(dump, dump->at, "", "a scope of %" PRId32 " bytes, where the rest of its code is %zu",
                          (int32_t)dump_load(dump->data + dump->at, 4, 0), after - dump->at);
    return document(dump, SCOPE, after, 0);
}

static int value(struct dump *dump, unsigned type) {
    size_t end = inner_end(dump);
    switch (type) {
    case 0x02: return string(dump, end, "text");
    case 0x03: return document(dump, DOCUMENT, end, 0);
    case 0x04: return document(dump, ARRAY, end, 0);
    case 0x05: return binary(dump, end);
    case 0x06:
    case 0x0a:
    case 0x7f:
    case 0xff: return WEIR_OK; /* their type says all */
    case 0x0b: return c_string(dump, "pattern") == WEIR_OK ? c_string(dump, "options") : dump->status;
    case 0x0c:
        if (string(dump, end, "text") != WEIR_OK)
            return dump->status;
        if (end - dump->at < OBJECT_ID_SIZE)
            return cut(dump, "an ObjectId");
        object_id(dump);
        return WEIR_OK;
    case 0x0d: return string(dump, end, "code");
    case 0x0e: return string(dump, end, "symbol");
    case 0x0f: return code_with_scope(dump, end);
    default: return fixed(dump, type, end);
    }
}

/* An element: type and name are one token, its value others. */
static int element(struct dump *dump) {
    struct dump_level *top = dump_top(dump);
    size_t end = top->end;
    const unsigned char *data = dump->data + dump->at, *name = data + 1;
    unsigned type = data[0];
    const unsigned char *nul = memchr(name, 0, end - dump->at - 1);
    const char *what = type_name(type);
    if (!what)
        return dump_wrong(dump, dump->at, "", "byte %02x is no type of BSON", type);
    if (!nul && top->flags & IS_CUT)
        return dump_cut(dump, "the name of an element");
    size_t size = nul ? (size_t)(nul - name) : end - dump->at - 1, valid = dump_utf8(name, size);
    if (valid < size && top->kind != ARRAY)
        return dump_wrong(dump, dump->at + 1 + valid, "the name of an element", "a name that is not UTF-8");
    if (!nul)
        return cut(dump, "an element");
    top->number++;
    dump->role = top->kind == ARRAY ? DUMP_INDEX : DUMP_KEY;
    dump_note(dump, "type %02x", type);
    dump_put(dump, 1 + size + 1, valid < size ? dump_bytes(name, size) : dump_text(name, size), "%s", what);
    return value(dump, type);
}

static int run(struct dump *dump) {
    size_t base = dump->level_count, items = 0;
    dump->codec = "bson";
    if (dump->at == dump->end)
        return dump_cut(dump, "the size of a document");
    while (!dump_is_done(dump)) {
        if (dump->level_count == base && dump->at == dump->end)
            return dump->status;
        if (dump->level_count == base && dump_is_more(dump, items++))
            return dump->status;
        if (dump->level_count == base)
            document(dump, DOCUMENT, dump->end, 1);
        else if (dump->at >= inner_end(dump) || dump->data[dump->at] == 0) {
            if (dump->at < inner_end(dump))
                return dump_wrong(dump, dump->at, "", "a document ends here, but its size says %zu byte%s later",
                                  inner_end(dump) - dump->at, dump_s(inner_end(dump) - dump->at));
            document_end(dump);
        } else {
            element(dump);
        }
    }
    return dump->status;
}

const struct dump_format dump_bson = {"bson", run};
