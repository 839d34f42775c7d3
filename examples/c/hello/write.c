/* Sends a spectrum, 4 channels of 256 numbers, ten times a second until Ctrl-C. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include <weir/weir.h>

static double numbers[4][256];

int main(void) {
    weir_writer *writer = NULL;
    weir_error err;
    weir_ndarray array = {.element = WEIR_F64, .rank = 2, .shape = {4, 256}, .data = numbers, .size = sizeof(numbers)};

    int status = weir_writer_open("lab/spectrum", &writer, &err);
    for (int t = 0; status == WEIR_OK; t++) {
        for (int i = 0; i < 4 * 256; i++)
            numbers[i / 256][i % 256] = t * sin(0.01 * i);
        status = weir_writer_send_ndarray(writer, "spectrum", NULL, &array, &err);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    fprintf(stderr, "write: %s\n", err.text);
    weir_writer_close(writer);
    return 1;
}
