/* JSON (RFC 8259) in words: its brackets, names, values, and what stands between them. Any number of values may follow
 * each other.
 *
 * A level is an array or an object; number counts its items. What is due next is the state; where blanks may stand
 * they are a token, joined to the ',' or ':' before them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

enum due { ROOT, FIRST_ITEM, ITEM, FIRST_NAME, NAME, COLON, VALUE, BEHIND };

static int is_blank(unsigned char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int is_digit(unsigned char c) {
    return c >= '0' && c <= '9';
}

static size_t blanks(const struct dump *dump, size_t from) {
    size_t at = from;
    while (at < dump->end && is_blank(dump->data[at]))
        at++;
    return at - from;
}

/* ---- texts ---- */

static int hex_digit(unsigned char c) {
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Match an escape from @at on, as far as it is right: 'x' is any hexadecimal digit, 'h' 8 to B, 'l' C to F, 'n' 0 to
 * 7. */
static size_t escape_match(const struct dump *dump, size_t at, const char *pattern) {
    for (; *pattern && at < dump->end; at++, pattern++) {
        unsigned char c = dump->data[at];
        int digit = hex_digit(c);
        int fits = *pattern == 'x'   ? digit >= 0
                   : *pattern == 'h' ? digit >= 8 && digit <= 11
                   : *pattern == 'l' ? digit >= 12
                   : *pattern == 'n' ? digit >= 0 && digit <= 7
                   : *pattern == 'D' ? (c | 32) == 'd'
                                     : c == (unsigned char)*pattern;
        if (!fits)
            break;
    }
    return at;
}

/* The end of the escape at @at. Return: 0; or 1 with *ret_end at the byte that is wrong, or the end of the input. */
static int escape_end(const struct dump *dump, size_t at, size_t *ret_end) {
    const unsigned char *data = dump->data;
    size_t left = dump->end - at, size = 6;
    const char *pattern = "\\uxxxx";
    *ret_end = at + 1;
    if (left < 2)
        return 1;
    if (data[at + 1] != 'u') {
        int is_known = data[at + 1] && strchr("\"\\/bfnrt", data[at + 1]);
        *ret_end = at + 1 + (size_t)is_known;
        return !is_known;
    }
    if (left >= 4 && (data[at + 2] | 32) == 'd' && hex_digit(data[at + 3]) >= 8) {
        pattern = hex_digit(data[at + 3]) >= 12 ? "\\uDn" : "\\uDhxx\\uDlxx";
        size = 12;
    }
    *ret_end = escape_match(dump, at, pattern);
    return *ret_end < at + size;
}

/* The end of the character at @at, the end of the input when that cuts it off, or @at when it is not UTF-8. */
static size_t character_end(const struct dump *dump, size_t at) {
    const unsigned char *data = dump->data + at;
    size_t left = dump->end - at, size = data[0] < 0xe0 ? 2 : data[0] < 0xf0 ? 3 : 4;
    if (dump_utf8(data, size < left ? size : left) >= (size < left ? size : left))
        return at + size;
    for (size_t i = 0; i < left && i < 4; i++)
        if (i == 3 || data[i] < 0x20 || data[i] == '"')
            return at;
    return dump->end;
}

/* The text that begins at dump->at, as a value or, when @is_name, as a name. */
static int text(struct dump *dump, int is_name) {
    const unsigned char *data = dump->data;
    size_t begin = dump->at, at = begin + 1, escapes = 0;
    const char *begun = is_name ? "a name" : "a text";
    while (at < dump->end && data[at] != '"') {
        size_t next = at + 1;
        if (data[at] == '\\') {
            if (escape_end(dump, at, &next) && next < dump->end)
                return dump_wrong(dump, next, begun, "an escape that is none, or half a surrogate pair");
            escapes++;
        } else if (data[at] < 0x20) {
            return dump_wrong(dump, at, begun, "byte %02x: a control character in a text must be escaped", data[at]);
        } else if (data[at] >= 0x80) {
            next = character_end(dump, at);
            if (next == at)
                return dump_wrong(dump, at, begun, "byte %02x: a text that is not UTF-8", data[at]);
        }
        at = next;
    }
    if (at >= dump->end)
        return dump_cut(dump, begun);
    if (escapes > 0)
        dump_note(dump, "%zu escape%s", escapes, dump_s(escapes));
    dump->role = is_name ? DUMP_KEY : DUMP_ITEM;
    dump_put(dump, at + 1 - begin, dump_json_text(data + begin, at + 1 - begin), "text of %zu byte%s", at - begin - 1,
             dump_s(at - begin - 1));
    return WEIR_OK;
}

/* ---- numbers and words ---- */

static size_t digits_end(const struct dump *dump, size_t at) {
    while (at < dump->end && is_digit(dump->data[at]))
        at++;
    return at;
}

static int digit_missing(struct dump *dump, size_t at) {
    if (at == dump->end)
        return dump_cut(dump, "a number");
    return dump_wrong(dump, at, "a number", "byte %02x where a digit of a number is due", dump->data[at]);
}

static int number(struct dump *dump) {
    const unsigned char *data = dump->data;
    size_t begin = dump->at, at = begin + (data[begin] == '-'), end = digits_end(dump, at);
    int is_float = 0, is_zero = end > at && data[at] == '0';
    if (end == at)
        return digit_missing(dump, at);
    if (is_zero && end - at > 1)
        return dump_wrong(dump, at + 1, "a number", "a digit behind a leading zero");
    size_t integer_digits = end - at;
    if (end < dump->end && data[end] == '.') {
        at = end + 1;
        end = digits_end(dump, at);
        is_float = 1;
        if (end == at)
            return digit_missing(dump, at);
    }
    if (end < dump->end && (data[end] | 32) == 'e') {
        at = end + 1;
        at += at < dump->end && (data[at] == '-' || data[at] == '+');
        end = digits_end(dump, at);
        is_float = 1;
        if (end == at)
            return digit_missing(dump, at);
    }
    int is_minus_zero = !is_float && is_zero && data[begin] == '-';
    if (is_minus_zero)
        dump_note(dump, "minus zero, which only a float64 can be");
    else if (!is_float && integer_digits >= 20)
        dump_note(dump, "%zu digits", integer_digits);
    dump_put(dump, end - begin, dump_json_text(data + begin, end - begin),
             is_float || is_minus_zero ? "float64" : "integer");
    return WEIR_OK;
}

static int word(struct dump *dump) {
    static const char *const words[] = {"true", "false", "null"};
    unsigned char first = dump->data[dump->at];
    for (int i = 0; i < 3; i++) {
        size_t size = 0, length = strlen(words[i]);
        if (first != (unsigned char)words[i][0])
            continue;
        while (size < length && dump->at + size < dump->end &&
               dump->data[dump->at + size] == (unsigned char)words[i][size])
            size++;
        if (size < length && dump->at + size < dump->end)
            return dump_wrong(dump, dump->at + size, "a word", "byte %02x: begun like %s, but no such word",
                              dump->data[dump->at + size], words[i]);
        if (size < length)
            return dump_cut(dump, words[i]);
        dump_put(dump, size, i < 2 ? dump_json_text(words[i], length) : dump_no_value, i < 2 ? "bool" : "null");
        return WEIR_OK;
    }
    return dump_wrong(dump, dump->at, "", "byte %02x where a value is due: { [ \" - 0-9 true false null", first);
}

/* ---- containers and what is between their items ---- */

static enum due begin(struct dump *dump) {
    uint8_t kind = dump->data[dump->at];
    dump_put(dump, 1, dump_no_value, kind == '{' ? "object begins" : "array begins");
    if (!dump_push(dump, kind))
        return BEHIND;
    return kind == '{' ? FIRST_NAME : FIRST_ITEM;
}

static enum due finish(struct dump *dump) {
    struct dump_level *top = dump_top(dump);
    int is_object = top->kind == '{';
    uint64_t count = top->number;
    dump->level_count--;
    dump_put(dump, 1, dump_no_value, "%s ends, with %" PRIu64 " %s%s", is_object ? "object" : "array", count,
             is_object ? "pair" : "item", dump_s(count));
    return BEHIND;
}

/* A ',' or ':' with the blanks behind it. */
static void mark(struct dump *dump, const char *what) {
    size_t count = blanks(dump, dump->at + 1);
    if (count > 0)
        dump_note(dump, "and %zu blank%s", count, dump_s(count));
    dump_put(dump, 1 + count, dump_no_value, "%s", what);
}

static enum due value(struct dump *dump, enum due due) {
    unsigned char first = dump->data[dump->at];
    struct dump_level *top = dump_top(dump);
    if (first == '{' || first == '[') {
        if (due != ROOT && top)
            top->number++;
        return begin(dump);
    }
    int status = first == '"' ? text(dump, 0) : is_digit(first) || first == '-' ? number(dump) : word(dump);
    if (status == WEIR_OK && due != ROOT && top)
        top->number++;
    if (status == WEIR_OK && due == ROOT && first != '"' && dump_left(dump) > 0 && !is_blank(dump->data[dump->at]))
        dump_wrong(dump, dump->at, "", "byte %02x directly behind a number or word", dump->data[dump->at]);
    return BEHIND;
}

/* Behind an item: ',' or the end. */
static enum due behind(struct dump *dump) {
    unsigned char c = dump->data[dump->at];
    int is_object = dump_top(dump)->kind == '{';
    if (c == (is_object ? '}' : ']'))
        return finish(dump);
    if (c != ',') {
        dump_wrong(dump, dump->at, "", "byte %02x where ',' or '%c' is due", c, is_object ? '}' : ']');
        return BEHIND;
    }
    mark(dump, is_object ? "',': another pair follows" : "',': another item follows");
    return is_object ? NAME : ITEM;
}

static enum due name(struct dump *dump, enum due due) {
    unsigned char c = dump->data[dump->at];
    if (c == '}' && due == FIRST_NAME)
        return finish(dump);
    if (c != '"')
        dump_wrong(dump, dump->at, "", "byte %02x where a name in '\"' is due", c);
    else
        text(dump, 1);
    return COLON;
}

static enum due step(struct dump *dump, enum due due, size_t base) {
    unsigned char c = dump->data[dump->at];
    switch (due) {
    case FIRST_NAME:
    case NAME: return name(dump, due);
    case COLON:
        if (c != ':')
            dump_wrong(dump, dump->at, "", "byte %02x where the ':' behind a name is due", c);
        else
            mark(dump, "':': the value follows");
        return VALUE;
    case FIRST_ITEM:
        if (c == ']')
            return finish(dump);
        return value(dump, ITEM);
    case BEHIND:
        if (dump->level_count > base)
            return behind(dump);
        return value(dump, ROOT);
    default: return value(dump, due);
    }
}

static int run(struct dump *dump) {
    size_t base = dump->level_count, items = 0;
    enum due due = ROOT;
    dump->codec = "json";
    if (dump_left(dump) >= 3 && memcmp(dump->data + dump->at, "\xEF\xBB\xBF", 3) == 0)
        dump_put(dump, 3, dump_no_value, "byte order mark: says that this is UTF-8");
    while (!dump_is_done(dump)) {
        size_t count = blanks(dump, dump->at);
        if (count > 0)
            dump_put(dump, count, dump_no_value, "white space, %zu byte%s", count, dump_s(count));
        if (dump->level_count == base && dump->at < dump->end && dump_is_more(dump, items++))
            return dump->status;
        if (dump->at < dump->end)
            due = step(dump, due, base);
        else if (dump->level_count > base)
            return dump_cut(dump, dump_top(dump)->kind == '{' ? "an object" : "an array");
        else if (due == ROOT)
            return dump_wrong(dump, dump->end, "", "the bytes end before a value");
        else
            return dump->status;
    }
    return dump->status;
}

const struct dump_format dump_json = {"json", run};
