#include "libmailcore/store/detail/subscribers.h"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace mailcore::store::detail {

struct Subscribers::Listener {
    Scheduler& scheduler;
    std::move_only_function<void(const Change&)> told;
    bool ended = false; // the scheduler's thread only
    Listener(Scheduler& s, std::move_only_function<void(const Change&)> t)
        : scheduler(s), told(std::move(t)) {}
};

struct Subscribers::Registry {
    std::mutex mutex;
    std::unordered_multimap<AccountId, std::shared_ptr<Listener>> listeners;
};

class Subscribers::Entry final : public Subscription {
  public:
    Entry(std::shared_ptr<Registry> registry, AccountId account, std::shared_ptr<Listener> listener)
        : registry_(std::move(registry)), account_(account), listener_(std::move(listener)) {}
    ~Entry() override {
        listener_->ended = true;
        const std::scoped_lock lock(registry_->mutex);
        const auto [from, to] = registry_->listeners.equal_range(account_);
        for (auto i = from; i != to; ++i)
            if (i->second == listener_) {
                registry_->listeners.erase(i);
                break;
            }
    }

  private:
    std::shared_ptr<Registry> registry_;
    AccountId account_;
    std::shared_ptr<Listener> listener_;
};

Subscribers::Subscribers() : registry_(std::make_shared<Registry>()) {}

std::unique_ptr<Subscription> Subscribers::add(Scheduler& scheduler, AccountId account,
                                               std::move_only_function<void(const Change&)> told) {
    auto listener = std::make_shared<Listener>(scheduler, std::move(told));
    {
        const std::scoped_lock lock(registry_->mutex);
        registry_->listeners.emplace(account, listener);
    }
    return std::make_unique<Entry>(registry_, account, std::move(listener));
}

void Subscribers::tell(std::span<const Announcement> announcements, Outbox& outbox) const {
    if (announcements.empty()) return;
    const std::scoped_lock lock(registry_->mutex);
    if (registry_->listeners.empty()) return;
    for (const auto& announcement : announcements) {
        const auto shared = std::make_shared<const Change>(
            Change{announcement.account, announcement.modseq, announcement.mailboxes});
        const auto tell_those_of = [&](AccountId account) {
            const auto [from, to] = registry_->listeners.equal_range(account);
            for (auto i = from; i != to; ++i)
                outbox.add(i->second->scheduler, [listener = i->second, shared] {
                    if (!listener->ended) listener->told(*shared);
                });
        };
        tell_those_of(announcement.account);
        if (announcement.account.value != 0) tell_those_of(AccountId{});
    }
}

} // namespace mailcore::store::detail
