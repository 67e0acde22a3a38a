// Envelope paths: no input makes them assert, and what was read is written so that it is read the
// same.
#include "libmailcore/base/assert.h"
#include "libmailcore/smtp/path.h"

#include <cstdint>

using namespace mailcore::smtp;

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/smtp_path", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    MAILCORE_ASSERT(path_end(text) <= size);
    for (const auto utf8 : {Utf8::Forbidden, Utf8::Allowed}) {
        const auto path = parse_path(text, utf8);
        if (!path) {
            MAILCORE_ASSERT(path.error().offset <= size && !path.error().expected.empty());
            continue;
        }
        const auto written = to_string(*path);
        MAILCORE_ASSERT(!written.empty() && written.size() <= 2 * size + 2);
        MAILCORE_ASSERT(path_end(written) == written.size());
        MAILCORE_ASSERT(written.find_first_of("\r\n") == std::string::npos);
        MAILCORE_ASSERT(utf8 == Utf8::Allowed || !path->needs_utf8());
        // Quoting that the writer needs and the reader did not see may make it too long.
        const auto again = parse_path(written, utf8);
        if (written.size() <= path_octets_max) MAILCORE_ASSERT(again && *again == *path);
    }
    if (const auto mailbox = parse_mailbox(text, Utf8::Allowed)) {
        const auto again = parse_mailbox(to_string(*mailbox), Utf8::Allowed);
        MAILCORE_ASSERT(again && *again == *mailbox);
    }
    return 0;
}
