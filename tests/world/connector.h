// How delivery reaches other machines of a world.
#pragma once

#include "libmailcore/base/connector.h"
#include "tests/world/network.h"

namespace mailcore::world {

/// The port that delivery uses, for one machine.
class NetworkConnector final : public Connector {
  public:
    NetworkConnector(Network& network, Machine& machine, IpAddress source,
                     sim::VirtualScheduler& scheduler)
        : network_(network), machine_(machine), source_(source), scheduler_(scheduler) {}
    Task<Result<std::unique_ptr<base::Connection>>>
    connect(base::Destination to, base::ConnectOptions options, base::Dialogue& dialogue) override;

  private:
    Network& network_;
    Machine& machine_;
    IpAddress source_;
    sim::VirtualScheduler& scheduler_;
};

} // namespace mailcore::world
