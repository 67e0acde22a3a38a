#include "libmailcore/mime/seven_bit.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/header.h"

#include <algorithm>
#include <utility>

namespace mailcore::mime {

namespace {

constexpr std::uint64_t header_octets_max = 256 * 1024;
constexpr char mask = '*'; // stands in no boundary (RFC 2046 §5.1.1)
constexpr std::string_view encoding_field = "Content-Transfer-Encoding";

bool is_labelled_7bit(const Part& part) {
    return part.encoding != Encoding::Bit8 && part.encoding != Encoding::Binary;
}

bool has_8bit(std::string_view octets) { return std::ranges::any_of(octets, codec::is_8bit); }

} // namespace

/// Lays the stretches out over the parts.
struct SevenBitWriter::Plan {
    const Structure& structure;
    std::vector<Stretch>& stretches;
    std::uint64_t at = 0;
    std::optional<SevenBitObstacle> obstacle;

    Stretch& add(Stretch::Kind kind, std::uint64_t end) {
        Stretch stretch;
        stretch.kind = kind;
        stretch.end = at = std::max(at, end);
        return stretches.emplace_back(stretch);
    }

    /// The header of a part whose body changes, or only its label.
    Stretch& add_header(const Part& part, bool is_message, std::optional<Encoding> encoding) {
        auto& header = add(Stretch::Kind::Header, part.body_begin);
        header.encoding = encoding;
        header.is_message = is_message;
        header.is_text = part.is("text", "plain");
        header.separator_octets = static_cast<std::uint8_t>(part.separator_octets);
        if (encoding && part.header_octets() > header_octets_max)
            obstacle = SevenBitObstacle::Unreadable;
        return header;
    }

    void add_encoded(const Part& part, bool is_message) {
        // Line ends other than CRLF would not come back from a text.
        const bool is_text = part.type == "text" && !structure.bare_lf && !structure.bare_cr &&
                             part.encoding != Encoding::Base64 &&
                             part.encoding != Encoding::QuotedPrintable;
        const auto encoding = is_text ? Encoding::QuotedPrintable : Encoding::Base64;
        add_header(part, is_message, encoding);
        auto& body = add(Stretch::Kind::Encode, part.end);
        body.encoding = encoding;
        body.encoded_as = part.encoding;
        body.is_text = is_text;
    }

    void add_leaf(const Part& part, bool is_message) {
        if (!part.body_8bit && part.encoding != Encoding::Binary) {
            add_header(part, is_message,
                       is_labelled_7bit(part) ? std::nullopt : std::optional(Encoding::Bit7));
            add(Stretch::Kind::Copy, part.end);
            return;
        }
        // RFC 2045 §6.4: what holds parts is not encoded; RFC 6532 §3.7 lets message/global be.
        const bool holds_parts = part.type == "multipart" ||
                                 (part.type == "message" && !part.subtype.starts_with("global"));
        if (holds_parts || part.encoding == Encoding::Other)
            obstacle = SevenBitObstacle::Unreadable;
        add_encoded(part, is_message);
    }

    void add_part(PartIndex index, bool is_message) {
        const auto& part = structure.parts[index];
        if (part.kind == Part::Kind::Leaf) return add_leaf(part, is_message);
        if (part.kind == Part::Kind::Message && part.subtype == "global" && part.body_8bit)
            return add_encoded(part, is_message); // its header may be in UTF-8 (RFC 6532 §3.7)
        add_header(part, is_message,
                   is_labelled_7bit(part) ? std::nullopt : std::optional(Encoding::Bit7));
        if (part.is("multipart", "signed")) {
            if (part.body_8bit) obstacle = SevenBitObstacle::Signed;
            add(Stretch::Kind::Copy, part.end);
            return;
        }
        // Delimiters would be masked like what is before them, or come to be by it.
        const auto boundary = plain_parameter(part.parameters, "boundary").value_or("");
        if (has_8bit(boundary) || boundary.contains(mask)) obstacle = SevenBitObstacle::Unreadable;
        for (auto child = part.first_child; child != no_part;
             child = structure.parts[child].next_sibling) {
            add(Stretch::Kind::Mask, structure.parts[child].header_begin);
            add_part(child, part.kind == Part::Kind::Message);
        }
        add(Stretch::Kind::Mask, part.end);
    }
};

std::expected<SevenBitWriter, SevenBitObstacle> SevenBitWriter::create(const Structure& structure) {
    if (structure.truncated != 0) return std::unexpected(SevenBitObstacle::Unreadable);
    SevenBitWriter writer;
    Plan plan{structure, writer.stretches_, 0, std::nullopt};
    plan.add_part(0, true);
    plan.add(Stretch::Kind::Mask, structure.octets);
    if (plan.obstacle) return std::unexpected(*plan.obstacle);
    writer.begin(writer.stretches_.front());
    return writer;
}

std::optional<SevenBitObstacle> SevenBitWriter::write(std::string_view octets, std::string& into) {
    while (!octets.empty()) {
        MAILCORE_ASSERT(current_ < stretches_.size());
        const auto& stretch = stretches_[current_];
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), stretch.end - at_));
        if (const auto obstacle = take(stretch, octets.substr(0, count), into)) return obstacle;
        at_ += count;
        octets.remove_prefix(count);
        if (at_ < stretch.end) break;
        end(stretch, into);
        if (++current_ < stretches_.size()) begin(stretches_[current_]);
    }
    return std::nullopt;
}

void SevenBitWriter::finish(std::string& into) {
    for (; current_ < stretches_.size(); ++current_) {
        MAILCORE_ASSERT(stretches_[current_].end == at_);
        end(stretches_[current_], into);
        if (current_ + 1 < stretches_.size()) begin(stretches_[current_ + 1]);
    }
}

void SevenBitWriter::begin(const Stretch& stretch) {
    if (stretch.kind != Stretch::Kind::Encode) return;
    decoder_ = BodyDecoder(stretch.encoded_as);
    if (stretch.is_text)
        encoder_ = codec::QuotedPrintableEncoder();
    else
        encoder_ = codec::Base64Encoder();
}

std::optional<SevenBitObstacle> SevenBitWriter::take(const Stretch& stretch,
                                                     std::string_view octets, std::string& into) {
    switch (stretch.kind) {
    case Stretch::Kind::Copy: into += octets; break;
    case Stretch::Kind::Header:
        if (has_8bit(octets)) return SevenBitObstacle::Header;
        (stretch.encoding ? header_ : into) += octets;
        break;
    case Stretch::Kind::Encode:
        decoder_.decode(octets, content_);
        encode(content_, into);
        content_.clear();
        break;
    case Stretch::Kind::Mask:
        for (const char c : octets) into += codec::is_8bit(c) ? mask : c;
        break;
    }
    return std::nullopt;
}

void SevenBitWriter::encode(std::string_view content, std::string& into) {
    std::visit([&](auto& encoder) { encoder.encode(content, into); }, encoder_);
}

void SevenBitWriter::end(const Stretch& stretch, std::string& into) {
    if (stretch.kind == Stretch::Kind::Header && stretch.encoding) {
        write_header(stretch, into);
        std::string().swap(header_);
    }
    if (stretch.kind != Stretch::Kind::Encode) return;
    decoder_.finish(content_);
    encode(content_, into);
    content_.clear();
    std::visit([&](auto& encoder) { encoder.finish(into); }, encoder_);
}

/// The fields as they are, the label in its old place or else at the end.
void SevenBitWriter::write_header(const Stretch& stretch, std::string& into) const {
    const auto label =
        std::string(encoding_field) + ": " + std::string(to_string(*stretch.encoding)) + "\r\n";
    const std::string_view header = header_;
    std::string out;
    bool labelled = false;
    bool has_type = false;
    bool has_version = false;
    std::size_t copied = 0;
    HeaderScanner scanner(header);
    while (const auto field = scanner.next()) {
        has_type = has_type || field->is("Content-Type");
        has_version = has_version || field->is("MIME-Version");
        if (!field->is(encoding_field)) continue;
        out += header.substr(copied, field->offset - copied);
        if (!std::exchange(labelled, true)) out += label;
        copied = field->offset + field->octets;
    }
    const auto fields = header.size() - stretch.separator_octets;
    out += header.substr(copied, fields - copied);
    if (!out.empty() && out.back() != '\n') out += "\r\n";
    if (stretch.is_message && !has_version) out += "MIME-Version: 1.0\r\n";
    if (!has_type && stretch.is_text && *stretch.encoding != Encoding::Bit7)
        out += "Content-Type: text/plain; charset=unknown-8bit\r\n";
    if (!labelled) out += label;
    // The body begins with a line that is no field only as long as nothing is done to it.
    out += stretch.separator_octets > 0 ? header.substr(fields) : "\r\n";
    into += out;
}

} // namespace mailcore::mime
