/* Reading the folder of vectors, whose README.md says what the files hold. */
#ifndef WEIR_CONFORMANCE_VECTORS_H
#define WEIR_CONFORMANCE_VECTORS_H

#include <stddef.h>

enum { VECTOR_NAME_MAX = 64, VECTORS_MAX = 1000 };

/* tests/conformance/vectors of the checkout. */
const char *vectors_folder(void);
/* The names of all vectors, sorted: of every NAME.json, without the ending. Return: how many. */
size_t vectors_list(char names[VECTORS_MAX][VECTOR_NAME_MAX]);
/* The bytes of the file "@name.@ending" with a NUL behind them, to be freed; NULL when there is no such file. */
unsigned char *vector_read(const char *name, const char *ending, size_t *ret_size);
/* Hexadecimal digits to bytes, "-" to none. Return: how many bytes; (size_t)-1 for anything else. */
size_t vector_hex(const char *hex, unsigned char *bytes, size_t room);

/* The lines of a list: fields between blanks; the last field takes the rest of the line. '#' begins a comment. */
enum { LINE_FIELDS_MAX = 4 };
struct vector_line {
    int number;
    char *fields[LINE_FIELDS_MAX];
};
/* Cut the next line of *text into @count fields, in place. Return: 0 at the end. Fails the test for a line with
 * fewer. */
int vector_line_next(char **text, int count, struct vector_line *line);

/* Call @file for each file of a folder of the corpora whose name ends in "." @ending. They lie in the folder
 * WEIR_CORPORA, else beside the checkout in ../shared/corpora. Return: how many there were. */
size_t corpus_each(const char *folder, const char *ending,
                   void (*file)(void *state, const char *path, const unsigned char *bytes, size_t size), void *state);

#endif
