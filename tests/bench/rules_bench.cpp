// What rules cost: a message through ten typical rules, and loading 10,000 of them.
//
//   bench_rules [RULES_FOLDER]   default: hosts/mdserver/rules of this checkout
#include "libmailcore/base/clock.h"
#include "libmailcore/base/file.h"
#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/filter/memory_rule_store.h"
#include "libmailcore/mime/header.h"
#include "libmailcore/mime/parser.h"
#include "libmailcore/net/loops.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <future>
#include <memory>
#include <time.h>

using namespace mailcore;

namespace {

double cpu_microseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class TextOctets final : public filter::MessageOctets {
  public:
    explicit TextOctets(const std::string& text) : text_(text) {}
    std::uint64_t size() const override { return text_.size(); }
    Task<Result<std::string>> read(std::uint64_t offset, std::size_t octets) override {
        co_return text_.substr(static_cast<std::size_t>(offset), octets);
    }

  private:
    const std::string& text_;
};

std::string letter() {
    std::string text = "Return-Path: <a@far.test>\r\nReceived: from far.test by mx.example.org; Mon, 1 Jan 2024 00:00:00 +0000\r\n";
    for (int i = 0; i < 15; ++i) text += fmt::format("X-Field-{}: some value that stands in a header\r\n", i);
    text += "From: A <a@far.test>\r\nTo: team@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    for (int i = 0; i < 60; ++i) text += "This is a line of an everyday message, as people write them.\r\n";
    text += "--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    for (int i = 0; i < 200; ++i) text += std::string(76, 'A') + "\r\n";
    return text + "--b--\r\n";
}

Task<void> judge_many(const filter::Pipeline& pipeline, const std::string& text, std::size_t count,
                      std::promise<double>& done) {
    const auto structure = mime::parse(text);
    TextOctets octets(text);
    const auto header = text.substr(0, mime::header_octets(text) - 2);
    const auto run = [&]() -> Task<void> {
        filter::Context context;
        context.peer.transport = PeerInfo::Transport::Tcp;
        context.peer.address = *IpAddress::parse("192.0.2.1");
        context.sender = "a@far.test";
        context.recipients = {"team@example.org"};
        context.header = header;
        context.size = text.size();
        context.structure = &structure;
        context.octets = &octets;
        for (const auto stage : {filter::Stage::Connect, filter::Stage::Mail, filter::Stage::Headers, filter::Stage::Message})
            co_await pipeline.judge(stage, context);
    };
    for (std::size_t i = 0; i < 200; ++i) co_await run();
    const auto began = cpu_microseconds();
    for (std::size_t i = 0; i < count; ++i) co_await run();
    done.set_value((cpu_microseconds() - began) / static_cast<double>(count));
}

} // namespace

int main(int argc, char** argv) {
    const std::string folder = argc > 1 ? argv[1] : MAILCORE_SOURCE_DIR "/hosts/mdserver/rules";
    base::PosixFileSystem files;
    filter::RuleSource source;
    const auto names = files.list(folder);
    if (!names) return std::fprintf(stderr, "%s\n", names.error().detail.c_str()), 1;
    for (const auto& name : *names) {
        auto text = base::read_file(files, folder + "/" + name, 1 << 20);
        if (!text) continue;
        const auto plain = name.ends_with(".example") ? name.substr(0, name.size() - 8) : name;
        if (plain.ends_with(".lua")) source.rules.push_back({plain, *text});
        if (plain.ends_with(".txt")) source.lists.push_back({plain, *text});
    }
    auto loops = net::Loops::create({1, 1});
    if (!loops) return 1;
    auto& loop = (**loops)[0];
    filter::MemoryRuleStore store(loop);
    const filter::RulePorts ports{loop, nullptr, &store, {}};
    auto rules = filter::LuaRules::load(source, {}, ports);
    if (!rules) return std::fprintf(stderr, "%s\n", rules.error().detail.c_str()), 1;
    const filter::Pipeline pipeline(rules->entries(), Log{});
    (*loops)->start();
    std::promise<double> done;
    std::unique_ptr<Scope> scope;
    const auto text = letter();
    loop.post([&] {
        scope = std::make_unique<Scope>(loop);
        scope->spawn(judge_many(pipeline, text, 20'000, done));
    });
    const auto each = done.get_future().get();
    std::promise<void> gone;
    loop.post([&] {
        scope.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    fmt::print("{} rules, {} functions, {} octets of message: {:.1f} us CPU a message\n", source.rules.size(),
               rules->entries().size(), text.size(), each);

    filter::RuleSource many;
    many.lists = source.lists;
    for (std::size_t i = 0; i < 10'000; ++i) {
        auto rule = source.rules[i % source.rules.size()];
        rule.name = fmt::format("{:05}-{}", i, rule.name);
        many.rules.push_back(std::move(rule));
    }
    filter::RuleLimits limits;
    limits.memory_max = 1024 * 1024 * 1024;
    const auto began = cpu_microseconds();
    auto loaded = filter::LuaRules::load(many, limits, ports);
    if (!loaded) return std::fprintf(stderr, "%s\n", loaded.error().detail.c_str()), 1;
    const auto entries = loaded->entries().size();
    const auto took = (cpu_microseconds() - began) / 1e6;
    fmt::print("10000 rules loaded: {:.2f} s CPU, {} functions, {:.1f} MiB\n", took, entries,
               static_cast<double>(loaded->memory()) / (1024 * 1024));
    (*loops)->stop();
    return 0;
}
