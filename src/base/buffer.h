/* The growing buffer behind weir_buffer, with the inline paths that encoders need. */
#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include <string.h>
#include <weir/base.h>
#include <weir/error.h>

struct weir_buffer {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

/* Make room for @more bytes behind the content. Return: WEIR_OK, WEIR_ENOMEM (the content stays). */
int weir_buffer_grow(struct weir_buffer *buffer, size_t more);
/* Give back the memory of a buffer in the caller's storage; {0} is an empty one. */
void weir_buffer_fini(struct weir_buffer *buffer);

/* Where the next @more bytes go; NULL when there is no memory. The caller then adds what it wrote to buffer->size. */
static inline unsigned char *weir_buffer_room(struct weir_buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->size < more && weir_buffer_grow(buffer, more) != WEIR_OK)
        return NULL;
    return buffer->data + buffer->size;
}

#endif
