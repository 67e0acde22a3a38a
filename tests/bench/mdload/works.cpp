// Each work of the command line: who is needed for it, and what it reports.
#include "tests/bench/mdload/actors.h"
#include "tests/bench/mdload/load.h"
#include "tests/bench/mdload/sink.h"

#include "libmailcore/base/random.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

namespace mailcore::mdload {

namespace {

constexpr std::chrono::milliseconds poll_pause{2};

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return of(usage.ru_utime) + of(usage.ru_stime);
}

void say_ready() {
    fmt::print("{{\"ready\": true}}\n");
    std::fflush(stdout);
}

/// What one run has: crews, and what they share.
struct Run {
    explicit Run(const Load& given) : load(given), letters(given.sizes, given.seed) {
        smtp.endpoint = given.endpoint;
        smtp.dialect = given.lmtp || given.work == "lmtp" ? SmtpDialect::Lmtp : SmtpDialect::Smtp;
        smtp.pipelining = given.pipelining;
        if (given.authenticate) smtp.user = given.account(0);
        if (given.delivery_port != 0) {
            smtp.endpoint.port = given.delivery_port;
            smtp.endpoint.security = Security::Clear;
        }
        pop3 = given.endpoint;
        if (given.pop3_port != 0) pop3.port = given.pop3_port;
    }

    Crew& crew(const std::string& name, const Pace& pace) {
        crews.push_back(std::make_unique<Crew>(loop, pace, name));
        if (load.gate && crews.size() == 1)
            crews.back()->on_begin = [] {
                say_ready();
                for (char octet = 0; ::read(STDIN_FILENO, &octet, 1) > 0 && octet != '\n';) {
                }
            };
        return *crews.back();
    }
    /// Until every crew is done.
    void work(const std::function<void()>& over = nullptr) {
        auto left = crews.size();
        for (auto& each : crews)
            each->start([this, &left, &over] {
                if (--left > 0) return;
                if (over)
                    over();
                else
                    loop.stop();
            });
        loop.run();
    }
    [[nodiscard]] std::string report(const std::string& more = "") const {
        std::string text = fmt::format("{{\"work\": \"{}\", ", load.work);
        if (crews.size() == 1) {
            text += crews.front()->tally().json();
        } else {
            text += "\"crews\": {";
            for (std::size_t i = 0; i < crews.size(); ++i)
                text += fmt::format("{}\"{}\": {{{}}}", i > 0 ? ", " : "", crews[i]->name(),
                                    crews[i]->tally().json());
            text += "}";
        }
        return text + fmt::format(", \"generator_cpu\": {:.3f}{}}}", cpu_seconds(), more);
    }

    const Load& load;
    Loop loop;
    base::SystemRandom random;
    Letters letters;
    SmtpSettings smtp;
    Endpoint pop3;
    std::vector<std::unique_ptr<Crew>> crews;
};

/// Reads over IMAP, one mailbox after the other, until every message is there.
class Visibility {
  public:
    Visibility(Loop& loop, const Load& load) : loop_(loop), load_(load), endpoint_(load.endpoint) {
        endpoint_.port = load.visible_port;
        endpoint_.security = Security::Clear;
        const auto used = std::min<std::size_t>(
            load.accounts, load.pace.count > 0 ? load.pace.count * load.recipients : load.accounts);
        for (std::size_t i = 0; i < used; ++i) {
            mailboxes_.emplace_back();
            mailboxes_[i].client = std::make_unique<ImapClient>(loop, endpoint_);
        }
    }

    /// Logs in and counts what is there before.
    void prepare(std::function<void()> ready) {
        ready_ = std::move(ready);
        waiting_ = mailboxes_.size();
        for (std::size_t i = 0; i < mailboxes_.size(); ++i) {
            auto& mailbox = mailboxes_[i];
            mailbox.client->on_failed = [](const std::string& why) {
                give_up(fmt::format("counting: {}", why));
            };
            mailbox.client->on_untagged = [&mailbox](std::string_view text) {
                const auto at = text.find("MESSAGES ");
                if (!text.starts_with("STATUS ") || at == std::string_view::npos) return;
                text.remove_prefix(at + 9);
                mailbox.there = codec::take_number<std::uint64_t>(text).value_or(0);
            };
            mailbox.client->open(load_.account(i), [this, &mailbox] {
                mailbox.client->run(status(), [this, &mailbox] {
                    mailbox.before = mailbox.there;
                    if (--waiting_ == 0) ready_();
                });
            });
        }
    }
    /// `sent` messages went round the accounts.
    void await(std::uint64_t sent, std::function<void()> seen) {
        sent_ = sent;
        seen_ = std::move(seen);
        poll(0);
    }

  private:
    struct Mailbox {
        std::unique_ptr<ImapClient> client;
        std::uint64_t before = 0, there = 0;
    };
    [[nodiscard]] std::string status() const { return "STATUS " + load_.mailbox + " (MESSAGES)"; }
    void poll(std::size_t at) {
        if (at == mailboxes_.size()) return seen_();
        auto& mailbox = mailboxes_[at];
        const auto n = mailboxes_.size();
        const auto wanted = mailbox.before + sent_ / n + (at < sent_ % n ? 1 : 0);
        mailbox.client->run(status(), [this, at, wanted, &mailbox] {
            if (mailbox.there >= wanted) return poll(at + 1);
            loop_.at(loop_.now() + poll_pause, [this, at] { poll(at); });
        });
    }

    Loop& loop_;
    const Load& load_;
    Endpoint endpoint_;
    std::vector<Mailbox> mailboxes_;
    std::function<void()> ready_, seen_;
    std::size_t waiting_ = 0;
    std::uint64_t sent_ = 0;
};

std::string send_mail(Run& run) {
    auto& crew = run.crew(run.load.work, run.load.pace);
    for (std::size_t i = 0; i < run.load.connections; ++i)
        crew.add(std::make_unique<Sender>(crew, run.load, run.smtp, run.letters));
    auto& tally = crew.tally();

    std::unique_ptr<Sink> sink;
    Tally sunk;
    std::uint64_t arrived = 0;
    bool all_sent = false;
    if (run.load.sink_port != 0) {
        sink = std::make_unique<Sink>(run.loop, run.load.endpoint.host, run.load.sink_port);
        sink->on_message = [&](const LetterCheck& check) {
            sunk.saw(check);
            sunk.ended = run.loop.now();
            if (++arrived >= tally.operations * run.load.recipients && all_sent) run.loop.stop();
        };
    }
    double visible = 0;
    std::unique_ptr<Visibility> visibility;
    if (run.load.visible_port != 0) {
        visibility = std::make_unique<Visibility>(run.loop, run.load);
        visibility->prepare([&] { run.loop.stop(); });
        run.loop.run();
    }
    run.work([&] {
        all_sent = true;
        if (visibility)
            return visibility->await(tally.operations * run.load.recipients, [&] {
                visible = std::chrono::duration<double>(run.loop.now() - tally.began).count();
                run.loop.stop();
            });
        if (!sink || arrived >= tally.operations * run.load.recipients) run.loop.stop();
    });
    std::string more;
    const auto all = static_cast<double>(tally.operations);
    if (visibility)
        more += fmt::format(R"(, "visible_seconds": {:.6f}, "visible_rate": {:.3f})", visible,
                            all / std::max(visible, 1e-9));
    if (sink) {
        sunk.began = tally.began;
        more += fmt::format(
            R"(, "relayed_seconds": {:.6f}, "relayed_rate": {:.3f}, "relayed_bad": {}, "relayed_doubles": {})",
            sunk.seconds(), all / std::max(sunk.seconds(), 1e-9), sunk.bad, sunk.doubles);
    }
    return run.report(more);
}

/// Takes `count` messages as they come; the clock starts with the first.
std::string take_mail(Run& run) {
    Sink sink(run.loop, run.load.endpoint.host, run.load.endpoint.port);
    auto& tally = run.crew(run.load.work, run.load.pace).tally();
    sink.on_message = [&](const LetterCheck& check) {
        tally.saw(check);
        tally.ended = run.loop.now();
        if (tally.operations++ == 0) tally.began = tally.ended;
        tally.items = tally.operations;
        tally.octets = sink.octets();
        if (tally.operations == run.load.pace.count) run.loop.stop();
    };
    say_ready();
    run.loop.run(STDIN_FILENO);
    return run.report();
}

template <class ActorKind, class... More>
void add_readers(Run& run, Crew& crew, std::size_t connections, More&&... more) {
    for (std::size_t i = 0; i < connections; ++i)
        crew.add(std::make_unique<ActorKind>(crew, run.load, i % run.load.accounts, more...));
}

std::string with_readers(Run& run, const std::function<void(Crew&)>& add) {
    auto& crew = run.crew(run.load.work, run.load.pace);
    add(crew);
    run.work();
    return run.report();
}

std::string append(Run& run) {
    return with_readers(run, [&](Crew& crew) {
        add_readers<Appender>(run, crew, run.load.connections, run.letters);
    });
}

std::string store(Run& run) {
    return with_readers(run, [&](Crew& crew) {
        for (std::size_t i = 0; i < run.load.connections; ++i) {
            // Which of those that share this mailbox it is, and how many they are.
            const auto share = i / run.load.accounts;
            const auto account = i % run.load.accounts;
            const auto sharers =
                (run.load.connections - account + run.load.accounts - 1) / run.load.accounts;
            crew.add(std::make_unique<Flagger>(crew, run.load, account, share + 1, sharers));
        }
    });
}

std::string command(Run& run, std::vector<std::string> commands) {
    if (!run.load.commands.empty()) commands = run.load.commands;
    if (commands.empty()) give_up("--command is missing");
    const bool select = !commands.front().starts_with("SELECT");
    return with_readers(run, [&](Crew& crew) {
        add_readers<Commander>(run, crew, run.load.connections, commands, select);
    });
}

std::string visit(Run& run, Visitor::Stay stay) {
    return with_readers(
        run, [&](Crew& crew) { add_readers<Visitor>(run, crew, run.load.connections, stay); });
}

std::string select(Run& run) {
    return with_readers(
        run, [&](Crew& crew) { add_readers<Selector>(run, crew, run.load.connections); });
}

std::string grow(Run& run) {
    const auto messages = run.load.pace.count;
    auto& crew = run.crew(run.load.work, {.count = run.load.accounts});
    for (std::size_t i = 0; i < run.load.accounts; ++i)
        crew.add(std::make_unique<Grower>(crew, run.load, i, messages));
    run.work();
    return run.report();
}

/// Says when all stand, and holds them until its input ends.
std::string idle(Run& run) {
    auto& crew = run.crew(run.load.work, {.failures_max = run.load.pace.failures_max});
    crew.on_begin = say_ready;
    add_readers<Idler>(run, crew, run.load.connections);
    crew.start(nullptr);
    run.loop.run(STDIN_FILENO);
    return run.report();
}

std::string idle_exists(Run& run) {
    if (run.load.delivery_port == 0) give_up("--delivery-port is missing");
    return with_readers(run, [&](Crew& crew) {
        add_readers<Waiter>(run, crew, run.load.connections, run.smtp, run.letters);
    });
}

std::string pop3(Run& run) {
    return with_readers(
        run, [&](Crew& crew) { add_readers<Popper>(run, crew, run.load.connections, run.pop3); });
}

/// A working day: mail comes in, programs look after it, read it and throw it away, some wait in
/// IDLE, some take it by POP3. `--rate` is that of incoming mail; the rest follows from it.
std::string mixed(Run& run) {
    const auto& load = run.load;
    if (load.delivery_port == 0 || load.pace.time.count() == 0)
        give_up("mixed: --delivery-port and --seconds are needed");
    const auto rate = load.pace.rate > 0 ? load.pace.rate : 100;
    const auto paced = [&](double each) {
        auto pace = load.pace;
        pace.rate = each;
        return pace;
    };
    auto& senders = run.crew("smtp", paced(rate));
    for (std::size_t i = 0; i < load.connections; ++i)
        senders.add(std::make_unique<Sender>(senders, load, run.smtp, run.letters));
    auto& readers = run.crew("visits", paced(rate / 4));
    for (std::size_t i = 0; i < load.accounts; ++i)
        readers.add(std::make_unique<Visitor>(readers, load, i, Visitor::Stay::Reading));
    auto& appenders = run.crew("append", paced(rate / 10));
    add_readers<Appender>(run, appenders, std::min<std::size_t>(load.accounts, 4), run.letters);
    if (load.pop3_port != 0) {
        // Of a mailbox of its own each: POP3 holds it alone.
        auto& poppers = run.crew("pop3", paced(rate / 50));
        poppers.add(std::make_unique<Popper>(poppers, load, load.accounts, run.pop3));
    }
    Crew idlers(run.loop, {.failures_max = load.pace.failures_max}, "idle");
    for (std::size_t i = 0; i < load.accounts; ++i)
        idlers.add(std::make_unique<Idler>(idlers, load, i));
    // They have no operations: they are there, are told, and are lost if the server drops them.
    idlers.on_begin = [&] { run.loop.stop(); };
    idlers.start(nullptr);
    run.loop.run();
    run.work();
    return run.report();
}

} // namespace

std::string run_work(const Load& given) {
    auto load = given;
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    base::SystemRandom random;
    if (load.endpoint.security != Security::Clear) {
        auto context = tls::ClientContext::create({}, random);
        if (!context) give_up(context.error().detail);
        load.endpoint.tls = *std::move(context);
    }
    struct Work {
        std::string_view name;
        std::function<std::string(Run&)> run;
    };
    const std::vector<std::string> envelopes{"FETCH 1:* (FLAGS ENVELOPE)"};
    const std::vector<std::string> bodies{"FETCH 1:* (BODY.PEEK[])"};
    const std::vector<std::string> flags{"STORE 1:* +FLAGS.SILENT (\\Flagged)",
                                         "STORE 1:* -FLAGS.SILENT (\\Flagged)"};
    const Work works[] = {
        {"smtp", send_mail},
        {"lmtp", send_mail},
        {"sink", take_mail},
        {"imap-append", append},
        {"imap-store", store},
        {"imap-store-all", [&](Run& run) { return command(run, flags); }},
        {"imap-fetch", [&](Run& run) { return command(run, envelopes); }},
        {"imap-body", [&](Run& run) { return command(run, bodies); }},
        {"imap-command", [&](Run& run) { return command(run, {}); }},
        {"imap-select", select},
        {"imap-login", [](Run& run) { return visit(run, Visitor::Stay::Login); }},
        {"imap-visit", [](Run& run) { return visit(run, Visitor::Stay::Select); }},
        {"imap-grow", grow},
        {"imap-idle", idle},
        {"idle-exists", idle_exists},
        {"pop3-retr", pop3},
        {"mixed", mixed},
    };
    for (const auto& work : works) {
        if (work.name != load.work) continue;
        Run run(load);
        return work.run(run);
    }
    give_up(fmt::format("no work is called {}", load.work));
}

} // namespace mailcore::mdload
