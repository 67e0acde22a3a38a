#include "libmailcore/admin/operations.h"

#include "libmailcore/queue/rows.h"
#include "libmailcore/store/keys.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace mailcore;
using Json = nlohmann::json;

namespace {

struct EventIds final : base::LogSink {
    void write(const base::LogEvent& event) override { ids.emplace_back(event.id); }
    std::vector<std::string> ids;
};

/// The operations over a store in memory, as an administrator's program calls them.
struct Administrator {
    test::People people;
    EventIds events;
    std::vector<std::pair<std::uint64_t, bool>> told; // of the queue
    admin::Context context{
        people.store(), people.directory(),
        [this](queue::QueueId id, bool now) { told.emplace_back(id.value, now); }, "test",
        Log(events)};

    Result<std::string> ask(std::string method, std::string request) {
        return people.run(admin::run(context, std::move(method), std::move(request)));
    }
    Json ok(std::string method, const Json& request = Json::object()) {
        const auto answer = ask(std::move(method), request.dump());
        INFO(request.dump());
        if (!answer) FAIL(answer.error().detail);
        return Json::parse(*answer);
    }
    queue::QueueId enqueue(int recipients) {
        return people
            .write([recipients](store::WriteTransaction& txn) { return add(txn, recipients); })
            .value();
    }
    static store::TxnTask<Result<queue::QueueId>> add(store::WriteTransaction& txn,
                                                      int recipients) {
        queue::Message message;
        message.sender = "jo@example.test";
        message.size = 1234;
        std::vector<queue::Recipient> list;
        for (int i = 0; i < recipients; ++i) {
            queue::Recipient recipient;
            recipient.index = static_cast<std::uint32_t>(i);
            recipient.address = "to" + std::to_string(i) + "@example.org";
            recipient.route = queue::Route::Remote;
            recipient.destination = "example.org";
            list.push_back(std::move(recipient));
        }
        co_return co_await queue::enqueue(txn, std::move(message), std::move(list));
    }
};

std::vector<std::string> keys(const Json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names; // nlohmann sorts them
}

} // namespace

TEST_CASE("the table is sorted, every operation has a summary, and names say what is read") {
    const auto all = admin::operations();
    CHECK(all.size() == 32);
    CHECK(std::ranges::is_sorted(all, {}, &admin::Operation::method));
    for (const auto& each : all) {
        INFO(each.method);
        CHECK(each.summary.ends_with('.'));
        const bool looks = each.method.ends_with(".list") || each.method.ends_with(".show") ||
                           each.method == "rule.replay" || each.method == "email.read" ||
                           each.method == "email.digest" || each.method == "backup.hold";
        CHECK((each.permission == admin::Permission::Look) == looks);
    }
}

TEST_CASE("every operation refuses what is no request of its own") {
    Administrator a;
    for (const auto& each : admin::operations()) {
        for (const char* request : {"[]", "5", "\"x\"", "null", "{", "{\"address\":\"\xff\"}",
                                    "{\"no_such_field\":1}", "{\"id\":1,\"no_such_field\":1}"}) {
            INFO(each.method << " " << request);
            const auto answer = a.ask(std::string(each.method), request);
            REQUIRE_FALSE(answer);
            CHECK(answer.error().kind == ErrorKind::Rejected);
            CHECK_FALSE(answer.error().detail.empty());
        }
    }
    const auto unknown = a.ask("account.adopt", "{}");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().kind == ErrorKind::NotFound);
}

TEST_CASE("fields that are missing or of another kind are named") {
    struct Case {
        const char* method;
        const char* request;
        ErrorKind kind;
        const char* detail; // begins so
    };
    static constexpr Case cases[] = {
        {"account.add", R"({})", ErrorKind::Rejected, "address: missing"},
        {"account.add", R"({"address":5,"password":"x"})", ErrorKind::Rejected,
         "address: expected a text"},
        {"account.add", R"({"address":"jo@example.test"})", ErrorKind::Rejected,
         "password: missing"},
        {"account.add", R"({"address":"jo","password":"long enough"})", ErrorKind::Rejected,
         "not an address: jo"},
        {"account.add",
         R"({"address":"jo@example.test","password":"long enough","quota_octets":-1})",
         ErrorKind::Rejected, "quota_octets: expected a whole number"},
        {"account.add",
         R"({"address":"jo@example.test","password":"long enough","administrator":"yes"})",
         ErrorKind::Rejected, "administrator: expected true or false"},
        {"account.show", R"({"address":"nobody@example.test"})", ErrorKind::NotFound, "no account"},
        {"account.passwd", R"({"address":"nobody@example.test","password":"long enough"})",
         ErrorKind::NotFound, "no account"},
        {"account.status", R"({"address":"al@example.test","status":"asleep"})",
         ErrorKind::Rejected, "status: expected active, frozen or disabled"},
        {"account.quota", R"({"address":"al@example.test","quota_octets":1.5})",
         ErrorKind::Rejected, "quota_octets: expected a whole number"},
        {"account.remove", R"({"address":"nobody@example.test"})", ErrorKind::NotFound,
         "no account"},
        {"alias.set", R"({"address":"x@example.test"})", ErrorKind::Rejected,
         "targets: expected a list of texts"},
        {"alias.set", R"({"address":"x@example.test","targets":"y@example.test"})",
         ErrorKind::Rejected, "targets: expected a list of texts"},
        {"alias.set", R"({"address":"x@example.test","targets":[1]})", ErrorKind::Rejected,
         "targets: expected a list of texts"},
        {"alias.set", R"({"address":"x@example.test","targets":["no address"]})",
         ErrorKind::Rejected, "not an address: no address"},
        {"alias.remove", R"({"address":"nobody@example.test"})", ErrorKind::NotFound, ""},
        {"domain.add", R"({"name":"alias.test","alias_of":"no.test"})", ErrorKind::NotFound,
         "no domain no.test"},
        {"domain.set", R"({"name":"no.test"})", ErrorKind::NotFound, "no domain no.test"},
        {"domain.set", R"({"name":"example.test","disabled":1})", ErrorKind::Rejected,
         "disabled: expected true or false"},
        {"domain.remove", R"({"name":"no.test"})", ErrorKind::NotFound, "no domain no.test"},
        {"queue.hold", R"({})", ErrorKind::Rejected, "name a message by its id, or say all"},
        {"queue.retry", R"({"all":false})", ErrorKind::Rejected, "name a message"},
        {"queue.release", R"({"id":"one"})", ErrorKind::Rejected, "id: expected a whole number"},
        {"queue.remove", R"({"id":77})", ErrorKind::NotFound, ""},
        {"queue.show", R"({"id":77})", ErrorKind::NotFound, ""},
        {"queue.list", R"({"limit":-1})", ErrorKind::Rejected, "limit: expected a whole number"},
    };
    Administrator a;
    a.people.make_account("al@example.test", "a long password");
    for (const auto& c : cases) {
        INFO(c.method << " " << c.request);
        const auto answer = a.ask(c.method, c.request);
        REQUIRE_FALSE(answer);
        INFO(answer.error().detail);
        CHECK(answer.error().kind == c.kind);
        CHECK(answer.error().detail.starts_with(c.detail));
    }
}

TEST_CASE("an account is made, shown, changed and removed") {
    Administrator a;
    const auto made = a.ok("account.add", {{"address", "jo@example.test"},
                                           {"password", "a long password"},
                                           {"name", "Jo"},
                                           {"administrator", true},
                                           {"quota_octets", 1000}});
    CHECK(keys(made) == std::vector<std::string>{"address", "id"});
    CHECK(a.ask("account.add", R"({"address":"jo@example.test","password":"a long password"})")
              .error()
              .kind == ErrorKind::Conflict);
    auto shown = a.ok("account.show", {{"address", "jo@example.test"}});
    CHECK(keys(shown) == std::vector<std::string>{"address", "addresses", "administrator",
                                                  "created", "id", "messages", "name", "octets",
                                                  "quota_messages", "quota_octets", "status"});
    CHECK(shown["name"] == "Jo");
    CHECK(shown["administrator"] == true);
    CHECK(shown["quota_octets"] == 1000);
    CHECK(shown["status"] == "active");
    CHECK(shown["id"] == made["id"]);

    a.ok("account.quota", {{"address", "jo@example.test"}, {"quota_messages", 7}});
    a.ok("account.status", {{"address", "jo@example.test"}, {"status", "frozen"}});
    shown = a.ok("account.show", {{"address", "jo@example.test"}});
    CHECK(shown["quota_octets"] == 0);
    CHECK(shown["quota_messages"] == 7);
    CHECK(shown["status"] == "frozen");
    a.ok("account.status", {{"address", "jo@example.test"}, {"status", "disabled"}});
    CHECK(a.ok("account.show", {{"address", "jo@example.test"}})["status"] == "disabled");
    a.ok("account.status", {{"address", "jo@example.test"}, {"status", "active"}});

    a.ok("account.passwd", {{"address", "jo@example.test"}, {"password", "another password"}});
    CHECK(a.people.authenticate("jo@example.test", "another password").outcome ==
          accounts::LoginOutcome::Accepted);
    CHECK(a.people.authenticate("jo@example.test", "a long password").outcome !=
          accounts::LoginOutcome::Accepted);

    const auto listed = a.ok("account.list")["accounts"];
    REQUIRE(listed.size() == 1);
    CHECK(listed[0] == a.ok("account.show", {{"address", "jo@example.test"}}));
    a.ok("account.remove", {{"address", "jo@example.test"}});
    CHECK(a.ok("account.list")["accounts"].empty());
    // What changes something is told, with what it was; what looks is not; no password is.
    CHECK(std::ranges::count(a.events.ids, "admin.operation") == 8);
}

TEST_CASE("an account whose password is refused is not made") {
    Administrator a;
    const auto answer = a.ask("account.add", R"({"address":"jo@example.test","password":"x"})");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == ErrorKind::Rejected);
    CHECK(a.ok("account.list")["accounts"].empty());
}

TEST_CASE("more accounts than one look takes are all listed") {
    Administrator a;
    for (int i = 0; i < 300; ++i) a.people.make_account("u" + std::to_string(i) + "@example.test");
    CHECK(a.ok("account.list")["accounts"].size() == 300);
}

TEST_CASE("domains and aliases are made, listed, changed and removed") {
    Administrator a;
    a.people.make_account("jo@example.test");
    const auto domain =
        a.ok("domain.add", {{"name", "second.test"}, {"catch_all", "jo@example.test"}});
    CHECK(keys(domain) == std::vector<std::string>{"id", "name"});
    a.ok("domain.add", {{"name", "third.test"}, {"alias_of", "second.test"}});
    auto list = a.ok("domain.list")["domains"];
    REQUIRE(list.size() == 3);
    CHECK(keys(list[0]) == std::vector<std::string>{"alias_of", "catch_all", "disabled", "id",
                                                    "name", "separators"});
    CHECK(list[2]["alias_of"] == domain["id"]);
    a.ok("domain.set", {{"name", "second.test"}, {"disabled", true}});
    list = a.ok("domain.list")["domains"];
    CHECK(list[1]["disabled"] == true);
    CHECK(list[1]["catch_all"] == "jo@example.test");
    a.ok("domain.remove", {{"name", "third.test"}});

    a.ok("alias.set", {{"address", "sales@example.test"},
                       {"targets", {"jo@example.test", "out@example.org"}},
                       {"description", "who sells"}});
    auto aliases = a.ok("alias.list")["aliases"];
    REQUIRE(aliases.size() == 1);
    CHECK(aliases[0] == Json{{"address", "sales@example.test"},
                             {"targets", {"jo@example.test", "out@example.org"}},
                             {"description", "who sells"}});
    // A domain that still has addresses stays.
    CHECK_FALSE(a.ask("domain.remove", R"({"name":"example.test"})"));
    a.ok("alias.remove", {{"address", "sales@example.test"}});
    CHECK(a.ok("alias.list")["aliases"].empty());
}

TEST_CASE("mail in the queue is listed, held, released, tried and removed") {
    Administrator a;
    const auto first = a.enqueue(2);
    const auto second = a.enqueue(1);
    auto list = a.ok("queue.list")["messages"];
    REQUIRE(list.size() == 2);
    CHECK(keys(list[0]) == std::vector<std::string>{"account", "arrived", "id", "recipients",
                                                    "sender", "size", "trace"});
    CHECK(keys(list[0]["recipients"][0]) ==
          std::vector<std::string>{"address", "attempts", "destination", "host", "next_try",
                                   "reply", "route", "state", "status"});
    CHECK(a.ok("queue.list", {{"limit", 1}})["messages"].size() == 1);
    CHECK(a.ok("queue.list", {{"limit", 0}})["messages"].empty());
    const auto state = [&] {
        return a.ok("queue.show", {{"id", first.value}})["recipients"][1]["state"]
            .get<std::string>();
    };
    CHECK(state() == "waiting");
    CHECK(a.ok("queue.hold", {{"id", first.value}}) == Json{{"recipients", 2}});
    CHECK(state() == "held");
    CHECK(a.ok("queue.hold", {{"id", first.value}}) == Json{{"recipients", 0}});
    CHECK(a.ok("queue.retry", {{"id", first.value}}) == Json{{"recipients", 0}});
    CHECK(a.ok("queue.release", {{"id", first.value}}) == Json{{"recipients", 2}});
    CHECK(state() == "waiting");
    a.told.clear();
    CHECK(a.ok("queue.retry", {{"all", true}}) == Json{{"recipients", 3}});
    CHECK(a.told ==
          std::vector<std::pair<std::uint64_t, bool>>{{first.value, true}, {second.value, true}});
    CHECK(a.ok("queue.remove", {{"id", second.value}}) == Json{{"recipients", 1}});
    CHECK(a.ok("queue.list")["messages"].size() == 1);
    CHECK(a.ok("queue.remove", {{"all", true}}) == Json{{"recipients", 2}});
    CHECK(a.ok("queue.list")["messages"].empty());
    CHECK(a.ok("queue.remove", {{"all", true}}) == Json{{"recipients", 0}});
}

TEST_CASE("damaged rows of the queue are listed beside the mail that can be read") {
    Administrator a;
    const auto damaged = a.enqueue(1);
    const auto whole = a.enqueue(2);
    const auto spoilt =
        a.people.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            txn.put(store::Key(store::Space::Queue).u8('m').id(damaged).str(), "?");
            txn.put(store::Key(store::Space::Queue).u8('r').id(whole).u32(0).str(), "");
            co_return true;
        });
    REQUIRE(spoilt);
    const auto answer = a.ok("queue.list");
    REQUIRE(answer["messages"].size() == 1);
    CHECK(answer["messages"][0]["recipients"].size() == 1);
    REQUIRE(answer["damaged"].size() == 2);
    CHECK(answer["damaged"][0]["id"] == damaged.value);
    CHECK(answer["damaged"][0]["recipient"].is_null());
    CHECK(answer["damaged"][1]["id"] == whole.value);
    CHECK(answer["damaged"][1]["recipient"] == 0);
    CHECK(a.ok("queue.show", {{"id", whole.value}})["damaged"].size() == 1);
    const auto shown = a.ask("queue.show", Json{{"id", damaged.value}}.dump());
    REQUIRE_FALSE(shown);
    CHECK(shown.error().kind == ErrorKind::Corrupt);
    // What can be read is held, and the rest is left as it is.
    CHECK(a.ok("queue.hold", {{"all", true}}) == Json{{"recipients", 1}});
}
