#include "libmailcore/net/pipe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

namespace mailcore::net {

namespace {

/// What both ends share. An end's `watcher` is touched on its own scheduler only.
class Pipe : public std::enable_shared_from_this<Pipe> {
  public:
    struct End {
        base::Scheduler* scheduler = nullptr;
        Transport::Watcher* watcher = nullptr; // absent: gone
        bool finished = false;                 // sends no more
        bool gone = false;
        bool wants_read = false;
        bool wants_write = false;
        bool posted = false;
        std::string inbox;
        std::size_t taken = 0; // of the inbox
        [[nodiscard]] std::size_t waiting() const { return inbox.size() - taken; }
    };

    std::mutex mutex;
    std::array<End, 2> ends;
    std::size_t octets_max = 0;

    [[nodiscard]] bool readable(std::size_t side) const {
        const auto& other = ends[1 - side];
        return ends[side].waiting() > 0 || other.finished || other.gone;
    }
    [[nodiscard]] bool writable(std::size_t side) const {
        const auto& other = ends[1 - side];
        return other.gone || other.waiting() < octets_max;
    }
    /// With the lock held: sees to it that the end is told what it waits for.
    void notify(std::size_t side) {
        auto& end = ends[side];
        if (end.posted || end.gone) return;
        if (!(end.wants_read && readable(side)) && !(end.wants_write && writable(side))) return;
        end.posted = true;
        end.scheduler->post([self = shared_from_this(), side] { self->tell(side); });
    }

  private:
    void tell(std::size_t side) {
        Transport::Watcher* watcher = nullptr;
        bool can_read = false;
        bool can_write = false;
        {
            const std::scoped_lock lock(mutex);
            auto& end = ends[side];
            end.posted = false;
            if (end.gone) return;
            can_read = end.wants_read && readable(side);
            can_write = end.wants_write && writable(side);
            watcher = end.watcher;
        }
        if (watcher && (can_read || can_write)) watcher->ready(can_read, can_write);
        const std::scoped_lock lock(mutex);
        notify(side); // still so: told again
    }
};

class PipeTransport final : public Transport {
  public:
    PipeTransport(std::shared_ptr<Pipe> pipe, std::size_t side)
        : pipe_(std::move(pipe)), side_(side) {}
    ~PipeTransport() override {
        const std::scoped_lock lock(pipe_->mutex);
        auto& own = end();
        own.gone = true;
        own.watcher = nullptr;
        own.inbox = {};
        own.taken = 0;
        pipe_->notify(1 - side_);
    }

    Moved receive(std::span<char> into) override {
        const std::scoped_lock lock(pipe_->mutex);
        auto& own = end();
        const auto count = std::min(into.size(), own.waiting());
        if (count == 0)
            return {other().finished || other().gone ? Moved::How::End : Moved::How::Blocked, 0, 0};
        std::memcpy(into.data(), own.inbox.data() + own.taken, count);
        own.taken += count;
        if (own.waiting() == 0) {
            own.inbox = {};
            own.taken = 0;
        }
        pipe_->notify(1 - side_);
        return {Moved::How::Some, count, 0};
    }
    Moved send(std::span<const std::string_view> pieces) override {
        const std::scoped_lock lock(pipe_->mutex);
        auto& to = other();
        if (to.gone) return {Moved::How::Broken, 0, EPIPE};
        std::size_t sent = 0;
        to.inbox.erase(0, std::exchange(to.taken, 0));
        for (const auto piece : pieces) {
            const auto part = piece.substr(0, pipe_->octets_max - to.inbox.size());
            to.inbox += part;
            sent += part.size();
            if (part.size() < piece.size()) break;
        }
        if (sent == 0) return {Moved::How::Blocked, 0, 0};
        pipe_->notify(1 - side_);
        return {Moved::How::Some, sent, 0};
    }
    void finish_sending() override {
        const std::scoped_lock lock(pipe_->mutex);
        end().finished = true;
        pipe_->notify(1 - side_);
    }
    void watch(Watcher& watcher, bool readable, bool writable) override {
        const std::scoped_lock lock(pipe_->mutex);
        auto& own = end();
        own.watcher = &watcher;
        own.wants_read = readable;
        own.wants_write = writable;
        pipe_->notify(side_);
    }

  private:
    Pipe::End& end() { return pipe_->ends[side_]; }
    Pipe::End& other() { return pipe_->ends[1 - side_]; }
    std::shared_ptr<Pipe> pipe_;
    std::size_t side_;
};

} // namespace

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>
make_pipe(base::Scheduler& first, base::Scheduler& second, std::size_t octets_max) {
    auto pipe = std::make_shared<Pipe>();
    pipe->octets_max = octets_max;
    pipe->ends[0].scheduler = &first;
    pipe->ends[1].scheduler = &second;
    return {std::make_unique<PipeTransport>(pipe, 0), std::make_unique<PipeTransport>(pipe, 1)};
}

} // namespace mailcore::net
