/* Who else is there, where one may have meant another. In shared memory readers, writers and calls may share a channel, so
 * a message to a channel that only a server has open is no error: it stays there as the newest. But it is rarely what was
 * meant, and nothing else would tell. On sockets and pipes the library refuses; a log keeps everything.
 * A socket keeps nothing once its last end has gone, so there a message may be nobody's. */
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int is_shared_memory(const char *address) {
    return !strstr(address, "://") || strncmp(address, "shm://", 6) == 0 || strncmp(address, "sysv://", 7) == 0;
}

/* Is a server there, and nobody whose role is @missing (or an observer, for a reader)? */
static int has_only_server(const char *address, const char *missing, weir_doc *doc, weir_view *ret_program,
                           int64_t *ret_pid) {
    const weir_value *ends = NULL;
    weir_view role;
    weir_iter it;
    int has_server = 0;
    if (weir_channel_info(address, doc, NULL) != WEIR_OK || weir_get(weir_doc_root(doc), "ends", &ends) != WEIR_OK)
        return 0;
    weir_iter_init(&it, ends);
    while (weir_iter_next(&it)) {
        if (weir_get_text(it.value, "role", &role) != WEIR_OK)
            continue;
        if (cli_view_is(role, missing) || cli_view_is(role, "observer"))
            return 0;
        if (cli_view_is(role, "server"))
            has_server = weir_get_text(it.value, "program", ret_program) == WEIR_OK &&
                         weir_get_i64(it.value, "pid", ret_pid) == WEIR_OK;
    }
    return has_server;
}

/* With readers=N there will be readers. */
static void tell(const char *address, const char *missing, const char *format) {
    weir_view program = {0};
    weir_doc *doc = NULL;
    int64_t pid = 0;
    if (is_shared_memory(address) && !strstr(address, "readers=") && weir_doc_new(&doc) == WEIR_OK &&
        has_only_server(address, missing, doc, &program, &pid))
        cli_say(format, address, (int)program.size, program.data, (long)pid);
    weir_doc_free(doc);
}

void cli_company_of_message(const char *address) {
    tell(address, "reader",
         "%s: only a server is there (%.*s, pid %ld), which takes calls (weir call) and no messages");
}

/* On a socket that our own writer @pid listens at, is nobody else? */
static int is_alone(const char *address, weir_doc *doc) {
    const weir_value *ends = NULL, *peers = NULL;
    weir_view role;
    weir_iter it;
    int64_t pid = 0;
    int is_listening = 0, has_us = 0;
    if (weir_channel_info(address, doc, NULL) != WEIR_OK || weir_get(weir_doc_root(doc), "ends", &ends) != WEIR_OK ||
        weir_get(weir_doc_root(doc), "peers", &peers) != WEIR_OK || weir_value_count(peers) > 0)
        return 0;
    weir_iter_init(&it, ends);
    while (weir_iter_next(&it)) {
        if (weir_get_text(it.value, "role", &role) != WEIR_OK || weir_get_i64(it.value, "pid", &pid) != WEIR_OK ||
            pid != (int64_t)getpid() || !cli_view_is(role, "writer"))
            return 0;
        has_us = 1;
        is_listening = weir_get_bool(it.value, "is_listening", &is_listening) == WEIR_OK && is_listening;
    }
    return has_us && is_listening;
}

int cli_company_is_none(const char *address) {
    weir_doc *doc = NULL;
    int is_socket = strncmp(address, "unix://", 7) == 0 || strncmp(address, "tcp://", 6) == 0;
    int is_none = is_socket && !strstr(address, "readers=") && weir_doc_new(&doc) == WEIR_OK && is_alone(address, doc);
    weir_doc_free(doc);
    return is_none;
}

void cli_company_of_reader(const char *address) {
    tell(address, "writer",
         "%s: only a server is there (%.*s, pid %ld), whose calls are not shown; messages come once "
         "somebody sends some (weir pub)");
}
