// FETCH (RFC 9051 §6.4.5; RFC 7162 §3.1.4, §3.2.6; RFC 8474 §5).
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap/portions.h"
#include "libmailcore/session/imap/section_reader.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/changes.h"

#include <algorithm>

namespace mailcore::session {

namespace {

using imap::FetchItem;
using imap::response::FetchValue;
using Kind = imap::FetchItem::Kind;
using store::OnDamage;
using store::ReadTransaction;
using store::TxnTask;
using store::Uid;
using store::UidSet;

/// Values up to this length are read before the answer is written; longer ones are pulled as it is
/// sent.
constexpr std::uint64_t value_at_once_octets_max = 32 * 1024;
constexpr std::size_t emails_at_once = 64;
constexpr std::size_t rows_at_once = 1'024;

/// Which rows have to be read for what is asked.
struct Needs {
    bool flags = false;
    bool rows = false;  ///< size, date, id
    bool email = false; ///< all that was computed at delivery, and the octets
};

Needs needs_of(const imap::command::Fetch& command) {
    Needs needs;
    for (const auto& item : command.items) {
        switch (item.kind) {
        case Kind::Flags:
        case Kind::ModSeq: needs.flags = true; break;
        case Kind::Uid: break;
        case Kind::InternalDate:
        case Kind::Rfc822Size:
        case Kind::EmailId: needs.rows = true; break;
        default: needs.email = true; break;
        }
    }
    if (!needs.email && !needs.rows) needs.flags = true; // shows which messages are there
    return needs;
}

/// One message of a batch; what was not asked for is empty.
struct Found {
    Uid uid;
    store::MessageFlags flags;
    store::Message row;
    std::shared_ptr<const store::Email> email; ///< of the batch, which it keeps
};
struct Batch {
    std::vector<Found> messages;
    std::vector<std::string> keywords;
    std::optional<Uid> next;
    std::vector<store::Damaged> damaged;
};

TxnTask<Result<Batch>> read_batch(ReadTransaction& txn, store::Access access, store::MailboxRef ref,
                                  UidSet uids, Uid from, Needs needs) {
    Batch batch;
    if (needs.email) {
        MAILCORE_CO_TRY(auto emails, store::read_emails(txn, access, ref, uids, from,
                                                        emails_at_once, OnDamage::PassOver));
        batch.next = emails.next;
        batch.damaged.push_back(std::move(emails.damaged));
        const auto all =
            std::make_shared<const std::vector<store::MessageEmail>>(std::move(emails.emails));
        batch.messages.reserve(all->size());
        for (const auto& [uid, email] : *all) {
            Found found;
            found.uid = uid;
            found.row = {uid, email.id, email.size, email.received};
            found.email = {all, &email};
            batch.messages.push_back(std::move(found));
        }
    } else if (needs.rows) {
        MAILCORE_CO_TRY(auto rows, store::read_messages(txn, access, ref, uids, from, rows_at_once,
                                                        OnDamage::PassOver));
        batch.next = rows.next;
        batch.damaged.push_back(std::move(rows.damaged));
        for (auto& row : rows.messages) {
            Found found;
            found.uid = row.uid;
            found.row = row;
            batch.messages.push_back(std::move(found));
        }
    }
    if (!needs.flags) co_return batch;
    const bool alone = !needs.email && !needs.rows;
    if (!alone && batch.messages.empty()) co_return batch;
    const store::UidRange span{from, batch.messages.empty() ? store::all_uids.last
                                                            : batch.messages.back().uid};
    auto wanted = alone ? uids : uids.intersection(UidSet(span));
    MAILCORE_CO_TRY(auto flags, store::read_flags(txn, access, ref, wanted, from, rows_at_once,
                                                  OnDamage::PassOver));
    batch.keywords = std::move(flags.keywords);
    std::erase_if(batch.messages,
                  [&](const Found& message) { return flags.damaged.uids.contains(message.uid); });
    batch.damaged.push_back(std::move(flags.damaged));
    if (alone) {
        batch.next = flags.next;
        for (const auto& message : flags.messages) {
            Found found;
            found.uid = message.uid;
            found.flags = message;
            batch.messages.push_back(std::move(found));
        }
        co_return batch;
    }
    std::size_t at = 0;
    for (auto& message : batch.messages) {
        while (at < flags.messages.size() && flags.messages[at].uid < message.uid) ++at;
        if (at < flags.messages.size() && flags.messages[at].uid == message.uid)
            message.flags = flags.messages[at];
    }
    // Fewer flags than messages in one go: what is left comes with the next batch.
    if (flags.next && !batch.messages.empty() && *flags.next <= batch.messages.back().uid) {
        std::erase_if(batch.messages,
                      [&](const Found& message) { return message.uid >= *flags.next; });
        batch.next = flags.next;
    }
    co_return batch;
}

TxnTask<Result<UidSet>> unseen_of(ReadTransaction& txn, store::Access access, store::MailboxRef ref,
                                  UidSet uids) {
    UidSet unseen;
    std::optional<Uid> from = Uid{1};
    while (from) {
        MAILCORE_CO_TRY(const auto batch, store::read_flags(txn, access, ref, uids, *from,
                                                            rows_at_once, OnDamage::PassOver));
        for (const auto& message : batch.messages)
            if (!message.system.has(store::Flag::Seen)) unseen.add(message.uid);
        from = batch.next;
    }
    co_return unseen;
}

mime::Section section_of(const FetchItem& item) {
    using Text = mime::Section::Text;
    switch (item.kind) {
    case Kind::Rfc822Header: return {{}, Text::Header, {}};
    case Kind::Rfc822Text: return {{}, Text::Body, {}};
    default: return item.section;
    }
}

bool is_octets(Kind kind) {
    return kind == Kind::BodySection || kind == Kind::Binary || kind == Kind::BinarySize ||
           kind == Kind::Rfc822 || kind == Kind::Rfc822Header || kind == Kind::Rfc822Text;
}

std::string select_partial(std::string octets, const std::optional<imap::Partial>& partial) {
    if (!partial) return octets;
    if (partial->offset >= octets.size()) return {};
    return octets.substr(
        static_cast<std::size_t>(partial->offset),
        static_cast<std::size_t>(std::min<std::uint64_t>(partial->octets, octets.size())));
}

/// HEADER.FIELDS and HEADER.FIELDS.NOT.
Task<Result<std::string>> read_fields(store::Store& store,
                                      std::shared_ptr<const store::Email> email, mime::Range range,
                                      mime::Section section) {
    auto header = co_await read_range(store, *email, range);
    if (!header) co_return std::unexpected(header.error());
    const auto chosen = mime::select_fields(*header, section);
    std::string octets;
    for (const auto& piece : chosen.ranges)
        octets.append(*header, static_cast<std::size_t>(piece.offset),
                      static_cast<std::size_t>(piece.octets));
    if (chosen.separator_missing) octets += "\r\n";
    co_return octets;
}

/// What an item that shows octets is answered with.
struct OctetsValue {
    FetchValue::Value value = imap::response::Nil{};
    std::shared_ptr<SectionReader> reader; ///< of a Pulled one
    bool unknown_encoding = false;
};

Task<Result<OctetsValue>> octets_of(store::Store& store, std::shared_ptr<const store::Email> email,
                                    const mime::Structure& structure, FetchItem item) {
    OctetsValue out;
    const auto section = section_of(item);
    const auto range = locate_in(*email, structure, section);
    if (!range) co_return out;
    using Text = mime::Section::Text;
    if (section.text == Text::HeaderFields || section.text == Text::HeaderFieldsNot) {
        auto octets = co_await read_fields(store, email, *range, section);
        if (!octets) co_return std::unexpected(octets.error());
        out.value = select_partial(std::move(*octets), item.partial);
        co_return out;
    }
    auto encoding = mime::Encoding::Bit7;
    const bool is_binary = item.kind == Kind::Binary || item.kind == Kind::BinarySize;
    if (is_binary && !section.part.empty()) {
        encoding = structure.parts[mime::find_part(structure, section.part)].encoding;
        if (encoding == mime::Encoding::Other) {
            // RFC 3516 §4.3: it cannot be undone.
            out.unknown_encoding = true;
            co_return out;
        }
    }
    auto reader = std::make_shared<SectionReader>(store, email, *range, encoding);
    auto whole = co_await reader->measure();
    if (!whole) co_return std::unexpected(whole.error());
    if (item.kind == Kind::BinarySize) {
        out.value = *whole;
        co_return out;
    }
    const auto octets = reader->select(item.partial, *whole);
    if (octets > value_at_once_octets_max) {
        out.reader = std::move(reader);
        imap::response::Pulled pulled;
        pulled.octets = octets;
        out.value = pulled;
        co_return out;
    }
    std::string text;
    while (text.size() < octets) {
        MAILCORE_CO_AWAIT(auto piece, reader->next(static_cast<std::size_t>(octets) - text.size()));
        if (!piece) co_return std::unexpected(piece.error());
        store::append_octets(text, std::move(*piece));
    }
    out.value = std::move(text);
    co_return out;
}

/// Reads what the items of one message show, which all lives until this is done. `pulls` gets the
/// readers of what is pulled.
Task<Result<void>> read_octets_items(store::Store& store, std::shared_ptr<const store::Email> email,
                                     const mime::Structure& structure, imap::response::Fetch& fetch,
                                     std::vector<std::shared_ptr<SectionReader>>& pulls,
                                     imap::Reply& outcome) {
    for (auto& each : fetch.items) {
        if (is_octets(each.item.kind)) {
            MAILCORE_CO_TRY(auto octets, octets_of(store, email, structure, each.item));
            if (octets.unknown_encoding)
                outcome = imap::no("The part has an unknown encoding", imap::Code::UnknownCte);
            each.value = std::move(octets.value);
            if (auto* pulled = std::get_if<imap::response::Pulled>(&each.value)) {
                pulled->token = pulls.size();
                pulls.push_back(std::move(octets.reader));
            }
        }
    }
    co_return Result<void>{};
}

mime::DateTime internal_date(const store::Received& received) {
    mime::DateTime date;
    date.time = received.at;
    date.zone_minutes = received.zone_minutes;
    return date;
}

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Fetch command) {
    auto uids = resolve(command.set, command.addressing);
    if (!uids) {
        MAILCORE_CO_AWAIT(finish(id, imap::bad("No such message")));
        co_return;
    }
    const auto asks_for = [&](Kind kind) {
        return std::ranges::any_of(command.items,
                                   [&](const FetchItem& item) { return item.kind == kind; });
    };
    // RFC 7162 §3.1: a client that knows mod-sequences is told them wherever it is told flags.
    if (engine_.enabled().condstore && asks_for(Kind::Flags) && !asks_for(Kind::ModSeq))
        command.items.push_back({Kind::ModSeq});
    if (command.changed_since) {
        auto changed = co_await changed_of(id, command, std::move(*uids));
        if (!changed) {
            MAILCORE_CO_AWAIT(finish(id, reply_to(changed.error(), Doing::Messages)));
            co_return;
        }
        uids = std::move(*changed);
    }
    if (!view_ || id == aborted_) co_return;
    const bool sets_seen =
        !read_only_ &&
        std::ranges::any_of(command.items, [](const FetchItem& item) { return item.sets_seen(); });
    if (sets_seen && !uids->empty()) {
        MAILCORE_CO_AWAIT(auto unseen,
                          services_.store.read([access = access(), mailbox = view_->ref(),
                                                uids = *uids](ReadTransaction& txn) {
                              return unseen_of(txn, access, mailbox, uids);
                          }));
        if (unseen && !unseen->empty()) {
            store::StoreFlags seen;
            seen.uids = std::move(*unseen);
            seen.how = store::StoreHow::Add;
            seen.flags.system = store::Flag::Seen;
            auto stored = co_await store_flags(std::move(seen));
            // Without the right to (RFC 4314 §4), or the room to, the messages are read all the
            // same.
            if (stored && view_ && asks_for(Kind::Flags) && !stored->changed.empty())
                view_->told(stored->modseq);
        }
    }
    if (!view_ || id == aborted_) co_return;
    imap::Reply outcome = imap::ok("FETCH completed");
    const auto mailbox = view_->ref().mailbox;
    Unreadable unreadable;
    const bool goes_on =
        co_await fetch_messages(id, command, std::move(*uids), unreadable, outcome);
    pulls_.clear();
    unreadable.tell(services_.log, mailbox);
    if (!unreadable.empty() && outcome.condition == imap::Condition::Ok)
        outcome = reply_to(unreadable.error(), Doing::Messages);
    if (goes_on) co_await finish(id, std::move(outcome));
}

/// Those of `uids` that have changed since the command says; tells what vanished, if it asks for
/// that. So nothing is read of the others.
Task<Result<UidSet>> ImapSession::changed_of(Id id, const imap::command::Fetch& command,
                                             UidSet uids) {
    const store::ModSeq since{*command.changed_since};
    MAILCORE_CO_AWAIT(auto changes, services_.store.read([access = access(), mailbox = view_->ref(),
                                                          since](ReadTransaction& txn) {
        return store::changes_since(txn, access, mailbox, since);
    }));
    if (!changes) co_return std::unexpected(changes.error());
    UidSet changed;
    for (const auto& message : changes->changed) changed.add(message.uid);
    if (view_ && command.vanished) {
        const auto largest = changes->mailbox.uidnext.value - 1; // "*" may well be what vanished
        const auto asked =
            command.set.is_saved_result() ? saved_ : to_uids(command.set.resolve(largest));
        // What the client still counts vanishes as an expunge, in its turn.
        const auto vanished =
            changes->vanished.intersection(asked).without(view_->numbers().uids());
        if (!vanished.empty())
            engine_.respond(id, imap::response::VanishedEarlier{to_numbers(vanished)});
    }
    co_return uids.intersection(changed);
}

/// Answers one message after the other, as there is room. False: the command is gone.
Task<bool> ImapSession::fetch_messages(Id id, const imap::command::Fetch& command, UidSet uids,
                                       Unreadable& unreadable, imap::Reply& outcome) {
    const auto needs = needs_of(command);
    const auto mailbox = view_->ref();
    const auto expected = uids.size();
    std::uint64_t answered = 0;
    const auto at_once = needs.email ? emails_at_once : rows_at_once;
    // Made once and used for each message: what a message costs is its own values.
    imap::Response response = imap::response::Fetch{};
    auto& fetch = std::get<imap::response::Fetch>(response);
    for (const auto& item : command.items) fetch.items.push_back({item, {}});
    mime::Structure structure;
    const bool shows_octets = std::ranges::any_of(
        command.items, [](const FetchItem& item) { return is_octets(item.kind); });
    Portions portions(std::move(uids), at_once);
    while (!portions.now().empty()) {
        MAILCORE_CO_AWAIT(
            auto batch,
            services_.store.read([access = access(), mailbox, some = portions.now(),
                                  first = portions.first(), needs](ReadTransaction& txn) {
                return read_batch(txn, access, mailbox, some, first, needs);
            }));
        if (!batch) {
            outcome = reply_to(batch.error(), Doing::Messages);
            co_return true;
        }
        portions.read(batch->next);
        for (const auto& damaged : batch->damaged) unreadable.add(damaged);
        if (needs.flags && view_ && !batch->messages.empty()) tell_keywords(batch->keywords);
        for (const auto& message : batch->messages) {
            ++answered;
            // A message for which there is room at once costs no Task.
            if (engine_.room() == 0) {
                const bool goes_on = co_await room(id);
                if (!goes_on) co_return false;
            }
            if (!view_ || id == aborted_) co_return false;
            fetch.number = view_->numbers().number_of(message.uid);
            if (message.email) {
                const auto decoded =
                    mime::Structure::decode_in_place(message.email->structure, structure);
                if (!decoded) {
                    unreadable.add(message.uid, decoded.error());
                    continue;
                }
            }
            for (auto& each : fetch.items) {
                switch (each.item.kind) {
                case Kind::Flags: each.value = view_->flags(message.flags, batch->keywords); break;
                case Kind::ModSeq: each.value = shown(message.flags.modseq); break;
                case Kind::Uid: each.value = std::uint64_t{message.uid.value}; break;
                case Kind::InternalDate: each.value = internal_date(message.row.received); break;
                case Kind::Rfc822Size: each.value = message.row.size; break;
                case Kind::EmailId: each.value = object_id(message.row.email); break;
                case Kind::Preview: each.value = std::string(structure.preview); break;
                case Kind::ThreadId: each.value = object_id(message.email->thread); break;
                case Kind::Envelope:
                case Kind::Body:
                case Kind::BodyStructure: each.value = &structure; break;
                default: break; // octets
                }
            }
            if (shows_octets) {
                pulls_.clear();
                const auto read = co_await read_octets_items(services_.store, message.email,
                                                             structure, fetch, pulls_, outcome);
                if (id == aborted_ || !view_) co_return false;
                if (!read) {
                    unreadable.add(message.uid, read.error());
                    continue;
                }
            }
            engine_.respond(id, response);
        }
    }
    const bool goes_on = co_await room(id); // and what is pulled is through
    if (answered < expected && command.addressing == imap::Addressing::Numbers &&
        unreadable.empty() && outcome.condition == imap::Condition::Ok)
        outcome = imap::no("Some messages are gone", imap::Code::ExpungeIssued);
    co_return goes_on;
}

Task<void> ImapSession::send_body(imap::NeedBody need, std::shared_ptr<SectionReader> reader) {
    auto octets = co_await reader->next(need.room);
    if (octets) {
        engine_.body(need.id, std::move(*octets));
    } else {
        MAILCORE_LOG(services_.log, Warning, "imap.body_unreadable",
                     {{"error", octets.error().detail}});
        engine_.body_failed(need.id);
    }
    waker_.wake();
}

} // namespace mailcore::session
