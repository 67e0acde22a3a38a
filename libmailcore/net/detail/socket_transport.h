// A connected socket as a Transport.
#pragma once

#include "libmailcore/net/detail/descriptor.h"
#include "libmailcore/net/detail/poll.h"
#include "libmailcore/net/transport.h"

namespace mailcore::net::detail {

class SocketTransport final : public Transport, private Poll::Owner {
  public:
    /// `socket` is a connected stream and does not block.
    static Result<std::unique_ptr<SocketTransport>> create(Loop& loop, Descriptor socket);

    Moved receive(std::span<char> into) override;
    Moved send(std::span<const std::string_view> pieces) override;
    void finish_sending() override;
    void watch(Watcher& watcher, bool readable, bool writable) override;

  private:
    explicit SocketTransport(Descriptor socket) : socket_(std::move(socket)) {}
    void polled(bool readable, bool writable) override;

    Descriptor socket_;
    std::unique_ptr<Poll> poll_; // behind the socket: it is closed first
    Watcher* watcher_ = nullptr;
};

} // namespace mailcore::net::detail
