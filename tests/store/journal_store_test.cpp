#include "libmailcore/store/journal_store.h"

#include "libmailcore/base/random.h"
#include "tests/catch.h"
#include "tests/sim/file_index.h"
#include "tests/store/store_contract.h"
#include "tests/temporary_folder.h"

#include <atomic>
#include <cstdlib>

using namespace mailcore;
using namespace mailcore::store;

namespace {

JournalStoreOptions small_options() {
    JournalStoreOptions options;
    options.journal.pool_octets = 256 * 1024;
    options.journal.reserve_octets = 256 * 1024;
    options.journal.segment_octets = 1024 * 1024;
    options.index_map_octets = std::uint64_t{1} << 30;
    options.free_octets_min = 1024 * 1024;
    return options;
}

std::unique_ptr<JournalStore> open_store(base::FileSystem& files, const std::string& folder,
                                         const base::Clock& clock,
                                         const JournalStoreOptions& options) {
    static base::SystemRandom random;
    auto opened = JournalStore::open(files, folder, options, random, clock, Log());
    if (!opened) UNSCOPED_INFO(opened.error().detail);
    REQUIRE(opened);
    return std::move(*opened);
}

/// Keeps what a store needs beside it.
struct World {
    test::TemporaryFolder folder;
    base::PosixFileSystem files;
    base::MemoryFileSystem memory;
    sim::VirtualScheduler scheduler;
    JournalStoreOptions options = small_options();
    std::unique_ptr<JournalStore> store;

    void open() {
        store.reset();
        store = open_store(files, folder.path() + "/store", scheduler, options);
    }
    Result<void> put(std::string key, std::string value, Urgency urgency = Urgency::Normal) {
        return test::run(scheduler,
                         store->write(
                             [key, value](WriteTransaction& txn) -> TxnTask<Result<void>> {
                                 txn.put(key, value);
                                 co_return Result<void>{};
                             },
                             urgency));
    }
    std::optional<std::string> get(std::string key) {
        auto value = test::run(
            scheduler,
            store->read([key](ReadTransaction& txn) -> TxnTask<Result<std::optional<std::string>>> {
                auto found = co_await txn.get(key);
                co_return found;
            }));
        REQUIRE(value);
        return *value;
    }
    BlobId blob(std::string octets, std::string owner) {
        auto body = test::run(scheduler, test::hand_in(*store, scheduler, std::move(octets)));
        REQUIRE(body);
        auto id = test::run(
            scheduler,
            store->write([b = *body, owner](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                const auto made = txn.add_blob(*b);
                MAILCORE_CO_TRY(txn.refer(made, owner));
                co_return made;
            }));
        REQUIRE(id);
        return *id;
    }
    bool release(BlobId blob, std::string owner) {
        auto gone =
            test::run(scheduler, store->write([=](WriteTransaction& txn) -> TxnTask<Result<bool>> {
                auto done = co_await txn.release(blob, owner);
                co_return done;
            }));
        REQUIRE(gone);
        return *gone;
    }
    std::string read(BlobId blob) {
        auto whole = test::run(scheduler, test::read_whole(*store, blob));
        if (!whole) UNSCOPED_INFO(whole.error().detail);
        REQUIRE(whole);
        return *whole;
    }
    std::vector<std::string> check() {
        const auto report = store->check();
        if (!report) UNSCOPED_INFO(report.error().detail);
        REQUIRE(report);
        return report->problems;
    }
    std::string index_path() {
        const auto names = *files.list(folder.path() + "/store");
        for (const auto& name : names)
            if (name.starts_with("index-") && name.ends_with(".mdb"))
                return folder.path() + "/store/" + name;
        return {};
    }
};

std::vector<std::string> names_in(base::FileSystem& files, const std::string& folder) {
    auto names = files.list(folder);
    REQUIRE(names);
    return *names;
}

} // namespace

TEST_CASE("the durable store keeps the contract") {
    const test::TemporaryFolder folder;
    base::PosixFileSystem files;
    int number = 0;
    test::check_store_contract([&](const base::Clock& clock) -> std::unique_ptr<Store> {
        return open_store(files, folder.path() + "/" + std::to_string(++number), clock,
                          small_options());
    });
}

TEST_CASE("the durable store keeps the contract with checkpoints all the time") {
    const test::TemporaryFolder folder;
    base::PosixFileSystem files;
    int number = 0;
    test::check_store_contract([&](const base::Clock& clock) -> std::unique_ptr<Store> {
        auto options = small_options();
        options.checkpoint_octets = 1;
        options.journal.segment_octets = 64 * 1024;
        return open_store(files, folder.path() + "/" + std::to_string(++number), clock, options);
    });
}

TEST_CASE("rows and bodies survive closing, and closing leaves nothing to replay") {
    World world;
    world.open();
    REQUIRE(world.put("a", "1"));
    const auto small = world.blob("small body", "x");
    const auto large = world.blob(std::string(1'000'000, 'L'), "y");
    const auto gone = world.blob(std::string(500'000, 'G'), "z");
    REQUIRE(world.release(gone, "z"));
    CHECK(world.check().empty());
    for (int round = 0; round < 3; ++round) {
        world.open();
        CHECK(world.store->status().damages.empty());
        CHECK(world.store->status().overlay_octets == 0);
        CHECK(world.get("a") == "1");
        CHECK(world.read(small) == "small body");
        CHECK(world.read(large) == std::string(1'000'000, 'L'));
        CHECK(world.check().empty());
        REQUIRE(world.put("round", std::to_string(round)));
    }
}

TEST_CASE("a checkpoint on demand empties the overlay, and ids go on after it") {
    World world;
    world.open();
    const auto first = world.blob("one", "x");
    REQUIRE(world.store->checkpoint());
    CHECK(world.store->status().overlay_octets == 0);
    world.open();
    CHECK(world.blob("two", "x") > first);
    CHECK(world.check().empty());
}

TEST_CASE("a missing, foreign or damaged index is built anew from the journal") {
    World world;
    world.open();
    for (int i = 0; i < 300; ++i)
        REQUIRE(world.put("key " + std::to_string(i), std::string(100, 'v')));
    const auto small = world.blob("small body", "x");
    const auto large = world.blob(std::string(1'000'000, 'L'), "y");
    world.store.reset();
    const auto path = world.index_path();
    bool reported = true;
    SECTION("missing") {
        REQUIRE(world.files.remove(path));
        reported = false;
    }
    SECTION("not an index") {
        const auto file = world.files.open(path, OpenMode::Write);
        const std::string_view noise = "this is not an index any more";
        REQUIRE((*file)->write_at(0, std::span(&noise, 1)));
        REQUIRE((*file)->write_at(4096, std::span(&noise, 1)));
    }
    SECTION("cut short") {
        const auto file = world.files.open(path, OpenMode::Write);
        REQUIRE((*file)->truncate(3 * 4096));
    }
    SECTION("of another store") {
        const auto other =
            open_store(world.files, world.folder.path() + "/other", world.scheduler, world.options);
        REQUIRE(other->checkpoint());
        for (const auto& name : names_in(world.files, world.folder.path() + "/other"))
            if (name.starts_with("index-") && name.ends_with(".mdb")) {
                const auto content =
                    base::read_file(world.files, world.folder.path() + "/other/" + name, 1 << 30);
                REQUIRE(base::replace_file(world.files, path, *content));
            }
    }
    world.open();
    CHECK(world.store->status().damages.empty() != reported);
    CHECK(world.get("key 299") == std::string(100, 'v'));
    CHECK(world.read(small) == "small body");
    CHECK(world.read(large) == std::string(1'000'000, 'L'));
    CHECK(world.check().empty());
}

TEST_CASE("an index without its journal is no store") {
    World world;
    world.open();
    REQUIRE(world.put("a", "1"));
    world.store.reset();
    for (const auto& name : names_in(world.files, world.folder.path() + "/store/journal"))
        REQUIRE(world.files.remove(world.folder.path() + "/store/journal/" + name));
    base::SystemRandom random;
    const auto opened = JournalStore::open(world.files, world.folder.path() + "/store",
                                           world.options, random, world.scheduler, Log());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::Corrupt);
}

TEST_CASE("one process owns a store") {
    World world;
    world.open();
    base::SystemRandom random;
    const auto second = JournalStore::open(world.files, world.folder.path() + "/store",
                                           world.options, random, world.scheduler, Log());
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::Conflict);
}

TEST_CASE("rebuilding while it is in use changes nothing that can be seen") {
    World world;
    world.open();
    for (int i = 0; i < 200; ++i) REQUIRE(world.put("key " + std::to_string(i), std::to_string(i)));
    REQUIRE(world.store->checkpoint());
    REQUIRE(world.put("after the checkpoint", "1"));
    const auto body = world.blob(std::string(300'000, 'b'), "x");
    REQUIRE(world.store->rebuild());
    CHECK(world.get("key 7") == "7");
    CHECK(world.get("after the checkpoint") == "1");
    CHECK(world.read(body) == std::string(300'000, 'b'));
    REQUIRE(world.put("after the rebuild", "1"));
    CHECK(world.check().empty());
    world.open();
    CHECK(world.get("after the rebuild") == "1");
    CHECK(world.check().empty());
}

TEST_CASE("check finds what is wrong: a body, a row, a frame") {
    World world;
    world.options.journal.compression.level = 0;
    world.open();
    for (int i = 0; i < 20; ++i) REQUIRE(world.put("key " + std::to_string(i), "value"));
    world.blob(std::string(5000, 'B') + "needle in a frame" + std::string(5000, 'B'), "x");
    world.blob(std::string(300'000, 'C') + "needle in a segment" + std::string(5000, 'C'), "y");
    REQUIRE(world.store->checkpoint());
    CHECK(world.check().empty());
    const auto journal = world.folder.path() + "/store/journal";
    const auto damage = [&](std::string_view needle) {
        for (const auto& name : names_in(world.files, journal)) {
            const auto content = base::read_file(world.files, journal + "/" + name, 1 << 30);
            const auto at = content->find(needle);
            if (at == std::string::npos) continue;
            const auto file = world.files.open(journal + "/" + name, OpenMode::Write);
            const std::string_view x = "X";
            REQUIRE((*file)->write_at(at, std::span(&x, 1)));
            return;
        }
        FAIL("not found");
    };
    SECTION("a body in a frame") {
        damage("needle in a frame");
        CHECK(world.check().size() == 1);
    }
    SECTION("a body in a segment") {
        damage("needle in a segment");
        CHECK(world.check().size() == 1);
    }
    SECTION("a record: its rows are in the index only") {
        damage("key 7");
        CHECK(world.check().size() >= 2);
        CHECK(world.get("key 7") == "value"); // everything else is served
    }
}

TEST_CASE("large bodies that nobody needs give back their disk space") {
    World world;
    world.options.threads = StoreThreads::None;
    world.options.journal.body_segment_octets = 200'000;
    world.options.restore_horizon = std::chrono::seconds{0};
    world.open();
    std::vector<BlobId> blobs;
    for (int i = 0; i < 5; ++i) {
        std::string noise(400'000, '\0');
        std::uint32_t state = static_cast<std::uint32_t>(i);
        for (auto& octet : noise)
            octet = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
        blobs.push_back(world.blob(std::move(noise), "x"));
    }
    const auto before = world.store->status().journal_octets;
    for (int i = 0; i < 4; ++i) REQUIRE(world.release(blobs[static_cast<std::size_t>(i)], "x"));
    world.store->settle();
    CHECK(world.store->status().journal_octets + 4 * 400'000 < before + 500'000);
    CHECK(world.read(blobs[4]).size() == 400'000);
    CHECK(world.check().empty());
    world.open();
    CHECK(world.read(blobs[4]).size() == 400'000);
    CHECK(world.check().empty());
}

TEST_CASE("a batch of many submissions is one frame and one sync") {
    World world;
    world.options.threads = StoreThreads::None;
    world.open();
    REQUIRE(world.put("warm", "up"));
    const auto before = world.store->status();
    std::vector<std::optional<Result<void>>> answers(50);
    Scope scope(world.scheduler);
    for (std::size_t i = 0; i < answers.size(); ++i)
        scope.spawn(test::keep_answer(
            world.store->write([i](WriteTransaction& txn) -> TxnTask<Result<void>> {
                txn.put("many " + std::to_string(i), "1");
                co_return Result<void>{};
            }),
            answers[i]));
    world.scheduler.run_ready();
    for (const auto& answer : answers) CHECK((answer && *answer));
    const auto after = world.store->status();
    CHECK(after.syncs == before.syncs + 1);
    CHECK(after.batches == before.batches + 1);
    CHECK(after.transactions == before.transactions + 50);
}

TEST_CASE("put and erase within one batch cancel, and so does a body that came and went") {
    World world;
    world.options.threads = StoreThreads::None;
    world.open();
    REQUIRE(world.put("there before", "1"));
    const auto body = test::run(
        world.scheduler, test::hand_in(*world.store, world.scheduler, std::string(100'000, 'b')));
    std::optional<Result<BlobId>> accepted;
    std::optional<Result<void>> filed;
    const auto before = world.store->status().journal_octets;
    {
        Scope scope(world.scheduler);
        scope.spawn(test::keep_answer(
            world.store->write([b = *body](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                const auto blob = txn.add_blob(*b);
                MAILCORE_CO_TRY(txn.refer(blob, "queue"));
                txn.put("queue row", std::string(5000, 'q'));
                txn.put("there before", "2");
                co_return blob;
            }),
            accepted));
        scope.spawn(test::keep_answer(
            world.store->write([](WriteTransaction& txn) -> TxnTask<Result<void>> {
                txn.erase("queue row");
                txn.erase("there before");
                const BlobId blob{1};
                MAILCORE_CO_TRY(const bool was, txn.release(blob, "queue"));
                if (!was) co_return fail(ErrorKind::NotFound, "the batch does not see itself");
                co_return Result<void>{};
            }),
            filed));
        world.scheduler.run_ready();
    }
    REQUIRE((accepted && *accepted && filed));
    REQUIRE(filed->has_value());
    CHECK(world.store->status().journal_octets - before <= 4096);
    CHECK_FALSE(world.get("queue row"));
    CHECK_FALSE(world.get("there before"));
    CHECK(world.check().empty());
    world.open();
    CHECK_FALSE(world.get("there before"));
    CHECK(world.check().empty());
}

TEST_CASE("a transaction that throws harms only itself") {
    World world;
    world.open();
    const auto answer = test::run(
        world.scheduler, world.store->write([](WriteTransaction& txn) -> TxnTask<Result<void>> {
            txn.put("a", "1");
            throw std::runtime_error("a bug");
            co_return Result<void>{};
        }));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == ErrorKind::Unavailable);
    CHECK_FALSE(world.get("a"));
    REQUIRE(world.put("b", "1"));
}

TEST_CASE("checkpoints and readers on several threads agree at every moment") {
    World world;
    world.options.checkpoint_octets = 20'000;
    world.options.journal.segment_octets = 200'000;
    world.open();
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0}, reads{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 2; ++t)
        readers.emplace_back([&] {
            sim::VirtualScheduler scheduler;
            while (!stop) {
                const auto equal = test::run(
                    scheduler, world.store->read([](ReadTransaction& txn) -> TxnTask<Result<bool>> {
                        MAILCORE_CO_TRY(const auto rows, txn.range("k", "l", 100));
                        bool same = rows.empty() || rows.size() == 50;
                        for (const auto& row : rows) same = same && row.value == rows[0].value;
                        co_return same;
                    }));
                if (!equal || !*equal) ++wrong;
                ++reads;
            }
        });
    for (int i = 0; i < 400; ++i)
        REQUIRE(test::run(world.scheduler,
                          world.store->write([i](WriteTransaction& txn) -> TxnTask<Result<void>> {
                              for (int k = 0; k < 50; ++k)
                                  txn.put("k" + std::to_string(k), std::to_string(i));
                              co_return Result<void>{};
                          })));
    stop = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(reads > 0);
    CHECK(world.check().empty());
}

TEST_CASE("a reader that knows the format by its description alone finds all checksums right") {
    if (std::system("command -v python3 > /dev/null") != 0) return;
    World world;
    world.open();
    for (int i = 0; i < 100; ++i) REQUIRE(world.put("key " + std::to_string(i), std::to_string(i)));
    const auto gone = world.blob("gone", "x");
    world.blob("small body", "x");
    world.blob(std::string(700'000, 'L'), "y"); // compressed, with a table
    world.release(gone, "x");
    world.open();
    REQUIRE(world.put("another segment", "1"));
    const bool compacted = GENERATE(false, true);
    REQUIRE(world.store->snapshot());
    if (compacted) REQUIRE(world.store->compact(Reclaim::Everything));
    REQUIRE(world.put("behind the snapshot", "1"));
    world.store.reset();
    const auto command = "python3 " MAILCORE_SOURCE_DIR "/tests/journal/journal_reader.py " +
                         world.folder.path() + "/store/journal > /dev/null";
    CHECK(std::system(command.c_str()) == 0);
}
