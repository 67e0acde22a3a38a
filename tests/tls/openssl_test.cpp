// The other implementation that everybody has: openssl's s_client and s_server over loopback.
#include "tests/tls/pair.h"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mailcore;
using namespace mailcore::test;

namespace {

constexpr int patience_ms = 10'000;

bool have_openssl() { return std::system("openssl version >/dev/null 2>&1") == 0; }

std::string path_of(const std::string& name) {
    return std::string(MAILCORE_SOURCE_DIR "/tests/tls/certificates/") + name;
}

// A program with its standard streams on pipes.
class Program {
  public:
    explicit Program(std::vector<std::string> arguments) {
        int in[2];
        int out[2];
        REQUIRE(::pipe(in) == 0);
        REQUIRE(::pipe(out) == 0);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
            ::dup2(out[1], 2);
            for (const int descriptor : {in[0], in[1], out[0], out[1]}) ::close(descriptor);
            std::vector<char*> pointers;
            for (auto& argument : arguments) pointers.push_back(argument.data());
            pointers.push_back(nullptr);
            ::execvp(pointers[0], pointers.data());
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = out[0];
    }
    ~Program() {
        ::close(to_);
        ::close(from_);
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void write(std::string_view text) const {
        CHECK(::write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    // Reads until a line that begins with `start` is complete; what follows `start` in it.
    std::string wait_for_line(std::string_view start) {
        while (true) {
            const auto at = printed_.find(start);
            const auto end = at == std::string::npos ? at : printed_.find('\n', at);
            if (end != std::string::npos)
                return printed_.substr(at + start.size(), end - at - start.size());
            if (!read_some()) return {};
        }
    }
    const std::string& wait_for_end() {
        while (read_some()) {
        }
        return printed_;
    }

  private:
    bool read_some() {
        pollfd ready{from_, POLLIN, 0};
        if (::poll(&ready, 1, patience_ms) != 1) return false;
        char buffer[4096];
        const auto got = ::read(from_, buffer, sizeof buffer);
        if (got <= 0) return false;
        printed_.append(buffer, static_cast<std::size_t>(got));
        return true;
    }
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string printed_;
};

class Socket {
  public:
    explicit Socket(int descriptor) : descriptor_(descriptor) { REQUIRE(descriptor >= 0); }
    ~Socket() { ::close(descriptor_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int operator*() const { return descriptor_; }

  private:
    int descriptor_;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

struct Listener {
    Socket socket{::socket(AF_INET, SOCK_STREAM, 0)};
    std::uint16_t port = 0;

    Listener() {
        auto address = loopback(0);
        socklen_t size = sizeof address;
        REQUIRE(::bind(*socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(*socket, 4) == 0);
        REQUIRE(::getsockname(*socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = ntohs(address.sin_port);
    }
    int accept() const {
        pollfd ready{*socket, POLLIN, 0};
        return ::poll(&ready, 1, patience_ms) == 1 ? ::accept(*socket, nullptr, nullptr) : -1;
    }
};

// Drives a session over a socket until `done` or the end; what plaintext came goes to `got`.
template <class Done>
void drive(tls::Session& session, int descriptor, std::string& got, Done done) {
    char buffer[3000];
    const auto now = base::SystemClock().wall_now();
    while (true) {
        while (!session.output().empty()) {
            const auto piece = session.output().front();
            const auto sent = ::send(descriptor, piece.data(), piece.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            session.output_sent(static_cast<std::size_t>(sent));
        }
        if (done()) return;
        pollfd ready{descriptor, POLLIN, 0};
        if (::poll(&ready, 1, patience_ms) != 1) return;
        const auto count = ::recv(descriptor, buffer, sizeof buffer, 0);
        if (count <= 0) return session.receive_end();
        std::string_view ciphertext(buffer, static_cast<std::size_t>(count));
        while (!ciphertext.empty()) {
            ciphertext.remove_prefix(session.receive(ciphertext, now));
            got += session.plaintext();
            session.consume(session.plaintext().size());
        }
    }
}

const char* const version_options[] = {"-tls1_2", "-tls1_3"};

} // namespace

TEST_CASE("openssl s_client verifies us, talks and resumes") {
    if (!have_openssl()) {
        WARN("openssl is not installed");
        return;
    }
    tls::ServerOptions options;
    options.certificates = {chain("rsa"), chain("ecdsa")};
    base::SystemRandom random;
    options.ticket_keys = std::make_shared<tls::TicketKeys>(random);
    const auto context = server_context(std::move(options));
    for (const std::string version : version_options) {
        const std::string session_file = "/tmp/mailcore-tls-session." + std::to_string(::getpid());
        for (const bool again : {false, true}) {
            INFO(version << (again ? ", again" : ""));
            const Listener listener;
            std::vector<std::string> command = {"openssl",
                                                "s_client",
                                                "-connect",
                                                "127.0.0.1:" + std::to_string(listener.port),
                                                version,
                                                "-CAfile",
                                                path_of("root.pem"),
                                                "-verify_return_error",
                                                "-verify_hostname",
                                                "mx.example.test",
                                                "-servername",
                                                "mx.example.test",
                                                "-alpn",
                                                "imap",
                                                again ? "-sess_in" : "-sess_out",
                                                session_file,
                                                "-ign_eof"};
            Program client(command);
            const Socket socket(listener.accept());
            auto session =
                tls::Session::accept(context, {{"imap"}}, base::SystemClock().wall_now());
            std::string got;
            client.write("a1 NOOP\n");
            drive(session, *socket, got, [&] { return got == "a1 NOOP\n"; });
            CHECK(got == "a1 NOOP\n");
            CHECK(session.facts().alpn == "imap");
            CHECK(session.facts().server_name == "mx.example.test");
            session.send("a1 OK done\n");
            session.close();
            drive(session, *socket, got, [] { return true; });
            ::shutdown(*socket, SHUT_WR);
            const auto& printed = client.wait_for_end();
            INFO(printed);
            CHECK(printed.find("a1 OK done") != std::string::npos);
            CHECK(printed.find("Verify return code: 0 (ok)") != std::string::npos);
            CHECK(printed.find(again ? "Reused, TLS" : "New, TLS") != std::string::npos);
        }
        ::unlink(session_file.c_str());
    }
}

TEST_CASE("each suite that we offer is understood by openssl, over many records") {
    if (!have_openssl()) {
        WARN("openssl is not installed");
        return;
    }
    struct Case {
        const char* option;
        const char* theirs;
        const char* ours;
    };
    const Case cases[] = {
        {"-ciphersuites", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
        {"-ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
        {"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
        {"-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
        {"-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {"-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
        {"-cipher", "ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
        {"-cipher", "ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
    };
    tls::ServerOptions options;
    options.certificates = {chain("rsa"), chain("ecdsa")};
    options.ciphers = tls::Ciphers::Compatible;
    const auto context = server_context(std::move(options));
    std::string text;
    for (int line = 0; line < 5000; ++line)
        text += "line " + std::to_string(line) + " of a longer answer\n";
    for (const auto& c : cases) {
        INFO(c.theirs);
        const Listener listener;
        const bool older = std::string_view(c.option) == "-cipher";
        Program client({"openssl", "s_client", "-connect",
                        "127.0.0.1:" + std::to_string(listener.port), c.option, c.theirs,
                        older ? "-tls1_2" : "-tls1_3", "-quiet", "-ign_eof"});
        const Socket socket(listener.accept());
        auto session = tls::Session::accept(context, {}, base::SystemClock().wall_now());
        std::string got;
        client.write("go\n");
        drive(session, *socket, got, [&] { return got == "go\n"; });
        CHECK(session.facts().cipher == c.ours);
        for (std::string_view rest = text; !rest.empty();) {
            const auto taken = session.send(rest);
            if (taken == 0 && session.output().empty()) break;
            rest.remove_prefix(taken);
            drive(session, *socket, got, [] { return true; });
        }
        session.close();
        drive(session, *socket, got, [] { return true; });
        ::shutdown(*socket, SHUT_WR);
        CHECK(client.wait_for_end().find(text) != std::string::npos);
    }
}

TEST_CASE("openssl s_server is verified by us, talks and is resumed") {
    if (!have_openssl()) {
        WARN("openssl is not installed");
        return;
    }
    const auto context = client_trusting(certificate_file("root.pem"));
    for (const std::string version : version_options) {
        for (const std::string name : {"rsa", "ecdsa"}) {
            INFO(version << " " << name);
            Program server({"openssl", "s_server", "-accept", "127.0.0.1:0", version, "-cert",
                            path_of(name + ".pem"), "-cert_chain", path_of(name + ".pem"), "-key",
                            path_of(name + ".key"), "-rev"});
            unsigned port = 0;
            for (const char digit : server.wait_for_line("ACCEPT 127.0.0.1:"))
                port = port * 10 + static_cast<unsigned>(digit - '0');
            REQUIRE(port > 0);
            auto target = required();
            for (const bool again : {false, true}) {
                INFO((again ? "again" : "first"));
                const Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
                const auto address = loopback(static_cast<std::uint16_t>(port));
                REQUIRE(::connect(*socket, reinterpret_cast<const sockaddr*>(&address),
                                  sizeof address) == 0);
                auto session =
                    tls::Session::connect(context, target, base::SystemClock().wall_now());
                std::string got;
                drive(session, *socket, got,
                      [&] { return session.state() != tls::State::Handshaking; });
                INFO(session.failure_text());
                REQUIRE(session.state() == tls::State::Open);
                CHECK(session.facts().peer_verified);
                CHECK(session.resumed() == again);
                session.send("hello\n");
                drive(session, *socket, got, [&] { return got.ends_with('\n'); });
                CHECK(got == "olleh\n");
                REQUIRE(session.ticket() != nullptr);
                target.ticket = session.ticket();
                session.close();
                drive(session, *socket, got, [] { return true; });
            }
        }
    }
}
