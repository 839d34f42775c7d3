/* Addresses. One table holds every option: its name, which transports know it, and how its value is read into the
 * place.
 *
 * What must stay true: nothing in an address is ignored. What is not understood is refused with the list of what is. */
#include "channel/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "codec/codec.h"
#include "frame/plain/plain.h"

enum {
    CAPACITY_DEFAULT = 1 << 20,
    CAPACITY_MIN = 4096,
    TIMEOUT_DEFAULT_S = 10,
    MODE_DEFAULT = 0600,
    NUMBER_TEXT_MAX = 40,
    FILES_DEFAULT = 4,
    FILES_MAX = 1000,
    ROTATE_MIN = 64 << 10,
};
static const uint64_t CAPACITY_MAX = UINT64_C(1) << 32;
static const uint64_t MESSAGE_MAX = UINT64_C(1) << 31;

/* ---- numbers with units ---- */

static int digits_parse(const char *text, size_t size, uint64_t *ret) {
    uint64_t value = 0;
    if (size == 0 || size > 19)
        return WEIR_EINVAL;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return WEIR_EINVAL;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret = value;
    return WEIR_OK;
}

int weir_size_parse(const char *text, size_t size, uint64_t *ret) {
    unsigned shift = 0;
    uint64_t value;
    if (size > 0) {
        const char *unit = memchr("KMG", text[size - 1], 3);
        shift = unit ? 10 * (unsigned)(1 + (text[size - 1] == 'M') + 2 * (text[size - 1] == 'G')) : 0;
        size -= unit != NULL;
    }
    if (digits_parse(text, size, &value) || value > UINT64_MAX >> shift)
        return WEIR_EINVAL;
    *ret = value << shift;
    return WEIR_OK;
}

static const struct {
    const char *name;
    double ns;
} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"", 1e9}};

/* A plain decimal number, "12" or "0.5": what both forms of a duration begin with. Return: its length, 0 for none. */
static size_t decimal_length(const char *text, size_t size) {
    size_t digits = 0, length = 0;
    int has_point = 0;
    for (; length < size; length++) {
        if (text[length] >= '0' && text[length] <= '9')
            digits++;
        else if (text[length] == '.' && !has_point && digits > 0)
            has_point = 1;
        else
            break;
    }
    return digits > 0 && text[length - 1] != '.' ? length : 0;
}

int weir_duration_parse(const char *text, size_t size, int64_t *ret_ns) {
    if (size == 7 && memcmp(text, "forever", 7) == 0) {
        *ret_ns = WEIR_FOREVER;
        return WEIR_OK;
    }
    size_t length = decimal_length(text, size);
    if (length == 0 || length > NUMBER_TEXT_MAX)
        return WEIR_EINVAL;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) != size - length || memcmp(units[i].name, text + length, size - length) != 0)
            continue;
        double ns = weir_f64_read(text, length) * units[i].ns;
        if (ns > 9.2e18)
            return WEIR_EINVAL;
        *ret_ns = (int64_t)(ns + 0.5);
        return WEIR_OK;
    }
    return WEIR_EINVAL;
}

/* ---- options ---- */

/* Reads a value into the place. Return: WEIR_OK, WEIR_EINVAL, WEIR_ENOENT (it names somebody whom this machine does not
 * know). */
typedef int option_fn(weir_view value, struct weir_place *place);

static int view_is(weir_view view, const char *text) {
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

static int switch_read(weir_view value, uint8_t *ret) {
    if (!view_is(value, "0") && !view_is(value, "1"))
        return WEIR_EINVAL;
    *ret = value.data[0] == '1';
    return WEIR_OK;
}

static int word_read(weir_view value, const char *const *words, unsigned count, unsigned *ret) {
    for (unsigned i = 0; i < count; i++) {
        if (!view_is(value, words[i]))
            continue;
        *ret = i;
        return WEIR_OK;
    }
    return WEIR_EINVAL;
}

static int capacity_option(weir_view value, struct weir_place *place) {
    int status = weir_size_parse(value.data, value.size, &place->capacity);
    return status || place->capacity < CAPACITY_MIN || place->capacity > CAPACITY_MAX ? WEIR_EINVAL : WEIR_OK;
}

static int max_option(weir_view value, struct weir_place *place) {
    int status = weir_size_parse(value.data, value.size, &place->size_max);
    return status || place->size_max < 64 || place->size_max > MESSAGE_MAX ? WEIR_EINVAL : WEIR_OK;
}

static int full_option(weir_view value, struct weir_place *place) {
    static const char *const words[] = {"block", "drop-oldest", "drop-newest", "fail"};
    unsigned index = 0;
    int status = word_read(value, words, 4, &index);
    place->full = (enum weir_full)index;
    return status;
}

static int from_option(weir_view value, struct weir_place *place) {
    static const char *const words[] = {"now", "oldest", "last"};
    unsigned index = 0;
    uint64_t seq;
    place->is_from_given = 1;
    if (word_read(value, words, 3, &index) == WEIR_OK) {
        place->from = (enum weir_from)index;
        return WEIR_OK;
    }
    if (value.size > 4 && memcmp(value.data, "seq:", 4) == 0) {
        place->from = WEIR_FROM_SEQ;
        if (digits_parse(value.data + 4, value.size - 4, &seq) || seq > INT64_MAX)
            return WEIR_EINVAL;
        place->from_value = (int64_t)seq;
        return WEIR_OK;
    }
    place->from = WEIR_FROM_AGO;
    if (value.size < 2 || value.data[0] != '-')
        return WEIR_EINVAL;
    int status = weir_duration_parse(value.data + 1, value.size - 1, &place->from_value);
    return status || place->from_value < 0 ? WEIR_EINVAL : WEIR_OK;
}

static int timeout_option(weir_view value, struct weir_place *place) {
    return weir_duration_parse(value.data, value.size, &place->timeout_ns);
}

static int codec_option(weir_view value, struct weir_place *place) {
    char name[16];
    if (value.size >= sizeof(name))
        return WEIR_EINVAL;
    memcpy(name, value.data, value.size);
    name[value.size] = '\0';
    place->is_codec_given = 1;
    if (weir_codec_find(name, &place->codec, NULL) || place->codec == WEIR_CODEC_RAW || !weir_codec_ops(place->codec))
        return WEIR_EINVAL;
    return WEIR_OK;
}

static int readers_option(weir_view value, struct weir_place *place) {
    uint64_t count;
    if (digits_parse(value.data, value.size, &count) || count > 1000)
        return WEIR_EINVAL;
    place->readers = (uint32_t)count;
    return WEIR_OK;
}

static int mode_option(weir_view value, struct weir_place *place) {
    uint32_t mode = 0;
    if (value.size < 3 || value.size > 4)
        return WEIR_EINVAL;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '7')
            return WEIR_EINVAL;
        mode = mode * 8 + (uint32_t)(value.data[i] - '0');
    }
    place->mode = mode;
    place->is_mode_given = 1;
    return (mode & 0600) == 0600 && mode <= 0666 ? WEIR_OK : WEIR_EINVAL;
}

static int group_option(weir_view value, struct weir_place *place) {
    if (value.size == 0 || value.size >= sizeof(place->group))
        return WEIR_EINVAL;
    memcpy(place->group, value.data, value.size);
    place->group[value.size] = '\0';
    return WEIR_OK;
}

static int allow_option(weir_view value, struct weir_place *place) {
    return weir_allow_parse(value.data, value.size, &place->allow);
}

static int keep_option(weir_view value, struct weir_place *place) {
    place->is_kept_given = 1;
    return switch_read(value, &place->is_kept);
}

static int wait_option(weir_view value, struct weir_place *place) {
    static const char *const words[] = {"futex", "spin", "poll", "sem"};
    unsigned index = 0;
    int status = word_read(value, words, 4, &index);
    place->wait = (enum weir_wait_how)index;
    return status;
}

static int framing_option(weir_view value, struct weir_place *place) {
    place->framing = weir_framing_find(value.data, value.size);
    return place->framing < 0 ? WEIR_EINVAL : WEIR_OK;
}

static int file_read(weir_view value, char *ret) {
    if (value.size == 0 || value.size >= WEIR_FILE_MAX || value.data[0] != '/')
        return WEIR_EINVAL;
    memcpy(ret, value.data, value.size);
    ret[value.size] = '\0';
    return WEIR_OK;
}

#define FILE_OPTION(option, field)                                                                                     \
    static int option(weir_view value, struct weir_place *place) {                                                     \
        return file_read(value, place->field);                                                                         \
    }
FILE_OPTION(cert_option, cert)
FILE_OPTION(key_option, key)
FILE_OPTION(ca_option, ca)
FILE_OPTION(psk_option, psk)

static int sync_option(weir_view value, struct weir_place *place) {
    static const char interval[] = "interval:";
    size_t prefix = sizeof(interval) - 1;
    if (view_is(value, "none") || view_is(value, "always")) {
        place->sync = view_is(value, "none") ? WEIR_SYNC_NONE : WEIR_SYNC_ALWAYS;
        return WEIR_OK;
    }
    place->sync = WEIR_SYNC_INTERVAL;
    if (value.size <= prefix || memcmp(value.data, interval, prefix) != 0)
        return WEIR_EINVAL;
    return weir_duration_parse(value.data + prefix, value.size - prefix, &place->sync_ns);
}

static int rotate_option(weir_view value, struct weir_place *place) {
    int status = weir_size_parse(value.data, value.size, &place->rotate_size);
    return status || place->rotate_size < ROTATE_MIN ? WEIR_EINVAL : WEIR_OK;
}

static int age_option(weir_view value, struct weir_place *place) {
    int status = weir_duration_parse(value.data, value.size, &place->rotate_ns);
    return status || place->rotate_ns <= 0 ? WEIR_EINVAL : WEIR_OK;
}

static int files_option(weir_view value, struct weir_place *place) {
    uint64_t count;
    if (digits_parse(value.data, value.size, &count) || count < 1 || count > FILES_MAX)
        return WEIR_EINVAL;
    place->files = (uint32_t)count;
    return WEIR_OK;
}

/* "seed:7,delay:0.01,error:0.5" */
static int fault_option(weir_view value, struct weir_place *place) {
    struct weir_faults *fault = &place->fault;
    const struct {
        const char *name;
        double *odds;
    } kinds[] = {{"error:", &fault->error},
                 {"again:", &fault->again},
                 {"delay:", &fault->delay},
                 {"disconnect:", &fault->disconnect},
                 {"short:", &fault->shortness}};
    for (const char *end = value.data + value.size, *at = value.data; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at), i = 0;
        if (size > 5 && memcmp(at, "seed:", 5) == 0) {
            if (digits_parse(at + 5, size - 5, &fault->seed))
                return WEIR_EINVAL;
            at += size + 1;
            continue;
        }
        for (; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            if (size > strlen(kinds[i].name) && memcmp(at, kinds[i].name, strlen(kinds[i].name)) == 0)
                break;
        size_t skip = i < sizeof(kinds) / sizeof(kinds[0]) ? strlen(kinds[i].name) : 0;
        if (skip == 0 || decimal_length(at + skip, size - skip) != size - skip || size - skip > NUMBER_TEXT_MAX)
            return WEIR_EINVAL;
        *kinds[i].odds = weir_f64_read(at + skip, size - skip);
        if (*kinds[i].odds > 1)
            return WEIR_EINVAL;
        at += size + 1;
    }
    return WEIR_OK;
}

#define SWITCH_OPTION(option, field)                                                                                   \
    static int option(weir_view value, struct weir_place *place) {                                                     \
        return switch_read(value, &place->field);                                                                      \
    }
SWITCH_OPTION(observe_option, is_observer)
SWITCH_OPTION(create_option, may_create)
SWITCH_OPTION(exclusive_option, is_exclusive)
SWITCH_OPTION(stamp_option, is_stamped)
SWITCH_OPTION(listen_option, must_listen)
SWITCH_OPTION(connect_option, must_connect)
SWITCH_OPTION(sealed_option, is_sealed)
SWITCH_OPTION(insecure_option, is_insecure)
SWITCH_OPTION(state_option, is_state)
SWITCH_OPTION(anyfs_option, may_any_fs)
SWITCH_OPTION(burst_option, may_keep)

static const struct {
    const char *name;
    option_fn *read;
    uint32_t transports; /* enum weir_option that the transport must have; 0: all have it */
    const char *form;    /* what a right value looks like */
} options[] = {
    {"capacity", capacity_option, 0, "a size from 4K to 4G, such as 1M"},
    {"max", max_option, 0, "a size from 64 to 2G, such as 16M"},
    {"full", full_option, 0, "block, drop-oldest, drop-newest or fail"},
    {"from", from_option, 0, "oldest, last, now, seq:N or a duration ago such as -10s"},
    {"observe", observe_option, 0, "0 or 1"},
    {"readers", readers_option, 0, "a number up to 1000"},
    {"timeout", timeout_option, 0, "a duration such as 1.5s, 200ms or forever"},
    {"codec", codec_option, 0, "json, cbor, smile or bson"},
    {"stamp", stamp_option, 0, "0 or 1"},
    {"keep", keep_option, 0, "0 or 1"},
    {"create", create_option, 0, "0 or 1"},
    {"exclusive", exclusive_option, 0, "0 or 1"},
    {"mode", mode_option, 0, "an octal mode that lets the owner read and write, such as 0640"},
    {"group", group_option, 0, "a group's name or number"},
    {"allow", allow_option, WEIR_OPTION_ALLOW,
     "uid:NAME, uid:NUMBER, group:NAME or group:NUMBER, up to 32 with commas between"},
    {"sealed", sealed_option, WEIR_OPTION_SEALED, "0 or 1"},
    {"wait", wait_option, WEIR_OPTION_WAIT, "futex, spin, poll or sem"},
    {"listen", listen_option, WEIR_OPTION_LISTEN, "0 or 1"},
    {"connect", connect_option, WEIR_OPTION_LISTEN, "0 or 1"},
    {"framing", framing_option, WEIR_OPTION_FRAMING, "weir, jsonl, cborseq, smile or bson"},
    {"burst", burst_option, WEIR_OPTION_BURST, "0 or 1"},
    {"cert", cert_option, WEIR_OPTION_TLS, "the absolute path of a certificate (PEM)"},
    {"key", key_option, WEIR_OPTION_TLS, "the absolute path of the certificate's key (PEM)"},
    {"ca", ca_option, WEIR_OPTION_TLS, "the absolute path of the certificates of who signs (PEM)"},
    {"psk", psk_option, WEIR_OPTION_TLS, "the absolute path of a file with 32 bytes, or 64 hexadecimal digits"},
    {"insecure", insecure_option, WEIR_OPTION_TLS, "0 or 1"},
    {"sync", sync_option, WEIR_OPTION_FILE, "none, always or interval:D with a duration, such as interval:1s"},
    {"rotate", rotate_option, WEIR_OPTION_FILE, "a size from 64K on, such as 64M"},
    {"age", age_option, WEIR_OPTION_FILE, "a duration, such as 24h"},
    {"files", files_option, WEIR_OPTION_FILE, "a number from 1 to 1000"},
    {"state", state_option, WEIR_OPTION_FILE, "0 or 1"},
    {"anyfs", anyfs_option, WEIR_OPTION_FILE, "0 or 1"},
    {"fault", fault_option, WEIR_OPTION_FAULT,
     "seed:N, and error:P, again:P, delay:P, disconnect:P, short:P from 0 to 1, with commas between"},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };
_Static_assert(OPTION_COUNT <= 64, "a bit for each that was given");

static int transport_has(const struct weir_transport_ops *transport, size_t option) {
    return (options[option].transports & ~transport->options) == 0;
}

static int unknown_option(weir_view name, const struct weir_place *place, weir_error *err) {
    char known[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (transport_has(place->transport, i))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? " " : "", options[i].name);
    return weir_fail(err, WEIR_EADDRESS, "%s: %s:// has no option \"%.*s\"; it has: %s", place->text,
                     place->transport->scheme, (int)(name.size < 60 ? name.size : 60), name.data, known);
}

/* Which of the two was meant nobody knows. Only lists may come in parts. */
static int given_twice(const char *name, const struct weir_place *place, weir_error *err) {
    return weir_fail(err, WEIR_EADDRESS, "%s: the option %s= is given twice; leave one of them out", place->text, name);
}

static int option_parse(weir_view option, struct weir_place *place, uint64_t *given, weir_error *err) {
    const char *equals = memchr(option.data, '=', option.size);
    weir_view name = {option.data, equals ? (size_t)(equals - option.data) : option.size};
    if (!equals)
        return weir_fail(err, WEIR_EADDRESS, "%s: the option \"%.*s\" has no value; write option=value", place->text,
                         (int)(name.size < 60 ? name.size : 60), name.data);
    weir_view value = {equals + 1, option.size - name.size - 1};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!view_is(name, options[i].name) || !transport_has(place->transport, i))
            continue;
        if (*given >> i & 1 && options[i].read != allow_option)
            return given_twice(options[i].name, place, err);
        *given |= UINT64_C(1) << i;
        int status = options[i].read(value, place);
        if (status == WEIR_OK)
            return WEIR_OK;
        if (status == WEIR_ENOENT)
            return weir_fail(err, WEIR_EADDRESS, "%s: %s=%.*s names a user or group that this machine does not have",
                             place->text, options[i].name, (int)(value.size < 60 ? value.size : 60), value.data);
        return weir_fail(err, WEIR_EADDRESS, "%s: %s=%.*s is not valid; it must be %s", place->text, options[i].name,
                         (int)(value.size < 60 ? value.size : 60), value.data, options[i].form);
    }
    return unknown_option(name, place, err);
}

static int options_parse(const char *text, struct weir_place *place, weir_error *err) {
    uint64_t given = 0;
    while (*text) {
        size_t size = strcspn(text, "&");
        int status = option_parse((weir_view){text, size}, place, &given, err);
        if (status)
            return status;
        text += size;
        text += *text == '&';
    }
    if (place->must_listen && place->must_connect)
        return weir_fail(err, WEIR_EADDRESS, "%s: listen=1 and connect=1 exclude each other; leave one out",
                         place->text);
    return WEIR_OK;
}

/* ---- the address ---- */

static int unknown_scheme(const char *address, size_t size, weir_error *err) {
    char known[128] = "";
    size_t used = 0;
    const struct weir_transport_ops *transport;
    for (size_t i = 0; (transport = weir_transport_at(i)) != NULL; i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s://", used ? " " : "", transport->scheme);
    return weir_fail(err, WEIR_EADDRESS, "%.100s: there is no transport \"%.*s\"; there are: %s", address,
                     (int)(size < 40 ? size : 40), address, known);
}

/* "unix:/tmp/a.sock", which would be a name with a ":" in it: one that no channel has. Return: WEIR_OK when it is
 * nothing of the kind. */
static int slashes_missed(const char *address, weir_error *err) {
    size_t size = strcspn(address, ":/?");
    const struct weir_transport_ops *transport = address[size] == ':' ? weir_transport_find(address, size) : NULL;
    if (!transport)
        return WEIR_OK;
    const char *place = address + size + 1 + strspn(address + size + 1, "/");
    int is_path = !(transport->options & (WEIR_OPTION_SEALED | WEIR_OPTION_KEY | WEIR_OPTION_TLS)); /* shm, sysv, tcp */
    return weir_fail(err, WEIR_EADDRESS, "%.100s: did you mean %s://%s%.100s?", address, transport->scheme,
                     is_path ? "/" : "", place);
}

/* Of fault+shm://lab/imu everybody but this end sees shm://lab/imu. */
static const char *scheme_told(const struct weir_place *place) {
    const char *plus = strchr(place->transport->scheme, '+');
    return plus ? plus + 1 : place->transport->scheme;
}

/* "24301" becomes "0x5eed", so that sentences, listings and records of ends know the channel by one name. What is no
 * number of 32 bits stays as it is, and the transport refuses it. */
static void key_unify(struct weir_place *place) {
    char *slash = strrchr(place->name, '/');
    char *key = slash ? slash + 1 : place->name;
    size_t size = strlen(key);
    uint64_t number = 0;
    if (size > 2 && size <= 10 && key[0] == '0' && (key[1] == 'x' || key[1] == 'X')) {
        if (strspn(key + 2, "0123456789abcdefABCDEF") != size - 2)
            return;
        number = strtoull(key + 2, NULL, 16);
    } else if (digits_parse(key, size, &number)) {
        return;
    }
    if (number == 0 || number > UINT32_MAX)
        return;
    snprintf(key, sizeof(place->name) - (size_t)(key - place->name), "0x%llx", (unsigned long long)number);
    snprintf(place->text, sizeof(place->text), "%s://%.*s", scheme_told(place), WEIR_NAME_MAX, place->name);
}

static int place_parse(const char *address, struct weir_place *place, weir_error *err) {
    const char *separator = strstr(address, "://");
    const char *question = strchr(address, '?');
    if (separator && question && separator > question)
        separator = NULL;
    int status = separator ? WEIR_OK : slashes_missed(address, err);
    if (status)
        return status;
    const char *scheme = separator ? address : "shm";
    size_t scheme_size = separator ? (size_t)(separator - address) : 3;
    const char *name = separator ? separator + 3 : address;
    size_t name_size = question ? (size_t)(question - name) : strlen(name);

    place->transport = weir_transport_find(scheme, scheme_size);
    if (!place->transport)
        return unknown_scheme(address, scheme_size, err);
    if (name_size == 0 && !*address)
        return weir_fail(err, WEIR_EADDRESS, "the address is empty; write a name such as lab/imu, or SCHEME://NAME");
    if (name_size == 0)
        return weir_fail(err, WEIR_EADDRESS, "%.100s: the address names no channel; write %s://NAME", address,
                         place->transport->scheme);
    if (name_size > WEIR_NAME_MAX || memchr(name, '\n', name_size))
        return weir_fail(err, WEIR_EADDRESS, "%.60s...: what follows %s:// has at most %d bytes and no line end",
                         address, place->transport->scheme, WEIR_NAME_MAX);
    snprintf(place->name, sizeof(place->name), "%.*s", (int)name_size, name);
    snprintf(place->text, sizeof(place->text), "%s://%.*s", scheme_told(place), (int)name_size, name);
    if (place->transport->options & WEIR_OPTION_KEY)
        key_unify(place);
    return WEIR_OK;
}

int weir_address_parse(const char *address, struct weir_place *ret, weir_error *err) {
    struct weir_place place = {
        .capacity = CAPACITY_DEFAULT,
        .size_max = WEIR_BYTES_MAX,
        .timeout_ns = TIMEOUT_DEFAULT_S * INT64_C(1000000000),
        .codec = WEIR_CODEC_CBOR,
        .mode = MODE_DEFAULT,
        .is_kept = 1,
        .may_create = 1,
        .is_stamped = 1,
        .may_keep = 1,
        .framing = -1,
        .files = FILES_DEFAULT,
    };
    if (!address)
        return weir_fail(err, WEIR_EADDRESS, "no address was given; write one such as shm://lab/imu");
    int status = place_parse(address, &place, err);
    if (status)
        return status;
    const char *question = strchr(address, '?');
    status = question ? options_parse(question + 1, &place, err) : WEIR_OK;
    if (place.framing < 0 && place.transport->options & WEIR_OPTION_FILE)
        place.framing = weir_framing_of_path(place.name, place.is_state);
    if (place.framing > WEIR_FRAMING_FRAMES && !place.is_codec_given)
        place.codec = place.framing; /* so that what is encoded can be taken over */
    if (status == WEIR_OK)
        status = place.transport->check(&place, err);
    if (status == WEIR_OK)
        *ret = place;
    return status;
}
