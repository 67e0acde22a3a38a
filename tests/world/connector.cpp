#include "tests/world/connector.h"

#include "libmailcore/base/assert.h"

#include <utility>

namespace mailcore::world {

namespace {

/// A dialogue that somebody else owns.
class Borrowed final : public base::Dialogue {
  public:
    explicit Borrowed(base::Dialogue& dialogue) : dialogue_(dialogue) {}
    base::Engine& engine() override { return dialogue_.engine(); }
    void drain() override { dialogue_.drain(); }
    void closed() override { dialogue_.closed(); }
    [[nodiscard]] bool finished() const override { return dialogue_.finished(); }

  private:
    base::Dialogue& dialogue_;
};

/// The client's hold on a link: when it goes, the client has gone.
class Hold {
  public:
    Hold(Network& network, Network::LinkId link) : network_(&network), link_(link) {}
    Hold(Hold&& other) noexcept
        : network_(std::exchange(other.network_, nullptr)), link_(other.link_) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
        if (network_) network_->drop(link_);
    }
    [[nodiscard]] Network::LinkId link() const { return link_; }

  private:
    Network* network_; // absent: moved from
    Network::LinkId link_;
};

class ClientConnection final : public base::Connection {
  public:
    ClientConnection(Network& network, Hold hold, PeerInfo peer)
        : network_(network), peer_(std::move(peer)), hold_(std::move(hold)) {}
    [[nodiscard]] const PeerInfo& peer() const override { return peer_; }
    void wake() override {
        if (auto* end = network_.client(hold_.link()))
            static_cast<EngineEnd*>(end)->driver().wake();
    }

  private:
    Network& network_;
    PeerInfo peer_;
    Hold hold_;
};

} // namespace

Task<Result<std::unique_ptr<base::Connection>>>
NetworkConnector::connect(base::Destination to, base::ConnectOptions options,
                          base::Dialogue& dialogue) {
    const auto* tcp = std::get_if<base::TcpDestination>(&to);
    MAILCORE_ASSERT(tcp && !options.implicit_tls);
    base::Completion<bool> there(scheduler_);
    const auto completer = there.completer();
    const auto link = network_.connect(&machine_, source_, *tcp,
                                       [completer](bool yes) { completer.complete(yes); });
    Hold hold(network_, link);
    const auto timer = scheduler_.start_timer(scheduler_.now() + options.connect_timeout,
                                              [completer] { completer.complete(false); });
    struct Guard {
        Scheduler& scheduler;
        TimerId timer;
        Guard(Scheduler& s, TimerId t) : scheduler(s), timer(t) {}
        ~Guard() { scheduler.cancel_timer(timer); }
    };
    const Guard guard(scheduler_, timer);
    const auto answered = co_await there;
    if (!answered) co_return fail(ErrorKind::Unavailable, "nobody answers there");
    auto end = std::make_unique<EngineEnd>(scheduler_);
    end->start(std::make_unique<Borrowed>(dialogue));
    auto peer = network_.server_facts(link);
    network_.begin(link, std::move(end));
    co_return std::make_unique<ClientConnection>(network_, std::move(hold), std::move(peer));
}

} // namespace mailcore::world
