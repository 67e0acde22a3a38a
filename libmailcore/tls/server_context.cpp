#include "libmailcore/tls/server_context.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/tls/detail/identities.h"
#include "libmailcore/tls/detail/settings.h"

#include <algorithm>

#include <fmt/format.h>
#include <mbedtls/mailcore_hooks.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/threading.h>

namespace mailcore::tls {

namespace detail {

/// What a context holds in mbedTLS's form. Handshakes on a borrowed session read it from another
/// thread; what changes after `create` (ticket keys) is behind mbedTLS's mutex.
struct ServerState {
    const Identities* identities = nullptr;
    std::vector<Key> keys; // beside identities->all()
    Chain client_authorities;
    std::vector<std::unique_ptr<Settings>> settings;
    crypto::mbedtls::Holder<mbedtls_ssl_ticket_context, mbedtls_ssl_ticket_init,
                            mbedtls_ssl_ticket_free>
        tickets;
    std::uint64_t ticket_generation = 0;

    [[nodiscard]] bool use_ticket_keys(TicketKeys& keys, WallTime now);
};

} // namespace detail

using detail::Identities;
using detail::Settings;

namespace {

std::string name_of(const crypto::Certificate& certificate) {
    return certificate.host_names.empty() ? certificate.subject : certificate.host_names.front();
}

// RFC 6066 §3: letters, digits, hyphens, dots; anything else is no name that a certificate could
// cover.
std::string as_host_name(std::string_view octets) {
    std::string name;
    if (octets.size() > 253) return name;
    for (const char octet : octets) {
        const bool upper = octet >= 'A' && octet <= 'Z';
        if (!upper && !(octet >= 'a' && octet <= 'z') && !(octet >= '0' && octet <= '9') &&
            octet != '-' && octet != '.' && octet != '_')
            return {};
        name += upper ? static_cast<char>(octet + ('a' - 'A')) : octet;
    }
    if (name.ends_with('.')) name.pop_back();
    return name;
}

int choose_certificate(void* context, mbedtls_ssl_context* ssl, const unsigned char* name,
                       std::size_t size) {
    auto& state = *static_cast<detail::ServerState*>(context);
    auto& notes = *static_cast<detail::HandshakeNotes*>(mbedtls_ssl_get_user_data_p(ssl));
    notes.server_name = as_host_name({reinterpret_cast<const char*>(name), size});
    const auto now = base::wall_time(mbedtls_time(nullptr));
    for (const auto number : state.identities->select(notes.server_name, now)) {
        if (const int error = mbedtls_ssl_set_hs_own_cert(
                ssl, state.identities->all()[number].chain.get(), state.keys[number].get()))
            return error;
    }
    return 0;
}

} // namespace

std::string CertificateWarning::to_string() const {
    const char* what = "";
    switch (kind) {
    case Kind::Expired: what = "has expired"; break;
    case Kind::NotYetValid: what = "is not valid yet"; break;
    case Kind::ExpiresSoon: what = "expires soon"; break;
    case Kind::SelfSigned: what = "is self-signed: clients will not trust it"; break;
    }
    return fmt::format("the certificate for {} {}", name, what);
}

// ---- credentials

ServerCredentials::ServerCredentials(ServerOptions options)
    : options_(std::move(options)), identities_(std::make_unique<Identities>()) {}

ServerCredentials::~ServerCredentials() = default;

Result<std::shared_ptr<const ServerCredentials>> ServerCredentials::create(ServerOptions options,
                                                                           Random& random) {
    crypto::mbedtls::start();
    if (options.certificates.empty())
        return fail(ErrorKind::Rejected, "a TLS server needs a certificate");
    if (options.version_min > options.version_max)
        return fail(ErrorKind::Rejected, "the least TLS version is above the greatest");
    std::shared_ptr<ServerCredentials> made(new ServerCredentials(std::move(options)));
    std::size_t number = 0;
    for (const auto& [certificate_pem, private_key_pem] : made->options_.certificates) {
        ++number;
        const auto named = [&](Error error) {
            error.detail = fmt::format("certificate {}: {}", number, error.detail);
            return std::unexpected(std::move(error));
        };
        auto read = crypto::read_certificates(certificate_pem);
        if (!read) return named(std::move(read).error());
        if (auto fits = crypto::check_private_key(certificate_pem, private_key_pem, random); !fits)
            return named(std::move(fits).error());
        auto chain = detail::parse_chain(certificate_pem);
        if (!chain) return named(std::move(chain).error());
        const auto kind = mbedtls_pk_get_type(&(*chain)->pk);
        made->identities_->add({.chain = *std::move(chain),
                                .leaf = std::move(read->front()),
                                .rsa = kind == MBEDTLS_PK_RSA || kind == MBEDTLS_PK_RSASSA_PSS});
    }
    if (!made->options_.client_authorities_pem.empty()) {
        const auto read = crypto::read_certificates(made->options_.client_authorities_pem);
        if (!read) return fail(read.error().kind, "authorities of clients: " + read.error().detail);
    }
    return made;
}

std::vector<crypto::Certificate> ServerCredentials::certificates() const {
    std::vector<crypto::Certificate> leaves;
    for (const auto& identity : identities_->all()) leaves.push_back(identity.leaf);
    return leaves;
}

std::vector<CertificateWarning> ServerCredentials::warnings(WallTime now,
                                                            std::chrono::seconds soon) const {
    std::vector<CertificateWarning> result;
    for (const auto& identity : identities_->all()) {
        const auto& leaf = identity.leaf;
        const auto warn = [&](CertificateWarning::Kind kind) {
            result.push_back({kind, name_of(leaf), leaf.not_after});
        };
        if (now > leaf.not_after)
            warn(CertificateWarning::Kind::Expired);
        else if (now < leaf.not_before)
            warn(CertificateWarning::Kind::NotYetValid);
        else if (now + soon > leaf.not_after)
            warn(CertificateWarning::Kind::ExpiresSoon);
        if (leaf.self_signed) warn(CertificateWarning::Kind::SelfSigned);
    }
    return result;
}

bool ServerCredentials::has_rsa_key() const {
    return std::ranges::any_of(identities_->all(), &Identities::Identity::rsa);
}

// ---- context

ServerContext::ServerContext(std::shared_ptr<const ServerCredentials> credentials)
    : credentials_(std::move(credentials)), state_(std::make_unique<detail::ServerState>()) {
    state_->identities = &credentials_->identities();
}

ServerContext::~ServerContext() = default;

Result<std::shared_ptr<ServerContext>>
ServerContext::create(std::shared_ptr<const ServerCredentials> credentials) {
    std::shared_ptr<ServerContext> made(new ServerContext(std::move(credentials)));
    const auto& options = made->credentials_->options();
    for (const auto& each : options.certificates) {
        MAILCORE_TRY(auto key, detail::parse_key(each.private_key_pem));
        made->state_->keys.push_back(std::move(key));
    }
    if (!options.client_authorities_pem.empty()) {
        MAILCORE_TRY(made->state_->client_authorities,
                     detail::parse_chain(options.client_authorities_pem));
    }
    if (options.ticket_keys != nullptr) {
        const auto lifetime = static_cast<std::uint32_t>(options.ticket_keys->lifetime().count());
        if (const int error = mbedtls_ssl_ticket_setup(made->state_->tickets.get(),
                                                       crypto::mbedtls::system_random, nullptr,
                                                       MBEDTLS_CIPHER_AES_256_GCM, lifetime))
            return fail(ErrorKind::Unavailable,
                        "session tickets: " + crypto::mbedtls::describe(error));
    }
    return made;
}

// mbedtls_ssl_ticket_rotate leaves locking to its caller, and a borrowed session may be writing a
// ticket.
bool detail::ServerState::use_ticket_keys(TicketKeys& keys_of_all, WallTime now) {
    const auto pair = keys_of_all.at(now);
    if (pair.generation == ticket_generation) return true;
    const auto lifetime = static_cast<std::uint32_t>(keys_of_all.lifetime().count());
    auto* context = tickets.get();
    if (mbedtls_mutex_lock(&context->MBEDTLS_PRIVATE(mutex)) != 0) return false;
    const auto before = mailcore_mbedtls_set_time(base::unix_seconds(now) * 1000);
    int error = 0;
    for (const auto* key : {&pair.previous, &pair.current})
        if (error == 0)
            error = mbedtls_ssl_ticket_rotate(context, key->name.data(), key->name.size(),
                                              key->octets.data(), key->octets.size(), lifetime);
    mailcore_mbedtls_set_time(before);
    const int unlocked = mbedtls_mutex_unlock(&context->MBEDTLS_PRIVATE(mutex));
    if (error == 0) ticket_generation = pair.generation;
    return error == 0 && unlocked == 0;
}

const void* ServerContext::settings(const ServiceSettings& service, WallTime now) {
    const auto& options = credentials_->options();
    const bool asks = service.client_certificate == ClientCertificate::Asked &&
                      !options.client_authorities_pem.empty();
    if (options.ticket_keys != nullptr)
        MAILCORE_ASSERT(state_->use_ticket_keys(*options.ticket_keys, now));
    for (const auto& known : state_->settings)
        if (known->alpn == service.alpn && known->asks_certificate == asks)
            return known->config.get();

    auto made =
        detail::make_settings(detail::Side::Server, {options.version_min, options.version_max},
                              options.ciphers, service.alpn);
    made->asks_certificate = asks;
    auto* config = made->config.get();
    mbedtls_ssl_conf_authmode(config, asks ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_NONE);
    if (asks) mbedtls_ssl_conf_ca_chain(config, state_->client_authorities.get(), nullptr);
    for (const auto number : state_->identities->select("", now)) {
        const int error = mbedtls_ssl_conf_own_cert(
            config, state_->identities->all()[number].chain.get(), state_->keys[number].get());
        MAILCORE_ASSERT(error == 0);
    }
    mbedtls_ssl_conf_sni(config, choose_certificate, state_.get());
    if (options.ticket_keys != nullptr && !asks) {
        mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse, state_->tickets.get());
        mbedtls_ssl_conf_new_session_tickets(config, 1);
    }
    return state_->settings.emplace_back(std::move(made))->config.get();
}

} // namespace mailcore::tls
