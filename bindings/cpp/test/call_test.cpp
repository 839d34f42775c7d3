/* Clients and servers over both transports. The server runs in a thread of its own. */
#include <thread>

#include <weir/weir.hpp>

#include "tap.hpp"

using namespace std::chrono_literals;

static constexpr auto LIMIT = 20s;

static int answer(const weir::message_ref &request) {
    if (request.op() == "double")
        return 2 * request.as<int>();
    if (request.op() == "crash")
        throw std::runtime_error("it went wrong");
    throw weir::refusal(42, "no operation " + std::string(request.op()) + " here");
}

TEST(a_call_is_answered) {
    for (const std::string &address : {shm_address(), unix_address()}) {
        weir::server s(address);
        std::jthread serving([&](std::stop_token stop) { s.serve(answer, stop); });
        weir::client c(address);
        CHECK(c.call("double", 21, LIMIT).as<int>() == 42);
        CHECK(c.call("double", -1, {.timeout = LIMIT, .meta = weir::map{{"who", "me"}}}).as<int>() == -2);
    }
}

TEST(what_a_handler_throws_reaches_the_client) {
    const std::string address = shm_address();
    weir::server s(address);
    std::jthread serving([&](std::stop_token stop) { s.serve(answer, stop); });
    weir::client c(address);
    CHECK_THROWS(weir::remote_error, c.call("halve", 1, LIMIT), [](auto &e) {
        CHECK(e.server_code() == 42 && std::string(e.what()) == "no operation halve here");
    });
    CHECK_THROWS(weir::remote_error, c.call("crash", 1, LIMIT), [](auto &e) {
        CHECK(e.server_code() == -1 && std::string(e.what()) == "it went wrong");
    });
    CHECK(c.call("double", 2, LIMIT).as<int>() == 4);
}

TEST(an_answer_may_come_later_and_hold_anything) {
    const std::string address = unix_address();
    weir::server s(address);
    weir::client c(address);
    const std::vector<double> samples{1, 2, 3};
    c.send("sum", samples, weir::map{{"id", 7}});
    CHECK(!c.receive(0s));
    weir::message request = s.next(LIMIT)->copy();
    CHECK(request.meta()["id"].as<int>() == 7);
    CHECK(!s.next(0s));
    double sum = 0;
    for (double x : request.array<double>())
        sum += x;
    s.reply(request, weir::map{{"sum", sum}}, weir::map{{"by", "cpp"}});
    auto reply = c.receive(LIMIT);
    CHECK(reply && (*reply)["sum"].as<double>() == 6 && reply->meta()["by"].as<std::string>() == "cpp");
}

TEST(a_reply_without_data) {
    const std::string address = shm_address();
    weir::server s(address);
    weir::client c(address);
    std::jthread serving([&] { s.serve_one([](const weir::message_ref &) {}, LIMIT); });
    weir::message_ref reply = c.call("stop");
    CHECK(!reply.data());
}

TEST(nobody_serves_is_a_timeout_that_says_so) {
    const std::string address = shm_address();
    weir::client c(address);
    CHECK_THROWS(weir::timeout_error, c.call("double", 1, 10ms), [](auto &e) {
        CHECK(std::string(e.what()).find("nobody serves") != std::string::npos);
    });
}

TEST(one_server_per_address) {
    const std::string address = shm_address();
    weir::server s(address);
    CHECK_THROWS(weir::busy_error, weir::server{address}, [](auto &) {});
    CHECK(!s.next(0s));
}

TEST(a_server_is_waited_for_with_others) {
    const std::string address = shm_address();
    weir::server s(address);
    weir::client c(address);
    weir::wait_set set;
    const auto at = set.add(s);
    CHECK(!set.wait(0s));
    c.send("double", 4);
    CHECK(set.wait(LIMIT) && set.is_ready(at));
    CHECK(s.serve_one(answer, 0s));
    CHECK(c.receive(LIMIT)->as<int>() == 8);
}
