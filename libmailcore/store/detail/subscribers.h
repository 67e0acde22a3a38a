// Who wants to be told of which account's changes.
#pragma once

#include "libmailcore/store/detail/outbox.h"
#include "libmailcore/store/detail/row_transaction.h"
#include "libmailcore/store/store.h"

#include <memory>
#include <span>

namespace mailcore::store::detail {

/// Any thread.
class Subscribers {
  public:
    Subscribers();
    std::unique_ptr<Subscription> add(Scheduler& scheduler, AccountId account,
                                      std::move_only_function<void(const Change&)> told);
    /// Adds to `outbox` what the subscribers of these changes are to be told.
    void tell(std::span<const Announcement> announcements, Outbox& outbox) const;

  private:
    struct Listener;
    struct Registry;
    class Entry;
    std::shared_ptr<Registry>
        registry_; // shared with the subscriptions, which may outlive the store
};

} // namespace mailcore::store::detail
