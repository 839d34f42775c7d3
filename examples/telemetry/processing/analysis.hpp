/* The computation behind the page, without its input and output: what arrives goes in as samples and readings, what is
 * to be published comes out as plain structs. One thread; no clock of its own, so that equal input gives equal
 * output. */
#ifndef TELEMETRY_ANALYSIS_HPP
#define TELEMETRY_ANALYSIS_HPP

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace telemetry {

constexpr std::size_t window_min = 64, window_max = 4096;
constexpr std::size_t samples_max = 2 * window_max; /* what spectrum and jitter statistics look back on */
constexpr std::size_t recent_max = 20;              /* alarms remembered */

/* What the control calls change. */
struct settings {
    std::size_t window = 1024; /* samples in one segment of the spectrum */
    double threshold = 12;     /* an alarm is further than so many deviations from the mean */
    bool is_paused = false;    /* spectrum and alarms stand still */
};

/* A value far from what is usual for its source. */
struct alarm {
    std::int64_t time; /* ns since the epoch: the sensor's message */
    std::string source;
    std::string unit;
    double value, mean, deviation, z;
};

/* One signal's idea of what is usual, and its alarms. After an alarm it keeps quiet for a while: one event, one
 * alarm. */
class watch {
public:
    /* @memory: values after which the past has faded. @least: the smallest deviation to believe in. */
    watch(std::string source, std::string unit, double memory, double least);
    /* Judge values against what came before, then learn from them. */
    std::optional<alarm> look(std::int64_t time, std::span<const double> values, double threshold);
    const kernels::welford &usual() const { return stats_; }

private:
    std::string source_, unit_;
    double least_;
    kernels::welford stats_;
    double seen_ = 0;
    std::int64_t quiet_until_ = 0;
};

struct summary {
    std::size_t count;
    double least, mean, p99, most, deviation;
};

/* What a host reading is judged by; the rest of it is only shown. */
struct reading {
    std::int64_t time;
    double load, memory; /* percent */
    std::optional<double> pressure; /* percent of time that something waited for a processor */
};

class analysis {
public:
    analysis();

    /* A block of the jitter signal. @is_torn: samples before it are missing. Alarms go to @raised. */
    void add_jitter(std::int64_t time, double rate, std::span<const double> block, bool is_torn, std::vector<alarm> &raised);
    void add_host(const reading &host, std::vector<alarm> &raised);

    /* The density of the last samples, one value for each of window / 2 + 1 frequencies. Empty while there are too few.
     * Valid until the next call. */
    std::span<const double> spectrum();
    std::size_t segments() const { return segments_; }
    double frequency_step() const { return rate_ / static_cast<double>(now.window); }
    double rate() const { return rate_; }

    std::optional<summary> jitter_summary();
    std::int64_t jitter_time() const { return jitter_time_; }
    const std::optional<reading> &host() const { return host_; }
    const kernels::welford &usual_load() const { return load_.usual(); }

    /* The last alarms, newest first, and how many there have been. */
    const std::deque<alarm> &recent() const { return recent_; }
    std::uint64_t alarm_count() const { return alarm_count_; }

    settings now;

private:
    void judge(watch &signal, std::int64_t time, std::span<const double> values, std::vector<alarm> &raised);

    std::vector<double> samples_; /* newest last, at most samples_max */
    std::vector<double> density_, sorted_;
    std::size_t segments_ = 0;
    double rate_ = 0;
    std::int64_t jitter_time_ = 0;
    std::optional<reading> host_;
    watch jitter_, load_, memory_, pressure_;
    std::deque<alarm> recent_;
    std::uint64_t alarm_count_ = 0;
};

} // namespace telemetry

#endif
