/* Decoding and encoding with the checks that hold each time, whatever is tested. */
#include "codecs.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct document_shape shape_of(const struct codec_case *codec) {
    return (struct document_shape){.kinds = codec->carries, .values = 60, .depth_max = 8};
}

int decode_bytes(struct fixture *fixture, const void *data, size_t size, const weir_codec_options *options,
                 size_t *ret_used) {
    size_t used = 0;
    free(fixture->input);
    fixture->input = malloc(size > 0 ? size : 1);
    assert_non_null(fixture->input);
    if (size > 0)
        memcpy(fixture->input, data, size);
    fixture->err = (weir_error){0};
    int status =
        weir_decode(fixture->decoded, fixture->codec->codec, fixture->input, size, options, &used, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    assert_int_equal(status == WEIR_OK, weir_doc_root(fixture->decoded) != NULL);
    if (status != WEIR_OK)
        assert_int_equal(fixture->decoded->count, 0);
    if (status == WEIR_EPARSE)
        assert_true(fixture->err.offset <= size);
    if (status == WEIR_OK)
        assert_true(used <= size && (used == size || options->flags & WEIR_SEQUENCE));
    if (ret_used)
        *ret_used = used;
    return status;
}

int decode_flags(struct fixture *fixture, weir_view bytes, uint32_t flags) {
    weir_codec_options options = options_of(flags);
    return decode_bytes(fixture, bytes.data, bytes.size, &options, NULL);
}

int encode_options(struct fixture *fixture, const weir_value *value, const weir_codec_options *options) {
    static const char before[] = "what was there before";
    weir_buffer *out = fixture->out;
    weir_buffer_clear(out);
    assert_int_equal(weir_buffer_append(out, before, sizeof(before)), WEIR_OK);
    fixture->err = (weir_error){0};
    int status = weir_encode(value, fixture->codec->codec, options, out, &fixture->err);
    assert_int_equal(status, fixture->err.code);
    weir_view view = weir_buffer_view(out);
    if (status != WEIR_OK)
        assert_int_equal(view.size, sizeof(before));
    assert_memory_equal(view.data, before, sizeof(before));
    memmove(out->data, out->data + sizeof(before), out->size - sizeof(before));
    out->size -= sizeof(before);
    return status;
}

int encode_flags(struct fixture *fixture, const weir_value *value, uint32_t flags) {
    weir_codec_options options = options_of(flags);
    return encode_options(fixture, value, &options);
}

weir_view encoded(struct fixture *fixture, const weir_value *value, uint32_t flags) {
    if (encode_flags(fixture, value, flags) != WEIR_OK)
        fail_document(fixture, value, fixture->err.text);
    return weir_buffer_view(fixture->out);
}

/* Raw data is read as its type says, and is little-endian then: an ndarray that was not is compared by its elements. */
static void check_bare_comes_back(struct fixture *fixture, const weir_value *original, weir_view bytes) {
    weir_ndarray type, read, back;
    char text[WEIR_RAW_TYPE_MAX];
    struct weir_value left, right;
    assert_int_equal(weir_raw_describe(original, &type, NULL), WEIR_OK);
    size_t size = weir_raw_type_write(&type, text);
    assert_int_equal(weir_raw_type_parse(text, size, &read, NULL), WEIR_OK);
    assert_int_equal(weir_raw_document(fixture->decoded, &read, bytes.data, bytes.size, NULL), WEIR_OK);
    const weir_value *root = weir_doc_root(fixture->decoded);
    if (type.big_endian == 0 && type.rank + (original->kind != WEIR_KIND_NDARRAY) > 0) {
        assert_true(weir_value_equal(root, original));
        return;
    }
    assert_int_equal(weir_raw_describe(root, &back, NULL), WEIR_OK);
    assert_int_equal(weir_ndarray_count(&type), weir_ndarray_count(&back));
    for (uint64_t i = 0; i < weir_ndarray_count(&type); i++) {
        weir_ndarray_element(&type, i, &left);
        weir_ndarray_element(&back, i, &right);
        assert_true(weir_value_equal(&left, &right));
    }
}

void check_comes_back(struct fixture *fixture, const weir_value *original, weir_view bytes, uint32_t flags) {
    if (fixture->codec->traits & CODEC_IS_BARE) {
        check_bare_comes_back(fixture, original, bytes);
        return;
    }
    if (decode_flags(fixture, bytes, flags) != WEIR_OK)
        fail_document(fixture, original, fixture->err.text);
    if (!weir_value_equal(original, weir_doc_root(fixture->decoded)))
        fail_document(fixture, original, "another value came back");
}

void fail_document(struct fixture *fixture, const weir_value *value, const char *what) {
    enum { SHOWN = 1500 };
    weir_buffer *text = NULL;
    weir_codec_options options = options_of(0);
    options.depth_max = UINT16_MAX;
    weir_view view = {"", 0};
    if (weir_buffer_new(&text) == WEIR_OK && weir_encode(value, WEIR_CODEC_JSON, &options, text, NULL) == WEIR_OK)
        view = weir_buffer_view(text);
    /* No half of a character, which whoever reads the output may not like. */
    size_t shown = weir_utf8_check((const unsigned char *)view.data, view.size < SHOWN ? view.size : SHOWN);
    print_message("the document: %.*s\n", (int)shown, view.data);
    weir_buffer_free(text);
    fail_msg("%s: %s", weir_codec_name(fixture->codec->codec), what);
}
