// A load of IMAP clients on any server, given host and port: bench_imap MODE HOST PORT USER
// PASSWORD [OPTION VALUE]...
//
//   append   files `count` messages in `mailbox`, over `connections` connections
//   grow     doubles `mailbox` by COPY until it has `count` messages
//   logins   LOGIN, SELECT, LOGOUT, over and over on `connections` connections for `seconds`
//   fetch    FETCH 1:* `items` of `mailbox`, `count` times
//   select   SELECT and UNSELECT of `mailbox`, `count` times
//   idle     opens `connections` connections, leaves them in IDLE, and waits for the end of its
//   input
//
// Prints one line of JSON when it is done (idle: when all connections stand). Connections are
// threads, so that a slow answer to one delays no other.
#include "libmailcore/base/clock.h"
#include "libmailcore/base/random.h"
#include "libmailcore/codec/number.h"
#include "libmailcore/tls/client_context.h"
#include "libmailcore/tls/session.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace mailcore;

namespace {

struct Load {
    std::string mode, host, user, password;
    std::uint16_t port = 0;
    std::string tls = "none"; ///< none, full, resumed
    std::string mailbox = "INBOX";
    std::string items = "(FLAGS ENVELOPE)";
    std::size_t connections = 1;
    std::size_t count = 1;
    std::size_t octets = 1024; ///< of an appended message's body
    std::size_t seconds = 5;
};

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "bench_imap: {}\n", why);
    std::exit(1);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

/// What a thread's connections share.
struct Tools {
    const base::SystemClock clock;
    base::SystemRandom random;
    std::shared_ptr<tls::ClientContext> context;
    std::shared_ptr<const tls::ClientTicket> ticket;

    [[nodiscard]] double seconds_since(Instant begun) const {
        return std::chrono::duration<double>(clock.now() - begun).count();
    }
};

/// One connection, blocking.
class Client {
  public:
    Client(const Load& load, Tools& tools) : load_(load), tools_(tools) {
        descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(load.port);
        if (descriptor_ < 0 || ::inet_pton(AF_INET, load.host.c_str(), &address.sin_addr) != 1 ||
            ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
                0)
            give_up(fmt::format("cannot connect: {}", std::strerror(errno)));
        const int on = 1;
        ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (load.tls != "none") start_tls();
        expect_line("* OK");
    }
    ~Client() { ::close(descriptor_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void send(std::string_view octets) {
        if (!tls_) return write_all(octets);
        while (!octets.empty()) {
            octets.remove_prefix(tls_->send(octets));
            flush();
        }
    }
    /// Sends a command, reads up to its OK, and answers how many untagged responses of `kind` came.
    std::size_t run(std::string_view command, std::string_view kind = "FETCH") {
        send(fmt::format("a {}\r\n", command));
        return await_ok(kind);
    }
    std::size_t await_ok(std::string_view kind = "FETCH") {
        std::size_t counted = 0;
        while (true) {
            const auto text = line();
            if (text.starts_with("a ")) {
                if (!text.starts_with("a OK")) give_up(std::string(text));
                return counted;
            }
            // "* 12 FETCH (": not what stands inside of a literal, which `line` takes along.
            const auto behind = text.substr(0, 40).find(' ', 2);
            if (text.starts_with("* ") && behind != std::string_view::npos &&
                text.substr(behind + 1).starts_with(kind))
                ++counted;
            if (text.starts_with("* ") && text.ends_with(" EXISTS")) {
                auto number = text.substr(2);
                exists_ = codec::take_number<std::uint32_t>(number).value_or(0);
            }
        }
    }
    void log_in() { run(fmt::format("LOGIN {} \"{}\"", load_.user, load_.password)); }
    void log_out() {
        run("LOGOUT");
        if (tls_ && load_.tls == "resumed") tools_.ticket = tls_->ticket();
    }
    [[nodiscard]] std::uint32_t exists() const { return exists_; }
    [[nodiscard]] bool resumed() const { return tls_ && tls_->resumed(); }

    /// The next line without its end, literals included; valid until the next call.
    std::string_view line() {
        std::size_t part = 0,
                    seen = 0; // offsets: behind the last literal, and as far as was looked
        while (true) {
            const std::string_view there(buffer_.data() + begin_, end_ - begin_);
            const auto at = there.find('\n', seen);
            if (at == std::string_view::npos) {
                seen = there.size();
                more();
                continue;
            }
            const auto literal = literal_octets(there.substr(part, at - part));
            if (literal == 0) {
                begin_ += at + 1;
                return there.substr(0, at > 0 ? at - 1 : 0);
            }
            part = seen = at + 1 + literal;
            while (end_ - begin_ < part) more();
        }
    }

  private:
    static std::size_t literal_octets(std::string_view text) {
        if (!text.ends_with("}\r")) return 0;
        const auto brace = text.rfind('{');
        if (brace == std::string_view::npos) return 0;
        return codec::parse_u32(text.substr(brace + 1, text.size() - brace - 3)).value_or(0);
    }
    void expect_line(std::string_view begin) {
        const auto text = line();
        if (!text.starts_with(begin)) give_up(std::string(text));
    }
    void start_tls() {
        tls::ClientTarget target;
        target.server_name = "mail.example.net";
        target.check = tls::PeerCheck::Unchecked;
        if (load_.tls == "resumed") target.ticket = tools_.ticket;
        tls_.emplace(
            tls::Session::connect(tools_.context, std::move(target), tools_.clock.wall_now()));
        flush();
        while (tls_->state() == tls::State::Handshaking) read_tls();
        if (tls_->state() == tls::State::Failed) give_up(std::string(tls_->failure_text()));
    }
    void read_tls() {
        char octets[32 * 1024];
        const auto got = ::recv(descriptor_, octets, sizeof octets, 0);
        if (got <= 0) give_up("the server has closed");
        std::string_view rest(octets, static_cast<std::size_t>(got));
        while (!rest.empty() || !tls_->plaintext().empty()) {
            const auto taken = tls_->receive(rest, tools_.clock.wall_now());
            rest.remove_prefix(taken);
            const auto plain = tls_->plaintext();
            if (taken == 0 && plain.empty()) break;
            keep(plain);
            tls_->consume(plain.size());
        }
        flush();
    }
    void more() {
        if (tls_) return read_tls();
        make_room(64 * 1024);
        const auto got = ::recv(descriptor_, buffer_.data() + end_, buffer_.size() - end_, 0);
        if (got <= 0) give_up("the server has closed");
        end_ += static_cast<std::size_t>(got);
    }
    void keep(std::string_view octets) {
        make_room(octets.size());
        octets.copy(buffer_.data() + end_, octets.size());
        end_ += octets.size();
    }
    void make_room(std::size_t octets) {
        if (begin_ == end_) begin_ = end_ = 0;
        if (buffer_.size() - end_ >= octets) return;
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
        if (buffer_.size() - end_ < octets) buffer_.resize(end_ + 4 * octets);
    }
    void flush() {
        while (true) {
            const auto pieces = tls_->output();
            if (pieces.empty()) return;
            const auto octets = pieces.front().size();
            write_all(pieces.front());
            tls_->output_sent(octets);
        }
    }
    void write_all(std::string_view octets) {
        while (!octets.empty()) {
            const auto sent = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
            if (sent <= 0) give_up("the server has closed");
            octets.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    const Load& load_;
    Tools& tools_;
    int descriptor_ = -1;
    std::optional<tls::Session> tls_;
    std::string buffer_;
    std::size_t begin_ = 0, end_ = 0; // of what is received and not read, in buffer_
    std::uint32_t exists_ = 0;
};

Tools make_tools(const Load& load) {
    Tools tools;
    if (load.tls == "none") return tools;
    tls::ClientOptions options;
    auto context = tls::ClientContext::create(std::move(options), tools.random);
    if (!context) give_up(context.error().detail);
    tools.context = *std::move(context);
    return tools;
}

/// A message as lists and colleagues send them; no two alike.
std::string message(base::SeededRandom& random, std::size_t number, std::size_t octets) {
    auto text = fmt::format(
        "Return-Path: <sender{0}@example.org>\r\n"
        "Received: from relay{1}.example.org (relay{1}.example.org [192.0.2.{1}])\r\n"
        "\tby mx.example.test with ESMTPS id {2}\r\n\tfor <user0@example.test>; Mon, 6 May 2024 "
        "10:00:{3:02} +0000\r\n"
        "Message-ID: <{2}.{0}@example.org>\r\nDate: Mon, 6 May 2024 12:00:{3:02} +0200\r\n"
        "From: \"Sender Number {0}\" <sender{0}@example.org>\r\n"
        "To: User <user0@example.test>, \"Somebody Else\" <else{1}@example.test>\r\n"
        "Cc: list-{1}@lists.example.org\r\nSubject: [list-{1}] Re: the matter of {2}\r\n"
        "In-Reply-To: <{2}.0@example.org>\r\nReferences: <{2}.0@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        number, random.below(200) + 1, random.hex(10), number % 60);
    const auto end = text.size() + octets;
    while (text.size() < end)
        text += "The quick brown fox " + random.hex(12) + " jumps over the lazy dog.\r\n";
    return text;
}

/// Runs `work(number)` on a thread for each connection.
void on_each_connection(const Load& load, const std::function<void(std::size_t)>& work) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < load.connections; ++i) threads.emplace_back(work, i);
    for (auto& thread : threads) thread.join();
}

double percentile(std::vector<double>& sorted, double part) {
    return sorted.empty()
               ? 0
               : sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * part)];
}

void report(std::size_t done, double seconds, std::vector<double> took, double cpu) {
    std::ranges::sort(took);
    fmt::print("{{\"done\": {}, \"seconds\": {:.6f}, \"p50\": {:.6f}, \"p99\": {:.6f}, \"cpu\": "
               "{:.6f}}}\n",
               done, seconds, percentile(took, 0.5), percentile(took, 0.99), cpu);
    std::fflush(stdout);
}

void append(const Load& load) {
    const base::SystemClock clock;
    const auto begun = clock.now();
    on_each_connection(load, [&](std::size_t first) {
        auto tools = make_tools(load);
        Client client(load, tools);
        client.log_in();
        base::SeededRandom random(first + 1);
        for (auto number = first; number < load.count; number += load.connections) {
            const auto octets = message(random, number, load.octets);
            client.send(
                fmt::format("a APPEND {} {{{}+}}\r\n{}\r\n", load.mailbox, octets.size(), octets));
            client.await_ok();
        }
        client.log_out();
    });
    report(load.count, std::chrono::duration<double>(clock.now() - begun).count(), {},
           cpu_seconds());
}

void grow(const Load& load) {
    auto tools = make_tools(load);
    Client client(load, tools);
    client.log_in();
    client.run("SELECT " + load.mailbox);
    const auto begun = tools.clock.now();
    for (auto there = client.exists(); there < load.count; there = client.exists()) {
        const auto more = std::min<std::size_t>(there, load.count - there);
        if (more == 0) give_up("the mailbox is empty");
        client.run(fmt::format("COPY 1:{} {}", more, load.mailbox));
        client.run("NOOP");
    }
    report(client.exists(), tools.seconds_since(begun), {}, cpu_seconds());
}

void logins(const Load& load) {
    const base::SystemClock clock;
    std::vector<std::vector<double>> took(load.connections);
    std::vector<std::size_t> full(load.connections);
    const auto begun = clock.now();
    on_each_connection(load, [&](std::size_t number) {
        auto tools = make_tools(load);
        while (tools.seconds_since(begun) < static_cast<double>(load.seconds)) {
            const auto before = tools.clock.now();
            Client client(load, tools);
            client.log_in();
            client.run("SELECT " + load.mailbox);
            client.log_out();
            took[number].push_back(tools.seconds_since(before));
            if (!client.resumed()) ++full[number];
        }
    });
    const auto seconds = std::chrono::duration<double>(clock.now() - begun).count();
    std::vector<double> all;
    std::size_t handshakes = 0;
    for (const auto& one : took) all.insert(all.end(), one.begin(), one.end());
    for (const auto one : full) handshakes += one;
    if (load.tls == "resumed" && handshakes > 2 * load.connections)
        fmt::print(stderr, "bench_imap: {} of {} connections were not resumed\n", handshakes,
                   all.size());
    const auto done = all.size();
    report(done, seconds, std::move(all), cpu_seconds());
}

void fetch(const Load& load) {
    auto tools = make_tools(load);
    Client client(load, tools);
    client.log_in();
    client.run("SELECT " + load.mailbox);
    const auto begun = tools.clock.now();
    std::size_t answered = 0;
    std::vector<double> took;
    for (std::size_t i = 0; i < load.count; ++i) {
        const auto before = tools.clock.now();
        const auto messages = client.run("FETCH 1:* " + load.items);
        if (messages != client.exists())
            give_up(fmt::format("{} messages answered of {}", messages, client.exists()));
        answered += messages;
        took.push_back(tools.seconds_since(before));
    }
    report(answered, tools.seconds_since(begun), std::move(took), cpu_seconds());
}

void select(const Load& load) {
    auto tools = make_tools(load);
    Client client(load, tools);
    client.log_in();
    std::vector<double> took;
    const auto begun = tools.clock.now();
    for (std::size_t i = 0; i < load.count; ++i) {
        const auto before = tools.clock.now();
        client.run("SELECT " + load.mailbox);
        took.push_back(tools.seconds_since(before));
        client.run("UNSELECT");
    }
    report(client.exists(), tools.seconds_since(begun), std::move(took), cpu_seconds());
}

void idle(const Load& load) {
    auto tools = make_tools(load);
    const auto begun = tools.clock.now();
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < load.connections; ++i) {
        clients.push_back(std::make_unique<Client>(load, tools));
        clients.back()->log_in();
        clients.back()->run("SELECT " + load.mailbox);
        clients.back()->send("a IDLE\r\n");
        while (!clients.back()->line().starts_with('+')) {
        }
    }
    report(clients.size(), tools.seconds_since(begun), {}, cpu_seconds());
    char octet = 0;
    while (::read(STDIN_FILENO, &octet, 1) > 0) {
    }
}

Load read_arguments(int argc, char** argv) {
    if (argc < 6 || argc % 2 != 0)
        give_up("usage: bench_imap append|grow|logins|fetch|select|idle HOST PORT USER PASSWORD "
                "[tls none|full|resumed] "
                "[mailbox NAME] [items ITEMS] [connections N] [count N] [octets N] [seconds N]");
    Load load;
    load.mode = argv[1];
    load.host = argv[2];
    load.port = static_cast<std::uint16_t>(codec::parse_u32(argv[3], 65'535).value_or(0));
    load.user = argv[4];
    load.password = argv[5];
    for (int i = 6; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string value = argv[i + 1];
        const auto number = codec::parse_u32(value);
        if (name == "tls")
            load.tls = value;
        else if (name == "mailbox")
            load.mailbox = value;
        else if (name == "items")
            load.items = value;
        else if (!number)
            give_up(fmt::format("{}: a number is missing, or there is no such option", name));
        else if (name == "connections")
            load.connections = *number;
        else if (name == "count")
            load.count = *number;
        else if (name == "octets")
            load.octets = *number;
        else if (name == "seconds")
            load.seconds = *number;
        else
            give_up(fmt::format("no option is called {}", name));
    }
    return load;
}

} // namespace

int main(int argc, char** argv) {
    const auto load = read_arguments(argc, argv);
    struct Mode {
        std::string_view name;
        void (*run)(const Load&);
    };
    for (const auto& mode : {Mode{"append", append}, Mode{"grow", grow}, Mode{"logins", logins},
                             Mode{"fetch", fetch}, Mode{"select", select}, Mode{"idle", idle}})
        if (mode.name == load.mode) {
            mode.run(load);
            return 0;
        }
    give_up(fmt::format("no load is called {}", load.mode));
}
