// Certificates from PEM or DER: anything may come, nothing may be read that is not there.
#include "libmailcore/base/assert.h"
#include "libmailcore/crypto/certificate.h"

#include <cstdint>

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/certificate",
                                        nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto read = mailcore::crypto::read_certificates(text)) {
        MAILCORE_ASSERT(!read->empty());
        for (const auto& each : *read) {
            MAILCORE_ASSERT(!each.der.empty() && each.not_before < mailcore::WallTime::max());
            for (const auto& name : each.host_names) static_cast<void>(each.covers(name));
        }
    }
    return 0;
}
