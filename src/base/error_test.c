/* Errors: the sentence, the code that fits an errno, and names that are the enum's own. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_sentence_and_code(void **state) {
    weir_error err;
    (void)state;
    memset(&err, 0xa5, sizeof(err));
    assert_int_equal(weir_fail(&err, WEIR_EBUSY, "%s: taken by %d", "lab/x", 7), WEIR_EBUSY);
    assert_int_equal(err.code, WEIR_EBUSY);
    assert_int_equal(err.sys_errno, 0);
    assert_int_equal(err.offset, 0);
    assert_string_equal(err.text, "lab/x: taken by 7");
    assert_int_equal(weir_fail(NULL, WEIR_EBUSY, "nobody listens"), WEIR_EBUSY);
}

static void test_code_that_fits_an_errno(void **state) {
    static const int pairs[][2] = {{EACCES, WEIR_EACCESS},  {EPERM, WEIR_EACCESS},   {ENOENT, WEIR_ENOENT},
                                   {ENOSPC, WEIR_ENOSPC},   {EDQUOT, WEIR_ENOSPC},   {ENOMEM, WEIR_ENOMEM},
                                   {ETIMEDOUT, WEIR_ETIMEOUT}, {EIO, WEIR_ESYSTEM}};
    weir_error err;
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_int_equal(weir_fail_errno(&err, pairs[i][0], "/x"), pairs[i][1]);
        assert_int_equal(err.sys_errno, pairs[i][0]);
        assert_int_equal(strncmp(err.text, "/x: ", 4), 0);
        assert_string_equal(err.text + 4, strerror(pairs[i][0]));
    }
}

static void test_offset_ends_the_sentence(void **state) {
    weir_error err;
    (void)state;
    assert_int_equal(weir_fail_at(&err, WEIR_EPARSE, 12, "a stray comma"), WEIR_EPARSE);
    assert_int_equal(err.offset, 12);
    assert_string_equal(err.text, "a stray comma at byte 12");
}

static void test_long_sentences_are_cut(void **state) {
    char word[2000];
    weir_error err;
    (void)state;
    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    weir_fail_at(&err, WEIR_EPARSE, 3, "%s", word);
    assert_true(strlen(err.text) < sizeof(err.text));
    weir_fail_errno(&err, EIO, "%s", word);
    assert_true(strlen(err.text) < sizeof(err.text));
}

static void test_every_code_has_a_name_and_a_sentence(void **state) {
    (void)state;
    for (int code = WEIR_OK; code <= WEIR_EFENCED; code++) {
        assert_string_not_equal(weir_err_name(code), "WEIR_E?");
        assert_true(strlen(weir_err_text(code)) > 0);
    }
    assert_string_equal(weir_err_name(WEIR_ETIMEOUT), "WEIR_ETIMEOUT");
    assert_string_equal(weir_err_name(-1), "WEIR_E?");
    assert_string_equal(weir_err_name(WEIR_EFENCED + 1), "WEIR_E?");
    assert_true(strlen(weir_err_text(12345)) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentence_and_code),        cmocka_unit_test(test_code_that_fits_an_errno),
        cmocka_unit_test(test_offset_ends_the_sentence), cmocka_unit_test(test_long_sentences_are_cut),
        cmocka_unit_test(test_every_code_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
