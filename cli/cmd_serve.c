/* weir serve: answer calls with a shell command.
 *
 * Each request runs the command once: the request's data as JSON on its stdin, its operation in $WEIR_OP. What it
 * prints is the reply, as JSON where it is JSON and as text otherwise; a command that fails makes the call fail with
 * its last line of stderr. A request that its client takes back ends its command.
 *
 * Workers are threads, each with a handle of the server, buffers and an environment of its own. What must stay true:
 * stdout and stderr are written under `print_lock`, and a worker takes a request only when it has taken one of the N of
 * -n N before. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"

enum { NO_OPERATION = 404, COMMAND_FAILED = 1000 }; /* what clients are told; enum weir_err is below 100 */
enum { WORKERS_MAX = 256 };

static struct {
    const char *op, *command;
    uint64_t count, workers;
    int is_json;
} args = {.workers = 1};

static _Atomic(uint64_t) taken; /* of -n N */
static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct cli_option options[] = {
    {"op", CLI_TEXT, &args.op, "OP", "the operation to serve; others are refused"},
    {"command", CLI_TEXT, &args.command, "CMD", "run by sh: request on stdin, $WEIR_OP, reply on stdout"},
    {"workers", CLI_COUNT, &args.workers, "N", "run up to N commands at the same time (default 1)"},
    {"n", CLI_COUNT, &args.count, "N", "end after N requests"},
    {"json", CLI_FLAG, &args.is_json, NULL, "print a JSON object for each request served"},
    {0},
};

struct service {
    weir_server *server;
    weir_buffer *in, *out, *talk;
    weir_doc *doc;
    const char **environment; /* ours, with WEIR_OP behind it */
    char op[sizeof("WEIR_OP=") + WEIR_OP_MAX];
    weir_message *request; /* the one that is worked on, a copy */
    int is_cancelled;
    pthread_t thread;
    int exit;
};

/* The line that says most about a failure: the last that is not empty. The text's end is cut to it. */
static const char *last_line(weir_buffer *talk, char *line, size_t size) {
    weir_view view = weir_buffer_view(talk);
    size_t end = view.size;
    while (end > 0 && (view.data[end - 1] == '\n' || view.data[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin > 0 && view.data[begin - 1] != '\n')
        begin--;
    snprintf(line, size, "%.*s", (int)(end - begin), end > begin ? view.data + begin : "");
    return line;
}

/* The reply from what the command printed. Return: enum weir_err. */
static int reply_build(struct service *service, const weir_value **ret, weir_error *err) {
    weir_view out = weir_buffer_view(service->out);
    size_t size = out.size;
    while (size > 0 && (out.data[size - 1] == '\n' || out.data[size - 1] == '\r'))
        size--;
    *ret = NULL;
    if (size == 0)
        return WEIR_OK;
    if (weir_decode(service->doc, WEIR_CODEC_JSON, out.data, size, NULL, NULL, NULL) == WEIR_OK) {
        *ret = weir_doc_root(service->doc);
        return WEIR_OK;
    }
    weir_doc_clear(service->doc);
    weir_refer_text(service->doc, out.data, size);
    if (weir_doc_finish(service->doc, ret, NULL) == WEIR_OK)
        return WEIR_OK;
    weir_doc_clear(service->doc); /* no UTF-8: bytes as they are */
    weir_refer_bytes(service->doc, out.data, out.size);
    return weir_doc_finish(service->doc, ret, err);
}

static int answer(struct service *service, weir_message *request, int status, weir_error *err) {
    char line[400];
    const weir_value *reply = NULL;
    if (status) {
        if (!*last_line(service->talk, line, sizeof(line)))
            snprintf(line, sizeof(line), "the command ended with %d and said nothing", status);
        return weir_server_fail(service->server, request, COMMAND_FAILED + status, line, err);
    }
    int failure = reply_build(service, &reply, err);
    return failure ? failure : weir_server_reply(service->server, request, NULL, reply, err);
}

/* The request's data as JSON into service->in. */
static int request_encode(struct service *service, weir_message *request, weir_error *err) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    const weir_value *data = NULL;
    plain.flags = WEIR_PLAIN;
    int status = weir_message_data(request, &data, err);
    if (status == WEIR_OK && data)
        status = weir_encode(data, WEIR_CODEC_JSON, &plain, service->in, err);
    return status ? status : weir_buffer_append(service->in, data ? "\n" : "null\n", data ? 1 : 5);
}

static void error_print(int status, const weir_error *err) {
    pthread_mutex_lock(&print_lock);
    cli_error(status, err);
    pthread_mutex_unlock(&print_lock);
}

static void op_refuse(struct service *service, weir_message *request, const char *op) {
    char sentence[600];
    weir_error err = {0};
    snprintf(sentence, sizeof(sentence), "there is no operation \"%s\" here; there is \"%s\"", op, args.op);
    int status = weir_server_fail(service->server, request, NO_OPERATION, sentence, &err);
    if (status)
        error_print(status, &err);
}

static void served_print(struct service *service, const char *op, int status) {
    weir_codec_options plain = WEIR_CODEC_OPTIONS_INIT;
    const weir_value *root = NULL;
    weir_error err = {0};
    plain.flags = WEIR_PLAIN;
    weir_buffer_clear(service->out);
    pthread_mutex_lock(&print_lock);
    if (weir_pack(service->doc, &root, &err, "{s:i s:s s:d}", "v", 1L, "op", op, "status", status) == WEIR_OK &&
        weir_encode(root, WEIR_CODEC_JSON, &plain, service->out, &err) == WEIR_OK)
        cli_print_line(service->out);
    cli_flush();
    pthread_mutex_unlock(&print_lock);
}

/* Asked while a command runs. */
static int is_cancelled(void *user) {
    struct service *service = user;
    service->is_cancelled = weir_server_is_cancelled(service->server, service->request);
    return service->is_cancelled;
}

static void talk_print(weir_view talk) {
    pthread_mutex_lock(&print_lock);
    fwrite(talk.data, 1, talk.size, stderr);
    pthread_mutex_unlock(&print_lock);
}

/* Run the command for a request and answer with what it says. *ret_status: how the command ended, or why it was not
 * run. Return: exit code. */
static int request_execute(struct service *service, weir_message *request, int *ret_status) {
    weir_error err = {0};
    int failure = request_encode(service, request, &err);
    if (failure) {
        *ret_status = cli_exit_of(failure);
        failure = weir_server_fail(service->server, request, failure, err.text, &err);
    } else {
        struct cli_shell shell = {args.command, service->environment, weir_buffer_view(service->in),
                                  service->out, service->talk,        is_cancelled,
                                  service};
        service->is_cancelled = 0;
        int exit = cli_child_run(&shell, ret_status);
        if (exit || cli_is_interrupted())
            return exit ? exit : CLI_SIGNAL + cli_is_interrupted();
        talk_print(weir_buffer_view(service->talk));
        failure = service->is_cancelled ? WEIR_OK : answer(service, request, *ret_status, &err);
    }
    if (failure)
        error_print(failure, &err);
    return CLI_OK;
}

/* One request. Return: exit code; a request that cannot be answered is told and the next one is served. */
static int serve_one(struct service *service, weir_message *request) {
    const char *op = service->op + strlen("WEIR_OP=");
    int status = NO_OPERATION, exit = CLI_OK;
    weir_view view = weir_message_op(request);
    snprintf(service->op, sizeof(service->op), "WEIR_OP=%.*s", (int)view.size, view.data ? view.data : "");
    weir_buffer_clear(service->in);
    weir_buffer_clear(service->out);
    weir_buffer_clear(service->talk);
    if (args.op && strcmp(op, args.op) != 0)
        op_refuse(service, request, op);
    else
        exit = request_execute(service, request, &status);
    if (exit == CLI_OK && args.is_json)
        served_print(service, op, status);
    return exit;
}

/* Wait for the next request, into service->request. Return: exit code. */
static int request_await(struct service *service) {
    weir_message *request = NULL;
    weir_error err = {0};
    for (;;) {
        int status;
        do
            status = weir_server_next(service->server, cli_slice(INT64_MAX), &request, &err);
        while (cli_keep_waiting(status, INT64_MAX));
        if (cli_is_interrupted())
            return CLI_SIGNAL + cli_is_interrupted();
        if (status == WEIR_OK)
            status = weir_message_copy(request, &service->request); /* so that its cancelling can be looked for */
        if (status == WEIR_OK)
            return CLI_OK;
        error_print(status, &err);
        if (status != WEIR_ECORRUPT) /* one client is given up, the others go on */
            return cli_exit_of(status);
    }
}

static void *serve(void *user) {
    struct service *service = user;
    while (service->exit == CLI_OK && (!args.count || atomic_fetch_add(&taken, 1) < args.count)) {
        service->exit = request_await(service);
        if (service->exit == CLI_OK)
            service->exit = serve_one(service, service->request);
        service->request = weir_message_free(service->request);
    }
    return NULL;
}

/* ---- workers ---- */

static int service_init(struct service *service) {
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    service->environment = calloc(count + 2, sizeof(*service->environment));
    if (!service->environment || weir_buffer_new(&service->in) || weir_buffer_new(&service->out) ||
        weir_buffer_new(&service->talk) || weir_doc_new(&service->doc))
        return cli_fail(CLI_FAILURE, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "WEIR_OP=", strlen("WEIR_OP=")) != 0)
            service->environment[kept++] = environ[i];
    service->environment[kept] = service->op;
    return CLI_OK;
}

static void service_fini(struct service *service) {
    weir_server_close(service->server);
    weir_buffer_free(service->in);
    weir_buffer_free(service->out);
    weir_buffer_free(service->talk);
    weir_doc_free(service->doc);
    free(service->environment);
}

/* All handles exist before the first request is taken. */
static int servers_open(struct service *services, size_t count, const char *address) {
    weir_error err = {0};
    int status = weir_server_open(address, &services[0].server, &err);
    for (size_t i = 1; i < count && status == WEIR_OK; i++)
        status = weir_server_worker(services[0].server, &services[i].server, &err);
    return status ? cli_error(status, &err) : CLI_OK;
}

/* The first worker is this thread. Return: exit code. */
static int serve_all(struct service *services, size_t count) {
    size_t started = 1;
    int exit;
    while (started < count && pthread_create(&services[started].thread, NULL, serve, &services[started]) == 0)
        started++;
    if (started < count)
        cli_say("only %zu of %zu workers could be started", started, count);
    serve(&services[0]);
    exit = services[0].exit;
    for (size_t i = 1; i < started; i++) {
        pthread_join(services[i].thread, NULL);
        exit = exit ? exit : services[i].exit;
    }
    return exit;
}

static int run(int argc, char **argv) {
    (void)argc;
    int exit = CLI_OK;
    if (!args.command)
        return cli_fail(CLI_USAGE, "serve: say --command, what answers; usage: weir serve %s", cli_serve.usage);
    if (args.workers > WORKERS_MAX)
        return cli_fail(CLI_USAGE, "--workers is at most %d", WORKERS_MAX);
    struct service *services = calloc(args.workers, sizeof(*services));
    for (size_t i = 0; services && i < args.workers && exit == CLI_OK; i++)
        exit = service_init(&services[i]);
    if (!services)
        return cli_fail(CLI_FAILURE, "out of memory");
    if (exit == CLI_OK)
        exit = servers_open(services, args.workers, argv[0]);
    cli_signals_begin();
    if (exit == CLI_OK)
        exit = serve_all(services, args.workers);
    for (size_t i = 0; i < args.workers; i++)
        service_fini(&services[i]);
    free(services);
    return exit;
}

const struct cli_command cli_serve = {
    .name = "serve",
    .summary = "answer calls with a shell command",
    .usage = "ADDR [--op OP] --command CMD [--workers N] [-n N] [--json]",
    .examples = "  weir serve lab/sum --op sum --command 'jq add' --workers 4\n"
                "  weir call lab/sum sum '[1,2,3]'                  prints 6\n",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
