// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8; RFC 6154 §3).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

namespace mailcore::session {

namespace {

using imap::Code;
using imap::MailboxAttribute;
using store::AccountEdit;
using store::TxnTask;
using store::WriteTransaction;

TxnTask<Result<store::CreatedMailbox>> create_in(WriteTransaction& txn, store::Access access,
                                                 store::CreateMailbox create) {
    AccountEdit edit(txn, access, access.actor);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto created, store::create_mailbox(edit, std::move(create)));
    MAILCORE_CO_TRY(edit.save());
    co_return created;
}

TxnTask<Result<store::DeletedMailbox>> delete_in(WriteTransaction& txn, store::Access access,
                                                 std::string path) {
    AccountEdit edit(txn, access, access.actor);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto deleted, store::delete_mailbox(edit, std::move(path)));
    MAILCORE_CO_TRY(edit.save());
    co_return deleted;
}

TxnTask<Result<bool>> reclaim_in(WriteTransaction& txn, store::Access access) {
    AccountEdit edit(txn, access, access.actor);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(const bool more, store::reclaim(edit));
    MAILCORE_CO_TRY(edit.save());
    co_return more;
}

TxnTask<Result<store::RenamedMailbox>> rename_in(WriteTransaction& txn, store::Access access,
                                                 std::string from, std::string to) {
    AccountEdit edit(txn, access, access.actor);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto renamed, store::rename_mailbox(edit, std::move(from), std::move(to)));
    MAILCORE_CO_TRY(edit.save());
    co_return renamed;
}

TxnTask<Result<bool>> subscribe_in(WriteTransaction& txn, store::Access access, std::string path,
                                   store::Subscribed subscribed) {
    AccountEdit edit(txn, access, access.actor);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(store::set_subscribed(edit, std::move(path), subscribed));
    MAILCORE_CO_TRY(edit.save());
    co_return true;
}

/// Whether a mailbox that can be opened is there.
TxnTask<Result<bool>> exists_in(store::ReadTransaction& txn, store::Access access,
                                std::string path) {
    auto found = co_await store::find_mailbox(txn, access, access.actor, std::move(path));
    co_return found.has_value() && found->selectable;
}

store::Role role_of(MailboxAttribute use) {
    switch (use) {
    case MailboxAttribute::Archive: return store::Role::Archive;
    case MailboxAttribute::Drafts: return store::Role::Drafts;
    case MailboxAttribute::Junk: return store::Role::Junk;
    case MailboxAttribute::Sent: return store::Role::Sent;
    case MailboxAttribute::Trash: return store::Role::Trash;
    default: return store::Role::None; // \All and \Flagged are views, which we do not have
    }
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Create command) {
    store::CreateMailbox create;
    create.path = command.mailbox.utf8;
    if (!command.special_uses.empty()) create.role = role_of(command.special_uses.front());
    const bool use_is_known = command.special_uses.empty() || (command.special_uses.size() == 1 &&
                                                               create.role != store::Role::None);
    if (!use_is_known) {
        MAILCORE_CO_AWAIT(finish(id, imap::no("A mailbox cannot be used for that", Code::UseAttr)));
        co_return;
    }
    MAILCORE_CO_AWAIT(auto created,
                      services_.store.write([access = access(), create](WriteTransaction& txn) {
                          return create_in(txn, access, create);
                      }));
    if (!created) {
        auto reply = reply_to(created.error(), Doing::Mailboxes);
        if (created.error().kind == ErrorKind::Conflict && create.role != store::Role::None) {
            // One of the two is taken: the name, or the use.
            MAILCORE_CO_AWAIT(auto exists,
                              services_.store.read([access = access(), path = create.path](
                                                       store::ReadTransaction& txn) {
                                  return exists_in(txn, access, path);
                              }));
            if (exists && !*exists)
                reply = imap::no("Another mailbox is used for that", Code::UseAttr);
        }
        co_await finish(id, std::move(reply));
        co_return;
    }
    if (!command.mailbox.supplied.empty() && engine_.enabled().rev2) {
        imap::response::List list;
        list.mailbox = created->path;
        list.old_name = command.mailbox.supplied;
        engine_.respond(id, list);
    }
    MAILCORE_CO_AWAIT(
        finish(id, imap::ok("CREATE completed", imap::MailboxIdCode{object_id(created->id)})));
}

Task<void> ImapSession::run(Id id, imap::command::Delete command) {
    const auto path = command.mailbox.utf8;
    if (view_) {
        // RFC 9051 §6.3.5 leaves open what becomes of a session in it: ours has to leave first.
        MAILCORE_CO_AWAIT(auto found, services_.store.read([access = access(),
                                                            path](store::ReadTransaction& txn) {
            return store::find_mailbox(txn, access, access.actor, path);
        }));
        if (found && view_ && found->id == view_->ref().mailbox) {
            MAILCORE_CO_AWAIT(finish(id, imap::no("The mailbox is selected", Code::InUse)));
            co_return;
        }
    }
    MAILCORE_CO_AWAIT(auto deleted, services_.store.write(
                                        [access = access(), path](WriteTransaction& txn) {
                                            return delete_in(txn, access, path);
                                        },
                                        store::Urgency::Reclaim));
    if (!deleted) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(deleted.error(), Doing::Mailboxes)));
        co_return;
    }
    for (bool more = deleted->messages_left; more;) {
        MAILCORE_CO_AWAIT(auto left, services_.store.write(
                                         [access = access()](WriteTransaction& txn) {
                                             return reclaim_in(txn, access);
                                         },
                                         store::Urgency::Reclaim));
        more = left && *left; // what fails is done by the next one
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("DELETE completed")));
}

Task<void> ImapSession::run(Id id, imap::command::Rename command) {
    MAILCORE_CO_AWAIT(auto renamed,
                      services_.store.write([access = access(), from = command.from.utf8,
                                             to = command.to.utf8](WriteTransaction& txn) {
                          return rename_in(txn, access, from, to);
                      }));
    if (!renamed) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(renamed.error(), Doing::Mailboxes)));
        co_return;
    }
    if (!command.to.supplied.empty() && engine_.enabled().rev2) {
        imap::response::List list;
        list.mailbox = renamed->path;
        list.old_name = command.to.supplied;
        engine_.respond(id, list);
    }
    MAILCORE_CO_AWAIT(finish(id, imap::ok("RENAME completed")));
}

Task<void> ImapSession::change_subscription(Id id, std::string path, store::Subscribed subscribed,
                                            std::string done) {
    MAILCORE_CO_AWAIT(auto changed, services_.store.write([access = access(), path,
                                                           subscribed](WriteTransaction& txn) {
        return subscribe_in(txn, access, path, subscribed);
    }));
    if (!changed) {
        MAILCORE_CO_AWAIT(finish(id, reply_to(changed.error(), Doing::Mailboxes)));
        co_return;
    }
    co_await finish(id, imap::ok(std::move(done)));
}

Task<void> ImapSession::run(Id id, imap::command::Subscribe command) {
    return change_subscription(id, std::move(command.mailbox.utf8), store::Subscribed::Yes,
                               "SUBSCRIBE completed");
}

Task<void> ImapSession::run(Id id, imap::command::Unsubscribe command) {
    return change_subscription(id, std::move(command.mailbox.utf8), store::Subscribed::No,
                               "UNSUBSCRIBE completed");
}

} // namespace mailcore::session
