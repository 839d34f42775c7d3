/* Structs as they lie in memory: sent, read in place, reserved, seen as maps; types that differ; and lists of numbers
 * as arrays. */
#include <cstddef>

#include <weir/weir.hpp>

#include "tap.hpp"

using namespace std::chrono_literals;

static constexpr auto LIMIT = 20s;

/* The action throws the exception, whose sentence has these words. */
#define SAYS(exception, words, ...)                                                                                    \
    tap::expect_throw<exception>(                                                                                      \
        __FILE__, __LINE__, #exception, [&] { __VA_ARGS__; },                                                          \
        [](const exception &e) { CHECK(std::string_view(e.what()).find(words) != std::string_view::npos); })

namespace {

struct reading {
    std::int64_t t;
    double accel[3];
    float temp;
};
constexpr const char *reading_type = "{t: i64, accel: f64[3], temp: f32}";

struct point {
    float x, y;
};

struct no_raw_struct {
    std::string text;
};

static_assert(weir::raw_struct<reading> && !weir::raw_struct<no_raw_struct> && !weir::raw_struct<double>);

} // namespace

TEST(a_struct_is_read_in_place_and_seen_as_a_map) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send_struct(reading{-7, {1, 2, 3}, 2.5f}, reading_type, {.op = "reading"});
    auto m = r.next(LIMIT);
    const reading &seen = m->as_struct<reading>(reading_type);
    CHECK(seen.t == -7 && seen.accel[2] == 3 && seen.temp == 2.5f);
    CHECK(reinterpret_cast<const std::byte *>(&seen) == m->bytes().data());
    CHECK(m->op() == "reading" && m->type() == reading_type && m->codec() == weir::codec::raw);
    CHECK((*m)["t"].as<int>() == -7 && (*m)["temp"].as<double>() == 2.5);
    CHECK((*m)["accel"].as<weir::array_view<double>>().data() == seen.accel);
}

TEST(structs_in_an_array) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send_structs(std::vector<point>{{1, 2}, {3, 4}, {5, 6}}, "{x: f32, y: f32}[3]");
    auto m = r.next(LIMIT);
    auto points = m->as_structs<point>("{x:f32,y:f32}[3]");
    CHECK(points.size() == 3 && points[2].y == 6);
    CHECK((*m)["1.x"].as<double>() == 3);
    SAYS(weir::type_error, "is not one struct", m->as_struct<point>("{x: f32, y: f32}[3]"));
    SAYS(weir::type_error, "are no structs of 40", m->as_structs<reading>("{x: f32, y: f32}[3]"));
}

TEST(a_struct_is_written_in_the_channel) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    {
        auto room = w.reserve_struct<reading>(reading_type);
        room->t = 5;
        room->temp = 9;
        room.commit();
    }
    { auto dropped = w.reserve_struct<reading>(reading_type); }
    auto points = w.reserve_struct<point>("{x: f32, y: f32}[2]", {.op = "points"});
    points[1] = {7, 8};
    points.commit();
    CHECK(r.next(LIMIT)->as_struct<reading>(reading_type).temp == 9);
    auto m = r.next(LIMIT);
    CHECK(m->op() == "points" && m->as_structs<point>("{x: f32, y: f32}[2]")[1].y == 8);
    SAYS(weir::invalid_error, "16 bytes", w.reserve_struct<reading>("{x: f32, y: f32}[2]"));
    w.send(1); /* nothing is reserved any more */
    CHECK(r.next(LIMIT)->as<int>() == 1);
}

TEST(another_type_says_both_and_who_writes) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send(std::vector<double>{1, 2, 3});
    auto m = r.next(LIMIT);
    SAYS(weir::type_error, "the writer sends f64[3], you asked for {t: i64, accel: f64[3], temp: f32} (writer pid",
         m->as_struct<reading>(reading_type));
    w.send(weir::map{{"t", 1}});
    m = r.next(LIMIT);
    SAYS(weir::type_error, "the writer sends cbor data", m->as_struct<reading>(reading_type));
    SAYS(weir::invalid_error, "{t: i64} is 8 bytes, you gave 40", w.send_struct(reading{}, "{t: i64}"));
    SAYS(weir::invalid_error, "behind a field must stand", w.send_struct(reading{}, "{t: i64"));
}

TEST(types_say_what_lies_where) {
    weir::raw_type type("{t:i64,accel:f64[3],temp:f32,p:{x:f32,y:f32}[2]}");
    CHECK(type.text() == "{t: i64, accel: f64[3], temp: f32, p: {x: f32, y: f32}[2]}");
    CHECK(type.size() == 56 && type.offset("accel") == 8 && type.offset("p.y") == 40);
    SAYS(weir::not_found_error, "\"q\"", type.offset("q"));
    SAYS(weir::invalid_error, "byte 4", weir::raw_type("{t: i65}"));

    weir::raw_type small(reading_type);
    weir::buffer out;
    small.encode(weir::map{{"temp", 2.5}, {"t", 1}, {"accel", weir::list(1, 2, 3)}}, out);
    reading seen;
    CHECK(out.view().size() == sizeof(seen));
    std::memcpy(&seen, out.view().data(), sizeof(seen));
    CHECK(seen.t == 1 && seen.accel[1] == 2 && seen.temp == 2.5f);
    weir::document into;
    CHECK(small.decode(std::as_bytes(std::span(&seen, 1)), into)["accel"].as<weir::array_view<double>>()[2] == 3);
    SAYS(weir::encode_error, "accel: the field is missing", small.encode(weir::map{{"t", 1}}, out));
    SAYS(weir::encode_error, "temp: 0.1",
         small.encode(weir::map{{"t", 1}, {"accel", weir::list(1, 2, 3)}, {"temp", 0.1}}, out));
    small.encode(weir::map{{"t", 1}, {"accel", weir::list(1, 2, 3)}, {"temp", 0.1}}, out, true);
}

TEST(lists_of_numbers_are_arrays_on_request) {
    weir::document doc = weir::decode(weir::codec::json, "[[1,2,3],[4,5,6]]");
    auto matrix = doc.as<weir::array_view<double>>();
    CHECK(matrix.rank() == 2 && matrix.shape()[1] == 3 && matrix(1, 2) == 6 && matrix.is_copy());
    CHECK(doc.as<weir::array_view<std::uint8_t>>()(0, 1) == 2);
    weir::document wrong = weir::decode(weir::codec::json, "[1,2.5]");
    SAYS(weir::type_error, "2.5 does not fit i32", wrong.as<weir::array_view<int>>());
    weir::document uneven = weir::decode(weir::codec::json, "[[1,2],[3]]");
    SAYS(weir::type_error, "", uneven.as<weir::array_view<int>>());

    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send(weir::list(1, 2, 3));
    CHECK(r.next(LIMIT)->array<float>()[2] == 3);
}
