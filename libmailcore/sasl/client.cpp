#include "libmailcore/sasl/client.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/sasl/detail/scram_message.h"
#include "libmailcore/sasl/prepare.h"

#include <algorithm>

namespace mailcore::sasl {

namespace {

Secret secret(std::string_view octets) { return Secret(std::string(octets)); }

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

/// One message and no answer: PLAIN and EXTERNAL.
class OneMessageClient final : public ClientExchange {
  public:
    explicit OneMessageClient(Secret message) : message_(std::move(message)) {}

    std::optional<Secret> initial_response() override {
        sent_ = true;
        return message_;
    }
    Result<Secret> respond(std::string_view challenge) override {
        if (sent_ || !challenge.empty())
            return fail(ErrorKind::Rejected, "SASL: the server asks for more than there is");
        sent_ = true;
        return message_;
    }
    Result<void> succeed(std::optional<std::string_view>) override { return {}; }

  private:
    Secret message_;
    bool sent_ = false;
};

/// Whatever the server calls its questions: first the name, then the password.
class LoginClient final : public ClientExchange {
  public:
    explicit LoginClient(Credentials credentials) : credentials_(std::move(credentials)) {}

    std::optional<Secret> initial_response() override { return std::nullopt; }
    Result<Secret> respond(std::string_view) override {
        switch (answered_++) {
        case 0: return secret(credentials_.authcid);
        case 1: return credentials_.password;
        default: return fail(ErrorKind::Rejected, "SASL: the server asks for more than there is");
        }
    }
    Result<void> succeed(std::optional<std::string_view>) override { return {}; }

  private:
    Credentials credentials_;
    unsigned answered_ = 0;
};

/// RFC 5802 §5.
class ScramClient final : public ClientExchange {
  public:
    ScramClient(Mechanism mechanism, Credentials prepared, ClientOptions options, Random& random)
        : options_(std::move(options)), hash_(scram_hash(mechanism)),
          password_(std::move(prepared.password)),
          client_nonce_(options_.nonce.empty() ? detail::make_nonce(random) : options_.nonce) {
        if (binds_channel(mechanism))
            gs2_header_ = "p=" + options_.binding->type;
        else
            gs2_header_ = options_.binding && !options_.plus_offered ? "y" : "n";
        gs2_header_ += ',';
        if (!prepared.authzid.empty())
            gs2_header_ += "a=" + detail::encode_saslname(prepared.authzid);
        gs2_header_ += ',';
        channel_input_ = gs2_header_;
        if (binds_channel(mechanism)) channel_input_ += options_.binding->data;
        first_bare_ = "n=" + detail::encode_saslname(prepared.authcid) + ",r=" + client_nonce_;
    }

    std::optional<Secret> initial_response() override {
        stage_ = Stage::First;
        return secret(gs2_header_ + first_bare_);
    }
    Result<Secret> respond(std::string_view challenge) override {
        if (challenge.size() > message_octets_max) return refuse("a message too long");
        switch (stage_) {
        case Stage::Start:
            if (!challenge.empty()) return refuse("the server speaks first");
            stage_ = Stage::First;
            return secret(gs2_header_ + first_bare_);
        case Stage::First: return on_server_first(challenge);
        case Stage::Final: {
            MAILCORE_TRY(on_server_final(challenge));
            return Secret();
        }
        case Stage::Verified: break;
        }
        return refuse("the server asks for more than there is");
    }
    Result<void> succeed(std::optional<std::string_view> data) override {
        if (stage_ == Stage::Final && data) return on_server_final(*data);
        if (stage_ != Stage::Verified) return refuse("the server has not proved itself");
        return {};
    }

  private:
    enum class Stage : std::uint8_t { Start, First, Final, Verified };

    static std::unexpected<Error> refuse(std::string_view what) {
        return fail(ErrorKind::Rejected, "SCRAM: " + std::string(what));
    }
    Result<Secret> on_server_first(std::string_view message);
    Result<void> on_server_final(std::string_view message);

    ClientOptions options_;
    ScramHash hash_;
    Secret password_;
    std::string client_nonce_;
    std::string gs2_header_;
    std::string channel_input_;
    std::string first_bare_;
    std::string server_signature_;
    Stage stage_ = Stage::Start;
};

Result<Secret> ScramClient::on_server_first(std::string_view message) {
    auto rest = message;
    if (rest.starts_with("m=")) return refuse("a mandatory extension");
    const auto nonce = detail::take_attribute(rest, 'r');
    const auto salt_text = detail::take_attribute(rest, 's');
    const auto iterations_text = detail::take_attribute(rest, 'i');
    if (!nonce || !salt_text || !iterations_text || !detail::is_nonce(*nonce) ||
        !detail::are_extensions(rest))
        return refuse("not a server-first-message");
    if (!nonce->starts_with(client_nonce_) || nonce->size() == client_nonce_.size())
        return refuse("the nonce is not ours with more behind it");
    const auto salt = codec::base64_decode(*salt_text);
    if (!salt || salt->empty() || salt->size() > scram_salt_octets_max) return refuse("not a salt");
    const auto iterations = codec::parse_u32(*iterations_text);
    if (!iterations || *iterations < options_.iterations_min ||
        *iterations > options_.iterations_max)
        return refuse("an iteration count out of bounds");

    const Secret salted(detail::salted_password(hash_, password_.reveal(), *salt, *iterations));
    const Secret client_key(detail::hmac(hash_, salted.reveal(), "Client Key"));
    const auto stored_key = detail::digest(hash_, client_key.reveal());
    const auto without_proof =
        "c=" + codec::base64_encode(channel_input_) + ",r=" + std::string(*nonce);
    const auto auth_message = first_bare_ + "," + std::string(message) + "," + without_proof;
    const auto signature = detail::hmac(hash_, stored_key, auth_message);
    const auto proof = detail::exclusive_or(client_key.reveal(), signature);
    const Secret server_key(detail::hmac(hash_, salted.reveal(), "Server Key"));
    server_signature_ = detail::hmac(hash_, server_key.reveal(), auth_message);
    stage_ = Stage::Final;
    return secret(without_proof + ",p=" + codec::base64_encode(proof));
}

Result<void> ScramClient::on_server_final(std::string_view message) {
    auto rest = message;
    if (const auto error = detail::take_attribute(rest, 'e'))
        return refuse("the server says " + std::string(error->substr(0, 64)));
    const auto verifier = detail::take_attribute(rest, 'v');
    const auto signature = verifier ? codec::base64_decode(*verifier) : std::nullopt;
    if (!signature || !detail::are_extensions(rest)) return refuse("not a server-final-message");
    if (!crypto::equal_constant_time(*signature, server_signature_))
        return refuse("the server does not know the password");
    stage_ = Stage::Verified;
    return {};
}

} // namespace

std::optional<Mechanism> choose_mechanism(std::span<const Mechanism> offered, bool private_channel,
                                          bool have_binding) {
    std::optional<Mechanism> best;
    for (const auto mechanism : offered) {
        if (mechanism == Mechanism::External) continue;
        if (shows_password(mechanism) && !private_channel) continue;
        if (binds_channel(mechanism) && !have_binding) continue;
        if (!best || mechanism > *best) best = mechanism;
    }
    return best;
}

Result<std::unique_ptr<ClientExchange>> ClientExchange::create(Mechanism mechanism,
                                                               Credentials credentials,
                                                               ClientOptions options,
                                                               Random& random) {
    const auto& [authzid, authcid, password] = credentials;
    if (mechanism == Mechanism::External) {
        if (has_nul(authzid)) return fail(ErrorKind::Rejected, "SASL: NUL in a name");
        return std::make_unique<OneMessageClient>(secret(authzid));
    }
    if (has_nul(authzid) || has_nul(authcid) || has_nul(password.reveal()) || authcid.empty() ||
        password.empty())
        return fail(ErrorKind::Rejected, "SASL: an empty name or password, or NUL in it");
    if (mechanism == Mechanism::Plain) {
        std::string message = authzid + '\0' + authcid + '\0';
        message += password.reveal();
        return std::make_unique<OneMessageClient>(Secret(std::move(message)));
    }
    if (mechanism == Mechanism::Login) return std::make_unique<LoginClient>(std::move(credentials));
    if (binds_channel(mechanism) && !options.binding)
        return fail(ErrorKind::Rejected, "SASL: nothing to bind to");
    auto name = prepare(authcid);
    auto prepared = prepare_password(password);
    if (!name || name->empty() || !prepared || prepared->empty())
        return fail(ErrorKind::Rejected, "SASL: name or password has prohibited characters");
    credentials.authcid = *std::move(name);
    credentials.password = *std::move(prepared);
    return std::make_unique<ScramClient>(mechanism, std::move(credentials), std::move(options),
                                         random);
}

} // namespace mailcore::sasl
