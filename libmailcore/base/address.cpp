#include "libmailcore/base/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace mailcore::base {

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> octets) {
    IpAddress address;
    std::copy(octets.begin(), octets.end(), address.octets_.begin());
    return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> octets) {
    static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), octets.begin()))
        return v4({octets[12], octets[13], octets[14], octets[15]});
    IpAddress address;
    address.family_ = Family::V6;
    address.octets_ = octets;
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof buffer || text.contains('\0')) return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    std::array<std::uint8_t, 16> octets{};
    if (text.contains(':')) {
        if (::inet_pton(AF_INET6, buffer, octets.data()) != 1) return std::nullopt;
        return v6(octets);
    }
    if (::inet_pton(AF_INET, buffer, octets.data()) != 1) return std::nullopt;
    return v4({octets[0], octets[1], octets[2], octets[3]});
}

std::string_view IpAddress::octets() const {
    return {reinterpret_cast<const char*>(octets_.data()), is_v4() ? 4u : 16u};
}

std::string IpAddress::to_string() const {
    char buffer[INET6_ADDRSTRLEN];
    const char* text =
        ::inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), buffer, sizeof buffer);
    return text ? text : "";
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return octets_[0] == 127;
    return std::all_of(octets_.begin(), octets_.end() - 1, [](auto o) { return o == 0; }) &&
           octets_[15] == 1;
}

bool IpAddress::is_unspecified() const {
    return std::all_of(octets_.begin(), octets_.end(), [](auto o) { return o == 0; });
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    IpNetwork network;
    network.address_ = *address;
    network.prefix_bits_ = static_cast<unsigned>(address->octets().size()) * 8;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        unsigned bits = 0;
        const auto end = digits.data() + digits.size();
        const auto [rest, error] = std::from_chars(digits.data(), end, bits);
        if (error != std::errc{} || rest != end || bits > network.prefix_bits_) return std::nullopt;
        network.prefix_bits_ = bits;
    }
    return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
    if (address.family() != address_.family()) return false;
    const auto mine = address_.octets();
    const auto theirs = address.octets();
    const auto whole = prefix_bits_ / 8;
    if (mine.substr(0, whole) != theirs.substr(0, whole)) return false;
    const auto left = prefix_bits_ % 8;
    if (left == 0) return true;
    const auto difference =
        static_cast<unsigned char>(mine[whole]) ^ static_cast<unsigned char>(theirs[whole]);
    return (difference >> (8 - left)) == 0;
}

std::string IpNetwork::to_string() const {
    return address_.to_string() + "/" + std::to_string(prefix_bits_);
}

} // namespace mailcore::base
