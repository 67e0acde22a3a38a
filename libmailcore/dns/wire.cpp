#include "libmailcore/dns/wire.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"

#include <array>

namespace mailcore::dns {

namespace {

constexpr std::uint16_t class_in = 1;
constexpr std::size_t pointers_max = 127; // as many as a name can have labels
constexpr std::size_t string_octets_max = 255;

/// Reads what is there; the first thing that does not fit is remembered, and all later reads give
/// zeros.
class Reader {
  public:
    explicit Reader(std::string_view octets) : octets_(octets) {}

    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return number(4); }
    std::string_view take(std::size_t count) {
        if (error_ || count > octets_.size() - at_) {
            fail("more octets");
            return {};
        }
        at_ += count;
        return octets_.substr(at_ - count, count);
    }
    std::string_view character_string() { return take(u8()); }
    Name name();

    void fail(std::string_view expected) {
        if (!error_) error_ = ParseError{at_, expected};
    }
    [[nodiscard]] const std::optional<ParseError>& error() const { return error_; }
    [[nodiscard]] std::size_t at() const { return at_; }

  private:
    std::uint32_t number(std::size_t count) {
        std::uint32_t value = 0;
        for (const char octet : take(count)) value = value << 8 | static_cast<unsigned char>(octet);
        return value;
    }
    std::string_view octets_; // the whole message, which the caller of parse_message holds
    std::size_t at_ = 0;
    std::optional<ParseError> error_;
};

/// RFC 1035 §4.1.4. Each pointer leads before the labels that it ends, and there are few of them.
Name Reader::name() {
    std::string wire;
    auto at = at_;
    auto start = at_; // of the labels that are being read
    std::size_t pointers = 0;
    while (!error_) {
        if (at >= octets_.size()) {
            fail("a name");
            break;
        }
        const auto octet = static_cast<unsigned char>(octets_[at]);
        if (octet >= 0xC0) {
            if (at + 1 >= octets_.size()) {
                fail("a whole pointer");
                break;
            }
            const auto target = static_cast<std::size_t>((octet & 0x3F) << 8) |
                                static_cast<unsigned char>(octets_[at + 1]);
            if (pointers == 0) at_ = at + 2;
            if (target >= start || ++pointers > pointers_max) {
                fail("a pointer backwards");
                break;
            }
            at = start = target;
            continue;
        }
        if (octet > label_octets_max) {
            fail("a label or a pointer");
            break;
        }
        if (octet >= octets_.size() - at) {
            fail("a whole label");
            break;
        }
        if (wire.size() + 1u + octet + (octet ? 1u : 0u) > name_octets_max) {
            fail("a name of at most 255 octets");
            break;
        }
        wire.append(octets_, at, 1u + octet);
        at += 1u + octet;
        if (octet == 0) {
            if (pointers == 0) at_ = at;
            auto name = Name::from_wire(wire);
            MAILCORE_ASSERT(name);
            return *std::move(name);
        }
    }
    return {};
}

RecordData read_data(Reader& in, Type type, std::size_t octets) {
    switch (type) {
    case Type::A: {
        std::array<std::uint8_t, 4> address{};
        for (auto& octet : address) octet = in.u8();
        return AddressData{IpAddress::v4(address)};
    }
    case Type::Aaaa: {
        std::array<std::uint8_t, 16> address{};
        for (auto& octet : address) octet = in.u8();
        return AddressData{IpAddress::v6(address)};
    }
    case Type::Ns:
    case Type::Cname:
    case Type::Ptr: return NameData{in.name()};
    case Type::Mx: {
        const auto preference = in.u16();
        return MxData{preference, in.name()};
    }
    case Type::Txt: {
        TxtData data;
        const auto end = in.at() + octets;
        while (!in.error() && in.at() < end) data.text += in.character_string();
        return data;
    }
    case Type::Soa: {
        SoaData data;
        data.primary = in.name();
        data.mailbox = in.name();
        for (auto* number : {&data.serial, &data.refresh, &data.retry, &data.expire, &data.minimum})
            *number = in.u32();
        return data;
    }
    case Type::Srv: {
        SrvData data;
        for (auto* number : {&data.priority, &data.weight, &data.port}) *number = in.u16();
        data.target = in.name();
        return data;
    }
    case Type::Tlsa: {
        TlsaData data;
        for (auto* number : {&data.usage, &data.selector, &data.matching}) *number = in.u8();
        if (octets >= 3) data.association = in.take(octets - 3);
        return data;
    }
    case Type::Caa: {
        CaaData data;
        data.flags = in.u8();
        data.tag = codec::lower(in.character_string());
        const auto head = 2 + data.tag.size();
        if (octets >= head) data.value = in.take(octets - head);
        return data;
    }
    default: return OtherData{std::string(in.take(octets))};
    }
}

enum class Section { Answer, Authority, Additional };

void read_record(Reader& in, Section section, std::vector<Record>& into, Message& message) {
    Record record;
    record.owner = in.name();
    record.type = static_cast<Type>(in.u16());
    const auto record_class = in.u16();
    const auto ttl = in.u32();
    const auto octets = in.u16();
    const auto end = in.at() + octets;
    if (record.type == Type::Opt) {
        if (section != Section::Additional || message.edns || !record.owner.is_root())
            return in.fail("one OPT, in the additional section");
        in.take(octets);
        message.edns =
            Edns{record_class, static_cast<std::uint8_t>(ttl >> 16), (ttl & 0x8000) != 0};
        message.code =
            static_cast<ResponseCode>((ttl >> 24) << 4 | static_cast<std::uint16_t>(message.code));
        return;
    }
    if (record_class != class_in) {
        in.take(octets);
        return;
    }
    record.ttl = ttl > 0x7FFFFFFF ? 0 : ttl;
    record.data = read_data(in, record.type, octets);
    if (in.at() != end) in.fail("data of the stated length");
    if (!in.error()) into.push_back(std::move(record));
}

void put16(std::string& out, std::uint32_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
}

void put32(std::string& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value);
}

std::string data_octets(const RecordData& data) {
    std::string out;
    std::visit(overloaded{
                   [&](const AddressData& d) { out = d.address.octets(); },
                   [&](const NameData& d) { out = d.name.wire(); },
                   [&](const MxData& d) {
                       put16(out, d.preference);
                       out += d.exchange.wire();
                   },
                   [&](const TxtData& d) {
                       auto rest = std::string_view(d.text);
                       do {
                           const auto piece = rest.substr(0, string_octets_max);
                           out += static_cast<char>(piece.size());
                           out += piece;
                           rest.remove_prefix(piece.size());
                       } while (!rest.empty());
                   },
                   [&](const SoaData& d) {
                       out += d.primary.wire();
                       out += d.mailbox.wire();
                       for (const auto number : {d.serial, d.refresh, d.retry, d.expire, d.minimum})
                           put32(out, number);
                   },
                   [&](const SrvData& d) {
                       for (const auto number : {d.priority, d.weight, d.port}) put16(out, number);
                       out += d.target.wire();
                   },
                   [&](const TlsaData& d) {
                       for (const auto number : {d.usage, d.selector, d.matching})
                           out += static_cast<char>(number);
                       out += d.association;
                   },
                   [&](const CaaData& d) {
                       MAILCORE_ASSERT(d.tag.size() <= string_octets_max);
                       out += static_cast<char>(d.flags);
                       out += static_cast<char>(d.tag.size());
                       out += d.tag;
                       out += d.value;
                   },
                   [&](const OtherData& d) { out = d.octets; },
               },
               data);
    return out;
}

void write_record(std::string& out, const Record& record) {
    out += record.owner.wire();
    put16(out, static_cast<std::uint16_t>(record.type));
    put16(out, class_in);
    put32(out, record.ttl);
    auto data = data_octets(record.data);
    // An IPv4-mapped address is an IPv4 address to us, in an AAAA record too.
    if (record.type == Type::Aaaa && data.size() == 4)
        data.insert(0, std::string(10, '\0') + "\xff\xff");
    MAILCORE_ASSERT(data.size() <= 0xFFFF);
    put16(out, static_cast<std::uint32_t>(data.size()));
    out += data;
}

} // namespace

std::string to_string(ResponseCode code) {
    switch (code) {
    case ResponseCode::NoError: return "NOERROR";
    case ResponseCode::FormErr: return "FORMERR";
    case ResponseCode::ServFail: return "SERVFAIL";
    case ResponseCode::NxDomain: return "NXDOMAIN";
    case ResponseCode::NotImp: return "NOTIMP";
    case ResponseCode::Refused: return "REFUSED";
    case ResponseCode::BadVers: return "BADVERS";
    }
    return "RCODE" + std::to_string(static_cast<unsigned>(code));
}

Message query(const Question& question, std::uint16_t id) {
    Message message;
    message.id = id;
    message.recursion_desired = true;
    message.authenticated = true;
    message.question = question;
    message.edns.emplace();
    return message;
}

std::string write_message(const Message& message) {
    const auto code = static_cast<std::uint32_t>(message.code);
    std::string out;
    put16(out, message.id);
    put16(out, static_cast<std::uint32_t>(message.response) << 15 |
                   static_cast<std::uint32_t>(message.opcode & 15) << 11 |
                   static_cast<std::uint32_t>(message.authoritative) << 10 |
                   static_cast<std::uint32_t>(message.truncated) << 9 |
                   static_cast<std::uint32_t>(message.recursion_desired) << 8 |
                   static_cast<std::uint32_t>(message.recursion_available) << 7 |
                   static_cast<std::uint32_t>(message.authenticated) << 5 |
                   static_cast<std::uint32_t>(message.checking_disabled) << 4 | (code & 15));
    put16(out, message.question ? 1 : 0);
    put16(out, static_cast<std::uint32_t>(message.answers.size()));
    put16(out, static_cast<std::uint32_t>(message.authority.size()));
    put16(out, static_cast<std::uint32_t>(message.additional.size() + (message.edns ? 1 : 0)));
    if (message.question) {
        out += message.question->name.wire();
        put16(out, static_cast<std::uint16_t>(message.question->type));
        put16(out, class_in);
    }
    for (const auto* section : {&message.answers, &message.authority, &message.additional})
        for (const auto& record : *section) write_record(out, record);
    if (message.edns) {
        out += '\0';
        put16(out, static_cast<std::uint16_t>(Type::Opt));
        put16(out, message.edns->udp_octets);
        put32(out, (code >> 4 & 0xFF) << 24 |
                       static_cast<std::uint32_t>(message.edns->version) << 16 |
                       (message.edns->dnssec_ok ? 0x8000u : 0u));
        put16(out, 0);
    }
    return out;
}

Result<Message, ParseError> parse_message(std::string_view octets) {
    if (octets.size() > message_octets_max)
        return std::unexpected(ParseError{message_octets_max, "the end of the message"});
    Reader in(octets);
    Message message;
    message.id = in.u16();
    const auto flags = in.u16();
    message.response = flags >> 15 & 1;
    message.opcode = flags >> 11 & 15;
    message.authoritative = flags >> 10 & 1;
    message.truncated = flags >> 9 & 1;
    message.recursion_desired = flags >> 8 & 1;
    message.recursion_available = flags >> 7 & 1;
    message.authenticated = flags >> 5 & 1;
    message.checking_disabled = flags >> 4 & 1;
    message.code = static_cast<ResponseCode>(flags & 15);
    const auto questions = in.u16();
    std::array<std::uint16_t, 3> counts{};
    for (auto& count : counts) count = in.u16();
    if (questions > 1) in.fail("one question");
    if (questions == 1) {
        Question question;
        question.name = in.name();
        question.type = static_cast<Type>(in.u16());
        if (in.u16() != class_in) in.fail("class IN");
        message.question = std::move(question);
    }
    std::vector<Record>* const sections[] = {&message.answers, &message.authority,
                                             &message.additional};
    for (std::size_t i = 0; i < counts.size(); ++i)
        for (unsigned n = 0; n < counts[i] && !in.error(); ++n)
            read_record(in, static_cast<Section>(i), *sections[i], message);
    if (in.error()) return std::unexpected(*in.error());
    return message;
}

} // namespace mailcore::dns
