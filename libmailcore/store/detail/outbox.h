// What a batch has to tell, gathered into one work item a scheduler.
#pragma once

#include "libmailcore/base/scheduler.h"

#include <utility>
#include <vector>

namespace mailcore::store::detail {

/// Work for several schedulers. One thread; what is sent runs in the order of adding.
class Outbox {
  public:
    void add(Scheduler& scheduler, Work work);
    /// Posts everything, one item a scheduler, and is empty again.
    void send();

  private:
    std::vector<std::pair<Scheduler*, std::vector<Work>>> letters_;
};

} // namespace mailcore::store::detail
