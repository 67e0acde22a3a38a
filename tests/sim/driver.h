// Drives one Dialogue in virtual time over a transport that a test holds in its hands.
#pragma once

#include "libmailcore/base/engine.h"
#include "tests/sim/virtual_scheduler.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::sim {

/// What net/connection is for sockets. Made first, since the dialogue wants a Waker; then `start`.
class Driver final : public base::Waker {
  public:
    explicit Driver(VirtualScheduler& scheduler) : scheduler_(scheduler) {}
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    void start(std::unique_ptr<base::Dialogue> dialogue);
    void wake() override;

    /// Octets from the peer; the engine takes them when it wants to.
    void offer(std::string_view octets);
    /// The peer sends no more.
    void end();
    /// The transport breaks: nothing more in either direction.
    void cut();
    /// TLS stands: what was offered before and not yet taken is dropped, as RFC 3207 §4.2 wants.
    void tls_started(const PeerInfo& peer);
    /// What the engine has sent since the last call. With a room set, only that much was accepted.
    [[nodiscard]] std::string take_output();
    /// How many octets the peer will still accept; nothing: any number.
    void set_room(std::optional<std::size_t> octets);

    [[nodiscard]] bool closed() const { return closed_; }
    [[nodiscard]] bool aborted() const { return aborted_; }
    [[nodiscard]] bool wants_tls() const { return wants_tls_; }
    [[nodiscard]] std::size_t unread() const { return inbound_.size(); }
    [[nodiscard]] base::Engine& engine() { return dialogue_->engine(); }

  private:
    void pump();
    bool step();
    void close();
    void arm();

    VirtualScheduler& scheduler_;
    std::unique_ptr<base::Dialogue> dialogue_;
    std::string inbound_;
    std::string outbound_;
    std::optional<std::size_t> room_;
    std::optional<TimerId> timer_;
    bool pumping_ = false;
    bool woken_ = false;
    bool ended_ = false;
    bool end_told_ = false;
    bool closed_ = false;
    bool aborted_ = false;
    bool wants_tls_ = false;
};

} // namespace mailcore::sim
