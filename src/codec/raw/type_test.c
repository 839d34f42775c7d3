/* Types of structs: how they are spelt, where their fields lie (against offsetof and sizeof of the same structs in C),
 * what is refused, and walking them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/raw/raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static weir_type *parsed(const char *text) {
    weir_type *type = NULL;
    weir_error err = {0};
    if (weir_type_new(text, strlen(text), &type, &err) != WEIR_OK)
        fail_msg("%s", err.text);
    return type;
}

/* ---- the compiler's layout ---- */

struct reading {
    int64_t t;
    double accel[3];
    float temp;
};
struct small {
    uint8_t a;
    uint16_t b;
    uint8_t c;
};
struct point {
    float x, y;
};
struct cloud {
    uint16_t n;
    struct point p[2];
};
struct every {
    uint8_t a;
    uint16_t b;
    uint8_t c;
    uint32_t d;
    uint8_t e;
    uint64_t f;
    int8_t g;
    int16_t h;
    int8_t i;
    int32_t j;
    int8_t k;
    int64_t l;
    uint8_t m[3];
    float n;
    uint8_t o;
    double p;
    uint8_t q;
};
struct nested {
    uint8_t a;
    struct {
        uint8_t a;
        struct {
            uint8_t x;
            uint16_t y[3];
        } b[3][2];
        uint8_t c;
    } in[2];
    uint8_t d;
    struct small e;
    uint64_t f;
    struct point g;
    uint8_t h;
};

struct place {
    const char *path;
    size_t offset, size;
};

static void check_places(const char *text, size_t size, size_t alignment, const struct place *places, size_t count) {
    weir_type *type = parsed(text);
    const weir_field *whole = weir_type_whole(type), *field;
    assert_string_equal(weir_type_text(type).data, text);
    assert_int_equal(weir_type_text(type).size, strlen(text));
    assert_int_equal(weir_type_size(type), size);
    assert_int_equal(whole->alignment, alignment);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = 0;
        if (weir_field_find(whole, places[i].path, &field, &offset) != WEIR_OK)
            fail_msg("%s has no %s", text, places[i].path);
        if (offset != places[i].offset || field->size != places[i].size)
            fail_msg("%s: %s lies at %d with %d bytes, not at %d with %d", text, places[i].path, (int)offset,
                     (int)field->size, (int)places[i].offset, (int)places[i].size);
    }
    weir_type_free(type);
}

#define PLACE(type, path)                                                                                              \
    { #path, offsetof(type, path), sizeof(((type *)0)->path) }
#define CHECK(type, text, places) check_places(text, sizeof(type), _Alignof(type), places, COUNT(places))

static void test_the_layout_is_the_compilers(void **state) {
    (void)state;
    static const struct place reading[] = {PLACE(struct reading, t), PLACE(struct reading, accel),
                                           PLACE(struct reading, temp)};
    CHECK(struct reading, "{t: i64, accel: f64[3], temp: f32}", reading);
    static const struct place small[] = {PLACE(struct small, a), PLACE(struct small, b), PLACE(struct small, c)};
    CHECK(struct small, "{a: u8, b: u16, c: u8}", small);
    static const struct place cloud[] = {PLACE(struct cloud, n),
                                         PLACE(struct cloud, p),
                                         {"p.x", offsetof(struct cloud, p[0].x), 4},
                                         {"p.y", offsetof(struct cloud, p[0].y), 4}};
    CHECK(struct cloud, "{n: u16, p: {x: f32, y: f32}[2]}", cloud);
    check_places("{n: u16, p: {x: f32, y: f32}[2]}[100]", sizeof(struct cloud[100]), 4, cloud, COUNT(cloud));
    static const struct place every[] = {PLACE(struct every, a), PLACE(struct every, b), PLACE(struct every, c),
                                         PLACE(struct every, d), PLACE(struct every, e), PLACE(struct every, f),
                                         PLACE(struct every, g), PLACE(struct every, h), PLACE(struct every, i),
                                         PLACE(struct every, j), PLACE(struct every, k), PLACE(struct every, l),
                                         PLACE(struct every, m), PLACE(struct every, n), PLACE(struct every, o),
                                         PLACE(struct every, p), PLACE(struct every, q)};
    CHECK(struct every,
          "{a: u8, b: u16, c: u8, d: u32, e: u8, f: u64, g: i8, h: i16, i: i8, j: i32, k: i8, l: i64, m: u8[3], n: "
          "f32, o: u8, "
          "p: f64, q: u8}",
          every);
    static const struct place nested[] = {
        PLACE(struct nested, a),
        PLACE(struct nested, in),
        PLACE(struct nested, d),
        PLACE(struct nested, e),
        PLACE(struct nested, f),
        PLACE(struct nested, g),
        PLACE(struct nested, h),
        {"in.a", offsetof(struct nested, in[0].a), 1},
        {"in.b", offsetof(struct nested, in[0].b), sizeof(((struct nested *)0)->in[0].b)},
        {"in.b.y", offsetof(struct nested, in[0].b[0][0].y), 6},
        {"in.c", offsetof(struct nested, in[0].c), 1},
        {"g.y", offsetof(struct nested, g.y), 4}};
    CHECK(struct nested,
          "{a: u8, in: {a: u8, b: {x: u8, y: u16[3]}[3,2], c: u8}[2], d: u8, e: {a: u8, b: u16, c: u8}, f: u64, g: {x: "
          "f32, y: "
          "f32}, h: u8}",
          nested);
}

/* ---- spelling ---- */

static void test_blanks_and_orders_have_one_spelling(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{a:u8}", "{a: u8}"},
        {"{ a : u8 , b:f64 [ 3 , 4 ] :col\n}", "{a: u8, b: f64[3,4]:col}"},
        {"{a:u8[3]:col}", "{a: u8[3]}"},
        {"{a:{b:{c:u8}}}[2]:col", "{a: {b: {c: u8}}}[2]"},
        {"{a:{b:u8}[2,2]:col,b:{b:u8}}[2,3]:col", "{a: {b: u8}[2,2]:col, b: {b: u8}}[2,3]:col"},
        {"{u8:u8,col:f32,_:i8,A9:i8}", "{u8: u8, col: f32, _: i8, A9: i8}"},
        {"{a:u8,aa:u8,b:{a:u8,aa:u8}}", "{a: u8, aa: u8, b: {a: u8, aa: u8}}"},
        {"{a:u8}[0]", "{a: u8}[0]"},
        {"f64[4,256]", "f64[4,256]"},
        {"u8", "u8"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_type *type = parsed(cases[i][0]), *again;
        assert_string_equal(weir_type_text(type).data, cases[i][1]);
        again = parsed(cases[i][1]);
        assert_string_equal(weir_type_text(again).data, cases[i][1]);
        assert_int_equal(weir_type_size(type), weir_type_size(again));
        weir_type_free(type);
        weir_type_free(again);
    }
}

static void test_walking(void **state) {
    (void)state;
    static const struct {
        const char *name, *type;
    } expected[] = {{"n", "u16"}, {"p", "{x: f32, q: {z: u8}[2]}[2]"}, {"m", "f64[2,2]:col"}};
    weir_type *type = parsed("{n: u16, p: {x: f32, q: {z: u8}[2]}[2], m: f64[2,2]:col}");
    const weir_field *whole = weir_type_whole(type), *field;
    char text[64];
    size_t count = 0;
    assert_int_equal(whole->field_count, 3);
    assert_int_equal(whole->name.size, 0);
    for (field = weir_field_first(whole); field; field = weir_field_next(field), count++) {
        assert_int_equal(field->name.size, strlen(expected[count].name));
        assert_memory_equal(field->name.data, expected[count].name, field->name.size);
        assert_int_equal(weir_field_type(field, text, sizeof(text)), strlen(expected[count].type));
        assert_string_equal(text, expected[count].type);
    }
    assert_int_equal(count, 3);
    assert_null(weir_field_next(whole));
    assert_int_equal(weir_field_find(whole, "p.q.z", &field, NULL), WEIR_OK);
    assert_int_equal(field->element, WEIR_U8);
    assert_null(weir_field_first(field));
    assert_int_equal(weir_field_find(whole, "p.z", &field, NULL), WEIR_ENOENT);
    assert_int_equal(weir_field_find(whole, "n.x", &field, NULL), WEIR_ENOENT);
    assert_int_equal(weir_field_find(whole, "", &field, NULL), WEIR_OK);
    assert_ptr_equal(field, whole);
    /* A text that does not fit is cut off, and its length still told. */
    assert_int_equal(weir_field_type(whole, text, 9), strlen(weir_type_text(type).data));
    assert_string_equal(text, "{n: u16,");
    weir_type_free(type);
}

/* ---- what is no type ---- */

static void test_wrong_types(void **state) {
    (void)state;
    static const char *const cases[] = {"",
                                        "{",
                                        "}",
                                        "{}",
                                        "{a}",
                                        "{a:}",
                                        "{:u8}",
                                        "{a:u8",
                                        "{a:u8,}",
                                        "{,a:u8}",
                                        "{a:u8;b:u8}",
                                        "{a:u8 b:u8}",
                                        "{a:u8}}",
                                        "{a:u8}x",
                                        "{a:u8} ",
                                        " {a:u8}",
                                        "{a:u8} [2]",
                                        "{a:u8}[ 2]",
                                        "{a:u7}",
                                        "{a:U8}",
                                        "{a:u8[]}",
                                        "{a:u8[0]}",
                                        "{a:u8[01]}",
                                        "{a:{b:u8}[0]}",
                                        "{a:u8[2,0]}",
                                        "{1a:u8}",
                                        "{a-b:u8}",
                                        "{a.b:u8}",
                                        "{\"a\":u8}",
                                        "{a:u8,a:u8}",
                                        "{a:u8,b:u8,a:{c:u8}}",
                                        "{a:u8[2]:row}",
                                        "{a:u8[2]: col}",
                                        "{a:u8[2]:co}",
                                        "{a:(b:u8)}",
                                        "{{a:u8}}",
                                        "{a:u8}{b:u8}",
                                        "{a: {b: u8}",
                                        "{a:u8[18446744073709551616]}",
                                        "{a:u64[2305843009213693952]}",
                                        "{a:u8[9223372036854775807],b:u64[1152921504606846976]}",
                                        "{a:u8}[18446744073709551615,2]",
                                        "{a:u8[18446744073709551615],b:u16}",
                                        "{\xc3\xa4:u8}",
                                        "{a:u8[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_type *type = NULL;
        weir_error err = {0};
        if (weir_type_new(cases[i], strlen(cases[i]), &type, &err) != WEIR_EINVAL)
            fail_msg("\"%s\" is taken for a type", cases[i]);
        assert_null(type);
        assert_true(strlen(err.text) > 20);
        assert_true(err.offset <= strlen(cases[i]));
    }
    weir_type *type = NULL;
    assert_int_equal(weir_type_new("{a:u8}\0", 7, &type, NULL), WEIR_EINVAL);
    assert_int_equal(weir_type_new("{a\0:u8}", 7, &type, NULL), WEIR_EINVAL);
    assert_int_equal(weir_type_new("{a:u8}[2]", 6, &type, NULL), WEIR_OK); /* what follows is not looked at */
    assert_int_equal(weir_type_size(type), 1);
    weir_type_free(type);
}

static int parse_status(const char *text) {
    weir_type *type = NULL;
    int status = weir_type_new(text, strlen(text), &type, NULL);
    weir_type_free(type);
    return status;
}

static void test_limits(void **state) {
    (void)state;
    char text[32768];
    for (int depth = 15; depth <= 18; depth++) { /* structs inside each other */
        text[0] = '\0';
        for (int i = 0; i < depth; i++)
            strcat(text, "{a:");
        strcat(text, "u8");
        for (int i = 0; i < depth; i++)
            strcat(text, "}");
        assert_int_equal(parse_status(text), depth <= WEIR_TYPE_STRUCTS_MAX ? WEIR_OK : WEIR_ELIMIT);
    }
    for (size_t size = WEIR_TYPE_TEXT_MAX - 2; size <= WEIR_TYPE_TEXT_MAX + 1; size++) { /* bytes of the text */
        memset(text, 'n', size);
        text[0] = '{';
        strcpy(text + size - 5, ": u8}");
        assert_int_equal(parse_status(text), size < WEIR_TYPE_TEXT_MAX ? WEIR_OK : WEIR_ELIMIT);
    }
    char *at = text;
    *at++ = '{';
    for (int i = 0; i < 2000; i++) /* fields; more than the text may hold with its blanks */
        at += sprintf(at, "a%d:u8,", i);
    strcpy(at - 1, "}");
    assert_int_equal(parse_status(text), WEIR_ELIMIT);
    strcpy(text, "{a:u8,");
    memset(text + 6, ' ', 20000); /* blanks do not count */
    strcpy(text + 20006, "b:u8}");
    assert_int_equal(parse_status(text), WEIR_OK);
}

/* Each byte of a good type replaced by each other: what is still a type reads its own spelling back as the same. */
static void test_damaged_types(void **state) {
    (void)state;
    static const char good[] = "{n: u16, p: {x: f32[2,2]:col, y: i8}[2], z: f64}[3]";
    for (size_t at = 0; at < sizeof(good) - 1; at++)
        for (int c = 0; c < 256; c++) {
            char text[sizeof(good)];
            weir_type *type = NULL, *again = NULL;
            memcpy(text, good, sizeof(good));
            text[at] = (char)c;
            if (weir_type_new(text, sizeof(good) - 1, &type, NULL) != WEIR_OK)
                continue;
            weir_view written = weir_type_text(type);
            assert_int_equal(weir_type_new(written.data, written.size, &again, NULL), WEIR_OK);
            assert_string_equal(weir_type_text(again).data, written.data);
            assert_int_equal(weir_type_size(again), weir_type_size(type));
            weir_type_free(type);
            weir_type_free(again);
        }
}

static void test_kept_types(void **state) {
    (void)state;
    weir_type *kept = NULL;
    assert_int_equal(weir_raw_type_keep(&kept, "{a: u8}", 7, NULL), WEIR_OK);
    weir_type *first = kept;
    assert_int_equal(weir_raw_type_keep(&kept, "{a: u8}", 7, NULL), WEIR_OK);
    assert_ptr_equal(kept, first);
    assert_int_equal(weir_raw_type_keep(&kept, "{a: u", 5, NULL), WEIR_EINVAL);
    assert_ptr_equal(kept, first); /* untouched by a failure */
    assert_int_equal(weir_raw_type_keep(&kept, "{a: u16}", 8, NULL), WEIR_OK);
    assert_int_equal(weir_type_size(kept), 2);
    weir_type_free(kept);
    assert_null(weir_type_free(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_layout_is_the_compilers),
        cmocka_unit_test(test_blanks_and_orders_have_one_spelling),
        cmocka_unit_test(test_walking),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_damaged_types),
        cmocka_unit_test(test_kept_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
