/* Weir\NdArray: a dense array of numbers. The elements stay where they are, in the message or in a PHP
 * string, and become PHP numbers one by one, when asked for. They may lie unaligned or in the other byte order; $bytes
 * is always in the machine's. */
#include "php_weir.h"

#include <ext/json/php_json.h>
#include <ext/spl/spl_array.h>
#include <ext/spl/spl_iterators.h>
#include <math.h>

zend_class_entry *php_weir_ce_ndarray;
static zend_object_handlers handlers;

typedef struct php_weir_array {
    weir_ndarray array; /* its data lies in box or in bytes; element 0 before the constructor */
    php_weir_box *box;
    zend_string *bytes;
    zend_object std;
} php_weir_array;

static const uint32_t MACHINE_IS_BIG = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

static php_weir_array *array_of(zend_object *object) {
    return PHP_WEIR_FROM(php_weir_array, object);
}

static zend_object *array_create(zend_class_entry *ce) {
    php_weir_array *a = zend_object_alloc(sizeof(*a), ce);
    memset(a, 0, XtOffsetOf(php_weir_array, std));
    zend_object_std_init(&a->std, ce);
    a->std.handlers = &handlers;
    return &a->std;
}

static void array_free(zend_object *object) {
    php_weir_array *a = array_of(object);
    php_weir_box_drop(a->box);
    if (a->bytes)
        zend_string_release(a->bytes);
    zend_object_std_dtor(object);
}

const weir_ndarray *php_weir_ndarray_of(zend_object *object) {
    php_weir_array *a = array_of(object);
    return !a->box || php_weir_box_is_there(a->box) ? &a->array : NULL;
}

/* The elements in the machine's byte order, as a new string. */
static zend_string *native_bytes(const weir_ndarray *array) {
    size_t unit = weir_element_size(array->element);
    zend_string *bytes = zend_string_alloc(array->size, 0);
    char *to = ZSTR_VAL(bytes);
    const char *from = array->data;
    if (array->size)
        memcpy(to, from, array->size);
    to[array->size] = 0;
    if (array->big_endian != MACHINE_IS_BIG && unit > 1)
        for (size_t i = 0; i < array->size; i++)
            to[i] = from[i - i % unit + unit - 1 - i % unit];
    return bytes;
}

/* Let the array lie in @bytes, which the object takes over. */
static void adopt(php_weir_array *a, zend_string *bytes) {
    a->bytes = bytes;
    a->array.data = ZSTR_VAL(bytes);
    a->array.size = ZSTR_LEN(bytes);
    a->array.big_endian = MACHINE_IS_BIG;
}

bool php_weir_ndarray_new(zval *ret, const weir_ndarray *array, php_weir_box *box) {
    object_init_ex(ret, php_weir_ce_ndarray);
    php_weir_array *a = array_of(Z_OBJ_P(ret));
    a->array = *array;
    a->box = php_weir_box_share(box);
    if (!box)
        adopt(a, native_bytes(array));
    return true;
}

/* ---- elements ---- */

static void unsigned_to_php(uint64_t number, zval *ret) {
    if (number <= ZEND_LONG_MAX) {
        ZVAL_LONG(ret, (zend_long)number);
        return;
    }
    zend_string *digits = zend_u64_to_str(number);
    php_weir_bigint_new(ret, digits);
    zend_string_release(digits);
}

/* The element at place @index in memory. */
static void element_to_php(const weir_ndarray *array, size_t index, zval *ret) {
    union {
        unsigned char bytes[8];
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
    } e;
    size_t unit = weir_element_size(array->element);
    const unsigned char *from = (const unsigned char *)array->data + index * unit;
    for (size_t i = 0; i < unit; i++)
        e.bytes[i] = from[array->big_endian == MACHINE_IS_BIG ? i : unit - 1 - i];
    switch (array->element) {
    case WEIR_U8: ZVAL_LONG(ret, e.u8); break;
    case WEIR_U16: ZVAL_LONG(ret, e.u16); break;
    case WEIR_U32: ZVAL_LONG(ret, e.u32); break;
    case WEIR_U64: unsigned_to_php(e.u64, ret); break;
    case WEIR_I8: ZVAL_LONG(ret, e.i8); break;
    case WEIR_I16: ZVAL_LONG(ret, e.i16); break;
    case WEIR_I32: ZVAL_LONG(ret, e.i32); break;
    case WEIR_I64: ZVAL_LONG(ret, e.i64); break;
    case WEIR_F32: ZVAL_DOUBLE(ret, e.f32); break;
    case WEIR_F64: ZVAL_DOUBLE(ret, e.f64); break;
    default: ZVAL_NULL(ret);
    }
}

/* How many elements apart neighbours along each axis lie. */
static void strides_of(const weir_ndarray *array, size_t *strides) {
    size_t step = 1;
    for (uint32_t i = 0; i < array->rank; i++) {
        uint32_t axis = array->order == WEIR_COLUMN ? i : array->rank - 1 - i;
        strides[axis] = step;
        step *= array->shape[axis];
    }
}

/* JSON knows no NaN and no infinity; in what is meant for it they are null. */
static void axis_to_php(const weir_ndarray *array, const size_t *strides, uint32_t axis, size_t place, bool is_json,
                        zval *ret) {
    if (axis == array->rank) {
        element_to_php(array, place, ret);
        if (is_json && Z_TYPE_P(ret) == IS_DOUBLE && !isfinite(Z_DVAL_P(ret)))
            ZVAL_NULL(ret);
        return;
    }
    array_init_size(ret, (uint32_t)array->shape[axis]);
    zend_hash_real_init_packed(Z_ARRVAL_P(ret));
    for (uint64_t i = 0; i < array->shape[axis]; i++) {
        zval item;
        axis_to_php(array, strides, axis + 1, place + i * strides[axis], is_json, &item);
        zend_hash_next_index_insert(Z_ARRVAL_P(ret), &item);
    }
}

/* A PHP array of arrays, the first index outermost; of a single number, an array of one. */
static void to_php(const weir_ndarray *array, bool is_json, zval *ret) {
    size_t strides[WEIR_RANK_MAX];
    strides_of(array, strides);
    if (array->rank > 0) {
        axis_to_php(array, strides, 0, 0, is_json, ret);
        return;
    }
    zval item;
    array_init(ret);
    if (array->element) {
        axis_to_php(array, strides, 0, 0, is_json, &item);
        zend_hash_next_index_insert(Z_ARRVAL_P(ret), &item);
    }
}

/* ---- properties ---- */

static const char *const names[] = {"shape", "dtype", "order", "size", "bytes", NULL};

static bool array_read(zend_object *object, size_t index, zval *ret) {
    php_weir_array *a = array_of(object);
    const weir_ndarray *array = &a->array;
    switch (index) {
    case 0:
        array_init_size(ret, array->rank);
        for (uint32_t i = 0; i < array->rank; i++)
            add_next_index_long(ret, (zend_long)array->shape[i]);
        break;
    case 1:
        ZVAL_STRING(ret, weir_element_name(array->element));
        break;
    case 2:
        ZVAL_STRING(ret, array->order == WEIR_COLUMN ? "column" : "row");
        break;
    case 3:
        ZVAL_LONG(ret, array->element ? (zend_long)weir_ndarray_count(array) : 0);
        break;
    default:
        if (!a->bytes && !php_weir_ndarray_of(object))
            return false;
        if (!a->bytes)
            a->bytes = native_bytes(array);
        ZVAL_STR_COPY(ret, a->bytes);
    }
    return true;
}

static const php_weir_properties properties = {names, array_read};

static zval *array_property(zend_object *object, zend_string *name, int type, void **slot, zval *ret) {
    return php_weir_property_read(&properties, object, name, type, slot, ret);
}

static int array_has(zend_object *object, zend_string *name, int what, void **slot) {
    return php_weir_property_has(&properties, object, name, what, slot);
}

static HashTable *array_dump(zend_object *object, int *ret_is_temp) {
    return php_weir_property_dump(&properties, object, ret_is_temp);
}

/* ---- making one ---- */

static bool dtype_parse(const zend_string *name, uint32_t argument, uint32_t *ret) {
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++)
        if (zend_string_equals_cstr(name, weir_element_name(element), strlen(weir_element_name(element)))) {
            *ret = element;
            return true;
        }
    zend_argument_value_error(argument, "must be one of u8, u16, u32, u64, i8, i16, i32, i64, f32, f64");
    return false;
}

static bool order_parse(const zend_string *name, uint32_t argument, uint32_t *ret) {
    bool is_column = name && zend_string_equals_literal(name, "column");
    if (!is_column && name && !zend_string_equals_literal(name, "row")) {
        zend_argument_value_error(argument, "must be \"row\" or \"column\"");
        return false;
    }
    *ret = is_column ? WEIR_COLUMN : WEIR_ROW;
    return true;
}

static bool shape_parse(HashTable *shape, uint32_t argument, weir_ndarray *array) {
    zval *length;
    if (zend_hash_num_elements(shape) > WEIR_RANK_MAX) {
        zend_argument_value_error(argument, "must have at most %d dimensions", WEIR_RANK_MAX);
        return false;
    }
    ZEND_HASH_FOREACH_VAL(shape, length)
        ZVAL_DEREF(length);
        if (Z_TYPE_P(length) != IS_LONG || Z_LVAL_P(length) < 0) {
            zend_argument_value_error(argument, "must be a list of lengths, integers from 0");
            return false;
        }
        array->shape[array->rank++] = (uint64_t)Z_LVAL_P(length);
    ZEND_HASH_FOREACH_END();
    return true;
}

ZEND_BEGIN_ARG_INFO_EX(arginfo_construct, 0, 0, 3)
    ZEND_ARG_TYPE_INFO(0, dtype, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, shape, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, order, IS_STRING, 0, "'row'")
ZEND_END_ARG_INFO()

static PHP_METHOD(NdArray, __construct) {
    zend_string *dtype, *bytes, *order = NULL;
    HashTable *shape;
    weir_ndarray array = {0};
    ZEND_PARSE_PARAMETERS_START(3, 4)
        Z_PARAM_STR(dtype)
        Z_PARAM_ARRAY_HT(shape)
        Z_PARAM_STR(bytes)
        Z_PARAM_OPTIONAL
        Z_PARAM_STR(order)
    ZEND_PARSE_PARAMETERS_END();
    php_weir_array *a = PHP_WEIR_THIS(php_weir_array);
    if (a->array.element) {
        zend_throw_error(NULL, "Cannot modify a Weir\\NdArray");
        return;
    }
    if (!dtype_parse(dtype, 1, &array.element) || !shape_parse(shape, 2, &array) ||
        !order_parse(order, 4, &array.order))
        return;
    uint64_t count = weir_ndarray_count(&array);
    size_t unit = weir_element_size(array.element);
    if (ZSTR_LEN(bytes) % unit != 0 || count != ZSTR_LEN(bytes) / unit) {
        zend_argument_value_error(3, "must have %" PRIu64 " x %zu bytes, it has %zu", count, unit, ZSTR_LEN(bytes));
        return;
    }
    a->array = array;
    adopt(a, zend_string_copy(bytes));
}

/* The shape of nested PHP arrays, taken from the first item at each depth. */
static bool nested_shape(HashTable *values, weir_ndarray *array) {
    for (HashTable *level = values; level;) {
        if (array->rank == WEIR_RANK_MAX) {
            zend_argument_value_error(1, "must have at most %d dimensions", WEIR_RANK_MAX);
            return false;
        }
        array->shape[array->rank++] = zend_hash_num_elements(level);
        zval *first = NULL;
        ZEND_HASH_FOREACH_VAL(level, first)
            ZVAL_DEREF(first);
            break;
        ZEND_HASH_FOREACH_END();
        level = first && Z_TYPE_P(first) == IS_ARRAY ? Z_ARRVAL_P(first) : NULL;
    }
    return true;
}

static bool integer_store(uint32_t element, zval *item, char *to) {
    if (Z_TYPE_P(item) != IS_LONG) {
        zend_argument_value_error(1, "must hold integers for %s", weir_element_name(element));
        return false;
    }
    zend_long number = Z_LVAL_P(item);
    size_t unit = weir_element_size(element);
    bool is_unsigned = element <= WEIR_U64;
    int bits = (int)unit * 8 - !is_unsigned;
    zend_long top = bits >= 63 ? ZEND_LONG_MAX : ((zend_long)1 << bits) - 1;
    if (number > top || number < (is_unsigned ? 0 : -top - 1)) {
        zend_argument_value_error(1, "must hold numbers that fit %s, " ZEND_LONG_FMT " does not",
                                  weir_element_name(element), number);
        return false;
    }
    memcpy(to, (const char *)&number + (MACHINE_IS_BIG ? sizeof(number) - unit : 0), unit);
    return true;
}

static bool number_store(uint32_t element, zval *item, char *to) {
    if (element != WEIR_F32 && element != WEIR_F64)
        return integer_store(element, item, to);
    if (Z_TYPE_P(item) != IS_LONG && Z_TYPE_P(item) != IS_DOUBLE) {
        zend_argument_value_error(1, "must hold numbers, or arrays of equal length");
        return false;
    }
    double number = zval_get_double(item);
    float single = (float)number;
    memcpy(to, element == WEIR_F64 ? (void *)&number : (void *)&single, weir_element_size(element));
    return true;
}

/* Store what is below one axis, in row order. */
static bool nested_store(const weir_ndarray *array, HashTable *level, uint32_t axis, char **to) {
    zval *item;
    bool is_last = axis + 1 == array->rank;
    if (zend_hash_num_elements(level) != array->shape[axis]) {
        zend_argument_value_error(1, "must hold arrays of equal length");
        return false;
    }
    ZEND_HASH_FOREACH_VAL(level, item)
        ZVAL_DEREF(item);
        if (!is_last && Z_TYPE_P(item) != IS_ARRAY) {
            zend_argument_value_error(1, "must hold numbers, or arrays of equal length");
            return false;
        }
        if (is_last ? !number_store(array->element, item, *to) : !nested_store(array, Z_ARRVAL_P(item), axis + 1, to))
            return false;
        if (is_last)
            *to += weir_element_size(array->element);
    ZEND_HASH_FOREACH_END();
    return true;
}

ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_from, 0, 1, Weir\\NdArray, 0)
    ZEND_ARG_TYPE_INFO(0, values, IS_ARRAY, 0)
    ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, dtype, IS_STRING, 0, "'f64'")
ZEND_END_ARG_INFO()

static PHP_METHOD(NdArray, from) {
    HashTable *values;
    zend_string *dtype = NULL;
    weir_ndarray array = {.element = WEIR_F64};
    ZEND_PARSE_PARAMETERS_START(1, 2)
        Z_PARAM_ARRAY_HT(values)
        Z_PARAM_OPTIONAL
        Z_PARAM_STR(dtype)
    ZEND_PARSE_PARAMETERS_END();
    if ((dtype && !dtype_parse(dtype, 2, &array.element)) || !nested_shape(values, &array))
        return;
    uint64_t count = weir_ndarray_count(&array);
    if (count > UINT32_MAX) {
        zend_argument_value_error(1, "must hold arrays of equal length, below 2^32 numbers in all");
        return;
    }
    zend_string *bytes = zend_string_alloc(count * weir_element_size(array.element), 0);
    char *to = ZSTR_VAL(bytes);
    if (!nested_store(&array, values, 0, &to)) {
        zend_string_release(bytes);
        return;
    }
    *to = 0;
    object_init_ex(return_value, php_weir_ce_ndarray);
    php_weir_array *a = array_of(Z_OBJ_P(return_value));
    a->array = array;
    adopt(a, bytes);
}

/* ---- reading ---- */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_array, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_count, 0, 0, IS_LONG, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_OBJ_INFO_EX(arginfo_iterator, 0, 0, Iterator, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_at, 0, 0, IS_MIXED, 0)
    ZEND_ARG_VARIADIC_TYPE_INFO(0, index, IS_LONG, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(NdArray, toArray) {
    ZEND_PARSE_PARAMETERS_NONE();
    const weir_ndarray *array = php_weir_ndarray_of(Z_OBJ_P(ZEND_THIS));
    if (array)
        to_php(array, false, return_value);
}

static PHP_METHOD(NdArray, jsonSerialize) {
    ZEND_PARSE_PARAMETERS_NONE();
    const weir_ndarray *array = php_weir_ndarray_of(Z_OBJ_P(ZEND_THIS));
    if (array)
        to_php(array, true, return_value);
}

/* As of the array that toArray gives: the length of the first dimension. */
static PHP_METHOD(NdArray, count) {
    ZEND_PARSE_PARAMETERS_NONE();
    const weir_ndarray *array = &PHP_WEIR_THIS(php_weir_array)->array;
    RETURN_LONG(array->rank > 0 ? (zend_long)array->shape[0] : array->element != 0);
}

static PHP_METHOD(NdArray, getIterator) {
    zval items;
    ZEND_PARSE_PARAMETERS_NONE();
    const weir_ndarray *array = php_weir_ndarray_of(Z_OBJ_P(ZEND_THIS));
    if (!array)
        return;
    to_php(array, false, &items);
    object_init_ex(return_value, spl_ce_ArrayIterator);
    zend_function *construct = spl_ce_ArrayIterator->constructor;
    zend_call_known_instance_method_with_1_params(construct, Z_OBJ_P(return_value), NULL, &items);
    zval_ptr_dtor(&items);
}

/* One number, by its indices from 0. */
static PHP_METHOD(NdArray, at) {
    zval *indices = NULL;
    uint32_t count = 0;
    size_t strides[WEIR_RANK_MAX], place = 0;
    ZEND_PARSE_PARAMETERS_START(0, -1)
        Z_PARAM_VARIADIC('*', indices, count)
    ZEND_PARSE_PARAMETERS_END();
    const weir_ndarray *array = php_weir_ndarray_of(Z_OBJ_P(ZEND_THIS));
    if (!array)
        return;
    strides_of(array, strides);
    bool is_inside = count == array->rank && array->element != 0;
    for (uint32_t i = 0; is_inside && i < count; i++) {
        is_inside = Z_TYPE(indices[i]) == IS_LONG && Z_LVAL(indices[i]) >= 0 &&
                    (uint64_t)Z_LVAL(indices[i]) < array->shape[i];
        place += is_inside ? (size_t)Z_LVAL(indices[i]) * strides[i] : 0;
    }
    if (is_inside)
        element_to_php(array, place, return_value);
    else
        zend_value_error("Weir\\NdArray::at() needs %u indices, each inside its dimension", array->rank);
}

static const zend_function_entry methods[] = {
    PHP_ME(NdArray, __construct, arginfo_construct, ZEND_ACC_PUBLIC)
    PHP_ME(NdArray, from, arginfo_from, ZEND_ACC_PUBLIC | ZEND_ACC_STATIC)
    PHP_ME(NdArray, toArray, arginfo_array, ZEND_ACC_PUBLIC)
    PHP_ME(NdArray, at, arginfo_at, ZEND_ACC_PUBLIC)
    PHP_ME(NdArray, count, arginfo_count, ZEND_ACC_PUBLIC)
    PHP_ME(NdArray, getIterator, arginfo_iterator, ZEND_ACC_PUBLIC)
    PHP_ME(NdArray, jsonSerialize, arginfo_array, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

void php_weir_ndarray_register(void) {
    zend_class_entry ce;
    INIT_NS_CLASS_ENTRY(ce, "Weir", "NdArray", methods);
    php_weir_ce_ndarray = zend_register_internal_class_ex(&ce, NULL);
    php_weir_ce_ndarray->ce_flags |= ZEND_ACC_FINAL | ZEND_ACC_NOT_SERIALIZABLE | ZEND_ACC_NO_DYNAMIC_PROPERTIES;
    php_weir_ce_ndarray->create_object = array_create;
    zend_class_implements(php_weir_ce_ndarray, 3, zend_ce_countable, zend_ce_aggregate, php_json_serializable_ce);
    php_weir_property_handlers(&handlers, XtOffsetOf(php_weir_array, std));
    handlers.free_obj = array_free;
    handlers.read_property = array_property;
    handlers.has_property = array_has;
    handlers.get_debug_info = array_dump;
}
