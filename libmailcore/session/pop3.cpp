#include "libmailcore/session/pop3.h"

#include "libmailcore/mime/structure.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/changes.h"
#include "libmailcore/store/filing.h"

#include <fmt/format.h>

namespace mailcore::session {

namespace {

using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

pop3::Options engine_options(const Services& services, const Pop3Options& options,
                             const PeerInfo& peer) {
    pop3::Options engine;
    engine.greeting = services.hostname + " POP3 ready";
    engine.mechanisms = options.login.mechanisms;
    engine.starttls = options.starttls;
    engine.plaintext_without_tls = options.login.plaintext_allowed(peer);
    engine.idle_time = options.idle_time;
    return engine;
}

struct Maildrop {
    store::MailboxRef inbox;
    store::UidValidity uidvalidity;
    store::UidSet uids;
};

TxnTask<Result<Maildrop>> open_inbox(ReadTransaction& txn, store::Access access) {
    MAILCORE_CO_TRY(const auto state, store::account_state(txn, access.actor));
    const store::MailboxRef inbox{access.actor, state.inbox};
    MAILCORE_CO_TRY(auto snapshot, store::open_mailbox(txn, access, inbox));
    co_return Maildrop{inbox, snapshot.mailbox.uidvalidity, std::move(snapshot.uids)};
}

/// Removes messages for good; what is gone already is no fault. Answers what is left to be done.
TxnTask<Result<store::UidSet>> remove(WriteTransaction& txn, store::Access access,
                                      store::MailboxRef inbox, store::UidSet uids) {
    store::AccountEdit edit(txn, access, inbox.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto expunged,
                    store::expunge(edit, inbox.mailbox, std::move(uids), store::Expunge::All));
    MAILCORE_CO_TRY(edit.save());
    co_return std::move(expunged.left);
}

} // namespace

Pop3Session::Pop3Session(Services& services, const Pop3Options& options, const PeerInfo& peer,
                         base::Waker& waker)
    : services_(services), options_(options), peer_(peer), waker_(waker),
      engine_(engine_options(services, options, peer), peer, services.scheduler.now()),
      scope_(services.scheduler) {}

void Pop3Session::drain() {
    while (auto event = engine_.next_event()) {
        if (std::holds_alternative<pop3::AuthEnd>(*event)) {
            authentication_.reset();
        } else if (std::holds_alternative<pop3::BodyEnough>(*event)) {
            reader_.reset(); // with what it had read ahead
        } else {
            scope_.spawn(answer(std::move(*event)));
        }
    }
}

void Pop3Session::closed() {
    scope_.cancel();
    lock_.reset();
}

Task<void> Pop3Session::answer(pop3::Event event) {
    if (auto* login = std::get_if<pop3::Login>(&event)) {
        authentication_ =
            std::make_unique<Authentication>(services_, "pop3", engine_.peer(), options_.login);
        MAILCORE_CO_AWAIT(log_in(
            login->id, authentication_->by_password(login->user, std::move(login->password))));
    } else if (auto* begin = std::get_if<pop3::AuthBegin>(&event)) {
        authentication_ =
            std::make_unique<Authentication>(services_, "pop3", engine_.peer(), options_.login);
        MAILCORE_CO_AWAIT(
            log_in(begin->id, authentication_->begin(begin->mechanism, std::move(begin->initial))));
    } else if (auto* data = std::get_if<pop3::AuthData>(&event)) {
        co_await log_in(data->id, authentication_->respond(std::move(data->octets)));
    } else if (auto* wanted = std::get_if<pop3::Retrieve>(&event)) {
        co_await retrieve(*wanted);
    } else if (auto* need = std::get_if<pop3::NeedBody>(&event)) {
        co_await send_body(*need);
    } else if (auto* last = std::get_if<pop3::Commit>(&event)) {
        co_await commit(std::move(*last));
    }
    waker_.wake();
}

void Pop3Session::refuse(pop3::CommandId id, const LoginRefused& refused) {
    switch (refused.why) {
    case LoginRefused::Why::Credentials:
        return engine_.refuse(id, pop3::Refusal::Auth, "authentication failed");
    case LoginRefused::Why::Throttled:
        return engine_.refuse(id, pop3::Refusal::LoginDelay,
                              "too many failed attempts; try again later");
    case LoginRefused::Why::Unavailable:
        return engine_.refuse(id, pop3::Refusal::Temporary,
                              "cannot authenticate now; try again later");
    case LoginRefused::Why::Malformed:
        return engine_.refuse(id, pop3::Refusal::Plain, "authentication exchange is malformed");
    }
}

Task<void> Pop3Session::log_in(pop3::CommandId id, Task<LoginStep> attempt) {
    auto step = co_await std::move(attempt);
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
        engine_.challenge(id, challenge->octets);
        co_return;
    }
    authentication_.reset();
    if (const auto* refused = std::get_if<LoginRefused>(&step)) {
        MAILCORE_LOG(services_.log, Info, "login.refused",
                     {{"service", "pop3"}, {"peer", peer_.address.to_string()}});
        refuse(id, *refused);
        co_return;
    }
    MAILCORE_CO_AWAIT(open_maildrop(id, std::get<LoggedIn>(step)));
}

Task<void> Pop3Session::open_maildrop(pop3::CommandId id, LoggedIn who) {
    lock_ = services_.maildrops.lock(who.account);
    if (!lock_) {
        engine_.refuse(id, pop3::Refusal::InUse, "the maildrop is open in another session");
        co_return;
    }
    const store::Access access{who.account, who.rights};
    MAILCORE_CO_AWAIT(auto maildrop, services_.store.read([access](ReadTransaction& txn) {
        return open_inbox(txn, access);
    }));
    std::vector<pop3::Message> messages;
    std::optional<store::Uid> from = store::Uid{1};
    while (maildrop && from && messages.size() < options_.messages_max) {
        MAILCORE_CO_AWAIT(auto batch, services_.store.read([access, inbox = maildrop->inbox,
                                                            uids = maildrop->uids,
                                                            at = *from](ReadTransaction& txn) {
            return store::read_messages(txn, access, inbox, uids, at);
        }));
        if (!batch) {
            maildrop = std::unexpected(batch.error());
            break;
        }
        for (const auto& message : batch->messages) {
            places_.push_back({message.uid, message.email});
            messages.push_back(
                {message.size,
                 fmt::format("{:08x}{:08x}", maildrop->uidvalidity.value, message.uid.value)});
        }
        from = batch->next;
    }
    if (!maildrop) {
        MAILCORE_LOG(services_.log, Error, "pop3.maildrop_unreadable",
                     {{"error", maildrop.error().detail}});
        lock_.reset();
        places_.clear();
        engine_.refuse(id, pop3::Refusal::Temporary, "the maildrop cannot be read now");
        co_return;
    }
    inbox_ = maildrop->inbox;
    who_ = std::move(who);
    MAILCORE_LOG(services_.log, Info, "login.accepted",
                 {{"service", "pop3"},
                  {"user", who_->address.to_string()},
                  {"peer", peer_.address.to_string()},
                  {"messages", messages.size()}});
    engine_.log_in(id, std::move(messages));
}

Task<void> Pop3Session::retrieve(pop3::Retrieve event) {
    const auto id = places_[event.message.value - 1].email;
    MAILCORE_CO_AWAIT(auto email,
                      services_.store.read([owner = inbox_.owner, id](ReadTransaction& txn) {
                          return store::read_email(txn, owner, id);
                      }));
    if (!email) {
        // Another session has expunged it: a snapshot cannot hold what is gone.
        engine_.refuse(event.id, pop3::Refusal::Temporary, "the message is gone or cannot be read");
        co_return;
    }
    email_ = std::move(*email);
    sent_ = 0;
    reader_.emplace(services_.store, email_.pieces);
    const auto structure = mime::Structure::decode_in_place(email_.structure);
    if (!event.utf8 && structure && structure->header_8bit) {
        engine_.refuse(event.id, pop3::Refusal::Utf8, "the message needs UTF8 mode");
        co_return;
    }
    engine_.begin_body(event.id);
}

Task<void> Pop3Session::send_body(pop3::NeedBody event) {
    auto octets = co_await reader_->next(event.room);
    if (!octets || (octets->empty() && sent_ < email_.size)) {
        MAILCORE_LOG(services_.log, Warning, "pop3.body_unreadable",
                     {{"error", octets ? std::string("short") : octets.error().detail}});
        engine_.body_failed(event.id);
        co_return;
    }
    sent_ += octets->size();
    engine_.body(event.id, *octets, sent_ >= email_.size);
}

Task<void> Pop3Session::commit(pop3::Commit event) {
    store::UidSet uids;
    for (const auto number : event.deleted) uids.add(places_[number.value - 1].uid);
    const store::Access access{who_->account, who_->rights};
    bool all = true;
    while (!uids.empty() && all) {
        MAILCORE_CO_AWAIT(auto left, services_.store.write(
                                         [access, inbox = inbox_, uids](WriteTransaction& txn) {
                                             return remove(txn, access, inbox, uids);
                                         },
                                         store::Urgency::Reclaim));
        all = left.has_value();
        if (all) uids = std::move(*left);
    }
    lock_.reset();
    engine_.committed(event.id, all);
}

} // namespace mailcore::session
