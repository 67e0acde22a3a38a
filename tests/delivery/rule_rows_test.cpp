#include "libmailcore/delivery/rule_rows.h"

#include "libmailcore/delivery/rule_names.h"
#include "libmailcore/dns/zone.h"
#include "libmailcore/store/memory_store.h"
#include "tests/catch.h"
#include "tests/store/store_contract.h"

using namespace mailcore;
using namespace std::chrono_literals;
using test::run;

TEST_CASE("counters and sets of rules are rows that expire") {
    sim::VirtualScheduler scheduler;
    store::MemoryStore store(scheduler);
    delivery::RuleRows rows(store);
    CHECK(*run(scheduler, rows.count("sent", "a", 3600s, 2)) == 2);
    CHECK(*run(scheduler, rows.count("sent", "a", 3600s, 1)) == 3);
    CHECK(*run(scheduler, rows.count("sent", "a", 3600s, 0)) == 3);
    CHECK(*run(scheduler, rows.count("sent", "a", 60s, 0)) == 0);
    CHECK(*run(scheduler, rows.count("sent", "b", 3600s, 1)) == 1);
    CHECK_FALSE(*run(scheduler, rows.contains("seen", "a")));
    CHECK_FALSE(*run(scheduler, rows.insert("seen", "a", 60s)));
    CHECK(*run(scheduler, rows.insert("seen", "a", 60s)));
    CHECK(*run(scheduler, rows.contains("seen", "a")));
    CHECK_FALSE(*run(scheduler, rows.contains("seen", std::string("a\0b", 3))));
    delivery::RuleRows other(store); // of another loop
    CHECK(*run(scheduler, other.contains("seen", "a")));
    CHECK(*run(scheduler, rows.erase("seen", "a")));
    CHECK_FALSE(*run(scheduler, rows.erase("seen", "a")));

    CHECK_FALSE(*run(scheduler, rows.insert("seen", "short", 60s)));
    CHECK_FALSE(*run(scheduler, rows.insert("seen", "long", 24h)));
    scheduler.run_until(scheduler.now() + 3h);
    CHECK_FALSE(*run(scheduler, rows.contains("seen", "short")));
    CHECK(*run(scheduler, rows.count("sent", "a", 3600s, 0)) == 0);
    std::string from;
    std::size_t steps = 0;
    do {
        from = *run(scheduler, delivery::sweep_rule_rows(store, from, 1));
        ++steps;
    } while (!from.empty());
    CHECK(steps >= 4); // a row at a time
    CHECK(*run(scheduler, rows.contains("seen", "long")));
    const auto left =
        run(scheduler,
            store.read([](store::ReadTransaction& txn) -> store::TxnTask<Result<std::size_t>> {
                auto found = co_await txn.range("s", "t", 100);
                co_return found ? found->size() : 0;
            }));
    CHECK(*left == 1);
}

TEST_CASE("rules get DNS records as texts") {
    sim::VirtualScheduler scheduler;
    dns::Zone zone;
    REQUIRE(zone.add("a.test A 192.0.2.1\na.test MX 10 mx.a.test\na.test TXT \"v=spf1\" \" -all\"\n"
                     "1.2.0.192.in-addr.arpa PTR a.test\n"));
    delivery::ResolverNames names(zone);
    struct Case {
        const char* name;
        const char* type;
        std::vector<std::string> texts;
    };
    const Case cases[] = {{"a.test", "A", {"192.0.2.1"}},
                          {"a.test", "mx", {"10 mx.a.test"}},
                          {"a.test", "TXT", {"v=spf1 -all"}},
                          {"1.2.0.192.in-addr.arpa", "PTR", {"a.test"}},
                          {"a.test", "AAAA", {}},
                          {"none.test", "A", {}}};
    for (const auto& c : cases) {
        INFO(c.name << " " << c.type);
        const auto found = run(scheduler, names.lookup(c.name, c.type));
        REQUIRE(found);
        CHECK(*found == c.texts);
    }
    CHECK(run(scheduler, names.lookup("a..test", "A")).error().kind == ErrorKind::Rejected);
    CHECK(run(scheduler, names.lookup("a.test", "ANY")).error().kind == ErrorKind::Rejected);
    const auto broken = *dns::Name::parse("a.test");
    zone.break_name(broken, dns::Zone::Fault::ServFail);
    CHECK(run(scheduler, names.lookup("a.test", "A")).error().kind == ErrorKind::Unavailable);
}
