/* analyse: reads what the sensors send, computes, publishes the results, and takes orders.
 *
 *     analyse [--host ADDR] [--jitter ADDR] [--spectrum ADDR] [--vitals ADDR] [--alarms ADDR] [--recent ADDR]
 *     [--control ADDR]
 *
 * One thread waits for both sensors, for control calls and for SIGTERM at once. Any of the other programs may come, go
 * and come back: a silent sensor leaves its part of the vitals to age, which their own `time` shows. What goes out:
 *
 *   spectrum  f64[window / 2 + 1], with each block of the jitter signal; the frequency axis is in the metadata
 *   vitals    four times a second, also while a sensor is silent or the analysis paused
 *   alarms    one message for each, when it happens
 *   recent    the last alarms as one list, with each new one and once a second, so that whoever comes late gets it too
 */
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <weir/weir.hpp>

#include "analysis.hpp"
#include "control.hpp"

namespace telemetry {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto vitals_every = 250ms;
constexpr auto recent_every = 1000ms;

/* Addresses by name, from the command line. */
using addresses = std::map<std::string, std::string>;

std::string with(const std::string &address, const char *option) {
    return address + (address.find('?') == std::string::npos ? '?' : '&') + option;
}

/* A writer that a slow or stopped reader never holds up. */
weir::writer publisher(const std::string &address) {
    return weir::writer(with(address, "full=drop-oldest"));
}

std::int64_t time_of(const weir::message_ref &message) {
    return message.time().time_since_epoch().count();
}

weir::document as_document(const alarm &a) {
    return weir::map{{"time", a.time}, {"source", a.source}, {"value", a.value},         {"unit", a.unit},
                     {"mean", a.mean}, {"z", a.z},           {"deviation", a.deviation}};
}

class program {
public:
    explicit program(const addresses &at)
        : host_(at.at("host")), jitter_(at.at("jitter")), spectrum_(publisher(at.at("spectrum"))),
          vitals_(publisher(at.at("vitals"))), alarms_(publisher(at.at("alarms"))), recent_(publisher(at.at("recent"))),
          control_(at.at("control")) {}

    /* Work until @stop becomes readable. */
    void run(int stop) {
        weir::wait_set waiting;
        waiting.add(host_);
        waiting.add(jitter_);
        waiting.add(control_);
        const std::size_t stopping = waiting.add(stop);
        while (true) {
            const bool is_ready = waiting.wait(std::max(std::min(vitals_at_, recent_at_) - clock::now(), clock::duration(0)));
            if (is_ready && waiting.is_ready(stopping))
                return;
            read_all();
            publish_due();
        }
    }

private:
    void read_all() {
        while (auto message = host_.next(0s))
            attempt("host", [&] { on_host(*message); });
        while (auto message = jitter_.next(0s))
            attempt("jitter", [&] { on_jitter(*message); });
        while (control_.serve_one([&](const weir::message_ref &request) { return answer(request, analysis_); }, 0s))
            vitals_at_ = clock::now(); /* the page sees the change at once */
    }

    /* Anybody may send on a sensor's channel. A message that is not what the sensor sends is told of and passed
     * over. */
    template <typename Action> static void attempt(const char *source, Action action) {
        try {
            action();
        } catch (const weir::type_error &e) {
            std::fprintf(stderr, "analyse: a message on %s was passed over: %s\n", source, e.what());
        } catch (const weir::not_found_error &e) {
            std::fprintf(stderr, "analyse: a message on %s was passed over: %s\n", source, e.what());
        }
    }

    void on_host(const weir::message_ref &message) {
        reading host{time_of(message), message["load"].as<double>(), message["memory.percent"].as<double>(),
                     std::nullopt};
        if (!message.data().find("pressure.cpu").is_null())
            host.pressure = message["pressure.cpu"].as<double>();
        if (!std::isfinite(host.load) || !std::isfinite(host.memory) || !std::isfinite(host.pressure.value_or(0)))
            throw weir::type_error("load, memory and pressure are finite numbers");
        analysis_.add_host(host, raised_);
        publish_alarms();
    }

    void on_jitter(const weir::message_ref &message) {
        const auto block = message.array<double>();
        if (!std::ranges::all_of(block, [](double late) { return std::isfinite(late); }))
            throw weir::type_error("the block holds what is no finite number");
        const bool is_torn = message.gap() > 0 || message.meta().get<bool>("torn", false);
        analysis_.add_jitter(time_of(message), message.meta()["rate"].as<double>(), block.span(), is_torn, raised_);
        publish_alarms();
        if (!analysis_.now.is_paused)
            publish_spectrum();
    }

    void publish_spectrum() {
        const std::span<const double> density = analysis_.spectrum();
        if (density.empty())
            return;
        spectrum_.send(density, {.op = "spectrum",
                                 .meta = weir::map{{"unit", "us^2/Hz"},
                                                   {"frequency", weir::map{{"start", 0.0},
                                                                           {"step", analysis_.frequency_step()},
                                                                           {"unit", "Hz"}}},
                                                   {"window", analysis_.now.window},
                                                   {"segments", analysis_.segments()}}});
    }

    void publish_alarms() {
        for (const alarm &a : raised_)
            alarms_.send(as_document(a), {.op = "alarm"});
        if (!raised_.empty())
            recent_at_ = clock::now();
        raised_.clear();
    }

    void publish_due() {
        const auto now = clock::now();
        if (now >= vitals_at_) {
            vitals_.send(vitals(), {.op = "vitals"});
            vitals_at_ = now + vitals_every;
        }
        if (now >= recent_at_) {
            recent_.send(recent(), {.op = "recent"});
            recent_at_ = now + recent_every;
        }
    }

    weir::document vitals() {
        weir::builder b;
        b.begin_map().key("settings").put(as_map(analysis_.now));
        if (const auto jitter = analysis_.jitter_summary())
            b.key("jitter").put(weir::map{{"time", analysis_.jitter_time()},
                                          {"unit", "us"},
                                          {"count", jitter->count},
                                          {"min", jitter->least},
                                          {"mean", jitter->mean},
                                          {"p99", jitter->p99},
                                          {"max", jitter->most},
                                          {"deviation", jitter->deviation}});
        if (const auto &host = analysis_.host()) {
            b.key("load").put(weir::map{{"time", host->time},
                                        {"unit", "%"},
                                        {"now", host->load},
                                        {"mean", analysis_.usual_load().mean},
                                        {"deviation", kernels::deviation(analysis_.usual_load())}});
            b.key("memory").put(weir::map{{"time", host->time}, {"unit", "%"}, {"now", host->memory}});
        }
        b.key("alarms").put(analysis_.alarm_count()).end();
        return std::move(b).take();
    }

    weir::document recent() {
        weir::builder b;
        b.begin_map().key("total").put(analysis_.alarm_count()).key("alarms").begin_array();
        for (const alarm &a : analysis_.recent())
            b.put(as_document(a));
        b.end().end();
        return std::move(b).take();
    }

    analysis analysis_;
    weir::reader host_, jitter_;
    weir::writer spectrum_, vitals_, alarms_, recent_;
    weir::server control_;
    std::vector<alarm> raised_;
    clock::time_point vitals_at_{}, recent_at_{};
};

/* The options, over the names the demo uses by default. Throws std::invalid_argument. */
addresses read_options(int argc, char **argv) {
    addresses at{{"host", "demo/host?keep=0"},         {"jitter", "demo/jitter?keep=0"}, {"spectrum", "demo/spectrum?keep=0"},
                 {"vitals", "demo/vitals?keep=0"},     {"alarms", "demo/alarms?keep=0"}, {"recent", "demo/recent?keep=0"},
                 {"control", "unix:///tmp/weir-demo-control.sock"}};
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (option.substr(0, 2) != "--" || !at.contains(option.substr(2)))
            throw std::invalid_argument("there is no option " + option +
                                        "; there are: --host --jitter --spectrum --vitals --alarms --recent --control");
        if (i + 1 == argc)
            throw std::invalid_argument(option + " needs an address");
        at[option.substr(2)] = argv[i + 1];
    }
    return at;
}

/* A descriptor that becomes readable at SIGTERM or SIGINT, so that everything is closed in order. */
int stop_signal() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        throw std::runtime_error("signalfd failed");
    return fd;
}

} // namespace

} // namespace telemetry

int main(int argc, char **argv) {
    try {
        const int stop = telemetry::stop_signal();
        telemetry::program(telemetry::read_options(argc, argv)).run(stop);
        kernels::telemetry_welch_free();
        close(stop);
        return 0;
    } catch (const std::exception &e) {
        std::fprintf(stderr, "analyse: %s\n", e.what());
        return 1;
    }
}
