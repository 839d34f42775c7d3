/* Writers, readers, observers, the latest value; over shared memory, and where it may differ over sockets too. */
#include <poll.h>

#include <thread>

#include <weir/weir.hpp>

#include "tap.hpp"

using namespace std::chrono_literals;

static constexpr auto LIMIT = 20s;

static_assert(std::ranges::input_range<weir::reader &>);
static_assert(std::ranges::input_range<weir::message_range>);
static_assert(std::movable<weir::reader> && !std::copyable<weir::reader>);
static_assert(std::movable<weir::message> && !std::copyable<weir::message>);

TEST(a_message_arrives_with_op_meta_data_and_stamps) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send(weir::map{{"x", 1}, {"y", 2.5}}, {.op = "pos", .meta = weir::map{{"unit", "m"}}});
    auto m = r.next(LIMIT);
    CHECK(m && m->op() == "pos" && m->seq() == 1 && m->gap() == 0);
    CHECK((*m)["x"].as<int>() == 1 && m->get("y", 0.0) == 2.5);
    CHECK(m->meta()["unit"].as<std::string_view>() == "m");
    CHECK(m->age() >= 0ns && m->age() < LIMIT);
    CHECK(m->codec() == weir::codec::cbor && !m->bytes().empty());
    CHECK(m->json().find(R"("data":{"x":1,"y":2.5})") != std::string::npos);
    CHECK(w.seq() == 1 && !r.next(0s));
}

TEST(everything_that_can_be_put_can_be_sent) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send(21);
    CHECK(r.next(LIMIT)->as<int>() == 21);
    w.send("text");
    CHECK(r.next(LIMIT)->as<std::string>() == "text");
    w.send(std::vector<std::string>{"a", "b"});
    CHECK(r.next(LIMIT)->as<std::vector<std::string>>() == (std::vector<std::string>{"a", "b"}));
    w.send({.op = "start"});
    auto m = r.next(LIMIT);
    CHECK(m->op() == "start" && !m->data() && !m->meta());
    w.send(nullptr, {.op = std::string_view("null and more").substr(0, 4)});
    m = r.next(LIMIT);
    CHECK(m->op() == "null" && m->data() && m->data().is_null());
    w.send_bytes(weir::codec::json, std::as_bytes(std::span("[1,2]", 5)));
    CHECK(r.next(LIMIT)->as<std::vector<int>>() == (std::vector<int>{1, 2}));
}

TEST(an_array_is_read_where_it_lies) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    std::vector<double> samples(1024);
    for (std::size_t i = 0; i < samples.size(); i++)
        samples[i] = static_cast<double>(i);
    w.send(std::span<const double>(samples), {.op = "flat"});
    auto m = r.next(LIMIT);
    auto flat = m->array<double>();
    CHECK(m->type() == "f64[1024]" && std::ranges::equal(flat, samples));
    CHECK(!flat.is_copy() && reinterpret_cast<std::uintptr_t>(flat.data()) % 64 == 0);
    CHECK(static_cast<const void *>(flat.data()) == m->bytes().data());
    w.send(weir::as_array(samples, {4, 256}));
    auto shaped = r.next(LIMIT)->array<double>();
    CHECK(shaped(3, 255) == 1023 && shaped(1, 0) == 256);
    w.send("no array");
    CHECK_THROWS(weir::type_error, r.next(LIMIT)->array<double>(), [](auto &) {});
}

TEST(reserve_and_commit_write_in_place) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    auto room = w.reserve<float>({2, 3}, {.op = "grid"});
    CHECK(room.span().size() == 6 && reinterpret_cast<std::uintptr_t>(room.span().data()) % 64 == 0);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            room(i, j) = static_cast<float>(10 * i + j);
    room.commit();
    {
        auto dropped = w.reserve<std::int64_t>(7);
        dropped[0] = 1;
    } /* never sent */
    w.send(5);
    auto m = r.next(LIMIT);
    CHECK(m->type() == "f32[2,3]" && m->op() == "grid" && m->array<float>()(1, 2) == 12);
    CHECK(r.next(LIMIT)->as<int>() == 5);
}

TEST(a_loop_over_a_reader_ends_when_nothing_comes) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    {
        weir::batch held = w.hold();
        for (int i = 0; i < 10; i++)
            w.send(i);
        held.publish();
    }
    int expected = 0;
    for (auto &m : r.within(50ms))
        CHECK(m.as<int>() == expected++);
    CHECK(expected == 10);
    w.send(10);
    for (auto &m : r) {
        CHECK(m.as<int>() == 10);
        break;
    }
}

TEST(many_go_and_come_in_one_call) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    w.send_many(weir::codec::json, std::vector<std::string>{"1", "2", "3"}, {}, {.op = "count"});
    w.send_many(weir::codec::raw, std::array<std::array<double, 2>, 2>{{{1, 2}, {3, 4}}}, "f64[2]");
    int expected = 1;
    while (expected <= 5)
        for (auto &m : r.next_many(2, LIMIT)) {
            CHECK(m.seq() == static_cast<std::uint64_t>(expected) && m.gap() == 0);
            if (expected <= 3)
                CHECK(m.as<int>() == expected && m.op() == "count");
            else
                CHECK(m.array<double>()[0] == 2 * (expected - 4) + 1);
            expected++;
        }
    CHECK(r.next_many(8, 0ms).empty());
    std::size_t sent = 9;
    CHECK_THROWS(weir::invalid_error,
                 w.send_many(weir::codec::raw, std::vector<std::string>{"12345678", "1234567"}, "f64", {}, &sent),
                 [](auto &) {});
    CHECK(sent == 1 && r.next_many(8, LIMIT).size() == 1);
}

TEST(a_copy_outlives_its_reader) {
    const std::string address = shm_address();
    weir::writer w(address);
    std::optional<weir::message> kept;
    {
        weir::reader r(address);
        w.send(weir::map{{"k", "v"}}, {.op = "keep"});
        kept.emplace(r.next(LIMIT)->copy());
    }
    weir::message moved = std::move(*kept);
    kept.reset();
    CHECK(moved.op() == "keep" && moved["k"].as<std::string>() == "v");
}

TEST(the_latest_value_needs_no_reader) {
    const std::string address = shm_address();
    CHECK_THROWS(weir::not_found_error, weir::latest(address), [&](auto &e) {
        CHECK(e.code() == weir::err::noent && std::string(e.what()).find("cpp/") != std::string::npos);
    });
    {
        weir::writer w(address);
        w.send(1);
        w.send(2);
    }
    CHECK(weir::latest(address).as<int>() == 2); /* its writer is gone */
    weir::observer o(address);
    CHECK(o.latest()->as<int>() == 2);
}

TEST(an_observer_is_overtaken_and_told_so) {
    const std::string address = shm_address() + "?capacity=64K";
    weir::observer o(address);
    weir::writer w(address + "&full=block");
    std::vector<std::uint64_t> block(1024);
    for (int i = 0; i < 40; i++)
        w.send(block);
    std::uint64_t received = 0, missed = 0;
    for (auto &m : o.within(50ms)) {
        received++;
        missed += m.gap();
    }
    CHECK(received > 0 && missed > 0 && received + missed == 40 && o.gaps() == missed);
}

TEST(a_full_channel_does_what_its_address_says) {
    const std::string address = shm_address() + "?capacity=64K";
    weir::reader r(address);
    std::vector<std::byte> block(20000);
    weir::writer failing(address + "&full=fail");
    CHECK_THROWS(weir::again_error, for (int i = 0; i < 100; i++) failing.send(block), [](auto &) {});
    weir::writer blocking(address);
    blocking.set_timeout(20ms);
    CHECK_THROWS(weir::timeout_error, for (int i = 0; i < 100; i++) blocking.send(block), [](auto &) {});
}

TEST(a_writer_gives_messages_another_time) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    const weir::time_point then{1'700'000'000'123'456'789ns};
    w.set_time(then);
    w.send(1);
    w.set_time(0);
    w.send(2);
    w.set_time(WEIR_TIME_NOW);
    w.send(3);
    CHECK(r.next(LIMIT)->time() == then);
    CHECK(r.next(LIMIT)->time() == weir::time_point{});
    CHECK(r.next(LIMIT)->age() < LIMIT);
}

TEST(a_writer_says_how_long_it_waits) {
    weir::writer w(shm_address() + "?timeout=1500ms");
    CHECK(w.timeout().ns() == 1'500'000'000);
    w.set_timeout(weir::forever);
    CHECK(w.timeout().is_forever());
}

TEST(a_channel_is_explained_and_removed) {
    const std::string address = shm_address();
    CHECK_THROWS(weir::not_found_error, weir::channel_info(address), [](auto &) {});
    {
        weir::writer w(address);
        w.send(1);
        weir::document info = weir::channel_info(address);
        CHECK(info.root()["state"].as<std::string>() == "live");
        CHECK(info.root()["lanes"].size() == 1);
        CHECK_THROWS(weir::busy_error, weir::channel_remove(address),
                     [](auto &e) { CHECK(std::string(e.what()).find(std::to_string(getpid())) != std::string::npos); });
    }
    CHECK(weir::channel_remove(address, true).root().size() == 1 && weir::latest(address).as<int>() == 1);
    CHECK(weir::channel_remove(address).root().size() == 1);
    CHECK_THROWS(weir::not_found_error, weir::latest(address), [](auto &) {});
}

TEST(bad_addresses_are_refused_with_the_library_s_sentence) {
    CHECK_THROWS(weir::address_error, weir::reader("shm://a?colour=red"),
                 [](auto &e) { CHECK(std::string(e.what()).find("colour") != std::string::npos); });
    CHECK_THROWS(weir::address_error, weir::writer("carrier-pigeon://a"), [](auto &) {});
    CHECK_THROWS(weir::not_found_error, weir::reader(shm_address() + "?create=0"), [](auto &) {});
}

TEST(a_reader_has_a_descriptor_for_event_loops) {
    for (const std::string &address : {shm_address(), unix_address()}) {
        weir::writer w(address);
        weir::reader r(address);
        pollfd waited{r.fd(), POLLIN, 0};
        CHECK(!r.next(0s));
        CHECK(w.wait_readers(1, LIMIT));
        std::thread sender([&] { w.send(3); });
        CHECK(poll(&waited, 1, 20000) == 1);
        sender.join();
        CHECK(r.next(LIMIT)->as<int>() == 3);
    }
}

TEST(many_are_waited_for_at_once) {
    const std::string first = shm_address(), second = unix_address();
    weir::reader a(first), b(second);
    weir::writer w(second);
    int ends[2];
    CHECK(pipe(ends) == 0);
    weir::wait_set set;
    const auto at_a = set.add(a), at_b = set.add(b), at_pipe = set.add(ends[0]);
    CHECK(!set.wait(0s));
    CHECK(w.wait_readers(1, LIMIT));
    w.send(1);
    CHECK(set.wait(LIMIT) && set.is_ready(at_b) && !set.is_ready(at_a) && !set.is_ready(at_pipe));
    CHECK(b.next(0s)->as<int>() == 1);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(set.wait(LIMIT) && set.is_ready(at_pipe) && !set.is_ready(at_b));
    close(ends[0]);
    close(ends[1]);
}

TEST(a_loop_of_send_and_next_allocates_nothing) {
    const std::string address = shm_address();
    weir::reader r(address);
    weir::writer w(address);
    weir::map meta{{"unit", "V"}};
    std::vector<float> samples(100);
    std::size_t before = 0;
    for (int i = 0; i < 200; i++) {
        if (i == 100)
            before = allocations();
        w.send(samples, {.op = std::string_view("spectrum"), .meta = meta});
        w.send(i, {.op = "count"});
        w.reserve<double>({4, 4}).commit();
        CHECK(r.next(LIMIT)->array<float>().size() == 100);
        auto m = r.next(LIMIT);
        CHECK(m->as<int>() == i && m->op() == "count");
        CHECK(r.next(LIMIT)->array<double>()(3, 3) == weir::array_view<double>(m->array().raw())(0));
    }
    CHECK(allocations() == before);
}

TEST(the_directory_shows_open_ends) {
    const std::string address = shm_address();
    weir::writer w(address);
    bool is_found = false;
    weir::document list = weir::directory();
    for (weir::value channel : list.root().items())
        is_found = is_found || channel["address"].as<std::string>() == address;
    CHECK(is_found);
    CHECK(weir::clean(true).root().kind() == weir::kind::array);
}
