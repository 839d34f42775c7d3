/* Small messages sent and received by one process in turns of a quarter of a lane: what the library itself does for
 * each, without waiting for another core. bench/profile runs it under callgrind.
 *
 *     bench_loop [MESSAGES] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

enum { TURN = 4000, SIZE = 48 };

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void check(int status, const weir_error *err) {
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "bench: weir: %s\n", err->text);
    exit(1);
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 10000000, done = 0;
    unsigned char bytes[SIZE] = {1};
    char address[64];
    double sending = 0, receiving = 0;
    weir_writer *writer;
    weir_reader *reader;
    weir_message *message;
    weir_error err;
    snprintf(address, sizeof(address), "shm://bench/loop%ld?keep=0&stamp=0", (long)now_ns());
    check(weir_writer_open(address, &writer, &err), &err);
    check(weir_reader_open(address, &reader, &err), &err);
    for (; done < count; done += TURN) {
        double begin = now_ns();
        for (int i = 0; i < TURN; i++)
            check(weir_writer_send_bytes(writer, NULL, NULL, WEIR_CODEC_CBOR, NULL, bytes, SIZE, &err), &err);
        double middle = now_ns();
        for (int i = 0; i < TURN; i++) {
            check(weir_reader_next(reader, 0, &message, &err), &err);
            memcpy(bytes, weir_message_bytes(message).data, SIZE);
        }
        sending += middle - begin;
        receiving += now_ns() - middle;
    }
    printf("send %.1f ns, receive %.1f ns\n", sending / (double)done, receiving / (double)done);
    weir_reader_close(reader);
    weir_writer_close(writer);
    return 0;
}
