#include "libmailcore/filter/zip_archive.h"

#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <zlib.h>

namespace mailcore::filter {

namespace {

constexpr std::string_view end_mark = {"PK\x05\x06", 4};
constexpr std::string_view directory_mark = {"PK\x01\x02", 4};
constexpr std::string_view local_mark = {"PK\x03\x04", 4};
constexpr std::size_t end_octets = 22;
constexpr std::size_t directory_octets = 46;
constexpr std::size_t local_octets = 30;
constexpr std::size_t name_octets_max = 1024;

std::uint32_t u16(std::string_view octets, std::size_t at) {
    return static_cast<unsigned char>(octets[at]) |
           static_cast<std::uint32_t>(static_cast<unsigned char>(octets[at + 1])) << 8;
}
std::uint32_t u32(std::string_view octets, std::size_t at) {
    return u16(octets, at) | u16(octets, at + 2) << 16;
}

/// Where the end record stands: the last one within the longest comment from the end.
std::size_t find_end(std::string_view archive) {
    constexpr std::size_t comment_octets_max = 65535;
    const auto from = archive.size() - std::min(archive.size(), end_octets + comment_octets_max);
    const auto found = archive.substr(from).rfind(end_mark);
    if (found == std::string_view::npos || archive.size() - from - found < end_octets)
        return std::string_view::npos;
    return from + found;
}

/// Inflates until the end, `octets_max` or an error.
class Inflater {
  public:
    Inflater() { ready_ = ::inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
    Inflater(const Inflater&) = delete;
    ~Inflater() {
        if (ready_) ::inflateEnd(&stream_);
    }
    Result<std::string> run(std::string_view packed, std::size_t octets_max) {
        if (!ready_) return fail(ErrorKind::Unavailable, "no memory to inflate");
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
        stream_.avail_in = static_cast<uInt>(packed.size());
        std::string out;
        while (out.size() < octets_max) {
            char buffer[32 * 1024];
            stream_.next_out = reinterpret_cast<Bytef*>(buffer);
            stream_.avail_out = static_cast<uInt>(std::min(sizeof buffer, octets_max - out.size()));
            const auto room = stream_.avail_out;
            const auto status = ::inflate(&stream_, Z_NO_FLUSH);
            out.append(buffer, room - stream_.avail_out);
            if (status == Z_STREAM_END) return out;
            if (status != Z_OK || (stream_.avail_in == 0 && stream_.avail_out > 0))
                return fail(ErrorKind::Corrupt, "zip: damaged data");
        }
        return out;
    }

  private:
    z_stream stream_{};
    bool ready_ = false;
};

} // namespace

bool looks_like_zip(std::string_view octets) {
    return octets.starts_with(local_mark) || octets.starts_with(end_mark);
}

Result<std::vector<ZipEntry>> read_zip(std::string_view archive) {
    const auto end = find_end(archive);
    if (end == std::string_view::npos)
        return fail(ErrorKind::Corrupt, "zip: no end of central directory");
    const auto count = u16(archive, end + 10);
    const auto octets = u32(archive, end + 12);
    if (count > zip_entries_max) return fail(ErrorKind::LimitExceeded, "zip: too many entries");
    if (octets > end) return fail(ErrorKind::Corrupt, "zip: the directory is cut off");
    // Octets in front (a self-extracting stub) move everything: the directory ends where the end
    // record begins, whatever offset it claims.
    std::size_t at = end - octets;
    const auto claimed = u32(archive, end + 16);
    const std::size_t moved = at >= claimed ? at - claimed : 0;
    std::vector<ZipEntry> entries;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (at + directory_octets > end || archive.substr(at, 4) != directory_mark)
            return fail(ErrorKind::Corrupt, "zip: not a directory entry");
        const auto name_octets = u16(archive, at + 28);
        const auto behind =
            at + directory_octets + name_octets + u16(archive, at + 30) + u16(archive, at + 32);
        if (behind > end) return fail(ErrorKind::Corrupt, "zip: the directory is cut off");
        const auto flags = u16(archive, at + 8);
        const auto name = archive.substr(at + directory_octets,
                                         std::min<std::size_t>(name_octets, name_octets_max));
        ZipEntry entry;
        const bool utf8 = (flags & 0x800) != 0 || codec::is_utf8(name);
        entry.name = utf8 ? codec::sanitised_utf8(name) : codec::to_utf8(name, "cp437");
        entry.encrypted = (flags & 1) != 0;
        entry.method = static_cast<std::uint16_t>(u16(archive, at + 10));
        entry.packed_size = u32(archive, at + 20);
        entry.size = u32(archive, at + 24);
        const auto header = u32(archive, at + 42) + moved;
        if (header + local_octets > archive.size())
            return fail(ErrorKind::Corrupt, "zip: an entry lies outside");
        entry.header = static_cast<std::uint32_t>(header);
        entries.push_back(std::move(entry));
        at = behind;
    }
    return entries;
}

Result<std::string> unpack(std::string_view archive, const ZipEntry& entry,
                           std::size_t octets_max) {
    if (entry.encrypted) return fail(ErrorKind::Rejected, "zip: the entry is encrypted");
    const std::size_t header = entry.header;
    if (header + local_octets > archive.size() || archive.substr(header, 4) != local_mark)
        return fail(ErrorKind::Corrupt, "zip: no entry where the directory says");
    const auto begin =
        header + local_octets + u16(archive, header + 26) + u16(archive, header + 28);
    if (begin > archive.size() || archive.size() - begin < entry.packed_size)
        return fail(ErrorKind::Corrupt, "zip: an entry is cut off");
    const auto packed = archive.substr(begin, entry.packed_size);
    constexpr std::uint16_t stored = 0;
    constexpr std::uint16_t deflated = 8;
    if (entry.method == stored) return std::string(packed.substr(0, octets_max));
    if (entry.method != deflated)
        return fail(ErrorKind::Rejected, "zip: compression method is not supported");
    return Inflater{}.run(packed, octets_max);
}

} // namespace mailcore::filter
