#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

namespace {
constexpr std::size_t auth_line_octets_max =
    12'288 + 2; // RFC 5034 §4: enough for any mechanism's line
}

// AUTH mechanism [initial-response]; "=" is an empty one (RFC 5034 §4). Without arguments some
// clients want the list of mechanisms, which is what CAPA is for.
void ServerEngine::auth(const Arguments& arguments) {
    if (arguments.words.empty()) return bad_command("AUTH needs a mechanism; see CAPA");
    const auto mechanism = codec::upper(arguments.words[0]);
    if (!offers(mechanism)) return err(Refusal::Permanent, "mechanism not offered");
    std::optional<Secret> initial;
    if (arguments.words.size() == 2) {
        const auto text = arguments.words[1];
        auto octets = text == "=" ? std::optional<std::string>("") : codec::base64_decode(text);
        if (!octets) return bad_command("initial response is not base64");
        initial.emplace(std::move(*octets));
    }
    const auto id = begin(Doing::Challenging);
    events_.push_back(AuthBegin{id, mechanism, std::move(initial)});
}

void ServerEngine::challenge(CommandId id, std::string_view octets) {
    check_open(id, Doing::Challenging);
    output_ += "+ ";
    codec::base64_encode(octets, output_.tail());
    output_ += "\r\n";
    doing_ = Doing::AwaitingAuthLine;
    reader_.set_octets_max(auth_line_octets_max);
    settle();
}

void ServerEngine::auth_line(std::string_view line) {
    if (line == "*") {
        events_.push_back(AuthEnd{last_id_});
        finish();
        return err("authentication cancelled");
    }
    auto octets = codec::base64_decode(line);
    if (!octets) return bad_command("not base64");
    doing_ = Doing::Challenging;
    events_.push_back(AuthData{last_id_, Secret{std::move(*octets)}});
}

} // namespace mailcore::pop3
