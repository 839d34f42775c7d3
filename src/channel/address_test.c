/* Addresses: what is understood, and what each refusal says. */
#include "channel/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

static struct weir_place parsed(const char *address) {
    struct weir_place place;
    weir_error err = {0};
    if (weir_address_parse(address, &place, &err) != WEIR_OK)
        fail_msg("%s: %s", address, err.text);
    return place;
}

static void test_a_bare_name_is_shared_memory(void **state) {
    (void)state;
    struct weir_place place = parsed("lab/imu");
    assert_string_equal(place.transport->scheme, "shm");
    assert_string_equal(place.name, "lab/imu");
    assert_string_equal(place.text, "shm://lab/imu");
    assert_string_equal(parsed("unix:///tmp/a.sock?mode=0660").name, "/tmp/a.sock");
}

static void test_every_option_reaches_the_place(void **state) {
    (void)state;
    struct weir_place place =
        parsed("shm://a?capacity=64K&max=2M&full=drop-oldest&from=seq:12&observe=1&readers=3&"
               "timeout=1.5s&codec=json&stamp=0&keep=0&create=0&exclusive=1&mode=0640&group=daq&wait=spin");
    assert_int_equal(place.capacity, 64 << 10);
    assert_int_equal(place.size_max, 2 << 20);
    assert_int_equal(place.full, WEIR_FULL_DROP_OLDEST);
    assert_int_equal(place.from, WEIR_FROM_SEQ);
    assert_int_equal(place.from_value, 12);
    assert_int_equal(place.is_observer, 1);
    assert_int_equal(place.readers, 3);
    assert_int_equal(place.timeout_ns, 1500000000);
    assert_int_equal(place.codec, WEIR_CODEC_JSON);
    assert_int_equal(place.is_stamped, 0);
    assert_int_equal(place.is_kept, 0);
    assert_int_equal(place.is_kept_given, 1);
    assert_int_equal(place.may_create, 0);
    assert_int_equal(place.is_exclusive, 1);
    assert_int_equal(place.mode, 0640);
    assert_string_equal(place.group, "daq");
    assert_int_equal(place.wait, WEIR_WAIT_SPIN);
    assert_int_equal(parsed("a?from=-10s").from_value, 10000000000);
    assert_int_equal(parsed("a?timeout=forever").timeout_ns, WEIR_FOREVER);
    assert_int_equal(parsed("unix:///tmp/a?listen=1").must_listen, 1);
    place = parsed("unix:///tmp/a?allow=uid:1000,group:0&allow=uid:root");
    assert_int_equal(place.allow.count, 3);
    assert_true(!place.allow.who[0].is_group && place.allow.who[0].id == 1000);
    assert_true(place.allow.who[1].is_group && place.allow.who[1].id == 0);
    assert_true(!place.allow.who[2].is_group && place.allow.who[2].id == 0);
}

static void test_refusals_say_the_way_out(void **state) {
    (void)state;
    static const struct {
        const char *address, *words;
    } cases[] = {
        {"", "is empty"},
        {"shm://", "names no channel"},
        {"bogus://a", "shm:// sysv:// unix://"},
        {"://a", "there is no transport"},
        {"shm:/lab/x1", "shm:/lab/x1: did you mean shm://lab/x1?"},
        {"shm:lab/x1?from=last", "did you mean shm://lab/x1?from=last?"},
        {"sysv:0x5eed", "did you mean sysv://0x5eed?"},
        {"unix:/tmp/x.sock", "did you mean unix:///tmp/x.sock?"},
        {"fifo:tmp/x.fifo", "did you mean fifo:///tmp/x.fifo?"},
        {"file:/tmp/x.weir?from=-1h", "did you mean file:///tmp/x.weir?from=-1h?"},
        {"tcp:/127.0.0.1:5555", "did you mean tcp://127.0.0.1:5555?"},
        {"shm://a?bogus=1", "capacity"},
        {"shm://a?full=block&full=fail", "full= is given twice; leave one of them out"},
        {"shm://a?full=block&capacity=1M&full=block", "full= is given twice"},
        {"file:///", "that is a folder; name a file in it, as file:///NAME.weir"},
        {"file:///tmp", "that is a folder; name a file in it, as file:///tmp/NAME.weir"},
        {"file:///tmp/", "that is a folder; name a file in it, as file:///tmp/NAME.weir"},
        {"file://tmp/a.weir", "absolute path"},
        {"shm://a?listen=1", "has no option"},
        {"unix:///tmp/a?wait=spin", "has no option"},
        {"shm://a?capacity", "option=value"},
        {"shm://a?capacity=", "such as 1M"},
        {"shm://a?capacity=1X", "such as 1M"},
        {"shm://a?capacity=1", "such as 1M"},
        {"shm://a?capacity=99999999999999999999G", "such as 1M"},
        {"shm://a?full=maybe", "drop-oldest"},
        {"shm://a?from=yesterday", "oldest"},
        {"shm://a?from=-", "oldest"},
        {"shm://a?from=seq:", "oldest"},
        {"shm://a?timeout=-1s", "1.5s"},
        {"shm://a?timeout=1.s", "1.5s"},
        {"shm://a?timeout=1e400s", "1.5s"},
        {"shm://a?codec=raw", "cbor"},
        {"shm://a?codec=xml", "cbor"},
        {"shm://a?keep=yes", "0 or 1"},
        {"shm://a?mode=0999", "octal"},
        {"shm://a?mode=0400", "octal"},
        {"shm://a?allow=", "uid:NAME"},
        {"unix:///tmp/a?allow=1000", "uid:NAME"},
        {"unix:///tmp/a?allow=uid:1000;group:0", "does not have"},
        {"unix:///tmp/a?allow=uid:no-such-user", "does not have"},
        {"unix:///tmp/a?allow=uid:1000&mode=0600", "mode=0666"},
        {"shm://a?allow=uid:1000&mode=0660", "leave one out"},
        {"unix:///tmp/a?bogus=1", "allow"},
        {"shm://a?sealed=2", "0 or 1"},
        {"unix:///tmp/a?sealed=1", "has no option"},
        {"shm://a?sealed=1&mode=0660", "0644"},
        {"shm://a?sealed=1&keep=1", "last end"},
        {"shm://a?sealed=1&wait=sem", "wait=futex"},
        {"shm://../a", ".."},
        {"shm://a/../b", ".."},
        {"shm://A", "lower-case"},
        {"unix://relative.sock", "absolute"},
        {"unix:///tmp/a?listen=1&connect=1", "exclude each other"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_place place;
        weir_error err = {0};
        if (weir_address_parse(cases[i].address, &place, &err) != WEIR_EADDRESS || !strstr(err.text, cases[i].words))
            fail_msg("%s: got %s \"%s\", wanted \"%s\"", cases[i].address, weir_err_name(err.code), err.text,
                     cases[i].words);
    }
    struct weir_place place;
    assert_int_equal(weir_address_parse(NULL, &place, NULL), WEIR_EADDRESS);
}

static void test_long_names_are_refused(void **state) {
    (void)state;
    char address[1024];
    struct weir_place place;
    memset(address, 'a', sizeof(address));
    address[sizeof(address) - 1] = '\0';
    assert_int_equal(weir_address_parse(address, &place, NULL), WEIR_EADDRESS);
}

static void test_durations_and_sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -2: refused */
    } durations[] = {{"1", 1000000000},
                     {"0", 0},
                     {"1.5s", 1500000000},
                     {"200ms", 200000000},
                     {"10us", 10000},
                     {"5ns", 5},
                     {"2m", 120000000000},
                     {"1h", 3600000000000},
                     {"forever", -1},
                     {"", -2},
                     {"s", -2},
                     {"1x", -2},
                     {"-1s", -2},
                     {"1.2.3s", -2},
                     {"1e3s", -2}};
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        int64_t ns = -2;
        weir_duration_parse(durations[i].text, strlen(durations[i].text), &ns);
        assert_int_equal(ns, durations[i].ns);
    }
    uint64_t size = 0;
    assert_int_equal(weir_size_parse("3G", 2, &size), WEIR_OK);
    assert_int_equal(size, UINT64_C(3) << 30);
    assert_int_equal(weir_size_parse("12", 2, &size), WEIR_OK);
    assert_int_equal(size, 12);
    assert_int_equal(weir_size_parse("K", 1, &size), WEIR_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bare_name_is_shared_memory), cmocka_unit_test(test_every_option_reaches_the_place),
        cmocka_unit_test(test_refusals_say_the_way_out),     cmocka_unit_test(test_long_names_are_refused),
        cmocka_unit_test(test_durations_and_sizes),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
