/* The BSON codec's line in the table of codecs. BSON 1.1, bsonspec.org; what has no type in it stands in wrappers, see
 * docs/spec/mapping.md. */
#include "codec/bson/bson.h"

const struct weir_codec_ops weir_codec_bson = {
    .name = "bson",
    .media_type = "application/bson",
    .id = WEIR_CODEC_BSON,
    .cell_bytes = 1,
    .decode = weir_bson_decode,
    .encode = weir_bson_encode,
};
