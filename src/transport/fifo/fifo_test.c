/* Named pipes beyond the contract: packets, garbage, bytes that come slowly, plain programs, and what stands at the
 * path. */
#include "transport/fifo/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/frame.h"
#include "transport/fifo/inlet.h"
#include "transport/fifo/packet.h"

static int raw_open(int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t size) {
    assert_int_equal(write(fd, bytes, size), size);
}

static weir_message *next_text(weir_reader *reader) {
    weir_message *message = NULL;
    weir_error err = {0};
    if (weir_reader_next(reader, 10 * SECOND, &message, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return message;
}

static void check_text(weir_reader *reader, const char *op, int64_t data) {
    const weir_value *value = NULL;
    int64_t number = -1;
    weir_message *message = next_text(reader);
    weir_view got = weir_message_op(message);
    assert_int_equal(got.size, strlen(op));
    assert_memory_equal(got.data, op, got.size);
    assert_int_equal(weir_message_data(message, &value, NULL), WEIR_OK);
    assert_int_equal(weir_get_i64(value, NULL, &number), WEIR_OK);
    assert_int_equal(number, data);
}

static void check_bad(weir_reader *reader) {
    weir_message *message = NULL;
    weir_error err = {0};
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, &err), WEIR_ECORRUPT);
    assert_non_null(strstr(err.text, "skipped"));
}

/* ---- packets ---- */

static void test_headers_at_every_cut_and_with_lies(void **state) {
    unsigned char bytes[64] = {0xFE, 0x57, 0x50, 0xF1, 40, 0, 16, 0, 1, 2, 3, 4, 5, 0, 0, 0};
    struct weir_packet packet;
    (void)state;
    for (size_t size = 1; size < 40; size++)
        assert_int_equal(weir_packet_read(bytes, size, &packet), WEIR_PACKET_CUT);
    assert_int_equal(weir_packet_read(bytes, 40, &packet), WEIR_PACKET_WHOLE);
    assert_int_equal(packet.size, 40);
    assert_int_equal(packet.first, 16);
    assert_int_equal(packet.session, 0x04030201);
    assert_int_equal(packet.count, 5);
    static const struct {
        size_t at;
        unsigned char value;
    } lies[] = {{0, 0xFF}, {3, 0}, {4, 15}, {5, 0x20}, {6, 40}, {6, 15}, {6, 1}, {7, 1}};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        unsigned char copy[64];
        memcpy(copy, bytes, sizeof(copy));
        copy[lies[i].at] = lies[i].value;
        assert_int_equal(weir_packet_read(copy, 64, &packet), WEIR_PACKET_OTHER);
    }
    memset(bytes + 8, 0, 4); /* no session */
    assert_int_equal(weir_packet_read(bytes, 40, &packet), WEIR_PACKET_OTHER);
}

/* Somebody takes packets away, as a reader that is killed does: who comes then gets whole messages, and the count
 * goes on exactly. */
static void test_a_reader_begins_in_the_middle_of_a_frame(void **state) {
    (void)state;
    weir_writer *writer = writer_open("");
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(send_bytes(writer, i, 10000), WEIR_OK);
    char bytes[4096];
    int fd = raw_open(O_RDONLY | O_NONBLOCK);
    for (int i = 0; i < 4; i++) /* one message and a part of the second */
        assert_true(read(fd, bytes, sizeof(bytes)) > 0);
    weir_reader *reader = reader_open("");
    uint64_t gap = 0;
    assert_int_equal(receive(reader, &gap), 3);
    assert_int_equal(gap, 0); /* what came before it came is not missed */
    assert_int_equal(receive(reader, &gap), 4);
    /* And taken away from under a reader that is there: a gap. */
    for (int i = 0; i < 6; i++)
        assert_true(read(fd, bytes, sizeof(bytes)) > 0);
    uint64_t last = 4, missed = 0;
    while (last < 20) {
        uint64_t number = receive(reader, &gap);
        assert_int_equal(number, last + 1 + gap);
        missed += gap;
        last = number;
    }
    assert_int_equal(missed, 2 + (missed > 2));
    assert_int_equal(weir_reader_gaps(reader), missed);
    close(fd);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Packets by hand: @count frames of 10064 bytes from seq @first on, each in three packets; those that @skip marks are
 * left out. */
static void packets_send(int fd, uint32_t session, uint64_t first, size_t count, const char *skip) {
    static unsigned char frame[10064] __attribute__((aligned(64)));
    static const size_t cuts[] = {0, 4080, 8160, 10064};
    uint32_t packet_count = (uint32_t)(first - 1) * 3;
    for (uint64_t seq = first; seq < first + count; seq++) {
        struct weir_frame parts = {.kind = WEIR_FRAME_MESSAGE,
                                   .codec = WEIR_CODEC_RAW,
                                   .flags = WEIR_FRAME_ALIGNED,
                                   .seq = seq,
                                   .type = {"u8[10000]", 9},
                                   .data = {NULL, 10000}};
        weir_frame_layout(&parts);
        assert_int_equal(parts.size, sizeof(frame));
        memcpy(frame + parts.data_offset, &seq, 8);
        for (size_t i = 8; i < 10000; i++)
            frame[parts.data_offset + i] = byte_at(seq, i);
        weir_frame_write_whole(&parts, frame);
        for (int i = 0; i < 3; i++, packet_count++) {
            unsigned char bytes[4096];
            size_t size = 16 + cuts[i + 1] - cuts[i];
            struct weir_packet head = {WEIR_PACKET_MAGIC, (uint16_t)size, i == 0 ? 16 : 0, session, packet_count};
            memcpy(bytes, &head, 16);
            memcpy(bytes + 16, frame + cuts[i], size - 16);
            if (*skip++ != '-')
                say(fd, bytes, size);
        }
    }
}

/* Whatever is left out of three frames of one size, what arrives is whole, and what does not is counted. */
static void test_packets_that_are_missing(void **state) {
    (void)state;
    for (unsigned mask = 0; mask < 1u << 9; mask++) {
        char skip[10] = "aaaaaaaaa";
        weir_reader *reader = reader_open("");
        int fd = raw_open(O_WRONLY | O_NONBLOCK);
        fcntl(fd, F_SETFL, O_NONBLOCK | O_DIRECT);
        packets_send(fd, 5, 1, 1, "aaa");
        assert_int_equal(receive(reader, NULL), 1);
        for (int i = 0; i < 9; i++)
            if (mask >> i & 1)
                skip[i] = '-';
        packets_send(fd, 5, 2, 3, skip);
        packets_send(fd, 5, 5, 1, "aaa");
        uint64_t last = 1, gap = 0;
        while (last < 5) {
            uint64_t number = receive(reader, &gap);
            assert_int_equal(number, last + 1 + gap);
            for (uint64_t lost = last + 1; lost < number; lost++) /* only what really was cut */
                assert_non_null(memchr(skip + (lost - 2) * 3, '-', 3));
            last = number;
        }
        close(fd);
        weir_reader_close(reader);
    }
}

/* A writer that dies in the middle of a frame, and the next, whose first packet goes on in the middle too. */
static void test_another_session_begins_anew(void **state) {
    (void)state;
    weir_reader *reader = reader_open("");
    int fd = raw_open(O_WRONLY | O_NONBLOCK);
    fcntl(fd, F_SETFL, O_NONBLOCK | O_DIRECT);
    packets_send(fd, 5, 1, 2, "aaaa--");
    packets_send(fd, 6, 1, 2, "-aaaaa");
    uint64_t gap = 0;
    assert_int_equal(receive(reader, &gap), 1);
    assert_int_equal(receive(reader, &gap), 2);
    assert_int_equal(gap, 1); /* it began after the reader came */
    close(fd);
    weir_reader_close(reader);
}

static void test_garbage_between_packets(void **state) {
    (void)state;
    weir_error err = {0};
    weir_message *message = NULL;
    weir_writer *writer = writer_open("");
    weir_reader *reader = reader_open("");
    int fd = raw_open(O_WRONLY | O_NONBLOCK);
    unsigned char noise[200];
    memset(noise, 0xFE, sizeof(noise)); /* begins as a packet does, and is none */
    for (uint64_t i = 1; i <= 50; i++) {
        say(fd, noise, 1 + i * 3);
        assert_int_equal(send_bytes(writer, i, i * 100), WEIR_OK);
        assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, &err), WEIR_ECORRUPT);
        assert_non_null(strstr(err.text, path));
        assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, &err), WEIR_OK);
        assert_int_equal(number_of(message), i);
        assert_int_equal(weir_message_gap(message), 0);
    }
    close(fd);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* Packets whose bytes were changed at random, from a session of their own, beside an honest writer: he is not
 * harmed. */
static void test_packets_that_lie(void **state) {
    (void)state;
    weir_writer *writer = writer_open("");
    weir_reader *reader = reader_open("");
    int fd = raw_open(O_WRONLY | O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK | O_DIRECT), 0);
    uint64_t seed = 88172645463325252u, honest = 0, got = 0;
    for (int round = 0; round < 3000; round++) {
        unsigned char bytes[300];
        struct weir_packet packet = {WEIR_PACKET_MAGIC, sizeof(bytes), 16, 7, (uint32_t)round};
        struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE, .seq = (uint64_t)round + 1, .data = {NULL, 268}};
        memset(bytes, 0x11, sizeof(bytes));
        memcpy(bytes, &packet, sizeof(packet));
        weir_frame_layout(&frame);
        weir_frame_write_whole(&frame, bytes + 16);
        for (int i = 0; i < 3; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            bytes[4 + seed % 40] = (unsigned char)(seed >> 32);
        }
        say(fd, bytes, 1 + (size_t)(seed >> 40) % sizeof(bytes));
        if (round % 10 == 0)
            assert_int_equal(send_bytes(writer, ++honest, 50), WEIR_OK);
        weir_message *message = NULL;
        int status;
        while ((status = weir_reader_next(reader, 0, &message, NULL)) != WEIR_ETIMEOUT)
            if (status == WEIR_OK && weir_message_op(message).size == 1 && number_of(message)) {
                assert_true(number_of(message) > got);
                got = number_of(message);
            }
    }
    /* What is left of them may take the next honest message with it, but no more than that. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_bytes(writer, ++honest, 50), WEIR_OK);
    weir_message *message = NULL;
    int status;
    while ((status = weir_reader_next(reader, SECOND / 2, &message, NULL)) != WEIR_ETIMEOUT)
        if (status == WEIR_OK && weir_message_op(message).size == 1 && number_of(message))
            got = number_of(message);
    assert_int_equal(got, honest);
    close(fd);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* A plain writer that died in the middle, or garbage that looks like the beginning of much: a text of CBOR of 16 MB, an
 * array that never ends, what is no message at all. The packets behind it are taken as ever. */
static void test_packets_end_what_is_plain(void **state) {
    static const char *const begun[] = {"\x7a\x00\xff\xff\xff text", "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02",
                                        "\x9b\x01\xff\xff\xff\xff\xff\xff\xff\xfc\xfd", "\x10\x27\x00",
                                        "{\"op\":\"a\","};
    static const size_t sizes[] = {10, 11, 11, 4, 10};
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        weir_writer *writer = writer_open("");
        weir_reader *reader = reader_open("");
        weir_message *message = NULL;
        int fd = raw_open(O_WRONLY), status, bad = 0;
        assert_int_equal(send_bytes(writer, 1, 50), WEIR_OK);
        assert_int_equal(receive(reader, NULL), 1);
        say(fd, (const unsigned char *)begun[i], sizes[i]);
        while ((status = weir_reader_next(reader, SECOND / 20, &message, NULL)) != WEIR_ETIMEOUT)
            bad += status != WEIR_OK;
        for (uint64_t honest = 2; honest < 5; honest++)
            assert_int_equal(send_bytes(writer, honest, 50), WEIR_OK);
        uint64_t got = 0;
        while (got < 4 && bad < 4) {
            status = weir_reader_next(reader, 10 * SECOND, &message, NULL);
            bad += status != WEIR_OK;
            got = status == WEIR_OK ? number_of(message) : got;
        }
        assert_int_equal(got, 4);
        assert_in_range(bad, 0, 2);
        close(fd);
        weir_reader_close(reader);
        weir_writer_close(writer);
    }
}

/* ---- plain programs ---- */

static void test_slow_bytes(void **state) {
    static const char text[] = "{\"op\":\"slow\",\"data\":7}\n\n {\"op\":\"next\",\"data\":8}\n";
    (void)state;
    weir_reader *reader = reader_open("");
    weir_message *message = NULL;
    int fd = raw_open(O_WRONLY);
    size_t half = strchr(text, '\n') - text;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        if (i <= half)
            assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
        say(fd, text + i, 1);
        if (i == half)
            check_text(reader, "slow", 7);
    }
    check_text(reader, "next", 8);
    close(fd);
    weir_reader_close(reader);
}

/* A peer that writes packets without packet mode, cut everywhere. */
static void test_packets_as_a_stream_of_bytes(void **state) {
    unsigned char bytes[3 * 200];
    (void)state;
    weir_reader *reader = reader_open("");
    int fd = raw_open(O_WRONLY);
    for (size_t i = 0; i < 3; i++) {
        struct weir_packet packet = {WEIR_PACKET_MAGIC, 200, 16, 9, (uint32_t)i};
        struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE,
                                   .codec = WEIR_CODEC_JSON,
                                   .seq = i + 1,
                                   .op = {"s", 1},
                                   .data = {"                                                                        "
                                            "                                                                        "
                                            "                       ",
                                            167}};
        assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
        assert_int_equal(frame.size, 184);
        memcpy(bytes + i * 200, &packet, 16);
        weir_frame_write_whole(&frame, bytes + i * 200 + 16);
        bytes[i * 200 + 16 + 17] = (unsigned char)('1' + i);
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        weir_message *message = NULL;
        say(fd, bytes + i, 1);
        if (i % 200 != 199)
            assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
        else
            check_text(reader, "s", (int64_t)(i / 200) + 1);
    }
    close(fd);
    weir_reader_close(reader);
}

static void test_a_line_without_an_end_is_a_message_when_its_writer_goes(void **state) {
    (void)state;
    weir_reader *reader = reader_open("");
    for (int64_t i = 0; i < 5; i++) {
        char text[64];
        int fd = raw_open(O_WRONLY);
        say(fd, text, (size_t)snprintf(text, sizeof(text), "{\"op\":\"x\",\"data\":%d}", (int)i));
        close(fd);
        check_text(reader, "x", i);
    }
    weir_reader_close(reader);
}

/* One read brings it all: what follows the garbage is not lost with it. */
static void test_lines_behind_garbage(void **state) {
    char bytes[600];
    (void)state;
    weir_reader *reader = reader_open("");
    int fd = raw_open(O_WRONLY);
    memset(bytes, 0xFF, 500);
    bytes[100] = bytes[200] = '\n';
    int size = snprintf(bytes + 500, 100, "\n{\"op\":\"a\",\"data\":1}\n{\"op\":\n{\"op\":\"c\",\"data\":3}\n");
    say(fd, bytes, 500 + (size_t)size);
    check_bad(reader); /* as one: no line in it can be JSON */
    check_text(reader, "a", 1);
    check_bad(reader);
    check_text(reader, "c", 3);
    close(fd);
    weir_reader_close(reader);
}

static void write_all(const char *bytes, size_t size) {
    int fd = raw_open(O_WRONLY);
    say(fd, bytes, size);
    close(fd);
}

/* What one writer left unfinished is over when he closes: whoever comes next begins anew, in whatever framing. */
static void test_garbage_ends_with_its_writer(void **state) {
    static const char line[] = "{\"op\":\"x\",\"data\":7}\n", cbor[] = "\xa2\x62op\x61y\x64"
                                                                       "data\x08";
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"\xa2"
                  "aaXabc",
                  7},
                 {"\xbf\x01garbage\xff\xfe", 11},
                 {"\x5a\x00\x10\x00\x00"
                  "abc",
                  8},
                 {"\xa1", 1},
                 {":)\n\x00\xfa\x82"
                  "ab",
                  8},
                 {"\x20\x00\x00\x00\x10"
                  "a",
                  6}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        weir_reader *reader = reader_open("");
        weir_message *message = NULL;
        write_all(cases[i].bytes, cases[i].size);
        int status, bad = 0;
        while ((status = weir_reader_next(reader, SECOND / 20, &message, NULL)) == WEIR_ECORRUPT)
            bad++;
        assert_int_equal(status, WEIR_ETIMEOUT);
        assert_true(bad >= 1);
        write_all(line, sizeof(line) - 1);
        check_text(reader, "x", 7);
        write_all(cbor, sizeof(cbor) - 1);
        check_text(reader, "y", 8);
        weir_reader_close(reader);
    }
}

static void test_every_framing_is_recognised(void **state) {
    static const char *const framings[] = {"jsonl", "cborseq", "smile", "bson"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char options[64];
        uint64_t gap = 0;
        weir_reader *reader = reader_open("");
        snprintf(options, sizeof(options), "?framing=%s&capacity=64K&readers=1", framings[i]);
        weir_writer *writer = writer_open(options);
        for (uint64_t n = 1; n <= 30; n++) {
            assert_int_equal(send_bytes(writer, n, n * 50), WEIR_OK);
            weir_message *message = next_text(reader);
            weir_ndarray array;
            assert_int_equal(weir_message_ndarray(message, &array, NULL), WEIR_OK);
            assert_int_equal(array.size, n * 50 + 8);
            assert_int_equal(((const unsigned char *)array.data)[20], byte_at(n, 20));
            assert_int_equal(weir_message_seq(message), n);
            gap += weir_message_gap(message);
        }
        assert_int_equal(gap, 0);
        weir_writer_close(writer);
        weir_reader_close(reader);
    }
}

/* Plain messages, a pipe too small for them, and a reader that takes its time. */
static void test_plain_messages_through_a_small_pipe(void **state) {
    char text[70000];
    size_t size = 0;
    int lines = 0;
    (void)state;
    weir_writer *writer = writer_open("?framing=jsonl&capacity=4K&full=block&timeout=10s");
    int fd = raw_open(O_RDONLY | O_NONBLOCK);
    for (uint64_t i = 1; i <= 40; i++) {
        int64_t deadline = weir_deadline(60 * SECOND);
        weir_writer_set_timeout(writer, 0);
        while (send_bytes(writer, i, 900) != WEIR_OK) {
            assert_true(weir_deadline_left(deadline) > 0);
            ssize_t got = read(fd, text + size, 777);
            size += got > 0 ? (size_t)got : 0;
        }
    }
    int64_t deadline = weir_deadline(60 * SECOND);
    for (lines = 0; lines < 40 && weir_deadline_left(deadline) > 0;) {
        ssize_t got = read(fd, text + size, 777);
        size += got > 0 ? (size_t)got : 0;
        lines = 0;
        for (size_t i = 0; i < size; i++)
            lines += text[i] == '\n';
    }
    assert_int_equal(lines, 40);
    char *at = text;
    for (int i = 1; i <= 40; i++) { /* each line is one message, in order */
        char begin[32];
        snprintf(begin, sizeof(begin), "{\"seq\":%d,", i);
        assert_memory_equal(at, begin, strlen(begin));
        at = (char *)memchr(at, '\n', size - (size_t)(at - text)) + 1;
        assert_int_equal(at[-2], '}');
    }
    close(fd);
    weir_writer_close(writer);
}

/* ---- nobody reads ---- */

static void test_without_a_reader_the_newest_stay(void **state) {
    (void)state;
    weir_writer *writer = writer_open("?capacity=64K");
    for (uint64_t i = 1; i <= 2000; i++)
        assert_int_equal(send_bytes(writer, i, 1000), WEIR_OK);
    weir_reader *reader = reader_open("");
    uint64_t gap = 0, last = receive(reader, &gap);
    assert_true(last > 1900 && last < 2000);
    assert_int_equal(gap, 0);
    while (last < 2000) {
        uint64_t number = receive(reader, &gap);
        assert_int_equal(number, last + 1);
        last = number;
    }
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_the_latest_value_takes_nothing(void **state) {
    weir_message *message = NULL;
    (void)state;
    weir_writer *writer = writer_open("");
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(send_bytes(writer, i, 20000), WEIR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weir_latest(with(""), &message, NULL), WEIR_OK);
        assert_int_equal(number_of(message), 5);
        weir_message_free(message);
    }
    weir_reader *reader = reader_open("");
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(receive(reader, NULL), i);
    assert_int_equal(weir_latest(with(""), &message, NULL), WEIR_ENOENT); /* it is empty now */
    assert_int_equal(weir_reader_latest(reader, &message, NULL), WEIR_OK);
    assert_int_equal(number_of(message), 5); /* but who has read it still has it */
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_what_is_no_pipe_is_refused(void **state) {
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    weir_error err = {0};
    char other[128];
    (void)state;
    snprintf(other, sizeof(other), "%s/other", folder);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(weir_writer_open(with(""), &writer, &err), WEIR_EADDRESS);
    assert_non_null(strstr(err.text, "regular file"));
    assert_int_equal(weir_reader_open(with(""), &reader, &err), WEIR_EADDRESS);
    unlink(path);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(weir_writer_open(with(""), &writer, &err), WEIR_EACCESS);
    assert_non_null(strstr(err.text, "symbolic link"));
    unlink(path);
    assert_int_equal(weir_writer_open(with("?create=0"), &writer, &err), WEIR_ENOENT);
    assert_int_equal(weir_writer_open("fifo://relative", &writer, &err), WEIR_EADDRESS);
    assert_int_equal(weir_writer_open("fifo:///nowhere/at/all", &writer, &err), WEIR_ENOENT);
    assert_non_null(strstr(err.text, "directory"));
    assert_int_equal(weir_writer_open(with("?mode=0640&group=no-such-group"), &writer, &err), WEIR_EADDRESS);
}

static void test_the_pipe_has_the_mode_of_its_address(void **state) {
    struct stat about;
    (void)state;
    mode_t old = umask(0077);
    weir_reader *reader = reader_open("?mode=0664");
    umask(old);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode, S_IFIFO | 0664);
    weir_reader_close(reader);
}

/* A child has the descriptors of its parent until it runs, and may not run before the parent has closed them. Here it
 * never does: it is made without what fork does in a child. */
static void test_what_is_closed_is_free_at_once(void **state) {
    (void)state;
    weir_reader *reader = reader_open("");
    weir_writer *writer = writer_open("");
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        for (;;)
            syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, NULL);
    weir_reader_close(reader);
    weir_writer_close(writer);
    weir_error err = {0};
    int status = weir_reader_open(with(""), &reader, &err);
    if (status == WEIR_OK)
        status = weir_writer_open(with(""), &writer, &err);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    if (status != WEIR_OK)
        fail_msg("%s", err.text);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

/* ---- no descriptor left ---- */

static int64_t processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* A pipe that has ended needs a new descriptor. While there is none, waiting costs nothing, and ends when it should. */
static void test_no_descriptor_for_the_next_writer(void **state) {
    (void)state;
    struct rlimit old, none;
    weir_message *message;
    weir_reader *reader = reader_open("");
    int fd = open(path, O_WRONLY | O_CLOEXEC), poll_fd = -1;
    assert_int_equal(weir_reader_fd(reader, &poll_fd, NULL), WEIR_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    close(fd);
    int64_t begun = processor_time();
    int status = weir_reader_next(reader, SECOND / 2, &message, NULL);
    int64_t used = processor_time() - begun;
    weir_wait_item item = {.reader = reader};
    alarm(30); /* it took for ever */
    int waited = weir_wait(&item, 1, SECOND / 10, NULL);
    alarm(0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(status, WEIR_ETIMEOUT);
    assert_int_equal(waited, WEIR_ETIMEOUT);
    assert_true(used < SECOND / 5);
    weir_writer *writer = writer_open("");
    assert_int_equal(send_bytes(writer, 7, 10), WEIR_OK);
    assert_int_equal(receive(reader, NULL), 7);
    weir_writer_close(writer);
    weir_reader_close(reader);
}

/* A writer that had no descriptor left for a moment still keeps the newest when nobody reads. */
static void test_the_newest_stay_after_a_moment_without_descriptors(void **state) {
    (void)state;
    struct rlimit old, none;
    weir_writer *writer = writer_open("?capacity=64K");
    for (uint64_t i = 1; i <= 100; i++) /* these lie in the pipe */
        assert_int_equal(send_bytes(writer, i, 1000), WEIR_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int status = weir_writer_wait_readers(writer, 1, 0, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(status, WEIR_ETIMEOUT);
    for (uint64_t i = 101; i <= 2000; i++)
        assert_int_equal(send_bytes(writer, i, 1000), WEIR_OK);
    weir_reader *reader = reader_open("");
    uint64_t last = receive(reader, NULL);
    assert_true(last > 1900 && last < 2000);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_headers_at_every_cut_and_with_lies),
        CASE(test_a_reader_begins_in_the_middle_of_a_frame),
        CASE(test_packets_that_are_missing),
        CASE(test_another_session_begins_anew),
        CASE(test_garbage_between_packets),
        CASE(test_packets_that_lie),
        CASE(test_packets_end_what_is_plain),
        CASE(test_slow_bytes),
        CASE(test_packets_as_a_stream_of_bytes),
        CASE(test_a_line_without_an_end_is_a_message_when_its_writer_goes),
        CASE(test_lines_behind_garbage),
        CASE(test_garbage_ends_with_its_writer),
        CASE(test_every_framing_is_recognised),
        CASE(test_plain_messages_through_a_small_pipe),
        CASE(test_without_a_reader_the_newest_stay),
        CASE(test_the_latest_value_takes_nothing),
        CASE(test_what_is_no_pipe_is_refused),
        CASE(test_the_pipe_has_the_mode_of_its_address),
        CASE(test_what_is_closed_is_free_at_once),
        CASE(test_no_descriptor_for_the_next_writer),
        CASE(test_the_newest_stay_after_a_moment_without_descriptors),
    };
    const char *pattern = getenv("WEIR_TEST_FILTER");
    if (pattern)
        cmocka_set_test_filter(pattern);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
