/* BSON: wrappers for what it has no type for, the plain, strict and canonical forms; and the names that JSON has for
 * BSON's own types. */
#include "codec/bson/bson_testing.h"

/* ---- what BSON has no type for ---- */

/* clang-format off */
static const struct element wrapped[] = {
    {"null", "0c0000000a24726f6f740000"},
    {"true", "0d0000000824726f6f74000100"},
    {"5", "100000001024726f6f74000500000000"},
    {"\"x\"", "120000000224726f6f740002000000780000"},
    {"1.5", "140000000124726f6f7400000000000000f83f00"},
    {"[1,2]", "1f0000000424726f6f74001300000010300001000000103100020000000000"},
    {"{\"$oid\":\"56e1fc72e0c917e9c4714161\"}", "180000000724726f6f740056e1fc72e0c917e9c471416100"},
    {"{\"$f32\":\"1.5\"}", "1f0000000324726f6f74001300000002246633320004000000312e35000000"},
    {"{\"$minKey\":1}", "0c000000ff24726f6f740000"},
    {"{\"$code\":\"c\",\"$scope\":{\"x\":1}}", "220000000f24726f6f7400160000000200000063000c000000107800010000000000"},
    {"{\"$obj\":[[\"$root\",1]]}",
     "2c00000004246f626a0021000000043000190000000230000600000024726f6f740010310001000000000000"},
    {"{\"a\":{\"$obj\":[[\"$root\",1]]}}", "18000000036100100000001024726f6f7400010000000000"},
    {"{\"$map\":[[1,2],[\"b\",3]]}",
     "3e00000004246d61700033000000043000130000001030000100000010310002000000000431001500000002300002000000"
     "620010310003000000000000"},
    {"{\"a\":{\"$map\":[[[1],{\"$map\":[[null,2]]}]]},\"b\":1}",
     "5b0000000361004c00000004246d61700041000000043000390000000430000c000000103000010000000003310022000000"
     "04246d617000170000000430000f0000000a3000103100020000000000000000001062000100000000"},
    {"{\"a\\u0000b\":1,\"c\":2}",
     "4200000004246d61700037000000043000170000000230000400000061006200103100010000000004310015000000023000"
     "02000000630010310002000000000000"},
    {"{\"x\":{\"first of eight\\u0000\":1}}",
     "3e0000000378003600000004246d6170002b00000004300023000000023000100000006669727374206f6620656967687400"
     "001031000100000000000000"},
    {"{\"a\":18446744073709551615}",
     "320000000361002a00000002246e756d62657242696700150000003138343436373434303733373039353531363135000000"},
    {"{\"a\":-123456789012345678901234567890}",
     "3d0000000361003500000002246e756d62657242696700200000002d31323334353637383930313233343536373839303132"
     "3334353637383930000000"},
    {"{\"a\":{\"$f32\":\"0.1\"}}", "1b0000000361001300000002246633320004000000302e31000000"},
    {"{\"a\":{\"$f32\":\"NaN\"}}", "1b00000003610013000000022466333200040000004e614e000000"},
    {"{\"a\":{\"$numberDecimal\":\"1E+6112\"}}",
     "290000000361002100000002246e756d626572446563696d616c000800000031452b36313132000000"},
    {"{\"a\":{\"$numberDecimal\":\"12345678901234567890123456789012345\"}}",
     "450000000361003d00000002246e756d626572446563696d616c002400000031323334353637383930313233343536373839"
     "30313233343536373839303132333435000000"},
    {"{\"a\":{\"$time\":\"2023-11-14T22:13:20.123456789Z\"}}",
     "370000000361002f000000022474696d65001f000000323032332d31312d31345432323a31333a32302e3132333435363738"
     "395a000000"},
    {"{\"a\":{\"$tag\":[32,\"u\"]}}",
     "28000000036100200000000424746167001500000010300020000000023100020000007500000000"},
    {"{\"a\":{\"$tag\":[18446744073709551615,[1]]}}",
     "540000000361004c000000042474616700410000000330002a00000002246e756d6265724269670015000000313834343637"
     "343430373337303935353136313500000431000c0000001030000100000000000000"},
    {"{\"a\":{\"$tag\":[1,{\"$tag\":[2,{\"$simple\":[99,null]}]}]}}",
     "59000000036100510000000424746167004600000010300001000000033100370000000424746167002c0000001030000200"
     "00000331001d000000042473696d706c65000f000000103000630000000a310000000000000000"},
    {"{\"a\":{\"$bson\":[7,1]},\"b\":2}",
     "2e0000000361001f000000042462736f6e0013000000103000070000001031000100000000001062000200000000"},
    {"{\"a\":{\"$bson\":[9,5]}}", "270000000361001f000000042462736f6e00130000001030000900000010310005000000000000"},
    {"{\"a\":{\"$bson\":[17,-1]}}", "270000000361001f000000042462736f6e001300000010300011000000103100ffffffff000000"},
    {"{\"a\":{\"$bson\":[11,[\"a\\u0000\",\"b\"]]}}",
     "3b00000003610033000000042462736f6e00270000001030000b000000043100180000000230000300000061000002310002"
     "000000620000000000"},
    {"{\"a\":{\"$bson\":[1280,{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"00\"}}]}}",
     "2900000003610021000000042462736f6e001500000010300000050000053100010000000000000000"},
    {"{\"a\":{\"$bson\":[1289,{\"$binary\":{\"base64\":\"AwAB\",\"subType\":\"00\"}}]}}",
     "2b00000003610023000000042462736f6e0017000000103000090500000531000300000000030001000000"},
    {"{\"a\":{\"$bson\":[15,[\"c\",{\"$f32\":\"1.5\"}]]}}",
     "470000000361003f000000042462736f6e00330000001030000f000000043100240000000230000200000063000331001300"
     "000002246633320004000000312e35000000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AAAAAAAA+D8=\"}}}",
     "5f0000000361005700000003246172726179004a00000002647479706500060000006636346c65000464696d73000c000000"
     "1030000100000000026f726465720004000000726f77000564617461000800000000000000000000f83f000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f32be\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AAAAQA==\"}}}",
     "5b0000000361005300000003246172726179004600000002647479706500060000006633326265000464696d73000c000000"
     "1030000100000000026f726465720004000000726f7700056461746100040000000000000040000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i8\",\"dims\":[1,2],\"order\":\"column\",\"base64\":\"AQI=\"}}}",
     "600000000361005800000003246172726179004b00000002647479706500030000006938000464696d730013000000103000"
     "010000001031000200000000026f726465720007000000636f6c756d6e0005646174610002000000000102000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[],\"order\":\"row\",\"base64\":\"AQ==\"}}}",
     "4e0000000361004600000003246172726179003900000002647479706500030000007538000464696d73000500000000026f"
     "726465720004000000726f7700056461746100010000000001000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[18446744073709551615,0],\"order\":\"row\",\"base64\":\"\"}}}",
     "810000000361007900000003246172726179006c00000002647479706500030000007538000464696d730039000000033000"
     "2a00000002246e756d6265724269670015000000313834343637343430373337303935353136313500001031000000000000"
     "026f726465720004000000726f77000564617461000000000000000000"},
    {"{\"a\":{\"$obj\":[[\"$f32\",\"x\"]]}}",
     "350000000361002d00000004246f626a00220000000430001a00000002300005000000246633320002310002000000780000"
     "000000"},
    {"{\"a\":{\"$obj\":[[\"$f32\",1]]}}", "170000000361000f000000102466333200010000000000"},
    {"{\"a\":{\"$obj\":[[\"$map\",{}]]}}", "180000000361001000000003246d61700005000000000000"},
    {"{\"a\":{\"$obj\":[[\"$oid\",\"56e1fc72e0c917e9c4714161\"]]}}",
     "300000000361002800000002246f69640019000000353665316663373265306339313765396334373134313631000000"},
    {"{\"a\":{\"$obj\":[[\"$date\",1]]}}", "180000000361001000000010246461746500010000000000"},
    {"{\"a\":{\"$obj\":[[\"$code\",\"c\"],[\"$scope\",{}]]}}",
     "270000000361001f0000000224636f646500020000006300032473636f70650005000000000000"},
    {"{\"$ref\":\"a\",\"$id\":1}", "1a00000002247265660002000000610010246964000100000000"},
};

static const struct element plain[] = {
    {"{\"a\":{\"$f32\":\"0.5\"}}", "10000000016100000000000000e03f00"},
    {"{\"a\":18446744073709551615}", "18000000136100ffffffffffffffff000000000000403000"},
    {"{\"a\":-12345678901234567890123}", "18000000136100cb444271764eb6429d020000000040b000"},
    {"{\"a\":12345678901234567890123456789012345}",
     "300000000261002400000031323334353637383930313233343536373839303132333435363738393031323334350000"},
    {"{\"a\":{\"$numberDecimal\":\"1.5\"}}", "180000001361000f000000000000000000000000003e3000"},
    {"{\"a\":{\"$numberDecimal\":\"1E+7000\"}}", "140000000261000800000031452b373030300000"},
    {"{\"a\":{\"$time\":\"1969-12-31T23:59:59.9999Z\"}}", "10000000096100ffffffffffffffff00"},
    {"{\"a\":{\"$tag\":[32,{\"$simple\":[99,null]}]}}", "080000000a610000"},
    {"{\"a\":{\"$bson\":[7,[1]]}}", "140000000461000c000000103000010000000000"},
    {"{\"a\":{\"$oid\":\"56e1fc72e0c917e9c4714161\"}}", "1400000007610056e1fc72e0c917e9c471416100"},
    {"{\"a\":{\"$undefined\":true}}", "0800000006610000"},
    {"{\"$map\":[[1,2],[\"b\\u0000\",3],[[1,\"x\"],4],[{\"$f32\":\"0.5\"},5]]}",
     "2c000000103100020000001062efbfbd0003000000105b312c2278225d000400000010302e35000500000000"},
    {"{\"$obj\":[[\"$f32\",\"x\"]]}", "1100000002246633320002000000780000"},
    {"7", "100000001024726f6f74000700000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i16le\",\"dims\":[2,2],\"order\":\"column\",\"base64\":\"AQACAAMABAA=\"}}}",
     "3900000004610031000000043000130000001030000100000010310003000000000431001300000010300002000000103100"
     "04000000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"i8\",\"dims\":[2],\"order\":\"row\",\"base64\":\"AQI=\"}}}",
     "1b0000000461001300000010300001000000103100020000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[3,0],\"order\":\"row\",\"base64\":\"\"}}}",
     "0d000000046100050000000000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u64le\",\"dims\":[],\"order\":\"row\",\"base64\":\"//////////8=\"}}}",
     "18000000136100ffffffffffffffff000000000000403000"},
    {"{\"a\":{\"$array\":{\"dtype\":\"u8\",\"dims\":[1,2,1],\"order\":\"row\",\"base64\":\"AQI=\"}}}",
     "330000000461002b000000043000230000000430000c00000010300001000000000431000c00000010300002000000000000"
     "00"},
};
/* clang-format on */

static void test_wrapped(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(wrapped); i++) {
        const weir_value *value = read_json(fixture, wrapped[i].json);
        check_hex(fixture, value, 0, wrapped[i].hex, wrapped[i].json);
        take_hex(fixture, wrapped[i].hex);
        if (decode(fixture, WEIR_STRICT) != WEIR_OK)
            fail_msg("%s: %s", wrapped[i].json, fixture->err.text);
        const weir_value *root = weir_doc_root(fixture->doc);
        if (!weir_value_equal(value, root))
            fail_msg("%s came back as %s", wrapped[i].json, json_of(fixture, root, 0));
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, root, codec, wrapped[i].json);
    }
}

/* What Extended JSON may say otherwise, and what looks like one of its wrappers and is none. */
static void test_names_of_extended_json(void **state) {
    struct fixture *fixture = *state;
    static const char *const same[][2] = {
        {"{\"$uuid\":\"73ffd264-44b3-4c69-90e8-e7d1dfc035d4\"}",
         "{\"$binary\":{\"base64\":\"c//SZESzTGmQ6OfR38A11A==\",\"subType\":\"04\"}}"},
        {"{\"$timestamp\":{\"i\":42,\"t\":1}}", "{\"$timestamp\":{\"t\":1,\"i\":42}}"},
        {"{\"$scope\":{\"x\":[1]},\"$code\":\"c\"}", "{\"$code\":\"c\",\"$scope\":{\"x\":[1]}}"},
        {"[{\"$scope\":{},\"$code\":\"c\"},1]", "[{\"$code\":\"c\",\"$scope\":{}},1]"},
        {"{\"$binary\":{\"base64\":\"AwAB\",\"subType\":\"09\"}}",
         "{\"$array\":{\"dtype\":\"i8\",\"dims\":[1],\"order\":\"row\",\"base64\":\"AQ==\"}}"},
        {"{\"$bson\":[7,{\"$binary\":{\"base64\":\"VuH8cuDJF+nEcUFh\",\"subType\":\"00\"}}]}",
         "{\"$oid\":\"56e1fc72e0c917e9c4714161\"}"},
        {"{\"$numberDecimal\":\"-0E-3\"}", "{\"$numberDecimal\":\"-0.000\"}"},
    };
    static const char *const others[] = {
        "[[\"$oid\",\"56E1FC72E0C917E9C4714161\"]]",
        "[[\"$uuid\",\"73ffd264x44b3-4c69-90e8-e7d1dfc035d4\"]]",
        "[[\"$timestamp\",{\"t\":-1,\"i\":0}]]",
        "[[\"$timestamp\",{\"t\":1,\"i\":4294967296}]]",
        "[[\"$timestamp\",{\"t\":1,\"i\":1,\"x\":1}]]",
        "[[\"$minKey\",2]]",
        "[[\"$maxKey\",true]]",
        "[[\"$symbol\",null]]",
        "[[\"$code\",1]]",
        "[[\"$code\",1],[\"$scope\",{}]]",
        "[[\"$code\",\"c\"],[\"$scope\",[]]]",
        "[[\"$regularExpression\",{\"pattern\":\"a\\u0000\",\"options\":\"\"}]]",
        "[[\"$regularExpression\",{\"pattern\":\"a\"}]]",
        "[[\"$dbPointer\",{\"$ref\":\"a\",\"$id\":1}]]",
        "[[\"$numberDecimal\",\"nan\"]]",
        "[[\"$numberDecimal\",\"-0E-7000\"]]",
        "[[\"$bson\",[300,1]]]",
        "[[\"$simple\",[99,1]]]",
        "[[\"$simple\",[20,null]]]",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        const weir_value *value = read_json(fixture, same[i][0]);
        assert_string_equal(json_of(fixture, value, 0), same[i][1]);
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, value, codec, same[i][0]);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        char json[200];
        snprintf(json, sizeof(json), "{\"$obj\":%s}", others[i]);
        const weir_value *value = read_json(fixture, json);
        assert_int_equal(weir_value_kind(value), WEIR_KIND_MAP);
        assert_string_equal(json_of(fixture, value, 0), json);
        for (int codec = WEIR_CODEC_JSON; codec <= WEIR_CODEC_BSON; codec++)
            check_through(fixture, value, codec, json);
        /* Without the escape it is read as the same map. */
        const char *plain = json_of(fixture, value, WEIR_PLAIN);
        weir_doc *doc = NULL;
        assert_int_equal(weir_doc_new(&doc), WEIR_OK);
        assert_int_equal(weir_decode(doc, WEIR_CODEC_JSON, plain, strlen(plain), NULL, NULL, NULL), WEIR_OK);
        if (!weir_value_equal(weir_doc_root(doc), value))
            fail_msg("%s is not only a map", plain);
        weir_doc_free(doc);
    }
}

static void test_plain(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT(plain); i++)
        check_hex(fixture, read_json(fixture, plain[i].json), WEIR_PLAIN, plain[i].hex, plain[i].json);
    /* Read without wrappers, everything is what it looks like. */
    take_hex(fixture, "13000000022466333200040000003"
                      "12e350000");
    assert_int_equal(decode(fixture, WEIR_PLAIN), WEIR_OK);
    assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_MAP);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_int_equal(weir_value_kind(weir_doc_root(fixture->doc)), WEIR_KIND_FLOAT32);
}

static void test_strict(void **state) {
    struct fixture *fixture = *state;
    static const char *const refused[] = {
        "[1]",
        "1",
        "{\"$map\":[[1,2]]}",
        "{\"a\":{\"b\\u0000\":1}}",
        "{\"a\":18446744073709551615}",
        "{\"a\":-123456789012345678901234567890}",
        "{\"a\":{\"$f32\":\"1.0\"}}",
        "{\"a\":{\"$numberDecimal\":\"1E+6112\"}}",
        "{\"a\":{\"$time\":\"2023-11-14T22:13:20.1234Z\"}}",
        "{\"a\":{\"$tag\":[32,\"u\"]}}",
        "{\"a\":{\"$simple\":[99,null]}}",
        "{\"a\":{\"$bson\":[7,1]}}",
        "{\"a\":{\"$array\":{\"dtype\":\"f64le\",\"dims\":[0],\"order\":\"row\",\"base64\":\"\"}}}",
    };
    weir_codec_options options = WEIR_CODEC_OPTIONS_INIT;
    options.flags = WEIR_STRICT;
    for (size_t i = 0; i < COUNT(refused); i++) {
        weir_buffer_clear(fixture->out);
        const weir_value *value = read_json(fixture, refused[i]);
        if (weir_encode(value, WEIR_CODEC_BSON, &options, fixture->out, &fixture->err) != WEIR_EENCODE)
            fail_msg("%s was not refused", refused[i]);
        assert_int_equal(weir_buffer_view(fixture->out).size, 0);
    }
    /* A key twice, at the second of them; not in maps beside each other. */
    take_hex(fixture, "0e000000"
                      "0a6100"
                      "0a6200"
                      "0a6100"
                      "00");
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_EPARSE);
    assert_int_equal(fixture->err.offset, 11);
    take_hex(fixture, "16000000"
                      "036100080000000a610000"
                      "0a620000"
                      "0a6300");
    fixture->input[0] = (unsigned char)fixture->input_size;
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_EPARSE); /* the NUL before 0a63 */
    take_hex(fixture, "13000000"
                      "036100080000000a610000"
                      "0a6200"
                      "00");
    assert_int_equal(decode(fixture, WEIR_STRICT), WEIR_OK);
}

static void test_canonical(void **state) {
    struct fixture *fixture = *state;
    const weir_value *value = read_json(fixture, "{\"b\":1,\"a\":{\"d\":{\"$numberDouble\":\"NaN(fff8000000000001)\"},"
                                                 "\"c\":[]},\"\":{\"$map\":[[1,2],[\"x\",3]]}}");
    encode(fixture, value, WEIR_CODEC_BSON, WEIR_CANONICAL);
    weir_view view = weir_buffer_view(fixture->out);
    take(fixture, view.data, view.size);
    assert_int_equal(decode(fixture, 0), WEIR_OK);
    assert_string_equal(
        json_of(fixture, weir_doc_root(fixture->doc), 0),
        "{\"\":{\"$map\":[[\"x\",3],[1,2]]},\"a\":{\"c\":[],\"d\":{\"$numberDouble\":\"NaN\"}},\"b\":1}");
    check_hex(fixture, read_json(fixture, "{\"b\\u0000\":1,\"a\":2}"), WEIR_CANONICAL,
              "4100000004246d61700036000000043000150000000230000200000061001031000200000000"
              "043100160000000230000300000062000010310001000000000000",
              "a name with a NUL");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(test_wrapped),   TEST(test_names_of_extended_json), TEST(test_plain), TEST(test_strict),
        TEST(test_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
