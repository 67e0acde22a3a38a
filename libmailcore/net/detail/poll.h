// Watching one descriptor on a loop.
#pragma once

#include "libmailcore/net/loop.h"

#include <functional>
#include <memory>

struct uv_poll_s;

namespace mailcore::net::detail {

/// Tells when a descriptor can be read or written without waiting, again and again while it is so.
/// Does not own the descriptor, which stays open until this is destroyed. Loop thread only.
class Poll {
  public:
    class Owner {
      public:
        /// A descriptor with an error is both: reading or writing will tell.
        virtual void polled(bool readable, bool writable) = 0;

      protected:
        ~Owner() = default;
    };

    /// Fails for what cannot be watched, and without memory.
    static Result<std::unique_ptr<Poll>> create(Loop& loop, int descriptor, Owner& owner);
    ~Poll();
    Poll(const Poll&) = delete;
    Poll& operator=(const Poll&) = delete;

    /// Replaces what was asked. To stop asking for what can be read costs nothing until something
    /// can: most connections ask for it again first.
    void watch(bool readable, bool writable);

  private:
    Poll(Loop& loop, Owner& owner) : loop_(loop), owner_(owner) {}
    void apply();
    void told(int status, int ready);

    Loop& loop_;
    Owner& owner_;
    uv_poll_s* handle_ = nullptr; // libuv's until its close callback, which frees it
    int wanted_ = 0, watched_ = 0; // by libuv: at least what is wanted, after an error nothing
};

} // namespace mailcore::net::detail
