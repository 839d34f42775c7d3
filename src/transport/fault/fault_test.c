/* The faults themselves: that they happen, that nobody meets them by accident, and that what they lose is counted. That
 * promises hold under delays and short I/O is in tests/conformance, which runs on fault+shm, fault+unix and
 * fault+fifo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

#include "channel/address.h"
#include "os/short.h"

#define SECOND INT64_C(1000000000)
#define LONG   (20 * SECOND)
enum { COUNT = 3000 };

static char folder[64];

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/dev/shm/weir-fault-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    setenv("WEIR_SHM_DIR", folder, 1);
    setenv("WEIR_FAULTS", "1", 1);
    return 0;
}

static int teardown(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static const char *address(const char *scheme, const char *options) {
    static char texts[4][256];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    if (strstr(scheme, "shm"))
        snprintf(text, sizeof(texts[0]), "%s://lab/x%s", scheme, options);
    else
        snprintf(text, sizeof(texts[0]), "%s://%s/x.%s%s", scheme, folder,
                 strstr(scheme, "file") ? "weir" : scheme + strlen(scheme) - 4, options);
    return text;
}

/* ---- nobody meets them by accident ---- */

static void test_only_when_asked_for(void **state) {
    struct weir_place place;
    weir_error err = {0};
    (void)state;
    assert_int_equal(weir_address_parse("fault+shm://lab/x?fault=delay:0.5", &place, &err), WEIR_OK);
    assert_string_equal(place.text, "shm://lab/x");
    const char *const no[] = {"", "0", "yes"};
    for (size_t i = 0; i < 3; i++) {
        setenv("WEIR_FAULTS", no[i], 1);
        assert_int_equal(weir_address_parse("fault+shm://lab/x", &place, &err), WEIR_EADDRESS);
        assert_non_null(strstr(err.text, "there is no transport \"fault+shm\""));
    }
    unsetenv("WEIR_FAULTS");
    assert_int_equal(weir_address_parse("fault+shm://lab/x", &place, &err), WEIR_EADDRESS);
    assert_int_equal(weir_address_parse("shm://lab/x?fault=delay:0.5", &place, &err), WEIR_EADDRESS);
}

static void test_forms_of_the_option(void **state) {
    static const char *const bad[] = {"",         "seed:",     "seed:x",   "delay:2",  "delay:", "delay",
                                      "delay:-1", "pause:0.1", "delay:1,", "delay:1x", ",",      "short:0.1;error:1"};
    struct weir_place place;
    char text[128];
    (void)state;
    assert_int_equal(
        weir_address_parse("fault+sysv://24301?fault=seed:7,error:0.25,again:1,delay:0,disconnect:0.5,short:0.125",
                           &place, NULL),
        WEIR_OK);
    assert_string_equal(place.text, "sysv://0x5eed");
    assert_int_equal(place.fault.seed, 7);
    assert_true(place.fault.error == 0.25 && place.fault.again == 1 && place.fault.delay == 0 &&
                place.fault.disconnect == 0.5 && place.fault.shortness == 0.125);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        weir_error err = {0};
        snprintf(text, sizeof(text), "fault+shm://lab/x?fault=%s", bad[i]);
        assert_int_equal(weir_address_parse(text, &place, &err), WEIR_EADDRESS);
    }
    assert_int_equal(weir_address_parse("fault+fault+shm://lab/x", &place, NULL), WEIR_EADDRESS);
    assert_int_equal(weir_address_parse("fault+://lab/x", &place, NULL), WEIR_EADDRESS);
}

/* ---- short I/O ---- */

static void test_short(void **state) {
    size_t cut = 0;
    (void)state;
    assert_int_equal(weir_short(1000, 1), 1000);
    weir_short_begin(0.5, 3);
    for (int i = 0; i < 1000; i++) {
        size_t size = weir_short(1000, 10);
        assert_in_range(size, 10, 1000);
        cut += size < 1000;
        char bytes[60];
        struct iovec pieces[3] = {{bytes, 10}, {bytes, 20}, {bytes, 30}};
        size_t count = weir_short_pieces(pieces, 3, 11), sum = 0;
        assert_in_range(count, 2, 3);
        for (size_t j = 0; j < count; j++)
            sum += pieces[j].iov_len;
        assert_in_range(sum, 11, 60);
        assert_true(count == 3 || pieces[1].iov_len <= 20);
    }
    assert_in_range(cut, 400, 600);
    assert_int_equal(weir_short(1, 1), 1);
    weir_short_begin(0, 0);
    assert_int_equal(weir_short(1000, 1), 1000);
}

/* ---- errors ---- */

static void test_an_error_changes_nothing(void **state) {
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    weir_error err = {0};
    int64_t sent = 0, errors = 0, got = 0;
    (void)state;
    assert_int_equal(weir_reader_open(address("fault+shm", "?fault=seed:5,error:0.2"), &reader, &err), WEIR_OK);
    assert_int_equal(weir_writer_open(address("fault+shm", "?fault=seed:6,error:0.2"), &writer, &err), WEIR_OK);
    while (sent < 1000) {
        int status = weir_writer_send_bytes(writer, "n", NULL, WEIR_CODEC_RAW, NULL, &sent, sizeof(sent), &err);
        sent += status == WEIR_OK;
        errors += status == WEIR_ESYSTEM;
        assert_true(status == WEIR_OK || (status == WEIR_ESYSTEM && strstr(err.text, "fault=")));
        status = weir_reader_next(reader, 0, &message, &err);
        errors += status == WEIR_ESYSTEM;
        if (status == WEIR_OK)
            assert_memory_equal(weir_message_bytes(message).data, &got, sizeof(got));
        got += status == WEIR_OK;
    }
    while (got < sent) {
        int status = weir_reader_next(reader, SECOND, &message, &err);
        if (status == WEIR_OK)
            assert_memory_equal(weir_message_bytes(message).data, &got, sizeof(got));
        assert_true(status == WEIR_OK || status == WEIR_ESYSTEM);
        got += status == WEIR_OK;
    }
    assert_int_equal(weir_reader_gaps(reader), 0);
    assert_true(errors > 200);
    weir_writer_close(writer);
    weir_reader_close(reader);
}

/* "No room" that is not true: waiting ends at once and nothing is lost; what drop-newest drops is counted. */
static void test_false_alarms(void **state) {
    weir_writer *writer = NULL;
    weir_reader *reader = NULL;
    weir_message *message = NULL;
    (void)state;
    assert_int_equal(weir_reader_open(address("shm", "?max=64K"), &reader, NULL), WEIR_OK);
    assert_int_equal(weir_writer_open(address("fault+shm", "?fault=again:0.3&full=drop-newest"), &writer, NULL),
                     WEIR_OK);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(weir_writer_send_bytes(writer, "n", NULL, WEIR_CODEC_RAW, NULL, &i, sizeof(i), NULL), WEIR_OK);
    uint64_t dropped = weir_writer_dropped(writer), got = 0, gaps = 0;
    assert_true(dropped > 200 && dropped < 400);
    while (weir_reader_next(reader, 0, &message, NULL) == WEIR_OK) {
        got++;
        gaps += weir_message_gap(message);
    }
    assert_int_equal(got, 1000 - dropped);
    assert_in_range(gaps, dropped - 20, dropped); /* those behind the last message have not shown yet */
    weir_writer_close(writer);
    weir_reader_close(reader);
}

/* ---- lost connections ---- */

static int child_send(const char *to) {
    weir_writer *writer = NULL;
    int64_t number = 0;
    if (weir_writer_open(to, &writer, NULL) != WEIR_OK)
        return 1;
    while (number < COUNT) {
        int status = weir_writer_send_bytes(writer, "n", NULL, WEIR_CODEC_RAW, NULL, &number, sizeof(number), NULL);
        if (status != WEIR_OK && status != WEIR_ESYSTEM)
            return 2;
        number += status == WEIR_OK;
        if (number % 100 == 0)
            usleep(1000);
    }
    weir_writer_close(writer);
    return 0;
}

/* A writer that begins when *ret_gate is closed. It is forked while this process has one thread: an end on a socket has
 * others, and a child may then wait for ever for a lock of the sanitizer that one of them had. */
static pid_t start(const char *to, int *ret_gate) {
    int gate[2];
    char byte;
    assert_int_equal(pipe(gate), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? child_send(to) : 3);
    }
    close(gate[0]);
    *ret_gate = gate[1];
    return child;
}

static void finish(pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Read up to the last number, or with a @patience below LONG to what may be the last: a pipe has no history, and what
 * was lost at the end shows in no later message. Every number comes once or is counted as missed. Return: how many were
 * missed. */
static uint64_t read_all(weir_reader *reader, int64_t patience) {
    weir_message *message = NULL;
    weir_error err = {0};
    int64_t last = -1, number;
    uint64_t gaps = 0, got = 0;
    while (last < COUNT - 1) {
        int status = weir_reader_next(reader, patience, &message, &err);
        if (status == WEIR_ESYSTEM)
            continue;
        if (status == WEIR_ETIMEOUT && patience < LONG)
            break;
        if (status != WEIR_OK)
            fail_msg("%s: %s, after %lld", weir_err_name(status), err.text, (long long)last);
        memcpy(&number, weir_message_bytes(message).data, sizeof(number));
        if (last >= 0) /* before the first nobody is promised anything */
            assert_int_equal(number - last - 1, weir_message_gap(message));
        gaps += last >= 0 ? weir_message_gap(message) : 0;
        assert_true(number > last);
        last = number;
        got++;
    }
    assert_true(got + gaps <= COUNT && got > COUNT / 10);
    return gaps;
}

static void losing_reader(const char *scheme, const char *options, const char *write_options, int must_lose) {
    char faulty[32];
    weir_reader *reader = NULL;
    weir_error err = {0};
    int gate;
    snprintf(faulty, sizeof(faulty), "fault+%s", scheme);
    pid_t child = start(address(scheme, write_options), &gate);
    if (weir_reader_open(address(faulty, options), &reader, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    close(gate);
    uint64_t gaps = read_all(reader, strcmp(scheme, "fifo") == 0 ? 3 * SECOND : LONG);
    finish(child);
    print_message("%s: %llu missed and counted\n", scheme, (unsigned long long)gaps);
    assert_true(!must_lose || gaps > 0);
    weir_reader_close(reader);
}

static void test_readers_that_lose_their_connection(void **state) {
    (void)state;
    static const char faults[] = "?fault=seed:9,error:0.05,disconnect:0.05";
    losing_reader("shm", faults, "?readers=1", 0);
    losing_reader("file", faults, "", 0); /* a log keeps everything */
    losing_reader("fifo", faults, "?readers=1&capacity=64K", 0);
}

/* A ring that is too small for what comes while nobody holds the writer back. */
static void test_what_a_lost_reader_misses_is_counted(void **state) {
    (void)state;
    losing_reader("shm", "?observe=1&fault=seed:9,disconnect:0.2,delay:0.3", "?capacity=4K&full=drop-oldest&readers=0",
                  1);
}

static void losing_writer(const char *scheme, const char *options) {
    char faulty[32];
    weir_reader *reader = NULL;
    int gate;
    snprintf(faulty, sizeof(faulty), "fault+%s", scheme);
    pid_t child = start(address(faulty, options), &gate);
    assert_int_equal(weir_reader_open(address(scheme, ""), &reader, NULL), WEIR_OK);
    close(gate);
    assert_int_equal(read_all(reader, LONG), 0);
    finish(child);
    weir_reader_close(reader);
}

/* Where each wait says that there is something, and there never is, time passes all the same. */
static void test_waits_in_vain_have_deadlines(void **state) {
    static const char *const schemes[] = {"shm", "unix", "file", "fifo"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char faulty[32];
        weir_reader *reader = NULL;
        weir_writer *writer = NULL;
        weir_message *message = NULL;
        weir_error err = {0};
        snprintf(faulty, sizeof(faulty), "fault+%s", schemes[i]);
        alarm(60);
        assert_int_equal(weir_reader_open(address(faulty, "?fault=again:1"), &reader, &err), WEIR_OK);
        assert_int_equal(weir_writer_open(address(schemes[i], ""), &writer, &err), WEIR_OK);
        assert_int_equal(weir_writer_wait_readers(writer, 1, LONG, &err), WEIR_OK);
        assert_int_equal(weir_writer_send(writer, "x", NULL, NULL, &err), WEIR_OK);
        assert_int_equal(weir_reader_next(reader, SECOND / 10, &message, &err), WEIR_ETIMEOUT);
        assert_non_null(strstr(err.text, "no message came in time"));
        weir_writer_close(writer);
        assert_int_equal(weir_writer_open(address(faulty, "?fault=again:1&timeout=100ms"), &writer, &err), WEIR_OK);
        assert_int_equal(weir_writer_send(writer, "x", NULL, NULL, &err), WEIR_ETIMEOUT);
        assert_non_null(strstr(err.text, "no room"));
        weir_writer_close(writer);
        weir_reader_close(reader);
        alarm(0);
    }
}

/* A writer that comes back loses nothing: closing waits for the readers, and the count goes on or begins anew. */
static void test_writers_that_lose_their_connection(void **state) {
    (void)state;
    static const char faults[] = "?fault=seed:4,error:0.02,disconnect:0.02,again:0.1&readers=1";
    losing_writer("shm", faults);
    losing_writer("unix", faults);
    losing_writer("file", faults);
    losing_writer("fifo", faults);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_when_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forms_of_the_option, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_error_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_false_alarms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_in_vain_have_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readers_that_lose_their_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_lost_reader_misses_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writers_that_lose_their_connection, setup, teardown),
    };
    if (getenv("WEIR_TEST_FILTER"))
        cmocka_set_test_filter(getenv("WEIR_TEST_FILTER"));
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
