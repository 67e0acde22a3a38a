// An SMTP server in five lines: a port and a function that takes a message.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/base/task.h"
#include "libmailcore/filter/verdict.h"
#include "libmailcore/smtp/server_engine.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::server {

/// A message as it came.
struct ReceivedMessage {
    std::string sender;                  ///< without brackets; empty: the null path
    std::vector<std::string> recipients; ///< without brackets
    std::string octets;                  ///< header and body, CRLF line ends
    PeerInfo peer;
    std::string helo;
};

/// Takes a message or refuses it; may wait, and meanwhile the server serves others. Called on the
/// server's loop. Cancelled when `answer_time` is over and when the connection or the server ends;
/// that a peer has gone is noticed when it is answered.
using MessageHandler = std::function<Task<filter::Verdict>(ReceivedMessage message)>;
/// The same for who decides at once. What takes long holds all connections up.
using PlainMessageHandler = std::function<filter::Verdict(const ReceivedMessage& message)>;

struct SmtpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;     ///< 0: any free one, told by `port()`
    smtp::ServerOptions engine; ///< limits and what is offered; no TLS and no AUTH here
    /// How long a handler may take; then the peer is told to try again later (451). Clients wait
    /// ten minutes (RFC 5321 §4.5.3.2.6).
    std::chrono::milliseconds answer_time{5 * 60 * 1000};
    /// How long the destructor waits for what is under way.
    std::chrono::milliseconds drain_time{1000};
};

/// Listens as long as it lives, on a thread of its own. Takes mail for anybody: what becomes of it
/// is the handler's business. A message is held in memory, at most `engine.message_octets_max`
/// octets. Several may live in one process.
class SmtpServer {
  public:
    /// Conflict: the port is in use.
    static Result<std::unique_ptr<SmtpServer>> start(MessageHandler handler,
                                                     SmtpServerOptions options);
    static Result<std::unique_ptr<SmtpServer>> start(MessageHandler handler) {
        return start(std::move(handler), SmtpServerOptions{});
    }
    static Result<std::unique_ptr<SmtpServer>> start(PlainMessageHandler handler,
                                                     SmtpServerOptions options);
    static Result<std::unique_ptr<SmtpServer>> start(PlainMessageHandler handler) {
        return start(std::move(handler), SmtpServerOptions{});
    }
    ~SmtpServer();
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Impl;
    explicit SmtpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace mailcore::server
