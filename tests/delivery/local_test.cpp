#include "libmailcore/delivery/local.h"

#include "libmailcore/store/account.h"
#include "tests/catch.h"
#include "tests/delivery/delivery_world.h"

using namespace mailcore;
using namespace std::chrono_literals;
using test::DeliveryWorld;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

void set_quota(DeliveryWorld& world, store::AccountId account, store::QuotaLimits limits) {
    world.people
        .write([=](store::WriteTransaction& txn) -> store::TxnTask<Result<bool>> {
            store::AccountEdit edit(txn, store::Access::owner(account), account);
            MAILCORE_CO_TRY(edit.begin());
            MAILCORE_CO_TRY(store::set_quota(edit, limits));
            MAILCORE_CO_TRY(edit.save());
            co_return true;
        })
        .value();
}

} // namespace

TEST_CASE("filing takes the recipient out of the queue, and twice does nothing more") {
    DeliveryWorld world;
    world.people.make_account("jo@example.test", "secret");
    world.courier->stop();
    // Accepted and held, so that nobody files it before us.
    world.submit("a@b.test", {"jo@example.test"}, [](auto& incoming) { incoming.held = true; });
    const auto queued = world.queue().at(0);
    const auto message = std::make_shared<const queue::Message>(queued.message);
    const auto deliver = [&] {
        return world.people.run(
            world.local.deliver(message, queued.recipients.at(0), nullptr, nullptr));
    };
    CHECK(deliver().kind == delivery::Outcome::Kind::Delivered);
    CHECK(deliver().kind == delivery::Outcome::Kind::Gone);
    CHECK(world.queue().empty());
    const auto mail = world.mail_of("jo");
    REQUIRE(mail.size() == 1);
    CHECK(mail[0].starts_with("Return-Path: <a@b.test>\r\nDelivered-To: jo@example.test\r\n"
                              "Received: by mail.example.test\r\nFrom: <a@b.test>\r\n"));
}

TEST_CASE("mail for a full mailbox waits, and is filed when there is room") {
    DeliveryWorld world;
    const auto jo = world.people.make_account("jo@example.test", "secret");
    set_quota(world, jo, {10, 0});
    world.submit("a@b.test", {"jo@example.test"});
    world.pass(1s);
    const auto queued = world.queue();
    REQUIRE(queued.size() == 1);
    CHECK(queued[0].recipients[0].status == "4.2.2");
    set_quota(world, jo, {});
    world.pass(10min);
    CHECK(world.queue().empty());
    CHECK(world.mail_of("jo").size() == 1);
}

TEST_CASE("an account that is gone by then is returned, a success is reported where it is wished") {
    DeliveryWorld world;
    world.people.make_account("jo@example.test", "secret");
    world.people.make_account("kim@example.test", "secret");
    world.submit("jo@example.test", {"kim@example.test"},
                 [](auto& incoming) { incoming.recipients[0].account = store::AccountId{4711}; });
    world.pass(1min);
    auto mail = world.mail_of("jo");
    REQUIRE(mail.size() == 1);
    CHECK(has(mail[0], "Status: 5.1.1"));
    world.submit("jo@example.test", {"kim@example.test"}, [](auto& incoming) {
        incoming.recipients[0].notify = queue::Notify{true, true, false};
    });
    world.pass(1min);
    mail = world.mail_of("jo");
    REQUIRE(mail.size() == 2);
    CHECK(has(mail[1], "Action: delivered"));
    CHECK(has(mail[1], "Status: 2.0.0"));
    CHECK(world.mail_of("kim").size() == 1);
    CHECK(world.queue().empty());
}
