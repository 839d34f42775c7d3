/* Arenas: blocks that never move, aligned, reused after clearing. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_pieces_are_aligned_and_apart(void **state) {
    struct weir_arena arena = {0};
    unsigned char *pieces[200];
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        pieces[i] = weir_arena_take(&arena, i * 7);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, i * 7);
    }
    for (unsigned i = 0; i < 200; i++)
        for (unsigned byte = 0; byte < i * 7; byte++)
            assert_int_equal(pieces[i][byte], i);
    weir_arena_fini(&arena);
}

static void test_cleared_memory_is_taken_again(void **state) {
    struct weir_arena arena = {0};
    (void)state;
    assert_non_null(weir_arena_take(&arena, 100000));
    weir_arena_clear(&arena);
    void *first = weir_arena_take(&arena, 100000);
    weir_arena_clear(&arena);
    assert_ptr_equal(weir_arena_take(&arena, 100000), first);
    weir_arena_fini(&arena);
    weir_arena_fini(&arena);
}

static void test_impossible_sizes_give_null(void **state) {
    struct weir_arena arena = {0};
    (void)state;
    assert_null(weir_arena_take(&arena, SIZE_MAX));
    assert_null(weir_arena_take(&arena, SIZE_MAX - 40));
    assert_non_null(weir_arena_take(&arena, 1));
    assert_null(weir_arena_take(&arena, SIZE_MAX - 15));
    weir_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart),
        cmocka_unit_test(test_cleared_memory_is_taken_again),
        cmocka_unit_test(test_impossible_sizes_give_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
