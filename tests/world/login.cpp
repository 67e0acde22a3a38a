#include "tests/world/login.h"

#include "libmailcore/codec/base64.h"

namespace mailcore::world {

namespace {

sasl::ClientOptions options() {
    sasl::ClientOptions options;
    options.iterations_min = 1; // a world has no time for more
    return options;
}

} // namespace

Login::Login(Random& random, std::string user, Password password)
    : user_(std::move(user)), password_(password), scram_(random.below(2) == 0),
      at_once_(random.below(3) != 0) {
    sasl::Credentials credentials;
    credentials.authcid = user_;
    credentials.password = Secret(this->password());
    exchange_ =
        sasl::ClientExchange::create(scram_ ? sasl::Mechanism::ScramSha256 : sasl::Mechanism::Plain,
                                     std::move(credentials), options(), random)
            .value();
}

std::string Login::mechanism() {
    std::string text = scram_ ? "SCRAM-SHA-256" : "PLAIN";
    if (at_once_) text += " " + codec::base64_encode(exchange_->initial_response()->reveal());
    return text;
}

std::string Login::answer(std::string_view challenge) {
    const auto octets = codec::base64_decode(challenge);
    if (!octets) {
        objection_ = "a challenge that is not base64";
        return "*";
    }
    const auto response = exchange_->respond(*octets);
    if (response) return codec::base64_encode(response->reveal());
    objection_ = response.error().detail;
    return "*";
}

bool Login::end(Verdict verdict, Letters& letters, bool by_sasl) {
    const auto complain = [&](const std::string& what) {
        letters.complain("a login of " + user_ + (scram_ && by_sasl ? " by SCRAM: " : ": ") + what);
    };
    const bool right = password_ == Password::Right;
    if (right && !objection_.empty()) complain(objection_);
    if (verdict == Verdict::Denied && right && objection_.empty())
        complain("the right password is denied");
    if (verdict != Verdict::In) return false;
    if (!right) complain("let in with a wrong password");
    if (by_sasl)
        if (const auto proved = exchange_->succeed(std::nullopt); right && !proved)
            complain(proved.error().detail);
    return true;
}

} // namespace mailcore::world
