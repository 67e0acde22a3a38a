// POP3 connections, in a build that has them.
#include "libmailcore/server/factories.h"

namespace mailcore::server {

DialogueMaker pop3_dialogues() {
    return [](session::Services& services, const ServiceOptions& options, const PeerInfo& peer,
              base::Waker& waker) -> std::unique_ptr<base::Dialogue> {
        return std::make_unique<session::Pop3Session>(services, options.pop3, peer, waker);
    };
}

} // namespace mailcore::server
