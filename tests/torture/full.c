/* A store without room. On small tmpfs mounts of every size from too little to enough, and with a store that fills up while ends are open,
 * every operation succeeds or says WEIR_ENOSPC; no memory that an end has mapped is missing (SIGBUS), what was sent stays, and
 * what failed leaves nothing behind.
 *
 *     full
 *
 * Needs the right to mount in a mount namespace of its own. Prints TAP. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { SIZE_STEP = 4096, SIZE_MAX_KIB = 800, ROUNDS = 200, GROWN = 40000 };

static char base[64];

/* Return: what reserve or commit said. */
static int send_one(struct end *writer, uint64_t index, uint32_t size) {
    struct weir_slot slot;
    int status = ops()->reserve(writer->state, 0, size, &slot, NULL);
    if (status)
        return status;
    memcpy(slot.bytes + 8, &slot.seq, 8);
    return ops()->commit(writer->state, message_write(&(struct message){0, 1, index}, size, slot.bytes), 0, NULL);
}

static int take_one(struct end *reader, uint64_t index) {
    struct weir_inbound inbound;
    struct message message;
    int status = ops()->next(reader->state, &inbound, NULL);
    if (status == WEIR_OK && (message_read(&inbound, &message) || message.index != index))
        return WEIR_ECORRUPT;
    ops()->release(reader->state);
    return status;
}

/* Use up all that is left. */
static void store_fill(void) {
    char path[100], bytes[4096];
    memset(bytes, 1, sizeof(bytes));
    snprintf(path, sizeof(path), "%s/filler", base);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, bytes, sizeof(bytes)) > 0)
        continue;
    if (fd >= 0)
        close(fd);
}

static int fail(const char *what, int status) {
    printf("# %s: %d\n", what, status);
    fflush(stdout);
    return 1;
}

/* Ends that are open go on, whatever the store has left; a message that needs a larger lane is refused, smaller ones are not. */
static int use_full(struct end *writer, struct end *reader) {
    uint64_t index = 0;
    int fd, status;
    store_fill();
    for (int i = 0; i < ROUNDS; i++) {
        if ((status = send_one(writer, index, 64 + 8 * (uint32_t)(i * 37 % 800))) != WEIR_OK)
            return fail("send", status);
        if ((status = take_one(reader, index++)) != WEIR_OK)
            return fail("next", status);
        if (i % 50 == 0 && (status = send_one(writer, index, GROWN)) != WEIR_ENOSPC)
            return fail("a message for which the lane must grow", status);
    }
    status = ops()->fd(reader->state, &fd, NULL);
    return status == WEIR_OK || status == WEIR_ENOSPC ? 0 : fail("a descriptor", status);
}

/* In a child: a store of @size bytes. Return: 0, or what went wrong; *ret_full: the channel could be made. */
static int size_try(size_t size, int *ret_full) {
    char options[32];
    struct end writer = {0}, reader = {0};
    weir_error err = {0};
    struct wish wish = {.name = "full", .keep = 1, .from = WEIR_FROM_OLDEST};
    snprintf(options, sizeof(options), "size=%zu", size);
    if (mount("none", base, "tmpfs", 0, options) != 0)
        return fail("mount", errno);
    int status = end_open(&writer, WEIR_ROLE_WRITER, &wish, &err);
    int failed = 0;
    if (status == WEIR_OK)
        status = end_open(&reader, WEIR_ROLE_READER, &wish, &err);
    *ret_full = status == WEIR_OK;
    if (status == WEIR_OK)
        failed = use_full(&writer, &reader);
    else if (status != WEIR_ENOSPC)
        failed = fail(err.text, status);
    end_close(&reader);
    end_close(&writer);
    if (!*ret_full && tree_count(base) != 0)
        failed = fail("files are left of a channel that could not be made", tree_count(base));
    umount2(base, MNT_DETACH);
    return failed;
}

int main(void) {
    int sizes = 0, made = 0, failures = 0;
    scratch_make(base, "full");
    printf("1..1\n");
    fflush(stdout);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("ok 1 - full store # SKIP no right to mount here\n");
        tree_remove(base);
        return 0;
    }
    for (size_t size = SIZE_STEP; size <= (size_t)SIZE_MAX_KIB << 10; size += SIZE_STEP, sizes++) {
        int status, was_made = 0;
        pid_t child = fork();
        if (child == 0) {
            status = size_try(size, &was_made);
            _exit(status ? 1 : was_made ? 2 : 0);
        }
        waitpid(child, &status, 0);
        made += WIFEXITED(status) && WEXITSTATUS(status) == 2;
        if (!WIFEXITED(status) || WEXITSTATUS(status) == 1) {
            failures++;
            printf("# a store of %zu bytes: status %#x\n", size, (unsigned)status);
        }
    }
    int holds = failures == 0 && made > 0 && made < sizes;
    printf("%s 1 - full store: %d sizes, the channel fits in %d, %d faults\n", holds ? "ok" : "not ok", sizes, made,
           failures);
    tree_remove(base);
    return !holds;
}
