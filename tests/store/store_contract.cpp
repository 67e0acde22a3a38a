#include "tests/store/store_contract.h"

#include "tests/catch.h"

#include <atomic>
#include <map>
#include <vector>

using namespace mailcore;
using namespace mailcore::store;

namespace mailcore::test {

namespace {

using Rows = std::vector<Row>;

TxnTask<Result<void>> put_one(WriteTransaction& txn, std::string key, std::string value) {
    txn.put(std::move(key), std::move(value));
    co_return Result<void>{};
}

struct Bench {
    sim::VirtualScheduler scheduler;
    std::unique_ptr<Store> store;
    explicit Bench(const StoreMaker& make) : store(make(scheduler)) {}

    template <class Function>
    auto write(Function function, Urgency urgency = Urgency::Normal) {
        return run(scheduler, store->write(std::move(function), urgency));
    }
    template <class Function>
    auto read(Function function) {
        return run(scheduler, store->read(std::move(function)));
    }
    Result<void> put(std::string key, std::string value) {
        return write([key, value](WriteTransaction& txn) { return put_one(txn, key, value); });
    }
    std::optional<std::string> get(std::string key) {
        auto value =
            read([key](ReadTransaction& txn) -> TxnTask<Result<std::optional<std::string>>> {
                auto found = co_await txn.get(key);
                co_return found;
            });
        REQUIRE(value);
        return *value;
    }
    Rows range(std::string from, std::string to, std::size_t rows_max, Order order) {
        auto rows = read([=](ReadTransaction& txn) -> TxnTask<Result<Rows>> {
            auto found = co_await txn.range(from, to, rows_max, order);
            co_return found;
        });
        REQUIRE(rows);
        return *rows;
    }
    /// Makes a body that `owner` needs.
    BlobId blob(std::string octets, std::string owner) {
        auto handed = run(scheduler, hand_in(*store, scheduler, std::move(octets)));
        REQUIRE(handed);
        auto id = write([body = *handed, owner](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
            const auto blob = txn.add_blob(*body);
            MAILCORE_CO_TRY(txn.refer(blob, owner));
            co_return blob;
        });
        REQUIRE(id);
        return *id;
    }
    Result<bool> refer(BlobId blob, std::string owner) {
        return write([=](WriteTransaction& txn) -> TxnTask<Result<bool>> {
            auto fresh = co_await txn.refer(blob, owner);
            co_return fresh;
        });
    }
    Result<bool> release(BlobId blob, std::string owner) {
        return write([=](WriteTransaction& txn) -> TxnTask<Result<bool>> {
            auto gone = co_await txn.release(blob, owner);
            co_return gone;
        });
    }
};

std::string body_of(std::size_t octets, unsigned seed) {
    std::string body(octets, '\0');
    std::uint32_t state = seed * 2654435761U + 1;
    for (auto& octet : body) {
        state = state * 1664525 + 1013904223;
        octet = static_cast<char>(state >> 24);
    }
    return body;
}

void check_rows(Bench& bench) {
    SECTION("what was written is there, what was not is not") {
        REQUIRE(bench.put("a", "1"));
        REQUIRE(bench.put("b", std::string("\0\xFF", 2)));
        CHECK(bench.get("a") == "1");
        CHECK(bench.get("b") == std::string("\0\xFF", 2));
        CHECK_FALSE(bench.get("c"));
        CHECK_FALSE(bench.get(""));
        REQUIRE(bench.put("a", ""));
        CHECK(bench.get("a") == "");
    }
    SECTION("a transaction reads its own changes, get and range alike") {
        REQUIRE(bench.put("b", "old"));
        REQUIRE(bench.put("d", "old"));
        const auto seen = bench.write([](WriteTransaction& txn) -> TxnTask<Result<Rows>> {
            txn.put("a", "new");
            txn.put("b", "new");
            txn.erase("d");
            txn.put("e", "x");
            txn.erase("e");
            MAILCORE_CO_TRY(const auto b, txn.get("b"));
            MAILCORE_CO_TRY(const auto d, txn.get("d"));
            if (b != "new" || d) co_return fail(ErrorKind::Corrupt, "own changes unseen");
            auto rows = co_await txn.range("", "", 10);
            co_return rows;
        });
        REQUIRE(seen);
        CHECK(*seen == Rows{{"a", "new"}, {"b", "new"}});
        CHECK(bench.range("", "", 10, Order::Ascending) == *seen);
    }
    SECTION("a function that fails changes nothing and its error comes back") {
        REQUIRE(bench.put("a", "1"));
        const auto answer = bench.write([](WriteTransaction& txn) -> TxnTask<Result<int>> {
            txn.put("a", "2");
            txn.put("b", "2");
            txn.announce(AccountId{1}, ModSeq{1}, {});
            co_return fail(ErrorKind::Conflict, "changed meanwhile");
        });
        REQUIRE_FALSE(answer);
        CHECK(answer.error() == Error{ErrorKind::Conflict, "changed meanwhile"});
        CHECK(bench.get("a") == "1");
        CHECK_FALSE(bench.get("b"));
    }
    SECTION("a read function's error comes back") {
        const auto answer = bench.read([](ReadTransaction&) -> TxnTask<Result<int>> {
            co_return fail(ErrorKind::NotFound, "x");
        });
        REQUIRE_FALSE(answer);
        CHECK(answer.error().kind == ErrorKind::NotFound);
    }
    SECTION("a precondition sees what was committed before, so that only one of two may win") {
        REQUIRE(bench.put("seat", "free"));
        const auto take = [](std::string who) {
            return [who](WriteTransaction& txn) -> TxnTask<Result<void>> {
                MAILCORE_CO_TRY(const auto seat, txn.get("seat"));
                if (seat != "free") co_return fail(ErrorKind::Conflict, "taken");
                txn.put("seat", who);
                co_return Result<void>{};
            };
        };
        std::optional<Result<void>> first, second;
        Scope scope(bench.scheduler);
        scope.spawn(keep_answer(bench.store->write(take("one")), first));
        scope.spawn(keep_answer(bench.store->write(take("two")), second));
        while (!first || !second) bench.scheduler.run_ready();
        CHECK((*first).has_value());
        REQUIRE_FALSE((*second).has_value());
        CHECK((*second).error().kind == ErrorKind::Conflict);
        CHECK(bench.get("seat") == "one");
    }
    SECTION("transactions of one turn see each other in order, and one that fails harms no other") {
        std::vector<std::optional<Result<int>>> answers(20);
        Scope scope(bench.scheduler);
        for (int i = 0; i < 20; ++i)
            scope.spawn(
                keep_answer(bench.store->write([i](WriteTransaction& txn) -> TxnTask<Result<int>> {
                    MAILCORE_CO_TRY(const auto count, txn.get("count"));
                    const auto next = count ? static_cast<int>(count->size()) + 1 : 1;
                    txn.put("count", std::string(static_cast<std::size_t>(next), 'x'));
                    txn.put("only " + std::to_string(i), "");
                    if (i % 3 == 1) co_return fail(ErrorKind::Rejected, "no");
                    co_return next;
                }),
                            answers[static_cast<std::size_t>(i)]));
        while (!std::ranges::all_of(answers, [](const auto& a) { return a.has_value(); }))
            bench.scheduler.run_ready();
        int expected = 0;
        for (int i = 0; i < 20; ++i) {
            INFO(i);
            const auto& answer = *answers[static_cast<std::size_t>(i)];
            if (i % 3 == 1) {
                CHECK_FALSE(answer);
                CHECK_FALSE(bench.get("only " + std::to_string(i)));
            } else {
                REQUIRE(answer);
                CHECK(*answer == ++expected);
                CHECK(bench.get("only " + std::to_string(i)));
            }
        }
    }
    SECTION("a caller that goes away does not undo its write") {
        {
            std::optional<Result<void>> answer;
            Scope scope(bench.scheduler);
            scope.spawn(keep_answer(bench.store->write([](WriteTransaction& txn) {
                return put_one(txn, "orphan", "1");
            }),
                                    answer));
        }
        REQUIRE(bench.put("later", "1"));
        CHECK(bench.get("orphan") == "1");
    }
    SECTION("ids are never handed out twice") {
        std::vector<std::uint64_t> ids;
        for (int i = 0; i < 10; ++i) {
            const auto pair = bench.write(
                [](WriteTransaction& txn) -> TxnTask<Result<std::vector<std::uint64_t>>> {
                    std::vector<std::uint64_t> two;
                    two.push_back(txn.next_id());
                    two.push_back(txn.next_id());
                    co_return two;
                });
            REQUIRE(pair);
            ids.insert(ids.end(), pair->begin(), pair->end());
        }
        CHECK(std::ranges::is_sorted(ids));
        CHECK(std::ranges::adjacent_find(ids) == ids.end());
        CHECK(ids.front() > 0);
    }
    SECTION("the engine's own rows do not show") {
        REQUIRE(bench.write([](WriteTransaction& txn) -> TxnTask<Result<void>> {
            txn.put("k", std::to_string(txn.next_id()));
            co_return Result<void>{};
        }));
        bench.blob("body", "k");
        CHECK(bench.range("", "", 100, Order::Ascending).size() == 1);
        CHECK(bench.range("", "", 100, Order::Descending).size() == 1);
    }
    SECTION("the time of day is the same throughout a transaction") {
        const auto same = bench.write([&](WriteTransaction& txn) -> TxnTask<Result<bool>> {
            const auto before = txn.now();
            txn.put("t", "1");
            co_return before == txn.now() && before == bench.scheduler.wall_now();
        });
        REQUIRE(same);
        CHECK(*same);
    }
    SECTION("reclaiming writes are writes") {
        REQUIRE(bench.write([](WriteTransaction& txn) { return put_one(txn, "r", "1"); },
                            Urgency::Reclaim));
        CHECK(bench.get("r") == "1");
    }
}

void check_ranges(Bench& bench) {
    // A model beside the store, changed in several transactions so that engines have to merge.
    std::map<std::string, std::string> model;
    std::uint32_t state = 7;
    const auto next = [&state](std::uint32_t below) {
        state = state * 1664525 + 1013904223;
        return (state >> 8) % below;
    };
    const auto key_of = [](std::uint32_t n) {
        std::string key = "k";
        key += static_cast<char>(n * 5 % 251);
        key += static_cast<char>(n / 8);
        return key;
    };
    const auto expect = [&](const std::string& from, const std::string& to, std::size_t rows_max,
                            Order order) {
        Rows rows;
        auto first = model.lower_bound(from);
        const auto last = to.empty() ? model.end() : model.lower_bound(to);
        if (!to.empty() && to <= from) return rows;
        for (; first != last; ++first) rows.push_back({first->first, first->second});
        if (order == Order::Descending) std::ranges::reverse(rows);
        if (rows.size() > rows_max) rows.resize(rows_max);
        return rows;
    };
    for (int round = 0; round < 12; ++round) {
        std::vector<std::pair<std::string, std::optional<std::string>>> changes;
        for (int i = 0; i < 40; ++i) {
            const auto key = key_of(next(200));
            if (next(3) == 0) {
                changes.emplace_back(key, std::nullopt);
                model.erase(key);
            } else {
                changes.emplace_back(key, std::to_string(round) + "/" + std::to_string(i));
                model[key] = *changes.back().second;
            }
        }
        REQUIRE(bench.write([&](WriteTransaction& txn) -> TxnTask<Result<void>> {
            for (const auto& [key, value] : changes) {
                if (value)
                    txn.put(key, *value);
                else
                    txn.erase(key);
            }
            co_return Result<void>{};
        }));
        for (int i = 0; i < 10; ++i) {
            auto from = key_of(next(220)), to = key_of(next(220));
            if (next(5) == 0) from.clear();
            if (next(5) == 0) to.clear();
            if (next(5) == 0) from += '\0';
            const std::size_t rows_max = next(4) == 0 ? 1000 : next(20);
            const auto order = next(2) == 0 ? Order::Ascending : Order::Descending;
            INFO(round << " " << i);
            CHECK(bench.range(from, to, rows_max, order) == expect(from, to, rows_max, order));
        }
    }
    CHECK(bench.range("", "", 1000, Order::Ascending) == expect("", "", 1000, Order::Ascending));
    CHECK(bench.range("", "", 0, Order::Ascending).empty());
    // The same merge with a transaction's own changes on top.
    const auto own = bench.write([&](WriteTransaction& txn) -> TxnTask<Result<Rows>> {
        for (std::uint32_t n = 0; n < 200; n += 3) txn.erase(key_of(n));
        for (std::uint32_t n = 0; n < 200; n += 7) txn.put(key_of(n), "own");
        auto rows = co_await txn.range("k", "l", 1000, Order::Descending);
        co_return rows;
    });
    for (std::uint32_t n = 0; n < 200; n += 3) model.erase(key_of(n));
    for (std::uint32_t n = 0; n < 200; n += 7) model[key_of(n)] = "own";
    REQUIRE(own);
    CHECK(*own == expect("k", "l", 1000, Order::Descending));
    CHECK(bench.range("k", "l", 1000, Order::Descending) == *own);
}

void check_blobs(Bench& bench) {
    SECTION("bodies of every size come back octet for octet, whole and in part") {
        for (const std::size_t octets :
             {0, 1, 4096, 100'000, 131'072, 131'073, 262'144, 262'145, 700'001}) {
            INFO(octets);
            const auto body = body_of(octets, static_cast<unsigned>(octets));
            const auto id = bench.blob(body, "owner");
            const auto whole = run(bench.scheduler, read_whole(*bench.store, id));
            REQUIRE(whole);
            CHECK((*whole == body));
            for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{octets / 2},
                                               std::uint64_t{octets}, std::uint64_t{octets + 5}}) {
                const auto part = run(bench.scheduler, bench.store->read_blob(id, offset, 1000));
                REQUIRE(part);
                CHECK(
                    (*part ==
                     (offset < octets ? body.substr(static_cast<std::size_t>(offset), 1000) : "")));
            }
        }
    }
    SECTION("a body that is handed in is read before anything names it") {
        for (const std::size_t octets : {0, 1, 100'000, 131'073, 262'145, 700'001}) {
            INFO(octets);
            const auto body = body_of(octets, static_cast<unsigned>(octets));
            const auto handed = run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body));
            REQUIRE(handed);
            for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{octets / 2},
                                               std::uint64_t{octets}, std::uint64_t{octets + 5}}) {
                const auto part =
                    run(bench.scheduler, bench.store->read_new_blob(*handed, offset, 300'000));
                REQUIRE(part);
                CHECK((*part == (offset < octets
                                     ? body.substr(static_cast<std::size_t>(offset), 300'000)
                                     : "")));
            }
        }
    }
    SECTION("compressible bodies come back as they were") {
        std::string body;
        for (int i = 0; i < 40'000; ++i)
            body += "line " + std::to_string(i) + " of a long text\r\n";
        const auto id = bench.blob(body, "owner");
        const auto whole = run(bench.scheduler, read_whole(*bench.store, id));
        REQUIRE(whole);
        CHECK((*whole == body));
        const auto part = run(bench.scheduler, bench.store->read_blob(id, 500'000, 300'000));
        REQUIRE(part);
        CHECK((*part == body.substr(500'000, 300'000)));
    }
    SECTION("the digest depends on the octets, not on the pieces") {
        const auto body = body_of(400'000, 1);
        const auto one = run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body));
        const auto two = run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body, 1021));
        REQUIRE(one);
        REQUIRE(two);
        CHECK((*one)->digest() == (*two)->digest());
        CHECK((*one)->size() == body.size());
    }
    SECTION("a body lives as long as somebody needs it") {
        const auto id = bench.blob("octets", "first");
        CHECK(*bench.refer(id, "second") == true);
        CHECK(*bench.refer(id, "second") == false);
        CHECK(*bench.release(id, "first") == true);
        CHECK(*bench.release(id, "first") == false);
        CHECK(*bench.release(id, "nobody") == false);
        CHECK(*run(bench.scheduler, bench.store->read_blob(id, 0, 10)) == "octets");
        CHECK(*bench.release(id, "second") == true);
        CHECK(run(bench.scheduler, bench.store->read_blob(id, 0, 10)).error().kind ==
              ErrorKind::NotFound);
        CHECK(bench.refer(id, "late").error().kind == ErrorKind::NotFound);
    }
    SECTION("changing owners within a transaction keeps the body") {
        const auto id = bench.blob("octets", "queue");
        REQUIRE(bench.write([id](WriteTransaction& txn) -> TxnTask<Result<void>> {
            MAILCORE_CO_TRY(txn.release(id, "queue"));
            MAILCORE_CO_TRY(txn.refer(id, "mailbox"));
            co_return Result<void>{};
        }));
        CHECK(*run(bench.scheduler, bench.store->read_blob(id, 0, 10)) == "octets");
    }
    SECTION("a body that no owner was named for is gone, and its id is not used again") {
        const auto handed = run(bench.scheduler, hand_in(*bench.store, bench.scheduler, "octets"));
        REQUIRE(handed);
        const auto id =
            bench.write([body = *handed](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                co_return txn.add_blob(*body);
            });
        REQUIRE(id);
        CHECK(run(bench.scheduler, bench.store->read_blob(*id, 0, 10)).error().kind ==
              ErrorKind::NotFound);
        // Handed in is handed in: another transaction may still name it.
        const auto again =
            bench.write([body = *handed](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                const auto blob = txn.add_blob(*body);
                MAILCORE_CO_TRY(txn.refer(blob, "owner"));
                co_return blob;
            });
        REQUIRE(again);
        CHECK(*again > *id);
        CHECK(*run(bench.scheduler, bench.store->read_blob(*again, 0, 10)) == "octets");
    }
    SECTION("a failing transaction leaves a handed-in body usable") {
        for (const std::size_t octets : {10, 300'000}) {
            const auto body = body_of(octets, 3);
            const auto handed = run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body));
            REQUIRE(handed);
            CHECK_FALSE(bench.write([b = *handed](WriteTransaction& txn) -> TxnTask<Result<void>> {
                const auto blob = txn.add_blob(*b);
                MAILCORE_CO_TRY(txn.refer(blob, "x"));
                co_return fail(ErrorKind::Conflict, "no");
            }));
            const auto id =
                bench.write([b = *handed](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                    const auto blob = txn.add_blob(*b);
                    MAILCORE_CO_TRY(txn.refer(blob, "x"));
                    co_return blob;
                });
            REQUIRE(id);
            CHECK((*run(bench.scheduler, read_whole(*bench.store, *id)) == body));
        }
    }
    SECTION("naming a body twice does not write it twice") {
        const auto handed =
            run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body_of(500, 9)));
        const auto name_it = [&](std::string owner) {
            return bench.write(
                [b = *handed, owner](WriteTransaction& txn) -> TxnTask<Result<BlobId>> {
                    const auto blob = txn.add_blob(*b);
                    MAILCORE_CO_TRY(txn.refer(blob, owner));
                    co_return blob;
                });
        };
        const auto one = name_it("a"), two = name_it("b");
        REQUIRE(one);
        REQUIRE(two);
        CHECK(*one == *two);
        CHECK(*bench.release(*one, "a"));
        CHECK(*bench.release(*one, "b"));
        const auto three = name_it("c");
        REQUIRE(three);
        CHECK(*three != *one);
        CHECK((*run(bench.scheduler, read_whole(*bench.store, *three)) == body_of(500, 9)));
    }
    SECTION("an abandoned writer and an unnamed body leave nothing") {
        {
            auto writer = bench.store->new_blob(bench.scheduler, 0);
            REQUIRE(run(bench.scheduler, writer->append(body_of(300'000, 5))));
            CHECK(writer->size() == 300'000);
        }
        REQUIRE(run(bench.scheduler, hand_in(*bench.store, bench.scheduler, body_of(300'000, 6))));
        CHECK(bench.range("", "", 10, Order::Ascending).empty());
        REQUIRE(bench.put("after", "1"));
    }
}

void check_announcements(Bench& bench) {
    struct Heard {
        std::vector<std::uint64_t> modseqs;
    };
    const auto change = [&](std::uint64_t account, std::uint64_t modseq) {
        return [=](WriteTransaction& txn) -> TxnTask<Result<void>> {
            txn.put("modseq" + std::to_string(account), std::to_string(modseq));
            std::vector<MailboxId> mailboxes;
            mailboxes.push_back(MailboxId{modseq * 10});
            txn.announce(AccountId{account}, ModSeq{modseq}, std::move(mailboxes));
            co_return Result<void>{};
        };
    };
    SECTION("subscribers hear of their account, in commit order, before the writer is answered") {
        Heard one, all;
        auto first = bench.store->subscribe(bench.scheduler, AccountId{1}, [&](const Change& c) {
            CHECK(c.account == AccountId{1});
            CHECK(c.mailboxes == std::vector{MailboxId{c.modseq.value * 10}});
            one.modseqs.push_back(c.modseq.value);
        });
        auto second = bench.store->subscribe(bench.scheduler, AccountId{}, [&](const Change& c) {
            all.modseqs.push_back(c.modseq.value);
        });
        std::vector<std::optional<Result<void>>> answers(30);
        Scope scope(bench.scheduler);
        for (std::uint64_t i = 0; i < 30; ++i)
            scope.spawn(keep_answer(bench.store->write(change(1 + i % 2, i + 1)), answers[i]));
        while (!std::ranges::all_of(answers, [](const auto& a) { return a.has_value(); }))
            bench.scheduler.run_ready();
        CHECK(one.modseqs.size() == 15);
        CHECK(all.modseqs.size() == 30);
        CHECK(std::ranges::is_sorted(one.modseqs));
        CHECK(std::ranges::is_sorted(all.modseqs));
        first.reset();
        REQUIRE(bench.write(change(1, 100)));
        CHECK(one.modseqs.size() == 15);
        CHECK(all.modseqs.size() == 31);
    }
    SECTION("what is announced is already visible, and a failed transaction announces nothing") {
        int heard = 0;
        std::vector<Task<void>> reads;
        const auto subscription =
            bench.store->subscribe(bench.scheduler, AccountId{7}, [&](const Change&) { ++heard; });
        CHECK_FALSE(bench.write([](WriteTransaction& txn) -> TxnTask<Result<void>> {
            txn.announce(AccountId{7}, ModSeq{1}, {});
            co_return fail(ErrorKind::Rejected, "no");
        }));
        bench.scheduler.run_ready();
        CHECK(heard == 0);
        REQUIRE(bench.write(change(7, 2)));
        CHECK(heard == 1);
        CHECK(bench.get("modseq7") == "2");
    }
    SECTION("a subscription may end inside its own call") {
        std::unique_ptr<Subscription> own;
        int heard = 0;
        own = bench.store->subscribe(bench.scheduler, AccountId{1}, [&](const Change&) {
            ++heard;
            own.reset();
        });
        REQUIRE(bench.write(change(1, 1)));
        REQUIRE(bench.write(change(1, 2)));
        CHECK(heard == 1);
    }
}

/// Adds 1 to a counter `times` times, with a transaction each, several under way at once.
Task<void> count_up(Store& store, int times, std::atomic<int>& done) {
    for (int i = 0; i < times; ++i) {
        auto counting = store.write([](WriteTransaction& txn) -> TxnTask<Result<int>> {
            MAILCORE_CO_TRY(const auto before, txn.get("counter"));
            const int value = before ? static_cast<unsigned char>((*before)[0]) * 256 +
                                           static_cast<unsigned char>((*before)[1])
                                     : 0;
            std::string after;
            after += static_cast<char>((value + 1) / 256);
            after += static_cast<char>((value + 1) % 256);
            txn.put("counter", after);
            txn.put("mirror", after);
            txn.announce(AccountId{1}, ModSeq{static_cast<std::uint64_t>(value) + 1}, {});
            co_return value;
        });
        const auto answer = co_await std::move(counting);
        if (answer) ++done;
    }
}

Task<void> watch(Store& store, int times, std::atomic<int>& torn) {
    for (int i = 0; i < times; ++i) {
        auto looking = store.read([](ReadTransaction& txn) -> TxnTask<Result<bool>> {
            MAILCORE_CO_TRY(const auto counter, txn.get("counter"));
            MAILCORE_CO_TRY(const auto mirror, txn.get("mirror"));
            MAILCORE_CO_TRY(const auto both, txn.range("c", "n", 10));
            co_return counter == mirror&& both.size() == (counter ? 2U : 0U);
        });
        auto equal = co_await std::move(looking);
        if (!equal || !*equal) ++torn;
    }
}

void check_threads(Bench& bench) {
    constexpr int threads = 4, tasks = 5, times = 20;
    std::atomic<int> done{0}, torn{0};
    std::atomic<int> order_broken{0}, heard{0};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
        running.emplace_back([&] {
            sim::VirtualScheduler scheduler;
            std::uint64_t last = 0;
            const auto subscription =
                bench.store->subscribe(scheduler, AccountId{1}, [&](const Change& c) {
                    if (c.modseq.value <= last) ++order_broken;
                    last = c.modseq.value;
                    ++heard;
                });
            Scope scope(scheduler);
            for (int i = 0; i < tasks; ++i) {
                scope.spawn(count_up(*bench.store, times, done));
                scope.spawn(watch(*bench.store, times, torn));
            }
            while (!scope.empty())
                if (scheduler.run_ready() == 0) std::this_thread::yield();
            // Until all threads are done: what others write is told here too.
            while (done < threads * tasks * times) {
                if (scheduler.run_ready() == 0) std::this_thread::yield();
            }
            scheduler.run_ready();
        });
    for (auto& thread : running) thread.join();
    CHECK(done == threads * tasks * times);
    CHECK(torn == 0);
    CHECK(order_broken == 0);
    CHECK(heard > 0);
    const int total = threads * tasks * times;
    std::string expected;
    expected += static_cast<char>(total / 256);
    expected += static_cast<char>(total % 256);
    CHECK(bench.get("counter") == expected);
}

} // namespace

Task<Result<NewBlobRef>> hand_in(Store& store, Scheduler& scheduler, std::string octets,
                                 std::size_t piece_octets) {
    const auto writer = store.new_blob(scheduler, octets.size());
    for (std::size_t at = 0; at < octets.size(); at += piece_octets) {
        MAILCORE_CO_TRY(writer->append(std::string_view(octets).substr(at, piece_octets)));
    }
    auto blob = co_await writer->finish();
    co_return blob;
}

Task<Result<std::string>> read_whole(Store& store, BlobId blob) {
    std::string whole;
    while (true) {
        constexpr std::size_t step_octets = 200'000;
        MAILCORE_CO_TRY(const auto part, store.read_blob(blob, whole.size(), step_octets));
        whole += part;
        if (part.size() < step_octets) co_return whole;
    }
}

void check_store_contract(const StoreMaker& make) {
    Bench bench(make);
    check_rows(bench);
    check_blobs(bench);
    check_announcements(bench);
    SECTION("ranges merge old and new rows within their bounds and limits") { check_ranges(bench); }
    SECTION("several threads share a store and never see half a transaction") {
        check_threads(bench);
    }
    const auto status = bench.store->status();
    CHECK(status.writable);
    CHECK(status.reason.empty());
}

} // namespace mailcore::test
