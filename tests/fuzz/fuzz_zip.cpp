// Any octets as a zip archive: entries lie inside it, and unpacking keeps its limit.
#include "libmailcore/base/assert.h"
#include "libmailcore/filter/zip_archive.h"

using namespace mailcore;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const auto entries = filter::read_zip(octets);
    if (!entries) return 0;
    MAILCORE_ASSERT(entries->size() <= filter::zip_entries_max);
    for (const auto& entry : *entries) {
        constexpr std::size_t octets_max = 100'000;
        const auto content = filter::unpack(octets, entry, octets_max);
        if (content) MAILCORE_ASSERT(content->size() <= octets_max);
    }
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/zip", nullptr};
    return seeds;
}
