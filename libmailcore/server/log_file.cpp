#include "libmailcore/server/log_file.h"

#include "libmailcore/base/overloaded.h"
#include "libmailcore/codec/utf8.h"
#include "libmailcore/mime/date.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <fmt/format.h>
#include <iterator>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace mailcore::server {

namespace {

constexpr std::size_t pending_octets_max = 8 * 1024 * 1024;

void append_string(std::string& out, std::string_view text) {
    out += '"';
    for (const unsigned char octet : text) {
        if (octet == '"' || octet == '\\') {
            out += '\\';
            out += static_cast<char>(octet);
        } else if (octet < 0x20 || octet == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", octet);
        } else {
            out += static_cast<char>(octet);
        }
    }
    out += '"';
}

int open_append(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

} // namespace

std::string to_json(const base::LogEvent& event, WallTime now) {
    std::string out;
    const auto micros = now.time_since_epoch().count() % 1'000'000;
    auto time = mime::format_utc(now); // "2003-07-01T08:52:37Z"
    time.insert(time.size() - 1, fmt::format(".{:06}", micros < 0 ? 0 : micros));
    fmt::format_to(std::back_inserter(out), "{{\"time\":\"{}\",\"level\":\"{}\",\"event\":\"{}\"",
                   time, base::to_string(event.level), event.id);
    if (event.trace.value != 0)
        fmt::format_to(std::back_inserter(out), ",\"trace\":\"{:016x}\"", event.trace.value);
    for (const auto& field : event.fields) {
        out += ",\"";
        out += field.name;
        out += "\":";
        std::visit(overloaded{[&](std::string_view text) {
                                  append_string(out, codec::is_utf8(text)
                                                         ? std::string(text)
                                                         : codec::sanitised_utf8(text));
                              },
                              [&](bool flag) { out += flag ? "true" : "false"; },
                              [&](auto number) { out += std::to_string(number); }},
                   field.value);
    }
    return out + "}";
}

Result<std::unique_ptr<LogFile>> LogFile::open(LogFileOptions options) {
    const int descriptor = open_append(options.path);
    if (descriptor < 0) return base::fail_errno(errno, "opening the log", options.path);
    return std::unique_ptr<LogFile>(new LogFile(std::move(options), descriptor));
}

LogFile::LogFile(LogFileOptions options, int descriptor)
    : options_(std::move(options)), descriptor_(descriptor) {
    struct stat status {};
    if (::fstat(descriptor_, &status) == 0) octets_ = static_cast<std::uint64_t>(status.st_size);
    thread_ = std::thread([this] { serve(); });
}

LogFile::~LogFile() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
    ::close(descriptor_);
}

void LogFile::write(const base::LogEvent& event) {
    auto line = to_json(event, clock_.wall_now());
    bool first = false;
    {
        const std::scoped_lock lock(mutex_);
        if (pending_.size() > pending_octets_max) {
            ++dropped_;
            return;
        }
        if (dropped_ > 0) {
            line.insert(line.size() - 1, fmt::format(",\"dropped_before\":{}", dropped_));
            dropped_ = 0;
        }
        first = pending_.empty();
        pending_ += line;
        pending_ += '\n';
    }
    if (first) changed_.notify_one();
}

void LogFile::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
        if (pending_.empty()) return;
        std::string lines;
        lines.swap(pending_);
        lock.unlock();
        put(lines);
        lock.lock();
    }
}

void LogFile::put(const std::string& lines) {
    for (std::size_t at = 0; at < lines.size();) {
        const auto count = ::write(descriptor_, lines.data() + at, lines.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return; // a full disk must not stop mail: these lines are lost
        at += static_cast<std::size_t>(count);
    }
    octets_ += lines.size();
    if (octets_ < options_.octets_max) return;
    for (auto i = options_.files_max; i > 1; --i)
        std::rename(fmt::format("{}.{}", options_.path, i - 1).c_str(),
                    fmt::format("{}.{}", options_.path, i).c_str());
    std::rename(options_.path.c_str(), (options_.path + ".1").c_str());
    const int next = open_append(options_.path);
    if (next < 0) return;
    ::close(descriptor_);
    descriptor_ = next;
    octets_ = 0;
}

namespace {

/// Calls `function` with each line of the log, the oldest file first.
template <class Function>
void for_each_line(const std::string& path, Function function) {
    constexpr int files_looked_at = 64;
    for (int i = files_looked_at; i >= 0; --i) {
        const auto name = i == 0 ? path : fmt::format("{}.{}", path, i);
        std::FILE* file = std::fopen(name.c_str(), "re");
        if (!file) continue;
        std::string line;
        for (int c; (c = std::getc(file)) != EOF;) {
            if (c != '\n') {
                line += static_cast<char>(c);
                continue;
            }
            function(line);
            line.clear();
        }
        std::fclose(file);
    }
}

std::string trace_of(const std::string& line) {
    static constexpr std::string_view mark = "\"trace\":\"";
    const auto at = line.find(mark);
    return at == std::string::npos ? std::string() : line.substr(at + mark.size(), 16);
}

} // namespace

Result<std::vector<std::string>> trace_log(const std::string& path, const std::string& text,
                                           std::size_t lines_max) {
    std::set<std::string> traces;
    constexpr std::size_t traces_max = 1000;
    if (!text.empty())
        for_each_line(path, [&](const std::string& line) {
            if (!line.contains(text)) return;
            if (auto trace = trace_of(line); !trace.empty() && traces.size() < traces_max)
                traces.insert(std::move(trace));
        });
    std::deque<std::string> lines;
    for_each_line(path, [&](const std::string& line) {
        if (!text.empty() && !line.contains(text) && !traces.contains(trace_of(line))) return;
        lines.push_back(line);
        if (lines.size() > lines_max) lines.pop_front();
    });
    return std::vector<std::string>(lines.begin(), lines.end());
}

} // namespace mailcore::server
