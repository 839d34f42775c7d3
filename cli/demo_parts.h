/* What `weir demo` is made of: where the programs are, whether the machine can run them, and what each is told. */
#ifndef WEIR_CLI_DEMO_PARTS_H
#define WEIR_CLI_DEMO_PARTS_H

#include <limits.h>

struct demo_parts {
    char folder[PATH_MAX];    /* sensors/, page/, web/ */
    char analyse[PATH_MAX];   /* the compiled program */
    char python[PATH_MAX];    /* an interpreter that can import weir, numpy, psutil */
    char extension[PATH_MAX]; /* for php -d extension=; "" when PHP knows weir by itself */
};

/* Find everything and try it. @copy: a folder to run the programs from, filled with copies of them when it is new;
 * NULL: run them where they are. Sets PYTHONPATH where that is needed.
 * Return: exit code; what is missing is said in one sentence with the way out. */
int demo_find(struct demo_parts *parts, const char *copy);

/* A port of 127.0.0.1 that nobody listens on: @wanted, or any for 0. Return: exit code (said why). */
int demo_port(unsigned wanted, unsigned *ret);

#endif
