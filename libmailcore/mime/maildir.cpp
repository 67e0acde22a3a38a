#include "libmailcore/mime/maildir.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf7.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

struct Letter {
    char letter;
    std::string_view flag;
};
constexpr Letter letters_of_flags[] = {
    {'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
    {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"},
};

/// "\2e" for what would end a level.
void append_escaped(std::string_view level, std::string& into) {
    for (const char c : level) {
        if (c != '.' && c != '\\' && c != '/') {
            into += c;
            continue;
        }
        into += '\\';
        into += codec::hex_encode(std::string_view(&c, 1));
    }
}

std::string unescaped(std::string_view level) {
    std::string text;
    for (std::size_t i = 0; i < level.size(); ++i) {
        const auto octet = level[i] == '\\' && i + 2 < level.size()
                               ? codec::hex_decode(level.substr(i + 1, 2))
                               : std::nullopt;
        if (octet) i += 2;
        text += octet ? octet->front() : level[i];
    }
    return text;
}

/// The levels of a name with that separator; nothing: a level is empty or in no known encoding.
std::optional<std::vector<std::string>> levels_of(std::string_view name, char separator) {
    std::vector<std::string> levels;
    while (true) {
        const auto end = name.find(separator);
        const auto raw = unescaped(name.substr(0, end));
        if (auto level = codec::mailbox_name_from_utf7(raw); level && !level->empty())
            levels.push_back(std::move(*level));
        else if (!raw.empty() && codec::is_utf8(raw))
            levels.push_back(raw);
        else
            return std::nullopt;
        if (end == std::string_view::npos) return levels;
        name.remove_prefix(end + 1);
    }
}

} // namespace

std::optional<MaildirName> MaildirName::parse(std::string_view file) {
    if (file.empty() || file.starts_with('.')) return std::nullopt;
    MaildirName name;
    const auto colon = file.find(':');
    name.unique = file.substr(0, colon);
    // ":1," is for experiments: what stands there means nothing to us.
    if (colon != std::string_view::npos && file.substr(colon).starts_with(":2,"))
        name.letters = file.substr(colon + 3);
    if (name.unique.empty()) return std::nullopt;
    return name;
}

MaildirKeywords::MaildirKeywords(std::string_view file) {
    while (!file.empty()) {
        auto line = file.substr(0, file.find('\n'));
        file.remove_prefix(std::min(line.size() + 1, file.size()));
        while (line.ends_with('\r')) line.remove_suffix(1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos || space + 1 == line.size()) continue;
        const auto number = codec::parse_u64(line.substr(0, space));
        if (!number || *number >= keywords_max) continue;
        if (names_.size() <= *number) names_.resize(*number + 1);
        // No keyword begins with what system flags begin with (RFC 9051 §2.3.2); its letter is
        // taken all the same.
        if (line[space + 1] != '\\') names_[*number] = line.substr(space + 1);
    }
}

std::string MaildirKeywords::text() const {
    std::string file;
    for (std::size_t i = 0; i < names_.size(); ++i)
        if (!names_[i].empty()) file += std::to_string(i) + ' ' + names_[i] + '\n';
    return file;
}

std::optional<char> MaildirKeywords::letter(std::string_view keyword) {
    const auto found = std::ranges::find_if(
        names_, [&](const std::string& name) { return codec::equal_ignoring_case(name, keyword); });
    if (found != names_.end()) return static_cast<char>('a' + (found - names_.begin()));
    if (names_.size() >= keywords_max) return std::nullopt;
    names_.emplace_back(keyword);
    return static_cast<char>('a' + (names_.size() - 1));
}

std::string_view MaildirKeywords::keyword(char letter) const {
    if (!codec::is_lower(letter)) return {};
    const auto number = static_cast<std::size_t>(letter - 'a');
    return number < names_.size() ? std::string_view(names_[number]) : std::string_view{};
}

std::string maildir_letters(const std::vector<std::string>& flags, MaildirKeywords& keywords,
                            std::size_t& lost) {
    std::string letters;
    for (const auto& flag : flags) {
        const auto* const known = std::ranges::find_if(letters_of_flags, [&](const Letter& each) {
            return codec::equal_ignoring_case(each.flag, flag);
        });
        const bool has_letter = known != std::ranges::end(letters_of_flags);
        if (has_letter) letters += known->letter;
        if (flag.starts_with('\\')) continue;
        if (const auto letter = keywords.letter(flag))
            letters += *letter;
        else if (!has_letter)
            ++lost;
    }
    std::ranges::sort(letters);
    const auto rest = std::ranges::unique(letters);
    letters.erase(rest.begin(), rest.end());
    return letters;
}

std::vector<std::string> maildir_flags(std::string_view letters, const MaildirKeywords& keywords) {
    std::vector<std::string> flags;
    const auto add = [&](std::string_view flag) {
        const bool there = std::ranges::any_of(flags, [&](const std::string& other) {
            return codec::equal_ignoring_case(other, flag);
        });
        if (!flag.empty() && !there) flags.emplace_back(flag);
    };
    for (const char c : letters) {
        for (const auto& [letter, flag] : letters_of_flags)
            if (c == letter) add(flag);
        add(keywords.keyword(c));
    }
    return flags;
}

std::optional<std::string> maildir_folder(const std::vector<std::string>& levels) {
    std::string folder;
    for (const auto& level : levels) {
        const auto name = codec::mailbox_name_to_utf7(level);
        if (!name) return std::nullopt;
        folder += '.';
        append_escaped(*name, folder);
    }
    return folder;
}

std::optional<std::vector<std::string>> maildir_levels(std::string_view folder) {
    if (!folder.starts_with('.')) return std::nullopt;
    return levels_of(folder.substr(1), '.');
}

std::vector<std::vector<std::string>> parse_maildir_subscriptions(std::string_view file) {
    std::vector<std::vector<std::string>> names;
    // "V", tab, version, and an empty line: then tabs separate levels.
    const bool tabs = file.starts_with("V\t");
    if (tabs) file.remove_prefix(std::min(file.find('\n'), file.size() - 1) + 1);
    while (!file.empty()) {
        auto line = file.substr(0, file.find('\n'));
        file.remove_prefix(std::min(line.size() + 1, file.size()));
        while (line.ends_with('\r')) line.remove_suffix(1);
        if (line.starts_with("INBOX.") && !tabs) line.remove_prefix(6); // Courier's
        if (auto levels = levels_of(line, tabs ? '\t' : '.')) names.push_back(std::move(*levels));
    }
    return names;
}

} // namespace mailcore::mime
