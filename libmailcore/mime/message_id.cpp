#include "libmailcore/mime/message_id.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

std::string without_blanks(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (!codec::is_space(c)) out += c;
    return out;
}

// Views of the ids between angle brackets.
std::vector<std::string_view> bracketed(std::string_view text) {
    std::vector<std::string_view> out;
    for (auto at = text.find('<'); at != std::string_view::npos;) {
        auto end = text.find_first_of("<>", at + 1);
        const bool closed = end != std::string_view::npos && text[end] == '>';
        if (!closed) { // "<a@b <c@d>": up to the blank
            const auto next = end;
            end = std::min(text.find_first_of(" \t\r\n<", at + 1), text.size());
            out.push_back(text.substr(at + 1, end - at - 1));
            at = next;
            continue;
        }
        out.push_back(text.substr(at + 1, end - at - 1));
        at = text.find('<', end);
    }
    return out;
}

std::vector<std::string_view> bare(std::string_view text) {
    std::vector<std::string_view> out;
    while (!(text = codec::trim_left(text)).empty()) {
        const auto size = std::min(text.find_first_of(" \t\r\n,"), text.size());
        const auto word = text.substr(0, size);
        if (word.find('@') != std::string_view::npos) out.push_back(word);
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

} // namespace

std::vector<std::string> parse_message_ids(std::string_view value, std::size_t ids_max) {
    auto found = bracketed(value);
    if (found.empty()) found = bare(value);
    if (found.size() > ids_max) // the first names the thread, the last are the nearest
        found.erase(found.begin() + 1,
                    found.begin() + static_cast<std::ptrdiff_t>(found.size() - ids_max + 1));
    std::vector<std::string> out;
    for (const auto id : found) {
        auto clean = without_blanks(id);
        if (!clean.empty() && std::find(out.begin(), out.end(), clean) == out.end())
            out.push_back(std::move(clean));
    }
    return out;
}

std::string make_message_id(Random& random, WallTime now, std::string_view domain) {
    constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::string time;
    for (auto left = static_cast<std::uint64_t>(now.time_since_epoch().count()); left > 0;
         left /= 36)
        time += digits[left % 36];
    std::reverse(time.begin(), time.end());
    return '<' + time + '.' + random.hex(8) + '@' + std::string(domain) + '>';
}

} // namespace mailcore::mime
