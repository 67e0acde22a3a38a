// Mail of the past that comes back while the store is reclaimed.
#include "libmailcore/admin/operations.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/store/check.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/journal_store.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/file_index.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace mailcore;
using Json = nlohmann::json;

namespace {

constexpr const char* jo = "jo@example.test";

struct Desk {
    sim::Disk disk{{{}, {"/"}}};
    test::People people{test::People::cheap(),
                        [this](sim::VirtualScheduler& scheduler, base::Random& random) {
                            return open(scheduler, random);
                        }};
    admin::Context context{
        people.store(), people.directory(), [](queue::QueueId, bool) {}, "test", {}};

    Desk() { ok("account.add", {{"address", jo}, {"password", "long enough"}}); }

    std::unique_ptr<store::Store> open(sim::VirtualScheduler& scheduler, base::Random& random) {
        store::JournalStoreOptions options;
        options.threads = store::StoreThreads::None;
        options.journal.segment_octets = 64 * 1024;
        options.journal.body_segment_octets = 400'000;
        options.journal.pool_octets = options.journal.reserve_octets = 0;
        options.open_index = [this](const std::string& path) {
            return sim::open_file_index(disk, path);
        };
        return std::move(*store::JournalStore::open(disk, "/s", options, random, scheduler, Log()));
    }
    store::JournalStore& journal() { return dynamic_cast<store::JournalStore&>(people.store()); }
    Json ok(const std::string& method, const Json& request = Json::object()) {
        INFO(method << " " << request.dump().substr(0, 200));
        auto answer = people.run(admin::run(context, method, request.dump()));
        if (!answer) FAIL(answer.error().detail);
        return Json::parse(*answer);
    }
    void expunge_all() {
        const auto id =
            people.read([](store::ReadTransaction& txn) { return store::list_accounts(txn); })
                .value()
                .front();
        const auto gone = people.write(
            [id](store::WriteTransaction& txn) -> store::TxnTask<Result<store::Expunged>> {
                store::AccountEdit edit(txn, store::Access::owner(id), id);
                MAILCORE_CO_TRY(edit.begin());
                const auto uids = store::UidSet::all();
                MAILCORE_CO_TRY(const auto done, store::expunge(edit, edit.state().inbox, uids,
                                                                store::Expunge::All));
                MAILCORE_CO_TRY(edit.save());
                co_return done;
            });
        REQUIRE(gone);
    }
    void pass(std::chrono::microseconds time) {
        people.scheduler().run_until(people.scheduler().now() + time);
    }
    std::size_t count(std::string_view ends) {
        const auto names = *disk.list("/s/journal");
        return static_cast<std::size_t>(std::ranges::count_if(
            names, [ends](const std::string& name) { return name.ends_with(ends); }));
    }
    Json list(const std::string& mailbox) {
        return ok("email.list", {{"address", jo}, {"mailbox", mailbox}});
    }
};

std::string letter(int number) {
    return fmt::format("Subject: letter {}\r\n\r\n", number) +
           std::string(number % 10 == 7 ? 200'000 : 3'000, 'x') + "\r\n";
}

} // namespace

TEST_CASE("an expunged mailbox comes back whole while the store is compacted at every step") {
    Desk desk;
    constexpr int letters = 150;
    for (int i = 0; i < letters; ++i)
        desk.ok("email.add", {{"address", jo},
                              {"mailbox", "INBOX"},
                              {"emails",
                               {{{"octets", codec::base64_encode(letter(i))},
                                 {"received", "2003-07-01T10:52:37+02:00"},
                                 {"flags", {"\\Seen"}}}}}});
    desk.pass(std::chrono::seconds{2});
    const auto before = desk.people.scheduler().wall_now();
    desk.pass(std::chrono::seconds{2});
    desk.expunge_all();
    REQUIRE(desk.list("INBOX")["emails"].empty());
    REQUIRE(desk.journal().compact(store::Reclaim::KeepHistory));
    const auto bodies = desk.count(".bodies");
    REQUIRE(bodies > 3);

    const auto begun = desk.ok(
        "restore.begin", {{"address", jo}, {"at", mime::format_utc(before)}, {"into", "Back"}});
    CHECK(begun["messages"] == letters);
    int filed = 0;
    for (bool done = false; !done;) {
        // Even what nobody is promised any more stays as long as it is being read.
        REQUIRE(desk.journal().compact(store::Reclaim::Everything));
        CHECK(desk.count(".bodies") >= bodies);
        const auto step = desk.ok("restore.step");
        CHECK(step["failed"].empty());
        filed += step["filed"].get<int>();
        done = step["done"];
    }
    CHECK(filed == letters);
    const auto restored = desk.list("Back/INBOX");
    REQUIRE(restored["emails"].size() == letters);
    for (int i = 0; i < letters; i += 7) {
        const auto read = desk.ok(
            "email.read",
            {{"address", jo}, {"mailbox", "Back/INBOX"}, {"uids", {restored["emails"][i]["uid"]}}});
        CHECK(read["emails"][0]["octets"] == codec::base64_encode(letter(i)));
    }
    // It is read to its end: what is older goes now.
    const auto compacted = desk.journal().compact(store::Reclaim::Everything);
    REQUIRE(compacted);
    CHECK(compacted->segments > 3);
    const auto checked = desk.journal().check();
    REQUIRE(checked);
    CHECK(checked->problems.empty());
}

TEST_CASE("what a backup copies is held for as long as its caller is there") {
    Desk desk;
    const auto refused = desk.people.run(admin::run(desk.context, "backup.hold", "{}"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::NotFound);
    desk.ok("email.add", {{"address", jo},
                          {"mailbox", "INBOX"},
                          {"emails",
                           {{{"octets", codec::base64_encode(letter(7))},
                             {"received", "2003-07-01T10:52:37+02:00"}}}}});
    const auto files = desk.ok("backup.list")["files"];
    desk.ok("backup.hold");
    desk.expunge_all();
    REQUIRE(desk.journal().compact(store::Reclaim::Everything));
    for (const auto& file : files)
        CHECK(*desk.disk.exists("/s/journal/" + file["name"].get<std::string>()));
    desk.context.backup.reset(); // as when the connection ends
    const auto compacted = desk.journal().compact(store::Reclaim::Everything);
    REQUIRE(compacted);
    CHECK(compacted->segments > 0);
    CHECK(desk.count(".bodies") == 0);
}
