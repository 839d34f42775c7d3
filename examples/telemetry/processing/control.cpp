/* Control calls: one function for each, in a table. */
#include "control.hpp"

#include <bit>
#include <cerrno>
#include <cmath>
#include <string>

namespace telemetry {

namespace {

[[noreturn]] void refuse(const std::string &sentence) {
    throw weir::refusal(EINVAL, sentence);
}

/* What was sent, as a person would write it. */
std::string shown(weir::value data) {
    if (!data)
        return "nothing";
    std::string text = weir::encode(data, weir::codec::json, weir::codec_flags::plain);
    return text.size() > 60 ? "a " + data.type() : text;
}

bool is_number(weir::value data) {
    switch (data.kind()) {
    case weir::kind::int64:
    case weir::kind::uint64:
    case weir::kind::float32:
    case weir::kind::float64:
        return true;
    default:
        return false;
    }
}

void set_window(weir::value data, settings &now) {
    const double wanted = is_number(data) ? data.as<double>() : 0;
    const bool is_inside = wanted >= static_cast<double>(window_min) && wanted <= static_cast<double>(window_max);
    const auto window = static_cast<std::size_t>(is_inside ? wanted : 0);
    if (static_cast<double>(window) != wanted || !std::has_single_bit(window))
        refuse("the window must be a power of two from " + std::to_string(window_min) + " to " + std::to_string(window_max) +
               ", not " + shown(data));
    now.window = window;
}

void set_threshold(weir::value data, settings &now) {
    const double wanted = is_number(data) ? data.as<double>() : 0;
    if (!std::isfinite(wanted) || wanted <= 0)
        refuse("the threshold must be a number of deviations above 0, not " + shown(data));
    now.threshold = wanted;
}

void pause(weir::value, settings &now) {
    now.is_paused = true;
}

void resume(weir::value, settings &now) {
    now.is_paused = false;
}

void status(weir::value, settings &) {}

struct operation {
    std::string_view name;
    void (*run)(weir::value data, settings &now);
};

constexpr operation operations[] = {
    {"set_window", set_window}, {"set_threshold", set_threshold}, {"pause", pause}, {"resume", resume},
    {"status", status},
};

} // namespace

weir::document as_map(const settings &now) {
    return weir::map{{"window", now.window}, {"threshold", now.threshold}, {"paused", now.is_paused}};
}

weir::document answer(const weir::message_ref &request, analysis &target) {
    std::string known;
    for (const operation &o : operations) {
        if (o.name == request.op()) {
            o.run(request.data(), target.now);
            return as_map(target.now);
        }
        known += (known.empty() ? "" : ", ") + std::string(o.name);
    }
    refuse("there is no operation \"" + std::string(request.op()) + "\" here; there are: " + known);
}

} // namespace telemetry
