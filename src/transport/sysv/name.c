/* Names of System V channels: a key, "0x5eed" or "24301", of one's own user; or "~user/0x5eed", of another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/process.h"
#include "transport/sysv/sysv.h"

enum { USER_MAX = 64, DIGITS_MAX = 10 };

static int key_read(const char *text, uint32_t *ret) {
    int is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = is_hex ? text + 2 : text;
    size_t size = strlen(digits);
    if (size == 0 || size > DIGITS_MAX || strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789") != size)
        return WEIR_EINVAL;
    unsigned long long number = strtoull(digits, NULL, is_hex ? 16 : 10);
    if (number == 0 || number > UINT32_MAX)
        return WEIR_EINVAL;
    *ret = (uint32_t)number;
    return WEIR_OK;
}

int weir_sysv_name(const struct weir_place *place, uint32_t *ret_key, uint32_t *ret_uid, weir_error *err) {
    const char *key = place->name;
    *ret_uid = geteuid();
    if (*key == '~') {
        char user[USER_MAX];
        size_t size = strcspn(key + 1, "/");
        if (size == 0 || size >= sizeof(user) || key[1 + size] == '\0')
            return weir_fail(err, WEIR_EADDRESS, "%s: a channel of another user is written sysv://~USER/KEY",
                             place->text);
        memcpy(user, key + 1, size);
        user[size] = '\0';
        if (weir_process_uid(user, ret_uid) != WEIR_OK)
            return weir_fail(err, WEIR_EADDRESS, "%s: there is no user \"%s\"", place->text, user);
        key += size + 2;
    }
    if (key_read(key, ret_key) != WEIR_OK)
        return weir_fail(err, WEIR_EADDRESS,
                         "%s: a System V channel is named by its key, a number from 1 to 4294967295 such as 24301 or "
                         "0x5eed",
                         place->text);
    return WEIR_OK;
}
