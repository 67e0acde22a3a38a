#include "libmailcore/store/detail/outbox.h"

#include <algorithm>
#include <iterator>

namespace mailcore::store::detail {

namespace {

/// Runs a list of work; what an exception leaves over is posted again.
class Run {
  public:
    Run(Scheduler& scheduler, std::vector<Work> work)
        : scheduler_(&scheduler), work_(std::move(work)) {}
    Run(Run&& other) noexcept
        : scheduler_(other.scheduler_), work_(std::exchange(other.work_, {})),
          next_(std::exchange(other.next_, 0)) {}
    Run& operator=(Run&&) = delete;

    void operator()() {
        struct Rest {
            Run& run;
            explicit Rest(Run& r) : run(r) {}
            ~Rest() {
                if (run.next_ < run.work_.size()) run.scheduler_->post(std::move(run));
            }
        };
        const Rest rest(*this);
        while (next_ < work_.size()) std::exchange(work_[next_++], nullptr)();
    }

  private:
    Scheduler* scheduler_;
    std::vector<Work> work_;
    std::size_t next_ = 0;
};

} // namespace

void Outbox::add(Scheduler& scheduler, Work work) {
    auto found = std::ranges::find(letters_, &scheduler, &decltype(letters_)::value_type::first);
    if (found == letters_.end())
        found = letters_.emplace(letters_.end(), &scheduler, std::vector<Work>());
    found->second.push_back(std::move(work));
}

void Outbox::send() {
    for (auto& [scheduler, work] : letters_) scheduler->post(Run(*scheduler, std::move(work)));
    letters_.clear();
}

} // namespace mailcore::store::detail
