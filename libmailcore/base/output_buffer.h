// Octets on their way out of an engine.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mailcore::base {

/// What an engine has said and the driver has not yet sent. Holds no memory while it is empty.
class OutputBuffer {
  public:
    OutputBuffer& operator+=(std::string_view octets) {
        octets_ += octets;
        return *this;
    }
    [[nodiscard]] bool empty() const { return sent_ == octets_.size(); }
    [[nodiscard]] std::size_t size() const { return octets_.size() - sent_; }
    /// To append to in place; what was appended earlier must not be changed.
    [[nodiscard]] std::string& tail() { return octets_; }

    /// One piece, or none. Valid until the next append or `sent`.
    [[nodiscard]] std::span<const std::string_view> pieces() const {
        piece_ = std::string_view(octets_).substr(sent_);
        return {&piece_, piece_.empty() ? std::size_t{0} : std::size_t{1}};
    }
    void sent(std::size_t octets);
    [[nodiscard]] std::size_t memory() const;

  private:
    std::string octets_;
    std::size_t sent_ = 0;
    mutable std::string_view piece_; // a view of octets_, made anew by each call of pieces()
};

} // namespace mailcore::base
