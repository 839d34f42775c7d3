/* Errors as exceptions, and the small types that calls of the library take: texts and timeouts.
 *
 * Every failure of the library is thrown as weir::error or, by its code, as one of the classes derived from it; what()
 * is the library's own sentence. Outcomes that a caller meets in ordinary operation (nothing came in time) are return
 * values instead, and each call says so. */
#ifndef WEIR_ERROR_HPP
#define WEIR_ERROR_HPP

#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/constants.hpp>
#include <weir/weir.h>

namespace weir {

class error : public std::runtime_error {
public:
    explicit error(const weir_error &e)
        : std::runtime_error(e.text), code_(e.code), sys_errno_(e.sys_errno), offset_(e.offset) {}
    error(err code, const std::string &sentence) : std::runtime_error(sentence), code_(static_cast<int>(code)) {}

    err code() const noexcept { return static_cast<err>(code_); }
    /* "WEIR_ETIMEOUT" */
    const char *name() const noexcept { return weir_err_name(code_); }
    /* errno of the system call behind it, or 0. */
    int sys_errno() const noexcept { return sys_errno_; }
    /* Bytes into the input, of a parse_error. */
    std::uint64_t offset() const noexcept { return offset_; }

private:
    int code_;
    int sys_errno_ = 0;
    std::uint64_t offset_ = 0;
};

template <err Code> class error_of : public error {
public:
    explicit error_of(const weir_error &e) : error(e) {}
    explicit error_of(const std::string &sentence) : error(Code, sentence) {}
};

/* The server answered with an error: what() is its sentence, server_code() its number. */
class remote_error : public error_of<err::remote> {
public:
    explicit remote_error(const weir_error &e) : error_of(e) {}
    int server_code() const noexcept { return sys_errno(); }
};

using again_error = error_of<err::again>;
using timeout_error = error_of<err::timeout>;
using closed_error = error_of<err::closed>;
using too_big_error = error_of<err::toobig>;
using not_found_error = error_of<err::noent>;
using type_error = error_of<err::type>;
using peer_error = error_of<err::peer>;
using busy_error = error_of<err::busy>;
using invalid_error = error_of<err::inval>;
using address_error = error_of<err::address>;
using access_error = error_of<err::access>;
using parse_error = error_of<err::parse>;
using encode_error = error_of<err::encode>;
using limit_error = error_of<err::limit>;
using memory_error = error_of<err::nomem>;
using space_error = error_of<err::nospc>;
using system_error = error_of<err::system>;
using corrupt_error = error_of<err::corrupt>;
using version_error = error_of<err::version>;
using unsupported_error = error_of<err::notsup>;
using forked_error = error_of<err::forked>;
using fenced_error = error_of<err::fenced>;

namespace detail {

[[noreturn]] inline void raise(const weir_error &e) {
    switch (static_cast<err>(e.code)) {
    case err::again: throw again_error(e);
    case err::timeout: throw timeout_error(e);
    case err::closed: throw closed_error(e);
    case err::toobig: throw too_big_error(e);
    case err::noent: throw not_found_error(e);
    case err::type: throw type_error(e);
    case err::remote: throw remote_error(e);
    case err::peer: throw peer_error(e);
    case err::busy: throw busy_error(e);
    case err::inval: throw invalid_error(e);
    case err::address: throw address_error(e);
    case err::access: throw access_error(e);
    case err::parse: throw parse_error(e);
    case err::encode: throw encode_error(e);
    case err::limit: throw limit_error(e);
    case err::nomem: throw memory_error(e);
    case err::nospc: throw space_error(e);
    case err::system: throw system_error(e);
    case err::corrupt: throw corrupt_error(e);
    case err::version: throw version_error(e);
    case err::notsup: throw unsupported_error(e);
    case err::forked: throw forked_error(e);
    case err::fenced: throw fenced_error(e);
    case err::ok: break;
    }
    throw error(e); /* a code that a newer library knows */
}

inline void check(int status, const weir_error &e) {
    if (status != WEIR_OK) [[unlikely]]
        raise(e);
}

/* For the calls that fill no weir_error. */
inline void check(int status) {
    if (status == WEIR_OK) [[likely]]
        return;
    weir_error e{};
    e.code = status;
    std::strncpy(e.text, weir_err_text(status), sizeof(e.text) - 1);
    raise(e);
}

inline std::string_view text_of(weir_view view) noexcept {
    return view.size ? std::string_view(view.data, view.size) : std::string_view();
}

} // namespace detail

/* A text argument: an address, an op, a path. The library wants a NUL behind it; a string_view of up to 255 bytes is
 * copied to the stack to get one, so that nothing is allocated for an op. */
class text_arg {
public:
    text_arg() noexcept : text_(nullptr) {}
    text_arg(const char *text) noexcept : text_(text) {}
    text_arg(const std::string &text) noexcept : text_(text.c_str()) {}
    text_arg(std::string_view text) : text_(small_) {
        if (text.size() < sizeof(small_)) {
            text.copy(small_, text.size());
            small_[text.size()] = 0;
        } else {
            large_ = text;
            text_ = large_.c_str();
        }
    }
    text_arg(const text_arg &) = delete;
    text_arg &operator=(const text_arg &) = delete;

    /* NULL for no text. */
    const char *c_str() const noexcept { return text_; }
    std::string_view view() const noexcept { return text_ ? std::string_view(text_) : std::string_view(); }

private:
    const char *text_;
    std::string large_;
    char small_[WEIR_OP_MAX + 1];
};

/* How long to wait: any std::chrono duration (below zero counts as zero, beyond 290 years as no end), or
 * weir::forever. */
class timeout {
public:
    template <typename Rep, typename Period>
    constexpr timeout(std::chrono::duration<Rep, Period> wait) noexcept : ns_(from(wait)) {}
    static constexpr timeout without_end() noexcept { return timeout(WEIR_FOREVER, 0); }

    constexpr std::int64_t ns() const noexcept { return ns_; }
    constexpr bool is_forever() const noexcept { return ns_ < 0; }

private:
    constexpr timeout(std::int64_t ns, int) noexcept : ns_(ns) {}

    template <typename Duration> static constexpr std::int64_t from(Duration wait) noexcept {
        std::chrono::duration<double> seconds = wait;
        if (!(seconds.count() > 0))
            return 0;
        if (seconds.count() > 9.2e9)
            return WEIR_FOREVER;
        return std::chrono::ceil<std::chrono::nanoseconds>(wait).count();
    }

    std::int64_t ns_;
};
inline constexpr timeout forever = timeout::without_end();

/* Nanoseconds since 1970-01-01T00:00:00Z, of the system's clock. */
using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/* The version of the library that is running. */
inline std::string_view version() noexcept {
    return weir_version();
}

} // namespace weir

#endif
