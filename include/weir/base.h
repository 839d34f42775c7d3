/* What every other header needs: visibility, views, buffers, durations, the version. */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

/* The version of the library that is running, as "0.1.0". It may be newer than the headers. */
WEIR_API const char *weir_version(void);

/* A duration without end, wherever a timeout_ns is asked for. 0 means: do not wait. */
#define WEIR_FOREVER INT64_C(-1)

/* Borrowed bytes. Text in a view is UTF-8 and is not NUL-terminated. */
typedef struct weir_view {
    const char *data;
    size_t size;
} weir_view;

/* Bytes that grow: where encoders write. Reused in a loop it allocates nothing. */
typedef struct weir_buffer weir_buffer;

/* Make an empty buffer.
 * Return: WEIR_OK, WEIR_ENOMEM. */
WEIR_API int weir_buffer_new(weir_buffer **ret);
WEIR_API weir_buffer *weir_buffer_free(weir_buffer *buffer);
/* Forget the content, keep the memory. */
WEIR_API void weir_buffer_clear(weir_buffer *buffer);
/* The content. Borrowed until the buffer is next written, cleared or freed. */
WEIR_API weir_view weir_buffer_view(const weir_buffer *buffer);
/* Append @size bytes.
 * Return: WEIR_OK, WEIR_ENOMEM. */
WEIR_API int weir_buffer_append(weir_buffer *buffer, const void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
