#include "libmailcore/imap/command.h"

#include "libmailcore/base/overloaded.h"

#include <algorithm>

namespace mailcore::imap {

bool enables_condstore(const Command& command) {
    const auto has_modseq = [](const std::vector<StatusItem>& items) {
        return std::ranges::find(items, StatusItem::HighestModSeq) != items.end();
    };
    return std::visit(
        overloaded{[](const command::Select& select) { return select.condstore; },
                   [&](const command::Status& status) { return has_modseq(status.items); },
                   [&](const command::List& list) { return has_modseq(list.return_status); },
                   [](const command::Fetch& fetch) {
                       return fetch.changed_since ||
                              std::ranges::any_of(fetch.items, [](const FetchItem& item) {
                                  return item.kind == FetchItem::Kind::ModSeq;
                              });
                   },
                   [](const command::Search& search) {
                       return search.key.mentions(SearchKey::Kind::ModSeq);
                   },
                   [](const command::Store& store) { return store.unchanged_since.has_value(); },
                   [](const auto&) { return false; }},
        command);
}

} // namespace mailcore::imap
