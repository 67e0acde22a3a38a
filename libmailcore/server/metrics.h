// Numbers made of events, and their text for Prometheus.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/server/server.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace mailcore::server {

/// Counts events by their id on their way to the sink behind it. Any thread.
class CountingSink final : public base::LogSink {
  public:
    explicit CountingSink(base::LogSink* next) : next_(next) {}
    void write(const base::LogEvent& event) override;
    [[nodiscard]] std::vector<Metric> metrics() const;

  private:
    base::LogSink* next_; // absent: nobody listens
    mutable std::mutex mutex_;
    std::map<std::string, std::uint64_t, std::less<>>
        counts_; // as many as there are kinds of events
};

} // namespace mailcore::server
