#include "libmailcore/delivery/remote.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/delivery/seven_bit_body.h"
#include "libmailcore/sasl/client.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace mailcore::delivery {

namespace {

using smtp::ClientEvent;
using smtp::Problem;

/// Owns the engine; makes its events something that a Task can wait for.
class ClientDialogue final : public base::Dialogue {
  public:
    ClientDialogue(Scheduler& scheduler, std::shared_ptr<const smtp::ClientOptions> options)
        : scheduler_(scheduler), engine_(std::move(options), PeerInfo{}, scheduler.now()) {}

    base::Engine& engine() override { return engine_; }
    void drain() override {
        while (auto event = engine_.next_event()) push(std::move(*event));
    }
    void closed() override {
        drain();
        if (!ended_) push(smtp::Ended{engine_.stage(), Problem::PeerClosed, std::nullopt});
    }

    [[nodiscard]] smtp::ClientEngine& client() { return engine_; }
    [[nodiscard]] bool ended() const { return ended_; }

    /// After Ended it never returns.
    Task<ClientEvent> next() {
        while (events_.empty()) {
            base::Completion<bool> more(scheduler_);
            waiter_ = more.completer();
            co_await more;
        }
        auto event = std::move(events_.front());
        events_.pop_front();
        co_return event;
    }

  private:
    void push(ClientEvent event) {
        ended_ = ended_ || std::holds_alternative<smtp::Ended>(event);
        events_.push_back(std::move(event));
        if (waiter_) std::exchange(waiter_, std::nullopt)->complete(true);
    }
    Scheduler& scheduler_;
    smtp::ClientEngine engine_;
    std::deque<ClientEvent> events_;                          // the engine has a few under way
    std::optional<base::Completion<bool>::Completer> waiter_; // absent: nobody waits
    bool ended_ = false;
};

std::string status_of(const smtp::Reply& reply) {
    if (reply.status) return smtp::to_string(*reply.status);
    return reply.is_positive() ? "2.0.0" : reply.is_transient() ? "4.0.0" : "5.0.0";
}

/// An enhanced status for what went wrong without a word of the other side.
Outcome outcome_of(Problem problem, const std::string& host) {
    const std::string text(smtp::to_string(problem));
    switch (problem) {
    case Problem::NeedsEightBitMime:
    case Problem::NeedsBinaryMime: return Outcome::failed("5.6.3", text, host);
    case Problem::NeedsSmtpUtf8: return Outcome::failed("5.6.7", text, host);
    case Problem::NeedsRequireTls: return Outcome::failed("5.7.30", text, host);
    case Problem::TooLarge: return Outcome::failed("5.3.4", text, host);
    case Problem::BadAddress: return Outcome::failed("5.1.3", text, host);
    case Problem::BareLineEnd: return Outcome::failed("5.6.0", text, host);
    case Problem::TlsUnavailable: return Outcome::deferred("4.7.10", text, host);
    case Problem::BodyUnavailable: return Outcome::deferred("4.3.0", text, host);
    default: return Outcome::deferred("4.4.2", text, host);
    }
}

Outcome outcome_of(const smtp::RecipientResult& result, const std::string& host) {
    if (result.delivered()) return Outcome::delivered(smtp::to_string(*result.reply), host);
    if (!result.reply) return outcome_of(result.problem, host);
    const auto text = smtp::to_string(*result.reply);
    // 552 to RCPT once meant "too many recipients" (RFC 5321 §4.5.3.1.10).
    const bool crowded = result.stage == smtp::Stage::Rcpt && result.reply->code == 552;
    if (result.reply->is_permanent() && !crowded)
        return Outcome::failed(status_of(*result.reply), text, host);
    return Outcome::deferred(result.reply->is_transient() ? status_of(*result.reply) : "4.0.0",
                             text, host);
}

Outcome outcome_of(const smtp::Ended& ended, const std::string& host) {
    if (!ended.reply) return outcome_of(ended.problem, host);
    const auto text = smtp::to_string(*ended.reply);
    return ended.reply->is_permanent() ? Outcome::failed(status_of(*ended.reply), text, host)
                                       : Outcome::deferred(status_of(*ended.reply), text, host);
}

/// A session that stands.
class SmtpConnection final : public RemoteConnection {
  public:
    SmtpConnection(store::Store& store, std::string host, std::unique_ptr<ClientDialogue> dialogue,
                   std::unique_ptr<base::Connection> connection)
        : store_(store), host_(std::move(host)), dialogue_(std::move(dialogue)),
          connection_(std::move(connection)) {}

    Task<std::vector<Outcome>> send(const queue::Message& message,
                                    const std::vector<queue::Recipient>& recipients) override {
        auto envelope = envelope_of(message, recipients);
        std::vector<Outcome> outcomes;
        if (!envelope) {
            outcomes.assign(recipients.size(),
                            Outcome::failed("5.1.3", "address cannot be written", host_));
            co_return outcomes;
        }
        if (!usable()) {
            outcomes.assign(recipients.size(),
                            Outcome::deferred("4.4.2", "connection is lost", host_));
            co_return outcomes;
        }
        auto& client = dialogue_->client();
        std::unique_ptr<SevenBitBody> converted; // absent: the message goes as it is
        auto size = message.size;
        if (message.eight_bit && !client.capabilities().eight_bit_mime &&
            !envelope->parameters.smtp_utf8) {
            auto opened = co_await SevenBitBody::open(store_, message);
            if (!opened) {
                opened.error().remote_host = host_;
                outcomes.assign(recipients.size(), opened.error());
                co_return outcomes;
            }
            converted = std::move(*opened);
            size = converted->size();
            envelope->parameters.size = size;
            envelope->parameters.body.reset();
        }
        const auto id = client.send(std::move(*envelope));
        connection_->wake();
        store::PiecesReader pieces(store_, message.pieces);
        std::uint64_t sent = 0;
        while (true) {
            auto event = co_await dialogue_->next();
            if (const auto* need = std::get_if<smtp::NeedBody>(&event)) {
                auto reading = converted ? converted->read(need->room) : pieces.next(need->room);
                auto octets = co_await std::move(reading);
                if (!octets || (octets->empty() && sent < size)) {
                    client.body_failed(id);
                } else {
                    sent += octets->size();
                    client.body(id, *octets, sent >= size);
                }
                connection_->wake();
            } else if (const auto* done = std::get_if<smtp::TransactionDone>(&event)) {
                for (const auto& result : done->recipients) {
                    outcomes.push_back(outcome_of(result, host_));
                    outcomes.back().reports_success = client.capabilities().dsn;
                }
                co_return outcomes;
            } else if (const auto* ended = std::get_if<smtp::Ended>(&event)) {
                outcomes.assign(recipients.size(), outcome_of(*ended, host_));
                co_return outcomes;
            }
        }
    }

    bool usable() const override { return !dialogue_->ended() && dialogue_->client().idle(); }

    Task<void> close() override {
        if (dialogue_->ended()) co_return;
        dialogue_->client().quit();
        connection_->wake();
        while (!dialogue_->ended()) {
            const auto event = co_await dialogue_->next();
            if (std::holds_alternative<smtp::Ended>(event)) break;
        }
    }

  private:
    static std::optional<smtp::Envelope>
    envelope_of(const queue::Message& message, const std::vector<queue::Recipient>& recipients) {
        smtp::Envelope envelope;
        const auto sender = smtp::parse_path("<" + message.sender + ">", codec::Utf8::Allowed);
        if (!sender) return std::nullopt;
        envelope.sender = *sender;
        envelope.parameters.size = message.size;
        if (message.eight_bit) envelope.parameters.body = smtp::BodyType::EightBitMime;
        envelope.parameters.smtp_utf8 = message.smtputf8;
        if (!message.envid.empty()) envelope.parameters.envelope_id = message.envid;
        if (message.returns != queue::Return::Unset)
            envelope.parameters.ret =
                message.returns == queue::Return::Full ? smtp::Return::Full : smtp::Return::Headers;
        for (const auto& recipient : recipients) {
            const auto path = smtp::parse_path("<" + recipient.address + ">", codec::Utf8::Allowed);
            if (!path) return std::nullopt;
            smtp::Envelope::Recipient to;
            to.path = *path;
            if (recipient.notify != queue::Notify{})
                to.parameters.notify = smtp::Notify{
                    recipient.notify.success, recipient.notify.failure, recipient.notify.delay};
            if (const auto semicolon = recipient.original.find(';'); semicolon != std::string::npos)
                to.parameters.original_recipient =
                    smtp::OriginalRecipient{recipient.original.substr(0, semicolon),
                                            recipient.original.substr(semicolon + 1)};
            envelope.recipients.push_back(std::move(to));
        }
        return envelope;
    }

    store::Store& store_;
    std::string host_;
    std::unique_ptr<ClientDialogue> dialogue_;
    std::unique_ptr<base::Connection> connection_; // before the dialogue it drives is gone
};

/// AUTH with a user's name; the refusal if it fails.
Task<std::optional<Outcome>> log_in(ClientDialogue& dialogue, base::Connection& connection,
                                    std::string user, Secret password, bool private_channel,
                                    std::string host, Random& random) {
    auto& client = dialogue.client();
    std::vector<sasl::Mechanism> offered;
    for (const auto& name : client.capabilities().mechanisms)
        if (const auto mechanism = sasl::parse_mechanism(name)) offered.push_back(*mechanism);
    auto binding = sasl::channel_binding(client.peer());
    const auto mechanism = sasl::choose_mechanism(offered, private_channel, binding.has_value());
    if (!mechanism)
        co_return Outcome::deferred("4.7.0", "no way to log in that both sides know", host);
    sasl::Credentials credentials;
    credentials.authcid = std::move(user);
    credentials.password = std::move(password);
    sasl::ClientOptions options;
    options.binding = std::move(binding);
    options.plus_offered = sasl::binds_channel(*mechanism);
    auto exchange = sasl::ClientExchange::create(*mechanism, std::move(credentials),
                                                 std::move(options), random);
    if (!exchange) co_return Outcome::deferred("4.7.0", exchange.error().detail, host);
    const auto id =
        client.authenticate(sasl::to_string(*mechanism), (*exchange)->initial_response());
    connection.wake();
    while (true) {
        auto event = co_await dialogue.next();
        if (const auto* challenge = std::get_if<smtp::AuthChallenge>(&event)) {
            auto response = (*exchange)->respond(challenge->octets.reveal());
            if (response)
                client.respond(id, *response);
            else
                client.cancel(id);
            connection.wake();
        } else if (const auto* done = std::get_if<smtp::AuthDone>(&event)) {
            if (!done->reply.is_positive())
                co_return Outcome::deferred("4.7.8", smtp::to_string(done->reply), host);
            const auto proved = (*exchange)->succeed(std::nullopt);
            if (!proved) co_return Outcome::deferred("4.7.8", proved.error().detail, host);
            co_return std::nullopt;
        } else if (const auto* ended = std::get_if<smtp::Ended>(&event)) {
            co_return outcome_of(*ended, host);
        }
    }
}

/// "[192.0.2.1]", "[192.0.2.1]:2525", "[mx.example]:25": a host that is named, not found.
struct NamedHost {
    std::string name;
    std::optional<std::uint16_t> port;
};
std::optional<NamedHost> parse_named_host(std::string_view text) {
    if (!text.starts_with('[')) return std::nullopt;
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    NamedHost host{std::string(text.substr(1, end - 1)), std::nullopt};
    if (codec::starts_with_ignoring_case(host.name, "IPv6:")) host.name.erase(0, 5);
    if (const auto rest = text.substr(end + 1); rest.starts_with(':')) {
        const auto port = codec::parse_u32(rest.substr(1), 65535);
        if (!port) return std::nullopt;
        host.port = static_cast<std::uint16_t>(*port);
    }
    return host;
}

} // namespace

const HostRoute* SmtpTransport::route_for(const std::string& domain) const {
    const HostRoute* fallback = nullptr;
    for (const auto& route : options_.routes) {
        if (route.domain == domain) return &route;
        if (route.domain == "*") fallback = &route;
    }
    return fallback;
}

Task<std::expected<std::vector<SmtpTransport::Host>, Outcome>>
SmtpTransport::find_hosts(std::string destination) {
    std::vector<Host> hosts;
    if (const auto* route = route_for(destination)) {
        Host host;
        host.name = route->host;
        host.port = route->port;
        host.implicit_tls = route->implicit_tls;
        host.tls = route->tls;
        host.user = route->user;
        host.password = route->password;
        host.by_route = true;
        hosts.push_back(std::move(host));
        co_return hosts;
    }
    Host host;
    host.port = options_.port;
    host.tls = options_.tls;
    if (const auto named = parse_named_host(destination)) {
        host.name = named->name;
        host.port = named->port.value_or(options_.port);
        hosts.push_back(std::move(host));
        co_return hosts;
    }
    const auto name = dns::Name::parse_unicode(destination);
    if (!name)
        co_return std::unexpected(Outcome::failed("5.1.2", "not a domain name: " + destination));
    auto exchangers = co_await dns::lookup_mail_exchangers(resolver_, random_, *name);
    if (!exchangers)
        co_return std::unexpected(Outcome::deferred(
            "4.4.3", "DNS cannot answer for " + destination + ": " + exchangers.error().detail));
    using Status = dns::MailExchangers::Status;
    switch (exchangers->status) {
    case Status::NullMx:
        co_return std::unexpected(
            Outcome::failed("5.1.10", "domain " + destination + " takes no mail (null MX)"));
    case Status::NxDomain:
        co_return std::unexpected(
            Outcome::failed("5.1.2", "domain " + destination + " does not exist"));
    case Status::Unusable:
        co_return std::unexpected(
            Outcome::failed("5.4.4", "domain " + destination + " has no usable MX"));
    case Status::Implicit:
        host.name = name->to_string();
        hosts.push_back(host);
        co_return hosts;
    case Status::Listed: break;
    }
    // RFC 5321 §5.1: if we are in the list ourselves, only those better than us count.
    auto usable = exchangers->hosts.size();
    for (std::size_t i = 0; i < exchangers->hosts.size(); ++i)
        if (codec::equal_ignoring_case(exchangers->hosts[i].host.to_string(), options_.hostname)) {
            const auto ours = exchangers->hosts[i].preference;
            usable = static_cast<std::size_t>(std::ranges::count_if(
                exchangers->hosts, [&](const auto& other) { return other.preference < ours; }));
            break;
        }
    if (usable == 0)
        co_return std::unexpected(
            Outcome::failed("5.4.6", "mail for " + destination + " loops back to us"));
    for (std::size_t i = 0; i < usable; ++i) {
        host.name = exchangers->hosts[i].host.to_string();
        hosts.push_back(host);
    }
    co_return hosts;
}

Task<std::expected<std::unique_ptr<RemoteConnection>, Outcome>>
SmtpTransport::open(std::string destination) {
    auto hosts = co_await find_hosts(destination);
    if (!hosts) co_return std::unexpected(std::move(hosts).error());
    auto last = Outcome::deferred("4.4.4", "no host of " + destination + " has an address");
    bool any_address = false;
    bool dns_failed = false;
    bool all_refuse = true;
    std::size_t tried = 0;
    for (const auto& host : *hosts) {
        std::vector<IpAddress> addresses;
        if (const auto literal = IpAddress::parse(host.name)) {
            addresses.push_back(*literal);
        } else {
            const auto name = dns::Name::parse(host.name);
            if (!name) continue;
            auto found = co_await dns::lookup_addresses(resolver_, *name, options_.families);
            if (!found) {
                dns_failed = true;
                last = Outcome::deferred("4.4.3", "DNS cannot answer for " + host.name + ": " +
                                                      found.error().detail);
                continue;
            }
            addresses = std::move(found->addresses);
        }
        for (const auto& address : addresses) {
            if (tried++ >= options_.hosts_max) break;
            any_address = true;
            auto opened = co_await open_address(host, address, host.tls);
            if (!opened && host.tls == HopTls::Opportunistic && !host.implicit_tls &&
                opened.error().text.starts_with("TLS")) {
                // RFC 7435 §3: rather in the clear than not at all, where nothing was promised.
                opened = co_await open_address(host, address, HopTls::Never);
            }
            if (opened) co_return std::move(*opened);
            last = std::move(opened).error();
            all_refuse = all_refuse && last.kind == Outcome::Kind::Failed;
            MAILCORE_LOG(log_, Info, "delivery.host_failed",
                         {{"destination", destination},
                          {"host", host.name},
                          {"address", address.to_string()},
                          {"text", last.text}});
        }
    }
    // One host's refusal is final only if every other said the same (RFC 5321 §5.1 wants all
    // tried).
    if (any_address && !all_refuse && last.kind == Outcome::Kind::Failed)
        last = Outcome::deferred("4.4.1", last.text, last.remote_host);
    if (!any_address && !dns_failed)
        last = Outcome::failed("5.4.4", "no host of " + destination + " has an address");
    co_return std::unexpected(std::move(last));
}

Task<std::expected<std::unique_ptr<RemoteConnection>, Outcome>>
SmtpTransport::open_address(Host host, IpAddress address, HopTls tls) {
    auto client = options_.client;
    client.hostname = options_.hostname;
    using StartTls = smtp::ClientOptions::StartTls;
    client.starttls = host.implicit_tls || tls == HopTls::Never ? StartTls::Never
                      : tls == HopTls::Opportunistic            ? StartTls::WhenOffered
                                                                : StartTls::Required;
    auto dialogue = std::make_unique<ClientDialogue>(
        scheduler_, std::make_shared<const smtp::ClientOptions>(std::move(client)));
    base::ConnectOptions connect;
    connect.connect_timeout = options_.connect_timeout;
    connect.implicit_tls = host.implicit_tls;
    connect.tls_check = tls == HopTls::Verified ? base::TlsCheck::Verified : base::TlsCheck::None;
    connect.server_name = host.name;
    base::Destination to = base::TcpDestination{address, host.port};
    auto connected = co_await connector_.connect(std::move(to), std::move(connect), *dialogue);
    if (!connected)
        co_return std::unexpected(Outcome::deferred("4.4.1", connected.error().detail, host.name));
    auto connection = std::move(*connected);
    while (true) {
        auto event = co_await dialogue->next();
        if (std::holds_alternative<smtp::Ready>(event)) break;
        if (const auto* ended = std::get_if<smtp::Ended>(&event)) {
            auto outcome = outcome_of(*ended, host.name);
            // Told apart from other trouble, so that it can be tried without.
            if (ended->stage == smtp::Stage::StartTls) outcome.text = "TLS: " + outcome.text;
            co_return std::unexpected(std::move(outcome));
        }
    }
    // An address of ours under a name that the MX list did not tell us by (RFC 5321 §6.3).
    const auto& name = dialogue->client().server_name();
    if (!host.by_route && codec::equal_ignoring_case(name, options_.hostname)) {
        const auto text = fmt::format("mail loops back to us: {} ({}) is this server", host.name,
                                      address.to_string());
        co_return std::unexpected(Outcome::failed("5.4.6", text, host.name));
    }
    if (!host.user.empty()) {
        const auto& peer = dialogue->client().peer();
        const bool private_channel = peer.tls.has_value() || address.is_loopback();
        auto refused = co_await log_in(*dialogue, *connection, host.user, host.password,
                                       private_channel, host.name, random_);
        if (refused) co_return std::unexpected(std::move(*refused));
    }
    co_return std::make_unique<SmtpConnection>(store_, host.name, std::move(dialogue),
                                               std::move(connection));
}

} // namespace mailcore::delivery
