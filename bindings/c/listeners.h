// A program's functions that are told of events, as the library's sinks.
#pragma once

#include "bindings/c/mailcore.h"

#include "libmailcore/base/log.h"
#include "libmailcore/store/store.h"

#include <mutex>
#include <string>

namespace mailcore::c {

/// Calls them one at a time. Any thread.
class Listeners final : public base::LogSink {
  public:
    /// Either may be NULL.
    Listeners(mailcore_event_fn on_log, mailcore_event_fn on_change, void* context)
        : on_log_(on_log), on_change_(on_change), context_(context) {}

    void write(const base::LogEvent& event) override;
    void changed(const store::Change& change);
    [[nodiscard]] bool wants_changes() const { return on_change_ != nullptr; }

  private:
    void tell(mailcore_event_fn function, const std::string& event);

    const mailcore_event_fn on_log_;
    const mailcore_event_fn on_change_;
    void* const context_; // the program's
    base::SystemClock clock_;
    std::mutex mutex_; // held while a function runs
};

} // namespace mailcore::c
