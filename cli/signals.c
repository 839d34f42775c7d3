/* Ctrl-C, and waits that it ends. The library's waits survive signals, so the commands wait in slices and look at a
 * flag. */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { SLICE_NS = 100 * 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    if (interrupted)
        _exit(CLI_SIGNAL + number);
    interrupted = number;
}

static void on_signal_end(int number) {
    _exit(CLI_SIGNAL + number);
}

static void handle(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler}; /* without SA_RESTART: reads and sleeps end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Before main: a command that does not call cli_signals_begin still ends with 130. */
__attribute__((constructor)) static void signals_start(void) {
    handle(on_signal_end);
    signal(SIGPIPE, SIG_IGN); /* output.c sees EPIPE instead */
}

void cli_signals_begin(void) {
    handle(on_signal);
}

/* Lets what is queued go as the address says. Nothing is left to be tidied up then, so Ctrl-C may end the process. */
void cli_writer_close(weir_writer *writer, int64_t timeout_ns) {
    if (writer && !interrupted) {
        weir_writer_set_timeout(writer, timeout_ns);
        handle(on_signal_end);
    }
    weir_writer_close(writer);
    if (!interrupted)
        handle(on_signal);
}

int cli_is_interrupted(void) {
    return interrupted;
}

int64_t cli_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t cli_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t cli_deadline(int64_t timeout_ns) {
    int64_t now = cli_clock();
    return timeout_ns < 0 || timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

int64_t cli_slice(int64_t deadline) {
    int64_t now = cli_clock(), left = deadline - now;
    return left < 0 ? 0 : left < SLICE_NS ? left : SLICE_NS;
}

int cli_keep_waiting(int status, int64_t deadline) {
    return status == WEIR_ETIMEOUT && !interrupted && cli_clock() < deadline;
}

void cli_sleep_until(int64_t moment) {
    while (!interrupted && cli_clock() < moment) {
        int64_t until = cli_clock() + cli_slice(moment);
        struct timespec time = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    }
}
