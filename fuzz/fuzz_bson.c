/* BSON: no input may crash the decoder or make it read outside; what it accepts comes back from every form it is
 * written in, and from the other codecs too; a refusal names a byte inside the input and leaves the document empty. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_codec_options strict = WEIR_CODEC_OPTIONS_INIT;
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    weir_doc *doc = NULL, *copy = NULL;
    weir_buffer *buffer = NULL;
    weir_error err = {0};
    strict.flags = WEIR_STRICT;
    plain.flags = WEIR_PLAIN;
    MUST(weir_doc_new(&doc) == WEIR_OK && weir_doc_new(&copy) == WEIR_OK && weir_buffer_new(&buffer) == WEIR_OK);
    int strictly = weir_decode(doc, WEIR_CODEC_BSON, data, size, &strict, NULL, &err);
    int status = weir_decode(doc, WEIR_CODEC_BSON, data, size, NULL, NULL, &err);
    MUST(strictly != WEIR_OK || status == WEIR_OK);
    if (status == WEIR_OK) {
        const weir_value *root = weir_doc_root(doc);
        round_trip(root, WEIR_CODEC_BSON, 0, copy);
        round_trip(root, WEIR_CODEC_BSON, WEIR_CANONICAL, copy);
        round_trip(root, WEIR_CODEC_JSON, 0, copy);
        round_trip(root, WEIR_CODEC_CBOR, 0, copy);
        round_trip(root, WEIR_CODEC_SMILE, 0, copy);
        /* The plain form says less, but it is BSON, and so is what is left when wrappers are not looked for. */
        MUST(weir_encode(root, WEIR_CODEC_BSON, &plain, buffer, &err) == WEIR_OK || err.code == WEIR_ELIMIT);
        weir_view view = weir_buffer_view(buffer);
        status =
            view.size == 0 ? WEIR_OK : weir_decode(copy, WEIR_CODEC_BSON, view.data, view.size, &plain, NULL, &err);
        MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    } else {
        MUST(status == WEIR_EPARSE || status == WEIR_ELIMIT);
        MUST(status != WEIR_EPARSE || err.offset <= size);
        MUST(weir_doc_root(doc) == NULL);
    }
    weir_buffer_free(buffer);
    weir_doc_free(doc);
    weir_doc_free(copy);
    return 0;
}
