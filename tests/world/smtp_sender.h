// Somebody who hands a letter to his server, as simply as can be: a person over SMTP submission, a
// program of the server's machine over LMTP.
#pragma once

#include "libmailcore/smtp/dialect.h"
#include "tests/world/letters.h"
#include "tests/world/login.h"
#include "tests/world/network.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// One try, on one connection (RFC 6409 with RFC 4954; RFC 2033).
class SmtpSender final : public End {
  public:
    struct Manner {
        smtp::Dialect dialect = smtp::Dialect::Smtp;
        bool pipelines = false;
        bool tells_size = false; ///< RFC 1870
    };
    struct Outcome {
        std::vector<std::string> taken;   ///< recipients for whom the message was answered 250
        std::vector<std::string> refused; ///< recipients, for good
    };
    /// `done` is told once, at the end.
    SmtpSender(Letters& letters, Random& random, const Letter& letter,
               std::vector<std::string> recipients, Manner manner,
               std::function<void(Outcome)> done);
    ~SmtpSender() override { reset(); }

    void receive(std::string_view octets) override;
    void receive_end() override { reset(); }
    void reset() override;
    [[nodiscard]] std::string take_output() override;
    [[nodiscard]] bool closed() const override { return closed_; }
    void set_room(std::optional<std::size_t> octets) override { room_ = octets; }

  private:
    enum class Step : std::uint8_t { Greeting, Hello, Auth, Mail, Rcpt, Data, Body, Quit };
    void reply(std::string_view line);
    void say(std::string_view line) { out_ += std::string(line) + "\r\n"; }
    [[nodiscard]] bool lmtp() const { return manner_.dialect == smtp::Dialect::Lmtp; }
    void log_in();
    void authenticated(std::string_view line);
    void mail();
    void say_recipients();
    void give_up();

    Letters& letters_;
    Random& random_;
    std::string sender_, message_;
    std::size_t size_;
    std::vector<std::string> recipients_;
    Manner manner_;
    std::optional<Login> login_;
    std::function<void(Outcome)> done_;
    Outcome outcome_;
    Step step_ = Step::Greeting;
    std::size_t next_ = 0;              // recipient
    std::vector<std::string> accepted_; // recipients, and the message is not answered yet
    std::string in_, out_;
    std::optional<std::size_t> room_;
    bool closed_ = false;
};

} // namespace mailcore::world
