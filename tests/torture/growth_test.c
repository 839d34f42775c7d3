/* A lane that grows while a reader that holds has not moved: segments that hold nothing for it go, those that do stay,
 * and it finds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

static char base[64];

static struct wish wish_of(enum weir_full full) {
    return (struct wish){.name = "growth", .full = full, .keep = 1, .from = WEIR_FROM_OLDEST};
}

/* A writer comes, sends @count messages, and goes. Every change of @full makes the lane grow. */
static void visit(enum weir_full full, uint64_t *index, int count) {
    struct wish wish = wish_of(full);
    struct end writer;
    struct weir_slot slot;
    assert_int_equal(end_open(&writer, WEIR_ROLE_WRITER, &wish, NULL), WEIR_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(ops()->reserve(writer.state, 0, 128, &slot, NULL), WEIR_OK);
        memcpy(slot.bytes + 8, &slot.seq, 8);
        uint64_t word = message_write(&(struct message){0, 1, (*index)++}, 128, slot.bytes);
        assert_int_equal(ops()->commit(writer.state, word, 0, NULL), WEIR_OK);
    }
    end_close(&writer);
}

/* Return: how many came, each the next. */
static uint64_t drain(struct end *reader, uint64_t index) {
    struct weir_inbound inbound;
    struct message message;
    uint64_t begin = index;
    while (ops()->next(reader->state, &inbound, NULL) == WEIR_OK) {
        assert_null(message_read(&inbound, &message));
        assert_int_equal(inbound.gap, 0);
        assert_int_equal(message.index, index);
        index++;
    }
    return index - begin;
}

static int has_segment(int generation) {
    char path[160];
    snprintf(path, sizeof(path), "%s/weir-%u/growth/lane.0.%d", base, geteuid(), generation);
    return access(path, F_OK) == 0;
}

static void test_a_reader_that_waits_misses_no_segment(void **state) {
    (void)state;
    struct wish wish = wish_of(WEIR_FULL_BLOCK);
    struct end reader;
    uint64_t index = 0;
    visit(WEIR_FULL_BLOCK, &index, 1);
    assert_int_equal(end_open(&reader, WEIR_ROLE_READER, &wish, NULL), WEIR_OK);
    assert_int_equal(drain(&reader, 0), 1);
    ops()->release(reader.state);
    visit(WEIR_FULL_DROP_OLDEST, &index, 0); /* 2: empty, and goes */
    visit(WEIR_FULL_BLOCK, &index, 3);       /* 3: what the reader has not read */
    assert_false(has_segment(1) || has_segment(2));
    visit(WEIR_FULL_DROP_OLDEST, &index, 2); /* 4 */
    assert_true(has_segment(3) && has_segment(4));
    assert_int_equal(drain(&reader, 1), 5);
    end_close(&reader);
}

/* What a writer that was killed while it took files away leaves, the next one takes. */
static void test_no_older_segment_is_forgotten(void **state) {
    (void)state;
    struct wish wish = wish_of(WEIR_FULL_BLOCK);
    struct end reader;
    uint64_t index = 0;
    visit(WEIR_FULL_BLOCK, &index, 1);
    assert_int_equal(end_open(&reader, WEIR_ROLE_READER, &wish, NULL), WEIR_OK);
    for (int i = 0; i < 4; i++)
        visit(i % 2 ? WEIR_FULL_BLOCK : WEIR_FULL_DROP_OLDEST, &index, 1);
    for (int generation = 1; generation <= 5; generation++)
        assert_true(has_segment(generation));
    assert_int_equal(drain(&reader, 0), 5);
    ops()->release(reader.state);
    char path[160];
    for (int generation = 1; generation <= 2; generation++) { /* the oldest first, so far it came */
        snprintf(path, sizeof(path), "%s/weir-%u/growth/lane.0.%d", base, geteuid(), generation);
        assert_int_equal(unlink(path), 0);
    }
    visit(WEIR_FULL_BLOCK, &index, 1);
    for (int generation = 1; generation <= 4; generation++)
        assert_false(has_segment(generation));
    assert_true(has_segment(5));
    assert_int_equal(drain(&reader, 5), 1);
    end_close(&reader);
}

static int setup(void **state) {
    (void)state;
    const char *given = getenv("WEIR_SHM_DIR");
    static char saved[100];
    if (!saved[0])
        snprintf(saved, sizeof(saved), "%.90s", given && *given ? given : "/dev/shm");
    scratch_use(saved);
    scratch_make(base, "growth");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tree_remove(base);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reader_that_waits_misses_no_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_older_segment_is_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
