// Prints what the library makes of messages, one JSON object a line, for differential.py to
// compare.
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/encoded_word.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/mime/text.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace mailcore;
using namespace mailcore::mime;
using nlohmann::json;

namespace {

json addresses(std::span<const AddressView> list) {
    auto out = json::array();
    for (const auto& row : list) {
        if (row.kind != Address::Kind::Mailbox) continue;
        const auto spec =
            std::string(row.local) + (row.domain.empty() ? "" : "@" + std::string(row.domain));
        out.push_back({decode_encoded_words(row.name), codec::sanitised_utf8(spec)});
    }
    return out;
}

// FNV-1a: enough to tell whether two contents are the same.
std::string digest(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return std::to_string(hash);
}

json dump(const std::string& raw) {
    const auto s = parse(raw);
    json out;
    out["subject"] = s.envelope().subject ? decode_encoded_words(*s.envelope().subject) : "";
    out["from"] = addresses(s.envelope().from);
    out["to"] = addresses(s.envelope().to);
    out["cc"] = addresses(s.envelope().cc);
    if (s.sent) out["date"] = base::unix_seconds(s.sent->time);
    out["parts"] = json::array();
    for (const auto& part : s.parts) {
        json row{{"type", std::string(part.type) + "/" + std::string(part.subtype)},
                 {"multipart", part.kind == Part::Kind::Multipart}};
        if (part.kind == Part::Kind::Leaf) {
            const auto body = part_body(part, raw);
            row["content"] = digest(part_content(part, body));
            row["octets"] = part_content(part, body).size();
            if (part.type == "text") row["text"] = part_text(part, body);
            if (const auto name = part.file_name()) row["name"] = *name;
        }
        out["parts"].push_back(row);
    }
    return out;
}

} // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        const std::string raw{std::istreambuf_iterator<char>(file), {}};
        auto row = dump(raw);
        row["file"] = argv[i];
        std::puts(row.dump().c_str());
    }
}
