/* JSON: no input may crash the decoder or make it read outside; what it accepts comes back from every form it is
 * written in, and from CBOR too; a refusal names a byte inside the input and leaves the document empty. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_codec_options strict = WEIR_CODEC_OPTIONS_INIT;
    weir_doc *doc = NULL, *copy = NULL;
    weir_error err = {0};
    strict.flags = WEIR_STRICT;
    MUST(weir_doc_new(&doc) == WEIR_OK && weir_doc_new(&copy) == WEIR_OK);
    int strictly = weir_decode(doc, WEIR_CODEC_JSON, data, size, &strict, NULL, &err);
    int status = weir_decode(doc, WEIR_CODEC_JSON, data, size, NULL, NULL, &err);
    MUST(strictly != WEIR_OK || status == WEIR_OK);
    if (status == WEIR_OK) {
        const weir_value *root = weir_doc_root(doc);
        round_trip(root, WEIR_CODEC_JSON, 0, copy);
        round_trip(root, WEIR_CODEC_JSON, WEIR_CANONICAL, copy);
        round_trip(root, WEIR_CODEC_CBOR, 0, copy);
    } else {
        MUST(status == WEIR_EPARSE || status == WEIR_ELIMIT);
        MUST(status != WEIR_EPARSE || err.offset <= size);
        MUST(weir_doc_root(doc) == NULL);
    }
    weir_doc_free(doc);
    weir_doc_free(copy);
    return 0;
}
