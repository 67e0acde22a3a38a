#include "libmailcore/accounts/directory.h"

#include "libmailcore/base/overloaded.h"

#include <deque>
#include <set>

namespace mailcore::accounts {

namespace {

struct Step {
    Address address;
    std::size_t depth = 0;
};

std::string identity(const Address& address) {
    return local_part_key(address.local).value_or(address.local) + '@' + address.domain;
}

} // namespace

Task<Result<Expansion>> expand(Directory& directory, Address address) {
    Expansion expansion;
    std::set<std::string> seen{identity(address)};
    std::set<AccountId> accounts;
    std::deque<Step> steps;
    steps.emplace_back(std::move(address), 0);
    while (!steps.empty()) {
        const auto step = std::move(steps.front());
        steps.pop_front();
        MAILCORE_CO_TRY(auto found, directory.lookup(step.address));
        if (auto* to = std::get_if<ToAccount>(&found)) {
            if (accounts.insert(to->account).second) {
                Expansion::Local local;
                local.account = to->account;
                local.recipient = std::move(to->address);
                local.original = step.address;
                local.detail = std::move(to->detail);
                local.detail_folder = to->detail_folder;
                expansion.local.push_back(std::move(local));
            }
        } else if (auto* more = std::get_if<ToAddresses>(&found)) {
            if (step.depth >= expansion_depth_max) {
                expansion.cut = true;
                continue;
            }
            for (auto& target : more->targets) {
                if (seen.size() >= expansion_targets_max) {
                    expansion.cut = true;
                    break;
                }
                // What was seen already is a loop, or leads there twice: once is enough.
                if (seen.insert(identity(target)).second)
                    steps.emplace_back(std::move(target), step.depth + 1);
            }
        } else if (std::holds_alternative<ToRemote>(found)) {
            expansion.remote.push_back(step.address);
        } else if (std::holds_alternative<ToDisabled>(found)) {
            expansion.disabled.push_back(step.address);
        } else {
            expansion.unknown.push_back(step.address);
        }
    }
    co_return expansion;
}

} // namespace mailcore::accounts
