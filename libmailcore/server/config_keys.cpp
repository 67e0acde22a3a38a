#include "libmailcore/server/config_keys.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <set>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace mailcore::server {

namespace {

using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;

/// A value's form in the file. Each reads itself from a node and writes itself.
std::optional<std::string> read(const toml::node& node, std::string& into) {
    const auto value = node.value_exact<std::string>();
    if (!value) return "a text in quotes";
    into = *value;
    return std::nullopt;
}
std::optional<std::string> read(const toml::node& node, bool& into) {
    const auto value = node.value_exact<bool>();
    if (!value) return "true or false";
    into = *value;
    return std::nullopt;
}
template <std::unsigned_integral N>
std::optional<std::string> read(const toml::node& node, N& into) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || static_cast<std::uint64_t>(*value) > std::numeric_limits<N>::max())
        return fmt::format("a whole number from 0 to {}", std::numeric_limits<N>::max());
    into = static_cast<N>(*value);
    return std::nullopt;
}
template <class Rep, class Period>
std::optional<std::string> read(const toml::node& node, std::chrono::duration<Rep, Period>& into) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0 || *value > 1'000'000'000) return "a whole number, 0 or more";
    into = std::chrono::duration<Rep, Period>{*value};
    return std::nullopt;
}
template <class T>
std::optional<std::string> read(const toml::node& node, std::vector<T>& into) {
    const auto* array = node.as_array();
    if (!array) return "a list in [ ]";
    into.clear();
    for (const auto& each : *array) {
        T value{};
        if (auto expected = read(each, value)) return "a list, each of it " + *expected;
        into.push_back(std::move(value));
    }
    return std::nullopt;
}

std::string written(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}
std::string written(bool flag) { return flag ? "true" : "false"; }
template <std::unsigned_integral N>
std::string written(N number) {
    return std::to_string(number);
}
template <class Rep, class Period>
std::string written(std::chrono::duration<Rep, Period> time) {
    return std::to_string(time.count());
}
template <class T>
std::string written(const std::vector<T>& list) {
    std::string out = "[";
    for (const auto& each : list) out += (out.size() > 1 ? ", " : "") + written(each);
    return out + "]";
}

template <class T>
std::string type_of(const T&) {
    if constexpr (std::is_same_v<T, std::string>)
        return "text";
    else if constexpr (std::is_same_v<T, bool>)
        return "true/false";
    else if constexpr (std::is_same_v<T, Seconds>)
        return "seconds";
    else if constexpr (std::is_same_v<T, Milliseconds>)
        return "milliseconds";
    else if constexpr (std::is_unsigned_v<T>)
        return "whole number";
    else
        return "list of " + type_of(typename T::value_type{}) +
               (std::is_same_v<T, std::vector<std::string>> ? "s" : "");
}

/// One row of the table.
struct Key {
    std::string section, name, meaning;
    std::vector<std::string> choices; ///< empty: any value
    std::function<std::optional<std::string>(const toml::node&, Config&)> read_into;
    std::function<std::string(const Config&)> write;
    std::string type;
};

template <class T>
Key key(std::string section, std::string name, T Config::*field, std::string meaning,
        std::vector<std::string> choices = {}) {
    Key row;
    row.section = std::move(section);
    row.name = std::move(name);
    row.meaning = std::move(meaning);
    row.choices = std::move(choices);
    row.type = type_of(T{});
    row.read_into = [field, choices = row.choices](const toml::node& node,
                                                   Config& config) -> std::optional<std::string> {
        if (auto expected = read(node, config.*field)) return expected;
        const auto is_choice = [&](const std::string& text) {
            return choices.empty() || std::ranges::find(choices, text) != choices.end();
        };
        std::string list;
        for (const auto& choice : choices) list += (list.empty() ? "" : ", ") + choice;
        if constexpr (std::is_same_v<T, std::string>)
            if (!is_choice(config.*field)) return "one of " + list;
        if constexpr (std::is_same_v<T, std::vector<std::string>>)
            if (!std::ranges::all_of(config.*field, is_choice)) return "a list out of " + list;
        return std::nullopt;
    };
    row.write = [field](const Config& config) { return written(config.*field); };
    return row;
}

/// The table: what stands here is the manual.
const std::vector<Key>& keys() {
    static const std::vector<std::string> tls_choices{"never", "opportunistic", "encrypted",
                                                      "verified"};
    static const std::vector<Key> table{
        key("server", "hostname", &Config::hostname,
            "Name of this host: in greetings, trace fields and reports. Must have an address "
            "record that leads here."),
        key("server", "default_domain", &Config::default_domain,
            "Domain of user names that are given without \"@\" at login. Empty: such names are "
            "refused."),
        key("server", "user", &Config::user,
            "User to become once the ports are bound. Empty: stay who we are. Only root can "
            "change."),
        key("server", "loops", &Config::loops, "Event loops, one thread each. 0: one a core."),
        key("server", "workers", &Config::workers,
            "Threads for what may block, such as password hashes. 0: one a core, at least 2."),
        key("server", "connections_max", &Config::connections_max,
            "Connections at a time, all services together. What comes above is told to come "
            "later."),
        key("server", "connections_per_address_max", &Config::connections_per_address_max,
            "Connections at a time from one IPv4 address or one IPv6 /64."),
        key("server", "connection_memory_max", &Config::connection_memory_max,
            "Octets of memory that one connection may hold, at least 1048576. It is told goodbye "
            "above."),
        key("server", "memory_max", &Config::memory_max,
            "Octets of anonymous memory of the whole process, at least 67108864. At 80 % of it new "
            "connections are told to come later, at 88 % new messages, and the connections that "
            "hold most are ended; at 95 % messages on their way in are refused. 0: three quarters "
            "of what the control group or the machine has."),
        key("server", "drain_time", &Config::drain_time,
            "How long what is under way may take when the server stops."),
        key("server", "control_socket", &Config::control_socket,
            "UNIX socket for mdctl, relative to the data folder. Who may open it administers the "
            "server."),

        key("log", "level", &Config::log_level, "What is written to the log.",
            {"debug", "info", "warning", "error"}),
        key("log", "file", &Config::log_file,
            "Log as JSON lines, relative to the data folder; `mdctl trace` reads it. Empty: "
            "standard output."),
        key("log", "octets_max", &Config::log_octets_max,
            "Octets of one log file before the next is begun."),
        key("log", "files_max", &Config::log_files_max, "Log files that are kept."),

        key("tls", "ciphers", &Config::tls_ciphers,
            "modern: AEAD with forward secrecy. compatible: also CBC suites for old peers.",
            {"modern", "compatible"}),
        key("tls", "ca_file", &Config::ca_file,
            "Certification authorities for hops that must be verified; read when first needed."),

        key("tls", "client_ca_file", &Config::client_ca_file,
            "PEM file of the certification authorities whose certificates clients may log in with: "
            "clients of the services for our users are then asked for one, and EXTERNAL, where "
            "login.mechanisms has it, takes the account whose address is an rfc822Name of it. "
            "Empty: nobody is asked."),

        key("login", "mechanisms", &Config::mechanisms,
            "SASL mechanisms that are offered. The -PLUS kinds are bound to the TLS session and "
            "shown over TLS 1.3 only. SCRAM-SHA-1 is for old clients; an account can use it from "
            "the first login that shows its password after the start with it. EXTERNAL: see "
            "tls.client_ca_file.",
            {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN",
             "LOGIN", "EXTERNAL"}),
        key("login", "plaintext_from_loopback", &Config::plaintext_from_loopback,
            "Passwords may cross the line without TLS from peers on this machine."),
        key("login", "plaintext_from_anywhere", &Config::plaintext_from_anywhere,
            "... from anywhere. Everybody on the way can then read passwords."),

        key("smtp", "message_octets_max", &Config::message_octets_max,
            "Octets of one message (SIZE). 0: no limit."),
        key("smtp", "recipients_max", &Config::recipients_max,
            "Recipients of one message; at least 100."),
        key("smtp", "relay_networks", &Config::relay_networks,
            "Networks from which mail to anywhere is taken without login, such as "
            "[\"192.0.2.0/28\"]. Whoever is there "
            "can send in anybody's name."),
        key("smtp", "received_max", &Config::received_max,
            "Received fields above which a message is a loop."),
        key("smtp", "senders_own_address", &Config::senders_own_address,
            "Users who log in may send as themselves only."),
        key("smtp", "reverse_lookup", &Config::reverse_lookup,
            "Look up the names of hosts that deliver here, for trace fields and rules. Nobody "
            "waits for it."),

        key("imap", "idle_time", &Config::imap_idle_time,
            "Silence before an IMAP connection is closed; at least 1800."),
        key("imap", "append_8bit_headers", &Config::append_8bit_headers,
            "Take messages with 8-bit header fields from clients that have not enabled "
            "UTF8=ACCEPT, against RFC 6855: for moving old mail here over IMAP."),
        key("pop3", "idle_time", &Config::pop3_idle_time,
            "Silence before a POP3 connection is closed; at least 600."),

        key("delivery", "port", &Config::delivery_port, "Port of hosts that the DNS names."),
        key("delivery", "tls", &Config::delivery_tls,
            "TLS to hosts that the DNS names. opportunistic: where it is offered, unchecked.",
            tls_choices),
        key("delivery", "families", &Config::delivery_families, "Addresses that are used.",
            {"both", "v4", "v6"}),
        key("delivery", "connections_max", &Config::delivery_connections_max,
            "Outgoing connections at a time."),
        key("delivery", "destination_connections_max", &Config::destination_connections_max,
            "Outgoing connections at a time to one destination."),
        key("delivery", "connect_time", &Config::connect_time,
            "How long a host may take to take a connection."),
        key("delivery", "retry_waits", &Config::retry_waits,
            "Waits between attempts, the last one repeated. Empty: 60, 300, 900, 1800, 3600, 7200, "
            "14400."),
        key("delivery", "delay_report_after", &Config::delay_report_after,
            "When a sender is told that mail is late."),
        key("delivery", "queue_lifetime", &Config::queue_lifetime,
            "How long mail that cannot be delivered is tried before it is returned."),
        key("delivery", "backoff_first", &Config::backoff_first,
            "Wait after a destination could not be reached; doubles up to an hour."),
        key("delivery", "over_quota_fails", &Config::over_quota_fails,
            "Mail for a full mailbox is returned at once instead of waiting."),

        key("rules", "folder", &Config::rules_folder,
            "Folder of rules in Lua (*.lua, in the order of their names) and of their lists "
            "(*.txt), relative to the data folder. Empty: no rules."),
        key("rules", "on_failure", &Config::rules_on_failure,
            "What becomes of mail when a rule fails. open: as if the rule were not there. defer: "
            "the sender is told to come later. A rule may say it itself.",
            {"open", "defer"}),
        key("rules", "instructions_max", &Config::rules_instructions_max,
            "Instructions that a rule may take to judge one message; at least 10000."),
        key("rules", "memory_max", &Config::rules_memory_max,
            "Octets of values of all rules of one loop, at least 4194304. One judgement may take a "
            "quarter of it."),
        key("rules", "time_max", &Config::rules_time_max,
            "How long a rule may take to judge one message, with waiting for the DNS."),
        key("rules", "watch_time", &Config::rules_watch_time,
            "How often the folder is looked at; what has changed in it is used from then on. 0: "
            "only at a reload."),

        key("dns", "servers", &Config::dns_servers,
            "Recursive name servers, \"address\" or \"address:port\" (IPv6 in brackets). Empty: "
            "those of /etc/resolv.conf."),
        key("dns", "trust_ad", &Config::dns_trust_ad,
            "Whose word that an answer was validated by DNSSEC counts. loopback: of servers on "
            "this machine.",
            {"loopback", "always", "never"}),
        key("dns", "timeout", &Config::dns_timeout,
            "Of the first try at a server; doubles each round."),
        key("dns", "tries", &Config::dns_tries, "Rounds over all servers."),

        key("store", "checkpoint_time", &Config::checkpoint_time,
            "How long changes stay in the journal alone before the index takes them."),
        key("store", "checkpoint_octets", &Config::checkpoint_octets,
            "Octets of changes after which it does so at once."),
        key("store", "index_octets_max", &Config::index_octets_max,
            "Address space reserved for the index; not disk, not memory."),
        key("store", "restore_horizon", &Config::restore_horizon,
            "How far back the store can be restored to. Deleted mail stays on disk for as long. 0: "
            "not at all. On a full disk the past gives way to new mail."),
        key("store", "compaction_age", &Config::compaction_age,
            "Age at which what is still needed is moved out of a file that holds anything deleted. "
            "Deleted mail has left the disk after this, restore_horizon and a day."),
        key("store", "scrub_interval", &Config::scrub_interval,
            "How often all mail is read in the background and its checksums are checked. 0: only "
            "by mdctl store scrub."),
    };
    return table;
}

constexpr std::pair<std::string_view, ServiceKind> services[] = {
    {"smtp", ServiceKind::Smtp},
    {"submission", ServiceKind::Submission},
    {"submissions", ServiceKind::Submissions},
    {"lmtp", ServiceKind::Lmtp},
    {"imap", ServiceKind::Imap},
    {"imaps", ServiceKind::Imaps},
    {"pop3", ServiceKind::Pop3},
    {"pop3s", ServiceKind::Pop3s},
};

ConfigError error_at(const toml::node& node, std::string text) {
    return ConfigError{node.source().begin.line, node.source().begin.column, std::move(text)};
}

/// Reads a table of an array: its keys are few and have no defaults worth a row in the table above.
class Fields {
  public:
    Fields(const toml::node& node, std::string name)
        : node_(node), table_(node.as_table()), name_(std::move(name)) {
        if (!table_) error_ = error_at(node, name_ + ": expected a table [[" + name_ + "]]");
    }
    template <class T>
    Fields& take(std::string_view key, T& into) {
        known_.emplace(key);
        if (error_ || !table_) return *this;
        if (const auto* node = table_->get(key))
            if (auto expected = read(*node, into))
                error_ = error_at(*node, fmt::format("{}.{}: expected {}", name_, key, *expected));
        return *this;
    }
    Fields& require(bool condition, std::string_view expected) {
        if (!error_ && !condition)
            error_ = error_at(node_, fmt::format("{}: expected {}", name_, expected));
        return *this;
    }
    std::optional<ConfigError> finish() {
        if (!error_ && table_)
            for (const auto& [key, node] : *table_)
                if (!known_.contains(std::string(key.str())))
                    return ConfigError{key.source().begin.line, key.source().begin.column,
                                       fmt::format("{}.{}: no such key", name_, key.str())};
        return error_;
    }

  private:
    const toml::node& node_;
    const toml::table* table_; // absent: it was something else
    std::string name_;
    std::set<std::string> known_;
    std::optional<ConfigError> error_;
};

std::optional<ConfigError> read_listen(const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array) return error_at(node, "listen: expected [[listen]] tables");
    for (const auto& each : *array) {
        ListenConfig listen;
        std::string service;
        std::uint64_t port = 65536;
        auto error =
            Fields(each, "listen")
                .take("service", service)
                .take("addresses", listen.addresses)
                .take("port", port)
                .take("path", listen.path)
                .take("proxy_header", listen.proxy_header)
                .require(std::ranges::any_of(services, [&](auto& s) { return s.first == service; }),
                         "service = one of smtp, submission, submissions, lmtp, imap, imaps, pop3, "
                         "pop3s")
                .require(port <= 65535 || (port == 65536), "port = 0 to 65535")
                .require(listen.path.empty() || (port == 65536 && listen.addresses.empty()),
                         "either path, or addresses and port")
                .finish();
        if (error) return error;
        for (const auto& [name, kind] : services)
            if (name == service) listen.service = kind;
        if (!built_in(listen.service))
            return error_at(each, "listen: this build has no " + service);
        listen.port =
            port == 65536 ? default_port(listen.service) : static_cast<std::uint16_t>(port);
        for (const auto& address : listen.addresses)
            if (!IpAddress::parse(address))
                return error_at(each, "listen.addresses: expected IP addresses, not " + address);
        config.listen.push_back(std::move(listen));
    }
    return std::nullopt;
}

std::optional<ConfigError> read_certificates(const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array) return error_at(node, "certificate: expected [[certificate]] tables");
    for (const auto& each : *array) {
        CertificateConfig certificate;
        auto error = Fields(each, "certificate")
                         .take("file", certificate.certificate)
                         .take("key", certificate.key)
                         .require(!certificate.certificate.empty() && !certificate.key.empty(),
                                  "file and key")
                         .finish();
        if (error) return error;
        config.certificates.push_back(std::move(certificate));
    }
    return std::nullopt;
}

std::optional<ConfigError> read_routes(const toml::node& node, Config& config) {
    const auto* array = node.as_array();
    if (!array) return error_at(node, "route: expected [[route]] tables");
    for (const auto& each : *array) {
        RouteConfig route;
        static constexpr std::string_view modes[] = {"never", "opportunistic", "encrypted",
                                                     "verified", "implicit"};
        auto error =
            Fields(each, "route")
                .take("domain", route.domain)
                .take("host", route.host)
                .take("port", route.port)
                .take("tls", route.tls)
                .take("user", route.user)
                .take("password_file", route.password_file)
                .require(!route.domain.empty() && !route.host.empty(), "domain and host")
                .require(std::ranges::find(modes, route.tls) != std::end(modes),
                         "tls = one of never, opportunistic, encrypted, verified, implicit")
                .finish();
        if (error) return error;
        config.routes.push_back(std::move(route));
    }
    return std::nullopt;
}

std::optional<ConfigError> check(const Config& config, const toml::table& table) {
    const auto wrong = [&](std::string_view section, std::string_view key, std::string text) {
        const auto* node = table.at_path(fmt::format("{}.{}", section, key)).node();
        ConfigError error{1, 1, fmt::format("{}.{}: {}", section, key, text)};
        if (node) {
            error.line = node->source().begin.line;
            error.column = node->source().begin.column;
        }
        return error;
    };
    if (config.hostname.empty())
        return wrong("server", "hostname", "expected the name of this host");
    for (const auto& network : config.relay_networks)
        if (!IpNetwork::parse(network))
            return wrong("smtp", "relay_networks",
                         "expected networks like 192.0.2.0/24, not " + network);
    if (config.connection_memory_max < 1024 * 1024)
        return wrong("server", "connection_memory_max", "expected 1048576 or more");
    if (config.memory_max != 0 && config.memory_max < 64 * 1024 * 1024)
        return wrong("server", "memory_max", "expected 0, or 67108864 or more");
    if (config.recipients_max < 100)
        return wrong("smtp", "recipients_max", "expected 100 or more (RFC 5321)");
    if (config.rules_instructions_max < 10'000)
        return wrong("rules", "instructions_max", "expected 10000 or more");
    if (config.rules_memory_max < 4 * 1024 * 1024)
        return wrong("rules", "memory_max", "expected 4194304 or more");
    if (config.rules_time_max < Milliseconds{1})
        return wrong("rules", "time_max", "expected 1 or more");
    if (config.imap_idle_time < Seconds{1800})
        return wrong("imap", "idle_time", "expected 1800 or more (RFC 9051)");
    if (config.pop3_idle_time < Seconds{600})
        return wrong("pop3", "idle_time", "expected 600 or more (RFC 1939)");
    return std::nullopt;
}

} // namespace

std::string_view to_string(ServiceKind kind) {
    for (const auto& [name, each] : services)
        if (each == kind) return name;
    return "unknown";
}

std::uint16_t default_port(ServiceKind kind) {
    switch (kind) {
    case ServiceKind::Smtp: return 25;
    case ServiceKind::Submission: return 587;
    case ServiceKind::Submissions: return 465;
    case ServiceKind::Lmtp: return 24;
    case ServiceKind::Imap: return 143;
    case ServiceKind::Imaps: return 993;
    case ServiceKind::Pop3: return 110;
    case ServiceKind::Pop3s: return 995;
    }
    return 0;
}

std::string ConfigError::to_string(std::string_view file) const {
    return fmt::format("{}:{}:{}: {}", file, line, column, text);
}

std::expected<Config, ConfigError> parse_config(std::string_view text) {
    auto parsed = toml::parse(text);
    if (!parsed) {
        const auto& error = parsed.error();
        return std::unexpected(ConfigError{error.source().begin.line, error.source().begin.column,
                                           std::string(error.description())});
    }
    const auto& table = parsed.table();
    Config config;
    std::set<std::string> sections;
    for (const auto& row : keys()) sections.insert(row.section);
    for (const auto& [name, node] : table) {
        const std::string section(name.str());
        std::optional<ConfigError> error;
        if (section == "listen")
            error = read_listen(node, config);
        else if (section == "certificate")
            error = read_certificates(node, config);
        else if (section == "route")
            error = read_routes(node, config);
        else if (!sections.contains(section))
            error = ConfigError{name.source().begin.line, name.source().begin.column,
                                section + ": no such section"};
        else if (const auto* fields = node.as_table()) {
            for (const auto& [key_name, value] : *fields) {
                const auto row = std::ranges::find_if(keys(), [&](const auto& each) {
                    return each.section == section && each.name == key_name.str();
                });
                if (row == keys().end())
                    return std::unexpected(
                        ConfigError{key_name.source().begin.line, key_name.source().begin.column,
                                    fmt::format("{}.{}: no such key", section, key_name.str())});
                if (auto expected = row->read_into(value, config))
                    return std::unexpected(error_at(
                        value, fmt::format("{}.{}: expected {}", section, row->name, *expected)));
            }
        } else {
            error = error_at(node, section + ": expected a section [" + section + "]");
        }
        if (error) return std::unexpected(std::move(*error));
    }
    if (auto error = check(config, table)) return std::unexpected(std::move(*error));
    return config;
}

std::vector<KeyFacts> config_keys() {
    std::vector<KeyFacts> facts;
    const Config defaults;
    for (const auto& row : keys()) {
        auto meaning = row.meaning;
        if (!row.choices.empty()) {
            meaning += " One of:";
            for (const auto& choice : row.choices) meaning += " " + choice;
            meaning += ".";
        }
        facts.push_back({row.section, row.name, row.type, row.write(defaults), std::move(meaning)});
    }
    return facts;
}

std::string documented_config(const Config& config) {
    std::string out =
        "# Settings of mdserver. A line that begins with # shows a default. `mdctl reload` applies "
        "changes\n"
        "# without dropping a connection; with a mistake in here the old settings stay in force.\n";
    const Config defaults;
    std::string section;
    for (const auto& row : keys()) {
        if (row.section != section) {
            section = row.section;
            out += "\n[" + section + "]\n";
        }
        std::string line = "# ";
        const auto facts = row.meaning;
        std::size_t column = 2;
        for (std::size_t at = 0; at < facts.size();) {
            const auto end = std::min(facts.find(' ', at), facts.size());
            if (column + end - at > 98) {
                while (line.ends_with(' ')) line.pop_back();
                line += "\n# ";
                column = 2;
            }
            line += facts.substr(at, end - at) + " ";
            column += end - at + 1;
            at = end + 1;
        }
        while (line.ends_with(' ')) line.pop_back();
        out += line +
               (row.type == "text" || row.type == "true/false" ? "" : " (" + row.type + ")") + "\n";
        const auto value = row.write(config);
        out += (value == row.write(defaults) ? "#" : "") + row.name + " = " + value + "\n";
    }
    out += "\n# What is listened on: a service with addresses (none: all of this machine) and a "
           "port, or a path.\n";
    for (const auto& listen : config.listen) {
        out += fmt::format("\n[[listen]]\nservice = \"{}\"\n", to_string(listen.service));
        if (!listen.addresses.empty()) out += "addresses = " + written(listen.addresses) + "\n";
        if (!listen.path.empty())
            out += "path = " + written(listen.path) + "\n";
        else
            out += fmt::format("port = {}\n", listen.port);
        if (listen.proxy_header) out += "proxy_header = true\n";
    }
    out += "\n# Certificate chains with their keys (PEM), relative to the data folder; chosen by "
           "the name that a client asks for.\n";
    for (const auto& certificate : config.certificates)
        out += "\n[[certificate]]\nfile = " + written(certificate.certificate) +
               "\nkey = " + written(certificate.key) + "\n";
    out += "\n# Mail for a domain (\"*\": for all others) goes to a host instead of where the DNS "
           "says.\n"
           "#[[route]]\n#domain = \"*\"\n#host = \"relay.example.net\"\n#port = 587\n#tls = "
           "\"verified\"\n"
           "#user = \"me\"\n#password_file = \"relay.password\"\n";
    for (const auto& route : config.routes)
        out += fmt::format(
            "\n[[route]]\ndomain = {}\nhost = {}\nport = {}\ntls = {}\n{}", written(route.domain),
            written(route.host), route.port, written(route.tls),
            route.user.empty() ? ""
                               : fmt::format("user = {}\npassword_file = {}\n", written(route.user),
                                             written(route.password_file)));
    return out;
}

std::string config_manual() {
    std::string out = "# mdserver.toml\n\nEvery key with its type, default and meaning. Paths are "
                      "relative to the data folder.\n";
    std::string section;
    for (const auto& facts : config_keys()) {
        if (facts.section != section) {
            section = facts.section;
            out +=
                "\n## [" + section + "]\n\n| key | type | default | meaning |\n|---|---|---|---|\n";
        }
        out += fmt::format("| `{}` | {} | `{}` | {} |\n", facts.key, facts.type,
                           facts.default_value, facts.meaning);
    }
    out += "\n## [[listen]]\n\nAny number. `service`: smtp, submission, submissions, lmtp, imap, "
           "imaps, pop3 or pop3s. `addresses`: a list of IP "
           "addresses, all of this machine if missing; `port`: the service's own if missing, 0 for "
           "any free one. Or `path`: a UNIX "
           "socket. `proxy_header = true`: connections begin with a PROXY header.\n"
           "\n## [[certificate]]\n\nAny number. `file`: the chain, leaf first; `key`: its private "
           "key; both PEM. Without any, TLS is not offered.\n"
           "\n## [[route]]\n\nAny number. `domain` (\"*\": all that have no route of their own), "
           "`host` (a name or address), `port` (25), `tls` (never, "
           "opportunistic, encrypted, verified, implicit), `user` and `password_file` for AUTH.\n";
    return out;
}

} // namespace mailcore::server
