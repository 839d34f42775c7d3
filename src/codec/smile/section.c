/* The tables of a section, and what a document keeps of them between the items of a sequence.
 *
 * Values that follow one another in a section go on with its tables. So under WEIR_SEQUENCE a document keeps the
 * section: its tables, with the texts copied, because the input of one item need not be there when the next is
 * decoded. There are two arenas for these texts. Texts of the tables are added to one of them as they come. When a
 * table was emptied, those left are copied to the other, and the first is given up with the item after: cells of the
 * present one may still point into it. */
#include <stdlib.h>

#include "codec/smile/smile.h"

struct smile_kept {
    struct weir_kept base;
    struct weir_arena arenas[2];
    int current;
    struct smile_section section;
};

static void kept_free(struct weir_kept *base) {
    struct smile_kept *kept = (struct smile_kept *)base;
    weir_arena_fini(&kept->arenas[0]);
    weir_arena_fini(&kept->arenas[1]);
    free(kept);
}

struct smile_section *weir_smile_section_of(struct weir_doc *doc, int is_sequel) {
    struct smile_kept *kept = (struct smile_kept *)doc->kept;
    if (kept && is_sequel)
        return &kept->section;
    if (!kept) {
        kept = malloc(sizeof(*kept));
        if (!kept)
            return NULL;
        kept->base.free = kept_free;
        kept->arenas[0] = kept->arenas[1] = (struct weir_arena){0};
        kept->current = 0;
        doc->kept = &kept->base;
    }
    weir_smile_section_begin(&kept->section, SMILE_FEATURES_DEFAULT);
    return &kept->section;
}

static int table_keep(struct smile_table *table, struct weir_arena *arena) {
    for (; table->kept < table->count; table->kept++) {
        struct weir_value *text = &table->texts[table->kept];
        unsigned char *copy = weir_arena_take(arena, text->count);
        if (!copy)
            return WEIR_ENOMEM;
        memcpy(copy, text->as.data, text->count);
        text->as.data = copy;
    }
    return WEIR_OK;
}

int weir_smile_section_keep(struct weir_doc *doc) {
    struct smile_kept *kept = (struct smile_kept *)doc->kept;
    struct smile_section *section = &kept->section;
    if (section->was_emptied) {
        kept->current = !kept->current;
        weir_arena_clear(&kept->arenas[kept->current]);
        section->names.kept = section->values.kept = 0;
        section->was_emptied = 0;
    }
    int status = table_keep(&section->names, &kept->arenas[kept->current]);
    return status == WEIR_OK ? table_keep(&section->values, &kept->arenas[kept->current]) : status;
}
