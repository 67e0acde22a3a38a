// Structured events: what happened, with stable names, from which text logs and metrics are made.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/base/strong.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace mailcore::base {

/// Follows one message from its acceptance to its last delivery. Random, never 0 when set.
using TraceId = Strong<struct TraceIdTag>;

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

[[nodiscard]] std::string_view to_string(LogLevel level);

/// One fact of an event. Holds views: valid during the call that it is passed to.
struct LogField {
    using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, bool>;
    std::string_view name;
    Value value;

    LogField(std::string_view field, std::string_view text) : name(field), value(text) {}
    LogField(std::string_view field, const char* text)
        : name(field), value(std::string_view(text)) {}
    LogField(std::string_view field, const std::string& text)
        : name(field), value(std::string_view(text)) {}
    LogField(std::string_view field, bool flag) : name(field), value(flag) {}
    template <std::signed_integral N>
    LogField(std::string_view field, N number)
        : name(field), value(static_cast<std::int64_t>(number)) {}
    template <std::unsigned_integral N>
    requires(!std::same_as<N, bool>) LogField(std::string_view field, N number)
        : name(field), value(static_cast<std::uint64_t>(number)) {}
    template <class Tag>
    LogField(std::string_view field, Strong<Tag, std::uint64_t> id)
        : name(field), value(id.value) {}
};

/// What happened. `id` is stable, lower case, dotted from general to particular
/// ("smtp.rcpt.refused"). Never a secret: type Secret has no conversion to a field.
struct LogEvent {
    LogLevel level;
    std::string_view id;
    TraceId trace; // 0: no message is concerned
    std::span<const LogField> fields;
};

/// Where events go: a text writer, a journal of traces, a counter, a test. Any thread.
class LogSink {
  public:
    virtual ~LogSink() = default;
    virtual void write(const LogEvent& event) = 0;
};

/// What code that has something to tell is given. A small value; the sink outlives it. Any thread.
class Log {
  public:
    /// Tells nobody.
    Log() = default;
    explicit Log(LogSink& sink, LogLevel least = LogLevel::Info) : sink_(&sink), least_(least) {}

    [[nodiscard]] bool wants(LogLevel level) const { return sink_ && level >= least_; }
    void write(LogLevel level, std::string_view id, std::initializer_list<LogField> fields,
               TraceId trace = {}) const {
        sink_->write(LogEvent{level, id, trace, {fields.begin(), fields.size()}});
    }

  private:
    LogSink* sink_ = nullptr; // absent: silent
    LogLevel least_ = LogLevel::Error;
};

/// An event as one line: `warning smtp.rcpt.refused trace=0123456789abcdef recipient="a b"
/// code=550`. Control octets and quotes in values are escaped, so that one event is always one
/// line.
[[nodiscard]] std::string to_text(const LogEvent& event);

} // namespace mailcore::base

namespace mailcore {
using base::Log;
using base::TraceId;
} // namespace mailcore

/// `MAILCORE_LOG(log, Info, "queue.delivered", {{"host", host}, {"took_ms", ms}}, trace);`
/// The fields are not evaluated when nobody wants the level.
#define MAILCORE_LOG(log, level, ...)                                                              \
    do {                                                                                           \
        if ((log).wants(::mailcore::base::LogLevel::level))                                        \
            (log).write(::mailcore::base::LogLevel::level, __VA_ARGS__);                           \
    } while (false)
