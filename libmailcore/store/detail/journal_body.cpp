#include "libmailcore/store/detail/journal_body.h"

#include <algorithm>
#include <utility>

namespace mailcore::store::detail {

namespace {

/// Both live until the pool is done with them, even if the task that waits is gone. The stream goes
/// first: it gives its segment back to the journal.
struct Streaming {
    std::shared_ptr<journal::Journal> journal;
    std::shared_ptr<journal::BodyStream> stream;
};

Result<Streaming> write_piece(std::shared_ptr<journal::Journal> journal,
                              std::shared_ptr<journal::BodyStream> stream,
                              const std::string& octets) {
    Streaming streaming{std::move(journal), std::move(stream)};
    if (!streaming.stream) {
        MAILCORE_TRY(streaming.stream, streaming.journal->stream_body());
    }
    MAILCORE_TRY(streaming.stream->write(octets));
    return streaming;
}

} // namespace

JournalBody::JournalBody(const Store& store, std::uint64_t octets,
                         std::array<unsigned char, 32> digest) {
    maker = &store;
    size_ = octets;
    digest_ = digest;
}

journal::BodyRecord record_of(BlobId id, const JournalBody& body) {
    journal::BodyRecord record;
    record.blob = id.value;
    record.digest = body.digest();
    if (body.place) {
        record.place = *body.place;
    } else {
        record.place.size = body.size();
        record.place.uniform = body.uniform;
    }
    return record;
}

Result<bool> is_whole(const journal::Journal& journal, const BlobRow& row) {
    crypto::Blake2b256 hash;
    if (row.place.size > 0) {
        MAILCORE_TRY(const auto file, journal.segment_file(row.place.segment));
        for (std::uint64_t at = 0; at < row.place.size; at += journal::chunk_octets) {
            MAILCORE_TRY(const auto octets,
                         journal::read_body(*file, row.place, journal.chunks(), at,
                                            journal::chunk_octets, journal::ReadFrom::Disk));
            hash.update(*octets);
        }
    }
    return hash.finish() == row.digest;
}

JournalBlobWriter::JournalBlobWriter(const Store& store, std::shared_ptr<journal::Journal> journal,
                                     Room room, std::uint64_t size_hint)
    : store_(store), journal_(std::move(journal)), room_(std::move(room)) {
    buffer_.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(size_hint, journal::chunk_octets)));
}

Task<Result<void>> JournalBlobWriter::append(std::string_view octets) {
    if (failed_) co_return std::unexpected(*failed_);
    hash_.update(octets);
    size_ += octets.size();
    while (!octets.empty()) {
        // A full chunk goes out when more comes, so that the last one is never empty.
        if (buffer_.size() == journal::chunk_octets) {
            MAILCORE_CO_TRY(write_out());
        }
        const auto taken = octets.substr(0, journal::chunk_octets - buffer_.size());
        buffer_ += taken;
        octets.remove_prefix(taken.size());
    }
    co_return Result<void>{};
}

Task<Result<void>> JournalBlobWriter::write_out() {
    if (auto room = room_(journal::chunk_octets); !room) {
        failed_ = room.error();
        co_return std::unexpected(*failed_);
    }
    auto piece = [journal = journal_, stream = std::move(stream_),
                  octets = std::exchange(buffer_, {})]() mutable {
        return write_piece(std::move(journal), std::move(stream), octets);
    };
    auto written = co_await base::offload(std::move(piece));
    if (!written) {
        failed_ = written.error();
        co_return std::unexpected(*failed_);
    }
    stream_ = std::move(written->stream);
    co_return Result<void>{};
}

Task<Result<NewBlobRef>> JournalBlobWriter::finish() {
    if (failed_) co_return std::unexpected(*failed_);
    const auto digest = hash_.finish();
    auto body = std::make_shared<JournalBody>(store_, size_, digest);
    if (size_ <= journal::framed_body_octets_max) {
        if (size_ > 0) {
            const auto& codec = journal_->chunks();
            body->chunk = codec.encode(buffer_, codec.wants(size_));
            body->uniform = !journal::is_compressed_chunk(body->chunk);
        }
        buffer_ = {};
        NewBlobRef blob = std::move(body);
        co_return blob;
    }
    if (!buffer_.empty()) {
        MAILCORE_CO_TRY(write_out());
    }
    auto end = [journal = journal_, stream = std::move(stream_)]() mutable {
        Streaming streaming{std::move(journal), std::move(stream)};
        struct Finished {
            Result<journal::BodyPlace> place;
            journal::SegmentHold hold;
        };
        auto place = streaming.stream->finish();
        return Finished{std::move(place), streaming.stream->hold()};
    };
    auto finished = co_await base::offload(std::move(end));
    if (!finished.place) co_return std::unexpected(std::move(finished.place).error());
    body->place = *finished.place;
    body->hold = std::move(finished.hold);
    NewBlobRef blob = std::move(body);
    co_return blob;
}

} // namespace mailcore::store::detail
