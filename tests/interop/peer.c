/* The C peer of the interoperability tests: README.md says what its five verbs do and print.
 *
 * Data that is no array is printed by the library's canonical JSON: C has no values of its own. The other peers write
 * their own, so a mistake there shows against every one of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#define WAIT_NS (INT64_C(20) * 1000000000)

static weir_error err;

/* Leave with a failure's name and sentence. */
static int failed(void) {
    fprintf(stderr, "%s: %s\n", weir_err_name(err.code), err.text);
    return 2;
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
}

/* ---- writing ---- */

static int send_map(weir_writer *w, const weir_value *meta, weir_doc *doc, int i) {
    const weir_value *root;
    int status = weir_pack(doc, &root, &err, "{s:f, s:i, s:s, s:n, s:b}", "half", i + 0.5, "i", (long)i, "name",
                           "zwölf €𝄞", "none", "on", i % 2 == 0);
    return status ? status : weir_writer_send(w, "map", meta, root, &err);
}

static int send_text(weir_writer *w, const weir_value *meta, weir_doc *doc, int i) {
    const weir_value *root;
    char text[80];
    snprintf(text, sizeof text, "tick\t%d \"quoted\" \\ back", i);
    int status = weir_pack(doc, &root, &err, "s", text);
    return status ? status : weir_writer_send(w, "text", meta, root, &err);
}

/* f64[rows,columns], element (r,c) = i + r + c * step, in either order. */
static int send_grid(weir_writer *w, const char *op, const weir_value *meta, int i, int rows, int columns, int order,
                     double step) {
    double numbers[6];
    weir_ndarray array = {.element = WEIR_F64,
                          .order = (uint32_t)order,
                          .rank = 2,
                          .shape = {(uint64_t)rows, (uint64_t)columns},
                          .data = numbers,
                          .size = sizeof numbers};
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            numbers[order == WEIR_COLUMN ? c * rows + r : r * columns + c] = i + r + c * step;
    return weir_writer_send_ndarray(w, op, meta, &array, &err);
}

static int send_vector(weir_writer *w, const weir_value *meta, int i) {
    int32_t numbers[5];
    weir_ndarray array = {.element = WEIR_I32, .rank = 1, .shape = {5}, .data = numbers, .size = sizeof numbers};
    for (int k = 0; k < 5; k++)
        numbers[k] = 10 * i - k;
    return weir_writer_send_ndarray(w, "vector", meta, &array, &err);
}

static int send_integers(weir_writer *w, const weir_value *meta, weir_doc *doc) {
    const weir_value *root;
    int status = weir_pack(doc, &root, &err, "[iiiii]", 0L, -1L, 9007199254740993L, INT64_MAX, INT64_MIN);
    return status ? status : weir_writer_send(w, "integers", meta, root, &err);
}

static int send_nested(weir_writer *w, const weir_value *meta, weir_doc *doc, int i) {
    const weir_value *root;
    int status = weir_pack(doc, &root, &err, "{s:[i[i[i{s:[]}]]], s:i}", "a", 1L, 2L, 3L, "b", "i", (long)i);
    return status ? status : weir_writer_send(w, "nested", meta, root, &err);
}

/* Written in place, without a copy. */
static int send_blob(weir_writer *w, const weir_value *meta, int i) {
    void *room;
    size_t size;
    int status = weir_writer_reserve(w, "blob", meta, "u8[100000]", &room, &size, &err);
    if (status)
        return status;
    for (size_t k = 0; k < size; k++)
        ((unsigned char *)room)[k] = (unsigned char)(((size_t)i + 7 * k) % 251);
    return weir_writer_commit(w, &err);
}

static int send_row(weir_writer *w, const weir_value *meta, weir_doc *doc, int i) {
    switch (i % 9) {
    case 0: return send_map(w, meta, doc, i);
    case 1: return send_text(w, meta, doc, i);
    case 2: return send_grid(w, "matrix", meta, i, 2, 3, WEIR_ROW, 0.25);
    case 3: return send_vector(w, meta, i);
    case 4: return send_grid(w, "column", meta, i, 3, 2, WEIR_COLUMN, -0.25);
    case 5: return send_integers(w, meta, doc);
    case 6: return weir_writer_send(w, "empty", NULL, NULL, &err);
    case 7: return send_nested(w, meta, doc, i);
    default: return send_blob(w, meta, i);
    }
}

static int write_series(const char *address, int count) {
    weir_writer *w;
    weir_doc *doc, *meta_doc;
    const weir_value *meta;
    if (weir_doc_new(&doc) || weir_doc_new(&meta_doc) || weir_writer_open(address, &w, &err))
        return failed();
    weir_writer_set_timeout(w, WAIT_NS);
    ready();
    for (int i = 0; i < count; i++)
        if (weir_pack(meta_doc, &meta, &err, "{s:i, s:s}", "i", (long)i, "unit", "V") || send_row(w, meta, doc, i))
            return failed();
    weir_writer_close(w);
    weir_doc_free(doc);
    weir_doc_free(meta_doc);
    return 0;
}

/* ---- reading ---- */

static double element_at(const weir_ndarray *array, size_t at) {
    switch (array->element) {
    case WEIR_U8: return ((const uint8_t *)array->data)[at];
    case WEIR_I32: return ((const int32_t *)array->data)[at];
    case WEIR_F64: return ((const double *)array->data)[at];
    default: return NAN;
    }
}

/* Sum of 4 (k + 1) x over all elements, k counting the indices in row order. Two dimensions are enough here. */
static long long check_of(const weir_ndarray *array) {
    size_t rows = array->rank == 2 ? array->shape[0] : 1, columns = array->shape[array->rank - 1];
    double total = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            total += 4.0 * (double)(r * columns + c + 1) *
                     element_at(array, array->order == WEIR_COLUMN ? c * rows + r : r * columns + c);
    return llround(total);
}

static int print_value(const weir_value *value) {
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    weir_buffer *buffer;
    if (!value || weir_value_kind(value) == WEIR_KIND_NULL) {
        putchar('-');
        return WEIR_OK;
    }
    options.flags = WEIR_CANONICAL;
    if (weir_buffer_new(&buffer))
        return WEIR_ENOMEM;
    int status = weir_encode(value, WEIR_CODEC_JSON, &options, buffer, &err);
    if (status == WEIR_OK)
        fwrite(weir_buffer_view(buffer).data, 1, weir_buffer_view(buffer).size, stdout);
    weir_buffer_free(buffer);
    return status;
}

static int print_data(weir_message *m) {
    const weir_value *value;
    weir_ndarray array;
    if (weir_message_data(m, &value, &err))
        return err.code;
    if (weir_value_kind(value) != WEIR_KIND_NDARRAY)
        return print_value(value);
    if (weir_get_ndarray(value, NULL, &array))
        return WEIR_ETYPE;
    printf("%s[", weir_element_name(array.element));
    for (uint32_t i = 0; i < array.rank; i++)
        printf(i ? ",%llu" : "%llu", (unsigned long long)array.shape[i]);
    printf("] %s %lld", array.order == WEIR_COLUMN ? "column" : "row", check_of(&array));
    return WEIR_OK;
}

static int print_line(weir_message *m) {
    const weir_value *meta;
    weir_view op = weir_message_op(m);
    printf("%llu\t%llu\t%.*s\t", (unsigned long long)weir_message_seq(m), (unsigned long long)weir_message_gap(m),
           (int)op.size, op.data);
    int status = weir_message_meta(m, &meta, &err);
    if (status == WEIR_OK)
        status = print_value(meta);
    putchar('\t');
    if (status == WEIR_OK)
        status = print_data(m);
    putchar('\n');
    fflush(stdout);
    return status;
}

static int read_series(const char *address, int count) {
    weir_reader *r;
    weir_message *m;
    if (weir_reader_open(address, &r, &err))
        return failed();
    ready();
    for (int i = 0; i < count; i++)
        if (weir_reader_next(r, WAIT_NS, &m, &err) || print_line(m))
            return failed();
    weir_reader_close(r);
    return 0;
}

static int print_latest(const char *address) {
    weir_message *m;
    int status = weir_latest(address, &m, &err);
    if (status)
        return status == WEIR_ENOENT ? 3 : failed();
    status = print_line(m);
    weir_message_free(m);
    return status ? failed() : 0;
}

/* ---- calls ---- */

static int call_once(const char *address, const char *op, const char *json) {
    weir_client *c;
    weir_message *reply;
    weir_doc *doc;
    if (weir_doc_new(&doc) || (*json && weir_decode(doc, WEIR_CODEC_JSON, json, strlen(json), NULL, NULL, &err)) ||
        weir_client_open(address, &c, &err))
        return failed();
    ready();
    int status = weir_client_call(c, op, NULL, *json ? weir_doc_root(doc) : NULL, WAIT_NS, &reply, &err);
    if (status == WEIR_EREMOTE)
        printf("error\t%d\t%s\n", err.sys_errno, err.text);
    else if (status)
        return failed();
    else if (fputs("ok\t", stdout) < 0 || print_data(reply) || putchar('\n') < 0)
        return failed();
    weir_client_close(c);
    weir_doc_free(doc);
    return status ? 1 : 0;
}

static int answer(weir_server *s, weir_message *request, const char *op, const weir_value *meta) {
    const weir_value *data;
    char sentence[400];
    weir_view asked = weir_message_op(request);
    if (asked.size == strlen(op) && memcmp(asked.data, op, asked.size) == 0)
        return weir_message_data(request, &data, &err) || weir_server_reply(s, request, meta, data, &err);
    snprintf(sentence, sizeof sentence, "no operation %.*s here", (int)asked.size, asked.data);
    return weir_server_fail(s, request, 42, sentence, &err);
}

static int serve(const char *address, const char *op, int count) {
    weir_server *s;
    weir_message *request;
    weir_doc *doc;
    const weir_value *meta;
    if (weir_doc_new(&doc) || weir_pack(doc, &meta, &err, "{s:s}", "by", "serve") ||
        weir_server_open(address, &s, &err))
        return failed();
    ready();
    for (int i = 0; i < count; i++)
        if (weir_server_next(s, WAIT_NS, &request, &err) || answer(s, request, op, meta))
            return failed();
    weir_server_close(s);
    weir_doc_free(doc);
    return 0;
}

int main(int argc, char **argv) {
    const char *verb = argc > 2 ? argv[1] : "";
    if (strcmp(verb, "write") == 0 && argc == 4)
        return write_series(argv[2], atoi(argv[3]));
    if (strcmp(verb, "read") == 0 && argc == 4)
        return read_series(argv[2], atoi(argv[3]));
    if (strcmp(verb, "latest") == 0)
        return print_latest(argv[2]);
    if (strcmp(verb, "call") == 0 && argc >= 4)
        return call_once(argv[2], argv[3], argc > 4 ? argv[4] : "");
    if (strcmp(verb, "serve") == 0 && argc == 5)
        return serve(argv[2], argv[3], atoi(argv[4]));
    fputs("usage: peer write|read|latest|call|serve ADDR ...\n", stderr);
    return 2;
}
