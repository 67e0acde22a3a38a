// Two dialogues talking to each other in virtual time, with the octets cut as chance wants.
#pragma once

#include "libmailcore/base/random.h"
#include "tests/sim/driver.h"

#include <functional>

namespace mailcore::sim {

/// Moves octets between two Drivers until nothing moves any more. Each step carries between one
/// octet and all there are, chosen by `random`; with no `random`, all. TLS starts when both sides
/// want it.
class Pair {
  public:
    Pair(VirtualScheduler& scheduler, Driver& client, Driver& server, Random* random = nullptr)
        : scheduler_(scheduler), client_(client), server_(server), random_(random) {}

    /// The peer facts that each side is told when TLS starts.
    PeerInfo tls_facts;

    /// Runs what is ready and moves octets until both sides are still.
    void settle();
    /// Settles, and goes on from timer to timer until `done` answers true or `limit` has passed.
    bool run_until(const std::function<bool()>& done, base::Instant limit);

  private:
    bool move(Driver& from, Driver& to, std::string& under_way);

    VirtualScheduler& scheduler_;
    Driver& client_;
    Driver& server_;
    Random* random_; // absent: whole pieces
    std::string to_server_, to_client_;
};

} // namespace mailcore::sim
