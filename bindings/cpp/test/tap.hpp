/* The smallest test harness that can fail: TEST(name) { ... CHECK(condition) ... } registers itself, and run_all prints
 * TAP.
 *
 * A failed CHECK or an exception ends its test, not the program. Every test starts with the shared-memory folder that
 * main made. */
#ifndef WEIR_TEST_TAP_HPP
#define WEIR_TEST_TAP_HPP

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace tap {

struct test {
    const char *name;
    void (*run)();
};

inline std::vector<test> &tests() {
    static std::vector<test> all;
    return all;
}

struct registration {
    registration(const char *name, void (*run)()) { tests().push_back({name, run}); }
};

inline void fail(const char *file, int line, const std::string &what) {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

/* The kind of exception that @action throws, caught and given to @look; none is a failure. */
template <typename Exception, typename Action, typename Look>
void expect_throw(const char *file, int line, const char *name, Action action, Look look) {
    try {
        action();
    } catch (const Exception &e) {
        look(e);
        return;
    }
    fail(file, line, std::string("nothing threw ") + name);
}

inline int run_all() {
    int number = 0, failures = 0;
    std::printf("1..%zu\n", tests().size());
    for (const test &t : tests()) {
        std::string problem;
        try {
            t.run();
        } catch (const std::exception &e) {
            problem = e.what();
            failures++;
        }
        std::printf("%sok %d - %s\n", problem.empty() ? "" : "not ", ++number, t.name);
        if (!problem.empty())
            std::printf("# %s\n", problem.c_str());
        std::fflush(stdout);
    }
    return failures ? 1 : 0;
}

} // namespace tap

#define TEST(name)                                                                                                     \
    static void name();                                                                                                \
    static const tap::registration name##_registration(#name, name);                                                   \
    static void name()
#define CHECK(condition) ((condition) ? void() : tap::fail(__FILE__, __LINE__, #condition))
#define CHECK_THROWS(exception, action, look)                                                                          \
    tap::expect_throw<exception>(                                                                                      \
        __FILE__, __LINE__, #exception, [&] { action; }, look)

/* An address nobody else has: shm://cpp/N, or a socket in the scratch folder. */
std::string shm_address();
std::string unix_address();
/* Calls of operator new so far. */
std::size_t allocations();

#endif
