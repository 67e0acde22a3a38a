#include "mail_files.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mdctl {

using mailcore::ErrorKind;

namespace {

constexpr std::size_t write_octets = 256 * 1024;

std::unexpected<mailcore::Error> failed(const char* doing, const std::string& path) {
    return mailcore::base::fail(errno == ENOSPC || errno == EDQUOT ? ErrorKind::LimitExceeded
                                                                   : ErrorKind::Unavailable,
                                fmt::format("{} {}: {}", doing, path, std::strerror(errno)));
}

} // namespace

std::string_view to_string(MailFormat format) {
    switch (format) {
    case MailFormat::Maildir: return "maildir";
    case MailFormat::Mbox: return "mbox";
    case MailFormat::Eml: return "eml";
    }
    return "";
}

std::optional<MailFormat> parse_format(std::string_view text) {
    for (const auto format : {MailFormat::Maildir, MailFormat::Mbox, MailFormat::Eml})
        if (text == to_string(format)) return format;
    return std::nullopt;
}

std::string file_name(const std::string& level) {
    std::string name;
    for (std::size_t i = 0; i < level.size(); ++i) {
        const bool hidden = i == 0 && level[i] == '.';
        const auto rest = std::string_view(level).substr(i);
        const bool ending = mailcore::codec::equal_ignoring_case(rest, ".mbox") ||
                            mailcore::codec::equal_ignoring_case(rest, ".eml") ||
                            mailcore::codec::equal_ignoring_case(rest, ".jsonl");
        if (level[i] == '%' || hidden || ending)
            name += '%' + mailcore::codec::hex_encode(rest.substr(0, 1));
        else
            name += level[i];
    }
    return name;
}

std::string level_name(std::string_view name) {
    std::string level;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto octet = name[i] == '%' && i + 2 < name.size()
                               ? mailcore::codec::hex_decode(name.substr(i + 1, 2))
                               : std::nullopt;
        // Only what `file_name` makes: a folder "50%25" of somebody else's is none of it.
        if (octet && (*octet == "%" || *octet == ".")) {
            level += *octet;
            i += 2;
        } else {
            level += name[i];
        }
    }
    return level;
}

Result<std::string> read_small_file(const std::string& path, std::uint64_t octets_max) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (descriptor < 0) return failed("opening", path);
    std::string content;
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(descriptor);
        return mailcore::fail(ErrorKind::Rejected, path + ": no file");
    }
    if (static_cast<std::uint64_t>(status.st_size) <= octets_max)
        content.reserve(static_cast<std::size_t>(status.st_size));
    std::array<char, 65536> buffer;
    while (true) {
        const auto count = ::read(descriptor, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            auto error = failed("reading", path);
            ::close(descriptor);
            return error;
        }
        if (count == 0) break;
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > octets_max) {
            ::close(descriptor);
            return mailcore::fail(ErrorKind::LimitExceeded,
                                  fmt::format("{}: longer than {} octets", path, octets_max));
        }
    }
    ::close(descriptor);
    return content;
}

Result<void> replace_file(const std::string& path, std::string_view content) {
    const auto beside = path + ".new";
    {
        MAILCORE_TRY(auto file, OutFile::create(beside));
        MAILCORE_TRY(file.write(content));
        MAILCORE_TRY(file.close());
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) return failed("renaming", beside);
    return {};
}

Result<void> sync_files(const std::string& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return failed("opening", folder);
    const int done = ::syncfs(descriptor);
    auto error = failed("syncing", folder);
    ::close(descriptor);
    if (done != 0) return error;
    return {};
}

Result<void> make_folders(const std::string& path) {
    if (path.empty() || path == "/" || path == ".") return {};
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    if (errno != ENOENT) return failed("making", path);
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return failed("making", path);
    MAILCORE_TRY(make_folders(path.substr(0, slash)));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("making", path);
    return {};
}

Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("removing", path);
    return {};
}

OutFile::OutFile(OutFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)),
      pending_(std::move(other.pending_)), size_(other.size_) {}

OutFile& OutFile::operator=(OutFile&& other) noexcept {
    if (this != &other) {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = std::exchange(other.descriptor_, -1);
        path_ = std::move(other.path_);
        pending_ = std::move(other.pending_);
        size_ = other.size_;
    }
    return *this;
}

OutFile::~OutFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<OutFile> OutFile::create(const std::string& path) {
    OutFile file;
    file.descriptor_ =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file.descriptor_ < 0) return failed("making", path);
    file.path_ = path;
    return file;
}

Result<OutFile> OutFile::append(const std::string& path, std::uint64_t octets) {
    OutFile file;
    file.descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file.descriptor_ < 0) return failed("opening", path);
    file.path_ = path;
    struct stat status {};
    if (::fstat(file.descriptor_, &status) != 0) return failed("reading", path);
    if (static_cast<std::uint64_t>(status.st_size) < octets)
        return mailcore::fail(ErrorKind::Conflict,
                              path + " is shorter than when the last export ended");
    MAILCORE_TRY(file.truncate(octets));
    return file;
}

Result<void> OutFile::write(std::string_view octets) {
    pending_ += octets;
    size_ += octets.size();
    if (pending_.size() < write_octets) return {};
    return flush();
}

Result<void> OutFile::flush() {
    for (std::size_t at = 0; at < pending_.size();) {
        const auto count = ::write(descriptor_, pending_.data() + at, pending_.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("writing", path_);
        at += static_cast<std::size_t>(count);
    }
    pending_.clear();
    return {};
}

Result<void> OutFile::truncate(std::uint64_t octets) {
    MAILCORE_TRY(flush());
    if (::ftruncate(descriptor_, static_cast<off_t>(octets)) != 0 ||
        ::lseek(descriptor_, static_cast<off_t>(octets), SEEK_SET) < 0)
        return failed("cutting", path_);
    size_ = octets;
    return {};
}

Result<void> OutFile::set_times(std::int64_t seconds) {
    MAILCORE_TRY(flush());
    const timespec times[2] = {{static_cast<time_t>(seconds), 0},
                               {static_cast<time_t>(seconds), 0}};
    if (::futimens(descriptor_, times) != 0) return failed("dating", path_);
    return {};
}

Result<void> OutFile::close() {
    MAILCORE_TRY(flush());
    if (::close(std::exchange(descriptor_, -1)) != 0) return failed("writing", path_);
    return {};
}

void LfWriter::write(std::string_view octets, std::string& into) {
    while (!octets.empty()) {
        if (cr_ && octets.front() != '\n') into += '\r';
        cr_ = false;
        const auto end = octets.find('\r');
        into += octets.substr(0, end);
        if (end == std::string_view::npos) return;
        cr_ = true;
        octets.remove_prefix(end + 1);
    }
}

void LfWriter::finish(std::string& into) {
    if (std::exchange(cr_, false)) into += '\r';
}

std::string with_crlf(std::string octets) {
    std::size_t bare = 0;
    for (std::size_t at = octets.find('\n'); at != std::string::npos;
         at = octets.find('\n', at + 1))
        if (at == 0 || octets[at - 1] != '\r') ++bare;
    if (bare == 0) return octets;
    std::string out;
    out.reserve(octets.size() + bare);
    char before = 0;
    for (const char c : octets) {
        if (c == '\n' && before != '\r') out += '\r';
        out += c;
        before = c;
    }
    return out;
}

} // namespace mdctl
