#include "source_files.h"

#include "libmailcore/mime/maildir.h"

#include <algorithm>

namespace mdctl {

namespace mime = mailcore::mime;

namespace {

/// Maildir++ as Dovecot and Courier have it, and trees of folders as mbsync and offlineimap do.
class MaildirSource final : public FileSource {
  public:
    using FileSource::FileSource;

    Result<std::vector<SourceMailbox>> mailboxes() override {
        std::vector<SourceMailbox> found;
        FolderWalk walk;
        walk.levels = [](const std::string& name) -> std::optional<Levels> {
            if (name == "cur" || name == "new" || name == "tmp") return std::nullopt;
            if (auto below = mime::maildir_levels(name)) return below;
            if (name.starts_with('.')) return std::nullopt;
            return Levels{level_of(name)};
        };
        walk.visit = [&](const std::string& folder, const Levels& at, const auto&) {
            if (is_maildir(folder))
                found.push_back(mailbox(folder, at.empty() ? Levels{"INBOX"} : at));
        };
        MAILCORE_TRY(walk_folders(options_.path, walk));
        add_roles(found, options_.path);
        if (const auto text = read_small_file(options_.path + "/subscriptions", 1024 * 1024)) {
            const auto names = mime::parse_maildir_subscriptions(*text);
            for (auto& each : found)
                each.subscribed = std::ranges::find(names, each.levels) != names.end();
        }
        return found;
    }
    Result<void> open(const SourceMailbox& mailbox) override {
        folder_ = mailbox.place;
        files_.clear();
        next_ = 0;
        keywords_ = {};
        if (const auto text = read_small_file(folder_ + "/dovecot-keywords", 64 * 1024))
            keywords_ = mime::MaildirKeywords(*text);
        for (const std::string part : {"cur", "new"}) {
            if (!is_folder(folder_ + "/" + part)) continue;
            MAILCORE_TRY(const auto names, names_in(folder_ + "/" + part));
            for (const auto& name : names)
                if (mime::MaildirName::parse(name)) files_.push_back(part + "/" + name);
        }
        // By the time they came, as far as their names tell; so UIDs have that order too.
        std::ranges::sort(files_, {}, [](const std::string& file) { return file.substr(4); });
        return {};
    }

  private:
    void complete(SourceEmail& email, const struct stat& status) override {
        email.octets = with_crlf(std::move(email.octets));
        email.received = time_of_file(status);
        const auto name = mime::MaildirName::parse(std::string_view(email.name).substr(4));
        if (email.name.starts_with("cur/"))
            email.flags = mime::maildir_flags(name->letters, keywords_);
    }
    static SourceMailbox mailbox(const std::string& folder, Levels levels) {
        SourceMailbox found;
        found.levels = std::move(levels);
        found.place = folder;
        for (const auto* part : {"/cur", "/new"})
            if (const auto names = names_in(folder + part)) found.messages += names->size();
        return found;
    }

    mime::MaildirKeywords keywords_;
};

} // namespace

std::unique_ptr<MailSource> maildir_source(const SourceOptions& options) {
    return std::make_unique<MaildirSource>(options);
}

} // namespace mdctl
