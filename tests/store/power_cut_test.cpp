// The durable store under power cuts: after each, it is the state after some transaction, not
// before the last one acknowledged, whole, and equal to what its journal says.
#include "libmailcore/base/random.h"
#include "libmailcore/store/journal_store.h"
#include "tests/catch.h"
#include "tests/sim/disk.h"
#include "tests/sim/file_index.h"
#include "tests/sim/virtual_scheduler.h"
#include "tests/store/store_contract.h"

#include <cstdlib>
#include <map>
#include <optional>

using namespace mailcore;
using namespace mailcore::store;

namespace {

/// The store as it must be after each transaction.
struct Model {
    struct State {
        std::map<std::string, std::string> rows; // with "count", which says which state it is
        std::map<std::string, std::pair<BlobId, std::string>> bodies; // by owner
        std::uint64_t last_id = 0;
    };
    std::vector<State> states{State{}};
    struct Acknowledged {
        std::size_t operation;
        std::size_t states;
    };
    std::vector<Acknowledged> acknowledged;

    [[nodiscard]] std::size_t at_least(std::size_t operation) const {
        std::size_t count = 0;
        for (const auto& each : acknowledged)
            if (each.operation <= operation) count = each.states;
        return count;
    }
};

JournalStoreOptions small_options(sim::Disk& disk, base::Random& random) {
    JournalStoreOptions options;
    options.threads = StoreThreads::None;
    options.journal.segment_octets = 32'768 << random.below(4);
    options.journal.body_segment_octets = 200'000;
    options.journal.pool_octets = random.below(2) * 32'768;
    options.journal.fill_octets = random.below(2) * 8'192;
    options.journal.reserve_octets = 32'768;
    options.checkpoint_rows_a_commit = random.below(2) == 0 ? 5 : 1000;
    options.checkpoint_octets = 4'000 + random.below(20'000);
    options.restore_horizon = std::chrono::minutes{random.below(2) * random.below(120)};
    options.compaction_age = std::chrono::minutes{random.below(60)};
    options.snapshot_interval = std::chrono::minutes{30};
    options.snapshot_octets_min = 10'000;
    options.upkeep_interval = std::chrono::minutes{10};
    options.scrub_interval = std::chrono::minutes{random.below(2) * 90};
    options.free_octets_min = 0;
    options.open_index = [&disk](const std::string& path) {
        return sim::open_file_index(disk, path);
    };
    return options;
}

struct Planned {
    std::vector<std::pair<std::string, std::optional<std::string>>> rows;
    std::optional<std::pair<std::string, NewBlobRef>> body; // and its owner
    std::string body_octets;
    std::vector<std::pair<BlobId, std::string>> released;
    std::string count;
    bool fails = false;
};

struct Done {
    BlobId blob;
    std::uint64_t id = 0;
};

TxnTask<Result<Done>> carry_out(WriteTransaction& txn, const Planned& plan) {
    Done done;
    for (const auto& [key, value] : plan.rows) {
        if (value)
            txn.put(key, *value);
        else
            txn.erase(key);
    }
    if (plan.body) {
        done.blob = txn.add_blob(*plan.body->second);
        MAILCORE_CO_TRY(txn.refer(done.blob, plan.body->first));
    }
    for (const auto& [blob, owner] : plan.released) {
        MAILCORE_CO_TRY(const bool was, txn.release(blob, owner));
        if (!was) co_return fail(ErrorKind::Corrupt, "a body was not where it was put");
    }
    done.id = txn.next_id();
    txn.put("count", plan.count);
    if (plan.fails) co_return fail(ErrorKind::Rejected, "on purpose");
    co_return done;
}

class Run {
  public:
    Run(sim::Disk& disk, JournalStoreOptions options, base::Random& random)
        : disk_(disk), options_(std::move(options)), random_(random) {}

    Result<void> open() {
        MAILCORE_TRY(store_, JournalStore::open(disk_, "/s", options_, random_, scheduler, Log()));
        return {};
    }
    void close() { store_.reset(); }

    void work(Model& model, int turns) {
        for (int turn = 0; turn < turns; ++turn) {
            // Several transactions a turn, so that a batch has more than one.
            std::vector<std::shared_ptr<const Planned>> plans;
            auto state = model.states.back();
            auto number = model.states.size();
            for (auto count = 1 + random_.below(3); count > 0; --count) {
                plans.push_back(make_plan(state, number));
                if (!plans.back()->fails) ++number;
            }
            std::vector<std::optional<Result<Done>>> answers(plans.size());
            {
                Scope scope(scheduler);
                for (std::size_t i = 0; i < plans.size(); ++i)
                    scope.spawn(
                        test::keep_answer(store_->write([plan = plans[i]](WriteTransaction& txn) {
                            return carry_out(txn, *plan);
                        }),
                                          answers[i]));
                scheduler.run_ready();
            }
            for (std::size_t i = 0; i < plans.size(); ++i) {
                const auto& plan = *plans[i];
                REQUIRE(answers[i].has_value());
                if (plan.fails) {
                    CHECK_FALSE(answers[i]->has_value());
                    continue;
                }
                if (!*answers[i]) UNSCOPED_INFO(answers[i]->error().detail);
                REQUIRE(answers[i]->has_value());
                advance(model, plan, **answers[i]);
            }
            model.acknowledged.push_back({disk_.operations(), model.states.size() - 1});
            if (random_.below(8) == 0) store_->settle();
            if (random_.below(10) == 0) REQUIRE(store_->checkpoint());
            // Snapshots, bodies that are moved, segments that go: by themselves and asked for.
            if (random_.below(3) == 0)
                scheduler.run_until(scheduler.now() + std::chrono::minutes{random_.below(90)});
            if (random_.below(8) == 0) REQUIRE(store_->snapshot());
            if (random_.below(8) == 0)
                REQUIRE(store_->compact(random_.below(2) == 0 ? Reclaim::Everything
                                                              : Reclaim::KeepHistory));
        }
    }

    /// Which state of the model the store is in, or what is wrong with it.
    Result<std::size_t> compare(const Model& model, bool deeply) {
        if (const auto damages = store_->status().damages; !damages.empty())
            return fail(ErrorKind::Corrupt, damages.front());
        const auto rows = test::run(
            scheduler, store_->read([](ReadTransaction& txn) -> TxnTask<Result<std::vector<Row>>> {
                auto all = co_await txn.range("", "", 10'000);
                co_return all;
            }));
        MAILCORE_TRY(const auto& found, rows);
        std::size_t at = 0;
        for (const auto& row : found)
            if (row.key == "count") at = std::stoul(row.value);
        if (at >= model.states.size()) return fail(ErrorKind::Corrupt, "more than was sent");
        const auto& state = model.states[at];
        if (found.size() != state.rows.size())
            return fail(ErrorKind::Corrupt, "other rows than in state " + std::to_string(at));
        for (const auto& row : found) {
            const auto expected = state.rows.find(row.key);
            if (expected == state.rows.end() || expected->second != row.value)
                return fail(ErrorKind::Corrupt,
                            "row " + row.key + " differs in state " + std::to_string(at));
        }
        for (const auto& [owner, body] : state.bodies) {
            const auto octets = test::run(scheduler, test::read_whole(*store_, body.first));
            if (!octets)
                return fail(ErrorKind::Corrupt, "body of " + owner + ": " + octets.error().detail);
            if (*octets != body.second)
                return fail(ErrorKind::Corrupt, "body of " + owner + " differs");
        }
        if (deeply) {
            MAILCORE_TRY(const auto report, store_->check());
            if (!report.problems.empty())
                return fail(ErrorKind::Corrupt, "check: " + report.problems.front());
        }
        return at;
    }

    /// The next id is one that no acknowledged transaction got.
    std::optional<std::string> check_ids(const Model::State& state) {
        const auto id = test::run(
            scheduler, store_->write([](WriteTransaction& txn) -> TxnTask<Result<std::uint64_t>> {
                co_return txn.next_id();
            }));
        if (!id) return id.error().detail;
        if (*id <= state.last_id) return "an id came back";
        return std::nullopt;
    }

    sim::VirtualScheduler scheduler;

  private:
    std::shared_ptr<const Planned> make_plan(Model::State& state, std::size_t number) {
        auto plan = std::make_shared<Planned>();
        plan->fails = random_.below(10) == 0;
        for (auto rows = random_.below(5); rows > 0; --rows) {
            const auto key = "k" + std::to_string(random_.below(40));
            if (random_.below(3) == 0)
                plan->rows.emplace_back(key, std::nullopt);
            else
                plan->rows.emplace_back(key, random_.hex(random_.below(60)));
        }
        const auto way = random_.below(12);
        if (way < 4) {
            plan->body_octets =
                random_.hex(way == 0 ? 70'000 + random_.below(80'000) : random_.below(3000));
            auto handed =
                test::run(scheduler, test::hand_in(*store_, scheduler, plan->body_octets));
            REQUIRE(handed);
            plan->body.emplace("owner " + std::to_string(number), *handed);
        } else if (way < 8 && !state.bodies.empty()) {
            auto chosen = state.bodies.begin();
            std::advance(chosen, random_.below(state.bodies.size()));
            plan->released.emplace_back(chosen->second.first, chosen->first);
            if (!plan->fails) state.bodies.erase(chosen);
        }
        plan->count = std::to_string(number);
        return plan;
    }

    static void advance(Model& model, const Planned& plan, const Done& done) {
        auto state = model.states.back();
        for (const auto& [key, value] : plan.rows) {
            if (value)
                state.rows[key] = *value;
            else
                state.rows.erase(key);
        }
        if (plan.body) state.bodies[plan.body->first] = {done.blob, plan.body_octets};
        for (const auto& [blob, owner] : plan.released) state.bodies.erase(owner);
        state.rows["count"] = plan.count;
        state.last_id = done.id;
        model.states.push_back(std::move(state));
    }

    sim::Disk& disk_;
    JournalStoreOptions options_;
    base::Random& random_;
    std::unique_ptr<JournalStore> store_;
};

std::optional<std::string> cut_many_times(std::uint64_t seed, int cuts,
                                          const std::function<bool(const std::string&)>& lies) {
    base::SeededRandom random(seed);
    sim::DiskImage beginning;
    beginning.folders = {"/"};
    sim::Disk disk(beginning);
    disk.lies_about_sync = lies;
    Model model;
    const auto shape = random.next(); // of the options, the same whenever it is opened
    const auto options = [shape](sim::Disk& on) {
        base::SeededRandom again(shape);
        return small_options(on, again);
    };
    {
        Run run(disk, options(disk), random);
        REQUIRE(run.open());
        run.work(model, 12);
    }
    std::vector<std::size_t> moments;
    for (int i = 0; i < cuts; ++i) moments.push_back(random.below(disk.operations() + 1));
    std::ranges::sort(moments);
    sim::PowerCut power(disk);
    for (const auto moment : moments) {
        const auto where =
            "seed " + std::to_string(seed) + ", cut at " + std::to_string(moment) + ": ";
        auto image = power.at(moment, random);
        // Sometimes the index is lost too: snapshot and log lead to the same rows.
        if (random.below(3) == 0)
            std::erase_if(image.files, [](const auto& file) {
                return file.first.find("/index-") != std::string::npos;
            });
        sim::Disk after(std::move(image));
        Run run(after, options(after), random);
        if (const auto opened = run.open(); !opened) return where + opened.error().detail;
        const auto at = run.compare(model, random.below(4) == 0);
        if (!at) return where + at.error().detail;
        if (*at < model.at_least(moment))
            return where + "lost: state " + std::to_string(*at) + " of " +
                   std::to_string(model.at_least(moment));
        if (random.below(8) != 0) continue;
        // It goes on from there, and the power is cut again.
        Model more;
        more.states.assign(model.states.begin(),
                           model.states.begin() + static_cast<std::ptrdiff_t>(*at) + 1);
        const auto first = after.operations();
        more.acknowledged.push_back({first, *at});
        if (const auto wrong = run.check_ids(more.states.back())) return where + *wrong;
        run.work(more, 3);
        run.close();
        sim::PowerCut second(after);
        const auto second_moment = first + random.below(after.operations() - first + 1);
        sim::Disk last(second.at(second_moment, random));
        Run again(last, options(last), random);
        const auto here = where + "again at " + std::to_string(second_moment) + ": ";
        if (const auto opened = again.open(); !opened) return here + opened.error().detail;
        const auto then = again.compare(more, true);
        if (!then) return here + then.error().detail;
        if (*then < more.at_least(second_moment))
            return here + "lost: state " + std::to_string(*then) + " of " +
                   std::to_string(more.at_least(second_moment));
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("the store loses nothing acknowledged, wherever the power is cut") {
    for (std::uint64_t seed = 1; seed <= 50 * sim::power_cut_scale(); ++seed) {
        const auto wrong = cut_many_times(seed, 30, {});
        INFO(wrong.value_or(""));
        REQUIRE_FALSE(wrong);
    }
}

TEST_CASE("the test of the store notices when a sync is left out") {
    const auto caught = [](const std::function<bool(const std::string&)>& lies) {
        for (std::uint64_t seed = 1; seed <= 40; ++seed)
            if (cut_many_times(seed, 30, lies)) return true;
        return false;
    };
    SECTION("of the log") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".log"); }));
    }
    SECTION("of large bodies") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".bodies"); }));
    }
    SECTION("of the journal's folder") {
        CHECK(caught([](const std::string& path) { return path == "/s/journal"; }));
    }
    SECTION("of snapshots") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".snapshot"); }));
    }
    SECTION("of the index") {
        CHECK(caught(
            [](const std::string& path) { return path.find("index-") != std::string::npos; }));
    }
}
