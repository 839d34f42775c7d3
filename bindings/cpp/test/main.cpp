/* Runs the tests of the C++ binding. Makes a scratch folder on /dev/shm of its own and takes it away again; counts
 * operator new, so that a test can see that a loop allocates nothing. */
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "tap.hpp"

static std::atomic<std::size_t> allocation_count;
static std::string scratch;

void *operator new(std::size_t size) {
    allocation_count++;
    if (void *memory = std::malloc(size ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept {
    std::free(memory);
}

void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}

std::size_t allocations() {
    return allocation_count;
}

static int address_count;

std::string shm_address() {
    return "shm://cpp/" + std::to_string(++address_count);
}

std::string unix_address() {
    return "unix://" + scratch + "/" + std::to_string(++address_count) + ".sock";
}

int main() {
    char folder[] = "/dev/shm/weir-cpp-test-XXXXXX";
    if (!mkdtemp(folder)) {
        std::perror(folder);
        return 1;
    }
    scratch = folder;
    setenv("WEIR_SHM_DIR", folder, 1);
    const int status = tap::run_all();
    std::filesystem::remove_all(scratch);
    return status;
}
