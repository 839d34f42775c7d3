/* The table of formats that can be explained, and which of them bytes look like. */
#include <stdio.h>
#include <string.h>

#include "dump.h"

static const struct dump_format *const formats[] = {&dump_json, &dump_cbor, &dump_smile, &dump_bson, &dump_frame};
enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

const struct dump_format *dump_format_find(const char *name) {
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

const char *dump_format_names(void) {
    static char names[80];
    size_t used = 0;
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "", formats[i]->name);
    return names;
}

int dump_is_log(const unsigned char *data, size_t size) {
    static const char magic[8] = "WEIRLOG"; /* docs/spec/file.md */
    return size >= sizeof(magic) && memcmp(data, magic, sizeof(magic)) == 0;
}

/* Whether documents, each with its size before it and a NUL at its end, fill the input. */
static int is_bson(const unsigned char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 5) {
        uint64_t length = dump_load(data + at, 4, 0);
        if (length < 5 || length > size - at || data[at + length - 1] != 0)
            return 0;
        at += (size_t)length;
    }
    return at == size && size > 0;
}

static int begins(const unsigned char *data, size_t size, const char *text) {
    return size >= strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

static int is_json(const unsigned char *data, size_t size) {
    size_t at = begins(data, size, "\xEF\xBB\xBF") ? 3 : 0;
    while (at < size && data[at] && strchr(" \t\r\n", data[at]))
        at++;
    if (at == size)
        return 0;
    if (strchr("{[\"-0123456789", data[at]) && data[at])
        return 1;
    return begins(data + at, size - at, "true") || begins(data + at, size - at, "false") ||
           begins(data + at, size - at, "null");
}

/* In this order, because a JSON digit is also CBOR, and a BSON document of 123 bytes begins with '{'. */
const struct dump_format *dump_recognise(const unsigned char *data, size_t size, const char **ret_why) {
    if (dump_is_frame(data, size)) {
        *ret_why = "as it begins like a frame of weir";
        return &dump_frame;
    }
    if (is_bson(data, size)) {
        *ret_why = "as its sizes fit";
        return &dump_bson;
    }
    if (begins(data, size, ":)\n")) {
        *ret_why = "as it begins with Smile's header";
        return &dump_smile;
    }
    if (begins(data, size, "\xd9\xd9\xf7")) {
        *ret_why = "as it begins with CBOR's mark";
        return &dump_cbor;
    }
    if (is_json(data, size)) {
        *ret_why = "as it begins like a JSON value";
        return &dump_json;
    }
    *ret_why = "as no other format begins like this";
    return &dump_cbor;
}
