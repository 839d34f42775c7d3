/* Smile 1.0.7 in words: header, tokens, and the two tables that its references point into.
 *
 * A level is an array or an object; number says whether an object's value is due. A name or short text that stands in
 * full takes the next index of its table, whether or not it is ever referred to; an entry for a full table empties the
 * table first. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

enum { ARRAY = 1, OBJECT = 2, TABLE_MAX = 1024, PACKED_SHOWN = 4096 };
enum { SHARED_NAMES = 1, SHARED_VALUES = 2, RAW_BINARY = 4 };

struct table {
    uint32_t count;
    struct {
        const unsigned char *text;
        size_t size;
    } items[TABLE_MAX];
};

struct smile {
    struct dump *dump;
    unsigned flags;
    int has_begun; /* a header or value came, and no end marker since */
    struct table names;
    struct table values;
};

static uint32_t table_add(struct table *table, const unsigned char *text, size_t size) {
    if (table->count == TABLE_MAX)
        table->count = 0;
    table->items[table->count].text = text;
    table->items[table->count].size = size;
    return table->count++;
}

/* ---- varints: 7 bits a byte, most significant first; the last byte has bit 7 set and carries 6 ---- */

/* Read one at @at of at most @bits bits, 32 or 64. Return: WEIR_OK with *ret_end behind it, or the failure noted. */
static int varint(struct dump *dump, size_t at, unsigned bits, const char *begun, uint64_t *ret, size_t *ret_end) {
    uint64_t number = 0;
    size_t last = at + (bits + 7) / 7;
    for (;; at++) {
        if (at == dump->end)
            return dump_cut(dump, begun);
        unsigned byte = dump->data[at], is_last = byte >> 7, width = is_last ? 6 : 7;
        if (at == last)
            return dump_wrong(dump, at, begun, "a varint of %u bits takes at most %u bytes", bits, (bits + 7) / 7);
        if (is_last && byte & 0x40)
            return dump_wrong(dump, at, begun, "byte %02x: the last byte of a varint has bit 6 clear", byte);
        if (number >> (bits - width) != 0)
            return dump_wrong(dump, at, begun, "a varint beyond %u bits", bits);
        number = number << width | (byte & (is_last ? 0x3f : 0x7f));
        if (is_last)
            break;
    }
    *ret = number;
    *ret_end = at + 1;
    return WEIR_OK;
}

static int64_t zigzag(uint64_t number) {
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* ---- 7 bits in each byte ---- */

static size_t packed_size(size_t size) {
    return size / 7 * 8 + (size % 7 ? size % 7 + 1 : 0);
}

/* Whether @size bytes at @at have their high bit clear. Return: WEIR_OK, or the failure noted. */
static int septets_check(struct dump *dump, size_t at, size_t size, const char *begun) {
    for (size_t i = at; i < at + size; i++)
        if (dump->data[i] & 0x80)
            return dump_wrong(dump, i, begun, "byte %02x where bytes of 7 bits, 00 to 7f, are due", dump->data[i]);
    return WEIR_OK;
}

/* Unpack the first bytes of @size ones at @at. Return: how many. */
static size_t unpack(const unsigned char *at, size_t size, unsigned char *to, size_t room) {
    size_t done = 0;
    while (done < size && done < room) {
        size_t count = size - done < 7 ? size - done : 7;
        uint64_t bits = 0;
        for (size_t i = 0; i < count; i++)
            bits = bits << 7 | (at[i] & 0x7f);
        bits = bits << count | (at[count] & ((1u << count) - 1));
        for (size_t i = 0; i < count && done < room; i++)
            to[done++] = (unsigned char)(bits >> 8 * (count - 1 - i));
        at += count + 1;
    }
    return done;
}

/* @size bytes packed at @at: the first of them, in the scratch. */
static struct dump_value packed_bytes(struct dump *dump, const unsigned char *at, size_t size) {
    struct dump_value value = dump_bytes(dump->scratch, unpack(at, size, (unsigned char *)dump->scratch, PACKED_SHOWN));
    value.more = size - value.size;
    return value;
}

/* Two's complement, most significant byte first, as a decimal integer. */
static struct dump_value packed_integer(struct dump *dump, const unsigned char *at, size_t size) {
    unsigned char bytes[64];
    if (size > sizeof(bytes))
        return packed_bytes(dump, at, size);
    unpack(at, size, bytes, sizeof(bytes));
    int is_negative = size > 0 && bytes[0] & 0x80;
    for (size_t i = 0; is_negative && i < size; i++)
        bytes[i] = (unsigned char)~bytes[i];
    return dump_big(dump, bytes, size, is_negative, is_negative);
}

/* ---- sections ---- */

static int header(struct smile *smile) {
    struct dump *dump = smile->dump;
    static const unsigned char magic[] = {0x3a, 0x29, 0x0a};
    size_t same = 0;
    while (same < 3 && same < dump_left(dump) && dump->data[dump->at + same] == magic[same])
        same++;
    if (same < 3 && same < dump_left(dump))
        return dump_wrong(dump, dump->at + same, "the header", "byte %02x where the header 3a 29 0a has %02x",
                          dump->data[dump->at + same], magic[same]);
    if (dump_left(dump) < 4)
        return dump_cut(dump, "the header");
    unsigned flags = dump->data[dump->at + 3];
    if (flags >> 4 != 0)
        return dump_wrong(dump, dump->at + 3, "the header", "Smile of version %u; there is only 0", flags >> 4);
    dump_put(dump, 3, dump_no_value, "header: \":)\" and a line end");
    if (flags & 8)
        dump_note(dump, "bit 3 is reserved");
    dump_put(dump, 1, dump_no_value, "version 0, names %sshared, values %sshared, raw binary %sallowed",
             flags & SHARED_NAMES ? "" : "not ", flags & SHARED_VALUES ? "" : "not ", flags & RAW_BINARY ? "" : "not ");
    smile->flags = flags;
    smile->names.count = smile->values.count = 0;
    return WEIR_OK;
}

/* ---- texts ---- */

/* Say a text of @size bytes behind a token of @head bytes. @tail: 1 for the FC of a long one. @table: nullable. */
static int text(struct smile *smile, size_t head, size_t size, size_t tail, int is_ascii, struct table *table) {
    struct dump *dump = smile->dump;
    const unsigned char *data = dump->data + dump->at + head;
    const char *name = table == &smile->names ? "name" : "value";
    size_t valid = dump_utf8(data, size);
    char words[64];
    snprintf(words, sizeof(words), "%s%s of %zu byte%s", tail ? "long " : "", is_ascii ? "ASCII text" : "text", size,
             dump_s(size));
    if (is_ascii && dump_ascii(data, size) < size)
        return dump_wrong(dump, dump->at + head + dump_ascii(data, size), words, "byte %02x in a text marked as ASCII",
                          data[dump_ascii(data, size)]);
    if (valid < size)
        return dump_wrong(dump, dump->at + head + valid, words, "a text that is not UTF-8");
    if (table && smile->flags & (table == &smile->names ? SHARED_NAMES : SHARED_VALUES))
        dump_note(dump, "now shared %s %u", name, table_add(table, data, size));
    if (tail)
        dump_note(dump, "fc ends it");
    dump_put(dump, head + size + tail, dump_text(data, size), "%s", words);
    return WEIR_OK;
}

static int short_text(struct smile *smile, size_t size, int is_ascii, struct table *table) {
    struct dump *dump = smile->dump;
    char words[48];
    if (dump_left(dump) - 1 >= size)
        return text(smile, 1, size, 0, is_ascii, table);
    snprintf(words, sizeof(words), "%s of %zu byte%s", is_ascii ? "ASCII text" : "text", size, dump_s(size));
    return dump_cut(dump, words);
}

static int long_text(struct smile *smile, int is_ascii, struct table *table) {
    struct dump *dump = smile->dump;
    const unsigned char *data = dump->data + dump->at + 1;
    const unsigned char *end = memchr(data, 0xfc, dump_left(dump) - 1);
    size_t left = dump_left(dump) - 1, valid = is_ascii ? dump_ascii(data, left) : dump_utf8(data, left);
    if (!end && valid + 4 > left)
        return dump_cut(dump, "a long text, which fc would end");
    if (!end)
        return dump_wrong(dump, dump->at + 1 + valid, "a long text", "a text that is not UTF-8");
    return text(smile, 1, (size_t)(end - data), 1, is_ascii, table);
}

static int reference(struct smile *smile, struct table *table, uint32_t index, size_t size) {
    struct dump *dump = smile->dump;
    const char *name = table == &smile->names ? "name" : "value";
    if (!(smile->flags & (table == &smile->names ? SHARED_NAMES : SHARED_VALUES)))
        return dump_wrong(dump, dump->at, "", "a reference to shared %s %u, but here %ss are not shared", name, index,
                          name);
    if (index >= table->count)
        return dump_wrong(dump, dump->at, "", "a reference to shared %s %u, but there are only %u", name, index,
                          table->count);
    dump_put(dump, size, dump_text(table->items[index].text, table->items[index].size), "shared %s %u", name, index);
    return WEIR_OK;
}

static int long_reference(struct smile *smile, struct table *table) {
    struct dump *dump = smile->dump;
    if (dump_left(dump) < 2)
        return dump_cut(dump, "a reference");
    return reference(smile, table, (dump->data[dump->at] & 3u) << 8 | dump->data[dump->at + 1], 2);
}

/* ---- numbers and binary ---- */

static int integer(struct dump *dump, unsigned bits) {
    uint64_t number;
    size_t end;
    if (varint(dump, dump->at + 1, bits, bits == 32 ? "an int32" : "an int64", &number, &end) != WEIR_OK)
        return dump->status;
    dump_note(dump, "varint %" PRIu64 ", zigzag", number);
    dump_put(dump, end - dump->at, dump_i64(dump, zigzag(number)), "int%u", bits);
    return WEIR_OK;
}

static int packed_float(struct dump *dump, unsigned bits) {
    size_t size = bits == 32 ? 5 : 10;
    uint64_t number = 0;
    char begun[16];
    snprintf(begun, sizeof(begun), "a float%u", bits);
    if (dump_left(dump) - 1 < size)
        return dump_cut(dump, begun);
    if (septets_check(dump, dump->at + 1, size, begun) != WEIR_OK)
        return dump->status;
    for (size_t i = 0; i < size; i++)
        number = number << 7 | (dump->data[dump->at + 1 + i] & 0x7f);
    uint32_t low = (uint32_t)number;
    float single;
    double as_double;
    memcpy(&single, &low, sizeof(single));
    memcpy(&as_double, &number, sizeof(as_double));
    dump_note(dump, "7 bits in each byte");
    dump_put(dump, 1 + size, bits == 32 ? dump_f32(dump, single) : dump_f64(dump, as_double), "float%u", bits);
    return WEIR_OK;
}

/* The count of bytes at *at, and whether those are there, in packed form or as they are. */
static int sized(struct dump *dump, size_t *at, int is_packed, const char *begun, size_t *ret_count, size_t *ret_size) {
    uint64_t count;
    if (varint(dump, *at, 32, begun, &count, at) != WEIR_OK)
        return dump->status;
    *ret_count = (size_t)count;
    *ret_size = is_packed ? packed_size((size_t)count) : (size_t)count;
    if (*ret_size > dump->end - *at) {
        dump_note(dump, "%" PRIu64 " byte%s announced", count, count == 1 ? " is" : "s are");
        return dump_cut(dump, begun);
    }
    return is_packed ? septets_check(dump, *at, *ret_size, begun) : WEIR_OK;
}

static int big_integer(struct dump *dump) {
    size_t at = dump->at + 1, count, size;
    if (sized(dump, &at, 1, "a big integer", &count, &size) != WEIR_OK)
        return dump->status;
    if (count == 0)
        return dump_wrong(dump, dump->at + 1, "a big integer", "a big integer without bytes; 0 has one");
    dump_note(dump, "%zu byte%s, 7 bits in each of %zu", count, dump_s(count), size);
    dump_put(dump, at + size - dump->at, packed_integer(dump, dump->data + at, count), "big integer");
    return WEIR_OK;
}

static int decimal(struct dump *dump) {
    size_t at = dump->at + 1, count, size;
    uint64_t scale;
    if (varint(dump, at, 32, "a decimal", &scale, &at) != WEIR_OK ||
        sized(dump, &at, 1, "a decimal", &count, &size) != WEIR_OK)
        return dump->status;
    if (count == 0)
        return dump_wrong(dump, at - 1, "a decimal", "a decimal without digits; 0 has one byte");
    struct dump_value digits = packed_integer(dump, dump->data + at, count);
    dump_note(dump, "digits x 10^%" PRId64 ", %zu byte%s of digits", -zigzag(scale), count, dump_s(count));
    dump_put(dump, at + size - dump->at, digits, "decimal with the digits");
    return WEIR_OK;
}

static int binary(struct smile *smile, int is_packed) {
    struct dump *dump = smile->dump;
    size_t at = dump->at + 1, count, size;
    if (sized(dump, &at, is_packed, "binary", &count, &size) != WEIR_OK)
        return dump->status;
    if (is_packed)
        dump_note(dump, "7 bits in each of %zu", size);
    else if (!(smile->flags & RAW_BINARY))
        dump_note(dump, "raw, though the header does not allow it");
    else
        dump_note(dump, "raw");
    const unsigned char *data = dump->data + at;
    dump_put(dump, at + size - dump->at, is_packed ? packed_bytes(dump, data, count) : dump_bytes(data, count),
             "%zu byte%s", count, dump_s(count));
    return WEIR_OK;
}

/* ---- names and values ---- */

static int name(struct smile *smile) {
    struct dump *dump = smile->dump;
    unsigned byte = dump->data[dump->at];
    dump->role = DUMP_KEY;
    if (byte == 0xfb) {
        dump->role = DUMP_ITEM;
        dump->level_count--;
        dump_put(dump, 1, dump_no_value, "object ends");
        return WEIR_OK;
    }
    struct dump_level *top = dump_top(dump);
    top->number = 1;
    if (byte == 0x20)
        return text(smile, 1, 0, 0, 1, NULL);
    if (byte >= 0x30 && byte <= 0x33)
        return long_reference(smile, &smile->names);
    if (byte == 0x34)
        return long_text(smile, 0, &smile->names);
    if (byte >= 0x40 && byte <= 0x7f)
        return reference(smile, &smile->names, byte & 0x3f, 1);
    if (byte >= 0x80 && byte <= 0xbf)
        return short_text(smile, (byte & 0x3f) + 1, 1, &smile->names);
    if (byte >= 0xc0 && byte <= 0xf7)
        return short_text(smile, byte - 0xc0 + 2, 0, &smile->names);
    return dump_wrong(dump, dump->at, "", "byte %02x where a name, or fb for the end of the object, is due", byte);
}

static int container(struct dump *dump, uint8_t kind) {
    dump_put(dump, 1, dump_no_value, kind == ARRAY ? "array begins, until f9" : "object begins, until fb");
    return dump_push(dump, kind) ? WEIR_OK : dump->status;
}

static int array_end(struct dump *dump) {
    struct dump_level *top = dump_top(dump);
    if (!top || top->kind != ARRAY)
        return dump_wrong(dump, dump->at, "", "byte f9, the end of an array, where a value is due");
    dump->level_count--;
    dump_put(dump, 1, dump_no_value, "array ends");
    return WEIR_OK;
}

static int rare_value(struct smile *smile, unsigned byte) {
    struct dump *dump = smile->dump;
    switch (byte) {
    case 0x20: return text(smile, 1, 0, 0, 1, NULL);
    case 0x21: dump_put(dump, 1, dump_no_value, "null"); return WEIR_OK;
    case 0x22: dump_put(dump, 1, dump_json_text("false", 5), "bool"); return WEIR_OK;
    case 0x23: dump_put(dump, 1, dump_json_text("true", 4), "bool"); return WEIR_OK;
    case 0x24: return integer(dump, 32);
    case 0x25: return integer(dump, 64);
    case 0x26: return big_integer(dump);
    case 0x28: return packed_float(dump, 32);
    case 0x29: return packed_float(dump, 64);
    case 0x2a: return decimal(dump);
    case 0xe0: return long_text(smile, 1, NULL);
    case 0xe4: return long_text(smile, 0, NULL);
    case 0xe8: return binary(smile, 1);
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef: return long_reference(smile, &smile->values);
    case 0xf8: return container(dump, ARRAY);
    case 0xf9: return array_end(dump);
    case 0xfa: return container(dump, OBJECT);
    case 0xfd: return binary(smile, 0);
    default: return dump_wrong(dump, dump->at, "", "byte %02x begins no value", byte);
    }
}

static int value(struct smile *smile) {
    struct dump *dump = smile->dump;
    unsigned byte = dump->data[dump->at];
    struct dump_level *top = dump_top(dump);
    if (top && top->kind == OBJECT)
        top->number = 0;
    if (byte >= 0x01 && byte <= 0x1f)
        return reference(smile, &smile->values, byte - 1, 1);
    if (byte >= 0x40 && byte <= 0x7f)
        return short_text(smile, (byte & 0x3f) + 1, 1, &smile->values);
    if (byte >= 0x80 && byte <= 0xbf)
        return short_text(smile, (byte & 0x3f) + 2, 0, &smile->values);
    if (byte >= 0xc0 && byte <= 0xdf) {
        dump_note(dump, "zigzag in the low 5 bits");
        dump_put(dump, 1, dump_i64(dump, zigzag(byte & 0x1f)), "integer");
        return WEIR_OK;
    }
    return rare_value(smile, byte);
}

static void at_root(struct smile *smile) {
    struct dump *dump = smile->dump;
    unsigned byte = dump->data[dump->at];
    if (byte == 0xff && !smile->has_begun) {
        dump_wrong(dump, dump->at, "", "byte ff, the end of content, and none before it");
        return;
    }
    smile->has_begun = byte != 0xff;
    if (byte == 0x3a) {
        header(smile);
    } else if (byte == 0xff) {
        smile->names.count = smile->values.count = 0;
        dump_put(dump, 1, dump_no_value, "end of the content");
    } else {
        value(smile);
    }
}

static int run(struct dump *dump) {
    struct smile smile = {.dump = dump, .flags = SHARED_NAMES};
    size_t base = dump->level_count, items = 0;
    dump->codec = "smile";
    while (!dump_is_done(dump)) {
        struct dump_level *top = dump->level_count > base ? dump_top(dump) : NULL;
        if (dump->at == dump->end)
            return top ? dump_cut(dump, top->kind == ARRAY ? "an array" : "an object") : dump->status;
        if (!top && dump->data[dump->at] != 0x3a && dump->data[dump->at] != 0xff && dump_is_more(dump, items++))
            return dump->status;
        if (!top)
            at_root(&smile);
        else if (top->kind == OBJECT && !top->number)
            name(&smile);
        else
            value(&smile);
    }
    return dump->status;
}

const struct dump_format dump_smile = {"smile", run};
