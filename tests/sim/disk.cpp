#include "tests/sim/disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

namespace mailcore::sim {

namespace {

using Inode = std::size_t;

enum class Kind : std::uint8_t {
    Write,
    Truncate,
    SyncFile,
    Create,
    Remove,
    Rename,
    MakeFolder,
    SyncFolder
};

struct Operation {
    Kind kind;
    Inode inode = 0;
    std::uint64_t offset = 0; // or the new size
    std::string octets;
    std::string name, to;
};

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

void write_into(std::string& content, std::uint64_t offset, std::string_view octets) {
    if (content.size() < offset + octets.size()) content.resize(offset + octets.size());
    std::memcpy(content.data() + offset, octets.data(), octets.size());
}

} // namespace

struct Disk::State {
    DiskImage beginning;
    std::vector<std::shared_ptr<std::string>> inodes; // as the running system sees them
    std::vector<std::shared_ptr<const std::string>>
        first; // as they were at the beginning; may be null
    std::map<std::string, Inode> names;
    std::set<std::string> folders;
    std::set<std::string> locks;
    std::vector<Operation> operations;
    std::uint64_t capacity = std::uint64_t{1} << 40;

    [[nodiscard]] std::uint64_t used() const {
        std::uint64_t octets = 0;
        for (const auto& [name, inode] : names) octets += inodes[inode]->size();
        return octets;
    }
    /// How large a file of `size` octets may become.
    [[nodiscard]] std::uint64_t size_max(std::uint64_t size) const {
        const auto taken = used();
        return size + (capacity > taken ? capacity - taken : 0);
    }
};

namespace {

class DiskFile final : public base::File {
  public:
    DiskFile(std::shared_ptr<Disk::State> state, const Disk& disk, Inode inode, std::string path)
        : state_(std::move(state)), disk_(disk), inode_(inode), path_(std::move(path)) {}

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        const auto& content = *state_->inodes[inode_];
        if (offset >= content.size()) return 0;
        const auto count = std::min<std::size_t>(into.size(), content.size() - offset);
        std::memcpy(into.data(), content.data() + offset, count);
        return count;
    }
    Result<std::optional<std::size_t>> read_cached_at(std::uint64_t offset,
                                                      std::span<char> into) override {
        MAILCORE_TRY(const auto count, read_at(offset, into));
        return count;
    }
    Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
        Operation operation{Kind::Write, inode_, offset, {}, {}, {}};
        for (const auto piece : pieces) operation.octets += piece;
        const auto room = state_->size_max(state_->inodes[inode_]->size());
        const bool fits = offset + operation.octets.size() <= room;
        if (!fits) operation.octets.resize(room - std::min(room, offset));
        write_into(*state_->inodes[inode_], offset, operation.octets);
        state_->operations.push_back(std::move(operation));
        if (!fits) return base::fail_errno(ENOSPC, "writing", path_);
        return {};
    }
    Result<void> sync_data() override {
        if (!disk_.lies_about_sync || !disk_.lies_about_sync(path_))
            state_->operations.push_back({Kind::SyncFile, inode_, 0, {}, {}, {}});
        return {};
    }
    Result<void> truncate(std::uint64_t octets) override {
        state_->inodes[inode_]->resize(octets);
        state_->operations.push_back({Kind::Truncate, inode_, octets, {}, {}, {}});
        return {};
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t octets) override {
        const auto size = state_->inodes[inode_]->size();
        if (offset + octets > state_->size_max(size))
            return base::fail_errno(ENOSPC, "allocating", path_);
        return offset + octets > size ? truncate(offset + octets) : Result<void>{};
    }
    Result<std::uint64_t> size() override { return state_->inodes[inode_]->size(); }

  private:
    std::shared_ptr<Disk::State> state_;
    const Disk& disk_;
    Inode inode_;
    std::string path_;
};

class DiskLock final : public base::FolderLock {
  public:
    DiskLock(std::shared_ptr<Disk::State> state, std::string folder)
        : state_(std::move(state)), folder_(std::move(folder)) {}
    ~DiskLock() override { state_->locks.erase(folder_); }

  private:
    std::shared_ptr<Disk::State> state_;
    std::string folder_;
};

} // namespace

Disk::Disk(DiskImage image) : state_(std::make_shared<State>()) {
    for (const auto& [name, content] : image.files) {
        state_->names[name] = state_->inodes.size();
        state_->inodes.push_back(std::make_shared<std::string>(*content));
        state_->first.push_back(content);
    }
    state_->folders = image.folders;
    state_->beginning = std::move(image);
}
Disk::~Disk() = default;

Result<std::unique_ptr<base::File>> Disk::open(const std::string& path, base::OpenMode mode) {
    auto found = state_->names.find(path);
    if (found == state_->names.end()) {
        if (mode == base::OpenMode::Read || mode == base::OpenMode::Write)
            return fail(ErrorKind::NotFound, "opening " + path + ": no such file");
        if (!state_->folders.contains(folder_of(path)))
            return fail(ErrorKind::NotFound, "opening " + path + ": no such folder");
        found = state_->names.emplace(path, state_->inodes.size()).first;
        state_->inodes.push_back(std::make_shared<std::string>());
        state_->first.emplace_back();
        state_->operations.push_back({Kind::Create, found->second, 0, {}, path, {}});
    } else if (mode == base::OpenMode::CreateNew) {
        return fail(ErrorKind::Conflict, "opening " + path + ": it exists");
    }
    return std::make_unique<DiskFile>(state_, *this, found->second, path);
}

Result<void> Disk::remove(const std::string& path) {
    if (state_->names.erase(path) == 0)
        return fail(ErrorKind::NotFound, "removing " + path + ": no such file");
    state_->operations.push_back({Kind::Remove, 0, 0, {}, path, {}});
    return {};
}

Result<void> Disk::rename(const std::string& from, const std::string& to) {
    const auto found = state_->names.find(from);
    if (found == state_->names.end())
        return fail(ErrorKind::NotFound, "renaming " + from + ": no such file");
    const auto inode = found->second;
    state_->names.erase(found);
    state_->names[to] = inode;
    state_->operations.push_back({Kind::Rename, 0, 0, {}, from, to});
    return {};
}

Result<void> Disk::make_folder(const std::string& path) {
    if (state_->folders.insert(path).second)
        state_->operations.push_back({Kind::MakeFolder, 0, 0, {}, path, {}});
    return {};
}

Result<std::vector<std::string>> Disk::list(const std::string& folder) {
    const auto prefix = without_slash(folder) + "/";
    std::vector<std::string> names;
    for (auto i = state_->names.lower_bound(prefix);
         i != state_->names.end() && i->first.starts_with(prefix); ++i)
        if (i->first.find('/', prefix.size()) == std::string::npos)
            names.push_back(i->first.substr(prefix.size()));
    return names;
}

Result<bool> Disk::exists(const std::string& path) {
    return state_->names.contains(path) || state_->folders.contains(path);
}

Result<void> Disk::sync_folder(const std::string& folder) {
    if (!lies_about_sync || !lies_about_sync(folder))
        state_->operations.push_back({Kind::SyncFolder, 0, 0, {}, without_slash(folder), {}});
    return {};
}

Result<std::uint64_t> Disk::free_octets(const std::string&) { return state_->size_max(0); }

void Disk::set_capacity(std::uint64_t octets) { state_->capacity = octets; }

std::uint64_t Disk::used_octets() const { return state_->used(); }

Result<std::unique_ptr<base::FolderLock>> Disk::lock_folder(const std::string& folder) {
    if (!state_->locks.insert(folder).second)
        return fail(ErrorKind::Conflict, folder + " is in use");
    return std::make_unique<DiskLock>(state_, folder);
}

std::size_t Disk::operations() const { return state_->operations.size(); }

// Cutting the power

struct PowerCut::Progress {
    const Disk::State& disk;
    std::size_t next = 0;
    struct File {
        std::shared_ptr<const std::string> synced; // null: nothing
        std::vector<const Operation*> pending;
    };
    std::map<Inode, File> files;
    std::map<std::string, Inode> names; // synced
    std::set<std::string> folders;      // synced
    std::vector<const Operation*> pending_names;

    explicit Progress(const Disk::State& state) : disk(state) {
        for (const auto& [name, content] : disk.beginning.files) {
            const auto inode = names.size();
            names[name] = inode;
            files[inode].synced = content;
        }
        folders = disk.beginning.folders;
    }

    static void apply(std::string& content, const Operation& operation) {
        if (operation.kind == Kind::Truncate)
            content.resize(operation.offset);
        else
            write_into(content, operation.offset, operation.octets);
    }
    static void apply(std::map<std::string, Inode>& to_names, std::set<std::string>& to_folders,
                      const Operation& operation) {
        switch (operation.kind) {
        case Kind::Create: to_names[operation.name] = operation.inode; break;
        case Kind::Remove: to_names.erase(operation.name); break;
        case Kind::MakeFolder: to_folders.insert(operation.name); break;
        case Kind::Rename:
            if (const auto found = to_names.find(operation.name); found != to_names.end()) {
                const auto inode = found->second;
                to_names.erase(found);
                to_names[operation.to] = inode;
            }
            break;
        default: break;
        }
    }

    void advance(std::size_t to) {
        for (; next < to; ++next) {
            const auto& operation = disk.operations[next];
            switch (operation.kind) {
            case Kind::Write:
            case Kind::Truncate: files[operation.inode].pending.push_back(&operation); break;
            case Kind::SyncFile: {
                auto& file = files[operation.inode];
                if (file.pending.empty()) break;
                auto content = file.synced ? *file.synced : std::string();
                for (const auto* each : file.pending) apply(content, *each);
                file.pending.clear();
                file.synced = std::make_shared<const std::string>(std::move(content));
                break;
            }
            case Kind::SyncFolder:
                std::erase_if(pending_names, [&](const Operation* each) {
                    if (folder_of(each->name) != operation.name) return false;
                    apply(names, folders, *each);
                    return true;
                });
                break;
            default: pending_names.push_back(&operation); break;
            }
        }
    }

    /// Any part of what was written since the last sync.
    static std::shared_ptr<const std::string> some_of(const File& file, base::Random& random) {
        if (file.pending.empty())
            return file.synced ? file.synced : std::make_shared<const std::string>();
        auto content = file.synced ? *file.synced : std::string();
        const auto way = random.below(6);
        if (way == 0)
            return std::make_shared<const std::string>(std::move(content)); // nothing came
        if (way == 1) {                                                     // all came
            for (const auto* each : file.pending) apply(content, *each);
            return std::make_shared<const std::string>(std::move(content));
        }
        if (way == 2) { // in order, the last one torn
            const auto whole = random.below(file.pending.size());
            for (std::size_t i = 0; i < whole; ++i) apply(content, *file.pending[i]);
            const auto& torn = *file.pending[whole];
            if (torn.kind == Kind::Write) {
                const auto end = (torn.offset + random.below(torn.octets.size() + 1)) / 512 * 512;
                const auto octets = end - std::min(end, torn.offset);
                write_into(content, torn.offset, std::string_view(torn.octets).substr(0, octets));
            }
            return std::make_shared<const std::string>(std::move(content));
        }
        // Each sector or page by itself.
        const std::uint64_t unit = way == 3 ? 4096 : 512;
        const auto chance = 1 + random.below(9); // of ten
        for (const auto* each : file.pending) {
            if (each->kind == Kind::Truncate) {
                if (random.below(10) < chance) apply(content, *each);
                continue;
            }
            const std::string_view octets = each->octets;
            for (std::uint64_t at = 0; at < octets.size();) {
                const auto end = std::min<std::uint64_t>(
                    (each->offset + at) / unit * unit + unit - each->offset, octets.size());
                if (random.below(10) < chance)
                    write_into(content, each->offset + at, octets.substr(at, end - at));
                at = end;
            }
            // The size may have come without the octets.
            if (random.below(4) == 0 && content.size() < each->offset + octets.size())
                content.resize(each->offset + octets.size());
        }
        return std::make_shared<const std::string>(std::move(content));
    }

    DiskImage image(base::Random& random) {
        auto now = names;
        auto now_folders = folders;
        if (!pending_names.empty()) {
            const auto way = random.below(3);
            const auto in_order = random.below(pending_names.size() + 1);
            for (std::size_t i = 0; i < pending_names.size(); ++i)
                if (way == 0 ? i < in_order : random.below(2) == 0)
                    apply(now, now_folders, *pending_names[i]);
        }
        DiskImage image;
        for (const auto& folder : now_folders) {
            const auto parent = folder_of(folder);
            if (parent == "." || now_folders.contains(parent)) image.folders.insert(folder);
        }
        for (const auto& [name, inode] : now)
            if (image.folders.contains(folder_of(name)))
                image.files[name] = some_of(files[inode], random);
        return image;
    }
};

PowerCut::PowerCut(const Disk& disk) : progress_(std::make_unique<Progress>(*disk.state_)) {}
PowerCut::~PowerCut() = default;

DiskImage PowerCut::at(std::size_t operation, base::Random& random) {
    progress_->advance(operation);
    return progress_->image(random);
}

std::uint64_t power_cut_scale() {
    const char* wanted = std::getenv("MAILCORE_POWER_CUTS");
    return wanted ? static_cast<std::uint64_t>(std::max(1, std::atoi(wanted))) : 1;
}

} // namespace mailcore::sim
