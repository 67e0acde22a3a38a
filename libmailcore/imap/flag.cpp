#include "libmailcore/imap/flag.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::imap {
namespace {

struct NamedFlag {
    SystemFlag flag;
    std::string_view name;
};
constexpr NamedFlag named_flags[] = {
    {SystemFlag::Answered, "\\Answered"}, {SystemFlag::Flagged, "\\Flagged"},
    {SystemFlag::Deleted, "\\Deleted"},   {SystemFlag::Seen, "\\Seen"},
    {SystemFlag::Draft, "\\Draft"},       {SystemFlag::Recent, "\\Recent"},
};

auto place_of(std::vector<std::string>& keywords, std::string_view name) {
    return std::lower_bound(keywords.begin(), keywords.end(), name, codec::LessIgnoringCase{});
}

} // namespace

FlagSet::FlagSet(std::initializer_list<SystemFlag> system, std::vector<std::string> keywords) {
    for (const auto flag : system) set(flag);
    for (const auto& keyword : keywords) add_keyword(keyword);
}

void FlagSet::add_keyword(std::string_view name) {
    const auto at = place_of(keywords_, name);
    if (at == keywords_.end() || !codec::equal_ignoring_case(*at, name))
        keywords_.emplace(at, name);
}

void FlagSet::remove_keyword(std::string_view name) {
    const auto at = place_of(keywords_, name);
    if (at != keywords_.end() && codec::equal_ignoring_case(*at, name)) keywords_.erase(at);
}

bool FlagSet::has_keyword(std::string_view name) const {
    return std::binary_search(keywords_.begin(), keywords_.end(), name, codec::LessIgnoringCase{});
}

void FlagSet::add(const FlagSet& other) {
    system_ |= other.system_;
    for (const auto& keyword : other.keywords_) add_keyword(keyword);
}

void FlagSet::remove(const FlagSet& other) {
    system_ = static_cast<std::uint8_t>(system_ & ~other.system_);
    for (const auto& keyword : other.keywords_) remove_keyword(keyword);
}

void FlagSet::append_to(std::string& into) const {
    bool first = true;
    const auto put = [&](std::string_view name) {
        if (!first) into += ' ';
        first = false;
        into += name;
    };
    for (const auto& named : named_flags)
        if (has(named.flag)) put(named.name);
    for (const auto& keyword : keywords_) put(keyword);
}

std::string FlagSet::to_string() const {
    std::string text;
    append_to(text);
    return text;
}

bool operator==(const FlagSet& a, const FlagSet& b) {
    return a.system_ == b.system_ &&
           std::equal(a.keywords_.begin(), a.keywords_.end(), b.keywords_.begin(),
                      b.keywords_.end(), codec::equal_ignoring_case);
}

bool add_flag(FlagSet& flags, std::string_view name) {
    if (!name.starts_with('\\')) {
        flags.add_keyword(name);
        return true;
    }
    for (const auto& named : named_flags)
        if (codec::equal_ignoring_case(name, named.name)) {
            if (named.flag == SystemFlag::Recent) return false;
            flags.set(named.flag);
            return true;
        }
    return true;
}

std::string_view to_string(SystemFlag flag) {
    for (const auto& named : named_flags)
        if (named.flag == flag) return named.name;
    return {};
}

} // namespace mailcore::imap
