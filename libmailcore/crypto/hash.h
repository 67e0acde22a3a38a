// Message digests: SHA-1 and SHA-2 (RFC 6234), BLAKE2b (RFC 7693), and MD5 (RFC 1321) for old
// identifiers.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace mailcore::crypto {

enum class HashKind : unsigned char { Md5, Sha1, Sha256, Sha512, Blake2b256 };

/// Sizes of a hash function, in octets. `context_octets` is what its running state takes.
struct HashShape {
    std::size_t digest_octets;
    std::size_t block_octets;
    std::size_t context_octets;
};

[[nodiscard]] constexpr HashShape shape(HashKind kind) {
    switch (kind) {
    case HashKind::Md5: return {16, 64, 104};
    case HashKind::Sha1: return {20, 64, 112};
    case HashKind::Sha256: return {32, 64, 112};
    case HashKind::Sha512: return {64, 128, 224};
    case HashKind::Blake2b256: return {32, 128, 384};
    }
    return {0, 0, 0};
}

template <HashKind kind>
using Digest = std::array<unsigned char, shape(kind).digest_octets>;

/// A hash over octets that arrive in pieces.
///
/// A value: copying it copies the state so far, which is how several messages with one beginning
/// are hashed. MD5 and SHA-1 are for what old standards fix (UIDL, SCRAM-SHA-1, identifiers), never
/// for something that an attacker gains by colliding. One thread at a time. Source: RFC 6234, RFC
/// 7693, RFC 1321.
template <HashKind kind>
class Hash {
  public:
    static constexpr HashKind hash_kind = kind;
    static constexpr std::size_t digest_octets = shape(kind).digest_octets;
    static constexpr std::size_t block_octets = shape(kind).block_octets;
    using Digest = crypto::Digest<kind>;

    Hash() { start(); }
    void update(std::string_view octets);
    /// The digest of all octets since the beginning; the object then begins anew.
    [[nodiscard]] Digest finish();
    /// The digest of one text.
    [[nodiscard]] static Digest of(std::string_view octets) {
        Hash hash;
        hash.update(octets);
        return hash.finish();
    }

  private:
    void start();
    alignas(64) std::array<std::byte, shape(kind).context_octets> context_;
};

using Md5 = Hash<HashKind::Md5>;
using Sha1 = Hash<HashKind::Sha1>;
using Sha256 = Hash<HashKind::Sha256>;
using Sha512 = Hash<HashKind::Sha512>;
using Blake2b256 = Hash<HashKind::Blake2b256>;

extern template class Hash<HashKind::Md5>;
extern template class Hash<HashKind::Sha1>;
extern template class Hash<HashKind::Sha256>;
extern template class Hash<HashKind::Sha512>;
extern template class Hash<HashKind::Blake2b256>;

/// The digest's octets as a view, for code that handles text. Valid as long as `digest`.
template <std::size_t size>
[[nodiscard]] std::string_view octets_of(const std::array<unsigned char, size>& digest) {
    return {reinterpret_cast<const char*>(digest.data()), size};
}
template <std::size_t size>
std::string_view octets_of(std::array<unsigned char, size>&& digest) = delete;

/// Whether `a` and `b` are the same octets, in a time that depends on their sizes alone: for what
/// an attacker may guess piece by piece (proofs, tokens, digests of passwords).
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);

} // namespace mailcore::crypto
