/* Who listens and is no end of weir, or is one that does nothing: sentences that say who it is, and the way out.
 *
 * What must stay true: the kernel's lists say who listens, and the lease whether that is an end of weir; nobody is
 * connected to for it. At a port neither is known. */
#include <stdio.h>

#include "os/process.h"
#include "transport/socket/lease.h"
#include "transport/socket/socket.h"

enum { WHO_MAX = 128 };
static const char plain_way[] =
    "if it speaks JSON lines, CBOR, Smile or BSON, say framing=jsonl, cborseq, smile or bson, "
    "else choose another path";

/* "python3 (pid 812)"; "a program" where it is not known. Return: its pid, or 0. */
static int64_t who_listens(const struct weir_place *place, char who[WHO_MAX]) {
    char program[64], made_as[WEIR_PLACE_TEXT_MAX + 8];
    uint32_t uid;
    snprintf(made_as, sizeof(made_as), "%s.new", place->name); /* a socket keeps the name it was bound by */
    int64_t pid = weir_process_listens(place->name, made_as, &uid);
    if (pid <= 0) {
        snprintf(who, WHO_MAX, "a program");
        return 0;
    }
    weir_process_program(pid, program, sizeof(program));
    snprintf(who, WHO_MAX, "%s (pid %lld)", program, (long long)pid);
    return pid;
}

int weir_stranger_garbage(const struct weir_socket *socket, int status, weir_error *err) {
    char who[WHO_MAX];
    (void)who_listens(&socket->place, who);
    return weir_fail(err, status, "%s: %s listens there and does not answer as weir does; %s", socket->place.text, who,
                     plain_way);
}

int weir_stranger_silent(const struct weir_socket *socket, int status, weir_error *err) {
    const struct weir_place *place = &socket->place;
    char who[WHO_MAX];
    int64_t pid = who_listens(place, who);
    if (pid && weir_process_is_stopped(pid))
        return weir_fail(err, status,
                         "%s: %s listens there and is stopped; let it go on with kill -CONT %lld, or end it",
                         place->text, who, (long long)pid);
    if (socket->family->is_one_machine && weir_lease_is_taken(place->name) == 0)
        return weir_fail(err, status, "%s: %s listens there, is no end of weir and says nothing; %s", place->text, who,
                         plain_way);
    return weir_fail(err, status, "%s: %s listens there but does not answer; is it stopped, or no end of weir?",
                     place->text, who);
}

int weir_stranger_there(const struct weir_place *place, int status, weir_error *err) {
    char who[WHO_MAX];
    (void)who_listens(place, who);
    return weir_fail(err, status, "%s: %s listens there and is no end of weir; end it, or choose another path",
                     place->text, who);
}
