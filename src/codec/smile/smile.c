/* The Smile codec, version 1.0.7 of the format. docs/spec/mapping.md says how each kind is written. */
#include "codec/smile/smile.h"

const struct weir_codec_ops weir_codec_smile = {
    .name = "smile",
    .media_type = "application/x-jackson-smile",
    .id = WEIR_CODEC_SMILE,
    .cell_bytes = 1,
    .decode = weir_smile_decode,
    .encode = weir_smile_encode,
};
