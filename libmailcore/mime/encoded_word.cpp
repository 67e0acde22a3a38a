#include "libmailcore/mime/encoded_word.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/codec/utf8.h"

#include <algorithm>
#include <optional>

namespace mailcore::mime {

namespace {

constexpr std::size_t charset_octets_max = 64;
constexpr std::size_t word_octets_max = 75; // RFC 2047 §2
constexpr std::string_view word_q = "=?utf-8?q?";
constexpr std::string_view word_b = "=?utf-8?b?";
constexpr std::string_view word_end = "?=";

struct Word {
    std::string_view charset;
    char encoding; // 'b' or 'q'
    std::string_view text;
    std::size_t octets; // of the whole word
};

// The encoded word that `text` begins with.
std::optional<Word> word_at(std::string_view text) {
    if (!text.starts_with("=?")) return std::nullopt;
    std::size_t at = 2;
    while (at < text.size() && at < charset_octets_max && text[at] != '?' &&
           codec::is_visible(text[at]))
        ++at;
    if (at == 2 || at + 2 >= text.size() || text[at] != '?' || text[at + 2] != '?')
        return std::nullopt;
    const char encoding = codec::lower(text[at + 1]);
    if (encoding != 'b' && encoding != 'q') return std::nullopt;
    const auto charset = text.substr(2, at - 2);
    const auto start = at + 3;
    const auto end = text.find(word_end, start);
    if (end == std::string_view::npos) return std::nullopt;
    return Word{charset.substr(0, charset.find('*')), encoding, text.substr(start, end - start),
                end + word_end.size()};
}

// Joins the octets of neighbouring words of one charset, so that a character cut in two comes out
// whole.
class WordDecoder {
  public:
    explicit WordDecoder(std::string& out) : out_(out) {}

    void word(const Word& word) {
        if (!decoder_ || !codec::equal_ignoring_case(charset_, word.charset)) {
            end();
            charset_ = word.charset;
            decoder_.emplace(word.charset, codec::CharsetRange::Usual);
        }
        octets_.clear();
        if (word.encoding == 'b') {
            codec::Base64Decoder base64;
            base64.decode(word.text, octets_);
            base64.finish(octets_);
        } else {
            q_text(word.text);
        }
        decoder_->decode(octets_, out_);
    }
    void end() {
        if (decoder_) decoder_->finish(out_);
        decoder_.reset();
    }

  private:
    // White space that folding put into the text says nothing; a lone space was meant as one.
    void q_text(std::string_view text) {
        if (text.find('\n') == std::string_view::npos) return codec::q_decode(text, octets_);
        std::string joined;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '\n') {
                joined += text[i];
                continue;
            }
            while (!joined.empty() && codec::is_space(joined.back())) joined.pop_back();
            while (i + 1 < text.size() && codec::is_wsp(text[i + 1])) ++i;
        }
        codec::q_decode(joined, octets_);
    }

    std::string& out_; // of the one call of decode_encoded_words
    std::optional<codec::CharsetDecoder> decoder_;
    std::string_view charset_; // of the text under decoding
    std::string octets_;
};

void append_plain(std::string_view text, std::string& out) {
    if (codec::is_ascii(text)) {
        out += text;
        return;
    }
    codec::CharsetDecoder guess("");
    guess.decode(text, out);
    guess.finish(out);
}

bool is_white(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return codec::is_space(c); });
}

// Line ends of folding go, what else controls becomes a space: the result is one line.
std::string on_one_line(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') continue;
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        out += text[i];
    }
    return out;
}

} // namespace

std::string decode_encoded_words(std::string_view text) {
    text = codec::trim(text);
    std::string out;
    out.reserve(text.size());
    if (text.find("=?") == std::string_view::npos) {
        append_plain(on_one_line(text), out);
    } else {
        WordDecoder words(out);
        bool after_word = false;
        // Behind the last "?=" no word can end, so nothing there is searched for one.
        const auto last_end = text.rfind(word_end);
        auto left = last_end == std::string_view::npos ? 0 : last_end + word_end.size();
        while (!text.empty()) {
            std::optional<Word> word;
            auto begin = text.substr(0, left).find("=?");
            while (begin != std::string_view::npos &&
                   !(word = word_at(text.substr(begin, left - begin))))
                begin = text.substr(0, left).find("=?", begin + 2);
            const auto plain = text.substr(0, begin);
            if (!plain.empty() && !(after_word && word && is_white(plain))) {
                words.end();
                append_plain(on_one_line(plain), out);
            }
            if (!word) break;
            words.word(*word);
            after_word = true;
            text.remove_prefix(begin + word->octets);
            left -= begin + word->octets;
        }
        words.end();
    }
    for (char& c : out)
        if (codec::is_control(c)) c = ' ';
    return out;
}

namespace {

bool needs_words(std::string_view text) {
    return text.find("=?") != std::string_view::npos ||
           !std::all_of(text.begin(), text.end(), [](char c) { return codec::is_visible(c); });
}

// `text` as encoded words with spaces between, none cutting a character in two.
void append_words(std::string_view text, std::size_t first_octets_max, std::string& out) {
    std::size_t q_octets = 0;
    for (const char c : text) q_octets += codec::q_width(c);
    const bool q = q_octets <= (text.size() + 2) / 3 * 4;
    const auto prefix = q ? word_q : word_b;
    auto room = std::max<std::size_t>(first_octets_max, prefix.size() + word_end.size() + 12);
    for (bool first = true; first || !text.empty(); first = false) {
        const auto payload_max = std::min(room, word_octets_max) - prefix.size() - word_end.size();
        std::size_t octets = 0;
        std::size_t payload = 0;
        while (octets < text.size()) {
            const auto size = codec::decode_utf8(text.substr(octets)).octets;
            std::size_t width = 0;
            if (q) {
                for (const char c : text.substr(octets, size)) width += codec::q_width(c);
                if (payload + width > payload_max) break;
                payload += width;
            } else if ((octets + size + 2) / 3 * 4 > payload_max) {
                break;
            }
            octets += size;
        }
        if (!first) out += ' ';
        out += prefix;
        if (q)
            codec::q_encode(text.substr(0, octets), out);
        else
            codec::base64_encode(text.substr(0, octets), out);
        out += word_end;
        text.remove_prefix(octets);
        room = word_octets_max;
    }
}

} // namespace

std::string encode_words(std::string_view text, std::size_t first_octets_max) {
    const auto sane = codec::sanitised_utf8(text);
    text = sane;
    // From the first to the last blank-separated piece that needs it.
    std::size_t begin = text.size();
    std::size_t end = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto blank = std::min(text.find(' ', at), text.size());
        if (needs_words(text.substr(at, blank - at)) && blank > at) {
            begin = std::min(begin, at);
            end = blank;
        }
        at = blank + 1;
    }
    if (begin >= end) return sane;
    std::string out(text.substr(0, begin));
    append_words(text.substr(begin, end - begin),
                 begin < first_octets_max ? first_octets_max - begin : 0, out);
    out += text.substr(end);
    return out;
}

std::string encode_phrase(std::string_view text) {
    std::string out;
    append_words(codec::sanitised_utf8(text), word_octets_max, out);
    return out;
}

} // namespace mailcore::mime
