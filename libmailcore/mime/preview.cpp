#include "libmailcore/mime/detail/preview.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"

namespace mailcore::mime {

namespace {

// Of one part: newsletters have their first words behind so much of styles.
constexpr std::size_t body_octets_max = 256 * 1024;
constexpr std::size_t piece_octets = 2048;

} // namespace

void PreviewBuilder::begin(PartTextDecoder decoder) {
    if (left_ == 0) return;
    decoder_ = std::move(decoder);
    body_octets_ = 0;
    blank_ = false;
}

void PreviewBuilder::add(std::string_view body) {
    body = body.substr(0, body_octets_max - body_octets_);
    body_octets_ += body.size();
    while (decoder_ && !body.empty()) {
        decoder_->decode(body.substr(0, piece_octets), decoded_);
        body.remove_prefix(std::min(body.size(), piece_octets));
        collect();
    }
    if (body_octets_ == body_octets_max) decoder_.reset();
}

void PreviewBuilder::end() {
    if (!decoder_) return;
    decoder_->finish(decoded_);
    collect();
    decoder_.reset();
}

void PreviewBuilder::drop() {
    if (!decoder_) return;
    left_ += codec::utf8_length(text_);
    text_.clear();
    decoder_.reset();
}

void PreviewBuilder::collect() {
    std::string_view rest = decoded_;
    while (!rest.empty()) {
        const auto step = codec::decode_utf8(rest);
        if (step.cut) { // the rest of the character comes with the next piece
            decoded_.erase(0, decoded_.size() - rest.size());
            return;
        }
        const auto character = rest.substr(0, step.octets);
        rest.remove_prefix(step.octets);
        const bool blank =
            (step.octets == 1 && (character[0] == ' ' || codec::is_control(character[0]))) ||
            step.character == 0xA0 || step.character == 0x2028 || step.character == 0x3000 ||
            (step.character >= 0x80 && step.character < 0xA0);
        if (blank || step.character == 0xFEFF || step.character == 0x200B) {
            blank_ = blank_ || blank;
            continue;
        }
        const bool space = blank_ && !text_.empty();
        if (left_ < (space ? 2U : 1U)) {
            decoder_.reset();
            break;
        }
        if (space) text_ += ' ';
        left_ -= space ? 2 : 1;
        blank_ = false;
        text_ += character;
    }
    decoded_.clear();
    if (left_ == 0) decoder_.reset();
}

} // namespace mailcore::mime
