#include "libmailcore/base/task.h"

#include <algorithm>

namespace mailcore::base {

namespace detail {

Strand::~Strand() {
    MAILCORE_ASSERT(!running_);
    if (root_) root_.destroy();
}

void Strand::start(std::coroutine_handle<> root, PromiseBase& promise) {
    root_ = root;
    root_promise_ = &promise;
    resume(root);
}

void Strand::resume(std::coroutine_handle<> frame) {
    MAILCORE_ASSERT(!running_);
    const auto keep = shared_from_this();
    running_ = true;
    for (ready_ = frame; ready_;) std::exchange(ready_, {}).resume();
    running_ = false;
    const bool done = root_.done();
    if (!done && !cancelled_) return;
    const auto exception = done ? root_promise_->exception : nullptr;
    std::exchange(root_, {}).destroy();
    if (owner_) std::exchange(owner_, nullptr)->ended(*this);
    if (exception) std::rethrow_exception(exception);
}

void Strand::cancel() {
    cancelled_ = true;
    if (running_ || !root_) return;
    std::exchange(root_, {}).destroy();
}

} // namespace detail

Scope::~Scope() {
    when_empty_ = nullptr;
    for (const auto& strand : strands_) {
        MAILCORE_ASSERT(!strand->running());
        strand->owner_ = nullptr;
    }
    // A frame's destructors may look at this scope: it is empty for them.
    const auto strands = std::exchange(strands_, {});
    for (const auto& strand : strands) strand->cancel();
}

void Scope::spawn(Task<void> task) {
    auto strand = std::make_shared<detail::Strand>(scheduler_, this);
    auto frame = std::exchange(task.frame_, {});
    frame.promise().strand = strand.get();
    strands_.push_back(strand);
    strand->start(frame, frame.promise());
}

void Scope::cancel() {
    const auto strands = strands_;
    for (const auto& strand : strands) {
        if (strand->running()) {
            strand->cancel();
            continue;
        }
        std::erase(strands_, strand);
        strand->owner_ = nullptr;
        strand->cancel();
    }
}

void Scope::ended(detail::Strand& strand) {
    std::erase_if(strands_, [&](const auto& each) { return each.get() == &strand; });
    if (strands_.empty() && when_empty_) when_empty_();
}

} // namespace mailcore::base
