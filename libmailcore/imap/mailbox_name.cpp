#include "libmailcore/imap/mailbox_name.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf7.h"
#include "libmailcore/codec/utf8.h"

#include <vector>

namespace mailcore::imap {
namespace {

// C0, DEL and C1 (RFC 5198 §2).
bool has_control(std::string_view utf8) {
    for (std::size_t at = 0; at < utf8.size();) {
        const auto step = codec::decode_utf8(utf8.substr(at));
        if (step.character < 0x20 || (step.character >= 0x7F && step.character < 0xA0)) return true;
        at += step.octets;
    }
    return false;
}

constexpr std::string_view inbox = "INBOX";

} // namespace

std::optional<MailboxName> decode_mailbox_name(std::string_view octets, NameEncoding encoding) {
    if (codec::equal_ignoring_case(octets, inbox)) return MailboxName(std::string(inbox));
    std::optional<std::string> utf8;
    if (encoding == NameEncoding::ModifiedUtf7)
        utf8 = codec::mailbox_name_from_utf7(octets);
    else if (codec::is_utf8(octets))
        utf8 = octets;
    if (!utf8 || has_control(*utf8)) return std::nullopt;
    auto normalised = codec::to_nfc(*utf8);
    if (!normalised) return std::nullopt;
    MailboxName name(std::move(*normalised));
    if (name.utf8 != *utf8) name.supplied = std::move(*utf8);
    return name;
}

std::string encode_mailbox_name(std::string_view utf8, NameEncoding encoding) {
    auto sane = codec::sanitised_utf8(utf8);
    if (encoding == NameEncoding::Utf8) return sane;
    return *codec::mailbox_name_to_utf7(sane);
}

bool matches_list_pattern(std::string_view pattern, std::string_view name, char delimiter) {
    // The primary mailbox has its name in any case.
    const bool in_inbox =
        name.starts_with(inbox) && (name.size() == inbox.size() || name[inbox.size()] == delimiter);
    // reached[i]: the first i octets of the pattern can match the octets of the name read so far.
    std::vector<char> reached(pattern.size() + 1, 0);
    const auto skip_wildcards = [&] {
        for (std::size_t i = 0; i < pattern.size(); ++i)
            if (reached[i] && (pattern[i] == '*' || pattern[i] == '%')) reached[i + 1] = 1;
    };
    reached[0] = 1;
    skip_wildcards();
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        char diagonal = 0; // reached[i - 1] before this octet
        for (std::size_t i = 0; i <= pattern.size(); ++i) {
            const char before = reached[i];
            const bool stays = i < pattern.size() && before &&
                               (pattern[i] == '*' || (pattern[i] == '%' && c != delimiter));
            bool advances = false;
            if (i > 0 && diagonal && pattern[i - 1] != '*' && pattern[i - 1] != '%') {
                const bool fold = in_inbox && at < inbox.size();
                advances =
                    fold ? codec::lower(pattern[i - 1]) == codec::lower(c) : pattern[i - 1] == c;
            }
            diagonal = before;
            reached[i] = stays || advances ? 1 : 0;
        }
        skip_wildcards();
    }
    return reached[pattern.size()] != 0;
}

} // namespace mailcore::imap
