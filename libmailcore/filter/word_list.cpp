#include "libmailcore/filter/word_list.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>

namespace mailcore::filter {

namespace {

std::string folded(std::string_view text) {
    if (!codec::is_ascii(text)) return codec::fold_case_sanitised(text);
    return codec::lower(text);
}

/// Letters, digits and marks of scripts that put spaces between words: those before Thai.
bool joins_words(char32_t c) {
    if (c < 0x80) return codec::is_alnum(static_cast<char>(c));
    constexpr char32_t thai = 0x0E00;
    return c >= 0xC0 && c < thai && c != 0xD7 && c != 0xF7;
}

char32_t character_before(std::string_view text, std::size_t at) {
    auto begin = at - 1;
    while (begin > 0 && at - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
        --begin;
    return codec::decode_utf8(text.substr(begin, at - begin)).character;
}

bool is_boundary(std::string_view text, std::size_t at) {
    if (at == 0 || at >= text.size()) return true;
    return !joins_words(character_before(text, at)) ||
           !joins_words(codec::decode_utf8(text.substr(at)).character);
}

} // namespace

WordList::WordList(std::string_view text) {
    while (!text.empty() && entries_.size() < entries_max) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = codec::trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.starts_with('#') || line.size() > entry_octets_max) continue;
        const bool prefix = line.size() > 1 && line.ends_with('*');
        if (prefix) line.remove_suffix(1);
        auto word = folded(line);
        if (word.empty()) continue;
        add(word, prefix);
        entries_.insert(std::move(word));
    }
    link();
}

void WordList::add(std::string_view word, bool prefix) {
    std::uint32_t node = 0;
    for (const char c : word) {
        const auto octet = static_cast<unsigned char>(c);
        auto& next = nodes_[node].next;
        const auto place = std::ranges::lower_bound(
            next, octet, {}, &std::pair<unsigned char, std::uint32_t>::first);
        if (place != next.end() && place->first == octet) {
            node = place->second;
            continue;
        }
        const auto made = static_cast<std::uint32_t>(nodes_.size());
        next.insert(place, {octet, made});
        nodes_.emplace_back();
        node = made;
    }
    nodes_[node].octets = static_cast<std::uint32_t>(word.size());
    nodes_[node].prefix = nodes_[node].prefix || prefix;
}

/// Where a match fails, the longest end of it that begins another word goes on.
void WordList::link() {
    std::vector<std::uint32_t> queue;
    for (const auto& [octet, child] : nodes_[0].next) {
        first_[octet] = child;
        queue.push_back(child);
    }
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const auto node = queue[i];
        const auto& fallback = nodes_[nodes_[node].fallback];
        nodes_[node].shorter = fallback.octets > 0 ? nodes_[node].fallback : fallback.shorter;
        for (const auto& [octet, child] : nodes_[node].next) {
            nodes_[child].fallback = step(nodes_[node].fallback, octet);
            queue.push_back(child);
        }
    }
}

std::uint32_t WordList::step(std::uint32_t node, unsigned char octet) const {
    while (node != 0) {
        for (const auto& [each, child] : nodes_[node].next) {
            if (each == octet) return child;
            if (each > octet) break;
        }
        node = nodes_[node].fallback;
    }
    return first_[octet];
}

bool WordList::has(std::string_view value) const {
    return entries_.contains(folded(codec::trim(value)));
}

std::optional<std::string> WordList::find_in(std::string_view text) const {
    if (entries_.empty()) return std::nullopt;
    const auto where = folded(text);
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < where.size(); ++i) {
        node = step(node, static_cast<unsigned char>(where[i]));
        for (auto word = node; word != 0; word = nodes_[word].shorter) {
            const auto octets = nodes_[word].octets;
            if (octets == 0) continue;
            const auto end = i + 1;
            if (is_boundary(where, end - octets) &&
                (nodes_[word].prefix || is_boundary(where, end)))
                return where.substr(end - octets, octets);
        }
    }
    return std::nullopt;
}

} // namespace mailcore::filter
