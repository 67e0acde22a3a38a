#include "libmailcore/session/authentication.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/crypto/certificate.h"

#include <algorithm>

namespace mailcore::session {

namespace {

using accounts::LoginOutcome;

LoginStep step_of(const accounts::LoginAnswer& answer) {
    if (answer.outcome == LoginOutcome::Accepted)
        return LoggedIn{answer.account, answer.address, answer.rights, answer.credential_version};
    return LoginRefused{answer.outcome == LoginOutcome::Throttled ? LoginRefused::Why::Throttled
                                                                  : LoginRefused::Why::Credentials};
}

/// Acting for somebody else is not offered: the authorization identity may only repeat the other.
bool acts_for_himself(std::string_view authzid, std::string_view authcid) {
    return authzid.empty() || authzid == authcid;
}

/// Whom the peer's certificate stands for: an rfc822Name of it, which is an account's address. Of
/// several the authorization identity chooses.
Result<std::string> certified_address(const PeerInfo& peer, std::string_view authzid) {
    if (!peer.tls || !peer.tls->peer_verified)
        return fail(ErrorKind::Rejected, "no certificate that can be trusted");
    MAILCORE_TRY(const auto chain, crypto::read_certificates(peer.tls->peer_certificate));
    const auto& addresses = chain.front().mail_addresses;
    if (authzid.empty() && addresses.size() == 1) return addresses.front();
    for (const auto& address : addresses)
        if (codec::equal_ignoring_case(address, authzid)) return address;
    return fail(ErrorKind::Rejected, addresses.empty() ? "it has no rfc822Name"
                                                       : "it is somebody else's, or several are");
}

bool offers_binding(const LoginOptions& login) {
    return std::ranges::any_of(login.mechanisms, [](const std::string& name) {
        const auto mechanism = sasl::parse_mechanism(name);
        return mechanism && sasl::binds_channel(*mechanism);
    });
}

} // namespace

Authentication::Authentication(Services& services, std::string service, const PeerInfo& peer,
                               const LoginOptions& login)
    : services_(services), service_(std::move(service)), peer_(peer) {
    if (offers_binding(login)) binding_ = sasl::channel_binding(peer);
}

Task<LoginStep> Authentication::by_password(std::string user, Secret password) {
    accounts::Login login{std::move(user), std::move(password), service_, peer_.address};
    auto answer = co_await services_.directory.authenticate(std::move(login));
    if (!answer) {
        MAILCORE_LOG(services_.log, Warning, "login.unavailable",
                     {{"service", service_}, {"error", answer.error().detail}});
        co_return LoginRefused{LoginRefused::Why::Unavailable};
    }
    co_return step_of(*answer);
}

Task<LoginStep> Authentication::begin(std::string name, std::optional<Secret> initial) {
    const auto mechanism = sasl::parse_mechanism(name);
    if (!mechanism || (sasl::binds_channel(*mechanism) && !binding_))
        co_return LoginRefused{LoginRefused::Why::Malformed};
    sasl::ServerOptions options;
    options.fake_salt_key = services_.fake_salt_key;
    options.binding = binding_;
    exchange_ = sasl::ServerExchange::create(*mechanism, std::move(options), services_.random);
    std::optional<std::string_view> response;
    if (initial) response = initial->reveal();
    auto step = exchange_->start(response);
    co_return co_await go_on(std::move(step));
}

Task<LoginStep> Authentication::respond(Secret octets) {
    auto step = exchange_->receive(octets.reveal());
    co_return co_await go_on(std::move(step));
}

/// Answers the exchange's questions until it has something for the client or has ended.
Task<LoginStep> Authentication::go_on(sasl::ServerStep step) {
    while (true) {
        if (auto* challenge = std::get_if<sasl::Challenge>(&step)) co_return std::move(*challenge);

        if (auto* need = std::get_if<sasl::NeedPassword>(&step)) {
            if (!acts_for_himself(need->authzid, need->authcid)) {
                step = exchange_->answer(sasl::Verdict::Bad);
                continue;
            }
            accounts::Login login{need->authcid, need->password, service_, peer_.address};
            auto answer = co_await services_.directory.authenticate(std::move(login));
            if (!answer) {
                step = exchange_->answer_unavailable();
                continue;
            }
            answer_ = *answer;
            const bool good = answer->outcome == LoginOutcome::Accepted;
            step = exchange_->answer(good ? sasl::Verdict::Good : sasl::Verdict::Bad);
            continue;
        }

        if (auto* need = std::get_if<sasl::NeedScramKeys>(&step)) {
            const bool himself = acts_for_himself(need->authzid, need->authcid);
            scram_login_ = accounts::Login{need->authcid, Secret{}, service_, peer_.address};
            auto begun = co_await services_.directory.begin_scram(scram_login_, need->hash);
            if (!begun) {
                step = exchange_->answer_unavailable();
                continue;
            }
            if (begun->outcome == LoginOutcome::Throttled)
                co_return LoginRefused{LoginRefused::Why::Throttled};
            const bool known = begun->account.value != 0 && himself;
            scram_ = std::move(*begun);
            std::optional<sasl::ScramKeys> keys;
            if (known) keys = scram_->keys;
            step = exchange_->answer_keys(std::move(keys));
            continue;
        }

        if (auto* need = std::get_if<sasl::NeedExternal>(&step)) {
            const auto address = certified_address(peer_, need->authzid);
            if (!address) {
                MAILCORE_LOG(services_.log, Warning, "login.certificate_refused",
                             {{"service", service_},
                              {"peer", peer_.address.to_string()},
                              {"reason", address.error().detail}});
                step = exchange_->answer(sasl::Verdict::Bad);
                continue;
            }
            accounts::Login login{*address, Secret{}, service_, peer_.address};
            auto answer = co_await services_.directory.admit(std::move(login));
            if (!answer) {
                step = exchange_->answer_unavailable();
                continue;
            }
            answer_ = *answer;
            const bool good = answer->outcome == LoginOutcome::Accepted;
            step = exchange_->answer(good ? sasl::Verdict::Good : sasl::Verdict::Bad);
            continue;
        }

        const bool success = std::holds_alternative<sasl::Success>(step);
        if (scram_) {
            auto begun = std::move(*scram_);
            scram_.reset();
            auto answer = co_await services_.directory.end_scram(scram_login_, std::move(begun),
                                                                 success ? LoginOutcome::Accepted
                                                                         : LoginOutcome::Denied);
            if (!answer) co_return LoginRefused{LoginRefused::Why::Unavailable};
            answer_ = *answer;
        }
        if (success && answer_) co_return step_of(*answer_);
        const auto* failure = std::get_if<sasl::Failure>(&step);
        if (failure && failure->reason == sasl::FailureReason::Malformed)
            co_return LoginRefused{LoginRefused::Why::Malformed};
        if (failure && failure->reason == sasl::FailureReason::Unavailable)
            co_return LoginRefused{LoginRefused::Why::Unavailable};
        if (answer_) co_return step_of(*answer_);
        co_return LoginRefused{LoginRefused::Why::Credentials};
    }
}

} // namespace mailcore::session
