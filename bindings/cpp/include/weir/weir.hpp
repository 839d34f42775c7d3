/* weir for C++20: the whole library as move-only handles, views and exceptions, over the C library.
 *
 *     weir::writer w("lab/x");            w.send(samples, {.op = "spectrum"});
 *     weir::reader r("lab/x");            for (auto &m : r) use(m.array<double>());
 *     weir::client c("lab/calc");         c.call("double", 21, 1s).as<int>();
 *
 * Errors:    exceptions derived from weir::error. An error says what, who, and the way out.
 * Ownership: handles own, and close when they go. What a message_ref, value, view or span shows is borrowed.
 * Threads:   one object is used by one thread at a time; different objects freely.
 */
#ifndef WEIR_WEIR_HPP
#define WEIR_WEIR_HPP

#include <weir/array.hpp>
#include <weir/build.hpp>
#include <weir/call.hpp>
#include <weir/channel.hpp>
#include <weir/constants.hpp>
#include <weir/error.hpp>
#include <weir/message.hpp>
#include <weir/raw.hpp>
#include <weir/value.hpp>

#endif
