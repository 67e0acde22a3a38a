// Accounts in memory behind the IMAP engine: the reference owner for dialogues and fuzzing.
#pragma once

#include "libmailcore/base/scheduler.h"
#include "libmailcore/imap/server_engine.h"
#include "libmailcore/mime/structure.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailcore::imap {

class MemoryDialogue;

struct MemoryMessage {
    std::uint32_t uid = 0;
    std::uint64_t modseq = 0;
    std::uint64_t email = 0;
    FlagSet flags;
    mime::DateTime date;
    std::shared_ptr<const std::string> octets;
};

struct MemoryMailbox {
    std::uint64_t id = 0;
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 1;
    std::vector<MemoryMessage> messages;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> expunged; ///< UID, MODSEQ
    std::vector<MailboxAttribute> special_uses;

    [[nodiscard]] MemoryMessage* find(std::uint32_t uid);
};

/// One user's mail and password. Outlives the connections to it.
struct MemoryAccount {
    std::string password;
    std::map<std::string, MemoryMailbox> mailboxes;
    std::set<std::string> subscribed;
    std::uint64_t modseq = 1;
    std::uint64_t last_id = 0;
    std::uint32_t last_uid_validity = 1000;
    std::set<MemoryDialogue*> sessions; ///< logged in now
    bool bodies_fail = false;
    bool appends_fail = false;

    MemoryAccount() { create("INBOX"); }
    MemoryMailbox& create(const std::string& name);
    MemoryMessage& add(MemoryMailbox& mailbox, FlagSet flags, mime::DateTime date,
                       std::shared_ptr<const std::string> octets, std::uint64_t email = 0);
    /// Tells every session but `except` that something changed.
    void tell(const MemoryDialogue* except);
};
using MemoryAccounts = std::map<std::string, MemoryAccount>;

/// Owns an engine and answers each event, at once or (with `Pace::Slow`) in a later turn of the
/// scheduler.
class MemoryDialogue final : public base::Dialogue {
  public:
    enum class Pace : std::uint8_t { Fast, Slow };

    MemoryDialogue(MemoryAccounts& accounts, Options options, const PeerInfo& peer,
                   base::Waker& waker, base::Scheduler& scheduler, Pace pace = Pace::Fast,
                   std::vector<std::string>* log = nullptr);
    ~MemoryDialogue() override;

    base::Engine& engine() override { return engine_; }
    void drain() override;
    void closed() override;
    /// Something of the account has changed.
    void account_changed();

  private:
    /// A message as this session has been told it is.
    struct Seen {
        std::uint32_t uid = 0;
        std::uint64_t modseq = 0;
    };
    struct Fetching {
        CommandId id;
        command::Fetch command;
        std::vector<std::uint32_t> uids;
        std::size_t next = 0;
        bool missing = false;
        std::map<std::uint64_t, std::string> bodies; ///< by token
    };

    void record(std::string text) {
        if (log_) log_->push_back(std::move(text));
    }
    void handle(Event& event);
    void log_in(CommandId id, std::string_view user, std::string_view password);
    void sasl_plain(CommandId id, std::string_view octets);
    void sync();
    void finish(CommandId id, Reply reply);
    void leave();
    [[nodiscard]] MemoryMailbox* selected();
    [[nodiscard]] std::uint64_t highest_modseq(const MemoryMailbox& mailbox) const;
    /// UIDs of the set as this session sees the mailbox; nothing if it names a message that is not
    /// there.
    [[nodiscard]] std::optional<std::vector<std::uint32_t>> uids_of(const SequenceSet& set,
                                                                    Addressing addressing);
    [[nodiscard]] std::uint32_t number_of(std::uint32_t uid) const;

    void run(CommandId id, command::Noop&);
    void run(CommandId id, command::Authenticate&);
    void run(CommandId id, command::Login&);
    void run(CommandId id, command::Select&);
    void run(CommandId id, command::Create&);
    void run(CommandId id, command::Delete&);
    void run(CommandId id, command::Rename&);
    void run(CommandId id, command::Subscribe&);
    void run(CommandId id, command::Unsubscribe&);
    void run(CommandId id, command::List&);
    void run(CommandId id, command::Lsub&);
    void run(CommandId id, command::Namespace&);
    void run(CommandId id, command::Status&);
    void run(CommandId id, command::Append&);
    void run(CommandId id, command::Idle&);
    void run(CommandId id, command::Check&);
    void run(CommandId id, command::Close&);
    void run(CommandId id, command::Unselect&);
    void run(CommandId id, command::Expunge&);
    void run(CommandId id, command::Search&);
    void run(CommandId id, command::Fetch&);
    void run(CommandId id, command::Store&);
    void run(CommandId id, command::Copy&);
    void run(CommandId id, command::Move&);
    template <class AnsweredByTheEngine>
    void run(CommandId, AnsweredByTheEngine&);

    template <class CopyOrMove>
    std::optional<CopyUid> copy(CommandId id, CopyOrMove& command,
                                std::vector<std::uint32_t>& uids);
    void expunge(MemoryMailbox& mailbox, const std::function<bool(const MemoryMessage&)>& which);
    void list_one(CommandId id, const command::List& list, const std::string& name,
                  bool selected_by);
    response::MailboxStatus status_of(const std::string& name,
                                      const std::vector<StatusItem>& items);
    bool matches(const SearchKey& key, const MemoryMessage& message, std::uint32_t number);
    void fetch_on();
    response::FetchValue fetched(const FetchItem& item, const MemoryMessage& message,
                                 std::uint64_t token);

    MemoryAccounts& accounts_;
    std::uint64_t append_octets_max_;
    ServerEngine engine_;
    base::Waker& waker_;
    base::Scheduler& scheduler_;
    Pace pace_;
    std::vector<std::string>* log_;    // absent: nobody listens
    MemoryAccount* account_ = nullptr; // absent until somebody has logged in
    std::string mailbox_;              // selected; empty: none
    bool read_only_ = false;
    std::vector<Seen> view_;
    NumberSet saved_; // "$", as UIDs
    std::optional<Fetching> fetching_;
    std::optional<command::Append> append_;
    std::string appended_;
    std::vector<std::pair<command::AppendedMessage, std::string>> complete_; // MULTIAPPEND's
    bool posted_ = false;
    bool closed_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace mailcore::imap
