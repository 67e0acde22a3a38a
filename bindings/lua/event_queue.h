// What the library's threads have to tell, kept until the Lua script asks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

namespace mailcore::lua {

struct Event {
    enum class Kind : std::uint8_t { Message, Log, Change };
    Kind kind = Kind::Log;
    std::string json;        ///< the event, or the envelope of a message
    std::uint64_t token = 0; ///< Message: what its answer is for
    std::string octets;      ///< Message
};

/// Bounded. Any thread.
class EventQueue {
  public:
    static constexpr std::size_t events_max = 10'000;
    static constexpr std::size_t octets_max = 256 * 1024 * 1024;

    /// False: it is full or closed.
    [[nodiscard]] bool put(Event event);
    /// Waits at most `time` for the first.
    [[nodiscard]] std::optional<Event> take(std::chrono::duration<double> time);
    /// Events that found no room so far.
    [[nodiscard]] std::uint64_t dropped() const;
    /// Takes no more; answers what was left.
    [[nodiscard]] std::deque<Event> close();

  private:
    mutable std::mutex mutex_;
    std::condition_variable filled_;
    std::deque<Event> events_;
    std::size_t octets_ = 0; // of all events
    std::uint64_t dropped_ = 0;
    bool closed_ = false;
};

} // namespace mailcore::lua
