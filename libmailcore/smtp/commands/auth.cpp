// AUTH (RFC 4954 §4). The exchange itself is the owner's; base64 and cancelling are ours.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/smtp/server_engine.h"

#include <algorithm>

namespace mailcore::smtp {

// "AUTH" SP sasl-mech [SP initial-response]; "=" is an empty one.
void ServerEngine::auth(std::string_view arguments) {
    if (authenticated_) return bad_command({503, EnhancedStatus{5, 5, 1}, "Already authenticated"});
    if (options_->mechanisms.empty())
        return bad_command({502, EnhancedStatus{5, 5, 1}, "AUTH is not offered"});
    const auto space = std::min(arguments.find(' '), arguments.size());
    const auto mechanism = codec::upper(arguments.substr(0, space));
    if (mechanism.empty())
        return bad_command({501, EnhancedStatus{5, 5, 4}, "AUTH needs a mechanism"});
    if (!auth_allowed())
        return bad_command(
            {538, EnhancedStatus{5, 7, 11}, "Encryption required for authentication"});
    if (!offers(mechanism))
        return bad_command({504, EnhancedStatus{5, 5, 4}, "Unrecognized authentication mechanism"});
    std::optional<Secret> initial;
    if (space != arguments.size()) {
        const auto text = arguments.substr(space + 1);
        auto octets = text == "=" ? std::optional<std::string>("") : codec::base64_decode(text);
        if (!octets || text.empty())
            return bad_command({501, EnhancedStatus{5, 5, 2}, "Initial response is not base64"});
        initial.emplace(std::move(*octets));
    }
    const auto id = begin(Doing::Auth);
    events_.push_back(AuthBegin{id, mechanism, std::move(initial)});
}

void ServerEngine::challenge(CommandId id, std::string_view octets) {
    if (closing_ || aborted_) return;
    MAILCORE_ASSERT(id == last_id_ && doing_ == Doing::Auth);
    // No enhanced status, and the space stays even if nothing follows.
    if (output_.empty()) answered_late_ = true;
    output_ += "334 ";
    codec::base64_encode(octets, output_.tail());
    output_ += "\r\n";
    doing_ = Doing::AuthLine;
    if (shutting_down_) finish();
}

void ServerEngine::auth_line(std::string_view line) {
    if (line == "*") return bad_command({501, EnhancedStatus{5, 7, 0}, "Authentication cancelled"});
    auto octets = codec::base64_decode(line);
    if (!octets) return bad_command({501, EnhancedStatus{5, 5, 2}, "Not base64"});
    doing_ = Doing::Auth;
    events_.push_back(AuthData{last_id_, Secret{std::move(*octets)}});
}

} // namespace mailcore::smtp
