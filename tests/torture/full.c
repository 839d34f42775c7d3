/* A store without room. On small tmpfs mounts of every size from too little to enough, and with a store that fills up
 * while ends are open, every operation succeeds or says WEIR_ENOSPC; no memory that an end touches is missing (SIGBUS),
 * what was sent stays, and what failed leaves nothing behind. A lane takes its memory in its first lap: a send that is
 * refused for want of it loses nothing and succeeds when there is room again, also by another writer; after the lap a
 * lane needs no more.
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

enum { SIZE_STEP = 4096, SIZE_MAX_KIB = 800, ROUNDS = 200, GROWN = 40000, CAPACITY = 65536 };

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

/* The channel's two ends, and what they have sent and taken. */
struct pair {
    struct end writer, reader;
    struct wish wish;
    uint64_t index; /* of the next message */
    uint64_t bytes; /* sent */
    int refused;
};

static void store_clear(void) {
    char path[100];
    snprintf(path, sizeof(path), "%s/filler", base);
    unlink(path);
}

/* Send @count messages and take each. @may_refuse: WEIR_ENOSPC is an answer, after which nothing has been sent. */
static int exchange(struct pair *pair, int count, int may_refuse) {
    for (int i = 0; i < count; i++) {
        uint32_t size = 64 + 8 * (uint32_t)(i * 37 % 800);
        int status = send_one(&pair->writer, pair->index, size);
        if (status == WEIR_ENOSPC && may_refuse) {
            pair->refused++;
            if ((status = take_one(&pair->reader, pair->index)) != WEIR_EAGAIN)
                return fail("a message that was refused", status);
            continue;
        }
        if (status != WEIR_OK)
            return fail("send", status);
        pair->bytes += (size + 63) & ~63u;
        if ((status = take_one(&pair->reader, pair->index++)) != WEIR_OK)
            return fail("next", status);
        if (i % 50 == 0 && (status = send_one(&pair->writer, pair->index, GROWN)) != WEIR_ENOSPC)
            return fail("a message for which the lane must grow", status);
    }
    return 0;
}

/* Another writer takes the lane in the store as it is: that needs no memory. */
static int writer_change(struct pair *pair) {
    weir_error err = {0};
    end_close(&pair->writer);
    int status = end_open(&pair->writer, WEIR_ROLE_WRITER, &pair->wish, &err);
    return status == WEIR_OK ? 0 : fail(err.text, status);
}

/* Ends that are open go on, whatever the store has left; a message that needs a larger lane is refused, smaller ones
 * only while the lane has not all of its memory yet. @ret_refused: that has happened. */
static int use_full(struct pair *pair, int *ret_refused) {
    int fd, status;
    store_fill();
    if (exchange(pair, ROUNDS, 1) || writer_change(pair) || exchange(pair, ROUNDS, 1))
        return 1;
    if (pair->bytes == 0)
        return fail("the first step of a lane takes no message", 0);
    /* In steps as there is more: what was refused now goes, as far as the mount reaches. */
    *ret_refused = pair->refused > 0;
    uint64_t before = pair->bytes;
    store_clear();
    pair->refused = 0;
    for (int lap = 0; lap < 4 && !pair->refused; lap++) {
        if ((status = send_one(&pair->writer, pair->index, 6000)) == WEIR_OK)
            status = take_one(&pair->reader, pair->index++);
        pair->refused += status == WEIR_ENOSPC;
        if (status != WEIR_OK && status != WEIR_ENOSPC)
            return fail("send, with room again", status);
        for (int i = 0; i < ROUNDS && !pair->refused; i++, pair->bytes += 832) {
            if ((status = send_one(&pair->writer, pair->index, 800)) == WEIR_ENOSPC)
                pair->refused++;
            else if (status != WEIR_OK || (status = take_one(&pair->reader, pair->index++)) != WEIR_OK)
                return fail("exchange, with room again", status);
        }
    }
    store_fill();
    if (pair->bytes - before > CAPACITY &&
        (exchange(pair, ROUNDS, 0) || writer_change(pair) || exchange(pair, ROUNDS, 0)))
        return fail("a lane that had all of its memory", 0);
    status = ops()->fd(pair->reader.state, &fd, NULL);
    return status == WEIR_OK || status == WEIR_ENOSPC ? 0 : fail("a descriptor", status);
}

/* In a child: a store of @size bytes. Return: 0, or what went wrong; *ret_full: the channel could be made. */
static int size_try(size_t size, int *ret_full, int *ret_refused) {
    char options[32];
    struct pair pair = {
        .wish = {.name = "full", .keep = 1, .from = WEIR_FROM_OLDEST, .capacity = CAPACITY},
    };
    weir_error err = {0};
    snprintf(options, sizeof(options), "size=%zu", size);
    if (mount("none", base, "tmpfs", 0, options) != 0)
        return fail("mount", errno);
    int status = end_open(&pair.writer, WEIR_ROLE_WRITER, &pair.wish, &err);
    int failed = 0, has_channel = status == WEIR_OK; /* there may be memory for a writer, and none for a reader */
    if (status == WEIR_OK)
        status = end_open(&pair.reader, WEIR_ROLE_READER, &pair.wish, &err);
    *ret_full = status == WEIR_OK;
    if (status == WEIR_OK)
        failed = use_full(&pair, ret_refused);
    else if (status != WEIR_ENOSPC)
        failed = fail(err.text, status);
    end_close(&pair.reader);
    end_close(&pair.writer);
    if (!has_channel && tree_count(base) != 0)
        failed = fail("files are left of a channel that could not be made", tree_count(base));
    umount2(base, MNT_DETACH);
    return failed;
}

int main(void) {
    int sizes = 0, made = 0, refused = 0, failures = 0;
    scratch_make(base, "full");
    printf("1..1\n");
    fflush(stdout);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("ok 1 - full store # SKIP no right to mount here\n");
        tree_remove(base);
        return 0;
    }
    for (size_t size = SIZE_STEP; size <= (size_t)SIZE_MAX_KIB << 10; size += SIZE_STEP, sizes++) {
        int status, was_made = 0, was_refused = 0;
        pid_t child = fork();
        if (child == 0) {
            status = size_try(size, &was_made, &was_refused);
            _exit(status ? 1 : was_refused ? 3 : was_made ? 2 : 0);
        }
        waitpid(child, &status, 0);
        made += WIFEXITED(status) && WEXITSTATUS(status) >= 2;
        refused += WIFEXITED(status) && WEXITSTATUS(status) == 3;
        if (!WIFEXITED(status) || WEXITSTATUS(status) == 1) {
            failures++;
            printf("# a store of %zu bytes: status %#x\n", size, (unsigned)status);
        }
    }
    int holds = failures == 0 && made > 0 && made < sizes && refused > 0;
    printf("%s 1 - full store: %d sizes, the channel fits in %d, memory was wanting in %d, %d faults\n",
           holds ? "ok" : "not ok", sizes, made, refused, failures);
    tree_remove(base);
    return !holds;
}
