// IP addresses and networks as values.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::base {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are turned into IPv4 when parsed or made.
class IpAddress {
  public:
    enum class Family : std::uint8_t { V4, V6 };

    /// 0.0.0.0
    IpAddress() = default;
    [[nodiscard]] static IpAddress v4(std::array<std::uint8_t, 4> octets);
    [[nodiscard]] static IpAddress v6(std::array<std::uint8_t, 16> octets);
    /// "192.0.2.1" or "2001:db8::1", without brackets, port or scope; nothing for anything else.
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const { return family_; }
    [[nodiscard]] bool is_v4() const { return family_ == Family::V4; }
    [[nodiscard]] bool is_v6() const { return family_ == Family::V6; }
    /// 4 or 16 octets in network order; a view into this object.
    [[nodiscard]] std::string_view octets() const;
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_unspecified() const;

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    Family family_ = Family::V4;
    std::array<std::uint8_t, 16> octets_{};
};

/// An address prefix: "192.0.2.0/24", "2001:db8::/32", or one address.
class IpNetwork {
  public:
    [[nodiscard]] static std::optional<IpNetwork> parse(std::string_view text);
    [[nodiscard]] bool contains(const IpAddress& address) const;
    [[nodiscard]] std::string to_string() const;

  private:
    IpAddress address_;
    unsigned prefix_bits_ = 0;
};

} // namespace mailcore::base

namespace mailcore {
using base::IpAddress;
using base::IpNetwork;
} // namespace mailcore

template <>
struct std::hash<mailcore::base::IpAddress> {
    std::size_t operator()(const mailcore::base::IpAddress& address) const noexcept {
        return std::hash<std::string_view>{}(address.octets());
    }
};
