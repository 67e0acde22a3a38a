// An account's mailboxes and emails, as an administrator's program works on them.
#include "libmailcore/admin/operations.h"

#include "libmailcore/accounts/account.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/crypto/hash.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"

#include <nlohmann/json.hpp>

using namespace mailcore;
using Json = nlohmann::json;

namespace {

constexpr const char* jo = "jo@example.test";

struct Desk {
    test::People people;
    admin::Context context{
        people.store(), people.directory(), [](queue::QueueId, bool) {}, "test", {}};

    Desk() { ok("account.add", {{"address", jo}, {"password", "long enough"}}); }

    Result<Json> ask(const std::string& method, Json request) {
        if (method.starts_with("email.") || method.starts_with("mailbox."))
            if (method != "email.upload" && !request.contains("address")) request["address"] = jo;
        if (method.starts_with("email.") && method != "email.upload" &&
            !request.contains("mailbox"))
            request["mailbox"] = "INBOX";
        auto answer = people.run(admin::run(context, method, request.dump()));
        if (!answer) return std::unexpected(answer.error());
        return Json::parse(*answer);
    }
    Json ok(const std::string& method, Json request = Json::object()) {
        INFO(method << " " << request.dump().substr(0, 200));
        auto answer = ask(method, std::move(request));
        if (!answer) FAIL(answer.error().detail);
        return std::move(*answer);
    }
    Error refused(const std::string& method, Json request) {
        INFO(method << " " << request.dump().substr(0, 200));
        auto answer = ask(method, std::move(request));
        REQUIRE_FALSE(answer);
        return answer.error();
    }
};

std::string letter(const std::string& subject, std::size_t octets = 0) {
    return "Subject: " + subject + "\r\n\r\n" + std::string(octets, 'x') + "\r\n";
}
Json email(const std::string& octets, Json flags = Json::array()) {
    return Json{{"octets", codec::base64_encode(octets)},
                {"received", "2003-07-01T10:52:37+02:00"},
                {"flags", std::move(flags)}};
}

} // namespace

TEST_CASE("mailboxes are listed with what they hold, and made with the levels above them") {
    Desk desk;
    const auto made = desk.ok("mailbox.create", {{"mailbox", "Work/Paid"}, {"subscribe", true}});
    CHECK(made["path"] == "Work/Paid");
    desk.ok("email.add", {{"mailbox", "Work/Paid"}, {"emails", {email(letter("a"))}}});
    const auto list = desk.ok("mailbox.list");
    CHECK(list["message_octets_max"] == desk.context.message_octets_max);
    bool found = false;
    for (const auto& row : list["mailboxes"]) {
        if (row["path"] == "Sent") CHECK(row["role"] == "sent");
        if (row["path"] != "Work/Paid") continue;
        found = true;
        CHECK(row["messages"] == 1);
        CHECK(row["unseen"] == 1);
        CHECK(row["octets"] == letter("a").size());
        CHECK(row["subscribed"] == true);
        CHECK(row["uidvalidity"] == made["uidvalidity"]);
    }
    CHECK(found);
    CHECK(desk.refused("mailbox.create", {{"mailbox", "Work/Paid"}}).kind == ErrorKind::Conflict);
    CHECK(desk.refused("mailbox.create", {{"mailbox", "x"}, {"role", "sent"}}).kind ==
          ErrorKind::Conflict);
    CHECK(desk.refused("mailbox.create", {{"mailbox", "x"}, {"role", "boss"}}).kind ==
          ErrorKind::Rejected);
    CHECK(desk.refused("mailbox.create", {{"mailbox", "a//b"}}).kind == ErrorKind::Rejected);
}

TEST_CASE("what is added is listed and read as it was, with flags, date and zone") {
    Desk desk;
    const auto added =
        desk.ok("email.add",
                {{"emails", {email(letter("a"), {"\\Seen", "$Forwarded"}), email(letter("b"))}}});
    CHECK(added["emails"] == Json::parse(R"([{"uid":1,"known":false},{"uid":2,"known":false}])"));
    CHECK(added["uidnext"] == 3);
    const auto list = desk.ok("email.list");
    REQUIRE(list["emails"].size() == 2);
    CHECK(list["uidvalidity"] == added["uidvalidity"]);
    CHECK(list["more"] == false);
    CHECK(list["emails"][0]["flags"] == Json::parse(R"(["\\Seen","$Forwarded"])"));
    CHECK(list["emails"][0]["received"] == "2003-07-01T10:52:37+02:00");
    CHECK(list["emails"][1]["size"] == letter("b").size());
    CHECK(desk.ok("email.list", {{"after", 1}})["emails"].size() == 1);
    CHECK(desk.ok("email.list", {{"after", 2}})["emails"].empty());
    CHECK(desk.ok("email.list", {{"after", 0xFFFFFFFFu}})["emails"].empty());
    const auto one = desk.ok("email.list", {{"limit", 1}});
    CHECK(one["emails"].size() == 1);
    CHECK(one["more"] == true);

    const auto read = desk.ok("email.read", {{"uids", {2, 7, 1}}});
    REQUIRE(read["emails"].size() == 3);
    CHECK(read["emails"][0]["octets"] == codec::base64_encode(letter("a")));
    CHECK(read["emails"][0]["last"] == true);
    CHECK(read["emails"][1]["uid"] == 2);
    CHECK(read["emails"][2]["kind"] == "not found");

    const auto digests = desk.ok("email.digest", {{"uids", {1, 7}}});
    const auto digest = crypto::Blake2b256::of(letter("a"));
    CHECK(digests["emails"][0]["digest"] == codec::hex_encode(crypto::octets_of(digest)));
    CHECK(digests["emails"][1]["kind"] == "not found");
}

TEST_CASE("a list of more than fits is read page by page, each message once") {
    Desk desk;
    for (int batch = 0; batch < 5; ++batch) {
        Json emails = Json::array();
        for (int i = 0; i < 50; ++i) emails.push_back(email(letter(std::to_string(i))));
        desk.ok("email.add", {{"emails", std::move(emails)}});
    }
    for (const int limit : {1, 7, 64, 100, 1000}) {
        INFO(limit);
        std::uint64_t after = 0;
        std::size_t count = 0;
        for (bool more = true; more;) {
            const auto page = desk.ok("email.list", {{"after", after}, {"limit", limit}});
            for (const auto& row : page["emails"]) {
                CHECK(row["uid"] == ++count);
                after = row["uid"].get<std::uint64_t>();
            }
            more = page["more"] == true;
        }
        CHECK(count == 250);
    }
}

TEST_CASE("an answer holds a bounded number of octets; large emails come in pieces") {
    Desk desk;
    std::string large = letter("large", 2'500'000);
    std::uint64_t upload = 0;
    for (std::size_t at = 0; at < large.size(); at += 700'000) {
        Json request{{"octets", codec::base64_encode(large.substr(at, 700'000))}};
        if (upload != 0) request["upload"] = upload;
        upload = desk.ok("email.upload", request)["upload"].get<std::uint64_t>();
    }
    const auto half = letter("half", 600'000);
    desk.ok("email.add", {{"emails", {email(half), Json{{"upload", upload}}, email(half)}}});
    CHECK(desk.context.uploads.begun.empty());
    CHECK(desk.refused("email.add", {{"emails", {Json{{"upload", upload}}}}}).kind ==
          ErrorKind::NotFound);

    const auto first = desk.ok("email.read", {{"uids", {1, 2, 3}}});
    std::string got;
    std::uint64_t offset = 0;
    CHECK(first["emails"][0]["last"] == true);
    for (bool last = false; !last;) {
        const auto answer = desk.ok("email.read", {{"uids", {2, 3}}, {"offset", offset}});
        const auto& row = answer["emails"][0];
        REQUIRE(row["uid"] == 2);
        CHECK(row["offset"] == offset);
        const auto octets = *codec::base64_decode(row["octets"].get<std::string>());
        CHECK(octets.size() <= admin::answer_octets_max);
        got += octets;
        offset += octets.size();
        last = row["last"] == true;
    }
    CHECK(got == large);
}

TEST_CASE("uploads are bounded in number and size") {
    Desk desk;
    desk.context.message_octets_max = 1'000;
    const auto octets = codec::base64_encode(std::string(600, 'x'));
    std::vector<std::uint64_t> ids;
    for (std::size_t i = 0; i <= admin::uploads_max; ++i)
        ids.push_back(desk.ok("email.upload", {{"octets", octets}})["upload"].get<std::uint64_t>());
    CHECK(desk.context.uploads.begun.size() == admin::uploads_max);
    CHECK(desk.refused("email.upload", {{"octets", octets}, {"upload", ids[0]}}).kind ==
          ErrorKind::NotFound);
    CHECK(desk.refused("email.upload", {{"octets", octets}, {"upload", ids[1]}}).kind ==
          ErrorKind::Rejected);
    CHECK(desk.refused("email.add", {{"emails", {email(letter("x", 1'000))}}}).kind ==
          ErrorKind::Rejected);
}

TEST_CASE("a request that is repeated adds nothing twice") {
    Desk desk;
    const auto begun = desk.ok("email.list");
    const Json request{{"emails", {email(letter("a")), email(letter("a")), email(letter("b"))}},
                       {"uidvalidity", begun["uidvalidity"]},
                       {"uidnext", begun["uidnext"]}};
    const auto first = desk.ok("email.add", request);
    CHECK(first["emails"][0]["known"] == false);
    const auto again = desk.ok("email.add", request);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(again["emails"][i]["known"] == true);
        CHECK(again["emails"][i]["uid"] == i + 1);
    }
    CHECK(again["uidnext"] == 4);
    CHECK(desk.ok("email.list")["emails"].size() == 3);

    // A third "a" is one more; what stood there before `uidnext` is not looked at.
    auto more = request;
    more["emails"] = Json::array({email(letter("a")), email(letter("a")), email(letter("a"))});
    const auto third = desk.ok("email.add", more);
    CHECK(third["emails"][2] == Json::parse(R"({"uid":4,"known":false})"));
    more["uidnext"] = 5;
    CHECK(desk.ok("email.add", more)["emails"][0]["known"] == false);

    more["uidvalidity"] = 12345;
    CHECK(desk.refused("email.add", more).kind == ErrorKind::Conflict);
}

TEST_CASE("the quota holds for a whole batch, unless it is waived") {
    Desk desk;
    desk.ok("account.quota", {{"address", jo}, {"quota_messages", 2}});
    const Json three{email(letter("a")), email(letter("b")), email(letter("c"))};
    const auto error = desk.refused("email.add", {{"emails", three}});
    CHECK(error.kind == ErrorKind::LimitExceeded);
    CHECK(error.detail.find("quota") != std::string::npos);
    CHECK(desk.ok("email.list")["emails"].empty());
    CHECK(desk.ok("email.add", {{"emails", three}, {"over_quota", true}})["emails"].size() == 3);
}

TEST_CASE("mail goes in even if a mailbox has no room for its keywords") {
    Desk desk;
    for (int i = 0; i < 2; ++i) {
        Json keywords = Json::array();
        for (int k = 0; k < 32; ++k) keywords.push_back("k" + std::to_string(i * 32 + k));
        CHECK(desk.ok("email.add",
                      {{"emails", {email(letter("a"), keywords)}}})["keywords_dropped"] == false);
    }
    const auto added =
        desk.ok("email.add", {{"emails", {email(letter("b"), {"K1", "another", "\\Seen"})}}});
    CHECK(added["keywords_dropped"] == true);
    CHECK(desk.ok("email.list", {{"after", 2}})["emails"][0]["flags"] ==
          Json::parse(R"(["\\Seen","k1"])"));
}

TEST_CASE("what is wrong with a batch is named, and nothing of it is added") {
    Desk desk;
    struct Case {
        Json emails;
        const char* detail;
    };
    const auto good = email(letter("a"));
    auto bad_date = good;
    bad_date["received"] = "yesterday";
    auto extra = good;
    extra["uid"] = 5;
    const Case cases[] = {
        {Json(5), "emails: expected a list of objects"},
        {Json::array({5}), "emails: expected a list of objects"},
        {{good, Json::object()}, "emails[1].octets: missing"},
        {{good, Json{{"octets", "!"}}}, "emails[1].octets: expected a message in base64"},
        {{good, Json{{"octets", ""}}}, "emails[1].octets: expected a message in base64"},
        {{good, bad_date}, "emails[1].received: expected"},
        {{extra}, "emails[0].uid: no such field"},
        {{email(letter("a"), {"\\Nonsense"})}, "emails[0].flags: expected"},
        {{email(letter("a"), {"two words"})}, "emails[0].flags: expected"},
    };
    for (const auto& c : cases) {
        INFO(c.emails.dump().substr(0, 200));
        const auto error = desk.refused("email.add", {{"emails", c.emails}});
        CHECK(error.kind == ErrorKind::Rejected);
        CHECK(error.detail.starts_with(c.detail));
    }
    CHECK(desk.refused("email.read", {{"uids", std::vector<int>(1'001, 1)}}).kind ==
          ErrorKind::Rejected);
    CHECK(desk.refused("email.list", {{"mailbox", "Nowhere"}}).kind == ErrorKind::NotFound);
    CHECK(desk.refused("email.list", {{"address", "no@example.test"}}).kind == ErrorKind::NotFound);
    CHECK(desk.ok("email.list")["emails"].empty());
}
