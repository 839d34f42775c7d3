// Sends a spectrum, 4 channels of 256 numbers, ten times a second until Ctrl-C.
#include <cmath>
#include <thread>

#include <weir/weir.hpp>

int main() {
    weir::writer spectrum("lab/spectrum");
    for (int t = 0;; t++) {
        auto numbers = spectrum.reserve<double>({4, 256}, {.op = "spectrum"}); // in the channel itself
        for (int i = 0; i < 4 * 256; i++)
            numbers(i / 256, i % 256) = t * std::sin(0.01 * i);
        numbers.commit();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}
