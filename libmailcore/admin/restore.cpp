// Mail of the past, filed again beside what is there now.
#include "libmailcore/admin/detail/mail.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/mime/date.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/journal_store.h"
#include "libmailcore/store/past_store.h"

#include <algorithm>
#include <utility>

namespace mailcore::admin {

using store::ReadTransaction;
using store::Uid;

/// Where filing is.
struct PastRestore {
    std::unique_ptr<store::PastStore> past;
    accounts::Account account; ///< now
    accounts::Account then;
    std::vector<store::ListedMailbox> mailboxes; ///< of the past
    std::string into;
    bool all = false;

    std::size_t at = 0; ///< of `mailboxes`
    Uid from{1};        ///< its messages before that are done
    // Of the mailbox at hand:
    bool looked = false;                  ///< whether it is still there
    std::optional<detail::Target> target; ///< once there is something to file
    bool had_mail = false;                ///< of the target, before: of an earlier run
    std::set<std::uint32_t> taken;        ///< of it, UIDs that stand for messages of the past

    void next_mailbox() {
        ++at;
        from = Uid{1};
        looked = had_mail = false;
        target.reset();
        taken.clear();
    }
};

namespace detail {

namespace {

using store::TxnTask;
using store::WriteTransaction;

/// What one transaction adds at most, but for a single larger message.
constexpr std::uint64_t batch_octets_max = 8 * 1024 * 1024;
constexpr std::size_t step_messages = 64; // a block's
constexpr std::size_t failures_max = 100; // named in one answer

/// What a step did.
struct Step {
    std::uint64_t filed = 0, known = 0, left_out = 0;
    Json failed = Json::array();
    std::shared_ptr<Batch> batch = std::make_shared<Batch>();
    std::uint64_t batch_octets = 0;

    void fail(const std::string& mailbox, Uid uid, const std::string& why) {
        if (failed.size() < failures_max)
            failed.push_back(Json{{"mailbox", mailbox}, {"uid", uid.value}, {"error", why}});
    }
};

/// Whether the very same email is in the same mailbox now.
Task<Result<bool>> still_there(Context& context, const PastRestore& restore,
                               store::MailboxId mailbox, const store::Email& email) {
    if (restore.account.id != restore.then.id) co_return false;
    const auto owner = restore.account.id;
    MAILCORE_CO_TRY(const auto places,
                    context.store.read([owner, id = email.id](ReadTransaction& txn) {
                        return store::memberships(txn, owner, id);
                    }));
    if (std::ranges::find(places, mailbox, &store::Membership::mailbox) == places.end())
        co_return false;
    MAILCORE_CO_AWAIT(auto now, context.store.read([owner, id = email.id](ReadTransaction& txn) {
        return store::read_email(txn, owner, id);
    }));
    // After a restore its number may be another email's.
    co_return now&&* now == email;
}

/// Reads a body of the past into a new one; in bounded pieces.
Task<Result<void>> read_body(Context& context, PastRestore& restore, const store::Email& email,
                             Incoming& into) {
    auto& scheduler = co_await base::current_scheduler();
    const auto writer = context.store.new_blob(scheduler, email.size);
    mime::Parser parser;
    store::PiecesReader pieces(*restore.past, email.pieces);
    pieces.start(0, email.size);
    while (true) {
        MAILCORE_CO_TRY(const auto octets, pieces.next());
        if (octets.empty()) break;
        parser.feed(octets);
        MAILCORE_CO_TRY(writer->append(octets));
    }
    into.email.describe(parser.finish(), 0);
    MAILCORE_CO_TRY(into.blob, writer->finish());
    co_return Result<void>{};
}

/// The mailbox that takes what was in the one at hand.
Task<Result<void>> find_target(Context& context, PastRestore& restore) {
    const auto path =
        restore.into + store::hierarchy_separator + restore.mailboxes[restore.at].path;
    const auto owner = restore.account.id;
    const auto find = [owner, path](ReadTransaction& txn) {
        return store::find_mailbox(txn, store::Access::owner(owner), owner, path);
    };
    MAILCORE_CO_AWAIT(auto found, context.store.read(find));
    if (!found && found.error().kind != ErrorKind::NotFound)
        co_return std::unexpected(std::move(found).error());
    if (!found || !found->selectable) {
        MAILCORE_CO_TRY(context.store.write(
            [owner, path](WriteTransaction& txn) -> TxnTask<Result<store::CreatedMailbox>> {
                store::AccountEdit edit(txn, store::Access::owner(owner), owner);
                MAILCORE_CO_TRY(edit.begin());
                store::CreateMailbox create;
                create.path = path;
                create.subscribe = true;
                MAILCORE_CO_TRY(auto created, store::create_mailbox(edit, std::move(create)));
                MAILCORE_CO_TRY(edit.save());
                co_return created;
            }));
        MAILCORE_CO_AWAIT(found, context.store.read(find));
        if (!found) co_return std::unexpected(std::move(found).error());
    }
    restore.target = Target{restore.account, std::move(*found)};
    restore.had_mail = restore.target->mailbox.exists > 0;
    co_return Result<void>{};
}

Task<Result<void>> file_batch(Context& context, PastRestore& restore, Step& step) {
    auto batch = std::exchange(step.batch, std::make_shared<Batch>());
    step.batch_octets = 0;
    if (batch->emails.empty()) co_return Result<void>{};
    if (!restore.target) {
        MAILCORE_CO_TRY(find_target(context, restore));
    }
    // It was an administrator who wanted it there.
    batch->over_quota = true;
    batch->uidvalidity = restore.target->mailbox.uidvalidity.value;
    if (restore.had_mail) batch->looked_until = Uid{1};
    Uid uidnext;
    MAILCORE_CO_TRY(add_batch(context, *restore.target, batch, restore.taken, uidnext));
    const auto known =
        static_cast<std::uint64_t>(std::ranges::count_if(batch->emails, &Incoming::known));
    step.known += known;
    step.filed += batch->emails.size() - known;
    co_return Result<void>{};
}

/// One message of the past into the batch, unless it is still there.
Task<Result<void>> take(Context& context, PastRestore& restore, const store::Message& message,
                        store::NamedFlags flags, Step& step) {
    const auto& mailbox = restore.mailboxes[restore.at];
    MAILCORE_CO_AWAIT(auto email, restore.past->read([owner = restore.then.id,
                                                      id = message.email](ReadTransaction& txn) {
        return store::read_email(txn, owner, id);
    }));
    if (!email) {
        step.fail(mailbox.path, message.uid, email.error().detail);
        co_return Result<void>{};
    }
    if (!restore.all) {
        MAILCORE_CO_TRY(const bool there,
                        still_there(context, restore, mailbox.mailbox.id, *email));
        if (there) {
            ++step.left_out;
            co_return Result<void>{};
        }
    }
    Incoming incoming;
    auto body = co_await read_body(context, restore, *email, incoming);
    if (!body && body.error().kind != ErrorKind::Corrupt &&
        body.error().kind != ErrorKind::NotFound)
        co_return std::unexpected(std::move(body).error());
    if (!body) {
        step.fail(mailbox.path, message.uid, body.error().detail);
        co_return Result<void>{};
    }
    incoming.filing.received = message.received;
    incoming.filing.flags = std::move(flags);
    incoming.filing.quota = store::QuotaCheck::Ignored;
    step.batch->emails.push_back(std::move(incoming));
    step.batch_octets += email->size;
    if (step.batch_octets >= batch_octets_max) {
        MAILCORE_CO_TRY(file_batch(context, restore, step));
    }
    co_return Result<void>{};
}

/// The next messages of the mailbox at hand.
Task<Result<void>> take_some(Context& context, PastRestore& restore, Step& step) {
    const auto& mailbox = restore.mailboxes[restore.at].mailbox;
    const store::MailboxRef ref{restore.then.id, mailbox.id};
    if (!restore.looked) {
        restore.looked = true;
        const store::MailboxRef here{restore.account.id, mailbox.id};
        MAILCORE_CO_AWAIT(auto now, context.store.read([here](ReadTransaction& txn) {
            return store::mailbox_status(txn, store::Access::owner(here.owner), here);
        }));
        // One that was deleted comes back even without messages.
        if (!now && now.error().kind == ErrorKind::NotFound) {
            MAILCORE_CO_TRY(find_target(context, restore));
        }
    }
    MAILCORE_CO_TRY(
        const auto listed, restore.past->read([ref, from = restore.from](ReadTransaction& txn) {
            return list_messages(txn, store::Access::owner(ref.owner), ref, from, step_messages);
        }));
    auto flags = listed.flags.messages.begin();
    for (const auto& message : listed.messages.messages) {
        while (flags != listed.flags.messages.end() && flags->uid < message.uid) ++flags;
        store::NamedFlags named;
        if (flags != listed.flags.messages.end() && flags->uid == message.uid) {
            named.system = flags->system;
            for (std::size_t bit = 0; bit < listed.flags.keywords.size(); ++bit)
                if ((flags->keywords >> bit & 1) != 0 && !listed.flags.keywords[bit].empty())
                    named.keywords.push_back(listed.flags.keywords[bit]);
        }
        MAILCORE_CO_TRY(take(context, restore, message, std::move(named), step));
    }
    MAILCORE_CO_TRY(file_batch(context, restore, step));
    if (listed.messages.next)
        restore.from = *listed.messages.next;
    else
        restore.next_mailbox();
    co_return Result<void>{};
}

bool is_at_or_below(std::string_view path, std::string_view above) {
    return path.starts_with(above) &&
           (path.size() == above.size() || path[above.size()] == store::hierarchy_separator);
}

} // namespace

Answer restore_begin(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto at = mime::parse_rfc3339(request.text("at"));
    auto mailbox = request.text_or("mailbox", "");
    auto into = request.text_or("into", "");
    const bool all = request.flag("all");
    const auto journal = request.text_or("journal", "");
    const auto position = request.number_or("position", 0);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    if (!at) co_return fail(ErrorKind::Rejected, "at: expected 2003-07-01T10:52:37Z");
    auto* const journal_store = dynamic_cast<store::JournalStore*>(&context.store);
    if (!journal_store) co_return fail(ErrorKind::Rejected, "a store in memory has no past");

    context.restore.reset(); // its index goes
    auto restore = std::make_shared<PastRestore>();
    restore->all = all;
    MAILCORE_CO_TRY(restore->account, account_of(context, address));
    MAILCORE_CO_AWAIT(auto past, base::offload([journal_store, time = at->time, journal, position] {
                          return journal_store->past(time, journal, position);
                      }));
    if (!past) co_return std::unexpected(std::move(past).error());
    restore->past = std::move(*past);
    MAILCORE_CO_AWAIT(auto then, account_in(*restore->past, address));
    if (!then && then.error().kind == ErrorKind::NotFound)
        co_return fail(ErrorKind::NotFound, "there was no account " + address + " then");
    if (!then) co_return std::unexpected(std::move(then).error());
    restore->then = std::move(*then);

    if (into.empty()) {
        // "Restored 2026-01-31 12.00": no separator in it.
        into = "Restored " + mime::format_utc(at->time).substr(0, 16);
        std::ranges::replace(into, 'T', ' ');
        std::ranges::replace(into, ':', '.');
    }
    const auto levels = store::split_path(into);
    if (!levels) co_return fail(ErrorKind::Rejected, "into: " + levels.error().detail);
    restore->into = store::join_path(*levels);
    if (!mailbox.empty()) {
        const auto wanted = store::split_path(mailbox);
        if (!wanted) co_return fail(ErrorKind::Rejected, "mailbox: " + wanted.error().detail);
        mailbox = store::join_path(*wanted);
    }
    MAILCORE_CO_TRY(auto list, restore->past->read([id = restore->then.id](ReadTransaction& txn) {
        return store::list_mailboxes(txn, store::Access::owner(id), id);
    }));
    std::uint64_t messages = 0;
    for (auto& each : list.mailboxes) {
        if (!each.mailbox.selectable) continue;
        if (!mailbox.empty() && !is_at_or_below(each.path, mailbox)) continue;
        messages += each.mailbox.exists;
        restore->mailboxes.push_back(std::move(each));
    }
    if (restore->mailboxes.empty())
        co_return fail(ErrorKind::NotFound, "there was no mailbox " + mailbox + " then");
    context.restore = restore;
    co_return text_of(Json{{"at", mime::format_utc(restore->past->moment().written)},
                           {"into", restore->into},
                           {"mailboxes", restore->mailboxes.size()},
                           {"messages", messages}});
}

Answer restore_step(Context& context, std::string text) {
    Request request(text);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    const auto restore = context.restore;
    if (!restore) co_return fail(ErrorKind::NotFound, "nothing is being restored");
    Step step;
    const auto mailbox = restore->mailboxes[restore->at].path;
    auto took = co_await take_some(context, *restore, step);
    const bool done = !took || restore->at == restore->mailboxes.size();
    if (done) context.restore.reset();
    if (!took) co_return std::unexpected(std::move(took).error());
    co_return text_of(Json{{"mailbox", mailbox},
                           {"filed", step.filed},
                           {"known", step.known},
                           {"left_out", step.left_out},
                           {"failed", std::move(step.failed)},
                           {"done", done}});
}

} // namespace detail

} // namespace mailcore::admin
