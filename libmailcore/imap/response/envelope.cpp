#include "libmailcore/imap/response/writer.h"

namespace mailcore::imap {
namespace {

std::optional<std::string_view> present(std::string_view text) {
    if (text.empty()) return std::nullopt;
    return text;
}

// address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
// A NIL host means a group; a mailbox that lacks its domain therefore has an empty one.
void write_address(const mime::AddressView& address, ResponseWriter& out) {
    using Kind = mime::Address::Kind;
    switch (address.kind) {
    case Kind::GroupBegin: out.raw("(NIL NIL ").string(address.name).raw(" NIL)"); return;
    case Kind::GroupEnd: out.raw("(NIL NIL NIL NIL)"); return;
    case Kind::Mailbox: break;
    }
    out.raw("(").nstring(present(address.name)).raw(" ").nstring(present(address.route)).raw(" ");
    out.string(address.local).raw(" ").string(address.domain).raw(")");
}

// env-from = "(" 1*address ")" / nil
void write_addresses(std::span<const mime::AddressView> addresses, ResponseWriter& out) {
    if (addresses.empty()) {
        out.raw("NIL");
        return;
    }
    out.raw("(");
    for (const auto& address : addresses) write_address(address, out);
    out.raw(")");
}

} // namespace

// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
// env-cc SP
//            env-bcc SP env-in-reply-to SP env-message-id ")"
void write_envelope(const mime::Envelope& envelope, ResponseWriter& out) {
    out.raw("(").nstring(envelope.date).raw(" ").nstring(envelope.subject).raw(" ");
    auto& text = out.target();
    const auto from = text.size();
    write_addresses(envelope.from, out);
    const auto from_octets = text.size() - from;
    for (const auto addresses : {envelope.sender_or_from(), envelope.reply_to_or_from()}) {
        out.raw(" ");
        // Mostly they are the same, and so is what was written.
        if (addresses.data() == envelope.from.data())
            text.append(text, from, from_octets);
        else
            write_addresses(addresses, out);
    }
    for (const auto addresses : {envelope.to, envelope.cc, envelope.bcc}) {
        out.raw(" ");
        write_addresses(addresses, out);
    }
    out.raw(" ").nstring(envelope.in_reply_to).raw(" ").nstring(envelope.message_id).raw(")");
}

} // namespace mailcore::imap
