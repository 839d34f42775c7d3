/* What tests share that have the kernel refuse a call.
 *
 * What must stay true: a filter stays for good, and for every child, so it is installed in a process of its own. */
#ifndef WEIR_OS_TESTING_FILTER_H
#define WEIR_OS_TESTING_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

/* From here on this process is under the filter. Return: 0 where there are none. */
static inline int testing_filter(struct sock_filter *steps, size_t count) {
    struct sock_fprog program = {.len = (unsigned short)count, .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* From here on @call fails with @reason, an errno. Return: as testing_filter. */
static inline int testing_call_refuse(uint32_t call, uint32_t reason) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | reason),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return testing_filter(steps, sizeof(steps) / sizeof(steps[0]));
}

#endif
