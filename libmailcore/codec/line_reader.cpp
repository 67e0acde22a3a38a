#include "libmailcore/codec/line_reader.h"

#include <algorithm>
#include <cstring>

namespace mailcore::codec {

LineReader::Step LineReader::finish(Outcome outcome, std::size_t taken) {
    swallowed_ = 0;
    cr_ = malformed_ = false;
    done_ = true;
    if (outcome != Outcome::Line) line_ = {};
    return {outcome, taken};
}

LineReader::Step LineReader::read(std::string_view octets) {
    if (done_) {
        // Memory goes back between lines: an idle connection holds none.
        std::string().swap(pending_);
        line_ = {};
        done_ = false;
    }
    std::size_t at = 0; // the first octet not yet looked at
    while (at < octets.size()) {
        if (cr_) {
            cr_ = false;
            if (octets[at] == '\n') {
                ++at;
                const auto total = pending_.size() + at;
                if (swallowed_ > 0 || total > octets_max_) {
                    std::string().swap(pending_);
                    return finish(Outcome::TooLong, at);
                }
                if (pending_.empty()) {
                    line_ = octets.substr(0, at - 2);
                } else {
                    pending_.append(octets.substr(0, at));
                    line_ = std::string_view(pending_).substr(0, pending_.size() - 2);
                }
                return finish(malformed_ ? Outcome::Malformed : Outcome::Line, at);
            }
            malformed_ = true; // a bare CR
            continue;
        }
        const auto rest = octets.substr(at);
        const auto cr = std::min(rest.find('\r'), rest.size());
        const auto before = rest.substr(0, cr);
        if (!malformed_ && !before.empty() &&
            (std::memchr(before.data(), '\n', before.size()) ||
             std::memchr(before.data(), '\0', before.size())))
            malformed_ = true;
        at += cr;
        if (at < octets.size()) {
            cr_ = true;
            ++at;
        }
    }
    if (swallowed_ > 0) {
        swallowed_ += octets.size();
    } else if (pending_.size() + octets.size() > octets_max_) {
        swallowed_ = pending_.size() + octets.size();
        std::string().swap(pending_);
    } else {
        pending_.append(octets);
    }
    return {Outcome::NeedMore, octets.size()};
}

void LineReader::clear() {
    std::string().swap(pending_);
    line_ = {};
    swallowed_ = 0;
    cr_ = malformed_ = done_ = false;
}

std::size_t LineReader::memory() const {
    static const std::size_t inside = std::string().capacity();
    return pending_.capacity() > inside ? pending_.capacity() : 0;
}

} // namespace mailcore::codec
