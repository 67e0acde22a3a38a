// What carries a connection's octets: a socket, or a pipe inside the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mailcore::net {

/// A stream in both directions that never waits. Destroying it closes it at once. One Scheduler's
/// thread.
class Transport {
  public:
    struct Moved {
        enum class How : std::uint8_t {
            Some,    ///< `octets`, at least one
            Blocked, ///< none now: watch for it
            End,     ///< none any more: the peer has finished sending
            Broken,  ///< none any more, in either direction; `error` is an errno
        };
        How how = How::Blocked;
        std::size_t octets = 0;
        int error = 0;
    };

    /// Who is told that something can be moved again.
    class Watcher {
      public:
        /// Either may be said too often.
        virtual void ready(bool readable, bool writable) = 0;

      protected:
        ~Watcher() = default;
    };

    virtual ~Transport() = default;
    virtual Moved receive(std::span<char> into) = 0;
    /// Takes of the pieces, in order, what there is room for.
    virtual Moved send(std::span<const std::string_view> pieces) = 0;
    /// The peer will see the end of the stream; receiving goes on.
    virtual void finish_sending() = 0;
    /// Asks `watcher`, which outlives this, to be told, from the scheduler and as long as it is so:
    /// that there is something to receive (or the end), that there is room to send. Replaces what
    /// was asked.
    virtual void watch(Watcher& watcher, bool readable, bool writable) = 0;
};

} // namespace mailcore::net
