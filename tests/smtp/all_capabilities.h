// A host that offers everything there is.
#pragma once

#include "libmailcore/smtp/capabilities.h"

namespace mailcore::test {

/// `size_max`: as SIZE says it; 0: without a limit.
inline smtp::Capabilities all_capabilities(std::uint64_t size_max) {
    smtp::Capabilities all;
    all.eight_bit_mime = all.smtp_utf8 = all.dsn = all.chunking = all.binary_mime = all.auth = true;
    all.require_tls = all.mt_priority = true;
    all.size = size_max;
    all.future_release = smtp::FutureRelease{};
    return all;
}

} // namespace mailcore::test
