/* The computation: what is usual, what is not, and the spectrum. The arithmetic itself is in kernels.f90. */
#include "analysis.hpp"

#include <algorithm>
#include <utility>

namespace telemetry {

namespace {

constexpr double learning = 100;                        /* values before the first judgement */
constexpr std::int64_t quiet_ns = 2'000'000'000;        /* after an alarm */
constexpr double jitter_memory = 30'000;                /* 30 s at 1 kHz */
constexpr double host_memory = 600;                     /* 60 s at 10 Hz */

} // namespace

watch::watch(std::string source, std::string unit, double memory, double least)
    : source_(std::move(source)), unit_(std::move(unit)), least_(least), stats_{.memory = memory} {}

std::optional<alarm> watch::look(std::int64_t time, std::span<const double> values, double threshold) {
    std::optional<alarm> raised;
    const kernels::unusual found = kernels::worst(stats_, least_, threshold, values);
    if (found.beyond > 0 && seen_ >= learning && time >= quiet_until_) {
        raised = alarm{time,        source_,     unit_, values[found.worst],
                       stats_.mean, std::max(kernels::deviation(stats_), least_), found.z};
        quiet_until_ = time + quiet_ns;
    }
    kernels::add(stats_, values);
    seen_ += static_cast<double>(values.size());
    return raised;
}

analysis::analysis()
    : jitter_("jitter", "us", jitter_memory, 5), load_("load", "%", host_memory, 4),
      memory_("memory", "%", host_memory, 0.5), pressure_("pressure", "%", host_memory, 2) {}

void analysis::judge(watch &signal, std::int64_t time, std::span<const double> values, std::vector<alarm> &raised) {
    std::optional<alarm> found = signal.look(time, values, now.threshold);
    if (!found || now.is_paused)
        return;
    alarm_count_++;
    recent_.push_front(*found);
    if (recent_.size() > recent_max)
        recent_.pop_back();
    raised.push_back(std::move(*found));
}

void analysis::add_jitter(std::int64_t time, double rate, std::span<const double> block, bool is_torn,
                          std::vector<alarm> &raised) {
    if (is_torn || rate != rate_)
        samples_.clear(); /* a spectrum across a tear would show the tear */
    rate_ = rate;
    jitter_time_ = time;
    samples_.insert(samples_.end(), block.begin(), block.end());
    if (samples_.size() > samples_max)
        samples_.erase(samples_.begin(), samples_.end() - samples_max);
    judge(jitter_, time, block, raised);
}

void analysis::add_host(const reading &host, std::vector<alarm> &raised) {
    host_ = host;
    judge(load_, host.time, std::span(&host.load, 1), raised);
    judge(memory_, host.time, std::span(&host.memory, 1), raised);
    if (host.pressure)
        judge(pressure_, host.time, std::span(&*host.pressure, 1), raised);
}

std::span<const double> analysis::spectrum() {
    density_.resize(now.window / 2 + 1);
    segments_ = kernels::welch(samples_, now.window, rate_, density_);
    return segments_ > 0 ? std::span<const double>(density_) : std::span<const double>();
}

std::optional<summary> analysis::jitter_summary() {
    if (samples_.empty())
        return std::nullopt;
    kernels::welford stats{.memory = 0};
    kernels::add(stats, samples_);
    sorted_ = samples_;
    const double p99 = kernels::quantile(sorted_, 0.99);
    const auto [least, most] = std::ranges::minmax(samples_);
    return summary{samples_.size(), least, stats.mean, p99, most, kernels::deviation(stats)};
}

} // namespace telemetry
