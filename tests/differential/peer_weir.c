/* weir's side: documents of tests/conformance/documents.h in the neutral text and as bytes of any codec.
 *
 * The text is made from the public reading functions and says every kind exactly. Requests are those of all peers
 * with numbers before them (most significant byte first): 'd' codec flags BYTES, 'g' codec flags kinds manners SEED,
 * each a u32 but the seed. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "conformance/documents.h"
#include "frames.h"
#include "value/value.h"

/* What a format or peer cannot say is taken out of a random document. */
enum manners {
    MANNERS_NAMED = 1,           /* keys are unique texts without NUL and no '$' before them */
    MANNERS_POLITE = 2,          /* document_shape.is_polite */
    MANNERS_FINITE = 4,          /* floats are numbers */
    MANNERS_MILLISECONDS = 8,    /* times are whole ones */
    MANNERS_NEAR_DECIMALS = 16,  /* exponents of decimals within 5000 */
    MANNERS_ASSIGNED = 32,       /* no simple values of CBOR, and no tags that are one byte and nobody uses */
    MANNERS_PLAIN_FLOATS = 64,   /* one NaN, and no float32 that is a subnormal half */
    MANNERS_SHORT_DECIMALS = 128 /* at most 18 digits */
};

static weir_doc *document;
static weir_buffer *bytes;
static weir_error problem;

static int check(int status) {
    if (status != WEIR_OK) {
        fprintf(stderr, "peer_weir: %s: %s\n", weir_err_name(status), problem.text);
        exit(1);
    }
    return status;
}

/* ---- the neutral text ---- */

static void put_value(const weir_value *value, struct text *out);

static void put_digits(const weir_value *value, struct text *out) {
    char digits[WEIR_DIGITS_MAX + 3];
    size_t size;
    check(weir_get_digits(value, NULL, digits, sizeof(digits), &size));
    text_put(out, digits, strlen(digits));
}

static void put_decimal(const weir_value *value, struct text *out) {
    char digits[WEIR_DIGITS_MAX + 3];
    size_t size;
    int32_t exponent;
    check(weir_get_decimal(value, NULL, digits, sizeof(digits), &size, &exponent));
    text_print(out, "{\"$decimal\":[\"");
    text_put(out, digits, strlen(digits));
    text_print(out, "\",%" PRId64 "]}", -(int64_t)exponent);
}

static void put_float32(const weir_value *value, struct text *out) {
    uint32_t bits;
    memcpy(&bits, &value->as.f32, sizeof(bits));
    text_print(out, "{\"$f32\":\"%08" PRIx32 "\"}", bits);
}

static void put_ndarray(const weir_value *value, struct text *out) {
    weir_ndarray array;
    check(weir_get_ndarray(value, NULL, &array));
    text_print(out, "{\"$ndarray\":[\"%s%s\",[", weir_element_name(array.element),
               weir_element_size(array.element) == 1 ? ""
               : array.big_endian                    ? "be"
                                                     : "le");
    for (uint32_t i = 0; i < array.rank; i++)
        text_print(out, "%s%" PRIu64, i > 0 ? "," : "", array.shape[i]);
    text_print(out, "],\"%s\",", array.rank > 1 && array.order == WEIR_COLUMN ? "column" : "row");
    text_hex(out, "bin", array.data, array.size);
    text_print(out, "]}");
}

static void put_items(const weir_value *value, struct text *out) {
    weir_iter it;
    int is_first = 1;
    weir_iter_init(&it, value);
    text_put(out, "[", 1);
    while (weir_iter_next(&it)) {
        text_put(out, ",", !is_first);
        is_first = 0;
        if (it.key) {
            text_put(out, "[", 1);
            put_value(it.key, out);
            text_put(out, ",", 1);
        }
        put_value(it.value, out);
        text_put(out, "]", it.key != NULL);
    }
    text_put(out, "]", 1);
}

static void put_tagged(const weir_value *value, struct text *out) {
    static const char *const names[] = {"tag", "simple", "bson"};
    uint32_t space;
    uint64_t number;
    const weir_value *content;
    check(weir_get_tagged(value, NULL, &space, &number, &content));
    text_print(out, "{\"$%s\":[%" PRIu64 ",", names[space], number);
    put_value(content, out);
    text_print(out, "]}");
}

static void put_scalar(const weir_value *value, struct text *out) {
    weir_view view;
    int64_t ns;
    switch (weir_value_kind(value)) {
    case WEIR_KIND_NULL: text_print(out, "null"); break;
    case WEIR_KIND_UNDEFINED: text_print(out, "{\"$undefined\":true}"); break;
    case WEIR_KIND_BOOL: text_print(out, value->as.i64 ? "true" : "false"); break;
    case WEIR_KIND_FLOAT32: put_float32(value, out); break;
    case WEIR_KIND_FLOAT64: text_f64(out, value->as.f64); break;
    case WEIR_KIND_DECIMAL: put_decimal(value, out); break;
    case WEIR_KIND_TEXT:
        check(weir_get_text(value, NULL, &view));
        text_quote(out, view.data, view.size);
        break;
    case WEIR_KIND_BYTES:
        check(weir_get_bytes(value, NULL, &view));
        text_hex(out, "bin", view.data, view.size);
        break;
    case WEIR_KIND_TIME:
        check(weir_get_time(value, NULL, &ns));
        text_print(out, "{\"$time\":%" PRId64 "}", ns);
        break;
    default: put_digits(value, out);
    }
}

static void put_value(const weir_value *value, struct text *out) {
    switch (weir_value_kind(value)) {
    case WEIR_KIND_ARRAY: put_items(value, out); break;
    case WEIR_KIND_MAP:
        text_print(out, "{\"$obj\":");
        put_items(value, out);
        text_put(out, "}", 1);
        break;
    case WEIR_KIND_NDARRAY: put_ndarray(value, out); break;
    case WEIR_KIND_TAGGED: put_tagged(value, out); break;
    default: put_scalar(value, out);
    }
}

/* ---- requests ---- */

static void answer_value(const weir_value *root, int codec, uint32_t flags) {
    struct text out = {0};
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    put_value(root, &out);
    weir_buffer_clear(bytes);
    int status = weir_encode(root, codec, &options, bytes, &problem);
    weir_view again = weir_buffer_view(bytes);
    if (status == WEIR_OK)
        answer_yes(&out, again.data, again.size);
    else
        answer_no(problem.text);
    free(out.data);
}

static void decode(int codec, uint32_t flags, const unsigned char *data, size_t size) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = flags;
    problem.text[0] = '\0';
    if (weir_decode(document, codec, data, size, &options, NULL, &problem) != WEIR_OK)
        answer_no(problem.text);
    else
        answer_value(weir_doc_root(document), codec, flags);
}

/* The cells of one value; content of tags and containers comes by itself. */
static void tame_cell(struct weir_value *cell, uint32_t manners) {
    switch (cell->kind) {
    case WEIR_KIND_FLOAT32:
        if (manners & MANNERS_PLAIN_FLOATS && cell->as.f32 != cell->as.f32)
            cell->as.u64 = 0x7fc00000;
        if (manners & MANNERS_PLAIN_FLOATS && fabsf(cell->as.f32) < 0x1p-14f)
            cell->as.f32 = 0.0f;
        break;
    case WEIR_KIND_FLOAT64:
        if (manners & MANNERS_FINITE && cell->as.f64 - cell->as.f64 != 0)
            cell->as.f64 = 1e308;
        if (manners & MANNERS_PLAIN_FLOATS && cell->as.f64 != cell->as.f64)
            cell->as.u64 = UINT64_C(0x7ff8000000000000);
        break;
    case WEIR_KIND_TIME:
        if (manners & MANNERS_MILLISECONDS)
            cell->as.i64 -= cell->as.i64 % 1000000;
        break;
    case WEIR_KIND_DECIMAL:
        if (manners & MANNERS_NEAR_DECIMALS)
            cell[1].as.i64 %= 5000;
        if (manners & MANNERS_SHORT_DECIMALS && cell->flags & WEIR_CELL_DIGITS && cell->count > 18)
            cell->count = 18;
        break;
    case WEIR_KIND_TAGGED:
        if (manners & MANNERS_ASSIGNED && (cell->count == WEIR_TAG_SIMPLE || cell->as.u64 == 10)) {
            cell->count = WEIR_TAG_CBOR;
            cell->as.u64 = 1000000;
        }
        break;
    default: break;
    }
}

static void tame(uint32_t manners) {
    const struct weir_value *value = document->cells;
    for (; value < document->cells + document->count; value = weir_value_next(value))
        tame_cell(document->cells + (value - document->cells), manners);
}

static void generate(int codec, uint32_t flags, const unsigned char *request) {
    uint32_t manners = (uint32_t)number_at(request + 4, 4);
    struct document_shape shape = {.kinds = (uint32_t)number_at(request, 4),
                                   .values = 40,
                                   .depth_max = 8,
                                   .is_polite = (manners & MANNERS_POLITE) != 0,
                                   .is_named = (manners & MANNERS_NAMED) != 0};
    struct random random = {number_at(request + 8, 8)};
    if (codec == WEIR_CODEC_BSON)
        shape.root = KIND(MAP);
    document_build(document, &random, &shape);
    tame(manners);
    answer_value(weir_doc_root(document), codec, flags);
}

static void answer(const unsigned char *request, size_t size) {
    enum { HEAD = 9, GENERATE = HEAD + 16 };
    if (size < HEAD || (*request == 'g' && size != GENERATE)) {
        answer_no("no such request");
        return;
    }
    int codec = (int)number_at(request + 1, 4);
    uint32_t flags = (uint32_t)number_at(request + 5, 4);
    if (*request == 'g')
        generate(codec, flags, request + HEAD);
    else
        decode(codec, flags, request + HEAD, size - HEAD);
}

int main(void) {
    check(weir_doc_new(&document));
    check(weir_buffer_new(&bytes));
    int status = frames_serve("weir", answer);
    weir_doc_free(document);
    weir_buffer_free(bytes);
    return status;
}
