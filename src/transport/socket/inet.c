/* Sockets at a port: looking up, listening, connecting, and what may be used.
 *
 * The port itself is the lease: the kernel lets one socket listen at it, and frees it when its process dies.
 * SO_REUSEADDR lets the next one listen although connections of the last one still linger; two that have both bound are
 * told apart by listen.
 *
 * What must stay true: nothing beyond loopback is listened at or connected to unless the address says how it is
 * protected, or that it is not. Of a name's addresses those of IPv4 come first, in every end, so that all meet at the
 * same one. A socket that has connected to itself (the kernel picks our side's port, and may pick the one we look for)
 * is nobody. */
#include "transport/socket/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "transport/socket/tls.h"

enum {
    BUFFER_SIZE = 128 << 10,       /* of a socket on this machine, each way; the kernel doubles it */
    DYING_NS = 1000 * 1000 * 1000, /* how long a killed listener may take to be torn down */
    DYING_NAP_NS = 1000 * 1000,
    SOON_MS = 200, /* how long connecting on this machine may take before it is left underway */
    IDLE_S = 15    /* a connection beyond this machine that is silent for so long is asked for a sign of life */
};

/* ---- the address ---- */

static int port_read(const char *text, uint16_t *ret) {
    unsigned long port = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 5)
        return WEIR_EADDRESS;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return WEIR_EADDRESS;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    *ret = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX ? WEIR_OK : WEIR_EADDRESS;
}

int weir_inet_split(const struct weir_place *place, char *host, uint16_t *ret_port, weir_error *err) {
    const char *name = place->name, *colon = strrchr(name, ':');
    size_t size = colon ? (size_t)(colon - name) : 0;
    int has_brackets = size > 2 && name[0] == '[' && name[size - 1] == ']';
    if (size == 0 || size >= WEIR_HOST_MAX || port_read(colon + 1, ret_port) != WEIR_OK)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: write tcp://HOST:PORT with a port from 1 to 65535, as in "
                         "tcp://127.0.0.1:5555",
                         place->text);
    if (!has_brackets && memchr(name, ':', size))
        return weir_fail(err, WEIR_EADDRESS, "%s: put an IPv6 address into brackets, as in tcp://[::1]:5555",
                         place->text);
    snprintf(host, WEIR_HOST_MAX, "%.*s", (int)(has_brackets ? size - 2 : size), name + has_brackets);
    return WEIR_OK;
}

static int is_loopback(const struct sockaddr_storage *endpoint) {
    if (endpoint->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)endpoint)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)endpoint)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
}

static int is_protected(const struct weir_place *place) {
    return weir_tls_is_wanted(place) || place->is_insecure;
}

static int exposed(const struct weir_place *place, weir_error *err) {
    return weir_fail(err, WEIR_EADDRESS,
                     "%s: that is beyond this machine, where others can read and forge what is sent; add psk=FILE, or "
                     "cert=, key= and ca=, for TLS, or insecure=1 to do without",
                     place->text);
}

static socklen_t size_of(const struct sockaddr_storage *endpoint) {
    return endpoint->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* Append the addresses of one family. */
static void endpoints_add(struct weir_endpoints *to, const struct addrinfo *found, int family) {
    for (; found && to->count < WEIR_ENDPOINTS_MAX; found = found->ai_next)
        if (found->ai_family == family && found->ai_addrlen <= sizeof(to->items[0]))
            memcpy(&to->items[to->count++], found->ai_addr, found->ai_addrlen);
}

static int look_up(const struct weir_place *place, int flags, struct weir_endpoints *ret, weir_error *err) {
    char host[WEIR_HOST_MAX], service[8];
    uint16_t port = 0;
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    int status = weir_inet_split(place, host, &port, err);
    if (status != WEIR_OK)
        return status;
    snprintf(service, sizeof(service), "%u", port);
    int why = getaddrinfo(host, service, &hints, &found);
    if (why != 0)
        return weir_fail(err, why == EAI_AGAIN ? WEIR_ESYSTEM : WEIR_EADDRESS, "%s: there is no host \"%s\": %s",
                         place->text, host, why == EAI_SYSTEM ? strerror(errno) : gai_strerror(why));
    *ret = (struct weir_endpoints){0};
    endpoints_add(ret, found, AF_INET);
    endpoints_add(ret, found, AF_INET6);
    freeaddrinfo(found);
    return ret->count > 0 ? WEIR_OK : weir_fail(err, WEIR_EADDRESS, "%s: \"%s\" has no address", place->text, host);
}

static int endpoints_judge(const struct weir_place *place, const struct weir_endpoints *endpoints, weir_error *err) {
    for (uint32_t i = 0; i < endpoints->count; i++)
        if (!is_loopback(&endpoints->items[i]) && !is_protected(place))
            return exposed(place, err);
    return WEIR_OK;
}

/* Numbers are judged here; names, which may take long to look up, when an end opens. */
int weir_inet_check(const struct weir_place *place, weir_error *err) {
    char host[WEIR_HOST_MAX];
    uint16_t port;
    struct weir_endpoints endpoints;
    int status = weir_inet_split(place, host, &port, err);
    if (status == WEIR_OK)
        status = weir_tls_check(place, err);
    if (status == WEIR_OK && look_up(place, AI_NUMERICHOST, &endpoints, NULL) == WEIR_OK)
        status = endpoints_judge(place, &endpoints, err);
    return status;
}

static int inet_resolve(const struct weir_place *place, struct weir_endpoints *ret, weir_error *err) {
    int status = look_up(place, 0, ret, err);
    return status == WEIR_OK ? endpoints_judge(place, ret, err) : status;
}

/* ---- sockets ---- */

static void option_set(int fd, int level, int option, int value) {
    (void)!setsockopt(fd, level, option, &value, sizeof(value)); /* it works without, only not as well */
}

/* On this machine a socket holds about as much as a local one does, so that a full channel feels full; beyond it the
 * kernel knows best. */
static void tune(int fd, const struct sockaddr_storage *endpoint) {
    option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (is_loopback(endpoint)) {
        option_set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE);
        option_set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE);
        return;
    }
    option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
    option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, IDLE_S / 3);
    option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

static int socket_make(const struct weir_place *place, const struct sockaddr_storage *endpoint, int *ret_fd,
                       weir_error *err) {
    int fd = socket(endpoint->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_fail_errno(err, errno, "%s: no socket can be made", place->text);
    tune(fd, endpoint);
    *ret_fd = fd;
    return WEIR_OK;
}

/* ---- connecting ---- */

/* Has the socket connected to itself? */
static int is_own(int fd) {
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t here_size = sizeof(here), there_size = sizeof(there);
    return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 && here_size == there_size &&
           memcmp(&here, &there, here_size) == 0;
}

/* On this machine it is a matter of microseconds; some kernels let us wait for those. Return: as connect_one. */
static int made_soon(int fd) {
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    int sys_errno = 0;
    socklen_t size = sizeof(sys_errno);
    if (poll(&item, 1, SOON_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys_errno, &size) != 0)
        return EINPROGRESS;
    return sys_errno;
}

/* Return: 0, EINPROGRESS, or another errno. */
static int connect_one(const struct weir_place *place, const struct sockaddr_storage *endpoint, int *ret_fd) {
    int fd = -1;
    if (socket_make(place, endpoint, &fd, NULL) != WEIR_OK)
        return errno;
    int sys_errno = connect(fd, (const struct sockaddr *)endpoint, size_of(endpoint)) == 0 ? 0 : errno;
    if (sys_errno == EINPROGRESS && is_loopback(endpoint))
        sys_errno = made_soon(fd);
    if (sys_errno == 0 && is_own(fd))
        sys_errno = ECONNREFUSED;
    if ((sys_errno == 0 || sys_errno == EINPROGRESS) && fcntl(fd, F_SETFL, 0) == 0) {
        *ret_fd = fd;
        return sys_errno;
    }
    close(fd);
    return sys_errno ? sys_errno : errno;
}

static int connect_failed(const struct weir_place *place, int sys_errno, weir_error *err) {
    switch (sys_errno) {
    case EAGAIN:
    case EINTR:
    case EADDRNOTAVAIL: /* of our side: no port is free */
        return weir_fail(err, WEIR_EAGAIN, "%s: no connection can be made at this moment", place->text);
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return weir_fail(err, WEIR_ENOENT, "%s: nobody listens (%s)", place->text, strerror(sys_errno));
    default: return weir_fail_errno(err, sys_errno, "%s: cannot connect", place->text);
    }
}

static int inet_connect(const struct weir_place *place, struct weir_endpoints *to, struct weir_link *ret,
                        weir_error *err) {
    int sys_errno = ECONNREFUSED, fd = -1;
    for (uint32_t i = 0; i < to->count; i++) {
        int failed = connect_one(place, &to->items[(to->turn + i) % to->count], &fd);
        if (failed == 0 || failed == EINPROGRESS) {
            *ret = (struct weir_link){fd, failed == EINPROGRESS};
            to->turn += i + (failed == EINPROGRESS); /* should it come to nothing, the next one is next */
            return WEIR_OK;
        }
        if (failed != EAFNOSUPPORT && (i == 0 || failed != ECONNREFUSED))
            sys_errno = failed;
    }
    return connect_failed(place, sys_errno, err);
}

/* ---- listening ---- */

static int listen_one(const struct weir_place *place, const struct sockaddr_storage *endpoint, int *ret_fd) {
    int fd = -1;
    if (socket_make(place, endpoint, &fd, NULL) != WEIR_OK)
        return errno;
    option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (endpoint->ss_family == AF_INET6)
        option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); /* else [::] would also take what 0.0.0.0 means */
    if (bind(fd, (const struct sockaddr *)endpoint, size_of(endpoint)) == 0 && listen(fd, SOMAXCONN) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int sys_errno = errno;
    close(fd);
    return sys_errno;
}

static int listen_failed(const struct weir_place *place, int sys_errno, weir_error *err) {
    if (sys_errno == EADDRINUSE)
        return weir_fail(err, WEIR_EBUSY, "%s: somebody listens there already; close it first or choose another port",
                         place->text);
    if (sys_errno == EADDRNOTAVAIL || sys_errno == EAFNOSUPPORT)
        return weir_fail(err, WEIR_ENOTSUP, "%s: that is no address of this machine, so this end cannot listen there",
                         place->text);
    if (sys_errno == EACCES || sys_errno == EPERM)
        return weir_fail_errno(err, sys_errno, "%s: this user may not listen there; ports below 1024 are root's",
                               place->text);
    return weir_fail_errno(err, sys_errno, "%s: cannot listen", place->text);
}

/* The first of the addresses that is ours. */
static int listen_any(const struct weir_place *place, const struct weir_endpoints *at, int *ret_fd) {
    int sys_errno = EADDRNOTAVAIL;
    for (uint32_t i = 0; i < at->count; i++) {
        sys_errno = listen_one(place, &at->items[i], ret_fd);
        if (sys_errno != EADDRNOTAVAIL && sys_errno != EAFNOSUPPORT)
            break;
    }
    return sys_errno;
}

/* A listener that was killed may take a moment to be torn down. Only an end that must listen waits for it: any other
 * connects to who is there, and then finds out. */
static int inet_claim(const struct weir_place *place, const struct weir_endpoints *at, const char *what,
                      struct weir_claim *ret, weir_error *err) {
    int64_t deadline = place->must_listen ? weir_deadline(DYING_NS) : 0;
    int fd = -1, sys_errno;
    (void)what;
    while ((sys_errno = listen_any(place, at, &fd)) == EADDRINUSE && weir_deadline_left(deadline) > 0)
        nanosleep(&(struct timespec){.tv_nsec = DYING_NAP_NS}, NULL);
    if (sys_errno != 0)
        return listen_failed(place, sys_errno, err);
    *ret = (struct weir_claim){.listen_fd = fd, .lease_fd = -1};
    return WEIR_OK;
}

static void inet_unclaim(const struct weir_place *place, struct weir_claim *claim) {
    (void)place;
    close(claim->listen_fd);
    claim->listen_fd = -1;
}

/* ---- who may connect ---- */

/* The kernel does not say who is behind a port: everybody on this machine may connect to loopback. psk= or ca= keeps
 * strangers out. */
static int inet_admit(const struct weir_place *place, int fd, struct weir_credentials *ret, weir_error *err) {
    struct sockaddr_storage there = {0};
    socklen_t size = sizeof(there);
    (void)place, (void)err;
    if (getpeername(fd, (struct sockaddr *)&there, &size) == 0)
        tune(fd, &there);
    *ret = (struct weir_credentials){.uid = WEIR_UID_UNKNOWN};
    return WEIR_OK;
}

const struct weir_socket_family weir_socket_inet = {
    .resolve = inet_resolve,
    .claim = inet_claim,
    .unclaim = inet_unclaim,
    .connect = inet_connect,
    .admit = inet_admit,
};
