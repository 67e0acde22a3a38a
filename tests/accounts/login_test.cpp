#include "libmailcore/accounts/store_directory.h"

#include "tests/accounts/accounts_fixture.h"
#include "tests/catch.h"

#include <thread>

using namespace mailcore;
using namespace mailcore::accounts;
using namespace std::chrono_literals;
using test::People;

namespace {

/// Lets offloaded work wait until the test lets it go.
class HeldPool final : public Scheduler {
  public:
    explicit HeldPool(sim::VirtualScheduler& inner) : inner_(inner) {}
    [[nodiscard]] Instant now() const override { return inner_.now(); }
    [[nodiscard]] WallTime wall_now() const override { return inner_.wall_now(); }
    void post(Work work) override { inner_.post(std::move(work)); }
    TimerId start_timer(Instant at, Work work) override {
        return inner_.start_timer(at, std::move(work));
    }
    void cancel_timer(TimerId timer) override { inner_.cancel_timer(timer); }
    void offload(Work work) override { held.push_back(std::move(work)); }
    void let_go() {
        auto work = std::move(held.front());
        held.erase(held.begin());
        work();
    }
    std::vector<Work> held;

  private:
    sim::VirtualScheduler& inner_;
};

Task<void> one(HashingQueue& queue, int number, std::vector<std::string>& out) {
    auto answer = co_await queue.run([number] { return number; });
    out.push_back(answer ? std::to_string(*answer) : "full");
}

} // namespace

TEST_CASE("a right password opens, and anything else is refused alike") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse", {"al@example.test"});
    const auto good = people.authenticate("alice@example.test", "correct horse");
    CHECK(good.outcome == LoginOutcome::Accepted);
    CHECK(good.account == id);
    CHECK(good.address.to_string() == "alice@example.test");
    CHECK(good.rights == store::Rights::all());
    CHECK(people.authenticate("ALICE", "correct horse").outcome == LoginOutcome::Accepted);
    CHECK(people.authenticate("al@example.test", "correct horse").outcome ==
          LoginOutcome::Accepted);
    for (const auto* user : {"alice@example.test", "bob@example.test", "alice@elsewhere.test", "",
                             "@", "alice+x", "\xFF@example.test"}) {
        INFO(user);
        const auto answer = people.authenticate(user, "wrong horse", "192.0.2.7");
        CHECK(answer.outcome == LoginOutcome::Denied);
        CHECK(answer.account.value == 0);
    }
    CHECK(people.authenticate("alice", "").outcome == LoginOutcome::Denied);
    CHECK(people.authenticate("alice", "Correct horse").outcome == LoginOutcome::Denied);
}

TEST_CASE("passwords are compared as people type them") {
    People people;
    people.make_account("alice@example.test", "p\xC3\xA4ssw\xC3\xB6rter");
    CHECK(people.authenticate("alice", "pa\xCC\x88sswo\xCC\x88rter").outcome ==
          LoginOutcome::Accepted);
}

TEST_CASE(
    "an account without a password, frozen, disabled, or of a disabled domain lets nobody in") {
    People people;
    people.make_account("none@example.test");
    CHECK(people.authenticate("none", "").outcome == LoginOutcome::Denied);
    const auto id = people.make_account("alice@example.test", "correct horse");
    const auto version = people.authenticate("alice", "correct horse").credential_version;
    CHECK(people.run(people.directory().still_valid(id, version)).value());
    auto account = people.run(people.directory().account(id)).value();
    for (const auto status : {AccountStatus::Frozen, AccountStatus::Disabled}) {
        account.status = status;
        REQUIRE(
            people.write([&](store::WriteTransaction& txn) { return set_account(txn, account); }));
        // Remembered or not.
        CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Denied);
        CHECK_FALSE(people.run(people.directory().still_valid(id, version)).value());
    }
    account.status = AccountStatus::Active;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_account(txn, account); }));
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Accepted);
    auto domain =
        people.read([&](store::ReadTransaction& txn) { return read_domain(txn, people.domain); })
            .value();
    domain.disabled = true;
    REQUIRE(people.write([&](store::WriteTransaction& txn) { return set_domain(txn, domain); }));
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Denied);
}

TEST_CASE("a right password is remembered, a wrong one never, and a changed one is forgotten") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    CHECK(people.authenticate("alice", "wrong horse").outcome == LoginOutcome::Denied);
    CHECK(people.directory().cached_logins() == 0);
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Accepted);
    CHECK(people.directory().cached_logins() == 1);
    const auto version = people.authenticate("alice", "correct horse").credential_version;
    REQUIRE(people.run(people.directory().set_password(id, Secret("another horse"))));
    CHECK(people.directory().cached_logins() == 0);
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Denied);
    CHECK(people.authenticate("alice", "another horse").outcome == LoginOutcome::Accepted);
    CHECK_FALSE(people.run(people.directory().still_valid(id, version)).value());
    const auto bad = [&](std::string password) {
        return people.run(people.directory().set_password(id, Secret(std::move(password))))
            .error()
            .kind;
    };
    CHECK(bad("1234567") == ErrorKind::Rejected);
    CHECK(bad(std::string(1'025, 'x')) == ErrorKind::Rejected);
    CHECK(bad("with\x07"
              "bell!") == ErrorKind::Rejected);
}

TEST_CASE("the login cache forgets by time, by number and by account") {
    base::SystemRandom random;
    LoginCacheOptions options;
    options.entries_max = 3;
    LoginCache cache(random, options);
    const Instant now{1h};
    const Secret password("p");
    cache.add(AccountId{1}, 1, password, now);
    CHECK(cache.contains(AccountId{1}, 1, password, now + 299s));
    CHECK_FALSE(cache.contains(AccountId{1}, 2, password, now));
    CHECK_FALSE(cache.contains(AccountId{2}, 1, password, now));
    CHECK_FALSE(cache.contains(AccountId{1}, 1, Secret("q"), now));
    // Using it does not prolong it.
    cache.add(AccountId{1}, 1, password, now + 200s);
    CHECK_FALSE(cache.contains(AccountId{1}, 1, password, now + 300s));
    for (std::uint64_t n = 1; n <= 5; ++n) cache.add(AccountId{n}, 1, password, now);
    CHECK(cache.size() == 3);
    CHECK_FALSE(cache.contains(AccountId{2}, 1, password, now));
    cache.drop(AccountId{4});
    CHECK_FALSE(cache.contains(AccountId{4}, 1, password, now));
    CHECK(cache.size() == 2);
    LoginCache other(random, options);
    CHECK_FALSE(other.contains(AccountId{5}, 1, password, now));
}

TEST_CASE("an unknown user costs what a wrong password does") {
    People people;
    people.make_account("alice@example.test", "correct horse");
    const base::SystemClock clock;
    // The same steps: one hash each, none from the cache, and the same delays.
    const auto elapsed = [&](const char* user, const char* peer) {
        const auto before = people.scheduler().now();
        for (int n = 0; n < 6; ++n)
            CHECK(people.authenticate(user, "wrong horse", peer).outcome == LoginOutcome::Denied);
        return people.scheduler().now() - before;
    };
    const auto known = elapsed("alice", "192.0.2.1");
    const auto unknown = elapsed("bob", "192.0.2.2");
    CHECK(known == unknown);
    CHECK(known > 1s);
}

TEST_CASE("failures of one user make the next wait longer, and too many are refused") {
    LoginGuard guard;
    const auto peer = IpAddress::parse("192.0.2.1").value();
    const auto home = IpAddress::parse("198.51.100.1").value();
    Instant now{1h};
    guard.succeeded("alice", home, now);
    for (int n = 0; n < 3; ++n) {
        CHECK(guard.admit("alice", peer, now).at == now);
        guard.failed("alice", peer, now);
    }
    CHECK(guard.admit("alice", peer, now).at == now);
    guard.failed("alice", peer, now);
    CHECK(guard.admit("alice", peer, now).at == now + 1s);
    // Who comes meanwhile queues behind, and then no more.
    CHECK(guard.admit("alice", peer, now).at == now + 2s);
    guard.failed("alice", peer, now + 1s);
    for (int n = 0; n < 20; ++n) static_cast<void>(guard.admit("alice", peer, now));
    CHECK(guard.admit("alice", peer, now).refused);
    // The user himself, from where he got in before, and others, do not notice.
    CHECK_FALSE(guard.admit("alice", home, now).refused);
    CHECK(guard.admit("alice", home, now).at == now);
    CHECK(guard.admit("bob", peer, now).at == now);
    now += 16min;
    CHECK(guard.admit("alice", peer, now).at == now);
}

TEST_CASE("an address from which too many logins fail is refused for a while") {
    LoginGuardOptions options;
    LoginGuard guard(options);
    Instant now{1h};
    const auto admitted = [&](const char* peer) {
        return !guard.admit("someone", IpAddress::parse(peer).value(), now).refused;
    };
    const auto fail = [&](const char* peer, unsigned times) {
        for (unsigned n = 0; n < times; ++n)
            guard.failed("user" + std::to_string(n), IpAddress::parse(peer).value(), now);
    };
    fail("192.0.2.1", options.address_failures_max - 1);
    CHECK(admitted("192.0.2.1"));
    fail("192.0.2.1", 1);
    CHECK_FALSE(admitted("192.0.2.1"));
    CHECK(admitted("192.0.2.2"));
    fail("2001:db8::1", options.address_failures_max);
    CHECK_FALSE(admitted("2001:db8::ffff:1"));
    CHECK(admitted("2001:db8:0:1::1"));
    fail("127.0.0.1", options.address_failures_max);
    CHECK(admitted("127.0.0.1"));
    now += options.failure_memory;
    CHECK(admitted("192.0.2.1"));
}

TEST_CASE("the tables of failures are bounded") {
    LoginGuardOptions options;
    options.entries_max = 100;
    LoginGuard guard(options);
    const Instant now{1h};
    for (unsigned n = 0; n < 5'000; ++n) {
        const auto peer =
            IpAddress::v4({10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
        guard.failed("user" + std::to_string(n), peer, now);
        guard.succeeded("other" + std::to_string(n), peer, now);
    }
    CHECK(guard.counts().users <= 100);
    CHECK(guard.counts().addresses <= 100);
    CHECK(guard.counts().known <= 100);
}

TEST_CASE("a throttled login is not looked at, and others go on") {
    auto options = People::cheap();
    options.guard.address_failures_max = 3;
    People people(options);
    people.make_account("alice@example.test", "correct horse");
    for (int n = 0; n < 3; ++n) people.authenticate("alice", "wrong");
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Throttled);
    CHECK(people.authenticate("alice", "correct horse", "198.51.100.9").outcome ==
          LoginOutcome::Accepted);
    // What is remembered opens even there: it is no guess.
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Accepted);
}

TEST_CASE("at most two hashes run at once, in order, and a full queue says so") {
    sim::VirtualScheduler inner;
    HeldPool pool(inner);
    HashingQueueOptions options;
    options.waiting_max = 2;
    HashingQueue queue(options);
    std::vector<std::string> out;
    Scope scope(pool);
    for (int n = 1; n <= 5; ++n) scope.spawn(one(queue, n, out));
    CHECK(pool.held.size() == 2);
    CHECK(queue.waiting() == 2);
    CHECK(out == std::vector<std::string>{"full"});
    for (int n = 0; n < 4; ++n) {
        CHECK(pool.held.size() <= 2);
        pool.let_go();
        inner.run_ready();
    }
    CHECK(out == std::vector<std::string>{"full", "1", "2", "3", "4"});
    SECTION("and a cancelled caller leaves no hole") {
        for (int n = 1; n <= 3; ++n) scope.spawn(one(queue, n, out));
        scope.cancel();
        while (!pool.held.empty()) pool.let_go();
        inner.run_ready();
        CHECK(out.size() == 5);
        scope.spawn(one(queue, 9, out));
        pool.let_go();
        inner.run_ready();
        CHECK(out.back() == "9");
    }
}

TEST_CASE("app passwords open with their own rights until they are revoked") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    auto made =
        people.run(people.directory().make_app_password(id, "phone", store::Rights::reading()));
    REQUIRE(made);
    const std::string text(made->reveal());
    CHECK(text.size() == 24);
    const auto answer = people.authenticate("alice", text);
    CHECK(answer.outcome == LoginOutcome::Accepted);
    CHECK(answer.rights == store::Rights::reading());
    CHECK(answer.app_password != 0);
    std::string typed;
    for (const char c : text) typed += c == '-' ? ' ' : c;
    CHECK(people.authenticate("alice", typed).outcome == LoginOutcome::Accepted);
    CHECK(people.authenticate("alice", "correct horse").rights == store::Rights::all());
    CHECK(people.authenticate("alice", text.substr(1)).outcome == LoginOutcome::Denied);
    const auto listed =
        people.read([&](store::ReadTransaction& txn) { return list_app_passwords(txn, id); })
            .value();
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].label == "phone");
    CHECK(people.run(people.directory().still_valid(id, answer.credential_version)).value());
    REQUIRE(people.run(people.directory().revoke_app_password(id, listed[0].id)));
    CHECK_FALSE(people.run(people.directory().still_valid(id, answer.credential_version)).value());
    CHECK(people.authenticate("alice", text).outcome == LoginOutcome::Denied);
    CHECK(people.authenticate("alice", "correct horse").outcome == LoginOutcome::Accepted);
    CHECK(people.run(people.directory().revoke_app_password(id, 1)).error().kind ==
          ErrorKind::NotFound);
    for (std::size_t n = 0; n < app_passwords_max; ++n)
        REQUIRE(people.run(people.directory().make_app_password(id, "x", store::Rights::all())));
    CHECK(people.run(people.directory().make_app_password(id, "x", store::Rights::all()))
              .error()
              .kind == ErrorKind::LimitExceeded);
}

TEST_CASE("a password hashed too cheaply is hashed anew when it is used") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    auto stronger = People::cheap();
    stronger.password_cost.passes = 2;
    base::SystemRandom random;
    StoreDirectory later(people.store(), random, stronger);
    const auto hash = [&] {
        return people.read([&](store::ReadTransaction& txn) { return read_credentials(txn, id); })
            .value();
    };
    const auto before = hash();
    CHECK(people.run(later.authenticate(people.login("alice", "correct horse"))).value().outcome ==
          LoginOutcome::Accepted);
    CHECK(hash().password_hash != before.password_hash);
    CHECK(hash().password_hash.find("t=2") != std::string::npos);
    CHECK(hash().version == before.version);
    CHECK(people.run(later.authenticate(people.login("alice", "correct horse"))).value().outcome ==
          LoginOutcome::Accepted);
}

TEST_CASE("keys of a kind of SCRAM that is switched on are made at the next login") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    auto wanted = People::cheap();
    wanted.scram = {sasl::ScramHash::Sha256, sasl::ScramHash::Sha1};
    base::SystemRandom random;
    StoreDirectory later(people.store(), random, wanted);
    const auto kept = [&] {
        return people.read([&](store::ReadTransaction& txn) { return read_credentials(txn, id); })
            .value();
    };
    const auto before = kept();
    CHECK(before.scram_keys(sasl::ScramHash::Sha256));
    CHECK_FALSE(before.scram_keys(sasl::ScramHash::Sha1));
    const auto login = people.login("alice", "correct horse");
    CHECK(people.run(later.begin_scram(login, sasl::ScramHash::Sha1)).value().account.value == 0);
    CHECK(people.run(later.authenticate(login)).value().outcome == LoginOutcome::Accepted);
    CHECK(kept().version == before.version);
    for (const auto hash : {sasl::ScramHash::Sha256, sasl::ScramHash::Sha1}) {
        const auto begun = people.run(later.begin_scram(login, hash)).value();
        CHECK(begun.account == id);
        CHECK(begun.keys.hash == hash);
        CHECK(sasl::is_scram_password(begun.keys, Secret("correct horse")));
    }
}

TEST_CASE("who has proved himself otherwise is admitted like any login") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    const auto admit = [&](const char* user) {
        return people.run(people.directory().admit(people.login(user, ""))).value();
    };
    const auto answer = admit("Alice@example.test");
    CHECK(answer.outcome == LoginOutcome::Accepted);
    CHECK(answer.account == id);
    CHECK(admit("bob@example.test").outcome == LoginOutcome::Denied);
}

TEST_CASE("SCRAM gets the keys of who exists and the end counts like any login") {
    People people;
    const auto id = people.make_account("alice@example.test", "correct horse");
    const char* peer = "192.0.2.1";
    const auto begin = [&](const char* user) {
        return people
            .run(people.directory().begin_scram(people.login(user, "", peer),
                                                sasl::ScramHash::Sha256))
            .value();
    };
    const auto end = [&](const char* user, ScramLogin begun, LoginOutcome proof) {
        return people
            .run(
                people.directory().end_scram(people.login(user, "", peer), std::move(begun), proof))
            .value();
    };
    auto begun = begin("alice");
    CHECK(begun.outcome == LoginOutcome::Accepted);
    CHECK(begun.account == id);
    CHECK(sasl::is_scram_password(begun.keys, Secret("correct horse")));
    CHECK(end("alice", begun, LoginOutcome::Accepted).outcome == LoginOutcome::Accepted);
    CHECK(end("alice", begun, LoginOutcome::Denied).outcome == LoginOutcome::Denied);
    const auto nobody = begin("bob");
    CHECK(nobody.outcome == LoginOutcome::Accepted);
    CHECK(nobody.account.value == 0);
    CHECK(end("bob", nobody, LoginOutcome::Accepted).outcome == LoginOutcome::Denied);
    // The password changed between begin and end.
    REQUIRE(people.run(people.directory().set_password(id, Secret("another horse"))));
    CHECK(end("alice", begun, LoginOutcome::Accepted).outcome == LoginOutcome::Denied);
    // Wrong proofs from elsewhere make the next wait.
    peer = "192.0.2.2";
    for (int n = 0; n < 5; ++n) end("alice", begin("alice"), LoginOutcome::Denied);
    const auto before = people.scheduler().now();
    begin("alice");
    CHECK(people.scheduler().now() - before >= 1s);
}

TEST_CASE("several threads may log in, change passwords and look addresses up at once") {
    base::SystemClock clock;
    base::SystemRandom random;
    store::MemoryStore store(clock);
    StoreDirectory directory(store, random, People::cheap());
    sim::VirtualScheduler setup;
    const auto run = [](sim::VirtualScheduler& scheduler, auto task) {
        using T = decltype(task);
        std::optional<int> done;
        Scope scope(scheduler);
        const auto wait = [](T inner, std::optional<int>& mark) -> Task<void> {
            auto answer = co_await std::move(inner);
            mark = answer ? 1 : 0;
        };
        scope.spawn(wait(std::move(task), done));
        while (!done)
            if (scheduler.run_ready() == 0 && !scheduler.step()) std::this_thread::yield();
        return *done;
    };
    Domain domain;
    domain.name = "example.test";
    REQUIRE(run(setup, store.write([&](store::WriteTransaction& txn) {
                return add_domain(txn, domain);
            })) == 1);
    std::vector<AccountId> ids;
    for (int n = 0; n < 4; ++n) {
        Account account;
        account.address = Address::of("user" + std::to_string(n), "example.test").value();
        REQUIRE(run(setup,
                    store.write([&](store::WriteTransaction& txn) -> store::TxnTask<Result<void>> {
                        const auto id = co_await add_account(txn, account, store::QuotaLimits{});
                        if (!id) co_return std::unexpected(id.error());
                        ids.push_back(*id);
                        co_return Result<void>{};
                    })) == 1);
    }
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int n = 0; n < 4; ++n)
        threads.emplace_back([&, n] {
            sim::VirtualScheduler own;
            for (int round = 0; round < 20; ++round) {
                if (run(own, directory.set_password(ids[static_cast<std::size_t>(n)],
                                                    Secret("password " + std::to_string(round)))) !=
                    1)
                    ++failures;
                Login login;
                login.user = "user" + std::to_string(n);
                login.password = Secret("password " + std::to_string(round));
                if (run(own, directory.authenticate(login)) != 1) ++failures;
                if (run(own, directory.lookup(Address::of(login.user, "example.test").value())) !=
                    1)
                    ++failures;
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(failures == 0);
}
