#include "libmailcore/mime/content_type.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/address.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"

#include <algorithm>

namespace mailcore::mime {

namespace {

constexpr std::size_t piece_octets_max = 55; // of a parameter's value, so that its line stays short

bool is_token_character(char c) {
    return codec::is_visible(c) &&
           std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

// RFC 2231 §7: what an extended value shows as it is.
bool is_attribute_character(char c) {
    return is_token_character(c) && c != '*' && c != '\'' && c != '%';
}

// A parameter as it stands in the field: "name*2*=value".
struct Segment {
    std::string name; // without stars and number
    std::optional<std::uint32_t> number;
    bool extended = false;
    std::string value;
};

// Reads structured fields of MIME; `text_` is unfolded.
class FieldReader {
  public:
    explicit FieldReader(std::string_view text) : rest_(text) {}

    void skip_blanks() {
        for (;;) {
            rest_ = codec::trim_left(rest_);
            if (!rest_.starts_with('(')) return;
            std::size_t depth = 0;
            std::size_t i = 0;
            for (; i < rest_.size(); ++i) {
                if (rest_[i] == '\\')
                    ++i;
                else if (rest_[i] == '(')
                    ++depth;
                else if (rest_[i] == ')' && --depth == 0)
                    break;
            }
            rest_.remove_prefix(std::min(i + 1, rest_.size()));
        }
    }
    // Characters up to one of `ends`, a blank or a comment, in lower case.
    std::string word(std::string_view ends) {
        skip_blanks();
        std::size_t size = 0;
        while (size < rest_.size() && !codec::is_space(rest_[size]) && rest_[size] != '(' &&
               ends.find(rest_[size]) == std::string_view::npos)
            ++size;
        auto out = codec::lower(rest_.substr(0, size));
        rest_.remove_prefix(size);
        skip_blanks();
        return out;
    }
    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    // "; name=value" again and again, to the end.
    std::vector<Parameter> parameters() {
        std::vector<Segment> segments;
        while (!rest_.empty() && segments.size() < parameters_max) {
            skip_blanks();
            if (take(';')) continue;
            auto name = word("=;\"");
            if (!take('=')) {
                if (name.empty() && !rest_.empty()) rest_.remove_prefix(1);
                continue;
            }
            auto value = this->value();
            if (auto segment = segment_of(std::move(name), std::move(value)))
                segments.push_back(std::move(*segment));
        }
        return joined(segments);
    }

  private:
    std::string value() {
        skip_blanks();
        if (take('"')) return quoted();
        // Without quotes: to the ";". A blank inside ends it if a comment or another "name="
        // follows (the ";" was forgotten), else the quotes were.
        std::string out;
        for (;;) {
            std::size_t size = 0;
            while (size < rest_.size() && !codec::is_space(rest_[size]) && rest_[size] != ';')
                ++size;
            out += rest_.substr(0, size);
            rest_.remove_prefix(size);
            const auto blanks = rest_.size() - codec::trim_left(rest_).size();
            const auto next = rest_.substr(blanks);
            if (next.empty() || next.starts_with(';') || next.starts_with('(') ||
                begins_parameter(next))
                return out;
            out += rest_.substr(0, blanks);
            rest_.remove_prefix(blanks);
        }
    }
    static bool begins_parameter(std::string_view text) {
        std::size_t size = 0;
        while (size < text.size() && is_token_character(text[size])) ++size;
        if (size == 0) return false;
        text = codec::trim_left(text.substr(size));
        return text.starts_with('=') && !text.starts_with("=?");
    }
    std::string quoted() {
        std::string out;
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') break;
            if (c == '\\' && !rest_.empty()) {
                out += rest_.front();
                rest_.remove_prefix(1);
            } else {
                out += c;
            }
        }
        return out;
    }

    // Takes "name", "name*", "name*2" and "name*2*" apart; nothing if it is none of them.
    static std::optional<Segment> segment_of(std::string name, std::string value) {
        Segment segment;
        segment.value = std::move(value);
        std::string_view rest = name;
        const auto star = std::min(rest.find('*'), rest.size());
        segment.name = rest.substr(0, star);
        rest.remove_prefix(star);
        if (!is_token(segment.name)) return std::nullopt;
        if (!rest.empty()) {
            rest.remove_prefix(1);
            if (rest.empty()) {
                segment.extended = true;
                return segment;
            }
            segment.number = codec::take_number<std::uint32_t>(rest);
            if (!segment.number) return std::nullopt;
            if (rest == "*")
                segment.extended = true;
            else if (!rest.empty())
                return std::nullopt;
        }
        return segment;
    }

    static std::vector<Parameter> joined(std::vector<Segment>& segments) {
        std::vector<Parameter> out;
        const auto add = [&](std::string name, std::string value) {
            for (const auto& other : out)
                if (other.name == name) return;
            out.push_back({std::move(name), std::move(value)});
        };
        for (std::size_t i = 0; i < segments.size(); ++i) {
            auto& segment = segments[i];
            if (!segment.number) {
                add(segment.name + (segment.extended ? "*" : ""), std::move(segment.value));
                continue;
            }
            std::vector<const Segment*> pieces;
            for (const auto& other : segments)
                if (other.number && other.name == segment.name) pieces.push_back(&other);
            std::stable_sort(pieces.begin(), pieces.end(),
                             [](const auto* a, const auto* b) { return *a->number < *b->number; });
            if (pieces.front()->extended)
                add(segment.name + '*', extended_value(pieces));
            else
                add(segment.name, plain_value(pieces));
        }
        return out;
    }
    // The first piece says the charset, so the whole is one extended value.
    static std::string extended_value(const std::vector<const Segment*>& pieces) {
        std::string out;
        for (const auto* piece : pieces) {
            if (piece->extended) {
                out += piece->value;
                continue;
            }
            for (const char c : piece->value) {
                if (is_attribute_character(c)) {
                    out += c;
                } else {
                    out += '%';
                    out += codec::hex_digits_upper[static_cast<unsigned char>(c) >> 4];
                    out += codec::hex_digits_upper[static_cast<unsigned char>(c) & 15];
                }
            }
        }
        return out;
    }
    static std::string plain_value(const std::vector<const Segment*>& pieces);

    std::string_view rest_; // of the caller's text, during the one call
};

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && codec::hex_value(text[i + 1]) >= 0 &&
            codec::hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(codec::hex_value(text[i + 1]) << 4 |
                                     codec::hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string FieldReader::plain_value(const std::vector<const Segment*>& pieces) {
    std::string out;
    for (const auto* piece : pieces)
        out += piece->extended ? percent_decoded(piece->value) : piece->value;
    return out;
}

// charset'language'octets
std::string decode_extended(std::string_view value) {
    const auto first = value.find('\'');
    const auto second = first == std::string_view::npos ? first : value.find('\'', first + 1);
    if (second == std::string_view::npos) return codec::to_utf8(percent_decoded(value), "");
    std::string out;
    codec::CharsetDecoder decoder(value.substr(0, first), codec::CharsetRange::Usual);
    decoder.decode(percent_decoded(value.substr(second + 1)), out);
    decoder.finish(out);
    return out;
}

template <class P>
std::optional<std::string> decoded(std::span<const P> parameters, std::string_view name) {
    std::optional<std::string> plain;
    for (const auto& parameter : parameters) {
        const std::string_view its_name = parameter.name;
        const std::string_view value = parameter.value;
        if (its_name.size() == name.size() + 1 && its_name.ends_with('*') &&
            its_name.starts_with(name))
            return decode_extended(value);
        if (its_name == name && !plain)
            plain = value.find("=?") != std::string_view::npos ? decode_encoded_words(value)
                                                               : codec::to_utf8(value, "");
    }
    return plain;
}

} // namespace

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

std::optional<ContentType> parse_content_type(std::string_view value) {
    const auto text = unfolded(value);
    FieldReader reader(text);
    ContentType out;
    out.type = reader.word("/;");
    out.subtype.clear();
    if (reader.take('/')) out.subtype = reader.word(";/");
    // "text" alone was all that some mailers wrote before MIME was settled.
    else if (out.type == "text")
        out.subtype = "plain";
    if (!is_token(out.type) || !is_token(out.subtype)) return std::nullopt;
    if (reader.take('/')) {
        const auto ignored = reader.word(";");
        static_cast<void>(ignored);
    }
    out.parameters = reader.parameters();
    return out;
}

std::optional<ContentDisposition> parse_content_disposition(std::string_view value) {
    const auto text = unfolded(value);
    FieldReader reader(text);
    ContentDisposition out;
    out.type = reader.word(";=");
    if (out.type.empty() && text.empty()) return std::nullopt;
    if (reader.take('=')) { // the type was forgotten: what was read is the first parameter
        reader = FieldReader(text);
        out.type.clear();
    }
    // RFC 2183 §2.8: unrecognised types are attachments; what is no token is not recognised.
    if (!is_token(out.type)) out.type = "attachment";
    out.parameters = reader.parameters();
    return out;
}

std::optional<std::string> decoded_parameter(std::span<const ParameterView> parameters,
                                             std::string_view name) {
    return decoded(parameters, name);
}
std::optional<std::string> decoded_parameter(std::span<const Parameter> parameters,
                                             std::string_view name) {
    return decoded(parameters, name);
}

void append_parameter(std::string_view name, std::string_view value, std::string& into) {
    const bool printable = std::all_of(value.begin(), value.end(),
                                       [](char c) { return c == ' ' || codec::is_visible(c); });
    const auto begin = [&](std::string_view suffix) {
        into += "; ";
        into += name;
        into += suffix;
        into += '=';
    };
    if (printable && value.size() <= piece_octets_max) {
        begin("");
        into += is_token(value) ? std::string(value) : quoted_string(value);
        return;
    }
    std::string number;
    for (std::size_t piece = 0; piece == 0 || !value.empty(); ++piece) {
        number = '*';
        codec::append_number(number, piece);
        if (printable) {
            begin(number);
            into += quoted_string(value.substr(0, piece_octets_max / 2));
            value.remove_prefix(std::min(value.size(), piece_octets_max / 2));
            continue;
        }
        begin(number + '*');
        const std::string_view charset = piece == 0 ? "utf-8''" : "";
        into += charset;
        std::size_t width = charset.size();
        std::size_t taken = 0;
        while (taken < value.size() && width + 3 <= piece_octets_max) {
            const char c = value[taken++];
            if (is_attribute_character(c)) {
                into += c;
                ++width;
            } else {
                into += '%';
                into += codec::hex_digits_upper[static_cast<unsigned char>(c) >> 4];
                into += codec::hex_digits_upper[static_cast<unsigned char>(c) & 15];
                width += 3;
            }
        }
        value.remove_prefix(taken);
    }
}

Encoding parse_encoding(std::string_view value) {
    const auto text = unfolded(value);
    auto word = FieldReader(text).word(";,");
    if (word.size() >= 2 && word.front() == '"' && word.back() == '"')
        word = word.substr(1, word.size() - 2);
    if (word.empty() || word == "7bit" || word == "7-bit") return Encoding::Bit7;
    if (word == "8bit" || word == "8-bit") return Encoding::Bit8;
    if (word == "binary") return Encoding::Binary;
    if (word == "base64") return Encoding::Base64;
    if (word == "quoted-printable") return Encoding::QuotedPrintable;
    return Encoding::Other;
}

std::string_view to_string(Encoding encoding) {
    switch (encoding) {
    case Encoding::Bit7: return "7bit";
    case Encoding::Bit8: return "8bit";
    case Encoding::Binary: return "binary";
    case Encoding::Base64: return "base64";
    case Encoding::QuotedPrintable: return "quoted-printable";
    case Encoding::Other: break;
    }
    return "";
}

} // namespace mailcore::mime
