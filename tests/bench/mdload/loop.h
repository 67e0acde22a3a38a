// One thread that waits for sockets and for times.
#pragma once

#include "libmailcore/base/clock.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mailcore::mdload {

/// Says on standard error why it cannot go on, and ends the program.
[[noreturn]] void give_up(const std::string& why);

/// Whose socket it is. Events may be stale: read and write, and see.
class Watcher {
  public:
    virtual ~Watcher() = default;
    virtual void on_socket(bool readable, bool writable) = 0;
};

/// Waits with epoll, and with a timerfd, so that times are met to the microsecond. Watchers must
/// outlive `run`.
class Loop {
  public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    [[nodiscard]] Instant now() const { return clock_.now(); }
    [[nodiscard]] WallTime wall_now() const { return clock_.wall_now(); }

    void watch(int descriptor, Watcher& watcher, bool for_writing);
    void rewatch(int descriptor, Watcher& watcher, bool for_writing);

    /// Calls `what` at `when`, or soon after if that is past.
    void at(Instant when, std::function<void()> what);

    /// Until `stop`, or until an octet or the end is read from `until` (a descriptor; -1: none).
    void run(int until = -1);
    void stop() { stopping_ = true; }

    /// What a read may go into: one for all connections.
    [[nodiscard]] std::vector<char>& read_buffer() { return read_buffer_; }

  private:
    void call_due();
    void arm_timer();

    const base::SystemClock clock_;
    int epoll_ = -1, timer_ = -1;
    std::multimap<Instant, std::function<void()>> timed_;
    Instant armed_{};
    bool stopping_ = false;
    std::vector<char> read_buffer_;
};

} // namespace mailcore::mdload
