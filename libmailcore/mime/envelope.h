// What IMAP calls ENVELOPE (RFC 9051 §7.5.2): the fields of a header by which a message list is
// drawn.
#pragma once

#include "libmailcore/mime/address.h"

#include <optional>
#include <span>
#include <string_view>

namespace mailcore::mime {

/// An Address as views.
struct AddressView {
    Address::Kind kind = Address::Kind::Mailbox;
    std::string_view name;
    std::string_view route;
    std::string_view local;
    std::string_view domain;

    friend bool operator==(const AddressView&, const AddressView&) = default;
};

/// Texts are the field's value unfolded, encoded words and raw 8-bit octets as they were. Absent:
/// the header has no such field. Views into the Structure that it belongs to.
struct Envelope {
    std::optional<std::string_view> date;
    std::optional<std::string_view> subject;
    std::span<const AddressView> from;
    std::span<const AddressView> sender;   ///< as in the header; see `sender_or_from`
    std::span<const AddressView> reply_to; ///< as in the header; see `reply_to_or_from`
    std::span<const AddressView> to;
    std::span<const AddressView> cc;
    std::span<const AddressView> bcc;
    std::optional<std::string_view> in_reply_to;
    std::optional<std::string_view> message_id;

    /// What ENVELOPE shows (RFC 9051 §7.5.2: both default to From).
    [[nodiscard]] std::span<const AddressView> sender_or_from() const {
        return sender.empty() ? from : sender;
    }
    [[nodiscard]] std::span<const AddressView> reply_to_or_from() const {
        return reply_to.empty() ? from : reply_to;
    }
};

} // namespace mailcore::mime
