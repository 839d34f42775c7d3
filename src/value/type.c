/* Kinds and types by name, as errors and tools show them. */
#include "value/value.h"

#include <stdio.h>

static const char *const kind_names[] = {
    [0] = "nothing",
    [WEIR_KIND_NULL] = "null",
    [WEIR_KIND_UNDEFINED] = "undefined",
    [WEIR_KIND_BOOL] = "bool",
    [WEIR_KIND_INT64] = "int64",
    [WEIR_KIND_UINT64] = "uint64",
    [WEIR_KIND_BIGINT] = "bigint",
    [WEIR_KIND_FLOAT32] = "float32",
    [WEIR_KIND_FLOAT64] = "float64",
    [WEIR_KIND_DECIMAL] = "decimal",
    [WEIR_KIND_TEXT] = "text",
    [WEIR_KIND_BYTES] = "bytes",
    [WEIR_KIND_TIME] = "time",
    [WEIR_KIND_ARRAY] = "array",
    [WEIR_KIND_MAP] = "map",
    [WEIR_KIND_NDARRAY] = "ndarray",
    [WEIR_KIND_TAGGED] = "tagged",
};

const char *weir_value_type(const weir_value *value, char *text, size_t size) {
    static const char *const spaces[] = {"tag", "simple", "bson"};
    if (size == 0)
        return "";
    if (value && value->kind == WEIR_KIND_NDARRAY) {
        char type[WEIR_NDARRAY_TYPE_MAX];
        weir_ndarray array;
        weir_value_ndarray(value, &array);
        weir_ndarray_type(&array, type);
        snprintf(text, size, "%s", type);
    } else if (value && value->kind == WEIR_KIND_TAGGED) {
        snprintf(text, size, "%s(%llu)", spaces[value->count % 3], (unsigned long long)value->as.u64);
    } else {
        snprintf(text, size, "%s", kind_names[weir_value_kind(value)]);
    }
    return text;
}

uint64_t weir_value_count(const weir_value *value) {
    switch (weir_value_kind(value)) {
    case WEIR_KIND_TEXT:
    case WEIR_KIND_BYTES:
    case WEIR_KIND_ARRAY:
    case WEIR_KIND_MAP: return value->count;
    case WEIR_KIND_NDARRAY: {
        weir_ndarray array;
        weir_value_ndarray(value, &array);
        return weir_ndarray_count(&array);
    }
    default: return 0;
    }
}
