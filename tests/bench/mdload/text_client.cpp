// Lines and counted octets.
#include "tests/bench/mdload/text_client.h"

#include <algorithm>

namespace mailcore::mdload {

namespace {
constexpr std::size_t line_octets_max = 64 * 1024 * 1024; // SEARCH in a mailbox of millions
} // namespace

void TextClient::connect() {
    ++life_;
    partial_.clear();
    counted_left_ = 0;
    wire_.open(endpoint_);
}

void TextClient::close() {
    ++life_;
    wire_.close();
}

void TextClient::rest() {
    partial_.shrink_to_fit();
    wire_.rest();
}

void TextClient::lost(const std::string& why) {
    ++life_;
    on_failed(why);
}

void TextClient::fail(const std::string& why) {
    close();
    on_failed(why);
}

void TextClient::received(std::string_view octets) {
    const auto life = life_;
    while (!octets.empty() && life == life_) {
        if (counted_left_ > 0) {
            const auto piece =
                octets.substr(0, std::min<std::uint64_t>(counted_left_, octets.size()));
            octets.remove_prefix(piece.size());
            counted_left_ -= piece.size();
            counted(piece);
            if (counted_left_ == 0 && life == life_) counted_end();
            continue;
        }
        const auto end = octets.find('\n');
        if (end == std::string_view::npos) {
            partial_ += octets;
            if (partial_.size() > line_octets_max) fail("a line without end");
            return;
        }
        auto text = octets.substr(0, end);
        octets.remove_prefix(end + 1);
        if (partial_.empty()) {
            if (text.ends_with('\r')) text.remove_suffix(1);
            line(text);
            continue;
        }
        auto whole = std::move(partial_) + std::string(text);
        partial_.clear();
        if (whole.ends_with('\r')) whole.pop_back();
        line(whole);
    }
}

} // namespace mailcore::mdload
