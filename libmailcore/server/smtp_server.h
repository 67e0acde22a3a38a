// An SMTP server in five lines: a port and a function that takes a message.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/filter/verdict.h"
#include "libmailcore/smtp/server_engine.h"

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

/// Takes a message or refuses it. Called on the server's loop, one call at a time; what takes long
/// should be handed to another thread.
using MessageHandler = std::function<filter::Verdict(const ReceivedMessage&)>;

struct SmtpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;     ///< 0: any free one, told by `port()`
    smtp::ServerOptions engine; ///< limits and what is offered; no TLS and no AUTH here
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
    ~SmtpServer();
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Impl;
    explicit SmtpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace mailcore::server
