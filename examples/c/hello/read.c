/* Prints the type and the greatest number of every spectrum, until Ctrl-C. */
#include <math.h>
#include <stdio.h>

#include <weir/weir.h>

static int show(weir_message *message, weir_error *err) {
    weir_ndarray array;
    int status = weir_message_ndarray(message, &array, err);
    if (status)
        return status;
    double top = -INFINITY;
    const double *numbers = array.data; /* in the channel itself: nothing was copied */
    for (uint64_t i = 0; i < weir_ndarray_count(&array) && array.element == WEIR_F64; i++)
        top = fmax(top, numbers[i]);
    weir_view type = weir_message_type(message);
    printf("%llu %.*s %.3f\n", (unsigned long long)weir_message_seq(message), (int)type.size, type.data, top);
    return fflush(stdout);
}

int main(void) {
    weir_reader *reader = NULL;
    weir_message *message;
    weir_error err;

    int status = weir_reader_open("lab/spectrum", &reader, &err);
    while (status == WEIR_OK && (status = weir_reader_next(reader, WEIR_FOREVER, &message, &err)) == WEIR_OK)
        status = show(message, &err);
    fprintf(stderr, "read: %s\n", err.text);
    weir_reader_close(reader);
    return 1;
}
