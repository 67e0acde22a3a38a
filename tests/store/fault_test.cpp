// Failing operations and full disks: what was acknowledged stays, what was refused does not come
// back, and reading goes on.
#include "libmailcore/base/random.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/failing_files.h"
#include "tests/sim/file_index.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/store/store_contract.h"

#include <map>

using namespace mailcore;
using namespace mailcore::store;

namespace {

JournalStoreOptions small_options(base::FileSystem& files) {
    JournalStoreOptions options;
    options.threads = StoreThreads::None;
    options.journal.segment_octets = 64 * 1024;
    options.journal.body_segment_octets = 100'000;
    options.journal.pool_octets = 32 * 1024;
    options.journal.fill_octets = 8 * 1024;
    options.journal.reserve_octets = 64 * 1024;
    options.journal.compression.level = 0;
    options.checkpoint_octets = 16 * 1024;
    options.free_octets_min = 32 * 1024;
    options.open_index = [&files](const std::string& path) {
        return sim::open_file_index(files, path);
    };
    return options;
}

struct Effects {
    std::map<std::string, std::string> rows;    // acknowledged
    std::map<std::string, std::string> perhaps; // answered "unavailable"
    std::map<BlobId, std::string> bodies;       // acknowledged
};

struct World {
    base::FileSystem& files;
    sim::VirtualScheduler scheduler;
    base::SeededRandom random{1};
    std::unique_ptr<JournalStore> store;
    explicit World(base::FileSystem& f) : files(f) {}

    Result<void> open() {
        store.reset();
        MAILCORE_TRY(
            store, JournalStore::open(files, "/s", small_options(files), random, scheduler, Log()));
        return {};
    }
    Result<void> put(const std::string& key, const std::string& value,
                     Urgency urgency = Urgency::Normal) {
        return test::run(scheduler, store->write(
                                        [=](WriteTransaction& txn) -> TxnTask<Result<void>> {
                                            txn.put(key, value);
                                            co_return Result<void>{};
                                        },
                                        urgency));
    }
    Result<BlobId> blob(std::string octets) {
        MAILCORE_TRY(const auto body,
                     test::run(scheduler, test::hand_in(*store, scheduler, std::move(octets))));
        return test::run(scheduler,
                         store->write([body](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                             const auto id = txn.add_blob(*body);
                             MAILCORE_CO_TRY(txn.refer(id, "owner"));
                             co_return id;
                         }));
    }
    Result<bool> release(BlobId id, Urgency urgency) {
        return test::run(scheduler, store->write(
                                        [id](WriteTransaction& txn) -> TxnTask<Result<bool>> {
                                            auto gone = co_await txn.release(id, "owner");
                                            co_return gone;
                                        },
                                        urgency));
    }
    std::map<std::string, std::string> rows() {
        const auto all = test::run(
            scheduler, store->read([](ReadTransaction& txn) -> TxnTask<Result<std::vector<Row>>> {
                auto found = co_await txn.range("", "", 10'000);
                co_return found;
            }));
        REQUIRE(all);
        std::map<std::string, std::string> found;
        for (const auto& row : *all) found[row.key] = row.value;
        return found;
    }
    void work(Effects& effects) {
        for (int i = 0; i < 12; ++i) {
            const auto key = "key " + std::to_string(i),
                       value = "value " + std::string(static_cast<std::size_t>(i) * 700, 'v');
            const auto done = put(key, value, i % 3 == 0 ? Urgency::Reclaim : Urgency::Normal);
            if (done)
                effects.rows[key] = value;
            else if (done.error().kind == ErrorKind::Unavailable)
                effects.perhaps[key] = value;
            else
                CHECK(done.error().kind == ErrorKind::LimitExceeded);
            if (i % 4 == 1) {
                const std::string octets(i % 8 == 1 ? 200'000 : 5'000, static_cast<char>('a' + i));
                if (const auto id = blob(octets)) effects.bodies[*id] = octets;
            }
            if (i % 5 == 2) store->settle();
            if (i == 7)
                if (const auto checkpoint = store->checkpoint(); !checkpoint)
                    CHECK_FALSE(checkpoint.error().detail.empty());
            // What was acknowledged is served, whatever fails.
            const auto now = rows();
            for (const auto& [row, expected] : effects.rows)
                CHECK((now.contains(row) && now.at(row) == expected));
        }
    }
    void compare(const Effects& effects) {
        const auto now = rows();
        for (const auto& [key, value] : effects.rows)
            CHECK((now.contains(key) && now.at(key) == value));
        for (const auto& [key, value] : now)
            CHECK((effects.rows.contains(key) ||
                   (effects.perhaps.contains(key) && effects.perhaps.at(key) == value)));
        for (const auto& [id, octets] : effects.bodies) {
            const auto whole = test::run(scheduler, test::read_whole(*store, id));
            CHECK((whole && *whole == octets));
        }
        const auto report = store->check();
        REQUIRE(report);
        if (!report->problems.empty()) UNSCOPED_INFO(report->problems.front());
        CHECK(report->problems.empty());
    }
};

sim::DiskImage root() {
    sim::DiskImage image;
    image.folders = {"/"};
    return image;
}

} // namespace

TEST_CASE(
    "whichever operation fails, nothing acknowledged is lost and nothing refused comes back") {
    for (const auto fault : {sim::Fault::NoSpace, sim::Fault::ShortWrite, sim::Fault::Broken,
                             sim::Fault::NoFiles, sim::Fault::NoMemory})
        for (const std::size_t times : {1, 3}) {
            std::size_t operation = 0;
            for (bool reached = true; reached; ++operation) {
                INFO("fault " << static_cast<int>(fault) << " at " << operation << ", " << times
                              << " times");
                sim::Disk disk(root());
                sim::FailingFileSystem files(disk);
                Effects effects;
                {
                    World world(files);
                    files.fail_at(operation, fault, times);
                    if (world.open()) world.work(effects);
                    world.store.reset();
                    reached = files.failed();
                }
                // The process starts again; sometimes the power was gone in between.
                base::SeededRandom random(operation);
                const auto image = sim::PowerCut(disk).at(disk.operations(), random);
                sim::Disk rest(operation % 2 == 0 ? image : root());
                World world(operation % 2 == 0 ? static_cast<base::FileSystem&>(rest) : disk);
                const auto opened = world.open();
                if (!opened) UNSCOPED_INFO(opened.error().detail);
                REQUIRE(opened);
                world.compare(effects);
                REQUIRE(world.put("after", "1"));
            }
            CHECK(operation > 40);
        }
}

TEST_CASE("after a failed sync the store takes no more writes, says so, and serves what it has") {
    sim::Disk disk(root());
    sim::FailingFileSystem files(disk);
    World world(files);
    REQUIRE(world.open());
    REQUIRE(world.put("before", "1"));
    files.fail_at(1, sim::Fault::Broken); // the write succeeds, its sync does not
    CHECK(world.put("lost", "1").error().kind == ErrorKind::Unavailable);
    CHECK(world.put("later", "1").error().kind == ErrorKind::Unavailable);
    CHECK(world.put("later", "1", Urgency::Reclaim).error().kind == ErrorKind::Unavailable);
    CHECK(world.rows() == std::map<std::string, std::string>{{"before", "1"}});
    CHECK_FALSE(world.store->status().writable);
    CHECK(world.store->status().reason.find("syncing") != std::string::npos);
}

TEST_CASE("a full disk refuses mail, serves reads, and is emptied by what reclaims space") {
    sim::Disk disk(root());
    World world(disk);
    REQUIRE(world.open());
    REQUIRE(world.put("warm", "up"));
    world.store->settle(); // the reserve is there
    std::vector<BlobId> bodies;
    disk.set_capacity(disk.used_octets() + 700'000);
    while (true) {
        const auto made = world.blob(std::string(150'000, static_cast<char>('a' + bodies.size())));
        if (!made) {
            CHECK(made.error().kind == ErrorKind::LimitExceeded);
            break;
        }
        bodies.push_back(*made);
    }
    CHECK(bodies.size() >= 2);
    int rows = 0;
    while (true) {
        const auto done = world.put("row " + std::to_string(rows), std::string(3000, 'r'));
        if (!done) {
            CHECK(done.error().kind == ErrorKind::LimitExceeded);
            break;
        }
        ++rows;
    }
    CHECK_FALSE(world.store->status().writable);
    // Not one octet more.
    disk.set_capacity(disk.used_octets());
    CHECK(world.rows().size() == static_cast<std::size_t>(rows) + 1);
    CHECK(world.put("refused", "1").error().kind == ErrorKind::LimitExceeded);
    for (std::size_t i = 1; i < bodies.size(); ++i) {
        const auto gone = world.release(bodies[i], Urgency::Reclaim);
        if (!gone) UNSCOPED_INFO(gone.error().detail);
        REQUIRE(gone);
    }
    world.store->settle(); // their segments are removed
    REQUIRE(world.put("accepted again", "1"));
    CHECK(world.store->status().writable);
    const auto whole = test::run(world.scheduler, test::read_whole(*world.store, bodies[0]));
    REQUIRE(whole);
    CHECK((*whole == std::string(150'000, 'a')));
    disk.set_capacity(std::uint64_t{1} << 30);
    REQUIRE(world.open());
    CHECK(world.rows().contains("accepted again"));
    CHECK_FALSE(world.rows().contains("refused"));
    CHECK(world.store->check()->problems.empty());
}
