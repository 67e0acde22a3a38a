#include "libmailcore/delivery/courier.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/keys.h"
#include "tests/catch.h"
#include "tests/delivery/delivery_world.h"

#include <algorithm>

using namespace mailcore;
using namespace std::chrono_literals;
using delivery::Outcome;
using test::DeliveryWorld;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// Waits without the eighth that chance adds.
delivery::CourierOptions schedule() {
    delivery::CourierOptions options;
    options.retry.waits = {60s, 300s, 600s};
    options.retry.delay_report_after = 1h;
    options.retry.lifetime = 3h;
    options.retry.lifetime_null_sender = 30min;
    return options;
}

} // namespace

TEST_CASE("what is refused for now is tried by the schedule until it is taken") {
    DeliveryWorld world(schedule());
    world.transport.outcomes["far@away.test"] = Outcome::deferred("4.2.1", "450 later", "mx");
    world.submit("ann@elsewhere.test", {"far@away.test"});
    world.pass(20min);
    const auto& attempts = world.transport.attempts;
    REQUIRE(attempts.size() >= 3);
    const auto within = [&](std::size_t i, std::chrono::seconds wait) {
        const auto waited = attempts[i].at - attempts[i - 1].at;
        CHECK(waited >= wait);
        CHECK(waited <= wait * 9 / 8 + 1s);
    };
    within(1, 60s);
    within(2, 300s);
    const auto queued = world.queue();
    REQUIRE(queued.size() == 1);
    CHECK(queued[0].recipients[0].status == "4.2.1");
    CHECK(queued[0].recipients[0].reply == "450 later");
    CHECK(queued[0].recipients[0].attempts == attempts.size());
    world.transport.outcomes.clear();
    world.pass(20min);
    CHECK(world.queue().empty());
}

TEST_CASE("of a message whose octets are damaged the sender is told, once, without them") {
    DeliveryWorld world(schedule());
    world.people.make_account("jo@example.test", "secret");
    world.transport.outcomes["slow@away.test"] = Outcome::deferred("4.2.1", "450 later", "mx");
    world.submit("jo@example.test", {"slow@away.test"});
    auto damaged = world.queue().at(0);
    damaged.message.pieces.back().length += 100; // the body has become shorter
    damaged.message.size += 100;
    damaged.recipients.at(0).address = "far@away.test";
    world.transport.outcomes["far@away.test"] = Outcome::deferred("4.3.0", "cannot be read");
    const auto queued = world.people.write([&](store::WriteTransaction& txn) {
        return queue::enqueue(txn, damaged.message, damaged.recipients);
    });
    REQUIRE(queued);
    world.courier->notice(*queued);
    world.pass(4h);
    CHECK(world.queue().empty());
    const auto mail = world.mail_of("jo");
    const auto about = [&](std::string_view action) {
        return std::ranges::count_if(mail, [&](const std::string& report) {
            return has(report, "far@away.test") && has(report, action) &&
                   !has(report, "body of it");
        });
    };
    CHECK(about("Action: delayed") == 1);
    CHECK(about("Action: failed") == 1);
}

TEST_CASE("a damaged row is named once, and the rest of the queue goes on") {
    struct Lines final : base::LogSink {
        void write(const base::LogEvent& event) override {
            if (event.id == "queue.unreadable") lines.push_back(base::to_text(event));
        }
        std::vector<std::string> lines;
    } log;
    DeliveryWorld world(schedule());
    world.services.log = Log(log);
    const auto later = Outcome::deferred("4.2.1", "450 later", "mx");
    for (const auto* name : {"a", "b", "c", "d", "e"})
        world.transport.outcomes[std::string(name) + "@away.test"] = later;
    const auto first = world.submit("ann@elsewhere.test", {"a@away.test"});
    const auto second = world.submit("ann@elsewhere.test", {"b@away.test", "c@away.test"});
    const auto third = world.submit("ann@elsewhere.test", {"d@away.test", "e@away.test"});
    world.pass(1s);
    const auto damaged =
        world.people.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            const auto halve = [&](std::string key) -> store::TxnTask<Result<void>> {
                MAILCORE_CO_TRY(const auto row, txn.get(key));
                if (!row) co_return fail(ErrorKind::NotFound, "the row");
                txn.put(std::move(key), row->substr(0, row->size() / 2));
                co_return Result<void>{};
            };
            using store::Key;
            using store::Space;
            MAILCORE_CO_TRY(halve(Key(Space::Queue).u8('m').id(first).str()));
            MAILCORE_CO_TRY(halve(Key(Space::Queue).u8('r').id(second).u32(1).str()));
            co_return true;
        });
    REQUIRE(damaged);

    world.transport.outcomes.clear();
    world.transport.attempts.clear();
    world.restart(); // and looks at all rows
    world.pass(30min);
    std::vector<std::string> delivered;
    for (const auto& attempt : world.transport.attempts)
        delivered.insert(delivered.end(), attempt.recipients.begin(), attempt.recipients.end());
    std::ranges::sort(delivered);
    CHECK(delivered == std::vector<std::string>{"b@away.test", "d@away.test", "e@away.test"});
    const auto named = [](queue::QueueId id, std::string_view row) {
        return "error queue.unreadable queue_id=" + std::to_string(id.value) +
               " row=" + std::string(row);
    };
    REQUIRE(log.lines.size() == 2);
    std::ranges::sort(log.lines);
    CHECK(log.lines[0].starts_with(named(first, "message error=")));
    CHECK(log.lines[1].starts_with(named(second, "\"recipient 1\" error=")));
    CHECK(world.courier->damaged() == 2);
    // Somebody asks for it: nothing new.
    world.courier->retry_now(first);
    world.courier->retry_now(second);
    world.courier->retry_now(third);
    world.pass(1min);
    CHECK(log.lines.size() == 2);

    const auto counts =
        world.people.read([](store::ReadTransaction& txn) { return queue::count(txn, 1'000); });
    REQUIRE(counts);
    CHECK(counts->messages == 1);
    CHECK(counts->waiting == 0);
    CHECK(counts->damaged == 2);
    REQUIRE(counts->damages.size() == 2);
    CHECK(queue::to_string(counts->damages[1])
              .starts_with("queued message " + std::to_string(second.value) + ", recipient 1: "));
}

TEST_CASE("a refusal for good is returned to the sender, once, with what was said") {
    DeliveryWorld world(schedule());
    world.people.make_account("jo@example.test", "secret");
    world.transport.outcomes["bad@away.test"] =
        Outcome::failed("5.1.1", "550 5.1.1 no such user", "mx.away.test");
    world.submit("jo@example.test", {"good@away.test", "bad@away.test"}, [](auto& incoming) {
        incoming.message.envid = "E1";
        incoming.recipients[1].original = "rfc822;worse@away.test";
    });
    world.pass(1min);
    CHECK(world.queue().empty());
    const auto mail = world.mail_of("jo");
    REQUIRE(mail.size() == 1);
    CHECK(mail[0].starts_with("Return-Path: <>\r\n"));
    for (const auto* part :
         {"multipart/report", "Auto-Submitted: auto-replied", "Action: failed", "Status: 5.1.1",
          "Final-Recipient: rfc822; bad@away.test", "Original-Recipient: rfc822;worse@away.test",
          "Original-Envelope-Id: E1", "Remote-MTA: dns; mx.away.test", "body of it"}) {
        INFO(part);
        CAPTURE(mail[0]);
        CHECK(codec::find_ignoring_case(mail[0], part) != std::string::npos);
    }
    CHECK_FALSE(has(mail[0], "good@away.test"));
}

TEST_CASE("a message that grows too old is returned with 4.4.7, after one report of delay") {
    DeliveryWorld world(schedule());
    world.people.make_account("jo@example.test", "secret");
    world.transport.outcomes["far@away.test"] = Outcome::deferred("4.2.1", "450 later", "mx");
    world.submit("jo@example.test", {"far@away.test"});
    world.pass(59min);
    CHECK(world.mail_of("jo").empty());
    world.pass(1h);
    auto mail = world.mail_of("jo");
    REQUIRE(mail.size() == 1);
    CHECK(has(mail[0], "Action: delayed"));
    CHECK(has(mail[0], "Will-Retry-Until: "));
    world.pass(2h);
    mail = world.mail_of("jo");
    REQUIRE(mail.size() == 2);
    CHECK(has(mail[1], "Action: failed"));
    CHECK(has(mail[1], "Status: 4.4.7"));
    CHECK(world.queue().empty());
    const auto tried = world.transport.attempts.size();
    world.pass(2h);
    CHECK(world.transport.attempts.size() == tried);
}

TEST_CASE("a bounce is never bounced: the null sender hears nothing and is kept shorter") {
    DeliveryWorld world(schedule());
    world.transport.outcomes["bad@away.test"] = Outcome::failed("5.1.1", "550 no", "mx");
    world.transport.outcomes["slow@away.test"] = Outcome::deferred("4.2.1", "450 later", "mx");
    world.submit("", {"bad@away.test", "slow@away.test"});
    world.pass(1min);
    CHECK(world.queue().at(0).recipients.size() == 1);
    world.pass(1h);
    CHECK(world.queue().empty());

    // A report to a sender far away that is refused there ends too.
    world.transport.outcomes["ann@elsewhere.test"] = Outcome::failed("5.1.1", "550 no", "mx");
    world.submit("ann@elsewhere.test", {"bad@away.test"});
    world.pass(1min);
    CHECK(world.queue().empty());
    CHECK(world.transport.attempts.back().recipients ==
          std::vector<std::string>{"ann@elsewhere.test"});
}

TEST_CASE("NOTIFY and RET decide who hears what") {
    struct Case {
        const char* name;
        queue::Notify notify;
        queue::Return returns;
        Outcome outcome;
        const char* action; ///< absent: no report
        bool has_body;
    };
    auto passed_on = Outcome::delivered("250 ok", "mx");
    passed_on.reports_success = true;
    const Case cases[] = {
        {"never",
         {false, false, false},
         queue::Return::Unset,
         Outcome::failed("5.1.1", "no"),
         nullptr,
         false},
        {"success only, failed",
         {true, false, false},
         queue::Return::Unset,
         Outcome::failed("5.1.1", "no"),
         nullptr,
         false},
        {"failure",
         {false, true, false},
         queue::Return::Unset,
         Outcome::failed("5.1.1", "no"),
         "Action: failed",
         true},
        {"failure, header only",
         {false, true, false},
         queue::Return::Headers,
         Outcome::failed("5.1.1", "no"),
         "Action: failed",
         false},
        {"success, and the next host has no DSN",
         {true, false, false},
         queue::Return::Full,
         Outcome::delivered("250 ok", "mx"),
         "Action: relayed",
         false},
        {"success, and the next host will tell",
         {true, false, false},
         queue::Return::Unset,
         passed_on,
         nullptr,
         false},
        {"failure only, delivered",
         {false, true, false},
         queue::Return::Unset,
         Outcome::delivered("250 ok", "mx"),
         nullptr,
         false},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        DeliveryWorld world(schedule());
        world.people.make_account("jo@example.test", "secret");
        world.transport.outcomes["far@away.test"] = c.outcome;
        world.submit("jo@example.test", {"far@away.test"}, [&](auto& incoming) {
            incoming.recipients[0].notify = c.notify;
            incoming.message.returns = c.returns;
        });
        world.pass(1min);
        CHECK(world.queue().empty());
        const auto mail = world.mail_of("jo");
        REQUIRE(mail.size() == (c.action ? 1u : 0u));
        if (!c.action) continue;
        CHECK(has(mail[0], c.action));
        CHECK(has(mail[0], "body of it") == c.has_body);
        CHECK(has(mail[0], "Subject: letter"));
    }
}

TEST_CASE("a destination gets so many connections and no more, others do not wait for it") {
    auto options = schedule();
    options.limits.destination_connections_max = 3;
    options.limits.jobs_per_connection_max = 2;
    DeliveryWorld world(options);
    world.transport.takes = 10s;
    for (int i = 0; i < 12; ++i) world.submit("a@b.test", {"u" + std::to_string(i) + "@slow.test"});
    world.submit("a@b.test", {"u@other.test"});
    CHECK(world.transport.open_most["slow.test"] == 3);
    CHECK(world.transport.open_most["other.test"] == 1);
    world.pass(2min);
    CHECK(world.transport.open_most["slow.test"] == 3);
    CHECK(world.queue().empty());
    CHECK(world.transport.opened >= 1 + 12 / 2);
}

TEST_CASE("recipients of one message for one destination go in one transaction, within its limit") {
    auto options = schedule();
    options.limits.recipients_per_job_max = 4;
    DeliveryWorld world(options);
    std::vector<std::string> recipients;
    for (int i = 0; i < 10; ++i) recipients.push_back("u" + std::to_string(i) + "@away.test");
    world.submit("a@b.test", recipients);
    world.pass(1min);
    std::size_t sent = 0;
    for (const auto& attempt : world.transport.attempts) {
        CHECK(attempt.recipients.size() <= 4);
        sent += attempt.recipients.size();
    }
    CHECK(world.transport.attempts.size() == 3);
    CHECK(sent == 10);
    CHECK(world.queue().empty());
}

TEST_CASE("a destination that cannot be reached is left alone for a while, all its mail with it") {
    DeliveryWorld world(schedule());
    world.transport.closed["dead.test"] = Outcome::deferred("4.4.1", "nobody answers");
    world.submit("a@b.test", {"u@dead.test"});
    world.submit("a@b.test", {"v@dead.test"});
    CHECK(world.transport.attempts.size() == 1);
    const auto id = world.submit("a@b.test", {"w@dead.test"});
    CHECK(world.transport.attempts.size() == 1);
    world.courier->retry_now(id);
    world.people.scheduler().run_ready();
    CHECK(world.transport.attempts.size() > 1);
    world.transport.closed.clear();
    world.pass(30min);
    CHECK(world.queue().empty());
    // A domain that does not exist is an answer.
    world.transport.closed["nodomain.test"] = Outcome::failed("5.1.2", "no such domain");
    world.submit("", {"u@nodomain.test"});
    world.pass(1min);
    CHECK(world.queue().empty());
}

TEST_CASE("a courier begun anew goes on with what the rows say") {
    DeliveryWorld world(schedule());
    world.courier->stop();
    world.people.make_account("jo@example.test", "secret");
    world.submit("a@b.test", {"far@away.test"});
    CHECK(world.transport.attempts.empty());
    CHECK(world.queue().size() == 1);
    world.people.scheduler().run_ready();
    world.courier.emplace(world.people.scheduler(), world.people.store(), world.local,
                          world.reporter, world.transport, schedule(), world.random, Log());
    world.courier->start();
    world.pass(1min);
    CHECK(world.transport.attempts.size() == 1);
    CHECK(world.queue().empty());
}
