// A directory in a store of either kind, under virtual time, with cheap hashes.
#pragma once

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/store/journal_store.h"
#include "libmailcore/store/memory_store.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/temporary_folder.h"

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace mailcore::test {

enum class StoreKind : std::uint8_t { Memory, Journal };

class People {
  public:
    explicit People(accounts::StoreDirectoryOptions options = cheap(),
                    StoreKind kind = StoreKind::Memory)
        : store_(make_store(kind)), directory_(*store_, random_, std::move(options)) {
        domain = make_domain("example.test");
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

    accounts::DomainId make_domain(const std::string& name) {
        accounts::Domain row;
        row.name = name;
        return write([row](store::WriteTransaction& txn) { return accounts::add_domain(txn, row); })
            .value();
    }
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
    accounts::DomainId domain;

  private:
    template <class T>
    static Task<void> keep(Task<T> task, std::optional<T>& answer) {
        auto value = co_await std::move(task);
        answer.emplace(std::move(value));
    }
    std::unique_ptr<store::Store> make_store(StoreKind kind) {
        if (kind == StoreKind::Memory) return std::make_unique<store::MemoryStore>(scheduler_);
        store::JournalStoreOptions options;
        options.threads = store::StoreThreads::None;
        options.journal.pool_octets = 256 * 1024;
        options.journal.reserve_octets = 256 * 1024;
        options.journal.segment_octets = 1024 * 1024;
        options.index_map_octets = std::uint64_t{1} << 30;
        options.checkpoint_octets = 32 * 1024; // so that rows come from index and overlay both
        options.free_octets_min = 1024 * 1024;
        folder_.emplace();
        auto opened = store::JournalStore::open(files_, folder_->path() + "/store", options,
                                                random_, scheduler_, Log());
        if (!opened) throw std::runtime_error(opened.error().detail);
        return *std::move(opened);
    }
    sim::VirtualScheduler scheduler_;
    base::SystemRandom random_;
    base::PosixFileSystem files_;
    std::optional<TemporaryFolder> folder_; // of a JournalStore
    std::unique_ptr<store::Store> store_;
    accounts::StoreDirectory directory_;
};

} // namespace mailcore::test
