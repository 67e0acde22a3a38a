#include "tests/sim/failing_files.h"

#include <cerrno>
#include <utility>

namespace mailcore::sim {

namespace {

class FailingFile final : public base::File {
  public:
    FailingFile(std::unique_ptr<base::File> below, std::shared_ptr<FailingFileSystem::Plan> plan)
        : below_(std::move(below)), plan_(std::move(plan)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        return below_->read_at(offset, into);
    }
    Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                      std::span<char> into) override {
        return below_->read_cached_at(offset, into);
    }
    Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
        const bool torn = plan_->next_fails() && plan_->fault == Fault::ShortWrite;
        auto counted = plan_->next("writing");
        if (counted) return below_->write_at(offset, pieces);
        if (torn) {
            std::string all;
            for (const auto piece : pieces) all += piece;
            const auto half = std::string_view(all).substr(0, all.size() / 2);
            MAILCORE_TRY(below_->write_at(offset, std::span(&half, 1)));
        }
        return counted;
    }
    Result<void> sync_data() override {
        MAILCORE_TRY(plan_->next("syncing"));
        return below_->sync_data();
    }
    Result<void> truncate(std::uint64_t octets) override {
        MAILCORE_TRY(plan_->next("truncating"));
        return below_->truncate(octets);
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t octets) override {
        MAILCORE_TRY(plan_->next("allocating"));
        return below_->allocate(offset, octets);
    }
    Result<std::uint64_t> size() override { return below_->size(); }

  private:
    std::unique_ptr<base::File> below_;
    std::shared_ptr<FailingFileSystem::Plan> plan_;
};

} // namespace

Result<void> FailingFileSystem::Plan::next(const char* what) {
    const bool fails = next_fails();
    ++seen;
    if (!fails) return {};
    return base::fail_errno(fault == Fault::Broken ? EIO : ENOSPC, what, "(on purpose)");
}

FailingFileSystem::FailingFileSystem(base::FileSystem& below)
    : below_(below), plan_(std::make_shared<Plan>()) {}

void FailingFileSystem::fail_at(std::size_t operation, Fault fault, std::size_t times) {
    plan_->seen = 0;
    plan_->from = operation;
    plan_->until = times > SIZE_MAX - operation ? SIZE_MAX : operation + times;
    plan_->fault = fault;
}

void FailingFileSystem::fail_never() { plan_->from = plan_->until = SIZE_MAX; }

Result<std::unique_ptr<base::File>> FailingFileSystem::open(const std::string& path,
                                                            base::OpenMode mode) {
    if (mode == base::OpenMode::Create || mode == base::OpenMode::CreateNew) {
        MAILCORE_TRY(plan_->next("creating"));
    }
    MAILCORE_TRY(auto file, below_.open(path, mode));
    return std::make_unique<FailingFile>(std::move(file), plan_);
}

Result<void> FailingFileSystem::remove(const std::string& path) {
    MAILCORE_TRY(plan_->next("removing"));
    return below_.remove(path);
}
Result<void> FailingFileSystem::rename(const std::string& from, const std::string& to) {
    MAILCORE_TRY(plan_->next("renaming"));
    return below_.rename(from, to);
}
Result<void> FailingFileSystem::make_folder(const std::string& path) {
    MAILCORE_TRY(plan_->next("making a folder"));
    return below_.make_folder(path);
}
Result<std::vector<std::string>> FailingFileSystem::list(const std::string& folder) {
    return below_.list(folder);
}
Result<bool> FailingFileSystem::exists(const std::string& path) { return below_.exists(path); }
Result<void> FailingFileSystem::sync_folder(const std::string& folder) {
    MAILCORE_TRY(plan_->next("syncing a folder"));
    return below_.sync_folder(folder);
}
Result<std::uint64_t> FailingFileSystem::free_octets(const std::string&) { return free_octets_; }
Result<std::unique_ptr<base::FolderLock>>
FailingFileSystem::lock_folder(const std::string& folder) {
    return below_.lock_folder(folder);
}

} // namespace mailcore::sim
