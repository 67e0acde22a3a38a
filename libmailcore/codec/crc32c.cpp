#include "libmailcore/codec/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace mailcore::codec {

namespace {

constexpr std::uint32_t polynomial = 0x82F63B78; // reflected

// Slicing by eight: table[n] advances an octet past n more octets.
constexpr auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
        table[0][i] = crc;
    }
    for (std::size_t n = 1; n < 8; ++n)
        for (std::size_t i = 0; i < 256; ++i)
            table[n][i] = table[n - 1][i] >> 8 ^ table[0][table[n - 1][i] & 255];
    return table;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_processor(std::string_view octets,
                                                             std::uint32_t before) {
    std::uint64_t crc = ~before;
    const char* at = octets.data();
    std::size_t left = octets.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    auto crc32 = static_cast<std::uint32_t>(crc);
    for (; left > 0; ++at, --left) crc32 = _mm_crc32_u8(crc32, static_cast<unsigned char>(*at));
    return ~crc32;
}
#elif defined(__ARM_FEATURE_CRC32)
std::uint32_t by_processor(std::string_view octets, std::uint32_t before) {
    std::uint32_t crc = ~before;
    const char* at = octets.data();
    std::size_t left = octets.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    for (; left > 0; ++at, --left) crc = __crc32cb(crc, static_cast<unsigned char>(*at));
    return ~crc;
}
#endif

} // namespace

std::uint32_t crc32c_table(std::string_view octets, std::uint32_t before) {
    std::uint32_t crc = ~before;
    std::size_t at = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; at + 8 <= octets.size(); at += 8) {
            std::uint32_t low;
            std::uint32_t high;
            std::memcpy(&low, octets.data() + at, 4);
            std::memcpy(&high, octets.data() + at + 4, 4);
            low ^= crc;
            crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
                  tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
                  tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
        }
    }
    for (; at < octets.size(); ++at)
        crc = crc >> 8 ^ tables[0][(crc ^ static_cast<unsigned char>(octets[at])) & 255];
    return ~crc;
}

std::uint32_t crc32c(std::string_view octets, std::uint32_t before) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    return has_instruction ? by_processor(octets, before) : crc32c_table(octets, before);
#elif defined(__ARM_FEATURE_CRC32)
    return by_processor(octets, before);
#else
    return crc32c_table(octets, before);
#endif
}

} // namespace mailcore::codec
