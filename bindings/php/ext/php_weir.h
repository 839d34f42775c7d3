/* What the files of the PHP extension share.
 *
 * Every function here that can fail returns false (or NULL) with an exception thrown. Nothing of the library is kept
 * across calls but the handle of an end and a message's copy, so a PHP object may live as long as the script likes. */
#ifndef PHP_WEIR_H
#define PHP_WEIR_H

#include <php.h>

#include <Zend/zend_exceptions.h>
#include <Zend/zend_interfaces.h>

#include <weir/weir.h>

extern zend_module_entry weir_module_entry;

/* A struct whose last member is `std`, from its zend_object, and from a zval. */
#define PHP_WEIR_FROM(type, object) ((type *)((char *)(object)-XtOffsetOf(type, std)))
#define PHP_WEIR_THIS(type) PHP_WEIR_FROM(type, Z_OBJ_P(ZEND_THIS))

/* ---- errors.c ---- */

void php_weir_errors_register(void);
/* Throw the exception of err->code with the library's sentence. */
void php_weir_throw(const weir_error *err);
/* The same; the error of one request, which ends with it, says which that was. */
void php_weir_throw_for(const weir_error *err, uint64_t id);
/* The same with a sentence of our own. */
void php_weir_throw_text(int code, const char *format, ...) ZEND_ATTRIBUTE_FORMAT(printf, 2, 3);
/* Weir\StaleException; $last is the message that is too old. */
void php_weir_throw_stale(zval *last, const char *format, ...) ZEND_ATTRIBUTE_FORMAT(printf, 2, 3);

/* ---- wait.c: waits in slices, so that PHP's own signals and limits are honoured ---- */

typedef struct php_weir_wait {
    int64_t deadline_ns; /* of the monotonic clock; INT64_MAX for none */
} php_weir_wait;

/* Seconds as the library's nanoseconds: below zero is zero, null is without end. */
int64_t php_weir_nanoseconds(double seconds, bool is_null);
void php_weir_wait_begin(php_weir_wait *wait, int64_t timeout_ns);
/* How long to wait next: at most a slice. */
int64_t php_weir_wait_slice(const php_weir_wait *wait);
/* After a slice without a result: let PHP handle what is pending. False when the time is up or an exception was
 * thrown. */
bool php_weir_wait_goes_on(const php_weir_wait *wait);
/* A stream resource for stream_select over a copy of @fd. */
bool php_weir_stream(int fd, zval *ret);

/* ---- value.c: PHP values to documents and back ---- */

/* Make @doc the document of a PHP value; *ret is its root. */
bool php_weir_build(weir_doc *doc, zval *value, const weir_value **ret);
/* The same for a PHP array that is to be a map even when it is empty or a list. */
bool php_weir_build_map(weir_doc *doc, HashTable *map, const weir_value **ret);

/* A message that a PHP object owns, or that its reader has lent, shared with the arrays that lie in it. */
typedef struct php_weir_box {
    weir_message *message; /* NULL once the reader has taken back what it lent */
    uint32_t count;
    bool is_lent;
} php_weir_box;
php_weir_box *php_weir_box_new(weir_message *message, bool is_lent);
php_weir_box *php_weir_box_share(php_weir_box *box);
void php_weir_box_drop(php_weir_box *box);
/* Take back what was lent, for it will be overwritten, and drop the reader's share; NULL is fine. Return: NULL. */
php_weir_box *php_weir_box_recall(php_weir_box *box);
/* False, with a ClosedException, when the message was taken back. */
bool php_weir_box_is_there(const php_weir_box *box);

/* A value as a PHP value; NULL gives null. Arrays of numbers refer to @box when there is one, else they are copied. */
bool php_weir_to_php(const weir_value *value, php_weir_box *box, zval *ret);

/* ---- types.c: Bytes, BigInt, Decimal, Tagged ---- */

extern zend_class_entry *php_weir_ce_bytes, *php_weir_ce_bigint, *php_weir_ce_decimal, *php_weir_ce_tagged;

void php_weir_types_register(void);
/* Objects with these properties, which stand in this order in their slots (OBJ_PROP_NUM). */
void php_weir_bytes_new(zval *ret, zend_string *bytes);
void php_weir_bigint_new(zval *ret, zend_string *digits);
void php_weir_decimal_new(zval *ret, zend_string *digits, zend_long exponent);
void php_weir_tagged_new(zval *ret, zend_long space, zend_long number, zval *value);

/* ---- property.c: objects whose properties are computed when they are read, and never written ---- */

typedef struct php_weir_properties {
    const char *const *names; /* NULL-terminated, in the order that var_dump shows */
    /* The property called names[@index]; false with an exception thrown. */
    bool (*read)(zend_object *object, size_t index, zval *ret);
} php_weir_properties;

/* Handlers for such a class; the functions below look its properties up with @of. */
zval *php_weir_property_read(const php_weir_properties *of, zend_object *object, zend_string *name, int type,
                             void **slot, zval *ret);
int php_weir_property_has(const php_weir_properties *of, zend_object *object, zend_string *name, int what, void **slot);
HashTable *php_weir_property_dump(const php_weir_properties *of, zend_object *object, int *ret_is_temp);
/* What is the same for all: no writing, no unsetting, no cloning. */
void php_weir_property_handlers(zend_object_handlers *handlers, size_t offset);

/* ---- ndarray.c ---- */

extern zend_class_entry *php_weir_ce_ndarray;

void php_weir_ndarray_register(void);
bool php_weir_ndarray_new(zval *ret, const weir_ndarray *array, php_weir_box *box);
/* NULL, with an exception, when it lay in a message that its reader has taken back. */
const weir_ndarray *php_weir_ndarray_of(zend_object *object);

/* ---- message.c ---- */

extern zend_class_entry *php_weir_ce_message;

void php_weir_message_register(void);
/* A Weir\Message that owns @message (a copy). */
void php_weir_message_new(zval *ret, weir_message *message);
/* The same from a borrowed one. */
bool php_weir_message_new_copy(zval *ret, const weir_message *message);
/* A Weir\Message that shows what its reader lends until php_weir_box_recall of the box that is returned. */
php_weir_box *php_weir_message_new_lent(zval *ret, weir_message *message);
/* NULL, with an exception, when the reader has taken it back. */
weir_message *php_weir_message_of(zend_object *object);

/* ---- end.c, channel.c, call.c: the ends ---- */

typedef struct php_weir_end {
    union {
        weir_writer *writer;
        weir_reader *reader;
        weir_client *client;
        weir_server *server;
    } as; /* NULL before the constructor and after close() */
    weir_doc *data, *meta; /* what is being sent; kept, so that a loop allocates nothing */
    php_weir_box *lent;    /* by a reader, until its next call */
    zend_object std;
} php_weir_end;

extern zend_class_entry *php_weir_ce_reader, *php_weir_ce_server;

void php_weir_channel_register(void);
void php_weir_call_register(void);
/* An end's class: what all have in common, and how its handle is closed. */
zend_class_entry *php_weir_end_register(zend_class_entry *ce, zend_object_handlers *handlers,
                                        void (*free_object)(zend_object *));
php_weir_end *php_weir_end_make(zend_class_entry *ce, const zend_object_handlers *handlers);
void php_weir_end_fini(php_weir_end *end);
/* False, with a ClosedException, when the end is closed. */
bool php_weir_end_is_open(const php_weir_end *end, const char *what);
/* Turn the arguments of a send into values; null data and null meta are none. */
bool php_weir_end_values(php_weir_end *end, zval *data, HashTable *meta, const weir_value **ret_data,
                         const weir_value **ret_meta);

/* ---- functions.c ---- */

extern const zend_function_entry php_weir_functions[];

#endif
