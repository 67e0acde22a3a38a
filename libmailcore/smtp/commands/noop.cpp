// NOOP (RFC 5321 §4.1.1.9).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

// Its argument, if any, means nothing.
void ServerEngine::noop(std::string_view) { say({250, EnhancedStatus{2, 0, 0}, "OK"}); }

} // namespace mailcore::smtp
