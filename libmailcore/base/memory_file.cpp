#include "libmailcore/base/file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>

namespace mailcore::base {

namespace {

struct Content {
    std::shared_mutex mutex;
    std::string octets;
};

class MemoryFile final : public File {
  public:
    explicit MemoryFile(std::shared_ptr<Content> content) : content_(std::move(content)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        const std::shared_lock lock(content_->mutex);
        if (offset >= content_->octets.size()) return 0;
        const auto count =
            std::min(into.size(), content_->octets.size() - static_cast<std::size_t>(offset));
        std::memcpy(into.data(), content_->octets.data() + offset, count);
        return count;
    }
    Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                      std::span<char> into) override {
        MAILCORE_TRY(const auto count, read_at(offset, into));
        return count;
    }
    Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
        const std::unique_lock lock(content_->mutex);
        auto at = static_cast<std::size_t>(offset);
        for (const auto piece : pieces) {
            if (content_->octets.size() < at + piece.size())
                content_->octets.resize(at + piece.size());
            std::memcpy(content_->octets.data() + at, piece.data(), piece.size());
            at += piece.size();
        }
        return {};
    }
    Result<void> sync_data() override { return {}; }
    Result<void> truncate(std::uint64_t octets) override {
        const std::unique_lock lock(content_->mutex);
        content_->octets.resize(octets);
        return {};
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t octets) override {
        const std::unique_lock lock(content_->mutex);
        if (content_->octets.size() < offset + octets) content_->octets.resize(offset + octets);
        return {};
    }
    Result<std::uint64_t> size() override {
        const std::shared_lock lock(content_->mutex);
        return content_->octets.size();
    }

  private:
    std::shared_ptr<Content> content_;
};

} // namespace

struct MemoryFileSystem::State {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<Content>> files;
    std::set<std::string> folders;
    std::set<std::string> locks;
};

namespace {

class MemoryFolderLock final : public FolderLock {
  public:
    explicit MemoryFolderLock(std::move_only_function<void()> release)
        : release_(std::move(release)) {}
    ~MemoryFolderLock() override { release_(); }

  private:
    std::move_only_function<void()> release_;
};

} // namespace

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode) {
    const std::scoped_lock lock(state_->mutex);
    auto found = state_->files.find(path);
    if (found == state_->files.end()) {
        if (mode == OpenMode::Read || mode == OpenMode::Write)
            return fail(ErrorKind::NotFound, "opening " + path + ": no such file");
        found = state_->files.emplace(path, std::make_shared<Content>()).first;
    } else if (mode == OpenMode::CreateNew) {
        return fail(ErrorKind::Conflict, "opening " + path + ": it exists");
    }
    return std::make_unique<MemoryFile>(found->second);
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
    const std::scoped_lock lock(state_->mutex);
    if (state_->files.erase(path) == 0)
        return fail(ErrorKind::NotFound, "removing " + path + ": no such file");
    return {};
}

Result<void> MemoryFileSystem::rename(const std::string& from, const std::string& to) {
    const std::scoped_lock lock(state_->mutex);
    const auto found = state_->files.find(from);
    if (found == state_->files.end())
        return fail(ErrorKind::NotFound, "renaming " + from + ": no such file");
    auto content = std::move(found->second);
    state_->files.erase(found);
    state_->files[to] = std::move(content);
    return {};
}

Result<void> MemoryFileSystem::make_folder(const std::string& path) {
    const std::scoped_lock lock(state_->mutex);
    state_->folders.insert(path);
    return {};
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& folder) {
    const std::scoped_lock lock(state_->mutex);
    const auto prefix = folder.ends_with('/') ? folder : folder + "/";
    std::vector<std::string> names;
    for (auto i = state_->files.lower_bound(prefix);
         i != state_->files.end() && i->first.starts_with(prefix); ++i)
        if (i->first.find('/', prefix.size()) == std::string::npos)
            names.push_back(i->first.substr(prefix.size()));
    return names;
}

Result<bool> MemoryFileSystem::exists(const std::string& path) {
    const std::scoped_lock lock(state_->mutex);
    return state_->files.contains(path) || state_->folders.contains(path);
}

Result<void> MemoryFileSystem::sync_folder(const std::string&) { return {}; }

Result<std::uint64_t> MemoryFileSystem::free_octets(const std::string&) {
    return std::uint64_t{1} << 40;
}

Result<std::unique_ptr<FolderLock>> MemoryFileSystem::lock_folder(const std::string& folder) {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->locks.insert(folder).second)
        return fail(ErrorKind::Conflict, folder + " is in use");
    return std::make_unique<MemoryFolderLock>([state = state_, folder] {
        const std::scoped_lock inner(state->mutex);
        state->locks.erase(folder);
    });
}

} // namespace mailcore::base
