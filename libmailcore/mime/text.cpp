#include "libmailcore/mime/text.h"

#include "libmailcore/base/overloaded.h"

#include <algorithm>

namespace mailcore::mime {

BodyDecoder::BodyDecoder(Encoding encoding) {
    if (encoding == Encoding::Base64)
        decoder_.emplace<codec::Base64Decoder>();
    else if (encoding == Encoding::QuotedPrintable)
        decoder_.emplace<codec::QuotedPrintableDecoder>();
}

void BodyDecoder::decode(std::string_view octets, std::string& into) {
    std::visit(overloaded{[&](std::monostate) { into += octets; },
                          [&](auto& decoder) { decoder.decode(octets, into); }},
               decoder_);
}

void BodyDecoder::finish(std::string& into) {
    std::visit(overloaded{[](std::monostate) {}, [&](auto& decoder) { decoder.finish(into); }},
               decoder_);
}

bool BodyDecoder::damaged() const {
    return std::visit(overloaded{[](std::monostate) { return false; },
                                 [](const auto& decoder) { return decoder.damaged(); }},
                      decoder_);
}

PartTextDecoder::PartTextDecoder(Encoding encoding, std::string_view charset, bool is_html,
                                 Html html)
    : body_(encoding), charset_(charset) {
    if (is_html && html == Html::AsText) html_.emplace();
}

PartTextDecoder::PartTextDecoder(const Part& part, Html html)
    : PartTextDecoder(part.encoding, part.charset(), part.is("text", "html"), html) {}

void PartTextDecoder::decode(std::string_view octets, std::string& into) {
    decoded_.clear();
    body_.decode(octets, decoded_);
    if (!html_) return charset_.decode(decoded_, into);
    text_.clear();
    charset_.decode(decoded_, text_);
    html_->decode(text_, into);
}

void PartTextDecoder::finish(std::string& into) {
    decoded_.clear();
    body_.finish(decoded_);
    text_.clear();
    charset_.decode(decoded_, text_);
    charset_.finish(text_);
    if (html_) {
        html_->decode(text_, into);
        html_->finish(into);
    } else {
        into += text_;
    }
}

std::string part_text(const Part& part, std::string_view body, PartTextDecoder::Html html) {
    PartTextDecoder decoder(part, html);
    std::string out;
    decoder.decode(body, out);
    decoder.finish(out);
    return out;
}

std::string part_content(const Part& part, std::string_view body) {
    BodyDecoder decoder(part.encoding);
    std::string out;
    decoder.decode(body, out);
    decoder.finish(out);
    return out;
}

std::string_view part_body(const Part& part, std::string_view message) {
    const auto begin = std::min<std::uint64_t>(part.body_begin, message.size());
    return message.substr(begin, part.end - part.body_begin);
}

} // namespace mailcore::mime
