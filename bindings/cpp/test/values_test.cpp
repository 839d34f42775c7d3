/* Values: building from C++, reading by path and type, arrays, codecs. */
#include <map>

#include <weir/weir.hpp>

#include "tap.hpp"

using namespace std::chrono_literals;
using weir::codec;

static std::string json(weir::value v) {
    return weir::encode(v, codec::json, weir::codec_flags::plain);
}

TEST(a_map_is_built_in_place) {
    weir::map m{{"x", 1}, {"y", 2.5}, {"name", "zwölf"}, {"on", true}, {"none", nullptr}, {"in", weir::map{{"a", 7}}}};
    CHECK(json(m) == R"({"x":1,"y":2.5,"name":"zwölf","on":true,"none":null,"in":{"a":7}})");
}

TEST(a_list_holds_anything_also_one_list) {
    CHECK(json(weir::list(1, "two", weir::map{{"three", 3}})) == R"([1,"two",{"three":3}])");
    CHECK(json(weir::list(weir::list(1))) == "[[1]]");
    CHECK(json(weir::list()) == "[]");
}

TEST(standard_containers_are_values) {
    std::map<std::string, std::vector<std::string>> names{{"a", {"x", "y"}}, {"b", {}}};
    CHECK(json(weir::make(names)) == R"({"a":["x","y"],"b":[]})");
    CHECK(json(weir::make(std::vector<bool>{true, false})) == "[true,false]");
    CHECK(json(weir::make(std::optional<int>())) == "null");
    CHECK(json(weir::make(std::optional(7))) == "7");
}

TEST(values_come_back_as_their_types) {
    weir::map m{{"i", -5},     {"u", UINT64_MAX}, {"f", 0.25},
                {"t", "text"}, {"b", true},       {"accel", weir::list(1.5, 2, 3)}};
    CHECK(m["i"].as<int>() == -5);
    CHECK(m["i"].as<signed char>() == -5);
    CHECK(m["u"].as<std::uint64_t>() == UINT64_MAX);
    CHECK(m["u"].digits() == "18446744073709551615");
    CHECK(m["f"].as<float>() == 0.25F);
    CHECK(m["t"].as<std::string_view>() == "text");
    CHECK(m["t"].as<std::string>() == "text");
    CHECK(m["b"].as<bool>());
    CHECK(m["accel.0"].as<double>() == 1.5);
    CHECK(m["accel"][2].as<int>() == 3);
    CHECK(m["accel"].as<std::vector<double>>() == (std::vector<double>{1.5, 2, 3}));
    CHECK(m.get("accel.1", 0) == 2 && m.get("absent", 9) == 9);
    CHECK(m["accel"].kind() == weir::kind::array && m["accel"].size() == 3);
}

TEST(what_does_not_fit_is_refused_and_said) {
    weir::map m{{"i", 300}, {"t", "text"}, {"f", 1.5}};
    CHECK_THROWS(weir::type_error, m["i"].as<std::uint8_t>(), [](auto &e) {
        CHECK(std::string(e.what()) == "the value is int64, you asked for u8");
        CHECK(e.code() == weir::err::type && std::string(e.name()) == "WEIR_ETYPE");
    });
    CHECK_THROWS(weir::type_error, m["t"].as<double>(), [](auto &) {});
    CHECK_THROWS(weir::type_error, m["f"].as<int>(), [](auto &) {});
    CHECK_THROWS(weir::type_error, m["t"].as<std::vector<int>>(), [](auto &) {});
    CHECK_THROWS(weir::not_found_error, m["i.0"], [](auto &e) {
        CHECK(std::string(e.what()) == "there is no value at \"i.0\" in map");
    });
    CHECK_THROWS(weir::error, m["absent"], [](auto &e) { CHECK(e.code() == weir::err::noent); });
}

TEST(maps_and_arrays_are_walked) {
    weir::map m{{"a", 1}, {"b", 2}};
    std::string seen;
    for (auto [key, item] : m.root().pairs())
        seen += key.as<std::string>() + std::to_string(item.as<int>());
    CHECK(seen == "a1b2");
    int sum = 0;
    weir::document numbers = weir::list(1, 2, 3);
    for (weir::value v : numbers.root().items())
        sum += v.as<int>();
    CHECK(sum == 6);
    for (weir::value v : m.root().items())
        CHECK(!v); /* a map has no items */
    CHECK((m.as<std::map<std::string, int>>()) == (std::map<std::string, int>{{"a", 1}, {"b", 2}}));
}

TEST(times_bytes_and_big_integers_survive_cbor) {
    const weir::time_point now = std::chrono::system_clock::now();
    const std::array<std::byte, 3> bytes{std::byte{0}, std::byte{0xFF}, std::byte{7}};
    weir::builder b;
    b.begin_map().key("t").put(now).key("b").put(std::span<const std::byte>(bytes)).key("n");
    b.put_digits("-123456789012345678901234567890").end();
    weir::document again = weir::decode(codec::cbor, weir::encode(b.finish(), codec::cbor));
    CHECK(again["t"].as<weir::time_point>() == now);
    CHECK(std::ranges::equal(again["b"].as<std::span<const std::byte>>(), bytes));
    CHECK(again["n"].digits() == "-123456789012345678901234567890");
    CHECK(again == b.finish());
}

TEST(an_array_keeps_shape_order_and_type) {
    const std::vector<double> samples{0, 1, 2, 3, 4, 5};
    weir::document row = weir::make(weir::as_array(samples, {2, 3}));
    auto view = row.as<weir::array_view<double>>();
    CHECK(row.root().type() == "f64[2,3]" && view.rank() == 2 && view.shape()[1] == 3);
    CHECK(view(1, 0) == 3 && view.at(0, 2) == 2 && view.size() == 6);
    weir::document column = weir::make(weir::as_array(samples, {2, 3}, weir::order::column));
    auto turned = column.as<weir::array_view<double>>();
    CHECK(turned(1, 0) == 1 && turned(0, 2) == 4 && turned.order() == weir::order::column);
    CHECK_THROWS(weir::invalid_error, view.at(2, 0), [](auto &) {});
    CHECK_THROWS(weir::invalid_error, view.at(0), [](auto &) {});
    CHECK_THROWS(weir::invalid_error, weir::as_array(samples, {4, 2}), [](auto &e) {
        CHECK(std::string(e.what()) == "6 elements cannot be f64[4,2]");
    });
    CHECK_THROWS(weir::type_error, row.as<weir::array_view<float>>(), [](auto &e) {
        CHECK(std::string(e.what()) == "the array is f64[2,3], you asked for f32");
    });
}

TEST(a_view_of_unaligned_or_swapped_elements_is_a_copy_that_is_right) {
    alignas(8) const unsigned char big[] = {0xAA, 0x00, 0x00, 0x01, 0x02, 0xFF, 0xFF, 0xFF, 0xFE};
    weir_ndarray raw{};
    raw.element = WEIR_I32;
    raw.rank = 1;
    raw.shape[0] = 2;
    raw.size = 8;
    raw.big_endian = 1;
    raw.data = big + 1;
    weir::array_view<std::int32_t> swapped(raw);
    CHECK(swapped.is_copy() && swapped[0] == 258 && swapped[1] == -2);
    const std::int32_t native[2] = {7, -8};
    alignas(8) unsigned char shifted[sizeof(native) + 1];
    std::memcpy(shifted + 1, native, sizeof(native));
    raw.big_endian = std::endian::native == std::endian::big;
    raw.data = shifted + 1;
    weir::array_view<std::int32_t> moved(raw), second = moved;
    CHECK(second.is_copy() && second[0] == 7 && second[1] == -8);
    raw.data = native;
    CHECK(!weir::array_view<std::int32_t>(raw).is_copy());
}

TEST(codecs_convert_and_complain_with_an_offset) {
    CHECK(weir::convert(codec::json, codec::json, "[1, 2.50]") == "[1,2.5]");
    std::string cbor = weir::convert(codec::json, codec::cbor, R"({"a":[1,2]})");
    CHECK(cbor == "\xA1\x61\x61\x82\x01\x02");
    CHECK_THROWS(weir::parse_error, weir::decode(codec::json, "[1,]"), [](auto &e) { CHECK(e.offset() == 3); });
}

TEST(a_builder_used_again_allocates_nothing) {
    weir::builder b;
    weir::value v;
    std::size_t before = 0;
    for (int i = 0; i < 100; i++) {
        if (i == 2)
            before = allocations();
        b.clear();
        b.begin_map().key("i").put(i).key("text").put("some text").end();
        v = b.finish();
    }
    CHECK(v["i"].as<int>() == 99);
    CHECK(allocations() == before);
}

TEST(misuse_of_a_builder_is_reported_by_finish) {
    weir::builder b;
    b.begin_map().key("a").end();
    CHECK_THROWS(weir::invalid_error, b.finish(), [](auto &) {});
}

TEST(timeouts_are_any_duration) {
    CHECK(weir::timeout(1ms).ns() == 1000000);
    CHECK(weir::timeout(std::chrono::duration<double>(0.5)).ns() == 500000000);
    CHECK(weir::timeout(-1s).ns() == 0);
    CHECK(weir::timeout(std::chrono::hours::max()).is_forever());
    CHECK(weir::forever.is_forever());
}
