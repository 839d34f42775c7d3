/* Agreement of the codecs: what one of them takes, all can say, and say alike.
 *
 * The input's first byte names the codec of the rest, and the order of a chain through all four: a document that has
 * gone from each to the next is still the one it was. Its readable form may lose what the form cannot say, but is
 * always accepted again. */
#include "fuzz.h"

static const int codecs[] = {WEIR_CODEC_JSON, WEIR_CODEC_CBOR, WEIR_CODEC_SMILE, WEIR_CODEC_BSON};
enum { CODECS = sizeof(codecs) / sizeof(codecs[0]), SIZE_MAX_TRIED = 1 << 14 };

/* From @value into @to, by way of @codec. Return: 0 when a limit was reached. */
static int pass(const weir_value *value, int codec, uint32_t flags, weir_buffer *bytes, weir_doc *to) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_error err = {0};
    options.flags = flags;
    weir_buffer_clear(bytes);
    int status = weir_encode(value, codec, &options, bytes, &err);
    MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    if (status != WEIR_OK)
        return 0;
    weir_view view = weir_buffer_view(bytes);
    status = weir_decode(to, codec, view.data, view.size, NULL, NULL, &err);
    MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    return status == WEIR_OK;
}

static void chain(const weir_value *root, unsigned first) {
    weir_doc *docs[CODECS] = {0};
    weir_buffer *bytes[CODECS] = {0}; /* documents point into them */
    const weir_value *value = root;
    for (unsigned i = 0; i < CODECS && value; i++) {
        MUST(weir_doc_new(&docs[i]) == WEIR_OK && weir_buffer_new(&bytes[i]) == WEIR_OK);
        int codec = codecs[(first + i) % CODECS];
        value = pass(value, codec, 0, bytes[i], docs[i]) ? weir_doc_root(docs[i]) : NULL;
        MUST(!value || weir_value_equal(root, value));
    }
    for (unsigned i = 0; i < CODECS; i++) {
        if (bytes[i])
            weir_buffer_clear(bytes[i]);
        if (docs[i])
            (void)pass(root, codecs[i], WEIR_PLAIN, bytes[i], docs[i]);
        weir_doc_free(docs[i]);
        weir_buffer_free(bytes[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_doc *doc = NULL;
    weir_error err = {0};
    if (size < 1 || size > SIZE_MAX_TRIED)
        return -1;
    MUST(weir_doc_new(&doc) == WEIR_OK);
    if (weir_decode(doc, codecs[data[0] % CODECS], data + 1, size - 1, NULL, NULL, &err) == WEIR_OK)
        chain(weir_doc_root(doc), data[0] / CODECS);
    weir_doc_free(doc);
    return 0;
}
