/* Hellos: writing, reading, and telling them from anything else. The layout is drawn in hello.h.
 *
 * What must stay true: every field that selects something later is checked here, so that nothing behind this file meets
 * a role or a policy that does not exist; texts end inside their fields and hold no control characters, as they are
 * shown to people. */
#include "transport/socket/hello.h"

#include <string.h>

#include "frame/plain/plain.h"
#include "transport/transport.h"

static const char magic[4] = {'W', 'E', 'I', 'R'};

enum {
    AT_VERSION = 4,
    AT_STATUS = 6,
    AT_ROLE = 8,
    AT_FLAGS = 9,
    AT_FULL = 10,
    AT_FROM = 11,
    AT_PID = 12,
    AT_WRITER = 16,
    AT_SEQ = 24,
    AT_FROM_VALUE = 32,
    AT_SIZE_MAX = 40,
    AT_READERS = 48,
    AT_PROGRAM = 64,
    AT_TEXT = 128
};

enum { DECISIVE = 4 };

/* Are these the bytes of @known, as many as there are? */
static int begins(const unsigned char *bytes, size_t size, const void *known, size_t known_size) {
    return memcmp(bytes, known, size < known_size ? size : known_size) == 0;
}

static int is_bson(const unsigned char *bytes, size_t size) {
    uint32_t claimed;
    if (size < DECISIVE || bytes[3] != 0)
        return 0;
    memcpy(&claimed, bytes, sizeof(claimed));
    return claimed >= 5;
}

static int is_json(const unsigned char *bytes, size_t size) {
    static const unsigned char mark[3] = {0xEF, 0xBB, 0xBF};
    return memchr("{[ \t\r\n", bytes[0], 6) != NULL || begins(bytes, size, mark, sizeof(mark));
}

enum weir_opening weir_opening_judge(const unsigned char *bytes, size_t size, int is_all, int *ret_framing) {
    static const unsigned char smile[3] = {':', ')', '\n'};
    *ret_framing = WEIR_FRAMING_FRAMES;
    if (size == 0)
        return WEIR_OPENING_UNDECIDED;
    if (begins(bytes, size, magic, sizeof(magic)))
        return size < WEIR_HELLO_SIZE ? WEIR_OPENING_UNDECIDED : WEIR_OPENING_HELLO;
    int may_be_smile = begins(bytes, size, smile, sizeof(smile));
    if (size < DECISIVE && (!is_all || may_be_smile))
        return WEIR_OPENING_UNDECIDED;
    if (may_be_smile)
        *ret_framing = WEIR_FRAMING_SMILE;
    else if (is_bson(bytes, size))
        *ret_framing = WEIR_FRAMING_BSON;
    else if (is_json(bytes, size))
        *ret_framing = WEIR_FRAMING_JSON;
    else if (bytes[0] >= 0x80 && bytes[0] <= 0xDB)
        *ret_framing = WEIR_FRAMING_CBOR;
    return *ret_framing ? WEIR_OPENING_PLAIN : WEIR_OPENING_FOREIGN;
}

void weir_hello_write(const struct weir_hello *hello, unsigned char *to) {
    memset(to, 0, WEIR_HELLO_SIZE);
    memcpy(to, magic, sizeof(magic));
    memcpy(to + AT_VERSION, &hello->version, 2);
    memcpy(to + AT_STATUS, &hello->status, 2);
    to[AT_ROLE] = hello->role;
    to[AT_FLAGS] = hello->flags;
    to[AT_FULL] = hello->full;
    to[AT_FROM] = hello->from;
    memcpy(to + AT_PID, &hello->pid, 4);
    memcpy(to + AT_WRITER, &hello->writer, 8);
    memcpy(to + AT_SEQ, &hello->seq, 8);
    memcpy(to + AT_FROM_VALUE, &hello->from_value, 8);
    memcpy(to + AT_SIZE_MAX, &hello->size_max, 8);
    memcpy(to + AT_READERS, &hello->readers, 4);
    memcpy(to + AT_PROGRAM, hello->program, strnlen(hello->program, sizeof(hello->program) - 1));
    memcpy(to + AT_TEXT, hello->text, strnlen(hello->text, sizeof(hello->text) - 1));
}

/* Copy a text of a stranger so that it can be shown: it ends, and what is not printable ASCII becomes '?'. */
static void text_copy(char *to, const unsigned char *from, size_t size) {
    size_t length = strnlen((const char *)from, size - 1);
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] >= ' ' && from[i] < 0x7F ? (char)from[i] : '?';
    to[length] = '\0';
}

static int fields_are_known(const struct weir_hello *hello) {
    return hello->role >= WEIR_ROLE_WRITER && hello->role <= WEIR_ROLE_SERVER && hello->full <= WEIR_FULL_FAIL &&
           hello->from <= WEIR_FROM_AGO && hello->from_value >= 0;
}

int weir_hello_read(const unsigned char *bytes, struct weir_hello *ret) {
    struct weir_hello hello = {0};
    memcpy(&hello.version, bytes + AT_VERSION, 2);
    memcpy(&hello.status, bytes + AT_STATUS, 2);
    memcpy(&hello.pid, bytes + AT_PID, 4);
    text_copy(hello.program, bytes + AT_PROGRAM, sizeof(hello.program));
    text_copy(hello.text, bytes + AT_TEXT, sizeof(hello.text));
    *ret = hello;
    if (hello.version != WEIR_HELLO_VERSION)
        return WEIR_EVERSION;
    hello.role = bytes[AT_ROLE];
    hello.flags = bytes[AT_FLAGS];
    hello.full = bytes[AT_FULL];
    hello.from = bytes[AT_FROM];
    memcpy(&hello.writer, bytes + AT_WRITER, 8);
    memcpy(&hello.seq, bytes + AT_SEQ, 8);
    memcpy(&hello.from_value, bytes + AT_FROM_VALUE, 8);
    memcpy(&hello.size_max, bytes + AT_SIZE_MAX, 8);
    memcpy(&hello.readers, bytes + AT_READERS, 4);
    if (hello.size_max > UINT32_MAX)
        hello.size_max = UINT32_MAX; /* no frame is larger, and sums with it stay sums */
    if (!fields_are_known(&hello))
        return WEIR_ECORRUPT;
    *ret = hello;
    return WEIR_OK;
}
