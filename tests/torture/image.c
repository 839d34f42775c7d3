/* See image.h. */
#include "image.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

static void die(const char *what) {
    perror(what);
    exit(2);
}

static void file_drop(struct image_file *file) {
    if (file->map)
        munmap(file->map, (size_t)file->about.st_size);
    free(file->shadow);
    file->map = file->shadow = NULL;
}

void image_init(struct image *image, const char *base) {
    memset(image, 0, sizeof(*image));
    snprintf(image->base, sizeof(image->base), "%s", base);
}

void image_fini(struct image *image) {
    for (int i = 0; i < image->count; i++)
        file_drop(&image->files[i]);
    image->count = 0;
}

static int is_same(const struct image_file *a, const struct image_file *b) {
    return strcmp(a->path, b->path) == 0 && a->about.st_ino == b->about.st_ino &&
           a->about.st_size == b->about.st_size && a->about.st_mode == b->about.st_mode;
}

static void file_map(struct image_file *file, int base) {
    if (!S_ISREG(file->about.st_mode) || file->about.st_size == 0)
        return;
    int fd = openat(base, file->path, O_RDONLY | O_CLOEXEC);
    size_t size = (size_t)file->about.st_size;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    file->shadow = calloc(1, size);
    if (map == MAP_FAILED || !file->shadow)
        die(file->path);
    file->map = map;
    close(fd);
}

static void directory_list(struct image *next, int base, const char *path) {
    int fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (listing && (entry = readdir(listing)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (next->count == IMAGE_FILES)
            die("more files than an image takes");
        struct image_file *file = &next->files[next->count++];
        *file = (struct image_file){0};
        int is_top = strcmp(path, ".") == 0;
        snprintf(file->path, sizeof(file->path), "%.55s%s%.55s", is_top ? "" : path, is_top ? "" : "/", entry->d_name);
        if (fstatat(base, file->path, &file->about, AT_SYMLINK_NOFOLLOW) != 0)
            die(file->path);
        if (S_ISDIR(file->about.st_mode))
            directory_list(next, base, file->path);
    }
    if (listing)
        closedir(listing);
}

int image_list(struct image *image) {
    static struct image next;
    int base = open(image->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    next.count = 0;
    directory_list(&next, base, ".");
    int changed = next.count != image->count;
    for (int i = 0; i < next.count; i++) {
        struct image_file *old = NULL;
        for (int k = 0; k < image->count && !old; k++)
            if (is_same(&image->files[k], &next.files[i]))
                old = &image->files[k];
        if (old) {
            next.files[i].map = old->map;
            next.files[i].shadow = old->shadow;
            old->map = old->shadow = NULL;
        } else {
            file_map(&next.files[i], base);
            changed = 1;
        }
    }
    close(base);
    for (int k = 0; k < image->count; k++)
        file_drop(&image->files[k]);
    memcpy(image->files, next.files, sizeof(next.files[0]) * (size_t)next.count);
    image->count = next.count;
    return changed;
}

int image_compare(struct image *image) {
    int changed = 0;
    for (int i = 0; i < image->count; i++) {
        struct image_file *file = &image->files[i];
        if (!file->map || memcmp(file->shadow, file->map, (size_t)file->about.st_size) == 0)
            continue;
        memcpy(file->shadow, file->map, (size_t)file->about.st_size);
        changed = 1;
    }
    return changed;
}

static void file_copy(const struct image_file *file, int to) {
    mode_t mode = file->about.st_mode;
    if (S_ISFIFO(mode)) {
        if (mkfifoat(to, file->path, mode & 0777) != 0)
            die(file->path);
        return;
    }
    int fd = openat(to, file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    if (fd < 0)
        die(file->path);
    size_t size = (size_t)file->about.st_size;
    if (size && write(fd, file->shadow, size) != (ssize_t)size)
        die(file->path);
    close(fd);
}

void image_copy(const struct image *image, const char *to) {
    tree_remove(to);
    int fd = mkdir(to, 0700) == 0 ? open(to, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        die(to);
    for (int i = 0; i < image->count; i++) {
        const struct image_file *file = &image->files[i];
        if (S_ISDIR(file->about.st_mode) && mkdirat(fd, file->path, file->about.st_mode & 0777) != 0)
            die(file->path);
        if (!S_ISDIR(file->about.st_mode))
            file_copy(file, fd);
    }
    struct timespec past[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    for (int i = 0; i < image->count; i++)
        if (S_ISDIR(image->files[i].about.st_mode) && strstr(image->files[i].path, "/."))
            utimensat(fd, image->files[i].path, past, 0);
    close(fd);
}
