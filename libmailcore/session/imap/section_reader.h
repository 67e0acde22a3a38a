// The octets that a FETCH of BODY[...] or BINARY[...] means, read from the store as they are
// pulled.
#pragma once

#include "libmailcore/imap/section.h"
#include "libmailcore/mime/section.h"
#include "libmailcore/mime/text.h"
#include "libmailcore/store/email.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mailcore::session {

/// Octets of an email's header that are looked at for fields; what lies beyond is not found.
inline constexpr std::uint64_t header_octets_max = 4 * 1024 * 1024;

/// Where `section` lies in an email whose structure describes only what begins `structure_offset`
/// octets into it: the fields that delivery put above belong to the message's header.
[[nodiscard]] std::optional<mime::Range> locate_in(const store::Email& email,
                                                   const mime::Structure& structure,
                                                   const mime::Section& section);
/// `range` of an email in memory; at most `header_octets_max`. Short octets are an error.
Task<Result<std::string>> read_range(store::Store& store, const store::Email& email,
                                     mime::Range range);

/// A stretch of an email, its transfer encoding undone if it has one, front to back in pieces.
/// One scheduler's thread.
class SectionReader {
  public:
    SectionReader(store::Store& store, std::shared_ptr<const store::Email> email, mime::Range range,
                  mime::Encoding encoding);

    /// Octets of the whole value. Reads all of it where an encoding has to be undone.
    Task<Result<std::uint64_t>> measure();
    /// From now on only this part of the value, which has `octets` octets; answers how many that
    /// are.
    [[nodiscard]] std::uint64_t select(std::optional<imap::Partial> partial, std::uint64_t octets);
    /// 1 to `octets_max` octets more. Corrupt if there are none.
    Task<Result<std::string>> next(std::size_t octets_max);

  private:
    [[nodiscard]] bool is_encoded() const;
    Task<Result<std::string>> read_raw(std::size_t octets_max);
    Task<Result<void>> decode_more();

    std::shared_ptr<const store::Email> email_;
    store::PiecesReader pieces_; // of email_
    mime::Range range_;
    mime::Encoding encoding_;
    std::uint64_t read_ = 0; // of the range
    std::uint64_t skip_ = 0; // of what is decoded next
    std::string decoded_;    // and not yet taken
    mime::BodyDecoder decoder_;
};

} // namespace mailcore::session
