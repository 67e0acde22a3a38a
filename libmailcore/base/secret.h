// Octets that must not be printed and do not outlive their use.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace mailcore::base {

/// A password, key or SASL message: has no formatter, is wiped when destroyed or moved from.
class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string octets) : octets_(std::move(octets)) {}
    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept : octets_(std::move(other.octets_)) { other.wipe(); }
    Secret& operator=(const Secret& other);
    Secret& operator=(Secret&& other) noexcept;
    ~Secret() { wipe(); }

    /// The octets themselves; the name makes each use findable. Valid until the next change.
    [[nodiscard]] std::string_view reveal() const { return octets_; }
    [[nodiscard]] bool empty() const { return octets_.empty(); }
    [[nodiscard]] std::size_t size() const { return octets_.size(); }
    void wipe() noexcept;

  private:
    std::string octets_;
};

} // namespace mailcore::base

namespace mailcore {
using base::Secret;
} // namespace mailcore
