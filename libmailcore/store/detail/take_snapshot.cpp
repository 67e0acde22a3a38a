#include "libmailcore/store/detail/take_snapshot.h"

#include "libmailcore/store/detail/blob_rows.h"
#include "libmailcore/store/detail/engine_rows.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

namespace {

constexpr std::size_t rows_a_batch = 4000, octets_a_batch = std::size_t{1} << 20;

struct RowBatch {
    std::vector<std::pair<std::string, std::string>> rows;
    std::size_t octets = 0;

    [[nodiscard]] bool full() const {
        return rows.size() >= rows_a_batch || octets >= octets_a_batch;
    }
};

Result<RowBatch> read_batch(const kv::View& view, std::string_view from) {
    RowBatch batch;
    MAILCORE_TRY(view.walk({from, {}}, kv::Order::Ascending, nullptr,
                           [&batch](std::string_view key, std::string_view value) {
                               batch.rows.emplace_back(key, value);
                               batch.octets += key.size() + value.size();
                               return !batch.full();
                           }));
    return batch;
}

/// What is published has at least what is in front of `mark`.
Result<kv::View> view_from(const kv::Overlay& overlay, const journal::Mark& mark) {
    while (true) {
        MAILCORE_TRY(auto view, overlay.read());
        // The log is a moment ahead of what is published.
        if (view.position() >= mark.position) return view;
    }
}

} // namespace

Result<journal::Snapshot>
take_snapshot(const SnapshotParts& parts,
              const std::function<std::set<journal::SegmentNumber>()>& named) {
    MAILCORE_TRY(const auto writer, parts.journal.new_snapshot());
    journal::SnapshotEnd end;
    end.began = parts.clock.wall_now();
    end.from = parts.mark();
    std::string from;
    for (bool more = true; more;) {
        RowBatch batch;
        {
            MAILCORE_TRY(const auto view, view_from(parts.overlay, end.from));
            MAILCORE_TRY(batch, read_batch(view, from));
        }
        more = batch.full();
        if (more) from = batch.rows.back().first + '\0';
        for (const auto& [key, value] : batch.rows) {
            if (is_derived_key(key)) continue;
            if (blob_of_key(key)) {
                MAILCORE_TRY(const auto row, decode_blob_row(value));
                if (row.place.stored > 0) end.bodies[row.place.segment] += row.place.stored;
            }
            MAILCORE_TRY(writer->put(key, value));
        }
        MAILCORE_TRY(parts.pace(batch.octets));
    }
    end.to = parts.mark();
    end.ended = parts.clock.wall_now();
    end.named = named();
    return parts.journal.finish_snapshot(*writer, std::move(end));
}

} // namespace mailcore::store::detail
