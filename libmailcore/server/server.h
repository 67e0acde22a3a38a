// The whole server: store, directory, queue and services on their loops, from a Config.
#pragma once

#include "libmailcore/base/log.h"
#include "libmailcore/base/peer.h"
#include "libmailcore/base/result.h"
#include "libmailcore/filter/lua_rules.h"
#include "libmailcore/server/config.h"
#include "libmailcore/store/store.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::accounts {
class StoreDirectory;
}

namespace mailcore::server {

/// Where a service was bound.
struct BoundEndpoint {
    ServiceKind service = ServiceKind::Smtp;
    PeerInfo bound;   ///< local address and port
    std::string path; ///< of a UNIX socket; empty: TCP
};

/// Makes filters for one loop: called once for each, and again for each reload.
using FilterFactory = std::function<std::vector<filter::PipelineEntry>(Scheduler& scheduler)>;

/// What rules may cost, as the configuration says.
[[nodiscard]] filter::RuleLimits rule_limits(const Config& config);
/// Reads the folder of rules and loads each file for itself; all that is wrong, with file and line.
/// What `mdserver check` and `mdctl reload` tell before anything changes.
[[nodiscard]] std::vector<Error> check_rule_folder(const Config& config);

/// A number for people and for Prometheus.
struct Metric {
    std::string name; ///< "mailcore_connections"
    std::string help;
    double value = 0;
    bool counter = false; ///< only grows
};

/// Several may run in one process; nothing is global. `create`, `start`, `stop` and the destructor:
/// one thread, which is none of the loops'. The rest: any thread.
class Server {
  public:
    struct Parts {
        FilterFactory filters;        ///< empty: none
        base::LogSink* log = nullptr; ///< absent: silent; outlives the server
        /// Somebody asks over the control socket that the settings be read again: the host does
        /// that, on a thread of its own, by `reload`. Empty: it cannot.
        std::function<void()> request_reload;
        /// Told on the first loop, after each commit, what changed in whose account. Empty: nobody
        /// wants to know.
        std::function<void(const store::Change&)> changed;
    };

    /// Binds every endpoint, the control socket included, and does nothing more: what follows may
    /// run with fewer rights. Fails as the system says: a port in use is Conflict.
    static Result<std::unique_ptr<Server>> create(Config config, Parts parts);
    static Result<std::unique_ptr<Server>> create(Config config) {
        return create(std::move(config), Parts{});
    }
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Opens the store, reads certificates, starts the loops, the services and the queue.
    Result<void> start();
    /// Takes no more connections, lets what is under way finish within `drain_time`, then ends.
    /// Blocks.
    void stop();

    /// Applies another configuration to new connections. What cannot change while running (data
    /// folder, loops, endpoints) is named in the answer. Fails, with the old one in force, if
    /// certificates, password files or rules cannot be read. Blocks shortly.
    Result<std::vector<std::string>> reload(Config config);

    [[nodiscard]] std::vector<BoundEndpoint> endpoints() const;
    [[nodiscard]] std::vector<Metric> metrics() const;
    /// Does what the control socket does (server/control.h): `request` and the answer are JSON
    /// objects; "host" is the actor of audit events. Any thread but the loops'; blocks.
    /// Unavailable: the server does not run, or ended meanwhile.
    Result<std::string> call(std::string method, std::string request);
    [[nodiscard]] store::Store& store();
    [[nodiscard]] accounts::StoreDirectory& directory();
    /// Runs work on the first loop: for embedders who have Tasks of their own.
    [[nodiscard]] Scheduler& scheduler();
    /// What an administrator should know about certificates; empty: all is well.
    [[nodiscard]] std::vector<std::string> warnings() const;

  private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Metrics in Prometheus' text format.
[[nodiscard]] std::string prometheus_text(const std::vector<Metric>& metrics);

} // namespace mailcore::server
