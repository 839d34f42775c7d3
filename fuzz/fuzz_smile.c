/* Smile: no input may crash the decoder or make it read outside; what it accepts comes back from every form it is
 * written in, and from JSON and CBOR too; a refusal names a byte inside the input and leaves the document empty. Read
 * as a sequence, each item from a block of its own that is gone when the next is read, an input has the items that the
 * whole has. */
#include "fuzz.h"

/* Decode the items of a sequence where they lie (@doc) and, each moved to a block of its own, with another document. */
static void walk_sequence(const uint8_t *data, size_t size, weir_doc *doc, weir_doc *moved) {
    weir_codec_options sequence = WEIR_CODEC_OPTIONS_INIT;
    weir_error err = {0};
    size_t used = 0, again = 0;
    sequence.flags = WEIR_SEQUENCE;
    weir_doc_clear(doc);
    weir_doc_clear(moved);
    for (size_t offset = 0; offset < size; offset += used) {
        size_t left = size - offset;
        uint8_t *copy = malloc(left);
        MUST(copy != NULL);
        memcpy(copy, data + offset, left);
        int status = weir_decode(doc, WEIR_CODEC_SMILE, data + offset, left, &sequence, &used, &err);
        MUST(weir_decode(moved, WEIR_CODEC_SMILE, copy, left, &sequence, &again, &err) == status);
        if (status == WEIR_OK) {
            MUST(used == again && used > 0 && used <= left);
            MUST(weir_value_equal(weir_doc_root(doc), weir_doc_root(moved)));
        }
        free(copy);
        if (status != WEIR_OK)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_codec_options strict = WEIR_CODEC_OPTIONS_INIT;
    weir_doc *doc = NULL, *copy = NULL;
    weir_error err = {0};
    strict.flags = WEIR_STRICT;
    MUST(weir_doc_new(&doc) == WEIR_OK && weir_doc_new(&copy) == WEIR_OK);
    int strictly = weir_decode(doc, WEIR_CODEC_SMILE, data, size, &strict, NULL, &err);
    int status = weir_decode(doc, WEIR_CODEC_SMILE, data, size, NULL, NULL, &err);
    MUST(strictly != WEIR_OK || status == WEIR_OK);
    if (status == WEIR_OK) {
        const weir_value *root = weir_doc_root(doc);
        round_trip(root, WEIR_CODEC_SMILE, 0, copy);
        round_trip(root, WEIR_CODEC_SMILE, WEIR_CANONICAL, copy);
        round_trip(root, WEIR_CODEC_JSON, 0, copy);
        round_trip(root, WEIR_CODEC_CBOR, 0, copy);
    } else {
        MUST(status == WEIR_EPARSE || status == WEIR_ELIMIT);
        MUST(status != WEIR_EPARSE || err.offset <= size);
        MUST(weir_doc_root(doc) == NULL);
    }
    walk_sequence(data, size, doc, copy);
    weir_doc_free(doc);
    weir_doc_free(copy);
    return 0;
}
