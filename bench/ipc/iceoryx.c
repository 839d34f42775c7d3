/* iceoryx, through its C binding: a publisher and a subscriber that lose nothing (the publisher waits), chunks loaned,
 * published, taken and released. Polled, which is its fastest way, and with a WaitSet, which is its way to sleep. Its
 * daemon, RouDi, is started here and ended here. */
#include "mechanism.h"

#if !BENCH_HAS_ICEORYX

static const char *iceoryx_prepare(const char *directory) {
    (void)directory;
    return "libiceoryx-binding-c-dev is not installed";
}

const struct mechanism iceoryx_mechanisms[] = {
    {.name = "iceoryx", .prepare = iceoryx_prepare},
    {.name = NULL},
};

#else

#include <fcntl.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUEUE = 256, QUEUE_RARE = 8, CHUNKS_RARE = 16000, BEGIN_MS = 10000 };

static pid_t roudi;

/* ---- the daemon ---- */

static void roudi_run(int out) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execlp("iox-roudi", "iox-roudi", "-m", "off", (char *)NULL);
    _exit(127);
}

/* It says "RouDi is ready for clients". */
static int is_ready(int in) {
    char text[4096];
    size_t used = 0;
    struct pollfd wait = {.fd = in, .events = POLLIN};
    while (used < sizeof(text) - 1 && poll(&wait, 1, BEGIN_MS) == 1) {
        ssize_t count = read(in, text + used, sizeof(text) - 1 - used);
        if (count <= 0)
            return 0;
        text[used += (size_t)count] = '\0';
        if (strstr(text, "ready for clients"))
            return 1;
    }
    return 0;
}

static void iceoryx_finish(void) {
    if (roudi > 0) {
        kill(roudi, SIGTERM);
        waitpid(roudi, NULL, 0);
    }
    roudi = 0;
}

static const char *iceoryx_prepare(const char *directory) {
    int fds[2];
    (void)directory;
    if (roudi)
        return NULL;
    bench_must(pipe2(fds, O_CLOEXEC) == 0, "pipe");
    roudi = fork();
    bench_must(roudi >= 0, "fork");
    if (roudi == 0)
        roudi_run(fds[1]);
    close(fds[1]);
    int has_begun = is_ready(fds[0]);
    /* What it says later is read by nobody: its end of the pipe stays open, and it says little. */
    if (has_begun)
        return NULL;
    iceoryx_finish();
    return "its daemon iox-roudi does not start (package iceoryx), or one runs already";
}

/* ---- ends ---- */

struct end {
    iox_pub_storage_t publisher_storage;
    iox_sub_storage_t subscriber_storage;
    iox_ws_storage_t wait_storage;
    iox_pub_t publisher;
    iox_sub_t subscriber;
    iox_ws_t wait;
};

static void publisher_open(struct end *end, const char *channel) {
    iox_pub_options_t options;
    iox_pub_options_init(&options);
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    end->publisher = iox_pub_init(&end->publisher_storage, "bench", "weir", channel, &options);
    bench_must(end->publisher != NULL, "iox_pub_init");
}

/* Of large chunks its memory pools have few, as RouDi makes them without being told otherwise. */
static void subscriber_open(struct end *end, const char *channel, size_t size) {
    iox_sub_options_t options;
    iox_sub_options_init(&options);
    options.queueCapacity = size > CHUNKS_RARE ? QUEUE_RARE : QUEUE;
    options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    end->subscriber = iox_sub_init(&end->subscriber_storage, "bench", "weir", channel, &options);
    bench_must(end->subscriber != NULL, "iox_sub_init");
}

static void iceoryx_open(struct link *link) {
    char name[64], channel[2][32];
    struct end *end = calloc(1, sizeof(*end));
    bench_must(end != NULL, "memory");
    snprintf(name, sizeof(name), "bench-%d-%d", link->serial, link->index);
    iox_set_loglevel(Iceoryx_LogLevel_Off);
    iox_runtime_init(name);
    for (int i = 0; i < 2; i++)
        snprintf(channel[i], sizeof(channel[i]), "%c%d", 'a' + i, link->serial);
    if (link->index == 0 || link->scenario->is_trip)
        publisher_open(end, channel[link->index != 0]);
    if (link->index != 0 || link->scenario->is_trip)
        subscriber_open(end, channel[link->index == 0], link->size);
    if (end->subscriber && link->mechanism->argument) {
        end->wait = iox_ws_init(&end->wait_storage);
        bench_must(iox_ws_attach_subscriber_state(end->wait, end->subscriber, SubscriberState_HAS_DATA, 1, NULL) ==
                       WaitSetResult_SUCCESS,
                   "iox_ws_attach_subscriber_state");
    }
    while (end->subscriber && iox_sub_get_subscription_state(end->subscriber) != SubscribeState_SUBSCRIBED)
        usleep(1000);
    link->state = end;
}

static void iceoryx_close(struct link *link) {
    struct end *end = link->state;
    if (end->wait) {
        iox_ws_detach_subscriber_state(end->wait, end->subscriber, SubscriberState_HAS_DATA);
        iox_ws_deinit(end->wait);
    }
    if (end->publisher)
        iox_pub_deinit(end->publisher);
    if (end->subscriber)
        iox_sub_deinit(end->subscriber);
    iox_runtime_shutdown();
    free(end);
}

static void publish(struct link *link, const unsigned char *bytes, size_t copied) {
    struct end *end = link->state;
    void *chunk;
    bench_must(iox_pub_loan_chunk(end->publisher, &chunk, (uint32_t)link->size) == AllocationResult_SUCCESS,
               "iox_pub_loan_chunk");
    memcpy(chunk, bytes, copied);
    iox_pub_publish_chunk(end->publisher, chunk);
}

static void take(struct link *link, unsigned char *bytes, size_t copied) {
    struct end *end = link->state;
    const void *chunk;
    iox_notification_info_t info;
    uint64_t missed;
    while (iox_sub_take_chunk(end->subscriber, &chunk) != ChunkReceiveResult_SUCCESS)
        if (end->wait)
            iox_ws_wait(end->wait, &info, 1, &missed);
    memcpy(bytes, chunk, copied);
    iox_sub_release_chunk(end->subscriber, chunk);
}

static void iceoryx_send(struct link *link, const unsigned char *bytes) {
    publish(link, bytes, link->size);
}

static void iceoryx_receive(struct link *link, unsigned char *bytes) {
    take(link, bytes, link->size);
}

static size_t copied(const struct link *link) {
    return (LOANS >> (link->scenario - scenarios) & 1) ? 8 : link->size;
}

static void iceoryx_send_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++) {
        number_put(bytes, (uint64_t)i);
        publish(link, bytes, copied(link));
    }
}

static uint64_t iceoryx_receive_many(struct link *link, unsigned char *bytes, long count) {
    for (long i = 0; i < count; i++)
        take(link, bytes, copied(link));
    return number_get(bytes);
}

#define ICEORYX(title, which, how)                                                                                     \
    {                                                                                                                  \
        .name = title, .scenarios = which, .slowness = 20, .argument = how, .open = iceoryx_open,                      \
        .close = iceoryx_close, .send = iceoryx_send, .receive = iceoryx_receive, .send_many = iceoryx_send_many,      \
        .receive_many = iceoryx_receive_many, .prepare = iceoryx_prepare, .finish = iceoryx_finish                     \
    }

const struct mechanism iceoryx_mechanisms[] = {
    ICEORYX("iceoryx, polling", ONLY(TRIP) | WAYS | LOANS, NULL),
    ICEORYX("iceoryx, WaitSet", TRIPS, "wait"),
    {.name = NULL},
};

#endif
