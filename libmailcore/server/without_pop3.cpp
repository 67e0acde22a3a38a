// In place of pop3_service.cpp where a build leaves POP3 out.
#include "libmailcore/server/factories.h"

namespace mailcore::server {

DialogueMaker pop3_dialogues() { return nullptr; }

} // namespace mailcore::server
