#include "libmailcore/backup/backup.h"

#include "tests/backup/backup_world.h"

#include <algorithm>
#include <set>

using namespace mailcore;
using test::BackupWorld;
using test::letter;

namespace {

std::set<std::string> names_in(sim::Disk& disk, const std::string& folder) {
    const auto names = disk.list(folder);
    REQUIRE(names);
    return {names->begin(), names->end()};
}

const backup::BackupFile& file_of(const backup::Manifest& manifest, const std::string& path) {
    const auto found = std::ranges::find(manifest.files, path, &backup::BackupFile::path);
    REQUIRE(found != manifest.files.end());
    return *found;
}

bool says(const std::vector<std::string>& problems, std::string_view what) {
    return std::ranges::any_of(problems, [&](const auto& each) { return each.contains(what); });
}

} // namespace

TEST_CASE("a backup holds what was acknowledged, and copies what is there once") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 100; ++i) world.file(letter(i, 2'000));
    world.file(letter(100, 200'000)); // in a segment of bodies
    const auto first = world.back_up();
    REQUIRE(first);
    CHECK(first->files_copied > 4);
    auto found = world.verify();
    CHECK(found.problems.empty());
    CHECK(found.accounts == 1);
    CHECK(found.emails == 101);
    CHECK(found.store.bodies == 101);

    // Nothing is new.
    const auto second = world.back_up();
    REQUIRE(second);
    CHECK(second->files_copied == 0);
    // The log's last segment is, and a key.
    world.file(letter(101));
    world.write_settings("tls/key.pem", "secret 2");
    const auto third = world.back_up();
    REQUIRE(third);
    CHECK(third->files_copied == 2);
    CHECK(world.verify().emails == 102);
    CHECK(file_of(third->manifest, "tls/key.pem").octets == 8);
    CHECK(names_in(world.disk, "/b/settings").size() == 2);
}

TEST_CASE("a backup is of one store, made by one at a time") {
    BackupWorld world;
    world.start();
    world.file(letter(1));
    REQUIRE(world.back_up());
    {
        const auto lock = world.disk.lock_folder("/b");
        REQUIRE(lock);
        const auto second = world.back_up();
        REQUIRE_FALSE(second);
        CHECK(second.error().kind == ErrorKind::Conflict);
    }
    auto source = world.source();
    source.inventory = [&]() -> Result<journal::Inventory> {
        MAILCORE_TRY(auto all, world.store->inventory());
        all.store[0] ^= 1;
        return all;
    };
    const auto other = backup::make_backup(world.disk, source, "/b", {}, world.scheduler);
    REQUIRE_FALSE(other);
    CHECK(other.error().kind == ErrorKind::Conflict);
    // One that has gone on from an earlier state of the same store.
    source.inventory = [&]() -> Result<journal::Inventory> {
        MAILCORE_TRY(auto all, world.store->inventory());
        std::erase_if(all.files, [](const auto& file) { return file.name.ends_with(".log"); });
        return all;
    };
    const auto earlier = backup::make_backup(world.disk, source, "/b", {}, world.scheduler);
    REQUIRE_FALSE(earlier);
    CHECK(earlier.error().kind == ErrorKind::Conflict);
    CHECK(world.verify().problems.empty());
}

TEST_CASE("a file that goes while it is copied makes the backup look again, within bounds") {
    BackupWorld world;
    world.start();
    world.file(letter(1));
    auto source = world.source();
    int asked = 0;
    source.inventory = [&]() -> Result<journal::Inventory> {
        MAILCORE_TRY(auto all, world.store->inventory());
        if (++asked < 3) all.files.push_back({"00000000000000ff.bodies", 5000});
        return all;
    };
    REQUIRE(backup::make_backup(world.disk, source, "/b", {}, world.scheduler));
    CHECK(asked == 3);
    CHECK(world.verify().problems.empty());
    source.inventory = [&]() -> Result<journal::Inventory> {
        ++asked;
        return fail(ErrorKind::NotFound, "gone");
    };
    asked = 0;
    const auto never = backup::make_backup(world.disk, source, "/b", {}, world.scheduler);
    REQUIRE_FALSE(never);
    CHECK(never.error().kind == ErrorKind::LimitExceeded);
    CHECK(asked == backup::inventories_max);
}

TEST_CASE("what the server has no more is kept as long as was asked for") {
    BackupWorld world;
    world.start();
    const auto large = world.file(letter(1, 300'000));
    REQUIRE(world.back_up());
    world.expunge(large.uid);
    REQUIRE(world.store->compact(store::Reclaim::Everything));
    const auto gone_files = [](const backup::Manifest& manifest) {
        return std::ranges::count_if(manifest.files,
                                     [](const auto& file) { return file.gone.has_value(); });
    };
    const auto second = world.back_up();
    REQUIRE(second);
    const auto gone = gone_files(second->manifest);
    CHECK(gone >= 2); // the segment of its body, and the log that named it
    CHECK(world.verify().problems.empty());
    world.scheduler.run_until(world.scheduler.now() + std::chrono::hours{24});
    backup::BackupOptions how;
    how.keep = std::chrono::hours{48};
    const auto third = world.back_up(how);
    REQUIRE(third);
    CHECK(gone_files(third->manifest) == gone);
    how.keep = std::chrono::hours{12};
    const auto fourth = world.back_up(how);
    REQUIRE(fourth);
    CHECK(gone_files(fourth->manifest) == 0);
    CHECK(fourth->files_removed == static_cast<std::size_t>(gone));
    CHECK(world.verify().problems.empty());
}

TEST_CASE("damage in a backup is named") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 60; ++i) world.file(letter(i, 3'000));
    REQUIRE(world.back_up());
    const auto manifest = backup::read_manifest(world.disk, "/b");
    REQUIRE(manifest);
    for (const auto& file : manifest->files) {
        INFO(file.name);
        const auto path = "/b/" + file.name;
        const auto before = base::read_file(world.disk, path, 1 << 30);
        REQUIRE(before);
        auto damaged = *before;
        damaged[file.octets / 2] ^= 1;
        REQUIRE(base::replace_file(world.disk, path, damaged));
        CHECK(says(world.verify().problems, file.name));
        REQUIRE(base::replace_file(world.disk, path, before->substr(0, file.octets - 1)));
        CHECK(says(world.verify().problems, file.name));
        REQUIRE(base::replace_file(world.disk, path, *before));
    }
    CHECK(world.verify().problems.empty());
}

TEST_CASE("a power cut while a backup is made leaves the one before or the new one, whole") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 30; ++i) world.file(letter(i, 3'000));
    world.file(letter(30, 150'000));
    REQUIRE(world.back_up());
    for (int i = 31; i < 50; ++i) world.file(letter(i, 3'000));
    world.file(letter(50, 150'000));
    world.write_settings("mdserver.toml", "hostname = \"other.example.test\"\n");
    const auto begin = world.disk.operations();
    REQUIRE(world.back_up());
    const auto end = world.disk.operations();
    sim::PowerCut cut(world.disk);
    base::SeededRandom random{7};
    std::set<std::uint64_t> seen;
    const auto step = std::max<std::size_t>(1, (end - begin) / 60);
    for (auto at = begin; at <= end; at += step) {
        INFO("cut before operation " << at << " of " << begin << " to " << end);
        BackupWorld after(cut.at(at, random));
        const auto found = after.verify();
        if (!found.problems.empty()) UNSCOPED_INFO(found.problems.front());
        REQUIRE(found.problems.empty());
        CHECK((found.emails == 31 || found.emails == 51));
        seen.insert(found.emails);
    }
    CHECK(seen.size() == 2);
}
