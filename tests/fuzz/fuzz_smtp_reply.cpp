// Replies: read the same however they are cut, within bounds; written as one reply whatever they
// hold.
#include "libmailcore/base/assert.h"
#include "libmailcore/smtp/reply.h"

#include <cstdint>
#include <vector>

using namespace mailcore::smtp;

namespace {

struct Seen {
    std::vector<Reply> replies;
    bool malformed = false;
    friend bool operator==(const Seen&, const Seen&) = default;
};

Seen read(std::string_view octets, std::size_t piece) {
    constexpr ReplyParser::Limits limits{100, 300};
    ReplyParser parser(limits);
    Seen seen;
    while (!octets.empty()) {
        const auto offered = octets.substr(0, piece);
        const auto step = parser.read(offered);
        MAILCORE_ASSERT(step.taken <= offered.size());
        MAILCORE_ASSERT(parser.memory() < 2000);
        octets.remove_prefix(step.taken);
        if (step.outcome == ReplyParser::Outcome::Complete) {
            seen.replies.push_back(parser.take());
        } else if (step.outcome == ReplyParser::Outcome::Malformed) {
            seen.malformed = true;
            break;
        } else {
            MAILCORE_ASSERT(step.taken == offered.size());
        }
    }
    return seen;
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/smtp_reply",
                                        nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const auto whole = read(octets, size + 1);
    const auto single = read(octets, 1);
    // A line too long is found a little earlier or later; what came before it is the same.
    MAILCORE_ASSERT(whole == single);
    MAILCORE_ASSERT(whole == read(octets, 7));
    for (const auto& reply : whole.replies) {
        for (const auto as : {Octets::Ascii, Octets::Utf8}) {
            std::string written;
            append_reply(reply, written, as);
            ReplyParser parser;
            const auto step = parser.read(written);
            MAILCORE_ASSERT(step.outcome == ReplyParser::Outcome::Complete &&
                            step.taken == written.size());
            MAILCORE_ASSERT(parser.take().code == reply.code);
        }
    }
    std::string written;
    append_reply(Reply{250, EnhancedStatus{2, 0, 0}, std::string(octets)}, written, Octets::Utf8);
    for (std::size_t at = 0; at < written.size();) {
        const auto end = written.find("\r\n", at);
        MAILCORE_ASSERT(end != std::string::npos && end + 2 - at <= 512);
        MAILCORE_ASSERT(written.compare(at, 3, "250") == 0);
        MAILCORE_ASSERT(written[at + 3] == (end + 2 == written.size() ? ' ' : '-'));
        at = end + 2;
    }
    return 0;
}
