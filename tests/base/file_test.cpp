#include "libmailcore/base/file.h"

#include "tests/catch.h"

#include <cstdlib>
#include <string>
#include <unistd.h>

using namespace mailcore;

namespace {

/// The contract of a FileSystem: every implementation passes it.
void check_contract(base::FileSystem& files, const std::string& folder) {
    const auto path = folder + "/a";
    CHECK(files.open(path, OpenMode::Read).error().kind == ErrorKind::NotFound);
    auto opened = files.open(path, OpenMode::CreateNew);
    REQUIRE(opened);
    auto& file = **opened;
    CHECK(files.open(path, OpenMode::CreateNew).error().kind == ErrorKind::Conflict);

    const std::string_view pieces[] = {"hello", "", ", ", "world"};
    REQUIRE(file.write_at(0, pieces));
    REQUIRE(file.sync_data());
    CHECK(*file.size() == 12);
    char buffer[32];
    CHECK(*file.read_at(7, buffer) == 5);
    CHECK(std::string_view(buffer, 5) == "world");
    CHECK(*file.read_at(12, buffer) == 0);
    const std::string_view gap[] = {"!"};
    REQUIRE(file.write_at(20, gap));
    CHECK(*file.read_at(12, buffer) == 9);
    CHECK(std::string_view(buffer, 9) == std::string_view("\0\0\0\0\0\0\0\0!", 9));
    REQUIRE(file.truncate(5));
    CHECK(*file.size() == 5);
    REQUIRE(file.allocate(0, 4096));
    CHECK(*file.size() == 4096);

    REQUIRE(files.rename(path, folder + "/b"));
    REQUIRE(files.sync_folder(folder));
    CHECK(*files.exists(folder + "/b"));
    CHECK_FALSE(*files.exists(path));
    REQUIRE(base::replace_file(files, folder + "/c", "one"));
    REQUIRE(base::replace_file(files, folder + "/c", "2"));
    CHECK(*base::read_file(files, folder + "/c", 1) == "2");
    CHECK(base::read_file(files, folder + "/b", 100).error().kind == ErrorKind::LimitExceeded);
    {
        const auto lock = files.lock_folder(folder);
        REQUIRE(lock);
        CHECK(files.lock_folder(folder).error().kind == ErrorKind::Conflict);
    }
    CHECK(files.lock_folder(folder));
    CHECK(files.remove(path).error().kind == ErrorKind::NotFound);
    REQUIRE(files.remove(folder + "/b"));
    REQUIRE(files.remove(folder + "/c"));
    CHECK(*files.free_octets(folder) > 0);
}

} // namespace

TEST_CASE("the kernel's file system keeps the contract") {
    char name[] = "/tmp/mailcore-file-test-XXXXXX";
    REQUIRE(::mkdtemp(name));
    base::PosixFileSystem files;
    check_contract(files, name);
    const auto names = *files.list(name);
    for (const auto& left : names) CHECK(files.remove(std::string(name) + "/" + left));
    CHECK(::rmdir(name) == 0);
}

TEST_CASE("the memory file system keeps the contract") {
    base::MemoryFileSystem files;
    check_contract(files, "/data");
}
