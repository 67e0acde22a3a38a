#include "libmailcore/tls/client_context.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/tls/detail/identities.h"
#include "libmailcore/tls/detail/settings.h"

namespace mailcore::tls {

namespace detail {

struct ClientState {
    struct Entry {
        PeerCheck check;
        std::unique_ptr<Settings> settings;
    };
    std::vector<Entry> entries;
    std::optional<Chain> chain;
    std::optional<Key> key;
};

} // namespace detail

namespace {

// One for each check and list of protocols that the program uses; the lists are the program's, not
// a peer's.
int library_mode(PeerCheck check) {
    switch (check) {
    case PeerCheck::Unchecked: return MBEDTLS_SSL_VERIFY_NONE;
    case PeerCheck::Reported: return MBEDTLS_SSL_VERIFY_OPTIONAL;
    case PeerCheck::Required: return MBEDTLS_SSL_VERIFY_REQUIRED;
    }
    return MBEDTLS_SSL_VERIFY_REQUIRED;
}

} // namespace

ClientContext::ClientContext(ClientOptions options)
    : options_(std::move(options)), state_(std::make_unique<detail::ClientState>()) {}

ClientContext::~ClientContext() = default;

Result<std::shared_ptr<ClientContext>> ClientContext::create(ClientOptions options,
                                                             Random& random) {
    crypto::mbedtls::start();
    if (options.version_min > options.version_max)
        return fail(ErrorKind::Rejected, "the least TLS version is above the greatest");
    std::shared_ptr<ClientContext> made(new ClientContext(std::move(options)));
    if (const auto& own = made->options_.certificate) {
        MAILCORE_TRY(crypto::check_private_key(own->certificate_pem, own->private_key_pem, random));
        MAILCORE_TRY(made->state_->chain, detail::parse_chain(own->certificate_pem));
        MAILCORE_TRY(made->state_->key, detail::parse_key(own->private_key_pem));
    }
    return made;
}

const void* ClientContext::settings(const ClientTarget& target) {
    for (const auto& entry : state_->entries)
        if (entry.check == target.check && entry.settings->alpn == target.alpn)
            return entry.settings->config.get();

    auto made =
        detail::make_settings(detail::Side::Client, {options_.version_min, options_.version_max},
                              options_.ciphers, target.alpn);
    auto* config = made->config.get();
    mbedtls_ssl_conf_authmode(config, library_mode(target.check));
    if (target.check != PeerCheck::Unchecked && options_.authorities != nullptr)
        mbedtls_ssl_conf_ca_chain(
            config, static_cast<mbedtls_x509_crt*>(options_.authorities->list()), nullptr);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    if (state_->chain) {
        const int error =
            mbedtls_ssl_conf_own_cert(config, state_->chain->get(), state_->key->get());
        MAILCORE_ASSERT(error == 0);
    }
    return state_->entries.emplace_back(target.check, std::move(made)).settings->config.get();
}

} // namespace mailcore::tls
