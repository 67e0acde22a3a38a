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

class Dialogue final : public base::Dialogue {
  public:
    Dialogue(const MessageHandler& handler, std::shared_ptr<const smtp::ServerOptions> options,
             const PeerInfo& peer, Instant now)
        : handler_(handler), engine_(std::move(options), peer, now) {
        message_.peer = peer;
    }
    base::Engine& engine() override { return engine_; }
    void closed() override {}
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
                           [&](smtp::BodyEnd& end) {
                               const auto verdict = handler_(message_);
                               if (verdict.refuses())
                                   engine_.reply(end.id,
                                                 {verdict.code,
                                                  smtp::parse_enhanced_status(verdict.enhanced),
                                                  verdict.text});
                               else
                                   engine_.accept(end.id);
                               clear();
                           },
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
    void clear() {
        message_.sender.clear();
        message_.recipients.clear();
        std::string().swap(message_.octets);
    }
    const MessageHandler& handler_; // the server's
    smtp::ServerEngine engine_;
    ReceivedMessage message_;
};

class Factory final : public net::DialogueFactory {
  public:
    Factory(MessageHandler handler, smtp::ServerOptions options)
        : handler_(std::move(handler)),
          options_(std::make_shared<const smtp::ServerOptions>(std::move(options))) {}
    std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo& peer,
                                           base::Waker&) override {
        return std::make_unique<Dialogue>(handler_, options_, peer, scheduler.now());
    }

  private:
    MessageHandler handler_;
    std::shared_ptr<const smtp::ServerOptions> options_;
};

} // namespace

struct SmtpServer::Impl {
    std::unique_ptr<net::Loops> loops;
    std::unique_ptr<net::Acceptor> acceptor;
    std::uint16_t port = 0;
};

Result<std::unique_ptr<SmtpServer>> SmtpServer::start(MessageHandler handler,
                                                      SmtpServerOptions options) {
    const auto address = IpAddress::parse(options.address);
    if (!address) return fail(ErrorKind::Rejected, "not an address: " + options.address);
    auto impl = std::make_unique<Impl>();
    MAILCORE_TRY(impl->loops, net::Loops::create({1, 2}));
    impl->acceptor = std::make_unique<net::Acceptor>(impl->loops->all());
    auto service = std::make_shared<net::Service>();
    service->name = "smtp";
    service->factory = std::make_shared<Factory>(std::move(handler), std::move(options.engine));
    MAILCORE_TRY(const auto listening,
                 impl->acceptor->listen(net::TcpEndpoint{*address, options.port}, service));
    impl->port = listening.bound.local_port;
    impl->loops->start();
    return std::unique_ptr<SmtpServer>(new SmtpServer(std::move(impl)));
}

SmtpServer::SmtpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SmtpServer::~SmtpServer() {
    std::promise<void> drained;
    auto finished = drained.get_future();
    impl_->acceptor->drain(std::chrono::seconds{1}, [&] { drained.set_value(); });
    finished.wait();
    impl_->loops->stop();
    impl_->acceptor.reset();
}

std::uint16_t SmtpServer::port() const { return impl_->port; }

} // namespace mailcore::server
