#include "libmailcore/sasl/mechanism.h"

#include "libmailcore/codec/ascii.h"

#include <array>

namespace mailcore::sasl {

namespace {

struct MechanismName {
    Mechanism mechanism;
    std::string_view name;
};
constexpr std::array names = {
    MechanismName{Mechanism::Login, "LOGIN"},
    MechanismName{Mechanism::Plain, "PLAIN"},
    MechanismName{Mechanism::ScramSha1, "SCRAM-SHA-1"},
    MechanismName{Mechanism::ScramSha256, "SCRAM-SHA-256"},
    MechanismName{Mechanism::ScramSha1Plus, "SCRAM-SHA-1-PLUS"},
    MechanismName{Mechanism::ScramSha256Plus, "SCRAM-SHA-256-PLUS"},
    MechanismName{Mechanism::External, "EXTERNAL"},
};

} // namespace

std::string_view to_string(Mechanism mechanism) {
    return names[static_cast<std::size_t>(mechanism)].name;
}

std::optional<Mechanism> parse_mechanism(std::string_view name) {
    for (const auto& each : names)
        if (codec::equal_ignoring_case(each.name, name)) return each.mechanism;
    return std::nullopt;
}

std::vector<std::string> default_mechanisms() { return {"SCRAM-SHA-256", "PLAIN", "LOGIN"}; }

bool is_offerable(std::string_view name, const PeerInfo& peer, bool plaintext_allowed) {
    const auto mechanism = parse_mechanism(name);
    // Not spoken here, but an owner may: their messages are as good as the token in them.
    if (!mechanism) return plaintext_allowed || (name != "OAUTHBEARER" && name != "XOAUTH2");
    if (shows_password(*mechanism)) return plaintext_allowed;
    if (binds_channel(*mechanism)) return peer.tls && !peer.tls->exporter_binding.empty();
    return *mechanism != Mechanism::External || (peer.tls && peer.tls->peer_verified);
}

} // namespace mailcore::sasl
