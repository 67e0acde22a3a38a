// What the sources of the formats share: folders and files as somebody left them.
#pragma once

#include "mail_source.h"

#include <functional>
#include <sys/stat.h>

namespace mdctl {

// Whose files these are may be another than who reads them, as root perhaps: below the place that
// was named no link is followed.
bool is_folder(const std::string& path);
bool is_file(const std::string& path);
bool is_maildir(const std::string& folder);
bool is_eml(const std::string& name);

/// What is in a folder, sorted, without "." and "..".
Result<std::vector<std::string>> names_in(const std::string& folder);
std::string last_part(std::string path);
std::string without_ending(const std::string& name, std::string_view ending);

using Levels = std::vector<std::string>;
/// A folder's or file's name as a level; octets of other times become something readable.
std::string level_of(std::string_view name);

struct FolderWalk {
    /// The levels that a folder of this name adds; nothing: it is passed by.
    std::function<std::optional<Levels>(const std::string& name)> levels;
    std::function<void(const std::string& folder, const Levels& at,
                       const std::vector<std::string>& names)>
        visit;
};
/// Goes through a folder and what is below it, parents first, as deep as mail is ever kept.
Result<void> walk_folders(const std::string& folder, const FolderWalk& walk, const Levels& at = {});
/// Whether something in the folder, or in one below it, is what `sought` looks for.
bool contains(const std::string& folder, const std::function<bool(const std::string&)>& sought);

/// A file for each message. Whoever has such a format fills `folder_` and `files_` in `open`.
class FileSource : public MailSource {
  public:
    explicit FileSource(const SourceOptions& options) : options_(options) {}
    std::optional<SourceEmail> next() final;

  protected:
    /// What else is known of a message, which has its octets and goes by its file's name.
    virtual void complete(SourceEmail& email, const struct stat& status) = 0;

    SourceOptions options_;
    std::string folder_; // of the mailbox that is open
    std::vector<std::string> files_;
    std::size_t next_ = 0;
};
/// When the last host that took it says so; else when it was written.
std::optional<mailcore::mime::DateTime> date_in(std::string_view message);
mailcore::mime::DateTime time_of_file(const struct stat& status);

/// Gives the mailboxes the roles that an export remembered.
void add_roles(std::vector<SourceMailbox>& mailboxes, const std::string& folder);
std::optional<MailFormat> exported_format(const std::string& folder);

// One a file.
std::unique_ptr<MailSource> maildir_source(const SourceOptions& options);
std::unique_ptr<MailSource> mbox_source(const SourceOptions& options);
std::unique_ptr<MailSource> eml_source(const SourceOptions& options);

} // namespace mdctl
