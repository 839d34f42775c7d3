#!/bin/sh
# Every header of the C++ binding compiles alone, and pedantically, with the build's compiler and with clang++.
#     headers_test.sh [BUILD-COMPILER]
source=$(cd "$(dirname "$0")/../../.." && pwd)
number=0

# report NAME: compile one header as the only thing a program includes; $compiler is the compiler.
report() {
    number=$((number + 1))
    if problem=$(echo "#include <weir/$1>" |
            "$compiler" -x c++ -std=c++20 -Wall -Wextra -Werror -pedantic -fsyntax-only -I "$source/include" \
            -I "$source/bindings/cpp/include" - 2>&1); then
        echo "ok $number - $1 with $(basename "$compiler")"
    else
        echo "not ok $number - $1 with $(basename "$compiler")"
        echo "$problem" | sed 's/^/# /'
    fi
}

clang=$(command -v clang++-14 || command -v clang++ || true)
for compiler in "${1:-c++}" ${clang:+"$clang"}; do
    for header in "$source"/bindings/cpp/include/weir/*.hpp; do
        report "$(basename "$header")"
    done
done
if [ -z "$clang" ]; then
    number=$((number + 1))
    echo "ok $number - all headers with clang++ # SKIP neither clang++-14 nor clang++ is installed"
fi
echo "1..$number"
