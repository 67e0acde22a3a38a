#include "libmailcore/server/metrics.h"

#include "libmailcore/server/server.h"
#include "tests/catch.h"

#include <cctype>
#include <set>

using namespace mailcore;
using server::Metric;

namespace {

bool is_name(std::string_view text) {
    if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0]))) return false;
    return text.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
           std::string_view::npos;
}

std::string_view take_until(std::string_view& rest, std::string_view what) {
    const auto at = rest.find(what);
    const auto taken = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + what.size());
    return taken;
}

/// Prometheus' text format 0.0.4: what is wrong with it; empty: nothing. HELP and TYPE come once a
/// name and before its samples, all samples of a name stand together, no sample comes twice, values
/// are numbers.
std::string problem_of(std::string_view text) {
    if (!text.empty() && !text.ends_with('\n')) return "the last line has no end";
    std::set<std::string, std::less<>> helped, typed, done, samples;
    std::string open;
    while (!text.empty()) {
        const std::string line(take_until(text, "\n"));
        std::string_view rest = line;
        if (rest.starts_with("# ")) {
            rest.remove_prefix(2);
            const std::string kind(take_until(rest, " ")), name(take_until(rest, " "));
            if (!is_name(name)) return "no name: " + line;
            if (kind == "HELP") {
                if (!helped.insert(name).second) return "HELP twice: " + line;
                open = name;
                if (done.contains(name)) return "apart: " + line;
            } else if (kind == "TYPE") {
                if (rest != "counter" && rest != "gauge") return "no type: " + line;
                if (!typed.insert(name).second) return "TYPE twice: " + line;
                if (rest == "counter" && !name.ends_with("_total")) return "not _total: " + line;
            } else {
                return "no comment of ours: " + line;
            }
            continue;
        }
        std::string_view sample = rest;
        const auto value = sample.substr(sample.rfind(' ') + 1);
        sample = sample.substr(0, sample.rfind(' '));
        const std::string name(sample.substr(0, sample.find('{')));
        if (!is_name(name) || name != open || !typed.contains(name))
            return "not announced: " + line;
        if (sample.size() > name.size()) {
            auto labels = sample.substr(name.size());
            if (!labels.starts_with('{') || !labels.ends_with('}')) return "labels: " + line;
            labels = labels.substr(1, labels.size() - 2);
            while (!labels.empty()) {
                if (!is_name(take_until(labels, "=\""))) return "label: " + line;
                if (take_until(labels, "\"").find_first_of("\\\n") != std::string_view::npos)
                    return "label's value: " + line;
                if (!labels.empty() && take_until(labels, ",") != "") return "labels: " + line;
            }
        }
        if (value.empty() || value.find_first_not_of("0123456789.e+-") != std::string_view::npos)
            return "no number: " + line;
        if (!samples.insert(std::string(sample)).second) return "twice: " + line;
        done.insert(name);
    }
    return {};
}

} // namespace

TEST_CASE("metrics with and without labels are Prometheus text") {
    const std::vector<Metric> metrics{
        {"mailcore_connections", "Open.", 3, false},
        {"mailcore_refused_total{ceiling=\"a\"}", "Refused.", 1, true},
        {"mailcore_refused_total{ceiling=\"b\"}", "Refused.", 20'000'000'000, true},
        {"mailcore_share", "A share.", 0.25, false},
    };
    const auto text = server::prometheus_text(metrics);
    INFO(text);
    CHECK(problem_of(text) == "");
    CHECK(text.contains("# TYPE mailcore_refused_total counter\n"
                        "mailcore_refused_total{ceiling=\"a\"} 1\n"));
    CHECK(text.contains("mailcore_share 0.25\n"));
    CHECK(server::prometheus_text({}) == "");
}

TEST_CASE("the grammar check sees what is wrong") {
    struct Case {
        const char* text;
        const char* problem;
    };
    static constexpr Case cases[] = {
        {"a 1", "the last line"},
        {"a 1\n", "not announced"},
        {"# HELP a x\n# TYPE a gauge\na one\n", "no number"},
        {"# HELP a x\n# TYPE a gauge\na 1\na 1\n", "twice"},
        {"# HELP a x\n# TYPE a counter\na 1\n", "not _total"},
        {"# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n", "HELP twice"},
        {"# HELP a x\n# TYPE a gauge\na{b=\"1\" 1\n", "labels"},
        {"# HELP a x\n# TYPE a gauge\na{b=\"1\\\"} 1\n", "label's value"},
        {"# HELP 9 x\n", "no name"},
    };
    for (const auto& c : cases) {
        INFO(c.text);
        CHECK(problem_of(c.text).starts_with(c.problem));
    }
}

TEST_CASE("events are counted by their name on their way, at every level") {
    struct Next final : base::LogSink {
        void write(const base::LogEvent&) override { ++written; }
        int written = 0;
    } next;
    server::CountingSink counting(&next);
    const Log log(counting, base::LogLevel::Info);
    log.write(base::LogLevel::Info, "smtp.accepted", {});
    log.write(base::LogLevel::Error, "store.damaged", {});
    log.write(base::LogLevel::Info, "smtp.accepted", {});
    CHECK(next.written == 3);
    const auto metrics = counting.metrics();
    REQUIRE(metrics.size() == 2);
    CHECK(metrics[0].name == "mailcore_events_total{event=\"smtp.accepted\"}");
    CHECK(metrics[0].value == 2);
    CHECK(problem_of(server::prometheus_text(metrics)) == "");
    server::CountingSink alone(nullptr);
    Log(alone, base::LogLevel::Info).write(base::LogLevel::Info, "x", {});
    CHECK(alone.metrics().size() == 1);
}

TEST_CASE("all that a running server tells is Prometheus text") {
    server::Config config;
    config.in_memory = true;
    config.hostname = "mx.example.test";
    config.loops = 1;
    config.workers = 1;
    config.listen.push_back({server::ServiceKind::Smtp, {"127.0.0.1"}, 0, "", false});
    auto made = server::Server::create(config);
    REQUIRE(made);
    REQUIRE((*made)->start());
    const auto text = server::prometheus_text((*made)->metrics());
    INFO(text);
    CHECK(problem_of(text) == "");
    for (const char* name :
         {"mailcore_connections 0\n", "mailcore_memory_max_octets ",
          "mailcore_connections_refused_total{ceiling=\"memory_max\"} 0\n",
          "mailcore_messages_refused_total 0\n", "mailcore_memory_anonymous_octets "})
        CHECK(text.contains(name));
}
