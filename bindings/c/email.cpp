// Octets of emails in and out of a store: what JSON would have to carry as base64 and in pieces.
#include "bindings/c/boundary.h"
#include "bindings/c/server.h"

#include "libmailcore/admin/operations.h"
#include "libmailcore/codec/base64.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace mailcore;

namespace {

using Json = nlohmann::json;

/// Of one request; in base64 a third more.
constexpr std::size_t piece_octets = admin::request_octets_max / 2;

Result<Json> call(mailcore_server& server, const char* method, const Json& request) {
    MAILCORE_TRY(
        const auto text,
        server.server->call(method, request.dump(-1, ' ', false, Json::error_handler_t::replace)));
    return Json::parse(text, nullptr, false);
}

/// The kind of a failure that an answer tells by its name.
ErrorKind kind_of(std::string_view name) {
    using enum ErrorKind;
    for (const auto kind : {Rejected, Unavailable, NotFound, Conflict, LimitExceeded})
        if (to_string(kind) == name) return kind;
    return Corrupt;
}

struct Piece {
    std::string octets;
    bool last = false;
};
Result<Piece> read(mailcore_server& server, const char* address, const char* mailbox,
                   std::uint32_t uid, std::uint64_t offset) {
    const Json request{{"address", address},
                       {"mailbox", mailbox},
                       {"uids", Json::array({uid})},
                       {"offset", offset}};
    MAILCORE_TRY(const auto answer, call(server, "email.read", request));
    const auto& emails = answer.value("emails", Json::array());
    if (emails.empty()) return fail(ErrorKind::NotFound, "there is no such email");
    const auto& email = emails.front();
    if (email.contains("error"))
        return fail(kind_of(email.value("kind", "")), email.value("error", ""));
    auto octets = codec::base64_decode(email.value("octets", ""));
    if (!octets) return fail(ErrorKind::Corrupt, "an answer whose octets are no base64");
    return Piece{std::move(*octets), email.value("last", true)};
}

/// The email's entry of an email.add request: its octets, or what they were uploaded as.
Result<void> hand_in(mailcore_server& server, std::string_view octets, Json& email) {
    if (octets.size() <= piece_octets) {
        email["octets"] = codec::base64_encode(octets);
        return {};
    }
    for (std::size_t at = 0; at < octets.size(); at += piece_octets) {
        Json request{{"octets", codec::base64_encode(octets.substr(at, piece_octets))}};
        if (email.contains("upload")) request["upload"] = email["upload"];
        MAILCORE_TRY(const auto answer, call(server, "email.upload", request));
        email["upload"] = answer.value("upload", std::uint64_t{0});
    }
    return {};
}

} // namespace

extern "C" {

mailcore_status mailcore_email_read(mailcore_server* server, const char* address,
                                    const char* mailbox, uint32_t uid, uint64_t offset,
                                    char** octets, size_t* octets_length, int32_t* last,
                                    char** why) noexcept {
    if (octets) *octets = nullptr;
    if (octets_length) *octets_length = 0;
    if (last) *last = 0;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(address, "address"));
        MAILCORE_TRY(c::needed(mailbox, "mailbox"));
        MAILCORE_TRY(c::needed(octets, "octets"));
        MAILCORE_TRY(c::needed(octets_length, "octets_length"));
        MAILCORE_TRY(c::needed(last, "last"));
        MAILCORE_TRY(const auto piece, read(*server, address, mailbox, uid, offset));
        c::hand_out(octets, piece.octets);
        *octets_length = piece.octets.size();
        *last = piece.last ? 1 : 0;
        return {};
    });
}

mailcore_status mailcore_email_add(mailcore_server* server, const char* request, const char* octets,
                                   size_t octets_length, char** answer, char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(c::needed(request, "request"));
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(const auto message, c::take_octets(octets, octets_length));
        MAILCORE_TRY(const auto text, c::take_text(request, "request"));
        auto fields = Json::parse(text, nullptr, false);
        if (!fields.is_object()) return fail(ErrorKind::Rejected, "the request is no JSON object");
        auto email = Json::object();
        for (const char* name : {"received", "flags"})
            if (const auto found = fields.find(name); found != fields.end()) {
                email[name] = std::move(*found);
                fields.erase(found);
            }
        if (fields.contains("emails"))
            return fail(ErrorKind::Rejected, "emails: the octets are given beside the request");
        MAILCORE_TRY(hand_in(*server, message, email));
        fields["emails"] = Json::array({std::move(email)});
        MAILCORE_TRY(const auto added, call(*server, "email.add", fields));
        const auto& emails = added.value("emails", Json::array());
        if (emails.empty()) return fail(ErrorKind::Corrupt, "an answer without the email");
        c::hand_out(answer, Json{{"uid", emails.front().value("uid", std::uint64_t{0})},
                                 {"uidvalidity", added.value("uidvalidity", std::uint64_t{0})}}
                                .dump());
        return {};
    });
}
}
