// A directory in a store, in memory where nothing else is asked for, under virtual time, with cheap
// hashes.
#pragma once

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/store/memory_store.h"
#include "tests/sim/virtual_scheduler.h"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace mailcore::test {

class People {
  public:
    /// Opens a store, a new one or one that these people are in already.
    using OpenStore =
        std::function<std::unique_ptr<store::Store>(sim::VirtualScheduler&, base::Random&)>;
    static std::unique_ptr<store::Store> in_memory(sim::VirtualScheduler& scheduler,
                                                   base::Random&) {
        return std::make_unique<store::MemoryStore>(scheduler);
    }

    explicit People(accounts::StoreDirectoryOptions options = cheap(),
                    const OpenStore& open = in_memory)
        : store_(open(scheduler_, random_)), directory_(*store_, random_, std::move(options)) {
        const auto made = add_domain("example.test");
        if (made) domain = *made;
    }
    static accounts::StoreDirectoryOptions cheap() {
        accounts::StoreDirectoryOptions options;
        options.password_cost.memory_octets = 64 * 1024;
        options.password_cost.passes = 1;
        options.default_domain = "example.test";
        return options;
    }

    /// Runs a task to its end, through all timers; answers how long it took in virtual time.
    template <class T>
    T run(Task<T> task) {
        std::optional<T> answer;
        Scope scope(scheduler_);
        scope.spawn(keep(std::move(task), answer));
        while (!answer) {
            scheduler_.run_ready();
            if (!answer && !scheduler_.step()) throw std::runtime_error("nothing more happens");
        }
        return std::move(*answer);
    }
    template <class Function>
    auto write(Function function) {
        return run(store_->write(std::move(function)));
    }
    template <class Function>
    auto read(Function function) {
        return run(store_->read(std::move(function)));
    }

    Result<accounts::DomainId> add_domain(const std::string& name) {
        accounts::Domain row;
        row.name = name;
        return write(
            [row](store::WriteTransaction& txn) { return accounts::add_domain(txn, row); });
    }
    accounts::DomainId make_domain(const std::string& name) { return add_domain(name).value(); }
    accounts::AccountId make_account(const std::string& address, const std::string& password = {},
                                     std::vector<std::string> more = {}) {
        accounts::Account row;
        row.address = accounts::Address::parse(address).value();
        for (const auto& other : more)
            row.more_addresses.push_back(accounts::Address::parse(other).value());
        const auto id = write([row](store::WriteTransaction& txn) {
                            return accounts::add_account(txn, row, store::QuotaLimits{});
                        }).value();
        if (!password.empty()) run(directory_.set_password(id, Secret(password))).value();
        return id;
    }
    void make_alias(const std::string& address, std::vector<std::string> targets) {
        accounts::Alias row;
        row.address = accounts::Address::parse(address).value();
        for (const auto& target : targets)
            row.targets.push_back(accounts::Address::parse(target).value());
        write([row](store::WriteTransaction& txn) {
            return accounts::set_alias(txn, row);
        }).value();
    }
    accounts::Lookup lookup(const std::string& text) {
        return run(directory_.lookup(accounts::Address::parse(text).value())).value();
    }
    accounts::Login login(const std::string& user, const std::string& password,
                          const char* peer = "192.0.2.1") {
        accounts::Login login;
        login.user = user;
        login.password = Secret(password);
        login.service = "imap";
        login.peer = IpAddress::parse(peer).value();
        return login;
    }
    accounts::LoginAnswer authenticate(const std::string& user, const std::string& password,
                                       const char* peer = "192.0.2.1") {
        return run(directory_.authenticate(login(user, password, peer))).value();
    }

    sim::VirtualScheduler& scheduler() { return scheduler_; }
    accounts::StoreDirectory& directory() { return directory_; }
    store::Store& store() { return *store_; }
    accounts::DomainId domain; ///< example.test

  private:
    template <class T>
    static Task<void> keep(Task<T> task, std::optional<T>& answer) {
        auto value = co_await std::move(task);
        answer.emplace(std::move(value));
    }
    sim::VirtualScheduler scheduler_;
    base::SystemRandom random_;
    std::unique_ptr<store::Store> store_;
    accounts::StoreDirectory directory_;
};

} // namespace mailcore::test
