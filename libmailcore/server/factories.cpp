#include "libmailcore/server/factories.h"

#include "libmailcore/base/assert.h"

namespace mailcore::server {

LoopParts::LoopParts(Scheduler& a_loop, store::Store& store, accounts::Directory& directory,
                     session::MaildropLocks& maildrops, const Secret& fake_salt_key,
                     const std::string& hostname, delivery::LocalOptions local_options,
                     delivery::ReportOptions report_options,
                     std::unique_ptr<dns::Resolver> a_resolver,
                     std::function<void(queue::QueueId)> remote, base::MemoryGate& memory,
                     Random& random, Log log)
    : loop(a_loop), resolver(std::move(a_resolver)), router(directory),
      reporter(loop, store, router, std::move(report_options), random),
      local(store, reporter, local_options, log),
      intake(loop, store, local, std::move(remote), log),
      services{loop,   store,  directory,     maildrops,
               router, intake, *resolver,     std::make_shared<const filter::Pipeline>(),
               random, log,    fake_salt_key, hostname,
               &memory} {}

namespace {

class Factory final : public net::DialogueFactory {
  public:
    Factory(ServiceKind kind, const PartsByLoop& parts, const CurrentOptions& options)
        : kind_(kind), parts_(parts), options_(options) {}

    std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo& peer,
                                           base::Waker& waker) override {
        auto& services = parts_.at(&scheduler)->services;
        const auto options = options_.get();
        const auto smtp = [&](const auto& session_options, const auto& engine_options) {
            return std::make_unique<session::SmtpSession>(services, session_options, engine_options,
                                                          peer, waker);
        };
        switch (kind_) {
        case ServiceKind::Smtp: return smtp(options->mx, options->mx_engine);
        case ServiceKind::Submission: return smtp(options->submission, options->submission_engine);
        case ServiceKind::Submissions:
            return smtp(options->submissions, options->submissions_engine);
        case ServiceKind::Lmtp: return smtp(options->lmtp, options->lmtp_engine);
        case ServiceKind::Imap:
        case ServiceKind::Imaps: return imap_dialogues()(services, *options, peer, waker);
        case ServiceKind::Pop3:
        case ServiceKind::Pop3s: return pop3_dialogues()(services, *options, peer, waker);
        }
        return nullptr;
    }

    std::string farewell(const PeerInfo&) const override {
        switch (kind_) {
        case ServiceKind::Imap:
        case ServiceKind::Imaps: return "* BYE [UNAVAILABLE] busy; try again later\r\n";
        case ServiceKind::Pop3:
        case ServiceKind::Pop3s: return "-ERR [SYS/TEMP] busy; try again later\r\n";
        default: return "421 4.3.2 busy; try again later\r\n";
        }
    }

  private:
    ServiceKind kind_;
    const PartsByLoop& parts_; // the server's, as the next
    const CurrentOptions& options_;
};

} // namespace

bool built_in(ServiceKind kind) {
    switch (kind) {
    case ServiceKind::Imap:
    case ServiceKind::Imaps: return imap_dialogues() != nullptr;
    case ServiceKind::Pop3:
    case ServiceKind::Pop3s: return pop3_dialogues() != nullptr;
    default: return true;
    }
}

std::shared_ptr<net::DialogueFactory> make_factory(ServiceKind kind, const PartsByLoop& parts,
                                                   const CurrentOptions& options) {
    MAILCORE_ASSERT(built_in(kind));
    return std::make_shared<Factory>(kind, parts, options);
}

} // namespace mailcore::server
