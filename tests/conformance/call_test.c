/* Calls on every transport: requests and their replies, errors, deadlines, deaths. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

enum { CLIENTS = 4, CALLS = 300 };

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

static int call(weir_client *client, const char *op, int64_t number, int64_t timeout_ns, int64_t *ret, weir_error *err) {
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

#define CASE(function) {#function, function, 0, 0}

int main(void) {
    const struct conformance_case cases[] = {
        CASE(test_a_call_is_answered),
        CASE(test_a_client_may_come_first),
        CASE(test_errors_carry_the_servers_sentence),
        CASE(test_deadlines),
        CASE(test_a_dying_server_is_noticed_and_its_successor_found),
        CASE(test_many_clients_get_their_own_replies),
        CASE(test_one_server_an_address),
    };
    return conformance_run("call", cases, sizeof(cases) / sizeof(cases[0]));
}
