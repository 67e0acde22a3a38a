// Bodies in the journal: chunks with a checksum and a compression of their own, read back in any
// part.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/base/result.h"
#include "libmailcore/journal/format.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::journal {

inline constexpr std::size_t chunk_octets =
    std::size_t{256} * 1024; // of the body, but for its last
inline constexpr std::size_t chunk_header_octets = 16;
/// Bodies up to this size lie in the frame that names them.
inline constexpr std::size_t framed_body_octets_max = std::size_t{128} * 1024;

struct CompressionOptions {
    /// zstd's level; 0: nothing is compressed. 1 takes 0.2 ms a 100 KiB of text and halves it at
    /// least.
    int level = 1;
    /// Smaller bodies are left as they are: a frame begins on 4 KiB anyway.
    std::size_t octets_min = std::size_t{16} * 1024;
};

/// Makes and reads chunks. Keeps a few compressors at rest. Any thread.
class ChunkCodec {
  public:
    explicit ChunkCodec(const CompressionOptions& options);
    ~ChunkCodec();
    ChunkCodec(const ChunkCodec&) = delete;
    ChunkCodec& operator=(const ChunkCodec&) = delete;

    /// A chunk of at most `chunk_octets` octets, header and all. It is compressed if that saves an
    /// eighth and it is not base64, which is better compressed later, decoded.
    [[nodiscard]] std::string encode(std::string_view octets, bool may_compress) const;
    /// Whether a body of this size is worth compressing.
    [[nodiscard]] bool wants(std::uint64_t body_octets) const;
    /// Appends to `into` the octets of the chunk at the beginning of `stored`; answers how many of
    /// `stored` it takes. Corrupt: its checksum is wrong or it contradicts itself.
    [[nodiscard]] Result<std::size_t> decode(std::string_view stored, std::string& into) const;

  private:
    struct Pool;
    CompressionOptions options_;
    std::unique_ptr<Pool> pool_;
};

/// Whether a chunk was compressed, from its header.
[[nodiscard]] bool is_compressed_chunk(std::string_view stored);
/// The table behind the chunks of a body that is not uniform: the octets that each takes.
[[nodiscard]] std::string encode_chunk_table(const std::vector<std::uint32_t>& stored_octets);
[[nodiscard]] Result<std::vector<std::uint32_t>> decode_chunk_table(std::string_view octets,
                                                                    std::uint64_t body_octets);

/// Which reads a caller is ready for.
enum class ReadFrom : std::uint8_t { Cache, Disk };

/// Octets `offset` to `offset` + `octets` of the body at `place`, fewer only at its end. With
/// Cache: nothing if it needs the disk, or work that is too long for a loop. Corrupt: what is there
/// is damaged.
[[nodiscard]] Result<std::optional<std::string>> read_body(base::File& file, const BodyPlace& place,
                                                           const ChunkCodec& codec,
                                                           std::uint64_t offset, std::size_t octets,
                                                           ReadFrom from);

} // namespace mailcore::journal
