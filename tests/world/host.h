// One whole server on a simulated machine: the parts that libmailcore/server is made of, over a
// disk, a clock, a resolver and a network of the simulation.
#pragma once

#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/server/config.h"
#include "libmailcore/store/journal_store.h"
#include "tests/sim/disk.h"
#include "tests/sim/failing_files.h"
#include "tests/world/contents.h"
#include "tests/world/names.h"
#include "tests/world/network.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mailcore::world {

/// Who lives on a host and what leads there.
struct HostPlan {
    std::string name;   ///< of the machine: "mx.h0.test"
    std::string domain; ///< "h0.test"
    std::vector<IpAddress> addresses;
    std::vector<std::string> people; ///< local parts; the password is "secret"
    std::string full;                ///< one more, whose quota is used up
    bool lmtp = false;               ///< programs of it may hand over mail (RFC 2033)
    std::vector<std::pair<std::string, std::vector<std::string>>> aliases;
};

/// The disk of a host that was set up and never used.
[[nodiscard]] sim::DiskImage set_up(const HostPlan& plan);

class Host final : public Machine {
  public:
    Host(HostPlan plan, sim::DiskImage disk, Network& network, dns::Zone& zone, Random& random,
         Trace& trace);
    ~Host() override;

    // Machine
    [[nodiscard]] const std::string& name() const override { return plan_.name; }
    [[nodiscard]] bool is_up() const override { return life_ && !crashed_; }
    [[nodiscard]] bool is_troubled() const override { return troubles_ > 0; }
    [[nodiscard]] std::unique_ptr<End> accept(const PeerInfo& peer) override;

    /// Opens the store and begins to serve. False: it could not be opened; it stays off.
    bool start(Instant now);
    /// Takes no more connections and lets what is under way finish; `stopped` when it has.
    void begin_stop();
    [[nodiscard]] bool has_stopped() const;
    /// Switches off after `has_stopped`; what was left behind, in words.
    std::vector<std::string> end_stop();
    /// The power goes: now, or in the middle of what it does, at its `syncs`-th sync from now on
    /// (then `lost_power` tells).
    void cut_power();
    void cut_power_at_sync(std::uint64_t syncs) { syncs_left_ = syncs; }
    void keep_power() { syncs_left_.reset(); }
    [[nodiscard]] bool lost_power() const { return crashed_; }

    /// No file may grow beyond what all have now and `octets` more.
    void fill_disk(std::uint64_t octets);
    /// Operations of files fail, from the `operation`-th on, so often.
    void fail_files(std::size_t operation, sim::Fault fault, std::size_t times);
    /// All is well with the machine again; what its store gave up needs a restart.
    void mend();
    /// What was in doubt while it was troubled has been said by now.
    void forget_trouble() { --troubles_; }
    void jump_wall(std::chrono::microseconds by);

    /// Its own, while it is on.
    [[nodiscard]] sim::VirtualScheduler* scheduler();
    [[nodiscard]] store::Store& store();
    [[nodiscard]] bool is_writable();
    [[nodiscard]] const HostPlan& plan() const { return plan_; }
    [[nodiscard]] Names& names() { return names_; }
    [[nodiscard]] sim::Disk& disk() { return *disk_; }
    [[nodiscard]] sim::FailingFileSystem& files() { return *files_; }
    /// Asked of each disk from now on (sim::Disk).
    std::function<bool(const std::string& path)> lies_about_sync;
    [[nodiscard]] std::vector<Waiting> queue();
    [[nodiscard]] std::vector<Folder> folders(const std::string& person);
    /// Everything compared with everything; what is wrong.
    [[nodiscard]] std::vector<std::string> check();
    /// The newest message of a person's INBOX comes into the queue again: for tests of the tests.
    void deliver_again(const std::string& person);
    /// The newest message of a person's folder is there once more: for tests of the tests.
    void file_again(const std::string& person, const std::string& folder);

  private:
    struct Life;
    class ServerEnd;
    [[nodiscard]] store::AccountId account_of(const std::string& person);
    void open_disk(sim::DiskImage image);

    HostPlan plan_;
    Network& network_;
    Random& random_;
    Trace& trace_;
    Names names_;
    base::SeededRandom own_random_;
    std::unique_ptr<sim::Disk> disk_;
    std::unique_ptr<sim::FailingFileSystem> files_;
    std::optional<sim::DiskImage> after_cut_;
    std::unique_ptr<Life> life_; // absent: it is off
    std::chrono::microseconds wall_{0};
    std::optional<std::uint64_t> syncs_left_;
    bool crashed_ = false;
    int troubles_ = 0;
    bool stopping_ = false;
    std::map<std::uint64_t, ServerEnd*> ends_; // the network's
    std::uint64_t last_end_ = 0;
};

} // namespace mailcore::world
