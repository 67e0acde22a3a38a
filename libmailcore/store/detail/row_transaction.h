// Transactions over a view of rows: what both engines hand to the functions they run.
#pragma once

#include "libmailcore/kv/view.h"
#include "libmailcore/store/detail/change_set.h"
#include "libmailcore/store/store.h"
#include "libmailcore/store/transaction.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailcore::store::detail {

/// Reads rows of a view, which outlives it.
class RowReader final : public ReadTransaction {
  public:
    RowReader(const kv::View& view, WallTime now) : view_(view), now_(now) {}
    TxnAnswer<std::optional<std::string>> get(std::string_view key) override;
    TxnAnswer<std::vector<Row>> range(std::string_view from, std::string_view to,
                                      std::size_t rows_max, Order order) override;
    [[nodiscard]] WallTime now() const override { return now_; }

  private:
    const kv::View& view_;
    WallTime now_;
};

/// A body handed in, as both engines know it.
class Body : public NewBlob, public std::enable_shared_from_this<Body> {
  public:
    /// Under which name a transaction that was committed knows it, if one does. The writer's
    /// thread.
    mutable BlobId named;
    /// The store it was made by; only compared.
    const Store* maker = nullptr;
};

/// The store's one counter while it runs. The writer's thread.
struct IdSource {
    std::uint64_t last = 0;
};

struct Announcement {
    AccountId account;
    ModSeq modseq;
    std::vector<MailboxId> mailboxes;
};

/// What one transaction wants changed. Used on the writer's thread.
class RowWriter final : public WriteTransaction {
  public:
    /// All outlive it. `maker` is whose bodies it takes.
    RowWriter(const kv::View& view, WallTime now, IdSource& ids, const Store& maker);

    TxnAnswer<std::optional<std::string>> get(std::string_view key) override;
    TxnAnswer<std::vector<Row>> range(std::string_view from, std::string_view to,
                                      std::size_t rows_max, Order order) override;
    [[nodiscard]] WallTime now() const override { return now_; }
    void put(std::string key, std::string value) override;
    void erase(std::string key) override;
    BlobId add_blob(const NewBlob& blob) override;
    TxnAnswer<bool> refer(BlobId blob, std::string_view owner) override;
    TxnAnswer<bool> release(BlobId blob, std::string_view owner) override;
    std::uint64_t next_id() override;
    void announce(AccountId account, ModSeq modseq, std::vector<MailboxId> mailboxes) override;

    /// To be called once when the function has ended well: drops the bodies that nobody needs and
    /// checks the budget.
    Result<void> close();

    /// After `close`. Bodies that stay, each with a row put in `changes` whose value the engine
    /// sets.
    [[nodiscard]] const ChangeSet& changes() const { return changes_; }
    [[nodiscard]] const std::map<BlobId, std::shared_ptr<const Body>>& bodies() const {
        return bodies_;
    }
    [[nodiscard]] std::vector<Announcement>& announcements() { return announcements_; }

    /// What a transaction may change at most, in octets of keys and values.
    static constexpr std::size_t change_octets_max = std::size_t{64} * 1024 * 1024;

  private:
    Result<std::optional<std::string_view>> look_up(std::string_view key);
    void set(std::string key, std::optional<std::string> value);
    Result<bool> has_references(BlobId blob);

    const kv::View& view_;
    WallTime now_;
    IdSource& ids_;
    const Store& maker_;
    ChangeSet changes_;
    std::size_t change_octets_ = 0;
    std::map<BlobId, std::shared_ptr<const Body>> bodies_;
    std::set<BlobId> touched_; // bodies whose references may all be gone
    std::vector<Announcement> announcements_;
};

} // namespace mailcore::store::detail
