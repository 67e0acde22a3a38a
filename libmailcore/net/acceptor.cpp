#include "libmailcore/net/acceptor.h"

#include "libmailcore/base/assert.h"
#include "libmailcore/net/detail/socket.h"
#include "libmailcore/net/detail/socket_transport.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

namespace mailcore::net {

namespace {

constexpr unsigned serial_bits = 48;

std::size_t loop_of(ConnectionId id) { return static_cast<std::size_t>(id.value >> serial_bits); }

/// Whoever has one address of an IPv6 /64 has them all.
IpAddress network_of(const IpAddress& address) {
    if (address.is_v4()) return address;
    std::array<std::uint8_t, 16> octets{};
    std::copy_n(address.octets().begin(), 8, octets.begin());
    return IpAddress::v6(octets);
}

} // namespace

/// How many connections there are, in all and by address. Any thread.
struct Acceptor::Ceilings {
    explicit Ceilings(AcceptorOptions limits) : options(limits) {}

    /// One more, of this address if that is counted; false: a ceiling is reached.
    bool take(const std::optional<IpAddress>& address, bool reserved) {
        const bool memory = reserved || !options.memory ||
                            options.memory->admits(base::MemoryGate::Admission::Connection);
        const std::scoped_lock lock(mutex);
        if (!reserved) {
            if (!memory) return refuse(counts.refused_memory);
            if (total >= options.connections_max) return refuse(counts.refused_total);
        }
        if (address && !count_address(*address)) return refuse(counts.refused_address);
        ++total;
        ++counts.accepted;
        return true;
    }
    static bool refuse(std::uint64_t& count) {
        ++count;
        return false;
    }
    /// One that is counted already turns out to be of this address.
    bool take_address(const IpAddress& address) {
        const std::scoped_lock lock(mutex);
        return count_address(address) || refuse(counts.refused_address);
    }
    void give_back(const std::optional<IpAddress>& address) {
        const std::scoped_lock lock(mutex);
        --total;
        if (!address) return;
        const auto found = by_address.find(network_of(*address));
        if (--found->second == 0) by_address.erase(found);
    }

    bool count_address(const IpAddress& address) {
        auto& count = by_address[network_of(address)];
        if (count >= options.connections_per_address_max) return false;
        ++count;
        return true;
    }

    const AcceptorOptions options;
    mutable std::mutex mutex;
    std::size_t total = 0;
    Counts counts;
    std::map<IpAddress, std::size_t> by_address; // no larger than `total`
};

/// What an acceptor has on one loop. That loop's thread only, but for `load`.
class Acceptor::Room final : private Listener::Owner {
  public:
    Room(Acceptor& acceptor, Loop& loop, std::size_t index)
        : loop(loop), acceptor_(acceptor), last_serial_(std::uint64_t{index} << serial_bits) {}

    ~Room() {
        loop.cancel_timer(drain_timer_);
        loop.cancel_timer(watch_timer_);
    }

    Loop& loop;
    std::atomic<std::size_t> load = 0;

    void listen(ListenerId id, ListeningSocket socket, std::shared_ptr<const Service> service);
    void stop_listening(ListenerId id) { listeners_.erase(id); }
    /// `load` counts it already.
    void take(detail::Descriptor socket, std::shared_ptr<const Service> service);
    void take(std::unique_ptr<Transport> transport, PeerInfo peer,
              std::shared_ptr<const Service> service);
    void drain(Instant until);
    void shut_down(ConnectionId id, base::ShutdownReason reason);
    [[nodiscard]] std::vector<ConnectionFacts> list() const;

  private:
    struct Open;
    struct Entry;
    friend struct Entry;

    void accepted(Listener& listener, detail::Descriptor socket) override;
    void refuse(Transport& transport, const PeerInfo& peer, const Service& service);
    void remove(ConnectionId id);
    void watch();
    void look();
    void shed(Entry& entry, std::uint64_t Counts::*count);
    void close_all();
    void check_empty();

    Acceptor& acceptor_;
    std::uint64_t last_serial_;
    std::map<ListenerId, std::unique_ptr<Open>> listeners_;
    std::unordered_map<ConnectionId, std::unique_ptr<Entry>> entries_;
    bool draining_ = false;
    bool emptied_ = false;
    TimerId drain_timer_;
    TimerId watch_timer_;
    bool watching_ = false;
};

struct Acceptor::Room::Open {
    std::shared_ptr<const Service> service;
    std::unique_ptr<Listener> listener;
};

/// One connection with its dialogue.
struct Acceptor::Room::Entry final : private Connection::Owner {
    Entry(Room& in, ConnectionId connection_id, std::unique_ptr<Transport> transport, PeerInfo peer,
          std::shared_ptr<const Service> what)
        : room(in), id(connection_id), service(std::move(what)), since(in.loop.wall_now()),
          connection(in.loop, &in.loop, std::move(transport), std::move(peer), *this,
                     in.acceptor_.log_, service->connection) {}
    ~Entry() { room.acceptor_.ceilings_->give_back(counted); }

    base::Dialogue* begin(Connection&) override {
        dialogue = service->factory->create(room.loop, connection.peer(), connection);
        return dialogue.get();
    }
    std::optional<tls::Session> make_tls(Connection&, WallTime now) override {
        MAILCORE_ASSERT(service->tls); // an engine that offers TLS has been given it
        auto context = service->tls->context(room.loop);
        if (!context) {
            MAILCORE_LOG(room.acceptor_.log_, Error, "net.tls.unavailable",
                         {{"service", service->name}, {"error", context.error().detail}});
            return std::nullopt;
        }
        return tls::Session::accept(*std::move(context), service->tls_settings, now);
    }
    bool peer_named(Connection&) override {
        if (connection.peer().transport != PeerInfo::Transport::Tcp) return true;
        if (!room.acceptor_.ceilings_->take_address(connection.peer().address)) return false;
        counted = connection.peer().address;
        return true;
    }
    void ended(Connection&) override {
        if (!connection.failure().empty())
            MAILCORE_LOG(room.acceptor_.log_, Info, "net.connection.lost",
                         {{"service", service->name},
                          {"peer", connection.peer().address.to_string()},
                          {"reason", connection.failure()}});
        woken_after_end(connection);
    }
    void woken_after_end(Connection&) override {
        if (dialogue && !dialogue->finished()) return;
        room.loop.post([&in = room, what = id] { in.remove(what); });
    }

    Room& room;
    const ConnectionId id;
    const std::shared_ptr<const Service> service;
    const WallTime since;
    std::optional<IpAddress> counted; // against the ceiling of an address
    std::optional<Instant> gone_by;   // it was told goodbye
    Connection connection;
    std::unique_ptr<base::Dialogue> dialogue; // goes before the connection, which is its Waker
};

void Acceptor::Room::listen(ListenerId id, ListeningSocket socket,
                            std::shared_ptr<const Service> service) {
    if (draining_) return;
    auto open = std::make_unique<Open>();
    open->service = std::move(service);
    auto listener = Listener::create(loop, std::move(socket), *this);
    if (!listener) {
        MAILCORE_LOG(acceptor_.log_, Error, "net.listener.failed",
                     {{"service", open->service->name}, {"error", listener.error().detail}});
        return;
    }
    open->listener = *std::move(listener);
    MAILCORE_LOG(acceptor_.log_, Info, "net.listening",
                 {{"service", open->service->name}, {"at", open->listener->socket().to_string()}});
    listeners_.emplace(id, std::move(open));
}

void Acceptor::Room::accepted(Listener& listener, detail::Descriptor socket) {
    for (const auto& [id, open] : listeners_)
        if (open->listener.get() == &listener)
            return acceptor_.hand_over(std::move(socket), open->service);
}

void Acceptor::Room::take(detail::Descriptor socket, std::shared_ptr<const Service> service) {
    auto peer = detail::peer_of(socket.number());
    auto transport = detail::SocketTransport::create(loop, std::move(socket));
    if (!transport) {
        --load;
        MAILCORE_LOG(acceptor_.log_, Warning, "net.accept.failed",
                     {{"service", service->name}, {"error", transport.error().detail}});
        return;
    }
    take(*std::move(transport), std::move(peer), std::move(service));
}

void Acceptor::Room::take(std::unique_ptr<Transport> transport, PeerInfo peer,
                          std::shared_ptr<const Service> service) {
    std::optional<IpAddress> counted;
    if (peer.transport == PeerInfo::Transport::Tcp && !service->proxy_header)
        counted = peer.address;
    if (draining_ || !acceptor_.ceilings_->take(counted, service->reserved)) {
        --load;
        return refuse(*transport, peer, *service);
    }
    const ConnectionId id{++last_serial_};
    auto made = std::make_unique<Entry>(*this, id, std::move(transport), std::move(peer),
                                        std::move(service));
    auto& entry = *made;
    entry.counted = counted;
    entries_.emplace(id, std::move(made));
    watch();
    entry.connection.start(entry.service->implicit_tls ? Connection::Begin::Tls
                                                       : Connection::Begin::Plain,
                           entry.service->proxy_header ? Connection::ProxyHeader::Expected
                                                       : Connection::ProxyHeader::None);
}

/// The peer has said nothing yet, so closing does not destroy what it is told.
void Acceptor::Room::refuse(Transport& transport, const PeerInfo& peer, const Service& service) {
    MAILCORE_LOG(acceptor_.log_, Warning, "net.connection.refused",
                 {{"service", service.name}, {"peer", peer.address.to_string()}});
    if (service.implicit_tls || service.proxy_header) return;
    const auto farewell = service.factory->farewell(peer);
    const std::string_view piece = farewell;
    if (!piece.empty()) static_cast<void>(transport.send({&piece, 1}));
}

void Acceptor::Room::remove(ConnectionId id) {
    if (entries_.erase(id) == 0) return;
    --load;
    check_empty();
}

// Memory

void Acceptor::Room::watch() {
    if (std::exchange(watching_, true)) return;
    watch_timer_ = loop.start_timer(loop.now() + acceptor_.ceilings_->options.watch_time, [this] {
        watching_ = false;
        look();
        if (!entries_.empty()) watch();
    });
}

/// Says goodbye to who holds too much, and closes who was told so and stays.
void Acceptor::Room::look() {
    const auto& options = acceptor_.ceilings_->options;
    // Each loop frees its share.
    auto excess = options.memory ? options.memory->excess() / acceptor_.rooms_.size() : 0;
    std::vector<std::pair<std::size_t, Entry*>> large;
    std::vector<ConnectionId> overdue;
    for (const auto& [id, entry] : entries_) {
        if (entry->gone_by) {
            if (loop.now() >= *entry->gone_by) overdue.push_back(id);
            continue;
        }
        const auto memory = entry->connection.memory();
        if (memory > options.connection_memory_max)
            shed(*entry, &Counts::ended_too_large);
        else if (excess > 0 && memory >= options.worth_shedding && !entry->service->reserved)
            large.emplace_back(memory, entry.get());
    }
    std::ranges::sort(large, std::greater{}, &std::pair<std::size_t, Entry*>::first);
    for (const auto& [memory, entry] : large) {
        if (excess == 0) break;
        excess -= std::min<std::uint64_t>(excess, memory);
        shed(*entry, &Counts::ended_memory);
    }
    for (const auto id : overdue) {
        entries_.at(id)->connection.close("told goodbye and stayed");
        remove(id);
    }
}

void Acceptor::Room::shed(Entry& entry, std::uint64_t Counts::*count) {
    entry.gone_by = loop.now() + acceptor_.ceilings_->options.goodbye_time;
    MAILCORE_LOG(acceptor_.log_, Warning, "net.connection.shed",
                 {{"service", entry.service->name},
                  {"peer", entry.connection.peer().address.to_string()},
                  {"memory", entry.connection.memory()}});
    {
        const std::scoped_lock lock(acceptor_.ceilings_->mutex);
        ++(acceptor_.ceilings_->counts.*count);
    }
    entry.connection.shut_down(base::ShutdownReason::Shed);
}

void Acceptor::Room::drain(Instant until) {
    draining_ = true;
    listeners_.clear();
    std::vector<ConnectionId> ids;
    for (const auto& [id, entry] : entries_) ids.push_back(id);
    for (const auto id : ids) shut_down(id, base::ShutdownReason::Drain);
    drain_timer_ = loop.start_timer(until, [this] { close_all(); });
    check_empty();
}

void Acceptor::Room::close_all() {
    std::vector<ConnectionId> ids;
    for (const auto& [id, entry] : entries_) ids.push_back(id);
    for (const auto id : ids) {
        if (const auto found = entries_.find(id); found != entries_.end())
            found->second->connection.close("the time for goodbyes is over");
        remove(id); // a dialogue that is not finished is destroyed: its tasks are cancelled
    }
    check_empty();
}

void Acceptor::Room::check_empty() {
    if (!draining_ || emptied_ || !entries_.empty()) return;
    emptied_ = true;
    loop.cancel_timer(drain_timer_);
    acceptor_.room_empty();
}

void Acceptor::Room::shut_down(ConnectionId id, base::ShutdownReason reason) {
    const auto found = entries_.find(id);
    if (found != entries_.end()) found->second->connection.shut_down(reason);
}

std::vector<ConnectionFacts> Acceptor::Room::list() const {
    std::vector<ConnectionFacts> facts;
    facts.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) {
        const auto& connection = entry->connection;
        facts.push_back({id, entry->service->name, connection.peer(), entry->since,
                         connection.received(), connection.sent(), connection.memory()});
    }
    return facts;
}

Acceptor::Acceptor(std::vector<Loop*> loops, AcceptorOptions options, Log log)
    : ceilings_(std::make_unique<Ceilings>(options)), log_(log) {
    MAILCORE_ASSERT(!loops.empty());
    for (auto* loop : loops) rooms_.push_back(std::make_unique<Room>(*this, *loop, rooms_.size()));
}

Acceptor::~Acceptor() = default;

Result<Acceptor::Listening> Acceptor::listen(const Endpoint& endpoint,
                                             std::shared_ptr<const Service> service) {
    MAILCORE_TRY(auto socket, ListeningSocket::open(endpoint));
    return listen(std::move(socket), std::move(service));
}

Acceptor::Listening Acceptor::listen(ListeningSocket socket,
                                     std::shared_ptr<const Service> service) {
    MAILCORE_ASSERT(service->factory && (service->tls || !service->implicit_tls));
    const ListenerId id{++last_listener_};
    const Listening listening{id, socket.bound()};
    // Listeners too are spread: each loop accepts for all.
    auto& room = *rooms_[id.value % rooms_.size()];
    room.loop.post([&room, id, open = std::move(socket), service = std::move(service)]() mutable {
        room.listen(id, std::move(open), std::move(service));
    });
    return listening;
}

void Acceptor::stop_listening(ListenerId listener) {
    auto& room = *rooms_[listener.value % rooms_.size()];
    room.loop.post([&room, listener] { room.stop_listening(listener); });
}

void Acceptor::adopt(std::size_t loop, std::unique_ptr<Transport> transport, PeerInfo peer,
                     std::shared_ptr<const Service> service) {
    auto& room = *rooms_.at(loop);
    ++room.load;
    room.take(std::move(transport), std::move(peer), std::move(service));
}

void Acceptor::hand_over(detail::Descriptor socket, std::shared_ptr<const Service> service) {
    auto& room = least_loaded();
    ++room.load;
    room.loop.post([&room, taken = std::move(socket), service = std::move(service)]() mutable {
        room.take(std::move(taken), std::move(service));
    });
}

Acceptor::Room& Acceptor::least_loaded() {
    return **std::min_element(rooms_.begin(), rooms_.end(), [](const auto& a, const auto& b) {
        return a->load.load(std::memory_order_relaxed) < b->load.load(std::memory_order_relaxed);
    });
}

void Acceptor::drain(std::chrono::milliseconds within, Work done) {
    MAILCORE_ASSERT(!drained_);
    drained_ = std::move(done);
    rooms_to_empty_ = rooms_.size();
    for (const auto& room : rooms_)
        room->loop.post([&each = *room, within] { each.drain(each.loop.now() + within); });
}

void Acceptor::room_empty() {
    if (--rooms_to_empty_ == 0) drained_();
}

void Acceptor::shut_down(ConnectionId connection, base::ShutdownReason reason) {
    if (loop_of(connection) >= rooms_.size()) return;
    auto& room = *rooms_[loop_of(connection)];
    room.loop.post([&room, connection, reason] { room.shut_down(connection, reason); });
}

std::size_t Acceptor::connections() const {
    const std::scoped_lock lock(ceilings_->mutex);
    return ceilings_->total;
}

Acceptor::Counts Acceptor::counts() const {
    const std::scoped_lock lock(ceilings_->mutex);
    return ceilings_->counts;
}

Task<std::vector<ConnectionFacts>> Acceptor::list() {
    auto& scheduler = co_await base::current_scheduler();
    std::vector<ConnectionFacts> all;
    for (const auto& room : rooms_) {
        base::Completion<std::vector<ConnectionFacts>> listed(scheduler);
        room->loop.post(
            [&each = *room, completer = listed.completer()] { completer.complete(each.list()); });
        auto facts = co_await listed;
        std::move(facts.begin(), facts.end(), std::back_inserter(all));
    }
    co_return std::move(all);
}

} // namespace mailcore::net
