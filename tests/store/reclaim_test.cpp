// Space that is given back: deleted mail leaves the disk, what is needed stays readable, and the
// past is kept for as long as it was promised.
#include "libmailcore/base/random.h"
#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/fill_index.h"
#include "libmailcore/store/detail/journal_body.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/failing_files.h"
#include "tests/sim/file_index.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/store/store_contract.h"
#include "tests/temporary_folder.h"

#include <atomic>
#include <map>
#include <thread>

using namespace mailcore;
using namespace mailcore::store;
using std::chrono::hours;

namespace {

JournalStoreOptions small_options(base::FileSystem& files) {
    JournalStoreOptions options;
    options.threads = StoreThreads::None;
    options.journal.segment_octets = 64 * 1024;
    options.journal.body_segment_octets = 200'000;
    options.journal.pool_octets = 0;
    options.journal.fill_octets = 0;
    options.journal.reserve_octets = 64 * 1024;
    options.journal.compression.level = 0;
    options.checkpoint_octets = 16 * 1024;
    options.free_octets_min = 32 * 1024;
    options.snapshot_octets_min = std::uint64_t{1} << 30;
    options.open_index = [&files](const std::string& path) {
        return sim::open_file_index(files, path);
    };
    return options;
}

sim::DiskImage root() {
    sim::DiskImage image;
    image.folders = {"/"};
    return image;
}

/// A body of a size, with a mark in it that is found nowhere else.
std::string mail(const std::string& mark, std::size_t octets) {
    std::string text = "<<" + mark + ">>";
    text.resize(octets, '.');
    return text;
}

struct World {
    base::FileSystem& files;
    sim::VirtualScheduler scheduler;
    base::SeededRandom random{1};
    JournalStoreOptions options;
    std::unique_ptr<JournalStore> store;
    explicit World(base::FileSystem& f) : files(f), options(small_options(f)) {}

    Result<void> open() {
        store.reset();
        MAILCORE_TRY(store, JournalStore::open(files, "/s", options, random, scheduler, Log()));
        return {};
    }
    Result<BlobId> add(const std::string& mark, std::size_t octets) {
        MAILCORE_TRY(const auto body,
                     test::run(scheduler, test::hand_in(*store, scheduler, mail(mark, octets))));
        return test::run(
            scheduler, store->write([body, mark](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                const auto id = txn.add_blob(*body);
                MAILCORE_CO_TRY(txn.refer(id, "owner"));
                txn.put("row " + mark, "<<" + mark + ">>");
                co_return id;
            }));
    }
    Result<void> remove(BlobId id, const std::string& mark) {
        return test::run(scheduler,
                         store->write([id, mark](WriteTransaction& txn) -> TxnTask<Result<void>> {
                             MAILCORE_CO_TRY(const bool was, txn.release(id, "owner"));
                             if (!was) co_return fail(ErrorKind::NotFound, "it was not there");
                             txn.erase("row " + mark);
                             co_return Result<void>{};
                         }));
    }
    Result<void> put(const std::string& key, const std::string& value) {
        return test::run(scheduler,
                         store->write([=](WriteTransaction& txn) -> TxnTask<Result<void>> {
                             txn.put(key, value);
                             co_return Result<void>{};
                         }));
    }
    Result<std::string> read(BlobId id) {
        return test::run(scheduler, test::read_whole(*store, id));
    }
    void pass(std::chrono::microseconds time) { scheduler.run_until(scheduler.now() + time); }
    /// Hours go by, in which the store is left alone or has something else to do.
    void pass_hours(int count, bool busy) {
        for (int i = 0; i < count; ++i) {
            pass(hours{1});
            if (busy) REQUIRE(put("tick", std::to_string(i)));
            store->settle();
            if (i % 6 == 0) REQUIRE(store->checkpoint());
        }
    }
    /// How many files hold the mark.
    int found(const std::string& mark) {
        int count = 0;
        for (const std::string folder : {"/s", "/s/journal"}) {
            const auto names = *files.list(folder);
            for (const auto& name : names) {
                const auto content = base::read_file(files, folder + "/" + name, 1 << 30);
                if (content && content->find("<<" + mark + ">>") != std::string::npos) ++count;
            }
        }
        return count;
    }
    std::vector<std::string> check() {
        const auto report = store->check();
        if (!report) UNSCOPED_INFO(report.error().detail);
        REQUIRE(report);
        for (const auto& problem : report->problems) UNSCOPED_INFO(problem);
        return report->problems;
    }
    int count(std::string_view ends_with) {
        int count = 0;
        const auto names = *files.list("/s/journal");
        for (const auto& name : names) count += name.ends_with(ends_with);
        return count;
    }
    /// Changes one octet of what lies on disk, behind the mark.
    void damage(const std::string& mark) {
        const auto names = *files.list("/s/journal");
        for (const auto& name : names) {
            const auto path = "/s/journal/" + name;
            const auto content = base::read_file(files, path, 1 << 30);
            const auto at = content->find("<<" + mark + ">>...");
            if (at == std::string::npos) continue;
            const auto file = files.open(path, OpenMode::Write);
            const std::string_view x = "X";
            REQUIRE((*file)->write_at(at + mark.size() + 5, std::span(&x, 1)));
            return;
        }
        FAIL("not found: " << mark);
    }
};

} // namespace

TEST_CASE("deleted mail has left the disk after the horizon, the age of compaction and a day") {
    const bool busy = GENERATE(true, false);
    INFO((busy ? "busy" : "idle"));
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    std::map<std::string, BlobId> mails;
    for (int i = 0; i < 60; ++i) {
        const auto mark = "mail " + std::to_string(i);
        const auto id =
            world.add(mark, i % 6 == 0 ? 140'000 : 4'000 + static_cast<std::size_t>(i) * 10);
        REQUIRE(id);
        mails.emplace(mark, *id);
        if (i % 10 == 0) world.pass_hours(5, false);
    }
    world.pass_hours(24 * 3, busy);
    std::vector<std::string> gone;
    for (int i = 0; i < 60; ++i)
        if (i % 4 == 0 || (i > 20 && i < 30)) {
            const auto mark = "mail " + std::to_string(i);
            REQUIRE(world.remove(mails.at(mark), mark));
            mails.erase(mark);
            gone.push_back(mark);
        }
    world.pass_hours(24 * 6, busy);
    for (const auto& mark : gone) CHECK(world.found(mark) > 0); // it could still be brought back
    world.pass_hours(24 * 9 + 2, busy);
    for (const auto& mark : gone) {
        INFO(mark);
        CHECK(world.found(mark) == 0);
    }
    for (const auto& [mark, id] : mails) {
        INFO(mark);
        const auto octets = world.read(id);
        REQUIRE(octets);
        CHECK(octets->starts_with("<<" + mark + ">>"));
    }
    CHECK(world.check().empty());
    REQUIRE(world.open());
    CHECK(world.store->status().damages.empty());
    for (const auto& [mark, id] : mails) CHECK(world.read(id));
    CHECK(world.check().empty());
}

TEST_CASE("compacting everything leaves nothing that is not needed, and nothing less") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    std::vector<BlobId> mails;
    for (int i = 0; i < 40; ++i)
        mails.push_back(*world.add("mail " + std::to_string(i), i % 8 == 0 ? 150'000 : 9'000));
    const auto full = world.store->status().journal_octets;
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < mails.size(); ++i) {
        if (i % 8 == 3 || i == 8) {
            needed += i == 8 ? 150'000 : 9'000;
            continue;
        }
        REQUIRE(world.remove(mails[i], "mail " + std::to_string(i)));
    }
    SECTION("the past is kept as long as nothing else is asked for") {
        REQUIRE(world.store->compact(Reclaim::KeepHistory));
        CHECK(world.found("mail 0") > 0);
        CHECK(world.found("mail 1") > 0);
    }
    const auto report = world.store->compact(Reclaim::Everything);
    REQUIRE(report);
    CHECK(report->segments > 3);
    CHECK(world.count(".snapshot") == 1);
    CHECK(world.store->status().journal_octets < needed + 200'000);
    CHECK(world.store->status().journal_octets < full / 2);
    CHECK(world.store->status().reclaimable_octets < 100'000);
    for (std::size_t i = 0; i < mails.size(); ++i) {
        INFO(i);
        const bool kept = i % 8 == 3 || i == 8;
        CHECK((world.found("mail " + std::to_string(i)) > 0) == kept);
        CHECK(world.read(mails[i]).has_value() == kept);
    }
    CHECK(world.check().empty());
    REQUIRE(world.put("goes on", "1"));
    REQUIRE(world.open());
    CHECK(world.store->status().damages.empty());
    CHECK(world.check().empty());
    // The index is lost: the snapshot and the log that is left lead to the same.
    world.store.reset();
    const auto names = *disk.list("/s");
    for (const auto& name : names)
        if (name.starts_with("index-")) REQUIRE(disk.remove("/s/" + name));
    REQUIRE(world.open());
    CHECK(world.store->status().damages.empty());
    for (std::size_t i = 3; i < mails.size(); i += 8) CHECK(world.read(mails[i]));
    CHECK(world.check().empty());
    REQUIRE(world.store->rebuild());
    CHECK(world.check().empty());
}

TEST_CASE("a body with a wrong checksum stays where it is, is named once, and holds up nobody") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    std::vector<BlobId> mails;
    for (int i = 0; i < 30; ++i)
        mails.push_back(*world.add("mail " + std::to_string(i), i % 10 == 9 ? 150'000 : 6'000));
    for (const std::size_t i : {1U, 5U, 12U, 19U})
        REQUIRE(world.remove(mails[i], "mail " + std::to_string(i)));
    world.damage("mail 4");
    for (int round = 0; round < 2; ++round) {
        REQUIRE(world.store->compact(Reclaim::Everything));
        const auto damages = world.store->status().damages;
        REQUIRE(damages.size() == 1);
        CHECK(damages[0].find("body " + std::to_string(mails[4].value) + " ") == 0);
    }
    CHECK(world.found("mail 12") == 0); // in another segment
    CHECK(world.read(mails[4]).error().kind == ErrorKind::Corrupt);
    for (const std::size_t i : {0U, 2U, 3U, 6U, 9U, 11U, 29U}) CHECK(world.read(mails[i]));
    CHECK(world.check().size() == 1);
    // When it is deleted, its segment goes too.
    REQUIRE(world.remove(mails[4], "mail 4"));
    REQUIRE(world.store->compact(Reclaim::Everything));
    CHECK(world.found("mail 4") == 0);
    CHECK(world.check().empty());
}

TEST_CASE("scrubbing names what is damaged, and makes a damaged snapshot anew") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    std::vector<BlobId> mails;
    for (int i = 0; i < 20; ++i)
        mails.push_back(*world.add("mail " + std::to_string(i), i == 7 ? 150'000 : 6'000));
    const auto clean = world.store->scrub();
    REQUIRE(clean);
    CHECK(clean->bodies == 20);
    CHECK(clean->damaged.empty());
    CHECK(world.store->status().last_scrub.has_value());
    world.damage("mail 7");
    world.damage("mail 3");
    REQUIRE(world.store->snapshot());
    const auto names = *disk.list("/s/journal");
    for (const auto& name : names)
        if (name.ends_with(".snapshot")) {
            const auto file = disk.open("/s/journal/" + name, OpenMode::Write);
            const std::string_view x = "X";
            REQUIRE((*file)->write_at(4096 + 300, std::span(&x, 1)));
        }
    const auto found = world.store->scrub();
    REQUIRE(found);
    CHECK(found->damaged.size() >= 3);
    CHECK(world.count(".snapshot") == 2);
    // A week later it comes by itself; a scrub is remembered.
    REQUIRE(world.open());
    world.pass(hours{24 * 6});
    world.store->settle();
    CHECK_FALSE(world.store->status().last_scrub);
    world.pass(hours{24 + 1});
    world.store->settle();
    CHECK(world.store->status().last_scrub);
}

TEST_CASE("an only snapshot that is damaged costs nothing as long as the log reaches back") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    std::map<std::string, BlobId> mails;
    const auto add = [&](int from, int to) {
        for (int i = from; i < to; ++i) {
            const auto mark = "mail " + std::to_string(i);
            mails.emplace(mark, *world.add(mark, i % 9 == 4 ? 150'000 : 6'000));
        }
    };
    add(0, 20);
    REQUIRE(world.store->snapshot());
    add(20, 30);
    const auto names = *disk.list("/s/journal");
    for (const auto& name : names)
        if (name.ends_with(".snapshot")) {
            const auto file = disk.open("/s/journal/" + name, OpenMode::Write);
            const std::string_view x = "X";
            REQUIRE((*file)->write_at(4096 + 300, std::span(&x, 1)));
        }
    const auto past = world.store->past(world.scheduler.wall_now());
    REQUIRE(past);
    for (const auto& [mark, id] : mails)
        CHECK(test::run(world.scheduler, test::read_whole(**past, id)));
    REQUIRE(world.store->rebuild());
    for (const auto& [mark, id] : mails) CHECK(world.read(id));
    world.store.reset();
    const auto left = *disk.list("/s");
    for (const auto& name : left)
        if (name.starts_with("index-")) REQUIRE(disk.remove("/s/" + name));
    REQUIRE(world.open());
    const auto damages = world.store->status().damages;
    CHECK_FALSE(damages.empty());
    for (const auto& each : damages) CHECK(each.starts_with("snapshot "));
    for (const auto& [mark, id] : mails) CHECK(world.read(id));
}

TEST_CASE("a moment within the horizon can be put together again, bodies and all") {
    sim::Disk disk(root());
    World world(disk);
    world.options.restore_horizon = hours{24 * 2};
    world.options.compaction_age = hours{1};
    REQUIRE(world.open());
    struct Moment {
        WallTime at;
        std::map<std::string, BlobId> mails;
    };
    std::vector<Moment> moments;
    std::map<std::string, BlobId> mails;
    const bool restarted = GENERATE(false, true);
    for (int hour = 0; hour < 24 * 8; ++hour) {
        const auto mark = "mail " + std::to_string(hour);
        const auto id = world.add(mark, hour % 12 == 0 ? 140'000 : 3'000);
        REQUIRE(id);
        mails.emplace(mark, *id);
        if (mails.size() > 12) {
            const auto victim = std::next(
                mails.begin(), static_cast<std::ptrdiff_t>(world.random.below(mails.size())));
            REQUIRE(world.remove(victim->second, victim->first));
            mails.erase(victim);
        }
        moments.push_back({world.scheduler.wall_now(), mails});
        if (restarted && hour == 24 * 7) REQUIRE(world.open());
        world.pass_hours(1, false);
    }
    CHECK(world.count(".log") < 24 * 4);
    const auto now = world.scheduler.wall_now();
    world.store.reset();
    const auto journal = journal::Journal::open(
        disk, "/s/journal", world.options.journal, world.random, world.scheduler, Log(),
        [&] {
            const auto id = journal::Journal::read_store_id(disk, "/s/journal");
            const auto all = journal::find_snapshots(disk, "/s/journal", *id);
            REQUIRE_FALSE(all->finished.empty());
            return all->finished.back().end.from;
        }(),
        journal::Replay{
            [](const journal::FrameInfo&, const journal::Record&) -> Result<void> { return {}; },
            {},
            {}});
    REQUIRE(journal);
    int restored = 0;
    for (const auto& moment : moments) {
        if (moment.at < now - hours{24 * 2}) continue;
        const auto path = "/index " + std::to_string(++restored);
        const auto index = sim::open_file_index(disk, path);
        std::vector<std::string> damages;
        const auto filled =
            detail::fill_index({disk, "/s/journal"}, **journal, **index,
                               {.position = (*journal)->end(), .time = moment.at},
                               [&damages](const std::string& what) { damages.push_back(what); });
        REQUIRE(filled);
        CHECK(damages.empty());
        const auto reader = (*index)->read();
        std::size_t rows = 0;
        const auto cursor = (*reader)->cursor();
        for (cursor->start({"row ", "row!"}, kv::Order::Ascending); cursor->valid(); cursor->next())
            ++rows;
        CHECK(rows == moment.mails.size());
        for (const auto& [mark, id] : moment.mails) {
            const auto value = (*reader)->get(detail::blob_key(id));
            REQUIRE((value && *value));
            const auto row = detail::decode_blob_row(**value);
            REQUIRE(row);
            const auto whole = detail::is_whole(**journal, *row);
            if (!whole) UNSCOPED_INFO(whole.error().detail);
            CHECK((whole && *whole));
        }
        REQUIRE(disk.remove(path));
    }
    CHECK(restored >= 47);
}

TEST_CASE("a full disk takes from the past, the oldest first, before mail is refused") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    for (int day = 0; day < 20; ++day) {
        const auto mark = "mail " + std::to_string(day);
        const auto id = world.add(mark, 150'000);
        REQUIRE(id);
        REQUIRE(world.remove(*id, mark));
        world.pass_hours(24, true);
    }
    CHECK(world.found("mail 19") > 0);
    CHECK(world.found("mail 15") > 0);
    disk.set_capacity(disk.used_octets() + 20'000);
    world.store->settle();
    CHECK(world.found("mail 19") > 0);
    CHECK(world.found("mail 14") == 0);
    CHECK(world.store->status().writable);
    REQUIRE(world.add("one more", 100'000));
    disk.set_capacity(std::uint64_t{1} << 30);
    CHECK(world.check().empty());
}

TEST_CASE("whichever operation of a compaction fails, nothing is lost by it") {
    for (const auto fault : {sim::Fault::NoSpace, sim::Fault::ShortWrite, sim::Fault::Broken}) {
        std::size_t operation = 0;
        for (bool reached = true; reached; ++operation) {
            INFO("fault " << static_cast<int>(fault) << " at " << operation);
            sim::Disk disk(root());
            sim::FailingFileSystem files(disk);
            std::map<BlobId, std::string> mails;
            {
                World world(files);
                REQUIRE(world.open());
                for (int i = 0; i < 16; ++i) {
                    const auto mark = "mail " + std::to_string(i);
                    const auto id = world.add(mark, i % 5 == 0 ? 135'000 : 8'000);
                    REQUIRE(id);
                    if (i % 3 == 0)
                        REQUIRE(world.remove(*id, mark));
                    else
                        mails.emplace(*id, mark);
                }
                REQUIRE(world.store->snapshot());
                files.fail_at(operation, fault);
                for (int round = 0; round < 2; ++round)
                    if (const auto done = world.store->compact(Reclaim::Everything); !done)
                        CHECK(done.error().kind != ErrorKind::Corrupt);
                for (const auto& [id, mark] : mails) REQUIRE(world.read(id));
                world.store.reset();
                reached = files.failed();
            }
            base::SeededRandom random(operation);
            const auto image = sim::PowerCut(disk).at(disk.operations(), random);
            sim::Disk rest(operation % 2 == 0 ? image : root());
            World world(operation % 2 == 0 ? static_cast<base::FileSystem&>(rest) : disk);
            const auto opened = world.open();
            if (!opened) UNSCOPED_INFO(opened.error().detail);
            REQUIRE(opened);
            CHECK(world.store->status().damages.empty());
            for (const auto& [id, mark] : mails) {
                const auto octets = world.read(id);
                REQUIRE(octets);
                CHECK(octets->starts_with("<<" + mark + ">>"));
            }
            CHECK(world.check().empty());
            REQUIRE(world.put("after", "1"));
        }
        CHECK(operation > 25);
    }
}

TEST_CASE("compaction, snapshots and a rebuild run beside readers and writers") {
    const test::TemporaryFolder folder;
    base::PosixFileSystem files;
    base::SystemRandom random;
    sim::VirtualScheduler scheduler;
    JournalStoreOptions options;
    options.journal.segment_octets = 256 * 1024;
    options.journal.body_segment_octets = 512 * 1024;
    options.journal.pool_octets = options.journal.reserve_octets = 256 * 1024;
    options.index_map_octets = std::uint64_t{1} << 30;
    options.checkpoint_octets = 50'000;
    options.free_octets_min = 0;
    options.upkeep_interval = std::chrono::milliseconds{20};
    options.restore_horizon = std::chrono::seconds{0};
    options.compaction_age = std::chrono::seconds{0};
    auto opened =
        JournalStore::open(files, folder.path() + "/s", options, random, scheduler, Log());
    REQUIRE(opened);
    auto& store = **opened;
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::thread keeper([&] {
        for (int i = 0; !stop; ++i) {
            if (!store.compact(i % 2 == 0 ? Reclaim::Everything : Reclaim::KeepHistory)) ++wrong;
            if (i % 3 == 0 && !store.rebuild()) ++wrong;
        }
    });
    std::map<BlobId, std::string> mails;
    for (int i = 0; i < 300; ++i) {
        const auto mark = "mail " + std::to_string(i);
        const auto body = test::run(
            scheduler, test::hand_in(store, scheduler, mail(mark, i % 20 == 0 ? 200'000 : 5'000)));
        REQUIRE(body);
        const auto id = test::run(
            scheduler, store.write([b = *body](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                const auto made = txn.add_blob(*b);
                MAILCORE_CO_TRY(txn.refer(made, "owner"));
                co_return made;
            }));
        REQUIRE(id);
        mails.emplace(*id, mark);
        if (mails.size() > 20) {
            const auto victim = std::next(mails.begin(), i % 7);
            const auto gone = test::run(
                scheduler,
                store.write([blob = victim->first](WriteTransaction& txn) -> TxnTask<Result<bool>> {
                    auto done = co_await txn.release(blob, "owner");
                    co_return done;
                }));
            REQUIRE(gone);
            mails.erase(victim);
        }
        for (const auto& [blob, each] : mails) {
            const auto octets = test::run(scheduler, test::read_whole(store, blob));
            if (!octets || !octets->starts_with("<<" + each + ">>")) ++wrong;
            if (blob.value % 5 == 0) break;
        }
    }
    stop = true;
    keeper.join();
    CHECK(wrong == 0);
    REQUIRE(store.compact(Reclaim::Everything));
    CHECK(store.status().journal_octets < 4'000'000);
    CHECK(store.status().damages.empty());
    const auto report = store.check();
    REQUIRE(report);
    for (const auto& problem : report->problems) UNSCOPED_INFO(problem);
    CHECK(report->problems.empty());
}
