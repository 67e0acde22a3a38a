// However a stream is cut, the same lines come out, and none is longer than allowed.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/line_reader.h"

#include <string>

using mailcore::codec::LineReader;

namespace {

std::string told(std::string_view input, std::size_t piece) {
    LineReader reader(64);
    std::string all;
    while (!input.empty()) {
        const auto step = reader.read(input.substr(0, piece));
        MAILCORE_ASSERT(step.taken > 0 && reader.memory() <= 256);
        if (step.outcome != LineReader::Outcome::NeedMore) {
            MAILCORE_ASSERT(reader.line().size() <= 62);
            all += static_cast<char>('0' + static_cast<int>(step.outcome));
            all += reader.line();
            all += '|';
        }
        input.remove_prefix(step.taken);
    }
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto whole = told(input, input.size() + 1);
    MAILCORE_ASSERT(whole == told(input, 1));
    MAILCORE_ASSERT(whole == told(input, 7));
    return 0;
}
