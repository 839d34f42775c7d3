/* Between the two files that make an info document: info.c, what the transport says of a channel joined with records;
 * info_ends.c, what the ends say of themselves. */
#ifndef WEIR_CHANNEL_INFO_H
#define WEIR_CHANNEL_INFO_H

#include <weir/value.h>

#include "channel/record.h"

/* The live ends of one place. The array grows by doubling. */
struct weir_ends {
    const char *place;
    struct weir_record *records;
    size_t count, capacity;
};

/* "ends": each with its options, state, and how far a reader is behind. @told: what the transport said. */
void weir_info_ends_tell(const struct weir_ends *ends, const weir_value *told, weir_doc *doc);
/* "peers" and "peers_unseen": who is connected to the end that listens; nothing where no end of ours does. */
void weir_info_peers_tell(const struct weir_ends *ends, weir_doc *doc);
/* What a writer's end says of full=; NULL when process @pid has no writer of ours there, or several that differ. */
const char *weir_info_full_of(const struct weir_ends *ends, uint64_t pid);
/* What wait= of an end says; NULL when its transport has none. */
const char *weir_info_wait_of(const struct weir_record *end);

#endif
