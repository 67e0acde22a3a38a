#include "libmailcore/server/metrics.h"

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
