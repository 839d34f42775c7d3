/* Computed properties: what Weir\Message and Weir\NdArray share. A class names its properties in a table and reads one
 * by its index; a name that is not in the table is handled as by any other object, which warns. */
#include "php_weir.h"

static bool find(const php_weir_properties *of, const zend_string *name, size_t *ret_index) {
    for (size_t i = 0; of->names[i]; i++)
        if (zend_string_equals_cstr(name, of->names[i], strlen(of->names[i]))) {
            *ret_index = i;
            return true;
        }
    return false;
}

static void refuse_change(const zend_object *object, const zend_string *name) {
    zend_throw_error(NULL, "Cannot modify readonly property %s::$%s", ZSTR_VAL(object->ce->name), ZSTR_VAL(name));
}

zval *php_weir_property_read(const php_weir_properties *of, zend_object *object, zend_string *name, int type,
                             void **slot, zval *ret) {
    size_t index;
    if (!find(of, name, &index))
        return zend_std_read_property(object, name, type, slot, ret);
    if (type != BP_VAR_R && type != BP_VAR_IS) {
        refuse_change(object, name);
        return &EG(uninitialized_zval);
    }
    return of->read(object, index, ret) ? ret : &EG(uninitialized_zval);
}

int php_weir_property_has(const php_weir_properties *of, zend_object *object, zend_string *name, int what,
                          void **slot) {
    size_t index;
    zval value;
    if (!find(of, name, &index))
        return zend_std_has_property(object, name, what, slot);
    if (what == ZEND_PROPERTY_EXISTS)
        return 1;
    if (!of->read(object, index, &value))
        return 0;
    int is_there = what == ZEND_PROPERTY_NOT_EMPTY ? zend_is_true(&value) : Z_TYPE(value) != IS_NULL;
    zval_ptr_dtor(&value);
    return is_there;
}

HashTable *php_weir_property_dump(const php_weir_properties *of, zend_object *object, int *ret_is_temp) {
    HashTable *shown = zend_new_array(16);
    *ret_is_temp = 1;
    for (size_t i = 0; of->names[i]; i++) {
        zval value;
        if (!of->read(object, i, &value))
            break;
        zend_hash_str_update(shown, of->names[i], strlen(of->names[i]), &value);
    }
    return shown;
}

static zval *refuse_write(zend_object *object, zend_string *name, zval *value, void **slot) {
    refuse_change(object, name);
    return value;
}

static void refuse_unset(zend_object *object, zend_string *name, void **slot) {
    refuse_change(object, name);
}

/* NULL sends the engine to read_property and write_property. */
static zval *no_pointer(zend_object *object, zend_string *name, int type, void **slot) {
    return NULL;
}

void php_weir_property_handlers(zend_object_handlers *handlers, size_t offset) {
    memcpy(handlers, &std_object_handlers, sizeof(*handlers));
    handlers->offset = (int)offset;
    handlers->write_property = refuse_write;
    handlers->unset_property = refuse_unset;
    handlers->get_property_ptr_ptr = no_pointer;
    handlers->clone_obj = NULL;
}
