#include "libmailcore/base/random.h"

#include "libmailcore/base/assert.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <sys/random.h>

namespace mailcore::base {

std::uint64_t Random::next() {
    std::array<unsigned char, 8> octets;
    fill(octets);
    return std::bit_cast<std::uint64_t>(octets);
}

std::uint64_t Random::below(std::uint64_t bound) {
    MAILCORE_ASSERT(bound > 0);
    const std::uint64_t biased = -bound % bound; // 2^64 mod bound values would come up too often
    while (true) {
        const auto value = next();
        if (value >= biased) return value % bound;
    }
}

std::string Random::hex(std::size_t octets) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string raw(octets, '\0');
    fill({reinterpret_cast<unsigned char*>(raw.data()), raw.size()});
    std::string text;
    text.reserve(octets * 2);
    for (const unsigned char octet : raw) {
        text += digits[octet >> 4];
        text += digits[octet & 15];
    }
    return text;
}

void SystemRandom::fill(std::span<unsigned char> octets) {
    while (!octets.empty()) {
        const auto got = ::getrandom(octets.data(), octets.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        MAILCORE_ASSERT(got > 0);
        octets = octets.subspan(static_cast<std::size_t>(got));
    }
}

// xoshiro256** seeded through splitmix64.
SeededRandom::SeededRandom(std::uint64_t seed) {
    for (auto& word : state_) {
        seed += 0x9e3779b97f4a7c15u;
        auto mixed = seed;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        word = mixed ^ (mixed >> 31);
    }
}

std::uint64_t SeededRandom::step() {
    const auto result = std::rotl(state_[1] * 5, 7) * 9;
    const auto shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededRandom::fill(std::span<unsigned char> octets) {
    while (!octets.empty()) {
        const auto word = step();
        const auto count = std::min(octets.size(), sizeof word);
        std::memcpy(octets.data(), &word, count);
        octets = octets.subspan(count);
    }
}

} // namespace mailcore::base
