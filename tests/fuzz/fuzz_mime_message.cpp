// The message parser: the result does not depend on cuts, is stored and read back, and its places
// are sane.
#include "libmailcore/base/assert.h"
#include "libmailcore/base/random.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/section.h"
#include "libmailcore/mime/text.h"

#include <algorithm>

using namespace mailcore;

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/corpus/mime", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    mime::ParserOptions options;
    options.depth_max = 8; // so that limits are met
    options.parts_max = 20;
    options.header_fields_max = 30;
    options.text_octets_max = 4'000;
    options.addresses_max = 20;
    const auto whole = mime::parse(message, options);
    const auto encoded = whole.encoded();

    mime::Parser octets(options);
    for (const char c : message) octets.feed({&c, 1});
    MAILCORE_ASSERT(octets.finish().encoded() == encoded);
    base::SeededRandom random(size);
    mime::Parser pieces(options);
    for (auto rest = message; !rest.empty();) {
        const auto cut = std::min<std::size_t>(rest.size(), random.below(50));
        pieces.feed(rest.substr(0, cut));
        rest.remove_prefix(cut);
    }
    MAILCORE_ASSERT(pieces.finish().encoded() == encoded);

    const auto back = mime::Structure::decode_in_place(encoded);
    MAILCORE_ASSERT(back.has_value());
    MAILCORE_ASSERT(back->encoded() == encoded);

    MAILCORE_ASSERT(whole.octets == size);
    MAILCORE_ASSERT(codec::is_utf8(whole.preview));
    MAILCORE_ASSERT(codec::utf8_length(whole.preview) <= 256);
    MAILCORE_ASSERT(codec::is_utf8(whole.base_subject));
    MAILCORE_ASSERT(whole.parts.size() <= options.parts_max);
    for (mime::PartIndex i = 0; i < whole.parts.size(); ++i) {
        const auto& part = whole.parts[i];
        MAILCORE_ASSERT(part.header_begin <= part.body_begin && part.body_begin <= part.end &&
                        part.end <= size);
        MAILCORE_ASSERT((part.first_child != mime::no_part) ==
                        (part.kind != mime::Part::Kind::Leaf));
        const auto body = mime::part_body(part, message);
        MAILCORE_ASSERT(static_cast<std::uint64_t>(std::count(body.begin(), body.end(), '\n')) +
                            (!body.empty() && body.back() != '\n' ? 1 : 0) ==
                        part.body_lines);
        if (part.type == "text")
            MAILCORE_ASSERT(
                codec::is_utf8(mime::part_text(part, body, mime::PartTextDecoder::Html::AsText)));
        if (part.parent != mime::no_part) {
            const auto& parent = whole.parts[part.parent];
            MAILCORE_ASSERT(part.header_begin >= parent.body_begin && part.end <= parent.end);
        }
        // The scanner of header blocks sees the same header.
        const auto header = message.substr(part.header_begin, part.body_begin - part.header_begin);
        mime::HeaderScanner scanner(header);
        while (scanner.next()) {
        }
        MAILCORE_ASSERT(scanner.header_octets() == header.size());
        MAILCORE_ASSERT(scanner.separator_octets() == part.separator_octets);
    }
    return 0;
}
