#include "libmailcore/base/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace mailcore::base {

namespace {

/// A descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

class PosixFile final : public File {
  public:
    PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const auto got = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                     static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail_errno(errno, "reading", path_);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                      std::span<char> into) override {
        std::size_t done = 0;
        while (done < into.size()) {
            const iovec piece{into.data() + done, into.size() - done};
            const auto got =
                ::preadv2(fd_.get(), &piece, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) return std::nullopt;
            if (got < 0) return fail_errno(errno, "reading", path_);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
        constexpr std::size_t vectors_max = 64; // far below IOV_MAX, and it stays on the stack
        std::array<iovec, vectors_max> vectors;
        std::size_t piece = 0, within = 0;
        while (true) {
            std::size_t count = 0;
            for (auto i = piece, skip = within; i < pieces.size() && count < vectors_max; ++i) {
                if (pieces[i].size() > skip)
                    vectors[count++] = {const_cast<char*>(pieces[i].data()) + skip,
                                        pieces[i].size() - skip};
                skip = 0;
            }
            if (count == 0) return {};
            const auto put = ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count),
                                       static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return fail_errno(errno, "writing", path_);
            offset += static_cast<std::uint64_t>(put);
            for (within += static_cast<std::size_t>(put);
                 piece < pieces.size() && within >= pieces[piece].size(); ++piece)
                within -= pieces[piece].size();
        }
    }

    Result<void> sync_data() override {
        // Not repeated after EINTR either: the kernel may have dropped the pages (never retried).
        if (::fdatasync(fd_.get()) != 0) return fail_errno(errno, "syncing", path_);
        return {};
    }

    Result<void> truncate(std::uint64_t octets) override {
        if (::ftruncate(fd_.get(), static_cast<off_t>(octets)) != 0)
            return fail_errno(errno, "truncating", path_);
        return {};
    }

    Result<void> allocate(std::uint64_t offset, std::uint64_t octets) override {
        const int error =
            ::posix_fallocate(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(octets));
        if (error != 0) return fail_errno(error, "allocating", path_);
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) return fail_errno(errno, "looking at", path_);
        return static_cast<std::uint64_t>(status.st_size);
    }

  private:
    Descriptor fd_;
    std::string path_;
};

class PosixFolderLock final : public FolderLock {
  public:
    explicit PosixFolderLock(int fd) : fd_(fd) {}

  private:
    Descriptor fd_; // closing it releases the lock
};

constexpr std::uint32_t network_file_systems[] = {
    0x6969,     // NFS
    0xff534d42, // CIFS
    0xfe534d42, // SMB2
    0x517b,     // SMB
    0x01021997, // 9P
    0x65735546, // FUSE: whose sync is only as good as what is behind it
};

} // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    switch (mode) {
    case OpenMode::Read: flags = O_CLOEXEC | O_RDONLY; break;
    case OpenMode::Write: flags |= O_RDWR; break;
    case OpenMode::Create: flags |= O_RDWR | O_CREAT; break;
    case OpenMode::CreateNew: flags |= O_RDWR | O_CREAT | O_EXCL; break;
    }
    const int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0) return fail_errno(errno, "opening", path);
    return std::make_unique<PosixFile>(fd, path);
}

Result<void> PosixFileSystem::remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "removing", path);
    return {};
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "renaming", from);
    return {};
}

Result<void> PosixFileSystem::make_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) == 0) return {};
    const int error = errno;
    struct stat status {};
    if (error == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return fail_errno(error, "making the folder", path);
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& folder) {
    DIR* stream = ::opendir(folder.c_str());
    if (!stream) return fail_errno(errno, "listing", folder);
    const std::unique_ptr<DIR, int (*)(DIR*)> owner(stream, ::closedir);
    std::vector<std::string> names;
    while (true) {
        errno = 0;
        const auto* entry = ::readdir(stream);
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail_errno(errno, "listing", folder);
    std::sort(names.begin(), names.end());
    return names;
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_errno(errno, "looking for", path);
}

Result<void> PosixFileSystem::sync_folder(const std::string& folder) {
    const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return fail_errno(errno, "opening", folder);
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "syncing", folder);
    return {};
}

Result<std::uint64_t> PosixFileSystem::free_octets(const std::string& folder) {
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0) return fail_errno(errno, "looking at", folder);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<std::unique_ptr<FolderLock>> PosixFileSystem::lock_folder(const std::string& folder) {
    struct statfs status {};
    if (::statfs(folder.c_str(), &status) != 0) return fail_errno(errno, "looking at", folder);
    const auto type = static_cast<std::uint32_t>(status.f_type);
    if (std::ranges::find(network_file_systems, type) != std::end(network_file_systems))
        return fail(ErrorKind::Rejected,
                    folder + " is on a network file system, where a store is not safe");
    const auto path = folder + "/lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fail_errno(errno, "opening", path);
    auto lock = std::make_unique<PosixFolderLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(ErrorKind::Conflict, folder + " is in use by another process");
        return fail_errno(errno, "locking", path);
    }
    return lock;
}

Result<std::string> read_file(FileSystem& files, const std::string& path,
                              std::uint64_t octets_max) {
    MAILCORE_TRY(const auto file, files.open(path, OpenMode::Read));
    // One more than allowed, so that a longer file shows; special files have no size to ask for.
    std::string content;
    constexpr std::size_t step_octets = 64 * 1024;
    while (true) {
        const auto old = content.size();
        content.resize(old + step_octets);
        MAILCORE_TRY(const auto got, file->read_at(old, {content.data() + old, step_octets}));
        content.resize(old + got);
        if (content.size() > octets_max)
            return fail(ErrorKind::LimitExceeded,
                        path + " is longer than " + std::to_string(octets_max) + " octets");
        if (got < step_octets) return content;
    }
}

namespace {

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

} // namespace

Result<void> make_durable_folder(FileSystem& files, const std::string& path) {
    MAILCORE_TRY(const bool there, files.exists(path));
    if (there) return {};
    MAILCORE_TRY(files.make_folder(path));
    return files.sync_folder(folder_of(path));
}

Result<void> replace_file(FileSystem& files, const std::string& path, std::string_view content) {
    const auto beside = path + ".new";
    {
        MAILCORE_TRY(const auto file, files.open(beside, OpenMode::Create));
        MAILCORE_TRY(file->truncate(0));
        MAILCORE_TRY(file->write_at(0, std::span(&content, 1)));
        MAILCORE_TRY(file->sync_data());
    }
    MAILCORE_TRY(files.rename(beside, path));
    return files.sync_folder(folder_of(path));
}

} // namespace mailcore::base
