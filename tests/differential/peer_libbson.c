/* libbson: documents as its validation and iterator have them, and what it appends of them anew. */
#include <bson/bson.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

enum { DEPTH_MAX = 64, OBJECT_ID_SIZE = 12, BINARY_TAG = 0x500 };

/* The document that is wrong where validation did not look; NULL for none. */
static const char *problem;

static void put_document(bson_iter_t *iter, int is_array, int depth, struct text *out, bson_t *again);

/* ---- one element: the neutral text, and the element appended to @again ---- */

static void put_binary(const bson_iter_t *iter, struct text *out) {
    bson_subtype_t subtype;
    uint32_t size;
    const uint8_t *data;
    bson_iter_binary(iter, &subtype, &size, &data);
    if (subtype != BSON_SUBTYPE_BINARY)
        text_print(out, "{\"$bson\":[%d,", BINARY_TAG + subtype);
    text_hex(out, "bin", data, size);
    if (subtype != BSON_SUBTYPE_BINARY)
        text_print(out, "]}");
}

static void put_decimal(const bson_iter_t *iter, struct text *out) {
    bson_decimal128_t decimal;
    unsigned char bytes[16];
    bson_iter_decimal128(iter, &decimal);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(decimal.low >> 8 * i);
        bytes[8 + i] = (unsigned char)(decimal.high >> 8 * i);
    }
    text_hex(out, "decimal128", bytes, sizeof(bytes));
}

static void put_regex(const bson_iter_t *iter, struct text *out) {
    const char *options;
    const char *pattern = bson_iter_regex(iter, &options);
    text_print(out, "{\"$bson\":[11,[");
    text_quote(out, pattern, strlen(pattern));
    text_put(out, ",", 1);
    text_quote(out, options, strlen(options));
    text_print(out, "]]}");
}

static void put_pointer(const bson_iter_t *iter, struct text *out) {
    uint32_t size;
    const char *name;
    const bson_oid_t *id;
    bson_iter_dbpointer(iter, &size, &name, &id);
    text_print(out, "{\"$bson\":[12,[");
    text_quote(out, name, size);
    text_put(out, ",", 1);
    text_hex(out, "bin", id->bytes, OBJECT_ID_SIZE);
    text_print(out, "]]}");
}

static void put_code(const bson_iter_t *iter, struct text *out) {
    uint32_t size;
    int is_symbol = BSON_ITER_HOLDS_SYMBOL(iter);
    const char *code = is_symbol ? bson_iter_symbol(iter, &size) : bson_iter_code(iter, &size);
    text_print(out, "{\"$bson\":[%d,", is_symbol ? 14 : 13);
    text_quote(out, code, size);
    text_print(out, "]}");
}

static void put_scope(const bson_iter_t *iter, int depth, struct text *out) {
    uint32_t size, scope_size;
    const uint8_t *scope;
    bson_iter_t inside;
    const char *code = bson_iter_codewscope(iter, &size, &scope_size, &scope);
    text_print(out, "{\"$bson\":[15,[");
    text_quote(out, code, size);
    text_put(out, ",", 1);
    if (bson_iter_init_from_data(&inside, scope, scope_size))
        put_document(&inside, 0, depth + 1, out, NULL);
    else
        problem = "a scope that is no document";
    text_print(out, "]]}");
}

static void put_timestamp(const bson_iter_t *iter, struct text *out) {
    uint32_t seconds, counter;
    bson_iter_timestamp(iter, &seconds, &counter);
    text_print(out, "{\"$bson\":[17,%" PRIu64 "]}", (uint64_t)seconds << 32 | counter);
}

static void put_string(const bson_iter_t *iter, struct text *out) {
    uint32_t size;
    const char *text = bson_iter_utf8(iter, &size);
    text_quote(out, text, size);
}

static void put_scalar(const bson_iter_t *iter, int depth, struct text *out) {
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_DOUBLE: text_f64(out, bson_iter_double(iter)); break;
    case BSON_TYPE_UTF8: put_string(iter, out); break;
    case BSON_TYPE_BINARY: put_binary(iter, out); break;
    case BSON_TYPE_UNDEFINED: text_print(out, "{\"$undefined\":true}"); break;
    case BSON_TYPE_OID:
        text_print(out, "{\"$bson\":[7,");
        text_hex(out, "bin", bson_iter_oid(iter)->bytes, OBJECT_ID_SIZE);
        text_print(out, "]}");
        break;
    case BSON_TYPE_BOOL: text_print(out, bson_iter_bool(iter) ? "true" : "false"); break;
    case BSON_TYPE_DATE_TIME: text_print(out, "{\"$ms\":%" PRId64 "}", bson_iter_date_time(iter)); break;
    case BSON_TYPE_NULL: text_print(out, "null"); break;
    case BSON_TYPE_REGEX: put_regex(iter, out); break;
    case BSON_TYPE_DBPOINTER: put_pointer(iter, out); break;
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL: put_code(iter, out); break;
    case BSON_TYPE_CODEWSCOPE: put_scope(iter, depth, out); break;
    case BSON_TYPE_INT32: text_print(out, "%" PRId32, bson_iter_int32(iter)); break;
    case BSON_TYPE_TIMESTAMP: put_timestamp(iter, out); break;
    case BSON_TYPE_INT64: text_print(out, "%" PRId64, bson_iter_int64(iter)); break;
    case BSON_TYPE_DECIMAL128: put_decimal(iter, out); break;
    default: text_print(out, "{\"$bson\":[%d,null]}", bson_iter_type(iter) == BSON_TYPE_MAXKEY ? 127 : 255);
    }
}

static void put_nested(bson_iter_t *iter, int depth, struct text *out, bson_t *again) {
    int is_array = BSON_ITER_HOLDS_ARRAY(iter);
    const char *name = bson_iter_key(iter);
    int name_size = (int)bson_iter_key_len(iter);
    bson_t child;
    bson_iter_t inside;
    if (!bson_iter_recurse(iter, &inside)) {
        problem = "a document inside that is none";
        return;
    }
    if (!again) {
        put_document(&inside, is_array, depth + 1, out, NULL);
        return;
    }
    if (is_array)
        bson_append_array_begin(again, name, name_size, &child);
    else
        bson_append_document_begin(again, name, name_size, &child);
    put_document(&inside, is_array, depth + 1, out, &child);
    if (is_array)
        bson_append_array_end(again, &child);
    else
        bson_append_document_end(again, &child);
}

static void put_document(bson_iter_t *iter, int is_array, int depth, struct text *out, bson_t *again) {
    int is_first = 1;
    if (depth > DEPTH_MAX) {
        problem = "deeper than the limit that this peer has";
        return;
    }
    text_print(out, is_array ? "[" : "{\"$obj\":[");
    while (!problem && bson_iter_next(iter)) {
        text_put(out, ",", !is_first);
        is_first = 0;
        if (!is_array) {
            text_put(out, "[", 1);
            text_quote(out, bson_iter_key(iter), bson_iter_key_len(iter));
            text_put(out, ",", 1);
        }
        if (BSON_ITER_HOLDS_ARRAY(iter) || BSON_ITER_HOLDS_DOCUMENT(iter))
            put_nested(iter, depth, out, again);
        else {
            put_scalar(iter, depth, out);
            if (again && !bson_append_iter(again, NULL, 0, iter))
                problem = "an element that cannot be appended";
        }
        text_put(out, "]", !is_array);
    }
    if (iter->err_off != 0)
        problem = "an element that the iterator does not read";
    text_print(out, is_array ? "]" : "]}");
}

/* ---- random documents ---- */

static void append_any(bson_t *to, const char *name, int size, uint64_t *state, unsigned depth);

static void append_documents(bson_t *to, const char *name, int size, uint64_t *state, unsigned depth) {
    char key[80];
    bson_t child;
    int is_array = (int)draw_below(state, 2);
    if (is_array)
        bson_append_array_begin(to, name, size, &child);
    else
        bson_append_document_begin(to, name, size, &child);
    uint64_t count = draw_below(state, 6);
    for (uint64_t i = 0; i < count; i++) {
        size_t key_size = is_array ? (size_t)sprintf(key, "%d", (int)i) : draw_text(state, key, sizeof(key));
        append_any(&child, key, (int)key_size, state, depth - 1);
    }
    if (is_array)
        bson_append_array_end(to, &child);
    else
        bson_append_document_end(to, &child);
}

static void append_binary(bson_t *to, const char *name, int size, uint64_t *state) {
    static const bson_subtype_t subtypes[] = {BSON_SUBTYPE_BINARY, BSON_SUBTYPE_BINARY, BSON_SUBTYPE_BINARY_DEPRECATED,
                                              BSON_SUBTYPE_UUID, BSON_SUBTYPE_USER};
    char data[300];
    size_t data_size = draw_text(state, data, sizeof(data));
    bson_append_binary(to, name, size, subtypes[draw_below(state, 5)], (const uint8_t *)data, (uint32_t)data_size);
}

static void append_own(bson_t *to, const char *name, int size, uint64_t *state) {
    char text[64];
    bson_oid_t id;
    bson_decimal128_t decimal = {.low = draw(state), .high = draw(state)};
    size_t text_size = draw_text(state, text, sizeof(text) - 1);
    text[text_size] = '\0';
    for (int i = 0; i < OBJECT_ID_SIZE; i++)
        id.bytes[i] = (uint8_t)draw(state);
    switch (draw_below(state, 10)) {
    case 0: bson_append_oid(to, name, size, &id); break;
    case 1: bson_append_regex(to, name, size, text, "im"); break;
    case 2: bson_append_dbpointer(to, name, size, text, &id); break;
    case 3: bson_append_code(to, name, size, text); break;
    case 4: bson_append_symbol(to, name, size, text, (int)text_size); break;
    case 5: bson_append_timestamp(to, name, size, (uint32_t)draw(state), (uint32_t)draw(state)); break;
    case 6: bson_append_decimal128(to, name, size, &decimal); break;
    case 7: bson_append_maxkey(to, name, size); break;
    case 8: bson_append_minkey(to, name, size); break;
    default: {
        bson_t scope = BSON_INITIALIZER;
        bson_append_int64(&scope, "x", 1, draw_integer(state));
        bson_append_code_with_scope(to, name, size, text, &scope);
        bson_destroy(&scope);
    }
    }
}

static void append_any(bson_t *to, const char *name, int size, uint64_t *state, unsigned depth) {
    char text[300];
    switch (draw_below(state, depth > 0 ? 14 : 10)) {
    case 0: bson_append_null(to, name, size); break;
    case 1: bson_append_bool(to, name, size, draw_below(state, 2) != 0); break;
    case 2: bson_append_int32(to, name, size, (int32_t)draw_integer(state)); break;
    case 3: bson_append_int64(to, name, size, draw_integer(state)); break;
    case 4: bson_append_double(to, name, size, draw_float(state)); break;
    case 5: bson_append_utf8(to, name, size, text, (int)draw_text(state, text, sizeof(text))); break;
    case 6: append_binary(to, name, size, state); break;
    case 7: bson_append_date_time(to, name, size, draw_integer(state)); break;
    case 8: bson_append_undefined(to, name, size); break;
    case 9: append_own(to, name, size, state); break;
    default: append_documents(to, name, size, state, depth);
    }
}

static void generate(uint64_t state, bson_t *document) {
    uint64_t count = draw_below(&state, 8);
    for (uint64_t i = 0; i < count; i++) {
        char key[80];
        size_t size = draw_text(&state, key, sizeof(key));
        append_any(document, key, (int)size, &state, 6);
    }
}

/* ---- requests ---- */

static void answer_document(const bson_t *document, int is_generated) {
    struct text out = {0};
    bson_t again = BSON_INITIALIZER;
    bson_iter_t iter;
    problem = NULL;
    if (bson_iter_init(&iter, document))
        put_document(&iter, 0, 1, &out, &again);
    else
        problem = "no document";
    const bson_t *written = is_generated ? document : &again;
    if (problem)
        answer_no(problem);
    else
        answer_yes(&out, bson_get_data(written), written->len);
    bson_destroy(&again);
    free(out.data);
}

static void answer(const unsigned char *request, size_t size) {
    bson_t document = BSON_INITIALIZER;
    bson_error_t error;
    if (*request == 'g') {
        generate(number_at(request + 1, 8), &document);
        answer_document(&document, 1);
        bson_destroy(&document);
        return;
    }
    if (!bson_init_static(&document, request + 1, size - 1))
        answer_no("no document");
    else if (!bson_validate_with_error(&document, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, &error))
        answer_no(error.message[0] ? error.message : "validation found it wrong");
    else
        answer_document(&document, 0);
}

int main(void) {
    return frames_serve("libbson " BSON_VERSION_S, answer);
}
