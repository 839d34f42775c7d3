/* The JSON codec, RFC 8259. docs/spec/mapping.md says how each kind is written. */
#include "codec/json/json.h"

const struct weir_codec_ops weir_codec_json = {
    .name = "json",
    .media_type = "application/json",
    .id = WEIR_CODEC_JSON,
    .cell_bytes = 2,
    .decode = weir_json_decode,
    .encode = weir_json_encode,
};
