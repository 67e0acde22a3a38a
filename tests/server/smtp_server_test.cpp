// The server of five lines over real sockets: handlers at once and later.
#include "libmailcore/server/smtp_server.h"

#include "tests/catch.h"
#include "tests/net/peer.h"

#include <atomic>
#include <future>
#include <mutex>

using namespace mailcore;
using namespace std::chrono_literals;
using filter::Verdict;
using net_test::Peer;
using server::ReceivedMessage;
using server::SmtpServer;
using server::SmtpServerOptions;

namespace {

const std::string message = "EHLO client.example\r\nMAIL FROM:<jo@example.org>\r\n"
                            "RCPT TO:<an@example.test>\r\nRCPT TO:<bo@example.test>\r\nDATA\r\n"
                            "Subject: hello\r\n\r\n..It works.\r\n.\r\n";

std::unique_ptr<SmtpServer> start(server::MessageHandler handler, SmtpServerOptions options = {}) {
    auto started = SmtpServer::start(std::move(handler), std::move(options));
    REQUIRE(started);
    return std::move(*started);
}

/// What is said to one message and QUIT, to the end.
std::string send(const SmtpServer& server, const std::string& text = message) {
    Peer peer(server.port());
    REQUIRE(peer.line().starts_with("220 "));
    peer.send(text + "QUIT\r\n");
    std::string heard = "\n";
    for (auto line = peer.line(); !line.starts_with('<'); line = peer.line()) heard += line + "\n";
    return heard;
}

Task<Verdict> answer_later(ReceivedMessage, std::chrono::milliseconds time, Verdict verdict) {
    auto& scheduler = co_await base::current_scheduler();
    co_await base::sleep_until(scheduler.now() + time);
    co_return verdict;
}

} // namespace

TEST_CASE("a plain handler is given the message as it came") {
    ReceivedMessage taken;
    std::mutex mutex;
    auto started = SmtpServer::start([&](const ReceivedMessage& each) {
        const std::scoped_lock lock(mutex);
        taken = each;
        return Verdict::accept();
    });
    REQUIRE(started);
    CHECK(send(**started).find("\n250 2.0.0 ") != std::string::npos);
    const std::scoped_lock lock(mutex);
    CHECK(taken.sender == "jo@example.org");
    CHECK(taken.recipients == std::vector<std::string>{"an@example.test", "bo@example.test"});
    CHECK(taken.octets == "Subject: hello\r\n\r\n.It works.\r\n");
    CHECK(taken.helo == "client.example");
    CHECK(taken.peer.address.to_string() == "127.0.0.1");
}

TEST_CASE("a handler that waits answers later, and others are served meanwhile") {
    std::promise<void> go_on;
    std::atomic<int> calls = 0;
    base::Completion<Verdict>::Completer* first = nullptr;
    std::mutex mutex;
    // The first message waits until the second has been answered.
    const auto server = start([&](ReceivedMessage) -> Task<Verdict> {
        if (++calls > 1) co_return Verdict::reject("second", 554, "5.6.0");
        auto& scheduler = co_await base::current_scheduler();
        base::Completion<Verdict> decided(scheduler);
        auto completer = decided.completer();
        {
            const std::scoped_lock lock(mutex);
            first = &completer;
        }
        go_on.set_value();
        co_return co_await decided;
    });
    auto waiting = std::async(std::launch::async, [&] { return send(*server); });
    go_on.get_future().wait();
    CHECK(send(*server).find("\n554 5.6.0 second\r\n") != std::string::npos);
    {
        const std::scoped_lock lock(mutex);
        first->complete(Verdict::defer("first"));
    }
    CHECK(waiting.get().find("\n451 4.7.1 first\r\n") != std::string::npos);
}

TEST_CASE("who does not decide in time has the peer told to try again later") {
    SmtpServerOptions options;
    options.answer_time = 50ms;
    const auto server = start(
        [](ReceivedMessage each) { return answer_later(std::move(each), 1h, Verdict::accept()); },
        std::move(options));
    CHECK(send(*server).find("\n451 4.3.0 ") != std::string::npos);
}

TEST_CASE("commands behind a message wait for its answer") {
    const auto server = start([](ReceivedMessage each) {
        return answer_later(std::move(each), 20ms, Verdict::accept());
    });
    const auto heard = send(*server, message + "RSET\r\n" + message.substr(message.find("MAIL")));
    std::size_t answers = 0;
    for (auto at = heard.find("\n250 2.0.0 "); at != std::string::npos;
         at = heard.find("\n250 2.0.0 ", at + 1))
        ++answers;
    CHECK(answers == 3); // two messages and RSET
    CHECK(heard.find("\n221 ") != std::string::npos);
}

TEST_CASE("over LMTP each recipient has the answer") {
    SmtpServerOptions options;
    options.engine.dialect = smtp::Dialect::Lmtp;
    const auto server = start(
        [](ReceivedMessage each) {
            return answer_later(std::move(each), 1ms, Verdict::reject("no"));
        },
        std::move(options));
    const auto heard = send(*server, "LHLO" + message.substr(4));
    const auto once = heard.find("\n550 5.7.1 no\r\n");
    REQUIRE(once != std::string::npos);
    CHECK(heard.find("550 5.7.1 no\r\n", once + 4) != std::string::npos);
}

TEST_CASE("the answer to a peer that has gone goes nowhere, and others are served") {
    std::promise<void> begun;
    std::atomic<int> calls = 0;
    const auto server = start([&](ReceivedMessage each) {
        if (++calls == 1) begun.set_value();
        return answer_later(std::move(each), 50ms, Verdict::accept());
    });
    {
        Peer peer(server->port());
        REQUIRE(peer.line().starts_with("220 "));
        peer.send(message);
        begun.get_future().wait();
    }
    CHECK(send(*server).find("\n250 2.0.0 ") != std::string::npos);
    CHECK(calls == 2);
}

TEST_CASE("a server that ends cancels handlers that wait beyond its drain time") {
    std::promise<void> begun;
    bool cancelled = false;
    struct Guard {
        bool& told;
        explicit Guard(bool& who) : told(who) {}
        Guard(const Guard&) = delete;
        ~Guard() { told = true; }
    };
    SmtpServerOptions options;
    options.drain_time = 50ms;
    auto server = start(
        [&](ReceivedMessage) -> Task<Verdict> {
            const Guard guard(cancelled);
            begun.set_value();
            auto& scheduler = co_await base::current_scheduler();
            co_await base::sleep_until(scheduler.now() + 1h);
            co_return Verdict::accept();
        },
        std::move(options));
    Peer peer(server->port());
    REQUIRE(peer.line().starts_with("220 "));
    peer.send(message);
    begun.get_future().wait();
    server.reset();
    CHECK(cancelled);
}
