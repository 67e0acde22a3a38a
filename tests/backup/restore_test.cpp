#include "libmailcore/backup/restore.h"

#include "libmailcore/store/keys.h"
#include "tests/backup/backup_world.h"

#include <algorithm>

using namespace mailcore;
using test::BackupWorld;
using test::letter;

namespace {

struct Moment {
    WallTime at;
    std::vector<std::string> inbox;
};

queue::QueueCounts queued(BackupWorld& world) {
    const auto counts = test::run(world.scheduler, world.store->read([](store::ReadTransaction& t) {
        return queue::count(t, 1000);
    }));
    REQUIRE(counts);
    return *counts;
}

} // namespace

TEST_CASE("a restored folder is the server as it was, for clients a new one") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 40; ++i) world.file(letter(i, 3'000));
    world.file(letter(40, 200'000));
    world.enqueue("away@example.org");
    const auto expected = world.inbox();
    const auto before = world.inbox_row();
    const auto epoch = world.state().epoch;
    REQUIRE(world.back_up());
    world.file(letter(41)); // after it
    world.store.reset();

    const auto restored = world.restore("/r");
    if (!restored) UNSCOPED_INFO(restored.error().detail);
    REQUIRE(restored);
    CHECK(restored->problems.empty());
    CHECK(restored->emails == 41);
    CHECK(restored->queued == 1);
    CHECK((restored->settings == std::vector<std::string>{"tls/key.pem", "mdserver.toml"}));
    CHECK(*base::read_file(world.disk, "/r/tls/key.pem", 100) == "secret 1");
    CHECK(*base::read_file(world.disk, "/r/mdserver.toml", 100) ==
          "hostname = \"mx.example.test\"\n");
    world.open("/r");
    CHECK(world.inbox() == expected);
    CHECK(world.store->status().damages.empty());
    CHECK(world.inbox_row().uidvalidity > before.uidvalidity);
    CHECK(world.state().epoch == epoch + 1);
    CHECK(queued(world).held == 1);
    const auto checked = world.store->check();
    REQUIRE(checked);
    CHECK(checked->problems.empty());
}

TEST_CASE("mail that was under way is held, left or dropped") {
    BackupWorld world;
    world.start();
    world.enqueue("away@example.org");
    REQUIRE(world.back_up());
    REQUIRE(world.restore("/left", {}, backup::QueuedMail::Release));
    world.open("/left");
    CHECK(queued(world).waiting == 1);
    REQUIRE(world.restore("/dropped", {}, backup::QueuedMail::Drop));
    world.open("/dropped");
    CHECK(queued(world).messages == 0);
}

TEST_CASE("a damaged row of the queue is named, and the rest restored") {
    BackupWorld world;
    world.start();
    world.enqueue("away@example.org");
    world.enqueue("off@example.org");
    const auto spoilt = test::run(
        world.scheduler,
        world.store->write([](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            MAILCORE_CO_TRY(const auto list, queue::list_messages(txn, queue::QueueId{}, 10));
            const auto id = list.messages.at(0).id;
            txn.put(store::Key(store::Space::Queue).u8('m').id(id).str(), "?");
            co_return true;
        }));
    REQUIRE(spoilt);
    REQUIRE(world.back_up());
    const auto restored = world.restore("/held", {}, backup::QueuedMail::Hold);
    REQUIRE(restored);
    CHECK(restored->queued == 1);
    REQUIRE(restored->problems.size() == 1);
    CHECK(restored->problems[0].starts_with("queued message "));
    world.open("/held");
    CHECK(queued(world).held == 1);
}

TEST_CASE("any state between the first frame and the backup can be restored") {
    BackupWorld world;
    world.start();
    std::vector<Moment> moments;
    base::SeededRandom random{3};
    std::vector<store::Uid> uids;
    for (int i = 0; i < 60; ++i) {
        if (!uids.empty() && random.below(3) == 0) {
            const auto victim = random.below(uids.size());
            world.expunge(uids[victim]);
            uids.erase(uids.begin() + static_cast<std::ptrdiff_t>(victim));
        } else {
            uids.push_back(world.file(letter(i, 1'000 + random.below(6'000))).uid);
        }
        moments.push_back({world.scheduler.wall_now(), world.inbox()});
    }
    REQUIRE(world.back_up());
    for (std::size_t i = 0; i < moments.size(); i += 7) {
        INFO("moment " << i);
        const auto restored = world.restore("/r" + std::to_string(i), moments[i].at);
        if (!restored) UNSCOPED_INFO(restored.error().detail);
        REQUIRE(restored);
        CHECK(restored->problems.empty());
        world.open("/r" + std::to_string(i));
        CHECK(world.inbox() == moments[i].inbox);
    }
    const auto early = world.restore("/early", base::wall_time(1'000'000'000));
    REQUIRE_FALSE(early);
    CHECK(early.error().kind == ErrorKind::NotFound);
    CHECK(early.error().detail.contains("the earliest time is"));
    CHECK_FALSE(*world.disk.exists("/early"));
}

TEST_CASE("a restored server goes on into the same backup, and the original does not any more") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 40; ++i) world.file(letter(i, 3'000));
    const auto half = world.scheduler.wall_now();
    for (int i = 40; i < 80; ++i) world.file(letter(i, 3'000));
    REQUIRE(world.back_up());
    REQUIRE(world.restore("/r", half));
    auto original = std::move(world.store);
    world.open("/r");
    world.file(letter(100));
    auto source = world.source();
    source.data = "/r";
    const auto second = backup::make_backup(world.disk, source, "/b", {}, world.scheduler);
    if (!second) UNSCOPED_INFO(second.error().detail);
    REQUIRE(second);
    const auto found = world.verify();
    CHECK(found.problems.empty());
    CHECK(found.emails == 41);
    world.store = std::move(original);
    const auto third = world.back_up();
    REQUIRE_FALSE(third);
    CHECK(third.error().kind == ErrorKind::Conflict);
    REQUIRE(world.restore("/again"));
    world.open("/again");
    CHECK(world.inbox().size() == 41);
}

TEST_CASE("a folder that is in use, or no backup, is refused and left alone") {
    BackupWorld world;
    world.start();
    world.file(letter(1));
    const auto none = world.restore("/r");
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == ErrorKind::NotFound);
    REQUIRE(world.back_up());
    const auto own = world.restore("/d");
    REQUIRE_FALSE(own);
    CHECK(own.error().kind == ErrorKind::Conflict);
    REQUIRE(world.disk.make_folder("/empty"));
    CHECK(world.restore("/empty"));
}

TEST_CASE("of a damaged backup everything else is restored") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 60; ++i) world.file(letter(i, 3'000));
    REQUIRE(world.back_up());
    const auto manifest = backup::read_manifest(world.disk, "/b");
    REQUIRE(manifest);
    const auto log = std::ranges::find_if(
        manifest->files, [](const auto& file) { return file.name.ends_with(".log"); });
    const auto path = "/b/" + log->name;
    auto octets = *base::read_file(world.disk, path, 1 << 30);
    // Within the octets of a letter.
    const auto at = octets.find("Subject: letter 5\r\n");
    REQUIRE(at != std::string::npos);
    octets[at] ^= 1;
    REQUIRE(base::replace_file(world.disk, path, octets));
    const auto restored = world.restore("/r");
    REQUIRE(restored);
    CHECK(restored->problems.size() == 1);
    CHECK(restored->emails == 60);
}

TEST_CASE(
    "a power cut while a folder is restored leaves one without settings, or one that is whole") {
    BackupWorld world;
    world.start();
    for (int i = 0; i < 20; ++i) world.file(letter(i, 3'000));
    const auto middle = world.scheduler.wall_now();
    const auto then = world.inbox();
    REQUIRE(world.store->snapshot());
    for (int i = 20; i < 40; ++i) world.file(letter(i, 3'000));
    world.file(letter(40, 200'000));
    REQUIRE(world.store->compact(store::Reclaim::KeepHistory));
    const auto newest = world.inbox();
    const auto epoch = world.state().epoch;
    const auto validity = world.inbox_row().uidvalidity;
    REQUIRE(world.back_up());
    const std::optional<WallTime> at = GENERATE_COPY(std::optional<WallTime>{}, middle);
    const auto& expected = at ? then : newest;
    const auto begin = world.disk.operations();
    REQUIRE(world.restore("/r", at));
    const auto end = world.disk.operations();
    sim::PowerCut cut(world.disk);
    base::SeededRandom random{11};
    int unfinished = 0, whole = 0;
    const auto step = std::max<std::size_t>(1, (end - begin) / (50 * sim::power_cut_scale()));
    for (auto operation = begin;; operation = std::min(operation + step, end)) {
        INFO("cut before operation " << operation << " of " << begin << " to " << end);
        BackupWorld after(cut.at(operation, random));
        if (!*after.disk.exists("/r/mdserver.toml")) {
            REQUIRE(operation < end);
            ++unfinished;
            // It is no server's folder, and none is made of it by mistake.
            const auto again = after.restore("/r", at);
            if (!again) CHECK(again.error().kind == ErrorKind::Conflict);
            if (unfinished % 10 == 1) REQUIRE(after.restore("/elsewhere", at));
        } else {
            ++whole;
            CHECK(*base::read_file(after.disk, "/r/mdserver.toml", 100) ==
                  "hostname = \"mx.example.test\"\n");
            CHECK(*base::read_file(after.disk, "/r/tls/key.pem", 100) == "secret 1");
            after.open("/r");
            CHECK(after.store->status().damages.empty());
            CHECK(after.inbox() == expected);
            CHECK(after.state().epoch == epoch + 1);
            CHECK(after.inbox_row().uidvalidity > validity);
            const auto checked = after.store->check();
            REQUIRE(checked);
            CHECK(checked->problems.empty());
        }
        if (operation == end) break;
    }
    CHECK(unfinished > 30);
    CHECK(whole > 0);
}
