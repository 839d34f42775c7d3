// Prints the type and the greatest number of every spectrum, until Ctrl-C.
#include <iostream>

#include <weir/weir.hpp>

int main() {
    weir::reader spectrum("lab/spectrum");
    for (auto &message : spectrum) {
        auto numbers = message.array<double>(); // a view of the channel itself: nothing is copied
        std::cout << message.seq() << ' ' << message.type() << ' ' << std::ranges::max(numbers) << std::endl;
    }
}
