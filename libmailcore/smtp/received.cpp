#include "libmailcore/smtp/received.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/domain_name.h"

#include <algorithm>

namespace mailcore::smtp {

namespace {

/// A name of the client's choice where it is no Domain: what could end its place becomes '?'.
std::string harmless(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, codec::domain_octets_max))
        out += codec::is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' ||
                       c == ']'
                   ? c
                   : '?';
    return out;
}

// Extended-Domain: what it called itself, then what we saw.
std::string from_clause(const Reception& reception) {
    const bool tcp = reception.peer.transport == PeerInfo::Transport::Tcp;
    const auto literal = tcp ? codec::to_address_literal(reception.peer.address) : std::string();
    std::string info =
        codec::is_domain(reception.client_name) ? reception.client_name : std::string();
    if (!literal.empty()) {
        if (!info.empty()) info += ' ';
        info += literal;
    }
    std::string name = reception.client;
    if (!codec::is_domain(name) && !codec::parse_address_literal(name)) {
        const auto said = harmless(name);
        name = literal.empty() ? "localhost" : literal;
        if (!said.empty()) info += (info.empty() ? "helo=" : " helo=") + said;
    }
    return "from " + name + (info.empty() ? "" : " (" + info + ")");
}

} // namespace

std::string with_protocol(const Reception& reception) {
    const bool lmtp = reception.dialect == Dialect::Lmtp;
    if (!lmtp && !reception.extended) return "SMTP";
    // RFC 6531 §4.3 has UTF8SMTP in the place of ESMTP.
    std::string keyword =
        reception.smtp_utf8 ? (lmtp ? "UTF8LMTP" : "UTF8SMTP") : (lmtp ? "LMTP" : "ESMTP");
    if (reception.peer.tls) keyword += 'S';
    if (reception.authenticated) keyword += 'A';
    return keyword;
}

std::string received_field(const Reception& reception) {
    std::string field = "Received: " + from_clause(reception) + "\r\n\tby " + reception.by +
                        " with " + with_protocol(reception);
    const bool atom = !reception.id.empty() && std::ranges::all_of(reception.id, [](char c) {
        return codec::is_alnum(c) || c == '-';
    });
    if (atom) field += " id " + reception.id;
    if (reception.recipient && !reception.recipient->is_null()) {
        const auto path = to_string(*reception.recipient);
        // RFC 6531 §3.7.3: only what the message may hold.
        if (!path.empty() && (reception.smtp_utf8 || !reception.recipient->needs_utf8()))
            field += "\r\n\tfor " + path;
    }
    if (reception.peer.tls && !reception.peer.tls->cipher.empty()) {
        field += "\r\n\ttls " + reception.peer.tls->cipher;
        if (!reception.peer.tls->version.empty()) field += " (" + reception.peer.tls->version + ")";
    }
    field += ";\r\n\t" + reception.date + "\r\n";
    return field;
}

std::string return_path_field(const ReversePath& reverse_path) {
    const auto path = to_string(reverse_path);
    return "Return-Path: " + (path.empty() ? "<>" : path) + "\r\n";
}

} // namespace mailcore::smtp
