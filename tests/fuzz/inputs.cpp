#include "tests/fuzz/inputs.h"

#include <cstdio>
#include <dirent.h>
#include <sys/stat.h>

/// A target may name the files or folders (below the project or beside it) that it starts from.
extern "C" __attribute__((weak)) const char* const* fuzz_seeds();

namespace mailcore::fuzz {

namespace {

std::string read(const std::string& path) {
    std::string content;
    if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
        char buffer[65536];
        for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
            content.append(buffer, got);
        std::fclose(file);
    }
    return content;
}

} // namespace

void collect(const std::string& path, std::vector<std::string>& inputs) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return;
    if (!S_ISDIR(status.st_mode)) {
        inputs.push_back(read(path));
        return;
    }
    if (DIR* folder = ::opendir(path.c_str())) {
        while (const auto* entry = ::readdir(folder))
            if (entry->d_name[0] != '.') collect(path + "/" + entry->d_name, inputs);
        ::closedir(folder);
    }
}

std::vector<std::string> seeds() {
    std::vector<std::string> inputs;
    if (fuzz_seeds)
        for (const auto* seed = fuzz_seeds(); *seed; ++seed) collect(*seed, inputs);
    return inputs;
}

} // namespace mailcore::fuzz
