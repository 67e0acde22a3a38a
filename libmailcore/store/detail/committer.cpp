#include "libmailcore/store/detail/committer.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/store/detail/engine_rows.h"

#include <exception>
#include <utility>

namespace mailcore::store::detail {

void Committer::commit(std::vector<Submission> submissions) {
    full_ = !parts_.has_room();
    std::span<Submission> rest = submissions;
    while (!rest.empty()) rest = rest.subspan(commit_some(rest, journal::Space::Normal));
}

/// Handles the first few submissions and returns how many.
std::size_t Committer::commit_some(std::span<Submission> submissions, journal::Space space) {
    Batch batch;
    batch.version = parts_.overlay.published().version + 1;
    std::size_t taken = 0;
    std::optional<Error> error;
    std::optional<journal::Frame> frame;
    if (auto failure = parts_.journal.failure(); !failure.empty()) {
        error = Error{ErrorKind::Unavailable, std::move(failure)};
        for (auto& submission : submissions) batch.failed.emplace_back(&submission, *error);
        answer(batch, error);
        return submissions.size();
    }
    {
        // The view pins pages of the index: not across the sync.
        const auto view = parts_.overlay.read_unpublished();
        for (auto& submission : submissions) {
            if (batch.octets > parts_.batch_octets_max) break;
            ++taken;
            if (!view)
                batch.failed.emplace_back(&submission, view.error());
            else
                run(submission, *view, batch);
        }
        auto made = frame_of(batch);
        if (made)
            frame = std::move(*made);
        else
            error = made.error();
    }
    if (!error && !frame->empty()) {
        const auto records_octets = frame->content().size();
        const auto appended = parts_.journal.append(std::move(*frame), space);
        if (appended) {
            counts_.records_octets += records_octets;
            publish(batch, *appended);
        } else if (appended.error().kind == ErrorKind::LimitExceeded &&
                   space == journal::Space::Normal) {
            // The disk is full: what makes room is run again and may use the reserve.
            take_back(batch);
            full_ = true;
            Batch refused;
            for (auto& submission : submissions.first(taken)) {
                if (submission.urgency == Urgency::Reclaim)
                    commit_some({&submission, 1}, journal::Space::Reserve);
                else
                    refused.failed.emplace_back(&submission, appended.error());
            }
            answer(refused, std::nullopt);
            return taken;
        } else {
            error = appended.error();
        }
    } else if (!error) {
        // Nothing to make durable; rows that were put and erased again are gone with the next
        // version.
        take_back(batch);
    }
    if (error) take_back(batch);
    answer(batch, error);
    return taken;
}

void Committer::run(Submission& submission, const kv::View& view, Batch& batch) {
    if (full_ && submission.urgency == Urgency::Normal) {
        batch.failed.emplace_back(&submission,
                                  Error{ErrorKind::LimitExceeded, "the disk is (nearly) full"});
        return;
    }
    auto writer = std::make_unique<RowWriter>(view, parts_.clock.wall_now(), ids_, parts_.store);
    auto done = [&]() -> Result<void> {
        try {
            auto task = submission.work(*writer);
            MAILCORE_TRY(task.run());
        } catch (const std::exception& thrown) {
            // It must not take the writer's thread with it.
            return fail(ErrorKind::Unavailable,
                        std::string("a transaction threw: ") + thrown.what());
        }
        MAILCORE_TRY(writer->close());
        return apply(submission, std::move(writer), view, batch);
    }();
    if (!done) batch.failed.emplace_back(&submission, std::move(done).error());
}

/// Shows the changes to the transactions that follow.
Result<void> Committer::apply(Submission& submission, std::unique_ptr<RowWriter> writer,
                              const kv::View& view, Batch& batch) {
    // What can fail comes before anything is changed.
    std::vector<journal::BodyPlace> released;
    for (const auto& [key, value] : writer->changes()) {
        const auto blob = value ? std::nullopt : blob_of_key(key);
        if (!blob || batch.bodies.contains(*blob)) continue;
        MAILCORE_TRY(const auto row, view.get(key));
        if (!row) continue;
        MAILCORE_TRY(const auto place, decode_blob_row(*row));
        released.push_back(place.place);
    }
    auto& table = parts_.overlay.active();
    const auto index = batch.done.size();
    for (const auto& [key, value] : writer->changes()) {
        if (value)
            table.put(key, *value, batch.version);
        else
            table.erase(key, batch.version);
        batch.octets += key.size() + (value ? value->size() : 0);
        const auto [last, fresh] = batch.last.try_emplace(key, Batch::Last{index, false});
        if (!fresh) {
            // This change set's key takes the place of the other's, which views the same octets.
            last->second.put_before = true;
            last->second.by = index;
        }
        if (!value)
            if (const auto blob = blob_of_key(key)) batch.bodies.erase(*blob);
    }
    for (const auto& [id, body] : writer->bodies()) {
        batch.renamed.emplace_back(body.get(), body->named);
        body->named = id;
        auto own = std::static_pointer_cast<const JournalBody>(body);
        batch.octets += own->chunk.size();
        batch.bodies.emplace(id, std::move(own));
    }
    batch.released.insert(batch.released.end(), released.begin(), released.end());
    batch.done.push_back({&submission, std::move(writer)});
    return {};
}

/// A record for each body that is still needed at the end of the batch, and one for each
/// transaction, with the rows that nobody after it changed again.
Result<journal::Frame> Committer::frame_of(const Batch& batch) {
    journal::Frame frame;
    for (const auto& [id, body] : batch.bodies) {
        const auto record = record_of(id, *body);
        if (body->place)
            frame.add_body(record);
        else
            frame.add_body(record, body->chunk);
    }
    std::optional<kv::View> published;
    for (std::size_t i = 0; i < batch.done.size(); ++i) {
        journal::ChangesWriter changes;
        for (const auto& [key, value] : batch.done[i].writer->changes()) {
            const auto& last = batch.last.at(key);
            if (last.by != i) continue;
            if (value && blob_of_key(key)) continue; // follows from the body's record
            if (!value && last.put_before) {
                // Put and erased within the batch: if it was not there before, it never was.
                if (!published) {
                    MAILCORE_TRY(published, parts_.overlay.read());
                }
                MAILCORE_TRY(const auto before, published->get(key));
                if (!before) continue;
            }
            if (value)
                changes.put(key, *value);
            else
                changes.erase(key);
        }
        if (changes.empty()) continue;
        const auto& announced = batch.done[i].writer->announcements();
        frame.add(journal::RecordType::Changes,
                  announced.empty() ? 0 : announced.front().account.value, changes.content());
    }
    return frame;
}

void Committer::take_back(const Batch& batch) {
    for (const auto& [key, last] : batch.last) parts_.overlay.active().discard(key, batch.version);
    for (auto each = batch.renamed.rbegin(); each != batch.renamed.rend(); ++each)
        each->first->named = each->second;
}

void Committer::publish(Batch& batch, const journal::FrameInfo& frame) {
    // In the order in which the frame got them.
    std::uint64_t offset = 0;
    for (const auto& [id, body] : batch.bodies) {
        auto record = record_of(id, *body);
        if (!body->place) {
            record.place.offset = offset;
            record.place.stored = body->chunk.size();
            offset += body->chunk.size();
        }
        const BlobRow row{frame.place(record), record.digest};
        parts_.overlay.active().put(blob_key(id), encode(row), batch.version);
        parts_.live.add(row.place);
        if (row.place.segment != frame.segment) parts_.named.note(row.place.segment, frame.begin);
    }
    for (const auto& place : batch.released) parts_.live.remove(place);
    publish(batch.version, frame);
    ++counts_.batches;
}

void Committer::publish(kv::Version version, const journal::FrameInfo& frame) {
    {
        const std::scoped_lock lock(mark_mutex_);
        mark_ = frame.mark();
    }
    parts_.overlay.publish(version, frame.end);
}

// The engine's own changes

Result<journal::FrameInfo> Committer::append(const journal::Frame& frame) {
    auto appended = parts_.journal.append(frame, journal::Space::Normal);
    if (!appended && appended.error().kind == ErrorKind::LimitExceeded)
        appended = parts_.journal.append(frame, journal::Space::Reserve);
    return appended;
}

Result<std::size_t> Committer::relocate(std::span<const Relocation> moves) {
    journal::Frame frame;
    struct Moved {
        const Relocation* move;
        std::string row;
    };
    std::vector<Moved> moved;
    {
        MAILCORE_TRY(const auto view, parts_.overlay.read_unpublished());
        for (const auto& each : moves) {
            MAILCORE_TRY(const auto value, view.get(blob_key(each.blob)));
            if (!value) continue;
            MAILCORE_TRY(auto row, decode_blob_row(*value));
            if (row.place != each.from) continue;
            row.place = each.to;
            journal::BodyRecord record;
            record.blob = each.blob.value;
            record.digest = row.digest;
            record.place = row.place;
            frame.add_body(record);
            moved.push_back({&each, encode(row)});
        }
    }
    if (frame.empty()) return 0;
    MAILCORE_TRY(const auto appended, append(frame));
    const auto version = parts_.overlay.published().version + 1;
    for (const auto& each : moved) {
        parts_.overlay.active().put(blob_key(each.move->blob), each.row, version);
        parts_.live.add(each.move->to);
        parts_.live.remove(each.move->from);
        parts_.named.note(each.move->to.segment, appended.begin);
    }
    publish(version, appended);
    return moved.size();
}

Result<void> Committer::put_row(std::string key, const std::string& value) {
    journal::ChangesWriter changes;
    changes.put(key, value);
    journal::Frame frame;
    frame.add(journal::RecordType::Changes, 0, changes.content());
    MAILCORE_TRY(const auto appended, append(frame));
    const auto version = parts_.overlay.published().version + 1;
    parts_.overlay.active().put(key, value, version);
    publish(version, appended);
    return {};
}

Result<void> Committer::write_nothing() {
    journal::Frame frame;
    frame.add(journal::RecordType::Changes, 0, {});
    MAILCORE_TRY(const auto appended, append(frame));
    publish(parts_.overlay.published().version + 1, appended);
    return {};
}

/// Tells the subscribers and answers the callers, in commit order. What a function captured is let
/// go first, so that the caller's thread is the last to have it.
void Committer::answer(Batch& batch, const std::optional<Error>& error) {
    for (auto& [submission, writer] : batch.done) {
        submission->work = nullptr;
        Result<void> result;
        if (error) {
            result = std::unexpected(*error);
        } else {
            parts_.subscribers.tell(writer->announcements(), outbox_);
            ++counts_.transactions;
        }
        outbox_.add(*submission->scheduler,
                    [completer = submission->completer, result = std::move(result)]() mutable {
                        completer.complete_here(std::move(result));
                    });
    }
    for (auto& [submission, reason] : batch.failed) {
        submission->work = nullptr;
        outbox_.add(*submission->scheduler,
                    [completer = submission->completer, reason = std::move(reason)]() mutable {
                        completer.complete_here(std::unexpected(std::move(reason)));
                    });
    }
    outbox_.send();
}

} // namespace mailcore::store::detail
