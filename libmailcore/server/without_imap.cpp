// In place of imap_service.cpp where a build leaves IMAP out.
#include "libmailcore/server/factories.h"

namespace mailcore::server {

DialogueMaker imap_dialogues() { return nullptr; }

} // namespace mailcore::server
