/* The store of a traced process, looked at from outside: what a kill at this moment would leave behind.
 *
 * Files are mapped and compared with a private shadow; names are listed anew when a system call may have changed
 * them. */
#ifndef WEIR_TORTURE_IMAGE_H
#define WEIR_TORTURE_IMAGE_H

#include <sys/stat.h>

enum { IMAGE_FILES = 64, IMAGE_PATH = 112 };

struct image_file {
    char path[IMAGE_PATH]; /* below the base */
    struct stat about;
    unsigned char *map;    /* regular files with bytes; NULL for all else */
    unsigned char *shadow; /* what map held when it was last compared */
};

struct image {
    char base[64];
    int count;
    struct image_file files[IMAGE_FILES];
};

void image_init(struct image *image, const char *base);
void image_fini(struct image *image);
/* List names. Return: 1 when something came, went, or changed its size or mode. */
int image_list(struct image *image);
/* Return: 1 when bytes have changed since the last call. */
int image_compare(struct image *image);
/* Write what is there below @to, which is emptied first. Directories of hidden names are made to look old. */
void image_copy(const struct image *image, const char *to);

#endif
