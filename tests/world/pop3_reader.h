// Somebody who fetches his mail over POP3 and leaves some of it.
#pragma once

#include "libmailcore/base/random.h"
#include "tests/world/letters.h"
#include "tests/world/login.h"
#include "tests/world/network.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::world {

/// One session: all of it is retrieved, some deleted, then QUIT.
class Pop3Reader final : public End {
  public:
    Pop3Reader(Random& random, Letters& letters, std::string user)
        : random_(random), letters_(letters), user_(std::move(user)) {}

    void receive(std::string_view octets) override;
    void receive_end() override { closed_ = true; }
    void reset() override { closed_ = true; }
    [[nodiscard]] std::string take_output() override { return std::exchange(out_, {}); }
    [[nodiscard]] bool closed() const override { return closed_; }

  private:
    enum class Step : std::uint8_t { Greeting, User, Pass, Auth, Uidl, Retr, Dele, Quit };
    void log_in();
    void authenticated(std::string_view status);
    void answer(std::string_view status, std::string_view lines);
    void next_message();
    void say(Step step, const std::string& line) {
        step_ = step;
        out_ += line + "\r\n";
    }
    [[nodiscard]] bool multi_line() const { return step_ == Step::Uidl || step_ == Step::Retr; }

    Random& random_;
    Letters& letters_;
    std::string user_;
    std::optional<Login> login_;
    Step step_ = Step::Greeting;
    std::vector<std::pair<MailboxKey, std::uint32_t>> uids_; // by message number
    std::size_t at_ = 0;
    std::vector<std::size_t> deleted_;
    std::string in_, out_;
    bool closed_ = false;
};

} // namespace mailcore::world
