// ESMTP parameters, offers and enhanced status: what was read is written so that it is read the
// same.
#include "libmailcore/base/assert.h"
#include "libmailcore/smtp/parameters.h"
#include "libmailcore/smtp/xtext.h"
#include "tests/smtp/all_capabilities.h"

#include <cstdint>

using namespace mailcore::smtp;

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/smtp_parameters",
                                        nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto offered = mailcore::test::all_capabilities(0);
    if (const auto mail = parse_mail_parameters(text, offered)) {
        std::string written;
        append_parameters(*mail, offered, written);
        auto again = parse_mail_parameters(written, offered);
        MAILCORE_ASSERT(again.has_value());
        // Left out when written: the default, and an identifier of nothing.
        auto expected = *mail;
        if (expected.body_type() == BodyType::SevenBit) expected.body.reset();
        if (expected.envelope_id && expected.envelope_id->empty()) expected.envelope_id.reset();
        MAILCORE_ASSERT(*again == expected);
    } else {
        MAILCORE_ASSERT(mail.error().is_permanent() && !mail.error().text.empty());
    }
    if (const auto rcpt = parse_rcpt_parameters(text, offered)) {
        std::string written;
        append_parameters(*rcpt, offered, written);
        const auto again = parse_rcpt_parameters(written, offered);
        MAILCORE_ASSERT(again.has_value() && again->notify == rcpt->notify);
        std::string twice;
        append_parameters(*again, offered, twice);
        MAILCORE_ASSERT(twice == written);
    }
    MAILCORE_ASSERT(xtext_decode(xtext_encode(text)) == text);
    if (const auto octets = xtext_decode(text)) MAILCORE_ASSERT(octets->size() <= size);
    if (const auto status = parse_enhanced_status(text))
        MAILCORE_ASSERT(to_string(*status) == text);
    const auto capabilities = parse_capabilities(Reply{250, std::nullopt, std::string(text)});
    const auto lines = to_ehlo_lines(capabilities);
    const auto again = parse_capabilities(Reply{250, std::nullopt, "mx\n" + lines});
    MAILCORE_ASSERT(to_ehlo_lines(again) == lines);
    return 0;
}
