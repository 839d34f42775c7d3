/* Clients and servers over both transports. The server runs in a thread of its own. */
#include <atomic>
#include <barrier>
#include <map>
#include <set>
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
    CHECK_THROWS(weir::remote_error, c.call("halve", 1, LIMIT),
                 [](auto &e) { CHECK(e.server_code() == 42 && std::string(e.what()) == "no operation halve here"); });
    CHECK_THROWS(weir::remote_error, c.call("crash", 1, LIMIT),
                 [](auto &e) { CHECK(e.server_code() == -1 && std::string(e.what()) == "it went wrong"); });
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
    CHECK_THROWS(weir::timeout_error, c.call("double", 1, 10ms),
                 [](auto &e) { CHECK(std::string(e.what()).find("nobody serves") != std::string::npos); });
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

TEST(many_requests_are_under_way) {
    for (const std::string &address : {shm_address(), unix_address()}) {
        weir::server s(address);
        std::jthread serving([&](std::stop_token stop) { s.serve(answer, stop); });
        weir::client c(address);
        std::map<std::uint64_t, int> left;
        std::uint64_t ids[50];
        for (int i = 0; i < 50; i++)
            left[ids[i] = c.send("double", i)] = 2 * i;
        CHECK(left.size() == 50 && c.under_way() == 50 && c.id() == ids[49]);
        CHECK(c.receive(ids[30], LIMIT)->as<int>() == 60);
        CHECK_THROWS(weir::invalid_error, c.receive(ids[30], 0s), [](auto &) {});
        CHECK(c.call("double", 100, LIMIT).as<int>() == 200);
        left.erase(ids[30]);
        while (!left.empty()) {
            auto reply = c.receive(LIMIT);
            CHECK(reply && reply->id() == c.id() && left.at(reply->id()) == reply->as<int>());
            left.erase(reply->id());
        }
        const auto refused = c.send("halve", 1);
        CHECK(c.send("double", 1) != refused);
        CHECK_THROWS(weir::remote_error, c.receive(LIMIT), [](auto &) {});
        CHECK(c.id() == refused && c.under_way() == 1);
        CHECK(c.receive(LIMIT)->as<int>() == 2 && c.under_way() == 0);
    }
}

/* Until the server hears of it, for a while. */
static bool comes_cancelled(weir::server &s, const weir::message_ref &request) {
    for (int i = 0; i < 20000 && !s.is_cancelled(request); i++)
        std::this_thread::sleep_for(1ms);
    return s.is_cancelled(request);
}

TEST(a_late_reply_is_nobody_elses) {
    const std::string address = shm_address();
    weir::server s(address);
    weir::client c(address);
    const auto first = c.send("first");
    weir::message late = s.next(LIMIT)->copy();
    CHECK_THROWS(weir::timeout_error, c.call("second", 0, 10ms), [](auto &) {});
    CHECK(c.under_way() == 1);
    const auto third = c.send("third");
    CHECK(!s.is_cancelled(late)); /* having looked, it knows that the second was taken back */
    weir::message next = s.next(LIMIT)->copy();
    CHECK(next.op() == "third" && next.id() == third);
    s.reply(late, "the first");
    s.reply(next, "the third");
    CHECK(c.receive(third, LIMIT)->as<std::string>() == "the third");
    CHECK(c.receive(LIMIT)->as<std::string>() == "the first" && c.id() == first);
}

TEST(a_request_is_taken_back) {
    const std::string address = shm_address();
    weir::server s(address);
    weir::client c(address);
    const auto first = c.send("double", 1), second = c.send("double", 2);
    weir::message request = s.next(LIMIT)->copy();
    CHECK(request.id() == first && !s.is_cancelled(request));
    c.cancel(first);
    CHECK_THROWS(weir::invalid_error, c.cancel(first), [](auto &) {});
    CHECK(comes_cancelled(s, request));
    s.reply(request, "in vain");
    CHECK(s.serve_one(answer, LIMIT));
    CHECK(c.receive(LIMIT)->as<int>() == 4 && c.id() == second && c.under_way() == 0);
}

/* None answers its first request before all have one, so all are at work at a time. */
TEST(each_request_goes_to_one_worker) {
    constexpr int COUNT = 200, WORKERS = 3;
    for (const std::string &address : {shm_address(), unix_address()}) {
        std::vector<weir::server> servers;
        servers.emplace_back(address);
        for (int i = 1; i < WORKERS; i++)
            servers.push_back(servers.front().worker());
        std::atomic<int> served = 0;
        std::barrier all_have_one(WORKERS);
        std::vector<std::jthread> threads;
        for (int i = 0; i < WORKERS; i++)
            threads.emplace_back([&, i](std::stop_token stop) {
                bool is_first = true;
                servers[i].serve(
                    [&](const weir::message_ref &) {
                        if (std::exchange(is_first, false))
                            all_have_one.arrive_and_wait();
                        served++;
                        return i;
                    },
                    stop);
            });
        weir::client c(address);
        std::set<std::uint64_t> ids;
        std::set<int> by;
        for (int i = 0; i < COUNT; i++)
            ids.insert(c.send("work"));
        for (int i = 0; i < COUNT; i++) {
            auto reply = c.receive(LIMIT);
            CHECK(reply && ids.erase(reply->id()) == 1);
            by.insert(reply->as<int>());
        }
        CHECK(by.size() == WORKERS && served == COUNT && c.under_way() == 0);
    }
}
