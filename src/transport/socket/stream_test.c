/* Frames out of a byte stream that is cut everywhere, and hellos at every border of every field. */
#include "transport/socket/testing.h"

#include "frame/plain/plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- streams ---- */

static void pair_open(int *fds) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void pair_close(int *fds) {
    close(fds[0]);
    close(fds[1]);
}

/* Read all there is. */
static void stream_fill(struct weir_stream *stream, int fd) {
    int status;
    while ((status = weir_stream_read(stream, fd, MSG_DONTWAIT)) == WEIR_OK)
        continue;
    assert_int_equal(status, WEIR_EAGAIN);
}

static void check_next(struct weir_stream *stream, uint64_t seq, size_t size) {
    struct weir_stream_frame frame;
    assert_int_equal(weir_stream_next(stream, &frame, NULL), WEIR_OK);
    assert_int_equal(frame.seq, seq);
    assert_int_equal(frame.size, size);
    struct weir_inbound inbound = {.bytes = frame.bytes, .word = frame.word, .size = frame.size};
    assert_true(testing_is_whole(&inbound));
    weir_stream_take(stream, frame.size);
}

/* Three frames, cut in two at every byte. */
static void test_frames_cut_at_every_byte(void **state) {
    unsigned char wire[2048];
    size_t sizes[3], total = 0;
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        struct testing_bytes frame = testing_frame(WEIR_FRAME_MESSAGE, "op", i + 1, i == 1 ? 5 : 0, i * 150);
        memcpy(wire + total, frame.data, frame.size);
        sizes[i] = frame.size;
        total += frame.size;
    }
    for (size_t cut = 0; cut <= total; cut++) {
        struct weir_stream stream = {.size_max = 4096};
        struct weir_stream_frame frame;
        int fds[2], taken = 0;
        size_t behind = 0;
        pair_open(fds);
        if (cut > 0)
            assert_int_equal(write(fds[1], wire, cut), cut);
        stream_fill(&stream, fds[0]);
        while (taken < 3 && behind + sizes[taken] <= cut) {
            behind += sizes[taken];
            check_next(&stream, (uint64_t)taken + 1, sizes[taken]);
            taken++;
        }
        assert_int_equal(weir_stream_next(&stream, &frame, NULL), WEIR_EAGAIN);
        if (cut < total)
            assert_int_equal(write(fds[1], wire + cut, total - cut), total - cut);
        stream_fill(&stream, fds[0]);
        for (; taken < 3; taken++)
            check_next(&stream, (uint64_t)taken + 1, sizes[taken]);
        assert_int_equal(weir_stream_next(&stream, &frame, NULL), WEIR_EAGAIN);
        weir_stream_fini(&stream);
        pair_close(fds);
    }
}

/* What is big arrives at a multiple of 64, and the frame before it stays in place meanwhile. */
static void test_big_frames_arrive_aligned(void **state) {
    struct weir_stream stream = {.size_max = 1 << 20};
    struct weir_stream_frame frame, before;
    struct testing_bytes small = testing_frame(WEIR_FRAME_MESSAGE, "x", 1, 0, 77);
    unsigned char *big = malloc(100000);
    struct weir_frame parts = {.kind = WEIR_FRAME_MESSAGE, .seq = 2, .data = {NULL, 90000}};
    int fds[2];
    (void)state;
    pair_open(fds);
    memset(big, 0x5A, 100000);
    weir_frame_layout(&parts);
    weir_frame_write_whole(&parts, big);
    assert_int_equal(write(fds[1], small.data, small.size), small.size);
    assert_int_equal(write(fds[1], big, 3000), 3000);
    stream_fill(&stream, fds[0]);
    assert_int_equal(weir_stream_next(&stream, &before, NULL), WEIR_OK);
    weir_stream_take(&stream, before.size);
    for (size_t at = 3000; at < parts.size; at += 8000) {
        size_t step = parts.size - at < 8000 ? parts.size - at : 8000;
        assert_int_equal(weir_stream_next(&stream, &frame, NULL), WEIR_EAGAIN);
        assert_int_equal(write(fds[1], big + at, step), step);
        stream_fill(&stream, fds[0]);
    }
    assert_int_equal(weir_stream_next(&stream, &frame, NULL), WEIR_OK);
    assert_int_equal((uintptr_t)frame.bytes % 64, 0);
    assert_memory_equal(frame.bytes, big, parts.size);
    assert_memory_equal(before.bytes, small.data, small.size);
    assert_true(stream.buffers[0].capacity + stream.buffers[1].capacity < 4 * parts.size);
    weir_stream_reset(&stream);
    assert_int_equal(weir_stream_next(&stream, &frame, NULL), WEIR_EAGAIN);
    weir_stream_fini(&stream);
    pair_close(fds);
    free(big);
}

static void check_word(uint64_t word, int wanted) {
    unsigned char bytes[64] = {0};
    struct weir_stream stream = {.size_max = 1000};
    struct weir_stream_frame frame;
    weir_error err = {0};
    int fds[2];
    memcpy(bytes, &word, sizeof(word));
    pair_open(fds);
    assert_int_equal(write(fds[1], bytes, sizeof(bytes)), sizeof(bytes));
    stream_fill(&stream, fds[0]);
    assert_int_equal(weir_stream_next(&stream, &frame, &err), wanted);
    if (wanted != WEIR_OK && wanted != WEIR_EAGAIN)
        assert_true(strlen(err.text) > 20);
    weir_stream_fini(&stream);
    pair_close(fds);
}

static uint64_t word_of(uint32_t size, unsigned kind, unsigned version, unsigned flags) {
    return size | (uint64_t)(kind | version << 4) << 32 | (uint64_t)flags << 56;
}

static void test_what_is_no_frame(void **state) {
    (void)state;
    check_word(word_of(16, 1, 1, 0), WEIR_OK);
    check_word(word_of(64, WEIR_FRAME_KIND_LAST, 1, 0), WEIR_OK);
    check_word(word_of(65, 1, 1, 0), WEIR_EAGAIN);
    check_word(word_of(1000 + WEIR_STREAM_SLACK, 1, 1, 0), WEIR_EAGAIN);
    check_word(word_of(1001 + WEIR_STREAM_SLACK, 1, 1, 0), WEIR_ETOOBIG);
    check_word(word_of(UINT32_MAX, 1, 1, 0), WEIR_ETOOBIG);
    check_word(word_of(15, 1, 1, 0), WEIR_ECORRUPT);
    check_word(word_of(0, 1, 1, 0), WEIR_ECORRUPT);
    check_word(word_of(16, 0, 1, 0), WEIR_ECORRUPT);
    check_word(word_of(16, WEIR_FRAME_KIND_LAST + 1, 1, 0), WEIR_ECORRUPT);
    check_word(word_of(39, 1, 1, 7), WEIR_ECORRUPT); /* three fields of 8 bytes do not fit */
    check_word(word_of(40, 1, 1, 7), WEIR_OK);
    for (unsigned version = 0; version < 16; version++)
        if (version != 1)
            check_word(word_of(16, 1, version, 0), WEIR_EVERSION);
    check_word(UINT64_C(0x0D0A302E312F5054), WEIR_EVERSION); /* "TP/1.0" and a line's end */
}

/* A stream of noise ends in an error or in waiting, and costs no memory that has not come. */
static void test_noise(void **state) {
    unsigned seed = 4711;
    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 3000; round++) {
        struct weir_stream stream = {.size_max = 16 << 20};
        struct weir_stream_frame frame;
        unsigned char bytes[256];
        int fds[2], status;
        pair_open(fds);
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)rand_r(&seed);
        if (round % 2)
            bytes[4] = 0x11;
        assert_int_equal(write(fds[1], bytes, sizeof(bytes)), sizeof(bytes));
        stream_fill(&stream, fds[0]);
        while ((status = weir_stream_next(&stream, &frame, NULL)) == WEIR_OK)
            weir_stream_take(&stream, frame.size);
        assert_true(status == WEIR_EAGAIN || status == WEIR_ECORRUPT || status == WEIR_EVERSION ||
                    status == WEIR_ETOOBIG);
        assert_true(stream.buffers[0].capacity + stream.buffers[1].capacity <= 4 * WEIR_STREAM_READ_MIN);
        weir_stream_fini(&stream);
        pair_close(fds);
    }
}

static void test_the_end_of_a_stream(void **state) {
    struct weir_stream stream = {.size_max = 100};
    int fds[2];
    (void)state;
    pair_open(fds);
    assert_int_equal(weir_stream_read(&stream, fds[0], MSG_DONTWAIT), WEIR_EAGAIN);
    shutdown(fds[1], SHUT_WR);
    assert_int_equal(weir_stream_read(&stream, fds[0], 0), WEIR_ECLOSED);
    assert_int_equal(weir_stream_read(&stream, -1, 0), WEIR_ECLOSED);
    weir_stream_fini(&stream);
    pair_close(fds);
}

/* ---- hellos ---- */

static void test_a_hello_comes_back(void **state) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    struct weir_hello hello = testing_hello(WEIR_ROLE_CLIENT), got;
    (void)state;
    hello.status = 9, hello.flags = 15, hello.full = WEIR_FULL_FAIL, hello.from = WEIR_FROM_AGO;
    hello.seq = UINT64_MAX, hello.from_value = INT64_MAX, hello.size_max = UINT32_MAX, hello.readers = UINT32_MAX;
    memset(hello.text, 't', sizeof(hello.text)); /* too long: cut */
    weir_hello_write(&hello, bytes);
    assert_int_equal(weir_hello_read(bytes, &got), WEIR_OK);
    hello.text[sizeof(hello.text) - 1] = '\0';
    assert_int_equal(got.status, 9);
    assert_int_equal(got.flags, 15);
    assert_int_equal(got.writer, hello.writer);
    assert_int_equal(got.seq, UINT64_MAX);
    assert_int_equal(got.from_value, INT64_MAX);
    assert_int_equal(got.size_max, UINT32_MAX);
    assert_int_equal(got.readers, UINT32_MAX);
    assert_string_equal(got.program, "raw");
    assert_string_equal(got.text, hello.text);
}

/* Set @size bytes at @at to @value in a good hello. Return: what reading it says. */
static int read_changed(size_t at, size_t size, int64_t value, struct weir_hello *ret) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    struct weir_hello hello = testing_hello(WEIR_ROLE_READER);
    weir_hello_write(&hello, bytes);
    memcpy(bytes + at, &value, size);
    return weir_hello_read(bytes, ret);
}

static void test_every_field_at_its_border(void **state) {
    struct weir_hello got;
    (void)state;
    for (int64_t version = 0; version < 4; version++)
        assert_int_equal(read_changed(4, 2, version, &got), version == 1 ? WEIR_OK : WEIR_EVERSION);
    assert_int_equal(read_changed(4, 2, 0xFFFF, &got), WEIR_EVERSION);
    assert_int_equal(got.version, 0xFFFF);
    assert_int_equal(got.role, 0); /* nothing else is believed */
    for (int64_t value = 0; value < 256; value++) {
        assert_int_equal(read_changed(8, 1, value, &got), value >= 1 && value <= 4 ? WEIR_OK : WEIR_ECORRUPT);
        assert_int_equal(read_changed(9, 1, value, &got), WEIR_OK); /* flags of later versions are let be */
        assert_int_equal(read_changed(10, 1, value, &got), value <= 3 ? WEIR_OK : WEIR_ECORRUPT);
        assert_int_equal(read_changed(11, 1, value, &got), value <= 4 ? WEIR_OK : WEIR_ECORRUPT);
    }
    assert_int_equal(read_changed(32, 8, 0, &got), WEIR_OK);
    assert_int_equal(read_changed(32, 8, INT64_MAX, &got), WEIR_OK);
    assert_int_equal(read_changed(32, 8, -1, &got), WEIR_ECORRUPT);
    assert_int_equal(read_changed(32, 8, INT64_MIN, &got), WEIR_ECORRUPT);
    assert_int_equal(read_changed(40, 8, -1, &got), WEIR_OK);
    assert_int_equal(got.size_max, UINT32_MAX);
}

static void test_texts_can_be_shown(void **state) {
    unsigned char bytes[WEIR_HELLO_SIZE];
    struct weir_hello hello = testing_hello(WEIR_ROLE_READER), got;
    (void)state;
    weir_hello_write(&hello, bytes);
    memset(bytes + 64, 0x1B, 64); /* no end, and terminals would obey it */
    memset(bytes + 128, 0xC3, 128);
    assert_int_equal(weir_hello_read(bytes, &got), WEIR_OK);
    assert_int_equal(strlen(got.program), 63);
    assert_int_equal(strlen(got.text), 127);
    assert_int_equal(strspn(got.program, "?"), 63);
    assert_int_equal(strspn(got.text, "?"), 127);
}

static void test_openings_at_every_length(void **state) {
    unsigned char bytes[WEIR_HELLO_SIZE + 16] = {0};
    struct weir_hello hello = testing_hello(WEIR_ROLE_READER);
    int framing;
    (void)state;
    weir_hello_write(&hello, bytes);
    for (size_t size = 0; size <= sizeof(bytes); size++)
        assert_int_equal(weir_opening_judge(bytes, size, size % 2, &framing),
                         size < WEIR_HELLO_SIZE ? WEIR_OPENING_UNDECIDED : WEIR_OPENING_HELLO);
    for (size_t wrong = 0; wrong < 4; wrong++) {
        bytes[wrong] ^= 0x20;
        for (size_t size = 0; size <= sizeof(bytes); size++)
            assert_int_equal(weir_opening_judge(bytes, size, 0, &framing),
                             size >= 4 ? WEIR_OPENING_FOREIGN : WEIR_OPENING_UNDECIDED);
        bytes[wrong] ^= 0x20;
    }
}

static void test_openings_of_plain_framings(void **state) {
    /* clang-format off */
    static const struct {
        const char *bytes;
        size_t size;
        int framing;   /* once four bytes are there, or all is; 0: foreign */
        int when_all;  /* of less than four bytes: the same without anything behind them; -1: undecided even then */
    } cases[] = {
        {"{\"op\":1}\n", 9, WEIR_FRAMING_JSON, 0},     {"[1]\n", 4, WEIR_FRAMING_JSON, 0},
        {"\n\n\n{", 4, WEIR_FRAMING_JSON, 0},           {" \t\r\n", 4, WEIR_FRAMING_JSON, 0},
        {"\xef\xbb\xbf{", 4, WEIR_FRAMING_JSON, 0},     {"{}\n", 3, 0, WEIR_FRAMING_JSON},
        {"\n", 1, 0, WEIR_FRAMING_JSON},                 {":)\n\1", 4, WEIR_FRAMING_SMILE, 0},
        {":)\n", 3, 0, -1},                              {"\x7b\0\0\0\x10", 5, WEIR_FRAMING_BSON, 0},
        {"\x0a\x0a\0\0", 4, WEIR_FRAMING_BSON, 0},      {"\x05\0\0\0\0", 5, WEIR_FRAMING_BSON, 0},
        {"\x04\0\0\0\0", 5, 0, 0},                      {"\xa1\x62op", 4, WEIR_FRAMING_CBOR, 0},
        {"\xbf\x62op", 4, WEIR_FRAMING_CBOR, 0},         {"\xd9\xd9\xf7\xa1", 4, WEIR_FRAMING_CBOR, 0},
        {"\xa0", 1, 0, WEIR_FRAMING_CBOR},               {"GET ", 4, 0, 0},
        {"POST", 4, 0, 0},                               {"\x16\x03\x01\x02", 4, 0, 0},
        {"SSH-", 4, 0, 0},                               {"1234", 4, 0, 0},
        {"WEI", 3, 0, -1},                               {"w", 1, 0, 0},
        {"\xef\xbb\xbe{", 4, 0, 0},                     {"\xff\xff\xff\xff", 4, 0, 0},
    };
    /* clang-format on */
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const unsigned char *bytes = (const unsigned char *)cases[i].bytes;
        size_t size = cases[i].size;
        int framing = 99, known = size < 4 ? cases[i].when_all : cases[i].framing;
        enum weir_opening opening = weir_opening_judge(bytes, size, 0, &framing);
        if (size < 4)
            assert_int_equal(opening, WEIR_OPENING_UNDECIDED);
        opening = weir_opening_judge(bytes, size, 1, &framing);
        assert_int_equal(opening, known < 0   ? WEIR_OPENING_UNDECIDED
                                  : known > 0 ? WEIR_OPENING_PLAIN
                                              : WEIR_OPENING_FOREIGN);
        assert_int_equal(framing, known > 0 ? known : 0);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_cut_at_every_byte),  cmocka_unit_test(test_big_frames_arrive_aligned),
        cmocka_unit_test(test_what_is_no_frame),          cmocka_unit_test(test_noise),
        cmocka_unit_test(test_the_end_of_a_stream),       cmocka_unit_test(test_a_hello_comes_back),
        cmocka_unit_test(test_every_field_at_its_border), cmocka_unit_test(test_texts_can_be_shown),
        cmocka_unit_test(test_openings_at_every_length),  cmocka_unit_test(test_openings_of_plain_framings),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
