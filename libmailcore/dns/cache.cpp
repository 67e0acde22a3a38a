#include "libmailcore/dns/cache.h"

#include <algorithm>

namespace mailcore::dns {

namespace {

std::size_t entry_octets(const Question& question, const Result<Answer>& answer) {
    // The question stands in the list and in the index; 128 octets for the nodes of both.
    std::size_t octets = 2 * (sizeof question + question.name.wire().size()) + sizeof answer + 128;
    if (!answer) return octets + answer.error().detail.size();
    octets += answer->canonical_name.wire().size();
    for (const auto& record : answer->records) octets += dns::memory(record);
    return octets;
}

} // namespace

std::optional<Result<Answer>> Cache::find(const Question& question, Instant now) {
    const auto found = index_.find(question);
    if (found == index_.end() || found->second->until <= now) {
        if (found != index_.end()) drop(found->second);
        ++misses_;
        return std::nullopt;
    }
    const auto entry = found->second;
    entries_.splice(entries_.begin(), entries_, entry);
    ++hits_;
    auto answer = entry->answer;
    // At least a second: what is good now must not look as if it could not be remembered.
    if (answer)
        answer->ttl = std::max(std::chrono::seconds{1},
                               std::chrono::floor<std::chrono::seconds>(entry->until - now));
    return answer;
}

void Cache::put(const Question& question, const Result<Answer>& answer, Instant now) {
    if (const auto old = index_.find(question); old != index_.end()) drop(old->second);
    const auto ttl = !answer           ? options_.failure_ttl
                     : answer->found() ? std::min(answer->ttl, options_.ttl_max)
                                       : std::min(answer->ttl, options_.negative_ttl_max);
    const auto octets = entry_octets(question, answer);
    if (ttl <= std::chrono::seconds{0} || octets > options_.octets_max) return;
    while (octets_ + octets > options_.octets_max) drop(std::prev(entries_.end()));
    entries_.push_front(Entry{question, answer, now + ttl, octets});
    index_.emplace(question, entries_.begin());
    octets_ += octets;
}

void Cache::clear() {
    index_.clear();
    entries_.clear();
    octets_ = 0;
}

void Cache::erase(const Name& name) {
    for (auto i = index_.lower_bound(Question{name, Type{0}});
         i != index_.end() && i->first.name == name;) {
        const auto entry = i++->second;
        drop(entry);
    }
}

void Cache::drop(Entries::iterator entry) {
    octets_ -= entry->octets;
    index_.erase(entry->question);
    entries_.erase(entry);
}

} // namespace mailcore::dns
