// mdctl import: files into the mailboxes of an account.
//
// What was imported is not remembered anywhere: the mailbox itself tells. A message of the source
// whose very octets are there already is passed over, so that an import may be killed at any moment
// (as may the server) and be begun again. A message that is there twice in the source is there
// twice afterwards. What a request of an earlier run still adds while this one looks, the server
// finds when it is asked to add it (`uidnext` of email.add).
#include "mail_source.h"
#include "transfer.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/crypto/hash.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/store/flags.h"
#include "libmailcore/store/mailbox.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unordered_map>

namespace mdctl {

namespace {

namespace store = mailcore::store;
using mailcore::Error;
using mailcore::ErrorKind;
using mailcore::fail;

/// Octets of messages in one request, so that its line stays below the 1 MiB that is allowed.
constexpr std::size_t batch_octets = 700 * 1024;
constexpr std::size_t batch_emails = 250;
constexpr std::size_t list_at_once = 1'000;

/// What people and programs call the mailboxes that have a role (RFC 6154 §2).
struct RoleName {
    std::string_view name;
    std::string_view role;
};
constexpr RoleName role_names[] = {
    {"Sent", "sent"},        {"Sent Items", "sent"},     {"Sent Messages", "sent"},
    {"Sent Mail", "sent"},   {"Drafts", "drafts"},       {"Draft", "drafts"},
    {"Trash", "trash"},      {"Deleted Items", "trash"}, {"Deleted Messages", "trash"},
    {"Bin", "trash"},        {"Junk", "junk"},           {"Spam", "junk"},
    {"Junk E-mail", "junk"}, {"Junk Email", "junk"},     {"Bulk Mail", "junk"},
    {"Archive", "archive"},  {"Archives", "archive"},    {"All Mail", "archive"},
};

struct Existing {
    std::string path, role;
    bool selectable = true;
};

/// What is in the mailbox that is imported into, by size; digests only of what may be the same.
class Present {
  public:
    Present(Session& session, std::string address)
        : session_(session), address_(std::move(address)) {}

    Result<void> open(std::string path) {
        path_ = std::move(path);
        sizes_.clear();
        digests_.clear();
        uidvalidity = 0;
        uidnext = 1;
        return look({});
    }
    /// Looks at what is new from `uidnext` on, but for `own`.
    Result<void> look(const std::set<std::uint64_t>& own) {
        auto after = uidnext - 1;
        while (true) {
            MAILCORE_TRY(const auto page, session_.ask({{"method", "email.list"},
                                                        {"address", address_},
                                                        {"mailbox", path_},
                                                        {"after", after},
                                                        {"limit", list_at_once}}));
            if (uidvalidity == 0) uidvalidity = page["uidvalidity"].get<std::uint64_t>();
            if (page["uidvalidity"] != uidvalidity)
                return fail(ErrorKind::Conflict, "the mailbox was deleted and made anew meanwhile");
            for (const auto& row : page["emails"]) {
                const auto uid = row["uid"].get<std::uint64_t>();
                if (!own.contains(uid)) sizes_[row["size"].get<std::uint64_t>()].push_back(uid);
                after = uid;
            }
            if (page["more"] != true || page["emails"].empty()) break;
        }
        uidnext = after + 1;
        return {};
    }
    /// Makes sure that messages of these sizes can be compared.
    Result<void> compare(const std::vector<std::uint64_t>& sizes) {
        std::vector<std::uint64_t> uids;
        for (const auto size : sizes)
            if (const auto found = sizes_.find(size); found != sizes_.end()) {
                uids.insert(uids.end(), found->second.begin(), found->second.end());
                sizes_.erase(found); // from now on they are known by their digests
            }
        std::ranges::sort(uids);
        while (!uids.empty()) {
            const auto count = std::min<std::size_t>(uids.size(), list_at_once);
            const std::vector<std::uint64_t> some(
                uids.begin(), uids.begin() + static_cast<std::ptrdiff_t>(count));
            MAILCORE_TRY(const auto answer, session_.ask({{"method", "email.digest"},
                                                          {"address", address_},
                                                          {"mailbox", path_},
                                                          {"uids", some}}));
            const auto& rows = answer["emails"];
            if (rows.empty()) return fail(ErrorKind::Corrupt, "the server answers nothing");
            for (const auto& row : rows)
                if (row.contains("digest")) ++digests_[row["digest"].get<std::string>()];
            uids.erase(uids.begin(), uids.begin() + static_cast<std::ptrdiff_t>(rows.size()));
        }
        return {};
    }
    /// Whether one with these octets is there that stands for no other of the source yet.
    bool take(const std::string& digest) {
        const auto found = digests_.find(digest);
        if (found == digests_.end()) return false;
        if (--found->second == 0) digests_.erase(found);
        return true;
    }

    std::uint64_t uidvalidity = 0, uidnext = 1;

  private:
    Session& session_;
    std::string address_, path_;
    std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> sizes_;
    std::unordered_map<std::string, std::uint64_t> digests_; // in hexadecimal
};

struct Pending {
    SourceEmail email;
    std::string digest;
};

class Importer {
  public:
    Importer(Session& session, const ImportOptions& options)
        : session_(session), options_(options), present_(session, options.address),
          progress_("imported", options.json) {}

    int run() {
        if (auto listed = list_mailboxes(); !listed)
            stop(listed.error().detail, listed.error().kind == ErrorKind::NotFound ? 3 : 1);
        SourceOptions source;
        source.path = options_.source;
        source.format = options_.format;
        source.mbox.kind = options_.mbox_kind;
        source.mbox.undated = options_.mbox_undated;
        source.mbox.message_octets_max = message_octets_max_;
        auto opened = open_source(source);
        if (!opened) stop(opened.error().detail);
        source_ = std::move(*opened);
        auto mailboxes = source_->mailboxes();
        if (!mailboxes) stop(mailboxes.error().detail);
        auto some = chosen(std::move(*mailboxes));
        std::ranges::sort(some, {}, &SourceMailbox::levels); // parents first
        if (some.empty()) stop(options_.source + ": no mail is found there");
        for (const auto& mailbox : some) progress_.expect(mailbox.messages, mailbox.octets);
        single_ = some.size() == 1;
        std::uint64_t done = 0;
        for (const auto& mailbox : some) {
            const auto imported = import_mailbox(mailbox);
            if (imported) {
                ++done;
                continue;
            }
            const auto& error = imported.error();
            progress_.problem(path_of(mailbox.levels), error.detail);
            // The quota is used up, the server is gone: nothing more will come.
            if (error.kind == ErrorKind::Unavailable || error.kind == ErrorKind::LimitExceeded) {
                progress_.note("stopped there; the same command goes on");
                break;
            }
        }
        if (bad_keywords_ > 0)
            progress_.note(
                fmt::format("{} flags are left out: they are no keywords of IMAP", bad_keywords_));
        if (keywords_dropped_)
            progress_.note("some keywords are left out: a mailbox has room for 64");
        progress_.set("mailboxes", done);
        return progress_.finish();
    }

  private:
    Result<void> list_mailboxes() {
        MAILCORE_TRY(const auto answer,
                     session_.ask({{"method", "mailbox.list"}, {"address", options_.address}}));
        for (const auto& row : answer["mailboxes"])
            existing_.push_back({row["path"].get<std::string>(), row["role"].get<std::string>(),
                                 row["selectable"] == true});
        message_octets_max_ = answer["message_octets_max"].get<std::uint64_t>();
        return {};
    }

    std::vector<SourceMailbox> chosen(std::vector<SourceMailbox> all) const {
        if (options_.mailboxes.empty()) return all;
        std::vector<SourceMailbox> some;
        for (const auto& name : options_.mailboxes) {
            const auto found = std::ranges::find_if(
                all, [&](const SourceMailbox& each) { return path_of(each.levels) == name; });
            if (found == all.end()) stop("no mailbox " + name + " in " + options_.source, 3);
            some.push_back(*found);
        }
        return some;
    }

    /// The mailbox that takes what `from` holds; made if it is missing.
    Result<std::string> destination(const SourceMailbox& from) {
        auto levels = from.levels;
        for (auto& level : levels)
            std::ranges::replace_if(
                level, [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' '; }, '_');
        if (mailcore::codec::equal_ignoring_case(levels.front(), "INBOX")) levels.front() = "INBOX";
        const bool inbox = levels.size() == 1 && levels.front() == "INBOX";
        auto role = inbox ? std::string() : role_of(from, levels);
        auto path = path_of(levels);
        if (!options_.into.empty()) {
            // One mailbox alone is what is wanted there; of many, INBOX is, and the rest below.
            path = inbox || single_ ? options_.into : options_.into + "/" + path;
            role.clear();
        }
        MAILCORE_TRY(const auto normal, store::split_path(path));
        path = store::join_path(normal);
        const auto exact = std::ranges::find(existing_, path, &Existing::path);
        if (exact != existing_.end() && exact->selectable) return path;
        if (!role.empty() && exact == existing_.end()) {
            const auto same = std::ranges::find(existing_, role, &Existing::role);
            if (same != existing_.end()) return same->path;
        }
        Json request{{"method", "mailbox.create"},
                     {"address", options_.address},
                     {"mailbox", path},
                     {"subscribe", from.subscribed.value_or(true)}};
        if (!role.empty() && role != "inbox") request["role"] = role;
        MAILCORE_TRY(const auto made, session_.ask(request));
        if (exact != existing_.end()) existing_.erase(exact);
        existing_.push_back({path, role, true});
        // What was missing above it is made with it.
        for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0;
             slash = path.rfind('/', slash - 1)) {
            const auto above = path.substr(0, slash);
            if (std::ranges::find(existing_, above, &Existing::path) == existing_.end())
                existing_.push_back({above, "", true});
        }
        return made["path"].get<std::string>();
    }

    static std::string role_of(const SourceMailbox& from, const std::vector<std::string>& levels) {
        if (!from.role.empty()) return from.role;
        // Below INBOX too: there some servers keep all of them.
        const bool top = levels.size() == 1 || (levels.size() == 2 && levels.front() == "INBOX");
        for (const auto& [name, role] : role_names)
            if (top && mailcore::codec::equal_ignoring_case(name, levels.back()))
                return std::string(role);
        return {};
    }

    Result<void> import_mailbox(const SourceMailbox& from) {
        MAILCORE_TRY(path_, destination(from));
        MAILCORE_TRY(source_->open(from));
        MAILCORE_TRY(present_.open(path_));
        const auto where = path_of(from.levels);
        std::vector<Pending> batch;
        std::size_t octets = 0;
        while (auto email = source_->next()) {
            const auto name = email->name.empty() ? where : where + ", " + email->name;
            if (email->problem.empty() && !is_message(email->octets))
                email->problem = "no message: it does not begin with a header";
            if (!email->problem.empty()) {
                progress_.problem(name, email->problem);
                progress_.passed(email->size);
                continue;
            }
            if (!email->warning.empty()) progress_.problem(name, email->warning);
            email->name = name;
            if (!batch.empty() &&
                (octets + email->octets.size() > batch_octets || batch.size() >= batch_emails)) {
                MAILCORE_TRY(add(std::exchange(batch, {})));
                octets = 0;
            }
            octets += email->octets.size();
            auto digest = mailcore::crypto::Blake2b256::of(email->octets);
            batch.push_back({std::move(*email),
                             mailcore::codec::hex_encode(mailcore::crypto::octets_of(digest))});
        }
        return add(std::move(batch));
    }

    static bool is_message(std::string_view octets) {
        mailcore::mime::HeaderScanner header(octets);
        return header.next().has_value();
    }

    /// Adds those that are not there.
    Result<void> add(std::vector<Pending> batch) {
        std::vector<std::uint64_t> sizes;
        for (const auto& each : batch) sizes.push_back(each.email.octets.size());
        MAILCORE_TRY(present_.compare(sizes));
        Json emails = Json::array();
        std::vector<const Pending*> sent;
        for (const auto& each : batch) {
            if (present_.take(each.digest)) {
                progress_.known();
                progress_.passed(each.email.size);
                continue;
            }
            MAILCORE_TRY(auto row, described(each.email));
            emails.push_back(std::move(row));
            sent.push_back(&each);
        }
        if (sent.empty()) return {};
        MAILCORE_TRY(const auto answer, session_.ask({{"method", "email.add"},
                                                      {"address", options_.address},
                                                      {"mailbox", path_},
                                                      {"emails", std::move(emails)},
                                                      {"over_quota", options_.over_quota},
                                                      {"uidvalidity", present_.uidvalidity},
                                                      {"uidnext", present_.uidnext}}));
        keywords_dropped_ = keywords_dropped_ || answer["keywords_dropped"] == true;
        std::set<std::uint64_t> own;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            const auto& row = answer["emails"].at(i);
            own.insert(row["uid"].get<std::uint64_t>());
            if (row["known"] == true)
                progress_.known();
            else
                progress_.transferred(sent[i]->email.octets.size());
            progress_.passed(sent[i]->email.size);
        }
        // If others added to it as well, that is looked at: theirs may be what comes next here.
        const bool alone = *own.begin() == present_.uidnext &&
                           *own.rbegin() + 1 == present_.uidnext + own.size() &&
                           answer["uidnext"] == *own.rbegin() + 1;
        if (!alone) return present_.look(own);
        present_.uidnext = *own.rbegin() + 1;
        return {};
    }

    /// A message as email.add wants it; a large one is handed in first, piece by piece.
    Result<Json> described(const SourceEmail& email) {
        Json row = Json::object();
        if (email.octets.size() <= batch_octets) {
            row["octets"] = mailcore::codec::base64_encode(email.octets);
        } else {
            std::uint64_t upload = 0;
            for (std::size_t at = 0; at < email.octets.size(); at += batch_octets) {
                Json request{
                    {"method", "email.upload"},
                    {"octets", mailcore::codec::base64_encode(
                                   std::string_view(email.octets).substr(at, batch_octets))}};
                if (upload != 0) request["upload"] = upload;
                MAILCORE_TRY(const auto answer, session_.ask(request));
                upload = answer["upload"].get<std::uint64_t>();
            }
            row["upload"] = upload;
        }
        if (email.received) row["received"] = mailcore::mime::format_rfc3339(*email.received);
        Json flags = Json::array();
        for (const auto& flag : email.flags) {
            if (flag.starts_with('\\') || store::is_keyword(flag))
                flags.push_back(flag);
            else
                ++bad_keywords_;
        }
        row["flags"] = std::move(flags);
        return row;
    }

    Session& session_;
    ImportOptions options_;
    Present present_;
    Progress progress_;
    std::unique_ptr<MailSource> source_;
    std::vector<Existing> existing_;
    std::uint64_t message_octets_max_ = 0;
    std::string path_; // of the mailbox that is imported into
    bool single_ = false;
    std::uint64_t bad_keywords_ = 0;
    bool keywords_dropped_ = false;
};

} // namespace

int run_import(Session& session, const ImportOptions& options) {
    return Importer(session, options).run();
}

} // namespace mdctl
