/* Smile to cells, one pass, no recursion.
 *
 * The stack of open containers lies in their own cells, as in JSON: while a container is open its span holds the index
 * of its parent plus one, and its count the items before the one that is being read. A map that is closed with a
 * single key "$..." may be a wrapper and is given to codec/wrapper/.
 *
 * Names come from the input or from the table of the section, whose entries are cells: a reference is one copy. A root
 * value may have headers and end markers around it; each header begins a section with empty tables. Values in one
 * section share its tables, so under WEIR_SEQUENCE they are kept in the document (section.c).
 *
 * Room is kept for three cells before each item: a name and a decimal. */
#include "base/utf8.h"
#include "codec/smile/smile.h"

enum {
    ITEM_CELLS = 3,
    KEY_SHOWN_MAX = 80 /* bytes of a key in a sentence */
};
static const size_t window_max = UINT32_MAX - 1; /* bytes looked at, so that sizes and counts fit a cell */

/* ---- failures: out of line, they are never hurried ---- */

__attribute__((cold, noinline)) const unsigned char *weir_smile_truncated(struct smile_reader *reader) {
    uint64_t offset = (uint64_t)(reader->end - reader->begin);
    reader->status = reader->is_cut
                         ? weir_fail_at(reader->err, WEIR_ELIMIT, offset, "smile: one value of more than 4 GiB")
                         : weir_fail_at(reader->err, WEIR_EPARSE, offset, "smile: the input ends before its value");
    return NULL;
}

__attribute__((cold, noinline)) const unsigned char *weir_smile_bad(struct smile_reader *reader,
                                                                    const unsigned char *at, const char *what) {
    if (at == reader->end)
        return weir_smile_truncated(reader);
    reader->status = weir_fail_at(reader->err, WEIR_EPARSE, (uint64_t)(at - reader->begin), "smile: %s", what);
    return NULL;
}

__attribute__((cold, noinline)) const unsigned char *weir_smile_beyond(struct smile_reader *reader,
                                                                       const unsigned char *at, const char *what) {
    reader->status = weir_fail_at(reader->err, WEIR_ELIMIT, (uint64_t)(at - reader->begin), "smile: %s", what);
    return NULL;
}

__attribute__((cold, noinline)) const unsigned char *weir_smile_out_of_memory(struct smile_reader *reader) {
    reader->status = weir_fail(reader->err, WEIR_ENOMEM, "smile: out of memory");
    return NULL;
}

/* Why the text of @size bytes at @text is none: it is cut off, or has a byte that cannot be there. */
static __attribute__((cold, noinline)) const unsigned char *
bad_text(struct smile_reader *reader, const unsigned char *text, size_t size, int is_ascii) {
    if (size > (size_t)(reader->end - text))
        return weir_smile_truncated(reader);
    if (!is_ascii)
        return weir_smile_bad(reader, text + weir_utf8_check(text, size), "a text that is not UTF-8");
    while (*text < 0x80)
        text++;
    return weir_smile_bad(reader, text, "a text that is not ASCII");
}

/* ---- texts and references ---- */

ALWAYS_INLINE int is_within(unsigned token, unsigned first, unsigned count) {
    return token - first < count;
}

/* The text of @size bytes behind the token at @p. */
ALWAYS_INLINE const unsigned char *short_text(struct smile_reader *reader, const unsigned char *p, size_t size,
                                              int is_ascii, struct weir_value *cell) {
    const unsigned char *text = p + 1;
    if (UNLIKELY(size > (size_t)(reader->end - text)) ||
        UNLIKELY(is_ascii ? !weir_is_ascii(text, size, reader->end) : weir_utf8_check(text, size) != size))
        return bad_text(reader, text, size, is_ascii);
    weir_cell_set(cell, WEIR_KIND_TEXT, (uint32_t)size, 0);
    cell->as.data = text;
    return text + size;
}

ALWAYS_INLINE const unsigned char *reference(struct smile_reader *reader, const unsigned char *p,
                                             const struct smile_table *table, uint32_t index, struct weir_value *cell) {
    if (UNLIKELY(index >= table->count))
        return weir_smile_bad(reader, p, "a reference to a text that was not shared");
    *cell = table->texts[index];
    return p + 1;
}

/* A reference of two bytes. Indices that the short form has are refused under WEIR_STRICT. */
static const unsigned char *long_reference(struct smile_reader *reader, const unsigned char *p,
                                           const struct smile_table *table, uint32_t short_indices,
                                           struct weir_value *cell) {
    if (reader->end - p < 2)
        return weir_smile_truncated(reader);
    uint32_t index = (uint32_t)(p[0] & 3) << 8 | p[1];
    if (reader->limits->flags & WEIR_STRICT && index < short_indices)
        return weir_smile_bad(reader, p, "a long reference where a short one does");
    p = reference(reader, p, table, index, cell);
    return p ? p + 1 : NULL;
}

static void remember_name(struct smile_section *section, const struct weir_value *name) {
    if (LIKELY(section->features & SMILE_SHARES_NAMES))
        weir_smile_remember(section, &section->names, name);
}

/* A name that is neither a short reference nor short ASCII. */
static __attribute__((noinline)) const unsigned char *other_name(struct smile_reader *reader, const unsigned char *p,
                                                                 struct weir_value *cell) {
    const unsigned char token = *p;
    if (token == SMILE_EMPTY) {
        weir_cell_set(cell, WEIR_KIND_TEXT, 0, 0);
        cell->as.data = p;
        return p + 1;
    }
    if (token >= SMILE_NAME_SHARED_LONG && token < SMILE_NAME_LONG)
        return long_reference(reader, p, &reader->section->names, SMILE_SHORT_INDICES, cell);
    if (token == SMILE_NAME_LONG)
        p = weir_smile_long_text(reader, p + 1, 0, cell);
    else if (token >= SMILE_NAME_UNICODE && token < SMILE_ARRAY)
        p = short_text(reader, p, (size_t)(token - SMILE_NAME_UNICODE) + 2, 0, cell);
    else
        return weir_smile_bad(reader, p, "neither a name nor the end of a map");
    if (p)
        remember_name(reader->section, cell);
    return p;
}

ALWAYS_INLINE const unsigned char *name(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    const unsigned char token = *p;
    if (is_within(token, SMILE_NAME_SHARED, SMILE_SHORT_INDICES))
        return reference(reader, p, &reader->section->names, (uint32_t)(token - SMILE_NAME_SHARED), cell);
    if (!is_within(token, SMILE_NAME_ASCII, SMILE_SHORT_MAX))
        return other_name(reader, p, cell);
    p = short_text(reader, p, (size_t)(token - SMILE_NAME_ASCII) + 1, 1, cell);
    if (LIKELY(p != NULL))
        remember_name(reader->section, cell);
    return p;
}

/* ---- numbers ---- */

/* Most numbers: those that end within the next eight bytes; others go on in weir_smile_vint. */
ALWAYS_INLINE const unsigned char *integer(struct smile_reader *reader, const unsigned char *p, unsigned bits,
                                           struct weir_value *cell) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t number;
    uint64_t ends = reader->end - p >= 8 ? weir_word_at(p) & high_bits : 0;
    if (LIKELY(ends != 0)) {
        unsigned count = (unsigned)__builtin_ctzll(ends) / 8; /* bytes before the last */
        uint64_t groups = weir_smile_load(p) >> (56 - 8 * count);
        number = weir_smile_join(groups >> 8) << 6 | (groups & 0x3f);
        if (LIKELY(!(groups & 0x40) && (bits == 64 || number <= UINT32_MAX))) {
            weir_cell_set(cell, WEIR_KIND_INT64, 0, (uint64_t)weir_smile_unzigzag(number));
            return p + count + 1;
        }
    }
    p = weir_smile_vint(reader, p, bits, &number);
    if (p)
        weir_cell_set(cell, WEIR_KIND_INT64, 0, (uint64_t)weir_smile_unzigzag(number));
    return p;
}

/* The first byte of @size that has its high bit set, or NULL. */
static __attribute__((cold, noinline)) const unsigned char *bad_float(struct smile_reader *reader,
                                                                      const unsigned char *p, size_t size) {
    if ((size_t)(reader->end - p) < size)
        return weir_smile_truncated(reader);
    while (!(*p & 0x80))
        p++;
    return weir_smile_bad(reader, p, "a byte with its high bit set in a float");
}

/* Ten bytes of seven bits, of which the first has only the sign. */
ALWAYS_INLINE const unsigned char *float64(struct smile_reader *reader, const unsigned char *p,
                                           struct weir_value *cell) {
    static const uint64_t high_bits = UINT64_C(0x8080808080808080);
    if (UNLIKELY(reader->end - p < 10) || UNLIKELY(((weir_word_at(p) | weir_word_at(p + 2)) & high_bits) != 0))
        return bad_float(reader, p, 10);
    uint64_t bits = (uint64_t)p[0] << 63 | (uint64_t)p[1] << 56 | weir_smile_join(weir_smile_load(p + 2));
    weir_cell_set(cell, WEIR_KIND_FLOAT64, 0, bits);
    return p + 10;
}

/* Five bytes of seven bits, of which the first has four. */
static const unsigned char *float32(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell) {
    if (reader->end - p < 5 || ((p[0] | p[1] | p[2] | p[3] | p[4]) & 0x80))
        return bad_float(reader, p, 5);
    uint32_t bits = (uint32_t)p[0] << 28 | (uint32_t)p[1] << 21 | (uint32_t)p[2] << 14 | (uint32_t)p[3] << 7 | p[4];
    weir_cell_set(cell, WEIR_KIND_FLOAT32, 0, 0);
    memcpy(&cell->as.f32, &bits, sizeof(bits));
    return p + 5;
}

/* ---- values ---- */

/* A value that is rare. *ret_cells: how many cells it took. */
static __attribute__((noinline)) const unsigned char *other_scalar(struct smile_reader *reader, const unsigned char *p,
                                                                   struct weir_value *cell, size_t *ret_cells) {
    const unsigned char token = *p;
    *ret_cells = 1;
    switch (token) {
    case SMILE_EMPTY:
        weir_cell_set(cell, WEIR_KIND_TEXT, 0, 0);
        cell->as.data = p;
        return p + 1;
    case SMILE_BIGINT: return weir_smile_bigint(reader, p + 1, cell);
    case SMILE_FLOAT32: return float32(reader, p + 1, cell);
    case SMILE_DECIMAL: *ret_cells = 2; return weir_smile_decimal(reader, p + 1, cell);
    case SMILE_LONG_ASCII:
    case SMILE_LONG_UNICODE: return weir_smile_long_text(reader, p + 1, token == SMILE_LONG_ASCII, cell);
    case SMILE_BINARY: return weir_smile_binary(reader, p + 1, cell);
    case SMILE_RAW: return weir_smile_raw(reader, p + 1, cell);
    case SMILE_SHARED_VALUE_LONG:
    case SMILE_SHARED_VALUE_LONG + 1:
    case SMILE_SHARED_VALUE_LONG + 2:
    case SMILE_SHARED_VALUE_LONG + 3:
        return long_reference(reader, p, &reader->section->values, SMILE_SHORT_VALUE_INDICES, cell);
    default: break;
    }
    if (is_within(token, SMILE_SHARED_VALUE, SMILE_SHORT_VALUE_INDICES))
        return reference(reader, p, &reader->section->values, (uint32_t)(token - SMILE_SHARED_VALUE), cell);
    return weir_smile_bad(reader, p, "no value begins like this");
}

/* A value that is no container. */
ALWAYS_INLINE const unsigned char *scalar(struct smile_reader *reader, const unsigned char *p, struct weir_value *cell,
                                          size_t *ret_cells) {
    const unsigned char token = *p;
    *ret_cells = 1;
    if (is_within(token, SMILE_SMALL_INT, 32)) {
        weir_cell_set(cell, WEIR_KIND_INT64, 0, (uint64_t)weir_smile_unzigzag(token & 31));
        return p + 1;
    }
    if (is_within(token, SMILE_ASCII, 128)) {
        int is_ascii = token < SMILE_UNICODE;
        p = short_text(reader, p, (size_t)(token & 63) + (is_ascii ? 1 : 2), is_ascii, cell);
        if (UNLIKELY(reader->section->features & SMILE_SHARES_VALUES) && p)
            weir_smile_remember(reader->section, &reader->section->values, cell);
        return p;
    }
    switch (token) {
    case SMILE_FLOAT64: return float64(reader, p + 1, cell);
    case SMILE_INT32: return integer(reader, p + 1, 32, cell);
    case SMILE_INT64: return integer(reader, p + 1, 64, cell);
    case SMILE_NULL: weir_cell_set(cell, WEIR_KIND_NULL, 0, 0); return p + 1;
    case SMILE_FALSE:
    case SMILE_TRUE: weir_cell_set(cell, WEIR_KIND_BOOL, 0, token - SMILE_FALSE); return p + 1;
    default: return other_scalar(reader, p, cell, ret_cells);
    }
}

/* ---- containers ---- */

static __attribute__((cold, noinline)) int is_too_deep(struct smile_reader *reader, const struct weir_value *open,
                                                       uint32_t depth) {
    reader->is_deep = 1;
    return reader->limits->flags & WEIR_PLAIN ||
           weir_wrapper_is_too_deep(reader->doc, open, depth, reader->limits->depth_max, 0);
}

/* Where there is less room than for one more item. */
ALWAYS_INLINE struct weir_value *limit_of(const struct smile_reader *reader) {
    const struct weir_doc *doc = reader->doc;
    size_t usable = doc->capacity - (ITEM_CELLS - 1);
    return doc->cells + (usable < reader->cells_max ? usable : reader->cells_max);
}

/* Room for one more item; the reader's cell and open move with the cells. Return: where there is less; NULL. */
static __attribute__((noinline)) struct weir_value *more_cells(struct smile_reader *reader, const unsigned char *p) {
    struct weir_doc *doc = reader->doc;
    size_t open = reader->open ? (size_t)(reader->open - doc->cells) : 0;
    doc->count = (size_t)(reader->cell - doc->cells);
    if (doc->count >= reader->cells_max) {
        weir_smile_beyond(reader, p, "more values than the limit allows; raise values_max");
        return NULL;
    }
    size_t done = (size_t)(p - reader->begin), size = (size_t)(reader->end - reader->begin);
    if (weir_doc_grow_along(doc, ITEM_CELLS, done, size) != WEIR_OK) {
        weir_smile_out_of_memory(reader);
        return NULL;
    }
    reader->cell = doc->cells + doc->count;
    reader->open = reader->open ? doc->cells + open : NULL;
    return limit_of(reader);
}

/* The map's keys, for WEIR_STRICT. Return: 0 with the failure noted. */
static int keys_differ(struct smile_reader *reader, const struct weir_value *map, const unsigned char *p) {
    const struct weir_value *key;
    if (weir_map_repeated_key(map, &key) != WEIR_OK)
        return weir_smile_out_of_memory(reader) != NULL;
    if (!key)
        return 1;
    int size = key->kind == WEIR_KIND_TEXT ? (int)weir_utf8_shown(key->as.data, key->count, KEY_SHOWN_MAX) : 0;
    reader->status = weir_fail_at(reader->err, WEIR_EPARSE, (uint64_t)(p - reader->begin),
                                  "smile: the key \"%.*s\" twice in the map that ends here", size,
                                  size > 0 ? (const char *)key->as.data : "");
    return 0;
}

/* Whether more is to be done at the end of a map or array than to note its span. */
ALWAYS_INLINE int is_special(const struct smile_reader *reader, const struct weir_value *open) {
    return reader->is_deep || (reader->limits->flags & WEIR_STRICT) || weir_wrapper_is_likely(open);
}

/* End a map or array that reaches to the reader's cell. Return: 0 with the failure noted. */
static __attribute__((noinline)) int close_specially(struct smile_reader *reader, const unsigned char *p,
                                                     struct weir_value *open, uint32_t depth) {
    struct weir_doc *doc = reader->doc;
    const char *problem;
    doc->count = (size_t)(reader->cell - doc->cells);
    int status =
        weir_wrapper_close(doc, (size_t)(open - doc->cells), depth, reader->limits, reader->is_deep, 0, &problem);
    reader->cell = doc->cells + doc->count;
    switch (status) {
    case WEIR_OK:
        return open->kind != WEIR_KIND_MAP || !(reader->limits->flags & WEIR_STRICT) || keys_differ(reader, open, p);
    case WEIR_EPARSE: return weir_smile_bad(reader, p, problem) != NULL;
    case WEIR_ELIMIT: return weir_smile_beyond(reader, p, problem) != NULL;
    default: return weir_smile_out_of_memory(reader) != NULL;
    }
}

/* ---- the grammar ---- */

#define MUST_HAVE_MORE(p)                                                                                              \
    do {                                                                                                               \
        if (UNLIKELY((p) == end))                                                                                      \
            return weir_smile_truncated(reader);                                                                       \
    } while (0)
#define ROOM(p)                                                                                                        \
    do {                                                                                                               \
        if (UNLIKELY(cell >= limit)) {                                                                                 \
            reader->cell = cell;                                                                                       \
            reader->open = open;                                                                                       \
            limit = more_cells(reader, p);                                                                             \
            if (!limit)                                                                                                \
                return NULL;                                                                                           \
            cell = reader->cell;                                                                                       \
            open = reader->open;                                                                                       \
        }                                                                                                              \
    } while (0)

/* Read the map or array that begins at @p. Return: what follows it; NULL on failure. */
static const unsigned char *container(struct smile_reader *reader, const unsigned char *p) {
    struct weir_doc *doc = reader->doc;
    const unsigned char *const end = reader->end;
    struct weir_value *cell = doc->cells;
    struct weir_value *open = NULL;
    struct weir_value *limit = limit_of(reader);
    size_t cells;
    uint32_t depth = 0;
    uint32_t count = 0;
    ROOM(p);
    goto begin;

item:
    MUST_HAVE_MORE(p);
    if (*p == SMILE_ARRAY_END)
        goto close;
    ROOM(p);
    if (*p == SMILE_ARRAY || *p == SMILE_MAP)
        goto begin;
    p = scalar(reader, p, cell, &cells);
    if (UNLIKELY(!p))
        return NULL;
    cell += cells;
    count++;
    goto item;

pair:
    MUST_HAVE_MORE(p);
    if (*p == SMILE_MAP_END)
        goto close;
    ROOM(p);
    p = name(reader, p, cell);
    if (UNLIKELY(!p))
        return NULL;
    cell++;
    MUST_HAVE_MORE(p);
    if (*p == SMILE_ARRAY || *p == SMILE_MAP)
        goto begin;
    p = scalar(reader, p, cell, &cells);
    if (UNLIKELY(!p))
        return NULL;
    cell += cells;
    count++;
    goto pair;

begin:
    if (LIKELY(open != NULL))
        open->count = count;
    if (UNLIKELY(++depth > reader->limits->depth_max) && is_too_deep(reader, open, depth))
        return weir_smile_beyond(reader, p, "containers inside each other beyond the limit; raise depth_max");
    weir_cell_set(cell, *p == SMILE_MAP ? WEIR_KIND_MAP : WEIR_KIND_ARRAY, 0,
                  open ? (uint64_t)(open - doc->cells) + 1 : 0);
    open = cell++;
    count = 0;
    if (*p++ == SMILE_MAP)
        goto pair;
    goto item;

close:
    open->count = count;
    uint64_t parent = open->as.span;
    if (UNLIKELY(is_special(reader, open))) {
        reader->cell = cell;
        if (!close_specially(reader, p, open, depth))
            return NULL;
        cell = reader->cell;
    } else {
        open->as.span = (uint64_t)(cell - open);
    }
    depth--;
    p++;
    if (parent == 0) {
        doc->count = (size_t)(cell - doc->cells);
        return p;
    }
    open = doc->cells + (parent - 1);
    count = open->count + 1;
    if (open->kind == WEIR_KIND_MAP)
        goto pair;
    goto item;
}

static const unsigned char *root(struct smile_reader *reader, const unsigned char *p) {
    struct weir_doc *doc = reader->doc;
    size_t cells;
    if (weir_doc_grow(doc, ITEM_CELLS) != WEIR_OK)
        return weir_smile_out_of_memory(reader);
    if (*p == SMILE_ARRAY || *p == SMILE_MAP)
        return container(reader, p);
    p = scalar(reader, p, doc->cells, &cells);
    doc->count = cells;
    return p;
}

/* ---- what stands around values ---- */

static int is_header(const unsigned char *p, const unsigned char *end) {
    return end - p >= SMILE_HEADER_SIZE && memcmp(p, ":)\n", 3) == 0;
}

/* Step over a header at @p, if there is one. Its bit 3 is reserved and ignored. */
static const unsigned char *header(struct smile_reader *reader, const unsigned char *p) {
    if (p == reader->end || *p != ':')
        return p;
    for (int i = 0; i < 3; i++)
        if (p + i == reader->end || p[i] != ":)\n"[i])
            return weir_smile_bad(reader, p + i, "a header that is none");
    if (p + 3 == reader->end)
        return weir_smile_truncated(reader);
    if (p[3] >> 4 != 0)
        return weir_smile_bad(reader, p + 3, "a version of Smile that is not known, only 0 is");
    weir_smile_section_begin(reader->section, p[3] & 7);
    return p + SMILE_HEADER_SIZE;
}

/* Step over an end marker behind a value and, in a sequence, over sections without values. *ret_has_ended: the section
 * has. */
static const unsigned char *trailer(const struct smile_reader *reader, const unsigned char *p, int *ret_has_ended) {
    const unsigned char *end = reader->end;
    int is_end = p < end && *p == SMILE_END;
    *ret_has_ended = is_end || is_header(p, end);
    p += is_end;
    while (reader->limits->flags & WEIR_SEQUENCE && is_header(p, end) && p[3] >> 4 == 0 &&
           (p + SMILE_HEADER_SIZE == end || p[SMILE_HEADER_SIZE] == SMILE_END)) {
        *ret_has_ended = 1;
        p += SMILE_HEADER_SIZE;
        p += p < end;
    }
    return p;
}

/* Step over headers before a value and, in a sequence, over sections without values. */
static const unsigned char *leader(struct smile_reader *reader) {
    const unsigned char *p = header(reader, reader->begin);
    while (p && p < reader->end) {
        if (*p == ':') {
            p = header(reader, p);
        } else if (*p == SMILE_END && p > reader->begin && reader->limits->flags & WEIR_SEQUENCE) {
            weir_smile_section_begin(reader->section, SMILE_FEATURES_DEFAULT);
            p++;
        } else {
            break;
        }
    }
    return p;
}

/* One value with what stands before it. Return: what follows; NULL on failure. */
static const unsigned char *item(struct smile_reader *reader) {
    const unsigned char *p = leader(reader);
    if (!p)
        return NULL;
    if (p == reader->end)
        return weir_smile_truncated(reader);
    if (*p == SMILE_END)
        return weir_smile_bad(reader, p, "an end marker, and no value before it");
    p = root(reader, p);
    if (p && reader->doc->count > reader->cells_max)
        return weir_smile_beyond(reader, p, "more values than the limit allows; raise values_max");
    return p;
}

/* In a sequence the section, with its tables, lives in the document. */
static int decode_next(struct smile_reader *reader, size_t *ret_used) {
    int has_ended;
    reader->section = weir_smile_section_of(reader->doc, reader->doc->sequel == WEIR_CODEC_SMILE);
    if (!reader->section)
        return weir_smile_out_of_memory(reader), reader->status;
    const unsigned char *p = item(reader);
    if (!p)
        return reader->status;
    p = trailer(reader, p, &has_ended);
    if (has_ended)
        weir_smile_section_begin(reader->section, SMILE_FEATURES_DEFAULT);
    if (weir_smile_section_keep(reader->doc) != WEIR_OK)
        return weir_smile_out_of_memory(reader), reader->status;
    *ret_used = (size_t)(p - reader->begin);
    return WEIR_OK;
}

static int decode_only(struct smile_reader *reader, size_t *ret_used) {
    struct smile_section section;
    int has_ended;
    reader->section = &section;
    weir_smile_section_begin(&section, SMILE_FEATURES_DEFAULT);
    const unsigned char *p = item(reader);
    if (p)
        *ret_used = (size_t)(trailer(reader, p, &has_ended) - reader->begin);
    return reader->status;
}

int weir_smile_decode(struct weir_doc *doc, const unsigned char *data, size_t size,
                      const struct weir_codec_limits *limits, size_t *ret_used, weir_error *err) {
    struct smile_reader reader = {
        .doc = doc,
        .begin = data,
        .end = data + (size < window_max ? size : window_max),
        .cells_max = limits->values_max < SIZE_MAX ? (size_t)limits->values_max : SIZE_MAX,
        .limits = limits,
        .is_cut = size > window_max,
        .err = err,
    };
    return limits->flags & WEIR_SEQUENCE ? decode_next(&reader, ret_used) : decode_only(&reader, ret_used);
}
