// Framing and parsing of IMAP commands: cutting the input changes nothing, limits hold, errors are
// static.
#include "libmailcore/base/assert.h"
#include "libmailcore/imap/command_table.h"
#include "libmailcore/imap/framing.h"

#include <string>

using namespace mailcore;
using namespace mailcore::imap;

namespace {

constexpr std::size_t command_octets_max = 4096;

// What comes of one command; the same for the same octets.
std::string outcome_of(std::string_view command) {
    Grammar grammar;
    grammar.enabled = {true, true, true};
    grammar.names = command.size() % 2 ? NameEncoding::Utf8 : NameEncoding::ModifiedUtf7;
    WireReader in(command, grammar);
    const auto head = read_command_head(in);
    if (in.ok() && head.row) {
        const auto parsed = head.row->parse(in);
        in.end();
        if (in.ok()) return std::to_string(parsed.index());
        MAILCORE_ASSERT(in.error().offset <= command.size());
        MAILCORE_ASSERT(!in.error().expected.empty());
    }
    return "-";
}

std::string framed(std::string_view input, std::size_t piece) {
    Framer framer({command_octets_max, 20'000});
    std::string outcomes;
    while (!input.empty()) {
        const auto step = framer.read(input.substr(0, piece));
        MAILCORE_ASSERT(step.taken <= piece);
        input.remove_prefix(step.taken);
        MAILCORE_ASSERT(framer.memory() < 3 * command_octets_max + 1000);
        switch (step.outcome) {
        case Framer::Outcome::NeedMore: break;
        case Framer::Outcome::Command:
            MAILCORE_ASSERT(framer.command().size() <= command_octets_max);
            outcomes += outcome_of(framer.command());
            break;
        case Framer::Outcome::Literal:
            if (framer.fits(framer.literal().octets))
                framer.collect_literal();
            else if (framer.discard() == Framer::Discard::Hopeless)
                return outcomes + "!";
            break;
        case Framer::Outcome::Discarded: outcomes += "x"; break;
        case Framer::Outcome::Overrun: return outcomes + "!";
        }
    }
    return outcomes;
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/dialogs/imap", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    if (input.starts_with('#')) {
        std::string said;
        for (std::size_t at = 0; (at = input.find("\nC", at)) != std::string::npos; ++at) {
            const auto end = std::min(input.find('\n', at + 1), input.size());
            if (end > at + 4) said += input.substr(at + 4, end - at - 4) + "\r\n";
        }
        input = said;
    }
    const auto whole = framed(input, input.size() + 1);
    MAILCORE_ASSERT(whole == framed(input, 1));
    MAILCORE_ASSERT(whole == framed(input, 7));
    return 0;
}
