/* Raw data through channels: C structs sent and read in place, reserved, seen as maps by others; and the sentence when
 * a reader asked for another type than the writer sends. */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/weir.h>

#include "channel/message.h"

struct reading {
    int64_t t;
    double accel[3];
    float temp;
};
static const char reading_type[] = "{t: i64, accel: f64[3], temp: f32}";

struct fixture {
    char directory[64], address[64];
    weir_writer *writer;
    weir_reader *reader;
    weir_error err;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    if (!fixture)
        return -1;
    strcpy(fixture->directory, "/dev/shm/weir-test-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    setenv("WEIR_SHM_DIR", fixture->directory, 1);
    snprintf(fixture->address, sizeof(fixture->address), "shm://lab/raw-%ld?keep=0", (long)getpid());
    return weir_reader_open(fixture->address, &fixture->reader, &fixture->err) ||
           weir_writer_open(fixture->address, &fixture->writer, &fixture->err);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    char command[96];
    weir_writer_close(fixture->writer);
    weir_reader_close(fixture->reader);
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    int status = system(command);
    free(fixture);
    return status;
}

static weir_message *next(struct fixture *fixture) {
    weir_message *message = NULL;
    if (weir_reader_next(fixture->reader, 0, &message, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
    return message;
}

static void send(struct fixture *fixture, const char *type, const void *data, size_t size) {
    if (weir_writer_send_bytes(fixture->writer, "r", NULL, WEIR_CODEC_RAW, type, data, size, &fixture->err) != WEIR_OK)
        fail_msg("%s", fixture->err.text);
}

static void test_a_struct_is_read_in_place(void **state) {
    struct fixture *fixture = *state;
    struct reading reading = {.t = 5, .accel = {1, 2, 3}, .temp = 2.5f};
    weir_ndarray accel;
    const weir_value *data;
    weir_view bytes;
    send(fixture, "{t:i64,accel:f64[3],temp:f32}", &reading, sizeof(reading));
    weir_message *message = next(fixture);
    assert_int_equal(weir_message_type(message).size, strlen(reading_type)); /* canonical on the way */
    assert_memory_equal(weir_message_type(message).data, reading_type, strlen(reading_type));
    assert_int_equal(weir_message_raw(message, reading_type, &bytes, &fixture->err), WEIR_OK);
    assert_int_equal((uintptr_t)bytes.data % 64, 0);
    assert_int_equal(bytes.size, sizeof(reading));
    assert_memory_equal(bytes.data, &reading, offsetof(struct reading, temp) + 4);
    assert_int_equal(weir_message_raw(message, "{ t:i64, accel : f64[3], temp:f32 }", &bytes, NULL), WEIR_OK);
    assert_int_equal(weir_message_data(message, &data, &fixture->err), WEIR_OK);
    assert_int_equal(weir_value_kind(data), WEIR_KIND_MAP);
    assert_int_equal(weir_get_ndarray(data, "accel", &accel), WEIR_OK);
    assert_ptr_equal(accel.data, bytes.data + offsetof(struct reading, accel));
    assert_int_equal(weir_message_ndarray(message, &accel, &fixture->err), WEIR_ETYPE);
}

static void test_the_same_type_again_and_another(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 6; i++) {
        struct reading reading = {.t = i};
        uint16_t pair[2] = {(uint16_t)i, 7};
        int64_t t = -1;
        const weir_value *data;
        if (i == 3)
            send(fixture, "{t: u16, b: u16}", pair, sizeof(pair));
        else
            send(fixture, reading_type, &reading, sizeof(reading));
        weir_message *message = next(fixture);
        assert_int_equal(weir_message_data(message, &data, &fixture->err), WEIR_OK);
        assert_int_equal(weir_value_count(data), i == 3 ? 2 : 3);
        assert_int_equal(weir_get_i64(data, "t", &t), WEIR_OK);
        assert_int_equal(t, i);
    }
}

static void test_a_reserved_struct(void **state) {
    struct fixture *fixture = *state;
    void *room = NULL;
    size_t size = 0;
    weir_view bytes;
    assert_int_equal(
        weir_writer_reserve(fixture->writer, "r", NULL, "{t:i64,accel:f64[3],temp:f32}[2]", &room, &size, NULL),
        WEIR_OK);
    assert_int_equal(size, 2 * sizeof(struct reading));
    assert_int_equal((uintptr_t)room % 64, 0);
    memset(room, 0, size);
    ((struct reading *)room)[1].temp = 9;
    assert_int_equal(weir_writer_commit(fixture->writer, &fixture->err), WEIR_OK);
    weir_message *message = next(fixture);
    assert_int_equal(weir_message_raw(message, "{t: i64, accel: f64[3], temp: f32}[2]", &bytes, &fixture->err),
                     WEIR_OK);
    assert_true(((const struct reading *)bytes.data)[1].temp == 9);
    assert_int_equal(weir_writer_reserve(fixture->writer, "r", NULL, "{t:}", &room, &size, NULL), WEIR_EINVAL);
}

static void test_a_copy_keeps_its_struct(void **state) {
    struct fixture *fixture = *state;
    struct reading reading = {.t = 77};
    weir_message *copy = NULL;
    const weir_value *data;
    weir_view bytes;
    int64_t t = 0;
    send(fixture, reading_type, &reading, sizeof(reading));
    assert_int_equal(weir_message_copy(next(fixture), &copy), WEIR_OK);
    send(fixture, "{a: u8}", "x", 1);
    next(fixture);
    assert_int_equal(weir_message_data(copy, &data, &fixture->err), WEIR_OK);
    assert_int_equal(weir_get_i64(data, "t", &t), WEIR_OK);
    assert_int_equal(t, 77);
    assert_int_equal(weir_message_raw(copy, "{a: u8}", &bytes, &fixture->err), WEIR_ETYPE);
    assert_non_null(strstr(fixture->err.text, "lab/raw")); /* it knows where it came from */
    weir_message_free(copy);
}

static void assert_says(struct fixture *fixture, const char *type, const char *sentence) {
    weir_view bytes = {"untouched", 9};
    weir_message *message = next(fixture);
    assert_int_equal(weir_message_raw(message, type, &bytes, &fixture->err), WEIR_ETYPE);
    if (!strstr(fixture->err.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", fixture->err.text, sentence);
    assert_int_equal(bytes.size, 9);
}

static void test_another_type_says_who_writes(void **state) {
    struct fixture *fixture = *state;
    static const double numbers[3] = {1, 2, 3};
    char sentence[320];
    const struct passwd *user = getpwuid(getuid());
    snprintf(sentence, sizeof(sentence),
             "%.40s: the writer sends f64[3], you asked for f32[4] (writer pid %ld, user %s)", "lab/raw",
             (long)getpid(), user ? user->pw_name : "");
    char *rest = strstr(sentence, ": the writer"); /* behind the address, which has a number of its own */
    send(fixture, "f64[3]", numbers, sizeof(numbers));
    assert_says(fixture, "f32[4]", rest);
    send(fixture, "{a: u8}", "x", 1);
    assert_says(fixture, "{b: u8}", ": the writer sends {a: u8}, you asked for {b: u8} (writer pid ");
    send(fixture, "f64[3]", numbers, sizeof(numbers));
    assert_says(fixture, "{a: f64[3]}", "the writer sends f64[3], you asked for {a: f64[3]}");
    assert_int_equal(weir_writer_send(fixture->writer, "r", NULL, NULL, &fixture->err), WEIR_OK);
    assert_says(fixture, "f32", "the writer sends no data, you asked for f32");
    weir_doc *doc = NULL;
    const weir_value *value;
    assert_int_equal(weir_doc_new(&doc), WEIR_OK);
    assert_int_equal(weir_pack(doc, &value, NULL, "{s:i}", "a", 1L), WEIR_OK);
    assert_int_equal(weir_writer_send(fixture->writer, "r", NULL, value, &fixture->err), WEIR_OK);
    assert_says(fixture, "f32", "the writer sends cbor data, you asked for f32");
    weir_doc_free(doc);
}

static void test_what_cannot_be_sent(void **state) {
    struct fixture *fixture = *state;
    static const unsigned char bytes[64] = {0};
    weir_message *message = NULL;
    weir_view view;
    assert_int_equal(
        weir_writer_send_bytes(fixture->writer, "r", NULL, WEIR_CODEC_RAW, reading_type, bytes, 39, &fixture->err),
        WEIR_EINVAL);
    assert_non_null(strstr(fixture->err.text, "is 40 bytes, you gave 39"));
    assert_int_equal(
        weir_writer_send_bytes(fixture->writer, "r", NULL, WEIR_CODEC_RAW, "{t: i65}", bytes, 8, &fixture->err),
        WEIR_EINVAL);
    assert_int_equal(weir_reader_next(fixture->reader, 0, &message, NULL), WEIR_ETIMEOUT);
    send(fixture, "u8[2]", bytes, 2);
    assert_int_equal(weir_message_raw(next(fixture), "{t: i65}", &view, &fixture->err), WEIR_EINVAL);
}

/* ---- frames of other makes ---- */

static _Alignas(64) unsigned char frame_bytes[8192];

static int data_of(const char *type, size_t type_size, size_t size, uint8_t flags) {
    static const char zeros[4096];
    struct weir_frame frame = {.kind = WEIR_FRAME_MESSAGE,
                               .codec = WEIR_CODEC_RAW,
                               .flags = flags,
                               .seq = 1,
                               .type = {type, type_size},
                               .data = {zeros, size}};
    struct weir_message message = {0};
    const weir_value *data;
    assert_int_equal(weir_frame_layout(&frame), WEIR_OK);
    weir_frame_write_whole(&frame, frame_bytes);
    struct weir_inbound inbound = {.bytes = frame_bytes, .size = frame.size};
    memcpy(&inbound.word, frame_bytes, sizeof(inbound.word));
    assert_int_equal(weir_message_set(&message, &inbound), WEIR_OK);
    int status = weir_message_data(&message, &data, NULL);
    weir_message_fini(&message);
    return status;
}

static void test_structs_from_strangers(void **state) {
    (void)state;
    static const struct {
        const char *type;
        size_t size;
        int status;
    } cases[] = {
        {"{a:u8,b:u16}", 4, WEIR_OK}, /* blanks are the reader's to allow */
        {"{a: u8, b: u16}", 3, WEIR_EPARSE},
        {"{a: u8, b: u16", 4, WEIR_EPARSE},
        {"{a: u8, a: u8}", 2, WEIR_EPARSE},
        {"{", 1, WEIR_EPARSE},
        {"{a: u8}[18446744073709551615]", 4, WEIR_EPARSE},
        {"{a: {b: {c: "
         "u8}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
         1, WEIR_OK}, /* 48 deep */
        {"{a: {a: {b: {c: "
         "u8}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"
         "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
         1, WEIR_OK}, /* 64 deep */
        {"{a: {a: {a: {b: {c: "
         "u8}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"
         "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
         1, WEIR_ELIMIT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = data_of(cases[i].type, strlen(cases[i].type), cases[i].size, WEIR_FRAME_ALIGNED);
        if (status != cases[i].status)
            fail_msg("%s: %d instead of %d", cases[i].type, status, cases[i].status);
    }
    assert_int_equal(data_of("{a: u8}", 7, 1, 0), WEIR_EPARSE); /* not aligned */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_struct_is_read_in_place),
        TEST(test_the_same_type_again_and_another),
        TEST(test_a_reserved_struct),
        TEST(test_a_copy_keeps_its_struct),
        TEST(test_another_type_says_who_writes),
        TEST(test_what_cannot_be_sent),
        cmocka_unit_test(test_structs_from_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
