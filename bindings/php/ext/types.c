/* Values that PHP has no type for, as small final classes with public properties that are set once, in the constructor:
 * Bytes (a string that is not text), BigInt, Decimal, Tagged. */
#include "php_weir.h"

#include <ext/json/php_json.h>
#include <ext/standard/base64.h>

zend_class_entry *php_weir_ce_bytes, *php_weir_ce_bigint, *php_weir_ce_decimal, *php_weir_ce_tagged;

/* Properties are readonly, and so are initialised in their slots, in the order of declaration. */
static void slot_set(zval *object, int index, zval *value) {
    zval *slot = OBJ_PROP_NUM(Z_OBJ_P(object), index);
    zval_ptr_dtor(slot);
    ZVAL_COPY_VALUE(slot, value);
}

static void string_object_new(zend_class_entry *ce, zval *ret, zend_string *text) {
    zval value;
    object_init_ex(ret, ce);
    ZVAL_STR_COPY(&value, text);
    slot_set(ret, 0, &value);
}

void php_weir_bytes_new(zval *ret, zend_string *bytes) {
    string_object_new(php_weir_ce_bytes, ret, bytes);
}

void php_weir_bigint_new(zval *ret, zend_string *digits) {
    string_object_new(php_weir_ce_bigint, ret, digits);
}

void php_weir_decimal_new(zval *ret, zend_string *digits, zend_long exponent) {
    zval value;
    string_object_new(php_weir_ce_decimal, ret, digits);
    ZVAL_LONG(&value, exponent);
    slot_set(ret, 1, &value);
}

void php_weir_tagged_new(zval *ret, zend_long space, zend_long number, zval *content) {
    zval value;
    object_init_ex(ret, php_weir_ce_tagged);
    ZVAL_LONG(&value, space);
    slot_set(ret, 0, &value);
    ZVAL_LONG(&value, number);
    slot_set(ret, 1, &value);
    ZVAL_COPY(&value, content);
    slot_set(ret, 2, &value);
}

/* A second call of a constructor would change a value that others hold. */
static bool is_fresh(zval *object) {
    if (Z_TYPE_P(OBJ_PROP_NUM(Z_OBJ_P(object), 0)) == IS_UNDEF)
        return true;
    zend_throw_error(NULL, "Cannot modify a %s", ZSTR_VAL(Z_OBJCE_P(object)->name));
    return false;
}

static bool is_integer(const zend_string *digits) {
    size_t i = ZSTR_LEN(digits) > 0 && ZSTR_VAL(digits)[0] == '-';
    size_t first = i;
    while (i < ZSTR_LEN(digits) && ZSTR_VAL(digits)[i] >= '0' && ZSTR_VAL(digits)[i] <= '9')
        i++;
    return i > first && i == ZSTR_LEN(digits);
}

/* ---- Bytes ---- */

ZEND_BEGIN_ARG_INFO_EX(arginfo_bytes_construct, 0, 0, 1)
    ZEND_ARG_TYPE_INFO(0, bytes, IS_STRING, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_to_string, 0, 0, IS_STRING, 0)
ZEND_END_ARG_INFO()
ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_json, 0, 0, IS_MIXED, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Bytes, __construct) {
    zval value;
    zend_string *bytes;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_STR(bytes)
    ZEND_PARSE_PARAMETERS_END();
    if (!is_fresh(ZEND_THIS))
        return;
    ZVAL_STR_COPY(&value, bytes);
    slot_set(ZEND_THIS, 0, &value);
}

/* The bytes of Bytes, the digits of BigInt. */
static PHP_METHOD(Bytes, __toString) {
    ZEND_PARSE_PARAMETERS_NONE();
    zval *text = OBJ_PROP_NUM(Z_OBJ_P(ZEND_THIS), 0);
    if (Z_TYPE_P(text) == IS_STRING)
        RETURN_STR_COPY(Z_STR_P(text));
    RETURN_EMPTY_STRING();
}

/* As the library's plain JSON: base64. */
static PHP_METHOD(Bytes, jsonSerialize) {
    ZEND_PARSE_PARAMETERS_NONE();
    zval *bytes = OBJ_PROP_NUM(Z_OBJ_P(ZEND_THIS), 0);
    if (Z_TYPE_P(bytes) != IS_STRING)
        RETURN_EMPTY_STRING();
    RETURN_STR(php_base64_encode((const unsigned char *)Z_STRVAL_P(bytes), Z_STRLEN_P(bytes)));
}

static const zend_function_entry bytes_methods[] = {
    PHP_ME(Bytes, __construct, arginfo_bytes_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Bytes, __toString, arginfo_to_string, ZEND_ACC_PUBLIC)
    PHP_ME(Bytes, jsonSerialize, arginfo_json, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- BigInt ---- */

ZEND_BEGIN_ARG_INFO_EX(arginfo_bigint_construct, 0, 0, 1)
    ZEND_ARG_TYPE_INFO(0, digits, IS_STRING, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(BigInt, __construct) {
    zval value;
    zend_string *digits;
    ZEND_PARSE_PARAMETERS_START(1, 1)
        Z_PARAM_STR(digits)
    ZEND_PARSE_PARAMETERS_END();
    if (!is_integer(digits)) {
        zend_argument_value_error(1, "must be decimal digits with an optional '-'");
        return;
    }
    if (!is_fresh(ZEND_THIS))
        return;
    ZVAL_STR_COPY(&value, digits);
    slot_set(ZEND_THIS, 0, &value);
}

static PHP_METHOD(BigInt, jsonSerialize) {
    PHP_MN(Bytes___toString)(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

static const zend_function_entry bigint_methods[] = {
    PHP_ME(BigInt, __construct, arginfo_bigint_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Bytes, __toString, arginfo_to_string, ZEND_ACC_PUBLIC)
    PHP_ME(BigInt, jsonSerialize, arginfo_json, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- Decimal ---- */

ZEND_BEGIN_ARG_INFO_EX(arginfo_decimal_construct, 0, 0, 2)
    ZEND_ARG_TYPE_INFO(0, digits, IS_STRING, 0)
    ZEND_ARG_TYPE_INFO(0, exponent, IS_LONG, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Decimal, __construct) {
    zval value;
    zend_string *digits;
    zend_long exponent;
    ZEND_PARSE_PARAMETERS_START(2, 2)
        Z_PARAM_STR(digits)
        Z_PARAM_LONG(exponent)
    ZEND_PARSE_PARAMETERS_END();
    if (!is_integer(digits)) {
        zend_argument_value_error(1, "must be decimal digits with an optional '-'");
        return;
    }
    if (exponent < INT32_MIN || exponent > INT32_MAX) {
        zend_argument_value_error(2, "must fit 32 bits");
        return;
    }
    if (!is_fresh(ZEND_THIS))
        return;
    ZVAL_STR_COPY(&value, digits);
    slot_set(ZEND_THIS, 0, &value);
    ZVAL_LONG(&value, exponent);
    slot_set(ZEND_THIS, 1, &value);
}

static PHP_METHOD(Decimal, __toString) {
    ZEND_PARSE_PARAMETERS_NONE();
    zval *digits = OBJ_PROP_NUM(Z_OBJ_P(ZEND_THIS), 0), *exponent = OBJ_PROP_NUM(Z_OBJ_P(ZEND_THIS), 1);
    if (Z_TYPE_P(digits) != IS_STRING)
        RETURN_EMPTY_STRING();
    RETURN_STR(strpprintf(0, "%sE" ZEND_LONG_FMT, Z_STRVAL_P(digits), Z_LVAL_P(exponent)));
}

static PHP_METHOD(Decimal, jsonSerialize) {
    PHP_MN(Decimal___toString)(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

static const zend_function_entry decimal_methods[] = {
    PHP_ME(Decimal, __construct, arginfo_decimal_construct, ZEND_ACC_PUBLIC)
    PHP_ME(Decimal, __toString, arginfo_to_string, ZEND_ACC_PUBLIC)
    PHP_ME(Decimal, jsonSerialize, arginfo_json, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- Tagged ---- */

ZEND_BEGIN_ARG_INFO_EX(arginfo_tagged_construct, 0, 0, 3)
    ZEND_ARG_TYPE_INFO(0, space, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, number, IS_LONG, 0)
    ZEND_ARG_TYPE_INFO(0, value, IS_MIXED, 0)
ZEND_END_ARG_INFO()

static PHP_METHOD(Tagged, __construct) {
    zval number, *content;
    zend_long space, tag;
    ZEND_PARSE_PARAMETERS_START(3, 3)
        Z_PARAM_LONG(space)
        Z_PARAM_LONG(tag)
        Z_PARAM_ZVAL(content)
    ZEND_PARSE_PARAMETERS_END();
    if (!is_fresh(ZEND_THIS))
        return;
    ZVAL_LONG(&number, space);
    slot_set(ZEND_THIS, 0, &number);
    ZVAL_LONG(&number, tag);
    slot_set(ZEND_THIS, 1, &number);
    zval copy;
    ZVAL_COPY(&copy, content);
    slot_set(ZEND_THIS, 2, &copy);
}

static const zend_function_entry tagged_methods[] = {
    PHP_ME(Tagged, __construct, arginfo_tagged_construct, ZEND_ACC_PUBLIC)
    PHP_FE_END
};

/* ---- registration ---- */

static void property_declare(zend_class_entry *ce, const char *name, uint32_t type) {
    zval unset;
    ZVAL_UNDEF(&unset);
    zend_string *text = zend_string_init(name, strlen(name), 1);
    zend_declare_typed_property(ce, text, &unset, ZEND_ACC_PUBLIC | ZEND_ACC_READONLY, NULL,
                                (zend_type)ZEND_TYPE_INIT_MASK(type));
    zend_string_release(text);
}

static zend_class_entry *type_register(const char *name, const zend_function_entry *methods, bool is_json) {
    zend_class_entry ce;
    INIT_CLASS_ENTRY_EX(ce, name, strlen(name), methods);
    zend_class_entry *made = zend_register_internal_class_ex(&ce, NULL);
    made->ce_flags |= ZEND_ACC_FINAL | ZEND_ACC_NO_DYNAMIC_PROPERTIES;
    if (is_json)
        zend_class_implements(made, 2, zend_ce_stringable, php_json_serializable_ce);
    return made;
}

void php_weir_types_register(void) {
    php_weir_ce_bytes = type_register("Weir\\Bytes", bytes_methods, true);
    property_declare(php_weir_ce_bytes, "bytes", MAY_BE_STRING);
    php_weir_ce_bigint = type_register("Weir\\BigInt", bigint_methods, true);
    property_declare(php_weir_ce_bigint, "digits", MAY_BE_STRING);
    php_weir_ce_decimal = type_register("Weir\\Decimal", decimal_methods, true);
    property_declare(php_weir_ce_decimal, "digits", MAY_BE_STRING);
    property_declare(php_weir_ce_decimal, "exponent", MAY_BE_LONG);
    php_weir_ce_tagged = type_register("Weir\\Tagged", tagged_methods, false);
    property_declare(php_weir_ce_tagged, "space", MAY_BE_LONG);
    property_declare(php_weir_ce_tagged, "number", MAY_BE_LONG);
    property_declare(php_weir_ce_tagged, "value", MAY_BE_ANY);
}
