#include "libmailcore/pop3/server_engine.h"

namespace mailcore::pop3 {

// After login QUIT enters UPDATE: only now are messages deleted (RFC 1939 §6).
void ServerEngine::quit(const Arguments&) {
    if (state_ == State::Authorization) {
        ok("bye");
        next_ = Next::CloseFlushed;
        return;
    }
    std::vector<MessageNumber> deleted;
    for (std::size_t i = 0; i < deleted_.size(); ++i)
        if (deleted_[i]) deleted.emplace_back(static_cast<std::uint32_t>(i + 1));
    state_ = State::Update;
    const auto id = begin(Doing::Committing);
    events_.push_back(Commit{id, std::move(deleted)});
}

} // namespace mailcore::pop3
