#include "tests/catch.h"
#include "tests/session/mail_world.h"
#include "tests/sim/failing_files.h"

using namespace mailcore;
using namespace mailcore::test;

namespace {

delivery::Incoming letter_to(MailWorld& world, const std::vector<std::string>& recipients) {
    const std::string octets = "From: <a@b.test>\r\nSubject: letter\r\n\r\nbody of it\r\n";
    delivery::Incoming incoming;
    incoming.message.sender = "a@b.test";
    incoming.trace_header = "Received: by mail.example.test\r\n";
    const auto writer = world.people.store().new_blob(world.people.scheduler(), octets.size());
    world.people.run(writer->append(octets)).value();
    incoming.blob = world.people.run(writer->finish()).value();
    incoming.structure = std::make_shared<const mime::Structure>(mime::parse(octets));
    for (const auto& recipient : recipients) {
        auto routing = world.people.run(world.router.route(recipient)).value();
        for (auto& each : routing.recipients) incoming.recipients.push_back(std::move(each));
    }
    return incoming;
}

Task<void> accept(delivery::Intake& intake, delivery::Incoming incoming) {
    const auto answer = co_await intake.accept(std::move(incoming));
    FAIL("answered " << answer.has_value() << ", though nobody waits");
}

} // namespace

TEST_CASE("a message for one of ours is accepted and filed in one frame") {
    MailWorld world(StoreKind::Durable);
    world.people.make_account("jo@example.test", "secret");
    auto incoming = letter_to(world, {"jo@example.test"});
    const auto before = world.people.store().status();
    world.people.run(world.intake.accept(std::move(incoming))).value();
    // What is answered with the acceptance is in the mailbox already.
    const auto after = world.people.store().status();
    CHECK(after.batches - before.batches == 1);
    CHECK(after.transactions - before.transactions == 2);
    CHECK(after.syncs - before.syncs == 1);
    CHECK(world.queue().empty());
    CHECK(world.told.empty());
    CHECK(world.mail_of("jo").size() == 1);
}

TEST_CASE("a message whose sender goes while it is being accepted is filed all the same") {
    const auto kind = GENERATE(StoreKind::Memory, StoreKind::Durable);
    MailWorld world(kind);
    world.people.make_account("jo@example.test", "secret");
    world.people.make_account("mo@example.test", "secret");
    auto incoming = letter_to(world, {"jo@example.test", "mo@example.test"});
    {
        Scope session(world.people.scheduler());
        session.spawn(accept(world.intake, std::move(incoming)));
    }
    world.pass(std::chrono::seconds(1));
    CHECK(world.mail_of("jo").size() == 1);
    CHECK(world.mail_of("mo").size() == 1);
    CHECK(world.queue().empty());
    CHECK(world.intake.under_way() == 0);
}

TEST_CASE("a message that is not accepted is not filed, and nobody is told of it") {
    sim::Disk disk;
    sim::FailingFileSystem files(disk);
    MailWorld world(on_disk(disk, &files));
    world.people.make_account("jo@example.test", "secret");
    auto incoming = letter_to(world, {"jo@example.test", "someone@elsewhere.test"});
    files.set_free_octets(0);
    const auto refused = world.people.run(world.intake.accept(std::move(incoming)));
    REQUIRE(!refused);
    CHECK(refused.error().kind == ErrorKind::LimitExceeded);
    world.pass(std::chrono::seconds(1));
    files.set_free_octets(1 << 30);
    CHECK(world.told.empty());
    CHECK(world.queue().empty());
    CHECK(world.mail_of("jo").empty());
}
