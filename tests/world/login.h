// How somebody of a world proves who he is: as SASL has it, or with his password in the protocol's
// own words; now and then with a wrong one.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/sasl/client.h"
#include "tests/world/letters.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::world {

/// One login. How is chance's: PLAIN or SCRAM-SHA-256, with an initial response or without.
class Login {
  public:
    enum class Password : std::uint8_t { Right, Wrong };
    /// What a server has said at the end.
    enum class Verdict : std::uint8_t {
        In,
        Denied, ///< since name or password are wrong
        Failed, ///< for any other reason
    };

    /// Nearly always the right one.
    [[nodiscard]] static Password any_password(Random& random) {
        return random.below(16) == 0 ? Password::Wrong : Password::Right;
    }
    Login(Random& random, std::string user, Password password = Password::Right);

    [[nodiscard]] const std::string& user() const { return user_; }
    [[nodiscard]] std::string password() const {
        return password_ == Password::Right ? "secret" : "Secret";
    }
    /// What follows AUTH or AUTHENTICATE.
    [[nodiscard]] std::string mechanism();
    /// The line that answers a challenge, both in base64.
    [[nodiscard]] std::string answer(std::string_view challenge);
    /// The end of a SASL exchange, or of a login by password. True: he is in.
    bool end(Verdict verdict, Letters& letters, bool by_sasl);
    /// It was wrong on purpose, and another login may follow on the same connection.
    [[nodiscard]] bool was_wrong() const { return password_ == Password::Wrong; }

  private:
    std::string user_;
    Password password_;
    bool scram_, at_once_;
    std::unique_ptr<sasl::ClientExchange> exchange_;
    std::string objection_; // to what the server said
};

} // namespace mailcore::world
