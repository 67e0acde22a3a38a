// PROXY headers: what is read is no longer than what is there.
#include "libmailcore/base/assert.h"
#include "libmailcore/net/proxy_header.h"

using namespace mailcore::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const auto header = parse_proxy_header(octets);
    if (!header) return 0;
    if (!*header) {
        MAILCORE_ASSERT(size < proxy_header_octets_max);
        return 0;
    }
    MAILCORE_ASSERT((*header)->octets <= size);
    const auto again = parse_proxy_header(octets.substr(0, (*header)->octets));
    MAILCORE_ASSERT(again && *again && **again == **header);
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/proxy_header",
                                        nullptr};
    return seeds;
}
