/* What the tests of channels from inside share (testing.h). */
#include "channel/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channel/end.h"

int testing_store_make(void) {
    char directory[] = "/dev/shm/weir-channel-XXXXXX";
    return mkdtemp(directory) ? setenv("WEIR_SHM_DIR", directory, 1) : -1;
}

int testing_store_remove(void) {
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", getenv("WEIR_SHM_DIR"));
    return system(command);
}

void testing_send_frame(weir_writer *writer, uint64_t word) {
    struct weir_slot slot;
    const struct weir_transport_ops *ops = writer->end.ops;
    assert_int_equal(ops->reserve(writer->end.state, 0, (uint32_t)word, &slot, NULL), WEIR_OK);
    memset(slot.bytes + 8, 0, (uint32_t)word - 8);
    memcpy(slot.bytes + 8, &slot.seq, 8);
    assert_int_equal(ops->commit(writer->end.state, word, 0, NULL), WEIR_OK);
}
