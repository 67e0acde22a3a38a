// An IMAP session: an account's mailboxes behind the IMAP engine.
#pragma once

#include "libmailcore/imap/server_engine.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/session/authentication.h"
#include "libmailcore/session/mailbox_view.h"
#include "libmailcore/session/services.h"
#include "libmailcore/store/email.h"
#include "libmailcore/store/filing.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::session {

struct ImapOptions {
    LoginOptions login;
    bool starttls = false;
    std::chrono::seconds idle_time{1800}; ///< between commands and within IDLE; 30 minutes at least
    std::uint64_t append_octets_max = 50 * 1024 * 1024; ///< of a message that APPEND brings
    std::size_t append_messages_max = 500;              ///< of one APPEND (RFC 3502)
    /// Takes messages whose header fields have 8-bit octets from clients that have not enabled
    /// UTF8=ACCEPT, against RFC 6855 §4: old mail that is copied from elsewhere has some.
    bool append_8bit_headers = false;
    /// How often a long session is asked about: whether its login still counts.
    std::chrono::seconds login_check_time{300};
};

class SectionReader;
class Unreadable;

/// Owns the engine and answers its events out of store and directory: the only place where IMAP and
/// the store meet. A command is a Task; between commands there is none, and no buffer. Loop thread
/// only.
class ImapSession final : public base::Dialogue {
  public:
    ImapSession(Services& services, const ImapOptions& options, const PeerInfo& peer,
                base::Waker& waker);
    ~ImapSession() override;

    base::Engine& engine() override { return engine_; }
    void drain() override;
    void closed() override;
    [[nodiscard]] bool finished() const override { return scope_.empty(); }
    [[nodiscard]] std::size_t memory() const override;

  private:
    using Id = imap::CommandId;
    /// A message that has come.
    struct Appended {
        store::NewBlobRef blob;
        store::NewEmail email;
        store::Filing filing;
    };
    /// Messages on their way in.
    struct Appending {
        Id id;
        store::MailboxRef mailbox;
        imap::command::AppendedMessage message;
        std::unique_ptr<store::BlobWriter> writer;
        mime::Parser parser;
        /// MULTIAPPEND's that have come already; at most `append_messages_max`.
        std::vector<Appended> complete;
        std::uint64_t octets = 0; ///< of them all
    };
    /// The values of one FETCH response that the engine pulls, by token.
    using Pulls = std::vector<std::shared_ptr<SectionReader>>;

    // imap.cpp: events, login, what all commands share
    void handle(imap::Event event);
    Task<void> answer(imap::CommandReceived received);
    Task<void> log_in(Id id, std::shared_ptr<Authentication> authentication,
                      Task<LoginStep> attempt);
    Task<bool> login_still_counts();
    [[nodiscard]] store::Access access() const { return {who_->account, who_->rights}; }
    [[nodiscard]] store::MailboxRef ref(store::MailboxId mailbox) const {
        return {who_->account, mailbox};
    }
    /// Tells what happened in the selected mailbox, as far as it may be told now.
    Task<void> refresh();
    void announce(const MailboxView::News& news);
    /// FLAGS and PERMANENTFLAGS, if one of `keywords` is new to the client: before the answer that
    /// uses it (RFC 9051 §7.3.5).
    void tell_keywords(const std::vector<std::string>& keywords);
    void tell_flags_in_use();
    [[nodiscard]] imap::PermanentFlags permanent_flags() const;
    /// The tagged answer, with what happened meanwhile before it.
    Task<void> finish(Id id, imap::Reply reply);
    /// The UIDs that a command means, as the client sees the mailbox; nothing: a message number is
    /// beyond it.
    [[nodiscard]] std::optional<store::UidSet> resolve(const imap::SequenceSet& set,
                                                       imap::Addressing addressing) const;
    /// Waits until the engine has room for more answers and all that it pulls. False: the command
    /// is gone.
    Task<bool> room(Id id);
    void leave_mailbox();
    void changed(const store::Change& change);
    Task<void> tell_idle();
    /// Stores flags in one transaction together with a look at what others have changed before,
    /// which is announced first.
    Task<Result<store::StoredFlags>> store_flags(store::StoreFlags wanted);
    void respond(Id id, imap::ResponseCode code, std::string text);

    // imap/<command>.cpp
    Task<void> run(Id id, imap::command::Noop command);
    Task<void> run(Id id, imap::command::Check command);
    Task<void> run(Id id, imap::command::Authenticate command);
    Task<void> run(Id id, imap::command::Login command);
    Task<void> run(Id id, imap::command::Select command);
    Task<void> run(Id id, imap::command::Create command);
    Task<void> run(Id id, imap::command::Delete command);
    Task<void> run(Id id, imap::command::Rename command);
    Task<void> run(Id id, imap::command::Subscribe command);
    Task<void> run(Id id, imap::command::Unsubscribe command);
    Task<void> run(Id id, imap::command::List command);
    Task<void> run(Id id, imap::command::Lsub command);
    Task<void> run(Id id, imap::command::Namespace command);
    Task<void> run(Id id, imap::command::Status command);
    Task<void> run(Id id, imap::command::Append command);
    Task<void> run(Id id, imap::command::Idle command);
    Task<void> run(Id id, imap::command::Close command);
    Task<void> run(Id id, imap::command::Unselect command);
    Task<void> run(Id id, imap::command::Expunge command);
    Task<void> run(Id id, imap::command::Search command);
    Task<void> run(Id id, imap::command::Fetch command);
    Task<void> run(Id id, imap::command::Store command);
    Task<void> run(Id id, imap::command::Copy command);
    Task<void> run(Id id, imap::command::Move command);
    template <class AnsweredByTheEngine>
    Task<void> run(Id id, AnsweredByTheEngine command);

    void tell_selected(Id id, const store::MailboxSnapshot& snapshot);
    void tell_changes(Id id, store::MailboxChanges changes, const imap::command::KnownState& known);
    Task<void> claim_recent(store::MailboxRef mailbox);
    Task<void> change_subscription(Id id, std::string path, store::Subscribed subscribed,
                                   std::string done);
    Task<Result<imap::response::MailboxStatus>> status_of(std::string path, store::Mailbox mailbox,
                                                          std::vector<imap::StatusItem> items);
    Task<void> take_chunk(std::shared_ptr<Appending> appending, imap::BodyChunk chunk);
    [[nodiscard]] std::optional<imap::Reply> no_room_for(std::uint64_t octets) const;
    Task<std::optional<imap::Reply>> complete_message(Appending& appending);
    Task<void> take_next(std::shared_ptr<Appending> appending,
                         imap::command::AppendedMessage message);
    Task<void> file_appended(std::shared_ptr<Appending> appending);
    Task<Result<bool>> expunge_deleted(store::UidSet uids);
    Task<Result<store::UidSet>> changed_of(Id id, const imap::command::Fetch& command,
                                           store::UidSet uids);
    Task<bool> fetch_messages(Id id, const imap::command::Fetch& command, store::UidSet uids,
                              Unreadable& unreadable, imap::Reply& outcome);
    Task<void> send_body(imap::NeedBody need, std::shared_ptr<SectionReader> reader);
    Task<std::optional<imap::CopyUid>>
    copy(Id id, imap::SequenceSet set, imap::Addressing addressing, std::string path, bool moves);

    Services& services_;
    ImapOptions options_;
    PeerInfo peer_;
    base::Waker& waker_;
    imap::ServerEngine engine_;
    std::shared_ptr<Authentication> authentication_; // shared with the task that runs it
    std::optional<LoggedIn> who_;
    Instant login_checked_;
    std::unique_ptr<store::Subscription> subscription_;

    std::optional<MailboxView> view_; // of the selected mailbox
    store::Rights rights_;            // in the selected mailbox, when it was selected
    bool read_only_ = false;
    store::UidSet saved_; // the search result variable "$" (RFC 9051 §6.4.4.1)

    std::shared_ptr<Appending> appending_; // shared with the task at it
    Pulls pulls_;
    std::optional<base::Completion<bool>> room_; // somebody waits for it
    bool idling_ = false;
    bool telling_ = false; // tell_idle runs
    bool tell_again_ = false;
    imap::CommandId aborted_;
    Scope scope_; // last: its tasks use the others
};

} // namespace mailcore::session
