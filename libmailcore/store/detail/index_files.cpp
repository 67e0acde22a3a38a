#include "libmailcore/store/detail/index_files.h"

#include "libmailcore/codec/bytes.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

namespace {

constexpr std::uint8_t applied_version = 1;
constexpr std::string_view index_begins = "index-", index_ends = ".mdb";

std::optional<std::uint64_t> number_of(std::string_view name) {
    if (!name.starts_with(index_begins) || !name.ends_with(index_ends)) return std::nullopt;
    name.remove_prefix(index_begins.size());
    name.remove_suffix(index_ends.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return number;
}

Result<std::optional<Applied>> read_applied(kv::Index& index) {
    MAILCORE_TRY(const auto reader, index.read());
    MAILCORE_TRY(const auto value, reader->get(applied_key));
    if (!value) return std::nullopt;
    MAILCORE_TRY(const auto applied, decode_applied(*value));
    return applied;
}

} // namespace

std::string encode(const Applied& applied) {
    std::string value;
    codec::Writer(value)
        .u8(applied_version)
        .u64le(applied.mark.position)
        .u64le(applied.mark.batch)
        .u32le(applied.mark.chain)
        .octets({reinterpret_cast<const char*>(applied.store.data()), applied.store.size()});
    return value;
}

Result<Applied> decode_applied(std::string_view value) {
    codec::Reader reader(value);
    if (reader.u8() != applied_version)
        return fail(ErrorKind::Corrupt, "the index has an unknown version");
    Applied applied;
    applied.mark.position = reader.u64le();
    applied.mark.batch = reader.u64le();
    applied.mark.chain = reader.u32le();
    const auto store = reader.octets(applied.store.size());
    std::ranges::copy(store, applied.store.begin());
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "the index's mark has a wrong length");
    return applied;
}

std::string IndexFiles::path(std::uint64_t number) const {
    return fmt::format("{}/{}{:08x}{}", folder_, index_begins, number, index_ends);
}

Result<IndexFile> IndexFiles::open_newest(const std::function<void(const std::string&)>& reported) {
    MAILCORE_TRY(const auto names, files_.list(folder_));
    std::vector<std::uint64_t> numbers;
    for (const auto& name : names)
        if (const auto number = number_of(name)) numbers.push_back(*number);
    std::ranges::sort(numbers, std::greater());
    if (!numbers.empty()) last_number_ = numbers.front();
    std::optional<IndexFile> chosen;
    for (const auto number : numbers) {
        if (!chosen) {
            auto opened = open_(path(number));
            if (opened) {
                auto applied = read_applied(**opened);
                if (applied && *applied) {
                    chosen.emplace();
                    chosen->number = number;
                    chosen->index = std::move(*opened);
                    chosen->applied = **applied;
                    continue;
                }
                // Without a mark it was being made when the process ended.
                if (!applied) reported("the index is damaged: " + applied.error().detail);
            } else if (opened.error().kind == ErrorKind::Corrupt) {
                reported("the index is damaged: " + opened.error().detail);
            } else {
                return std::unexpected(std::move(opened).error());
            }
        }
        MAILCORE_TRY(remove(number));
    }
    if (chosen) return std::move(*chosen);
    return make();
}

Result<IndexFile> IndexFiles::make() {
    IndexFile file;
    file.number = ++last_number_;
    MAILCORE_TRY(file.index, open_(path(file.number)));
    MAILCORE_TRY(files_.sync_folder(folder_));
    return file;
}

Result<void> IndexFiles::remove(std::uint64_t number) {
    for (const auto& name : {path(number), path(number) + "-lock"}) {
        auto removed = files_.remove(name);
        if (!removed && removed.error().kind != ErrorKind::NotFound) return removed;
    }
    return {};
}

Result<void> note_applied(kv::IndexWriter& writer, const Applied& applied) {
    return writer.put(applied_key, encode(applied));
}

Result<void> replay_record(const journal::FrameInfo& frame, const journal::Record& record,
                           kv::Table& table, kv::Version version, const RowChange& before) {
    const auto change = [&](std::string_view key,
                            std::optional<std::string_view> value) -> Result<void> {
        if (key.empty() || key.size() > kv::key_octets_max ||
            (value && value->size() > kv::value_octets_max))
            return fail(ErrorKind::Corrupt, "a row has an impossible size");
        if (before) {
            MAILCORE_TRY(before(key, value));
        }
        if (value)
            table.put(key, *value, version);
        else
            table.erase(key, version);
        return {};
    };
    switch (record.header.type) {
    case journal::RecordType::Changes: return journal::read_changes(record.content, change);
    case journal::RecordType::Body: {
        MAILCORE_TRY(const auto body, journal::decode_body_record(record.content));
        return change(blob_key(BlobId{body.blob}), encode(BlobRow{frame.place(body), body.digest}));
    }
    case journal::RecordType::End: return {};
    case journal::RecordType::Rows:
    case journal::RecordType::SnapshotEnd:
        return fail(ErrorKind::Corrupt, "a record of a snapshot in the log");
    }
    return {};
}

IndexFiller::IndexFiller(kv::Index& index, std::size_t table_octets_max)
    : index_(index), table_octets_max_(table_octets_max), table_(std::make_unique<kv::Table>()) {}

Result<void> IndexFiller::flush_if_full() {
    return table_->octets() > table_octets_max_ ? flush() : Result<void>{};
}

Result<void> IndexFiller::flush() {
    if (table_->empty()) return {};
    MAILCORE_TRY(kv::write_table(index_, *table_, {}, count_live,
                                 [](kv::IndexWriter&) -> Result<void> { return {}; }));
    table_ = std::make_unique<kv::Table>();
    return {};
}

Result<void> replay_into(const journal::Journal& journal, journal::Position from,
                         journal::Position to, kv::Index& index, std::size_t table_octets_max,
                         const std::function<bool(const journal::FrameInfo&)>& wanted,
                         const std::function<void(const std::string&)>& damaged) {
    IndexFiller filler(index, table_octets_max);
    journal::Replay calls;
    calls.record = [&](const journal::FrameInfo& frame,
                       const journal::Record& record) -> Result<void> {
        if (!wanted(frame)) return {};
        auto done = replay_record(frame, record, filler.table(), 1, {});
        if (done || done.error().kind != ErrorKind::Corrupt) return done;
        damaged(fmt::format("frame {}: {}", frame.batch, done.error().detail));
        return {};
    };
    calls.frame_end = [&](const journal::FrameInfo&) { return filler.flush_if_full(); };
    calls.damage = damaged;
    MAILCORE_TRY(journal.replay(from, to, calls, journal::Bodies::PassOver));
    return filler.flush();
}

} // namespace mailcore::store::detail
