/* Comma-separated values, as RFC 4180 describes them, one line at a time.
 *
 * What must stay true: a row of numbers and texts that is written and read again is the same row. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- writing ---- */

static int text_write(weir_view text, weir_buffer *out) {
    int must_quote = text.size == 0;
    for (size_t i = 0; i < text.size && !must_quote; i++)
        must_quote = memchr(",\"\r\n", text.data[i], 4) != NULL;
    /* A text that reads like a number stays a text. */
    must_quote = must_quote || memchr("-0123456789", text.data[0], 11) != NULL;
    if (!must_quote)
        return weir_buffer_append(out, text.data, text.size);
    int status = weir_buffer_append(out, "\"", 1);
    for (size_t i = 0; i < text.size && status == WEIR_OK; i++)
        status = weir_buffer_append(out, text.data[i] == '"' ? "\"\"" : text.data + i, text.data[i] == '"' ? 2 : 1);
    return status ? status : weir_buffer_append(out, "\"", 1);
}

static int field_write(const weir_value *value, weir_buffer *out, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *json = NULL;
    weir_view text;
    if (weir_value_kind(value) == WEIR_KIND_NULL)
        return WEIR_OK;
    if (weir_get_text(value, NULL, &text) == WEIR_OK)
        return text_write(text, out);
    plain.flags = WEIR_PLAIN;
    int status = weir_buffer_new(&json);
    if (status == WEIR_OK)
        status = weir_encode(value, WEIR_CODEC_JSON, &plain, json, err);
    weir_view view = status == WEIR_OK ? weir_buffer_view(json) : (weir_view){0};
    int is_nested = view.size > 0 && memchr("[{\"", view.data[0], 3) != NULL;
    if (status == WEIR_OK)
        status = is_nested ? text_write(view, out) : weir_buffer_append(out, view.data, view.size);
    weir_buffer_free(json);
    return status;
}

static int is_container(const weir_value *value) {
    int kind = weir_value_kind(value);
    return kind == WEIR_KIND_ARRAY || kind == WEIR_KIND_MAP;
}

static int row_write(const weir_value *value, weir_buffer *out, weir_error *err) {
    weir_iter it;
    int status = WEIR_OK, count = 0;
    if (!is_container(value))
        status = field_write(value, out, err);
    weir_iter_init(&it, is_container(value) ? value : NULL);
    while (status == WEIR_OK && weir_iter_next(&it)) {
        status = count++ ? weir_buffer_append(out, ",", 1) : WEIR_OK;
        if (status == WEIR_OK)
            status = field_write(it.value, out, err);
    }
    return status ? status : weir_buffer_append(out, "\n", 1);
}

/* Is every item an array, so that each is a row? */
static int is_table(const weir_value *value) {
    weir_iter it;
    int is_all = weir_value_kind(value) == WEIR_KIND_ARRAY && weir_value_count(value) > 0;
    weir_iter_init(&it, is_all ? value : NULL);
    while (is_all && weir_iter_next(&it))
        is_all = weir_value_kind(it.value) == WEIR_KIND_ARRAY;
    return is_all;
}

static int rows_write(const weir_value *value, weir_buffer *out, weir_error *err) {
    weir_iter it;
    int status = WEIR_OK;
    if (!is_table(value))
        return row_write(value, out, err);
    weir_iter_init(&it, value);
    while (status == WEIR_OK && weir_iter_next(&it))
        status = row_write(it.value, out, err);
    return status;
}

/* Arrays of numbers and raw data have their items in the plain form only. */
int cli_csv_write(const weir_value *value, weir_buffer *out, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *json = NULL;
    weir_doc *doc = NULL;
    if (!value)
        return weir_buffer_append(out, "\n", 1);
    plain.flags = WEIR_PLAIN;
    int status = weir_doc_new(&doc) || weir_buffer_new(&json) ? WEIR_ENOMEM : WEIR_OK;
    if (status == WEIR_OK)
        status = weir_encode(value, WEIR_CODEC_JSON, &plain, json, err);
    weir_view view = status == WEIR_OK ? weir_buffer_view(json) : (weir_view){0};
    if (status == WEIR_OK)
        status = weir_decode(doc, WEIR_CODEC_JSON, view.data, view.size, NULL, NULL, err);
    if (status == WEIR_OK)
        status = rows_write(weir_doc_root(doc), out, err);
    weir_buffer_free(json);
    weir_doc_free(doc);
    return status;
}

/* ---- reading ---- */

/* Append a field in quotes to @text, "" as one quote. Return: bytes of the line that it takes, 0 when it does not
 * end. */
static size_t quoted_read(weir_view line, weir_buffer *text) {
    for (size_t i = 1; i < line.size; i++) {
        int is_quote = line.data[i] == '"';
        if (is_quote && (i + 1 == line.size || line.data[i + 1] != '"'))
            return i + 1;
        i += (size_t)is_quote;
        if (weir_buffer_append(text, line.data + i, 1))
            return 0;
    }
    return 0;
}

/* A field without quotes: null, a number, or text. */
static void field_put(weir_doc *doc, weir_doc *scratch, weir_view field) {
    int is_number = field.size > 0 && memchr("-0123456789", field.data[0], 11) != NULL &&
                    weir_decode(scratch, WEIR_CODEC_JSON, field.data, field.size, NULL, NULL, NULL) == WEIR_OK;
    if (is_number)
        weir_put_value(doc, weir_doc_root(scratch));
    else if (field.size == 0)
        weir_put_null(doc);
    else
        weir_put_text(doc, field.data, field.size);
}

/* One field and the comma behind it. Return: bytes, 0 when there is no right one. */
static size_t field_read(weir_view line, weir_doc *doc, weir_doc *scratch, weir_buffer *text) {
    size_t size;
    if (line.size > 0 && line.data[0] == '"') {
        weir_buffer_clear(text);
        size = quoted_read(line, text);
        if (size == 0 || (size < line.size && line.data[size] != ','))
            return 0;
        weir_put_text(doc, weir_buffer_view(text).data, weir_buffer_view(text).size);
        return size + 1;
    }
    const char *comma = line.size ? memchr(line.data, ',', line.size) : NULL;
    size = comma ? (size_t)(comma - line.data) : line.size;
    field_put(doc, scratch, (weir_view){line.data, size});
    return size + 1;
}

static int row_read(weir_view line, weir_doc *doc, weir_doc *scratch, weir_buffer *text) {
    size_t at = 0;
    weir_doc_clear(doc);
    weir_begin_array(doc);
    while (at <= line.size) { /* behind a last comma is one more, empty field */
        size_t size = field_read((weir_view){line.data + at, line.size - at}, doc, scratch, text);
        if (size == 0)
            return WEIR_EPARSE;
        at += size;
    }
    weir_end(doc);
    return WEIR_OK;
}

int cli_csv_read(weir_view line, weir_doc *doc, const weir_value **ret, weir_error *err) {
    weir_doc *scratch = NULL;
    weir_buffer *text = NULL;
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    int status = weir_doc_new(&scratch) || weir_buffer_new(&text) ? WEIR_ENOMEM : row_read(line, doc, scratch, text);
    if (status == WEIR_OK)
        status = weir_doc_finish(doc, ret, err);
    weir_doc_free(scratch);
    weir_buffer_free(text);
    return status == WEIR_OK || status == WEIR_ENOMEM ? status : WEIR_EPARSE;
}
