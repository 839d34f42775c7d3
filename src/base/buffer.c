/* The growing buffer. Its memory is aligned to 64 bytes, so that a frame read into one keeps its data aligned, and at
 * least doubles when it grows. */
#include "base/buffer.h"

#include <stdlib.h>

enum { BUFFER_ALIGNMENT = 64, BUFFER_SIZE_MIN = 256 };

static size_t grown_capacity(const struct weir_buffer *buffer, size_t needed) {
    size_t capacity = buffer->capacity < BUFFER_SIZE_MIN ? BUFFER_SIZE_MIN : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 4 ? needed : capacity * 2;
    return (capacity + BUFFER_ALIGNMENT - 1) & ~(size_t)(BUFFER_ALIGNMENT - 1);
}

int weir_buffer_grow(struct weir_buffer *buffer, size_t more) {
    if (buffer->capacity - buffer->size >= more)
        return WEIR_OK;
    if (more > SIZE_MAX / 2 - buffer->size)
        return WEIR_ENOMEM;
    size_t capacity = grown_capacity(buffer, buffer->size + more);
    unsigned char *data = aligned_alloc(BUFFER_ALIGNMENT, capacity);
    if (!data)
        return WEIR_ENOMEM;
    if (buffer->size > 0)
        memcpy(data, buffer->data, buffer->size);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    return WEIR_OK;
}

void weir_buffer_fini(struct weir_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct weir_buffer){0};
}

int weir_buffer_new(weir_buffer **ret) {
    weir_buffer *buffer = calloc(1, sizeof(*buffer));
    if (!buffer)
        return WEIR_ENOMEM;
    *ret = buffer;
    return WEIR_OK;
}

weir_buffer *weir_buffer_free(weir_buffer *buffer) {
    if (buffer)
        weir_buffer_fini(buffer);
    free(buffer);
    return NULL;
}

void weir_buffer_clear(weir_buffer *buffer) {
    buffer->size = 0;
}

weir_view weir_buffer_view(const weir_buffer *buffer) {
    return (weir_view){(const char *)buffer->data, buffer->size};
}

int weir_buffer_append(weir_buffer *buffer, const void *data, size_t size) {
    if (size == 0)
        return WEIR_OK; /* an empty buffer has no memory to point into yet */
    unsigned char *room = weir_buffer_room(buffer, size);
    if (!room)
        return WEIR_ENOMEM;
    memcpy(room, data, size);
    buffer->size += size;
    return WEIR_OK;
}
