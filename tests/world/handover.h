// What an onlooker sees of an SMTP or LMTP connection: which message was handed over, and whether
// the one who sent it came to know (RFC 5321 §6.1).
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/smtp/dialect.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// One message on its way from a client to a server.
struct Handover {
    std::optional<std::uint64_t> letter; ///< what it says of itself; absent: not known yet
    bool report = false;                 ///< from the null path
    /// Of all RCPTs but those that the client knows to be refused; of LMTP but those, too, for
    /// which the client knows the message to be taken.
    std::vector<std::string> recipients;
    bool complete = false;           ///< its last octet, and the dot, have come to the server
    std::optional<Instant> answered; ///< when the client heard the answer to it, all of them
    bool accepted = false;           ///< each of which was a 250
};

/// Reads along, octets as they arrive at each side. Knows as much of SMTP as it needs.
class HandoverWatch {
  public:
    explicit HandoverWatch(smtp::Dialect dialect = smtp::Dialect::Smtp) : dialect_(dialect) {}
    void client_said(std::string_view octets);
    void server_said(std::string_view octets, Instant now);
    /// The last one. After it another may follow on the same connection.
    [[nodiscard]] const Handover& current() const { return current_; }
    /// TLS begins; half lines are void.
    void restart();

  private:
    enum class State : std::uint8_t { Commands, DataAsked, Data, Chunk };
    /// What a reply is to.
    struct Awaited {
        enum class To : std::uint8_t { Greeting, Rcpt, Data, Message, Other };
        To to = To::Other;
        std::string recipient;
    };
    void command(std::string_view line);
    void body(std::string_view octets);
    void complete();
    void reply(std::string_view line, Instant now);
    void message_reply(bool good, Instant now);

    smtp::Dialect dialect_;
    Handover current_;
    std::deque<Awaited> awaited_{Awaited{Awaited::To::Greeting, {}}};
    std::size_t refused_ = 0; // LMTP: of the answers to the message
    State state_ = State::Commands;
    bool last_chunk_ = false;
    std::size_t chunk_left_ = 0;
    std::string line_, answer_, body_;
};

} // namespace mailcore::world
