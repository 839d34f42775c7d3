/* weir_pack: a document from a printf-like format, each letter one builder call. Mistakes in the format are found here;
 * whether the values make a document is the builder's business.
 */
#include "value/value.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"

struct pack {
    struct weir_doc *doc;
    va_list args;
};

/* Text from a NUL-terminated argument; NULL is the builder's to refuse. */
static void pack_text(struct pack *pack) {
    const char *text = va_arg(pack->args, const char *);
    weir_put_text(pack->doc, text, text ? strlen(text) : 1);
}

static void pack_text_sized(struct pack *pack) {
    const char *text = va_arg(pack->args, const char *);
    weir_put_text(pack->doc, text, va_arg(pack->args, size_t));
}

static void pack_bytes(struct pack *pack) {
    const void *data = va_arg(pack->args, const void *);
    weir_put_bytes(pack->doc, data, va_arg(pack->args, size_t));
}

/* Put the value of one letter. Return: 0 when there is no such letter. */
static int pack_value(struct pack *pack, char letter) {
    struct weir_doc *doc = pack->doc;
    switch (letter) {
    case 's': pack_text(pack); return 1;
    case 'S': pack_text_sized(pack); return 1;
    case 'y': pack_bytes(pack); return 1;
    case 'i': weir_put_i64(doc, va_arg(pack->args, long)); return 1;
    case 'u': weir_put_u64(doc, va_arg(pack->args, unsigned long)); return 1;
    case 'd': weir_put_i64(doc, va_arg(pack->args, int)); return 1;
    case 'f': weir_put_f64(doc, va_arg(pack->args, double)); return 1;
    case 'b': weir_put_bool(doc, va_arg(pack->args, int)); return 1;
    case 'n': weir_put_null(doc); return 1;
    case 't': weir_put_time(doc, va_arg(pack->args, long)); return 1;
    case 'A': weir_put_ndarray(doc, va_arg(pack->args, const weir_ndarray *)); return 1;
    case 'v': weir_put_value(doc, va_arg(pack->args, const weir_value *)); return 1;
    default: return 0;
    }
}

static int is_open(const struct weir_doc *doc, int kind) {
    return doc->open > 0 && doc->cells[doc->open - 1].kind == kind;
}

/* Begin or end a container. Return: 0 when @letter is no bracket, or not the one that fits. */
static int pack_bracket(struct weir_doc *doc, char letter) {
    switch (letter) {
    case '{': weir_begin_map(doc); return 1;
    case '[': weir_begin_array(doc); return 1;
    case '}':
    case ']':
        if (!is_open(doc, letter == '}' ? WEIR_KIND_MAP : WEIR_KIND_ARRAY))
            return 0;
        weir_end(doc);
        return 1;
    default: return 0;
    }
}

static int pack_format(struct pack *pack, const char *format, weir_error *err) {
    for (size_t i = 0; format[i] != '\0' && pack->doc->status == WEIR_OK; i++) {
        if (strchr(" \t\n,:", format[i]))
            continue;
        if (!pack_bracket(pack->doc, format[i]) && !pack_value(pack, format[i]))
            return weir_fail(err, WEIR_EINVAL, "weir_pack: '%c' at position %zu of \"%s\" %s", format[i], i, format,
                             strchr("}]", format[i]) ? "ends nothing that is open" : "is no letter of a format");
    }
    return WEIR_OK;
}

int weir_pack(weir_doc *doc, const weir_value **ret, weir_error *err, const char *format, ...) {
    if (!format)
        return weir_fail(err, WEIR_EINVAL, "weir_pack: the format is NULL");
    weir_doc_clear(doc);
    struct pack pack = {.doc = doc};
    va_start(pack.args, format);
    int status = pack_format(&pack, format, err);
    va_end(pack.args);
    if (status == WEIR_OK)
        return weir_doc_finish(doc, ret, err);
    weir_doc_clear(doc);
    return status;
}
