// SEARCH (RFC 9051 §6.4.4; RFC 7162 §3.1.5; RFC 4731, RFC 5182).
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/session/imap.h"
#include "libmailcore/session/imap/portions.h"
#include "libmailcore/session/imap/section_reader.h"
#include "libmailcore/session/imap_replies.h"
#include "libmailcore/store/changes.h"

#include <algorithm>

namespace mailcore::session {

namespace {

using imap::SearchKey;
using Kind = imap::SearchKey::Kind;
using store::OnDamage;
using store::ReadTransaction;
using store::TxnTask;
using store::Uid;
using store::UidSet;

constexpr std::size_t emails_before_others_run = 16;
constexpr std::size_t emails_at_once = 256;
constexpr std::size_t flags_at_once = 4'096;

/// Whether a message matches, as far as is known without reading more of it.
enum class Truth : std::uint8_t { No, Yes, Unknown };
Truth truth(bool value) { return value ? Truth::Yes : Truth::No; }

/// A search key made ready: sets as UIDs, texts folded.
struct Criterion {
    const SearchKey* key = nullptr; // the command's
    UidSet uids;
    std::string needle;
    std::vector<Criterion> below;
};

struct Candidate {
    store::MessageFlags flags;
    store::Message row;
    bool has_row = false;
};
/// The same with what was computed at delivery.
struct Opened {
    std::shared_ptr<const store::Email> email;
    mime::Structure structure;
    std::optional<std::string> header; ///< once it was needed
};

struct Batch {
    std::vector<Candidate> candidates;
    std::vector<std::string> keywords;
    std::optional<Uid> next;
    std::vector<store::Damaged> damaged; ///< what neither matches nor does not
};

TxnTask<Result<Batch>> read_candidates(ReadTransaction& txn, store::Access access,
                                       store::MailboxRef ref, UidSet uids, Uid from,
                                       bool with_rows) {
    Batch batch;
    MAILCORE_CO_TRY(auto flags, store::read_flags(txn, access, ref, uids, from, flags_at_once,
                                                  OnDamage::PassOver));
    batch.damaged.push_back(std::move(flags.damaged));
    batch.keywords = std::move(flags.keywords);
    batch.next = flags.next;
    for (const auto& message : flags.messages) {
        Candidate candidate;
        candidate.flags = message;
        batch.candidates.push_back(candidate);
    }
    if (!with_rows || batch.candidates.empty()) co_return batch;
    const store::UidRange span{from, batch.candidates.back().flags.uid};
    const auto wanted = uids.intersection(UidSet(span));
    std::size_t at = 0;
    std::optional<Uid> next = from;
    while (next) {
        MAILCORE_CO_TRY(auto rows, store::read_messages(txn, access, ref, wanted, *next,
                                                        flags_at_once, OnDamage::PassOver));
        for (const auto& row : rows.messages) {
            while (at < batch.candidates.size() && batch.candidates[at].flags.uid < row.uid) ++at;
            if (at == batch.candidates.size()) break;
            if (batch.candidates[at].flags.uid != row.uid) continue;
            batch.candidates[at].row = row;
            batch.candidates[at].has_row = true;
        }
        batch.damaged.push_back(std::move(rows.damaged));
        next = rows.next;
    }
    for (const auto& damaged : batch.damaged)
        std::erase_if(batch.candidates, [&](const Candidate& candidate) {
            return damaged.uids.contains(candidate.flags.uid);
        });
    co_return batch;
}

// Text: compared with i;unicode-casemap, as RFC 5051 wants of SEARCH.

std::string folded(std::string_view text) {
    return codec::unicode_casemap(codec::sanitised_utf8(text));
}

/// Looks for a text in what comes in pieces.
class TextFinder {
  public:
    explicit TextFinder(const std::string& needle) : needle_(needle) {}
    /// `text` is UTF-8 and ends between characters. True from when it was found on.
    bool feed(std::string_view text) {
        if (found_ || needle_.empty()) return found_ = true;
        kept_ += folded(text);
        found_ = kept_.find(needle_) != std::string::npos;
        if (kept_.size() >= needle_.size()) kept_.erase(0, kept_.size() - needle_.size() + 1);
        return found_;
    }
    [[nodiscard]] bool found() const { return found_; }

  private:
    const std::string& needle_; // the criterion's
    std::string kept_;
    bool found_ = false;
};

bool contains(std::string_view text, const std::string& needle) {
    return folded(text).find(needle) != std::string::npos;
}

/// The values of a field, decoded; or, with `field` empty, all of a header as people read it.
bool find_in_header(std::string_view header, std::string_view field, const std::string& needle) {
    mime::HeaderScanner scanner(header);
    while (const auto next = scanner.next()) {
        if (!field.empty() && !next->is(field)) continue;
        if (needle.empty()) return true;
        auto text = mime::decode_encoded_words(mime::unfolded(next->value));
        if (field.empty()) text = std::string(next->name) + ": " + text;
        if (contains(text, needle)) return true;
    }
    return false;
}

bool find_in_addresses(std::span<const mime::AddressView> addresses, const std::string& needle) {
    for (const auto& address : addresses) {
        std::string text = mime::decode_encoded_words(address.name);
        text += " <" + std::string(address.local);
        if (!address.domain.empty()) text += "@" + std::string(address.domain);
        text += ">";
        if (contains(text, needle)) return true;
    }
    return false;
}

/// A field that the envelope has anyway, so that no octets need be read.
Truth find_in_envelope(const mime::Structure& structure, std::string_view field,
                       const std::string& needle) {
    if (structure.truncated != 0) return Truth::Unknown;
    const auto& envelope = structure.envelope();
    const auto is = [&](std::string_view name) { return codec::equal_ignoring_case(field, name); };
    if (is("Subject")) {
        if (!envelope.subject) return Truth::No;
        return truth(contains(mime::decode_encoded_words(*envelope.subject), needle));
    }
    if (needle.empty()) return Truth::Unknown;
    if (is("From")) return truth(find_in_addresses(envelope.from, needle));
    if (is("To")) return truth(find_in_addresses(envelope.to, needle));
    if (is("Cc")) return truth(find_in_addresses(envelope.cc, needle));
    if (is("Bcc")) return truth(find_in_addresses(envelope.bcc, needle));
    return Truth::Unknown;
}

bool has_flag(imap::SystemFlag flag, const store::MessageFlags& flags, const MailboxView& view) {
    if (flag == imap::SystemFlag::Recent) return view.is_recent(flags.uid);
    return to_flag_set(flags.system).has(flag);
}

bool has_keyword(const std::string& name, const store::MessageFlags& flags,
                 const std::vector<std::string>& keywords) {
    for (std::size_t bit = 0; bit < keywords.size() && bit < 64; ++bit)
        if ((flags.keywords >> bit & 1) != 0 && codec::equal_ignoring_case(keywords[bit], name))
            return true;
    return false;
}

std::chrono::sys_days local_day(const store::Received& received) {
    mime::DateTime date;
    date.time = received.at;
    date.zone_minutes = received.zone_minutes;
    return date.local_day();
}

/// One search: what is the same for all messages.
struct Search {
    store::Store& store;
    const MailboxView& view;

    Truth quick(const Criterion& criterion, const Candidate& message,
                const std::vector<std::string>& keywords, const Opened* opened) const {
        const auto& key = *criterion.key;
        const auto row = [&](auto holds) {
            return message.has_row ? truth(holds()) : Truth::Unknown;
        };
        const auto sent = [&](auto holds) {
            if (!opened) return Truth::Unknown;
            if (!opened->structure.sent) return Truth::No;
            return truth(holds(opened->structure.sent->local_day()));
        };
        switch (key.kind) {
        case Kind::All: return Truth::Yes;
        case Kind::And: {
            auto all = Truth::Yes;
            for (const auto& below : criterion.below) {
                const auto one = quick(below, message, keywords, opened);
                if (one == Truth::No) return one;
                if (one == Truth::Unknown) all = one;
            }
            return all;
        }
        case Kind::Or: {
            auto any = Truth::No;
            for (const auto& below : criterion.below) {
                const auto one = quick(below, message, keywords, opened);
                if (one == Truth::Yes) return one;
                if (one == Truth::Unknown) any = one;
            }
            return any;
        }
        case Kind::Not: {
            const auto one = quick(criterion.below.front(), message, keywords, opened);
            if (one == Truth::Unknown) return one;
            return truth(one == Truth::No);
        }
        case Kind::HasFlag: return truth(has_flag(key.system_flag, message.flags, view));
        case Kind::Keyword: return truth(has_keyword(key.text, message.flags, keywords));
        case Kind::Uid:
        case Kind::Number: return truth(criterion.uids.contains(message.flags.uid));
        case Kind::ModSeq: return truth(message.flags.modseq.value >= key.number);
        case Kind::Before: return row([&] { return local_day(message.row.received) < key.date; });
        case Kind::On: return row([&] { return local_day(message.row.received) == key.date; });
        case Kind::Since: return row([&] { return local_day(message.row.received) >= key.date; });
        case Kind::Larger: return row([&] { return message.row.size > key.number; });
        case Kind::Smaller: return row([&] { return message.row.size < key.number; });
        case Kind::EmailId: return row([&] { return object_id(message.row.email) == key.text; });
        case Kind::ThreadId:
            return opened ? truth(object_id(opened->email->thread) == key.text) : Truth::Unknown;
        case Kind::SentBefore: return sent([&](auto day) { return day < key.date; });
        case Kind::SentOn: return sent([&](auto day) { return day == key.date; });
        case Kind::SentSince: return sent([&](auto day) { return day >= key.date; });
        case Kind::Header:
        case Kind::Address:
            return opened ? find_in_envelope(opened->structure, key.field, criterion.needle)
                          : Truth::Unknown;
        case Kind::Text:
        case Kind::Body: return criterion.needle.empty() ? Truth::Yes : Truth::Unknown;
        }
        return Truth::No;
    }

    /// What `quick` cannot know: reads octets.
    Task<Result<bool>> slow(const Criterion& criterion, const Candidate& message,
                            const std::vector<std::string>& keywords, Opened& opened) const {
        const auto known = quick(criterion, message, keywords, &opened);
        if (known != Truth::Unknown) co_return known == Truth::Yes;
        switch (criterion.key->kind) {
        case Kind::And:
        case Kind::Or: {
            const bool decides = criterion.key->kind == Kind::Or;
            for (const auto& below : criterion.below) {
                auto one = co_await slow(below, message, keywords, opened);
                if (!one) co_return std::unexpected(one.error());
                if (*one == decides) co_return decides;
            }
            co_return !decides;
        }
        case Kind::Not: {
            auto one = co_await slow(criterion.below.front(), message, keywords, opened);
            if (!one) co_return std::unexpected(one.error());
            co_return !*one;
        }
        case Kind::Header:
        case Kind::Address: {
            auto read = co_await read_header(opened);
            if (!read) co_return std::unexpected(read.error());
            co_return find_in_header(*opened.header, criterion.key->field, criterion.needle);
        }
        case Kind::Text: {
            auto read = co_await read_header(opened);
            if (!read) co_return std::unexpected(read.error());
            if (find_in_header(*opened.header, {}, criterion.needle)) co_return true;
            co_return co_await find_in_body(opened, criterion.needle);
        }
        case Kind::Body: co_return co_await find_in_body(opened, criterion.needle);
        default: co_return false;
        }
    }

    Task<Result<void>> read_header(Opened& opened) const {
        if (opened.header) co_return Result<void>{};
        mime::Section section;
        section.text = mime::Section::Text::Header;
        MAILCORE_CO_AWAIT(
            auto octets,
            read_range(store, *opened.email, *locate_in(*opened.email, opened.structure, section)));
        if (!octets) co_return std::unexpected(octets.error());
        opened.header = std::move(*octets);
        co_return Result<void>{};
    }

    /// The text parts as people read them, and the headers of messages inside the message.
    Task<Result<bool>> find_in_body(const Opened& opened, const std::string& needle) const {
        const auto& parts = opened.structure.parts;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            const auto& part = parts[i];
            const bool is_inner = part.parent != mime::no_part &&
                                  parts[part.parent].kind == mime::Part::Kind::Message;
            if (is_inner) {
                const mime::Range range{part.header_begin + opened.email->structure_offset,
                                        part.header_octets()};
                auto header = co_await read_range(store, *opened.email, range);
                if (!header) co_return std::unexpected(header.error());
                if (find_in_header(*header, {}, needle)) co_return true;
            }
            if (part.kind != mime::Part::Kind::Leaf || part.type != "text") continue;
            const mime::Range range{part.body_begin + opened.email->structure_offset,
                                    part.body_octets()};
            auto found = co_await find_in_text(opened, part, range, needle);
            if (!found || *found) co_return found;
        }
        co_return false;
    }

    Task<Result<bool>> find_in_text(const Opened& opened, const mime::Part& part, mime::Range range,
                                    const std::string& needle) const {
        mime::PartTextDecoder decoder(part, mime::PartTextDecoder::Html::AsText);
        TextFinder finder(needle);
        std::string text;
        store::PiecesReader pieces(store, opened.email->pieces);
        pieces.start(range.offset, range.octets);
        while (true) {
            MAILCORE_CO_TRY(const auto octets, pieces.next());
            if (octets.empty()) break;
            text.clear();
            decoder.decode(octets, text);
            if (finder.feed(text)) co_return true;
        }
        text.clear();
        decoder.finish(text);
        co_return finder.feed(text);
    }
};

/// Counts the rows that are read for nothing else.
struct Needs {
    bool rows = false;
    bool email = false;
};

Needs needs_of(const SearchKey& key) {
    using enum Kind;
    const auto any = [&](std::initializer_list<Kind> kinds) {
        return std::ranges::any_of(kinds, [&](Kind kind) { return key.mentions(kind); });
    };
    return {any({Before, On, Since, Larger, Smaller, EmailId}),
            any({SentBefore, SentOn, SentSince, ThreadId, Header, Address, Text, Body})};
}

Criterion prepared(const SearchKey& key, const MailboxView& view, const UidSet& saved) {
    Criterion criterion;
    criterion.key = &key;
    if (key.kind == Kind::Uid || key.kind == Kind::Number) {
        if (key.set.is_saved_result())
            criterion.uids = saved;
        else if (key.kind == Kind::Uid)
            criterion.uids = to_uids(key.set.resolve(view.numbers().last().value));
        else
            criterion.uids = view.numbers().uids_at(key.set.resolve(view.exists()));
    }
    if (key.kind == Kind::Text || key.kind == Kind::Body || key.kind == Kind::Header ||
        key.kind == Kind::Address)
        criterion.needle = folded(key.text);
    for (const auto& below : key.keys) criterion.below.push_back(prepared(below, view, saved));
    return criterion;
}

/// Messages outside of it cannot match: sets that everything else is joined to by AND.
void narrow(const Criterion& criterion, UidSet& uids) {
    if (criterion.key->kind == Kind::Uid || criterion.key->kind == Kind::Number)
        uids = uids.intersection(criterion.uids);
    if (criterion.key->kind == Kind::And)
        for (const auto& below : criterion.below) narrow(below, uids);
}

/// What was found, with the mod-sequences that the answer may have to tell.
struct Matches {
    UidSet uids;
    store::ModSeq highest, of_first, of_last;

    void add(const store::MessageFlags& flags) {
        if (uids.empty() || flags.uid < uids.ranges().front().first) of_first = flags.modseq;
        if (uids.empty() || flags.uid > uids.ranges().back().last) of_last = flags.modseq;
        highest = std::max(highest, flags.modseq);
        uids.add(flags.uid);
    }
    /// RFC 7162 §3.1.5, §3.1.10: the highest of those messages that the answer is about.
    [[nodiscard]] store::ModSeq told(const imap::command::SearchReturn& returns) const {
        if (!returns.extended || returns.all || returns.count || (!returns.min && !returns.max))
            return highest;
        return std::max(returns.min ? of_first : store::ModSeq{},
                        returns.max ? of_last : store::ModSeq{});
    }
};

} // namespace

Task<void> ImapSession::run(Id id, imap::command::Search command) {
    // The view does not change its numbers while this runs: no expunge may be told during SEARCH,
    // and that of UID SEARCH is told at its end.
    const auto criterion = prepared(command.key, *view_, saved_);
    const auto needs = needs_of(command.key);
    const Search search{services_.store, *view_};
    const auto mailbox = view_->ref();
    auto uids = view_->numbers().uids();
    narrow(criterion, uids);

    Matches matches;
    Unreadable unreadable;
    std::size_t emails_read = 0;
    Portions candidates(std::move(uids), flags_at_once);
    while (!candidates.now().empty()) {
        MAILCORE_CO_AWAIT(auto batch,
                          services_.store.read([access = access(), mailbox, some = candidates.now(),
                                                first = candidates.first(),
                                                rows = needs.rows](ReadTransaction& txn) {
                              return read_candidates(txn, access, mailbox, some, first, rows);
                          }));
        if (!batch) {
            MAILCORE_CO_AWAIT(finish(id, reply_to(batch.error(), Doing::Messages)));
            co_return;
        }
        candidates.read(batch->next);
        for (const auto& damaged : batch->damaged) unreadable.add(damaged);
        UidSet unknown;
        std::vector<const Candidate*> open;
        for (const auto& candidate : batch->candidates) {
            const auto known = search.quick(criterion, candidate, batch->keywords, nullptr);
            if (known == Truth::Yes) matches.add(candidate.flags);
            if (known != Truth::Unknown) continue;
            unknown.add(candidate.flags.uid);
            open.push_back(&candidate);
        }
        std::size_t at = 0;
        if (!needs.email) unknown = {};
        Portions portions(std::move(unknown), emails_at_once);
        while (!portions.now().empty()) {
            MAILCORE_CO_AWAIT(
                auto emails,
                services_.store.read([access = access(), mailbox, some = portions.now(),
                                      first = portions.first()](ReadTransaction& txn) {
                    return store::read_emails(txn, access, mailbox, some, first, emails_at_once,
                                              OnDamage::PassOver);
                }));
            if (!emails) {
                MAILCORE_CO_AWAIT(finish(id, reply_to(emails.error(), Doing::Messages)));
                co_return;
            }
            portions.read(emails->next);
            unreadable.add(emails->damaged);
            for (auto& [uid, email] : emails->emails) {
                while (at < open.size() && open[at]->flags.uid < uid) ++at;
                if (at == open.size()) break;
                Opened opened;
                opened.email = std::make_shared<const store::Email>(std::move(email));
                auto structure = mime::Structure::decode_in_place(opened.email->structure);
                if (!structure) {
                    unreadable.add(uid, structure.error());
                    continue;
                }
                opened.structure = std::move(*structure);
                auto holds = co_await search.slow(criterion, *open[at], batch->keywords, opened);
                if (id == aborted_ || !view_) co_return;
                if (!holds)
                    unreadable.add(uid, holds.error());
                else if (*holds)
                    matches.add(open[at]->flags);
                if (++emails_read % emails_before_others_run != 0) continue;
                co_await base::sleep_until(services_.scheduler.now());
                if (id == aborted_ || !view_) co_return;
            }
        }
    }
    // What cannot be looked into does not match; what may be, another time, might.
    unreadable.tell(services_.log, mailbox.mailbox);
    if (unreadable.worth_another_try()) {
        saved_ = {};
        MAILCORE_CO_AWAIT(finish(id, reply_to(unreadable.error(), Doing::Messages)));
        co_return;
    }
    const auto& returns = command.returns;
    if (returns.save) {
        // RFC 9051 §6.4.4.1: with MIN or MAX alone only those.
        saved_ = matches.uids;
        const bool only_ends = (returns.min || returns.max) && !returns.all && !returns.count;
        if (only_ends && !saved_.empty()) {
            UidSet ends;
            if (returns.min) ends.add(saved_.ranges().front().first);
            if (returns.max) ends.add(saved_.ranges().back().last);
            saved_ = std::move(ends);
        }
    }
    imap::response::SearchResult result;
    if (command.addressing == imap::Addressing::Uids) {
        result.matches = to_numbers(matches.uids);
    } else {
        for (const auto& range : matches.uids.ranges()) {
            // Neighbours among UIDs are neighbours among message numbers.
            result.matches.add(
                {view_->numbers().number_of(range.first), view_->numbers().number_of(range.last)});
        }
    }
    if (command.key.mentions(Kind::ModSeq)) result.modseq = matches.told(returns).value;
    engine_.respond(id, result);
    MAILCORE_CO_AWAIT(finish(id, imap::ok("SEARCH completed")));
}

} // namespace mailcore::session
