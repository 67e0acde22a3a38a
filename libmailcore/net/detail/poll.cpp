#include "libmailcore/net/detail/poll.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/net/detail/guarded.h"

#include <uv.h>

namespace mailcore::net::detail {

Result<std::unique_ptr<Poll>> Poll::create(Loop& loop, int descriptor, Owner& owner) {
    auto handle = std::make_unique<uv_poll_t>();
    if (const int error = uv_poll_init(loop.native(), handle.get(), descriptor))
        return base::fail_errno(-error, "cannot watch a descriptor");
    auto poll = std::unique_ptr<Poll>(new Poll(loop, owner));
    poll->handle_ = handle.release();
    poll->handle_->data = poll.get();
    return poll;
}

Poll::~Poll() {
    uv_poll_stop(handle_);
    uv_close(reinterpret_cast<uv_handle_t*>(handle_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
}

void Poll::watch(bool readable, bool writable) {
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == events_) return;
    events_ = events;
    const auto told = [](uv_poll_t* handle, int status, int ready) {
        auto& self = *static_cast<Poll*>(handle->data);
        // After an error libuv has stopped watching.
        if (status < 0) self.events_ = 0;
        const bool broken = status < 0;
        guarded(self.loop_.log(), "net.poll.failed", [&] {
            self.owner_.polled(broken || (ready & UV_READABLE) != 0,
                               broken || (ready & UV_WRITABLE) != 0);
        });
    };
    const int error = events ? uv_poll_start(handle_, events, told) : uv_poll_stop(handle_);
    MAILCORE_ASSERT(error == 0);
}

} // namespace mailcore::net::detail
