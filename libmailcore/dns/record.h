// Resource records as values.
#pragma once

#include "libmailcore/dns/name.h"

#include <cstdint>
#include <string>
#include <variant>

namespace mailcore::dns {

/// Any number may occur; the names are those that are understood here.
enum class Type : std::uint16_t {
    A = 1,
    Ns = 2,
    Cname = 5,
    Soa = 6,
    Ptr = 12,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
    Opt = 41,
    Tlsa = 52,
    Any = 255, ///< in questions only
    Caa = 257,
};

/// "MX", or "TYPE1234" (RFC 3597 §5).
[[nodiscard]] std::string to_string(Type type);
/// The reverse, in any case; nothing for a name that is not known.
[[nodiscard]] std::optional<Type> parse_type(std::string_view text);

/// A and AAAA (RFC 1035 §3.4.1, RFC 3596 §2.2).
struct AddressData {
    IpAddress address;
    friend bool operator==(const AddressData&, const AddressData&) = default;
};
/// CNAME, NS and PTR: one name.
struct NameData {
    Name name;
    friend bool operator==(const NameData&, const NameData&) = default;
};
struct MxData {
    std::uint16_t preference = 0;
    Name exchange;
    friend bool operator==(const MxData&, const MxData&) = default;
};
/// The character-strings of one TXT record joined without a space, which is how every user of it in
/// mail reads them (RFC 7208 §3.3, RFC 6376 §3.6.2.2). Any octets.
struct TxtData {
    std::string text;
    friend bool operator==(const TxtData&, const TxtData&) = default;
};
struct SoaData {
    Name primary;
    Name mailbox;
    std::uint32_t serial = 0;
    std::uint32_t refresh = 0;
    std::uint32_t retry = 0;
    std::uint32_t expire = 0;
    std::uint32_t minimum = 0; ///< seconds that "no such thing" may be remembered (RFC 2308 §4)
    friend bool operator==(const SoaData&, const SoaData&) = default;
};
/// RFC 2782.
struct SrvData {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    Name target;
    friend bool operator==(const SrvData&, const SrvData&) = default;
};
/// RFC 6698 §2.1.
struct TlsaData {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching = 0;
    std::string association; ///< octets
    friend bool operator==(const TlsaData&, const TlsaData&) = default;
};
/// RFC 8659 §4.1.
struct CaaData {
    std::uint8_t flags = 0;
    std::string tag; ///< lower case
    std::string value;
    friend bool operator==(const CaaData&, const CaaData&) = default;
};
/// A type not understood here: its octets as they came (RFC 3597).
struct OtherData {
    std::string octets;
    friend bool operator==(const OtherData&, const OtherData&) = default;
};

using RecordData = std::variant<AddressData, NameData, MxData, TxtData, SoaData, SrvData, TlsaData,
                                CaaData, OtherData>;

/// One record of class IN. `data` has the shape that `type` asks for.
struct Record {
    Name owner;
    Type type = Type::A;
    std::uint32_t ttl = 0; ///< seconds; a value above 2^31-1 was read as 0 (RFC 2181 §8)
    RecordData data;
    friend bool operator==(const Record&, const Record&) = default;
};

/// Roughly what a record holds on the heap and in itself, for bounds.
[[nodiscard]] std::size_t memory(const Record& record);

/// Reads one record as a zone file has it on one line: `owner [ttl] [IN] TYPE data`, for example
/// `example.test 300 IN MX 10 mx.example.test`. Names are absolute with or without the last dot.
/// TXT strings are quoted or bare words and are joined; TLSA data is hexadecimal. TTL defaults to
/// 300. Source: RFC 1035 §5.1, without directives, parentheses and relative names.
Result<Record, ParseError> parse_record(std::string_view line);

} // namespace mailcore::dns
