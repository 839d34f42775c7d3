/* What the traced processes do: every operation of the transport, in an order that a seed decides. */
#ifndef WEIR_TORTURE_SCRIPT_H
#define WEIR_TORTURE_SCRIPT_H

#include "ledger.h"

enum script_kind {
    SCRIPT_WRITE, /* one or two writers: send, cork, skip, discard, make room, grow, reopen */
    SCRIPT_READ,  /* readers that hold and observe, seek, have descriptors */
    SCRIPT_BOTH,
    SCRIPT_BRIEF, /* ends of a channel that shall not stay: made, used, taken away */
    SCRIPT_CLEAN, /* gc */
    SCRIPT_KINDS
};

/* Runs to its end, or until it is killed. */
void script_run(enum script_kind kind, struct ledger *ledger, const struct wish *options, uint64_t seed);
/* Sends some messages of each stream at full speed, so that scripts begin anywhere in the ring. */
int script_prefill(struct ledger *ledger, const struct wish *options, struct dice *dice, int count);
/* Sends at full speed until no lane has room for one more message. */
int script_fill(struct ledger *ledger, const struct wish *options, uint64_t seed);

#endif
