#include "libmailcore/server/part_options.h"

#include "libmailcore/codec/ascii.h"

#include <algorithm>

namespace mailcore::server {

std::string below(const std::string& folder, const std::string& path) {
    return path.starts_with('/') ? path : folder + "/" + path;
}

namespace {

delivery::HopTls hop_tls(std::string_view name) {
    if (name == "never") return delivery::HopTls::Never;
    if (name == "encrypted") return delivery::HopTls::Encrypted;
    if (name == "verified") return delivery::HopTls::Verified;
    return delivery::HopTls::Opportunistic;
}

Result<Secret> read_secret(base::FileSystem& files, const std::string& path) {
    constexpr std::uint64_t octets_max = 4096;
    MAILCORE_TRY(auto text, base::read_file(files, path, octets_max));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return Secret{std::move(text)};
}

} // namespace

Result<delivery::RemoteOptions> remote_options(base::FileSystem& files, const Config& config) {
    delivery::RemoteOptions options;
    options.hostname = config.hostname;
    options.port = config.delivery_port;
    options.tls = hop_tls(config.delivery_tls);
    options.families = config.delivery_families == "v4"   ? dns::Families::V4
                       : config.delivery_families == "v6" ? dns::Families::V6
                                                          : dns::Families::Both;
    options.connect_timeout = config.connect_time;
    for (const auto& route : config.routes) {
        delivery::HostRoute to;
        to.domain = codec::lower(route.domain);
        to.host = route.host;
        to.port = route.port;
        to.implicit_tls = route.tls == "implicit";
        to.tls = to.implicit_tls ? delivery::HopTls::Verified : hop_tls(route.tls);
        to.user = route.user;
        if (!route.user.empty()) {
            MAILCORE_TRY(to.password, read_secret(files, below(config.data, route.password_file)));
        }
        options.routes.push_back(std::move(to));
    }
    return options;
}

delivery::CourierOptions courier_options(const Config& config) {
    delivery::CourierOptions options;
    options.limits.connections_max = config.delivery_connections_max;
    options.limits.destination_connections_max = config.destination_connections_max;
    options.limits.backoff_first = config.backoff_first;
    options.limits.backoff_max = std::max(options.limits.backoff_max, config.backoff_first);
    if (!config.retry_waits.empty()) options.retry.waits = config.retry_waits;
    options.retry.delay_report_after = config.delay_report_after;
    options.retry.lifetime = config.queue_lifetime;
    options.retry.lifetime_null_sender =
        std::min(options.retry.lifetime_null_sender, config.queue_lifetime);
    return options;
}

namespace {

/// Keys for SCRAM-SHA-256 are always made, so that it can be switched on without anybody's doing.
std::vector<sasl::ScramHash> scram_hashes(const Config& config) {
    std::vector hashes{sasl::ScramHash::Sha256};
    const auto wants_sha1 = std::ranges::any_of(config.mechanisms, [](const std::string& name) {
        return name == "SCRAM-SHA-1" || name == "SCRAM-SHA-1-PLUS";
    });
    if (wants_sha1) hashes.push_back(sasl::ScramHash::Sha1);
    return hashes;
}

session::LoginOptions login_options(const Config& config) {
    session::LoginOptions options;
    options.mechanisms = config.mechanisms;
    options.plaintext_from_loopback = config.plaintext_from_loopback;
    options.plaintext_from_anywhere = config.plaintext_from_anywhere;
    return options;
}

} // namespace

accounts::StoreDirectoryOptions directory_options(const Config& config) {
    accounts::StoreDirectoryOptions options;
    options.default_domain = config.default_domain;
    options.scram = scram_hashes(config);
    return options;
}

std::shared_ptr<const ServiceOptions>
service_options(const Config& config, const session::Services& services, bool has_tls) {
    auto options = std::make_shared<ServiceOptions>();
    session::SmtpOptions smtp;
    smtp.login = login_options(config);
    smtp.engine.message_octets_max = config.message_octets_max;
    smtp.engine.recipients_max = config.recipients_max;
    smtp.engine.starttls = has_tls;
    for (const auto& network : config.relay_networks)
        if (const auto parsed = IpNetwork::parse(network)) smtp.relay_networks.push_back(*parsed);
    smtp.senders_own_address = config.senders_own_address;
    smtp.received_max = config.received_max;
    smtp.reverse_lookup = config.reverse_lookup;
    const auto make = [&](session::SmtpService service, bool starttls, auto& into, auto& engine) {
        smtp.service = service;
        smtp.engine.starttls = starttls;
        into = std::make_shared<const session::SmtpOptions>(smtp);
        engine = session::engine_options(services, smtp);
    };
    make(session::SmtpService::Mx, has_tls, options->mx, options->mx_engine);
    make(session::SmtpService::Submission, has_tls, options->submission,
         options->submission_engine);
    make(session::SmtpService::Submission, false, options->submissions,
         options->submissions_engine);
    make(session::SmtpService::Lmtp, false, options->lmtp, options->lmtp_engine);
    options->imap.login = login_options(config);
    options->imap.starttls = has_tls;
    options->imap.idle_time = config.imap_idle_time;
    options->imap.append_octets_max = config.message_octets_max;
    options->imap.append_8bit_headers = config.append_8bit_headers;
    options->pop3.login = login_options(config);
    options->pop3.starttls = has_tls;
    options->pop3.idle_time = config.pop3_idle_time;
    return options;
}

} // namespace mailcore::server
