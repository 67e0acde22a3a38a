#include "libmailcore/imap/detail/output_queue.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::imap::detail {
namespace {
constexpr std::size_t piece_octets_max = 64 * 1024;
} // namespace

void OutputQueue::append(std::string_view octets) {
    if (octets.empty()) return;
    size_ += octets.size();
    if (!open_ || open_->size() + octets.size() > piece_octets_max)
        open_ = &std::get<std::string>(segments_.emplace_back(std::string()));
    open_->append(octets);
}

void OutputQueue::append_pull(std::uint64_t octets, std::uint64_t token) {
    if (octets == 0) return;
    segments_.emplace_back(Pull{octets, octets, token});
    open_ = nullptr;
}

const OutputQueue::Pull* OutputQueue::pull() const {
    for (const auto& segment : segments_)
        if (const auto* pull = std::get_if<Pull>(&segment)) return pull;
    return nullptr;
}

void OutputQueue::fill(std::string octets) {
    const auto at = std::ranges::find_if(
        segments_, [](const Segment& segment) { return std::holds_alternative<Pull>(segment); });
    MAILCORE_ASSERT(at != segments_.end());
    auto& pull = std::get<Pull>(*at);
    MAILCORE_ASSERT(octets.size() <= pull.left);
    pull.left -= octets.size();
    size_ += octets.size();
    if (!octets.empty()) segments_.emplace(at, std::move(octets));
    if (pull.left == 0) segments_.erase(at);
}

std::span<const std::string_view> OutputQueue::pieces() const {
    views_.clear();
    open_ = nullptr;
    for (const auto& segment : segments_) {
        const auto* octets = std::get_if<std::string>(&segment);
        if (!octets) break;
        views_.push_back(views_.empty() ? std::string_view(*octets).substr(sent_) : *octets);
    }
    return views_;
}

void OutputQueue::sent(std::size_t octets) {
    MAILCORE_ASSERT(octets <= size_);
    size_ -= octets;
    sent_ += octets;
    while (!segments_.empty()) {
        const auto* first = std::get_if<std::string>(&segments_.front());
        if (!first || sent_ < first->size()) break;
        sent_ -= first->size();
        if (first == open_) open_ = nullptr;
        segments_.pop_front();
    }
    MAILCORE_ASSERT(sent_ == 0 || !segments_.empty());
    views_ = {};
}

std::size_t OutputQueue::memory() const {
    std::size_t octets = views_.capacity() * sizeof(std::string_view);
    for (const auto& segment : segments_) {
        octets += sizeof segment + 2 * sizeof(void*);
        if (const auto* text = std::get_if<std::string>(&segment)) octets += text->capacity();
    }
    return octets;
}

} // namespace mailcore::imap::detail
