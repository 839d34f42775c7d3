/* Logs that were cut, and logs with damage: what a killed writer, a power cut, another program or a bad disk may leave.
 * WEIR_FLIPS says how many bits are flipped. */
#include "transport/file/testing.h"

#include "base/crc32c.h"

/* ---- cut ends ---- */

/* Whatever was written of the last message when its writer was killed: readers do not see it, the next writer cuts it
 * off. */
static void test_every_cut_end_is_repaired(void **state) {
    (void)state;
    for (int e = 0; e < EXTENSION_COUNT; e++) {
        char name[32];
        snprintf(name, sizeof(name), "cut%s", extensions[e]);
        weir_writer *writer = writer_of(name, "");
        assert_int_equal(send_number(writer, 1, 100, NULL), WEIR_OK);
        assert_int_equal(send_number(writer, 2, 10, NULL), WEIR_OK);
        off_t whole = file_size(name);
        assert_int_equal(send_number(writer, 3, 30, NULL), WEIR_OK);
        off_t all = file_size(name);
        weir_writer_close(writer);
        /* A line that lacks only its newline is whole; see test_text_edited_by_hand. */
        for (off_t cut = all - 1 - (strcmp(extensions[e], ".jsonl") == 0); cut >= whole; cut--) {
            weir_message *message = NULL;
            assert_int_equal(truncate(path_of(name), cut), 0);
            weir_reader *reader = reader_of(name, "?from=oldest");
            assert_int_equal(next_number(reader), 1);
            assert_int_equal(next_number(reader), 2);
            assert_int_equal(weir_reader_next(reader, 0, &message, NULL), WEIR_ETIMEOUT);
            writer = writer_of(name, "");
            assert_int_equal(send_number(writer, 3, 30, NULL), WEIR_OK);
            assert_int_equal(weir_writer_seq(writer), 3);
            assert_int_equal(next_number(reader), 3);
            assert_int_equal(weir_reader_gaps(reader), 0);
            weir_reader_close(reader);
            weir_writer_close(writer);
            assert_int_equal(file_size(name), all);
        }
    }
}

static void test_zeros_at_the_end_are_cut_off(void **state) {
    (void)state;
    weir_writer *writer = writer_of("zero.weir", "");
    assert_int_equal(send_number(writer, 1, 100, NULL), WEIR_OK);
    weir_writer_close(writer);
    off_t size = file_size("zero.weir");
    assert_int_equal(truncate(path_of("zero.weir"), size + 5000), 0); /* as a power cut may leave it */
    writer = writer_of("zero.weir", "");
    assert_int_equal(file_size("zero.weir"), size);
    assert_int_equal(send_number(writer, 2, 100, NULL), WEIR_OK);
    weir_reader *reader = reader_of("zero.weir", "?from=oldest");
    assert_int_equal(next_number(reader), 1);
    assert_int_equal(next_number(reader), 2);
    weir_reader_close(reader);
    weir_writer_close(writer);
}

static void test_cut_and_replaced_while_read(void **state) {
    (void)state;
    for (int e = 0; e < 2; e++) {
        char name[32];
        snprintf(name, sizeof(name), "gone%s", extensions[e]);
        weir_writer *writer = writer_of(name, "");
        weir_reader *reader = reader_of(name, "");
        assert_int_equal(send_number(writer, 1, 1000, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 1);
        assert_int_equal(truncate(path_of(name), 0), 0);
        assert_int_equal(send_number(writer, 2, 10, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 2);
        assert_int_equal(unlink(path_of(name)), 0);
        assert_int_equal(send_number(writer, 3, 10, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 3);
        assert_int_equal(rename(path_of(name), path_of("elsewhere")), 0);
        assert_int_equal(send_number(writer, 4, 10, NULL), WEIR_OK);
        assert_int_equal(next_number(reader), 4);
        weir_reader_close(reader);
        weir_writer_close(writer);
    }
}

/* ---- damage ---- */

static uint64_t random_state = 20231127;
static uint32_t random_below(uint32_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % limit);
}

struct outcome {
    uint64_t read, told, gaps;
};

/* Read a damaged log; what is delivered must be what was sent. */
static struct outcome damaged_read(int fd, const uint32_t *crcs, uint64_t count) {
    struct weir_cursor cursor;
    struct weir_passed passed;
    struct outcome outcome = {0};
    uint64_t seq = 0;
    weir_error err;
    weir_cursor_init(&cursor, WEIR_FRAMING_FRAMES, 1 << 24);
    weir_cursor_move(&cursor, fd, 0, 0, 0);
    for (;;) {
        int status = weir_cursor_next(&cursor, &passed, &err);
        if (status == WEIR_EAGAIN)
            break;
        if (status == WEIR_ECORRUPT) {
            assert_true(strlen(err.text) > 10);
            assert_true(++outcome.told < 10);
            continue;
        }
        assert_int_equal(status, WEIR_OK);
        assert_true(passed.seq > seq && passed.seq <= count);
        assert_int_equal(weir_crc32c(0, cursor.frame.data, cursor.frame.size), crcs[passed.seq]);
        outcome.gaps += passed.seq - seq - 1;
        outcome.read++;
        seq = passed.seq;
    }
    outcome.told += cursor.tail == WEIR_TAIL_BAD;
    weir_cursor_fini(&cursor);
    return outcome;
}

/* In batches, but for each ninth message, or one by one. */
static void damage_log_make(uint32_t *crcs, int64_t count, int is_batched) {
    struct weir_cursor cursor;
    struct weir_passed passed;
    weir_writer *writer = writer_of("flip.weir", "");
    for (int64_t i = 1; i <= count; i++) {
        if (is_batched && i % 9 == 1)
            weir_writer_cork(writer);
        if (is_batched && i % 9 == 0)
            assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
        assert_int_equal(send_number(writer, i, i % 40 == 0 ? 40000 : (size_t)(i * 7 % 600), NULL), WEIR_OK);
    }
    weir_writer_uncork(writer, NULL);
    weir_writer_close(writer);
    int fd = open(path_of("flip.weir"), O_RDONLY);
    weir_cursor_init(&cursor, WEIR_FRAMING_FRAMES, 1 << 24);
    weir_cursor_move(&cursor, fd, 0, 0, 0);
    while (weir_cursor_next(&cursor, &passed, NULL) == WEIR_OK)
        crcs[passed.seq] = weir_crc32c(0, cursor.frame.data, cursor.frame.size);
    weir_cursor_fini(&cursor);
    close(fd);
}

/* One bit, anywhere: at most the message that it lies in is lost, and that is told, or nothing is. */
static void bits_flip(uint32_t flips, int is_batched) {
    enum { COUNT = 100 };
    static uint32_t crcs[COUNT + 1];
    uint32_t lost = 0;
    unlink(path_of("flip.weir"));
    damage_log_make(crcs, COUNT, is_batched);
    int fd = open(path_of("flip.weir"), O_RDWR);
    uint32_t size = (uint32_t)file_size("flip.weir");
    for (uint32_t i = 0; i < flips; i++) {
        uint32_t at = random_below(size);
        unsigned char byte, flipped;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ (unsigned char)(1 << random_below(8));
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        struct outcome outcome = damaged_read(fd, crcs, COUNT);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        if (outcome.read < COUNT - 1 || (outcome.read == COUNT - 1 && !outcome.told))
            fail_msg("bit in byte %u: %u read, %u told", at, (unsigned)outcome.read, (unsigned)outcome.told);
        lost += outcome.read < COUNT;
    }
    print_message("%u flips, %u of them lost the one message\n", flips, lost);
    close(fd);
}

static void test_every_flipped_bit_is_told_or_harmless(void **state) {
    (void)state;
    const char *rounds = getenv("WEIR_FLIPS");
    uint32_t flips = rounds ? (uint32_t)strtoul(rounds, NULL, 10) : 20000;
    bits_flip(flips / 2, 0);
    bits_flip(flips - flips / 2, 1);
}

/* A block's first record says the number that the short ones behind it go on from. When it is damaged, who comes from
 * the block before knows the number; who joins here does not, and begins farther in front. */
static void test_a_block_that_begins_with_damage(void **state) {
    (void)state;
    enum { MANY = 2000, BLOCK = 3 };
    char options[32];
    weir_writer *writer = writer_of("block.weir", "");
    weir_writer_cork(writer);
    for (int64_t i = 1; i <= MANY; i++)
        assert_int_equal(send_number(writer, i, 60, NULL), WEIR_OK);
    assert_int_equal(weir_writer_uncork(writer, NULL), WEIR_OK);
    weir_writer_close(writer);
    off_t size = file_size("block.weir"), last = size / WEIR_LOG_BLOCK;
    assert_true(last > BLOCK && size % WEIR_LOG_BLOCK > 1000);
    int fd = open(path_of("block.weir"), O_RDWR);
    assert_int_equal(pwrite(fd, "?", 1, BLOCK * WEIR_LOG_BLOCK + 17), 1);
    assert_int_equal(pwrite(fd, "?", 1, last * WEIR_LOG_BLOCK + 17), 1);
    close(fd);
    weir_reader *reader = reader_of("block.weir", "?from=oldest");
    weir_message *message = NULL;
    int64_t lost[2] = {0}, expected = 1;
    int count = 0, status;
    while ((status = weir_reader_next(reader, 0, &message, NULL)) != WEIR_ETIMEOUT) {
        if (status == WEIR_ECORRUPT)
            continue;
        assert_int_equal(status, WEIR_OK);
        for (int64_t number = number_in(message); expected < number; expected++) {
            assert_true(count < 2);
            lost[count++] = expected;
        }
        expected++;
    }
    assert_int_equal(expected, MANY + 1);
    assert_true(count >= 1); /* a message that two blocks share may be the one that was hit */
    weir_reader_close(reader);
    for (int i = 0; i < count; i++) {
        snprintf(options, sizeof(options), "?from=seq:%d", (int)lost[i] + 2);
        reader = reader_of("block.weir", options);
        assert_int_equal(next_number(reader), lost[i] + 2);
        assert_int_equal(next_number(reader), lost[i] + 3);
        weir_reader_close(reader);
    }
    writer = writer_of("block.weir", "");
    assert_int_equal(file_size("block.weir"), size);
    assert_int_equal(send_number(writer, MANY + 1, 60, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(writer), MANY + 1);
    weir_writer_close(writer);
}

/* The number of a message whose piece is damaged is used up, also when nothing whole stands behind it. */
static void test_the_number_of_a_damaged_message(void **state) {
    (void)state;
    weir_writer *writer = writer_of("used.weir", "");
    for (int64_t i = 1; i <= 3; i++)
        assert_int_equal(send_number(writer, i, 100, NULL), WEIR_OK);
    weir_writer_close(writer);
    off_t size = file_size("used.weir");
    int fd = open(path_of("used.weir"), O_RDWR);
    assert_int_equal(pwrite(fd, "?", 1, size - 10), 1);
    assert_int_equal(pwrite(fd, "what a killed writer has begun", 30, (size + 7) / 8 * 8), 30);
    close(fd);
    writer = writer_of("used.weir", "");
    assert_int_equal(send_number(writer, 4, 100, NULL), WEIR_OK);
    assert_int_equal(weir_writer_seq(writer), 4);
    weir_writer_close(writer);
    weir_message *message;
    weir_reader *reader = reader_of("used.weir", "?from=oldest");
    for (int64_t i = 1; i <= 2; i++)
        assert_int_equal(next_number(reader), i);
    assert_int_equal(weir_reader_next(reader, SECOND, &message, NULL), WEIR_ECORRUPT);
    assert_int_equal(next_number(reader), 4);
    assert_int_equal(weir_reader_gaps(reader), 1);
    weir_reader_close(reader);
}

/* A run of garbage: the messages outside of it are read. A writer that comes then goes on behind what is left. */
static void test_runs_of_garbage(void **state) {
    (void)state;
    enum { COUNT = 100 };
    static uint32_t crcs[COUNT + 3];
    damage_log_make(crcs, COUNT, 1);
    off_t size = file_size("flip.weir");
    unsigned char *whole = malloc((size_t)size), garbage[300];
    int fd = open(path_of("flip.weir"), O_RDWR);
    assert_int_equal(pread(fd, whole, (size_t)size, 0), size);
    for (int i = 0; i < 300; i++) {
        uint32_t at = WEIR_LOG_HEADER_SIZE + random_below((uint32_t)size - WEIR_LOG_HEADER_SIZE - sizeof(garbage));
        for (size_t k = 0; k < sizeof(garbage); k++)
            garbage[k] = (unsigned char)random_below(256);
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
        struct outcome outcome = damaged_read(fd, crcs, COUNT);
        assert_true(outcome.told > 0);
        assert_true(outcome.read >= COUNT - 9);
        weir_writer *writer = writer_of("flip.weir", "");
        assert_int_equal(send_number(writer, COUNT + 1, 10, NULL), WEIR_OK);
        weir_writer_close(writer);
        weir_reader *last = reader_of("flip.weir", "?from=last");
        assert_int_equal(next_number(last), COUNT + 1);
        weir_reader_close(last);
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(pwrite(fd, whole, (size_t)size, 0), size);
    }
    free(whole);
    close(fd);
}

static void test_readers_are_told_of_damage(void **state) {
    (void)state;
    weir_message *message = NULL;
    weir_error err;
    weir_writer *writer = writer_of("told.weir", "");
    assert_int_equal(send_number(writer, 1, 100, NULL), WEIR_OK);
    off_t first = file_size("told.weir");
    for (int64_t i = 2; i <= 3; i++)
        assert_int_equal(send_number(writer, i, 100, NULL), WEIR_OK);
    int fd = open(path_of("told.weir"), O_RDWR);
    assert_int_equal(pwrite(fd, "?", 1, first + 100), 1);
    weir_reader *reader = reader_of("told.weir", "?from=oldest");
    assert_int_equal(next_number(reader), 1);
    assert_int_equal(weir_reader_next(reader, SECOND, &message, &err), WEIR_ECORRUPT);
    assert_non_null(strstr(err.text, "damaged at byte"));
    assert_int_equal(weir_reader_next(reader, SECOND, &message, &err), WEIR_OK);
    assert_int_equal(number_in(message), 3);
    assert_int_equal(weir_message_gap(message), 1);
    /* The last one: told once, and gone when the next writer writes. */
    weir_writer_close(writer);
    assert_int_equal(pwrite(fd, "?", 1, file_size("told.weir") - 3), 1);
    weir_reader *late = reader_of("told.weir", "?from=seq:3");
    assert_int_equal(weir_reader_next(late, 0, &message, &err), WEIR_ECORRUPT);
    assert_int_equal(weir_reader_next(late, 0, &message, &err), WEIR_ETIMEOUT);
    close(fd);
    weir_reader_close(late);
    weir_reader_close(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_cut_end_is_repaired),
        TEST(test_zeros_at_the_end_are_cut_off),
        TEST(test_cut_and_replaced_while_read),
        TEST(test_every_flipped_bit_is_told_or_harmless),
        TEST(test_a_block_that_begins_with_damage),
        TEST(test_the_number_of_a_damaged_message),
        TEST(test_runs_of_garbage),
        TEST(test_readers_are_told_of_damage),
    };
    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
