// DNS messages and their octets (RFC 1035 §4, RFC 6891).
#pragma once

#include "libmailcore/dns/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::dns {

/// What we say that we can take in one UDP datagram: no fragments on any usual path (RFC 6891
/// §6.2.5).
inline constexpr std::uint16_t udp_octets_offered = 1232;
inline constexpr std::size_t message_octets_max = 65535;

struct Question {
    Name name;
    Type type = Type::A;
    friend bool operator==(const Question&, const Question&) = default;
    friend auto operator<=>(const Question&, const Question&) = default;
};

/// RFC 1035 §4.1.1; other numbers may occur, also above 15 (RFC 6891 §6.1.3).
enum class ResponseCode : std::uint16_t {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    BadVers = 16,
};
[[nodiscard]] std::string to_string(ResponseCode code);

/// The OPT pseudo-record without its options.
struct Edns {
    std::uint16_t udp_octets = udp_octets_offered;
    std::uint8_t version = 0;
    bool dnssec_ok = false;
    friend bool operator==(const Edns&, const Edns&) = default;
};

/// A query or a response.
struct Message {
    std::uint16_t id = 0;
    bool response = false;
    std::uint8_t opcode = 0;
    bool authoritative = false;
    bool truncated = false;
    bool recursion_desired = false;
    bool recursion_available = false;
    bool authenticated = false; ///< AD (RFC 4035 §3.2.3); in a query: "tell me" (RFC 6840 §5.7)
    bool checking_disabled = false;
    ResponseCode code = ResponseCode::NoError;
    std::optional<Question> question; ///< more than one is malformed here
    std::vector<Record> answers;
    std::vector<Record> authority;
    std::vector<Record> additional; ///< without OPT
    std::optional<Edns> edns;
    friend bool operator==(const Message&, const Message&) = default;
};

/// A query as stub resolvers send it: RD and AD set, OPT with 1232 octets. `id` must be
/// unpredictable.
[[nodiscard]] Message query(const Question& question, std::uint16_t id);

/// The message's octets, names uncompressed: more than `message_octets_max` is the caller's to see.
[[nodiscard]] std::string write_message(const Message& message);

/// Reads a whole message, at most 65535 octets. Compression pointers must point backwards, so loops
/// cannot be; each count and length is checked against the octets that are there. Records of
/// classes other than IN are dropped; trailing octets after the last record are ignored, as all
/// resolvers do. Fails with the offset of what does not fit.
Result<Message, ParseError> parse_message(std::string_view octets);

} // namespace mailcore::dns
