#include "libmailcore/session/imap.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"
#include "libmailcore/session/imap/section_reader.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/account.h"

#include <algorithm>

namespace mailcore::session {

namespace {

using store::ReadTransaction;
using store::TxnTask;
using store::WriteTransaction;

imap::Options engine_options(const Services& services, const ImapOptions& options,
                             const PeerInfo& peer) {
    imap::Options engine;
    engine.greeting = services.hostname + " IMAP ready";
    engine.mechanisms = options.login.mechanisms;
    engine.starttls = options.starttls;
    engine.plaintext_without_tls = options.login.plaintext_allowed(peer);
    engine.append_octets_max = options.append_octets_max;
    engine.swallowed_octets_max = options.append_octets_max + options.append_octets_max / 4;
    engine.idle_time = options.idle_time;
    return engine;
}

struct Stored {
    store::MailboxChanges before;
    store::StoredFlags flags;
};

TxnTask<Result<Stored>> store_in(WriteTransaction& txn, store::Access access, store::MailboxRef ref,
                                 store::ModSeq since, store::StoreFlags wanted) {
    Stored stored;
    MAILCORE_CO_TRY(stored.before, store::changes_since(txn, access, ref, since));
    store::AccountEdit edit(txn, access, ref.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(stored.flags, store::store_flags(edit, ref.mailbox, std::move(wanted)));
    MAILCORE_CO_TRY(edit.save());
    co_return stored;
}

} // namespace

ImapSession::ImapSession(Services& services, const ImapOptions& options, const PeerInfo& peer,
                         base::Waker& waker)
    : services_(services), options_(options), peer_(peer), waker_(waker),
      engine_(engine_options(services, options, peer), peer, services.scheduler.now()),
      scope_(services.scheduler) {}

ImapSession::~ImapSession() = default;

// Events. One command is open at a time, so what answers it never meets another at the same work;
// only what tells an idle client may meet the end of IDLE, and `refresh` knows that.

void ImapSession::drain() {
    while (auto event = engine_.next_event()) handle(std::move(*event));
}

void ImapSession::closed() {
    scope_.cancel();
    subscription_.reset();
    pulls_.clear();
    appending_.reset();
    authentication_.reset();
    room_.reset();
    view_.reset();
}

void ImapSession::handle(imap::Event event) {
    if (auto* received = std::get_if<imap::CommandReceived>(&event)) {
        scope_.spawn(answer(std::move(*received)));
    } else if (auto* chunk = std::get_if<imap::BodyChunk>(&event)) {
        if (appending_) scope_.spawn(take_chunk(appending_, std::move(*chunk)));
    } else if (auto* next = std::get_if<imap::AppendNext>(&event)) {
        if (appending_) scope_.spawn(take_next(appending_, std::move(next->message)));
    } else if (std::holds_alternative<imap::BodyEnd>(event)) {
        if (appending_) scope_.spawn(file_appended(std::exchange(appending_, nullptr)));
    } else if (auto* response = std::get_if<imap::SaslResponse>(&event)) {
        if (authentication_)
            scope_.spawn(log_in(response->id, authentication_,
                                authentication_->respond(std::move(response->octets))));
    } else if (const auto* done = std::get_if<imap::IdleDone>(&event)) {
        idling_ = false;
        scope_.spawn(finish(done->id, imap::ok("IDLE completed")));
    } else if (const auto* aborted = std::get_if<imap::Aborted>(&event)) {
        aborted_ = aborted->id;
        authentication_.reset();
        appending_.reset();
        idling_ = false;
        if (room_) room_->completer().complete(false);
    } else if (const auto* need = std::get_if<imap::NeedBody>(&event)) {
        scope_.spawn(send_body(*need, pulls_[need->token]));
    } else if (std::holds_alternative<imap::Room>(event)) {
        if (room_) room_->completer().complete(true);
    } else if (const auto* client = std::get_if<imap::ClientId>(&event)) {
        for (const auto& [name, value] : client->fields)
            if (value)
                MAILCORE_LOG(
                    services_.log, Debug, "imap.client_id",
                    {{"peer", peer_.address.to_string()}, {"field", name}, {"value", *value}});
    }
}

Task<void> ImapSession::answer(imap::CommandReceived received) {
    const auto id = received.id;
    const bool counts = co_await login_still_counts();
    if (!counts) {
        engine_.bye("This login no longer counts", imap::Code::AuthorizationFailed);
        waker_.wake();
        co_return;
    }
    if (received.owes_highest_modseq && view_)
        respond(id, imap::HighestModSeq{shown(view_->told_modseq())}, "Highest");
    auto task =
        std::visit([&](auto& command) { return run(id, std::move(command)); }, received.command);
    co_await std::move(task);
    waker_.wake();
}

template <class AnsweredByTheEngine>
Task<void> ImapSession::run(Id, AnsweredByTheEngine) {
    MAILCORE_ASSERT(!"the engine answers this");
    co_return;
}

Task<bool> ImapSession::login_still_counts() {
    if (!who_ || services_.scheduler.now() - login_checked_ < options_.login_check_time)
        co_return true;
    login_checked_ = services_.scheduler.now();
    auto valid = co_await services_.directory.still_valid(who_->account, who_->credential_version);
    co_return !valid || *valid; // a directory that cannot answer now throws nobody out
}

void ImapSession::respond(Id id, imap::ResponseCode code, std::string text) {
    engine_.respond(id,
                    imap::response::Status{imap::Condition::Ok, std::move(code), std::move(text)});
}

// Login

Task<void> ImapSession::run(Id id, imap::command::Authenticate command) {
    authentication_ =
        std::make_shared<Authentication>(services_, "imap", engine_.peer(), options_.login);
    const auto authentication = authentication_;
    MAILCORE_CO_AWAIT(
        log_in(id, authentication,
               authentication->begin(std::move(command.mechanism), std::move(command.initial))));
}

Task<void> ImapSession::run(Id id, imap::command::Login command) {
    authentication_ =
        std::make_shared<Authentication>(services_, "imap", engine_.peer(), options_.login);
    const auto authentication = authentication_;
    MAILCORE_CO_AWAIT(
        log_in(id, authentication,
               authentication->by_password(std::move(command.user), std::move(command.password))));
}

Task<void> ImapSession::log_in(Id id, std::shared_ptr<Authentication> authentication,
                               Task<LoginStep> attempt) {
    auto step = co_await std::move(attempt);
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
        engine_.challenge(id, challenge->octets);
        waker_.wake();
        co_return;
    }
    if (authentication_ == authentication) authentication_.reset();
    if (const auto* refused = std::get_if<LoginRefused>(&step)) {
        MAILCORE_LOG(services_.log, Info, "login.refused",
                     {{"service", "imap"}, {"peer", peer_.address.to_string()}});
        engine_.reply(id, reply_to(*refused));
        waker_.wake();
        co_return;
    }
    who_ = std::get<LoggedIn>(std::move(step));
    login_checked_ = services_.scheduler.now();
    subscription_ =
        services_.store.subscribe(services_.scheduler, who_->account,
                                  [this](const store::Change& change) { changed(change); });
    MAILCORE_LOG(services_.log, Info, "login.accepted",
                 {{"service", "imap"},
                  {"user", who_->address.to_string()},
                  {"peer", peer_.address.to_string()}});
    engine_.reply(id, imap::ok("Logged in"));
    waker_.wake();
}

// The selected mailbox

Task<void> ImapSession::refresh() {
    while (view_ && engine_.may_announce()) {
        const auto ref = view_->ref();
        const auto since = view_->modseq();
        MAILCORE_CO_AWAIT(auto changes, services_.store.read([access = access(), ref,
                                                              since](ReadTransaction& txn) {
            return store::changes_since(txn, access, ref, since);
        }));
        if (!view_ || view_->ref() != ref || !engine_.may_announce()) co_return;
        if (view_->modseq() != since) continue; // somebody else was at it meanwhile
        const bool gone = changes ? changes->mailbox.uidvalidity != view_->uidvalidity()
                                  : changes.error().kind == ErrorKind::NotFound ||
                                        changes.error().kind == ErrorKind::Rejected;
        if (gone) {
            view_.reset();
            engine_.bye("The selected mailbox is gone");
            co_return;
        }
        if (!changes) {
            MAILCORE_LOG(services_.log, Error, "imap.mailbox_unreadable",
                         {{"error", changes.error().detail}});
            co_return;
        }
        using Expunges = MailboxView::Expunges;
        announce(view_->take(std::move(*changes),
                             engine_.may_expunge() ? Expunges::Now : Expunges::Later));
        co_return;
    }
}

void ImapSession::announce(const MailboxView::News& news) {
    using namespace imap::response;
    const auto& view = *view_;
    if (news.keywords_changed) tell_flags_in_use();
    if (!news.expunged.empty())
        engine_.announce(Expunged{news.expunged, to_numbers(news.expunged_uids)});
    for (const auto& message : news.flags)
        engine_.announce(FlagsChanged{view.numbers().number_of(message.uid), message.uid.value,
                                      shown(message.modseq), view.flags(message, view.keywords())});
    if (!news.exists_changed) return;
    engine_.announce(Exists{view.exists()});
    engine_.announce(Recent{view.recent()});
}

Task<void> ImapSession::finish(Id id, imap::Reply reply) {
    co_await refresh();
    if (id == aborted_) co_return;
    // RFC 7162 §3.2: what was not told yet must not be skipped when the client comes back.
    if (view_ && view_->has_late_expunges() && engine_.enabled().qresync) {
        imap::HighestModSeq told{shown(view_->told_modseq())};
        const auto* code = std::get_if<imap::Code>(&reply.code);
        if (code && *code == imap::Code::None && reply.condition == imap::Condition::Ok)
            reply.code = told;
        else
            respond(id, told, "Expunges are delayed");
    }
    if (engine_.state() != imap::State::Logout) engine_.reply(id, std::move(reply));
    waker_.wake();
}

std::optional<store::UidSet> ImapSession::resolve(const imap::SequenceSet& set,
                                                  imap::Addressing addressing) const {
    const auto& numbers = view_->numbers();
    if (set.is_saved_result()) return saved_.intersection(numbers.uids());
    if (addressing == imap::Addressing::Uids)
        return to_uids(set.resolve(numbers.last().value)).intersection(numbers.uids());
    const auto wanted = set.message_numbers(numbers.size());
    if (!wanted) return std::nullopt;
    return numbers.uids_at(*wanted);
}

Task<bool> ImapSession::room(Id id) {
    while (id != aborted_ && engine_.room() == 0) {
        room_.emplace(services_.scheduler);
        engine_.await_room(id);
        waker_.wake();
        const bool there = co_await *room_;
        room_.reset();
        if (!there) break;
    }
    co_return id != aborted_&& engine_.state() != imap::State::Logout;
}

void ImapSession::leave_mailbox() {
    if (view_ && view_->has_new() && !read_only_) scope_.spawn(claim_recent(view_->ref()));
    view_.reset();
    saved_ = {};
}

Task<Result<store::StoredFlags>> ImapSession::store_flags(store::StoreFlags wanted) {
    const auto since = view_->modseq();
    const auto ref = view_->ref();
    // What marks for deletion must work on a full disk: it is how room is made.
    const bool deletes =
        wanted.how != store::StoreHow::Remove && wanted.flags.system.has(store::Flag::Deleted);
    MAILCORE_CO_AWAIT(auto stored, services_.store.write(
                                       [access = access(), ref, since,
                                        wanted = std::move(wanted)](WriteTransaction& txn) {
                                           return store_in(txn, access, ref, since, wanted);
                                       },
                                       deletes ? store::Urgency::Reclaim : store::Urgency::Normal));
    if (!stored) co_return std::unexpected(stored.error());
    if (view_ && view_->modseq() == since && engine_.may_announce())
        announce(view_->take(std::move(stored->before), MailboxView::Expunges::Later));
    co_return std::move(stored->flags);
}

// News for who waits for them

void ImapSession::changed(const store::Change& change) {
    if (!idling_ || !view_) return;
    if (std::ranges::find(change.mailboxes, view_->ref().mailbox) == change.mailboxes.end()) return;
    tell_again_ = true;
    if (!telling_) scope_.spawn(tell_idle());
}

Task<void> ImapSession::tell_idle() {
    telling_ = true;
    while (std::exchange(tell_again_, false) && idling_) {
        const bool counts = co_await login_still_counts();
        if (!counts)
            engine_.bye("This login no longer counts", imap::Code::AuthorizationFailed);
        else
            co_await refresh();
    }
    telling_ = false;
    waker_.wake();
}

Task<void> ImapSession::run(Id id, imap::command::Noop) {
    return finish(id, imap::ok("NOOP completed"));
}
Task<void> ImapSession::run(Id id, imap::command::Check) {
    return finish(id, imap::ok("CHECK completed"));
}

Task<void> ImapSession::run(Id, imap::command::Idle) {
    idling_ = true;
    return refresh();
}

} // namespace mailcore::session
