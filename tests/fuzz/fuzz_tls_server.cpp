// A TLS server session fed with anything: it takes it, refuses it, and holds no more than it may.
//
// The first octet chooses how the rest is cut; a session that opens (none should) is asked for its
// plaintext.
#include "libmailcore/base/assert.h"
#include "libmailcore/base/random.h"
#include "libmailcore/tls/session.h"

#include <algorithm>
#include <cstdint>

using namespace mailcore;

extern "C" const char* const* fuzz_seeds() {
    static const char* const seeds[] = {MAILCORE_SOURCE_DIR "/tests/fuzz/seeds/tls_server",
                                        nullptr};
    return seeds;
}

namespace {

const WallTime noon = base::wall_time(1811851200); // 2027-06-01 12:00

std::shared_ptr<tls::ServerContext> make_context() {
    static base::SystemRandom random;
    tls::ServerOptions options;
    auto certificate = crypto::make_self_signed(
        {{"mx.example.test"}, noon - std::chrono::days(1), noon + std::chrono::days(1)}, random);
    MAILCORE_ASSERT(certificate);
    options.certificates.push_back(*std::move(certificate));
    options.ciphers = tls::Ciphers::Compatible;
    options.client_authorities_pem = options.certificates.front().certificate_pem;
    options.ticket_keys = std::make_shared<tls::TicketKeys>(random);
    auto credentials = tls::ServerCredentials::create(std::move(options), random);
    MAILCORE_ASSERT(credentials);
    auto context = tls::ServerContext::create(*credentials);
    MAILCORE_ASSERT(context);
    return *context;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto context = make_context();
    static const tls::ServiceSettings service{{"imap"}, tls::ClientCertificate::Asked};
    if (size == 0) return 0;
    const std::size_t piece = data[0] == 0 ? size : data[0];
    std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto session = tls::Session::accept(context, service, noon);
    while (!input.empty()) {
        const auto offered = input.substr(0, piece);
        const auto taken = session.receive(offered, noon);
        MAILCORE_ASSERT(taken <= offered.size());
        if (taken == 0) {
            MAILCORE_ASSERT(!session.plaintext().empty());
            session.consume(session.plaintext().size());
            continue;
        }
        input.remove_prefix(taken);
        session.rest();
        MAILCORE_ASSERT(session.memory() < 200'000);
        if (!session.output().empty()) session.output_sent(session.output().front().size() / 2 + 1);
    }
    session.receive_end();
    MAILCORE_ASSERT(session.state() == tls::State::Failed ||
                    session.state() == tls::State::PeerClosed);
    return 0;
}
