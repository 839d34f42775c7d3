/* Bringing a log to the disk, as sync= says.
 *
 *     always     before send returns. Of all writers that wait, one syncs (byte 1 of the lock file), for every message
 *                that is in the log when it begins; then it notes how far it came (weir_lease_disk_write) and wakes the
 *                others, who find that theirs is among them.
 *     interval   a thread of the writer's own: it syncs D after the first message that is not on the disk yet, whether
 *                more follow or not.
 *
 * What must stay true: "synced up to E" is noted after the sync, and E was read before it began, as the end of a whole
 * message, so nothing below it is ever taken back; it holds only for the log's inode and for the look at its end that
 * is noted with it. Nobody believes in a sync that he has not seen noted: who waits too long for another, because that
 * one was stopped, syncs himself. The thread blocks all signals, ends with its writer, touches nothing but a descriptor
 * of its own and what the mutex guards, and is not there in forked children. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "transport/file/file.h"

enum { GATHER_SHARE = 2 };
static const int64_t GATHER_MAX_NS = 1000000, PATIENCE_NS = 1000000000, NAP_NS = 5000000;

static int sync_failed(struct weir_file *file, int reason, weir_error *err) {
    file->append.is_poisoned = 1;
    return weir_fail_errno(err, reason,
                           "%s: bringing the log to the disk failed; what of it is there is not known. Open it again",
                           file->place.text);
}

static int sync_alone(struct weir_file *file, weir_error *err) {
    return fdatasync(file->append.fd) == 0 ? WEIR_OK : sync_failed(file, errno, err);
}

/* ---- always: together ---- */

/* Is what this writer has appended on the disk, as somebody has noted? */
static int is_on_disk(const struct weir_append *append, struct weir_lease_disk *ret) {
    int is_good = weir_lease_disk_read(&append->lease, ret);
    if (is_good && ret->ino == append->ino && ret->look == append->note.look)
        return ret->synced >= append->end;
    *ret = (struct weir_lease_disk){.turn = ret->turn, .ino = append->ino, .look = append->note.look};
    return 0;
}

/* Has more been appended than @disk tells? Then it becomes that. Return: 1; 0: not, or it cannot be known. */
static int is_more(const struct weir_append *append, struct weir_lease_disk *disk) {
    struct weir_lease_note note = {0};
    if (!weir_lease_read(&append->lease, &note) || note.ino != append->ino || note.look != disk->look ||
        note.end <= disk->synced)
        return 0;
    disk->synced = note.end;
    disk->seq = note.seq;
    return 1;
}

/* Where the log ends now. Those whom the last sync has woken are about to append again, and those who came during it wait
 * already: wait for as many, though only while they come, and a fraction of what a sync takes. @disk: of the last sync;
 * becomes that of the next. Return: its messages. */
static uint64_t end_gather(const struct weir_append *append, struct weir_lease_disk *disk) {
    uint64_t before = disk->seq;
    int64_t patience = append->sync_took / GATHER_SHARE, came_at = weir_clock_monotonic();
    patience = patience < GATHER_MAX_NS ? patience : GATHER_MAX_NS;
    disk->synced = append->end;
    disk->seq = append->seq;
    for (;;) {
        if (is_more(append, disk))
            came_at = weir_clock_monotonic();
        if (!before || disk->seq - before >= disk->most || weir_clock_monotonic() - came_at >= patience)
            return before ? disk->seq - before : 1;
        sched_yield();
    }
}

/* The lock of who syncs is held. */
static int sync_for_all(struct weir_file *file, struct weir_lease_disk *disk, weir_error *err) {
    struct weir_append *append = &file->append;
    uint64_t most = end_gather(append, disk);
    int64_t begun = weir_clock_monotonic();
    int status = sync_alone(file, err);
    append->sync_took = weir_clock_monotonic() - begun;
    struct weir_lease_disk later = *disk;
    if (is_more(append, &later))
        most += later.seq - disk->seq;
    disk->most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    disk->turn++;
    if (status == WEIR_OK)
        weir_lease_disk_write(&append->lease, disk);
    return status;
}

static int sync_together(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    int64_t timeout = file->place.timeout_ns < PATIENCE_NS ? file->place.timeout_ns : PATIENCE_NS;
    int64_t deadline = weir_deadline(timeout);
    struct weir_lease_disk disk;
    while (!is_on_disk(append, &disk)) {
        int status = weir_lease_sync_take(&append->lease);
        if (status == WEIR_OK) {
            /* Somebody may have been done between our look and our turn. */
            status = is_on_disk(append, &disk) ? WEIR_OK : sync_for_all(file, &disk, err);
            weir_lease_sync_drop(&append->lease);
            weir_lease_disk_wake(&append->lease);
            return status;
        }
        int64_t left = weir_deadline_left(deadline);
        if (left == 0 || status != WEIR_EBUSY)
            return sync_alone(file, err);
        /* Whoever is killed wakes nobody. */
        weir_lease_disk_wait(&append->lease, disk.turn, left < NAP_NS ? left : NAP_NS);
    }
    return WEIR_OK;
}

/* ---- interval: by a thread ---- */

struct weir_sync_thread {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t interval_ns;
    int64_t due; /* when to sync; 0: there is nothing to */
    int fd;      /* of the log, ours */
    uint64_t ino;
    int reason; /* errno of a sync that failed */
    int must_end;
};

static void due_await(struct weir_sync_thread *thread) {
    struct timespec until = {.tv_sec = thread->due / 1000000000, .tv_nsec = thread->due % 1000000000};
    if (thread->due == 0)
        pthread_cond_wait(&thread->changed, &thread->mutex);
    else
        pthread_cond_timedwait(&thread->changed, &thread->mutex, &until);
}

static void *thread_run(void *argument) {
    struct weir_sync_thread *thread = argument;
    pthread_mutex_lock(&thread->mutex);
    while (!thread->must_end) {
        if (thread->due == 0 || weir_clock_monotonic() < thread->due) {
            due_await(thread);
            continue;
        }
        int fd = dup(thread->fd); /* the writer may go on to another file meanwhile */
        thread->due = 0;          /* what is written from here on is for the next one */
        pthread_mutex_unlock(&thread->mutex);
        int reason = fd < 0 || fdatasync(fd) != 0 ? errno : 0;
        if (fd >= 0)
            close(fd);
        pthread_mutex_lock(&thread->mutex);
        thread->reason = reason ? reason : thread->reason;
    }
    pthread_mutex_unlock(&thread->mutex);
    return NULL;
}

static int thread_start(struct weir_sync_thread *thread) {
    pthread_condattr_t attributes;
    sigset_t all, before;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&thread->thread, NULL, thread_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reason;
}

int weir_sync_open(struct weir_file *file, weir_error *err) {
    if (file->place.sync != WEIR_SYNC_INTERVAL || file->place.sync_ns == 0 || file->place.is_state)
        return WEIR_OK;
    struct weir_sync_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return weir_fail(err, WEIR_ENOMEM, "%s: out of memory for sync=interval", file->place.text);
    thread->fd = -1;
    thread->interval_ns = file->place.sync_ns;
    int reason = thread_start(thread);
    if (reason) {
        free(thread);
        return weir_fail_errno(err, reason, "%s: no thread for sync=interval", file->place.text);
    }
    file->append.sync = thread;
    return WEIR_OK;
}

void weir_sync_close(struct weir_file *file, int is_child) {
    struct weir_sync_thread *thread = file->append.sync;
    if (!thread)
        return;
    file->append.sync = NULL;
    if (!is_child) {
        pthread_mutex_lock(&thread->mutex);
        thread->must_end = 1;
        pthread_cond_signal(&thread->changed);
        pthread_mutex_unlock(&thread->mutex);
        pthread_join(thread->thread, NULL);
        if (thread->due)
            (void)!fdatasync(thread->fd);
        pthread_mutex_destroy(&thread->mutex);
        pthread_cond_destroy(&thread->changed);
    }
    if (thread->fd >= 0)
        close(thread->fd);
    free(thread);
}

/* Something was written to the file that is open now. The mutex is held. */
static int dirty_note(struct weir_sync_thread *thread, const struct weir_append *append) {
    if (thread->fd < 0 || thread->ino != append->ino) {
        /* Another writer has put that file aside, who need not care for the disk. */
        if (thread->due && fdatasync(thread->fd) != 0)
            return errno;
        thread->due = 0;
        if (thread->fd >= 0)
            close(thread->fd);
        thread->fd = dup(append->fd);
        thread->ino = append->ino;
    }
    if (thread->fd < 0)
        return errno;
    if (thread->due == 0) {
        thread->due = weir_clock_monotonic() + thread->interval_ns;
        pthread_cond_signal(&thread->changed);
    }
    return thread->reason;
}

static int sync_later(struct weir_file *file, weir_error *err) {
    struct weir_sync_thread *thread = file->append.sync;
    pthread_mutex_lock(&thread->mutex);
    int reason = dirty_note(thread, &file->append);
    pthread_mutex_unlock(&thread->mutex);
    return reason ? sync_failed(file, reason, err) : WEIR_OK;
}

int weir_sync_check(struct weir_file *file, weir_error *err) {
    struct weir_sync_thread *thread = file->append.sync;
    if (file->append.is_poisoned)
        return weir_fail(err, WEIR_ESYSTEM, "%s: bringing the log to the disk has failed before; open it again",
                         file->place.text);
    if (!thread)
        return WEIR_OK;
    pthread_mutex_lock(&thread->mutex);
    int reason = thread->reason;
    pthread_mutex_unlock(&thread->mutex);
    return reason ? sync_failed(file, reason, err) : WEIR_OK;
}

/* ---- as asked ---- */

int weir_sync_written(struct weir_file *file, weir_error *err) {
    struct weir_append *append = &file->append;
    append->is_dirty = 1;
    if (file->place.sync == WEIR_SYNC_NONE)
        return WEIR_OK;
    if (append->sync)
        return sync_later(file, err);
    append->is_dirty = 0;
    return append->lease.is_exclusive || file->place.sync == WEIR_SYNC_INTERVAL ? sync_alone(file, err)
                                                                                : sync_together(file, err);
}
