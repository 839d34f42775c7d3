/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>

/* The length of the valid beginning of @text: @size when all of it is valid. */
size_t weir_utf8_check(const void *text, size_t size);

#endif
