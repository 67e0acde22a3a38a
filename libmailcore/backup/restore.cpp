#include "libmailcore/backup/restore.h"

#include "libmailcore/backup/detail/copy.h"
#include "libmailcore/queue/rows.h"
#include "libmailcore/store/account.h"
#include "libmailcore/store/check.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::backup {

namespace {

using journal::SegmentKind;
using queue::QueueId;
using store::AccountId;
using store::ReadTransaction;
using store::Store;
using store::TxnTask;
using store::WriteTransaction;

constexpr std::size_t problems_max = 1000;
constexpr std::string_view settings_name = "mdserver.toml";

void add_problem(RestoreReport& report, std::string text) {
    if (report.problems.size() < problems_max) report.problems.push_back(std::move(text));
}

/// The files, without what must change in them.
class Copying {
  public:
    Copying(base::FileSystem& files, const std::string& backup, const std::string& folder,
            const RestoreOptions& options, RestoreReport& report)
        : files_(files), backup_(backup), folder_(folder), options_(options), report_(report) {}

    Result<void> find_moment(base::Random& random, const base::Clock& clock, Log log);
    Result<void> copy_store();
    Result<void> copy_settings();
    /// From where numbers of files are taken that nobody else takes.
    [[nodiscard]] journal::SegmentNumber numbers_from(base::Random& random) const {
        return last_number_ + ((1 + random.below(std::uint64_t{1} << 20)) << 32);
    }

  private:
    [[nodiscard]] std::uint64_t kept_octets(const BackupFile& file) const;
    [[nodiscard]] bool is_unreadable_snapshot(const BackupFile& file) const;
    Result<void> copy_file(const BackupFile& file, std::uint64_t kept);
    Result<void> make_parents(const std::string& path);

    base::FileSystem& files_;
    const std::string& backup_;
    const std::string& folder_;
    const RestoreOptions& options_;
    RestoreReport& report_;
    journal::Position cut_ = 0;                ///< what the log holds from here on does not count
    std::vector<journal::Snapshot> snapshots_; ///< those that can be read
    journal::SegmentNumber last_number_ = 0;
    Progress progress_;
};

Result<void> Copying::find_moment(base::Random& random, const base::Clock& clock, Log log) {
    cut_ = report_.manifest.position;
    if (cut_ == 0) return {}; // nothing was ever written
    MAILCORE_TRY(const auto journal,
                 journal::Journal::open_to_read(files_, backup_ + "/" + std::string(journal_folder),
                                                random, clock, log));
    MAILCORE_TRY(const auto moment,
                 store::find_moment(*journal, options_.at.value_or(WallTime::max()), cut_));
    report_.at = moment.written;
    snapshots_ = journal->snapshots();
    if (options_.at) cut_ = moment.mark.position;
    return {};
}

/// Of a file of the journal, how much belongs to the state that is restored.
std::uint64_t Copying::kept_octets(const BackupFile& file) const {
    const auto slash = file.path.rfind('/');
    const auto parsed = journal::parse_segment_name(std::string_view(file.path).substr(slash + 1));
    // What went before the last backup is needed only for what was before.
    if (file.gone && !options_.at) return 0;
    if (parsed && parsed->kind == SegmentKind::Snapshot) {
        // With one that had not ended then the store would begin beyond that moment.
        const auto known =
            std::ranges::find(snapshots_, parsed->number, &journal::Snapshot::number);
        return known != snapshots_.end() && known->end.to.position <= cut_ ? file.octets : 0;
    }
    if (!parsed || parsed->kind != SegmentKind::Log) return file.octets;
    return std::min(file.octets, cut_ - std::min(cut_, parsed->base));
}

/// One that is gone may be of a server that a restored one has replaced.
bool Copying::is_unreadable_snapshot(const BackupFile& file) const {
    const auto name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
    const auto parsed = journal::parse_segment_name(name);
    return parsed && parsed->kind == SegmentKind::Snapshot && !file.gone &&
           std::ranges::find(snapshots_, parsed->number, &journal::Snapshot::number) ==
               snapshots_.end();
}

Result<void> Copying::make_parents(const std::string& path) {
    for (auto at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
        MAILCORE_TRY(base::make_durable_folder(files_, folder_ + "/" + path.substr(0, at)));
    }
    return {};
}

Result<void> Copying::copy_file(const BackupFile& file, std::uint64_t kept) {
    MAILCORE_TRY(make_parents(file.path));
    const auto read = [&](std::uint64_t octets) {
        progress_.octets += octets;
        if (options_.progress) options_.progress(progress_);
    };
    const auto from = backup_ + "/" + file.name, to = folder_ + "/" + file.path;
    auto copied = detail::copy(files_, from, file.octets, to, kept, read);
    if (!copied && copied.error().kind == ErrorKind::Corrupt) {
        // Cut short: what there is may still be of use.
        add_problem(report_, file.name + ": " + copied.error().detail);
        MAILCORE_TRY(const auto source, files_.open(from, OpenMode::Read));
        MAILCORE_TRY(const auto octets, source->size());
        MAILCORE_TRY(detail::copy(files_, from, octets, to, std::min(kept, octets), read));
        return {};
    }
    if (!copied && copied.error().kind == ErrorKind::NotFound) {
        add_problem(report_, file.name + " is missing");
        return {};
    }
    MAILCORE_TRY(const auto digest, std::move(copied));
    if (digest != file.digest)
        add_problem(report_, file.name + ": its octets are not those that were copied");
    ++progress_.files;
    return {};
}

Result<void> Copying::copy_store() {
    std::vector<std::pair<const BackupFile*, std::uint64_t>> due;
    const auto store = std::string(journal_folder) + "/";
    for (const auto& file : report_.manifest.files) {
        if (!file.path.starts_with(store)) continue;
        const auto name = std::string_view(file.path).substr(store.size());
        if (const auto parsed = journal::parse_segment_name(name))
            last_number_ = std::max(last_number_, parsed->number);
        const auto kept = kept_octets(file);
        if (is_unreadable_snapshot(file))
            add_problem(report_, file.name + ": it cannot be read, and is left out");
        if (kept == 0) continue;
        due.emplace_back(&file, kept);
        progress_.octets_of += file.octets;
    }
    progress_.files_of = due.size();
    for (const auto& [file, kept] : due) {
        MAILCORE_TRY(copy_file(*file, kept));
    }
    return files_.sync_folder(folder_ + "/" + std::string(journal_folder));
}

Result<void> Copying::copy_settings() {
    const auto store = std::string(journal_folder) + "/";
    const BackupFile* last = nullptr;
    const auto put = [&](const BackupFile& file) -> Result<void> {
        MAILCORE_TRY(copy_file(file, file.octets));
        report_.settings.push_back(file.path);
        const auto slash = file.path.rfind('/');
        return files_.sync_folder(
            slash == std::string::npos ? folder_ : folder_ + "/" + file.path.substr(0, slash));
    };
    for (const auto& file : report_.manifest.files) {
        if (file.path.starts_with(store)) continue;
        if (file.path == settings_name)
            last = &file;
        else {
            MAILCORE_TRY(put(file));
        }
    }
    return last ? put(*last) : Result<void>{};
}

/// New numbers for everything that clients remember.
Task<Result<void>> renew_accounts(Store& store, RestoreReport& report) {
    MAILCORE_CO_TRY(const auto accounts,
                    store.read([](ReadTransaction& txn) { return store::list_accounts(txn); }));
    for (const auto account : accounts) {
        MAILCORE_CO_AWAIT(
            auto renewed,
            store.write([account](WriteTransaction& txn) -> TxnTask<Result<store::AccountState>> {
                store::AccountEdit edit(txn, store::Access::owner(account), account);
                MAILCORE_CO_TRY(edit.begin());
                MAILCORE_CO_TRY(store::renew_epoch(edit));
                MAILCORE_CO_TRY(edit.save());
                co_return edit.state();
            }));
        if (!renewed) {
            // Of an account whose own row was in a damaged frame there is no mailbox to open.
            add_problem(report,
                        fmt::format("account {}: {}", account.value, renewed.error().detail));
            continue;
        }
        ++report.accounts;
        report.mailboxes += renewed->mailboxes;
        report.emails += renewed->quota.usage.messages;
        report.email_octets += renewed->quota.usage.octets;
    }
    co_return Result<void>{};
}

TxnTask<Result<queue::RecipientList>> settle_queued(WriteTransaction& txn, QueueId id,
                                                    QueuedMail how) {
    MAILCORE_CO_TRY(auto rows, queue::read_recipients(txn, id, 0, queue::recipients_max));
    for (auto recipient : rows.recipients) {
        if (how == QueuedMail::Drop) {
            MAILCORE_CO_TRY(queue::remove_recipient(txn, id, recipient.index));
        } else if (how == QueuedMail::Hold && recipient.state == queue::State::Waiting) {
            recipient.state = queue::State::Held;
            MAILCORE_CO_TRY(queue::update_recipient(txn, id, recipient));
        }
    }
    co_return rows;
}

Task<Result<void>> settle_queue(Store& store, QueuedMail how, RestoreReport& report) {
    std::optional<QueueId> from = QueueId{};
    while (from) {
        MAILCORE_CO_TRY(const auto list, store.read([at = *from](ReadTransaction& txn) {
            return queue::list_messages(txn, at, 256);
        }));
        for (const auto& row : list.damaged) add_problem(report, queue::to_string(row));
        for (const auto& message : list.messages) {
            MAILCORE_CO_TRY(const auto rows,
                            store.write([id = message.id, how](WriteTransaction& txn) {
                                return settle_queued(txn, id, how);
                            }));
            for (const auto& row : rows.damaged) add_problem(report, queue::to_string(row));
            report.queued += rows.recipients.size();
        }
        from = list.next;
    }
    co_return Result<void>{};
}

} // namespace

Task<Result<RestoreReport>> restore(base::FileSystem& files, std::string backup, std::string folder,
                                    RestoreOptions options, base::Random& random,
                                    const base::Clock& clock, Log log) {
    RestoreReport report;
    Copying copying(files, backup, folder, options, report);
    const auto prepare = [&]() -> Result<void> {
        MAILCORE_TRY(report.manifest, read_manifest(files, backup));
        MAILCORE_TRY(const bool there, files.exists(folder));
        if (there) {
            MAILCORE_TRY(const auto names, files.list(folder));
            if (!names.empty())
                return fail(ErrorKind::Conflict, folder + " is not empty; name a new folder");
        }
        MAILCORE_TRY(copying.find_moment(random, clock, log));
        MAILCORE_TRY(base::make_durable_folder(files, folder));
        for (const auto* each : {"/store", "/store/journal"}) {
            MAILCORE_TRY(base::make_durable_folder(files, folder + each));
        }
        return copying.copy_store();
    };
    auto prepared = prepare();
    if (!prepared) co_return std::unexpected(std::move(prepared).error());

    options.store.journal.numbers_from = copying.numbers_from(random);
    auto opened =
        store::JournalStore::open(files, folder + "/store", options.store, random, clock, log);
    if (!opened) co_return std::unexpected(std::move(opened).error());
    auto& store = **opened;
    for (const auto& damage : store.status().damages) add_problem(report, damage);
    MAILCORE_CO_TRY(renew_accounts(store, report));
    MAILCORE_CO_TRY(settle_queue(store, options.queued, report));
    opened->reset(); // a checkpoint, and the end of the log

    auto copied = copying.copy_settings();
    if (!copied) co_return std::unexpected(std::move(copied).error());
    co_return std::move(report);
}

} // namespace mailcore::backup
