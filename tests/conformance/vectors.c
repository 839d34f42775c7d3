/* Reading the folder of vectors. */
#include "vectors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PATH_ROOM = 4352 };

const char *vectors_folder(void) {
    static char folder[4096];
    const char *source = getenv("WEIR_SOURCE");
    snprintf(folder, sizeof(folder), "%s/tests/conformance/vectors", source ? source : ".");
    return folder;
}

static int order_names(const void *a, const void *b) {
    return strcmp(a, b);
}

size_t vectors_list(char names[VECTORS_MAX][VECTOR_NAME_MAX]) {
    size_t count = 0;
    DIR *directory = opendir(vectors_folder());
    if (!directory)
        fail_msg("no folder %s; set WEIR_SOURCE to the checkout", vectors_folder());
    for (struct dirent *entry; (entry = readdir(directory));) {
        const char *ending = strrchr(entry->d_name, '.');
        size_t size = ending ? (size_t)(ending - entry->d_name) : 0;
        if (size == 0 || size >= VECTOR_NAME_MAX || strcmp(ending, ".json") != 0)
            continue;
        assert_true(count < VECTORS_MAX);
        memcpy(names[count], entry->d_name, size);
        names[count++][size] = '\0';
    }
    closedir(directory);
    qsort(names, count, VECTOR_NAME_MAX, order_names);
    return count;
}

static unsigned char *file_read(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size, file), size);
    bytes[size] = '\0';
    fclose(file);
    *ret_size = size;
    return bytes;
}

unsigned char *vector_read(const char *name, const char *ending, size_t *ret_size) {
    char path[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/%s.%s", vectors_folder(), name, ending);
    return file_read(path, ret_size);
}

size_t corpus_each(const char *folder, const char *ending,
                   void (*file)(void *state, const char *path, const unsigned char *bytes, size_t size), void *state) {
    char path[PATH_ROOM], place[PATH_ROOM];
    const char *corpora = getenv("WEIR_CORPORA"), *source = getenv("WEIR_SOURCE");
    size_t count = 0, size;
    snprintf(place, sizeof(place), "%s%s/%s",
             corpora  ? corpora
             : source ? source
                      : ".",
             corpora ? "" : "/../shared/corpora", folder);
    DIR *directory = opendir(place);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *last = strrchr(entry->d_name, '.');
        if (!last || strcmp(last + 1, ending) != 0 ||
            (size_t)snprintf(path, sizeof(path), "%s/%s", place, entry->d_name) >= sizeof(path))
            continue;
        unsigned char *bytes = file_read(path, &size);
        assert_non_null(bytes);
        file(state, path, bytes, size);
        free(bytes);
        count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t vector_hex(const char *hex, unsigned char *bytes, size_t room) {
    size_t size = strlen(hex);
    if (strcmp(hex, "-") == 0)
        return 0;
    if (size % 2 != 0 || size / 2 > room)
        return SIZE_MAX;
    for (size_t i = 0; i < size / 2; i++) {
        if (digit(hex[2 * i]) < 0 || digit(hex[2 * i + 1]) < 0)
            return SIZE_MAX;
        bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    return size / 2;
}

int vector_line_next(char **text, int count, struct vector_line *line) {
    while (**text != '\0') {
        char *at = *text;
        char *end = strchr(at, '\n');
        if (!end)
            fail_msg("line %d of a list does not end", line->number + 1);
        *text = end + 1;
        *end = '\0';
        line->number++;
        if (*at == '#' || at == end)
            continue;
        for (int i = 0; i < count; i++) {
            line->fields[i] = at;
            if (i == count - 1)
                return 1;
            at = strchr(at, ' ');
            if (!at)
                fail_msg("line %d of a list has fewer than %d fields", line->number, count);
            *at++ = '\0';
        }
    }
    return 0;
}
