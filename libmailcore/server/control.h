// The control socket: one JSON object a line in, one a line out, for mdctl.
#pragma once

#include "libmailcore/admin/operations.h"
#include "libmailcore/net/acceptor.h"
#include "libmailcore/net/dialogue_factory.h"
#include "libmailcore/queue/message.h"
#include "libmailcore/server/config.h"
#include "libmailcore/server/server.h"
#include "libmailcore/store/journal_store.h"

#include <memory>
#include <string>
#include <vector>

namespace mailcore::server {

/// What the control socket works on: the server, seen from inside.
class ControlTarget {
  public:
    virtual store::Store& store() = 0;
    virtual accounts::StoreDirectory& directory() = 0;
    virtual std::vector<Metric> metrics() = 0;
    virtual std::vector<BoundEndpoint> endpoints() = 0;
    virtual std::vector<std::string> warnings() = 0;
    virtual void queue_changed(queue::QueueId id, bool now) = 0;
    virtual Task<std::vector<net::ConnectionFacts>> connections() = 0;
    /// Path of the log as JSON lines; empty: there is none.
    virtual std::string log_file() = 0;
    virtual const Config& configuration() = 0;
    /// False: the host cannot read its settings again.
    virtual bool request_reload() = 0;

  protected:
    ~ControlTarget() = default;
};

/// What the control socket does, without the socket. On a loop of the target, which outlives it.
class ControlMethods {
  public:
    /// `actor` stands in audit events.
    ControlMethods(ControlTarget& target, std::string actor, Log log);
    /// `request`: the JSON object without its method; empty: no fields. The answer: what stands
    /// behind "ok". NotFound: no such method; the rest as admin::run.
    Task<Result<std::string>> run(std::string method, std::string request);

  private:
    Task<Result<std::string>> status();
    std::string list_operations();
    std::string metrics();
    Task<Result<std::string>> connections();
    Task<Result<std::string>> trace(std::string text);
    Task<Result<std::string>> check();
    Task<Result<std::string>> rebuild();
    Task<Result<std::string>> compact(store::Reclaim how);
    Result<std::string> begin_scrub();

    ControlTarget& target_;
    admin::Context context_;
};

/// Requests: {"method": "account.add", ...fields}. Answers: {"ok": {...}} or {"error": "...",
/// "kind": "..."}. Methods: those of admin::operations, and operations, status, metrics,
/// connections, trace, reload, store.check, store.rebuild, store.compact ("now": true: nothing is
/// kept for restoring), store.scrub. Whoever can open the socket may do everything.
[[nodiscard]] std::shared_ptr<net::DialogueFactory> make_control_factory(ControlTarget& target,
                                                                         Log log);

} // namespace mailcore::server
