#include "libmailcore/codec/dot_stuffing.h"

namespace mailcore::codec {

void DotStuffer::append(std::string_view octets, std::string& out) {
    while (!octets.empty()) {
        if (state_ == State::LineStart && octets.front() == '.') out += '.';
        if (state_ == State::Cr && octets.front() == '\n') {
            out += '\n';
            octets.remove_prefix(1);
            state_ = State::LineStart;
            continue;
        }
        const auto cr = octets.find('\r');
        if (cr == std::string_view::npos) {
            out += octets;
            state_ = State::Within;
            return;
        }
        out += octets.substr(0, cr + 1);
        octets.remove_prefix(cr + 1);
        state_ = State::Cr;
    }
}

void DotStuffer::finish(std::string& out) {
    if (state_ != State::LineStart) out += "\r\n";
    out += ".\r\n";
    state_ = State::LineStart;
}

} // namespace mailcore::codec
