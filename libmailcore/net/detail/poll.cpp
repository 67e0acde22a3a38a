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
    wanted_ = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    const bool more = (wanted_ & ~watched_) != 0;
    // There is nearly always room to send; what there is to receive may well be wanted again before
    // it comes.
    const bool tells_at_once = (watched_ & ~wanted_ & UV_WRITABLE) != 0;
    if (more || tells_at_once) apply();
}

void Poll::apply() {
    watched_ = wanted_;
    const auto told = [](uv_poll_t* handle, int status, int ready) {
        static_cast<Poll*>(handle->data)->told(status, ready);
    };
    const int error = watched_ ? uv_poll_start(handle_, watched_, told) : uv_poll_stop(handle_);
    MAILCORE_ASSERT(error == 0);
}

void Poll::told(int status, int ready) {
    if (status < 0) {
        watched_ = 0; // libuv has stopped
        ready = UV_READABLE | UV_WRITABLE;
    } else if ((ready & ~wanted_) != 0) {
        apply();
    }
    ready &= wanted_;
    if (ready == 0) return;
    guarded(loop_.log(), "net.poll.failed", [&] {
        owner_.polled((ready & UV_READABLE) != 0, (ready & UV_WRITABLE) != 0);
    });
}

} // namespace mailcore::net::detail
