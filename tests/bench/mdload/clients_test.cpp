// The client state machines against a scripted server on loopback, which cuts its answers anywhere.
#include "tests/bench/mdload/crew.h"
#include "tests/bench/mdload/imap_client.h"
#include "tests/bench/mdload/pop3_client.h"
#include "tests/bench/mdload/sink.h"
#include "tests/bench/mdload/smtp_client.h"
#include "tests/catch.h"

#include <array>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace mailcore;
using namespace mailcore::mdload;

namespace {

std::uint16_t bound_port(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
}

/// Accepts one connection, greets, and gives each line that comes to `answer`; what that returns is
/// sent in pieces of `step` octets, one a turn of the loop.
class Script final : public Watcher {
  public:
    Script(Loop& loop, std::string greeting, std::size_t step,
           std::function<std::string(std::string_view)> answer)
        : loop_(loop), greeting_(std::move(greeting)), step_(step), answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
        REQUIRE(::listen(listener_, 4) == 0);
        endpoint.port = bound_port(listener_);
        loop_.watch(listener_, *this, false);
    }
    ~Script() override {
        ::close(listener_);
        if (peer_ >= 0) ::close(peer_);
    }
    Endpoint endpoint;

    void on_socket(bool, bool) override {
        if (peer_ < 0) {
            peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (peer_ < 0) return;
            loop_.watch(peer_, *this, false);
            say(greeting_);
            return;
        }
        std::array<char, 4096> octets;
        const auto got = ::recv(peer_, octets.data(), octets.size(), 0);
        if (got <= 0) return;
        lines_.append(octets.data(), static_cast<std::size_t>(got));
        for (auto end = lines_.find("\r\n"); end != std::string::npos; end = lines_.find("\r\n")) {
            const auto line = lines_.substr(0, end);
            lines_.erase(0, end + 2);
            say(answer_(line));
        }
    }

  private:
    void say(const std::string& text) {
        const bool idle = unsaid_.empty();
        unsaid_ += text;
        if (idle) say_piece();
    }
    void say_piece() {
        if (unsaid_.empty()) return;
        const auto piece = unsaid_.substr(0, step_);
        unsaid_.erase(0, piece.size());
        static_cast<void>(::send(peer_, piece.data(), piece.size(), MSG_NOSIGNAL));
        loop_.at(loop_.now(), [this] { say_piece(); });
    }

    Loop& loop_;
    std::string greeting_, lines_, unsaid_;
    std::size_t step_;
    std::function<std::string(std::string_view)> answer_;
    int listener_ = -1, peer_ = -1;
};

constexpr std::size_t steps[] = {1, 3, 64, 100'000};

/// Ends a loop that waits for what does not come.
void bound(Loop& loop) {
    loop.at(loop.now() + std::chrono::seconds(5), [&loop] {
        UNSCOPED_INFO("the dialogue hangs");
        CHECK(false);
        loop.stop();
    });
}

std::string letter(std::uint64_t seed) {
    Letters letters({2000}, seed);
    const auto one = letters.next();
    return std::string(one.head) + std::string(one.body);
}

} // namespace

TEST_CASE("IMAP: responses are counted and literals checked, however they are cut") {
    const auto text = letter(1);
    for (const auto step : steps) {
        INFO(step);
        Loop loop;
        bound(loop);
        Script script(loop, "* OK ready\r\n", step, [&](std::string_view line) -> std::string {
            if (line == "a LOGIN \"jo\" \"pass\"")
                return "a OK [CAPABILITY IMAP4rev1 LITERAL+] in\r\n";
            if (line == "a SELECT INBOX")
                return "* FLAGS ()\r\n* 2 EXISTS\r\n* 0 RECENT\r\na OK\r\n";
            if (line == "a FETCH 1:* (BODY.PEEK[])")
                return fmt::format("* 1 FETCH (BODY[] {{{0}}}\r\n{1})\r\n* 3 EXISTS\r\n"
                                   "* 2 FETCH (FLAGS () BODY[] {{{0}}}\r\n{1} UID 7)\r\n"
                                   "* 3 FETCH (BODY[] {{0}}\r\n)\r\na OK done\r\n",
                                   text.size(), text);
            return "a BAD what\r\n";
        });
        ImapClient client(loop, script.endpoint);
        std::size_t good = 0, bad = 0;
        client.on_letter = [&](const LetterCheck& check) { ++(check.end() == 0 ? good : bad); };
        client.on_failed = [&](const std::string& why) {
            CHECK(why == "");
            loop.stop();
        };
        client.open({"jo", "pass"}, [&] {
            client.run("SELECT INBOX", [&] {
                CHECK(client.exists() == 2);
                client.run("FETCH 1:* (BODY.PEEK[])", [&] { loop.stop(); });
            });
        });
        loop.run();
        CHECK(client.fetched() == 3);
        CHECK(client.exists() == 3);
        CHECK(client.literal_octets() == 2 * text.size());
        CHECK(good == 2);
        CHECK(bad == 1);
    }
}

TEST_CASE("IMAP: a refusal, a strange line and the end of the connection are failures") {
    struct Case {
        const char* name;
        const char* answer;
        const char* why;
    };
    for (const auto& each :
         {Case{"refused", "a NO [AUTHENTICATIONFAILED] no\r\n", "a NO [AUTHENTICATIONFAILED] no"},
          Case{"not a response", "hello\r\n", "not a response: hello"}}) {
        INFO(each.name);
        Loop loop;
        bound(loop);
        Script script(loop, "* OK\r\n", 5, [&](std::string_view) { return each.answer; });
        ImapClient client(loop, script.endpoint);
        std::string failed;
        client.on_failed = [&](const std::string& why) {
            failed = why;
            loop.stop();
        };
        client.open({"jo", "pass"}, [&] { CHECK(false); });
        loop.run();
        CHECK(failed == each.why);
    }
}

TEST_CASE("POP3: pipelined messages are told apart, however they are cut") {
    const auto text = letter(2);
    for (const auto step : steps) {
        INFO(step);
        Loop loop;
        bound(loop);
        Script script(loop, "+OK\r\n", step, [&](std::string_view line) -> std::string {
            if (line == "STAT") return "+OK 5 10000\r\n";
            if (line.starts_with("RETR 3")) return "+OK\r\n.\r\n";
            if (line.starts_with("RETR")) return "+OK\r\n" + text + ".\r\n";
            return "+OK\r\n";
        });
        Pop3Client client(loop, script.endpoint);
        std::size_t good = 0, bad = 0;
        client.on_letter = [&](const LetterCheck& check) { ++(check.end() == 0 ? good : bad); };
        client.on_failed = [&](const std::string& why) {
            CHECK(why == "");
            loop.stop();
        };
        client.open({"jo", "pass"}, [&] { client.retrieve_all(3, [&] { loop.stop(); }); });
        loop.run();
        CHECK(client.messages() == 5);
        CHECK(client.octets() == 4 * text.size());
        CHECK(good == 4);
        CHECK(bad == 1);
    }
}

TEST_CASE("SMTP: what is sent arrives, with pipelining and one by one") {
    for (const bool pipelining : {true, false}) {
        INFO(pipelining);
        Loop loop;
        bound(loop);
        Sink sink(loop, "127.0.0.1", 0);
        Tally arrived;
        sink.on_message = [&](const LetterCheck& check) { arrived.saw(check); };
        SmtpSettings settings;
        settings.endpoint.port = bound_port(sink.descriptor());
        settings.pipelining = pipelining;
        Letters letters({1024, 4096, 100'000}, 9);
        SmtpClient client(loop, settings);
        client.on_failed = [&](const std::string& why) {
            CHECK(why == "");
            loop.stop();
        };
        const std::vector<std::string> to{"a@example.test", "b@example.test"};
        int left = 6;
        client.on_ready = [&] { client.send("x@example.org", to, letters); };
        client.on_accepted = [&] {
            if (--left == 0) return loop.stop();
            client.send("x@example.org", to, letters);
        };
        client.open();
        loop.run();
        CHECK(arrived.bad == 0);
        CHECK(arrived.doubles == 0);
        CHECK(std::ranges::count(arrived.numbers, true) == 6);
    }
}

TEST_CASE("LMTP: each recipient has an answer") {
    Loop loop;
    bound(loop);
    bool data = false;
    Script script(loop, "220 lmtp\r\n", 4, [&](std::string_view line) -> std::string {
        if (data) {
            if (line != ".") return "";
            data = false;
            return "250 one\r\n250 two\r\n";
        }
        data = line == "DATA";
        return data ? "354 go\r\n" : "250-x\r\n250 PIPELINING\r\n";
    });
    SmtpSettings settings;
    settings.endpoint = script.endpoint;
    settings.dialect = SmtpDialect::Lmtp;
    Letters letters({1024}, 9);
    SmtpClient client(loop, settings);
    int accepted = 0;
    client.on_failed = [&](const std::string& why) {
        CHECK(why == "");
        loop.stop();
    };
    const std::vector<std::string> to{"a@example.test", "b@example.test"};
    client.on_ready = [&] { client.send("x@example.org", to, letters); };
    client.on_accepted = [&] {
        ++accepted;
        loop.stop();
    };
    client.open();
    loop.run();
    CHECK(accepted == 1);
}

TEST_CASE("a stall is charged to every operation that was due during it") {
    // Two hundred operations due at 1,000 a second; the first takes 100 ms, the others no time.
    struct Staller final : Actor {
        explicit Staller(Crew& its) : crew(its) {}
        void prepare() override { crew.ready(*this); }
        void operate() override {
            const auto took =
                done++ == 0 ? std::chrono::milliseconds(100) : std::chrono::milliseconds(0);
            crew.loop().at(crew.loop().now() + took, [this] { crew.completed(*this); });
        }
        Crew& crew;
        int done = 0;
    };
    Loop loop;
    bound(loop);
    Crew crew(loop, {.count = 200, .rate = 1000}, "stall");
    crew.add(std::make_unique<Staller>(crew));
    crew.start([&] { loop.stop(); });
    loop.run();
    const auto& tally = crew.tally();
    CHECK(tally.operations == 200);
    CHECK(tally.latency.max() >= std::chrono::milliseconds(100));
    // About a hundred waited, from 100 ms down to nothing: a quarter of all at least 50 ms.
    CHECK(tally.latency.quantile(0.76) >= std::chrono::milliseconds(40));
    CHECK(tally.seconds() >= 0.19);
}

TEST_CASE("several actors that are ready at once begin once, and share the operations") {
    struct Quick final : Actor {
        explicit Quick(Crew& its) : crew(its) {}
        void prepare() override { crew.ready(*this); }
        void operate() override {
            crew.loop().at(crew.loop().now(), [this] { crew.completed(*this); });
        }
        Crew& crew;
    };
    Loop loop;
    bound(loop);
    Crew crew(loop, {.count = 100}, "quick");
    for (int i = 0; i < 40; ++i) crew.add(std::make_unique<Quick>(crew));
    int begun = 0, ended = 0;
    crew.on_begin = [&] { ++begun; };
    crew.start([&] {
        ++ended;
        loop.stop();
    });
    loop.run();
    CHECK(begun == 1);
    CHECK(ended == 1);
    CHECK(crew.tally().operations == 100);
}
