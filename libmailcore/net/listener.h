// One listening socket on one loop.
#pragma once

#include "libmailcore/base/peer.h"
#include "libmailcore/net/detail/descriptor.h"
#include "libmailcore/net/detail/poll.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace mailcore::net {

struct TcpEndpoint {
    IpAddress address;      ///< "0.0.0.0" takes IPv4 only and "::" IPv6 only: listen on both
    std::uint16_t port = 0; ///< 0: the kernel's choice
};
struct UnixEndpoint {
    std::string path;          ///< a socket that nobody listens on any more is replaced
    std::uint32_t mode = 0660; ///< who may connect
};
/// A socket that listens already, from the service manager or an embedder. It is taken over.
struct GivenEndpoint {
    int descriptor = -1;
};
using Endpoint = std::variant<TcpEndpoint, UnixEndpoint, GivenEndpoint>;

/// A socket that listens. Connections wait in the kernel until a Listener takes them. Any thread.
class ListeningSocket {
  public:
    /// Conflict: the port or path is in use. Rejected: not allowed, or not an address of this
    /// machine.
    static Result<ListeningSocket> open(const Endpoint& endpoint, int backlog = 511);
    ListeningSocket(ListeningSocket&&) = default;
    ListeningSocket& operator=(ListeningSocket&&) = default;
    /// Removes a UNIX socket that `open` made.
    ~ListeningSocket();

    /// Address and port as bound (UNIX: only the transport).
    [[nodiscard]] const PeerInfo& bound() const { return bound_; }
    /// "192.0.2.1:25", "[::]:25", or the path.
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] int descriptor() const { return socket_.number(); }

  private:
    ListeningSocket() = default;
    detail::Descriptor socket_;
    PeerInfo bound_;
    std::string path_; // to remove; empty: none
};

/// Accepts from a socket and hands over what came. Without descriptors or memory it waits half a
/// second at a time instead of spinning, and says so when that begins and when it is over; what
/// came stays in the backlog. Loop thread only.
class Listener final : private detail::Poll::Owner {
  public:
    class Owner {
      public:
        virtual void accepted(Listener& listener, detail::Descriptor socket) = 0;

      protected:
        ~Owner() = default;
    };

    static Result<std::unique_ptr<Listener>> create(Loop& loop, ListeningSocket socket,
                                                    Owner& owner);
    ~Listener();

    [[nodiscard]] const ListeningSocket& socket() const { return socket_; }

  private:
    Listener(Loop& loop, ListeningSocket socket, Owner& owner)
        : loop_(loop), socket_(std::move(socket)), owner_(owner) {}
    void polled(bool readable, bool writable) override;
    void pause(int error);
    void end_shortage();

    Loop& loop_;
    ListeningSocket socket_;
    std::unique_ptr<detail::Poll> poll_;
    Owner& owner_;
    TimerId pause_;

    struct Shortage {
        Instant since;
        bool told = false;
    };
    std::optional<Shortage> shortage_;
    std::optional<Instant> told_; // of the last that was
};

} // namespace mailcore::net
