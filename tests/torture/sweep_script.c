/* The program that torture_sweep runs while its system calls fail. See sweep.h.
 *
 * It never looks at what fails: it notes what the library says, and whether the library keeps to that. Timeouts are
 * long beside what a script takes, so a wait that ends by one is told of as an error like any other. */
#include <stdio.h>
#include <string.h>

#include <weir/weir.h>

#include "common.h"
#include "sweep.h"

enum { MESSAGES = 6, WORDS_MAX = 1500, CORKED_FROM = 3 };
#define SECOND INT64_C(1000000000)
static const int64_t patience = 5 * SECOND;

struct script {
    const struct sweep_mechanism *mechanism;
    const char *address;
    uint64_t run;
    struct tally *tally;
    weir_writer *writer;
    weir_reader *reader;
    weir_server *server;
    weir_client *client;
};

/* Return: @status; an error is noted with its sentence. */
static int told(struct script *script, const char *what, int status, weir_error *err) {
    struct tally *tally = script->tally;
    if (status != WEIR_OK) {
        tally->is_told = 1;
        if (err->text[0] == 0 || err->code != status)
            tally->is_mute = 1;
        snprintf(tally->said, sizeof(tally->said), "%.60s: %d %.200s", what, status, err->text);
    }
    *err = (weir_error){0};
    return status;
}
/* Call, with an err of the caller's, which is empty. */
#define TOLD(script, call) told(script, #call, call, &err)

static size_t words_of(uint64_t index) {
    return index == 2 ? WORDS_MAX : 8 + index;
}

static void wrong(struct tally *tally, const char *what, uint64_t number) {
    if (!tally->wrong[0])
        snprintf(tally->wrong, sizeof(tally->wrong), "%s %llu", what, (unsigned long long)number);
}

/* ---- messages ---- */

static int send_one(struct script *script, uint64_t index) {
    uint64_t words[WORDS_MAX];
    weir_error err = {0};
    for (size_t i = 0; i < words_of(index); i++)
        words[i] = mix(script->run * 1000 + index + (i << 32));
    words[0] = script->run;
    words[1] = index;
    script->tally->begun = index + 1;
    return TOLD(script, weir_writer_send_bytes(script->writer, "n", NULL, WEIR_CODEC_RAW, NULL, words,
                                               8 * words_of(index), &err));
}

static int send_all(struct script *script) {
    weir_error err = {0};
    for (uint64_t i = 0; i < CORKED_FROM; i++) {
        if (send_one(script, i))
            return -1;
        script->tally->acked = i + 1;
    }
    weir_writer_cork(script->writer);
    int status = WEIR_OK;
    for (uint64_t i = CORKED_FROM; i < MESSAGES && status == WEIR_OK; i++)
        status = send_one(script, i);
    int uncorked = TOLD(script, weir_writer_uncork(script->writer, &err));
    if (status == WEIR_OK && uncorked == WEIR_OK)
        script->tally->acked = MESSAGES;
    return status || uncorked ? -1 : 0;
}

/* Return: the index of a message of @run that is whole; -1: another's; -2: damaged. */
static int64_t message_index(const weir_message *message, uint64_t run) {
    uint64_t words[WORDS_MAX];
    weir_view bytes = weir_message_bytes(message);
    if (bytes.size < 16 || bytes.size > sizeof(words) || bytes.size % 8)
        return -2;
    memcpy(words, bytes.data, bytes.size);
    if (words[0] != run)
        return -1;
    if (words[1] >= MESSAGES || bytes.size != 8 * words_of(words[1]))
        return -2;
    for (size_t i = 2; i < bytes.size / 8; i++)
        if (words[i] != mix(run * 1000 + words[1] + (i << 32)))
            return -2;
    return (int64_t)words[1];
}

/* Take what was acknowledged, or was counted as missed. */
static int receive_all(struct script *script) {
    struct tally *tally = script->tally;
    int64_t last = -1;
    while (tally->received + tally->gaps < tally->acked) {
        weir_message *message = NULL;
        weir_error err = {0};
        if (TOLD(script, weir_reader_next(script->reader, patience, &message, &err)))
            return -1;
        int64_t index = message_index(message, script->run);
        if (index < 0 || index <= last)
            wrong(tally, index < -1 ? "damaged: seq" : "out of order: seq", weir_message_seq(message));
        last = index;
        tally->received++;
        tally->gaps += weir_message_gap(message);
    }
    return 0;
}

static void messages_run(struct script *script) {
    weir_error err = {0};
    if (TOLD(script, weir_writer_open(script->address, &script->writer, &err)) == WEIR_OK &&
        TOLD(script, weir_reader_open(script->address, &script->reader, &err)) == WEIR_OK &&
        TOLD(script, weir_writer_wait_readers(script->writer, 1, patience, &err)) == WEIR_OK && send_all(script) == 0)
        receive_all(script);
    script->reader = weir_reader_close(script->reader);
    script->writer = weir_writer_close(script->writer);
}

/* ---- calls ---- */

static int call(struct script *script) {
    weir_message *request = NULL, *reply = NULL;
    weir_error err = {0};
    if (TOLD(script, weir_client_send(script->client, "double", NULL, NULL, &err)) ||
        TOLD(script, weir_server_next(script->server, patience, &request, &err)) ||
        TOLD(script, weir_server_reply(script->server, request, NULL, NULL, &err)) ||
        TOLD(script, weir_client_receive(script->client, patience, &reply, &err)))
        return -1;
    script->tally->is_called = 1;
    return 0;
}

static void calls_run(struct script *script, const char *address) {
    weir_error err = {0};
    if (TOLD(script, weir_server_open(address, &script->server, &err)) == WEIR_OK &&
        TOLD(script, weir_client_open(address, &script->client, &err)) == WEIR_OK)
        call(script);
    script->client = weir_client_close(script->client);
    script->server = weir_server_close(script->server);
}

/* ---- all of it ---- */

void sweep_script(const struct sweep_mechanism *mechanism, const char *address, uint64_t run, struct tally *tally) {
    struct script script = {.mechanism = mechanism, .address = address, .run = run, .tally = tally};
    weir_doc *doc = NULL;
    weir_error err = {0};
    int before = descriptors_count();
    tally->is_begun = 1;
    messages_run(&script);
    if (!tally->is_told && mechanism->has_calls)
        calls_run(&script, address);
    if (!tally->is_told && weir_doc_new(&doc) == WEIR_OK)
        TOLD(&script, weir_directory_clean(doc, 0, &err));
    tally->is_done = 1;
    weir_doc_free(doc);
    tally->leaked = descriptors_count() - before;
    tally->is_closed = 1;
}

const char *sweep_kept(const char *address, uint64_t run, const struct tally *tally) {
    static char text[200];
    char oldest[300];
    weir_reader *reader = NULL;
    weir_error err = {0};
    uint64_t found = 0;
    snprintf(oldest, sizeof(oldest), "%s&from=oldest", address);
    if (weir_reader_open(oldest, &reader, &err)) {
        snprintf(text, sizeof(text), "cannot be read: %.180s", err.text);
        return text;
    }
    const char *problem = NULL;
    while (!problem) {
        weir_message *message = NULL;
        int status = weir_reader_next(reader, found < tally->acked ? patience : 0, &message, &err);
        if (status == WEIR_ETIMEOUT)
            break;
        int64_t index = status ? -2 : message_index(message, run);
        if (status || index != (int64_t)found)
            problem = "what is kept is damaged, or not in order";
        found++;
    }
    weir_reader_close(reader);
    snprintf(text, sizeof(text), "of %llu acknowledged messages %llu are kept", (unsigned long long)tally->acked,
             (unsigned long long)found);
    return problem ? problem : found < tally->acked || found > tally->begun ? text : NULL;
}
