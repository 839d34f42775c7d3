/* Servers with workers, from inside: whoever leaves, for whatever reason, leaves somebody who looks; and a forked child
 * can let go of handles whose threads it has not got. */
#include "channel/end.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "base/clock.h"
#include "channel/testing.h"

#define SECOND INT64_C(1000000000)
enum { ROUNDS = 50 };

static weir_server *servers[3];

struct waiter {
    weir_server *server;
    int64_t timeout_ns;
    int status;
    int64_t took_ns;
};

static void *next_request(void *user) {
    struct waiter *waiter = user;
    weir_message *request;
    int64_t begun = weir_clock_monotonic();
    waiter->status = weir_server_next(waiter->server, waiter->timeout_ns, &request, NULL);
    waiter->took_ns = weir_clock_monotonic() - begun;
    return NULL;
}

static int setup(void **state) {
    (void)state;
    if (testing_store_make() != 0)
        return -1;
    return weir_server_open("shm://a?keep=0", &servers[0], NULL) || weir_server_worker(servers[0], &servers[1], NULL) ||
           weir_server_worker(servers[0], &servers[2], NULL);
}

static int teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++)
        weir_server_close(servers[i]);
    return testing_store_remove();
}

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Of two that wait one is told of the damage and goes; the other gets the request that comes then. */
static void test_a_worker_that_fails_leaves_another_who_looks(void **state) {
    struct waiter waiters[2] = {{servers[0], 60 * SECOND, 0, 0}, {servers[1], 60 * SECOND, 0, 0}};
    pthread_t threads[2];
    weir_writer *writer = NULL;
    (void)state;
    assert_int_equal(weir_writer_open("shm://a", &writer, NULL), WEIR_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, next_request, &waiters[i]), 0);
    nap_ms(50);                                               /* most often both wait by now */
    testing_send_frame(writer, UINT64_C(0x0100001200000010)); /* a request of 16 bytes, but with a time */
    nap_ms(50);
    testing_send_frame(writer, UINT64_C(0x0000001200000040));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(waiters[0].status + waiters[1].status, WEIR_ECORRUPT);
    for (size_t i = 0; i < 2; i++)
        assert_true(waiters[i].took_ns < 30 * SECOND);
    weir_writer_close(writer);
}

/* Two whose time passes at the same moment, and a third who waits on. */
static void test_workers_whose_time_passes_leave_another_who_looks(void **state) {
    weir_client *client = NULL;
    (void)state;
    assert_int_equal(weir_client_open("shm://a", &client, NULL), WEIR_OK);
    for (int round = 0; round < ROUNDS; round++) {
        struct waiter waiters[3] = {
            {servers[0], SECOND / 100, 0, 0}, {servers[1], SECOND / 100, 0, 0}, {servers[2], 60 * SECOND, 0, 0}};
        pthread_t threads[3];
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, next_request, &waiters[i]), 0);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(weir_client_send(client, "a", NULL, NULL, NULL), WEIR_OK);
        assert_int_equal(pthread_join(threads[2], NULL), 0);
        assert_int_equal(waiters[2].status, WEIR_OK);
        assert_true(waiters[2].took_ns < 30 * SECOND);
        assert_int_equal(weir_client_cancel(client, weir_client_id(client), NULL), WEIR_OK);
    }
    weir_client_close(client);
}

static void test_a_child_lets_go_while_workers_wait(void **state) {
    struct waiter waiters[2] = {{servers[0], SECOND, 0, 0}, {servers[1], SECOND, 0, 0}};
    pthread_t threads[2];
    int status;
    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, next_request, &waiters[i]), 0);
    nap_ms(200); /* most often both wait by now */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(30); /* who is stuck is ended */
        for (size_t i = 0; i < 3; i++)
            weir_server_close(servers[i]);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(waiters[i].status, WEIR_ETIMEOUT);
    }
}

/* ---- a client that does not read ---- */

enum { LARGE = 1 << 20, LARGE_COUNT = 8 };

/* Answer with more than anybody keeps for who does not read, until nothing more comes. */
static void *serve_large(void *user) {
    weir_message *request;
    weir_doc *doc = NULL;
    const weir_value *root;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    unsigned char *bytes = calloc(1, LARGE);
    weir_put_bytes(doc, bytes, LARGE);
    assert_int_equal(weir_doc_finish(doc, &root, NULL), WEIR_OK);
    while (weir_server_next(servers[0], SECOND / 2, &request, NULL) == WEIR_OK) {
        weir_server_reply(servers[0], request, NULL, root, NULL);
        atomic_fetch_add((_Atomic(int) *)user, 1);
    }
    free(bytes);
    weir_doc_free(doc);
    return NULL;
}

/* One worker waits for a client that takes no replies; the other serves the other client. */
static void check_a_slow_client(const char *scheme) {
    char path[] = "/tmp/weir-test-XXXXXX", address[128];
    weir_client *slow = NULL, *quick = NULL;
    weir_message *request, *reply;
    _Atomic(int) answered = 0;
    pthread_t thread;
    assert_non_null(mkdtemp(path));
    snprintf(address, sizeof(address), "%s://%s/s?capacity=64K&timeout=60s", scheme, path);
    assert_int_equal(weir_server_open(address, &servers[0], NULL), WEIR_OK);
    assert_int_equal(weir_server_worker(servers[0], &servers[1], NULL), WEIR_OK);
    assert_int_equal(weir_client_open(address, &slow, NULL), WEIR_OK);
    for (int i = 0; i < LARGE_COUNT; i++)
        assert_int_equal(weir_client_send(slow, "large", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(pthread_create(&thread, NULL, serve_large, &answered), 0);
    for (int i = 0; i < 1000 && answered == 0; i++)
        nap_ms(10);
    nap_ms(200); /* most often it has no room by now */
    assert_in_range(answered, 1, LARGE_COUNT - 1);
    int64_t begun = weir_clock_monotonic();
    assert_int_equal(weir_client_open(address, &quick, NULL), WEIR_OK);
    assert_int_equal(weir_client_send(quick, "small", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_server_next(servers[1], 30 * SECOND, &request, NULL), WEIR_OK);
    while (weir_message_op(request).data[0] != 's') /* one of the large ones */
        assert_int_equal(weir_server_next(servers[1], 30 * SECOND, &request, NULL), WEIR_OK);
    assert_int_equal(weir_server_reply(servers[1], request, NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_client_receive(quick, 30 * SECOND, &reply, NULL), WEIR_OK);
    assert_true(weir_clock_monotonic() - begun < 30 * SECOND);
    assert_in_range(answered, 1, LARGE_COUNT - 1);
    weir_client_close(quick);
    weir_client_close(slow);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weir_server_close(servers[1]);
    weir_server_close(servers[0]);
    snprintf(address, sizeof(address), "rm -r %s", path);
    assert_int_equal(system(address), 0);
}

static void test_a_slow_client_holds_up_one_worker(void **state) {
    (void)state;
    check_a_slow_client("unix");
    check_a_slow_client("fifo");
}

/* ---- memory ---- */

static _Atomic int has_no_memory;
void *__real_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    return has_no_memory ? NULL : __real_calloc(count, size);
}

/* A request that there is no memory for is not lost: the call fails, and a later one hands it out. */
static void test_a_request_without_memory_waits(void **state) {
    weir_client *client;
    weir_message *request, *reply;
    (void)state;
    assert_int_equal(weir_client_open("shm://a", &client, NULL), WEIR_OK);
    assert_int_equal(weir_client_send(client, "first", NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_client_send(client, "second", NULL, NULL, NULL), WEIR_OK);
    has_no_memory = 1;
    int status = weir_server_next(servers[0], SECOND, &request, NULL);
    int again = weir_server_next(servers[1], SECOND, &request, NULL);
    has_no_memory = 0;
    assert_int_equal(status, WEIR_ENOMEM);
    assert_int_equal(again, WEIR_ENOMEM);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_server_next(servers[i], SECOND, &request, NULL), WEIR_OK);
        assert_memory_equal(weir_message_op(request).data, i ? "second" : "first", 5);
        assert_int_equal(weir_server_reply(servers[i], request, NULL, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_client_receive(client, SECOND * 10, &reply, NULL), WEIR_OK);
    }
    weir_client_close(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_worker_that_fails_leaves_another_who_looks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workers_whose_time_passes_leave_another_who_looks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_child_lets_go_while_workers_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_request_without_memory_waits, setup, teardown),
        cmocka_unit_test(test_a_slow_client_holds_up_one_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
