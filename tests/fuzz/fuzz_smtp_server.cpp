// The SMTP and LMTP server engine: no input makes it assert or grow, and cutting the input changes
// nothing.
#include "libmailcore/base/assert.h"
#include "tests/sim/driver.h"
#include "tests/smtp/memory_server.h"

#include <algorithm>

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

struct Seen {
    std::string answers;
    std::vector<std::string> log;
    std::vector<std::string> messages;
    friend bool operator==(const Seen&, const Seen&) = default;
};

Seen serve(std::string_view input, std::size_t piece, Dialect dialect) {
    sim::VirtualScheduler scheduler;
    MemoryServer server;
    server.options.dialect = dialect;
    server.options.mechanisms = {"PLAIN", "LOGIN"};
    server.options.auth_without_tls = ServerOptions::AuthWithoutTls::Always;
    server.options.binary_mime = true;
    server.options.starttls = true;
    server.options.message_octets_max = 2000;
    server.options.header_octets_max = 1000;
    server.options.text_line_octets_max = 200;
    server.options.recipients_max = 3;
    server.options.swallowed_octets_max = 5000;
    server.passwords["jo"] = "pw";
    sim::Driver driver(scheduler);
    driver.start(std::make_unique<MemoryServerDialogue>(server, PeerInfo{}, scheduler.now()));
    while (!input.empty() && !driver.closed()) {
        driver.offer(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        MAILCORE_ASSERT(driver.engine().memory() < 100'000);
        if (!driver.wants_tls()) continue;
        driver.tls_started(PeerInfo{});
        break; // what comes behind STARTTLS is dropped by as much as has come: cuts would show
    }
    if (!driver.closed()) driver.end();
    Seen seen{driver.take_output(), server.log, {}};
    for (const auto& message : server.messages) seen.messages.push_back(message.octets);
    return seen;
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/dialogs/smtp",
                                        MAILCORE_SOURCE_DIR "/tests/dialogs/lmtp", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    // Seeds are dialogues: keep what the client says, so that mutations start from sense.
    if (input.starts_with('#')) {
        std::string said;
        for (std::size_t at = 0; (at = input.find("\nC", at)) != std::string::npos; ++at) {
            const auto end = std::min(input.find('\n', at + 1), input.size());
            if (at + 4 > end) continue;
            const auto text = std::string_view(input).substr(at + 4, end - at - 4);
            if (input[at + 2] == '|')
                said += unescaped(text);
            else
                said += std::string(text) + "\r\n";
        }
        input = said;
    }
    for (const auto dialect : {Dialect::Smtp, Dialect::Lmtp}) {
        if (dialect == Dialect::Lmtp)
            for (std::size_t at = 0; (at = input.find("EHLO", at)) != std::string::npos;)
                input[at] = 'L';
        const auto whole = serve(input, input.size() + 1, dialect);
        MAILCORE_ASSERT(whole == serve(input, 1, dialect));
        MAILCORE_ASSERT(whole == serve(input, 7, dialect));
        // Whatever arrives holds no line end but CRLF, unless it was declared binary.
        for (const auto& message : whole.messages) MAILCORE_ASSERT(message.size() <= 2000);
    }
    return 0;
}
