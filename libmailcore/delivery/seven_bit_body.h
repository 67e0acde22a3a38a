// The octets of a message for a host that takes 7 bits only.
#pragma once

#include "libmailcore/delivery/outcome.h"
#include "libmailcore/mime/seven_bit.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <expected>
#include <memory>
#include <string>

namespace mailcore::delivery {

/// A message on its way out, converted as it goes (RFC 6152 §3). It is read three times, so that
/// what cannot be converted is known, and the size, before MAIL. Memory: the message's structure
/// and a piece of it. Loop thread only.
class SevenBitBody {
  public:
    /// Failed: 5.6.2, 5.6.3 or 5.6.9 (RFC 3463 §3.7, RFC 6531 §4.2) where the message must not
    /// or cannot be converted; Deferred: it cannot be read. `message` must outlive the body.
    [[nodiscard]] static Task<std::expected<std::unique_ptr<SevenBitBody>, Outcome>>
    open(store::Store& store, const queue::Message& message);

    SevenBitBody(store::Store& store, const queue::Message& message, mime::SevenBitWriter writer)
        : message_(message), pieces_(store, message.pieces), writer_(std::move(writer)) {}

    /// Octets of the whole, converted.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// The next octets, at most `room` and at least one; none at the end.
    [[nodiscard]] Task<Result<std::string>> read(std::size_t room);

  private:
    Task<std::expected<void, Outcome>> measure();

    const queue::Message& message_; // the caller's
    store::PiecesReader pieces_;    // of message_
    mime::SevenBitWriter writer_;
    std::uint64_t size_ = 0;
    std::string converted_; // and not yet read, from `handed_` on
    std::size_t handed_ = 0;
    bool finished_ = false; // all is converted
};

} // namespace mailcore::delivery
