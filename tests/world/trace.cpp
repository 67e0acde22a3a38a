#include "tests/world/trace.h"

#include "libmailcore/codec/crc32c.h"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>

namespace mailcore::world {

Trace::Trace() : aloud_(std::getenv("MAILCORE_WORLD_TRACE") != nullptr) {}

void Trace::note(Instant at, std::string_view who, std::string_view what) {
    const auto time = at.time_since_epoch().count();
    hash_ = codec::crc32c({reinterpret_cast<const char*>(&time), sizeof(time)}, hash_);
    hash_ = codec::crc32c(what, codec::crc32c(who, hash_));
    if (!aloud_) return;
    std::string shown;
    for (const auto c : what.substr(0, 400))
        shown += c == '\n' ? std::string("\n    ") : c == '\r' ? std::string() : std::string(1, c);
    fmt::print(stderr, "{:14.6f} {} {}\n", static_cast<double>(time) / 1e9, who, shown);
}

} // namespace mailcore::world
