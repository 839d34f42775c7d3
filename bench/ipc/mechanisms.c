/* The table of mechanisms: one line for each file that has some. */
#include "mechanism.h"

extern const struct mechanism bare_mechanisms[], weir_mechanisms[], zeromq_mechanisms[], iceoryx_mechanisms[],
    iceoryx2_mechanisms[], calls_mechanisms[], stream_mechanisms[];

const struct mechanism *const mechanism_lists[] = {
    bare_mechanisms,    weir_mechanisms,     stream_mechanisms, zeromq_mechanisms,
    iceoryx_mechanisms, iceoryx2_mechanisms, calls_mechanisms,  NULL,
};
