// An SMTP server whose handler answers by token, at once or later.
#include "bindings/c/boundary.h"

#include "libmailcore/server/smtp_server.h"
#include "libmailcore/smtp/enhanced_status.h"

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

using namespace mailcore;

struct mailcore_smtp_server {
    using Completer = base::Completion<filter::Verdict>::Completer;

    mailcore_message_fn on_message = nullptr;
    void* context = nullptr;
    std::uint16_t port = 0;

    std::mutex open_mutex;                   // never held while a callback runs
    std::map<std::uint64_t, Completer> open; // at most one a connection
    std::uint64_t last_token = 0;

    std::mutex stop_mutex;
    std::unique_ptr<server::SmtpServer> server; // absent: it has stopped
};

namespace {

using Json = nlohmann::json;

constexpr int temporary = 451;

/// A message that waits for its answer: known by its token as long as somebody waits for it.
class OpenMessage {
  public:
    OpenMessage(mailcore_smtp_server& server, mailcore_smtp_server::Completer completer)
        : server_(server) {
        const std::scoped_lock lock(server_.open_mutex);
        token_ = ++server_.last_token;
        server_.open.emplace(token_, std::move(completer));
    }
    OpenMessage(const OpenMessage&) = delete;
    OpenMessage& operator=(const OpenMessage&) = delete;
    ~OpenMessage() {
        const std::scoped_lock lock(server_.open_mutex);
        server_.open.erase(token_);
    }
    [[nodiscard]] std::uint64_t token() const { return token_; }

  private:
    mailcore_smtp_server& server_;
    std::uint64_t token_;
};

std::string envelope_of(const server::ReceivedMessage& message) {
    return Json{
        {"sender", message.sender},
        {"recipients", message.recipients},
        {"helo", message.helo},
        {"peer", {{"address", message.peer.address.to_string()}, {"port", message.peer.port}}},
        {"size", message.octets.size()}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Task<filter::Verdict> ask(mailcore_smtp_server& server, server::ReceivedMessage message) {
    auto& scheduler = co_await base::current_scheduler();
    base::Completion<filter::Verdict> decided(scheduler);
    const OpenMessage open(server, decided.completer());
    {
        const auto envelope = envelope_of(message);
        const c::InCallback inside;
        server.on_message(server.context, open.token(), envelope.c_str(), message.octets.data(),
                          message.octets.size());
    }
    std::string().swap(message.octets); // whoever needs them has copied them
    co_return co_await decided;
}

Result<filter::Verdict> verdict_of(const mailcore_verdict& given) {
    const bool rejects = given.action == MAILCORE_REJECT;
    if (given.action == MAILCORE_ACCEPT) return filter::Verdict::accept();
    if (!rejects && given.action != MAILCORE_DEFER)
        return fail(ErrorKind::Rejected,
                    "verdict.action: unknown: " + std::to_string(given.action));
    const int least = rejects ? 500 : 400;
    const int code = given.code != 0 ? given.code : rejects ? 550 : temporary;
    if (code < least || code > least + 99)
        return fail(ErrorKind::Rejected,
                    "verdict.code: " + std::to_string(code) + " does not belong to the action");
    std::string enhanced = given.enhanced ? given.enhanced : rejects ? "5.7.1" : "4.7.1";
    const auto status = smtp::parse_enhanced_status(enhanced);
    if (!status || status->status_class != code / 100)
        return fail(ErrorKind::Rejected,
                    "verdict.enhanced: expected three numbers of the code's class");
    MAILCORE_TRY(auto text, c::take_text(given.text, "verdict.text"));
    constexpr std::size_t text_octets_max = 4096;
    if (text.size() > text_octets_max)
        return fail(ErrorKind::Rejected, "verdict.text: at most 4096 octets");
    if (text.empty()) text = rejects ? "refused" : "try again later";
    return rejects ? filter::Verdict::reject(std::move(text), static_cast<std::uint16_t>(code),
                                             std::move(enhanced))
                   : filter::Verdict::defer(std::move(text), static_cast<std::uint16_t>(code),
                                            std::move(enhanced));
}

server::SmtpServerOptions options_of(const mailcore_smtp_options& given) {
    server::SmtpServerOptions options;
    if (given.address) options.address = given.address;
    if (given.hostname) options.engine.hostname = given.hostname;
    if (given.message_octets_max > 0) options.engine.message_octets_max = given.message_octets_max;
    if (given.recipients_max > 0) options.engine.recipients_max = given.recipients_max;
    if (given.answer_milliseconds > 0)
        options.answer_time = std::chrono::milliseconds{given.answer_milliseconds};
    if (given.drain_milliseconds > 0)
        options.drain_time = std::chrono::milliseconds{given.drain_milliseconds};
    options.port = given.port;
    return options;
}

/// Answers the message of a token, if somebody still waits for it.
Result<void> complete(mailcore_smtp_server& server, std::uint64_t token, filter::Verdict verdict) {
    // The lock is held while the answer is posted: a message leaves `open` before the loop that
    // waits for it ends.
    const std::scoped_lock lock(server.open_mutex);
    const auto found = server.open.find(token);
    if (found == server.open.end())
        return fail(ErrorKind::NotFound, "no message waits for this answer");
    found->second.complete(std::move(verdict));
    server.open.erase(found);
    return {};
}

} // namespace

extern "C" {

mailcore_status mailcore_smtp_start(const mailcore_smtp_options* options,
                                    mailcore_message_fn on_message, void* context,
                                    mailcore_smtp_server** server, char** why) noexcept {
    if (server) *server = nullptr;
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(reinterpret_cast<const void*>(on_message), "on_message"));
        MAILCORE_TRY(c::needed(server, "server"));
        MAILCORE_TRY(const auto taken, c::take_struct(options, "options"));
        auto made = std::make_unique<mailcore_smtp_server>();
        made->on_message = on_message;
        made->context = context;
        server::MessageHandler handler = [self = made.get()](server::ReceivedMessage message) {
            return ask(*self, std::move(message));
        };
        MAILCORE_TRY(made->server,
                     server::SmtpServer::start(std::move(handler), options_of(taken)));
        made->port = made->server->port();
        *server = made.release();
        return {};
    });
}

uint16_t mailcore_smtp_port(const mailcore_smtp_server* server) noexcept {
    return server ? server->port : 0;
}

mailcore_status mailcore_smtp_reply(mailcore_smtp_server* server, uint64_t token,
                                    const mailcore_verdict* verdict, char** why) noexcept {
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::needed(server, "server"));
        auto taken = [&]() -> Result<filter::Verdict> {
            MAILCORE_TRY(c::needed(verdict, "verdict"));
            MAILCORE_TRY(const auto given, c::take_struct(verdict, "verdict"));
            return verdict_of(given);
        }();
        if (taken) return complete(*server, token, std::move(*taken));
        MAILCORE_TRY(complete(
            *server, token,
            filter::Verdict::defer("the handler's answer made no sense", temporary, "4.3.0")));
        return std::unexpected(std::move(taken).error());
    });
}

mailcore_status mailcore_smtp_stop(mailcore_smtp_server* server, char** why) noexcept {
    return c::guarded(why, [&]() -> Result<void> {
        MAILCORE_TRY(c::outside_callbacks());
        MAILCORE_TRY(c::needed(server, "server"));
        const std::scoped_lock lock(server->stop_mutex);
        server->server.reset();
        return {};
    });
}

mailcore_status mailcore_smtp_free(mailcore_smtp_server* server) noexcept {
    return c::guarded(nullptr, [&]() -> Result<void> {
        if (!server) return {};
        MAILCORE_TRY(c::outside_callbacks());
        delete server;
        return {};
    });
}
}
