// A disk that remembers what was done to it, and what of that a power cut leaves.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/base/random.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mailcore::sim {

/// Files and names, as a disk has them after a power cut, or at the beginning: empty.
struct DiskImage {
    std::map<std::string, std::shared_ptr<const std::string>> files;
    std::set<std::string> folders;
};

/// A FileSystem in memory that records every write, truncation, sync and change of names. One
/// thread.
class Disk final : public base::FileSystem {
  public:
    explicit Disk(DiskImage image = {});
    ~Disk() override;

    Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::uint64_t> free_octets(const std::string& folder) override;
    Result<std::unique_ptr<base::FolderLock>> lock_folder(const std::string& folder) override;

    /// How many operations were recorded: the power may be cut before any of them.
    [[nodiscard]] std::size_t operations() const;
    /// Asked for each sync with the file's path or the folder's: true and it does nothing, although
    /// it says it did. For tests of tests.
    std::function<bool(const std::string& path)> lies_about_sync;

    /// From now on no file grows when all of them together have so many octets (ENOSPC, after what
    /// fits).
    void set_capacity(std::uint64_t octets);
    /// Of all files.
    [[nodiscard]] std::uint64_t used_octets() const;

    struct State;

  private:
    friend class PowerCut;
    std::shared_ptr<State> state_;
};

/// Goes through a disk's recording and shows what a power cut could leave. The disk outlives it and
/// does not change meanwhile.
class PowerCut {
  public:
    explicit PowerCut(const Disk& disk);
    ~PowerCut();
    /// The power is cut before operation `operation`, which is not below that of the last call.
    /// What was synced is there. Of what was not, any part is: sectors of 512 octets or pages of 4
    /// KiB, sizes, names, each by itself or in order, as `random` has it.
    DiskImage at(std::size_t operation, base::Random& random);

  private:
    struct Progress;
    std::unique_ptr<Progress> progress_;
};

/// How many times as long tests of power cuts shall run: MAILCORE_POWER_CUTS in the environment, at
/// least 1.
[[nodiscard]] std::uint64_t power_cut_scale();

} // namespace mailcore::sim
