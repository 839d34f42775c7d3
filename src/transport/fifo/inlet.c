/* Out of the pipe.
 *
 * What must stay true: every field of a header is compared with what is there before it is used (packet.c), memory is
 * taken for bytes that came, and a frame is handed out only when all its packets came, one behind the other: anything
 * else is dropped up to where a packet says that a frame begins, and the seq of that frame says how many are
 * missing. */
#include "transport/fifo/inlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/short.h"

enum { GUESS_SIZE = 4, BSON_SIZE_MIN = 5 };

/* ---- reading ---- */

static int starts_packet(const unsigned char *bytes, size_t size) {
    static const uint32_t magic = WEIR_PACKET_MAGIC;
    return size >= sizeof(magic) && memcmp(bytes, &magic, sizeof(magic)) == 0;
}

int weir_inlet_read(struct weir_inlet *inlet) {
    struct weir_buffer *bytes = &inlet->bytes;
    ssize_t got;
    if (inlet->begin == bytes->size)
        inlet->begin = bytes->size = inlet->plain_end = 0;
    if (bytes->capacity - bytes->size < WEIR_INLET_READ_SIZE && inlet->begin > 0) {
        memmove(bytes->data, bytes->data + inlet->begin, bytes->size - inlet->begin);
        bytes->size -= inlet->begin;
        inlet->plain_end -= inlet->plain_end ? inlet->begin : 0;
        inlet->begin = 0;
    }
    unsigned char *room = weir_buffer_room(bytes, WEIR_INLET_READ_SIZE);
    if (!room)
        return WEIR_ENOMEM;
    /* Never less when there may be packets: what does not fit is dropped. */
    int may_be_short = inlet->is_plain && inlet->framing > 0;
    do
        got = read(inlet->fd, room, may_be_short ? weir_short(WEIR_INLET_READ_SIZE, 1) : WEIR_INLET_READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? WEIR_EAGAIN : WEIR_ESYSTEM;
    inlet->has_ended = got == 0;
    inlet->is_dry = 0;
    inlet->before = inlet->before_left;
    inlet->before_left -= (size_t)got < inlet->before_left ? (size_t)got : inlet->before_left;
    /* A piece of a packet whose rest was lost: what comes now begins with a packet of its own. */
    if (inlet->is_cut && (got == 0 || starts_packet(room, (size_t)got)))
        inlet->begin = bytes->size;
    if (inlet->is_plain && inlet->plain_end == 0 && starts_packet(room, (size_t)got)) {
        inlet->plain_end = bytes->size;
        inlet->is_plain = inlet->begin < bytes->size;
    }
    bytes->size += (size_t)got;
    if (got == 0 && inlet->begin == bytes->size)
        inlet->is_plain = 0; /* whoever writes next begins anew */
    return got == 0 ? WEIR_ECLOSED : WEIR_OK;
}

/* ---- the frame that must stay ---- */

/* The stream is about to use its other buffer, where the frame may lie. */
static void last_save(struct weir_inlet *inlet, const struct weir_stream *stream) {
    const struct weir_buffer *other = &stream->buffers[!stream->turn];
    const unsigned char *bytes = inlet->last_bytes;
    if (!bytes || !other->data || bytes < other->data || bytes >= other->data + other->capacity)
        return;
    inlet->kept.size = 0;
    unsigned char *room = weir_buffer_room(&inlet->kept, inlet->last_size);
    inlet->last_bytes = room ? memcpy(room, bytes, inlet->last_size) : NULL;
}

/* @buffer is about to be filled: if the frame lies in it, the two buffers that can hold one change places. */
static void last_swap(struct weir_inlet *inlet, struct weir_buffer *buffer) {
    if (!inlet->last_bytes || inlet->last_bytes != buffer->data)
        return;
    struct weir_buffer kept = inlet->kept;
    inlet->kept = *buffer;
    *buffer = kept;
}

static void stream_reset(struct weir_inlet *inlet, struct weir_source *source) {
    last_save(inlet, &source->stream);
    weir_stream_reset(&source->stream);
}

/* ---- sources ---- */

static void source_begin(struct weir_inlet *inlet, struct weir_source *source, const struct weir_packet *packet) {
    source->session = packet->session;
    source->count = packet->count;
    source->number = inlet->sessions++;
    /* Of one that began after us, what we do not see is missed. */
    source->is_fresh = packet->count != 0 && (packet->session == inlet->joined || inlet->before > 0);
    source->is_lost = 1;
    source->seq = 0;
    stream_reset(inlet, source);
}

/* The session's source; the one not heard of for longest makes room for a new one. Return: NULL when there is no
 * memory. */
static struct weir_source *source_get(struct weir_inlet *inlet, const struct weir_packet *packet) {
    struct weir_source *oldest = NULL;
    if (!inlet->sources)
        inlet->sources = calloc(inlet->source_max, sizeof(*inlet->sources));
    if (!inlet->sources)
        return NULL;
    for (size_t i = 0; i < inlet->source_count; i++) {
        struct weir_source *source = &inlet->sources[i];
        if (source->session == packet->session) {
            source->used = ++inlet->clock;
            return source;
        }
        if (!oldest || source->used < oldest->used)
            oldest = source;
    }
    struct weir_source *source =
        inlet->source_count < inlet->source_max ? &inlet->sources[inlet->source_count++] : oldest;
    source->stream.size_max = inlet->size_max;
    source->used = ++inlet->clock;
    source_begin(inlet, source, packet);
    return source;
}

/* How many bytes the frame needs whose beginning is in the stream, with @more behind it. Return: 0 when it cannot be
 * known. */
static size_t frame_left(const struct weir_source *source, const unsigned char *more, size_t more_size) {
    unsigned char word_bytes[8];
    uint64_t word;
    size_t left;
    const unsigned char *bytes = weir_stream_bytes(&source->stream, &left);
    size_t head = left < sizeof(word_bytes) ? left : sizeof(word_bytes);
    if (left + more_size < sizeof(word_bytes))
        return 0;
    if (head > 0)
        memcpy(word_bytes, bytes, head);
    memcpy(word_bytes + head, more, sizeof(word_bytes) - head);
    memcpy(&word, word_bytes, sizeof(word));
    return weir_frame_word_size(word) > left ? weir_frame_word_size(word) - left : 0;
}

/* Take a packet's frames. Return: WEIR_OK, WEIR_ENOMEM. */
static int packet_take(struct weir_inlet *inlet, const struct weir_packet *packet, const unsigned char *bytes) {
    struct weir_source *source = source_get(inlet, packet);
    size_t size = packet->size - WEIR_PACKET_HEAD, left;
    size_t lead = packet->first ? (size_t)packet->first - WEIR_PACKET_HEAD : size;
    if (!source)
        return WEIR_ENOMEM;
    source->is_lost |= packet->count != source->count;
    source->count = packet->count + 1;
    (void)weir_stream_bytes(&source->stream, &left);
    /* The frame before must end where this packet says that the next begins. */
    if (!source->is_lost && packet->first && (left || lead) && frame_left(source, bytes, lead) != lead)
        source->is_lost = 1;
    if (source->is_lost) {
        if (left > 0)
            stream_reset(inlet, source);
        bytes += lead;
        size -= lead;
        source->is_lost = packet->first == 0;
    }
    inlet->current = source;
    if (source->stream.begin > 0)
        last_save(inlet, &source->stream);
    if (size == 0 || weir_stream_append(&source->stream, bytes, size) == WEIR_OK)
        return WEIR_OK;
    source->is_lost = 1;
    stream_reset(inlet, source);
    return WEIR_ENOMEM;
}

/* ---- frames ---- */

/* The frame where it lies, or at a multiple of 64 if it must. Return: NULL when there is no memory. */
static const unsigned char *aligned(struct weir_inlet *inlet, const unsigned char *bytes, uint64_t word, size_t size) {
    if (!(word >> 56 & WEIR_FRAME_ALIGNED) || (uintptr_t)bytes % WEIR_FRAME_ALIGNMENT == 0)
        return bytes;
    last_swap(inlet, &inlet->aligned);
    inlet->aligned.size = 0;
    unsigned char *room = weir_buffer_room(&inlet->aligned, size);
    return room ? memcpy(room, bytes, size) : NULL;
}

static int bad_frame(struct weir_inlet *inlet, int status, const char *place, weir_error *err) {
    inlet->current->is_lost = 1;
    stream_reset(inlet, inlet->current);
    if (status == WEIR_ECORRUPT)
        return weir_fail(err, status, "%s: the writer sent bytes that are no frame; they are skipped", place);
    if (status == WEIR_ETOOBIG)
        return weir_fail(err, status, "%s: the writer sent a message above max=; it is skipped, raise max= here",
                         place);
    return status;
}

/* The next frame of the source whose packet came last. */
static int source_next(struct weir_inlet *inlet, const char *place, struct weir_inbound *ret, weir_error *err) {
    struct weir_source *source = inlet->current;
    struct weir_stream_frame frame;
    while (source) {
        int status = weir_stream_next(&source->stream, &frame, err);
        if (status == WEIR_EAGAIN)
            break;
        if (status != WEIR_OK)
            return bad_frame(inlet, status, place, err);
        weir_stream_take(&source->stream, frame.size);
        int is_counted = inlet->counts_gaps && !source->is_fresh;
        if (is_counted && frame.seq <= source->seq)
            continue; /* was here before, which no honest writer does */
        *ret = (struct weir_inbound){.word = frame.word,
                                     .size = frame.size,
                                     .gap = is_counted ? frame.seq - source->seq - 1 : 0,
                                     .writer = source->number,
                                     .peer = source->session};
        ret->bytes = aligned(inlet, frame.bytes, frame.word, frame.size);
        source->seq = frame.seq;
        source->is_fresh = 0;
        return ret->bytes ? WEIR_OK : WEIR_ENOMEM;
    }
    inlet->current = NULL;
    return WEIR_EAGAIN;
}

/* ---- plain messages ---- */

/* What do bytes that are no packet look like? A BSON document begins with its length, of which no text has the fourth
 * byte 0. Return: enum weir_framing; 0: more is needed; -1: nothing known. */
static int framing_guess(const unsigned char *bytes, size_t size, int is_end) {
    uint32_t length = 0;
    if (bytes[0] == ':')
        return WEIR_FRAMING_SMILE;
    if (bytes[0] >= 0x80 && (bytes[0] < 0xF8 || bytes[0] == 0xFB) && (size < GUESS_SIZE || bytes[3] != 0))
        return WEIR_FRAMING_CBOR;
    if (size < GUESS_SIZE && !is_end && !memchr(bytes, '\n', size))
        return 0;
    if (size >= GUESS_SIZE)
        memcpy(&length, bytes, sizeof(length));
    if (size >= GUESS_SIZE && bytes[3] == 0 && length >= BSON_SIZE_MIN)
        return WEIR_FRAMING_BSON;
    if (bytes[0] >= 0x80)
        return bytes[0] < 0xF8 ? WEIR_FRAMING_CBOR : -1;
    return strchr("{[\"-0123456789tfn \t\r\n", bytes[0]) && bytes[0] ? WEIR_FRAMING_JSON : -1;
}

/* The first line that may be JSON. Other framings may begin anywhere, so nothing among garbage tells of them. */
static const unsigned char *line_find(const unsigned char *bytes, size_t size) {
    const unsigned char *end = bytes + size, *at = bytes;
    while ((at = memchr(at, '\n', (size_t)(end - at))) && ++at < end)
        if (framing_guess(at, (size_t)(end - at), 1) == WEIR_FRAMING_JSON)
            return at;
    return NULL;
}

/* Nothing that we know: give up what is there, up to the next packet or line. */
static int garbage_skip(struct weir_inlet *inlet, const char *place, weir_error *err) {
    static const uint32_t magic = WEIR_PACKET_MAGIC;
    unsigned char *bytes = inlet->bytes.data + inlet->begin;
    size_t size = inlet->bytes.size - inlet->begin;
    const unsigned char *next = size > 1 ? memmem(bytes + 1, size - 1, &magic, sizeof(magic)) : NULL;
    const unsigned char *line = line_find(bytes, next ? (size_t)(next - bytes) : size);
    if (line)
        next = line;
    size_t skipped = next ? (size_t)(next - bytes) : size;
    inlet->begin += skipped;
    inlet->is_plain = 0;
    return weir_fail(
        err, WEIR_ECORRUPT,
        "%s: %zu byte%s skipped: neither frames nor messages that can be recognised (framing= says what a plain "
        "program writes)",
        place, skipped, WEIR_S(skipped));
}

static int plain_begin(struct weir_inlet *inlet, const unsigned char *bytes, size_t size) {
    int is_end = inlet->has_ended || inlet->plain_end;
    int framing = inlet->framing > 0 ? inlet->framing : framing_guess(bytes, size, is_end);
    if (framing <= 0)
        return framing == 0 ? WEIR_EAGAIN : WEIR_ECORRUPT;
    weir_plain_splitter_init(&inlet->splitter, framing, inlet->size_max);
    inlet->is_plain = 1;
    return WEIR_OK;
}

static void plain_counted(struct weir_inlet *inlet, const struct weir_frame *frame, struct weir_inbound *ret) {
    if (frame->seq > inlet->plain_seq + 1 && inlet->plain_seq > 0)
        ret->gap = frame->seq - inlet->plain_seq - 1;
    inlet->plain_seq = frame->seq; /* a smaller one: another writer has begun */
}

static int message_read(struct weir_inlet *inlet, const unsigned char *bytes, size_t size, const char *place,
                        struct weir_inbound *ret, weir_error *err) {
    struct weir_frame frame;
    weir_error why = {0};
    last_swap(inlet, &inlet->message);
    int status = weir_plain_read_whole(&inlet->plain, inlet->splitter.framing, bytes, size, inlet->plain_seq + 1,
                                       &inlet->message, &frame, &why);
    if (status == WEIR_ENOMEM)
        return status;
    if (status != WEIR_OK)
        return weir_fail(err, WEIR_ECORRUPT, "%s: a message in %s is skipped: %s", place,
                         weir_framing_name(inlet->splitter.framing), why.text);
    *ret = (struct weir_inbound){.bytes = inlet->message.data, .size = inlet->message.size};
    memcpy(&ret->word, ret->bytes, sizeof(ret->word));
    memcpy(&frame.seq, ret->bytes + 8, sizeof(frame.seq));
    plain_counted(inlet, &frame, ret);
    return WEIR_OK;
}

/* A packet has come while a plain message was under way, whose end nobody will write any more: what is left of it goes. */
static void plain_break_off(struct weir_inlet *inlet, size_t at) {
    inlet->begin = at;
    inlet->plain_end = 0;
    inlet->is_plain = 0;
}

/* The next plain message. Return: also WEIR_EAGAIN; -1, there are packets now. */
static int plain_next(struct weir_inlet *inlet, const char *place, struct weir_inbound *ret, weir_error *err) {
    struct weir_plain_piece piece = {0};
    weir_error why = {0};
    const unsigned char *bytes = inlet->bytes.data + inlet->begin;
    int is_end = inlet->has_ended || inlet->plain_end;
    size_t end = inlet->plain_end ? inlet->plain_end : inlet->bytes.size;
    int status = weir_plain_split(&inlet->splitter, bytes, end - inlet->begin, is_end, &piece, &why);
    inlet->begin += piece.used;
    if (status == WEIR_EAGAIN && inlet->plain_end) {
        plain_break_off(inlet, inlet->plain_end);
        return -1;
    }
    if (status == WEIR_EAGAIN) {
        inlet->is_plain &= !is_end;
        return status;
    }
    /* Where a message has ended anything may begin. */
    inlet->is_plain = inlet->splitter.framing == WEIR_FRAMING_SMILE && !is_end;
    if (status == WEIR_OK)
        return message_read(inlet, bytes + piece.skip, piece.size, place, ret, err);
    inlet->is_plain = inlet->splitter.is_lost && !(is_end && inlet->begin == end);
    return weir_fail(err, status, "%s: a message in %s is skipped: %s", place,
                     weir_framing_name(inlet->splitter.framing), why.text);
}

/* ---- next ---- */

/* Look at what was read: a packet is taken, a plain message becomes *ret.
 * Return: WEIR_OK (a message), WEIR_EAGAIN (read more), -1 (a packet was taken), others. */
static int bytes_look(struct weir_inlet *inlet, const char *place, struct weir_inbound *ret, weir_error *err) {
    struct weir_packet packet;
    const unsigned char *bytes = inlet->bytes.data + inlet->begin;
    size_t size = inlet->bytes.size - inlet->begin;
    if (size == 0)
        return WEIR_EAGAIN;
    if (inlet->plain_end && inlet->begin >= inlet->plain_end)
        plain_break_off(inlet, inlet->begin);
    enum weir_packet_is is = inlet->is_plain ? WEIR_PACKET_OTHER : weir_packet_read(bytes, size, &packet);
    inlet->is_cut = is == WEIR_PACKET_CUT;
    if (is == WEIR_PACKET_CUT)
        return WEIR_EAGAIN;
    if (is == WEIR_PACKET_WHOLE) {
        inlet->is_plain = 0;
        inlet->begin += packet.size;
        int status = packet_take(inlet, &packet, bytes + WEIR_PACKET_HEAD);
        return status ? status : -1;
    }
    if (!inlet->is_plain) {
        int status = plain_begin(inlet, bytes, inlet->plain_end ? inlet->plain_end - inlet->begin : size);
        if (status == WEIR_ECORRUPT)
            return garbage_skip(inlet, place, err);
        if (status != WEIR_OK)
            return status;
    }
    return plain_next(inlet, place, ret, err);
}

int weir_inlet_next(struct weir_inlet *inlet, const char *place, struct weir_inbound *ret, weir_error *err) {
    int status = source_next(inlet, place, ret, err);
    while (status == WEIR_EAGAIN) {
        status = bytes_look(inlet, place, ret, err);
        inlet->is_dry = status == WEIR_EAGAIN;
        if (status != -1)
            return status;
        status = source_next(inlet, place, ret, err);
    }
    return status;
}

int weir_inlet_has(const struct weir_inlet *inlet) {
    return !inlet->is_dry && (inlet->current || inlet->begin < inlet->bytes.size);
}

void weir_inlet_fini(struct weir_inlet *inlet) {
    for (size_t i = 0; inlet->sources && i < inlet->source_count; i++)
        weir_stream_fini(&inlet->sources[i].stream);
    free(inlet->sources);
    weir_buffer_fini(&inlet->bytes);
    weir_buffer_fini(&inlet->message);
    weir_buffer_fini(&inlet->aligned);
    weir_buffer_fini(&inlet->kept);
    weir_plain_reader_fini(&inlet->plain);
}
