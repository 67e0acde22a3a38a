#include "tests/mime/seven_bit_property.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/text.h"

#include <algorithm>
#include <vector>

namespace mailcore::mime {

namespace {

/// The content of every leaf, with its type; of a message/global as a whole, since it may become
/// one.
void append_contents(const Structure& structure, std::string_view message, PartIndex index,
                     std::vector<std::string>& contents) {
    const auto& part = structure.parts[index];
    if (part.kind == Part::Kind::Leaf || part.is("message", "global")) {
        auto content = part_content(part, part_body(part, message));
        contents.push_back(std::string(part.type) + '/' + std::string(part.subtype) + '\n' +
                           content);
        return;
    }
    for (auto child = part.first_child; child != no_part;
         child = structure.parts[child].next_sibling)
        append_contents(structure, message, child, contents);
}

std::vector<std::string> contents(const Structure& structure, std::string_view message) {
    std::vector<std::string> out;
    append_contents(structure, message, 0, out);
    return out;
}

} // namespace

std::expected<std::string, SevenBitObstacle> to_seven_bit(std::string_view message,
                                                          std::size_t piece) {
    auto writer = SevenBitWriter::create(parse(message));
    if (!writer) return std::unexpected(writer.error());
    std::string out;
    for (auto rest = message; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size())))
        if (const auto obstacle = writer->write(rest.substr(0, piece), out))
            return std::unexpected(*obstacle);
    writer->finish(out);
    return out;
}

bool check_seven_bit(std::string_view message) {
    const auto converted = to_seven_bit(message, message.size() + 1);
    MAILCORE_ASSERT(to_seven_bit(message, 7) == converted);
    if (!converted) return false;
    MAILCORE_ASSERT(std::ranges::none_of(*converted, codec::is_8bit));
    const auto before = parse(message);
    const auto after = parse(*converted);
    MAILCORE_ASSERT(after.line_octets <= std::max<std::uint64_t>(998, before.line_octets));
    MAILCORE_ASSERT(contents(before, message) == contents(after, *converted));
    MAILCORE_ASSERT(to_seven_bit(*converted, converted->size() + 1) == converted);
    return true;
}

} // namespace mailcore::mime
