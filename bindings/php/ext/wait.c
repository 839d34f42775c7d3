/* Waits in slices. The library carries on after a signal, as it must; PHP notes the signal and handles it where the
 * engine looks, between opcodes. So a long wait comes back every tenth of a second and looks itself: handlers of
 * pcntl_async_signals run, a time limit that has passed ends the script, and an exception thrown by a handler ends the
 * wait. */
#include "php_weir.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static const int64_t SLICE_NS = 100000000;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t php_weir_nanoseconds(double seconds, bool is_null) {
    if (is_null || seconds > 9.2e9)
        return WEIR_FOREVER;
    return seconds > 0 ? (int64_t)(seconds * 1e9) : 0;
}

void php_weir_wait_begin(php_weir_wait *wait, int64_t timeout_ns) {
    if (timeout_ns <= 0)
        wait->deadline_ns = timeout_ns == 0 ? 0 : INT64_MAX;
    else if (__builtin_add_overflow(now_ns(), timeout_ns, &wait->deadline_ns))
        wait->deadline_ns = INT64_MAX;
}

int64_t php_weir_wait_slice(const php_weir_wait *wait) {
    if (wait->deadline_ns == 0)
        return 0;
    if (wait->deadline_ns == INT64_MAX)
        return SLICE_NS;
    int64_t left = wait->deadline_ns - now_ns();
    return left < 0 ? 0 : left < SLICE_NS ? left : SLICE_NS;
}

static void interrupts_handle(void) {
    if (!zend_atomic_bool_load_ex(&EG(vm_interrupt)))
        return;
    zend_atomic_bool_store_ex(&EG(vm_interrupt), false);
    if (zend_atomic_bool_load_ex(&EG(timed_out)))
        zend_timeout();
    else if (zend_interrupt_function)
        zend_interrupt_function(EG(current_execute_data));
}

bool php_weir_wait_goes_on(const php_weir_wait *wait) {
    interrupts_handle();
    return !EG(exception) && wait->deadline_ns != 0 && (wait->deadline_ns == INT64_MAX || wait->deadline_ns > now_ns());
}

bool php_weir_stream(int fd, zval *ret) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    php_stream *stream = copy < 0 ? NULL : php_stream_fopen_from_fd(copy, "r", NULL);
    if (stream) {
        php_stream_to_zval(stream, ret);
        return true;
    }
    int problem = errno;
    if (copy >= 0)
        close(copy);
    php_weir_throw_text(WEIR_ESYSTEM, "no stream for waiting: %s", strerror(problem));
    return false;
}
