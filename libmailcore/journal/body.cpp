#include "libmailcore/journal/body.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/bytes.h"
#include "libmailcore/codec/crc32c.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <zstd.h>

namespace mailcore::journal {

namespace {

constexpr std::uint8_t encoding_none = 0, encoding_zstd = 1;
constexpr std::size_t encoding_at = 12;

struct ChunkHeader {
    std::uint32_t checksum = 0;
    std::uint32_t stored_octets = 0; // without the header
    std::uint32_t octets = 0;
    std::uint8_t encoding = encoding_none;
};

Result<ChunkHeader> decode_chunk_header(std::string_view stored) {
    codec::Reader reader(stored);
    ChunkHeader header;
    header.checksum = reader.u32le();
    header.stored_octets = reader.u32le();
    header.octets = reader.u32le();
    header.encoding = reader.u8();
    static_cast<void>(reader.octets(3));
    if (!reader.ok() || header.octets > chunk_octets || header.stored_octets > header.octets ||
        header.encoding > encoding_zstd)
        return fail(ErrorKind::Corrupt, "a chunk's header contradicts itself");
    return header;
}

/// Lines of 60 octets and more, all of base64's alphabet, in three samples of the text.
bool looks_like_base64(std::string_view octets) {
    constexpr std::size_t sample_octets = 1024, line_octets_min = 60;
    std::size_t encoded = 0, seen = 0;
    for (const std::size_t part : {octets.size() / 4, octets.size() / 2, octets.size() / 4 * 3}) {
        std::size_t run = 0;
        for (const char c : octets.substr(part, sample_octets)) {
            const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
            if (letter) {
                ++run;
            } else {
                if (run >= line_octets_min) encoded += run;
                run = 0;
            }
            ++seen;
        }
        if (run >= line_octets_min) encoded += run;
    }
    return encoded * 2 > seen;
}

} // namespace

struct ChunkCodec::Pool {
    static constexpr std::size_t resting_max = 8;
    std::mutex mutex;
    std::vector<ZSTD_CCtx*> compressors;
    std::vector<ZSTD_DCtx*> decompressors;

    ~Pool() {
        for (auto* context : compressors) ::ZSTD_freeCCtx(context);
        for (auto* context : decompressors) ::ZSTD_freeDCtx(context);
    }
    template <class Context>
    Context* take(std::vector<Context*>& resting, Context* (*make)()) {
        const std::scoped_lock lock(mutex);
        if (resting.empty()) return make();
        auto* context = resting.back();
        resting.pop_back();
        return context;
    }
    template <class Context>
    void give_back(std::vector<Context*>& resting, Context* context,
                   std::size_t (*release)(Context*)) {
        {
            const std::scoped_lock lock(mutex);
            if (resting.size() < resting_max) {
                resting.push_back(context);
                return;
            }
        }
        release(context);
    }
};

ChunkCodec::ChunkCodec(const CompressionOptions& options)
    : options_(options), pool_(std::make_unique<Pool>()) {}
ChunkCodec::~ChunkCodec() = default;

bool ChunkCodec::wants(std::uint64_t body_octets) const {
    return options_.level != 0 && body_octets >= options_.octets_min;
}

std::string ChunkCodec::encode(std::string_view octets, bool may_compress) const {
    MAILCORE_ASSERT(octets.size() <= chunk_octets);
    std::string chunk(chunk_header_octets, '\0');
    std::uint8_t encoding = encoding_none;
    if (may_compress && !looks_like_base64(octets)) {
        const auto worth_octets = octets.size() - octets.size() / 8;
        chunk.resize(chunk_header_octets + ::ZSTD_compressBound(octets.size()));
        auto* context = pool_->take(pool_->compressors, ::ZSTD_createCCtx);
        const auto packed = ::ZSTD_compressCCtx(context, chunk.data() + chunk_header_octets,
                                                chunk.size() - chunk_header_octets, octets.data(),
                                                octets.size(), options_.level);
        pool_->give_back(pool_->compressors, context, ::ZSTD_freeCCtx);
        if (::ZSTD_isError(packed) == 0 && packed <= worth_octets) {
            chunk.resize(chunk_header_octets + packed);
            chunk.shrink_to_fit();
            encoding = encoding_zstd;
        }
    }
    if (encoding == encoding_none) {
        chunk.resize(chunk_header_octets);
        chunk.reserve(chunk_header_octets + octets.size());
        chunk += octets;
    }
    std::string header;
    codec::Writer writer(header);
    writer.u32le(0)
        .u32le(static_cast<std::uint32_t>(chunk.size() - chunk_header_octets))
        .u32le(static_cast<std::uint32_t>(octets.size()))
        .u8(encoding);
    header.resize(chunk_header_octets);
    chunk.replace(0, chunk_header_octets, header);
    std::string checksum;
    codec::Writer(checksum).u32le(codec::crc32c(std::string_view(chunk).substr(4)));
    chunk.replace(0, 4, checksum);
    return chunk;
}

Result<std::size_t> ChunkCodec::decode(std::string_view stored, std::string& into) const {
    MAILCORE_TRY(const auto header, decode_chunk_header(stored));
    const auto stored_octets = chunk_header_octets + header.stored_octets;
    if (stored.size() < stored_octets) return fail(ErrorKind::Corrupt, "a chunk is cut short");
    stored = stored.substr(0, stored_octets);
    if (codec::crc32c(stored.substr(4)) != header.checksum)
        return fail(ErrorKind::Corrupt, "a chunk's checksum is wrong");
    const auto content = stored.substr(chunk_header_octets);
    if (header.encoding == encoding_none) {
        if (header.stored_octets != header.octets)
            return fail(ErrorKind::Corrupt, "a chunk's header contradicts itself");
        into += content;
        return stored_octets;
    }
    const auto at = into.size();
    into.resize(at + header.octets);
    auto* context = pool_->take(pool_->decompressors, ::ZSTD_createDCtx);
    const auto unpacked = ::ZSTD_decompressDCtx(context, into.data() + at, header.octets,
                                                content.data(), content.size());
    pool_->give_back(pool_->decompressors, context, ::ZSTD_freeDCtx);
    if (::ZSTD_isError(unpacked) != 0 || unpacked != header.octets)
        return fail(ErrorKind::Corrupt, "a chunk cannot be decompressed");
    return stored_octets;
}

bool is_compressed_chunk(std::string_view stored) {
    return stored.size() > encoding_at && stored[encoding_at] != encoding_none;
}

std::string encode_chunk_table(const std::vector<std::uint32_t>& stored_octets) {
    std::string table;
    codec::Writer writer(table);
    for (const auto octets : stored_octets) writer.u32le(octets);
    writer.u32le(codec::crc32c(table));
    return table;
}

Result<std::vector<std::uint32_t>> decode_chunk_table(std::string_view octets,
                                                      std::uint64_t body_octets) {
    const auto chunks = (body_octets + chunk_octets - 1) / chunk_octets;
    if (octets.size() != chunks * 4 + 4)
        return fail(ErrorKind::Corrupt, "a chunk table is cut short");
    codec::Reader reader(octets);
    std::vector<std::uint32_t> stored_octets(static_cast<std::size_t>(chunks));
    for (auto& stored : stored_octets) stored = reader.u32le();
    if (reader.u32le() != codec::crc32c(octets.substr(0, octets.size() - 4)))
        return fail(ErrorKind::Corrupt, "a chunk table's checksum is wrong");
    return stored_octets;
}

namespace {

/// Exactly `octets` octets, or nothing if they are not cached and only the cache may be asked.
Result<std::optional<std::string>> read_exactly(base::File& file, std::uint64_t offset,
                                                std::uint64_t octets, ReadFrom from) {
    std::string into;
    into.resize_and_overwrite(static_cast<std::size_t>(octets),
                              [octets](char*, std::size_t) { return octets; });
    std::size_t got = 0;
    if (from == ReadFrom::Cache) {
        MAILCORE_TRY(const auto cached, file.read_cached_at(offset, into));
        if (!cached) return std::nullopt;
        got = *cached;
    } else {
        MAILCORE_TRY(got, file.read_at(offset, into));
    }
    if (got < into.size()) return fail(ErrorKind::Corrupt, "a body's segment is cut short");
    return into;
}

} // namespace

Result<std::optional<std::string>> read_body(base::File& file, const BodyPlace& place,
                                             const ChunkCodec& codec, std::uint64_t offset,
                                             std::size_t octets, ReadFrom from) {
    if (offset >= place.size || octets == 0) return std::string();
    const auto last = std::min<std::uint64_t>(place.size - offset, octets) + offset - 1;
    const auto first_chunk = offset / chunk_octets, last_chunk = last / chunk_octets;
    const auto chunks = (place.size + chunk_octets - 1) / chunk_octets;
    // Decompressing more than a little is no work for a loop.
    if (from == ReadFrom::Cache && !place.uniform && last_chunk > first_chunk) return std::nullopt;

    std::uint64_t from_octet = 0, stored_octets = place.stored;
    if (place.uniform) {
        constexpr auto each = chunk_header_octets + chunk_octets;
        if (place.stored != place.size + chunks * chunk_header_octets)
            return fail(ErrorKind::Corrupt, "a body's place contradicts itself");
        from_octet = first_chunk * each;
        stored_octets = std::min<std::uint64_t>((last_chunk + 1) * each, place.stored) - from_octet;
    } else if (chunks > 1) {
        const auto table_octets = chunks * 4 + 4;
        if (place.stored < table_octets)
            return fail(ErrorKind::Corrupt, "a body's place contradicts itself");
        MAILCORE_TRY(const auto raw, read_exactly(file, place.offset + place.stored - table_octets,
                                                  table_octets, from));
        if (!raw) return std::nullopt;
        MAILCORE_TRY(const auto table, decode_chunk_table(*raw, place.size));
        stored_octets = 0;
        for (std::uint64_t i = 0; i <= last_chunk; ++i) {
            const auto each = table[static_cast<std::size_t>(i)];
            if (each > chunk_header_octets + chunk_octets)
                return fail(ErrorKind::Corrupt, "a chunk table contradicts itself");
            (i < first_chunk ? from_octet : stored_octets) += each;
        }
    } else if (place.stored > chunk_header_octets + chunk_octets) {
        return fail(ErrorKind::Corrupt, "a body's place contradicts itself");
    }
    MAILCORE_TRY(const auto stored,
                 read_exactly(file, place.offset + from_octet, stored_octets, from));
    if (!stored) return std::nullopt;

    std::string found;
    found.reserve(static_cast<std::size_t>(last - offset + 1));
    std::string part; // of what is wanted only in part
    std::string_view rest = *stored;
    for (auto chunk = first_chunk; chunk <= last_chunk; ++chunk) {
        const auto begin = chunk * chunk_octets;
        const auto size = chunk + 1 < chunks ? chunk_octets : place.size - begin;
        const auto from_here = offset > begin ? offset - begin : 0;
        const auto until = std::min<std::uint64_t>(size, last + 1 - begin);
        const bool all = from_here == 0 && until == size;
        auto& into = all ? found : part;
        part.clear();
        const auto before = into.size();
        MAILCORE_TRY(const auto taken, codec.decode(rest, into));
        if (into.size() - before != size)
            return fail(ErrorKind::Corrupt, "a chunk does not belong where it lies");
        if (!all)
            found.append(part, static_cast<std::size_t>(from_here),
                         static_cast<std::size_t>(until - from_here));
        rest.remove_prefix(taken);
    }
    return found;
}

} // namespace mailcore::journal
