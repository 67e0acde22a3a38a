#include "libmailcore/smtp/detail/body_writer.h"

#include <algorithm>
#include <utility>

namespace mailcore::smtp::detail {

void BodyWriter::put(std::string_view octets, std::string& out) {
    if (framing_ == Framing::Dots)
        stuffer_.append(octets, out);
    else
        out += octets;
}

void BodyWriter::end_line(std::string& out) {
    put("\r\n", out);
    longest_line_ = std::max(longest_line_, line_octets_);
    line_octets_ = 0;
}

void BodyWriter::append(std::string_view octets, bool last, std::string& out) {
    if (framing_ == Framing::BinaryChunks) {
        out += octets;
        return;
    }
    if (bare_ == BareLineEnds::Refuse && octets.contains('\0')) refused_ = true;
    const auto bare_end = [&] {
        if (bare_ == BareLineEnds::Refuse) refused_ = true;
        end_line(out);
    };
    while (!octets.empty()) {
        if (cr_) {
            cr_ = false;
            if (octets.front() == '\n') {
                octets.remove_prefix(1);
                end_line(out);
            } else {
                bare_end();
            }
            continue;
        }
        const auto text = octets.substr(0, octets.find_first_of("\r\n"));
        if (!text.empty()) {
            put(text, out);
            line_octets_ += text.size();
            octets.remove_prefix(text.size());
            continue;
        }
        cr_ = octets.front() == '\r';
        if (!cr_) bare_end();
        octets.remove_prefix(1);
    }
    if (!last) return;
    if (std::exchange(cr_, false)) bare_end();
    if (line_octets_ > 0) end_line(out);
    if (framing_ == Framing::Dots) stuffer_.finish(out);
}

} // namespace mailcore::smtp::detail
