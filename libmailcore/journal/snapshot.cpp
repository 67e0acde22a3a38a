#include "libmailcore/journal/snapshot.h"

#include "libmailcore/codec/bytes.h"
#include "libmailcore/journal/detail/scanner.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace mailcore::journal {

namespace {

constexpr std::size_t rows_octets_a_frame = std::size_t{1} << 20;

std::uint64_t microseconds(WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
WallTime wall_time_of(std::uint64_t microseconds) {
    return WallTime{std::chrono::microseconds{static_cast<std::int64_t>(microseconds)}};
}

void write_mark(codec::Writer& writer, const Mark& mark, WallTime time) {
    writer.u64le(mark.position).u64le(mark.batch).u32le(mark.chain).u64le(microseconds(time));
}
void read_mark(codec::Reader& reader, Mark& mark, WallTime& time) {
    mark.position = reader.u64le();
    mark.batch = reader.u64le();
    mark.chain = reader.u32le();
    time = wall_time_of(reader.u64le());
}

/// What the header and the last frame of a snapshot say; nothing: it is not finished, or damaged
/// there.
Result<std::optional<Snapshot>> look_into(base::File& file, const StoreId& store,
                                          SegmentNumber number) {
    std::string block(segment_header_octets, '\0');
    MAILCORE_TRY(const auto got, file.read_at(0, block));
    block.resize(got);
    const auto header = decode_segment_header(block);
    if (!header && header.error().kind == ErrorKind::Rejected)
        return std::unexpected(header.error());
    if (!header || header->kind != SegmentKind::Snapshot || header->store != store ||
        header->number != number || header->sealed == 0)
        return std::nullopt;
    MAILCORE_TRY(const auto octets, file.size());
    detail::Scanner scanner(file, store, number, 0, header->sealed, octets);
    MAILCORE_TRY(const auto last, scanner.next());
    if (!last || !last->intact || last->header->checksum != header->chain) return std::nullopt;
    std::optional<Snapshot> found;
    const auto visit = [&](const Record& record) -> Result<void> {
        if (record.header.type != RecordType::SnapshotEnd) return {};
        auto end = decode_snapshot_end(record.content);
        if (end) found = Snapshot{number, header->previous, octets, std::move(*end)};
        return {};
    };
    MAILCORE_TRY(read_records(last->records, visit, [](std::size_t, std::string_view) {}));
    return found;
}

} // namespace

std::string encode(const SnapshotEnd& end) {
    std::string content;
    codec::Writer writer(content);
    write_mark(writer, end.from, end.began);
    write_mark(writer, end.to, end.ended);
    writer.u64le(end.rows).varint(end.bodies.size());
    for (const auto& [segment, octets] : end.bodies) writer.varint(segment).varint(octets);
    writer.varint(end.named.size());
    for (const auto segment : end.named) writer.varint(segment);
    return content;
}

Result<SnapshotEnd> decode_snapshot_end(std::string_view content) {
    codec::Reader reader(content);
    SnapshotEnd end;
    read_mark(reader, end.from, end.began);
    read_mark(reader, end.to, end.ended);
    end.rows = reader.u64le();
    // What a lying count asks for ends with the octets that are there.
    for (auto left = reader.varint(); left > 0 && reader.ok(); --left) {
        const auto segment = reader.varint();
        end.bodies[segment] = reader.varint();
    }
    for (auto left = reader.varint(); left > 0 && reader.ok(); --left)
        end.named.insert(reader.varint());
    if (!reader.at_end() || end.from.position > end.to.position)
        return fail(ErrorKind::Corrupt, "the end of a snapshot cannot be read");
    return end;
}

// Writing

SnapshotWriter::SnapshotWriter(base::FileSystem& files, std::string folder,
                               const SegmentHeader& header)
    : files_(files), folder_(std::move(folder)),
      path_(folder_ + "/" + segment_name(SegmentKind::Snapshot, header.number, 0)), header_(header),
      now_(header.made) {}

SnapshotWriter::~SnapshotWriter() {
    if (finished_ || !file_) return;
    file_.reset();
    // If it stays it counts for nothing, and goes when the journal is opened next.
    static_cast<void>(files_.remove(path_));
}

Result<std::unique_ptr<SnapshotWriter>>
SnapshotWriter::create(base::FileSystem& files, const std::string& folder, const StoreId& store,
                       SegmentNumber number, SegmentNumber previous, WallTime now) {
    SegmentHeader header;
    header.kind = SegmentKind::Snapshot;
    header.store = store;
    header.number = number;
    header.previous = previous;
    header.made = now;
    std::unique_ptr<SnapshotWriter> writer(new SnapshotWriter(files, folder, header));
    MAILCORE_TRY(writer->file_, files.open(writer->path_, OpenMode::CreateNew));
    const auto block = encode(header);
    const std::string_view piece = block;
    MAILCORE_TRY(writer->file_->write_at(0, std::span(&piece, 1)));
    return writer;
}

Result<void> SnapshotWriter::put(std::string_view key, std::string_view value) {
    rows_.put(key, value);
    ++row_count_;
    if (rows_.content().size() < rows_octets_a_frame) return {};
    return write_frame(RecordType::Rows, std::exchange(rows_, {}).content());
}

Result<void> SnapshotWriter::write_frame(RecordType type, std::string_view content) {
    std::string records;
    append_record(records, type, 0, content);
    FrameHeader frame;
    frame.chain = header_.chain;
    frame.segment = header_.number;
    frame.position = at_;
    frame.durable = 0;
    frame.written = now_;
    frame.batch = ++batch_;
    frame.segments_used = header_.number;
    frame.records_octets = static_cast<std::uint32_t>(records.size());
    frame.records = 1;
    const auto encoded = encode(frame, header_.store, records);
    const std::string zeros(
        static_cast<std::size_t>(frame.octets()) - encoded.size() - records.size(), '\0');
    const std::array<std::string_view, 3> pieces{encoded, records, zeros};
    MAILCORE_TRY(file_->write_at(at_, pieces));
    header_.chain = frame.checksum;
    header_.sealed = at_;
    at_ += frame.octets();
    return {};
}

Result<Snapshot> SnapshotWriter::finish(SnapshotEnd end) {
    if (!rows_.empty()) {
        MAILCORE_TRY(write_frame(RecordType::Rows, std::exchange(rows_, {}).content()));
    }
    end.rows = row_count_;
    MAILCORE_TRY(write_frame(RecordType::SnapshotEnd, encode(end)));
    // The header must not say that all is there before it is.
    MAILCORE_TRY(file_->sync_data());
    const auto block = encode(header_);
    const std::string_view piece = block;
    MAILCORE_TRY(file_->write_at(0, std::span(&piece, 1)));
    MAILCORE_TRY(file_->sync_data());
    MAILCORE_TRY(files_.sync_folder(folder_));
    finished_ = true;
    return Snapshot{header_.number, header_.previous, at_, std::move(end)};
}

// Reading

Result<FoundSnapshots> find_snapshots(base::FileSystem& files, const std::string& folder,
                                      const StoreId& store) {
    FoundSnapshots found;
    MAILCORE_TRY(const auto names, files.list(folder));
    for (const auto& name : names) {
        const auto parsed = parse_segment_name(name);
        if (!parsed || parsed->kind != SegmentKind::Snapshot) continue;
        MAILCORE_TRY(const auto file, files.open(folder + "/" + name, OpenMode::Read));
        MAILCORE_TRY(auto snapshot, look_into(*file, store, parsed->number));
        if (snapshot)
            found.finished.push_back(std::move(*snapshot));
        else
            found.unfinished.push_back(name);
    }
    std::ranges::sort(found.finished, {}, &Snapshot::number);
    return found;
}

Result<bool> read_snapshot(base::FileSystem& files, const std::string& folder, const StoreId& store,
                           const Snapshot& snapshot, const VisitRow& visit,
                           const std::function<void(const std::string&)>& damaged) {
    const auto path = folder + "/" + segment_name(SegmentKind::Snapshot, snapshot.number, 0);
    auto opened = files.open(path, OpenMode::Read);
    if (!opened && opened.error().kind == ErrorKind::NotFound) {
        damaged(fmt::format("snapshot {} is missing", snapshot.number));
        return false;
    }
    MAILCORE_TRY(const auto file, std::move(opened));
    detail::Scanner scanner(*file, store, snapshot.number, 0, segment_header_octets,
                            snapshot.octets);
    bool whole = true;
    std::uint64_t rows = 0;
    const auto wrong = [&](const std::string& what) {
        whole = false;
        damaged(fmt::format("snapshot {}: {}", snapshot.number, what));
    };
    const auto visit_record = [&](const Record& record) -> Result<void> {
        if (record.header.type != RecordType::Rows) return {};
        std::optional<Error> refused; // by `visit`, not by what was read
        auto read = read_changes(record.content,
                                 [&](std::string_view key, std::optional<std::string_view> value) {
                                     ++rows;
                                     Result<void> done;
                                     if (value) done = visit(key, *value);
                                     if (!done) refused = done.error();
                                     return done;
                                 });
        if (refused) return std::unexpected(*refused);
        if (!read) wrong(read.error().detail);
        return {};
    };
    while (true) {
        MAILCORE_TRY(const auto stretch, scanner.next());
        if (!stretch) break;
        if (!stretch->intact) {
            wrong(fmt::format("a damaged frame at {}", stretch->offset));
            if (!stretch->header) continue;
        }
        MAILCORE_TRY(read_records(
            stretch->records, visit_record, [&](std::size_t at, std::string_view what) {
                wrong(fmt::format("record {} of the frame at {}: {}", at, stretch->offset, what));
            }));
    }
    if (whole && rows != snapshot.end.rows)
        wrong(fmt::format("{} rows of {}", rows, snapshot.end.rows));
    return whole;
}

} // namespace mailcore::journal
