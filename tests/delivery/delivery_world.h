// Delivery under virtual time: a courier whose way to other hosts is a script.
#pragma once

#include "libmailcore/delivery/courier.h"
#include "tests/session/mail_world.h"

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mailcore::test {

/// Other hosts as the courier sees them: each address has an outcome, and what was handed over is
/// kept.
class ScriptedTransport final : public delivery::RemoteTransport {
  public:
    struct Attempt {
        Instant at;
        std::string destination;
        std::vector<std::string> recipients;
    };

    explicit ScriptedTransport(sim::VirtualScheduler& scheduler) : scheduler_(scheduler) {}
    Task<std::expected<std::unique_ptr<delivery::RemoteConnection>, delivery::Outcome>>
    open(std::string destination) override;

    std::map<std::string, delivery::Outcome> outcomes; ///< by address; absent: delivered
    std::map<std::string, delivery::Outcome> closed;   ///< by destination: cannot be opened
    std::chrono::seconds takes{0};                     ///< each message
    std::vector<Attempt> attempts;
    std::size_t opened = 0;
    std::map<std::string, std::size_t> open_now, open_most; ///< connections, by destination

  private:
    class Connection;
    sim::VirtualScheduler& scheduler_;
};

class DeliveryWorld : public MailWorld {
  public:
    explicit DeliveryWorld(delivery::CourierOptions options = {});
    ~DeliveryWorld();

    /// Accepts a message as a session would, and tells the courier.
    queue::QueueId submit(const std::string& sender, const std::vector<std::string>& recipients,
                          const std::function<void(delivery::Incoming&)>& change = {});

    /// Another courier takes over the queue as it stands, as after a restart of the server.
    void restart();

    ScriptedTransport transport{people.scheduler()};
    base::SeededRandom random{1};
    std::optional<delivery::Courier> courier;

  private:
    void start();
    delivery::CourierOptions options_;
};

} // namespace mailcore::test
