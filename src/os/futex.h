/* Sleeping on a word in shared memory, and the one-sided memory barrier that keeps wakers free of fences.
 *
 * The word may lie in a mapping that is read-only for the sleeper. */
#ifndef WEIR_OS_FUTEX_H
#define WEIR_OS_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* 1 in a build with the thread sanitizer, which understands neither membarrier nor fences. */
#if defined(__SANITIZE_THREAD__)
#define WEIR_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_THREAD_SANITIZER 1
#endif
#endif
#ifndef WEIR_THREAD_SANITIZER
#define WEIR_THREAD_SANITIZER 0
#endif

/* Sleep while *@word is @expected, at most @timeout_ns. Returns early when woken, when the word differs, and on
 * signals.
 * Return: 1 when the time has passed. */
int weir_futex_wait(const _Atomic(uint32_t) *word, uint32_t expected, int64_t timeout_ns);
/* Wake all who sleep on @word. */
void weir_futex_wake(_Atomic(uint32_t) *word);

/* Dekker's question, "I published; does anybody sleep?" against "I go to sleep; was anything published?", needs a full
 * barrier between the store and the load on both sides. A writer that asks it for each message cannot afford one: the
 * barrier waits for the message's cache line to come over from the reader. So the side that is about to sleep pays for
 * both: weir_barrier_all makes every running thread of every registered process pass a full barrier.
 *
 * weir_barrier_register: from now on this process may leave out its own barrier. Return: 1, or 0 when it may not. */
int weir_barrier_register(void);
/* A full barrier here and in all registered processes. Return: 1, or 0 when only we have passed one. */
int weir_barrier_all(void);

#endif
