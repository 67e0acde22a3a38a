// The log on disk: JSON lines, files of bounded size, and finding one message's life in them.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/base/result.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mailcore::server {

struct LogFileOptions {
    std::string path;
    std::uint64_t octets_max =
        64 * 1024 * 1024; ///< of one file; then it becomes path.1, that path.2 ...
    std::uint32_t files_max = 8;
};

/// Writes events as JSON lines: {"time": ..., "level": ..., "event": ..., "trace": ..., fields}. A
/// thread of its own writes, so that nobody waits for the disk; when that does not keep up, events
/// are dropped and counted in the next line. Any thread.
class LogFile final : public base::LogSink {
  public:
    static Result<std::unique_ptr<LogFile>> open(LogFileOptions options);
    /// Writes what is left.
    ~LogFile() override;
    void write(const base::LogEvent& event) override;

  private:
    explicit LogFile(LogFileOptions options, int descriptor);
    void serve();
    void put(const std::string& lines);

    LogFileOptions options_;
    base::SystemClock clock_;
    int descriptor_;
    std::uint64_t octets_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string pending_;
    std::uint64_t dropped_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

/// An event as a JSON line without its end.
[[nodiscard]] std::string to_json(const base::LogEvent& event, WallTime now);

/// Lines of the log (and its older files) that hold `text`, with all other lines of the messages
/// that those are about, in order; with an empty `text` the last ones. At most `lines_max`. Blocks.
Result<std::vector<std::string>> trace_log(const std::string& path, const std::string& text,
                                           std::size_t lines_max = 1000);

} // namespace mailcore::server
