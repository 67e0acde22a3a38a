// Several servers, the people who write and read there, and all that may go wrong between them,
// from one number.
#pragma once

#include "tests/world/host.h"
#include "tests/world/imap_reader.h"
#include "tests/world/invariants.h"
#include "tests/world/letters.h"
#include "tests/world/network.h"
#include "tests/world/smtp_sender.h"
#include "tests/world/trace.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::world {

/// What all worlds have in common: hosts as they were set up, and the truth about names. Made once.
class Setting {
  public:
    Setting();
    std::vector<HostPlan> plans;
    std::vector<sim::DiskImage> disks; ///< of each
    Addresses addresses;
    std::string zone;
};

struct Outcome {
    std::vector<std::string> wrong; ///< empty: all holds
    std::uint32_t trace = 0;        ///< of two runs of a seed the same
    Counts counts;
    std::uint64_t power_cuts = 0, faults = 0, doubts = 0, lies = 0, steps = 0, compared = 0;
};

/// One run. Everything in it follows from the seed.
class World {
  public:
    World(const Setting& setting, std::uint64_t seed);
    ~World();

    /// No fault happens: then everything must be exact.
    void nothing_goes_wrong() { calm_ = true; }
    /// Half an hour with a few letters between two hosts, for tests that need many runs.
    void keep_short();
    [[nodiscard]] Network& network() { return network_; }
    [[nodiscard]] std::vector<std::unique_ptr<Host>>& hosts() { return hosts_; }
    /// Called before the hosts are started; when they are about to be mended; when everything was
    /// delivered and nothing was looked at yet.
    std::function<void()> before_the_start, before_mending, before_the_end;

    Outcome run();

  private:
    struct Errand { // a letter on its way to its author's server
        Letter* letter = nullptr;
        std::vector<std::string> recipients; // that are still to be told
        Host* to = nullptr;
        smtp::Dialect dialect = smtp::Dialect::Smtp;
        unsigned tries = 0;
        bool done = false;
    };
    struct Reading {                  // an IMAP session
        ImapReader* reader = nullptr; // the network's
        Network::LinkId link = 0;
    };
    using Readings = std::map<std::string, Reading>; // by user

    void settle();
    /// Goes on to `until`, or until nothing more happens before.
    void pass(Instant until);
    void plan_letters();
    [[nodiscard]] Errand plan_errand(const std::vector<std::string>& people);
    void plan_readers();
    void plan_faults();
    void fault(Host& host);
    void lift_faults();
    /// Some moment of the first `of` of `parts` of it.
    [[nodiscard]] std::chrono::seconds in_busy_time(int of, int parts);
    void at(std::chrono::nanoseconds after_start, base::Work work);
    void send(Errand& errand);
    void send_later(Errand& errand);
    void sent(Errand& errand, const SmtpSender::Outcome& outcome);
    /// Connects a person; `begin` makes his end when somebody is there, `failed` hears otherwise.
    Network::LinkId visit(Host& host, std::uint16_t port,
                          std::function<std::unique_ptr<End>(Network::LinkId)> begin,
                          std::function<void()> failed);
    /// Nobody waits for more than 20 minutes.
    void lose_patience(Network::LinkId link);
    [[nodiscard]] std::unique_ptr<ImapReader> new_reader(const std::string& user);
    void read_over_imap(const std::string& user);
    void read_over_pop3(const std::string& user);
    void restart(Host& host);
    [[nodiscard]] Host& home_of(const std::string& address);
    [[nodiscard]] bool is_at_rest();
    /// Each session that is still there against one that begins when it has come to an end.
    void compare_views();
    void stop_hosts();
    [[nodiscard]] bool chance(unsigned of_100) { return random_.below(100) < of_100; }

    std::uint64_t seed_;
    base::SeededRandom random_;
    Trace trace_;
    sim::VirtualScheduler wire_; // of the network and of people
    dns::Zone zone_;
    Letters letters_;
    std::vector<std::unique_ptr<Errand>> errands_;
    Readings readers_;
    Network network_;
    std::vector<std::unique_ptr<Host>> hosts_; // behind the network that they are in
    Instant start_;
    Outcome outcome_;
    std::chrono::seconds busy_time_ = std::chrono::hours(3);
    std::uint64_t letters_max_ = 10;
    bool calm_ = false;
    bool writing_ = true; // people still write and read
    bool ending_ = false;
};

} // namespace mailcore::world
