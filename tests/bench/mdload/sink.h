// An SMTP server that takes all mail and keeps none: where outgoing mail of a server goes.
#pragma once

#include "tests/bench/mdload/letters.h"
#include "tests/bench/mdload/wire.h"

#include <functional>
#include <memory>
#include <string>

namespace mailcore::mdload {

/// Listens on a loopback address. Speaks EHLO, PIPELINING, 8BITMIME, SIZE, and DATA; every message
/// is checked as a letter and then forgotten.
class Sink final : public Watcher {
  public:
    Sink(Loop& loop, const std::string& host, std::uint16_t port);
    ~Sink() override;

    /// After each message.
    std::function<void(const LetterCheck&)> on_message = [](const LetterCheck&) {};
    [[nodiscard]] std::uint64_t octets() const { return octets_; }
    /// The listening socket: for who asked for port 0.
    [[nodiscard]] int descriptor() const { return descriptor_; }

    void on_socket(bool readable, bool writable) override;

  private:
    class Visitor;
    Loop& loop_;
    int descriptor_ = -1;
    std::vector<std::unique_ptr<Visitor>> visitors_;
    std::uint64_t octets_ = 0;
};

} // namespace mailcore::mdload
