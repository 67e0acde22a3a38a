#include "libmailcore/store/past_store.h"

#include "libmailcore/kv/lmdb_index.h"
#include "libmailcore/kv/view.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/store/detail/body_check.h"
#include "libmailcore/store/detail/body_reading.h"
#include "libmailcore/store/detail/index_files.h"
#include "libmailcore/store/detail/past_index.h"
#include "libmailcore/store/detail/row_transaction.h"

#include <fmt/format.h>
#include <utility>

namespace mailcore::store {

namespace {

Error unchangeable() { return {ErrorKind::Rejected, "the past cannot be changed"}; }

class NoWriter final : public BlobWriter {
  public:
    Task<Result<void>> append(std::string_view) override {
        co_return std::unexpected(unchangeable());
    }
    Task<Result<NewBlobRef>> finish() override { co_return std::unexpected(unchangeable()); }
    [[nodiscard]] std::uint64_t size() const override { return 0; }
    [[nodiscard]] std::size_t memory() const override { return sizeof *this; }
};

} // namespace

struct PastStore::State {
    explicit State(Parts p) : parts(std::move(p)), hold(parts.journal->hold_files()) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        parts.index.reset();
        if (parts.done) parts.done();
    }

    [[nodiscard]] Result<kv::View> view() const {
        MAILCORE_TRY(auto reader, parts.index->read());
        return kv::View(nothing, nullptr, std::move(reader), 0, parts.moment.mark.position);
    }
    [[nodiscard]] Result<std::optional<std::string>>
    read_body(BlobId blob, std::uint64_t offset, std::size_t octets, journal::ReadFrom from) const {
        MAILCORE_TRY(const auto rows, view());
        MAILCORE_TRY(const auto value, rows.get(detail::blob_key(blob)));
        if (!value) return fail(ErrorKind::NotFound, "no such body");
        MAILCORE_TRY(const auto row, detail::decode_blob_row(*value));
        if (offset >= row.place.size) return std::string();
        const auto file = parts.journal->segment_file(row.place.segment);
        if (!file) return fail(ErrorKind::Corrupt, file.error().detail);
        return journal::read_body(**file, row.place, parts.journal->chunks(), offset, octets, from);
    }

    Parts parts;
    journal::SegmentHold hold;
    std::shared_ptr<const kv::Table> nothing = std::make_shared<kv::Table>();
};

PastStore::PastStore(Parts parts) : state_(std::make_shared<State>(std::move(parts))) {}
PastStore::~PastStore() = default;

const journal::Moment& PastStore::moment() const { return state_->parts.moment; }

Result<std::vector<journal::Reach>> PastStore::reaches() const {
    return state_->parts.journal->reaches();
}

Result<void> PastStore::read_now(ReadWork work) const {
    MAILCORE_TRY(const auto view, state_->view());
    detail::RowReader transaction(view, moment().written);
    return work(transaction).run();
}

Result<CheckReport> PastStore::check() const {
    const auto& parts = state_->parts;
    CheckReport report;
    journal::Replay calls;
    calls.record = [](const journal::FrameInfo&, const journal::Record&) -> Result<void> {
        return {};
    };
    calls.frame_end = [&](const journal::FrameInfo&) -> Result<void> {
        ++report.frames;
        return {};
    };
    calls.damage = [&](const std::string& what) { detail::add_problem(report, what); };
    // What is left of the log before a gap holds bodies that rows still name, and shows nothing.
    MAILCORE_TRY(const auto shown, reaches());
    MAILCORE_TRY(parts.journal->replay(shown.empty() ? 0 : shown.back().from,
                                       parts.moment.mark.position, calls, journal::Bodies::Verify));
    for (const auto& each : parts.journal->snapshots()) {
        MAILCORE_TRY(parts.journal->read_snapshot(
            each, [](std::string_view, std::string_view) -> Result<void> { return {}; },
            calls.damage));
    }
    detail::BodyCheck bodies{*parts.index, *parts.journal, report, {}};
    MAILCORE_TRY(bodies.references());
    MAILCORE_TRY(bodies.bodies());
    return report;
}

Result<void> PastStore::room_for(std::uint64_t) const { return std::unexpected(unchangeable()); }

std::unique_ptr<BlobWriter> PastStore::new_blob(Scheduler&, std::uint64_t) {
    return std::make_unique<NoWriter>();
}

Task<Result<std::string>> PastStore::read_blob(BlobId blob, std::uint64_t offset,
                                               std::size_t octets) {
    return detail::read_body_unblocked(state_, blob, offset, octets);
}

Task<Result<std::string>> PastStore::read_new_blob(NewBlobRef, std::uint64_t, std::size_t) {
    co_return std::unexpected(unchangeable());
}

std::unique_ptr<Subscription> PastStore::subscribe(Scheduler&, AccountId,
                                                   std::move_only_function<void(const Change&)>) {
    return std::make_unique<Subscription>();
}

StoreStatus PastStore::status() const {
    StoreStatus status;
    status.writable = false;
    status.reason = unchangeable().detail;
    status.journal_octets = state_->parts.journal->disk_octets();
    if (const auto usage = state_->parts.index->usage()) status.index_octets = usage->file_octets;
    return status;
}

Task<Result<void>> PastStore::run_read(ReadWork work) { co_return read_now(std::move(work)); }

Task<Result<void>> PastStore::run_write(WriteWork, Urgency) {
    co_return std::unexpected(unchangeable());
}

Result<journal::Moment> find_moment(const journal::Journal& journal, WallTime at,
                                    journal::Position to) {
    auto moment = journal.moment_at(at, to);
    if (moment || moment.error().kind != ErrorKind::NotFound) return moment;
    MAILCORE_TRY(const auto reaches, journal.reaches());
    const auto text = [](const journal::Moment& shown) {
        return mime::format_utc(std::chrono::ceil<std::chrono::seconds>(shown.written));
    };
    for (std::size_t i = 0; i < reaches.size(); ++i) {
        if (reaches[i].first.written <= at) continue;
        if (i == 0)
            return fail(ErrorKind::NotFound,
                        "the journal begins later; the earliest time is " + text(reaches[i].first));
        return fail(ErrorKind::NotFound, "what was written after " + text(*reaches[i - 1].last) +
                                             " is gone; the earliest time behind that is " +
                                             text(reaches[i].first));
    }
    return moment;
}

Result<std::unique_ptr<PastStore>> detail::fill_past(const FillSource& source,
                                                     PastStore::Parts parts, WallTime at,
                                                     journal::Position to, const Log& log) {
    auto& journal = *parts.journal;
    const auto held = journal.hold_files();
    const auto moment = find_moment(journal, at, to);
    const auto fill = [&]() -> Result<void> {
        if (!moment) return std::unexpected(moment.error());
        parts.moment = *moment;
        MAILCORE_TRY(fill_index(source, journal, *parts.index,
                                {.position = parts.moment.mark.position, .time = {}},
                                [&](const std::string& what) {
                                    MAILCORE_LOG(log, Error, "store.damage", {{"what", what}});
                                }));
        return {};
    };
    const auto filled = fill();
    auto store = std::make_unique<PastStore>(std::move(parts)); // removes the index in any case
    if (!filled) return std::unexpected(filled.error());
    return store;
}

Result<std::unique_ptr<PastStore>> open_past(base::FileSystem& files, const PastOf& of,
                                             const IndexOpener& open_index, base::Random& random,
                                             const base::Clock& clock, Log log) {
    PastStore::Parts parts;
    MAILCORE_TRY(parts.journal,
                 journal::Journal::open_to_read(files, of.journal_folder, random, clock, log));
    const auto remove = [&files, path = of.index_path] {
        for (const auto& name : {path, path + "-lock"})
            if (const auto removed = files.remove(name);
                !removed && removed.error().kind != ErrorKind::NotFound)
                return false;
        return true;
    };
    if (!remove()) return fail(ErrorKind::Unavailable, of.index_path + " cannot be made anew");
    auto opened = open_index ? open_index(of.index_path) : kv::open_lmdb_index(of.index_path);
    if (!opened) return std::unexpected(std::move(opened).error());
    parts.index = std::move(*opened);
    parts.done = [remove, log, path = of.index_path] {
        if (!remove()) MAILCORE_LOG(log, Warning, "store.index.not-removed", {{"file", path}});
    };
    return detail::fill_past({files, of.journal_folder}, std::move(parts), of.at, of.to, log);
}

} // namespace mailcore::store
