// The command line.
#include "tests/bench/mdload/load.h"

#include "libmailcore/codec/number.h"

#include <cstdio>
#include <cstdlib>
#include <span>

#include <fmt/format.h>

namespace mailcore::mdload {

namespace {

constexpr std::string_view usage = R"(usage: mdload WORK --port PORT [OPTION [VALUE]]...

A load on a mail server. One thread; prints one line of JSON: operations, items (messages), octets of mail,
seconds, rates, latency quantiles, and the CPU seconds that the generator itself took.

works
  smtp, lmtp      messages to the accounts in turns. --visible PORT: also until all can be read over IMAP there.
                  --sink PORT: also until all have come out there (listens)
  sink            an SMTP server that takes --count messages; ends then, or when its input ends
  imap-append     APPEND of --batch letters at a time (MULTIAPPEND, literals without waiting where offered)
  imap-store      STORE of one message, a change each time
  imap-store-all  STORE 1:* +FLAGS.SILENT, then -FLAGS.SILENT
  imap-fetch      FETCH 1:* (FLAGS ENVELOPE)
  imap-body       FETCH 1:* (BODY.PEEK[])
  imap-command    each --command in turns; FETCH responses and literals are counted
  imap-select     SELECT (measured), UNSELECT (not)
  imap-login      connect, LOGIN, LOGOUT;  imap-visit: with SELECT
  imap-grow       COPY until the mailbox of each account has --count messages
  imap-idle       holds connections in IDLE until its input ends; says when all stand
  idle-exists     from the 250 of a message (--delivery-port) to its EXISTS on a connection in IDLE
  pop3-retr       RETR of all messages, --ahead of them asked for at once
  mixed           all kinds at once for --seconds: --delivery-port, --pop3-port, --rate of incoming mail
  limits          what this machine can do: durable appends in the folder --mailbox, loopback round trips

options (default)
  --host ADDRESS        IPv4 (127.0.0.1)
  --tls, --starttls     TLS from the beginning, or after asking;  --resume: with the ticket of the one before
  --sources N           leave from so many loopback addresses (1)
  --connections N       at a time (1)
  --accounts N          (1), the first of which is --first N (0)
  --user, --password    TEMPLATES, "{}" is the account's number (user{}@example.test, "password {}")
  --count N             operations;  --seconds S: instead, or whatever is first (one operation)
  --rate R              operations a second, due at even times; latency counts from when they were due
  --failures-max N      after which it gives up (0)
  --size N[,N]... | mix octets of messages, taken in turns (4096)
  --seed N              (1);  --verify: what is read must be what was sent, each once
  --from, --to          ADDRESS, TEMPLATE of the recipients;  --recipients N of a message (1)
  --auth                AUTH PLAIN as the first account;  --one-by-one: no pipelining of MAIL, RCPT, DATA
  --mailbox NAME        (INBOX);  --batch N (1);  --command TEXT, repeatable;  --ahead N (64)
  --delivery-port, --pop3-port PORT;  --lmtp: the delivery port speaks LMTP
)";

std::string filled(std::string text, std::size_t number) {
    if (const auto at = text.find("{}"); at != std::string::npos)
        text.replace(at, 2, std::to_string(number));
    return text;
}

/// Takes one argument after the other.
class Arguments {
  public:
    explicit Arguments(std::span<char*> all) : left_(all) {}
    [[nodiscard]] bool empty() const { return left_.empty(); }
    std::string next() {
        if (left_.empty()) give_up(fmt::format("{} wants a value", last_));
        last_ = left_.front();
        left_ = left_.subspan(1);
        return last_;
    }
    std::uint64_t number(std::uint64_t max = UINT64_MAX) {
        const auto name = last_;
        const auto value = codec::parse_u64(next(), max);
        if (!value) give_up(fmt::format("{} wants a number, at most {}", name, max));
        return *value;
    }
    double real() {
        const auto name = last_;
        const auto text = next();
        double value = 0;
        const auto end = text.data() + text.size();
        if (std::from_chars(text.data(), end, value).ptr != end || value < 0)
            give_up(fmt::format("{} wants a number", name));
        return value;
    }
    std::uint16_t port() { return static_cast<std::uint16_t>(number(65'535)); }

  private:
    std::span<char*> left_;
    std::string last_;
};

std::vector<std::size_t> sizes(const std::string& text) {
    constexpr std::size_t min = 512, max = 2 * 1024 * 1024;
    if (text == "mix") return Letters::mixed_sizes();
    std::vector<std::size_t> all;
    for (std::string_view left = text; !left.empty();) {
        const auto size = codec::take_number<std::size_t>(left, max);
        if (!size || *size < min || (!left.empty() && left.front() != ','))
            give_up(fmt::format("--size wants numbers from {} to {}, or mix", min, max));
        all.push_back(*size);
        if (!left.empty()) left.remove_prefix(1);
    }
    if (all.empty()) give_up("--size wants a number");
    return all;
}

} // namespace

User Load::account(std::size_t number) const {
    return {filled(user, first_account + number), filled(password, first_account + number)};
}

std::string Load::address(std::size_t number) const {
    return filled(recipient, first_account + number % accounts);
}

Load read_arguments(int argc, char** argv) {
    Load load;
    Arguments arguments({argv + 1, static_cast<std::size_t>(argc - 1)});
    if (arguments.empty()) {
        fmt::print(stderr, "{}", usage);
        std::exit(2);
    }
    load.work = arguments.next();
    if (load.work == "--help" || load.work == "help") {
        fmt::print("{}", usage);
        std::exit(0);
    }
    constexpr std::size_t many = 1'000'000;
    while (!arguments.empty()) {
        const auto name = arguments.next();
        if (name == "--host")
            load.endpoint.host = arguments.next();
        else if (name == "--port")
            load.endpoint.port = arguments.port();
        else if (name == "--tls")
            load.endpoint.security = Security::Tls;
        else if (name == "--starttls")
            load.endpoint.security = Security::StartTls;
        else if (name == "--resume")
            load.endpoint.resume = true;
        else if (name == "--sources")
            load.endpoint.sources = arguments.number(250);
        else if (name == "--connections")
            load.connections = arguments.number(many);
        else if (name == "--accounts")
            load.accounts = arguments.number(many);
        else if (name == "--first")
            load.first_account = arguments.number(many);
        else if (name == "--user")
            load.user = arguments.next();
        else if (name == "--password")
            load.password = arguments.next();
        else if (name == "--count")
            load.pace.count = arguments.number();
        else if (name == "--seconds")
            load.pace.time =
                std::chrono::nanoseconds(static_cast<std::int64_t>(arguments.real() * 1e9));
        else if (name == "--rate")
            load.pace.rate = arguments.real();
        else if (name == "--failures-max")
            load.pace.failures_max = arguments.number();
        else if (name == "--size")
            load.sizes = sizes(arguments.next());
        else if (name == "--seed")
            load.seed = arguments.number(UINT32_MAX);
        else if (name == "--verify")
            load.verify = true;
        else if (name == "--from")
            load.sender = arguments.next();
        else if (name == "--to")
            load.recipient = arguments.next();
        else if (name == "--recipients")
            load.recipients = arguments.number(1000);
        else if (name == "--auth")
            load.authenticate = true;
        else if (name == "--one-by-one")
            load.pipelining = false;
        else if (name == "--visible")
            load.visible_port = arguments.port();
        else if (name == "--sink")
            load.sink_port = arguments.port();
        else if (name == "--mailbox")
            load.mailbox = arguments.next();
        else if (name == "--batch")
            load.batch = arguments.number(10'000);
        else if (name == "--command")
            load.commands.push_back(arguments.next());
        else if (name == "--ahead")
            load.ahead = arguments.number(10'000);
        else if (name == "--delivery-port")
            load.delivery_port = arguments.port();
        else if (name == "--pop3-port")
            load.pop3_port = arguments.port();
        else if (name == "--lmtp")
            load.lmtp = true;
        else
            give_up(fmt::format("no option is called {}; `mdload --help` names them", name));
    }
    if (load.pace.count == 0 && load.pace.time.count() == 0) load.pace.count = 1;
    if (load.connections == 0 || load.accounts == 0 || load.recipients == 0 || load.batch == 0 ||
        load.endpoint.sources == 0)
        give_up("--connections, --accounts, --recipients, --batch and --sources are at least 1");
    return load;
}

} // namespace mailcore::mdload
