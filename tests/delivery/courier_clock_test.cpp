// The queue worked off in virtual time, with a world that answers as the test says.
#include "libmailcore/queue/rows.h"
#include "tests/catch.h"
#include "tests/delivery/delivery_world.h"

#include <algorithm>

using namespace mailcore;
using namespace std::chrono_literals;

namespace {

/// Other hosts answer only once `open_up` has been called; then everything is taken.
struct PostOffice : test::DeliveryWorld {
    void post(const std::string& to) {
        delivery::Outcome nobody;
        nobody.kind = delivery::Outcome::Kind::Deferred;
        nobody.status = "4.4.1";
        nobody.text = "nobody answers";
        transport.closed[to.substr(to.find('@') + 1)] = nobody;
        submit("jo@example.test", {to});
    }
    void open_up() { transport.closed.clear(); }
    std::size_t delivered() {
        return static_cast<std::size_t>(std::ranges::count_if(
            transport.attempts, [](const auto& attempt) { return !attempt.recipients.empty(); }));
    }
    std::size_t queued() {
        return people.read([](store::ReadTransaction& txn) { return queue::count(txn, 1000); })
            .value()
            .messages;
    }
};

} // namespace

TEST_CASE("mail that nobody takes is tried again and goes out when somebody does") {
    PostOffice office;
    office.post("x@example.org");
    CHECK(office.transport.opened == 1);
    office.pass(2h);
    CHECK(office.transport.opened > 3);
    CHECK(office.queued() == 1);
    office.open_up();
    office.pass(5h);
    CHECK(office.delivered() == 1);
    CHECK(office.queued() == 0);
}

TEST_CASE("a clock that is set back by a year delays mail by minutes, also over a restart") {
    for (const bool restarts : {false, true}) {
        INFO("restarts: " << restarts);
        PostOffice office;
        office.post("x@example.org");
        office.pass(1h);
        office.people.scheduler().jump_wall(-24h * 365);
        office.open_up();
        if (restarts) office.restart();
        office.pass(75min);
        CHECK(office.delivered() == 1);
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
    office.open_up();
    office.pass(5h);
    CHECK(office.delivered() == 2);
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
    office.open_up();
    office.pass(6h);
    CHECK(office.delivered() == 20);
    CHECK(office.queued() == 0);
}
