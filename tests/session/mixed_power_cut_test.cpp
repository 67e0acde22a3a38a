// All that changes a store, under power cuts: mail to several recipients, APPEND, STORE, COPY,
// MOVE, EXPUNGE, mailboxes, queue retries, accounts, checkpoints, compaction, segments that go.
// What the server shows after the cut is, row for row and octet for octet, a state that it had
// published: the last that was durable, or one whose frame was on its way.
#include "libmailcore/crypto/hash.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/journal_store.h"
#include "libmailcore/store/keys.h"
#include "tests/catch.h"
#include "tests/session/imap_fixture.h"
#include "tests/session/mail_world.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

using namespace mailcore;
using test::MailWorld;

namespace {

using Rows = std::map<std::string, std::string>;
using Lies = std::function<bool(const std::string&)>;

struct NobodyAnswers final : delivery::RemoteTransport {
    Task<std::expected<std::unique_ptr<delivery::RemoteConnection>, delivery::Outcome>>
    open(std::string) override {
        co_return std::unexpected(delivery::Outcome::deferred("4.4.1", "nobody answers"));
    }
};

/// Every row that transactions see.
Rows rows_of(MailWorld& world) {
    auto rows = world.people.read([](store::ReadTransaction& txn) -> store::TxnTask<Result<Rows>> {
        Rows all;
        std::string from;
        while (true) {
            MAILCORE_CO_TRY(const auto some, txn.range(from, "", 1000));
            for (const auto& row : some) all.emplace(row.key, row.value);
            if (some.size() < 1000) co_return all;
            from = some.back().key + '\0';
        }
    });
    if (!rows) throw std::runtime_error("rows: " + rows.error().detail);
    return std::move(*rows);
}

/// Octets of every email there is; what cannot be read is an exception.
std::map<std::string, std::string> emails_of(MailWorld& world) {
    struct Found {
        std::string name;
        store::Email email;
    };
    auto listed = world.people.read(
        [](store::ReadTransaction& txn) -> store::TxnTask<Result<std::vector<Found>>> {
            std::vector<Found> all;
            MAILCORE_CO_TRY(const auto accounts, store::list_accounts(txn));
            for (const auto account : accounts) {
                MAILCORE_CO_TRY(const auto mailboxes,
                                store::list_mailboxes(txn, store::Access::owner(account), account));
                for (const auto& mailbox : mailboxes.mailboxes) {
                    const auto access = store::Access::owner(account);
                    const store::MailboxRef ref{account, mailbox.mailbox.id};
                    MAILCORE_CO_TRY(auto batch,
                                    store::read_emails(txn, access, ref, store::UidSet::all()));
                    for (auto& each : batch.emails) {
                        auto name = std::to_string(account.value) + "/" +
                                    std::to_string(each.email.id.value);
                        all.push_back({std::move(name), std::move(each.email)});
                    }
                }
            }
            co_return all;
        });
    if (!listed) throw std::runtime_error("emails: " + listed.error().detail);
    std::map<std::string, std::string> octets;
    for (const auto& [name, email] : *listed) {
        std::string whole;
        while (whole.size() < email.size) {
            const auto piece = world.people.run(store::read_octets(
                world.people.store(), email.pieces, whole.size(), std::size_t{1} << 20));
            if (!piece) throw std::runtime_error("email " + name + ": " + piece.error().detail);
            if (piece->empty()) throw std::runtime_error("email " + name + " is cut off");
            whole += *piece;
        }
        octets.emplace(name, std::move(whole));
    }
    return octets;
}

/// A server at work on a disk, and each state that it has published since.
class Recording {
  public:
    struct State {
        std::size_t durable_at; ///< operations of the disk by then
        Rows rows;
    };

    /// Over a new store, or the one that is there.
    Recording(sim::Disk& disk, std::uint64_t seed) : disk_(disk), random_(seed) {
        lies_ = disk.lies_about_sync;
        world_.emplace(test::on_disk(disk));
        store_ = dynamic_cast<store::JournalStore*>(&world_->people.store());
        options_.login = world_->login;
        mx_.relay_networks = {IpNetwork::parse("192.0.2.0/24").value()};
        mx_.login = world_->login;
        if (rows_of(*world_).size() < 20) {
            world_->people.make_account("jo@example.test", "secret");
            world_->people.make_account("kim@example.test", "secret");
        }
        states.push_back({disk.operations(), rows_of(*world_)});
        emails = emails_of(*world_);
        disk.lies_about_sync = [this](const std::string& path) {
            note();
            syncing_ = disk_.operations();
            return lies_ && lies_(path);
        };
    }
    ~Recording() {
        imap_.reset();
        world_.reset();
        disk_.lies_about_sync = lies_;
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    void work(int actions) {
        imap_.emplace(*world_, options_);
        say("LOGIN jo secret");
        for (const auto* mailbox : {"Archive", "Later"}) (*imap_)("CREATE " + std::string(mailbox));
        say("SELECT INBOX");
        for (int i = 0; i < actions; ++i) act();
        imap_.reset();
        note();
    }

    std::vector<State> states;
    /// By account and id: an email never changes.
    std::map<std::string, std::string> emails;

  private:
    void act() {
        const auto uid = std::to_string(1 + random_.below(30));
        const std::string other = random_.below(2) == 0 ? "Archive" : "Later";
        say("NOOP"); // time passes by the hour
        switch (random_.below(14)) {
        case 0:
        case 1:
        case 2: send(); break;
        case 3:
            imap_->append("INBOX", letter(), random_.below(2) == 0 ? "\\Flagged Work" : "");
            break;
        case 4: say("UID STORE " + uid + ":* +FLAGS.SILENT (\\Seen $Label" + uid + ")"); break;
        case 5: say("UID STORE " + uid + " -FLAGS.SILENT (\\Seen)"); break;
        case 6: say("UID COPY " + uid + ":* " + other); break;
        case 7: say("UID MOVE " + uid + " " + other); break;
        case 8:
            say("UID STORE 1:" + uid + " +FLAGS.SILENT (\\Deleted)");
            say("EXPUNGE");
            break;
        case 9:
            (*imap_)("DELETE " + other);
            say("CREATE " + other);
            break;
        case 10: retry(); break;
        case 11: change_accounts(); break;
        case 12: world_->pass(std::chrono::seconds{40}); break; // a checkpoint
        case 13:
            REQUIRE(store_->compact(random_.below(2) == 0 ? store::Reclaim::KeepHistory
                                                          : store::Reclaim::Everything));
            break;
        }
        world_->people.scheduler().run_ready();
        note();
    }
    void say(const std::string& command) {
        const auto answer = (*imap_)(command);
        INFO(command << ": " << answer);
        REQUIRE(answer.find("a OK") != std::string::npos);
    }
    std::string letter() {
        auto out =
            "From: <ann@elsewhere.test>\r\nSubject: " + std::to_string(++letters_) + "\r\n\r\n";
        for (auto lines = random_.below(15) == 0 ? 3000 : random_.below(40); lines > 0; --lines)
            out += random_.hex(30) + "\r\n";
        return out;
    }
    void send() {
        test::SmtpClient client(*world_, mx_);
        (void)client("EHLO c.test");
        std::vector<std::string> to{"jo@example.test"};
        if (random_.below(2) == 0) to.emplace_back("kim@example.test");
        if (random_.below(2) == 0) to.emplace_back("far@away.test");
        client.say_message("ann@elsewhere.test", to, letter());
        REQUIRE(client.hear().find("250 2.0.0 accepted as") != std::string::npos);
    }
    /// The courier tries, in vain, and writes down when it will again.
    void retry() {
        NobodyAnswers transport;
        delivery::Courier courier(world_->people.scheduler(), world_->people.store(), world_->local,
                                  world_->reporter, transport, {}, random_, {});
        courier.start();
        world_->pass(std::chrono::minutes{20});
        courier.stop();
        world_->people.scheduler().run_ready();
    }
    void change_accounts() {
        const auto name = "p" + std::to_string(random_.next() % 1'000'000) + "@example.test";
        world_->people.make_account(name, "secret");
        world_->people.make_alias("to-" + name, {name, "kim@example.test"});
    }
    /// What is published by now is what the last sync made durable.
    void note() {
        if (!syncing_) return;
        const auto durable_at = *std::exchange(syncing_, std::nullopt) + 1;
        states.push_back({durable_at, rows_of(*world_)});
        emails.merge(emails_of(*world_));
    }

    sim::Disk& disk_;
    base::SeededRandom random_;
    Lies lies_;
    std::optional<MailWorld> world_;
    store::JournalStore* store_ = nullptr;
    session::ImapOptions options_;
    session::SmtpOptions mx_;
    std::optional<test::ImapClient> imap_;
    std::size_t letters_ = 0;
    std::optional<std::size_t>
        syncing_; ///< a sync began at this operation, of what is not seen yet
};

/// Opens what the cut has left and compares; what is wrong.
std::optional<std::string> compare(sim::Disk& after, const Recording& before, std::size_t moment,
                                   bool deeply) {
    std::optional<MailWorld> world;
    try {
        world.emplace(test::on_disk(after));
        const auto rows = rows_of(*world);
        auto least = before.states.size() - 1;
        while (least > 0 && before.states[least].durable_at > moment) --least;
        // Of what was on its way, at most the frame behind and one that only shows what was known.
        const auto most = std::min(least + 2, before.states.size() - 1);
        auto at = least;
        while (at <= most && before.states[at].rows != rows) ++at;
        if (at > most) {
            for (std::size_t other = 0; other < before.states.size(); ++other)
                if (before.states[other].rows == rows)
                    return "state " + std::to_string(other) + " instead of " +
                           std::to_string(least);
            return "a state that never was";
        }
        if (!deeply) return std::nullopt;
        for (const auto& [name, octets] : emails_of(*world)) {
            const auto known = before.emails.find(name);
            if (known == before.emails.end()) return "email " + name + " was never there";
            if (known->second != octets) return "email " + name + " differs";
        }
        auto& store = dynamic_cast<store::JournalStore&>(world->people.store());
        const auto report = store.check();
        if (!report) return "check: " + report.error().detail;
        if (!report->problems.empty()) return "check: " + report->problems.front();
    } catch (const std::exception& wrong) {
        return wrong.what();
    }
    return std::nullopt;
}

struct Outcome {
    std::optional<std::string> wrong;
    std::size_t cuts = 0;
};

Outcome cut_many_times(std::uint64_t seed, int actions, std::size_t cuts, const Lies& lies) {
    sim::DiskImage beginning;
    beginning.folders = {"/"};
    sim::Disk disk(beginning);
    disk.lies_about_sync = lies;
    base::SeededRandom random(seed);
    auto recording = std::make_unique<Recording>(disk, seed);
    const auto first = recording->states.front().durable_at;
    recording->work(actions);
    // Before and behind syncs, and anywhere between.
    std::vector<std::size_t> moments;
    for (const auto& state : recording->states)
        for (const auto moment : {state.durable_at - 1, state.durable_at})
            if (moment >= first && random.below(4) == 0) moments.push_back(moment);
    const auto last = disk.operations();
    while (moments.size() < cuts) moments.push_back(first + random.below(last - first + 1));
    std::ranges::sort(moments);
    sim::PowerCut power(disk);
    Outcome outcome;
    for (const auto moment : moments) {
        ++outcome.cuts;
        const auto where =
            "seed " + std::to_string(seed) + ", cut at " + std::to_string(moment) + ": ";
        sim::Disk after(power.at(moment, random));
        if (const auto wrong = compare(after, *recording, moment, random.below(6) == 0)) {
            outcome.wrong = where + *wrong;
            return outcome;
        }
        if (random.below(12) != 0) continue;
        // It goes on from there, and the power is cut again.
        ++outcome.cuts;
        Recording more(after, random.next());
        const auto from = more.states.front().durable_at;
        more.work(4);
        const auto again = from + random.below(after.operations() - from + 1);
        sim::PowerCut second(after);
        sim::Disk then(second.at(again, random));
        if (const auto wrong = compare(then, more, again, true)) {
            outcome.wrong = where + "again at " + std::to_string(again) + ": " + *wrong;
            return outcome;
        }
    }
    return outcome;
}

} // namespace

TEST_CASE("whatever a server does, a power cut leaves a state that it had published") {
    std::size_t cuts = 0;
    for (std::uint64_t seed = 1; seed <= 20 * sim::power_cut_scale(); ++seed) {
        const auto outcome = cut_many_times(seed, 25, 40, {});
        cuts += outcome.cuts;
        INFO(outcome.wrong.value_or(""));
        REQUIRE_FALSE(outcome.wrong);
    }
    if (sim::power_cut_scale() > 1)
        WARN(cuts << " power cuts, seeds 1 to " << 20 * sim::power_cut_scale());
}

TEST_CASE("the test of everything notices when a sync is left out") {
    const auto caught = [](const Lies& lies) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) try {
                if (cut_many_times(seed, 15, 30, lies).wrong) return true;
            } catch (const std::exception&) {
                return true; // it went on from what was damaged, and read that
            }
        return false;
    };
    SECTION("of the log") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".log"); }));
    }
    SECTION("of large bodies") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".bodies"); }));
    }
}
