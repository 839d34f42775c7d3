// Asks the calculator, which may be written in any language: call [OP [NUMBER]].
#include <iostream>

#include <weir/weir.hpp>

using namespace std::chrono_literals;

int main(int count, char **words) try {
    weir::client calculator("lab/calculator");
    const double number = count > 2 ? std::stod(words[2]) : 21;
    std::cout << calculator.call(count > 1 ? words[1] : "double", number, 5s).as<double>() << '\n';
} catch (const weir::remote_error &refused) {
    std::cerr << "error " << refused.server_code() << ": " << refused.what() << '\n';
    return 1;
}
