#include "mail_source.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/maildir.h"
#include "libmailcore/mime/received.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace mdctl {

namespace mime = mailcore::mime;
using mailcore::ErrorKind;
using mailcore::fail;
using Json = nlohmann::json;

namespace {

constexpr std::size_t depth_max = 32;
constexpr std::uint64_t index_octets_max = 1024ULL * 1024 * 1024;

// Whose files these are may be another than who reads them, as root perhaps: below the place that
// was named no link is followed.
bool is_folder(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}
bool is_file(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

/// What is in a folder, sorted, without "." and "..".
Result<std::vector<std::string>> names_in(const std::string& folder) {
    DIR* entries = ::opendir(folder.c_str());
    if (!entries)
        return fail(ErrorKind::NotFound, fmt::format("{}: {}", folder, std::strerror(errno)));
    std::vector<std::string> names;
    while (const auto* entry = ::readdir(entries)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(entries);
    std::ranges::sort(names);
    return names;
}

std::string last_part(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path.substr(path.rfind('/') + 1);
}

/// A folder's or file's name as a level; octets of other times become something readable.
std::string level_of(std::string_view name) {
    auto level = level_name(name);
    if (!mailcore::codec::is_utf8(level)) level = mailcore::codec::sanitised_utf8(level);
    return level;
}

std::string without_ending(const std::string& name, std::string_view ending) {
    return mailcore::codec::ends_with_ignoring_case(name, ending)
               ? name.substr(0, name.size() - ending.size())
               : name;
}

bool is_eml(const std::string& name) {
    return mailcore::codec::ends_with_ignoring_case(name, ".eml") && !name.starts_with('.');
}

/// When the last host that took it says so; else when it was written.
std::optional<mime::DateTime> date_in(std::string_view message) {
    if (const auto received = mime::find_field(message, "Received"))
        if (auto date = mime::parse_received(received->value).date) return date;
    if (const auto date = mime::find_field(message, "Date")) return mime::parse_date(date->value);
    return std::nullopt;
}

mime::DateTime time_of_file(const struct stat& status) {
    mime::DateTime date;
    date.time = mailcore::base::wall_time(status.st_mtime);
    return date;
}

/// Reads a message's file; false: `email.problem` says why not.
bool read_message(const std::string& path, std::uint64_t octets_max, SourceEmail& email,
                  struct stat& status) {
    if (::lstat(path.c_str(), &status) != 0) {
        email.problem = std::strerror(errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        email.problem = "no file";
        return false;
    }
    email.size = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    if (email.size > octets_max) {
        email.problem = fmt::format("longer than the {} octets that are allowed", octets_max);
        return false;
    }
    auto octets = read_small_file(path, octets_max);
    if (!octets) {
        email.problem = octets.error().detail;
        return false;
    }
    email.octets = std::move(*octets);
    return true;
}

/// What an export remembered of its mailboxes' roles.
std::map<std::string, std::string> exported_roles(const std::string& folder) {
    std::map<std::string, std::string> roles;
    const auto text = read_small_file(folder + "/" + export_state_file, 64 * 1024 * 1024);
    if (!text) return roles;
    const auto json = Json::parse(*text, nullptr, false);
    if (!json.is_object() || !json.contains("mailboxes") || !json["mailboxes"].is_object())
        return roles;
    for (const auto& [path, row] : json["mailboxes"].items())
        if (row.is_object() && row.contains("role") && row["role"].is_string())
            roles[path] = row["role"].get<std::string>();
    return roles;
}

std::optional<MailFormat> exported_format(const std::string& folder) {
    const auto text = read_small_file(folder + "/" + export_state_file, 64 * 1024 * 1024);
    if (!text) return std::nullopt;
    const auto json = Json::parse(*text, nullptr, false);
    if (!json.is_object() || !json.contains("format") || !json["format"].is_string())
        return std::nullopt;
    return parse_format(json["format"].get<std::string>());
}

void add_roles(std::vector<SourceMailbox>& mailboxes, const std::string& folder) {
    const auto roles = exported_roles(folder);
    for (auto& mailbox : mailboxes) {
        const auto found = roles.find(fmt::format("{}", fmt::join(mailbox.levels, "/")));
        if (found != roles.end()) mailbox.role = found->second;
    }
}

bool is_maildir(const std::string& folder) { return is_folder(folder + "/cur"); }

/// Maildir++ as Dovecot and Courier have it, and trees of folders as mbsync and offlineimap do.
class MaildirSource final : public MailSource {
  public:
    explicit MaildirSource(const SourceOptions& options) : options_(options) {}

    Result<std::vector<SourceMailbox>> mailboxes() override {
        std::vector<SourceMailbox> found;
        if (is_maildir(options_.path)) found.push_back(mailbox(options_.path, {"INBOX"}));
        MAILCORE_TRY(look_into(options_.path, {}, found));
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
    std::optional<SourceEmail> next() override {
        if (next_ == files_.size()) return std::nullopt;
        const auto& file = files_[next_++];
        SourceEmail email;
        email.name = file;
        struct stat status {};
        const auto path = folder_ + "/" + file;
        if (!read_message(path, options_.mbox.message_octets_max, email, status)) return email;
        email.octets = with_crlf(std::move(email.octets));
        email.received = time_of_file(status);
        const auto name = mime::MaildirName::parse(std::string_view(file).substr(4));
        if (file.starts_with("cur/")) email.flags = mime::maildir_flags(name->letters, keywords_);
        return email;
    }

  private:
    static SourceMailbox mailbox(const std::string& folder, std::vector<std::string> levels) {
        SourceMailbox found;
        found.levels = std::move(levels);
        found.place = folder;
        for (const auto* part : {"/cur", "/new"})
            if (const auto names = names_in(folder + part)) found.messages += names->size();
        return found;
    }
    Result<void> look_into(const std::string& folder, const std::vector<std::string>& above,
                           std::vector<SourceMailbox>& found) const {
        if (above.size() > depth_max) return {};
        MAILCORE_TRY(const auto names, names_in(folder));
        for (const auto& name : names) {
            if (name == "cur" || name == "new" || name == "tmp") continue;
            const auto path = folder + "/" + name;
            if (!is_folder(path)) continue;
            auto levels = above;
            if (const auto below = mime::maildir_levels(name))
                levels.insert(levels.end(), below->begin(), below->end());
            else if (name.starts_with('.'))
                continue;
            else
                levels.push_back(level_of(name));
            if (is_maildir(path)) found.push_back(mailbox(path, levels));
            MAILCORE_TRY(look_into(path, levels, found));
        }
        return {};
    }

    SourceOptions options_;
    std::string folder_;
    std::vector<std::string> files_;
    std::size_t next_ = 0;
    mime::MaildirKeywords keywords_;
};

/// A file for each mailbox: one, or a tree of them.
class MboxSource final : public MailSource {
  public:
    explicit MboxSource(const SourceOptions& options) : options_(options) {}
    MboxSource(const MboxSource&) = delete;
    MboxSource& operator=(const MboxSource&) = delete;
    ~MboxSource() override {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    Result<std::vector<SourceMailbox>> mailboxes() override {
        std::vector<SourceMailbox> found;
        if (is_file(options_.path)) {
            found.push_back(mailbox(options_.path, {level_of(stem(last_part(options_.path)))}));
            return found;
        }
        MAILCORE_TRY(look_into(options_.path, {}, found));
        add_roles(found, options_.path);
        return found;
    }
    Result<void> open(const SourceMailbox& mailbox) override {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = ::open(mailbox.place.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor_ < 0)
            return fail(ErrorKind::NotFound,
                        fmt::format("{}: {}", mailbox.place, std::strerror(errno)));
        reader_ = mime::MboxReader(options_.mbox);
        unread_ = {};
        number_ = 0;
        ended_ = false;
        return {};
    }
    std::optional<SourceEmail> next() override {
        while (!ended_) {
            if (unread_.empty()) {
                const auto count = ::read(descriptor_, buffer_.data(), buffer_.size());
                if (count < 0 && errno == EINTR) continue;
                if (count < 0) return broken(std::strerror(errno));
                if (count == 0) break;
                unread_ = std::string_view(buffer_.data(), static_cast<std::size_t>(count));
            }
            const auto step = reader_.read(unread_);
            unread_.remove_prefix(step.taken);
            if (step.outcome == mime::MboxReader::Outcome::Message) return message();
            if (step.outcome == mime::MboxReader::Outcome::NotMbox)
                return broken("no mailbox file: it does not begin with a line \"From sender "
                              "date\"");
        }
        if (!ended_) {
            const auto outcome = reader_.finish();
            if (outcome == mime::MboxReader::Outcome::Message) return message();
            ended_ = true;
            if (outcome == mime::MboxReader::Outcome::NotMbox)
                return broken("no mailbox file: it does not begin with a line \"From sender "
                              "date\"");
        }
        return std::nullopt;
    }

  private:
    SourceEmail broken(std::string why) {
        ended_ = true;
        SourceEmail email;
        email.problem = std::move(why);
        return email;
    }
    SourceEmail message() {
        auto& read = reader_.message();
        SourceEmail email;
        email.name = fmt::format("message {} at octet {}", ++number_, read.offset);
        email.size = read.size;
        if (read.too_long)
            email.problem = fmt::format("longer than the {} octets that are allowed",
                                        options_.mbox.message_octets_max);
        if (read.length_wrong)
            email.warning = "its Content-Length is wrong: it may hold what is behind it";
        email.octets = std::move(read.octets);
        email.flags = std::move(read.flags);
        email.received = read.date ? read.date : date_in(email.octets);
        return email;
    }

    /// "INBOX.mbox"; also "INBOX" of Thunderbird and others, who give no ending.
    static std::string stem(const std::string& name) { return without_ending(name, ".mbox"); }
    /// Thunderbird keeps what is below "Work" in "Work.sbd".
    static std::string folder_level(const std::string& name) {
        return level_of(without_ending(name, ".sbd"));
    }
    static SourceMailbox mailbox(const std::string& path, std::vector<std::string> levels) {
        SourceMailbox found;
        if (levels.size() == 1 && mailcore::codec::equal_ignoring_case(levels[0], "INBOX"))
            levels[0] = "INBOX";
        found.levels = std::move(levels);
        found.place = path;
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0)
            found.octets = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
        return found;
    }
    static bool looks_like_mbox(const std::string& path) {
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor < 0) return false;
        char begin[5] = {};
        const auto count = ::read(descriptor, begin, sizeof begin);
        ::close(descriptor);
        return count == 0 || (count == 5 && std::memcmp(begin, "From ", 5) == 0);
    }
    Result<void> look_into(const std::string& folder, const std::vector<std::string>& above,
                           std::vector<SourceMailbox>& found) const {
        if (above.size() > depth_max) return {};
        MAILCORE_TRY(const auto names, names_in(folder));
        for (const auto& name : names) {
            if (name.starts_with('.')) continue;
            const auto path = folder + "/" + name;
            auto levels = above;
            if (is_folder(path)) {
                levels.push_back(folder_level(name));
                MAILCORE_TRY(look_into(path, levels, found));
                continue;
            }
            const bool named = mailcore::codec::ends_with_ignoring_case(name, ".mbox");
            if (!is_file(path)) continue;
            // Beside them lie indexes and settings: only what says that it is mail.
            if (!named && (name.find('.') != std::string::npos || !looks_like_mbox(path))) continue;
            levels.push_back(level_of(stem(name)));
            found.push_back(mailbox(path, levels));
        }
        return {};
    }

    SourceOptions options_;
    int descriptor_ = -1;
    mime::MboxReader reader_;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
    std::string_view unread_; // of buffer_
    std::uint64_t number_ = 0;
    bool ended_ = true;
};

/// A file for each message, a folder for each mailbox; or one message.
class EmlSource final : public MailSource {
  public:
    explicit EmlSource(const SourceOptions& options) : options_(options) {}

    Result<std::vector<SourceMailbox>> mailboxes() override {
        std::vector<SourceMailbox> found;
        if (is_file(options_.path)) {
            SourceMailbox one;
            one.levels = {"INBOX"};
            one.place = options_.path;
            one.messages = 1;
            found.push_back(std::move(one));
            return found;
        }
        MAILCORE_TRY(look_into(options_.path, {}, found));
        add_roles(found, options_.path);
        return found;
    }
    Result<void> open(const SourceMailbox& mailbox) override {
        next_ = 0;
        files_.clear();
        index_.clear();
        if (is_file(mailbox.place)) {
            const auto slash = mailbox.place.rfind('/');
            folder_ = slash == std::string::npos ? "." : mailbox.place.substr(0, slash);
            files_.push_back(last_part(mailbox.place));
            return {};
        }
        folder_ = mailbox.place;
        MAILCORE_TRY(auto names, names_in(folder_));
        std::erase_if(names, [](const std::string& name) { return !is_eml(name); });
        // "2.eml" before "10.eml".
        std::ranges::sort(names, [](const std::string& a, const std::string& b) {
            const auto digits = [](const std::string& name) {
                return static_cast<std::size_t>(
                    std::ranges::find_if_not(name, mailcore::codec::is_digit) - name.begin());
            };
            const auto in_a = digits(a), in_b = digits(b);
            if (in_a > 0 && in_b > 0 && in_a != in_b) return in_a < in_b;
            return a < b;
        });
        files_ = std::move(names);
        return read_index();
    }
    std::optional<SourceEmail> next() override {
        if (next_ == files_.size()) return std::nullopt;
        const auto& file = files_[next_++];
        SourceEmail email;
        email.name = file;
        struct stat status {};
        const auto path = folder_ + "/" + file;
        if (!read_message(path, options_.mbox.message_octets_max, email, status)) return email;
        const auto known = index_.find(file);
        if (known != index_.end()) {
            email.flags = known->second.flags;
            email.received = known->second.received;
        }
        // What an export wrote is octet for octet what it was.
        if (known == index_.end() || known->second.size != email.octets.size())
            email.octets = with_crlf(std::move(email.octets));
        if (!email.received) email.received = date_in(email.octets);
        if (!email.received) email.received = time_of_file(status);
        return email;
    }

  private:
    struct Known {
        std::uint64_t size = 0;
        std::optional<mime::DateTime> received;
        std::vector<std::string> flags;
    };

    Result<void> read_index() {
        const auto text = read_small_file(folder_ + "/" + eml_index_file, index_octets_max);
        if (!text) return {};
        for (std::size_t at = 0; at < text->size();) {
            const auto end = std::min(text->find('\n', at), text->size());
            const auto line =
                Json::parse(text->begin() + static_cast<std::ptrdiff_t>(at),
                            text->begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
            at = end + 1;
            if (!line.is_object() || !line.contains("file") || !line["file"].is_string()) continue;
            Known known;
            if (line.contains("size") && line["size"].is_number_unsigned())
                known.size = line["size"].get<std::uint64_t>();
            if (line.contains("received") && line["received"].is_string())
                known.received = mime::parse_rfc3339(line["received"].get<std::string>());
            if (line.contains("flags") && line["flags"].is_array())
                for (const auto& flag : line["flags"])
                    if (flag.is_string()) known.flags.push_back(flag.get<std::string>());
            index_[line["file"].get<std::string>()] = std::move(known);
        }
        return {};
    }
    Result<void> look_into(const std::string& folder, const std::vector<std::string>& levels,
                           std::vector<SourceMailbox>& found) const {
        if (levels.size() > depth_max) return {};
        MAILCORE_TRY(const auto names, names_in(folder));
        SourceMailbox here;
        here.place = folder;
        here.levels = levels.empty() ? std::vector<std::string>{"INBOX"} : levels;
        here.messages = static_cast<std::uint64_t>(std::ranges::count_if(names, is_eml));
        const bool has_index = std::ranges::find(names, eml_index_file) != names.end();
        if (here.messages > 0 || has_index) found.push_back(std::move(here));
        for (const auto& name : names) {
            const auto path = folder + "/" + name;
            if (name.starts_with('.') || !is_folder(path)) continue;
            auto below = levels;
            below.push_back(level_of(name));
            MAILCORE_TRY(look_into(path, below, found));
        }
        return {};
    }

    SourceOptions options_;
    std::string folder_;
    std::vector<std::string> files_;
    std::size_t next_ = 0;
    std::map<std::string, Known> index_;
};

/// Whether something of the folder, or of one below it, is what `sought` looks for.
bool contains(const std::string& folder, const std::function<bool(const std::string&)>& sought,
              std::size_t depth = 0) {
    if (depth > depth_max) return false;
    const auto names = names_in(folder);
    if (!names) return false;
    for (const auto& name : *names) {
        const auto path = folder + "/" + name;
        if (sought(path)) return true;
        if (is_folder(path) && contains(path, sought, depth + 1)) return true;
    }
    return false;
}

MailFormat recognised(const std::string& path) {
    if (is_file(path)) return is_eml(last_part(path)) ? MailFormat::Eml : MailFormat::Mbox;
    if (const auto format = exported_format(path)) return *format;
    if (is_maildir(path) || contains(path, is_maildir)) return MailFormat::Maildir;
    const auto eml = [](const std::string& each) { return is_eml(last_part(each)); };
    return contains(path, eml) ? MailFormat::Eml : MailFormat::Mbox;
}

} // namespace

Result<std::unique_ptr<MailSource>> open_source(const SourceOptions& given) {
    auto options = given;
    char* real = ::realpath(given.path.c_str(), nullptr);
    if (!real)
        return fail(ErrorKind::NotFound, fmt::format("{}: {}", given.path, std::strerror(errno)));
    options.path = real;
    std::free(real);
    if (!is_file(options.path) && !is_folder(options.path))
        return fail(ErrorKind::Rejected, given.path + ": neither a file nor a folder");
    std::unique_ptr<MailSource> source;
    switch (options.format ? *options.format : recognised(options.path)) {
    case MailFormat::Maildir: source = std::make_unique<MaildirSource>(options); break;
    case MailFormat::Mbox: source = std::make_unique<MboxSource>(options); break;
    case MailFormat::Eml: source = std::make_unique<EmlSource>(options); break;
    }
    return source;
}

} // namespace mdctl
