// What rules may ask of the world outside the message.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::filter {

/// Asks the DNS for rules. One scheduler's thread.
class RuleNames {
  public:
    virtual ~RuleNames() = default;
    /// The records of `type` ("A", "MX", "TXT", "PTR" ...) as text, in order: an address, a name
    /// without its last dot, "10 mx.example" for MX, the joined strings of TXT. Empty: there are
    /// none. Rejected: not a name or not a type that is understood. Unavailable: the DNS could not
    /// say.
    virtual Task<Result<std::vector<std::string>>> lookup(std::string name, std::string type) = 0;
};

/// Counters and sets of rules, kept over restarts and shared by all loops. `name` is at most 64
/// octets of letters, digits, "-", "_" and "."; `key` at most `rule_key_octets_max` octets. One
/// scheduler's thread.
class RuleStore {
  public:
    virtual ~RuleStore() = default;
    /// Adds `by` to the counter and answers how much was added within `window` of now, this
    /// included (estimated: the last whole window counts by the share of it that is still within).
    /// `by` may be 0. Counters of one name and key with another window are other counters.
    virtual Task<Result<std::uint64_t>> count(std::string name, std::string key,
                                              std::chrono::seconds window, std::uint64_t by) = 0;
    virtual Task<Result<bool>> contains(std::string name, std::string key) = 0;
    /// Keeps `key` in the set for `lifetime` from now. Answers whether it was in it already.
    virtual Task<Result<bool>> insert(std::string name, std::string key,
                                      std::chrono::seconds lifetime) = 0;
    /// Answers whether it was in it.
    virtual Task<Result<bool>> erase(std::string name, std::string key) = 0;
};
inline constexpr std::size_t rule_key_octets_max = 256;

/// A count in a sliding window, as one row keeps it: how many in the window that runs, and how many
/// in the one before.
struct WindowCount {
    std::uint64_t window = 0; ///< seconds since 1970 divided by the window's length
    std::uint64_t now = 0;
    std::uint64_t before = 0;

    /// Adds `by` at `seconds` since 1970 and answers the estimate.
    std::uint64_t add(std::int64_t seconds, std::chrono::seconds length, std::uint64_t by);
};

} // namespace mailcore::filter
