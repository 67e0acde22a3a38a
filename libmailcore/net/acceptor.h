// All that is accepted: listeners, ceilings, and the connections of every loop until they end.
#pragma once

#include "libmailcore/base/memory_gate.h"
#include "libmailcore/base/strong.h"
#include "libmailcore/base/task.h"
#include "libmailcore/net/connection.h"
#include "libmailcore/net/dialogue_factory.h"
#include "libmailcore/net/listener.h"
#include "libmailcore/net/tls_server.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::net {

/// Loop and serial number in one; never used twice.
using ConnectionId = base::Strong<struct ConnectionIdTag>;
using ListenerId = base::Strong<struct ListenerIdTag>;

/// What is spoken at an endpoint. Immutable while something listens for it.
struct Service {
    std::string name; ///< for logs and lists: "smtp", "imaps"
    std::shared_ptr<DialogueFactory> factory;
    /// Certificates. Absent: its engines never ask for TLS, and `implicit_tls` is false.
    std::shared_ptr<TlsServer> tls;
    tls::ServiceSettings tls_settings;
    bool implicit_tls = false;
    /// Every connection begins with a PROXY header. Only for endpoints that nobody but the proxy
    /// can reach.
    bool proxy_header = false;
    /// Taken above every ceiling too, for who must look what is wrong. Only for endpoints that
    /// strangers cannot reach.
    bool reserved = false;
    ConnectionOptions connection;
};

struct AcceptorOptions {
    std::size_t connections_max = 20'000;
    /// Of one IPv4 address or one IPv6 /64. UNIX sockets, pipes and the addresses of proxies are
    /// not counted.
    std::size_t connections_per_address_max = 200;
    /// Octets of heap of one connection; above, it is told goodbye. The engines have limits of
    /// their own, which add up to less: this one is for what nobody thought of.
    std::size_t connection_memory_max = 16 * 1024 * 1024;
    /// Asked before a connection is taken; while it has an excess, those who hold most are told
    /// goodbye (at least `worth_shedding` octets each: who is idle stays). Absent: no ceiling.
    /// Outlives the acceptor.
    base::MemoryGate* memory = nullptr;
    std::size_t worth_shedding = 64 * 1024;
    /// How often that is looked at, while there are connections.
    std::chrono::milliseconds watch_time{500};
    /// How long who was told goodbye may take to leave.
    std::chrono::milliseconds goodbye_time{5'000};
};

/// What is known about one connection at one moment.
struct ConnectionFacts {
    ConnectionId id;
    std::string service;
    PeerInfo peer;
    WallTime since;
    std::uint64_t received = 0; ///< octets, TLS included
    std::uint64_t sent = 0;
    std::size_t memory = 0; ///< octets of heap beyond the objects themselves
};

/// Listens, spreads what comes over loops (each connection to the loop with the fewest), refuses
/// above ceilings, and ends all of it in order.
///
/// Functions may be called from any thread, also while the loops do not run yet; what they cause
/// happens on the loops. Destroyed when no loop runs, before the loops.
class Acceptor {
  public:
    Acceptor(std::vector<Loop*> loops, AcceptorOptions options = {}, Log log = {});
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    struct Listening {
        ListenerId id;
        PeerInfo bound; ///< local address and port
    };
    /// Binds now, so that what is wrong is known now, and accepts as soon as the loop runs.
    Result<Listening> listen(const Endpoint& endpoint, std::shared_ptr<const Service> service);
    /// The same for a socket that is open already (bound as root, before privileges were dropped).
    Listening listen(ListeningSocket socket, std::shared_ptr<const Service> service);
    /// Closes one listener; its connections go on.
    void stop_listening(ListenerId listener);

    /// Takes over a transport that lives on loop number `loop`; that loop's thread only.
    void adopt(std::size_t loop, std::unique_ptr<Transport> transport, PeerInfo peer,
               std::shared_ptr<const Service> service);

    /// Closes all listeners, tells all dialogues to say goodbye, and closes what is left after
    /// `within`. `done` runs on some loop when nothing is left. Once.
    void drain(std::chrono::milliseconds within, Work done);
    /// Says goodbye to one; an id of the past is ignored.
    void shut_down(ConnectionId connection, base::ShutdownReason reason);

    [[nodiscard]] std::size_t connections() const;
    /// Connections since the start, and those that a ceiling kept out or ended.
    struct Counts {
        std::uint64_t accepted = 0;
        std::uint64_t refused_total = 0;   ///< `connections_max`
        std::uint64_t refused_address = 0; ///< `connections_per_address_max`
        std::uint64_t refused_memory = 0;
        std::uint64_t ended_too_large = 0; ///< `connection_memory_max`
        std::uint64_t ended_memory = 0;    ///< so that the process stays below its ceiling
    };
    [[nodiscard]] Counts counts() const;
    /// All connections, loop by loop.
    Task<std::vector<ConnectionFacts>> list();

  private:
    class Room;
    struct Ceilings;
    friend class Room;

    void hand_over(detail::Descriptor socket, std::shared_ptr<const Service> service);
    [[nodiscard]] Room& least_loaded();
    void room_empty();

    std::unique_ptr<Ceilings> ceilings_;
    Log log_;
    std::vector<std::unique_ptr<Room>> rooms_; // one a loop
    std::atomic<std::uint64_t> last_listener_ = 0;
    std::atomic<std::size_t> rooms_to_empty_ = 0;
    Work drained_;
};

} // namespace mailcore::net
