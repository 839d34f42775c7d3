/* libcbor: items as it loads them, and what it serializes of them. Tags are printed as they are; the runner folds
 * those that weir has kinds for. */
#include <cbor.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "frames.h"

enum { DEPTH_MAX = 64 };

static void put_item(const cbor_item_t *item, struct text *out);

/* ---- the neutral text ---- */

static void put_chunks(const cbor_item_t *item, struct text *all) {
    int is_text = cbor_isa_string(item);
    if (is_text ? cbor_string_is_definite(item) : cbor_bytestring_is_definite(item)) {
        text_put(all, is_text ? cbor_string_handle(item) : cbor_bytestring_handle(item),
                 is_text ? cbor_string_length(item) : cbor_bytestring_length(item));
        return;
    }
    size_t count = is_text ? cbor_string_chunk_count(item) : cbor_bytestring_chunk_count(item);
    cbor_item_t **chunks = is_text ? cbor_string_chunks_handle(item) : cbor_bytestring_chunks_handle(item);
    for (size_t i = 0; i < count; i++)
        put_chunks(chunks[i], all);
}

static void put_string(const cbor_item_t *item, struct text *out) {
    struct text all = {0};
    put_chunks(item, &all);
    if (cbor_isa_string(item))
        text_quote(out, all.data, all.size);
    else
        text_hex(out, "bin", all.data, all.size);
    free(all.data);
}

static void put_negative(const cbor_item_t *item, struct text *out) {
    uint64_t number = cbor_get_int(item);
    if (number == UINT64_MAX)
        text_print(out, "-18446744073709551616");
    else
        text_print(out, "-%" PRIu64, number + 1);
}

static void put_control(const cbor_item_t *item, struct text *out) {
    unsigned char bits[4];
    float value;
    if (cbor_float_get_width(item) == CBOR_FLOAT_64)
        text_f64(out, cbor_float_get_float8(item));
    else if (!cbor_float_ctrl_is_ctrl(item)) {
        value = cbor_float_get_width(item) == CBOR_FLOAT_16 ? cbor_float_get_float2(item) : cbor_float_get_float4(item);
        uint32_t word;
        memcpy(&word, &value, sizeof(word));
        for (int i = 0; i < 4; i++)
            bits[i] = (unsigned char)(word >> (24 - 8 * i));
        text_hex(out, "f32", bits, sizeof(bits));
    } else if (cbor_is_bool(item))
        text_print(out, cbor_get_bool(item) ? "true" : "false");
    else if (cbor_is_null(item))
        text_print(out, "null");
    else if (cbor_is_undef(item))
        text_print(out, "{\"$undefined\":true}");
    else
        text_print(out, "{\"$simple\":[%u,null]}", cbor_ctrl_value(item));
}

static void put_array(const cbor_item_t *item, struct text *out) {
    cbor_item_t **items = cbor_array_handle(item);
    text_put(out, "[", 1);
    for (size_t i = 0; i < cbor_array_size(item); i++) {
        text_put(out, ",", i > 0);
        put_item(items[i], out);
    }
    text_put(out, "]", 1);
}

static void put_map(const cbor_item_t *item, struct text *out) {
    struct cbor_pair *pairs = cbor_map_handle(item);
    text_print(out, "{\"$obj\":[");
    for (size_t i = 0; i < cbor_map_size(item); i++) {
        text_put(out, ",[", i > 0 ? 2 : 0);
        text_put(out, "[", i == 0);
        put_item(pairs[i].key, out);
        text_put(out, ",", 1);
        put_item(pairs[i].value, out);
        text_put(out, "]", 1);
    }
    text_print(out, "]}");
}

static void put_item(const cbor_item_t *item, struct text *out) {
    switch (cbor_typeof(item)) {
    case CBOR_TYPE_UINT: text_print(out, "%" PRIu64, cbor_get_int(item)); break;
    case CBOR_TYPE_NEGINT: put_negative(item, out); break;
    case CBOR_TYPE_BYTESTRING:
    case CBOR_TYPE_STRING: put_string(item, out); break;
    case CBOR_TYPE_ARRAY: put_array(item, out); break;
    case CBOR_TYPE_MAP: put_map(item, out); break;
    case CBOR_TYPE_TAG: {
        cbor_item_t *content = cbor_tag_item(item);
        text_print(out, "{\"$tag\":[%" PRIu64 ",", cbor_tag_value(item));
        put_item(content, out);
        text_print(out, "]}");
        cbor_decref(&content);
        break;
    }
    default: put_control(item, out);
    }
}

/* ---- random items ---- */

static cbor_item_t *integer(uint64_t *state) {
    uint64_t number = (uint64_t)draw_integer(state);
    cbor_item_t *item;
    switch (draw_below(state, 4)) { /* also in more bytes than it takes */
    case 0: item = cbor_build_uint8((uint8_t)number); break;
    case 1: item = cbor_build_uint16((uint16_t)number); break;
    case 2: item = cbor_build_uint32((uint32_t)number); break;
    default: item = cbor_build_uint64(number);
    }
    if (draw_below(state, 2))
        cbor_mark_negint(item);
    return item;
}

static cbor_item_t *control(uint64_t *state) {
    float narrow = (float)draw_float(state);
    switch (draw_below(state, 5)) {
    case 0: return cbor_build_float8(draw_float(state));
    case 1: return cbor_build_float4(narrow);
    case 2: return cbor_build_float2((float)((double)draw_below(state, 4096) / 4 - 512));
    case 3: return cbor_build_bool(draw_below(state, 2) != 0);
    default: return draw_below(state, 2) ? cbor_new_null() : cbor_new_undef();
    }
}

static cbor_item_t *definite_string(uint64_t *state, int is_text) {
    char room[300];
    size_t size = draw_text(state, room, sizeof(room));
    return is_text ? cbor_build_stringn(room, size) : cbor_build_bytestring((cbor_data)room, size);
}

static cbor_item_t *string(uint64_t *state) {
    int is_text = (int)draw_below(state, 2);
    if (draw_below(state, 4))
        return definite_string(state, is_text);
    cbor_item_t *item = is_text ? cbor_new_indefinite_string() : cbor_new_indefinite_bytestring();
    for (uint64_t i = draw_below(state, 4); i > 0; i--) {
        cbor_item_t *chunk = cbor_move(definite_string(state, is_text));
        if (!(is_text ? cbor_string_add_chunk(item, chunk) : cbor_bytestring_add_chunk(item, chunk)))
            abort();
    }
    return item;
}

static cbor_item_t *any(uint64_t *state, unsigned depth);

static cbor_item_t *array(uint64_t *state, unsigned depth) {
    uint64_t count = draw_below(state, 5);
    cbor_item_t *item = draw_below(state, 3) ? cbor_new_definite_array(count) : cbor_new_indefinite_array();
    for (uint64_t i = 0; i < count; i++)
        if (!cbor_array_push(item, cbor_move(any(state, depth - 1))))
            abort();
    return item;
}

static cbor_item_t *map(uint64_t *state, unsigned depth) {
    uint64_t count = draw_below(state, 5);
    cbor_item_t *item = draw_below(state, 3) ? cbor_new_definite_map(count) : cbor_new_indefinite_map();
    for (uint64_t i = 0; i < count; i++) {
        cbor_item_t *key = draw_below(state, 4) ? definite_string(state, 1) : any(state, 0);
        if (!cbor_map_add(item, (struct cbor_pair){cbor_move(key), cbor_move(any(state, depth - 1))}))
            abort();
    }
    return item;
}

/* A tag that means nothing to anybody. */
static cbor_item_t *tag(uint64_t *state, unsigned depth) {
    static const uint64_t numbers[] = {1000000, UINT32_MAX, UINT64_MAX};
    return cbor_build_tag(numbers[draw_below(state, 3)], cbor_move(any(state, depth - 1)));
}

/* The root, for which @depth is the greatest, is a container mostly. */
static cbor_item_t *any(uint64_t *state, unsigned depth) {
    switch (draw_below(state, depth > 0 ? 7 : 3)) {
    case 0: return integer(state);
    case 1: return control(state);
    case 2: return string(state);
    case 3:
    case 4: return array(state, depth);
    case 5: return map(state, depth);
    default: return tag(state, depth);
    }
}

/* ---- requests ---- */

static int depth_of(const cbor_item_t *item);

static int deepest(int depth, const cbor_item_t *item) {
    int other = depth_of(item);
    return other > depth ? other : depth;
}

static int depth_of(const cbor_item_t *item) {
    int depth = 0;
    if (cbor_isa_array(item))
        for (size_t i = 0; i < cbor_array_size(item); i++)
            depth = deepest(depth, cbor_array_handle(item)[i]);
    else if (cbor_isa_map(item))
        for (size_t i = 0; i < cbor_map_size(item); i++)
            depth = deepest(deepest(depth, cbor_map_handle(item)[i].key), cbor_map_handle(item)[i].value);
    else if (cbor_isa_tag(item)) {
        cbor_item_t *content = cbor_tag_item(item);
        depth = depth_of(content);
        cbor_decref(&content);
    } else
        return 0;
    return depth + 1;
}

static void answer_item(cbor_item_t *item) {
    struct text out = {0};
    unsigned char *again = NULL;
    size_t room, size = cbor_serialize_alloc(item, &again, &room);
    if (depth_of(item) > DEPTH_MAX)
        answer_no("deeper than the limit that this peer has");
    else {
        put_item(item, &out);
        answer_yes(&out, again, size);
    }
    free(again);
    free(out.data);
    cbor_decref(&item);
}

static void answer(const unsigned char *request, size_t size) {
    static const char *const errors[] = {"none", "not enough data", "no data", "malformed", "out of memory", "syntax"};
    struct cbor_load_result result;
    if (*request == 'g') {
        uint64_t state = number_at(request + 1, 8);
        answer_item(any(&state, 6));
        return;
    }
    cbor_item_t *item = cbor_load(request + 1, size - 1, &result);
    if (!item)
        answer_no(result.error.code <= CBOR_ERR_SYNTAXERROR ? errors[result.error.code] : "refused");
    else if (result.read != size - 1) {
        cbor_decref(&item);
        answer_no("data behind the item");
    } else
        answer_item(item);
}

/* libcbor reserves what a head declares, before it looks whether so much follows. */
static void limit_memory(void) {
    const struct rlimit limit = {1u << 30, 1u << 30};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        perror("peer_libcbor: setrlimit");
}

int main(void) {
    limit_memory();
    return frames_serve("libcbor " CBOR_VERSION, answer);
}
