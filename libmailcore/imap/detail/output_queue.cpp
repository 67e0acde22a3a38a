#include "libmailcore/imap/detail/output_queue.h"

#include "libmailcore/base/assert.h"

#include <algorithm>

namespace mailcore::imap::detail {
namespace {
constexpr std::size_t piece_octets_max = 64 * 1024;
constexpr std::size_t small_piece_octets = 8 * 1024;
} // namespace

/// Joins what is small, since each piece costs a little on its way out. False: it needs a segment
/// of its own.
bool OutputQueue::join(Segments::iterator before, std::string_view octets) {
    size_ += octets.size();
    if (before == segments_.begin()) return octets.empty();
    auto& last = *std::prev(before);
    const auto together = last.octets.size() + octets.size();
    if (last.pull || last.shown || together > piece_octets_max) return octets.empty();
    // The answers of many messages: room for the whole piece, at once.
    if (together > last.octets.capacity() && together > small_piece_octets)
        last.octets.reserve(piece_octets_max);
    last.octets += octets;
    return true;
}

void OutputQueue::append(std::string_view octets) {
    if (!join(segments_.end(), octets)) segments_.push_back(Segment{std::string(octets)});
}

void OutputQueue::append_pull(std::uint64_t octets, std::uint64_t token) {
    if (octets > 0) segments_.push_back(Segment{{}, Pull{octets, octets, token}});
}

OutputQueue::Segments::const_iterator OutputQueue::first_pull() const {
    return std::ranges::find_if(segments_,
                                [](const Segment& segment) { return segment.pull.has_value(); });
}

const OutputQueue::Pull* OutputQueue::pull() const {
    const auto at = first_pull();
    return at == segments_.end() ? nullptr : &*at->pull;
}

void OutputQueue::fill(std::string octets) {
    // An iterator that may change what it points to.
    const auto at = segments_.erase(first_pull(), first_pull());
    MAILCORE_ASSERT(at != segments_.end() && octets.size() <= at->pull->left);
    at->pull->left -= octets.size();
    if (!join(at, octets)) segments_.insert(at, Segment{std::move(octets)});
    if (at->pull->left == 0) segments_.erase(at);
}

std::span<const std::string_view> OutputQueue::pieces() const {
    views_.clear();
    for (const auto& segment : segments_) {
        if (segment.pull) break;
        segment.shown = true;
        views_.push_back(views_.empty() ? std::string_view(segment.octets).substr(sent_)
                                        : std::string_view(segment.octets));
    }
    return views_;
}

void OutputQueue::sent(std::size_t octets) {
    MAILCORE_ASSERT(octets <= size_);
    size_ -= octets;
    sent_ += octets;
    while (!segments_.empty() && !segments_.front().pull &&
           sent_ >= segments_.front().octets.size()) {
        sent_ -= segments_.front().octets.size();
        segments_.pop_front();
    }
    MAILCORE_ASSERT(sent_ == 0 || (!segments_.empty() && !segments_.front().pull));
    std::vector<std::string_view>().swap(views_); // assigning an empty one would keep the capacity
}

std::size_t OutputQueue::memory() const {
    std::size_t octets = views_.capacity() * sizeof(std::string_view);
    for (const auto& segment : segments_)
        octets += sizeof segment + 2 * sizeof(void*) + segment.octets.capacity();
    return octets;
}

} // namespace mailcore::imap::detail
