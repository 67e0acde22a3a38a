// mdctl export: the mail of an account as files.
//
// Messages are written in the order of their UIDs. Every so many the files are synced and the
// place reached is put into a file of the folder; an export that is begun again removes what is
// newer and goes on from there. So each message is there once, and what has come since is added.
#include "mail_sink.h"
#include "transfer.h"

#include "libmailcore/codec/base64.h"
#include "libmailcore/mime/date.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <sys/file.h>
#include <unistd.h>

namespace mdctl {

namespace {

using mailcore::Error;
using mailcore::ErrorKind;
using mailcore::fail;

constexpr std::uint64_t state_octets_max = 64 * 1024 * 1024;
constexpr std::size_t emails_at_once = 500;
/// Between two places that are remembered.
constexpr std::uint64_t checkpoint_messages = 2'000;
constexpr std::uint64_t checkpoint_octets = 128 * 1024 * 1024;

struct Mailbox {
    std::string path, role;
    std::uint64_t uidvalidity = 0, messages = 0, octets = 0;
    bool subscribed = false;
};

/// The folder, held by this process.
class Target {
  public:
    explicit Target(const ExportOptions& options) : options_(options) {}
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    ~Target() {
        if (lock_ >= 0) ::close(lock_);
    }

    /// Rejected: what is there is not an export of this account in this format.
    Result<void> open() {
        MAILCORE_TRY(make_folders(options_.folder));
        lock_ = ::open(options_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lock_ < 0) return fail(ErrorKind::Rejected, "no right to open " + options_.folder);
        if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
            return fail(ErrorKind::Conflict, "another export writes to " + options_.folder);
        const auto text = read_small_file(state_path(), state_octets_max);
        if (!text) {
            if (!empty())
                return fail(ErrorKind::Rejected,
                            options_.folder + " is not empty and holds no export: name another "
                                              "folder");
            return save();
        }
        const auto json = Json::parse(*text, nullptr, false);
        if (!json.is_object() || json.value("version", 0) != 1 || !json["mailboxes"].is_object())
            return fail(ErrorKind::Rejected, state_path() + " is damaged");
        const auto address = json.value("account", "");
        const auto format = json.value("format", "");
        if (address != options_.address || format != to_string(options_.format))
            return fail(ErrorKind::Rejected,
                        fmt::format("{} holds an export of {} as {}: name another folder",
                                    options_.folder, address, format));
        for (const auto& [path, row] : json["mailboxes"].items()) {
            if (!row.is_object()) continue;
            mailboxes[path] = {row.value("uidvalidity", std::uint64_t{0}),
                               row.value("uid", std::uint64_t{0}),
                               row.value("octets", std::uint64_t{0})};
            roles[path] = row.value("role", "");
        }
        return {};
    }
    Result<void> save() const {
        Json rows = Json::object();
        for (const auto& [path, state] : mailboxes)
            rows[path] = Json{{"uidvalidity", state.uidvalidity},
                              {"uid", state.uid},
                              {"octets", state.octets},
                              {"role", roles.contains(path) ? roles.at(path) : ""}};
        const Json json{{"version", 1},
                        {"account", options_.address},
                        {"format", to_string(options_.format)},
                        {"mailboxes", std::move(rows)}};
        return replace_file(state_path(),
                            json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    }

    std::map<std::string, ExportedMailbox> mailboxes;
    std::map<std::string, std::string> roles;

  private:
    [[nodiscard]] std::string state_path() const {
        return options_.folder + "/" + export_state_file;
    }
    [[nodiscard]] bool empty() const {
        DIR* entries = ::opendir(options_.folder.c_str());
        if (!entries) return false;
        bool found = false;
        while (const auto* entry = ::readdir(entries)) {
            const std::string_view name = entry->d_name;
            found = found || (name != "." && name != "..");
        }
        ::closedir(entries);
        return !found;
    }

    const ExportOptions& options_;
    int lock_ = -1;
};

class Exporter {
  public:
    Exporter(Session& session, const ExportOptions& options)
        : session_(session), options_(options), target_(options_),
          progress_("exported", options.json) {}

    int run() {
        // The address as the account's own, whatever the spelling: it is part of what is resumed.
        const auto account =
            need(session_.ask({{"method", "account.show"}, {"address", options_.address}}));
        options_.address = account["address"].get<std::string>();
        const auto mailboxes = chosen(list_mailboxes());
        if (auto opened = target_.open(); !opened) stop(opened.error().detail);
        const auto at = options_.address.rfind('@');
        const auto host = options_.address.substr(at == std::string::npos ? 0 : at + 1);
        switch (options_.format) {
        case MailFormat::Maildir: sink_ = make_maildir_sink(options_.folder, host); break;
        case MailFormat::Mbox: sink_ = make_mbox_sink(options_.folder); break;
        case MailFormat::Eml: sink_ = make_eml_sink(options_.folder); break;
        }
        for (const auto& mailbox : mailboxes) {
            const auto known = target_.mailboxes.find(mailbox.path);
            if (known == target_.mailboxes.end())
                progress_.expect(mailbox.messages, mailbox.octets);
        }
        std::uint64_t done = 0;
        std::vector<std::vector<std::string>> subscribed;
        for (const auto& mailbox : mailboxes) {
            if (mailbox.subscribed) subscribed.push_back(levels_of(mailbox.path));
            const auto exported = export_mailbox(mailbox);
            if (exported) {
                ++done;
                continue;
            }
            const auto& error = exported.error();
            progress_.problem(mailbox.path, error.detail);
            // The disk is full, the server is gone: nothing more will come.
            if (error.kind == ErrorKind::Unavailable || error.kind == ErrorKind::LimitExceeded)
                break;
        }
        // Only of all mailboxes: else it would tell of some and hide the others.
        const bool all = options_.mailboxes.empty();
        if (auto written = all ? sink_->subscribe(subscribed) : Result<void>{}; !written)
            progress_.problem(options_.folder, written.error().detail);
        if (const auto lost = sink_->keywords_lost())
            progress_.note(fmt::format("{} keywords are left out: a Maildir has room for 26 of a "
                                       "mailbox",
                                       lost));
        progress_.set("mailboxes", done);
        return progress_.finish();
    }

  private:
    static Json need(Result<Json> answer) {
        if (!answer)
            stop(answer.error().detail, answer.error().kind == ErrorKind::NotFound ? 3 : 1);
        return std::move(*answer);
    }

    std::vector<Mailbox> list_mailboxes() {
        const auto answer =
            need(session_.ask({{"method", "mailbox.list"}, {"address", options_.address}}));
        std::vector<Mailbox> mailboxes;
        for (const auto& row : answer["mailboxes"]) {
            if (row["selectable"] != true) continue;
            mailboxes.push_back({row["path"].get<std::string>(), row["role"].get<std::string>(),
                                 row["uidvalidity"].get<std::uint64_t>(),
                                 row["messages"].get<std::uint64_t>(),
                                 row["octets"].get<std::uint64_t>(), row["subscribed"] == true});
        }
        return mailboxes;
    }

    std::vector<Mailbox> chosen(std::vector<Mailbox> all) const {
        if (options_.mailboxes.empty()) return all;
        std::vector<Mailbox> some;
        for (const auto& name : options_.mailboxes) {
            const auto found = std::ranges::find(all, name, &Mailbox::path);
            if (found == all.end()) stop("no mailbox " + name, 3);
            some.push_back(*found);
        }
        return some;
    }

    Result<void> export_mailbox(const Mailbox& mailbox) {
        auto& state = target_.mailboxes[mailbox.path];
        target_.roles[mailbox.path] = mailbox.role;
        if (state.uidvalidity != 0 && state.uidvalidity != mailbox.uidvalidity)
            return fail(ErrorKind::Conflict,
                        "it is another mailbox than the one of that name that was exported: "
                        "export to a new folder");
        state.uidvalidity = mailbox.uidvalidity;
        MAILCORE_TRY(sink_->open(levels_of(mailbox.path), state));
        bool more = true;
        reached_ = state.uid;
        while (more) {
            MAILCORE_TRY(const auto page, session_.ask({{"method", "email.list"},
                                                        {"address", options_.address},
                                                        {"mailbox", mailbox.path},
                                                        {"after", reached_},
                                                        {"limit", emails_at_once}}));
            if (page["uidvalidity"] != state.uidvalidity)
                return fail(ErrorKind::Conflict, "it was deleted and made anew meanwhile");
            std::vector<EmailFacts> emails;
            for (const auto& row : page["emails"]) emails.push_back(facts_of(row));
            more = page["more"] == true && !emails.empty();
            const auto exported = export_emails(mailbox.path, emails, state);
            if (!exported) {
                // What is complete is kept, if that is still possible.
                MAILCORE_TRY(drop());
                MAILCORE_TRY(checkpoint(state));
                return exported;
            }
        }
        return checkpoint(state);
    }

    static EmailFacts facts_of(const Json& row) {
        EmailFacts facts;
        facts.uid = row["uid"].get<std::uint64_t>();
        facts.size = row["size"].get<std::uint64_t>();
        facts.received_text = row["received"].get<std::string>();
        if (const auto date = mailcore::mime::parse_rfc3339(facts.received_text))
            facts.received = date->time;
        for (const auto& flag : row["flags"]) facts.flags.push_back(flag.get<std::string>());
        return facts;
    }

    /// Writes the emails of a page; an answer holds some of them whole, or a piece of one.
    Result<void> export_emails(const std::string& path, const std::vector<EmailFacts>& emails,
                               ExportedMailbox& state) {
        std::size_t next = 0;
        std::uint64_t offset = 0;
        std::size_t at_once = emails.size();
        while (next < emails.size()) {
            Json uids = Json::array();
            for (std::size_t i = next; i < std::min(emails.size(), next + at_once); ++i)
                uids.push_back(emails[i].uid);
            Json request{{"method", "email.read"},
                         {"address", options_.address},
                         {"mailbox", path},
                         {"uids", std::move(uids)},
                         {"offset", offset}};
            const auto answer = session_.ask(request);
            if (!answer && answer.error().kind == ErrorKind::Corrupt) {
                // One row is damaged: those beside it are not.
                if (at_once > 1) {
                    at_once = 1;
                    continue;
                }
                MAILCORE_TRY(give_up(path, emails[next], answer.error().detail));
                offset = 0;
                ++next;
                continue;
            }
            if (!answer) return std::unexpected(answer.error());
            if ((*answer)["emails"].empty())
                return fail(ErrorKind::Corrupt, "the server answers nothing");
            for (const auto& row : (*answer)["emails"]) {
                const auto& email = emails[next];
                if (row["uid"] != email.uid)
                    return fail(ErrorKind::Corrupt, "the server answers something else");
                if (row.contains("error")) {
                    if (row["kind"] == to_string(ErrorKind::NotFound)) {
                        MAILCORE_TRY(drop()); // expunged meanwhile
                        progress_.passed(email.size);
                    } else {
                        MAILCORE_TRY(give_up(path, email, row["error"]));
                    }
                    offset = 0;
                    ++next;
                    continue;
                }
                const auto octets =
                    mailcore::codec::base64_decode(row["octets"].get_ref<const std::string&>());
                if (!octets || row["offset"] != offset)
                    return fail(ErrorKind::Corrupt, "the server answers something else");
                if (offset == 0) {
                    writing_ = true;
                    MAILCORE_TRY(sink_->begin(email));
                }
                MAILCORE_TRY(sink_->write(*octets));
                offset += octets->size();
                if (row["last"] != true) break;
                MAILCORE_TRY(sink_->finish());
                writing_ = false;
                progress_.transferred(email.size);
                progress_.passed(email.size);
                reached_ = email.uid;
                unsaved_octets_ += email.size;
                ++unsaved_messages_;
                offset = 0;
                ++next;
            }
            if (!writing_ &&
                (unsaved_messages_ >= checkpoint_messages || unsaved_octets_ >= checkpoint_octets))
                MAILCORE_TRY(checkpoint(state));
        }
        if (!emails.empty()) reached_ = emails.back().uid;
        return {};
    }

    Result<void> drop() {
        if (std::exchange(writing_, false)) return sink_->drop();
        return {};
    }

    Result<void> give_up(const std::string& path, const EmailFacts& email, std::string why) {
        MAILCORE_TRY(drop());
        progress_.problem(fmt::format("{}, UID {}", path, email.uid), std::move(why));
        progress_.passed(email.size);
        return {};
    }

    Result<void> checkpoint(ExportedMailbox& state) {
        MAILCORE_TRY(const auto octets, sink_->flush());
        MAILCORE_TRY(sync_files(options_.folder));
        state.octets = octets;
        state.uid = reached_;
        unsaved_messages_ = unsaved_octets_ = 0;
        return target_.save();
    }

    Session& session_;
    ExportOptions options_;
    Target target_;
    Progress progress_;
    std::unique_ptr<MailSink> sink_;
    std::uint64_t reached_ = 0; // UID of the last message that is done
    bool writing_ = false;      // a message is begun
    std::uint64_t unsaved_messages_ = 0, unsaved_octets_ = 0;
};

} // namespace

int run_export(Session& session, const ExportOptions& options) {
    return Exporter(session, options).run();
}

} // namespace mdctl
