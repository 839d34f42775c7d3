/* Bursts: the list of those that may keep something, and the flusher. What they are is told in burst.h.
 *
 * What must stay true: the list's lock comes before any object's lock, also over fork, so the handlers here are
 * installed after those of os/child.c and run before them. Nobody who holds an object's lock takes the list's. The
 * flusher is started by whoever grants first and joined by whoever leaves last; between the two its state says that it
 * is no longer there for anybody, and grants are refused. */
#include "transport/burst.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "os/futex.h"

enum { STACK_SIZE = 256 << 10, LATCH_SPINS = 64, LATCH_NAP_NS = 20 * 1000, EXIT_TRIES = 100, EXIT_NAP_NS = 1000000 };
static const int64_t CALL_MAX_NS = 5000; /* a system call that took longer was held up; what is sooner is no burst */
static const int64_t SLACK_NS = 1000;

enum flusher_state { FLUSHER_NONE = 0, FLUSHER_STARTING = 1, FLUSHER_RUNS = 2, FLUSHER_STOPS = 3 };

static struct {
    pthread_mutex_t lock;
    struct weir_burst *newest;
    _Atomic(uint32_t) state;  /* enum flusher_state */
    _Atomic(uint32_t) grants; /* there are now */
    _Atomic(uint32_t) word;   /* 1: the flusher sleeps until it is woken */
    pthread_t thread;
} flusher = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local uint8_t has_granted; /* its address is the thread's name */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void nap(int64_t ns) {
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* ---- the latch ---- */

/* It is held for as long as a message takes to be copied, so only who was put off the processor meanwhile is waited
 * for: sleeping, as he may need this very one. */
void weir_burst_latch_slow(struct weir_burst *burst) {
    for (int i = 0; atomic_exchange_explicit(&burst->latch, 1, memory_order_acquire) != 0; i++)
        if (i >= LATCH_SPINS)
            nap(LATCH_NAP_NS);
}

/* ---- noticing ---- */

void weir_burst_before(struct weir_burst *burst) {
    if (!burst->may_keep)
        return;
    int64_t now = weir_clock_monotonic(), took = burst->ended - burst->began;
    int is_sooner = burst->is_hot || now - burst->ended < (took < CALL_MAX_NS ? took : CALL_MAX_NS);
    burst->streak = is_sooner ? burst->streak + 1 : 0;
    burst->is_hot = 0; /* from here on the clock says */
    burst->began = now;
}

void weir_burst_after(struct weir_burst *burst) {
    if (burst->may_keep)
        burst->ended = weir_clock_monotonic();
}

/* ---- the flusher ---- */

/* What is due leaves; a burst that has become slow is over. Return: when to look again. */
static int64_t look(struct weir_burst *burst, int64_t now) {
    uint64_t seq = atomic_load_explicit(&burst->seq, memory_order_relaxed);
    int64_t due = atomic_load_explicit(&burst->due, memory_order_relaxed);
    int is_slow = seq - burst->seq_seen < WEIR_BURST_STREAK;
    burst->seq_seen = seq;
    if (due > now)
        return due;
    if (is_slow) {
        burst->streak = 0;
        burst->is_hot = 0;
    }
    atomic_store_explicit(&burst->due, now + WEIR_BURST_TICK, memory_order_relaxed);
    burst->flush(burst->object, is_slow ? WEIR_BURST_ENDS : WEIR_BURST_GOES_ON);
    return now + WEIR_BURST_TICK;
}

/* Return: when to look again. */
static int64_t look_at_all(int64_t now) {
    int64_t next = now + WEIR_BURST_WAIT; /* no grant can be due before that which begins now */
    pthread_mutex_lock(&flusher.lock);
    for (struct weir_burst *burst = flusher.newest; burst; burst = burst->older)
        if (atomic_load(&burst->is_granted) && !burst->is_corked) {
            int64_t again = look(burst, now);
            next = again < next ? again : next;
        }
    pthread_mutex_unlock(&flusher.lock);
    return next;
}

static void *flusher_main(void *user) {
    prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
    while (atomic_load(&flusher.state) != FLUSHER_STOPS) {
        if (atomic_load(&flusher.grants) > 0) {
            int64_t left = weir_deadline_left(look_at_all(weir_clock_monotonic()));
            weir_futex_wait(&flusher.word, 0, left);
            continue;
        }
        atomic_store(&flusher.word, 1);
        if (atomic_load(&flusher.grants) == 0 && atomic_load(&flusher.state) != FLUSHER_STOPS)
            weir_futex_wait(&flusher.word, 1, INT64_MAX);
        atomic_store(&flusher.word, 0);
    }
    return user;
}

static void flusher_wake(void) {
    if (atomic_exchange(&flusher.word, 0) == 1)
        weir_futex_wake(&flusher.word);
}

static int thread_make(void) {
    sigset_t all, old;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int is_made = pthread_create(&flusher.thread, &attributes, flusher_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (is_made)
        pthread_setname_np(flusher.thread, "weir-burst");
    return is_made;
}

/* Return: 1 when there is a flusher. */
static int flusher_start(void) {
    uint32_t state = FLUSHER_NONE;
    if (atomic_compare_exchange_strong(&flusher.state, &state, FLUSHER_STARTING)) {
        int is_made = thread_make();
        state = is_made ? FLUSHER_RUNS : FLUSHER_NONE;
        atomic_store(&flusher.state, state);
    }
    return state == FLUSHER_RUNS;
}

/* ---- grants ---- */

/* It is granted from @now on, or still is, as the one or the other. The flusher counts only those that are its
 * business, and sleeps while there is none. */
static void grant_note(struct weir_burst *burst, int is_corked, int64_t now) {
    int was_counted = atomic_load(&burst->is_granted) && !burst->is_corked;
    if (!was_counted)
        atomic_store_explicit(&burst->due, now + WEIR_BURST_WAIT, memory_order_relaxed);
    burst->is_corked = (uint8_t)is_corked;
    atomic_store(&burst->is_granted, 1);
    if (is_corked) {
        if (was_counted)
            atomic_fetch_sub(&flusher.grants, 1);
        return;
    }
    has_granted = 1;
    atomic_store_explicit(&burst->thread, &has_granted, memory_order_relaxed);
    if (was_counted)
        return;
    atomic_fetch_add(&flusher.grants, 1);
    flusher_wake();
}

int weir_burst_grant(struct weir_burst *burst, unsigned char *from, unsigned char *at, size_t size, uint64_t seq,
                     int is_corked) {
    if (size < WEIR_BURST_GRANT_MIN || (!is_corked && !flusher_start()))
        return 0;
    weir_burst_latch(burst);
    burst->from = from;
    burst->at = at;
    atomic_store_explicit(&burst->seq, seq, memory_order_relaxed);
    atomic_store_explicit(&burst->left, (uint32_t)size, memory_order_relaxed);
    weir_burst_unlatch(burst);
    if (is_corked) { /* the end of a batch still wants to know whether it is hot */
        grant_note(burst, is_corked, 0);
        return 1;
    }
    int64_t now = weir_clock_monotonic(), oldest = burst->has_rest ? burst->since : now;
    burst->is_hot = 0;
    burst->since = now;
    grant_note(burst, is_corked, oldest);
    atomic_store_explicit(&burst->due, oldest + WEIR_BURST_WAIT, memory_order_relaxed);
    return 1;
}

int weir_burst_uncork(struct weir_burst *burst) {
    if (!burst->is_granted || !flusher_start())
        return 0;
    burst->is_hot = 0;
    burst->since = weir_clock_monotonic();
    grant_note(burst, 0, burst->since);
    return 1;
}

int weir_burst_queue(struct weir_burst *burst, uint64_t seq) {
    int64_t before = burst->ended;
    if (!burst->may_keep)
        return 0;
    burst->ended = weir_clock_monotonic();
    if (burst->ended - before > CALL_MAX_NS || !flusher_start())
        return 0;
    atomic_store_explicit(&burst->seq, seq, memory_order_relaxed);
    grant_note(burst, 0, burst->ended);
    return 1;
}

size_t weir_burst_collect(struct weir_burst *burst, enum weir_burst_how how, uint64_t *ret_seq) {
    weir_burst_latch(burst);
    size_t size = (size_t)(burst->at - burst->from);
    burst->from = burst->at;
    *ret_seq = atomic_load_explicit(&burst->seq, memory_order_relaxed);
    if (how != WEIR_BURST_GOES_ON)
        atomic_store_explicit(&burst->left, 0, memory_order_relaxed);
    weir_burst_unlatch(burst);
    if (how != WEIR_BURST_PAUSES)
        burst->has_rest = 0;
    if (how != WEIR_BURST_ENDS)
        return size;
    atomic_store(&burst->is_granted, 0);
    if (!burst->is_corked)
        atomic_fetch_sub(&flusher.grants, 1);
    return size;
}

/* ---- many ---- */

size_t weir_burst_post_many(struct weir_burst *burst, uint64_t word, const weir_view *data, size_t count, int64_t time,
                            uint32_t flags, uint64_t *ret_seq) {
    size_t head = weir_frame_word_size(word), done = 0;
    if (weir_burst_left(burst) == 0)
        return 0;
    weir_burst_latch(burst);
    unsigned char *to = burst->at;
    uint64_t seq = atomic_load_explicit(&burst->seq, memory_order_relaxed);
    size_t left = burst->is_corked && !(flags & WEIR_COMMIT_MORE) ? 0 : weir_burst_left(burst);
    for (; done < count && data[done].size <= WEIR_BURST_FRAME_MAX - head && data[done].size + head <= left; done++) {
        left -= head + data[done].size;
        to = weir_frame_put_simple(to, word + data[done].size, ++seq, time, data[done]);
    }
    if (done > 0) {
        burst->at = to;
        atomic_store_explicit(&burst->seq, seq, memory_order_relaxed);
        atomic_store_explicit(&burst->left, (uint32_t)left, memory_order_relaxed);
        *ret_seq = seq;
    }
    weir_burst_unlatch(burst);
    return done;
}

/* ---- frames that are written in place ---- */

unsigned char *weir_burst_room(struct weir_burst *burst, size_t size, uint64_t *ret_seq) {
    size_t lead;
    if (size + WEIR_FRAME_ALIGNMENT > weir_burst_left(burst) || size > WEIR_BURST_FRAME_MAX)
        return NULL;
    weir_burst_latch(burst); /* at moves only here, by the owner, but the grant may end at any time */
    unsigned char *at = burst->at;
    int is_there = weir_burst_left(burst) > 0;
    *ret_seq = atomic_load_explicit(&burst->seq, memory_order_relaxed) + 1;
    weir_burst_unlatch(burst);
    lead = (size_t)(-(uintptr_t)at & (WEIR_FRAME_ALIGNMENT - 1));
    return is_there ? at + lead : NULL;
}

int weir_burst_take(struct weir_burst *burst, const unsigned char *from, size_t size, uint32_t flags) {
    int is_taken = 0;
    if (!weir_burst_takes(burst, size, flags))
        return 0;
    weir_burst_latch(burst);
    if (weir_burst_takes(burst, size, flags)) {
        memmove(burst->at, from, size);
        burst->at += size;
        atomic_fetch_add_explicit(&burst->seq, 1, memory_order_relaxed);
        atomic_store_explicit(&burst->left, weir_burst_left(burst) - (uint32_t)size, memory_order_relaxed);
        is_taken = 1;
    }
    weir_burst_unlatch(burst);
    return is_taken;
}

/* ---- joining and leaving ---- */

static void before_fork(void) {
    pthread_mutex_lock(&flusher.lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&flusher.lock);
}

static void in_child(void) {
    flusher.newest = NULL;
    atomic_store(&flusher.state, FLUSHER_NONE);
    atomic_store(&flusher.grants, 0);
    atomic_store(&flusher.word, 0);
    has_granted = 0;
    pthread_mutex_unlock(&flusher.lock);
}

static void handlers_install(void) {
    pthread_atfork(before_fork, after_fork, in_child);
}

void weir_burst_join(struct weir_burst *burst, void (*flush)(void *object, enum weir_burst_how how), void *object) {
    pthread_once(&once, handlers_install);
    burst->flush = flush;
    burst->object = object;
    burst->ended = burst->began = INT64_MIN / 2;
    pthread_mutex_lock(&flusher.lock);
    burst->newer = NULL;
    burst->older = flusher.newest;
    if (flusher.newest)
        flusher.newest->newer = burst;
    flusher.newest = burst;
    pthread_mutex_unlock(&flusher.lock);
}

static void unlink_one(struct weir_burst *burst) {
    if (burst->newer)
        burst->newer->older = burst->older;
    else
        flusher.newest = burst->older;
    if (burst->older)
        burst->older->newer = burst->newer;
}

void weir_burst_leave(struct weir_burst *burst) {
    uint32_t state = FLUSHER_RUNS;
    if (!burst->flush)
        return;
    pthread_mutex_lock(&flusher.lock);
    unlink_one(burst);
    int must_stop = !flusher.newest && atomic_compare_exchange_strong(&flusher.state, &state, FLUSHER_STOPS);
    pthread_mutex_unlock(&flusher.lock);
    burst->flush(burst->object, WEIR_BURST_ENDS);
    burst->flush = NULL;
    if (!must_stop)
        return;
    flusher_wake();
    pthread_join(flusher.thread, NULL);
    atomic_store(&flusher.state, FLUSHER_NONE);
}

/* ---- leaving in time ---- */

void weir_burst_settle(void) {
    if (__builtin_expect(!has_granted, 1))
        return;
    has_granted = 0;
    pthread_mutex_lock(&flusher.lock);
    for (struct weir_burst *burst = flusher.newest; burst; burst = burst->older) {
        if (burst->thread != &has_granted)
            continue;
        burst->streak = 0;
        burst->is_hot = 0;
        if (atomic_load(&burst->is_granted) && !burst->is_corked)
            burst->flush(burst->object, WEIR_BURST_ENDS);
    }
    pthread_mutex_unlock(&flusher.lock);
}

/* A program that ends without closing: what it sent leaves, as far as it can without waiting. Another thread may have
 * been ended in the middle of something, so the lock is not waited for for ever. */
__attribute__((destructor)) static void leave_all(void) {
    if (atomic_load(&flusher.grants) == 0)
        return;
    for (int i = 0; pthread_mutex_trylock(&flusher.lock) != 0; i++) {
        if (i == EXIT_TRIES)
            return;
        nap(EXIT_NAP_NS);
    }
    for (struct weir_burst *burst = flusher.newest; burst; burst = burst->older)
        if (atomic_load(&burst->is_granted))
            burst->flush(burst->object, WEIR_BURST_ENDS);
    pthread_mutex_unlock(&flusher.lock);
}
