// All settings of a server as one plain struct: an embedder fills it, a host reads it from a file.
#pragma once

#include "libmailcore/base/address.h"
#include "libmailcore/base/log.h"
#include "libmailcore/base/secret.h"
#include "libmailcore/sasl/mechanism.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::server {

enum class ServiceKind : std::uint8_t {
    Smtp,        ///< mail from other servers, port 25
    Submission,  ///< mail from our users, STARTTLS, port 587
    Submissions, ///< the same under TLS from the first octet, port 465
    Lmtp,        ///< mail from programs of this machine
    Imap,        ///< port 143
    Imaps,       ///< port 993
    Pop3,        ///< port 110
    Pop3s,       ///< port 995
};
[[nodiscard]] std::string_view to_string(ServiceKind kind);
[[nodiscard]] std::uint16_t default_port(ServiceKind kind); ///< 24 for LMTP
/// False: this build was made without the service (MAILCORE_IMAP=OFF, MAILCORE_POP3=OFF).
[[nodiscard]] bool built_in(ServiceKind kind);

/// One endpoint. Either `path` (a UNIX socket, relative to the data folder) or addresses and a
/// port.
struct ListenConfig {
    ServiceKind service = ServiceKind::Smtp;
    std::vector<std::string> addresses; ///< IPv4 or IPv6; empty: all of this machine
    std::uint16_t port = 0;             ///< 0: any free one, told by Server::endpoints
    std::string path;
    bool proxy_header = false; ///< PROXY protocol v1 or v2 in front of every connection
};

/// A certificate chain and its key, PEM files relative to the data folder.
struct CertificateConfig {
    std::string certificate;
    std::string key;
};

/// Mail for `domain` goes to `host` instead of where the DNS says.
struct RouteConfig {
    std::string domain; ///< "*": all that have no route of their own (a smart host)
    std::string host;   ///< a name or an address
    std::uint16_t port = 25;
    std::string tls = "opportunistic"; ///< never, opportunistic, encrypted, verified, implicit
    std::string user;
    std::string password_file; ///< relative to the data folder
};

/// What each field means, its unit and its default stand in the key table (config_keys.cpp), from
/// which the manual and the file that `mdctl init` writes are made.
struct Config {
    std::string data = ".";
    bool in_memory = false; ///< keep nothing: for tests and embedders; not a key of the file
    /// False: what is in the queue stays there, for who only looks into a store; not a key of the
    /// file.
    bool delivers = true;

    std::string hostname;
    std::string default_domain;
    std::uint32_t loops = 0;
    std::uint32_t workers = 0;
    std::string user;
    std::string log_level = "info";
    std::string log_file = "log/mdserver.log";
    std::uint64_t log_octets_max = 64 * 1024 * 1024;
    std::uint32_t log_files_max = 8;
    std::string control_socket = "control.sock";
    std::chrono::seconds drain_time{30};
    std::uint64_t connections_max = 20'000;
    std::uint64_t connections_per_address_max = 200;
    std::uint64_t connection_memory_max = 16 * 1024 * 1024;
    std::uint64_t memory_max = 0;

    std::vector<ListenConfig> listen;
    std::vector<CertificateConfig> certificates;
    std::string tls_ciphers = "modern";
    std::string ca_file = "/etc/ssl/certs/ca-certificates.crt";
    std::string client_ca_file;

    std::vector<std::string> mechanisms = sasl::default_mechanisms();
    bool plaintext_from_loopback = true;
    bool plaintext_from_anywhere = false;

    std::uint64_t message_octets_max = 50 * 1024 * 1024;
    std::uint64_t recipients_max = 1000;
    std::vector<std::string> relay_networks;
    std::uint64_t received_max = 100;
    bool senders_own_address = true;
    bool reverse_lookup = true;

    std::chrono::seconds imap_idle_time{1800};
    bool append_8bit_headers = false;
    std::chrono::seconds pop3_idle_time{600};

    std::uint16_t delivery_port = 25;
    std::string delivery_tls = "opportunistic";
    std::string delivery_families = "both";
    std::vector<RouteConfig> routes;
    std::uint64_t delivery_connections_max = 200;
    std::uint64_t destination_connections_max = 10;
    std::chrono::seconds connect_time{30};
    std::vector<std::chrono::seconds> retry_waits;
    std::chrono::seconds delay_report_after{4 * 3600};
    std::chrono::seconds queue_lifetime{5 * 24 * 3600};
    std::chrono::seconds backoff_first{60};
    bool over_quota_fails = false;

    std::string rules_folder = "rules";
    std::string rules_on_failure = "open";
    std::uint64_t rules_instructions_max = 2'000'000;
    std::uint64_t rules_memory_max = 64 * 1024 * 1024;
    std::chrono::milliseconds rules_time_max{10'000};
    std::chrono::seconds rules_watch_time{5};

    std::vector<std::string> dns_servers;
    std::string dns_trust_ad = "loopback";
    std::chrono::milliseconds dns_timeout{2000};
    std::uint32_t dns_tries = 3;

    std::chrono::seconds checkpoint_time{30};
    std::uint64_t checkpoint_octets = 32 * 1024 * 1024;
    std::uint64_t index_octets_max = std::uint64_t{256} * 1024 * 1024 * 1024;
    std::chrono::seconds restore_horizon{7 * 24 * 3600};
    std::chrono::seconds compaction_age{7 * 24 * 3600};
    std::chrono::seconds scrub_interval{7 * 24 * 3600};
};

} // namespace mailcore::server
