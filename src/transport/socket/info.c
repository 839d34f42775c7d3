/* info of a socket: whose it is, who may connect, and who listens.
 *
 * What must stay true: nobody is connected to and the lease is not touched; the kernel's list of sockets says who
 * listens. What the peers do is not in any file but their records, which the directory of live ends adds. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "os/process.h"
#include "transport/socket/inet.h"
#include "transport/socket/local.h"
#include "transport/socket/tls.h"
#include "transport/tell.h"

/* What socket.h and receive.c say of where bytes are moved. */
static const char copies[] =
    "3: into the sender's queue, into the kernel, out of it; 2 when it is reserved. One more for numbers that do not "
    "lie "
    "at a multiple of 64, and for who listens and reads; between ends of which neither listens, 3 more";

static void listener_tell(weir_doc *doc, int64_t pid, uint32_t uid) {
    weir_put_key(doc, "listener");
    if (pid == 0) {
        weir_put_null(doc);
        return;
    }
    weir_begin_map(doc);
    weir_tell_process(doc, pid, uid);
    weir_end(doc);
}

int weir_socket_local_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    char made_as[WEIR_PLACE_TEXT_MAX + 8];
    struct stat about;
    uint32_t uid = 0;
    if (lstat(place->name, &about) != 0)
        return errno == ENOENT
                   ? weir_fail(err, WEIR_ENOENT, "%s: nobody has made a socket there; open an end first", place->text)
                   : weir_fail_errno(err, errno, "%s: the socket cannot be looked at", place->text);
    if (!S_ISSOCK(about.st_mode))
        return weir_fail(err, WEIR_EADDRESS, "%s: what is there is no socket; choose another path", place->text);
    snprintf(made_as, sizeof(made_as), "%s.new", place->name); /* a socket keeps the name it was bound by */
    int64_t pid = weir_process_listens(place->name, made_as, &uid);
    weir_tell_text(doc, "state", pid ? "live" : "idle");
    weir_tell_text(doc, "path", place->name);
    weir_tell_rights(doc, about.st_uid, about.st_gid, about.st_mode & 0777);
    weir_tell_text(doc, "copies", copies);
    listener_tell(doc, pid, uid);
    return WEIR_OK;
}

/* ---- ports ---- */

/* The address as the kernel's lists show it: words of 32 bits, as they lie in memory. */
static void endpoint_text(const struct sockaddr_storage *endpoint, int is_any, char *text, size_t size) {
    uint32_t words[4] = {0};
    const struct sockaddr_in *four = (const struct sockaddr_in *)endpoint;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)endpoint;
    int is_six = endpoint->ss_family == AF_INET6;
    if (!is_any)
        memcpy(words, is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr, is_six ? 16 : 4);
    int used = snprintf(text, size, "%08X", words[0]);
    for (int i = 1; is_six && i < 4; i++)
        used += snprintf(text + used, size - (size_t)used, "%08X", words[i]);
    snprintf(text + used, size - (size_t)used, ":%04X", ntohs(is_six ? six->sin6_port : four->sin_port));
}

/* The inode of the socket that listens there, or at all addresses; 0 for none. */
static unsigned long listener_inode(const struct sockaddr_storage *endpoint, uint32_t *ret_uid) {
    enum { LISTENING = 0x0A };
    char line[256], here[48], anywhere[48], at[48];
    unsigned long found = 0;
    endpoint_text(endpoint, 0, here, sizeof(here));
    endpoint_text(endpoint, 1, anywhere, sizeof(anywhere));
    FILE *list = fopen(endpoint->ss_family == AF_INET6 ? "/proc/net/tcp6" : "/proc/net/tcp", "re");
    while (list && !found && fgets(line, sizeof(line), list)) {
        unsigned state, uid;
        unsigned long inode;
        if (sscanf(line, " %*u: %47s %*s %x %*s %*s %*s %u %*u %lu", at, &state, &uid, &inode) != 4 ||
            state != LISTENING || (strcmp(at, here) != 0 && strcmp(at, anywhere) != 0))
            continue;
        found = inode;
        *ret_uid = uid;
    }
    if (list)
        fclose(list);
    return found;
}

int weir_inet_info(const struct weir_place *place, weir_doc *doc, weir_error *err) {
    struct weir_endpoints endpoints;
    uint32_t uid = 0, owner;
    unsigned long inode = 0;
    int status = weir_socket_inet.resolve(place, &endpoints, err);
    if (status != WEIR_OK)
        return status;
    for (uint32_t i = 0; i < endpoints.count && inode == 0; i++)
        inode = listener_inode(&endpoints.items[i], &uid);
    int64_t pid = inode ? weir_process_of_socket(inode, &owner) : 0;
    if (inode == 0)
        return weir_fail(err, WEIR_ENOENT, "%s: nobody listens there on this machine", place->text);
    weir_tell_text(doc, "state", "live");
    weir_tell_text(doc, "security", weir_tls_is_wanted(place) ? place->psk[0] ? "psk" : "certificates" : "none");
    weir_tell_text(doc, "copies", copies);
    listener_tell(doc, pid, uid);
    return WEIR_OK;
}
