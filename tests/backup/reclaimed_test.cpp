// Backups of a store that gives back what is too old to be restored.
#include "libmailcore/backup/backup.h"

#include "tests/backup/backup_world.h"

#include <algorithm>
#include <map>

using namespace mailcore;
using std::chrono::hours;
using test::BackupWorld;
using test::letter;

namespace {

struct Moment {
    WallTime at;
    std::vector<std::string> inbox;
};

/// A server whose mail comes and goes for days, and whose journal is reclaimed meanwhile.
struct Days {
    BackupWorld world;
    std::vector<Moment> moments; // one an hour
    std::map<store::Uid, std::string> mails;
    int letters = 0;

    explicit Days(hours horizon = hours{24 * 2}) {
        world.adjust = [horizon](store::JournalStoreOptions& options) {
            options.journal.fill_octets = 0;
            options.restore_horizon = horizon;
            options.compaction_age = hours{1};
            options.scrub_interval = std::chrono::seconds{0};
        };
        world.start();
    }
    void pass_hours(int count) {
        for (int i = 0; i < count; ++i) {
            const auto text = letter(letters, letters % 9 == 4 ? 140'000 : 3'000);
            ++letters;
            mails.emplace(world.file(text).uid, text);
            if (mails.size() > 8) {
                const auto victim = std::next(
                    mails.begin(), static_cast<std::ptrdiff_t>(world.random.below(mails.size())));
                world.expunge(victim->first);
                mails.erase(victim);
            }
            Moment now{world.scheduler.wall_now(), {}};
            for (const auto& [uid, each] : mails) now.inbox.push_back(each);
            moments.push_back(std::move(now));
            world.scheduler.run_until(world.scheduler.now() + hours{1});
            world.store->settle();
            if (i % 6 == 0) REQUIRE(world.store->checkpoint());
        }
    }
    [[nodiscard]] WallTime now() const { return world.scheduler.wall_now(); }
    void restore_and_compare(const Moment& moment) {
        static int folders = 0;
        const auto folder = "/r" + std::to_string(++folders);
        const auto restored = world.restore(folder, moment.at);
        if (!restored) UNSCOPED_INFO(restored.error().detail);
        REQUIRE(restored);
        for (const auto& problem : restored->problems) UNSCOPED_INFO(problem);
        CHECK(restored->problems.empty());
        auto original = std::move(world.store);
        world.open(folder);
        CHECK(world.store->status().damages.empty());
        CHECK(world.inbox() == moment.inbox);
        const auto checked = world.store->check();
        REQUIRE(checked);
        for (const auto& problem : checked->problems) UNSCOPED_INFO(problem);
        CHECK(checked->problems.empty());
        world.store = std::move(original);
    }
    void compare_past(const Moment& moment) {
        const auto past = world.store->past(moment.at);
        if (!past) UNSCOPED_INFO(past.error().detail);
        REQUIRE(past);
        auto emails = std::uint64_t{0};
        REQUIRE((*past)->read_now([&](store::ReadTransaction& txn) -> store::TxnTask<Result<void>> {
            MAILCORE_CO_TRY(const auto state, store::account_state(txn, BackupWorld::account));
            emails = state.quota.usage.messages;
            co_return Result<void>{};
        }));
        CHECK(emails == moment.inbox.size());
    }
};

bool says(const std::vector<std::string>& problems, std::string_view what) {
    return std::ranges::any_of(problems, [&](const auto& each) { return each.contains(what); });
}

std::vector<std::string> files_ending(sim::Disk& disk, const std::string& folder,
                                      std::string_view ends) {
    auto names = *disk.list(folder);
    std::erase_if(names, [ends](const std::string& name) { return !name.ends_with(ends); });
    return names;
}

} // namespace

TEST_CASE("a backup of a store whose log was trimmed restores every moment within the horizon") {
    Days days;
    days.pass_hours(24 * 7);
    CHECK(files_ending(days.world.disk, "/d/store/journal", ".log").size() < 80);
    REQUIRE(days.world.back_up());
    const auto found = days.world.verify();
    for (const auto& problem : found.problems) UNSCOPED_INFO(problem);
    CHECK(found.problems.empty());
    CHECK(found.gaps.empty());
    CHECK(found.emails == 8);
    CHECK(found.from <= days.now() - hours{24 * 2});
    CHECK(found.from > days.now() - hours{24 * 4});
    int restored = 0;
    for (const auto& moment : days.moments) {
        if (moment.at < days.now() - hours{24 * 2}) continue;
        INFO("moment " << (&moment - days.moments.data()));
        days.compare_past(moment);
        if (restored++ % 5 == 0) days.restore_and_compare(moment);
    }
    CHECK(restored >= 47);
    // What lies before is refused, and it is said how far back it goes.
    for (std::size_t i = 0; i < 48; i += 7) {
        const auto at = days.moments[i].at;
        const auto early = days.world.restore("/early", at);
        REQUIRE_FALSE(early);
        CHECK(early.error().kind == ErrorKind::NotFound);
        CHECK(early.error().detail.contains("the earliest time is 20"));
        CHECK_FALSE(days.world.store->past(at));
    }
    CHECK_FALSE(*days.world.disk.exists("/early"));
    // The newest state, without a time.
    REQUIRE(days.world.restore("/newest"));
    days.world.open("/newest");
    CHECK(days.world.inbox() == days.moments.back().inbox);
}

TEST_CASE("backups more frequent than the horizon hold every moment since the first one") {
    Days days;
    for (int day = 0; day < 6; ++day) {
        days.pass_hours(24);
        const auto made = days.world.back_up();
        if (!made) UNSCOPED_INFO(made.error().detail);
        REQUIRE(made);
    }
    const auto found = days.world.verify();
    for (const auto& problem : found.problems) UNSCOPED_INFO(problem);
    CHECK(found.problems.empty());
    CHECK(found.gaps.empty());
    const auto manifest = backup::read_manifest(days.world.disk, "/b");
    REQUIRE(manifest);
    CHECK(std::ranges::count_if(manifest->files, [](const auto& file) {
              return file.gone.has_value() && file.path.ends_with(".snapshot");
          }) > 0);
    for (std::size_t i = 0; i < days.moments.size(); i += 11) {
        INFO("moment " << i);
        days.restore_and_compare(days.moments[i]);
    }
    // What is kept no longer shortens that, and leaves no problem behind.
    backup::BackupOptions how;
    how.keep = hours{24 * 2};
    days.pass_hours(1);
    REQUIRE(days.world.back_up(how));
    const auto later = days.world.verify();
    for (const auto& problem : later.problems) UNSCOPED_INFO(problem);
    CHECK(later.problems.empty());
    CHECK(later.from > found.from);
    CHECK(later.from <= days.now() - hours{24 * 3});
    for (std::size_t i = 0; i < days.moments.size(); i += 11)
        if (days.moments[i].at >= later.from) days.restore_and_compare(days.moments[i]);
}

TEST_CASE("backups made too rarely leave a gap, which is told and not restored from") {
    Days days(hours{12});
    days.pass_hours(30);
    REQUIRE(days.world.back_up());
    days.pass_hours(24 * 5);
    REQUIRE(days.world.back_up());
    days.pass_hours(3);
    const auto found = days.world.verify();
    for (const auto& problem : found.problems) UNSCOPED_INFO(problem);
    CHECK(found.problems.empty());
    REQUIRE(found.gaps.size() == 1);
    const auto [from, until] = found.gaps.front();
    int shown = 0, refused = 0;
    for (std::size_t i = 0; i + 3 < days.moments.size(); i += 4) {
        const auto& moment = days.moments[i];
        INFO("moment " << i);
        if (moment.at <= found.from || (moment.at > from && moment.at < until)) {
            const auto restored = days.world.restore("/never", moment.at);
            REQUIRE_FALSE(restored);
            CHECK(restored.error().detail.contains("the earliest time"));
            ++refused;
        } else {
            days.restore_and_compare(moment);
            ++shown;
        }
    }
    CHECK(shown > 5);
    CHECK(refused > 10);
    CHECK_FALSE(*days.world.disk.exists("/never"));
}

TEST_CASE("an octet that changes in a backup's snapshot is named, by the file and by its content") {
    Days days;
    days.pass_hours(24 * 5);
    REQUIRE(days.world.back_up());
    const auto names = files_ending(days.world.disk, "/b/store/journal", ".snapshot");
    REQUIRE(names.size() >= 2);
    for (const auto& name : names) {
        INFO(name);
        const auto path = "/b/store/journal/" + name;
        const auto before = base::read_file(days.world.disk, path, 1 << 30);
        REQUIRE(before);
        for (const std::size_t at : {std::size_t{300}, std::size_t{4096 + 200}}) {
            auto damaged = *before;
            damaged[at] ^= 1;
            REQUIRE(base::replace_file(days.world.disk, path, damaged));
            const auto problems = days.world.verify().problems;
            CHECK(says(problems, name));
            if (at > 4096) CHECK(says(problems, ": a damaged frame at 4096"));
            // The snapshot before, and the log behind it, lead to the same.
            if (name != names.front()) {
                const auto folder = fmt::format("/damaged {} {}", name, at);
                const auto restored = days.world.restore(folder);
                REQUIRE(restored);
                CHECK(says(restored->problems, name));
                auto original = std::move(days.world.store);
                days.world.open(folder);
                CHECK(days.world.inbox() == days.moments.back().inbox);
                days.world.store = std::move(original);
            }
        }
        REQUIRE(base::replace_file(days.world.disk, path, *before));
    }
    CHECK(days.world.verify().problems.empty());
}

TEST_CASE("files that are being copied stay until the backup is made") {
    BackupWorld world;
    world.adjust = [](store::JournalStoreOptions& options) {
        options.restore_horizon = std::chrono::seconds{0};
    };
    world.start();
    std::vector<store::Uid> uids;
    for (int i = 0; i < 60; ++i) uids.push_back(world.file(letter(i, 5'000)).uid);
    const auto large = world.file(letter(60, 200'000));
    const auto expected = world.inbox();
    auto source = world.source();
    int asked = 0, compacted = 0;
    std::uint64_t removed = 0;
    source.inventory = [&] {
        ++asked;
        return world.store->inventory();
    };
    backup::BackupOptions how;
    how.progress = [&](const backup::Progress&) {
        if (compacted++ > 0) return;
        // Everything that is still to be copied is dead by now.
        world.expunge(large.uid);
        for (const auto uid : uids) world.expunge(uid);
        const auto done = world.store->compact(store::Reclaim::Everything);
        REQUIRE(done);
        removed += done->segments;
    };
    REQUIRE(backup::make_backup(world.disk, source, "/b", how, world.scheduler));
    CHECK(asked == 1);
    CHECK(compacted > 3);
    CHECK(removed == 0);
    CHECK(world.verify().problems.empty());
    CHECK(world.verify().emails == expected.size());
    // When it is made, they go.
    const auto done = world.store->compact(store::Reclaim::Everything);
    REQUIRE(done);
    CHECK(done->segments > 3);
    world.store.reset();
    REQUIRE(world.restore("/r"));
    world.open("/r");
    CHECK(world.inbox() == expected);
}

TEST_CASE("snapshots of a server that a restored one has replaced count for nothing") {
    BackupWorld world;
    world.start();
    std::vector<store::Uid> uids;
    for (int i = 0; i < 20; ++i) uids.push_back(world.file(letter(i, 2'000)).uid);
    REQUIRE(world.store->snapshot());
    const auto half = world.scheduler.wall_now();
    for (int i = 20; i < 40; ++i) world.file(letter(i, 2'000));
    world.expunge(uids[3]);
    REQUIRE(world.store->snapshot());
    for (int i = 40; i < 45; ++i) world.file(letter(i, 2'000));
    REQUIRE(world.back_up());
    REQUIRE(world.restore("/r", half));
    world.open("/r");
    CHECK(files_ending(world.disk, "/r/store/journal", ".snapshot").size() == 1);
    std::vector<Moment> moments;
    for (int i = 100; i < 160; ++i) {
        world.file(letter(i, 2'000));
        moments.push_back({world.scheduler.wall_now(), world.inbox()});
    }
    auto source = world.source();
    source.data = "/r";
    REQUIRE(backup::make_backup(world.disk, source, "/b", {}, world.scheduler));
    const auto found = world.verify();
    for (const auto& problem : found.problems) UNSCOPED_INFO(problem);
    CHECK(found.problems.empty());
    CHECK(found.emails == 80);
    for (std::size_t i = 0; i < moments.size(); i += 9) {
        INFO("moment " << i);
        const auto folder = "/again" + std::to_string(i);
        const auto restored = world.restore(folder, moments[i].at);
        REQUIRE(restored);
        CHECK(restored->problems.empty());
        world.open(folder);
        CHECK(world.inbox() == moments[i].inbox);
    }
}
