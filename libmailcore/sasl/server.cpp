#include "libmailcore/sasl/server.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/crypto/hmac.h"
#include "libmailcore/sasl/detail/scram_message.h"
#include "libmailcore/sasl/prepare.h"

#include <algorithm>

namespace mailcore::sasl {

namespace {

/// An identity as it may come: UTF-8 without NUL, of bounded size.
bool is_identity(std::string_view text) {
    return text.size() <= identity_octets_max && codec::is_utf8(text) &&
           text.find('\0') == std::string_view::npos;
}

/// RFC 4616: [authzid] NUL authcid NUL passwd, in one message.
class PlainServer final : public ServerExchange {
  protected:
    ServerStep on_response(std::string_view response) override {
        const auto first = response.find('\0');
        const auto second =
            response.find('\0', first == std::string_view::npos ? first : first + 1);
        if (second == std::string_view::npos) return failure(FailureReason::Malformed);
        const auto authzid = response.substr(0, first);
        const auto authcid = response.substr(first + 1, second - first - 1);
        const auto password = response.substr(second + 1);
        if (!is_identity(authzid) || !is_identity(authcid) || authcid.empty() || password.empty() ||
            password.size() > password_octets_max || !codec::is_utf8(password) ||
            password.find('\0') != std::string_view::npos)
            return failure(FailureReason::Malformed);
        authzid_ = authzid;
        authcid_ = authcid;
        return NeedPassword{authzid_, authcid_, Secret(std::string(password))};
    }
    ServerStep on_good_verdict() override { return Success{authzid_, authcid_, {}}; }
    std::string identity() const override { return authcid_; }

  private:
    std::string authzid_;
    std::string authcid_;
};

/// Two questions and two answers. Some clients send the name with the command.
class LoginServer final : public ServerExchange {
  protected:
    ServerStep on_no_initial_response() override { return Challenge{"Username:"}; }
    ServerStep on_response(std::string_view response) override {
        if (!named_) {
            if (response.empty() || !is_identity(response))
                return failure(FailureReason::Malformed);
            authcid_ = response;
            named_ = true;
            return Challenge{"Password:"};
        }
        if (response.empty() || response.size() > password_octets_max ||
            response.find('\0') != std::string_view::npos)
            return failure(FailureReason::Malformed);
        return NeedPassword{{}, authcid_, Secret(std::string(response))};
    }
    ServerStep on_good_verdict() override { return Success{{}, authcid_, {}}; }
    std::string identity() const override { return authcid_; }

  private:
    std::string authcid_;
    bool named_ = false;
};

/// RFC 4422 appendix A: the message is the authorization identity, which may be empty.
class ExternalServer final : public ServerExchange {
  protected:
    ServerStep on_response(std::string_view response) override {
        if (!is_identity(response)) return failure(FailureReason::Malformed);
        authzid_ = response;
        return NeedExternal{authzid_};
    }
    ServerStep on_good_verdict() override { return Success{authzid_, {}, {}}; }
    std::string identity() const override { return authzid_; }

  private:
    std::string authzid_;
};

/// RFC 5802 §5.
class ScramServer final : public ServerExchange {
  public:
    ScramServer(Mechanism mechanism, ServerOptions options, Random& random)
        : options_(std::move(options)), hash_(scram_hash(mechanism)),
          plus_(binds_channel(mechanism)),
          server_nonce_(options_.nonce.empty() ? detail::make_nonce(random) : options_.nonce) {
        MAILCORE_ASSERT(!plus_ || options_.binding);
    }

  protected:
    ServerStep on_response(std::string_view response) override {
        switch (stage_) {
        case Stage::First: return on_first(response);
        case Stage::Final: return on_final(response);
        case Stage::Acknowledgement:
            if (!response.empty()) return failure(FailureReason::Malformed);
            return Success{authzid_, authcid_, {}};
        }
        return failure(FailureReason::Malformed);
    }
    ServerStep on_keys(std::optional<ScramKeys> keys) override;
    ServerStep on_good_verdict() override { return failure(FailureReason::Refused); }
    std::string identity() const override { return authcid_; }

  private:
    enum class Stage : std::uint8_t { First, Final, Acknowledgement };
    ServerStep on_first(std::string_view message);
    ServerStep on_final(std::string_view message);
    [[nodiscard]] ScramKeys fake_keys() const;

    ServerOptions options_;
    ScramHash hash_;
    bool plus_;
    std::string server_nonce_;
    Stage stage_ = Stage::First;
    std::string authzid_;
    std::string authcid_;
    std::string channel_input_; // gs2-header and, bound, the channel's data: what "c=" must say
    std::string first_bare_;
    std::string server_first_;
    std::string nonce_; // the client's and ours
    ScramKeys keys_;
    bool known_ = false;
};

ServerStep ScramServer::on_first(std::string_view message) {
    auto rest = message;
    std::optional<std::string_view> binding;
    const bool bound = rest.starts_with("p=");
    if (bound) {
        binding = detail::take_attribute(rest, 'p');
        if (!binding) return failure(FailureReason::Malformed);
        if (!plus_ || *binding != options_.binding->type)
            return failure(FailureReason::Unsupported);
    } else if (rest.starts_with("n,") || rest.starts_with("y,")) {
        if (plus_) return failure(FailureReason::Unsupported);
        // The client can bind and was shown no -PLUS, but we offer it: somebody shortened the list.
        if (rest[0] == 'y' && options_.binding) return failure(FailureReason::Refused);
        rest.remove_prefix(2);
    } else {
        return failure(FailureReason::Malformed);
    }
    if (!rest.starts_with(",")) {
        const auto encoded = detail::take_attribute(rest, 'a');
        const auto authzid = encoded ? detail::decode_saslname(*encoded) : std::nullopt;
        if (!authzid) return failure(FailureReason::Malformed);
        authzid_ = *authzid;
    } else {
        rest.remove_prefix(1);
    }
    channel_input_ = message.substr(0, message.size() - rest.size());
    if (bound) channel_input_ += options_.binding->data;
    first_bare_ = rest;

    if (rest.starts_with("m=")) return failure(FailureReason::Unsupported);
    const auto encoded = detail::take_attribute(rest, 'n');
    const auto name = encoded ? detail::decode_saslname(*encoded) : std::nullopt;
    const auto client_nonce = detail::take_attribute(rest, 'r');
    if (!name || !client_nonce || !detail::is_nonce(*client_nonce) || !detail::are_extensions(rest))
        return failure(FailureReason::Malformed);
    const auto prepared = prepare(*name);
    if (!prepared || prepared->empty()) return failure(FailureReason::Malformed);
    authcid_ = *prepared;
    nonce_ = std::string(*client_nonce) + server_nonce_;
    return NeedScramKeys{authzid_, authcid_, hash_};
}

ServerStep ScramServer::on_keys(std::optional<ScramKeys> keys) {
    known_ = keys.has_value();
    keys_ = known_ ? *std::move(keys) : fake_keys();
    MAILCORE_ASSERT(keys_.hash == hash_);
    server_first_ = "r=" + nonce_ + ",s=" + codec::base64_encode(keys_.salt) +
                    ",i=" + std::to_string(keys_.iterations);
    stage_ = Stage::Final;
    return Challenge{server_first_};
}

ServerStep ScramServer::on_final(std::string_view message) {
    auto rest = message;
    const auto channel = detail::take_attribute(rest, 'c');
    const auto nonce = detail::take_attribute(rest, 'r');
    const auto proof_at = message.rfind(",p=");
    if (!channel || !nonce || proof_at == std::string_view::npos)
        return failure(FailureReason::Malformed);
    const auto without_proof = message.substr(0, proof_at);
    const auto head = static_cast<std::size_t>(rest.data() - message.data());
    // Between nonce and proof only extensions may stand.
    if (proof_at + 1 < head ||
        (proof_at > head && !detail::are_extensions(message.substr(head, proof_at - head))))
        return failure(FailureReason::Malformed);
    const auto input = codec::base64_decode(*channel);
    const auto proof = codec::base64_decode(message.substr(proof_at + 3));
    if (!input || !proof) return failure(FailureReason::Malformed);
    if (proof->size() != detail::digest_octets(hash_)) return failure(FailureReason::Malformed);

    const auto auth_message = first_bare_ + "," + server_first_ + "," + std::string(without_proof);
    const auto signature = detail::hmac(hash_, keys_.stored_key, auth_message);
    const auto client_key = detail::exclusive_or(*proof, signature);
    const bool proven =
        crypto::equal_constant_time(detail::digest(hash_, client_key), keys_.stored_key);
    if (*input != channel_input_ || *nonce != nonce_ || !proven || !known_)
        return failure(FailureReason::Refused);

    auto server_final =
        "v=" + codec::base64_encode(detail::hmac(hash_, keys_.server_key, auth_message));
    if (options_.success_data) return Success{authzid_, authcid_, std::move(server_final)};
    stage_ = Stage::Acknowledgement;
    return Challenge{std::move(server_final)};
}

/// Looks like an account's, and the same each time whatever the case of the name. Nobody has its
/// proof.
ScramKeys ScramServer::fake_keys() const {
    const auto name = codec::fold_case_sanitised(authcid_);
    const auto make = [&](std::string_view purpose) {
        return detail::hmac(hash_, options_.fake_salt_key.reveal(),
                            std::string(purpose) + '\0' + name);
    };
    ScramKeys keys;
    keys.hash = hash_;
    keys.salt = make("salt").substr(0, scram_salt_octets);
    keys.iterations = options_.fake_iterations;
    keys.stored_key = make("stored");
    keys.server_key = make("server");
    return keys;
}

} // namespace

std::unique_ptr<ServerExchange> ServerExchange::create(Mechanism mechanism, ServerOptions options,
                                                       Random& random) {
    switch (mechanism) {
    case Mechanism::Plain: return std::make_unique<PlainServer>();
    case Mechanism::Login: return std::make_unique<LoginServer>();
    case Mechanism::External: return std::make_unique<ExternalServer>();
    default: return std::make_unique<ScramServer>(mechanism, std::move(options), random);
    }
}

ServerStep ServerExchange::start(std::optional<std::string_view> initial_response) {
    MAILCORE_ASSERT(awaiting_ == Awaiting::Start);
    if (!initial_response) return next(on_no_initial_response());
    awaiting_ = Awaiting::Response;
    return receive(*initial_response);
}

ServerStep ServerExchange::receive(std::string_view response) {
    MAILCORE_ASSERT(awaiting_ == Awaiting::Response);
    if (response.size() > message_octets_max) return next(failure(FailureReason::Malformed));
    return next(on_response(response));
}

ServerStep ServerExchange::answer(Verdict verdict) {
    MAILCORE_ASSERT(awaiting_ == Awaiting::Verdict);
    if (verdict == Verdict::Good) return next(on_good_verdict());
    return next(
        failure(verdict == Verdict::Bad ? FailureReason::Refused : FailureReason::Unavailable));
}

ServerStep ServerExchange::answer_keys(std::optional<ScramKeys> keys) {
    MAILCORE_ASSERT(awaiting_ == Awaiting::Keys);
    return next(on_keys(std::move(keys)));
}

ServerStep ServerExchange::answer_unavailable() {
    MAILCORE_ASSERT(awaiting_ == Awaiting::Keys || awaiting_ == Awaiting::Verdict);
    return next(failure(FailureReason::Unavailable));
}

ServerStep ServerExchange::next(ServerStep step) {
    if (std::holds_alternative<Challenge>(step))
        awaiting_ = Awaiting::Response;
    else if (std::holds_alternative<NeedScramKeys>(step))
        awaiting_ = Awaiting::Keys;
    else if (std::holds_alternative<NeedPassword>(step) ||
             std::holds_alternative<NeedExternal>(step))
        awaiting_ = Awaiting::Verdict;
    else
        awaiting_ = Awaiting::End;
    return step;
}

} // namespace mailcore::sasl
