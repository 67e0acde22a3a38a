// An SMTP or LMTP server with everything in memory: the owner that tests put behind a server
// engine.
#pragma once

#include "libmailcore/smtp/server_engine.h"
#include "tests/sim/virtual_scheduler.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::smtp {

struct ReceivedMessage {
    Path sender;
    MailParameters parameters;
    std::vector<Path> recipients;
    std::vector<RcptParameters> recipient_parameters;
    std::string octets;
};

/// What a server knows and does; shared by its connections.
struct MemoryServer {
    ServerOptions options;
    /// What is answered at a stage instead of accepting: "connect", "hello", "mail", "rcpt",
    /// "body", "headers", "chunk", "end", with LMTP also "end 1", "end 2" ...
    std::map<std::string, Reply, std::less<>> answers;
    std::string held; ///< the stage whose next event waits for `release`
    std::map<std::string, std::string, std::less<>> passwords;
    std::vector<ReceivedMessage> messages;
    std::vector<std::string> log;
};

/// Recipients "no-such..." are refused with 550, "full..." with 452; all others are good.
class MemoryServerDialogue final : public base::Dialogue {
  public:
    MemoryServerDialogue(MemoryServer& server, const PeerInfo& peer, base::Instant now)
        : server_(server),
          engine_(std::make_shared<const ServerOptions>(server.options), peer, now) {}

    base::Engine& engine() override { return engine_; }
    ServerEngine& server_engine() { return engine_; }
    void drain() override;
    void closed() override;
    /// Answers what was held, and takes what comes after it.
    void release();

  private:
    void handle(ServerEvent& event);
    /// The scripted answer, if there is one; else accepts.
    void answer(std::string_view stage, CommandId id);
    bool held(std::string_view stage, CommandId id);
    void log_in(CommandId id, std::string_view user, std::string_view password);
    void plain(CommandId id, std::string_view message);

    MemoryServer& server_;
    ServerEngine engine_;
    ReceivedMessage message_;
    std::string login_user_;
    std::string mechanism_;
    struct Held {
        std::string stage;
        CommandId id;
    };
    std::optional<Held> waiting_;
};

/// "550 5.1.1 text" as a value.
[[nodiscard]] Reply reply_of(std::string_view text);
/// CR, LF and control octets made visible.
[[nodiscard]] std::string visible(std::string_view octets);
/// The converse: \r \n \t \0 \xHH.
[[nodiscard]] std::string unescaped(std::string_view text);

} // namespace mailcore::smtp
