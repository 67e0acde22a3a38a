#include "libmailcore/delivery/octets.h"

#include <algorithm>

namespace mailcore::delivery {

Task<Result<std::string>> read_octets(store::Store& store, const queue::Message& message,
                                      std::uint64_t offset, std::size_t octets) {
    std::string out;
    for (const auto& piece : message.pieces) {
        if (offset >= piece.length) {
            offset -= piece.length;
            continue;
        }
        const auto wanted = static_cast<std::size_t>(
            std::min<std::uint64_t>(octets - out.size(), piece.length - offset));
        if (piece.blob.value == 0) {
            out += std::string_view(piece.octets).substr(static_cast<std::size_t>(offset), wanted);
        } else {
            MAILCORE_CO_TRY(const auto got,
                            store.read_blob(piece.blob, piece.offset + offset, wanted));
            out += got;
        }
        offset = 0;
        if (out.size() >= octets) break;
    }
    co_return out;
}

} // namespace mailcore::delivery
