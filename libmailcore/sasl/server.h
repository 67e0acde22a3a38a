// The server's half of a SASL exchange: responses in; challenges, questions to its owner and an end
// out.
#pragma once

#include "libmailcore/sasl/scram.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace mailcore::sasl {

/// To be sent to the client, encoded as the protocol does; may be empty. Continue with `receive`.
struct Challenge {
    std::string octets;
};
/// Is this password (as typed) that of `authcid`, and may it act as `authzid`? Empty `authzid`: as
/// itself. Continue with `answer`.
struct NeedPassword {
    std::string authzid;
    std::string authcid;
    Secret password;
};
/// The keys of `authcid`. None if there is no such name, it may not act as `authzid`, or may not
/// log in: the exchange then goes on to the same refusal as a wrong password. Continue with
/// `answer_keys`.
struct NeedScramKeys {
    std::string authzid;
    std::string authcid;
    ScramHash hash;
};
/// Does what lies under the exchange (a client certificate, a UNIX peer) say who this is, and may
/// that be `authzid`? Empty: whoever it is. Continue with `answer`.
struct NeedExternal {
    std::string authzid;
};
/// The client is who it says. `authcid` is empty with EXTERNAL: the owner knows.
struct Success {
    std::string authzid; ///< empty: the same as `authcid`
    std::string authcid;
    /// Goes with the outcome where the protocol has room for it (`success_data`); nothing: none.
    std::optional<std::string> data;
};
enum class FailureReason : std::uint8_t {
    Malformed,   ///< not what the mechanism's grammar says
    Refused,     ///< wrong name, password, proof or right; never told which
    Unavailable, ///< could not be found out now
    Unsupported, ///< the client wants an extension or a channel binding that is not there
};
struct Failure {
    FailureReason reason = FailureReason::Refused;
    std::string authcid; ///< who it would have been, for logs and delays; may be empty
};

using ServerStep =
    std::variant<Challenge, NeedPassword, NeedScramKeys, NeedExternal, Success, Failure>;

/// What the owner found out. `Bad` also for names that do not exist.
enum class Verdict : std::uint8_t { Good, Bad, Unavailable };

struct ServerOptions {
    /// Names that do not exist get salts made of this: the same each time, as if they existed. A
    /// process or installation secret of 16 octets or more; with a new one at each start, names
    /// could be told by waiting for a restart.
    Secret fake_salt_key;
    /// What those names seem to have; should be what new accounts get.
    std::uint32_t fake_iterations = scram_iterations_default;
    /// The TLS session's; nothing: -PLUS is not offered. A client that says it saw none is then
    /// believed.
    std::optional<ChannelBinding> binding;
    /// The protocol can send data with its success (ManageSieve, XMPP). If not, as in SMTP, IMAP
    /// and POP3, it goes as one more challenge, to be answered by nothing (RFC 4422 §5).
    bool success_data = false;
    /// Instead of a random one. Tests only.
    std::string nonce;
};

/// One exchange. Each call returns what is to be done next; after Success or Failure nothing may be
/// called. The owner may take as long as it wants to answer. Cancelling is destroying. One thread
/// only.
class ServerExchange {
  public:
    /// -PLUS needs `options.binding`.
    static std::unique_ptr<ServerExchange> create(Mechanism mechanism, ServerOptions options,
                                                  Random& random);
    virtual ~ServerExchange() = default;

    /// `initial_response`: nothing if the client sent none, which is not the same as an empty one.
    ServerStep start(std::optional<std::string_view> initial_response);
    /// The client's answer to a Challenge.
    ServerStep receive(std::string_view response);
    /// Answers NeedPassword and NeedExternal.
    ServerStep answer(Verdict verdict);
    /// Answers NeedScramKeys.
    ServerStep answer_keys(std::optional<ScramKeys> keys);
    /// Answers any Need: it cannot be found out now.
    ServerStep answer_unavailable();

  protected:
    enum class Awaiting : std::uint8_t { Start, Response, Verdict, Keys, End };
    /// `response` is at most `message_octets_max`.
    virtual ServerStep on_response(std::string_view response) = 0;
    /// What a client that sent nothing at first is asked.
    virtual ServerStep on_no_initial_response() { return Challenge{}; }
    virtual ServerStep on_good_verdict() = 0;
    virtual ServerStep on_keys(std::optional<ScramKeys>) { return Failure{}; }
    [[nodiscard]] virtual std::string identity() const = 0;
    [[nodiscard]] Failure failure(FailureReason reason) const { return {reason, identity()}; }

  private:
    ServerStep next(ServerStep step);
    Awaiting awaiting_ = Awaiting::Start;
};

} // namespace mailcore::sasl
