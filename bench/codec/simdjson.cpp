/* simdjson's DOM: one parser used again; the input has the padding it wants, so it copies nothing; the kernel is the
 * best one for this processor, chosen by itself. Writing is simdjson::minify, which makes a new string each time;
 * there is no other public way. */
#include <cstdlib>
#include <new>
#include <string>

#include <simdjson.h>

#include "codec.h"

/* What code of a newer compiler calls so that the standard streams are there; an older libstdc++ does without. */
extern "C" __attribute__((weak)) void _ZSt21ios_base_library_initv(void) {
}

namespace {

struct state {
    const bench_bytes *bytes;
    simdjson::dom::parser parser;
    simdjson::dom::parser kept_parser;
    simdjson::dom::element kept;
    std::string text;
};

void *state_open(const bench_input *input) {
    state *opened = new (std::nothrow) state;
    if (!opened)
        return nullptr;
    opened->bytes = &input->bytes[BENCH_JSON];
    static_assert(int(simdjson::SIMDJSON_PADDING) <= int(BENCH_PADDING), "padding");
    auto result = opened->kept_parser.parse(opened->bytes->data, opened->bytes->size, false);
    if (result.get(opened->kept) == simdjson::SUCCESS)
        return opened;
    delete opened;
    return nullptr;
}

void state_close(void *pointer) {
    delete static_cast<state *>(pointer);
}

size_t decode(void *pointer) {
    state *opened = static_cast<state *>(pointer);
    simdjson::dom::element root;
    if (opened->parser.parse(opened->bytes->data, opened->bytes->size, false).get(root) != simdjson::SUCCESS)
        return 0;
    return opened->bytes->size;
}

size_t encode(void *pointer) {
    state *opened = static_cast<state *>(pointer);
    opened->text = simdjson::minify(opened->kept);
    return opened->text.size();
}

const void *output(void *pointer, size_t *ret_size) {
    state *opened = static_cast<state *>(pointer);
    *ret_size = opened->text.size();
    return opened->text.data();
}

const char *version() {
    static const std::string text =
        std::string(SIMDJSON_VERSION) + " (" + simdjson::get_active_implementation()->name() + ")";
    return text.c_str();
}

} // namespace

extern "C" const bench_peer bench_peers[] = {
    {"simdjson", "DOM", BENCH_JSON, version, state_open, state_close, {decode, nullptr, encode}, output},
    {},
};
