// HELO, EHLO and LHLO (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/domain_name.h"
#include "libmailcore/smtp/server_engine.h"

#include <algorithm>

namespace mailcore::smtp {

void ServerEngine::helo(std::string_view arguments) { hello(Hello::Verb::Helo, arguments); }
void ServerEngine::ehlo(std::string_view arguments) { hello(Hello::Verb::Ehlo, arguments); }
void ServerEngine::lhlo(std::string_view arguments) { hello(Hello::Verb::Lhlo, arguments); }

// "EHLO" SP ( Domain / address-literal ). Only ASCII: the client cannot know yet what we take (RFC
// 6531 §3.7.1).
void ServerEngine::hello(Hello::Verb verb, std::string_view client) {
    const bool any_word = options_->hello_any_word && !client.empty() &&
                          client.size() <= codec::domain_octets_max &&
                          std::ranges::all_of(client, codec::is_visible);
    if (!any_word && !codec::is_domain(client) && !codec::parse_address_literal(client))
        return bad_command({501, EnhancedStatus{5, 5, 4}, "Needs a domain or an address literal"});
    hello_verb_ = verb;
    const auto id = begin(Doing::Hello);
    events_.push_back(Hello{id, verb, std::string(client)});
}

} // namespace mailcore::smtp
