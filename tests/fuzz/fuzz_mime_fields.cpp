// The parsers of header fields: nothing breaks them, and what is written is read back.
#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/address.h"
#include "libmailcore/mime/content_type.h"
#include "libmailcore/mime/date.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/message_id.h"
#include "libmailcore/mime/received.h"
#include "libmailcore/mime/subject.h"
#include "libmailcore/mime/writer.h"

using namespace mailcore;

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/corpus/fields", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);

    const auto addresses = mime::parse_addresses(text, 100);
    MAILCORE_ASSERT(addresses.size() <= 101); // the end of a group closes it
    int depth = 0;
    for (const auto& address : addresses) {
        depth += address.kind == mime::Address::Kind::GroupBegin ? 1 : 0;
        depth -= address.kind == mime::Address::Kind::GroupEnd ? 1 : 0;
        MAILCORE_ASSERT(depth == 0 || depth == 1);
        MAILCORE_ASSERT(codec::is_utf8(address.display_name()));
    }
    MAILCORE_ASSERT(depth == 0);
    const auto written = mime::to_string(addresses);
    const auto field = mime::folded_field("To", written);
    MAILCORE_ASSERT(field.ends_with("\r\n"));
    mime::HeaderScanner scanner(field);
    MAILCORE_ASSERT(scanner.next().has_value());
    MAILCORE_ASSERT(!scanner.next() &&
                    scanner.header_octets() == field.size()); // one field, nothing more

    const auto decoded = mime::decode_encoded_words(text);
    MAILCORE_ASSERT(codec::is_utf8(decoded));
    MAILCORE_ASSERT(decoded.find_first_of("\r\n") == std::string::npos);
    // What is encoded is read back, but for control characters and blanks at the ends.
    const auto words = mime::encode_words(decoded);
    MAILCORE_ASSERT(codec::is_ascii(words));
    const auto trimmed = codec::trim(decoded);
    MAILCORE_ASSERT(codec::trim(mime::decode_encoded_words(words)) == trimmed);

    if (const auto date = mime::parse_date(text)) {
        MAILCORE_ASSERT(mime::parse_date(mime::format_date(*date)).has_value());
        if (mime::format_date(*date).find(" 1900 ") == std::string::npos &&
            mime::format_date(*date).find(" 9999 ") == std::string::npos)
            MAILCORE_ASSERT(mime::parse_date(mime::format_date(*date)) == date);
    }
    static_cast<void>(mime::parse_imap_date_time(text));
    static_cast<void>(mime::parse_imap_date(text));
    static_cast<void>(mime::parse_rfc3339(text));

    if (const auto type = mime::parse_content_type(text)) {
        MAILCORE_ASSERT(type->parameters.size() <= mime::parameters_max);
        auto again = type->type + "/" + type->subtype;
        for (const auto& parameter : type->parameters) {
            if (parameter.name.ends_with('*')) continue;
            const auto value = codec::sanitised_utf8(parameter.value);
            if (value.find("=?") != std::string::npos) continue;
            mime::append_parameter(parameter.name, value, again);
        }
        const auto back = mime::parse_content_type(again);
        MAILCORE_ASSERT(back && back->type == type->type && back->subtype == type->subtype);
        // Written in pieces there may be more of them than are read.
        std::size_t written = 0;
        for (auto at = again.find("; "); at != std::string::npos; at = again.find("; ", at + 2))
            ++written;
        for (const auto& parameter : type->parameters) {
            if (written > mime::parameters_max) break;
            if (parameter.name.ends_with('*')) continue;
            const auto value = codec::sanitised_utf8(parameter.value);
            if (value.find("=?") != std::string::npos) continue;
            MAILCORE_ASSERT(mime::decoded_parameter(back->parameters, parameter.name) == value);
        }
    }
    static_cast<void>(mime::parse_content_disposition(text));
    static_cast<void>(mime::parse_encoding(text));
    for (const auto& id : mime::parse_message_ids(text, 10)) MAILCORE_ASSERT(!id.empty());
    MAILCORE_ASSERT(codec::is_utf8(mime::base_subject(text).text));
    static_cast<void>(mime::parse_received(text));
    return 0;
}
