#include "libmailcore/store/journal_store.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/kv/lmdb_index.h"
#include "libmailcore/store/detail/body_reading.h"
#include "libmailcore/store/detail/engine_rows.h"
#include "libmailcore/store/detail/journal_store_state.h"
#include "libmailcore/store/detail/past_index.h"
#include "libmailcore/store/email.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::store {

namespace {

constexpr std::chrono::milliseconds idle_after{100};         // then the pool is filled
constexpr std::chrono::milliseconds index_retry_after{1000}; // after a full disk

detail::OpenIndex index_opener(const JournalStoreOptions& options) {
    if (options.open_index) return options.open_index;
    kv::LmdbOptions lmdb;
    lmdb.map_octets = options.index_map_octets;
    return [lmdb](const std::string& path) { return kv::open_lmdb_index(path, lmdb); };
}

} // namespace

JournalStore::State::State(base::FileSystem& f, std::string p, const Options& o, base::Random& r,
                           const base::Clock& c, Log l)
    : files(f), folder(std::move(p)), options(o), random(r), clock(c), log(l),
      index_files(f, folder, index_opener(o)) {}

JournalStore::JournalStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
JournalStore::~JournalStore() { state_->stop(); }

// Opening

Result<std::unique_ptr<JournalStore>> JournalStore::open(base::FileSystem& files,
                                                         std::string folder, const Options& options,
                                                         base::Random& random,
                                                         const base::Clock& clock, Log log) {
    auto state = std::make_shared<State>(files, std::move(folder), options, random, clock, log);
    auto store = std::unique_ptr<JournalStore>(new JournalStore(std::move(state)));
    MAILCORE_TRY(store->state_->open(*store));
    return store;
}

void JournalStore::State::report(const std::string& damage) {
    MAILCORE_LOG(log, Error, "store.damage", {{"folder", folder}, {"what", damage}});
    const std::scoped_lock guard(damages_mutex);
    if (damages.size() < detail::damages_max) damages.push_back(damage);
}

Result<void> JournalStore::State::open(const JournalStore& store) {
    MAILCORE_TRY(base::make_durable_folder(files, folder));
    MAILCORE_TRY(lock, files.lock_folder(folder));
    const auto reported = [this](const std::string& what) { report(what); };
    MAILCORE_TRY(auto index, index_files.open_newest(reported));
    const auto begin_anew = [&](const std::string& why) -> Result<void> {
        report(why);
        const auto number = index.number;
        MAILCORE_TRY(index, index_files.make());
        return index_files.remove(number);
    };
    if (index.applied) {
        MAILCORE_TRY(const bool there, has_journal());
        if (!there)
            return fail(ErrorKind::Corrupt,
                        folder + " has an index but no journal; to begin with an empty store, "
                                 "take the index away");
        const auto id = journal::Journal::read_store_id(files, folder + "/journal");
        if (id && *id != index.applied->store) {
            MAILCORE_TRY(begin_anew("the index belongs to another journal"));
        }
    }
    MAILCORE_TRY(load_snapshot(index));
    auto opened = open_journal(index);
    if (!opened && opened.error().kind == ErrorKind::Corrupt && index.applied) {
        // The journal is the truth: an index that contradicts itself is built anew from it.
        MAILCORE_TRY(begin_anew("the index is damaged: " + opened.error().detail));
        MAILCORE_TRY(load_snapshot(index));
        opened = open_journal(index);
    }
    MAILCORE_TRY(std::move(opened));
    if (!index.applied) {
        // From now on it is complete as far as it says, and belongs to this journal.
        MAILCORE_TRY(note_applied(*index.index, applied));
    }

    detail::IdSource ids;
    {
        MAILCORE_TRY(const auto view, overlay->read());
        MAILCORE_TRY(const auto last, view.get(detail::last_id_key));
        if (last) {
            MAILCORE_TRY(ids.last, detail::decode_number(*last));
        }
    }
    committer = std::make_unique<detail::Committer>(
        detail::CommitterParts{store, *journal, *overlay, live, named, subscribers, clock,
                               options.batch_octets_max,
                               [this] { return space_for(0).has_value(); }},
        ids, committed);
    last_commit = clock.now();
    if (overlay->active_octets() > 0) first_change = last_commit;
    upkeep = std::make_unique<detail::Upkeep>(*this);
    if (options.threads == StoreThreads::Own) {
        writer = std::thread([this] { write_loop(); });
        checkpointer = std::thread([this] { checkpoint_loop(); });
        keeper = std::thread([this] { upkeep->run(); });
    }
    return {};
}

kv::Overlay::ApplyOptions JournalStore::State::apply_options() const {
    kv::Overlay::ApplyOptions apply;
    apply.rows_per_commit = options.checkpoint_rows_a_commit;
    return apply;
}

/// Whether there is any part of a journal.
Result<bool> JournalStore::State::has_journal() {
    MAILCORE_TRY(const bool folder_there, files.exists(folder + "/journal"));
    if (!folder_there) return false;
    MAILCORE_TRY(const auto names, files.list(folder + "/journal"));
    return std::ranges::any_of(names, [](const std::string& name) {
        return name == "id" || journal::parse_segment_name(name).has_value();
    });
}

detail::FillSource JournalStore::State::fill_source() const {
    return {files, folder + "/journal", static_cast<std::size_t>(options.checkpoint_octets)};
}

Result<void> JournalStore::State::load_snapshot(detail::IndexFile& index) {
    if (index.applied) return {};
    MAILCORE_TRY(const bool there, has_journal());
    if (!there) return {};
    const auto id = journal::Journal::read_store_id(files, folder + "/journal");
    // Where the journal's name is lost, the journal finds it out, and makes do with the log.
    if (!id) return {};
    const auto log_reaches_back = [this]() -> Result<bool> {
        MAILCORE_TRY(const auto reader, journal::Journal::open_to_read(files, folder + "/journal",
                                                                       random, clock, log));
        return detail::reaches_back(*reader);
    };
    MAILCORE_TRY(const auto mark,
                 detail::fill_from_snapshot(fill_source(), *id, *index.index, log_reaches_back,
                                            [this](const std::string& what) { report(what); }));
    if (!mark) return {};
    // The rows are those of the snapshot's beginning to end; what is replayed makes them exact.
    index.applied = detail::Applied{*mark, *id};
    MAILCORE_TRY(const auto index_writer, index.index->write());
    MAILCORE_TRY(detail::note_applied(*index_writer, *index.applied));
    return index_writer->commit();
}

Result<void> JournalStore::State::note_applied(kv::Index& index, const journal::Mark& mark) {
    MAILCORE_TRY(const auto index_writer, index.write());
    MAILCORE_TRY(detail::note_applied(*index_writer, {mark, journal->store_id()}));
    return index_writer->commit();
}

/// Replays the journal over the index. What exceeds a checkpoint's size becomes one at once.
Result<void> JournalStore::State::open_journal(const detail::IndexFile& index) {
    overlay = std::make_unique<kv::Overlay>(index.index);
    index_number = index.number;
    applied = index.applied ? index.applied->mark : journal::Mark{};
    committed = applied;
    opened_from = applied.position;
    journal.reset();
    MAILCORE_TRY(live.load(*index.index));
    MAILCORE_TRY(const auto id, [&]() -> Result<journal::StoreId> {
        auto known = journal::Journal::read_store_id(files, folder + "/journal");
        if (known || known.error().kind == ErrorKind::NotFound)
            return known.value_or(journal::StoreId{});
        return known;
    }());

    std::optional<kv::View> view;
    std::uint64_t seen_version = 0;
    bool index_is_damaged = false;
    // Octets that are still needed change with the rows of bodies.
    const auto before = [&](std::string_view key,
                            std::optional<std::string_view> value) -> Result<void> {
        if (!detail::blob_of_key(key)) return {};
        if (!view) {
            MAILCORE_TRY(view, overlay->read_unpublished());
        }
        const auto old = view->get(key);
        index_is_damaged = !old;
        if (!old) return std::unexpected(old.error());
        if (*old) {
            MAILCORE_TRY(const auto row, detail::decode_blob_row(**old));
            live.remove(row.place);
        }
        if (value) {
            MAILCORE_TRY(const auto row, detail::decode_blob_row(*value));
            live.add(row.place);
        }
        return {};
    };
    journal::Replay calls;
    calls.record = [&](const journal::FrameInfo& frame,
                       const journal::Record& record) -> Result<void> {
        auto done = named.note(frame, record);
        if (done)
            done =
                detail::replay_record(frame, record, overlay->active(), seen_version + 1, before);
        if (done || index_is_damaged || done.error().kind != ErrorKind::Corrupt) return done;
        report(fmt::format("frame {}: {}", frame.batch, done.error().detail));
        return {};
    };
    calls.frame_end = [&](const journal::FrameInfo& frame) -> Result<void> {
        committed = frame.mark();
        overlay->publish(++seen_version, frame.end);
        if (overlay->active_octets() < options.checkpoint_octets) return {};
        // The journal that would say so is not open yet: its mark is what matters.
        view.reset();
        if (!overlay->freeze()) return {};
        MAILCORE_TRY(overlay->apply(apply_options(), detail::count_live,
                                    [&](kv::IndexWriter& writer, std::uint64_t) {
                                        return detail::note_applied(writer, {committed, id});
                                    }));
        applied = committed;
        return {};
    };
    calls.damage = [this](const std::string& what) { report(what); };
    if (applied.position > 0) overlay->publish(0, applied.position);
    MAILCORE_TRY(journal, journal::Journal::open(files, folder + "/journal", options.journal,
                                                 random, clock, log, applied, calls));
    return {};
}

// Writing

void JournalStore::State::submit(detail::Submission submission) {
    auto& scheduler = *submission.scheduler;
    {
        const std::scoped_lock guard(inbox_mutex);
        auto& turn = turns[&scheduler];
        turn.push_back(std::move(submission));
        if (turn.size() > 1) return;
    }
    // The first of this turn: all that is submitted until the scheduler comes to this goes
    // together.
    scheduler.post([weak = weak_from_this(), &scheduler] {
        if (const auto self = weak.lock()) self->flush_turn(scheduler);
    });
}

void JournalStore::State::flush_turn(Scheduler& scheduler) {
    std::vector<detail::Submission> mine;
    {
        const std::scoped_lock guard(inbox_mutex);
        const auto turn = turns.extract(&scheduler);
        if (turn.empty()) return;
        if (options.threads == StoreThreads::Own) {
            std::ranges::move(turn.mapped(), std::back_inserter(inbox));
            inbox_filled.notify_one();
            return;
        }
        mine = std::move(turn.mapped());
    }
    commit(std::move(mine));
    look_at_checkpoint();
    if (overlay->frozen()) {
        const auto done = apply_frozen();
        if (!done)
            MAILCORE_LOG(log, Error, "store.checkpoint.failed", {{"error", done.error().detail}});
    }
    upkeep->look(detail::Upkeep::When::Due);
}

void JournalStore::State::run_on_writer(std::move_only_function<void()> job) {
    const auto run = [&] {
        job();
        if (!first_change && overlay->active_octets() > 0) first_change = clock.now();
    };
    if (options.threads == StoreThreads::None) {
        run();
        return;
    }
    std::mutex mutex;
    std::condition_variable done;
    bool ran = false;
    {
        const std::scoped_lock guard(inbox_mutex);
        jobs.emplace_back([&] {
            run();
            const std::scoped_lock ran_guard(mutex);
            ran = true;
            done.notify_one();
        });
        inbox_filled.notify_one();
    }
    std::unique_lock guard(mutex);
    done.wait(guard, [&ran] { return ran; });
}

std::vector<detail::Submission>
JournalStore::State::wait_for_submissions(std::chrono::milliseconds at_most) {
    std::unique_lock guard(inbox_mutex);
    inbox_filled.wait_for(guard, at_most, [this] {
        return !inbox.empty() || !jobs.empty() || stopping || freeze_wanted;
    });
    for (auto& job : std::exchange(jobs, {})) {
        guard.unlock();
        job();
        job = nullptr;
        guard.lock();
    }
    return std::exchange(inbox, {});
}

void JournalStore::State::commit(std::vector<detail::Submission> submissions) {
    committer->commit(std::move(submissions));
    last_commit = clock.now();
    if (!first_change && overlay->active_octets() > 0) first_change = last_commit;
}

/// When changes come faster than they can be applied, memory must not grow for ever.
void JournalStore::State::wait_for_checkpoint() {
    if (overlay->active_octets() < 4 * options.checkpoint_octets) return;
    std::unique_lock guard(marks_mutex);
    marks_changed.wait_for(guard, std::chrono::seconds{10},
                           [this] { return !frozen || !index_failure.empty(); });
}

/// Freezes the active table for a checkpoint. The writer, between two batches.
bool JournalStore::State::freeze() {
    const std::scoped_lock guard(marks_mutex);
    if (frozen || !index_failure.empty() || !overlay->freeze()) return false;
    frozen = committer->mark();
    first_change.reset();
    marks_changed.notify_all();
    return true;
}

std::chrono::milliseconds JournalStore::State::look_at_checkpoint() {
    constexpr std::chrono::milliseconds at_most = std::chrono::seconds{10};
    bool wanted = false;
    {
        const std::scoped_lock guard(inbox_mutex);
        wanted = std::exchange(freeze_wanted, false);
    }
    if (!first_change && !wanted) return at_most;
    const auto now = clock.now();
    const auto due = std::min(first_change.value_or(now) + options.checkpoint_interval,
                              last_commit + options.checkpoint_idle);
    if (!wanted && now < due && overlay->active_octets() < options.checkpoint_octets)
        return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(due - now),
                          std::chrono::milliseconds{1}, at_most);
    if (freeze() || !first_change) return at_most;
    return index_retry_after; // one is being applied
}

void JournalStore::State::write_loop() {
    auto wait = std::chrono::milliseconds{0};
    bool settled = false; // nothing that can wait is left
    while (true) {
        auto submissions = wait_for_submissions(settled ? wait : std::min(wait, idle_after));
        if (!submissions.empty()) {
            commit(std::move(submissions));
            settled = false;
            wait = look_at_checkpoint();
            wait_for_checkpoint();
            continue;
        }
        {
            const std::scoped_lock guard(inbox_mutex);
            if (stopping && inbox.empty()) return;
        }
        wait = look_at_checkpoint();
        if (!settled && clock.now() - last_commit >= idle_after) {
            settled = !journal->idle();
            if (!settled) wait = std::chrono::milliseconds{0};
        }
    }
}

// The checkpoint

Result<void> JournalStore::State::apply_frozen() {
    const std::scoped_lock one_at_a_time(checkpoint_mutex);
    journal::Mark mark;
    {
        const std::scoped_lock guard(marks_mutex);
        if (!frozen) return {};
        mark = *frozen;
    }
    auto done = overlay->apply(
        apply_options(), detail::count_live, [&](kv::IndexWriter& index_writer, std::uint64_t) {
            return detail::note_applied(index_writer, {mark, journal->store_id()});
        });
    const std::scoped_lock guard(marks_mutex);
    if (done) {
        applied = mark;
        frozen.reset();
    } else if (done.error().kind != ErrorKind::LimitExceeded) {
        // A commit that failed is not tried again: what is on disk is one of two states.
        index_failure = done.error().detail;
    }
    marks_changed.notify_all();
    return done;
}

void JournalStore::State::checkpoint_loop() {
    while (true) {
        {
            std::unique_lock guard(marks_mutex);
            marks_changed.wait(
                guard, [this] { return checkpoint_stopping || (frozen && index_failure.empty()); });
            if (checkpoint_stopping) return;
        }
        const auto done = apply_frozen();
        if (done) continue;
        MAILCORE_LOG(log, Error, "store.checkpoint.failed", {{"error", done.error().detail}});
        std::unique_lock guard(marks_mutex);
        marks_changed.wait_for(guard, index_retry_after, [this] { return checkpoint_stopping; });
    }
}

Result<void> JournalStore::State::checkpoint() {
    const auto target = overlay->published().position;
    if (options.threads == StoreThreads::None) {
        if (overlay->frozen()) {
            MAILCORE_TRY(apply_frozen());
        }
        freeze();
        return apply_frozen();
    }
    while (true) {
        if (overlay->octets() == 0) return {};
        {
            const std::scoped_lock guard(inbox_mutex);
            freeze_wanted = true;
            inbox_filled.notify_one();
        }
        std::unique_lock guard(marks_mutex);
        if (applied.position >= target) return {};
        if (!index_failure.empty()) return fail(ErrorKind::Unavailable, index_failure);
        const auto before = applied.position;
        const bool moved = marks_changed.wait_for(guard, std::chrono::seconds{30}, [&] {
            return applied.position != before || !index_failure.empty();
        });
        if (!moved)
            return fail(ErrorKind::Unavailable, "no checkpoint could be made in 30 seconds");
    }
}

Result<void> JournalStore::checkpoint() { return state_->checkpoint(); }
Result<void> JournalStore::snapshot() { return state_->upkeep->snapshot(); }
Result<ReclaimReport> JournalStore::compact(Reclaim how) { return state_->upkeep->compact(how); }
Result<ScrubReport> JournalStore::scrub() { return state_->upkeep->scrub(); }
void JournalStore::begin_scrub() { state_->upkeep->request_scrub(); }

void JournalStore::settle() {
    MAILCORE_ASSERT(state_->options.threads == StoreThreads::None);
    state_->upkeep->look(detail::Upkeep::When::Now);
    while (state_->journal->idle()) {
    }
}

void JournalStore::State::stop() {
    if (upkeep) upkeep->stop();
    if (keeper.joinable()) keeper.join();
    {
        const std::scoped_lock guard(inbox_mutex);
        for (auto& [scheduler, turn] : turns) std::ranges::move(turn, std::back_inserter(inbox));
        turns.clear();
        stopping = true;
        inbox_filled.notify_one();
    }
    if (writer.joinable()) writer.join();
    if (checkpointer.joinable()) {
        {
            const std::scoped_lock guard(marks_mutex);
            checkpoint_stopping = true;
            marks_changed.notify_all();
        }
        checkpointer.join();
    }
    if (!committer) return; // it was not opened
    if (!inbox.empty()) commit(std::exchange(inbox, {}));
    // The writer's and the checkpoint's work is this thread's now. The next start is quicker for
    // it.
    auto done = apply_frozen();
    if (done && freeze()) done = apply_frozen();
    if (!done)
        MAILCORE_LOG(log, Warning, "store.checkpoint.failed", {{"error", done.error().detail}});
    journal->close();
    lock.reset(); // what is still under way elsewhere keeps the state, but not the folder
}

// Copies and the past

Result<journal::Inventory> JournalStore::inventory() { return state_->journal->inventory(); }

Result<std::unique_ptr<PastStore>>
JournalStore::past(WallTime at, const std::string& journal_folder, journal::Position to) {
    auto& s = *state_;
    PastStore::Parts parts;
    if (journal_folder.empty()) {
        parts.journal = s.journal;
        to = s.overlay->published().position;
    } else {
        MAILCORE_TRY(parts.journal, journal::Journal::open_to_read(s.files, journal_folder,
                                                                   s.random, s.clock, s.log));
    }
    // One that is left over without a mark is removed at the next start.
    MAILCORE_TRY(auto file, s.index_files.make());
    parts.index = std::move(file.index);
    parts.done = [state = state_, number = file.number] {
        const auto removed = state->index_files.remove(number);
        if (!removed)
            MAILCORE_LOG(state->log, Warning, "store.index.not-removed",
                         {{"error", removed.error().detail}});
    };
    auto source = s.fill_source();
    if (!journal_folder.empty()) source.journal_folder = journal_folder;
    return detail::fill_past(source, std::move(parts), at, to, s.log);
}

// The interface

Task<Result<void>> JournalStore::run_read(ReadWork work) {
    const auto view = state_->overlay->read();
    if (!view) co_return std::unexpected(view.error());
    detail::RowReader transaction(*view, state_->clock.wall_now());
    co_return work(transaction).run();
}

Task<Result<void>> JournalStore::run_write(WriteWork work, Urgency urgency) {
    auto& scheduler = co_await base::current_scheduler();
    base::Completion<Result<void>> done(scheduler);
    state_->submit({std::move(work), urgency, &scheduler, done.completer()});
    co_return co_await done;
}

Result<void> JournalStore::State::room_for(std::uint64_t octets) const {
    if (auto reason = journal->failure(); !reason.empty())
        return fail(ErrorKind::Unavailable, std::move(reason));
    {
        const std::scoped_lock guard(marks_mutex);
        if (!index_failure.empty()) return fail(ErrorKind::Unavailable, index_failure);
    }
    return space_for(octets);
}

Result<void> JournalStore::State::space_for(std::uint64_t octets) const {
    const auto free = files.free_octets(folder);
    if (free && *free < options.free_octets_min + octets)
        return fail(ErrorKind::LimitExceeded, "the disk is (nearly) full");
    if (overlay->octets() > options.overlay_octets_max)
        return fail(ErrorKind::LimitExceeded, "changes come faster than the index takes them");
    return {};
}

Result<void> JournalStore::room_for(std::uint64_t octets) const { return state_->room_for(octets); }

std::unique_ptr<BlobWriter> JournalStore::new_blob(Scheduler&, std::uint64_t size_hint) {
    auto room = [state = state_](std::uint64_t octets) { return state->room_for(octets); };
    return std::make_unique<detail::JournalBlobWriter>(*this, state_->journal, std::move(room),
                                                       size_hint);
}

Result<detail::BlobRow> JournalStore::State::find_blob(BlobId blob) const {
    MAILCORE_TRY(const auto view, overlay->read());
    MAILCORE_TRY(const auto value, view.get(detail::blob_key(blob)));
    if (!value) return fail(ErrorKind::NotFound, "no such body");
    return detail::decode_blob_row(*value);
}

Result<std::optional<std::string>> JournalStore::State::read_body(BlobId blob, std::uint64_t offset,
                                                                  std::size_t octets,
                                                                  journal::ReadFrom from) {
    for (int again = 0;; ++again) {
        MAILCORE_TRY(const auto row, find_blob(blob));
        if (offset >= row.place.size) return std::string();
        const auto file = journal->segment_file(row.place.segment);
        if (!file) {
            // It may have been moved since the row was read: then the row says where.
            if (file.error().kind == ErrorKind::NotFound && again == 0) continue;
            return fail(ErrorKind::Corrupt, file.error().detail);
        }
        auto read = journal::read_body(**file, row.place, journal->chunks(), offset, octets, from);
        if (!read && read.error().kind == ErrorKind::Corrupt)
            MAILCORE_LOG(log, Error, "store.body.damaged",
                         {{"blob", blob.value},
                          {"segment", row.place.segment},
                          {"offset", row.place.offset},
                          {"error", read.error().detail}});
        return read;
    }
}

Task<Result<std::string>> JournalStore::read_blob(BlobId blob, std::uint64_t offset,
                                                  std::size_t octets) {
    return detail::read_body_unblocked(state_, blob, offset, octets);
}

Task<Result<std::string>> JournalStore::read_new_blob(NewBlobRef blob, std::uint64_t offset,
                                                      std::size_t octets) {
    MAILCORE_ASSERT(octets <= detail::blob_read_octets_max);
    const auto body = std::static_pointer_cast<const detail::JournalBody>(std::move(blob));
    MAILCORE_ASSERT(body->maker == this);
    if (offset >= body->size()) co_return std::string();
    if (!body->place) {
        std::string whole;
        auto decoded = state_->journal->chunks().decode(body->chunk, whole);
        if (!decoded) co_return std::unexpected(std::move(decoded).error());
        co_return whole.substr(static_cast<std::size_t>(offset), octets);
    }
    auto read = [state = state_, body, offset, octets]() -> Result<std::string> {
        MAILCORE_TRY(const auto file, state->journal->segment_file(body->place->segment));
        MAILCORE_TRY(auto piece, journal::read_body(*file, *body->place, state->journal->chunks(),
                                                    offset, octets, journal::ReadFrom::Disk));
        return std::move(*piece);
    };
    auto from_disk = co_await base::offload(std::move(read));
    co_return std::move(from_disk);
}

std::unique_ptr<Subscription>
JournalStore::subscribe(Scheduler& scheduler, AccountId account,
                        std::move_only_function<void(const Change&)> told) {
    return state_->subscribers.add(scheduler, account, std::move(told));
}

StoreStatus JournalStore::status() const {
    const auto& s = *state_;
    StoreStatus status;
    const auto room = s.room_for(0);
    status.writable = room.has_value();
    if (!room) status.reason = room.error().detail;
    status.free_octets = s.files.free_octets(s.folder).value_or(0);
    status.journal_octets = s.journal->disk_octets();
    if (const auto usage = s.overlay->index()->usage()) status.index_octets = usage->file_octets;
    status.overlay_octets = s.overlay->octets();
    status.batches = s.committer->counts().batches;
    status.transactions = s.committer->counts().transactions;
    status.syncs = s.journal->syncs();
    {
        const std::scoped_lock guard(s.damages_mutex);
        status.damages = s.damages;
    }
    auto needed = s.live.total();
    if (s.journal->reserve_ready()) needed += s.options.journal.reserve_octets;
    if (const auto snapshots = s.journal->snapshots(); !snapshots.empty())
        needed += snapshots.back().octets;
    status.reclaimable_octets = status.journal_octets - std::min(status.journal_octets, needed);
    s.upkeep->describe(status);
    return status;
}

} // namespace mailcore::store
