#include "libmailcore/kv/overlay.h"

#include "libmailcore/base/assert.h"

#include <limits>
#include <utility>

namespace mailcore::kv {

Overlay::Overlay(std::shared_ptr<Index> index)
    : index_(std::move(index)), active_(std::make_shared<Table>()) {}

Result<View> Overlay::read() const {
    while (true) {
        std::shared_ptr<Index> index;
        std::shared_ptr<const Table> active, frozen;
        Published published;
        std::uint64_t freezes = 0;
        {
            const std::scoped_lock lock(mutex_);
            index = index_;
            active = active_;
            frozen = frozen_;
            published = published_;
            freezes = freezes_;
        }
        MAILCORE_TRY(auto reader, index->read());
        {
            // A checkpoint that began in between may have written rows newer than `version` into
            // the index, which none of these tables hides. Freezing is rare: look again.
            const std::scoped_lock lock(mutex_);
            if (freezes_ != freezes) continue;
        }
        return View(std::move(active), std::move(frozen), std::move(reader), published.version,
                    published.position);
    }
}

Overlay::Published Overlay::published() const {
    const std::scoped_lock lock(mutex_);
    return published_;
}

Result<View> Overlay::read_unpublished() const {
    // Only the writer freezes, and it is here: no checkpoint can begin in between.
    const std::scoped_lock lock(mutex_);
    MAILCORE_TRY(auto reader, index_->read());
    return View(active_, frozen_, std::move(reader), std::numeric_limits<Version>::max());
}

void Overlay::publish(Version version, std::uint64_t position) {
    const std::scoped_lock lock(mutex_);
    MAILCORE_ASSERT(version >= published_.version && position >= published_.position);
    published_ = {version, position};
}

bool Overlay::freeze() {
    const std::scoped_lock lock(mutex_);
    if (frozen_ || active_->empty()) return false;
    frozen_ = std::exchange(active_, std::make_shared<Table>());
    frozen_position_ = published_.position;
    ++freezes_;
    return true;
}

bool Overlay::frozen() const {
    const std::scoped_lock lock(mutex_);
    return frozen_ != nullptr;
}

Result<void> Overlay::apply(const ApplyOptions& options, const Before& before,
                            const Finish& finish) {
    std::shared_ptr<const Table> table;
    std::shared_ptr<Index> index;
    std::uint64_t position = 0;
    {
        const std::scoped_lock lock(mutex_);
        MAILCORE_ASSERT(frozen_);
        table = frozen_;
        index = index_;
        position = frozen_position_;
    }
    MAILCORE_TRY(write_table(*index, *table, options, before,
                             [&](IndexWriter& writer) { return finish(writer, position); }));
    const std::scoped_lock lock(mutex_);
    frozen_.reset();
    return {};
}

void Overlay::replace_index(std::shared_ptr<Index> index, bool with_frozen) {
    const std::scoped_lock lock(mutex_);
    index_ = std::move(index);
    if (with_frozen) frozen_.reset();
}

std::shared_ptr<Index> Overlay::index() const {
    const std::scoped_lock lock(mutex_);
    return index_;
}

std::size_t Overlay::octets() const {
    const std::scoped_lock lock(mutex_);
    return active_->octets() + (frozen_ ? frozen_->octets() : 0);
}

std::size_t Overlay::active_octets() const {
    const std::scoped_lock lock(mutex_);
    return active_->octets();
}

Result<void> write_table(Index& index, const Table& table, const Overlay::ApplyOptions& options,
                         const Overlay::Before& before,
                         const std::function<Result<void>(IndexWriter&)>& finish) {
    TableCursor cursor(table, std::numeric_limits<Version>::max());
    cursor.start({}, Order::Ascending);
    do {
        MAILCORE_TRY(const auto writer, index.write());
        std::size_t rows = 0, octets = 0;
        for (;
             cursor.valid() && rows < options.rows_per_commit && octets < options.octets_per_commit;
             cursor.next()) {
            const auto key = cursor.key();
            const auto value = cursor.value();
            if (before) {
                MAILCORE_TRY(before(*writer, key, value));
            }
            if (value) {
                MAILCORE_TRY(writer->put(key, *value));
            } else {
                MAILCORE_TRY(writer->erase(key));
            }
            ++rows;
            octets += key.size() + (value ? value->size() : 0);
        }
        if (!cursor.valid()) {
            MAILCORE_TRY(finish(*writer));
        }
        MAILCORE_TRY(writer->commit());
    } while (cursor.valid());
    return {};
}

} // namespace mailcore::kv
