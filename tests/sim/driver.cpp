#include "tests/sim/driver.h"

#include "libmailcore/base/assert.h"

#include <algorithm>
#include <utility>

namespace mailcore::sim {

using base::Engine;

Driver::~Driver() {
    cut();
    if (dialogue_) MAILCORE_ASSERT(dialogue_->finished());
}

void Driver::start(std::unique_ptr<base::Dialogue> dialogue) {
    dialogue_ = std::move(dialogue);
    pump();
}

void Driver::wake() {
    woken_ = true;
    if (!pumping_ && dialogue_) pump();
}

void Driver::offer(std::string_view octets) {
    inbound_ += octets;
    pump();
}

void Driver::end() {
    ended_ = true;
    pump();
}

void Driver::cut() {
    if (!closed_) close();
}

void Driver::tls_started(const PeerInfo& peer) {
    MAILCORE_ASSERT(wants_tls_);
    wants_tls_ = false;
    inbound_.clear();
    engine().transport_changed(peer, scheduler_.now());
    pump();
}

std::string Driver::take_output() { return std::exchange(outbound_, {}); }

void Driver::set_room(std::optional<std::size_t> octets) {
    room_ = octets;
    pump();
}

void Driver::close() {
    closed_ = true;
    inbound_.clear();
    if (timer_) scheduler_.cancel_timer(*timer_);
    timer_.reset();
    if (dialogue_) dialogue_->closed();
}

/// One round; true if anything happened.
bool Driver::step() {
    bool progress = std::exchange(woken_, false);
    auto& engine = this->engine();
    if (engine.next() == Engine::Next::Run && engine.wants_input()) {
        if (!inbound_.empty()) {
            const auto taken = engine.receive(inbound_, scheduler_.now());
            MAILCORE_ASSERT(taken <= inbound_.size());
            inbound_.erase(0, taken);
            progress |= taken > 0;
        } else if (ended_ && !end_told_) {
            end_told_ = true;
            engine.receive_end(scheduler_.now());
            progress = true;
        }
    }
    dialogue_->drain();
    std::size_t sent = 0;
    for (const auto piece : engine.output()) {
        const auto count = room_ ? std::min(*room_, piece.size()) : piece.size();
        outbound_ += piece.substr(0, count);
        sent += count;
        if (room_) *room_ -= count;
        if (count < piece.size()) break;
    }
    if (sent > 0) {
        engine.output_sent(sent, scheduler_.now());
        progress = true;
        dialogue_->drain();
    }
    if (engine.next() == Engine::Next::Abort) {
        aborted_ = true;
        close();
        return false;
    }
    if (engine.output().empty()) {
        if (engine.next() == Engine::Next::CloseFlushed) {
            close();
            return false;
        }
        if (engine.next() == Engine::Next::StartTls) {
            wants_tls_ = true;
            return false;
        }
    }
    return progress || woken_;
}

void Driver::pump() {
    if (pumping_ || closed_ || wants_tls_ || !dialogue_) return;
    pumping_ = true;
    while (step()) {
    }
    pumping_ = false;
    if (!closed_) arm();
}

void Driver::arm() {
    if (timer_) scheduler_.cancel_timer(*timer_);
    timer_.reset();
    const auto deadline = engine().deadline();
    if (!deadline) return;
    timer_ = scheduler_.start_timer(*deadline, [this] {
        timer_.reset();
        engine().expire(scheduler_.now());
        pump();
    });
}

} // namespace mailcore::sim
