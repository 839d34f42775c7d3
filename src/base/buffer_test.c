/* Buffers grow, keep their content and their alignment, and refuse sizes that cannot be. */
#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_nothing_appended_is_no_error(void **state) {
    weir_buffer *buffer = NULL;
    (void)state;
    assert_int_equal(weir_buffer_new(&buffer), WEIR_OK);
    assert_int_equal(weir_buffer_append(buffer, NULL, 0), WEIR_OK);
    assert_int_equal(weir_buffer_view(buffer).size, 0);
    assert_null(weir_buffer_free(buffer));
    assert_null(weir_buffer_free(NULL));
}

static void test_content_survives_growing(void **state) {
    weir_buffer *buffer = NULL;
    (void)state;
    assert_int_equal(weir_buffer_new(&buffer), WEIR_OK);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(weir_buffer_append(buffer, &i, sizeof(i)), WEIR_OK);
    weir_view view = weir_buffer_view(buffer);
    assert_int_equal(view.size, 10000 * sizeof(unsigned));
    assert_int_equal((uintptr_t)view.data % 64, 0);
    for (unsigned i = 0; i < 10000; i++)
        assert_memory_equal(view.data + i * sizeof(i), &i, sizeof(i));
    weir_buffer_free(buffer);
}

static void test_clearing_keeps_the_memory(void **state) {
    struct weir_buffer buffer = {0};
    (void)state;
    assert_int_equal(weir_buffer_append(&buffer, "abc", 3), WEIR_OK);
    const unsigned char *data = buffer.data;
    weir_buffer_clear(&buffer);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(weir_buffer_append(&buffer, "de", 2), WEIR_OK);
    assert_ptr_equal(buffer.data, data);
    assert_memory_equal(buffer.data, "de", 2);
    weir_buffer_fini(&buffer);
}

static void test_impossible_sizes_are_refused_and_the_content_stays(void **state) {
    struct weir_buffer buffer = {0};
    (void)state;
    assert_int_equal(weir_buffer_append(&buffer, "abc", 3), WEIR_OK);
    assert_int_equal(weir_buffer_grow(&buffer, SIZE_MAX - 1), WEIR_ENOMEM);
    assert_int_equal(weir_buffer_grow(&buffer, SIZE_MAX / 2), WEIR_ENOMEM);
    assert_null(weir_buffer_room(&buffer, SIZE_MAX - 8));
    assert_int_equal(buffer.size, 3);
    assert_memory_equal(buffer.data, "abc", 3);
    weir_buffer_fini(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_appended_is_no_error),
        cmocka_unit_test(test_content_survives_growing),
        cmocka_unit_test(test_clearing_keeps_the_memory),
        cmocka_unit_test(test_impossible_sizes_are_refused_and_the_content_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
