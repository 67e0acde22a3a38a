// c-ares on a loop: a query's octets out, a response's octets in.
#pragma once

#include "libmailcore/base/task.h"
#include "libmailcore/net/detail/poll.h"
#include "libmailcore/net/resolver.h"

#include <map>
#include <memory>
#include <string>

struct ares_channeldata;

namespace mailcore::net::detail {

/// One configuration of servers with its sockets. Destroying it fails what is under way. Loop
/// thread only.
class AresChannel {
  public:
    using Answered = base::Completion<Result<std::string>>;

    static Result<std::shared_ptr<AresChannel>> create(Loop& loop, const ResolverOptions& options);
    ~AresChannel();
    AresChannel(const AresChannel&) = delete;
    AresChannel& operator=(const AresChannel&) = delete;

    /// Sends a query that `dns::write_message` has made. SERVFAIL, NOTIMP and REFUSED go to the
    /// next server; a truncated answer is asked for again over TCP. Unavailable if no server gives
    /// another answer.
    void send(std::string_view query, Answered::Completer completer);
    [[nodiscard]] bool only_loopback() const { return only_loopback_; }

  private:
    class Socket;
    friend class Socket;

    explicit AresChannel(Loop& loop);
    void socket_changed(int socket, bool readable, bool writable);
    void process(int readable, int writable);
    void arm();

    Loop& loop_;
    ares_channeldata* channel_ = nullptr;
    std::map<int, std::unique_ptr<Socket>> sockets_;
    TimerId timer_;
    bool only_loopback_ = false;
};

} // namespace mailcore::net::detail
