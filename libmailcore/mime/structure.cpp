#include "libmailcore/mime/structure.h"

#include "libmailcore/codec/bytes.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

using codec::Reader;
using codec::Writer;

constexpr std::uint8_t version = 1;

// Bits of the message's flags.
constexpr std::uint8_t header_8bit_bit = 1;
constexpr std::uint8_t nul_bit = 2;
constexpr std::uint8_t bare_lf_bit = 4;
constexpr std::uint8_t bare_cr_bit = 8;
constexpr std::uint8_t reply_bit = 16;
constexpr std::uint8_t sent_bit = 32;
constexpr std::uint8_t zone_unknown_bit = 64;

// Bits of a part: its kind in the low two, then what is there.
constexpr std::uint16_t body_8bit_bit = 1 << 2;
constexpr std::uint16_t encoding_text_bit = 1 << 3;
constexpr std::uint16_t id_bit = 1 << 4;
constexpr std::uint16_t description_bit = 1 << 5;
constexpr std::uint16_t md5_bit = 1 << 6;
constexpr std::uint16_t location_bit = 1 << 7;
constexpr std::uint16_t disposition_bit = 1 << 8;
constexpr std::uint16_t envelope_bit = 1 << 9;

// Bits of an envelope.
constexpr std::uint8_t date_bit = 1;
constexpr std::uint8_t subject_bit = 2;
constexpr std::uint8_t in_reply_to_bit = 4;
constexpr std::uint8_t message_id_bit = 8;

void write(Writer& out, std::span<const std::string_view> list) {
    out.varint(list.size());
    for (const auto text : list) out.text(text);
}
void write(Writer& out, std::span<const ParameterView> list) {
    out.varint(list.size());
    for (const auto& parameter : list) out.text(parameter.name).text(parameter.value);
}
void write(Writer& out, std::span<const AddressView> list) {
    out.varint(list.size());
    for (const auto& address : list)
        out.u8(static_cast<std::uint8_t>(address.kind))
            .text(address.name)
            .text(address.route)
            .text(address.local)
            .text(address.domain);
}

void write(Writer& out, const Envelope& envelope) {
    out.u8(static_cast<std::uint8_t>(
        (envelope.date ? date_bit : 0) | (envelope.subject ? subject_bit : 0) |
        (envelope.in_reply_to ? in_reply_to_bit : 0) | (envelope.message_id ? message_id_bit : 0)));
    if (envelope.date) out.text(*envelope.date);
    if (envelope.subject) out.text(*envelope.subject);
    for (const auto list : {envelope.from, envelope.sender, envelope.reply_to, envelope.to,
                            envelope.cc, envelope.bcc})
        write(out, list);
    if (envelope.in_reply_to) out.text(*envelope.in_reply_to);
    if (envelope.message_id) out.text(*envelope.message_id);
}

void write(Writer& out, const Part& part) {
    const auto bit = [](const auto& present, std::uint16_t value) {
        return present ? value : static_cast<std::uint16_t>(0);
    };
    out.u16le(static_cast<std::uint16_t>(
        static_cast<std::uint16_t>(part.kind) | bit(part.body_8bit, body_8bit_bit) |
        bit(part.encoding_text, encoding_text_bit) | bit(part.id, id_bit) |
        bit(part.description, description_bit) | bit(part.md5, md5_bit) |
        bit(part.location, location_bit) | bit(part.disposition, disposition_bit) |
        bit(part.envelope, envelope_bit)));
    out.u8(static_cast<std::uint8_t>(part.encoding));
    out.varint(part.parent == no_part ? 0 : part.parent + 1ULL);
    out.varint(part.header_begin).varint(part.header_octets()).varint(part.body_octets());
    out.varint(part.body_lines).varint(part.separator_octets);
    out.text(part.type).text(part.subtype);
    write(out, part.parameters);
    for (const auto& text :
         {part.encoding_text, part.id, part.description, part.md5, part.location, part.disposition})
        if (text) out.text(*text);
    write(out, part.disposition_parameters);
    write(out, part.languages);
    if (part.envelope) write(out, *part.envelope);
}

// Reads what the functions above wrote; spans lie in the arena, texts in the octets read.
class StructureReader {
  public:
    StructureReader(std::string_view octets, Structure& into) : in_(octets), out_(into) {}

    bool read() {
        if (in_.u8() != version) return false;
        auto& s = out_;
        s.storage.clear();
        s.parts.clear();
        s.sent.reset();
        s.octets = in_.varint();
        s.lines = in_.varint();
        s.received = static_cast<std::uint32_t>(in_.varint());
        s.line_octets = in_.varint();
        const auto flags = in_.u8();
        s.header_8bit = (flags & header_8bit_bit) != 0;
        s.nul = (flags & nul_bit) != 0;
        s.bare_lf = (flags & bare_lf_bit) != 0;
        s.bare_cr = (flags & bare_cr_bit) != 0;
        s.reply_or_forward = (flags & reply_bit) != 0;
        s.truncated = in_.u8();
        if ((flags & sent_bit) != 0) {
            DateTime sent;
            sent.time = WallTime{std::chrono::microseconds{in_.svarint()}};
            sent.zone_minutes = static_cast<std::int16_t>(in_.svarint());
            sent.zone_unknown = (flags & zone_unknown_bit) != 0;
            s.sent = sent;
        }
        s.preview = in_.text();
        s.message_id = in_.text();
        s.in_reply_to = list<std::string_view>(1, [&](auto& text) { text = in_.text(); });
        s.references = list<std::string_view>(1, [&](auto& text) { text = in_.text(); });
        s.base_subject = in_.text();
        const auto parts = in_.count(12);
        s.parts.resize(parts);
        for (PartIndex i = 0; i < parts && in_.ok(); ++i)
            if (!part(i)) return false;
        return in_.at_end() && parts > 0 && whole();
    }

  private:
    template <class T>
    std::span<const T> list(std::size_t octets_each, auto&& read_one) {
        const auto items = out_.storage.make<T>(in_.count(octets_each));
        for (auto& item : items) read_one(item);
        return items;
    }
    std::span<const ParameterView> parameters() {
        return list<ParameterView>(2, [&](auto& parameter) {
            parameter.name = in_.text();
            parameter.value = in_.text();
        });
    }
    std::span<const AddressView> addresses() {
        return list<AddressView>(5, [&](auto& address) {
            const auto kind = in_.u8();
            if (kind > static_cast<std::uint8_t>(Address::Kind::GroupEnd)) in_.fail();
            address.kind = static_cast<Address::Kind>(kind);
            address.name = in_.text();
            address.route = in_.text();
            address.local = in_.text();
            address.domain = in_.text();
        });
    }

    void envelope(Part& part) {
        auto& envelope = out_.storage.make<Envelope>(1).front();
        const auto bits = in_.u8();
        if ((bits & date_bit) != 0) envelope.date = in_.text();
        if ((bits & subject_bit) != 0) envelope.subject = in_.text();
        for (auto* field : {&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to,
                            &envelope.cc, &envelope.bcc})
            *field = addresses();
        if ((bits & in_reply_to_bit) != 0) envelope.in_reply_to = in_.text();
        if ((bits & message_id_bit) != 0) envelope.message_id = in_.text();
        part.envelope = &envelope;
    }

    bool part(PartIndex index) {
        auto& part = out_.parts[index];
        const auto bits = in_.u16le();
        if ((bits & 3) > static_cast<int>(Part::Kind::Message)) return false;
        part.kind = static_cast<Part::Kind>(bits & 3);
        part.body_8bit = (bits & body_8bit_bit) != 0;
        const auto encoding = in_.u8();
        if (encoding > static_cast<std::uint8_t>(Encoding::Other)) return false;
        part.encoding = static_cast<Encoding>(encoding);
        const auto parent = in_.varint();
        if ((parent == 0) != (index == 0) || parent > index) return false;
        part.parent = parent == 0 ? no_part : static_cast<PartIndex>(parent - 1);
        part.header_begin = in_.varint();
        const auto header_octets = in_.varint();
        const auto body_octets = in_.varint();
        const auto octets = out_.octets;
        if (part.header_begin > octets || header_octets > octets - part.header_begin ||
            body_octets > octets - part.header_begin - header_octets)
            return false;
        part.body_begin = part.header_begin + header_octets;
        part.end = part.body_begin + body_octets;
        part.body_lines = in_.varint();
        part.separator_octets = static_cast<std::uint32_t>(in_.varint());
        part.type = in_.text();
        part.subtype = in_.text();
        part.parameters = parameters();
        const auto text = [&](std::uint16_t bit, std::optional<std::string_view>& into) {
            if ((bits & bit) != 0) into = in_.text();
        };
        text(encoding_text_bit, part.encoding_text);
        text(id_bit, part.id);
        text(description_bit, part.description);
        text(md5_bit, part.md5);
        text(location_bit, part.location);
        text(disposition_bit, part.disposition);
        part.disposition_parameters = parameters();
        part.languages = list<std::string_view>(1, [&](auto& language) { language = in_.text(); });
        if ((bits & envelope_bit) != 0) envelope(part);
        return in_.ok();
    }

    // Links the parts and checks what their users rely on.
    bool whole() {
        std::vector<PartIndex> last;
        if (out_.parts.size() > 1) last.resize(out_.parts.size(), no_part);
        for (PartIndex i = 1; i < out_.parts.size(); ++i) {
            const auto parent = out_.parts[i].parent;
            if (last[parent] == no_part)
                out_.parts[parent].first_child = i;
            else
                out_.parts[last[parent]].next_sibling = i;
            last[parent] = i;
        }
        for (const auto& part : out_.parts) {
            const bool any = part.first_child != no_part;
            if (any != (part.kind != Part::Kind::Leaf)) return false;
            if (part.kind == Part::Kind::Message &&
                (out_.parts[part.first_child].next_sibling != no_part ||
                 !out_.parts[part.first_child].envelope))
                return false;
        }
        return out_.parts[0].envelope != nullptr;
    }

    Reader in_;
    Structure& out_; // of the one call of decode
};

bool is_signature(const Part& part) {
    return part.type == "application" &&
           (part.subtype == "pgp-signature" || part.subtype == "pkcs7-signature" ||
            part.subtype == "x-pkcs7-signature");
}

} // namespace

std::optional<std::string> Part::file_name() const {
    if (auto name = decoded_parameter(disposition_parameters, "filename")) return name;
    return decoded_parameter(parameters, "name");
}

bool Structure::has_attachment() const {
    return std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
        if (part.kind == Part::Kind::Message) return true;
        if (part.kind != Part::Kind::Leaf || is_signature(part)) return false;
        if (part.disposition == "attachment") return true;
        const bool related =
            part.parent != no_part && parts[part.parent].is("multipart", "related");
        return part.type != "text" && part.type != "multipart" && !related &&
               part.disposition != "inline";
    });
}

std::string Structure::encoded() const {
    std::string octets_out;
    octets_out.reserve(512 + parts.size() * 64);
    Writer out(octets_out);
    out.u8(version).varint(octets).varint(lines).varint(received).varint(line_octets);
    out.u8(static_cast<std::uint8_t>((header_8bit ? header_8bit_bit : 0) | (nul ? nul_bit : 0) |
                                     (bare_lf ? bare_lf_bit : 0) | (bare_cr ? bare_cr_bit : 0) |
                                     (reply_or_forward ? reply_bit : 0) | (sent ? sent_bit : 0) |
                                     (sent && sent->zone_unknown ? zone_unknown_bit : 0)));
    out.u8(truncated);
    if (sent) out.svarint(sent->time.time_since_epoch().count()).svarint(sent->zone_minutes);
    out.text(preview).text(message_id);
    write(out, in_reply_to);
    write(out, references);
    out.text(base_subject);
    out.varint(parts.size());
    for (const auto& part : parts) write(out, part);
    return octets_out;
}

Result<Structure> Structure::decode_in_place(std::string_view octets) {
    Structure out;
    MAILCORE_TRY(decode_in_place(octets, out));
    return out;
}

Result<void> Structure::decode_in_place(std::string_view octets, Structure& into) {
    if (!StructureReader(octets, into).read())
        return fail(ErrorKind::Corrupt, "the stored structure of a message cannot be read");
    return {};
}

Result<Structure> Structure::decode(std::string_view octets) {
    Arena texts;
    const auto copy = texts.keep(octets);
    MAILCORE_TRY(auto out, decode_in_place(copy));
    out.storage.take(std::move(texts));
    return out;
}

} // namespace mailcore::mime
