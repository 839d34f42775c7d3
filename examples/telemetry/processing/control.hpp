/* Control calls: what they are, what they accept, and how a wrong one is refused. */
#ifndef TELEMETRY_CONTROL_HPP
#define TELEMETRY_CONTROL_HPP

#include <weir/weir.hpp>

#include "analysis.hpp"

namespace telemetry {

/* {"window": 1024, "threshold": 12, "paused": false} */
weir::document as_map(const settings &now);

/* Carry out one request:
 *   set_window N        a power of two from 64 to 4096
 *   set_threshold Z     above 0
 *   pause, resume, status
 * Returns the settings that hold now. Throws weir::refusal with a sentence for the person who asked; nothing has
 * changed then. */
weir::document answer(const weir::message_ref &request, analysis &target);

} // namespace telemetry

#endif
