/* Plain framings: whatever the bytes, splitting ends, uses every byte once, and finds the same messages when the bytes
 * come in two pieces; what can be read can be written again, and is then read the same. The first byte names the
 * framing. */
#include "fuzz.h"

#include "frame/plain/plain.h"

enum { LIMIT = 1 << 16, MESSAGES_MAX = 64 };

/* Sizes of the messages found, 0 for garbage. */
struct found {
    size_t sizes[MESSAGES_MAX];
    size_t count;
};

static int is_same(weir_view a, weir_view b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void values_compare(weir_view a, int codec_a, weir_view b, int codec_b) {
    weir_doc *first = NULL, *second = NULL;
    if (codec_a == WEIR_CODEC_RAW || codec_b == WEIR_CODEC_RAW) {
        MUST(codec_a == codec_b && is_same(a, b));
        return;
    }
    MUST(weir_doc_new(&first) == WEIR_OK && weir_doc_new(&second) == WEIR_OK);
    MUST(weir_decode(first, codec_a, a.data, a.size, NULL, NULL, NULL) == WEIR_OK);
    MUST(weir_decode(second, codec_b, b.data, b.size, NULL, NULL, NULL) == WEIR_OK);
    MUST(weir_value_equal(weir_doc_root(first), weir_doc_root(second)));
    weir_doc_free(first);
    weir_doc_free(second);
}

static void write_again(int framing, const struct weir_frame *frame) {
    struct weir_plain_writer writer = {0};
    struct weir_plain_reader reader = {0};
    struct weir_plain_splitter splitter;
    struct weir_plain_piece piece;
    struct weir_buffer out = {0};
    struct weir_frame back;
    weir_error err;
    int status = weir_plain_write(&writer, framing, frame, &out, &err);
    MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    weir_plain_splitter_init(&splitter, framing, SIZE_MAX / 4);
    if (status == WEIR_OK) {
        MUST(weir_plain_split(&splitter, out.data, out.size, 0, &piece, &err) == WEIR_OK);
        MUST(piece.skip == 0 && piece.used == out.size);
        status = weir_plain_read(&reader, framing, out.data, piece.size, &back, &err);
        MUST(status == WEIR_OK || status == WEIR_ELIMIT);
    }
    if (status == WEIR_OK) {
        MUST(back.kind == frame->kind && back.seq == frame->seq && back.id == frame->id && back.time == frame->time);
        MUST(is_same(back.op, frame->op) && (back.codec == 0) == (frame->codec == 0));
        if (frame->codec)
            values_compare(frame->data, frame->codec, back.data, back.codec);
    }
    weir_buffer_fini(&out);
    weir_plain_writer_fini(&writer);
    weir_plain_reader_fini(&reader);
}

/* Split and read @size bytes, of which the first @first come alone. */
static void split(int framing, const uint8_t *data, size_t size, size_t first, struct found *found, int writes) {
    struct weir_plain_splitter splitter;
    struct weir_plain_reader reader = {0};
    struct weir_plain_piece piece;
    struct weir_frame frame;
    weir_error err;
    size_t at = 0, end = first;
    weir_plain_splitter_init(&splitter, framing, LIMIT);
    for (;;) {
        int status = weir_plain_split(&splitter, data + at, end - at, end == size, &piece, &err);
        MUST(piece.used <= end - at && piece.skip + piece.size <= piece.used + (size_t)(status == WEIR_EAGAIN));
        MUST(status == WEIR_EAGAIN || piece.used > 0);
        if (status == WEIR_OK && writes &&
            weir_plain_read(&reader, framing, data + at + piece.skip, piece.size, &frame, &err) == WEIR_OK)
            write_again(framing, &frame);
        if (status != WEIR_EAGAIN && found->count < MESSAGES_MAX)
            found->sizes[found->count++] = status == WEIR_OK ? piece.size : 0;
        at += piece.used;
        if (status != WEIR_EAGAIN)
            continue;
        if (end == size)
            break;
        end = size;
    }
    weir_plain_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct found whole = {0}, pieces = {0};
    if (size < 2)
        return 0;
    int framing = 1 + data[0] % 4;
    size_t first = size - 2 ? data[1] % (size - 2 + 1) : 0;
    split(framing, data + 2, size - 2, size - 2, &whole, 1);
    split(framing, data + 2, size - 2, first, &pieces, 0);
    MUST(whole.count == pieces.count && memcmp(whole.sizes, pieces.sizes, sizeof(whole.sizes)) == 0);
    return 0;
}
