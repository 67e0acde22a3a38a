// CRC32C (Castagnoli), by the processor where it can.
#pragma once

#include <cstdint>
#include <string_view>

namespace mailcore::codec {

/// `before` is the CRC of the octets before these, so that crc32c(b, crc32c(a)) == crc32c(a + b).
[[nodiscard]] std::uint32_t crc32c(std::string_view octets, std::uint32_t before = 0);
/// The same by table; for machines without the instruction, and to test against.
[[nodiscard]] std::uint32_t crc32c_table(std::string_view octets, std::uint32_t before = 0);

} // namespace mailcore::codec
