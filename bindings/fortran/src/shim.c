/* Fortran arrays into messages and out of them; shim.h says what the orders mean.
 *
 * Arrays that are received are allocated here, with CFI_allocate, so that Fortran can deallocate them. A target is
 * touched only when the new memory is complete: after a failure the caller's array is what it was.
 */
#include "shim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "convert.h"

/* weir_raw.f90 spells these structs out. */
_Static_assert(sizeof(weir_error) == 504 && sizeof(weir_view) == 2 * sizeof(size_t) && sizeof(weir_codec_options) == 24,
               "weir_raw.f90 has other sizes");

int64_t weir_fortran_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- errors ---- */

static int fail(weir_error *err, int code, const char *text) {
    if (err) {
        memset(err, 0, sizeof *err);
        err->code = code;
        snprintf(err->text, sizeof err->text, "%s", text);
    }
    return code;
}

/* "real(8) array of rank 2", as a Fortran programmer would say. */
static void asked_for(const CFI_cdesc_t *x, char *text, size_t size) {
    const char *kind = x->type == CFI_type_float || x->type == CFI_type_double ? "real" : "integer";
    if (x->rank)
        snprintf(text, size, "%s(%zu) array of rank %d", kind, x->elem_len, (int)x->rank);
    else
        snprintf(text, size, "%s(%zu) scalar", kind, x->elem_len);
}

static int fail_type(weir_error *err, const weir_value *value, const CFI_cdesc_t *x, const char *why) {
    char text[480], type[200], wanted[64];
    asked_for(x, wanted, sizeof wanted);
    snprintf(text, sizeof text, "the data is %s, you asked for %s %s%s%s",
             value ? weir_value_type(value, type, sizeof type) : "absent", *wanted == 'i' ? "an" : "a", wanted,
             *why ? ": " : "", why);
    return fail(err, WEIR_ETYPE, text);
}

/* ---- descriptors ---- */

/* The element type of a Fortran array; 0 for none that channels carry. */
static uint32_t element_of(const CFI_cdesc_t *x, int is_unsigned) {
    uint32_t base = is_unsigned ? WEIR_U8 : WEIR_I8;
    if (x->type == CFI_type_int8_t)
        return base;
    if (x->type == CFI_type_int16_t)
        return base + 1;
    if (x->type == CFI_type_int32_t)
        return base + 2;
    if (x->type == CFI_type_int64_t)
        return base + 3;
    if (x->type == CFI_type_float)
        return WEIR_F32;
    return x->type == CFI_type_double ? WEIR_F64 : 0;
}

/* The shape that @x shall have to show an array of this shape. */
static void shape_of(const weir_ndarray *array, int order, uint64_t *shape) {
    for (uint32_t i = 0; i < array->rank; i++)
        shape[order == WEIR_FORTRAN_REVERSED ? array->rank - 1 - i : i] = array->shape[i];
}

/* A descriptor like @x's with memory of its own. Return: WEIR_OK, WEIR_ENOMEM. */
static int allocate_like(const CFI_cdesc_t *x, CFI_cdesc_t *fresh, const uint64_t *shape) {
    CFI_index_t lower[WEIR_RANK_MAX], upper[WEIR_RANK_MAX];
    for (int i = 0; i < x->rank; i++) {
        lower[i] = 1;
        upper[i] = (CFI_index_t)shape[i];
    }
    if (CFI_establish(fresh, NULL, CFI_attribute_allocatable, x->type, x->elem_len, x->rank, NULL) != CFI_SUCCESS ||
        CFI_allocate(fresh, lower, upper, x->elem_len) != CFI_SUCCESS)
        return WEIR_ENOMEM;
    return WEIR_OK;
}

/* Give @x the memory of @fresh. */
static void replace(CFI_cdesc_t *x, const CFI_cdesc_t *fresh) {
    if (x->base_addr)
        CFI_deallocate(x);
    x->base_addr = fresh->base_addr;
    for (int i = 0; i < x->rank; i++)
        x->dim[i] = fresh->dim[i];
}

/* ---- receiving ---- */

/* The value at a path of the data; and the whole data for errors. */
static int find(weir_message *message, const char *path, const weir_value **ret, weir_error *err) {
    const weir_value *root;
    char text[300];
    int status = weir_message_data(message, &root, err);
    if (status)
        return status;
    if (!root)
        return fail(err, WEIR_ENOENT, "this message carries no data");
    if (weir_get(root, path, ret) == WEIR_OK)
        return WEIR_OK;
    snprintf(text, sizeof text, "there is no value at '%.200s' in this message", path);
    return fail(err, WEIR_ENOENT, text);
}

/* How the value's numbers lie in a Fortran array like @x: its first index moves fastest, and is the value's last when
 * reversed. Lists say nothing of dimensions behind one without items. Return: WEIR_OK, WEIR_ETYPE. */
static int target_of(const weir_value *value, const CFI_cdesc_t *x, int order, weir_ndarray *ret) {
    if (weir_get_shape(value, NULL, ret) != WEIR_OK)
        return WEIR_ETYPE;
    while (weir_value_kind(value) == WEIR_KIND_ARRAY && ret->rank < (uint32_t)x->rank && ret->shape[ret->rank - 1] == 0)
        ret->shape[ret->rank++] = 0;
    ret->element = element_of(x, 0);
    ret->order = order == WEIR_FORTRAN_REVERSED || ret->rank < 2 ? WEIR_ROW : WEIR_COLUMN;
    ret->big_endian = WEIR_FORTRAN_BIG && x->elem_len > 1;
    ret->size = (size_t)weir_ndarray_count(ret) * x->elem_len;
    return ret->rank == (uint32_t)x->rank ? WEIR_OK : WEIR_ETYPE;
}

static int take(const weir_value *value, CFI_cdesc_t *x, int order, weir_error *err) {
    CFI_CDESC_T(WEIR_RANK_MAX) storage;
    CFI_cdesc_t *fresh = (CFI_cdesc_t *)&storage;
    weir_ndarray target;
    uint64_t shape[WEIR_RANK_MAX];
    weir_error why;
    if (target_of(value, x, order, &target))
        return fail_type(err, value, x, "");
    shape_of(&target, order, shape);
    if (allocate_like(x, fresh, shape))
        return fail(err, WEIR_ENOMEM, "out of memory for the array");
    if (weir_get_numbers(value, NULL, &target, 0, fresh->base_addr, &why)) {
        CFI_deallocate(fresh);
        return fail_type(err, value, x, why.text);
    }
    replace(x, fresh);
    return WEIR_OK;
}

int weir_fortran_take(weir_message *message, const char *path, CFI_cdesc_t *x, int order, weir_error *err) {
    const weir_value *value;
    int status = find(message, path, &value, err);
    if (status)
        return status;
    if (order == WEIR_FORTRAN_REVERSED && weir_value_kind(value) != WEIR_KIND_NDARRAY)
        return fail_type(err, value, x, "lists of numbers have no memory order to keep, leave order= away");
    return take(value, x, order, err);
}

/* Point @x at memory that lies as its dimensions do. */
static int show(void *data, const uint64_t *shape, CFI_cdesc_t *x) {
    CFI_CDESC_T(WEIR_RANK_MAX) storage;
    CFI_cdesc_t *shown = (CFI_cdesc_t *)&storage;
    CFI_index_t extents[WEIR_RANK_MAX], lower[WEIR_RANK_MAX];
    for (int i = 0; i < x->rank; i++) {
        extents[i] = (CFI_index_t)shape[i];
        lower[i] = 1;
    }
    return CFI_establish(shown, data, CFI_attribute_pointer, x->type, x->elem_len, x->rank, extents) ||
           CFI_setpointer(x, shown, lower);
}

static int point(weir_message *message, const char *path, CFI_cdesc_t *x, int order, weir_error *err) {
    uint64_t shape[WEIR_RANK_MAX];
    const weir_value *value;
    weir_ndarray array;
    int status = find(message, path, &value, err);
    if (status)
        return status;
    if (weir_get_ndarray(value, NULL, &array) || array.rank != (uint32_t)x->rank)
        return fail_type(err, value, x, "");
    if (array.element != element_of(x, 0) || (array.big_endian && weir_element_size(array.element) > 1))
        return fail_type(err, value, x, "a pointer cannot convert, read into an allocatable array");
    if (array.rank > 1 && (array.order == WEIR_COLUMN) == (order == WEIR_FORTRAN_REVERSED))
        return fail_type(err, value, x,
                         order == WEIR_FORTRAN_REVERSED
                             ? "its memory is in column order, a pointer sees it without order='reversed'"
                             : "its memory is in row order, a pointer sees it only with order='reversed', or read into "
                               "an allocatable array");
    shape_of(&array, order, shape);
    if (show((void *)array.data, shape, x))
        return fail(err, WEIR_EINVAL, "this array cannot be shown by a pointer");
    return WEIR_OK;
}

int weir_fortran_point(weir_message *message, const char *path, CFI_cdesc_t *x, int order, weir_error *err) {
    int status = point(message, path, x, order, err);
    if (status)
        x->base_addr = NULL; /* rather no target than one that is gone */
    return status;
}

/* ---- sending ---- */

/* Describe @x as it lies or, where it is not dense or row order is asked for, a copy of it in *ret_copy. */
static int describe(const CFI_cdesc_t *x, int order, int is_unsigned, weir_ndarray *ret, void **ret_copy,
                    weir_error *err) {
    struct weir_fortran_layout layout = {.rank = x->rank};
    uint64_t count = 1;
    memset(ret, 0, sizeof *ret);
    ret->element = element_of(x, is_unsigned);
    if (!ret->element)
        return fail(err, WEIR_ETYPE,
                    "channels carry integers of 8 to 64 bits and reals of 32 or 64: convert the array");
    ret->rank = (uint32_t)x->rank;
    ret->order = order == WEIR_FORTRAN_SAME && x->rank > 1 ? WEIR_COLUMN : WEIR_ROW;
    int is_dense = 1;
    for (int i = 0; i < x->rank; i++) {
        uint64_t extent = (uint64_t)x->dim[i].extent;
        ret->shape[order == WEIR_FORTRAN_REVERSED ? x->rank - 1 - i : i] = extent;
        is_dense &= extent < 2 || x->dim[i].sm == (CFI_index_t)(count * x->elem_len);
        /* A copy runs along the first index of its layout: for row order that is the last of @x. */
        int axis = order == WEIR_FORTRAN_ROW ? x->rank - 1 - i : i;
        layout.shape[axis] = extent;
        layout.step[axis] = x->dim[i].sm;
        count *= extent;
    }
    ret->size = (size_t)count * x->elem_len;
    ret->data = x->base_addr;
    if (is_dense && (order != WEIR_FORTRAN_ROW || x->rank < 2))
        return WEIR_OK;
    *ret_copy = malloc(ret->size ? ret->size : 1);
    if (!*ret_copy)
        return fail(err, WEIR_ENOMEM, "out of memory for a copy of the array");
    ret->data = *ret_copy;
    weir_fortran_copy(*ret_copy, x->base_addr, x->elem_len, &layout);
    return WEIR_OK;
}

int weir_fortran_send(weir_writer *writer, const char *op, const weir_value *meta, const CFI_cdesc_t *x, int order,
                      int is_unsigned, weir_error *err) {
    weir_ndarray array;
    void *copy = NULL;
    int status = describe(x, order, is_unsigned, &array, &copy, err);
    if (status == WEIR_OK)
        status = weir_writer_send_ndarray(writer, op, meta, &array, err);
    free(copy);
    return status;
}

/* The type of @array as the library writes it. */
static void array_type(const weir_ndarray *array, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s", weir_element_name(array->element));
    for (uint32_t i = 0; i < array->rank; i++)
        used += (size_t)snprintf(text + used, size - used, "%c%llu%s", i ? ',' : '[',
                                 (unsigned long long)array->shape[i], i + 1 == array->rank ? "]" : "");
    if (array->order == WEIR_COLUMN)
        snprintf(text + used, size - used, ":col");
}

/* The slices along the last dimension of @x, each described; what had to be copied is in @copies. */
static int slices_describe(const CFI_cdesc_t *x, int order, int is_unsigned, weir_ndarray *array, weir_view *data,
                           void **copies, weir_error *err) {
    CFI_CDESC_T(CFI_MAX_RANK) storage;
    CFI_cdesc_t *slice = (CFI_cdesc_t *)&storage;
    const CFI_dim_t *last = &x->dim[x->rank - 1];
    int status = WEIR_OK;
    memcpy(slice, x, sizeof(*x) + (size_t)x->rank * sizeof(x->dim[0]));
    slice->rank = (CFI_rank_t)(x->rank - 1);
    for (CFI_index_t i = 0; i < last->extent && status == WEIR_OK; i++) {
        slice->base_addr = (char *)x->base_addr + i * last->sm;
        status = describe(slice, order, is_unsigned, array, &copies[i], err);
        data[i] = (weir_view){array->data, array->size};
    }
    return status;
}

int weir_fortran_send_many(weir_writer *writer, const char *op, const weir_value *meta, const CFI_cdesc_t *x, int order,
                           int is_unsigned, size_t *ret_sent, weir_error *err) {
    *ret_sent = 0;
    if (x->rank == 0)
        return fail(err, WEIR_EINVAL, "the last dimension of what send_many takes counts the messages: this has none");
    size_t count = (size_t)x->dim[x->rank - 1].extent;
    weir_view *data = calloc(count + 1, sizeof(*data));
    void **copies = calloc(count + 1, sizeof(*copies));
    weir_ndarray array = {0};
    char type[400];
    int status = data && copies ? slices_describe(x, order, is_unsigned, &array, data, copies, err)
                                : fail(err, WEIR_ENOMEM, "out of memory for so many messages");
    if (status == WEIR_OK && count > 0) {
        array_type(&array, type, sizeof(type));
        status = weir_writer_send_many(writer, op, meta, WEIR_CODEC_RAW, type, data, count, ret_sent, err);
    }
    for (size_t i = 0; copies && i < count; i++)
        free(copies[i]);
    free(copies);
    free(data);
    return status;
}

/* The type of a message that lies as Fortran's array of this shape does: f64[4,256]:col, or reversed f64[256,4]. */
static void write_type(const CFI_cdesc_t *x, const int64_t *shape, int order, int is_unsigned, char *text,
                       size_t size) {
    size_t used = (size_t)snprintf(text, size, "%s[", weir_element_name(element_of(x, is_unsigned)));
    for (int i = 0; i < x->rank; i++) {
        int64_t extent = shape[order == WEIR_FORTRAN_REVERSED ? x->rank - 1 - i : i];
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? "," : "", extent);
    }
    snprintf(text + used, size - used, "]%s", order == WEIR_FORTRAN_SAME && x->rank > 1 ? ":col" : "");
}

int weir_fortran_reserve(weir_writer *writer, const char *op, const weir_value *meta, CFI_cdesc_t *x,
                         const int64_t *shape, size_t rank, int order, int is_unsigned, weir_error *err) {
    char type[WEIR_RANK_MAX * 21 + 16];
    void *data;
    size_t size;
    x->base_addr = NULL;
    if (rank != (size_t)x->rank || rank == 0)
        return fail(err, WEIR_EINVAL, "the shape has as many sizes as the pointer has dimensions, one at least");
    for (size_t i = 0; i < rank; i++)
        if (shape[i] < 0)
            return fail(err, WEIR_EINVAL, "a shape has no negative sizes");
    if (order == WEIR_FORTRAN_ROW && rank > 1)
        return fail(
            err, WEIR_EINVAL,
            "a pointer cannot rearrange: reserve with order='reversed' and reversed indices, or send a copy with "
            "order='row'");
    write_type(x, shape, order, is_unsigned, type, sizeof type);
    int status = weir_writer_reserve(writer, op, meta, type, &data, &size, err);
    if (status)
        return status;
    if (show(data, (const uint64_t *)shape, x) == 0)
        return WEIR_OK;
    weir_writer_discard(writer);
    return fail(err, WEIR_EINVAL, "this array cannot be shown by a pointer");
}

int weir_fortran_send_struct(weir_writer *writer, const char *op, const weir_value *meta, const char *type,
                             const void *data, weir_error *err) {
    weir_type *parsed = NULL;
    int status = weir_type_new(type, strlen(type), &parsed, err);
    if (status == WEIR_OK)
        status = weir_writer_send_bytes(writer, op, meta, WEIR_CODEC_RAW, weir_type_text(parsed).data, data,
                                        weir_type_size(parsed), err);
    weir_type_free(parsed);
    return status;
}

int weir_fortran_struct(weir_message *message, const char *type, const void **ret, weir_error *err) {
    weir_view bytes;
    if (!message)
        return fail(err, WEIR_ENOENT, "there is no message");
    int status = weir_message_raw(message, type, &bytes, err);
    if (status == WEIR_OK)
        *ret = bytes.data;
    return status;
}

/* A scalar is a plain number, not an array without dimensions. Through bit patterns: the types are known at run time
 * only. */
static void put_number(weir_doc *doc, const weir_ndarray *array) {
    uint64_t bits = 0;
    float single;
    double real;
    size_t width = array->size, unused = 64 - 8 * width;
    memcpy((char *)&bits + (WEIR_FORTRAN_BIG ? 8 - width : 0), array->data, width);
    if (array->element == WEIR_F32) {
        memcpy(&single, array->data, sizeof single);
        weir_put_f32(doc, single);
    } else if (array->element == WEIR_F64) {
        memcpy(&real, array->data, sizeof real);
        weir_put_f64(doc, real);
    } else if (array->element <= WEIR_U64) {
        weir_put_u64(doc, bits);
    } else {
        weir_put_i64(doc, (int64_t)(bits << unused) >> unused); /* with the sign that a narrower one has */
    }
}

int weir_fortran_put(weir_doc *doc, const CFI_cdesc_t *x, int order, int is_unsigned, const weir_value **ret,
                     weir_error *err) {
    weir_ndarray array;
    void *copy = NULL;
    int status = describe(x, order, is_unsigned, &array, &copy, err);
    weir_doc_clear(doc);
    if (status == WEIR_OK) {
        if (array.rank == 0)
            put_number(doc, &array);
        else
            weir_put_ndarray(doc, &array);
        status = weir_doc_finish(doc, ret, err);
    }
    free(copy);
    return status;
}

int weir_fortran_parse(weir_doc *doc, const char *json, size_t size, const weir_value **ret, weir_error *err) {
    weir_doc *seen = NULL;
    int status = weir_doc_new(&seen);
    if (status)
        return fail(err, status, "out of memory for a document");
    status = weir_decode(seen, WEIR_CODEC_JSON, json, size, NULL, NULL, err);
    if (status == WEIR_OK) {
        status = weir_doc_copy(doc, weir_doc_root(seen));
        *ret = weir_doc_root(doc);
        if (status)
            fail(err, status, "out of memory for a document");
    }
    weir_doc_free(seen);
    return status;
}

/* ---- waiting ---- */

int weir_fortran_wait(const int *fds, size_t count, int *ready, int64_t timeout_ns, weir_error *err) {
    weir_wait_item *items = calloc(count ? count : 1, sizeof *items);
    if (!items)
        return fail(err, WEIR_ENOMEM, "out of memory for what is waited for");
    for (size_t i = 0; i < count; i++)
        items[i].fd = fds[i];
    int status = weir_wait(items, count, timeout_ns, err);
    for (size_t i = 0; i < count; i++)
        ready[i] = status == WEIR_OK && items[i].is_ready;
    free(items);
    return status;
}
