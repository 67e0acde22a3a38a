#include "libmailcore/server/server.h"

#include "libmailcore/accounts/store_directory.h"
#include "libmailcore/base/file.h"
#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/delivery/rule_names.h"
#include "libmailcore/delivery/rule_rows.h"
#include "libmailcore/filter/rule_folder.h"
#include "libmailcore/net/acceptor.h"
#include "libmailcore/net/connector.h"
#include "libmailcore/net/loops.h"
#include "libmailcore/net/resolver.h"
#include "libmailcore/net/tls_server.h"
#include "libmailcore/server/control.h"
#include "libmailcore/server/factories.h"
#include "libmailcore/server/metrics.h"
#include "libmailcore/server/part_options.h"
#include "libmailcore/server/process_memory.h"
#include "libmailcore/store/journal_store.h"
#include "libmailcore/store/memory_store.h"

#include <algorithm>
#include <fmt/format.h>
#include <future>

namespace mailcore::server {

namespace {

Result<net::ResolverOptions> resolver_options(const Config& config) {
    net::ResolverOptions options;
    for (const auto& text : config.dns_servers) {
        net::NameServer server;
        std::string_view host = text;
        const auto bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
        const auto colon = bracket != std::string_view::npos    ? host.find(':', bracket)
                           : std::ranges::count(host, ':') == 1 ? host.find(':')
                                                                : std::string_view::npos;
        if (colon != std::string_view::npos) {
            const auto port = codec::parse_u32(host.substr(colon + 1), 65535);
            if (!port) return fail(ErrorKind::Rejected, "dns.servers: not a port in " + text);
            server.port = static_cast<std::uint16_t>(*port);
            host = host.substr(0, colon);
        }
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        const auto address = IpAddress::parse(host);
        if (!address) return fail(ErrorKind::Rejected, "dns.servers: not an address: " + text);
        server.address = *address;
        options.servers.push_back(server);
    }
    options.trust_ad = config.dns_trust_ad == "always"  ? net::TrustAd::Always
                       : config.dns_trust_ad == "never" ? net::TrustAd::Never
                                                        : net::TrustAd::Loopback;
    options.timeout = config.dns_timeout;
    options.tries = static_cast<int>(config.dns_tries);
    return options;
}

bool is_implicit(ServiceKind kind) {
    return kind == ServiceKind::Imaps || kind == ServiceKind::Pop3s ||
           kind == ServiceKind::Submissions;
}

/// What rules of one loop may ask of the world.
struct LoopRulePorts {
    LoopRulePorts(dns::Resolver& resolver, store::Store& a_store)
        : names(resolver), rows(a_store) {}
    delivery::ResolverNames names;
    delivery::RuleRows rows;
};

/// Rids the store of counters and sets that have expired, now and then.
Task<void> sweep_rules(store::Store& store) {
    auto& scheduler = co_await base::current_scheduler();
    constexpr auto rest = std::chrono::minutes{10};
    while (true) {
        co_await base::sleep_until(scheduler.now() + rest);
        std::string from;
        do {
            auto next = co_await delivery::sweep_rule_rows(store, from);
            if (!next) break; // the store says why, and is asked again later
            from = std::move(*next);
        } while (!from.empty());
    }
}

tls::Alpn alpn(ServiceKind kind) {
    // RFC 7301 names as IANA has them: a client that says another protocol is not served (ALPACA).
    switch (kind) {
    case ServiceKind::Imap:
    case ServiceKind::Imaps: return {"imap"};
    case ServiceKind::Pop3:
    case ServiceKind::Pop3s: return {"pop3"};
    default: return {"smtp"};
    }
}

} // namespace

struct Server::Impl final : ControlTarget {
    Impl(Config a_config, Parts a_parts)
        : config(std::move(a_config)), parts(std::move(a_parts)), counting(parts.log),
          log(counting, level(config.log_level)),
          memory({.octets_max = config.memory_max > 0 ? config.memory_max : default_memory_max()},
                 clock, meter) {}

    static base::LogLevel level(std::string_view name) {
        if (name == "debug") return base::LogLevel::Debug;
        if (name == "warning") return base::LogLevel::Warning;
        if (name == "error") return base::LogLevel::Error;
        return base::LogLevel::Info;
    }

    Result<void> bind();
    Result<void> open_store();
    Result<std::shared_ptr<const tls::ServerCredentials>> load_certificates(const Config& from);
    Result<void> start();
    void stop();
    void start_courier();
    /// A set of rules for each loop; all of them or none.
    Result<std::vector<filter::LuaRules>> load_rules(const Config& from);
    [[nodiscard]] std::shared_ptr<const filter::Pipeline>
    make_pipeline(LoopParts& loop, const std::vector<filter::LuaRules>& rules, std::size_t index);
    void set_pipelines(const std::vector<filter::LuaRules>& rules);
    Result<std::vector<std::string>> reload(Config next);
    Result<std::string> call(std::string method, std::string request);
    /// Runs `work` on the first loop and waits for it; never on a loop.
    void on_first_loop(std::function<void()> work);

    // ControlTarget
    store::Store& store() override { return *the_store; }
    accounts::StoreDirectory& directory() override { return *the_directory; }
    std::vector<Metric> metrics() override;
    std::vector<BoundEndpoint> endpoints() override { return bound; }
    std::vector<std::string> warnings() override;
    void queue_changed(queue::QueueId id, bool now) override;
    Task<std::vector<net::ConnectionFacts>> connections() override { return acceptor->list(); }
    std::string log_file() override {
        return config.log_file.empty() ? std::string() : below(config.data, config.log_file);
    }
    const Config& configuration() override { return config; }
    bool request_reload() override {
        if (!parts.request_reload) return false;
        parts.request_reload();
        return true;
    }

    Config config;
    Parts parts;
    CountingSink counting;
    Log log;
    base::SystemRandom random;
    base::SystemClock clock;
    ProcessMeter meter;
    base::MemoryGate memory;
    base::PosixFileSystem files;
    std::shared_ptr<tls::TicketKeys> ticket_keys;
    std::vector<std::pair<ListenConfig, net::ListeningSocket>> sockets; // until `start`
    std::optional<net::ListeningSocket> control_socket;
    std::vector<BoundEndpoint> bound;

    std::unique_ptr<net::Loops> loops;
    std::unique_ptr<store::Store> the_store;
    std::unique_ptr<accounts::StoreDirectory> the_directory;
    session::MaildropLocks maildrops;
    Secret fake_salt_key;
    std::shared_ptr<net::TlsServer> tls_server; // absent: no certificate
    std::vector<std::unique_ptr<LoopParts>> loop_parts;
    std::vector<std::unique_ptr<LoopRulePorts>> rule_ports;
    std::unique_ptr<ControlMethods> methods; // of the first loop, for `call`
    std::unique_ptr<Scope> chores;           // of the first loop
    PartsByLoop parts_by_loop;
    CurrentOptions current;
    std::shared_ptr<tls::ClientContext> client_tls;
    std::unique_ptr<net::Connector> connector;
    std::unique_ptr<delivery::SmtpTransport> transport;
    std::unique_ptr<delivery::Courier> courier;
    std::unique_ptr<net::Acceptor> acceptor;
    std::unique_ptr<store::Subscription> changes; // of the first loop; absent: nobody listens
    std::mutex running_mutex;                     // a call comes from any thread
    bool running = false;
};

Result<void> Server::Impl::bind() {
    for (const auto& listen : config.listen) {
        if (!built_in(listen.service))
            return fail(ErrorKind::Rejected,
                        fmt::format("listen: this build has no {}", to_string(listen.service)));
        std::vector<net::Endpoint> endpoints;
        if (!listen.path.empty()) {
            endpoints.push_back(net::UnixEndpoint{below(config.data, listen.path), 0660});
        } else if (listen.addresses.empty()) {
            endpoints.push_back(net::TcpEndpoint{*IpAddress::parse("0.0.0.0"), listen.port});
            endpoints.push_back(net::TcpEndpoint{*IpAddress::parse("::"), listen.port});
        } else {
            for (const auto& text : listen.addresses) {
                const auto address = IpAddress::parse(text);
                if (!address) return fail(ErrorKind::Rejected, "listen: not an address: " + text);
                endpoints.push_back(net::TcpEndpoint{*address, listen.port});
            }
        }
        const bool anywhere = listen.path.empty() && listen.addresses.empty();
        for (const auto& endpoint : endpoints) {
            auto socket = net::ListeningSocket::open(endpoint);
            if (!socket) {
                // A machine without IPv6 is no reason not to serve IPv4.
                const bool second = anywhere && &endpoint == &endpoints.back();
                if (second && socket.error().kind != ErrorKind::Conflict) continue;
                return fail(socket.error().kind, fmt::format("{}: {}", to_string(listen.service),
                                                             socket.error().detail));
            }
            bound.push_back({listen.service, socket->bound(), listen.path});
            sockets.emplace_back(listen, std::move(*socket));
        }
    }
    if (!config.control_socket.empty() && !config.in_memory) {
        MAILCORE_TRY(auto socket, net::ListeningSocket::open(net::UnixEndpoint{
                                      below(config.data, config.control_socket), 0600}));
        control_socket = std::move(socket);
    }
    return {};
}

Result<void> Server::Impl::open_store() {
    if (config.in_memory) {
        the_store = std::make_unique<store::MemoryStore>(clock);
        return {};
    }
    store::JournalStoreOptions options;
    options.checkpoint_interval = config.checkpoint_time;
    options.checkpoint_octets = config.checkpoint_octets;
    options.index_map_octets = config.index_octets_max;
    options.restore_horizon = config.restore_horizon;
    options.compaction_age = config.compaction_age;
    options.scrub_interval = config.scrub_interval;
    MAILCORE_TRY(the_store, store::JournalStore::open(files, below(config.data, "store"), options,
                                                      random, clock, log));
    for (const auto& damage : the_store->status().damages)
        MAILCORE_LOG(log, Error, "store.damaged", {{"what", damage}});
    return {};
}

Result<std::shared_ptr<const tls::ServerCredentials>>
Server::Impl::load_certificates(const Config& from) {
    tls::ServerOptions options;
    for (const auto& certificate : from.certificates) {
        constexpr std::uint64_t octets_max = 1024 * 1024;
        crypto::CertificateAndKey pair;
        MAILCORE_TRY(pair.certificate_pem,
                     base::read_file(files, below(from.data, certificate.certificate), octets_max));
        MAILCORE_TRY(auto key,
                     base::read_file(files, below(from.data, certificate.key), octets_max));
        pair.private_key_pem = Secret{std::move(key)};
        options.certificates.push_back(std::move(pair));
    }
    options.ciphers =
        from.tls_ciphers == "compatible" ? tls::Ciphers::Compatible : tls::Ciphers::Modern;
    options.ticket_keys = ticket_keys;
    if (!from.client_ca_file.empty()) {
        constexpr std::uint64_t octets_max = 1024 * 1024;
        MAILCORE_TRY(options.client_authorities_pem,
                     base::read_file(files, below(from.data, from.client_ca_file), octets_max));
    }
    return tls::ServerCredentials::create(std::move(options), random);
}

Result<void> Server::Impl::start() {
    MAILCORE_TRY(loops, net::Loops::create({config.loops, config.workers}, log));
    MAILCORE_TRY(open_store());
    the_directory = std::make_unique<accounts::StoreDirectory>(*the_store, random,
                                                               directory_options(config), log);
    fake_salt_key = Secret{random.hex(16)};
    ticket_keys = std::make_shared<tls::TicketKeys>(random);
    if (!config.certificates.empty()) {
        MAILCORE_TRY(auto credentials, load_certificates(config));
        tls_server = std::make_shared<net::TlsServer>(std::move(credentials));
    }
    MAILCORE_TRY(const auto dns_options, resolver_options(config));
    for (auto* loop : loops->all()) {
        MAILCORE_TRY(auto resolver, net::Resolver::create(*loop, random, dns_options, log));
        delivery::LocalOptions local;
        local.over_quota_fails = config.over_quota_fails;
        delivery::ReportOptions report;
        report.hostname = config.hostname;
        auto to_courier = [this](queue::QueueId id) { queue_changed(id, false); };
        loop_parts.push_back(std::make_unique<LoopParts>(
            *loop, *the_store, *the_directory, maildrops, fake_salt_key, config.hostname, local,
            report, std::move(resolver), std::move(to_courier), memory, random, log));
        parts_by_loop[loop] = loop_parts.back().get();
        rule_ports.push_back(
            std::make_unique<LoopRulePorts>(*loop_parts.back()->resolver, *the_store));
    }
    current.set(service_options(config, loop_parts.front()->services, tls_server != nullptr));
    MAILCORE_TRY(const auto rules, load_rules(config));
    set_pipelines(rules);

    const auto ca_file = config.ca_file;
    tls::ClientOptions client;
    client.authorities =
        std::make_shared<const tls::Authorities>([ca_file]() -> Result<std::string> {
            base::PosixFileSystem system;
            constexpr std::uint64_t octets_max = 16 * 1024 * 1024;
            return base::read_file(system, ca_file, octets_max);
        });
    MAILCORE_TRY(client_tls, tls::ClientContext::create(std::move(client), random));
    MAILCORE_TRY(auto remote, remote_options(files, config));
    auto& first = *loop_parts.front();
    net::ConnectorOptions connector_options;
    connector_options.tls = client_tls;
    connector =
        std::make_unique<net::Connector>(*loops->all().front(), std::move(connector_options), log);
    transport = std::make_unique<delivery::SmtpTransport>(
        first.loop, *connector, *first.resolver, *the_store, std::move(remote), random, log);
    courier =
        std::make_unique<delivery::Courier>(first.loop, *the_store, first.local, first.reporter,
                                            *transport, courier_options(config), random, log);

    net::AcceptorOptions ceilings;
    ceilings.connections_max = config.connections_max;
    ceilings.connections_per_address_max = config.connections_per_address_max;
    ceilings.connection_memory_max = config.connection_memory_max;
    ceilings.memory = &memory;
    acceptor = std::make_unique<net::Acceptor>(loops->all(), ceilings, log);
    for (auto& [listen, socket] : sockets) {
        auto service = std::make_shared<net::Service>();
        service->name = to_string(listen.service);
        service->factory = make_factory(listen.service, parts_by_loop, current);
        service->tls = tls_server;
        service->tls_settings.alpn = alpn(listen.service);
        // Other servers have no accounts here.
        if (listen.service != ServiceKind::Smtp && listen.service != ServiceKind::Lmtp)
            service->tls_settings.client_certificate = tls::ClientCertificate::Asked;
        service->implicit_tls = is_implicit(listen.service);
        service->proxy_header = listen.proxy_header;
        if (service->implicit_tls && !tls_server) {
            MAILCORE_LOG(log, Warning, "server.no_certificate", {{"service", service->name}});
            continue;
        }
        acceptor->listen(std::move(socket), std::move(service));
    }
    sockets.clear();
    if (control_socket) {
        auto service = std::make_shared<net::Service>();
        service->name = "control";
        service->reserved = true;
        service->factory = make_control_factory(*this, log);
        acceptor->listen(std::move(*control_socket), std::move(service));
        control_socket.reset();
    }
    loops->start();
    first.loop.post([this] {
        auto& loop = loop_parts.front()->loop;
        if (config.delivers)
            courier->start();
        else
            courier->stop();
        methods = std::make_unique<ControlMethods>(*this, "host", log);
        chores = std::make_unique<Scope>(loop);
        chores->spawn(sweep_rules(*the_store));
        if (parts.changed)
            changes = the_store->subscribe(
                loop, {}, [this](const store::Change& change) { parts.changed(change); });
    });
    {
        const std::scoped_lock lock(running_mutex);
        running = true;
    }
    for (const auto& warning : warnings())
        MAILCORE_LOG(log, Warning, "tls.certificate", {{"what", warning}});
    MAILCORE_LOG(log, Info, "server.started",
                 {{"hostname", config.hostname}, {"loops", loops->size()}});
    return {};
}

Result<std::vector<filter::LuaRules>> Server::Impl::load_rules(const Config& from) {
    std::vector<filter::LuaRules> rules;
    if (from.rules_folder.empty()) return rules;
    MAILCORE_TRY(const auto source,
                 filter::read_rule_folder(files, below(from.data, from.rules_folder)));
    if (source.rules.empty()) return rules;
    for (const auto& ports : rule_ports) {
        MAILCORE_TRY(auto loaded,
                     filter::LuaRules::load(source, rule_limits(from),
                                            {clock, &ports->names, &ports->rows, log}));
        rules.push_back(std::move(loaded));
    }
    MAILCORE_LOG(log, Info, "rules.loaded",
                 {{"files", source.rules.size()}, {"octets", rules.front().memory()}});
    return rules;
}

/// Filters of the embedder stand before rules.
std::shared_ptr<const filter::Pipeline>
Server::Impl::make_pipeline(LoopParts& loop, const std::vector<filter::LuaRules>& rules,
                            std::size_t index) {
    auto entries = parts.filters ? parts.filters(loop.loop) : std::vector<filter::PipelineEntry>{};
    if (index < rules.size())
        for (auto& entry : rules[index].entries()) entries.push_back(std::move(entry));
    return std::make_shared<const filter::Pipeline>(std::move(entries), log);
}

void Server::Impl::set_pipelines(const std::vector<filter::LuaRules>& rules) {
    for (std::size_t i = 0; i < loop_parts.size(); ++i) {
        auto& each = *loop_parts[i];
        const auto pipeline = make_pipeline(each, rules, i);
        each.services.pipeline = pipeline;
        each.intake.set_pipeline(pipeline);
    }
}

void Server::Impl::on_first_loop(std::function<void()> work) {
    std::promise<void> done;
    auto finished = done.get_future();
    loop_parts.front()->loop.post([&] {
        work();
        done.set_value();
    });
    finished.wait();
}

void Server::Impl::stop() {
    {
        const std::scoped_lock lock(running_mutex);
        if (!std::exchange(running, false)) return;
    }
    MAILCORE_LOG(log, Info, "server.stopping", {{"connections", acceptor->connections()}});
    on_first_loop([this] {
        courier->stop();
        chores.reset();
        methods.reset();
        changes.reset();
    });
    std::promise<void> drained;
    auto finished = drained.get_future();
    acceptor->drain(config.drain_time, [&] { drained.set_value(); });
    finished.wait();
    loops->stop();
    // What is left is ended by destroying it: rows say what was not finished.
    acceptor.reset();
    courier.reset();
    transport.reset();
    connector.reset();
    parts_by_loop.clear();
    loop_parts.clear();
    rule_ports.clear();
    the_directory.reset();
    the_store.reset();
    loops.reset();
    MAILCORE_LOG(log, Info, "server.stopped", {});
}

namespace {

/// Where the answer of a call is left, in every case: a caller waits.
class CallAnswer {
  public:
    explicit CallAnswer(std::promise<Result<std::string>> answer) : answer_(std::move(answer)) {}
    CallAnswer(CallAnswer&& other) noexcept
        : answer_(std::move(other.answer_)), given_(std::exchange(other.given_, true)) {}
    ~CallAnswer() { give(fail(ErrorKind::Unavailable, "the server ended")); }
    void give(Result<std::string> answer) {
        if (!std::exchange(given_, true)) answer_.set_value(std::move(answer));
    }

  private:
    std::promise<Result<std::string>> answer_;
    bool given_ = false;
};

Task<void> answer_call(Task<Result<std::string>> work, CallAnswer into) {
    auto answer = co_await std::move(work);
    into.give(std::move(answer));
}

} // namespace

Result<std::string> Server::Impl::call(std::string method, std::string request) {
    std::promise<Result<std::string>> answer;
    auto answered = answer.get_future();
    {
        const std::scoped_lock lock(running_mutex);
        if (!running) return fail(ErrorKind::Unavailable, "the server does not run");
        loop_parts.front()->loop.post([this, into = CallAnswer(std::move(answer)),
                                       method = std::move(method),
                                       request = std::move(request)]() mutable {
            chores->spawn(
                answer_call(methods->run(std::move(method), std::move(request)), std::move(into)));
        });
    }
    return answered.get();
}

void Server::Impl::queue_changed(queue::QueueId id, bool now) {
    loop_parts.front()->loop.post([this, id, now] {
        if (now)
            courier->retry_now(id);
        else
            courier->notice(id);
    });
}

Result<std::vector<std::string>> Server::Impl::reload(Config next) {
    std::shared_ptr<const tls::ServerCredentials> credentials;
    if (!next.certificates.empty()) {
        MAILCORE_TRY(credentials, load_certificates(next));
    }
    MAILCORE_TRY(auto remote, remote_options(files, next));
    MAILCORE_TRY(auto rules, load_rules(next));
    std::vector<std::string> unchanged;
    const auto keep = [&](auto Config::*field, std::string_view name) {
        if (config.*field != next.*field) {
            unchanged.push_back(std::string(name) + " changes with the next start");
            next.*field = config.*field;
        }
    };
    keep(&Config::data, "the data folder");
    keep(&Config::loops, "server.loops");
    keep(&Config::workers, "server.workers");
    keep(&Config::control_socket, "server.control_socket");
    keep(&Config::user, "server.user");
    keep(&Config::hostname, "server.hostname");
    keep(&Config::connections_max, "server.connections_max");
    keep(&Config::connections_per_address_max, "server.connections_per_address_max");
    keep(&Config::connection_memory_max, "server.connection_memory_max");
    keep(&Config::memory_max, "server.memory_max");
    keep(&Config::dns_servers, "dns.servers");
    if (credentials && !tls_server)
        unchanged.push_back("the first [[certificate]] is used with the next start");
    else if (credentials)
        tls_server->replace(std::move(credentials));
    config = std::move(next);
    current.set(service_options(config, loop_parts.front()->services, tls_server != nullptr));
    on_first_loop([this, &remote] { transport->set_options(std::move(remote)); });
    for (std::size_t i = 0; i < loop_parts.size(); ++i) {
        auto& each = *loop_parts[i];
        std::promise<void> done;
        auto finished = done.get_future();
        each.loop.post([&] {
            auto pipeline = make_pipeline(each, rules, i);
            // The last hold on the loop's old rules, and this one on its new ones, end here.
            if (i < rules.size()) {
                auto handed_over = std::move(rules[i]);
            }
            each.services.pipeline = pipeline;
            each.intake.set_pipeline(std::move(pipeline));
            done.set_value();
        });
        finished.wait();
    }
    MAILCORE_LOG(log, Info, "server.reloaded", {});
    return unchanged;
}

std::vector<std::string> Server::Impl::warnings() {
    std::vector<std::string> out;
    if (!tls_server) {
        out.emplace_back("no certificate: TLS is not offered");
        return out;
    }
    constexpr auto soon = std::chrono::hours{24 * 14};
    for (const auto& warning : tls_server->credentials()->warnings(clock.wall_now(), soon))
        out.push_back(warning.to_string());
    return out;
}

std::vector<Metric> Server::Impl::metrics() {
    std::vector<Metric> out = counting.metrics();
    const auto status = the_store->status();
    const auto gauge = [&](std::string name, std::string help, double value) {
        out.push_back({"mailcore_" + name, std::move(help), value, false});
    };
    const auto counter = [&](std::string name, std::string help, double value) {
        out.push_back({"mailcore_" + name, std::move(help), value, true});
    };
    gauge("connections", "Connections that are open.",
          static_cast<double>(acceptor->connections()));
    const auto connections = acceptor->counts();
    counter("connections_accepted_total", "Connections taken.",
            static_cast<double>(connections.accepted));
    const auto by_ceiling = [&](std::string name, std::string help,
                                std::initializer_list<std::pair<const char*, std::uint64_t>> all) {
        for (const auto& [ceiling, value] : all)
            counter(fmt::format("{}{{ceiling=\"{}\"}}", name, ceiling), help,
                    static_cast<double>(value));
    };
    using Admission = base::MemoryGate::Admission;
    by_ceiling("connections_refused_total", "Connections refused because of a ceiling.",
               {{"connections_max", connections.refused_total},
                {"connections_per_address_max", connections.refused_address},
                {"memory_max", connections.refused_memory}});
    by_ceiling("connections_shed_total", "Connections ended because of a ceiling.",
               {{"connection_memory_max", connections.ended_too_large},
                {"memory_max", connections.ended_memory}});
    counter("messages_refused_total", "Messages not begun for want of memory.",
            static_cast<double>(memory.refused(Admission::Message)));
    counter("messages_broken_off_total",
            "Times a message on its way in was refused for want of memory.",
            static_cast<double>(memory.refused(Admission::Octets)));
    gauge("store_writable", "1 as long as the store takes writes.", status.writable ? 1 : 0);
    gauge("store_free_octets", "Free octets of the disk below the store.",
          static_cast<double>(status.free_octets));
    gauge("store_journal_octets", "Octets of the journal on disk.",
          static_cast<double>(status.journal_octets));
    gauge(
        "store_reclaimable_octets",
        "Octets of the journal that nothing needs now: what is kept to restore, and what will go.",
        static_cast<double>(status.reclaimable_octets));
    gauge("store_damages", "Damages found in the store since it was opened.",
          static_cast<double>(status.damages.size()));
    gauge("queue_damages", "Rows of the queue found damaged since the server started.",
          static_cast<double>(courier->damaged()));
    if (status.last_snapshot)
        gauge("store_last_snapshot_seconds",
              "When the index was last written as a snapshot, since 1970.",
              static_cast<double>(status.last_snapshot->time_since_epoch().count()) / 1e6);
    if (status.last_scrub)
        gauge("store_last_scrub_seconds", "When all mail had been read and checked, since 1970.",
              static_cast<double>(status.last_scrub->time_since_epoch().count()) / 1e6);
    gauge("store_scrub_octets", "Octets read by the scrub under way, or the last one.",
          static_cast<double>(status.scrub_octets));
    gauge("store_index_octets", "Octets of the index on disk.",
          static_cast<double>(status.index_octets));
    gauge("store_overlay_octets", "Memory of changes that no checkpoint has taken.",
          static_cast<double>(status.overlay_octets));
    counter("store_transactions_total", "Transactions committed.",
            static_cast<double>(status.transactions));
    counter("store_batches_total", "Batches written.", static_cast<double>(status.batches));
    counter("store_syncs_total", "Disk flushes.", static_cast<double>(status.syncs));
    gauge("logins_cached", "Logins remembered.",
          static_cast<double>(the_directory->cached_logins()));
    const auto process = process_memory();
    gauge("memory_max_octets", "Anonymous memory before which mail and connections are refused.",
          static_cast<double>(memory.octets_max()));
    gauge("memory_anonymous_octets", "Anonymous memory of the process.",
          static_cast<double>(process.anonymous));
    gauge("memory_resident_octets", "Resident memory of the process, mapped files included.",
          static_cast<double>(process.resident));
    return out;
}

filter::RuleLimits rule_limits(const Config& config) {
    filter::RuleLimits limits;
    limits.instructions_max = config.rules_instructions_max;
    limits.memory_max = static_cast<std::size_t>(config.rules_memory_max);
    limits.call_memory_max = limits.memory_max / 4;
    limits.time_max = config.rules_time_max;
    limits.on_failure =
        config.rules_on_failure == "defer" ? filter::OnFailure::Defer : filter::OnFailure::Open;
    return limits;
}

std::vector<Error> check_rule_folder(const Config& config) {
    if (config.rules_folder.empty()) return {};
    base::PosixFileSystem files;
    const auto source = filter::read_rule_folder(files, below(config.data, config.rules_folder));
    if (!source) return {source.error()};
    const base::SystemClock clock;
    return filter::check_rules(*source, rule_limits(config), clock);
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() {
    if (impl_) impl_->stop();
}

Result<std::unique_ptr<Server>> Server::create(Config config, Parts parts) {
    if (config.hostname.empty()) return fail(ErrorKind::Rejected, "a server needs a hostname");
    auto impl = std::make_unique<Impl>(std::move(config), std::move(parts));
    MAILCORE_TRY(impl->bind());
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Result<void> Server::start() { return impl_->start(); }
void Server::stop() { impl_->stop(); }
Result<std::vector<std::string>> Server::reload(Config config) {
    return impl_->reload(std::move(config));
}
std::vector<BoundEndpoint> Server::endpoints() const { return impl_->bound; }
std::vector<Metric> Server::metrics() const { return impl_->metrics(); }
Result<std::string> Server::call(std::string method, std::string request) {
    return impl_->call(std::move(method), std::move(request));
}
store::Store& Server::store() { return impl_->store(); }
accounts::StoreDirectory& Server::directory() { return impl_->directory(); }
Scheduler& Server::scheduler() { return impl_->loop_parts.front()->loop; }
std::vector<std::string> Server::warnings() const { return impl_->warnings(); }

} // namespace mailcore::server
