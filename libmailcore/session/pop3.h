// A POP3 session: the INBOX of an account behind the POP3 engine.
#pragma once

#include "libmailcore/pop3/server_engine.h"
#include "libmailcore/session/authentication.h"
#include "libmailcore/session/services.h"
#include "libmailcore/store/email.h"

#include <memory>
#include <vector>

namespace mailcore::session {

struct Pop3Options {
    LoginOptions login;
    bool starttls = false;
    std::chrono::seconds idle_time{600};
    std::uint32_t messages_max =
        1'000'000; ///< of a maildrop that may be opened: its list is held in memory
};

/// Owns the engine and answers its events out of store and directory. Loop thread only.
class Pop3Session final : public base::Dialogue {
  public:
    Pop3Session(Services& services, const Pop3Options& options, const PeerInfo& peer,
                base::Waker& waker);

    base::Engine& engine() override { return engine_; }
    void drain() override;
    void closed() override;
    [[nodiscard]] bool finished() const override { return scope_.empty(); }

  private:
    Task<void> answer(pop3::Event event);
    Task<void> log_in(pop3::CommandId id, Task<LoginStep> attempt);
    Task<void> open_maildrop(pop3::CommandId id, LoggedIn who);
    Task<void> retrieve(pop3::Retrieve event);
    Task<void> send_body(pop3::NeedBody event);
    Task<void> commit(pop3::Commit event);
    void refuse(pop3::CommandId id, const LoginRefused& refused);

    Services& services_;
    Pop3Options options_;
    PeerInfo peer_;
    base::Waker& waker_;
    pop3::ServerEngine engine_;
    std::unique_ptr<Authentication> authentication_;
    std::optional<LoggedIn> who_;
    std::unique_ptr<MaildropLocks::Lock> lock_;
    store::MailboxRef inbox_;
    struct Place {
        store::Uid uid;
        store::EmailId email;
    };
    std::vector<Place> places_;                 // by message number
    store::Email email_;                        // that is being sent
    std::optional<store::PiecesReader> reader_; // of email_
    std::uint64_t sent_ = 0;
    Scope scope_; // last: its tasks use the others
};

} // namespace mailcore::session
