/* The records of a .weir log. The layout is drawn in docs/spec/file.md:
 *
 *     file     128 bytes of header, then blocks: the first ends at byte 32768 of the file, each other has 32768 bytes
 *     block    fragments, each at a multiple of 8; less than 40 bytes at its end stay empty
 *     fragment 32 bytes of header, then its piece of a frame
 *
 *      0 u32 crc of: generation, offset in the file, bytes 4 to 31 of the header
 *      4 u8  0xe7
 *      5 u8  type: 1 full, 2 first, 3 middle, 4 last
 *      6 u16 size of the piece
 *      8 u32 crc of the piece
 *     12 u32 writer
 *     16 u64 seq
 *     24 i64 time
 *
 * A short fragment is a whole message of a batch that is not its first, and has what its frame begins with in its own
 * 16 bytes of header, in the same place, so that writing one is copying the frame and writing the header over that:
 *
 *      0 u32 crc of: generation, offset in the file, seq, and all from byte 4 on
 *      4 u8  0xe7
 *      5 u8  type: 5
 *      6 u16 size of what follows
 *      8 u16 lower half of seq's lower half
 *     10 u16 writer
 *     12 u32 bytes 4 to 7 of the frame
 *
 * What must stay true: a fragment's header is believed only at the offset and in the log that it was written for, so
 * that bytes of other logs, or of this one in a message, are never taken for records while a reader looks for the next
 * one. A block never begins with a short one, which only who knows the number before can read. */
#include "transport/file/file.h"

#include <string.h>

#include "base/crc32c.h"

static const char magic[8] = "WEIRLOG";
enum { RECORD_MAGIC = 0xe7, ALIGNMENT = 8, HEADER_COPY = 64, HEADER_CRC_AT = 60 };

/* The header stands there twice, because without it nothing can be read. */
void weir_log_header_write(const struct weir_log_header *header, unsigned char *to) {
    uint32_t version = WEIR_LOG_VERSION, block = WEIR_LOG_BLOCK;
    memset(to, 0, HEADER_COPY);
    memcpy(to, magic, 8);
    memcpy(to + 8, &version, 4);
    memcpy(to + 12, &block, 4);
    memcpy(to + 16, &header->generation, 8);
    memcpy(to + 24, &header->seq_before, 8);
    memcpy(to + 32, &header->created, 8);
    memcpy(to + 40, &header->previous, 8);
    uint32_t crc = weir_crc32c(0, to, HEADER_CRC_AT);
    memcpy(to + HEADER_CRC_AT, &crc, 4);
    memcpy(to + HEADER_COPY, to, HEADER_COPY);
}

static int copy_read(const unsigned char *bytes, struct weir_log_header *ret) {
    uint32_t version, block, crc;
    memcpy(&version, bytes + 8, 4);
    memcpy(&block, bytes + 12, 4);
    memcpy(&crc, bytes + HEADER_CRC_AT, 4);
    if (memcmp(bytes, magic, 8) != 0 || crc != weir_crc32c(0, bytes, HEADER_CRC_AT))
        return WEIR_ECORRUPT;
    if (version != WEIR_LOG_VERSION || block != WEIR_LOG_BLOCK)
        return WEIR_EVERSION;
    memcpy(&ret->generation, bytes + 16, 8);
    memcpy(&ret->seq_before, bytes + 24, 8);
    memcpy(&ret->created, bytes + 32, 8);
    memcpy(&ret->previous, bytes + 40, 8);
    return WEIR_OK;
}

int weir_log_header_read(const unsigned char *bytes, struct weir_log_header *ret) {
    int status = copy_read(bytes, ret);
    return status == WEIR_ECORRUPT ? copy_read(bytes + HEADER_COPY, ret) : status;
}

int weir_log_header_may_begin(const unsigned char *bytes, size_t size) {
    static const unsigned char zeros[sizeof(magic)];
    size = size < sizeof(magic) ? size : sizeof(magic);
    return memcmp(bytes, magic, size) == 0 || memcmp(bytes, zeros, size) == 0;
}

static uint32_t header_crc(const unsigned char *bytes, uint64_t generation, uint64_t offset) {
    unsigned char all[16 + WEIR_LOG_RECORD_HEADER - 4];
    memcpy(all, &generation, 8);
    memcpy(all + 8, &offset, 8);
    memcpy(all + 16, bytes + 4, WEIR_LOG_RECORD_HEADER - 4);
    return weir_crc32c(0, all, sizeof(all));
}

int weir_log_record_read(const unsigned char *bytes, uint64_t generation, uint64_t offset,
                         struct weir_log_record *ret) {
    uint32_t crc;
    uint16_t size;
    memcpy(&crc, bytes, 4);
    memcpy(&size, bytes + 6, 2);
    size_t room = WEIR_LOG_BLOCK - offset % WEIR_LOG_BLOCK;
    if (bytes[4] != RECORD_MAGIC || bytes[5] < WEIR_RECORD_FULL || bytes[5] > WEIR_RECORD_LAST ||
        room < WEIR_LOG_RECORD_HEADER || size > room - WEIR_LOG_RECORD_HEADER ||
        crc != header_crc(bytes, generation, offset))
        return 0;
    ret->type = bytes[5];
    ret->size = size;
    memcpy(&ret->crc, bytes + 8, 4);
    memcpy(&ret->writer, bytes + 12, 4);
    memcpy(&ret->seq, bytes + 16, 8);
    memcpy(&ret->time, bytes + 24, 8);
    return 1;
}

size_t weir_log_padding(uint64_t offset) {
    size_t more = (size_t)(0 - offset) % ALIGNMENT;
    size_t room = WEIR_LOG_BLOCK - (size_t)((offset + more) % WEIR_LOG_BLOCK);
    return more + (room < WEIR_LOG_FRAGMENT_MIN ? room : 0);
}

/* In front of the piece, which is there. */
static void header_write(unsigned char *to, uint64_t offset, uint64_t generation,
                         const struct weir_log_record *record) {
    uint16_t size = (uint16_t)record->size;
    uint32_t crc = weir_crc32c(0, to + WEIR_LOG_RECORD_HEADER, record->size);
    to[4] = RECORD_MAGIC;
    to[5] = (unsigned char)record->type;
    memcpy(to + 6, &size, 2);
    memcpy(to + 8, &crc, 4);
    memcpy(to + 12, &record->writer, 4);
    memcpy(to + 16, &record->seq, 8);
    memcpy(to + 24, &record->time, 8);
    crc = header_crc(to, generation, offset);
    memcpy(to, &crc, 4);
}

unsigned char *weir_log_record_begin(struct weir_buffer *out, uint64_t offset, size_t size) {
    size_t padding = weir_log_padding(offset), whole = WEIR_LOG_RECORD_HEADER + size;
    size_t room = WEIR_LOG_BLOCK - (size_t)((offset + padding) % WEIR_LOG_BLOCK);
    unsigned char *to = whole <= room ? weir_buffer_room(out, padding + whole) : NULL;
    if (!to)
        return NULL;
    memset(to, 0, padding);
    return to + padding + WEIR_LOG_RECORD_HEADER;
}

void weir_log_record_end(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                         int64_t time, size_t size) {
    struct weir_log_record record = {
        .type = WEIR_RECORD_FULL, .size = (uint32_t)size, .writer = writer, .seq = seq, .time = time};
    size_t padding = weir_log_padding(offset);
    header_write(out->data + out->size + padding, offset + padding, generation, &record);
    out->size += padding + WEIR_LOG_RECORD_HEADER + size;
}

/* ---- short ones ---- */

/* What is not in the bytes behind the header. As words of its own, since bytes just written are slow to read in other
 * pieces than they were written in. */
static uint32_t short_crc(uint64_t generation, uint64_t offset, uint64_t seq, const uint32_t header[3]) {
    uint64_t all[5] = {generation, offset, seq, header[0] | (uint64_t)header[1] << 32, header[2]};
    return weir_crc32c(0, all, 36);
}

/* The checksum is that of the bytes where they came from, for the same reason. */
int weir_log_short_append(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                          uint64_t word, weir_view first, weir_view rest) {
    size_t padding = weir_log_padding(offset), size = first.size + rest.size;
    size_t room = WEIR_LOG_BLOCK - (size_t)((offset + padding) % WEIR_LOG_BLOCK);
    if (WEIR_LOG_SHORT_HEADER + size > room || room == WEIR_LOG_BLOCK)
        return WEIR_ENOTSUP;
    unsigned char *to = weir_buffer_room(out, ALIGNMENT + WEIR_LOG_SHORT_HEADER + size);
    if (!to)
        return WEIR_ENOMEM;
    uint32_t header[3] = {RECORD_MAGIC | WEIR_RECORD_SHORT << 8 | (uint32_t)size << 16,
                          (uint32_t)(seq & 0xFFFF) | writer << 16, (uint32_t)(word >> 32)};
    uint32_t crc = short_crc(generation, offset + padding, seq, header);
    memset(to, 0, ALIGNMENT); /* a block's end is not crossed, so there is no more padding than that */
    to += padding;
    if (first.size) {
        memcpy(to + WEIR_LOG_SHORT_HEADER, first.data, first.size);
        crc = weir_crc32c(crc, first.data, first.size);
    }
    if (rest.size) {
        memcpy(to + WEIR_LOG_SHORT_HEADER + first.size, rest.data, rest.size);
        crc = weir_crc32c(crc, rest.data, rest.size);
    }
    memcpy(to, &crc, 4);
    memcpy(to + 4, header, sizeof(header));
    out->size += padding + WEIR_LOG_SHORT_HEADER + size;
    return WEIR_OK;
}

int weir_log_short_seems(const unsigned char *bytes, uint64_t offset, size_t *ret_size) {
    uint16_t size;
    size_t room = WEIR_LOG_BLOCK - offset % WEIR_LOG_BLOCK;
    memcpy(&size, bytes + 6, 2);
    *ret_size = WEIR_LOG_SHORT_HEADER + (size_t)size;
    return bytes[4] == RECORD_MAGIC && bytes[5] == WEIR_RECORD_SHORT && room < WEIR_LOG_BLOCK && *ret_size <= room;
}

/* The number is the next one with these 16 bits. */
int weir_log_short_read(const unsigned char *bytes, uint64_t generation, uint64_t offset, uint64_t before,
                        struct weir_log_record *ret) {
    uint32_t crc, header[3];
    memcpy(&crc, bytes, 4);
    memcpy(header, bytes + 4, sizeof(header));
    uint32_t size = header[0] >> 16;
    uint64_t seq = before + 1 + (uint16_t)(header[1] - (before + 1));
    if (crc != weir_crc32c(short_crc(generation, offset, seq, header), bytes + WEIR_LOG_SHORT_HEADER, size))
        return 0;
    *ret = (struct weir_log_record){
        .type = WEIR_RECORD_SHORT, .size = size, .writer = header[1] >> 16, .seq = seq, .head = header[2]};
    return 1;
}

/* ---- with everything ---- */

int weir_log_record_append(struct weir_buffer *out, uint64_t offset, uint64_t generation, uint32_t writer, uint64_t seq,
                           int64_t time, const unsigned char *frame, size_t size) {
    struct weir_log_record record = {.writer = writer, .seq = seq, .time = time};
    size_t done = 0;
    unsigned char *whole = weir_log_record_begin(out, offset, size);
    if (whole) {
        memcpy(whole, frame, size);
        weir_log_record_end(out, offset, generation, writer, seq, time, size);
        return WEIR_OK;
    }
    while (done < size) {
        size_t padding = weir_log_padding(offset);
        size_t room = WEIR_LOG_BLOCK - (size_t)((offset + padding) % WEIR_LOG_BLOCK) - WEIR_LOG_RECORD_HEADER;
        size_t piece = size - done < room ? size - done : room;
        unsigned char *to = weir_buffer_room(out, padding + WEIR_LOG_RECORD_HEADER + piece);
        if (!to)
            return WEIR_ENOMEM;
        memset(to, 0, padding);
        record.size = (uint32_t)piece;
        record.type = done == 0 ? (piece == size ? WEIR_RECORD_FULL : WEIR_RECORD_FIRST)
                                : (done + piece == size ? WEIR_RECORD_LAST : WEIR_RECORD_MIDDLE);
        memcpy(to + padding + WEIR_LOG_RECORD_HEADER, frame + done, piece);
        header_write(to + padding, offset + padding, generation, &record);
        done += piece;
        out->size += padding + WEIR_LOG_RECORD_HEADER + piece;
        offset += padding + WEIR_LOG_RECORD_HEADER + piece;
    }
    return WEIR_OK;
}
