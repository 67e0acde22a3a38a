// A POP3 client (RFC 1939) that asks for all of a maildrop, many messages ahead.
#pragma once

#include "tests/bench/mdload/letters.h"
#include "tests/bench/mdload/wire.h"

#include "tests/bench/mdload/text_client.h"

namespace mailcore::mdload {

class Pop3Client : public WireUser {
  public:
    Pop3Client(Loop& loop, const Endpoint& endpoint) : endpoint_(endpoint), wire_(loop, *this) {}

    std::function<void(const std::string&)> on_failed = [](const std::string&) {};
    /// Each message, when it is whole. Letters are read as they are on the wire: none has a line
    /// that begins with a dot.
    std::function<void(const LetterCheck&)> on_letter;

    /// Connects, secures, logs in and asks how many there are.
    void open(const User& user, std::function<void()> ready);
    /// RETR of 1 to `messages()`, `ahead` of them asked for before the first is there (RFC 2449
    /// §6.6).
    void retrieve_all(std::size_t ahead, std::function<void()> done);
    void quit();

    [[nodiscard]] std::uint32_t messages() const { return messages_; }
    [[nodiscard]] std::uint64_t octets() const { return octets_; }

    void secured() override;
    void received(std::string_view octets) override;
    void lost(const std::string& why) override { on_failed(why); }

  private:
    enum class State : std::uint8_t { Greeting, StartTls, User, Pass, Stat, Ready, Retrieving };
    void line(std::string_view text);
    void ask_more();
    std::string_view body(std::string_view octets);
    void pass(std::string_view octets);
    void fail(const std::string& why);

    const Endpoint& endpoint_;
    Wire wire_;
    mdload::User user_;
    std::function<void()> done_;
    State state_ = State::Greeting;
    std::string partial_; // line
    bool in_body_ = false;
    std::string tail_;        // the last octets of a body that may belong to its end
    std::size_t virtual_ = 0; // of which so many stand for the line end before the body
    std::uint32_t messages_ = 0, asked_ = 0, answered_ = 0;
    std::size_t ahead_ = 1;
    std::uint64_t octets_ = 0;
    std::uint64_t life_ = 0;
    LetterCheck check_;
};

} // namespace mailcore::mdload
