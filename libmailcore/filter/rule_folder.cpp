#include "libmailcore/filter/rule_folder.h"

#include <algorithm>

namespace mailcore::filter {

Result<RuleSource> read_rule_folder(base::FileSystem& files, const std::string& folder) {
    RuleSource source;
    MAILCORE_TRY(const bool exists, files.exists(folder));
    if (!exists) return source;
    MAILCORE_TRY(auto names, files.list(folder));
    std::ranges::sort(names);
    std::uint64_t octets = 0;
    for (const auto& name : names) {
        const bool rule = name.ends_with(".lua");
        if ((!rule && !name.ends_with(".txt")) || name.starts_with('.')) continue;
        auto text = base::read_file(files, folder + "/" + name, rule_file_octets_max);
        if (!text) return std::unexpected(std::move(text).error());
        octets += text->size();
        auto& into = rule ? source.rules : source.lists;
        into.push_back({name, std::move(*text)});
        if (octets > rule_folder_octets_max ||
            source.rules.size() + source.lists.size() > rule_files_max)
            return fail(ErrorKind::LimitExceeded, folder + ": too many rules");
    }
    return source;
}

} // namespace mailcore::filter
