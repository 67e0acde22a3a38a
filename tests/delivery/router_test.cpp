#include "libmailcore/delivery/router.h"

#include "tests/catch.h"
#include "tests/session/mail_world.h"

using namespace mailcore;
using Kind = delivery::Routing::Kind;

TEST_CASE("an address leads to an account, to another host, or nowhere") {
    test::MailWorld world;
    const auto jo = world.people.make_account("jo@example.test", "secret");
    world.people.make_alias("team@example.test", {"jo@example.test", "far@away.test"});
    world.people.make_alias("round@example.test", {"about@example.test"});
    world.people.make_alias("about@example.test", {"round@example.test"});
    struct Case {
        const char* address;
        Kind kind;
        std::size_t recipients;
    };
    static constexpr Case cases[] = {
        {"jo@example.test", Kind::Known, 1},       {"JO@EXAMPLE.TEST", Kind::Known, 1},
        {"jo+lists@example.test", Kind::Known, 1}, {"team@example.test", Kind::Known, 2},
        {"nobody@example.test", Kind::Unknown, 0}, {"u@away.test", Kind::NotLocal, 1},
        {"round@example.test", Kind::Broken, 0},
    };
    for (const auto& c : cases) {
        INFO(c.address);
        const auto routing = world.people.run(world.router.route(c.address));
        REQUIRE(routing);
        CHECK(routing->kind == c.kind);
        CHECK(routing->recipients.size() == c.recipients);
    }
    const auto team = world.people.run(world.router.route("team@example.test")).value();
    CHECK(team.recipients[0].route == queue::Route::Local);
    CHECK(team.recipients[0].account == jo);
    CHECK(team.recipients[1].route == queue::Route::Remote);
    CHECK(team.recipients[1].destination == "away.test");
    const auto wrong = world.people.run(world.router.route("not an address"));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == ErrorKind::Rejected);
}
