/* Random documents of every kind, for tests of properties: the same seed and shape always give the same document.
 *
 * What is drawn are mostly borders: lengths and integers around the powers of two where encodings change, floats
 * with every class of bits, keys that look like wrappers, ndarrays of every element and order. A document never
 * holds what a codec may bring back as something else: a CBOR tag around a content for which there is a kind, or the
 * tag numbers that carry BSON types. */
#ifndef WEIR_CONFORMANCE_DOCUMENTS_H
#define WEIR_CONFORMANCE_DOCUMENTS_H

#include <stdint.h>
#include <weir/value.h>

struct random {
    uint64_t state; /* the seed; any number */
};
uint64_t random_next(struct random *random);
/* A number from 0 up to, and without, @limit. */
uint64_t random_below(struct random *random, uint64_t limit);

#define KIND(name) (1u << WEIR_KIND_##name)
enum { KIND_FIRST = WEIR_KIND_NULL, KIND_LAST = WEIR_KIND_TAGGED };
enum { KINDS_ALL = 2 * KIND(TAGGED) - KIND(NULL) };
enum { KINDS_CONTAINER = KIND(ARRAY) | KIND(MAP) };

struct document_shape {
    uint32_t kinds;     /* which may occur: bits 1 << enum weir_kind */
    uint32_t root;      /* the same for the root; 0: like any other */
    uint32_t values;    /* about how many values there may be */
    uint32_t depth_max; /* containers and tags inside each other, at most WEIR_DEPTH_MAX */
    int is_short;       /* no text, bytes or integer of more than about 300 bytes */
    int is_polite;      /* what WEIR_STRICT decodes too: no repeated keys, no tag around what it does not allow */
    int is_named;       /* keys are what every format has: unique texts without NUL and with no '$' in front */
};

/* Clear @doc, build a random document in it and finish it. Return: its root. */
const weir_value *document_build(weir_doc *doc, struct random *random, const struct document_shape *shape);

#endif
