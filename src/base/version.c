/* The version of the running library; include/weir/base.h is the one place that states it. */
#include <weir/base.h>

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

const char *weir_version(void) {
    return TEXT(WEIR_VERSION_MAJOR) "." TEXT(WEIR_VERSION_MINOR) "." TEXT(WEIR_VERSION_PATCH);
}
