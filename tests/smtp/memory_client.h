// An SMTP or LMTP client that sends what a test gives it: the owner behind a client engine.
#pragma once

#include "libmailcore/smtp/client_engine.h"
#include "tests/sim/virtual_scheduler.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::smtp {

struct OutgoingMessage {
    Envelope envelope;
    std::string octets;
    bool fails = false;             ///< its octets cannot be had after the first piece
    std::size_t piece_max = 65'536; ///< how much of it is given at once
};

/// Logs in if told so, sends its messages one after the other, and quits when told so.
class MemoryClientDialogue final : public base::Dialogue {
  public:
    MemoryClientDialogue(ClientOptions options, const PeerInfo& peer, base::Instant now)
        : engine_(std::make_shared<const ClientOptions>(std::move(options)), peer, now) {}

    base::Engine& engine() override { return engine_; }
    ClientEngine& client_engine() { return engine_; }
    void drain() override;
    void closed() override { log.push_back("closed"); }

    struct Login {
        std::string mechanism, user, password;
        bool initial = true;
    };
    void log_in(Login login) {
        login_ = std::move(login);
        go_on();
    }
    void send(OutgoingMessage message) {
        messages_.push_back(std::move(message));
        go_on();
    }
    void quit() {
        quit_ = true;
        go_on();
    }
    /// Takes the next piece that was asked for, if `hold_body` kept it.
    void go_on_with_body();

    std::vector<std::string> log;
    std::vector<TransactionDone> done;
    std::optional<Ended> ended;
    bool hold_body = false;

  private:
    void handle(ClientEvent& event);
    void go_on();
    void give(const NeedBody& need);

    ClientEngine engine_;
    bool ready_ = false;
    bool quit_ = false;
    int asked_ = 0; // challenges answered
    std::optional<Login> login_;
    std::deque<OutgoingMessage> messages_; // the first is under way if sending_
    bool sending_ = false;
    std::size_t sent_ = 0;
    std::optional<NeedBody> held_;
};

} // namespace mailcore::smtp
