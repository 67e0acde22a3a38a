// What one loop has, and how its connections get their sessions.
#pragma once

#include "libmailcore/delivery/intake.h"
#include "libmailcore/delivery/local.h"
#include "libmailcore/delivery/report.h"
#include "libmailcore/delivery/router.h"
#include "libmailcore/dns/resolver.h"
#include "libmailcore/net/dialogue_factory.h"
#include "libmailcore/server/config.h"
#include "libmailcore/session/imap.h"
#include "libmailcore/session/pop3.h"
#include "libmailcore/session/services.h"
#include "libmailcore/session/smtp.h"

#include <map>
#include <memory>
#include <mutex>

namespace mailcore::server {

/// The parts of the server that live on one loop, or on whatever schedules for one.
struct LoopParts {
    LoopParts(Scheduler& a_loop, store::Store& store, accounts::Directory& directory,
              session::MaildropLocks& maildrops, const Secret& fake_salt_key,
              const std::string& hostname, delivery::LocalOptions local_options,
              delivery::ReportOptions report_options, std::unique_ptr<dns::Resolver> a_resolver,
              std::function<void(queue::QueueId)> remote, base::MemoryGate& memory, Random& random,
              Log log);

    Scheduler& loop;
    std::unique_ptr<dns::Resolver> resolver;
    delivery::Router router;
    delivery::Reporter reporter;
    delivery::LocalDelivery local;
    delivery::Intake intake;
    session::Services services;
};

/// Options of all services: replaced as a whole by a reload, kept by each connection as they were.
struct ServiceOptions {
    std::shared_ptr<const session::SmtpOptions> mx, submission, submissions, lmtp;
    std::shared_ptr<const smtp::ServerOptions> mx_engine, submission_engine, submissions_engine,
        lmtp_engine;
    session::ImapOptions imap;
    session::Pop3Options pop3;
};

/// The current ServiceOptions. Any thread.
class CurrentOptions {
  public:
    [[nodiscard]] std::shared_ptr<const ServiceOptions> get() const {
        const std::scoped_lock lock(mutex_);
        return options_;
    }
    void set(std::shared_ptr<const ServiceOptions> options) {
        const std::scoped_lock lock(mutex_);
        options_ = std::move(options);
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const ServiceOptions> options_;
};

/// Which parts belong to a loop; filled before the loops run, then only read.
using PartsByLoop = std::map<const base::Scheduler*, LoopParts*>;

/// Makes the server's side of one connection.
using DialogueMaker = std::unique_ptr<base::Dialogue> (*)(session::Services& services,
                                                          const ServiceOptions& options,
                                                          const PeerInfo& peer,
                                                          base::Waker& waker);

/// For services that a build may leave out (cmake/parts.cmake); nullptr where it has.
[[nodiscard]] DialogueMaker imap_dialogues();
[[nodiscard]] DialogueMaker pop3_dialogues();

/// A factory for one kind of service, which must be `built_in`.
[[nodiscard]] std::shared_ptr<net::DialogueFactory>
make_factory(ServiceKind kind, const PartsByLoop& parts, const CurrentOptions& options);

} // namespace mailcore::server
