// SASL exchanges: the first octet chooses mechanism and half, the rest are messages, one a line of
// 0x1E.
#include "libmailcore/base/assert.h"
#include "libmailcore/sasl/client.h"
#include "libmailcore/sasl/prepare.h"
#include "libmailcore/sasl/server.h"

using namespace mailcore;
using namespace mailcore::sasl;

namespace {

std::string_view take_message(std::string_view& rest) {
    const auto end = std::min(rest.find('\x1e'), rest.size());
    const auto message = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return message;
}

void serve(Mechanism mechanism, std::string_view rest, base::Random& random) {
    ServerOptions options;
    options.fake_salt_key = Secret("0123456789abcdef");
    options.nonce = "server";
    options.binding = ChannelBinding{"tls-exporter", "x"};
    auto server = ServerExchange::create(mechanism, std::move(options), random);
    auto step = server->start(take_message(rest));
    while (true) {
        if (std::holds_alternative<Challenge>(step)) {
            if (rest.empty()) return;
            step = server->receive(take_message(rest));
        } else if (std::holds_alternative<NeedScramKeys>(step)) {
            step = server->answer_keys(std::nullopt);
        } else if (std::holds_alternative<NeedPassword>(step) ||
                   std::holds_alternative<NeedExternal>(step)) {
            step = server->answer(Verdict::Bad);
        } else {
            // Nobody gets in without the owner's consent or keys that nobody has.
            MAILCORE_ASSERT(std::holds_alternative<Failure>(step));
            return;
        }
    }
}

void connect(Mechanism mechanism, std::string_view rest, base::Random& random) {
    ClientOptions options;
    options.nonce = "client";
    options.iterations_min = 1;
    options.iterations_max = 10;
    options.binding = ChannelBinding{"tls-exporter", "x"};
    auto client = ClientExchange::create(mechanism, Credentials{"", "user", Secret("pencil")},
                                         std::move(options), random);
    MAILCORE_ASSERT(client.has_value());
    static_cast<void>((*client)->initial_response());
    while (!rest.empty())
        if (!(*client)->respond(take_message(rest))) break;
    const bool in = (*client)->succeed(take_message(rest)).has_value();
    MAILCORE_ASSERT(!in || !is_scram(mechanism));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    base::SeededRandom random(1);
    const auto mechanism = static_cast<Mechanism>(data[0] % 7);
    if (data[0] & 0x80)
        connect(mechanism, rest, random);
    else
        serve(mechanism, rest, random);
    if (const auto prepared = prepare(rest)) MAILCORE_ASSERT(prepare(*prepared).has_value());
    static_cast<void>(ScramKeys::parse(rest));
    return 0;
}

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/sasl", nullptr};
    return seeds;
}
