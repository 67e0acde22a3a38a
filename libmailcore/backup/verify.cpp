#include "libmailcore/backup/verify.h"

#include "libmailcore/backup/detail/copy.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/check.h"

#include <fmt/format.h>
#include <limits>
#include <utility>

namespace mailcore::backup {

namespace {

using store::ReadTransaction;
using store::TxnTask;

constexpr std::size_t problems_max = 1000;
constexpr WallTime end_of_time = WallTime::max();

class Verification {
  public:
    explicit Verification(base::FileSystem& files, std::string folder)
        : files_(files), folder_(std::move(folder)) {}
    Result<VerifyReport> run(const OnProgress& progress, const store::IndexOpener& open_index,
                             base::Random& random, const base::Clock& clock, Log log);

  private:
    void check_files(const OnProgress& progress);
    Result<void> check_accounts(const store::PastStore& store);
    void problem(std::string text) {
        if (report_.problems.size() < problems_max) report_.problems.push_back(std::move(text));
    }

    base::FileSystem& files_;
    const std::string folder_;
    VerifyReport report_;
};

void Verification::check_files(const OnProgress& progress) {
    Progress reached;
    reached.files_of = report_.manifest.files.size();
    for (const auto& file : report_.manifest.files) reached.octets_of += file.octets;
    const auto read = [&](std::uint64_t octets) {
        reached.octets += octets;
        if (progress) progress(reached);
    };
    for (const auto& file : report_.manifest.files) {
        report_.octets += file.octets;
        const auto digest = detail::digest_of(files_, folder_ + "/" + file.name, file.octets, read);
        if (!digest)
            problem(file.name + ": " + digest.error().detail);
        else if (*digest != file.digest)
            problem(file.name + ": its octets are not those that were copied");
        ++reached.files;
    }
}

Result<void> Verification::check_accounts(const store::PastStore& store) {
    std::vector<store::AccountId> accounts;
    MAILCORE_TRY(store.read_now([&](ReadTransaction& txn) -> TxnTask<Result<void>> {
        MAILCORE_CO_TRY(accounts, store::list_accounts(txn));
        MAILCORE_CO_TRY(const auto queued,
                        queue::count(txn, std::numeric_limits<std::size_t>::max()));
        report_.queued = queued.messages;
        for (const auto& row : queued.damages) problem(queue::to_string(row));
        co_return Result<void>{};
    }));
    report_.accounts = accounts.size();
    for (const auto account : accounts) {
        const auto looked = store.read_now([&](ReadTransaction& txn) -> TxnTask<Result<void>> {
            MAILCORE_CO_TRY(const auto state, store::account_state(txn, account));
            report_.mailboxes += state.mailboxes;
            report_.emails += state.quota.usage.messages;
            report_.email_octets += state.quota.usage.octets;
            MAILCORE_CO_TRY(const auto found, store::check_account(txn, account));
            for (const auto& what : found)
                problem(fmt::format("account {}: {}", account.value, what));
            co_return Result<void>{};
        });
        if (!looked) problem(fmt::format("account {}: {}", account.value, looked.error().detail));
    }
    return {};
}

Result<VerifyReport> Verification::run(const OnProgress& progress,
                                       const store::IndexOpener& open_index, base::Random& random,
                                       const base::Clock& clock, Log log) {
    MAILCORE_TRY(report_.manifest, read_manifest(files_, folder_));
    check_files(progress);
    store::PastOf newest;
    newest.journal_folder = folder_ + "/" + std::string(journal_folder);
    newest.index_path = folder_ + "/verify.mdb";
    newest.at = end_of_time;
    newest.to = report_.manifest.position;
    const auto look = [&]() -> Result<void> {
        MAILCORE_TRY(const auto store,
                     store::open_past(files_, newest, open_index, random, clock, log));
        report_.until = store->moment().written;
        MAILCORE_TRY(const auto shown, store->reaches());
        if (!shown.empty()) report_.from = shown.front().first.written;
        for (std::size_t i = 1; i < shown.size(); ++i)
            report_.gaps.emplace_back(shown[i - 1].last->written, shown[i].first.written);
        if (store->moment().mark.position < report_.manifest.position)
            problem(fmt::format("the log ends at {} and not at {}", store->moment().mark.position,
                                report_.manifest.position));
        MAILCORE_TRY(report_.store, store->check());
        for (const auto& what : report_.store.problems) problem(what);
        return check_accounts(*store);
    };
    const auto looked = report_.manifest.position == 0 ? Result<void>{} : look();
    if (!looked) problem("the store: " + looked.error().detail);
    return std::move(report_);
}

} // namespace

Result<VerifyReport> verify(base::FileSystem& files, const std::string& folder,
                            const OnProgress& progress, const store::IndexOpener& open_index,
                            base::Random& random, const base::Clock& clock, Log log) {
    Verification verification(files, folder);
    return verification.run(progress, open_index, random, clock, log);
}

} // namespace mailcore::backup
