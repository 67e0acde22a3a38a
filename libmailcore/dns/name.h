// Domain names as the DNS knows them (RFC 1034 §3.1, RFC 1035 §2.3.4, RFC 4343).
#pragma once

#include "libmailcore/base/address.h"
#include "libmailcore/base/result.h"

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::dns {

/// Octets of a name in wire form, with its length octets and the root's zero (RFC 1035 §2.3.4).
inline constexpr std::size_t name_octets_max = 255;
inline constexpr std::size_t label_octets_max = 63;

/// An absolute domain name. ASCII letters are folded to lower case when it is made, so that
/// equality and order are those of the DNS (RFC 4343). A value; the default is the root. Immutable
/// but for `=`.
class Name {
  public:
    Name() : wire_(1, '\0') {}

    /// "mx.example.test", with or without the last dot; "." is the root. Escapes are `\.` and
    /// `\DDD` (RFC 1035 §5.1). Any label octets are taken but unescaped controls, spaces and 8-bit
    /// ones. Fails with the offset of the first octet that cannot be, or that makes it too long.
    static Result<Name, ParseError> parse(std::string_view text);
    /// The same for UTF-8: U-labels become A-labels (RFC 5891); ASCII is taken as `parse` takes it.
    static Result<Name, ParseError> parse_unicode(std::string_view text);
    /// From labels with their length octets and the root's zero, which must end `wire`; no
    /// compression.
    static std::optional<Name> from_wire(std::string_view wire);
    /// Where PTR records of an address stand: "1.2.0.192.in-addr.arpa" (RFC 1035 §3.5) or the
    /// nibbles below "ip6.arpa" (RFC 3596 §2.5).
    static Name reverse(const IpAddress& address);

    /// This name with the labels of `prefix` before it: `host.below("_25._tcp")`; nothing if too
    /// long or if `prefix` is not a name.
    [[nodiscard]] std::optional<Name> below(std::string_view prefix) const;
    [[nodiscard]] std::optional<Name> below(const Name& prefix) const;
    /// Without the first label; the root's parent is the root.
    [[nodiscard]] Name parent() const;
    /// `this` is `other` or lies below it.
    [[nodiscard]] bool is_within(const Name& other) const;
    [[nodiscard]] bool is_root() const { return wire_.size() == 1; }
    /// How many labels, without the root's empty one.
    [[nodiscard]] std::size_t labels() const;

    /// Without the last dot ("." for the root); escapes where `parse` needs them.
    [[nodiscard]] std::string to_string() const;
    /// 1 to 255 octets, lower case; a view into this object.
    [[nodiscard]] std::string_view wire() const { return wire_; }

    friend bool operator==(const Name&, const Name&) = default;
    friend auto operator<=>(const Name&, const Name&) = default;

  private:
    explicit Name(std::string wire) : wire_(std::move(wire)) {}
    std::string wire_;
};

/// The labels of an address in reverse order, as block lists are asked: "1.2.0.192", or 32 nibbles
/// (RFC 5782 §2.1, §2.4).
[[nodiscard]] std::string reversed_labels(const IpAddress& address);

} // namespace mailcore::dns
