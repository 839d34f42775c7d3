/* WEIR_PLAIN for formats with lists and text keys: ndarrays as lists of numbers, keys of any kind as texts. */
#include "base/buffer.h"
#include "codec/wrapper/wrapper.h"

void weir_walk_begin(struct weir_walk *walk, const weir_ndarray *array) {
    *walk = (struct weir_walk){.array = array};
    uint64_t stride = 1;
    for (uint32_t i = 0; i < array->rank; i++) {
        uint32_t dimension = array->order == WEIR_COLUMN ? i : array->rank - 1 - i;
        walk->stride[dimension] = stride;
        stride *= array->shape[dimension];
    }
}

uint32_t weir_walk_next(struct weir_walk *walk) {
    uint32_t rank = walk->array->rank;
    for (uint32_t turned = 0; turned < rank; turned++) {
        uint32_t dimension = rank - 1 - turned;
        walk->position += walk->stride[dimension];
        if (++walk->index[dimension] < walk->array->shape[dimension])
            return turned;
        walk->position -= walk->index[dimension] * walk->stride[dimension];
        walk->index[dimension] = 0;
    }
    return rank;
}

/* Plain JSON has quotes around texts, bytes and times; the last two have no escapes. */
int weir_plain_key(const struct weir_value *key, const struct weir_codec_limits *limits, struct weir_buffer *out,
                   weir_error *err) {
    while (key->kind == WEIR_KIND_TAGGED)
        key++;
    if (key->kind == WEIR_KIND_TEXT)
        return weir_buffer_append(out, key->as.data, key->count);
    struct weir_codec_limits plain = *limits;
    plain.flags = (plain.flags & WEIR_CANONICAL) | WEIR_PLAIN;
    size_t begin = out->size;
    int status = weir_codec_json.encode(key, &plain, out, err);
    if (status == WEIR_OK && out->data[begin] == '"') {
        out->size -= 2;
        memmove(out->data + begin, out->data + begin + 1, out->size - begin);
    }
    return status;
}
