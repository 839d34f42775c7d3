/* Types of raw data, and structs of them. The input is a type up to its first line end, then bytes.
 *   1. A type is refused with a sentence, or its canonical text reads back as the same.
 *   2. Bytes of the type's size become a document of just so many cells as the type foretells, which encodes to bytes
 *   that decode to it again.
 *   3. The bytes taken as JSON either fit the type or are refused with a sentence; and they are an array of numbers or
 *   not. */
#include "fuzz.h"

#include "codec/raw/raw.h"

enum { SIZE_MAX_TRIED = 1 << 16, CELLS_MAX = 1 << 14 };

static void check_text(const weir_type *type) {
    weir_view text = weir_type_text(type);
    weir_type *again = NULL;
    MUST(weir_type_new(text.data, text.size, &again, NULL) == WEIR_OK);
    MUST(weir_type_size(again) == weir_type_size(type) && strcmp(weir_type_text(again).data, text.data) == 0);
    weir_type_free(again);
}

static void check_bytes(const weir_type *type, const uint8_t *data, size_t size, weir_doc *doc, weir_buffer *out) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_error err = {0};
    weir_doc *again = NULL;
    options.values_max = CELLS_MAX;
    int status = weir_type_decode(doc, type, data, size, &options, &err);
    MUST(status == WEIR_OK || ((status == WEIR_EPARSE || status == WEIR_ELIMIT) && err.text[0] && !weir_doc_root(doc)));
    MUST((status == WEIR_EPARSE) == (size != weir_type_size(type)));
    if (status != WEIR_OK)
        return;
    MUST(doc->count == weir_type_whole(type)->cells_);
    MUST(weir_doc_new(&again) == WEIR_OK);
    weir_buffer_clear(out);
    MUST(weir_type_encode(weir_doc_root(doc), type, 0, out, &err) == WEIR_OK);
    weir_view view = weir_buffer_view(out);
    MUST(weir_type_decode(again, type, view.data, view.size, &options, &err) == WEIR_OK);
    MUST(weir_value_equal(weir_doc_root(doc), weir_doc_root(again)));
    weir_doc_free(again);
}

static void check_json(const weir_type *type, const uint8_t *data, size_t size, weir_doc *doc, weir_buffer *out) {
    weir_error err = {0};
    weir_ndarray array;
    if (weir_decode(doc, WEIR_CODEC_JSON, data, size, NULL, NULL, NULL) != WEIR_OK)
        return;
    const weir_value *value = weir_doc_root(doc);
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        int status = weir_as_ndarray(value, NULL, element, element % 2 ? WEIR_ROUND : 0, out, &array, &err);
        MUST(status == WEIR_OK || (status == WEIR_ETYPE && err.text[0]));
        MUST(status != WEIR_OK || weir_ndarray_check(&array) == WEIR_OK);
    }
    if (weir_type_size(type) > SIZE_MAX_TRIED)
        return;
    weir_buffer_clear(out);
    int status = weir_type_encode(value, type, 0, out, &err);
    MUST(status == WEIR_OK ? weir_buffer_view(out).size == weir_type_size(type)
                           : status == WEIR_EENCODE && err.text[0] && weir_buffer_view(out).size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t text_size = line ? (size_t)(line - data) : size;
    weir_type *type = NULL;
    weir_doc *doc = NULL;
    weir_buffer *out = NULL;
    weir_error err = {0};
    int status = weir_type_new((const char *)data, text_size, &type, &err);
    if (status != WEIR_OK) {
        MUST((status == WEIR_EINVAL || status == WEIR_ELIMIT) && err.text[0] && err.offset <= text_size);
        return 0;
    }
    MUST(weir_doc_new(&doc) == WEIR_OK && weir_buffer_new(&out) == WEIR_OK);
    check_text(type);
    if (line) {
        const uint8_t *rest = line + 1;
        size_t left = size - text_size - 1;
        check_bytes(type, rest, left, doc, out);
        if (weir_type_size(type) < left) /* also where there is more than it takes */
            check_bytes(type, rest, weir_type_size(type), doc, out);
        check_json(type, rest, left, doc, out);
    }
    weir_type_free(type);
    weir_doc_free(doc);
    weir_buffer_free(out);
    return 0;
}
