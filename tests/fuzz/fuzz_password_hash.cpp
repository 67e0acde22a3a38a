// PHC strings: what parses prints as it came, or nothing is kept of it.
#include "libmailcore/base/assert.h"
#include "libmailcore/crypto/password.h"

#include <cstdint>

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/password_hash",
                                        nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = mailcore::crypto::PasswordHash::parse(text);
    if (parsed && parsed->to_string() != text)
        fprintf(stderr, "%.*s\n%s\n", int(size), text.data(), parsed->to_string().c_str());
    if (parsed)
        MAILCORE_ASSERT(parsed->to_string() == text);
    else
        MAILCORE_ASSERT(parsed.error().offset <= size);
    return 0;
}
