#include "libmailcore/crypto/password.h"

#include "libmailcore/crypto/detail/sodium.h"
#include "libmailcore/crypto/hash.h"

#include <array>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <sodium/crypto_pwhash.h>
#include <sodium/utils.h>

namespace mailcore::crypto {

namespace {

constexpr std::size_t salt_octets = crypto_pwhash_argon2id_SALTBYTES;
constexpr std::size_t hash_octets = 32;
constexpr std::size_t part_octets_max = 64;
constexpr std::uint64_t memory_octets_max = std::uint64_t{1} << 30;
constexpr unsigned passes_max = 64;
constexpr std::size_t password_octets_max = 4096;

std::string encoded(std::string_view octets) {
    std::string text(
        sodium_base64_encoded_len(octets.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    text.pop_back(); // its terminating NUL
    return text;
}

// A cursor over a PHC string that knows where it stands when something is wrong.
class PhcReader {
  public:
    explicit PhcReader(std::string_view text) : text_(text) {}

    [[nodiscard]] std::unexpected<ParseError> wrong(std::string_view expected) const {
        return std::unexpected(ParseError{at_, expected});
    }
    bool literal(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    // A decimal without leading zeros, sign or blanks, from 1 to `max`.
    bool number(std::uint64_t max, std::uint64_t& value) {
        const char* first = text_.data() + at_;
        const char* last = text_.data() + text_.size();
        if (first == last || *first < '1' || *first > '9') return false;
        const auto [end, error] = std::from_chars(first, last, value);
        if (error != std::errc{} || value > max) return false;
        at_ += static_cast<std::size_t>(end - first);
        return true;
    }
    bool base64(std::size_t octets_min, std::string& octets) {
        const auto end = std::min(text_.find('$', at_), text_.size());
        std::array<unsigned char, part_octets_max> decoded;
        std::size_t size = 0;
        const char* stopped = nullptr;
        if (sodium_base642bin(decoded.data(), decoded.size(), text_.data() + at_, end - at_,
                              nullptr, &size, &stopped,
                              sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
            stopped != text_.data() + end || size < octets_min)
            return false;
        octets.assign(reinterpret_cast<const char*>(decoded.data()), size);
        // libsodium 1.0.18 takes some octets above 0x7f for digits: only what it would write itself
        // is base64.
        if (encoded(octets) != text_.substr(at_, end - at_)) return false;
        at_ = end;
        return true;
    }
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  private:
    std::string_view text_; // the caller's, for the time of one parse
    std::size_t at_ = 0;
};

// RFC 9106 §3.1, one lane, version 0x13. libsodium's own function takes salts of 16 octets only;
// salts of other sizes, as other programs make them, go through its string verifier.
Result<std::string> argon2id(const Secret& password, const PasswordHash& shape) {
    std::string hash(shape.hash.size(), '\0');
    const auto text = password.reveal();
    if (crypto_pwhash_argon2id(
            reinterpret_cast<unsigned char*>(hash.data()), hash.size(), text.data(), text.size(),
            reinterpret_cast<const unsigned char*>(shape.salt.data()), shape.cost.passes,
            shape.cost.memory_octets, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return fail(ErrorKind::Unavailable, "no memory for Argon2id");
    return hash;
}

Result<bool> matches(const Secret& password, const PasswordHash& stored) {
    if (stored.salt.size() == salt_octets) {
        MAILCORE_TRY(const auto hash, argon2id(password, stored));
        return equal_constant_time(hash, stored.hash);
    }
    std::array<char, crypto_pwhash_argon2id_STRBYTES> phc{};
    const auto text = stored.to_string();
    if (text.size() >= phc.size())
        return fail(ErrorKind::Corrupt, "password hash: the string is too long");
    std::memcpy(phc.data(), text.data(), text.size());
    const auto octets = password.reveal();
    return crypto_pwhash_argon2id_str_verify(phc.data(), octets.data(), octets.size()) == 0;
}

} // namespace

Result<PasswordHash, ParseError> PasswordHash::parse(std::string_view phc) {
    PhcReader reader(phc);
    PasswordHash result;
    std::uint64_t kibibytes = 0;
    std::uint64_t passes = 0;
    if (!reader.literal("$argon2id$v=19$")) return reader.wrong("\"$argon2id$v=19$\"");
    if (!reader.literal("m=") || !reader.number(memory_octets_max / 1024, kibibytes) ||
        kibibytes < 8)
        return reader.wrong("m= and 8 to 1048576 KiB");
    if (!reader.literal(",t=") || !reader.number(passes_max, passes))
        return reader.wrong(",t= and 1 to 64 passes");
    if (!reader.literal(",p=1$")) return reader.wrong("\",p=1$\": one lane");
    if (!reader.base64(8, result.salt) || !reader.literal("$"))
        return reader.wrong("a salt of 8 to 64 octets in base64");
    if (!reader.base64(16, result.hash) || !reader.at_end())
        return reader.wrong("a hash of 16 to 64 octets in base64");
    result.cost = {.memory_octets = kibibytes * 1024, .passes = static_cast<unsigned>(passes)};
    return result;
}

std::string PasswordHash::to_string() const {
    return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", cost.memory_octets / 1024, cost.passes,
                       encoded(salt), encoded(hash));
}

Result<std::string> hash_password(const Secret& password, Random& random,
                                  const PasswordCost& cost) {
    detail::start_sodium();
    if (password.size() > password_octets_max)
        return fail(ErrorKind::LimitExceeded, "a password has at most 4096 octets");
    PasswordHash made{.cost = cost,
                      .salt = std::string(salt_octets, '\0'),
                      .hash = std::string(hash_octets, '\0')};
    made.cost.memory_octets -= made.cost.memory_octets % 1024;
    random.fill({reinterpret_cast<unsigned char*>(made.salt.data()), made.salt.size()});
    MAILCORE_TRY(made.hash, argon2id(password, made));
    return made.to_string();
}

Result<PasswordMatch> verify_password(const Secret& password, std::string_view phc,
                                      const PasswordCost& wanted) {
    detail::start_sodium();
    if (password.size() > password_octets_max) return PasswordMatch::No;
    const auto stored = PasswordHash::parse(phc);
    if (!stored)
        return fail(ErrorKind::Corrupt,
                    fmt::format("password hash: expected {} at octet {}", stored.error().expected,
                                stored.error().offset));
    MAILCORE_TRY(const bool match, matches(password, *stored));
    if (!match) return PasswordMatch::No;
    return stored->cost == wanted ? PasswordMatch::Yes : PasswordMatch::YesButWeak;
}

} // namespace mailcore::crypto
