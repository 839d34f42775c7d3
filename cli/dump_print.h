/* How tokens are shown on stdout. */
#ifndef WEIR_DUMP_PRINT_H
#define WEIR_DUMP_PRINT_H

#include "dump.h"

/* Let @dump write its tokens: lines for people, or one JSON object per line. */
void dump_print(struct dump *dump, int is_json);

#endif
