#include "libmailcore/accounts/directory.h"

#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"

using namespace mailcore;
using namespace mailcore::accounts;
using test::People;

namespace {

std::string told(const Lookup& found) {
    if (const auto* to = std::get_if<ToAccount>(&found))
        return to->address.to_string() + (to->detail.empty() ? "" : " [" + to->detail + "]");
    if (const auto* to = std::get_if<ToAddresses>(&found)) {
        std::string text = to->catch_all ? "all:" : "->";
        for (const auto& target : to->targets) text += " " + target.to_string();
        return text;
    }
    if (std::holds_alternative<ToRemote>(found)) return "remote";
    if (std::holds_alternative<ToDisabled>(found)) return "disabled";
    return "nobody";
}

} // namespace

TEST_CASE("addresses are read, compared and written") {
    struct Case {
        const char* name;
        std::string_view text;
        std::string_view written; // empty: no address
    };
    const std::string local64(64, 'a');
    const std::string at64 = local64 + "@x.test";
    const std::string at65 = "a" + at64;
    const Case cases[] = {
        {"plain", "Alice@Example.TEST", "Alice@example.test"},
        {"quoted for nothing", "\"alice\"@x.test", "alice@x.test"},
        {"quoted for a reason", "\"a b\\\"c\"@x.test", "\"a b\\\"c\"@x.test"},
        {"an at sign in quotes", "\"a@b\"@x.test", "\"a@b\"@x.test"},
        {"U-labels",
         "j\xC3\xBCrgen@b\xC3\xBC"
         "cher.test",
         "j\xC3\xBCrgen@xn--bcher-kva.test"},
        {"64 octets", at64, at64},
        {"65 octets", at65, ""},
        {"no at sign", "alice", ""},
        {"no local part", "@x.test", ""},
        {"no domain", "alice@", ""},
        {"dots at the ends", ".alice@x.test", ""},
        {"two dots", "a..b@x.test", ""},
        {"a space", "a b@x.test", ""},
        {"a quote that does not end", "\"alice@x.test", ""},
        {"not UTF-8", "al\xFF@x.test", ""},
        {"a control character", "\"a\x01\"@x.test", ""},
    };
    for (const auto& c : cases) {
        INFO(c.name);
        const auto address = Address::parse(c.text);
        CHECK(address.has_value() == !c.written.empty());
        if (address) CHECK(address->to_string() == c.written);
    }
    CHECK(local_part_key("J\xC3\x9CRGEN") == local_part_key("ju\xCC\x88rgen"));
    CHECK(local_part_key("alice") != local_part_key("bob"));
}

TEST_CASE(
    "an address leads to its account, whatever its case, its detail and its domain's aliases") {
    People people;
    people.make_account("Alice@example.test", "", {"a.smith@example.test"});
    people.make_alias("sales@example.test", {"alice@example.test", "out@remote.test"});
    Domain other;
    other.name = "alias.test";
    other.alias_of = people.domain;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return add_domain(txn, other); }));
    struct Case {
        const char* address;
        const char* leads_to;
    };
    const Case cases[] = {
        {"alice@example.test", "Alice@example.test"},
        {"ALICE@EXAMPLE.TEST", "Alice@example.test"},
        {"a.smith@example.test", "Alice@example.test"},
        {"alice+Lists@example.test", "Alice@example.test [Lists]"},
        {"alice+a+b@example.test", "Alice@example.test [a+b]"},
        {"alice+@example.test", "Alice@example.test"},
        {"+x@example.test", "nobody"},
        {"alice-x@example.test", "nobody"},
        {"alice@alias.test", "Alice@example.test"},
        {"sales@example.test", "-> alice@example.test out@remote.test"},
        {"sales+x@alias.test", "-> alice@example.test out@remote.test"},
        {"bob@example.test", "nobody"},
        {"bob@elsewhere.test", "remote"},
        {"bob@sub.example.test", "remote"},
        {"postmaster@example.test", "-> Alice@example.test"},
        {"PostMaster@alias.test", "-> Alice@example.test"},
        {"postmaster@elsewhere.test", "remote"},
    };
    for (const auto& c : cases) {
        INFO(c.address);
        CHECK(told(people.lookup(c.address)) == c.leads_to);
    }
    Address bare;
    bare.local = "Postmaster";
    CHECK(told(people.run(people.directory().lookup(bare)).value()) == "-> Alice@example.test");
    CHECK(people.run(people.directory().is_local("ALIAS.test")).value());
    CHECK_FALSE(people.run(people.directory().is_local("other.test")).value());
}

TEST_CASE("a domain says what divides details, who gets the rest, and whether it takes mail") {
    People people;
    const auto id = people.make_account("alice@example.test");
    auto domain =
        people.read([&](store::ReadTransaction& txn) { return read_domain(txn, people.domain); })
            .value();
    const auto set = [&] {
        return people.write([&](store::WriteTransaction& txn) { return set_domain(txn, domain); });
    };
    domain.detail_separators = "-=";
    domain.catch_all = "alice@example.test";
    REQUIRE(set());
    CHECK(told(people.lookup("alice-a=b@example.test")) == "alice@example.test [a=b]");
    CHECK(told(people.lookup("alice+x@example.test")) == "all: alice@example.test");
    domain.detail_separators.clear();
    domain.catch_all.clear();
    REQUIRE(set());
    CHECK(told(people.lookup("alice-x@example.test")) == "nobody");

    domain.detail_folder = DetailFolder::IfExists;
    domain.detail_separators = "+";
    REQUIRE(set());
    CHECK(std::get<ToAccount>(people.lookup("alice+x@example.test")).detail_folder ==
          DetailFolder::IfExists);
    auto account = people.run(people.directory().account(id)).value();
    account.detail_folder = DetailFolder::Ignored;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_account(txn, account); }));
    CHECK(std::get<ToAccount>(people.lookup("alice+x@example.test")).detail_folder ==
          DetailFolder::Ignored);

    account.status = AccountStatus::Frozen;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_account(txn, account); }));
    CHECK(told(people.lookup("alice@example.test")) == "alice@example.test");
    account.status = AccountStatus::Disabled;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_account(txn, account); }));
    CHECK(told(people.lookup("alice@example.test")) == "disabled");
    domain.disabled = true;
    REQUIRE(set());
    CHECK(told(people.lookup("nobody@example.test")) == "disabled");

    domain.catch_all = "no address";
    CHECK(set().error().kind == ErrorKind::Rejected);
    domain.catch_all.clear();
    domain.detail_separators = "@";
    CHECK(set().error().kind == ErrorKind::Rejected);
}

TEST_CASE("an address belongs to one") {
    People people;
    const auto alice = people.make_account("alice@example.test");
    const auto bob = people.make_account("bob@example.test");
    const auto parse = [](const char* text) { return Address::parse(text).value(); };
    const auto add = [&](AccountId id, const char* text) {
        return people.write(
            [&](store::WriteTransaction& txn) { return add_address(txn, id, parse(text)); });
    };
    CHECK(add(alice, "BOB@example.test").error().kind == ErrorKind::Conflict);
    CHECK(add(alice, "alice@elsewhere.test").error().kind == ErrorKind::NotFound);
    REQUIRE(add(alice, "al@example.test"));
    people.make_alias("team@example.test", {"al@example.test"});
    CHECK(add(bob, "team@example.test").error().kind == ErrorKind::Conflict);
    Alias alias;
    alias.address = parse("bob@example.test");
    alias.targets.push_back(parse("x@y.test"));
    CHECK(people.write([&](store::WriteTransaction& txn) { return set_alias(txn, alias); })
              .error()
              .kind == ErrorKind::Conflict);
    const auto first = parse("AL@example.test");
    REQUIRE(people.write(
        [&](store::WriteTransaction& txn) { return set_first_address(txn, alice, first); }));
    CHECK(told(people.lookup("alice@example.test")) == "al@example.test");
    const auto kept = people.write(
        [&](store::WriteTransaction& txn) { return remove_address(txn, alice, first); });
    CHECK(kept.error().kind == ErrorKind::Rejected);
    const auto old = parse("alice@example.test");
    REQUIRE(people.write(
        [&](store::WriteTransaction& txn) { return remove_address(txn, alice, old); }));
    CHECK(told(people.lookup("alice@example.test")) == "nobody");
    CHECK(people
              .read([&](store::ReadTransaction& txn) {
                  return list_aliases(txn, people.domain, "", 10);
              })
              ->size() == 1);
    CHECK(people
              .read([](store::ReadTransaction& txn) { return list_accounts(txn, AccountId{}, 10); })
              ->size() == 2);
    CHECK(people.read([&](store::ReadTransaction& txn) { return list_accounts(txn, alice, 10); })
              ->size() == 1);
}

TEST_CASE("a removed account is gone at once and its mail little by little") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    CHECK(
        people
            .write([&](store::WriteTransaction& txn) { return remove_domain(txn, people.domain); })
            .error()
            .kind == ErrorKind::Conflict);
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return remove_account(txn, id); }));
    CHECK(told(people.lookup("alice@example.test")) == "nobody");
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Denied);
    int rounds = 0;
    for (bool more = true; more; ++rounds)
        more = people.write([](store::WriteTransaction& txn) { return reclaim_accounts(txn, 5); })
                   .value();
    CHECK(rounds > 1);
    CHECK(people.read([&](store::ReadTransaction& txn) { return store::account_state(txn, id); })
              .error()
              .kind == ErrorKind::NotFound);
    REQUIRE(people.write(
        [&](store::WriteTransaction& txn) { return remove_domain(txn, people.domain); }));
    CHECK(told(people.lookup("alice@example.test")) == "remote");
    // Another account of that name is another account.
    people.make_domain("example.test");
    CHECK(people.make_account("alice@example.test") != id);
}

TEST_CASE("aliases are followed to their ends, each once, and loops end") {
    People people;
    const auto alice = people.make_account("alice@example.test");
    people.make_account("bob@example.test");
    people.make_alias("all@example.test",
                      {"alice@example.test", "bob+all@example.test", "team@example.test",
                       "ALICE@example.test", "gone@example.test", "x@remote.test"});
    people.make_alias("team@example.test", {"all@example.test", "x@remote.test", "y@remote.test"});
    const auto all =
        people.run(expand(people.directory(), Address::parse("all@example.test").value())).value();
    REQUIRE(all.local.size() == 2);
    CHECK(all.local[0].account == alice);
    CHECK(all.local[1].detail == "all");
    CHECK(all.remote.size() == 2);
    REQUIRE(all.unknown.size() == 1);
    CHECK(all.unknown[0].to_string() == "gone@example.test");
    CHECK_FALSE(all.cut);

    std::string last = "alice@example.test";
    for (int n = 0; n < 12; ++n) {
        const auto name = "deep" + std::to_string(n) + "@example.test";
        people.make_alias(name, {last});
        last = name;
    }
    const auto deep = people.run(expand(people.directory(), Address::parse(last).value())).value();
    CHECK(deep.cut);
    CHECK(deep.local.empty());
    const auto near =
        people.run(expand(people.directory(), Address::parse("deep9@example.test").value()))
            .value();
    CHECK_FALSE(near.cut);
    CHECK(near.local.size() == 1);
}

TEST_CASE("who may send as an address is who gets its mail") {
    People people;
    const auto alice = people.make_account("alice@example.test");
    const auto bob = people.make_account("bob@example.test");
    people.make_alias("sales@example.test", {"bob@example.test", "x@remote.test"});
    auto domain =
        people.read([&](store::ReadTransaction& txn) { return read_domain(txn, people.domain); })
            .value();
    domain.catch_all = "alice@example.test";
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_domain(txn, domain); }));
    const auto may = [&](AccountId id, const char* text) {
        return people.run(people.directory().may_send_as(id, Address::parse(text).value())).value();
    };
    CHECK(may(alice, "Alice+x@example.test"));
    CHECK_FALSE(may(alice, "bob@example.test"));
    CHECK(may(bob, "sales@example.test"));
    CHECK_FALSE(may(alice, "sales@example.test"));
    CHECK_FALSE(may(alice, "ceo@example.test"));
    CHECK_FALSE(may(alice, "alice@elsewhere.test"));
}
