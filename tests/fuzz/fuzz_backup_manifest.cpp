// The manifest of a backup: never a path outside of the folder, and what is read is written again.
#include "libmailcore/backup/manifest.h"
#include "libmailcore/backup/past_time.h"
#include "libmailcore/base/assert.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace mailcore;

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {
        R"({"format": 1, "store": "a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7", "hostname": "mx.example.test",
"release": "0.1.0", "made": "2026-01-31T12:00:00Z", "position": 123456, "files": [
{"path": "store/journal/id", "name": "store/journal/id", "octets": 55, "gone": "2026-01-31T12:00:00Z",
"blake2b_256": "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c"}]})",
        "2026-01-31 12:00", "yesterday 12:00:30", "3 days ago", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto manifest = backup::parse_manifest(text);
    if (manifest) {
        for (const auto& file : manifest->files) {
            MAILCORE_ASSERT(!file.path.starts_with('/') && !file.name.starts_with('/'));
            MAILCORE_ASSERT(file.path.find("../") == std::string::npos);
        }
        const auto again = backup::parse_manifest(backup::encode(*manifest));
        MAILCORE_ASSERT(again && again->files.size() == manifest->files.size());
    }
    const auto now = base::wall_time(1'774'960'200);
    const auto at =
        backup::parse_past_time(text, now, [](WallTime) { return std::chrono::minutes{60}; });
    MAILCORE_ASSERT(!at || *at >= WallTime{});
    return 0;
}
