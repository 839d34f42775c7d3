// Answers "double" until Ctrl-C; for anything else the client gets the sentence of the exception.
#include <weir/weir.hpp>

int main() {
    weir::server server("lab/calculator");
    server.serve([](const weir::message_ref &request) {
        if (request.op() != "double")
            throw weir::refusal(42, "no operation " + std::string(request.op()) + " here");
        return 2 * request.as<double>();
    });
}
