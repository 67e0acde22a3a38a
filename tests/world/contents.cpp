#include "tests/world/contents.h"

#include "libmailcore/store/account.h"
#include "libmailcore/store/filing.h"
#include "libmailcore/store/flags.h"
#include "libmailcore/store/mailbox.h"
#include "tests/world/letters.h"
#include "tests/world/run_now.h"

#include <fmt/format.h>

namespace mailcore::world {

namespace {

void add_flags(sim::VirtualScheduler& scheduler, store::Store& store, store::Access access,
               store::MailboxRef ref, Folder& folder) {
    using store::Flag;
    constexpr std::pair<Flag, const char*> names[] = {{Flag::Seen, "\\Seen"},
                                                      {Flag::Answered, "\\Answered"},
                                                      {Flag::Flagged, "\\Flagged"},
                                                      {Flag::Deleted, "\\Deleted"},
                                                      {Flag::Draft, "\\Draft"}};
    const auto batch = run_now(scheduler, store.read([=](store::ReadTransaction& txn) {
                           return store::read_flags(txn, access, ref, store::UidSet::all());
                       })).value();
    for (const auto& message : batch.messages) {
        auto& flags = folder.messages[message.uid.value].flags;
        for (const auto& [flag, name] : names)
            if (message.system.has(flag)) flags.insert(name);
        for (std::size_t i = 0; i < batch.keywords.size(); ++i)
            if ((message.keywords >> i & 1) != 0) flags.insert(batch.keywords[i]);
    }
}

struct Newest {
    store::MailboxId mailbox;
    store::Email email;
};

store::TxnTask<Result<Newest>> find_newest(store::WriteTransaction& txn, store::AccountId account,
                                           std::string folder) {
    const auto access = store::Access::owner(account);
    MAILCORE_CO_TRY(const auto mailbox, store::find_mailbox(txn, access, account, folder));
    MAILCORE_CO_TRY(auto batch,
                    store::read_emails(txn, access, {account, mailbox.id}, store::UidSet::all()));
    if (batch.emails.empty()) co_return fail(ErrorKind::NotFound, "nothing is there");
    Newest newest;
    newest.mailbox = mailbox.id;
    newest.email = std::move(batch.emails.back().email);
    co_return newest;
}

} // namespace

std::vector<Waiting> read_queue(sim::VirtualScheduler& scheduler, store::Store& store) {
    std::vector<Waiting> waiting;
    const auto messages = run_now(scheduler, store.read([](store::ReadTransaction& txn) {
        return queue::list_messages(txn, queue::QueueId{}, 1000);
    }));
    for (const auto& message : messages.value().messages) {
        const auto octets =
            run_now(scheduler, store::read_octets(store, message.pieces, 0, 64 * 1024));
        const auto recipients =
            run_now(scheduler, store.read([id = message.id](store::ReadTransaction& txn) {
                return queue::read_recipients(txn, id, 0, 1000);
            }));
        for (const auto& recipient : recipients.value().recipients)
            waiting.push_back({recipient.address, message.sender,
                               octets ? letter_of(*octets) : std::nullopt,
                               fmt::format("{}, tried {} times: {} {}", to_string(recipient.state),
                                           recipient.attempts, recipient.status, recipient.reply)});
    }
    return waiting;
}

std::vector<Folder> read_folders(sim::VirtualScheduler& scheduler, store::Store& store,
                                 store::AccountId account, const std::string& owner) {
    std::vector<Folder> folders;
    const auto access = store::Access::owner(account);
    const auto list = run_now(scheduler, store.read([=](store::ReadTransaction& txn) {
                          return store::list_mailboxes(txn, access, account);
                      })).value();
    for (const auto& listed : list.mailboxes) {
        Folder folder;
        folder.key = {owner, listed.path, listed.mailbox.uidvalidity.value};
        folder.uidnext = listed.mailbox.uidnext.value;
        folder.modseq = listed.mailbox.highest_modseq.value;
        const store::MailboxRef ref{account, listed.mailbox.id};
        std::optional<store::Uid> from{store::Uid{1}};
        while (from) {
            const auto batch =
                run_now(scheduler, store.read([=, at = *from](store::ReadTransaction& txn) {
                    return store::read_emails(txn, access, ref, store::UidSet::all(), at);
                })).value();
            for (const auto& message : batch.emails) {
                auto& at_rest = folder.messages[message.uid.value];
                at_rest.received = message.email.received;
                at_rest.octets =
                    run_now(scheduler,
                            store::read_octets(store, message.email.pieces, 0,
                                               static_cast<std::size_t>(message.email.size)))
                        .value_or("unreadable");
            }
            from = batch.next;
        }
        if (!folder.messages.empty()) add_flags(scheduler, store, access, ref, folder);
        folders.push_back(std::move(folder));
    }
    return folders;
}

std::optional<queue::QueueId> queue_again(sim::VirtualScheduler& scheduler, store::Store& store,
                                          store::AccountId account, const std::string& owner) {
    auto again = [account,
                  owner](store::WriteTransaction& txn) -> store::TxnTask<Result<queue::QueueId>> {
        MAILCORE_CO_TRY(const auto newest, find_newest(txn, account, "INBOX"));
        queue::Message message;
        message.arrived = txn.now();
        message.pieces = newest.email.pieces;
        message.size = newest.email.size;
        message.recipients = 1;
        queue::Recipient recipient;
        recipient.address = owner;
        recipient.route = queue::Route::Local;
        recipient.account = account;
        recipient.next_try = message.arrived;
        std::vector<queue::Recipient> recipients;
        recipients.push_back(std::move(recipient));
        MAILCORE_CO_TRY(const auto id,
                        queue::enqueue(txn, std::move(message), std::move(recipients)));
        co_return id;
    };
    const auto id = run_now(scheduler, store.write(std::move(again)));
    return id ? std::optional(*id) : std::nullopt;
}

void file_again(sim::VirtualScheduler& scheduler, store::Store& store, store::AccountId account,
                const std::string& folder) {
    auto again = [account, folder](store::WriteTransaction& txn) -> store::TxnTask<Result<void>> {
        MAILCORE_CO_TRY(const auto newest, find_newest(txn, account, folder));
        store::AccountEdit edit(txn, store::Access::owner(account), account);
        MAILCORE_CO_TRY(edit.begin());
        store::NewEmail email;
        email.pieces = newest.email.pieces;
        email.structure = newest.email.structure;
        email.structure_offset = newest.email.structure_offset;
        store::Filing filing;
        filing.mailbox = newest.mailbox;
        filing.received = newest.email.received;
        MAILCORE_CO_TRY(store::file_email(edit, std::move(email), std::move(filing)));
        MAILCORE_CO_TRY(edit.save());
        co_return Result<void>{};
    };
    (void)run_now(scheduler, store.write(std::move(again))); // where nothing is, nothing is doubled
}

} // namespace mailcore::world
