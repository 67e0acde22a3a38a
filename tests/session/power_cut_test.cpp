// The whole way in under power cuts: what was answered 250 or OK is in the mailbox or in the queue,
// once and as it was sent, and nothing is that was not sent.
#include "tests/catch.h"
#include "tests/session/imap_fixture.h"
#include "tests/session/mail_world.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

using namespace mailcore;
using test::MailWorld;

namespace {

/// One message to one recipient, as one answer covers it.
struct Sent {
    std::string octets;
    std::string recipient;
    bool appended = false;                   ///< over IMAP: nothing is put on top
    std::optional<std::size_t> acknowledged; ///< operations of the disk by then
};

const std::vector<std::string> people = {"jo@example.test", "kim@example.test"};

/// A message that nobody else sends, of a size that stays in the log or goes beside it.
std::string letter(base::Random& random, std::size_t number) {
    auto out = "From: <ann@elsewhere.test>\r\nSubject: " + std::to_string(number) + "\r\n\r\n";
    for (auto lines = random.below(20) == 0 ? 3000 : random.below(40); lines > 0; --lines)
        out += "." + random.hex(30) + "\r\n";
    return out;
}

class Recording {
  public:
    Recording(sim::Disk& disk, std::uint64_t seed) : disk_(disk), random_(seed) {
        lie_ = disk.lies_about_sync;
        disk.lies_about_sync = [this](const std::string& path) {
            // What was answered by now was answered before this sync.
            listen();
            barriers.push_back(disk_.operations());
            return lie_ && lie_(path);
        };
        world_.emplace(test::on_disk(disk));
        for (const auto& each : people) world_->people.make_account(each, "secret");
        begin = disk.operations();
    }
    ~Recording() {
        senders_.clear();
        imap_.reset();
        world_.reset();
        disk_.lies_about_sync = lie_;
    }

    void work(int turns) {
        session::SmtpOptions mx;
        mx.relay_networks = {IpNetwork::parse("192.0.2.0/24").value()};
        auto lmtp = mx;
        lmtp.service = session::SmtpService::Lmtp;
        for (int i = 0; i < 4; ++i) {
            Sender sender;
            sender.lmtp = i == 3;
            sender.client = std::make_unique<test::SmtpClient>(*world_, sender.lmtp ? lmtp : mx);
            (void)(*sender.client)(sender.lmtp ? "LHLO c.test" : "EHLO c.test");
            senders_.push_back(std::move(sender));
        }
        options_.login = world_->login;
        imap_.emplace(*world_);
        imap_->start(options_);
        for (int turn = 0; turn < turns; ++turn) {
            for (auto& sender : senders_)
                if (random_.below(3) > 0) send(sender);
            if (random_.below(2) == 0) append();
            world_->people.scheduler().run_ready();
            listen();
            for (const auto& sender : senders_) REQUIRE(sender.due.empty());
            REQUIRE_FALSE(appending_);
            if (random_.below(4) == 0) world_->pass(std::chrono::seconds{40}); // a checkpoint
        }
    }

    std::vector<Sent> sent;
    std::vector<std::size_t> barriers;
    std::size_t begin = 0;

  private:
    struct Sender {
        std::unique_ptr<test::SmtpClient> client;
        bool lmtp = false;
        std::string heard;
        std::vector<std::vector<std::size_t>> due; ///< of each answer that is due, what it covers
    };
    class Appender final : public test::Client {
      public:
        using Client::Client;
        void start(const session::ImapOptions& options) {
            driver_.start(
                std::make_unique<session::ImapSession>(world_.services, options, peer_, driver_));
            (void)hear();
            REQUIRE((*this)("l LOGIN jo secret").starts_with("l OK"));
        }
    };

    void send(Sender& sender) {
        auto octets = letter(random_, sent.size());
        std::vector<std::string> to;
        for (const auto& each : people)
            if (random_.below(2) == 0) to.push_back(each);
        if (to.empty() || (!sender.lmtp && random_.below(3) == 0)) to.push_back("far@away.test");
        std::vector<std::size_t> covered;
        for (const auto& each : to) {
            if (sender.lmtp && !covered.empty()) {
                sender.due.push_back(std::exchange(covered, {}));
            }
            covered.push_back(sent.size());
            sent.push_back({octets, each, false, std::nullopt});
        }
        sender.due.push_back(std::move(covered));
        sender.client->say_message("ann@elsewhere.test", to, octets);
    }

    void append() {
        const auto octets = letter(random_, sent.size());
        appending_ = sent.size();
        sent.push_back({octets, people.front(), true, std::nullopt});
        imap_->say("a APPEND INBOX {" + std::to_string(octets.size()) + "+}\r\n" + octets + "\r\n");
    }

    /// Notes which answers have come.
    void listen() {
        for (auto& sender : senders_) {
            sender.heard += sender.client->take();
            for (std::size_t end; (end = sender.heard.find("\r\n")) != std::string::npos;) {
                const auto line = sender.heard.substr(0, end);
                sender.heard.erase(0, end + 2);
                if (line.starts_with("250 2.1.") || line.starts_with("354")) continue;
                INFO(line);
                REQUIRE(line.starts_with("250 2.0.0 accepted as"));
                REQUIRE_FALSE(sender.due.empty());
                for (const auto index : sender.due.front())
                    sent[index].acknowledged = disk_.operations();
                sender.due.erase(sender.due.begin());
            }
        }
        if (imap_ && appending_) {
            const auto heard = imap_->take();
            if (heard.find("a OK") != std::string::npos)
                sent[*std::exchange(appending_, std::nullopt)].acknowledged = disk_.operations();
        }
    }

    sim::Disk& disk_;
    base::SeededRandom random_;
    std::function<bool(const std::string&)> lie_;
    std::optional<MailWorld> world_;
    session::ImapOptions options_;
    std::vector<Sender> senders_;
    std::optional<Appender> imap_;
    std::optional<std::size_t> appending_;
};

bool is_trace(std::string_view text) {
    return text.starts_with("Return-Path: ") || text.starts_with("Received: ");
}

/// Where every message is: by recipient, what was sent by its number, how often.
std::optional<std::string> find_all(MailWorld& world, const std::vector<Sent>& sent,
                                    std::vector<std::size_t>& found) {
    found.assign(sent.size(), 0);
    const auto note = [&](const std::string& recipient,
                          const std::string& octets) -> std::optional<std::string> {
        for (std::size_t i = 0; i < sent.size(); ++i) {
            if (sent[i].recipient != recipient || !octets.ends_with(sent[i].octets)) continue;
            const auto above =
                std::string_view(octets).substr(0, octets.size() - sent[i].octets.size());
            if (sent[i].appended ? !above.empty() : !is_trace(above)) continue;
            ++found[i];
            return std::nullopt;
        }
        return "what " + recipient + " has was never sent: " + octets.substr(0, 300);
    };
    for (const auto& each : people)
        for (const auto& octets : world.mail_of(each))
            if (auto wrong = note(each, octets)) return wrong;
    for (const auto& queued : world.queue())
        for (const auto& recipient : queued.recipients)
            if (auto wrong = note(recipient.address, queued.octets)) return wrong;
    return std::nullopt;
}

std::optional<std::string> check(const std::vector<Sent>& sent,
                                 const std::vector<std::size_t>& found, std::size_t moment) {
    for (std::size_t i = 0; i < sent.size(); ++i) {
        const auto what = "message " + std::to_string(i) + " to " + sent[i].recipient;
        if (found[i] > 1) return what + " is there " + std::to_string(found[i]) + " times";
        if (found[i] == 0 && sent[i].acknowledged && *sent[i].acknowledged <= moment)
            return what + " is lost";
    }
    return std::nullopt;
}

struct NoWay final : delivery::RemoteTransport {
    Task<std::expected<std::unique_ptr<delivery::RemoteConnection>, delivery::Outcome>>
    open(std::string) override {
        co_return std::unexpected(delivery::Outcome::deferred("4.4.1", "nobody answers"));
    }
};

/// After a restart the courier files what was left in the queue.
std::optional<std::string> file_the_rest(MailWorld& world) {
    base::SeededRandom random(1);
    NoWay transport;
    {
        delivery::Courier courier(world.people.scheduler(), world.people.store(), world.local,
                                  world.reporter, transport, {}, random, {});
        courier.start();
        world.pass(std::chrono::minutes{6}); // the clock began anew: what was due then is due later
        courier.stop();
        world.people.scheduler().run_ready();
    }
    for (const auto& queued : world.queue())
        for (const auto& recipient : queued.recipients)
            if (recipient.route == queue::Route::Local)
                return "mail for " + recipient.address + " stays in the queue";
    return std::nullopt;
}

std::optional<std::string> cut_everywhere(std::uint64_t seed, int turns, std::size_t random_cuts,
                                          const std::function<bool(const std::string&)>& lies) {
    sim::DiskImage beginning;
    beginning.folders = {"/"};
    sim::Disk disk(beginning);
    disk.lies_about_sync = lies;
    std::vector<Sent> sent;
    std::vector<std::size_t> moments;
    base::SeededRandom random(seed);
    {
        Recording recording(disk, seed);
        recording.work(turns);
        sent = recording.sent;
        // Before and behind each sync, and anywhere between.
        for (const auto barrier : recording.barriers)
            for (const auto moment : {barrier, barrier + 1})
                if (moment >= recording.begin) moments.push_back(moment);
        for (std::size_t i = 0; i < random_cuts; ++i)
            moments.push_back(recording.begin +
                              random.below(disk.operations() - recording.begin + 1));
    }
    moments.push_back(disk.operations());
    std::ranges::sort(moments);
    sim::PowerCut power(disk);
    for (const auto moment : moments) {
        if (moment > disk.operations()) continue;
        const auto where =
            "seed " + std::to_string(seed) + ", cut at " + std::to_string(moment) + ": ";
        sim::Disk after(power.at(moment, random));
        std::optional<MailWorld> world;
        try {
            world.emplace(test::on_disk(after));
        } catch (const std::exception& wrong) {
            return where + wrong.what();
        }
        std::vector<std::size_t> found;
        if (const auto wrong = find_all(*world, sent, found)) return where + *wrong;
        if (const auto wrong = check(sent, found, moment)) return where + *wrong;
        if (random.below(4) != 0) continue;
        if (const auto wrong = file_the_rest(*world)) return where + *wrong;
        const auto before = found;
        if (const auto wrong = find_all(*world, sent, found)) return where + *wrong;
        if (found != before) return where + "the restart lost or doubled mail";
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("no message that was answered 250 or OK is lost, doubled or altered by a power cut") {
    for (std::uint64_t seed = 1; seed <= 3 * sim::power_cut_scale(); ++seed) {
        const auto wrong = cut_everywhere(seed, 6, 20, {});
        INFO(wrong.value_or(""));
        REQUIRE_FALSE(wrong);
    }
}

TEST_CASE("the test of the way in notices when a sync is left out") {
    const auto caught = [](const std::function<bool(const std::string&)>& lies) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed)
            if (cut_everywhere(seed, 6, 20, lies)) return true;
        return false;
    };
    SECTION("of the log") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".log"); }));
    }
    SECTION("of large bodies") {
        CHECK(caught([](const std::string& path) { return path.ends_with(".bodies"); }));
    }
}
