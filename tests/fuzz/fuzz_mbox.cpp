// However a mailbox file is cut, the same messages come out, and what is written reads as it was.
#include "libmailcore/base/assert.h"
#include "libmailcore/mime/mbox.h"

#include <string>
#include <vector>

using namespace mailcore;
using mime::MboxReader;

namespace {

std::vector<mime::MboxMessage> messages_of(std::string_view file, std::size_t piece,
                                           const mime::MboxOptions& options) {
    std::vector<mime::MboxMessage> all;
    MboxReader reader(options);
    while (!file.empty()) {
        const auto step = reader.read(file.substr(0, piece));
        if (step.outcome == MboxReader::Outcome::NotMbox) return all;
        MAILCORE_ASSERT(step.taken > 0);
        if (step.outcome == MboxReader::Outcome::Message) all.push_back(reader.message());
        file.remove_prefix(step.taken);
    }
    while (reader.finish() == MboxReader::Outcome::Message) all.push_back(reader.message());
    return all;
}

} // namespace

extern "C" const char* const* fuzz_seeds();
extern "C" const char* const* fuzz_seeds() {
    static const char* const paths[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/mbox", nullptr};
    return paths;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    mime::MboxOptions options;
    options.kind = static_cast<mime::MboxKind>(data[0] % 3);
    options.undated = (data[0] & 4) != 0;
    options.message_octets_max = (data[0] & 8) != 0 ? 100 : 1024 * 1024;
    const std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);

    const auto whole = messages_of(file, file.size() + 1, options);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{5}}) {
        const auto cut = messages_of(file, piece, options);
        MAILCORE_ASSERT(cut.size() == whole.size());
        for (std::size_t i = 0; i < cut.size(); ++i) {
            MAILCORE_ASSERT(cut[i].octets == whole[i].octets && cut[i].size == whole[i].size);
            MAILCORE_ASSERT(cut[i].flags == whole[i].flags && cut[i].offset == whole[i].offset);
        }
    }

    // As a body, any lines survive; the last one gets its end.
    std::string body = "A: b\r\n\r\n";
    for (const char c : file) {
        if (c == '\n') body += '\r';
        if (c != '\r') body += c;
    }
    if (!body.ends_with("\r\n")) body += "\r\n";
    std::string written;
    mime::MboxWriter writer;
    for (int i = 0; i < 2; ++i) {
        writer.begin("a@b", base::wall_time(0), {"\\Seen"}, written);
        writer.write(body, written);
        writer.finish(written);
    }
    const auto again = messages_of(written, 1'000, {});
    MAILCORE_ASSERT(again.size() == 2);
    for (const auto& message : again) MAILCORE_ASSERT(message.octets == body);
    return 0;
}
