#include "libmailcore/mime/parser.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/detail/preview.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/message_id.h"
#include "libmailcore/mime/subject.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace mailcore::mime {

namespace {

// Longer ones than RFC 2046 §5.1.1 allows (70) exist; a line holds no more than this.
constexpr std::size_t boundary_octets_max = 990;
constexpr std::size_t delimiter_octets_max = 2 + boundary_octets_max + 2 + 8; // "--", "--", blanks
constexpr std::size_t languages_max = 20;
// Text parts that are opened in search of a preview.
constexpr unsigned previews_max = 20;
// A delimiter may end a header, so a line of that length is kept in any case.
constexpr std::size_t field_octets_least = 2 * delimiter_octets_max;

enum class FieldId : std::uint8_t {
    Other,
    ContentType,
    ContentTransferEncoding,
    ContentId,
    ContentDescription,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    // Of messages only:
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    // Of the message itself only:
    References,
    Received,
};
struct KnownField {
    std::string_view name;
    FieldId id;
};
constexpr KnownField known_fields[] = {
    {"Received", FieldId::Received},
    {"Content-Type", FieldId::ContentType},
    {"Content-Transfer-Encoding", FieldId::ContentTransferEncoding},
    {"Content-ID", FieldId::ContentId},
    {"Content-Description", FieldId::ContentDescription},
    {"Content-Disposition", FieldId::ContentDisposition},
    {"Content-Language", FieldId::ContentLanguage},
    {"Content-Location", FieldId::ContentLocation},
    {"Content-MD5", FieldId::ContentMd5},
    {"Date", FieldId::Date},
    {"Subject", FieldId::Subject},
    {"From", FieldId::From},
    {"Sender", FieldId::Sender},
    {"Reply-To", FieldId::ReplyTo},
    {"To", FieldId::To},
    {"Cc", FieldId::Cc},
    {"Bcc", FieldId::Bcc},
    {"In-Reply-To", FieldId::InReplyTo},
    {"Message-ID", FieldId::MessageId},
    {"References", FieldId::References},
};

FieldId field_id(std::string_view name) {
    for (const auto& known : known_fields)
        if (codec::equal_ignoring_case(known.name, name)) return known.id;
    return FieldId::Other;
}

// What the octets of a line hold, eight at a time.
struct Octets {
    bool high = false;
    bool nul = false;
};
Octets look_at(std::string_view text) {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t highs = 0x8080808080808080U;
    std::uint64_t high = 0;
    std::uint64_t zero = 0;
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);
        high |= word;
        zero |= (word - ones) & ~word;
    }
    Octets out{(high & highs) != 0, (zero & highs) != 0};
    for (; at < text.size(); ++at) {
        out.high = out.high || codec::is_8bit(text[at]);
        out.nul = out.nul || text[at] == '\0';
    }
    return out;
}

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    return line;
}

} // namespace

// Splits the octets into lines, and lines into header fields, delimiters and bodies.
struct Parser::Machine {
    explicit Machine(const ParserOptions& limits)
        : options(limits), preview(limits.preview_characters_max) {
        options.field_octets_max = std::max(options.field_octets_max, field_octets_least);
        open_part(0);
    }

    // An entity that is not complete. The stack of them goes from the message to what is being
    // read.
    struct Frame {
        PartIndex part = 0;
        PartIndex last_child = no_part;
        std::string_view
            boundary; // of an open multipart; "": none, or its closing delimiter was seen
        std::size_t shadowed = 0; // level + 1 of an outer multipart with the same boundary
        std::uint64_t lines_before_body = 0;
        bool is_digest = false;
        bool is_message = false; // has an envelope
        bool any_8bit = false;   // in its header or body
    };

    // The header that is being read.
    struct Header {
        Envelope envelope;
        std::vector<AddressView> from, sender, reply_to, to, cc, bcc;
        std::uint32_t fields = 0;
        FieldId field = FieldId::Other; // under way
        std::string value;              // of it, unfolded, to its limit
        bool full = false;              // a limit was reached: fields are counted no more
        bool has_type = false;
        bool has_disposition = false;
    };

    ParserOptions options;
    Structure out;
    std::vector<Frame> stack;
    std::unordered_map<std::string_view, std::size_t> boundaries; // -> level in `stack`
    Header header;
    PreviewBuilder preview;
    unsigned previews = 0;
    bool in_header = true;
    bool preamble_preview = false; // what the preview reads stands before the first part
    std::size_t text_octets = 0;   // kept so far
    std::size_t addresses = 0;
    std::uint64_t work = 0;

    // The line under way.
    std::uint64_t position = 0; // of the next octet
    std::uint64_t line_begin = 0;
    std::string line; // its octets where they must be kept: in headers, or if it may be a delimiter
    bool keep_line = true;
    bool line_8bit = false;
    bool after_cr = false; // the last octet was a CR
    // The line before it.
    std::uint64_t previous_end = 0; // octets of its end
    bool previous_empty = false;

    void truncated(Truncation what) { out.truncated |= static_cast<std::uint8_t>(what); }

    std::string_view keep(std::string_view text) {
        if (text.size() > options.text_octets_max - text_octets) {
            truncated(Truncation::Texts);
            return "";
        }
        text_octets += text.size();
        return out.storage.keep(text);
    }
    bool room_for(std::size_t octets) {
        if (octets > options.text_octets_max - text_octets) {
            truncated(Truncation::Texts);
            return false;
        }
        text_octets += octets;
        return true;
    }
    std::span<const ParameterView> keep(const std::vector<Parameter>& parameters) {
        if (!room_for(parameters.size() * sizeof(ParameterView))) return {};
        const auto kept = out.storage.make<ParameterView>(parameters.size());
        for (std::size_t i = 0; i < parameters.size(); ++i)
            kept[i] = {keep(parameters[i].name), keep(parameters[i].value)};
        return kept;
    }
    std::span<const std::string_view> keep(const std::vector<std::string>& texts) {
        if (!room_for(texts.size() * sizeof(std::string_view))) return {};
        const auto kept = out.storage.make<std::string_view>(texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) kept[i] = keep(texts[i]);
        return kept;
    }

    Part& part_of(const Frame& frame) { return out.parts[frame.part]; }

    // Lines.

    void feed(std::string_view octets) {
        work += octets.size();
        while (!octets.empty()) {
            const auto* lf =
                static_cast<const char*>(std::memchr(octets.data(), '\n', octets.size()));
            const auto size = lf ? static_cast<std::size_t>(lf - octets.data()) + 1 : octets.size();
            fragment(octets.substr(0, size), lf != nullptr);
            octets.remove_prefix(size);
        }
    }

    void fragment(std::string_view text, bool ends) {
        const auto octets = look_at(text);
        line_8bit = line_8bit || octets.high;
        out.nul = out.nul || octets.nul;
        // A CR that no LF follows; the CR of a line end is the last octet before the LF.
        if (after_cr && text.front() != '\n') out.bare_cr = true;
        const bool cr_before = text.size() >= 2 ? text[text.size() - 2] == '\r' : after_cr;
        const auto inner =
            text.substr(0, text.size() - std::min<std::size_t>(text.size(), ends ? 2 : 1));
        if (inner.find('\r') != std::string_view::npos) out.bare_cr = true;
        after_cr = !ends && text.back() == '\r';

        const bool whole = ends && position == line_begin;
        position += text.size();
        std::uint64_t end_octets = 0;
        if (ends) {
            end_octets = cr_before ? 2 : 1;
            out.bare_lf = out.bare_lf || !cr_before;
            ++out.lines;
        }
        if (whole) {
            complete_line(text, end_octets);
        } else {
            partial_line(text);
            if (ends) complete_partial_line(end_octets);
        }
    }

    // The first or a further piece of a line that was cut.
    void partial_line(std::string_view text) {
        if (!in_header && keep_line) {
            // In a body only what may be a delimiter is kept, and given to the body when it is
            // none.
            if (line.size() + text.size() > delimiter_octets_max || boundaries.empty() ||
                (line.empty() && text.front() != '-')) {
                body(line);
                line.clear();
                keep_line = false;
            }
        }
        if (!in_header && !keep_line) return body(text);
        const auto room =
            options.field_octets_max - std::min(options.field_octets_max, line.size());
        line += text.substr(0, room);
    }

    void complete_partial_line(std::uint64_t end_octets) {
        if (!in_header && !keep_line) {
            line_done(end_octets);
        } else {
            const std::string kept = std::move(line);
            line.clear();
            complete_line(kept, end_octets);
        }
    }

    // A line with its end, of which the header may have kept only the beginning.
    void complete_line(std::string_view text, std::uint64_t end_octets) {
        if (in_header)
            header_line(text.substr(0, options.field_octets_max), end_octets);
        else if (!(text.front() == '-' && !boundaries.empty() && delimiter(text)))
            body(text);
        line_done(end_octets);
    }

    void line_done(std::uint64_t end_octets) {
        const auto content = position - line_begin - end_octets;
        out.line_octets = std::max(out.line_octets, content);
        if (line_8bit) {
            stack.back().any_8bit = true;
            if (!in_header) part_of(stack.back()).body_8bit = true;
        }
        line_8bit = false;
        previous_empty = content == 0;
        previous_end = end_octets;
        line_begin = position;
        keep_line = true;
        line.clear();
    }

    // Header.

    void header_line(std::string_view text, std::uint64_t end_octets) {
        const auto content = without_line_end(text);
        work += content.size();
        if (line_8bit) out.header_8bit = true;
        if (content.empty() && end_octets > 0) {
            end_header(position, static_cast<std::uint32_t>(end_octets));
            return;
        }
        if (content.starts_with("--") && !boundaries.empty() && delimiter(text)) return;
        const auto& part = part_of(stack.back());
        if (position - part.header_begin > options.header_octets_max && !header.full) {
            truncated(Truncation::Header);
            header.full = true;
        }
        if (codec::is_wsp(content.front()) && header.fields > 0) {
            if (header.field != FieldId::Other) add_to_field(content);
            return;
        }
        const auto name = field_name_of(content);
        if (name.empty()) {
            finish_field();
            if (header.fields > 0 ||
                (line_begin == part.header_begin && is_mbox_separator(content)))
                return;
            // There is no header: this is the body's first line.
            end_header(line_begin, 0);
            if (in_header)
                header_line(text, end_octets); // of a message inside
            else
                body(text);
            return;
        }
        finish_field();
        if (header.fields == options.header_fields_max && !header.full) {
            truncated(Truncation::Header);
            header.full = true;
        }
        if (header.full) return;
        ++header.fields;
        header.field = field_id(name);
        if (header.field > FieldId::ContentMd5 && !stack.back().is_message)
            header.field = FieldId::Other;
        if (header.field >= FieldId::References && stack.size() > 1) header.field = FieldId::Other;
        if (header.field != FieldId::Other)
            add_to_field(content.substr(content.find(':', name.size()) + 1));
    }

    void add_to_field(std::string_view text) {
        const auto room = options.field_octets_max - header.value.size();
        if (text.size() > room) truncated(Truncation::Header);
        header.value += text.substr(0, room);
    }

    void finish_field() {
        const auto id = header.field;
        if (id == FieldId::Other) return;
        header.field = FieldId::Other;
        work += header.value.size();
        field(id, codec::trim(header.value));
        header.value.clear();
    }

    void field(FieldId id, std::string_view value) {
        auto& part = part_of(stack.back());
        auto& envelope = header.envelope;
        const auto text = [&](std::optional<std::string_view>& into) {
            if (!into) into = keep(value);
        };
        const auto list = [&](std::vector<AddressView>& into, bool more) {
            if (into.empty() || more) add_addresses(value, into);
        };
        switch (id) {
        case FieldId::Other: break;
        case FieldId::ContentType: content_type(value, part); break;
        case FieldId::ContentTransferEncoding:
            if (part.encoding_text) break;
            part.encoding_text = keep(value);
            part.encoding = parse_encoding(value);
            break;
        case FieldId::ContentId: text(part.id); break;
        case FieldId::ContentDescription: text(part.description); break;
        case FieldId::ContentDisposition: content_disposition(value, part); break;
        case FieldId::ContentLanguage: content_language(value, part); break;
        case FieldId::ContentLocation: text(part.location); break;
        case FieldId::ContentMd5: text(part.md5); break;
        case FieldId::Date:
            if (stack.size() == 1 && !envelope.date) out.sent = parse_date(value);
            text(envelope.date);
            break;
        case FieldId::Subject:
            if (stack.size() == 1 && !envelope.subject) {
                const auto base = base_subject(value);
                out.base_subject = keep(base.text);
                out.reply_or_forward = base.reply_or_forward;
            }
            text(envelope.subject);
            break;
        case FieldId::From: list(header.from, false); break;
        case FieldId::Sender: list(header.sender, false); break;
        case FieldId::ReplyTo: list(header.reply_to, false); break;
        // RFC 5322 §3.6 allows one of each; mail merged by hand has more, and no recipient should
        // vanish.
        case FieldId::To: list(header.to, true); break;
        case FieldId::Cc: list(header.cc, true); break;
        case FieldId::Bcc: list(header.bcc, true); break;
        case FieldId::InReplyTo:
            if (stack.size() == 1 && !envelope.in_reply_to)
                out.in_reply_to = keep(parse_message_ids(value));
            text(envelope.in_reply_to);
            break;
        case FieldId::MessageId:
            if (stack.size() == 1 && !envelope.message_id)
                if (const auto ids = parse_message_ids(value, 1); !ids.empty())
                    out.message_id = keep(ids[0]);
            text(envelope.message_id);
            break;
        case FieldId::References:
            if (out.references.empty()) out.references = keep(parse_message_ids(value));
            break;
        case FieldId::Received: ++out.received; break;
        }
    }

    void content_type(std::string_view value, Part& part) {
        if (header.has_type) return;
        auto type = parse_content_type(value);
        if (!type) return; // RFC 2045 §5.2: then the default holds
        header.has_type = true;
        part.type = keep(type->type);
        part.subtype = keep(type->subtype);
        part.parameters = keep(type->parameters);
    }
    void content_disposition(std::string_view value, Part& part) {
        if (header.has_disposition) return;
        const auto disposition = parse_content_disposition(value);
        if (!disposition) return;
        header.has_disposition = true;
        part.disposition = keep(disposition->type);
        part.disposition_parameters = keep(disposition->parameters);
    }
    void content_language(std::string_view value, Part& part) {
        if (!part.languages.empty()) return;
        std::vector<std::string> languages;
        while (!value.empty() && languages.size() < languages_max) {
            const auto comma = std::min(value.find(','), value.size());
            if (const auto tag = codec::trim(value.substr(0, comma)); !tag.empty())
                languages.emplace_back(tag);
            value.remove_prefix(std::min(comma + 1, value.size()));
        }
        part.languages = keep(languages);
    }
    void add_addresses(std::string_view value, std::vector<AddressView>& into) {
        const auto list = parse_addresses(value, options.addresses_max);
        for (const auto& address : list) {
            if (addresses == options.addresses_max || !room_for(sizeof(AddressView)))
                return truncated(Truncation::Texts);
            ++addresses;
            into.push_back({address.kind, keep(address.name), keep(address.route),
                            keep(address.local), keep(address.domain)});
        }
    }

    // The header of the innermost part ends: the body's first octet is at `body_begin`.
    void end_header(std::uint64_t body_begin, std::uint32_t separator) {
        finish_field();
        in_header = false;
        auto& frame = stack.back();
        const auto index = frame.part;
        auto& part = out.parts[index];
        part.body_begin = body_begin;
        part.separator_octets = separator;
        // The line under way is counted already; it may be the body's first.
        frame.lines_before_body = out.lines - (body_begin < position ? 1 : 0);
        if (frame.is_message) finish_envelope(part);
        if (!header.has_type) default_type(part);
        open_body();
    }
    void default_type(Part& part) {
        const bool digest = part.parent != no_part && stack[stack.size() - 2].is_digest;
        part.type = digest ? "message" : "text"; // RFC 2046 §5.1.5, RFC 2045 §5.2
        part.subtype = digest ? "rfc822" : "plain";
        if (digest) return;
        const auto parameters = out.storage.make<ParameterView>(1);
        parameters[0] = {"charset", "us-ascii"};
        part.parameters = parameters;
    }

    void finish_envelope(Part& part) {
        auto& envelope = out.storage.make<Envelope>(1).front();
        envelope = header.envelope;
        envelope.from = out.storage.keep(header.from);
        envelope.sender = out.storage.keep(header.sender);
        envelope.reply_to = out.storage.keep(header.reply_to);
        envelope.to = out.storage.keep(header.to);
        envelope.cc = out.storage.keep(header.cc);
        envelope.bcc = out.storage.keep(header.bcc);
        part.envelope = &envelope;
    }

    // Parts.

    bool may_add_part() {
        if (out.parts.size() < options.parts_max) return true;
        truncated(Truncation::Parts);
        return false;
    }

    void open_part(std::uint64_t header_begin) {
        Frame frame;
        frame.part = static_cast<PartIndex>(out.parts.size());
        frame.is_message = stack.empty() || part_of(stack.back()).kind == Part::Kind::Message;
        Part part;
        part.header_begin = part.body_begin = part.end = header_begin;
        if (!stack.empty()) {
            auto& parent = stack.back();
            part.parent = parent.part;
            if (parent.last_child == no_part)
                part_of(parent).first_child = frame.part;
            else
                out.parts[parent.last_child].next_sibling = frame.part;
            parent.last_child = frame.part;
        }
        out.parts.push_back(part);
        stack.push_back(frame);
        header = Header();
        in_header = true;
    }

    // The header of the innermost part is known: what is its body?
    void open_body() {
        auto& frame = stack.back();
        auto& part = part_of(frame);
        const bool is_multipart = part.type == "multipart";
        const bool is_message =
            part.type == "message" && (part.subtype == "rfc822" || part.subtype == "global");
        if (is_multipart || is_message) {
            if (stack.size() >= options.depth_max) {
                truncated(Truncation::Depth);
            } else if (is_multipart) {
                open_multipart(frame, part);
            } else if (may_add_part()) {
                part.kind = Part::Kind::Message;
                open_part(part.body_begin);
                return;
            }
        }
        begin_preview(out.parts[stack.back().part]);
    }

    void open_multipart(Frame& frame, Part& part) {
        auto boundary = decoded_boundary(part);
        if (boundary.empty() || boundary.size() > boundary_octets_max) return;
        frame.boundary = boundary;
        frame.is_digest = part.subtype == "digest";
        part.kind = Part::Kind::Multipart;
        const auto level = stack.size() - 1;
        const auto [place, is_new] = boundaries.try_emplace(boundary, level);
        if (!is_new) {
            frame.shadowed = place->second + 1;
            place->second = level;
        }
    }

    std::string_view decoded_boundary(const Part& part) {
        if (const auto plain = plain_parameter(part.parameters, "boundary"))
            return without_blanks_behind(*plain);
        if (const auto extended = decoded_parameter(part.parameters, "boundary"))
            return without_blanks_behind(keep(*extended));
        return {};
    }
    static std::string_view without_blanks_behind(std::string_view text) {
        while (!text.empty() && codec::is_wsp(text.back())) text.remove_suffix(1);
        return text;
    }

    void begin_preview(const Part& part) {
        if (preview.done() || previews == previews_max) return;
        for (std::size_t level = 0; level + 1 < stack.size(); ++level)
            if (part_of(stack[level]).kind == Part::Kind::Message) return;
        if (part.kind == Part::Kind::Multipart) {
            // Read only in case that no delimiter ever comes.
            if (stack.size() > 1) return;
            preview.begin(
                PartTextDecoder(Encoding::Bit7, "", false, PartTextDecoder::Html::AsText));
            preamble_preview = true;
            return;
        }
        const bool readable =
            part.type == "multipart" ||
            (part.type == "text" &&
             (part.subtype == "plain" || part.subtype == "html" || part.parent == no_part));
        if (readable && part.disposition != "attachment") {
            ++previews;
            preview.begin(PartTextDecoder(part, PartTextDecoder::Html::AsText));
        }
    }

    void body(std::string_view text) {
        if (preview.wants() && !text.empty()) {
            work += text.size();
            preview.add(text);
        }
    }

    // Whether a line is a delimiter of an open multipart; then it is obeyed.
    bool delimiter(std::string_view text) {
        if (!text.starts_with("--") || text.size() > delimiter_octets_max) return false;
        text = without_blanks_behind(without_line_end(text)).substr(2);
        work += text.size();
        bool last = false;
        auto place = boundaries.find(text);
        if (place == boundaries.end() && text.ends_with("--")) {
            place = boundaries.find(without_blanks_behind(text.substr(0, text.size() - 2)));
            last = true;
        }
        if (place == boundaries.end()) return false;
        const auto level = place->second;
        if (!last && !may_add_part()) {
            // What follows is part of what is open; so are the other delimiters.
            return false;
        }
        // The line end before a delimiter belongs to it (RFC 2046 §5.1.1).
        auto end = line_begin - previous_end;
        const auto lines = out.lines - 1; // without the delimiter
        while (stack.size() > level + 1) end = close_part(end, lines, previous_empty);
        auto& frame = stack[level];
        if (line_8bit) frame.any_8bit = part_of(frame).body_8bit = true;
        line_8bit = false;
        if (last) {
            forget_boundary(frame);
            in_header = false;
        } else {
            if (preamble_preview) preview.drop();
            preamble_preview = false;
            open_part(position);
        }
        return true;
    }

    void forget_boundary(Frame& frame) {
        if (frame.boundary.empty()) return;
        const auto place = boundaries.find(frame.boundary);
        if (frame.shadowed > 0) {
            place->second = frame.shadowed - 1;
        } else {
            boundaries.erase(place);
        }
        frame.boundary = {};
    }

    // The innermost part ends at `end`; `lines` are complete before it, of which the last lost its
    // end to a delimiter (and so is no line if it was empty) or stands whole.
    // Returns where it really ends: a part that has nothing at all ends where it began, and what is
    // around it not before.
    std::uint64_t close_part(std::uint64_t end, std::uint64_t lines, bool last_line_empty) {
        if (in_header) {
            const auto begin = part_of(stack.back()).header_begin;
            end = std::max(end, begin);
            while (in_header) end_header(end, 0); // a message inside begins and ends here as well
            stack.back().lines_before_body = lines;
        }
        auto frame = stack.back();
        stack.pop_back();
        forget_boundary(frame);
        auto& part = out.parts[frame.part];
        part.end = std::max(end, part.body_begin);
        if (lines > frame.lines_before_body && part.end > part.body_begin) {
            part.body_lines = lines - frame.lines_before_body -
                              (last_line_empty && part.end < line_begin ? 1 : 0);
        }
        if (part.kind == Part::Kind::Multipart && part.first_child == no_part)
            part.kind = Part::Kind::Leaf;
        if (!preamble_preview) preview.end();
        const auto ended = part.end;
        if (!stack.empty() && frame.any_8bit) {
            stack.back().any_8bit = true;
            part_of(stack.back()).body_8bit = true;
        }
        return ended;
    }

    Structure finish() {
        if (position > line_begin) {
            if (after_cr) out.bare_cr = true;
            ++out.lines; // without its end, but a line
            complete_partial_line(0);
        }
        out.octets = position;
        for (auto end = position; !stack.empty();) end = close_part(end, out.lines, false);
        if (preamble_preview) preview.end();
        out.preview = out.storage.keep(preview.text());
        return std::move(out);
    }
};

Parser::Parser(const ParserOptions& options) : machine_(std::make_unique<Machine>(options)) {}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::feed(std::string_view octets) {
    MAILCORE_ASSERT(!machine_->stack.empty());
    machine_->feed(octets);
}

Structure Parser::finish() {
    MAILCORE_ASSERT(!machine_->stack.empty());
    return machine_->finish();
}

std::uint64_t Parser::work() const { return machine_->work; }

Structure parse(std::string_view message, const ParserOptions& options) {
    Parser parser(options);
    parser.feed(message);
    return parser.finish();
}

} // namespace mailcore::mime
