// A maildrop in memory behind the POP3 engine: the reference owner for dialogues and fuzzing.
#pragma once

#include "libmailcore/pop3/server_engine.h"

#include <map>
#include <string>
#include <vector>

namespace mailcore::pop3 {

/// One user's mail and password. Outlives the connections to it.
struct MemoryMaildrop {
    std::string password;
    std::vector<std::string> messages;
    bool in_use = false;
    bool body_fails = false;
    bool commit_fails = false;
};

/// Owns an engine and answers each event at once, as a session would after asking a store.
class MemoryDialogue final : public base::Dialogue {
  public:
    MemoryDialogue(std::map<std::string, MemoryMaildrop>& maildrops, Options options,
                   const PeerInfo& peer, Instant now, std::vector<std::string>* log = nullptr)
        : maildrops_(maildrops), engine_(std::move(options), peer, now), log_(log) {}
    ~MemoryDialogue() override { release(); }

    base::Engine& engine() override { return engine_; }
    void drain() override;
    void closed() override { release(); }

  private:
    void record(std::string text) {
        if (log_) log_->push_back(std::move(text));
    }
    void log_in(CommandId id, const std::string& user, std::string_view password);
    void release();

    std::map<std::string, MemoryMaildrop>& maildrops_;
    ServerEngine engine_;
    std::vector<std::string>* log_;  // absent: nobody listens
    MemoryMaildrop* open_ = nullptr; // absent until somebody has logged in
    std::string auth_user_;
    std::string body_;
    std::size_t sent_ = 0;
};

} // namespace mailcore::pop3
