/* Raw data from JSON. The numbers must fit their element type exactly, except that floats may be rounded to f32. */
#include "numbers.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int type_fail(const char *text) {
    return cli_fail(CLI_ENCODING,
                    "\"%s\" is no type; write an element, u8 to u64, i8 to i64, f32 or f64, and a shape: f64[4,256]",
                    text);
}

static const char *element_read(const char *text, weir_ndarray *array) {
    size_t size = strcspn(text, "[:");
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        const char *name = weir_element_name(element);
        if (strlen(name) != size || strncmp(name, text, size) != 0)
            continue;
        array->element = element;
        return text + size;
    }
    return NULL;
}

/* "[4,256]". Return: what follows, NULL when it is no shape. */
static const char *shape_read(const char *text, weir_ndarray *array) {
    do {
        char *end;
        text++;
        if (!isdigit((unsigned char)*text) || array->rank == WEIR_RANK_MAX)
            return NULL;
        errno = 0;
        uint64_t size = strtoull(text, &end, 10);
        if (errno || (size > 0 && array->size > (size_t)INT64_MAX / size))
            return NULL;
        array->shape[array->rank++] = size;
        array->size *= size;
        text = end;
    } while (*text == ',');
    return *text == ']' ? text + 1 : NULL;
}

int cli_type(const char *text, weir_ndarray *ret) {
    *ret = (weir_ndarray){0};
    const char *rest = element_read(text, ret);
    if (!rest)
        return type_fail(text);
    ret->size = weir_element_size(ret->element);
    if (*rest == '[')
        rest = shape_read(rest, ret);
    if (!rest)
        return type_fail(text);
    if (strcmp(rest, ":col") == 0) {
        ret->order = WEIR_COLUMN;
        rest += 4;
    }
    return *rest ? type_fail(text) : CLI_OK;
}

static int signed_store(int64_t number, uint32_t element, void *to) {
    int8_t i8 = (int8_t)number;
    int16_t i16 = (int16_t)number;
    int32_t i32 = (int32_t)number;
    int64_t fits[] = {[WEIR_I8] = i8, [WEIR_I16] = i16, [WEIR_I32] = i32, [WEIR_I64] = number};
    const void *from[] = {[WEIR_I8] = &i8, [WEIR_I16] = &i16, [WEIR_I32] = &i32, [WEIR_I64] = &number};
    if (fits[element] != number)
        return -1;
    memcpy(to, from[element], weir_element_size(element));
    return 0;
}

static int unsigned_store(uint64_t number, uint32_t element, void *to) {
    uint8_t u8 = (uint8_t)number;
    uint16_t u16 = (uint16_t)number;
    uint32_t u32 = (uint32_t)number;
    uint64_t fits[] = {[WEIR_U8] = u8, [WEIR_U16] = u16, [WEIR_U32] = u32, [WEIR_U64] = number};
    const void *from[] = {[WEIR_U8] = &u8, [WEIR_U16] = &u16, [WEIR_U32] = &u32, [WEIR_U64] = &number};
    if (fits[element] != number)
        return -1;
    memcpy(to, from[element], weir_element_size(element));
    return 0;
}

/* Return: 0, or -1 when it is no number or does not fit. */
static int number_store(const weir_value *value, uint32_t element, void *to) {
    double f64;
    int64_t i64;
    uint64_t u64;
    if (element == WEIR_F32 || element == WEIR_F64) {
        if (weir_get_f64(value, NULL, &f64) != WEIR_OK)
            return -1;
        float f32 = (float)f64;
        memcpy(to, element == WEIR_F32 ? (void *)&f32 : (void *)&f64, weir_element_size(element));
        return 0;
    }
    if (element >= WEIR_I8)
        return weir_get_i64(value, NULL, &i64) == WEIR_OK ? signed_store(i64, element, to) : -1;
    return weir_get_u64(value, NULL, &u64) == WEIR_OK ? unsigned_store(u64, element, to) : -1;
}

static int store(const weir_value *value, const char *type, const weir_ndarray *array, unsigned char *to) {
    char found[64];
    if (number_store(value, array->element, to) == 0)
        return CLI_OK;
    return cli_fail(CLI_ENCODING, "DATA has a %s that does not fit %s", weir_value_type(value, found, sizeof(found)),
                    type);
}

/* Elements between neighbours along dimension @index. */
static uint64_t stride_of(const weir_ndarray *array, uint32_t index) {
    uint64_t stride = 1;
    if (array->order == WEIR_COLUMN)
        for (uint32_t i = 0; i < index; i++)
            stride *= array->shape[i];
    else
        for (uint32_t i = array->rank; --i > index;)
            stride *= array->shape[i];
    return stride;
}

static int shape_fail(const char *type, const weir_value *value) {
    return cli_fail(CLI_ENCODING, "DATA does not have the shape of %s: there are %llu items where it has another count",
                    type, (unsigned long long)weir_value_count(value));
}

/* The part of a nested value below dimension @index. Depth: at most the rank. */
static int nested_store(const weir_value *value, const char *type, const weir_ndarray *array, uint32_t index,
                        unsigned char *to) {
    size_t step = stride_of(array, index) * weir_element_size(array->element);
    int exit = CLI_OK;
    weir_iter it;
    if (weir_value_kind(value) != WEIR_KIND_ARRAY || weir_value_count(value) != array->shape[index])
        return shape_fail(type, value);
    weir_iter_init(&it, value);
    for (; exit == CLI_OK && weir_iter_next(&it); to += step)
        exit = index + 1 == array->rank ? store(it.value, type, array, to)
                                        : nested_store(it.value, type, array, index + 1, to);
    return exit;
}

static int flat_store(const weir_value *value, const char *type, const weir_ndarray *array, unsigned char *to) {
    int exit = CLI_OK;
    weir_iter it;
    if (weir_value_count(value) != weir_ndarray_count(array))
        return shape_fail(type, value);
    weir_iter_init(&it, value);
    for (; exit == CLI_OK && weir_iter_next(&it); to += weir_element_size(array->element))
        exit = store(it.value, type, array, to);
    return exit;
}

int cli_numbers(const weir_value *value, const char *type, const weir_ndarray *array, void *to) {
    weir_iter it;
    if (array->rank == 0)
        return store(value, type, array, to);
    weir_iter_init(&it, value);
    if (weir_iter_next(&it) && weir_value_kind(it.value) == WEIR_KIND_ARRAY)
        return nested_store(value, type, array, 0, to);
    if (weir_value_kind(value) != WEIR_KIND_ARRAY)
        return cli_fail(CLI_ENCODING, "DATA must be a JSON array of numbers for %s", type);
    return flat_store(value, type, array, to);
}
