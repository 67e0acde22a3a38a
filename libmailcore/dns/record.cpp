#include "libmailcore/dns/record.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"

#include <array>
#include <limits>

namespace mailcore::dns {

namespace {

constexpr std::uint32_t ttl_default_seconds = 300;

struct TypeName {
    Type type;
    std::string_view name;
};
constexpr std::array type_names = {
    TypeName{Type::A, "A"},     TypeName{Type::Ns, "NS"},   TypeName{Type::Cname, "CNAME"},
    TypeName{Type::Soa, "SOA"}, TypeName{Type::Ptr, "PTR"}, TypeName{Type::Mx, "MX"},
    TypeName{Type::Txt, "TXT"}, TypeName{Type::Srv, "SRV"}, TypeName{Type::Aaaa, "AAAA"},
    TypeName{Type::Opt, "OPT"}, TypeName{Type::Any, "ANY"}, TypeName{Type::Tlsa, "TLSA"},
    TypeName{Type::Caa, "CAA"},
};

/// The words and quoted strings of one line of a zone file. The first mistake is remembered.
class Words {
  public:
    explicit Words(std::string_view line) : line_(line) { skip(); }

    [[nodiscard]] bool more() const { return at_ < line_.size(); }
    [[nodiscard]] std::size_t at() const { return at_; }
    /// The next word as it stands; empty at the end.
    [[nodiscard]] std::string_view peek() const {
        auto end = at_;
        while (end < line_.size() && !codec::is_wsp(line_[end])) ++end;
        return line_.substr(at_, end - at_);
    }
    std::string_view word(std::string_view expected) {
        const auto next = peek();
        if (next.empty()) fail(expected);
        start_ = at_;
        at_ += next.size();
        skip();
        return next;
    }
    template <class Number>
    Number number(std::string_view expected) {
        const auto value = codec::parse_u32(word(expected), std::numeric_limits<Number>::max());
        if (!value) fail_word(expected);
        return static_cast<Number>(value.value_or(0));
    }
    Name name(std::string_view expected) {
        auto name = Name::parse(word(expected));
        if (!name) fail_word(expected);
        return name.value_or(Name());
    }
    std::string text();

    void fail(std::string_view expected) {
        if (!error_) error_ = ParseError{at_, expected};
    }
    /// What was wrong is the word read last.
    void fail_word(std::string_view expected) {
        if (!error_) error_ = ParseError{start_, expected};
    }
    [[nodiscard]] const std::optional<ParseError>& error() const { return error_; }

  private:
    void skip() {
        while (at_ < line_.size() && codec::is_wsp(line_[at_])) ++at_;
        if (at_ < line_.size() && line_[at_] == ';') at_ = line_.size();
    }
    std::string_view line_; // the caller's of parse_record
    std::size_t at_ = 0;
    std::size_t start_ = 0;
    std::optional<ParseError> error_;
};

/// A quoted string or a bare word; `\X` and `\DDD` in both.
std::string Words::text() {
    std::string out;
    start_ = at_;
    if (!more()) fail("a string");
    const bool quoted = more() && line_[at_] == '"';
    if (quoted) ++at_;
    for (; at_ < line_.size(); ++at_) {
        char c = line_[at_];
        if (quoted ? c == '"' : codec::is_wsp(c)) break;
        if (c == '\\' && at_ + 1 < line_.size()) {
            const auto digits = line_.substr(at_ + 1, 3);
            const auto value = digits.size() == 3 ? codec::parse_u32(digits, 255) : std::nullopt;
            if (value) {
                c = static_cast<char>(*value);
                at_ += 3;
            } else {
                c = line_[++at_];
            }
        }
        out += c;
    }
    if (quoted && at_ == line_.size()) fail("a closing quote");
    if (quoted) ++at_;
    skip();
    return out;
}

IpAddress read_address(Words& in, IpAddress::Family family) {
    const auto address = IpAddress::parse(in.word("an address"));
    if (!address || address->family() != family) in.fail_word("an address of this family");
    return address.value_or(IpAddress());
}

RecordData read_data(Words& in, Type type) {
    switch (type) {
    case Type::A: return AddressData{read_address(in, IpAddress::Family::V4)};
    case Type::Aaaa: return AddressData{read_address(in, IpAddress::Family::V6)};
    case Type::Ns:
    case Type::Cname:
    case Type::Ptr: return NameData{in.name("a name")};
    case Type::Mx: {
        const auto preference = in.number<std::uint16_t>("a preference");
        return MxData{preference, in.name("a host")};
    }
    case Type::Txt: {
        TxtData data;
        do data.text += in.text();
        while (in.more() && !in.error());
        return data;
    }
    case Type::Soa: {
        SoaData data;
        data.primary = in.name("a name server");
        data.mailbox = in.name("a mailbox");
        for (auto* number : {&data.serial, &data.refresh, &data.retry, &data.expire, &data.minimum})
            *number = in.number<std::uint32_t>("a number");
        return data;
    }
    case Type::Srv: {
        SrvData data;
        for (auto* number : {&data.priority, &data.weight, &data.port})
            *number = in.number<std::uint16_t>("a number");
        data.target = in.name("a target");
        return data;
    }
    case Type::Tlsa: {
        TlsaData data;
        for (auto* number : {&data.usage, &data.selector, &data.matching})
            *number = in.number<std::uint8_t>("a number up to 255");
        std::string digits;
        do digits += in.word("hexadecimal digits");
        while (in.more() && !in.error());
        auto octets = codec::hex_decode(digits);
        if (!octets) in.fail_word("hexadecimal digits");
        data.association = octets.value_or("");
        return data;
    }
    case Type::Caa: {
        CaaData data;
        data.flags = in.number<std::uint8_t>("flags");
        data.tag = codec::lower(in.word("a tag"));
        data.value = in.text();
        return data;
    }
    default: in.fail_word("a type that can be written"); return OtherData{};
    }
}

} // namespace

std::string to_string(Type type) {
    for (const auto& each : type_names)
        if (each.type == type) return std::string(each.name);
    return "TYPE" + std::to_string(static_cast<unsigned>(type));
}

std::optional<Type> parse_type(std::string_view text) {
    for (const auto& each : type_names)
        if (codec::equal_ignoring_case(each.name, text)) return each.type;
    return std::nullopt;
}

std::size_t memory(const Record& record) {
    const auto data = std::visit(
        overloaded{
            [](const AddressData&) { return std::size_t{0}; },
            [](const NameData& d) { return d.name.wire().size(); },
            [](const MxData& d) { return d.exchange.wire().size(); },
            [](const TxtData& d) { return d.text.size(); },
            [](const SoaData& d) { return d.primary.wire().size() + d.mailbox.wire().size(); },
            [](const SrvData& d) { return d.target.wire().size(); },
            [](const TlsaData& d) { return d.association.size(); },
            [](const CaaData& d) { return d.tag.size() + d.value.size(); },
            [](const OtherData& d) { return d.octets.size(); },
        },
        record.data);
    return sizeof record + record.owner.wire().size() + data;
}

Result<Record, ParseError> parse_record(std::string_view line) {
    Words in(line);
    Record record;
    record.owner = in.name("an owner name");
    record.ttl = ttl_default_seconds;
    if (const auto ttl = codec::parse_u32(in.peek())) {
        record.ttl = *ttl;
        in.word("a TTL");
    }
    if (codec::equal_ignoring_case(in.peek(), "IN")) in.word("a class");
    const auto type = parse_type(in.word("a type"));
    if (!type) in.fail_word("a type");
    record.type = type.value_or(Type::A);
    if (!in.error()) record.data = read_data(in, record.type);
    if (in.more()) in.fail("the end of the line");
    if (in.error()) return std::unexpected(*in.error());
    return record;
}

} // namespace mailcore::dns
