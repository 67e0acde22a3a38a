#include "libmailcore/store/detail/blob_rows.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/bytes.h"

#include <algorithm>

namespace mailcore::store::detail {

namespace {

constexpr std::uint8_t blob_row_version = 1, blob_is_uniform = 1;
constexpr std::string_view live_prefix{"\0s", 2}, live_end{"\0t", 2};

std::string live_key(journal::SegmentNumber segment) {
    std::string key(live_prefix);
    codec::Writer(key).u64be(segment);
    return key;
}

Result<void> change_live(kv::IndexWriter& writer, std::string_view blob_value, bool more) {
    MAILCORE_TRY(const auto row, decode_blob_row(blob_value));
    const auto key = live_key(row.place.segment);
    MAILCORE_TRY(const auto before, writer.get(key));
    std::uint64_t octets = 0;
    if (before) {
        MAILCORE_TRY(octets, decode_number(*before));
    }
    octets = more ? octets + row.place.stored : octets - std::min(octets, row.place.stored);
    if (octets == 0) return writer.erase(key);
    return writer.put(key, encode_number(octets));
}

} // namespace

std::string encode(const BlobRow& row) {
    std::string value;
    codec::Writer(value)
        .u8(blob_row_version)
        .u8(row.place.uniform ? blob_is_uniform : 0)
        .varint(row.place.segment)
        .varint(row.place.offset)
        .varint(row.place.size)
        .varint(row.place.stored)
        .octets({reinterpret_cast<const char*>(row.digest.data()), row.digest.size()});
    return value;
}

Result<BlobRow> decode_blob_row(std::string_view value) {
    codec::Reader reader(value);
    if (reader.u8() != blob_row_version)
        return fail(ErrorKind::Corrupt, "a body's row has an unknown version");
    BlobRow row;
    row.place.uniform = (reader.u8() & blob_is_uniform) != 0;
    row.place.segment = reader.varint();
    row.place.offset = reader.varint();
    row.place.size = reader.varint();
    row.place.stored = reader.varint();
    const auto digest = reader.octets(row.digest.size());
    std::ranges::copy(digest, row.digest.begin());
    if (!reader.at_end()) return fail(ErrorKind::Corrupt, "a body's row has a wrong length");
    return row;
}

Result<void> LiveOctets::load(kv::Index& index) {
    MAILCORE_TRY(auto counted, counted_live(index));
    const std::scoped_lock lock(mutex_);
    octets_ = std::move(counted);
    return {};
}

void LiveOctets::add(const journal::BodyPlace& place) {
    const std::scoped_lock lock(mutex_);
    octets_[place.segment] += place.stored;
}

void LiveOctets::remove(const journal::BodyPlace& place) {
    const std::scoped_lock lock(mutex_);
    const auto found = octets_.find(place.segment);
    if (found == octets_.end()) return;
    found->second -= std::min(found->second, place.stored);
    if (found->second == 0) octets_.erase(found);
}

std::uint64_t LiveOctets::of(journal::SegmentNumber segment) const {
    const std::scoped_lock lock(mutex_);
    const auto found = octets_.find(segment);
    return found == octets_.end() ? 0 : found->second;
}

std::uint64_t LiveOctets::total() const {
    const std::scoped_lock lock(mutex_);
    std::uint64_t octets = 0;
    for (const auto& [segment, live] : octets_) octets += live;
    return octets;
}

void NamedSegments::note(journal::SegmentNumber segment, journal::Position at) {
    const std::scoped_lock lock(mutex_);
    auto& last = last_[segment];
    last = std::max(last, at);
}

Result<void> NamedSegments::note(const journal::FrameInfo& frame, const journal::Record& record) {
    if (record.header.type != journal::RecordType::Body) return {};
    MAILCORE_TRY(const auto body, journal::decode_body_record(record.content));
    if (body.place.segment != 0) note(body.place.segment, frame.begin);
    return {};
}

std::set<journal::SegmentNumber> NamedSegments::all() const {
    const std::scoped_lock lock(mutex_);
    std::set<journal::SegmentNumber> segments;
    for (const auto& [segment, at] : last_) segments.insert(segment);
    return segments;
}

void NamedSegments::forget_before(journal::Position position) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(last_, [position](const auto& each) { return each.second < position; });
}

void NamedSegments::forget(journal::SegmentNumber segment) {
    const std::scoped_lock lock(mutex_);
    last_.erase(segment);
}

Result<void> count_live(kv::IndexWriter& writer, std::string_view key,
                        std::optional<std::string_view> value) {
    if (!blob_of_key(key)) return {};
    MAILCORE_TRY(const auto before, writer.get(key));
    if (before) {
        MAILCORE_TRY(change_live(writer, *before, false));
    }
    if (value) {
        MAILCORE_TRY(change_live(writer, *value, true));
    }
    return {};
}

Result<std::map<journal::SegmentNumber, std::uint64_t>> counted_live(kv::Index& index) {
    std::map<journal::SegmentNumber, std::uint64_t> counted;
    MAILCORE_TRY(const auto reader, index.read());
    const auto cursor = reader->cursor();
    for (cursor->start({live_prefix, live_end}, kv::Order::Ascending); cursor->valid();
         cursor->next()) {
        MAILCORE_TRY(const auto octets, decode_number(*cursor->value()));
        counted[codec::Reader(cursor->key().substr(live_prefix.size())).u64be()] = octets;
    }
    if (cursor->fault()) return std::unexpected(*cursor->fault());
    return counted;
}

bool is_derived_key(std::string_view key) {
    return key.starts_with(live_prefix) || key == applied_key;
}

} // namespace mailcore::store::detail
