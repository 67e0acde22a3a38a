// Runs a fuzz target without libFuzzer: on the files given, or (--smoke [mutations [seed]]) on its
// seeds and so many mutations of them, which the seed decides: every run does the same. What is run
// is left in the file that MAILCORE_FUZZ_INPUT names, so that what broke the property is found
// there.
#include "libmailcore/base/random.h"
#include "libmailcore/codec/number.h"
#include "tests/fuzz/inputs.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
    if (const char* path = std::getenv("MAILCORE_FUZZ_INPUT"))
        if (std::FILE* file = std::fopen(path, "wb")) {
            std::fwrite(input.data(), 1, input.size(), file);
            std::fclose(file);
        }
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string input, const std::vector<std::string>& inputs,
                    mailcore::base::Random& random) {
    static constexpr std::string_view spice[] = {
        "\r\n", "\n", "\r", "\0", " ",  "(",    ")",    "{10}\r\n",   "\"", "\\", "<", ">",
        "=?",   "?=", ":",  ";",  "--", "\xff", "\x80", "4294967296", "-1", "*",  "%"};
    for (auto changes = 1 + random.below(6); changes > 0; --changes) {
        const auto at = input.empty() ? 0 : random.below(input.size() + 1);
        switch (random.below(6)) {
        case 0:
            if (at < input.size()) input[at] = static_cast<char>(random.below(256));
            break;
        case 1: input.erase(at, random.below(32)); break;
        case 2: input.insert(at, spice[random.below(std::size(spice))]); break;
        case 3: input.resize(at); break;
        case 4:
            input.insert(at, input.substr(random.below(input.size() + 1), random.below(64)));
            break;
        case 5: {
            const auto& other = inputs[random.below(inputs.size())];
            input.insert(at, other.substr(random.below(other.size() + 1), random.below(256)));
            break;
        }
        }
        if (input.size() > 65536) input.resize(65536);
    }
    return input;
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--smoke") != 0) {
        std::vector<std::string> inputs;
        for (int i = 1; i < argc; ++i) mailcore::fuzz::collect(argv[i], inputs);
        for (const auto& input : inputs) run(input);
        std::printf("%zu inputs\n", inputs.size());
        return inputs.empty() ? 1 : 0;
    }
    auto inputs = mailcore::fuzz::seeds();
    if (inputs.empty()) inputs.emplace_back("");
    for (const auto& input : inputs) run(input);
    const auto number = [&](int at, std::uint64_t otherwise) {
        const auto given = argc > at ? mailcore::codec::parse_u64(argv[at]) : std::nullopt;
        return given.value_or(otherwise);
    };
    const auto mutations = number(2, 3000);
    mailcore::base::SeededRandom random(number(3, 20240607));
    for (std::uint64_t i = 0; i < mutations; ++i)
        run(mutated(inputs[random.below(inputs.size())], inputs, random));
    std::printf("%zu seeds, %llu mutations\n", inputs.size(),
                static_cast<unsigned long long>(mutations));
    return 0;
}
