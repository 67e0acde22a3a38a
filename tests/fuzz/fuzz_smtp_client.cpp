// The SMTP and LMTP client engine: no server makes it assert, grow, or forget to say how it ended.
#include "libmailcore/base/assert.h"
#include "tests/sim/driver.h"
#include "tests/smtp/memory_client.h"

#include <algorithm>

using namespace mailcore;
using namespace mailcore::smtp;

namespace {

void talk(std::string_view input, std::size_t piece, unsigned flavour) {
    sim::VirtualScheduler scheduler;
    ClientOptions options;
    options.dialect = flavour & 1 ? Dialect::Lmtp : Dialect::Smtp;
    options.pipelining = flavour & 2;
    options.chunking = flavour & 4;
    options.starttls =
        flavour & 8 ? ClientOptions::StartTls::WhenOffered : ClientOptions::StartTls::Never;
    options.body_octets_max = 100;
    options.output_octets_max = 200;
    sim::Driver driver(scheduler);
    auto owned = std::make_unique<MemoryClientDialogue>(options, PeerInfo{}, scheduler.now());
    auto& client = *owned;
    if (flavour & 16) client.log_in({flavour & 32 ? "PLAIN" : "LOGIN", "jo", "pw", true});
    for (int i = 0; i < 3; ++i) {
        OutgoingMessage message;
        message.octets = "A: b\r\n\r\n.\r\n" + std::string(500, 'x') + "\nend";
        message.fails = i == 1;
        message.piece_max = 60;
        for (int r = 0; r <= i; ++r)
            message.envelope.recipients.push_back({Path{{"b", "mx.example"}}, {}});
        client.send(message);
    }
    client.quit();
    driver.start(std::move(owned));
    while (!input.empty() && !driver.closed()) {
        driver.offer(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        MAILCORE_ASSERT(driver.engine().memory() < 100'000);
        if (driver.wants_tls()) {
            PeerInfo peer;
            peer.tls.emplace();
            driver.tls_started(peer);
        }
        scheduler.run_ready();
    }
    if (!driver.closed()) scheduler.run_until(scheduler.now() + std::chrono::hours{24});
    MAILCORE_ASSERT(driver.closed() && client.ended);
    MAILCORE_ASSERT(client.done.size() <= 3);
    for (std::size_t i = 0; i < client.done.size(); ++i) {
        MAILCORE_ASSERT(client.done[i].recipients.size() == i + 1);
        for (const auto& result : client.done[i].recipients) {
            MAILCORE_ASSERT(result.reply.has_value() != (result.problem != Problem::None));
            MAILCORE_ASSERT(!(i == 1 && result.delivered())); // its octets could not be had
        }
    }
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/dialogs/smtp_client", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    // Seeds are dialogues: keep what the server says.
    if (input.starts_with('#')) {
        std::string said;
        for (std::size_t at = 0; (at = input.find("\nS", at)) != std::string::npos; ++at) {
            const auto end = std::min(input.find('\n', at + 1), input.size());
            if (at + 4 <= end) said += input.substr(at + 4, end - at - 4) + "\r\n";
        }
        input = "~" + said;
    }
    const unsigned flavour = input.empty() ? 0 : static_cast<unsigned char>(input[0]);
    const auto octets = std::string_view(input).substr(input.empty() ? 0 : 1);
    talk(octets, octets.size() + 1, flavour);
    talk(octets, 1, flavour);
    return 0;
}
