// A server's data folder and a backup of it on one simulated disk.
#pragma once

#include "libmailcore/backup/backup.h"
#include "libmailcore/backup/restore.h"
#include "libmailcore/backup/verify.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/file_index.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/store/store_contract.h"

#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::test {

inline Task<Result<store::NewBlobRef>> new_body(store::Store& store, Scheduler& scheduler,
                                                std::string octets) {
    const auto writer = store.new_blob(scheduler, octets.size());
    for (std::size_t at = 0; at < octets.size(); at += 100'000) {
        MAILCORE_CO_TRY(writer->append(std::string_view(octets).substr(at, 100'000)));
    }
    auto finished = writer->finish();
    co_return co_await std::move(finished);
}

class BackupWorld {
  public:
    static constexpr store::AccountId account{7};

    explicit BackupWorld(sim::DiskImage image = {{}, {"/"}}) : disk(std::move(image)) {}

    [[nodiscard]] store::JournalStoreOptions options() {
        store::JournalStoreOptions options;
        options.threads = store::StoreThreads::None;
        options.journal.segment_octets = 64 * 1024;
        options.journal.body_segment_octets = 400'000;
        options.journal.pool_octets = 0;
        options.journal.fill_octets = 8192;
        options.journal.reserve_octets = 0;
        options.free_octets_min = 0;
        options.open_index = index_opener();
        if (adjust) adjust(options);
        return options;
    }
    [[nodiscard]] store::IndexOpener index_opener() {
        return [this](const std::string& path) { return sim::open_file_index(disk, path); };
    }

    void open(const std::string& data = "/d") {
        for (const auto& folder : {data, data + "/tls"}) REQUIRE(disk.make_folder(folder));
        auto opened =
            store::JournalStore::open(disk, data + "/store", options(), random, scheduler, Log());
        if (!opened) UNSCOPED_INFO(opened.error().detail);
        REQUIRE(opened);
        store = std::move(*opened);
    }
    void start() {
        open();
        write_settings("mdserver.toml", "hostname = \"mx.example.test\"\n");
        write_settings("tls/key.pem", "secret 1");
        REQUIRE(test::run(scheduler, store->write([](store::WriteTransaction& txn) {
            return store::create_account(txn, account, {});
        })));
    }
    void write_settings(const std::string& path, std::string_view text) {
        REQUIRE(base::replace_file(disk, "/d/" + path, text));
    }

    /// Files one message into INBOX, a second after the last one.
    store::Filed file(std::string octets) {
        scheduler.run_until(scheduler.now() + std::chrono::seconds{1});
        auto body = test::run(scheduler, new_body(*store, scheduler, octets));
        REQUIRE(body);
        auto filed = test::run(scheduler, store->write([b = *body](store::WriteTransaction& txn)
                                                           -> store::TxnTask<Result<store::Filed>> {
            store::AccountEdit edit(txn, store::Access::owner(account), account);
            MAILCORE_CO_TRY(edit.begin());
            store::NewEmail email;
            email.pieces.push_back(store::Piece::of(txn.add_blob(*b), 0, b->size()));
            store::Filing filing;
            filing.mailbox = edit.state().inbox;
            filing.received.at = txn.now();
            MAILCORE_CO_TRY(const auto filed, store::file_email(edit, email, filing));
            MAILCORE_CO_TRY(edit.save());
            co_return filed;
        }));
        REQUIRE(filed);
        return *filed;
    }
    void expunge(store::Uid uid) {
        scheduler.run_until(scheduler.now() + std::chrono::seconds{1});
        const auto done =
            test::run(scheduler, store->write([uid](store::WriteTransaction& txn)
                                                  -> store::TxnTask<Result<store::Expunged>> {
                store::AccountEdit edit(txn, store::Access::owner(account), account);
                MAILCORE_CO_TRY(edit.begin());
                const store::UidSet uids(uid);
                MAILCORE_CO_TRY(const auto gone, store::expunge(edit, edit.state().inbox, uids,
                                                                store::Expunge::All));
                MAILCORE_CO_TRY(edit.save());
                co_return gone;
            }));
        REQUIRE(done);
    }
    void enqueue(std::string address) {
        const auto done =
            test::run(scheduler, store->write([address](store::WriteTransaction& txn)
                                                  -> store::TxnTask<Result<queue::QueueId>> {
                queue::Message message;
                message.sender = "jo@example.test";
                queue::Recipient recipient;
                recipient.address = address;
                recipient.destination = "example.org";
                std::vector<queue::Recipient> all{recipient};
                co_return co_await queue::enqueue(txn, std::move(message), std::move(all));
            }));
        REQUIRE(done);
    }

    [[nodiscard]] backup::BackupSource source() {
        backup::BackupSource source;
        source.data = "/d";
        source.hostname = "mx.example.test";
        source.settings = {"mdserver.toml", "tls/key.pem"};
        source.inventory = [this] { return store->inventory(); };
        return source;
    }
    Result<backup::BackupReport> back_up(const backup::BackupOptions& how = {}) {
        return backup::make_backup(disk, source(), "/b", how, scheduler);
    }
    backup::VerifyReport verify() {
        auto found = backup::verify(disk, "/b", {}, index_opener(), random, scheduler, Log());
        if (!found) UNSCOPED_INFO(found.error().detail);
        REQUIRE(found);
        return *found;
    }
    Result<backup::RestoreReport> restore(const std::string& folder,
                                          std::optional<WallTime> at = {},
                                          backup::QueuedMail queued = backup::QueuedMail::Hold) {
        backup::RestoreOptions how;
        how.at = at;
        how.queued = queued;
        how.store = options();
        return test::run(scheduler, backup::restore(disk, "/b", folder, std::move(how), random,
                                                    scheduler, Log()));
    }

    /// The octets of the messages of INBOX, in order.
    std::vector<std::string> inbox() {
        std::vector<std::string> all;
        auto emails =
            test::run(scheduler, store->read([](store::ReadTransaction& txn)
                                                 -> store::TxnTask<Result<store::EmailBatch>> {
                MAILCORE_CO_TRY(const auto state, store::account_state(txn, account));
                const store::MailboxRef ref{account, state.inbox};
                co_return co_await store::read_emails(txn, store::Access::owner(account), ref,
                                                      store::UidSet::all(), store::Uid{1}, 10'000,
                                                      store::OnDamage::Fail, 1 << 30);
            }));
        REQUIRE(emails);
        for (const auto& each : emails->emails) {
            auto octets =
                test::run(scheduler, store::read_octets(*store, each.email.pieces, 0, 1 << 20));
            if (!octets) UNSCOPED_INFO(octets.error().detail);
            REQUIRE(octets);
            all.push_back(*octets);
        }
        return all;
    }
    store::AccountState state() {
        const auto found = test::run(scheduler, store->read([](store::ReadTransaction& txn) {
            return store::account_state(txn, account);
        }));
        REQUIRE(found);
        return *found;
    }
    store::Mailbox inbox_row() {
        const auto found = test::run(scheduler, store->read([](store::ReadTransaction& txn) {
            return store::find_mailbox(txn, store::Access::owner(account), account, "INBOX");
        }));
        REQUIRE(found);
        return *found;
    }

    /// How the store's options differ; set before it is opened.
    std::function<void(store::JournalStoreOptions&)> adjust;
    sim::Disk disk;
    sim::VirtualScheduler scheduler;
    base::SeededRandom random{1};
    std::unique_ptr<store::JournalStore> store;
};

/// A message of about `size` octets that says its number.
inline std::string letter(int number, std::size_t size = 300) {
    auto text = fmt::format("Subject: letter {}\r\n\r\n", number);
    while (text.size() < size) text += fmt::format("line {} of {}\r\n", text.size(), number);
    return text;
}

} // namespace mailcore::test
