#include "libmailcore/delivery/remote.h"

#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/text.h"
#include "tests/catch.h"
#include "tests/session/mail_world.h"

#include <algorithm>
#include <map>

using namespace mailcore;
using delivery::Outcome;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// Hosts by address, each a script.
class Hosts final : public Connector {
  public:
    explicit Hosts(sim::VirtualScheduler& scheduler) : scheduler_(scheduler) {}

    /// One at that address: its answers to EHLO, and what it was sent.
    struct Host {
        std::string hello = "250-mx\r\n250-8BITMIME\r\n250 SIZE 10000\r\n";
        std::map<std::string, std::string> replies; ///< by the line's beginning
        std::vector<std::string> lines;             ///< commands
        std::vector<std::string> messages;          ///< as after DATA
    };
    std::map<std::string, Host> hosts;
    std::vector<std::string> tried;

    Task<Result<std::unique_ptr<base::Connection>>>
    connect(base::Destination to, base::ConnectOptions, base::Dialogue& dialogue) override {
        const auto address = std::get<base::TcpDestination>(to).address.to_string();
        tried.push_back(address);
        const auto found = hosts.find(address);
        if (found == hosts.end()) co_return fail(ErrorKind::Unavailable, "nobody listens");
        co_return std::make_unique<Wire>(scheduler_, found->second, dialogue);
    }

  private:
    class Wire final : public base::Connection {
      public:
        Wire(sim::VirtualScheduler& scheduler, Host& host, base::Dialogue& dialogue)
            : scheduler_(scheduler), host_(host), dialogue_(dialogue), due_("220 mx ready\r\n") {
            wake();
        }
        ~Wire() override { *gone_ = true; }
        const PeerInfo& peer() const override { return peer_; }
        void wake() override {
            scheduler_.post([this, gone = gone_] {
                if (!*gone) pump();
            });
        }

      private:
        void pump() {
            auto& engine = dialogue_.engine();
            for (bool more = true; more && !closed_;) {
                more = false;
                dialogue_.drain();
                std::string out;
                for (const auto piece : engine.output()) out += piece;
                if (!out.empty()) {
                    engine.output_sent(out.size(), scheduler_.now());
                    hear(out);
                    more = true;
                }
                if (engine.next() != base::Engine::Next::Run) {
                    closed_ = true;
                    return dialogue_.closed();
                }
                if (!due_.empty() && engine.wants_input()) {
                    const auto taken = engine.receive(due_, scheduler_.now());
                    due_.erase(0, taken);
                    more = more || taken > 0;
                }
            }
        }
        void hear(const std::string& octets) {
            heard_ += octets;
            for (std::size_t end; (end = heard_.find("\r\n")) != std::string::npos;) {
                const auto line = heard_.substr(0, end + 2);
                heard_.erase(0, end + 2);
                if (in_message_) {
                    if (line != ".\r\n") {
                        host_.messages.back() += line.starts_with('.') ? line.substr(1) : line;
                        continue;
                    }
                    in_message_ = false;
                    due_ += answer("end", "250 2.0.0 taken\r\n");
                    continue;
                }
                host_.lines.push_back(line.substr(0, end));
                if (line.starts_with("EHLO")) {
                    due_ += host_.hello;
                } else if (line.starts_with("DATA")) {
                    const auto reply = answer(line, "354 go on\r\n");
                    due_ += reply;
                    in_message_ = reply.starts_with('3');
                    if (in_message_) host_.messages.emplace_back();
                } else {
                    due_ +=
                        answer(line, line.starts_with("QUIT") ? "221 bye\r\n" : "250 2.1.0 ok\r\n");
                }
            }
        }
        std::string answer(const std::string& line, const std::string& otherwise) {
            for (const auto& [beginning, reply] : host_.replies)
                if (line.starts_with(beginning)) return reply + "\r\n";
            return otherwise;
        }

        sim::VirtualScheduler& scheduler_;
        Host& host_;
        base::Dialogue& dialogue_;
        PeerInfo peer_;
        std::string due_;
        std::string heard_;
        bool in_message_ = false;
        bool closed_ = false;
        std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
    };
    sim::VirtualScheduler& scheduler_;
};

/// A transport to hosts in a table.
struct World : test::MailWorld {
    Hosts hosts{people.scheduler()};
    base::SeededRandom random{1};
    std::vector<delivery::HostRoute> routes;

    std::vector<Outcome> send(const std::string& destination, const std::string& octets,
                              const std::vector<std::string>& addresses,
                              const std::function<void(queue::Message&)>& change = {}) {
        delivery::RemoteOptions options;
        options.hostname = "mail.example.test";
        options.tls = delivery::HopTls::Never;
        options.routes = routes;
        delivery::SmtpTransport transport(people.scheduler(), hosts, services.resolver,
                                          people.store(), options, random, Log());
        queue::Message message;
        message.sender = "ann@example.test";
        message.pieces.push_back(store::Piece::of("Received: by us\r\n"));
        message.pieces.push_back(store::Piece::of(octets));
        for (const auto& piece : message.pieces) message.size += piece.length;
        message.eight_bit =
            std::ranges::any_of(octets, [](char c) { return static_cast<signed char>(c) < 0; });
        if (change) change(message);
        std::vector<queue::Recipient> recipients;
        for (const auto& address : addresses) {
            recipients.emplace_back();
            recipients.back().address = address;
        }
        auto opened = people.run(transport.open(destination));
        if (!opened) return std::vector<Outcome>(addresses.size(), opened.error());
        auto outcomes = people.run((*opened)->send(message, recipients));
        auto closing = (*opened)->close();
        Scope scope(people.scheduler());
        scope.spawn(std::move(closing));
        people.scheduler().run_ready();
        return outcomes;
    }
};

const std::string eight_bits = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9f"
                               "e\r\n";

} // namespace

TEST_CASE("a message is handed over, and each recipient has the outcome that was said") {
    World world;
    auto& host = world.hosts.hosts["192.0.2.1"];
    host.replies["RCPT TO:<bad@"] = "550 5.1.1 no such user";
    host.replies["RCPT TO:<full@"] = "452 4.2.2 full";
    host.replies["RCPT TO:<crowd@"] = "552 too many recipients";
    const auto outcomes =
        world.send("[192.0.2.1]", "A: b\r\n\r\n.x\r\n",
                   {"good@away.test", "bad@away.test", "full@away.test", "crowd@away.test"});
    REQUIRE(outcomes.size() == 4);
    CHECK(outcomes[0].kind == Outcome::Kind::Delivered);
    CHECK(outcomes[1].kind == Outcome::Kind::Failed);
    CHECK(outcomes[1].status == "5.1.1");
    CHECK(outcomes[1].remote_host == "192.0.2.1");
    CHECK(outcomes[2].kind == Outcome::Kind::Deferred);
    CHECK(outcomes[2].status == "4.2.2");
    CHECK(outcomes[3].kind == Outcome::Kind::Deferred);
    REQUIRE(host.messages.size() == 1);
    CHECK(host.messages[0] == "Received: by us\r\nA: b\r\n\r\n.x\r\n");
    CHECK(host.lines.back() == "QUIT");
}

TEST_CASE("8-bit mail is sent as it is where it may be, and converted where it may not") {
    World world;
    auto& able = world.hosts.hosts["192.0.2.1"];
    CHECK(world.send("[192.0.2.1]", eight_bits, {"u@a.test"})[0].kind == Outcome::Kind::Delivered);
    CHECK(able.messages.at(0) == "Received: by us\r\n" + eight_bits);
    CHECK(has(able.lines.at(1), "BODY=8BITMIME"));

    auto& old = world.hosts.hosts["192.0.2.2"];
    old.hello = "250-mx\r\n250 SIZE 10000\r\n";
    CHECK(world.send("[192.0.2.2]", eight_bits, {"u@a.test"})[0].kind == Outcome::Kind::Delivered);
    const std::string converted =
        "Received: by us\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n";
    CHECK(old.messages.at(0) == converted);
    CHECK_FALSE(has(old.lines.at(1), "BODY="));
    CHECK(has(old.lines.at(1), "SIZE=" + std::to_string(converted.size())));

    // In many pieces, and larger than the host takes when it is converted.
    std::string large = eight_bits;
    while (large.size() < 5000) large += "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\r\n";
    const auto refused = world.send("[192.0.2.2]", large, {"u@a.test"});
    CHECK(refused[0].kind == Outcome::Kind::Failed);
    CHECK(refused[0].status == "5.3.4");
    old.hello = "250 mx\r\n";
    while (large.size() < 300'000) large += "\xc3\xbc some text\r\n";
    CHECK(world.send("[192.0.2.2]", large, {"u@a.test"})[0].kind == Outcome::Kind::Delivered);
    const auto& whole = old.messages.back();
    const auto structure = mime::parse(whole);
    CHECK(mime::part_content(structure.message(), mime::part_body(structure.message(), whole)) ==
          large.substr(large.find("\r\n\r\n") + 4));
}

TEST_CASE("what must not be converted is returned without the host being asked") {
    struct Case {
        const char* name;
        std::string message;
        const char* status;
    };
    const Case cases[] = {
        {"signed",
         "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n"
         "\xc3\xbc\r\n--s--\r\n",
         "5.6.2"},
        {"a header", "Subject: \xc3\xbc\r\n\r\nx\r\n", "5.6.9"},
        {"no parts", "Content-Type: multipart/mixed\r\n\r\n\xc3\xbc\r\n", "5.6.3"},
    };
    World world;
    auto& old = world.hosts.hosts["192.0.2.2"];
    old.hello = "250 mx\r\n";
    for (const auto& c : cases) {
        INFO(c.name);
        const auto outcomes = world.send("[192.0.2.2]", c.message, {"u@a.test", "v@a.test"});
        REQUIRE(outcomes.size() == 2);
        CHECK(outcomes[1].kind == Outcome::Kind::Failed);
        CHECK(outcomes[1].status == c.status);
        CHECK(outcomes[1].remote_host == "192.0.2.2");
    }
    CHECK(old.messages.empty());
    const auto utf8 = world.send("[192.0.2.2]", eight_bits, {"u@a.test"},
                                 [](auto& message) { message.smtputf8 = true; });
    CHECK(utf8[0].status == "5.6.7");
}

TEST_CASE("a host that is not there, refuses, or has nothing to say is a reason to wait") {
    World world;
    CHECK(world.send("[192.0.2.9]", "A: b\r\n\r\n", {"u@a.test"})[0].status == "4.4.1");
    const auto unknown = world.send("away.test", "A: b\r\n\r\n", {"u@away.test"});
    CHECK(unknown[0].kind == Outcome::Kind::Deferred);
    CHECK(unknown[0].status == "4.4.3");
    auto& busy = world.hosts.hosts["192.0.2.3"];
    busy.replies["MAIL"] = "451 4.3.0 not now";
    CHECK(world.send("[192.0.2.3]", "A: b\r\n\r\n", {"u@a.test"})[0].status == "4.3.0");
    busy.replies = {{"end", "554 5.7.1 spam"}};
    const auto spam = world.send("[192.0.2.3]", "A: b\r\n\r\n", {"u@a.test"});
    CHECK(spam[0].kind == Outcome::Kind::Failed);
    CHECK(spam[0].status == "5.7.1");
}

TEST_CASE("a host that greets with our own name is ourselves, and the mail goes no further") {
    World world;
    auto& mirror = world.hosts.hosts["192.0.2.4"];
    mirror.hello = "250-Mail.Example.TEST greets you\r\n250 8BITMIME\r\n";
    const auto outcome = world.send("[192.0.2.4]", "A: b\r\n\r\n", {"u@away.test"})[0];
    CHECK(outcome.kind == Outcome::Kind::Failed);
    CHECK(outcome.status == "5.4.6");
    CHECK(has(outcome.text, "192.0.2.4"));
    CHECK(mirror.messages.empty());

    // A name that only begins like ours is another's; and who has given a route means it.
    mirror.hello = "250 mail.example.test.away.test\r\n";
    CHECK(world.send("[192.0.2.4]", "A: b\r\n\r\n", {"u@away.test"})[0].kind ==
          Outcome::Kind::Delivered);
    mirror.hello = "250 mail.example.test\r\n";
    world.routes.push_back({.domain = "away.test", .host = "192.0.2.4"});
    CHECK(world.send("away.test", "A: b\r\n\r\n", {"u@away.test"})[0].kind ==
          Outcome::Kind::Delivered);
}
