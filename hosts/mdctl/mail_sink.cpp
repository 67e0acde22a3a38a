#include "mail_sink.h"

#include "libmailcore/codec/number.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/maildir.h"
#include "libmailcore/mime/mbox.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <dirent.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace mdctl {

namespace mime = mailcore::mime;
using mailcore::ErrorKind;
using mailcore::fail;

namespace {

/// Calls `each(name)` for what is in a folder; nothing if there is no such folder.
template <class Each>
Result<void> for_each_name(const std::string& folder, Each each) {
    DIR* entries = ::opendir(folder.c_str());
    if (!entries) return {};
    Result<void> done;
    while (const auto* entry = ::readdir(entries)) {
        done = each(std::string_view(entry->d_name));
        if (!done) break;
    }
    ::closedir(entries);
    return done;
}

Result<void> put_in_place(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(ErrorKind::Unavailable,
                fmt::format("renaming {} to {}: {}", from, to, std::strerror(errno)));
}

Result<void> check_name(std::string_view name) {
    if (name.size() <= NAME_MAX) return {};
    return fail(ErrorKind::Rejected, "its name is too long for a file");
}

/// Files of one mailbox, with a letter each for flags: what Dovecot and many others serve.
class MaildirSink final : public MailSink {
  public:
    MaildirSink(std::string folder, std::string host)
        : root_(std::move(folder)), host_(std::move(host)) {}

    Result<void> open(const std::vector<std::string>& levels,
                      const ExportedMailbox& state) override {
        const bool inbox = levels.size() == 1 && levels[0] == "INBOX";
        const auto name = inbox ? std::string() : mime::maildir_folder(levels);
        if (!name) return fail(ErrorKind::Rejected, "its name is not UTF-8");
        MAILCORE_TRY(check_name(*name));
        MAILCORE_TRY(make_maildir(root_));
        folder_ = inbox ? root_ : root_ + "/" + *name;
        if (!inbox) {
            MAILCORE_TRY(make_maildir(folder_));
            MAILCORE_TRY(auto mark, OutFile::append(folder_ + "/maildirfolder", 0));
            MAILCORE_TRY(mark.close());
        }
        keywords_ = {};
        if (const auto known = read_small_file(folder_ + "/dovecot-keywords", 64 * 1024))
            keywords_ = mime::MaildirKeywords(*known);
        keywords_written_ = keywords_.text();
        validity_ = state.uidvalidity;
        return remove_newer(state.uid);
    }
    Result<void> begin(const EmailFacts& facts) override {
        facts_ = facts;
        lines_ = 0;
        last_ = 0;
        converter_ = {};
        MAILCORE_TRY(file_, OutFile::create(temporary()));
        return {};
    }
    Result<void> write(std::string_view octets) override {
        std::string text;
        converter_.write(octets, text);
        return put(text);
    }
    Result<void> finish() override {
        std::string rest;
        converter_.finish(rest);
        MAILCORE_TRY(put(rest));
        const auto seconds = mailcore::base::unix_seconds(facts_.received);
        MAILCORE_TRY(file_.set_times(seconds));
        mime::MaildirName name;
        name.unique = fmt::format("{}{}{}.{},S={},W={}", seconds, mark(), facts_.uid, host_,
                                  file_.size(), file_.size() + lines_);
        name.letters = mime::maildir_letters(facts_.flags, keywords_, keywords_lost_);
        MAILCORE_TRY(file_.close());
        return put_in_place(temporary(), folder_ + "/cur/" + name.text());
    }
    Result<void> drop() override {
        file_ = {};
        return remove_file(temporary());
    }
    Result<std::uint64_t> flush() override {
        auto text = keywords_.text();
        if (text != keywords_written_) {
            MAILCORE_TRY(replace_file(folder_ + "/dovecot-keywords", text));
            keywords_written_ = std::move(text);
        }
        return 0;
    }
    Result<void> subscribe(const std::vector<std::vector<std::string>>& mailboxes) override {
        std::string text = "V\t2\n\n"; // Dovecot's form: a tab between levels
        for (const auto& levels : mailboxes) text += fmt::format("{}\n", fmt::join(levels, "\t"));
        return replace_file(root_ + "/subscriptions", text);
    }
    std::size_t keywords_lost() const override { return keywords_lost_; }

  private:
    static Result<void> make_maildir(const std::string& folder) {
        for (const auto* part : {"", "/cur", "/new", "/tmp"})
            MAILCORE_TRY(make_folders(folder + part));
        return {};
    }
    /// Stands before the UID in the names that we give.
    [[nodiscard]] std::string mark() const { return fmt::format(".V{}U", validity_); }
    [[nodiscard]] std::string temporary() const { return folder_ + "/tmp/mdctl." + host_; }

    Result<void> put(std::string_view text) {
        for (const char c : text) lines_ += c == '\n' && last_ != '\r' ? 1 : 0, last_ = c;
        return file_.write(text);
    }
    /// What an export that was interrupted wrote and did not remember.
    Result<void> remove_newer(std::uint64_t uid) {
        for (const auto* part : {"/cur/", "/new/"})
            MAILCORE_TRY(for_each_name(folder_ + part, [&](std::string_view name) -> Result<void> {
                const auto at = name.find(mark());
                if (at == std::string_view::npos) return {};
                auto rest = name.substr(at + mark().size());
                const auto number = mailcore::codec::take_number<std::uint64_t>(rest);
                if (!number || *number <= uid || !rest.starts_with('.')) return {};
                return remove_file(folder_ + part + std::string(name));
            }));
        return {};
    }

    std::string root_, host_, folder_;
    std::uint64_t validity_ = 0;
    mime::MaildirKeywords keywords_;
    std::string keywords_written_;
    std::size_t keywords_lost_ = 0;
    EmailFacts facts_;
    OutFile file_;
    LfWriter converter_;
    std::uint64_t lines_ = 0;
    char last_ = 0;
};

/// One file for a mailbox.
class MboxSink final : public MailSink {
  public:
    explicit MboxSink(std::string folder) : root_(std::move(folder)) {}

    Result<void> open(const std::vector<std::string>& levels,
                      const ExportedMailbox& state) override {
        auto folder = root_;
        for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
            MAILCORE_TRY(check_name(file_name(levels[i])));
            folder += "/" + file_name(levels[i]);
        }
        const auto name = file_name(levels.back()) + ".mbox";
        MAILCORE_TRY(check_name(name));
        MAILCORE_TRY(make_folders(folder));
        MAILCORE_TRY(file_, OutFile::append(folder + "/" + name, state.octets));
        return {};
    }
    Result<void> begin(const EmailFacts& facts) override {
        facts_ = facts;
        start_ = file_.size();
        begun_ = false;
        return {};
    }
    Result<void> write(std::string_view octets) override {
        std::string text;
        if (!begun_) {
            // The first piece holds the header, unless that is beyond all measure.
            const auto path = mime::find_field(octets, "Return-Path");
            auto sender = path ? mime::unfolded(path->value) : std::string();
            if (sender.starts_with('<') && sender.ends_with('>'))
                sender = sender.substr(1, sender.size() - 2);
            writer_.begin(sender, facts_.received, facts_.flags, text);
            begun_ = true;
        }
        writer_.write(octets, text);
        return file_.write(text);
    }
    Result<void> finish() override {
        std::string text;
        if (!begun_) MAILCORE_TRY(write(""));
        writer_.finish(text);
        return file_.write(text);
    }
    Result<void> drop() override { return file_.truncate(start_); }
    Result<std::uint64_t> flush() override {
        MAILCORE_TRY(file_.flush());
        return file_.size();
    }
    Result<void> subscribe(const std::vector<std::vector<std::string>>&) override { return {}; }

  private:
    std::string root_;
    OutFile file_;
    mime::MboxWriter writer_;
    EmailFacts facts_;
    std::uint64_t start_ = 0;
    bool begun_ = false;
};

/// A folder for a mailbox, a file for a message, octet for octet; flags and dates beside them.
class EmlSink final : public MailSink {
  public:
    explicit EmlSink(std::string folder) : root_(std::move(folder)) {}

    Result<void> open(const std::vector<std::string>& levels,
                      const ExportedMailbox& state) override {
        folder_ = root_;
        for (const auto& level : levels) {
            MAILCORE_TRY(check_name(file_name(level)));
            folder_ += "/" + file_name(level);
        }
        MAILCORE_TRY(make_folders(folder_));
        MAILCORE_TRY(index_, OutFile::append(folder_ + "/" + eml_index_file, state.octets));
        return for_each_name(folder_, [&](std::string_view name) -> Result<void> {
            auto rest = name;
            const auto number = mailcore::codec::take_number<std::uint64_t>(rest);
            if (!number || rest != ".eml" || *number <= state.uid) return {};
            return remove_file(folder_ + "/" + std::string(name));
        });
    }
    Result<void> begin(const EmailFacts& facts) override {
        facts_ = facts;
        MAILCORE_TRY(file_, OutFile::create(temporary()));
        return {};
    }
    Result<void> write(std::string_view octets) override { return file_.write(octets); }
    Result<void> finish() override {
        MAILCORE_TRY(file_.set_times(mailcore::base::unix_seconds(facts_.received)));
        MAILCORE_TRY(file_.close());
        const auto name = fmt::format("{}.eml", facts_.uid);
        MAILCORE_TRY(put_in_place(temporary(), folder_ + "/" + name));
        const nlohmann::json line{{"file", name},
                                  {"received", facts_.received_text},
                                  {"flags", facts_.flags},
                                  {"size", facts_.size}};
        return index_.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                            "\n");
    }
    Result<void> drop() override {
        file_ = {};
        return remove_file(temporary());
    }
    Result<std::uint64_t> flush() override {
        MAILCORE_TRY(index_.flush());
        return index_.size();
    }
    Result<void> subscribe(const std::vector<std::vector<std::string>>&) override { return {}; }

  private:
    [[nodiscard]] std::string temporary() const { return folder_ + "/.mdctl.new"; }
    std::string root_, folder_;
    OutFile index_, file_;
    EmailFacts facts_;
};

} // namespace

std::unique_ptr<MailSink> make_maildir_sink(std::string folder, std::string host) {
    return std::make_unique<MaildirSink>(std::move(folder), std::move(host));
}
std::unique_ptr<MailSink> make_mbox_sink(std::string folder) {
    return std::make_unique<MboxSink>(std::move(folder));
}
std::unique_ptr<MailSink> make_eml_sink(std::string folder) {
    return std::make_unique<EmlSink>(std::move(folder));
}

} // namespace mdctl
