// A message as a JSON tree of its parts.
#include "bindings/c/boundary.h"

#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/section.h"
#include "libmailcore/mime/text.h"

#include <nlohmann/json.hpp>

using namespace mailcore;

namespace {

using Json = nlohmann::ordered_json;

/// Fields of all parts' headers that are shown; the parser looks at more.
constexpr std::size_t fields_max = 20'000;

Json addresses_of(std::span<const mime::AddressView> list) {
    Json out = Json::array();
    for (const auto& each : list)
        if (each.kind == mime::Address::Kind::Mailbox)
            out.push_back(Json{{"name", mime::decode_encoded_words(each.name)},
                               {"address", each.domain.empty() ? std::string(each.local)
                                                               : std::string(each.local) + "@" +
                                                                     std::string(each.domain)}});
    return out;
}

class Tree {
  public:
    Tree(std::string_view message, const mime::Structure& structure, std::size_t text_octets_max)
        : message_(message), structure_(structure), text_octets_left_(text_octets_max) {}

    /// Recursion is bounded by the parser's depth_max.
    Json part(mime::PartIndex index) {
        const auto& part = structure_.parts[index];
        Json out{{"number", mime::part_numbers(structure_, index)},
                 {"type", std::string(part.type) + "/" + std::string(part.subtype)},
                 {"charset", part.charset()},
                 {"encoding", part.encoding_text.value_or("")},
                 {"disposition", part.disposition.value_or("")},
                 {"file_name", part.file_name().value_or("")},
                 {"content_id", part.id.value_or("")},
                 {"offset", part.body_begin},
                 {"size", part.body_octets()},
                 {"header", header(part)}};
        if (part.kind == mime::Part::Kind::Leaf && part.type == "text" && text_octets_left_ > 0)
            out["text"] = text(part);
        Json children = Json::array();
        for (auto child = part.first_child; child != mime::no_part;
             child = structure_.parts[child].next_sibling)
            children.push_back(this->part(child));
        out["parts"] = std::move(children);
        return out;
    }

  private:
    Json header(const mime::Part& part) {
        Json out = Json::array();
        const auto begin = static_cast<std::size_t>(part.header_begin);
        mime::HeaderScanner scanner(
            message_.substr(begin, static_cast<std::size_t>(part.header_octets())));
        while (const auto field = scanner.next()) {
            if (fields_left_ == 0) break;
            --fields_left_;
            out.push_back(
                Json{{"name", field->name}, {"value", mime::decode_encoded_words(field->value)}});
        }
        return out;
    }
    std::string text(const mime::Part& part) {
        constexpr std::size_t step = 64 * 1024;
        mime::PartTextDecoder decoder(part, mime::PartTextDecoder::Html::AsIs);
        std::string out;
        auto body = mime::part_body(part, message_);
        while (!body.empty() && out.size() < text_octets_left_) {
            decoder.decode(body.substr(0, step), out);
            body.remove_prefix(std::min(step, body.size()));
        }
        if (out.size() < text_octets_left_) decoder.finish(out);
        out = std::string(codec::utf8_prefix(out, text_octets_left_));
        text_octets_left_ -= out.size();
        return out;
    }

    std::string_view message_;         // the caller's
    const mime::Structure& structure_; // the caller's
    std::size_t text_octets_left_;
    std::size_t fields_left_ = fields_max;
};

Json json_of(std::string_view message, std::size_t text_octets_max) {
    const auto structure = mime::parse(message);
    const auto& envelope = structure.envelope();
    Json references = Json::array();
    for (const auto id : structure.references) references.push_back(id);
    Json in_reply_to = Json::array();
    for (const auto id : structure.in_reply_to) in_reply_to.push_back(id);
    Json out{
        {"size", structure.octets},
        {"lines", structure.lines},
        {"truncated", structure.truncated != 0},
        {"subject", mime::decode_encoded_words(envelope.subject.value_or(""))},
        {"date", envelope.date.value_or("")},
        {"message_id", structure.message_id},
        {"in_reply_to", std::move(in_reply_to)},
        {"references", std::move(references)},
        {"from", addresses_of(envelope.from)},
        {"sender", addresses_of(envelope.sender)},
        {"reply_to", addresses_of(envelope.reply_to)},
        {"to", addresses_of(envelope.to)},
        {"cc", addresses_of(envelope.cc)},
        {"bcc", addresses_of(envelope.bcc)},
        {"preview", structure.preview},
        {"has_attachment", structure.has_attachment()},
    };
    out["part"] = Tree(message, structure, text_octets_max).part(0);
    return out;
}

} // namespace

extern "C" mailcore_status mailcore_mime_json(const char* octets, size_t octets_length,
                                              size_t text_octets_max, char** answer,
                                              char** why) noexcept {
    if (answer) *answer = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::needed(answer, "answer"));
        MAILCORE_TRY(const auto message, c::take_octets(octets, octets_length));
        c::hand_out(
            answer,
            json_of(message, text_octets_max).dump(-1, ' ', false, Json::error_handler_t::replace));
        return {};
    });
}
