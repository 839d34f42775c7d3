/* Rings from inside: pages that say what no writer of this library says. That nobody crashes of them is torture_hostile's
 * to find; here is what a waiting reader makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <weir/weir.h>

#include "channel/end.h"
#include "channel/testing.h"
#include "transport/shm/end.h"

#define SECOND INT64_C(1000000000)

static weir_writer *writer;
static weir_reader *reader;

static int setup(void **state) {
    (void)state;
    weir_message *message;
    alarm(60); /* who is stuck is ended */
    return testing_store_make() || weir_writer_open("shm://a?keep=0", &writer, NULL) ||
           weir_reader_open("shm://a?keep=0", &reader, NULL) || weir_writer_send(writer, "x", NULL, NULL, NULL) ||
           weir_reader_next(reader, 10 * SECOND, &message, NULL);
}

static int teardown(void **state) {
    (void)state;
    weir_reader_close(reader);
    weir_writer_close(writer);
    alarm(0);
    return testing_store_remove();
}

static struct weir_lane_page *page(void) {
    return ((struct shm *)writer->end.state)->lane.segment.page;
}

static int64_t processor_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* A wait ends when it should, and sleeps meanwhile. */
static void check_sleeps(void) {
    weir_message *message;
    int64_t begin = processor_time();
    assert_int_equal(weir_reader_next(reader, SECOND, &message, NULL), WEIR_ETIMEOUT);
    assert_true(processor_time() - begin < SECOND / 4);
}

static void check_works(void) {
    weir_message *message;
    assert_int_equal(weir_writer_send(writer, "y", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_reader_next(reader, 10 * SECOND, &message, NULL), WEIR_OK);
}

static void test_a_lane_that_goes_on_where_it_is(void **state) {
    (void)state;
    atomic_store(&page()->forward, 1); /* the segment that is open */
    check_sleeps();
    atomic_store(&page()->forward, 0);
    check_works();
}

/* What its reader holds is not given up. */
static void test_an_oldest_frame_that_is_still_to_come(void **state) {
    (void)state;
    uint64_t oldest = atomic_load(&page()->oldest);
    atomic_store(&page()->oldest, UINT64_C(1) << 40);
    check_sleeps();
    atomic_store(&page()->oldest, oldest);
    check_works();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lane_that_goes_on_where_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_oldest_frame_that_is_still_to_come, setup, teardown),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
