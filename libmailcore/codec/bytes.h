// Binary rows and records: fixed-width and variable-length integers, appended and read back.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mailcore::codec {

namespace detail {
template <std::unsigned_integral N>
[[nodiscard]] constexpr N swapped(N value) {
    if constexpr (sizeof(N) == 1)
        return value;
    else if constexpr (sizeof(N) == 2)
        return __builtin_bswap16(value);
    else if constexpr (sizeof(N) == 4)
        return __builtin_bswap32(value);
    else
        return __builtin_bswap64(value);
}
template <std::unsigned_integral N, std::endian order>
[[nodiscard]] constexpr N ordered(N value) {
    return order == std::endian::native ? value : swapped(value);
}
} // namespace detail

/// Appends to a string that outlives it. Big endian (`be`) sorts as the numbers do: keys. Variable
/// length is LEB128, seven bits an octet, least first, in its shortest form: 1 to 10 octets.
class Writer {
  public:
    explicit Writer(std::string& into) : into_(into) {}

    Writer& u8(std::uint8_t value) {
        into_ += static_cast<char>(value);
        return *this;
    }
    Writer& u16be(std::uint16_t value) { return fixed<std::endian::big>(value); }
    Writer& u32be(std::uint32_t value) { return fixed<std::endian::big>(value); }
    Writer& u64be(std::uint64_t value) { return fixed<std::endian::big>(value); }
    Writer& u16le(std::uint16_t value) { return fixed<std::endian::little>(value); }
    Writer& u32le(std::uint32_t value) { return fixed<std::endian::little>(value); }
    Writer& u64le(std::uint64_t value) { return fixed<std::endian::little>(value); }
    Writer& varint(std::uint64_t value) {
        while (value >= 0x80) {
            into_ += static_cast<char>(value | 0x80);
            value >>= 7;
        }
        into_ += static_cast<char>(value);
        return *this;
    }
    /// Zigzag: numbers near 0 are short, whatever their sign.
    Writer& svarint(std::int64_t value) {
        return varint(static_cast<std::uint64_t>(value) << 1 ^
                      static_cast<std::uint64_t>(value >> 63));
    }
    Writer& octets(std::string_view raw) {
        into_ += raw;
        return *this;
    }
    /// Length as varint, then the octets.
    Writer& text(std::string_view raw) { return varint(raw.size()).octets(raw); }

    [[nodiscard]] std::string& target() { return into_; }

  private:
    template <std::endian order, std::unsigned_integral N>
    Writer& fixed(N value) {
        value = detail::ordered<N, order>(value);
        char raw[sizeof(N)];
        std::memcpy(raw, &value, sizeof raw);
        into_.append(raw, sizeof raw);
        return *this;
    }
    std::string& into_; // the caller's
};

/// Reads what Writer wrote out of octets that outlive it and the views it returns.
///
/// The error is sticky: what does not fit gives 0 or an empty view, from then on always; ask `ok()`
/// once at the end. `octets` and `text` allocate nothing, so a lying length costs nothing.
class Reader {
  public:
    explicit Reader(std::string_view from) : rest_(from) {}

    [[nodiscard]] std::uint8_t u8() { return fixed<std::endian::native, std::uint8_t>(); }
    [[nodiscard]] std::uint16_t u16be() { return fixed<std::endian::big, std::uint16_t>(); }
    [[nodiscard]] std::uint32_t u32be() { return fixed<std::endian::big, std::uint32_t>(); }
    [[nodiscard]] std::uint64_t u64be() { return fixed<std::endian::big, std::uint64_t>(); }
    [[nodiscard]] std::uint16_t u16le() { return fixed<std::endian::little, std::uint16_t>(); }
    [[nodiscard]] std::uint32_t u32le() { return fixed<std::endian::little, std::uint32_t>(); }
    [[nodiscard]] std::uint64_t u64le() { return fixed<std::endian::little, std::uint64_t>(); }
    [[nodiscard]] std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
            const auto octet = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            if (shift == 63 && octet > 1) break;
            value |= static_cast<std::uint64_t>(octet & 0x7F) << shift;
            if (octet < 0x80) {
                if (octet == 0 && shift != 0) break; // not the shortest form
                return value;
            }
        }
        fail();
        return 0;
    }
    [[nodiscard]] std::int64_t svarint() {
        const auto value = varint();
        return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
    }
    [[nodiscard]] std::string_view octets(std::uint64_t size) {
        if (size > rest_.size()) {
            fail();
            return {};
        }
        const auto raw = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(static_cast<std::size_t>(size));
        return raw;
    }
    [[nodiscard]] std::string_view text() { return octets(varint()); }
    /// A count of things that take at least `octets_each` octets each: fails rather than let the
    /// caller reserve room for more than can follow.
    [[nodiscard]] std::size_t count(std::size_t octets_each = 1) {
        const auto value = varint();
        if (value > rest_.size() / octets_each) {
            fail();
            return 0;
        }
        return static_cast<std::size_t>(value);
    }
    /// All that is left.
    [[nodiscard]] std::string_view rest() { return octets(rest_.size()); }

    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
    [[nodiscard]] bool ok() const { return ok_; }
    /// Everything was read and nothing failed.
    [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }
    /// For a value that the caller finds impossible.
    void fail() {
        ok_ = false;
        rest_ = {};
    }

  private:
    template <std::endian order, std::unsigned_integral N>
    N fixed() {
        const auto raw = octets(sizeof(N));
        if (raw.empty()) return 0;
        N value;
        std::memcpy(&value, raw.data(), sizeof value);
        return detail::ordered<N, order>(value);
    }
    std::string_view rest_; // of the octets given to the constructor
    bool ok_ = true;
};

} // namespace mailcore::codec
