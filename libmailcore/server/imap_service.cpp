// IMAP connections, in a build that has them.
#include "libmailcore/server/factories.h"

namespace mailcore::server {

DialogueMaker imap_dialogues() {
    return [](session::Services& services, const ServiceOptions& options, const PeerInfo& peer,
              base::Waker& waker) -> std::unique_ptr<base::Dialogue> {
        return std::make_unique<session::ImapSession>(services, options.imap, peer, waker);
    };
}

} // namespace mailcore::server
