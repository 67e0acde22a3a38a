// epoll and a timerfd.
#include "tests/bench/mdload/loop.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace mailcore::mdload {

namespace {
constexpr std::size_t read_octets = 256 * 1024;
} // namespace

void give_up(const std::string& why) {
    std::fflush(stdout);
    fmt::print(stderr, "mdload: {}\n", why);
    std::exit(1);
}

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      read_buffer_(read_octets) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (epoll_ < 0 || timer_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event) != 0)
        give_up(fmt::format("no epoll here: {}", std::strerror(errno)));
}

Loop::~Loop() {
    ::close(timer_);
    ::close(epoll_);
}

void Loop::watch(int descriptor, Watcher& watcher, bool for_writing) {
    epoll_event event{.events = EPOLLIN | (for_writing ? EPOLLOUT : 0u), .data = {.ptr = &watcher}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0)
        give_up(fmt::format("epoll: {}", std::strerror(errno)));
}

void Loop::rewatch(int descriptor, Watcher& watcher, bool for_writing) {
    epoll_event event{.events = EPOLLIN | (for_writing ? EPOLLOUT : 0u), .data = {.ptr = &watcher}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0)
        give_up(fmt::format("epoll: {}", std::strerror(errno)));
}

void Loop::at(Instant when, std::function<void()> what) { timed_.emplace(when, std::move(what)); }

void Loop::call_due() {
    // Only what was due when we began: what is called may ask for more.
    const auto until = now();
    while (!timed_.empty() && timed_.begin()->first <= until && !stopping_) {
        auto what = std::move(timed_.begin()->second);
        timed_.erase(timed_.begin());
        what();
    }
}

void Loop::arm_timer() {
    const auto next = timed_.empty() ? Instant{} : timed_.begin()->first;
    if (next == armed_) return;
    armed_ = next;
    itimerspec spec{};
    if (next != Instant{}) {
        // Relative: zero would disarm it.
        const auto left = std::max<std::int64_t>(1, (next - now()).count());
        spec.it_value = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    }
    ::timerfd_settime(timer_, 0, &spec, nullptr);
}

void Loop::run(int until) {
    struct Ending : Watcher {
        void on_socket(bool, bool) override { ended = true; }
        bool ended = false;
    } ending;
    if (until >= 0) watch(until, ending, false);
    std::array<epoll_event, 256> events;
    stopping_ = false;
    while (!stopping_ && !ending.ended) {
        call_due();
        if (stopping_) break;
        arm_timer();
        const auto count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
        if (count < 0 && errno != EINTR) give_up(fmt::format("epoll: {}", std::strerror(errno)));
        for (int i = 0; i < count && !stopping_; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            if (event.data.ptr == nullptr) {
                std::uint64_t times = 0;
                if (::read(timer_, &times, sizeof times) > 0) armed_ = Instant{};
                continue;
            }
            static_cast<Watcher*>(event.data.ptr)
                ->on_socket((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                            (event.events & EPOLLOUT) != 0);
        }
    }
    if (until >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, until, nullptr);
}

} // namespace mailcore::mdload
