#include "libmailcore/sasl/scram.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/crypto/hmac.h"
#include "libmailcore/sasl/detail/scram_message.h"
#include "libmailcore/sasl/prepare.h"

#include <fmt/format.h>

namespace mailcore::sasl {

namespace detail {

std::string encode_saslname(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == ',')
            out += "=2C";
        else if (c == '=')
            out += "=3D";
        else
            out += c;
    }
    return out;
}

std::optional<std::string> decode_saslname(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\0' || text[at] == ',') return std::nullopt;
        if (text[at] != '=') {
            out += text[at];
            continue;
        }
        const auto code = text.substr(at + 1, 2);
        if (code != "2C" && code != "3D") return std::nullopt;
        out += code == "2C" ? ',' : '=';
        at += 2;
    }
    if (out.empty() || out.size() > identity_octets_max || !codec::is_utf8(out))
        return std::nullopt;
    return out;
}

std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
    if (rest.size() < 3 || rest[0] != name || rest[1] != '=') return std::nullopt;
    const auto end = std::min(rest.find(','), rest.size());
    const auto value = rest.substr(2, end - 2);
    if (value.empty()) return std::nullopt;
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
}

bool are_extensions(std::string_view rest) {
    while (!rest.empty()) {
        const char name = rest[0];
        if (!codec::is_alpha(name) || name == 'm' || !take_attribute(rest, name)) return false;
    }
    return true;
}

bool is_nonce(std::string_view text) {
    for (const char c : text)
        if (!codec::is_visible(c) || c == ',') return false;
    return !text.empty();
}

std::string make_nonce(Random& random) {
    std::array<unsigned char, 18> octets{};
    random.fill(octets);
    return codec::base64_encode(crypto::octets_of(octets));
}

std::string salted_password(ScramHash hash, std::string_view password, std::string_view salt,
                            std::uint32_t iterations) {
    if (hash == ScramHash::Sha1) {
        const auto key = crypto::pbkdf2<crypto::HashKind::Sha1>(password, salt, iterations);
        return std::string(crypto::octets_of(key));
    }
    const auto key = crypto::pbkdf2<crypto::HashKind::Sha256>(password, salt, iterations);
    return std::string(crypto::octets_of(key));
}

std::string hmac(ScramHash hash, std::string_view key, std::string_view text) {
    if (hash == ScramHash::Sha1) {
        const auto code = crypto::HmacSha1::of(key, text);
        return std::string(crypto::octets_of(code));
    }
    const auto code = crypto::HmacSha256::of(key, text);
    return std::string(crypto::octets_of(code));
}

std::string digest(ScramHash hash, std::string_view text) {
    if (hash == ScramHash::Sha1) {
        const auto octets = crypto::Sha1::of(text);
        return std::string(crypto::octets_of(octets));
    }
    const auto octets = crypto::Sha256::of(text);
    return std::string(crypto::octets_of(octets));
}

std::string exclusive_or(std::string_view a, std::string_view b) {
    MAILCORE_ASSERT(a.size() == b.size());
    std::string out(a);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

} // namespace detail

namespace {

constexpr std::string_view prefix(ScramHash hash) {
    return hash == ScramHash::Sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

ScramKeys derive(ScramHash hash, std::string_view prepared, std::string salt,
                 std::uint32_t iterations) {
    const Secret salted(detail::salted_password(hash, prepared, salt, iterations));
    const Secret client_key(detail::hmac(hash, salted.reveal(), "Client Key"));
    ScramKeys keys;
    keys.hash = hash;
    keys.salt = std::move(salt);
    keys.iterations = iterations;
    keys.stored_key = detail::digest(hash, client_key.reveal());
    keys.server_key = detail::hmac(hash, salted.reveal(), "Server Key");
    return keys;
}

} // namespace

std::string ScramKeys::to_string() const {
    return fmt::format("{}${}:{}${}:{}", prefix(hash), iterations, codec::base64_encode(salt),
                       codec::base64_encode(stored_key), codec::base64_encode(server_key));
}

Result<ScramKeys, ParseError> ScramKeys::parse(std::string_view text) {
    auto rest = text;
    const auto wrong = [&](std::string_view expected) {
        return std::unexpected(ParseError{text.size() - rest.size(), expected});
    };
    const auto take = [&rest](char end) {
        const auto at = std::min(rest.find(end), rest.size());
        const auto part = rest.substr(0, at);
        rest.remove_prefix(std::min(at + 1, rest.size()));
        return part;
    };
    ScramKeys keys;
    auto part = take('$');
    if (part == prefix(ScramHash::Sha1))
        keys.hash = ScramHash::Sha1;
    else if (part != prefix(ScramHash::Sha256))
        return wrong("SCRAM-SHA-1 or SCRAM-SHA-256");
    const auto iterations = codec::parse_u32(take(':'), scram_iterations_max);
    if (!iterations || *iterations == 0) return wrong("an iteration count");
    keys.iterations = *iterations;
    auto salt = codec::base64_decode(take('$'));
    if (!salt || salt->empty() || salt->size() > scram_salt_octets_max)
        return wrong("a salt in base64");
    auto stored = codec::base64_decode(take(':'));
    auto server = codec::base64_decode(take('\n'));
    const auto size = detail::digest_octets(keys.hash);
    if (!stored || stored->size() != size || !server || server->size() != size)
        return wrong("two keys in base64");
    if (!rest.empty()) return wrong("the end");
    keys.salt = *std::move(salt);
    keys.stored_key = *std::move(stored);
    keys.server_key = *std::move(server);
    return keys;
}

Result<ScramKeys> make_scram_keys(ScramHash hash, const Secret& password, Random& random,
                                  std::uint32_t iterations) {
    MAILCORE_ASSERT(iterations > 0 && iterations <= scram_iterations_max);
    const auto prepared = prepare_password(password);
    if (!prepared || prepared->empty())
        return fail(ErrorKind::Rejected, "the password is empty or has prohibited characters");
    std::string salt(scram_salt_octets, '\0');
    random.fill({reinterpret_cast<unsigned char*>(salt.data()), salt.size()});
    return derive(hash, prepared->reveal(), std::move(salt), iterations);
}

std::optional<ChannelBinding> channel_binding(const PeerInfo& peer) {
    if (!peer.tls || peer.tls->exporter_binding.empty()) return std::nullopt;
    return ChannelBinding{"tls-exporter", peer.tls->exporter_binding}; // RFC 9266 §2
}

bool is_scram_password(const ScramKeys& keys, const Secret& password) {
    const auto prepared = prepare_password(password);
    if (!prepared || prepared->empty()) return false;
    const auto derived = derive(keys.hash, prepared->reveal(), keys.salt, keys.iterations);
    return crypto::equal_constant_time(derived.stored_key, keys.stored_key);
}

} // namespace mailcore::sasl
