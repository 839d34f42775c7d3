/* Frames (docs/spec/frame.md) in words: the header field by field, op, type, meta as the CBOR that it is, and data by
 * its codec. Any number of frames may follow each other; a connection's bytes begin with a hello. Zeros up to a
 * multiple of 64, as there are between frames in memory, are stepped over.
 *
 * The annotators of meta and data see only their part of the bytes; what they push lies above the frame's own level,
 * and they leave nothing there unless something was wrong. Here, too, is raw data, which is numbers of the type that
 * its frame names. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

enum { HELLO_SIZE = 256, HEADER_SIZE = 16, ALIGNMENT = 64, LEVEL = 200 };
enum { TIME = 1, ID = 2, WRITER = 4, META = 8, TYPE = 16, ALIGNED = 32, CRC = 64 };
enum { CODEC_RAW = 5, CODEC_LAST = 5, KIND_LAST = 5 };

struct frame {
    size_t begin, end;
    unsigned kind, codec, flags;
    size_t op_size, type_size, meta_size;
    const char *type;
};

/* ---- CRC-32C, bit by bit: the library's own is not part of its API ---- */

static uint32_t crc32c(const unsigned char *bytes, size_t size) {
    uint32_t crc = ~UINT32_C(0);
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* ---- raw data ---- */

/* The element type that a raw type begins with; 0 for none. Its shape is looked at by whoever uses the data. */
static uint32_t element_of(const char *type, size_t size) {
    for (uint32_t element = WEIR_U8; element <= WEIR_F64; element++) {
        const char *name = weir_element_name(element);
        if (size >= strlen(name) && memcmp(type, name, strlen(name)) == 0 &&
            (size == strlen(name) || type[strlen(name)] == '['))
            return element;
    }
    return 0;
}

static int raw(struct dump *dump, const char *type, size_t type_size) {
    uint32_t element = element_of(type, type_size);
    size_t size = dump_left(dump);
    dump->codec = "raw";
    if (size == 0)
        return dump->status;
    if (!element || size % weir_element_size(element) != 0) {
        dump_put(dump, size, dump_bytes(dump->data + dump->at, size), "raw data of %zu byte%s", size, dump_s(size));
        return dump->status;
    }
    dump_note(dump, "little-endian, %zu byte%s", size, dump_s(size));
    size_t count = size / weir_element_size(element);
    struct dump_value value = dump_numbers(dump, element, 0, dump->data + dump->at, size);
    dump_put(dump, size, value, "raw data, %.*s, %zu number%s", (int)(type_size < 64 ? type_size : 64), type, count,
             dump_s(count));
    return dump->status;
}

/* ---- the header ---- */

static const char *kind_name(unsigned kind) {
    static const char *const names[] = {"?", "message", "request", "reply", "error", "control"};
    return kind <= KIND_LAST ? names[kind] : "?";
}

static const char *codec_name(unsigned codec) {
    static const char *const names[] = {"none: no data", "JSON", "CBOR", "Smile", "BSON", "raw"};
    return codec <= CODEC_LAST ? names[codec] : "unknown";
}

static void flags_note(struct dump *dump, unsigned flags) {
    static const char *const names[] = {"time", "id", "writer", "meta", "type", "data at a multiple of 64", "checksum"};
    for (int i = 0; i < 7; i++)
        if (flags >> i & 1)
            dump_note(dump, "%s", names[i]);
}

static uint64_t field(struct dump *dump, size_t size) {
    return dump_load(dump->data + dump->at, size, 0);
}

/* The first eight bytes. Return: WEIR_OK, or the failure noted. */
static int word(struct dump *dump, struct frame *frame) {
    const unsigned char *at = dump->data + dump->at;
    if (dump_left(dump) < 8)
        return dump_cut(dump, "the first 8 bytes of a frame");
    uint64_t size = field(dump, 4);
    *frame = (struct frame){.begin = dump->at, .kind = at[4] & 15, .codec = at[5], .op_size = at[6], .flags = at[7]};
    if (at[4] >> 4 != 1)
        return dump_wrong(dump, dump->at + 4, "a frame", "byte %02x: version %u of the frame; only 1 is known", at[4],
                          at[4] >> 4);
    if (size < HEADER_SIZE)
        return dump_wrong(dump, dump->at, "", "a frame of %" PRIu64 " bytes; the smallest has %d", size, HEADER_SIZE);
    if (frame->kind < 1 || frame->kind > KIND_LAST)
        return dump_wrong(dump, dump->at + 4, "a frame", "byte %02x: kind %u; there are 1 to %d", at[4], frame->kind,
                          KIND_LAST);
    if (frame->flags & 128)
        return dump_wrong(dump, dump->at + 7, "a frame", "byte %02x: flag 128 must be 0", at[7]);
    if (size > dump_left(dump))
        dump_note(dump, "only %zu are here", dump_left(dump));
    frame->end = size > dump_left(dump) ? SIZE_MAX : dump->at + (size_t)size;
    dump_put(dump, 4, dump_no_value, "frame of %" PRIu64 " bytes", size);
    if (!dump_push(dump, LEVEL))
        return dump->status;
    dump_put(dump, 1, dump_no_value, "version 1, kind %u: %s", frame->kind, kind_name(frame->kind));
    dump_put(dump, 1, dump_no_value, "codec %u: %s", frame->codec, codec_name(frame->codec));
    dump_put(dump, 1, dump_u64(dump, frame->op_size), "bytes of op:");
    flags_note(dump, frame->flags);
    dump_put(dump, 1, dump_no_value, "flags %02x", frame->flags);
    return WEIR_OK;
}

/* Whether @size bytes of a frame's part are there. Return: WEIR_OK, or the failure noted. */
static int part_check(struct dump *dump, const struct frame *frame, size_t size, const char *name) {
    size_t end = frame->end == SIZE_MAX ? dump->end : frame->end;
    if (size <= end - dump->at)
        return WEIR_OK;
    if (frame->end == SIZE_MAX)
        return dump_cut(dump, name);
    return dump_wrong(dump, end, name, "the frame ends inside %s, which has %zu byte%s", name, size, dump_s(size));
}

/* A number of the header: one of the optional ones, or seq. @name without "the". */
static int number(struct dump *dump, const struct frame *frame, size_t size, const char *name, uint64_t *ret) {
    char begun[48], text[40];
    snprintf(begun, sizeof(begun), "the %s", name);
    if (part_check(dump, frame, size, begun) != WEIR_OK)
        return dump->status;
    *ret = field(dump, size);
    int64_t ns = (int64_t)*ret, seconds = ns / 1000000000 - (ns % 1000000000 < 0);
    if (strcmp(name, "time") == 0) {
        dump_note(dump, "%s", dump_time_text(seconds, (uint32_t)(ns - seconds * 1000000000), 9, text));
        dump_put(dump, size, dump_i64(dump, ns), "time in ns since 1970:");
    } else if (size == 8 && *ret > UINT32_MAX) {
        dump_note(dump, "%016" PRIx64, *ret);
        dump_put(dump, size, dump_u64(dump, *ret), "%s:", name);
    } else {
        dump_put(dump, size, dump_u64(dump, *ret), "%s:", name);
    }
    return WEIR_OK;
}

static int numbers(struct dump *dump, struct frame *frame) {
    static const struct {
        unsigned flag;
        size_t size;
        const char *name;
    } fields[] = {{0, 8, "seq"},         {TIME, 8, "time"},          {ID, 8, "id of the call"},
                  {WRITER, 8, "writer"}, {META, 4, "bytes of meta"}, {TYPE, 2, "bytes of type"}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        uint64_t value = 0;
        if (fields[i].flag && !(frame->flags & fields[i].flag))
            continue;
        if (number(dump, frame, fields[i].size, fields[i].name, &value) != WEIR_OK)
            return dump->status;
        frame->meta_size = fields[i].flag == META ? (size_t)value : frame->meta_size;
        frame->type_size = fields[i].flag == TYPE ? (size_t)value : frame->type_size;
    }
    return WEIR_OK;
}

/* ---- what follows the header ---- */

static int text(struct dump *dump, const struct frame *frame, size_t size, const char *name) {
    if (part_check(dump, frame, size, name) != WEIR_OK || size == 0)
        return dump->status;
    size_t valid = dump_utf8(dump->data + dump->at, size);
    struct dump_value value =
        valid == size ? dump_text(dump->data + dump->at, size) : dump_bytes(dump->data + dump->at, size);
    if (valid < size)
        dump_note(dump, "not UTF-8 from byte %zu on", dump->at + valid);
    dump_put(dump, size, value, "%s", name);
    return WEIR_OK;
}

/* Let another annotator explain the next @size bytes. */
static int part(struct dump *dump, size_t size, const struct dump_format *format, const struct frame *frame) {
    size_t end = dump->end;
    dump->end = dump->at + size;
    dump->is_single = 1;
    if (format)
        format->run(dump);
    else if (size > 0)
        raw(dump, frame->type, frame->type_size);
    dump->end = end;
    dump->is_single = 0;
    if (dump->status == WEIR_OK)
        dump->codec = "frame";
    return dump->status;
}

static int meta(struct dump *dump, const struct frame *frame) {
    if (part_check(dump, frame, frame->meta_size, "the meta") != WEIR_OK || frame->meta_size == 0)
        return dump->status;
    return part(dump, frame->meta_size, &dump_cbor, frame);
}

static int padding(struct dump *dump, const struct frame *frame) {
    size_t used = (dump->at - frame->begin) % ALIGNMENT, size = used ? ALIGNMENT - used : 0;
    if (!(frame->flags & ALIGNED) || size == 0)
        return WEIR_OK;
    if (part_check(dump, frame, size, "the padding") != WEIR_OK)
        return dump->status;
    dump_put(dump, size, dump_no_value, "padding: the data begins at byte %zu of the frame",
             dump->at + size - frame->begin);
    return WEIR_OK;
}

static int data(struct dump *dump, const struct frame *frame) {
    static const struct dump_format *const formats[] = {NULL, &dump_json, &dump_cbor, &dump_smile, &dump_bson, NULL};
    size_t tail = frame->flags & CRC ? 4 : 0;
    if (frame->end == SIZE_MAX)
        return dump_cut(dump, "the data of a frame");
    if (part_check(dump, frame, tail, "the checksum") != WEIR_OK)
        return dump->status;
    size_t size = frame->end - dump->at - tail;
    if (size > 0 && part(dump, size, frame->codec <= CODEC_LAST ? formats[frame->codec] : NULL, frame) != WEIR_OK)
        return dump->status;
    if (!tail)
        return WEIR_OK;
    uint32_t crc = crc32c(dump->data + frame->begin, dump->at - frame->begin), stored = (uint32_t)field(dump, 4);
    if (crc != stored)
        return dump_wrong(dump, dump->at, "", "checksum %08" PRIx32 ", but the frame's bytes have %08" PRIx32, stored,
                          crc);
    dump_put(dump, 4, dump_no_value, "checksum %08" PRIx32 ", right: CRC-32C of the frame up to here", crc);
    return WEIR_OK;
}

static int one(struct dump *dump) {
    struct frame frame = {0};
    if (word(dump, &frame) != WEIR_OK || numbers(dump, &frame) != WEIR_OK)
        return dump->status;
    if (text(dump, &frame, frame.op_size, "op") != WEIR_OK)
        return dump->status;
    frame.type = (const char *)dump->data + dump->at;
    if (text(dump, &frame, frame.type_size, "type") != WEIR_OK || meta(dump, &frame) != WEIR_OK ||
        padding(dump, &frame) != WEIR_OK || data(dump, &frame) != WEIR_OK)
        return dump->status;
    dump->level_count--;
    return WEIR_OK;
}

/* ---- between frames ---- */

/* The hello of a connection: its fields that people ask for, and the rest. */
static int hello(struct dump *dump) {
    static const struct {
        size_t size;
        const char *name;
    } fields[] = {{2, "version"},
                  {2, "status"},
                  {1, "role"},
                  {1, "flags"},
                  {1, "full policy"},
                  {1, "from"},
                  {4, "pid"},
                  {8, "writer"},
                  {8, "seq of the last frame sent"},
                  {8, "from value"},
                  {8, "largest frame taken"},
                  {4, "readers known"}};
    if (dump_left(dump) < HELLO_SIZE)
        return dump_cut(dump, "a hello");
    dump_put(dump, 4, dump_no_value, "hello of %d bytes: a connection begins", HELLO_SIZE);
    if (!dump_push(dump, LEVEL))
        return dump->status;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        dump_put(dump, fields[i].size, dump_u64(dump, field(dump, fields[i].size)), "%s:", fields[i].name);
    dump_put(dump, 12, dump_no_value, "zeros");
    for (int i = 0; i < 2; i++) {
        size_t room = i == 0 ? 64 : 128, size = strnlen((const char *)dump->data + dump->at, room);
        int is_text = dump_utf8(dump->data + dump->at, size) == size;
        dump_put(dump, room, is_text ? dump_text(dump->data + dump->at, size) : dump_bytes(dump->data + dump->at, size),
                 "%s", i == 0 ? "program" : "sentence");
    }
    dump->level_count--;
    return WEIR_OK;
}

static size_t zeros(const struct dump *dump) {
    size_t at = dump->at, end = (at / ALIGNMENT + 1) * ALIGNMENT;
    while (at < end && at < dump->end && dump->data[at] == 0)
        at++;
    return at == end || at == dump->end ? at - dump->at : 0;
}

static int run(struct dump *dump) {
    dump->codec = "frame";
    if (dump->at == dump->end)
        return dump_cut(dump, "the first 8 bytes of a frame");
    while (!dump_is_done(dump) && dump->at < dump->end) {
        size_t gap = dump->at % ALIGNMENT ? zeros(dump) : 0;
        if (gap > 0)
            dump_put(dump, gap, dump_no_value, "zeros, up to where a frame may begin");
        else if (dump_left(dump) >= 4 && memcmp(dump->data + dump->at, "WEIR", 4) == 0)
            hello(dump);
        else
            one(dump);
    }
    return dump->status;
}

int dump_is_frame(const unsigned char *data, size_t size) {
    if (size >= HELLO_SIZE && memcmp(data, "WEIR", 4) == 0)
        return 1;
    if (size < HEADER_SIZE || data[4] >> 4 != 1 || (data[4] & 15) < 1 || (data[4] & 15) > KIND_LAST ||
        data[5] > CODEC_LAST || data[7] & 128)
        return 0;
    return dump_load(data, 4, 0) >= HEADER_SIZE + (uint64_t)data[6] && dump_load(data, 4, 0) <= size;
}

const struct dump_format dump_frame = {"frame", run};
