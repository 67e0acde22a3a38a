// Somebody who hands a letter to his server over SMTP submission, as simply as can be.
#pragma once

#include "libmailcore/base/random.h"
#include "tests/world/letters.h"
#include "tests/world/network.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// One try, on one connection (RFC 6409, AUTH PLAIN).
class SmtpSender final : public End {
  public:
    struct Outcome {
        bool acknowledged = false;         ///< 250 to the message
        std::vector<std::string> accepted; ///< recipients
        std::vector<std::string> refused;  ///< for good
    };
    /// `done` is told once, at the end.
    SmtpSender(const Letter& letter, std::vector<std::string> recipients, bool pipelines,
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
    void say_recipients();
    void give_up();

    std::string sender_, message_;
    std::vector<std::string> recipients_;
    bool pipelines_;
    std::function<void(Outcome)> done_;
    Outcome outcome_;
    Step step_ = Step::Greeting;
    std::size_t next_ = 0; // recipient
    std::string in_, out_;
    std::optional<std::size_t> room_;
    bool closed_ = false;
};

} // namespace mailcore::world
