// Emails into a mailbox, once.
#include "libmailcore/admin/detail/mail.h"
#include "libmailcore/admin/detail/request.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/filing.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace mailcore::admin::detail {

namespace {

using store::ReadTransaction;
using store::TxnTask;
using store::Uid;
using store::UidSet;
using store::WriteTransaction;

/// Where a request's email has its octets.
struct Given {
    std::string base64; ///< empty: `upload`
    std::uint64_t upload = 0;
};

Result<Incoming> parse_email(Json object, const std::string& name, WallTime now, Given& given) {
    auto request = Request::of(std::move(object));
    Incoming incoming;
    if (request.has("upload"))
        given.upload = request.number_or("upload", 0);
    else
        given.base64 = request.text("octets");
    const auto received = request.text_or("received", "");
    const auto flags = request.has("flags") ? request.texts("flags") : std::vector<std::string>{};
    if (auto error = request.finish()) return fail(ErrorKind::Rejected, name + "." + error->detail);
    if (given.upload == 0 && given.base64.empty())
        return fail(ErrorKind::Rejected, name + ".octets: expected a message in base64");
    incoming.filing.received.at = now;
    if (!received.empty()) {
        const auto date = mime::parse_rfc3339(received);
        if (!date)
            return fail(ErrorKind::Rejected, name + ".received: expected 2003-07-01T10:52:37Z");
        incoming.filing.received.at = date->time;
        incoming.filing.received.zone_minutes = date->zone_minutes;
    }
    const auto named = parse_flags(flags);
    if (!named) return fail(ErrorKind::Rejected, name + ".flags: expected flags and keywords");
    incoming.filing.flags = *named;
    // Whether there is room is known before the first is filed.
    incoming.filing.quota = store::QuotaCheck::Ignored;
    return incoming;
}

/// Decodes and parses what the request itself holds; on a worker's thread.
Result<std::vector<std::pair<std::string, store::NewEmail>>>
decode_all(const std::vector<std::string>& texts) {
    std::vector<std::pair<std::string, store::NewEmail>> all;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        all.emplace_back();
        if (texts[i].empty()) continue;
        auto octets = codec::base64_decode(texts[i]);
        if (!octets || octets->empty())
            return fail(ErrorKind::Rejected,
                        "emails[" + std::to_string(i) + "].octets: expected a message in base64");
        all.back().second.describe(mime::parse(*octets), 0);
        all.back().first = std::move(*octets);
    }
    return all;
}

/// Gives every email its body: from the request, or from what was handed in before.
Task<Result<void>> make_bodies(Context& context, std::vector<Incoming>& emails,
                               std::vector<Given> given) {
    std::vector<std::string> texts;
    for (auto& each : given) texts.push_back(std::move(each.base64));
    MAILCORE_CO_AWAIT(auto decoded,
                      base::offload([texts = std::move(texts)] { return decode_all(texts); }));
    if (!decoded) co_return std::unexpected(std::move(decoded).error());
    auto& scheduler = co_await base::current_scheduler();
    for (std::size_t i = 0; i < emails.size(); ++i) {
        auto& email = emails[i];
        std::unique_ptr<store::BlobWriter> writer;
        if (given[i].upload == 0) {
            auto& [octets, described] = (*decoded)[i];
            email.email = std::move(described);
            if (octets.size() > context.message_octets_max)
                co_return fail(ErrorKind::Rejected,
                               "emails[" + std::to_string(i) + "]: longer than allowed");
            writer = context.store.new_blob(scheduler, octets.size());
            MAILCORE_CO_TRY(writer->append(octets));
            octets = {};
        } else {
            auto begun = context.uploads.begun.extract(given[i].upload);
            if (begun.empty())
                co_return fail(ErrorKind::NotFound, "no upload " + std::to_string(given[i].upload));
            email.email.describe(begun.mapped().parser.finish(), 0);
            writer = std::move(begun.mapped().writer);
        }
        MAILCORE_CO_TRY(email.blob, writer->finish());
    }
    co_return Result<void>{};
}

/// Finds those of `batch` among the messages from `from` on: each of these stands for one of them.
/// Answers the UID before which all was looked at.
Task<Result<Uid>> find_known(Context& context, const Target& target, std::vector<Incoming>& emails,
                             std::set<std::uint32_t>& taken, Uid from) {
    while (true) {
        MAILCORE_CO_TRY(const auto messages,
                        context.store.read([access = target.access(), ref = target.ref(),
                                            from](ReadTransaction& txn) {
                            return store::read_messages(txn, access, ref, UidSet::all(), from);
                        }));
        for (const auto& message : messages.messages) {
            from = Uid{message.uid.value + 1}; // UIDs end before their type does
            const auto same_size = [&](const Incoming& each) {
                return !each.known && each.blob->size() == message.size;
            };
            if (taken.contains(message.uid.value) || std::ranges::none_of(emails, same_size))
                continue;
            MAILCORE_CO_AWAIT(const auto email,
                              context.store.read([owner = target.account.id,
                                                  id = message.email](ReadTransaction& txn) {
                                  return store::read_email(txn, owner, id);
                              }));
            if (!email) continue; // it is gone again
            const auto digest = co_await digest_of(context.store, *email);
            if (!digest) continue;
            const auto found = std::ranges::find_if(emails, [&](const Incoming& each) {
                return same_size(each) && each.blob->digest() == *digest;
            });
            if (found == emails.end()) continue;
            found->known = true;
            found->uid = message.uid;
            taken.insert(message.uid.value);
        }
        if (!messages.next) co_return from;
        from = *messages.next;
    }
}

enum class Outcome : std::uint8_t { Done, OtherMailbox, Arrived, OverQuota };
struct Written {
    Outcome outcome = Outcome::Done;
    std::vector<Uid> uids; ///< of those that were not known
    Uid uidnext;
};

/// Drops the keywords that the mailbox does not know yet.
TxnTask<Result<void>> keep_known_keywords(WriteTransaction& txn, store::MailboxRef ref,
                                          std::vector<store::NamedFlags>& flags) {
    const UidSet nothing(Uid{1});
    MAILCORE_CO_TRY(const auto batch, store::read_flags(txn, store::Access::owner(ref.owner), ref,
                                                        nothing, Uid{1}, 1));
    for (auto& each : flags)
        std::erase_if(each.keywords, [&](const std::string& keyword) {
            return std::ranges::none_of(batch.keywords, [&](const std::string& known) {
                return codec::equal_ignoring_case(known, keyword);
            });
        });
    co_return Result<void>{};
}

TxnTask<Result<Written>> write_all(WriteTransaction& txn, store::MailboxRef ref,
                                   std::shared_ptr<const Batch> batch) {
    Written written;
    const auto access = store::Access::owner(ref.owner);
    store::AccountEdit edit(txn, access, ref.owner);
    MAILCORE_CO_TRY(edit.begin());
    MAILCORE_CO_TRY(auto* mailbox, edit.mailbox(ref.mailbox, store::Right::Insert));
    if (batch->uidvalidity != 0 && mailbox->uidvalidity.value != batch->uidvalidity) {
        written.outcome = Outcome::OtherMailbox;
        co_return written;
    }
    std::vector<const Incoming*> emails;
    for (const auto& each : batch->emails)
        if (!each.known) emails.push_back(&each);
    if (batch->looked_until.value != 0 && batch->looked_until < mailbox->uidnext) {
        MAILCORE_CO_TRY(const auto arrived,
                        store::read_messages(txn, access, ref, UidSet::all(), batch->looked_until));
        bool same = arrived.next.has_value();
        for (const auto& message : arrived.messages)
            for (const auto* each : emails) same = same || each->blob->size() == message.size;
        if (same) {
            written.outcome = Outcome::Arrived;
            co_return written;
        }
    }
    if (!batch->over_quota) {
        auto quota = edit.state().quota;
        for (const auto* each : emails) {
            if (!quota.has_room(each->blob->size())) {
                written.outcome = Outcome::OverQuota;
                co_return written;
            }
            quota.usage.octets += each->blob->size();
            ++quota.usage.messages;
        }
    }
    std::vector<store::NamedFlags> flags;
    for (const auto* each : emails) flags.push_back(each->filing.flags);
    if (!batch->new_keywords) {
        MAILCORE_CO_TRY(keep_known_keywords(txn, ref, flags));
    }
    for (std::size_t i = 0; i < emails.size(); ++i) {
        auto email = emails[i]->email;
        const auto& blob = *emails[i]->blob;
        email.pieces.push_back(store::Piece::of(txn.add_blob(blob), 0, blob.size()));
        auto filing = emails[i]->filing;
        filing.mailbox = ref.mailbox;
        filing.flags = std::move(flags[i]);
        MAILCORE_CO_TRY(const auto filed, store::file_email(edit, std::move(email), filing));
        written.uids.push_back(filed.uid);
        written.uidnext = Uid{filed.uid.value + 1};
    }
    MAILCORE_CO_TRY(edit.save());
    co_return written;
}

/// Files those of the batch that are not there. False: something came meanwhile that may be one of
/// them, or the keywords do not fit; to be done once more.
Task<Result<bool>> add_once(Context& context, const Target& target, std::shared_ptr<Batch> batch,
                            Uid& uidnext) {
    const auto ref = target.ref();
    MAILCORE_CO_AWAIT(auto written, context.store.write([ref, batch](WriteTransaction& txn) {
        return write_all(txn, ref, batch);
    }));
    auto& emails = batch->emails;
    const bool keywords = std::ranges::any_of(
        emails, [](const Incoming& each) { return !each.filing.flags.keywords.empty(); });
    if (!written) {
        // Perhaps a mailbox with all its keywords in use: mail matters more than they do.
        if (written.error().kind != ErrorKind::LimitExceeded || !keywords || !batch->new_keywords)
            co_return std::unexpected(std::move(written).error());
        batch->new_keywords = false;
        co_return false;
    }
    switch (written->outcome) {
    case Outcome::Arrived: co_return false;
    case Outcome::OtherMailbox:
        co_return fail(ErrorKind::Conflict, "the mailbox is another one by now");
    case Outcome::OverQuota: co_return fail(ErrorKind::LimitExceeded, "the quota is used up");
    case Outcome::Done: break;
    }
    std::size_t next = 0;
    for (auto& each : emails)
        if (!each.known) each.uid = written->uids[next++];
    uidnext = written->uidnext;
    co_return true;
}

} // namespace

Task<Result<void>> add_batch(Context& context, const Target& target, std::shared_ptr<Batch> batch,
                             std::set<std::uint32_t>& taken, Uid& uidnext) {
    const bool look = batch->looked_until.value != 0;
    bool done = false;
    while (!done) {
        if (look) {
            MAILCORE_CO_TRY(batch->looked_until,
                            find_known(context, target, batch->emails, taken, batch->looked_until));
            uidnext = std::max(uidnext, batch->looked_until);
        }
        done = std::ranges::all_of(batch->emails, &Incoming::known);
        if (!done) {
            MAILCORE_CO_TRY(done, add_once(context, target, batch, uidnext));
        }
    }
    co_return Result<void>{};
}

Answer email_upload(Context& context, std::string text) {
    Request request(text);
    const auto base64 = request.text("octets");
    auto id = request.number_or("upload", 0);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    const auto octets = codec::base64_decode(base64);
    if (!octets) co_return fail(ErrorKind::Rejected, "octets: expected base64");
    auto& scheduler = co_await base::current_scheduler();
    auto& begun = context.uploads.begun;
    if (id == 0) {
        while (begun.size() >= uploads_max) begun.erase(begun.begin());
        id = context.uploads.next++;
        begun[id].writer = context.store.new_blob(scheduler, 0);
    }
    // Out of the map while octets are on their way.
    auto node = begun.extract(id);
    if (node.empty()) co_return fail(ErrorKind::NotFound, "no upload " + std::to_string(id));
    auto& upload = node.mapped();
    if (upload.writer->size() + octets->size() > context.message_octets_max)
        co_return fail(ErrorKind::Rejected, "the message is longer than allowed");
    upload.parser.feed(*octets);
    MAILCORE_CO_TRY(upload.writer->append(*octets));
    const auto size = upload.writer->size();
    begun.insert(std::move(node));
    co_return text_of(Json{{"upload", id}, {"octets", size}});
}

Answer email_add(Context& context, std::string text) {
    Request request(text);
    text = {};
    const auto address = request.text("address");
    const auto path = request.text("mailbox");
    auto objects = request.objects("emails", emails_max);
    const auto batch = std::make_shared<Batch>();
    batch->over_quota = request.flag("over_quota");
    batch->uidvalidity = request.number_or("uidvalidity", 0);
    const auto seen = std::min<std::uint64_t>(request.number_or("uidnext", 0), 0xFFFFFFFF);
    if (auto error = request.finish()) co_return std::unexpected(std::move(*error));
    batch->looked_until = Uid{static_cast<std::uint32_t>(seen)};
    auto& scheduler = co_await base::current_scheduler();
    auto& emails = batch->emails;
    std::vector<Given> given;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        auto parsed = parse_email(std::move(objects[i]), "emails[" + std::to_string(i) + "]",
                                  scheduler.wall_now(), given.emplace_back());
        if (!parsed) co_return std::unexpected(std::move(parsed).error());
        emails.push_back(std::move(*parsed));
    }
    MAILCORE_CO_TRY(const auto target, target_of(context, address, path));
    if (batch->uidvalidity != 0 && batch->uidvalidity != target.mailbox.uidvalidity.value)
        co_return fail(ErrorKind::Conflict, "the mailbox is another one by now");
    MAILCORE_CO_TRY(make_bodies(context, emails, std::move(given)));

    Uid uidnext = target.mailbox.uidnext;
    std::set<std::uint32_t> taken;
    MAILCORE_CO_TRY(add_batch(context, target, batch, taken, uidnext));
    Json rows = Json::array();
    for (const auto& each : emails)
        rows.push_back(Json{{"uid", each.uid->value}, {"known", each.known}});
    const Json answer{{"uidvalidity", target.mailbox.uidvalidity.value},
                      {"uidnext", uidnext.value},
                      {"keywords_dropped", !batch->new_keywords},
                      {"emails", std::move(rows)}};
    co_return text_of(answer);
}

} // namespace mailcore::admin::detail
