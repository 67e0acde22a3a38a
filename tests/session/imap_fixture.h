// IMAP sessions over a store of either kind, under virtual time: clients that speak lines.
#pragma once

#include "libmailcore/session/imap.h"
#include "libmailcore/store/account.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/sim/driver.h"

#include <memory>
#include <string>
#include <string_view>

namespace mailcore::test {

class ImapWorld {
  public:
    explicit ImapWorld(StoreKind kind = StoreKind::Memory)
        : people(short_passwords(), kind), router_(people.directory()),
          reporter_(people.scheduler(), people.store(), router_, {"mail.example.test"}, random_),
          local_(people.store(), reporter_, {}, {}),
          intake_(people.scheduler(), people.store(), local_, {}, {}), pipeline_(std::make_shared<const filter::Pipeline>()),
          services{people.scheduler(), people.store(), people.directory(), maildrops_, router_, intake_,
                   zone_, pipeline_, random_, {}, Secret("salt"), "mail.example.test"} {
        options.login.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
        options.login.plaintext_from_anywhere = true;
        jo = people.make_account("jo@example.test", "secret");
    }

    static accounts::StoreDirectoryOptions short_passwords() {
        auto directory = People::cheap();
        directory.password_octets_min = 4;
        return directory;
    }
    People people;

  private:
    struct NoNames final : dns::Resolver {
        Task<Result<dns::Answer>> lookup(dns::Name, dns::Type) override {
            co_return fail(ErrorKind::Unavailable, "no names here");
        }
    };
    base::SystemRandom random_;
    delivery::Router router_;
    delivery::Reporter reporter_;
    delivery::LocalDelivery local_;
    delivery::Intake intake_;
    NoNames zone_;
    session::MaildropLocks maildrops_;
    std::shared_ptr<const filter::Pipeline> pipeline_;

  public:
    session::Services services;
    session::ImapOptions options;
    accounts::AccountId jo;
};

/// One connection. Reads what comes until its command is answered.
class ImapClient {
  public:
    explicit ImapClient(ImapWorld& world) : world_(world), driver_(world.people.scheduler()) {
        PeerInfo peer;
        peer.address = IpAddress::parse("192.0.2.7").value();
        auto session = std::make_unique<session::ImapSession>(world.services, world.options, peer, driver_);
        session_ = session.get();
        driver_.start(std::move(session));
        (void)take();
    }
    ~ImapClient() { driver_.cut(); world_.people.scheduler().run_ready(); }

    /// Sends `line` with a tag and answers all that came up to and with the tagged answer, in which the tag
    /// is "a".
    std::string operator()(std::string_view line) {
        send("a " + std::string(line) + "\r\n");
        return await_tag();
    }
    void send(std::string_view octets) {
        driver_.offer(octets);
        world_.people.scheduler().run_ready();
    }
    std::string await_tag() {
        std::string out;
        for (int i = 0; i < 1'000; ++i) {
            out += take();
            const auto at = out.starts_with("a ") ? 0 : out.find("\r\na ");
            if (at != std::string::npos && out.ends_with("\r\n")) break;
            if (driver_.closed()) break;
            if (i > 0) world_.people.scheduler().run_until(world_.people.scheduler().now() + std::chrono::milliseconds(50));
        }
        return out;
    }
    std::string take() {
        world_.people.scheduler().run_ready();
        return driver_.take_output();
    }
    void log_in() { (void)(*this)("LOGIN jo secret"); }
    std::string append(const std::string& mailbox, const std::string& message, const std::string& flags = {}) {
        send("a APPEND " + mailbox + (flags.empty() ? "" : " (" + flags + ")") + " {" +
             std::to_string(message.size()) + "+}\r\n" + message + "\r\n");
        return await_tag();
    }
    sim::Driver& driver() { return driver_; }
    session::ImapSession& session() { return *session_; }

  private:
    ImapWorld& world_;
    sim::Driver driver_;
    session::ImapSession* session_ = nullptr;
};

} // namespace mailcore::test
