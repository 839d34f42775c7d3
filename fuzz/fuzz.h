/* What the fuzz targets share: an assertion, and going through a codec and back. */
#ifndef WEIR_FUZZ_H
#define WEIR_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Encode @value and decode it again into @doc: it must come back as it was, and say so in the same bytes.
 * Outcomes that a document may rightly have, such as a limit, end it. */
static inline void round_trip(const weir_value *value, int codec, uint32_t flags, weir_doc *doc) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *first = NULL, *second = NULL;
    weir_error err;
    options.flags = flags;
    MUST(weir_buffer_new(&first) == WEIR_OK && weir_buffer_new(&second) == WEIR_OK);
    int status = weir_encode(value, codec, &options, first, &err);
    MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    if (status == WEIR_OK) {
        weir_view view = weir_buffer_view(first);
        status = weir_decode(doc, codec, view.data, view.size, NULL, NULL, &err);
        MUST(status == WEIR_OK || status == WEIR_ELIMIT);
        if (status == WEIR_OK) {
            MUST((flags & WEIR_CANONICAL) || weir_value_equal(value, weir_doc_root(doc)));
            MUST(weir_encode(weir_doc_root(doc), codec, &options, second, &err) == WEIR_OK);
            weir_view again = weir_buffer_view(second);
            MUST(again.size == view.size && memcmp(again.data, view.data, view.size) == 0);
        }
    }
    weir_buffer_free(first);
    weir_buffer_free(second);
}

#endif
