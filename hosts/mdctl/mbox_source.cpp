#include "source_files.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace mdctl {

namespace mime = mailcore::mime;
using mailcore::ErrorKind;
using mailcore::fail;

namespace {

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
        FolderWalk walk;
        walk.levels = [](const std::string& name) -> std::optional<Levels> {
            if (name.starts_with('.')) return std::nullopt;
            return Levels{folder_level(name)};
        };
        walk.visit = [&](const std::string& folder, const Levels& at, const auto& names) {
            for (const auto& name : names) {
                if (!is_mailbox(folder, name)) continue;
                auto levels = at;
                levels.push_back(level_of(stem(name)));
                found.push_back(mailbox(folder + "/" + name, std::move(levels)));
            }
        };
        MAILCORE_TRY(walk_folders(options_.path, walk));
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
    static SourceMailbox mailbox(const std::string& path, Levels levels) {
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
    /// Beside them lie indexes and settings: only what says that it is mail.
    static bool is_mailbox(const std::string& folder, const std::string& name) {
        const auto path = folder + "/" + name;
        if (name.starts_with('.') || !is_file(path)) return false;
        return mailcore::codec::ends_with_ignoring_case(name, ".mbox") ||
               (name.find('.') == std::string::npos && looks_like_mbox(path));
    }

    SourceOptions options_;
    int descriptor_ = -1;
    mime::MboxReader reader_;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
    std::string_view unread_; // of buffer_
    std::uint64_t number_ = 0;
    bool ended_ = true;
};

} // namespace

std::unique_ptr<MailSource> mbox_source(const SourceOptions& options) {
    return std::make_unique<MboxSource>(options);
}

} // namespace mdctl
