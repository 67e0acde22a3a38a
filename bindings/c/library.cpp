// The library itself: its version, its statuses, its memory.
#include "bindings/c/boundary.h"

#include "libmailcore/base/version.h"

using namespace mailcore;

extern "C" {

const char* mailcore_version(void) noexcept {
    return version().data(); // a literal
}

uint32_t mailcore_abi_version(void) noexcept { return MAILCORE_ABI_VERSION; }

mailcore_status mailcore_check_abi(uint32_t abi, char** why) noexcept {
    return c::guarded(why, [&]() -> Result<void> {
        if (abi == MAILCORE_ABI_VERSION) return {};
        return fail(ErrorKind::Rejected, "the program was built for ABI " + std::to_string(abi) +
                                             ", this library has " +
                                             std::to_string(MAILCORE_ABI_VERSION));
    });
}

const char* mailcore_status_name(mailcore_status status) noexcept {
    switch (status) {
    case MAILCORE_OK: return "ok";
    case MAILCORE_REJECTED: return "rejected";
    case MAILCORE_UNAVAILABLE: return "unavailable";
    case MAILCORE_NOT_FOUND: return "not found";
    case MAILCORE_CONFLICT: return "conflict";
    case MAILCORE_LIMIT_EXCEEDED: return "limit exceeded";
    case MAILCORE_CORRUPT: return "corrupt";
    case MAILCORE_NO_MEMORY: return "no memory";
    case MAILCORE_FAULT: return "fault";
    }
    return "unknown";
}

void mailcore_free(void* memory) noexcept { std::free(memory); }
}
