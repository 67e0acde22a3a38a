// All that sessions need, over any store, under virtual time: directory, queue, local delivery.
#pragma once

#include "libmailcore/delivery/courier.h"
#include "libmailcore/session/pop3.h"
#include "libmailcore/session/services.h"
#include "libmailcore/session/smtp.h"
#include "tests/accounts/accounts_fixture.h"
#include "tests/sim/disk.h"
#include "tests/sim/driver.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::test {

/// Opens a JournalStore in "/s" on `disk`, which outlives it, without threads; its journal sees
/// the disk through `files`, if those are given.
People::OpenStore on_disk(sim::Disk& disk, base::FileSystem* files = nullptr);

/// A message in the queue, with what is left of its recipients.
struct Queued {
    queue::Message message;
    std::vector<queue::Recipient> recipients;
    std::string octets; ///< or why they cannot be read
};

/// The stores that every dialogue runs on: `GENERATE(StoreKind::Memory, StoreKind::Durable)`.
enum class StoreKind : std::uint8_t { Memory, Durable };

class MailWorld {
  public:
    /// Over a new store; a durable one lies on a disk of its own.
    explicit MailWorld(StoreKind kind = StoreKind::Memory);
    explicit MailWorld(const People::OpenStore& open);

    static accounts::StoreDirectoryOptions short_passwords();
    /// What a mailbox's owner gets over POP3, in its order; the password is "secret".
    std::vector<std::string> mail_of(const std::string& user);
    /// All that is under way.
    std::vector<Queued> queue();
    void pass(std::chrono::seconds time) {
        people.scheduler().run_until(people.scheduler().now() + time);
    }

  private:
    explicit MailWorld(std::shared_ptr<sim::Disk> disk);
    std::shared_ptr<sim::Disk> disk_; // absent: it is in memory, or not ours

  public:
    People people;

  private:
    struct NoNames final : dns::Resolver {
        Task<Result<dns::Answer>> lookup(dns::Name, dns::Type) override {
            co_return fail(ErrorKind::Unavailable, "no names here");
        }
    };
    base::SystemRandom random_;
    NoNames zone_;
    session::MaildropLocks maildrops_;

  public:
    delivery::Router router;
    delivery::Reporter reporter;
    delivery::LocalDelivery local;
    std::vector<queue::QueueId> told; ///< what the courier was told of
    delivery::Intake intake;
    session::Services services;
    session::LoginOptions login; ///< plain passwords from anywhere
};

/// The peer's end of a session: says octets, hears answers.
class Client {
  public:
    explicit Client(MailWorld& world, const char* address = "192.0.2.7");
    virtual ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends a line, or several, and what is answered until nothing more happens without a wait.
    std::string operator()(std::string_view line) {
        say(std::string(line) + "\r\n");
        return hear();
    }
    /// Without anything being done about it but what the engine does at once.
    void say(std::string_view octets) { driver_.offer(octets); }
    std::string hear();
    /// What was answered by now.
    std::string take() { return driver_.take_output(); }
    sim::Driver& driver() { return driver_; }

  protected:
    MailWorld& world_;
    PeerInfo peer_;
    sim::Driver driver_;
};

class SmtpClient final : public Client {
  public:
    /// Has heard the greeting. The login rules are the world's.
    SmtpClient(MailWorld& world, session::SmtpOptions options, const char* address = "192.0.2.7");
    /// MAIL, RCPTs, DATA and the message, all at once.
    void say_message(std::string_view sender, const std::vector<std::string>& recipients,
                     std::string_view message);
};

class Pop3Client final : public Client {
  public:
    explicit Pop3Client(MailWorld& world, session::Pop3Options options);
    explicit Pop3Client(MailWorld& world);
    /// The message of RETR or TOP, dots undone; empty: refused; "cut off: ..." when it broke.
    std::string multi_line(std::string_view command);
};

} // namespace mailcore::test
