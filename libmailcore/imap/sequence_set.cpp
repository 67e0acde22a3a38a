#include "libmailcore/imap/sequence_set.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/number.h"

#include <algorithm>

namespace mailcore::imap {

NumberSet::NumberSet(std::vector<Range> ranges) {
    for (auto& range : ranges)
        if (range.first > range.last) std::swap(range.first, range.last);
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return a.first < b.first; });
    for (const auto& range : ranges) add(range);
}

void NumberSet::add(Range range) {
    if (range.first > range.last) std::swap(range.first, range.last);
    MAILCORE_ASSERT(range.first != 0);
    // The first range that touches or lies behind the new one.
    auto at = ranges_.end();
    if (!ranges_.empty() && std::uint64_t{ranges_.back().last} + 1 >= range.first)
        at = std::lower_bound(
            ranges_.begin(), ranges_.end(), range.first,
            [](const Range& r, std::uint32_t first) { return std::uint64_t{r.last} + 1 < first; });
    auto end = at;
    for (; end != ranges_.end() && end->first <= std::uint64_t{range.last} + 1; ++end) {
        range.first = std::min(range.first, end->first);
        range.last = std::max(range.last, end->last);
    }
    if (at == end) {
        ranges_.insert(at, range);
    } else {
        *at = range;
        ranges_.erase(at + 1, end);
    }
}

bool NumberSet::contains(std::uint32_t number) const {
    const auto at = std::lower_bound(
        ranges_.begin(), ranges_.end(), number,
        [](const Range& range, std::uint32_t wanted) { return range.last < wanted; });
    return at != ranges_.end() && at->first <= number;
}

std::uint64_t NumberSet::size() const {
    std::uint64_t total = 0;
    for (const auto& range : ranges_) total += std::uint64_t{range.last} - range.first + 1;
    return total;
}

void NumberSet::append_to(std::string& into) const {
    bool first = true;
    for (const auto& range : ranges_) {
        if (!first) into += ',';
        first = false;
        codec::append_number(into, range.first);
        if (range.last == range.first) continue;
        into += ':';
        codec::append_number(into, range.last);
    }
}

std::string NumberSet::to_string() const {
    std::string text;
    append_to(text);
    return text;
}

Result<SequenceSet, ParseError> SequenceSet::parse(std::string_view text,
                                                   std::size_t elements_max) {
    SequenceSet set;
    auto rest = text;
    const auto wrong = [&](std::string_view expected) {
        return std::unexpected(ParseError{text.size() - rest.size(), expected});
    };
    // seq-last-command = "$"
    if (text == "$") {
        set.saved_result_ = true;
        return set;
    }
    // seq-number = nz-number / "*"
    const auto take = [&]() -> std::optional<std::uint32_t> {
        if (rest.starts_with('*')) {
            rest.remove_prefix(1);
            return largest;
        }
        if (rest.starts_with('0')) return std::nullopt;
        return codec::take_number<std::uint32_t>(rest);
    };
    // sequence-set = (seq-number / seq-range) ["," sequence-set]
    for (;;) {
        if (set.elements_.size() == elements_max) return wrong("a shorter sequence set");
        const auto first = take();
        if (!first) return wrong("a number from 1 to 4294967295 or \"*\"");
        auto last = first;
        if (rest.starts_with(':')) {
            rest.remove_prefix(1);
            last = take();
            if (!last) return wrong("a number from 1 to 4294967295 or \"*\"");
        }
        set.elements_.push_back({*first, *last});
        if (rest.empty()) return set;
        if (!rest.starts_with(',')) return wrong("\",\" or the end of the sequence set");
        rest.remove_prefix(1);
    }
}

bool SequenceSet::names_largest() const {
    return std::any_of(elements_.begin(), elements_.end(), [](const NumberSet::Range& element) {
        return element.first == largest || element.last == largest;
    });
}

NumberSet SequenceSet::resolve(std::uint32_t largest_in_use) const {
    MAILCORE_ASSERT(!saved_result_);
    std::vector<NumberSet::Range> ranges;
    ranges.reserve(elements_.size());
    for (auto element : elements_) {
        if (element.first == largest) element.first = largest_in_use;
        if (element.last == largest) element.last = largest_in_use;
        if (element.first == 0) element.first = element.last;
        if (element.last == 0) element.last = element.first;
        if (element.first != 0) ranges.push_back(element);
    }
    return NumberSet(std::move(ranges));
}

std::optional<NumberSet> SequenceSet::message_numbers(std::uint32_t exists) const {
    if (exists == 0 && names_largest()) return std::nullopt;
    auto set = resolve(exists);
    if (set.max() > exists) return std::nullopt;
    return set;
}

} // namespace mailcore::imap
