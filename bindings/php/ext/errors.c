/* Exceptions: Weir\Error extends RuntimeException, and one class below it for each code of the library. getCode() is
 * the code's number, getMessage() the library's sentence. */
#include "php_weir.h"

#include <ext/spl/spl_exceptions.h>

static zend_class_entry *ce_error, *ce_stale;

static const struct {
    int code;
    const char *name;
} classes[] = {
    {WEIR_EAGAIN, "AgainException"},   {WEIR_ETIMEOUT, "TimeoutException"},    {WEIR_ECLOSED, "ClosedException"},
    {WEIR_ETOOBIG, "TooBigException"}, {WEIR_ENOENT, "NotFoundException"},     {WEIR_ETYPE, "TypeException"},
    {WEIR_EREMOTE, "RemoteException"}, {WEIR_EPEER, "PeerException"},          {WEIR_EBUSY, "BusyException"},
    {WEIR_EINVAL, "InvalidException"}, {WEIR_EADDRESS, "AddressException"},    {WEIR_EACCESS, "AccessException"},
    {WEIR_EPARSE, "ParseException"},   {WEIR_EENCODE, "EncodeException"},      {WEIR_ELIMIT, "LimitException"},
    {WEIR_ENOMEM, "MemoryException"},  {WEIR_ENOSPC, "SpaceException"},        {WEIR_ESYSTEM, "SystemException"},
    {WEIR_ECORRUPT, "CorruptException"}, {WEIR_EVERSION, "VersionException"},  {WEIR_ENOTSUP, "UnsupportedException"},
    {WEIR_EFORKED, "ForkedException"}, {WEIR_EFENCED, "FencedException"},
};
enum { CLASS_COUNT = sizeof(classes) / sizeof(classes[0]) };

static zend_class_entry *entries[CLASS_COUNT];

static zend_class_entry *class_of(int code) {
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (classes[i].code == code)
            return entries[i];
    return ce_error; /* a code that a newer library knows */
}

static zend_class_entry *class_register(const char *name, zend_class_entry *parent) {
    char full[64];
    zend_class_entry ce;
    snprintf(full, sizeof(full), "Weir\\%s", name);
    INIT_CLASS_ENTRY_EX(ce, full, strlen(full), NULL);
    return zend_register_internal_class_ex(&ce, parent);
}

void php_weir_errors_register(void) {
    ce_error = class_register("Error", spl_ce_RuntimeException);
    zend_declare_property_string(ce_error, ZEND_STRL("name"), "", ZEND_ACC_PUBLIC);
    zend_declare_property_long(ce_error, ZEND_STRL("errno"), 0, ZEND_ACC_PUBLIC);
    zend_declare_property_long(ce_error, ZEND_STRL("offset"), 0, ZEND_ACC_PUBLIC);
    for (size_t i = 0; i < CLASS_COUNT; i++)
        entries[i] = class_register(classes[i].name, ce_error);
    zend_declare_property_long(class_of(WEIR_EREMOTE), ZEND_STRL("remoteCode"), 0, ZEND_ACC_PUBLIC);
    zend_declare_property_long(class_of(WEIR_EREMOTE), ZEND_STRL("id"), 0, ZEND_ACC_PUBLIC);
    zend_declare_property_long(class_of(WEIR_EPEER), ZEND_STRL("id"), 0, ZEND_ACC_PUBLIC);
    ce_stale = class_register("StaleException", ce_error);
    zend_declare_property_null(ce_stale, ZEND_STRL("last"), ZEND_ACC_PUBLIC);
}

static zend_object *thrown(zend_class_entry *ce, const weir_error *err) {
    zend_object *object = zend_throw_exception(ce, err->text, err->code);
    if (!object)
        return NULL;
    zend_update_property_string(ce, object, ZEND_STRL("name"), weir_err_name(err->code));
    zend_update_property_long(ce, object, ZEND_STRL("errno"), err->sys_errno);
    zend_update_property_long(ce, object, ZEND_STRL("offset"), (zend_long)err->offset);
    if (err->code == WEIR_EREMOTE)
        zend_update_property_long(ce, object, ZEND_STRL("remoteCode"), err->sys_errno);
    return object;
}

void php_weir_throw(const weir_error *err) {
    thrown(class_of(err->code), err);
}

void php_weir_throw_for(const weir_error *err, uint64_t id) {
    zend_class_entry *ce = class_of(err->code);
    zend_object *object = thrown(ce, err);
    if (object && (err->code == WEIR_EREMOTE || err->code == WEIR_EPEER))
        zend_update_property_long(ce, object, ZEND_STRL("id"), (zend_long)id);
}

void php_weir_throw_text(int code, const char *format, ...) {
    weir_error err = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err.text, sizeof(err.text), format, arguments);
    va_end(arguments);
    php_weir_throw(&err);
}

void php_weir_throw_stale(zval *last, const char *format, ...) {
    weir_error err = {.code = WEIR_ETIMEOUT};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err.text, sizeof(err.text), format, arguments);
    va_end(arguments);
    zend_object *object = thrown(ce_stale, &err);
    if (object)
        zend_update_property(ce_stale, object, ZEND_STRL("last"), last);
}
