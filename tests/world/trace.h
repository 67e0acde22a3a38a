// What happened in a world, as one number that two runs of a seed have in common, and as text.
#pragma once

#include "libmailcore/base/clock.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::world {

class Trace {
  public:
    /// Aloud: each line goes to stderr as well (MAILCORE_WORLD_TRACE in the environment).
    Trace();
    void note(Instant at, std::string_view who, std::string_view what);
    [[nodiscard]] std::uint32_t hash() const { return hash_; }
    [[nodiscard]] bool aloud() const { return aloud_; }

  private:
    std::uint32_t hash_ = 0;
    bool aloud_ = false;
};

} // namespace mailcore::world
