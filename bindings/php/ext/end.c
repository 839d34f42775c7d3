/* What writers, readers, clients and servers have in common as PHP objects: a handle that the constructor opens and
 * close() or the object's end closes, and two documents for what is sent. */
#include "php_weir.h"

zend_class_entry *php_weir_end_register(zend_class_entry *ce, zend_object_handlers *handlers,
                                        void (*free_object)(zend_object *)) {
    zend_class_entry *made = zend_register_internal_class_ex(ce, NULL);
    made->ce_flags |= ZEND_ACC_NOT_SERIALIZABLE | ZEND_ACC_NO_DYNAMIC_PROPERTIES;
    memcpy(handlers, &std_object_handlers, sizeof(*handlers));
    handlers->offset = XtOffsetOf(php_weir_end, std);
    handlers->free_obj = free_object;
    handlers->clone_obj = NULL;
    return made;
}

php_weir_end *php_weir_end_make(zend_class_entry *ce, const zend_object_handlers *handlers) {
    php_weir_end *end = zend_object_alloc(sizeof(*end), ce);
    memset(end, 0, XtOffsetOf(php_weir_end, std));
    zend_object_std_init(&end->std, ce);
    object_properties_init(&end->std, ce);
    end->std.handlers = handlers;
    return end;
}

void php_weir_end_fini(php_weir_end *end) {
    end->data = weir_doc_free(end->data);
    end->meta = weir_doc_free(end->meta);
    zend_object_std_dtor(&end->std);
}

bool php_weir_end_is_open(const php_weir_end *end, const char *what) {
    if (end->as.reader) /* whichever it is */
        return true;
    php_weir_throw_text(WEIR_ECLOSED, "the %s is closed; make a new one", what);
    return false;
}

static bool doc_ready(weir_doc **doc) {
    if (*doc || weir_doc_new(doc) == WEIR_OK)
        return true;
    php_weir_throw_text(WEIR_ENOMEM, "out of memory for a document");
    return false;
}

bool php_weir_end_values(php_weir_end *end, zval *data, HashTable *meta, const weir_value **ret_data,
                         const weir_value **ret_meta) {
    *ret_data = NULL;
    *ret_meta = NULL;
    if (data && Z_TYPE_P(data) != IS_NULL && (!doc_ready(&end->data) || !php_weir_build(end->data, data, ret_data)))
        return false;
    return !meta || (doc_ready(&end->meta) && php_weir_build_map(end->meta, meta, ret_meta));
}
