/* Addresses, types and durations: any text is either understood or refused with a sentence. */
#include "fuzz.h"

#include "channel/address.h"
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct weir_place place;
    weir_ndarray array = {0}, again = {0};
    weir_error err = {0};
    int64_t duration;
    uint64_t bytes;
    char type[WEIR_RAW_TYPE_MAX], *text = malloc(size + 1);
    MUST(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    int status = weir_address_parse(text, &place, &err);
    MUST(status == WEIR_OK ? place.transport != NULL : status == WEIR_EADDRESS && err.text[0]);
    weir_duration_parse(text, size, &duration);
    weir_size_parse(text, size, &bytes);
    if (weir_raw_type_parse(text, size, &array, NULL) == WEIR_OK) {
        size_t length = weir_raw_type_write(&array, type);
        MUST(weir_raw_type_parse(type, length, &again, NULL) == WEIR_OK);
        MUST(again.element == array.element && again.rank == array.rank && again.size == array.size);
    }
    free(text);
    return 0;
}
