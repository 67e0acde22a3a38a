// What a driver needs of a protocol engine, and of the one who owns it.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/peer.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mailcore::base {

/// Why a dialogue is being ended by us.
enum class ShutdownReason : std::uint8_t {
    Drain,    ///< the server stops or reloads: finish what runs, then say goodbye
    Shed,     ///< a memory or connection ceiling is near
    Disabled, ///< the account or service was switched off
};

/// One half of one dialogue: a deterministic function of its call sequence. Owns buffers and
/// protocol state; knows no socket, clock, thread, file or account. `now` never decreases. The
/// peer's mistakes are answered in the protocol, the caller's mistakes assert.
class Engine {
  public:
    /// What the driver must do once `output()` is empty; until then the engine neither reads nor
    /// writes.
    enum class Next : std::uint8_t { Run, StartTls, StartDeflate, CloseFlushed, Abort };

    virtual ~Engine() = default;

    /// Takes octets of the peer and returns how many; the driver keeps the rest and offers it
    /// again.
    virtual std::size_t receive(std::string_view octets, Instant now) = 0;
    /// The peer will send no more.
    virtual void receive_end(Instant now) = 0;
    /// False: stop reading (an unanswered command, output high, a body not taken).
    [[nodiscard]] virtual bool wants_input() const = 0;

    /// What is to be sent, gathered. The pieces stay valid until `output_sent`.
    [[nodiscard]] virtual std::span<const std::string_view> output() const = 0;
    /// `octets` of the output left. Progress restarts the stall timer.
    virtual void output_sent(std::size_t octets, Instant now) = 0;

    [[nodiscard]] virtual Next next() const = 0;
    /// TLS has started (or the connection began under it). The driver has dropped the octets that
    /// it had read and not delivered (RFC 3207 §4.2).
    virtual void transport_changed(const PeerInfo& peer, Instant now) = 0;

    /// The earliest time at which `expire` wants to be called; nothing: never.
    [[nodiscard]] virtual std::optional<Instant> deadline() const = 0;
    virtual void expire(Instant now) = 0;

    /// Says goodbye at the next safe point (421, * BYE), then `CloseFlushed`.
    virtual void shut_down(ShutdownReason reason, Instant now) = 0;
    /// Octets of heap held for this dialogue beyond the object itself. At rest no buffer is held.
    [[nodiscard]] virtual std::size_t memory() const = 0;
};

/// An engine together with the one who takes its events and answers them. Loop thread only.
class Dialogue {
  public:
    virtual ~Dialogue() = default;
    [[nodiscard]] virtual Engine& engine() = 0;
    /// Takes the engine's events. The driver calls it after each call into the engine and after
    /// `wake`.
    virtual void drain() = 0;
    /// The transport is gone and nothing more is delivered or sent. `drain` is not called again;
    /// the driver destroys the dialogue once `finished()`.
    virtual void closed() = 0;
    /// False as long as something of it (a Task) still runs after `closed`; then it wakes the
    /// driver.
    [[nodiscard]] virtual bool finished() const { return true; }
    /// Octets of heap that it holds beyond itself and its engine, as far as they grow with what the
    /// peer does.
    [[nodiscard]] virtual std::size_t memory() const { return 0; }
};

/// Tells the driver that an answer was given to the engine from outside of `drain`: there may be
/// output, room for input, or a changed `next()`. Loop thread only; cheap; may be called any number
/// of times.
class Waker {
  public:
    virtual void wake() = 0;

  protected:
    ~Waker() = default;
};

} // namespace mailcore::base
