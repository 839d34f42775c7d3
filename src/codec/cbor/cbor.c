/* The CBOR codec, RFC 8949. docs/spec/mapping.md says how each kind is written. */
#include "codec/cbor/cbor.h"

const struct weir_codec_ops weir_codec_cbor = {
    .name = "cbor",
    .media_type = "application/cbor",
    .id = WEIR_CODEC_CBOR,
    .cell_bytes = 1,
    .decode = weir_cbor_decode,
    .encode = weir_cbor_encode,
};
