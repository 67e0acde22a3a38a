#include "libmailcore/server/metrics.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"

#include <cstdio>
#include <fmt/format.h>
#include <iterator>

namespace mailcore::server {

void CountingSink::write(const base::LogEvent& event) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = counts_.find(event.id);
        if (found != counts_.end())
            ++found->second;
        else
            counts_.emplace(event.id, 1);
    }
    if (next_) next_->write(event);
}

std::vector<Metric> CountingSink::metrics() const {
    std::vector<Metric> out;
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, count] : counts_)
        out.push_back({"mailcore_events_total{event=\"" + id + "\"}", "Events by their name.",
                       static_cast<double>(count), true});
    return out;
}

ProcessMemory process_memory() {
    ProcessMemory memory;
    std::FILE* file = std::fopen("/proc/self/status", "re");
    if (!file) return memory;
    char line[256];
    while (std::fgets(line, sizeof line, file)) {
        std::string_view text(line);
        const auto take = [&](std::string_view name, std::uint64_t& into) {
            if (!text.starts_with(name)) return;
            auto rest = codec::trim(text.substr(name.size()));
            into = codec::take_number<std::uint64_t>(rest).value_or(0) * 1024;
        };
        take("RssAnon:", memory.anonymous);
        take("VmRSS:", memory.resident);
    }
    std::fclose(file);
    return memory;
}

std::string prometheus_text(const std::vector<Metric>& metrics) {
    std::string out;
    std::string last;
    for (const auto& metric : metrics) {
        const auto name = metric.name.substr(0, metric.name.find('{'));
        if (name != last) {
            fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name,
                           metric.help, name, metric.counter ? "counter" : "gauge");
            last = name;
        }
        fmt::format_to(std::back_inserter(out), "{} {}\n", metric.name, metric.value);
    }
    return out;
}

} // namespace mailcore::server
