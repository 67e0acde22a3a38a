// The whole POP3 engine: no input makes it assert or grow, and cutting the input changes nothing.
#include "libmailcore/base/assert.h"
#include "tests/pop3/memory_maildrop.h"
#include "tests/sim/driver.h"

using namespace mailcore;

namespace {

std::string answers(std::string_view input, std::size_t piece) {
    sim::VirtualScheduler scheduler;
    std::map<std::string, pop3::MemoryMaildrop> maildrops;
    maildrops["jo"] = {"pw", {"A: b\r\n\r\n.line\r\n", "B: c\r\n\r\n"}, false, false, false};
    pop3::Options options;
    options.plaintext_without_tls = true;
    options.mechanisms = {"PLAIN", "LOGIN"};
    sim::Driver driver(scheduler);
    driver.start(
        std::make_unique<pop3::MemoryDialogue>(maildrops, options, PeerInfo{}, scheduler.now()));
    while (!input.empty() && !driver.closed()) {
        driver.offer(input.substr(0, piece));
        input.remove_prefix(std::min(piece, input.size()));
        MAILCORE_ASSERT(driver.engine().memory() < 100'000);
    }
    if (!driver.closed()) driver.end();
    return driver.take_output();
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/dialogs/pop3", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    // Seeds are dialogues: keep what the client says, so that mutations start from sense.
    if (input.starts_with('#')) {
        std::string said = "USER jo\r\nPASS pw\r\n";
        for (std::size_t at = 0; (at = input.find("\nC: ", at)) != std::string::npos; ++at)
            said += input.substr(at + 4, input.find('\n', at + 4) - at - 4) + "\r\n";
        input = said;
    }
    const auto whole = answers(input, input.size() + 1);
    MAILCORE_ASSERT(whole == answers(input, 1));
    MAILCORE_ASSERT(whole == answers(input, 5));
    return 0;
}
