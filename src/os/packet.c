/* What must stay true: whatever comes along with a packet is either given to the caller or closed, also when it came in
 * a number or of a kind that nobody asked for. What does not fit the room for it (MSG_CTRUNC) the kernel has not
 * opened. A moment in which the kernel has no memory ends no connection and swallows no wake-up. */
#include "os/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/error.h>

enum { PASSED_MAX = 8, TRIES = 100 };

union control {
    struct cmsghdr header;
    unsigned char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
};

/* Worth making the call again, which failed? */
static int is_momentary(int *tries) {
    return errno == EINTR || ((errno == ENOMEM || errno == ENOBUFS) && ++*tries < TRIES);
}

int weir_packet_send(int fd, const void *packet, size_t size, int passed) {
    struct iovec part = {.iov_base = (void *)(size_t)packet, .iov_len = size};
    union control control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed, sizeof(passed));
    }
    ssize_t sent;
    int tries = 0;
    do
        sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && is_momentary(&tries));
    if (sent == (ssize_t)size)
        return WEIR_OK;
    return sent < 0 && (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS) ? WEIR_EAGAIN : WEIR_ECLOSED;
}

/* Collect what came along. Return: how many there were. */
static size_t passed_collect(struct msghdr *message, int passed[PASSED_MAX]) {
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && count < PASSED_MAX; i++)
            memcpy(&passed[count++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
    return count;
}

int weir_packet_receive(int fd, void *packet, size_t size, int *ret_passed) {
    struct iovec part = {.iov_base = packet, .iov_len = size};
    union control control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int passed[PASSED_MAX], resets = 0, tries = 0;
    ssize_t got;
    do /* a reset is told first, and what was sent before it then */
        got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && (is_momentary(&tries) || (errno == ECONNRESET && resets++ == 0)));
    if (got < 0)
        return errno == EAGAIN ? WEIR_EAGAIN : WEIR_ECLOSED;
    size_t count = passed_collect(&message, passed);
    int is_right = got == (ssize_t)size && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && count <= 1;
    for (size_t i = 0; !is_right && i < count; i++)
        close(passed[i]);
    /* There is room for what comes along, so none of it means that we may have no descriptor more. */
    if (message.msg_flags & MSG_CTRUNC && count == 0)
        return WEIR_ENOMEM;
    if (!is_right)
        return got == 0 ? WEIR_ECLOSED : WEIR_ECORRUPT;
    *ret_passed = count == 1 ? passed[0] : -1;
    return WEIR_OK;
}
