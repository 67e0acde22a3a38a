#include "libmailcore/filter/detail/lua_pattern.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::filter::detail {

namespace {

constexpr unsigned depth_max = 200;

bool class_has(unsigned char octet, char name) {
    const char c = static_cast<char>(octet);
    bool has = false;
    switch (codec::lower(name)) {
    case 'a': has = codec::is_alpha(c); break;
    case 'c': has = codec::is_control(c); break;
    case 'd': has = codec::is_digit(c); break;
    case 'g': has = codec::is_visible(c); break;
    case 'l': has = codec::is_lower(c); break;
    case 'p': has = codec::is_visible(c) && !codec::is_alnum(c); break;
    case 's': has = codec::is_space(c) || c == '\v' || c == '\f'; break;
    case 'u': has = codec::is_upper(c); break;
    case 'w': has = codec::is_alnum(c); break;
    case 'x': has = codec::is_digit(c) || (codec::lower(c) >= 'a' && codec::lower(c) <= 'f'); break;
    default: return name == c;
    }
    return codec::is_upper(name) ? !has : has;
}

} // namespace

PatternMatcher::Outcome PatternMatcher::match_at(std::size_t begin) {
    captures_ = 0;
    depth_ = 0;
    const auto end = run(begin, 0);
    if (problem_) return Outcome::Malformed;
    if (out_of_steps_) return Outcome::OutOfSteps;
    if (end == nowhere) return Outcome::Unmatched;
    for (std::size_t i = 0; i < captures_; ++i)
        if (all_[i].open) {
            problem_ = "unfinished capture";
            return Outcome::Malformed;
        }
    end_ = end;
    return Outcome::Matched;
}

std::size_t PatternMatcher::malformed(const char* problem) {
    if (!problem_) problem_ = problem;
    return nowhere;
}

/// Matches from `item` of the pattern to its end; where that ends in the subject.
std::size_t PatternMatcher::run(std::size_t at, std::size_t item) {
    if (++depth_ > depth_max) return malformed("pattern too complex");
    struct Up {
        unsigned& depth;
        ~Up() { --depth; }
    } const up{depth_};
    while (item < pattern_.size()) {
        if (problem_ || out_of_steps_) return nowhere;
        if (steps_left_ == 0) {
            out_of_steps_ = true;
            return nowhere;
        }
        --steps_left_;
        const char c = pattern_[item];
        const char next = item + 1 < pattern_.size() ? pattern_[item + 1] : '\0';
        if (c == '(') return open_capture(at, item);
        if (c == ')') return close_capture(at, item);
        if (c == '$' && item + 1 == pattern_.size()) return at == subject_.size() ? at : nowhere;
        if (c == '%' && (next == 'b' || next == 'f' || codec::is_digit(next))) {
            at = next == 'b'   ? balanced(at, item)
                 : next == 'f' ? frontier(at, item)
                               : same_again(at, item);
            if (at == nowhere) return nowhere;
            item = next == 'b' ? item + 4 : next == 'f' ? item_end(item + 2) : item + 2;
            continue;
        }
        const auto behind = item_end(item);
        if (behind == nowhere) return nowhere;
        switch (behind < pattern_.size() ? pattern_[behind] : '\0') {
        case '?':
            if (item_takes(at, item, behind)) {
                const auto end = run(at + 1, behind + 1);
                if (end != nowhere) return end;
            }
            item = behind + 1;
            continue;
        case '*': return repeated(at, item, behind, true, 0);
        case '+': return repeated(at, item, behind, true, 1);
        case '-': return repeated(at, item, behind, false, 0);
        default:
            if (!item_takes(at, item, behind)) return nowhere;
            ++at;
            item = behind;
        }
    }
    return at;
}

std::size_t PatternMatcher::repeated(std::size_t at, std::size_t item, std::size_t behind,
                                     bool greedy, std::size_t least) {
    std::size_t times = 0;
    const auto take = [&] {
        if (!item_takes(at + times, item, behind)) return false;
        ++times;
        if (steps_left_ == 0) {
            out_of_steps_ = true;
            return false;
        }
        --steps_left_;
        return true;
    };
    while ((greedy || times < least) && take()) {
    }
    if (greedy) {
        for (std::size_t left = times + 1; left-- > least;) {
            const auto end = run(at + left, behind + 1);
            if (end != nowhere || problem_ || out_of_steps_) return end;
        }
        return nowhere;
    }
    while (!problem_ && !out_of_steps_) {
        const auto end = run(at + times, behind + 1);
        if (end != nowhere) return end;
        if (!take()) break;
    }
    return nowhere;
}

std::size_t PatternMatcher::open_capture(std::size_t at, std::size_t item) {
    if (captures_ == captures_max) return malformed("too many captures");
    const bool position = item + 1 < pattern_.size() && pattern_[item + 1] == ')';
    const auto mine = captures_++;
    all_[mine] = Capture{at, 0, position, !position};
    const auto end = run(at, item + (position ? 2 : 1));
    if (end == nowhere) captures_ = mine;
    return end;
}

std::size_t PatternMatcher::close_capture(std::size_t at, std::size_t item) {
    for (auto mine = captures_; mine-- > 0;) {
        if (!all_[mine].open) continue;
        all_[mine].open = false;
        all_[mine].octets = at - all_[mine].begin;
        const auto end = run(at, item + 1);
        if (end == nowhere) all_[mine].open = true;
        return end;
    }
    return malformed("invalid pattern capture");
}

/// "%bxy"
std::size_t PatternMatcher::balanced(std::size_t at, std::size_t item) {
    if (item + 3 >= pattern_.size()) return malformed("missing arguments to '%b'");
    if (at >= subject_.size() || subject_[at] != pattern_[item + 2]) return nowhere;
    std::size_t open = 1;
    for (auto place = at + 1; place < subject_.size(); ++place) {
        if (steps_left_ == 0) {
            out_of_steps_ = true;
            return nowhere;
        }
        --steps_left_;
        if (subject_[place] == pattern_[item + 3]) {
            if (--open == 0) return place + 1;
        } else if (subject_[place] == pattern_[item + 2]) {
            ++open;
        }
    }
    return nowhere;
}

/// "%f[set]": between an octet that is not in the set and one that is; the ends count as NUL.
std::size_t PatternMatcher::frontier(std::size_t at, std::size_t item) {
    if (item + 2 >= pattern_.size() || pattern_[item + 2] != '[')
        return malformed("missing '[' after '%f'");
    const auto behind = item_end(item + 2);
    if (behind == nowhere) return nowhere;
    const auto before = at == 0 ? '\0' : subject_[at - 1];
    const auto here = at < subject_.size() ? subject_[at] : '\0';
    return !set_has(static_cast<unsigned char>(before), item + 2, behind - 1) &&
                   set_has(static_cast<unsigned char>(here), item + 2, behind - 1)
               ? at
               : nowhere;
}

/// "%1"
std::size_t PatternMatcher::same_again(std::size_t at, std::size_t item) {
    const auto index = static_cast<std::size_t>(pattern_[item + 1] - '1');
    if (pattern_[item + 1] == '0' || index >= captures_ || all_[index].open)
        return malformed("invalid capture index");
    const auto text = subject_.substr(all_[index].begin, all_[index].octets);
    const auto cost = text.size() / 16;
    if (steps_left_ < cost) {
        out_of_steps_ = true;
        return nowhere;
    }
    steps_left_ -= cost;
    return subject_.substr(at).starts_with(text) ? at + text.size() : nowhere;
}

/// Where the single item that begins at `item` ends: a class, a set or an octet.
std::size_t PatternMatcher::item_end(std::size_t item) {
    if (pattern_[item] == '%') {
        if (item + 1 >= pattern_.size()) return malformed("malformed pattern (ends with '%')");
        return item + 2;
    }
    if (pattern_[item] != '[') return item + 1;
    auto at = item + 1;
    if (at < pattern_.size() && pattern_[at] == '^') ++at;
    bool first = true; // a "]" right at the beginning is one of the set
    while (at < pattern_.size() && (first || pattern_[at] != ']')) {
        first = false;
        at += pattern_[at] == '%' ? 2 : 1;
    }
    if (at >= pattern_.size()) return malformed("malformed pattern (missing ']')");
    return at + 1;
}

bool PatternMatcher::item_takes(std::size_t at, std::size_t item, std::size_t behind) const {
    if (at >= subject_.size()) return false;
    const auto c = static_cast<unsigned char>(subject_[at]);
    switch (pattern_[item]) {
    case '.': return true;
    case '%': return class_has(c, pattern_[item + 1]);
    case '[': return set_has(c, item, behind - 1);
    default: return static_cast<unsigned char>(pattern_[item]) == c;
    }
}

/// `item` is at "[", `last` at its "]".
bool PatternMatcher::set_has(unsigned char c, std::size_t item, std::size_t last) const {
    auto at = item + 1;
    const bool inverted = pattern_[at] == '^';
    if (inverted) ++at;
    bool has = false;
    while (at < last) {
        if (pattern_[at] == '%' && at + 1 < last) {
            has = has || class_has(c, pattern_[at + 1]);
            at += 2;
        } else if (at + 2 < last && pattern_[at + 1] == '-') {
            has = has || (static_cast<unsigned char>(pattern_[at]) <= c &&
                          c <= static_cast<unsigned char>(pattern_[at + 2]));
            at += 3;
        } else {
            has = has || static_cast<unsigned char>(pattern_[at]) == c;
            ++at;
        }
    }
    return has != inverted;
}

} // namespace mailcore::filter::detail
