// A journal in which an octet has changed: what that costs, and what it does not.
#include "libmailcore/base/random.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/file_index.h"
#include "tests/store/mail_account.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

using namespace mailcore;
using namespace mailcore::store;

namespace {

constexpr int letters = 40;

std::string letter(int number) {
    return fmt::format("Subject: letter {:02}\r\n\r\n{}\r\n", number, std::string(500, '.'));
}

/// An account whose disk is another one after each restart.
struct Bench {
    std::unique_ptr<sim::Disk> disk =
        std::make_unique<sim::Disk>(sim::DiskImage{.files = {}, .folders = {"/"}});
    std::optional<sim::DiskImage> next;
    base::SeededRandom random{1};
    JournalStore* journal = nullptr; // the account's
    test::MailAccount account{[this](const base::Clock& clock) { return open(clock); }};

    std::unique_ptr<Store> open(const base::Clock& clock) {
        if (next) disk = std::make_unique<sim::Disk>(*std::exchange(next, std::nullopt));
        JournalStoreOptions options;
        options.threads = StoreThreads::None;
        options.journal.segment_octets = 64 * 1024;
        options.journal.pool_octets = options.journal.reserve_octets = 0;
        options.journal.fill_octets = 0;
        options.free_octets_min = 0;
        options.open_index = [this](const std::string& path) {
            return sim::open_file_index(*disk, path);
        };
        auto opened = JournalStore::open(*disk, "/s", options, random, clock, Log());
        if (!opened) throw opened.error();
        journal = opened->get();
        return std::move(*opened);
    }
    /// What is on disk, but for the index: it is made anew from the journal.
    sim::DiskImage journal_alone() {
        account.restart(); // the log is closed
        auto image = sim::PowerCut(*disk).at(disk->operations(), random);
        std::erase_if(image.files,
                      [](const auto& file) { return file.first.starts_with("/s/index-"); });
        return image;
    }
    void restart_with(sim::DiskImage image) {
        next = std::move(image);
        account.restart();
    }
    /// Numbers of the letters of INBOX that can be read, each by itself.
    std::set<int> readable() {
        std::set<int> found;
        const auto ref = account.ref(account.mailbox("INBOX").id);
        for (int uid = 1; uid <= letters; ++uid) {
            const auto emails = account.read([&](ReadTransaction& txn) {
                const UidSet uids(Uid{static_cast<std::uint32_t>(uid)});
                return read_emails(txn, Access::owner(ref.owner), ref, uids);
            });
            if (!emails || emails->emails.empty()) continue;
            const auto octets =
                test::run(account.scheduler(),
                          read_octets(account.store(), emails->emails[0].email.pieces, 0, 10'000));
            for (int i = 0; octets && i < letters; ++i)
                if (*octets == letter(i)) found.insert(i);
        }
        return found;
    }
};

} // namespace

TEST_CASE("a damaged record costs one message, is named, and the mailbox stays in use") {
    Bench bench;
    const auto inbox = bench.account.mailbox("INBOX").id;
    for (int i = 0; i < letters; ++i) REQUIRE(bench.account.file(inbox, letter(i)));
    const auto image = bench.journal_alone();
    for (const int victim : {0, 7, 25, letters - 1}) {
        const auto mark = fmt::format("Subject: letter {:02}", victim);
        auto damaged = image;
        int places = 0;
        for (auto& [path, octets] : damaged.files) {
            const auto at = octets->find(mark);
            if (at == std::string::npos) continue;
            ++places;
            auto changed = *octets;
            changed[at + 3] ^= 1;
            octets = std::make_shared<const std::string>(changed);
        }
        INFO("letter " << victim);
        REQUIRE(places == 1);
        bench.restart_with(std::move(damaged));
        const auto damages = bench.journal->status().damages;
        for (const auto& each : damages) UNSCOPED_INFO(each);
        CHECK(std::ranges::any_of(damages, [](const std::string& each) {
            return each.contains("segment") && each.contains(", record at ");
        }));
        auto expected = std::set<int>();
        for (int i = 0; i < letters; ++i)
            if (i != victim) expected.insert(i);
        CHECK(bench.readable() == expected);
        // All at once: that one is damaged, and not gone.
        const auto whole = bench.account.read([&](ReadTransaction& txn) {
            const auto all = UidSet::all();
            return read_emails(txn, Access::owner(bench.account.id), bench.account.ref(inbox), all);
        });
        if (victim == letters - 1)
            CHECK(whole->emails.size() == expected.size()); // nothing later speaks of it
        else
            CHECK(whole.error().kind == ErrorKind::Corrupt);
        const auto problems = bench.account.problems();
        for (const auto& each : problems) UNSCOPED_INFO(each);
        CHECK(problems.size() <= 6); // what counts it, and what points to it
        REQUIRE(bench.account.file(inbox, letter(50)));
        REQUIRE(bench.journal->compact(Reclaim::Everything));
        CHECK(bench.readable() == expected);
    }
}
