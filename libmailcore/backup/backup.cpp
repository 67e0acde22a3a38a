#include "libmailcore/backup/backup.h"

#include "libmailcore/backup/detail/copy.h"
#include "libmailcore/base/version.h"
#include "libmailcore/codec/hex.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <utility>

namespace mailcore::backup {

namespace {

using journal::SegmentKind;

constexpr std::string_view settings_folder = "settings";

std::string journal_path(const std::string& name) {
    return std::string(journal_folder) + "/" + name;
}

std::string_view file_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1); // without one: all of it
}

/// The number of a log segment; nothing: it is another kind of file.
std::optional<journal::SegmentNumber> log_number(std::string_view path) {
    const auto parsed = journal::parse_segment_name(file_name(path));
    if (!parsed || parsed->kind != SegmentKind::Log) return std::nullopt;
    return parsed->number;
}

/// One backup into one folder.
class Backup {
  public:
    Backup(base::FileSystem& files, const BackupSource& source, std::string folder,
           const BackupOptions& options, const base::Clock& clock)
        : files_(files), source_(source), folder_(std::move(folder)), options_(options),
          clock_(clock) {}
    Result<BackupReport> run();

  private:
    Result<void> load_known();
    Result<void> check_line(const journal::Inventory& inventory) const;
    Result<bool> copy_store(const journal::Inventory& inventory);
    Result<void> copy_settings();
    void keep_gone();
    Result<void> sync_folders();
    Result<void> remove_unnamed();
    Result<void> remove_in(const std::string& folder,
                           const std::function<bool(const std::string&)>& ours);
    [[nodiscard]] std::string in_backup(std::string_view path) const {
        return folder_ + "/" + std::string(path);
    }

    base::FileSystem& files_;
    const BackupSource& source_;
    const std::string folder_;
    const BackupOptions& options_;
    const base::Clock& clock_;
    bool first_ = true;
    Manifest before_; // the backup that is there; empty if `first_`
    std::map<std::string, BackupFile>
        known_; // its files of the journal and what was copied, by path
    std::map<std::string, BackupFile> settings_;
    journal::Inventory inventory_;
    BackupReport report_;
    Progress progress_;
};

Result<void> Backup::load_known() {
    auto manifest = read_manifest(files_, folder_);
    if (!manifest && manifest.error().kind == ErrorKind::NotFound) return {};
    if (!manifest) return std::unexpected(std::move(manifest).error());
    first_ = false;
    before_ = std::move(*manifest);
    for (const auto& file : before_.files)
        if (file.path.starts_with(std::string(journal_folder) + "/")) known_[file.path] = file;
    return {};
}

/// Two servers that go on from copies of one store must not share a backup: files of one would be
/// taken for the other's.
Result<void> Backup::check_line(const journal::Inventory& inventory) const {
    if (first_) return {};
    if (inventory.store != before_.store)
        return fail(ErrorKind::Conflict, folder_ + " holds the backup of another store");
    journal::SegmentNumber ours = 0, theirs = 0;
    for (const auto& file : inventory.files)
        ours = std::max(ours, log_number(file.name).value_or(0));
    for (const auto& file : before_.files)
        if (!file.gone) theirs = std::max(theirs, log_number(file.path).value_or(0));
    if (ours < theirs)
        return fail(ErrorKind::Conflict,
                    folder_ + " holds the backup of a server that went on from a copy of this "
                              "store; use another folder");
    return {};
}

/// False: a file went meanwhile.
Result<bool> Backup::copy_store(const journal::Inventory& inventory) {
    std::vector<const journal::KeptFile*> due;
    progress_ = {};
    for (const auto& file : inventory.files) {
        const auto known = known_.find(journal_path(file.name));
        // What counted once never changes: a copy that is as long or longer is as good.
        if (known != known_.end() && known->second.octets >= file.octets) {
            known->second.gone.reset();
            continue;
        }
        due.push_back(&file);
        progress_.octets_of += file.octets;
    }
    progress_.files_of = due.size();
    const auto read = [&](std::uint64_t octets) {
        progress_.octets += octets;
        if (options_.progress) options_.progress(progress_);
    };
    for (const auto* file : due) {
        const auto path = journal_path(file->name);
        auto copied = detail::copy(files_, source_.data + "/" + path, file->octets, in_backup(path),
                                   file->octets, read);
        if (!copied && copied.error().kind == ErrorKind::NotFound) return false;
        if (!copied) return std::unexpected(std::move(copied).error());
        known_[path] = {path, path, file->octets, *copied, {}};
        ++report_.files_copied;
        report_.octets_copied += file->octets;
        ++progress_.files;
    }
    return true;
}

/// Small files, each under the name of its digest: what the last manifest names is not touched.
Result<void> Backup::copy_settings() {
    for (const auto& path : source_.settings) {
        auto octets = base::read_file(files_, source_.data + "/" + path, settings_file_octets_max);
        if (!octets && octets.error().kind == ErrorKind::NotFound) continue; // removed just now
        if (!octets) return std::unexpected(std::move(octets).error());
        const auto digest = crypto::Blake2b256::of(*octets);
        const auto name = fmt::format("{}/{}-{}", settings_folder,
                                      codec::hex_encode(crypto::octets_of(digest)).substr(0, 32),
                                      file_name(path));
        const auto same = [&](const BackupFile& file) { return file.name == name; };
        if (std::ranges::none_of(before_.files, same)) {
            MAILCORE_TRY(base::replace_file(files_, in_backup(name), *octets));
            ++report_.files_copied;
            report_.octets_copied += octets->size();
        }
        settings_[path] = {path, name, octets->size(), digest, {}};
    }
    return {};
}

/// What the server has no more.
void Backup::keep_gone() {
    std::set<std::string> present;
    for (const auto& file : inventory_.files) present.insert(journal_path(file.name));
    const auto now = clock_.wall_now();
    for (auto& [path, file] : known_)
        if (!present.contains(path) && !file.gone) file.gone = now;
    std::erase_if(known_, [&](const auto& each) {
        const auto& gone = each.second.gone;
        return gone && options_.keep && *gone <= now - *options_.keep;
    });
}

Result<void> Backup::sync_folders() {
    for (const auto& each : {in_backup(journal_folder), in_backup(settings_folder)}) {
        MAILCORE_TRY(files_.sync_folder(each));
    }
    return {};
}

Result<void> Backup::remove_in(const std::string& folder,
                               const std::function<bool(const std::string&)>& ours) {
    std::set<std::string> named;
    for (const auto& file : report_.manifest.files) named.insert(file.name);
    MAILCORE_TRY(const auto names, files_.list(in_backup(folder)));
    for (const auto& name : names) {
        if (named.contains(folder + "/" + name) || !ours(name)) continue;
        MAILCORE_TRY(files_.remove(in_backup(folder + "/" + name)));
        ++report_.files_removed;
    }
    return {};
}

/// Files that no manifest names: of backups that were interrupted, and what is kept no longer.
Result<void> Backup::remove_unnamed() {
    MAILCORE_TRY(remove_in(std::string(journal_folder), [](const std::string& name) {
        return journal::parse_segment_name(name) || name.ends_with(detail::partial_ends);
    }));
    return remove_in(std::string(settings_folder), [](const std::string& name) {
        return name.size() > 33 && name[32] == '-' && codec::hex_decode(name.substr(0, 32));
    });
}

Result<BackupReport> Backup::run() {
    for (const auto* each : {"", "store", "store/journal", "settings"}) {
        MAILCORE_TRY(base::make_durable_folder(files_, *each ? in_backup(each) : folder_));
    }
    // On a network file system locks mean little; everything else there is as safe as it is.
    auto lock = files_.lock_folder(folder_);
    if (!lock && lock.error().kind != ErrorKind::Rejected)
        return std::unexpected(std::move(lock).error());
    MAILCORE_TRY(load_known());
    for (int tries = 0;; ++tries) {
        if (tries == inventories_max)
            return fail(ErrorKind::LimitExceeded,
                        "the server's files go faster than they can be copied");
        auto inventory = source_.inventory();
        if (!inventory && inventory.error().kind == ErrorKind::NotFound) continue;
        if (!inventory) return std::unexpected(std::move(inventory).error());
        report_.manifest.made = clock_.wall_now();
        MAILCORE_TRY(check_line(*inventory));
        MAILCORE_TRY(const bool all, copy_store(*inventory));
        inventory_ = std::move(*inventory);
        if (all) break;
    }
    MAILCORE_TRY(copy_settings());
    keep_gone();
    MAILCORE_TRY(sync_folders());

    auto& manifest = report_.manifest;
    manifest.store = inventory_.store;
    manifest.hostname = source_.hostname;
    manifest.release = version();
    manifest.position = inventory_.end;
    for (auto* group : {&known_, &settings_})
        for (const auto& [path, file] : *group) manifest.files.push_back(file);
    MAILCORE_TRY(base::replace_file(files_, in_backup(manifest_name), encode(manifest)));
    MAILCORE_TRY(remove_unnamed());
    return std::move(report_);
}

} // namespace

Result<BackupReport> make_backup(base::FileSystem& files, const BackupSource& source,
                                 const std::string& folder, const BackupOptions& options,
                                 const base::Clock& clock) {
    Backup backup(files, source, folder, options, clock);
    return backup.run();
}

} // namespace mailcore::backup
