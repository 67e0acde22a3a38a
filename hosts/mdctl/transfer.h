// Mail of an account out to files and in again: what export and import share.
#pragma once

#include "client.h"
#include "mail_files.h"

#include "libmailcore/base/clock.h"
#include "libmailcore/mime/mbox.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdctl {

struct ExportOptions {
    std::string address;
    std::string folder;
    MailFormat format = MailFormat::Maildir;
    std::vector<std::string> mailboxes; ///< empty: all
    bool json = false;
};

struct ImportOptions {
    std::string address;
    std::string source;               ///< a folder, or a file
    std::optional<MailFormat> format; ///< nothing: it is recognised
    std::vector<std::string> mailboxes;
    std::string into; ///< the mailbox that all goes below; empty: where it was
    mailcore::mime::MboxKind mbox_kind = mailcore::mime::MboxKind::Mboxrd;
    bool mbox_undated = false;
    bool over_quota = false;
    bool json = false;
};

/// The exit status: 0, or 1 if something is missing at the end, which is then told.
int run_export(Session& session, const ExportOptions& options);
int run_import(Session& session, const ImportOptions& options);

/// Counts what is done, shows it on a terminal, and tells at the end what was not.
class Progress {
  public:
    /// `verb`: "exported". Without a terminal, and for machines, nothing is shown on the way.
    Progress(std::string verb, bool json);
    /// How much there is, as far as it is known.
    void expect(std::uint64_t messages, std::uint64_t octets);
    void transferred(std::uint64_t octets);
    /// It was there already.
    void known();
    /// Counts towards what was expected, whatever became of it.
    void passed(std::uint64_t octets);
    /// Something that is not done, and why; the exit status will be 1.
    void problem(std::string where, std::string why);
    /// Something worth knowing that is done all the same.
    void note(std::string text);
    void set(const char* name, Json value) { summary_[name] = std::move(value); }

    /// Prints what came of it.
    int finish();

  private:
    void show(bool now);
    void wipe();

    std::string verb_;
    bool json_;
    bool terminal_;
    mailcore::base::SystemClock clock_;
    mailcore::Instant begun_, shown_{};
    std::uint64_t messages_expected_ = 0, octets_expected_ = 0;
    std::uint64_t messages_passed_ = 0, octets_passed_ = 0;
    std::uint64_t messages_ = 0, octets_ = 0, known_ = 0;
    struct Problem {
        std::string where, why;
    };
    std::vector<Problem> problems_; // the first `problems_max`
    std::uint64_t problem_count_ = 0;
    std::vector<std::string> notes_;
    Json summary_ = Json::object();
};

/// "a/b" as its levels, and back.
[[nodiscard]] std::vector<std::string> levels_of(const std::string& path);
[[nodiscard]] std::string path_of(const std::vector<std::string>& levels);

} // namespace mdctl
