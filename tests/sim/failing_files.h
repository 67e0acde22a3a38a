// A FileSystem whose N-th operation fails.
#pragma once

#include "libmailcore/base/file.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::sim {

enum class Fault : std::uint8_t {
    NoSpace,    ///< ENOSPC, before anything is written
    ShortWrite, ///< ENOSPC after half of it
    Broken,     ///< EIO
    NoFiles,    ///< EMFILE where a file is opened, made or listed; EIO elsewhere
    NoMemory,   ///< ENOMEM
};

/// Passes everything on to another one, which outlives it, until an operation is due to fail.
/// Operations are what changes anything: writes, syncs, truncations, names. One thread.
class FailingFileSystem final : public base::FileSystem {
  public:
    explicit FailingFileSystem(base::FileSystem& below);

    /// Operation `operation` from now on (0: the next) fails, and `times` - 1 after it.
    void fail_at(std::size_t operation, Fault fault, std::size_t times = 1);
    void fail_never();
    /// How many operations there were since `fail_at`.
    [[nodiscard]] std::size_t operations() const { return plan_->seen; }
    [[nodiscard]] bool failed() const { return plan_->seen > plan_->from; }
    /// What failed first, with its path: "syncing /s/journal/1.log"; empty: nothing did.
    [[nodiscard]] const std::string& first_failure() const { return plan_->first_failure; }
    /// What `free_octets` answers.
    void set_free_octets(std::uint64_t octets) { free_octets_ = octets; }

    Result<std::unique_ptr<base::File>> open(const std::string& path, base::OpenMode mode) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> sync_folder(const std::string& folder) override;
    Result<std::uint64_t> free_octets(const std::string& folder) override;
    Result<std::unique_ptr<base::FolderLock>> lock_folder(const std::string& folder) override;

    struct Plan {
        std::size_t seen = 0;
        std::size_t from = SIZE_MAX, until = SIZE_MAX;
        Fault fault = Fault::Broken;
        std::string first_failure;
        /// Counts an operation; its failure if it is to fail.
        Result<void> next(const char* what, const std::string& path);
        [[nodiscard]] bool next_fails() const { return seen >= from && seen < until; }
    };

  private:
    base::FileSystem& below_;
    std::shared_ptr<Plan> plan_;
    std::uint64_t free_octets_ = std::uint64_t{1} << 40;
};

} // namespace mailcore::sim
