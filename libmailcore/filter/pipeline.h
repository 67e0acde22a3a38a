// Filters in their order, with a time limit each.
#pragma once

#include "libmailcore/base/clock.h"
#include "libmailcore/filter/filter.h"

#include <array>
#include <chrono>
#include <memory>
#include <vector>

namespace mailcore::filter {

struct PipelineEntry {
    std::shared_ptr<Filter> filter;
    OnFailure on_failure = OnFailure::Open;
    std::chrono::milliseconds time_max{10'000}; ///< of one judgement; then it counts as failed
};

/// Asks the filters of a stage one after the other. Immutable: a reload makes a new one and swaps
/// the pointer; a judgement that is under way keeps the filters that it began with, even if the
/// pipeline goes. Loop thread only, as its filters.
class Pipeline {
  public:
    Pipeline() = default;
    Pipeline(std::vector<PipelineEntry> entries, Log log);

    /// True if anybody wants to be asked: lets a caller skip preparing a context.
    [[nodiscard]] bool wants(Stage stage) const;
    /// The first verdict that is not Continue, with the name of who said it; Continue if there is
    /// none. `context` must outlive the task. Edits of a filter that failed or ran out of time are
    /// undone.
    Task<Verdict> judge(Stage stage, Context& context) const;

  private:
    using ByStage = std::array<std::vector<PipelineEntry>, stages>;
    static Task<Verdict> ask(std::shared_ptr<const ByStage> by_stage, Log log, Stage stage,
                             Context& context);
    std::shared_ptr<const ByStage> by_stage_; // absent: no filters
    Log log_;
};

} // namespace mailcore::filter
