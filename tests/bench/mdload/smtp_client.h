// The sending half of SMTP and LMTP (RFC 5321, RFC 2033), as far as a load needs it.
#pragma once

#include "tests/bench/mdload/letters.h"
#include "tests/bench/mdload/text_client.h"

namespace mailcore::mdload {

enum class SmtpDialect : std::uint8_t { Smtp, Lmtp };

struct SmtpSettings {
    Endpoint endpoint;
    SmtpDialect dialect = SmtpDialect::Smtp;
    bool pipelining = true; ///< MAIL, RCPT and DATA in one packet where it is offered (RFC 2920)
    User user;              ///< AUTH PLAIN if it has a name
};

/// One message after the other over one connection.
class SmtpClient : public TextClient {
  public:
    SmtpClient(Loop& loop, const SmtpSettings& settings)
        : TextClient(loop, settings.endpoint), settings_(settings) {}

    std::function<void()> on_ready = [] {};    ///< greeted, secured, logged in
    std::function<void()> on_accepted = [] {}; ///< every recipient's 250 is there

    void open();
    /// The letter is made when the server asks for it.
    void send(std::string_view sender, std::span<const std::string> recipients, Letters& letters);
    void quit();
    [[nodiscard]] std::size_t letter_octets() const { return letter_octets_; }

    void secured() override;

  protected:
    void line(std::string_view text) override;

  private:
    enum class State : std::uint8_t { Greeting, Hello, StartTls, Auth, Ready, Envelope, Body };
    void hello();
    void reply(std::string_view text);
    void send_envelope_step();

    const SmtpSettings& settings_;
    State state_ = State::Greeting;
    bool can_pipeline_ = false, can_start_tls_ = false, secured_ = false;
    std::vector<std::string> steps_; // commands of the envelope that are yet to be sent
    std::size_t steps_sent_ = 0;
    std::size_t awaited_ = 0; // replies of the group under way
    std::size_t recipients_ = 0;
    std::size_t letter_octets_ = 0;
    Letters* letters_ = nullptr;
};

} // namespace mailcore::mdload
