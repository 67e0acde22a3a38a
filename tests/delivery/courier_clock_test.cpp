// The queue worked off in virtual time, with a world that answers as the test says.
#include "libmailcore/delivery/courier.h"

#include "libmailcore/delivery/router.h"
#include "libmailcore/queue/rows.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace std::chrono_literals;

namespace {

/// Nobody answers until `up`; then everything is taken.
struct World final : delivery::RemoteTransport {
    struct Connection final : delivery::RemoteConnection {
        explicit Connection(World& in) : world(in) {}
        Task<std::vector<delivery::Outcome>>
        send(const queue::Message&, const std::vector<queue::Recipient>& recipients) override {
            world.delivered += recipients.size();
            delivery::Outcome outcome;
            outcome.kind = delivery::Outcome::Kind::Delivered;
            co_return std::vector<delivery::Outcome>(recipients.size(), outcome);
        }
        [[nodiscard]] bool usable() const override { return true; }
        Task<void> close() override { co_return; }
        World& world;
    };
    Task<std::expected<std::unique_ptr<delivery::RemoteConnection>, delivery::Outcome>>
    open(std::string) override {
        ++opened;
        delivery::Outcome outcome;
        outcome.kind = delivery::Outcome::Kind::Deferred;
        outcome.status = "4.4.1";
        outcome.text = "nobody answers";
        if (!up) co_return std::unexpected(outcome);
        std::unique_ptr<delivery::RemoteConnection> made = std::make_unique<Connection>(*this);
        co_return std::move(made);
    }
    bool up = false;
    std::size_t opened = 0;
    std::size_t delivered = 0;
};

struct PostOffice {
    PostOffice()
        : router(people.directory()),
          reporter(people.scheduler(), people.store(), router, {"mail.example.test"}, random),
          local(people.store(), reporter, {}, {}) {
        restart();
    }
    ~PostOffice() { courier->stop(); }
    void restart() {
        if (courier) courier->stop();
        courier =
            std::make_unique<delivery::Courier>(people.scheduler(), people.store(), local, reporter,
                                                world, delivery::CourierOptions{}, random, Log());
        courier->start();
        people.scheduler().run_ready();
    }
    void post(const std::string& to) {
        const auto id =
            people.write([to](store::WriteTransaction& txn) { return add(txn, to); }).value();
        courier->notice(id);
        people.scheduler().run_ready();
    }
    static store::TxnTask<Result<queue::QueueId>> add(store::WriteTransaction& txn,
                                                      std::string to) {
        queue::Message message;
        message.sender = "jo@example.test";
        message.arrived = txn.now();
        queue::Recipient recipient;
        recipient.address = to;
        recipient.destination = to.substr(to.find('@') + 1);
        recipient.next_try = txn.now();
        std::vector<queue::Recipient> list{recipient};
        co_return co_await queue::enqueue(txn, std::move(message), std::move(list));
    }
    void pass(std::chrono::seconds time) {
        people.scheduler().run_until(people.scheduler().now() + time);
    }
    std::size_t queued() {
        return people.read([](store::ReadTransaction& txn) { return queue::count(txn, 1000); })
            .value()
            .messages;
    }

    test::People people;
    base::SystemRandom random;
    World world;
    delivery::Router router;
    delivery::Reporter reporter;
    delivery::LocalDelivery local;
    std::unique_ptr<delivery::Courier> courier; // goes first
};

} // namespace

TEST_CASE("mail that nobody takes is tried again and goes out when somebody does") {
    PostOffice office;
    office.post("x@example.org");
    CHECK(office.world.opened == 1);
    office.pass(2h);
    CHECK(office.world.opened > 3);
    CHECK(office.queued() == 1);
    office.world.up = true;
    office.pass(5h);
    CHECK(office.world.delivered == 1);
    CHECK(office.queued() == 0);
}

TEST_CASE("a clock that is set back by a year delays mail by minutes, also over a restart") {
    for (const bool restarts : {false, true}) {
        INFO("restarts: " << restarts);
        PostOffice office;
        office.post("x@example.org");
        office.pass(1h);
        office.people.scheduler().jump_wall(-24h * 365);
        office.world.up = true;
        if (restarts) office.restart();
        office.pass(75min);
        CHECK(office.world.delivered == 1);
        CHECK(office.queued() == 0);
    }
}

TEST_CASE("a clock that is set forward by a day loses nothing and sends nothing twice") {
    PostOffice office;
    office.post("x@example.org");
    office.post("y@example.net");
    office.pass(10min);
    office.people.scheduler().jump_wall(24h);
    office.pass(5min);
    CHECK(office.queued() == 2);
    office.world.up = true;
    office.pass(5h);
    CHECK(office.world.delivered == 2);
    CHECK(office.queued() == 0);
}

TEST_CASE("a clock that goes to and fro ends with everything delivered once") {
    PostOffice office;
    for (int i = 0; i < 20; ++i) office.post("x@host" + std::to_string(i) + ".example");
    const std::chrono::seconds jumps[] = {3600s, -7200s, 86400s,     -86400s * 30,
                                          60s,   -59s,   86400s * 29};
    for (const auto jump : jumps) {
        office.people.scheduler().jump_wall(jump);
        office.pass(10min);
    }
    CHECK(office.queued() == 20);
    office.world.up = true;
    office.pass(6h);
    CHECK(office.world.delivered == 20);
    CHECK(office.queued() == 0);
}
