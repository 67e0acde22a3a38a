#include "libmailcore/net/detail/ares_channel.h"

#include "libmailcore/net/detail/guarded.h"
#include "libmailcore/net/detail/socket.h"

// Of 1.34 deprecated, of 1.18 (Debian 12) the only way.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/inet.h>
#include <array>
#include <cstring>

namespace mailcore::net::detail {

namespace {

std::string to_csv(const std::vector<NameServer>& servers) {
    std::string csv;
    for (const auto& server : servers) {
        if (!csv.empty()) csv += ',';
        csv += to_text(server.address, server.port);
    }
    return csv;
}

IpAddress address_of(const ares_addr_port_node& node) {
    if (node.family == AF_INET) {
        std::array<std::uint8_t, 4> octets{};
        std::memcpy(octets.data(), &node.addr.addr4, octets.size());
        return IpAddress::v4(octets);
    }
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &node.addr.addr6, octets.size());
    return IpAddress::v6(octets);
}

bool all_loopback(ares_channel channel) {
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS || !servers) return false;
    bool all = true;
    for (const auto* each = servers; each; each = each->next)
        all = all && address_of(*each).is_loopback();
    ares_free_data(servers);
    return all;
}

} // namespace

/// A socket of c-ares's, watched as it asks.
class AresChannel::Socket final : private Poll::Owner {
  public:
    Socket(AresChannel& channel, int socket) : channel_(channel), socket_(socket) {
        auto poll = Poll::create(channel.loop_, socket, *this);
        // Without it the query ends by its timeout.
        if (poll) poll_ = *std::move(poll);
    }
    void watch(bool readable, bool writable) {
        if (poll_) poll_->watch(readable, writable);
    }

  private:
    void polled(bool readable, bool writable) override {
        // c-ares may close the socket and so destroy this.
        channel_.process(readable ? socket_ : ARES_SOCKET_BAD,
                         writable ? socket_ : ARES_SOCKET_BAD);
    }
    AresChannel& channel_;
    int socket_;
    std::unique_ptr<Poll> poll_;
};

AresChannel::AresChannel(Loop& loop) : loop_(loop) {}

// ares_library_init only matters on Windows, and is a global.
Result<std::shared_ptr<AresChannel>> AresChannel::create(Loop& loop,
                                                         const ResolverOptions& options) {
    auto self = std::shared_ptr<AresChannel>(new AresChannel(loop));
    ares_options ares{};
    // EDNS: takes UDP answers above 512 octets for what they are. It also takes the last 11 octets,
    // our OPT, off the query when a server answers FORMERR.
    ares.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    ares.ednspsz = dns::udp_octets_offered;
    ares.timeout = static_cast<int>(options.timeout.count());
    ares.tries = options.tries;
    ares.sock_state_cb_data = self.get();
    ares.sock_state_cb = [](void* data, ares_socket_t socket, int readable, int writable) {
        static_cast<AresChannel*>(data)->socket_changed(socket, readable != 0, writable != 0);
    };
    auto path = options.resolv_conf;
    ares.resolvconf_path = path.data();
    const int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                     ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    int status = ares_init_options(&self->channel_, &ares, mask);
    if (status == ARES_SUCCESS && !options.servers.empty())
        status = ares_set_servers_ports_csv(self->channel_, to_csv(options.servers).c_str());
    if (status != ARES_SUCCESS)
        return fail(ErrorKind::Rejected,
                    std::string("cannot set up the DNS resolver: ") + ares_strerror(status));
    self->only_loopback_ = all_loopback(self->channel_);
    return self;
}

AresChannel::~AresChannel() {
    loop_.cancel_timer(timer_);
    if (channel_) ares_destroy(channel_);
}

void AresChannel::send(std::string_view query, Answered::Completer completer) {
    const auto answered = [](void* argument, int status, int, unsigned char* octets, int size) {
        const std::unique_ptr<Answered::Completer> to(static_cast<Answered::Completer*>(argument));
        if (status == ARES_SUCCESS)
            to->complete(
                std::string(reinterpret_cast<const char*>(octets), static_cast<std::size_t>(size)));
        else
            to->complete(fail(ErrorKind::Unavailable, ares_strerror(status)));
    };
    auto argument = std::make_unique<Answered::Completer>(std::move(completer));
    ares_send(channel_, reinterpret_cast<const unsigned char*>(query.data()),
              static_cast<int>(query.size()), answered, argument.release());
    arm();
}

void AresChannel::socket_changed(int socket, bool readable, bool writable) {
    guarded(loop_.log(), "net.dns.failed", [&] {
        if (!readable && !writable) {
            sockets_.erase(socket);
            return;
        }
        auto& watched = sockets_[socket];
        if (!watched) watched = std::make_unique<Socket>(*this, socket);
        watched->watch(readable, writable);
    });
}

void AresChannel::process(int readable, int writable) {
    ares_process_fd(channel_, readable, writable);
    arm();
}

void AresChannel::arm() {
    loop_.cancel_timer(timer_);
    timeval wait{};
    if (!ares_timeout(channel_, nullptr, &wait)) return;
    const auto at = loop_.now() + std::chrono::seconds(wait.tv_sec) +
                    std::chrono::microseconds(wait.tv_usec) + std::chrono::milliseconds(1);
    timer_ = loop_.start_timer(at, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
}

} // namespace mailcore::net::detail
