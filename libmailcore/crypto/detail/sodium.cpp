#include "libmailcore/crypto/detail/sodium.h"

#include "libmailcore/base/assert.h"

#include <sodium/core.h>

namespace mailcore::crypto::detail {

void start_sodium() {
    static const bool started = sodium_init() >= 0;
    MAILCORE_ASSERT(started);
}

} // namespace mailcore::crypto::detail
