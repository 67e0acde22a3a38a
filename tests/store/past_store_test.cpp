#include "libmailcore/store/past_store.h"

#include "libmailcore/base/random.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/file_index.h"
#include "tests/store/store_contract.h"

#include <map>

using namespace mailcore;
using namespace mailcore::store;

namespace {

/// A state, as a model knows it.
struct Past {
    WallTime at;
    std::map<std::string, std::string> rows;
    std::map<std::string, std::pair<BlobId, std::string>> bodies; // by owner
};

JournalStoreOptions small_options(sim::Disk& disk, base::Random& random) {
    JournalStoreOptions options;
    options.threads = StoreThreads::None;
    options.journal.segment_octets = 32'768 << random.below(3);
    options.journal.body_segment_octets = 1'000'000;
    options.journal.pool_octets = 0;
    options.journal.reserve_octets = 0;
    options.checkpoint_octets = 4'000 + random.below(40'000);
    options.open_index = [&disk](const std::string& path) {
        return sim::open_file_index(disk, path);
    };
    return options;
}

void compare(const PastStore& store, const Past& past, PastStore& bodies,
             sim::VirtualScheduler& scheduler) {
    std::map<std::string, std::string> rows;
    REQUIRE(store.read_now([&](ReadTransaction& txn) -> TxnTask<Result<void>> {
        MAILCORE_CO_TRY(const auto found, txn.range("r", "s", 1000));
        for (const auto& row : found) rows.emplace(row.key, row.value);
        co_return Result<void>{};
    }));
    CHECK(rows == past.rows);
    for (const auto& [owner, body] : past.bodies) {
        const auto octets = test::run(scheduler, test::read_whole(bodies, body.first));
        REQUIRE(octets);
        CHECK(*octets == body.second);
    }
}

} // namespace

TEST_CASE("the state at every moment of a history is what it was") {
    for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6}) {
        INFO("seed " << seed);
        base::SeededRandom random{seed};
        sim::Disk disk;
        sim::VirtualScheduler scheduler;
        auto options = small_options(disk, random);
        auto opened = JournalStore::open(disk, "/s", options, random, scheduler, Log());
        REQUIRE(opened);
        auto store = std::move(*opened);
        std::vector<Past> history;
        Past now;
        for (int step = 0; step < 40; ++step) {
            scheduler.run_until(scheduler.now() + std::chrono::seconds{1});
            std::vector<std::pair<std::string, std::optional<std::string>>> rows;
            for (auto changes = 1 + random.below(4); changes > 0; --changes) {
                const auto key = "r" + std::to_string(random.below(20));
                std::optional<std::string> value;
                if (random.below(3) > 0) value = std::string(random.below(300), 'v');
                rows.emplace_back(key, value);
                if (value)
                    now.rows[key] = *value;
                else
                    now.rows.erase(key);
            }
            NewBlobRef body;
            std::string octets;
            const auto owner = "owner " + std::to_string(step);
            if (random.below(2) == 0) {
                octets = random.hex(random.below(8) == 0 ? 70'000 : random.below(2'500));
                body = test::run(scheduler, test::hand_in(*store, scheduler, octets)).value();
            }
            const auto id = test::run(
                scheduler, store->write([&](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                    for (const auto& [key, value] : rows)
                        if (value)
                            txn.put(key, *value);
                        else
                            txn.erase(key);
                    txn.put("z", std::to_string(step)); // each leaves a frame
                    BlobId made;
                    if (body) {
                        made = txn.add_blob(*body);
                        MAILCORE_CO_TRY(txn.refer(made, owner));
                    }
                    co_return made;
                }));
            REQUIRE(id);
            if (body) now.bodies[owner] = {*id, octets};
            now.at = scheduler.wall_now();
            history.push_back(now);
            if (random.below(10) == 0) REQUIRE(store->checkpoint());
            if (random.below(15) == 0) {
                store.reset();
                store =
                    std::move(*JournalStore::open(disk, "/s", options, random, scheduler, Log()));
            }
        }
        const auto files_before = disk.list("/s")->size();
        for (const auto& past : history) {
            const auto beside = store->past(past.at);
            if (!beside) UNSCOPED_INFO(beside.error().detail);
            REQUIRE(beside);
            compare(**beside, past, **beside, scheduler);
            CHECK((*beside)->moment().written == past.at);
            // Between two frames it is the first one's.
            const auto between = store->past(past.at + std::chrono::milliseconds{999});
            REQUIRE(between);
            CHECK((*between)->moment().mark.position == (*beside)->moment().mark.position);
        }
        CHECK(disk.list("/s")->size() == files_before);
        const auto early = store->past(history.front().at - std::chrono::seconds{1});
        REQUIRE_FALSE(early);
        CHECK(early.error().kind == ErrorKind::NotFound);

        // The same from outside, with the store closed.
        const auto end = store->inventory()->end;
        store.reset();
        for (std::size_t i = 0; i < history.size(); i += 9) {
            PastOf of;
            of.journal_folder = "/s/journal";
            of.index_path = "/s/past.mdb";
            of.at = history[i].at;
            of.to = end;
            const auto outside = open_past(disk, of, options.open_index, random, scheduler, Log());
            REQUIRE(outside);
            compare(**outside, history[i], **outside, scheduler);
            const auto checked = (*outside)->check();
            REQUIRE(checked);
            CHECK(checked->problems.empty());
        }
        CHECK_FALSE(*disk.exists("/s/past.mdb"));
    }
}

TEST_CASE("the past is not written to") {
    base::SeededRandom random{1};
    sim::Disk disk;
    sim::VirtualScheduler scheduler;
    auto store = std::move(
        *JournalStore::open(disk, "/s", small_options(disk, random), random, scheduler, Log()));
    const auto put = [](WriteTransaction& txn) -> TxnTask<Result<void>> {
        txn.put("r", "1");
        co_return Result<void>{};
    };
    CHECK_FALSE(store->past(WallTime::max())); // there is none yet
    REQUIRE(test::run(scheduler, store->write(put)));
    const auto past = store->past(WallTime::max());
    REQUIRE(past);
    const auto refused = test::run(scheduler, (*past)->write(put));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Rejected);
    CHECK_FALSE((*past)->room_for(1));
    CHECK_FALSE((*past)->status().writable);
    auto writer = (*past)->new_blob(scheduler, 1);
    CHECK_FALSE(test::run(scheduler, writer->append("x")));
}

TEST_CASE("an index of the past that a crash leaves is removed at the next start") {
    base::SeededRandom random{1};
    sim::Disk disk({{}, {"/"}});
    sim::VirtualScheduler scheduler;
    const auto options = small_options(disk, random);
    auto store = std::move(*JournalStore::open(disk, "/s", options, random, scheduler, Log()));
    REQUIRE(test::run(scheduler, store->write([](WriteTransaction& txn) -> TxnTask<Result<void>> {
        txn.put("r", "1");
        co_return Result<void>{};
    })));
    const auto before = disk.list("/s")->size();
    auto past = store->past(WallTime::max());
    REQUIRE(past);
    CHECK(disk.list("/s")->size() == before + 1);
    const auto cut_at = disk.operations();
    sim::PowerCut cut(disk);
    sim::Disk after(cut.at(cut_at, random));
    auto later = options;
    later.open_index = [&after](const std::string& path) {
        return sim::open_file_index(after, path);
    };
    const auto again = JournalStore::open(after, "/s", later, random, scheduler, Log());
    REQUIRE(again);
    int indexes = 0;
    const auto names = after.list("/s");
    REQUIRE(names);
    for (const auto& name : *names) indexes += name.starts_with("index-") ? 1 : 0;
    CHECK(indexes == 1);
    const auto kept = test::run(
        scheduler,
        (*again)->read([](ReadTransaction& txn) -> TxnTask<Result<std::optional<std::string>>> {
            auto found = co_await txn.get("r");
            co_return found;
        }));
    REQUIRE(kept);
    CHECK(*kept == "1");
}
