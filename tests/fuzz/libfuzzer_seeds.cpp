// libFuzzer knows corpus folders only: with MAILCORE_FUZZ_SEEDS=FOLDER in the environment a target
// writes its seeds there, a file each, and ends.
#include "tests/fuzz/inputs.h"

#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    const char* const folder = std::getenv("MAILCORE_FUZZ_SEEDS");
    if (!folder) return 0;
    std::size_t number = 0;
    for (const auto& seed : mailcore::fuzz::seeds()) {
        const auto path = std::string(folder) + "/seed-" + std::to_string(++number);
        std::FILE* const file = std::fopen(path.c_str(), "wb");
        if (!file || std::fwrite(seed.data(), 1, seed.size(), file) != seed.size() ||
            std::fclose(file) != 0) {
            std::perror(path.c_str());
            std::exit(1);
        }
    }
    std::exit(0);
}
