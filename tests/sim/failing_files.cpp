#include "tests/sim/failing_files.h"

#include <cerrno>
#include <utility>

namespace mailcore::sim {

namespace {

class FailingFile final : public base::File {
  public:
    FailingFile(std::unique_ptr<base::File> below, std::shared_ptr<FailingFileSystem::Plan> plan,
                std::string path)
        : below_(std::move(below)), plan_(std::move(plan)), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        return below_->read_at(offset, into);
    }
    Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                      std::span<char> into) override {
        return below_->read_cached_at(offset, into);
    }
    Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
        const bool torn = plan_->next_fails() && plan_->fault == Fault::ShortWrite;
        auto counted = plan_->next("writing", path_);
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
        MAILCORE_TRY(plan_->next("syncing", path_));
        return below_->sync_data();
    }
    Result<void> truncate(std::uint64_t octets) override {
        MAILCORE_TRY(plan_->next("truncating", path_));
        return below_->truncate(octets);
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t octets) override {
        MAILCORE_TRY(plan_->next("allocating", path_));
        return below_->allocate(offset, octets);
    }
    Result<std::uint64_t> size() override { return below_->size(); }

  private:
    std::unique_ptr<base::File> below_;
    std::shared_ptr<FailingFileSystem::Plan> plan_;
    std::string path_;
};

int error_of(Fault fault, std::string_view what) {
    switch (fault) {
    case Fault::NoSpace:
    case Fault::ShortWrite: return ENOSPC;
    case Fault::NoFiles: return what == "creating" ? EMFILE : EIO;
    case Fault::NoMemory: return ENOMEM;
    case Fault::Broken: break;
    }
    return EIO;
}

} // namespace

Result<void> FailingFileSystem::Plan::next(const char* what, const std::string& path) {
    const bool fails = next_fails();
    ++seen;
    if (!fails) return {};
    if (first_failure.empty()) first_failure = std::string(what) + " " + path;
    return base::fail_errno(error_of(fault, what), what, path + " (on purpose)");
}

FailingFileSystem::FailingFileSystem(base::FileSystem& below)
    : below_(below), plan_(std::make_shared<Plan>()) {}

void FailingFileSystem::fail_at(std::size_t operation, Fault fault, std::size_t times) {
    plan_->seen = 0;
    plan_->from = operation;
    plan_->until = times > SIZE_MAX - operation ? SIZE_MAX : operation + times;
    plan_->fault = fault;
    plan_->first_failure.clear();
}

void FailingFileSystem::fail_never() { plan_->from = plan_->until = SIZE_MAX; }

Result<std::unique_ptr<base::File>> FailingFileSystem::open(const std::string& path,
                                                            base::OpenMode mode) {
    if (mode == base::OpenMode::Create || mode == base::OpenMode::CreateNew) {
        MAILCORE_TRY(plan_->next("creating", path));
    }
    MAILCORE_TRY(auto file, below_.open(path, mode));
    return std::make_unique<FailingFile>(std::move(file), plan_, path);
}

Result<void> FailingFileSystem::remove(const std::string& path) {
    MAILCORE_TRY(plan_->next("removing", path));
    return below_.remove(path);
}
Result<void> FailingFileSystem::rename(const std::string& from, const std::string& to) {
    MAILCORE_TRY(plan_->next("renaming", from));
    return below_.rename(from, to);
}
Result<void> FailingFileSystem::make_folder(const std::string& path) {
    MAILCORE_TRY(plan_->next("making a folder", path));
    return below_.make_folder(path);
}
Result<std::vector<std::string>> FailingFileSystem::list(const std::string& folder) {
    return below_.list(folder);
}
Result<bool> FailingFileSystem::exists(const std::string& path) { return below_.exists(path); }
Result<void> FailingFileSystem::sync_folder(const std::string& folder) {
    MAILCORE_TRY(plan_->next("syncing a folder", folder));
    return below_.sync_folder(folder);
}
Result<std::uint64_t> FailingFileSystem::free_octets(const std::string&) { return free_octets_; }
Result<std::unique_ptr<base::FolderLock>>
FailingFileSystem::lock_folder(const std::string& folder) {
    return below_.lock_folder(folder);
}

} // namespace mailcore::sim
