/* Memory of one layout into another, in runs along the first index. */
#include "convert.h"

#include <string.h>

/* One run along the first index. */
static void move_run(unsigned char *target, const unsigned char *source, int64_t step, uint64_t count, size_t width) {
    if (step == (int64_t)width) {
        memcpy(target, source, (size_t)count * width);
        return;
    }
    for (uint64_t i = 0; i < count; i++, target += width, source += step) {
        switch (width) { /* a constant size makes each copy one instruction */
        case 1: memcpy(target, source, 1); break;
        case 2: memcpy(target, source, 2); break;
        case 4: memcpy(target, source, 4); break;
        default: memcpy(target, source, 8); break;
        }
    }
}

/* Move @index on by one run. Return: 0 behind the last. */
static int next_run(uint64_t *index, const struct weir_fortran_layout *layout, const unsigned char **source) {
    for (int axis = 1; axis < layout->rank; axis++) {
        *source += layout->step[axis];
        if (++index[axis] < layout->shape[axis])
            return 1;
        *source -= layout->step[axis] * (int64_t)layout->shape[axis];
        index[axis] = 0;
    }
    return 0;
}

void weir_fortran_copy(void *target, const void *source, size_t width, const struct weir_fortran_layout *from) {
    uint64_t index[WEIR_RANK_MAX] = {0};
    uint64_t run = from->rank ? from->shape[0] : 1;
    int64_t step = from->rank ? from->step[0] : (int64_t)width;
    const unsigned char *at = source;
    unsigned char *to = target;
    for (int i = 0; i < from->rank; i++)
        if (from->shape[i] == 0)
            return;
    do {
        move_run(to, at, step, run, width);
        to += run * width;
    } while (next_run(index, from, &at));
}
