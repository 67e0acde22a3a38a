// The one seam to the disk: what journal and store need of a file system, as the kernel, memory or
// a recording with power cuts gives it.
#pragma once

#include "libmailcore/base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::base {

/// An open file. Reads and writes at stated offsets only. Reads: any thread; writes: one thread at
/// a time.
class File {
  public:
    virtual ~File() = default;

    /// Fills `into` from `offset` on and returns how many octets there were; less only at the end
    /// of file.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
    /// The same if it needs no disk; nothing if it would have to wait (the page is not cached).
    virtual Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                              std::span<char> into) = 0;
    /// Writes the pieces one behind the other from `offset` on, whole or with an error (then any
    /// part of it may have been written). Not durable before `sync_data`.
    virtual Result<void> write_at(std::uint64_t offset,
                                  std::span<const std::string_view> pieces) = 0;
    /// Returns when all that was written, and the size, would survive a power cut. After a failure
    /// the state of what was written since the last success is unknown for ever: never retried.
    virtual Result<void> sync_data() = 0;
    virtual Result<void> truncate(std::uint64_t octets) = 0;
    /// Makes room so that writing there cannot fail for lack of space; grows the file with zeros.
    virtual Result<void> allocate(std::uint64_t offset, std::uint64_t octets) = 0;
    virtual Result<std::uint64_t> size() = 0;
};

/// How a file is opened.
enum class OpenMode : std::uint8_t {
    Read,      ///< must exist
    Write,     ///< reading and writing; must exist
    Create,    ///< reading and writing; made if missing
    CreateNew, ///< reading and writing; Conflict if it exists
};

/// Held as long as the object lives; at most one holder on the machine.
class FolderLock {
  public:
    virtual ~FolderLock() = default;
};

/// Folders and names. Paths are absolute or relative to the process's folder, '/' separated. Any
/// thread.
class FileSystem {
  public:
    virtual ~FileSystem() = default;

    virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    virtual Result<void> remove(const std::string& path) = 0;
    /// Replaces `to` if it exists. Durable after `sync_folder`.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    /// Makes the folder if it is missing (not its parents), readable by its owner only.
    virtual Result<void> make_folder(const std::string& path) = 0;
    /// Names of the files in a folder, sorted, without "." and "..".
    virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
    virtual Result<bool> exists(const std::string& path) = 0;
    /// Returns when names made, renamed and removed in `folder` would survive a power cut.
    virtual Result<void> sync_folder(const std::string& folder) = 0;
    /// Octets that an unprivileged process may still write below `folder`.
    virtual Result<std::uint64_t> free_octets(const std::string& folder) = 0;
    /// Conflict if another process, or this one, holds it already. Rejected on a network file
    /// system, where locks and syncs do not mean what we need.
    virtual Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) = 0;
};

/// The kernel's.
class PosixFileSystem final : public FileSystem {
  public:
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::uint64_t> free_octets(const std::string& folder) override;
    Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) override;
};

/// In memory: for embedders who keep nothing, and for tests. Everything is "durable" at once.
class MemoryFileSystem final : public FileSystem {
  public:
    MemoryFileSystem();
    ~MemoryFileSystem() override;
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::uint64_t> free_octets(const std::string& folder) override;
    Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& folder) override;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Reads a whole file of at most `octets_max`; LimitExceeded if it is longer.
Result<std::string> read_file(FileSystem& files, const std::string& path, std::uint64_t octets_max);
/// Replaces a file's content so that after a power cut there is either the old or the new: writes
/// beside it, syncs, renames, syncs the folder.
Result<void> replace_file(FileSystem& files, const std::string& path, std::string_view content);

/// Makes the folder `path` if it is missing, so that it survives a power cut; its parent exists.
Result<void> make_durable_folder(FileSystem& files, const std::string& path);

} // namespace mailcore::base

namespace mailcore {
using base::File;
using base::FileSystem;
using base::OpenMode;
} // namespace mailcore
