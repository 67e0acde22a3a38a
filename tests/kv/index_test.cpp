#include "libmailcore/kv/index.h"

#include "libmailcore/base/file.h"
#include "libmailcore/kv/lmdb_index.h"
#include "libmailcore/kv/view.h"
#include "tests/catch.h"
#include "tests/sim/file_index.h"
#include "tests/temporary_folder.h"

#include <map>

using namespace mailcore;

namespace {

using Open = std::function<Result<std::unique_ptr<kv::Index>>()>;

std::string walk(kv::IndexReader& reader, kv::Bounds bounds, kv::Order order) {
    std::string seen;
    const auto cursor = reader.cursor();
    for (cursor->start(bounds, order); cursor->valid(); cursor->next()) {
        seen += cursor->key();
        seen += "=" + std::string(*cursor->value()) + " ";
    }
    CHECK_FALSE(cursor->fault());
    return seen;
}

/// What every index does.
void check_contract(const Open& open) {
    {
        const auto index = open();
        REQUIRE(index);
        {
            const auto writer = (*index)->write();
            REQUIRE(writer);
            for (const char* key : {"d", "b", "a", "e", "c"}) REQUIRE((*writer)->put(key, "1"));
            CHECK(*(*writer)->get("a") == "1");
            // Dropped without commit.
        }
        CHECK(walk(**(*index)->read(), {}, kv::Order::Ascending).empty());
        {
            const auto writer = (*index)->write();
            REQUIRE(writer);
            for (const char* key : {"d", "b", "a", "e", "c"}) REQUIRE((*writer)->put(key, "1"));
            REQUIRE((*writer)->put("b", "2"));
            REQUIRE((*writer)->erase("e"));
            REQUIRE((*writer)->erase("never there"));
            REQUIRE((*writer)->commit());
        }
        const auto before = (*index)->read();
        REQUIRE(before);
        {
            const auto writer = (*index)->write();
            REQUIRE((*writer)->put("z", std::string(60'000, 'z')));
            REQUIRE((*writer)->erase("a"));
            REQUIRE((*writer)->commit());
        }
        // A reader keeps the state that it began with.
        CHECK(walk(**before, {}, kv::Order::Ascending) == "a=1 b=2 c=1 d=1 ");
        CHECK(**(*before)->get("a") == "1");
        CHECK_FALSE(*(*before)->get("z"));
    }
    const auto index = open();
    REQUIRE(index);
    const auto reader = (*index)->read();
    REQUIRE(reader);
    CHECK((*(*reader)->get("z"))->size() == 60'000);
    CHECK_FALSE(*(*reader)->get("a"));
    CHECK_FALSE(*(*reader)->get(""));
    struct Case {
        const char* name;
        kv::Bounds bounds;
        const char* ascending;
        const char* descending;
    };
    const std::string long_bound = "b" + std::string(600, '\0');
    const Case cases[] = {
        {"below z", {"", "z"}, "b=2 c=1 d=1 ", "d=1 c=1 b=2 "},
        {"from within", {"c", "z"}, "c=1 d=1 ", "d=1 c=1 "},
        {"between", {"bb", "cc"}, "c=1 ", "c=1 "},
        {"empty", {"c", "c"}, "", ""},
        {"reversed", {"d", "b"}, "", ""},
        {"before all", {"", "A"}, "", ""},
        {"behind all", {"zz", ""}, "", ""},
        {"bounds longer than any key", {long_bound, "d"}, "c=1 ", "c=1 "},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        CHECK(walk(**reader, c.bounds, kv::Order::Ascending) == c.ascending);
        CHECK(walk(**reader, c.bounds, kv::Order::Descending) == c.descending);
    }
    const auto usage = (*index)->usage();
    REQUIRE(usage);
    CHECK(usage->rows == 4);
    CHECK(usage->used_octets > 0);
    CHECK(usage->file_octets >= usage->used_octets);
}

} // namespace

TEST_CASE("an LMDB index keeps the contract") {
    const test::TemporaryFolder folder;
    check_contract([&] { return kv::open_lmdb_index(folder.path() + "/index"); });
}

TEST_CASE("an index on a simulated disk keeps the contract") {
    base::MemoryFileSystem files;
    check_contract([&] { return sim::open_file_index(files, "/index"); });
}

TEST_CASE("a file that is no index is refused as corrupt") {
    const test::TemporaryFolder folder;
    base::PosixFileSystem files;
    const auto path = folder.path() + "/index";
    SECTION("other content") {
        REQUIRE(base::replace_file(files, path, std::string(20'000, 'x')));
        CHECK(kv::open_lmdb_index(path).error().kind == ErrorKind::Corrupt);
    }
    SECTION("cut short") {
        {
            const auto index = kv::open_lmdb_index(path);
            REQUIRE(index);
            const auto writer = (*index)->write();
            for (int i = 0; i < 1000; ++i)
                REQUIRE((*writer)->put(std::to_string(i), std::string(100, 'x')));
            REQUIRE((*writer)->commit());
        }
        const auto file = files.open(path, OpenMode::Write);
        REQUIRE((*file)->truncate(4096 * 5));
        CHECK(kv::open_lmdb_index(path).error().kind == ErrorKind::Corrupt);
    }
}

TEST_CASE("an LMDB file is never shorter than its own account of it") {
    const test::TemporaryFolder folder;
    const auto path = folder.path() + "/index";
    std::uint32_t state = 3;
    const auto next = [&](std::uint32_t below) {
        state = state * 1664525 + 1013904223;
        return (state >> 8) % below;
    };
    for (int round = 0; round < 60; ++round) {
        const auto index = kv::open_lmdb_index(path);
        REQUIRE(index); // opening checks it
        for (int commit = 0; commit < 3; ++commit) {
            const auto writer = (*index)->write();
            for (std::uint32_t i = 0, count = next(400); i < count; ++i) {
                const auto key = std::to_string(next(2000));
                if (next(3) == 0)
                    REQUIRE((*writer)->erase(key));
                else
                    REQUIRE(
                        (*writer)->put(key, std::string(next(round % 3 == 0 ? 9000 : 300), 'v')));
            }
            REQUIRE((*writer)->commit());
        }
    }
}
