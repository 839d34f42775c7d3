/* Calls on every transport: requests and their replies, errors, deadlines, deaths. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "transport/transport.h"

enum { CLIENTS = 4, CALLS = 300, BURST = 100, WORKERS = 3 };

static weir_client *open_client(const char *address) {
    weir_client *client = NULL;
    weir_error err = {0};
    if (weir_client_open(address, &client, &err) != WEIR_OK)
        fail_msg("%s: %s", weir_err_name(err.code), err.text);
    return client;
}

/* Answer "double" with twice the number and "fail" with an error; "die" kills the server; anything else is never
 * answered. */
static void serve_one(weir_server *server, weir_message *request) {
    weir_doc *doc = NULL;
    const weir_value *data = NULL, *root;
    int64_t number = 0;
    weir_view op = weir_message_op(request);
    if (op.size == 3 && memcmp(op.data, "die", 3) == 0)
        raise(SIGKILL);
    if (op.size == 4 && memcmp(op.data, "fail", 4) == 0) {
        CHECK(weir_server_fail(server, request, 42, "the pump is off", NULL) == WEIR_OK);
        return;
    }
    if (op.size != 6 || memcmp(op.data, "double", 6) != 0)
        return;
    CHECK(weir_message_data(request, &data, NULL) == WEIR_OK);
    CHECK(weir_get_i64(data, NULL, &number) == WEIR_OK);
    CHECK(weir_doc_new(&doc) == WEIR_OK);
    CHECK(weir_pack(doc, &root, NULL, "i", (long)(2 * number)) == WEIR_OK);
    CHECK(weir_server_reply(server, request, NULL, root, NULL) == WEIR_OK);
    weir_doc_free(doc);
}

static int serve(const char *address) {
    weir_server *server = NULL;
    weir_error err = {0};
    int status = weir_server_open(address, &server, &err);
    if (status)
        fprintf(stderr, "server: %s\n", err.text);
    CHECK(status == WEIR_OK);
    for (;;) {
        weir_message *request;
        status = weir_server_next(server, 30 * SECOND, &request, &err);
        if (status)
            fprintf(stderr, "server: %s\n", err.text);
        CHECK(status == WEIR_OK);
        serve_one(server, request);
    }
    return 0;
}

static void stop(pid_t server) {
    kill(server, SIGKILL);
    finish(server, -SIGKILL);
}

static int call(weir_client *client, const char *op, int64_t number, int64_t timeout_ns, int64_t *ret,
                weir_error *err) {
    weir_doc *doc = NULL;
    weir_message *reply = NULL;
    const weir_value *root, *data = NULL;
    int status = weir_doc_new(&doc);
    if (status == WEIR_OK)
        status = weir_pack(doc, &root, NULL, "i", (long)number);
    if (status == WEIR_OK)
        status = weir_client_call(client, op, NULL, root, timeout_ns, &reply, err);
    if (status == WEIR_OK)
        status = weir_message_data(reply, &data, err);
    if (status == WEIR_OK)
        status = weir_get_i64(data, NULL, ret);
    weir_doc_free(doc);
    return status;
}

static void test_a_call_is_answered(void **state) {
    char where[256];
    int64_t answer = 0;
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    weir_client *client = open_client(where);
    for (int64_t i = 0; i < 50; i++) {
        assert_int_equal(call(client, "double", i, 10 * SECOND, &answer, NULL), WEIR_OK);
        assert_int_equal(answer, 2 * i);
    }
    weir_client_close(client);
    stop(server);
}

static void test_a_client_may_come_first(void **state) {
    char where[256];
    int64_t answer = 0;
    weir_message *reply = NULL;
    weir_doc *doc = NULL;
    const weir_value *root, *data = NULL;
    strcpy(where, address(*state, "s", ""));
    weir_client *client = open_client(where);
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_pack(doc, &root, NULL, "i", 21L), WEIR_OK);
    assert_int_equal(weir_client_receive(client, 0, &reply, NULL), WEIR_EINVAL);
    assert_int_equal(weir_client_send(client, "double", NULL, root, NULL), WEIR_OK);
    assert_int_equal(weir_client_receive(client, SECOND / 50, &reply, NULL), WEIR_ETIMEOUT);
    pid_t server = start(serve, where);
    assert_int_equal(weir_client_receive(client, 10 * SECOND, &reply, NULL), WEIR_OK);
    assert_int_equal(weir_message_data(reply, &data, NULL), WEIR_OK);
    assert_int_equal(weir_get_i64(data, NULL, &answer), WEIR_OK);
    assert_int_equal(answer, 42);
    weir_doc_free(doc);
    weir_client_close(client);
    stop(server);
}

static void test_errors_carry_the_servers_sentence(void **state) {
    char where[256];
    int64_t answer = 0;
    weir_error err = {0};
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    weir_client *client = open_client(where);
    assert_int_equal(call(client, "fail", 1, 10 * SECOND, &answer, &err), WEIR_EREMOTE);
    assert_string_equal(err.text, "the pump is off");
    assert_int_equal(err.sys_errno, 42);
    assert_int_equal(call(client, "double", 1, 10 * SECOND, &answer, NULL), WEIR_OK);
    weir_client_close(client);
    stop(server);
}

static void test_deadlines(void **state) {
    char where[256];
    int64_t answer = 0;
    weir_error err = {0};
    strcpy(where, address(*state, "s", ""));
    weir_client *client = open_client(where);
    assert_int_equal(call(client, "double", 1, SECOND / 20, &answer, &err), WEIR_ETIMEOUT);
    assert_non_null(strstr(err.text, "nobody serves"));
    pid_t server = start(serve, where);
    assert_int_equal(call(client, "double", 4, 10 * SECOND, &answer, NULL), WEIR_OK);
    assert_int_equal(answer, 8);
    assert_int_equal(call(client, "unknown", 1, SECOND / 20, &answer, &err), WEIR_ETIMEOUT);
    assert_int_equal(call(client, "double", 5, 10 * SECOND, &answer, NULL), WEIR_OK);
    assert_int_equal(answer, 10);
    weir_client_close(client);
    stop(server);
}

static void test_a_dying_server_is_noticed_and_its_successor_found(void **state) {
    char where[256];
    int64_t answer = 0;
    strcpy(where, address(*state, "s", ""));
    weir_client *client = open_client(where);
    for (int64_t round = 1; round <= 3; round++) {
        pid_t server = start(serve, where);
        assert_int_equal(call(client, "double", round, 10 * SECOND, &answer, NULL), WEIR_OK);
        assert_int_equal(answer, 2 * round);
        assert_int_equal(call(client, "die", 1, 10 * SECOND, &answer, NULL), WEIR_EPEER);
        finish(server, -SIGKILL);
    }
    weir_client_close(client);
}

static int call_many(const char *address) {
    weir_client *client = NULL;
    CHECK(weir_client_open(address, &client, NULL) == WEIR_OK);
    for (int64_t i = 0; i < CALLS; i++) {
        int64_t answer = 0, number = i * 1000 + getpid() % 1000;
        CHECK(call(client, "double", number, 20 * SECOND, &answer, NULL) == WEIR_OK);
        CHECK(answer == 2 * number);
    }
    weir_client_close(client);
    return 0;
}

static void test_many_clients_get_their_own_replies(void **state) {
    char where[256];
    pid_t clients[CLIENTS];
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start(call_many, where);
    for (int i = 0; i < CLIENTS; i++)
        finish(clients[i], 0);
    stop(server);
}

/* ---- many calls of one client ---- */

static uint64_t ask(weir_client *client, const char *op, int64_t number) {
    weir_doc *doc = NULL;
    const weir_value *root;
    weir_error err = {0};
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_pack(doc, &root, NULL, "i", (long)number), WEIR_OK);
    if (weir_client_send(client, op, NULL, root, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    weir_doc_free(doc);
    return weir_client_id(client);
}

static int64_t number_of(weir_message *message) {
    const weir_value *data = NULL;
    int64_t number = 0;
    assert_int_equal(weir_message_data(message, &data, NULL), WEIR_OK);
    assert_int_equal(weir_get_i64(data, NULL, &number), WEIR_OK);
    return number;
}

static void test_many_requests_of_one_client(void **state) {
    char where[256];
    weir_message *reply = NULL;
    uint64_t ids[BURST];
    strcpy(where, address(*state, "s", ""));
    weir_client *client = open_client(where);
    /* The first half is sent before anybody serves. */
    for (int i = 0; i < BURST / 2; i++)
        ids[i] = ask(client, "double", i);
    pid_t server = start(serve, where);
    assert_int_equal(weir_client_receive_id(client, ids[3], 20 * SECOND, &reply, NULL), WEIR_OK);
    assert_int_equal(number_of(reply), 6);
    for (int i = BURST / 2; i < BURST; i++)
        ids[i] = ask(client, "double", i);
    assert_int_equal(weir_client_under_way(client), BURST - 1);
    assert_int_equal(weir_client_receive_id(client, ids[BURST - 1], 20 * SECOND, &reply, NULL), WEIR_OK);
    assert_int_equal(number_of(reply), 2 * (BURST - 1));
    assert_int_equal(weir_client_receive_id(client, ids[3], 0, &reply, NULL), WEIR_EINVAL);
    for (int left = BURST - 2; left > 0; left--) {
        assert_int_equal(weir_client_receive(client, 20 * SECOND, &reply, NULL), WEIR_OK);
        int i = (int)number_of(reply) / 2;
        assert_true(i >= 0 && i < BURST && ids[i] != 0);
        assert_int_equal(weir_client_id(client), ids[i]);
        assert_int_equal(weir_message_id(reply), ids[i]);
        ids[i] = 0; /* none twice */
    }
    assert_int_equal(weir_client_under_way(client), 0);
    assert_int_equal(weir_client_receive(client, 0, &reply, NULL), WEIR_EINVAL);
    weir_client_close(client);
    stop(server);
}

static void test_all_that_died_with_the_server_are_told(void **state) {
    char where[256];
    int64_t answer = 0;
    weir_message *reply = NULL;
    uint64_t ids[4];
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    weir_client *client = open_client(where);
    assert_int_equal(call(client, "double", 1, 10 * SECOND, &answer, NULL), WEIR_OK);
    for (int i = 0; i < 3; i++)
        ids[i] = ask(client, "silence", i);
    ids[3] = ask(client, "die", 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(weir_client_receive(client, 10 * SECOND, &reply, NULL), WEIR_EPEER);
        assert_int_equal(weir_client_id(client), ids[i]);
    }
    assert_int_equal(weir_client_under_way(client), 0);
    finish(server, -SIGKILL);
    server = start(serve, where);
    assert_int_equal(call(client, "double", 5, 10 * SECOND, &answer, NULL), WEIR_OK);
    assert_int_equal(answer, 10);
    weir_client_close(client);
    stop(server);
}

/* Also those that were sent before a reply that came. */
static void test_a_reply_does_not_hide_a_death(void **state) {
    char where[256];
    weir_message *reply = NULL;
    uint64_t ids[3];
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    weir_client *client = open_client(where);
    ids[0] = ask(client, "silence", 0);
    ids[1] = ask(client, "double", 1);
    ids[2] = ask(client, "silence", 2);
    assert_int_equal(weir_client_receive_id(client, ids[1], 10 * SECOND, &reply, NULL), WEIR_OK);
    stop(server);
    assert_int_equal(weir_client_receive(client, 10 * SECOND, &reply, NULL), WEIR_EPEER);
    assert_int_equal(weir_client_id(client), ids[0]);
    assert_int_equal(weir_client_receive_id(client, ids[2], 10 * SECOND, &reply, NULL), WEIR_EPEER);
    assert_int_equal(weir_client_receive(client, 0, &reply, NULL), WEIR_EINVAL);
    weir_client_close(client);
}

/* What was answered before the death is no casualty of it, also when the next request is what the death shows at. */
static void test_a_reply_outlives_its_server(void **state) {
    char where[256];
    weir_message *reply = NULL;
    int64_t answer = 0;
    uint64_t ids[3];
    struct pollfd item = {.events = POLLIN};
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve, where);
    weir_client *client = open_client(where);
    assert_int_equal(call(client, "double", 0, 10 * SECOND, &answer, NULL), WEIR_OK);
    ids[0] = ask(client, "double", 1);
    assert_int_equal(weir_client_fd(client, &item.fd, NULL), WEIR_OK);
    assert_int_equal(poll(&item, 1, 10000), 1); /* the reply has come */
    ids[1] = ask(client, "die", 0);
    finish(server, -SIGKILL);
    ids[2] = ask(client, "double", 2);
    assert_int_equal(weir_client_receive_id(client, ids[0], 10 * SECOND, &reply, NULL), WEIR_OK);
    assert_int_equal(weir_client_receive_id(client, ids[1], 10 * SECOND, &reply, NULL), WEIR_EPEER);
    assert_int_equal(weir_client_cancel(client, ids[2], NULL), WEIR_OK);
    weir_client_close(client);
}

/* More than there is room for, kept while nobody serves; a look without waiting loses none. */
static void test_what_has_no_room_waits(void **state) {
    enum { LARGE = 40000, LARGE_COUNT = 12 };
    char where[256], *text = malloc(LARGE);
    weir_message *reply = NULL;
    weir_doc *doc = NULL;
    const weir_value *root;
    strcpy(where, address(*state, "s", "?capacity=65536&max=49152"));
    assert_non_null(text);
    memset(text, 'x', LARGE - 1);
    text[LARGE - 1] = 0;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_pack(doc, &root, NULL, "s", text), WEIR_OK);
    weir_client *client = open_client(where);
    for (int i = 0; i < LARGE_COUNT; i++)
        assert_int_equal(weir_client_send(client, "fail", NULL, root, NULL), WEIR_OK);
    pid_t server = start(serve, where);
    for (int i = 0, answers = 0; answers < LARGE_COUNT; i++) {
        int status = weir_client_receive(client, i % 2 ? SECOND / 20 : 0, &reply, NULL);
        assert_true(status == WEIR_EREMOTE || status == WEIR_ETIMEOUT);
        assert_true(i < 4000);
        answers += status == WEIR_EREMOTE;
    }
    assert_int_equal(weir_client_under_way(client), 0);
    weir_client_close(client);
    weir_doc_free(doc);
    free(text);
    stop(server);
}

static int read_on(const char *where) {
    weir_message *message;
    weir_reader *reader = open_reader(where);
    while (weir_reader_next(reader, 60 * SECOND, &message, NULL) == WEIR_OK)
        continue;
    return 0;
}

/* Where somebody is who does not serve, nobody has taken a request, so none is lost: all go to the server that comes
 * after him, once and in order. */
static void test_who_does_not_serve_takes_nothing(void **state) {
    char where[256];
    int64_t answer = 0;
    weir_message *reply = NULL;
    weir_error err = {0};
    uint64_t ids[5];
    strcpy(where, address(*state, "s", ""));
    weir_client *early = open_client(where);
    pid_t reader = start(read_on, where);
    weir_client *client = open_client(where);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(i == 1 ? early : client, "double", 1, SECOND / 2, &answer, &err), WEIR_ETIMEOUT);
        assert_non_null(strstr(err.text, "nobody serves"));
    }
    for (int i = 0; i < 4; i++)
        ids[i] = ask(client, "double", i);
    assert_int_equal(weir_client_receive(client, SECOND / 2, &reply, &err), WEIR_ETIMEOUT);
    assert_non_null(strstr(err.text, "nobody serves"));
    ids[4] = ask(client, "double", 4);
    assert_int_equal(weir_client_cancel(client, ids[1], NULL), WEIR_OK);
    assert_int_equal(weir_client_receive(client, 0, &reply, NULL), WEIR_ETIMEOUT);
    stop(reader);
    pid_t server = start(serve, where);
    for (int i = 0; i < 5; i++) {
        if (i == 1)
            continue;
        if (weir_client_receive(client, 20 * SECOND, &reply, &err) != WEIR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(weir_message_id(reply), ids[i]);
        assert_int_equal(number_of(reply), 2 * i);
    }
    assert_int_equal(weir_client_receive(client, 0, &reply, NULL), WEIR_EINVAL);
    assert_int_equal(call(early, "double", 21, 20 * SECOND, &answer, NULL), WEIR_OK);
    assert_int_equal(answer, 42);
    assert_int_equal(call(early, "die", 1, 20 * SECOND, &answer, NULL), WEIR_EPEER);
    finish(server, -SIGKILL);
    weir_client_close(early);
    weir_client_close(client);
}

static weir_message *next_request(weir_server *server) {
    weir_message *request = NULL, *copy = NULL;
    weir_error err = {0};
    if (weir_server_next(server, 10 * SECOND, &request, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(weir_message_copy(request, &copy), WEIR_OK);
    return copy;
}

static void await_cancelled(weir_server *server, const weir_message *request) {
    for (int i = 0; i < 2000 && !weir_server_is_cancelled(server, request); i++)
        usleep(5000);
    assert_true(weir_server_is_cancelled(server, request));
}

static void test_a_request_is_taken_back(void **state) {
    char where[256];
    weir_server *server = NULL;
    weir_message *reply = NULL;
    strcpy(where, address(*state, "s", "?keep=0"));
    assert_int_equal(weir_server_open(where, &server, NULL), WEIR_OK);
    weir_client *client = open_client(where);
    /* Over a socket the two must meet first, for which both have to do something. */
    uint64_t first = ask(client, "a", 1), second = ask(client, "b", 2), third = ask(client, "c", 3);
    for (int i = 0; i < 500 && weir_client_receive(client, SECOND / 100, &reply, NULL) == WEIR_ETIMEOUT; i++) {
        weir_wait_item item = {.server = server};
        if (weir_wait(&item, 1, SECOND / 100, NULL) == WEIR_OK)
            break;
    }
    weir_message *request = next_request(server);
    assert_int_equal(weir_message_id(request), first);
    assert_false(weir_server_is_cancelled(server, request));
    assert_int_equal(weir_client_cancel(client, first, NULL), WEIR_OK);
    assert_int_equal(weir_client_cancel(client, second, NULL), WEIR_OK);
    assert_int_equal(weir_client_cancel(client, second, NULL), WEIR_EINVAL);
    await_cancelled(server, request);
    assert_int_equal(weir_server_reply(server, request, NULL, NULL, NULL), WEIR_OK);
    weir_message_free(request);
    /* Its cancelling came behind that of the first: it may have to be waited for. */
    request = next_request(server);
    if (weir_message_id(request) == second) {
        await_cancelled(server, request);
        weir_message_free(request);
        request = next_request(server);
    }
    assert_int_equal(weir_message_id(request), third);
    assert_false(weir_server_is_cancelled(server, request));
    assert_int_equal(weir_server_reply(server, request, NULL, NULL, NULL), WEIR_OK);
    assert_int_equal(weir_client_receive(client, 10 * SECOND, &reply, NULL), WEIR_OK);
    assert_int_equal(weir_message_id(reply), third);
    assert_int_equal(weir_client_under_way(client), 0);
    weir_message_free(request);
    weir_client_close(client);
    weir_server_close(server);
}

/* Ask, and die without another word. */
static pid_t ask_in_child(const char *where) {
    weir_error err = {0};
    pid_t child = fork();
    if (child != 0)
        return child;
    weir_client *client = NULL;
    weir_message *reply = NULL;
    if (weir_client_open(where, &client, &err) || weir_client_call(client, "a", NULL, NULL, 60 * SECOND, &reply, &err))
        fprintf(stderr, "%s\n", err.text);
    _exit(1);
}

static void test_a_client_that_dies_takes_its_requests_back(void **state) {
    char where[256];
    weir_server *server = NULL;
    strcpy(where, address(*state, "s", "?keep=0"));
    assert_int_equal(weir_server_open(where, &server, NULL), WEIR_OK);
    pid_t child = ask_in_child(where);
    assert_true(child > 0);
    weir_message *request = next_request(server);
    assert_false(weir_server_is_cancelled(server, request));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    await_cancelled(server, request);
    assert_int_equal(weir_server_reply(server, request, NULL, NULL, NULL), WEIR_OK); /* nobody is no error */
    weir_message_free(request);
    weir_server_close(server);
}

/* ---- a server with workers ---- */

/* Each answers with its own number, and ends at op "end". The first keeps its first request until another worker has
 * answered one, so that more than one must be at work. */
struct worker {
    weir_server *server;
    int number;
    int served;
    _Atomic(int) *served_by_others;
};

static void *work(void *user) {
    struct worker *worker = user;
    for (;;) {
        weir_message *request = NULL;
        weir_doc *doc = NULL;
        const weir_value *root = NULL;
        CHECK(weir_server_next(worker->server, 60 * SECOND, &request, NULL) == WEIR_OK);
        weir_view op = weir_message_op(request);
        int is_end = op.size == 3 && memcmp(op.data, "end", 3) == 0;
        if (worker->number == 0 && worker->served == 0 && !is_end)
            for (int i = 0; i < 10000 && atomic_load(worker->served_by_others) == 0; i++)
                usleep(1000);
        CHECK(weir_doc_new(&doc) == WEIR_OK);
        CHECK(weir_pack(doc, &root, NULL, "i", (long)worker->number) == WEIR_OK);
        CHECK(weir_server_reply(worker->server, request, NULL, root, NULL) == WEIR_OK);
        weir_doc_free(doc);
        worker->served += !is_end;
        if (worker->number != 0)
            atomic_fetch_add(worker->served_by_others, 1);
        if (is_end)
            return NULL;
    }
}

static int serve_with_workers(const char *address) {
    struct worker workers[WORKERS] = {0};
    _Atomic(int) served_by_others = 0;
    pthread_t threads[WORKERS];
    int served = 0;
    CHECK(weir_server_open(address, &workers[0].server, NULL) == WEIR_OK);
    for (int i = 1; i < WORKERS; i++)
        CHECK(weir_server_worker(workers[0].server, &workers[i].server, NULL) == WEIR_OK);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        workers[i].served_by_others = &served_by_others;
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        served += workers[i].served;
    }
    for (int i = 0; i < WORKERS; i++)
        weir_server_close(workers[i].server);
    return served == CLIENTS * BURST ? 0 : 1; /* each request went to exactly one */
}

static int ask_workers(const char *address) {
    weir_client *client = NULL;
    weir_message *reply = NULL;
    CHECK(weir_client_open(address, &client, NULL) == WEIR_OK);
    for (int i = 0; i < BURST; i++)
        CHECK(weir_client_send(client, "work", NULL, NULL, NULL) == WEIR_OK);
    for (int i = 0; i < BURST; i++)
        CHECK(weir_client_receive(client, 60 * SECOND, &reply, NULL) == WEIR_OK);
    weir_client_close(client);
    return 0;
}

static void test_each_request_goes_to_one_worker(void **state) {
    char where[256];
    pid_t clients[CLIENTS];
    int64_t answer;
    strcpy(where, address(*state, "s", ""));
    pid_t server = start(serve_with_workers, where);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start(ask_workers, where);
    for (int i = 0; i < CLIENTS; i++)
        finish(clients[i], 0);
    weir_client *client = open_client(where);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(call(client, "end", 0, 60 * SECOND, &answer, NULL), WEIR_OK);
    weir_client_close(client);
    finish(server, 0);
}

static void test_one_server_an_address(void **state) {
    weir_server *first = NULL, *second = NULL;
    weir_error err = {0};
    const char *where = address(*state, "s", "?keep=0");
    assert_int_equal(weir_server_open(where, &first, NULL), WEIR_OK);
    assert_int_equal(weir_server_open(where, &second, &err), WEIR_EBUSY);
    assert_true(strlen(err.text) > 10);
    weir_server_close(first);
    assert_int_equal(weir_server_open(where, &second, NULL), WEIR_OK);
    weir_server_close(second);
    assert_int_equal(count_things(*state), 0);
}

int main(void) {
    const struct conformance_case cases[] = {
        CONFORMANCE(test_a_call_is_answered),
        CONFORMANCE(test_a_client_may_come_first),
        CONFORMANCE(test_errors_carry_the_servers_sentence),
        CONFORMANCE(test_deadlines),
        CONFORMANCE(test_a_dying_server_is_noticed_and_its_successor_found),
        CONFORMANCE(test_many_clients_get_their_own_replies),
        CONFORMANCE(test_many_requests_of_one_client),
        CONFORMANCE(test_all_that_died_with_the_server_are_told),
        CONFORMANCE(test_a_reply_does_not_hide_a_death),
        CONFORMANCE(test_a_reply_outlives_its_server),
        CONFORMANCE(test_what_has_no_room_waits),
        CONFORMANCE(test_who_does_not_serve_takes_nothing),
        CONFORMANCE(test_a_request_is_taken_back),
        CONFORMANCE_OF(test_a_client_that_dies_takes_its_requests_back, WEIR_TRAIT_BOUNDED, 0),
        CONFORMANCE(test_each_request_goes_to_one_worker),
        CONFORMANCE(test_one_server_an_address),
    };
    return conformance_run("call", cases, sizeof(cases) / sizeof(cases[0]));
}
