// The whole IMAP engine: no input makes it assert or grow, and cutting the input changes nothing.
#include "libmailcore/base/assert.h"
#include "tests/imap/memory_account.h"
#include "tests/sim/driver.h"

using namespace mailcore;

namespace {

std::string answers(std::string_view input, std::size_t piece, imap::MemoryDialogue::Pace pace) {
    sim::VirtualScheduler scheduler;
    imap::MemoryAccounts accounts;
    auto& account = accounts["jo"];
    account.password = "pw";
    account.create("Box");
    for (const char* octets :
         {"Subject: one\r\nFrom: a@b.example\r\n\r\nmore than twenty-four octets\r\n",
          "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\npart\r\n--b--\r\n"})
        account.add(account.mailboxes["INBOX"], {}, {}, std::make_shared<std::string>(octets));
    imap::Options options;
    options.plaintext_without_tls = true;
    options.mechanisms = {"PLAIN"};
    options.command_octets_max = options.command_octets_max_before_login = 8192;
    options.append_octets_max = 10'000;
    options.swallowed_octets_max = 20'000;
    sim::Driver driver(scheduler);
    driver.start(std::make_unique<imap::MemoryDialogue>(accounts, options, PeerInfo{}, driver,
                                                        scheduler, pace));
    while (!input.empty() && !driver.closed()) {
        driver.offer(input.substr(0, piece));
        scheduler.run_ready();
        input.remove_prefix(std::min(piece, input.size()));
        MAILCORE_ASSERT(driver.engine().memory() < 400'000);
    }
    if (!driver.closed()) driver.end();
    scheduler.run_ready();
    return driver.take_output();
}

} // namespace

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/dialogs/imap", nullptr};
    return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    // Seeds are dialogues: keep what the client says, so that mutations start from sense.
    if (input.starts_with('#')) {
        std::string said = "a LOGIN jo pw\r\nb SELECT INBOX\r\n";
        for (std::size_t at = 0; (at = input.find("\nC", at)) != std::string::npos; ++at) {
            const auto end = std::min(input.find('\n', at + 1), input.size());
            if (end > at + 4) said += input.substr(at + 4, end - at - 4) + "\r\n";
        }
        input = said;
    }
    using enum imap::MemoryDialogue::Pace;
    const auto whole = answers(input, input.size() + 1, Fast);
    MAILCORE_ASSERT(whole == answers(input, 1, Fast));
    MAILCORE_ASSERT(whole == answers(input, 5, Fast));
    MAILCORE_ASSERT(whole == answers(input, 64, Slow));
    return 0;
}
