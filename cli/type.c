/* Types of raw data, as options give them. */
#include <string.h>

#include "cli.h"

int cli_type(const char *text, weir_type **ret) {
    weir_error err = {0};
    int status = weir_type_new(text, strlen(text), ret, &err);
    return status == WEIR_EINVAL ? cli_fail(CLI_ENCODING, "%s", err.text) : status ? cli_error(status, &err) : CLI_OK;
}

int cli_type_check(weir_message *message, const char *type, weir_error *err) {
    weir_view bytes;
    return type ? weir_message_raw(message, type, &bytes, err) : WEIR_OK;
}
