// IMAP sessions under virtual time: clients that speak lines.
#pragma once

#include "libmailcore/session/imap.h"
#include "libmailcore/store/account.h"
#include "tests/session/mail_world.h"
#include "tests/sim/driver.h"

#include <memory>
#include <string>
#include <string_view>

namespace mailcore::test {

class ImapWorld : public MailWorld {
  public:
    explicit ImapWorld(StoreKind kind = StoreKind::Memory) : MailWorld(kind) {
        options.login = login;
        jo = people.make_account("jo@example.test", "secret");
    }
    session::ImapOptions options;
    accounts::AccountId jo;
};

/// One connection. Reads what comes until its command is answered.
class ImapClient {
  public:
    explicit ImapClient(ImapWorld& world, std::optional<TlsFacts> tls = {})
        : ImapClient(world, world.options, std::move(tls)) {}
    /// `options` outlive it.
    ImapClient(MailWorld& world, const session::ImapOptions& options,
               std::optional<TlsFacts> tls = {})
        : world_(world), driver_(world.people.scheduler()) {
        PeerInfo peer;
        peer.tls = std::move(tls);
        peer.address = IpAddress::parse("192.0.2.7").value();
        auto session =
            std::make_unique<session::ImapSession>(world.services, options, peer, driver_);
        session_ = session.get();
        driver_.start(std::move(session));
        (void)take();
    }
    ~ImapClient() {
        driver_.cut();
        world_.people.scheduler().run_ready();
    }

    /// Sends `line` with a tag and answers all that came up to and with the tagged answer, in which
    /// the tag is "a".
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
            if (i > 0)
                world_.people.scheduler().run_until(world_.people.scheduler().now() +
                                                    std::chrono::milliseconds(50));
        }
        return out;
    }
    std::string take() {
        world_.people.scheduler().run_ready();
        return driver_.take_output();
    }
    void log_in() { (void)(*this)("LOGIN jo secret"); }
    std::string append(const std::string& mailbox, const std::string& message,
                       const std::string& flags = {}) {
        send("a APPEND " + mailbox + (flags.empty() ? "" : " (" + flags + ")") + " {" +
             std::to_string(message.size()) + "+}\r\n" + message + "\r\n");
        return await_tag();
    }
    sim::Driver& driver() { return driver_; }
    session::ImapSession& session() { return *session_; }

  private:
    MailWorld& world_;
    sim::Driver driver_;
    session::ImapSession* session_ = nullptr;
};

} // namespace mailcore::test
