// A network in virtual time: connections whose octets arrive late, in pieces, slowly, in part or
// not at all, as chance wants.
#pragma once

#include "libmailcore/base/connector.h"
#include "libmailcore/base/random.h"
#include "tests/sim/driver.h"
#include "tests/world/handover.h"
#include "tests/world/trace.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::world {

/// What stands at one end of a connection.
class End {
  public:
    virtual ~End() = default;
    virtual void receive(std::string_view octets) = 0;
    /// The other side sends no more.
    virtual void receive_end() = 0;
    /// The connection is gone.
    virtual void reset() = 0;
    [[nodiscard]] virtual std::string take_output() = 0;
    /// It has ended the connection; what it still has to send is its last.
    [[nodiscard]] virtual bool closed() const = 0;
    /// False: something of it still runs.
    [[nodiscard]] virtual bool finished() const { return true; }
    /// How much more it may send now; nothing: any number.
    virtual void set_room(std::optional<std::size_t>) {}
    [[nodiscard]] virtual bool wants_tls() const { return false; }
    virtual void start_tls(const PeerInfo&) {}
};

/// An engine at its end of a connection.
class EngineEnd final : public End {
  public:
    explicit EngineEnd(sim::VirtualScheduler& scheduler) : driver_(scheduler) {}
    [[nodiscard]] sim::Driver& driver() { return driver_; }
    /// `dialogue` has the driver as its waker.
    void start(std::unique_ptr<base::Dialogue> dialogue);
    void receive(std::string_view octets) override { driver_.offer(octets); }
    void receive_end() override { driver_.end(); }
    void reset() override { driver_.cut(); }
    [[nodiscard]] std::string take_output() override { return driver_.take_output(); }
    [[nodiscard]] bool closed() const override { return driver_.closed(); }
    [[nodiscard]] bool finished() const override;
    void set_room(std::optional<std::size_t> octets) override { driver_.set_room(octets); }
    [[nodiscard]] bool wants_tls() const override { return driver_.wants_tls(); }
    void start_tls(const PeerInfo& peer) override { driver_.tls_started(peer); }

  private:
    base::Dialogue* dialogue_ = nullptr; // the driver's
    sim::Driver driver_;
};

/// A host as the network sees it.
class Machine {
  public:
    virtual ~Machine() = default;
    [[nodiscard]] virtual const std::string& name() const = 0;
    /// False: its power is off, and what it does is seen by nobody.
    [[nodiscard]] virtual bool is_up() const = 0;
    /// True: its disk fails, so that it may not remember what it is told now, or remember what it
    /// said it did not take.
    [[nodiscard]] virtual bool is_troubled() const = 0;
    /// Absent: nobody listens there.
    [[nodiscard]] virtual std::unique_ptr<End> accept(const PeerInfo& peer) = 0;
};

/// What chance does to connections that begin from now on; each of 1000 of them.
struct NetworkFaults {
    unsigned refused = 0, never_answered = 0, broken = 0, slow = 0, tls_fails = 0;
};

class Network {
  public:
    using LinkId = std::uint64_t;

    Network(sim::VirtualScheduler& wire, Random& random, Trace& trace)
        : wire_(wire), random_(random), trace_(trace) {}
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    NetworkFaults faults;
    /// Told of handovers that ended without their sender knowing what became of them: these may
    /// come to be there twice. `from`: absent for people.
    std::function<void(const Machine* from, const Handover&)> uncertain;
    /// For tests of the tests: changes what is about to arrive.
    std::function<void(bool at_client, std::uint16_t port, std::string& octets)> tamper;

    void attach(IpAddress address, Machine& machine) { machines_[address] = &machine; }
    void detach(const Machine& machine) {
        std::erase_if(machines_, [&](const auto& each) { return each.second == &machine; });
    }
    /// Connects; `opened` is told once whether there is somebody at the other end, or never. It
    /// then calls `begin` or `drop`. `from` absent: a person.
    LinkId connect(Machine* from, IpAddress source, base::TcpDestination to,
                   std::function<void(bool there)> opened);
    /// The client is there and talks from now on.
    void begin(LinkId link, std::unique_ptr<End> client);
    /// The client has gone without a word.
    void drop(LinkId link);
    /// The client's end; absent: it is gone.
    [[nodiscard]] End* client(LinkId link);
    /// Octets still come through, both ways, and there is somebody at each end.
    [[nodiscard]] bool is_alive(LinkId link) const;
    [[nodiscard]] PeerInfo server_facts(LinkId link) const;

    /// Takes what the ends have to say and puts it under way; true if anything changed.
    bool collect();
    /// The same for one machine only, in the middle of what it does.
    void collect_from(const Machine& machine);
    /// All ends of `machine` are gone, and nobody is told.
    void power_off(const Machine& machine);
    /// Those that are left, in words.
    [[nodiscard]] std::vector<std::string> links() const;

  private:
    enum class Break : std::uint8_t { None, Reset, EndEarly, Silence };
    struct Segment {
        Instant at;
        std::string octets;
        bool end = false;
    };
    /// What is under way to one side.
    struct Way {
        std::deque<Segment> segments;
        std::size_t octets = 0; ///< of them
        std::uint64_t delivered = 0;
        Instant last;
        std::optional<TimerId> timer;
        bool end_sent = false;
        std::uint64_t breaks_after = UINT64_MAX;
    };
    struct Link {
        Machine* from = nullptr;
        Machine* to = nullptr;
        PeerInfo facts_for_server, facts_for_client;
        std::unique_ptr<End> client, server;
        Way to_client, to_server;
        std::function<void(bool)> opened;
        std::optional<TimerId> opening;
        HandoverWatch watch;
        bool watched = false;  // speaks SMTP or LMTP
        bool reported = false; // the current handover was told of as uncertain
        bool client_over = false;
        bool server_lost = false; // by a power cut
        bool silent = false;
        bool tls_under_way = false;
        std::chrono::microseconds latency{0};
        unsigned split = 0; // 0: whole, 1: in some pieces, 2: octet by octet for a while
        std::optional<std::size_t> window;
        Break breaks = Break::None;
        bool tls_fails = false;
    };
    void open(LinkId id);
    bool take(LinkId id, Link& link, End* from, Way& way, bool machine_up);
    void arm(LinkId id, bool at_client);
    void arrive(LinkId id, bool at_client);
    bool deliver(LinkId id, Link& link, bool at_client, std::string octets);
    void break_up(LinkId id, Link& link);
    void reset_end(Link& link, bool client_side);
    void note_over(Link& link, bool crashed);
    void tell_uncertain(Link& link);
    [[nodiscard]] static bool both_want_tls(const Link& link);
    void start_tls(LinkId id);
    void forget(Link& link);
    [[nodiscard]] std::string label(LinkId id) const;

    sim::VirtualScheduler& wire_;
    Random& random_;
    Trace& trace_;
    std::map<IpAddress, Machine*> machines_;
    std::map<LinkId, Link> links_;
    LinkId last_ = 0;
};

} // namespace mailcore::world
