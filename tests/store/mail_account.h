// An account in a store, for tests: one call, one transaction.
#pragma once

#include "libmailcore/store/account.h"
#include "libmailcore/store/changes.h"
#include "libmailcore/store/check.h"
#include "libmailcore/store/filing.h"
#include "tests/store/store_contract.h"

#include <utility>

namespace mailcore::test {

class MailAccount {
  public:
    static constexpr store::AccountId id{7};

    explicit MailAccount(const StoreMaker& make, store::QuotaLimits limits = {})
        : make_(make), store_(make_(scheduler_)) {
        const auto created = run(scheduler_, store_->write([&](store::WriteTransaction& txn) {
            return store::create_account(txn, id, limits);
        }));
        if (!created) throw created.error();
    }

    /// `function(AccountEdit&) -> TxnTask<Result<T>>`, saved and committed, or nothing done.
    template <class Function>
    auto edit(Function function, store::Access access = store::Access::owner(id)) {
        using Answer = std::invoke_result_t<Function&, store::AccountEdit&>;
        auto work = [function = std::move(function),
                     access](store::WriteTransaction& txn) mutable -> Answer {
            store::AccountEdit edit(txn, access, id);
            MAILCORE_CO_TRY(edit.begin());
            auto answer = co_await function(edit);
            if (!answer) co_return std::unexpected(answer.error());
            MAILCORE_CO_TRY(edit.save());
            co_return answer;
        };
        return run(scheduler_, store_->write(std::move(work)));
    }
    /// `function(ReadTransaction&) -> TxnTask<Result<T>>`.
    template <class Function>
    auto read(Function function) {
        return run(scheduler_, store_->read(std::move(function)));
    }

    Result<store::Filed> file(store::MailboxId mailbox, std::string octets,
                              store::NamedFlags flags = {}, std::vector<std::string> ids = {},
                              std::string subject = {}) {
        store::NewEmail email;
        email.pieces.push_back(store::Piece::of(std::move(octets)));
        email.message_ids = std::move(ids);
        email.base_subject = std::move(subject);
        store::Filing filing;
        filing.mailbox = mailbox;
        filing.flags = std::move(flags);
        filing.received.at = scheduler_.wall_now();
        return edit(
            [&](store::AccountEdit& edit) { return store::file_email(edit, email, filing); });
    }
    store::Mailbox mailbox(const std::string& path) {
        auto found = read([&](store::ReadTransaction& txn) {
            return store::find_mailbox(txn, store::Access::owner(id), id, path);
        });
        if (!found) throw found.error();
        return *found;
    }
    store::MailboxRef ref(store::MailboxId mailbox) const { return {id, mailbox}; }
    std::vector<std::string> problems() {
        auto found =
            read([](store::ReadTransaction& txn) { return store::check_account(txn, id); });
        if (!found) return {found.error().detail};
        return *found;
    }
    /// Closes the store and opens it again: for makers whose stores keep what they hold.
    void restart() {
        store_.reset();
        store_ = make_(scheduler_);
    }
    store::Store& store() { return *store_; }
    sim::VirtualScheduler& scheduler() { return scheduler_; }

  private:
    StoreMaker make_;
    sim::VirtualScheduler scheduler_;
    std::unique_ptr<store::Store> store_;
};

} // namespace mailcore::test
