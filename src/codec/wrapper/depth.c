/* Depth and wrappers: a limit on levels is one on the document's, not on those that its wrappers add in a format. So a
 * decoder lets containers go deeper than the limit as long as they may belong to wrappers, and when one of them ends
 * it is known.
 *
 * Called seldom: when a container went beyond the limit, for maps with a single key "$...", and under WEIR_STRICT. */
#include <stdlib.h>

#include "codec/bson/bson.h"
#include "codec/wrapper/wrapper.h"

enum {
    WRAPPED_DEPTH = 3, /* levels that one level of a document may take: {"$map":[[ */
    LAST_DEPTH = 4     /* and more for the value at the bottom: {"$array":{"dims":[ */
};

static const struct weir_value *parent_of(const struct weir_doc *doc, const struct weir_value *container) {
    size_t number = container ? container->as.span & UINT32_MAX : 0;
    return number > 0 ? doc->cells + (number - 1) : NULL;
}

/* What an open container may become, judged by its first key, and in BSON by the kind of its first value too. */
static enum weir_wrapper wrapper_of(const struct weir_value *container, int kind) {
    if (!container || container->kind != WEIR_KIND_MAP || container->count > 0)
        return WEIR_WRAPPER_NONE;
    if (kind != 0 && weir_bson_wrapper_kind(container + 1) != kind)
        return WEIR_WRAPPER_NONE;
    return weir_wrapper_of_key(container + 1);
}

/* The same for one whose first value is there. */
static enum weir_wrapper wrapper_around(const struct weir_value *container, int by_kind) {
    return wrapper_of(container, container && by_kind ? container[2].kind : 0);
}

/* Levels of the document, from the root to the open container @at, whose wrapper is known to the caller. */
static uint32_t levels(const struct weir_doc *doc, const struct weir_value *at, enum weir_wrapper wrapper,
                       int by_kind) {
    uint32_t count = 0;
    while (at) {
        const struct weir_value *parent = parent_of(doc, at);
        const struct weir_value *grandparent = parent_of(doc, parent);
        if (wrapper != WEIR_WRAPPER_NONE)
            count += wrapper == WEIR_WRAPPER_TAG;
        else if (wrapper_around(parent, by_kind) != WEIR_WRAPPER_NONE)
            count += wrapper_around(parent, by_kind) == WEIR_WRAPPER_PAIRS;
        else if (wrapper_around(grandparent, by_kind) == WEIR_WRAPPER_PAIRS)
            count += at->kind != WEIR_KIND_ARRAY;
        else
            count += wrapper_around(grandparent, by_kind) != WEIR_WRAPPER_LEAF;
        at = parent;
        wrapper = wrapper_around(at, by_kind);
    }
    return count;
}

int weir_wrapper_is_too_deep(const struct weir_doc *doc, const struct weir_value *open, uint32_t depth,
                             uint32_t depth_max, int begins) {
    return depth > (uint64_t)depth_max * WRAPPED_DEPTH + LAST_DEPTH ||
           levels(doc, open, wrapper_of(open, begins), begins != 0) > depth_max;
}

static int fails(int status, const char *problem, const char **ret_problem) {
    *ret_problem = problem;
    return status;
}

/* Whether a map that is no wrapper looked like one when its first value was read,
 * which may have more levels for that. */
static int is_like_wrapper(const struct weir_value *map, int by_kind) {
    if (map->kind != WEIR_KIND_MAP || map->count == 0 || weir_wrapper_of_key(map + 1) == WEIR_WRAPPER_NONE)
        return 0;
    /* In BSON one of another kind was none from the beginning; but what was a map may have become a tag. */
    if (by_kind && weir_bson_wrapper_kind(map + 1) != map[2].kind)
        return weir_bson_wrapper_kind(map + 1) == WEIR_KIND_MAP && map[2].kind == WEIR_KIND_TAGGED;
    return map[2].kind == WEIR_KIND_MAP || map[2].kind == WEIR_KIND_ARRAY || map[2].kind == WEIR_KIND_TAGGED;
}

int weir_value_is_deeper(const struct weir_value *at, const struct weir_value *end, uint32_t most, int *ret) {
    const struct weir_value *few[WEIR_DEPTH_MAX], **ends = few;
    size_t cells = (size_t)(end - at), needed = most < cells ? most : cells, depth = 0;
    if (needed > WEIR_DEPTH_MAX)
        ends = malloc(needed * sizeof(*ends));
    if (!ends)
        return WEIR_ENOMEM;
    *ret = 0;
    for (; at < end && !*ret; at = weir_value_next(at)) {
        while (depth > 0 && ends[depth - 1] <= at)
            depth--;
        if (at->kind != WEIR_KIND_TAGGED && at->kind != WEIR_KIND_ARRAY && at->kind != WEIR_KIND_MAP)
            continue;
        *ret = depth == most;
        if (!*ret)
            ends[depth++] = weir_value_after(at);
    }
    if (ends != few)
        free(ends);
    return WEIR_OK;
}

/* Whether the tag that a wrapper inside @parent became, the last value there is, is beyond the limit: in the format it
 * was a map, in the document it has a level more, or two with the array inside. */
static int is_tag_too_deep(const struct weir_doc *doc, const struct weir_value *tag, const struct weir_value *parent,
                           uint32_t depth_max, int by_kind, int *ret) {
    uint32_t around = levels(doc, parent, wrapper_around(parent, by_kind), by_kind);
    *ret = around >= depth_max;
    return *ret ? WEIR_OK : weir_value_is_deeper(tag, doc->cells + doc->count, depth_max - around, ret);
}

int weir_wrapper_close(struct weir_doc *doc, size_t open, uint32_t depth, const struct weir_codec_limits *limits,
                       int is_deep, int by_kind, const char **ret_problem) {
    struct weir_value *container = doc->cells + open;
    int unwrapped = WEIR_UNWRAPPED_NOT;
    doc->peak = doc->count > doc->peak ? doc->count : doc->peak;
    const struct weir_value *parent = parent_of(doc, container);
    int is_code = container->count == 2, is_too_deep = 0; /* the scope of a code is two levels deeper than it looks */
    int is_leaf = is_code || (container->count == 1 && weir_wrapper_of_key(container + 1) == WEIR_WRAPPER_LEAF);
    if (!(limits->flags & WEIR_PLAIN) && container->kind == WEIR_KIND_MAP && container->count - 1 < 2)
        unwrapped = weir_unwrap(doc, open);
    if (unwrapped == WEIR_UNWRAPPED_DONE && container->kind == WEIR_KIND_TAGGED && is_leaf &&
        (is_code || depth + 1 > limits->depth_max) &&
        is_tag_too_deep(doc, container, parent, limits->depth_max, by_kind, &is_too_deep) != WEIR_OK)
        unwrapped = -1;
    if (is_too_deep)
        return fails(WEIR_ELIMIT, "a tag beyond the limit on depth; raise depth_max", ret_problem);
    if (unwrapped == WEIR_UNWRAPPED_DONE)
        return WEIR_OK;
    if (unwrapped < 0)
        return fails(WEIR_ENOMEM, "out of memory", ret_problem);
    if (unwrapped == WEIR_UNWRAPPED_BAD && (limits->flags & WEIR_STRICT))
        return fails(WEIR_EPARSE, "a wrapper with contents that it cannot have", ret_problem);
    if (depth > limits->depth_max && levels(doc, container, WEIR_WRAPPER_NONE, by_kind) > limits->depth_max)
        return fails(WEIR_ELIMIT, "containers inside each other beyond the limit; raise depth_max", ret_problem);
    if (is_deep && is_like_wrapper(container, by_kind))
        return fails(WEIR_ELIMIT, "a wrapper that is none, with containers beyond the limit; raise depth_max",
                     ret_problem);
    container->flags = 0;
    container->as.span = (uint64_t)(doc->count - open);
    return WEIR_OK;
}
