/* weir call: ask a server, print its reply. The call is made in its two halves, so that Ctrl-C ends the wait, and takes
 * the request back, as the end of --timeout does. */
#include <string.h>

#include "cli.h"

static struct {
    int64_t timeout_ns;
    const char *meta;
    int is_json, must_retry;
} args = {.timeout_ns = INT64_C(10000000000)};

static const struct cli_option options[] = {
    {"timeout", CLI_DURATION, &args.timeout_ns, "D", "how long to wait for the reply (default 10s)"},
    {"meta", CLI_TEXT, &args.meta, "JSON", "metadata of the request, a JSON object"},
    {"retry", CLI_FLAG, &args.must_retry, NULL,
     "when the server dies meanwhile, ask again: for what may be done twice"},
    {"json", CLI_FLAG, &args.is_json, NULL, "the whole reply as one JSON object"},
    {0},
};

struct request {
    weir_doc *data_doc, *meta_doc;
    const weir_value *data, *meta;
};

static int request_read(struct request *request, const char *data) {
    int exit = CLI_OK;
    if (weir_doc_new(&request->data_doc) || weir_doc_new(&request->meta_doc))
        return cli_fail(CLI_FAILURE, "out of memory");
    if (data)
        exit = cli_json(data, strlen(data), "DATA", CLI_TEXT_WANTED, request->data_doc, &request->data);
    if (exit == CLI_OK && args.meta)
        exit = cli_json(args.meta, strlen(args.meta), "--meta", CLI_OBJECT_WANTED, request->meta_doc, &request->meta);
    if (exit == CLI_OK && args.meta && weir_value_kind(request->meta) != WEIR_KIND_MAP)
        return cli_fail(CLI_ENCODING, "--meta must be a JSON object such as {\"unit\":\"V\"}");
    return exit;
}

static int reply_print(weir_message *reply) {
    const weir_value *data = NULL;
    weir_error err = {0};
    if (args.is_json)
        return cli_print_message(reply);
    int status = weir_message_data(reply, &data, &err);
    return status ? cli_error(status, &err) : cli_print_value(data, WEIR_PLAIN);
}

/* Ask once. Return: enum weir_err. */
static int ask(weir_client *client, const char *op, const struct request *request, int64_t deadline, weir_message **ret,
               weir_error *err) {
    int status = weir_client_send(client, op, request->meta, request->data, err);
    if (status)
        return status;
    do
        status = weir_client_receive(client, cli_slice(deadline), ret, err);
    while (cli_keep_waiting(status, deadline));
    if (status == WEIR_ETIMEOUT)
        weir_client_cancel(client, weir_client_id(client), NULL);
    return status;
}

static int call(weir_client *client, const char *op, const struct request *request) {
    weir_message *reply = NULL;
    weir_error err = {0};
    int64_t deadline = cli_deadline(args.timeout_ns);
    int status;
    do
        status = ask(client, op, request, deadline, &reply, &err);
    while (status == WEIR_EPEER && args.must_retry && !cli_is_interrupted());
    if (status == WEIR_ETIMEOUT && cli_is_interrupted())
        return CLI_SIGNAL + cli_is_interrupted();
    return status ? cli_error(status, &err) : reply_print(reply);
}

static int run(int argc, char **argv) {
    struct request request = {0};
    weir_client *client = NULL;
    weir_error err = {0};
    int exit = request_read(&request, argc > 2 ? argv[2] : NULL);
    if (exit == CLI_OK) {
        int status = weir_client_open(argv[0], &client, &err);
        cli_signals_begin();
        exit = status ? cli_error(status, &err) : call(client, argv[1], &request);
    }
    weir_client_close(client);
    weir_doc_free(request.data_doc);
    weir_doc_free(request.meta_doc);
    return exit;
}

const struct cli_command cli_call = {
    .name = "call",
    .summary = "ask a server and print its reply",
    .usage = "ADDR OP [DATA] [--timeout D] [--meta JSON] [--retry] [--json]",
    .examples = "  weir call lab/fft transform '[1,2,3,4]'\n"
                "  weir call lab/motor stop --timeout 500ms\n",
    .options = options,
    .arguments_min = 2,
    .arguments_max = 3,
    .run = run,
};
