/* What the tests of channels from inside share: a store of their own, and frames as no end of this library lays them
 * out. */
#ifndef WEIR_CHANNEL_TESTING_H
#define WEIR_CHANNEL_TESTING_H

#include <weir/channel.h>

/* Make a store that is this process's alone. Return: 0, or -1. */
int testing_store_make(void);
/* Return: 0 when it could be removed. */
int testing_store_remove(void);

/* Send a frame of nothing but zeros behind the commit word @word. */
void testing_send_frame(weir_writer *writer, uint64_t word);

#endif
