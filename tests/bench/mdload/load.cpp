// The command line.
#include "tests/bench/mdload/load.h"

#include "libmailcore/codec/number.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iterator>
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
  --seed N              (1);  --verify: what is read must be what was sent
  --gate                says {"ready": true} when all connections stand, and begins at a line of its input
  --from, --to          ADDRESS, TEMPLATE of the recipients;  --recipients N of a message (1)
  --per-connection N    messages, then a new one (500: servers end those that send many more)
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
    std::chrono::nanoseconds seconds() {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(real() * 1e9));
    }
    std::uint16_t port() { return static_cast<std::uint16_t>(number(65'535)); }

  private:
    std::span<char*> left_;
    std::string last_;
};

std::vector<std::size_t> sizes(const std::string& text) {
    constexpr std::size_t min = 1024, max = 2 * 1024 * 1024;
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

struct Option {
    std::string_view name;
    void (*take)(Load&, Arguments&);
};

constexpr std::size_t many = 1'000'000;

constexpr Option options[] = {
    {"--host", [](Load& load, Arguments& its) { load.endpoint.host = its.next(); }},
    {"--port", [](Load& load, Arguments& its) { load.endpoint.port = its.port(); }},
    {"--tls", [](Load& load, Arguments&) { load.endpoint.security = Security::Tls; }},
    {"--starttls", [](Load& load, Arguments&) { load.endpoint.security = Security::StartTls; }},
    {"--resume", [](Load& load, Arguments&) { load.endpoint.resume = true; }},
    {"--sources", [](Load& load, Arguments& its) { load.endpoint.sources = its.number(250); }},
    {"--connections", [](Load& load, Arguments& its) { load.connections = its.number(many); }},
    {"--accounts", [](Load& load, Arguments& its) { load.accounts = its.number(many); }},
    {"--first", [](Load& load, Arguments& its) { load.first_account = its.number(many); }},
    {"--user", [](Load& load, Arguments& its) { load.user = its.next(); }},
    {"--password", [](Load& load, Arguments& its) { load.password = its.next(); }},
    {"--count", [](Load& load, Arguments& its) { load.pace.count = its.number(); }},
    {"--seconds", [](Load& load, Arguments& its) { load.pace.time = its.seconds(); }},
    {"--rate", [](Load& load, Arguments& its) { load.pace.rate = its.real(); }},
    {"--failures-max", [](Load& load, Arguments& its) { load.pace.failures_max = its.number(); }},
    {"--size", [](Load& load, Arguments& its) { load.sizes = sizes(its.next()); }},
    {"--seed", [](Load& load, Arguments& its) { load.seed = its.number(UINT32_MAX); }},
    {"--verify", [](Load& load, Arguments&) { load.verify = true; }},
    {"--gate", [](Load& load, Arguments&) { load.gate = true; }},
    {"--from", [](Load& load, Arguments& its) { load.sender = its.next(); }},
    {"--to", [](Load& load, Arguments& its) { load.recipient = its.next(); }},
    {"--recipients", [](Load& load, Arguments& its) { load.recipients = its.number(1000); }},
    {"--per-connection",
     [](Load& load, Arguments& its) { load.per_connection = its.number(many); }},
    {"--auth", [](Load& load, Arguments&) { load.authenticate = true; }},
    {"--one-by-one", [](Load& load, Arguments&) { load.pipelining = false; }},
    {"--visible", [](Load& load, Arguments& its) { load.visible_port = its.port(); }},
    {"--sink", [](Load& load, Arguments& its) { load.sink_port = its.port(); }},
    {"--mailbox", [](Load& load, Arguments& its) { load.mailbox = its.next(); }},
    {"--batch", [](Load& load, Arguments& its) { load.batch = its.number(10'000); }},
    {"--command", [](Load& load, Arguments& its) { load.commands.push_back(its.next()); }},
    {"--ahead", [](Load& load, Arguments& its) { load.ahead = its.number(10'000); }},
    {"--delivery-port", [](Load& load, Arguments& its) { load.delivery_port = its.port(); }},
    {"--pop3-port", [](Load& load, Arguments& its) { load.pop3_port = its.port(); }},
    {"--lmtp", [](Load& load, Arguments&) { load.lmtp = true; }},
};

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
    while (!arguments.empty()) {
        const auto name = arguments.next();
        const auto* option = std::ranges::find(options, name, &Option::name);
        if (option == std::end(options))
            give_up(fmt::format("no option is called {}; `mdload --help` names them", name));
        option->take(load, arguments);
    }
    if (load.pace.count == 0 && load.pace.time.count() == 0) load.pace.count = 1;
    if (load.connections == 0 || load.accounts == 0 || load.recipients == 0 || load.batch == 0 ||
        load.per_connection == 0 || load.endpoint.sources == 0)
        give_up("--connections, --accounts, --recipients, --batch, --per-connection "
                "and --sources are at least 1");
    return load;
}

} // namespace mailcore::mdload
