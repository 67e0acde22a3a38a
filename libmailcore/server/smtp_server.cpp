#include "libmailcore/server/smtp_server.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/net/acceptor.h"
#include "libmailcore/net/loops.h"
#include "libmailcore/smtp/path.h"

#include <future>

namespace mailcore::server {

namespace {

std::string address_of(const smtp::Path& path) {
    return path.is_null() ? std::string() : smtp::to_string(path.mailbox);
}

Task<filter::Verdict> judge_at_once(const PlainMessageHandler& handler, ReceivedMessage message) {
    co_return handler(message);
}

class Dialogue final : public base::Dialogue {
  public:
    Dialogue(const MessageHandler& handler, std::chrono::milliseconds answer_time,
             std::shared_ptr<const smtp::ServerOptions> options, const PeerInfo& peer,
             Scheduler& scheduler, base::Waker& waker)
        : handler_(handler), answer_time_(answer_time),
          lmtp_(options->dialect == smtp::Dialect::Lmtp),
          engine_(std::move(options), peer, scheduler.now()), waker_(waker), scope_(scheduler) {
        message_.peer = peer;
    }
    base::Engine& engine() override { return engine_; }
    void closed() override { scope_.cancel(); }
    [[nodiscard]] bool finished() const override { return scope_.empty(); }
    [[nodiscard]] std::size_t memory() const override {
        return engine_.memory() + message_.octets.capacity();
    }
    void drain() override {
        while (auto event = engine_.next_event())
            std::visit(overloaded{
                           [&](smtp::Hello& hello) {
                               message_.helo = hello.client;
                               engine_.accept(hello.id);
                           },
                           [&](smtp::Mail& mail) {
                               clear();
                               message_.sender = address_of(mail.reverse_path);
                               engine_.accept(mail.id);
                           },
                           [&](smtp::Rcpt& rcpt) {
                               message_.recipients.push_back(address_of(rcpt.forward_path));
                               engine_.accept(rcpt.id);
                           },
                           [&](smtp::Connected& connected) { engine_.accept(connected.id); },
                           [&](smtp::BodyBegin& begin) { engine_.accept(begin.id); },
                           [&](smtp::Headers& headers) {
                               message_.octets += headers.octets;
                               engine_.accept(headers.id);
                           },
                           [&](smtp::BodyChunk& chunk) { message_.octets += chunk.octets; },
                           [&](smtp::BodyEnd& end) { scope_.spawn(judge(end.id, take())); },
                           [&](smtp::AuthBegin& auth) {
                               engine_.reply(auth.id, {504, std::nullopt, "not offered"});
                           },
                           [&](smtp::AuthData& auth) {
                               engine_.reply(auth.id, {504, std::nullopt, "not offered"});
                           },
                           [&](auto&) { clear(); },
                       },
                       *event);
    }

  private:
    Task<void> judge(smtp::CommandId id, ReceivedMessage message) {
        auto& scheduler = co_await base::current_scheduler();
        const auto replies = lmtp_ ? message.recipients.size() : 1; // RFC 2033 §4.2
        auto judged =
            base::with_deadline(handler_(std::move(message)), scheduler.now() + answer_time_);
        auto verdict = co_await std::move(judged);
        if (!verdict)
            verdict = filter::Verdict::defer("not decided in time, try again later", 451, "4.3.0");
        for (std::size_t i = 0; i < replies; ++i)
            if (verdict->refuses())
                engine_.reply(id, {verdict->code, smtp::parse_enhanced_status(verdict->enhanced),
                                   verdict->text});
            else
                engine_.accept(id);
        waker_.wake();
    }
    /// The message as it came; what is known of the peer stays for the next.
    ReceivedMessage take() {
        ReceivedMessage next;
        next.peer = message_.peer;
        next.helo = message_.helo;
        return std::exchange(message_, std::move(next));
    }
    void clear() {
        message_.sender.clear();
        message_.recipients.clear();
        std::string().swap(message_.octets);
    }
    const MessageHandler& handler_; // the server's
    const std::chrono::milliseconds answer_time_;
    const bool lmtp_;
    smtp::ServerEngine engine_;
    ReceivedMessage message_;
    base::Waker& waker_;
    Scope scope_; // last: its task uses the others
};

class Factory final : public net::DialogueFactory {
  public:
    Factory(MessageHandler handler, SmtpServerOptions options)
        : handler_(std::move(handler)), answer_time_(options.answer_time),
          options_(std::make_shared<const smtp::ServerOptions>(std::move(options.engine))) {}
    std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo& peer,
                                           base::Waker& waker) override {
        return std::make_unique<Dialogue>(handler_, answer_time_, options_, peer, scheduler, waker);
    }

  private:
    MessageHandler handler_;
    std::chrono::milliseconds answer_time_;
    std::shared_ptr<const smtp::ServerOptions> options_;
};

} // namespace

struct SmtpServer::Impl {
    std::unique_ptr<net::Loops> loops;
    std::unique_ptr<net::Acceptor> acceptor;
    std::uint16_t port = 0;
    std::chrono::milliseconds drain_time{};
};

Result<std::unique_ptr<SmtpServer>> SmtpServer::start(MessageHandler handler,
                                                      SmtpServerOptions options) {
    const auto address = IpAddress::parse(options.address);
    if (!address) return fail(ErrorKind::Rejected, "not an address: " + options.address);
    const net::TcpEndpoint endpoint{*address, options.port};
    auto impl = std::make_unique<Impl>();
    impl->drain_time = options.drain_time;
    MAILCORE_TRY(impl->loops, net::Loops::create({1, 2}));
    impl->acceptor = std::make_unique<net::Acceptor>(impl->loops->all());
    auto service = std::make_shared<net::Service>();
    service->name = "smtp";
    service->factory = std::make_shared<Factory>(std::move(handler), std::move(options));
    MAILCORE_TRY(const auto listening, impl->acceptor->listen(endpoint, service));
    impl->port = listening.bound.local_port;
    impl->loops->start();
    return std::unique_ptr<SmtpServer>(new SmtpServer(std::move(impl)));
}

Result<std::unique_ptr<SmtpServer>> SmtpServer::start(PlainMessageHandler handler,
                                                      SmtpServerOptions options) {
    return start(MessageHandler([handler = std::move(handler)](ReceivedMessage message) {
                     return judge_at_once(handler, std::move(message));
                 }),
                 std::move(options));
}

SmtpServer::SmtpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SmtpServer::~SmtpServer() {
    std::promise<void> drained;
    auto finished = drained.get_future();
    impl_->acceptor->drain(impl_->drain_time, [&] { drained.set_value(); });
    finished.wait();
    impl_->loops->stop();
    impl_->acceptor.reset();
}

std::uint16_t SmtpServer::port() const { return impl_->port; }

} // namespace mailcore::server
