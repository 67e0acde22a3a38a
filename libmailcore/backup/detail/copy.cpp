#include "libmailcore/backup/detail/copy.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace mailcore::backup::detail {

namespace {

constexpr std::size_t piece_octets = std::size_t{1} << 20;

/// Gives the first `octets` octets of a file in pieces to `each`, with their offset.
template <class Each>
Result<Digest> read_pieces(base::FileSystem& files, const std::string& path, std::uint64_t octets,
                           const OnOctets& read, Each each) {
    MAILCORE_TRY(const auto file, files.open(path, OpenMode::Read));
    crypto::Blake2b256 hash;
    std::string piece;
    for (std::uint64_t at = 0; at < octets;) {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece_octets, octets - at)));
        MAILCORE_TRY(const auto got, file->read_at(at, piece));
        if (got < piece.size())
            return fail(ErrorKind::Corrupt, path + " is shorter than it must be");
        hash.update(piece);
        MAILCORE_TRY(each(at, std::string_view(piece)));
        at += piece.size();
        if (read) read(piece.size());
    }
    return hash.finish();
}

} // namespace

Result<Digest> digest_of(base::FileSystem& files, const std::string& path, std::uint64_t octets,
                         const OnOctets& read) {
    return read_pieces(files, path, octets, read,
                       [](std::uint64_t, std::string_view) -> Result<void> { return {}; });
}

Result<Digest> copy(base::FileSystem& files, const std::string& from, std::uint64_t octets,
                    const std::string& to, std::uint64_t kept, const OnOctets& read) {
    const auto partial = to + std::string(partial_ends);
    MAILCORE_TRY(const auto file, files.open(partial, OpenMode::Create));
    MAILCORE_TRY(file->truncate(0));
    MAILCORE_TRY(const auto digest,
                 read_pieces(files, from, octets, read,
                             [&](std::uint64_t at, std::string_view piece) -> Result<void> {
                                 if (at >= kept) return {};
                                 piece =
                                     piece.substr(0, static_cast<std::size_t>(std::min(
                                                         std::uint64_t{piece.size()}, kept - at)));
                                 return file->write_at(at, std::span(&piece, 1));
                             }));
    MAILCORE_TRY(file->sync_data());
    MAILCORE_TRY(files.rename(partial, to));
    return digest;
}

} // namespace mailcore::backup::detail
