// The emails of a mailbox: lists, octets, digests.
#include "libmailcore/admin/detail/mail.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/mime/date.h"

#include <algorithm>

namespace mailcore::admin::detail {

namespace {

using store::ReadTransaction;
using store::TxnTask;
using store::Uid;
using store::UidSet;

struct SystemName {
    store::Flag flag;
    std::string_view name;
};
constexpr SystemName system_names[] = {
    {store::Flag::Seen, "\\Seen"},       {store::Flag::Answered, "\\Answered"},
    {store::Flag::Flagged, "\\Flagged"}, {store::Flag::Deleted, "\\Deleted"},
    {store::Flag::Draft, "\\Draft"},
};

/// Octets of mail that one request for digests reads.
constexpr std::uint64_t digest_octets_max = 64 * 1024 * 1024;

Json failure(Uid uid, const Error& error) {
    return Json{{"uid", uid.value}, {"error", error.detail}, {"kind", to_string(error.kind)}};
}

/// Calls `each(uid, email)`, a Task<bool>, for the emails of `uids` in ascending order as long as
/// it answers true; with nothing for one that is gone.
template <class Each>
Task<Result<void>> for_each_email(Context& context, const Target& target, UidSet uids, Each each) {
    Uid from{1};
    auto left = uids;
    while (!left.empty()) {
        MAILCORE_CO_TRY(auto batch,
                        context.store.read([access = target.access(), ref = target.ref(), left,
                                            from](ReadTransaction& txn) {
                            return store::read_emails(txn, access, ref, left, from, 64);
                        }));
        const auto next = batch.next;
        const Uid end{next ? next->value - 1 : store::all_uids.last.value};
        auto found = batch.emails.begin();
        std::vector<Uid> due;
        const UidSet looked_at(store::UidRange{from, end});
        left.intersection(looked_at).for_each([&](Uid uid) { due.push_back(uid); });
        for (const auto uid : due) {
            while (found != batch.emails.end() && found->uid < uid) ++found;
            const auto* email =
                found != batch.emails.end() && found->uid == uid ? &found->email : nullptr;
            const bool on = co_await each(uid, email);
            if (!on) co_return Result<void>{};
        }
        left.remove(store::UidRange{Uid{1}, end});
        from = Uid{end.value + (next ? 1 : 0)};
    }
    co_return Result<void>{};
}

} // namespace

Task<Result<Target>> target_of(Context& context, std::string address, std::string mailbox) {
    Target target;
    MAILCORE_CO_TRY(target.account, account_of(context, std::move(address)));
    const auto id = target.account.id;
    MAILCORE_CO_AWAIT(auto found, context.store.read([id, mailbox](ReadTransaction& txn) {
        return store::find_mailbox(txn, store::Access::owner(id), id, mailbox);
    }));
    if (!found && found.error().kind != ErrorKind::NotFound)
        co_return std::unexpected(std::move(found).error());
    if (!found || !found->selectable) co_return fail(ErrorKind::NotFound, "no mailbox " + mailbox);
    target.mailbox = std::move(*found);
    co_return target;
}

TxnTask<Result<Listed>> list_messages(ReadTransaction& txn, store::Access access,
                                      store::MailboxRef ref, Uid from, std::size_t messages_max) {
    Listed listed;
    MAILCORE_CO_TRY(listed.messages,
                    store::read_messages(txn, access, ref, UidSet::all(), from, messages_max));
    const auto& messages = listed.messages.messages;
    if (messages.empty()) co_return listed;
    // One more block than asked for never comes: both read whole blocks of the same UIDs.
    const store::UidRange range{messages.front().uid, messages.back().uid};
    const UidSet same(range);
    MAILCORE_CO_TRY(listed.flags,
                    store::read_flags(txn, access, ref, same, from, messages.size() + 64));
    co_return listed;
}

UidSet uid_set(const std::vector<std::uint64_t>& numbers) {
    auto sorted = numbers;
    std::ranges::sort(sorted);
    UidSet set;
    for (const auto number : sorted)
        if (number >= 1 && number <= store::all_uids.last.value)
            set.add(Uid{static_cast<std::uint32_t>(number)});
    return set;
}

std::vector<std::string> flag_names(const store::MessageFlags& flags,
                                    const std::vector<std::string>& keywords) {
    std::vector<std::string> names;
    for (const auto& [flag, name] : system_names)
        if (flags.system.has(flag)) names.emplace_back(name);
    for (std::size_t bit = 0; bit < keywords.size(); ++bit)
        if ((flags.keywords >> bit & 1) != 0 && !keywords[bit].empty())
            names.push_back(keywords[bit]);
    return names;
}

std::optional<store::NamedFlags> parse_flags(const std::vector<std::string>& names) {
    store::NamedFlags flags;
    for (const auto& name : names) {
        const auto* const found = std::ranges::find_if(system_names, [&](const SystemName& system) {
            return codec::equal_ignoring_case(system.name, name);
        });
        if (found != std::ranges::end(system_names))
            flags.system = flags.system | found->flag;
        else if (store::is_keyword(name))
            flags.keywords.push_back(name);
        else
            return std::nullopt;
    }
    return flags;
}

Task<Result<crypto::Blake2b256::Digest>> digest_of(store::Store& store, const store::Email& email) {
    crypto::Blake2b256 hash;
    store::PiecesReader pieces(store, email.pieces);
    pieces.start(0, email.size);
    while (true) {
        MAILCORE_CO_TRY(const auto octets, pieces.next());
        if (octets.empty()) co_return hash.finish();
        hash.update(octets);
    }
}

Answer email_list(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto path = request.text("mailbox");
    const auto after = request.number_or("after", 0);
    const auto limit = request.number_or("limit", emails_max);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto target, target_of(context, address, path));
    Json rows = Json::array();
    bool more = false;
    if (after < store::all_uids.last.value && limit > 0) {
        const Uid from{static_cast<std::uint32_t>(after + 1)};
        const auto count = std::min<std::uint64_t>(limit, emails_max);
        MAILCORE_CO_TRY(const auto listed,
                        context.store.read([access = target.access(), ref = target.ref(), from,
                                            count](ReadTransaction& txn) {
                            return list_messages(txn, access, ref, from, count);
                        }));
        more = listed.messages.next.has_value();
        auto flags = listed.flags.messages.begin();
        for (const auto& message : listed.messages.messages) {
            if (rows.size() == count) {
                more = true;
                break;
            }
            while (flags != listed.flags.messages.end() && flags->uid < message.uid) ++flags;
            const bool has = flags != listed.flags.messages.end() && flags->uid == message.uid;
            mime::DateTime received;
            received.time = message.received.at;
            received.zone_minutes = message.received.zone_minutes;
            rows.push_back(Json{
                {"uid", message.uid.value},
                {"email", message.email.value},
                {"size", message.size},
                {"received", mime::format_rfc3339(received)},
                {"flags",
                 has ? flag_names(*flags, listed.flags.keywords) : std::vector<std::string>{}},
            });
        }
    }
    co_return text_of(Json{{"uidvalidity", target.mailbox.uidvalidity.value},
                           {"uidnext", target.mailbox.uidnext.value},
                           {"emails", std::move(rows)},
                           {"more", more}});
}

Answer email_read(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto path = request.text("mailbox");
    const auto uids = uid_set(request.numbers("uids", emails_max));
    auto offset = request.number_or("offset", 0);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto target, target_of(context, address, path));
    Json rows = Json::array();
    std::size_t room = answer_octets_max;
    auto read = [&](Uid uid, const store::Email* email) -> Task<bool> {
        if (!email) {
            rows.push_back(failure(uid, Error{ErrorKind::NotFound, "it is gone"}));
            offset = 0;
            co_return true;
        }
        const auto left = email->size - std::min(offset, email->size);
        // One that fits into an answer is not cut.
        if (room < left && room < answer_octets_max && left <= answer_octets_max) co_return false;
        std::string octets;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, room));
        store::PiecesReader pieces(context.store, email->pieces);
        pieces.start(offset, wanted);
        while (octets.size() < wanted) {
            auto piece = co_await pieces.next();
            if (!piece) {
                rows.push_back(failure(uid, piece.error()));
                offset = 0;
                co_return true;
            }
            octets += *piece;
        }
        rows.push_back(Json{{"uid", uid.value},
                            {"size", email->size},
                            {"offset", offset},
                            {"octets", codec::base64_encode(octets)},
                            {"last", wanted == left}});
        room -= wanted;
        offset = 0;
        co_return wanted == left&& room > 0;
    };
    MAILCORE_CO_TRY(for_each_email(context, target, uids, std::ref(read)));
    co_return text_of(Json{{"emails", std::move(rows)}});
}

Answer email_digest(Context& context, std::string text) {
    Request request(text);
    const auto address = request.text("address");
    const auto path = request.text("mailbox");
    const auto uids = uid_set(request.numbers("uids", emails_max));
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    MAILCORE_CO_TRY(const auto target, target_of(context, address, path));
    Json rows = Json::array();
    std::uint64_t octets = 0;
    auto digest = [&](Uid uid, const store::Email* email) -> Task<bool> {
        if (!email) {
            rows.push_back(failure(uid, Error{ErrorKind::NotFound, "it is gone"}));
            co_return true;
        }
        const auto made = co_await digest_of(context.store, *email);
        if (made)
            rows.push_back(
                Json{{"uid", uid.value}, {"digest", codec::hex_encode(crypto::octets_of(*made))}});
        else
            rows.push_back(failure(uid, made.error()));
        octets += email->size;
        co_return octets < digest_octets_max;
    };
    MAILCORE_CO_TRY(for_each_email(context, target, uids, std::ref(digest)));
    co_return text_of(Json{{"emails", std::move(rows)}});
}

} // namespace mailcore::admin::detail
