// Encodings and charsets: decoding never fails badly, cuts do not matter, and what is encoded comes
// back.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/base64.h"
#include "libmailcore/codec/bytes.h"
#include "libmailcore/codec/charset.h"
#include "libmailcore/codec/crc32c.h"
#include "libmailcore/codec/domain_name.h"
#include "libmailcore/codec/hex.h"
#include "libmailcore/codec/idna.h"
#include "libmailcore/codec/quoted_printable.h"
#include "libmailcore/codec/utf7.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/html.h"

using namespace mailcore;

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/corpus/fields",
                                        MAILCORE_SOURCE_DIR "/tests/corpus/mime", nullptr};
    return seeds;
}

namespace {

template <class Decoder>
std::string decode(Decoder decoder, std::string_view text, std::size_t piece) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        decoder.decode(text.substr(at, piece), out);
    decoder.finish(out);
    return out;
}

template <class Encoder>
std::string encode(Encoder encoder, std::string_view text, std::size_t piece) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        encoder.encode(text.substr(at, piece), out);
    encoder.finish(out);
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);

    MAILCORE_ASSERT(codec::base64_decode(codec::base64_encode(text)) == text);
    if (const auto octets = codec::base64_decode(text))
        MAILCORE_ASSERT(codec::base64_encode(*octets) == text);
    const auto base64 = decode(codec::Base64Decoder(), text, text.size() + 1);
    const auto quoted = decode(codec::QuotedPrintableDecoder(), text, text.size() + 1);
    const auto html = decode(mime::HtmlText(), text, text.size() + 1);
    for (const std::size_t piece : {1U, 3U, 7U}) {
        MAILCORE_ASSERT(decode(codec::Base64Decoder(), text, piece) == base64);
        MAILCORE_ASSERT(decode(codec::QuotedPrintableDecoder(), text, piece) == quoted);
        MAILCORE_ASSERT(decode(mime::HtmlText(), text, piece) == html);
        MAILCORE_ASSERT(
            decode(codec::Base64Decoder(), encode(codec::Base64Encoder(), text, piece), 5) == text);
        const auto binary =
            encode(codec::QuotedPrintableEncoder(codec::QuotedPrintableEncoder::Content::Binary),
                   text, piece);
        MAILCORE_ASSERT(decode(codec::QuotedPrintableDecoder(), binary, 5) == text);
    }

    MAILCORE_ASSERT(codec::is_utf8(codec::sanitised_utf8(text)));
    MAILCORE_ASSERT((codec::sanitised_utf8(text) == text) == codec::is_utf8(text));
    if (const auto nfc = codec::to_nfc(text)) MAILCORE_ASSERT(codec::to_nfc(*nfc) == nfc);
    MAILCORE_ASSERT(codec::is_utf8(codec::unicode_casemap(text)));
    MAILCORE_ASSERT(codec::is_utf8(codec::fold_case_sanitised(text)));

    if (const auto name = codec::mailbox_name_from_utf7(text))
        MAILCORE_ASSERT(codec::mailbox_name_to_utf7(*name) == text);
    if (const auto encoded = codec::mailbox_name_to_utf7(text))
        MAILCORE_ASSERT(codec::mailbox_name_from_utf7(*encoded) == text);

    // The first octet chooses the charset.
    static constexpr std::string_view charsets[] = {
        "utf-8", "",       "iso-8859-1", "gb18030",     "iso-2022-jp", "shift_jis",
        "utf-7", "utf-16", "big5",       "iso-2022-kr", "euc-jp",      "koi8-r"};
    const auto charset = charsets[size == 0 ? 0 : data[0] % std::size(charsets)];
    const auto converted = codec::to_utf8(text, charset);
    MAILCORE_ASSERT(codec::is_utf8(converted));
    for (const std::size_t piece : {1U, 3U})
        MAILCORE_ASSERT(decode(codec::CharsetDecoder(charset), text, piece) == converted);
    static_cast<void>(codec::is_known_charset(text));

    if (const auto domain = codec::canonical_domain(text)) {
        MAILCORE_ASSERT(codec::is_domain(*domain));
        MAILCORE_ASSERT(codec::canonical_domain(codec::domain_to_unicode(*domain)) == domain);
    }
    if (const auto address = codec::parse_address_literal(text))
        MAILCORE_ASSERT(codec::parse_address_literal(codec::to_address_literal(*address)) ==
                        address);
    if (const auto octets = codec::hex_decode(text)) MAILCORE_ASSERT(octets->size() * 2 == size);

    MAILCORE_ASSERT(codec::crc32c(text) == codec::crc32c_table(text));
    codec::Reader reader(text);
    while (reader.ok() && reader.remaining() > 0) {
        const auto before = text.substr(size - reader.remaining());
        const auto value = reader.varint();
        if (!reader.ok()) break;
        std::string again;
        codec::Writer(again).varint(value);
        MAILCORE_ASSERT(before.starts_with(again) &&
                        before.size() - again.size() == reader.remaining());
    }
    return 0;
}
